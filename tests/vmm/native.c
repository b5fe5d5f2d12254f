// SPDX-License-Identifier: GPL-2.0
/*
 * The native front, seen by a VMM and a guest that can do whatever they like: the
 * window, calls, events, devices that come and go. Runs as root where vbus and
 * vbus-dm-null are loaded; prints TAP.
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
#define DEV(i)	CFS "devices/null.n" #i
#define BUS	CFS "buses/vmn"
#define SLOTS	BUS "/slots/"
#define NR_SLOTS 64
#define SLOT	5

#define RING_SIZE	64

static struct guest g = { .bus = -1, .dev = -1 };
static struct native n;

static bool plug(unsigned int slot, const char *dev)
{
	char path[128];

	snprintf(path, sizeof(path), SLOTS "%u/device", slot);
	return !symlink(dev, path);
}

static bool unplug(unsigned int slot)
{
	char path[128];

	snprintf(path, sizeof(path), SLOTS "%u/device", slot);
	return !unlink(path);
}

static bool slot_is(unsigned int slot, const char *state)
{
	char path[128];

	snprintf(path, sizeof(path), SLOTS "%u/state", slot);
	return file_reads(path, state);
}

static bool event_is(u32 type, u32 slot)
{
	struct vbus_event ev;

	return !guest_next_event(&g, &ev) && ev.type == type && ev.slot == slot;
}

/* For what a work of the host raises. */
static bool wait_event(u32 event)
{
	unsigned int patience;

	for (patience = 10000; patience; patience--) {
		if (native_event(&n, 0, event))
			return native_idle(&n, 0);
		usleep(1000);
	}
	return false;
}

static u32 plugs(u32 slot)
{
	struct vbus_slot_info info;

	return native_info(&n, slot, &info) ? 0 : info.plugs;
}

static bool slot_flags(u32 slot, u32 flags)
{
	struct vbus_slot_info info;

	if (native_info(&n, slot, &info))
		return false;
	if (info.flags == flags)
		return true;
	printf("# flags %#x, not %#x\n", info.flags, flags);
	return false;
}

static void set_up(void)
{
	char path[128];
	unsigned int i;
	bool ok = true;

	need(!mkdir(DEV(0), 0755) && !mkdir(DEV(1), 0755), "two devices");
	need(!file_put(DEV(0) "/enable", "1") && !file_put(DEV(1) "/enable", "1"),
	     "enable them");
	need(!mkdir(BUS, 0755), "a bus");
	for (i = 0; i < NR_SLOTS; i++) {
		snprintf(path, sizeof(path), SLOTS "%u", i);
		ok = ok && !mkdir(path, 0755);
	}
	need(ok, "64 slots");
	need(!guest_open(&g, "vmn") && !guest_add_memory(&g),
	     "open the bus");
}

static void tear_down(void)
{
	char path[128];
	unsigned int i;
	bool ok = true;

	for (i = 0; i < NR_SLOTS; i++) {
		snprintf(path, sizeof(path), SLOTS "%u", i);
		ok = ok && !rmdir(path);
	}
	check(ok && !rmdir(BUS) && !rmdir(DEV(0)) && !rmdir(DEV(1)),
	      "all of it can be removed");
}

static void test_open(void)
{
	struct vbus_info info = { .size = sizeof(info) };
	struct vbus_native_fd bind = { .size = sizeof(bind), .fd = -1 };
	int fd;

	check(!ioctl(g.bus, VBUS_GET_INFO, &info) && info.caps & VBUS_CAP_NATIVE,
	      "the kernel says that it has a native front");
	refuse(native_open_fd(&g, 0, 1, 0), EINVAL, "no event queue");
	refuse(native_open_fd(&g, 9, 1, 0), EINVAL, "nine event queues");
	refuse(native_open_fd(&g, 1, 0, 0), EINVAL, "no call page");
	refuse(native_open_fd(&g, 1, 513, 0), EINVAL, "513 call pages");
	refuse(native_open_fd(&g, 1, 1, 1), EINVAL, "unknown flag");
	fd = native_open_fd(&g, 8, 512, 0);
	check(fd >= 0, "all there can be");
	refuse(native_open_fd(&g, 1, 1, 0), EBUSY, "a second one");
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC, "it does not survive exec");
	close(fd);
	need(!native_open(&n, &g), "open, and bind eventfds");

	bind.index = NATIVE_QUEUES;
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_IRQ, &bind), EINVAL, "irq of no queue");
	bind.index = NATIVE_PAGES;
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_DOORBELL, &bind), EINVAL,
	       "doorbell of no page");
	bind.index = 0;
	bind.fd = -2;
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_IRQ, &bind), EINVAL, "irq fd -2");
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_DOORBELL, &bind), EINVAL,
	       "doorbell fd -2");
	bind.fd = 1000;
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_IRQ, &bind), EBADF, "no such irq fd");
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_DOORBELL, &bind), EBADF,
	       "no such doorbell fd");
	bind.fd = g.bus;
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_IRQ, &bind), EINVAL,
	       "irq that is no eventfd");
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_DOORBELL, &bind), EINVAL,
	       "doorbell that is no eventfd");
	bind.flags = 1;
	refuse(ioctl(n.fd, VBUS_NATIVE_SET_IRQ, &bind), EINVAL, "irq with a flag");
	refuse(ioctl(n.fd, VBUS_DEV_RESET, &bind), ENOTTY,
	       "an ioctl of device fds");
}

