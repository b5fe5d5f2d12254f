// SPDX-License-Identifier: GPL-2.0
/*
 * Devices of a bus as cards: what libvbus is told and what the machine is asked for,
 * with both of them replaced. Loop, address dispatch and ports are the real ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/pci_regs.h>

#include "libvbus.h"
#include "bus.h"
#include "iobus.h"
#include "irq.h"
#include "loop.h"
#include "options.h"
#include "pci.h"
#include "vm.h"

#define SLTCTL		(0x40 + PCI_EXP_SLTCTL)
#define SLTSTA		(0x40 + PCI_EXP_SLTSTA)
#define FIRST_GSI	IRQ_IOAPIC_PINS

/* A bus of libvbus's, as far as it is played here. */
struct libvbus {
	struct libvbus_ops ops;
	void *opaque;
	int fd;
	uint32_t number;
	uint64_t memory;
	bool in_slot[64];
	unsigned int ejects[64];
	unsigned int resets[64];
	uint32_t last_bar[2];
	int mem_error;
	int process_error;
};

static struct libvbus buses[2];
static unsigned int nr_open;
static int open_error;

static struct {
	int next_gsi;
	int live;		/* GSIs */
	int assigned;		/* irqfds */
	int assign_error;
	int doorbells;
	uint64_t doorbell_addr;
	unsigned int resets;
} machine;

int libvbus_open(const char *name, uint32_t bus_number, const struct libvbus_ops *ops,
		 void *opaque, struct libvbus **bus)
{
	struct libvbus *b = &buses[nr_open];

	(void)name;
	if (open_error)
		return open_error;
	memset(b, 0, sizeof(*b));
	b->ops = *ops;
	b->opaque = opaque;
	b->number = bus_number;
	b->fd = eventfd(0, EFD_NONBLOCK);
	/* One device is plugged from the start. */
	b->in_slot[2] = true;
	nr_open++;
	*bus = b;
	return 0;
}

void libvbus_close(struct libvbus *bus)
{
	if (!bus)
		return;
	close(bus->fd);
	nr_open--;
}

int libvbus_fd(const struct libvbus *bus)
{
	return bus->fd;
}

int libvbus_process(struct libvbus *bus)
{
	uint64_t value;

	if (read(bus->fd, &value, sizeof(value)) < 0 && !bus->process_error)
		bus->ops.added(bus->opaque, 2, 2);
	return bus->process_error;
}

int libvbus_mem_add(struct libvbus *bus, uint64_t guest_addr, uint64_t length,
		    void *mem, bool read_only)
{
	(void)guest_addr;
	(void)mem;
	(void)read_only;
	bus->memory += length;
	return bus->mem_error;
}

int libvbus_eject(struct libvbus *bus, uint32_t slot)
{
	bus->ejects[slot]++;
	bus->in_slot[slot] = false;
	return 0;
}

int libvbus_reset_slot(struct libvbus *bus, uint32_t slot)
{
	bus->resets[slot]++;
	return 0;
}

int libvbus_config_read(struct libvbus *bus, uint32_t slot, uint32_t off, void *buf,
			size_t len)
{
	uint32_t id = bus->number << 24 | slot << 16 | 0x11da;

	(void)off;
	assert_true(bus->in_slot[slot]);
	memcpy(buf, &id, len);
	return 0;
}

int libvbus_config_write(struct libvbus *bus, uint32_t slot, uint32_t off,
			 const void *buf, size_t len)
{
	(void)bus;
	(void)slot;
	(void)off;
	(void)buf;
	(void)len;
	return 0;
}

int libvbus_bar_read(struct libvbus *bus, uint32_t slot, uint64_t off, void *buf,
		     size_t len)
{
	uint32_t value = slot << 24 | off;

	(void)bus;
	memcpy(buf, &value, len);
	return 0;
}

int libvbus_bar_write(struct libvbus *bus, uint32_t slot, uint64_t off, const void *buf,
		      size_t len)
{
	(void)buf;
	(void)len;
	bus->last_bar[0] = slot;
	bus->last_bar[1] = off;
	return 0;
}

