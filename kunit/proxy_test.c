// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of the guest bus: devices, binding, negotiation, config, going away.
 *
 * Each case has a device of its own, made of memory (fake_transport.h).  Queues
 * are in proxy_queue_test.c.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include "../vbus-proxy/proxy_priv.h"
#include "fake_transport.h"
#include "fault.h"

#define FAKE_DIR	"/sys/bus/vbus/devices/vbus90-5/"

static void expect_attr(struct kunit *test, const char *name, const char *want)
{
	char path[80], buf[64] = "";
	struct file *file;
	loff_t pos = 0;
	ssize_t len;

	snprintf(path, sizeof(path), FAKE_DIR "%s", name);
	file = filp_open(path, O_RDONLY, 0);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(file), "%s: %ld", path,
			       PTR_ERR(file));
	len = kernel_read(file, buf, sizeof(buf) - 1, &pos);
	filp_close(file, NULL);
	if (want)
		KUNIT_EXPECT_STREQ_MSG(test, strim(buf), want, "%s", name);
	else
		KUNIT_EXPECT_EQ_MSG(test, len, (ssize_t)-ENODEV, "%s", name);
}

static void test_class_names(struct kunit *test)
{
	static const struct {
		u32 class_id;
		const char *name;
	} table[] = {
		{ 0, "c0" },
		{ VBUS_CLASS_NULL, "null" },
		{ VBUS_CLASS_NET, "net" },
		{ VBUS_CLASS_BLK, "blk" },
		{ VBUS_CLASS_CLOCK, "clock" },
		{ VBUS_CLASS_RNG, "rng" },
		{ VBUS_CLASS_RNG + 1, "c6" },
		{ 0xfffffffe, "cfffffffe" },
	};
	char name[VPROXY_CLASS_NAME_MAX];
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		vproxy_class_name(table[i].class_id, name);
		KUNIT_EXPECT_STREQ(test, name, table[i].name);
	}
}

static void test_sysfs(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	/* All 32 bytes used, so without a NUL; what does not print is gone. */
	memcpy(fake->regs + VBUS_REG_ALIAS, "a\nb\x01\xff 456789012345678901234567890X",
	       VBUS_ALIAS_SIZE);
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_STREQ(test, dev_name(&fake->vdev.dev), "vbus90-5");
	expect_attr(test, "class", "c7e57");
	expect_attr(test, "modalias", "vbus:c7e57");
	expect_attr(test, "slot", "5");
	expect_attr(test, "alias", "a?b?? 45678901234567890123456789");
	expect_attr(test, "features", "0x0000000000000005");
	expect_attr(test, "queues", "5");
	expect_attr(test, "status", "0x3");
	/* The transport has no priorities. */
	KUNIT_EXPECT_EQ(test, (long)-ENOENT,
			PTR_ERR(filp_open(FAKE_DIR "priority", O_RDONLY, 0)));
	KUNIT_EXPECT_EQ(test, fake->vdev.class_version, 3);
	KUNIT_EXPECT_PTR_EQ(test, fake->vdev.dma_dev, &fake->vdev.dev);

	memset(fake->regs + VBUS_REG_ALIAS, 0, VBUS_ALIAS_SIZE);
	strcpy((char *)fake->regs + VBUS_REG_ALIAS, "new");
	vproxy_alias_changed(&fake->vdev);
	expect_attr(test, "alias", "new");

	fake->dead = true;
	expect_attr(test, "status", NULL);
	vproxy_alias_changed(&fake->vdev);
	expect_attr(test, "alias", "new");
	fake_unregister(fake, false);
}

static void test_uevent(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	struct kobj_uevent_env *env;

	env = kunit_kzalloc(test, sizeof(*env), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, env);
	strcpy((char *)fake->regs + VBUS_REG_ALIAS, "disk");
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, 0,
			fake->vdev.dev.bus->uevent(&fake->vdev.dev, env));
	KUNIT_ASSERT_EQ(test, env->envp_idx, 4);
	KUNIT_EXPECT_STREQ(test, env->envp[0], "VBUS_CLASS=c7e57");
	KUNIT_EXPECT_STREQ(test, env->envp[1], "VBUS_SLOT=5");
	KUNIT_EXPECT_STREQ(test, env->envp[2], "VBUS_ALIAS=disk");
	KUNIT_EXPECT_STREQ(test, env->envp[3], "MODALIAS=vbus:c7e57");
	fake_unregister(fake, false);
}

