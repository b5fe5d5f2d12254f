// SPDX-License-Identifier: GPL-2.0
/*
 * Binding a driver to a device: negotiation, reset, config changes.
 *
 * Every bind starts and every unbind ends with a device that is reset, whatever
 * the driver does.  config_work is the only asynchronous path to a driver; it
 * runs only between config_live being set after probe and the cancel before
 * remove.  Lock rules are in proxy_priv.h.
 */
#define pr_fmt(fmt) "vbus-proxy: " fmt

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include "proxy_priv.h"

/* First and longest pause between looks at STATUS during a reset, in us. */
#define VPROXY_RESET_POLL_MIN	20
#define VPROXY_RESET_POLL_MAX	10000

/*
 * A driver is notified of so many changes in that time, and then of one each pause:
 * what it does about one may cost log lines, uevents and work of others.
 */
#define VPROXY_CONFIG_BURST	20
#define VPROXY_CONFIG_INTERVAL	(5 * HZ)
#define VPROXY_CONFIG_PAUSE	(HZ / 2)

/*
 * Nobody knows whether the device still writes to memory, which its driver is
 * going to free: the transport may have a way to stop it from outside.
 */
static void vproxy_cut_off(struct vproxy_core *core)
{
	WRITE_ONCE(core->gone, true);
	if (core->quiesced || !core->vdev->ops->quiesce)
		return;
	core->quiesced = true;
	core->vdev->ops->quiesce(core->vdev);
}

/* Write 0 to STATUS and wait for the device to come to rest. */
static int vproxy_reset_device(struct vproxy_core *core)
{
	unsigned int ms = core->vdev->ops->reset_timeout_ms ?:
			  VPROXY_RESET_TIMEOUT_MS;
	unsigned long end = jiffies + msecs_to_jiffies(ms);
	unsigned int pause = VPROXY_RESET_POLL_MIN;
	bool last = false;
	u32 status;
	int err;

	core->status = 0;
	core->ready = false;
	err = vproxy_write32(core, VBUS_REG_STATUS, 0);
	while (!err) {
		err = vproxy_read32(core, VBUS_REG_STATUS, &status);
		if (err || !status)
			break;
		if (last) {
			dev_err(&core->vdev->dev,
				"no reset within %u ms (status 0x%x), given up\n",
				ms, status);
			err = -ETIMEDOUT;
			break;
		}
		/* Look once more after the last pause, however long it took. */
		last = time_after(jiffies, end);
		usleep_range(pause, pause * 2);
		pause = min(pause * 2, (unsigned int)VPROXY_RESET_POLL_MAX);
	}
	/* It may be cleared by another way to reset the device. */
	if (!err && core->hold)
		err = vproxy_write32(core, VBUS_REG_HOLD, core->hold);
	if (err)
		vproxy_cut_off(core);
	return err;
}

/*
 * Stop the device, then its signals.  After that nothing touches the queues but
 * their driver.
 */
int vproxy_reset_locked(struct vproxy_core *core)
{
	int err;

	lockdep_assert_held(&core->lock);
	err = vproxy_reset_device(core);
	vproxy_free_vectors(core);
	return err;
}

static int vproxy_write_status(struct vproxy_core *core, u32 bits, u32 *status)
{
	int err;

	core->status |= bits;
	err = vproxy_write32(core, VBUS_REG_STATUS, core->status);
	return err ?: vproxy_read32(core, VBUS_REG_STATUS, status);
}

/* From reset to FEATURES_OK; @must are features that may not be missing. */
static int vproxy_negotiate(struct vproxy_core *core, u64 wanted, u64 must)
{
	struct vproxy_device *vdev = core->vdev;
	u64 offered, features;
	u32 status;
	int err;

	lockdep_assert_held(&core->lock);
	err = vproxy_reset_locked(core);
	if (!err)
		err = vproxy_write_status(core, VBUS_STATUS_DRIVER, &status);
	if (!err)
		err = vproxy_read64(core, VBUS_REG_FEATURES, &offered);
	if (err)
		return -ENODEV;
	features = offered & wanted & VBUS_FEATURE_CLASS_MASK;
	if ((features & must) != must) {
		dev_err(&vdev->dev, "offers 0x%llx, but 0x%llx are in use\n",
			offered, must);
		return -ENODEV;
	}
	err = vproxy_write64(core, VBUS_REG_ACCEPTED, features);
	if (!err)
		err = vproxy_write_status(core, VBUS_STATUS_FEATURES_OK,
					  &status);
	if (err || !(status & VBUS_STATUS_FEATURES_OK)) {
		dev_err(&vdev->dev, "refuses features 0x%llx of 0x%llx\n",
			features, offered);
		return -ENODEV;
	}
	WRITE_ONCE(vdev->features, features);
	return 0;
}

