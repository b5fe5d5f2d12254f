// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: devices come and go as the device side says.
 *
 * An event only says that there is something to ask.  Answers are compared with
 * what we have open, so it does not matter how much has happened since.  All of it
 * runs on one ordered workqueue, one slot after the other; see vnat.h.
 *
 * A struct vnat_dev lives from OPEN to CLOSE.  The device of the guest bus has its
 * own life, but touches ours only until it was unregistered.
 */
#define pr_fmt(fmt) "vbus-native: " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include "vnat.h"

/* Pause before a slot is looked at again. */
#define VNAT_AGAIN_MS	500

/*
 * So many looks at slots in that time, and then one each pause: all of them, twice.  A
 * look may bring a device or take one away, with all that this costs the system.
 */
#define VNAT_LOOKS	(2 * VBUS_NATIVE_MAX_SLOTS)
#define VNAT_LOOKS_TIME	(10 * HZ)

/*
 * A call came to nothing, and nobody tells when another one would do better.  What
 * has become of it is seen by asking what is in the slot.
 */
static void vnat_slot_again(struct vnat_bus *bus, u32 slot)
{
	set_bit(slot, bus->news);
	if (!READ_ONCE(bus->stopping))
		queue_delayed_work(bus->wq, &bus->slot_retry,
				   msecs_to_jiffies(VNAT_AGAIN_MS));
}

static void vnat_slot_close(struct vnat_bus *bus, u32 slot)
{
	int err;

	err = vnat_slow_simple(bus, VBUS_FN_CLOSE, slot, 0, 0);
	/* It may be closed already, being gone. */
	if (err && err != -ENODEV)
		dev_err_ratelimited(bus->dev, "slot %u can't be closed: %d\n",
				    slot, err);
	if (err == -ETIMEDOUT)
		vnat_slot_again(bus, slot);
}

static void vnat_slot_remove(struct vnat_dev *ndev, bool gone)
{
	struct vnat_bus *bus = ndev->bus;

	bus->slots[ndev->slot] = NULL;
	vproxy_device_unregister(ndev->vdev, gone);
	/* Nobody kicks any more. */
	cancel_delayed_work_sync(&ndev->retry);
	vnat_slot_close(bus, ndev->slot);
	kfree(ndev);
}

static int vnat_slot_register(struct vnat_bus *bus, u32 slot, u32 plugs)
{
	struct vproxy_device *vdev;
	struct vnat_dev *ndev;
	int err;

	ndev = kzalloc(sizeof(*ndev), GFP_KERNEL);
	if (!ndev)
		return -ENOMEM;
	vdev = kzalloc(sizeof(*vdev), GFP_KERNEL);
	if (!vdev) {
		kfree(ndev);
		return -ENOMEM;
	}
	ndev->bus = bus;
	ndev->vdev = vdev;
	ndev->slot = slot;
	ndev->plugs = plugs;
	INIT_DELAYED_WORK(&ndev->retry, vnat_retry_work);
	vdev->ops = &vnat_transport;
	vdev->priv = ndev;
	vdev->dma_dev = bus->dev;
	vdev->dev.parent = bus->dev;
	err = vproxy_device_register(vdev, bus->id, NULL);
	if (err) {
		cancel_delayed_work_sync(&ndev->retry);
		/* vbus-proxy does not say whether it read nonsense or nothing. */
		if (READ_ONCE(ndev->silent))
			err = -ETIMEDOUT;
		kfree(ndev);
		return err;
	}
	bus->slots[slot] = ndev;
	return 0;
}

static void vnat_slot_add(struct vnat_bus *bus, u32 slot, u32 plugs)
{
	int err;

	err = vnat_slow_simple(bus, VBUS_FN_OPEN, slot, plugs, 0);
	/*
	 * Another front has it, or what we read is no longer so: the next event
	 * of the slot tells when to try again.
	 */
	if (err == -EBUSY || err == -ENOENT || err == -ESTALE) {
		pr_debug("bus %d: slot %u is not to be had: %d\n", bus->id,
			 slot, err);
		return;
	}
	if (!err) {
		err = vnat_slot_register(bus, slot, plugs);
		if (!err)
			return;
		vnat_slot_close(bus, slot);
	}
	if (!READ_ONCE(bus->dead))
		dev_err_ratelimited(bus->dev, "slot %u can't be used: %d\n",
				    slot, err);
	if (err == -ETIMEDOUT || err == -ENOMEM)
		vnat_slot_again(bus, slot);
}

