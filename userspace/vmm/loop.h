/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The main loop: epoll with callbacks. There is one, run by the main thread; all
 * callbacks run there, one at a time. loop_add(), loop_mod(), loop_del() may be
 * called by any thread.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdint.h>

struct loop;

/* @events: EPOLLIN ... that are up. */
typedef void (*loop_fn)(void *opaque, uint32_t events);

/**
 * struct loop_source - a file descriptor that the loop watches
 *
 * Lives in the structure of its owner. The owner fills in fd, fn and opaque, and
 * keeps it until after loop_del().
 */
struct loop_source {
	int fd;
	loop_fn fn;
	void *opaque;
};

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Return: 0 or a negative errno. */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
int loop_mod(struct loop *loop, struct loop_source *source, uint32_t events);

/*
 * In the main thread: fn is not called again after this returns. In another
 * thread: fn may be running or be called once more, so only the main thread may
 * free the source.
 */
void loop_del(struct loop *loop, struct loop_source *source);

/*
 * Wait for events and call what they belong to, once.
 * Return: 0 or a negative errno.
 */
int loop_run_once(struct loop *loop);

#endif /* VMM_LOOP_H */
