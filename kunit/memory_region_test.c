// SPDX-License-Identifier: GPL-2.0
/*
 * How regions of guest memory come and go: every argument, limits and who is
 * charged, removal while somebody uses the pages or is killed, and each
 * allocation failing in turn.
 */
#include <kunit/test.h>
#include <linux/bvec.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/uaccess.h>
#include <vbus/host/memory.h>

#include "fault.h"
#include "user_mm.h"

#define P		PAGE_SIZE
#define USER_PAGES	16
#define A		0x100000ULL
#define TOP		(0 - (u64)P)

struct region_ctx {
	struct vbus_mem *mem;
	unsigned long user;
	/* Before the first region. */
	long locked;
	u64 pinned;
};

static long charged(struct region_ctx *ctx)
{
	return atomic_long_read(&current_user()->locked_vm) - ctx->locked;
}

static long pinned(struct region_ctx *ctx)
{
	return atomic64_read(&user_mm->pinned_vm) - ctx->pinned;
}

static bool present(struct region_ctx *ctx, u64 addr)
{
	u8 byte;

	return !vbus_mem_read(ctx->mem, &byte, addr, 1);
}

static int add(struct region_ctx *ctx, u64 addr, unsigned int pages)
{
	return vbus_mem_add(ctx->mem, addr, pages * P, ctx->user, false);
}

/*
 * Arguments
 */

static const struct {
	const char *what;
	u64 addr;
	u64 length;
	s64 user;	/* from the start of our user memory */
	bool absolute;	/* or from 0 */
	int err;
} bad_adds[] = {
	{ "no length", A, 0, 0, false, -EINVAL },
	{ "length not of pages", A, P + 1, 0, false, -EINVAL },
	{ "less than a page", A, P / 2, 0, false, -EINVAL },
	{ "guest address inside a page", A + 8, P, 0, false, -EINVAL },
	{ "user address inside a page", A, P, 8, false, -EINVAL },
	{ "guest wraps to 0", TOP, 2 * P, 0, false, -EINVAL },
	{ "guest wraps far", TOP, TOP, 0, false, -EINVAL },
	{ "user wraps", A, 2 * P, TOP, true, -EINVAL },
	{ "user is not there", A, P, 0, true, -EFAULT },
	{ "user is the kernel", A, P, TOP, true, -EFAULT },
	{ "user ends before", A, (USER_PAGES + 1) * P, 0, false, -EFAULT },
	{ "more than there is", A, BIT_ULL(46), 0, false, -ENOMEM },
	{ "more than an array can hold", A, BIT_ULL(62), 0, false, -ENOMEM },
};

static void region_test_bad_add(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	size_t i;
	u64 user;

	/* What follows our user memory must not be mapped. */
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(ctx->user + USER_PAGES * P, P));
	for (i = 0; i < ARRAY_SIZE(bad_adds); i++) {
		user = bad_adds[i].user + (bad_adds[i].absolute ? 0 : ctx->user);
		KUNIT_EXPECT_EQ_MSG(test, bad_adds[i].err,
				    vbus_mem_add(ctx->mem, bad_adds[i].addr,
						 bad_adds[i].length, user, false),
				    "%s", bad_adds[i].what);
		KUNIT_EXPECT_EQ_MSG(test, 0L, pinned(ctx), "%s", bad_adds[i].what);
		KUNIT_EXPECT_FALSE(test, present(ctx, A));
		KUNIT_EXPECT_FALSE(test, present(ctx, TOP));
	}
	/* A full map of nothing but mistakes is still an empty one. */
	KUNIT_EXPECT_EQ(test, 0, add(ctx, A, USER_PAGES));
	KUNIT_EXPECT_EQ(test, (long)USER_PAGES, pinned(ctx));
	KUNIT_EXPECT_EQ(test, 0, add(ctx, TOP, 1));
	KUNIT_EXPECT_TRUE(test, present(ctx, U64_MAX));
}

/* Read-only user memory can be guest memory, but only read-only. */
static void region_test_user_rdonly(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	unsigned long user = user_mm_map(test, 2 * P, PROT_READ);

	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_add(ctx->mem, A, 2 * P, user, false));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_add(ctx->mem, A, 2 * P, user, true));
	KUNIT_EXPECT_TRUE(test, present(ctx, A + 2 * P - 1));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A, 2 * P));
	vm_munmap(user, 2 * P);
}

