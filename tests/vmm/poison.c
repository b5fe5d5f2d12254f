// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of a guest that the machine has lost, under everything that devices look at: a
 * ring, a table, a frame, a disk's data and request, room for random numbers.  The
 * device is given up, or the request; nothing else is.
 *
 * MADV_HWPOISON has the kernel mark a page and take it from this process, as after a
 * machine check; that a read is the one to find it can't be had without hardware.
 *
 * Plays VMM and guest on the bus that it is given, with class null in slots 0 and 4, rng in
 * 1, net in 2 and block in 3.  Runs as root in a kernel with CONFIG_MEMORY_FAILURE;
 * prints TAP.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/vbus_blk.h>
#include <linux/vbus_net.h>
#include "guest.h"
#include "tap.h"

#define PAGE		4096UL
#define RING_SIZE	64
#define FRAME		60
#define SECTORS		(PAGE >> VBUS_BLK_SECTOR_SHIFT)

/* Pages of guest memory behind the rings; the first is never lost. */
enum { GOOD, ROOM, HEADER, DATA, TABLE, REQUEST };

#define AT(page)	(GUEST_DATA + (page) * PAGE)

/**
 * struct dev - a device, and the queue that is tried
 * @g: bus and memory are all devices'
 * @north: the ring
 * @nr: its number
 * @ring: where it lies
 * @state: of the ring
 */
struct dev {
	struct guest g;
	struct ioq_north north;
	u32 nr;
	unsigned long ring;
	u8 state[RING_SIZE * 64];
};

static struct guest bus = { .bus = -1, .dev = -1 };
static struct dev null, table, rng, net, blk;
static sigjmp_buf lost;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(lost, 1);
}

/* It does not matter what madvise() thinks of pages that are pinned, only what it did. */
static bool poison(unsigned long off)
{
	if (!sigsetjmp(lost, 1))
		madvise(bus.mem + off, PAGE, MADV_HWPOISON);
	if (sigsetjmp(lost, 1))
		return true;
	*(volatile u8 *)(bus.mem + off);
	return false;
}

/* What every device is told of a ring. */
static int enable(struct dev *d, u32 nr, unsigned long ring)
{
	u32 base = VBUS_REG_QUEUE(nr);

	if (guest_write32(&d->g, base + VBUS_QREG_SIZE, RING_SIZE) ||
	    guest_write64(&d->g, base + VBUS_QREG_RING, GUEST_ADDR + ring))
		return -1;
	return guest_write32(&d->g, base + VBUS_QREG_ENABLE, 1);
}

/* From reset to RUNNING; @rx is an empty ring that class net wants beside. */
static int up(struct dev *d, u32 flags, unsigned long rx)
{
	memset(bus.mem + d->ring, 0, ioq_bytes(RING_SIZE));
	if (ioq_north_state_bytes(RING_SIZE) > sizeof(d->state) ||
	    ioq_north_init(&d->north, bus.mem + d->ring, RING_SIZE, flags, d->state) ||
	    guest_negotiate(&d->g, 0) || enable(d, d->nr, d->ring) ||
	    (rx && enable(d, 0, rx)))
		return -1;
	return guest_run(&d->g);
}

static int open_dev(struct dev *d, u32 slot, u32 nr, unsigned int ring)
{
	d->g = bus;
	d->nr = nr;
	d->ring = GUEST_RING(ring);
	return guest_open_slot(&d->g, slot);
}

static bool broken(struct dev *d)
{
	return guest_read32(&d->g, VBUS_REG_STATUS) & VBUS_STATUS_NEEDS_RESET;
}

/* A chain to its end: the length it was completed with; -1: the device broke. */
static long chain(struct dev *d, struct ioq_seg *segs, unsigned int n)
{
	unsigned int patience;
	u32 len;

	if (ioq_north_add(&d->north, segs, n, d))
		return -2;
	ioq_north_publish(&d->north);
	guest_write32(&d->g, VBUS_REG_DOORBELL_BASE +
		      d->nr * VBUS_REG_DOORBELL_STRIDE, 0);
	for (patience = 10000; patience; patience--) {
		if (ioq_north_get(&d->north, &len))
			return len;
		if (broken(d))
			return -1;
		usleep(1000);
	}
	return -3;
}

