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
 * Who is not the vCPU also chooses when the guest rings and when it is told.  As long as it
 * goes on adding it has enough to do, and an exit or an interrupt for few requests costs it
 * more than they did.  So it is asked to ring, and is told, when it has sent so many as it
 * can spare.  That is learnt: more are tried after some times, then twice as many more and
 * so on, until it has not sent them after more time than it should need.  What had just been
 * added is taken back then, and tried again after twice as many times; or, if nothing had,
 * a quarter is given up.
 */
#include <linux/sched/clock.h>
#include "blk.h"

#define VDM_BLK_WINDOW		64
#define VDM_BLK_TRY		32
#define VDM_BLK_TRY_MIN		4
/*
 * Windows until the other way is tried: first, and at most.  To try the vCPU costs an
 * interrupt for each request; to do without somebody else costs it for far more.
 */
#define VDM_BLK_ROUNDS		1
#define VDM_BLK_ROUNDS_MAX	256
#define VDM_BLK_ROUNDS_HERE	32
/* Without a request for so long it is a pause. */
#define VDM_BLK_PAUSE		(50 * NSEC_PER_MSEC)

/*
 * So often the time that a guest should need for as many as it can spare, and for this many
 * at least, is waited for them.  Less is too little where it shares its processor with who
 * serves.  When he is only tried, he looks when there may be one.
 */
#define VDM_BLK_AWAY_TIMES	4
#define VDM_BLK_AWAY_MIN	4U
#define VDM_BLK_AWAY_MAX	(10 * NSEC_PER_MSEC)

/*
 * Not rung for each one, even when he is only tried: that is what he is to save.  But the
 * guest need not wait for longer than that can save.
 */
#define VDM_BLK_TRY_ASK		8U
#define VDM_BLK_TRY_AWAY_MAX	(1 * NSEC_PER_MSEC)

/*
 * What a guest can spare, at most; how often it is told until more is tried, at first and
 * at most: to wait for what is not sent costs as much as to serve many.
 */
#define VDM_BLK_HOLD_MAX	64U
#define VDM_BLK_TELLS		4U
#define VDM_BLK_TELLS_MAX	256U

/* Late once after it was told so often is no lesson: it may just not have run. */
#define VDM_BLK_TELLS_FORGIVE	8U

/* With so few at a time it may be the vCPU's turn. */
#define VDM_BLK_HOLD_FEW	4U

static void vdm_blk_pace_reset(struct vdm_blk_pace *pace)
{
	pace->here = true;
	pace->trying = false;
	pace->rounds = 0;
	pace->rounds_max = VDM_BLK_ROUNDS;
	pace->n = 0;
	pace->hold = 1;
	pace->hold_before = 0;
	pace->step = 1;
	pace->tells = 0;
	pace->tells_max = VDM_BLK_TELLS;
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
			   min(2 * pace->rounds_max, here ?
			       VDM_BLK_ROUNDS_HERE : VDM_BLK_ROUNDS_MAX);
	pace->here = here;
	pace->trying = false;
	pace->rounds = 0;
}

static bool vdm_blk_pace_over(const struct vdm_blk_pace *pace, u64 passed)
{
	u64 halves = pace->n * pace->cost[!pace->here];

	if (!pace->trying)
		return pace->n >= VDM_BLK_WINDOW;
	/* To try the vCPU costs an interrupt for each request; the other way is slow at first. */
	halves *= pace->here ? 3 : 4;
	return pace->n >= VDM_BLK_TRY ||
	       (pace->n >= VDM_BLK_TRY_MIN && 2 * passed > halves);
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
 * vdm_blk_pace_ask() - after how many more requests is the guest to ring?
 * @pace: of the queue; of who serves and is not the vCPU
 * @untold: requests that have ended, of which it was not told
 * @inflight: that have not ended
 *
 * What is in flight the guest need not wait for: it is told when half of it has ended.
 *
 * Return: not zero.
 */
unsigned int vdm_blk_pace_ask(const struct vdm_blk_pace *pace,
			      unsigned int untold, unsigned int inflight)
{
	unsigned int least = inflight ? DIV_ROUND_UP(pace->hold, 2) : 1;
	unsigned int sent = untold + inflight;

	if (pace->trying)
		return VDM_BLK_TRY_ASK;
	return sent < pace->hold ? max(pace->hold - sent, least) : least;
}

/**
 * vdm_blk_pace_away() - how long to wait for them
 * @pace: of the queue; of who serves and is not the vCPU
 *
 * Return: nanoseconds.
 */
u64 vdm_blk_pace_away(const struct vdm_blk_pace *pace)
{
	u64 gap = pace->cost[1];

	if (pace->cost[0] && pace->cost[0] < gap)
		gap = pace->cost[0];
	if (pace->trying)
		return min_t(u64, gap, VDM_BLK_TRY_AWAY_MAX);
	gap = min_t(u64, gap, VDM_BLK_AWAY_MAX);
	gap *= VDM_BLK_AWAY_TIMES * max(pace->hold, VDM_BLK_AWAY_MIN);
	return min_t(u64, gap, VDM_BLK_AWAY_MAX);
}

static void vdm_blk_pace_grow(struct vdm_blk_pace *pace)
{
	if (++pace->tells < pace->tells_max)
		return;
	pace->tells = 0;
	if (pace->hold_before) {
		pace->step = min(2 * pace->step, VDM_BLK_HOLD_MAX);
		pace->tells_max = max(pace->tells_max / 2, VDM_BLK_TELLS);
	}
	pace->hold_before = pace->hold;
	pace->hold = min(pace->hold + pace->step, VDM_BLK_HOLD_MAX);
}

/**
 * vdm_blk_pace_tell() - is the guest to be told of what has ended?
 * @pace: of the queue; of who serves and is not the vCPU
 * @sent: requests that it was not told of, ended or not
 *
 * Return: false: not yet, it goes on without.
 */
bool vdm_blk_pace_tell(struct vdm_blk_pace *pace, unsigned int sent)
{
	if (pace->trying)
		return true;
	if (sent < pace->hold)
		return false;
	vdm_blk_pace_grow(pace);
	return true;
}

/**
 * vdm_blk_pace_late() - the guest has not sent so many in time
 * @pace: of the queue; of who serves and is not the vCPU
 */
void vdm_blk_pace_late(struct vdm_blk_pace *pace)
{
	if (pace->trying)
		return;
	if (pace->hold_before) {
		pace->hold = pace->hold_before;
		pace->tells_max = min(2 * pace->tells_max, VDM_BLK_TELLS_MAX);
	} else if (pace->tells < VDM_BLK_TELLS_FORGIVE) {
		pace->hold = max(pace->hold - DIV_ROUND_UP(pace->hold, 4), 1U);
		pace->tells_max = VDM_BLK_TELLS;
		if (pace->hold <= VDM_BLK_HOLD_FEW)
			pace->rounds_max = VDM_BLK_ROUNDS;
	} else {
		/* Nor must it keep from trying more. */
		pace->tells_max = max(pace->tells_max / 2, VDM_BLK_TELLS);
	}
	pace->hold_before = 0;
	pace->step = 1;
	pace->tells = 0;
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