static void region_test_other_mm(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	int ret;

	user_mm_leave();
	ret = add(ctx, A, 1);
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(vbus_mem_create()));
	user_mm_adopt();
	KUNIT_EXPECT_EQ(test, -EPERM, ret);
	KUNIT_EXPECT_FALSE(test, present(ctx, A));
}

/* The region there is lies at A + 4 pages and has four. */
static const struct {
	const char *what;
	unsigned int page;
	unsigned int pages;
	int err;
} overlaps[] = {
	{ "the same", 4, 4, -EEXIST },
	{ "its first page", 4, 1, -EEXIST },
	{ "its last page", 7, 1, -EEXIST },
	{ "inside", 5, 2, -EEXIST },
	{ "around", 3, 6, -EEXIST },
	{ "over its head", 2, 3, -EEXIST },
	{ "over its tail", 7, 3, -EEXIST },
	{ "same head, longer", 4, 5, -EEXIST },
	{ "same tail, longer", 3, 5, -EEXIST },
	{ "touching its head", 0, 4, 0 },
	{ "touching its tail", 8, 4, 0 },
};

static void region_test_overlap(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	u64 addr, length;
	size_t i;

	KUNIT_ASSERT_EQ(test, 0, add(ctx, A + 4 * P, 4));
	for (i = 0; i < ARRAY_SIZE(overlaps); i++) {
		addr = A + overlaps[i].page * P;
		length = overlaps[i].pages * P;
		KUNIT_EXPECT_EQ_MSG(test, overlaps[i].err,
				    add(ctx, addr, overlaps[i].pages), "%s",
				    overlaps[i].what);
		KUNIT_EXPECT_EQ_MSG(test, overlaps[i].err ? -ENOENT : 0,
				    addr == A + 4 * P && length == 4 * P ? -ENOENT :
				    vbus_mem_del(ctx->mem, addr, length),
				    "%s", overlaps[i].what);
		KUNIT_EXPECT_EQ(test, 4L, pinned(ctx));
	}
}

static const struct {
	const char *what;
	u64 addr;
	u64 length;
} bad_dels[] = {
	{ "nothing there", A - P, P },
	{ "its first page", A, P },
	{ "its last page", A + P, P },
	{ "longer", A, 3 * P },
	{ "earlier", A - P, 3 * P },
	{ "both regions", A, 4 * P },
	{ "no length", A, 0 },
	{ "odd length", A, 2 * P - 1 },
	{ "odd address", A + 1, 2 * P },
	{ "everything", 0, U64_MAX },
};

static void region_test_bad_del(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	size_t i;

	KUNIT_ASSERT_EQ(test, 0, add(ctx, A, 2));
	KUNIT_ASSERT_EQ(test, 0, add(ctx, A + 2 * P, 2));
	for (i = 0; i < ARRAY_SIZE(bad_dels); i++) {
		KUNIT_EXPECT_EQ_MSG(test, -ENOENT,
				    vbus_mem_del(ctx->mem, bad_dels[i].addr,
						 bad_dels[i].length),
				    "%s", bad_dels[i].what);
		KUNIT_EXPECT_EQ(test, 4L, pinned(ctx));
		KUNIT_EXPECT_TRUE(test, present(ctx, A + 4 * P - 1));
	}
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A, 2 * P));
	KUNIT_EXPECT_EQ(test, -ENOENT, vbus_mem_del(ctx->mem, A, 2 * P));
	KUNIT_EXPECT_FALSE(test, present(ctx, A));
	KUNIT_EXPECT_TRUE(test, present(ctx, A + 2 * P));
	KUNIT_EXPECT_EQ(test, 2L, pinned(ctx));
}

/*
 * Limits
 */

