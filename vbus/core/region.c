// SPDX-License-Identifier: GPL-2.0
/*
 * The regions of guest memory: how they come and go.
 *
 * Readers (memory.c) search mem->table, a sorted array that is replaced whole.
 * Two words behind it may change while it is published: a region's dying flag,
 * which hides the region from readers, and an entry's pointer, which goes to NULL
 * for good.  So removal allocates nothing and can always be taken back: the entry
 * stays in place until the region is past the point of no return; the next add
 * drops empty entries.
 *
 * mem->lock serialises the writers.  It is not held while pages are pinned or
 * refs awaited, as both may last as long as userspace or a device likes.
 *
 * Removal of a region, in this order:
 *   1. dying is set, so that nobody new finds it       (lock held)
 *   2. its ref is killed                               (lock held)
 *   3. synchronize_rcu(): who found it before is done, or holds a ref
 *   4. the last ref is put
 *   5. its entry is emptied                            (lock held)
 *   6. pages are unpinned; the struct itself waits for readers that still look
 *      at dying
 * A fatal signal in step 4 takes 2 and 1 back.  A region that is dying still
 * occupies its addresses, since it may come back.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <vbus/host/model.h>
#include <vbus/host/memory.h>

#include "memory_priv.h"

static struct vbus_mem_table *vbus_mem_table(struct vbus_mem *mem)
{
	return rcu_dereference_protected(mem->table,
					 lockdep_is_held(&mem->lock));
}

static struct vbus_region *vbus_mem_region(struct vbus_mem *mem,
					   struct vbus_mem_table *table,
					   unsigned int i)
{
	return rcu_dereference_protected(table->entry[i].region,
					 lockdep_is_held(&mem->lock));
}

static void vbus_region_drained(struct percpu_ref *ref)
{
	struct vbus_region *region = container_of(ref, struct vbus_region, ref);

	complete(&region->drained);
}

static struct vbus_region *vbus_region_alloc(struct vbus_mem *mem, u64 addr,
					     u64 last, bool rdonly)
{
	struct vbus_region *region;

	region = kzalloc(sizeof(*region), VBUS_GFP_GUEST);
	if (!region)
		return NULL;
	region->addr = addr;
	region->last = last;
	region->rdonly = rdonly;
	region->mem = mem;
	init_completion(&region->drained);
	/* Revived when a removal is interrupted. */
	if (percpu_ref_init(&region->ref, vbus_region_drained,
			    PERCPU_REF_ALLOW_REINIT, VBUS_GFP_GUEST)) {
		kfree(region);
		return NULL;
	}
	return region;
}

/* A reader may still look at the dying flag, and at nothing else. */
static void vbus_region_free(struct vbus_region *region)
{
	percpu_ref_exit(&region->ref);
	kfree_rcu(region, rcu);
}

static int vbus_mem_may_add(struct vbus_mem *mem, u64 addr, u64 last)
{
	struct vbus_mem_table *table = vbus_mem_table(mem);
	unsigned int i;

	lockdep_assert_held(&mem->lock);
	for (i = 0; table && i < table->nr; i++) {
		if (vbus_mem_region(mem, table, i) &&
		    addr <= table->entry[i].last && last >= table->entry[i].addr)
			return -EEXIST;
	}
	return mem->nr < VBUS_MEM_MAX_REGIONS ? 0 : -ENOSPC;
}

