// SPDX-License-Identifier: GPL-2.0
/*
 * The bus type of the guest bus: names, matching, uevents, sysfs.
 *
 * Owns the numbers of buses and the table of class names.  Everything a device
 * shows in sysfs is here; Documentation/ABI/testing/sysfs-bus-vbus describes it.
 * Lock rules are in proxy_priv.h.
 */
#define pr_fmt(fmt) "vbus-proxy: " fmt

#include <kunit/visibility.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include "proxy_priv.h"

static DEFINE_IDA(vproxy_bus_ids);

/**
 * vproxy_bus_id_alloc() - the smallest free bus number
 *
 * Return: the number or errno.
 */
int vproxy_bus_id_alloc(void)
{
	return ida_alloc(&vproxy_bus_ids, GFP_KERNEL);
}
EXPORT_SYMBOL_NS_GPL(vproxy_bus_id_alloc, VPROXY_TRANSPORT);

/**
 * vproxy_bus_id_free() - give a number back
 * @id: from vproxy_bus_id_alloc()
 */
void vproxy_bus_id_free(int id)
{
	ida_free(&vproxy_bus_ids, id);
}
EXPORT_SYMBOL_NS_GPL(vproxy_bus_id_free, VPROXY_TRANSPORT);

static const char *const vproxy_class_names[] = {
	[VBUS_CLASS_NULL] = "null",
	[VBUS_CLASS_NET] = "net",
	[VBUS_CLASS_BLK] = "blk",
	[VBUS_CLASS_CLOCK] = "clock",
	[VBUS_CLASS_RNG] = "rng",
};

/* A class that this kernel has no name for can still have a driver. */
void vproxy_class_name(u32 class_id, char name[VPROXY_CLASS_NAME_MAX])
{
	if (class_id < ARRAY_SIZE(vproxy_class_names) &&
	    vproxy_class_names[class_id])
		strscpy(name, vproxy_class_names[class_id],
			VPROXY_CLASS_NAME_MAX);
	else
		snprintf(name, VPROXY_CLASS_NAME_MAX, "c%x", class_id);
}
EXPORT_SYMBOL_IF_KUNIT(vproxy_class_name);

static ssize_t class_show(struct device *dev, struct device_attribute *attr,
			  char *page)
{
	char name[VPROXY_CLASS_NAME_MAX];

	vproxy_class_name(to_vproxy_device(dev)->class_id, name);
	return sysfs_emit(page, "%s\n", name);
}
static DEVICE_ATTR_RO(class);

static ssize_t modalias_show(struct device *dev, struct device_attribute *attr,
			     char *page)
{
	char name[VPROXY_CLASS_NAME_MAX];

	vproxy_class_name(to_vproxy_device(dev)->class_id, name);
	return sysfs_emit(page, "vbus:%s\n", name);
}
static DEVICE_ATTR_RO(modalias);

static ssize_t slot_show(struct device *dev, struct device_attribute *attr,
			 char *page)
{
	return sysfs_emit(page, "%u\n", to_vproxy_device(dev)->slot);
}
static DEVICE_ATTR_RO(slot);

static ssize_t alias_show(struct device *dev, struct device_attribute *attr,
			  char *page)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);
	ssize_t len;

	mutex_lock(&vdev->core->lock);
	len = sysfs_emit(page, "%s\n", vdev->alias);
	mutex_unlock(&vdev->core->lock);
	return len;
}
static DEVICE_ATTR_RO(alias);

static ssize_t features_show(struct device *dev, struct device_attribute *attr,
			     char *page)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);

	return sysfs_emit(page, "0x%016llx\n", READ_ONCE(vdev->features));
}
static DEVICE_ATTR_RO(features);

static ssize_t queues_show(struct device *dev, struct device_attribute *attr,
			   char *page)
{
	return sysfs_emit(page, "%u\n", to_vproxy_device(dev)->nr_queues);
}
static DEVICE_ATTR_RO(queues);

static ssize_t status_show(struct device *dev, struct device_attribute *attr,
			   char *page)
{
	struct vproxy_core *core = to_vproxy_device(dev)->core;
	u32 status;
	int err;

	err = vproxy_read32(core, VBUS_REG_STATUS, &status);
	if (err)
		return err;
	return sysfs_emit(page, "0x%x\n", status);
}
static DEVICE_ATTR_RO(status);

/* One number, if it is that of all vectors; else one for each. */
static ssize_t priority_show(struct device *dev, struct device_attribute *attr,
			     char *page)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);
	unsigned int i, nr = vdev->core->max_vectors;
	bool same = true;
	ssize_t len = 0;
	int prio, first;

	mutex_lock(&vdev->core->lock);
	first = vdev->ops->get_priority(vdev, 0);
	for (i = 1; i < nr; i++)
		same = same && vdev->ops->get_priority(vdev, i) == first;
	for (i = 0; i < (same ? 1 : nr); i++) {
		prio = vdev->ops->get_priority(vdev, i);
		len += sysfs_emit_at(page, len, "%s%d", i ? " " : "", prio);
	}
	mutex_unlock(&vdev->core->lock);
	len += sysfs_emit_at(page, len, "\n");
	return len;
}

