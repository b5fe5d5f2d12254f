// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory in use: lookups at every edge, copies, page lists, mappings, and
 * the direct back end.  How regions come and go is in memory_region_test.c.
 */
#include <kunit/test.h>
#include <linux/bvec.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <vbus/host/memory.h>

#include "user_mm.h"

#define P		PAGE_SIZE
#define USER_PAGES	64
#define TOP		(0 - (u64)P)	/* the last page there is */

struct mem_ctx {
	struct vbus_mem *mem;
	unsigned long user;
	u8 *buf;
};

/* As add below lays them out; what user memory holds is in mem_fill(). */
#define A	0x10000ULL			/* four pages */
#define B	(A + 4 * P)			/* two, adjoining, elsewhere in the VMM */
#define C	(A + 8 * P)			/* one, after a gap of two */
#define R	(A + 9 * P)			/* one, read-only */

static u8 mem_pattern(unsigned long offset)
{
	return offset * 7 + (offset >> 8) * 13 + 1;
}

static void mem_add(struct kunit *test, u64 guest, unsigned int pages,
		    unsigned int user_page, bool rdonly)
{
	struct mem_ctx *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, vbus_mem_add(ctx->mem, guest, pages * P,
					      ctx->user + user_page * P,
					      rdonly));
}

static void mem_fill(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	unsigned long i;

	for (i = 0; i < USER_PAGES * P; i++)
		ctx->buf[i] = mem_pattern(i);
	KUNIT_ASSERT_EQ(test, 0UL, copy_to_user((void __user *)ctx->user,
						ctx->buf, USER_PAGES * P));
}

static void mem_layout(struct kunit *test)
{
	mem_fill(test);
	/* Not in the order of their addresses, the table has to sort them. */
	mem_add(test, C, 1, 20, false);
	mem_add(test, A, 4, 10, false);
	mem_add(test, TOP, 1, 30, false);
	mem_add(test, B, 2, 2, false);
	mem_add(test, 0, 1, 31, false);
	mem_add(test, R, 1, 40, true);
}

static const struct {
	const char *what;
	u64 addr;
	u32 len;
	bool ok;	/* to read */
	bool one;	/* lies in one region */
	bool rdonly;
	unsigned int user;	/* page and offset of the first byte */
	unsigned int off;
} mem_edges[] = {
	{ "first byte", A, 1, true, true, false, 10, 0 },
	{ "one before", A - 1, 1, false },
	{ "from one before", A - 1, 2, false },
	{ "all of it", A, 4 * P, true, true, false, 10, 0 },
	{ "last byte of a page", A + P - 1, 1, true, true, false, 10, P - 1 },
	{ "across a page", A + P - 1, 2, true, true, false, 10, P - 1 },
	{ "last byte", B - 1, 1, true, true, false, 13, P - 1 },
	{ "into the adjoining region", B - 1, 2, true, false, false, 13, P - 1 },
	{ "first of the adjoining region", B, 1, true, true, false, 2, 0 },
	{ "both regions", A, 6 * P, true, false, false, 10, 0 },
	{ "both regions and a byte", A, 6 * P + 1, false },
	{ "last byte before the gap", B + 2 * P - 1, 1, true, true, false, 3, P - 1 },
	{ "into the gap", B + 2 * P - 1, 2, false },
	{ "in the gap", B + 2 * P, 1, false },
	{ "last of the gap", C - 1, 1, false },
	{ "out of the gap", C - 1, 2, false },
	{ "across the gap", B, 6 * P, false },
	{ "read-only", R, P, true, true, true, 40, 0 },
	{ "into read-only", C + P - 1, 2, true, false, true, 20, P - 1 },
	{ "after the last", R + P, 1, false },
	{ "very first byte", 0, 1, true, true, false, 31, 0 },
	{ "beyond the first page", P, 1, false },
	{ "very last byte", U64_MAX, 1, true, true, false, 30, P - 1 },
	{ "last page", TOP, P, true, true, false, 30, 0 },
	{ "wraps by one", U64_MAX, 2, false },
	{ "wraps from a whole page", TOP, P + 1, false },
	{ "wraps to the first page", TOP, 2 * P, false },
	{ "before the last page", TOP - 1, 1, false },
	{ "into the last page", TOP - 1, 2, false },
	{ "high bits", A | BIT_ULL(63), 1, false },
	{ "longest", A, U32_MAX, false },
};

