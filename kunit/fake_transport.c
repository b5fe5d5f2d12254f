// SPDX-License-Identifier: GPL-2.0
/*
 * The device behind fake_transport.h, and its driver.
 *
 * Registers are a little-endian array; only the few writes that mean something
 * to a device are acted upon.  Guest addresses are physical addresses, as the
 * suites run where DMA is direct.  One case at a time uses a device, signals
 * are function calls: there is nothing to lock.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/module.h>
#include "fake_transport.h"

void fake_set32(struct fake_dev *fake, u32 off, u32 val)
{
	*(__le32 *)(fake->regs + off) = cpu_to_le32(val);
}
EXPORT_SYMBOL_GPL(fake_set32);

void fake_set64(struct fake_dev *fake, u32 off, u64 val)
{
	*(__le64 *)(fake->regs + off) = cpu_to_le64(val);
}
EXPORT_SYMBOL_GPL(fake_set64);

u32 fake_get32(const struct fake_dev *fake, u32 off)
{
	return le32_to_cpu(*(__le32 *)(fake->regs + off));
}
EXPORT_SYMBOL_GPL(fake_get32);

u64 fake_get64(const struct fake_dev *fake, u32 off)
{
	return le64_to_cpu(*(__le64 *)(fake->regs + off));
}
EXPORT_SYMBOL_GPL(fake_get64);

static u32 fake_qreg(u32 q, u32 reg)
{
	return VBUS_REG_QUEUE(q) + reg;
}

/* Does this access fail, and how? */
static int fake_access(struct fake_dev *fake)
{
	fake->accesses++;
	if (fake->fail_access && !--fake->fail_access)
		return fake->fail_errno;
	return 0;
}

/* A number that somebody may have forgotten to think of. */
u32 fake_any32(struct rnd_state *rnd)
{
	static const u32 edges[] = {
		0, 1, 2, 3, 0xff, 0x100, 512, 4096, 0xffff, 0x10000, S32_MAX,
		1U << 31, 0xfffffe00, U32_MAX - 1, U32_MAX,
	};
	u32 any = prandom_u32_state(rnd);

	switch (any % 4) {
	case 0:
		return prandom_u32_state(rnd);
	case 1:
		return 1U << (any >> 27);
	default:
		return edges[(any >> 2) % ARRAY_SIZE(edges)];
	}
}
EXPORT_SYMBOL_GPL(fake_any32);

static void fake_lie(struct fake_dev *fake, u8 *buf, size_t len)
{
	u32 any;

	for (; len; len -= min(len, sizeof(any)), buf += sizeof(any)) {
		any = fake_any32(&fake->rnd);
		memcpy(buf, &any, min(len, sizeof(any)));
	}
}

static int fake_read(struct vproxy_device *vdev, u32 off, void *buf, size_t len)
{
	struct fake_dev *fake = to_fake_dev(vdev);
	int err = fake_access(fake);

	if (err)
		return err;
	if (off >= VBUS_WINDOW_SIZE || len > VBUS_WINDOW_SIZE - off)
		return -EINVAL;
	if (off == VBUS_REG_CONFIG_GEN && fake->gen_moves) {
		fake_set32(fake, off, fake_get32(fake, off) + 1);
		if (fake->gen_moves > 0)
			fake->gen_moves--;
	}
	if (fake->dead)
		memset(buf, 0xff, len);
	else
		memcpy(buf, fake->regs + off, len);
	if (fake->noise && !(prandom_u32_state(&fake->rnd) % fake->noise))
		fake_lie(fake, buf, len);
	return 0;
}

static void fake_reset(struct fake_dev *fake)
{
	u32 q;

	fake->resets++;
	if (fake->stuck)
		return;
	fake_set32(fake, VBUS_REG_STATUS, 0);
	fake_set64(fake, VBUS_REG_ACCEPTED, 0);
	fake_set32(fake, VBUS_REG_CONFIG_VECTOR, VBUS_NO_VECTOR);
	for (q = 0; q < FAKE_QUEUES; q++) {
		fake_set32(fake, fake_qreg(q, VBUS_QREG_ENABLE), 0);
		fake_set32(fake, fake_qreg(q, VBUS_QREG_VECTOR),
			   VBUS_NO_VECTOR);
		memset(&fake->south[q], 0, sizeof(fake->south[q]));
	}
}

