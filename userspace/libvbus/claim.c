// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Functions that share their devices with the native front (LIBVBUS_PCI_SHARED).
 *
 * A function exists for each plugged device, but has it open only while a driver of
 * the guest's uses it: from the moment that memory decoding or, with that on, bus
 * mastering is switched on, until decoding is switched off, or bus mastering after it
 * was on, or the function is reset.  The command register counts, not the power
 * state: D3hot keeps the device.  What the kernel answers when the native front has
 * the device is that it is busy, and then registers read as all ones.
 *
 * fn->dev changes under fn->ctl and, for writing, fn->dev_lock; register accesses hold
 * the latter for reading, so that no other file gets the number of the fd that they
 * use.  Order: ctl, then dev_lock.
 *
 * Events.  Since the device is not open most of the time, it may go, and another one
 * come, without the function being asked.  Opening it checks that it is the one
 * that config space was made for; if not, the events that tell are on their way.
 */
#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "private.h"

/* The device, for one access; negative if there is none.  Not with fn->ctl held. */
int lvb_dev_enter(struct lvb_fn *fn)
{
	if (fn->bus->pci != LIBVBUS_PCI_SHARED)
		return fn->dev;
	pthread_rwlock_rdlock(&fn->dev_lock);
	if (fn->dev >= 0)
		return fn->dev;
	pthread_rwlock_unlock(&fn->dev_lock);
	return -ENXIO;
}

/* After lvb_dev_enter() that was successful. */
void lvb_dev_leave(struct lvb_fn *fn)
{
	if (fn->bus->pci == LIBVBUS_PCI_SHARED)
		pthread_rwlock_unlock(&fn->dev_lock);
}

/* ctl; waits for accesses under way */
static void lvb_shared_set(struct lvb_fn *fn, int dev)
{
	pthread_rwlock_wrlock(&fn->dev_lock);
	fn->dev = dev;
	pthread_rwlock_unlock(&fn->dev_lock);
}

/* The device that @fn was made for, open; -ESTALE if another one has its place. */
static int lvb_shared_open(struct lvb_fn *fn)
{
	struct libvbus *bus = fn->bus;
	struct libvbus_info info;
	int dev, ret;

	dev = bus->io->ops->open_slot(bus->io, fn->slot);
	if (dev < 0)
		return dev;
	ret = lvb_fn_read_info(bus, dev, &info);
	if (!ret && (info.class_id != fn->info.class_id ||
		     info.nr_queues != fn->info.nr_queues ||
		     info.nr_vectors != fn->info.nr_vectors ||
		     strcmp(info.name, fn->info.name)))
		ret = -ESTALE;
	if (!ret)
		return dev;
	bus->io->ops->dev_close(bus->io, dev);
	return ret;
}

/* ctl: a driver takes the function */
static void lvb_shared_claim(struct lvb_fn *fn)
{
	int dev = lvb_shared_open(fn);

	if (dev < 0) {
		lvb_log_once(fn, LVB_LOGGED_CLAIM,
			     "bus %s slot %u: the guest can't use the device by PCI now: %s",
			     fn->bus->name, fn->slot, dev == -EBUSY ?
			     "it uses it by the native front" : strerror(-dev));
		return;
	}
	lvb_shared_set(fn, dev);
	if (atomic_load(&fn->mapped))
		lvb_bar_bells_on(fn);
}

/* ctl: nobody uses the function; the kernel resets what is closed */
static void lvb_shared_release(struct lvb_fn *fn)
{
	int dev = fn->dev;

	lvb_msix_apply(fn, false);
	lvb_bar_bells_off(fn);
	lvb_shared_set(fn, -1);
	fn->bus->io->ops->dev_close(fn->bus->io, dev);
	/* They were bound to what is closed now. */
	lvb_bar_forget(fn);
	lvb_msix_forget(fn);
	fn->paused = false;
}

/* ctl: before anything is switched on */
void lvb_shared_give(struct lvb_fn *fn)
{
	uint16_t now = lvb_get16(fn->cfg + PCI_COMMAND);
	uint16_t fall = fn->command & ~now;

	if (now & PCI_COMMAND_MEMORY && !(fall & PCI_COMMAND_MASTER))
		return;
	fn->wanted = false;
	if (fn->bus->pci == LIBVBUS_PCI_SHARED && fn->dev >= 0)
		lvb_shared_release(fn);
}

/* ctl: before the BAR is mapped, if it shall be */
void lvb_shared_take(struct lvb_fn *fn, bool decode)
{
	uint16_t now = lvb_get16(fn->cfg + PCI_COMMAND);
	uint16_t rise = now & ~fn->command & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

	fn->command = now;
	if (fn->bus->pci != LIBVBUS_PCI_SHARED)
		return;
	if (rise && now & PCI_COMMAND_MEMORY)
		fn->wanted = true;
	/* Decoding may have to wait for an address, or for D0. */
	if (fn->wanted && decode && fn->dev < 0 &&
	    (rise || !atomic_load(&fn->mapped)))
		lvb_shared_claim(fn);
}

/* The device that was opened to make @fn is free for either front. */
void lvb_shared_init(struct lvb_fn *fn)
{
	struct libvbus *bus = fn->bus;

	if (bus->pci != LIBVBUS_PCI_SHARED)
		return;
	/* While it is not open it can't be asked. */
	bus->io->ops->get_attr(bus->io, fn->dev, VBUS_GROUP_INFO,
			       VBUS_INFO_ALIAS, fn->info.alias,
			       sizeof(fn->info.alias) - 1);
	bus->io->ops->dev_close(bus->io, fn->dev);
	fn->dev = -1;
}

/* For the thread that processes events: has another device taken the place of the function's? */
bool lvb_shared_stale(struct lvb_fn *fn)
{
	int dev = -EBUSY;

	pthread_mutex_lock(&fn->ctl);
	if (fn->dev < 0)
		dev = lvb_shared_open(fn);
	if (dev >= 0)
		fn->bus->io->ops->dev_close(fn->bus->io, dev);
	pthread_mutex_unlock(&fn->ctl);
	return dev == -ESTALE;
}
