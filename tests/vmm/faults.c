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
#include "native_guest.h"
#include "tap.h"

#define CFS	"/sys/kernel/config/vbus/"
#define DEV	CFS "devices/null.f"
#define BUS	CFS "buses/vmf"
#define SLOT	BUS "/slots/0"
#define LINK	SLOT "/device"

/* No step allocates as often. */
#define FAULTS_MAX	2000

static struct guest g;
static struct native front;
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

static int open_native(void)
{
	front.fd = native_open_fd(&g, VBUS_NATIVE_MAX_QUEUES,
				  VBUS_NATIVE_MAX_PAGES, 0);
	return front.fd < 0 ? -1 : 0;
}

static void close_native(void)
{
	close(front.fd);
}

static int native_fd(unsigned long cmd, int fd)
{
	struct vbus_native_fd bind = { .size = sizeof(bind), .index = 1, .fd = fd };

	return ioctl(front.fd, cmd, &bind);
}

static int native_irq_bound(void)
{
	return native_fd(VBUS_NATIVE_SET_IRQ, event_fd);
}

static void native_irq_undo(void)
{
	if (native_fd(VBUS_NATIVE_SET_IRQ, -1))
		perror("undo");
}

static int native_bell_bound(void)
{
	return native_fd(VBUS_NATIVE_SET_DOORBELL, event_fd);
}

static void native_bell_undo(void)
{
	if (native_fd(VBUS_NATIVE_SET_DOORBELL, -1))
		perror("undo");
}

static int native_read(void)
{
	u32 value;

	return pread(front.fd, &value, sizeof(value), VBUS_NREG_MAGIC) ==
	       sizeof(value) ? 0 : -1;
}

static int native_started(void)
{
	return native_start(&front);
}

static void native_stop(void)
{
	struct vbus_native_reset reset = { .size = sizeof(reset) };

	if (ioctl(front.fd, VBUS_NATIVE_RESET, &reset))
		perror("undo");
}

static int native_nop(void)
{
	return native_fast(&front, 0, VBUS_FN_NOP, 0, 0);
}

static const struct step native_steps[] = {
	STEP("event queue's irq bound", native_irq_bound, native_irq_undo),
	STEP("call page's doorbell bound", native_bell_bound, native_bell_undo),
	STEP("native window read", native_read, nothing),
	STEP("native front started", native_started, native_stop),
};

static const struct step fast_step = STEP("fast call", native_nop, nothing);

/*
 * Slow calls run in a worker, out of reach of fail-nth. There is one CPU and little
 * else goes on, so whoever asks for the n-th 16 bytes from here on will do. The
 * files stay open: opening them needs memory, too.
 */
#define FAILSLAB	"/sys/kernel/debug/failslab/"

static int slab_space = -1, slab_times = -1, slab_probability = -1;

static bool slab_open(void)
{
	const int flags = O_WRONLY | O_CLOEXEC;

	slab_space = open(FAILSLAB "space", flags);
	slab_times = open(FAILSLAB "times", flags);
	slab_probability = open(FAILSLAB "probability", flags);
	return slab_space >= 0 && slab_times >= 0 && slab_probability >= 0;
}

static void slab_put(int fd, unsigned int value)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", value);

	if (write(fd, text, len) != len)
		perror("failslab");
}

static void slab_arm(unsigned int nth)
{
	slab_put(slab_space, nth * 16);
	slab_put(slab_times, 1);
	slab_put(slab_probability, 100);
}

/* Has one failed? */
static bool slab_disarm(void)
{
	char text[16] = "";
	int fd;

	slab_put(slab_probability, 0);
	fd = open(FAILSLAB "times", O_RDONLY | O_CLOEXEC);
	if (read(fd, text, sizeof(text) - 1) < 0)
		perror("failslab");
	close(fd);
	return atoi(text) == 0;
}

static u32 plugs;

static int call_open(void)
{
	return native_slow(&front, VBUS_FN_OPEN, 0, plugs, 0, NULL, 0);
}

