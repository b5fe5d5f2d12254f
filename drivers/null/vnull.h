/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of vbus-null, and who may touch what.
 *
 * vnull->lock is held for the length of a run, which is alone with the ring: it
 * adds and reaps in process context, but for a flood, where the tasklet does both
 * between being scheduled and being killed by the run.  A signal that comes at any
 * time reads the ring at most, under @signal_lock.
 *
 * @dead is set once and read by everyone: no run starts any more, and one that
 * waits is woken.  Removal waits for the run by removing its file.
 */
#ifndef _VNULL_H
#define _VNULL_H

#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <vbus/guest/bus.h>

/* Most samples of a run, or chains of a throughput. */
#define VNULL_MAX_COUNT		1000000

/* Longest flood, in ms. */
#define VNULL_MAX_FLOOD		600000

/**
 * struct vnull_result - what a run has found out; all times in ns
 * @what: was measured; NULL: there is no result
 * @count: measurements, or chains
 * @batch: chains made visible at once, for a throughput
 * @rate: it is a throughput: @mean is for one chain, and there is @per_second
 * @quantiles: there are @min to @max
 * @min: shortest
 * @median: half of them took no longer
 * @p99: 99 of 100 took no longer
 * @max: longest
 * @mean: of all
 * @per_second: chains
 */
struct vnull_result {
	const char *what;
	u64 count;
	u32 batch;
	bool rate;
	bool quantiles;
	u64 min;
	u64 median;
	u64 p99;
	u64 max;
	u64 mean;
	u64 per_second;
};

/**
 * struct vnull - a device
 * @vdev: on the bus
 * @vq: the one queue that is used
 * @dma: address of @page for the device
 * @page: what chains point to; nobody reads or writes it
 * @dir: in debugfs
 * @lock: held by a run
 * @wait: the run, while it sleeps
 * @dead: no completion will come any more
 * @signal_lock: guards @armed and @stamp
 * @armed: somebody wants to know of the next completion
 * @stamp: when it was signalled
 * @flooding: signals go to @flood
 * @flood: takes a chain back and adds another
 * @flooded: chains it has taken back
 * @result_lock: guards @result
 * @result: of the last run
 */
struct vnull {
	struct vproxy_device *vdev;
	struct vproxy_queue *vq;
	dma_addr_t dma;
	void *page;
	struct dentry *dir;

	struct mutex lock;	/* one run at a time */
	wait_queue_head_t wait;
	bool dead;

	spinlock_t signal_lock;	/* armed, stamp */
	bool armed;
	u64 stamp;

	bool flooding;
	struct tasklet_struct flood;
	u64 flooded;

	struct mutex result_lock;	/* result */
	struct vnull_result result;
};

/* main.c */
int vnull_command(struct vnull *nd, char *text);

/* measure.c */
void vnull_signal(struct vproxy_queue *vq);
void vnull_flood_serve(struct tasklet_struct *t);
int vnull_measure(struct vnull *nd, const char *what, u32 count, u32 batch,
		  struct vnull_result *res);

#endif /* _VNULL_H */
