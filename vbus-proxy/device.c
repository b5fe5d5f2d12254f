// SPDX-License-Identifier: GPL-2.0
/*
 * Devices of the guest bus: registers, identity, coming and going.
 *
 * The only file that calls a transport's read and write.  Whatever they return
 * is the host's word: it is checked here, or where it is used, before anything
 * depends on it.  Lock rules are in proxy_priv.h.
 */
#define pr_fmt(fmt) "vbus-proxy: " fmt

#include <linux/ctype.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include "proxy_priv.h"

/* Devices with a name, so that two which claim one slot don't clash in sysfs. */
static DEFINE_MUTEX(vproxy_list_lock);
static LIST_HEAD(vproxy_list);

/* Those whose memory is not freed yet. */
static atomic_t vproxy_nr_devices = ATOMIC_INIT(0);

static void vproxy_set_gone(struct vproxy_core *core)
{
	WRITE_ONCE(core->gone, true);
}

/*
 * Something read as ones, or failed: is that a value or an empty slot?  MAGIC
 * can't be all ones while the device is there.
 */
static int vproxy_suspect(struct vproxy_core *core, int err)
{
	struct vproxy_device *vdev = core->vdev;
	__le32 magic = 0;

	if (err == -ENODEV ||
	    vdev->ops->read(vdev, VBUS_REG_MAGIC, &magic, sizeof(magic)) ==
		    -ENODEV ||
	    magic == cpu_to_le32(U32_MAX)) {
		vproxy_set_gone(core);
		return -ENODEV;
	}
	return err;
}

int vproxy_reg_read(struct vproxy_core *core, u32 off, void *buf, size_t len)
{
	int err = -ENODEV;

	if (!READ_ONCE(core->gone)) {
		err = core->vdev->ops->read(core->vdev, off, buf, len);
		if (err)
			err = vproxy_suspect(core, err);
	}
	if (err)
		memset(buf, 0xff, len);
	return err;
}

int vproxy_reg_write(struct vproxy_core *core, u32 off, const void *buf,
		     size_t len)
{
	int err;

	if (READ_ONCE(core->gone))
		return -ENODEV;
	err = core->vdev->ops->write(core->vdev, off, buf, len);
	return err ? vproxy_suspect(core, err) : 0;
}

int vproxy_read32(struct vproxy_core *core, u32 off, u32 *val)
{
	__le32 raw = 0;
	int err;

	err = vproxy_reg_read(core, off, &raw, sizeof(raw));
	*val = le32_to_cpu(raw);
	if (!err && *val == U32_MAX)
		err = vproxy_suspect(core, 0);
	return err;
}

int vproxy_read64(struct vproxy_core *core, u32 off, u64 *val)
{
	__le64 raw = 0;
	int err;

	err = vproxy_reg_read(core, off, &raw, sizeof(raw));
	*val = le64_to_cpu(raw);
	if (!err && *val == U64_MAX)
		err = vproxy_suspect(core, 0);
	return err;
}

int vproxy_write32(struct vproxy_core *core, u32 off, u32 val)
{
	__le32 raw = cpu_to_le32(val);

	return vproxy_reg_write(core, off, &raw, sizeof(raw));
}

int vproxy_write64(struct vproxy_core *core, u32 off, u64 val)
{
	__le64 raw = cpu_to_le64(val);

	return vproxy_reg_write(core, off, &raw, sizeof(raw));
}

/**
 * vproxy_device_gone() - the device vanished or was reset by force
 * @vdev: the device
 *
 * Return: true once a register access or the transport has shown it.
 */
bool vproxy_device_gone(const struct vproxy_device *vdev)
{
	return READ_ONCE(vdev->core->gone);
}
EXPORT_SYMBOL_NS_GPL(vproxy_device_gone, VPROXY_DRIVER);

/**
 * vproxy_needs_reset() - the device has stopped and only a reset helps
 * @vdev: the device
 *
 * Return: false also when the device is gone.
 */