static void test_window(void)
{
	static const u32 bad_off[] = { 2, 0xfe, 0x3fff, VBUS_NATIVE_WINDOW_SIZE };
	static const u32 ro[] = {
		VBUS_NREG_MAGIC, VBUS_NREG_NR_QUEUES, VBUS_NREG_BUS,
		VBUS_NREG_QUEUE(NATIVE_QUEUES), VBUS_NREG_PAGE(NATIVE_PAGES),
		VBUS_NREG_DOORBELL(NATIVE_PAGES),
	};
	u64 value = 0;
	unsigned int i;

	check(native_read32(&n, VBUS_NREG_MAGIC) == VBUS_NATIVE_MAGIC, "magic");
	check(native_read32(&n, VBUS_NREG_VERSION) == VBUS_NATIVE_VERSION,
	      "version");
	check(native_read32(&n, VBUS_NREG_NR_QUEUES) == NATIVE_QUEUES, "queues");
	check(native_read32(&n, VBUS_NREG_NR_PAGES) == NATIVE_PAGES, "pages");
	check(native_read32(&n, VBUS_NREG_NR_SLOTS) == 256, "slots");
	check(native_read32(&n, VBUS_NREG_BUS) == 7, "number of the bus");
	check(native_read32(&n, VBUS_NREG_STATUS) == 0, "status");
	for (i = 0; i < ARRAY_SIZE(bad_off); i++)
		refuse(pread(n.fd, &value, 4, bad_off[i]), EINVAL, "bad offset");
	refuse(pread(n.fd, &value, 2, 0), EINVAL, "16 bits");
	refuse(pread(n.fd, &value, 8, 4), EINVAL, "64 bits, misaligned");
	for (i = 0; i < ARRAY_SIZE(ro); i++)
		refuse(native_write32(&n, ro[i], 0), EINVAL, "read-only");
	refuse(native_write32(&n, VBUS_NREG_STATUS, 2), EINVAL, "status 2");
	refuse(native_write64(&n, VBUS_NREG_QUEUE(0), GUEST_ADDR + 0x801), EINVAL,
	       "a queue that is not at a page");
	check(!native_write32(&n, VBUS_NREG_QUEUE(1), 0x5001) &&
	      !native_write32(&n, VBUS_NREG_QUEUE(1) + 4, 0x77) &&
	      native_read32(&n, VBUS_NREG_QUEUE(1)) == 0x5001 &&
	      native_read32(&n, VBUS_NREG_QUEUE(1) + 4) == 0x77, "in two halves");
	check(!native_write32(&n, VBUS_NREG_IDLE_DOORBELL, 1), "the idle doorbell");
	check(!native_write32(&n, VBUS_NREG_STATUS, 0) &&
	      !native_read32(&n, VBUS_NREG_QUEUE(1) + 4), "status 0 clears them");
}

