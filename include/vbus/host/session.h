/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An opened bus, without a file: what /dev/vbus/<bus> and the loopback
 * connector both stand on.
 *
 * A session is the one user of its bus.  It owns a guest memory map and opens
 * slots; each gives a struct vbus_conn, whose registers it reads and writes.
 * Closing the session disconnects every connection; a vbus_conn pointer stays
 * valid until vbus_conn_close(), but answers -ENODEV from then on.
 */
#ifndef _VBUS_HOST_SESSION_H
#define _VBUS_HOST_SESSION_H

#include <linux/types.h>

struct eventfd_ctx;
struct vbus_conn;
struct vbus_event;
struct vbus_mem;
struct vbus_session;

/**
 * struct vbus_session_ops - how a session hears of its bus
 * @event_pending: vbus_session_next_event() has something; any number of
 *	events may stand behind one call.  Called under bus->lock: wake someone,
 *	queue work, but don't call back.
 */
struct vbus_session_ops {
	void (*event_pending)(void *priv);
};

/**
 * vbus_session_open() - become the user of a bus
 * @bus: name of the bus
 * @mem: guest memory; belongs to the session on success
 * @ops: event hook
 * @priv: its argument
 *
 * Context: may sleep; a callback of another configfs subsystem will do.
 * Return: the session; ERR_PTR: -ENOENT no such bus, -EBUSY open already.
 */
struct vbus_session *vbus_session_open(const char *bus, struct vbus_mem *mem,
				       const struct vbus_session_ops *ops,
				       void *priv);

/**
 * vbus_session_close() - disconnect everything and let go of the bus
 *
 * After return no event_pending call runs or comes, and no model touches guest
 * memory of this session.  Connections not yet closed stay as dead shells.
 */
void vbus_session_close(struct vbus_session *session);

struct vbus_mem *vbus_session_mem(struct vbus_session *session);

/**
 * vbus_session_next_event() - take one pending event
 * Return: true if @ev was filled in.
 */
bool vbus_session_next_event(struct vbus_session *session,
			     struct vbus_event *ev);
bool vbus_session_event_pending(struct vbus_session *session);

/**
 * vbus_conn_open() - connect to the device in a slot; see VBUS_OPEN_SLOT
 * Return: the connection, with one reference; or ERR_PTR.
 */
struct vbus_conn *vbus_conn_open(struct vbus_session *session, u32 slot);

/**
 * vbus_conn_close() - reset the device, disconnect, drop the reference
 *
 * If the admin asked for removal, this is the guest letting go.
 */
void vbus_conn_close(struct vbus_conn *conn);

/**
 * vbus_conn_read() - read registers
 * @conn: the connection
 * @off: offset in the register window
 * @buf: little-endian bytes
 * @len: 1, 2, 4 or 8; in config space and the alias any length
 *
 * Context: may sleep (takes conn->lock).
 * Return: 0; -EINVAL bad offset, width or alignment; -ENODEV disconnected.
 */
int vbus_conn_read(struct vbus_conn *conn, u32 off, void *buf, size_t len);

/**
 * vbus_conn_write() - write registers; as vbus_conn_read()
 *
 * -EBUSY: not in the state the device is in (queue registers of an enabled
 * queue, features after FEATURES_OK).
 */
int vbus_conn_write(struct vbus_conn *conn, u32 off, const void *buf,
		    size_t len);

/**
 * vbus_conn_kick() - ring a doorbell
 *
 * Context: any. A kick of a queue that does not run is ignored.
 */
void vbus_conn_kick(struct vbus_conn *conn, u32 queue);

/**
 * vbus_conn_set_irq_fn() - bind a callback to a vector
 * @fn: called from any context, hard interrupts included; NULL unbinds.  After
 *	unbinding returns, no call runs.
 *
 * Once the session is closed it answers -ENODEV: then no call runs either, as
 * disconnecting stopped the model before.
 */
int vbus_conn_set_irq_fn(struct vbus_conn *conn, u32 vector,
			 void (*fn)(void *arg), void *arg);

/**
 * vbus_conn_set_irq() - bind an eventfd to a vector; NULL unbinds
 *
 * Takes over the reference on success.
 */
int vbus_conn_set_irq(struct vbus_conn *conn, u32 vector,
		      struct eventfd_ctx *ctx);

/**
 * vbus_conn_set_doorbell() - bind an eventfd to a queue
 * @fd: eventfd, or -1
 *
 * Errors: EINVAL queue out of range or not an eventfd, EBADF.
 */
int vbus_conn_set_doorbell(struct vbus_conn *conn, u32 queue, int fd);

#endif /* _VBUS_HOST_SESSION_H */
