// SPDX-License-Identifier: GPL-2.0
/*
 * The native front, seen by a VMM, a guest and an admin who all do at random what
 * they should not, at the same time. What is checked is that the kernel survives it
 * without a report, lets go of everything, and that the next guest gets on.
 *
 * Runs as root where vbus and vbus-dm-null are loaded; prints TAP. SEED and ROUNDS,
 * what the VMM does, are taken from the environment.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "native_guest.h"
#include "tap.h"

#define CFS		"/sys/kernel/config/vbus/"
#define DEVS		CFS "devices/null.s"
#define BUS		CFS "buses/vms"
#define SLOTS		BUS "/slots/"
#define NR_SLOTS	3
#define NR_EVENTFDS	6
#define PATIENCE	500	/* looks, 20 ms apart */

static struct guest g = { .bus = -1, .dev = -1 };
static struct native n = { .fd = -1 };

/* Shared by all three; what is closed meanwhile, or somebody else's by now, is fine. */
static volatile int events[NR_EVENTFDS];
static volatile bool stop;
static volatile u32 plugged;

static void slot_path(char *path, size_t size, u32 slot, const char *name)
{
	snprintf(path, size, SLOTS "%u/%s", slot, name);
}

static void put(u32 slot, const char *name, const char *value)
{
	char path[128];

	slot_path(path, sizeof(path), slot, name);
	file_put(path, value);
}

/* --- the guest: pages change at any time --- */

static void guest_call(struct vbus_call_page *page, unsigned int *seed)
{
	page->slow.func = VBUS_FN_SLOW_NOP + rand_r(seed) % 8;
	page->slow.flags = 0;
	page->slow.slot = rand_r(seed) % NR_SLOTS;
	page->slow.length = rand_r(seed) % 9;
	page->slow.arg[0] = rand_r(seed) % 0x400;
	page->slow.arg[1] = rand_r(seed) % 16;
	switch (page->slow.func) {
	case VBUS_FN_OPEN:
		page->slow.arg[0] = plugged - rand_r(seed) % 3;
		break;
	case VBUS_FN_WRITE:
		page->slow.length = 4;
		page->slow.arg[0] = rand_r(seed) % 2 ? VBUS_REG_HOLD : VBUS_REG_STATUS;
		page->data[0] = rand_r(seed) % 2;
		memset(page->data + 1, 0, 3);
		break;
	case VBUS_FN_VECTOR:
		page->slow.arg[0] %= 4;
		page->slow.arg[1] = VBUS_NEVENT_FREE + rand_r(seed) % 8;
		break;
	}
	page->fast.func = rand_r(seed) % 3;
	page->fast.flags = 0;
	page->fast.slot = rand_r(seed) % NR_SLOTS;
	page->fast.arg[0] = rand_r(seed) % 4;
	page->fast.seq++;
	page->slow.seq++;
}

static void *guest_thread(void *arg)
{
	struct vbus_call_page *page;
	unsigned int seed = *(unsigned int *)arg, i;
	u64 one = 1;

	while (!stop) {
		/* Pages and queues, as they may be each other. */
		i = rand_r(&seed) % (NATIVE_PAGES + NATIVE_QUEUES);
		page = i < NATIVE_PAGES ? native_page(&n, i) :
		       (void *)native_queue(&n, i - NATIVE_PAGES);
		if (rand_r(&seed) % 8)
			guest_call(page, &seed);
		else
			memset((u8 *)page + rand_r(&seed) % 4000, rand_r(&seed),
			       rand_r(&seed) % 96);
		if (rand_r(&seed) % 4)
			memset(native_queue(&n, 0), 0, 512);
		if (rand_r(&seed) % 4)
			i = write(events[rand_r(&seed) % NR_EVENTFDS], &one, sizeof(one));
		else
			native_write32(&n, VBUS_NREG_DOORBELL(rand_r(&seed) % NATIVE_PAGES), 0);
		if (!(rand_r(&seed) % 16))
			sched_yield();
	}
	return NULL;
}

/* --- the admin --- */

