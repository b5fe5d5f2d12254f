// SPDX-License-Identifier: GPL-2.0
/*
 * Channels: opening and closing the far end. Main thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "chardev_priv.h"
#include "log.h"

/* At most one channel is stdio. */
static struct termios saved_termios;
static bool terminal_is_raw;

void chardev_restore_terminal(void)
{
	if (terminal_is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
	terminal_is_raw = false;
}

static void make_terminal_raw(void)
{
	struct termios raw;

	/* In the background the terminal belongs to others. */
	if (tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &saved_termios))
		return;
	raw = saved_termios;
	cfmakeraw(&raw);
	if (!tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		terminal_is_raw = true;
}

/*
 * O_NONBLOCK belongs to what was opened, which the user's shell shares; so open
 * anew what can be.
 */
static int reopen_stdout(void)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDOUT_FILENO, &st))
		return -1;
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))
		fd = open("/proc/self/fd/1",
			  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (S_ISSOCK(st.st_mode))
		fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
	return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

static int open_stdio(struct chardev *chardev)
{
	int ret;

	chardev->out_fd = reopen_stdout();
	if (chardev->out_fd < 0)
		return -errno;
	chardev->out.fd = chardev->out_fd;
	ret = loop_add(chardev->loop, &chardev->out, EPOLLET);
	if (ret == -EPERM)
		chardev->out.fd = -1;	/* a file: never has to be waited for */
	else if (ret)
		return ret;
	chardev->in.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (chardev->in.fd < 0)
		return 0;
	chardev->in_events = EPOLLIN;
	ret = loop_add(chardev->loop, &chardev->in, EPOLLIN);
	if (ret) {
		/* A file or /dev/null: no input. */
		close(chardev->in.fd);
		chardev->in.fd = -1;
	} else if (isatty(STDIN_FILENO)) {
		chardev->escapes = true;
		make_terminal_raw();
	}
	return 0;
}

static int open_file(struct chardev *chardev, const char *path)
{
	chardev->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
			       O_NOCTTY, 0666);
	return chardev->out_fd < 0 ? -errno : 0;
}

static int open_pty(struct chardev *chardev, const char *link)
{
	struct termios raw;
	char name[64];
	int fd, ret;

	fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	chardev->in.fd = fd;
	chardev->out_fd = fd;
	if (grantpt(fd) || unlockpt(fd) || ptsname_r(fd, name, sizeof(name)) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) || tcgetattr(fd, &raw))
		return -errno;
	/* Of the other side: nothing may be echoed to the guest. */
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw))
		return -errno;
	if (link) {
		struct stat st;

		/* One that an earlier run left. */
		if (!lstat(link, &st) && S_ISLNK(st.st_mode))
			unlink(link);
		if (symlink(name, link)) {
			ret = -errno;
			log_error("%s pty: can't make link %s: %s", chardev->name,
				  link, strerror(-ret));
			return ret;
		}
	}
	log_note("%s is %s", chardev->name, name);
	chardev->in_events = EPOLLIN | EPOLLET;
	return loop_add(chardev->loop, &chardev->in, chardev->in_events);
}

static void on_connect(void *opaque, uint32_t events)
{
	struct chardev *chardev = opaque;
	int fd, ret;

	(void)events;
	fd = accept4(chardev->listen.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	pthread_mutex_lock(&chardev->lock);
	chardev->in.fd = fd;
	chardev->out_fd = fd;
	chardev->in_events = EPOLLIN | EPOLLET;
	chardev->input_stopped = false;
	ret = loop_add(chardev->loop, &chardev->in, chardev->in_events);
	if (ret) {
		chardev->in.fd = -1;
		chardev->out_fd = -1;
	}
	pthread_mutex_unlock(&chardev->lock);
	if (ret) {
		close(fd);
		return;
	}
	/* One at a time: the next one waits until this one is gone. */
	loop_del(chardev->loop, &chardev->listen);
}

void chardev_disconnect(struct chardev *chardev)
{
	int fd = chardev->in.fd;

	loop_del(chardev->loop, &chardev->in);
	pthread_mutex_lock(&chardev->lock);
	chardev->out_fd = -1;
	chardev->in.fd = -1;
	pthread_mutex_unlock(&chardev->lock);
	close(fd);
	if (loop_add(chardev->loop, &chardev->listen, EPOLLIN))
		log_error("%s: can't wait for a connection any more", chardev->name);
}

static int open_unix(struct chardev *chardev, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	chardev->listen.fd = fd;
	/* The options are checked for its length. */
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	/* One that an earlier run left: nobody can connect to it. */
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode)) {
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return -EADDRINUSE;
		unlink(path);
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 1))
		return -errno;
	return loop_add(chardev->loop, &chardev->listen, EPOLLIN);
}

int chardev_new(struct loop *loop, const char *name, const struct chardev_option *opt,
		const struct chardev_ops *ops, void *opaque, struct chardev **out)
{
	struct chardev *chardev;
	int ret = 0;

	chardev = calloc(1, sizeof(*chardev));
	if (!chardev)
		return -ENOMEM;
	*chardev = (struct chardev){
		.loop = loop,
		.name = name,
		.kind = opt->kind,
		.ops = ops,
		.opaque = opaque,
		.in = { -1, chardev_on_input, chardev },
		.out = { -1, chardev_on_output, chardev },
		.listen = { -1, on_connect, chardev },
		.out_fd = -1,
	};
	pthread_mutex_init(&chardev->lock, NULL);
	switch (opt->kind) {
	case CHAN_NONE:
		break;
	case CHAN_STDIO:
		ret = open_stdio(chardev);
		break;
	case CHAN_FILE:
		ret = open_file(chardev, opt->path);
		break;
	case CHAN_UNIX:
		ret = open_unix(chardev, opt->path);
		break;
	case CHAN_PTY:
		ret = open_pty(chardev, opt->path);
		break;
	}
	if (ret) {
		log_error("%s: can't open %s: %s", name,
			  opt->path ? opt->path : "it", strerror(-ret));
		chardev_free(chardev);
		return ret;
	}
	*out = chardev;
	return 0;
}

void chardev_close(struct chardev *chardev)
{
	if (chardev->kind == CHAN_STDIO)
		chardev_restore_terminal();
	if (chardev->in.fd >= 0) {
		loop_del(chardev->loop, &chardev->in);
		if (chardev->in.fd != chardev->out_fd)
			close(chardev->in.fd);
	}
	if (chardev->out.fd >= 0)
		loop_del(chardev->loop, &chardev->out);
	if (chardev->out_fd >= 0)
		close(chardev->out_fd);
	if (chardev->listen.fd >= 0) {
		loop_del(chardev->loop, &chardev->listen);
		close(chardev->listen.fd);
	}
}
