// SPDX-License-Identifier: GPL-2.0
/*
 * PCI transport: vbus devices that a VMM shows as PCI functions.
 *
 * include/uapi/linux/vbus_pci.h says what a function looks like.  Coming and
 * going is the PCI core's: hotplug drivers call probe and remove, also for a
 * function that was pulled out.  Then every register reads as ones and remove
 * tells the guest bus so.
 *
 * Unloading removes them as if they had been unbound.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include "vpci.h"

/* One posted write of 32 bits, which the VMM has the hypervisor turn into a signal. */
static void vpci_kick(struct vproxy_device *vdev, u32 q)
{
	writel(q, to_vpci(vdev)->doorbells + q * VBUS_REG_DOORBELL_STRIDE);
}

/*
 * The device would not stop.  Without bus mastering the VMM lets it touch nothing:
 * the write returns when the device is at rest, and reading back makes sure
 * that the write has arrived.
 */
static void vpci_quiesce(struct vproxy_device *vdev)
{
	struct pci_dev *pdev = to_vpci(vdev)->pdev;
	u16 command;

	if (!pci_device_is_present(pdev))
		return;
	pci_warn(pdev, "bus mastering switched off, for good\n");
	pci_clear_master(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
}

/* No owner: what is left of a device when we have gone does not need us. */
static const struct vproxy_transport_ops vpci_transport = {
	.read = vpci_read,
	.write = vpci_write,
	.kick = vpci_kick,
	.setup_vectors = vpci_setup_vectors,
	.free_vectors = vpci_free_vectors,
	.vector_affinity = vpci_vector_affinity,
	.quiesce = vpci_quiesce,
};

/* Find, reserve and map the window. */
static int vpci_map(struct vpci *vp)
{
	struct pci_dev *pdev = vp->pdev;
	struct vbus_pci_cap cap;
	int err;

	err = vpci_cap_find(pdev, &cap);
	if (err)
		return err;
	vp->bar = cap.bar;
	vp->bus = le32_to_cpu(cap.bus);
	err = pci_request_region(pdev, vp->bar, KBUILD_MODNAME);
	if (err)
		return err;
	vp->window = pci_iomap_range(pdev, vp->bar, le32_to_cpu(cap.offset),
				     VBUS_WINDOW_SIZE);
	if (!vp->window) {
		pci_release_region(pdev, vp->bar);
		return -ENOMEM;
	}
	vp->doorbells = vp->window + VBUS_REG_DOORBELL_BASE;
	return 0;
}

/*
 * The host reaches all of guest memory by its addresses, unless an IOMMU or
 * bounce buffers say otherwise; a segment may be as long as it likes.
 */
static int vpci_setup_dma(struct pci_dev *pdev)
{
	int err;

	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err) {
		pci_err(pdev, "no DMA to all of memory: %d\n", err);
		return err;
	}
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	pci_set_master(pdev);
	return 0;
}

static void vpci_unmap(struct vpci *vp)
{
	pci_iounmap(vp->pdev, vp->window);
	pci_release_region(vp->pdev, vp->bar);
}

static int vpci_register(struct vpci *vp)
{
	struct vproxy_device *vdev;
	int bus_id, err;

	vdev = kzalloc(sizeof(*vdev), GFP_KERNEL);
	if (!vdev)
		return -ENOMEM;
	bus_id = vpci_bus_get(vp->bus);
	if (bus_id < 0) {
		kfree(vdev);
		return bus_id;
	}
	vdev->ops = &vpci_transport;
	vdev->priv = vp;
	vdev->dma_dev = &vp->pdev->dev;
	vdev->dev.parent = &vp->pdev->dev;
	vp->vdev = vdev;
	err = vproxy_device_register(vdev, bus_id, NULL);
	if (err)
		vpci_bus_put(vp->bus);
	return err;
}

static int vpci_probe(struct pci_dev *pdev, const struct pci_device_id *ids)
{
	struct vpci *vp;
	int err;

	vp = kzalloc(sizeof(*vp), GFP_KERNEL);
	if (!vp)
		return -ENOMEM;
	vp->pdev = pdev;
	pci_set_drvdata(pdev, vp);
	err = pci_enable_device_mem(pdev);
	if (err)
		goto free;
	err = vpci_map(vp);
	if (err)
		goto disable;
	err = vpci_setup_dma(pdev);
	if (err)
		goto unmap;
	err = vpci_register(vp);
	if (err)
		goto unmap;
	return 0;

unmap:
	vpci_unmap(vp);
disable:
	pci_disable_device(pdev);
free:
	kfree(vp);
	return err;
}

static void vpci_remove(struct pci_dev *pdev)
{
	struct vpci *vp = pci_get_drvdata(pdev);

	vproxy_device_unregister(vp->vdev, !pci_device_is_present(pdev));
	vpci_bus_put(vp->bus);
	/* Bus mastering goes off before anything else can take the function. */
	pci_disable_device(pdev);
	vpci_unmap(vp);
	kfree(vp);
}

/* The guest bus has reset the device already, being further from the CPU. */
static void vpci_shutdown(struct pci_dev *pdev)
{
	pci_clear_master(pdev);
}

/*
 * Drivers of the guest bus can't put their device to sleep yet, and the host keeps
 * nothing for a guest that was switched off: better no sleep than a dead card.
 */
static int vpci_suspend(struct device *dev)
{
	struct vpci *vp = dev_get_drvdata(dev);
	const struct device_driver *drv;
	int err = 0;

	/* It may be unbound at this moment. */
	device_lock(&vp->vdev->dev);
	drv = vp->vdev->dev.driver;
	if (drv) {
		dev_err(dev, "can't be suspended while %s uses it: unbind that driver first\n",
			drv->name);
		err = -EBUSY;
	}
	device_unlock(&vp->vdev->dev);
	return err;
}

static int vpci_resume(struct device *dev)
{
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(vpci_pm_ops, vpci_suspend, vpci_resume);

static const struct pci_device_id vpci_ids[] = {
	{ PCI_DEVICE(VBUS_PCI_VENDOR_ID, VBUS_PCI_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, vpci_ids);

static struct pci_driver vpci_driver = {
	.name = "vbus-pci",
	.id_table = vpci_ids,
	.probe = vpci_probe,
	.remove = vpci_remove,
	.shutdown = vpci_shutdown,
	.driver.pm = pm_sleep_ptr(&vpci_pm_ops),
};
module_pci_driver(vpci_driver);

MODULE_DESCRIPTION("vbus PCI transport");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_TRANSPORT);
