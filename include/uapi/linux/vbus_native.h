/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The native front of a vbus bus: how a guest without PCI finds its devices.
 *
 * Per bus there is one window of VBUS_NATIVE_WINDOW_SIZE bytes and one interrupt for
 * each event queue.  The guest reads from the window what there is, gives the
 * device side memory for event queues and call pages, and starts it with STATUS.
 * After that it needs the window for nothing but the doorbells of its call pages:
 * devices are found by events, opened and programmed by calls, and each keeps the
 * register window of vbus_abi.h, which READ and WRITE calls reach.
 *
 * All that is shared is little-endian.  Both sides take each other for hostile:
 * what is read is read once and checked.
 */
#ifndef _UAPI_LINUX_VBUS_NATIVE_H
#define _UAPI_LINUX_VBUS_NATIVE_H

#include <linux/const.h>
#include <linux/types.h>

#define VBUS_NATIVE_WINDOW_SIZE	0x4000

/* Values of VBUS_NREG_MAGIC ("VBUN" read as bytes) and VBUS_NREG_VERSION. */
#define VBUS_NATIVE_MAGIC	0x4e554256
#define VBUS_NATIVE_VERSION	1

/*
 * Registers.  RO unless marked RW or WO; width in bits.  An access is naturally
 * aligned and as wide as the register, or half of a 64-bit register.
 */
#define VBUS_NREG_MAGIC		0x00	/* 32 */
#define VBUS_NREG_VERSION	0x04	/* 32 */
#define VBUS_NREG_NR_QUEUES	0x08	/* 32: event queues, 1..8 */
#define VBUS_NREG_NR_PAGES	0x0c	/* 32: call pages, 1..512 */
#define VBUS_NREG_NR_SLOTS	0x10	/* 32: slots run from 0 to this minus 1 */
#define VBUS_NREG_BUS		0x14	/* 32: number of the bus in this VMM */
/*
 * 32 RW.  0 resets: every device is closed, nothing of the guest's memory is
 * touched after the write; the registers below read 0 again.  VBUS_NATIVE_RUNNING starts:
 * it reads back only if queue 0, at least one page, and everything else that is
 * enabled could be reached.
 */
#define VBUS_NREG_STATUS	0x18
#define VBUS_NATIVE_RUNNING	0x1

/*
 * 64 RW while STATUS is 0: guest address of a struct vbus_event_queue or a
 * struct vbus_call_page, both in one page of 4096 bytes, aligned to that; bit 0
 * enables it.
 */
#define VBUS_NREG_QUEUE(i)	(0x100 + (i) * 8)
#define VBUS_NREG_PAGE(i)	(0x1000 + (i) * 8)
#define VBUS_NATIVE_ENABLE	0x1
#define VBUS_NATIVE_PAGE_SIZE	4096

#define VBUS_NATIVE_MAX_QUEUES	8
#define VBUS_NATIVE_MAX_PAGES	512
#define VBUS_NATIVE_MAX_SLOTS	256

/* 32 WO, any value: there is a call in page i. */
#define VBUS_NREG_DOORBELL(i)	(0x2000 + (i) * 4)
/* 32 WO, any value: nobody listens; what an exit costs by itself. */
#define VBUS_NREG_IDLE_DOORBELL	0x3000

/*
 * Events.  An event is a number below VBUS_NR_NEVENTS in one of the queues, and is
 * pending or not: a second one before the guest has seen the first adds nothing.
 * So there is nothing that could overflow.
 *
 * The device raises event e:	set bit e % 64 of pending[e / 64]; if it was clear,
 *				set bit e / 64 of select; if select was 0, interrupt.
 * The guest takes them:	exchange select with VBUS_NEVENT_BUSY, exchange each word of
 *				pending that was selected with 0, handle what was there;
 *				again until compare-and-exchange of select from
 *				VBUS_NEVENT_BUSY to 0 succeeds.
 *
 * All four are atomic 64-bit accesses with a full barrier.  While VBUS_NEVENT_BUSY
 * is set no interrupt comes, so a guest that keeps it set polls.
 */
#define VBUS_NEVENT_WORDS	63
#define VBUS_NR_NEVENTS		(VBUS_NEVENT_WORDS * 64)
#define VBUS_NEVENT_BUSY		_BITULL(63)

/**
 * struct vbus_event_queue - pending events; guest memory, zero before STATUS is set
 * @select: bit w: look at pending[w]; bit 63: the guest is looking
 * @reserved: zero
 * @pending: the events
 */
