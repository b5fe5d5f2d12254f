// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": what a guest asks for, checked.
 *
 * Everything a guest wrote is copied before it is looked at, and a request that
 * leaves here with success is within the disk, aligned, and of pages that are the
 * guest's.  Mistakes are answered by a status; only a chain that has no place for one
 * breaks the device.
 */
#include <linux/blkdev.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include "blk.h"

enum vdm_blk_dir { VDM_BLK_NO_DATA, VDM_BLK_OUT, VDM_BLK_IN };

/* What goes with an operation. */
static const struct {
	u64 feature;		/* has to be accepted */
	u16 flags;		/* allowed */
	bool writes;
	bool range;		/* nr_sectors says how long */
	enum vdm_blk_dir dir;
} vdm_blk_op[VBUS_BLK_NR_OPS] = {
	[VBUS_BLK_OP_READ] = {
		.dir = VDM_BLK_IN,
	},
	[VBUS_BLK_OP_WRITE] = {
		.flags = VBUS_BLK_REQ_FUA,
		.writes = true,
		.dir = VDM_BLK_OUT,
	},
	[VBUS_BLK_OP_FLUSH] = {
		.feature = VBUS_BLK_F_FLUSH,
	},
	[VBUS_BLK_OP_DISCARD] = {
		.feature = VBUS_BLK_F_DISCARD,
		.writes = true,
		.range = true,
	},
	[VBUS_BLK_OP_WRITE_ZEROES] = {
		.feature = VBUS_BLK_F_WRITE_ZEROES,
		.flags = VBUS_BLK_REQ_FUA | VBUS_BLK_REQ_NOUNMAP,
		.writes = true,
		.range = true,
	},
};

/**
 * vdm_blk_status() - the status for an error of the block layer
 * @status: of a bio
 *
 * Return: 0 or VBUS_BLK_S_*.
 */
u8 vdm_blk_status(blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
		return 0;
	case BLK_STS_NOTSUPP:
		return VBUS_BLK_S_UNSUPP;
	case BLK_STS_TIMEOUT:
		return VBUS_BLK_S_TIMEOUT;
	case BLK_STS_NOSPC:
		return VBUS_BLK_S_NOSPC;
	case BLK_STS_MEDIUM:
	case BLK_STS_PROTECTION:
		return VBUS_BLK_S_MEDIUM;
	case BLK_STS_RESOURCE:
	case BLK_STS_DEV_RESOURCE:
		return VBUS_BLK_S_RESOURCE;
	case BLK_STS_TRANSPORT:
	case BLK_STS_TARGET:
	case BLK_STS_NEXUS:
	case BLK_STS_OFFLINE:
		return VBUS_BLK_S_GONE;
	}
	return VBUS_BLK_S_IOERR;
}

/* Find the pages of @nr segments of data.  Return: 0 or VBUS_BLK_S_*. */
static int vdm_blk_find_pages(struct vdm_blk_req *req,
			      const struct ioq_seg *segs, u32 nr)
{
	u32 i, max = VDM_BLK_INLINE_VECS, mask = req->bq->blk->limits.align - 1;
	bool to_guest = req->op == VBUS_BLK_OP_READ;
	int n = 0;

	if (!to_guest && req->bq->blk->limits.stable)
		return vdm_blk_bounce(req, segs, nr);
	req->bv = req->vecs;
	for (i = 0; i < nr; i++) {
		if ((segs[i].addr | segs[i].len) & mask)
			return vdm_blk_bounce(req, segs, nr);
		n = vbus_mem_get_bvecs(req->bq->mem, segs[i].addr, segs[i].len,
				       to_guest, req->bv, n, max, &req->ref);
		if (n == -ENOSPC && req->bv == req->vecs) {
			/* From the start, as the entries must be in one array. */
			if (vdm_blk_more_vecs(req))
				return VBUS_BLK_S_RESOURCE;
			max = VDM_BLK_VECS;
			n = 0;
			i = -1;
			continue;
		}
		if (n == -E2BIG)
			return vdm_blk_bounce(req, segs, nr);
		if (n < 0)
			return VBUS_BLK_S_FAULT;
	}
	req->nr_bv = n;
	return 0;
}

/* Is what is to be covered within the disk, and made of blocks? */
static int vdm_blk_check_range(const struct vdm_blk_req *req)
{
	const struct vdm_blk *blk = req->bq->blk;
	u64 capacity = READ_ONCE(blk->capacity);
	u32 mask = blk->limits.logical - 1;

	if (!req->len || req->len & mask ||
	    req->sector & (mask >> VBUS_BLK_SECTOR_SHIFT))
		return VBUS_BLK_S_INVAL;
	if (req->sector > capacity ||
	    req->len >> VBUS_BLK_SECTOR_SHIFT > capacity - req->sector)
		return VBUS_BLK_S_RANGE;
	return 0;
}

