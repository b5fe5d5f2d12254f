// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "rng": answers every request with bytes of this kernel's own
 * generator, which is as good a source as any that could stand behind it.
 *
 * A work item per connection is the one context that touches the ring, from
 * start to stop; a kick only queues it.  The attribute "rate" bounds what a guest
 * can cost: a bucket of tokens, one a byte, that fills with time and holds what
 * one second brings.  A chain is taken only when there are tokens for some of
 * it, so none is ever in flight while the work waits, and nothing is to be given
 * back when the guest resets or a migration pauses the device.
 */
#define pr_fmt(fmt) "vbus-dm-rng: " fmt

#include <linux/kstrtox.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vbus_abi.h>
#include <linux/vbus_rng.h>
#include <linux/workqueue.h>
#include <vbus/host/model.h>

/* What one run does before it lets others in: 256 KiB, about a millisecond. */
#define VDM_RNG_BUDGET		64

#define VDM_RNG_RING_MAX	256
#define VDM_RNG_SEG_MAX		64

/* Bytes made at once: the buffer lies on the stack. */
#define VDM_RNG_CHUNK		256

/* Fewer tokens than this are saved up for an answer that is worth a signal. */
#define VDM_RNG_MIN_TOKENS	64U
#define VDM_RNG_MAX_RATE	1073741824U	/* 2^30 */

enum { VDM_RNG_REQUESTS, VDM_RNG_BYTES, VDM_RNG_WAITS, VDM_RNG_NR_STATS };

static const char *const vdm_rng_stat_names[VDM_RNG_NR_STATS] = {
	[VDM_RNG_REQUESTS] = "requests",
	[VDM_RNG_BYTES] = "bytes",
	[VDM_RNG_WAITS] = "waits",
};

/**
 * struct vdm_rng - a device
 * @dev: core's half
 * @rate: attribute "rate", bytes a second, 0 without limit; fixed while enabled
 * @tokens: bytes that may be given now; of the device, or a guest that resets it
 *	would find a full bucket each time.  The work's own between start and
 *	stop: the class is not multi, so there is one at a time.
 * @filled: up to when time has been turned into @tokens
 * @stats: counters
 */
struct vdm_rng {
	struct vbus_device dev;
	u32 rate;
	u32 tokens;
	ktime_t filled;
	atomic64_t stats[VDM_RNG_NR_STATS];
};

/**
 * struct vdm_rng_queue - what serves the queue from start to stop
 * @q: the queue
 * @rng: the device
 * @work: serves
 * @dead: the guest broke the protocol; the work's own, as is
 * @segs: of the chain at hand
 */
struct vdm_rng_queue {
	struct vbus_queue *q;
	struct vdm_rng *rng;
	struct delayed_work work;
	bool dead;
	struct ioq_seg segs[VDM_RNG_SEG_MAX];
};

static inline struct vdm_rng *to_vdm_rng(struct vbus_device *dev)
{
	return container_of(dev, struct vdm_rng, dev);
}

/* Return: 0 if something may be given now, or jiffies to wait. */
static unsigned long vdm_rng_tokens(struct vdm_rng *rng)
{
	u32 rate = rng->rate;
	u64 passed, new;

	if (!rate) {
		rng->tokens = VBUS_RNG_MAX_BYTES;
		return 0;
	}
	/* A longer pause brings no more than a full bucket. */
	passed = ktime_to_ns(ktime_sub(ktime_get(), rng->filled));
	if (passed > NSEC_PER_SEC) {
		rng->filled = ktime_add_ns(rng->filled, passed - NSEC_PER_SEC);
		passed = NSEC_PER_SEC;
	}
	new = div_u64(passed * rate, NSEC_PER_SEC);
	rng->tokens = min_t(u64, rng->tokens + new, rate);
	/* Not to now: frequent reads would lose a piece of a token each time. */
	rng->filled = ktime_add_ns(rng->filled,
				   DIV_ROUND_UP_ULL(new * NSEC_PER_SEC, rate));
	if (rng->tokens >= VDM_RNG_MIN_TOKENS)
		return 0;
	return DIV_ROUND_UP((VDM_RNG_MIN_TOKENS - rng->tokens) * HZ, rate);
}