static void test_start_refused(void)
{
	u64 queue = GUEST_ADDR + NATIVE_QUEUE(0) + VBUS_NATIVE_ENABLE;
	u64 page = GUEST_ADDR + NATIVE_PAGE(0) + VBUS_NATIVE_ENABLE;
	u64 nowhere = 0x10000 + VBUS_NATIVE_ENABLE;

	refuse(native_write32(&n, VBUS_NREG_STATUS, 1), EINVAL, "nothing enabled");
	native_write64(&n, VBUS_NREG_QUEUE(0), queue);
	refuse(native_write32(&n, VBUS_NREG_STATUS, 1), EINVAL, "no page");
	native_write64(&n, VBUS_NREG_PAGE(0), page);
	native_write64(&n, VBUS_NREG_QUEUE(0), queue - VBUS_NATIVE_ENABLE);
	refuse(native_write32(&n, VBUS_NREG_STATUS, 1), EINVAL, "no queue 0");
	native_write64(&n, VBUS_NREG_PAGE(0), page);
	native_write64(&n, VBUS_NREG_QUEUE(0), nowhere);
	refuse(native_write32(&n, VBUS_NREG_STATUS, 1), EFAULT,
	       "a queue outside memory");
	native_write64(&n, VBUS_NREG_QUEUE(0), queue);
	native_write64(&n, VBUS_NREG_PAGE(1), nowhere);
	refuse(native_write32(&n, VBUS_NREG_STATUS, 1), EFAULT,
	       "a page outside memory");
	check(!native_read32(&n, VBUS_NREG_STATUS), "it has not started");
	check(!native_start(&n) && native_read32(&n, VBUS_NREG_STATUS) == 1,
	      "it does when all is well");
	refuse(native_write64(&n, VBUS_NREG_QUEUE(0), queue), EBUSY,
	       "a queue moved while it runs");
	check(!native_write32(&n, VBUS_NREG_STATUS, 1), "start twice");
}

static void test_calls(void)
{
	struct vbus_call_page *page = native_page(&n, 1);

	check(native_fast(&n, 0, VBUS_FN_NOP, 0, 0) == 0,
	      "a fast call is answered when the doorbell returns");
	check(native_fast(&n, 1, VBUS_FN_NOP, 0, 0) == 0, "in the other page too");
	check(native_fast(&n, 0, 0x77, 0, 0) == EOPNOTSUPP, "unknown fast function");
	check(native_fast(&n, 0, VBUS_FN_SLOW_NOP, 0, 0) == EOPNOTSUPP,
	      "a slow function is no fast one");
	check(native_fast(&n, 0, VBUS_FN_KICK, SLOT, 0) == ENODEV,
	      "kick of what is not open");
	check(native_fast(&n, 0, VBUS_FN_KICK, 256, 0) == EINVAL,
	      "kick of no slot");
	page->fast.flags = 1;
	check(native_fast(&n, 1, VBUS_FN_NOP, 0, 0) == EINVAL, "unknown flag");
	page->fast.flags = 0;
	page->fast.result = 99;
	check(!native_write32(&n, VBUS_NREG_DOORBELL(1), 0) &&
	      page->fast.result == 99, "a kick for nothing answers nothing");
	page->fast.seq = ++n.seq;
	check(!native_write32(&n, VBUS_NREG_DOORBELL(1), 0) &&
	      page->fast.done == n.seq && !page->fast.result,
	      "a write to the window kicks as well");

	check(native_slow(&n, VBUS_FN_SLOW_NOP, 0, 0, 0, NULL, 0) == 0,
	      "a slow call is answered with an event");
	check(native_slow(&n, VBUS_FN_NOP, 0, 0, 0, NULL, 0) == EOPNOTSUPP,
	      "a fast function is no slow one");
	check(native_slow(&n, 0x1ff, 0, 0, 0, NULL, 0) == EOPNOTSUPP,
	      "unknown slow function");
	check(native_slow(&n, VBUS_FN_SLOT, 256, 0, 0, NULL, 0) == EINVAL,
	      "slot out of range");
	check(native_slow(&n, VBUS_FN_SLOT, 0, 0, 0, NULL,
			  VBUS_CALL_DATA_SIZE + 1) == EINVAL, "too much data");
	check(native_slow(&n, VBUS_FN_OPEN, SLOT, 0, 0, NULL, 0) == ENOENT,
	      "open of an empty slot");
	check(native_slow(&n, VBUS_FN_CLOSE, SLOT, 0, 0, NULL, 0) == ENODEV,
	      "close of what is not open");
	check(slot_flags(SLOT, 0), "an empty slot has no flags");
}

