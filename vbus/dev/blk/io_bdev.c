// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": requests carried out by a block device, as bios on the guest's
 * own pages.  The bio is part of the request.
 *
 * With nowait a bio is marked REQ_NOWAIT.  One that would have waited comes back with
 * BLK_STS_AGAIN, from wherever in the stack that was noticed, and is sent again from
 * a work item.
 */
#include <linux/blkdev.h>
#include "blk.h"

/**
 * vdm_blk_bdev_nowait() - can a block device be asked not to wait?
 * @bdev: the device
 *
 * Drivers that sleep when they are given a request (nbd sends it over its socket) do so whatever
 * the request says; for these their queue has an SRCU struct.
 */
bool vdm_blk_bdev_nowait(struct block_device *bdev)
{
	return bdev_nowait(bdev) && !blk_queue_has_srcu(bdev_get_queue(bdev));
}

static u8 vdm_bdev_status(struct vdm_blk_req *req, blk_status_t status)
{
	struct vdm_blk *blk = req->bq->blk;

	if (status && blk->ops->gone(blk))
		return VBUS_BLK_S_GONE;
	return vdm_blk_status(status);
}

static void vdm_bdev_end_io(struct bio *bio)
{
	struct vdm_blk_req *req = container_of(bio, struct vdm_blk_req, bio);
	/* Not supported: since then the device has lost what it could do. */
	bool again = bio->bi_opf & REQ_NOWAIT &&
		     (bio->bi_status == BLK_STS_AGAIN ||
		      bio->bi_status == BLK_STS_NOTSUPP);
	u8 status = vdm_bdev_status(req, bio->bi_status);

	bio_uninit(bio);
	if (again)
		vdm_blk_defer(req);
	else
		vdm_blk_end(req, status);
}

static int vdm_bdev_submit(struct vdm_blk_req *req, blk_opf_t opf, bool nowait)
{
	struct vdm_blk *blk = req->bq->blk;
	struct bio *bio = &req->bio;

	if (nowait) {
		if (!vdm_blk_bdev_nowait(blk->bdev))
			return -EAGAIN;
		opf |= REQ_NOWAIT;
	}
	bio_init(bio, blk->bdev, req->bv, req->nr_bv, opf);
	bio->bi_vcnt = req->nr_bv;
	bio->bi_iter.bi_sector = req->sector;
	bio->bi_iter.bi_size = req->len;
	bio->bi_end_io = vdm_bdev_end_io;
	submit_bio(bio);
	return 0;
}

static int vdm_bdev_read(struct vdm_blk_req *req, bool nowait)
{
	return vdm_bdev_submit(req, REQ_OP_READ, nowait);
}

static int vdm_bdev_write(struct vdm_blk_req *req, bool nowait)
{
	/* As for O_DIRECT: somebody waits, and nothing is known of what follows. */
	blk_opf_t opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;

	if (req->flags & VBUS_BLK_REQ_FUA || req->bq->sync)
		opf |= REQ_FUA;
	return vdm_bdev_submit(req, opf, nowait);
}

static int vdm_bdev_flush(struct vdm_blk_req *req, bool nowait)
{
	req->nr_bv = 0;
	return vdm_bdev_submit(req, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC,
			       nowait);
}

/* For what may take long, in a work item. */
static int vdm_bdev_ended(struct vdm_blk_req *req, int err)
{
	if (!err && (req->flags & VBUS_BLK_REQ_FUA || req->bq->sync))
		err = blkdev_issue_flush(req->bq->blk->bdev);
	vdm_blk_end(req, vdm_bdev_status(req, errno_to_blk_status(err)));
	return 0;
}

static int vdm_bdev_discard(struct vdm_blk_req *req, bool nowait)
{
	if (nowait)
		return -EAGAIN;
	return vdm_bdev_ended(req, blkdev_issue_discard(req->bq->blk->bdev,
							req->sector,
							req->len >> SECTOR_SHIFT,
							GFP_NOIO));
}

static int vdm_bdev_zeroes(struct vdm_blk_req *req, bool nowait)
{
	u64 sector = req->sector, end = sector + (req->len >> SECTOR_SHIFT);
	unsigned int flags = 0;
	int err = 0;
	u64 n;

	if (nowait)
		return -EAGAIN;
	if (req->flags & VBUS_BLK_REQ_NOUNMAP)
		flags |= BLKDEV_ZERO_NOUNMAP;
	for (; !err && sector < end; sector += n) {
		if (READ_ONCE(req->bq->stopping)) {
			vdm_blk_end(req, VBUS_BLK_S_RESOURCE);
			return 0;
		}
		n = min_t(u64, end - sector, VDM_BLK_ZERO_STEP);
		err = blkdev_issue_zeroout(req->bq->blk->bdev, sector, n,
					   GFP_NOIO, flags);
	}
	return vdm_bdev_ended(req, err);
}

static u64 vdm_bdev_size(struct vdm_blk *blk)
{
	return bdev_nr_bytes(blk->bdev);
}

static bool vdm_bdev_gone(struct vdm_blk *blk)
{
	return !disk_live(blk->bdev->bd_disk);
}

const struct vdm_blk_ops vdm_blk_bdev_ops = {
	.execute = {
		[VBUS_BLK_OP_READ] = vdm_bdev_read,
		[VBUS_BLK_OP_WRITE] = vdm_bdev_write,
		[VBUS_BLK_OP_FLUSH] = vdm_bdev_flush,
		[VBUS_BLK_OP_DISCARD] = vdm_bdev_discard,
		[VBUS_BLK_OP_WRITE_ZEROES] = vdm_bdev_zeroes,
	},
	.size = vdm_bdev_size,
	.gone = vdm_bdev_gone,
};

/**
 * vdm_blk_bdev_limits() - what a block device can do
 * @blk: with @blk->bdev
 * @lim: filled in
 */
void vdm_blk_bdev_limits(struct vdm_blk *blk, struct vdm_blk_limits *lim)
{
	struct block_device *bdev = blk->bdev;
	struct request_queue *q = bdev_get_queue(bdev);

	lim->logical = bdev_logical_block_size(bdev);
	lim->physical = bdev_physical_block_size(bdev);
	lim->io_min = bdev_io_min(bdev);
	lim->io_opt = bdev_io_opt(bdev);
	/*
	 * What is longer the block layer splits.  255 sectors are not a limit, but what
	 * it says of drivers that name none: with it each 128 KiB would be two requests.
	 */
	lim->data_max = queue_max_sectors(q) == BLK_SAFE_MAX_SECTORS ?
			VDM_BLK_DATA_MAX : queue_max_bytes(q);
	lim->segs = queue_max_segments(q);
	/*
	 * The block layer splits requests between pages, and expects that no page
	 * begins or ends inside a block.
	 */
	lim->align = max_t(u32, bdev_dma_alignment(bdev) + 1, lim->logical);
	lim->discard_max = min_t(u32, bdev_max_discard_sectors(bdev),
				 VDM_BLK_RANGE_MAX);
	lim->discard_align = bdev_discard_granularity(bdev) >> SECTOR_SHIFT;
	/* Where the device can't, the block layer writes zeroes. */
	lim->zeroes_max = VDM_BLK_RANGE_MAX;
	lim->cache = bdev_write_cache(bdev);
	lim->rotational = !bdev_nonrot(bdev);
	/* Checksums may be made of what the guest then writes over. */
	lim->stable = bdev_stable_writes(bdev);
}