/* There is no native front: native_test.c. */
int libvbus_set_pci(struct libvbus *bus, enum libvbus_pci pci)
{
	(void)bus;
	(void)pci;
	fail();
	return 0;
}

int libvbus_native_open(struct libvbus *bus, const struct libvbus_native_params *params)
{
	(void)bus;
	(void)params;
	fail();
	return 0;
}

int libvbus_native_read(struct libvbus *bus, uint64_t off, void *buf, size_t len)
{
	(void)bus;
	(void)off;
	(void)buf;
	(void)len;
	return 0;
}

int libvbus_native_write(struct libvbus *bus, uint64_t off, const void *buf, size_t len)
{
	(void)bus;
	(void)off;
	(void)buf;
	(void)len;
	return 0;
}

int libvbus_native_reset(struct libvbus *bus)
{
	(void)bus;
	return 0;
}

int irq_msi_alloc(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	(void)data;
	machine.live++;
	return FIRST_GSI + machine.next_gsi++;
}

void irq_msi_free(struct vm *vm, int gsi)
{
	(void)vm;
	assert_true(gsi >= FIRST_GSI);
	machine.live--;
}

int irq_fd_assign(struct vm *vm, int gsi, int fd)
{
	(void)vm;
	(void)gsi;
	(void)fd;
	if (!machine.assign_error)
		machine.assigned++;
	return machine.assign_error;
}

int irq_fd_deassign(struct vm *vm, int gsi, int fd)
{
	(void)vm;
	(void)gsi;
	(void)fd;
	machine.assigned--;
	return 0;
}

int irq_msi_signal(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	(void)data;
	return 0;
}

int ioeventfd_add(struct vm *vm, uint64_t addr, uint32_t len, int fd)
{
	(void)vm;
	(void)fd;
	assert_int_equal(len, 4);
	machine.doorbells++;
	machine.doorbell_addr = addr;
	return 0;
}

int ioeventfd_del(struct vm *vm, uint64_t addr, uint32_t len, int fd)
{
	(void)vm;
	(void)addr;
	(void)len;
	(void)fd;
	machine.doorbells--;
	return 0;
}

void vm_request(struct vm *vm, enum vm_request request)
{
	(void)vm;
	assert_int_equal(request, VM_RESET);
	machine.resets++;
}

void vm_add_reset_hook(struct vm *vm, struct vm_reset_hook *hook)
{
	vm->reset_hooks = hook;
}

static struct options options;
static struct vm vm;
static struct buses *all;

static int setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	open_error = 0;
	options = (struct options){
		.bus = { "vm0", "vm1" },
		.nr_buses = 2,
		.attach = ATTACH_PCI,
		.slots = 16,
	};
	vm = (struct vm){
		.opt = &options,
		.loop = loop_new(),
		.mmio = iobus_new(),
		.pio = iobus_new(),
		.nr_ram = 2,
		.ram = { { .size = 0x200000 }, { .addr = VM_HIGH_RAM_BASE, .size = 0x400000 } },
		.pci64_base = 0x8000000000ULL,
	};
	assert_int_equal(buses_new(&vm, &all), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buses_free(all);
	assert_int_equal(nr_open, 0);
	loop_free(vm.loop);
	iobus_free(vm.mmio);
	iobus_free(vm.pio);
	return 0;
}

/* Config cycles as a guest makes them, by ECAM. */
static uint32_t cfg(unsigned int bus, unsigned int devfn, uint32_t off)
{
	uint32_t value = 0;

	assert_true(iobus_read(vm.mmio, VM_ECAM_BASE + (bus << 20 | devfn << 12 | off),
			       &value, sizeof(value)));
	return value;
}

static void cfg_w16(unsigned int devfn, uint32_t off, uint16_t value)
{
	iobus_write(vm.mmio, VM_ECAM_BASE + (devfn << 12 | off), &value, sizeof(value));
}

static uint16_t port_ctl(unsigned int port)
{
	return cfg(0, 8 + port, SLTCTL);
}

static void power(unsigned int port, bool on)
{
	uint16_t ctl = port_ctl(port) & ~(PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC);

	ctl |= on ? PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_ON :
		    PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF;
	cfg_w16(8 + port, SLTCTL, ctl);
}

