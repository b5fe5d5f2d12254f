// SPDX-License-Identifier: GPL-2.0
/*
 * Enable and disable of devices, and what else may take as long as storage takes.
 *
 * None of it is done under a lock.  It takes dev->change, which one task has at a time
 * and waited for killably, and the device is pinned meanwhile: an rmdir would wait for
 * the write to the attribute to return, with the directory of all devices locked, so it
 * answers EBUSY instead.
 *
 * What disable does can't be interrupted and may take for ever (storage that has to be
 * written out first), so a work item does it.  A write of 0 waits for that killably.  So
 * does rmdir, but not in its callback, which configfs calls with its mutex held: a task
 * work waits, on the way back to user space, when all locks are gone.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/task_work.h>
#include "core.h"

/* Get dev->change.  Return: 0, -ERESTARTSYS (killed), -ENOENT (its rmdir has begun). */
static int vbus_device_begin(struct vbus_device *dev, unsigned int change)
{
	int ret;

	ret = vbus_item_pin(&dev->item);
	if (ret)
		return ret;
	while (1) {
		mutex_lock(&dev->lock);
		if (!dev->change)
			break;
		mutex_unlock(&dev->lock);
		ret = wait_event_killable(dev->still,
					  !READ_ONCE(dev->change));
		if (ret) {
			configfs_undepend_item(&dev->item);
			return ret;
		}
	}
	WRITE_ONCE(dev->change, change);
	mutex_unlock(&dev->lock);
	return 0;
}

/*
 * Give it back.  From here on rmdir may come, so the caller has a reference.  All in one
 * section: an observer that sees it down may remove it, and finds it idle.
 */
static void vbus_device_end(struct vbus_device *dev, bool down)
{
	mutex_lock(&dev->lock);
	WRITE_ONCE(dev->change, VBUS_CHANGE_NONE);
	if (!dev->dropped)
		configfs_undepend_item(&dev->item);
	if (down)
		WRITE_ONCE(dev->downs, dev->downs + 1);
	mutex_unlock(&dev->lock);
	wake_up_all(&dev->still);
}

/* Ends of connections and of the device itself are not what other devices wait for. */
static int vbus_device_wq_create(struct vbus_device *dev)
{
	dev->wq = alloc_workqueue("vbus-%s", WQ_UNBOUND, 0, dev->name);
	if (!dev->wq)
		return -ENOMEM;
	if (!dev->model->serve)
		return 0;
	dev->serve_wq = vbus_serve_wq_create(dev);
	if (dev->serve_wq)
		return 0;
	destroy_workqueue(dev->wq);
	return -ENOMEM;
}

static void vbus_device_wq_destroy(struct vbus_device *dev)
{
	if (dev->serve_wq)
		destroy_workqueue(dev->serve_wq);
	dev->serve_wq = NULL;
	destroy_workqueue(dev->wq);
	dev->wq = NULL;
}

static int vbus_device_up(struct vbus_device *dev)
{
	int ret;

	ret = vbus_device_wq_create(dev);
	if (ret)
		return ret;
	ret = dev->model->enable(dev);
	if (ret) {
		vbus_device_wq_destroy(dev);
		return ret;
	}
	mutex_lock(&dev->lock);
	WRITE_ONCE(dev->enabled, true);
	mutex_unlock(&dev->lock);
	return 0;
}

/**
 * vbus_device_enable() - build a device
 * @dev: the device; if it is enabled, nothing is done
 *
 * Context: may sleep; takes su_mutex and dev->lock for short.
 * Return: 0, or what the model says; -ERESTARTSYS when killed before it began.
 */
int vbus_device_enable(struct vbus_device *dev)
{
	int ret;

	ret = vbus_device_begin(dev, VBUS_CHANGE_UP);
	if (ret)
		return ret;
	if (!dev->enabled)
		ret = vbus_device_up(dev);
	vbus_device_end(dev, false);
	return ret;
}

/* The workqueue it ran in has nothing left to do, and no last reference goes there. */
static void vbus_device_down_work(struct work_struct *work)
{
	struct vbus_device *dev = container_of(work, struct vbus_device,
					       down_work);

	vbus_device_wq_destroy(dev);
	vbus_device_end(dev, true);
	config_item_put(&dev->item);
}

