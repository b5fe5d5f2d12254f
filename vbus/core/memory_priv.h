/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between memory.c (use of guest memory), region.c (what lies where) and pin.c
 * (who holds and who pays for the pages).
 */
#ifndef _VBUS_MEMORY_PRIV_H
#define _VBUS_MEMORY_PRIV_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct mm_struct;
struct page;
struct user_struct;

/**
 * struct vbus_pin_owner - whose pages are pinned, and who pays
 * @mm: address space; held by mmgrab(), so it may outlive its last user
 * @user: charged for pages pinned without CAP_IPC_LOCK
 */
struct vbus_pin_owner {
	struct mm_struct *mm;
	struct user_struct *user;
};

/**
 * struct vbus_pinned - one run of pinned user pages
 * @pages: the pages
 * @nr: how many
 * @write: pinned for writing, so they count as dirty when let go
 * @charged: @nr pages are charged to the owner's user
 */
struct vbus_pinned {
	struct page **pages;
	unsigned long nr;
	bool write;
	bool charged;
};

/**
 * struct vbus_region - pages at consecutive guest addresses
 * @addr: first guest address
 * @last: last guest address; inclusive, so that it may be the very last one
 * @pin: the pages
 * @rdonly: devices may not write
 * @dying: being removed: readers take it as not there; under mem->lock, read
 *	without
 * @nr_maps: mappings, under mem->lock
 * @mem: the map it belongs to
 * @ref: held while pages are used outside an RCU section
 * @drained: @ref was killed and is gone
 * @rcu: for readers that look at @dying
 */
struct vbus_region {
	u64 addr;
	u64 last;
	struct vbus_pinned pin;
	bool rdonly;
	bool dying;
	unsigned int nr_maps;
	struct vbus_mem *mem;
	struct percpu_ref ref;
	struct completion drained;
	struct rcu_head rcu;
};

/* Addresses twice: the search stays within the table. */
struct vbus_mem_entry {
	u64 addr;
	u64 last;
	struct vbus_region __rcu *region;
};

struct vbus_mem_table {
	struct rcu_head rcu;
	unsigned int nr;
	struct vbus_mem_entry entry[];
};

/**
 * struct vbus_mem - a guest memory map
 * @lock: serialises changes; guards @nr, and of each region dying and nr_maps
 * @table: regions by address; NULL while there are none yet
 * @nr: regions, dying ones included
 * @direct: guest addresses are physical addresses, there is no table
 * @owner: whose pages the regions are
 */
struct vbus_mem {
	struct mutex lock;	/* changes of the table, nr, dying, nr_maps */
	struct vbus_mem_table __rcu *table;
	unsigned int nr;
	bool direct;
	struct vbus_pin_owner owner;
};

int vbus_pin_owner_get(struct vbus_pin_owner *owner);
void vbus_pin_owner_put(struct vbus_pin_owner *owner);

int vbus_pin(struct vbus_pin_owner *owner, struct vbus_pinned *pin,
	     unsigned long user_addr, unsigned long nr, bool write);
void vbus_unpin(struct vbus_pin_owner *owner, struct vbus_pinned *pin);

#endif /* _VBUS_MEMORY_PRIV_H */
