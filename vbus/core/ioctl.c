// SPDX-License-Identifier: GPL-2.0
/*
 * ioctls of the bus fd, the device fd and the native fd: three tables and one way in.
 *
 * The argument is copied once, checked for size and unknown flags, and from
 * there on only the copy is used.  Sizes grow as <linux/vbus.h> says.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <vbus/host/native.h>
#include "core.h"

/* Every argument, and where each begins. */
union vbus_arg {
	struct {
		u32 size;
		u32 flags;
	};
	struct vbus_info info;
	struct vbus_mem_region region;
	struct vbus_open_slot open;
	struct vbus_open_native open_native;
	struct vbus_native_fd native_fd;
	struct vbus_native_reset native_reset;
	struct vbus_dev_irq irq;
	struct vbus_dev_doorbell doorbell;
	struct vbus_dev_reset reset;
	struct vbus_dev_attr attr;
};

/**
 * struct vbus_ioctl - one entry of a table
 * @cmd: command
 * @size: what this kernel knows of the argument; the first version's size is
 *	the smallest a caller may pass, and all structs are at their first
 * @flags: flag bits known
 * @bus: handler on a bus fd
 * @dev: handler on a device fd
 * @native: handler on a native fd
 */
struct vbus_ioctl {
	unsigned int cmd;
	u32 size;
	u32 flags;
	long (*bus)(struct vbus_session *session, union vbus_arg *arg,
		    void __user *uarg);
	long (*dev)(struct vbus_conn *conn, union vbus_arg *arg,
		    void __user *uarg);
	long (*native)(struct vbus_native *nv, union vbus_arg *arg);
};

static long vbus_ioctl_copy_in(const struct vbus_ioctl *ioctl,
			       union vbus_arg *arg, void __user *uarg)
{
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < ioctl->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(arg, ioctl->size, uarg, size);
	if (ret)
		return ret;
	if (arg->flags & ~ioctl->flags)
		return -EINVAL;
	return 0;
}

static const struct vbus_ioctl *vbus_ioctl_find(const struct vbus_ioctl *table,
						size_t nr, unsigned int cmd)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (table[i].cmd == cmd)
			return &table[i];
	return NULL;
}

static long vbus_ioctl_get_info(struct vbus_session *session,
				union vbus_arg *arg, void __user *uarg)
{
	struct vbus_info info = {
		.size = sizeof(info),
		.abi = VBUS_VERSION,
		.max_regions = VBUS_MEM_MAX_REGIONS,
		.max_slots = VBUS_MAX_SLOTS,
		.window_size = VBUS_WINDOW_SIZE,
		.caps = VBUS_CAP_MEM_RDONLY | VBUS_CAP_NATIVE,
	};

	return copy_to_user(uarg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long vbus_ioctl_mem_add(struct vbus_session *session,
			       union vbus_arg *arg, void __user *uarg)
{
	const struct vbus_mem_region *region = &arg->region;

	return vbus_mem_add(session->mem, region->guest_addr, region->length,
			    region->user_addr, region->flags & VBUS_MEM_RDONLY);
}

static long vbus_ioctl_mem_del(struct vbus_session *session,
			       union vbus_arg *arg, void __user *uarg)
{
	const struct vbus_mem_region *region = &arg->region;

	if (region->user_addr)
		return -EINVAL;
	return vbus_mem_del(session->mem, region->guest_addr, region->length);
}

/*
 * Give @file a descriptor and tell the caller which, at @ufd.  The reference is taken
 * over in any case: after a failure what is behind the file is closed.
 */
static long vbus_ioctl_install(struct file *file, s32 __user *ufd)
{
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		fput(file);
		return fd;
	}
	if (put_user(fd, ufd)) {
		fput(file);
		put_unused_fd(fd);
		return -EFAULT;
	}
	fd_install(fd, file);
	return 0;
}

static long vbus_ioctl_open_slot(struct vbus_session *session,
				 union vbus_arg *arg, void __user *uarg)
{
	struct vbus_open_slot __user *uopen = uarg;
	struct vbus_conn *conn;
	struct file *file;

	conn = vbus_conn_open(session, arg->open.slot);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	file = vbus_devfd_create(conn);
	if (IS_ERR(file)) {
		vbus_conn_close(conn);
		return PTR_ERR(file);
	}
	return vbus_ioctl_install(file, &uopen->fd);
}

static long vbus_ioctl_open_native(struct vbus_session *session,
				   union vbus_arg *arg, void __user *uarg)
{
	const struct vbus_open_native *open = &arg->open_native;
	struct vbus_open_native __user *uopen = uarg;
	struct vbus_native *nv;
	struct file *file;

