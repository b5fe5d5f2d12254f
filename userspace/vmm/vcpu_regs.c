// SPDX-License-Identifier: GPL-2.0
/*
 * Registers of a vCPU: what it starts with, and what it had when it could not go on.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "boot.h"
#include "log.h"
#include "vcpu.h"
#include "vm.h"

#define CR0_PE		0x00000001ULL
#define CR0_ET		0x00000010ULL
#define CR0_PG		0x80000000ULL
#define CR4_PAE		0x00000020ULL
#define EFER_LME	0x00000100ULL
#define EFER_LMA	0x00000400ULL

#define MSR_MISC_ENABLE		0x1a0
#define MISC_FAST_STRINGS	1ULL
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE_WB		0x806ULL

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

static const struct kvm_segment code64 = {
	.limit = 0xffffffff, .selector = 0x10, .type = 11, .present = 1,
	.s = 1, .l = 1, .g = 1,
};

static const struct kvm_segment data = {
	.limit = 0xffffffff, .selector = 0x18, .type = 3, .present = 1,
	.s = 1, .db = 1, .g = 1,
};

/*
 * What firmware would have done, and Linux complains or does without if nobody has:
 * caching, and on Intel fast string instructions. Processors without them say no.
 */
static void set_msrs(int fd)
{
	struct one_msr msr = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE_WB },
	};

	ioctl(fd, KVM_SET_MSRS, &msr);
	msr.entry = (struct kvm_msr_entry){ .index = MSR_MISC_ENABLE };
	if (ioctl(fd, KVM_GET_MSRS, &msr) == 1) {
		msr.entry.data |= MISC_FAST_STRINGS;
		ioctl(fd, KVM_SET_MSRS, &msr);
	}
}

static int refused(void)
{
	int error = errno;

	log_error("KVM does not take the first vCPU's registers: %s",
		  strerror(error));
	return -error;
}

/* The others wait for the first to wake them by INIT and SIPI. */
int vcpu_boot(struct vm *vm)
{
	struct kvm_regs regs = {
		.rip = vm->boot_entry,
		.rsi = BOOT_ZERO_PAGE,
		.rsp = BOOT_ZERO_PAGE,
		.rflags = 2,
	};
	struct kvm_sregs sregs;
	unsigned int i;
	int fd;

	for (i = 0; i < vm->nr_vcpus; i++)
		set_msrs(vm->vcpus[i].fd);
	fd = vm->vcpus[0].fd;
	if (ioctl(fd, KVM_GET_SREGS, &sregs))
		return refused();
	sregs.cs = code64;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gdt.base = BOOT_GDT;
	sregs.gdt.limit = 4 * 8 - 1;
	sregs.idt.base = 0;
	sregs.idt.limit = 0;
	sregs.cr3 = BOOT_PAGE_TABLES;
	sregs.cr4 = CR4_PAE;
	sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs.efer = EFER_LME | EFER_LMA;
	if (ioctl(fd, KVM_SET_SREGS, &sregs) || ioctl(fd, KVM_SET_REGS, &regs))
		return refused();
	return 0;
}

static void dump_segment(const char *name, const struct kvm_segment *seg)
{
	log_error("  %s %04x base %016llx limit %08x type %x s %u dpl %u p %u l %u db %u",
		  name, seg->selector, seg->base, seg->limit, seg->type, seg->s,
		  seg->dpl, seg->present, seg->l, seg->db);
}

void vcpu_dump(struct vcpu *vcpu)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &s)) {
		log_error("  can't be read: %s", strerror(errno));
		return;
	}
	log_error("  rip %016llx rflags %08llx rsp %016llx rbp %016llx",
		  r.rip, r.rflags, r.rsp, r.rbp);
	log_error("  rax %016llx rbx %016llx rcx %016llx rdx %016llx",
		  r.rax, r.rbx, r.rcx, r.rdx);
	log_error("  rsi %016llx rdi %016llx r8  %016llx r9  %016llx",
		  r.rsi, r.rdi, r.r8, r.r9);
	log_error("  r10 %016llx r11 %016llx r12 %016llx r13 %016llx",
		  r.r10, r.r11, r.r12, r.r13);
	log_error("  r14 %016llx r15 %016llx", r.r14, r.r15);
	log_error("  cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %llx apic %llx",
		  s.cr0, s.cr2, s.cr3, s.cr4, s.efer, s.apic_base);
	dump_segment("cs", &s.cs);
	dump_segment("ss", &s.ss);
	dump_segment("ds", &s.ds);
	log_error("  gdt %016llx limit %04x idt %016llx limit %04x",
		  s.gdt.base, s.gdt.limit, s.idt.base, s.idt.limit);
}
