// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An open bus: opening, closing, and what happens on it.
 *
 * bus->slots belongs to the thread that may call libvbus_process(): callers serialise.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "private.h"

#define LVB_EVENTS	32
/* Events one call looks at: more than can be pending, so that it comes to an end. */
#define LVB_EVENTS_MAX	(8 * 256)

/* The VMM may have been built with an older or a newer header than ours. */
int lvb_copy_struct(void *to, size_t size, const void *from)
{
	const uint8_t *bytes = from;
	size_t from_size, i;

	memset(to, 0, size);
	memcpy(&from_size, from, sizeof(from_size));
	if (from_size < sizeof(from_size))
		return -EINVAL;
	for (i = size; i < from_size; i++)
		if (bytes[i])
			return -ENOTSUP;
	memcpy(to, from, from_size < size ? from_size : size);
	return 0;
}

static int lvb_check_info(const struct libvbus *bus,
			  const struct vbus_info *info)
{
	if (info->abi != VBUS_VERSION || info->window_size != VBUS_WINDOW_SIZE) {
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: the kernel speaks version %u of the device protocol, this library version %u: they need to be of one age",
			bus->name, info->abi, VBUS_VERSION);
		return -ENOTSUP;
	}
	if (!info->max_slots || info->max_slots > LVB_MAX_SLOTS) {
		lvb_log(bus, LIBVBUS_LOG_ERROR, "bus %s: %u slots make no sense",
			bus->name, info->max_slots);
		return -ENOTSUP;
	}
	return 0;
}

static void lvb_free(struct libvbus *bus)
{
	pthread_cond_destroy(&bus->drain_cond);
	pthread_mutex_destroy(&bus->drain_lock);
	bus->io->ops->close(bus->io);
	free(bus->slots);
	free(bus->fns);
	free(bus->name);
	free(bus);
}

int lvb_open_io(struct lvb_io *io, const char *name, uint32_t number,
		const struct libvbus_ops *ops, void *opaque,
		struct libvbus **out)
{
	struct vbus_info info;
	struct libvbus *bus;
	int ret;

	bus = calloc(1, sizeof(*bus));
	if (!bus) {
		io->ops->close(io);
		return -ENOMEM;
	}
	bus->io = io;
	bus->opaque = opaque;
	bus->number = number;
	pthread_mutex_init(&bus->drain_lock, NULL);
	pthread_cond_init(&bus->drain_cond, NULL);

	ret = lvb_copy_struct(&bus->ops, sizeof(bus->ops), ops);
	if (ret)
		goto err;
	ret = -ENOMEM;
	bus->name = strdup(name);
	if (!bus->name)
		goto err;
	ret = io->ops->get_info(io, &info);
	if (ret) {
		lvb_log(bus, LIBVBUS_LOG_ERROR, "%s is no vbus bus: %s", name,
			strerror(-ret));
		goto err;
	}
	ret = lvb_check_info(bus, &info);
	if (ret)
		goto err;

	ret = -ENOMEM;
	bus->nr_slots = info.max_slots;
	bus->fns = calloc(bus->nr_slots, sizeof(*bus->fns));
	bus->slots = calloc(bus->nr_slots, sizeof(*bus->slots));
	if (!bus->fns || !bus->slots)
		goto err;
	*out = bus;
	return 0;

err:
	lvb_free(bus);
	return ret;
}

int libvbus_open(const char *name, uint32_t bus_number,
		 const struct libvbus_ops *ops, void *opaque,
		 struct libvbus **bus)
{
	struct libvbus_ops known;
	struct lvb_io *io;
	char path[256];
	int len, ret;

	*bus = NULL;
	ret = lvb_copy_struct(&known, sizeof(known), ops);
	if (ret)
		return ret;
	len = snprintf(path, sizeof(path), "%s%s",
		       strchr(name, '/') ? "" : "/dev/vbus/", name);
	if (!*name || len >= (int)sizeof(path)) {
		lvb_log_ops(&known, opaque, LIBVBUS_LOG_ERROR,
			    "\"%s\" can't be the name of a bus", name);
		return -EINVAL;
	}
	ret = lvb_io_dev_open(path, &known, opaque, &io);
	if (ret)
		return ret;
	return lvb_open_io(io, name, bus_number, ops, opaque, bus);
}

void libvbus_close(struct libvbus *bus)
{
	uint32_t slot;

	if (!bus)
		return;
	for (slot = 0; slot < bus->nr_slots; slot++)
		lvb_fn_eject(bus, slot);
	lvb_native_close(bus);
	lvb_free(bus);
}

int libvbus_fd(const struct libvbus *bus)
{
	return bus->io->ops->poll_fd(bus->io);
}

int libvbus_set_pci(struct libvbus *bus, enum libvbus_pci pci)
{
	uint32_t slot;

	if (pci != LIBVBUS_PCI_FULL && pci != LIBVBUS_PCI_NONE &&
	    pci != LIBVBUS_PCI_SHARED)
		return -EINVAL;
	for (slot = 0; slot < bus->nr_slots; slot++)
		if (bus->fns[slot])
			return -EBUSY;
	bus->pci = pci;
	return 0;
}