	nv = vbus_native_open(session, open->nr_queues, open->nr_pages,
			      open->bus);
	if (IS_ERR(nv))
		return PTR_ERR(nv);
	file = vbus_nativefd_create(nv);
	if (IS_ERR(file)) {
		vbus_native_close(nv);
		return PTR_ERR(file);
	}
	return vbus_ioctl_install(file, &uopen->fd);
}

static const struct vbus_ioctl vbus_bus_ioctls[] = {
	{
		.cmd = VBUS_GET_INFO,
		.size = sizeof(struct vbus_info),
		.bus = vbus_ioctl_get_info,
	}, {
		.cmd = VBUS_MEM_ADD,
		.size = sizeof(struct vbus_mem_region),
		.flags = VBUS_MEM_RDONLY,
		.bus = vbus_ioctl_mem_add,
	}, {
		.cmd = VBUS_MEM_DEL,
		.size = sizeof(struct vbus_mem_region),
		.bus = vbus_ioctl_mem_del,
	}, {
		.cmd = VBUS_OPEN_SLOT,
		.size = sizeof(struct vbus_open_slot),
		.bus = vbus_ioctl_open_slot,
	}, {
		.cmd = VBUS_OPEN_NATIVE,
		.size = sizeof(struct vbus_open_native),
		.bus = vbus_ioctl_open_native,
	},
};

long vbus_bus_ioctl(struct vbus_session *session, unsigned int cmd,
		    void __user *uarg)
{
	const struct vbus_ioctl *ioctl;
	union vbus_arg arg = {};
	long ret;

	ioctl = vbus_ioctl_find(vbus_bus_ioctls, ARRAY_SIZE(vbus_bus_ioctls),
				cmd);
	if (!ioctl)
		return -ENOTTY;
	ret = vbus_ioctl_copy_in(ioctl, &arg, uarg);
	return ret ?: ioctl->bus(session, &arg, uarg);
}

/* The eventfd of @fd, NULL for -1, or ERR_PTR. */
static struct eventfd_ctx *vbus_ioctl_eventfd(s32 fd)
{
	if (fd < -1)
		return ERR_PTR(-EINVAL);
	return fd == -1 ? NULL : eventfd_ctx_fdget(fd);
}

static long vbus_ioctl_set_irq(struct vbus_conn *conn, union vbus_arg *arg,
			       void __user *uarg)
{
	struct eventfd_ctx *ctx;
	int ret;

	ctx = vbus_ioctl_eventfd(arg->irq.fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = vbus_conn_set_irq(conn, arg->irq.vector, ctx);
	if (ret && ctx)
		eventfd_ctx_put(ctx);
	return ret;
}

static long vbus_ioctl_set_doorbell(struct vbus_conn *conn,
				    union vbus_arg *arg, void __user *uarg)
{
	return vbus_conn_set_doorbell(conn, arg->doorbell.queue,
				      arg->doorbell.fd);
}

static long vbus_ioctl_reset(struct vbus_conn *conn, union vbus_arg *arg,
			     void __user *uarg)
{
	int ret = -ENODEV;

	mutex_lock(&conn->lock);
	if (conn->connected) {
		vbus_conn_reset(conn);
		/* Another guest, or the same anew: what it held it holds no more. */
		ret = vbus_conn_set_hold(conn, 0);
	}
	mutex_unlock(&conn->lock);
	return ret;
}

/* The value in kernel memory, and its size or errno. */
static int vbus_fetch_attr(struct vbus_conn *conn,
			   const struct vbus_dev_attr *attr, void *buf)
{
	int ret = -ENODEV;

	mutex_lock(&conn->lock);
	if (conn->connected)
		ret = vbus_conn_get_attr(conn, attr->group, attr->attr, buf);
	mutex_unlock(&conn->lock);
	return ret;
}

static long vbus_ioctl_get_attr(struct vbus_conn *conn, union vbus_arg *arg,
				void __user *uarg)
{
	struct vbus_dev_attr __user *uattr = uarg;
	struct vbus_dev_attr *attr = &arg->attr;
	u64 length;
	void *buf;
	int ret;

	buf = kzalloc(VBUS_ATTR_MAX, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	ret = vbus_fetch_attr(conn, attr, buf);
	if (ret < 0)
		goto free;

	/* A buffer that is too small learns the size, too. */
	length = ret;
	ret = attr->length < length ? -ENOSPC : 0;
	if (!ret && copy_to_user(u64_to_user_ptr(attr->addr), buf, length))
		ret = -EFAULT;
	if (ret != -EFAULT && put_user(length, &uattr->length))
		ret = -EFAULT;
free:
	kfree(buf);
	return ret;
}

static long vbus_ioctl_set_attr(struct vbus_conn *conn, union vbus_arg *arg,
				void __user *uarg)
{
	const struct vbus_dev_attr *attr = &arg->attr;
	union vbus_attr_value value = {};
	int ret = -ENODEV, fault = 0;

	if (copy_from_user(&value, u64_to_user_ptr(attr->addr),
			   min_t(u64, attr->length, sizeof(value))))
		fault = -EFAULT;

	mutex_lock(&conn->lock);
	if (conn->connected)
		ret = vbus_conn_set_attr(conn, attr, &value, fault);
	mutex_unlock(&conn->lock);
	return ret;
}

/* Only whether it exists: what state the device is in does not matter. */
static long vbus_ioctl_has_attr(struct vbus_conn *conn, union vbus_arg *arg,
				void __user *uarg)
{
	void *buf;
	int ret;

	buf = kzalloc(VBUS_ATTR_MAX, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	ret = vbus_fetch_attr(conn, &arg->attr, buf);
	kfree(buf);
	return ret == -ENXIO || ret == -ENODEV ? ret : 0;
}

static const struct vbus_ioctl vbus_dev_ioctls[] = {
	{
		.cmd = VBUS_DEV_SET_IRQ,
		.size = sizeof(struct vbus_dev_irq),
		.dev = vbus_ioctl_set_irq,
	}, {
		.cmd = VBUS_DEV_SET_DOORBELL,
		.size = sizeof(struct vbus_dev_doorbell),
		.dev = vbus_ioctl_set_doorbell,
	}, {
		.cmd = VBUS_DEV_RESET,
		.size = sizeof(struct vbus_dev_reset),
		.dev = vbus_ioctl_reset,
	}, {
		.cmd = VBUS_DEV_GET_ATTR,
		.size = sizeof(struct vbus_dev_attr),
		.dev = vbus_ioctl_get_attr,
	}, {
		.cmd = VBUS_DEV_SET_ATTR,
		.size = sizeof(struct vbus_dev_attr),
		.dev = vbus_ioctl_set_attr,
	}, {
		.cmd = VBUS_DEV_HAS_ATTR,
		.size = sizeof(struct vbus_dev_attr),
		.dev = vbus_ioctl_has_attr,
	},
};

long vbus_dev_ioctl(struct vbus_conn *conn, unsigned int cmd, void __user *uarg)
{
	const struct vbus_ioctl *ioctl;
	union vbus_arg arg = {};
	long ret;

	ioctl = vbus_ioctl_find(vbus_dev_ioctls, ARRAY_SIZE(vbus_dev_ioctls),
				cmd);
	if (!ioctl)
		return -ENOTTY;
	ret = vbus_ioctl_copy_in(ioctl, &arg, uarg);
	return ret ?: ioctl->dev(conn, &arg, uarg);
}

static long vbus_ioctl_native_irq(struct vbus_native *nv, union vbus_arg *arg)
{
	struct eventfd_ctx *ctx;
	int ret;

	ctx = vbus_ioctl_eventfd(arg->native_fd.fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = vbus_native_set_irq(nv, arg->native_fd.index, ctx);
	if (ret && ctx)
		eventfd_ctx_put(ctx);
	return ret;
}

static long vbus_ioctl_native_doorbell(struct vbus_native *nv,
				       union vbus_arg *arg)
{
	return vbus_native_set_doorbell(nv, arg->native_fd.index,
					arg->native_fd.fd);
}

static long vbus_ioctl_native_reset(struct vbus_native *nv, union vbus_arg *arg)
{
	return vbus_native_reset(nv);
}

static const struct vbus_ioctl vbus_native_ioctls[] = {
	{
		.cmd = VBUS_NATIVE_SET_IRQ,
		.size = sizeof(struct vbus_native_fd),
		.native = vbus_ioctl_native_irq,
	}, {
		.cmd = VBUS_NATIVE_SET_DOORBELL,
		.size = sizeof(struct vbus_native_fd),
		.native = vbus_ioctl_native_doorbell,
	}, {
		.cmd = VBUS_NATIVE_RESET,
		.size = sizeof(struct vbus_native_reset),
		.native = vbus_ioctl_native_reset,
	},
};

long vbus_native_ioctl(struct vbus_native *nv, unsigned int cmd,
		       void __user *uarg)
{
	const struct vbus_ioctl *ioctl;
	union vbus_arg arg = {};
	long ret;

	ioctl = vbus_ioctl_find(vbus_native_ioctls,
				ARRAY_SIZE(vbus_native_ioctls), cmd);
	if (!ioctl)
		return -ENOTTY;
	ret = vbus_ioctl_copy_in(ioctl, &arg, uarg);
	return ret ?: ioctl->native(nv, &arg);
}
