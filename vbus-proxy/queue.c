// SPDX-License-Identifier: GPL-2.0
/*
 * Queues of a guest device: ring memory, vectors, the way of a signal.
 *
 * Limits come from the device's registers and are checked before memory is
 * allocated by them.  Everything is taken down in one order: the device is
 * reset, the vectors are freed (which waits for running signals), the driver
 * takes its chains back, and only then is memory freed.  Lock rules, and who
 * may read core->map, are in proxy_priv.h.
 */
#define pr_fmt(fmt) "vbus-proxy: " fmt

#include <linux/dma-mapping.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "proxy_priv.h"

/* A long ring that can't be had is halved down to this many bytes. */
#define VPROXY_RING_FALLBACK	PAGE_SIZE

#define VPROXY_QREG(q, reg)	(VBUS_REG_QUEUE(q) + VBUS_QREG_##reg)

/* Vector 0 is for config; the queues take turns on the others. */
static u32 vproxy_vector_of(const struct vproxy_map *map, u32 q)
{
	return map->nr_vectors > 1 ? 1 + q % (map->nr_vectors - 1) : 0;
}

/**
 * vproxy_signal() - a vector was signalled
 * @vdev: the device
 * @vector: number, below what setup_vectors returned
 *
 * Context: any; not after free_vectors has returned.
 */
void vproxy_signal(struct vproxy_device *vdev, unsigned int vector)
{
	struct vproxy_core *core = vdev->core;
	const struct vproxy_map *map;
	unsigned int nr, q, step;

	/* Pairs with the release in vproxy_create_queues(), as does nr_vectors. */
	map = smp_load_acquire(&core->map);
	if (!map)
		return;
	nr = READ_ONCE(map->nr_vectors);
	if (vector >= nr)
		return;
	if (!vector && READ_ONCE(core->config_live))
		vproxy_config_look(core);
	if (nr == 1) {
		q = 0;
		step = 1;
	} else if (vector) {
		q = vector - 1;
		step = nr - 1;
	} else {
		return;
	}
	for (; q < map->nr_queues; q += step)
		if (map->queues[q]->signal)
			map->queues[q]->signal(map->queues[q]);
}
EXPORT_SYMBOL_NS_GPL(vproxy_signal, VPROXY_TRANSPORT);

/**
 * vproxy_queue_kick() - publish staged chains; kick if wanted
 * @q: the queue
 *
 * Return: true if the host was kicked.
 */
bool vproxy_queue_kick(struct vproxy_queue *q)
{
	if (!ioq_north_publish(&q->ring) || !ioq_north_kick_needed(&q->ring))
		return false;
	q->vdev->ops->kick(q->vdev, q->index);
	return true;
}
EXPORT_SYMBOL_NS_GPL(vproxy_queue_kick, VPROXY_DRIVER);

/**
 * vproxy_queue_doorbell() - kick, whether there is a reason or not
 * @q: the queue
 */
void vproxy_queue_doorbell(struct vproxy_queue *q)
{
	q->vdev->ops->kick(q->vdev, q->index);
}
EXPORT_SYMBOL_NS_GPL(vproxy_queue_doorbell, VPROXY_DRIVER);

/**
 * vproxy_queue() - queue by number
 * @vdev: the device
 * @index: number
 *
 * Return: the queue or NULL.
 */
struct vproxy_queue *vproxy_queue(struct vproxy_device *vdev, u32 index)
{
	const struct vproxy_map *map = READ_ONCE(vdev->core->map);

	return map && index < map->nr_queues ? map->queues[index] : NULL;
}
EXPORT_SYMBOL_NS_GPL(vproxy_queue, VPROXY_DRIVER);

/**
 * vproxy_queue_set_affinity() - which CPUs should hear of a queue
 * @q: the queue
 * @mask: CPUs; NULL takes them back
 */
void vproxy_queue_set_affinity(struct vproxy_queue *q,
			       const struct cpumask *mask)
{
	const struct vproxy_transport_ops *ops = q->vdev->ops;
	const struct vproxy_map *map = q->vdev->core->map;

	if (ops->vector_affinity && map && map->nr_vectors > map->nr_queues)
		ops->vector_affinity(q->vdev, q->vector, mask);
}
EXPORT_SYMBOL_NS_GPL(vproxy_queue_set_affinity, VPROXY_DRIVER);

/**
 * vproxy_vector_name() - name an interrupt, as "vbus0-3-rx0"
 * @vdev: the device, within setup_vectors
 * @nr: vectors there are going to be
 * @vector: one of them
 * @buf: the name
 * @size: of @buf
 */
