// SPDX-License-Identifier: GPL-2.0
/*
 * Between libvbus and the machine: devices of a bus become cards behind root ports.
 *
 *   device added         card inserted
 *   admin wants it back  attention button; when the guest has switched power
 *                        off, libvbus_eject()
 *   device removed       card gone by surprise
 *   guest switches off   the function is reset and hidden, and comes back when
 *                        it switches on: nobody but the admin takes a device away
 *
 * Threads. libvbus_process(), libvbus_eject() and all else that libvbus wants in
 * one thread is done by the main thread. A card that the guest has released is
 * noted in pci_front_slot.released (atomic) and the main thread woken: the vCPU
 * that switched power off holds the port's lock.
 * pci_front_slot.mapped and .gsi belong to the function's lock in libvbus.
 */
#include "pci_front.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libvbus.h"
#include "bus.h"
#include "iobus.h"
#include "irq.h"
#include "log.h"
#include "options.h"
#include "pci.h"
#include "vm.h"

/* How long a new card waits for a guest that is busy with the last one. */
#define INSERT_PATIENCE_S	10

struct pci_front;

struct pci_front_slot {
	struct pci_front *front;
	uint32_t slot;
	struct pci_port *port;
	bool released;
	bool mapped;
	int *gsi;		/* by vector; 0: none */
	uint32_t nr_gsi;
};

struct pci_front {
	struct bus *bus;
	struct loop_source work;
	struct loop_source timer;
	uint32_t nr_slots;
	struct pci_front_slot slots[VM_MAX_SLOTS];
};

struct pci_machine {
	struct vm *vm;
	struct pci_root *root;
};

/* What libvbus calls back with. */
static struct pci_front *pci_front_of(void *opaque)
{
	return ((struct bus *)opaque)->front;
}

static struct pci_front_slot *slot_of(struct pci_front *m, uint32_t slot)
{
	return slot < m->nr_slots ? &m->slots[slot] : NULL;
}

/* --- the card, as the port sees it; port locked ------------------------------- */

static void card_read(void *opaque, uint32_t off, void *buf, size_t len)
{
	struct pci_front_slot *s = opaque;

	libvbus_config_read(s->front->bus->lib, s->slot, off, buf, len);
}

static void card_write(void *opaque, uint32_t off, const void *buf, size_t len)
{
	struct pci_front_slot *s = opaque;

	libvbus_config_write(s->front->bus->lib, s->slot, off, buf, len);
}

static void card_reset(void *opaque)
{
	struct pci_front_slot *s = opaque;

	libvbus_reset_slot(s->front->bus->lib, s->slot);
}

static void card_release(void *opaque)
{
	struct pci_front_slot *s = opaque;
	uint64_t one = 1;

	__atomic_store_n(&s->released, true, __ATOMIC_RELEASE);
	/* Can't fail but for a counter that is full, and then it is readable. */
	(void)!write(s->front->work.fd, &one, sizeof(one));
}

static const struct pci_port_ops card_ops = {
	.read = card_read,
	.write = card_write,
	.reset = card_reset,
	.release = card_release,
};

/* --- BAR, doorbells, interrupts; function locked by libvbus ----------------------- */

static void bar_read(void *opaque, uint64_t off, void *data, size_t len)
{
	struct pci_front_slot *s = opaque;

	libvbus_bar_read(s->front->bus->lib, s->slot, off, data, len);
}

static void bar_write(void *opaque, uint64_t off, const void *data, size_t len)
{
	struct pci_front_slot *s = opaque;

	libvbus_bar_write(s->front->bus->lib, s->slot, off, data, len);
}

static const struct iobus_ops bar_ops = {
	.read = bar_read,
	.write = bar_write,
};

static void pci_front_bar_map(void *opaque, uint32_t slot, uint64_t addr)
{
	struct pci_front *m = pci_front_of(opaque);
	struct pci_front_slot *s = slot_of(m, slot);
	int err;

	if (!s)
		return;
	err = iobus_add(m->bus->vm->mmio, addr, LIBVBUS_BAR_SIZE, &bar_ops, s);
	s->mapped = !err;
	if (err)
		log_guest("bus %s slot %u: guest put BAR 0 at %#llx where something else is: %s",
			  m->bus->name, slot, (unsigned long long)addr, strerror(-err));
}

static void pci_front_bar_unmap(void *opaque, uint32_t slot, uint64_t addr)
{
	struct pci_front *m = pci_front_of(opaque);
	struct pci_front_slot *s = slot_of(m, slot);

	if (s && s->mapped && !iobus_del(m->bus->vm->mmio, addr))
		s->mapped = false;
}

static int pci_front_doorbell_add(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	struct pci_front *m = pci_front_of(opaque);

	(void)slot;
	return ioeventfd_add(m->bus->vm, addr, sizeof(uint32_t), fd);
}

