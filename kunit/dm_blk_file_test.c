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
#define EXT4		"mkfs.ext4 -q -F -b 1024 -N 16 -E lazy_itable_init=0 -J size=1"
#define EXT4_PLAIN	"mkfs.ext4 -q -F -b 1024 -N 16 -E lazy_itable_init=0 -O ^has_journal"

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
		/* The times of the file are no reason to wait. */
		blk_inode(bg)->i_flags |= S_NOCMTIME;
		if (promises[i].sync)
			blk_inode(bg)->i_flags |= S_SYNC;
		blk_fill(bg, 0, 4096, i);
		ask.flags = promises[i].flags;
		data = blk_seg(bg, 0, 4096, false);
		io = blk_new(bg, &ask, &data, 1);
		bg->disk->watch = current;
		bg->disk->flushes = 0;
		memset(bg->disk->watched, 0, sizeof(bg->disk->watched));
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, false));
		blk_serve(bg, 0, true);
		blk_expect(bg, 0, io, 0);
		/* The journal may have sent some of its own. */
		KUNIT_EXPECT_GE_MSG(test, bg->disk->flushes, 1U, "%s",
				    promises[i].name);
		KUNIT_EXPECT_EQ_MSG(test, bg->disk->watched[FAKE_DISK_FLUSH], 0U, "%s",
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

/* Times of the file are not noted by who must not wait: that is a transaction of a journal. */
static void blk_times_elsewhere(struct kunit *test)
{
	struct blk_guest *bg = ext4_create(test, EXT4, "1");
	struct blk_ask ask = { .op = VBUS_BLK_OP_WRITE };
	struct ioq_seg data;
	struct inode *inode;
	struct blk_io *io;
	u32 i;

	blk_run_with(bg, ALL_FEATURES);
	inode = blk_inode(bg);
	inode->i_mtime.tv_sec = 1;
	for (i = 0; i < 2; i++) {
		data = blk_seg(bg, 0, 4096, false);
		io = blk_new(bg, &ask, &data, 1);
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, false));
		blk_serve(bg, 0, true);
		blk_expect(bg, 0, io, 0);
		KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "deferred"), 1ULL);
		KUNIT_EXPECT_GT(test, inode->i_mtime.tv_sec, (time64_t)1);
		/* Once more when there is nothing to note. */
		inode->i_flags |= S_NOCMTIME;
	}
	/* When it was read is not noted at all. */
	inode->i_atime.tv_sec = 1;
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0, 4096));
	KUNIT_EXPECT_EQ(test, inode->i_atime.tv_sec, (time64_t)1);
	inode->i_flags &= ~S_NOCMTIME;
}

/* What is not in the page cache is read by others, readahead too: a disk may let it wait. */
static void blk_reads_elsewhere(struct kunit *test)
{
	struct blk_guest *bg = ext4_create(test, EXT4, "0");
	struct blk_io *io;
	u32 i;

	blk_run_with(bg, ALL_FEATURES);
	invalidate_inode_pages2(blk_inode(bg)->i_mapping);
	bg->disk->watch = current;
	for (i = 0; i < 2; i++) {
		io = blk_read_add(bg, 0, 0);
		blk_serve(bg, 0, true);
		blk_expect(bg, 0, io, 0);
		/* The second time it is there. */
		KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "deferred"), 1ULL);
	}
	KUNIT_EXPECT_EQ(test, 0U,
			bg->disk->watched[(__force u32)REQ_OP_READ]);
}

/* --- what is lost --- */

static int blk_flush(struct blk_guest *bg)
{
	return blk_do(bg, VBUS_BLK_OP_FLUSH, 0, 0, 0, 0);
}

static int blk_write(struct blk_guest *bg, u16 flags, u64 sector)
{
	return blk_do(bg, VBUS_BLK_OP_WRITE, flags, sector, 0, 4096);
}

/* What the admin sees. */
static bool blk_failed(struct blk_guest *bg)
{
	char text[8] = "";

	KUNIT_EXPECT_EQ(bg->g.test, 0, conn_guest_read(DEV "failed", text,
						       sizeof(text)));
	return text[0] == '1';
}

