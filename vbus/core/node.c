// SPDX-License-Identifier: GPL-2.0
/*
 * Device nodes: one char device region for all buses, one node per bus.
 *
 * The cdev is shared, so its life is the module's; a node that is gone leaves a
 * minor that vbus_bus_find_minor() no longer knows, and open() answers ENODEV.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "core.h"

static dev_t vbus_devt;
static struct cdev vbus_cdev;
static struct class *vbus_node_class;
static DEFINE_IDA(vbus_minors);

int vbus_minor_alloc(void)
{
	int minor = ida_alloc_max(&vbus_minors, VBUS_MAX_BUSES - 1, GFP_KERNEL);

	if (minor == -ENOSPC)
		pr_err_ratelimited("vbus: at most %d buses\n", VBUS_MAX_BUSES);
	return minor;
}

void vbus_minor_free(int minor)
{
	ida_free(&vbus_minors, minor);
}

static char *vbus_node_devnode(struct device *dev, umode_t *mode, kuid_t *uid,
			       kgid_t *gid)
{
	const struct vbus_bus *bus = dev_get_drvdata(dev);

	if (mode)
		*mode = bus->mode;
	if (uid)
		*uid = bus->uid;
	if (gid)
		*gid = bus->gid;
	return kasprintf(GFP_KERNEL, "vbus/%s", dev_name(dev));
}

static const struct device_type vbus_node_type = {
	.name = "vbus_node",
	.devnode = vbus_node_devnode,
};

static void vbus_node_release(struct device *dev)
{
	kfree(dev);
}

/* Make /dev/vbus/<bus> with the bus's present owner and mode. */
struct device *vbus_node_create(struct vbus_bus *bus)
{
	struct device *dev;
	int ret;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return ERR_PTR(-ENOMEM);

	device_initialize(dev);
	dev->class = vbus_node_class;
	dev->type = &vbus_node_type;
	dev->devt = MKDEV(MAJOR(vbus_devt), MINOR(vbus_devt) + bus->minor);
	dev->release = vbus_node_release;
	dev_set_drvdata(dev, bus);
	ret = dev_set_name(dev, "%s", vbus_bus_name(bus));
	if (!ret)
		ret = device_add(dev);
	if (ret) {
		put_device(dev);
		return ERR_PTR(ret);
	}
	return dev;
}

/* NULL is a node that was lost, see vbus_bus_set_access(). */
void vbus_node_remove(struct device *node)
{
	if (node)
		device_unregister(node);
}

int vbus_node_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&vbus_devt, 0, VBUS_MAX_BUSES, "vbus");
	if (ret)
		return ret;

	vbus_node_class = class_create(THIS_MODULE, "vbus");
	if (IS_ERR(vbus_node_class)) {
		ret = PTR_ERR(vbus_node_class);
		goto err_region;
	}

	cdev_init(&vbus_cdev, &vbus_bus_fops);
	vbus_cdev.owner = THIS_MODULE;
	ret = cdev_add(&vbus_cdev, vbus_devt, VBUS_MAX_BUSES);
	if (ret)
		goto err_class;
	return 0;

err_class:
	class_destroy(vbus_node_class);
err_region:
	unregister_chrdev_region(vbus_devt, VBUS_MAX_BUSES);
	return ret;
}

void vbus_node_exit(void)
{
	cdev_del(&vbus_cdev);
	class_destroy(vbus_node_class);
	unregister_chrdev_region(vbus_devt, VBUS_MAX_BUSES);
	ida_destroy(&vbus_minors);
}