static void pci_front_doorbell_del(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	struct pci_front *m = pci_front_of(opaque);

	(void)slot;
	ioeventfd_del(m->bus->vm, addr, sizeof(uint32_t), fd);
}

static bool grow_gsi(struct pci_front_slot *s, uint32_t vector)
{
	int *gsi;

	if (vector < s->nr_gsi)
		return true;
	gsi = realloc(s->gsi, (vector + 1) * sizeof(*gsi));
	if (!gsi)
		return false;
	memset(gsi + s->nr_gsi, 0, (vector + 1 - s->nr_gsi) * sizeof(*gsi));
	s->gsi = gsi;
	s->nr_gsi = vector + 1;
	return true;
}

static int pci_front_irq_enable(void *opaque, const struct libvbus_irq *irq)
{
	struct pci_front *m = pci_front_of(opaque);
	struct pci_front_slot *s = slot_of(m, irq->slot);
	int err, gsi;

	if (!s)
		return -ENODEV;
	if (!grow_gsi(s, irq->vector))
		return -ENOMEM;
	gsi = irq_msi_alloc(m->bus->vm, irq->addr, irq->data);
	if (gsi < 0)
		return gsi;
	err = irq_fd_assign(m->bus->vm, gsi, irq->fd);
	if (err) {
		irq_msi_free(m->bus->vm, gsi);
		return err;
	}
	s->gsi[irq->vector] = gsi;
	return 0;
}

static void pci_front_irq_disable(void *opaque, const struct libvbus_irq *irq)
{
	struct pci_front *m = pci_front_of(opaque);
	struct pci_front_slot *s = slot_of(m, irq->slot);
	int gsi;

	if (!s || irq->vector >= s->nr_gsi || !s->gsi[irq->vector])
		return;
	gsi = s->gsi[irq->vector];
	s->gsi[irq->vector] = 0;
	irq_fd_deassign(m->bus->vm, gsi, irq->fd);
	irq_msi_free(m->bus->vm, gsi);
}

/* --- devices come and go; main thread --------------------------------------------- */

static void pci_front_added(void *opaque, uint32_t slot, uint32_t class_id)
{
	struct pci_front *m = pci_front_of(opaque);
	struct pci_front_slot *s = slot_of(m, slot);
	struct itimerspec patience = { .it_value.tv_sec = INSERT_PATIENCE_S };

	if (!s) {
		/* By the native front, if there is one, all slots can be reached. */
		if (m->bus->native)
			log_info("bus %s slot %u: no PCI function, these have slots 0 to %u",
				 m->bus->name, slot, m->nr_slots - 1);
		else
			log_error("bus %s slot %u: the guest has slots 0 to %u only; plug the device there, or see --slots",
				  m->bus->name, slot, m->nr_slots - 1);
		libvbus_eject(m->bus->lib, slot);
		return;
	}
	log_info("bus %s slot %u: device of class %u added", m->bus->name, slot, class_id);
	if (!pci_port_insert(s->port))
		timerfd_settime(m->timer.fd, 0, &patience, NULL);
}

static void pci_front_unplug(void *opaque, uint32_t slot)
{
	struct pci_front *m = pci_front_of(opaque);
	struct pci_front_slot *s = slot_of(m, slot);

	if (!s) {
		libvbus_eject(m->bus->lib, slot);
		return;
	}
	log_info("bus %s slot %u: removal asked for", m->bus->name, slot);
	pci_port_ask(s->port);
}

static void pci_front_removed(void *opaque, uint32_t slot)
{
	struct pci_front *m = pci_front_of(opaque);
	struct pci_front_slot *s = slot_of(m, slot);

	log_info("bus %s slot %u: device gone", m->bus->name, slot);
	if (!s)
		return;
	pci_port_remove(s->port);
	/* What the guest has let go of meanwhile was not the next device. */
	__atomic_store_n(&s->released, false, __ATOMIC_RELAXED);
}

void pci_front_ops(struct libvbus_ops *ops)
{
	ops->added = pci_front_added;
	ops->unplug = pci_front_unplug;
	ops->removed = pci_front_removed;
	ops->bar_map = pci_front_bar_map;
	ops->bar_unmap = pci_front_bar_unmap;
	ops->doorbell_add = pci_front_doorbell_add;
	ops->doorbell_del = pci_front_doorbell_del;
	ops->irq_enable = pci_front_irq_enable;
	ops->irq_disable = pci_front_irq_disable;
}

static void eject_released(struct pci_front *m)
{
	uint32_t i;

	for (i = 0; i < m->nr_slots; i++) {
		struct pci_front_slot *s = &m->slots[i];

		if (__atomic_exchange_n(&s->released, false, __ATOMIC_ACQ_REL)) {
			log_info("bus %s slot %u: released by the guest",
				 m->bus->name, i);
			libvbus_eject(m->bus->lib, i);
		}
	}
}

