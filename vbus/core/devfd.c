// SPDX-License-Identifier: GPL-2.0
/*
 * The device fd: one connection as a file.  pread() and pwrite() are register
 * accesses; closing it is the guest letting go.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "core.h"

/* Longest access: the whole config space in one go. */
#define VBUS_ACCESS_MAX	VBUS_CONFIG_MAX

static int vbus_dev_release(struct inode *inode, struct file *file)
{
	struct vbus_conn *conn = file->private_data;

	vbus_conn_end(conn, vbus_owner_waits(conn->owner));
	return 0;
}

static int vbus_dev_check_access(size_t count, loff_t pos)
{
	if (pos < 0 || pos >= VBUS_WINDOW_SIZE || !count ||
	    count > VBUS_ACCESS_MAX)
		return -EINVAL;
	return 0;
}

static ssize_t vbus_dev_read(struct file *file, char __user *buf, size_t count,
			     loff_t *ppos)
{
	u8 small[64], *data = small;
	int ret;

	ret = vbus_dev_check_access(count, *ppos);
	if (ret)
		return ret;
	if (count > sizeof(small)) {
		data = kmalloc(count, GFP_KERNEL_ACCOUNT);
		if (!data)
			return -ENOMEM;
	}
	ret = vbus_conn_read(file->private_data, *ppos, data, count);
	if (!ret && copy_to_user(buf, data, count))
		ret = -EFAULT;
	if (data != small)
		kfree(data);
	return ret ?: count;
}

static ssize_t vbus_dev_write(struct file *file, const char __user *buf,
			      size_t count, loff_t *ppos)
{
	u8 data[8];
	int ret;

	/* The widest register has 64 bits, and config space is read-only. */
	ret = vbus_dev_check_access(count, *ppos);
	if (ret || count > sizeof(data))
		return ret ?: -EINVAL;
	if (copy_from_user(data, buf, count))
		return -EFAULT;
	ret = vbus_conn_write(file->private_data, *ppos, data, count);
	return ret ?: count;
}

static long vbus_dev_file_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	return vbus_dev_ioctl(file->private_data, cmd, (void __user *)arg);
}

static const struct file_operations vbus_dev_fops = {
	.owner = THIS_MODULE,
	.release = vbus_dev_release,
	.read = vbus_dev_read,
	.write = vbus_dev_write,
	.unlocked_ioctl = vbus_dev_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = no_llseek,
};

/* A file that takes over the caller's reference to @conn. */
struct file *vbus_devfd_create(struct vbus_conn *conn)
{
	struct file *file;

	file = anon_inode_getfile("[vbus-device]", &vbus_dev_fops, conn,
				  O_RDWR);
	if (!IS_ERR(file))
		file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	return file;
}
