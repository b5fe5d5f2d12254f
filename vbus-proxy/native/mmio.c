// SPDX-License-Identifier: GPL-2.0
/*
 * Windows that are memory-mapped: a platform device each, with one interrupt for
 * each event queue.
 *
 * Device tree, ACPI or the command line (cmdline.c) tell of them.  The
 * driver core calls probe, remove and shutdown, one at a time for a device.
 */
#define pr_fmt(fmt) "vbus-native: " fmt

#include <linux/acpi.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include "vnat.h"

/**
 * struct vnat_irq - interrupt of one event queue
 * @bus: the bus
 * @queue: the queue
 * @irq: number
 * @name: in /proc/interrupts
 */
struct vnat_irq {
	struct vnat_bus *bus;
	unsigned int queue;
	int irq;
	char name[32];
};

/**
 * struct vnat_mmio - a platform device; lives as long as the driver is bound
 * @base: the window
 * @bus: the bus behind it
 * @nr_irqs: entries of @irqs that are requested
 * @irqs: one for each queue
 */
struct vnat_mmio {
	void __iomem *base;
	struct vnat_bus *bus;
	unsigned int nr_irqs;
	struct vnat_irq irqs[VBUS_NATIVE_MAX_QUEUES];
};

static u32 vnat_mmio_read32(void *priv, u32 off)
{
	struct vnat_mmio *mmio = priv;

	return readl(mmio->base + off);
}

static void vnat_mmio_write32(void *priv, u32 off, u32 val)
{
	struct vnat_mmio *mmio = priv;

	writel(val, mmio->base + off);
}

/* Halves are as good, and every VMM can take them apart. */
static void vnat_mmio_write64(void *priv, u32 off, u64 val)
{
	vnat_mmio_write32(priv, off, lower_32_bits(val));
	vnat_mmio_write32(priv, off + 4, upper_32_bits(val));
}

/* The hypervisor has made the call when the CPU goes on after the write. */
static void vnat_mmio_kick(void *priv, u32 page)
{
	vnat_mmio_write32(priv, VBUS_NREG_DOORBELL(page), 0);
}

static const struct vnat_window_ops vnat_mmio_ops = {
	.read32 = vnat_mmio_read32,
	.write32 = vnat_mmio_write32,
	.write64 = vnat_mmio_write64,
	.kick = vnat_mmio_kick,
};

static irqreturn_t vnat_irq_handler(int irq, void *arg)
{
	struct vnat_irq *vi = arg;

	vnat_interrupt(vi->bus, vi->queue);
	return IRQ_HANDLED;
}

/*
 * The other side is a CPU of the host: it sees our caches, whatever was said, or not
 * said, of the device.
 */
static void vnat_set_coherent(struct device *dev)
{
#if defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
	dev->dma_coherent = true;
#endif
}

/* How many interrupts there are; what follows the first gap is not used. */
static int vnat_find_irqs(struct platform_device *pdev, struct vnat_mmio *mmio)
{
	unsigned int nr;
	int irq;

	for (nr = 0; nr < VBUS_NATIVE_MAX_QUEUES; nr++) {
		irq = platform_get_irq_optional(pdev, nr);
		if (irq == -EPROBE_DEFER)
			return irq;
		if (irq < 0)
			break;
		mmio->irqs[nr].irq = irq;
	}
	if (nr)
		return nr;
	dev_err(&pdev->dev, "no interrupt\n");
	return -ENODEV;
}

static void vnat_free_irqs(struct vnat_mmio *mmio)
{
	while (mmio->nr_irqs) {
		mmio->nr_irqs--;
		free_irq(mmio->irqs[mmio->nr_irqs].irq,
			 &mmio->irqs[mmio->nr_irqs]);
	}
}

static int vnat_request_irqs(struct vnat_mmio *mmio)
{
	struct vnat_bus *bus = mmio->bus;
	struct vnat_irq *vi;
	unsigned int i;
	int err;

	for (i = 0; i < vnat_bus_queues(bus); i++) {
		vi = &mmio->irqs[i];
		vi->bus = bus;
		vi->queue = i;
		snprintf(vi->name, sizeof(vi->name), "vbus%d-ev%u", bus->id, i);
		err = request_irq(vi->irq, vnat_irq_handler, 0, vi->name, vi);
		if (err) {
			dev_err(bus->dev, "can't request interrupt %d: %d\n",
				vi->irq, err);
			vnat_free_irqs(mmio);
			return err;
		}
		mmio->nr_irqs = i + 1;
	}
	return 0;
}