/* The page at @sector has the bytes of @seed. */
static void blk_expect_page(struct blk_guest *bg, u64 sector, u32 seed)
{
	blk_mark(bg);
	KUNIT_EXPECT_EQ(bg->g.test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, sector, 0,
					      4096));
	KUNIT_EXPECT_TRUE(bg->g.test, blk_filled(bg, 0, 4096, seed, 0));
}

/* Nothing reports that all is safe, in no way; the rest goes on. */
static void lost_check(struct blk_guest *bg, const char *name)
{
	struct kunit *test = bg->g.test;
	struct file *file;
	struct blk_io *io;
	struct blk_ask ask = { .op = VBUS_BLK_OP_FLUSH };
	u32 i;

	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ_MSG(test, VBUS_BLK_S_IOERR, blk_flush(bg), "%s",
				    name);
	KUNIT_EXPECT_EQ_MSG(test, VBUS_BLK_S_IOERR,
			    blk_write(bg, VBUS_BLK_REQ_FUA, 64), "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, VBUS_BLK_S_IOERR,
			    blk_range(bg, VBUS_BLK_OP_WRITE_ZEROES,
				      VBUS_BLK_REQ_FUA, 72, 8), "%s", name);
	io = blk_new(bg, &ask, NULL, 0);
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 1, io, false));
	conn_guest_kick(&bg->g, 1);
	blk_expect(bg, 1, io, VBUS_BLK_S_IOERR);
	/* Others get the error, too, and then the file system has reported it. */
	file = filp_open(FS_FILE, O_RDONLY, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	vfs_fsync(file, 0);
	KUNIT_EXPECT_EQ(test, 0, vfs_fsync(file, 0));
	filp_close(file, NULL);
	KUNIT_EXPECT_EQ_MSG(test, VBUS_BLK_S_IOERR, blk_flush(bg), "%s", name);
	blk_works(bg, name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_failed(bg), "%s", name);
	/* Another guest, one that does not flush: each write is a promise. */
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, 0, 1, RING));
	KUNIT_EXPECT_EQ_MSG(test, VBUS_BLK_S_IOERR, blk_write(bg, 0, 64), "%s",
			    name);
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 64, 0, 4096));
}

/* It is a new disk, of what is on the storage. */
static void blk_enable_again(struct blk_guest *bg)
{
	struct kunit *test = bg->g.test;

	conn_guest_unplug(&bg->g);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "enable", "0"));
	KUNIT_EXPECT_FALSE(test, blk_failed(bg));
	blk_run_with(bg, ALL_FEATURES);
	KUNIT_EXPECT_FALSE(test, blk_failed(bg));
	KUNIT_EXPECT_EQ(test, 0, blk_flush(bg));
	KUNIT_EXPECT_EQ(test, 0, blk_write(bg, VBUS_BLK_REQ_FUA, 64));
}

static struct blk_guest *lost_create(struct kunit *test, const char *mkfs,
				     const char *direct)
{
	struct blk_guest *bg = ext4_create(test, mkfs, direct);

	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "queues", "2"));
	blk_plug(bg);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, ALL_FEATURES, 2,
						  RING));
	KUNIT_EXPECT_EQ(test, 0, blk_flush(bg));
	return bg;
}

/* The page cache takes a write and can't pass it on. */
static void lost_pages_check(struct kunit *test, bool fua)
{
	struct blk_guest *bg = lost_create(test, EXT4_PLAIN, "0");

	blk_fill(bg, 0, 4096, 1);
	KUNIT_EXPECT_EQ(test, 0, blk_write(bg, VBUS_BLK_REQ_FUA, 0));
	KUNIT_EXPECT_FALSE(test, blk_failed(bg));

	bg->disk->status = BLK_STS_IOERR;
	blk_fill(bg, 0, 4096, 2);
	KUNIT_EXPECT_EQ(test, 0, blk_write(bg, 0, 0));
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_IOERR,
			fua ? blk_write(bg, VBUS_BLK_REQ_FUA, 0) :
			      blk_flush(bg));
	bg->disk->status = BLK_STS_OK;
	lost_check(bg, fua ? "FUA" : "FLUSH");
	/* Until then it has the data, and then what became of it. */
	blk_expect_page(bg, 0, 2);
	blk_enable_again(bg);
	blk_expect_page(bg, 0, 1);
	blk_exit(test);
}

