// SPDX-License-Identifier: GPL-2.0
/*
 * Long-term pins of user pages, and what they are charged to.
 *
 * Every pinned page counts in the mm's pinned_vm.  A caller without
 * CAP_IPC_LOCK is charged in its user's locked_vm besides, where io_uring and
 * others charge too, up to RLIMIT_MEMLOCK.  What was charged is written down
 * with the pages, so the same amount goes back to the same mm and user whoever
 * drops the pages, and whatever capabilities that task has.
 *
 * No locks: both counters are atomic, and a struct vbus_pinned belongs to one
 * region, which is made and freed by one task each.
 */
#include <linux/capability.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <vbus/host/model.h>

#include "memory_priv.h"

/* Pages between two looks at the scheduler and at fatal signals: 2 MiB. */
#define VBUS_PIN_BATCH	512UL

/* kvmalloc() refuses, with a warning, what is larger than INT_MAX. */
#define VBUS_PIN_MAX	(INT_MAX / sizeof(struct page *))

int vbus_pin_owner_get(struct vbus_pin_owner *owner)
{
	if (!current->mm)
		return -EINVAL;

	mmgrab(current->mm);
	owner->mm = current->mm;
	owner->user = get_uid(current_user());
	return 0;
}

void vbus_pin_owner_put(struct vbus_pin_owner *owner)
{
	free_uid(owner->user);
	mmdrop(owner->mm);
}

static int vbus_charge(struct vbus_pin_owner *owner, struct vbus_pinned *pin,
		       unsigned long nr)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long locked;

	pin->charged = !capable(CAP_IPC_LOCK);
	if (pin->charged) {
		locked = atomic_long_read(&owner->user->locked_vm);
		do {
			if (nr > limit || locked > limit - nr)
				return -ENOMEM;
		} while (!atomic_long_try_cmpxchg(&owner->user->locked_vm,
						  &locked, locked + nr));
	}
	atomic64_add(nr, &owner->mm->pinned_vm);
	return 0;
}

static void vbus_uncharge(struct vbus_pin_owner *owner,
			  struct vbus_pinned *pin, unsigned long nr)
{
	if (pin->charged)
		atomic_long_sub(nr, &owner->user->locked_vm);
	atomic64_sub(nr, &owner->mm->pinned_vm);
}

static void vbus_unpin_pages(struct vbus_pinned *pin)
{
	unsigned long done, n;

	for (done = 0; done < pin->nr; done += n) {
		n = min(pin->nr - done, VBUS_PIN_BATCH);
		unpin_user_pages_dirty_lock(pin->pages + done, n, pin->write);
		cond_resched();
	}
}

/*
 * Is it the page cache of a regular file?  A device would write to it behind the
 * file system's back, long after it was written out and cleaned.  Memory files
 * (tmpfs, memfd, hugetlbfs) have no such back.  Pages are asked, not vmas: those
 * may have changed since.
 */
static bool vbus_page_is_file(struct page *page)
{
	page = compound_head(page);
	return !PageAnon(page) && !PageSwapBacked(page) && !PageHuge(page) &&
	       READ_ONCE(page->mapping);
}

/**
 * vbus_pin() - pin and charge user pages of the current mm
 * @owner: who pays; @owner->mm is current->mm
 * @pin: filled in
 * @user_addr: first address, page aligned
 * @nr: pages, not zero
 * @write: the pages will be written to
 *
 * With @write unset the pages are as a reader of the mapping finds them now: a
 * page of a private file mapping that the owner writes to for the first time
 * later is replaced in its mm, and the pin keeps the old one.
 *
 * Return: 0; -ENOMEM limit, or no memory; -EINTR killed; -EOPNOTSUPP pages to be
 * written belong to a regular file; -EFAULT or another errno of
 * pin_user_pages(): nothing there that can be pinned.
 */
int vbus_pin(struct vbus_pin_owner *owner, struct vbus_pinned *pin,
	     unsigned long user_addr, unsigned long nr, bool write)
{
	unsigned int gup_flags = FOLL_LONGTERM | (write ? FOLL_WRITE : 0);
	unsigned long checked = 0;
	int ret;

	/* Not more than can be there, before any memory is spent on it. */
	if (nr > VBUS_PIN_MAX || nr > totalram_pages())
		return -ENOMEM;
	ret = vbus_charge(owner, pin, nr);
	if (ret)
		return ret;

	pin->write = write;
	pin->nr = 0;
	pin->pages = kvmalloc_array(nr, sizeof(*pin->pages),
				    VBUS_GFP_GUEST);
	if (!pin->pages) {
		ret = -ENOMEM;
		goto err_uncharge;
	}

	while (pin->nr < nr) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			goto err_unpin;
		}
		ret = pin_user_pages_fast(user_addr + (pin->nr << PAGE_SHIFT),
					  min(nr - pin->nr, VBUS_PIN_BATCH),
					  gup_flags, pin->pages + pin->nr);
		if (ret <= 0) {
			ret = ret ?: -EFAULT;
			goto err_unpin;
		}
		pin->nr += ret;
		for (; write && checked < pin->nr; checked++) {
			if (vbus_page_is_file(pin->pages[checked])) {
				pr_err_ratelimited("vbus: guest memory that devices write to is anonymous, a memfd, or on tmpfs or hugetlbfs; not another file\n");
				ret = -EOPNOTSUPP;
				goto err_unpin;
			}
		}
		cond_resched();
	}
	return 0;

err_unpin:
	/* No device has written to them yet. */
	pin->write = false;
	vbus_unpin_pages(pin);
	kvfree(pin->pages);
err_uncharge:
	vbus_uncharge(owner, pin, nr);
	return ret;
}

/**
 * vbus_unpin() - let go of pages from vbus_pin() and return the charge
 * @owner: as for vbus_pin()
 * @pin: the pages
 *
 * Context: may sleep; any task.
 */
void vbus_unpin(struct vbus_pin_owner *owner, struct vbus_pinned *pin)
{
	vbus_unpin_pages(pin);
	kvfree(pin->pages);
	vbus_uncharge(owner, pin, pin->nr);
}
