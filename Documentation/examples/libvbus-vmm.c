// SPDX-License-Identifier: GPL-2.0
/*
 * What a KVM VMM adds to show the devices of a vbus bus to its guest; libvbus.rst
 * walks through it.  What every VMM has anyway is left out: a vCPU that runs
 * something, and a PCI root complex.  So no guest will ever touch the devices, but
 * they are opened, listed and given back when the admin asks.
 *
 *	cc -o libvbus-vmm libvbus-vmm.c -lvbus
 *	./libvbus-vmm vm0
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>
#include <libvbus.h>

#define MEM_SIZE	(64UL << 20)
#define SLOTS		32
#define ROUTES		128
/* GSIs below are the irqchip's. */
#define FIRST_GSI	24

/**
 * struct vmm - the machine
 * @vm: from KVM_CREATE_VM
 * @bus: from libvbus_open()
 * @lock: @bars and @routes.  Callbacks take it, so it is never held while the
 *	library is called
 * @bars: where BAR0 of each slot lies, 0: nowhere
 * @routes: the MSI of each GSI, and who has it
 */
struct vmm {
	int vm;
	struct libvbus *bus;
	pthread_mutex_t lock;
	uint64_t bars[SLOTS];
	struct {
		int fd;		/* -1: free */
		struct kvm_irq_routing_entry entry;
	} routes[ROUTES];
};

/* --- interrupts: a routing entry and an irqfd ------------------------------------- */

static int set_routing(struct vmm *vmm)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[ROUTES];
	} table = { .head.nr = 0 };
	int i;

	for (i = 0; i < ROUTES; i++)
		if (vmm->routes[i].fd >= 0)
			table.entries[table.head.nr++] = vmm->routes[i].entry;
	return ioctl(vmm->vm, KVM_SET_GSI_ROUTING, &table) ? -errno : 0;
}

static int set_irqfd(struct vmm *vmm, int i, uint32_t flags)
{
	struct kvm_irqfd irqfd = {
		.fd = vmm->routes[i].fd,
		.gsi = FIRST_GSI + i,
		.flags = flags,
	};

	return ioctl(vmm->vm, KVM_IRQFD, &irqfd) ? -errno : 0;
}

static int find_route(struct vmm *vmm, int fd)
{
	int i;

	for (i = 0; i < ROUTES; i++)
		if (vmm->routes[i].fd == fd)
			return i;
	return -ENOSPC;
}

static int on_irq_enable(void *opaque, const struct libvbus_irq *irq)
{
	struct vmm *vmm = opaque;
	int i, ret;

	pthread_mutex_lock(&vmm->lock);
	i = find_route(vmm, -1);
	ret = i;
	if (i < 0)
		goto unlock;
	vmm->routes[i].fd = irq->fd;
	vmm->routes[i].entry = (struct kvm_irq_routing_entry){
		.gsi = FIRST_GSI + i,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi.address_lo = irq->addr,
		.u.msi.address_hi = irq->addr >> 32,
		.u.msi.data = irq->data,
	};
	ret = set_routing(vmm);
	if (!ret)
		ret = set_irqfd(vmm, i, 0);
	if (ret)
		vmm->routes[i].fd = -1;
unlock:
	pthread_mutex_unlock(&vmm->lock);
	return ret;
}

static void on_irq_disable(void *opaque, const struct libvbus_irq *irq)
{
	struct vmm *vmm = opaque;
	int i;

	pthread_mutex_lock(&vmm->lock);
	i = find_route(vmm, irq->fd);
	if (i >= 0) {
		set_irqfd(vmm, i, KVM_IRQFD_FLAG_DEASSIGN);
		vmm->routes[i].fd = -1;
	}
	pthread_mutex_unlock(&vmm->lock);
}

/* --- BAR0 and doorbells ----------------------------------------------------------- */

static int set_ioeventfd(struct vmm *vmm, uint64_t addr, int fd, uint32_t flags)
{
	struct kvm_ioeventfd io = {
		.addr = addr,
		.len = 4,
		.fd = fd,
		.flags = flags,
	};

	return ioctl(vmm->vm, KVM_IOEVENTFD, &io) ? -errno : 0;
}

static int on_doorbell_add(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	(void)slot;
	return set_ioeventfd(opaque, addr, fd, 0);
}

