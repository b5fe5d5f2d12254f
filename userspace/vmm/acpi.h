/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ACPI tables. What is the same in every machine is in dsdt.asl, what every
 * machine with PCI has in pci.asl.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stddef.h>
#include <stdint.h>

struct options;
struct vm;

/* What a native front is called. */
#define ACPI_NATIVE_HID		"VBUS0001"

/* I/O ports of power.c, named in the FADT. */
#define ACPI_PORT		0x600
#define ACPI_PORT_SLEEP_CONTROL	0	/* offsets from it */
#define ACPI_PORT_SLEEP_STATUS	1
#define ACPI_PORT_RESET		2
#define ACPI_PORTS		8
#define ACPI_RESET_VALUE	0x5a
/* \_S5 in dsdt.asl. */
#define ACPI_SLEEP_TYPE_OFF	5
#define ACPI_SLEEP_TYPE(control)	((control) >> 2 & 7)
#define ACPI_SLEEP_ENABLE	0x20

/**
 * acpi_build() - write the tables
 * @mem: where to
 * @size: room there
 * @addr: guest physical address of @mem
 * @rsdp: out: guest physical address of the root pointer
 *
 * Return: 0; -ENOSPC.
 */
int acpi_build(struct vm *vm, void *mem, size_t size, uint64_t addr,
	       uint64_t *rsdp);

/*
 * acpi_native_aml() - devices for the native fronts of --bus, as an SSDT's content
 *
 * Return: bytes, 0 if there is nothing to tell; more than @size if that is too
 * little, and the content is of no use then.
 */
size_t acpi_native_aml(const struct options *opt, uint8_t *buf, size_t size);

#endif /* VMM_ACPI_H */
