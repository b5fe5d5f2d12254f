// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "null": takes every chain and completes it with length 0.
 *
 * For tests and benchmarks of what lies around a device.  Each queue is served
 * by a tasklet of its own, which is the one context that touches its ring; a
 * kick only schedules it.  With keep=1 chains are taken and kept until the guest
 * resets: what a guest driver does with requests that never end.
 */
#define pr_fmt(fmt) "vbus-dm-null: " fmt

#include <linux/interrupt.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vbus_abi.h>
#include <vbus/host/model.h>

/* Chains of one run: lets other softirqs in when a guest never stops. */
#define VDM_NULL_BUDGET		64

/* Most segments of a chain; the array is per queue, so it can be generous. */
#define VDM_NULL_SEG_MAX	256

#define VDM_NULL_VERSION	1

/* Feature bits that mean nothing, for tests of negotiation. */
#define VDM_NULL_FEATURES	0xfULL

enum { VDM_NULL_CHAINS, VDM_NULL_BYTES, VDM_NULL_RUNS, VDM_NULL_NR_STATS };

static const char *const vdm_null_stat_names[VDM_NULL_NR_STATS] = {
	[VDM_NULL_CHAINS] = "chains",
	[VDM_NULL_BYTES] = "bytes",
	[VDM_NULL_RUNS] = "runs",
};

/**
 * struct vdm_null - a device
 * @dev: core's half
 * @nr_queues: attribute "queues"
 * @ring_size: attribute "ring_size"
 * @in_order: attribute "in_order"
 * @keep: attribute "keep"
 * @stats: counters
 */
struct vdm_null {
	struct vbus_device dev;
	u32 nr_queues;
	u32 ring_size;
	bool in_order;
	bool keep;
	atomic64_t stats[VDM_NULL_NR_STATS];
};

static inline struct vdm_null *to_vdm_null(struct vbus_device *dev)
{
	return container_of(dev, struct vdm_null, dev);
}

/* What serves a queue from start to stop. */
struct vdm_null_queue {
	struct vbus_queue *q;
	struct vdm_null *null;
	struct tasklet_struct tasklet;
	bool stopping;
	struct ioq_seg segs[VDM_NULL_SEG_MAX];
};

static void vdm_null_serve(struct tasklet_struct *t)
{
	struct vdm_null_queue *nq = from_tasklet(nq, t, tasklet);
	struct vdm_null *null = nq->null;
	struct ioq_chain chain;
	unsigned int done = 0;
	u64 bytes = 0;
	int ret = 0;

	while (done < VDM_NULL_BUDGET) {
		ret = vbus_queue_get(nq->q, nq->segs, VDM_NULL_SEG_MAX, &chain);
		if (ret <= 0)
			break;
		done++;
		bytes += (u64)chain.out_len + chain.in_len;
		if (!null->keep)
			ioq_south_complete(&nq->q->ring, chain.id, 0);
	}
	atomic64_inc(&null->stats[VDM_NULL_RUNS]);
	atomic64_add(done, &null->stats[VDM_NULL_CHAINS]);
	atomic64_add(bytes, &null->stats[VDM_NULL_BYTES]);
	vbus_queue_flush(nq->q);
	if (ret < 0)
		return;
	/* A guest that never pauses must not keep tasklet_kill() waiting. */
	if (READ_ONCE(nq->stopping))
		return;
	if (done == VDM_NULL_BUDGET || !ioq_south_enable_kicks(&nq->q->ring))
		tasklet_schedule(t);
}

static void vdm_null_kick(struct vbus_queue *q)
{
	struct vdm_null_queue *nq = q->priv;

	tasklet_schedule(&nq->tasklet);
}

/* No kick comes any more. */
static void vdm_null_stop(struct vbus_conn *conn)
{
	struct vdm_null *null = to_vdm_null(vbus_conn_device(conn));
	struct vdm_null_queue *nq;
	struct vbus_queue *q;
	u32 i;

	for (i = 0; i < null->nr_queues; i++) {
		q = vbus_conn_queue(conn, i);
		nq = q->priv;
		if (!nq)
			continue;
		WRITE_ONCE(nq->stopping, true);
		tasklet_kill(&nq->tasklet);
		q->priv = NULL;
		kfree(nq);
	}
}

static int vdm_null_start(struct vbus_conn *conn)
{
	struct vdm_null *null = to_vdm_null(vbus_conn_device(conn));
	struct vdm_null_queue *nq;
	struct vbus_queue *q;
	u32 i;

	for (i = 0; i < null->nr_queues; i++) {
		q = vbus_conn_queue(conn, i);
		if (!q->attached)
			continue;
		nq = kzalloc(sizeof(*nq), VBUS_GFP_GUEST);
		if (!nq) {
			vdm_null_stop(conn);
			return -ENOMEM;
		}
		nq->q = q;
		nq->null = null;
		tasklet_setup(&nq->tasklet, vdm_null_serve);
		q->priv = nq;
	}
	return 0;
}

static void vdm_null_device_info(struct vbus_device *dev,
				 struct vbus_device_info *info)
{
	info->features = VDM_NULL_FEATURES;
	info->nr_queues = to_vdm_null(dev)->nr_queues;
	info->config_size = 0;
}