static void on_doorbell_del(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	(void)slot;
	set_ioeventfd(opaque, addr, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static void set_bar(struct vmm *vmm, uint32_t slot, uint64_t addr)
{
	if (slot >= SLOTS)
		return;
	pthread_mutex_lock(&vmm->lock);
	vmm->bars[slot] = addr;
	pthread_mutex_unlock(&vmm->lock);
}

static void on_bar_map(void *opaque, uint32_t slot, uint64_t addr)
{
	set_bar(opaque, slot, addr);
}

static void on_bar_unmap(void *opaque, uint32_t slot, uint64_t addr)
{
	(void)addr;
	set_bar(opaque, slot, 0);
}

/* A vCPU's KVM_EXIT_MMIO; true if it was for one of our devices. */
bool vmm_mmio(struct vmm *vmm, struct kvm_run *run)
{
	uint64_t off = 0;
	uint32_t slot;

	pthread_mutex_lock(&vmm->lock);
	for (slot = 0; slot < SLOTS; slot++) {
		off = run->mmio.phys_addr - vmm->bars[slot];
		if (vmm->bars[slot] && off < LIBVBUS_BAR_SIZE)
			break;
	}
	pthread_mutex_unlock(&vmm->lock);
	if (slot == SLOTS)
		return false;
	if (run->mmio.is_write)
		libvbus_bar_write(vmm->bus, slot, off, run->mmio.data,
				  run->mmio.len);
	else
		libvbus_bar_read(vmm->bus, slot, off, run->mmio.data,
				 run->mmio.len);
	return true;
}

/* A config cycle that the root complex has decoded to the function of @slot. */
void vmm_config(struct vmm *vmm, uint32_t slot, uint32_t off, void *data,
		size_t len, bool write)
{
	if (write)
		libvbus_config_write(vmm->bus, slot, off, data, len);
	else
		libvbus_config_read(vmm->bus, slot, off, data, len);
}

/* --- devices come and go ---------------------------------------------------------- */

static void on_added(void *opaque, uint32_t slot, uint32_t class_id)
{
	struct vmm *vmm = opaque;
	struct libvbus_info info;

	if (!libvbus_get_info(vmm->bus, slot, &info))
		printf("slot %u: %s, class %u, %u queues, %u vectors\n", slot,
		       info.name, class_id, info.nr_queues, info.nr_vectors);
	/* Here: presence detect of the slot's root port, and its interrupt. */
}

static void on_unplug(void *opaque, uint32_t slot)
{
	struct vmm *vmm = opaque;

	printf("slot %u: the admin wants it back\n", slot);
	/*
	 * Here: the attention button, and libvbus_eject() when the guest has
	 * switched the slot off.  This guest lets go of everything at once.
	 */
	libvbus_eject(vmm->bus, slot);
}

static void on_removed(void *opaque, uint32_t slot)
{
	(void)opaque;
	printf("slot %u: gone\n", slot);
}

static const struct libvbus_ops ops = {
	.size = sizeof(ops),
	.added = on_added,
	.unplug = on_unplug,
	.removed = on_removed,
	.bar_map = on_bar_map,
	.bar_unmap = on_bar_unmap,
	.doorbell_add = on_doorbell_add,
	.doorbell_del = on_doorbell_del,
	.irq_enable = on_irq_enable,
	.irq_disable = on_irq_disable,
};

/* --- start to end ----------------------------------------------------------------- */

static int make_vm(struct vmm *vmm)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int ret = -1;

	if (kvm < 0)
		return -1;
	vmm->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vmm->vm >= 0)
		ret = ioctl(vmm->vm, KVM_CREATE_IRQCHIP, 0);
	close(kvm);
	return ret;
}

/* Guest memory for both: KVM sees it at 0, and so do the devices. */
static int add_memory(struct vmm *vmm)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEM_SIZE };
	int fd = memfd_create("guest", MFD_CLOEXEC);
	void *mem = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, MEM_SIZE))
		mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	region.userspace_addr = (uintptr_t)mem;
	if (ioctl(vmm->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return -errno;
	return libvbus_mem_add(vmm->bus, 0, MEM_SIZE, mem, false);
}

int main(int argc, char **argv)
{
	static struct vmm vmm = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct pollfd p = { .events = POLLIN };
	int i, ret;

	for (i = 0; i < ROUTES; i++)
		vmm.routes[i].fd = -1;
	if (argc != 2) {
		fprintf(stderr, "usage: %s BUS\n", argv[0]);
		return 2;
	}
	if (make_vm(&vmm)) {
		perror("/dev/kvm");
		return 1;
	}
	/* Why it failed is on stderr: there is no log callback. */
	if (libvbus_open(argv[1], 0, &ops, &vmm, &vmm.bus))
		return 1;
	ret = add_memory(&vmm);
	p.fd = libvbus_fd(vmm.bus);
	while (!ret && (poll(&p, 1, -1) > 0 || errno == EINTR))
		ret = libvbus_process(vmm.bus);
	libvbus_close(vmm.bus);
	return 1;
}