void pci_front_lost(struct pci_front *m)
{
	uint32_t i;

	for (i = 0; i < m->nr_slots; i++) {
		pci_port_remove(m->slots[i].port);
		/* Its interrupts must not outlive a reset of the guest. */
		libvbus_eject(m->bus->lib, i);
	}
}

static void on_work(void *opaque, uint32_t events)
{
	struct pci_front *m = opaque;
	uint64_t count;

	(void)events;
	if (read(m->work.fd, &count, sizeof(count)) > 0)
		eject_released(m);
}

static void on_timer(void *opaque, uint32_t events)
{
	struct pci_front *m = opaque;
	uint64_t count;
	uint32_t i;

	(void)events;
	if (read(m->timer.fd, &count, sizeof(count)) > 0)
		for (i = 0; i < m->nr_slots; i++)
			pci_port_insert_now(m->slots[i].port);
}

/* --- set up and take down ---------------------------------------------------------- */

static int watch(struct pci_front *m, struct loop_source *source, int fd, loop_fn fn)
{
	source->fd = fd;
	source->fn = fn;
	source->opaque = m;
	return fd < 0 ? -errno : loop_add(m->bus->vm->loop, source, EPOLLIN);
}

int pci_front_new(struct pci_machine *pci, struct bus *bus)
{
	struct pci_front *m;
	uint32_t i;
	int err;

	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	bus->front = m;
	m->bus = bus;
	m->nr_slots = bus->vm->opt->slots;
	m->work.fd = -1;
	m->timer.fd = -1;
	for (i = 0; i < m->nr_slots; i++) {
		struct pci_front_slot *s = &m->slots[i];

		s->front = m;
		s->slot = i;
		s->port = pci_port_new(pci->root, bus->number * m->nr_slots + i,
				       &card_ops, s);
		if (!s->port)
			return -ENOMEM;
	}
	err = watch(m, &m->work, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), on_work);
	if (!err)
		err = watch(m, &m->timer, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC |
			    TFD_NONBLOCK), on_timer);
	return err;
}

void pci_front_free(struct pci_front *m)
{
	uint32_t i;

	if (!m)
		return;
	if (m->work.fd >= 0) {
		loop_del(m->bus->vm->loop, &m->work);
		close(m->work.fd);
	}
	if (m->timer.fd >= 0) {
		loop_del(m->bus->vm->loop, &m->timer);
		close(m->timer.fd);
	}
	for (i = 0; i < m->nr_slots; i++)
		free(m->slots[i].gsi);
	free(m);
}

void pci_front_reset(struct pci_front *m)
{
	eject_released(m);
}

static void send_msi(void *opaque, uint64_t addr, uint32_t data)
{
	irq_msi_signal(opaque, addr, data);
}

static void guest_reset(void *opaque)
{
	vm_request(opaque, VM_RESET);
}

void pci_machine_reset(struct pci_machine *pci)
{
	pci_root_reset(pci->root);
}

static const struct iobus_ops ecam_ops = {
	.read = pci_ecam_read,
	.write = pci_ecam_write,
};

static const struct iobus_ops legacy_ops = {
	.read = pci_legacy_read,
	.write = pci_legacy_write,
};

int pci_machine_new(struct vm *vm, struct pci_machine **out)
{
	const struct pci_root_config config = {
		.window32 = VM_PCI32_BASE,
		.window64 = vm->pci64_base,
		.msi = send_msi,
		.reset = guest_reset,
		.opaque = vm,
	};
	struct pci_machine *pci;
	int err;

	pci = calloc(1, sizeof(*pci));
	if (!pci)
		return -ENOMEM;
	pci->vm = vm;
	err = -ENOMEM;
	pci->root = pci_root_new(&config);
	if (!pci->root)
		goto err_free;
	err = iobus_add(vm->mmio, VM_ECAM_BASE, PCI_ECAM_SIZE, &ecam_ops, pci->root);
	if (!err)
		err = iobus_add(vm->pio, PCI_LEGACY_PORT, PCI_LEGACY_SIZE,
				&legacy_ops, pci->root);
	if (err) {
		log_error("PCI: %s", strerror(-err));
		goto err_free;
	}
	*out = pci;
	return 0;

err_free:
	pci_machine_free(pci);
	return err;
}

void pci_machine_free(struct pci_machine *pci)
{
	if (!pci)
		return;
	iobus_del(pci->vm->pio, PCI_LEGACY_PORT);
	iobus_del(pci->vm->mmio, VM_ECAM_BASE);
	pci_root_free(pci->root);
	free(pci);
}
