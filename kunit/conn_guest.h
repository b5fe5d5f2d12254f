/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest for suites of host models: plays the driver by hand, over a session in
 * this kernel's own memory, so that it can do what no driver would.
 *
 * The device is in slot 1 of bus kt.  A suite embeds the guest in one of its own
 * or uses it as it is: conn_guest_init(), then attributes, "enable" the last of
 * them, then conn_guest_plug(); in its exit hook conn_guest_destroy(), which also
 * cleans up after a case that died on the way.
 */
#ifndef _VBUS_KUNIT_CONN_GUEST_H
#define _VBUS_KUNIT_CONN_GUEST_H

#include <kunit/test.h>
#include <linux/io.h>
#include <linux/vbus_abi.h>
#include <vbus/ring.h>
#include <vbus/host/session.h>

#define CONN_GUEST_QUEUES	4
#define CONN_GUEST_RING_MAX	256

/* An address with no memory behind it. */
#define CONN_GUEST_NOWHERE	BIT_ULL(50)

/**
 * struct conn_guest_queue - north end of a queue
 * @north: the ring
 * @area: its shared memory, room for CONN_GUEST_RING_MAX
 * @state: its private memory
 * @signals: interrupts so far
 */
struct conn_guest_queue {
	struct ioq_north north;
	void *area;
	void *state;
	atomic_t signals;
};

/**
 * struct conn_guest - the guest
 * @test: current case
 * @device: name of the device, "class.name"
 * @session: on bus kt
 * @conn: of slot 1
 * @q: queues
 * @changes: config interrupts so far
 * @buf: @buf_size bytes, physically contiguous
 * @buf_size: of @buf
 */
struct conn_guest {
	struct kunit *test;
	const char *device;
	struct vbus_session *session;
	struct vbus_conn *conn;
	struct conn_guest_queue q[CONN_GUEST_QUEUES];
	atomic_t changes;
	u8 *buf;
	size_t buf_size;
};

/* Shell command in /sys/kernel/config/vbus; its exit status. */
int conn_guest_shell(const char *command);
/* An attribute below /sys/kernel/config/vbus; 0 or errno. */
int conn_guest_write(const char *path, const char *value);
int conn_guest_read(const char *path, char *text, size_t size);

/* Device, bus and slot made, in defaults; @g is zeroed. */
void conn_guest_init(struct conn_guest *g, struct kunit *test,
		     const char *device, size_t buf_size);
/* An attribute of the device. */
int conn_guest_attr(struct conn_guest *g, const char *attr, const char *value);
/* The enabled device plugged and opened; not started. */
void conn_guest_plug(struct conn_guest *g);
/* The guest goes, its device stays; may be called at any time. */
void conn_guest_unplug(struct conn_guest *g);
/* All of it goes. */
void conn_guest_destroy(struct conn_guest *g);

/* A line of the device's stats. */
u64 conn_guest_stat(struct conn_guest *g, const char *name);

u32 conn_guest_reg(struct conn_guest *g, u32 off);
int conn_guest_set(struct conn_guest *g, u32 off, u32 val);
int conn_guest_set64(struct conn_guest *g, u32 off, u64 val);
bool conn_guest_broken(struct conn_guest *g);

/* Reset and offer features; errno -EOPNOTSUPP if the device disagrees. */
int conn_guest_negotiate(struct conn_guest *g, u64 features);
int conn_guest_enable(struct conn_guest *g, u32 queue, u32 size);
/* All of it up to RUNNING, with the first @nr queues. */
int conn_guest_start(struct conn_guest *g, u64 features, u32 nr, u32 size);
void conn_guest_reset(struct conn_guest *g);
/* Publish what was added to queue @q, and kick. */
void conn_guest_kick(struct conn_guest *g, u32 q);

static inline u64 conn_guest_addr(struct conn_guest *g, u32 off)
{
	return virt_to_phys(g->buf + off);
}

#endif /* _VBUS_KUNIT_CONN_GUEST_H */
