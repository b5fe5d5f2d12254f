// SPDX-License-Identifier: GPL-2.0
/*
 * usage: writer write DEVICE fsync|fua|none	in a guest
 *        writer check DEVICE COUNT		afterwards, elsewhere
 *
 * Writes numbered records of 4 KiB to a disk, one after the other, each at a place of its
 * own that follows from its number, and prints the number when the disk has promised that
 * it is safe: after fdatasync(), or because of O_DSYNC.  "none" prints it without such a
 * promise, to show that the test would notice.  check looks whether every record up to
 * COUNT is there.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fs.h>

#define RECORD	4096
/* Prime, and no divisor of any number of places: neighbours are far apart. */
#define STRIDE	7919

static _Alignas(RECORD) uint64_t record[RECORD / sizeof(uint64_t)];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t places(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	uint64_t n = end / RECORD;

	if (end < RECORD)
		die("size");
	return n % STRIDE ? n : n - 1;
}

static off_t place_of(uint64_t nr, uint64_t n)
{
	return nr * STRIDE % n * RECORD;
}

static void fill(uint64_t nr)
{
	size_t i;

	for (i = 0; i < RECORD / sizeof(uint64_t); i++)
		record[i] = nr * 0x9e3779b97f4a7c15ULL + i;
}

static void write_records(const char *path, const char *how)
{
	int flags = O_RDWR | O_DIRECT | (strcmp(how, "fua") ? 0 : O_DSYNC);
	int fd = open(path, flags);
	uint64_t nr, n;

	if (fd < 0)
		die(path);
	n = places(fd);
	for (nr = 1; nr <= n; nr++) {
		fill(nr);
		if (pwrite(fd, record, RECORD, place_of(nr, n)) != RECORD)
			die("write");
		if (!strcmp(how, "fsync") && fdatasync(fd))
			die("fdatasync");
		if (printf("%llu\n", (unsigned long long)nr) < 0 || fflush(stdout))
			die("stdout");
	}
}

static void check_records(const char *path, uint64_t count)
{
	uint64_t have[RECORD / sizeof(uint64_t)], nr, n, lost = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	n = places(fd);
	for (nr = 1; nr <= count; nr++) {
		fill(nr);
		if (pread(fd, have, RECORD, place_of(nr, n)) != RECORD)
			die("read");
		if (!memcmp(have, record, RECORD))
			continue;
		if (!lost++)
			printf("record %llu is not there\n", (unsigned long long)nr);
	}
	printf("%llu records, %llu lost\n", (unsigned long long)count,
	       (unsigned long long)lost);
	exit(lost ? 1 : 0);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "write")) {
		write_records(argv[2], argv[3]);
	} else if (argc == 4 && !strcmp(argv[1], "check")) {
		check_records(argv[2], strtoull(argv[3], NULL, 10));
	} else {
		fprintf(stderr, "usage: writer write DEVICE fsync|fua|none | check DEVICE COUNT\n");
		return 2;
	}
	return 0;
}
