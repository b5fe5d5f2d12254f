// SPDX-License-Identifier: GPL-2.0
/* See guest.h. Functions return 0 or -1 with errno, as system calls do. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "guest.h"

/* A signal that does not come within this time is a lost signal. */
#define GUEST_PATIENCE_MS	10000

int guest_open(struct guest *g, const char *bus)
{
	char path[64];
	int err;

	g->dev = -1;
	snprintf(path, sizeof(path), "/dev/vbus/%s", bus);
	g->bus = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (g->bus < 0)
		return -1;
	g->mem = mmap(NULL, GUEST_MEM, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->mem != MAP_FAILED)
		return 0;
	err = errno;
	close(g->bus);
	g->bus = -1;
	errno = err;
	return -1;
}

int guest_add_memory(struct guest *g)
{
	struct vbus_mem_region region = {
		.size = sizeof(region),
		.guest_addr = GUEST_ADDR,
		.length = GUEST_MEM,
		.user_addr = (uintptr_t)g->mem,
	};

	return ioctl(g->bus, VBUS_MEM_ADD, &region);
}

int guest_open_slot(struct guest *g, u32 slot)
{
	struct vbus_open_slot open = { .size = sizeof(open), .slot = slot };

	if (ioctl(g->bus, VBUS_OPEN_SLOT, &open))
		return -1;
	g->dev = open.fd;
	return 0;
}

void guest_close_device(struct guest *g)
{
	if (g->dev >= 0)
		close(g->dev);
	g->dev = -1;
}

void guest_close(struct guest *g)
{
	guest_close_device(g);
	if (g->bus >= 0)
		close(g->bus);
	munmap(g->mem, GUEST_MEM);
	g->bus = -1;
}

u32 guest_read32(struct guest *g, u32 reg)
{
	u32 value;

	if (pread(g->dev, &value, sizeof(value), reg) != sizeof(value))
		return 0xffffffff;
	return value;
}

u64 guest_read64(struct guest *g, u32 reg)
{
	u64 value;

	if (pread(g->dev, &value, sizeof(value), reg) != sizeof(value))
		return ~0ULL;
	return value;
}

int guest_write32(struct guest *g, u32 reg, u32 value)
{
	return pwrite(g->dev, &value, sizeof(value), reg) == sizeof(value) ?
	       0 : -1;
}

int guest_write64(struct guest *g, u32 reg, u64 value)
{
	return pwrite(g->dev, &value, sizeof(value), reg) == sizeof(value) ?
	       0 : -1;
}

int guest_negotiate(struct guest *g, u64 features)
{
	if (guest_write32(g, VBUS_REG_STATUS, VBUS_STATUS_DRIVER) ||
	    guest_write64(g, VBUS_REG_ACCEPTED, features) ||
	    guest_write32(g, VBUS_REG_STATUS,
			  VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK))
		return -1;
	errno = EPROTO;
	return guest_read32(g, VBUS_REG_STATUS) & VBUS_STATUS_FEATURES_OK ?
	       0 : -1;
}

int guest_queue_setup(struct guest *g, struct guest_queue *q, u32 nr,
		      u32 size, u32 flags)
{
	u32 base = VBUS_REG_QUEUE(nr);
	struct vbus_dev_irq irq = { .size = sizeof(irq), .vector = nr + 1 };
	struct vbus_dev_doorbell bell = { .size = sizeof(bell), .queue = nr };

	memset(q, 0, sizeof(*q));
	q->nr = nr;
	q->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->state = calloc(1, ioq_north_state_bytes(size));
	if (q->irq < 0 || q->bell < 0 || !q->state)
		return -1;
	if (ioq_north_init(&q->north, g->mem + GUEST_RING(nr), size, flags,
			   q->state))
		return -1;

	irq.fd = q->irq;
	bell.fd = q->bell;
	if (ioctl(g->dev, VBUS_DEV_SET_IRQ, &irq) ||
	    ioctl(g->dev, VBUS_DEV_SET_DOORBELL, &bell))
		return -1;
	if (guest_write32(g, base + VBUS_QREG_SIZE, size) ||
	    guest_write64(g, base + VBUS_QREG_RING,
			  GUEST_ADDR + GUEST_RING(nr)) ||
	    guest_write32(g, base + VBUS_QREG_VECTOR, nr + 1))
		return -1;
	return guest_write32(g, base + VBUS_QREG_ENABLE, 1);
}

void guest_queue_free(struct guest_queue *q)
{
	close(q->irq);
	close(q->bell);
	free(q->state);
}

int guest_run(struct guest *g)
{
	return guest_write32(g, VBUS_REG_STATUS, VBUS_STATUS_DRIVER |
			     VBUS_STATUS_FEATURES_OK | VBUS_STATUS_RUNNING);
}

static int guest_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 count;

	if (poll(&p, 1, GUEST_PATIENCE_MS) != 1) {
		errno = ETIME;
		return -1;
	}
	return read(fd, &count, sizeof(count)) == sizeof(count) ||
	       errno == EAGAIN ? 0 : -1;
}

int guest_transfer(struct guest_queue *q, unsigned int count)
{
	struct ioq_seg seg = {
		.addr = GUEST_ADDR + GUEST_DATA,
		.len = 512,
	};
	unsigned int sent = 0, done = 0;
	u64 one = 1;
	u32 len;

	while (done < count) {
		while (sent < count &&
		       !ioq_north_add(&q->north, &seg, 1, q))
			sent++;
		if (ioq_north_publish(&q->north) &&
		    ioq_north_kick_needed(&q->north) &&
		    write(q->bell, &one, sizeof(one)) != sizeof(one))
			return -1;
		while (ioq_north_get(&q->north, &len))
			done++;
		if (ioq_north_broken(&q->north)) {
			errno = EPROTO;
			return -1;
		}
		/* Nothing outstanding, no signal: all may be done already. */
		if (done == sent || !ioq_north_enable_signals(&q->north, 1))
			continue;
		if (guest_wait(q->irq))
			return -1;
	}
	return 0;
}

int guest_next_event(struct guest *g, struct vbus_event *ev)
{
	return read(g->bus, ev, sizeof(*ev)) == sizeof(*ev) ? 0 : -1;
}

int guest_attr(struct guest *g, unsigned long cmd, u32 group,
	       u32 attr, void *value, u64 length)
{
	struct vbus_dev_attr a = {
		.size = sizeof(a),
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
		.length = length,
	};

	return ioctl(g->dev, cmd, &a);
}
