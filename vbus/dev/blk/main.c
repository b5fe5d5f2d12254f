// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": what the core calls.
 *
 * enable claims the backing and disable lets go of it, so a disk that is plugged has
 * one.  start makes what serves the queues; stop waits for every request that is in
 * flight, which takes as long as the storage takes to answer.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vbus_abi.h>
#include <linux/workqueue.h>
#include "blk.h"

/*
 * Requests that wait at a time: enough for the page cache to have something to sort,
 * and few enough that a guest can't fill the host with threads.
 */
#define VDM_BLK_WAITERS		64

static const char *const vdm_blk_stat_names[VDM_BLK_NR_STATS] = {
	[VDM_BLK_READS] = "reads",
	[VDM_BLK_READ_BYTES] = "read_bytes",
	[VDM_BLK_WRITES] = "writes",
	[VDM_BLK_WRITE_BYTES] = "write_bytes",
	[VDM_BLK_FLUSHES] = "flushes",
	[VDM_BLK_DISCARDS] = "discards",
	[VDM_BLK_ZEROES] = "write_zeroes",
	[VDM_BLK_ERRORS] = "errors",
	[VDM_BLK_DEFERRED] = "deferred",
	[VDM_BLK_BOUNCED] = "bounced",
	[VDM_BLK_SIGNALS] = "signals",
	[VDM_BLK_SERVED] = "served",
	[VDM_BLK_SERVED_BY_VCPU] = "served_by_vcpu",
};

static struct vbus_device *vdm_blk_alloc(const char *name)
{
	struct vdm_blk *blk = kzalloc(sizeof(*blk), GFP_KERNEL);

	if (!blk)
		return ERR_PTR(-ENOMEM);
	vdm_blk_set_defaults(blk, name);
	return &blk->dev;
}

static void vdm_blk_free(struct vbus_device *dev)
{
	struct vdm_blk *blk = to_vdm_blk(dev);

	kfree(blk->path);
	kfree(blk);
}

static void vdm_blk_fill_config(struct vdm_blk *blk)
{
	struct vbus_blk_config *config = &blk->config;
	struct vdm_blk_limits *lim = &blk->limits;
	u32 flags = 0;

	if (blk->readonly)
		flags |= VBUS_BLK_READ_ONLY;
	if (lim->rotational)
		flags |= VBUS_BLK_ROTATIONAL;
	memset(config, 0, sizeof(*config));
	config->capacity = cpu_to_le64(blk->capacity);
	config->flags = cpu_to_le32(flags);
	config->logical_block_size = cpu_to_le32(lim->logical);
	config->physical_block_size = cpu_to_le32(lim->physical);
	config->io_min = cpu_to_le32(lim->io_min);
	config->io_opt = cpu_to_le32(lim->io_opt);
	config->data_max = cpu_to_le32(lim->data_max);
	config->data_align = cpu_to_le32(min(lim->align, lim->logical));
	if (lim->discard_max) {
		config->discard_max = cpu_to_le32(lim->discard_max);
		config->discard_align = cpu_to_le32(lim->discard_align);
	}
	config->zeroes_max = cpu_to_le32(lim->zeroes_max);
	config->nr_queues = cpu_to_le32(blk->queues);
	memcpy(config->serial, blk->serial, sizeof(config->serial));
}

static int vdm_blk_enable(struct vbus_device *dev)
{
	struct vdm_blk *blk = to_vdm_blk(dev);
	int err = -ENOMEM;

	blk->stats = kcalloc(blk->queues, sizeof(*blk->stats), GFP_KERNEL);
	if (!blk->stats)
		return -ENOMEM;
	blk->wq = alloc_workqueue("vbus-%s-io", WQ_UNBOUND | WQ_MEM_RECLAIM,
				  VDM_BLK_WAITERS, dev->name);
	if (!blk->wq)
		goto free_stats;
	err = vdm_blk_backing_open(blk);
	if (err)
		goto free_wq;
	vdm_blk_fill_config(blk);
	return 0;

free_wq:
	destroy_workqueue(blk->wq);
free_stats:
	kfree(blk->stats);
	return err;
}

static void vdm_blk_disable(struct vbus_device *dev)
{
	struct vdm_blk *blk = to_vdm_blk(dev);

	destroy_workqueue(blk->wq);
	vdm_blk_backing_close(blk);
	kfree(blk->stats);
}

static void vdm_blk_device_info(struct vbus_device *dev,
				struct vbus_device_info *info)
{
	struct vdm_blk *blk = to_vdm_blk(dev);

	info->nr_queues = blk->queues;
	info->config_size = sizeof(struct vbus_blk_config);
	info->features = 0;
	if (blk->limits.cache && !blk->write_through)
		info->features |= VBUS_BLK_F_FLUSH;
	if (blk->limits.discard_max)
		info->features |= VBUS_BLK_F_DISCARD;
	if (blk->limits.zeroes_max)
		info->features |= VBUS_BLK_F_WRITE_ZEROES;
}