static void *admin_thread(void *arg)
{
	unsigned int seed = *(unsigned int *)arg;
	char link[128], dev[128];
	u32 slot;

	while (!stop) {
		slot = rand_r(&seed) % NR_SLOTS;
		slot_path(link, sizeof(link), slot, "device");
		switch (rand_r(&seed) % 8) {
		case 0: case 1: case 2:
			snprintf(dev, sizeof(dev), DEVS "%u", rand_r(&seed) % NR_SLOTS);
			if (!symlink(dev, link))
				plugged++;
			break;
		case 3: case 4:
			unlink(link);
			break;
		case 5:
			unlink(link);
			put(slot, "force", "1");
			break;
		case 6:
			put(slot, "alias", rand_r(&seed) % 2 ? "some" : "other");
			break;
		}
		sched_yield();
	}
	return NULL;
}

/* --- the VMM --- */

static void bind(unsigned long cmd, unsigned int *seed)
{
	struct vbus_native_fd bind = {
		.size = sizeof(bind),
		.index = rand_r(seed) % 3,
		.fd = rand_r(seed) % 4 ? events[rand_r(seed) % NR_EVENTFDS] : -1,
	};

	ioctl(n.fd, cmd, &bind);
}

/* Queues and pages anywhere among these pages, the same one twice perhaps. */
static void start(unsigned int *seed)
{
	u64 at[NATIVE_QUEUES + NATIVE_PAGES];
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		k = rand_r(seed) % 8 ? i : rand_r(seed) % ARRAY_SIZE(at);
		at[i] = k < NATIVE_QUEUES ? NATIVE_QUEUE(k) : NATIVE_PAGE(k - NATIVE_QUEUES);
		at[i] += GUEST_ADDR + VBUS_NATIVE_ENABLE;
	}
	for (i = 0; i < NATIVE_QUEUES; i++)
		native_write64(&n, VBUS_NREG_QUEUE(i), at[i]);
	for (i = 0; i < NATIVE_PAGES; i++)
		native_write64(&n, VBUS_NREG_PAGE(i), at[NATIVE_QUEUES + i]);
	native_write32(&n, VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING);
}

static void reopen_event(unsigned int *seed)
{
	u32 i = rand_r(seed) % NR_EVENTFDS;
	int old = events[i];

	events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (old > 0)
		close(old);
}

static void memory(unsigned int *seed)
{
	struct vbus_mem_region region = {
		.size = sizeof(region),
		.guest_addr = GUEST_ADDR,
		.length = GUEST_MEM,
	};

	if (rand_r(seed) % 2)
		ioctl(g.bus, VBUS_MEM_DEL, &region);
	guest_add_memory(&g);
}

static void *close_fd(void *arg)
{
	close(*(int *)arg);
	return NULL;
}

/* Both ends at once, in either order; the memory stays where the guest knows it. */
static bool new_bus(unsigned int *seed)
{
	int fds[2] = { n.fd, g.bus }, first = rand_r(seed) % 2;
	pthread_t thread;

	n.fd = -1;
	if (pthread_create(&thread, NULL, close_fd, &fds[first]))
		return false;
	if (fds[!first] >= 0)
		close(fds[!first]);
	pthread_join(thread, NULL);
	g.bus = open("/dev/vbus/vms", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (g.bus < 0 || guest_add_memory(&g))
		return false;
	n.fd = native_open_fd(&g, NATIVE_QUEUES, NATIVE_PAGES, 0);
	return n.fd >= 0;
}

static bool vmm_step(unsigned int *seed)
{
	struct vbus_native_reset reset = { .size = sizeof(reset) };
	struct vbus_event ev;

	switch (rand_r(seed) % 16) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		if (rand_r(seed) % 4 == 0)
			native_write32(&n, VBUS_NREG_STATUS, 0);
		start(seed);
		break;
	case 6:
		ioctl(n.fd, VBUS_NATIVE_RESET, &reset);
		break;
	case 7: case 8:
		bind(VBUS_NATIVE_SET_IRQ, seed);
		break;
	case 9: case 10:
		bind(VBUS_NATIVE_SET_DOORBELL, seed);
		break;
	case 11:
		reopen_event(seed);
		break;
	case 12:
		memory(seed);
		break;
	case 13:
		if (!guest_open_slot(&g, rand_r(seed) % NR_SLOTS))
			guest_close_device(&g);
		break;
	case 14:
		while (!guest_next_event(&g, &ev))
			;
		break;
	default:
		if (rand_r(seed) % 2)
			return new_bus(seed);
		close(n.fd);
		n.fd = native_open_fd(&g, NATIVE_QUEUES, NATIVE_PAGES, 0);
		return n.fd >= 0;
	}
	return true;
}

