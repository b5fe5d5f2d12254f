// SPDX-License-Identifier: GPL-2.0
/*
 * The machine's life. Threads and locks: see vm.h.
 */
#include "vm.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <urcu-bp.h>

#include "boot.h"
#include "bus.h"
#include "iobus.h"
#include "irq.h"
#include "kvm.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "power.h"
#include "seccomp.h"
#include "serial.h"
#include "vcpu.h"

static const char * const exit_names[EXIT_KINDS] = {
	[EXIT_MMIO] = "mmio",
	[EXIT_IO] = "io",
	[EXIT_SIGNAL] = "signal",
	[EXIT_SHUTDOWN] = "shutdown",
	[EXIT_OTHER] = "other",
};

void vm_request(struct vm *vm, enum vm_request request)
{
	enum vm_request old = __atomic_load_n(&vm->request, __ATOMIC_RELAXED);
	uint64_t one = 1;

	do {
		if (old >= request)
			return;
	} while (!__atomic_compare_exchange_n(&vm->request, &old, request, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	/* The counter can't overflow: a request only ever grows until it is done. */
	if (write(vm->request_source.fd, &one, sizeof(one)) < 0)
		log_error("bug: can't wake the main loop: %s", strerror(errno));
}

static enum vm_request pending_request(struct vm *vm)
{
	return __atomic_load_n(&vm->request, __ATOMIC_SEQ_CST);
}

static void on_request(void *opaque, uint32_t events)
{
	struct vm *vm = opaque;
	uint64_t value;

	/* Only wakes the loop: vm_run() looks at vm->request. */
	(void)events;
	if (read(vm->request_source.fd, &value, sizeof(value)) < 0)
		return;
}

void vm_add_reset_hook(struct vm *vm, struct vm_reset_hook *hook)
{
	struct vm_reset_hook **at = &vm->reset_hooks;

	while (*at)
		at = &(*at)->next;
	hook->next = NULL;
	*at = hook;
}

bool vm_pause_point(struct vm *vm)
{
	bool go_on;

	if (!__atomic_load_n(&vm->pause, __ATOMIC_SEQ_CST) &&
	    pending_request(vm) == VM_RUN)
		return true;
	pthread_mutex_lock(&vm->pause_lock);
	vm->nr_paused++;
	pthread_cond_broadcast(&vm->pause_cond);
	while (!vm->quit && (vm->pause || pending_request(vm) != VM_RUN))
		pthread_cond_wait(&vm->pause_cond, &vm->pause_lock);
	vm->nr_paused--;
	go_on = !vm->quit;
	pthread_mutex_unlock(&vm->pause_lock);
	return go_on;
}

/* Returns when no vCPU thread runs the guest or handles an exit. */
static void vm_pause(struct vm *vm)
{
	pthread_mutex_lock(&vm->pause_lock);
	__atomic_store_n(&vm->pause, true, __ATOMIC_SEQ_CST);
	vcpu_kick_all(vm);
	while (vm->nr_paused < vm->nr_vcpus)
		pthread_cond_wait(&vm->pause_cond, &vm->pause_lock);
	pthread_mutex_unlock(&vm->pause_lock);
}

static void vm_resume(struct vm *vm)
{
	unsigned int i;

	pthread_mutex_lock(&vm->pause_lock);
	for (i = 0; i < vm->nr_vcpus; i++)
		vm->vcpus[i].run->immediate_exit = 0;
	__atomic_store_n(&vm->request, VM_RUN, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vm->pause, false, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vm->pause_cond);
	pthread_mutex_unlock(&vm->pause_lock);
}

static int vm_boot(struct vm *vm)
{
	int ret;

	ret = boot_load(vm);
	return ret ? ret : vcpu_boot(vm);
}

static int vm_reset(struct vm *vm)
{
	struct vm_reset_hook *hook;
	int ret;

	log_info("reset");
	for (hook = vm->reset_hooks; hook; hook = hook->next)
		hook->fn(hook->opaque);
	kvm_destroy(vm);
	ret = kvm_create(vm);
	for (hook = vm->reset_hooks; hook && !ret; hook = hook->next)
		if (hook->restart)
			ret = hook->restart(hook->opaque);
	if (!ret)
		ret = vm_boot(vm);
	return ret;
}

static void print_exits(struct vm *vm)
{
	char line[512] = "exits";
	size_t len = strlen(line);
	unsigned int i;
	int kind;

	for (kind = 0; kind < EXIT_KINDS; kind++) {
		uint64_t sum = 0;

		for (i = 0; i < vm->nr_vcpus; i++)
			sum += __atomic_load_n(&vm->vcpus[i].exits[kind],
					       __ATOMIC_RELAXED);
		len += snprintf(line + len, sizeof(line) - len, " %s %" PRIu64,
				exit_names[kind], sum);
	}
	/* For scripts: without the program's name in front. */
	len += snprintf(line + len, sizeof(line) - len, "\n");
	if (write(STDERR_FILENO, line, len) < 0)
		log_error("can't print counters: %s", strerror(errno));
}

static void on_signal(void *opaque, uint32_t events)
{
	struct vm *vm = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(vm->signal_source.fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1) {
		print_exits(vm);
		return;
	}
	log_info("ended by signal %u", info.ssi_signo);
	vm_request(vm, VM_POWEROFF);
}

/* Before any thread exists, so that all of them have the signals blocked. */
static int init_signals(struct vm *vm)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	/* In the background, reading the terminal shall fail rather than stop us. */
	signal(SIGTTIN, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	vm->signal_source = (struct loop_source){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.fn = on_signal,
		.opaque = vm,
	};
	if (vm->signal_source.fd < 0)
		return -errno;
	return loop_add(vm->loop, &vm->signal_source, EPOLLIN);
}

/*
 * Each vector and each doorbell is a file, and the usual limit of 1024 is little for
 * many queues. Nothing here depends on small numbers.
 */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int init_base(struct vm *vm)
{
	unsigned int i;
	int ret;

	vm->loop = loop_new();
	vm->mmio = iobus_new();
	vm->pio = iobus_new();
	vm->vcpus = calloc(vm->nr_vcpus, sizeof(*vm->vcpus));
	if (!vm->loop || !vm->mmio || !vm->pio || !vm->vcpus)
		return -ENOMEM;
	for (i = 0; i < vm->nr_vcpus; i++) {
		vm->vcpus[i].vm = vm;
		vm->vcpus[i].id = i;
		vm->vcpus[i].fd = -1;
	}
	vm->request_source = (struct loop_source){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.fn = on_request,
		.opaque = vm,
	};
	if (vm->request_source.fd < 0)
		return -errno;
	ret = loop_add(vm->loop, &vm->request_source, EPOLLIN);
	if (!ret)
		ret = init_signals(vm);
	/* Its thread must exist before system calls are filtered. */
	if (!ret && !get_default_call_rcu_data())
		ret = -ENOMEM;
	return ret;
}

int vm_init(struct vm *vm, const struct options *opt)
{
	int ret;

	*vm = (struct vm){
		.opt = opt,
		.nr_vcpus = opt->cpus,
		.kvm_fd = -1,
		.fd = -1,
		.ram_fd = -1,
		.request_source.fd = -1,
		.signal_source.fd = -1,
		.pause = true,
	};
	pthread_mutex_init(&vm->pause_lock, NULL);
	pthread_cond_init(&vm->pause_cond, NULL);
	seccomp_prepare();
	raise_file_limit();
	ret = init_base(vm);
	if (ret) {
		log_error("can't start: %s", strerror(-ret));
		return ret;
	}
	ret = memory_init(vm);
	if (!ret)
		ret = boot_init(vm);
	if (!ret)
		ret = kvm_open(vm);
	if (!ret)
		ret = cpuid_init(vm);
	if (!ret)
		ret = kvm_create(vm);
	if (!ret)
		ret = power_init(vm);
	if (!ret)
		ret = serial_init(vm);
	if (!ret)
		ret = buses_new(vm, &vm->buses);
	if (!ret)
		ret = vm_boot(vm);
	if (!ret)
		ret = vcpu_start_all(vm);
	if (!ret && !opt->no_seccomp)
		ret = seccomp_start();
	return ret;
}

int vm_run(struct vm *vm)
{
	enum vm_request request;
	int ret;

	/* Unless a signal came already. */
	if (pending_request(vm) == VM_RUN)
		vm_resume(vm);
	for (;;) {
		request = pending_request(vm);
		if (request == VM_RESET && vm->opt->no_reboot)
			request = VM_POWEROFF;
		if (request == VM_POWEROFF)
			return 0;
		if (request == VM_FAIL)
			return 1;
		if (request == VM_RESET) {
			vm_pause(vm);
			if (vm_reset(vm))
				return 1;
			/* What was asked for meanwhile must not get lost. */
			if (pending_request(vm) == VM_RESET)
				vm_resume(vm);
			continue;
		}
		ret = loop_run_once(vm->loop);
		if (ret) {
			log_error("main loop: %s", strerror(-ret));
			return 1;
		}
	}
}

static void stop_vcpus(struct vm *vm)
{
	pthread_mutex_lock(&vm->pause_lock);
	vm->quit = true;
	__atomic_store_n(&vm->pause, true, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vm->pause_cond);
	pthread_mutex_unlock(&vm->pause_lock);
	vcpu_kick_all(vm);
	vcpu_join_all(vm);
}

void vm_exit(struct vm *vm)
{
	if (vm->vcpus)
		stop_vcpus(vm);
	buses_free(vm->buses);
	serial_exit(vm);
	if (vm->vcpus)
		kvm_destroy(vm);
	irq_free(vm);
	cpuid_exit(vm);
	boot_exit(vm);
	memory_exit(vm);
	kvm_close(vm);
	if (vm->signal_source.fd >= 0)
		close(vm->signal_source.fd);
	if (vm->request_source.fd >= 0)
		close(vm->request_source.fd);
	/* Tables of the buses may still wait for a grace period. */
	rcu_barrier();
	iobus_free(vm->mmio);
	iobus_free(vm->pio);
	loop_free(vm->loop);
	free(vm->vcpus);
	pthread_cond_destroy(&vm->pause_cond);
	pthread_mutex_destroy(&vm->pause_lock);
}
