// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages for the user of the VMM.  Nothing is locked here: the VMM's callback is
 * called from any thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include "private.h"

static void lvb_vlog(const struct libvbus_ops *ops, void *opaque,
		     enum libvbus_log_level level, const char *fmt, va_list args)
{
	char text[1024];

	if (!ops->log && level > LIBVBUS_LOG_WARNING)
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	if (ops->log)
		ops->log(opaque, level, text);
	else
		fprintf(stderr, "libvbus: %s\n", text);
}

void lvb_log_ops(const struct libvbus_ops *ops, void *opaque,
		 enum libvbus_log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	lvb_vlog(ops, opaque, level, fmt, args);
	va_end(args);
}

void lvb_log(const struct libvbus *bus, enum libvbus_log_level level,
	     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	lvb_vlog(&bus->ops, bus->opaque, level, fmt, args);
	va_end(args);
}

void lvb_log_once(struct lvb_fn *fn, unsigned int what, const char *fmt, ...)
{
	va_list args;

	if (fn->logged & what)
		return;
	fn->logged |= what;
	va_start(args, fmt);
	lvb_vlog(&fn->bus->ops, fn->bus->opaque, LIBVBUS_LOG_WARNING, fmt,
		 args);
	va_end(args);
}
