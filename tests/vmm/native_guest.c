// SPDX-License-Identifier: GPL-2.0
/* What a guest without PCI and its VMM do; see native_guest.h. Little-endian hosts. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "native_guest.h"

#define PATIENCE_MS	10000

int native_open_fd(struct guest *g, u32 nr_queues, u32 nr_pages, u32 flags)
{
	struct vbus_open_native open = {
		.size = sizeof(open),
		.flags = flags,
		.nr_queues = nr_queues,
		.nr_pages = nr_pages,
		.bus = 7,
		.fd = -1,
	};

	return ioctl(g->bus, VBUS_OPEN_NATIVE, &open) ? -1 : open.fd;
}

static int native_bind(struct native *n, unsigned long cmd, u32 index, int fd)
{
	struct vbus_native_fd bind = {
		.size = sizeof(bind),
		.index = index,
		.fd = fd,
	};

	return fd < 0 ? -1 : ioctl(n->fd, cmd, &bind);
}

int native_open(struct native *n, struct guest *g)
{
	u32 i;

	memset(n, 0, sizeof(*n));
	n->g = g;
	n->fd = native_open_fd(g, NATIVE_QUEUES, NATIVE_PAGES, 0);
	if (n->fd < 0)
		return -1;
	for (i = 0; i < NATIVE_QUEUES; i++) {
		n->irq[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (native_bind(n, VBUS_NATIVE_SET_IRQ, i, n->irq[i]))
			return -1;
	}
	for (i = 0; i < NATIVE_PAGES; i++) {
		n->bell[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (native_bind(n, VBUS_NATIVE_SET_DOORBELL, i, n->bell[i]))
			return -1;
	}
	return 0;
}

void native_close(struct native *n)
{
	u32 i;

	close(n->fd);
	for (i = 0; i < NATIVE_QUEUES; i++)
		close(n->irq[i]);
	for (i = 0; i < NATIVE_PAGES; i++)
		close(n->bell[i]);
}

u32 native_read32(struct native *n, u32 off)
{
	u32 value;

	if (pread(n->fd, &value, sizeof(value), off) != sizeof(value))
		return 0xffffffff;
	return value;
}

int native_write32(struct native *n, u32 off, u32 value)
{
	return pwrite(n->fd, &value, sizeof(value), off) == sizeof(value) ? 0 : -1;
}

int native_write64(struct native *n, u32 off, u64 value)
{
	return pwrite(n->fd, &value, sizeof(value), off) == sizeof(value) ? 0 : -1;
}

int native_start(struct native *n)
{
	u32 i;

	for (i = 0; i < NATIVE_QUEUES; i++) {
		memset(n->g->mem + NATIVE_QUEUE(i), 0, VBUS_NATIVE_PAGE_SIZE);
		if (native_write64(n, VBUS_NREG_QUEUE(i), GUEST_ADDR + NATIVE_QUEUE(i) +
				   VBUS_NATIVE_ENABLE))
			return -1;
	}
	for (i = 0; i < NATIVE_PAGES; i++) {
		memset(n->g->mem + NATIVE_PAGE(i), 0, VBUS_NATIVE_PAGE_SIZE);
		if (native_write64(n, VBUS_NREG_PAGE(i), GUEST_ADDR + NATIVE_PAGE(i) +
				   VBUS_NATIVE_ENABLE))
			return -1;
	}
	n->seq = 0;
	return native_write32(n, VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING);
}

struct vbus_event_queue *native_queue(struct native *n, u32 i)
{
	return (void *)(n->g->mem + NATIVE_QUEUE(i));
}

struct vbus_call_page *native_page(struct native *n, u32 i)
{
	return (void *)(n->g->mem + NATIVE_PAGE(i));
}

bool native_irq(struct native *n, u32 queue)
{
	u64 count;

	return read(n->irq[queue], &count, sizeof(count)) == sizeof(count);
}

bool native_irq_comes(struct native *n, u32 queue)
{
	struct pollfd p = { .fd = n->irq[queue], .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) == 1 && native_irq(n, queue);
}

bool native_announced(struct native *n, u32 queue, u32 event)
{
	return __atomic_load_n(&native_queue(n, queue)->select, __ATOMIC_SEQ_CST) &
	       1ULL << (event / 64);
}

/* The other events of the word stay pending, and selected. */
bool native_event(struct native *n, u32 queue, u32 event)
{
	struct vbus_event_queue *q = native_queue(n, queue);
	u64 bit = 1ULL << (event % 64);

	__atomic_fetch_or(&q->select, VBUS_NEVENT_BUSY, __ATOMIC_SEQ_CST);
	return __atomic_fetch_and(&q->pending[event / 64], ~bit,
				  __ATOMIC_SEQ_CST) & bit;
}

