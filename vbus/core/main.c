// SPDX-License-Identifier: GPL-2.0
/*
 * Host core: load and unload order, and the configfs root.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include "core.h"

/* Unloading waits for what is in them. */
struct workqueue_struct *vbus_wq;
/* Each bus has one session, so one guest on storage that does not answer fills one place. */
struct workqueue_struct *vbus_close_wq;

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

/*
 * Pin an item against rmdir, which may be under way: configfs takes an item out
 * of its group under su_mutex, and an item without a group must not be handed to
 * configfs_depend_item_unlocked().
 *
 * That function is to know that the call comes from our own subsystem, which stays
 * registered as long as we run.  Else it would lock configfs' root directory, and
 * that must not be done inside a callback of another subsystem (vbus-loop's
 * mkdir): the directory it was called for is locked, and root comes before that.
 *
 * Context: may sleep; not from our own make and drop callbacks.
 * Return: 0, to be undone with configfs_undepend_item(); -ENOENT: too late.
 */
int vbus_item_pin(struct config_item *item)
{
	int ret = -ENOENT;

	mutex_lock(&vbus_subsys.su_mutex);
	if (item->ci_group)
		ret = configfs_depend_item_unlocked(&vbus_subsys, item);
	mutex_unlock(&vbus_subsys.su_mutex);
	return ret;
}

static struct config_group vbus_devices_group;
static struct config_group vbus_buses_group;

static int __init vbus_init(void)
{
	int ret;

	vbus_wq = alloc_workqueue("vbus", WQ_UNBOUND, 0);
	if (!vbus_wq)
		return -ENOMEM;
	ret = -ENOMEM;
	vbus_close_wq = alloc_workqueue("vbus-close", WQ_UNBOUND,
					WQ_UNBOUND_MAX_ACTIVE);
	if (!vbus_close_wq)
		goto err_wq;
	ret = vbus_node_init();
	if (ret)
		goto err_close_wq;

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
err_close_wq:
	destroy_workqueue(vbus_close_wq);
err_wq:
	destroy_workqueue(vbus_wq);
	return ret;
}

static void __exit vbus_exit(void)
{
	configfs_unregister_subsystem(&vbus_subsys);
	/* What is left in them lets go of its last references, buses and their minors. */
	destroy_workqueue(vbus_close_wq);
	destroy_workqueue(vbus_wq);
	vbus_node_exit();
	/* The end of vbus_serve_task(), after it has let go of this module. */
	synchronize_rcu_tasks();
}

module_init(vbus_init);
module_exit(vbus_exit);
MODULE_DESCRIPTION("vbus: virtual devices owned by the host kernel");
MODULE_LICENSE("GPL");