/* Back to a device without driver, whatever the driver has left undone. */
static void vproxy_unbind(struct vproxy_core *core)
{
	mutex_lock(&core->lock);
	vproxy_reset_locked(core);
	vproxy_delete_queues_locked(core);
	WRITE_ONCE(core->vdev->features, 0);
	mutex_unlock(&core->lock);
	/* Without vectors nobody can queue it again. */
	cancel_delayed_work_sync(&core->config_work);
}

int vproxy_bus_probe(struct device *dev)
{
	struct vproxy_driver *drv = to_vproxy_driver(dev->driver);
	struct vproxy_device *vdev = to_vproxy_device(dev);
	struct vproxy_core *core = vdev->core;
	int err;

	mutex_lock(&core->lock);
	core->gone_notified = false;
	core->news = false;
	vproxy_read32(core, VBUS_REG_CONFIG_GEN, &core->gen_seen);
	err = vproxy_negotiate(core, drv->features, 0);
	mutex_unlock(&core->lock);
	if (!err)
		err = drv->probe(vdev);
	if (err) {
		vproxy_unbind(core);
		return err;
	}
	WRITE_ONCE(core->config_live, true);
	/* For what happened while probe was still running. */
	vproxy_config_look(core);
	return 0;
}

void vproxy_bus_remove(struct device *dev)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);
	struct vproxy_core *core = vdev->core;

	WRITE_ONCE(core->config_live, false);
	cancel_delayed_work_sync(&core->config_work);
	to_vproxy_driver(dev->driver)->remove(vdev);
	vproxy_unbind(core);
}

/* The next kernel, or a firmware, must not find devices that write to memory. */
void vproxy_bus_shutdown(struct device *dev)
{
	struct vproxy_core *core = to_vproxy_device(dev)->core;

	mutex_lock(&core->lock);
	if (dev->driver)
		vproxy_reset_locked(core);
	mutex_unlock(&core->lock);
}

/* Should the driver look at its device? */
static bool vproxy_config_news(struct vproxy_core *core)
{
	u32 gen, status;
	bool news;
	int err;

	lockdep_assert_held(&core->lock);
	if (!core->ready)
		return false;
	err = vproxy_read32(core, VBUS_REG_CONFIG_GEN, &gen);
	if (!err)
		err = vproxy_read32(core, VBUS_REG_STATUS, &status);
	if (err) {
		news = READ_ONCE(core->gone) && !core->gone_notified;
		core->gone_notified |= news;
		return news;
	}
	news = gen != core->gen_seen;
	core->gen_seen = gen;
	if (status & VBUS_STATUS_NEEDS_RESET) {
		dev_err_ratelimited(&core->vdev->dev,
				    "the device has stopped and needs a reset\n");
		news = true;
	}
	return news;
}

/* Any context.  A pause that is not over yet is not cut short. */
void vproxy_config_look(struct vproxy_core *core)
{
	schedule_delayed_work(&core->config_work, 0);
}

/* May the driver be notified now?  That the device is gone it learns once anyway. */
static bool vproxy_config_may_notify(struct vproxy_core *core)
{
	if (READ_ONCE(core->gone) || __ratelimit(&core->config_limit))
		return true;
	schedule_delayed_work(&core->config_work, VPROXY_CONFIG_PAUSE);
	return false;
}

/*
 * A vector may be shared with queues, so most wake-ups can be for nothing; the
 * generation count tells.
 */
