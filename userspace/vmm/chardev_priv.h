/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What chardev.c and chardev_open.c share. Fields above the lock are
 * fixed, but in.fd: that and all below change under the lock, the file descriptors
 * in the main thread only.
 */
#ifndef VMM_CHAN_PRIV_H
#define VMM_CHAN_PRIV_H

#include <pthread.h>

#include "chardev.h"
#include "loop.h"
#include "options.h"

#define CHAN_BUFFER	65536

struct chardev {
	struct loop *loop;
	const char *name;
	enum chardev_kind kind;
	const struct chardev_ops *ops;
	void *opaque;
	bool escapes;		/* Ctrl-A is special */
	bool escaped;		/* and was the last byte */
	struct loop_source in;	/* fd -1: no input */
	struct loop_source out;	/* fd -1: same as in, or not for epoll */
	struct loop_source listen;

	pthread_mutex_t lock;
	int out_fd;		/* -1: nobody there */
	uint32_t in_events, out_events;	/* as epoll knows them */
	bool input_stopped;	/* until the port has room */
	bool full;		/* chardev_send() said so */
	size_t start, used;
	uint8_t buf[CHAN_BUFFER];
};

/* chardev.c: callbacks of the loop; chardev_on_input() takes both for one fd. */
void chardev_on_input(void *opaque, uint32_t events);
void chardev_on_output(void *opaque, uint32_t events);

/* chardev_open.c */
void chardev_disconnect(struct chardev *chardev);
void chardev_close(struct chardev *chardev);

#endif /* VMM_CHAN_PRIV_H */
