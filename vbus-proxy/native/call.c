// SPDX-License-Identifier: GPL-2.0
/*
 * Calls: requests in a page of guest memory, answered by the device side.
 *
 * Each CPU has a page, or shares one.  A page has a fast half, used under a
 * spinlock from any context, and a slow half, used under a mutex.  Which page a
 * call takes does not matter for what it does, so a task may move to another CPU at
 * any time.
 *
 * An answer counts if it has the number of the request.  A request that was given
 * up still belongs to the device side: its half of the page is not used again
 * until the answer is there, so a late answer is never taken for that of
 * another request.
 *
 * Barriers are the virt_ ones: the other side runs on another CPU also when
 * this kernel has only one.
 */
#define pr_fmt(fmt) "vbus-native: " fmt

#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/smp.h>
#include "vnat.h"

/* The largest number in asm-generic/errno.h. */
#define VNAT_ERRNO_MAX		133

/* Looks at an answer before time is counted, which is in pauses of 1 us. */
#define VNAT_FAST_SPINS		1000

/* How long to wait for an answer.  Variables for the sake of tests. */
unsigned int vnat_fast_deadline_us = 1000000;
EXPORT_SYMBOL_IF_KUNIT(vnat_fast_deadline_us);
unsigned int vnat_slow_deadline_ms = 30000;
EXPORT_SYMBOL_IF_KUNIT(vnat_slow_deadline_ms);

static_assert(sizeof(struct vbus_call) == 64);
static_assert(sizeof(struct vbus_call_page) == VBUS_NATIVE_PAGE_SIZE);

void vnat_page_init(struct vnat_page *page)
{
	spin_lock_init(&page->lock);
	mutex_init(&page->mutex);
	init_waitqueue_head(&page->wait);
}

static struct vnat_page *vnat_this_page(struct vnat_bus *bus)
{
	return &bus->pages[raw_smp_processor_id() % bus->nr_pages];
}

/* A few numbers differ between architectures; those the ABI speaks of are here. */
static int vnat_errno(u32 result)
{
	switch (result) {
	case 0:
		return 0;
	case 95:
		return -EOPNOTSUPP;
	case 116:
		return -ESTALE;
	}
	return result <= VNAT_ERRNO_MAX ? -(int)result : -EIO;
}

static bool vnat_answered(const struct vbus_call *call, u32 seq)
{
	/*
	 * Pairs with the device side's release of done: what it wrote before, the
	 * answer, is there.
	 */
	return le32_to_cpu(virt_load_acquire(&call->done)) == seq;
}

/* Fill in a request but for its number, and kick. */
static void vnat_ask(struct vnat_bus *bus, struct vnat_page *page,
		     struct vbus_call *call, const struct vnat_request *req,
		     u32 seq)
{
	call->func = cpu_to_le16(req->func);
	call->flags = 0;
	call->slot = cpu_to_le32(req->slot);
	call->length = cpu_to_le32(req->out_len);
	call->arg[0] = cpu_to_le64(req->arg[0]);
	call->arg[1] = cpu_to_le64(req->arg[1]);
	/*
	 * Pairs with the device side's acquire of seq, which it may read without
	 * having been kicked for: the request is complete.
	 */
	virt_store_release(&call->seq, cpu_to_le32(seq));
	bus->ops->kick(bus->priv, page - bus->pages);
}

/*
 * When kick() returns the answer is there, unless something is wrong.  Time is
 * counted in pauses, because with interrupts off not every clock goes on.
 */
static bool vnat_fast_wait(const struct vbus_call *call, u32 seq)
{
	unsigned int i;

	for (i = 0; i < VNAT_FAST_SPINS; i++) {
		if (vnat_answered(call, seq))
			return true;
		cpu_relax();
	}
	for (i = 0; i < vnat_fast_deadline_us; i++) {
		udelay(1);
		if (vnat_answered(call, seq))
			return true;
	}
	return false;
}

static int vnat_fast_locked(struct vnat_bus *bus, struct vnat_page *page,
			    const struct vnat_request *req)
{
	struct vbus_call *call = &page->mem->fast;

	/* Once is enough: others don't wait for what was given up. */
	if (page->fast_late && !vnat_answered(call, page->fast_seq))
		return -ETIMEDOUT;
	page->fast_seq++;
	vnat_ask(bus, page, call, req, page->fast_seq);
	page->fast_late = !vnat_fast_wait(call, page->fast_seq);
	if (page->fast_late)
		return -ETIMEDOUT;
	return vnat_errno(le32_to_cpu(READ_ONCE(call->result)));
}

/**
 * vnat_fast_call() - a call that is answered at once
 * @bus: the bus
 * @func: VBUS_FN_*, a fast one
 * @slot: slot concerned
 * @arg: argument
 *
 * Context: any.
 * Return: 0; -ENODEV the bus is dead; -ETIMEDOUT; or what the device side says.
 */
