// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: /sys/kernel/config/vbus/devices/<class>.<name>.
 *
 * A device is pending (enable 0, attributes may change) or built (enable 1,
 * attributes answer EBUSY).  dev->lock guards which, and the list of slots the
 * device is plugged in; a plugged device can't be disabled.  updown.c gets it from one
 * to the other.
 */
#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "core.h"

static ssize_t vbus_device_enable_show(struct config_item *item, char *page)
{
	struct vbus_device *dev = to_vbus_device(item);

	return sysfs_emit(page, "%d\n", READ_ONCE(dev->enabled));
}

static ssize_t vbus_device_enable_store(struct config_item *item,
					const char *page, size_t count)
{
	struct vbus_device *dev = to_vbus_device(item);
	u8 on;
	int ret;

	ret = kstrtou8(page, 10, &on);
	if (!ret && on > 1)
		ret = -EINVAL;
	if (ret) {
		vbus_dev_err(dev, "enable takes 0 or 1\n");
		return ret;
	}
	ret = on ? vbus_device_enable(dev) : vbus_device_disable(dev);
	return ret ?: count;
}
CONFIGFS_ATTR(vbus_device_, enable);

/*
 * The worst news first: a broken connection is what an admin looks for, even if
 * another one of the same device runs.
 */
static const char *vbus_device_state(struct vbus_device *dev)
{
	bool running = false, broken = false;
	struct vbus_conn *conn;

	lockdep_assert_held(&dev->lock);
	if (!dev->enabled)
		return dev->change == VBUS_CHANGE_UP ? "enabling" :
		       dev->change == VBUS_CHANGE_DOWN ? "disabling" :
		       "disabled";
	if (list_empty(&dev->slots))
		return "enabled";

	spin_lock_irq(&dev->config_lock);
	list_for_each_entry(conn, &dev->conns, dev_node) {
		broken |= test_bit(0, &conn->broken);
		running |= READ_ONCE(conn->started);
	}
	spin_unlock_irq(&dev->config_lock);

	if (broken)
		return "broken";
	return running ? "running" : "plugged";
}

static ssize_t vbus_device_state_show(struct config_item *item, char *page)
{
	struct vbus_device *dev = to_vbus_device(item);
	ssize_t ret;

	mutex_lock(&dev->lock);
	ret = sysfs_emit(page, "%s\n", vbus_device_state(dev));
	mutex_unlock(&dev->lock);
	return ret;
}
CONFIGFS_ATTR_RO(vbus_device_, state);

static ssize_t vbus_device_stats_show(struct config_item *item, char *page)
{
	struct vbus_device *dev = to_vbus_device(item);
	const struct vbus_model *model = dev->model;
	ssize_t len = 0;
	unsigned int i;

	mutex_lock(&dev->lock);
	for (i = 0; dev->enabled && i < model->nr_stats; i++)
		len += sysfs_emit_at(page, len, "%s %llu\n",
				     model->stat_names[i], model->stat(dev, i));
	mutex_unlock(&dev->lock);
	return len;
}
CONFIGFS_ATTR_RO(vbus_device_, stats);

static struct configfs_attribute *vbus_device_attrs[] = {
	&vbus_device_attr_enable,
	&vbus_device_attr_state,
	&vbus_device_attr_stats,
};

/**
 * vbus_device_attr_show() - body of a class attribute's show
 * @item: the device's item
 * @page: one page for the text
 * @show: the model's function, called under dev->lock
 *
 * Return: length of the text or errno.
 */
