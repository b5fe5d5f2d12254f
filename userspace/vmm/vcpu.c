// SPDX-License-Identifier: GPL-2.0
/*
 * vCPU threads. struct vcpu's fd and run are changed by the main thread, only
 * while the vCPU's thread stands still in vm_pause_point().
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iobus.h"
#include "log.h"
#include "vm.h"

#define KICK_SIGNAL	SIGRTMIN

static void count(struct vcpu *vcpu, enum vcpu_exit kind)
{
	__atomic_store_n(&vcpu->exits[kind], vcpu->exits[kind] + 1,
			 __ATOMIC_RELAXED);
}

static void handle_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	struct iobus *pio = vcpu->vm->pio;
	uint32_t i;

	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			iobus_write(pio, run->io.port, data, run->io.size);
		else
			iobus_read(pio, run->io.port, data, run->io.size);
	}
}

/* An access that crosses a page comes in pieces of any length. */
static void handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct iobus *mmio = vcpu->vm->mmio;
	uint64_t addr = run->mmio.phys_addr;
	uint8_t *data = run->mmio.data;
	uint32_t left = run->mmio.len, len;

	for (; left; addr += len, data += len, left -= len) {
		for (len = 8; len > left; len /= 2)
			;
		if (run->mmio.is_write)
			iobus_write(mmio, addr, data, len);
		else
			iobus_read(mmio, addr, data, len);
	}
}

static void fail(struct vcpu *vcpu, const char *what, unsigned long long detail)
{
	log_error("vCPU %u: %s (%#llx); its registers:", vcpu->id, what, detail);
	vcpu_dump(vcpu);
	vm_request(vcpu->vm, VM_FAIL);
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		count(vcpu, EXIT_IO);
		handle_io(vcpu);
		return;
	case KVM_EXIT_MMIO:
		count(vcpu, EXIT_MMIO);
		handle_mmio(vcpu);
		return;
	case KVM_EXIT_INTR:
		count(vcpu, EXIT_SIGNAL);
		return;
	case KVM_EXIT_SHUTDOWN:
		count(vcpu, EXIT_SHUTDOWN);
		log_guest("vCPU %u: triple fault, the machine is reset",
			  vcpu->id);
		if (log_verbose)
			vcpu_dump(vcpu);
		vm_request(vcpu->vm, VM_RESET);
		return;
	}
	count(vcpu, EXIT_OTHER);
	switch (run->exit_reason) {
	case KVM_EXIT_FAIL_ENTRY:
		fail(vcpu, "the processor refuses to enter the guest",
		     run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		fail(vcpu, "KVM gave up, suberror", run->internal.suberror);
		break;
	default:
		fail(vcpu, "KVM exit that this machine does not know",
		     run->exit_reason);
	}
}

static void *vcpu_main(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	while (vm_pause_point(vm)) {
		if (!ioctl(vcpu->fd, KVM_RUN, 0)) {
			handle_exit(vcpu);
		} else if (errno == EINTR || errno == EAGAIN) {
			count(vcpu, EXIT_SIGNAL);
		} else {
			count(vcpu, EXIT_OTHER);
			fail(vcpu, "KVM_RUN failed", errno);
		}
	}
	return NULL;
}

static int create(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	int size;
	void *run;

	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)vcpu->id);
	if (vcpu->fd < 0)
		return -errno;
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return -errno;
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	vcpu->run = run;
	return cpuid_set(vm, vcpu);
}

int vcpu_create_all(struct vm *vm)
{
	unsigned int i;
	int ret;

	for (i = 0; i < vm->nr_vcpus; i++) {
		ret = create(&vm->vcpus[i]);
		if (ret) {
			log_error("KVM can't make vCPU %u: %s", i, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

void vcpu_destroy_all(struct vm *vm)
{
	int size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->run)
			munmap(vcpu->run, size);
		if (vcpu->fd >= 0)
			close(vcpu->fd);
		vcpu->run = NULL;
		vcpu->fd = -1;
	}
}

static void on_kick(int sig)
{
	(void)sig;
}

int vcpu_start_all(struct vm *vm)
{
	struct sigaction action = { .sa_handler = on_kick };
	unsigned int i;
	int ret;

	/* No SA_RESTART: KVM_RUN shall return. */
	sigaction(KICK_SIGNAL, &action, NULL);
	for (i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		ret = pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu);
		if (ret) {
			log_error("can't make a thread for vCPU %u: %s", i,
				  strerror(ret));
			return -ret;
		}
		vcpu->has_thread = true;
	}
	return 0;
}

void vcpu_join_all(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		if (vm->vcpus[i].has_thread)
			pthread_join(vm->vcpus[i].thread, NULL);
		vm->vcpus[i].has_thread = false;
	}
}

void vcpu_kick_all(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		/* For a thread that is about to enter KVM_RUN ... */
		if (vcpu->run)
			__atomic_store_n(&vcpu->run->immediate_exit, 1,
					 __ATOMIC_SEQ_CST);
		/* ... and for one that is in it. */
		if (vcpu->has_thread)
			pthread_kill(vcpu->thread, KICK_SIGNAL);
	}
}
