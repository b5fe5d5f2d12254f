// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI devices for native fronts. How many there are and how many interrupts each has
 * is known at run time only, so this writes the byte code that iasl would make of:
 *
 *	Scope (\_SB) {
 *		Device (VB00) {
 *			Name (_HID, "VBUS0001")
 *			Name (_UID, 0)
 *			Name (_CCA, 1)
 *			Name (_CRS, ResourceTemplate () {
 *				Memory32Fixed (ReadWrite, 0xfe000000, 0x4000)
 *				Interrupt (ResourceConsumer, Edge, ActiveHigh,
 *					   Exclusive) { 16, 17 }
 *			})
 *		}
 *		...
 *	}
 */
#include "acpi.h"

#include <endian.h>
#include <string.h>

#include "native.h"
#include "options.h"

#define AML_ONE			0x01
#define AML_NAME		0x08
#define AML_BYTE		0x0a
#define AML_STRING		0x0d
#define AML_SCOPE		0x10
#define AML_BUFFER		0x11
#define AML_EXT			0x5b
#define AML_EXT_DEVICE		0x82
#define AML_ROOT		0x5c

/* Resource descriptors. */
#define RES_MEMORY32_FIXED	0x86
#define RES_INTERRUPT		0x89
#define RES_END			0x79
#define RES_MEMORY32_SIZE	9	/* what follows the length */
#define RES_INTERRUPT_SIZE(n)	(2 + 4 * (n))
#define RES_SIZE(n)		(3 + RES_MEMORY32_SIZE + 3 + RES_INTERRUPT_SIZE(n) + 2)
#define RES_READ_WRITE		1
#define RES_CONSUMER_EDGE	0x03	/* active high, exclusive */

/* @len goes on counting where there is no room. */
struct aml {
	uint8_t *buf;
	size_t size;
	size_t len;
};

static void put(struct aml *aml, const void *data, size_t len)
{
	if (aml->len <= aml->size && len <= aml->size - aml->len)
		memcpy(aml->buf + aml->len, data, len);
	aml->len += len;
}

static void put8(struct aml *aml, uint8_t value)
{
	put(aml, &value, sizeof(value));
}

static void put16(struct aml *aml, uint16_t value)
{
	value = htole16(value);
	put(aml, &value, sizeof(value));
}

static void put32(struct aml *aml, uint32_t value)
{
	value = htole32(value);
	put(aml, &value, sizeof(value));
}

static void put_name(struct aml *aml, const char *name)
{
	put8(aml, AML_NAME);
	put(aml, name, 4);
}

/* Something with a length in front of it, which counts itself. */
static size_t package_begin(struct aml *aml)
{
	size_t at = aml->len;

	put16(aml, 0);
	return at;
}

/* The form for up to 4095 bytes, whatever the length: it can be written afterwards. */
static void package_end(struct aml *aml, size_t at)
{
	size_t len = aml->len - at;

	if (aml->len > aml->size)
		return;
	aml->buf[at] = 0x40 | (len & 0x0f);
	aml->buf[at + 1] = len >> 4;
}

static void put_resources(struct aml *aml, uint32_t window, uint32_t pin,
			  unsigned int nr)
{
	size_t package;
	unsigned int i;

	put_name(aml, "_CRS");
	put8(aml, AML_BUFFER);
	package = package_begin(aml);
	put8(aml, AML_BYTE);
	put8(aml, RES_SIZE(nr));

	put8(aml, RES_MEMORY32_FIXED);
	put16(aml, RES_MEMORY32_SIZE);
	put8(aml, RES_READ_WRITE);
	put32(aml, window);
	put32(aml, VBUS_NATIVE_WINDOW_SIZE);

	put8(aml, RES_INTERRUPT);
	put16(aml, RES_INTERRUPT_SIZE(nr));
	put8(aml, RES_CONSUMER_EDGE);
	put8(aml, nr);
	for (i = 0; i < nr; i++)
		put32(aml, pin + i);

	put8(aml, RES_END);
	put8(aml, 0);	/* no checksum */
	package_end(aml, package);
}

static void put_device(struct aml *aml, const struct options *opt, unsigned int bus)
{
	const char name[4] = { 'V', 'B', '0', '0' + bus };
	size_t package;

	put8(aml, AML_EXT);
	put8(aml, AML_EXT_DEVICE);
	package = package_begin(aml);
	put(aml, name, sizeof(name));
	put_name(aml, "_HID");
	put8(aml, AML_STRING);
	put(aml, ACPI_NATIVE_HID, sizeof(ACPI_NATIVE_HID));
	put_name(aml, "_UID");
	put8(aml, AML_BYTE);
	put8(aml, bus);
	put_name(aml, "_CCA");
	put8(aml, AML_ONE);
	put_resources(aml, native_window(bus), native_first_pin(bus, opt->event_queues),
		      opt->event_queues);
	package_end(aml, package);
}

_Static_assert(VM_MAX_BUSES <= 10, "one digit names a bus");
_Static_assert(VM_MAX_BUSES * (64 + RES_SIZE(VBUS_NATIVE_MAX_QUEUES)) < 4096,
	       "length of the scope");

size_t acpi_native_aml(const struct options *opt, uint8_t *buf, size_t size)
{
	struct aml aml = { .buf = buf, .size = size };
	unsigned int bus;
	size_t package;

	if (!(opt->attach & ATTACH_NATIVE) || opt->discover != DISCOVER_ACPI ||
	    !opt->nr_buses)
		return 0;
	put8(&aml, AML_SCOPE);
	package = package_begin(&aml);
	put8(&aml, AML_ROOT);
	put(&aml, "_SB_", 4);
	for (bus = 0; bus < opt->nr_buses; bus++)
		put_device(&aml, opt, bus);
	package_end(&aml, package);
	return aml.len;
}
