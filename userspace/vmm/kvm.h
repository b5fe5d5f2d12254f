/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/kvm, and the KVM VM that is made of it at power-on and at each reset.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

struct vm;

/* All return 0 or, after a message that says what to do, a negative errno. */
int kvm_open(struct vm *vm);
void kvm_close(struct vm *vm);

/* The VM with memory, interrupt controllers and vCPUs. */
int kvm_create(struct vm *vm);
void kvm_destroy(struct vm *vm);

#endif /* VMM_KVM_H */
