/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The buses of --bus: opening, guest memory for their devices, events, and the two
 * fronts by which a guest can reach them: pci_front.h (PCI) and native.h.
 *
 * All of this is done by the main thread, which is the one that libvbus wants for
 * everything that is not an access of a vCPU.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include "loop.h"

struct buses;
struct libvbus;
struct pci_front;
struct native;
struct vm;

/**
 * struct bus - a bus; the opaque of libvbus's callbacks
 * @vm: the machine
 * @name: as on the command line
 * @number: in the order of the command line
 * @lib: libvbus's idea of it; NULL until it is open
 * @events: something comes or goes
 * @front: the PCI front, or NULL
 * @native: the native front, or NULL
 */
struct bus {
	struct vm *vm;
	const char *name;
	unsigned int number;
	struct libvbus *lib;
	struct loop_source events;
	struct pci_front *front;
	struct native *native;
};

/*
 * buses_new() - PCI if it is wanted, and the buses of vm->opt
 *
 * The machine has memory, loop, address dispatch and a KVM VM already; its vCPUs do
 * not run. Adds itself to the reset hooks.
 *
 * Return: 0 or, after a message, a negative errno.
 */
int buses_new(struct vm *vm, struct buses **out);

/* In the main thread, with all vCPUs stopped. @buses may be NULL. */
void buses_free(struct buses *buses);

#endif /* VMM_BUS_H */
