// SPDX-License-Identifier: GPL-2.0
/*
 * The buses of --bus and their fronts. Main thread only, but for log messages.
 */
#include "bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "libvbus.h"
#include "log.h"
#include "pci_front.h"
#include "native.h"
#include "options.h"
#include "vm.h"

struct buses {
	struct vm *vm;
	struct pci_machine *pci;	/* NULL without PCI */
	struct vm_reset_hook reset_hook;
	unsigned int nr;
	struct bus bus[VM_MAX_BUSES];
};

static void bus_log(void *opaque, enum libvbus_log_level level, const char *text)
{
	(void)opaque;
	if (level == LIBVBUS_LOG_ERROR)
		log_error("%s", text);
	else if (level == LIBVBUS_LOG_WARNING)
		log_warn("%s", text);
	else
		log_info("%s", text);
}

static void on_events(void *opaque, uint32_t events)
{
	struct bus *bus = opaque;

	(void)events;
	if (!libvbus_process(bus->lib))
		return;
	log_error("bus %s: lost; its devices are gone from the guest", bus->name);
	loop_del(bus->vm->loop, &bus->events);
	bus->events.fd = -1;
	if (bus->front)
		pci_front_lost(bus->front);
}

static int share_memory(struct bus *bus)
{
	struct vm *vm = bus->vm;
	unsigned int i;
	int err = 0;

	for (i = 0; i < vm->nr_ram && !err; i++)
		err = libvbus_mem_add(bus->lib, vm->ram[i].addr, vm->ram[i].size,
				      vm->ram[i].host, false);
	return err;
}

/* With a message, if it fails. */
static int open_fronts(struct buses *b, struct bus *bus)
{
	struct libvbus_ops ops = { .size = sizeof(ops), .log = bus_log };
	int err;

	if (b->pci)
		pci_front_ops(&ops);
	native_ops(&ops);
	err = libvbus_open(bus->name, bus->number, &ops, bus, &bus->lib);
	if (!err)
		err = share_memory(bus);
	if (err)
		return err;
	if (!(b->vm->opt->attach & ATTACH_NATIVE))
		return 0;
	libvbus_set_pci(bus->lib, b->pci ? LIBVBUS_PCI_SHARED : LIBVBUS_PCI_NONE);
	return native_new(bus);
}

static int bus_open(struct buses *b, struct bus *bus, unsigned int number)
{
	struct vm *vm = b->vm;
	int err = 0;

	*bus = (struct bus){
		.vm = vm,
		.name = vm->opt->bus[number],
		.number = number,
		.events.fd = -1,
	};
	if (b->pci)
		err = pci_front_new(b->pci, bus);
	if (err)
		goto err;
	err = open_fronts(b, bus);
	if (err)
		return err;
	bus->events.fd = libvbus_fd(bus->lib);
	bus->events.fn = on_events;
	bus->events.opaque = bus;
	err = loop_add(vm->loop, &bus->events, EPOLLIN);
	if (err)
		bus->events.fd = -1;
	/* What is plugged already is there when the guest looks first. */
	if (!err)
		err = libvbus_process(bus->lib);
err:
	if (err)
		log_error("bus %s: %s", bus->name, strerror(-err));
	return err;
}

static void bus_close(struct bus *bus)
{
	if (bus->events.fd >= 0)
		loop_del(bus->vm->loop, &bus->events);
	/* Takes back what the fronts have been given. */
	libvbus_close(bus->lib);
	pci_front_free(bus->front);
	native_free(bus->native);
}

static void on_reset(void *opaque)
{
	struct buses *b = opaque;
	unsigned int i;

	/* What these had may become cards now, which then get power. */
	for (i = 0; i < b->nr; i++)
		if (b->bus[i].native)
			native_reset(b->bus[i].native);
	if (b->pci)
		pci_machine_reset(b->pci);
	for (i = 0; i < b->nr; i++)
		if (b->bus[i].front)
			pci_front_reset(b->bus[i].front);
}

static int on_restart(void *opaque)
{
	struct buses *b = opaque;
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->nr && !err; i++)
		if (b->bus[i].native)
			err = native_restart(b->bus[i].native);
	return err;
}

int buses_new(struct vm *vm, struct buses **out)
{
	struct buses *b;
	unsigned int i;
	int err = 0;

	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->vm = vm;
	if (vm->opt->attach & ATTACH_PCI)
		err = pci_machine_new(vm, &b->pci);
	for (i = 0; i < vm->opt->nr_buses && !err; i++) {
		b->nr++;
		err = bus_open(b, &b->bus[i], i);
	}
	if (err) {
		buses_free(b);
		return err;
	}
	/* Power for the cards that are there. */
	if (b->pci)
		pci_machine_reset(b->pci);
	b->reset_hook.fn = on_reset;
	b->reset_hook.restart = on_restart;
	b->reset_hook.opaque = b;
	vm_add_reset_hook(vm, &b->reset_hook);
	*out = b;
	return 0;
}

void buses_free(struct buses *b)
{
	unsigned int i;

	if (!b)
		return;
	for (i = 0; i < b->nr; i++)
		bus_close(&b->bus[i]);
	pci_machine_free(b->pci);
	free(b);
}
