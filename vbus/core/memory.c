// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory, as it is used: what lies at a guest address, copies, page lists
 * and mappings.  Where the table of regions comes from and how a region goes away
 * is in region.c.
 *
 * Readers search mem->table under rcu_read_lock() and use what they found inside
 * the same section, or take the region's ref there.  Mappings are counted under
 * mem->lock.  The direct back end has no table and nothing that goes away.
 */
#include <linux/bvec.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <vbus/host/memory.h>

#include "memory_priv.h"

/* Every page has a kernel address, and a page number fits a long. */
static_assert(BITS_PER_LONG == 64);

/* Part of a guest range that one lookup vouches for. */
struct vbus_mem_span {
	struct vbus_region *region;	/* NULL: direct */
	unsigned long index;		/* of its pages; direct: page number */
	u64 len;
};

static struct vbus_region *vbus_mem_find(struct vbus_mem *mem, u64 addr)
{
	struct vbus_mem_table *table;
	unsigned int lo = 0, hi, mid, nr;
	struct vbus_mem_entry *e;
	struct vbus_region *region;

	table = rcu_dereference_check(mem->table,
				      lockdep_is_held(&mem->lock));
	nr = table ? table->nr : 0;
	hi = nr;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		/* Where the search ends the guest chooses. */
		e = &table->entry[array_index_nospec(mid, nr)];
		if (addr > e->last) {
			lo = mid + 1;
		} else if (addr < e->addr) {
			hi = mid;
		} else {
			region = rcu_dereference_check(e->region,
						       lockdep_is_held(&mem->lock));
			return region && !READ_ONCE(region->dying) ? region : NULL;
		}
	}
	return NULL;
}

/* Finds what lies at @addr, up to @len bytes and to the end of its region. */
static bool vbus_mem_span(struct vbus_mem *mem, u64 addr, u64 len, bool write,
			  struct vbus_mem_span *span)
{
	struct vbus_region *region;

	if (mem->direct) {
		span->region = NULL;
		span->index = addr >> PAGE_SHIFT;
		span->len = len;
		return true;
	}
	region = vbus_mem_find(mem, addr);
	if (!region || (write && region->rdonly))
		return false;
	span->region = region;
	span->index = (addr - region->addr) >> PAGE_SHIFT;
	span->len = len;
	/* By difference: last + 1 may be beyond 64 bits. */
	if (len - 1 > region->last - addr)
		span->len = region->last - addr + 1;
	return true;
}

/*
 * The guest chose the address, so a mispredicted bounds check must not lead to
 * another process's memory.
 *
 * A page that memory_failure() has marked stays pinned, but it is not there any more:
 * who reads it would have another machine check, and in most code that is fatal.
 */
static struct page *vbus_span_page(const struct vbus_mem_span *span,
				   unsigned long n)
{
	unsigned long index = span->index + n;
	struct page *page;

	if (!span->region) {
		if (!pfn_valid(index))
			return NULL;
		page = pfn_to_page(index);
	} else {
		index = array_index_nospec(index, span->region->pin.nr);
		page = span->region->pin.pages[index];
	}
	if (IS_ENABLED(CONFIG_MEMORY_FAILURE) &&
	    unlikely(is_page_hwpoison(page)))
		return NULL;
	return page;
}

/*
 * The first to find that memory of the guest is broken survives it, where the CPU can.
 * The machine check handler leaves it to us to say which page is to be given up; its
 * owner gets SIGBUS, and lookups do not find it any more.
 */
static bool vbus_page_read(struct page *page, unsigned int off, void *buf,
			   unsigned int n)
{
	if (likely(!copy_mc_to_kernel(buf, page_address(page) + off, n)))
		return true;
	memory_failure_queue(page_to_pfn(page), 0);
	return false;
}

/* A range that wraps is nobody's, even with regions at both ends. */
static bool vbus_mem_wraps(u64 addr, u64 len)
{
	u64 last;

	return check_add_overflow(addr, len - 1, &last);
}

static bool vbus_span_copy(struct vbus_mem_span *span, unsigned int off,
			   void *buf, bool write)
{
	struct page *page;
	unsigned long i;
	unsigned int n;

	for (i = 0; span->len; i++) {
		page = vbus_span_page(span, i);
		if (!page)
			return false;
		n = min_t(u64, span->len, PAGE_SIZE - off);
		if (write)
			memcpy(page_address(page) + off, buf, n);
		else if (!vbus_page_read(page, off, buf, n))
			return false;
		buf += n;
		span->len -= n;
		off = 0;
	}
	return true;
}

