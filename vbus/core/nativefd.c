// SPDX-License-Identifier: GPL-2.0
/*
 * The native fd: the window of <linux/vbus_native.h> as a file.  pread() and pwrite()
 * are the guest's accesses; closing it is a reset and the end.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/vbus_native.h>
#include <vbus/host/native.h>
#include "core.h"

static int vbus_nativefd_release(struct inode *inode, struct file *file)
{
	vbus_native_close_file(file->private_data);
	return 0;
}

static int vbus_nativefd_check(size_t count, loff_t pos)
{
	if (pos < 0 || pos >= VBUS_NATIVE_WINDOW_SIZE ||
	    (count != 4 && count != 8))
		return -EINVAL;
	return 0;
}

static ssize_t vbus_nativefd_read(struct file *file, char __user *buf,
				  size_t count, loff_t *ppos)
{
	u8 data[8];
	int ret;

	ret = vbus_nativefd_check(count, *ppos);
	if (!ret)
		ret = vbus_native_read(file->private_data, *ppos, data, count);
	if (!ret && copy_to_user(buf, data, count))
		ret = -EFAULT;
	return ret ?: count;
}

static ssize_t vbus_nativefd_write(struct file *file, const char __user *buf,
				   size_t count, loff_t *ppos)
{
	u8 data[8];
	int ret;

	ret = vbus_nativefd_check(count, *ppos);
	if (ret)
		return ret;
	if (copy_from_user(data, buf, count))
		return -EFAULT;
	ret = vbus_native_write(file->private_data, *ppos, data, count);
	return ret ?: count;
}

static long vbus_nativefd_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	return vbus_native_ioctl(file->private_data, cmd, (void __user *)arg);
}

static const struct file_operations vbus_nativefd_fops = {
	.owner = THIS_MODULE,
	.release = vbus_nativefd_release,
	.read = vbus_nativefd_read,
	.write = vbus_nativefd_write,
	.unlocked_ioctl = vbus_nativefd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = no_llseek,
};

/* A file that takes over the caller's reference to @nv. */
struct file *vbus_nativefd_create(struct vbus_native *nv)
{
	struct file *file;

	file = anon_inode_getfile("[vbus-native]", &vbus_nativefd_fops, nv,
				  O_RDWR);
	if (!IS_ERR(file))
		file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	return file;
}
