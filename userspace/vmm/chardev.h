/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The far end of a serial port: terminal, file, UNIX socket, pseudo terminal or
 * nothing. Never blocks but on a file.
 *
 * chardev_send() may be called by any thread; chardev->lock protects the output. All
 * else runs in the main thread. Callbacks are called without the lock.
 */
#ifndef VMM_CHAN_H
#define VMM_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chardev;
struct chardev_option;
struct loop;

/**
 * struct chardev_ops - what a channel asks of its port
 * @room: bytes that @input takes now
 * @input: bytes from the far end, never more than @room said
 * @drained: chardev_send() has room again after it said that it had none
 * @quit: the user typed Ctrl-A x on a terminal
 */
struct chardev_ops {
	size_t (*room)(void *opaque);
	void (*input)(void *opaque, const uint8_t *data, size_t len);
	void (*drained)(void *opaque);
	void (*quit)(void *opaque);
};

/* Return: 0 or, after a message that begins with @name, a negative errno. */
int chardev_new(struct loop *loop, const char *name, const struct chardev_option *opt,
		const struct chardev_ops *ops, void *opaque, struct chardev **out);
/* What can't be written at once is lost. */
void chardev_free(struct chardev *chardev);

/*
 * Send a byte, or lose it if nobody is at the far end.
 * Return: whether there is room for another one. If there was none, the byte is lost.
 */
bool chardev_send(struct chardev *chardev, uint8_t byte);

/* room() is not 0 any more. Any thread. */
void chardev_resume_input(struct chardev *chardev);

/* Give the terminal back as it was found; also from a signal handler. */
void chardev_restore_terminal(void);

#endif /* VMM_CHAN_H */