static void region_test_max(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	u64 last = A + VBUS_MEM_MAX_REGIONS * P;
	unsigned int i;

	for (i = 0; i < VBUS_MEM_MAX_REGIONS; i++)
		KUNIT_ASSERT_EQ(test, 0, add(ctx, A + i * P, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, add(ctx, last, 1));
	/* What overlaps gets its errno all the same. */
	KUNIT_EXPECT_EQ(test, -EEXIST, add(ctx, A, 1));
	KUNIT_EXPECT_EQ(test, (long)VBUS_MEM_MAX_REGIONS, pinned(ctx));
	for (i = 7; i < 10; i++)
		KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A + i * P, P));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0, add(ctx, last + i * P, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, add(ctx, A + 8 * P, 1));
	for (i = 0; i < VBUS_MEM_MAX_REGIONS + 3; i++)
		KUNIT_EXPECT_EQ(test, i < 7 || i > 9, present(ctx, A + i * P));
}

/* To be put back by revert_creds(). */
static const struct cred *drop_caps(struct kunit *test)
{
	struct cred *cred = prepare_creds();
	const struct cred *old;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->cap_effective = CAP_EMPTY_SET;
	old = override_creds(cred);
	put_cred(cred);
	return old;
}

static void region_test_memlock(struct kunit *test)
{
	struct rlimit *limit = &current->signal->rlim[RLIMIT_MEMLOCK];
	struct region_ctx *ctx = test->priv;
	struct rlimit old_limit = *limit;
	const struct cred *old = drop_caps(test);

	/* Six pages more than the user has already, and a bit of a seventh. */
	limit->rlim_cur = (ctx->locked + 6) * P + P / 2;
	KUNIT_EXPECT_EQ(test, -ENOMEM, add(ctx, A, 7));
	KUNIT_EXPECT_EQ(test, 0L, charged(ctx));
	KUNIT_EXPECT_EQ(test, 0L, pinned(ctx));
	KUNIT_EXPECT_EQ(test, 0, add(ctx, A, 4));
	KUNIT_EXPECT_EQ(test, 4L, charged(ctx));
	KUNIT_EXPECT_EQ(test, 4L, pinned(ctx));
	KUNIT_EXPECT_EQ(test, -ENOMEM, add(ctx, A + 8 * P, 3));
	KUNIT_EXPECT_EQ(test, 0, add(ctx, A + 8 * P, 2));
	KUNIT_EXPECT_EQ(test, -ENOMEM, add(ctx, A + 16 * P, 1));
	KUNIT_EXPECT_EQ(test, 6L, charged(ctx));
	/* Charged pages that turn out not to be there are given back. */
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A + 8 * P, 2 * P));
	KUNIT_EXPECT_EQ(test, 4L, charged(ctx));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_add(ctx->mem, A + 8 * P, 2 * P,
				     ctx->user + (USER_PAGES - 1) * P, false));
	KUNIT_EXPECT_EQ(test, 4L, charged(ctx));
	KUNIT_EXPECT_EQ(test, 4L, pinned(ctx));
	limit->rlim_cur = 0;
	KUNIT_EXPECT_EQ(test, -ENOMEM, add(ctx, A + 16 * P, 1));
	limit->rlim_cur = RLIM_INFINITY;
	KUNIT_EXPECT_EQ(test, 0, add(ctx, A + 16 * P, 1));
	KUNIT_EXPECT_EQ(test, 5L, charged(ctx));

	/* With the capability there is no limit, and the user pays nothing. */
	revert_creds(old);
	limit->rlim_cur = 0;
	KUNIT_EXPECT_EQ(test, 0, add(ctx, A + 32 * P, 8));
	KUNIT_EXPECT_EQ(test, 5L, charged(ctx));
	KUNIT_EXPECT_EQ(test, 13L, pinned(ctx));
	/* Each region gives back what was paid for it, whoever removes it. */
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A, 4 * P));
	KUNIT_EXPECT_EQ(test, 1L, charged(ctx));
	old = drop_caps(test);
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A + 32 * P, 8 * P));
	revert_creds(old);
	KUNIT_EXPECT_EQ(test, 1L, charged(ctx));
	KUNIT_EXPECT_EQ(test, 1L, pinned(ctx));
	*limit = old_limit;
}

/*
 * Lifetime
 */