static void vnat_slot_update(struct vnat_bus *bus, u32 slot)
{
	struct vnat_dev *ndev = bus->slots[slot];
	struct vbus_slot_info info = {};
	struct vnat_request req = {
		.func = VBUS_FN_SLOT,
		.slot = slot,
		.in = &info,
		.in_len = sizeof(info),
	};
	u32 flags, plugs, ejected;
	int err;

	err = vnat_slow_call(bus, &req);
	if (READ_ONCE(bus->dead)) {
		if (ndev)
			vnat_slot_remove(ndev, true);
		return;
	}
	if (err) {
		dev_err_ratelimited(bus->dev, "slot %u can't be read: %d\n",
				    slot, err);
		if (err == -ETIMEDOUT)
			vnat_slot_again(bus, slot);
		return;
	}
	flags = le32_to_cpu(info.flags);
	plugs = le32_to_cpu(info.plugs);
	if (ndev && (~flags & (VBUS_SLOT_PRESENT | VBUS_SLOT_OPEN) ||
		     plugs != ndev->plugs)) {
		vnat_slot_remove(ndev, true);
		ndev = NULL;
	} else if (!ndev && flags & VBUS_SLOT_OPEN) {
		/* Opened or not closed by a call that was given up. */
		vnat_slot_close(bus, slot);
		vnat_slot_again(bus, slot);
		return;
	}
	ejected = READ_ONCE(bus->ejected[slot]);
	if (ndev && ejected == plugs) {
		vnat_slot_remove(ndev, false);
	} else if (flags & VBUS_SLOT_UNPLUG) {
		if (ndev)
			vnat_slot_remove(ndev, false);
	} else if (ndev) {
		if (flags & VBUS_SLOT_ALIAS)
			vproxy_alias_changed(ndev->vdev);
	} else if (flags & VBUS_SLOT_PRESENT && ejected != plugs) {
		vnat_slot_add(bus, slot, plugs);
	}
}

static void vnat_slots_update(struct vnat_bus *bus)
{
	unsigned int slot;

	/* One round: news of a slot that was passed already queue us again. */
	for_each_set_bit(slot, bus->news, bus->nr_slots) {
		if (READ_ONCE(bus->stopping))
			return;
		if (!__ratelimit(&bus->limit)) {
			queue_delayed_work(bus->wq, &bus->slot_retry,
					   msecs_to_jiffies(VNAT_AGAIN_MS));
			return;
		}
		/* Before we ask: what happens after the answer sets it again. */
		if (test_and_clear_bit(slot, bus->news))
			vnat_slot_update(bus, slot);
	}
}

static void vnat_slot_work(struct work_struct *work)
{
	vnat_slots_update(container_of(work, struct vnat_bus, slot_work));
}

static void vnat_slot_retry(struct work_struct *work)
{
	vnat_slots_update(container_of(to_delayed_work(work), struct vnat_bus,
				       slot_retry));
}

void vnat_slots_init(struct vnat_bus *bus)
{
	INIT_WORK(&bus->slot_work, vnat_slot_work);
	INIT_DELAYED_WORK(&bus->slot_retry, vnat_slot_retry);
	ratelimit_state_init(&bus->limit, VNAT_LOOKS_TIME, VNAT_LOOKS);
	/* Nothing is lost, so nothing is to be said. */
	ratelimit_set_flags(&bus->limit, RATELIMIT_MSG_ON_RELEASE);
}

/*
 * The user wants to be rid of it; it is not taken again until it was plugged anew.
 * By then it may have gone anyway, so say which one was meant.
 */
void vnat_slot_eject(struct vproxy_device *vdev)
{
	struct vnat_dev *ndev = vdev->priv;
	struct vnat_bus *bus = ndev->bus;

	WRITE_ONCE(bus->ejected[ndev->slot], ndev->plugs);
	vnat_bus_slot_news(bus, ndev->slot);
}

/* Take every device off the bus; slot_work does not run any more. */
void vnat_slots_close(struct vnat_bus *bus, bool gone)
{
	unsigned int slot;

	for (slot = 0; slot < bus->nr_slots; slot++)
		if (bus->slots[slot])
			vnat_slot_remove(bus->slots[slot],
					 gone || READ_ONCE(bus->dead));
}
