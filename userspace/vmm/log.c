// SPDX-License-Identifier: GPL-2.0
/*
 * Messages for the user. A message is one write(), so that threads don't mix
 * theirs.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_WINDOW	10	/* seconds */
#define LOG_BURST	10

bool log_verbose;

static void __attribute__((format(printf, 2, 0)))
log_line(const char *kind, const char *fmt, va_list ap)
{
	char line[1024];
	size_t room = sizeof(line) - 1;
	int len, n;

	len = snprintf(line, room, "vbus-vmm: %s", kind);
	n = vsnprintf(line + len, room - len, fmt, ap);
	if (n > 0)
		len += (size_t)n < room - len ? n : (int)(room - len - 1);
	line[len++] = '\n';
	/* Without stderr there is nowhere to report to. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("", fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("warning: ", fmt, ap);
	va_end(ap);
}

void log_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("", fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	if (!log_verbose)
		return;
	va_start(ap, fmt);
	log_line("", fmt, ap);
	va_end(ap);
}

bool log_allowed(struct log_limit *limit)
{
	struct timespec now;
	long long since;

	clock_gettime(CLOCK_MONOTONIC, &now);
	since = __atomic_load_n(&limit->since, __ATOMIC_RELAXED);
	/* Two threads that both begin a window cost a few messages more. */
	if (!since || now.tv_sec - since >= LOG_WINDOW) {
		__atomic_store_n(&limit->since, now.tv_sec, __ATOMIC_RELAXED);
		__atomic_store_n(&limit->count, 0, __ATOMIC_RELAXED);
	}
	return __atomic_add_fetch(&limit->count, 1, __ATOMIC_RELAXED) <= LOG_BURST;
}