#define EDGE_EQ(want, got) \
	KUNIT_EXPECT_EQ_MSG(test, want, got, "%s", mem_edges[i].what)

static void mem_test_edges(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	struct bio_vec *bv;
	struct vbus_mem_ref ref = {};
	struct vbus_mem_map map;
	size_t i, len;
	int want, ret;
	u64 addr;

	mem_layout(test);
	bv = kunit_kcalloc(test, 16, sizeof(*bv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bv);
	for (i = 0; i < ARRAY_SIZE(mem_edges); i++) {
		addr = mem_edges[i].addr;
		len = mem_edges[i].len;
		want = mem_edges[i].ok ? 0 : -EFAULT;
		if (len <= USER_PAGES * P) {
			memset(ctx->buf, 0, len);
			EDGE_EQ(want, vbus_mem_read(ctx->mem, ctx->buf, addr, len));
			if (!want)
				EDGE_EQ(mem_pattern(mem_edges[i].user * P +
						    mem_edges[i].off),
					ctx->buf[0]);
		}
		rcu_read_lock();
		ret = vbus_mem_bvecs(ctx->mem, addr, len, false, bv, 16);
		if (ret > 0)
			EDGE_EQ(mem_edges[i].off, bv[0].bv_offset);
		EDGE_EQ(want, min(ret, 0));
		ret = vbus_mem_bvecs(ctx->mem, addr, len, true, bv, 16);
		rcu_read_unlock();
		EDGE_EQ(mem_edges[i].rdonly ? -EFAULT : want, min(ret, 0));

		ret = vbus_mem_get_bvecs(ctx->mem, addr, len, false, bv, 0, 16, &ref);
		EDGE_EQ(want, min(ret, 0));
		vbus_mem_put(&ref);
		if (mem_edges[i].rdonly)
			want = -EFAULT;
		ret = vbus_mem_get_bvecs(ctx->mem, addr, len, true, bv, 0, 16, &ref);
		EDGE_EQ(want, min(ret, 0));
		vbus_mem_put(&ref);
		if (!mem_edges[i].one)
			want = -EFAULT;
		ret = vbus_mem_map(ctx->mem, addr, len, &map);
		EDGE_EQ(want, ret);
		if (!ret)
			vbus_mem_unmap(&map);
	}
}

/* Nothing to look at is no range; to copy it is no trouble. */
static void mem_test_no_bytes(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	struct vbus_mem_ref ref = {};
	struct vbus_mem_map map;
	struct bio_vec bv;

	mem_layout(test);
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_read(ctx->mem, ctx->buf, A, 0));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_write(ctx->mem, B + 2 * P, ctx->buf, 0));
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_bvecs(ctx->mem, A, 0, false, &bv, 1));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_get_bvecs(ctx->mem, A, 0, false, &bv, 0, 1, &ref));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_map(ctx->mem, A, 0, &map));
}

