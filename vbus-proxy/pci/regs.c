// SPDX-License-Identifier: GPL-2.0
/*
 * Register accesses of a function, with the widths that vbus_abi.h asks for.
 *
 * A function that was pulled out reads as ones, and swallows writes.  MAGIC can't
 * be all ones, so it tells a value from an empty slot; where it matters, no
 * register is touched once the PCI core knows that the function is gone.
 */
#include <asm/unaligned.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/string.h>
#include "vpci.h"

/* The widest access that is aligned at @off and not longer than @len. */
static size_t vpci_width(u32 off, size_t len)
{
	size_t width = 8;

	while (width > len || off % width)
		width /= 2;
	return width;
}

static void vpci_read_one(const void __iomem *addr, void *buf, size_t width)
{
	switch (width) {
	case 8:
		put_unaligned_le64(readq(addr), buf);
		break;
	case 4:
		put_unaligned_le32(readl(addr), buf);
		break;
	case 2:
		put_unaligned_le16(readw(addr), buf);
		break;
	default:
		*(u8 *)buf = readb(addr);
		break;
	}
}

static void vpci_write_one(void __iomem *addr, const void *buf, size_t width)
{
	switch (width) {
	case 8:
		writeq(get_unaligned_le64(buf), addr);
		break;
	case 4:
		writel(get_unaligned_le32(buf), addr);
		break;
	case 2:
		writew(get_unaligned_le16(buf), addr);
		break;
	default:
		writeb(*(const u8 *)buf, addr);
		break;
	}
}

static bool vpci_in_window(u32 off, size_t len)
{
	return len && off < VBUS_WINDOW_SIZE && len <= VBUS_WINDOW_SIZE - off;
}

/* Registers are read as a whole; the byte areas in as few pieces as it goes. */
int vpci_read(struct vproxy_device *vdev, u32 off, void *buf, size_t len)
{
	struct vpci *vp = to_vpci(vdev);
	u8 *dst = buf;
	size_t done, width;

	if (!vpci_in_window(off, len))
		return -EINVAL;
	if (pci_channel_offline(vp->pdev))
		return -ENODEV;
	for (done = 0; done < len; done += width) {
		width = vpci_width(off + done, len - done);
		vpci_read_one(vp->window + off + done, dst + done, width);
	}
	if (!memchr_inv(buf, 0xff, len) &&
	    readl(vp->window + VBUS_REG_MAGIC) == U32_MAX)
		return -ENODEV;
	return 0;
}

int vpci_write(struct vproxy_device *vdev, u32 off, const void *buf, size_t len)
{
	struct vpci *vp = to_vpci(vdev);
	const u8 *src = buf;
	size_t done, width;

	if (!vpci_in_window(off, len))
		return -EINVAL;
	if (pci_channel_offline(vp->pdev))
		return -ENODEV;
	for (done = 0; done < len; done += width) {
		width = vpci_width(off + done, len - done);
		vpci_write_one(vp->window + off + done, src + done, width);
	}
	return 0;
}
