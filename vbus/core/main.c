// SPDX-License-Identifier: GPL-2.0
/*
 * Host core: load and unload order, and the configfs root.
 */
#include <linux/module.h>
#include "core.h"

static const struct config_item_type vbus_root_type = {
	.ct_owner = THIS_MODULE,
};

struct configfs_subsystem vbus_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "vbus",
			.ci_type = &vbus_root_type,
		},
	},
	.su_mutex = __MUTEX_INITIALIZER(vbus_subsys.su_mutex),
};

static struct config_group vbus_devices_group;
static struct config_group vbus_buses_group;

static int __init vbus_init(void)
{
	int ret;

	ret = vbus_node_init();
	if (ret)
		return ret;

	config_group_init(&vbus_subsys.su_group);
	config_group_init_type_name(&vbus_devices_group, "devices",
				    &vbus_devices_type);
	configfs_add_default_group(&vbus_devices_group, &vbus_subsys.su_group);
	config_group_init_type_name(&vbus_buses_group, "buses",
				    &vbus_buses_type);
	configfs_add_default_group(&vbus_buses_group, &vbus_subsys.su_group);

	ret = configfs_register_subsystem(&vbus_subsys);
	if (ret)
		goto err_node;
	return 0;

err_node:
	vbus_node_exit();
	return ret;
}

static void __exit vbus_exit(void)
{
	configfs_unregister_subsystem(&vbus_subsys);
	vbus_node_exit();
}

module_init(vbus_init);
module_exit(vbus_exit);
MODULE_DESCRIPTION("vbus: virtual devices owned by the host kernel");
MODULE_LICENSE("GPL");
