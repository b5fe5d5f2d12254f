/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the tests of PCI: a root complex, cards that note what is done to them, a
 * count of messages, and config cycles as a guest makes them.
 */
#ifndef PCI_FAKE_H
#define PCI_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/pci_regs.h>

#include "pci.h"

#define WINDOW32	0xc0000000ULL
#define WINDOW64	0x8000000000ULL
#define NR_PORTS	9

/* Where the port's capabilities lie; the tests find them by the list, too. */
#define EXP		0x40
#define MSI		0x80

#define DEVFN(index)	(8 + (index))

struct fake_card {
	uint32_t id;
	uint32_t reg;		/* at 4, all bits writable */
	unsigned int resets;
	unsigned int releases;
};

struct fake {
	struct pci_root *root;
	struct pci_port *port[NR_PORTS];
	struct fake_card card[NR_PORTS];
	unsigned int msis;
	uint64_t msi_addr;
	uint32_t msi_data;
	unsigned int resets;
};

static inline void fake_read(void *opaque, uint32_t off, void *buf, size_t len)
{
	struct fake_card *card = opaque;

	memset(buf, 0, len);
	if (off == 0)
		memcpy(buf, &card->id, len);
	if (off == 4)
		memcpy(buf, &card->reg, len);
}

static inline void fake_write(void *opaque, uint32_t off, const void *buf, size_t len)
{
	struct fake_card *card = opaque;

	if (off == 4)
		memcpy(&card->reg, buf, len);
}

static inline void fake_card_reset(void *opaque)
{
	struct fake_card *card = opaque;

	card->resets++;
	card->reg = 0;
}

static inline void fake_release(void *opaque)
{
	struct fake_card *card = opaque;

	card->releases++;
}

static inline void fake_msi(void *opaque, uint64_t addr, uint32_t data)
{
	struct fake *f = opaque;

	f->msis++;
	f->msi_addr = addr;
	f->msi_data = data;
}

static inline void fake_reset(void *opaque)
{
	struct fake *f = opaque;

	f->resets++;
}

static const struct pci_port_ops fake_ops = {
	.read = fake_read,
	.write = fake_write,
	.reset = fake_card_reset,
	.release = fake_release,
};

static inline int fake_setup(void **state)
{
	static struct fake f;
	const struct pci_root_config config = {
		.window32 = WINDOW32,
		.window64 = WINDOW64,
		.msi = fake_msi,
		.reset = fake_reset,
		.opaque = &f,
	};
	unsigned int i;

	memset(&f, 0, sizeof(f));
	f.root = pci_root_new(&config);
	assert_non_null(f.root);
	for (i = 0; i < NR_PORTS; i++) {
		f.card[i].id = 0x200111da + (i << 24);
		f.port[i] = pci_port_new(f.root, i, &fake_ops, &f.card[i]);
		assert_non_null(f.port[i]);
	}
	*state = &f;
	return 0;
}

static inline int fake_teardown(void **state)
{
	struct fake *f = *state;

	pci_root_free(f->root);
	return 0;
}

static inline uint32_t cfg_read(struct fake *f, unsigned int bus, unsigned int devfn,
				uint32_t off, size_t len)
{
	uint32_t value = 0;

	pci_root_config_read(f->root, bus, devfn, off, &value, len);
	return value;
}

static inline void cfg_write(struct fake *f, unsigned int bus, unsigned int devfn,
			     uint32_t off, uint32_t value, size_t len)
{
	pci_root_config_write(f->root, bus, devfn, off, &value, len);
}

static inline uint16_t port_r16(struct fake *f, unsigned int i, uint32_t off)
{
	return cfg_read(f, 0, DEVFN(i), off, 2);
}

static inline void port_w16(struct fake *f, unsigned int i, uint32_t off, uint16_t value)
{
	cfg_write(f, 0, DEVFN(i), off, value, 2);
}

/* What answers behind port i. */
static inline uint32_t card_id(struct fake *f, unsigned int i)
{
	return cfg_read(f, i + 1, 0, 0, 4);
}

#endif /* PCI_FAKE_H */
