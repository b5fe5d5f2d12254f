// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of the loopback connector: real host core, real guest bus, one kernel.
 *
 * The host side is driven as an admin does it, by a shell; the guest side is a
 * driver for class "null" that lives here.  There is one device, in slot 2 of bus
 * "lt".  Rings are only used by the case itself, signals just wake it.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/umh.h>
#include <linux/vbus.h>
#include <vbus/host/memory.h>
#include <vbus/guest/bus.h>
#include <vbus/host/session.h>
#include "fault.h"

#define LT_HOST		"/sys/kernel/config/vbus"
#define LT_LOOP		"/sys/kernel/config/vbus-loop"
#define LT_SLOT		LT_HOST "/buses/lt/slots/2"
#define LT_PLUG		"ln -s " LT_HOST "/devices/null.lt " LT_SLOT "/device"
#define LT_UNPLUG	"rm " LT_SLOT "/device"
#define LT_TIMEOUT	(10 * HZ)
#define LT_BUF_SIZE	4096
#define LT_FEATURES	0x6ULL
#define LT_MAX_QUEUES	8

/**
 * struct lt_state - the guest driver
 * @vdev: bound to
 * @size: ring size it asks for
 * @probed: done by probe
 * @removed: done by remove
 * @changed: done by config_changed
 * @signal: done by signals
 * @taken_back: chains that remove took back
 * @gone: vproxy_device_gone() in remove
 */
static struct lt_state {
	struct vproxy_device *vdev;
	u32 size;
	struct completion probed;
	struct completion removed;
	struct completion changed;
	struct completion signal[LT_MAX_QUEUES];
	unsigned int taken_back;
	bool gone;
} lt;

static void lt_signal(struct vproxy_queue *q)
{
	complete(&lt.signal[q->index]);
}

static int lt_start(void)
{
	struct vproxy_queue_params params[LT_MAX_QUEUES] = {};
	unsigned int i, nr = min_t(u32, lt.vdev->nr_queues, LT_MAX_QUEUES);
	int err;

	for (i = 0; i < nr; i++) {
		params[i].name = "lt";
		params[i].size = lt.size;
		params[i].signal = lt_signal;
		init_completion(&lt.signal[i]);
	}
	err = vproxy_create_queues(lt.vdev, nr, params);
	return err ?: vproxy_device_ready(lt.vdev);
}

static unsigned int lt_stop(void)
{
	struct vproxy_queue *q;
	unsigned int i, n = 0;

	vproxy_reset(lt.vdev);
	for (i = 0; (q = vproxy_queue(lt.vdev, i)); i++)
		while (ioq_north_detach(&q->ring))
			n++;
	vproxy_delete_queues(lt.vdev);
	return n;
}

static int lt_probe(struct vproxy_device *vdev)
{
	int err;

	lt.vdev = vdev;
	err = lt_start();
	complete(&lt.probed);
	return err;
}

static void lt_remove(struct vproxy_device *vdev)
{
	lt.gone = vproxy_device_gone(vdev);
	lt.taken_back = lt_stop();
	lt.vdev = NULL;
	complete(&lt.removed);
}

static void lt_config_changed(struct vproxy_device *vdev)
{
	complete(&lt.changed);
}

static struct vproxy_driver lt_driver = {
	.driver.name = "vbus-loop-test",
	.class_id = VBUS_CLASS_NULL,
	.features = LT_FEATURES,
	.probe = lt_probe,
	.remove = lt_remove,
	.config_changed = lt_config_changed,
};

/*
 * Suites run before their module has a place in sysfs, so the driver can't be
 * listed as the module's.
 */
static int lt_register_driver(void)
{
	return __vproxy_register_driver(&lt_driver, NULL);
}

static int lt_sh(const char *command)
{
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char sh[] = "/bin/sh", opt[] = "-c";
	char *argv[4] = { sh, opt, (char *)command };
	char *envp[2] = { path };

	return call_usermodehelper(sh, argv, envp, UMH_WAIT_PROC);
}

static void lt_expect_sh(struct kunit *test, const char *command)
{
	KUNIT_EXPECT_EQ_MSG(test, 0, lt_sh(command), "%s", command);
}

static bool lt_wait(struct completion *c)
{
	return wait_for_completion_timeout(c, LT_TIMEOUT);
}

