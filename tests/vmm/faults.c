// SPDX-License-Identifier: GPL-2.0
/*
 * Every step of a VMM and of its admin with the n-th allocation or user copy
 * inside the kernel failing, for n = 1, 2, ... until the step needs no more. A
 * failure must be an honest errno and leave everything so that the same step
 * succeeds afterwards. Needs a kernel with fault injection; prints TAP.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "guest.h"
#include "tap.h"

#define CFS	"/sys/kernel/config/vbus/"
#define DEV	CFS "devices/null.f"
#define BUS	CFS "buses/vmf"
#define SLOT	BUS "/slots/0"
#define LINK	SLOT "/device"

/* No step allocates as often. */
#define FAULTS_MAX	2000

static struct guest g;
static int fail_fd;
static int event_fd;

/* The next n-th point of failure of this thread fails; 0: none. */
static void arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_fd, text, len, 0) != len)
		perror("fail-nth");
}

/* Has it failed? Then the counter is back at 0. */
static bool disarm(void)
{
	char text[16] = "";
	bool fired;

	/* The n-th may be this very read; then it has not failed before. */
	if (pread(fail_fd, text, sizeof(text) - 1, 0) < 0)
		strcpy(text, "1");
	fired = atoi(text) == 0;
	arm(0);
	return fired;
}

/* A step, and how to take it back. */
struct step {
	const char *name;
	int (*run)(void);
	void (*undo)(void);
};

static int honest(int err)
{
	return err == ENOMEM || err == EFAULT || err == ENOSPC;
}

static void try_step(const struct step *step)
{
	unsigned int n, failed = 0, absorbed = 0;
	char name[128];
	int ret, err;
	bool fired;

	for (n = 1; n < FAULTS_MAX; n++) {
		arm(n);
		errno = 0;
		ret = step->run();
		err = errno;
		fired = disarm();
		if (!ret)
			step->undo();
		if (!fired)
			break;
		if (!ret) {
			absorbed++;
			continue;
		}
		failed++;
		if (honest(err))
			continue;
		printf("# failure %u of %s: %s\n", n, step->name,
		       strerror(err));
		break;
	}
	snprintf(name, sizeof(name), "%s", step->name);
	tap_result(!fired && !ret, name);
	printf("# %s: %u failures, %u absorbed\n", name, failed, absorbed);
}

static int open_bus(void)
{
	return guest_open(&g, "vmf");
}

static void close_bus(void)
{
	guest_close(&g);
}

static int del_memory(void)
{
	struct vbus_mem_region region = {
		.size = sizeof(region),
		.guest_addr = GUEST_ADDR,
		.length = GUEST_MEM,
	};

	return ioctl(g.bus, VBUS_MEM_DEL, &region);
}

static int add_memory(void)
{
	return guest_add_memory(&g);
}

static void undo_memory(void)
{
	if (del_memory())
		perror("undo");
}

static int open_slot(void)
{
	return guest_open_slot(&g, 0);
}

static void close_slot(void)
{
	guest_close_device(&g);
}

static int set_irq(void)
{
	struct vbus_dev_irq irq = { .size = sizeof(irq), .fd = event_fd };

	return ioctl(g.dev, VBUS_DEV_SET_IRQ, &irq);
}

static void undo_irq(void)
{
	struct vbus_dev_irq irq = { .size = sizeof(irq), .fd = -1 };

	if (ioctl(g.dev, VBUS_DEV_SET_IRQ, &irq))
		perror("undo");
}

static int set_doorbell(void)
{
	struct vbus_dev_doorbell bell = {
		.size = sizeof(bell),
		.fd = event_fd,
	};

	return ioctl(g.dev, VBUS_DEV_SET_DOORBELL, &bell);
}

static void undo_doorbell(void)
{
	struct vbus_dev_doorbell bell = { .size = sizeof(bell), .fd = -1 };

	if (ioctl(g.dev, VBUS_DEV_SET_DOORBELL, &bell))
		perror("undo");
}

static int enable_queue(void)
{
	return guest_write32(&g, VBUS_REG_QUEUE(0) + VBUS_QREG_ENABLE, 1);
}

static void disable_queue(void)
{
	u32 base = VBUS_REG_QUEUE(0);

	if (guest_write32(&g, base + VBUS_QREG_ENABLE, 0) ||
	    guest_write32(&g, base + VBUS_QREG_SIZE, 64) ||
	    guest_write64(&g, base + VBUS_QREG_RING, GUEST_ADDR))
		perror("undo");
}

static int start_device(void)
{
	return guest_run(&g);
}