/* The pages stay, and stay the guest's, when the VMM unmaps them. */
static void region_test_unmapped(struct kunit *test)
{
	unsigned long user = user_mm_map(test, 4 * P, PROT_READ | PROT_WRITE);
	struct region_ctx *ctx = test->priv;
	u32 word = 0x12345678, back = 0;

	KUNIT_EXPECT_EQ(test, 0, vbus_mem_add(ctx->mem, A, 4 * P, user, false));
	KUNIT_EXPECT_EQ(test, 0, put_user(word, (u32 __user *)(user + 2 * P)));
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(user, 4 * P));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_read(ctx->mem, &back, A + 2 * P, 4));
	KUNIT_EXPECT_EQ(test, word, back);
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_write(ctx->mem, A, ctx, sizeof(*ctx)));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A, 4 * P));
}

/* Something that waits, done by another task. */
struct waiter {
	struct vbus_mem *mem;
	struct task_struct *task;
	struct completion done;
	int ret;
};

static int waiter_del(void *arg)
{
	struct waiter *w = arg;

	allow_kernel_signal(SIGKILL);
	w->ret = vbus_mem_del(w->mem, A, 2 * P);
	complete(&w->done);
	return 0;
}

static int waiter_destroy(void *arg)
{
	struct waiter *w = arg;

	vbus_mem_destroy(w->mem);
	complete(&w->done);
	return 0;
}

/* Returns when it waits. */
static void waiter_start(struct kunit *test, struct waiter *w,
			 struct vbus_mem *mem, int (*fn)(void *arg))
{
	w->mem = mem;
	w->ret = 1;
	init_completion(&w->done);
	w->task = kthread_create(fn, w, "vbus_waiter");
	KUNIT_ASSERT_FALSE(test, IS_ERR(w->task));
	get_task_struct(w->task);
	wake_up_process(w->task);
	KUNIT_EXPECT_EQ(test, 0UL,
			wait_for_completion_timeout(&w->done, HZ / 5));
}

static void waiter_end(struct kunit *test, struct waiter *w)
{
	KUNIT_EXPECT_NE(test, 0UL,
			wait_for_completion_timeout(&w->done, 10 * HZ));
	put_task_struct(w->task);
}

static void region_test_del_waits(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	struct vbus_mem_ref ref = {}, second = {};
	struct bio_vec bv[2];
	struct waiter w;
	u8 byte;

	KUNIT_ASSERT_EQ(test, 0, add(ctx, A, 2));
	KUNIT_ASSERT_EQ(test, 0, add(ctx, A + 8 * P, 1));
	KUNIT_ASSERT_LT(test, 0, vbus_mem_get_bvecs(ctx->mem, A, 2 * P, true,
						    bv, 0, 2, &ref));
	KUNIT_ASSERT_LT(test, 0, vbus_mem_get_bvecs(ctx->mem, A, 1, false,
						    bv, 0, 2, &second));
	waiter_start(test, &w, ctx->mem, waiter_del);

	/* Nobody finds it any more, yet its addresses and pages are taken. */
	KUNIT_EXPECT_FALSE(test, present(ctx, A));
	KUNIT_EXPECT_EQ(test, -EFAULT, vbus_mem_write(ctx->mem, A, &byte, 1));
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vbus_mem_bvecs(ctx->mem, A, 1, false, bv, 2));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, -EBUSY, vbus_mem_del(ctx->mem, A, 2 * P));
	KUNIT_EXPECT_EQ(test, -EEXIST, add(ctx, A + P, 1));
	KUNIT_EXPECT_EQ(test, 3L, pinned(ctx));
	/* All else goes on: the table may be replaced meanwhile. */
	KUNIT_EXPECT_EQ(test, 0, add(ctx, A - P, 1));
	KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A + 8 * P, P));
	KUNIT_EXPECT_TRUE(test, present(ctx, A - 1));

	vbus_mem_put(&ref);
	KUNIT_EXPECT_EQ(test, 0UL, wait_for_completion_timeout(&w.done, HZ / 5));
	vbus_mem_put(&second);
	waiter_end(test, &w);
	KUNIT_EXPECT_EQ(test, 0, w.ret);
	KUNIT_EXPECT_EQ(test, 1L, pinned(ctx));
	KUNIT_EXPECT_EQ(test, 0, add(ctx, A, 2));
}