/* Make the device with some attributes set, plug it and attach the bus. */
static void lt_plug(struct kunit *test, const char *attributes)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "cd " LT_HOST "/devices/null.lt && echo 0 > enable && %s && echo 1 > enable",
		 attributes);
	lt_expect_sh(test, command);
	lt_expect_sh(test, LT_PLUG);
	lt_expect_sh(test, "mkdir " LT_LOOP "/lt");
	KUNIT_ASSERT_TRUE(test, lt_wait(&lt.probed));
	KUNIT_ASSERT_NOT_NULL(test, lt.vdev);
	KUNIT_ASSERT_NOT_NULL(test, vproxy_queue(lt.vdev, 0));
}

static void lt_unplug(struct kunit *test)
{
	lt_expect_sh(test, LT_UNPLUG);
	KUNIT_EXPECT_TRUE(test, lt_wait(&lt.removed));
	lt_expect_sh(test, "rmdir " LT_LOOP "/lt");
}

static int lt_init(struct kunit *test)
{
	memset(&lt, 0, sizeof(lt));
	init_completion(&lt.probed);
	init_completion(&lt.removed);
	init_completion(&lt.changed);
	return lt_sh("cd " LT_HOST " && mkdir devices/null.lt buses/lt buses/lt/slots/2");
}

static void lt_exit(struct kunit *test)
{
	lt_sh("rmdir " LT_LOOP "/lt; " LT_UNPLUG);
	KUNIT_EXPECT_NULL(test, lt.vdev);
	lt_expect_sh(test, "echo 0 > " LT_HOST "/devices/null.lt/enable");
	lt_expect_sh(test, "cd " LT_HOST " && rmdir buses/lt/slots/2 buses/lt devices/null.lt");
}

static int lt_suite_init(struct kunit_suite *suite)
{
	int err;

	/* The driver of this class in the tree would come by itself. */
	err = lt_sh("mkdir -p /run/modprobe.d");
	if (!err)
		err = lt_sh("echo blacklist vbus-null > /run/modprobe.d/vbus.conf");
	if (!err)
		err = lt_sh("modprobe -a vbus-loop vbus-dm-null");
	return err ?: lt_register_driver();
}

static void lt_suite_exit(struct kunit_suite *suite)
{
	vproxy_unregister_driver(&lt_driver);
}

/* Send @n chains of two segments through a queue, @batch at a time. */
static void lt_run(struct kunit *test, u32 nr, unsigned int n,
		   unsigned int batch)
{
	struct vproxy_queue *q = vproxy_queue(lt.vdev, nr);
	struct device *dev = lt.vdev->dma_dev;
	struct ioq_seg segs[2] = {};
	unsigned int sent = 0, got = 0;
	dma_addr_t dma;
	void *buf;
	u32 len;

	KUNIT_ASSERT_NOT_NULL(test, q);
	buf = kunit_kzalloc(test, LT_BUF_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	dma = dma_map_single(dev, buf, LT_BUF_SIZE, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, dma));
	segs[0].addr = dma;
	segs[0].len = 64;
	segs[1].addr = dma + 64;
	segs[1].len = LT_BUF_SIZE - 64;
	segs[1].write = 1;
	while (got < n) {
		void *cookie;

		while (sent < n && sent - got < batch &&
		       !ioq_north_add(&q->ring, segs, 2, buf))
			sent++;
		vproxy_queue_kick(q);
		if (ioq_north_enable_signals(&q->ring, 1) &&
		    !wait_for_completion_timeout(&lt.signal[nr], LT_TIMEOUT))
			break;
		while ((cookie = ioq_north_get(&q->ring, &len))) {
			got++;
			if (cookie != buf || len)
				break;
		}
	}
	KUNIT_EXPECT_EQ(test, got, n);
	KUNIT_EXPECT_FALSE(test, ioq_north_broken(&q->ring));
	dma_unmap_single(dev, dma, LT_BUF_SIZE, DMA_BIDIRECTIONAL);
}

static void test_identity(struct kunit *test)
{
	lt_plug(test, "echo 5 > queues");
	KUNIT_EXPECT_STREQ(test, dev_name(&lt.vdev->dev), "vbus0-2");
	KUNIT_EXPECT_EQ(test, lt.vdev->class_id, VBUS_CLASS_NULL);
	KUNIT_EXPECT_EQ(test, lt.vdev->slot, 2);
	KUNIT_EXPECT_EQ(test, lt.vdev->nr_queues, 5);
	KUNIT_EXPECT_EQ(test, lt.vdev->features, LT_FEATURES);
	KUNIT_EXPECT_STREQ(test, lt.vdev->alias, "");
	lt_expect_sh(test, "grep -qx bound " LT_SLOT "/state");
	lt_unplug(test);
	KUNIT_EXPECT_FALSE(test, lt.gone);
	lt_expect_sh(test, "grep -qx empty " LT_SLOT "/state");
}

