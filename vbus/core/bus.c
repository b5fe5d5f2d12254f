// SPDX-License-Identifier: GPL-2.0
/*
 * Buses: /sys/kernel/config/vbus/buses/<name>, each with a node
 * /dev/vbus/<name>.
 *
 * vbus_buses_lock guards the list of buses.  An open bus is pinned by
 * configfs_depend_item(), so rmdir answers EBUSY.
 */
#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "core.h"

static DEFINE_MUTEX(vbus_buses_lock);
static LIST_HEAD(vbus_buses);

/* The bus with a reference, or NULL. */
struct vbus_bus *vbus_bus_find(const char *name)
{
	struct vbus_bus *bus, *found = NULL;

	mutex_lock(&vbus_buses_lock);
	list_for_each_entry(bus, &vbus_buses, node) {
		if (!strcmp(vbus_bus_name(bus), name)) {
			config_group_get(&bus->group);
			found = bus;
			break;
		}
	}
	mutex_unlock(&vbus_buses_lock);
	return found;
}

struct vbus_bus *vbus_bus_find_minor(int minor)
{
	struct vbus_bus *bus, *found = NULL;

	mutex_lock(&vbus_buses_lock);
	list_for_each_entry(bus, &vbus_buses, node) {
		if (bus->minor == minor) {
			config_group_get(&bus->group);
			found = bus;
			break;
		}
	}
	mutex_unlock(&vbus_buses_lock);
	return found;
}

void vbus_bus_put(struct vbus_bus *bus)
{
	config_group_put(&bus->group);
}

/*
 * devtmpfs takes owner and mode when it makes a node, so a change makes the
 * node anew.  Refused while the bus is open: its user would keep a node that is
 * gone.
 */
static int vbus_bus_set_access(struct vbus_bus *bus, kuid_t uid, kgid_t gid,
			       umode_t mode)
{
	kuid_t old_uid = bus->uid;
	kgid_t old_gid = bus->gid;
	umode_t old_mode = bus->mode;
	struct device *node;

	lockdep_assert_held(&bus->lock);
	if (bus->session) {
		vbus_bus_err(bus, "open; close it before changing who may open it\n");
		return -EBUSY;
	}

	bus->uid = uid;
	bus->gid = gid;
	bus->mode = mode;
	vbus_node_remove(bus->cdev_device);
	node = vbus_node_create(bus);
	if (!IS_ERR(node)) {
		bus->cdev_device = node;
		return 0;
	}

	/* Out of memory: try to be as before. */
	bus->uid = old_uid;
	bus->gid = old_gid;
	bus->mode = old_mode;
	bus->cdev_device = vbus_node_create(bus);
	if (IS_ERR(bus->cdev_device)) {
		vbus_bus_err(bus, "node lost for want of memory; write mode again\n");
		bus->cdev_device = NULL;
	}
	return PTR_ERR(node);
}

static ssize_t vbus_bus_uid_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", from_kuid_munged(current_user_ns(),
						to_vbus_bus(item)->uid));
}

static ssize_t vbus_bus_uid_store(struct config_item *item, const char *page,
				  size_t count)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	kuid_t uid = INVALID_UID;
	u32 value;
	int ret;

	ret = kstrtou32(page, 10, &value);
	if (!ret)
		uid = make_kuid(current_user_ns(), value);
	if (ret || !uid_valid(uid)) {
		vbus_bus_err(bus, "uid takes a decimal user id\n");
		return ret ?: -EINVAL;
	}
	mutex_lock(&bus->lock);
	ret = vbus_bus_set_access(bus, uid, bus->gid, bus->mode);
	mutex_unlock(&bus->lock);
	return ret ?: count;
}
CONFIGFS_ATTR(vbus_bus_, uid);

static ssize_t vbus_bus_gid_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", from_kgid_munged(current_user_ns(),
						to_vbus_bus(item)->gid));
}

static ssize_t vbus_bus_gid_store(struct config_item *item, const char *page,
				  size_t count)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	kgid_t gid = INVALID_GID;
	u32 value;
	int ret;

	ret = kstrtou32(page, 10, &value);
	if (!ret)
		gid = make_kgid(current_user_ns(), value);
	if (ret || !gid_valid(gid)) {
		vbus_bus_err(bus, "gid takes a decimal group id\n");
		return ret ?: -EINVAL;
	}
	mutex_lock(&bus->lock);
	ret = vbus_bus_set_access(bus, bus->uid, gid, bus->mode);
	mutex_unlock(&bus->lock);
	return ret ?: count;
}
CONFIGFS_ATTR(vbus_bus_, gid);

