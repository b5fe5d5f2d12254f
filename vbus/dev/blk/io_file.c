// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": requests carried out by a regular file, as kiocbs with bvecs of
 * the guest's own pages.
 *
 * With nowait a kiocb is marked IOCB_NOWAIT, as io_uring does it: what is in the page
 * cache, or what O_DIRECT needs not wait for, is done at once.  Everything else is
 * done again from a work item, so that buffered requests wait side by side.  What is
 * short is gone on with there, too: the file system may have more to say at the point
 * where it stopped.
 *
 * What has to be on stable storage is written first, and then synced, always in a work
 * item.  IOCB_DSYNC would do both, but file systems sync where the write happens to end:
 * in the thread that submits it, if the storage is fast.
 */
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/ioprio.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/stat.h>
#include <linux/uio.h>
#include "blk.h"

/* Of zeroes written at a time, where there is no better way: 64 KiB. */
#define VDM_BLK_ZERO_PAGES	16

static u8 vdm_file_status(int err)
{
	/* To a guest it is the same. */
	if (err == -EDQUOT)
		err = -ENOSPC;
	/* Given up, as the queue stops. */
	if (err == -EAGAIN)
		return VBUS_BLK_S_RESOURCE;
	return vdm_blk_status(errno_to_blk_status(err));
}

/*
 * A file system that is frozen is not written to.  A write may end elsewhere than it
 * began, which lockdep has to know.
 */
static int vdm_file_start_write(struct file *file, bool nowait)
{
	struct super_block *sb = file_inode(file)->i_sb;

	if (!nowait)
		sb_start_write(sb);
	else if (!sb_start_write_trylock(sb))
		return -EAGAIN;
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	return 0;
}

static void vdm_file_end_write(struct file *file)
{
	struct super_block *sb = file_inode(file)->i_sb;

	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
}

/**
 * vdm_blk_file_lost() - may what was written be lost?
 * @blk: a disk with a file
 * @err: of an fsync of it, or 0
 *
 * Pages that could not be written back count as clean, a file system forgets a write of its own
 * that has failed, and a disk may have dropped its cache when it could not flush it.  None of
 * them tries again, so the next fsync succeeds.  Here it does not: once is for good, for all
 * queues and every guest, until the disk is enabled again.
 *
 * The record of the page cache is compared with what it was then, as each failure there is reported
 * only once to each struct file.
 *
 * Context: any.
 * Return: 0 or an errno, the same each time.
 */
int vdm_blk_file_lost(struct vdm_blk *blk, int err)
{
	int lost = READ_ONCE(blk->lost);

	if (lost)
		return lost;
	err = err ?: filemap_check_wb_err(blk->file->f_mapping, blk->wb_err);
	if (!err)
		return 0;
	/* A guest sends again what the host had no memory for; that would never end. */
	lost = err == -ENOSPC || err == -EDQUOT ? -ENOSPC : -EIO;
	if (!cmpxchg(&blk->lost, 0, lost))
		vbus_dev_err(&blk->dev, "%s could not be written out: %d; flushes fail until the device is enabled again\n",
			     blk->path, err);
	return READ_ONCE(blk->lost);
}

/* Process context, and waits. */
static int vdm_file_sync(struct vdm_blk *blk, loff_t start, loff_t end)
{
	return vdm_blk_file_lost(blk, 0) ?:
	       vdm_blk_file_lost(blk, vfs_fsync_range(blk->file, start, end, 1));
}

/* Does its end promise stable storage? */
static bool vdm_file_synced(const struct vdm_blk_req *req)
{
	return req->op != VBUS_BLK_OP_READ &&
	       (req->flags & VBUS_BLK_REQ_FUA || req->bq->sync);
}

/* Process context, and waits.  @err: how the operation went; 0: what is left is its promise. */
static int vdm_file_ended(struct vdm_blk_req *req, int err)
{
	loff_t pos = req->sector << SECTOR_SHIFT;

	if (!err && vdm_file_synced(req))
		err = vdm_file_sync(req->bq->blk, pos, pos + req->len - 1);
	vdm_blk_end(req, vdm_file_status(err));
	return 0;
}

/* Return: true if the request is done with, one way or the other. */
static bool vdm_file_result(struct vdm_blk_req *req, long ret)
{
	bool nowait = req->iocb.ki_flags & IOCB_NOWAIT;

	if (ret > 0)
		req->pos += ret;
	if (ret >= 0 && req->pos >= req->len) {
		if (vdm_file_synced(req))
			return false;
		vdm_blk_end(req, 0);
		return true;
	}
	/*
	 * Not supported: to be asked not to wait.  Interrupted: the thread that serves is
	 * being killed, which is no concern of the request's.  Nothing: it may be that to read
	 * it takes I/O.
	 */
	if (ret > 0 || (nowait && (ret == -EAGAIN || ret == -EOPNOTSUPP ||
				   ret == -EINTR || !ret)))
		return false;
	/* Nothing where the disk ends: the file has become shorter. */
	vdm_blk_end(req, ret ? vdm_file_status(ret) : VBUS_BLK_S_IOERR);
	return true;
}

