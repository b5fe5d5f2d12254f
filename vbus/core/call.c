// SPDX-License-Identifier: GPL-2.0
/*
 * Call pages: requests of a guest, answered in place.
 *
 * A ring comes from an eventfd's wake-up, with interrupts off.  A fast call is
 * answered there and then; a slow one only wakes the page's work, which copies the
 * request once, carries it out and answers with an event.  A request that has been
 * answered is known by its number, so any number of kicks is harmless.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "native_priv.h"

/* Answer @call: @result is 0 or a negative errno. */
static void vbus_call_answer(struct vbus_call *call, u32 seq, int result,
			     u64 value)
{
	WRITE_ONCE(call->result, cpu_to_le32(-result));
	WRITE_ONCE(call->value, cpu_to_le64(value));
	/* Pairs with the guest's acquire: it sees the answer with its number. */
	smp_store_release(&call->done, cpu_to_le32(seq));
}

static int vbus_call_fast(struct vbus_native *nv, const struct vbus_call *call)
{
	if (READ_ONCE(call->flags))
		return -EINVAL;
	switch (le16_to_cpu(READ_ONCE(call->func))) {
	case VBUS_FN_NOP:
		return 0;
	case VBUS_FN_KICK:
		return vbus_nslot_kick(nv, le32_to_cpu(READ_ONCE(call->slot)),
				       le64_to_cpu(READ_ONCE(call->arg[0])));
	}
	return -EOPNOTSUPP;
}

/* Any context; at most one fast call is answered and one work queued. */
void vbus_call_page_kick(void *call_page)
{
	struct vbus_native_call_page *cp = call_page;
	struct vbus_call_page *mem;
	unsigned long flags;
	u32 seq;

	rcu_read_lock();
	mem = rcu_dereference(cp->mem);
	if (!mem)
		goto unlock;

	spin_lock_irqsave(&cp->lock, flags);
	/* Pairs with the guest's release: the request is there with its number. */
	seq = le32_to_cpu(smp_load_acquire(&mem->fast.seq));
	if (seq != cp->fast_seq) {
		cp->fast_seq = seq;
		vbus_call_answer(&mem->fast, seq,
				 vbus_call_fast(cp->native, &mem->fast), 0);
	}
	spin_unlock_irqrestore(&cp->lock, flags);

	if (le32_to_cpu(READ_ONCE(mem->slow.seq)) != READ_ONCE(cp->slow_seq))
		queue_work(cp->native->wq, &cp->work);
unlock:
	rcu_read_unlock();
}

static int vbus_call_copy_in(struct vbus_native_call_page *cp, struct vbus_call_page *mem,
			     struct vbus_request *req)
{
	const struct vbus_call *call = &mem->slow;

	if (READ_ONCE(call->flags))
		return -EINVAL;
	req->func = le16_to_cpu(READ_ONCE(call->func));
	req->slot = le32_to_cpu(READ_ONCE(call->slot));
	req->length = le32_to_cpu(READ_ONCE(call->length));
	req->arg[0] = le64_to_cpu(READ_ONCE(call->arg[0]));
	req->arg[1] = le64_to_cpu(READ_ONCE(call->arg[1]));
	req->data = cp->data;
	if (req->length > VBUS_CALL_DATA_SIZE)
		return -EINVAL;
	return vbus_mem_map_read(&cp->map, cp->data,
				 offsetof(struct vbus_call_page, data),
				 req->length);
}

/* The page stays mapped: stopping waits for us first. */
static void vbus_call_work(struct work_struct *work)
{
	struct vbus_native_call_page *cp = container_of(work, struct vbus_native_call_page, work);
	struct vbus_call_page *mem = cp->map.vaddr;
	struct vbus_request req = {};
	u32 seq;
	int ret;

	/* Pairs with the guest's release. */
	seq = le32_to_cpu(smp_load_acquire(&mem->slow.seq));
	if (seq == cp->slow_seq)
		return;
	ret = vbus_call_copy_in(cp, mem, &req);
	if (!ret)
		ret = vbus_nslot_request(cp->native, &req);
	if (!ret)
		memcpy(mem->data, cp->data, req.answer);
	WRITE_ONCE(cp->slow_seq, seq);
	vbus_call_answer(&mem->slow, seq, ret, ret ? 0 : req.value);
	vbus_event_post(cp->native, 0, VBUS_NEVENT_CALL(cp->index));
}

void vbus_call_page_init(struct vbus_native *nv, u32 index)
{
	struct vbus_native_call_page *cp = &nv->pages[index];

	cp->native = nv;
	cp->index = index;
	spin_lock_init(&cp->lock);
	INIT_WORK(&cp->work, vbus_call_work);
}

/* Map the guest's page, which nobody kicks yet. */
int vbus_call_page_start(struct vbus_native_call_page *cp)
{
	struct vbus_native *nv = cp->native;
	struct mem_cgroup *old;
	int ret;

	lockdep_assert_held(&nv->lock);
	BUILD_BUG_ON(sizeof(struct vbus_call) != 64);
	BUILD_BUG_ON(sizeof(struct vbus_call_page) != VBUS_NATIVE_PAGE_SIZE);
	old = set_active_memcg(nv->session->memcg);
	cp->data = kmalloc(VBUS_CALL_DATA_SIZE, VBUS_GFP_GUEST);
	set_active_memcg(old);
	if (!cp->data)
		return -ENOMEM;
	ret = vbus_mem_map(nv->mem, cp->reg & ~(u64)VBUS_NATIVE_ENABLE,
			   VBUS_NATIVE_PAGE_SIZE, &cp->map);
	if (ret)
		return ret;
	cp->fast_seq = 0;
	cp->slow_seq = 0;
	rcu_assign_pointer(cp->mem, cp->map.vaddr);
	return 0;
}

/* A grace period has passed since @mem was cleared, or it never was set. */
void vbus_call_page_stop(struct vbus_native_call_page *cp)
{
	cancel_work_sync(&cp->work);
	if (cp->map.vaddr)
		vbus_mem_unmap(&cp->map);
	cp->map.vaddr = NULL;
	kfree(cp->data);
	cp->data = NULL;
	cp->reg = 0;
}
