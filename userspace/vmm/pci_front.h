/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's PCI: root complex, and for each bus (bus.h) its slots as root
 * ports with the devices of the bus behind them.
 *
 * Slot n of the b-th bus is port b * (--slots) + n, and that is also the number
 * that the guest shows for the slot (/sys/bus/pci/slots): on the first bus it
 * is the slot number of the bus.
 */
#ifndef VMM_MIRROR_H
#define VMM_MIRROR_H

struct bus;
struct libvbus_ops;
struct pci_front;
struct pci_machine;
struct vm;

/*
 * All of these are called by the main thread; all but pci_front_lost() while no vCPU runs.
 *
 * pci_machine_new() - root complex and config cycles, no ports yet
 *
 * Return: 0 or, after a message, a negative errno.
 */
int pci_machine_new(struct vm *vm, struct pci_machine **out);

/* As at power-on, with all ports: power for the cards that are there. */
void pci_machine_reset(struct pci_machine *pci);

/* Frees the ports, too. @pci may be NULL. */
void pci_machine_free(struct pci_machine *pci);

/* Fills in the callbacks about functions; they take a struct bus. */
void pci_front_ops(struct libvbus_ops *ops);

/*
 * pci_front_new() - bus->front: the ports of a bus, before bus->lib is opened
 *
 * Return: 0 or a negative errno. What is in bus->front then goes with pci_front_free(),
 * after bus->lib has been closed.
 */
int pci_front_new(struct pci_machine *pci, struct bus *bus);

/* The guest was reset, and pci_machine_reset() called. */
void pci_front_reset(struct pci_front *m);

/* There will be no more events: all cards are gone. */
void pci_front_lost(struct pci_front *m);

/* @m may be NULL. */
void pci_front_free(struct pci_front *m);

#endif /* VMM_MIRROR_H */