static void region_test_del_killed(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	struct vbus_mem_ref ref = {};
	struct bio_vec bv[2];
	struct waiter w;
	int i;

	KUNIT_ASSERT_EQ(test, 0, add(ctx, A, 2));
	/* The second round shows that the first left nothing behind. */
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_LT(test, 0, vbus_mem_get_bvecs(ctx->mem, A, 2 * P, true,
							    bv, 0, 2, &ref));
		waiter_start(test, &w, ctx->mem, waiter_del);
		KUNIT_EXPECT_FALSE(test, present(ctx, A));
		send_sig(SIGKILL, w.task, 1);
		waiter_end(test, &w);
		KUNIT_EXPECT_EQ(test, -EINTR, w.ret);
		KUNIT_EXPECT_TRUE(test, present(ctx, A));
		KUNIT_EXPECT_EQ(test, 2L, pinned(ctx));
		vbus_mem_put(&ref);
	}
	KUNIT_ASSERT_LT(test, 0, vbus_mem_get_bvecs(ctx->mem, A, 2 * P, true,
						    bv, 0, 2, &ref));
	waiter_start(test, &w, ctx->mem, waiter_del);
	vbus_mem_put(&ref);
	waiter_end(test, &w);
	KUNIT_EXPECT_EQ(test, 0, w.ret);
	KUNIT_EXPECT_EQ(test, 0L, pinned(ctx));
}

static void region_test_destroy_waits(struct kunit *test)
{
	struct vbus_mem *mem = vbus_mem_create();
	struct region_ctx *ctx = test->priv;
	struct vbus_mem_ref ref = {};
	struct bio_vec bv[2];
	struct waiter w;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mem));
	KUNIT_ASSERT_EQ(test, 0, vbus_mem_add(mem, A, 2 * P, ctx->user, false));
	KUNIT_ASSERT_EQ(test, 0, vbus_mem_add(mem, 0, 2 * P, ctx->user, true));
	KUNIT_ASSERT_EQ(test, 0, vbus_mem_add(mem, TOP, P, ctx->user, false));
	KUNIT_ASSERT_EQ(test, 0, vbus_mem_del(mem, TOP, P));
	KUNIT_ASSERT_LT(test, 0, vbus_mem_get_bvecs(mem, 0, 2 * P, false, bv, 0, 2, &ref));
	waiter_start(test, &w, mem, waiter_destroy);
	/* The holder can still use what it holds. */
	memset(page_address(bv[0].bv_page), 0, P);
	vbus_mem_put(&ref);
	waiter_end(test, &w);
	KUNIT_EXPECT_EQ(test, 0L, pinned(ctx));
}

static void region_test_add_killed(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;

	allow_kernel_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, -EINTR, add(ctx, A, 2));
	flush_signals(current);
	disallow_signal(SIGKILL);
	KUNIT_EXPECT_EQ(test, 0L, pinned(ctx));
	KUNIT_EXPECT_FALSE(test, present(ctx, A));
}

