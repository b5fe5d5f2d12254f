// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": who should serve a queue, the vCPU that rings or somebody else?
 *
 * A vCPU that serves itself saves the wake-up of a thread, and of itself, which is most
 * of what a short request costs; but its guest stands still meanwhile.  A guest that
 * waits for each request loses nothing by that.  One that has more to send could have
 * gone on.  Which it is can't be seen from the ring: where storage is as fast as the
 * guest there is one request at a time in either case.
 *
 * So both are tried, and what is compared is the time that a request takes from ring to
 * ring.  A window of VDM_BLK_WINDOW requests is timed.  After some of them the other way
 * gets VDM_BLK_TRY requests, fewer if it is plainly slower, and keeps the queue if it was
 * faster; if not, it gets its next chance after twice as many windows.  Somebody else has
 * to be faster by a quarter, as he takes a CPU of his own.  After a pause the guest may
 * do something else, and all starts anew, with the vCPU.
 *
 * Who is not the vCPU also chooses when the guest is told.  As long as it goes on adding
 * it has enough to do, and an interrupt for few requests costs it more than they did.  So
 * it is told when it has sent so many as it can spare.  That is learnt: twice as many are
 * tried every few times, until it has nothing to add before it is told.  Then it is told
 * a quarter earlier, and from there one more is tried every few times.
 */
#include <linux/sched/clock.h>
#include "blk.h"

#define VDM_BLK_WINDOW		64
#define VDM_BLK_TRY		16
#define VDM_BLK_TRY_MIN		4
/* Windows until the other way is tried: first, and at most. */
#define VDM_BLK_ROUNDS		1
#define VDM_BLK_ROUNDS_MAX	64
/* Without a request for so long it is a pause. */
#define VDM_BLK_PAUSE		(20 * NSEC_PER_MSEC)

/*
 * Who is not the vCPU comes back when the guest may have added as many requests as it can
 * spare, within these bounds; when he is only tried, when there may be one.
 */
#define VDM_BLK_GAPS_MIN	4U
#define VDM_BLK_GAPS_MAX	16U
#define VDM_BLK_AWAY_MAX	(2 * NSEC_PER_MSEC)

/* What a guest can spare, at most; how often it is told until more is tried. */
#define VDM_BLK_HOLD_MAX	64U
#define VDM_BLK_HOLD_TELLS	4

static void vdm_blk_pace_reset(struct vdm_blk_pace *pace)
{
	pace->here = true;
	pace->trying = false;
	pace->rounds = 0;
	pace->rounds_max = VDM_BLK_ROUNDS;
	pace->n = 0;
	pace->hold = 1;
	pace->tells = 0;
	pace->dry = false;
}

/* The window is over: which way for the next one? */
static void vdm_blk_pace_next(struct vdm_blk_pace *pace)
{
	bool here;

	if (!pace->trying) {
		if (++pace->rounds >= pace->rounds_max) {
			pace->here = !pace->here;
			pace->trying = true;
		}
		return;
	}
	/* cost[1] is that of the vCPU. */
	here = pace->cost[1] <= pace->cost[0] + pace->cost[0] / 4;
	pace->rounds_max = here == pace->here ? VDM_BLK_ROUNDS :
			   min(2 * pace->rounds_max, VDM_BLK_ROUNDS_MAX);
	pace->here = here;
	pace->trying = false;
	pace->rounds = 0;
}

static bool vdm_blk_pace_over(const struct vdm_blk_pace *pace, u64 passed)
{
	if (!pace->trying)
		return pace->n >= VDM_BLK_WINDOW;
	return pace->n >= VDM_BLK_TRY ||
	       (pace->n >= VDM_BLK_TRY_MIN &&
		passed > 2 * pace->n * pace->cost[!pace->here]);
}

/**
 * vdm_blk_pace_count() - some requests were served, or none
 * @pace: of the queue; of who serves
 * @here: by the vCPU
 * @n: how many
 */
void vdm_blk_pace_count(struct vdm_blk_pace *pace, bool here, unsigned int n)
{
	u64 now = local_clock(), last = pace->last;

	if (!n)
		return;
	pace->last = now;
	/* Clocks of two CPUs may differ. */
	if ((s64)(now - last) > (s64)VDM_BLK_PAUSE)
		vdm_blk_pace_reset(pace);
	/* The first ones after a change are of both ways. */
	if (here != pace->here) {
		pace->n = 0;
		return;
	}
	if (!pace->n)
		pace->start = now;
	if (vdm_blk_pace_over(pace, now - pace->start)) {
		pace->cost[here] = div_u64(now - pace->start, pace->n);
		pace->n = 0;
		vdm_blk_pace_next(pace);
		return;
	}
	pace->n += n;
}

/**
 * vdm_blk_pace_away() - how long to leave the guest alone
 * @pace: of the queue
 *
 * Return: microseconds, not zero.
 */
unsigned long vdm_blk_pace_away(const struct vdm_blk_pace *pace)
{
	u64 gap = pace->cost[1];

	if (pace->cost[0] && pace->cost[0] < gap)
		gap = pace->cost[0];
	if (!pace->trying)
		gap *= clamp(pace->hold, VDM_BLK_GAPS_MIN, VDM_BLK_GAPS_MAX);
	return div_u64(min_t(u64, gap, VDM_BLK_AWAY_MAX), NSEC_PER_USEC) + 1;
}

static void vdm_blk_pace_grow(struct vdm_blk_pace *pace)
{
	unsigned int step = pace->dry ? 1 : pace->hold;

	if (++pace->tells < VDM_BLK_HOLD_TELLS)
		return;
	pace->tells = 0;
	pace->hold = min(pace->hold + step, VDM_BLK_HOLD_MAX);
}

/**
 * vdm_blk_pace_tell() - is the guest to be told of what has ended?
 * @pace: of the queue; of who serves and is not the vCPU
 * @found: requests were there when he came back
 * @untold: requests that have ended
 * @sent: these, and those that have not
 *
 * Return: false: not yet, come again after vdm_blk_pace_away().
 */
bool vdm_blk_pace_tell(struct vdm_blk_pace *pace, bool found,
		       unsigned int untold, unsigned int sent)
{
	if (pace->trying || !untold)
		return true;
	if (!found) {
		pace->hold = max(pace->hold - DIV_ROUND_UP(pace->hold, 4), 1U);
		pace->tells = 0;
		pace->dry = true;
		return true;
	}
	if (sent < pace->hold)
		return false;
	vdm_blk_pace_grow(pace);
	return true;
}

/**
 * vdm_blk_pace_init() - a queue starts
 * @pace: of the queue
 */
void vdm_blk_pace_init(struct vdm_blk_pace *pace)
{
	memset(pace, 0, sizeof(*pace));
	vdm_blk_pace_reset(pace);
}
