// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": who serves a queue, the vCPU that kicks (inline) or a worker?
 *
 * Serving inline saves the wake-up of a worker, which is most of what a short request
 * costs; but the guest stands still meanwhile.  A guest that waits for each request
 * loses nothing by that.  One that has more to send could have gone on.  Which it is
 * can't be seen from the ring: where storage is as fast as the guest there is one
 * request at a time in either case.
 *
 * So both are tried, and the time that a request takes from one to the next is compared.
 * It includes what exits, wake-ups and interrupts cost on this machine.  A window of
 * VDM_BLK_WINDOW requests is timed.  After some of them the other one gets VDM_BLK_TRY
 * requests, fewer if it is plainly slower, and keeps the queue if it was faster; if not,
 * it gets its next chance after twice as many windows.  A worker has to be faster by a
 * quarter, as it takes a CPU of its own.  After a pause the guest may do something
 * else, and all starts anew, inline.
 */
#include <linux/sched/clock.h>
#include "blk.h"

#define VDM_BLK_WINDOW		64
#define VDM_BLK_TRY		32
#define VDM_BLK_TRY_MIN		4
/*
 * Windows until the other one is tried: first, and at most.  A try of the vCPU costs an
 * exit for each request; staying inline where a worker is faster costs far more.
 */
#define VDM_BLK_ROUNDS		1
#define VDM_BLK_ROUNDS_MAX	256
#define VDM_BLK_ROUNDS_INLINE	32
/* Without a request for so long it is a pause. */
#define VDM_BLK_PAUSE		(50 * NSEC_PER_MSEC)

static void vdm_blk_place_reset(struct vdm_blk_place *place)
{
	place->who = VDM_BLK_INLINE;
	place->trying = false;
	place->rounds = 0;
	place->rounds_max = VDM_BLK_ROUNDS;
	place->n = 0;
}

/* The window is over: who serves the next one? */
static void vdm_blk_place_next(struct vdm_blk_place *place)
{
	u64 worker = place->cost[VDM_BLK_WORKER];
	enum vdm_blk_who who;

	if (!place->trying) {
		if (++place->rounds >= place->rounds_max) {
			place->who = !place->who;
			place->trying = true;
		}
		return;
	}
	who = place->cost[VDM_BLK_INLINE] <= worker + worker / 4 ?
	      VDM_BLK_INLINE : VDM_BLK_WORKER;
	place->rounds_max = who == place->who ? VDM_BLK_ROUNDS :
			    min(2 * place->rounds_max, who == VDM_BLK_INLINE ?
				VDM_BLK_ROUNDS_INLINE : VDM_BLK_ROUNDS_MAX);
	place->who = who;
	place->trying = false;
	place->rounds = 0;
}

static bool vdm_blk_place_over(const struct vdm_blk_place *place, u64 passed)
{
	u64 halves = place->n * place->cost[!place->who];

	if (!place->trying)
		return place->n >= VDM_BLK_WINDOW;
	/* A worker is slow at first, until moderation has learnt. */
	halves *= place->who == VDM_BLK_INLINE ? 3 : 4;
	return place->n >= VDM_BLK_TRY ||
	       (place->n >= VDM_BLK_TRY_MIN && 2 * passed > halves);
}

/**
 * vdm_blk_place_count() - some requests were served, or none
 * @place: of the queue; of who serves
 * @who: served them
 * @n: how many
 */
void vdm_blk_place_count(struct vdm_blk_place *place, enum vdm_blk_who who,
			 unsigned int n)
{
	u64 now = local_clock(), last = place->last;

	if (!n)
		return;
	place->last = now;
	/* Clocks of two CPUs may differ. */
	if ((s64)(now - last) > (s64)VDM_BLK_PAUSE)
		vdm_blk_place_reset(place);
	/* The first ones after a change belong to both. */
	if (who != place->who) {
		place->n = 0;
		return;
	}
	if (!place->n)
		place->start = now;
	if (vdm_blk_place_over(place, now - place->start)) {
		place->cost[who] = div_u64(now - place->start, place->n);
		place->n = 0;
		vdm_blk_place_next(place);
		return;
	}
	place->n += n;
}

/**
 * vdm_blk_place_retry() - the guest has few requests at a time: inline may be faster now
 * @place: of the queue; of who serves
 */
void vdm_blk_place_retry(struct vdm_blk_place *place)
{
	if (!place->trying)
		place->rounds_max = VDM_BLK_ROUNDS;
}

/**
 * vdm_blk_place_init() - a queue starts
 * @place: of the queue
 */
void vdm_blk_place_init(struct vdm_blk_place *place)
{
	memset(place, 0, sizeof(*place));
	vdm_blk_place_reset(place);
}