/* Ranges gathered one by one: pages that adjoin share entries, regions are kept once. */
static void mem_test_gather(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	struct vbus_mem_ref ref = {};
	struct bio_vec *bv;
	unsigned int i;
	int nr = 0;

	bv = kunit_kcalloc(test, 16, sizeof(*bv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bv);
	mem_fill(test);
	for (i = 0; i <= VBUS_MEM_REF_REGIONS; i++)
		mem_add(test, A + i * 2 * P, 1, i, false);
	/* Halves of a page are one piece. */
	nr = vbus_mem_get_bvecs(ctx->mem, A, P / 2, true, bv, nr, 16, &ref);
	KUNIT_EXPECT_EQ(test, 1, nr);
	nr = vbus_mem_get_bvecs(ctx->mem, A + P / 2, P / 2, true, bv, nr, 16, &ref);
	KUNIT_EXPECT_EQ(test, 1, nr);
	KUNIT_EXPECT_EQ(test, (u32)P, bv[0].bv_len);
	/* The same again is a piece of its own, but no other region. */
	nr = vbus_mem_get_bvecs(ctx->mem, A, P, true, bv, nr, 16, &ref);
	KUNIT_EXPECT_EQ(test, 2, nr);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_get_bvecs(ctx->mem, A + P, 1, true, bv, nr, 16, &ref));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			vbus_mem_get_bvecs(ctx->mem, A, 1, true, bv, nr, 2, &ref));
	for (i = 1; i < VBUS_MEM_REF_REGIONS; i++)
		KUNIT_EXPECT_GT(test, vbus_mem_get_bvecs(ctx->mem, A + i * 2 * P, P, true,
							 bv, nr, 16, &ref), 0);
	KUNIT_EXPECT_EQ(test, -E2BIG,
			vbus_mem_get_bvecs(ctx->mem, A + i * 2 * P, P, true,
					   bv, nr, 16, &ref));
	vbus_mem_put(&ref);
	for (i = 0; i < VBUS_MEM_REF_REGIONS; i++)
		KUNIT_EXPECT_PTR_EQ(test, (void *)NULL, ref.region[i]);
	/* Nothing holds any of them any more. */
	for (i = 0; i <= VBUS_MEM_REF_REGIONS; i++)
		KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A + i * 2 * P, P));
}

static void mem_test_empty(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	struct vbus_mem_map map;

	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_read(ctx->mem, ctx->buf, 0, 1));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_write(ctx->mem, U64_MAX, ctx->buf, 1));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_map(ctx->mem, A, P, &map));
	KUNIT_EXPECT_EQ(test, -ENOENT, vbus_mem_del(ctx->mem, A, P));
}

/* What the VMM wrote is read, what is written the VMM reads, and no more. */
static void mem_test_copy(struct kunit *test)
{
	/* User pages behind A and B together, in guest order. */
	static const u8 behind[] = { 10, 11, 12, 13, 2, 3 };
	struct mem_ctx *ctx = test->priv;
	u8 *shadow = ctx->buf, *data = ctx->buf + 8 * P;
	struct rnd_state rnd;
	unsigned int n, off, len, i;
	u8 *user;

	user = kunit_kzalloc(test, P, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, user);
	mem_layout(test);
	prandom_seed_state(&rnd, 1);
	KUNIT_ASSERT_EQ(test, 0, vbus_mem_read(ctx->mem, shadow, A, 6 * P));
	for (i = 0; i < 6 * P; i++)
		if (shadow[i] != mem_pattern(behind[i / P] * P + i % P))
			break;
	KUNIT_EXPECT_EQ_MSG(test, 6 * (u32)P, i, "first difference");

	for (n = 0; n < 500; n++) {
		off = prandom_u32_state(&rnd) % (6 * P);
		len = prandom_u32_state(&rnd) % (6 * P - off) + 1;
		if (n & 1)
			len = len % 64 % (6 * P - off) + 1;
		prandom_bytes_state(&rnd, shadow + off, len);
		KUNIT_ASSERT_EQ(test, 0, vbus_mem_write(ctx->mem, A + off,
							shadow + off, len));
		off = prandom_u32_state(&rnd) % (6 * P);
		len = prandom_u32_state(&rnd) % (6 * P - off) + 1;
		KUNIT_ASSERT_EQ(test, 0, vbus_mem_read(ctx->mem, data,
						       A + off, len));
		KUNIT_ASSERT_EQ(test, 0, memcmp(data, shadow + off, len));
	}
	for (n = 0; n < USER_PAGES; n++) {
		KUNIT_ASSERT_EQ(test, 0UL,
				copy_from_user(user, (void __user *)ctx->user + n * P, P));
		for (i = 0; i < ARRAY_SIZE(behind) && behind[i] != n; i++)
			;
		if (i < ARRAY_SIZE(behind)) {
			KUNIT_EXPECT_EQ(test, 0, memcmp(user, shadow + i * P, P));
			continue;
		}
		for (off = 0; off < P && user[off] == mem_pattern(n * P + off); off++)
			;
		KUNIT_EXPECT_EQ_MSG(test, (u32)P, off, "page %u", n);
	}
}

