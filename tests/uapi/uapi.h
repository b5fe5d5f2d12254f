/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests of the /dev/vbus ABI from outside: results, and what must not change.
 *
 * A result is a line "pass NAME" or "fail NAME: why".
 */
#ifndef _VBUS_TESTS_UAPI_H
#define _VBUS_TESTS_UAPI_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/vbus.h>
#include <linux/vbus_abi.h>
#include <linux/vbus_native.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What tests/loop/uapi.sh has set up. */
#define SLOT_NULL	3	/* a null device with two queues, alias "front" */
#define SLOT_EMPTY	4
#define SLOT_NONE	5
#define NR_QUEUES	2
#define NR_VECTORS	3

/* The native front that the cases share. */
#define NATIVE_QUEUES	2
#define NATIVE_PAGES	2
#define NATIVE_BUS	7

/* Memory of the guest that exists in all cases. */
#define GUEST_BASE	0x100000ULL
#define GUEST_PAGES	16
#define PAGE		4096ULL

extern const char *bus_path;
extern int bus_fd;
extern int dev_fd;
extern int native_fd;
extern uint8_t *guest;		/* where we see GUEST_BASE */
extern int failures;

/* Fails with any access; its last byte ends a page that can be used. */
extern uint8_t *hole;

void result(bool ok, const char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ioctl(2) as 0 or a negative errno. */
int call(int fd, unsigned long cmd, const void *arg);

/* Access to a register as the number of bytes or a negative errno. */
int reg_read(uint64_t off, void *buf, size_t len);
int reg_write(uint64_t off, uint64_t value, size_t len);
uint32_t reg32(uint64_t off);

/* The same for the native window. */
int native_read(uint64_t off, void *buf, size_t len);
int native_write(uint64_t off, uint64_t value, size_t len);
uint32_t native32(uint64_t off);

/*
 * Everything we can see of the kernel's state: registers of the device and of the
 * native window, saved state, pinned memory, open files. state_mark() remembers it,
 * refused() passes when a call answered as wanted and nothing differs.
 */
void state_mark(void);
void refused(int want, int got, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define REFUSE(errno_, call_, ...)			\
	do {						\
		state_mark();				\
		refused(-(errno_), call_, __VA_ARGS__);	\
	} while (0)

/* The call succeeds. */
#define WORKS(call_, ...)						\
	do {								\
		int got_ = (call_);					\
		result(got_ >= 0, got_ < 0 ? "failed" : "", __VA_ARGS__); \
	} while (0)

/* An fd that is open, but no eventfd; and one that is not open. */
int other_fd(void);
int closed_fd(void);

int attr(unsigned long cmd, uint32_t group, uint32_t nr, const void *value,
	 uint64_t *length);

void test_bus(void);
void test_bus_late(void);
void test_dev(void);
void test_dev_run(void);
void test_dev_gone(void);
void test_native(void);
void test_native_run(void);
void test_native_gone(void);

#endif /* _VBUS_TESTS_UAPI_H */
