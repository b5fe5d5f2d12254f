/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/vbus/<bus>: what a VMM says to the host core.
 *
 * Three kinds of file: the bus fd, from open(2), device fds, from
 * VBUS_OPEN_SLOT, and the native fd, from VBUS_OPEN_NATIVE.  Every ioctl takes a
 * pointer to a struct that begins with its own size in bytes and a flags word.  A
 * kernel that knows fewer fields accepts a larger struct if the rest is zero (else
 * E2BIG); one that knows more treats missing fields as zero.  Unknown flag bits and
 * non-zero padding are EINVAL.  An unknown ioctl is ENOTTY.  Success is 0.
 */
#ifndef _UAPI_LINUX_VBUS_H
#define _UAPI_LINUX_VBUS_H

#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/types.h>

/* 'v', 0x40-0x5f: free in the kernel's ioctl-number.rst. */
#define VBUS_IOC		'v'

/**
 * struct vbus_info - VBUS_GET_INFO: what this kernel offers
 * @size: sizeof(struct vbus_info)
 * @flags: in: zero
 * @abi: out: version of the device protocol (VBUS_VERSION)
 * @max_regions: out: most memory regions of one bus
 * @max_slots: out: slot numbers run from 0 to this minus 1
 * @window_size: out: bytes of one device's register window
 * @caps: out: VBUS_CAP_*
 */
struct vbus_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 max_regions;
	__u32 max_slots;
	__u32 window_size;
	__aligned_u64 caps;
};

#define VBUS_CAP_MEM_RDONLY	_BITULL(0)	/* VBUS_MEM_RDONLY is known */
#define VBUS_CAP_NATIVE		_BITULL(1)	/* VBUS_OPEN_NATIVE is known */

/**
 * struct vbus_mem_region - VBUS_MEM_ADD, VBUS_MEM_DEL
 * @size: sizeof(struct vbus_mem_region)
 * @flags: VBUS_MEM_*; zero for VBUS_MEM_DEL
 * @guest_addr: first guest address; page aligned
 * @length: bytes; a multiple of the page size, not zero
 * @user_addr: address in the caller; page aligned; zero for VBUS_MEM_DEL
 *
 * VBUS_MEM_ADD pins the pages and charges RLIMIT_MEMLOCK.  EINVAL: alignment,
 * wrap-around; EPERM: another address space than that which opened the bus; EEXIST:
 * overlaps another region; ENOSPC: too many regions; ENOMEM: over the limit or
 * out of memory; EFAULT: not mapped; EOPNOTSUPP: the page cache of a regular file
 * (other than a memfd or a file on tmpfs or hugetlbfs), unless VBUS_MEM_RDONLY.
 * The last page may end at 2^64.
 * VBUS_MEM_DEL takes exactly a region that was added: ENOENT: no such region;
 * EBUSY: an enabled queue's ring lies in it, or a page of a native front that runs,
 * or it is being removed.  It waits for models to finish what they have under way;
 * EINTR leaves the region in place.
 */
struct vbus_mem_region {
	__u32 size;
	__u32 flags;
	__aligned_u64 guest_addr;
	__aligned_u64 length;
	__aligned_u64 user_addr;
};

#define VBUS_MEM_RDONLY		0x1	/* devices may not write here */

/**
 * struct vbus_open_slot - VBUS_OPEN_SLOT: connect to the device in a slot
 * @size: sizeof(struct vbus_open_slot)
 * @flags: zero
 * @slot: slot number
 * @fd: out: device fd, O_CLOEXEC
 *
 * ENOENT: no such slot, or nothing plugged; EBUSY: open already, or being
 * unplugged.
 */
struct vbus_open_slot {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__s32 fd;
};

/**
 * struct vbus_open_native - VBUS_OPEN_NATIVE: the front of <linux/vbus_native.h>
 * @size: sizeof(struct vbus_open_native)
 * @flags: zero
 * @nr_queues: event queues the guest may use, 1 to VBUS_NATIVE_MAX_QUEUES
 * @nr_pages: call pages the guest may use, 1 to VBUS_NATIVE_MAX_PAGES; one for
 *	each virtual CPU is best
 * @bus: tells this bus from others of the same guest; VBUS_NREG_BUS
 * @fd: out: native fd, O_CLOEXEC
 *
 * pread(2) and pwrite(2) on the native fd are the guest's accesses to the window.
 * Devices that the guest opens through it can't be opened with VBUS_OPEN_SLOT at the
 * same time, and the other way round: EBUSY.  Closing it is VBUS_NATIVE_RESET and
 * the end.
 *
 * EINVAL: a number out of range; EBUSY: open already.
 */