static void blk_lost_pages(struct kunit *test)
{
	lost_pages_check(test, false);
	lost_pages_check(test, true);
}

/* Nobody was waiting when it failed. */
static void blk_lost_unseen(struct kunit *test)
{
	struct blk_guest *bg = lost_create(test, EXT4_PLAIN, "0");
	struct address_space *mapping = blk_inode(bg)->i_mapping;

	bg->disk->status = BLK_STS_IOERR;
	KUNIT_EXPECT_EQ(test, 0, blk_write(bg, 0, 0));
	filemap_fdatawrite(mapping);
	KUNIT_EXPECT_NE(test, 0, filemap_fdatawait_keep_errors(mapping));
	bg->disk->status = BLK_STS_OK;
	KUNIT_EXPECT_TRUE(test, blk_failed(bg));
	lost_check(bg, "unseen");
	blk_enable_again(bg);
}

/* Two flushes at a time: neither may say that all is well. */
static void blk_lost_racing(struct kunit *test)
{
	struct blk_guest *bg = lost_create(test, EXT4_PLAIN, "0");
	struct blk_ask ask = { .op = VBUS_BLK_OP_FLUSH };
	struct blk_io *io[2], *done;
	u32 i;

	bg->disk->hold = true;
	KUNIT_EXPECT_EQ(test, 0, blk_write(bg, 0, 0));
	for (i = 0; i < 2; i++) {
		io[i] = blk_new(bg, &ask, NULL, 0);
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io[i], false));
		conn_guest_kick(&bg->g, 0);
		KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 1));
	}
	bg->disk->status = BLK_STS_IOERR;
	fake_disk_let_all(bg->disk);
	for (i = 0; i < 2; i++) {
		done = blk_take(bg, 0);
		KUNIT_ASSERT_NOT_NULL(test, done);
		KUNIT_EXPECT_EQ(test, VBUS_BLK_S_IOERR, blk_result(done));
	}
	bg->disk->status = BLK_STS_OK;
	lost_check(bg, "racing");
}

/* The disk could not flush its own cache, and what it did with that is not known. */
static void blk_lost_cache(struct kunit *test)
{
	static const char *const direct[] = { "0", "1" };
	struct blk_guest *bg;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(direct); i++) {
		bg = lost_create(test, EXT4, direct[i]);
		bg->disk->flush_status = BLK_STS_IOERR;
		KUNIT_EXPECT_EQ(test, VBUS_BLK_S_IOERR, blk_flush(bg));
		bg->disk->flush_status = BLK_STS_OK;
		lost_check(bg, "cache of the disk");
		blk_enable_again(bg);
		blk_exit(test);
	}
}

/* A write past the page cache that fails is reported to its sender: nothing else is lost. */
static void blk_lost_nothing(struct kunit *test)
{
	struct blk_guest *bg = lost_create(test, EXT4_PLAIN, "1");
	u32 i;

	for (i = 0; i < 2; i++) {
		bg->disk->status = BLK_STS_IOERR;
		KUNIT_EXPECT_EQ(test, VBUS_BLK_S_IOERR,
				blk_write(bg, i ? VBUS_BLK_REQ_FUA : 0, 0));
		bg->disk->status = BLK_STS_OK;
		KUNIT_EXPECT_EQ(test, 0, blk_flush(bg));
		KUNIT_EXPECT_EQ(test, 0, blk_write(bg, VBUS_BLK_REQ_FUA, 0));
		KUNIT_EXPECT_FALSE(test, blk_failed(bg));
	}
}