void vproxy_vector_name(struct vproxy_device *vdev, unsigned int nr,
			unsigned int vector, char *buf, size_t size)
{
	const struct vproxy_map *map = vdev->core->map;
	const char *dev = dev_name(&vdev->dev);
	unsigned int q = nr > 1 ? vector - 1 : 0;
	bool shared;

	if (nr > 1 && !vector) {
		snprintf(buf, size, "%s-config", dev);
		return;
	}
	if (!map || q >= map->nr_queues) {
		snprintf(buf, size, "%s", dev);
		return;
	}
	shared = nr <= map->nr_queues - q;
	if (map->queues[q]->name[0])
		snprintf(buf, size, "%s-%s%s", dev, map->queues[q]->name,
			 shared ? "+" : "");
	else
		snprintf(buf, size, "%s-%u%s", dev, q, shared ? "+" : "");
}
EXPORT_SYMBOL_NS_GPL(vproxy_vector_name, VPROXY_TRANSPORT);

static void vproxy_free_queue(struct vproxy_queue *q)
{
	if (!q)
		return;
	if (q->area)
		dma_free_coherent(q->vdev->dma_dev, ioq_bytes(q->size),
				  q->area, q->area_dma);
	kvfree(q->state);
	kfree(q);
}

/* Read what the device says of queue @i; refuse what no device may say. */
static int vproxy_queue_limits(struct vproxy_core *core, u32 i, u32 *size_max,
			       u32 *seg_max, u32 *flags)
{
	int err;

	err = vproxy_read32(core, VPROXY_QREG(i, SIZE_MAX), size_max);
	if (!err)
		err = vproxy_read32(core, VPROXY_QREG(i, SEG_MAX), seg_max);
	if (!err)
		err = vproxy_read32(core, VPROXY_QREG(i, FLAGS), flags);
	if (err)
		return err;
	if (!ioq_size_valid(*size_max) || !*seg_max ||
	    *flags & ~VBUS_QUEUE_IN_ORDER) {
		dev_err(&core->vdev->dev,
			"queue %u makes no sense: size 0x%x, segments 0x%x, flags 0x%x\n",
			i, *size_max, *seg_max, *flags);
		return -EPROTO;
	}
	*seg_max = min_t(u32, *seg_max, VBUS_RING_MAX_TABLE);
	return 0;
}

/* Ring memory; long rings need memory in one piece, so try shorter ones too. */
static int vproxy_alloc_ring(struct vproxy_queue *q, u32 size)
{
	for (;; size /= 2) {
		size_t len = ioq_bytes(size);
		bool again = len > VPROXY_RING_FALLBACK;

		q->area = dma_alloc_coherent(q->vdev->dma_dev, len,
					     &q->area_dma, GFP_KERNEL |
					     (again ? __GFP_NOWARN : 0));
		if (q->area)
			break;
		if (!again)
			return -ENOMEM;
	}
	q->size = size;
	q->state = kvzalloc(ioq_north_state_bytes(size), GFP_KERNEL);
	return q->state ? 0 : -ENOMEM;
}

static struct vproxy_queue *
vproxy_alloc_queue(struct vproxy_core *core, u32 i,
		   const struct vproxy_queue_params *params)
{
	u32 size, size_max, seg_max, flags;
	struct vproxy_queue *q;
	int err;

	err = vproxy_queue_limits(core, i, &size_max, &seg_max, &flags);
	if (err)
		return ERR_PTR(err);
	size = params->size ? clamp_t(u32, params->size, VBUS_RING_MIN_SIZE,
				      size_max) : size_max;
	q = kzalloc(sizeof(*q), GFP_KERNEL);
	if (!q)
		return ERR_PTR(-ENOMEM);
	q->vdev = core->vdev;
	q->index = i;
	q->seg_max = seg_max;
	q->priv = params->priv;
	q->signal = params->signal;
	strscpy(q->name, params->name ?: "", sizeof(q->name));
	err = vproxy_alloc_ring(q, rounddown_pow_of_two(size));
	if (!err)
		err = ioq_north_init(&q->ring, q->area, q->size,
				     flags & VBUS_QUEUE_IN_ORDER ?
				     IOQ_F_IN_ORDER : 0, q->state);
	if (err) {
		vproxy_free_queue(q);
		return ERR_PTR(err);
	}
	return q;
}

static void vproxy_free_map(struct vproxy_map *map)
{
	unsigned int i;

	for (i = 0; i < map->nr_queues; i++)
		vproxy_free_queue(map->queues[i]);
	kfree(map);
}

static struct vproxy_map *
vproxy_alloc_map(struct vproxy_core *core, unsigned int nr,
		 const struct vproxy_queue_params *params)
{
	struct vproxy_queue *q;
	struct vproxy_map *map;
	unsigned int i;

	map = kzalloc(struct_size(map, queues, nr), GFP_KERNEL);
	if (!map)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < nr; i++) {
		q = vproxy_alloc_queue(core, i, &params[i]);
		if (IS_ERR(q)) {
			vproxy_free_map(map);
			return ERR_CAST(q);
		}
		map->queues[map->nr_queues++] = q;
	}
	return map;
}

