/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver of class "null" and a device for it, for its suites.  Each suite has a copy
 * of both and need not use all of it.
 *
 * Most cases call what a write to the driver's file calls; the fake device answers from
 * within the doorbell unless a case has it otherwise.
 */
#ifndef _VBUS_KUNIT_NULL_CARD_H
#define _VBUS_KUNIT_NULL_CARD_H

#include <linux/debugfs.h>
#include <linux/module.h>
#include "../vbus-proxy/proxy_priv.h"
#include "fake_transport.h"

#undef __init
#define __init
#undef __exit
#define __exit
#undef module_init
#define module_init(fn)
#undef module_exit
#define module_exit(fn)
#undef MODULE_ALIAS
#define MODULE_ALIAS(alias)
/* Without an owner: suites run before their module is in sysfs. */
#undef vproxy_register_driver
#define vproxy_register_driver(drv) __vproxy_register_driver(drv, NULL)
#include "../drivers/null/main.c"
#include "../drivers/null/measure.c"

static unsigned int served;

static __maybe_unused void serve(struct fake_dev *fake, u32 q)
{
	served += fake_serve(fake, q, 0);
}

static __maybe_unused int measure(struct fake_dev *fake,
				  enum vproxy_measure what)
{
	return 0;
}

static __maybe_unused struct fake_dev *null_device(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake_set32(fake, VBUS_REG_CLASS, VBUS_CLASS_NULL);
	fake_set32(fake, VBUS_REG_CLASS_VERSION, VNULL_VERSION);
	fake->kick = serve;
	fake->measure = measure;
	return fake;
}

static __maybe_unused struct fake_dev *start_device(struct kunit *test,
						    struct fake_dev *fake)
{
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_ASSERT_NOT_NULL(test, fake->vdev.dev.driver);
	/* The look after the probe, which reads registers too. */
	flush_delayed_work(&fake->vdev.core->config_work);
	served = 0;
	return fake;
}

static __maybe_unused struct fake_dev *start(struct kunit *test)
{
	return start_device(test, null_device(test));
}

static __maybe_unused struct vnull *nd_of(struct fake_dev *fake)
{
	return vproxy_drvdata(&fake->vdev);
}

static __maybe_unused int command(struct fake_dev *fake, const char *line)
{
	char text[VNULL_LINE + 1];

	strscpy(text, line, sizeof(text));
	return vnull_command(nd_of(fake), text);
}

static __maybe_unused void expect_no_result(struct kunit *test, struct fake_dev *fake)
{
	KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)nd_of(fake)->result.what);
}

static __maybe_unused void expect_samples(struct kunit *test,
					  struct fake_dev *fake,
					  const char *what, u64 count)
{
	const struct vnull_result *res = &nd_of(fake)->result;

	KUNIT_ASSERT_NOT_NULL(test, res->what);
	KUNIT_EXPECT_STREQ(test, res->what, what);
	KUNIT_EXPECT_EQ(test, res->count, count);
	KUNIT_EXPECT_TRUE(test, res->quantiles);
	KUNIT_EXPECT_LE(test, res->min, res->median);
	KUNIT_EXPECT_LE(test, res->median, res->p99);
	KUNIT_EXPECT_LE(test, res->p99, res->max);
	/* Nothing here takes a minute: a time that is one is no difference. */
	KUNIT_EXPECT_LT(test, res->max, 60 * NSEC_PER_SEC);
	KUNIT_EXPECT_FALSE(test, ioq_north_broken(&nd_of(fake)->vq->ring));
	KUNIT_EXPECT_EQ(test, 0U,
			ioq_north_outstanding(&nd_of(fake)->vq->ring));
}

static __maybe_unused int null_init(struct kunit *test)
{
	return vnull_init();
}

/* A device that a case left goes only after this, and finds no driver then. */
static __maybe_unused void null_exit(struct kunit *test)
{
	vnull_exit();
}

#endif /* _VBUS_KUNIT_NULL_CARD_H */
