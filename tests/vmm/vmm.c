// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a slot, seen by a VMM: events, registers, queues, pause and
 * restore, unplug, death. Runs as root where vbus and vbus-dm-null are loaded;
 * prints TAP. Drives configfs itself, so that it knows what must come next.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"
#include "tap.h"

#define CFS	"/sys/kernel/config/vbus/"
#define DEV	CFS "devices/null.t"
#define BUS	CFS "buses/vmt"
#define SLOT	BUS "/slots/5"
#define LINK	SLOT "/device"

#define RING_SIZE	64

static bool event_is(struct guest *g, u32 type, u32 slot,
		     u32 class_id)
{
	struct vbus_event ev;

	if (guest_next_event(g, &ev))
		return false;
	if (ev.type == type && ev.slot == slot && ev.class_id == class_id &&
	    !ev.reserved)
		return true;
	printf("# event type %u slot %u class %u\n", ev.type, ev.slot,
	       ev.class_id);
	return false;
}

static bool no_event(struct guest *g)
{
	struct vbus_event ev;

	errno = 0;
	return guest_next_event(g, &ev) == -1 && errno == EAGAIN;
}

static void test_open(struct guest *g)
{
	struct vbus_info info = { .size = sizeof(info) };
	struct pollfd p;
	char small[8];

	need(!guest_open(g, "vmt"), "open the bus");
	refuse(open("/dev/vbus/vmt", O_RDWR), EBUSY, "open it twice");
	p = (struct pollfd){ .fd = g->bus, .events = POLLIN };
	check(poll(&p, 1, 0) == 1, "poll sees the device that was there");
	refuse(read(g->bus, small, sizeof(small)), EINVAL,
	       "read with a short buffer");
	refuse(syscall(SYS_read, g->bus, NULL, 16), EFAULT, "read to nowhere");
	check(event_is(g, VBUS_EVENT_ADDED, 5, VBUS_CLASS_NULL),
	      "the event was not lost");
	check(no_event(g), "one event only");
	check(poll(&p, 1, 0) == 0, "poll agrees");
	check(!ioctl(g->bus, VBUS_GET_INFO, &info) && info.abi == VBUS_VERSION &&
	      info.window_size == VBUS_WINDOW_SIZE && info.max_slots == 256,
	      "info");
	refuse(guest_open_slot(g, 6), ENOENT, "open a slot that is not there");
	refuse(guest_open_slot(g, 256), ENOENT, "open slot 256");
	refuse(guest_open_slot(g, ~0U), ENOENT, "open slot 2^32 - 1");
	need(!guest_open_slot(g, 5), "open the device");
	check(fcntl(g->dev, F_GETFD) & FD_CLOEXEC, "its fd is close-on-exec");
	refuse(ioctl(g->bus, VBUS_OPEN_SLOT, &(struct vbus_open_slot){
			.size = sizeof(struct vbus_open_slot), .slot = 5 }),
	       EBUSY, "open it twice");
	check(file_reads(SLOT "/state", "plugged"), "the slot is plugged, not bound");
}

static void test_identity(struct guest *g)
{
	char alias[VBUS_ALIAS_SIZE];

	check(guest_read32(g, VBUS_REG_MAGIC) == VBUS_MAGIC, "magic");
	check(guest_read32(g, VBUS_REG_VERSION) == VBUS_VERSION, "version");
	check(guest_read32(g, VBUS_REG_CLASS) == VBUS_CLASS_NULL, "class");
	check(guest_read32(g, VBUS_REG_SLOT) == 5, "slot");
	check(guest_read32(g, VBUS_REG_NR_QUEUES) == 2, "queues");
	check(guest_read32(g, VBUS_REG_NR_VECTORS) == 3, "vectors");
	check(pread(g->dev, alias, sizeof(alias), VBUS_REG_ALIAS) ==
	      sizeof(alias) && !strcmp(alias, "front"), "alias");
	check(guest_read32(g, VBUS_REG_QUEUE(1) + VBUS_QREG_SIZE_MAX) == 256,
	      "largest ring");
	check(guest_read32(g, VBUS_REG_QUEUE(2) + VBUS_QREG_SIZE_MAX) == 0,
	      "a queue beyond the last reads 0");
	check(guest_read32(g, 0xf000) == 0, "an unused register reads 0");
}

