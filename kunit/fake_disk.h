/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A block device made of memory, for suites of what lies in front of it: it keeps
 * bios until it is told to let them go, fails them in any way, and remembers how
 * they were flagged.
 *
 * Fields may be bent between fake_disk_alloc() and fake_disk_add(), those from @hold
 * on at any time.
 */
#ifndef _VBUS_KUNIT_FAKE_DISK_H
#define _VBUS_KUNIT_FAKE_DISK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#define FAKE_DISK_BYTES		(1024 * 1024)
#define FAKE_DISK_SECTORS	(FAKE_DISK_BYTES >> SECTOR_SHIFT)

/* No operation, but counted as one. */
#define FAKE_DISK_FLUSH		((__force u32)REQ_OP_LAST)

/* What a discarded sector reads as. */
#define FAKE_DISK_DISCARDED	0xdd

/**
 * struct fake_disk - the device
 * @disk: its gendisk
 * @data: what is on it
 * @lock: @held and what is counted
 * @added: there is a node in /dev
 * @hold: bios are kept
 * @again: those that must not wait would have to
 * @block: who sends one waits, until it is false and @wait is woken
 * @status: what bios end with
 * @flush_status: the same of those with REQ_PREFLUSH, if it is not @status
 * @held: bios kept
 * @nr_held: their number
 * @wait: woken when there is one more
 * @count: bios by operation
 * @fua: writes that had to be on stable storage
 * @flushes: bios with REQ_PREFLUSH
 * @watch: a thread
 * @watched: what it has sent, by operation, or FAKE_DISK_FLUSH
 * @nowait: bios that must not wait
 */
struct fake_disk {
	struct gendisk *disk;
	u8 *data;
	spinlock_t lock;	/* held, counters */
	bool added;
	bool hold;
	bool again;
	bool block;
	blk_status_t status;
	blk_status_t flush_status;
	struct bio_list held;
	unsigned int nr_held;
	wait_queue_head_t wait;
	unsigned int count[(__force u32)REQ_OP_LAST];
	unsigned int fua;
	unsigned int flushes;
	struct task_struct *watch;
	unsigned int watched[(__force u32)REQ_OP_LAST + 1];
	unsigned int nowait;
};

/* Sectors of 512, no cache, no discard, can be asked not to wait; NULL: no memory. */
struct fake_disk *fake_disk_alloc(const char *name, size_t bytes);
int fake_disk_add(struct fake_disk *fd);
/* The device is pulled out; it stays in memory. */
void fake_disk_pull(struct fake_disk *fd);
void fake_disk_free(struct fake_disk *fd);

/* Wait until @n bios are kept.  Return: false if that takes too long. */
bool fake_disk_holds(struct fake_disk *fd, unsigned int n);
static inline unsigned int fake_disk_count(const struct fake_disk *fd,
					   enum req_op op)
{
	return fd->count[(__force u32)op];
}

/* Let one go, the one kept last. */
void fake_disk_let_last(struct fake_disk *fd);
/* Let all go, and keep no more. */
void fake_disk_let_all(struct fake_disk *fd);

#endif /* _VBUS_KUNIT_FAKE_DISK_H */
