/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest without PCI in the process that plays its VMM: sets the window up, makes
 * calls, takes events.
 */
#ifndef _VBUS_TESTS_NATIVE_GUEST_H
#define _VBUS_TESTS_NATIVE_GUEST_H

#include <linux/vbus_native.h>
#include "guest.h"

#define NATIVE_QUEUES	3
#define NATIVE_PAGES	2

/* Where they lie in guest memory. */
#define NATIVE_QUEUE(i)	(0x300000UL + (i) * VBUS_NATIVE_PAGE_SIZE)
#define NATIVE_PAGE(i)	(0x310000UL + (i) * VBUS_NATIVE_PAGE_SIZE)

/**
 * struct native - the front, and what is bound to it
 * @g: bus and memory
 * @fd: native fd
 * @irq: of the event queues
 * @bell: of the call pages
 * @seq: number of the last request
 */
struct native {
	struct guest *g;
	int fd;
	int irq[NATIVE_QUEUES];
	int bell[NATIVE_PAGES];
	u32 seq;
};

int native_open_fd(struct guest *g, u32 nr_queues, u32 nr_pages, u32 flags);
/* Opens, binds all eventfds. */
int native_open(struct native *n, struct guest *g);
void native_close(struct native *n);

u32 native_read32(struct native *n, u32 off);
int native_write32(struct native *n, u32 off, u32 value);
int native_write64(struct native *n, u32 off, u64 value);

/* Zeroed pages, registers, STATUS. */
int native_start(struct native *n);

struct vbus_event_queue *native_queue(struct native *n, u32 i);
struct vbus_call_page *native_page(struct native *n, u32 i);

/* Take the interrupt of a queue, if it is there. */
bool native_irq(struct native *n, u32 queue);
/* The same, waiting for it. */
bool native_irq_comes(struct native *n, u32 queue);
/* Is an event of that word announced? Looking does not keep interrupts away. */
bool native_announced(struct native *n, u32 queue, u32 event);
/* Take an event, if it is pending, as a guest does; the queue stays busy. */
bool native_event(struct native *n, u32 queue, u32 event);
/* Let interrupts in again: false, if there is something to look at first. */
bool native_idle(struct native *n, u32 queue);

/* A fast call through the eventfd: the result, or -1 if there is no answer. */
int native_fast(struct native *n, u32 page, u32 func, u32 slot, u64 arg);
/* A slow one: waits for the event of its end. */
int native_slow(struct native *n, u32 func, u32 slot, u64 arg0, u64 arg1,
		const void *data, u32 length);

int native_info(struct native *n, u32 slot, struct vbus_slot_info *info);
u32 native_reg32(struct native *n, u32 slot, u32 off);
int native_set_reg32(struct native *n, u32 slot, u32 off, u32 value);
int native_set_reg64(struct native *n, u32 slot, u32 off, u64 value);

#endif /* _VBUS_TESTS_NATIVE_GUEST_H */
