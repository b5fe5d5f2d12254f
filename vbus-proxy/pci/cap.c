// SPDX-License-Identifier: GPL-2.0
/*
 * The vendor capability of a function: where its window is, and on which bus.
 *
 * What it says is the VMM's word, so nothing is mapped before it was checked
 * against the BARs.
 */
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include "vpci.h"

/* Longer lists of capabilities do not fit into a config space of 256 bytes. */
#define VPCI_MAX_CAPS	48

/**
 * vpci_cap_check() - does a capability make sense?
 * @cap: copy of it
 * @bars: PCI_STD_NUM_BARS resources of the function
 *
 * Return: 0; -ENODEV: not one of ours; -EINVAL: ours, but nonsense.
 */
int vpci_cap_check(const struct vbus_pci_cap *cap, const struct resource *bars)
{
	u32 offset = le32_to_cpu(cap->offset);
	const struct resource *bar;
	resource_size_t size;

	if (cap->id != PCI_CAP_ID_VNDR || cap->length < sizeof(*cap) ||
	    cap->signature != cpu_to_le32(VBUS_PCI_CAP_SIGNATURE))
		return -ENODEV;
	if (cap->bar >= PCI_STD_NUM_BARS || !IS_ALIGNED(offset, SZ_4K))
		return -EINVAL;
	bar = &bars[cap->bar];
	if (!(bar->flags & IORESOURCE_MEM) || bar->flags & IORESOURCE_UNSET)
		return -EINVAL;
	size = resource_size(bar);
	if (!bar->start || offset > size || size - offset < VBUS_WINDOW_SIZE)
		return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vpci_cap_check);

static int vpci_cap_read(struct pci_dev *pdev, int pos,
			 struct vbus_pci_cap *cap)
{
	u32 words[sizeof(*cap) / sizeof(u32)];
	__le32 raw[ARRAY_SIZE(words)];
	unsigned int i;

	/* What follows the list's space is another one's. */
	if (pos > PCI_CFG_SPACE_SIZE - (int)sizeof(*cap))
		return -ENODEV;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (pci_read_config_dword(pdev, pos + 4 * i, &words[i]))
			return -ENODEV;
		raw[i] = cpu_to_le32(words[i]);
	}
	memcpy(cap, raw, sizeof(*cap));
	return 0;
}

/**
 * vpci_cap_find() - read and check our capability
 * @pdev: the function
 * @cap: copy of it
 *
 * Return: 0; -ENODEV: there is none that makes sense.
 */
int vpci_cap_find(struct pci_dev *pdev, struct vbus_pci_cap *cap)
{
	int pos, err, i;

	pos = pci_find_capability(pdev, PCI_CAP_ID_VNDR);
	for (i = 0; pos && i < VPCI_MAX_CAPS; i++) {
		err = vpci_cap_read(pdev, pos, cap);
		if (!err)
			err = vpci_cap_check(cap, pdev->resource);
		if (!err)
			return 0;
		if (err == -EINVAL) {
			pci_err(pdev, "vbus capability makes no sense: BAR %u, offset 0x%x\n",
				cap->bar, le32_to_cpu(cap->offset));
			return -ENODEV;
		}
		pos = pci_find_next_capability(pdev, pos, PCI_CAP_ID_VNDR);
	}
	pci_err(pdev, "no vbus capability\n");
	return -ENODEV;
}
EXPORT_SYMBOL_IF_KUNIT(vpci_cap_find);
