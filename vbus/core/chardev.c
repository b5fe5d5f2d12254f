// SPDX-License-Identifier: GPL-2.0
/*
 * The bus fd: /dev/vbus/<bus>.  File operations, nothing else.
 *
 * The session lives exactly as long as the open file.  Device fds outlive it as
 * shells.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "core.h"

/**
 * struct vbus_file - an open bus
 * @session: the session
 * @wait: readers and pollers
 * @close_work: ends it, for a thread that must not wait
 */
struct vbus_file {
	struct vbus_session *session;
	wait_queue_head_t wait;
	struct work_struct close_work;
};

static void vbus_file_event_pending(void *priv)
{
	struct vbus_file *vf = priv;

	wake_up_interruptible_poll(&vf->wait, EPOLLIN | EPOLLRDNORM);
}

static const struct vbus_session_ops vbus_file_ops = {
	.event_pending = vbus_file_event_pending,
};

static int vbus_bus_open(struct inode *inode, struct file *file)
{
	struct vbus_bus *bus;
	struct vbus_file *vf;
	struct vbus_mem *mem;
	int ret;

	/* An open bus can do everything: read permission is not enough. */
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) !=
	    (FMODE_READ | FMODE_WRITE))
		return -EACCES;

	bus = vbus_bus_find_minor(iminor(inode));
	if (!bus)
		return -ENODEV;

	ret = -ENOMEM;
	vf = kzalloc(sizeof(*vf), VBUS_GFP_GUEST);
	if (!vf)
		goto err_bus;
	init_waitqueue_head(&vf->wait);

	mem = vbus_mem_create();
	if (IS_ERR(mem)) {
		ret = PTR_ERR(mem);
		goto err_free;
	}
	vf->session = vbus_session_open_bus(bus, mem, &vbus_file_ops, vf);
	if (IS_ERR(vf->session)) {
		ret = PTR_ERR(vf->session);
		if (ret == -EBUSY)
			vbus_bus_err(bus, "open already; one VMM at a time\n");
		/* It was found, but its rmdir has overtaken us. */
		if (ret == -ENOENT)
			ret = -ENODEV;
		goto err_mem;
	}

	file->private_data = vf;
	vbus_bus_put(bus);
	return stream_open(inode, file);

err_mem:
	vbus_mem_destroy(mem);
err_free:
	kfree(vf);
err_bus:
	vbus_bus_put(bus);
	return ret;
}

static void vbus_file_close(struct vbus_file *vf)
{
	vbus_session_close(vf->session);
	kfree(vf);
}

static void vbus_file_close_work(struct work_struct *work)
{
	vbus_file_close(container_of(work, struct vbus_file, close_work));
}

/* A VMM that exits waits here for all that it had. */
static int vbus_bus_release(struct inode *inode, struct file *file)
{
	struct vbus_file *vf = file->private_data;

	if (vf->session->owner == task_tgid(current)) {
		vbus_file_close(vf);
	} else {
		INIT_WORK(&vf->close_work, vbus_file_close_work);
		queue_work(vbus_close_wq, &vf->close_work);
	}
	return 0;
}

static int vbus_file_wait(struct vbus_file *vf)
{
	return wait_event_interruptible(vf->wait,
					vbus_session_event_pending(vf->session));
}

static ssize_t vbus_bus_read(struct file *file, char __user *buf, size_t count,
			     loff_t *ppos)
{
	struct vbus_file *vf = file->private_data;
	struct vbus_event ev;
	ssize_t done = 0;
	int ret;

	if (count < sizeof(ev))
		return -EINVAL;

	while (count - done >= sizeof(ev)) {
		if (!vbus_session_next_event(vf->session, &ev)) {
			if (done)
				break;
			if (file->f_flags & O_NONBLOCK)
				return -EAGAIN;
			ret = vbus_file_wait(vf);
			if (ret)
				return ret;
			continue;
		}
		if (copy_to_user(buf + done, &ev, sizeof(ev))) {
			vbus_session_requeue(vf->session, &ev);
			return done ?: -EFAULT;
		}
		done += sizeof(ev);
	}
	return done;
}

static __poll_t vbus_bus_poll(struct file *file, poll_table *table)
{
	struct vbus_file *vf = file->private_data;

	poll_wait(file, &vf->wait, table);
	return vbus_session_event_pending(vf->session) ?
	       EPOLLIN | EPOLLRDNORM : 0;
}

static long vbus_bus_file_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	struct vbus_file *vf = file->private_data;

	return vbus_bus_ioctl(vf->session, cmd, (void __user *)arg);
}

const struct file_operations vbus_bus_fops = {
	.owner = THIS_MODULE,
	.open = vbus_bus_open,
	.release = vbus_bus_release,
	.read = vbus_bus_read,
	.poll = vbus_bus_poll,
	.unlocked_ioctl = vbus_bus_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = no_llseek,
};
