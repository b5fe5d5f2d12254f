/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest of the host model "blk" for its suites: makes requests of any shape, and
 * tells what became of them.  Each suite has its own copy and need not use all of it.
 *
 * What lies behind the disk is one of struct blk_backing.  Guest memory is data from
 * offset 0 on, marked before each case, and then a struct blk_cmd for each request
 * in flight.
 */
#ifndef _VBUS_KUNIT_BLK_GUEST_H
#define _VBUS_KUNIT_BLK_GUEST_H

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vbus_blk.h>
#include <vbus/host/model.h>
#include "conn_guest.h"
#include "fake_disk.h"

#define DEV	"devices/blk.kt0/"
#define RING	256
#define DATA	(768 * 1024)
#define BUF	(1024 * 1024)

/* Segments that the model takes beside request and status. */
#define DATA_SEGS	64
#define SEGS		(DATA_SEGS + 4)
#define NR_IO		128

/* What guest memory is filled with; a host that writes it is seen. */
#define MARK		0xee
#define MARK32		0xeeeeeeee

#define FAKE_NAME	"vbuskunit"
#define FILE_PATH	"/tmp/vbus-kunit-blk"
#define FILE_BYTES	(2 * 1024 * 1024)

/* Where a file system on the fake disk is mounted, and its file. */
#define FS_PATH		"/tmp/vbus-kunit-fs"
#define FS_FILE		FS_PATH "/file"
#define FS_BYTES	(256 * 1024)

#define ALL_FEATURES	(VBUS_BLK_F_FLUSH | VBUS_BLK_F_DISCARD | \
			 VBUS_BLK_F_WRITE_ZEROES)

/* What the host sees of a request, besides data; shared with it. */
struct blk_cmd {
	struct vbus_blk_req req;
	struct vbus_blk_status status;
	__le32 pad[11];
	struct vbus_ring_desc table[SEGS];
};

/**
 * struct blk_io - a request
 * @cmd: in guest memory
 * @busy: between blk_new() and blk_result()
 * @segs: request, data, status
 * @n: of them
 * @in_len: bytes that may be written, and so what a failure reports
 * @good: what success reports
 * @len: what was reported
 */
struct blk_io {
	struct blk_cmd *cmd;
	bool busy;
	struct ioq_seg segs[SEGS];
	u32 n;
	u32 in_len;
	u32 good;
	u32 len;
};

enum blk_backing { RAM, DISK, TMPFILE, NR_BACKINGS };

static __maybe_unused const char *const blk_backing_names[NR_BACKINGS] = {
	[RAM] = "RAM disk",
	[DISK] = "fake disk",
	[TMPFILE] = "file",
};

struct blk_guest {
	struct conn_guest g;
	struct fake_disk *disk;
	bool file;
	bool mounted;
	struct blk_io io[NR_IO];
};

/* --- the disk --- */

static __maybe_unused void blk_make_file(struct kunit *test, loff_t size)
{
	struct file *file = filp_open(FILE_PATH, O_RDWR | O_CREAT | O_LARGEFILE,
				      0600);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_EQ(test, 0, vfs_truncate(&file->f_path, size));
	filp_close(file, NULL);
}

/* A guest whose disk is not enabled yet; a fake disk has @bytes. */
static __maybe_unused struct blk_guest *
blk_create_sized(struct kunit *test, enum blk_backing backing, size_t bytes)
{
	static const char *const paths[NR_BACKINGS] = {
		[RAM] = "/dev/ram0",
		[DISK] = "/dev/" FAKE_NAME,
		[TMPFILE] = FILE_PATH,
	};
	struct blk_guest *bg = kzalloc(sizeof(*bg), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, bg);
	test->priv = bg;
	if (backing == DISK) {
		bg->disk = fake_disk_alloc(FAKE_NAME, bytes);
		KUNIT_ASSERT_NOT_NULL(test, bg->disk);
		blk_queue_write_cache(bg->disk->disk->queue, true, true);
		blk_queue_max_discard_sectors(bg->disk->disk->queue, 1024);
		bg->disk->disk->queue->limits.discard_granularity = SECTOR_SIZE;
		KUNIT_ASSERT_EQ(test, 0, fake_disk_add(bg->disk));
	}
	conn_guest_init(&bg->g, test, "blk.kt0", BUF);
	for (i = 0; i < NR_IO; i++)
		bg->io[i].cmd = (void *)(bg->g.buf + DATA +
					 i * sizeof(struct blk_cmd));
	memset(bg->g.buf, MARK, BUF);
	if (backing == TMPFILE) {
		bg->file = true;
		blk_make_file(test, FILE_BYTES);
		KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "direct", "0"));
	}
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "path",
						 paths[backing]));
	return bg;
}

