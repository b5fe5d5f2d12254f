// SPDX-License-Identifier: GPL-2.0
/*
 * Native fronts: windows, wires and resets, with libvbus and KVM replaced. Options,
 * layout, loop and address dispatch are the real ones.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "libvbus.h"
#include "bus.h"
#include "iobus.h"
#include "irq.h"
#include "loop.h"
#include "native.h"
#include "options.h"
#include "pci.h"
#include "vm.h"

#define MAX_FDS		64

/* A bus of libvbus's, as far as it is played here. */
struct libvbus {
	struct libvbus_ops ops;
	void *opaque;
	int fd;
	enum libvbus_pci pci;
	struct libvbus_native_params params;
	bool native;
	unsigned int resets;
	unsigned int ejects;
	uint64_t last_off;
	size_t last_len;
	uint32_t last_value;
	int process_error;
};

static struct libvbus lib[2];
static unsigned int nr_open;
static int native_error;

/* The KVM VM: what is assigned, by eventfd. */
static struct {
	uint64_t bell[MAX_FDS];
	int gsi[MAX_FDS];
	unsigned int nr_bells;
	unsigned int nr_irqs;
	int bell_error;
	int irq_error;
} kvm;

/* Eventfds are only names here. */
static int irq_name(const struct libvbus *b, unsigned int queue)
{
	return 1 + (b - lib) * 16 + queue;
}

static int bell_name(const struct libvbus *b, unsigned int page)
{
	return irq_name(b, 8 + page);
}

int libvbus_open(const char *name, uint32_t bus_number, const struct libvbus_ops *ops,
		 void *opaque, struct libvbus **bus)
{
	struct libvbus *b = &lib[bus_number];

	(void)name;
	memset(b, 0, sizeof(*b));
	b->ops = *ops;
	b->opaque = opaque;
	b->fd = eventfd(0, EFD_NONBLOCK);
	nr_open++;
	*bus = b;
	return 0;
}

static uint64_t bell_off(const struct libvbus *b, unsigned int page)
{
	return page < b->params.nr_pages ? VBUS_NREG_DOORBELL(page) : VBUS_NREG_IDLE_DOORBELL;
}

int libvbus_native_open(struct libvbus *b, const struct libvbus_native_params *params)
{
	unsigned int i;
	int err;

	assert_false(b->native);
	b->params = *params;
	if (native_error)
		return native_error;
	for (i = 0; i < params->nr_queues; i++) {
		err = b->ops.native_irq_enable(b->opaque, i, irq_name(b, i));
		if (err)
			return err;
	}
	for (i = 0; i <= params->nr_pages; i++)
		b->ops.native_doorbell_add(b->opaque, bell_off(b, i), bell_name(b, i));
	b->native = true;
	return 0;
}

void libvbus_close(struct libvbus *b)
{
	unsigned int i;

	if (!b)
		return;
	for (i = 0; b->native && i <= b->params.nr_pages; i++)
		b->ops.native_doorbell_del(b->opaque, bell_off(b, i), bell_name(b, i));
	for (i = 0; b->native && i < b->params.nr_queues; i++)
		b->ops.native_irq_disable(b->opaque, i, irq_name(b, i));
	close(b->fd);
	nr_open--;
}

int libvbus_native_reset(struct libvbus *b)
{
	/* Nobody may ring or be woken any more. */
	assert_int_equal(kvm.gsi[irq_name(b, 0)], -1);
	assert_int_equal(kvm.bell[bell_name(b, 0)], 0);
	b->resets++;
	return 0;
}

int libvbus_native_read(struct libvbus *b, uint64_t off, void *buf, size_t len)
{
	uint64_t value = 0x1122334455667788ULL;

	b->last_off = off;
	b->last_len = len;
	memcpy(buf, &value, len);
	return 0;
}

int libvbus_native_write(struct libvbus *b, uint64_t off, const void *buf, size_t len)
{
	b->last_off = off;
	b->last_len = len;
	memcpy(&b->last_value, buf, 4);
	return 0;
}

