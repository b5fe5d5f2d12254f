// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "blk": disks vbda, vbdb and so on.
 *
 * The queues are there from probe to remove; requests stay in their rings until the
 * host has answered, or the device is reset or gone (vbus_blk_kill()).  A disk may be
 * open longer than its device is there; then every request fails.
 */
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/hdreg.h>
#include <linux/idr.h>
#include <linux/log2.h>
#include <linux/module.h>
#include "vblk.h"

static unsigned int queue_depth = 256;
module_param(queue_depth, uint, 0444);
MODULE_PARM_DESC(queue_depth, "requests in flight for each queue (256)");

static unsigned int poll_queues;
module_param(poll_queues, uint, 0444);
MODULE_PARM_DESC(poll_queues, "queues that are polled (IORING_SETUP_IOPOLL), of those that the host has; one is left for signals (0)");

static DEFINE_IDA(vbus_blk_ida);

/* Reset the device, so that it touches no memory, and fail what is in flight. */
static void vbus_blk_stop(struct vbus_blk *vb)
{
	unsigned int i;

	vproxy_reset(vb->vdev);
	for (i = 0; i < vb->nr_queues + vb->nr_polled; i++)
		vbus_blk_abort(&vb->queue[i]);
}

/*
 * The device will not answer any more: nor will the disk.
 * Context: process context, before put_disk().
 */
void vbus_blk_kill(struct vbus_blk *vb)
{
	mutex_lock(&vb->kill_lock);
	if (!vb->dead) {
		WRITE_ONCE(vb->dead, true);
		blk_mark_disk_dead(vb->disk);
		vbus_blk_stop(vb);
	}
	mutex_unlock(&vb->kill_lock);
}

/* A ring is broken, found in whatever context: see vbus_blk_reap(). */
static void vbus_blk_broken_work(struct work_struct *work)
{
	struct vbus_blk *vb = container_of(work, struct vbus_blk, broken_work);

	dev_err(&vb->vdev->dev, "the host broke the protocol, all requests fail; bind the driver again to restart it\n");
	vbus_blk_kill(vb);
}

static int vbus_blk_getgeo(struct block_device *bdev, struct hd_geometry *geo)
{
	/* Of no meaning but for old partition tables: 1 MiB cylinders. */
	geo->heads = 64;
	geo->sectors = 32;
	geo->cylinders = get_capacity(bdev->bd_disk) >> 11;
	return 0;
}

static void vbus_blk_free(struct vbus_blk *vb)
{
	if (vb->index >= 0)
		ida_free(&vbus_blk_ida, vb->index);
	mutex_destroy(&vb->kill_lock);
	kfree(vb->queue);
	kfree(vb);
}

static void vbus_blk_free_disk(struct gendisk *disk)
{
	vbus_blk_free(disk->private_data);
}

static const struct block_device_operations vbus_blk_fops = {
	.owner = THIS_MODULE,
	.getgeo = vbus_blk_getgeo,
	.free_disk = vbus_blk_free_disk,
};

static void vbus_blk_config_changed(struct vproxy_device *vdev)
{
	struct vbus_blk *vb = vproxy_drvdata(vdev);
	__le64 capacity;

	if (READ_ONCE(vb->dead))
		return;
	if (vproxy_device_gone(vdev)) {
		vbus_blk_kill(vb);
		return;
	}
	if (vproxy_needs_reset(vdev)) {
		dev_err(&vdev->dev, "the device has stopped, all requests fail; bind the driver again to restart it\n");
		vbus_blk_kill(vb);
		return;
	}
	if (vproxy_config_read(vdev, offsetof(struct vbus_blk_config, capacity),
			       &capacity, sizeof(capacity)))
		return;
	if (le64_to_cpu(capacity) > VBLK_CAPACITY_MAX) {
		dev_err_ratelimited(&vdev->dev,
				    "host says %llu sectors, the size stays as it was\n",
				    le64_to_cpu(capacity));
		return;
	}
	set_capacity_and_notify(vb->disk, le64_to_cpu(capacity));
}

