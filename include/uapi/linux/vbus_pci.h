/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * A vbus device as a PCI function: what the shim in the VMM shows and what the
 * guest's PCI transport expects.
 *
 * The function is a PCI Express endpoint with one 64-bit memory BAR:
 *
 *   0x00000  the register window of vbus_abi.h, doorbells included
 *   0x10000  MSI-X table, one entry for each of VBUS_REG_NR_VECTORS
 *   0x18000  MSI-X pending bits
 *
 * Accesses to the window are forwarded as they are.  The subsystem device id is
 * the class of the device (VBUS_CLASS_*), so that a guest can tell devices apart
 * without touching the BAR; the PCI class code follows from it.  A vendor
 * specific capability says where the window lies and on which of the VMM's
 * buses the device sits.
 */
#ifndef _UAPI_LINUX_VBUS_PCI_H
#define _UAPI_LINUX_VBUS_PCI_H

#include <linux/types.h>
#include <linux/vbus_abi.h>

#define VBUS_PCI_VENDOR_ID	0x11da
#define VBUS_PCI_DEVICE_ID	0x2001
/* Subsystem device id: VBUS_CLASS_*. */
#define VBUS_PCI_SUBVENDOR_ID	0x11da
/* Revision of this mirror, not of the device protocol. */
#define VBUS_PCI_REVISION	1

#define VBUS_PCI_BAR		0
#define VBUS_PCI_BAR_SIZE	0x20000
#define VBUS_PCI_WINDOW		0x00000
#define VBUS_PCI_MSIX_TABLE	0x10000
#define VBUS_PCI_MSIX_PBA	0x18000

/**
 * struct vbus_pci_cap - vendor specific capability (id 0x09), read-only
 * @id: PCI_CAP_ID_VNDR
 * @next: of the capability list
 * @length: sizeof(struct vbus_pci_cap)
 * @bar: BAR that holds the window: VBUS_PCI_BAR
 * @signature: VBUS_PCI_CAP_SIGNATURE, tells it from other vendor capabilities
 * @offset: of the window within the BAR, a multiple of a page
 * @bus: number of the bus in this VMM; with VBUS_REG_SLOT the address of the
 *	device, for ever
 */
struct vbus_pci_cap {
	__u8 id;
	__u8 next;
	__u8 length;
	__u8 bar;
	__le32 signature;
	__le32 offset;
	__le32 bus;
};

#define VBUS_PCI_CAP_SIGNATURE	0x50434256	/* "VBCP" read as bytes */

#endif /* _UAPI_LINUX_VBUS_PCI_H */
