// SPDX-License-Identifier: GPL-2.0
/* The VMM's side of fake.h, and its guest. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include "fake.h"

static void vmm_log(void *opaque, enum libvbus_log_level level,
		    const char *text)
{
	struct vmm *v = opaque;
	size_t used;

	pthread_mutex_lock(&v->lock);
	v->logs[level]++;
	used = strlen(v->log);
	if (level < LIBVBUS_LOG_INFO)
		snprintf(v->log + used, sizeof(v->log) - used, "%s\n", text);
	assert(!strchr(text, '\n') && *text);
	pthread_mutex_unlock(&v->lock);
}

static void vmm_added(void *opaque, uint32_t slot, uint32_t class_id)
{
	struct vmm_slot *s = &((struct vmm *)opaque)->slots[slot];

	s->added++;
	s->shown = true;
	s->asked = false;
	s->class_id = class_id;
}

static void vmm_unplug(void *opaque, uint32_t slot)
{
	struct vmm *v = opaque;

	assert(v->slots[slot].shown);
	v->slots[slot].unplugs++;
	v->slots[slot].asked = true;
	if (v->eject_at_once)
		assert(!libvbus_eject(v->bus, slot));
}

static void vmm_removed(void *opaque, uint32_t slot)
{
	struct vmm_slot *s = &((struct vmm *)opaque)->slots[slot];

	s->removed++;
	s->shown = false;
}

static void vmm_bar_map(void *opaque, uint32_t slot, uint64_t addr)
{
	struct vmm *v = opaque;
	struct vmm_slot *s = &v->slots[slot];

	pthread_mutex_lock(&v->lock);
	assert(!s->mapped);
	s->mapped = true;
	s->addr = addr;
	s->maps++;
	pthread_mutex_unlock(&v->lock);
}

static void vmm_bar_unmap(void *opaque, uint32_t slot, uint64_t addr)
{
	struct vmm *v = opaque;
	struct vmm_slot *s = &v->slots[slot];
	int q;

	pthread_mutex_lock(&v->lock);
	assert(s->mapped && s->addr == addr);
	for (q = 0; q < FAKE_QUEUES; q++)
		assert(!s->bells[q].on);
	s->mapped = false;
	pthread_mutex_unlock(&v->lock);
}

/* The bell that @addr belongs to. */
static struct vmm_bell *vmm_bell(struct vmm_slot *s, uint64_t addr)
{
	uint64_t off = addr - s->addr - VBUS_REG_DOORBELL_BASE;

	assert(s->mapped && off % 4 == 0 && off / 4 < FAKE_QUEUES);
	return &s->bells[off / 4];
}

static int vmm_doorbell_add(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	struct vmm *v = opaque;
	struct vmm_bell *bell;

	if (v->fail_bell)
		return -v->fail_bell;
	pthread_mutex_lock(&v->lock);
	bell = vmm_bell(&v->slots[slot], addr);
	assert(!bell->on && fd >= 0);
	*bell = (struct vmm_bell){ .on = true, .addr = addr, .fd = fd };
	pthread_mutex_unlock(&v->lock);
	return 0;
}

static void vmm_doorbell_del(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	struct vmm *v = opaque;
	struct vmm_bell *bell;

	pthread_mutex_lock(&v->lock);
	bell = vmm_bell(&v->slots[slot], addr);
	assert(bell->on && bell->fd == fd && bell->addr == addr);
	bell->on = false;
	pthread_mutex_unlock(&v->lock);
}

/* KVM raises what is pending at assignment and leaves the counter alone. */
static int vmm_irq_enable(void *opaque, const struct libvbus_irq *irq)
{
	struct vmm *v = opaque;
	struct vmm_vector *vec = &v->slots[irq->slot].vectors[irq->vector];
	struct pollfd p = { .fd = irq->fd, .events = POLLIN };

	if (v->fail_irq)
		return -v->fail_irq;
	pthread_mutex_lock(&v->lock);
	assert(!vec->on);
	vec->on = true;
	vec->irq = *irq;
	vec->enables++;
	if (poll(&p, 1, 0) == 1)
		vec->messages++;
	pthread_mutex_unlock(&v->lock);
	return 0;
}

static void vmm_irq_disable(void *opaque, const struct libvbus_irq *irq)
{
	struct vmm *v = opaque;
	struct vmm_vector *vec = &v->slots[irq->slot].vectors[irq->vector];
	uint64_t count;

	pthread_mutex_lock(&v->lock);
	assert(vec->on && vec->irq.fd == irq->fd &&
	       vec->irq.addr == irq->addr && vec->irq.data == irq->data);
	/* KVM consumes a signal as it comes: none is left behind here. */
	if (read(irq->fd, &count, sizeof(count)) > 0)
		vec->messages++;
	vec->on = false;
	pthread_mutex_unlock(&v->lock);
}

static const struct libvbus_ops vmm_ops = {
	.size = sizeof(vmm_ops),
	.log = vmm_log,
	.added = vmm_added,
	.unplug = vmm_unplug,
	.removed = vmm_removed,
	.bar_map = vmm_bar_map,
	.bar_unmap = vmm_bar_unmap,
	.doorbell_add = vmm_doorbell_add,
	.doorbell_del = vmm_doorbell_del,
	.irq_enable = vmm_irq_enable,
	.irq_disable = vmm_irq_disable,
};