/* Return: 0, or -EFAULT if a segment is not guest memory. */
static int vdm_rng_fill(struct vdm_rng_queue *rq, u32 nr_segs, u32 len)
{
	struct vbus_mem *mem = vbus_conn_mem(rq->q->conn);
	u8 chunk[VDM_RNG_CHUNK];
	u32 i, done, n;
	int ret = 0;

	for (i = 0; i < nr_segs && len && !ret; i++) {
		for (done = 0; done < rq->segs[i].len && len; done += n) {
			n = min3(len, rq->segs[i].len - done,
				 (u32)sizeof(chunk));
			get_random_bytes(chunk, n);
			ret = vbus_mem_write(mem, rq->segs[i].addr + done,
					     chunk, n);
			if (ret)
				break;
			len -= n;
		}
	}
	/* What a guest was given is nobody else's business. */
	memzero_explicit(chunk, sizeof(chunk));
	return ret;
}

/* The ring may be sound, and kicks still come: remember not to look at it. */
static void vdm_rng_broken(struct vdm_rng_queue *rq, const char *why)
{
	rq->dead = true;
	vbus_conn_broken(rq->q->conn, why);
}

static void vdm_rng_serve(struct work_struct *work)
{
	struct vdm_rng_queue *rq = container_of(to_delayed_work(work),
						struct vdm_rng_queue, work);
	struct vdm_rng *rng = rq->rng;
	struct vbus_queue *q = rq->q;
	struct ioq_chain chain;
	unsigned long wait = 0;
	unsigned int done;
	int ret;
	u32 len;

	if (rq->dead)
		return;
	for (done = 0; done < VDM_RNG_BUDGET; done++) {
		wait = vdm_rng_tokens(rng);
		if (wait)
			break;
		ret = vbus_queue_get(q, rq->segs, VDM_RNG_SEG_MAX, &chain);
		if (ret < 0)
			return;
		if (!ret)
			break;
		if (chain.nr_out || !chain.in_len) {
			vdm_rng_broken(rq, "a request that is not all room for bytes");
			return;
		}
		len = min3(chain.in_len, rng->tokens, (u32)VBUS_RNG_MAX_BYTES);
		if (vdm_rng_fill(rq, chain.nr_in, len)) {
			vdm_rng_broken(rq, "a request outside guest memory");
			return;
		}
		if (rng->rate)
			rng->tokens -= len;
		atomic64_inc(&rng->stats[VDM_RNG_REQUESTS]);
		atomic64_add(len, &rng->stats[VDM_RNG_BYTES]);
		ioq_south_complete(&q->ring, chain.id, len);
	}
	vbus_queue_flush(q);
	/* The work is asked for again while it runs: stop() cancels that, too. */
	if (wait && ioq_south_pending(&q->ring)) {
		atomic64_inc(&rng->stats[VDM_RNG_WAITS]);
		queue_delayed_work(system_unbound_wq, &rq->work, wait);
	} else if (done == VDM_RNG_BUDGET ||
		   !ioq_south_enable_kicks(&q->ring)) {
		queue_delayed_work(system_unbound_wq, &rq->work, 0);
	}
}

static void vdm_rng_kick(struct vbus_queue *q)
{
	struct vdm_rng_queue *rq = q->priv;

	/* Does nothing while the work waits for tokens. */
	queue_delayed_work(system_unbound_wq, &rq->work, 0);
}

static int vdm_rng_start(struct vbus_conn *conn)
{
	struct vbus_queue *q = vbus_conn_queue(conn, 0);
	struct vdm_rng_queue *rq;

	if (!q->attached)
		return 0;
	rq = kzalloc(sizeof(*rq), VBUS_GFP_GUEST);
	if (!rq)
		return -ENOMEM;
	rq->q = q;
	rq->rng = to_vdm_rng(vbus_conn_device(conn));
	INIT_DELAYED_WORK(&rq->work, vdm_rng_serve);
	q->priv = rq;
	return 0;
}

