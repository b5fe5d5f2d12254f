// SPDX-License-Identifier: GPL-2.0
/*
 * What the driver shows in debugfs: a directory for each device, with a file that takes
 * orders and one with results.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"

/* Is it "vbus<bus>-<slot>"?  Also what keeps "../.." out of paths. */
static bool name_valid(const char *name)
{
	static const char digits[] = "0123456789";
	size_t n;

	if (strlen(name) >= DIAG_NAME || strncmp(name, "vbus", 4))
		return false;
	name += 4;
	n = strspn(name, digits);
	if (!n || name[n] != '-')
		return false;
	name += n + 1;
	n = strspn(name, digits);
	return n && !name[n];
}

/* Why is there no directory of devices? */
static void explain_no_dir(int err)
{
	if (err == EACCES || err == EPERM || geteuid())
		fprintf(stderr, "vbus-diag: %s can be read by root only\n",
			DIAG_DIR);
	else if (access("/sys/kernel/debug/.", F_OK))
		fprintf(stderr, "vbus-diag: this kernel has no debugfs\n");
	else if (err == ENOENT)
		fprintf(stderr, "vbus-diag: no %s: is vbus-null loaded, and debugfs mounted (mount -t debugfs none /sys/kernel/debug)?\n",
			DIAG_DIR);
	else
		fprintf(stderr, "vbus-diag: %s: %s\n", DIAG_DIR, strerror(err));
}

static int name_filter(const struct dirent *entry)
{
	return name_valid(entry->d_name);
}

/**
 * diag_list() - devices that can be measured
 * @devices: where to put them, sorted; the caller frees it
 *
 * Return: how many, or -1 and the reason is printed.
 */
int diag_list(struct diag_device **devices)
{
	struct dirent **list;
	int i, n;

	n = scandir(DIAG_DIR, &list, name_filter, versionsort);
	if (n < 0) {
		explain_no_dir(errno);
		return -1;
	}
	*devices = calloc(n + 1, sizeof(**devices));
	for (i = 0; i < n; i++) {
		/* It is valid, so it fits. */
		if (*devices)
			memcpy((*devices)[i].name, list[i]->d_name,
			       strnlen(list[i]->d_name, DIAG_NAME - 1));
		free(list[i]);
	}
	free(list);
	if (!*devices) {
		fprintf(stderr, "vbus-diag: out of memory\n");
		return -1;
	}
	return n;
}

/**
 * diag_open() - take a device for measurements
 * @device: its name
 *
 * The lock is for those who play by the rules: between a run and its result nobody else
 * should start one.
 *
 * Return: file descriptor for diag_run(), or -1 and the reason is printed.
 */
int diag_open(const char *device)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (!name_valid(device)) {
		fprintf(stderr, "vbus-diag: \"%s\" is no name of a device, as vbus0-3 is\n",
			device);
		return -1;
	}
	if (stat(DIAG_DIR, &st)) {
		explain_no_dir(errno);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%s/run", DIAG_DIR, device);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		fprintf(stderr, "vbus-diag: no device %s that vbus-null is bound to; --list shows those there are\n",
			device);
		return -1;
	}
	if (fd < 0) {
		fprintf(stderr, "vbus-diag: %s: %s\n", path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		fprintf(stderr, "vbus-diag: %s: %s\n", device,
			errno == EWOULDBLOCK ? "is being measured already" :
					       strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static void explain_run(const char *device, const struct diag_kind *kind,
			unsigned long count, unsigned long batch, int err)
{
	fprintf(stderr, "vbus-diag: %s: %s: ", device, kind->name);
	switch (err) {
	case ENODEV:
	case EIO:
		fprintf(stderr, "the device is gone, has stopped, or broke the protocol\n");
		break;
	case EBUSY:
		fprintf(stderr, "the device is being measured already\n");
		break;
	case ERANGE:
		if (kind->timed)
			fprintf(stderr, "the driver does not take %lu ms\n",
				count);
		else if (kind->batches)
			fprintf(stderr, "the driver does not take %lu chains in batches of %lu (a batch has to fit into the ring)\n",
				count, batch);
		else
			fprintf(stderr, "the driver does not take a count of %lu\n",
				count);
		break;
	case EOPNOTSUPP:
		fprintf(stderr, "not supported by this transport\n");
		break;
	default:
		fprintf(stderr, "%s\n", strerror(err));
	}
}

static void parse_line(struct diag_result *res, const char *key,
		       unsigned long long value)
{
	if (!strcmp(key, "count")) {
		res->count = value;
	} else if (!strcmp(key, "batch")) {
		res->batch = value;
	} else if (!strcmp(key, "min")) {
		res->min = value;
		res->quantiles = true;
	} else if (!strcmp(key, "median")) {
		res->median = value;
	} else if (!strcmp(key, "p99")) {
		res->p99 = value;
	} else if (!strcmp(key, "max")) {
		res->max = value;
	} else if (!strcmp(key, "mean")) {
		res->mean = value;
	} else if (!strcmp(key, "per_second")) {
		res->per_second = value;
		res->rate = true;
	}
}

/* Return: 0, or -1 and the reason is printed. */
static int read_result(const char *device, const struct diag_kind *kind,
		       struct diag_result *res)
{
	char path[PATH_MAX], key[32], word[32];
	bool right = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/result", DIAG_DIR, device);
	file = fopen(path, "re");
	if (!file) {
		fprintf(stderr, "vbus-diag: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (fscanf(file, "%31s %31s", key, word) == 2) {
		if (!strcmp(key, "what"))
			right = !strcmp(word, kind->name);
		else
			parse_line(res, key, strtoull(word, NULL, 10));
	}
	fclose(file);
	if (!right) {
		fprintf(stderr, "vbus-diag: %s: %s: another program has used the device meanwhile\n",
			device, kind->name);
		return -1;
	}
	return 0;
}

/**
 * diag_run() - measure
 * @run: what diag_open() returned
 * @device: its name
 * @kind: what to measure
 * @count: how often, or ms
 * @batch: size of batches, for a kind that has them
 * @res: the result
 *
 * Return: 0; -1 and the reason is printed.  That the transport does not have it is a result.
 */
int diag_run(int run, const char *device, const struct diag_kind *kind,
	     unsigned long count, unsigned long batch, struct diag_result *res)
{
	char line[64];
	int len;

	memset(res, 0, sizeof(*res));
	if (kind->batches)
		len = snprintf(line, sizeof(line), "%s %lu %lu", kind->name,
			       count, batch);
	else
		len = snprintf(line, sizeof(line), "%s %lu", kind->name, count);
	if (write(run, line, len) != len) {
		if (errno == EOPNOTSUPP)
			return 0;
		explain_run(device, kind, count, batch, errno);
		return -1;
	}
	res->supported = true;
	return read_result(device, kind, res);
}
