// SPDX-License-Identifier: GPL-2.0
/*
 * The native front: the window's registers, start, reset and the end.
 *
 * All under nv->lock, but doorbells and news of slots.  The guest's pages are
 * mapped and published by start and taken back by reset, which is also the way in
 * which disconnecting begins.
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "native_priv.h"

/* Most slow calls of one front at once, on a NUMA node: each takes a thread. */
#define VBUS_NATIVE_CALLS	64

/* What there is only while it is connected. */
static void vbus_native_free(struct vbus_native *nv)
{
	if (nv->wq)
		destroy_workqueue(nv->wq);
	kvfree(nv->slots);
	kvfree(nv->pages);
	nv->wq = NULL;
	nv->slots = NULL;
	nv->pages = NULL;
}

/* The same of a front that was in use.  A grace period has passed since it was. */
static void vbus_native_strip(struct vbus_native *nv)
{
	u32 i;

	for (i = 0; i < nv->nr_queues; i++)
		vbus_vector_release(&nv->queues[i].vector);
	for (i = 0; i < VBUS_MAX_SLOTS; i++)
		mutex_destroy(&nv->slots[i].lock);
	vbus_native_free(nv);
	vbus_bus_put(nv->bus);
	nv->bus = NULL;
}

static void vbus_native_release(struct kref *ref)
{
	struct vbus_native *nv = container_of(ref, struct vbus_native, ref);

	put_pid(nv->owner);
	mutex_destroy(&nv->lock);
	kfree(nv);
}

static void vbus_native_put(struct vbus_native *nv)
{
	kref_put(&nv->ref, vbus_native_release);
}

static struct vbus_native *vbus_native_alloc(struct vbus_session *session,
					     u32 nr_queues, u32 nr_pages,
					     u32 number)
{
	struct mem_cgroup *old;
	struct vbus_native *nv;
	u32 i;

	old = set_active_memcg(session->memcg);
	nv = kzalloc(sizeof(*nv), VBUS_GFP_GUEST);
	if (!nv) {
		set_active_memcg(old);
		return NULL;
	}
	nv->pages = kvcalloc(nr_pages, sizeof(*nv->pages), VBUS_GFP_GUEST);
	nv->slots = kvcalloc(VBUS_MAX_SLOTS, sizeof(*nv->slots),
			     VBUS_GFP_GUEST);
	set_active_memcg(old);
	nv->wq = alloc_workqueue("vbus-%s", WQ_UNBOUND, VBUS_NATIVE_CALLS,
				 vbus_bus_name(session->bus));
	if (!nv->pages || !nv->slots || !nv->wq) {
		vbus_native_free(nv);
		kfree(nv);
		return NULL;
	}
	kref_init(&nv->ref);
	mutex_init(&nv->lock);
	nv->bus = session->bus;
	config_group_get(&nv->bus->group);
	nv->session = session;
	nv->owner = get_pid(session->owner);
	nv->mem = session->mem;
	nv->number = number;
	nv->nr_queues = nr_queues;
	nv->nr_pages = nr_pages;
	for (i = 0; i < nr_queues; i++)
		vbus_vector_init(&nv->queues[i].vector);
	for (i = 0; i < nr_pages; i++)
		vbus_call_page_init(nv, i);
	for (i = 0; i < VBUS_MAX_SLOTS; i++)
		mutex_init(&nv->slots[i].lock);
	return nv;
}

struct vbus_native *vbus_native_open(struct vbus_session *session,
				     u32 nr_queues, u32 nr_pages, u32 number)
{
	struct vbus_bus *bus = session->bus;
	struct vbus_native *nv;
	bool busy;

	BUILD_BUG_ON(VBUS_NATIVE_MAX_SLOTS != VBUS_MAX_SLOTS);
	if (!nr_queues || nr_queues > VBUS_NATIVE_MAX_QUEUES || !nr_pages ||
	    nr_pages > VBUS_NATIVE_MAX_PAGES)
		return ERR_PTR(-EINVAL);
	nv = vbus_native_alloc(session, nr_queues, nr_pages, number);
	if (!nv)
		return ERR_PTR(-ENOMEM);

	mutex_lock(&bus->lock);
	busy = session->native;
	if (!busy) {
		/* The session's reference. */
		kref_get(&nv->ref);
		session->native = nv;
	}
	mutex_unlock(&bus->lock);
	if (busy) {
		vbus_native_strip(nv);
		vbus_native_put(nv);
		return ERR_PTR(-EBUSY);
	}
	return nv;
}
EXPORT_SYMBOL_NS_GPL(vbus_native_open, VBUS_SESSION);

