// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The native front of a bus: a window that is forwarded as it is, an eventfd for
 * each event queue and each call page.  What happens in it is between the guest and
 * the kernel; nothing of it is known here.
 *
 * bus->native is set by libvbus_native_open(), before any vCPU runs, and goes with
 * libvbus_close(), after the last has stopped: so accesses take no lock.  What else
 * is in it belongs to the thread that may call libvbus_process().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/vbus_native.h>
#include "private.h"

static int lvb_native_eventfd(struct lvb_bell *bell)
{
	bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return bell->fd < 0 ? -errno : 0;
}

static struct lvb_bell *lvb_native_bells(uint32_t nr)
{
	struct lvb_bell *bells;
	uint32_t i;

	bells = calloc(nr, sizeof(*bells));
	for (i = 0; bells && i < nr; i++)
		bells[i].fd = -1;
	return bells;
}

static struct lvb_native *lvb_native_alloc(const struct libvbus_native_params *p)
{
	struct lvb_native *n;

	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->handle = -1;
	n->nr_queues = p->nr_queues;
	n->nr_pages = p->nr_pages;
	n->irqs = lvb_native_bells(p->nr_queues);
	/* One more for the doorbell that nobody listens to. */
	n->bells = lvb_native_bells(p->nr_pages + 1);
	return n;
}

static uint64_t lvb_native_bell_off(const struct lvb_native *n, uint32_t i)
{
	return i < n->nr_pages ? VBUS_NREG_DOORBELL(i) : VBUS_NREG_IDLE_DOORBELL;
}

static int lvb_native_bell_add(struct libvbus *bus, struct lvb_native *n,
			       uint32_t i)
{
	struct lvb_bell *bell = &n->bells[i];
	int ret;

	ret = lvb_native_eventfd(bell);
	if (!ret && i < n->nr_pages)
		ret = bus->io->ops->native_set_doorbell(bus->io, n->handle, i,
							bell->fd);
	if (!ret)
		ret = bus->ops.native_doorbell_add(bus->opaque,
						   lvb_native_bell_off(n, i),
						   bell->fd);
	bell->on = !ret;
	return ret;
}

/* Without an eventfd a doorbell is a write to the window: the same, but slower. */
static void lvb_native_add_bells(struct libvbus *bus, struct lvb_native *n)
{
	bool logged = false;
	uint32_t i;
	int ret;

	for (i = 0; bus->ops.native_doorbell_add && i <= n->nr_pages; i++) {
		ret = lvb_native_bell_add(bus, n, i);
		if (ret && !logged)
			lvb_log(bus, LIBVBUS_LOG_WARNING,
				"bus %s: native doorbell %u is slow: no eventfd for it: %s",
				bus->name, i, strerror(-ret));
		logged = logged || ret;
	}
}

static int lvb_native_irq_add(struct libvbus *bus, struct lvb_native *n,
			      uint32_t q)
{
	struct lvb_bell *irq = &n->irqs[q];
	int ret;

	if (!bus->ops.native_irq_enable)
		return -ENOTSUP;
	ret = lvb_native_eventfd(irq);
	if (!ret)
		ret = bus->io->ops->native_set_irq(bus->io, n->handle, q,
						   irq->fd);
	if (!ret)
		ret = bus->ops.native_irq_enable(bus->opaque, q, irq->fd);
	irq->on = !ret;
	return ret;
}

