// SPDX-License-Identifier: GPL-2.0
/*
 * The block device of fake_disk.h.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "fake_disk.h"

static void fake_disk_copy(struct fake_disk *fd, struct bio *bio)
{
	u8 *pos = fd->data + (bio->bi_iter.bi_sector << SECTOR_SHIFT);
	struct bvec_iter iter;
	struct bio_vec bv;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		bio_for_each_segment(bv, bio, iter) {
			if (bio_op(bio) == REQ_OP_WRITE)
				memcpy_from_bvec(pos, &bv);
			else
				memcpy_to_bvec(&bv, pos);
			pos += bv.bv_len;
		}
		break;
	case REQ_OP_DISCARD:
		memset(pos, FAKE_DISK_DISCARDED, bio->bi_iter.bi_size);
		break;
	default:
		break;
	}
}

static void fake_disk_end(struct fake_disk *fd, struct bio *bio)
{
	bio->bi_status = fd->status;
	if (!bio->bi_status && bio->bi_opf & REQ_PREFLUSH)
		bio->bi_status = fd->flush_status;
	if (!bio->bi_status)
		fake_disk_copy(fd, bio);
	bio_endio(bio);
}

static void fake_disk_submit(struct bio *bio)
{
	struct fake_disk *fd = bio->bi_bdev->bd_disk->private_data;
	unsigned long flags;
	bool held;

	if (bio->bi_opf & REQ_NOWAIT && fd->again) {
		fd->nowait++;
		bio_wouldblock_error(bio);
		return;
	}
	wait_event(fd->wait, !READ_ONCE(fd->block));
	spin_lock_irqsave(&fd->lock, flags);
	fd->count[(__force u32)bio_op(bio)]++;
	fd->fua += !!(bio->bi_opf & REQ_FUA);
	fd->flushes += !!(bio->bi_opf & REQ_PREFLUSH);
	if (fd->watch == current)
		fd->watched[(bio->bi_opf & REQ_PREFLUSH) ? FAKE_DISK_FLUSH :
			    (__force u32)bio_op(bio)]++;
	fd->nowait += !!(bio->bi_opf & REQ_NOWAIT);
	held = fd->hold;
	if (held) {
		bio_list_add(&fd->held, bio);
		fd->nr_held++;
	}
	spin_unlock_irqrestore(&fd->lock, flags);
	if (held)
		wake_up(&fd->wait);
	else
		fake_disk_end(fd, bio);
}

static const struct block_device_operations fake_disk_fops = {
	.owner = THIS_MODULE,
	.submit_bio = fake_disk_submit,
};

struct fake_disk *fake_disk_alloc(const char *name, size_t bytes)
{
	struct fake_disk *fd = kzalloc(sizeof(*fd), GFP_KERNEL);

	if (!fd)
		return NULL;
	spin_lock_init(&fd->lock);
	init_waitqueue_head(&fd->wait);
	bio_list_init(&fd->held);
	fd->data = vzalloc(bytes);
	fd->disk = blk_alloc_disk(NUMA_NO_NODE);
	if (!fd->data || !fd->disk) {
		fake_disk_free(fd);
		return NULL;
	}
	fd->disk->fops = &fake_disk_fops;
	fd->disk->private_data = fd;
	fd->disk->flags |= GENHD_FL_NO_PART;
	strscpy(fd->disk->disk_name, name, DISK_NAME_LEN);
	blk_queue_flag_set(QUEUE_FLAG_NOWAIT, fd->disk->queue);
	blk_queue_max_hw_sectors(fd->disk->queue, FAKE_DISK_SECTORS);
	set_capacity(fd->disk, bytes >> SECTOR_SHIFT);
	return fd;
}
EXPORT_SYMBOL_GPL(fake_disk_alloc);

int fake_disk_add(struct fake_disk *fd)
{
	int err = add_disk(fd->disk);

	fd->added = !err;
	return err;
}
EXPORT_SYMBOL_GPL(fake_disk_add);

void fake_disk_pull(struct fake_disk *fd)
{
	if (fd->added)
		del_gendisk(fd->disk);
	fd->added = false;
}
EXPORT_SYMBOL_GPL(fake_disk_pull);

void fake_disk_free(struct fake_disk *fd)
{
	fake_disk_pull(fd);
	if (fd->disk)
		put_disk(fd->disk);
	vfree(fd->data);
	kfree(fd);
}
EXPORT_SYMBOL_GPL(fake_disk_free);

bool fake_disk_holds(struct fake_disk *fd, unsigned int n)
{
	return wait_event_timeout(fd->wait, READ_ONCE(fd->nr_held) == n,
				  10 * HZ);
}
EXPORT_SYMBOL_GPL(fake_disk_holds);

/* As from an interrupt, which is where a disk's answers come from. */
static void fake_disk_let(struct fake_disk *fd, struct bio *bio)
{
	unsigned long flags;

	local_irq_save(flags);
	fake_disk_end(fd, bio);
	local_irq_restore(flags);
}

void fake_disk_let_last(struct fake_disk *fd)
{
	struct bio_list before = BIO_EMPTY_LIST;
	struct bio *bio, *last = NULL;
	unsigned long flags;

	spin_lock_irqsave(&fd->lock, flags);
	while ((bio = bio_list_pop(&fd->held))) {
		if (last)
			bio_list_add(&before, last);
		last = bio;
	}
	fd->held = before;
	fd->nr_held -= !!last;
	spin_unlock_irqrestore(&fd->lock, flags);
	if (last)
		fake_disk_let(fd, last);
}
EXPORT_SYMBOL_GPL(fake_disk_let_last);

void fake_disk_let_all(struct fake_disk *fd)
{
	struct bio_list list;
	struct bio *bio;
	unsigned long flags;

	spin_lock_irqsave(&fd->lock, flags);
	fd->hold = false;
	list = fd->held;
	bio_list_init(&fd->held);
	fd->nr_held = 0;
	spin_unlock_irqrestore(&fd->lock, flags);
	while ((bio = bio_list_pop(&list)))
		fake_disk_let(fd, bio);
}
EXPORT_SYMBOL_GPL(fake_disk_let_all);

MODULE_DESCRIPTION("vbus test helper: a block device made of memory");
MODULE_LICENSE("GPL");