struct vbus_open_native {
	__u32 size;
	__u32 flags;
	__u32 nr_queues;
	__u32 nr_pages;
	__u32 bus;
	__s32 fd;
};

/**
 * struct vbus_event - what read(2) on the bus fd returns, one or more
 * @type: VBUS_EVENT_*
 * @slot: the slot concerned
 * @class_id: VBUS_CLASS_* of the device in the slot, 0 if none is left
 * @reserved: zero
 *
 * Events carry no history: several changes of one slot may come as one event,
 * so nothing is lost however late a VMM reads.  After open, every slot that
 * holds a device has VBUS_EVENT_ADDED pending.  read() with a buffer smaller
 * than one event is EINVAL; with nothing pending it blocks, or EAGAIN.
 */
struct vbus_event {
	__u32 type;
	__u32 slot;
	__u32 class_id;
	__u32 reserved;
};

#define VBUS_EVENT_ADDED	1	/* a device can be opened */
#define VBUS_EVENT_UNPLUG	2	/* let go: ask the guest, then close the fd */
#define VBUS_EVENT_REMOVED	3	/* a device is gone: not open, or by force */
#define VBUS_EVENT_CHANGED	4	/* alias changed */

/**
 * struct vbus_dev_irq - VBUS_DEV_SET_IRQ: bind an eventfd to a vector
 * @size: sizeof(struct vbus_dev_irq)
 * @flags: zero
 * @vector: vector number, below VBUS_REG_NR_VECTORS
 * @fd: eventfd, or -1 to unbind
 *
 * A signal that came while no eventfd was bound is delivered on binding.
 */
struct vbus_dev_irq {
	__u32 size;
	__u32 flags;
	__u32 vector;
	__s32 fd;
};

/**
 * struct vbus_dev_doorbell - VBUS_DEV_SET_DOORBELL: eventfd that kicks a queue
 * @size: sizeof(struct vbus_dev_doorbell)
 * @flags: zero
 * @queue: queue number, below VBUS_REG_NR_QUEUES
 * @fd: eventfd, or -1 to unbind
 */
struct vbus_dev_doorbell {
	__u32 size;
	__u32 flags;
	__u32 queue;
	__s32 fd;
};

/**
 * struct vbus_dev_reset - VBUS_DEV_RESET: as the guest writing STATUS 0 and HOLD 0
 * @size: sizeof(struct vbus_dev_reset)
 * @flags: zero
 */
struct vbus_dev_reset {
	__u32 size;
	__u32 flags;
};

/**
 * struct vbus_dev_attr - VBUS_DEV_{GET,SET,HAS}_ATTR
 * @size: sizeof(struct vbus_dev_attr)
 * @flags: zero
 * @group: VBUS_GROUP_*
 * @attr: number within the group
 * @addr: user address of the value
 * @length: bytes at @addr; GET stores the value's true size here
 *
 * ENXIO: no such group or attribute; EPERM: read-only; ENOSPC: buffer too
 * small (length tells the size needed); EBUSY: not while the device runs.
 */
struct vbus_dev_attr {
	__u32 size;
	__u32 flags;
	__u32 group;
	__u32 attr;
	__aligned_u64 addr;
	__aligned_u64 length;
};

#define VBUS_GROUP_INFO		1
#define VBUS_GROUP_CONFIG	2
#define VBUS_GROUP_STATE	3
#define VBUS_GROUP_STATS	4

/* VBUS_GROUP_INFO: read-only */
#define VBUS_INFO_NAME		0	/* "net.web0", not NUL terminated */
#define VBUS_INFO_CLASS		1	/* __u32 VBUS_CLASS_* */
#define VBUS_INFO_ALIAS		2	/* slot alias, not NUL terminated */
#define VBUS_INFO_NR_QUEUES	3	/* __u32 */
#define VBUS_INFO_NR_VECTORS	4	/* __u32 */