/* Accesses that must be refused, whatever the device is doing. */
static const struct {
	const char *name;
	u32 off;
	u32 len;
	bool write;
	int err;
} bad_access[] = {
	{ "read of 0 bytes past the end", VBUS_WINDOW_SIZE, 4, false, EINVAL },
	{ "read across the end", VBUS_WINDOW_SIZE - 4, 8, false, EINVAL },
	{ "read of 1 byte of a register", VBUS_REG_MAGIC, 1, false, EINVAL },
	{ "read of 2 bytes of a register", VBUS_REG_MAGIC, 2, false, EINVAL },
	{ "read of 3 bytes", VBUS_REG_MAGIC, 3, false, EINVAL },
	{ "misaligned read", VBUS_REG_MAGIC + 2, 4, false, EINVAL },
	{ "misaligned 64-bit read", VBUS_REG_FEATURES + 4, 8, false, EINVAL },
	{ "read of 5000 bytes", 0, 5000, false, EINVAL },
	{ "alias and more", VBUS_REG_ALIAS, 40, false, EINVAL },
	{ "config space of a device without", VBUS_REG_CONFIG, 1, false, EINVAL },
	{ "write of 1 byte", VBUS_REG_STATUS, 1, true, EINVAL },
	{ "write of 16 bytes", VBUS_REG_ACCEPTED, 16, true, EINVAL },
	{ "misaligned write", VBUS_REG_STATUS + 2, 4, true, EINVAL },
	{ "64-bit write to a 32-bit register", VBUS_REG_STATUS, 8, true, EINVAL },
	{ "write past the end", VBUS_WINDOW_SIZE, 4, true, EINVAL },
	{ "write to MAGIC", VBUS_REG_MAGIC, 4, true, EINVAL },
	{ "write to FEATURES", VBUS_REG_FEATURES, 4, true, EINVAL },
	{ "write to NR_QUEUES", VBUS_REG_NR_QUEUES, 4, true, EINVAL },
	{ "write to NR_VECTORS", VBUS_REG_NR_VECTORS, 4, true, EINVAL },
	{ "write to CONFIG_GEN", VBUS_REG_CONFIG_GEN, 4, true, EINVAL },
	{ "write to SLOT", VBUS_REG_SLOT, 4, true, EINVAL },
	{ "write to the alias", VBUS_REG_ALIAS, 4, true, EINVAL },
	{ "write to config space", VBUS_REG_CONFIG, 4, true, EINVAL },
	{ "write to a hole", 0xf000, 4, true, EINVAL },
	{ "write to SIZE_MAX", VBUS_REG_QUEUE(0) + VBUS_QREG_SIZE_MAX, 4, true,
	  EINVAL },
	{ "write to SEG_MAX", VBUS_REG_QUEUE(0) + VBUS_QREG_SEG_MAX, 4, true,
	  EINVAL },
	{ "write to a queue's FLAGS", VBUS_REG_QUEUE(0) + VBUS_QREG_FLAGS, 4,
	  true, EINVAL },
	{ "write to a queue beyond the last", VBUS_REG_QUEUE(2) + VBUS_QREG_SIZE,
	  4, true, EINVAL },
};

/* All registers up to the first queue without meaning, to compare. */
static void snapshot(struct guest *g, u32 *words)
{
	u32 i;

	for (i = 0; i < 16; i++)
		words[i] = guest_read32(g, i * 4);
	for (i = 0; i < 32; i++)
		words[16 + i] = guest_read32(g, VBUS_REG_QUEUE_BASE + i * 4);
}

static void test_bad_accesses(struct guest *g, const char *when)
{
	static u8 buf[8192] = { 0xa5, 0xa5, 0xa5, 0xa5 };
	u32 before[48], after[48];
	char name[128];
	unsigned int i;
	ssize_t ret;

	snapshot(g, before);
	for (i = 0; i < ARRAY_SIZE(bad_access); i++) {
		errno = 0;
		ret = bad_access[i].write ?
		      pwrite(g->dev, buf, bad_access[i].len, bad_access[i].off) :
		      pread(g->dev, buf + 16, bad_access[i].len,
			    bad_access[i].off);
		snprintf(name, sizeof(name), "%s: %s", when,
			 bad_access[i].name);
		check(ret == -1 && errno == bad_access[i].err, name);
	}
	snapshot(g, after);
	snprintf(name, sizeof(name), "%s: refusals changed no register", when);
	check(!memcmp(before, after, sizeof(before)), name);
}

