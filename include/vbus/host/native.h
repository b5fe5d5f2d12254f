/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The native front of an opened bus, without a file: what the native fd and the
 * loopback connector both stand on.  <linux/vbus_native.h> says what a guest sees.
 *
 * A session has at most one.  Closing the session disconnects it; the pointer stays
 * valid until vbus_native_close(), but answers -ENODEV from then on.
 */
#ifndef _VBUS_HOST_NATIVE_H
#define _VBUS_HOST_NATIVE_H

#include <linux/types.h>

struct eventfd_ctx;
struct vbus_native;
struct vbus_session;

/**
 * vbus_native_open() - let a guest attach without PCI; see VBUS_OPEN_NATIVE
 * @session: the opened bus
 * @nr_queues: event queues, 1 to VBUS_NATIVE_MAX_QUEUES
 * @nr_pages: call pages, 1 to VBUS_NATIVE_MAX_PAGES
 * @number: what VBUS_NREG_BUS reads
 *
 * Context: may sleep.
 * Return: the front; ERR_PTR: -EINVAL, -EBUSY there is one, -ENOMEM.
 */
struct vbus_native *vbus_native_open(struct vbus_session *session,
				     u32 nr_queues, u32 nr_pages, u32 number);

/**
 * vbus_native_close() - close every device the guest opened, and let go
 * @nv: the front
 *
 * Context: may sleep.  After return no callback of @nv runs or comes.
 */
void vbus_native_close(struct vbus_native *nv);

/**
 * vbus_native_read() - read a register of the window
 * @nv: the front
 * @off: offset in the window
 * @buf: little-endian bytes
 * @len: 4 or 8
 *
 * Context: may sleep.
 * Return: 0; -EINVAL bad offset, width or alignment; -ENODEV disconnected.
 */
int vbus_native_read(struct vbus_native *nv, u32 off, void *buf, size_t len);

/**
 * vbus_native_write() - write a register of the window, doorbells included
 * @nv: the front
 * @off: offset in the window
 * @buf: little-endian bytes
 * @len: 4 or 8
 *
 * Context: may sleep.
 * Return: as vbus_native_read(), and -EBUSY: not while it runs.
 */
int vbus_native_write(struct vbus_native *nv, u32 off, const void *buf,
		      size_t len);

/**
 * vbus_native_kick() - kick a call page
 * @nv: the front
 * @page: number; one that makes no sense is ignored
 *
 * Context: any.  When it returns, a fast call there has been answered.
 */
void vbus_native_kick(struct vbus_native *nv, u32 page);

/**
 * vbus_native_reset() - as the guest writing STATUS 0
 * @nv: the front
 *
 * Context: may sleep.
 * Return: 0; -ENODEV.
 */
int vbus_native_reset(struct vbus_native *nv);

/**
 * vbus_native_set_irq_fn() - bind a callback to an event queue's interrupt
 * @nv: the front
 * @queue: event queue
 * @fn: called from any context, hard interrupts included; NULL unbinds.  After
 *	unbinding returns, no call runs.
 * @arg: its argument
 *
 * Return: 0; -EINVAL, -ENODEV, -ENOMEM.
 */
int vbus_native_set_irq_fn(struct vbus_native *nv, u32 queue,
			   void (*fn)(void *arg), void *arg);

/**
 * vbus_native_set_irq() - bind an eventfd to an event queue's interrupt
 * @nv: the front
 * @queue: event queue
 * @ctx: taken over on success; NULL unbinds
 *
 * Return: 0; -EINVAL, -ENODEV, -ENOMEM.
 */
int vbus_native_set_irq(struct vbus_native *nv, u32 queue,
			struct eventfd_ctx *ctx);

/**
 * vbus_native_set_doorbell() - bind an eventfd to the doorbell of a call page
 * @nv: the front
 * @page: call page
 * @fd: eventfd, or -1
 *
 * Return: 0; -EINVAL no such page or not an eventfd; -EBADF; -ENODEV; -ENOMEM.
 */
int vbus_native_set_doorbell(struct vbus_native *nv, u32 page, int fd);

#endif /* _VBUS_HOST_NATIVE_H */