int libvbus_set_pci(struct libvbus *b, enum libvbus_pci pci)
{
	b->pci = pci;
	return 0;
}

int libvbus_fd(const struct libvbus *b)
{
	return b->fd;
}

int libvbus_process(struct libvbus *b)
{
	uint64_t value;

	(void)!read(b->fd, &value, sizeof(value));
	return b->process_error;
}

int libvbus_mem_add(struct libvbus *b, uint64_t guest_addr, uint64_t length, void *mem,
		    bool read_only)
{
	(void)b;
	(void)guest_addr;
	(void)length;
	(void)mem;
	(void)read_only;
	return 0;
}

/* For the other front, which is linked in. */
int libvbus_eject(struct libvbus *b, uint32_t slot)
{
	(void)slot;
	b->ejects++;
	return 0;
}

int libvbus_reset_slot(struct libvbus *b, uint32_t slot)
{
	(void)b;
	(void)slot;
	return 0;
}

int libvbus_config_read(struct libvbus *b, uint32_t slot, uint32_t off, void *buf, size_t len)
{
	(void)b;
	(void)slot;
	(void)off;
	memset(buf, 0xff, len);
	return 0;
}

int libvbus_config_write(struct libvbus *b, uint32_t slot, uint32_t off, const void *buf,
			 size_t len)
{
	(void)b;
	(void)slot;
	(void)off;
	(void)buf;
	(void)len;
	return 0;
}

int libvbus_bar_read(struct libvbus *b, uint32_t slot, uint64_t off, void *buf, size_t len)
{
	return libvbus_config_read(b, slot, off, buf, len);
}

int libvbus_bar_write(struct libvbus *b, uint32_t slot, uint64_t off, const void *buf,
		      size_t len)
{
	return libvbus_config_write(b, slot, off, buf, len);
}

int irq_msi_alloc(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	(void)data;
	return -ENOSPC;
}

void irq_msi_free(struct vm *vm, int gsi)
{
	(void)vm;
	(void)gsi;
}

int irq_msi_signal(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	(void)data;
	return 0;
}

int irq_fd_assign(struct vm *vm, int gsi, int fd)
{
	(void)vm;
	assert_true(gsi >= 0 && gsi < IRQ_IOAPIC_PINS);
	assert_int_equal(kvm.gsi[fd], -1);
	if (kvm.irq_error)
		return kvm.irq_error;
	kvm.gsi[fd] = gsi;
	kvm.nr_irqs++;
	return 0;
}

int irq_fd_deassign(struct vm *vm, int gsi, int fd)
{
	(void)vm;
	assert_int_equal(kvm.gsi[fd], gsi);
	kvm.gsi[fd] = -1;
	kvm.nr_irqs--;
	return 0;
}

int ioeventfd_add(struct vm *vm, uint64_t addr, uint32_t len, int fd)
{
	(void)vm;
	assert_int_equal(len, 4);
	assert_true(!kvm.bell[fd]);
	if (kvm.bell_error)
		return kvm.bell_error;
	kvm.bell[fd] = addr;
	kvm.nr_bells++;
	return 0;
}

int ioeventfd_del(struct vm *vm, uint64_t addr, uint32_t len, int fd)
{
	(void)vm;
	(void)len;
	assert_true(kvm.bell[fd] == addr);
	kvm.bell[fd] = 0;
	kvm.nr_bells--;
	return 0;
}

void vm_request(struct vm *vm, enum vm_request request)
{
	(void)vm;
	(void)request;
	fail();
}

void vm_add_reset_hook(struct vm *vm, struct vm_reset_hook *hook)
{
	vm->reset_hooks = hook;
}

static struct options options;
static struct vm vm;
static struct buses *all;