static void test_status(struct guest *g)
{
	refuse(guest_write32(g, VBUS_REG_STATUS, VBUS_STATUS_FEATURES_OK),
	       EINVAL, "FEATURES_OK without DRIVER");
	refuse(guest_write32(g, VBUS_REG_STATUS,
			     VBUS_STATUS_DRIVER | VBUS_STATUS_RUNNING),
	       EINVAL, "RUNNING without FEATURES_OK");
	refuse(guest_write32(g, VBUS_REG_STATUS, 0x80), EINVAL,
	       "an unknown STATUS bit");
	check(guest_read32(g, VBUS_REG_STATUS) == 0, "STATUS is still 0");
	refuse(guest_write32(g, VBUS_REG_QUEUE(0) + VBUS_QREG_ENABLE, 1),
	       EINVAL, "ENABLE before FEATURES_OK");
	refuse(guest_write32(g, VBUS_REG_CONFIG_VECTOR, 3), EINVAL,
	       "a config vector beyond the last");
	refuse(guest_write32(g, VBUS_REG_QUEUE(0) + VBUS_QREG_VECTOR, 3),
	       EINVAL, "a queue vector beyond the last");
	refuse(guest_negotiate(g, 1ULL << 40), EPROTO,
	       "a feature that is not offered");
	check(guest_read32(g, VBUS_REG_STATUS) == VBUS_STATUS_DRIVER,
	      "only DRIVER is left");
	check(file_reads(SLOT "/state", "bound"), "the slot is bound");
	check(!guest_negotiate(g, 0x5), "features that are");
	refuse(guest_write64(g, VBUS_REG_ACCEPTED, 0), EBUSY,
	       "features after FEATURES_OK");
	check(guest_read64(g, VBUS_REG_ACCEPTED) == 0x5, "they stay");
	refuse(guest_write32(g, VBUS_REG_STATUS, VBUS_STATUS_DRIVER), EINVAL,
	       "taking a STATUS bit back");
}

static void test_bad_queues(struct guest *g)
{
	static const struct {
		const char *name;
		u32 size;
		u64 ring;
		int err;
	} bad[] = {
		{ "ring of 0", 0, GUEST_ADDR, EINVAL },
		{ "ring of 1", 1, GUEST_ADDR, EINVAL },
		{ "ring of 3", 3, GUEST_ADDR, EINVAL },
		{ "ring larger than the device takes", 512, GUEST_ADDR, EINVAL },
		{ "ring of 2^31", 1U << 31, GUEST_ADDR, EINVAL },
		{ "ring address not aligned", 64, GUEST_ADDR + 8, EINVAL },
		{ "ring outside guest memory", 64, 0, EFAULT },
		{ "ring across the end", 256, GUEST_ADDR + GUEST_MEM - 64,
		  EFAULT },
		{ "ring at the end of the world", 64, ~63ULL, EFAULT },
	};
	u32 base = VBUS_REG_QUEUE(0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		check(!guest_write32(g, base + VBUS_QREG_SIZE, bad[i].size) &&
		      !guest_write64(g, base + VBUS_QREG_RING, bad[i].ring) &&
		      guest_write32(g, base + VBUS_QREG_ENABLE, 1) == -1 &&
		      errno == bad[i].err &&
		      guest_read32(g, base + VBUS_QREG_ENABLE) == 0,
		      bad[i].name);
	}
	refuse(guest_write32(g, base + VBUS_QREG_ENABLE, 2), EINVAL,
	       "ENABLE 2");
}