static void mem_test_rdonly(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	struct vbus_mem_map map;
	u8 byte = 0;

	mem_layout(test);
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_read(ctx->mem, ctx->buf, R, P));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_write(ctx->mem, R, &byte, 1));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_map(ctx->mem, R, P, &map));
	/* The writable part before it may be written. */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_write(ctx->mem, C, ctx->buf, P + 1));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_read(ctx->mem, &byte, R, 1));
	KUNIT_EXPECT_EQ(test, mem_pattern(40 * P), byte);
}

/*
 * Compares page lists of random ranges with what single bytes say, entry by
 * entry, with just enough room and one less.
 */
static void mem_test_bvecs(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	unsigned int n, off, len, want, i, done, step;
	struct bio_vec *bv, one;
	struct rnd_state rnd;
	phys_addr_t end;
	int ret;

	bv = kunit_kcalloc(test, 32, sizeof(*bv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bv);
	/* The same page twice in a row can not be one entry. */
	mem_add(test, A, 8, 0, false);
	mem_add(test, A + 8 * P, 1, 7, false);
	mem_add(test, A + 9 * P, 8, 7, false);
	prandom_seed_state(&rnd, 2);
	rcu_read_lock();
	for (n = 0; n < 2000; n++) {
		off = prandom_u32_state(&rnd) % (17 * P);
		len = prandom_u32_state(&rnd) % (17 * P - off) + 1;
		ret = vbus_mem_bvecs(ctx->mem, A + off, len, true, bv, 32);
		if (ret < 1) {
			KUNIT_FAIL(test, "%u bytes at %u: %d", len, off, ret);
			break;
		}
		want = 0;
		end = 0;
		for (done = 0; done < len; done += step) {
			step = min_t(unsigned int, len - done,
				     P - (off + done) % P);
			i = vbus_mem_bvecs(ctx->mem, A + off + done, 1, true,
					   &one, 1);
			KUNIT_EXPECT_EQ(test, 1U, i);
			if (page_to_phys(one.bv_page) + one.bv_offset != end) {
				KUNIT_EXPECT_PTR_EQ(test, one.bv_page,
						    bv[want].bv_page);
				KUNIT_EXPECT_EQ(test, one.bv_offset,
						bv[want].bv_offset);
				want++;
			}
			end = page_to_phys(one.bv_page) + one.bv_offset + step;
		}
		KUNIT_EXPECT_EQ(test, (int)want, ret);
		for (i = 0, done = 0; i < want; i++)
			done += bv[i].bv_len;
		KUNIT_EXPECT_EQ(test, len, done);
		KUNIT_EXPECT_EQ(test, ret, vbus_mem_bvecs(ctx->mem, A + off, len,
							  true, bv, want));
		KUNIT_EXPECT_EQ(test, -ENOSPC,
				vbus_mem_bvecs(ctx->mem, A + off, len, true, bv,
					       want - 1));
	}
	ret = vbus_mem_bvecs(ctx->mem, A + 7 * P, 3 * P, true, bv, 32);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, 3, ret);
}