static __maybe_unused struct blk_guest *blk_create(struct kunit *test,
						   enum blk_backing backing)
{
	return blk_create_sized(test, backing, FAKE_DISK_BYTES);
}

static __maybe_unused void blk_plug(struct blk_guest *bg)
{
	KUNIT_ASSERT_EQ(bg->g.test, 0, conn_guest_attr(&bg->g, "enable", "1"));
	conn_guest_plug(&bg->g);
}

static __maybe_unused u64 blk_offered(struct blk_guest *bg)
{
	return conn_guest_reg(&bg->g, VBUS_REG_FEATURES);
}

/* One that runs, with all features there are. */
static __maybe_unused struct blk_guest *blk_start(struct kunit *test,
						  enum blk_backing backing)
{
	struct blk_guest *bg = blk_create(test, backing);

	blk_plug(bg);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, blk_offered(bg), 1,
						  RING));
	return bg;
}

/*
 * A file system on the fake disk, made by @mkfs, with a file that the disk is then, and of
 * which nothing is in the page cache.
 */
static __maybe_unused void blk_mount(struct blk_guest *bg, const char *mkfs)
{
	struct kunit *test = bg->g.test;
	char command[320];

	snprintf(command, sizeof(command),
		 "mkdir -p " FS_PATH " && %s /dev/" FAKE_NAME
		 " > /dev/null 2>&1 && mount /dev/" FAKE_NAME " " FS_PATH
		 " && dd if=/dev/zero of=" FS_FILE
		 " bs=64k count=4 oflag=direct conv=fsync status=none", mkfs);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_shell(command));
	bg->mounted = true;
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "path", FS_FILE));
}

static __maybe_unused void blk_destroy(struct blk_guest *bg)
{
	if (bg->disk)
		fake_disk_let_all(bg->disk);
	conn_guest_destroy(&bg->g);
	if (bg->mounted)
		conn_guest_shell("umount " FS_PATH);
	if (bg->disk)
		fake_disk_free(bg->disk);
	if (bg->file)
		conn_guest_shell("rm -f " FILE_PATH);
	kfree(bg);
}

static __maybe_unused void blk_exit(struct kunit *test)
{
	if (test->priv)
		blk_destroy(test->priv);
	test->priv = NULL;
}

static __maybe_unused struct vbus_blk_config blk_config(struct blk_guest *bg)
{
	struct vbus_blk_config config;

	KUNIT_EXPECT_EQ(bg->g.test, 0, vbus_conn_read(bg->g.conn,
						      VBUS_REG_CONFIG, &config,
						      sizeof(config)));
	return config;
}

/* --- requests --- */

static __maybe_unused struct ioq_seg blk_seg(struct blk_guest *bg, u32 off,
					     u32 len, bool write)
{
	return (struct ioq_seg){
		.addr = conn_guest_addr(&bg->g, off), .len = len, .write = write,
	};
}

static __maybe_unused u64 blk_cmd_addr(const struct blk_io *io, size_t off)
{
	return virt_to_phys((u8 *)io->cmd + off);
}

/* What one struct vbus_blk_req says, in words of this machine. */
struct blk_ask {
	u16 op;
	u16 flags;
	u32 nr_sectors;
	u64 sector;
};