static void test_running(struct guest *g, struct guest_queue *q)
{
	struct vbus_mem_region del = {
		.size = sizeof(del),
		.guest_addr = GUEST_ADDR,
		.length = GUEST_MEM,
	};
	u64 chains = 0;

	need(!guest_queue_setup(g, &q[0], 0, RING_SIZE, 0), "queue 0");
	need(!guest_queue_setup(g, &q[1], 1, 2, 0), "queue 1, of two slots");
	refuse(guest_write32(g, VBUS_REG_QUEUE(0) + VBUS_QREG_SIZE, 2), EBUSY,
	       "SIZE of an enabled queue");
	refuse(guest_write64(g, VBUS_REG_QUEUE(0) + VBUS_QREG_RING, 0), EBUSY,
	       "RING of an enabled queue");
	need(!guest_run(g), "RUNNING");
	check(file_reads(DEV "/state", "running"), "the device says running");
	refuse(guest_write32(g, VBUS_REG_QUEUE(0) + VBUS_QREG_ENABLE, 0),
	       EBUSY, "ENABLE 0 of a running queue");
	refuse(ioctl(g->bus, VBUS_MEM_DEL, &del), EBUSY,
	       "removing the memory a ring lies in");
	check(!guest_transfer(&q[0], 10000), "10,000 chains");
	check(!guest_transfer(&q[1], 1000), "1,000 on a ring of two");
	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_STATS, 0, &chains,
			  sizeof(chains)) && chains == 11000,
	      "the device counted every one");
	test_bad_accesses(g, "running");
	check(!guest_transfer(&q[0], 1000), "and it goes on");
}

static void test_signals(struct guest *g, struct guest_queue *q)
{
	struct vbus_dev_irq irq = { .size = sizeof(irq), .vector = 1, .fd = -1 };
	struct vbus_dev_doorbell bell = { .size = sizeof(bell), .fd = -1 };
	struct pollfd p = { .fd = q->irq, .events = POLLIN };
	struct ioq_seg seg = { .addr = GUEST_ADDR + GUEST_DATA, .len = 64 };
	u64 count;
	u32 len;

	check(!ioctl(g->dev, VBUS_DEV_SET_IRQ, &irq), "unbind the interrupt");
	while (read(q->irq, &count, sizeof(count)) > 0)
		;
	ioq_north_enable_signals(&q->north, 1);
	check(!ioq_north_add(&q->north, &seg, 1, q) &&
	      ioq_north_publish(&q->north), "post a chain");
	check(!ioctl(g->dev, VBUS_DEV_SET_DOORBELL, &bell),
	      "unbind the doorbell");
	check(!guest_write32(g, VBUS_REG_DOORBELL(0), 0),
	      "ring by register instead");
	check(poll(&p, 1, 0) == 0, "no signal reaches the old eventfd");
	/* The chain is served in softirq before the write returns or soon. */
	irq.fd = q->irq;
	check(!ioctl(g->dev, VBUS_DEV_SET_IRQ, &irq), "bind it again");
	check(poll(&p, 1, 10000) == 1, "the signal that was missed comes now");
	check(ioq_north_get(&q->north, &len) == q, "for the chain");
	bell.fd = q->bell;
	check(write(q->bell, &(u64){ 1 }, 8) == 8 &&
	      !ioctl(g->dev, VBUS_DEV_SET_DOORBELL, &bell),
	      "bind a doorbell that was kicked before");
	check(!guest_transfer(q, 100), "both work as before");
}