int vnat_fast_call(struct vnat_bus *bus, u16 func, u32 slot, u64 arg)
{
	const struct vnat_request req = {
		.func = func,
		.slot = slot,
		.arg = { arg },
	};
	struct vnat_page *page = vnat_this_page(bus);
	unsigned long flags;
	int err;

	if (READ_ONCE(bus->dead))
		return -ENODEV;
	spin_lock_irqsave(&page->lock, flags);
	err = vnat_fast_locked(bus, page, &req);
	spin_unlock_irqrestore(&page->lock, flags);
	if (err == -ETIMEDOUT)
		dev_err_ratelimited(bus->dev, "no answer to fast call 0x%x\n",
				    func);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(vnat_fast_call);

/**
 * vnat_bus_fast_nop() - a fast call that does nothing, to measure what one costs
 * @bus: the bus
 *
 * Context: any.
 * Return: 0 or errno.
 */
int vnat_bus_fast_nop(struct vnat_bus *bus)
{
	return vnat_fast_call(bus, VBUS_FN_NOP, 0, 0);
}
EXPORT_SYMBOL_NS_GPL(vnat_bus_fast_nop, VPROXY_WINDOW);

/* Event VBUS_NEVENT_CALL(@nr), or some other reason to look; any context. */
void vnat_page_event(struct vnat_bus *bus, unsigned int nr)
{
	if (nr >= bus->nr_pages)
		return;
	wake_up(&bus->pages[array_index_nospec(nr, bus->nr_pages)].wait);
}
EXPORT_SYMBOL_IF_KUNIT(vnat_page_event);

/*
 * Wake-ups can be for nothing, however many, and the last look is after the deadline:
 * an answer counts even if its event was lost.
 */
static int vnat_slow_wait(struct vnat_bus *bus, struct vnat_page *page,
			  unsigned long end)
{
	const struct vbus_call *call = &page->mem->slow;
	long left = end - jiffies;

	if (left > 0)
		wait_event_timeout(page->wait,
				   vnat_answered(call, page->slow_seq) ||
				   READ_ONCE(bus->dead), left);
	page->slow_late = !vnat_answered(call, page->slow_seq);
	if (!page->slow_late)
		return 0;
	return READ_ONCE(bus->dead) ? -ENODEV : -ETIMEDOUT;
}

static int vnat_slow_locked(struct vnat_bus *bus, struct vnat_page *page,
			    struct vnat_request *req)
{
	/* Time spent waiting for the page's mutex does not count. */
	unsigned long end = jiffies + msecs_to_jiffies(vnat_slow_deadline_ms);
	struct vbus_call *call = &page->mem->slow;
	int err;

	lockdep_assert_held(&page->mutex);
	/* The page is still the device side's if the last caller gave up. */
	if (page->slow_late) {
		err = vnat_slow_wait(bus, page, end);
		if (err)
			return err;
	}
	if (req->out_len)
		memcpy(page->mem->data, req->out, req->out_len);
	page->slow_seq++;
	vnat_ask(bus, page, call, req, page->slow_seq);
	err = vnat_slow_wait(bus, page, end);
	if (err)
		return err;
	err = vnat_errno(le32_to_cpu(READ_ONCE(call->result)));
	if (err)
		return err;
	req->value = le64_to_cpu(READ_ONCE(call->value));
	if (req->in_len)
		memcpy(req->in, page->mem->data, req->in_len);
	return 0;
}

/**
 * vnat_slow_call() - a call that is answered some time later
 * @bus: the bus
 * @req: request and answer
 *
 * Context: may sleep, for vnat_slow_deadline_ms once it has a page.
 * Return: 0; -ENODEV the bus is dead; -ETIMEDOUT; or what the device side says.
 */
int vnat_slow_call(struct vnat_bus *bus, struct vnat_request *req)
{
	struct vnat_page *page = vnat_this_page(bus);
	int err;

	if (WARN_ON_ONCE(req->out_len > VBUS_CALL_DATA_SIZE ||
			 req->in_len > VBUS_CALL_DATA_SIZE))
		return -EINVAL;
	if (READ_ONCE(bus->dead))
		return -ENODEV;
	mutex_lock(&page->mutex);
	err = vnat_slow_locked(bus, page, req);
	mutex_unlock(&page->mutex);
	if (err != -ETIMEDOUT)
		return err;
	if (bus->ops->read32(bus->priv, VBUS_NREG_MAGIC) == U32_MAX) {
		vnat_bus_set_dead(bus);
		return -ENODEV;
	}
	dev_err_ratelimited(bus->dev, "no answer to call 0x%x for slot %u\n",
			    req->func, req->slot);
	return err;
}

/* One without data. */
int vnat_slow_simple(struct vnat_bus *bus, u16 func, u32 slot, u64 arg0,
		     u64 arg1)
{
	struct vnat_request req = {
		.func = func,
		.slot = slot,
		.arg = { arg0, arg1 },
	};

	return vnat_slow_call(bus, &req);
}
EXPORT_SYMBOL_IF_KUNIT(vnat_slow_simple);