/* Nothing of the guest's memory is touched afterwards. */
static void vbus_native_stop(struct vbus_native *nv)
{
	u32 i;

	lockdep_assert_held(&nv->lock);
	nv->status = 0;
	/* 1. No call comes in, and those that run end. */
	for (i = 0; i < nv->nr_pages; i++)
		rcu_assign_pointer(nv->pages[i].mem, NULL);
	synchronize_rcu();
	for (i = 0; i < nv->nr_pages; i++)
		vbus_call_page_stop(&nv->pages[i]);
	/* 2. Devices are closed: none signals any more. */
	for (i = 0; i < VBUS_MAX_SLOTS; i++) {
		mutex_lock(&nv->slots[i].lock);
		vbus_nslot_close(&nv->slots[i]);
		mutex_unlock(&nv->slots[i].lock);
	}
	/* 3. No news of slots. */
	for (i = 0; i < nv->nr_queues; i++)
		rcu_assign_pointer(nv->queues[i].mem, NULL);
	synchronize_rcu();
	for (i = 0; i < nv->nr_queues; i++)
		vbus_event_queue_stop(&nv->queues[i]);
}

/* As the guest writing STATUS 0. */
static void vbus_native_clear(struct vbus_native *nv)
{
	u32 i;

	/* A guest that looks for its bus begins with this: no grace periods for it. */
	if (nv->status) {
		vbus_native_stop(nv);
		return;
	}
	for (i = 0; i < nv->nr_queues; i++)
		nv->queues[i].reg = 0;
	for (i = 0; i < nv->nr_pages; i++)
		nv->pages[i].reg = 0;
}

/* Map what the guest enabled.  What fails is undone by vbus_native_stop(). */
static int vbus_native_map(struct vbus_native *nv)
{
	u32 i, nr_pages = 0;
	int ret;

	for (i = 0; i < nv->nr_queues; i++) {
		if (!(nv->queues[i].reg & VBUS_NATIVE_ENABLE))
			continue;
		ret = vbus_event_queue_start(nv, &nv->queues[i]);
		if (ret) {
			vbus_bus_err(nv->bus, "event queue %u at %#llx is not in guest memory: %d\n",
				     i, nv->queues[i].reg, ret);
			return ret;
		}
	}
	for (i = 0; i < nv->nr_pages; i++) {
		if (!(nv->pages[i].reg & VBUS_NATIVE_ENABLE))
			continue;
		nr_pages++;
		ret = vbus_call_page_start(&nv->pages[i]);
		if (ret) {
			vbus_bus_err(nv->bus, "call page %u at %#llx is not in guest memory: %d\n",
				     i, nv->pages[i].reg, ret);
			return ret;
		}
	}
	if (!(nv->queues[0].reg & VBUS_NATIVE_ENABLE) || !nr_pages) {
		vbus_bus_err(nv->bus, "the guest starts without event queue 0 or without a call page\n");
		return -EINVAL;
	}
	return 0;
}

static int vbus_native_start(struct vbus_native *nv)
{
	struct vbus_bus *bus = nv->bus;
	int ret;
	u32 i;

	lockdep_assert_held(&nv->lock);
	ret = vbus_native_map(nv);
	if (ret) {
		vbus_native_stop(nv);
		return ret;
	}
	nv->status = VBUS_NATIVE_RUNNING;
	mutex_lock(&bus->lock);
	for (i = 0; i < VBUS_MAX_SLOTS; i++)
		if (bus->slots[i] && bus->slots[i]->dev)
			vbus_native_news(nv, i, false);
	mutex_unlock(&bus->lock);
	return 0;
}

/* A slot has changed: under bus->lock, or while the slot can't change. */
void vbus_native_news(struct vbus_native *nv, u32 slot, bool renamed)
{
	if (renamed)
		set_bit(slot, nv->renamed);
	vbus_event_post(nv, 0, VBUS_NEVENT_SLOT(slot));
}