static void add(struct libvbus *bus, uint32_t slot)
{
	bus->in_slot[slot] = true;
	bus->ops.added(bus->opaque, slot, 2);
}

static void test_present_at_start(void **state)
{
	(void)state;
	/* Both buses share all memory, and show their devices below port 2 and 18. */
	assert_int_equal(buses[0].memory, 0x600000);
	assert_int_equal(buses[1].memory, 0x600000);
	assert_int_equal(cfg(3, 0, 0), 0x000211da);
	assert_int_equal(cfg(19, 0, 0), 0x010211da);
	assert_int_equal(cfg(1, 0, 0), 0xffffffff);
	/* 32 ports and no more. */
	assert_int_equal(cfg(0, 8 + 31, 0), 0x201111da);
	assert_int_equal(cfg(0, 8 + 32, 0), 0xffffffff);
	assert_int_equal(cfg(0, 8 + 18, 0x40 + PCI_EXP_SLTCAP) >> 19, 18);
}

static void test_add_and_remove(void **state)
{
	(void)state;
	add(&buses[0], 5);
	assert_int_equal(cfg(6, 0, 0), 0xffffffff);
	power(5, true);
	assert_int_equal(cfg(6, 0, 0), 0x000511da);
	/* Gone without a question. */
	buses[0].in_slot[5] = false;
	buses[0].ops.removed(buses[0].opaque, 5);
	assert_int_equal(cfg(6, 0, 0), 0xffffffff);
	assert_int_equal(buses[0].ejects[5], 0);
}

static void test_unplug(void **state)
{
	struct libvbus *bus = &buses[0];

	(void)state;
	bus->ops.unplug(bus->opaque, 2);
	assert_true(cfg(0, 8 + 2, SLTCTL) >> 16 & PCI_EXP_SLTSTA_ABP);
	assert_int_equal(bus->ejects[2], 0);
	power(2, false);
	/* The vCPU only notes it; the main loop does it. */
	assert_int_equal(bus->ejects[2], 0);
	assert_int_equal(loop_run_once(vm.loop), 0);
	assert_int_equal(bus->ejects[2], 1);
	power(2, true);
	assert_int_equal(cfg(3, 0, 0), 0xffffffff);
	assert_int_equal(buses[1].ejects[2], 0);
}

static void test_replaced_while_released(void **state)
{
	struct libvbus *bus = &buses[0];

	(void)state;
	bus->ops.unplug(bus->opaque, 2);
	power(2, false);
	/* Before the main loop hears of that, the admin takes it by force. */
	bus->ops.removed(bus->opaque, 2);
	add(bus, 2);
	assert_int_equal(loop_run_once(vm.loop), 0);
	assert_int_equal(bus->ejects[2], 0);
	power(2, true);
	assert_int_equal(cfg(3, 0, 0), 0x000211da);
}

static void test_power_cycle(void **state)
{
	(void)state;
	power(2, false);
	assert_int_equal(cfg(3, 0, 0), 0xffffffff);
	assert_true(buses[0].resets[2] > 0);
	power(2, true);
	assert_int_equal(cfg(3, 0, 0), 0x000211da);
	assert_int_equal(buses[0].ejects[2], 0);
}

static void test_reset_while_asked(void **state)
{
	struct libvbus *bus = &buses[0];

	(void)state;
	bus->ops.unplug(bus->opaque, 2);
	vm.reset_hooks->fn(vm.reset_hooks->opaque);
	assert_int_equal(bus->ejects[2], 1);
	assert_int_equal(cfg(3, 0, 0), 0xffffffff);
	/* The other bus's device is reset and stays. */
	assert_int_equal(buses[1].ejects[2], 0);
	assert_int_equal(cfg(19, 0, 0), 0x010211da);
}

static void test_slot_without_port(void **state)
{
	struct libvbus *bus = &buses[0];

	(void)state;
	add(bus, 16);
	assert_int_equal(bus->ejects[16], 1);
	bus->ops.unplug(bus->opaque, 16);
	assert_int_equal(bus->ejects[16], 2);
	bus->ops.removed(bus->opaque, 17);
}

