// SPDX-License-Identifier: GPL-2.0
/*
 * The root complex: host bridge, and which port or card a config cycle is for.
 *
 * The set of ports is fixed before the guest runs. The host bridge has nothing a
 * guest may write. What is left to share is the address latch of the old
 * configuration mechanism, one atomic word: a guest has to serialise its use of
 * it anyway.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "pci.h"

#define LEGACY_ENABLE		0x80000000U
#define LEGACY_DATA		4
/* Reset control register, within the old mechanism's ports for historical reasons. */
#define RESET_CONTROL		1
#define RESET_CONTROL_CPU	0x04

struct pci_root {
	struct pci_root_config config;
	struct pci_config host;
	struct pci_port *ports[PCI_MAX_PORTS];
	unsigned int nr_ports;
	uint32_t latch;		/* atomic */
};

struct pci_root *pci_root_new(const struct pci_root_config *config)
{
	struct pci_root *root = calloc(1, sizeof(*root));

	if (!root)
		return NULL;
	root->config = *config;
	pci_def16(&root->host, PCI_VENDOR_ID, PCI_VENDOR, 0);
	pci_def16(&root->host, PCI_DEVICE_ID, PCI_DEVICE_HOST, 0);
	pci_def16(&root->host, PCI_COMMAND,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	pci_def16(&root->host, PCI_CLASS_DEVICE, 0x0600, 0);
	pci_def16(&root->host, PCI_SUBSYSTEM_VENDOR_ID, PCI_VENDOR, 0);
	pci_def16(&root->host, PCI_SUBSYSTEM_ID, PCI_DEVICE_HOST, 0);
	return root;
}

void pci_root_free(struct pci_root *root)
{
	unsigned int i;

	if (!root)
		return;
	for (i = 0; i < root->nr_ports; i++)
		pci_port_free(root->ports[i]);
	free(root);
}

void pci_root_reset(struct pci_root *root)
{
	unsigned int i;

	for (i = 0; i < root->nr_ports; i++)
		pci_port_reset(root->ports[i]);
	__atomic_store_n(&root->latch, 0, __ATOMIC_RELAXED);
}

struct pci_port *pci_port_new(struct pci_root *root, unsigned int slot,
			      const struct pci_port_ops *ops, void *opaque)
{
	struct pci_port *port;

	if (root->nr_ports == PCI_MAX_PORTS)
		return NULL;
	port = pci_port_create(&root->config, root->nr_ports, slot, ops, opaque);
	if (port)
		root->ports[root->nr_ports++] = port;
	return port;
}

/* Ports begin with device 1. */
static struct pci_port *root_port(struct pci_root *root, unsigned int devfn)
{
	return devfn >= 8 && devfn - 8 < root->nr_ports ? root->ports[devfn - 8] : NULL;
}

static struct pci_port *port_above(struct pci_root *root, unsigned int bus)
{
	unsigned int i;

	for (i = 0; i < root->nr_ports; i++)
		if (pci_port_bus(root->ports[i]) == bus)
			return root->ports[i];
	return NULL;
}

void pci_root_config_read(struct pci_root *root, unsigned int bus,
			  unsigned int devfn, uint32_t off, void *buf, size_t len)
{
	struct pci_port *port;

	memset(buf, 0xff, len);
	if (bus) {
		port = devfn ? NULL : port_above(root, bus);
		if (port)
			pci_port_card_read(port, off, buf, len);
	} else if (!devfn) {
		pci_config_read(&root->host, off, buf, len);
	} else {
		port = root_port(root, devfn);
		if (port)
			pci_port_config_read(port, off, buf, len);
	}
}

void pci_root_config_write(struct pci_root *root, unsigned int bus,
			   unsigned int devfn, uint32_t off, const void *buf,
			   size_t len)
{
	struct pci_port *port;

	if (bus) {
		port = devfn ? NULL : port_above(root, bus);
		if (port)
			pci_port_card_write(port, off, buf, len);
	} else {
		port = root_port(root, devfn);
		if (port)
			pci_port_config_write(port, off, buf, len);
	}
}

/* The largest piece of an access that is a config cycle: it stays in one dword. */
static size_t cycle_length(uint64_t off, size_t len)
{
	if (len >= 4 && !(off & 3))
		return 4;
	if (len >= 2 && !(off & 1))
		return 2;
	return 1;
}

void pci_ecam_read(void *opaque, uint64_t off, void *data, size_t len)
{
	uint8_t *buf = data;
	size_t n;

	for (; len; off += n, buf += n, len -= n) {
		n = cycle_length(off, len);
		pci_root_config_read(opaque, off >> 20 & 0xff, off >> 12 & 0xff,
				     off & 0xfff, buf, n);
	}
}

void pci_ecam_write(void *opaque, uint64_t off, const void *data, size_t len)
{
	const uint8_t *buf = data;
	size_t n;

	for (; len; off += n, buf += n, len -= n) {
		n = cycle_length(off, len);
		pci_root_config_write(opaque, off >> 20 & 0xff, off >> 12 & 0xff,
				      off & 0xfff, buf, n);
	}
}

void pci_legacy_read(void *opaque, uint64_t off, void *data, size_t len)
{
	struct pci_root *root = opaque;
	uint32_t latch = __atomic_load_n(&root->latch, __ATOMIC_RELAXED);
	uint32_t value = htole32(latch);

	memset(data, 0xff, len);
	if (off < LEGACY_DATA) {
		if (!off && len == sizeof(value))
			memcpy(data, &value, len);
		else if (off == RESET_CONTROL && len == 1)
			memset(data, 0, len);
		return;
	}
	off -= LEGACY_DATA;
	if ((latch & LEGACY_ENABLE) && off + len <= 4)
		pci_root_config_read(root, latch >> 16 & 0xff, latch >> 8 & 0xff,
				     (latch & 0xfc) + off, data, len);
}

void pci_legacy_write(void *opaque, uint64_t off, const void *data, size_t len)
{
	struct pci_root *root = opaque;
	uint32_t latch, value;

	if (off < LEGACY_DATA) {
		if (!off && len == sizeof(value)) {
			memcpy(&value, data, len);
			__atomic_store_n(&root->latch, le32toh(value) & ~3U,
					 __ATOMIC_RELAXED);
		} else if (off == RESET_CONTROL && len == 1 && root->config.reset &&
			   (*(const uint8_t *)data & RESET_CONTROL_CPU)) {
			root->config.reset(root->config.opaque);
		}
		return;
	}
	latch = __atomic_load_n(&root->latch, __ATOMIC_RELAXED);
	off -= LEGACY_DATA;
	if ((latch & LEGACY_ENABLE) && off + len <= 4)
		pci_root_config_write(root, latch >> 16 & 0xff, latch >> 8 & 0xff,
				      (latch & 0xfc) + off, data, len);
}