/* Sizes that the block layer divides by, or shifts. */
static int vbus_blk_check_config(struct vproxy_device *vdev,
				 const struct vbus_blk_config *config)
{
	u32 logical = le32_to_cpu(config->logical_block_size);
	u32 physical = le32_to_cpu(config->physical_block_size);
	u32 align = le32_to_cpu(config->data_align);
	u64 capacity = le64_to_cpu(config->capacity);

	if (vdev->class_version != VBUS_BLK_VERSION) {
		dev_err(&vdev->dev, "version %u of the blk class, can only do %u\n",
			vdev->class_version, VBUS_BLK_VERSION);
		return -ENODEV;
	}
	if (capacity > VBLK_CAPACITY_MAX ||
	    le32_to_cpu(config->discard_align) > UINT_MAX >> SECTOR_SHIFT) {
		dev_err(&vdev->dev, "host says %llu sectors, %u discarded at a time\n",
			capacity, le32_to_cpu(config->discard_align));
		return -EINVAL;
	}
	if (!is_power_of_2(logical) || logical < SECTOR_SIZE ||
	    logical > PAGE_SIZE || !is_power_of_2(physical) ||
	    physical < logical || !is_power_of_2(align) || align > logical ||
	    le32_to_cpu(config->data_max) < PAGE_SIZE) {
		dev_err(&vdev->dev, "host says blocks of %u and %u bytes, data aligned to %u, up to %u bytes\n",
			logical, physical, align,
			le32_to_cpu(config->data_max));
		return -EINVAL;
	}
	return 0;
}

/* Advice that makes no sense is none. */
static u32 vbus_blk_hint(__le32 raw, u32 block)
{
	u32 hint = le32_to_cpu(raw);

	return hint % block || hint > VBLK_HINT_MAX ? 0 : hint;
}

static void vbus_blk_set_limits(struct vbus_blk *vb,
				const struct vbus_blk_config *config)
{
	struct request_queue *q = vb->disk->queue;
	u64 features = vb->vdev->features;
	u32 logical = le32_to_cpu(config->logical_block_size);
	u32 i, segs = VBLK_MAX_SEGS, opt;

	for (i = 0; i < vb->nr_queues + vb->nr_polled; i++)
		segs = min(segs, vb->queue[i].vq->seg_max - 2);
	blk_queue_max_segments(q, segs);
	blk_queue_max_segment_size(q, min_t(size_t, UINT_MAX,
					    dma_max_mapping_size(vb->vdev->dma_dev)));
	blk_queue_max_hw_sectors(q, le32_to_cpu(config->data_max) >>
				 SECTOR_SHIFT);
	blk_queue_logical_block_size(q, logical);
	blk_queue_physical_block_size(q,
				      min(le32_to_cpu(config->physical_block_size),
					  VBLK_HINT_MAX));
	blk_queue_io_min(q, vbus_blk_hint(config->io_min, logical));
	opt = vbus_blk_hint(config->io_opt, logical);
	if (opt)
		blk_queue_io_opt(q, opt);
	/* The host copies what is aligned worse. */
	blk_queue_dma_alignment(q, le32_to_cpu(config->data_align) - 1);
	blk_queue_write_cache(q, features & VBUS_BLK_F_FLUSH,
			      features & VBUS_BLK_F_FLUSH);
	if (!(le32_to_cpu(config->flags) & VBUS_BLK_ROTATIONAL))
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	if (features & VBUS_BLK_F_DISCARD) {
		blk_queue_max_discard_sectors(q,
					      le32_to_cpu(config->discard_max));
		q->limits.discard_granularity =
			max_t(u32, le32_to_cpu(config->discard_align), 1) <<
			SECTOR_SHIFT;
	}
	if (features & VBUS_BLK_F_WRITE_ZEROES)
		blk_queue_max_write_zeroes_sectors(q,
						   le32_to_cpu(config->zeroes_max));
	set_disk_ro(vb->disk, le32_to_cpu(config->flags) & VBUS_BLK_READ_ONLY);
}

/* Interrupts of a queue come to a CPU that uses it. */
static void vbus_blk_set_affinity(struct vbus_blk *vb)
{
	struct blk_mq_hw_ctx *hctx;
	unsigned long i;

	queue_for_each_hw_ctx(vb->disk->queue, hctx, i)
		if (i < vb->nr_queues && hctx->nr_ctx)
			vproxy_queue_set_affinity(vb->queue[i].vq,
						  hctx->cpumask);
}