/* Rings may be anywhere: in one page, in pages side by side, or scattered. */
static void mem_test_map(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	struct vbus_mem_map map, second;
	bool scattered = false;
	struct page *page, *prev = NULL;
	struct bio_vec bv;
	unsigned long user = ctx->user;
	unsigned int i;
	u8 byte;

	/* Fault in backwards, so that pages do not come out in a row. */
	for (i = USER_PAGES; i-- > 0;)
		KUNIT_ASSERT_EQ(test, 0, put_user((u8)i, (u8 __user *)(user + i * P)));
	mem_add(test, A, USER_PAGES, 0, false);
	rcu_read_lock();
	for (i = 0; i < USER_PAGES; i++) {
		vbus_mem_bvecs(ctx->mem, A + i * P, 1, true, &bv, 1);
		page = bv.bv_page;
		if (prev && page_to_pfn(page) != page_to_pfn(prev) + 1)
			scattered = true;
		prev = page;
	}
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, scattered);

	KUNIT_ASSERT_EQ(test, 0, vbus_mem_map(ctx->mem, A + 100, USER_PAGES * P - 100, &map));
	KUNIT_EXPECT_EQ(test, scattered, is_vmalloc_addr(map.vaddr));
	KUNIT_EXPECT_EQ(test, 100UL, offset_in_page(map.vaddr));
	for (i = 1; i < USER_PAGES; i++)
		KUNIT_EXPECT_EQ(test, (u8)i, ((u8 *)map.vaddr)[i * P - 100]);
	KUNIT_ASSERT_EQ(test, 0, vbus_mem_map(ctx->mem, A + 3 * P - 64, 64, &second));
	KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(second.vaddr));
	((u8 *)second.vaddr)[63] = 0xa5;
	KUNIT_EXPECT_EQ(test, 0xa5, ((u8 *)map.vaddr)[3 * P - 101]);
	KUNIT_EXPECT_EQ(test, 0, get_user(byte, (u8 __user *)(user + 3 * P - 1)));
	KUNIT_EXPECT_EQ(test, 0xa5, byte);

	KUNIT_EXPECT_EQ(test, -EBUSY, vbus_mem_del(ctx->mem, A, USER_PAGES * P));
	vbus_mem_unmap(&map);
	KUNIT_EXPECT_NULL(test, map.vaddr);
	KUNIT_EXPECT_EQ(test, -EBUSY, vbus_mem_del(ctx->mem, A, USER_PAGES * P));
	vbus_mem_unmap(&second);
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A, USER_PAGES * P));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_map(ctx->mem, A, P, &map));
}

static void mem_test_direct(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	struct vbus_mem *mem = vbus_mem_create_direct();
	struct vbus_mem_ref ref = {};
	struct vbus_mem_map map;
	struct bio_vec bv[2];
	unsigned long block;
	u64 addr, hole;
	int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mem));
	block = __get_free_pages(GFP_KERNEL, 2);
	KUNIT_ASSERT_NE(test, 0UL, block);
	addr = virt_to_phys((void *)block);
	/* Twice as far as the last page is surely not memory. */
	hole = 2 * addr;
	while (pfn_valid(hole >> PAGE_SHIFT))
		hole *= 2;

	for (i = 0; i < 4 * P; i++)
		ctx->buf[i] = mem_pattern(i);
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_write(mem, addr, ctx->buf, 4 * P));
	KUNIT_EXPECT_EQ(test, 0, memcmp((void *)block, ctx->buf, 4 * P));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_read(mem, ctx->buf, addr + P - 1, 2));
	KUNIT_EXPECT_EQ(test, mem_pattern(P - 1), ctx->buf[0]);
	KUNIT_EXPECT_EQ(test, mem_pattern(P), ctx->buf[1]);

	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, 1, vbus_mem_bvecs(mem, addr + 5, 3 * P, true, bv, 1));
	rcu_read_unlock();
	KUNIT_EXPECT_PTR_EQ(test, virt_to_page((void *)block), bv[0].bv_page);
	KUNIT_EXPECT_EQ(test, 5U, bv[0].bv_offset);
	KUNIT_EXPECT_EQ(test, 3 * (u32)P, bv[0].bv_len);
	KUNIT_EXPECT_EQ(test, 1, vbus_mem_get_bvecs(mem, addr, P, true, bv, 0, 2, &ref));
	vbus_mem_put(&ref);
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_map(mem, addr + 8, 2 * P, &map));
	KUNIT_EXPECT_PTR_EQ(test, (void *)block + 8, map.vaddr);
	vbus_mem_unmap(&map);

	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_read(mem, ctx->buf, hole, 1));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_write(mem, hole, ctx->buf, 1));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_read(mem, ctx->buf, U64_MAX, 1));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_read(mem, ctx->buf, U64_MAX, 2));
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_bvecs(mem, hole, 1, false, bv, 2));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_get_bvecs(mem, hole, 1, false, bv, 0, 2, &ref));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_map(mem, hole, P, &map));
	KUNIT_EXPECT_EQ(test, -EINVAL, vbus_mem_add(mem, A, P, ctx->user, false));
	KUNIT_EXPECT_EQ(test, -EINVAL, vbus_mem_del(mem, A, P));

	free_pages(block, 2);
	vbus_mem_destroy(mem);
}

