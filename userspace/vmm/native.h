/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The native front of a bus: a window at a fixed address and pins of the I/O APIC,
 * one for each event queue. The front itself is in the host's kernel; here are the
 * wires.
 */
#ifndef VMM_NATIVE_H
#define VMM_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#include <linux/vbus_native.h>

struct bus;
struct libvbus_ops;
struct native;
struct options;

/* native_layout.c: the window of the bus with this number. */
uint64_t native_window(unsigned int bus);

/*
 * The pin of its event queue 0; those of the others follow. The same number is
 * the GSI.
 *
 * Return: -1 if there are no pins left for this bus.
 */
int native_first_pin(unsigned int bus, unsigned int event_queues);

/* How many buses have pins, if each has so many event queues. */
unsigned int native_max_buses(unsigned int event_queues);

/*
 * native_cmdline() - what the guest's command line says about native fronts
 *
 * One word for each bus with a blank behind it; nothing with --discover acpi.
 *
 * Return: the length, without the end; more than fits into @size bytes if that is
 * too little, and nothing is written behind them.
 */
size_t native_cmdline(const struct options *opt, char *buf, size_t size);

/* Fills in the native_* callbacks; they take a struct bus. */
void native_ops(struct libvbus_ops *ops);

/*
 * native_new() - bus->native: open the front of bus->lib and wire it up
 *
 * No vCPU runs.
 *
 * Return: 0 or, after a message, a negative errno. What is in bus->native then goes
 * with native_free(), after bus->lib has been closed.
 */
int native_new(struct bus *bus);

/* A reset hook: as at power-on, and nothing of it is in the KVM VM any more. */
void native_reset(struct native *native);
/* In the new KVM VM. Return: 0 or, after a message, a negative errno. */
int native_restart(struct native *native);

/* @native may be NULL. */
void native_free(struct native *native);

#endif /* VMM_NATIVE_H */
