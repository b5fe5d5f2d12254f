// SPDX-License-Identifier: GPL-2.0
/*
 * Channels: moving the bytes. How the far end is opened is in chardev_open.c.
 *
 * Output goes straight to the file descriptor; only what that does not take is
 * kept, and the loop writes it later. While nobody is at the far end of a socket,
 * output is lost, as on a line that is not plugged in.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "chardev_priv.h"
#include "log.h"

#define ESCAPE		1	/* Ctrl-A */

/*
 * What epoll shall wait for; chardev->lock is held. Edge-triggered, because a far end
 * that is hung up, as a pseudo terminal that nobody has opened, would be reported
 * all the time. Only stdin is not: it may block, so it is read once for each report.
 */
static void update_events(struct chardev *chardev)
{
	uint32_t in, out = 0;

	in = chardev->input_stopped ? 0 : EPOLLIN;
	if (chardev->used)
		out = EPOLLOUT;
	if (chardev->kind != CHAN_STDIO)
		in |= EPOLLET;
	if (chardev->in.fd == chardev->out_fd) {
		in |= out;
	} else if (chardev->out.fd >= 0 && out != chardev->out_events) {
		loop_mod(chardev->loop, &chardev->out, out | EPOLLET);
		chardev->out_events = out;
	}
	/* Edge-triggered, a change makes epoll look again: never skip one. */
	if (chardev->in.fd >= 0 && (in != chardev->in_events || in & EPOLLET)) {
		loop_mod(chardev->loop, &chardev->in, in);
		chardev->in_events = in;
	}
}

static bool hung_up(const struct chardev *chardev)
{
	struct pollfd fd = { .fd = chardev->out_fd };

	return chardev->kind == CHAN_PTY && poll(&fd, 1, 0) > 0 &&
	       fd.revents & POLLHUP;
}

/* Write what is kept; chardev->lock is held. Return: whether it stopped being full. */
static bool flush(struct chardev *chardev)
{
	bool was_full = chardev->full;
	ssize_t n;

	while (chardev->used && chardev->out_fd >= 0) {
		n = write(chardev->out_fd, chardev->buf + chardev->start, chardev->used);
		/* A terminal that blocks, and somebody who wants this thread back. */
		if (n < 0 && errno == EINTR)
			break;
		if (n < 0 && errno == EAGAIN && !hung_up(chardev))
			break;
		if (n < 0) {
			/* Nobody there: a reader may come yet, to a terminal. */
			chardev->used = 0;
			break;
		}
		chardev->start += n;
		chardev->used -= n;
	}
	if (!chardev->used || chardev->out_fd < 0) {
		chardev->start = 0;
		chardev->used = 0;
	}
	if (chardev->used < CHAN_BUFFER / 2)
		chardev->full = false;
	return was_full && !chardev->full;
}

/* Room behind what is kept; chardev->lock is held. */
static bool make_room(struct chardev *chardev)
{
	if (chardev->start + chardev->used < CHAN_BUFFER)
		return true;
	if (!chardev->start)
		return false;
	memmove(chardev->buf, chardev->buf + chardev->start, chardev->used);
	chardev->start = 0;
	return true;
}

bool chardev_send(struct chardev *chardev, uint8_t byte)
{
	bool room = true;

	pthread_mutex_lock(&chardev->lock);
	if (chardev->out_fd >= 0) {
		bool idle = !chardev->used;

		if (make_room(chardev))
			chardev->buf[chardev->start + chardev->used++] = byte;
		if (idle) {
			flush(chardev);
			if (chardev->used)
				update_events(chardev);
		}
		if (chardev->used == CHAN_BUFFER)
			chardev->full = true;
		room = !chardev->full;
	}
	pthread_mutex_unlock(&chardev->lock);
	return room;
}