/* Bits of events, and when the interrupt comes. */
static void test_events(void)
{
	u32 i, seen = 0;
	bool ok = true;

	native_irq(&n, 0);
	check(native_idle(&n, 0), "nothing is pending");
	for (i = 0; i < NR_SLOTS; i += 2)
		ok = ok && plug(i, DEV(0)) && unplug(i);
	check(ok, "devices come and go in 32 slots");
	check(native_irq(&n, 0) && !native_irq(&n, 0), "one interrupt for all");
	for (i = 0; i < NR_SLOTS; i++)
		seen += native_event(&n, 0, VBUS_NEVENT_SLOT(i)) == !(i % 2);
	check(seen == NR_SLOTS, "every slot that changed is told, no other");
	check(plug(1, DEV(0)) && unplug(1) && !native_irq(&n, 0),
	      "no interrupt while the guest is looking");
	check(!native_idle(&n, 0), "but it finds the event before it stops");
	check(native_event(&n, 0, VBUS_NEVENT_SLOT(1)) && native_idle(&n, 0),
	      "and then it may");
	check(plug(1, DEV(0)) && unplug(1) && native_irq(&n, 0),
	      "the next one interrupts again");
	native_event(&n, 0, VBUS_NEVENT_SLOT(1));
	native_idle(&n, 0);
	errno = 0;
}

static void test_device_open(void)
{
	struct vbus_open_slot open = { .size = sizeof(open), .slot = SLOT };
	u32 nr;

	need(plug(SLOT, DEV(0)), "plug a device");
	check(native_irq(&n, 0) && native_event(&n, 0, VBUS_NEVENT_SLOT(SLOT)),
	      "the guest is told");
	check(event_is(VBUS_EVENT_ADDED, SLOT), "so is the VMM");
	native_idle(&n, 0);
	check(slot_flags(SLOT, VBUS_SLOT_PRESENT), "there is a device");
	nr = plugs(SLOT);
	check(native_slow(&n, VBUS_FN_OPEN, SLOT, nr + 1, 0, NULL, 0) == ESTALE,
	      "not the one the guest means");
	open.slot = SLOT;
	need(!ioctl(g.bus, VBUS_OPEN_SLOT, &open), "the VMM opens it");
	check(native_slow(&n, VBUS_FN_OPEN, SLOT, nr, 0, NULL, 0) == EBUSY,
	      "the guest can't then");
	close(open.fd);
	check(native_event(&n, 0, VBUS_NEVENT_SLOT(SLOT)),
	      "it is told when it can");
	need(native_slow(&n, VBUS_FN_OPEN, SLOT, nr, 0, NULL, 0) == 0, "and does");
	refuse(ioctl(g.bus, VBUS_OPEN_SLOT, &open), EBUSY,
	       "what the guest has is not for the VMM");
	check(native_slow(&n, VBUS_FN_OPEN, SLOT, nr, 0, NULL, 0) == EBUSY,
	      "nor for the guest a second time");
	check(slot_flags(SLOT, VBUS_SLOT_PRESENT | VBUS_SLOT_OPEN), "it is open");
	check(native_reg32(&n, SLOT, VBUS_REG_MAGIC) == VBUS_MAGIC,
	      "its registers can be read");
	check(native_slow(&n, VBUS_FN_READ, SLOT, VBUS_WINDOW_SIZE, 4, NULL, 0) ==
	      EINVAL, "not beyond the window");
	check(native_slow(&n, VBUS_FN_READ, SLOT, 1ULL << 32, 4, NULL, 0) == EINVAL,
	      "nor 4 GiB further");
	check(native_slow(&n, VBUS_FN_READ, SLOT, 0, VBUS_CALL_DATA_SIZE + 1, NULL,
			  0) == EINVAL, "nor more than fits");
	check(native_slow(&n, VBUS_FN_READ, SLOT, 0, 3, NULL, 0) == EINVAL,
	      "nor in an odd width");
	check(native_set_reg32(&n, SLOT, VBUS_REG_MAGIC, 0) == EINVAL,
	      "a read-only register");
	check(native_slow(&n, VBUS_FN_WRITE, SLOT, 0, 0, "123456789", 9) == EINVAL,
	      "a write that is too long");
}