/* What was lost before the disk was enabled is not in it, and no concern of its guest. */
static void blk_lost_before(struct kunit *test)
{
	struct blk_guest *bg = ext4_create(test, EXT4_PLAIN, "0");
	struct file *file = filp_open(FS_FILE, O_RDWR, 0);
	char byte = 1;
	loff_t pos = 0;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_EQ(test, (ssize_t)1, kernel_write(file, &byte, 1, &pos));
	bg->disk->status = BLK_STS_IOERR;
	filemap_fdatawrite(file->f_mapping);
	KUNIT_EXPECT_NE(test, 0, filemap_fdatawait_keep_errors(file->f_mapping));
	bg->disk->status = BLK_STS_OK;
	filp_close(file, NULL);
	blk_run_with(bg, ALL_FEATURES);
	KUNIT_EXPECT_FALSE(test, blk_failed(bg));
	KUNIT_EXPECT_EQ(test, 0, blk_flush(bg));
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0, 4096));
	KUNIT_EXPECT_TRUE(test, blk_is(bg, 0, 4096, 0));
}

/* --- data that must not change on its way --- */

#define BTRFS		"mkfs.btrfs -q -f -M -m single -d single"
#define BTRFS_BYTES	(32 * 1024 * 1024)

static const struct {
	const char *name;
	const char *mkfs;
	size_t bytes;
	bool stable;	/* the disk says that it must not */
	const char *direct;
	u64 bounced;
} stables[] = {
	{ "btrfs", BTRFS, BTRFS_BYTES, false, "1", 1 },
	{ "btrfs, page cache", BTRFS, BTRFS_BYTES, false, "0", 0 },
	{ "a disk with checksums", EXT4_PLAIN, EXT4_BYTES, true, "1", 1 },
	{ "a disk with checksums, page cache", EXT4_PLAIN, EXT4_BYTES, true,
	  "0", 0 },
	{ "ext4", EXT4_PLAIN, EXT4_BYTES, false, "1", 0 },
};

/*
 * The guest writes to its pages while the disk has the request.  Where data is only carried
 * it gets one or the other; where there is a checksum, what it was when it was sent.
 */
static void scribble_check(struct kunit *test, u32 row)
{
	struct blk_guest *bg = blk_create_sized(test, DISK, stables[row].bytes);
	struct blk_ask ask = { .op = VBUS_BLK_OP_WRITE };
	struct ioq_seg data = blk_seg(bg, 0, 16384, false);
	bool direct = *stables[row].direct == '1';
	struct blk_io *io;

	if (stables[row].stable)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES,
				   bg->disk->disk->queue);
	blk_mount(bg, stables[row].mkfs);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "direct",
						 stables[row].direct));
	blk_run_with(bg, ALL_FEATURES);
	blk_fill(bg, 0, 16384, 1);
	io = blk_new(bg, &ask, &data, 1);
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, false));
	bg->disk->hold = direct;
	conn_guest_kick(&bg->g, 0);
	if (direct)
		KUNIT_ASSERT_TRUE_MSG(test, fake_disk_holds(bg->disk, 1), "%s",
				      stables[row].name);
	else
		blk_expect(bg, 0, io, 0);
	blk_fill(bg, 0, 16384, 2);
	fake_disk_let_all(bg->disk);
	if (direct)
		blk_expect(bg, 0, io, 0);
	KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(&bg->g, "bounced"),
			    stables[row].bounced, "%s", stables[row].name);
	blk_mark(bg);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0,
					    16384), "%s", stables[row].name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 0, 16384,
					       direct && !stables[row].bounced ?
					       2 : 1, 0),
			      "%s", stables[row].name);
	blk_exit(test);
}

static void blk_scribble(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(stables); i++)
		scribble_check(test, i);
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(blk_sync_elsewhere),
	KUNIT_CASE(blk_times_elsewhere),
	KUNIT_CASE(blk_reads_elsewhere),
	KUNIT_CASE(blk_lost_pages),
	KUNIT_CASE(blk_lost_unseen),
	KUNIT_CASE(blk_lost_racing),
	KUNIT_CASE(blk_lost_cache),
	KUNIT_CASE(blk_lost_nothing),
	KUNIT_CASE(blk_lost_before),
	KUNIT_CASE(blk_scribble),
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
MODULE_IMPORT_NS(VBUS_MODEL);