static struct ioq_seg seg(unsigned long off, u32 len, u32 write)
{
	return (struct ioq_seg){ .addr = GUEST_ADDR + off, .len = len, .write = write };
}

static long null_chain(struct dev *d)
{
	struct ioq_seg s = seg(AT(GOOD), 512, 0);

	return chain(d, &s, 1);
}

/* The same guest's other device goes on. */
static void others(const char *name)
{
	char text[96];

	snprintf(text, sizeof(text), "%s: another device goes on", name);
	check(null_chain(&null) == 0 && !broken(&null), text);
}

static void test_ring(void)
{
	struct dev *d = &table;

	need(null_chain(d) == 0, "ring: it works");
	need(!guest_write32(&d->g, VBUS_REG_STATUS, 0), "ring: reset");
	need(poison(d->ring), "ring: its page is lost");
	need(!guest_negotiate(&d->g, 0), "ring: negotiate");
	refuse(enable(d, d->nr, d->ring), EFAULT, "ring: a ring on it");
	others("ring");
	guest_write32(&d->g, VBUS_REG_STATUS, 0);
	d->ring = GUEST_RING(7);
	check(!up(d, 0, 0) && null_chain(d) == 0, "ring: elsewhere it works");
}

static void test_table(void)
{
	struct vbus_ring_desc *t = (void *)(bus.mem + AT(TABLE));
	struct ioq_seg direct = seg(AT(GOOD), 512, 0);
	struct dev *d = &table;
	struct vbus_ring_desc *desc;
	u64 word;

	t[0].addr = GUEST_ADDR + AT(GOOD);
	t[0].ctl = 512;
	/* A direct chain as the ring's half makes it, with the table put in its place. */
	need(!ioq_north_add(&d->north, &direct, 1, d), "table: a chain");
	ioq_north_publish(&d->north);
	desc = (void *)(bus.mem + d->ring + VBUS_RING_DESC_OFFSET +
			sizeof(*desc));
	desc->addr = GUEST_ADDR + AT(TABLE);
	word = (desc->ctl & ~(u64)VBUS_RING_LEN_MASK) | VBUS_RING_INDIRECT |
	       sizeof(*desc);
	__atomic_store_n(&desc->ctl, word, __ATOMIC_RELEASE);
	need(poison(AT(TABLE)), "table: its page is lost");
	guest_write32(&d->g, VBUS_REG_DOORBELL_BASE +
		      d->nr * VBUS_REG_DOORBELL_STRIDE, 0);
	for (unsigned int i = 0; i < 10000 && !broken(d); i++)
		usleep(1000);
	check(broken(d), "table: NEEDS_RESET");
	others("table");
}

static void test_rng(void)
{
	struct ioq_seg room = seg(AT(ROOM), 64, 1), good = seg(AT(GOOD), 64, 1);

	need(chain(&rng, &room, 1) == 64, "rng: it answers");
	need(poison(AT(ROOM)), "rng: the room is lost");
	check(chain(&rng, &room, 1) == -1, "rng: NEEDS_RESET");
	others("rng");
	check(!guest_write32(&rng.g, VBUS_REG_STATUS, 0) && !up(&rng, 0, 0) &&
	      chain(&rng, &good, 1) == 64, "rng: after a reset it answers");
}