static void test_chains(struct kunit *test)
{
	static const struct {
		const char *attributes;
		u32 queues;
	} table[] = {
		{ "true", 1 },
		{ "echo 2 > ring_size", 1 },
		{ "echo 1 > in_order && echo 4 > ring_size", 1 },
		{ "echo 32768 > ring_size && echo 3 > queues", 3 },
		{ "echo 64 > ring_size && echo 0 > in_order && echo 8 > queues", 8 },
	};
	unsigned int i;
	u32 q;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		reinit_completion(&lt.probed);
		reinit_completion(&lt.removed);
		lt_plug(test, table[i].attributes);
		KUNIT_EXPECT_EQ(test, lt.vdev->nr_queues, table[i].queues);
		for (q = 0; q < table[i].queues; q++) {
			lt_run(test, q, 200, 1);
			lt_run(test, q, 1000, 50);
		}
		lt_unplug(test);
		KUNIT_EXPECT_EQ(test, lt.taken_back, 0);
	}
}

static void test_resize(struct kunit *test)
{
	u32 size;

	lt_plug(test, "true");
	for (size = 2; size <= 256; size *= 2) {
		KUNIT_EXPECT_EQ(test, 0, lt_stop());
		lt.size = size;
		KUNIT_EXPECT_EQ(test, 0, vproxy_renegotiate(lt.vdev));
		KUNIT_ASSERT_EQ(test, 0, lt_start());
		KUNIT_EXPECT_EQ(test, vproxy_queue(lt.vdev, 0)->size, size);
		lt_run(test, 0, 100, size);
	}
	lt_unplug(test);
}

/* Chains that the device keeps come back, however the device goes. */
static void test_outstanding(struct kunit *test)
{
	static const char *const ways[] = {
		LT_UNPLUG,
		"rmdir " LT_LOOP "/lt",
		"echo 1 > " LT_LOOP "/lt/surprise && rmdir " LT_LOOP "/lt",
	};
	void *buf = kunit_kzalloc(test, LT_BUF_SIZE, GFP_KERNEL);
	struct ioq_seg seg = { .len = 64 };
	struct vproxy_queue *q;
	unsigned int i, n;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	seg.addr = virt_to_phys(buf);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		reinit_completion(&lt.probed);
		reinit_completion(&lt.removed);
		lt_plug(test, "echo 1 > keep");
		q = vproxy_queue(lt.vdev, 0);
		for (n = 0; n < 100; n++)
			KUNIT_EXPECT_EQ(test, 0,
					ioq_north_add(&q->ring, &seg, 1, buf));
		KUNIT_EXPECT_TRUE(test, vproxy_queue_kick(q));
		lt_expect_sh(test, ways[i]);
		KUNIT_EXPECT_TRUE(test, lt_wait(&lt.removed));
		KUNIT_EXPECT_EQ(test, lt.taken_back, 100);
		KUNIT_EXPECT_EQ(test, lt.gone, i == 2);
		lt_sh("rmdir " LT_LOOP "/lt; " LT_UNPLUG);
	}
}