/* "PRIORITY" for all, or "VECTOR PRIORITY". */
static int priority_parse(const char *page, unsigned int *vector,
			  unsigned int *prio)
{
	char word[12];
	size_t len;
	int err;

	page = skip_spaces(page);
	len = strcspn(page, " ");
	*vector = VPROXY_ALL_VECTORS;
	if (page[len] && len < sizeof(word)) {
		strscpy(word, page, len + 1);
		err = kstrtouint(word, 10, vector);
		if (err || *vector == VPROXY_ALL_VECTORS)
			return err ?: -EINVAL;
		page = skip_spaces(page + len);
	}
	return kstrtouint(page, 10, prio);
}

static ssize_t priority_store(struct device *dev, struct device_attribute *attr,
			      const char *page, size_t count)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);
	unsigned int vector, prio;
	int err;

	err = priority_parse(page, &vector, &prio);
	if (err)
		return err;
	if (vector != VPROXY_ALL_VECTORS && vector >= vdev->core->max_vectors)
		return -EINVAL;
	mutex_lock(&vdev->core->lock);
	err = vproxy_device_gone(vdev) ? -ENODEV :
	      vdev->ops->set_priority(vdev, vector, prio);
	mutex_unlock(&vdev->core->lock);
	return err ?: count;
}
static DEVICE_ATTR_RW(priority);

static ssize_t hold_show(struct device *dev, struct device_attribute *attr,
			 char *page)
{
	struct vproxy_core *core = to_vproxy_device(dev)->core;

	return sysfs_emit(page, "%u\n", READ_ONCE(core->hold));
}

static ssize_t hold_store(struct device *dev, struct device_attribute *attr,
			  const char *page, size_t count)
{
	struct vproxy_core *core = to_vproxy_device(dev)->core;
	bool hold;
	int err;

	err = kstrtobool(page, &hold);
	if (err)
		return err;
	mutex_lock(&core->lock);
	err = vproxy_write32(core, VBUS_REG_HOLD,
			     hold ? VBUS_HOLD_IN_USE : 0);
	if (!err)
		WRITE_ONCE(core->hold, hold ? VBUS_HOLD_IN_USE : 0);
	mutex_unlock(&core->lock);
	return err ?: count;
}
static DEVICE_ATTR_RW(hold);

static ssize_t eject_store(struct device *dev, struct device_attribute *attr,
			   const char *page, size_t count)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);
	bool eject;
	int err;

	err = kstrtobool(page, &eject);
	if (err || !eject)
		return -EINVAL;
	vdev->ops->eject(vdev);
	return count;
}
static DEVICE_ATTR_WO(eject);

static struct attribute *vproxy_dev_attrs[] = {
	&dev_attr_class.attr,
	&dev_attr_slot.attr,
	&dev_attr_alias.attr,
	&dev_attr_features.attr,
	&dev_attr_queues.attr,
	&dev_attr_status.attr,
	&dev_attr_modalias.attr,
	&dev_attr_priority.attr,
	&dev_attr_hold.attr,
	&dev_attr_eject.attr,
	NULL,
};

static umode_t vproxy_dev_visible(struct kobject *kobj, struct attribute *attr,
				  int n)
{
	struct vproxy_device *vdev = to_vproxy_device(kobj_to_dev(kobj));

	if (attr == &dev_attr_priority.attr && !vdev->ops->set_priority)
		return 0;
	if (attr == &dev_attr_eject.attr && !vdev->ops->eject)
		return 0;
	return attr->mode;
}

static const struct attribute_group vproxy_dev_group = {
	.attrs = vproxy_dev_attrs,
	.is_visible = vproxy_dev_visible,
};
__ATTRIBUTE_GROUPS(vproxy_dev);

static int vproxy_bus_match(struct device *dev, struct device_driver *drv)
{
	return to_vproxy_device(dev)->class_id ==
	       to_vproxy_driver(drv)->class_id;
}

static int vproxy_bus_uevent(struct device *dev, struct kobj_uevent_env *env)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);
	char name[VPROXY_CLASS_NAME_MAX];

	vproxy_class_name(vdev->class_id, name);
	if (add_uevent_var(env, "VBUS_CLASS=%s", name) ||
	    add_uevent_var(env, "VBUS_SLOT=%u", vdev->slot) ||
	    add_uevent_var(env, "VBUS_ALIAS=%s", vdev->alias) ||
	    add_uevent_var(env, "MODALIAS=vbus:%s", name))
		return -ENOMEM;
	return 0;
}

struct bus_type vproxy_bus_type = {
	.name = "vbus",
	.dev_groups = vproxy_dev_groups,
	.match = vproxy_bus_match,
	.uevent = vproxy_bus_uevent,
	.probe = vproxy_bus_probe,
	.remove = vproxy_bus_remove,
	.shutdown = vproxy_bus_shutdown,
};

static int __init vproxy_init(void)
{
	return bus_register(&vproxy_bus_type);
}

static void __exit vproxy_exit(void)
{
	vproxy_wait_released();
	bus_unregister(&vproxy_bus_type);
	ida_destroy(&vproxy_bus_ids);
}

module_init(vproxy_init);
module_exit(vproxy_exit);

MODULE_DESCRIPTION("vbus guest bus");
MODULE_LICENSE("GPL");
