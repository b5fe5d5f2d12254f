// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of the guest bus: queues, vectors, chains, and everything that can fail
 * on the way to them.
 *
 * Devices are made of memory (fake_transport.h).  Most cases bind the driver
 * without queues and then make some themselves.
 */
#include <linux/cpumask.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/module.h>
#include "../vbus-proxy/proxy_priv.h"
#include "fake_transport.h"
#include "fault.h"

static struct fake_dev *bound(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_ASSERT_EQ(test, fake->probes, 1);
	return fake;
}

/* After a failed try the device is reset: from there to features again. */
static void again(struct fake_dev *fake)
{
	KUNIT_EXPECT_EQ(fake->test, fake_get32(fake, VBUS_REG_STATUS), 0);
	KUNIT_EXPECT_EQ(fake->test, fake->nr_vectors, 0);
	KUNIT_EXPECT_NULL(fake->test, vproxy_queue(&fake->vdev, 0));
	KUNIT_EXPECT_EQ(fake->test, 0, vproxy_renegotiate(&fake->vdev));
}

static void test_limits(struct kunit *test)
{
	static const struct {
		u32 reg;
		u32 val;
		int want;
	} table[] = {
		{ VBUS_QREG_SIZE_MAX, 0, -EPROTO },
		{ VBUS_QREG_SIZE_MAX, 1, -EPROTO },
		{ VBUS_QREG_SIZE_MAX, 3, -EPROTO },
		{ VBUS_QREG_SIZE_MAX, 12, -EPROTO },
		{ VBUS_QREG_SIZE_MAX, 65536, -EPROTO },
		{ VBUS_QREG_SIZE_MAX, 0x80000000, -EPROTO },
		{ VBUS_QREG_SIZE_MAX, U32_MAX, -EPROTO },
		{ VBUS_QREG_SIZE_MAX, 2, 0 },
		{ VBUS_QREG_SIZE_MAX, 32768, 0 },
		{ VBUS_QREG_SEG_MAX, 0, -EPROTO },
		{ VBUS_QREG_SEG_MAX, 1, 0 },
		{ VBUS_QREG_SEG_MAX, U32_MAX, 0 },
		{ VBUS_QREG_FLAGS, 2, -EPROTO },
		{ VBUS_QREG_FLAGS, 0x80000001, -EPROTO },
		{ VBUS_QREG_FLAGS, U32_MAX, -EPROTO },
		{ VBUS_QREG_FLAGS, 0, 0 },
		{ VBUS_QREG_FLAGS, 1, 0 },
	};
	struct fake_dev *fake = bound(test);
	u32 off, old;
	int i, got;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		off = VBUS_REG_QUEUE(1) + table[i].reg;
		old = fake_get32(fake, off);
		fake_set32(fake, off, table[i].val);
		got = fake_start_queues(fake, 3, 0);
		KUNIT_EXPECT_EQ_MSG(test, got, table[i].want,
				    "register 0x%x is 0x%x", table[i].reg,
				    table[i].val);
		if (!got) {
			struct vproxy_queue *q = vproxy_queue(&fake->vdev, 1);

			KUNIT_EXPECT_LE(test, q->seg_max, VBUS_RING_MAX_TABLE);
			KUNIT_EXPECT_GE(test, q->seg_max, 1);
			KUNIT_EXPECT_EQ(test, 0, fake_stop_queues(fake));
		}
		fake_set32(fake, off, old);
		again(fake);
	}
	fake_unregister(fake, false);
}

static void test_sizes(struct kunit *test)
{
	static const struct {
		u32 want;
		u32 got;
	} table[] = {
		{ 0, 16 }, { 1, 2 }, { 2, 2 }, { 3, 2 }, { 4, 4 }, { 7, 4 },
		{ 15, 8 }, { 16, 16 }, { 17, 16 }, { 32768, 16 },
		{ U32_MAX, 16 },
	};
	struct fake_dev *fake = bound(test);
	struct vproxy_queue *q;
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		KUNIT_ASSERT_EQ(test, 0, fake_start_queues(fake, 2,
							   table[i].want));
		q = vproxy_queue(&fake->vdev, 1);
		KUNIT_EXPECT_EQ(test, q->size, table[i].got);
		KUNIT_EXPECT_EQ(test, ioq_north_free(&q->ring), q->size);
		KUNIT_EXPECT_EQ(test, q->index, 1);
		KUNIT_EXPECT_PTR_EQ(test, q->vdev, &fake->vdev);
		KUNIT_EXPECT_PTR_EQ(test, q->priv, (void *)fake);
		KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_QUEUE(1) +
						 VBUS_QREG_SIZE), q->size);
		KUNIT_EXPECT_EQ(test, fake_get64(fake, VBUS_REG_QUEUE(1) +
						 VBUS_QREG_RING),
				(u64)q->area_dma);
		KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0x7);
		KUNIT_EXPECT_NULL(test, vproxy_queue(&fake->vdev, 2));
		KUNIT_EXPECT_EQ(test, 0, fake_stop_queues(fake));
		again(fake);
	}
	fake_unregister(fake, false);
}