/* A chain that is too long stops the device; a reset cures it. */
static void test_broken(struct kunit *test)
{
	void *buf = kunit_kzalloc(test, LT_BUF_SIZE, GFP_KERNEL);
	struct vproxy_queue *q;
	struct ioq_seg *segs;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	segs = kunit_kcalloc(test, 300, sizeof(*segs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, segs);
	lt_plug(test, "echo 512 > ring_size");
	q = vproxy_queue(lt.vdev, 0);
	KUNIT_EXPECT_EQ(test, q->seg_max, 256);
	for (i = 0; i < 300; i++) {
		segs[i].addr = virt_to_phys(buf);
		segs[i].len = 1;
	}
	KUNIT_EXPECT_EQ(test, 0, ioq_north_add(&q->ring, segs, 300, buf));
	vproxy_queue_kick(q);
	KUNIT_EXPECT_TRUE(test, lt_wait(&lt.changed));
	KUNIT_EXPECT_TRUE(test, vproxy_needs_reset(lt.vdev));
	KUNIT_EXPECT_FALSE(test, vproxy_device_gone(lt.vdev));
	KUNIT_EXPECT_EQ(test, 1, lt_stop());
	KUNIT_EXPECT_EQ(test, 0, vproxy_renegotiate(lt.vdev));
	KUNIT_ASSERT_EQ(test, 0, lt_start());
	KUNIT_EXPECT_FALSE(test, vproxy_needs_reset(lt.vdev));
	lt_run(test, 0, 100, 10);
	lt_unplug(test);
}

static void lt_no_event(void *priv)
{
}

/* One user of a bus at a time. */
static void test_exclusive(struct kunit *test)
{
	static const struct vbus_session_ops ops = {
		.event_pending = lt_no_event,
	};
	struct vbus_mem *mem = vbus_mem_create_direct();
	struct vbus_session *session;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mem));
	lt_expect_sh(test, "mkdir " LT_LOOP "/lt");
	session = vbus_session_open("lt", mem, &ops, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(session), (long)-EBUSY);
	session = vbus_session_open("nope", mem, &ops, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(session), (long)-ENOENT);
	lt_expect_sh(test, "rmdir " LT_LOOP "/lt");
	session = vbus_session_open("lt", mem, &ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(session));
	KUNIT_EXPECT_NE(test, 0, lt_sh("mkdir " LT_LOOP "/lt 2>/dev/null"));
	vbus_session_close(session);
	lt_expect_sh(test, "mkdir " LT_LOOP "/lt");
	lt_expect_sh(test, "rmdir " LT_LOOP "/lt");
}

/* A device whose driver refuses it stays, and goes, without one. */
static void test_no_driver(struct kunit *test)
{
	vproxy_unregister_driver(&lt_driver);
	lt_expect_sh(test, "echo 1 > " LT_HOST "/devices/null.lt/enable");
	lt_expect_sh(test, LT_PLUG);
	lt_expect_sh(test, "mkdir " LT_LOOP "/lt");
	lt_expect_sh(test, "until grep -qx '2 vbus0-2' " LT_LOOP "/lt/slots; do sleep 0.1; done");
	/* A driver that comes later binds what is there. */
	KUNIT_EXPECT_EQ(test, 0, lt_register_driver());
	KUNIT_EXPECT_TRUE(test, lt_wait(&lt.probed));
	KUNIT_ASSERT_NOT_NULL(test, lt.vdev);
	lt_run(test, 0, 10, 1);
	vproxy_unregister_driver(&lt_driver);
	KUNIT_EXPECT_NULL(test, lt.vdev);
	KUNIT_EXPECT_EQ(test, 0, lt_register_driver());
	KUNIT_ASSERT_NOT_NULL(test, lt.vdev);
	lt_run(test, 0, 10, 1);
	lt_expect_sh(test, "rmdir " LT_LOOP "/lt");
	KUNIT_EXPECT_NULL(test, lt.vdev);
}

static int lt_mkdir(const char *name, unsigned int fail)
{
	struct dentry *dentry;
	struct path path;
	int err;

	dentry = kern_path_create(AT_FDCWD, name, &path, LOOKUP_DIRECTORY);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	fault_arm(fail);
	err = vfs_mkdir(&init_user_ns, d_inode(path.dentry), dentry, 0755);
	done_path_create(&path, dentry);
	return err;
}

static void test_failing_allocation(struct kunit *test)
{
	unsigned int n;
	bool failed;
	int err;

	fault_setup(test);
	for (n = 1; n < FAULT_MAX; n++) {
		err = lt_mkdir(LT_LOOP "/lt", n);
		failed = fault_disarm();
		KUNIT_EXPECT_TRUE(test, !err || (failed && err == -ENOMEM));
		if (!err)
			lt_expect_sh(test, "rmdir " LT_LOOP "/lt");
		if (!failed)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GT(test, n, 10);
}

static struct kunit_case loop_cases[] = {
	KUNIT_CASE(test_identity),
	KUNIT_CASE(test_chains),
	KUNIT_CASE(test_resize),
	KUNIT_CASE(test_outstanding),
	KUNIT_CASE(test_broken),
	KUNIT_CASE(test_exclusive),
	KUNIT_CASE(test_no_driver),
	KUNIT_CASE(test_failing_allocation),
	{}
};

static struct kunit_suite loop_suite = {
	.name = "loop",
	.suite_init = lt_suite_init,
	.suite_exit = lt_suite_exit,
	.init = lt_init,
	.exit = lt_exit,
	.test_cases = loop_cases,
};

kunit_test_suite(loop_suite);

MODULE_DESCRIPTION("KUnit suite of the vbus loopback connector");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
MODULE_IMPORT_NS(VPROXY_DRIVER);