/* Unlike a doorbell, an interrupt can't be had in another way. */
static int lvb_native_add_irqs(struct libvbus *bus, struct lvb_native *n)
{
	uint32_t q;
	int ret;

	for (q = 0; q < n->nr_queues; q++) {
		ret = lvb_native_irq_add(bus, n, q);
		if (ret) {
			lvb_log(bus, LIBVBUS_LOG_ERROR,
				"bus %s: no interrupt for native event queue %u: %s",
				bus->name, q, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

/* @n, complete or not, and what the VMM gave for it. */
static void lvb_native_free(struct libvbus *bus, struct lvb_native *n)
{
	uint32_t i;

	for (i = 0; n->bells && i <= n->nr_pages; i++)
		if (n->bells[i].on && bus->ops.native_doorbell_del)
			bus->ops.native_doorbell_del(bus->opaque,
						     lvb_native_bell_off(n, i),
						     n->bells[i].fd);
	for (i = 0; n->irqs && i < n->nr_queues; i++)
		if (n->irqs[i].on && bus->ops.native_irq_disable)
			bus->ops.native_irq_disable(bus->opaque, i,
						    n->irqs[i].fd);
	if (n->handle >= 0)
		bus->io->ops->native_close(bus->io, n->handle);
	/* After the kernel: it holds the other ends. */
	for (i = 0; n->bells && i <= n->nr_pages; i++)
		if (n->bells[i].fd >= 0)
			close(n->bells[i].fd);
	for (i = 0; n->irqs && i < n->nr_queues; i++)
		if (n->irqs[i].fd >= 0)
			close(n->irqs[i].fd);
	free(n->bells);
	free(n->irqs);
	free(n);
}

void lvb_native_close(struct libvbus *bus)
{
	if (bus->native)
		lvb_native_free(bus, bus->native);
	bus->native = NULL;
}

static int lvb_native_known(struct libvbus *bus)
{
	struct vbus_info info;
	int ret;

	ret = bus->io->ops->get_info(bus->io, &info);
	if (!ret && !(info.caps & VBUS_CAP_NATIVE))
		ret = -ENOTSUP;
	if (ret == -ENOTSUP)
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: the vbus module of this kernel is too old for the native front; load a newer one, or attach the bus by PCI",
			bus->name);
	else if (ret)
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: no native front: %s", bus->name, strerror(-ret));
	return ret;
}

static int lvb_native_check(struct libvbus *bus,
			    const struct libvbus_native_params *p)
{
	if (bus->native)
		return -EBUSY;
	if (!p->nr_queues || p->nr_queues > VBUS_NATIVE_MAX_QUEUES ||
	    !p->nr_pages || p->nr_pages > VBUS_NATIVE_MAX_PAGES) {
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: the native front has 1 to %u event queues and 1 to %u call pages, not %u and %u",
			bus->name, VBUS_NATIVE_MAX_QUEUES,
			VBUS_NATIVE_MAX_PAGES, p->nr_queues, p->nr_pages);
		return -EINVAL;
	}
	return lvb_native_known(bus);
}

static int lvb_native_connect(struct libvbus *bus, struct lvb_native *n)
{
	int ret;

	if (!n->irqs || !n->bells)
		return -ENOMEM;
	ret = bus->io->ops->native_open(bus->io, n->nr_queues, n->nr_pages,
					bus->number);
	if (ret < 0) {
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: the native front can't be opened: %s",
			bus->name, strerror(-ret));
		return ret;
	}
	n->handle = ret;
	ret = lvb_native_add_irqs(bus, n);
	if (!ret)
		lvb_native_add_bells(bus, n);
	return ret;
}

int libvbus_native_open(struct libvbus *bus,
			const struct libvbus_native_params *params)
{
	struct libvbus_native_params p;
	struct lvb_native *n;
	int ret;

	ret = lvb_copy_struct(&p, sizeof(p), params);
	if (!ret)
		ret = lvb_native_check(bus, &p);
	if (ret)
		return ret;
	n = lvb_native_alloc(&p);
	if (!n)
		return -ENOMEM;
	ret = lvb_native_connect(bus, n);
	if (ret)
		lvb_native_free(bus, n);
	else
		bus->native = n;
	return ret;
}

static int lvb_native_access_ok(const struct libvbus *bus, uint64_t off,
				size_t len)
{
	if (!bus->native)
		return -ENOENT;
	if (len != 1 && len != 2 && len != 4 && len != 8)
		return -EINVAL;
	if (off >= VBUS_NATIVE_WINDOW_SIZE || len > VBUS_NATIVE_WINDOW_SIZE - off)
		return -EINVAL;
	return 0;
}

int libvbus_native_read(struct libvbus *bus, uint64_t off, void *buf,
			size_t len)
{
	int ret;

	memset(buf, 0xff, len);
	ret = lvb_native_access_ok(bus, off, len);
	if (ret)
		return ret;
	ret = bus->io->ops->native_read(bus->io, bus->native->handle, off, buf,
					len);
	/* A read that failed may have left something. */
	if (ret)
		memset(buf, 0xff, len);
	return ret;
}

int libvbus_native_write(struct libvbus *bus, uint64_t off, const void *buf,
			 size_t len)
{
	int ret;

	ret = lvb_native_access_ok(bus, off, len);
	if (ret)
		return ret;
	return bus->io->ops->native_write(bus->io, bus->native->handle, off,
					  buf, len);
}

int libvbus_native_reset(struct libvbus *bus)
{
	struct lvb_native *n = bus->native;
	uint64_t count;
	uint32_t q;
	int ret;

	if (!n)
		return -ENOENT;
	ret = bus->io->ops->native_reset(bus->io, n->handle);
	if (ret)
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: the native front can't be reset: %s",
			bus->name, strerror(-ret));
	/* What was signalled before is of no interest to anybody. */
	for (q = 0; q < n->nr_queues; q++)
		(void)!read(n->irqs[q].fd, &count, sizeof(count));
	lvb_retry_busy(bus);
	return ret;
}