static void fake_status(struct fake_dev *fake, u32 status)
{
	u64 accepted = fake_get64(fake, VBUS_REG_ACCEPTED);

	if (!status) {
		fake_reset(fake);
		return;
	}
	if (fake->refuse_features ||
	    accepted & ~fake_get64(fake, VBUS_REG_FEATURES))
		status &= ~VBUS_STATUS_FEATURES_OK;
	if (fake->refuse_start)
		status &= ~VBUS_STATUS_RUNNING;
	fake_set32(fake, VBUS_REG_STATUS, status);
}

static void fake_enable(struct fake_dev *fake, u32 q)
{
	static const struct ioq_pos zero;
	u64 ring = fake_get64(fake, fake_qreg(q, VBUS_QREG_RING));
	u32 flags = fake_get32(fake, fake_qreg(q, VBUS_QREG_FLAGS));
	u32 size = fake_get32(fake, fake_qreg(q, VBUS_QREG_SIZE));

	if (fake->refuse_enable)
		return;
	KUNIT_EXPECT_EQ(fake->test, 0,
			ioq_south_init(&fake->south[q], phys_to_virt(ring),
				       size, flags & VBUS_QUEUE_IN_ORDER ?
				       IOQ_F_IN_ORDER : 0, zero));
	fake_set32(fake, fake_qreg(q, VBUS_QREG_ENABLE), 1);
}

static int fake_write(struct vproxy_device *vdev, u32 off, const void *buf,
		      size_t len)
{
	struct fake_dev *fake = to_fake_dev(vdev);
	int err = fake_access(fake);

	if (err)
		return err;
	if (off >= VBUS_WINDOW_SIZE || len > VBUS_WINDOW_SIZE - off)
		return -EINVAL;
	if (fake->dead)
		return 0;
	if (off == VBUS_REG_STATUS)
		fake_status(fake, le32_to_cpup(buf));
	else if (off >= VBUS_REG_QUEUE_BASE &&
		 off % VBUS_REG_QUEUE_STRIDE == VBUS_QREG_ENABLE)
		fake_enable(fake, (off - VBUS_REG_QUEUE_BASE) /
			    VBUS_REG_QUEUE_STRIDE);
	else
		memcpy(fake->regs + off, buf, len);
	return 0;
}

static void fake_kick(struct vproxy_device *vdev, u32 q)
{
	struct fake_dev *fake = to_fake_dev(vdev);

	fake->kicks[q]++;
	if (fake->kick)
		fake->kick(fake, q);
}

static int fake_measure(struct vproxy_device *vdev, enum vproxy_measure what)
{
	struct fake_dev *fake = to_fake_dev(vdev);

	return fake->measure ? fake->measure(fake, what) : -EOPNOTSUPP;
}

static int fake_setup_vectors(struct vproxy_device *vdev, unsigned int want)
{
	struct fake_dev *fake = to_fake_dev(vdev);
	int i;

	KUNIT_EXPECT_EQ(fake->test, fake->nr_vectors, 0);
	if (fake->grant < 0)
		return fake->grant;
	fake->nr_vectors = min_t(int, want, fake->grant);
	for (i = 0; i < fake->nr_vectors; i++)
		vproxy_vector_name(vdev, fake->nr_vectors, i, fake->names[i],
				   sizeof(fake->names[i]));
	return fake->overgrant ? want + 10 : fake->nr_vectors;
}

static void fake_free_vectors(struct vproxy_device *vdev)
{
	struct fake_dev *fake = to_fake_dev(vdev);

	KUNIT_EXPECT_NE(fake->test, fake->nr_vectors, 0);
	fake->nr_vectors = 0;
}

static void fake_affinity(struct vproxy_device *vdev, unsigned int vector,
			  const struct cpumask *mask)
{
	to_fake_dev(vdev)->affinity = vector;
}

