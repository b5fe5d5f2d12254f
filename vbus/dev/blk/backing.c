// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": what lies behind a disk: found by its path, claimed, and asked
 * what it can do.
 *
 * A block device is opened exclusively, as for a mount.  A file that is written to
 * belongs to one disk; vdm_blk_files knows which files have one.
 */
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "blk.h"

/* Disks with a file, by vdm_blk.file_node. */
static LIST_HEAD(vdm_blk_files);
static DEFINE_MUTEX(vdm_blk_files_lock);	/* the list */

static int vdm_blk_claim_file(struct vdm_blk *blk)
{
	struct inode *inode = file_inode(blk->file);
	struct vdm_blk *other;
	int err = 0;

	mutex_lock(&vdm_blk_files_lock);
	list_for_each_entry(other, &vdm_blk_files, file_node) {
		if (file_inode(other->file) == inode &&
		    !(other->readonly && blk->readonly)) {
			vbus_dev_err(&blk->dev, "%s is in use by %s\n",
				     blk->path, other->dev.name);
			err = -EBUSY;
			break;
		}
	}
	if (!err)
		list_add_tail(&blk->file_node, &vdm_blk_files);
	mutex_unlock(&vdm_blk_files_lock);
	return err;
}

/*
 * Pages that could not be written back are still in the page cache, and clean.  Nobody shall find
 * there what is not on the storage: what is read from now on comes from there.
 */
static void vdm_blk_forget_pages(struct vdm_blk *blk)
{
	invalidate_inode_pages2(blk->file->f_mapping);
}

/*
 * At once: who disabled the disk may unmount next.  Disable runs in a kernel thread, whose
 * fput() leaves the file to another one.
 */
static void vdm_blk_close_file(struct vdm_blk *blk)
{
	struct file *file = blk->file;

	get_file(file);
	filp_close(file, NULL);
	if (current->flags & PF_KTHREAD)
		__fput_sync(file);
	else
		fput(file);
	blk->file = NULL;
}

/* What is lost from now on concerns this disk; what was before is reported to the admin. */
static void vdm_blk_watch_file(struct vdm_blk *blk)
{
	int err = file_check_and_advance_wb_err(blk->file);

	if (err) {
		vbus_dev_err(&blk->dev, "not all that was written to %s before is there: %d\n",
			     blk->path, err);
		vdm_blk_forget_pages(blk);
	}
	blk->wb_err = filemap_sample_wb_err(blk->file->f_mapping);
	blk->lost = 0;
}

static int vdm_blk_open_file(struct vdm_blk *blk)
{
	int flags = O_LARGEFILE | (blk->readonly ? O_RDONLY : O_RDWR) |
		    (blk->direct ? O_DIRECT : 0);
	struct file *file;
	int err;

	file = filp_open(blk->path, flags, 0);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		vbus_dev_err(&blk->dev, "can't open %s: %d%s\n", blk->path, err,
			     err == -EINVAL && blk->direct ?
			     "; its file system may not have O_DIRECT, set direct to 0" :
			     "");
		return err;
	}
	blk->file = file;
	/* A read must not wait for a journal, so its time is not noted. */
	spin_lock(&file->f_lock);
	file->f_flags |= O_NOATIME;
	spin_unlock(&file->f_lock);
	if (!S_ISREG(file_inode(file)->i_mode) || !file->f_op->read_iter ||
	    (!blk->readonly && !file->f_op->write_iter)) {
		vbus_dev_err(&blk->dev, "%s is not a regular file\n", blk->path);
		err = -EINVAL;
	} else if (IS_SWAPFILE(file_inode(file))) {
		vbus_dev_err(&blk->dev, "%s is swapped to\n", blk->path);
		err = -EBUSY;
	} else {
		err = vdm_blk_claim_file(blk);
	}
	if (err) {
		vdm_blk_close_file(blk);
		return err;
	}
	vdm_blk_watch_file(blk);
	blk->ops = &vdm_blk_file_ops;
	return 0;
}

static int vdm_blk_open_bdev(struct vdm_blk *blk)
{
	fmode_t mode = FMODE_READ | FMODE_EXCL |
		       (blk->readonly ? 0 : FMODE_WRITE);
	struct block_device *bdev;
	int err;

	bdev = blkdev_get_by_path(blk->path, mode, blk);
	if (IS_ERR(bdev)) {
		err = PTR_ERR(bdev);
		vbus_dev_err(&blk->dev, "can't open %s: %d%s\n", blk->path, err,
			     err == -EBUSY ? "; it is mounted or otherwise in use" :
			     err == -EACCES ? "; it is read-only" : "");
		return err;
	}
	/* Others may have it open, and written to it through its page cache. */
	err = sync_blockdev(bdev);
	if (err) {
		vbus_dev_err(&blk->dev, "can't write out %s: %d\n", blk->path,
			     err);
		blkdev_put(bdev, mode);
		return err;
	}
	invalidate_bdev(bdev);
	blk->bdev = bdev;
	blk->ops = &vdm_blk_bdev_ops;
	return 0;
}