static void call_close(void)
{
	if (native_slow(&front, VBUS_FN_CLOSE, 0, 0, 0, NULL, 0))
		printf("# close failed\n");
}

static int call_enable(void)
{
	return native_set_reg32(&front, 0, VBUS_REG_QUEUE(0) + VBUS_QREG_ENABLE, 1);
}

static void call_prepare(void)
{
	u32 base = VBUS_REG_QUEUE(0);

	if (native_set_reg32(&front, 0, VBUS_REG_STATUS, 0) ||
	    native_set_reg32(&front, 0, VBUS_REG_STATUS, 1) ||
	    native_set_reg32(&front, 0, VBUS_REG_STATUS, 3) ||
	    native_set_reg32(&front, 0, base + VBUS_QREG_SIZE, 64) ||
	    native_set_reg64(&front, 0, base + VBUS_QREG_RING, GUEST_ADDR))
		printf("# prepare failed\n");
}

static int call_run(void)
{
	return native_set_reg32(&front, 0, VBUS_REG_STATUS, 7);
}

static void call_prepare_run(void)
{
	call_prepare();
	if (call_enable())
		printf("# enable failed\n");
}

/* The results are what the guest is told: errnos, or -1 for no answer. */
static const struct step call_steps[] = {
	STEP("call: open", call_open, call_close),
	STEP("call: enable a queue", call_enable, call_prepare),
	STEP("call: start the device", call_run, call_prepare_run),
};

static void try_call(const struct step *step)
{
	unsigned int nth, failed = 0, absorbed = 0;
	bool fired;
	int ret;

	for (nth = 1; nth < FAULTS_MAX; nth++) {
		slab_arm(nth);
		ret = step->run();
		fired = slab_disarm();
		if (!ret)
			step->undo();
		if (!fired || (ret && ret != ENOMEM))
			break;
		if (ret)
			failed++;
		else
			absorbed++;
	}
	errno = ret;
	tap_result(!fired && !ret, step->name);
	printf("# %s: %u failures, %u absorbed\n", step->name, failed, absorbed);
}

static void try_calls(void)
{
	struct vbus_slot_info info;

	need(slab_open(), "means to let a worker's allocation fail");
	need(!native_info(&front, 0, &info) && info.plugs, "ask what is in the slot");
	plugs = info.plugs;
	try_call(&call_steps[0]);
	need(!call_open(), "open it for good");
	call_prepare();
	try_call(&call_steps[1]);
	call_prepare_run();
	try_call(&call_steps[2]);
	call_close();
}

static void try_steps(const struct step *steps, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		try_step(&steps[i]);
}

static void try_native(void)
{
	static const struct step open_step =
		STEP("native front opened", open_native, close_native);

	try_step(&open_step);
	need(!native_open(&front, &g), "open a native front");
	try_steps(native_steps, ARRAY_SIZE(native_steps));
	need(!native_start(&front), "start it for good");
	try_step(&fast_step);
	try_calls();
	native_close(&front);
}

int main(void)
{
	struct guest_queue q;

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
	need(!guest_add_memory(&g), "add memory");
	try_native();
	need(!guest_open_slot(&g, 0), "open the slot");
	need(!guest_negotiate(&g, 0), "negotiate");
	disable_queue();
	try_steps(device_steps, ARRAY_SIZE(device_steps));
	prepare_start();
	try_step(&start_step);

	/* After all that it works as if nothing had been. */
	need(!guest_write32(&g, VBUS_REG_STATUS, 0) && !guest_negotiate(&g, 0) &&
	     !guest_queue_setup(&g, &q, 0, 64, 0) && !guest_run(&g),
	     "start for good");
	check(!guest_transfer(&q, 1000), "1,000 chains");
	guest_queue_free(&q);
	guest_close(&g);
	check(!unlink(LINK) && !rmdir(SLOT) && !rmdir(BUS) && !rmdir(DEV),
	      "take everything away");
	return tap_finish();
}
