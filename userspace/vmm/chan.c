// SPDX-License-Identifier: GPL-2.0
/*
 * Channels: moving the bytes. How the far end is opened is in chan_open.c.
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

#include "chan_priv.h"
#include "log.h"

#define ESCAPE		1	/* Ctrl-A */

/*
 * What epoll shall wait for; chan->lock is held. Edge-triggered, because a far end
 * that is hung up, as a pseudo terminal that nobody has opened, would be reported
 * all the time. Only stdin is not: it may block, so it is read once for each report.
 */
static void update_events(struct chan *chan)
{
	uint32_t in, out = 0;

	in = chan->input_stopped ? 0 : EPOLLIN;
	if (chan->used)
		out = EPOLLOUT;
	if (chan->kind != CHAN_STDIO)
		in |= EPOLLET;
	if (chan->in.fd == chan->out_fd) {
		in |= out;
	} else if (chan->out.fd >= 0 && out != chan->out_events) {
		loop_mod(chan->loop, &chan->out, out | EPOLLET);
		chan->out_events = out;
	}
	/* Edge-triggered, a change makes epoll look again: never skip one. */
	if (chan->in.fd >= 0 && (in != chan->in_events || in & EPOLLET)) {
		loop_mod(chan->loop, &chan->in, in);
		chan->in_events = in;
	}
}

static bool hung_up(const struct chan *chan)
{
	struct pollfd fd = { .fd = chan->out_fd };

	return chan->kind == CHAN_PTY && poll(&fd, 1, 0) > 0 &&
	       fd.revents & POLLHUP;
}

/* Write what is kept; chan->lock is held. Return: whether it stopped being full. */
static bool flush(struct chan *chan)
{
	bool was_full = chan->full;
	ssize_t n;

	while (chan->used && chan->out_fd >= 0) {
		n = write(chan->out_fd, chan->buf + chan->start, chan->used);
		/* A terminal that blocks, and somebody who wants this thread back. */
		if (n < 0 && errno == EINTR)
			break;
		if (n < 0 && errno == EAGAIN && !hung_up(chan))
			break;
		if (n < 0) {
			/* Nobody there: a reader may come yet, to a terminal. */
			chan->used = 0;
			break;
		}
		chan->start += n;
		chan->used -= n;
	}
	if (!chan->used || chan->out_fd < 0) {
		chan->start = 0;
		chan->used = 0;
	}
	if (chan->used < CHAN_BUFFER / 2)
		chan->full = false;
	return was_full && !chan->full;
}

/* Room behind what is kept; chan->lock is held. */
static bool make_room(struct chan *chan)
{
	if (chan->start + chan->used < CHAN_BUFFER)
		return true;
	if (!chan->start)
		return false;
	memmove(chan->buf, chan->buf + chan->start, chan->used);
	chan->start = 0;
	return true;
}

bool chan_send(struct chan *chan, uint8_t byte)
{
	bool room = true;

	pthread_mutex_lock(&chan->lock);
	if (chan->out_fd >= 0) {
		bool idle = !chan->used;

		if (make_room(chan))
			chan->buf[chan->start + chan->used++] = byte;
		if (idle) {
			flush(chan);
			if (chan->used)
				update_events(chan);
		}
		if (chan->used == CHAN_BUFFER)
			chan->full = true;
		room = !chan->full;
	}
	pthread_mutex_unlock(&chan->lock);
	return room;
}

void chan_resume_input(struct chan *chan)
{
	pthread_mutex_lock(&chan->lock);
	if (chan->input_stopped) {
		chan->input_stopped = false;
		update_events(chan);
	}
	pthread_mutex_unlock(&chan->lock);
}

/* Ctrl-A x ends the machine, Ctrl-A Ctrl-A is one Ctrl-A. Return: bytes left. */
static size_t filter_escapes(struct chan *chan, uint8_t *data, size_t len)
{
	size_t i, left = 0;

	for (i = 0; i < len; i++) {
		if (chan->escaped) {
			chan->escaped = false;
			if (data[i] == 'x') {
				chan->ops->quit(chan->opaque);
				continue;
			}
			if (data[i] != ESCAPE)
				continue;
		} else if (data[i] == ESCAPE) {
			chan->escaped = true;
			continue;
		}
		data[left++] = data[i];
	}
	return left;
}

static void end_input(struct chan *chan)
{
	if (chan->kind == CHAN_UNIX) {
		chan_disconnect(chan);
		return;
	}
	/* A pipe that is at its end, or a terminal that is gone: stays ready. */
	loop_del(chan->loop, &chan->in);
	pthread_mutex_lock(&chan->lock);
	if (chan->in.fd != chan->out_fd)
		close(chan->in.fd);
	chan->in.fd = -1;
	pthread_mutex_unlock(&chan->lock);
}

/* The port is full. Return: whether it still is. */
static bool stop_input(struct chan *chan, uint32_t events)
{
	bool stopped;

	pthread_mutex_lock(&chan->lock);
	stopped = chan->input_stopped;
	chan->input_stopped = true;
	/* Once only: it would bring the report of a hang-up again and again. */
	if (!stopped)
		update_events(chan);
	pthread_mutex_unlock(&chan->lock);
	/* The guest may have taken bytes in between. */
	if (chan->ops->room(chan->opaque)) {
		chan_resume_input(chan);
		return false;
	}
	if (chan->kind == CHAN_STDIO && events & (EPOLLHUP | EPOLLERR))
		end_input(chan);
	return true;
}

void chan_on_input(void *opaque, uint32_t events)
{
	struct chan *chan = opaque;
	uint8_t data[256];
	bool drained;
	size_t room;
	ssize_t n;

	if (events & EPOLLOUT)
		chan_on_output(chan, events);
	for (;;) {
		room = chan->ops->room(chan->opaque);
		if (!room) {
			if (stop_input(chan, events))
				break;
			continue;
		}
		n = read(chan->in.fd, data, room < sizeof(data) ? room : sizeof(data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno == EIO && chan->kind == CHAN_PTY)
			break;
		if (n <= 0) {
			end_input(chan);
			break;
		}
		if (chan->escapes)
			n = filter_escapes(chan, data, n);
		if (n)
			chan->ops->input(chan->opaque, data, n);
		/* Level-triggered, and a blocking terminal must not be read twice. */
		if (chan->kind == CHAN_STDIO)
			break;
	}
	/* A peer that went away took the output with it. */
	pthread_mutex_lock(&chan->lock);
	drained = flush(chan);
	pthread_mutex_unlock(&chan->lock);
	if (drained)
		chan->ops->drained(chan->opaque);
}

void chan_on_output(void *opaque, uint32_t events)
{
	struct chan *chan = opaque;
	bool drained;

	(void)events;
	pthread_mutex_lock(&chan->lock);
	drained = flush(chan);
	if (!chan->used)
		update_events(chan);
	pthread_mutex_unlock(&chan->lock);
	if (drained)
		chan->ops->drained(chan->opaque);
}

void chan_free(struct chan *chan)
{
	if (!chan)
		return;
	chan_close(chan);
	pthread_mutex_destroy(&chan->lock);
	free(chan);
}
