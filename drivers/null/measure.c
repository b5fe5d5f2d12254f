// SPDX-License-Identifier: GPL-2.0
/*
 * What a run does: the loops, and the arithmetic on their samples.
 *
 * Every loop looks between two measurements whether it should go on, and sleeps only
 * where a signal, a kill or the end of the device wakes it: how long a run takes is
 * up to the host, but not whether it can be ended.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "vnull.h"

/* Bytes of a chain.  The host does not look at them. */
#define VNULL_LEN	64

/* How long a throughput polls for a completion before it asks for a signal. */
#define VNULL_POLL_NS	(20 * NSEC_PER_USEC)

/**
 * struct vnull_run - a run
 * @nd: the device
 * @what: is measured
 * @count: how often
 * @batch: chains at once
 * @samples: time each took, or each batch for one chain
 * @nr_samples: entries of @samples
 * @total: time of all
 * @chains: of a throughput
 */
struct vnull_run {
	struct vnull *nd;
	const struct vnull_kind *what;
	u32 count;
	u32 batch;
	u64 *samples;
	u32 nr_samples;
	u64 total;
	u64 chains;
};

/**
 * struct vnull_kind - something that can be measured
 * @name: as userspace calls it
 * @measure: does all of it
 * @once: for vnull_calls(): what is to be timed
 * @transport: for vnull_transport_once()
 * @batches: takes a size of batches, which then are its samples
 * @timed: runs for "count" ms, and has no samples
 */
struct vnull_kind {
	const char *name;
	int (*measure)(struct vnull_run *run);
	int (*once)(struct vnull_run *run);
	enum vproxy_measure transport;
	bool batches;
	bool timed;
};

/* --- signals --- */

/* Interrupts are off. */
void vnull_signal(struct vproxy_queue *vq)
{
	struct vnull *nd = vq->priv;
	unsigned long flags;

	if (READ_ONCE(nd->flooding)) {
		tasklet_schedule(&nd->flood);
		return;
	}
	/*
	 * One that is late, or not for this queue, finds nothing.  The clock is read
	 * when the completion was seen, so never before its chain was added.
	 */
	spin_lock_irqsave(&nd->signal_lock, flags);
	if (nd->armed && ioq_north_pending(&vq->ring)) {
		nd->stamp = ktime_get_ns();
		WRITE_ONCE(nd->armed, false);
		wake_up(&nd->wait);
	}
	spin_unlock_irqrestore(&nd->signal_lock, flags);
}

/* Return: the value before; from here on no signal touches @stamp. */
static bool vnull_arm(struct vnull *nd, bool arm)
{
	unsigned long flags;
	bool was;

	spin_lock_irqsave(&nd->signal_lock, flags);
	was = nd->armed;
	WRITE_ONCE(nd->armed, arm);
	spin_unlock_irqrestore(&nd->signal_lock, flags);
	return was;
}

/* Should the run go on? */
static int vnull_check(struct vnull *nd)
{
	if (READ_ONCE(nd->dead) || vproxy_device_gone(nd->vdev))
		return -ENODEV;
	if (ioq_north_broken(&nd->vq->ring))
		return -EIO;
	return signal_pending(current) ? -EINTR : 0;
}

static int vnull_pause(struct vnull *nd)
{
	cond_resched();
	return vnull_check(nd);
}

/* Sleep until a signal that was armed for has come. */
static int vnull_sleep(struct vnull *nd)
{
	wait_event_interruptible(nd->wait,
				 !READ_ONCE(nd->armed) || READ_ONCE(nd->dead));
	return vnull_arm(nd, false) ? vnull_check(nd) : 0;
}

/* --- the ring --- */

static int vnull_add(struct vnull *nd)
{
	const struct ioq_seg seg = {
		.addr = nd->dma,
		.len = VNULL_LEN,
	};

	return ioq_north_add(&nd->vq->ring, &seg, 1, nd);
}

static bool vnull_reap(struct vnull *nd)
{
	u32 len;

	return ioq_north_get(&nd->vq->ring, &len);
}

/* Sleep until there is a completion. */
static int vnull_wait(struct vnull *nd)
{
	int err = vnull_check(nd);

	if (err)
		return err;
	vnull_arm(nd, true);
	if (ioq_north_enable_signals(&nd->vq->ring, 1))
		return vnull_sleep(nd);
	vnull_arm(nd, false);
	return 0;
}

/* Take back all that is out. */
static int vnull_drain(struct vnull *nd)
{
	int err;

	for (;;) {
		while (vnull_reap(nd))
			;
		if (!ioq_north_outstanding(&nd->vq->ring))
			return 0;
		err = vnull_wait(nd);
		if (err)
			return err;
	}
}

