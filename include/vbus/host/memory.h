/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory, as a host model sees it.
 *
 * A struct vbus_mem maps guest addresses to pages.  Its pages never fault: they
 * are pinned pages of a VMM, or this kernel's own memory (loopback).  Lookups
 * are lock-free and may be done from any context, hard interrupts included.
 *
 * Lifetime: a lookup is valid inside the RCU read-side section it was made in
 * (preempt-, BH- or irq-disabled code counts as one).  Longer use takes a struct
 * vbus_mem_ref with vbus_mem_get_bvecs(), or a mapping by vbus_mem_map().
 * Removal of a region waits for refs; it is refused (EBUSY) while a mapping
 * exists.
 *
 * Pages that the hardware has lost (PageHWPoison) are not found, as if they were not
 * guest memory.  vbus_mem_read() and vbus_mem_map_read() survive to find one that nobody
 * knew of; other accesses to what was found or mapped do not.
 */
#ifndef _VBUS_HOST_MEMORY_H
#define _VBUS_HOST_MEMORY_H

#include <linux/types.h>

struct bio_vec;
struct page;
struct vbus_mem;

/* Most regions of one bus: QEMU's q35 with hotplugged DIMMs needs under 300. */
#define VBUS_MEM_MAX_REGIONS	512

/**
 * vbus_mem_create() - empty map for the pages of a VMM
 *
 * The caller's mm is charged for what vbus_mem_add() pins, and so is its user
 * unless the pinning task has CAP_IPC_LOCK; the same are uncharged later, whoever
 * drops the last page.
 *
 * Context: may sleep.
 * Return: the map; ERR_PTR: -ENOMEM, or -EINVAL in a task without a user mm.
 */
struct vbus_mem *vbus_mem_create(void);

/**
 * vbus_mem_create_direct() - map in which guest address == physical address
 *
 * For the loopback connector: the guest is this kernel. Any address backed by
 * struct page is valid; vbus_mem_add() and vbus_mem_del() return -EINVAL.
 */
struct vbus_mem *vbus_mem_create_direct(void);

/**
 * vbus_mem_destroy() - drop every region and free the map
 * @mem: the map; nobody looks anything up in it any more
 *
 * Waits for outstanding refs. All mappings must have been unmapped.
 * Context: may sleep.
 */
void vbus_mem_destroy(struct vbus_mem *mem);

/**
 * vbus_mem_add() - pin user pages as guest memory
 * @mem: the map, from vbus_mem_create()
 * @guest_addr: first guest address, page aligned
 * @length: bytes, page aligned
 * @user_addr: address in current->mm, page aligned
 * @rdonly: devices may not write
 *
 * All or nothing.
 * Context: may sleep.
 * Return: 0 or an errno as VBUS_MEM_ADD in the uAPI; -EPERM if current->mm is
 * not the mm the map was created by.
 */
int vbus_mem_add(struct vbus_mem *mem, u64 guest_addr, u64 length,
		 u64 user_addr, bool rdonly);

/**
 * vbus_mem_del() - remove a region added before
 * @mem: the map, from vbus_mem_create()
 * @guest_addr: as it was added
 * @length: as it was added
 *
 * From the call on the region is not found any more; unless the call fails, when
 * it is as before.
 * Context: may sleep, until the last ref is put.
 * Return: 0 or an errno as VBUS_MEM_DEL in the uAPI.
 */
int vbus_mem_del(struct vbus_mem *mem, u64 guest_addr, u64 length);

/**
 * vbus_mem_is_mine() - is it the memory of the process that runs?
 * @mem: the map
 *
 * Context: any.
 * Return: true in a thread of the process that made @mem with vbus_mem_create().
 */
bool vbus_mem_is_mine(const struct vbus_mem *mem);

/**
 * vbus_mem_read() - copy from guest memory
 * @mem: the map
 * @dst: kernel buffer
 * @addr: guest address; may cross pages and adjoining regions
 * @len: bytes
 *
 * Context: any.
 * Return: 0 or -EFAULT, in which case part may have been copied.
 */
