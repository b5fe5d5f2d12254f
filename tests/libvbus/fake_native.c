// SPDX-License-Identifier: GPL-2.0
/* The native front of fake.h's kernel, and what a VMM sets up for it. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/vbus_native.h>
#include "fake.h"

#define HANDLE	2000

static struct fake_native *fake_native(struct lvb_io *io, int handle)
{
	struct fake_native *n = &((struct fake *)io)->native;

	assert(handle == HANDLE && n->open);
	return n;
}

static int native_open(struct lvb_io *io, uint32_t nr_queues, uint32_t nr_pages,
		       uint32_t bus)
{
	struct fake *f = (struct fake *)io;
	struct fake_native *n = &f->native;
	int i;

	assert(f->info.caps & VBUS_CAP_NATIVE);
	assert(nr_queues >= 1 && nr_queues <= VBUS_NATIVE_MAX_QUEUES);
	assert(nr_pages >= 1 && nr_pages <= VBUS_NATIVE_MAX_PAGES);
	if (n->fail.open)
		return -n->fail.open;
	assert(!n->open);
	n->open = true;
	n->nr_queues = nr_queues;
	n->nr_pages = nr_pages;
	n->bus = bus;
	for (i = 0; i < VBUS_NATIVE_MAX_QUEUES; i++)
		n->irq[i] = -1;
	for (i = 0; i < VBUS_NATIVE_MAX_PAGES; i++)
		n->bell[i] = -1;
	return HANDLE;
}

static void native_close(struct lvb_io *io, int handle)
{
	struct fake_native *n = fake_native(io, handle);

	n->open = false;
}

static int native_set_irq(struct lvb_io *io, int handle, uint32_t queue, int fd)
{
	struct fake_native *n = fake_native(io, handle);

	assert(queue < n->nr_queues && n->irq[queue] == -1 && fd >= 0);
	if (n->fail.irq)
		return -n->fail.irq;
	n->irq[queue] = fd;
	return 0;
}

static int native_set_doorbell(struct lvb_io *io, int handle, uint32_t page,
			       int fd)
{
	struct fake_native *n = fake_native(io, handle);

	assert(page < n->nr_pages && n->bell[page] == -1 && fd >= 0);
	if (n->fail.bell)
		return -n->fail.bell;
	n->bell[page] = fd;
	return 0;
}

static int native_reset(struct lvb_io *io, int handle)
{
	struct fake_native *n = fake_native(io, handle);

	if (n->fail.reset)
		return -n->fail.reset;
	n->resets++;
	memset(n->window, 0, sizeof(n->window));
	return 0;
}

static int native_read(struct lvb_io *io, int handle, uint32_t off, void *buf,
		       size_t len)
{
	struct fake_native *n = fake_native(io, handle);

	assert(off < sizeof(n->window) && len <= sizeof(n->window) - off);
	if ((len != 4 && len != 8) || off % len) {
		/* Something was left before it failed. */
		*(uint8_t *)buf = 0x55;
		return -EINVAL;
	}
	memcpy(buf, n->window + off, len);
	return 0;
}

static int native_write(struct lvb_io *io, int handle, uint32_t off,
			const void *buf, size_t len)
{
	struct fake_native *n = fake_native(io, handle);

	assert(off < sizeof(n->window) && len <= sizeof(n->window) - off);
	if ((len != 4 && len != 8) || off % len)
		return -EINVAL;
	if (off >= VBUS_NREG_DOORBELL(0) &&
	    off < VBUS_NREG_DOORBELL(n->nr_pages))
		n->rings++;
	else
		memcpy(n->window + off, buf, len);
	return 0;
}

void fake_native_ops(struct lvb_io_ops *ops)
{
	ops->native_open = native_open;
	ops->native_close = native_close;
	ops->native_set_irq = native_set_irq;
	ops->native_set_doorbell = native_set_doorbell;
	ops->native_reset = native_reset;
	ops->native_read = native_read;
	ops->native_write = native_write;
}

/* --- the VMM ------------------------------------------------------------------ */

static int vmm_native_doorbell_add(void *opaque, uint64_t offset, int fd)
{
	struct vmm_native *n = &((struct vmm *)opaque)->native;
	uint64_t i = (offset - VBUS_NREG_DOORBELL(0)) / 4;

	assert(fd >= 0);
	if (n->fail_bell)
		return -n->fail_bell;
	if (offset == VBUS_NREG_IDLE_DOORBELL) {
		assert(!n->idle);
		n->idle = fd;
		return 0;
	}
	assert(offset % 4 == 0 && i < VBUS_NATIVE_MAX_PAGES && !n->bell[i]);
	n->bell[i] = fd;
	n->nr_bells++;
	return 0;
}

static void vmm_native_doorbell_del(void *opaque, uint64_t offset, int fd)
{
	struct vmm_native *n = &((struct vmm *)opaque)->native;
	uint64_t i = (offset - VBUS_NREG_DOORBELL(0)) / 4;

	if (offset == VBUS_NREG_IDLE_DOORBELL) {
		assert(n->idle == fd);
		n->idle = 0;
		return;
	}
	assert(i < VBUS_NATIVE_MAX_PAGES && n->bell[i] == fd);
	n->bell[i] = 0;
	n->nr_bells--;
}

static int vmm_native_irq_enable(void *opaque, uint32_t queue, int fd)
{
	struct vmm_native *n = &((struct vmm *)opaque)->native;

	assert(queue < VBUS_NATIVE_MAX_QUEUES && fd >= 0 && !n->irq[queue]);
	if (n->fail_irq && queue == n->fail_irq_queue)
		return -n->fail_irq;
	n->irq[queue] = fd;
	n->nr_irqs++;
	return 0;
}

static void vmm_native_irq_disable(void *opaque, uint32_t queue, int fd)
{
	struct vmm_native *n = &((struct vmm *)opaque)->native;

	assert(queue < VBUS_NATIVE_MAX_QUEUES && n->irq[queue] == fd);
	n->irq[queue] = 0;
	n->nr_irqs--;
}

void vmm_native_ops(struct libvbus_ops *ops)
{
	ops->native_doorbell_add = vmm_native_doorbell_add;
	ops->native_doorbell_del = vmm_native_doorbell_del;
	ops->native_irq_enable = vmm_native_irq_enable;
	ops->native_irq_disable = vmm_native_irq_disable;
}