/* --- calls --- */

static int vnull_register_once(struct vnull_run *run)
{
	return vproxy_ping(run->nd->vdev);
}

static int vnull_kick_once(struct vnull_run *run)
{
	vproxy_queue_doorbell(run->nd->vq);
	return 0;
}

static int vnull_transport_once(struct vnull_run *run)
{
	return vproxy_measure(run->nd->vdev, run->what->transport);
}

static int vnull_calls(struct vnull_run *run)
{
	u64 begin;
	int err;
	u32 i;

	for (i = 0; i < run->count; i++) {
		err = vnull_pause(run->nd);
		if (err)
			return err;
		begin = ktime_get_ns();
		err = run->what->once(run);
		run->samples[i] = ktime_get_ns() - begin;
		if (err)
			return err;
		run->total += run->samples[i];
	}
	return 0;
}

/* --- signal --- */

static int vnull_signal_once(struct vnull_run *run, u64 *ns)
{
	struct vnull *nd = run->nd;
	u64 begin;
	int err;

	/* Nothing is out, so the next completion is that of our chain. */
	vnull_arm(nd, true);
	ioq_north_enable_signals(&nd->vq->ring, 1);
	err = vnull_add(nd);
	begin = ktime_get_ns();
	if (!err) {
		vproxy_queue_kick(nd->vq);
		err = vnull_sleep(nd);
	}
	if (err) {
		vnull_arm(nd, false);
		return err;
	}
	*ns = nd->stamp - begin;
	return vnull_drain(nd);
}

static int vnull_signals(struct vnull_run *run)
{
	int err;
	u32 i;

	for (i = 0; i < run->count; i++) {
		err = vnull_pause(run->nd);
		if (!err)
			err = vnull_signal_once(run, &run->samples[i]);
		if (err)
			return err;
		run->total += run->samples[i];
	}
	return 0;
}

/* --- ring --- */

/* Add a batch if there is room for one; @left is what is still to be added. */
static int vnull_add_batch(struct vnull_run *run, u32 *left)
{
	struct vnull *nd = run->nd;
	u32 i, n = min(*left, run->batch);
	int err;

	if (!n || ioq_north_free(&nd->vq->ring) < n)
		return 0;
	for (i = 0; i < n; i++) {
		err = vnull_add(nd);
		if (err)
			return err;
	}
	vproxy_queue_kick(nd->vq);
	*left -= n;
	return 0;
}

/*
 * The ring is kept as full as batches fill it.  A sample is the time from one batch of
 * completions to the next, so that what was outside of the ring's doing - the task was
 * preempted, the host slept - shows as few long ones.
 */
static int vnull_ring(struct vnull_run *run)
{
	u64 now, begin = ktime_get_ns(), last = begin, idle = begin;
	u32 left = run->count, part = 0, nr = 0;
	struct vnull *nd = run->nd;
	int err;

	while (run->chains < run->count) {
		err = vnull_pause(nd);
		if (!err)
			err = vnull_add_batch(run, &left);
		if (err)
			return err;
		if (!ioq_north_pending(&nd->vq->ring)) {
			cpu_relax();
			if (ktime_get_ns() - idle < VNULL_POLL_NS)
				continue;
			err = vnull_wait(nd);
			if (err)
				return err;
		}
		while (vnull_reap(nd)) {
			run->chains++;
			part++;
			if (part < run->batch && run->chains < run->count)
				continue;
			now = ktime_get_ns();
			run->samples[nr++] = DIV_ROUND_UP_ULL(now - last, part);
			last = now;
			part = 0;
		}
		idle = ktime_get_ns();
	}
	run->total = ktime_get_ns() - begin;
	return 0;
}

/* --- flood --- */

/*
 * One chain at a time, since a signal stands for all that is complete.  In a tasklet,
 * so that no task has to be woken between a signal and the next chain.
 */
void vnull_flood_serve(struct tasklet_struct *t)
{
	struct vnull *nd = from_tasklet(nd, t, flood);
	struct ioq_north *ring = &nd->vq->ring;

	/* The run may have the ring again. */
	if (!READ_ONCE(nd->flooding))
		return;
	while (vnull_reap(nd))
		nd->flooded++;
	if (ioq_north_broken(ring)) {
		wake_up(&nd->wait);
		return;
	}
	if (!ioq_north_enable_signals(ring, 1)) {
		tasklet_schedule(t);
		return;
	}
	if (!ioq_north_outstanding(ring) && !vnull_add(nd))
		vproxy_queue_kick(nd->vq);
}

