/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of vbus-pci.
 *
 * A function's structure is written by probe and remove of the PCI core, which
 * never run at once, and its vectors by setup_vectors and free_vectors, which
 * vbus-proxy calls under the device's core->lock.  vector_affinity comes from the
 * driver between the two.  The one lock of this module, in bus.c, guards
 * the table of bus numbers and nests nothing.
 */
#ifndef _VPCI_H
#define _VPCI_H

#include <linux/cpumask.h>
#include <linux/pci.h>
#include <uapi/linux/vbus_pci.h>
#include <vbus/guest/bus.h>

/* Device name, queue name, and a mark. */
#define VPCI_NAME_MAX	64

struct vpci;

/**
 * struct vpci_vector - one interrupt
 * @vp: the function
 * @nr: entry of its MSI-X table
 * @name: in /proc/interrupts
 * @mask: where the hint of its CPUs lives
 */
struct vpci_vector {
	struct vpci *vp;
	unsigned int nr;
	char name[VPCI_NAME_MAX];
	cpumask_var_t mask;
};

/**
 * struct vpci - a PCI function; lives from probe to remove
 * @pdev: the function
 * @vdev: what the guest bus sees; has its own life, but asks us for nothing
 *	after it was unregistered
 * @window: mapped register window
 * @doorbells: within @window
 * @bar: that the window lies in
 * @bus: number of the bus in the VMM
 * @nr_vectors: entries of @vectors
 * @vectors: between setup_vectors and free_vectors
 */
struct vpci {
	struct pci_dev *pdev;
	struct vproxy_device *vdev;
	void __iomem *window;
	void __iomem *doorbells;
	u8 bar;
	u32 bus;
	unsigned int nr_vectors;
	struct vpci_vector *vectors;
};

static inline struct vpci *to_vpci(const struct vproxy_device *vdev)
{
	return vdev->priv;
}

/* cap.c */
int vpci_cap_check(const struct vbus_pci_cap *cap,
		   const struct resource *bars);
int vpci_cap_find(struct pci_dev *pdev, struct vbus_pci_cap *cap);

/* bus.c */
int vpci_bus_get(u32 number);
void vpci_bus_put(u32 number);

/* regs.c */
int vpci_read(struct vproxy_device *vdev, u32 off, void *buf, size_t len);
int vpci_write(struct vproxy_device *vdev, u32 off, const void *buf,
	       size_t len);

/* msix.c */
int vpci_setup_vectors(struct vproxy_device *vdev, unsigned int want);
void vpci_free_vectors(struct vproxy_device *vdev);
void vpci_vector_affinity(struct vproxy_device *vdev, unsigned int vector,
			  const struct cpumask *mask);

#endif /* _VPCI_H */
