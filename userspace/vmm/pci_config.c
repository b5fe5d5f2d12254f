// SPDX-License-Identifier: GPL-2.0
/*
 * Config registers of bridges: bytes with a mask of what a guest may write.
 * The caller holds whatever lock protects them.
 */
#include <endian.h>
#include <string.h>

#include "pci.h"

void pci_config_read(const struct pci_config *cfg, uint32_t off, void *buf,
		     size_t len)
{
	uint8_t *out = buf;
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = off + i < PCI_CONFIG_SIZE ? cfg->data[off + i] : 0;
}

void pci_config_write(struct pci_config *cfg, uint32_t off, const void *buf,
		      size_t len)
{
	const uint8_t *in = buf;
	size_t i;

	for (i = 0; i < len && off + i < PCI_CONFIG_SIZE; i++) {
		uint8_t *reg = &cfg->data[off + i];
		uint8_t mask = cfg->writable[off + i];

		*reg = (*reg & ~mask) | (in[i] & mask);
		*reg &= ~(in[i] & cfg->w1c[off + i]);
	}
}

uint16_t pci_get16(const struct pci_config *cfg, uint32_t off)
{
	uint16_t value;

	memcpy(&value, &cfg->data[off], sizeof(value));
	return le16toh(value);
}

uint32_t pci_get32(const struct pci_config *cfg, uint32_t off)
{
	uint32_t value;

	memcpy(&value, &cfg->data[off], sizeof(value));
	return le32toh(value);
}

void pci_set16(struct pci_config *cfg, uint32_t off, uint16_t value)
{
	value = htole16(value);
	memcpy(&cfg->data[off], &value, sizeof(value));
}

void pci_def8(struct pci_config *cfg, uint32_t off, uint8_t value, uint8_t mask)
{
	cfg->data[off] = value;
	cfg->writable[off] = mask;
}

void pci_def16(struct pci_config *cfg, uint32_t off, uint16_t value, uint16_t mask)
{
	pci_def8(cfg, off, value, mask);
	pci_def8(cfg, off + 1, value >> 8, mask >> 8);
}

void pci_def32(struct pci_config *cfg, uint32_t off, uint32_t value, uint32_t mask)
{
	pci_def16(cfg, off, value, mask);
	pci_def16(cfg, off + 2, value >> 16, mask >> 16);
}