/* A request that is well made around its data; what it asks for need not be. */
static __maybe_unused struct blk_io *blk_new(struct blk_guest *bg,
					     const struct blk_ask *ask,
					     const struct ioq_seg *data, u32 n)
{
	struct blk_io *io = NULL;
	u32 i;

	for (i = 0; i < NR_IO && !io; i++)
		if (!bg->io[i].busy)
			io = &bg->io[i];
	KUNIT_ASSERT_NOT_NULL(bg->g.test, io);
	KUNIT_ASSERT_LE(bg->g.test, n, (u32)(SEGS - 2));
	io->busy = true;
	memset(io->cmd, MARK, sizeof(*io->cmd));
	io->cmd->req = (struct vbus_blk_req){
		.op = cpu_to_le16(ask->op),
		.flags = cpu_to_le16(ask->flags),
		.nr_sectors = cpu_to_le32(ask->nr_sectors),
		.sector = cpu_to_le64(ask->sector),
	};
	io->segs[0] = (struct ioq_seg){
		.addr = blk_cmd_addr(io, offsetof(struct blk_cmd, req)),
		.len = sizeof(struct vbus_blk_req),
	};
	io->good = 0;
	for (i = 0; i < n; i++) {
		io->segs[1 + i] = data[i];
		if (ask->op == VBUS_BLK_OP_READ && data[i].write)
			io->good += data[i].len;
	}
	io->segs[1 + n] = (struct ioq_seg){
		.addr = blk_cmd_addr(io, offsetof(struct blk_cmd, status)),
		.len = sizeof(struct vbus_blk_status),
		.write = 1,
	};
	io->n = n + 2;
	return io;
}

/* Stage it: seen with the next kick. */
static __maybe_unused int blk_add(struct blk_guest *bg, u32 q,
				  struct blk_io *io, bool indirect)
{
	struct ioq_north *north = &bg->g.q[q].north;
	u32 i;

	io->in_len = 0;
	for (i = 0; i < io->n; i++)
		if (io->segs[i].write)
			io->in_len += io->segs[i].len;
	if (!indirect)
		return ioq_north_add(north, io->segs, io->n, io);
	ioq_fill_table(io->cmd->table, io->segs, io->n);
	return ioq_north_add_indirect(north,
				      blk_cmd_addr(io, offsetof(struct blk_cmd,
								table)),
				      io->n, io->in_len, io);
}

/* The next one that has been answered; NULL: the device broke, or took too long. */
static __maybe_unused struct blk_io *blk_take(struct blk_guest *bg, u32 q)
{
	struct ioq_north *north = &bg->g.q[q].north;
	unsigned long end = jiffies + 10 * HZ;
	struct blk_io *io;
	u32 len;

	do {
		io = ioq_north_get(north, &len);
		if (io) {
			io->len = len;
			return io;
		}
		if (ioq_north_broken(north) || conn_guest_broken(&bg->g))
			return NULL;
		usleep_range(50, 100);
	} while (time_before(jiffies, end));
	KUNIT_FAIL(bg->g.test, "no answer");
	return NULL;
}

/*
 * What became of an answered request: 0, VBUS_BLK_S_*, or -EPROTO for what is no
 * answer: a length that is neither, or a status that was written for no reason.
 */
static __maybe_unused int blk_result(struct blk_io *io)
{
	u32 status;

	/* As blk_take() has said. */
	if (!io)
		return -EIO;
	status = le32_to_cpu(READ_ONCE(io->cmd->status.status));
	io->busy = false;
	if (io->len == io->in_len)
		return status && status != MARK32 ? (int)status : -EPROTO;
	return io->len == io->good && status == MARK32 ? 0 : -EPROTO;
}

/* All of it, in queue 0: the result, or -EIO if the device broke. */
static __maybe_unused int blk_run(struct blk_guest *bg, struct blk_io *io,
				  bool indirect)
{
	struct blk_io *done;

	KUNIT_ASSERT_EQ(bg->g.test, 0, blk_add(bg, 0, io, indirect));
	conn_guest_kick(&bg->g, 0);
	done = blk_take(bg, 0);
	if (!done) {
		io->busy = false;
		return -EIO;
	}
	KUNIT_EXPECT_PTR_EQ(bg->g.test, (void *)done, (void *)io);
	return blk_result(done);
}

