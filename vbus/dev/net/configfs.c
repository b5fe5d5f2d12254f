// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": class attributes mac, mtu, queues and ifname.
 *
 * All run under dev->lock, the setters only while the device is disabled.  A bad
 * value changes nothing and is answered by an errno and one line that says what
 * would be right.
 */
#include <linux/etherdevice.h>
#include <linux/kstrtox.h>
#include <linux/sysfs.h>
#include "net.h"

/* '%' would make a pattern of it, and the admin could not know the name. */
static bool vdm_net_ifname_valid(const char *name)
{
	return dev_valid_name(name) && !strchr(name, '%');
}

/**
 * vdm_net_set_defaults() - attributes of a new device
 * @net: zeroed
 * @name: the device's name without its class: the interface's too, if it can be
 */
void vdm_net_set_defaults(struct vdm_net *net, const char *name)
{
	eth_random_addr(net->mac);
	net->mtu = ETH_DATA_LEN;
	net->queues = 1;
	if (vdm_net_ifname_valid(name))
		strscpy(net->ifname, name, sizeof(net->ifname));
}

static ssize_t vdm_net_mac_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%pM\n", to_vdm_net(dev)->mac);
}

static int vdm_net_mac_set(struct vbus_device *dev, const char *value)
{
	u8 mac[ETH_ALEN];

	if (strlen(value) != 3 * ETH_ALEN - 1 || !mac_pton(value, mac) ||
	    !is_valid_ether_addr(mac)) {
		vbus_dev_err(dev, "mac takes a unicast address as 02:00:00:00:00:01, not all zero\n");
		return -EINVAL;
	}
	ether_addr_copy(to_vdm_net(dev)->mac, mac);
	return 0;
}

static int vdm_net_parse(struct vbus_device *dev, const char *attr,
			 const char *value, u32 min, u32 max, u32 *res)
{
	u32 val;
	int ret;

	ret = kstrtou32(value, 10, &val);
	if (!ret && (val < min || val > max))
		ret = -ERANGE;
	if (ret) {
		vbus_dev_err(dev, "%s takes a decimal number from %u to %u\n",
			     attr, min, max);
		return ret;
	}
	*res = val;
	return 0;
}

static ssize_t vdm_net_mtu_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_net(dev)->mtu);
}

static int vdm_net_mtu_set(struct vbus_device *dev, const char *value)
{
	return vdm_net_parse(dev, "mtu", value, VBUS_NET_MTU_MIN,
			     VBUS_NET_MTU_MAX, &to_vdm_net(dev)->mtu);
}

static ssize_t vdm_net_queues_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%u\n", to_vdm_net(dev)->queues);
}

static int vdm_net_queues_set(struct vbus_device *dev, const char *value)
{
	return vdm_net_parse(dev, "queues", value, 1, VBUS_NET_MAX_PAIRS,
			     &to_vdm_net(dev)->queues);
}

static ssize_t vdm_net_ifname_show(struct vbus_device *dev, char *page)
{
	return sysfs_emit(page, "%s\n", to_vdm_net(dev)->ifname);
}

static int vdm_net_ifname_set(struct vbus_device *dev, const char *value)
{
	struct vdm_net *net = to_vdm_net(dev);

	if (!vdm_net_ifname_valid(value)) {
		vbus_dev_err(dev, "ifname takes an interface name: 1 to %d characters, no space, '/', ':' or '%%'\n",
			     IFNAMSIZ - 1);
		return -EINVAL;
	}
	strscpy(net->ifname, value, sizeof(net->ifname));
	return 0;
}

VBUS_DEVICE_ATTR(vdm_net_, mac);
VBUS_DEVICE_ATTR(vdm_net_, mtu);
VBUS_DEVICE_ATTR(vdm_net_, queues);
VBUS_DEVICE_ATTR(vdm_net_, ifname);

struct configfs_attribute *vdm_net_attrs[] = {
	&vdm_net_attr_mac,
	&vdm_net_attr_mtu,
	&vdm_net_attr_queues,
	&vdm_net_attr_ifname,
	NULL,
};
