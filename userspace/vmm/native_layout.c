// SPDX-License-Identifier: GPL-2.0
/*
 * Where native fronts lie: a function of the command line alone, so that options,
 * ACPI tables, kernel command line and front agree.
 */
#include "native.h"

#include <stdio.h>

#include "options.h"
#include "vm.h"

/*
 * Pins of the I/O APIC that nothing else has. Those from 16 on first: the lower ones
 * have been ISA's, and some guest may take one for a device it believes to know.
 */
static const struct {
	unsigned int first;
	unsigned int nr;
} pins[] = {
	{ 16, 8 },
	{ 10, 2 },
	{ 5, 3 },
};

#define NR_PIN_RANGES	(sizeof(pins) / sizeof(pins[0]))

_Static_assert(VM_PCI32_BASE + VM_PCI32_SIZE <= VM_NATIVE_BASE &&
	       VM_NATIVE_BASE + VM_MAX_BUSES * VBUS_NATIVE_WINDOW_SIZE <= VM_IOAPIC_BASE,
	       "windows in a hole");

uint64_t native_window(unsigned int bus)
{
	return VM_NATIVE_BASE + (uint64_t)bus * VBUS_NATIVE_WINDOW_SIZE;
}

int native_first_pin(unsigned int bus, unsigned int event_queues)
{
	unsigned int i, fit;

	for (i = 0; i < NR_PIN_RANGES; i++) {
		fit = pins[i].nr / event_queues;
		if (bus < fit)
			return pins[i].first + bus * event_queues;
		bus -= fit;
	}
	return -1;
}

unsigned int native_max_buses(unsigned int event_queues)
{
	unsigned int nr = 0;

	while (nr < VM_MAX_BUSES && native_first_pin(nr, event_queues) >= 0)
		nr++;
	return nr;
}

size_t native_cmdline(const struct options *opt, char *buf, size_t size)
{
	const unsigned int kib = VBUS_NATIVE_WINDOW_SIZE / 1024;
	unsigned int i, last;
	size_t used = 0;

	if (size)
		*buf = '\0';
	if (!(opt->attach & ATTACH_NATIVE) || opt->discover != DISCOVER_CMDLINE)
		return 0;
	for (i = 0; i < opt->nr_buses; i++) {
		unsigned int pin = native_first_pin(i, opt->event_queues);
		size_t left = used < size ? size - used : 0;

		used += snprintf(left ? buf + used : NULL, left,
				 "vbus_native.device=%uK@%#llx:%u", kib,
				 (unsigned long long)native_window(i), pin);
		left = used < size ? size - used : 0;
		last = pin + opt->event_queues - 1;
		used += last > pin ?
			snprintf(left ? buf + used : NULL, left, "-%u ", last) :
			snprintf(left ? buf + used : NULL, left, " ");
	}
	return used;
}