static int vbus_mem_copy(struct vbus_mem *mem, u64 addr, void *buf, size_t len,
			 bool write)
{
	struct vbus_mem_span span;
	int ret = 0;
	u64 n;

	if (!len)
		return 0;
	if (vbus_mem_wraps(addr, len))
		return -EFAULT;

	rcu_read_lock();
	while (len) {
		if (!vbus_mem_span(mem, addr, len, write, &span)) {
			ret = -EFAULT;
			break;
		}
		n = span.len;
		if (!vbus_span_copy(&span, offset_in_page(addr), buf, write)) {
			ret = -EFAULT;
			break;
		}
		addr += n;
		buf += n;
		len -= n;
	}
	rcu_read_unlock();
	return ret;
}

/* The owner's mm is held, so no other can have its address. */
bool vbus_mem_is_mine(const struct vbus_mem *mem)
{
	return current->mm && current->mm == mem->owner.mm;
}

int vbus_mem_read(struct vbus_mem *mem, void *dst, u64 addr, size_t len)
{
	return vbus_mem_copy(mem, addr, dst, len, false);
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_read, VBUS_MODEL);

int vbus_mem_write(struct vbus_mem *mem, u64 addr, const void *src, size_t len)
{
	return vbus_mem_copy(mem, addr, (void *)src, len, true);
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_write, VBUS_MODEL);

/* Appends to the @nr entries at @bv that are in use already. */
static int vbus_span_bvecs(struct vbus_mem_span *span, unsigned int off,
			   struct bio_vec *bv, unsigned int nr,
			   unsigned int max)
{
	phys_addr_t end = 0, phys;
	struct page *page;
	unsigned long i;
	unsigned int n;

	if (nr)
		end = page_to_phys(bv[nr - 1].bv_page) + bv[nr - 1].bv_offset +
		      bv[nr - 1].bv_len;
	for (i = 0; span->len; i++) {
		page = vbus_span_page(span, i);
		if (!page)
			return -EFAULT;
		n = min_t(u64, span->len, PAGE_SIZE - off);
		phys = page_to_phys(page) + off;
		if (nr && phys == end) {
			bv[nr - 1].bv_len += n;
		} else {
			if (nr == max)
				return -ENOSPC;
			bv[nr].bv_page = page;
			bv[nr].bv_len = n;
			bv[nr].bv_offset = off;
			nr++;
		}
		end = phys + n;
		span->len -= n;
		off = 0;
	}
	return nr;
}

int vbus_mem_bvecs(struct vbus_mem *mem, u64 addr, u32 len, bool write,
		   struct bio_vec *bv, unsigned int max)
{
	struct vbus_mem_span span;
	int nr = 0;
	u32 n;

	RCU_LOCKDEP_WARN(!rcu_read_lock_any_held(),
			 "guest pages looked up outside an RCU section");
	if (!len || vbus_mem_wraps(addr, len))
		return -EFAULT;

	rcu_read_lock();
	while (len) {
		if (!vbus_mem_span(mem, addr, len, write, &span)) {
			nr = -EFAULT;
			break;
		}
		n = span.len;
		nr = vbus_span_bvecs(&span, offset_in_page(addr), bv, nr, max);
		if (nr < 0)
			break;
		addr += n;
		len -= n;
	}
	rcu_read_unlock();
	return nr;
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_bvecs, VBUS_MODEL);

/* Keep @region, unless @ref does so already. */
static int vbus_mem_keep(struct vbus_mem_ref *ref, struct vbus_region *region)
{
	unsigned int i;

	for (i = 0; i < VBUS_MEM_REF_REGIONS; i++) {
		if (ref->region[i] == region)
			return 0;
		if (ref->region[i])
			continue;
		/* Fails if the region began to die after it was found. */
		if (!percpu_ref_tryget_live_rcu(&region->ref))
			return -EFAULT;
		ref->region[i] = region;
		return 0;
	}
	return -E2BIG;
}