static void test_identity(struct kunit *test)
{
	static const struct {
		u32 reg;
		u32 val;
	} table[] = {
		{ VBUS_REG_MAGIC, 0 },
		{ VBUS_REG_MAGIC, VBUS_MAGIC + 1 },
		{ VBUS_REG_MAGIC, U32_MAX },
		{ VBUS_REG_VERSION, 0 },
		{ VBUS_REG_VERSION, VBUS_VERSION + 1 },
		{ VBUS_REG_VERSION, U32_MAX },
		{ VBUS_REG_CLASS, 0 },
		{ VBUS_REG_CLASS, U32_MAX },
		{ VBUS_REG_CLASS_VERSION, U32_MAX },
		{ VBUS_REG_NR_QUEUES, VBUS_MAX_QUEUES + 1 },
		{ VBUS_REG_NR_QUEUES, U32_MAX },
		{ VBUS_REG_NR_VECTORS, 0 },
		{ VBUS_REG_NR_VECTORS, VBUS_MAX_VECTORS + 1 },
		{ VBUS_REG_NR_VECTORS, U32_MAX },
		{ VBUS_REG_CONFIG_SIZE, VBUS_CONFIG_MAX + 1 },
		{ VBUS_REG_CONFIG_SIZE, U32_MAX },
		{ VBUS_REG_SLOT, U32_MAX },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct fake_dev *fake = fake_create(test);

		fake_set32(fake, table[i].reg, table[i].val);
		KUNIT_EXPECT_EQ_MSG(test, -ENODEV, fake_register(fake),
				    "register 0x%x is 0x%x", table[i].reg,
				    table[i].val);
		KUNIT_EXPECT_TRUE(test, completion_done(&fake->released));
		KUNIT_EXPECT_EQ(test, fake->probes, 0);
		KUNIT_EXPECT_EQ(test, fake->resets, 0);
	}
}

static void test_identity_limits(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake_set32(fake, VBUS_REG_CLASS, U32_MAX - 1);
	fake_set32(fake, VBUS_REG_NR_QUEUES, VBUS_MAX_QUEUES);
	fake_set32(fake, VBUS_REG_NR_VECTORS, VBUS_MAX_VECTORS);
	fake_set32(fake, VBUS_REG_CONFIG_SIZE, VBUS_CONFIG_MAX);
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, fake->probes, 0);
	KUNIT_EXPECT_EQ(test, fake->vdev.nr_queues, VBUS_MAX_QUEUES);
	fake_unregister(fake, false);
}

static void test_same_slot(struct kunit *test)
{
	struct fake_dev *one = fake_create(test);
	struct fake_dev *two = fake_create(test);

	KUNIT_ASSERT_EQ(test, 0, fake_register(one));
	KUNIT_EXPECT_EQ(test, -EEXIST, fake_register(two));
	KUNIT_EXPECT_TRUE(test, completion_done(&two->released));
	KUNIT_EXPECT_EQ(test, two->probes, 0);
	fake_unregister(one, false);
	KUNIT_EXPECT_EQ(test, 0, fake_register(two));
	fake_unregister(two, false);
}

static void test_bind(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	/* Left behind by whoever had it before. */
	fake_set32(fake, VBUS_REG_STATUS, 0x47);
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, fake->probes, 1);
	KUNIT_EXPECT_EQ(test, fake->resets, 1);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS),
			VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK);
	/* Offered, known, and in the class's range. */
	KUNIT_EXPECT_EQ(test, fake->vdev.features, 0x5ULL);
	KUNIT_EXPECT_EQ(test, fake_get64(fake, VBUS_REG_ACCEPTED), 0x5ULL);
	KUNIT_EXPECT_TRUE(test, vproxy_has_feature(&fake->vdev, 4));
	KUNIT_EXPECT_FALSE(test, vproxy_has_feature(&fake->vdev, 2));

	device_release_driver(&fake->vdev.dev);
	KUNIT_EXPECT_EQ(test, fake->removes, 1);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0);
	KUNIT_EXPECT_EQ(test, fake->vdev.features, 0);
	KUNIT_EXPECT_EQ(test, 1, device_attach(&fake->vdev.dev));
	KUNIT_EXPECT_EQ(test, fake->probes, 2);
	fake_unregister(fake, false);
	KUNIT_EXPECT_EQ(test, fake->removes, 2);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0);
}