/* --- */

static void set_up(void)
{
	char path[128];
	bool ok = true;
	u32 i;

	for (i = 0; i < NR_SLOTS; i++) {
		snprintf(path, sizeof(path), DEVS "%u", i);
		ok = ok && !mkdir(path, 0755);
		snprintf(path, sizeof(path), DEVS "%u/enable", i);
		ok = ok && !file_put(path, "1");
	}
	ok = ok && !mkdir(BUS, 0755);
	for (i = 0; i < NR_SLOTS; i++) {
		snprintf(path, sizeof(path), SLOTS "%u", i);
		ok = ok && !mkdir(path, 0755);
	}
	need(ok, "devices, bus and slots");
	need(!guest_open(&g, "vms") && !guest_add_memory(&g) && !native_open(&n, &g),
	     "a guest");
	/* They stay bound: the storm has its own. */
	for (i = 0; i < NR_EVENTFDS; i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static bool slot_empty(u32 slot)
{
	char path[128], text[16] = "";
	int fd;

	slot_path(path, sizeof(path), slot, "state");
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return !strcmp(text, "empty\n");
}

static bool all_out(void)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	char path[128];
	u32 i, tries;

	for (i = 0; i < NR_SLOTS; i++) {
		slot_path(path, sizeof(path), i, "device");
		unlink(path);
		for (tries = 0; !slot_empty(i); tries++) {
			if (tries == PATIENCE)
				return false;
			nanosleep(&pause, NULL);
		}
	}
	return true;
}

static void next_guest(void)
{
	struct vbus_slot_info info;
	char path[128];
	u32 i;

	guest_close(&g);
	if (n.fd >= 0)
		close(n.fd);
	check(all_out(), "all devices are given back");
	slot_path(path, sizeof(path), 0, "device");
	need(!guest_open(&g, "vms") && !guest_add_memory(&g) && !native_open(&n, &g) &&
	     !native_start(&n) && !symlink(DEVS "0", path), "the next guest");
	check(!native_info(&n, 0, &info) && info.flags & VBUS_SLOT_PRESENT &&
	      !native_slow(&n, VBUS_FN_OPEN, 0, info.plugs, 0, NULL, 0) &&
	      native_fast(&n, 1, VBUS_FN_KICK, 0, 0) == 0, "opens a device");
	native_close(&n);
	guest_close(&g);
	check(all_out(), "and gives it back");
	for (i = 0; i < NR_SLOTS; i++) {
		snprintf(path, sizeof(path), SLOTS "%u", i);
		rmdir(path);
	}
	check(!rmdir(BUS), "the bus goes");
	for (i = 0; i < NR_SLOTS; i++) {
		snprintf(path, sizeof(path), DEVS "%u", i);
		check(!rmdir(path), "a device goes");
	}
}

int main(void)
{
	const char *seed_env = getenv("SEED"), *rounds_env = getenv("ROUNDS");
	unsigned int seed = seed_env ? atoi(seed_env) : time(NULL), seeds[2];
	unsigned int rounds = rounds_env ? atoi(rounds_env) : 1000, i;
	pthread_t guest, admin;

	printf("# SEED=%u ROUNDS=%u\n", seed, rounds);
	seeds[0] = rand_r(&seed);
	seeds[1] = rand_r(&seed);
	set_up();
	need(!pthread_create(&guest, NULL, guest_thread, &seeds[0]) &&
	     !pthread_create(&admin, NULL, admin_thread, &seeds[1]), "threads");
	for (i = 0; i < rounds && vmm_step(&seed); i++)
		;
	check(i == rounds, "the VMM gets what it asks for");
	stop = true;
	pthread_join(guest, NULL);
	pthread_join(admin, NULL);
	printf("# %u devices were plugged\n", plugged);
	next_guest();
	return tap_finish();
}
