/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest driver of class "blk", for its suites: a copy of its own, whose parameters
 * a case can set, and a card for it. A suite includes this once, and before anything that
 * has a module_init() of its own.
 */
#ifndef _VBUS_KUNIT_BLK_DRIVER_H
#define _VBUS_KUNIT_BLK_DRIVER_H

#include <linux/module.h>

#undef module_init
#define module_init(fn)	static void * const left_out_init __used = fn
#undef module_exit
#define module_exit(fn)	static void * const left_out_exit __used = fn
#undef MODULE_ALIAS
#define MODULE_ALIAS(alias)
#include "../drivers/blk/main.c"
#include "../drivers/blk/request.c"
#include "../drivers/blk/sysfs.c"
#include "../vbus-proxy/proxy_priv.h"
#undef module_init
#undef module_exit

#include "blk_card.h"

static bool driver_registered;

static struct blk_card *card_of(struct kunit *test)
{
	return test->priv;
}

/* A disk that works: what is written is read, flushed before. */
static void works(struct blk_card *card, const char *name)
{
	struct kunit *test = card->test;
	struct io *io;

	memset(card->data + 4096, 0, 4096);
	KUNIT_EXPECT_EQ_MSG(test, 0, io_run(card, REQ_OP_WRITE, 8, 2, 2048),
			    "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, 0, io_run(card, REQ_OP_WRITE |
						     REQ_PREFLUSH, 0, 0, 0),
			    "%s", name);
	io = io_new(card, REQ_OP_READ, 8, 4, 1024, 0);
	submit_bio(io->bio);
	KUNIT_EXPECT_EQ_MSG(test, 0, io_wait(card, io), "%s", name);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(io_data(io, 1), 1, 1024), "%s",
			      name);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(io_data(io, 2), 2, 1024), "%s",
			      name);
	io_free(io);
}

static int blk_init(struct kunit *test)
{
	poll_queues = 0;
	vbus_blk_driver.probe = vbus_blk_probe;
	/* Without an owner: suites run before their module is in sysfs. */
	driver_registered = !__vproxy_register_driver(&vbus_blk_driver, NULL);
	return driver_registered ? 0 : -EBUSY;
}

/* A device that a case left goes only after this, and finds no driver then. */
static void blk_exit(struct kunit *test)
{
	struct blk_card *card = card_of(test);

	if (card) {
		if (card->fake)
			card_go(card);
		card_close(card);
	}
	if (driver_registered)
		vproxy_unregister_driver(&vbus_blk_driver);
	driver_registered = false;
}

#endif /* _VBUS_KUNIT_BLK_DRIVER_H */