int vbus_mem_read(struct vbus_mem *mem, void *dst, u64 addr, size_t len);

/**
 * vbus_mem_write() - copy to guest memory
 * @mem: the map
 * @addr: guest address; may cross pages and adjoining regions
 * @src: kernel buffer
 * @len: bytes
 *
 * Context: any.
 * Return: 0 or -EFAULT, in which case part may have been copied.
 */
int vbus_mem_write(struct vbus_mem *mem, u64 addr, const void *src, size_t len);

/**
 * vbus_mem_bvecs() - look up the pages of a range, without references
 * @mem: the map
 * @addr: guest address
 * @len: bytes, not zero
 * @write: the device will write there
 * @bv: filled in; physically adjoining pages share an entry
 * @max: entries at @bv
 *
 * Context: any; the caller holds rcu_read_lock() (or is non-preemptible) until
 * it has finished with the pages.
 * Return: entries used; -EFAULT: not guest memory, or read-only, or no bytes;
 * -ENOSPC: more than @max entries.
 */
int vbus_mem_bvecs(struct vbus_mem *mem, u64 addr, u32 len, bool write,
		   struct bio_vec *bv, unsigned int max);

/* Regions one ref can keep: a request rarely lies in more than two. */
#define VBUS_MEM_REF_REGIONS	4

/**
 * struct vbus_mem_ref - keeps guest pages past the RCU section
 * @region: private to memory.c
 *
 * Zeroed, it keeps nothing.
 */
struct vbus_mem_ref {
	void *region[VBUS_MEM_REF_REGIONS];
};

/**
 * vbus_mem_get_bvecs() - vbus_mem_bvecs() with a reference, a range at a time
 * @mem: the map
 * @addr: guest address
 * @len: bytes, not zero
 * @write: the device will write there
 * @bv: filled in from entry @nr on; pages that physically adjoin, also those of the
 *	entry before, share an entry
 * @nr: entries at @bv that are in use already
 * @max: entries at @bv
 * @ref: zeroed, or of the ranges before; to be put with vbus_mem_put(), whatever
 *	this returned, from any context
 *
 * Context: any.
 * Return: entries in use; or as vbus_mem_bvecs(), with those before still kept;
 * -E2BIG: the ranges lie in more regions than a ref can keep.
 */
int vbus_mem_get_bvecs(struct vbus_mem *mem, u64 addr, u32 len, bool write,
		       struct bio_vec *bv, unsigned int nr, unsigned int max,
		       struct vbus_mem_ref *ref);
void vbus_mem_put(struct vbus_mem_ref *ref);

/**
 * struct vbus_mem_map - a kernel mapping of a contiguous guest range
 * @vaddr: where the range is seen
 */
struct vbus_mem_map {
	void *vaddr;
	/* private: */
	void *base;
	void *cookie;
};

/**
 * vbus_mem_map() - map a guest range (a ring) into the kernel
 * @mem: the map
 * @addr: guest address
 * @len: bytes; the range must lie in one writable region
 * @map: filled in
 *
 * Context: may sleep. While the mapping exists its region can't be removed.
 * Return: 0; -EFAULT: not such a range, or no bytes; -ENOMEM.
 */
int vbus_mem_map(struct vbus_mem *mem, u64 addr, size_t len,
		 struct vbus_mem_map *map);
void vbus_mem_unmap(struct vbus_mem_map *map);

/**
 * vbus_mem_map_read() - copy from a mapping
 * @map: the mapping
 * @dst: kernel buffer
 * @off: where in the mapping
 * @len: bytes, all inside of it
 *
 * For more than single words; survives broken memory as vbus_mem_read() does.
 *
 * Context: any.
 * Return: 0 or -EFAULT, in which case part may have been copied.
 */
int vbus_mem_map_read(const struct vbus_mem_map *map, void *dst, size_t off,
		      size_t len);

#endif /* _VBUS_HOST_MEMORY_H */
