/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Let the n-th slab allocation of a call fail, for each n.  (Single pages are left
 * out: the slabs themselves take some now and then, so n would not be the same
 * allocation twice.)
 *
 *	fault_setup(test);
 *	for (n = 1; n < FAULT_MAX; n++) {
 *		fault_arm(n);
 *		ret = call();
 *		if (!fault_disarm())
 *			break;		(there were less than n allocations)
 *		...			(it may have succeeded all the same: the
 *					kernel's debugging allocates too)
 *	}
 *
 * By default the kernel lets only atomic allocations fail, so fault_setup()
 * changes that, and makes failures silent, for the whole machine.  Nothing fails
 * outside of fault_arm() for all that.
 */
#ifndef _VBUS_KUNIT_FAULT_H
#define _VBUS_KUNIT_FAULT_H

#include <kunit/test.h>
#include <linux/sched.h>
#include <linux/umh.h>

/* No single call of ours allocates as often. */
#define FAULT_MAX	2000

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
/* debugfs takes this from user programs only. */
static inline void fault_setup(struct kunit *test)
{
	char command[] = "cd $dir && echo N > ignore-gfp-wait && echo 0 > verbose";
	char shell[] = "/bin/sh", option[] = "-c";
	char dir[] = "dir=/sys/kernel/debug/failslab";
	char *argv[4] = { shell, option, command, NULL };
	char *envp[2] = { dir, NULL };

	KUNIT_ASSERT_EQ(test, 0, call_usermodehelper(shell, argv, envp,
						     UMH_WAIT_PROC));
}

static inline void fault_arm(unsigned int n)
{
	current->fail_nth = n;
}

/* Return: true if an allocation did fail. */
static inline bool fault_disarm(void)
{
	bool failed = !current->fail_nth;

	current->fail_nth = 0;
	return failed;
}
#else
static inline void fault_setup(struct kunit *test)
{
	kunit_skip(test, "the kernel has no fault injection");
}

static inline void fault_arm(unsigned int n)
{
}

static inline bool fault_disarm(void)
{
	return false;
}
#endif

#endif /* _VBUS_KUNIT_FAULT_H */