bool vproxy_needs_reset(struct vproxy_device *vdev)
{
	u32 status;

	return !vproxy_read32(vdev->core, VBUS_REG_STATUS, &status) &&
	       status & VBUS_STATUS_NEEDS_RESET;
}
EXPORT_SYMBOL_NS_GPL(vproxy_needs_reset, VPROXY_DRIVER);

/**
 * vproxy_ping() - read one register, for measurements
 * @vdev: the device
 *
 * Return: 0 or errno, see proxy.h.
 */
int vproxy_ping(struct vproxy_device *vdev)
{
	u32 magic;
	int err;

	err = vproxy_read32(vdev->core, VBUS_REG_MAGIC, &magic);
	if (!err && magic != VBUS_MAGIC)
		err = -EIO;
	return err;
}
EXPORT_SYMBOL_NS_GPL(vproxy_ping, VPROXY_DRIVER);

/**
 * vproxy_measure() - have the transport do something useless, for measurements
 * @vdev: the device
 * @what: it should do
 *
 * Return: 0 or errno, see proxy.h.
 */
int vproxy_measure(struct vproxy_device *vdev, enum vproxy_measure what)
{
	if (!vdev->ops->measure)
		return -EOPNOTSUPP;
	if (READ_ONCE(vdev->core->gone))
		return -ENODEV;
	return vdev->ops->measure(vdev, what);
}
EXPORT_SYMBOL_NS_GPL(vproxy_measure, VPROXY_DRIVER);

/**
 * vproxy_config_read() - consistent copy of config space
 * @vdev: the device
 * @off: offset in config space
 * @buf: filled in
 * @len: bytes
 *
 * Return: 0, -EAGAIN, -ENODEV, -EINVAL (past the end).
 */
int vproxy_config_read(struct vproxy_device *vdev, u32 off, void *buf,
		       size_t len)
{
	struct vproxy_core *core = vdev->core;
	u32 before, after;
	int err, i;

	if (off > core->config_size || len > core->config_size - off)
		return -EINVAL;
	err = vproxy_read32(core, VBUS_REG_CONFIG_GEN, &before);
	for (i = 0; !err && i < VPROXY_CONFIG_TRIES; i++) {
		err = vproxy_reg_read(core, VBUS_REG_CONFIG + off, buf, len);
		if (err)
			break;
		err = vproxy_read32(core, VBUS_REG_CONFIG_GEN, &after);
		if (!err && after == before)
			return 0;
		before = after;
	}
	return err ?: -EAGAIN;
}
EXPORT_SYMBOL_NS_GPL(vproxy_config_read, VPROXY_DRIVER);

/*
 * The alias goes into sysfs and uevents, where a line break would forge a
 * variable; keep what prints.
 */
static int vproxy_read_alias(struct vproxy_core *core,
			     char alias[VBUS_ALIAS_SIZE + 1])
{
	int err, i;

	err = vproxy_reg_read(core, VBUS_REG_ALIAS, alias, VBUS_ALIAS_SIZE);
	if (err)
		return err;
	alias[VBUS_ALIAS_SIZE] = '\0';
	for (i = 0; alias[i]; i++)
		if (!isascii(alias[i]) || !isprint(alias[i]))
			alias[i] = '?';
	return 0;
}

/**
 * vproxy_alias_changed() - the host admin renamed a registered device
 * @vdev: the device
 */
void vproxy_alias_changed(struct vproxy_device *vdev)
{
	struct vproxy_core *core = vdev->core;
	char alias[VBUS_ALIAS_SIZE + 1];

	if (vproxy_read_alias(core, alias))
		return;
	mutex_lock(&core->lock);
	strscpy(vdev->alias, alias, sizeof(vdev->alias));
	mutex_unlock(&core->lock);
	kobject_uevent(&vdev->dev.kobj, KOBJ_CHANGE);
}
EXPORT_SYMBOL_NS_GPL(vproxy_alias_changed, VPROXY_TRANSPORT);

