// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: the transport operations of vbus-proxy, made of calls.
 *
 * Registers are reached by slow calls, doorbells are fast calls, and vectors are
 * events of the queue that is as urgent as the device.  What touches vectors is
 * called under the device's core->lock, which guards them.
 *
 * There is no vector_affinity: an event queue is shared by many devices, so none of
 * them can say where its interrupt should go.  The admin can, in
 * /proc/irq, for a queue as a whole.
 */
#include <linux/bottom_half.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "vnat.h"

/* Pause before a lost kick is repeated. */
#define VNAT_RETRY_MS	500

static struct vnat_dev *to_vnat_dev(const struct vproxy_device *vdev)
{
	return vdev->priv;
}

static bool vnat_in_window(u32 off, size_t len)
{
	return len && off < VBUS_WINDOW_SIZE && len <= VBUS_WINDOW_SIZE - off;
}

/* Pieces are of a size that leaves the rest as aligned as it was. */
static int vnat_read(struct vproxy_device *vdev, u32 off, void *buf, size_t len)
{
	struct vnat_dev *ndev = to_vnat_dev(vdev);
	size_t done, n;
	int err;

	if (!vnat_in_window(off, len))
		return -EINVAL;
	for (done = 0; done < len; done += n) {
		struct vnat_request req = {
			.func = VBUS_FN_READ,
			.slot = ndev->slot,
			.in = buf + done,
		};

		n = min_t(size_t, len - done, VBUS_CALL_DATA_SIZE);
		req.arg[0] = off + done;
		req.arg[1] = n;
		req.in_len = n;
		err = vnat_slow_call(ndev->bus, &req);
		if (err == -ETIMEDOUT)
			WRITE_ONCE(ndev->silent, true);
		if (err)
			return err;
		if (req.value != n)
			return -EIO;
	}
	return 0;
}

static int vnat_write(struct vproxy_device *vdev, u32 off, const void *buf,
		      size_t len)
{
	struct vnat_dev *ndev = to_vnat_dev(vdev);
	size_t done, n;
	int err;

	if (!vnat_in_window(off, len))
		return -EINVAL;
	for (done = 0; done < len; done += n) {
		struct vnat_request req = {
			.func = VBUS_FN_WRITE,
			.slot = ndev->slot,
			.out = buf + done,
		};

		n = min_t(size_t, len - done, VBUS_CALL_DATA_SIZE);
		req.arg[0] = off + done;
		req.out_len = n;
		err = vnat_slow_call(ndev->bus, &req);
		if (err)
			return err;
	}
	return 0;
}

/*
 * A kick that gets no answer in time is repeated later: what the driver has
 * put into the queue would otherwise wait for ever.
 */
static void vnat_dev_kick(struct vnat_dev *ndev, u32 q)
{
	int err;

	err = vnat_fast_call(ndev->bus, VBUS_FN_KICK, ndev->slot, q);
	if (err == -ETIMEDOUT && q < VBUS_MAX_QUEUES) {
		set_bit(q, ndev->missed);
		schedule_delayed_work(&ndev->retry,
				      msecs_to_jiffies(VNAT_RETRY_MS));
	}
}

static void vnat_kick(struct vproxy_device *vdev, u32 q)
{
	vnat_dev_kick(to_vnat_dev(vdev), q);
}

/*
 * While a page is not answered, calls through it fail without waiting.  The device
 * of the guest bus may be freed already.
 */
void vnat_retry_work(struct work_struct *work)
{
	struct vnat_dev *ndev = container_of(to_delayed_work(work),
					     struct vnat_dev, retry);
	unsigned int q;

	for_each_set_bit(q, ndev->missed, VBUS_MAX_QUEUES)
		if (test_and_clear_bit(q, ndev->missed))
			vnat_dev_kick(ndev, q);
}

/* Tell the device side where the signals of a vector go. */
static int vnat_route(struct vnat_dev *ndev, unsigned int vector,
		      unsigned int queue, u32 event)
{
	return vnat_slow_simple(ndev->bus, VBUS_FN_VECTOR, ndev->slot, vector,
				(u64)queue << 32 | event);
}

static void vnat_free_vectors(struct vproxy_device *vdev)
{
	struct vnat_dev *ndev = to_vnat_dev(vdev);
	unsigned int i;

	/*
	 * So that another device may have the events.  If that is refused, or the
	 * device is gone, a late signal is a spurious one for another device.
	 */
	for (i = 0; !vproxy_device_gone(vdev) && i < ndev->nr_vectors; i++)
		if (vnat_route(ndev, i, 0, VBUS_NO_VECTOR))
			break;
	vnat_vectors_unassign(ndev);
	kfree(ndev->vectors);
	ndev->vectors = NULL;
	ndev->nr_vectors = 0;
}

