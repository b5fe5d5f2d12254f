// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory. RAM lies below the hole for PCI, and above 4 GiB what does not
 * fit there. The contents survive a reset of the guest, as in a PC.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "options.h"
#include "vm.h"

static int add_ram(struct vm *vm, uint64_t addr, uint64_t size, uint64_t fd_off)
{
	struct vm_ram *ram = &vm->ram[vm->nr_ram];
	void *host;

	host = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, vm->ram_fd, fd_off);
	if (host == MAP_FAILED)
		return -errno;
	/* The guest's secrets are nothing for a core dump. */
	madvise(host, size, MADV_DONTDUMP);
	*ram = (struct vm_ram){ addr, size, host, fd_off };
	vm->nr_ram++;
	return 0;
}

int memory_init(struct vm *vm)
{
	uint64_t size = vm->opt->mem;
	uint64_t low = size < VM_LOW_RAM_MAX ? size : VM_LOW_RAM_MAX;
	int ret;

	vm->ram_fd = memfd_create("vbus-vmm-ram", MFD_CLOEXEC);
	if (vm->ram_fd < 0 || ftruncate(vm->ram_fd, size))
		ret = -errno;
	else
		ret = add_ram(vm, 0, low, 0);
	if (!ret && size > low)
		ret = add_ram(vm, VM_HIGH_RAM_BASE, size - low, low);
	if (ret)
		log_error("can't make %llu MiB of guest memory: %s; a smaller --mem may do",
			  (unsigned long long)size >> 20, strerror(-ret));
	return ret;
}

int memory_register(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_ram; i++) {
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = vm->ram[i].addr,
			.memory_size = vm->ram[i].size,
			.userspace_addr = (uintptr_t)vm->ram[i].host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region)) {
			int ret = -errno;

			log_error("KVM does not take the guest's memory at %#llx: %s",
				  (unsigned long long)region.guest_phys_addr,
				  strerror(-ret));
			return ret;
		}
	}
	return 0;
}

void memory_exit(struct vm *vm)
{
	while (vm->nr_ram) {
		vm->nr_ram--;
		munmap(vm->ram[vm->nr_ram].host, vm->ram[vm->nr_ram].size);
	}
	if (vm->ram_fd >= 0)
		close(vm->ram_fd);
	vm->ram_fd = -1;
}

void *vm_ram_ptr(struct vm *vm, uint64_t addr, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < vm->nr_ram; i++) {
		const struct vm_ram *ram = &vm->ram[i];

		if (addr >= ram->addr && addr - ram->addr < ram->size &&
		    len <= ram->size - (addr - ram->addr))
			return (char *)ram->host + (addr - ram->addr);
	}
	return NULL;
}
