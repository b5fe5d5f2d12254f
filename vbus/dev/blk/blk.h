/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Host model "blk": private types.
 *
 * A request is one chain of a queue, and has the struct vdm_blk_req with the
 * chain's id from when the chain is taken until its completion is staged:
 *
 *	queue.c		vdm_blk_take(): takes the chain, owns the request's slot
 *	request.c	copies and checks what the guest asks for, chooses ->execute,
 *			finds the guest's pages
 *	io_bdev.c, io_file.c	carry it out, by ->execute
 *	queue.c		vdm_blk_end(): collects what has ended
 *	serve.c		calls vdm_blk_take() for all there is, completes chains, signals
 *
 * Who may touch what:
 *	vdm_blk_queue.segs	the thread that serves the queue: the core sees to it that
 *				there is one at a time
 *	vdm_blk_queue.q->ring	under vdm_blk_queue.lock
 *	vdm_blk_req		who serves, until ->execute was called; then who carries
 *				it out, until vdm_blk_end(); then the flush
 *	vdm_blk.config		dev->config_lock of the core
 *	attributes		dev->lock; they do not change while enabled
 *	vdm_blk.backing		set and cleared by enable and disable, which no
 *				connection outlives
 *
 * Guest memory of a request is pinned by its ref until vdm_blk_end().
 */
#ifndef _VDM_BLK_H
#define _VDM_BLK_H

#include <linux/bio.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/spinlock.h>
#include <linux/vbus_blk.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <vbus/host/model.h>

#define VDM_BLK_RING_MAX	1024

/* Segments of data; beside them a request and a status. */
#define VDM_BLK_DATA_SEGS	64
#define VDM_BLK_SEG_MAX		(VDM_BLK_DATA_SEGS + 2)

/* 64 segments seldom are more than single pages, which make 256 KiB. */
#define VDM_BLK_DATA_MAX	(512U << 10)

/* Each segment may begin and end inside a page, and pages need not adjoin. */
#define VDM_BLK_VECS		(VDM_BLK_DATA_MAX / PAGE_SIZE + 2 * VDM_BLK_DATA_SEGS)
/* Of these a request has so many itself: 16 KiB in single pages. */
#define VDM_BLK_INLINE_VECS	4

/* Guests know no larger blocks. */
#define VDM_BLK_LOGICAL_MAX	4096U

/*
 * Of copies at a time in a queue, in pages: 4 MiB.  What a guest makes us copy it makes us
 * allocate; a VMM without a limit of memory is not to make us allocate without end.
 */
#define VDM_BLK_BOUNCE_MAX	1024

/* One gigabyte at a time is enough to ask of DISCARD and WRITE_ZEROES, in sectors. */
#define VDM_BLK_RANGE_MAX	(1U << (30 - VBUS_BLK_SECTOR_SHIFT))

/* Zeroes that may have to be written are, so many sectors at a time: 16 MiB. */
#define VDM_BLK_ZERO_STEP	(1U << (24 - VBUS_BLK_SECTOR_SHIFT))

enum vdm_blk_stat {
	VDM_BLK_READS,
	VDM_BLK_READ_BYTES,
	VDM_BLK_WRITES,
	VDM_BLK_WRITE_BYTES,
	VDM_BLK_FLUSHES,
	VDM_BLK_DISCARDS,
	VDM_BLK_ZEROES,
	VDM_BLK_ERRORS,		/* a status other than success */
	VDM_BLK_DEFERRED,	/* would have waited: handed to a work item */
	VDM_BLK_BOUNCED,	/* data was copied, for its alignment */
	VDM_BLK_SIGNALS,
	VDM_BLK_SERVED,		/* runs over the ring in a work item */
	VDM_BLK_SERVED_BY_VCPU,	/* the same, inline */
	VDM_BLK_NR_STATS,
};

struct vdm_blk;
struct vdm_blk_bounce;
struct vdm_blk_queue;