/* Pause, save, reset, load, go on: what a migration does, on one host. */
static void test_state(struct guest *g, struct guest_queue *q)
{
	struct vbus_state_device device;
	struct vbus_state_queue queue[2];
	u32 run = 0;
	int i;

	refuse(guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_QUEUE(0), &queue[0], sizeof(queue[0])),
	       EBUSY, "saving a queue that runs");
	need(!guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE, VBUS_STATE_RUN,
			 &run, sizeof(run)), "pause");
	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_DEVICE, &device, sizeof(device)) &&
	      device.accepted == 0x5, "save the device");
	for (i = 0; i < 2; i++)
		check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_STATE,
				  VBUS_STATE_QUEUE(i), &queue[i],
				  sizeof(queue[i])), "save a queue");
	check(queue[0].pos_desc == 11101 && queue[0].pos_chain == 11101,
	      "its position is that of 11,101 chains");

	refuse(guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_DEVICE, &device, sizeof(device)), EBUSY,
	       "loading into a device that is not reset");
	check(!ioctl(g->dev, VBUS_DEV_RESET, &(struct vbus_dev_reset){
			.size = sizeof(struct vbus_dev_reset) }), "reset");
	check(guest_read32(g, VBUS_REG_STATUS) == 0, "STATUS is 0");
	check(guest_read32(g, VBUS_REG_QUEUE(0) + VBUS_QREG_ENABLE) == 0,
	      "no queue is enabled");

	device.accepted |= 1ULL << 40;
	refuse(guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_DEVICE, &device, sizeof(device)), EINVAL,
	       "loading a feature that is not offered");
	check(guest_read32(g, VBUS_REG_STATUS) == 0, "STATUS is still 0");
	device.accepted = 0x5;
	refuse(guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_DEVICE, &device, sizeof(device) - 1),
	       EINVAL, "loading a short value");
	check(!guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_DEVICE, &device, sizeof(device)),
	      "load the device");
	for (i = 0; i < 2; i++)
		check(!guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
				  VBUS_STATE_QUEUE(i), &queue[i],
				  sizeof(queue[i])), "load a queue");
	run = 2;
	refuse(guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_RUN, &run, sizeof(run)), EINVAL, "RUN 2");
	run = 1;
	check(!guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_RUN, &run, sizeof(run)), "go on");
	check(!guest_transfer(&q[0], 1000) && !guest_transfer(&q[1], 100),
	      "the rings go on where they stood");
}

static void test_attrs(struct guest *g)
{
	struct vbus_dev_attr a = {
		.size = sizeof(a),
		.group = VBUS_GROUP_INFO,
		.attr = VBUS_INFO_NAME,
		.length = 3,
	};
	char text[4096] = "";
	u32 value = 0;

	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO, VBUS_INFO_NAME,
			  text, sizeof(text)) && !strcmp(text, "null.t"),
	      "name");
	a.addr = (uintptr_t)text;
	errno = 0;
	check(ioctl(g->dev, VBUS_DEV_GET_ATTR, &a) == -1 && errno == ENOSPC &&
	      a.length == 6, "a short buffer: ENOSPC and the size needed");
	a.addr = 0;
	refuse(ioctl(g->dev, VBUS_DEV_GET_ATTR, &a), EFAULT, "no buffer");
	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO,
			  VBUS_INFO_CLASS, &value, sizeof(value)) &&
	      value == VBUS_CLASS_NULL, "class attribute");
	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO,
			  VBUS_INFO_NR_QUEUES, &value, sizeof(value)) &&
	      value == 2, "queues attribute");
	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO,
			  VBUS_INFO_NR_VECTORS, &value, sizeof(value)) &&
	      value == 3, "vectors attribute");
	memset(text, 0, sizeof(text));
	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO,
			  VBUS_INFO_ALIAS, text, sizeof(text)) &&
	      !strcmp(text, "front"), "alias attribute");
	memset(text, 0, sizeof(text));
	check(!guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_STATS,
			  VBUS_STATS_NAMES, text, sizeof(text)) &&
	      !strncmp(text, "chains\n", 7), "names of the counters");
	check(!guest_attr(g, VBUS_DEV_HAS_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_QUEUE(1), NULL, 0), "has: queue 1's state");
	refuse(guest_attr(g, VBUS_DEV_HAS_ATTR, VBUS_GROUP_STATE,
			  VBUS_STATE_QUEUE(2), NULL, 0), ENXIO,
	       "has: queue 2's state");
	refuse(guest_attr(g, VBUS_DEV_HAS_ATTR, 99, 0, NULL, 0), ENXIO,
	       "has: an unknown group");
	refuse(guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO, 99, text, 8),
	       ENXIO, "get: an unknown attribute");
	refuse(guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_STATS, 99, text, 8),
	       ENXIO, "get: an unknown counter");
	refuse(guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_CONFIG, 1, text, 8),
	       ENXIO, "get: a second config space");
	refuse(guest_attr(g, VBUS_DEV_SET_ATTR, VBUS_GROUP_INFO, 0, text, 8),
	       EPERM, "set: a name");
	refuse(guest_attr(g, VBUS_DEV_SET_ATTR, 99, 0, text, 8), ENXIO,
	       "set: an unknown group");
}