static void test_refused_features(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake->refuse_features = true;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, fake->probes, 0);
	KUNIT_EXPECT_NULL(test, fake->vdev.dev.driver);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0);
	fake->refuse_features = false;
	KUNIT_EXPECT_EQ(test, 1, device_attach(&fake->vdev.dev));
	KUNIT_EXPECT_EQ(test, fake->probes, 1);
	fake_unregister(fake, false);
}

static int probe_fails(struct fake_dev *fake)
{
	KUNIT_EXPECT_EQ(fake->test, 0, fake_start_queues(fake, 2, 0));
	return -EIO;
}

static void test_probe_fails(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake->probe = probe_fails;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, fake->probes, 1);
	KUNIT_EXPECT_NULL(test, fake->vdev.dev.driver);
	/* The driver forgot to clean up. */
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0);
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
	KUNIT_EXPECT_NULL(test, vproxy_queue(&fake->vdev, 0));
	fake_unregister(fake, false);
	KUNIT_EXPECT_EQ(test, fake->removes, 0);
}

static int probe_ready(struct fake_dev *fake)
{
	return fake_start_queues(fake, 0, 0);
}

static void test_config_read(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	struct vproxy_device *vdev = &fake->vdev;
	u8 buf[FAKE_CONFIG_SIZE];
	int i;

	for (i = 0; i < FAKE_CONFIG_SIZE; i++)
		fake->regs[VBUS_REG_CONFIG + i] = i + 1;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, 0, vproxy_config_read(vdev, 0, buf,
						    FAKE_CONFIG_SIZE));
	KUNIT_EXPECT_FALSE(test, memcmp(buf, fake->regs + VBUS_REG_CONFIG,
					FAKE_CONFIG_SIZE));
	KUNIT_EXPECT_EQ(test, 0, vproxy_config_read(vdev, 3, buf, 1));
	KUNIT_EXPECT_EQ(test, buf[0], 4);
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_config_read(vdev, 0, buf, 25));
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_config_read(vdev, 24, buf, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_config_read(vdev, 25, buf, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_config_read(vdev, U32_MAX, buf,
							  2));
	/* Settles after a while, or never. */
	fake->gen_moves = 4;
	KUNIT_EXPECT_EQ(test, 0, vproxy_config_read(vdev, 0, buf, 8));
	fake->gen_moves = -1;
	KUNIT_EXPECT_EQ(test, -EAGAIN, vproxy_config_read(vdev, 0, buf, 8));
	fake->gen_moves = 0;
	/* A value that is all ones is not yet a device that is gone. */
	fake_set32(fake, VBUS_REG_CONFIG_GEN, U32_MAX);
	KUNIT_EXPECT_EQ(test, 0, vproxy_config_read(vdev, 0, buf, 8));
	for (i = 1; i <= 3; i++) {
		fake->fail_access = i;
		fake_set32(fake, VBUS_REG_CONFIG_GEN, 7);
		KUNIT_EXPECT_EQ(test, -EIO, vproxy_config_read(vdev, 0, buf, 8));
	}
	KUNIT_EXPECT_FALSE(test, vproxy_device_gone(vdev));
	fake->dead = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, vproxy_config_read(vdev, 0, buf, 8));
	KUNIT_EXPECT_TRUE(test, vproxy_device_gone(vdev));
	fake_unregister(fake, false);
}

static void test_config_changed(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake->probe = probe_ready;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_CONFIG_VECTOR), 0);
	/* Nothing changed, so nothing is said. */
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 0));
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 0));
	fake_set32(fake, VBUS_REG_CONFIG_GEN, 1);
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 1));
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 1));
	/* A device that stopped. */
	KUNIT_EXPECT_FALSE(test, vproxy_needs_reset(&fake->vdev));
	fake_set32(fake, VBUS_REG_STATUS, 0x47);
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 2));
	KUNIT_EXPECT_TRUE(test, vproxy_needs_reset(&fake->vdev));
	/* A device that left: one notification. */
	fake->dead = true;
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 3));
	KUNIT_EXPECT_FALSE(test, vproxy_needs_reset(&fake->vdev));
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 3));
	fake_unregister(fake, false);
}

