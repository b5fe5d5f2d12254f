// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The back end that is /dev/vbus/<bus>.  No state but the file descriptor, so no
 * lock.  What goes wrong at open is logged in words: only this file knows why.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "private.h"

#define LVB_DEV_DIR	"/dev/vbus"

/* A device is named by its fd. */
struct lvb_io_dev {
	struct lvb_io io;
	int fd;
};

static int lvb_dev_fd(struct lvb_io *io)
{
	return ((struct lvb_io_dev *)io)->fd;
}

static int lvb_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret;

	do
		ret = ioctl(fd, cmd, arg);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static void lvb_dev_close_bus(struct lvb_io *io)
{
	close(lvb_dev_fd(io));
	free(io);
}

static int lvb_dev_get_info(struct lvb_io *io, struct vbus_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return lvb_ioctl(lvb_dev_fd(io), VBUS_GET_INFO, info);
}

static int lvb_dev_read_events(struct lvb_io *io, struct vbus_event *ev,
			       size_t max)
{
	ssize_t len;

	len = read(lvb_dev_fd(io), ev, max * sizeof(*ev));
	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return len / sizeof(*ev);
}

static int lvb_dev_mem(struct lvb_io *io, unsigned long cmd, uint32_t flags,
		       uint64_t guest_addr, uint64_t length, void *mem)
{
	struct vbus_mem_region region = {
		.size = sizeof(region),
		.flags = flags,
		.guest_addr = guest_addr,
		.length = length,
		.user_addr = (uintptr_t)mem,
	};

	return lvb_ioctl(lvb_dev_fd(io), cmd, &region);
}

static int lvb_dev_mem_add(struct lvb_io *io, uint64_t guest_addr,
			   uint64_t length, void *mem, bool read_only)
{
	return lvb_dev_mem(io, VBUS_MEM_ADD, read_only ? VBUS_MEM_RDONLY : 0,
			   guest_addr, length, mem);
}

static int lvb_dev_mem_del(struct lvb_io *io, uint64_t guest_addr,
			   uint64_t length)
{
	return lvb_dev_mem(io, VBUS_MEM_DEL, 0, guest_addr, length, NULL);
}

static int lvb_dev_open_slot(struct lvb_io *io, uint32_t slot)
{
	struct vbus_open_slot open = { .size = sizeof(open), .slot = slot };
	int ret;

	ret = lvb_ioctl(lvb_dev_fd(io), VBUS_OPEN_SLOT, &open);
	return ret ? ret : open.fd;
}

static void lvb_dev_close(struct lvb_io *io, int dev)
{
	(void)io;
	close(dev);
}

static int lvb_dev_read(struct lvb_io *io, int dev, uint32_t off, void *buf,
			size_t len)
{
	ssize_t ret;

	(void)io;
	ret = pread(dev, buf, len, off);
	return ret == (ssize_t)len ? 0 : ret < 0 ? -errno : -EIO;
}

static int lvb_dev_write(struct lvb_io *io, int dev, uint32_t off,
			 const void *buf, size_t len)
{
	ssize_t ret;

	(void)io;
	ret = pwrite(dev, buf, len, off);
	return ret == (ssize_t)len ? 0 : ret < 0 ? -errno : -EIO;
}

static int lvb_dev_set_irq(struct lvb_io *io, int dev, uint32_t vector, int fd)
{
	struct vbus_dev_irq irq = {
		.size = sizeof(irq),
		.vector = vector,
		.fd = fd,
	};

	(void)io;
	return lvb_ioctl(dev, VBUS_DEV_SET_IRQ, &irq);
}

static int lvb_dev_set_doorbell(struct lvb_io *io, int dev, uint32_t queue,
				int fd)
{
	struct vbus_dev_doorbell bell = {
		.size = sizeof(bell),
		.queue = queue,
		.fd = fd,
	};

	(void)io;
	return lvb_ioctl(dev, VBUS_DEV_SET_DOORBELL, &bell);
}

static int lvb_dev_reset(struct lvb_io *io, int dev)
{
	struct vbus_dev_reset reset = { .size = sizeof(reset) };

	(void)io;
	return lvb_ioctl(dev, VBUS_DEV_RESET, &reset);
}

static int lvb_dev_get_attr(struct lvb_io *io, int dev, uint32_t group,
			    uint32_t attr, void *value, size_t size)
{
	struct vbus_dev_attr arg = {
		.size = sizeof(arg),
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
		.length = size,
	};
	int ret;

	(void)io;
	ret = lvb_ioctl(dev, VBUS_DEV_GET_ATTR, &arg);
	return ret ? ret : (int)arg.length;
}

static int lvb_dev_set_attr(struct lvb_io *io, int dev, uint32_t group,
			    uint32_t attr, const void *value, size_t size)
{
	struct vbus_dev_attr arg = {
		.size = sizeof(arg),
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
		.length = size,
	};

	(void)io;
	return lvb_ioctl(dev, VBUS_DEV_SET_ATTR, &arg);
}

