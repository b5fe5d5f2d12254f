// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: all that KVM supports, as one package of single-threaded cores. Leaves
 * that tell of topology are written anew, because KVM hands out the host's.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "log.h"
#include "vcpu.h"
#include "vm.h"

#define MAX_ENTRIES	256

#define LEAF_FEATURES		0x1
#define LEAF_CACHES		0x4
#define LEAF_TOPOLOGY		0xb
#define LEAF_TOPOLOGY_V2	0x1f
#define LEAF_AMD_FEATURES	0x80000001
#define LEAF_SIZES		0x80000008
#define LEAF_AMD_CACHES		0x8000001d
#define LEAF_AMD_TOPOLOGY	0x8000001e

#define ECX_TSC_DEADLINE	(1U << 24)
#define ECX_HYPERVISOR		(1U << 31)
#define EDX_HTT			(1U << 28)
#define AMD_ECX_CMP_LEGACY	(1U << 1)

#define TOPOLOGY_SMT		1
#define TOPOLOGY_CORE		2

#define DEFAULT_PHYS_BITS	36
#define GIB			(1ULL << 30)
#define PCI64_ALIGN		(4 * GIB)
#define PCI64_SIZE		(64 * GIB)

/* Bits of the APIC id that number a core. */
static unsigned int core_bits(const struct vm *vm)
{
	unsigned int bits = 0;

	while (1U << bits < vm->nr_vcpus)
		bits++;
	return bits;
}

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *cpuid, uint32_t leaf)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == leaf)
			return &cpuid->entries[i];
	}
	return NULL;
}

/* PCI's 64-bit window goes above RAM, as far as the CPU can address. */
static int place_pci64(struct vm *vm)
{
	const struct kvm_cpuid_entry2 *sizes = find(vm->cpuid, LEAF_SIZES);
	unsigned int bits = sizes ? sizes->eax & 0xff : DEFAULT_PHYS_BITS;
	const struct vm_ram *top = &vm->ram[vm->nr_ram - 1];
	uint64_t base = top->addr + top->size;
	uint64_t end = 1ULL << bits;

	base = (base + PCI64_ALIGN - 1) & ~(PCI64_ALIGN - 1);
	if (base < VM_HIGH_RAM_BASE)
		base = VM_HIGH_RAM_BASE;
	if (base >= end || end - base < GIB) {
		log_error("--mem: too much for this processor, which addresses %u bits",
			  bits);
		return -EINVAL;
	}
	vm->pci64_base = base;
	vm->pci64_size = end - base < PCI64_SIZE ? end - base : PCI64_SIZE;
	return 0;
}

int cpuid_init(struct vm *vm)
{
	struct kvm_cpuid2 *cpuid;
	unsigned int i, nr = 0;

	/* Room for the topology leaves that cpuid_set() adds. */
	cpuid = calloc(1, sizeof(*cpuid) +
		       (MAX_ENTRIES + 2) * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	vm->cpuid = cpuid;
	cpuid->nent = MAX_ENTRIES;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		int ret = -errno;

		log_error("KVM does not tell what CPUs it can offer: %s",
			  strerror(-ret));
		return ret;
	}
	for (i = 0; i < cpuid->nent; i++) {
		uint32_t leaf = cpuid->entries[i].function;

		if (leaf != LEAF_TOPOLOGY && leaf != LEAF_TOPOLOGY_V2)
			cpuid->entries[nr++] = cpuid->entries[i];
	}
	cpuid->nent = nr;
	return place_pci64(vm);
}

void cpuid_exit(struct vm *vm)
{
	free(vm->cpuid);
	vm->cpuid = NULL;
}

static void set_features(const struct vm *vm, const struct vcpu *vcpu,
			 struct kvm_cpuid_entry2 *entry)
{
	entry->ebx = (entry->ebx & 0xffff) | vm->nr_vcpus << 16 | vcpu->id << 24;
	entry->ecx |= ECX_HYPERVISOR;
	/* KVM's APIC has it but KVM_GET_SUPPORTED_CPUID leaves it out. */
	if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		entry->ecx |= ECX_TSC_DEADLINE;
	if (vm->nr_vcpus > 1)
		entry->edx |= EDX_HTT;
	else
		entry->edx &= ~EDX_HTT;
}

/* Caches up to level two belong to a core, the others to all. */
static void set_cache(const struct vm *vm, struct kvm_cpuid_entry2 *entry)
{
	uint32_t level = entry->eax >> 5 & 7;

	if (!(entry->eax & 0x1f))
		return;
	entry->eax &= 0x3fff;
	if (level > 2)
		entry->eax |= ((1U << core_bits(vm)) - 1) << 14;
	/* Reserved on AMD. */
	if (entry->function == LEAF_CACHES)
		entry->eax |= ((1U << core_bits(vm)) - 1) << 26;
}

static void adjust(const struct vm *vm, const struct vcpu *vcpu,
		   struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case LEAF_FEATURES:
		set_features(vm, vcpu, entry);
		break;
	case LEAF_CACHES:
	case LEAF_AMD_CACHES:
		set_cache(vm, entry);
		break;
	case LEAF_AMD_FEATURES:
		/* Intel leaves the bit reserved, KVM clears it there. */
		if (vm->nr_vcpus == 1)
			entry->ecx &= ~AMD_ECX_CMP_LEGACY;
		break;
	case LEAF_SIZES:
		/* Zero on Intel, where leaf 4 and 0xb tell. */
		if (entry->ecx)
			entry->ecx = core_bits(vm) << 12 | (vm->nr_vcpus - 1);
		break;
	case LEAF_AMD_TOPOLOGY:
		entry->eax = vcpu->id;
		entry->ebx = vcpu->id;
		entry->ecx = 0;
		break;
	}
}

static void add_topology(const struct vm *vm, const struct vcpu *vcpu,
			 struct kvm_cpuid2 *cpuid)
{
	struct kvm_cpuid_entry2 *entry = &cpuid->entries[cpuid->nent];

	entry[0] = (struct kvm_cpuid_entry2){
		.function = LEAF_TOPOLOGY,
		.index = 0,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.ebx = 1,
		.ecx = 0 | TOPOLOGY_SMT << 8,
		.edx = vcpu->id,
	};
	entry[1] = (struct kvm_cpuid_entry2){
		.function = LEAF_TOPOLOGY,
		.index = 1,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = core_bits(vm),
		.ebx = vm->nr_vcpus,
		.ecx = 1 | TOPOLOGY_CORE << 8,
		.edx = vcpu->id,
	};
	cpuid->nent += 2;
}

int cpuid_set(struct vm *vm, struct vcpu *vcpu)
{
	size_t size = sizeof(*vm->cpuid) +
		      (MAX_ENTRIES + 2) * sizeof(vm->cpuid->entries[0]);
	const struct kvm_cpuid_entry2 *highest;
	struct kvm_cpuid2 *cpuid;
	unsigned int i;
	int ret;

	cpuid = malloc(size);
	if (!cpuid)
		return -ENOMEM;
	memcpy(cpuid, vm->cpuid, size);
	for (i = 0; i < cpuid->nent; i++)
		adjust(vm, vcpu, &cpuid->entries[i]);
	highest = find(cpuid, 0);
	if (highest && highest->eax >= LEAF_TOPOLOGY)
		add_topology(vm, vcpu, cpuid);
	ret = ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) ? -errno : 0;
	free(cpuid);
	return ret;
}
