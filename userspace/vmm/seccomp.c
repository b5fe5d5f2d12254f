// SPDX-License-Identifier: GPL-2.0
/*
 * The system call filter. It lists what vCPU threads, the main loop, a reset, the
 * end, libvbus, liburcu, libc's malloc and threads need; ioctls by number.
 * Nothing can be opened, executed, connected to or made runnable any more.
 */
#define _GNU_SOURCE
#include "seccomp.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/kvm.h>
#include <linux/vbus.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "chardev.h"
#include "log.h"

#define IOCTL_TYPE_MASK	(_IOC_TYPEMASK << _IOC_TYPESHIFT)

static const int plain_calls[] = {
	/* Data: consoles, devices' registers, eventfds, kernel and initrd. */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(close),
	SCMP_SYS(eventfd2), SCMP_SYS(accept4),
	/* The main loop. */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	/* Threads and locks. */
	SCMP_SYS(futex), SCMP_SYS(membarrier), SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(gettid),
	SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	/* Memory; mmap and mprotect have rules of their own. */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* Time. */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(getrandom),
};

static const unsigned long ioctls[] = {
	/* A running guest. */
	KVM_RUN, KVM_IRQ_LINE, KVM_IRQFD, KVM_IOEVENTFD, KVM_SIGNAL_MSI,
	KVM_SET_GSI_ROUTING, KVM_GET_REGS, KVM_GET_SREGS,
	/* A reset. */
	KVM_CREATE_VM, KVM_SET_IDENTITY_MAP_ADDR, KVM_SET_TSS_ADDR,
	KVM_CREATE_IRQCHIP, KVM_SET_USER_MEMORY_REGION, KVM_CREATE_VCPU,
	KVM_GET_VCPU_MMAP_SIZE, KVM_CHECK_EXTENSION, KVM_SET_CPUID2,
	KVM_SET_REGS, KVM_SET_SREGS, KVM_GET_MSRS, KVM_SET_MSRS,
	/* The end, with a terminal. */
	TCGETS, TCSETS,
};

/*
 * The thread is stopped at the call, with signals of libc's own blocked perhaps, so
 * only what is safe in a signal handler.
 */
static void on_violation(int sig, siginfo_t *info, void *context)
{
	char text[128];
	int len;

	(void)sig;
	(void)context;
	chardev_restore_terminal();
	len = snprintf(text, sizeof(text),
		       "vbus-vmm: bug or attack: system call %d is not allowed; --no-seccomp switches the filter off\n",
		       info->si_syscall);
	if (write(STDERR_FILENO, text, len) < 0)
		_exit(2);
	_exit(1);
}

static int allow_plain(scmp_filter_ctx filter)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < sizeof(plain_calls) / sizeof(plain_calls[0]); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain_calls[i], 0);
	return ret;
}

static int allow_ioctls(scmp_filter_ctx filter)
{
	unsigned int i;
	int ret = 0;

	/* The kernel looks at the low 32 bits, and libcs differ in the others. */
	for (i = 0; !ret && i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffUL,
					       ioctls[i] & 0xffffffffUL));
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, IOCTL_TYPE_MASK,
					       VBUS_IOC << _IOC_TYPESHIFT));
	return ret;
}

static int allow_special(scmp_filter_ctx filter)
{
	int ret;

	/* New memory is never code. */
	ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect),
				       1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Signals to our own threads only. */
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				       SCMP_A0(SCMP_CMP_EQ, getpid()));
	return ret;
}

/*
 * glibc gives threads heaps of their own, opens a file of sysfs to learn how many
 * are sensible when there are more than eight, and one of procfs when it shrinks
 * one. Nothing here allocates often: one heap does.
 */
void seccomp_prepare(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
}

int seccomp_start(void)
{
	struct sigaction action = {
		.sa_sigaction = on_violation,
		.sa_flags = SA_SIGINFO,
	};
	scmp_filter_ctx filter;
	int ret;

	sigaction(SIGSYS, &action, NULL);
	filter = seccomp_init(SCMP_ACT_TRAP);
	if (!filter)
		return -ENOMEM;
	/* All threads, and tell if one can't be had. */
	ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!ret)
		ret = allow_plain(filter);
	if (!ret)
		ret = allow_ioctls(filter);
	if (!ret)
		ret = allow_special(filter);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	if (ret)
		log_error("can't restrict system calls: %s; --no-seccomp does without",
			  strerror(-ret));
	return ret;
}