/* One segment of data, or none. */
static __maybe_unused int blk_do(struct blk_guest *bg, u16 op, u16 flags,
				 u64 sector, u32 off, u32 len)
{
	struct blk_ask ask = { .op = op, .flags = flags, .sector = sector };
	struct ioq_seg data = blk_seg(bg, off, len, op == VBUS_BLK_OP_READ);

	return blk_run(bg, blk_new(bg, &ask, &data, !!len), false);
}

static __maybe_unused int blk_range(struct blk_guest *bg, u16 op, u16 flags,
				    u64 sector, u32 nr)
{
	struct blk_ask ask = {
		.op = op, .flags = flags, .sector = sector, .nr_sectors = nr,
	};

	return blk_run(bg, blk_new(bg, &ask, NULL, 0), false);
}

/*
 * Serve a queue in this thread, inline (@nowait) or the core's
 * work item.  What is to be served must not have been kicked for, as only one may.
 */
static __maybe_unused bool blk_serve(struct blk_guest *bg, u32 q, bool nowait)
{
	struct vbus_device *dev = vbus_conn_device(bg->g.conn);

	ioq_north_publish(&bg->g.q[q].north);
	return dev->model->serve(vbus_conn_queue(bg->g.conn, q), nowait);
}

/* The @n-th page of disk and memory. */
static __maybe_unused struct blk_io *blk_read_add(struct blk_guest *bg, u32 q,
						  u32 n)
{
	struct blk_ask ask = { .op = VBUS_BLK_OP_READ, .sector = 8 * n };
	struct ioq_seg data = blk_seg(bg, 4096 * n, 4096, true);
	struct blk_io *io = blk_new(bg, &ask, &data, 1);

	KUNIT_ASSERT_EQ(bg->g.test, 0, blk_add(bg, q, io, true));
	return io;
}

static __maybe_unused void blk_expect(struct blk_guest *bg, u32 q,
				      struct blk_io *want, int result)
{
	struct blk_io *io = blk_take(bg, q);

	KUNIT_ASSERT_PTR_EQ(bg->g.test, (void *)io, (void *)want);
	KUNIT_EXPECT_EQ(bg->g.test, result, blk_result(io));
}

/* --- data --- */

static __maybe_unused u8 blk_nth(u32 seed, u32 i)
{
	return seed * 37 + i * 7 + (i >> 8) * 11 + (i >> 16);
}

static __maybe_unused void blk_fill(struct blk_guest *bg, u32 off, u32 len,
				    u32 seed)
{
	u32 i;

	for (i = 0; i < len; i++)
		bg->g.buf[off + i] = blk_nth(seed, i);
}

/* Are these the bytes from @from on? */
static __maybe_unused bool blk_filled(struct blk_guest *bg, u32 off, u32 len,
				      u32 seed, u32 from)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (bg->g.buf[off + i] != blk_nth(seed, from + i))
			return false;
	return true;
}

static __maybe_unused void blk_mark(struct blk_guest *bg)
{
	memset(bg->g.buf, MARK, DATA);
}

static __maybe_unused bool blk_is(struct blk_guest *bg, u32 off, u32 len,
				  u8 byte)
{
	return !memchr_inv(bg->g.buf + off, byte, len);
}

/* A disk that works: what is written is read. */
static __maybe_unused void blk_works(struct blk_guest *bg, const char *after)
{
	static u32 seed;

	seed++;
	blk_fill(bg, 0, 4096, seed);
	KUNIT_EXPECT_EQ_MSG(bg->g.test, 0, blk_do(bg, VBUS_BLK_OP_WRITE, 0, 64,
						  0, 4096), "%s", after);
	blk_mark(bg);
	KUNIT_EXPECT_EQ_MSG(bg->g.test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 64,
						  8192, 4096), "%s", after);
	KUNIT_EXPECT_TRUE_MSG(bg->g.test, blk_filled(bg, 8192, 4096, seed, 0),
			      "%s", after);
	KUNIT_EXPECT_FALSE_MSG(bg->g.test, conn_guest_broken(&bg->g), "%s",
			       after);
	blk_mark(bg);
}

#endif /* _VBUS_KUNIT_BLK_GUEST_H */
