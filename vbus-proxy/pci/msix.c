// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X vectors: one for config and one for each queue, or as many as there are.
 *
 * They are not managed by the kernel's spreading, so that an admin (or irqbalance)
 * may move them; a driver says where it would have them by vproxy_queue_set_affinity().
 * free_irq() waits for handlers that run, which is what free_vectors promises.
 */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "vpci.h"

static irqreturn_t vpci_interrupt(int irq, void *arg)
{
	struct vpci_vector *vec = arg;

	vproxy_signal(vec->vp->vdev, vec->nr);
	return IRQ_HANDLED;
}

/* Give back the first @nr vectors, the memory of @all, and MSI-X. */
static void vpci_undo_vectors(struct vpci *vp, unsigned int nr,
			      unsigned int all)
{
	unsigned int i;
	int irq;

	for (i = 0; i < nr; i++) {
		irq = pci_irq_vector(vp->pdev, i);
		/* The hint points to memory of ours. */
		irq_update_affinity_hint(irq, NULL);
		free_irq(irq, &vp->vectors[i]);
	}
	for (i = 0; i < all; i++)
		free_cpumask_var(vp->vectors[i].mask);
	kfree(vp->vectors);
	vp->vectors = NULL;
	vp->nr_vectors = 0;
	pci_free_irq_vectors(vp->pdev);
}

/* Exactly @nr of them; *@done says how many there were before the first failed. */
static int vpci_request_vectors(struct vpci *vp, unsigned int nr,
				unsigned int *done)
{
	struct vpci_vector *vec;
	unsigned int i;
	int err = 0;

	*done = 0;
	vp->vectors = kcalloc(nr, sizeof(*vp->vectors), GFP_KERNEL);
	if (!vp->vectors) {
		pci_free_irq_vectors(vp->pdev);
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++)
		if (!zalloc_cpumask_var(&vp->vectors[i].mask, GFP_KERNEL))
			err = -ENOMEM;
	for (i = 0; !err && i < nr; i++) {
		vec = &vp->vectors[i];
		vec->vp = vp;
		vec->nr = i;
		vproxy_vector_name(vp->vdev, nr, i, vec->name,
				   sizeof(vec->name));
		err = request_irq(pci_irq_vector(vp->pdev, i), vpci_interrupt,
				  0, vec->name, vec);
		if (err)
			break;
		*done = i + 1;
	}
	if (err) {
		vpci_undo_vectors(vp, *done, nr);
		return err;
	}
	vp->nr_vectors = nr;
	return 0;
}

/*
 * Entries of the table can be plenty while the CPUs' vectors, which are given
 * out only when an interrupt is requested, are not: then half as many may do.
 */
int vpci_setup_vectors(struct vproxy_device *vdev, unsigned int want)
{
	struct vpci *vp = to_vpci(vdev);
	unsigned int done;
	int nr, err;

	for (;;) {
		nr = pci_alloc_irq_vectors(vp->pdev, 1, want, PCI_IRQ_MSIX);
		if (nr < 0) {
			pci_err(vp->pdev, "no MSI-X: %d (is it switched off by pci=nomsi?)\n",
				nr);
			return nr;
		}
		err = vpci_request_vectors(vp, nr, &done);
		if (!err)
			return nr;
		if (err == -ENOMEM || !done)
			break;
		want = max(done / 2, 1U);
		pci_info(vp->pdev, "%u of %d interrupts are to be had, trying %u\n",
			 done, nr, want);
	}
	pci_err(vp->pdev, "can't request an interrupt: %d\n", err);
	return err;
}

void vpci_free_vectors(struct vproxy_device *vdev)
{
	struct vpci *vp = to_vpci(vdev);

	vpci_undo_vectors(vp, vp->nr_vectors, vp->nr_vectors);
}

/* A hint for balancers, and where it is to be until one moves it. */
void vpci_vector_affinity(struct vproxy_device *vdev, unsigned int vector,
			  const struct cpumask *mask)
{
	struct vpci *vp = to_vpci(vdev);
	struct vpci_vector *vec;
	int irq;

	if (vector >= vp->nr_vectors)
		return;
	vec = &vp->vectors[vector];
	irq = pci_irq_vector(vp->pdev, vector);
	if (!mask) {
		irq_update_affinity_hint(irq, NULL);
		return;
	}
	cpumask_copy(vec->mask, mask);
	/* CPUs may be offline by now: no harm, the hint stays. */
	irq_set_affinity_and_hint(irq, vec->mask);
}