/* Without functions: the guest has its own news by the native front. */
static void lvb_event_deliver(struct libvbus *bus, const struct vbus_event *ev)
{
	static const char * const what[] = {
		[VBUS_EVENT_ADDED] = "added",
		[VBUS_EVENT_UNPLUG] = "asked back",
		[VBUS_EVENT_REMOVED] = "removed",
	};
	struct lvb_slot *s = &bus->slots[ev->slot];

	if (ev->type >= LVB_ARRAY_SIZE(what) || !what[ev->type])
		return;
	/* The class of one that is gone is what it was. */
	if (ev->class_id)
		s->class_id = ev->class_id;
	lvb_log(bus, LIBVBUS_LOG_INFO, "bus %s slot %u: device of class %u %s",
		bus->name, ev->slot, s->class_id, what[ev->type]);
	if (ev->type == VBUS_EVENT_REMOVED)
		s->class_id = 0;
}

/* Either nobody opened it, or the guest let go before the admin took it. */
static void lvb_event_removed(struct libvbus *bus, uint32_t slot)
{
	struct lvb_slot *s = &bus->slots[slot];

	lvb_fn_eject(bus, slot);
	s->busy = false;
	if (!s->class_id)
		return;
	s->class_id = 0;
	s->asked = false;
	lvb_log(bus, LIBVBUS_LOG_INFO, "bus %s slot %u: removed", bus->name,
		slot);
	if (bus->ops.removed)
		bus->ops.removed(bus->opaque, slot);
}

static void lvb_event_added(struct libvbus *bus, uint32_t slot)
{
	struct lvb_slot *s = &bus->slots[slot];
	int ret;

	if (bus->pci == LIBVBUS_PCI_SHARED && bus->fns[slot]) {
		/* What nobody had open may have been replaced unseen. */
		s->asked = false;
		if (lvb_shared_stale(bus->fns[slot]))
			lvb_event_removed(bus, slot);
	}
	ret = libvbus_attach(bus, slot);
	s->busy = ret == -EBUSY && bus->pci == LIBVBUS_PCI_SHARED;
	if (s->busy) {
		lvb_log(bus, LIBVBUS_LOG_INFO,
			"bus %s slot %u: the guest has it by the native front; no PCI function before a reset",
			bus->name, slot);
		return;
	}
	/* It may have gone again, or is going: then that is the next event. */
	if (ret && ret != -ENOENT)
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: the device in slot %u can't be shown to the guest: %s",
			bus->name, slot, strerror(-ret));
}

void lvb_retry_busy(struct libvbus *bus)
{
	uint32_t slot;

	for (slot = 0; slot < bus->nr_slots; slot++)
		if (bus->slots[slot].busy)
			lvb_event_added(bus, slot);
}

static void lvb_event_unplug(struct libvbus *bus, uint32_t slot)
{
	/* Already let go of. */
	if (!bus->fns[slot])
		return;
	bus->slots[slot].asked = true;
	if (bus->ops.unplug)
		bus->ops.unplug(bus->opaque, slot);
	else
		libvbus_eject(bus, slot);
}

static void lvb_event(struct libvbus *bus, const struct vbus_event *ev)
{
	if (ev->slot >= bus->nr_slots)
		return;
	if (bus->pci == LIBVBUS_PCI_NONE) {
		lvb_event_deliver(bus, ev);
		return;
	}
	switch (ev->type) {
	case VBUS_EVENT_ADDED:
		lvb_event_added(bus, ev->slot);
		break;
	case VBUS_EVENT_UNPLUG:
		lvb_event_unplug(bus, ev->slot);
		break;
	case VBUS_EVENT_REMOVED:
		lvb_event_removed(bus, ev->slot);
		break;
	default:
		/* CHANGED: libvbus_get_info() and the guest read the alias anew. */
		break;
	}
}

int libvbus_process(struct libvbus *bus)
{
	struct vbus_event ev[LVB_EVENTS];
	unsigned int done = 0;
	int i, nr;

	do {
		nr = bus->io->ops->read_events(bus->io, ev, LVB_EVENTS);
		if (nr < 0) {
			lvb_log(bus, LIBVBUS_LOG_ERROR,
				"bus %s: no more events: %s", bus->name,
				strerror(-nr));
			return nr;
		}
		for (i = 0; i < nr; i++)
			lvb_event(bus, &ev[i]);
		done += nr;
	} while (nr == LVB_EVENTS && done < LVB_EVENTS_MAX);
	return 0;
}

int libvbus_attach(struct libvbus *bus, uint32_t slot)
{
	struct lvb_slot *s;
	int ret;

	if (slot >= bus->nr_slots)
		return -ENOENT;
	if (bus->pci == LIBVBUS_PCI_NONE)
		return -ENOTSUP;
	if (bus->fns[slot])
		return 0;
	ret = lvb_fn_attach(bus, slot);
	if (ret)
		return ret;
	s = &bus->slots[slot];
	s->class_id = bus->fns[slot]->info.class_id;
	s->asked = false;
	lvb_log(bus, LIBVBUS_LOG_INFO, "bus %s slot %u: %s", bus->name, slot,
		bus->fns[slot]->info.name);
	if (bus->ops.added)
		bus->ops.added(bus->opaque, slot, s->class_id);
	return 0;
}

int libvbus_eject(struct libvbus *bus, uint32_t slot)
{
	struct lvb_slot *s;
	int ret;

	if (slot >= bus->nr_slots)
		return -ENOENT;
	ret = lvb_fn_eject(bus, slot);
	if (ret)
		return ret;
	s = &bus->slots[slot];
	/* Whom nobody asked for stays plugged, and may be taken away unseen. */
	if (s->asked)
		s->class_id = 0;
	s->asked = false;
	lvb_log(bus, LIBVBUS_LOG_INFO, "bus %s slot %u: ejected", bus->name,
		slot);
	return 0;
}
