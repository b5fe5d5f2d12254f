// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Config space: what it holds, which bits can be written, and what that means.
 *
 *   0x00  type 0 header, BAR0 and BAR1 one 64-bit prefetchable memory BAR
 *   0x40  power management: D0 and D3hot, no soft reset, no PME
 *   0x48  MSI-X
 *   0x58  vendor specific: struct vbus_pci_cap
 *   0x70  PCI Express endpoint, version 2, function level reset
 *
 * D3hot keeps all state (No_Soft_Reset is 1): the device pauses, the BAR and the
 * vectors are off, and D0 brings everything back.  Extended config space is empty.
 *
 * fn->cfg changes under fn->ctl and fn->lock.
 */
#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "private.h"

#define LVB_CAP_PM	0x40
#define LVB_CAP_MSIX	0x48
#define LVB_CAP_VENDOR	0x58
#define LVB_CAP_EXP	0x70

#define LVB_EXP(reg)	(LVB_CAP_EXP + (reg))

/* Set by errors; none ever happens, but a one that is written clears. */
#define LVB_STATUS_W1C	(PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | \
			 PCI_STATUS_REC_TARGET_ABORT | \
			 PCI_STATUS_REC_MASTER_ABORT | \
			 PCI_STATUS_SIG_SYSTEM_ERROR | \
			 PCI_STATUS_DETECTED_PARITY)
#define LVB_DEVSTA_W1C	(PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | \
			 PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD)

/**
 * struct lvb_reg - a register with bits that can be written
 * @off: offset
 * @size: bytes
 * @init: value of those bits after a reset
 * @write: bits that take what is written
 * @w1c: bits that a written one clears
 * @sticky: a function level reset leaves it alone
 */
struct lvb_reg {
	uint8_t off;
	uint8_t size;
	uint32_t init;
	uint32_t write;
	uint32_t w1c;
	bool sticky;
};

static const struct lvb_reg lvb_regs[] = {
	{
		.off = PCI_COMMAND,
		.size = 2,
		.write = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			 PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
			 PCI_COMMAND_INTX_DISABLE,
	}, {
		.off = PCI_STATUS,
		.size = 2,
		.w1c = LVB_STATUS_W1C,
	}, {
		.off = PCI_CACHE_LINE_SIZE,
		.size = 1,
		.write = 0xff,
	}, {
		.off = PCI_BASE_ADDRESS_0,
		.size = 4,
		.write = (uint32_t)-VBUS_PCI_BAR_SIZE,
	}, {
		.off = PCI_BASE_ADDRESS_1,
		.size = 4,
		.write = 0xffffffff,
	}, {
		.off = PCI_INTERRUPT_LINE,
		.size = 1,
		.write = 0xff,
	}, {
		.off = LVB_CAP_PM + PCI_PM_CTRL,
		.size = 2,
		.write = PCI_PM_CTRL_STATE_MASK,
	}, {
		.off = LVB_CAP_MSIX + PCI_MSIX_FLAGS,
		.size = 2,
		.write = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL,
	}, {
		.off = LVB_EXP(PCI_EXP_DEVCTL),
		.size = 2,
		.init = PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
			PCI_EXP_DEVCTL_READRQ_512B,
		.write = PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
			 PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
			 PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_EXT_TAG |
			 PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ,
	}, {
		.off = LVB_EXP(PCI_EXP_DEVSTA),
		.size = 2,
		.w1c = LVB_DEVSTA_W1C,
	}, {
		.off = LVB_EXP(PCI_EXP_LNKCTL),
		.size = 2,
		.write = PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB |
			 PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES,
		.sticky = true,
	}, {
		.off = LVB_EXP(PCI_EXP_DEVCTL2),
		.size = 2,
		.write = PCI_EXP_DEVCTL2_COMP_TMOUT_DIS,
	},
};

/* The register that the byte at @off belongs to, NULL if it is read-only. */
static const struct lvb_reg *lvb_reg_find(uint32_t off)
{
	size_t i;

	for (i = 0; i < LVB_ARRAY_SIZE(lvb_regs); i++)
		if (off >= lvb_regs[i].off &&
		    off - lvb_regs[i].off < lvb_regs[i].size)
			return &lvb_regs[i];
	return NULL;
}

/* The byte of a mask of @reg that stands at @off. */
static uint8_t lvb_reg_byte(const struct lvb_reg *reg, uint32_t mask,
			    uint32_t off)
{
	return mask >> 8 * (off - reg->off);
}

static uint32_t lvb_class_code(uint32_t class_id)
{
	switch (class_id) {
	case VBUS_CLASS_NET:
		return 0x020000;	/* Ethernet controller */
	case VBUS_CLASS_BLK:
		return 0x018000;	/* mass storage, other */
	case VBUS_CLASS_CLOCK:
	case VBUS_CLASS_RNG:
		return 0x088000;	/* system peripheral, other */
	}
	return 0xff0000;		/* fits no class */
}