static ssize_t vbus_bus_mode_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%04o\n", to_vbus_bus(item)->mode);
}

static ssize_t vbus_bus_mode_store(struct config_item *item, const char *page,
				   size_t count)
{
	struct vbus_bus *bus = to_vbus_bus(item);
	u32 mode;
	int ret;

	ret = kstrtou32(page, 8, &mode);
	if (!ret && mode > 0666)
		ret = -ERANGE;
	if (!ret && (mode & ~0666))
		ret = -EINVAL;
	if (ret) {
		vbus_bus_err(bus, "mode takes octal permissions, at most 0666\n");
		return ret;
	}
	mutex_lock(&bus->lock);
	ret = vbus_bus_set_access(bus, bus->uid, bus->gid, mode);
	mutex_unlock(&bus->lock);
	return ret ?: count;
}
CONFIGFS_ATTR(vbus_bus_, mode);

static struct configfs_attribute *vbus_bus_attrs[] = {
	&vbus_bus_attr_uid,
	&vbus_bus_attr_gid,
	&vbus_bus_attr_mode,
	NULL,
};

static void vbus_bus_release(struct config_item *item)
{
	struct vbus_bus *bus = to_vbus_bus(item);

	vbus_minor_free(bus->minor);
	mutex_destroy(&bus->lock);
	kfree(bus);
}

static struct configfs_item_operations vbus_bus_item_ops = {
	.release = vbus_bus_release,
};

static const struct config_item_type vbus_bus_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &vbus_bus_item_ops,
	.ct_attrs = vbus_bus_attrs,
};

/* The name becomes a file name in /dev/vbus. */
static int vbus_bus_check_name(const char *name)
{
	const char *p;

	if (!isalnum(name[0]) || strlen(name) >= VBUS_BUS_NAME_MAX)
		goto bad;
	for (p = name; *p; p++)
		if (!isalnum(*p) && *p != '-' && *p != '_' && *p != '.')
			goto bad;
	return 0;
bad:
	pr_err_ratelimited("vbus: a bus name has letters, digits, - _ and ., begins with a letter or digit and is shorter than %d\n",
			   VBUS_BUS_NAME_MAX);
	return -EINVAL;
}

static struct config_group *vbus_buses_make(struct config_group *group,
					    const char *name)
{
	struct vbus_bus *bus;
	int ret;

	ret = vbus_bus_check_name(name);
	if (ret)
		return ERR_PTR(ret);

	bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	if (!bus)
		return ERR_PTR(-ENOMEM);

	bus->minor = vbus_minor_alloc();
	if (bus->minor < 0) {
		ret = bus->minor;
		goto err_free;
	}
	mutex_init(&bus->lock);
	bus->uid = GLOBAL_ROOT_UID;
	bus->gid = GLOBAL_ROOT_GID;
	bus->mode = 0600;

	config_group_init_type_name(&bus->group, name, &vbus_bus_type);
	config_group_init_type_name(&bus->slots_group, "slots",
				    &vbus_slots_type);
	configfs_add_default_group(&bus->slots_group, &bus->group);

	bus->cdev_device = vbus_node_create(bus);
	if (IS_ERR(bus->cdev_device)) {
		ret = PTR_ERR(bus->cdev_device);
		/* Frees the bus and its minor. */
		config_group_put(&bus->group);
		return ERR_PTR(ret);
	}

	mutex_lock(&vbus_buses_lock);
	list_add_tail(&bus->node, &vbus_buses);
	mutex_unlock(&vbus_buses_lock);
	return &bus->group;

err_free:
	kfree(bus);
	return ERR_PTR(ret);
}

static void vbus_buses_drop(struct config_group *group,
			    struct config_item *item)
{
	struct vbus_bus *bus = to_vbus_bus(item);

	mutex_lock(&vbus_buses_lock);
	list_del(&bus->node);
	mutex_unlock(&vbus_buses_lock);
	vbus_node_remove(bus->cdev_device);
	config_item_put(item);
}

static struct configfs_group_operations vbus_buses_group_ops = {
	.make_group = vbus_buses_make,
	.drop_item = vbus_buses_drop,
};

const struct config_item_type vbus_buses_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &vbus_buses_group_ops,
};