/* O_DIRECT, from an interrupt or a work item of the file system. */
static void vdm_file_complete(struct kiocb *iocb, long ret)
{
	struct vdm_blk_req *req = container_of(iocb, struct vdm_blk_req, iocb);

	if (req->op == VBUS_BLK_OP_WRITE)
		vdm_file_end_write(iocb->ki_filp);
	if (!vdm_file_result(req, ret))
		vdm_blk_defer(req);
}

static ssize_t vdm_file_once(struct vdm_blk_req *req, bool write, bool nowait)
{
	struct file *file = req->bq->blk->file;
	struct iov_iter iter;
	ssize_t ret;

	iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, req->bv,
		      req->nr_bv, req->len);
	iov_iter_advance(&iter, req->pos);
	req->iocb = (struct kiocb){
		.ki_filp = file,
		.ki_pos = (req->sector << SECTOR_SHIFT) + req->pos,
		.ki_complete = vdm_file_complete,
		.ki_flags = iocb_flags(file),
		.ki_ioprio = get_current_ioprio(),
	};
	if (nowait)
		req->iocb.ki_flags |= IOCB_NOWAIT;
	/* Or it would send what readahead wants, and wait for the disk to take it. */
	if (nowait && !write)
		req->iocb.ki_flags |= IOCB_NOIO;
	if (!write)
		return call_read_iter(file, &req->iocb, &iter);
	/* Not all file systems look at IOCB_NOWAIT here: to note the time may take a journal. */
	ret = nowait ? kiocb_modified(&req->iocb) : 0;
	if (ret)
		return ret;
	ret = vdm_file_start_write(file, nowait);
	if (ret)
		return ret;
	ret = call_write_iter(file, &req->iocb, &iter);
	if (ret != -EIOCBQUEUED)
		vdm_file_end_write(file);
	return ret;
}

static int vdm_file_rw(struct vdm_blk_req *req, bool write, bool nowait)
{
	ssize_t ret;

	if (nowait && !req->bq->blk->limits.nowait)
		return -EAGAIN;
	while (req->pos < req->len) {
		ret = vdm_file_once(req, write, nowait);
		if (ret == -EIOCBQUEUED || vdm_file_result(req, ret))
			return 0;
		if (nowait)
			return -EAGAIN;
	}
	return vdm_file_ended(req, 0);
}

static int vdm_file_read(struct vdm_blk_req *req, bool nowait)
{
	return vdm_file_rw(req, false, nowait);
}

static int vdm_file_write(struct vdm_blk_req *req, bool nowait)
{
	struct inode *inode = file_inode(req->bq->blk->file);

	/* "mount -o sync", "chattr +S": each write ends in an fsync, which waits. */
	if (nowait && IS_SYNC(inode))
		return -EAGAIN;
	/* A limit of the thread that happens to serve would bring it a signal. */
	if (nowait && rlimit(RLIMIT_FSIZE) < i_size_read(inode))
		return -EAGAIN;
	return vdm_file_rw(req, true, nowait);
}

static int vdm_file_flush(struct vdm_blk_req *req, bool nowait)
{
	if (nowait)
		return -EAGAIN;
	vdm_blk_end(req, vdm_file_status(vdm_file_sync(req->bq->blk, 0,
						       LLONG_MAX)));
	return 0;
}

static int vdm_file_fallocate(struct vdm_blk_req *req, int mode)
{
	return vfs_fallocate(req->bq->blk->file, mode | FALLOC_FL_KEEP_SIZE,
			     req->sector << SECTOR_SHIFT, req->len);
}

static int vdm_file_discard(struct vdm_blk_req *req, bool nowait)
{
	if (nowait)
		return -EAGAIN;
	return vdm_file_ended(req, vdm_file_fallocate(req,
						      FALLOC_FL_PUNCH_HOLE));
}

/* For file systems that have no better way. */
static int vdm_file_write_zeroes(struct vdm_blk_req *req)
{
	loff_t pos = req->sector << SECTOR_SHIFT, end = pos + req->len;
	struct bio_vec bv[VDM_BLK_ZERO_PAGES];
	struct iov_iter iter;
	ssize_t ret;
	int i;

	for (i = 0; i < VDM_BLK_ZERO_PAGES; i++)
		bv[i] = (struct bio_vec){
			.bv_page = ZERO_PAGE(0),
			.bv_len = PAGE_SIZE,
		};
	while (pos < end) {
		if (READ_ONCE(req->bq->stopping))
			return -EAGAIN;
		iov_iter_bvec(&iter, ITER_SOURCE, bv, VDM_BLK_ZERO_PAGES,
			      min_t(u64, end - pos,
				    VDM_BLK_ZERO_PAGES * PAGE_SIZE));
		file_start_write(req->bq->blk->file);
		ret = vfs_iter_write(req->bq->blk->file, &iter, &pos, 0);
		file_end_write(req->bq->blk->file);
		if (ret <= 0)
			return ret ?: -EIO;
		cond_resched();
	}
	return 0;
}

