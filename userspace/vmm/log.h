/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of vbus-vmm for its user; all go to stderr. One line each, without a
 * newline in the format. Any thread may call.
 */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <stdbool.h>

/* --verbose: log_info() is shown too. Set once, before any thread starts. */
extern bool log_verbose;

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what a guest can bring about as often as it likes: at most 10 messages in
 * 10 s from one place of the source.
 */
struct log_limit {
	long long since;
	unsigned int count;
};

bool log_allowed(struct log_limit *limit);

#define log_guest(...)							\
	do {								\
		static struct log_limit log_limit_;			\
									\
		if (log_allowed(&log_limit_))				\
			log_warn(__VA_ARGS__);				\
	} while (0)

#endif /* VMM_LOG_H */