static bool run_device(struct ioq_north *north, void *state)
{
	u32 base = VBUS_REG_QUEUE(0), drv = VBUS_STATUS_DRIVER;

	if (native_set_reg32(&n, SLOT, VBUS_REG_STATUS, drv) ||
	    native_set_reg64(&n, SLOT, VBUS_REG_ACCEPTED, 0) ||
	    native_set_reg32(&n, SLOT, VBUS_REG_STATUS, drv |
			     VBUS_STATUS_FEATURES_OK) ||
	    ioq_north_init(north, g.mem + GUEST_RING(0), RING_SIZE, 0, state))
		return false;
	if (native_set_reg32(&n, SLOT, base + VBUS_QREG_SIZE, RING_SIZE) ||
	    native_set_reg64(&n, SLOT, base + VBUS_QREG_RING,
			     GUEST_ADDR + GUEST_RING(0)) ||
	    native_set_reg32(&n, SLOT, base + VBUS_QREG_VECTOR, 1) ||
	    native_set_reg32(&n, SLOT, base + VBUS_QREG_ENABLE, 1))
		return false;
	return !native_set_reg32(&n, SLOT, VBUS_REG_STATUS, drv |
				 VBUS_STATUS_FEATURES_OK | VBUS_STATUS_RUNNING);
}

/* One chain, kicked by a fast call: does its completion raise @event? */
static bool transfer(struct ioq_north *north, u32 queue, u32 event)
{
	struct ioq_seg seg = { .addr = GUEST_ADDR + GUEST_DATA, .len = 64 };
	unsigned int patience;
	u32 len;

	ioq_north_enable_signals(north, 1);
	if (ioq_north_add(north, &seg, 1, north) || !ioq_north_publish(north))
		return false;
	if (ioq_north_kick_needed(north) &&
	    native_fast(&n, 0, VBUS_FN_KICK, SLOT, 0))
		return false;
	for (patience = 10000; patience; patience--) {
		if (native_announced(&n, queue, event) &&
		    native_event(&n, queue, event))
			break;
		usleep(1000);
	}
	return patience && ioq_north_get(north, &len);
}

static bool route(u32 vector, u32 queue, u32 event)
{
	return !native_slow(&n, VBUS_FN_VECTOR, SLOT, vector,
			    (u64)queue << 32 | event, NULL, 0);
}

static void test_device_run(struct ioq_north *north)
{
	static const u32 ids[] = { 0, 1, 63, 64, 767, 768, 2000, 4031 };
	void *state = calloc(1, ioq_north_state_bytes(RING_SIZE));
	unsigned int i;
	bool ok = true;

	check(native_slow(&n, VBUS_FN_VECTOR, SLOT, 3, VBUS_NEVENT_FREE, NULL, 0) ==
	      EINVAL, "route of no vector");
	check(!route(1, NATIVE_QUEUES, 0), "to no queue");
	check(!route(1, 1, VBUS_NR_NEVENTS), "to no event");
	check(!route(1, 0, VBUS_NEVENT_FREE - 1), "to an event that is taken");
	check(route(1, 0, VBUS_NEVENT_FREE), "to one that is free");
	need(run_device(north, state), "the device runs");
	check(slot_is(SLOT, "bound"), "the admin sees it");
	native_idle(&n, 0);
	native_irq(&n, 0);
	check(transfer(north, 0, VBUS_NEVENT_FREE), "data, and a signal as event");
	check(native_irq_comes(&n, 0), "with an interrupt");
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		ok = ok && route(1, 2, ids[i]) && native_idle(&n, 2) &&
		     transfer(north, 2, ids[i]) && native_irq_comes(&n, 2);
	}
	check(ok, "any event of another queue will do, live");
	check(route(1, 1, VBUS_NO_VECTOR) && native_idle(&n, 2), "to nowhere");
	check(native_fast(&n, 0, VBUS_FN_KICK, SLOT, 1000) == 0,
	      "a kick of no queue does no harm");
	check(route(1, 2, 9) && transfer(north, 2, 9), "and back");
	errno = 0;
	free(state);
}

static void test_memory(void)
{
	struct vbus_mem_region region = {
		.size = sizeof(region),
		.guest_addr = GUEST_ADDR,
		.length = GUEST_MEM,
	};

	refuse(ioctl(g.bus, VBUS_MEM_DEL, &region), EBUSY,
	       "memory in which the queues lie");
	check(!native_write32(&n, VBUS_NREG_STATUS, 0), "reset");
	check(slot_is(SLOT, "plugged"), "the device was closed");
	check(!ioctl(g.bus, VBUS_MEM_DEL, &region), "now the memory may go");
	region.user_addr = (uintptr_t)g.mem;
	check(!ioctl(g.bus, VBUS_MEM_ADD, &region), "and come back");
	memset(native_page(&n, 0), 0, VBUS_NATIVE_PAGE_SIZE);
	check(native_fast(&n, 0, VBUS_FN_NOP, 0, 0) == -1,
	      "no call is answered after a reset");
	check(!native_start(&n), "start again");
	check(native_event(&n, 0, VBUS_NEVENT_SLOT(SLOT)),
	      "what is plugged is told anew");
}