/* The guest breaks the ring: the device stops, says so, and a reset heals. */
static void test_hostile(struct guest *g, struct guest_queue *q)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct vbus_dev_irq irq = { .size = sizeof(irq), .fd = efd };
	struct pollfd p = { .fd = efd, .events = POLLIN };
	struct ioq_seg seg = { .addr = GUEST_ADDR, .len = 64 };
	struct vbus_ring_desc *desc = q->north.desc;
	u32 pos = q->north.desc_pos & q->north.mask;

	check(!ioctl(g->dev, VBUS_DEV_SET_IRQ, &irq) &&
	      !guest_write32(g, VBUS_REG_CONFIG_VECTOR, 0),
	      "listen for config changes");
	ioq_north_add(&q->north, &seg, 1, q);
	ioq_north_publish(&q->north);
	/* Unknown descriptor flags. */
	desc[pos].ctl |= cpu_to_le64(0x8000ULL << 48);
	check(write(q->bell, &(u64){ 1 }, 8) == 8, "kick for a bad chain");
	check(poll(&p, 1, 10000) == 1, "the config interrupt comes");
	check(guest_read32(g, VBUS_REG_STATUS) & VBUS_STATUS_NEEDS_RESET,
	      "NEEDS_RESET");
	check(file_reads(DEV "/state", "broken"), "the admin sees it");
	check(!guest_write32(g, VBUS_REG_STATUS, 0) &&
	      guest_read32(g, VBUS_REG_STATUS) == 0, "a reset clears it");
	check(file_reads(DEV "/state", "plugged"), "the admin sees that too");
	close(efd);
}

static void test_unplug(struct guest *g)
{
	struct guest_queue q;

	check(!file_put(SLOT "/alias", "back"), "change the alias");
	check(event_is(g, VBUS_EVENT_CHANGED, 5, VBUS_CLASS_NULL),
	      "the VMM hears of it");
	need(!guest_negotiate(g, 0) &&
	     !guest_queue_setup(g, &q, 0, RING_SIZE, 0) && !guest_run(g),
	     "start again after the reset");
	check(!unlink(LINK), "ask for removal");
	check(file_reads(SLOT "/state", "unplugging"), "the slot is unplugging");
	check(event_is(g, VBUS_EVENT_UNPLUG, 5, VBUS_CLASS_NULL),
	      "the VMM hears of it");
	refuse(symlink(DEV, LINK), EBUSY, "plug while unplugging");
	refuse(rmdir(SLOT), EBUSY, "rmdir of the slot");
	refuse(rmdir(DEV), EBUSY, "rmdir of the device");
	refuse(file_put(DEV "/enable", "0"), EBUSY, "disable the device");
	check(!guest_transfer(&q, 1000), "the guest works on meanwhile");
	guest_close_device(g);
	check(file_reads(SLOT "/state", "empty"), "it lets go: empty");
	check(file_reads(DEV "/state", "enabled"), "the device is free");
	check(no_event(g), "no event for what the VMM did itself");
	check(!symlink(DEV, LINK) && event_is(g, VBUS_EVENT_ADDED, 5,
					      VBUS_CLASS_NULL) &&
	      !guest_open_slot(g, 5) && !unlink(LINK), "and once more");
	guest_close_device(g);
	check(no_event(g), "letting go unasked withdraws the question");
	guest_queue_free(&q);

	check(!symlink(DEV, LINK), "plug again");
	check(event_is(g, VBUS_EVENT_ADDED, 5, VBUS_CLASS_NULL), "added");
	check(!unlink(LINK), "take away what was never opened");
	check(file_reads(SLOT "/state", "empty"), "gone at once");
	check(event_is(g, VBUS_EVENT_REMOVED, 5, 0), "removed");
	check(!symlink(DEV, LINK) && !unlink(LINK), "plug and unplug unread");
	check(no_event(g), "leaves no event");
	check(!symlink(DEV, LINK), "plug");
	check(event_is(g, VBUS_EVENT_ADDED, 5, VBUS_CLASS_NULL), "added");
	check(!unlink(LINK) && !symlink(DEV, LINK), "unplug and plug unread");
	check(event_is(g, VBUS_EVENT_REMOVED, 5, VBUS_CLASS_NULL) &&
	      event_is(g, VBUS_EVENT_ADDED, 5, VBUS_CLASS_NULL),
	      "removed comes before added");
}