/* Who hears vector @v of @n, with FAKE_QUEUES queues? */
static void expect_signals(struct fake_dev *fake, int v, int n)
{
	u32 q, want;

	memset(fake->signals, 0, sizeof(fake->signals));
	fake_signal(fake, v);
	for (q = 0; q < FAKE_QUEUES; q++) {
		want = n == 1 ? 0 : 1 + q % (n - 1);
		KUNIT_EXPECT_EQ(fake->test, fake_get32(fake, VBUS_REG_QUEUE(q) +
						       VBUS_QREG_VECTOR), want);
		KUNIT_EXPECT_EQ_MSG(fake->test, fake->signals[q], want == v,
				    "queue %u, vector %d of %d", q, v, n);
	}
}

static void test_vectors(struct kunit *test)
{
	struct fake_dev *fake = bound(test);
	int v, n;

	for (n = 1; n <= FAKE_QUEUES + 1; n++) {
		fake->grant = n;
		KUNIT_ASSERT_EQ(test, 0, fake_start_queues(fake, FAKE_QUEUES, 0));
		KUNIT_EXPECT_EQ(test, fake->nr_vectors, n);
		for (v = 0; v < n; v++)
			expect_signals(fake, v, n);
		/* None of ours: nobody hears it. */
		memset(fake->signals, 0, sizeof(fake->signals));
		fake_signal(fake, n);
		fake_signal(fake, UINT_MAX);
		for (v = 0; v < FAKE_QUEUES; v++)
			KUNIT_EXPECT_EQ(test, fake->signals[v], 0);
		fake_stop_queues(fake);
		/* A signal that comes too late after all. */
		fake_signal(fake, 0);
		again(fake);
	}
	fake_unregister(fake, false);
}

static void test_vector_names(struct kunit *test)
{
	static const struct {
		int grant;
		unsigned int queues;
		const char *names[FAKE_QUEUES + 1];
	} table[] = {
		{ 1, 0, { "vbus90-5" } },
		{ 1, 2, { "vbus90-5-q0+" } },
		{ 2, 1, { "vbus90-5-config", "vbus90-5-q0" } },
		{ 2, 2, { "vbus90-5-config", "vbus90-5-q0+" } },
		{ 3, 2, { "vbus90-5-config", "vbus90-5-q0", "vbus90-5-q1" } },
		{ 3, 3, { "vbus90-5-config", "vbus90-5-q0+", "vbus90-5-q1" } },
	};
	struct fake_dev *fake = bound(test);
	int i, v;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		fake->grant = table[i].grant;
		KUNIT_ASSERT_EQ(test, 0,
				fake_start_queues(fake, table[i].queues, 0));
		KUNIT_EXPECT_EQ(test, fake->nr_vectors, table[i].grant);
		for (v = 0; v < fake->nr_vectors; v++)
			KUNIT_EXPECT_STREQ(test, fake->names[v],
					   table[i].names[v]);
		/* A vector that is shared belongs to no queue's CPU. */
		fake->affinity = -1;
		if (table[i].queues)
			vproxy_queue_set_affinity(vproxy_queue(&fake->vdev, 0),
						  cpu_none_mask);
		KUNIT_EXPECT_EQ(test, fake->affinity,
				table[i].grant > table[i].queues &&
				table[i].queues ? 1 : -1);
		fake_stop_queues(fake);
		again(fake);
	}
	fake_unregister(fake, false);
}