static void test_unplug(void)
{
	u32 first, second;

	while (!event_is(0, 0) && errno != EAGAIN)
		;
	native_idle(&n, 0);
	first = plugs(SLOT);
	need(!native_slow(&n, VBUS_FN_OPEN, SLOT, first, 0, NULL, 0), "open");
	check(!native_set_reg32(&n, SLOT, VBUS_REG_HOLD, VBUS_HOLD_IN_USE),
	      "the guest holds on to it");
	need(unplug(SLOT) && slot_is(SLOT, "refused"), "the admin reads that");
	native_idle(&n, 0);
	check(slot_flags(SLOT, VBUS_SLOT_PRESENT | VBUS_SLOT_OPEN),
	      "nobody asks for it");
	check(!native_set_reg32(&n, SLOT, VBUS_REG_HOLD, 0), "hold no more");
	check(wait_event(VBUS_NEVENT_SLOT(SLOT)) && slot_is(SLOT, "unplugging"),
	      "now it is asked for");
	need(!native_slow(&n, VBUS_FN_CLOSE, SLOT, 0, 0, NULL, 0) &&
	     plug(SLOT, DEV(0)), "let go, plug again");
	while (!event_is(0, 0) && errno != EAGAIN)
		;
	native_event(&n, 0, VBUS_NEVENT_SLOT(SLOT));
	native_idle(&n, 0);
	first = plugs(SLOT);
	need(!native_slow(&n, VBUS_FN_OPEN, SLOT, first, 0, NULL, 0), "open");
	check(!file_put(SLOTS "5/alias", "front") &&
	      native_event(&n, 0, VBUS_NEVENT_SLOT(SLOT)), "an alias is news");
	native_idle(&n, 0);
	check(slot_flags(SLOT, VBUS_SLOT_PRESENT | VBUS_SLOT_OPEN |
			 VBUS_SLOT_ALIAS), "it is told once");
	check(slot_flags(SLOT, VBUS_SLOT_PRESENT | VBUS_SLOT_OPEN), "not twice");
	check(event_is(VBUS_EVENT_CHANGED, SLOT), "the VMM hears of it");

	check(unplug(SLOT) && native_event(&n, 0, VBUS_NEVENT_SLOT(SLOT)),
	      "the admin wants it back");
	native_idle(&n, 0);
	check(slot_flags(SLOT, VBUS_SLOT_PRESENT | VBUS_SLOT_OPEN |
			 VBUS_SLOT_UNPLUG), "the guest sees that");
	check(slot_is(SLOT, "unplugging"), "the admin waits");
	check(event_is(VBUS_EVENT_UNPLUG, SLOT), "the VMM may help");
	check(native_slow(&n, VBUS_FN_CLOSE, SLOT, 0, 0, NULL, 0) == 0 &&
	      slot_is(SLOT, "empty"), "the guest gives in");
	check(event_is(VBUS_EVENT_REMOVED, SLOT), "the VMM sees it gone");

	need(plug(SLOT, DEV(0)), "plug again");
	second = plugs(SLOT);
	check(second != first, "it is another plugging");
	need(!native_slow(&n, VBUS_FN_OPEN, SLOT, second, 0, NULL, 0), "open");
	check(!native_slow(&n, VBUS_FN_CLOSE, SLOT, 0, 0, NULL, 0) &&
	      slot_is(SLOT, "plugged"), "a guest may let go unasked");
	check(unplug(SLOT) && plug(SLOT, DEV(1)) && plugs(SLOT) != second,
	      "another device in its place is seen as such");
	check(native_slow(&n, VBUS_FN_OPEN, SLOT, second, 0, NULL, 0) == ESTALE,
	      "and is not taken for the first");
	second = plugs(SLOT);
	need(!native_slow(&n, VBUS_FN_OPEN, SLOT, second, 0, NULL, 0), "open");
	native_idle(&n, 0);
	check(unplug(SLOT) && !file_put(SLOTS "5/force", "1") &&
	      slot_is(SLOT, "empty"), "taken by force");
	check(native_event(&n, 0, VBUS_NEVENT_SLOT(SLOT)), "the guest is told");
	check(native_reg32(&n, SLOT, VBUS_REG_MAGIC) == 0xffffffff &&
	      native_page(&n, 0)->slow.result == ENODEV, "it is gone for it");
	check(native_fast(&n, 0, VBUS_FN_KICK, SLOT, 0) == ENODEV,
	      "kicks find nothing");
	check(slot_flags(SLOT, 0), "the slot is empty to it");
	need(plug(SLOT, DEV(1)), "plug");
	check(slot_flags(SLOT, VBUS_SLOT_PRESENT), "what comes is not open");
	check(!native_slow(&n, VBUS_FN_OPEN, SLOT, plugs(SLOT), 0, NULL, 0) &&
	      native_reg32(&n, SLOT, VBUS_REG_MAGIC) == VBUS_MAGIC,
	      "opening it buries what was");
	errno = 0;
}

