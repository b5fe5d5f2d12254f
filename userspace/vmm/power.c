// SPDX-License-Identifier: GPL-2.0
/*
 * Power-off and reset. The registers have no state.
 */
#include "power.h"

#include <string.h>

#include "acpi.h"
#include "iobus.h"
#include "vm.h"

#define KEYBOARD_PORT	0x64
#define KEYBOARD_RESET	0xfe

static void acpi_read(void *opaque, uint64_t off, void *data, size_t len)
{
	(void)opaque;
	(void)off;
	memset(data, 0, len);
}

static void acpi_write(void *opaque, uint64_t off, const void *data, size_t len)
{
	uint8_t value = *(const uint8_t *)data;
	struct vm *vm = opaque;

	(void)len;
	if (off == ACPI_PORT_SLEEP_CONTROL && value & ACPI_SLEEP_ENABLE &&
	    ACPI_SLEEP_TYPE(value) == ACPI_SLEEP_TYPE_OFF)
		vm_request(vm, VM_POWEROFF);
	if (off == ACPI_PORT_RESET && value == ACPI_RESET_VALUE)
		vm_request(vm, VM_RESET);
}

static const struct iobus_ops acpi_ops = {
	.read = acpi_read,
	.write = acpi_write,
};

/* Reads as all ones: there is no keyboard. */
static void keyboard_write(void *opaque, uint64_t off, const void *data,
			   size_t len)
{
	(void)off;
	(void)len;
	if (*(const uint8_t *)data == KEYBOARD_RESET)
		vm_request(opaque, VM_RESET);
}

static const struct iobus_ops keyboard_ops = { .write = keyboard_write };

int power_init(struct vm *vm)
{
	int ret;

	ret = iobus_add(vm->pio, ACPI_PORT, ACPI_PORTS, &acpi_ops, vm);
	if (!ret)
		ret = iobus_add(vm->pio, KEYBOARD_PORT, 1, &keyboard_ops, vm);
	return ret;
}
