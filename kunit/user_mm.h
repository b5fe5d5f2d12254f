/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User memory for a KUnit case.
 *
 * A case runs in a kernel thread, which has no user memory.  A suite that is a
 * module is run by the task that loads the module, and that one has: suite_init
 * remembers its mm, each case adopts it and maps some anonymous memory there.
 *
 * kthread_use_mm() needs no reference to the mm's users, but a case that fails an
 * assertion dies with the mm adopted, and then exit drops one.
 */
#ifndef _VBUS_KUNIT_USER_MM_H
#define _VBUS_KUNIT_USER_MM_H

#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>

static struct mm_struct *user_mm;

static inline int user_mm_suite_init(struct kunit_suite *suite)
{
	if (!current->mm)
		return -EINVAL;
	mmget(current->mm);
	user_mm = current->mm;
	return 0;
}

static inline void user_mm_suite_exit(struct kunit_suite *suite)
{
	mmput(user_mm);
}

static inline void user_mm_adopt(void)
{
	mmget(user_mm);
	kthread_use_mm(user_mm);
}

/* The clean-up after a failed assertion runs in the loading task itself. */
static inline void user_mm_leave(void)
{
	if ((current->flags & PF_KTHREAD) && current->mm) {
		kthread_unuse_mm(user_mm);
		mmput(user_mm);
	}
}

static inline unsigned long user_mm_map(struct kunit *test, size_t length,
					unsigned long prot)
{
	unsigned long addr;

	addr = vm_mmap(NULL, 0, length, prot, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

#endif /* _VBUS_KUNIT_USER_MM_H */