static int vdm_file_zeroes(struct vdm_blk_req *req, bool nowait)
{
	int err = -EOPNOTSUPP;

	if (nowait)
		return -EAGAIN;
	/* A hole reads as zeroes, too, and more file systems have them. */
	if (!(req->flags & VBUS_BLK_REQ_NOUNMAP))
		err = vdm_file_fallocate(req, FALLOC_FL_PUNCH_HOLE);
	if (err == -EOPNOTSUPP)
		err = vdm_file_fallocate(req, FALLOC_FL_ZERO_RANGE);
	if (err == -EOPNOTSUPP)
		err = vdm_file_write_zeroes(req);
	return vdm_file_ended(req, err);
}

static u64 vdm_file_size(struct vdm_blk *blk)
{
	return i_size_read(file_inode(blk->file));
}

/* What is open stays. */
static bool vdm_file_gone(struct vdm_blk *blk)
{
	return false;
}

const struct vdm_blk_ops vdm_blk_file_ops = {
	.execute = {
		[VBUS_BLK_OP_READ] = vdm_file_read,
		[VBUS_BLK_OP_WRITE] = vdm_file_write,
		[VBUS_BLK_OP_FLUSH] = vdm_file_flush,
		[VBUS_BLK_OP_DISCARD] = vdm_file_discard,
		[VBUS_BLK_OP_WRITE_ZEROES] = vdm_file_zeroes,
	},
	.size = vdm_file_size,
	.gone = vdm_file_gone,
};

/*
 * Past the page cache it is the guest's own pages that a file system, or what its disk is
 * made of, may take checksums or copies of, and the guest may write to them meanwhile.
 * Disks say so, and file systems on one disk have nothing of the kind.  Those without a
 * disk of their own say nothing: btrfs keeps a checksum of each block, network file
 * systems may sign what they send.
 */
static bool vdm_file_stable(struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	struct super_block *sb = mapping->host->i_sb;

	return !sb->s_bdev || bdev_stable_writes(sb->s_bdev) ||
	       sb->s_iflags & SB_I_STABLE_WRITES || mapping_stable_writes(mapping);
}

/**
 * vdm_blk_file_limits() - what a file can do
 * @blk: with @blk->file
 * @lim: filled in
 *
 * Return: 0; -EINVAL, after a line in the log: it can't do O_DIRECT.
 */
int vdm_blk_file_limits(struct vdm_blk *blk, struct vdm_blk_limits *lim)
{
	struct file *file = blk->file;
	struct kstat stat = {};
	int err;

	lim->logical = SECTOR_SIZE;
	/* What the page cache, and most file systems, work with. */
	lim->physical = PAGE_SIZE;
	lim->io_min = PAGE_SIZE;
	lim->data_max = VDM_BLK_DATA_MAX;
	lim->segs = VDM_BLK_DATA_SEGS;
	/* The page cache takes any byte, but then guests would not be asked to. */
	lim->align = 1;
	if (file->f_op->fallocate) {
		lim->discard_max = VDM_BLK_RANGE_MAX;
		lim->discard_align = i_blocksize(file_inode(file)) >> SECTOR_SHIFT;
	}
	lim->zeroes_max = VDM_BLK_RANGE_MAX;
	lim->cache = true;
	lim->nowait = file->f_mode & FMODE_NOWAIT;
	if (!blk->direct)
		return 0;

	lim->stable = vdm_file_stable(file);
	err = vfs_getattr(&file->f_path, &stat, STATX_DIOALIGN,
			  AT_STATX_DONT_SYNC);
	if (!err && stat.result_mask & STATX_DIOALIGN) {
		lim->logical = max_t(u32, stat.dio_offset_align, SECTOR_SIZE);
		lim->align = max_t(u32, stat.dio_mem_align, lim->logical);
	} else if (file_inode(file)->i_sb->s_bdev) {
		lim->logical = bdev_logical_block_size(file_inode(file)->i_sb->s_bdev);
		lim->align = lim->logical;
	} else {
		lim->logical = PAGE_SIZE;
		lim->align = PAGE_SIZE;
	}
	if (!err && stat.result_mask & STATX_DIOALIGN && !stat.dio_offset_align)
		err = -EINVAL;
	return err;
}
