// SPDX-License-Identifier: GPL-2.0
/*
 * What both loopback connectors need: a device that does DMA to this kernel's own
 * memory, and interrupts that are calls.
 */
#define pr_fmt(fmt) "vbus-loop: " fmt

#include <linux/bottom_half.h>
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include "loop.h"

static DEFINE_IDA(loop_parent_ids);

static void loop_set_coherent(struct device *dev)
{
#if defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
	/* The device is a CPU: it sees the caches. */
	dev->dma_coherent = true;
#endif
}

/*
 * The host side takes what the guest side says for physical addresses.  An IOMMU
 * or bounce buffers would make them something else; rather than know all the
 * ways, try.
 */
static int loop_check_dma(struct device *dev)
{
	dma_addr_t dma;
	struct page *page;
	int err = 0;

	if (!IS_ENABLED(CONFIG_HAS_DMA)) {
		pr_err("this kernel is built without HAS_DMA, which vbus-loop needs\n");
		return -ENODEV;
	}
	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	dma = dma_map_page(dev, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, dma)) {
		err = -ENODEV;
	} else {
		if (dma != page_to_phys(page))
			err = -ENODEV;
		dma_unmap_page(dev, dma, PAGE_SIZE, DMA_BIDIRECTIONAL);
	}
	__free_page(page);
	if (err)
		pr_err("DMA addresses are not physical addresses here (bounce buffers, an IOMMU or memory encryption?)\n");
	return err;
}

/**
 * loop_parent_make() - a parent for the devices of a bus
 * @parent: filled in
 *
 * Return: 0; -ENODEV DMA here is not to physical addresses; -ENOMEM.
 */
int loop_parent_make(struct loop_parent *parent)
{
	char name[32];
	int err;

	parent->id = ida_alloc(&loop_parent_ids, GFP_KERNEL);
	if (parent->id < 0)
		return parent->id;
	snprintf(name, sizeof(name), "vbus-loop%d", parent->id);
	parent->dev = root_device_register(name);
	if (IS_ERR(parent->dev)) {
		err = PTR_ERR(parent->dev);
		goto free_id;
	}
	parent->dev->dma_parms = &parent->dma_parms;
	parent->dev->dma_mask = &parent->dma_mask;
	loop_set_coherent(parent->dev);
	err = dma_set_mask_and_coherent(parent->dev, DMA_BIT_MASK(64));
	if (err) {
		pr_err("no DMA to all of memory: %d\n", err);
		err = -ENODEV;
		goto unregister;
	}
	dma_set_max_seg_size(parent->dev, UINT_MAX);
	err = loop_check_dma(parent->dev);
	if (err)
		goto unregister;
	return 0;

unregister:
	root_device_unregister(parent->dev);
free_id:
	ida_free(&loop_parent_ids, parent->id);
	return err;
}
EXPORT_SYMBOL_NS_GPL(loop_parent_make, VBUS_LOOP);

/**
 * loop_parent_remove() - undo loop_parent_make()
 * @parent: without children
 */
void loop_parent_remove(struct loop_parent *parent)
{
	root_device_unregister(parent->dev);
	ida_free(&loop_parent_ids, parent->id);
}
EXPORT_SYMBOL_NS_GPL(loop_parent_remove, VBUS_LOOP);

/**
 * loop_interrupt() - call what would be an interrupt handler
 * @fn: handler
 * @arg: for @fn
 *
 * The host calls from NAPI, from an ioctl, under spinlocks or out of a driver's own
 * transmit path, and a guest driver may rely on being called as from an interrupt.
 * So it is called with interrupts off, and softirqs it raised run on the way out if
 * the caller could have been interrupted by a real one at that point.  A driver's
 * callback only schedules NAPI or work, so host and guest do not recurse into each
 * other: what was scheduled inside a softirq waits for that softirq's end.
 *
 * Context: any.
 */
void loop_interrupt(void (*fn)(void *arg), void *arg)
{
	unsigned long flags;

	if (irqs_disabled() || in_hardirq()) {
		local_irq_save(flags);
		fn(arg);
		local_irq_restore(flags);
		return;
	}
	local_bh_disable();
	local_irq_save(flags);
	fn(arg);
	local_irq_restore(flags);
	local_bh_enable();
}
EXPORT_SYMBOL_NS_GPL(loop_interrupt, VBUS_LOOP);
