/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of the native front.
 *
 * Locks, in the order they are taken; all come before bus->lock:
 *
 *	native->lock	mutex. Registers of the window, start and reset, what is bound to
 *			interrupts and doorbells.  Never taken by a call, so a reset
 *			may wait under it for the calls that run.
 *	nslot->lock	mutex. The device a guest has open in a slot.  Calls for one slot
 *			take turns, those of different slots do not.
 *
 * Events and fast calls take neither: they find queue, page and connection under
 * RCU.  A page's own spinlock keeps two rings of one doorbell apart.
 *
 * Lifetime: the file (or the loopback connector) and the session hold one reference
 * each.  Disconnecting ends everything that could call in, and is the last time the
 * session is touched.
 */
#ifndef _VBUS_NATIVE_PRIV_H
#define _VBUS_NATIVE_PRIV_H

#include <linux/vbus_native.h>
#include <vbus/host/native.h>
#include "core.h"

/**
 * struct vbus_native_event_queue - an event queue
 * @reg: VBUS_NREG_QUEUE()
 * @map: the guest's page, while it runs
 * @mem: the same, for those who post; RCU
 * @vector: its interrupt
 */
struct vbus_native_event_queue {
	u64 reg;
	struct vbus_mem_map map;
	struct vbus_event_queue __rcu *mem;
	struct vbus_vector vector;
};

/**
 * struct vbus_native_call_page - a call page
 * @native: the front
 * @index: number of the page
 * @reg: VBUS_NREG_PAGE()
 * @map: the guest's page, while it runs
 * @mem: the same, for those who ring; RCU
 * @lock: one kick at a time
 * @fast_seq: the last fast request answered; under @lock
 * @slow_seq: the last slow request answered; written by @work
 * @work: serves the slow half
 * @data: bytes of the slow request, and of its answer; @work's own
 * @bell: its doorbell; under native->lock
 */
struct vbus_native_call_page {
	struct vbus_native *native;
	u32 index;
	u64 reg;
	struct vbus_mem_map map;
	struct vbus_call_page __rcu *mem;
	spinlock_t lock;	/* one kick at a time */
	u32 fast_seq;
	u32 slow_seq;
	struct work_struct work;
	u8 *data;
	struct vbus_doorbell *bell;
};

/**
 * struct vbus_route - which event a vector raises
 * @native: the front
 * @target: as arg[1] of VBUS_FN_VECTOR; read without a lock
 */
struct vbus_route {
	struct vbus_native *native;
	u64 target;
};

/**
 * struct vbus_nslot - a slot, as the guest sees it
 * @lock: see the top of this file
 * @conn: what the guest has open, or NULL; RCU, written under @lock
 * @routes: one for each of its vectors
 */
struct vbus_nslot {
	struct mutex lock;	/* conn, routes */
	struct vbus_conn __rcu *conn;
	struct vbus_route *routes;
};

/**
 * struct vbus_native - the native front of a session
 * @ref: see the top of this file
 * @lock: likewise
 * @bus: referenced while connected
 * @session: while connected, else NULL; written under @lock, calls read it: they
 *	have ended by then
 * @owner: the session's
 * @close_work: ends it, for a thread that must not wait
 * @mem: the session's, likewise
 * @number: VBUS_NREG_BUS
 * @status: VBUS_NREG_STATUS
 * @nr_queues: event queues
 * @nr_pages: call pages
 * @wq: runs slow calls; of its own, so that a guest that makes many holds up nobody
 *	else's.  While connected, as are @pages and @slots
 * @queues: the queues
 * @pages: the pages
 * @slots: VBUS_MAX_SLOTS of them
 * @renamed: slots whose alias changed since the guest asked
 */
struct vbus_native {
	struct kref ref;
	struct mutex lock;	/* see the top of this file */
	struct vbus_bus *bus;
	struct vbus_session *session;
	struct pid *owner;
	struct work_struct close_work;
	struct vbus_mem *mem;
	u32 number;
	u32 status;
	u32 nr_queues;
	u32 nr_pages;
	struct workqueue_struct *wq;
	struct vbus_native_event_queue queues[VBUS_NATIVE_MAX_QUEUES];
	struct vbus_native_call_page *pages;
	struct vbus_nslot *slots;
	DECLARE_BITMAP(renamed, VBUS_MAX_SLOTS);
};

/* event.c */
void vbus_event_post(struct vbus_native *nv, u32 queue, u32 event);
int vbus_event_queue_start(struct vbus_native *nv, struct vbus_native_event_queue *eq);
void vbus_event_queue_stop(struct vbus_native_event_queue *eq);

/* call.c */
void vbus_call_page_init(struct vbus_native *nv, u32 index);
int vbus_call_page_start(struct vbus_native_call_page *cp);
void vbus_call_page_stop(struct vbus_native_call_page *cp);
void vbus_call_page_kick(void *call_page);

/* nslot.c: what calls do to devices; 0 or a negative errno */

/**
 * struct vbus_request - a slow call, copied from the guest
 * @func: VBUS_FN_*
 * @slot: below VBUS_MAX_SLOTS
 * @length: bytes of the request at @data
 * @answer: bytes of the answer at @data, 0 unless set
 * @arg: arguments
 * @value: of the answer, 0 unless set
 * @data: VBUS_CALL_DATA_SIZE bytes
 */
struct vbus_request {
	u32 func;
	u32 slot;
	u32 length;
	u32 answer;
	u64 arg[2];
	u64 value;
	u8 *data;
};

int vbus_nslot_request(struct vbus_native *nv, struct vbus_request *req);
int vbus_nslot_kick(struct vbus_native *nv, u32 slot, u64 queue);
void vbus_nslot_close(struct vbus_nslot *ns);

#endif /* _VBUS_NATIVE_PRIV_H */