static int vnat_setup_vectors(struct vproxy_device *vdev, unsigned int want)
{
	struct vnat_dev *ndev = to_vnat_dev(vdev);
	struct vnat_vector *vec;
	unsigned int i;
	int err = 0;

	ndev->vectors = kcalloc(want, sizeof(*ndev->vectors), GFP_KERNEL);
	if (!ndev->vectors)
		return -ENOMEM;
	for (i = 0; i < want; i++) {
		vec = &ndev->vectors[i];
		vec->ndev = ndev;
		vec->nr = i;
		err = vnat_vector_assign(vec, ndev->prio[i]);
		if (err)
			break;
	}
	/* Queues can share what there is. */
	ndev->nr_vectors = i;
	if (i)
		err = 0;
	for (i = 0; !err && i < ndev->nr_vectors; i++) {
		vec = &ndev->vectors[i];
		err = vnat_route(ndev, i, vec->queue, vec->event);
	}
	if (!err)
		return ndev->nr_vectors;
	vnat_free_vectors(vdev);
	return err;
}

/* As if the device had raised it. */
static void vnat_signal_by_hand(struct vnat_dev *ndev, unsigned int vector)
{
	unsigned long flags;

	/*
	 * Pairs with barrier D in ioq_south_signal_needed(): a signal that still took
	 * the old route followed a completion that the driver sees now.
	 */
	virt_mb();
	/* Softirqs that a driver raises run when they are enabled again. */
	local_bh_disable();
	local_irq_save(flags);
	vproxy_signal(ndev->vdev, vector);
	local_irq_restore(flags);
	local_bh_enable();
}

/*
 * Move a vector to another queue while it is in use.  Both events signal it until
 * the device side has confirmed the new one.  An event that it raised before may
 * still be pending when the old one is forgotten, so the vector is signalled
 * once more.  If there is no confirmation both stay.
 */
static int vnat_reroute(struct vnat_vector *vec, unsigned int queue)
{
	unsigned int old_queue = vec->queue;
	u32 old_event = vec->event;
	int err;

	err = vnat_vector_assign(vec, queue);
	if (err)
		return err;
	err = vnat_route(vec->ndev, vec->nr, queue, vec->event);
	if (err == -ETIMEDOUT)
		return err;
	if (err) {
		vnat_vector_unassign(vec, queue, vec->event);
		vec->queue = old_queue;
		vec->event = old_event;
		return err;
	}
	vnat_vector_unassign(vec, old_queue, old_event);
	vnat_signal_by_hand(vec->ndev, vec->nr);
	return 0;
}

static int vnat_set_priority(struct vproxy_device *vdev, unsigned int vector,
			     unsigned int prio)
{
	struct vnat_dev *ndev = to_vnat_dev(vdev);
	unsigned int first = 0, end = VBUS_MAX_VECTORS, i;
	int err;

	if (vector != VPROXY_ALL_VECTORS) {
		first = vector;
		end = vector + 1;
	}
	if (prio >= ndev->bus->nr_queues || first >= VBUS_MAX_VECTORS)
		return -EINVAL;
	for (i = first; i < end; i++) {
		/* What was moved before a failure stays where it is now. */
		if (i < ndev->nr_vectors && ndev->vectors[i].queue != prio) {
			err = vnat_reroute(&ndev->vectors[i], prio);
			if (err)
				return err;
		}
		ndev->prio[i] = prio;
	}
	return 0;
}

static int vnat_get_priority(struct vproxy_device *vdev, unsigned int vector)
{
	return vector < VBUS_MAX_VECTORS ? to_vnat_dev(vdev)->prio[vector] :
					   -EINVAL;
}

/* What the bus costs by itself: no slot takes part. */
static int vnat_measure(struct vproxy_device *vdev, enum vproxy_measure what)
{
	struct vnat_bus *bus = to_vnat_dev(vdev)->bus;

	switch (what) {
	case VPROXY_MEASURE_IDLE:
		if (READ_ONCE(bus->dead))
			return -ENODEV;
		bus->ops->write32(bus->priv, VBUS_NREG_IDLE_DOORBELL, 0);
		return 0;
	case VPROXY_MEASURE_CALL:
		return vnat_bus_fast_nop(bus);
	case VPROXY_MEASURE_SLOW_CALL:
		return vnat_slow_simple(bus, VBUS_FN_SLOW_NOP, 0, 0, 0);
	}
	return -EOPNOTSUPP;
}

/*
 * The device would not stop.  Closed it can't reach memory any more; if even that
 * fails, the whole window is reset.
 */
static void vnat_quiesce(struct vproxy_device *vdev)
{
	struct vnat_dev *ndev = to_vnat_dev(vdev);
	int err;

	err = vnat_slow_simple(ndev->bus, VBUS_FN_CLOSE, ndev->slot, 0, 0);
	if (!err || err == -ENODEV)
		return;
	dev_err(&vdev->dev, "can't be closed (%d), so the bus is reset\n", err);
	vnat_bus_kill(ndev->bus);
}

/* No owner: what is left of a device when we have gone does not need us. */
const struct vproxy_transport_ops vnat_transport = {
	.read = vnat_read,
	.write = vnat_write,
	.kick = vnat_kick,
	.setup_vectors = vnat_setup_vectors,
	.free_vectors = vnat_free_vectors,
	.quiesce = vnat_quiesce,
	.get_priority = vnat_get_priority,
	.set_priority = vnat_set_priority,
	.eject = vnat_slot_eject,
	.measure = vnat_measure,
};