static int vdm_blk_check_header(struct vdm_blk_req *req,
				const struct vbus_blk_req *hdr)
{
	const struct vdm_blk *blk = req->bq->blk;
	u32 nr = le32_to_cpu(hdr->nr_sectors), max;
	u16 op = le16_to_cpu(hdr->op), flags = le16_to_cpu(hdr->flags);
	u64 features = req->bq->features;

	if (op >= VBUS_BLK_NR_OPS)
		return VBUS_BLK_S_UNSUPP;
	op = array_index_nospec(op, VBUS_BLK_NR_OPS);
	req->op = op;
	req->sector = le64_to_cpu(hdr->sector);
	if ((features & vdm_blk_op[op].feature) != vdm_blk_op[op].feature)
		return VBUS_BLK_S_UNSUPP;
	if (flags & ~vdm_blk_op[op].flags ||
	    (flags & VBUS_BLK_REQ_FUA && !(features & VBUS_BLK_F_FLUSH)))
		return VBUS_BLK_S_INVAL;
	/* Holes are the admin's business. */
	if (op == VBUS_BLK_OP_WRITE_ZEROES && !blk->discard)
		flags |= VBUS_BLK_REQ_NOUNMAP;
	req->flags = flags;
	if (vdm_blk_op[op].writes && blk->readonly)
		return VBUS_BLK_S_READ_ONLY;
	if (!vdm_blk_op[op].range)
		return nr || (op == VBUS_BLK_OP_FLUSH && req->sector) ?
		       VBUS_BLK_S_INVAL : 0;
	max = op == VBUS_BLK_OP_DISCARD ? blk->limits.discard_max :
					  blk->limits.zeroes_max;
	if (nr > max)
		return VBUS_BLK_S_INVAL;
	req->len = (u64)nr << VBUS_BLK_SECTOR_SHIFT;
	return vdm_blk_check_range(req);
}

/* Segments of data, if they are of the right kind; sets len. */
static int vdm_blk_data(struct vdm_blk_req *req, const struct ioq_chain *chain,
			const struct ioq_seg **segs, u32 *nr)
{
	*segs = &req->bq->segs[1];
	switch (vdm_blk_op[req->op].dir) {
	case VDM_BLK_OUT:
		*nr = chain->nr_out - 1;
		req->len = chain->out_len - sizeof(struct vbus_blk_req);
		return chain->nr_in == 1 ? 0 : VBUS_BLK_S_INVAL;
	case VDM_BLK_IN:
		*nr = chain->nr_in - 1;
		req->len = chain->in_len - sizeof(struct vbus_blk_status);
		return chain->nr_out == 1 ? 0 : VBUS_BLK_S_INVAL;
	default:
		*nr = 0;
		return chain->nr_out == 1 && chain->nr_in == 1 ?
		       0 : VBUS_BLK_S_INVAL;
	}
}

/**
 * vdm_blk_parse() - check a chain and make a request of it
 * @req: its slot; the segments are in @req->bq->segs
 * @chain: the chain
 *
 * Context: process context; may wait for memory.
 * Return: 0: to be executed; VBUS_BLK_S_*: to be ended; -EPROTO: can't be answered,
 * the device is broken.
 */
int vdm_blk_parse(struct vdm_blk_req *req, const struct ioq_chain *chain)
{
	const struct ioq_seg *segs = req->bq->segs, *data;
	struct vdm_blk_queue *bq = req->bq;
	u32 nr = chain->nr_out + chain->nr_in;
	struct vbus_blk_req hdr;
	int ret;

	if (!chain->nr_out || segs[0].len != sizeof(hdr) || !chain->nr_in ||
	    segs[nr - 1].len != sizeof(struct vbus_blk_status)) {
		vdm_blk_broken(bq, "a chain does not begin with a request and end with a status");
		return -EPROTO;
	}
	req->id = chain->id;
	req->in_len = chain->in_len;
	req->status_addr = segs[nr - 1].addr;
	req->op = VBUS_BLK_OP_FLUSH;	/* if it has to end before we know */
	req->len = 0;
	req->pos = 0;
	req->deferred = false;
	req->bounced = false;
	req->ended = false;
	if (vbus_mem_read(bq->mem, &hdr, segs[0].addr, sizeof(hdr)))
		return VBUS_BLK_S_FAULT;
	ret = vdm_blk_check_header(req, &hdr);
	if (ret)
		return ret;
	req->execute = bq->blk->ops->execute[req->op];
	ret = vdm_blk_data(req, chain, &data, &nr);
	if (ret || vdm_blk_op[req->op].dir == VDM_BLK_NO_DATA)
		return ret;
	if (req->len > bq->blk->limits.data_max)
		return VBUS_BLK_S_INVAL;
	ret = vdm_blk_check_range(req);
	return ret ?: vdm_blk_find_pages(req, data, nr);
}
