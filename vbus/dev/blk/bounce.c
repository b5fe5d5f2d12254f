// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": memory of a request that is not found in its slot: longer lists
 * of pages, and copies of data that the backing could not use where it lies.
 *
 * All of it is charged to the opener of the bus, whose guest makes us keep it.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "blk.h"

/*
 * As VBUS_GFP_GUEST, but reclaim must not wait for a disk, which may be this one.  Without
 * RETRY_MAYFAIL the cgroup's limit would kill a process in it.
 */
#define VDM_BLK_GFP_BOUNCE	(GFP_NOIO | __GFP_ACCOUNT | __GFP_RETRY_MAYFAIL)

/**
 * struct vdm_blk_bounce - copies of a request's data
 * @nr: entries of @segs
 * @segs: where the data is in the guest
 *
 * The pages of the copies are in req->bv.
 */
struct vdm_blk_bounce {
	u32 nr;
	struct ioq_seg segs[];
};

/**
 * vdm_blk_more_vecs() - let a request have VDM_BLK_VECS entries
 * @req: with nothing in its entries yet
 *
 * They stay with the slot: after one long request another one comes.
 *
 * Context: may wait for memory.
 * Return: 0 or -ENOMEM.
 */
int vdm_blk_more_vecs(struct vdm_blk_req *req)
{
	struct mem_cgroup *old;

	if (!req->more) {
		old = set_active_memcg(vbus_conn_memcg(req->bq->q->conn));
		req->more = kvmalloc_array(VDM_BLK_VECS, sizeof(*req->more),
					   VDM_BLK_GFP_BOUNCE);
		set_active_memcg(old);
	}
	if (!req->more)
		return -ENOMEM;
	req->bv = req->more;
	return 0;
}

static void vdm_blk_free_pages(struct vdm_blk_req *req)
{
	u32 i;

	for (i = 0; i < req->nr_bv; i++)
		__free_page(req->bv[i].bv_page);
	atomic_sub(req->nr_bv, &req->bq->bounce_pages);
	req->nr_bv = 0;
}

/*
 * Called with the memory cgroup that is charged.  One page an entry; VDM_BLK_DATA_MAX in
 * single pages is fewer than VDM_BLK_VECS.
 */
static int vdm_blk_alloc_pages(struct vdm_blk_req *req)
{
	u64 left;
	u32 n;

	req->nr_bv = 0;
	for (left = req->len; left; left -= n) {
		struct bio_vec *bv = &req->bv[req->nr_bv];

		n = min_t(u64, left, PAGE_SIZE);
		if (atomic_inc_return(&req->bq->bounce_pages) >
		    VDM_BLK_BOUNCE_MAX)
			goto err_count;
		bv->bv_page = alloc_page(VDM_BLK_GFP_BOUNCE | __GFP_NOWARN);
		if (!bv->bv_page)
			goto err_count;
		bv->bv_offset = 0;
		bv->bv_len = n;
		req->nr_bv++;
	}
	return 0;

err_count:
	atomic_dec(&req->bq->bounce_pages);
	vdm_blk_free_pages(req);
	return -ENOMEM;
}

/* Copy between the guest's segments and the pages.  Return: 0 or -EFAULT. */
static int vdm_blk_copy(struct vdm_blk_req *req, const struct ioq_seg *segs,
			u32 nr, bool to_guest)
{
	struct vbus_mem *mem = req->bq->mem;
	u32 i, off, n, at = 0;
	void *p;
	int ret;

	for (i = 0; i < nr; i++) {
		for (off = 0; off < segs[i].len; off += n, at += n) {
			n = min_t(u32, segs[i].len - off,
				  PAGE_SIZE - offset_in_page(at));
			p = page_address(req->bv[at / PAGE_SIZE].bv_page) +
			    offset_in_page(at);
			if (to_guest)
				ret = vbus_mem_write(mem, segs[i].addr + off,
						     p, n);
			else
				ret = vbus_mem_read(mem, p,
						    segs[i].addr + off, n);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/**
 * vdm_blk_bounce() - carry a request out on copies of its data
 * @req: the request, @req->len is set
 * @segs: data in the guest
 * @nr: of them
 *
 * Context: may wait for memory.
 * Return: 0; VBUS_BLK_S_RESOURCE; VBUS_BLK_S_FAULT.
 */
int vdm_blk_bounce(struct vdm_blk_req *req, const struct ioq_seg *segs, u32 nr)
{
	struct vdm_blk_bounce *bounce;
	struct mem_cgroup *old;
	int err = -ENOMEM;

	old = set_active_memcg(vbus_conn_memcg(req->bq->q->conn));
	bounce = kmalloc(struct_size(bounce, segs, nr),
			 VDM_BLK_GFP_BOUNCE);
	if (bounce)
		err = vdm_blk_more_vecs(req) ?: vdm_blk_alloc_pages(req);
	set_active_memcg(old);
	if (err) {
		kfree(bounce);
		return VBUS_BLK_S_RESOURCE;
	}
	bounce->nr = nr;
	memcpy(bounce->segs, segs, nr * sizeof(*segs));
	req->bounce = bounce;
	req->bounced = true;
	/* Also to be read, that no guest sees what was in these pages. */
	if (vdm_blk_copy(req, segs, nr, false))
		return VBUS_BLK_S_FAULT;
	return 0;
}

/**
 * vdm_blk_bounce_later() - may vdm_blk_bounce_end() not be called here?
 * @req: the request
 * @status: 0 or VBUS_BLK_S_*
 *
 * What was read may be half a megabyte, which is no work for an interrupt.
 *
 * Context: any.
 */
bool vdm_blk_bounce_later(const struct vdm_blk_req *req, u8 status)
{
	return req->bounce && req->op == VBUS_BLK_OP_READ && !status &&
	       (!in_task() || irqs_disabled());
}

/**
 * vdm_blk_bounce_end() - give a guest what was read, free the copies
 * @req: a request with @req->bounce
 * @status: 0 or VBUS_BLK_S_*
 *
 * Context: any; process context if vdm_blk_bounce_later() asks for it.
 * Return: @status, or VBUS_BLK_S_FAULT if the guest's memory is gone.
 */
u8 vdm_blk_bounce_end(struct vdm_blk_req *req, u8 status)
{
	struct vdm_blk_bounce *bounce = req->bounce;

	if (!status && req->op == VBUS_BLK_OP_READ &&
	    vdm_blk_copy(req, bounce->segs, bounce->nr, true))
		status = VBUS_BLK_S_FAULT;
	vdm_blk_free_pages(req);
	kfree(bounce);
	req->bounce = NULL;
	return status;
}
