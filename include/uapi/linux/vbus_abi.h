/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The vbus device protocol: what a guest driver and a host model agree on.
 *
 * Every device shows one register window of VBUS_WINDOW_SIZE bytes.  The
 * window is the same on every transport: PCI will map it as BAR0, a VMM forwards
 * accesses with pread()/pwrite() on the device fd, the loopback connector
 * calls the core.  All registers are little-endian.  An access is naturally
 * aligned and as wide as the register; a 64-bit register may also be accessed
 * as two 32-bit halves.  Anything else reads as zero or is refused (EINVAL on
 * the device fd) and changes nothing.
 *
 * Life of a device, as seen by the driver:
 *
 *   write STATUS 0                  reset; wait until STATUS reads 0
 *   STATUS |= DRIVER                a driver is there
 *   read FEATURES, write ACCEPTED   a subset of what is offered
 *   STATUS |= FEATURES_OK           read back: set only if the device agrees
 *   per queue: SIZE, RING, VECTOR, then ENABLE 1
 *   STATUS |= RUNNING               from here queues may be kicked
 *   STATUS & NEEDS_RESET            the device stopped: a protocol violation
 *                                   by the driver or a dead back end
 */
#ifndef _UAPI_LINUX_VBUS_ABI_H
#define _UAPI_LINUX_VBUS_ABI_H

#include <linux/types.h>

#define VBUS_WINDOW_SIZE	0x10000

/* Values of VBUS_REG_MAGIC ("VBUS" read as bytes) and VBUS_REG_VERSION. */
#define VBUS_MAGIC		0x53554256
#define VBUS_VERSION		1

/* Device registers. RO unless marked RW. Width in bits after the name. */
#define VBUS_REG_MAGIC		0x00	/* 32 */
#define VBUS_REG_VERSION	0x04	/* 32: version of this protocol */
#define VBUS_REG_CLASS		0x08	/* 32: VBUS_CLASS_* */
#define VBUS_REG_CLASS_VERSION	0x0c	/* 32: version of the class protocol */
#define VBUS_REG_FEATURES	0x10	/* 64: offered */
#define VBUS_REG_ACCEPTED	0x18	/* 64 RW: accepted by the driver */
#define VBUS_REG_STATUS		0x20	/* 32 RW: VBUS_STATUS_* */
#define VBUS_REG_NR_QUEUES	0x24	/* 32 */
#define VBUS_REG_NR_VECTORS	0x28	/* 32: vectors the device can use */
#define VBUS_REG_CONFIG_VECTOR	0x2c	/* 32 RW: vector for config changes */
#define VBUS_REG_CONFIG_GEN	0x30	/* 32: changes whenever config does */
#define VBUS_REG_CONFIG_SIZE	0x34	/* 32: bytes of config space */
#define VBUS_REG_SLOT		0x38	/* 32: slot number on this bus */
#define VBUS_REG_HOLD		0x3c	/* 32 RW: VBUS_HOLD_* */
#define VBUS_REG_ALIAS		0x40	/* VBUS_ALIAS_SIZE bytes, NUL padded */
#define VBUS_ALIAS_SIZE		32

/*
 * VBUS_REG_HOLD: while set, the guest does not want to be asked for the device: an
 * admin who unplugs it reads "refused", and it is asked when the guest clears
 * this.  The driver's reset does not change it, that of the VMM clears it.
 */
#define VBUS_HOLD_IN_USE	0x1

/* Class config space; byte granular, layout in vbus_<class>.h. */
#define VBUS_REG_CONFIG		0x200
#define VBUS_CONFIG_MAX		0xe00

/* Per-queue registers: VBUS_REG_QUEUE(q) + VBUS_QREG_*. */
#define VBUS_MAX_QUEUES		256
#define VBUS_REG_QUEUE_BASE	0x1000
#define VBUS_REG_QUEUE_STRIDE	0x40
#define VBUS_REG_QUEUE(q)	(VBUS_REG_QUEUE_BASE + \
				 (q) * VBUS_REG_QUEUE_STRIDE)
#define VBUS_QREG_SIZE_MAX	0x00	/* 32: largest ring the device takes */
#define VBUS_QREG_SIZE		0x04	/* 32 RW: ring size, power of two */
#define VBUS_QREG_RING		0x08	/* 64 RW: guest address of the ring area */
#define VBUS_QREG_SEG_MAX	0x10	/* 32: most segments in one chain */
#define VBUS_QREG_FLAGS		0x14	/* 32: VBUS_QUEUE_* set by the device */
#define VBUS_QREG_VECTOR	0x18	/* 32 RW: vector to signal */
#define VBUS_QREG_ENABLE	0x1c	/* 32 RW: 1 attaches the ring */
#define VBUS_QREG_POS_DESC	0x20	/* 32 RW: descriptor position at attach */
#define VBUS_QREG_POS_COMP	0x24	/* 32 RW: completion position at attach */
#define VBUS_QREG_POS_CHAIN	0x28	/* 32 RW: chain number at attach */

/* Completions come in the order the chains were published. */
#define VBUS_QUEUE_IN_ORDER	0x1

/*
 * Doorbells: VBUS_REG_DOORBELL(q), 32 bit, write only, value ignored.  They
 * lie on pages of their own so that a transport may map or trap them apart.
 */
#define VBUS_REG_DOORBELL_BASE	0x8000
#define VBUS_REG_DOORBELL_STRIDE 0x4
#define VBUS_REG_DOORBELL(q)	(VBUS_REG_DOORBELL_BASE + \
				 (q) * VBUS_REG_DOORBELL_STRIDE)

/* VBUS_REG_STATUS bits. Writing 0 resets; other bits can only be added. */
#define VBUS_STATUS_DRIVER	0x1
#define VBUS_STATUS_FEATURES_OK	0x2
#define VBUS_STATUS_RUNNING	0x4
#define VBUS_STATUS_NEEDS_RESET	0x40	/* RO: set by the device only */

/* Most vectors a device may have, and "no interrupt wanted". */
#define VBUS_MAX_VECTORS	(VBUS_MAX_QUEUES + 1)
#define VBUS_NO_VECTOR		0xffffffffU

/* Classes. Bit 0..47 of the feature word belong to the class. */
#define VBUS_CLASS_NULL		1
#define VBUS_CLASS_NET		2
#define VBUS_CLASS_BLK	3
#define VBUS_CLASS_CLOCK	4
#define VBUS_CLASS_RNG		5

#define VBUS_FEATURE_CLASS_MASK	0x0000ffffffffffffULL

#endif /* _UAPI_LINUX_VBUS_ABI_H */
