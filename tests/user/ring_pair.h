/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring with both its sides, and a small guest memory for indirect tables.
 *
 * Owns what the ring tests share. Guest addresses of tables are PAIR_TABLES
 * plus an offset, so that a wrong address is refused and not followed.
 */
#ifndef TESTS_USER_RING_PAIR_H
#define TESTS_USER_RING_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <vbus/ring.h>

#include <cmocka.h>

#define PAIR_TABLES		0x100000000ULL
#define PAIR_TABLES_LEN		(1U << 20)

struct pair {
	struct ioq_north n;
	struct ioq_south s;
	u32 size;
	u32 flags;
	void *area;
	void *state;
	char *tables;
};

static inline void pair_init_at(struct pair *p, u32 size, u32 flags,
				struct ioq_pos pos)
{
	p->size = size;
	p->flags = flags;
	p->area = aligned_alloc(64, (ioq_bytes(size) + 63) & ~(size_t)63);
	p->state = malloc(ioq_north_state_bytes(size));
	p->tables = malloc(PAIR_TABLES_LEN);
	assert_non_null(p->area);
	assert_non_null(p->state);
	assert_non_null(p->tables);
	memset(p->area, 0xa5, ioq_bytes(size));
	assert_int_equal(ioq_north_init_at(&p->n, p->area, size, flags,
					   p->state, &pos), 0);
	assert_int_equal(ioq_south_init(&p->s, p->area, size, flags, pos), 0);
}

static inline void pair_init(struct pair *p, u32 size, u32 flags)
{
	pair_init_at(p, size, flags, (struct ioq_pos){ 0 });
}

static inline void pair_free(struct pair *p)
{
	free(p->area);
	free(p->state);
	free(p->tables);
}

static inline struct vbus_ring_desc *pair_desc(struct pair *p, u32 pos)
{
	return &p->n.desc[pos & (p->size - 1)];
}

static inline __le64 *pair_comp(struct pair *p, u32 pos)
{
	return &p->n.comp[pos & (p->size - 1)];
}

/* ioq_copy_t over the tables of the pair in @ctx. */
static inline int pair_copy(void *ctx, void *dst, u64 addr, u32 len)
{
	struct pair *p = ctx;
	u64 off = addr - PAIR_TABLES;

	if (off > PAIR_TABLES_LEN || len > PAIR_TABLES_LEN - off)
		return -EFAULT;
	memcpy(dst, p->tables + off, len);
	return 0;
}

/* A cookie made of a number, never NULL. */
static inline void *cookie_of(u32 number)
{
	return (void *)((uintptr_t)number + 1);
}

static inline u32 number_of(const void *cookie)
{
	return (u32)((uintptr_t)cookie - 1);
}

/* Small and fast; the tests print their seed. */
static inline u32 pair_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (u32)(*state >> 16);
}

#endif /* TESTS_USER_RING_PAIR_H */