static int vnull_flood(struct vnull_run *run)
{
	struct vnull *nd = run->nd;
	u64 begin = ktime_get_ns();
	int err;

	nd->flooded = 0;
	WRITE_ONCE(nd->flooding, true);
	tasklet_schedule(&nd->flood);
	wait_event_interruptible_timeout(nd->wait, vnull_check(nd),
					 msecs_to_jiffies(run->count));
	err = vnull_check(nd);
	/* A signal that comes late schedules it once more at most, for nothing. */
	WRITE_ONCE(nd->flooding, false);
	tasklet_kill(&nd->flood);
	run->total = ktime_get_ns() - begin;
	run->chains = nd->flooded;
	return err;
}

static const struct vnull_kind vnull_kinds[] = {
	{
		.name = "register",
		.measure = vnull_calls,
		.once = vnull_register_once,
	}, {
		.name = "idle",
		.measure = vnull_calls,
		.once = vnull_transport_once,
		.transport = VPROXY_MEASURE_IDLE,
	}, {
		.name = "call",
		.measure = vnull_calls,
		.once = vnull_transport_once,
		.transport = VPROXY_MEASURE_CALL,
	}, {
		.name = "slowcall",
		.measure = vnull_calls,
		.once = vnull_transport_once,
		.transport = VPROXY_MEASURE_SLOW_CALL,
	}, {
		.name = "kick",
		.measure = vnull_calls,
		.once = vnull_kick_once,
	}, {
		.name = "signal",
		.measure = vnull_signals,
	}, {
		.name = "ring",
		.measure = vnull_ring,
		.batches = true,
	}, {
		.name = "flood",
		.measure = vnull_flood,
		.timed = true,
	},
};

static const struct vnull_kind *vnull_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vnull_kinds); i++)
		if (!strcmp(vnull_kinds[i].name, name))
			return &vnull_kinds[i];
	return NULL;
}

/* --- results --- */

static int vnull_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void vnull_evaluate(struct vnull_run *run, struct vnull_result *res)
{
	u32 n = run->nr_samples;

	res->what = run->what->name;
	res->rate = run->what->batches || run->what->timed;
	res->count = res->rate ? run->chains : run->count;
	res->batch = run->what->batches ? run->batch : 0;
	if (res->count)
		res->mean = div64_u64(run->total, res->count);
	if (res->rate && run->total)
		res->per_second = div64_u64(res->count * NSEC_PER_SEC,
					    run->total);
	if (!n)
		return;
	sort(run->samples, n, sizeof(*run->samples), vnull_compare, NULL);
	res->quantiles = true;
	res->min = run->samples[0];
	res->median = run->samples[(n - 1) / 2];
	res->p99 = run->samples[(u64)(n - 1) * 99 / 100];
	res->max = run->samples[n - 1];
}

/**
 * vnull_measure() - a run
 * @nd: the device, whose lock is held
 * @what: name of what to measure
 * @count: how often, how many chains, or how many ms
 * @batch: chains made visible at once; 0 if nobody has said
 * @res: zeroed; filled in on success
 *
 * A run that uses the ring first waits for chains that an earlier one has left behind,
 * as it was killed.
 *
 * Context: may sleep, for as long as the host takes.
 * Return: 0; -EINVAL no such measurement, or it has no batches; -ERANGE @count or
 * @batch out of bounds; -EOPNOTSUPP the transport has no such thing; -EINTR killed;
 * -ENODEV the device is gone or has stopped; -EIO the host broke the protocol;
 * -ENOMEM; or what the transport says.
 */
int vnull_measure(struct vnull *nd, const char *what, u32 count, u32 batch,
		  struct vnull_result *res)
{
	struct vnull_run run = {
		.nd = nd,
		.what = vnull_find(what),
		.count = count,
		.batch = batch ?: 1,
	};
	int err;

	lockdep_assert_held(&nd->lock);
	if (!run.what || (batch && !run.what->batches))
		return -EINVAL;
	if (!count || batch > nd->vq->size ||
	    count > (run.what->timed ? VNULL_MAX_FLOOD : VNULL_MAX_COUNT))
		return -ERANGE;
	if (!run.what->timed) {
		run.nr_samples = DIV_ROUND_UP(count, run.batch);
		run.samples = kvcalloc(run.nr_samples, sizeof(*run.samples),
				       GFP_KERNEL);
		if (!run.samples)
			return -ENOMEM;
	}
	err = vnull_check(nd);
	if (!err && !run.what->once)
		err = vnull_drain(nd);
	if (!err)
		err = run.what->measure(&run);
	if (!err && !run.what->once)
		err = vnull_drain(nd);
	if (!err)
		vnull_evaluate(&run, res);
	kvfree(run.samples);
	return err;
}
