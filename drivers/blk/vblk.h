/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest disk driver: private types.
 *
 * Who may touch what:
 *   vbus_blk_queue	ring, counters, @dead: under its lock, with interrupts off
 *   vbus_blk_pdu	the thread that the block layer gave the request to, from queue_rq()
 *			until it is added to the ring; then the one that takes it out of it
 *   vbus_blk.dead	set once, by vbus_blk_kill(), under @kill_lock
 *
 * The host is not trusted: the length of a completion and a status are checked before
 * they are used, and a host that breaks the protocol loses the disk.
 */
#ifndef _VBLK_H
#define _VBLK_H

#include <linux/blk-mq.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <uapi/linux/vbus_blk.h>
#include <vbus/guest/bus.h>

struct dma_pool;

/* Segments of data in one request: 256 KiB if no page adjoins another. */
#define VBLK_MAX_SEGS	64

/*
 * Chains up to this length are put into the ring itself, which saves the host from
 * fetching a table: request, two segments, status.
 */
#define VBLK_DIRECT		4

#define VBLK_FEATURES \
	(VBUS_BLK_F_FLUSH | VBUS_BLK_F_DISCARD | VBUS_BLK_F_WRITE_ZEROES)

/* In sectors: their bytes are counted with a sign. */
#define VBLK_CAPACITY_MAX	(LLONG_MAX >> SECTOR_SHIFT)

/*
 * Larger blocks are no advice worth following, and sums of such sizes, which the block layer
 * makes, would wrap.
 */
#define VBLK_HINT_MAX	(64U << 20)

/* "poll63" */
#define VBLK_NAME		8

/* Counters: the order is that of the names in sysfs.c. */
enum {
	VBLK_REQUESTS,
	VBLK_KICKS,
	VBLK_SIGNALS,
	VBLK_POLLS,		/* looks at a ring without a signal that found some */
	VBLK_INDIRECT,	/* requests with a table */
	VBLK_ERRORS,
	VBLK_RETRIES,	/* the host was short of memory */
	VBLK_TIMEOUTS,
	VBLK_NR_STATS
};

/**
 * struct vbus_blk_cmd - what the host reads and writes of a request, besides data
 * @req: header
 * @status: only written if the request failed
 * @table: descriptors, if there are more than VBLK_DIRECT
 */
struct vbus_blk_cmd {
	struct vbus_blk_req req;
	struct vbus_blk_status status;
	__le32 pad[11];
	struct vbus_ring_desc table[VBLK_MAX_SEGS + 2];
};

/**
 * struct vbus_blk_pdu - our part of a request
 * @cmd: from vbus_blk.pool
 * @dma: where the host sees it
 * @data: bytes that a successful completion reports
 * @in_len: bytes that a failed one reports
 * @nr_sg: segments mapped
 * @result: once it was taken out of the ring
 * @sg: data
 */
struct vbus_blk_pdu {
	struct vbus_blk_cmd *cmd;
	dma_addr_t dma;
	u32 data;
	u32 in_len;
	int nr_sg;
	blk_status_t result;
	struct scatterlist sg[VBLK_MAX_SEGS];
};

/**
 * struct vbus_blk_queue - a queue of the device and its hardware context
 * @lock: the ring, and all here but @vb and @vq
 * @vq: the ring
 * @vb: the disk
 * @urgent: a FLUSH or a FUA write is among what was added and not published
 * @added: chains that were added and not published
 * @quiet: a kick is under way whose sender looks for the answer itself: no signals
 * @polled: completions raise no signal, the waiting task polls
 * @dead: takes no requests any more
 * @stat: VBLK_*
 */
struct vbus_blk_queue {
	spinlock_t lock;	/* ring, dead, stat */
	struct vproxy_queue *vq;
	struct vbus_blk *vb;
	bool urgent;
	bool quiet;
	unsigned int added;
	bool polled;
	bool dead;
	u64 stat[VBLK_NR_STATS];
} ____cacheline_aligned_in_smp;

/**
 * struct vbus_blk - a disk
 * @vdev: on the bus
 * @disk: block layer's half; the last one who has it open frees this struct
 * @tags: its requests
 * @pool: struct vbus_blk_cmd
 * @index: number in the name
 * @nr_queues: queues with signals
 * @nr_polled: queues without, after those
 * @queue: all of them
 * @kill_lock: one vbus_blk_kill() at a time
 * @dead: the device will answer nothing any more
 * @broken_work: the host broke the protocol
 * @serial: number, NUL terminated
 */
struct vbus_blk {
	struct vproxy_device *vdev;
	struct gendisk *disk;
	struct blk_mq_tag_set tags;
	struct dma_pool *pool;
	int index;
	unsigned int nr_queues;
	unsigned int nr_polled;
	struct vbus_blk_queue *queue;
	struct mutex kill_lock;	/* dead */
	bool dead;
	struct work_struct broken_work;
	char serial[VBUS_BLK_SERIAL_SIZE + 1];
};

/* main.c */
void vbus_blk_kill(struct vbus_blk *vb);

/* request.c */
extern const struct blk_mq_ops vbus_blk_mq_ops;
void vbus_blk_signal(struct vproxy_queue *vq);
void vbus_blk_abort(struct vbus_blk_queue *q);

/* sysfs.c */
extern const struct attribute_group *vbus_blk_groups[];

#endif /* _VBLK_H */
