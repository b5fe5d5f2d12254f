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

static int lvb_fn_info(struct lvb_fn *fn)
{
	static const struct {
		uint32_t attr;
		size_t offset;
	} words[] = {
		{ VBUS_INFO_CLASS, offsetof(struct libvbus_info, class_id) },
		{ VBUS_INFO_NR_QUEUES, offsetof(struct libvbus_info, nr_queues) },
		{ VBUS_INFO_NR_VECTORS, offsetof(struct libvbus_info, nr_vectors) },
	};
	const struct lvb_io *io = fn->bus->io;
	uint32_t value;
	size_t i;
	int ret;

	for (i = 0; i < LVB_ARRAY_SIZE(words); i++) {
		ret = io->ops->get_attr(fn->bus->io, fn->dev, VBUS_GROUP_INFO,
					words[i].attr, &value, sizeof(value));
		if (ret < 0)
			return ret;
		memcpy((char *)&fn->info + words[i].offset, &value,
		       sizeof(value));
	}
	ret = io->ops->get_attr(fn->bus->io, fn->dev, VBUS_GROUP_INFO,
				VBUS_INFO_NAME, fn->info.name,
				sizeof(fn->info.name) - 1);
	/* A name too long for us is no reason to do without the device. */
	if (ret < 0 && ret != -ENOSPC)
		return ret;
	if (fn->info.nr_queues > VBUS_MAX_QUEUES || !fn->info.nr_vectors ||
	    fn->info.nr_vectors > VBUS_MAX_VECTORS)
		return -EPROTO;
	return 0;
}

/* Everything @fn holds, in an order in which nothing comes back. */
static void lvb_fn_free(struct lvb_fn *fn)
{
	fn->bus->io->ops->dev_close(fn->bus->io, fn->dev);
	/* After the device: it holds the other ends. */
	lvb_bar_destroy(fn);
	lvb_msix_destroy(fn);
	pthread_mutex_destroy(&fn->lock);
	pthread_mutex_destroy(&fn->ctl);
	free(fn);
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
	pthread_mutex_init(&fn->ctl, NULL);
	pthread_mutex_init(&fn->lock, NULL);

	ret = lvb_fn_info(fn);
	if (!ret)
		ret = lvb_msix_init(fn);
	if (!ret)
		ret = lvb_bar_init(fn);
	if (ret) {
		lvb_fn_free(fn);
		return ret;
	}
	lvb_cfg_init(fn);
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

	if (!fn)
		return -ENOENT;
	*info = fn->info;
	/* The admin may have changed it meanwhile. */
	bus->io->ops->get_attr(bus->io, fn->dev, VBUS_GROUP_INFO,
			       VBUS_INFO_ALIAS, alias, sizeof(alias) - 1);
	memcpy(info->alias, alias, sizeof(alias));
	lvb_fn_put(fn);
	return 0;
}
