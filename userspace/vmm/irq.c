// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts and doorbells by way of KVM.
 *
 * KVM knows only "replace the whole routing table", so a copy of it is kept here,
 * under irq_table->lock, which is held over the ioctl: two changes must not
 * reach KVM in the wrong order.
 */
#include "irq.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "log.h"
#include "vm.h"

#define PIC_PINS	16
#define FIXED_ENTRIES	(IRQ_IOAPIC_PINS + PIC_PINS)
#define MAX_MSIS	(4096 - FIXED_ENTRIES)

struct msi {
	bool used;
	uint32_t data;
	uint64_t addr;
};

struct irq_table {
	pthread_mutex_t lock;
	struct kvm_irq_routing *routing;	/* what was handed to KVM last */
	unsigned int nr_msis;
	struct msi msi[MAX_MSIS];	/* GSI IRQ_IOAPIC_PINS + index */
};

static void add_pin(struct kvm_irq_routing *routing, uint32_t gsi,
		    uint32_t chip, uint32_t pin)
{
	struct kvm_irq_routing_entry *entry = &routing->entries[routing->nr++];

	*entry = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/* table->lock is held, or nobody else knows of the table. */
static int table_commit(struct vm *vm)
{
	struct irq_table *table = vm->irqs;
	struct kvm_irq_routing *routing = table->routing;
	unsigned int i, left = table->nr_msis;

	routing->nr = 0;
	routing->flags = 0;
	for (i = 0; i < PIC_PINS; i++)
		add_pin(routing, i, i < 8 ? KVM_IRQCHIP_PIC_MASTER :
			KVM_IRQCHIP_PIC_SLAVE, i % 8);
	for (i = 0; i < IRQ_IOAPIC_PINS; i++)
		add_pin(routing, i, KVM_IRQCHIP_IOAPIC, i);
	for (i = 0; left; i++) {
		struct msi *msi = &table->msi[i];

		if (!msi->used)
			continue;
		left--;
		routing->entries[routing->nr++] = (struct kvm_irq_routing_entry){
			.gsi = IRQ_IOAPIC_PINS + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {
				.address_lo = msi->addr,
				.address_hi = msi->addr >> 32,
				.data = msi->data,
			},
		};
	}
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, routing) ? -errno : 0;
}

int irq_init(struct vm *vm)
{
	struct irq_table *table = vm->irqs;

	if (!table) {
		table = calloc(1, sizeof(*table));
		if (!table)
			return -ENOMEM;
		table->routing = calloc(1, sizeof(*table->routing) +
				(FIXED_ENTRIES + MAX_MSIS) *
				sizeof(table->routing->entries[0]));
		if (!table->routing) {
			free(table);
			return -ENOMEM;
		}
		pthread_mutex_init(&table->lock, NULL);
		vm->irqs = table;
	}
	return table_commit(vm);
}

void irq_exit(struct vm *vm)
{
	struct irq_table *table = vm->irqs;

	if (!table)
		return;
	if (table->nr_msis)
		log_warn("bug: %u message interrupts outlive the virtual machine",
			 table->nr_msis);
	memset(table->msi, 0, sizeof(table->msi));
	table->nr_msis = 0;
}

void irq_free(struct vm *vm)
{
	if (!vm->irqs)
		return;
	pthread_mutex_destroy(&vm->irqs->lock);
	free(vm->irqs->routing);
	free(vm->irqs);
	vm->irqs = NULL;
}

int irq_msi_alloc(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct irq_table *table = vm->irqs;
	int ret = -ENOSPC;
	unsigned int i;

	pthread_mutex_lock(&table->lock);
	if (table->nr_msis == MAX_MSIS)
		goto out;
	for (i = 0; table->msi[i].used; i++)
		;
	table->msi[i] = (struct msi){ .used = true, .addr = addr, .data = data };
	table->nr_msis++;
	ret = table_commit(vm);
	if (ret) {
		table->msi[i].used = false;
		table->nr_msis--;
	} else {
		ret = IRQ_IOAPIC_PINS + i;
	}
out:
	pthread_mutex_unlock(&table->lock);
	return ret;
}

/* table->lock is held. */
static struct msi *find_msi(struct irq_table *table, int gsi)
{
	unsigned int i = gsi - IRQ_IOAPIC_PINS;

	return i < MAX_MSIS && table->msi[i].used ? &table->msi[i] : NULL;
}

int irq_msi_route(struct vm *vm, int gsi, uint64_t addr, uint32_t data)
{
	struct irq_table *table = vm->irqs;
	int ret = -ENOENT;
	struct msi *msi, old;

	pthread_mutex_lock(&table->lock);
	msi = find_msi(table, gsi);
	if (msi) {
		old = *msi;
		msi->addr = addr;
		msi->data = data;
		ret = table_commit(vm);
		if (ret)
			*msi = old;
	}
	pthread_mutex_unlock(&table->lock);
	return ret;
}

void irq_msi_free(struct vm *vm, int gsi)
{
	struct irq_table *table = vm->irqs;
	struct msi *msi;

	pthread_mutex_lock(&table->lock);
	msi = find_msi(table, gsi);
	if (msi) {
		/* The route stays in KVM until the next change: nobody uses it. */
		msi->used = false;
		table->nr_msis--;
	}
	pthread_mutex_unlock(&table->lock);
}

static int irqfd(struct vm *vm, int gsi, int fd, uint32_t flags)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi, .flags = flags };

	return ioctl(vm->fd, KVM_IRQFD, &irqfd) ? -errno : 0;
}

int irq_fd_assign(struct vm *vm, int gsi, int fd)
{
	return irqfd(vm, gsi, fd, 0);
}

int irq_fd_deassign(struct vm *vm, int gsi, int fd)
{
	return irqfd(vm, gsi, fd, KVM_IRQFD_FLAG_DEASSIGN);
}

int irq_msi_signal(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi msi = {
		.address_lo = addr,
		.address_hi = addr >> 32,
		.data = data,
	};

	/* 0: the guest has the interrupt blocked. */
	return ioctl(vm->fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}

int irq_line(struct vm *vm, unsigned int pin, int level)
{
	struct kvm_irq_level line = { .irq = pin, .level = level };

	return ioctl(vm->fd, KVM_IRQ_LINE, &line) ? -errno : 0;
}

static int ioeventfd(struct vm *vm, uint64_t addr, uint32_t len, int fd,
		     uint32_t flags)
{
	struct kvm_ioeventfd io = {
		.addr = addr,
		.len = len,
		.fd = fd,
		.flags = flags,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &io) ? -errno : 0;
}

int ioeventfd_add(struct vm *vm, uint64_t addr, uint32_t len, int fd)
{
	return ioeventfd(vm, addr, len, fd, 0);
}

int ioeventfd_del(struct vm *vm, uint64_t addr, uint32_t len, int fd)
{
	return ioeventfd(vm, addr, len, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