static int vbus_mem_insert(struct vbus_mem *mem, struct vbus_region *region)
{
	struct vbus_mem_table *old = vbus_mem_table(mem), *new;
	unsigned int i, nr = 0;

	lockdep_assert_held(&mem->lock);
	new = kvmalloc(struct_size(new, entry, mem->nr + 1),
		       VBUS_GFP_GUEST);
	if (!new)
		return -ENOMEM;

	for (i = 0; old && i < old->nr; i++)
		if (vbus_mem_region(mem, old, i))
			new->entry[nr++] = old->entry[i];
	for (i = nr; i && new->entry[i - 1].addr > region->addr; i--)
		new->entry[i] = new->entry[i - 1];
	new->entry[i].addr = region->addr;
	new->entry[i].last = region->last;
	RCU_INIT_POINTER(new->entry[i].region, region);
	new->nr = nr + 1;
	mem->nr = new->nr;
	rcu_assign_pointer(mem->table, new);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

int vbus_mem_add(struct vbus_mem *mem, u64 guest_addr, u64 length,
		 u64 user_addr, bool rdonly)
{
	struct vbus_region *region;
	u64 last, user_last;
	int ret;

	if (mem->direct || !length ||
	    !PAGE_ALIGNED(guest_addr | length | user_addr) ||
	    check_add_overflow(guest_addr, length - 1, &last) ||
	    check_add_overflow(user_addr, length - 1, &user_last))
		return -EINVAL;
	if (current->mm != mem->owner.mm)
		return -EPERM;

	/* Asked before the pages are pinned, and again when they are. */
	mutex_lock(&mem->lock);
	ret = vbus_mem_may_add(mem, guest_addr, last);
	mutex_unlock(&mem->lock);
	if (ret)
		return ret;

	region = vbus_region_alloc(mem, guest_addr, last, rdonly);
	if (!region)
		return -ENOMEM;
	ret = vbus_pin(&mem->owner, &region->pin, user_addr,
		       length >> PAGE_SHIFT, !rdonly);
	if (ret)
		goto err_free;

	mutex_lock(&mem->lock);
	ret = vbus_mem_may_add(mem, guest_addr, last);
	if (!ret)
		ret = vbus_mem_insert(mem, region);
	mutex_unlock(&mem->lock);
	if (ret)
		goto err_unpin;
	return 0;

err_unpin:
	vbus_unpin(&mem->owner, &region->pin);
err_free:
	vbus_region_free(region);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_add, VBUS_SESSION);

/* Steps 1 and 2 of removal, see the top. */
static void vbus_region_kill(struct vbus_region *region)
{
	lockdep_assert_held(&region->mem->lock);
	WRITE_ONCE(region->dying, true);
	percpu_ref_kill(&region->ref);
}

static void vbus_region_revive(struct vbus_region *region)
{
	lockdep_assert_held(&region->mem->lock);
	percpu_ref_resurrect(&region->ref);
	/* A put that saw zero just before may still be about to complete(). */
	synchronize_rcu();
	reinit_completion(&region->drained);
	WRITE_ONCE(region->dying, false);
}

int vbus_mem_del(struct vbus_mem *mem, u64 guest_addr, u64 length)
{
	struct vbus_region *region = NULL;
	struct vbus_mem_table *table;
	unsigned int i;
	int ret;

	if (mem->direct)
		return -EINVAL;

	mutex_lock(&mem->lock);
	table = vbus_mem_table(mem);
	for (i = 0; table && i < table->nr && !region; i++) {
		region = vbus_mem_region(mem, table, i);
		if (region && (region->addr != guest_addr ||
			       region->last - region->addr != length - 1))
			region = NULL;
	}
	ret = -ENOENT;
	if (!region)
		goto out;
	ret = -EBUSY;
	if (region->dying || region->nr_maps)
		goto out;
	vbus_region_kill(region);
	mutex_unlock(&mem->lock);

	synchronize_rcu();
	ret = wait_for_completion_killable(&region->drained);

	mutex_lock(&mem->lock);
	if (ret && !try_wait_for_completion(&region->drained)) {
		vbus_region_revive(region);
		ret = -EINTR;
		goto out;
	}
	/* The table may be another than above. */
	table = vbus_mem_table(mem);
	for (i = 0; i < table->nr; i++)
		if (vbus_mem_region(mem, table, i) == region)
			RCU_INIT_POINTER(table->entry[i].region, NULL);
	mem->nr--;
	mutex_unlock(&mem->lock);

	vbus_unpin(&mem->owner, &region->pin);
	vbus_region_free(region);
	return 0;
out:
	mutex_unlock(&mem->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_del, VBUS_SESSION);

/*
 * The map itself
 */

static struct vbus_mem *vbus_mem_alloc(void)
{
	struct vbus_mem *mem;

	mem = kzalloc(sizeof(*mem), VBUS_GFP_GUEST);
	if (mem)
		mutex_init(&mem->lock);
	return mem;
}

struct vbus_mem *vbus_mem_create(void)
{
	struct vbus_mem *mem;
	int ret;

	mem = vbus_mem_alloc();
	if (!mem)
		return ERR_PTR(-ENOMEM);
	ret = vbus_pin_owner_get(&mem->owner);
	if (ret) {
		kfree(mem);
		return ERR_PTR(ret);
	}
	return mem;
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_create, VBUS_SESSION);

struct vbus_mem *vbus_mem_create_direct(void)
{
	struct vbus_mem *mem;

	mem = vbus_mem_alloc();
	if (!mem)
		return ERR_PTR(-ENOMEM);
	mem->direct = true;
	return mem;
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_create_direct, VBUS_SESSION);

void vbus_mem_destroy(struct vbus_mem *mem)
{
	struct vbus_mem_table *table;
	struct vbus_region *region;
	unsigned int i;

	mutex_lock(&mem->lock);
	table = vbus_mem_table(mem);
	for (i = 0; table && i < table->nr; i++) {
		region = vbus_mem_region(mem, table, i);
		if (region) {
			WARN_ON_ONCE(region->nr_maps);
			vbus_region_kill(region);
		}
	}
	RCU_INIT_POINTER(mem->table, NULL);
	mutex_unlock(&mem->lock);

	if (table)
		synchronize_rcu();
	for (i = 0; table && i < table->nr; i++) {
		region = rcu_dereference_protected(table->entry[i].region, true);
		if (!region)
			continue;
		wait_for_completion(&region->drained);
		vbus_unpin(&mem->owner, &region->pin);
		vbus_region_free(region);
	}
	kvfree(table);
	if (!mem->direct)
		vbus_pin_owner_put(&mem->owner);
	mutex_destroy(&mem->lock);
	kfree(mem);
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_destroy, VBUS_SESSION);