static void lvb_cfg_header(struct lvb_fn *fn)
{
	uint32_t class_code = lvb_class_code(fn->info.class_id);
	uint8_t *cfg = fn->cfg;

	lvb_put16(cfg + PCI_VENDOR_ID, VBUS_PCI_VENDOR_ID);
	lvb_put16(cfg + PCI_DEVICE_ID, VBUS_PCI_DEVICE_ID);
	lvb_put16(cfg + PCI_STATUS, PCI_STATUS_CAP_LIST);
	lvb_put32(cfg + PCI_CLASS_REVISION,
		  class_code << 8 | VBUS_PCI_REVISION);
	lvb_put32(cfg + PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_MEM_TYPE_64 |
		  PCI_BASE_ADDRESS_MEM_PREFETCH);
	lvb_put16(cfg + PCI_SUBSYSTEM_VENDOR_ID, VBUS_PCI_SUBVENDOR_ID);
	lvb_put16(cfg + PCI_SUBSYSTEM_ID, fn->info.class_id);
	cfg[PCI_CAPABILITY_LIST] = LVB_CAP_PM;
}

static void lvb_cfg_cap(struct lvb_fn *fn, uint8_t off, uint8_t id,
			uint8_t next)
{
	fn->cfg[off + PCI_CAP_LIST_ID] = id;
	fn->cfg[off + PCI_CAP_LIST_NEXT] = next;
}

static void lvb_cfg_cap_msix(struct lvb_fn *fn)
{
	uint8_t *cap = fn->cfg + LVB_CAP_MSIX;

	lvb_put16(cap + PCI_MSIX_FLAGS, fn->info.nr_vectors - 1);
	lvb_put32(cap + PCI_MSIX_TABLE, VBUS_PCI_MSIX_TABLE | VBUS_PCI_BAR);
	lvb_put32(cap + PCI_MSIX_PBA, VBUS_PCI_MSIX_PBA | VBUS_PCI_BAR);
}

static void lvb_cfg_cap_vendor(struct lvb_fn *fn)
{
	uint8_t *cap = fn->cfg + LVB_CAP_VENDOR;

	cap[offsetof(struct vbus_pci_cap, length)] =
		sizeof(struct vbus_pci_cap);
	cap[offsetof(struct vbus_pci_cap, bar)] = VBUS_PCI_BAR;
	lvb_put32(cap + offsetof(struct vbus_pci_cap, signature),
		  VBUS_PCI_CAP_SIGNATURE);
	lvb_put32(cap + offsetof(struct vbus_pci_cap, offset),
		  VBUS_PCI_WINDOW);
	lvb_put32(cap + offsetof(struct vbus_pci_cap, bus), fn->bus->number);
}

