/* SPDX-License-Identifier: GPL-2.0 */
/* TAP for tests in C, and files of configfs. For one source file a program. */
#ifndef _VBUS_TESTS_TAP_H
#define _VBUS_TESTS_TAP_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int tap_cases, tap_failures;

static inline void tap_result(bool ok, const char *name)
{
	int err = errno;

	printf("%sok %d - %s\n", ok ? "" : "not ", ++tap_cases, name);
	if (!ok) {
		printf("# errno %d (%s)\n", err, strerror(err));
		tap_failures++;
	}
	fflush(stdout);
	errno = 0;
}

/* Passes if @cond holds; what can't go on without it ends the test. */
#define check(cond, name)	tap_result(cond, name)
#define need(cond, name)					\
	do {							\
		bool tap_ok = (cond);				\
		tap_result(tap_ok, name);			\
		if (!tap_ok) {					\
			printf("Bail out! can not go on\n");	\
			exit(1);				\
		}						\
	} while (0)
/* Passes if @call fails with @err. */
#define refuse(call, err, name)					\
	do {							\
		errno = 0;					\
		bool tap_ok = (call) == -1 && errno == (err);	\
		tap_result(tap_ok, name ": " #err);		\
	} while (0)

static inline int file_put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY), ret, err;

	if (fd < 0)
		return -1;
	ret = write(fd, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : -1;
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static inline bool file_reads(const char *path, const char *want)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	if (!strcmp(text, want))
		return true;
	printf("# %s holds \"%s\", not \"%s\"\n", path, text, want);
	return false;
}

/* The plan, and the exit status. */
static inline int tap_finish(void)
{
	printf("1..%d\n", tap_cases);
	return tap_failures ? 1 : 0;
}

#endif /* _VBUS_TESTS_TAP_H */