/* One identity register and what it may hold. */
struct vproxy_identity {
	const char *name;
	u32 reg;
	u32 min;
	u32 max;
};

enum {
	ID_MAGIC,
	ID_VERSION,
	ID_CLASS,
	ID_CLASS_VERSION,
	ID_NR_QUEUES,
	ID_NR_VECTORS,
	ID_CONFIG_SIZE,
	ID_SLOT,
	NR_IDS,
};

static const struct vproxy_identity vproxy_identity[NR_IDS] = {
	[ID_MAGIC] = { "magic", VBUS_REG_MAGIC, VBUS_MAGIC, VBUS_MAGIC },
	[ID_VERSION] = { "version", VBUS_REG_VERSION, VBUS_VERSION,
			 VBUS_VERSION },
	[ID_CLASS] = { "class", VBUS_REG_CLASS, 1, U32_MAX - 1 },
	[ID_CLASS_VERSION] = { "class version", VBUS_REG_CLASS_VERSION, 0,
			       U32_MAX - 1 },
	[ID_NR_QUEUES] = { "number of queues", VBUS_REG_NR_QUEUES, 0,
			   VBUS_MAX_QUEUES },
	[ID_NR_VECTORS] = { "number of vectors", VBUS_REG_NR_VECTORS, 1,
			    VBUS_MAX_VECTORS },
	[ID_CONFIG_SIZE] = { "config size", VBUS_REG_CONFIG_SIZE, 0,
			     VBUS_CONFIG_MAX },
	[ID_SLOT] = { "slot", VBUS_REG_SLOT, 0, U32_MAX - 1 },
};

static int vproxy_read_identity(struct vproxy_core *core)
{
	struct vproxy_device *vdev = core->vdev;
	u32 val[NR_IDS], hold;
	int err, i;

	for (i = 0; i < NR_IDS; i++) {
		const struct vproxy_identity *id = &vproxy_identity[i];

		err = vproxy_read32(core, id->reg, &val[i]);
		if (err)
			goto unreadable;
		if (val[i] < id->min || val[i] > id->max) {
			pr_err_ratelimited("bus %u: %s of a device is 0x%x, not 0x%x..0x%x\n",
					   core->bus_id, id->name, val[i],
					   id->min, id->max);
			return -ENODEV;
		}
	}
	err = vproxy_read_alias(core, vdev->alias);
	if (err)
		goto unreadable;
	/* Left by a kernel that ran before this one. */
	err = vproxy_read32(core, VBUS_REG_HOLD, &hold);
	if (!err && hold)
		err = vproxy_write32(core, VBUS_REG_HOLD, 0);
	if (err)
		goto unreadable;
	vdev->class_id = val[ID_CLASS];
	vdev->class_version = val[ID_CLASS_VERSION];
	vdev->nr_queues = val[ID_NR_QUEUES];
	vdev->slot = val[ID_SLOT];
	core->max_vectors = val[ID_NR_VECTORS];
	core->config_size = val[ID_CONFIG_SIZE];
	return 0;

unreadable:
	pr_err_ratelimited("bus %u: a device can't be read: %d\n",
			   core->bus_id, err);
	return -ENODEV;
}

static void vproxy_device_release(struct device *dev)
{
	struct vproxy_device *vdev = to_vproxy_device(dev);
	void (*release)(struct vproxy_device *vdev) = vdev->core->release;
	struct module *owner = vdev->core->owner;

	mutex_destroy(&vdev->core->lock);
	kfree(vdev->core);
	if (release)
		release(vdev);
	else
		kfree(vdev);
	module_put(owner);
	/*
	 * With the last one gone our code may go, too: unloading waits for a grace
	 * period before it frees what we are running.
	 */
	rcu_read_lock();
	if (atomic_dec_and_test(&vproxy_nr_devices))
		wake_up_var(&vproxy_nr_devices);
	rcu_read_unlock();
}