static int probe_change(struct fake_dev *fake)
{
	int err = probe_ready(fake);

	fake_set32(fake, VBUS_REG_CONFIG_GEN, 9);
	fake_signal(fake, 0);
	/* Not while probe is running. */
	KUNIT_EXPECT_TRUE(fake->test, fake_changes_are(fake, 0));
	return err;
}

static void remove_change(struct fake_dev *fake)
{
	fake_set32(fake, VBUS_REG_CONFIG_GEN, 11);
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(fake->test, fake_changes_are(fake, 2));
}

static void test_config_edges(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake->probe = probe_change;
	fake->remove = remove_change;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 1));
	/* While it is reset nobody signals; made up for afterwards. */
	fake_stop_queues(fake);
	fake_set32(fake, VBUS_REG_CONFIG_GEN, 10);
	KUNIT_EXPECT_EQ(test, 0, vproxy_renegotiate(&fake->vdev));
	KUNIT_EXPECT_EQ(test, 0, probe_ready(fake));
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 2));
	fake_unregister(fake, false);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 2));
}

static void config_resets(struct fake_dev *fake)
{
	if (!vproxy_needs_reset(&fake->vdev))
		return;
	fake_stop_queues(fake);
	KUNIT_EXPECT_EQ(fake->test, 0, vproxy_renegotiate(&fake->vdev));
	KUNIT_EXPECT_EQ(fake->test, 0, probe_ready(fake));
}

static void test_reset_from_config(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake->probe = probe_ready;
	fake->config_changed = config_resets;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	fake_set32(fake, VBUS_REG_STATUS, 0x47);
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, fake_changes_are(fake, 1));
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0x7);
	fake_unregister(fake, false);
}

static void test_gone(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	unsigned int accesses;

	/* The transport knows. */
	fake->probe = probe_ready;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_FALSE(test, vproxy_device_gone(&fake->vdev));
	accesses = fake->accesses;
	fake_unregister(fake, true);
	KUNIT_EXPECT_EQ(test, fake->accesses, accesses);
	KUNIT_EXPECT_EQ(test, fake->removes, 1);

	/* An access says so. */
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	fake->fail_access = 1;
	fake->fail_errno = -ENODEV;
	vproxy_reset(&fake->vdev);
	KUNIT_EXPECT_TRUE(test, vproxy_device_gone(&fake->vdev));
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
	accesses = fake->accesses;
	vproxy_delete_queues(&fake->vdev);
	KUNIT_EXPECT_EQ(test, -ENODEV, vproxy_renegotiate(&fake->vdev));
	fake_unregister(fake, false);
	KUNIT_EXPECT_EQ(test, fake->accesses, accesses);

	/* Gone before a driver comes. */
	fake->probe = NULL;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	device_release_driver(&fake->vdev.dev);
	fake->dead = true;
	KUNIT_EXPECT_EQ(test, 0, device_attach(&fake->vdev.dev));
	fake_unregister(fake, false);
}

static void test_reset_timeout(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	unsigned long start = jiffies;

	fake_set32(fake, VBUS_REG_STATUS, 0x7);
	fake->stuck = true;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, fake->probes, 0);
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 2 * HZ));
	KUNIT_EXPECT_TRUE(test, vproxy_device_gone(&fake->vdev));
	KUNIT_EXPECT_EQ(test, fake->resets, 1);
	KUNIT_EXPECT_EQ(test, fake->quiesces, 1);
	fake_unregister(fake, false);
	KUNIT_EXPECT_EQ(test, fake->quiesces, 1);
}

/* A running device that does not stop is cut off before its memory goes. */
static void test_quiesce(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake->probe = probe_ready;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, fake->quiesces, 0);
	fake->stuck = true;
	fake_unregister(fake, false);
	KUNIT_EXPECT_EQ(test, fake->removes, 1);
	KUNIT_EXPECT_EQ(test, fake->quiesces, 1);
	KUNIT_EXPECT_NE(test, fake->quiesce_vectors, 0);
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
}

