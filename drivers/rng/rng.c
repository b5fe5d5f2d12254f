// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "rng": a source for the kernel's hwrng framework.
 *
 * One buffer goes to and fro.  The framework calls read() under a mutex of its
 * own, so the ring and the buffer need no lock; the signal, which may come at any
 * time, touches only @signalled and the wait queue.  A reader that need not wait
 * leaves its request with the host and finds the answer the next time.
 */
#include <linux/dma-mapping.h>
#include <linux/hw_random.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vbus_rng.h>
#include <linux/wait.h>
#include <vbus/guest/bus.h>

/* Bytes asked for at once: several times what the framework takes (32 or 64). */
#define VBUS_RNG_BUF		512

/* How long to wait for an answer before a look at who should give it. */
#define VBUS_RNG_LOOK		HZ

/*
 * How long a reader waits in all: the framework lets no other source be read meanwhile.
 * A variable for the sake of tests.
 */
static unsigned int vbus_rng_patience = 30 * HZ;

/* One request is out at most. */
#define VBUS_RNG_RING		2

/**
 * struct vbus_rng - a device
 * @vdev: on the bus
 * @vq: its queue
 * @hwrng: in the framework
 * @wait: readers that wait for the host
 * @signalled: the host has signalled since a reader last looked
 * @dead: no answer will come any more; set once, by removal or a broken device
 * @out: the buffer is with the host
 * @pos: first byte of @buf that was not given out yet
 * @avail: bytes from there
 * @dma: address of @buf for the device
 * @buf: VBUS_RNG_BUF bytes, of pages that nothing else is on
 */
struct vbus_rng {
	struct vproxy_device *vdev;
	struct vproxy_queue *vq;
	struct hwrng hwrng;
	wait_queue_head_t wait;
	bool signalled;
	bool dead;
	bool out;
	u32 pos;
	u32 avail;
	dma_addr_t dma;
	u8 *buf;
};

static void vbus_rng_signal(struct vproxy_queue *vq)
{
	struct vbus_rng *rng = vq->priv;

	WRITE_ONCE(rng->signalled, true);
	wake_up(&rng->wait);
}

static void vbus_rng_die(struct vbus_rng *rng)
{
	WRITE_ONCE(rng->dead, true);
	wake_up_all(&rng->wait);
}

/* Hand the buffer to the host. */
static int vbus_rng_ask(struct vbus_rng *rng)
{
	struct ioq_seg seg = {
		.addr = rng->dma,
		.len = VBUS_RNG_BUF,
		.write = 1,
	};
	int err;

	dma_sync_single_for_device(rng->vdev->dma_dev, rng->dma, VBUS_RNG_BUF,
				   DMA_FROM_DEVICE);
	err = ioq_north_add(&rng->vq->ring, &seg, 1, rng);
	if (err)
		return err;
	rng->out = true;
	vproxy_queue_kick(rng->vq);
	return 0;
}

/* Take the buffer back if the host is done with it.
 * Return: 0, -EAGAIN if it is not, or -EIO if it never will be.
 */
static int vbus_rng_take(struct vbus_rng *rng)
{
	struct ioq_north *ring = &rng->vq->ring;
	bool done;
	u32 len;

	done = ioq_north_get(ring, &len);
	if (!done && !ioq_north_broken(ring))
		return -EAGAIN;
	/* An answer without a byte is none, and asking again might never end. */
	if (!done || !len) {
		dev_err(&rng->vdev->dev, "the host broke the protocol\n");
		vbus_rng_die(rng);
		return -EIO;
	}
	rng->out = false;
	dma_sync_single_for_cpu(rng->vdev->dma_dev, rng->dma, VBUS_RNG_BUF,
				DMA_FROM_DEVICE);
	rng->pos = 0;
	rng->avail = len;
	return 0;
}

/*
 * Wait for a signal.  The bus tells when a device goes, but only once it is probed:
 * the framework lets readers in before that, and probe then waits for their mutex.
 */
static int vbus_rng_wait(struct vbus_rng *rng, unsigned long end)
{
	long left = end - jiffies;

	/* A host that signals and never answers is no better than one that is silent. */
	if (left <= 0)
		return -ETIMEDOUT;
	left = wait_event_killable_timeout(rng->wait,
					   READ_ONCE(rng->signalled) ||
					   READ_ONCE(rng->dead),
					   min_t(long, left, VBUS_RNG_LOOK));
	if (!left && (vproxy_needs_reset(rng->vdev) ||
		      vproxy_device_gone(rng->vdev)))
		vbus_rng_die(rng);
	return left < 0 ? left : 0;
}

/*
 * Return: 0 with bytes in the buffer, or errno; -EAGAIN only without @wait, -ETIMEDOUT only
 * with it.  The request stays with the host then, and its answer may be for a later reader.
 */
static int vbus_rng_refill(struct vbus_rng *rng, bool wait)
{
	unsigned long end = jiffies + vbus_rng_patience;
	int err;

	while (!rng->avail) {
		if (READ_ONCE(rng->dead))
			return -ENODEV;
		if (!rng->out) {
			err = vbus_rng_ask(rng);
			if (err)
				return err;
		}
		/* Before the look at the ring, that no signal is missed. */
		WRITE_ONCE(rng->signalled, false);
		ioq_north_enable_signals(&rng->vq->ring, 1);
		err = vbus_rng_take(rng);
		if (err != -EAGAIN || !wait) {
			if (err)
				return err;
			continue;
		}
		err = vbus_rng_wait(rng, end);
		if (err)
			return err;
	}
	return 0;
}

