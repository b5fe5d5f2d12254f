// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The MSI-X table and the pending bits.
 *
 * A vector has an eventfd from the first time it is unmasked; the device signals
 * it at all times.  Unmasked, the VMM consumes the eventfd and raises messages.
 * Masked, by whichever of the four masks (its own, the function's, MSI-X off, bus
 * master off), the VMM lets go of it and signals stay in the eventfd, which is the
 * pending bit.  So none is lost, in whatever order masks, messages and signals come;
 * a message too many is possible, and allowed.
 *
 * Entries change under fn->ctl and fn->lock; on and irq too, but are used under
 * fn->ctl only.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include "private.h"

/* Pending bits that one access can see. */
#define LVB_PBA_BITS	64

int lvb_msix_init(struct lvb_fn *fn)
{
	uint32_t i;

	fn->vectors = calloc(fn->info.nr_vectors, sizeof(*fn->vectors));
	if (!fn->vectors)
		return -ENOMEM;
	for (i = 0; i < fn->info.nr_vectors; i++)
		fn->vectors[i].fd = -1;
	lvb_msix_reset(fn);
	return 0;
}

/* ctl, or nobody else has @fn: no eventfds, until they are made anew */
void lvb_msix_forget(struct lvb_fn *fn)
{
	uint32_t i;
	int fd;

	for (i = 0; fn->vectors && i < fn->info.nr_vectors; i++) {
		pthread_mutex_lock(&fn->lock);
		fd = fn->vectors[i].fd;
		fn->vectors[i].fd = -1;
		pthread_mutex_unlock(&fn->lock);
		if (fd >= 0)
			close(fd);
	}
}

void lvb_msix_destroy(struct lvb_fn *fn)
{
	lvb_msix_forget(fn);
	free(fn->vectors);
}

/* fn->lock as well */
void lvb_msix_reset(struct lvb_fn *fn)
{
	uint32_t i;

	for (i = 0; i < fn->info.nr_vectors; i++) {
		fn->vectors[i].addr = 0;
		fn->vectors[i].data = 0;
		fn->vectors[i].ctrl = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
}

/* Takes what is pending; true if something was. */
static bool lvb_vector_take(struct lvb_vector *v)
{
	uint64_t count;

	return v->fd >= 0 && read(v->fd, &count, sizeof(count)) > 0;
}

void lvb_msix_drain(struct lvb_fn *fn)
{
	uint32_t i;

	for (i = 0; i < fn->info.nr_vectors; i++)
		lvb_vector_take(&fn->vectors[i]);
}

/* An eventfd that the device knows of. */
static int lvb_vector_bind(struct lvb_fn *fn, uint32_t nr)
{
	struct lvb_vector *v = &fn->vectors[nr];
	int fd, ret;

	if (v->fd >= 0)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	ret = fn->bus->io->ops->set_irq(fn->bus->io, fn->dev, nr, fd);
	if (ret) {
		close(fd);
		return ret;
	}
	pthread_mutex_lock(&fn->lock);
	v->fd = fd;
	pthread_mutex_unlock(&fn->lock);
	return 0;
}

static void lvb_vector_set_on(struct lvb_fn *fn, struct lvb_vector *v, bool on)
{
	pthread_mutex_lock(&fn->lock);
	v->on = on;
	pthread_mutex_unlock(&fn->lock);
}

static int lvb_vector_enable(struct lvb_fn *fn, uint32_t nr)
{
	struct lvb_vector *v = &fn->vectors[nr];
	bool pending;
	int ret;

	if (!fn->bus->ops.irq_enable)
		return -ENOTSUP;
	ret = lvb_vector_bind(fn, nr);
	if (ret)
		return ret;
	v->irq = (struct libvbus_irq){
		.slot = fn->slot,
		.vector = nr,
		.fd = v->fd,
		.addr = v->addr,
		.data = v->data,
	};
	/*
	 * KVM raises what is pending but leaves it in the eventfd, where it would
	 * show as a pending bit later: take it out and signal anew.
	 */
	pending = lvb_vector_take(v);
	ret = fn->bus->ops.irq_enable(fn->bus->opaque, &v->irq);
	if (!ret)
		lvb_vector_set_on(fn, v, true);
	/* Can't fail: nobody signals 2^64 times. */
	if (pending)
		eventfd_write(v->fd, 1);
	return ret;
}

static void lvb_vector_disable(struct lvb_fn *fn, struct lvb_vector *v)
{
	if (fn->bus->ops.irq_disable)
		fn->bus->ops.irq_disable(fn->bus->opaque, &v->irq);
	lvb_vector_set_on(fn, v, false);
}

/* ctl: bring one vector to where the masks and its entry want it. */
static void lvb_vector_apply(struct lvb_fn *fn, uint32_t nr, bool allow)
{
	struct lvb_vector *v = &fn->vectors[nr];
	bool want = allow && fn->dev >= 0 &&
		    !(v->ctrl & PCI_MSIX_ENTRY_CTRL_MASKBIT);
	int ret;

	if (v->on && (!want || v->addr != v->irq.addr ||
		      v->data != v->irq.data))
		lvb_vector_disable(fn, v);
	if (!want || v->on)
		return;
	ret = lvb_vector_enable(fn, nr);
	if (ret)
		lvb_log_once(fn, LVB_LOGGED_IRQ,
			     "bus %s slot %u: the guest gets no interrupts of vector %u: %s",
			     fn->bus->name, fn->slot, nr, strerror(-ret));
}

void lvb_msix_apply(struct lvb_fn *fn, bool allow)
{
	uint32_t i;

	for (i = 0; i < fn->info.nr_vectors; i++)
		lvb_vector_apply(fn, i, allow);
}

static bool lvb_msix_in_table(const struct lvb_fn *fn, uint32_t off)
{
	return off >= VBUS_PCI_MSIX_TABLE && off - VBUS_PCI_MSIX_TABLE <
	       fn->info.nr_vectors * PCI_MSIX_ENTRY_SIZE;
}

static uint32_t lvb_entry_get(const struct lvb_vector *v, uint32_t off)
{
	switch (off) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		return v->addr;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		return v->addr >> 32;
	case PCI_MSIX_ENTRY_DATA:
		return v->data;
	}
	return v->ctrl;
}