static int vdm_blk_open_path(struct vdm_blk *blk)
{
	struct path path;
	umode_t mode;
	int err;

	if (!blk->path) {
		vbus_dev_err(&blk->dev, "path is not set: a block device or a file\n");
		return -EINVAL;
	}
	err = kern_path(blk->path, LOOKUP_FOLLOW, &path);
	if (err) {
		vbus_dev_err(&blk->dev, "can't find %s: %d\n", blk->path, err);
		return err;
	}
	mode = d_backing_inode(path.dentry)->i_mode;
	path_put(&path);
	if (S_ISBLK(mode))
		return vdm_blk_open_bdev(blk);
	if (S_ISREG(mode))
		return vdm_blk_open_file(blk);
	vbus_dev_err(&blk->dev, "%s is neither a block device nor a regular file\n",
		     blk->path);
	return -EINVAL;
}

/* Attributes may ask for larger blocks than the backing's, never for smaller ones. */
static int vdm_blk_apply_sizes(struct vdm_blk *blk, struct vdm_blk_limits *lim)
{
	if (lim->logical > VDM_BLK_LOGICAL_MAX) {
		vbus_dev_err(&blk->dev, "%s has blocks of %u bytes, more than %u\n",
			     blk->path, lim->logical, VDM_BLK_LOGICAL_MAX);
		return -EINVAL;
	}
	if (blk->logical_block_size) {
		if (blk->logical_block_size < lim->logical) {
			vbus_dev_err(&blk->dev, "logical_block_size is at least %u for %s\n",
				     lim->logical, blk->path);
			return -EINVAL;
		}
		lim->logical = blk->logical_block_size;
	}
	if (blk->physical_block_size)
		lim->physical = blk->physical_block_size;
	if (blk->physical_block_size && lim->physical < lim->logical) {
		vbus_dev_err(&blk->dev, "physical_block_size is at least %u, the logical one\n",
			     lim->logical);
		return -EINVAL;
	}
	lim->physical = max(lim->physical, lim->logical);
	return 0;
}

static int vdm_blk_read_limits(struct vdm_blk *blk)
{
	struct vdm_blk_limits *lim = &blk->limits;
	int err;

	memset(lim, 0, sizeof(*lim));
	if (blk->bdev) {
		vdm_blk_bdev_limits(blk, lim);
	} else {
		err = vdm_blk_file_limits(blk, lim);
		if (err) {
			vbus_dev_err(&blk->dev, "%s can't be used with O_DIRECT, set direct to 0\n",
				     blk->path);
			return err;
		}
	}
	err = vdm_blk_apply_sizes(blk, lim);
	if (err)
		return err;
	lim->data_max = round_down(min(lim->data_max, VDM_BLK_DATA_MAX),
				   lim->logical);
	lim->segs = clamp_t(u32, lim->segs, 1, VDM_BLK_DATA_SEGS);
	lim->io_min = max(lim->io_min, lim->physical);
	if (!blk->discard)
		lim->discard_max = 0;
	lim->discard_align = max(lim->discard_align,
				 lim->logical >> SECTOR_SHIFT);
	lim->discard_max = round_down(lim->discard_max,
				      lim->logical >> SECTOR_SHIFT);
	return 0;
}

/**
 * vdm_blk_backing_size() - sectors of the disk now, whole blocks of it
 * @blk: with a backing
 *
 * Context: may sleep.
 */
u64 vdm_blk_backing_size(struct vdm_blk *blk)
{
	return round_down(blk->ops->size(blk) >> SECTOR_SHIFT,
			  blk->limits.logical >> SECTOR_SHIFT);
}

/**
 * vdm_blk_backing_open() - find, claim and ask the backing
 * @blk: attributes are set; ops, bdev or file, limits and capacity are filled in
 *
 * Context: may sleep; the mount namespace and the rights of the caller count.
 * Return: 0; or an errno, after a line in the log.
 */
int vdm_blk_backing_open(struct vdm_blk *blk)
{
	int err;

	err = vdm_blk_open_path(blk);
	if (err)
		return err;
	err = vdm_blk_read_limits(blk);
	if (!err) {
		blk->capacity = vdm_blk_backing_size(blk);
		if (!blk->capacity) {
			vbus_dev_err(&blk->dev, "%s has not one block of %u bytes\n",
				     blk->path, blk->limits.logical);
			err = -EINVAL;
		}
	}
	if (err)
		vdm_blk_backing_close(blk);
	return err;
}

/**
 * vdm_blk_backing_close() - undo vdm_blk_backing_open()
 * @blk: without a request in flight
 */
void vdm_blk_backing_close(struct vdm_blk *blk)
{
	if (blk->bdev) {
		/* What others have read of it meanwhile may be old. */
		invalidate_bdev(blk->bdev);
		blkdev_put(blk->bdev, FMODE_READ | FMODE_EXCL |
			   (blk->readonly ? 0 : FMODE_WRITE));
	}
	if (blk->file) {
		mutex_lock(&vdm_blk_files_lock);
		list_del(&blk->file_node);
		mutex_unlock(&vdm_blk_files_lock);
		if (vdm_blk_file_lost(blk, 0))
			vdm_blk_forget_pages(blk);
		vdm_blk_close_file(blk);
	}
	blk->bdev = NULL;
	blk->ops = NULL;
}