static void test_vector_limits(struct kunit *test)
{
	struct fake_dev *fake = bound(test);

	/* Not more than the queues need. */
	KUNIT_ASSERT_EQ(test, 0, fake_start_queues(fake, 2, 0));
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 3);
	vproxy_queue_set_affinity(vproxy_queue(&fake->vdev, 1), cpu_none_mask);
	KUNIT_EXPECT_EQ(test, fake->affinity, 2);
	fake_stop_queues(fake);
	/* No queue at all: config still has one. */
	again(fake);
	KUNIT_ASSERT_EQ(test, 0, fake_start_queues(fake, 0, 0));
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 1);
	KUNIT_EXPECT_NULL(test, vproxy_queue(&fake->vdev, 0));
	fake_signal(fake, 0);
	fake_stop_queues(fake);
	/* A transport that fails, and one that promises too much. */
	again(fake);
	fake->grant = -ENOSPC;
	KUNIT_EXPECT_EQ(test, -ENOSPC, fake_start_queues(fake, 2, 0));
	again(fake);
	fake->grant = INT_MAX;
	fake->overgrant = true;
	KUNIT_EXPECT_EQ(test, 0, fake_start_queues(fake, 2, 0));
	KUNIT_EXPECT_EQ(test, vproxy_queue(&fake->vdev, 1)->vector, 2);
	fake_stop_queues(fake);
	fake_unregister(fake, false);

	/* Not more than the device has. */
	fake = fake_create(test);
	fake_set32(fake, VBUS_REG_NR_VECTORS, 2);
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_ASSERT_EQ(test, 0, fake_start_queues(fake, 5, 0));
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 2);
	expect_signals(fake, 1, 2);
	fake_stop_queues(fake);
	fake_unregister(fake, false);
}

static void test_misuse(struct kunit *test)
{
	struct vproxy_queue_params params[FAKE_QUEUES] = {};
	struct fake_dev *fake = bound(test);
	struct vproxy_device *vdev = &fake->vdev;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			vproxy_create_queues(vdev, FAKE_QUEUES + 1, params));
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_create_queues(vdev, 1, NULL));
	KUNIT_EXPECT_EQ(test, 0, vproxy_create_queues(vdev, 1, params));
	KUNIT_EXPECT_EQ(test, -EBUSY, vproxy_create_queues(vdev, 1, params));
	KUNIT_EXPECT_EQ(test, -EBUSY, vproxy_renegotiate(vdev));
	KUNIT_EXPECT_EQ(test, 0, vproxy_device_ready(vdev));
	KUNIT_EXPECT_EQ(test, -EBUSY, vproxy_device_ready(vdev));
	/* Nobody listens to that queue. */
	fake_signal(fake, 1);
	/* Without a reset before: does it itself. */
	vproxy_delete_queues(vdev);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0);
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
	vproxy_delete_queues(vdev);
	vproxy_reset(vdev);
	KUNIT_EXPECT_EQ(test, -EBUSY, vproxy_create_queues(vdev, 1, params));
	KUNIT_EXPECT_EQ(test, -EBUSY, vproxy_device_ready(vdev));
	again(fake);
	/* Running without queues, then it is too late for them. */
	KUNIT_EXPECT_EQ(test, 0, vproxy_device_ready(vdev));
	KUNIT_EXPECT_EQ(test, -EBUSY, vproxy_create_queues(vdev, 1, params));
	vproxy_reset(vdev);
	fake_unregister(fake, false);
}

static void test_renegotiate(struct kunit *test)
{
	struct fake_dev *fake = bound(test);

	KUNIT_EXPECT_EQ(test, 0, fake_start_queues(fake, 2, 0));
	fake_stop_queues(fake);
	/* More than before is not taken, less is not accepted. */
	fake_set64(fake, VBUS_REG_FEATURES, 0xf);
	again(fake);
	KUNIT_EXPECT_EQ(test, fake->vdev.features, 5ULL);
	KUNIT_EXPECT_EQ(test, fake_get64(fake, VBUS_REG_ACCEPTED), 5ULL);
	fake_set64(fake, VBUS_REG_FEATURES, 0x4);
	KUNIT_EXPECT_EQ(test, -ENODEV, vproxy_renegotiate(&fake->vdev));
	fake_set64(fake, VBUS_REG_FEATURES, 0x5);
	fake->refuse_features = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, vproxy_renegotiate(&fake->vdev));
	fake->refuse_features = false;
	KUNIT_EXPECT_EQ(test, 0, vproxy_renegotiate(&fake->vdev));
	fake_unregister(fake, false);
}