/**
 * struct vdm_blk_req - a request in flight
 * @done: on vdm_blk_queue.done
 * @bq: the queue
 * @busy: the slot is in use; under vdm_blk_queue.lock
 * @deferred: it was handed to a work item
 * @bounced: its data was copied
 * @ended: a read that has ended, but for the copy to the guest, which @work makes
 * @op: VBUS_BLK_OP_*, below VBUS_BLK_NR_OPS
 * @flags: VBUS_BLK_REQ_*
 * @status: 0 or VBUS_BLK_S_*
 * @id: of the chain
 * @in_len: all its writable bytes, the status included
 * @sector: first sector
 * @len: bytes of data; of DISCARD and WRITE_ZEROES, bytes they are about
 * @pos: bytes of @len that are done, for a file
 * @waited: how long, at most, it was in the ring without a kick, in ns
 * @status_addr: where the guest wants the status
 * @execute: carries it out; see struct vdm_blk_ops
 * @nr_bv: entries of @bv
 * @bv: the data's pages: @vecs, or @more
 * @more: VDM_BLK_VECS entries, kept for the next request in this slot
 * @ref: keeps guest pages
 * @bounce: copies of the data, or NULL
 * @work: carries it out where it may wait, or ends it
 * @bio: for a block device
 * @iocb: for a file
 * @vecs: for short requests
 */
struct vdm_blk_req {
	struct llist_node done;
	struct vdm_blk_queue *bq;
	bool busy;
	bool deferred;
	bool bounced;
	bool ended;
	u8 op;
	u8 flags;
	u8 status;
	u32 id;
	u32 in_len;
	u64 sector;
	u64 len;
	u32 pos;
	u32 waited;
	u16 nr_bv;
	u64 status_addr;
	int (*execute)(struct vdm_blk_req *req, bool nowait);
	struct bio_vec *bv;
	struct bio_vec *more;
	struct vbus_mem_ref ref;
	struct vdm_blk_bounce *bounce;
	struct work_struct work;
	union {
		struct bio bio;
		struct kiocb iocb;
	};
	struct bio_vec vecs[VDM_BLK_INLINE_VECS];
};

#define VBUS_BLK_NR_OPS		(VBUS_BLK_OP_WRITE_ZEROES + 1)

/**
 * struct vdm_blk_ops - a kind of backing
 * @execute: by VBUS_BLK_OP_*.  The request is checked and its pages are found.
 *	With @nowait it must not wait for anything but memory.  Process context.
 *	Returns 0, and then vdm_blk_end() is called for the request once, by anybody
 *	at any time; or -EAGAIN, only with @nowait: to be called again without.
 * @size: bytes there are now; process context
 * @gone: is the storage not there any more?  Any context.
 */
struct vdm_blk_ops {
	int (*execute[VBUS_BLK_NR_OPS])(struct vdm_blk_req *req, bool nowait);
	u64 (*size)(struct vdm_blk *blk);
	bool (*gone)(struct vdm_blk *blk);
};

/**
 * struct vdm_blk_limits - what the backing can do
 * @logical: block size
 * @physical: block size
 * @io_min: as vbus_blk_config, as is @io_opt
 * @io_opt: 0 unknown
 * @data_max: bytes in one request
 * @segs: segments of data in one request
 * @align: of pages; data that is not aligned is bounced
 * @discard_max: sectors, 0: not at all
 * @discard_align: sectors
 * @zeroes_max: sectors, 0: not at all
 * @cache: has a volatile cache
 * @rotational: a seek costs
 * @nowait: a file: can be asked not to wait
 * @stable: data must not change while it is written: it is bounced
 */
struct vdm_blk_limits {
	u32 logical;
	u32 physical;
	u32 io_min;
	u32 io_opt;
	u32 data_max;
	u32 segs;
	u32 align;
	u32 discard_max;
	u32 discard_align;
	u32 zeroes_max;
	bool cache;
	bool rotational;
	bool nowait;
	bool stable;
};

/* What a queue counts: runs by who serves, all else under vdm_blk_queue.lock. */
struct vdm_blk_stats {
	u64 v[VDM_BLK_NR_STATS];
} ____cacheline_aligned_in_smp;

/* Who serves a queue: see place.c. */
enum vdm_blk_who {
	VDM_BLK_WORKER,
	VDM_BLK_INLINE,		/* the vCPU thread that kicked */
	VDM_BLK_NR_WHO,
};

/**
 * struct vdm_blk_place - who serves a queue, see place.c
 * @who: serves it now
 * @trying: for one window, to see whether that is faster
 * @rounds: windows since the other one was tried
 * @rounds_max: until it is tried again
 * @n: requests in this window
 * @last: when there was one last
 * @start: of the window
 * @cost: ns a request, last seen
 */