static bool wait_reads(const char *path, const char *want)
{
	unsigned int patience;

	for (patience = 1000; patience; patience--) {
		if (file_reads(path, want))
			return true;
		usleep(10000);
	}
	return false;
}

/* A guest that does not let go. */
static void test_force(struct guest *g)
{
	struct vbus_dev_reset reset = { .size = sizeof(reset) };
	struct pollfd p = { .fd = g->bus, .events = POLLIN };

	need(!guest_open_slot(g, 5), "open");
	refuse(file_put(SLOT "/force", "1"), EBUSY, "force with a link");
	refuse(guest_write32(g, VBUS_REG_HOLD, 2), EINVAL, "hold 2");
	check(!guest_write32(g, VBUS_REG_HOLD, VBUS_HOLD_IN_USE) &&
	      guest_read32(g, VBUS_REG_HOLD) == VBUS_HOLD_IN_USE, "hold");
	check(!unlink(LINK) && file_reads(SLOT "/state", "refused"),
	      "the admin reads that the guest refuses");
	check(no_event(g), "the VMM is not told yet");
	check(!guest_write32(g, VBUS_REG_HOLD, 0) && poll(&p, 1, 10000) == 1 &&
	      event_is(g, VBUS_EVENT_UNPLUG, 5, VBUS_CLASS_NULL),
	      "it is when the guest gives in");
	check(file_reads(SLOT "/state", "unplugging"), "unplugging");
	guest_close_device(g);

	check(!file_put(SLOT "/unplug_timeout", "1"), "patience for a second");
	need(!symlink(DEV, LINK) && !guest_open_slot(g, 5) &&
	     !guest_write32(g, VBUS_REG_HOLD, VBUS_HOLD_IN_USE) && !unlink(LINK),
	     "plug, hold, unplug");
	check(event_is(g, VBUS_EVENT_ADDED, 5, VBUS_CLASS_NULL), "added");
	check(!guest_write32(g, VBUS_REG_STATUS, 0) &&
	      file_reads(SLOT "/state", "refused"), "a driver's reset leaves it");
	check(!ioctl(g->dev, VBUS_DEV_RESET, &reset) && poll(&p, 1, 10000) == 1 &&
	      event_is(g, VBUS_EVENT_UNPLUG, 5, VBUS_CLASS_NULL),
	      "that of the VMM ends the hold");
	check(wait_reads(SLOT "/state", "timed-out"), "the time runs out");
	check(!file_put(SLOT "/force", "1") && file_reads(SLOT "/state", "empty"),
	      "force empties the slot");
	check(event_is(g, VBUS_EVENT_REMOVED, 5, 0), "the VMM hears of it");
	check(guest_read32(g, VBUS_REG_MAGIC) == 0xffffffff && errno == ENODEV,
	      "its fd is a shell");
	check(!file_put(SLOT "/force", "1"), "force of an empty slot");
	guest_close_device(g);
	check(!file_put(SLOT "/unplug_timeout", "30") && !symlink(DEV, LINK) &&
	      event_is(g, VBUS_EVENT_ADDED, 5, VBUS_CLASS_NULL), "plug again");
}

/* Device fds outlive the bus as shells. */
static void test_shell(struct guest *g)
{
	struct vbus_dev_irq irq = { .size = sizeof(irq), .fd = -1 };
	struct vbus_dev_doorbell bell = { .size = sizeof(bell), .fd = -1 };
	struct vbus_dev_reset reset = { .size = sizeof(reset) };
	u32 word;

	need(!guest_open_slot(g, 5) && !guest_negotiate(g, 0), "open once more");
	close(g->bus);
	g->bus = -1;
	check(file_reads(DEV "/state", "plugged"), "closing the bus resets it");
	refuse(pread(g->dev, &word, 4, 0), ENODEV, "read after the bus closed");
	refuse(pwrite(g->dev, &word, 4, VBUS_REG_STATUS), ENODEV, "write");
	refuse(pwrite(g->dev, &word, 4, VBUS_REG_DOORBELL(0)), ENODEV,
	       "doorbell");
	refuse(ioctl(g->dev, VBUS_DEV_RESET, &reset), ENODEV, "reset");
	refuse(ioctl(g->dev, VBUS_DEV_SET_IRQ, &irq), ENODEV, "irq");
	refuse(ioctl(g->dev, VBUS_DEV_SET_DOORBELL, &bell), ENODEV, "doorbell");
	refuse(guest_attr(g, VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO, 0, &word, 4),
	       ENODEV, "attribute");
	guest_close(g);
}

