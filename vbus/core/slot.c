// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: /sys/kernel/config/vbus/buses/<bus>/slots/<n>.
 *
 * A symlink to a device plugs it; removing the link asks the guest to let go.
 * configfs can't refuse that removal, so while the guest has the device open
 * the slot is "unplugging": slot and device are pinned (rmdir answers EBUSY)
 * until the connection closes.  All under bus->lock, which is not held while a
 * connection ends: the slot is "closing" then.
 */
#include <linux/ctype.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "core.h"

/* Seconds an unplug may take before the admin reads that it does not. */
#define VBUS_UNPLUG_TIMEOUT	30
#define VBUS_UNPLUG_TIMEOUT_MAX	86400

/* How an unplug is getting on. */
static const char *vbus_slot_waiting(struct vbus_slot *slot)
{
	if (slot->conn && READ_ONCE(slot->conn->hold))
		return "refused";
	if (slot->unplug_timeout &&
	    time_after64(get_jiffies_64(), slot->unplug_end))
		return "timed-out";
	return "unplugging";
}

static ssize_t vbus_slot_state_show(struct config_item *item, char *page)
{
	struct vbus_slot *slot = to_vbus_slot(item);
	const char *state;

	mutex_lock(&slot->bus->lock);
	if (!slot->dev)
		state = "empty";
	else if (slot->conn && slot->conn->closing)
		state = "closing";
	else if (slot->unplugging)
		state = vbus_slot_waiting(slot);
	else if (slot->conn &&
		 READ_ONCE(slot->conn->status) & VBUS_STATUS_DRIVER)
		state = "bound";
	else
		state = "plugged";
	mutex_unlock(&slot->bus->lock);
	return sysfs_emit(page, "%s\n", state);
}
CONFIGFS_ATTR_RO(vbus_slot_, state);

static ssize_t vbus_slot_alias_show(struct config_item *item, char *page)
{
	struct vbus_slot *slot = to_vbus_slot(item);
	ssize_t ret;

	mutex_lock(&slot->bus->lock);
	ret = sysfs_emit(page, "%.*s\n", VBUS_ALIAS_SIZE, slot->alias);
	mutex_unlock(&slot->bus->lock);
	return ret;
}

static ssize_t vbus_slot_alias_store(struct config_item *item, const char *page,
				     size_t count)
{
	struct vbus_slot *slot = to_vbus_slot(item);
	size_t len = count, i;

	if (len && page[len - 1] == '\n')
		len--;
	if (len > VBUS_ALIAS_SIZE) {
		vbus_slot_err(slot, "alias is at most %d bytes\n",
			      VBUS_ALIAS_SIZE);
		return -ENAMETOOLONG;
	}
	for (i = 0; i < len; i++) {
		if (!isascii(page[i]) || !isgraph(page[i])) {
			vbus_slot_err(slot, "alias is printable ASCII without blanks\n");
			return -EINVAL;
		}
	}

	mutex_lock(&slot->bus->lock);
	memset(slot->alias, 0, sizeof(slot->alias));
	memcpy(slot->alias, page, len);
	if (slot->dev && !slot->unplugging)
		vbus_session_post(slot, VBUS_EVENT_CHANGED);
	mutex_unlock(&slot->bus->lock);
	return count;
}
CONFIGFS_ATTR(vbus_slot_, alias);

static ssize_t vbus_slot_unplug_timeout_show(struct config_item *item,
					     char *page)
{
	return sysfs_emit(page, "%u\n",
			  READ_ONCE(to_vbus_slot(item)->unplug_timeout));
}