static int prepare(void **state)
{
	int i;

	(void)state;
	memset(&kvm, 0, sizeof(kvm));
	for (i = 0; i < MAX_FDS; i++)
		kvm.gsi[i] = -1;
	native_error = 0;
	all = NULL;
	options = (struct options){
		.bus = { "vm0", "vm1" },
		.nr_buses = 2,
		.attach = ATTACH_NATIVE,
		.event_queues = 3,
		.slots = 16,
	};
	vm = (struct vm){
		.opt = &options,
		.nr_vcpus = 5,
		.loop = loop_new(),
		.mmio = iobus_new(),
		.pio = iobus_new(),
		.nr_ram = 1,
		.ram = { { .size = 0x200000 } },
		.pci64_base = 0x8000000000ULL,
	};
	return 0;
}

static int setup(void **state)
{
	prepare(state);
	return buses_new(&vm, &all);
}

static int teardown(void **state)
{
	uint32_t value;

	(void)state;
	buses_free(all);
	assert_int_equal(nr_open, 0);
	assert_int_equal(kvm.nr_irqs, 0);
	assert_int_equal(kvm.nr_bells, 0);
	assert_false(iobus_read(vm.mmio, VM_NATIVE_BASE, &value, 4));
	loop_free(vm.loop);
	iobus_free(vm.mmio);
	iobus_free(vm.pio);
	return 0;
}

static void wired(void **state)
{
	unsigned int i, b;

	(void)state;
	assert_int_equal(kvm.nr_irqs, 6);
	assert_int_equal(kvm.nr_bells, 12);
	for (b = 0; b < 2; b++) {
		uint64_t window = VM_NATIVE_BASE + b * VBUS_NATIVE_WINDOW_SIZE;

		assert_int_equal(lib[b].pci, LIBVBUS_PCI_NONE);
		assert_int_equal(lib[b].params.size, sizeof(lib[b].params));
		assert_int_equal(lib[b].params.nr_queues, 3);
		assert_int_equal(lib[b].params.nr_pages, 5);
		for (i = 0; i < 3; i++)
			assert_int_equal(kvm.gsi[irq_name(&lib[b], i)], 16 + 3 * b + i);
		for (i = 0; i < 5; i++)
			assert_true(kvm.bell[bell_name(&lib[b], i)] ==
				    window + VBUS_NREG_DOORBELL(i));
		assert_true(kvm.bell[bell_name(&lib[b], 5)] ==
			    window + VBUS_NREG_IDLE_DOORBELL);
	}
}

static void no_pci(void **state)
{
	uint32_t value;

	(void)state;
	assert_false(iobus_read(vm.mmio, VM_ECAM_BASE, &value, 4));
	assert_false(iobus_read(vm.pio, PCI_LEGACY_PORT, &value, 4));
	assert_null(lib[0].ops.added);
}

static void both(void **state)
{
	uint32_t value;

	(void)state;
	options.attach = ATTACH_PCI | ATTACH_NATIVE;
	assert_int_equal(buses_new(&vm, &all), 0);
	assert_int_equal(lib[0].pci, LIBVBUS_PCI_SHARED);
	assert_int_equal(lib[1].pci, LIBVBUS_PCI_SHARED);
	assert_int_equal(kvm.nr_irqs, 6);
	assert_int_equal(kvm.nr_bells, 12);
	assert_true(iobus_read(vm.mmio, VM_ECAM_BASE, &value, 4));
	assert_true(iobus_read(vm.mmio, VM_NATIVE_BASE, &value, 4));
	/* A card, and a reset with it. */
	lib[1].ops.added(lib[1].opaque, 3, 2);
	vm.reset_hooks->fn(vm.reset_hooks->opaque);
	assert_int_equal(kvm.nr_irqs, 0);
	assert_int_equal(kvm.nr_bells, 0);
	assert_int_equal(vm.reset_hooks->restart(vm.reset_hooks->opaque), 0);
	assert_int_equal(kvm.nr_irqs, 6);
	/* And one bus that is lost. */
	lib[1].process_error = -ENODEV;
	assert_int_equal(eventfd_write(lib[1].fd, 1), 0);
	assert_int_equal(loop_run_once(vm.loop), 0);
	assert_int_equal(lib[1].ejects, 16);
}