void vmm_deliver(struct vmm *v, uint32_t slot)
{
	struct vmm_vector *vec;
	uint64_t count;
	int i;

	pthread_mutex_lock(&v->lock);
	for (i = 0; i < FAKE_VECTORS; i++) {
		vec = &v->slots[slot].vectors[i];
		if (vec->on && read(vec->irq.fd, &count, sizeof(count)) > 0)
			vec->messages++;
	}
	pthread_mutex_unlock(&v->lock);
}

unsigned int vmm_messages(struct vmm *v, uint32_t slot, uint32_t vector)
{
	unsigned int messages;

	vmm_deliver(v, slot);
	pthread_mutex_lock(&v->lock);
	messages = v->slots[slot].vectors[vector].messages;
	v->slots[slot].vectors[vector].messages = 0;
	pthread_mutex_unlock(&v->lock);
	return messages;
}

unsigned int vmm_enabled(struct vmm *v, uint32_t slot)
{
	unsigned int i, nr = 0;

	for (i = 0; i < FAKE_VECTORS; i++)
		nr += v->slots[slot].vectors[i].on;
	return nr;
}

unsigned int vmm_bells(struct vmm *v, uint32_t slot)
{
	unsigned int i, nr = 0;

	for (i = 0; i < FAKE_QUEUES; i++)
		nr += v->slots[slot].bells[i].on;
	return nr;
}

struct vmm *vmm_new(void)
{
	struct vmm *v = calloc(1, sizeof(*v));

	assert(v);
	pthread_mutex_init(&v->lock, NULL);
	fake_init(&v->fake);
	v->ops = vmm_ops;
	vmm_native_ops(&v->ops);
	return v;
}

int vmm_open(struct vmm *v)
{
	return lvb_open_io(&v->fake.io, "t", 7, &v->ops, v, &v->bus);
}

void vmm_free(struct vmm *v)
{
	int slot;

	libvbus_close(v->bus);
	assert(v->fake.closed);
	for (slot = 0; slot < FAKE_SLOTS; slot++) {
		assert(!v->slots[slot].mapped);
		assert(!vmm_enabled(v, slot) && !vmm_bells(v, slot));
	}
	fake_fini(&v->fake);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static unsigned int fds_before;

int vmm_setup(void **state)
{
	struct vmm *v;

	fds_before = count_fds();
	v = vmm_new();
	*state = v;
	if (vmm_open(v))
		return -1;
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
	return libvbus_process(v->bus);
}

int vmm_teardown(void **state)
{
	vmm_free(*state);
	return count_fds() == fds_before ? 0 : -1;
}

uint32_t cfg_get(struct vmm *v, uint32_t off, size_t len)
{
	uint32_t value = 0;

	assert_int_equal(libvbus_config_read(v->bus, SLOT, off, &value, len), 0);
	return value;
}

void cfg_put(struct vmm *v, uint32_t off, uint32_t value, size_t len)
{
	assert_int_equal(libvbus_config_write(v->bus, SLOT, off, &value, len),
			 0);
}

uint64_t bar_get(struct vmm *v, uint64_t off, size_t len)
{
	uint64_t value = 0;

	assert_int_equal(libvbus_bar_read(v->bus, SLOT, off, &value, len), 0);
	return value;
}

void bar_put(struct vmm *v, uint64_t off, uint64_t value, size_t len)
{
	assert_int_equal(libvbus_bar_write(v->bus, SLOT, off, &value, len), 0);
}

uint32_t cfg_find_cap(struct vmm *v, uint8_t id)
{
	uint32_t off = cfg_get(v, PCI_CAPABILITY_LIST, 1);
	int left = 48;

	while (off && left--) {
		if (cfg_get(v, off, 1) == id)
			return off;
		off = cfg_get(v, off + 1, 1);
	}
	return 0;
}

void guest_enable(struct vmm *v, uint64_t addr)
{
	cfg_put(v, PCI_BASE_ADDRESS_0, addr, 4);
	cfg_put(v, PCI_BASE_ADDRESS_1, addr >> 32, 4);
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

void guest_msix_enable(struct vmm *v)
{
	uint32_t cap = cfg_find_cap(v, PCI_CAP_ID_MSIX);

	cfg_put(v, cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
}

void guest_vector(struct vmm *v, uint32_t vector, uint64_t addr, uint32_t data,
		  bool masked)
{
	uint64_t entry = VBUS_PCI_MSIX_TABLE + vector * PCI_MSIX_ENTRY_SIZE;

	bar_put(v, entry + PCI_MSIX_ENTRY_LOWER_ADDR, (uint32_t)addr, 4);
	bar_put(v, entry + PCI_MSIX_ENTRY_UPPER_ADDR, addr >> 32, 4);
	bar_put(v, entry + PCI_MSIX_ENTRY_DATA, data, 4);
	bar_put(v, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, masked, 4);
}

unsigned int count_fds(void)
{
	unsigned int nr = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}
