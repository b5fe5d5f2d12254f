// SPDX-License-Identifier: GPL-2.0
/* The kernel's side of fake.h.  f->lock guards all of it; sleeps happen outside. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "fake.h"

#define HANDLE	1000

static struct fake *to_fake(struct lvb_io *io)
{
	return (struct fake *)io;
}

/* Only an open device may be touched. */
static struct fake_dev *fake_dev(struct fake *f, int handle)
{
	struct fake_dev *dev;

	assert(handle >= HANDLE && handle < HANDLE + FAKE_SLOTS);
	dev = &f->devs[handle - HANDLE];
	assert(dev->open);
	return dev;
}

static void fake_close(struct lvb_io *io)
{
	struct fake *f = to_fake(io);
	int i;

	for (i = 0; i < FAKE_SLOTS; i++)
		assert(!f->devs[i].open);
	assert(!f->native.open);
	assert(!f->closed);
	f->closed = true;
}

static int fake_poll_fd(struct lvb_io *io)
{
	return to_fake(io)->fd;
}

static int fake_get_info(struct lvb_io *io, struct vbus_info *info)
{
	*info = to_fake(io)->info;
	return -to_fake(io)->fail.get_info;
}

static int fake_read_events(struct lvb_io *io, struct vbus_event *ev,
			    size_t max)
{
	struct fake *f = to_fake(io);
	uint64_t count;
	size_t nr;

	if (f->fail.read_events)
		return -f->fail.read_events;
	pthread_mutex_lock(&f->lock);
	nr = f->nr_events < max ? f->nr_events : max;
	memcpy(ev, f->events, nr * sizeof(*ev));
	f->nr_events -= nr;
	memmove(f->events, f->events + nr, f->nr_events * sizeof(*ev));
	if (!f->nr_events && read(f->fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);
	pthread_mutex_unlock(&f->lock);
	return nr;
}

static int fake_mem_add(struct lvb_io *io, uint64_t guest_addr, uint64_t length,
			void *mem, bool read_only)
{
	struct fake *f = to_fake(io);

	(void)guest_addr;
	(void)mem;
	(void)read_only;
	if (f->fail.mem)
		return -f->fail.mem;
	f->mem_added += length;
	return 0;
}

static int fake_mem_del(struct lvb_io *io, uint64_t guest_addr, uint64_t length)
{
	struct fake *f = to_fake(io);

	(void)guest_addr;
	if (f->fail.mem)
		return -f->fail.mem;
	f->mem_added -= length;
	return 0;
}

static void fake_dev_reset(struct fake_dev *dev)
{
	dev->status = 0;
	dev->started = false;
	dev->paused = false;
	memset(dev->regs, 0, sizeof(dev->regs));
}

static int fake_open_slot(struct lvb_io *io, uint32_t slot)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev = &f->devs[slot];
	int i, ret = -ENOENT;

	if (slot >= FAKE_SLOTS)
		return ret;
	pthread_mutex_lock(&f->lock);
	if (f->fail.open_slot) {
		ret = -f->fail.open_slot;
	} else if (dev->taken) {
		ret = -EBUSY;
	} else if (dev->plugged) {
		assert(!dev->open);
		dev->open = true;
		dev->opens++;
		fake_dev_reset(dev);
		for (i = 0; i < FAKE_VECTORS; i++) {
			dev->irq[i] = -1;
			dev->pending[i] = false;
		}
		for (i = 0; i < FAKE_QUEUES; i++)
			dev->bell[i] = -1;
		ret = HANDLE + slot;
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static void fake_dev_close(struct lvb_io *io, int handle)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;

	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	dev->open = false;
	if (dev->unplugging)
		dev->plugged = false;
	dev->unplugging = false;
	pthread_mutex_unlock(&f->lock);
}

/* Config space of 64 bytes that count up; all else is words. */
static int fake_dev_read(struct lvb_io *io, int handle, uint32_t off, void *buf,
			 size_t len)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;
	int ret = 0;
	size_t i;

	assert(off < VBUS_WINDOW_SIZE && len <= VBUS_WINDOW_SIZE - off);
	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	dev->last_off = off;
	dev->last_len = len;
	if (off >= VBUS_REG_CONFIG && off + len <= VBUS_REG_CONFIG + 64) {
		for (i = 0; i < len; i++)
			((uint8_t *)buf)[i] = off + i - VBUS_REG_CONFIG + 1;
	} else if ((len != 4 && len != 8) || off % len) {
		/* Something was left before it failed. */
		*(uint8_t *)buf = 0x55;
		ret = -EINVAL;
	} else {
		memset(buf, 0, len);
		if (off == VBUS_REG_STATUS)
			memcpy(buf, &dev->status, 4);
		else if (off + len <= VBUS_REG_QUEUE_BASE)
			memcpy(buf, &dev->regs[off / 4], len);
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static void fake_write_status(struct fake *f, struct fake_dev *dev,
			      uint32_t status)
{
	if (status) {
		dev->status |= status;
		dev->started |= !!(status & VBUS_STATUS_RUNNING);
		return;
	}
	/* A reset that takes its time. */
	atomic_fetch_add(&f->resetting, 1);
	while (atomic_load(&f->slow)) {
		pthread_mutex_unlock(&f->lock);
		usleep(1000);
		pthread_mutex_lock(&f->lock);
	}
	atomic_fetch_sub(&f->resetting, 1);
	fake_dev_reset(dev);
}

static int fake_dev_write(struct lvb_io *io, int handle, uint32_t off,
			  const void *buf, size_t len)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;
	uint32_t value;
	int ret = 0;

	assert(off < VBUS_WINDOW_SIZE && len <= VBUS_WINDOW_SIZE - off);
	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	dev->last_off = off;
	dev->last_len = len;
	memcpy(&value, buf, len < 4 ? len : 4);
	if ((len != 4 && len != 8) || off % len)
		ret = -EINVAL;
	else if (off == VBUS_REG_STATUS && len == 4)
		fake_write_status(f, dev, value);
	else if (off >= VBUS_REG_DOORBELL_BASE && len == 4 &&
		 off < VBUS_REG_DOORBELL(FAKE_QUEUES))
		dev->kicks[(off - VBUS_REG_DOORBELL_BASE) / 4]++;
	else if (off + len <= VBUS_REG_CONFIG)
		memcpy(&dev->regs[off / 4], buf, len);
	else
		ret = -EINVAL;
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fake_set_irq(struct lvb_io *io, int handle, uint32_t vector, int fd)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;
	int ret = 0;

	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	assert(vector <= dev->nr_queues);
	if (f->fail.set_irq) {
		ret = -f->fail.set_irq;
	} else {
		/* The library binds once. */
		assert(dev->irq[vector] == -1);
		dev->irq[vector] = fd;
		if (dev->pending[vector])
			assert(eventfd_write(fd, 1) == 0);
		dev->pending[vector] = false;
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fake_set_doorbell(struct lvb_io *io, int handle, uint32_t queue,
			     int fd)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;
	int ret = 0;

	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	assert(queue < dev->nr_queues);
	if (f->fail.set_doorbell) {
		ret = -f->fail.set_doorbell;
	} else {
		assert(dev->bell[queue] == -1);
		dev->bell[queue] = fd;
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fake_reset(struct lvb_io *io, int handle)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;
	int ret = -f->fail.reset;

	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	if (!ret) {
		dev->resets++;
		fake_write_status(f, dev, 0);
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fake_text(void *value, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len > size)
		return -ENOSPC;
	memcpy(value, text, len);
	return len;
}

static int fake_word(void *value, size_t size, uint32_t word)
{
	assert(size == sizeof(word));
	memcpy(value, &word, sizeof(word));
	return sizeof(word);
}

static int fake_get_attr(struct lvb_io *io, int handle, uint32_t group,
			 uint32_t attr, void *value, size_t size)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;
	int ret = -ENXIO;

	if (f->fail.get_attr)
		return -f->fail.get_attr;
	assert(group == VBUS_GROUP_INFO);
	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	switch (attr) {
	case VBUS_INFO_NAME:
		ret = fake_text(value, size, dev->name);
		break;
	case VBUS_INFO_ALIAS:
		ret = fake_text(value, size, dev->alias);
		break;
	case VBUS_INFO_CLASS:
		ret = fake_word(value, size, dev->class_id);
		break;
	case VBUS_INFO_NR_QUEUES:
		ret = fake_word(value, size, dev->nr_queues);
		break;
	case VBUS_INFO_NR_VECTORS:
		ret = fake_word(value, size, dev->nr_queues + 1);
		break;
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

/* RUN, as the core does it. */
static int fake_set_attr(struct lvb_io *io, int handle, uint32_t group,
			 uint32_t attr, const void *value, size_t size)
{
	struct fake *f = to_fake(io);
	struct fake_dev *dev;
	uint32_t run;
	int ret = 0;

	assert(group == VBUS_GROUP_STATE && attr == VBUS_STATE_RUN &&
	       size == sizeof(run));
	memcpy(&run, value, sizeof(run));
	if (f->fail.run)
		return -f->fail.run;
	pthread_mutex_lock(&f->lock);
	dev = fake_dev(f, handle);
	if (!(dev->status & VBUS_STATUS_RUNNING)) {
		ret = -EINVAL;
	} else {
		dev->started = run;
		dev->paused = !run;
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static struct lvb_io_ops fake_ops = {
	.close = fake_close,
	.poll_fd = fake_poll_fd,
	.get_info = fake_get_info,
	.read_events = fake_read_events,
	.mem_add = fake_mem_add,
	.mem_del = fake_mem_del,
	.open_slot = fake_open_slot,
	.dev_close = fake_dev_close,
	.dev_read = fake_dev_read,
	.dev_write = fake_dev_write,
	.set_irq = fake_set_irq,
	.set_doorbell = fake_set_doorbell,
	.reset = fake_reset,
	.get_attr = fake_get_attr,
	.set_attr = fake_set_attr,
};

void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	fake_native_ops(&fake_ops);
	f->io.ops = &fake_ops;
	pthread_mutex_init(&f->lock, NULL);
	f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->info = (struct vbus_info){
		.size = sizeof(f->info),
		.abi = VBUS_VERSION,
		.max_regions = 64,
		.max_slots = FAKE_SLOTS,
		.window_size = VBUS_WINDOW_SIZE,
		.caps = VBUS_CAP_NATIVE,
	};
}

void fake_fini(struct fake *f)
{
	close(f->fd);
	pthread_mutex_destroy(&f->lock);
}

void fake_event(struct fake *f, uint32_t type, uint32_t slot)
{
	struct vbus_event *ev;

	pthread_mutex_lock(&f->lock);
	assert(f->nr_events < ARRAY_SIZE(f->events));
	ev = &f->events[f->nr_events++];
	*ev = (struct vbus_event){ .type = type, .slot = slot };
	if (slot < FAKE_SLOTS && f->devs[slot].plugged)
		ev->class_id = f->devs[slot].class_id;
	eventfd_write(f->fd, 1);
	pthread_mutex_unlock(&f->lock);
}

void fake_plug(struct fake *f, uint32_t slot, uint32_t class_id,
	       uint32_t nr_queues)
{
	struct fake_dev *dev = &f->devs[slot];

	pthread_mutex_lock(&f->lock);
	assert(!dev->plugged && nr_queues <= FAKE_QUEUES);
	memset(dev, 0, sizeof(*dev));
	dev->plugged = true;
	dev->class_id = class_id;
	dev->nr_queues = nr_queues;
	dev->name = "net.web0";
	dev->alias = "front";
	pthread_mutex_unlock(&f->lock);
	fake_event(f, VBUS_EVENT_ADDED, slot);
}

/* As the admin removing the link. */
void fake_unplug(struct fake *f, uint32_t slot)
{
	struct fake_dev *dev = &f->devs[slot];
	bool open;

	pthread_mutex_lock(&f->lock);
	open = dev->open || dev->taken;
	if (open)
		dev->unplugging = true;
	else
		dev->plugged = false;
	pthread_mutex_unlock(&f->lock);
	fake_event(f, open ? VBUS_EVENT_UNPLUG : VBUS_EVENT_REMOVED, slot);
}

int fake_take(struct fake *f, uint32_t slot)
{
	struct fake_dev *dev = &f->devs[slot];
	int ret = 0;

	pthread_mutex_lock(&f->lock);
	if (!dev->plugged)
		ret = -ENOENT;
	else if (dev->open || dev->taken)
		ret = -EBUSY;
	else
		dev->taken = true;
	pthread_mutex_unlock(&f->lock);
	return ret;
}

void fake_give(struct fake *f, uint32_t slot)
{
	struct fake_dev *dev = &f->devs[slot];
	bool gone;

	pthread_mutex_lock(&f->lock);
	assert(dev->taken);
	gone = dev->unplugging;
	dev->taken = false;
	dev->unplugging = false;
	if (gone)
		dev->plugged = false;
	pthread_mutex_unlock(&f->lock);
	if (gone)
		fake_event(f, VBUS_EVENT_REMOVED, slot);
}

void fake_signal(struct fake *f, uint32_t slot, uint32_t vector)
{
	struct fake_dev *dev = &f->devs[slot];

	pthread_mutex_lock(&f->lock);
	if (dev->open && dev->irq[vector] >= 0)
		eventfd_write(dev->irq[vector], 1);
	else if (dev->open)
		dev->pending[vector] = true;
	pthread_mutex_unlock(&f->lock);
}