/* A link of one lane at 2.5 GT/s, the least there is: nothing crosses it. */
static void lvb_cfg_cap_exp(struct lvb_fn *fn)
{
	uint8_t *cap = fn->cfg + LVB_CAP_EXP;

	lvb_put16(cap + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4);
	lvb_put32(cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_EXT_TAG |
		  PCI_EXP_DEVCAP_L0S | PCI_EXP_DEVCAP_L1 |
		  PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	lvb_put32(cap + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4 |
		  1 << 22);	/* ASPM optionality compliance */
	lvb_put16(cap + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB |
		  PCI_EXP_LNKSTA_NLW_X1 | PCI_EXP_LNKSTA_SLC);
	lvb_put32(cap + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS);
	lvb_put32(cap + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB);
}

/* All of it, as at power-on. */
void lvb_cfg_init(struct lvb_fn *fn)
{
	lvb_cfg_header(fn);
	lvb_cfg_cap(fn, LVB_CAP_PM, PCI_CAP_ID_PM, LVB_CAP_EXP);
	lvb_put16(fn->cfg + LVB_CAP_PM + PCI_PM_PMC, 3);
	lvb_put16(fn->cfg + LVB_CAP_PM + PCI_PM_CTRL,
		  PCI_PM_CTRL_NO_SOFT_RESET);
	lvb_cfg_cap(fn, LVB_CAP_EXP, PCI_CAP_ID_EXP, LVB_CAP_MSIX);
	lvb_cfg_cap_exp(fn);
	lvb_cfg_cap(fn, LVB_CAP_MSIX, PCI_CAP_ID_MSIX, LVB_CAP_VENDOR);
	lvb_cfg_cap_msix(fn);
	lvb_cfg_cap(fn, LVB_CAP_VENDOR, PCI_CAP_ID_VNDR, 0);
	lvb_cfg_cap_vendor(fn);
	lvb_cfg_reset(fn, false);
}

/* Every bit that can change gets its first value. */
void lvb_cfg_reset(struct lvb_fn *fn, bool flr)
{
	uint32_t off, change;
	size_t i;

	for (i = 0; i < LVB_ARRAY_SIZE(lvb_regs); i++) {
		const struct lvb_reg *reg = &lvb_regs[i];

		if (flr && reg->sticky)
			continue;
		change = reg->write | reg->w1c;
		for (off = reg->off; off < reg->off + reg->size; off++) {
			fn->cfg[off] &= ~lvb_reg_byte(reg, change, off);
			fn->cfg[off] |= lvb_reg_byte(reg, reg->init, off);
		}
	}
}

static uint8_t *lvb_cfg_power(struct lvb_fn *fn)
{
	return fn->cfg + LVB_CAP_PM + PCI_PM_CTRL;
}

/* Returns true if that asked for a function level reset. */
static bool lvb_cfg_write_bytes(struct lvb_fn *fn, uint32_t off,
				const uint8_t *buf, size_t len)
{
	uint8_t power = *lvb_cfg_power(fn) & PCI_PM_CTRL_STATE_MASK, state;
	bool flr = false;
	size_t i;

	for (i = 0; i < len; i++) {
		const struct lvb_reg *reg = lvb_reg_find(off + i);
		uint8_t *byte = &fn->cfg[off + i];
		uint8_t write;

		if (!reg)
			continue;
		write = lvb_reg_byte(reg, reg->write, off + i);
		*byte = (*byte & ~write) | (buf[i] & write);
		*byte &= ~(buf[i] & lvb_reg_byte(reg, reg->w1c, off + i));
		if (off + i == LVB_EXP(PCI_EXP_DEVCTL) + 1 &&
		    buf[i] & (PCI_EXP_DEVCTL_BCR_FLR >> 8))
			flr = true;
	}

	/* A state that does not exist is as if not written. */
	state = *lvb_cfg_power(fn) & PCI_PM_CTRL_STATE_MASK;
	if (state == 1 || state == 2) {
		*lvb_cfg_power(fn) &= ~PCI_PM_CTRL_STATE_MASK;
		*lvb_cfg_power(fn) |= power;
	}
	return flr;
}

static bool lvb_cfg_command(const struct lvb_fn *fn, uint16_t bit)
{
	uint16_t power = lvb_get16(fn->cfg + LVB_CAP_PM + PCI_PM_CTRL);

	return lvb_get16(fn->cfg + PCI_COMMAND) & bit &&
	       !(power & PCI_PM_CTRL_STATE_MASK);
}

uint64_t lvb_cfg_bar(const struct lvb_fn *fn)
{
	return lvb_get64(fn->cfg + PCI_BASE_ADDRESS_0) &
	       -(uint64_t)VBUS_PCI_BAR_SIZE;
}

/* Does the BAR answer?  Not where a guest that measures it has left all ones. */
bool lvb_cfg_decode(const struct lvb_fn *fn)
{
	uint64_t addr = lvb_cfg_bar(fn);

	return lvb_cfg_command(fn, PCI_COMMAND_MEMORY) && addr &&
	       addr != -(uint64_t)VBUS_PCI_BAR_SIZE;
}

/* May the function touch memory, of which a message is a kind? */
bool lvb_cfg_dma(const struct lvb_fn *fn)
{
	return lvb_cfg_command(fn, PCI_COMMAND_MASTER);
}

bool lvb_cfg_irqs(const struct lvb_fn *fn)
{
	uint16_t flags = lvb_get16(fn->cfg + LVB_CAP_MSIX + PCI_MSIX_FLAGS);

	return lvb_cfg_dma(fn) && flags & PCI_MSIX_FLAGS_ENABLE &&
	       !(flags & PCI_MSIX_FLAGS_MASKALL);
}

static bool lvb_cfg_cycle_ok(uint32_t off, size_t len)
{
	return (len == 1 || len == 2 || len == 4) &&
	       off < LIBVBUS_CONFIG_SIZE && off % 4 + len <= 4;
}

int libvbus_config_read(struct libvbus *bus, uint32_t slot, uint32_t off,
			void *buf, size_t len)
{
	struct lvb_fn *fn;

	memset(buf, 0xff, len);
	if (!lvb_cfg_cycle_ok(off, len))
		return -EINVAL;
	fn = lvb_fn_get(bus, slot);
	if (!fn)
		return -ENOENT;
	memset(buf, 0, len);
	if (off < LVB_CFG_SIZE) {
		pthread_mutex_lock(&fn->lock);
		memcpy(buf, fn->cfg + off, len);
		pthread_mutex_unlock(&fn->lock);
	}
	lvb_fn_put(fn);
	return 0;
}

int libvbus_config_write(struct libvbus *bus, uint32_t slot, uint32_t off,
			 const void *buf, size_t len)
{
	struct lvb_fn *fn;
	bool flr;

	if (!lvb_cfg_cycle_ok(off, len))
		return -EINVAL;
	fn = lvb_fn_get(bus, slot);
	if (!fn)
		return -ENOENT;
	if (off < LVB_CFG_SIZE) {
		pthread_mutex_lock(&fn->ctl);
		pthread_mutex_lock(&fn->lock);
		flr = lvb_cfg_write_bytes(fn, off, buf, len);
		pthread_mutex_unlock(&fn->lock);
		if (flr)
			lvb_fn_reset(fn, true);
		else
			lvb_fn_apply(fn);
		pthread_mutex_unlock(&fn->ctl);
	}
	lvb_fn_put(fn);
	return 0;
}