static void vproxy_config_work(struct work_struct *work)
{
	struct vproxy_core *core = container_of(to_delayed_work(work),
						struct vproxy_core,
						config_work);
	struct vproxy_device *vdev = core->vdev;
	struct vproxy_driver *drv;
	bool news;

	/* remove waits for us after clearing it: the driver is there. */
	if (!READ_ONCE(core->config_live))
		return;
	drv = to_vproxy_driver(vdev->dev.driver);
	mutex_lock(&core->lock);
	core->news |= vproxy_config_news(core);
	news = core->news && core->ready && vproxy_config_may_notify(core);
	if (news)
		core->news = false;
	mutex_unlock(&core->lock);
	if (news && drv->config_changed)
		drv->config_changed(vdev);
}

void vproxy_config_init(struct vproxy_core *core)
{
	INIT_DELAYED_WORK(&core->config_work, vproxy_config_work);
	ratelimit_state_init(&core->config_limit, VPROXY_CONFIG_INTERVAL,
			     VPROXY_CONFIG_BURST);
	/* Nothing is lost, so nothing is to be said. */
	ratelimit_set_flags(&core->config_limit, RATELIMIT_MSG_ON_RELEASE);
}

/**
 * vproxy_device_ready() - set RUNNING: the device may now use the queues
 * @vdev: the device
 *
 * Return: 0 or errno, see proxy.h.
 */
int vproxy_device_ready(struct vproxy_device *vdev)
{
	struct vproxy_core *core = vdev->core;
	u32 status;
	int err = -EBUSY;

	mutex_lock(&core->lock);
	if (core->ready || !(core->status & VBUS_STATUS_FEATURES_OK))
		goto unlock;
	err = vproxy_write_status(core, VBUS_STATUS_RUNNING, &status);
	if (err)
		goto unlock;
	if (!(status & VBUS_STATUS_RUNNING) ||
	    status & VBUS_STATUS_NEEDS_RESET) {
		dev_err(&vdev->dev, "does not start (status 0x%x)\n", status);
		core->status &= ~VBUS_STATUS_RUNNING;
		err = -EIO;
		goto unlock;
	}
	core->ready = true;
	/* After a reset: changes in between raised no signal. */
	if (READ_ONCE(core->config_live))
		vproxy_config_look(core);
unlock:
	mutex_unlock(&core->lock);
	return err;
}
EXPORT_SYMBOL_NS_GPL(vproxy_device_ready, VPROXY_DRIVER);

/**
 * vproxy_reset() - stop the device: no queue is used and no signal comes after
 * @vdev: the device
 */
void vproxy_reset(struct vproxy_device *vdev)
{
	mutex_lock(&vdev->core->lock);
	vproxy_reset_locked(vdev->core);
	mutex_unlock(&vdev->core->lock);
}
EXPORT_SYMBOL_NS_GPL(vproxy_reset, VPROXY_DRIVER);

/**
 * vproxy_renegotiate() - after vproxy_reset(): DRIVER, features, FEATURES_OK
 * @vdev: the device
 *
 * Return: 0; -EBUSY there are still queues; -ENODEV.
 */
int vproxy_renegotiate(struct vproxy_device *vdev)
{
	struct vproxy_core *core = vdev->core;
	int err = -EBUSY;

	mutex_lock(&core->lock);
	if (!core->map)
		err = vproxy_negotiate(core, vdev->features, vdev->features);
	mutex_unlock(&core->lock);
	return err;
}
EXPORT_SYMBOL_NS_GPL(vproxy_renegotiate, VPROXY_DRIVER);

/**
 * __vproxy_register_driver() - add a driver to the guest bus
 * @drv: the driver
 * @owner: its module
 *
 * Return: 0; -EINVAL no class or no probe or remove; or errno.
 */
int __vproxy_register_driver(struct vproxy_driver *drv, struct module *owner)
{
	if (!drv->class_id || !drv->probe || !drv->remove)
		return -EINVAL;
	drv->driver.bus = &vproxy_bus_type;
	drv->driver.owner = owner;
	return driver_register(&drv->driver);
}
EXPORT_SYMBOL_NS_GPL(__vproxy_register_driver, VPROXY_DRIVER);

/**
 * vproxy_unregister_driver() - unbind a driver everywhere and forget it
 * @drv: the driver
 */
void vproxy_unregister_driver(struct vproxy_driver *drv)
{
	driver_unregister(&drv->driver);
}
EXPORT_SYMBOL_NS_GPL(vproxy_unregister_driver, VPROXY_DRIVER);