ssize_t vbus_device_attr_show(struct config_item *item, char *page,
			      ssize_t (*show)(struct vbus_device *dev,
					      char *page))
{
	struct vbus_device *dev = to_vbus_device(item);
	ssize_t ret;

	mutex_lock(&dev->lock);
	ret = show(dev, page);
	mutex_unlock(&dev->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_device_attr_show, VBUS_MODEL);

/**
 * vbus_device_attr_store() - body of a class attribute's store
 * @item: the device's item
 * @page: what was written
 * @count: its length
 * @live: only while the device is enabled, instead of only while it is not
 * @set: the model's function, called with trimmed text, and under dev->lock unless @live
 *
 * Return: @count; -EBUSY while the device is enabled, or with @live -ENODEV while it
 * is not; or what @set answers.
 */
ssize_t vbus_device_attr_store(struct config_item *item, const char *page,
			       size_t count, bool live,
			       int (*set)(struct vbus_device *dev,
					  const char *value))
{
	struct vbus_device *dev = to_vbus_device(item);
	char *text;
	int ret;

	text = kstrndup(page, count, GFP_KERNEL);
	if (!text)
		return -ENOMEM;

	if (live) {
		ret = vbus_device_change(dev, set, strim(text));
		goto free;
	}
	mutex_lock(&dev->lock);
	if (dev->enabled || dev->change) {
		vbus_dev_err(dev, "attributes are fixed while enable is 1\n");
		ret = -EBUSY;
	} else {
		ret = set(dev, strim(text));
	}
	mutex_unlock(&dev->lock);
free:
	kfree(text);
	return ret ?: count;
}
EXPORT_SYMBOL_NS_GPL(vbus_device_attr_store, VBUS_MODEL);

/*
 * The model's module is held from mkdir until the last reference is gone, which
 * may be after rmdir; configfs itself lets go of it at rmdir.
 */
static void vbus_device_release(struct config_item *item)
{
	struct vbus_device *dev = to_vbus_device(item);
	struct vbus_model *model = dev->model;

	mutex_destroy(&dev->lock);
	model->free(dev);
	vbus_model_put(model);
}

static struct configfs_item_operations vbus_device_item_ops = {
	.release = vbus_device_release,
};

/* One item type per model: the core's attributes and the model's own. */
struct config_item_type *vbus_device_type_create(struct vbus_model *model)
{
	size_t nr_core = ARRAY_SIZE(vbus_device_attrs), nr = 0;
	struct configfs_attribute **attrs;
	struct config_item_type *type;

	while (model->attrs && model->attrs[nr])
		nr++;

	type = kzalloc(sizeof(*type), GFP_KERNEL);
	attrs = kcalloc(nr_core + nr + 1, sizeof(*attrs), GFP_KERNEL);
	if (!type || !attrs) {
		kfree(attrs);
		kfree(type);
		return NULL;
	}

	memcpy(attrs, vbus_device_attrs, sizeof(vbus_device_attrs));
	if (nr)
		memcpy(attrs + nr_core, model->attrs, nr * sizeof(*attrs));
	type->ct_owner = model->owner;
	type->ct_item_ops = &vbus_device_item_ops;
	type->ct_attrs = attrs;
	return type;
}

void vbus_device_type_destroy(const struct config_item_type *type)
{
	kfree(type->ct_attrs);
	kfree(type);
}

bool vbus_item_is_device(struct config_item *item)
{
	return item->ci_type && item->ci_type->ct_item_ops ==
	       &vbus_device_item_ops;
}

/* Record that the device sits in @slot; the slot takes a reference. */
int vbus_device_plug(struct vbus_device *dev, struct vbus_slot *slot)
{
	int ret = 0;

	lockdep_assert_held(&slot->bus->lock);
	mutex_lock(&dev->lock);
	if (!dev->enabled) {
		vbus_slot_err(slot, "%s is not enabled; echo 1 > enable first\n",
			      dev->name);
		ret = -ENODEV;
	} else if (!dev->model->multi && !list_empty(&dev->slots)) {
		vbus_slot_err(slot, "%s is plugged elsewhere\n", dev->name);
		ret = -EBUSY;
	} else {
		list_add_tail(&slot->dev_node, &dev->slots);
		config_item_get(&dev->item);
	}
	mutex_unlock(&dev->lock);
	return ret;
}

void vbus_device_unplug(struct vbus_device *dev, struct vbus_slot *slot)
{
	lockdep_assert_held(&slot->bus->lock);
	mutex_lock(&dev->lock);
	list_del(&slot->dev_node);
	mutex_unlock(&dev->lock);
	config_item_put(&dev->item);
}

void vbus_device_config_changed(struct vbus_device *dev,
				void (*update)(struct vbus_device *dev,
					       void *arg), void *arg)
{
	struct vbus_conn *conn;
	unsigned long flags;

	spin_lock_irqsave(&dev->config_lock, flags);
	if (update)
		update(dev, arg);
	WRITE_ONCE(dev->config_gen, dev->config_gen + 1);
	/*
	 * Pairs with the one in vbus_reg_write(): we see the guest's vector, or the
	 * guest, which looks once more when it has started, the new generation.
	 */
	smp_mb();
	list_for_each_entry(conn, &dev->conns, dev_node)
		vbus_conn_signal(conn, READ_ONCE(conn->config_vector));
	spin_unlock_irqrestore(&dev->config_lock, flags);
}
EXPORT_SYMBOL_NS_GPL(vbus_device_config_changed, VBUS_MODEL);

/* "<class>.<name>": both of letters, digits, '-' and '_'. */
static int vbus_device_parse_name(const char *name, char *class, size_t size)
{
	const char *dot = strchr(name, '.');
	const char *p;

	if (!dot || dot == name || !dot[1] || strlen(name) >= VBUS_NAME_MAX ||
	    dot - name >= size)
		goto bad;
	for (p = name; *p; p++)
		if (p != dot && !isalnum(*p) && *p != '-' && *p != '_')
			goto bad;
	memcpy(class, name, dot - name);
	class[dot - name] = '\0';
	return 0;
bad:
	pr_err_ratelimited("vbus: a device is named <class>.<name>, as net.web0; letters, digits, - and _, below %d in all\n",
			   VBUS_NAME_MAX);
	return -EINVAL;
}

static struct config_item *vbus_devices_make(struct config_group *group,
					     const char *name)
{
	struct vbus_model *model;
	struct vbus_device *dev;
	char class[16];
	int ret;

	ret = vbus_device_parse_name(name, class, sizeof(class));
	if (ret)
		return ERR_PTR(ret);

	model = vbus_model_get(class);
	if (!model) {
		pr_err_ratelimited("vbus: no model for class \"%s\" (module vbus-dm-%s)\n",
				   class, class);
		return ERR_PTR(-ENODEV);
	}

	dev = model->alloc(name + strlen(class) + 1);
	if (IS_ERR(dev)) {
		vbus_model_put(model);
		return ERR_CAST(dev);
	}

	dev->model = model;
	strscpy(dev->name, name, sizeof(dev->name));
	vbus_device_init(dev);
	mutex_init(&dev->lock);
	spin_lock_init(&dev->config_lock);
	INIT_LIST_HEAD(&dev->slots);
	INIT_LIST_HEAD(&dev->conns);
	config_item_init_type_name(&dev->item, name, model->type);
	return &dev->item;
}

/* configfs refuses rmdir while a slot links here, so nothing is plugged. */
static void vbus_devices_drop(struct config_group *group,
			      struct config_item *item)
{
	vbus_device_drop(to_vbus_device(item));
	config_item_put(item);
}

static struct configfs_group_operations vbus_devices_group_ops = {
	.make_item = vbus_devices_make,
	.drop_item = vbus_devices_drop,
};

const struct config_item_type vbus_devices_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &vbus_devices_group_ops,
};