struct vbus_event_queue {
	__le64 select;
	__le64 reserved[7];
	__le64 pending[VBUS_NEVENT_WORDS];
};

/*
 * Events of queue 0 with a meaning of their own; all others belong to vectors, see
 * VBUS_FN_VECTOR.  When STATUS is set, the events of slots that hold a device are
 * raised.
 */
#define VBUS_NEVENT_SLOT(s)	(s)		/* ask VBUS_FN_SLOT what is new */
#define VBUS_NEVENT_CALL(i)	(256 + (i))	/* the slow call in page i is done */
#define VBUS_NEVENT_FREE	768		/* the first that vectors of queue 0 may use */

/**
 * struct vbus_call - a request and its answer
 * @seq: number of the request; the guest writes it last, different from @done
 * @func: VBUS_FN_*
 * @flags: zero
 * @slot: the slot concerned
 * @length: slow calls: bytes of data that belong to the request
 * @arg: as the function says
 * @done: @seq of the request that this answers; the device writes it last
 * @result: 0, or an error: the numbers of asm-generic/errno.h
 * @value: as the function says
 * @reserved: zero
 *
 * The guest may not touch the request between writing @seq and seeing it in @done.
 */
struct vbus_call {
	__le32 seq;
	__le16 func;
	__le16 flags;
	__le32 slot;
	__le32 length;
	__le64 arg[2];
	__le32 done;
	__le32 result;
	__le64 value;
	__le64 reserved[2];
};

#define VBUS_CALL_DATA_SIZE	(VBUS_NATIVE_PAGE_SIZE - 128)

/**
 * struct vbus_call_page - one page for each CPU, if there are as many
 * @fast: answered when the write to the doorbell has completed
 * @slow: answered some time later, with event VBUS_NEVENT_CALL
 * @data: of the slow call
 *
 * One doorbell is for both; zero before STATUS is set.
 */
struct vbus_call_page {
	struct vbus_call fast;
	struct vbus_call slow;
	__u8 data[VBUS_CALL_DATA_SIZE];
};

/* Fast functions.  EOPNOTSUPP: unknown here. */
#define VBUS_FN_NOP		0x00	/* nothing */
#define VBUS_FN_KICK		0x01	/* kick queue arg[0]; ENODEV */

/*
 * Slow functions.  ENODEV: not open, or gone; EINVAL: bad argument.
 *
 * VBUS_FN_SLOW_NOP	nothing
 * VBUS_FN_SLOT		data: struct vbus_slot_info
 * VBUS_FN_OPEN		open the device with plug count arg[0].  ENOENT: none there;
 *			ESTALE: another one; EBUSY: it is open already
 * VBUS_FN_CLOSE	reset and close; if the admin wants it back, it is free now
 * VBUS_FN_READ		arg[1] bytes of the device's window at arg[0] into data; value:
 *			their number
 * VBUS_FN_WRITE	length bytes of data into the window at arg[0]
 * VBUS_FN_VECTOR	signals of vector arg[0] become event arg[1] & 0xffffffff of queue
 *			arg[1] >> 32; VBUS_NO_VECTOR for the event: nowhere
 */
#define VBUS_FN_SLOW_NOP	0x100
#define VBUS_FN_SLOT		0x101
#define VBUS_FN_OPEN		0x102
#define VBUS_FN_CLOSE		0x103
#define VBUS_FN_READ		0x104
#define VBUS_FN_WRITE		0x105
#define VBUS_FN_VECTOR		0x106

/**
 * struct vbus_slot_info - what VBUS_FN_SLOT tells
 * @flags: VBUS_SLOT_*
 * @class_id: VBUS_CLASS_* of the device, 0 without one
 * @plugs: number that no other plugging of a device into this slot has, as long as
 *	the bus runs; not 0 if there is a device
 * @reserved: zero
 */
struct vbus_slot_info {
	__le32 flags;
	__le32 class_id;
	__le32 plugs;
	__le32 reserved;
};

#define VBUS_SLOT_PRESENT	0x1	/* there is a device */
#define VBUS_SLOT_OPEN		0x2	/* opened by this guest, and still there */
#define VBUS_SLOT_UNPLUG	0x4	/* the admin wants it back: close it */
#define VBUS_SLOT_ALIAS		0x8	/* the alias has changed since VBUS_FN_SLOT said so */

#endif /* _UAPI_LINUX_VBUS_NATIVE_H */