/* Tell the device of one queue. */
static int vproxy_program_queue(struct vproxy_core *core,
				const struct vproxy_queue *q)
{
	u32 i = q->index, enabled = 0;
	int err;

	err = vproxy_write32(core, VPROXY_QREG(i, SIZE), q->size);
	if (!err)
		err = vproxy_write64(core, VPROXY_QREG(i, RING), q->area_dma);
	if (!err)
		err = vproxy_write32(core, VPROXY_QREG(i, VECTOR), q->vector);
	if (!err)
		err = vproxy_write32(core, VPROXY_QREG(i, ENABLE), 1);
	if (!err)
		err = vproxy_read32(core, VPROXY_QREG(i, ENABLE), &enabled);
	if (!err && enabled != 1)
		err = -EPROTO;
	if (err && err != -ENODEV)
		dev_err(&core->vdev->dev, "queue %u is refused: %d\n", i, err);
	return err;
}

static int vproxy_setup_vectors(struct vproxy_core *core,
				struct vproxy_map *map)
{
	struct vproxy_device *vdev = core->vdev;
	unsigned int want, i;
	int nr;

	want = min(map->nr_queues + 1, core->max_vectors);
	nr = vdev->ops->setup_vectors(vdev, want);
	if (nr < 0)
		return nr;
	WRITE_ONCE(map->nr_vectors, clamp_t(unsigned int, nr, 1, want));
	for (i = 0; i < map->nr_queues; i++)
		map->queues[i]->vector = vproxy_vector_of(map, i);
	return 0;
}

/**
 * vproxy_create_queues() - allocate rings and vectors, program and enable
 * @vdev: the device
 * @nr: queues 0..nr-1 of the device
 * @params: one for each
 *
 * Return: 0 or errno, see proxy.h.
 */
int vproxy_create_queues(struct vproxy_device *vdev, unsigned int nr,
			 const struct vproxy_queue_params *params)
{
	struct vproxy_core *core = vdev->core;
	struct vproxy_map *map;
	unsigned int i;
	int err;

	if (nr > vdev->nr_queues || (nr && !params))
		return -EINVAL;
	mutex_lock(&core->lock);
	if (core->map || core->ready ||
	    !(core->status & VBUS_STATUS_FEATURES_OK)) {
		mutex_unlock(&core->lock);
		return -EBUSY;
	}
	map = vproxy_alloc_map(core, nr, params);
	if (IS_ERR(map)) {
		err = PTR_ERR(map);
		goto reset;
	}
	/*
	 * Complete but for the vectors: let vproxy_signal() see it before there
	 * are any, and before the device knows of them.
	 */
	smp_store_release(&core->map, map);
	err = vproxy_setup_vectors(core, map);
	if (!err)
		err = vproxy_write32(core, VBUS_REG_CONFIG_VECTOR, 0);
	for (i = 0; !err && i < nr; i++)
		err = vproxy_program_queue(core, map->queues[i]);
	if (err)
		goto reset;
	mutex_unlock(&core->lock);
	return 0;

reset:
	vproxy_reset_locked(core);
	vproxy_delete_queues_locked(core);
	mutex_unlock(&core->lock);
	return err;
}
EXPORT_SYMBOL_NS_GPL(vproxy_create_queues, VPROXY_DRIVER);

/* The device is reset or gone: give the vectors back, once. */
void vproxy_free_vectors(struct vproxy_core *core)
{
	struct vproxy_map *map = core->map;

	lockdep_assert_held(&core->lock);
	if (!map || !map->nr_vectors)
		return;
	core->vdev->ops->free_vectors(core->vdev);
	WRITE_ONCE(map->nr_vectors, 0);
}

void vproxy_delete_queues_locked(struct vproxy_core *core)
{
	struct vproxy_map *map = core->map;
	unsigned int i, left = 0;

	lockdep_assert_held(&core->lock);
	if (!map)
		return;
	for (i = 0; i < map->nr_queues; i++)
		left += ioq_north_outstanding(&map->queues[i]->ring);
	if (left)
		dev_warn(&core->vdev->dev, "driver forgot %u chains\n", left);
	WRITE_ONCE(core->map, NULL);
	vproxy_free_map(map);
}

/**
 * vproxy_delete_queues() - free rings and vectors; after vproxy_reset()
 * @vdev: the device
 *
 * A device that was not reset is reset first: it may not know the rings when
 * their memory goes.
 */
void vproxy_delete_queues(struct vproxy_device *vdev)
{
	struct vproxy_core *core = vdev->core;

	mutex_lock(&core->lock);
	if (core->map && core->map->nr_vectors)
		vproxy_reset_locked(core);
	vproxy_delete_queues_locked(core);
	mutex_unlock(&core->lock);
}
EXPORT_SYMBOL_NS_GPL(vproxy_delete_queues, VPROXY_DRIVER);