static int lvb_dev_native_open(struct lvb_io *io, uint32_t nr_queues,
			       uint32_t nr_pages, uint32_t bus)
{
	struct vbus_open_native open = {
		.size = sizeof(open),
		.nr_queues = nr_queues,
		.nr_pages = nr_pages,
		.bus = bus,
	};
	int ret;

	ret = lvb_ioctl(lvb_dev_fd(io), VBUS_OPEN_NATIVE, &open);
	return ret ? ret : open.fd;
}

static int lvb_dev_native_fd(int native, unsigned long cmd, uint32_t index,
			     int fd)
{
	struct vbus_native_fd arg = {
		.size = sizeof(arg),
		.index = index,
		.fd = fd,
	};

	return lvb_ioctl(native, cmd, &arg);
}

static int lvb_dev_native_set_irq(struct lvb_io *io, int native,
				  uint32_t queue, int fd)
{
	(void)io;
	return lvb_dev_native_fd(native, VBUS_NATIVE_SET_IRQ, queue, fd);
}

static int lvb_dev_native_set_doorbell(struct lvb_io *io, int native,
				       uint32_t page, int fd)
{
	(void)io;
	return lvb_dev_native_fd(native, VBUS_NATIVE_SET_DOORBELL, page, fd);
}

static int lvb_dev_native_reset(struct lvb_io *io, int native)
{
	struct vbus_native_reset reset = { .size = sizeof(reset) };

	(void)io;
	return lvb_ioctl(native, VBUS_NATIVE_RESET, &reset);
}

/* The native fd is read and written as a device fd is. */
static const struct lvb_io_ops lvb_dev_ops = {
	.close = lvb_dev_close_bus,
	.poll_fd = lvb_dev_fd,
	.get_info = lvb_dev_get_info,
	.read_events = lvb_dev_read_events,
	.mem_add = lvb_dev_mem_add,
	.mem_del = lvb_dev_mem_del,
	.open_slot = lvb_dev_open_slot,
	.dev_close = lvb_dev_close,
	.dev_read = lvb_dev_read,
	.dev_write = lvb_dev_write,
	.set_irq = lvb_dev_set_irq,
	.set_doorbell = lvb_dev_set_doorbell,
	.reset = lvb_dev_reset,
	.get_attr = lvb_dev_get_attr,
	.set_attr = lvb_dev_set_attr,
	.native_open = lvb_dev_native_open,
	.native_close = lvb_dev_close,
	.native_set_irq = lvb_dev_native_set_irq,
	.native_set_doorbell = lvb_dev_native_set_doorbell,
	.native_reset = lvb_dev_native_reset,
	.native_read = lvb_dev_read,
	.native_write = lvb_dev_write,
};

/* The names in the folder of all buses: "vm0, vm1". */
static void lvb_list_buses(char *text, size_t size)
{
	struct dirent *entry;
	size_t used = 0;
	DIR *dir;

	text[0] = '\0';
	dir = opendir(LVB_DEV_DIR);
	while (dir && used < size && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			used += snprintf(text + used, size - used, "%s%s",
					 used ? ", " : "", entry->d_name);
	if (dir)
		closedir(dir);
}

static void lvb_explain_missing(const char *path, char *text, size_t size)
{
	char names[256];

	lvb_list_buses(names, sizeof(names));
	if (*names)
		snprintf(text, size, "%s does not exist; there are: %s", path,
			 names);
	else
		snprintf(text, size,
			 "%s does not exist, nor any other bus. The admin makes one: modprobe vbus; mkdir /sys/kernel/config/vbus/buses/NAME",
			 path);
}

static void lvb_explain_access(const char *path, char *text, size_t size)
{
	struct stat st;

	if (stat(path, &st)) {
		snprintf(text, size, "%s can't be reached: %s", path,
			 strerror(errno));
		return;
	}
	snprintf(text, size,
		 "no permission to read and write %s: it has uid %u, gid %u, mode %04o, and this process uid %u, gid %u. The admin sets uid, gid and mode in the bus's folder in configfs",
		 path, st.st_uid, st.st_gid, st.st_mode & 07777, geteuid(),
		 getegid());
}

static void lvb_explain_open(const char *path, int err, char *text, size_t size)
{
	switch (err) {
	case ENOENT:
		lvb_explain_missing(path, text, size);
		break;
	case EACCES:
	case EPERM:
		lvb_explain_access(path, text, size);
		break;
	case EBUSY:
		snprintf(text, size,
			 "%s is in use: another VMM or the loopback connector has it open, and a bus has one user at a time. \"fuser %s\" tells who",
			 path, path);
		break;
	case ENODEV:
	case ENXIO:
		snprintf(text, size, "the bus of %s is gone", path);
		break;
	default:
		snprintf(text, size, "can't open %s: %s", path, strerror(err));
	}
}

int lvb_io_dev_open(const char *path, const struct libvbus_ops *ops,
		    void *opaque, struct lvb_io **io)
{
	struct lvb_io_dev *dev;
	char text[768];
	int ret;

	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->io.ops = &lvb_dev_ops;
	dev->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (dev->fd < 0) {
		ret = -errno;
		free(dev);
		lvb_explain_open(path, -ret, text, sizeof(text));
		lvb_log_ops(ops, opaque, LIBVBUS_LOG_ERROR, "%s", text);
		return ret;
	}
	*io = &dev->io;
	return 0;
}