void chardev_resume_input(struct chardev *chardev)
{
	pthread_mutex_lock(&chardev->lock);
	if (chardev->input_stopped) {
		chardev->input_stopped = false;
		update_events(chardev);
	}
	pthread_mutex_unlock(&chardev->lock);
}

/* Ctrl-A x ends the machine, Ctrl-A Ctrl-A is one Ctrl-A. Return: bytes left. */
static size_t filter_escapes(struct chardev *chardev, uint8_t *data, size_t len)
{
	size_t i, left = 0;

	for (i = 0; i < len; i++) {
		if (chardev->escaped) {
			chardev->escaped = false;
			if (data[i] == 'x') {
				chardev->ops->quit(chardev->opaque);
				continue;
			}
			if (data[i] != ESCAPE)
				continue;
		} else if (data[i] == ESCAPE) {
			chardev->escaped = true;
			continue;
		}
		data[left++] = data[i];
	}
	return left;
}

static void end_input(struct chardev *chardev)
{
	if (chardev->kind == CHAN_UNIX) {
		chardev_disconnect(chardev);
		return;
	}
	/* A pipe that is at its end, or a terminal that is gone: stays ready. */
	loop_del(chardev->loop, &chardev->in);
	pthread_mutex_lock(&chardev->lock);
	if (chardev->in.fd != chardev->out_fd)
		close(chardev->in.fd);
	chardev->in.fd = -1;
	pthread_mutex_unlock(&chardev->lock);
}

/* The port is full. Return: whether it still is. */
static bool stop_input(struct chardev *chardev, uint32_t events)
{
	bool stopped;

	pthread_mutex_lock(&chardev->lock);
	stopped = chardev->input_stopped;
	chardev->input_stopped = true;
	/* Once only: it would bring the report of a hang-up again and again. */
	if (!stopped)
		update_events(chardev);
	pthread_mutex_unlock(&chardev->lock);
	/* The guest may have taken bytes in between. */
	if (chardev->ops->room(chardev->opaque)) {
		chardev_resume_input(chardev);
		return false;
	}
	if (chardev->kind == CHAN_STDIO && events & (EPOLLHUP | EPOLLERR))
		end_input(chardev);
	return true;
}

void chardev_on_input(void *opaque, uint32_t events)
{
	struct chardev *chardev = opaque;
	uint8_t data[256];
	bool drained;
	size_t room;
	ssize_t n;

	if (events & EPOLLOUT)
		chardev_on_output(chardev, events);
	for (;;) {
		room = chardev->ops->room(chardev->opaque);
		if (!room) {
			if (stop_input(chardev, events))
				break;
			continue;
		}
		n = read(chardev->in.fd, data, room < sizeof(data) ? room : sizeof(data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno == EIO && chardev->kind == CHAN_PTY)
			break;
		if (n <= 0) {
			end_input(chardev);
			break;
		}
		if (chardev->escapes)
			n = filter_escapes(chardev, data, n);
		if (n)
			chardev->ops->input(chardev->opaque, data, n);
		/* Level-triggered, and a blocking terminal must not be read twice. */
		if (chardev->kind == CHAN_STDIO)
			break;
	}
	/* A peer that went away took the output with it. */
	pthread_mutex_lock(&chardev->lock);
	drained = flush(chardev);
	pthread_mutex_unlock(&chardev->lock);
	if (drained)
		chardev->ops->drained(chardev->opaque);
}

void chardev_on_output(void *opaque, uint32_t events)
{
	struct chardev *chardev = opaque;
	bool drained;

	(void)events;
	pthread_mutex_lock(&chardev->lock);
	drained = flush(chardev);
	if (!chardev->used)
		update_events(chardev);
	pthread_mutex_unlock(&chardev->lock);
	if (drained)
		chardev->ops->drained(chardev->opaque);
}

void chardev_free(struct chardev *chardev)
{
	if (!chardev)
		return;
	chardev_close(chardev);
	pthread_mutex_destroy(&chardev->lock);
	free(chardev);
}
