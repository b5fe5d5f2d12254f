// SPDX-License-Identifier: GPL-2.0
/*
 * Which bus of the VMM has which number in this guest.
 *
 * The functions of one bus, wherever they are plugged, share a number on the
 * guest bus; other transports have numbers of their own.  A number lives as
 * long as one of its functions.
 */
#include <kunit/visibility.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "vpci.h"

/* A bus with functions: its number in the VMM, in the guest, how many. */
struct vpci_bus {
	struct list_head list;
	u32 number;
	int id;
	unsigned int users;
};

/* Guards the list and what is in it; nothing else is locked under it. */
static DEFINE_MUTEX(vpci_bus_lock);
static LIST_HEAD(vpci_buses);

static struct vpci_bus *vpci_bus_find(u32 number)
{
	struct vpci_bus *bus;

	lockdep_assert_held(&vpci_bus_lock);
	list_for_each_entry(bus, &vpci_buses, list)
		if (bus->number == number)
			return bus;
	return NULL;
}

static struct vpci_bus *vpci_bus_make(u32 number)
{
	struct vpci_bus *bus;
	int id;

	bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	if (!bus)
		return ERR_PTR(-ENOMEM);
	id = vproxy_bus_id_alloc();
	if (id < 0) {
		kfree(bus);
		return ERR_PTR(id);
	}
	bus->number = number;
	bus->id = id;
	list_add_tail(&bus->list, &vpci_buses);
	return bus;
}

/**
 * vpci_bus_get() - number on the guest bus of a bus of the VMM
 * @number: of the bus in the VMM
 *
 * Return: the number, which lasts until vpci_bus_put(); or errno.
 */
int vpci_bus_get(u32 number)
{
	struct vpci_bus *bus;
	int id;

	mutex_lock(&vpci_bus_lock);
	bus = vpci_bus_find(number) ?: vpci_bus_make(number);
	if (IS_ERR(bus)) {
		id = PTR_ERR(bus);
	} else {
		bus->users++;
		id = bus->id;
	}
	mutex_unlock(&vpci_bus_lock);
	return id;
}
EXPORT_SYMBOL_IF_KUNIT(vpci_bus_get);

/**
 * vpci_bus_put() - undo one vpci_bus_get()
 * @number: of the bus in the VMM
 */
void vpci_bus_put(u32 number)
{
	struct vpci_bus *bus;

	mutex_lock(&vpci_bus_lock);
	bus = vpci_bus_find(number);
	if (!WARN_ON_ONCE(!bus) && !--bus->users) {
		list_del(&bus->list);
		vproxy_bus_id_free(bus->id);
		kfree(bus);
	}
	mutex_unlock(&vpci_bus_lock);
}
EXPORT_SYMBOL_IF_KUNIT(vpci_bus_put);
