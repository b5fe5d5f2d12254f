// SPDX-License-Identifier: GPL-2.0
/*
 * Guest disk driver: /sys/block/<disk>/serial, and counters in /sys/block/<disk>/vbus/.
 */
#include <linux/device.h>
#include <linux/sysfs.h>
#include "vblk.h"

static struct vbus_blk *to_vbus_blk(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static ssize_t serial_show(struct device *dev, struct device_attribute *attr,
			   char *page)
{
	return sysfs_emit(page, "%s\n", to_vbus_blk(dev)->serial);
}
static DEVICE_ATTR_RO(serial);

static struct attribute *vbus_blk_disk_attrs[] = {
	&dev_attr_serial.attr,
	NULL,
};

static const struct attribute_group vbus_blk_disk_group = {
	.attrs = vbus_blk_disk_attrs,
};

struct vbus_blk_stat_attr {
	struct device_attribute attr;
	unsigned int nr;
};

static ssize_t vbus_blk_stat_show(struct device *dev,
				  struct device_attribute *attr, char *page)
{
	struct vbus_blk_stat_attr *sa = container_of(attr,
						     struct vbus_blk_stat_attr,
						     attr);
	struct vbus_blk *vb = to_vbus_blk(dev);
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < vb->nr_queues + vb->nr_polled; i++)
		sum += READ_ONCE(vb->queue[i].stat[sa->nr]);
	return sysfs_emit(page, "%llu\n", sum);
}

#define VBLK_STAT(_name, _nr)					\
static struct vbus_blk_stat_attr vbus_blk_stat_##_name = {		\
	.attr = __ATTR(_name, 0444, vbus_blk_stat_show, NULL),		\
	.nr = _nr,							\
}

VBLK_STAT(requests, VBLK_REQUESTS);
VBLK_STAT(kicks, VBLK_KICKS);
VBLK_STAT(signals, VBLK_SIGNALS);
VBLK_STAT(polls, VBLK_POLLS);
VBLK_STAT(indirect, VBLK_INDIRECT);
VBLK_STAT(errors, VBLK_ERRORS);
VBLK_STAT(retries, VBLK_RETRIES);
VBLK_STAT(timeouts, VBLK_TIMEOUTS);

static struct attribute *vbus_blk_stat_attrs[] = {
	&vbus_blk_stat_requests.attr.attr,
	&vbus_blk_stat_kicks.attr.attr,
	&vbus_blk_stat_signals.attr.attr,
	&vbus_blk_stat_polls.attr.attr,
	&vbus_blk_stat_indirect.attr.attr,
	&vbus_blk_stat_errors.attr.attr,
	&vbus_blk_stat_retries.attr.attr,
	&vbus_blk_stat_timeouts.attr.attr,
	NULL,
};

static const struct attribute_group vbus_blk_stat_group = {
	.name = "vbus",
	.attrs = vbus_blk_stat_attrs,
};

const struct attribute_group *vbus_blk_groups[] = {
	&vbus_blk_disk_group,
	&vbus_blk_stat_group,
	NULL,
};