static void test_refusals(struct kunit *test)
{
	struct fake_dev *fake = bound(test);

	fake->refuse_enable = true;
	KUNIT_EXPECT_EQ(test, -EPROTO, fake_start_queues(fake, 2, 0));
	again(fake);
	fake->refuse_enable = false;
	fake->refuse_start = true;
	KUNIT_EXPECT_EQ(test, -EIO, fake_start_queues(fake, 2, 0));
	/* The queues are there, it just does not run: try once more. */
	KUNIT_EXPECT_NOT_NULL(test, vproxy_queue(&fake->vdev, 0));
	fake->refuse_start = false;
	KUNIT_EXPECT_EQ(test, 0, vproxy_device_ready(&fake->vdev));
	fake_stop_queues(fake);
	fake_unregister(fake, false);
}

/* Add @n chains of one buffer; the cookie is what @buf points at. */
static void add_chains(struct fake_dev *fake, struct vproxy_queue *q, u8 *buf,
		       unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct ioq_seg seg = { .addr = virt_to_phys(buf + i), .len = 1,
				       .write = 1 };

		KUNIT_EXPECT_EQ(fake->test, 0,
				ioq_north_add(&q->ring, &seg, 1, buf + i));
	}
}

static void test_chains(struct kunit *test)
{
	struct fake_dev *fake = bound(test);
	u8 *buf = kunit_kzalloc(test, FAKE_RING, GFP_KERNEL);
	struct vproxy_queue *q;
	unsigned int round, i;
	u32 nr, len;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, fake_start_queues(fake, 2, 0));
	/* Queue 0 completes in any order, queue 1 in order. */
	for (nr = 0; nr < 2; nr++) {
		q = vproxy_queue(&fake->vdev, nr);
		KUNIT_EXPECT_FALSE(test, vproxy_queue_kick(q));
		for (round = 0; round < 50; round++) {
			KUNIT_EXPECT_TRUE(test,
					  ioq_north_enable_signals(&q->ring, 1));
			add_chains(fake, q, buf, 7);
			KUNIT_EXPECT_TRUE(test, vproxy_queue_kick(q));
			KUNIT_EXPECT_EQ(test, fake->kicks[nr], round + 1);
			KUNIT_EXPECT_EQ(test, 7, fake_serve(fake, nr, 1));
			KUNIT_EXPECT_EQ(test, fake->signals[nr], round + 1);
			for (i = 0; i < 7; i++) {
				KUNIT_EXPECT_PTR_EQ(test, (void *)(buf + i),
						    ioq_north_get(&q->ring,
								  &len));
				KUNIT_EXPECT_EQ(test, len, 1);
			}
			KUNIT_EXPECT_NULL(test, ioq_north_get(&q->ring, &len));
		}
	}
	KUNIT_EXPECT_EQ(test, 0, fake_stop_queues(fake));
	fake_unregister(fake, false);
}

static int probe_queues(struct fake_dev *fake)
{
	return fake_start_queues(fake, 3, 0);
}

static void remove_counts(struct fake_dev *fake)
{
	KUNIT_EXPECT_EQ(fake->test, 5, fake_stop_queues(fake));
}

static void test_outstanding(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	u8 *buf = kunit_kzalloc(test, FAKE_RING, GFP_KERNEL);
	int how;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	fake->probe = probe_queues;
	/* Asked to leave; torn out; by a driver that cleans up; or forgets. */
	for (how = 0; how < 4; how++) {
		fake->remove = how & 1 ? remove_counts : NULL;
		KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
		/* Three that the device saw, two that were only staged. */
		add_chains(fake, vproxy_queue(&fake->vdev, 1), buf, 3);
		vproxy_queue_kick(vproxy_queue(&fake->vdev, 1));
		add_chains(fake, vproxy_queue(&fake->vdev, 2), buf, 2);
		fake_unregister(fake, how & 2);
		KUNIT_EXPECT_EQ(test, fake->removes, how + 1);
	}
}