/* VBUS_GROUP_CONFIG: the class config space, attr 0, read-only */
/* VBUS_GROUP_STATS: attr n is the __u64 counter n; attr 0xffffffff the names */
#define VBUS_STATS_NAMES	0xffffffffU	/* '\n' separated */

/*
 * VBUS_GROUP_STATE: for migration.  Save: RUN 0, get DEVICE and every QUEUE.
 * Load into a reset device: set DEVICE, every QUEUE, then RUN 1.  DEVICE and
 * QUEUE are EBUSY while the device runs.
 */
#define VBUS_STATE_DEVICE	0	/* struct vbus_state_device */
#define VBUS_STATE_QUEUE(q)	(1 + (q))	/* struct vbus_state_queue */
#define VBUS_STATE_RUN		0xffffffffU	/* __u32: 0 pause, 1 go on */

/**
 * struct vbus_state_device - saved device registers
 * @accepted: VBUS_REG_ACCEPTED
 * @status: VBUS_REG_STATUS without NEEDS_RESET
 * @config_vector: VBUS_REG_CONFIG_VECTOR
 */
struct vbus_state_device {
	__aligned_u64 accepted;
	__u32 status;
	__u32 config_vector;
};

/**
 * struct vbus_state_queue - saved queue registers
 * @ring: VBUS_QREG_RING
 * @size: VBUS_QREG_SIZE
 * @vector: VBUS_QREG_VECTOR
 * @enable: VBUS_QREG_ENABLE
 * @pos_desc: next descriptor position the device will look at
 * @pos_comp: next completion position the device will write
 * @pos_chain: number of the next chain the device will take
 */
struct vbus_state_queue {
	__aligned_u64 ring;
	__u32 size;
	__u32 vector;
	__u32 enable;
	__u32 pos_desc;
	__u32 pos_comp;
	__u32 pos_chain;
};

/**
 * struct vbus_native_fd - VBUS_NATIVE_SET_IRQ, VBUS_NATIVE_SET_DOORBELL
 * @size: sizeof(struct vbus_native_fd)
 * @flags: zero
 * @index: event queue, or call page
 * @fd: eventfd, or -1 to unbind
 *
 * SET_IRQ: what the device signals for an event queue; a signal that came while
 * none was bound is delivered on binding.  SET_DOORBELL: what kicks a call
 * page; a VMM without such an eventfd writes to the window instead, to the same
 * effect.
 *
 * EINVAL: no such queue or page, or not an eventfd; EBADF; ENODEV: the bus is
 * closed.
 */
struct vbus_native_fd {
	__u32 size;
	__u32 flags;
	__u32 index;
	__s32 fd;
};

/**
 * struct vbus_native_reset - VBUS_NATIVE_RESET: as the guest writing STATUS 0
 * @size: sizeof(struct vbus_native_reset)
 * @flags: zero
 */
struct vbus_native_reset {
	__u32 size;
	__u32 flags;
};

/* Bus fd */
#define VBUS_GET_INFO		_IO(VBUS_IOC, 0x40)
#define VBUS_MEM_ADD		_IO(VBUS_IOC, 0x41)
#define VBUS_MEM_DEL		_IO(VBUS_IOC, 0x42)
#define VBUS_OPEN_SLOT		_IO(VBUS_IOC, 0x43)
#define VBUS_OPEN_NATIVE	_IO(VBUS_IOC, 0x44)

/* Device fd */
#define VBUS_DEV_SET_IRQ	_IO(VBUS_IOC, 0x50)
#define VBUS_DEV_SET_DOORBELL	_IO(VBUS_IOC, 0x51)
#define VBUS_DEV_RESET		_IO(VBUS_IOC, 0x52)
#define VBUS_DEV_GET_ATTR	_IO(VBUS_IOC, 0x53)
#define VBUS_DEV_SET_ATTR	_IO(VBUS_IOC, 0x54)
#define VBUS_DEV_HAS_ATTR	_IO(VBUS_IOC, 0x55)

/* Native fd */
#define VBUS_NATIVE_SET_IRQ	_IO(VBUS_IOC, 0x58)
#define VBUS_NATIVE_SET_DOORBELL _IO(VBUS_IOC, 0x59)
#define VBUS_NATIVE_RESET	_IO(VBUS_IOC, 0x5a)

#endif /* _UAPI_LINUX_VBUS_H */