/* Back to where start_device() began. */
static void prepare_start(void)
{
	if (guest_write32(&g, VBUS_REG_STATUS, 0) || guest_negotiate(&g, 0))
		perror("undo");
	disable_queue();
	if (enable_queue())
		perror("undo");
}

static int get_attr(void)
{
	char text[4096];

	return guest_attr(&g, VBUS_DEV_GET_ATTR, VBUS_GROUP_STATS,
			  VBUS_STATS_NAMES, text, sizeof(text));
}

static int read_long(void)
{
	char alias[VBUS_ALIAS_SIZE];

	return pread(g.dev, alias, sizeof(alias), VBUS_REG_ALIAS) ==
	       sizeof(alias) ? 0 : -1;
}

static void nothing(void)
{
}

static int make_device(void)
{
	return mkdir(DEV "2", 0755);
}

static void remove_device(void)
{
	if (rmdir(DEV "2"))
		perror("undo");
}

static int enable_device(void)
{
	return file_put(DEV "/enable", "1");
}

static void disable_device(void)
{
	if (file_put(DEV "/enable", "0"))
		perror("undo");
}

static int make_bus(void)
{
	return mkdir(BUS "2", 0755);
}

static void remove_bus(void)
{
	if (rmdir(BUS "2"))
		perror("undo");
}

static int set_mode(void)
{
	return file_put(BUS "/mode", "0640");
}

static int make_slot(void)
{
	return mkdir(BUS "/slots/1", 0755);
}

static void remove_slot(void)
{
	if (rmdir(BUS "/slots/1"))
		perror("undo");
}

static int plug(void)
{
	return symlink(DEV, LINK);
}

static void unplug(void)
{
	if (unlink(LINK))
		perror("undo");
}

#define STEP(_name, _run, _undo) { .name = _name, .run = _run, .undo = _undo }

static const struct step admin_steps[] = {
	STEP("mkdir of a device", make_device, remove_device),
	STEP("enable", enable_device, disable_device),
	STEP("mkdir of a bus", make_bus, remove_bus),
	STEP("mode of a bus", set_mode, nothing),
	STEP("mkdir of a slot", make_slot, remove_slot),
};

static const struct step bus_steps[] = {
	STEP("plug", plug, unplug),
	STEP("open of the bus", open_bus, close_bus),
};

static const struct step vmm_steps[] = {
	STEP("memory added", add_memory, undo_memory),
	STEP("slot opened", open_slot, close_slot),
};

static const struct step device_steps[] = {
	STEP("irq bound", set_irq, undo_irq),
	STEP("doorbell bound", set_doorbell, undo_doorbell),
	STEP("queue enabled", enable_queue, disable_queue),
	STEP("long read", read_long, nothing),
	STEP("attribute", get_attr, nothing),
};

static const struct step start_step =
	STEP("device started", start_device, prepare_start);

static void try_steps(const struct step *steps, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		try_step(&steps[i]);
}

int main(void)
{
	struct guest_queue q;
	int n;

	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_fd < 0) {
		printf("1..0 # SKIP the kernel has no fault injection\n");
		return 0;
	}
	event_fd = eventfd(0, EFD_CLOEXEC);
	need(!mkdir(DEV, 0755) && !mkdir(BUS, 0755) && !mkdir(SLOT, 0755),
	     "make a device, a bus and a slot");
	try_steps(admin_steps, ARRAY_SIZE(admin_steps));
	need(!file_put(DEV "/enable", "1"), "enable the device");
	try_steps(bus_steps, ARRAY_SIZE(bus_steps));
	need(!symlink(DEV, LINK) && !guest_open(&g, "vmf"),
	     "plug it and open the bus");
	try_steps(vmm_steps, ARRAY_SIZE(vmm_steps));
	need(!guest_add_memory(&g) && !guest_open_slot(&g, 0),
	     "add memory and open the slot");
	need(!guest_negotiate(&g, 0), "negotiate");
	disable_queue();
	try_steps(device_steps, ARRAY_SIZE(device_steps));
	prepare_start();
	try_step(&start_step);

	/* After all that it works as if nothing had been. */
	need(!guest_write32(&g, VBUS_REG_STATUS, 0) && !guest_negotiate(&g, 0) &&
	     !guest_queue_setup(&g, &q, 0, 64, 0) && !guest_run(&g),
	     "start for good");
	n = guest_transfer(&q, 1000);
	check(!n, "1,000 chains");
	guest_queue_free(&q);
	guest_close(&g);
	check(!unlink(LINK) && !rmdir(SLOT) && !rmdir(BUS) && !rmdir(DEV),
	      "take everything away");
	return tap_finish();
}
