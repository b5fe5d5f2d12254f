/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine: guest memory, vCPUs, buses, and its life from power-on to power-off.
 *
 * Threads. The main thread sets everything up, then runs the main loop (loop.h):
 * consoles, signals, libvbus_process(), requests for reset and power-off. Each
 * vCPU has a thread that runs KVM_RUN and handles its exits: it dispatches on
 * vm->mmio and vm->pio. liburcu has one thread for call_rcu. All threads
 * exist before the seccomp filter is loaded; none is made after that.
 *
 * Locks. None is held while a device's handler is called.
 *   vm->pause_lock	whether vCPUs shall stand still, and how many do
 *   iobus		mutex for changes, RCU for look-ups
 *   irq		mutex around the routing table and its ioctl
 *   serial		one mutex a port
 * They nest in no order but: a device's own lock, then iobus or irq.
 *
 * Reset. A vCPU thread that sees a reset (or the main thread) calls vm_request().
 * The main thread stops all vCPUs, calls the reset hooks in the order they were
 * added, throws the KVM VM away and makes a new one over the same guest memory
 * (which therefore stays pinned and mapped, as the bus stays open), calls the restart
 * hooks, loads the kernel again and lets the vCPUs run.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

struct boot;
struct buses;
struct iobus;
struct irq_table;
struct kvm_cpuid2;
struct options;
struct serial;
struct vcpu;

/*
 * Guest physical addresses. RAM is below VM_LOW_RAM_MAX and, what does not fit
 * there, from 4 GiB on. The 64-bit window of PCI lies above all RAM, see
 * vm->pci64_base.
 */
#define VM_ECAM_BASE		0xb0000000ULL
#define VM_ECAM_SIZE		0x10000000ULL	/* 256 buses */
#define VM_LOW_RAM_MAX		VM_ECAM_BASE
#define VM_PCI32_BASE		0xc0000000ULL
#define VM_PCI32_SIZE		0x3e000000ULL	/* up to 0xfe000000 */
#define VM_NATIVE_BASE		0xfe000000ULL	/* 16 KiB for each bus: native.h */
#define VM_IOAPIC_BASE		0xfec00000ULL
#define VM_LAPIC_BASE		0xfee00000ULL
#define VM_HIGH_RAM_BASE	0x100000000ULL

#define VM_MAX_CPUS		64
#define VM_MAX_BUSES		8
/* Of each bus: all of them are functions of devices 1 to 31 of PCI bus 0. */
#define VM_MAX_SLOTS		31

/**
 * struct vm_ram - a piece of guest memory that is contiguous in both address spaces
 * @addr: guest physical address
 * @size: bytes, a multiple of 2 MiB
 * @host: where it is mapped here, shared from vm->ram_fd at @fd_off
 */
struct vm_ram {
	uint64_t addr;
	uint64_t size;
	void *host;
	uint64_t fd_off;
};

enum vm_request {
	VM_RUN,
	VM_RESET,	/* as by the reset button */
	VM_POWEROFF,	/* exit with status 0 */
	VM_FAIL,	/* exit with status 1; the reason has been logged */
};

typedef void (*vm_reset_fn)(void *opaque);
typedef int (*vm_restart_fn)(void *opaque);

struct vm_reset_hook {
	vm_reset_fn fn;
	vm_restart_fn restart;	/* or NULL */
	void *opaque;
	struct vm_reset_hook *next;
};

struct vm {
	const struct options *opt;
	struct loop *loop;
	struct iobus *mmio;
	struct iobus *pio;

	int kvm_fd;		/* /dev/kvm */
	int fd;			/* the KVM VM; another one after a reset */
	struct irq_table *irqs;

	int ram_fd;
	struct vm_ram ram[2];
	unsigned int nr_ram;

	/* 64-bit window of PCI: above RAM, below what the CPU can address. */
	uint64_t pci64_base;
	uint64_t pci64_size;

	struct boot *boot;
	uint64_t boot_entry;	/* where the first vCPU starts */

	struct kvm_cpuid2 *cpuid;
	struct vcpu *vcpus;
	unsigned int nr_vcpus;

	struct serial *com[2];
	struct buses *buses;

	pthread_mutex_t pause_lock;
	pthread_cond_t pause_cond;
	bool pause;
	bool quit;
	unsigned int nr_paused;

	enum vm_request request;	/* atomic; only the main thread sets VM_RUN */
	struct loop_source request_source;
	struct loop_source signal_source;
	struct vm_reset_hook *reset_hooks;
};

/*
 * Ask for what shall come next; the main thread does it. VM_FAIL beats
 * VM_POWEROFF beats VM_RESET. Any thread may call; a vCPU thread stops running
 * the guest before its next KVM_RUN.
 */
void vm_request(struct vm *vm, enum vm_request request);

/*
 * Call fn at each reset, in the main thread with all vCPUs stopped and the KVM VM
 * still there: put the device back as at power-on and take back everything
 * that irq.h gave. Then call restart, if there is one, with the new KVM VM there:
 * give it what does not wait for the guest to ask. It returns 0 or, after a message,
 * a negative errno, which ends the machine.
 * Before vm_start() only; the hook lives as long as the machine.
 */
void vm_add_reset_hook(struct vm *vm, struct vm_reset_hook *hook);

/* Everything up to vCPU threads that stand still. 0 or, after a message, an errno. */
int vm_init(struct vm *vm, const struct options *opt);

/* Run the guest to its end. Return: exit status of the process. */
int vm_run(struct vm *vm);

/* Undo vm_init(), also if it failed half-way. */
void vm_exit(struct vm *vm);

/*
 * A vCPU thread may run the guest only after this: it waits here while the machine
 * is stopped. Return: false: the thread shall end.
 */
bool vm_pause_point(struct vm *vm);

/*
 * Where guest addresses [addr, addr + len) are mapped here; NULL if they are not
 * all in one piece of RAM.
 */
void *vm_ram_ptr(struct vm *vm, uint64_t addr, uint64_t len);

#endif /* VMM_VM_H */
