/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The far end of a serial port: terminal, file, UNIX socket, pseudo terminal or
 * nothing. Never blocks but on a file.
 *
 * chan_send() may be called by any thread; chan->lock protects the output. All
 * else runs in the main thread. Callbacks are called without the lock.
 */
#ifndef VMM_CHAN_H
#define VMM_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chan;
struct chan_option;
struct loop;

/**
 * struct chan_ops - what a channel asks of its port
 * @room: bytes that @input takes now
 * @input: bytes from the far end, never more than @room said
 * @drained: chan_send() has room again after it said that it had none
 * @quit: the user typed Ctrl-A x on a terminal
 */
struct chan_ops {
	size_t (*room)(void *opaque);
	void (*input)(void *opaque, const uint8_t *data, size_t len);
	void (*drained)(void *opaque);
	void (*quit)(void *opaque);
};

/* Return: 0 or, after a message that begins with @name, a negative errno. */
int chan_new(struct loop *loop, const char *name, const struct chan_option *opt,
	     const struct chan_ops *ops, void *opaque, struct chan **out);
/* What can't be written at once is lost. */
void chan_free(struct chan *chan);

/*
 * Send a byte, or lose it if nobody is at the far end.
 * Return: whether there is room for another one. If there was none, the byte is lost.
 */
bool chan_send(struct chan *chan, uint8_t byte);

/* room() is not 0 any more. Any thread. */
void chan_resume_input(struct chan *chan);

/* Give the terminal back as it was found; also from a signal handler. */
void chan_restore_terminal(void);

#endif /* VMM_CHAN_H */
