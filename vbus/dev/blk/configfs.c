// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": class attributes.
 *
 * All but rescan run under dev->lock, and the setters only while the device is disabled.
 * A bad value changes nothing and is answered by an errno and one line that says what
 * would be right.
 */
#include <linux/kstrtox.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "blk.h"

#define VDM_BLK_PHYSICAL_MAX	65536U

/**
 * vdm_blk_set_defaults() - attributes of a new device
 * @blk: zeroed
 * @name: the device's name without its class: the serial number, if none is given
 */
void vdm_blk_set_defaults(struct vdm_blk *blk, const char *name)
{
	strscpy(blk->serial, name, sizeof(blk->serial));
	blk->queues = 1;
	blk->direct = true;
	blk->discard = true;
}

static ssize_t vdm_blk_path_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%s\n", to_vdm_blk(dev)->path ?: "");
}

static int vdm_blk_path_set(struct vbus_device *dev, const char *value)
{
	struct vdm_blk *blk = to_vdm_blk(dev);
	char *path;

	/* A relative path would depend on the folder of the writing process. */
	if (*value != '/') {
		vbus_dev_err(dev, "path takes an absolute path\n");
		return -EINVAL;
	}
	path = kstrdup(value, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	kfree(blk->path);
	blk->path = path;
	return 0;
}

static ssize_t vdm_blk_serial_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%s\n", to_vdm_blk(dev)->serial);
}

/* Guests make names of links of it. */
static bool vdm_blk_serial_valid(const char *value)
{
	size_t i;

	for (i = 0; value[i]; i++)
		if (value[i] <= ' ' || value[i] > '~' || value[i] == '/')
			return false;
	return i < VBUS_BLK_SERIAL_SIZE;
}

static int vdm_blk_serial_set(struct vbus_device *dev, const char *value)
{
	struct vdm_blk *blk = to_vdm_blk(dev);

	if (!vdm_blk_serial_valid(value)) {
		vbus_dev_err(dev, "serial takes up to %d printable characters, no space, no '/'\n",
			     VBUS_BLK_SERIAL_SIZE - 1);
		return -EINVAL;
	}
	memset(blk->serial, 0, sizeof(blk->serial));
	strscpy(blk->serial, value, sizeof(blk->serial));
	return 0;
}

static int vdm_blk_parse_bool(struct vbus_device *dev, const char *attr,
			      const char *value, bool *res)
{
	if (strcmp(value, "0") && strcmp(value, "1")) {
		vbus_dev_err(dev, "%s takes 0 or 1\n", attr);
		return -EINVAL;
	}
	*res = *value == '1';
	return 0;
}

static ssize_t vdm_blk_readonly_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%d\n", to_vdm_blk(dev)->readonly);
}

static int vdm_blk_readonly_set(struct vbus_device *dev, const char *value)
{
	return vdm_blk_parse_bool(dev, "readonly", value,
				  &to_vdm_blk(dev)->readonly);
}

static ssize_t vdm_blk_direct_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%d\n", to_vdm_blk(dev)->direct);
}

static int vdm_blk_direct_set(struct vbus_device *dev, const char *value)
{
	return vdm_blk_parse_bool(dev, "direct", value,
				  &to_vdm_blk(dev)->direct);
}

static ssize_t vdm_blk_discard_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%d\n", to_vdm_blk(dev)->discard);
}

static int vdm_blk_discard_set(struct vbus_device *dev, const char *value)
{
	return vdm_blk_parse_bool(dev, "discard", value,
				  &to_vdm_blk(dev)->discard);
}

static int vdm_blk_parse_size(struct vbus_device *dev, const char *attr,
			      const char *value, u32 max, u32 *res)
{
	u32 val;
	int err;

	err = kstrtou32(value, 10, &val);
	if (!err && val && (!is_power_of_2(val) || val < SECTOR_SIZE || val > max))
		err = -ERANGE;
	if (err) {
		vbus_dev_err(dev, "%s takes a power of two from 512 to %u, or 0 for what the path has\n",
			     attr, max);
		return err;
	}
	*res = val;
	return 0;
}

static ssize_t vdm_blk_logical_block_size_show(struct vbus_device *dev,
					       char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_blk(dev)->logical_block_size);
}

