// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * BAR0: the register window goes to the device as it is, the rest is MSI-X.
 *
 * Registers are forwarded without a lock, so a reset that takes its time holds
 * nobody up.  The kernel puts accesses in order; a guest that wants an order of its
 * own waits for one before it makes the next.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "private.h"

int lvb_bar_init(struct lvb_fn *fn)
{
	uint32_t q;

	if (!fn->info.nr_queues)
		return 0;
	fn->bells = calloc(fn->info.nr_queues, sizeof(*fn->bells));
	if (!fn->bells)
		return -ENOMEM;
	for (q = 0; q < fn->info.nr_queues; q++)
		fn->bells[q].fd = -1;
	return 0;
}

/* ctl, or nobody else has @fn: no eventfds, until they are made anew */
void lvb_bar_forget(struct lvb_fn *fn)
{
	uint32_t q;

	for (q = 0; fn->bells && q < fn->info.nr_queues; q++) {
		if (fn->bells[q].fd >= 0)
			close(fn->bells[q].fd);
		fn->bells[q].fd = -1;
	}
}

void lvb_bar_destroy(struct lvb_fn *fn)
{
	lvb_bar_forget(fn);
	free(fn->bells);
}

/* An eventfd that the device listens to. */
static int lvb_bell_bind(struct lvb_fn *fn, uint32_t q)
{
	int fd, ret;

	if (fn->bells[q].fd >= 0)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	ret = fn->bus->io->ops->set_doorbell(fn->bus->io, fn->dev, q, fd);
	if (ret)
		close(fd);
	else
		fn->bells[q].fd = fd;
	return ret;
}

static uint64_t lvb_bell_addr(const struct lvb_fn *fn, uint32_t q)
{
	return fn->map_addr + VBUS_PCI_WINDOW + VBUS_REG_DOORBELL(q);
}

static int lvb_bell_add(struct lvb_fn *fn, uint32_t q)
{
	const struct libvbus_ops *ops = &fn->bus->ops;
	int ret;

	ret = lvb_bell_bind(fn, q);
	if (!ret)
		ret = ops->doorbell_add(fn->bus->opaque, fn->slot,
					lvb_bell_addr(fn, q), fn->bells[q].fd);
	fn->bells[q].on = !ret;
	return ret;
}

/* ctl; the BAR is mapped and the device open */
void lvb_bar_bells_on(struct lvb_fn *fn)
{
	const struct libvbus_ops *ops = &fn->bus->ops;
	uint32_t q;
	int ret;

	for (q = 0; ops->doorbell_add && q < fn->info.nr_queues; q++) {
		ret = lvb_bell_add(fn, q);
		if (ret)
			lvb_log_once(fn, LVB_LOGGED_BELL,
				     "bus %s slot %u: doorbell %u is slow: no eventfd for it: %s",
				     fn->bus->name, fn->slot, q,
				     strerror(-ret));
	}
}

/* ctl */
void lvb_bar_bells_off(struct lvb_fn *fn)
{
	const struct libvbus_ops *ops = &fn->bus->ops;
	uint32_t q;

	for (q = 0; q < fn->info.nr_queues; q++) {
		if (fn->bells[q].on && ops->doorbell_del)
			ops->doorbell_del(fn->bus->opaque, fn->slot,
					  lvb_bell_addr(fn, q),
					  fn->bells[q].fd);
		fn->bells[q].on = false;
	}
}

/* ctl */
void lvb_bar_map(struct lvb_fn *fn, uint64_t addr)
{
	const struct libvbus_ops *ops = &fn->bus->ops;

	fn->map_addr = addr;
	atomic_store(&fn->mapped, true);
	if (ops->bar_map)
		ops->bar_map(fn->bus->opaque, fn->slot, addr);
	if (fn->dev >= 0)
		lvb_bar_bells_on(fn);
}

/* ctl: in the reverse order */
void lvb_bar_unmap(struct lvb_fn *fn)
{
	const struct libvbus_ops *ops = &fn->bus->ops;

	lvb_bar_bells_off(fn);
	if (ops->bar_unmap)
		ops->bar_unmap(fn->bus->opaque, fn->slot, fn->map_addr);
	atomic_store(&fn->mapped, false);
}

/*
 * The driver has started the device, perhaps, and may have done so without leave to
 * touch memory.  Taking the leave away stores fn->dma before it asks the
 * device to pause; we look at it after the device was started.  So one of the
 * two finds it running.
 */
static void lvb_bar_status_written(struct lvb_fn *fn)
{
	if (atomic_load(&fn->dma))
		return;
	pthread_mutex_lock(&fn->ctl);
	if (!atomic_load(&fn->dma))
		lvb_fn_pause(fn);
	pthread_mutex_unlock(&fn->ctl);
}

static int lvb_bar_check(const struct lvb_fn *fn, uint64_t off, size_t len)
{
	if (len != 1 && len != 2 && len != 4 && len != 8)
		return -EINVAL;
	if (off >= LIBVBUS_BAR_SIZE || len > LIBVBUS_BAR_SIZE - off)
		return -EINVAL;
	/* Across the end of the window. */
	if (off < VBUS_WINDOW_SIZE && len > VBUS_WINDOW_SIZE - off)
		return -EINVAL;
	return atomic_load(&fn->mapped) ? 0 : -ENXIO;
}

static int lvb_window_read(struct lvb_fn *fn, uint64_t off, void *buf,
			   size_t len)
{
	struct lvb_io *io = fn->bus->io;
	int dev, ret;

	dev = lvb_dev_enter(fn);
	if (dev < 0)
		return dev;
	ret = io->ops->dev_read(io, dev, off, buf, len);
	lvb_dev_leave(fn);
	return ret;
}

static int lvb_window_write(struct lvb_fn *fn, uint64_t off, const void *buf,
			    size_t len)
{
	struct lvb_io *io = fn->bus->io;
	int dev, ret;

	dev = lvb_dev_enter(fn);
	if (dev < 0)
		return dev;
	ret = io->ops->dev_write(io, dev, off, buf, len);
	lvb_dev_leave(fn);
	if (!ret && off == VBUS_REG_STATUS)
		lvb_bar_status_written(fn);
	return ret;
}

int libvbus_bar_read(struct libvbus *bus, uint32_t slot, uint64_t off,
		     void *buf, size_t len)
{
	struct lvb_fn *fn;
	int ret;

	memset(buf, 0xff, len);
	fn = lvb_fn_get(bus, slot);
	if (!fn)
		return -ENOENT;
	ret = lvb_bar_check(fn, off, len);
	if (ret)
		goto put;
	if (off < VBUS_WINDOW_SIZE)
		ret = lvb_window_read(fn, off, buf, len);
	else
		ret = lvb_msix_read(fn, off, buf, len);
	/* A read that failed may have left something. */
	if (ret)
		memset(buf, 0xff, len);
put:
	lvb_fn_put(fn);
	return ret;
}

int libvbus_bar_write(struct libvbus *bus, uint32_t slot, uint64_t off,
		      const void *buf, size_t len)
{
	struct lvb_fn *fn;
	int ret;

	fn = lvb_fn_get(bus, slot);
	if (!fn)
		return -ENOENT;
	ret = lvb_bar_check(fn, off, len);
	if (ret)
		goto put;
	if (off < VBUS_WINDOW_SIZE)
		ret = lvb_window_write(fn, off, buf, len);
	else
		ret = lvb_msix_write(fn, off, buf, len);
put:
	lvb_fn_put(fn);
	return ret;
}
