/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupts and doorbells by way of KVM: the GSI routing table, irqfds, MSIs sent
 * from here, ISA lines, ioeventfds.
 *
 * Functions return 0 (or a GSI) or a negative errno. Any thread may call, vCPU
 * threads included. A guest reset makes a new KVM VM: all GSIs, irqfds and
 * ioeventfds must have been taken back by the reset hooks before that (vm.h);
 * what is left is reported and forgotten.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <stdint.h>

struct vm;

/* GSIs below this are pins of the I/O APIC; MSIs get the ones from here on. */
#define IRQ_IOAPIC_PINS		24

/**
 * irq_msi_alloc() - take a GSI and route it to a message
 *
 * Return: the GSI; -ENOSPC the routing table is full (KVM has 4096 entries).
 */
int irq_msi_alloc(struct vm *vm, uint64_t addr, uint32_t data);

/* Send the GSI's interrupts elsewhere from now on; an assigned irqfd follows. */
int irq_msi_route(struct vm *vm, int gsi, uint64_t addr, uint32_t data);

/* Give the GSI back. Its irqfd must have been deassigned. */
void irq_msi_free(struct vm *vm, int gsi);

/*
 * KVM_IRQFD: from now on a signal on eventfd @fd, also one that is pending in it,
 * raises the GSI. Deassign: no longer; waits until no delivery is under way.
 */
int irq_fd_assign(struct vm *vm, int gsi, int fd);
int irq_fd_deassign(struct vm *vm, int gsi, int fd);

/* KVM_SIGNAL_MSI: send one message now, no GSI needed. */
int irq_msi_signal(struct vm *vm, uint64_t addr, uint32_t data);

/* Level of an I/O APIC pin. */
int irq_line(struct vm *vm, unsigned int pin, int level);

/*
 * KVM_IOEVENTFD: a write of @len bytes (0: any length, where KVM can) and any value
 * to guest address @addr signals eventfd @fd instead of an exit.
 */
int ioeventfd_add(struct vm *vm, uint64_t addr, uint32_t len, int fd);
int ioeventfd_del(struct vm *vm, uint64_t addr, uint32_t len, int fd);

/* For vm.c: the table of a new KVM VM, with the pins of the I/O APIC and the PIC. */
int irq_init(struct vm *vm);
/* For vm.c: give back what a KVM VM that goes away leaves behind. */
void irq_exit(struct vm *vm);
/* For vm.c: no KVM VM is left. */
void irq_free(struct vm *vm);

#endif /* VMM_IRQ_H */