/* A reference may outlive the transport that made the device, but not us. */
void vproxy_wait_released(void)
{
	wait_var_event(&vproxy_nr_devices, !atomic_read(&vproxy_nr_devices));
}

/* Take the name of a bus and slot, which are the host's word. */
static int vproxy_claim_slot(struct vproxy_core *core)
{
	struct vproxy_core *other;
	int err = 0;

	mutex_lock(&vproxy_list_lock);
	list_for_each_entry(other, &vproxy_list, list) {
		if (other->bus_id == core->bus_id &&
		    other->vdev->slot == core->vdev->slot) {
			dev_err_ratelimited(&other->vdev->dev,
					    "another device claims this slot\n");
			err = -EEXIST;
			break;
		}
	}
	if (!err)
		list_add_tail(&core->list, &vproxy_list);
	mutex_unlock(&vproxy_list_lock);
	return err;
}

static void vproxy_release_slot(struct vproxy_core *core)
{
	mutex_lock(&vproxy_list_lock);
	list_del(&core->list);
	mutex_unlock(&vproxy_list_lock);
}

static int vproxy_device_add(struct vproxy_core *core)
{
	struct vproxy_device *vdev = core->vdev;
	int err;

	err = dev_set_name(&vdev->dev, "vbus%u-%u", core->bus_id, vdev->slot);
	if (err)
		return err;
	err = vproxy_claim_slot(core);
	if (err)
		return err;
	err = device_add(&vdev->dev);
	if (err)
		vproxy_release_slot(core);
	return err;
}

/**
 * vproxy_device_register() - put a device on the bus
 * @vdev: zeroed; @ops, @priv, @dma_dev (NULL: use @dev), @dev.parent set
 * @bus_id: number of the bus in this guest, for the name
 * @release: frees @vdev when its last reference is gone; NULL: kfree()
 *
 * Return: 0 or errno, see proxy.h.
 */
int vproxy_device_register(struct vproxy_device *vdev, unsigned int bus_id,
			   void (*release)(struct vproxy_device *vdev))
{
	struct vproxy_core *core;
	int err;

	core = kzalloc(sizeof(*core), GFP_KERNEL);
	if (!core) {
		if (release)
			release(vdev);
		else
			kfree(vdev);
		return -ENOMEM;
	}
	core->vdev = vdev;
	core->release = release;
	core->owner = vdev->ops->owner;
	core->bus_id = bus_id;
	mutex_init(&core->lock);
	vproxy_config_init(core);
	vdev->core = core;
	if (!vdev->dma_dev)
		vdev->dma_dev = &vdev->dev;
	__module_get(core->owner);
	atomic_inc(&vproxy_nr_devices);
	device_initialize(&vdev->dev);
	vdev->dev.bus = &vproxy_bus_type;
	vdev->dev.release = vproxy_device_release;

	err = vproxy_read_identity(core);
	if (!err)
		err = vproxy_device_add(core);
	if (err)
		put_device(&vdev->dev);
	return err;
}
EXPORT_SYMBOL_NS_GPL(vproxy_device_register, VPROXY_TRANSPORT);

/**
 * vproxy_device_unregister() - take a device off the bus
 * @vdev: the device; may be freed on return
 * @gone: it is no longer there: don't touch registers
 */
void vproxy_device_unregister(struct vproxy_device *vdev, bool gone)
{
	if (gone)
		vproxy_set_gone(vdev->core);
	device_del(&vdev->dev);
	/* A reference somebody keeps must not lead to a transport that left. */
	vproxy_set_gone(vdev->core);
	vproxy_release_slot(vdev->core);
	put_device(&vdev->dev);
}
EXPORT_SYMBOL_NS_GPL(vproxy_device_unregister, VPROXY_TRANSPORT);