static int vnat_map(struct platform_device *pdev, struct vnat_mmio *mmio)
{
	struct device *dev = &pdev->dev;
	struct resource *res;
	int err;

	mmio->base = devm_platform_get_and_ioremap_resource(pdev, 0, &res);
	if (IS_ERR(mmio->base))
		return PTR_ERR(mmio->base);
	if (resource_size(res) < VBUS_NATIVE_WINDOW_SIZE) {
		dev_err(dev, "a window of 0x%llx bytes is too small\n",
			(unsigned long long)resource_size(res));
		return -EINVAL;
	}
	vnat_set_coherent(dev);
	err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (err) {
		dev_err(dev, "no DMA to all of memory: %d\n", err);
		return err;
	}
	dma_set_max_seg_size(dev, UINT_MAX);
	return 0;
}

static int vnat_probe(struct platform_device *pdev)
{
	struct vnat_mmio *mmio;
	int nr, err;

	mmio = devm_kzalloc(&pdev->dev, sizeof(*mmio), GFP_KERNEL);
	if (!mmio)
		return -ENOMEM;
	err = vnat_map(pdev, mmio);
	if (err)
		return err;
	nr = vnat_find_irqs(pdev, mmio);
	if (nr < 0)
		return nr;
	mmio->bus = vnat_bus_create(&pdev->dev, &vnat_mmio_ops, mmio, nr);
	if (IS_ERR(mmio->bus))
		return PTR_ERR(mmio->bus);
	platform_set_drvdata(pdev, mmio);
	err = vnat_request_irqs(mmio);
	if (err)
		goto destroy;
	err = vnat_bus_start(mmio->bus);
	if (err)
		goto stop;
	dev_info(&pdev->dev, "bus %d with %u event queues and %u call pages\n",
		 mmio->bus->id, mmio->bus->nr_queues, mmio->bus->nr_pages);
	return 0;

stop:
	vnat_bus_stop(mmio->bus, false);
	vnat_free_irqs(mmio);
destroy:
	vnat_bus_destroy(mmio->bus);
	return err;
}

static int vnat_remove(struct platform_device *pdev)
{
	struct vnat_mmio *mmio = platform_get_drvdata(pdev);

	vnat_bus_stop(mmio->bus,
		      readl(mmio->base + VBUS_NREG_MAGIC) == U32_MAX);
	vnat_free_irqs(mmio);
	vnat_bus_destroy(mmio->bus);
	return 0;
}

/* The guest bus has reset the devices; now the window forgets our memory, too. */
static void vnat_shutdown(struct platform_device *pdev)
{
	struct vnat_mmio *mmio = platform_get_drvdata(pdev);

	WRITE_ONCE(mmio->bus->dead, true);
	vnat_bus_reset(mmio->bus);
}

/* The device side keeps nothing for a guest that was switched off. */
static int vnat_suspend(struct device *dev)
{
	dev_err(dev, "can't be suspended: unbind vbus-native first\n");
	return -EBUSY;
}

static int vnat_resume(struct device *dev)
{
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(vnat_pm_ops, vnat_suspend, vnat_resume);

static const struct of_device_id vnat_of_ids[] = {
	{ .compatible = "vbus,native" },
	{ }
};
MODULE_DEVICE_TABLE(of, vnat_of_ids);

static const struct acpi_device_id vnat_acpi_ids[] = {
	{ "VBUS0001" },
	{ }
};
MODULE_DEVICE_TABLE(acpi, vnat_acpi_ids);

static struct platform_driver vnat_driver = {
	.probe = vnat_probe,
	.remove = vnat_remove,
	.shutdown = vnat_shutdown,
	.driver = {
		.name = "vbus-native",
		.of_match_table = vnat_of_ids,
		.acpi_match_table = vnat_acpi_ids,
		.pm = pm_sleep_ptr(&vnat_pm_ops),
	},
};

static int __init vnat_init(void)
{
	int err;

	err = platform_driver_register(&vnat_driver);
	if (err)
		return err;
	err = vnat_cmdline_init();
	if (err)
		platform_driver_unregister(&vnat_driver);
	return err;
}

/* The driver first: it may still need the interrupts of its devices. */
static void __exit vnat_exit(void)
{
	platform_driver_unregister(&vnat_driver);
	vnat_cmdline_exit();
}

module_init(vnat_init);
module_exit(vnat_exit);

MODULE_DESCRIPTION("vbus native transport");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_IMPORT_NS(VPROXY_TRANSPORT);
MODULE_ALIAS("platform:vbus-native");