static ssize_t vbus_slot_unplug_timeout_store(struct config_item *item,
					      const char *page, size_t count)
{
	struct vbus_slot *slot = to_vbus_slot(item);
	u32 value;
	int ret;

	ret = kstrtou32(page, 10, &value);
	if (!ret && value > VBUS_UNPLUG_TIMEOUT_MAX)
		ret = -ERANGE;
	if (ret) {
		vbus_slot_err(slot, "unplug_timeout takes seconds, at most %d; 0: never\n",
			      VBUS_UNPLUG_TIMEOUT_MAX);
		return ret;
	}
	mutex_lock(&slot->bus->lock);
	WRITE_ONCE(slot->unplug_timeout, value);
	mutex_unlock(&slot->bus->lock);
	return count;
}
CONFIGFS_ATTR(vbus_slot_, unplug_timeout);

/*
 * Take away what the guest does not give back, and wait until it is gone.  The wait
 * can be killed, and nothing else waits for it: as long as the slot is unplugging it is
 * pinned, so no rmdir waits for this write to return.
 */
static ssize_t vbus_slot_force_store(struct config_item *item, const char *page,
				     size_t count)
{
	struct vbus_slot *slot = to_vbus_slot(item);
	struct vbus_conn *conn = NULL;
	bool value;
	int err;

	err = kstrtobool(page, &value);
	if (err || !value) {
		vbus_slot_err(slot, "force takes 1\n");
		return -EINVAL;
	}
	mutex_lock(&slot->bus->lock);
	if (slot->unplugging) {
		conn = slot->conn;
		kref_get(&conn->ref);
		if (vbus_conn_claim(conn))
			conn->forced = true;
	} else if (slot->dev) {
		vbus_slot_err(slot, "%s is plugged: remove the link first\n",
			      slot->dev->name);
		err = -EBUSY;
	}
	mutex_unlock(&slot->bus->lock);
	if (conn) {
		err = wait_for_completion_killable(&conn->gone);
		vbus_conn_put(conn);
	}
	return err ?: count;
}
CONFIGFS_ATTR_WO(vbus_slot_, force);

static struct configfs_attribute *vbus_slot_attrs[] = {
	&vbus_slot_attr_state,
	&vbus_slot_attr_alias,
	&vbus_slot_attr_unplug_timeout,
	&vbus_slot_attr_force,
	NULL,
};

static int vbus_slot_allow_link(struct config_item *src,
				struct config_item *target)
{
	struct vbus_slot *slot = to_vbus_slot(src);
	struct vbus_device *dev;
	int ret;

	if (!vbus_item_is_device(target)) {
		vbus_slot_err(slot, "link to a device below vbus/devices\n");
		return -EINVAL;
	}
	dev = to_vbus_device(target);
	/*
	 * configfs makes the target busy only after this function, so an rmdir
	 * could overtake us: pin it for as long as it is plugged.
	 */
	ret = vbus_item_pin(target);
	if (ret)
		return ret;

	mutex_lock(&slot->bus->lock);
	if (slot->dev) {
		vbus_slot_err(slot, "%s %s\n", slot->dev->name,
			      slot->unplugging ? "is still being unplugged" :
						 "is plugged here");
		ret = -EBUSY;
		goto unlock;
	}
	ret = vbus_device_plug(dev, slot);
	if (ret)
		goto unlock;
	slot->dev = dev;
	/* 0 is for no device. */
	slot->bus->plugs = slot->bus->plugs + 1 ?: 1;
	slot->plugs = slot->bus->plugs;
	vbus_session_post(slot, VBUS_EVENT_ADDED);
unlock:
	mutex_unlock(&slot->bus->lock);
	if (ret)
		configfs_undepend_item(target);
	return ret;
}

/*
 * The slot lets its device go: at once, or when the guest has closed it.
 * Undoes the pins of an unplug that had to wait.
 */
void vbus_slot_detach(struct vbus_slot *slot)
{
	struct vbus_device *dev = slot->dev;

	lockdep_assert_held(&slot->bus->lock);
	slot->dev = NULL;
	vbus_session_withdraw(slot, VBUS_EVENT_UNPLUG);
	/* Unpin last: from there on rmdir may come, and finds nothing plugged. */
	config_item_get(&dev->item);
	vbus_device_unplug(dev, slot);
	configfs_undepend_item(&dev->item);
	config_item_put(&dev->item);
	slot->unplugging = false;
	if (slot->pinned) {
		slot->pinned = false;
		configfs_undepend_item(&slot->item);
	}
}