static void window(void **state)
{
	uint64_t value = 0, second = VM_NATIVE_BASE + VBUS_NATIVE_WINDOW_SIZE;

	(void)state;
	assert_true(iobus_read(vm.mmio, second + VBUS_NREG_QUEUE(1), &value, 8));
	assert_true(value == 0x1122334455667788ULL);
	assert_int_equal(lib[1].last_off, VBUS_NREG_QUEUE(1));
	assert_int_equal(lib[1].last_len, 8);
	value = 1;
	assert_true(iobus_write(vm.mmio, second - 4, &value, 4));
	assert_int_equal(lib[0].last_off, VBUS_NATIVE_WINDOW_SIZE - 4);
	assert_int_equal(lib[0].last_value, 1);
	assert_false(iobus_read(vm.mmio, second + VBUS_NATIVE_WINDOW_SIZE, &value, 4));
}

static void reset(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		vm.reset_hooks->fn(vm.reset_hooks->opaque);
		/* The old KVM VM has nothing left. */
		assert_int_equal(kvm.nr_irqs, 0);
		assert_int_equal(kvm.nr_bells, 0);
		assert_int_equal(lib[0].resets, i + 1);
		assert_int_equal(lib[1].resets, i + 1);
		assert_int_equal(vm.reset_hooks->restart(vm.reset_hooks->opaque), 0);
		wired(state);
	}
}

static void reset_without_doorbells(void **state)
{
	(void)state;
	vm.reset_hooks->fn(vm.reset_hooks->opaque);
	kvm.bell_error = -ENOSPC;
	assert_int_equal(vm.reset_hooks->restart(vm.reset_hooks->opaque), 0);
	assert_int_equal(kvm.nr_bells, 0);
	/* The next one tries again. */
	kvm.bell_error = 0;
	vm.reset_hooks->fn(vm.reset_hooks->opaque);
	assert_int_equal(vm.reset_hooks->restart(vm.reset_hooks->opaque), 0);
	wired(state);
}

static void reset_without_interrupts(void **state)
{
	(void)state;
	vm.reset_hooks->fn(vm.reset_hooks->opaque);
	kvm.irq_error = -ENOSPC;
	assert_int_equal(vm.reset_hooks->restart(vm.reset_hooks->opaque), -ENOSPC);
}

/* The second bus fails, and the first one goes with it. */
static void failures(void **state)
{
	(void)state;
	native_error = -ENOTSUP;
	assert_int_equal(buses_new(&vm, &all), -ENOTSUP);
	assert_null(all);
	native_error = 0;
	kvm.irq_error = -EBUSY;
	assert_int_equal(buses_new(&vm, &all), -EBUSY);
	assert_null(all);
	kvm.irq_error = 0;
	/* No pins for the second one. */
	options.event_queues = 8;
	assert_int_equal(buses_new(&vm, &all), -ENOSPC);
	assert_null(all);
	/* Slow, not wrong. */
	options.event_queues = 2;
	kvm.bell_error = -ENOSPC;
	assert_int_equal(buses_new(&vm, &all), 0);
	assert_int_equal(kvm.nr_bells, 0);
	assert_int_equal(kvm.nr_irqs, 4);
}

static void bus_lost(void **state)
{
	uint64_t one = 1;

	(void)state;
	lib[0].process_error = -ENODEV;
	assert_int_equal(write(lib[0].fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_run_once(vm.loop), 0);
	/* The other one goes on. */
	assert_int_equal(write(lib[1].fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_run_once(vm.loop), 0);
	assert_int_equal(eventfd_write(lib[1].fd, 0), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(wired),
		T(no_pci),
		T(window),
		T(reset),
		T(reset_without_doorbells),
		T(reset_without_interrupts),
		cmocka_unit_test_setup_teardown(both, prepare, teardown),
		cmocka_unit_test_setup_teardown(failures, prepare, teardown),
		T(bus_lost),
	};

	return cmocka_run_group_tests_name("native", tests, NULL, NULL);
}
