/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's PCI: root complex, and for each bus of --bus its slots as root
 * ports with the devices of the bus behind them.
 *
 * Slot n of the b-th bus is port b * (--slots) + n, and that is also the number
 * that the guest shows for the slot (/sys/bus/pci/slots): on the first bus it
 * is the slot number of the bus.
 */
#ifndef VMM_MIRROR_H
#define VMM_MIRROR_H

struct pci_machine;
struct vm;

/*
 * pci_machine_new() - root complex, buses of vm->opt, memory for their devices
 *
 * The machine has memory, loop and address dispatch already; its vCPUs do not run.
 * Adds itself to the reset hooks.
 *
 * Return: 0 or, after a message, a negative errno.
 */
int pci_machine_new(struct vm *vm, struct pci_machine **out);

/* In the main thread, with all vCPUs stopped. @pci may be NULL. */
void pci_machine_free(struct pci_machine *pci);

#endif /* VMM_MIRROR_H */
