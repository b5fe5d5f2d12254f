/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual CPUs and their threads. A vCPU's KVM file descriptor is replaced at each
 * reset, its thread stays.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdbool.h>

struct kvm_run;
struct vm;

enum vcpu_exit {
	EXIT_MMIO,	/* to a handler or to nobody */
	EXIT_IO,
	EXIT_SIGNAL,	/* this process wanted the vCPU to stop */
	EXIT_SHUTDOWN,	/* triple fault */
	EXIT_OTHER,
	EXIT_KINDS,
};

struct vcpu {
	struct vm *vm;
	unsigned int id;	/* and APIC id */
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool has_thread;
	unsigned long exits[EXIT_KINDS];	/* atomic; written by the thread */
};

/* One KVM vCPU for each vm->vcpus[]. Return: 0 or, after a message, an errno. */
int vcpu_create_all(struct vm *vm);
void vcpu_destroy_all(struct vm *vm);

/* Registers of the first vCPU, for vm->boot_entry. */
int vcpu_boot(struct vm *vm);

/* Threads; they stand still until vm_resume(). */
int vcpu_start_all(struct vm *vm);
/* After vm->quit is set. */
void vcpu_join_all(struct vm *vm);
/* Make a vCPU leave KVM_RUN, or not enter it. */
void vcpu_kick_all(struct vm *vm);

/* cpuid.c: what the guest's CPUs can; 0 or, after a message, an errno. */
int cpuid_init(struct vm *vm);
int cpuid_set(struct vm *vm, struct vcpu *vcpu);
void cpuid_exit(struct vm *vm);

/* vcpu_regs.c: to stderr, for a vCPU that can't go on. */
void vcpu_dump(struct vcpu *vcpu);

#endif /* VMM_VCPU_H */
