// SPDX-License-Identifier: GPL-2.0
/*
 * Native fronts: accesses to the window go to libvbus, doorbells and interrupts are
 * KVM's, by eventfds that libvbus made.
 *
 * A guest reset throws the KVM VM away and with it what was assigned there, while
 * libvbus and its eventfds stay. So they are kept here, taken back by native_reset()
 * and assigned again by native_restart().
 *
 * All but accesses to the window is done by the main thread while no vCPU runs.
 */
#include "native.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libvbus.h"
#include "bus.h"
#include "iobus.h"
#include "irq.h"
#include "log.h"
#include "options.h"
#include "vm.h"

/* A doorbell for each page, and the idle one. */
#define MAX_BELLS	(VM_MAX_CPUS + 1)

/* What libvbus has handed over; @on: it is assigned in the KVM VM. */
struct wire {
	bool used;
	bool on;
	int fd;
	uint64_t off;	/* of a doorbell */
};

struct native {
	struct bus *bus;
	uint64_t window;
	int pin;
	bool mapped;
	struct wire irqs[VBUS_NATIVE_MAX_QUEUES];
	struct wire bells[MAX_BELLS];
};

_Static_assert(VM_MAX_CPUS <= VBUS_NATIVE_MAX_PAGES, "a call page for each vCPU");
_Static_assert(LIBVBUS_NATIVE_SIZE == VBUS_NATIVE_WINDOW_SIZE, "window");

/* --- the window; any vCPU --------------------------------------------------------- */

static void window_read(void *opaque, uint64_t off, void *data, size_t len)
{
	struct native *n = opaque;

	libvbus_native_read(n->bus->lib, off, data, len);
}

static void window_write(void *opaque, uint64_t off, const void *data, size_t len)
{
	struct native *n = opaque;

	libvbus_native_write(n->bus->lib, off, data, len);
}

static const struct iobus_ops window_ops = {
	.read = window_read,
	.write = window_write,
};

/* --- wires ------------------------------------------------------------------------ */

static int bell_on(struct native *n, struct wire *bell)
{
	int err = ioeventfd_add(n->bus->vm, n->window + bell->off, sizeof(uint32_t),
				bell->fd);

	bell->on = !err;
	return err;
}

static void bell_off(struct native *n, struct wire *bell)
{
	if (bell->on)
		ioeventfd_del(n->bus->vm, n->window + bell->off, sizeof(uint32_t),
			      bell->fd);
	bell->on = false;
}

static int irq_on(struct native *n, unsigned int queue)
{
	struct wire *irq = &n->irqs[queue];
	int err = irq_fd_assign(n->bus->vm, n->pin + queue, irq->fd);

	irq->on = !err;
	return err;
}

static void irq_off(struct native *n, unsigned int queue)
{
	struct wire *irq = &n->irqs[queue];

	if (irq->on)
		irq_fd_deassign(n->bus->vm, n->pin + queue, irq->fd);
	irq->on = false;
}

static int native_doorbell_add(void *opaque, uint64_t offset, int fd)
{
	struct native *n = ((struct bus *)opaque)->native;
	struct wire *bell = n->bells;
	int err;

	while (bell < n->bells + MAX_BELLS && bell->used)
		bell++;
	if (bell == n->bells + MAX_BELLS)
		return -ENOSPC;
	bell->fd = fd;
	bell->off = offset;
	err = bell_on(n, bell);
	bell->used = !err;
	return err;
}

static void native_doorbell_del(void *opaque, uint64_t offset, int fd)
{
	struct native *n = ((struct bus *)opaque)->native;
	unsigned int i;

	(void)fd;
	for (i = 0; i < MAX_BELLS; i++) {
		if (!n->bells[i].used || n->bells[i].off != offset)
			continue;
		bell_off(n, &n->bells[i]);
		n->bells[i].used = false;
	}
}

static int native_irq_enable(void *opaque, uint32_t queue, int fd)
{
	struct native *n = ((struct bus *)opaque)->native;
	int err;

	if (queue >= VBUS_NATIVE_MAX_QUEUES)
		return -EINVAL;
	n->irqs[queue].fd = fd;
	err = irq_on(n, queue);
	n->irqs[queue].used = !err;
	return err;
}

static void native_irq_disable(void *opaque, uint32_t queue, int fd)
{
	struct native *n = ((struct bus *)opaque)->native;

	(void)fd;
	irq_off(n, queue);
	n->irqs[queue].used = false;
}

void native_ops(struct libvbus_ops *ops)
{
	ops->native_doorbell_add = native_doorbell_add;
	ops->native_doorbell_del = native_doorbell_del;
	ops->native_irq_enable = native_irq_enable;
	ops->native_irq_disable = native_irq_disable;
}

/* --- set up, reset, take down -------------------------------------------------------- */

int native_new(struct bus *bus)
{
	const struct options *opt = bus->vm->opt;
	const struct libvbus_native_params params = {
		.size = sizeof(params),
		.nr_queues = opt->event_queues,
		.nr_pages = bus->vm->nr_vcpus,
	};
	struct native *n;
	int err;

	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	bus->native = n;
	n->bus = bus;
	n->window = native_window(bus->number);
	n->pin = native_first_pin(bus->number, opt->event_queues);
	if (n->pin < 0) {
		log_error("bus %s: no interrupt pins are left", bus->name);
		return -ENOSPC;
	}
	/* Says what is wrong. */
	err = libvbus_native_open(bus->lib, &params);
	if (err)
		return err;
	err = iobus_add(bus->vm->mmio, n->window, VBUS_NATIVE_WINDOW_SIZE, &window_ops, n);
	n->mapped = !err;
	if (err)
		log_error("bus %s: no room for the native window: %s", bus->name,
			  strerror(-err));
	return err;
}

void native_reset(struct native *n)
{
	unsigned int i;

	for (i = 0; i < MAX_BELLS; i++)
		bell_off(n, &n->bells[i]);
	for (i = 0; i < VBUS_NATIVE_MAX_QUEUES; i++)
		irq_off(n, i);
	/* Says what is wrong, and the guest finds the front as it was. */
	libvbus_native_reset(n->bus->lib);
}

int native_restart(struct native *n)
{
	unsigned int i;
	int err;

	for (i = 0; i < VBUS_NATIVE_MAX_QUEUES; i++) {
		err = n->irqs[i].used ? irq_on(n, i) : 0;
		if (err) {
			log_error("bus %s: no interrupt for event queue %u after the reset: %s",
				  n->bus->name, i, strerror(-err));
			return err;
		}
	}
	for (i = 0; i < MAX_BELLS; i++) {
		err = n->bells[i].used ? bell_on(n, &n->bells[i]) : 0;
		/* It is a write to the window then. */
		if (err)
			log_warn("bus %s: a doorbell is slow after the reset: %s",
				 n->bus->name, strerror(-err));
	}
	return 0;
}

void native_free(struct native *n)
{
	if (!n)
		return;
	if (n->mapped)
		iobus_del(n->bus->vm->mmio, n->window);
	free(n);
}