static void test_shutdown(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake->probe = probe_ready;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	fake->vdev.dev.bus->shutdown(&fake->vdev.dev);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0);
	KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
	fake_unregister(fake, false);
	KUNIT_EXPECT_EQ(test, fake->removes, 1);
}

static int drv_probe(struct vproxy_device *vdev)
{
	return 0;
}

static void drv_remove(struct vproxy_device *vdev)
{
}

static void test_bad_driver(struct kunit *test)
{
	struct vproxy_driver drv = { .driver.name = "bad", .class_id = 1,
				     .probe = drv_probe, .remove = drv_remove };

	drv.class_id = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_register_driver(&drv));
	drv.class_id = FAKE_CLASS;
	drv.probe = NULL;
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_register_driver(&drv));
	drv.probe = drv_probe;
	drv.remove = NULL;
	KUNIT_EXPECT_EQ(test, -EINVAL, vproxy_register_driver(&drv));
}

static void test_bus_ids(struct kunit *test)
{
	int a = vproxy_bus_id_alloc();
	int b = vproxy_bus_id_alloc();

	KUNIT_EXPECT_GE(test, a, 0);
	KUNIT_EXPECT_GT(test, b, a);
	vproxy_bus_id_free(a);
	KUNIT_EXPECT_EQ(test, vproxy_bus_id_alloc(), a);
	vproxy_bus_id_free(a);
	vproxy_bus_id_free(b);
}

/* Every access fails in turn, in every way: nothing may be left behind. */
static void test_failing_access(struct kunit *test)
{
	static const int errnos[] = { -EIO, -ENODEV };
	struct fake_dev *fake = fake_create(test);
	int i, n, err;

	fake->probe = probe_ready;
	for (i = 0; i < ARRAY_SIZE(errnos); i++) {
		fake->fail_errno = errnos[i];
		for (n = 1; n < 1000; n++) {
			fake->fail_access = n;
			err = fake_register(fake);
			if (!err)
				fake_unregister(fake, false);
			else
				KUNIT_EXPECT_EQ(test, err, -ENODEV);
			KUNIT_EXPECT_TRUE(test, try_wait_for_completion(&fake->released) || !err);
			KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
			if (fake->fail_access)
				break;
		}
		KUNIT_EXPECT_GT(test, n, 20);
		KUNIT_EXPECT_LT(test, n, 1000);
	}
}

static void test_failing_allocation(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	unsigned int n;
	int err;

	fault_setup(test);
	fake->probe = probe_ready;
	for (n = 1; n < FAULT_MAX; n++) {
		bool failed;

		fault_arm(n);
		err = fake_register(fake);
		failed = fault_disarm();
		if (!err)
			fake_unregister(fake, false);
		else
			KUNIT_EXPECT_TRUE(test, completion_done(&fake->released));
		KUNIT_EXPECT_EQ(test, fake->nr_vectors, 0);
		if (!failed)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GT(test, n, 5);
}

static struct kunit_case proxy_cases[] = {
	KUNIT_CASE(test_class_names),
	KUNIT_CASE(test_sysfs),
	KUNIT_CASE(test_uevent),
	KUNIT_CASE(test_identity),
	KUNIT_CASE(test_identity_limits),
	KUNIT_CASE(test_same_slot),
	KUNIT_CASE(test_bind),
	KUNIT_CASE(test_refused_features),
	KUNIT_CASE(test_probe_fails),
	KUNIT_CASE(test_config_read),
	KUNIT_CASE(test_config_changed),
	KUNIT_CASE(test_config_edges),
	KUNIT_CASE(test_reset_from_config),
	KUNIT_CASE(test_gone),
	KUNIT_CASE(test_reset_timeout),
	KUNIT_CASE(test_quiesce),
	KUNIT_CASE(test_shutdown),
	KUNIT_CASE(test_bad_driver),
	KUNIT_CASE(test_bus_ids),
	KUNIT_CASE(test_failing_access),
	KUNIT_CASE(test_failing_allocation),
	{}
};

static struct kunit_suite proxy_suite = {
	.name = "proxy",
	.test_cases = proxy_cases,
};

kunit_test_suite(proxy_suite);

MODULE_DESCRIPTION("KUnit suite of the vbus guest bus");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_IMPORT_NS(VPROXY_TRANSPORT);
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
