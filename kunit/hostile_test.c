// SPDX-License-Identifier: GPL-2.0
/*
 * The guest bus with a host that answers anything: no register, no number of times, no
 * moment at which it lies may do more than fail.
 *
 * What is wrong shows as a report of the kernel, as a case that does not end, or as too many
 * accesses to registers.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include "fake_transport.h"
#include "../vbus-proxy/proxy_priv.h"

/* Far more than one life of a device takes, with all that is repeated. */
#define MOST_ACCESSES	20000

#define LIVES	400

static int probe_queues(struct fake_dev *fake)
{
	u8 buf[FAKE_CONFIG_SIZE];
	int err;

	vproxy_config_read(&fake->vdev, 0, buf, sizeof(buf));
	err = fake_start_queues(fake, min_t(u32, fake->vdev.nr_queues,
					    FAKE_QUEUES), 0);
	if (!err && prandom_u32_state(&fake->rnd) % 2) {
		fake_stop_queues(fake);
		err = vproxy_renegotiate(&fake->vdev);
		if (!err)
			err = fake_start_queues(fake, 1, 2);
	}
	return err;
}

static void change_look(struct fake_dev *fake)
{
	u8 buf[FAKE_CONFIG_SIZE];

	vproxy_needs_reset(&fake->vdev);
	vproxy_config_read(&fake->vdev, 1, buf, 7);
}

/* A life: registered, bound, changed, renamed, unregistered. */
static void live(struct kunit *test, struct fake_dev *fake)
{
	unsigned int v;

	fake->accesses = 0;
	if (fake_register(fake))
		return;
	for (v = 0; v < FAKE_QUEUES + 2; v++)
		fake_signal(fake, v);
	vproxy_alias_changed(&fake->vdev);
	vproxy_ping(&fake->vdev);
	fake_signal(fake, fake_any32(&fake->rnd));
	fake_unregister(fake, prandom_u32_state(&fake->rnd) % 2);
	KUNIT_EXPECT_LT(test, fake->accesses, MOST_ACCESSES);
}

/* Some lie at every read and get no further than that, some once in a life. */
static void test_lies(struct kunit *test)
{
	static const unsigned int noises[] = { 2, 8, 32, 128 };
	struct fake_dev *fake = fake_create(test);
	unsigned int i, bound = 0;

	fake->probe = probe_queues;
	fake->config_changed = change_look;
	for (i = 0; i < LIVES; i++) {
		prandom_seed_state(&fake->rnd, i);
		fake->noise = noises[i % ARRAY_SIZE(noises)];
		fake->probes = 0;
		live(test, fake);
		bound += fake->probes;
	}
	/* It is not that nothing was tried. */
	KUNIT_EXPECT_GT(test, bound, LIVES / 8);
	fake->noise = 0;
	fake->probes = 0;
	live(test, fake);
	KUNIT_EXPECT_EQ(test, fake->probes, 1);
}

/* All registers as they please from the beginning, and then as they are. */
static void test_any_registers(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	u8 *good = kunit_kmalloc(test, VBUS_WINDOW_SIZE, GFP_KERNEL);
	unsigned int i, n;
	u32 off;

	KUNIT_ASSERT_NOT_NULL(test, good);
	memcpy(good, fake->regs, VBUS_WINDOW_SIZE);
	fake->probe = probe_queues;
	for (i = 0; i < LIVES; i++) {
		prandom_seed_state(&fake->rnd, i);
		memcpy(fake->regs, good, VBUS_WINDOW_SIZE);
		for (n = 0; n < 3; n++) {
			off = prandom_u32_state(&fake->rnd) %
			      (VBUS_REG_QUEUE(FAKE_QUEUES) / 4) * 4;
			fake_set32(fake, off, fake_any32(&fake->rnd));
		}
		live(test, fake);
	}
}

static int probe_config(struct fake_dev *fake)
{
	return fake_start_queues(fake, 0, 0);
}

/*
 * A host that never rests: what it changes costs its guest so much and no more, and the
 * last change is not missed.
 */
static void test_config_storm(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	int i, notified;

	fake->probe = probe_config;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	for (i = 1; i <= 200; i++) {
		fake_set32(fake, VBUS_REG_CONFIG_GEN, i);
		fake_signal(fake, 0);
		flush_work(&fake->vdev.core->config_work.work);
	}
	notified = atomic_read(&fake->changes);
	KUNIT_EXPECT_GE(test, notified, 1);
	/* Some seconds may have passed. */
	KUNIT_EXPECT_LT(test, notified, 100);
	for (i = 0; i < 500 && atomic_read(&fake->changes) == notified; i++)
		msleep(20);
	KUNIT_EXPECT_GT(test, atomic_read(&fake->changes), notified);
	/* That it is gone it is notified, storm or no storm. */
	notified = atomic_read(&fake->changes);
	fake->dead = true;
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, notified + 1));
	fake_unregister(fake, false);
}

static struct kunit_case hostile_cases[] = {
	KUNIT_CASE(test_lies),
	KUNIT_CASE(test_any_registers),
	KUNIT_CASE(test_config_storm),
	{}
};

static struct kunit_suite hostile_suite = {
	.name = "vbus_hostile",
	.test_cases = hostile_cases,
};

kunit_test_suite(hostile_suite);

MODULE_DESCRIPTION("KUnit suite of the guest bus with a hostile host");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_IMPORT_NS(VPROXY_TRANSPORT);