static int vbus_blk_create_queues(struct vbus_blk *vb)
{
	unsigned int i, nr = vb->nr_queues + vb->nr_polled;
	struct vproxy_queue_params *params;
	char (*names)[VBLK_NAME];
	int err = -ENOMEM;

	vb->queue = kcalloc(nr, sizeof(*vb->queue), GFP_KERNEL);
	params = kcalloc(nr, sizeof(*params), GFP_KERNEL);
	names = kcalloc(nr, sizeof(*names), GFP_KERNEL);
	if (!vb->queue || !params || !names)
		goto free;
	for (i = 0; i < nr; i++) {
		vb->queue[i].vb = vb;
		vb->queue[i].polled = i >= vb->nr_queues;
		spin_lock_init(&vb->queue[i].lock);
		snprintf(names[i], sizeof(names[i]), "%s%u",
			 vb->queue[i].polled ? "poll" : "req", i);
		params[i].name = names[i];
		params[i].size = roundup_pow_of_two(queue_depth *
						    VBLK_DIRECT);
		params[i].signal = vb->queue[i].polled ? NULL : vbus_blk_signal;
		params[i].priv = &vb->queue[i];
	}
	err = vproxy_create_queues(vb->vdev, nr, params);
	for (i = 0; !err && i < nr; i++) {
		vb->queue[i].vq = vproxy_queue(vb->vdev, i);
		if (vb->queue[i].vq->seg_max < 3 ||
		    vb->queue[i].vq->size < VBLK_DIRECT) {
			dev_err(&vb->vdev->dev, "queue %u is too small: %u slots, %u segments\n",
				i, vb->queue[i].vq->size,
				vb->queue[i].vq->seg_max);
			err = -EINVAL;
		}
	}
free:
	kfree(names);
	kfree(params);
	return err;
}

static int vbus_blk_alloc_tags(struct vbus_blk *vb)
{
	unsigned int i, nr = vb->nr_queues + vb->nr_polled;
	struct blk_mq_tag_set *set = &vb->tags;
	u32 slots = vb->queue[0].vq->size;

	for (i = 1; i < nr; i++)
		slots = min(slots, vb->queue[i].vq->size);
	set->ops = &vbus_blk_mq_ops;
	set->nr_hw_queues = nr;
	set->nr_maps = vb->nr_polled ? HCTX_MAX_TYPES : 1;
	set->queue_depth = clamp(slots / VBLK_DIRECT, 1U, queue_depth);
	set->numa_node = NUMA_NO_NODE;
	set->cmd_size = sizeof(struct vbus_blk_pdu);
	set->flags = BLK_MQ_F_SHOULD_MERGE;
	set->driver_data = vb;
	return blk_mq_alloc_tag_set(set);
}

/* Letters as those of SCSI disks: vbda .. vbdz, vbdaa .. */
static void vbus_blk_name(int index, char *buf, size_t size)
{
	char *p = buf + size - 1;

	*p = '\0';
	do {
		*--p = 'a' + index % 26;
		index = index / 26 - 1;
	} while (index >= 0);
	memmove(buf + 3, p, buf + size - p);
	memcpy(buf, "vbd", 3);
}

static int vbus_blk_add_disk(struct vbus_blk *vb,
			     const struct vbus_blk_config *config)
{
	struct gendisk *disk;
	int err;

	disk = blk_mq_alloc_disk(&vb->tags, vb);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	vb->disk = disk;
	disk->queue->queuedata = vb;
	disk->private_data = vb;
	disk->fops = &vbus_blk_fops;
	vbus_blk_name(vb->index, disk->disk_name, DISK_NAME_LEN);
	set_capacity(disk, le64_to_cpu(config->capacity));
	vbus_blk_set_limits(vb, config);
	vbus_blk_set_affinity(vb);

	/* From here on requests come: for partitions, to begin with. */
	err = vproxy_device_ready(vb->vdev);
	if (!err)
		err = device_add_disk(&vb->vdev->dev, disk, vbus_blk_groups);
	return err;
}

static int vbus_blk_choose_queues(struct vbus_blk *vb,
				  const struct vbus_blk_config *config)
{
	u32 nr = min3(le32_to_cpu(config->nr_queues), vb->vdev->nr_queues,
		      (u32)VBUS_BLK_MAX_QUEUES);

	if (!nr) {
		dev_err(&vb->vdev->dev, "host offers no queue\n");
		return -EINVAL;
	}
	vb->nr_polled = min(poll_queues, nr - 1);
	vb->nr_queues = min(nr - vb->nr_polled, num_online_cpus());
	return 0;
}

