// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": files of a file system whose disk can be made to wait and to fail:
 * what must not wait, what is lost, and data that must not change on its way.
 */
#include <linux/pagemap.h>
#include "../vbus/dev/blk/blk.h"
#include "blk_guest.h"

#define EXT4_BYTES	(4 * 1024 * 1024)

/*
 * @mkfs says whether there is a journal.  One that can't be written ends the file system;
 * without one, writes of the guest are all that gets to the disk.
 */
#define EXT4		"mkfs.ext4 -q -F -b 1024 -N 16 -J size=1"
#define EXT4_PLAIN	"mkfs.ext4 -q -F -b 1024 -N 16 -O ^has_journal"

static struct blk_guest *ext4_create(struct kunit *test, const char *mkfs,
				     const char *direct)
{
	struct blk_guest *bg = blk_create_sized(test, DISK, EXT4_BYTES);

	/* A cache, but no FUA. */
	blk_queue_write_cache(bg->disk->disk->queue, true, false);
	blk_mount(bg, mkfs);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "direct", direct));
	return bg;
}

static void blk_run_with(struct blk_guest *bg, u64 features)
{
	blk_plug(bg);
	KUNIT_ASSERT_EQ(bg->g.test, 0, conn_guest_start(&bg->g, features, 1,
							RING));
}

static struct inode *blk_inode(struct blk_guest *bg)
{
	return file_inode(to_vdm_blk(vbus_conn_device(bg->g.conn))->file);
}

/* --- who waits for the storage --- */

static const struct {
	const char *name;
	const char *direct;
	u64 features;
	u16 flags;
	bool sync;	/* the file has S_SYNC */
} promises[] = {
	{ "FUA", "1", ALL_FEATURES, VBUS_BLK_REQ_FUA, false },
	{ "FUA, page cache", "0", ALL_FEATURES, VBUS_BLK_REQ_FUA, false },
	{ "no FLUSH", "1", ALL_FEATURES & ~VBUS_BLK_F_FLUSH, 0, false },
	{ "no FLUSH, page cache", "0", ALL_FEATURES & ~VBUS_BLK_F_FLUSH, 0,
	  false },
	{ "chattr +S", "1", ALL_FEATURES, 0, true },
};

/*
 * The disk ends what is written at once, and then file systems flush its cache in the thread
 * that has submitted the write.  That must not be the one that serves with nowait.
 */
static void blk_sync_elsewhere(struct kunit *test)
{
	struct blk_ask ask = { .op = VBUS_BLK_OP_WRITE };
	struct blk_guest *bg;
	struct ioq_seg data;
	struct blk_io *io;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(promises); i++) {
		bg = ext4_create(test, EXT4, promises[i].direct);
		blk_run_with(bg, promises[i].features);
		if (promises[i].sync)
			blk_inode(bg)->i_flags |= S_SYNC;
		blk_fill(bg, 0, 4096, i);
		ask.flags = promises[i].flags;
		data = blk_seg(bg, 0, 4096, false);
		io = blk_new(bg, &ask, &data, 1);
		bg->disk->watch = current;
		bg->disk->flushes = 0;
		bg->disk->watched = 0;
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, false));
		blk_serve(bg, 0, true);
		blk_expect(bg, 0, io, 0);
		/* The journal may have sent some of its own. */
		KUNIT_EXPECT_GE_MSG(test, bg->disk->flushes, 1U, "%s",
				    promises[i].name);
		KUNIT_EXPECT_EQ_MSG(test, bg->disk->watched, 0U, "%s",
				    promises[i].name);
		KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(&bg->g, "deferred"),
				    1ULL, "%s", promises[i].name);
		blk_mark(bg);
		KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0,
						4096));
		KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 0, 4096, i, 0), "%s",
				      promises[i].name);
		blk_exit(test);
	}
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(blk_sync_elsewhere),
	{ }
};

static struct kunit_suite blk_suite = {
	.name = "dm_blk_file",
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);

MODULE_DESCRIPTION("vbus test: host block model, files on a disk that fails");
MODULE_LICENSE("GPL");
