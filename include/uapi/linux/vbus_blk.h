/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Class "blk": a disk.
 *
 * Queues are independent of each other; the guest enables any of them, at least
 * one.  Requests complete in any order.
 *
 * A request is one chain of these segments, in this order:
 *
 *   a struct vbus_blk_req, alone in a readable segment of just its size
 *   WRITE: readable segments with the data
 *   READ: writable segments for the data
 *   a struct vbus_blk_status, alone in a writable segment of just its size
 *
 * The length of the completion tells how it went.  Success: the number of bytes
 * read, or 0 for other operations; the status is not written.  Failure: the sum of
 * all writable segments; the status says why, and what data was read is undefined.
 * A host that answers anything else is broken.
 *
 * A chain that does not begin and end like that can't be answered: it breaks the
 * device (NEEDS_RESET).  Every other mistake is answered by a status and leaves the
 * queue working.
 *
 * Order: requests in flight together are carried out in any order.  Without
 * VBUS_BLK_F_FLUSH offered or accepted a write that has completed is on stable
 * storage.  With it, it may be in a volatile cache: a FLUSH covers all writes
 * that completed before it was published, and a WRITE with VBUS_BLK_REQ_FUA
 * completes only when its own data is on stable storage.
 */
#ifndef _UAPI_LINUX_VBUS_BLK_H
#define _UAPI_LINUX_VBUS_BLK_H

#include <linux/const.h>
#include <linux/types.h>

#define VBUS_BLK_VERSION	1

/* Sectors are of this size in all of the protocol, whatever the block size. */
#define VBUS_BLK_SECTOR_SHIFT	9

/* Feature bits. */
#define VBUS_BLK_F_FLUSH	_BITULL(0)	/* has a volatile cache: FLUSH, FUA */
#define VBUS_BLK_F_DISCARD	_BITULL(1)	/* takes DISCARD */
#define VBUS_BLK_F_WRITE_ZEROES	_BITULL(2)	/* takes WRITE_ZEROES */

/* vbus_blk_config.flags */
#define VBUS_BLK_READ_ONLY	0x1	/* refuses everything that writes */
#define VBUS_BLK_ROTATIONAL	0x2	/* a seek costs */

#define VBUS_BLK_SERIAL_SIZE	64

/* Most queues of a disk. */
#define VBUS_BLK_MAX_QUEUES	64

/**
 * struct vbus_blk_config - config space of a disk (read-only)
 * @capacity: in sectors; a change raises the config signal
 * @flags: VBUS_BLK_READ_ONLY, VBUS_BLK_ROTATIONAL
 * @logical_block_size: bytes, a power of two from 512 to 4096; what a request
 *	covers begins and ends at a multiple
 * @physical_block_size: bytes, a power of two, at least @logical_block_size
 * @io_min: best size of small random requests in bytes, 0 unknown
 * @io_opt: best size of long requests in bytes, 0 unknown
 * @data_max: most bytes of data in one request
 * @data_align: power of two, at most @logical_block_size; data whose segments begin
 *	and end at multiples of it is not copied
 * @discard_max: most sectors in one DISCARD
 * @discard_align: granularity of DISCARD in sectors
 * @zeroes_max: most sectors in one WRITE_ZEROES
 * @nr_queues: number of queues, 1..VBUS_BLK_MAX_QUEUES
 * @reserved: zero
 * @serial: serial number, NUL padded; all zero: none
 */
struct vbus_blk_config {
	__le64 capacity;
	__le32 flags;
	__le32 logical_block_size;
	__le32 physical_block_size;
	__le32 io_min;
	__le32 io_opt;
	__le32 data_max;
	__le32 data_align;
	__le32 discard_max;
	__le32 discard_align;
	__le32 zeroes_max;
	__le32 nr_queues;
	__le32 reserved[3];
	__u8 serial[VBUS_BLK_SERIAL_SIZE];
};

/* vbus_blk_req.op */
#define VBUS_BLK_OP_READ	0
#define VBUS_BLK_OP_WRITE	1
#define VBUS_BLK_OP_FLUSH	2	/* needs F_FLUSH */
#define VBUS_BLK_OP_DISCARD	3	/* needs F_DISCARD; contents undefined after */
#define VBUS_BLK_OP_WRITE_ZEROES 4	/* needs F_WRITE_ZEROES */

/* vbus_blk_req.flags */
#define VBUS_BLK_REQ_FUA	0x1	/* WRITE, WRITE_ZEROES; needs F_FLUSH */
#define VBUS_BLK_REQ_NOUNMAP	0x2	/* WRITE_ZEROES: keep the space allocated */

/**
 * struct vbus_blk_req - what is to be done
 * @op: VBUS_BLK_OP_*
 * @flags: VBUS_BLK_REQ_*
 * @nr_sectors: DISCARD, WRITE_ZEROES: how many; else zero
 * @sector: first sector; FLUSH: zero
 */
struct vbus_blk_req {
	__le16 op;
	__le16 flags;
	__le32 nr_sectors;
	__le64 sector;
};

/* vbus_blk_status.status */
#define VBUS_BLK_S_IOERR	1	/* the storage failed */
#define VBUS_BLK_S_UNSUPP	2	/* no such operation, or not on this storage */
#define VBUS_BLK_S_INVAL	3	/* badly made: alignment, length, flags */
#define VBUS_BLK_S_RANGE	4	/* beyond the end of the disk */
#define VBUS_BLK_S_READ_ONLY	5	/* the disk may not be written */
#define VBUS_BLK_S_NOSPC	6	/* the storage is full */
#define VBUS_BLK_S_FAULT	7	/* data is not in guest memory */
#define VBUS_BLK_S_MEDIUM	8	/* these sectors can't be read or written */
#define VBUS_BLK_S_GONE		9	/* the storage is not there any more */
#define VBUS_BLK_S_RESOURCE	10	/* the host is short of memory; try again */
#define VBUS_BLK_S_TIMEOUT	11	/* the storage does not answer */

/**
 * struct vbus_blk_status - why a request failed
 * @status: VBUS_BLK_S_*; a driver takes what it does not know for IOERR
 */
struct vbus_blk_status {
	__le32 status;
};

#endif /* _UAPI_LINUX_VBUS_BLK_H */
