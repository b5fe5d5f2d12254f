// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The life of a function: found under RCU, kept by a reference, gone when the last
 * call has left it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-bp.h>
#include "private.h"

/*
 * The function in @slot with a reference, or NULL.  The table's own reference is
 * dropped a grace period after the pointer was taken away, so what is found here
 * is never on its way to 0.
 */
struct lvb_fn *lvb_fn_get(struct libvbus *bus, uint32_t slot)
{
	struct lvb_fn *fn;

	if (slot >= bus->nr_slots)
		return NULL;
	urcu_bp_read_lock();
	/* Pairs with the release in lvb_fn_attach(). */
	fn = __atomic_load_n(&bus->fns[slot], __ATOMIC_ACQUIRE);
	if (fn)
		atomic_fetch_add_explicit(&fn->refs, 1, memory_order_relaxed);
	urcu_bp_read_unlock();
	return fn;
}

/* The last to leave tells lvb_fn_eject(), which frees; @fn is not used after. */
void lvb_fn_put(struct lvb_fn *fn)
{
	struct libvbus *bus = fn->bus;

	if (atomic_fetch_sub_explicit(&fn->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&bus->drain_lock);
	fn->drained = true;
	pthread_cond_broadcast(&bus->drain_cond);
	pthread_mutex_unlock(&bus->drain_lock);
}

int lvb_fn_read_info(struct libvbus *bus, int dev, struct libvbus_info *info)
{
	static const struct {
		uint32_t attr;
		size_t offset;
	} words[] = {
		{ VBUS_INFO_CLASS, offsetof(struct libvbus_info, class_id) },
		{ VBUS_INFO_NR_QUEUES, offsetof(struct libvbus_info, nr_queues) },
		{ VBUS_INFO_NR_VECTORS, offsetof(struct libvbus_info, nr_vectors) },
	};
	struct lvb_io *io = bus->io;
	uint32_t value;
	size_t i;
	int ret;

	memset(info, 0, sizeof(*info));
	for (i = 0; i < LVB_ARRAY_SIZE(words); i++) {
		ret = io->ops->get_attr(io, dev, VBUS_GROUP_INFO,
					words[i].attr, &value, sizeof(value));
		if (ret < 0)
			return ret;
		memcpy((char *)info + words[i].offset, &value, sizeof(value));
	}
	ret = io->ops->get_attr(io, dev, VBUS_GROUP_INFO, VBUS_INFO_NAME,
				info->name, sizeof(info->name) - 1);
	/* A name too long for us is no reason to do without the device. */
	if (ret < 0 && ret != -ENOSPC)
		return ret;
	if (info->nr_queues > VBUS_MAX_QUEUES || !info->nr_vectors ||
	    info->nr_vectors > VBUS_MAX_VECTORS)
		return -EPROTO;
	return 0;
}

/* Everything @fn holds, in an order in which nothing comes back. */
static void lvb_fn_free(struct lvb_fn *fn)
{
	if (fn->dev >= 0)
		fn->bus->io->ops->dev_close(fn->bus->io, fn->dev);
	/* After the device: it holds the other ends. */
	lvb_bar_destroy(fn);
	lvb_msix_destroy(fn);
	pthread_rwlock_destroy(&fn->dev_lock);
	pthread_mutex_destroy(&fn->lock);
	pthread_mutex_destroy(&fn->ctl);
	free(fn);
}

static void lvb_fn_init_locks(struct lvb_fn *fn)
{
	pthread_rwlockattr_t attr;

	pthread_mutex_init(&fn->ctl, NULL);
	pthread_mutex_init(&fn->lock, NULL);
	/* vCPUs that read all the time must not keep the device open. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&fn->dev_lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

int lvb_fn_attach(struct libvbus *bus, uint32_t slot)
{
	struct lvb_fn *fn;
	int ret;

	fn = calloc(1, sizeof(*fn));
	if (!fn)
		return -ENOMEM;
	fn->bus = bus;
	fn->slot = slot;
	fn->dev = bus->io->ops->open_slot(bus->io, slot);
	if (fn->dev < 0) {
		ret = fn->dev;
		free(fn);
		return ret;
	}
	atomic_init(&fn->refs, 1);
	atomic_init(&fn->mapped, false);
	atomic_init(&fn->dma, false);
	lvb_fn_init_locks(fn);

	ret = lvb_fn_read_info(bus, fn->dev, &fn->info);
	if (!ret)
		ret = lvb_msix_init(fn);
	if (!ret)
		ret = lvb_bar_init(fn);
	if (ret) {
		lvb_fn_free(fn);
		return ret;
	}
	lvb_cfg_init(fn);
	lvb_shared_init(fn);
	__atomic_store_n(&bus->fns[slot], fn, __ATOMIC_RELEASE);
	return 0;
}

static void lvb_fn_wait_drained(struct lvb_fn *fn)
{
	struct libvbus *bus = fn->bus;

	pthread_mutex_lock(&bus->drain_lock);
	while (!fn->drained)
		pthread_cond_wait(&bus->drain_cond, &bus->drain_lock);
	pthread_mutex_unlock(&bus->drain_lock);
}

int lvb_fn_eject(struct libvbus *bus, uint32_t slot)
{
	struct lvb_fn *fn = bus->fns[slot];

	if (!fn)
		return -ENOENT;
	/* 1. No new call finds it. */
	__atomic_store_n(&bus->fns[slot], NULL, __ATOMIC_RELEASE);
	/* 2. Those that found it hold references. */
	urcu_bp_synchronize_rcu();
	/* 3. They leave. */
	lvb_fn_put(fn);
	lvb_fn_wait_drained(fn);
	/* 4. The VMM takes back what it set up; then the device goes. */
	pthread_mutex_lock(&fn->ctl);
	lvb_fn_quiesce(fn);
	pthread_mutex_unlock(&fn->ctl);
	lvb_fn_free(fn);
	return 0;
}

int libvbus_reset_slot(struct libvbus *bus, uint32_t slot)
{
	struct lvb_fn *fn = lvb_fn_get(bus, slot);

	if (!fn)
		return -ENOENT;
	pthread_mutex_lock(&fn->ctl);
	lvb_fn_reset(fn, false);
	pthread_mutex_unlock(&fn->ctl);
	lvb_fn_put(fn);
	return 0;
}

int libvbus_get_info(struct libvbus *bus, uint32_t slot,
		     struct libvbus_info *info)
{
	struct lvb_fn *fn = lvb_fn_get(bus, slot);
	char alias[sizeof(info->alias)] = "";
	int dev;

	if (!fn)
		return -ENOENT;
	*info = fn->info;
	dev = lvb_dev_enter(fn);
	if (dev >= 0) {
		/* The admin may have changed it meanwhile. */
		bus->io->ops->get_attr(bus->io, dev, VBUS_GROUP_INFO,
				       VBUS_INFO_ALIAS, alias,
				       sizeof(alias) - 1);
		lvb_dev_leave(fn);
		memcpy(info->alias, alias, sizeof(alias));
	}
	lvb_fn_put(fn);
	return 0;
}