static int vbus_rng_read(struct hwrng *hwrng, void *data, size_t max, bool wait)
{
	struct vbus_rng *rng = (struct vbus_rng *)hwrng->priv;
	size_t done = 0;
	int err;
	u32 n;

	while (done < max) {
		/* What is there already is a good answer. */
		err = vbus_rng_refill(rng, wait && !done);
		if (err)
			return done || err == -EAGAIN ? done : err;
		n = min_t(size_t, max - done, rng->avail);
		memcpy(data + done, rng->buf + rng->pos, n);
		/* Nobody is to get these again, nor to find them here. */
		memzero_explicit(rng->buf + rng->pos, n);
		rng->pos += n;
		rng->avail -= n;
		done += n;
	}
	return done;
}

static void vbus_rng_config_changed(struct vproxy_device *vdev)
{
	struct vbus_rng *rng = vproxy_drvdata(vdev);

	if (READ_ONCE(rng->dead))
		return;
	if (!vproxy_device_gone(vdev)) {
		if (!vproxy_needs_reset(vdev))
			return;
		dev_err(&vdev->dev, "the device has stopped; bind the driver again to restart it\n");
	}
	vbus_rng_die(rng);
}

static int vbus_rng_start(struct vbus_rng *rng)
{
	const struct vproxy_queue_params params = {
		.name = "requests",
		.size = VBUS_RNG_RING,
		.signal = vbus_rng_signal,
		.priv = rng,
	};
	int err;

	err = vproxy_create_queues(rng->vdev, 1, &params);
	if (err)
		return err;
	rng->vq = vproxy_queue(rng->vdev, 0);
	err = vproxy_device_ready(rng->vdev);
	if (err) {
		vproxy_reset(rng->vdev);
		vproxy_delete_queues(rng->vdev);
	}
	return err;
}

static void vbus_rng_stop(struct vbus_rng *rng)
{
	vproxy_reset(rng->vdev);
	while (ioq_north_detach(&rng->vq->ring))
		;
	vproxy_delete_queues(rng->vdev);
}

static int vbus_rng_probe(struct vproxy_device *vdev)
{
	struct vbus_rng *rng;
	int err;

	if (vdev->class_version != VBUS_RNG_VERSION) {
		dev_err(&vdev->dev, "version %u of the rng class, can only do %u\n",
			vdev->class_version, VBUS_RNG_VERSION);
		return -ENODEV;
	}
	rng = kzalloc(sizeof(*rng), GFP_KERNEL);
	if (!rng)
		return -ENOMEM;
	rng->vdev = vdev;
	init_waitqueue_head(&rng->wait);
	vproxy_set_drvdata(vdev, rng);

	/* A page of its own: where DMA bounces, whole pages may be written. */
	rng->buf = (u8 *)get_zeroed_page(GFP_KERNEL);
	if (!rng->buf) {
		err = -ENOMEM;
		goto free;
	}
	rng->dma = dma_map_single(vdev->dma_dev, rng->buf, VBUS_RNG_BUF,
				  DMA_FROM_DEVICE);
	if (dma_mapping_error(vdev->dma_dev, rng->dma)) {
		err = -ENOMEM;
		goto free_page;
	}
	err = vbus_rng_start(rng);
	if (err)
		goto unmap;

	/* "vbus0-3", as the device is called, is unique and says which it is. */
	rng->hwrng.name = dev_name(&vdev->dev);
	rng->hwrng.read = vbus_rng_read;
	rng->hwrng.priv = (unsigned long)rng;
	/* The host's generator: each bit is worth one, of 1024 the scale ends at. */
	rng->hwrng.quality = 1024;
	err = hwrng_register(&rng->hwrng);
	if (err)
		goto stop;
	return 0;

stop:
	vbus_rng_stop(rng);
unmap:
	dma_unmap_single(vdev->dma_dev, rng->dma, VBUS_RNG_BUF,
			 DMA_FROM_DEVICE);
free_page:
	free_page((unsigned long)rng->buf);
free:
	kfree(rng);
	return err;
}

static void vbus_rng_remove(struct vproxy_device *vdev)
{
	struct vbus_rng *rng = vproxy_drvdata(vdev);

	/* Readers leave, and hwrng_unregister() waits for them. */
	vbus_rng_die(rng);
	hwrng_unregister(&rng->hwrng);
	vbus_rng_stop(rng);
	dma_unmap_single(vdev->dma_dev, rng->dma, VBUS_RNG_BUF,
			 DMA_FROM_DEVICE);
	free_page((unsigned long)rng->buf);
	kfree(rng);
}

static struct vproxy_driver vbus_rng_driver = {
	.driver = {
		.name = "vbus-rng",
	},
	.class_id = VBUS_CLASS_RNG,
	.probe = vbus_rng_probe,
	.remove = vbus_rng_remove,
	.config_changed = vbus_rng_config_changed,
};
module_vproxy_driver(vbus_rng_driver);

MODULE_DESCRIPTION("vbus guest driver of a random number generator");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_ALIAS("vbus:rng");