static void test_bar(void **state)
{
	struct libvbus *bus = &buses[0];
	uint64_t addr = 0x8000400000ULL;
	uint32_t value = 0;

	(void)state;
	bus->ops.bar_map(bus->opaque, 2, addr);
	assert_true(iobus_read(vm.mmio, addr + 0x1234, &value, 4));
	assert_int_equal(value, 0x02001234);
	assert_true(iobus_write(vm.mmio, addr + 8, &value, 4));
	assert_int_equal(bus->last_bar[0], 2);
	assert_int_equal(bus->last_bar[1], 8);
	/* A second one at the same place does not get it, nor does it take it away. */
	bus->ops.bar_map(bus->opaque, 3, addr + 0x10000);
	bus->ops.bar_unmap(bus->opaque, 3, addr + 0x10000);
	assert_true(iobus_read(vm.mmio, addr, &value, 4));
	bus->ops.bar_unmap(bus->opaque, 2, addr);
	assert_false(iobus_read(vm.mmio, addr, &value, 4));

	assert_int_equal(bus->ops.doorbell_add(bus->opaque, 2, addr + 64, 9), 0);
	assert_int_equal(machine.doorbells, 1);
	assert_true(machine.doorbell_addr == addr + 64);
	bus->ops.doorbell_del(bus->opaque, 2, addr + 64, 9);
	assert_int_equal(machine.doorbells, 0);
}

static void test_interrupts(void **state)
{
	struct libvbus_irq irq = { .slot = 2, .vector = 7, .fd = 9, .addr = 0xfee00000 };
	struct libvbus_irq other = { .slot = 2, .vector = 0, .fd = 10, .addr = 0xfee00000 };
	struct libvbus *bus = &buses[0];

	(void)state;
	assert_int_equal(bus->ops.irq_enable(bus->opaque, &irq), 0);
	assert_int_equal(bus->ops.irq_enable(bus->opaque, &other), 0);
	assert_int_equal(machine.live, 2);
	assert_int_equal(machine.assigned, 2);
	bus->ops.irq_disable(bus->opaque, &irq);
	/* One that is off already. */
	bus->ops.irq_disable(bus->opaque, &irq);
	assert_int_equal(machine.live, 1);
	machine.assign_error = -16;
	assert_int_equal(bus->ops.irq_enable(bus->opaque, &irq), -16);
	assert_int_equal(machine.live, 1);
	bus->ops.irq_disable(bus->opaque, &other);
	assert_int_equal(machine.live, 0);
	assert_int_equal(machine.assigned, 0);
	irq.slot = 16;
	assert_true(bus->ops.irq_enable(bus->opaque, &irq) < 0);
}

static void test_bus_lost(void **state)
{
	uint64_t one = 1;

	(void)state;
	buses[0].process_error = -19;
	assert_int_equal(write(buses[0].fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_run_once(vm.loop), 0);
	assert_int_equal(cfg(3, 0, 0), 0xffffffff);
	assert_int_equal(buses[0].ejects[2], 1);
	assert_int_equal(cfg(19, 0, 0), 0x010211da);
	assert_int_equal(buses[1].ejects[2], 0);
}

static void test_reset_register(void **state)
{
	uint8_t value = 6;

	(void)state;
	assert_true(iobus_write(vm.pio, 0xcf9, &value, 1));
	assert_int_equal(machine.resets, 1);
}

static void test_failures(void **state)
{
	struct buses *none = NULL;

	(void)state;
	/* Whatever fails, nothing stays behind: a second try finds all free. */
	buses_free(all);
	open_error = -16;
	assert_int_equal(buses_new(&vm, &none), -16);
	assert_null(none);
	open_error = 0;
	options.slots = 31;
	assert_int_equal(buses_new(&vm, &all), 0);
	assert_int_equal(cfg(0, 8 + 61, 0), 0x201111da);
	assert_int_equal(cfg(34, 0, 0), 0x010211da);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(present_at_start),
		T(add_and_remove),
		T(unplug),
		T(replaced_while_released),
		T(power_cycle),
		T(reset_while_asked),
		T(slot_without_port),
		T(bar),
		T(interrupts),
		T(bus_lost),
		T(reset_register),
		T(failures),
	};
	return cmocka_run_group_tests_name("pci_front", tests, NULL, NULL);
}