/* Many regions with holes between them, against the plain arithmetic. */
static void mem_test_many(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;
	unsigned int n, slot, page, i;
	struct rnd_state rnd;
	u64 addr;
	u8 byte;

	mem_fill(test);
	/* 101 slots of two pages, filled in a scrambled order, each third empty. */
	for (i = 0; i < 101; i++) {
		slot = i * 37 % 101;
		if (slot % 3)
			mem_add(test, A + slot * 2 * P, 1, slot % USER_PAGES, false);
	}
	prandom_seed_state(&rnd, 3);
	for (n = 0; n < 5000; n++) {
		addr = prandom_u32_state(&rnd) % (210 * P);
		slot = addr / P / 2;
		page = addr / P % 2;
		i = vbus_mem_read(ctx->mem, &byte, A + addr, 1);
		if (page || slot >= 101 || slot % 3 == 0) {
			KUNIT_EXPECT_EQ(test, -EFAULT, (int)i);
			continue;
		}
		KUNIT_EXPECT_EQ(test, 0, (int)i);
		KUNIT_EXPECT_EQ(test, byte, mem_pattern(slot % USER_PAGES * P + addr % P));
	}
}

static int mem_case_init(struct kunit *test)
{
	struct mem_ctx *ctx;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	ctx->buf = vmalloc(USER_PAGES * P);
	KUNIT_ASSERT_NOT_NULL(test, ctx->buf);
	user_mm_adopt();
	ctx->user = user_mm_map(test, USER_PAGES * P, PROT_READ | PROT_WRITE);
	ctx->mem = vbus_mem_create();
	KUNIT_ASSERT_FALSE(test, IS_ERR(ctx->mem));
	test->priv = ctx;
	return 0;
}

static void mem_case_exit(struct kunit *test)
{
	struct mem_ctx *ctx = test->priv;

	if (ctx) {
		vbus_mem_destroy(ctx->mem);
		vm_munmap(ctx->user, USER_PAGES * P);
		vfree(ctx->buf);
	}
	user_mm_leave();
}

static struct kunit_case mem_cases[] = {
	KUNIT_CASE(mem_test_edges),
	KUNIT_CASE(mem_test_no_bytes),
	KUNIT_CASE(mem_test_gather),
	KUNIT_CASE(mem_test_empty),
	KUNIT_CASE(mem_test_copy),
	KUNIT_CASE(mem_test_rdonly),
	KUNIT_CASE(mem_test_bvecs),
	KUNIT_CASE(mem_test_map),
	KUNIT_CASE(mem_test_direct),
	KUNIT_CASE(mem_test_many),
	{}
};

static struct kunit_suite mem_suite = {
	.name = "vbus_memory",
	.suite_init = user_mm_suite_init,
	.suite_exit = user_mm_suite_exit,
	.init = mem_case_init,
	.exit = mem_case_exit,
	.test_cases = mem_cases,
};

kunit_test_suite(mem_suite);

MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_IMPORT_NS(VBUS_SESSION);
