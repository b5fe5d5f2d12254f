// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM whose guest has requests at a disk that does not answer, told what to do by
 * lines on standard input:
 *
 *	post N		read N pages of the disk, without waiting
 *	take N		wait until N reads have come back
 *	close		close the device
 *	reset		reset the device, as the guest does
 *	fork		go on in a child, which has all files too, and end this process
 *
 * and answers each with a line, "ok" or what is wrong.
 *
 *	stuck [-n] BUS SLOT [SLOT...]
 *
 * With -n the guest has the disk through the native front, and the VMM no fd of it.
 * The disk is in the first slot; what is in the others is opened before it, so that its end
 * comes after that of the disk.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/vbus_blk.h>
#include "native_guest.h"

#define RING		64
#define PATIENCE_MS	20000

/* Where a request lies, and what of it. */
#define REQ(i)		(GUEST_DATA + (i) * 0x2000UL)
#define REQ_STATUS	64
#define REQ_DATA	0x1000

static struct guest g;
static struct guest_queue q;
static struct native n;
static bool native;
static u32 disk;
static unsigned int posted;

static int ring(void)
{
	u64 one = 1;

	if (native)
		return native_fast(&n, 0, VBUS_FN_KICK, disk, 0);
	return write(q.bell, &one, sizeof(one)) == sizeof(one) ? 0 : -1;
}

static int post(unsigned int count)
{
	for (; count; count--, posted++) {
		u64 addr = GUEST_ADDR + REQ(posted % RING);
		struct vbus_blk_req *req = (void *)(g.mem + REQ(posted % RING));
		struct ioq_seg segs[3] = {
			{ .addr = addr, .len = sizeof(*req) },
			{ .addr = addr + REQ_DATA, .len = 4096, .write = 1 },
			{ .addr = addr + REQ_STATUS, .write = 1,
			  .len = sizeof(struct vbus_blk_status) },
		};

		memset(req, 0, sizeof(*req));
		req->op = VBUS_BLK_OP_READ;
		req->sector = 8 * (posted % RING);
		if (ioq_north_add(&q.north, segs, 3, req))
			return -1;
	}
	ioq_north_publish(&q.north);
	return ring();
}

/* Signals are another test's business. */
static int take(unsigned int count)
{
	unsigned int patience = PATIENCE_MS;
	u32 len;

	while (count) {
		if (!ioq_north_get(&q.north, &len)) {
			if (!patience--) {
				errno = ETIME;
				return -1;
			}
			usleep(1000);
			continue;
		}
		if (len != 4096) {
			errno = EIO;
			return -1;
		}
		count--;
	}
	return 0;
}

/* The same as run_disk() by calls of the guest. */
static int run_native(void)
{
	u32 base = VBUS_REG_QUEUE(0), status = VBUS_STATUS_DRIVER;
	struct vbus_slot_info info;

	native = true;
	errno = EPROTO;
	q.state = calloc(1, ioq_north_state_bytes(RING));
	if (!q.state || native_open(&n, &g) || native_start(&n) ||
	    native_info(&n, disk, &info) ||
	    native_slow(&n, VBUS_FN_OPEN, disk, info.plugs, 0, NULL, 0) ||
	    native_set_reg32(&n, disk, VBUS_REG_STATUS, status))
		return -1;
	status |= VBUS_STATUS_FEATURES_OK;
	if (native_set_reg32(&n, disk, VBUS_REG_STATUS, status) ||
	    ioq_north_init(&q.north, g.mem + GUEST_RING(0), RING, 0, q.state) ||
	    native_set_reg32(&n, disk, base + VBUS_QREG_SIZE, RING) ||
	    native_set_reg64(&n, disk, base + VBUS_QREG_RING,
			     GUEST_ADDR + GUEST_RING(0)) ||
	    native_set_reg32(&n, disk, base + VBUS_QREG_ENABLE, 1))
		return -1;
	status |= VBUS_STATUS_RUNNING;
	return native_set_reg32(&n, disk, VBUS_REG_STATUS, status) ? -1 : 0;
}

static int run_disk(void)
{
	return guest_open_slot(&g, disk) || guest_negotiate(&g, 0) ||
	       guest_queue_setup(&g, &q, 0, RING, 0) || guest_run(&g) ? -1 : 0;
}

static int close_device(void)
{
	int ret = close(g.dev);

	g.dev = -1;
	return ret;
}

static int go_on_in_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid)
		_exit(0);
	return 0;
}

static int obey(const char *line)
{
	unsigned int count;

	if (sscanf(line, "post %u", &count) == 1)
		return post(count);
	if (sscanf(line, "take %u", &count) == 1)
		return take(count);
	if (!strcmp(line, "close\n"))
		return close_device();
	if (!strcmp(line, "reset\n"))
		return guest_write32(&g, VBUS_REG_STATUS, 0);
	if (!strcmp(line, "fork\n"))
		return go_on_in_child();
	errno = EINVAL;
	return -1;
}

static int open_others(char **slots)
{
	struct guest other = g;

	for (; *slots; slots++)
		if (guest_open_slot(&other, atoi(*slots)))
			return -1;
	return 0;
}

static void answer(int ret)
{
	if (ret)
		printf("%s\n", strerror(errno));
	else
		printf("ok %d\n", getpid());
	fflush(stdout);
}

int main(int argc, char **argv)
{
	bool by_calls = argc > 1 && !strcmp(argv[1], "-n");
	char line[32];

	argv += by_calls;
	if (argc - by_calls < 3) {
		fprintf(stderr, "usage: stuck [-n] BUS SLOT [SLOT...]\n");
		return 2;
	}
	disk = atoi(argv[2]);
	if (guest_open(&g, argv[1]) || guest_add_memory(&g) ||
	    open_others(argv + 3) || (by_calls ? run_native() : run_disk())) {
		answer(-1);
		return 1;
	}
	answer(0);
	while (fgets(line, sizeof(line), stdin))
		answer(obey(line));
	/* Its end is to be that of whoever kills it. */
	for (;;)
		pause();
}