static void vbus_device_disable_work(struct work_struct *work)
{
	struct vbus_device *dev = container_of(work, struct vbus_device,
					       disable_work);

	dev->model->disable(dev);
	queue_work(vbus_wq, &dev->down_work);
}

/* From here on it goes by itself.  The work has a reference, and dev->change. */
static void vbus_device_down(struct vbus_device *dev)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->enabled, false);
	config_item_get(&dev->item);
	queue_work(dev->wq, &dev->disable_work);
}

static int vbus_device_wait_down(struct vbus_device *dev, u32 downs)
{
	return wait_event_killable(dev->still, READ_ONCE(dev->downs) != downs);
}

/**
 * vbus_device_disable() - take a device down
 * @dev: the device; if it is disabled, nothing is done
 *
 * Context: as vbus_device_enable().
 * Return: 0; -EBUSY: plugged; -ERESTARTSYS when killed, and it goes down all the same if
 * that had begun.
 */
int vbus_device_disable(struct vbus_device *dev)
{
	u32 downs;
	int ret;

	ret = vbus_device_begin(dev, VBUS_CHANGE_DOWN);
	if (ret)
		return ret;
	mutex_lock(&dev->lock);
	if (dev->enabled && list_empty(&dev->slots)) {
		downs = dev->downs;
		vbus_device_down(dev);
		mutex_unlock(&dev->lock);
		return vbus_device_wait_down(dev, downs);
	}
	if (dev->enabled) {
		vbus_dev_err(dev, "plugged; remove the slot's link before disabling\n");
		ret = -EBUSY;
	}
	mutex_unlock(&dev->lock);
	vbus_device_end(dev, false);
	return ret;
}

/**
 * vbus_device_change() - do something to an enabled device
 * @dev: the device
 * @set: does it
 * @value: for @set
 *
 * Context: as vbus_device_enable().
 * Return: what @set says; -ENODEV: it is disabled; -ERESTARTSYS when killed before it
 * began.
 */
int vbus_device_change(struct vbus_device *dev,
		       int (*set)(struct vbus_device *dev, const char *value),
		       const char *value)
{
	int ret;

	ret = vbus_device_begin(dev, VBUS_CHANGE_LIVE);
	if (ret)
		return ret;
	if (dev->enabled) {
		ret = set(dev, value);
	} else {
		vbus_dev_err(dev, "only while enable is 1\n");
		ret = -ENODEV;
	}
	vbus_device_end(dev, false);
	return ret;
}

static void vbus_device_drop_work(struct callback_head *head)
{
	struct vbus_device *dev = container_of(head, struct vbus_device,
					       drop_work);

	/* Name and backing are free now.  Nor is it down_work that lets go of the module. */
	if (!vbus_device_wait_down(dev, dev->drop_downs))
		flush_work(&dev->down_work);
	config_item_put(&dev->item);
	module_put(THIS_MODULE);
}

/**
 * vbus_device_drop() - rmdir: take the device down if it is enabled
 * @dev: out of the tree: nobody has it pinned, and nobody changes it any more
 *
 * Context: configfs' locks are held, so it does not wait.
 */
void vbus_device_drop(struct vbus_device *dev)
{
	mutex_lock(&dev->lock);
	WARN_ON_ONCE(dev->change || !list_empty(&dev->slots));
	if (!dev->enabled) {
		mutex_unlock(&dev->lock);
		return;
	}
	dev->dropped = true;
	dev->drop_downs = dev->downs;
	WRITE_ONCE(dev->change, VBUS_CHANGE_DOWN);
	/* Ours, before the work's may go. */
	config_item_get(&dev->item);
	vbus_device_down(dev);
	mutex_unlock(&dev->lock);

	__module_get(THIS_MODULE);
	if (current->flags & PF_KTHREAD ||
	    task_work_add(current, &dev->drop_work, TWA_RESUME)) {
		module_put(THIS_MODULE);
		config_item_put(&dev->item);
	}
}

void vbus_device_init(struct vbus_device *dev)
{
	init_waitqueue_head(&dev->still);
	INIT_WORK(&dev->disable_work, vbus_device_disable_work);
	INIT_WORK(&dev->down_work, vbus_device_down_work);
	init_task_work(&dev->drop_work, vbus_device_drop_work);
}
