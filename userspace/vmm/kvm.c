// SPDX-License-Identifier: GPL-2.0
/*
 * KVM itself. Runs in the main thread while no vCPU does.
 */
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "irq.h"
#include "log.h"
#include "memory.h"
#include "vcpu.h"
#include "vm.h"

#define KVM_DEVICE	"/dev/kvm"

/* Intel's real mode needs four pages that the guest does not use. */
#define IDENTITY_MAP	0xfeffc000ULL
#define TSS		0xfeffd000ULL

static void explain_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		log_error("no KVM: %s %s. Load the module kvm_intel or kvm_amd; if it refuses, switch virtualisation on in the firmware (or, in a virtual machine, nesting in its hypervisor)",
			  KVM_DEVICE, error == ENOENT ? "does not exist" :
			  "does not answer");
		break;
	case EACCES:
	case EPERM:
		log_error("no permission for %s: become a member of its group (usermod -aG kvm USER, then log in anew)",
			  KVM_DEVICE);
		break;
	default:
		log_error("can't open %s: %s", KVM_DEVICE, strerror(error));
	}
}

static int check_extensions(int fd)
{
	static const struct {
		int number;
		const char *name;
	} needed[] = {
		{ KVM_CAP_USER_MEMORY, "user memory" },
		{ KVM_CAP_IRQCHIP, "interrupt controllers" },
		{ KVM_CAP_IRQ_ROUTING, "interrupt routing" },
		{ KVM_CAP_IRQFD, "irqfd" },
		{ KVM_CAP_IOEVENTFD, "ioeventfd" },
		{ KVM_CAP_SIGNAL_MSI, "message interrupts" },
		{ KVM_CAP_IMMEDIATE_EXIT, "immediate exits" },
		{ KVM_CAP_EXT_CPUID, "CPUID" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].number) <= 0) {
			log_error("KVM of this kernel has no %s; a kernel from 6.1 on has",
				  needed[i].name);
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

int kvm_open(struct vm *vm)
{
	int ret;

	vm->kvm_fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		ret = -errno;
		explain_open(-ret);
		return ret;
	}
	ret = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (ret != KVM_API_VERSION) {
		log_error("%s speaks version %d of its interface, not %d",
			  KVM_DEVICE, ret, KVM_API_VERSION);
		return -EOPNOTSUPP;
	}
	ret = check_extensions(vm->kvm_fd);
	if (ret)
		return ret;
	ret = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (ret > 0 && vm->nr_vcpus > (unsigned int)ret) {
		log_error("--cpus %u: KVM can do %d here", vm->nr_vcpus, ret);
		return -EINVAL;
	}
	return 0;
}

void kvm_close(struct vm *vm)
{
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	vm->kvm_fd = -1;
}

static int set_up(struct vm *vm)
{
	uint64_t identity = IDENTITY_MAP;

	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0UL);
	if (vm->fd < 0 ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS) ||
	    ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		return -errno;
	return irq_init(vm);
}

int kvm_create(struct vm *vm)
{
	int ret;

	ret = set_up(vm);
	if (ret) {
		log_error("KVM can't make a virtual machine: %s%s",
			  strerror(-ret), ret == -EBUSY ?
			  "; does another hypervisor have the processor?" : "");
		return ret;
	}
	ret = memory_register(vm);
	if (!ret)
		ret = vcpu_create_all(vm);
	return ret;
}

void kvm_destroy(struct vm *vm)
{
	vcpu_destroy_all(vm);
	irq_exit(vm);
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
}