/*
 * Memory of a regular file at @path is refused, if there is one: the device would
 * write behind the file system's back.
 */
static void test_file_memory(struct guest *g, const char *path)
{
	struct vbus_mem_region region = {
		.size = sizeof(region),
		.length = 4096,
	};
	void *mem;
	int fd;

	if (!path) {
		printf("ok %d - memory of a file # SKIP no file was named\n",
		       ++tap_cases);
		return;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	need(fd >= 0 && !ftruncate(fd, 4096), "a regular file");
	mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(mem != MAP_FAILED, "mapped");
	region.user_addr = (uintptr_t)mem;
	refuse(ioctl(g->bus, VBUS_MEM_ADD, &region), EOPNOTSUPP,
	       "memory of a file");
	region.flags = VBUS_MEM_RDONLY;
	check(!ioctl(g->bus, VBUS_MEM_ADD, &region), "unless it is read only");
	region.flags = 0;
	region.user_addr = 0;
	check(!ioctl(g->bus, VBUS_MEM_DEL, &region), "and away with it");
	munmap(mem, 4096);
	close(fd);
	unlink(path);
}

/* A VMM dies with its queues running; the next one finds all as it was. */
static void test_death(void)
{
	struct guest g;
	int status, ready[2];
	pid_t pid;
	char byte;

	need(!pipe(ready), "pipe");
	pid = fork();
	if (!pid) {
		struct guest_queue q;

		if (guest_open(&g, "vmt") || guest_add_memory(&g) ||
		    guest_open_slot(&g, 5) || guest_negotiate(&g, 0) ||
		    guest_queue_setup(&g, &q, 0, RING_SIZE, 0) ||
		    guest_run(&g) || guest_transfer(&q, 100) ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		while (!guest_transfer(&q, 1000))
			;
		_exit(1);
	}
	check(read(ready[0], &byte, 1) == 1, "a VMM in another process runs");
	check(file_reads(SLOT "/state", "bound"), "its guest has the device");
	check(!unlink(LINK), "unplug is asked");
	check(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid &&
	      WIFSIGNALED(status), "the VMM is killed under load");
	check(file_reads(SLOT "/state", "empty"), "the unplug completes");
	check(!symlink(DEV, LINK), "plug again");
	need(!guest_open(&g, "vmt"), "the bus can be opened again");
	check(event_is(&g, VBUS_EVENT_ADDED, 5, VBUS_CLASS_NULL),
	      "and the device is there");
	guest_close(&g);
	close(ready[0]);
	close(ready[1]);
}

int main(int argc, char **argv)
{
	struct guest_queue q[2];
	struct guest g;

	need(!mkdir(DEV, 0755) && !file_put(DEV "/queues", "2") &&
	     !file_put(DEV "/enable", "1"), "make a device");
	need(!mkdir(BUS, 0755) && !mkdir(SLOT, 0755) &&
	     !file_put(SLOT "/alias", "front") && !symlink(DEV, LINK),
	     "plug it into a new bus");

	test_open(&g);
	test_identity(&g);
	test_bad_accesses(&g, "reset");
	test_status(&g);
	test_bad_queues(&g);
	test_file_memory(&g, argc > 1 ? argv[1] : NULL);
	need(!guest_add_memory(&g), "add guest memory");
	test_bad_queues(&g);
	test_running(&g, q);
	test_signals(&g, &q[0]);
	test_state(&g, q);
	test_attrs(&g);
	test_hostile(&g, &q[0]);
	guest_queue_free(&q[0]);
	guest_queue_free(&q[1]);
	test_unplug(&g);
	test_force(&g);
	test_shell(&g);
	test_death();

	check(!unlink(LINK) && !rmdir(SLOT) && !rmdir(BUS) && !rmdir(DEV),
	      "take everything away");
	return tap_finish();
}