/* Each allocation of each call fails once; then nothing may have changed. */
static void region_test_faults(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;
	struct vbus_mem_map map;
	struct vbus_mem *mem;
	unsigned int n, failed = 0;
	bool again = true;
	int ret;

	fault_setup(test);
	for (n = 1; again; n++) {
		fault_arm(n);
		mem = vbus_mem_create();
		again = fault_disarm();
		if (!IS_ERR(mem)) {
			vbus_mem_destroy(mem);
			continue;
		}
		failed++;
		KUNIT_EXPECT_EQ(test, -ENOMEM, PTR_ERR_OR_ZERO(mem));
	}
	KUNIT_EXPECT_EQ(test, failed, 1U);
	fault_arm(1);
	mem = vbus_mem_create_direct();
	fault_disarm();
	KUNIT_EXPECT_EQ(test, -ENOMEM, PTR_ERR_OR_ZERO(mem));
	if (!IS_ERR(mem))
		vbus_mem_destroy(mem);

	/* One region before, so that a table is there to be replaced. */
	failed = 0;
	KUNIT_ASSERT_EQ(test, 0, add(ctx, A + 32 * P, 1));
	for (n = 1; n < FAULT_MAX; n++) {
		fault_arm(n);
		ret = add(ctx, A, USER_PAGES);
		if (!fault_disarm())
			break;
		/* It was the kernel's own book-keeping that failed. */
		if (!ret) {
			KUNIT_EXPECT_EQ(test, 0, vbus_mem_del(ctx->mem, A, USER_PAGES * P));
			continue;
		}
		failed++;
		KUNIT_EXPECT_EQ_MSG(test, -ENOMEM, ret, "allocation %u", n);
		KUNIT_EXPECT_EQ(test, 1L, pinned(ctx));
		KUNIT_EXPECT_FALSE(test, present(ctx, A));
		KUNIT_EXPECT_TRUE(test, present(ctx, A + 32 * P));
	}
	KUNIT_EXPECT_EQ(test, 0, ret);
	/* The region, its ref, the array of pages and the table at least. */
	KUNIT_EXPECT_GE(test, failed, 4U);

	failed = 0;
	for (n = 1; n < FAULT_MAX; n++) {
		fault_arm(n);
		ret = vbus_mem_map(ctx->mem, A, USER_PAGES * P, &map);
		if (!ret)
			vbus_mem_unmap(&map);
		if (!fault_disarm())
			break;
		if (!ret)
			continue;
		failed++;
		KUNIT_EXPECT_EQ_MSG(test, -ENOMEM, ret, "allocation %u", n);
		KUNIT_EXPECT_NULL(test, map.vaddr);
	}
	KUNIT_EXPECT_EQ(test, 0, ret);
	KUNIT_EXPECT_GE(test, failed, 1U);

	/* Removal needs no memory, and no failed map counts as one. */
	fault_arm(1);
	ret = vbus_mem_del(ctx->mem, A, USER_PAGES * P);
	KUNIT_EXPECT_FALSE(test, fault_disarm());
	KUNIT_EXPECT_EQ(test, 0, ret);
}

static int region_init(struct kunit *test)
{
	struct region_ctx *ctx;
	unsigned int i;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	user_mm_adopt();
	/* A page more, which some cases unmap. */
	ctx->user = user_mm_map(test, (USER_PAGES + 1) * P, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(ctx->user + USER_PAGES * P, P));
	/* From the last one, so that they are not side by side. */
	for (i = USER_PAGES; i-- > 0;)
		KUNIT_ASSERT_EQ(test, 0, put_user(0, (u8 __user *)(ctx->user + i * P)));
	ctx->locked = atomic_long_read(&current_user()->locked_vm);
	ctx->pinned = atomic64_read(&user_mm->pinned_vm);
	ctx->mem = vbus_mem_create();
	KUNIT_ASSERT_FALSE(test, IS_ERR(ctx->mem));
	test->priv = ctx;
	return 0;
}

static void region_exit(struct kunit *test)
{
	struct region_ctx *ctx = test->priv;

	if (ctx) {
		vbus_mem_destroy(ctx->mem);
		vm_munmap(ctx->user, USER_PAGES * P);
		KUNIT_EXPECT_EQ(test, 0L, pinned(ctx));
		KUNIT_EXPECT_EQ(test, 0L, charged(ctx));
	}
	user_mm_leave();
}

static struct kunit_case region_cases[] = {
	KUNIT_CASE(region_test_bad_add),
	KUNIT_CASE(region_test_user_rdonly),
	KUNIT_CASE(region_test_other_mm),
	KUNIT_CASE(region_test_overlap),
	KUNIT_CASE(region_test_bad_del),
	KUNIT_CASE(region_test_max),
	KUNIT_CASE(region_test_memlock),
	KUNIT_CASE(region_test_unmapped),
	KUNIT_CASE(region_test_del_waits),
	KUNIT_CASE(region_test_del_killed),
	KUNIT_CASE(region_test_destroy_waits),
	KUNIT_CASE(region_test_add_killed),
	KUNIT_CASE(region_test_faults),
	{}
};

static struct kunit_suite region_suite = {
	.name = "vbus_memory_region",
	.suite_init = user_mm_suite_init,
	.suite_exit = user_mm_suite_exit,
	.init = region_init,
	.exit = region_exit,
	.test_cases = region_cases,
};

kunit_test_suite(region_suite);

MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_IMPORT_NS(VBUS_SESSION);