static void vbus_slot_drop_link(struct config_item *src,
				struct config_item *target)
{
	struct vbus_slot *slot = to_vbus_slot(src);
	struct vbus_conn *conn;

	mutex_lock(&slot->bus->lock);
	conn = slot->conn;
	if (!conn) {
		vbus_session_post(slot, VBUS_EVENT_REMOVED);
		vbus_slot_detach(slot);
		goto unlock;
	}

	/*
	 * The slot's directory is locked while a link in it is removed, so it is
	 * there and pinning can't fail.  Should it all the same, the directory may
	 * go before the device has, to which the connection's reference is enough.
	 */
	slot->pinned = !WARN_ON_ONCE(configfs_depend_item_unlocked(&vbus_subsys,
								   &slot->item));
	slot->unplugging = true;
	slot->unplug_end = get_jiffies_64() + (u64)slot->unplug_timeout * HZ;
	/* A guest that objects is asked when it no longer does. */
	if (!conn->closing && !READ_ONCE(conn->hold))
		vbus_session_post(slot, VBUS_EVENT_UNPLUG);
unlock:
	mutex_unlock(&slot->bus->lock);
}

static void vbus_slot_release(struct config_item *item)
{
	struct vbus_slot *slot = to_vbus_slot(item);

	vbus_bus_put(slot->bus);
	kfree(slot);
}

static struct configfs_item_operations vbus_slot_item_ops = {
	.release = vbus_slot_release,
	.allow_link = vbus_slot_allow_link,
	.drop_link = vbus_slot_drop_link,
};

static const struct config_item_type vbus_slot_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &vbus_slot_item_ops,
	.ct_attrs = vbus_slot_attrs,
};

static struct config_item *vbus_slots_make(struct config_group *group,
					   const char *name)
{
	struct vbus_bus *bus = container_of(group, struct vbus_bus,
					    slots_group);
	struct vbus_slot *slot;
	char canonical[8];
	u32 nr;
	int ret;

	ret = kstrtou32(name, 10, &nr);
	if (ret || nr >= VBUS_MAX_SLOTS) {
		vbus_bus_err(bus, "a slot is a number below %d\n",
			     VBUS_MAX_SLOTS);
		return ERR_PTR(ret ?: -ERANGE);
	}
	/* One name per number: 3, not 03 or +3. */
	snprintf(canonical, sizeof(canonical), "%u", nr);
	if (strcmp(canonical, name)) {
		vbus_bus_err(bus, "slot %u is written \"%s\"\n", nr, canonical);
		return ERR_PTR(-EINVAL);
	}

	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	if (!slot)
		return ERR_PTR(-ENOMEM);
	slot->bus = bus;
	slot->nr = nr;
	slot->unplug_timeout = VBUS_UNPLUG_TIMEOUT;
	config_group_get(&bus->group);
	config_item_init_type_name(&slot->item, name, &vbus_slot_type);

	mutex_lock(&bus->lock);
	bus->slots[nr] = slot;
	mutex_unlock(&bus->lock);
	return &slot->item;
}

/* configfs refuses rmdir while the link exists or an unplug is waiting. */
static void vbus_slots_drop(struct config_group *group,
			    struct config_item *item)
{
	struct vbus_slot *slot = to_vbus_slot(item);
	struct vbus_bus *bus = slot->bus;

	mutex_lock(&bus->lock);
	bus->slots[slot->nr] = NULL;
	mutex_unlock(&bus->lock);
	config_item_put(item);
}

static struct configfs_group_operations vbus_slots_group_ops = {
	.make_item = vbus_slots_make,
	.drop_item = vbus_slots_drop,
};

const struct config_item_type vbus_slots_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &vbus_slots_group_ops,
};
