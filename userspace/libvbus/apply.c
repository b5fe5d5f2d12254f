// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The world follows config space: BAR, vectors and device are brought into the
 * state that the registers ask for.
 *
 * All under fn->ctl.  What is taken away goes first: no message is sent, no BAR
 * answers and no memory is touched that the guest has just forbidden, by the time
 * its write is done.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

static int lvb_fn_run(struct lvb_fn *fn, uint32_t run)
{
	return fn->bus->io->ops->set_attr(fn->bus->io, fn->dev,
					  VBUS_GROUP_STATE, VBUS_STATE_RUN,
					  &run, sizeof(run));
}

/* Bus mastering is off: a device that runs stops where it stands. */
void lvb_fn_pause(struct lvb_fn *fn)
{
	int ret = fn->dev < 0 ? -EINVAL : lvb_fn_run(fn, 0);

	if (!ret)
		fn->paused = true;
	else if (ret != -EINVAL)	/* EINVAL: it does not run */
		lvb_log_once(fn, LVB_LOGGED_RUN,
			     "bus %s slot %u: can't pause the device: %s",
			     fn->bus->name, fn->slot, strerror(-ret));
}

static void lvb_fn_resume(struct lvb_fn *fn)
{
	int ret;

	if (!fn->paused)
		return;
	fn->paused = false;
	ret = lvb_fn_run(fn, 1);
	/* EINVAL: the guest has reset it meanwhile. */
	if (ret && ret != -EINVAL)
		lvb_log_once(fn, LVB_LOGGED_RUN,
			     "bus %s slot %u: the device does not go on: %s; the guest must reset it",
			     fn->bus->name, fn->slot, strerror(-ret));
}

void lvb_fn_apply(struct lvb_fn *fn)
{
	bool decode = lvb_cfg_decode(fn);
	bool irqs = lvb_cfg_irqs(fn);
	bool dma = lvb_cfg_dma(fn);
	uint64_t addr = lvb_cfg_bar(fn);

	if (!irqs)
		lvb_msix_apply(fn, false);
	if (atomic_load(&fn->mapped) && (!decode || addr != fn->map_addr))
		lvb_bar_unmap(fn);
	lvb_shared_give(fn);
	if (dma != atomic_load(&fn->dma)) {
		/* Before the device is asked: see lvb_bar_status_written(). */
		atomic_store(&fn->dma, dma);
		if (dma)
			lvb_fn_resume(fn);
		else
			lvb_fn_pause(fn);
	}
	lvb_shared_take(fn, decode);
	if (decode && !atomic_load(&fn->mapped))
		lvb_bar_map(fn, addr);
	if (irqs)
		lvb_msix_apply(fn, true);
}

/* A function level reset, or a conventional one. */
void lvb_fn_reset(struct lvb_fn *fn, bool flr)
{
	int ret;

	/* Registers first, so that nobody who reads waits for the device. */
	pthread_mutex_lock(&fn->lock);
	lvb_cfg_reset(fn, flr);
	lvb_msix_reset(fn);
	pthread_mutex_unlock(&fn->lock);
	lvb_fn_apply(fn);

	/* What is not open is reset. */
	ret = fn->dev < 0 ? 0 : fn->bus->io->ops->reset(fn->bus->io, fn->dev);
	if (ret)
		lvb_log_once(fn, LVB_LOGGED_RESET,
			     "bus %s slot %u: the device can't be reset: %s",
			     fn->bus->name, fn->slot, strerror(-ret));
	fn->paused = false;
	/* What it signalled before is of no interest to anybody. */
	lvb_msix_drain(fn);
}

/* The end: the VMM gets back whatever it gave. */
void lvb_fn_quiesce(struct lvb_fn *fn)
{
	lvb_msix_apply(fn, false);
	if (atomic_load(&fn->mapped))
		lvb_bar_unmap(fn);
}