/* Names are made of it. */
static void vbus_blk_clean_serial(char *serial)
{
	for (; *serial; serial++)
		if (*serial <= ' ' || *serial > '~' || *serial == '/')
			*serial = '_';
}

static int vbus_blk_probe(struct vproxy_device *vdev)
{
	struct vbus_blk_config config;
	struct vbus_blk *vb;
	int err;

	err = vproxy_config_read(vdev, 0, &config, sizeof(config));
	if (err)
		return err;
	err = vbus_blk_check_config(vdev, &config);
	if (err)
		return err;
	vb = kzalloc(sizeof(*vb), GFP_KERNEL);
	if (!vb)
		return -ENOMEM;
	vb->vdev = vdev;
	mutex_init(&vb->kill_lock);
	INIT_WORK(&vb->broken_work, vbus_blk_broken_work);
	memcpy(vb->serial, config.serial, sizeof(config.serial));
	vbus_blk_clean_serial(vb->serial);
	vproxy_set_drvdata(vdev, vb);

	vb->index = ida_alloc(&vbus_blk_ida, GFP_KERNEL);
	err = vb->index < 0 ? vb->index : vbus_blk_choose_queues(vb, &config);
	if (err)
		goto free;
	vb->pool = dma_pool_create("vbus-blk", vdev->dma_dev,
				   sizeof(struct vbus_blk_cmd),
				   SMP_CACHE_BYTES, 0);
	if (!vb->pool) {
		err = -ENOMEM;
		goto free;
	}
	err = vbus_blk_create_queues(vb);
	if (err)
		goto free_queues;
	err = vbus_blk_alloc_tags(vb);
	if (err)
		goto free_queues;
	err = vbus_blk_add_disk(vb, &config);
	if (err)
		goto free_tags;
	return 0;

free_tags:
	vproxy_reset(vdev);
	cancel_work_sync(&vb->broken_work);
	/* Was never added, so it does not free @vb. */
	if (vb->disk)
		put_disk(vb->disk);
	blk_mq_free_tag_set(&vb->tags);
free_queues:
	vproxy_reset(vdev);
	vproxy_delete_queues(vdev);
	dma_pool_destroy(vb->pool);
free:
	vbus_blk_free(vb);
	return err;
}

/*
 * A disk whose device is there is written out and drained first.  It may go meanwhile:
 * then requests run into their timeouts, and vbus_blk_timeout() sees to it.
 */
static void vbus_blk_remove(struct vproxy_device *vdev)
{
	struct vbus_blk *vb = vproxy_drvdata(vdev);

	if (vproxy_device_gone(vdev))
		vbus_blk_kill(vb);
	del_gendisk(vb->disk);
	if (!vb->dead)
		vbus_blk_stop(vb);
	/* No signal comes any more that would ask for it. */
	cancel_work_sync(&vb->broken_work);
	/* A task that has added a request may look at the ring once more when that has ended. */
	synchronize_rcu();
	blk_mq_free_tag_set(&vb->tags);
	vproxy_delete_queues(vdev);
	dma_pool_destroy(vb->pool);
	put_disk(vb->disk);
}

static struct vproxy_driver vbus_blk_driver = {
	.driver = {
		.name = "vbus-blk",
	},
	.class_id = VBUS_CLASS_BLK,
	.features = VBLK_FEATURES,
	.probe = vbus_blk_probe,
	.remove = vbus_blk_remove,
	.config_changed = vbus_blk_config_changed,
};

static int __init vbus_blk_init(void)
{
	if (!queue_depth || queue_depth > BLK_MQ_MAX_DEPTH) {
		pr_err("vbus-blk: queue_depth must be 1 to %u\n",
		       BLK_MQ_MAX_DEPTH);
		return -EINVAL;
	}
	return vproxy_register_driver(&vbus_blk_driver);
}
module_init(vbus_blk_init);

static void __exit vbus_blk_exit(void)
{
	vproxy_unregister_driver(&vbus_blk_driver);
}
module_exit(vbus_blk_exit);

MODULE_DESCRIPTION("vbus guest driver of a disk");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_ALIAS("vbus:blk");