static int vdm_blk_logical_block_size_set(struct vbus_device *dev,
					  const char *value)
{
	return vdm_blk_parse_size(dev, "logical_block_size", value,
				  VDM_BLK_LOGICAL_MAX,
				  &to_vdm_blk(dev)->logical_block_size);
}

static ssize_t vdm_blk_physical_block_size_show(struct vbus_device *dev,
						char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_blk(dev)->physical_block_size);
}

static int vdm_blk_physical_block_size_set(struct vbus_device *dev,
					   const char *value)
{
	return vdm_blk_parse_size(dev, "physical_block_size", value,
				  VDM_BLK_PHYSICAL_MAX,
				  &to_vdm_blk(dev)->physical_block_size);
}

static ssize_t vdm_blk_queues_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_blk(dev)->queues);
}

static int vdm_blk_queues_set(struct vbus_device *dev, const char *value)
{
	u32 val;
	int err;

	err = kstrtou32(value, 10, &val);
	if (!err && (!val || val > VBUS_BLK_MAX_QUEUES))
		err = -ERANGE;
	if (err) {
		vbus_dev_err(dev, "queues takes a decimal number from 1 to %u\n",
			     VBUS_BLK_MAX_QUEUES);
		return err;
	}
	to_vdm_blk(dev)->queues = val;
	return 0;
}

/* By what a guest is promised of a write that has completed. */
static ssize_t vdm_blk_cache_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%s\n", to_vdm_blk(dev)->write_through ?
			  "write-through" : "write-back");
}

static int vdm_blk_cache_set(struct vbus_device *dev, const char *value)
{
	if (!strcmp(value, "write-through")) {
		to_vdm_blk(dev)->write_through = true;
	} else if (!strcmp(value, "write-back")) {
		to_vdm_blk(dev)->write_through = false;
	} else {
		vbus_dev_err(dev, "cache takes write-back (safe after a flush) or write-through (safe at once)\n");
		return -EINVAL;
	}
	return 0;
}

static ssize_t vdm_blk_failed_show(struct vbus_device *dev, char *page)
{
	struct vdm_blk *blk = to_vdm_blk(dev);

	return sysfs_emit(page, "%d\n", dev->enabled && blk->file &&
			  vdm_blk_file_lost(blk, 0));
}

static ssize_t vdm_blk_size_show(struct vbus_device *dev, char *page)
{
	struct vdm_blk *blk = to_vdm_blk(dev);

	return sysfs_emit(page, "%llu\n", dev->enabled ?
			  READ_ONCE(blk->capacity) << VBUS_BLK_SECTOR_SHIFT : 0);
}

static int vdm_blk_rescan_set(struct vbus_device *dev, const char *value)
{
	if (strcmp(value, "1")) {
		vbus_dev_err(dev, "rescan takes 1\n");
		return -EINVAL;
	}
	return vdm_blk_rescan(to_vdm_blk(dev));
}

VBUS_DEVICE_ATTR(vdm_blk_, path);
VBUS_DEVICE_ATTR(vdm_blk_, readonly);
VBUS_DEVICE_ATTR(vdm_blk_, serial);
VBUS_DEVICE_ATTR(vdm_blk_, logical_block_size);
VBUS_DEVICE_ATTR(vdm_blk_, physical_block_size);
VBUS_DEVICE_ATTR(vdm_blk_, queues);
VBUS_DEVICE_ATTR(vdm_blk_, direct);
VBUS_DEVICE_ATTR(vdm_blk_, discard);
VBUS_DEVICE_ATTR(vdm_blk_, cache);
VBUS_DEVICE_ATTR_RO(vdm_blk_, size);
VBUS_DEVICE_ATTR_RO(vdm_blk_, failed);
VBUS_DEVICE_ATTR_LIVE(vdm_blk_, rescan);

struct configfs_attribute *vdm_blk_attrs[] = {
	&vdm_blk_attr_path,
	&vdm_blk_attr_readonly,
	&vdm_blk_attr_serial,
	&vdm_blk_attr_logical_block_size,
	&vdm_blk_attr_physical_block_size,
	&vdm_blk_attr_queues,
	&vdm_blk_attr_direct,
	&vdm_blk_attr_discard,
	&vdm_blk_attr_cache,
	&vdm_blk_attr_size,
	&vdm_blk_attr_failed,
	&vdm_blk_attr_rescan,
	NULL,
};
