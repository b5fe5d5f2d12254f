// SPDX-License-Identifier: GPL-2.0
/*
 * Event queues: signals of devices and news of slots as bits in guest memory.
 *
 * Posting takes no lock and may come from any context.  Nothing that the guest
 * writes there is believed: the bits it clears or sets decide only whether its own
 * interrupt is raised.
 */
#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include "native_priv.h"

/* The old value; all of the guest's words are little-endian. */
static u64 vbus_event_or(__le64 *word, unsigned int bit)
{
	return atomic64_fetch_or((__force u64)cpu_to_le64(BIT_ULL(bit)),
				 (atomic64_t *)word);
}

/*
 * The word of @event first, then the word that says so: a guest exchanges them in
 * the other order, so it sees the event, or we see that it has looked and
 * interrupt it.  All of these are full barriers.
 */
void vbus_event_post(struct vbus_native *nv, u32 queue, u32 event)
{
	struct vbus_event_queue *mem;
	struct vbus_native_event_queue *eq;
	__le64 *word;

	if (queue >= nv->nr_queues || event >= VBUS_NR_NEVENTS)
		return;
	eq = &nv->queues[array_index_nospec(queue, nv->nr_queues)];
	event = array_index_nospec(event, VBUS_NR_NEVENTS);

	rcu_read_lock();
	mem = rcu_dereference(eq->mem);
	if (!mem)
		goto unlock;
	word = &mem->pending[event / 64];
	/* Already pending; its setter raises the interrupt. */
	if (vbus_event_or(word, event % 64) &
	    (__force u64)cpu_to_le64(BIT_ULL(event % 64)))
		goto unlock;
	if (!vbus_event_or(&mem->select, event / 64))
		vbus_vector_signal(&eq->vector);
unlock:
	rcu_read_unlock();
}

/* Map the guest's page, which nobody sees yet. */
int vbus_event_queue_start(struct vbus_native *nv, struct vbus_native_event_queue *eq)
{
	int ret;

	lockdep_assert_held(&nv->lock);
	BUILD_BUG_ON(sizeof(struct vbus_event_queue) > VBUS_NATIVE_PAGE_SIZE);
	BUILD_BUG_ON(sizeof(atomic64_t) != sizeof(__le64));
	ret = vbus_mem_map(nv->mem, eq->reg & ~(u64)VBUS_NATIVE_ENABLE,
			   VBUS_NATIVE_PAGE_SIZE, &eq->map);
	if (!ret)
		rcu_assign_pointer(eq->mem, eq->map.vaddr);
	return ret;
}

/* A grace period has passed since @mem was cleared, or it never was set. */
void vbus_event_queue_stop(struct vbus_native_event_queue *eq)
{
	if (eq->map.vaddr)
		vbus_mem_unmap(&eq->map);
	eq->map.vaddr = NULL;
	eq->reg = 0;
}