static void lvb_entry_set(struct lvb_vector *v, uint32_t off, uint32_t value)
{
	switch (off) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		v->addr = (v->addr & ~0xffffffffULL) | (value & ~3U);
		break;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		v->addr = (uint32_t)v->addr | (uint64_t)value << 32;
		break;
	case PCI_MSIX_ENTRY_DATA:
		v->data = value;
		break;
	case PCI_MSIX_ENTRY_VECTOR_CTRL:
		v->ctrl = value & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		break;
	}
}

/* fn->lock: 64 pending bits from vector @first on; those that exist. */
static uint64_t lvb_msix_pending(const struct lvb_fn *fn, uint32_t first)
{
	struct pollfd p[LVB_PBA_BITS];
	uint64_t bits = 0;
	uint32_t i;

	for (i = 0; i < LVB_PBA_BITS; i++) {
		p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		/* A vector that is on is not pending: its message is sent. */
		if (first + i < fn->info.nr_vectors &&
		    !fn->vectors[first + i].on)
			p[i].fd = fn->vectors[first + i].fd;
	}
	if (poll(p, LVB_PBA_BITS, 0) <= 0)
		return 0;
	for (i = 0; i < LVB_PBA_BITS; i++)
		if (p[i].revents & POLLIN)
			bits |= 1ULL << i;
	return bits;
}

/* One 32-bit word of the part of the BAR that is not the window. */
static uint32_t lvb_msix_word(const struct lvb_fn *fn, uint32_t off)
{
	uint32_t table = off - VBUS_PCI_MSIX_TABLE;
	uint32_t pba = off - VBUS_PCI_MSIX_PBA;

	if (lvb_msix_in_table(fn, off))
		return lvb_entry_get(&fn->vectors[table / PCI_MSIX_ENTRY_SIZE],
				     table % PCI_MSIX_ENTRY_SIZE);
	if (off >= VBUS_PCI_MSIX_PBA && pba < fn->info.nr_vectors / 8 + 8)
		return lvb_msix_pending(fn, pba / 8 * 64) >> pba % 8 * 8;
	return 0;
}

static bool lvb_msix_access_ok(uint32_t off, size_t len)
{
	return (len == 4 || len == 8) && off % len == 0;
}

int lvb_msix_read(struct lvb_fn *fn, uint32_t off, void *buf, size_t len)
{
	size_t i;

	if (!lvb_msix_access_ok(off, len))
		return -EINVAL;
	pthread_mutex_lock(&fn->lock);
	for (i = 0; i < len; i += 4)
		lvb_put32((uint8_t *)buf + i, lvb_msix_word(fn, off + i));
	pthread_mutex_unlock(&fn->lock);
	return 0;
}

int lvb_msix_write(struct lvb_fn *fn, uint32_t off, const void *buf,
		   size_t len)
{
	uint32_t nr = (off - VBUS_PCI_MSIX_TABLE) / PCI_MSIX_ENTRY_SIZE;
	size_t i;

	if (!lvb_msix_access_ok(off, len))
		return -EINVAL;
	/* Pending bits and holes: dropped. */
	if (!lvb_msix_in_table(fn, off))
		return 0;

	pthread_mutex_lock(&fn->ctl);
	pthread_mutex_lock(&fn->lock);
	for (i = 0; i < len; i += 4)
		lvb_entry_set(&fn->vectors[nr], (off + i) % PCI_MSIX_ENTRY_SIZE,
			      lvb_get32((const uint8_t *)buf + i));
	pthread_mutex_unlock(&fn->lock);
	lvb_vector_apply(fn, nr, lvb_cfg_irqs(fn));
	pthread_mutex_unlock(&fn->ctl);
	return 0;
}