/* No kick comes any more. */
static void vdm_rng_stop(struct vbus_conn *conn)
{
	struct vbus_queue *q = vbus_conn_queue(conn, 0);
	struct vdm_rng_queue *rq = q->priv;

	if (!rq)
		return;
	cancel_delayed_work_sync(&rq->work);
	q->priv = NULL;
	kfree(rq);
}

static void vdm_rng_device_info(struct vbus_device *dev,
				struct vbus_device_info *info)
{
	info->features = 0;
	info->nr_queues = 1;
	info->config_size = 0;
}

static void vdm_rng_queue_info(struct vbus_device *dev, u32 q,
			       struct vbus_queue_info *info)
{
	info->size_max = VDM_RNG_RING_MAX;
	info->seg_max = VDM_RNG_SEG_MAX;
	info->in_order = false;
}

/* Never called with a length: there is no config space. */
static void vdm_rng_config_read(struct vbus_device *dev, u32 off, void *buf,
				u32 len)
{
	memset(buf, 0, len);
}

static u64 vdm_rng_stat(struct vbus_device *dev, unsigned int nr)
{
	return atomic64_read(&to_vdm_rng(dev)->stats[nr]);
}

static int vdm_rng_enable(struct vbus_device *dev)
{
	struct vdm_rng *rng = to_vdm_rng(dev);
	unsigned int i;
	int err;

	/* A guest counts each bit as one; early in the boot they are not. */
	err = wait_for_random_bytes();
	if (err)
		return err;
	rng->tokens = rng->rate;
	rng->filled = ktime_get();
	for (i = 0; i < VDM_RNG_NR_STATS; i++)
		atomic64_set(&rng->stats[i], 0);
	return 0;
}

static void vdm_rng_disable(struct vbus_device *dev)
{
}

static struct vbus_device *vdm_rng_alloc(const char *name)
{
	struct vdm_rng *rng = kzalloc(sizeof(*rng), GFP_KERNEL);

	return rng ? &rng->dev : ERR_PTR(-ENOMEM);
}

static void vdm_rng_free(struct vbus_device *dev)
{
	kfree(to_vdm_rng(dev));
}

/* --- attributes, under dev->lock --- */

static ssize_t vdm_rng_rate_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_rng(dev)->rate);
}

static int vdm_rng_rate_set(struct vbus_device *dev, const char *value)
{
	u32 val;
	int err;

	err = kstrtou32(value, 10, &val);
	if (!err && val && (val < VDM_RNG_MIN_TOKENS || val > VDM_RNG_MAX_RATE))
		err = -ERANGE;
	if (err) {
		vbus_dev_err(dev, "rate is 0 (no limit) or %u to %u bytes a second\n",
			     VDM_RNG_MIN_TOKENS, VDM_RNG_MAX_RATE);
		return err;
	}
	to_vdm_rng(dev)->rate = val;
	return 0;
}
VBUS_DEVICE_ATTR(vdm_rng_, rate);

static struct configfs_attribute *vdm_rng_attrs[] = {
	&vdm_rng_attr_rate,
	NULL,
};

static struct vbus_model vdm_rng_model = {
	.name = "rng",
	.class_id = VBUS_CLASS_RNG,
	.version = VBUS_RNG_VERSION,
	.owner = THIS_MODULE,
	.attrs = vdm_rng_attrs,
	.nr_stats = VDM_RNG_NR_STATS,
	.stat_names = vdm_rng_stat_names,
	.alloc = vdm_rng_alloc,
	.free = vdm_rng_free,
	.enable = vdm_rng_enable,
	.disable = vdm_rng_disable,
	.device_info = vdm_rng_device_info,
	.queue_info = vdm_rng_queue_info,
	.start = vdm_rng_start,
	.stop = vdm_rng_stop,
	.kick = vdm_rng_kick,
	.config_read = vdm_rng_config_read,
	.stat = vdm_rng_stat,
};

static int __init vdm_rng_init(void)
{
	return vbus_register_model(&vdm_rng_model);
}

static void __exit vdm_rng_exit(void)
{
	vbus_unregister_model(&vdm_rng_model);
}

module_init(vdm_rng_init);
module_exit(vdm_rng_exit);

MODULE_DESCRIPTION("vbus host model of a random number generator");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_ALIAS_VBUS_MODEL("rng");