static void vdm_null_queue_info(struct vbus_device *dev, u32 q,
				struct vbus_queue_info *info)
{
	info->size_max = to_vdm_null(dev)->ring_size;
	info->seg_max = VDM_NULL_SEG_MAX;
	info->in_order = to_vdm_null(dev)->in_order;
}

static void vdm_null_config_read(struct vbus_device *dev, u32 off, void *buf,
				 u32 len)
{
	memset(buf, 0, len);
}

static u64 vdm_null_stat(struct vbus_device *dev, unsigned int nr)
{
	return atomic64_read(&to_vdm_null(dev)->stats[nr]);
}

static int vdm_null_enable(struct vbus_device *dev)
{
	unsigned int i;

	for (i = 0; i < VDM_NULL_NR_STATS; i++)
		atomic64_set(&to_vdm_null(dev)->stats[i], 0);
	return 0;
}

static void vdm_null_disable(struct vbus_device *dev)
{
}

static struct vbus_device *vdm_null_alloc(const char *name)
{
	struct vdm_null *null = kzalloc(sizeof(*null), GFP_KERNEL);

	if (!null)
		return ERR_PTR(-ENOMEM);
	null->nr_queues = 1;
	null->ring_size = 256;
	return &null->dev;
}

static void vdm_null_free(struct vbus_device *dev)
{
	kfree(to_vdm_null(dev));
}

/* --- attributes, under dev->lock --- */

static ssize_t vdm_null_queues_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_null(dev)->nr_queues);
}

static int vdm_null_queues_set(struct vbus_device *dev, const char *value)
{
	u32 val;
	int err;

	err = kstrtou32(value, 10, &val);
	if (!err && (!val || val > VBUS_MAX_QUEUES))
		err = -ERANGE;
	if (err) {
		vbus_dev_err(dev, "queues is a number from 1 to %u\n",
			     VBUS_MAX_QUEUES);
		return err;
	}
	to_vdm_null(dev)->nr_queues = val;
	return 0;
}
VBUS_DEVICE_ATTR(vdm_null_, queues);

static ssize_t vdm_null_ring_size_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_null(dev)->ring_size);
}

static int vdm_null_ring_size_set(struct vbus_device *dev, const char *value)
{
	u32 val;
	int err;

	err = kstrtou32(value, 10, &val);
	if (!err && !ioq_size_valid(val))
		err = -ERANGE;
	if (err) {
		vbus_dev_err(dev, "ring_size is a power of two from %u to %u\n",
			     VBUS_RING_MIN_SIZE, VBUS_RING_MAX_SIZE);
		return err;
	}
	to_vdm_null(dev)->ring_size = val;
	return 0;
}
VBUS_DEVICE_ATTR(vdm_null_, ring_size);

static int vdm_null_set_bool(struct vbus_device *dev, const char *value,
			     const char *name, bool *val)
{
	int err = kstrtobool(value, val);

	if (err)
		vbus_dev_err(dev, "%s takes 0 or 1\n", name);
	return err;
}

static ssize_t vdm_null_in_order_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%d\n", to_vdm_null(dev)->in_order);
}

static int vdm_null_in_order_set(struct vbus_device *dev, const char *value)
{
	return vdm_null_set_bool(dev, value, "in_order",
				 &to_vdm_null(dev)->in_order);
}
VBUS_DEVICE_ATTR(vdm_null_, in_order);

static ssize_t vdm_null_keep_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%d\n", to_vdm_null(dev)->keep);
}

static int vdm_null_keep_set(struct vbus_device *dev, const char *value)
{
	return vdm_null_set_bool(dev, value, "keep", &to_vdm_null(dev)->keep);
}
VBUS_DEVICE_ATTR(vdm_null_, keep);

static struct configfs_attribute *vdm_null_attrs[] = {
	&vdm_null_attr_queues,
	&vdm_null_attr_ring_size,
	&vdm_null_attr_in_order,
	&vdm_null_attr_keep,
	NULL,
};

static struct vbus_model vdm_null_model = {
	.name = "null",
	.class_id = VBUS_CLASS_NULL,
	.version = VDM_NULL_VERSION,
	.owner = THIS_MODULE,
	.attrs = vdm_null_attrs,
	.nr_stats = VDM_NULL_NR_STATS,
	.stat_names = vdm_null_stat_names,
	.alloc = vdm_null_alloc,
	.free = vdm_null_free,
	.enable = vdm_null_enable,
	.disable = vdm_null_disable,
	.device_info = vdm_null_device_info,
	.queue_info = vdm_null_queue_info,
	.start = vdm_null_start,
	.stop = vdm_null_stop,
	.kick = vdm_null_kick,
	.config_read = vdm_null_config_read,
	.stat = vdm_null_stat,
};

static int __init vdm_null_init(void)
{
	return vbus_register_model(&vdm_null_model);
}

static void __exit vdm_null_exit(void)
{
	vbus_unregister_model(&vdm_null_model);
}

module_init(vdm_null_init);
module_exit(vdm_null_exit);

MODULE_DESCRIPTION("vbus host model that completes everything");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_ALIAS_VBUS_MODEL("null");
