// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that keeps what it has no use for: again and again it opens a bus and what is
 * there to open on it, binds eventfds, closes the bus and the eventfds, and keeps the
 * device fd or the native fd.
 *
 *	shells BUS SLOT|native ROUNDS...
 *
 * After each ROUNDS it says how many it keeps, and waits for a line. Ends as the first
 * call does that is refused, and says with what.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <linux/vbus_native.h>
#include "guest.h"

/* What a front may have at most. */
#define QUEUES	VBUS_NATIVE_MAX_QUEUES
#define PAGES	VBUS_NATIVE_MAX_PAGES

static int bind_device(struct guest *g, int event)
{
	u32 vectors = guest_read32(g, VBUS_REG_NR_VECTORS), i;
	struct vbus_dev_doorbell bell = { .size = sizeof(bell), .fd = event };

	for (i = 0; i < vectors; i++) {
		struct vbus_dev_irq irq = {
			.size = sizeof(irq), .vector = i, .fd = event,
		};

		if (ioctl(g->dev, VBUS_DEV_SET_IRQ, &irq))
			return -1;
	}
	return ioctl(g->dev, VBUS_DEV_SET_DOORBELL, &bell);
}

static int open_native(struct guest *g, int event)
{
	struct vbus_open_native open = {
		.size = sizeof(open), .nr_queues = QUEUES, .nr_pages = PAGES,
	};
	struct vbus_native_fd bind = { .size = sizeof(bind), .fd = event };

	if (ioctl(g->bus, VBUS_OPEN_NATIVE, &open))
		return -1;
	for (bind.index = 0; bind.index < QUEUES; bind.index++)
		if (ioctl(open.fd, VBUS_NATIVE_SET_IRQ, &bind))
			return -1;
	bind.index = PAGES - 1;
	return ioctl(open.fd, VBUS_NATIVE_SET_DOORBELL, &bind);
}

static int round_of(const char *bus, const char *what)
{
	struct guest g;
	int event, ret, err;

	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return -1;
	ret = guest_open(&g, bus);
	if (ret) {
		err = errno;
		close(event);
		errno = err;
		return ret;
	}
	if (!strcmp(what, "native"))
		ret = open_native(&g, event);
	else
		ret = guest_open_slot(&g, atoi(what)) ?: bind_device(&g, event);
	err = errno;
	/* The fd is forgotten, not closed. */
	g.dev = -1;
	guest_close(&g);
	close(event);
	errno = err;
	return ret;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int i, kept = 0;
	long rounds;
	char c;

	if (argc < 4) {
		fprintf(stderr, "usage: shells BUS SLOT|native ROUNDS...\n");
		return 2;
	}
	/* As many as the hard limit lets it have. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (i = 3; i < argc; i++) {
		for (rounds = atol(argv[i]); rounds > 0; rounds--, kept++) {
			if (round_of(argv[1], argv[2])) {
				printf("%d: %s\n", kept, strerror(errno));
				return 1;
			}
		}
		printf("%d\n", kept);
		fflush(stdout);
		do {
			if (read(0, &c, 1) != 1)
				return 0;
		} while (c != '\n');
	}
	return 0;
}
