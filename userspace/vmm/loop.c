// SPDX-License-Identifier: GPL-2.0
/*
 * The main loop. epoll hands back the address of a source, which may have been
 * deleted by a callback before its turn comes; so one event is taken at a time.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct loop {
	int fd;
};

struct loop *loop_new(void)
{
	struct loop *loop = malloc(sizeof(*loop));

	if (!loop)
		return NULL;
	loop->fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->fd < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->fd);
	free(loop);
}

static int loop_ctl(struct loop *loop, int op, struct loop_source *source,
		    uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(loop->fd, op, source->fd, &event) ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return loop_ctl(loop, EPOLL_CTL_ADD, source, events);
}

int loop_mod(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return loop_ctl(loop, EPOLL_CTL_MOD, source, events);
}

void loop_del(struct loop *loop, struct loop_source *source)
{
	loop_ctl(loop, EPOLL_CTL_DEL, source, 0);
}

int loop_run_once(struct loop *loop)
{
	struct loop_source *source;
	struct epoll_event event;
	int n;

	n = epoll_wait(loop->fd, &event, 1, -1);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n) {
		source = event.data.ptr;
		source->fn(source->opaque, event.events);
	}
	return 0;
}