struct vdm_blk_place {
	enum vdm_blk_who who;
	bool trying;
	unsigned int rounds;
	unsigned int rounds_max;
	unsigned int n;
	u64 last;
	u64 start;
	u64 cost[VDM_BLK_NR_WHO];
};

/*
 * No request waits longer than this for moderation, see moderation.c: ten times what a
 * wake-up and two exits cost on current machines, and what fast storage takes for five
 * requests.  Of this, VDM_BLK_MOD_KICK_NS at most until it is looked for without a kick.
 */
#define VDM_BLK_MOD_NS		(100 * NSEC_PER_USEC)
#define VDM_BLK_MOD_KICK_NS	(VDM_BLK_MOD_NS / 2)

/**
 * struct vdm_blk_mod - moderation of a queue, see moderation.c
 * @batch: requests after which the guest kicks, and is signalled
 * @before: the same before it was raised; 0: it was not, or was lowered since
 * @step: by how many it is raised
 * @fills: how often the guest has filled a batch in time
 * @fills_max: until it is raised
 */
struct vdm_blk_mod {
	unsigned int batch;
	unsigned int before;
	unsigned int step;
	unsigned int fills;
	unsigned int fills_max;
};

/* When is the guest signalled of what has ended? */
enum vdm_blk_when {
	VDM_BLK_NOW,
	VDM_BLK_LATER,	/* when it has waited for VDM_BLK_MOD_NS */
	VDM_BLK_MOST,	/* the same, or if it is most of what is in flight */
};

/**
 * struct vdm_blk_queue - a queue, from start to stop
 * @q: the core's
 * @blk: the device
 * @mem: guest memory
 * @stats: its counters
 * @features: accepted by the guest
 * @sync: every write has to be on stable storage when it completes
 * @nr_reqs: of @reqs: the ring's size
 * @reqs: by the id of the chain
 * @segs: of the chain at hand; of who serves, as are the next two
 * @slots: of the ring, that the last chain took
 * @place: who should serve
 * @mod: how large batches are
 * @lock: the ring, which slots are busy, and what follows up to @waited
 * @inflight: slots that are
 * @unsignalled: completions the guest can see, but was not signalled of
 * @deadline: when it has to be, in ns of CLOCK_MONOTONIC, as the next two
 * @timer_at: when @timer comes
 * @since: when the guest was last asked to kick
 * @armed: @timer runs, or its callback is about to
 * @batching: the guest kicks for several chains only
 * @waited: how long, at most, a chain taken now was there without a kick, in ns
 * @starved: the guest has not filled a batch: set by the timer, cleared by the worker
 * @dead: the guest broke the protocol
 * @server: serves, and completes what ends in its context
 * @done: requests that have ended
 * @bounce_pages: of copies
 * @work: completes what has ended elsewhere
 * @timer: ends moderation
 * @idle: woken when nothing is in flight and @stopping
 * @stopping: see vdm_blk_queues_stop()
 */
struct vdm_blk_queue {
	struct vbus_queue *q;
	struct vdm_blk *blk;
	struct vbus_mem *mem;
	struct vdm_blk_stats *stats;
	u64 features;
	bool sync;
	u32 nr_reqs;
	struct vdm_blk_req *reqs;
	struct ioq_seg segs[VDM_BLK_SEG_MAX];
	u32 slots;
	struct vdm_blk_place place;
	struct vdm_blk_mod mod;

	spinlock_t lock ____cacheline_aligned_in_smp;	/* the ring */
	u32 inflight;
	u32 unsignalled;
	u64 deadline;
	u64 timer_at;
	u64 since;
	bool armed;
	bool batching;
	u32 waited;
	bool starved;
	bool dead;
	struct task_struct *server;
	struct llist_head done;
	atomic_t bounce_pages;
	struct irq_work work;
	struct hrtimer timer;
	bool stopping;
	wait_queue_head_t idle;
};

/**
 * struct vdm_blk - a device
 * @dev: core's half
 * @path: attribute, as are the following up to @queues
 * @serial: NUL padded
 * @readonly: refuse to write
 * @direct: past the page cache; for files
 * @discard: offer DISCARD
 * @write_through: show no volatile cache
 * @logical_block_size: 0: the backing's
 * @physical_block_size: 0: the backing's
 * @queues: number
 * @wq: for requests that wait, as all below while enabled
 * @ops: of the backing
 * @bdev: block device, or NULL
 * @file: regular file, or NULL
 * @wb_err: where the file's record of failed write-backs stood when it was opened
 * @lost: 0, or the first errno that says that not all of the file may be on storage;
 *	see vdm_blk_file_lost()
 * @file_node: on the list of files
 * @limits: of the backing, attributes applied
 * @capacity: sectors; written under dev->config_lock, read without
 * @config: config space
 * @stats: one for each queue
 */