static void fake_quiesce(struct vproxy_device *vdev)
{
	struct fake_dev *fake = to_fake_dev(vdev);

	/* Before the vectors go, and so before any memory does. */
	fake->quiesce_vectors = fake->nr_vectors;
	fake->quiesces++;
}

static const struct vproxy_transport_ops fake_ops = {
	.owner = THIS_MODULE,
	.reset_timeout_ms = 100,
	.read = fake_read,
	.write = fake_write,
	.kick = fake_kick,
	.setup_vectors = fake_setup_vectors,
	.free_vectors = fake_free_vectors,
	.vector_affinity = fake_affinity,
	.quiesce = fake_quiesce,
	.measure = fake_measure,
};

/* As an interrupt would come. */
void fake_signal(struct fake_dev *fake, unsigned int vector)
{
	unsigned long flags;

	local_irq_save(flags);
	vproxy_signal(&fake->vdev, vector);
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(fake_signal);

static int fake_copy(void *ctx, void *dst, u64 addr, u32 len)
{
	memcpy(dst, phys_to_virt(addr), len);
	return 0;
}

/* Complete all chains of a queue with @len bytes each, and signal if asked. */
unsigned int fake_serve(struct fake_dev *fake, u32 q, u32 len)
{
	struct ioq_south *south = &fake->south[q];
	struct ioq_chain chain;
	struct ioq_seg segs[8];
	unsigned int n = 0;

	do {
		while (ioq_south_get(south, segs, ARRAY_SIZE(segs), &chain,
				     fake_copy, NULL) > 0) {
			ioq_south_complete(south, chain.id, len);
			n++;
		}
	} while (!ioq_south_enable_kicks(south));
	if (ioq_south_publish(south) && ioq_south_signal_needed(south))
		fake_signal(fake, fake_get32(fake,
					     fake_qreg(q, VBUS_QREG_VECTOR)));
	return n;
}
EXPORT_SYMBOL_GPL(fake_serve);

/* config_changed comes from a workqueue: was it called this often by now? */
bool fake_changes_are(struct fake_dev *fake, int want)
{
	int i;

	for (i = 0; i < 100 && atomic_read(&fake->changes) < want; i++)
		msleep(20);
	/* Time for one too many. */
	msleep(50);
	return atomic_read(&fake->changes) == want;
}
EXPORT_SYMBOL_GPL(fake_changes_are);

static void fake_queue_signal(struct vproxy_queue *q)
{
	struct fake_dev *fake = q->priv;

	WARN_ON_ONCE(!irqs_disabled());
	fake->signals[q->index]++;
}

int fake_start_queues(struct fake_dev *fake, unsigned int nr, u32 size)
{
	struct vproxy_queue_params params[FAKE_QUEUES] = {};
	char names[FAKE_QUEUES][16];
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		snprintf(names[i], sizeof(names[i]), "q%u", i);
		params[i].name = names[i];
		params[i].size = size;
		params[i].signal = fake_queue_signal;
		params[i].priv = fake;
	}
	err = vproxy_create_queues(&fake->vdev, nr, params);
	if (err)
		return err;
	return vproxy_device_ready(&fake->vdev);
}
EXPORT_SYMBOL_GPL(fake_start_queues);

unsigned int fake_stop_queues(struct fake_dev *fake)
{
	struct vproxy_queue *q;
	unsigned int i, n = 0;

	vproxy_reset(&fake->vdev);
	for (i = 0; (q = vproxy_queue(&fake->vdev, i)); i++)
		while (ioq_north_detach(&q->ring))
			n++;
	vproxy_delete_queues(&fake->vdev);
	return n;
}
EXPORT_SYMBOL_GPL(fake_stop_queues);

static int fake_drv_probe(struct vproxy_device *vdev)
{
	struct fake_dev *fake = to_fake_dev(vdev);

	fake->probes++;
	return fake->probe ? fake->probe(fake) : 0;
}

static void fake_drv_remove(struct vproxy_device *vdev)
{
	struct fake_dev *fake = to_fake_dev(vdev);

	fake->removes++;
	if (fake->remove)
		fake->remove(fake);
}