int vbus_native_reset(struct vbus_native *nv)
{
	int ret = -ENODEV;

	mutex_lock(&nv->lock);
	if (nv->session) {
		vbus_native_clear(nv);
		ret = 0;
	}
	mutex_unlock(&nv->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_native_reset, VBUS_SESSION);

/* Neither session nor bus is touched after this, and bound eventfds may go. */
static void vbus_native_disconnect(struct vbus_native *nv)
{
	struct vbus_session *session;
	u32 i;

	mutex_lock(&nv->lock);
	session = nv->session;
	if (!session) {
		mutex_unlock(&nv->lock);
		return;
	}
	for (i = 0; i < nv->nr_pages; i++) {
		vbus_doorbell_destroy(nv->pages[i].bell);
		nv->pages[i].bell = NULL;
	}
	vbus_native_clear(nv);
	WRITE_ONCE(nv->session, NULL);
	nv->mem = NULL;
	mutex_lock(&nv->bus->lock);
	session->native = NULL;
	mutex_unlock(&nv->bus->lock);
	/* Rings and interrupts that run end. */
	synchronize_rcu();
	vbus_native_strip(nv);
	mutex_unlock(&nv->lock);
	/* The session's reference. */
	vbus_native_put(nv);
}

/* From the end of the session: nobody opens another front meanwhile. */
void vbus_native_detach(struct vbus_session *session)
{
	struct vbus_native *nv;

	mutex_lock(&session->bus->lock);
	nv = session->native;
	if (nv)
		kref_get(&nv->ref);
	mutex_unlock(&session->bus->lock);
	if (!nv)
		return;
	/* If its owner is faster, this waits until it is done with the session. */
	vbus_native_disconnect(nv);
	vbus_native_put(nv);
}

void vbus_native_close(struct vbus_native *nv)
{
	vbus_native_disconnect(nv);
	vbus_native_put(nv);
}
EXPORT_SYMBOL_NS_GPL(vbus_native_close, VBUS_SESSION);

static void vbus_native_close_work(struct work_struct *work)
{
	vbus_native_close(container_of(work, struct vbus_native, close_work));
}

void vbus_native_close_file(struct vbus_native *nv)
{
	if (vbus_owner_waits(nv->owner)) {
		vbus_native_close(nv);
	} else {
		INIT_WORK(&nv->close_work, vbus_native_close_work);
		queue_work(vbus_close_wq, &nv->close_work);
	}
}

/* The guest's address of a page, or NULL: @off is none of those registers. */
static u64 *vbus_native_reg(struct vbus_native *nv, u32 off)
{
	u32 i;

	if (off >= VBUS_NREG_QUEUE(0) && off < VBUS_NREG_QUEUE(nv->nr_queues)) {
		i = (off - VBUS_NREG_QUEUE(0)) / 8;
		return &nv->queues[array_index_nospec(i, nv->nr_queues)].reg;
	}
	if (off >= VBUS_NREG_PAGE(0) && off < VBUS_NREG_PAGE(nv->nr_pages)) {
		i = (off - VBUS_NREG_PAGE(0)) / 8;
		return &nv->pages[array_index_nospec(i, nv->nr_pages)].reg;
	}
	return NULL;
}

static u32 vbus_native_read32(struct vbus_native *nv, u32 off)
{
	u64 *reg = vbus_native_reg(nv, off);

	if (reg)
		return off & 4 ? upper_32_bits(*reg) : lower_32_bits(*reg);
	switch (off) {
	case VBUS_NREG_MAGIC:
		return VBUS_NATIVE_MAGIC;
	case VBUS_NREG_VERSION:
		return VBUS_NATIVE_VERSION;
	case VBUS_NREG_NR_QUEUES:
		return nv->nr_queues;
	case VBUS_NREG_NR_PAGES:
		return nv->nr_pages;
	case VBUS_NREG_NR_SLOTS:
		return VBUS_MAX_SLOTS;
	case VBUS_NREG_BUS:
		return nv->number;
	case VBUS_NREG_STATUS:
		return nv->status;
	}
	return 0;
}

static int vbus_native_set_status(struct vbus_native *nv, u32 status)
{
	if (!status) {
		vbus_native_clear(nv);
		return 0;
	}
	if (status != VBUS_NATIVE_RUNNING)
		return -EINVAL;
	return nv->status ? 0 : vbus_native_start(nv);
}

/* A register of the guest's pages; the low half has the bit that enables it. */
static int vbus_native_set_reg(struct vbus_native *nv, u64 *reg, u32 off,
			       u64 value, size_t len)
{
	u64 whole = value;

	if (nv->status)
		return -EBUSY;
	if (len == 4 && off & 4)
		whole = value << 32 | lower_32_bits(*reg);
	else if (len == 4)
		whole = (*reg & GENMASK_ULL(63, 32)) | value;
	if (whole & (VBUS_NATIVE_PAGE_SIZE - 1) & ~VBUS_NATIVE_ENABLE)
		return -EINVAL;
	*reg = whole;
	return 0;
}

static int vbus_native_check(struct vbus_native *nv, u32 off, size_t len)
{
	if (!nv->session)
		return -ENODEV;
	if ((len != 4 && len != 8) || !IS_ALIGNED(off, len) ||
	    off >= VBUS_NATIVE_WINDOW_SIZE)
		return -EINVAL;
	return 0;
}

int vbus_native_read(struct vbus_native *nv, u32 off, void *buf, size_t len)
{
	__le32 words[2];
	int ret;

	mutex_lock(&nv->lock);
	ret = vbus_native_check(nv, off, len);
	if (!ret) {
		words[0] = cpu_to_le32(vbus_native_read32(nv, off));
		words[1] = cpu_to_le32(vbus_native_read32(nv, off + 4));
		memcpy(buf, words, len);
	}
	mutex_unlock(&nv->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_native_read, VBUS_SESSION);

/* A VMM without an eventfd for it: the slow way to kick. */
static bool vbus_native_write_kick(struct vbus_native *nv, u32 off, size_t len)
{
	if (len != 4 || !IS_ALIGNED(off, 4))
		return false;
	if (off == VBUS_NREG_IDLE_DOORBELL)
		return true;
	if (off < VBUS_NREG_DOORBELL(0) || off >= VBUS_NREG_DOORBELL(nv->nr_pages))
		return false;
	vbus_native_kick(nv, (off - VBUS_NREG_DOORBELL(0)) / 4);
	return true;
}

int vbus_native_write(struct vbus_native *nv, u32 off, const void *buf,
		      size_t len)
{
	__le64 raw = 0;
	u64 value, *reg;
	int ret;

	/* A call may take its time, and takes no lock. */
	if (vbus_native_write_kick(nv, off, len))
		return READ_ONCE(nv->session) ? 0 : -ENODEV;

	mutex_lock(&nv->lock);
	ret = vbus_native_check(nv, off, len);
	if (ret)
		goto unlock;
	memcpy(&raw, buf, len);
	value = le64_to_cpu(raw);
	reg = vbus_native_reg(nv, off);
	if (reg)
		ret = vbus_native_set_reg(nv, reg, off, value, len);
	else if (off == VBUS_NREG_STATUS && len == 4)
		ret = vbus_native_set_status(nv, value);
	else
		ret = -EINVAL;
unlock:
	mutex_unlock(&nv->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_native_write, VBUS_SESSION);

void vbus_native_kick(struct vbus_native *nv, u32 page)
{
	if (page >= nv->nr_pages)
		return;
	page = array_index_nospec(page, nv->nr_pages);
	rcu_read_lock();
	/* The pages go a grace period after it. */
	if (READ_ONCE(nv->session))
		vbus_call_page_kick(&nv->pages[page]);
	rcu_read_unlock();
}
EXPORT_SYMBOL_NS_GPL(vbus_native_kick, VBUS_SESSION);

/* To @ctx or @fn, or to nothing; @ctx is taken over on success. */
static int vbus_native_bind(struct vbus_native *nv, u32 queue,
			    struct eventfd_ctx *ctx, void (*fn)(void *arg),
			    void *arg)
{
	struct vbus_irq *irq = NULL;
	int ret = 0;

	mutex_lock(&nv->lock);
	if (!nv->session) {
		ret = -ENODEV;
		goto unlock;
	}
	if (queue >= nv->nr_queues) {
		ret = -EINVAL;
		goto unlock;
	}
	queue = array_index_nospec(queue, nv->nr_queues);
	if (ctx || fn) {
		irq = vbus_irq_alloc(nv->session->memcg, ctx, fn, arg);
		if (!irq) {
			ret = -ENOMEM;
			goto unlock;
		}
	}
	vbus_vector_bind(&nv->queues[queue].vector, irq);
unlock:
	mutex_unlock(&nv->lock);
	return ret;
}

int vbus_native_set_irq_fn(struct vbus_native *nv, u32 queue,
			   void (*fn)(void *arg), void *arg)
{
	return vbus_native_bind(nv, queue, NULL, fn, arg);
}
EXPORT_SYMBOL_NS_GPL(vbus_native_set_irq_fn, VBUS_SESSION);

int vbus_native_set_irq(struct vbus_native *nv, u32 queue,
			struct eventfd_ctx *ctx)
{
	return vbus_native_bind(nv, queue, ctx, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(vbus_native_set_irq, VBUS_SESSION);

int vbus_native_set_doorbell(struct vbus_native *nv, u32 page, int fd)
{
	struct vbus_doorbell *bell = NULL;
	struct vbus_native_call_page *cp;
	int ret = 0;

	mutex_lock(&nv->lock);
	if (!nv->session) {
		ret = -ENODEV;
		goto unlock;
	}
	if (page >= nv->nr_pages || fd < -1) {
		ret = -EINVAL;
		goto unlock;
	}
	cp = &nv->pages[array_index_nospec(page, nv->nr_pages)];
	if (fd != -1) {
		bell = vbus_doorbell_create(nv->session->memcg, fd,
					    vbus_call_page_kick, cp);
		if (IS_ERR(bell)) {
			ret = PTR_ERR(bell);
			goto unlock;
		}
	}
	vbus_doorbell_destroy(cp->bell);
	cp->bell = bell;
unlock:
	mutex_unlock(&nv->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_native_set_doorbell, VBUS_SESSION);
