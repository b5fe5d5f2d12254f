/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VMM and its guest in one process, as small as it can be: opens a bus, gives
 * it memory, plays the guest's driver on a device of class null.
 */
#ifndef _VBUS_TESTS_GUEST_H
#define _VBUS_TESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/vbus.h>
#include <linux/vbus_abi.h>
#include <vbus/ring.h>

/* Guest memory: its size, and where the guest sees it. */
#define GUEST_MEM	(4UL << 20)
#define GUEST_ADDR	0x100000000ULL

/* Where things lie in it. */
#define GUEST_RING(q)	((q) * 0x10000UL)
#define GUEST_DATA	0x200000UL

struct guest {
	int bus;
	int dev;
	u8 *mem;
};

/* One queue as the guest's driver sees it. */
struct guest_queue {
	struct ioq_north north;
	void *state;
	u32 nr;
	int irq;
	int bell;
};

int guest_open(struct guest *g, const char *bus);
int guest_add_memory(struct guest *g);
int guest_open_slot(struct guest *g, u32 slot);
void guest_close_device(struct guest *g);
void guest_close(struct guest *g);

u32 guest_read32(struct guest *g, u32 reg);
u64 guest_read64(struct guest *g, u32 reg);
int guest_write32(struct guest *g, u32 reg, u32 value);
int guest_write64(struct guest *g, u32 reg, u64 value);

/* DRIVER, accept @features, FEATURES_OK. */
int guest_negotiate(struct guest *g, u64 features);
/* Ring, eventfds and registers of queue @nr; then ENABLE. */
int guest_queue_setup(struct guest *g, struct guest_queue *q, u32 nr,
		      u32 size, u32 flags);
void guest_queue_free(struct guest_queue *q);
int guest_run(struct guest *g);

/* Post @count chains, ring if wanted, wait for all; 0 or -1 after 10 s. */
int guest_transfer(struct guest_queue *q, unsigned int count);

int guest_next_event(struct guest *g, struct vbus_event *ev);

int guest_attr(struct guest *g, unsigned long cmd, u32 group,
	       u32 attr, void *value, u64 length);

#endif /* _VBUS_TESTS_GUEST_H */