static void test_net(void)
{
	struct ioq_seg bad[] = {
		seg(AT(GOOD), VBUS_NET_HDR_SIZE, 0), seg(AT(HEADER), FRAME, 0),
	};
	struct ioq_seg good = seg(AT(GOOD), VBUS_NET_HDR_SIZE + FRAME, 0);

	memset(bus.mem + AT(GOOD), 0, PAGE);
	need(chain(&net, bad, 2) == 0, "net: it takes a frame");
	need(poison(AT(HEADER)), "net: the frame is lost");
	check(chain(&net, bad, 2) == -1, "net: NEEDS_RESET");
	others("net");
	check(!guest_write32(&net.g, VBUS_REG_STATUS, 0) &&
	      !up(&net, IOQ_F_IN_ORDER, GUEST_RING(3)) &&
	      chain(&net, &good, 1) == 0, "net: after a reset it takes frames");
}

/* A status, or 0 for success. */
static int disk(u16 op, unsigned long req, unsigned long data)
{
	struct vbus_blk_status *status = (void *)(bus.mem + AT(GOOD) + 2048);
	struct vbus_blk_req *r = (void *)(bus.mem + req);
	u32 in = op == VBUS_BLK_OP_READ ? PAGE : 0;
	struct ioq_seg s[] = {
		seg(req, sizeof(*r), 0), seg(data, PAGE, !!in),
		seg(AT(GOOD) + 2048, sizeof(*status), 1),
	};
	long len;

	status->status = 0;
	/* Unless it is lost. */
	if (!sigsetjmp(lost, 1))
		*r = (struct vbus_blk_req){ .op = op };
	len = chain(&blk, s, 3);
	if (len < 0)
		return len;
	return len == (long)in ? 0 : (int)status->status;
}

static void test_blk(void)
{
	unsigned long good = GUEST_DATA + 0x20000, req = AT(GOOD) + 1024;

	need(!disk(VBUS_BLK_OP_WRITE, AT(REQUEST), AT(DATA)) &&
	     !disk(VBUS_BLK_OP_READ, AT(REQUEST), AT(DATA)), "blk: it works");
	need(poison(AT(DATA)), "blk: the data is lost");
	check(disk(VBUS_BLK_OP_WRITE, req, AT(DATA)) == VBUS_BLK_S_FAULT,
	      "blk: write of it: FAULT");
	check(disk(VBUS_BLK_OP_READ, req, AT(DATA)) == VBUS_BLK_S_FAULT,
	      "blk: read into it: FAULT");
	check(disk(VBUS_BLK_OP_WRITE, req, good - 512) == 0,
	      "blk: data beside it is written");
	need(poison(AT(REQUEST)), "blk: a request is lost");
	check(disk(VBUS_BLK_OP_READ, AT(REQUEST), good) == VBUS_BLK_S_FAULT,
	      "blk: FAULT");
	check(!broken(&blk) && !disk(VBUS_BLK_OP_READ, req, good),
	      "blk: other requests are carried out");
	others("blk");
}

int main(int argc, char **argv)
{
	struct sigaction bus_error = { .sa_handler = on_sigbus };

	if (argc != 2)
		return 2;
	sigaction(SIGBUS, &bus_error, NULL);
	need(!guest_open(&bus, argv[1]), "open the bus");
	memset(bus.mem, 0, GUEST_MEM);
	need(!guest_add_memory(&bus), "give it memory");
	need(!open_dev(&null, 0, 0, 0) && !open_dev(&rng, 1, 0, 2) &&
	     !open_dev(&net, 2, 1, 4) && !open_dev(&blk, 3, 0, 5) &&
	     !open_dev(&table, 4, 0, 6), "open the slots");
	need(!up(&null, 0, 0) && !up(&rng, 0, 0) && !up(&blk, 0, 0) &&
	     !up(&net, IOQ_F_IN_ORDER, GUEST_RING(3)) && !up(&table, 0, 0),
	     "all devices run");
	test_ring();
	test_table();
	test_rng();
	test_net();
	test_blk();
	close(null.g.dev);
	close(rng.g.dev);
	close(net.g.dev);
	close(blk.g.dev);
	close(table.g.dev);
	guest_close(&bus);
	need(!guest_open(&bus, argv[1]) && !guest_add_memory(&bus),
	     "the bus opens again");
	guest_close(&bus);
	return tap_finish();
}