static void test_broken(struct kunit *test)
{
	struct fake_dev *fake = bound(test);
	u8 *buf = kunit_kzalloc(test, FAKE_RING, GFP_KERNEL);
	struct vproxy_queue *q;
	u32 len;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, fake_start_queues(fake, 1, 0));
	q = vproxy_queue(&fake->vdev, 0);
	add_chains(fake, q, buf, 2);
	vproxy_queue_kick(q);
	/* More bytes than there is room for. */
	fake_serve(fake, 0, 2);
	KUNIT_EXPECT_NULL(test, ioq_north_get(&q->ring, &len));
	KUNIT_EXPECT_TRUE(test, ioq_north_broken(&q->ring));
	KUNIT_EXPECT_EQ(test, 2, fake_stop_queues(fake));
	again(fake);
	fake_unregister(fake, false);
}

static void test_failing_access(struct kunit *test)
{
	static const int errnos[] = { -EIO, -ENODEV };
	struct fake_dev *fake = fake_create(test);
	unsigned int n, i;
	int err;

	for (i = 0; i < ARRAY_SIZE(errnos); i++) {
		fake->fail_errno = errnos[i];
		for (n = 1; n < 1000; n++) {
			KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
			fake->fail_access = n;
			err = fake_start_queues(fake, FAKE_QUEUES, 0);
			KUNIT_EXPECT_EQ(test, err, fake->fail_access ? 0 :
					errnos[i]);
			if (err && !vproxy_queue(&fake->vdev, 0))
				KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
			fake_unregister(fake, false);
			if (fake->fail_access)
				break;
		}
		fake->fail_access = 0;
		/* Eight accesses a queue and some more. */
		KUNIT_EXPECT_GT(test, n, 8 * FAKE_QUEUES);
		KUNIT_EXPECT_LT(test, n, 1000);
	}
}

static void test_failing_allocation(struct kunit *test)
{
	struct fake_dev *fake = bound(test);
	unsigned int n;
	bool failed;
	int err;

	fault_setup(test);
	/* Long enough for shorter rings to be tried in its place. */
	fake_set32(fake, VBUS_REG_QUEUE(0) + VBUS_QREG_SIZE_MAX, 1024);
	for (n = 1; n < FAULT_MAX; n++) {
		fault_arm(n);
		err = fake_start_queues(fake, FAKE_QUEUES, 0);
		failed = fault_disarm();
		KUNIT_EXPECT_TRUE(test, !err || (failed && err == -ENOMEM));
		if (!err)
			fake_stop_queues(fake);
		again(fake);
		if (!failed)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GT(test, n, 2 * FAKE_QUEUES);
	fake_unregister(fake, false);
}

/* No memory where the device can reach it. */
static void test_no_dma(struct kunit *test)
{
	struct fake_dev *fake = bound(test);

	fake_set32(fake, VBUS_REG_QUEUE(0) + VBUS_QREG_SIZE_MAX, 1024);
	fake->vdev.dev.coherent_dma_mask = 0xfff;
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_start_queues(fake, 2, 0));
	again(fake);
	fake->vdev.dev.coherent_dma_mask = DMA_BIT_MASK(64);
	KUNIT_EXPECT_EQ(test, 0, fake_start_queues(fake, 2, 0));
	KUNIT_EXPECT_EQ(test, vproxy_queue(&fake->vdev, 0)->size, 1024);
	fake_unregister(fake, false);
}

static struct kunit_case proxy_queue_cases[] = {
	KUNIT_CASE(test_limits),
	KUNIT_CASE(test_sizes),
	KUNIT_CASE(test_vectors),
	KUNIT_CASE(test_vector_names),
	KUNIT_CASE(test_vector_limits),
	KUNIT_CASE(test_misuse),
	KUNIT_CASE(test_renegotiate),
	KUNIT_CASE(test_refusals),
	KUNIT_CASE(test_chains),
	KUNIT_CASE(test_outstanding),
	KUNIT_CASE(test_broken),
	KUNIT_CASE(test_failing_access),
	KUNIT_CASE(test_failing_allocation),
	KUNIT_CASE(test_no_dma),
	{}
};

static struct kunit_suite proxy_queue_suite = {
	.name = "proxy_queue",
	.test_cases = proxy_queue_cases,
};

kunit_test_suite(proxy_queue_suite);

MODULE_DESCRIPTION("KUnit suite of the queues of the vbus guest bus");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
