// SPDX-License-Identifier: GPL-2.0
/*
 * Address dispatch: regions, their edges, and changes while others look up.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "iobus.h"

struct last {
	uint64_t off;
	size_t len;
	unsigned int reads, writes;
	struct iobus *bus;
};

static void on_read(void *opaque, uint64_t off, void *data, size_t len)
{
	struct last *last = opaque;

	last->off = off;
	last->len = len;
	last->reads++;
	memset(data, 0x5a, len);
}

static void on_write(void *opaque, uint64_t off, const void *data, size_t len)
{
	struct last *last = opaque;

	(void)data;
	last->off = off;
	last->len = len;
	last->writes++;
}

static const struct iobus_ops ops = { on_read, on_write };
static const struct iobus_ops no_ops;

static void dispatch(void **state)
{
	struct iobus *bus = iobus_new();
	struct last a = { 0 }, b = { 0 };
	uint32_t value;

	(void)state;
	assert_false(iobus_read(bus, 0x1000, &value, 4));
	assert_int_equal(value, 0xffffffff);
	assert_int_equal(iobus_add(bus, 0x2000, 0x1000, &ops, &b), 0);
	assert_int_equal(iobus_add(bus, 0x1000, 0x1000, &ops, &a), 0);
	assert_true(iobus_read(bus, 0x1ffc, &value, 4));
	assert_int_equal(value, 0x5a5a5a5a);
	assert_int_equal(a.off, 0xffc);
	assert_int_equal(a.len, 4);
	assert_true(iobus_write(bus, 0x2000, &value, 1));
	assert_int_equal(b.off, 0);
	assert_int_equal(b.writes, 1);
	/* Nobody answers for an access to two of them. */
	assert_false(iobus_read(bus, 0x1ffe, &value, 4));
	assert_int_equal(value, 0xffffffff);
	assert_false(iobus_write(bus, 0x0fff, &value, 2));
	assert_false(iobus_write(bus, 0x3000, &value, 1));
	assert_int_equal(a.reads + a.writes + b.reads + b.writes, 2);
	iobus_free(bus);
}

static void edges(void **state)
{
	struct iobus *bus = iobus_new();
	struct last last = { 0 };
	uint64_t value;

	(void)state;
	assert_int_equal(iobus_add(bus, 0, 0, &ops, &last), -EINVAL);
	assert_int_equal(iobus_add(bus, UINT64_MAX, 2, &ops, &last), -EINVAL);
	assert_int_equal(iobus_add(bus, UINT64_MAX - 7, 8, &ops, &last), 0);
	assert_true(iobus_read(bus, UINT64_MAX - 7, &value, 8));
	assert_false(iobus_read(bus, UINT64_MAX - 3, &value, 8));
	assert_int_equal(iobus_add(bus, 0, 16, &ops, &last), 0);
	assert_true(iobus_read(bus, 8, &value, 8));
	iobus_free(bus);
}

static void overlaps(void **state)
{
	struct iobus *bus = iobus_new();

	(void)state;
	assert_int_equal(iobus_add(bus, 0x1000, 0x1000, &ops, NULL), 0);
	assert_int_equal(iobus_add(bus, 0x1000, 0x1000, &ops, NULL), -EEXIST);
	assert_int_equal(iobus_add(bus, 0x1fff, 1, &ops, NULL), -EEXIST);
	assert_int_equal(iobus_add(bus, 0x0fff, 2, &ops, NULL), -EEXIST);
	assert_int_equal(iobus_add(bus, 0, UINT64_MAX, &ops, NULL), -EEXIST);
	assert_int_equal(iobus_add(bus, 0x0fff, 1, &ops, NULL), 0);
	assert_int_equal(iobus_add(bus, 0x2000, 1, &ops, NULL), 0);
	assert_int_equal(iobus_del(bus, 0x1001), -ENOENT);
	assert_int_equal(iobus_del(bus, 0x1000), 0);
	assert_int_equal(iobus_del(bus, 0x1000), -ENOENT);
	assert_int_equal(iobus_add(bus, 0x1800, 0x800, &ops, NULL), 0);
	iobus_free(bus);
}

static void without_handlers(void **state)
{
	struct iobus *bus = iobus_new();
	uint16_t value = 0;

	(void)state;
	assert_int_equal(iobus_add(bus, 0, 8, &no_ops, NULL), 0);
	assert_true(iobus_read(bus, 0, &value, 2));
	assert_int_equal(value, 0xffff);
	assert_true(iobus_write(bus, 0, &value, 2));
	iobus_free(bus);
}

static void leave(void *opaque, uint64_t off, const void *data, size_t len)
{
	struct last *last = opaque;

	(void)off;
	(void)data;
	(void)len;
	assert_int_equal(iobus_del(last->bus, 0x1000), 0);
	last->writes++;
}

/* As a BAR that a write moves. */
static void removed_by_handler(void **state)
{
	static const struct iobus_ops leave_ops = { .write = leave };
	struct last last = { .bus = iobus_new() };

	(void)state;
	assert_int_equal(iobus_add(last.bus, 0x1000, 8, &leave_ops, &last), 0);
	assert_true(iobus_write(last.bus, 0x1000, "", 1));
	assert_false(iobus_write(last.bus, 0x1000, "", 1));
	assert_int_equal(last.writes, 1);
	iobus_free(last.bus);
}

static void read_address(void *opaque, uint64_t off, void *data, size_t len)
{
	uint64_t addr = (uintptr_t)opaque + off;

	memcpy(data, &addr, len);
}

static const struct iobus_ops address_ops = { .read = read_address };
static bool stop;

struct looker {
	struct iobus *bus;
	pthread_t thread;
	bool answered;
};

static void *look_up(void *arg)
{
	struct looker *me = arg;
	uint64_t addr, value;

	for (addr = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED);
	     addr = (addr + 8) % 0x10000) {
		if (iobus_read(me->bus, addr, &value, 8)) {
			if (value != addr)
				abort();
			__atomic_store_n(&me->answered, true, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

/* On a busy machine a thread may take long to run at all: go on until both have. */
static bool both_answered(struct looker *looker)
{
	return __atomic_load_n(&looker[0].answered, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&looker[1].answered, __ATOMIC_RELAXED);
}

static void concurrent_changes(void **state)
{
	struct looker looker[2] = { };
	struct iobus *bus = iobus_new();
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		looker[i].bus = bus;
		assert_int_equal(pthread_create(&looker[i].thread, NULL, look_up,
						&looker[i]), 0);
	}
	for (i = 0; i < 30000 || !both_answered(looker); i++) {
		uint64_t addr = (i * 7 % 16) * 0x1000;

		if (iobus_add(bus, addr, 0x1000, &address_ops, (void *)(uintptr_t)addr))
			assert_int_equal(iobus_del(bus, addr), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(looker[i].thread, NULL), 0);
	iobus_free(bus);
}

int main(void)
{
	const struct CMUnitTest iobus[] = {
		cmocka_unit_test(dispatch),
		cmocka_unit_test(edges),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(without_handlers),
		cmocka_unit_test(removed_by_handler),
		cmocka_unit_test(concurrent_changes),
	};

	return cmocka_run_group_tests(iobus, NULL, NULL);
}