int vbus_mem_get_bvecs(struct vbus_mem *mem, u64 addr, u32 len, bool write,
		       struct bio_vec *bv, unsigned int nr, unsigned int max,
		       struct vbus_mem_ref *ref)
{
	struct vbus_mem_span span;
	int ret = nr;
	u32 n;

	if (!len || vbus_mem_wraps(addr, len))
		return -EFAULT;

	rcu_read_lock();
	while (len) {
		if (!vbus_mem_span(mem, addr, len, write, &span)) {
			ret = -EFAULT;
			break;
		}
		n = span.len;
		if (span.region) {
			int err = vbus_mem_keep(ref, span.region);

			if (err) {
				ret = err;
				break;
			}
		}
		ret = vbus_span_bvecs(&span, offset_in_page(addr), bv, ret, max);
		if (ret < 0)
			break;
		addr += n;
		len -= n;
	}
	rcu_read_unlock();
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_get_bvecs, VBUS_MODEL);

void vbus_mem_put(struct vbus_mem_ref *ref)
{
	struct vbus_region *region;
	unsigned int i;

	for (i = 0; i < VBUS_MEM_REF_REGIONS && ref->region[i]; i++) {
		region = ref->region[i];
		ref->region[i] = NULL;
		percpu_ref_put(&region->ref);
	}
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_put, VBUS_MODEL);

/*
 * Mappings
 */

/*
 * The kernel's own mapping of @nr pages, or NULL if they are not next to each other.
 * ERR_PTR: one of them is not there.
 */
static void *vbus_span_address(const struct vbus_mem_span *span,
			       unsigned long nr)
{
	struct page *first = vbus_span_page(span, 0), *page;
	bool adjoin = true;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		page = vbus_span_page(span, i);
		if (!page)
			return ERR_PTR(-EFAULT);
		adjoin &= page_to_pfn(page) == page_to_pfn(first) + i;
	}
	return adjoin ? page_address(first) : NULL;
}

int vbus_mem_map(struct vbus_mem *mem, u64 addr, size_t len,
		 struct vbus_mem_map *map)
{
	struct vbus_mem_span span;
	unsigned long nr;
	int ret = 0;
	void *vaddr;

	memset(map, 0, sizeof(*map));
	if (!len || vbus_mem_wraps(addr, len))
		return -EFAULT;

	mutex_lock(&mem->lock);
	if (!vbus_mem_span(mem, addr, len, true, &span) || span.len != len) {
		ret = -EFAULT;
		goto out;
	}
	nr = ((addr + (len - 1)) >> PAGE_SHIFT) - (addr >> PAGE_SHIFT) + 1;
	/* Saves the time and the TLB entries of a second mapping. */
	vaddr = vbus_span_address(&span, nr);
	if (IS_ERR(vaddr)) {
		ret = PTR_ERR(vaddr);
		goto out;
	}
	if (!vaddr) {
		map->base = vmap(span.region->pin.pages + span.index, nr,
				 VM_MAP, PAGE_KERNEL);
		if (!map->base) {
			ret = -ENOMEM;
			goto out;
		}
		vaddr = map->base;
	}
	map->vaddr = vaddr + offset_in_page(addr);
	map->cookie = span.region;
	if (span.region)
		span.region->nr_maps++;
out:
	mutex_unlock(&mem->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_map, VBUS_MODEL);

int vbus_mem_map_read(const struct vbus_mem_map *map, void *dst, size_t off,
		      size_t len)
{
	void *src = map->vaddr + off;
	struct page *page;
	unsigned int n;

	for (; len; len -= n, src += n, dst += n) {
		n = min_t(size_t, len, PAGE_SIZE - offset_in_page(src));
		page = map->base ? vmalloc_to_page(src) : virt_to_page(src);
		if (!vbus_page_read(page, offset_in_page(src), dst, n))
			return -EFAULT;
	}
	return 0;
}

void vbus_mem_unmap(struct vbus_mem_map *map)
{
	struct vbus_region *region = map->cookie;

	vunmap(map->base);
	if (region) {
		mutex_lock(&region->mem->lock);
		region->nr_maps--;
		mutex_unlock(&region->mem->lock);
	}
	memset(map, 0, sizeof(*map));
}
EXPORT_SYMBOL_NS_GPL(vbus_mem_unmap, VBUS_MODEL);