struct vdm_blk {
	struct vbus_device dev;
	char *path;
	char serial[VBUS_BLK_SERIAL_SIZE];
	bool readonly;
	bool direct;
	bool discard;
	bool write_through;
	u32 logical_block_size;
	u32 physical_block_size;
	u32 queues;

	struct workqueue_struct *wq;
	const struct vdm_blk_ops *ops;
	struct block_device *bdev;
	struct file *file;
	errseq_t wb_err;
	int lost;
	struct list_head file_node;
	struct vdm_blk_limits limits;
	u64 capacity;
	struct vbus_blk_config config;
	struct vdm_blk_stats *stats;
};

static inline struct vdm_blk *to_vdm_blk(struct vbus_device *dev)
{
	return container_of(dev, struct vdm_blk, dev);
}

/* main.c */
int vdm_blk_rescan(struct vdm_blk *blk);

/* configfs.c */
extern struct configfs_attribute *vdm_blk_attrs[];
void vdm_blk_set_defaults(struct vdm_blk *blk, const char *name);

/* queue.c */
int vdm_blk_queue_start(struct vdm_blk *blk, struct vbus_queue *q,
			u64 features);
void vdm_blk_queues_stop(struct vbus_conn *conn, u32 nr);
bool vdm_blk_take(struct vdm_blk_queue *bq, enum vdm_blk_who who);
void vdm_blk_put(struct vdm_blk_queue *bq, struct vdm_blk_req *req);
void vdm_blk_broken(struct vdm_blk_queue *bq, const char *why);
void vdm_blk_end(struct vdm_blk_req *req, u8 status);
void vdm_blk_defer(struct vdm_blk_req *req);

/* serve.c */
bool vdm_blk_serve(struct vbus_queue *q, bool nowait);
bool vdm_blk_flush(struct vdm_blk_queue *bq, enum vdm_blk_when when);
void vdm_blk_flush_work(struct irq_work *work);
enum hrtimer_restart vdm_blk_timer(struct hrtimer *timer);

/* place.c */
void vdm_blk_place_init(struct vdm_blk_place *place);
void vdm_blk_place_count(struct vdm_blk_place *place, enum vdm_blk_who who,
			 unsigned int n);
void vdm_blk_place_retry(struct vdm_blk_place *place);

/* moderation.c */
void vdm_blk_mod_init(struct vdm_blk_mod *mod);
unsigned int vdm_blk_mod_kick_after(const struct vdm_blk_mod *mod,
				    unsigned int unsignalled,
				    unsigned int inflight);
bool vdm_blk_mod_full(struct vdm_blk_mod *mod, unsigned int sent);
bool vdm_blk_mod_short(struct vdm_blk_mod *mod);

/* request.c */
int vdm_blk_parse(struct vdm_blk_req *req, const struct ioq_chain *chain);
u8 vdm_blk_status(blk_status_t status);

/* bounce.c */
int vdm_blk_more_vecs(struct vdm_blk_req *req);
int vdm_blk_bounce(struct vdm_blk_req *req, const struct ioq_seg *segs, u32 nr);
bool vdm_blk_bounce_later(const struct vdm_blk_req *req, u8 status);
u8 vdm_blk_bounce_end(struct vdm_blk_req *req, u8 status);

/* backing.c */
int vdm_blk_backing_open(struct vdm_blk *blk);
u64 vdm_blk_backing_size(struct vdm_blk *blk);
void vdm_blk_backing_close(struct vdm_blk *blk);

/* io_bdev.c, io_file.c */
extern const struct vdm_blk_ops vdm_blk_bdev_ops;
extern const struct vdm_blk_ops vdm_blk_file_ops;
bool vdm_blk_bdev_nowait(struct block_device *bdev);
void vdm_blk_bdev_limits(struct vdm_blk *blk, struct vdm_blk_limits *lim);
int vdm_blk_file_limits(struct vdm_blk *blk, struct vdm_blk_limits *lim);
int vdm_blk_file_lost(struct vdm_blk *blk, int err);

#endif /* _VDM_BLK_H */