bool native_idle(struct native *n, u32 queue)
{
	struct vbus_event_queue *q = native_queue(n, queue);
	u32 w;

	__atomic_store_n(&q->select, VBUS_NEVENT_BUSY, __ATOMIC_SEQ_CST);
	for (w = 0; w < VBUS_NEVENT_WORDS; w++)
		if (q->pending[w])
			return false;
	return __sync_bool_compare_and_swap(&q->select, VBUS_NEVENT_BUSY, 0);
}

int native_fast(struct native *n, u32 page, u32 func, u32 slot, u64 arg)
{
	struct vbus_call *call = &native_page(n, page)->fast;
	u32 seq = ++n->seq;
	u64 one = 1;

	call->func = func;
	call->slot = slot;
	call->arg[0] = arg;
	__atomic_store_n(&call->seq, seq, __ATOMIC_RELEASE);
	if (write(n->bell[page], &one, sizeof(one)) != sizeof(one))
		return -1;
	if (__atomic_load_n(&call->done, __ATOMIC_ACQUIRE) != seq)
		return -1;
	return call->result;
}

static bool native_wait_call(struct native *n, u32 page)
{
	struct pollfd p = { .fd = n->irq[0], .events = POLLIN };

	while (!native_event(n, 0, VBUS_NEVENT_CALL(page))) {
		/* Nothing else is taken here: only look for the next interrupt. */
		__atomic_store_n(&native_queue(n, 0)->select, 0, __ATOMIC_SEQ_CST);
		if (native_event(n, 0, VBUS_NEVENT_CALL(page)))
			break;
		__atomic_store_n(&native_queue(n, 0)->select, 0, __ATOMIC_SEQ_CST);
		if (poll(&p, 1, PATIENCE_MS) != 1)
			return false;
		native_irq(n, 0);
	}
	__atomic_store_n(&native_queue(n, 0)->select, 0, __ATOMIC_SEQ_CST);
	return true;
}

int native_slow(struct native *n, u32 func, u32 slot, u64 arg0, u64 arg1,
		const void *data, u32 length)
{
	struct vbus_call_page *page = native_page(n, 0);
	struct vbus_call *call = &page->slow;
	u32 seq = ++n->seq;
	u64 one = 1;

	call->func = func;
	call->slot = slot;
	call->length = length;
	call->arg[0] = arg0;
	call->arg[1] = arg1;
	if (data)
		memcpy(page->data, data, length);
	__atomic_store_n(&call->seq, seq, __ATOMIC_RELEASE);
	if (write(n->bell[0], &one, sizeof(one)) != sizeof(one) ||
	    !native_wait_call(n, 0))
		return -1;
	return __atomic_load_n(&call->done, __ATOMIC_ACQUIRE) == seq ?
	       (int)call->result : -1;
}

int native_info(struct native *n, u32 slot, struct vbus_slot_info *info)
{
	int ret = native_slow(n, VBUS_FN_SLOT, slot, 0, 0, NULL, 0);

	memcpy(info, native_page(n, 0)->data, sizeof(*info));
	return ret;
}

u32 native_reg32(struct native *n, u32 slot, u32 off)
{
	u32 value;

	if (native_slow(n, VBUS_FN_READ, slot, off, sizeof(value), NULL, 0) ||
	    native_page(n, 0)->slow.value != sizeof(value))
		return 0xffffffff;
	memcpy(&value, native_page(n, 0)->data, sizeof(value));
	return value;
}

int native_set_reg32(struct native *n, u32 slot, u32 off, u32 value)
{
	return native_slow(n, VBUS_FN_WRITE, slot, off, 0, &value, sizeof(value));
}

int native_set_reg64(struct native *n, u32 slot, u32 off, u64 value)
{
	return native_slow(n, VBUS_FN_WRITE, slot, off, 0, &value, sizeof(value));
}