/* Whatever a guest writes, it hurts nobody else. */
static void test_hostile(void)
{
	struct vbus_call_page *page = native_page(&n, 1);
	unsigned int i, seed = 1;
	u64 one = 1;
	size_t b;

	for (i = 0; i < 20000; i++) {
		u8 *bytes = (u8 *)page;

		for (b = 0; b < 128; b++)
			bytes[b] = rand_r(&seed);
		/* Mostly functions and slots that there are. */
		page->fast.flags = 0;
		page->slow.flags = 0;
		page->fast.func = rand_r(&seed) % 3;
		page->slow.func = 0x100 + rand_r(&seed) % 9;
		page->slow.length %= 16;
		if (i % 4) {
			page->fast.slot = SLOT;
			page->slow.slot = SLOT;
			page->slow.arg[0] %= VBUS_WINDOW_SIZE;
			page->slow.arg[1] %= 64;
		}
		memset(native_queue(&n, 0), rand_r(&seed), 512);
		if (write(n.bell[1], &one, sizeof(one)) != sizeof(one))
			break;
	}
	check(i == 20000, "20000 calls of nonsense");
	check(native_fast(&n, 0, VBUS_FN_NOP, 0, 0) == 0, "the front still answers");
	check(!native_write32(&n, VBUS_NREG_STATUS, 0) && !native_start(&n) &&
	      native_slow(&n, VBUS_FN_SLOW_NOP, 0, 0, 0, NULL, 0) == 0,
	      "a reset makes it good");
}

static void test_end(void)
{
	struct vbus_native_reset reset = { .size = sizeof(reset) };
	u32 value;

	need(!native_slow(&n, VBUS_FN_OPEN, SLOT, plugs(SLOT), 0, NULL, 0), "open");
	check(!ioctl(n.fd, VBUS_NATIVE_RESET, &reset) && slot_is(SLOT, "plugged") &&
	      !native_read32(&n, VBUS_NREG_STATUS), "the VMM resets it");
	need(!native_start(&n) &&
	     !native_slow(&n, VBUS_FN_OPEN, SLOT, plugs(SLOT), 0, NULL, 0),
	     "start, open");
	close(g.bus);
	g.bus = -1;
	check(slot_is(SLOT, "plugged"), "closing the bus closes the device");
	refuse(pread(n.fd, &value, 4, 0), ENODEV, "the window is gone");
	refuse(native_write32(&n, VBUS_NREG_DOORBELL(0), 0), ENODEV,
	       "so are its doorbells");
	refuse(ioctl(n.fd, VBUS_NATIVE_RESET, &reset), ENODEV, "nothing to reset");
	native_close(&n);

	need(!guest_open(&g, "vmn") && !guest_add_memory(&g) &&
	     !native_open(&n, &g) && !native_start(&n) &&
	     !native_slow(&n, VBUS_FN_OPEN, SLOT, plugs(SLOT), 0, NULL, 0),
	     "all again");
	check(unplug(SLOT) && slot_is(SLOT, "unplugging"), "unplug");
	native_close(&n);
	check(slot_is(SLOT, "empty"), "closing the front gives it back");
	guest_close(&g);
}

int main(void)
{
	struct ioq_north north;

	set_up();
	test_open();
	test_window();
	test_start_refused();
	test_calls();
	test_events();
	while (!event_is(0, 0) && errno != EAGAIN)
		;
	test_device_open();
	test_device_run(&north);
	test_memory();
	test_unplug();
	test_hostile();
	test_end();
	tear_down();
	return tap_finish();
}