static void fake_drv_config_changed(struct vproxy_device *vdev)
{
	struct fake_dev *fake = to_fake_dev(vdev);

	atomic_inc(&fake->changes);
	if (fake->config_changed)
		fake->config_changed(fake);
}

static struct vproxy_driver fake_driver = {
	.driver.name = "vbus-fake",
	.class_id = FAKE_CLASS,
	.features = FAKE_DRV_FEATURES,
	.probe = fake_drv_probe,
	.remove = fake_drv_remove,
	.config_changed = fake_drv_config_changed,
};
module_vproxy_driver(fake_driver);

static void fake_release(struct vproxy_device *vdev)
{
	complete(&to_fake_dev(vdev)->released);
}

/* A case that dies at an assertion leaves its device on the bus. */
static void fake_cleanup(struct kunit_resource *res)
{
	struct fake_dev *fake = res->data;

	if (fake->registered)
		fake_unregister(fake, false);
}

struct fake_dev *fake_create(struct kunit *test)
{
	struct fake_dev *fake;
	u32 q;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake);
	fake->regs = kunit_kzalloc(test, VBUS_WINDOW_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake->regs);
	KUNIT_ASSERT_NOT_NULL(test, kunit_alloc_resource(test, NULL,
							 fake_cleanup,
							 GFP_KERNEL, fake));
	fake->test = test;
	fake->grant = INT_MAX;
	fake->fail_errno = -EIO;
	init_completion(&fake->released);

	fake_set32(fake, VBUS_REG_MAGIC, VBUS_MAGIC);
	fake_set32(fake, VBUS_REG_VERSION, VBUS_VERSION);
	fake_set32(fake, VBUS_REG_CLASS, FAKE_CLASS);
	fake_set32(fake, VBUS_REG_CLASS_VERSION, 3);
	fake_set64(fake, VBUS_REG_FEATURES, FAKE_FEATURES);
	fake_set32(fake, VBUS_REG_NR_QUEUES, FAKE_QUEUES);
	fake_set32(fake, VBUS_REG_NR_VECTORS, FAKE_QUEUES + 1);
	fake_set32(fake, VBUS_REG_CONFIG_SIZE, FAKE_CONFIG_SIZE);
	fake_set32(fake, VBUS_REG_SLOT, FAKE_SLOT);
	for (q = 0; q < FAKE_QUEUES; q++) {
		fake_set32(fake, fake_qreg(q, VBUS_QREG_SIZE_MAX), FAKE_RING);
		fake_set32(fake, fake_qreg(q, VBUS_QREG_SEG_MAX), 8);
		fake_set32(fake, fake_qreg(q, VBUS_QREG_FLAGS),
			   q % 2 ? VBUS_QUEUE_IN_ORDER : 0);
	}
	return fake;
}
EXPORT_SYMBOL_GPL(fake_create);

/* Puts the device on the bus; may be called again after fake_unregister(). */
int fake_register(struct fake_dev *fake)
{
	int err;

	memset(&fake->vdev, 0, sizeof(fake->vdev));
	reinit_completion(&fake->released);
	fake->dma_mask = DMA_BIT_MASK(64);
	fake->vdev.ops = &fake_ops;
	fake->vdev.dev.dma_mask = &fake->dma_mask;
	fake->vdev.dev.coherent_dma_mask = DMA_BIT_MASK(64);
	/* Nothing to load a module for. */
	dev_set_uevent_suppress(&fake->vdev.dev, 1);
	err = vproxy_device_register(&fake->vdev, FAKE_BUS, fake_release);
	fake->registered = !err;
	return err;
}
EXPORT_SYMBOL_GPL(fake_register);

void fake_unregister(struct fake_dev *fake, bool gone)
{
	fake->registered = false;
	vproxy_device_unregister(&fake->vdev, gone);
	KUNIT_EXPECT_NE(fake->test, 0,
			wait_for_completion_timeout(&fake->released, 5 * HZ));
	KUNIT_EXPECT_EQ(fake->test, fake->nr_vectors, 0);
}
EXPORT_SYMBOL_GPL(fake_unregister);

MODULE_DESCRIPTION("Fake device for suites of the vbus guest bus");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_IMPORT_NS(VPROXY_TRANSPORT);