static void vdm_blk_queue_info(struct vbus_device *dev, u32 q,
			       struct vbus_queue_info *info)
{
	info->size_max = VDM_BLK_RING_MAX;
	info->seg_max = to_vdm_blk(dev)->limits.segs + 2;
	info->in_order = false;
}

static int vdm_blk_start(struct vbus_conn *conn)
{
	struct vdm_blk *blk = to_vdm_blk(vbus_conn_device(conn));
	struct mem_cgroup *old;
	u32 i, started = 0;
	int err = 0;

	/* A guest without a VMM's thread of its own starts queues from a work item. */
	old = set_active_memcg(vbus_conn_memcg(conn));
	for (i = 0; i < blk->queues && !err; i++) {
		if (!vbus_conn_queue(conn, i)->attached)
			continue;
		err = vdm_blk_queue_start(blk, vbus_conn_queue(conn, i),
					  vbus_conn_features(conn));
		started++;
	}
	set_active_memcg(old);
	if (!err && !started) {
		vbus_dev_err(&blk->dev, "guest must enable a queue\n");
		err = -EINVAL;
	}
	if (err)
		vdm_blk_queues_stop(conn, blk->queues);
	return err;
}

static void vdm_blk_stop(struct vbus_conn *conn)
{
	vdm_blk_queues_stop(conn,
			    to_vdm_blk(vbus_conn_device(conn))->queues);
}

static void vdm_blk_config_read(struct vbus_device *dev, u32 off, void *buf,
				u32 len)
{
	memcpy(buf, (u8 *)&to_vdm_blk(dev)->config + off, len);
}

static u64 vdm_blk_stat(struct vbus_device *dev, unsigned int nr)
{
	struct vdm_blk *blk = to_vdm_blk(dev);
	u64 sum = 0;
	u32 i;

	for (i = 0; i < blk->queues; i++)
		sum += READ_ONCE(blk->stats[i].v[nr]);
	return sum;
}

static void vdm_blk_update_capacity(struct vbus_device *dev, void *arg)
{
	struct vdm_blk *blk = to_vdm_blk(dev);
	u64 *capacity = arg;

	WRITE_ONCE(blk->capacity, *capacity);
	blk->config.capacity = cpu_to_le64(*capacity);
}

/**
 * vdm_blk_rescan() - look how large the backing is now, and tell the guest
 * @blk: enabled
 *
 * A disk that has become smaller answers requests beyond its end with
 * VBUS_BLK_S_RANGE from then on.
 *
 * Context: may sleep, as long as the storage takes; not beside enable, disable or itself.
 * Return: 0; -ENXIO, after a line in the log: there is not one block.
 */
int vdm_blk_rescan(struct vdm_blk *blk)
{
	u64 capacity = vdm_blk_backing_size(blk);

	if (!capacity) {
		vbus_dev_err(&blk->dev, "%s is empty; the size stays as it was\n",
			     blk->path);
		return -ENXIO;
	}
	if (capacity != blk->capacity)
		vbus_device_config_changed(&blk->dev, vdm_blk_update_capacity,
					   &capacity);
	return 0;
}

static struct vbus_model vdm_blk_model = {
	.name = "blk",
	.class_id = VBUS_CLASS_BLK,
	.version = VBUS_BLK_VERSION,
	.owner = THIS_MODULE,
	.attrs = vdm_blk_attrs,
	.nr_stats = VDM_BLK_NR_STATS,
	.stat_names = vdm_blk_stat_names,
	.alloc = vdm_blk_alloc,
	.free = vdm_blk_free,
	.enable = vdm_blk_enable,
	.disable = vdm_blk_disable,
	.device_info = vdm_blk_device_info,
	.queue_info = vdm_blk_queue_info,
	.start = vdm_blk_start,
	.stop = vdm_blk_stop,
	.serve = vdm_blk_serve,
	.config_read = vdm_blk_config_read,
	.stat = vdm_blk_stat,
};

static int __init vdm_blk_init(void)
{
	BUILD_BUG_ON(sizeof(struct vbus_blk_req) != 16);
	BUILD_BUG_ON(sizeof(struct vbus_blk_status) != 4);
	BUILD_BUG_ON(sizeof(struct vbus_blk_config) != 128);
	BUILD_BUG_ON(VBUS_BLK_SECTOR_SHIFT != SECTOR_SHIFT);
	BUILD_BUG_ON(VDM_BLK_VECS > BIO_MAX_VECS);

	return vbus_register_model(&vdm_blk_model);
}
module_init(vdm_blk_init);

static void __exit vdm_blk_exit(void)
{
	vbus_unregister_model(&vdm_blk_model);
}
module_exit(vdm_blk_exit);

MODULE_DESCRIPTION("vbus host model: disk");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_ALIAS_VBUS_MODEL("blk");
