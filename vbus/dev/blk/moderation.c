// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": moderation of kicks and interrupts, while a worker serves.
 *
 * The guest goes on adding requests while a worker serves, so it need not exit for each
 * one, nor be interrupted for each answer.  It is asked to kick after a batch, and is
 * signalled for a batch.
 *
 * No request waits for that longer than VDM_BLK_MOD_NS, whatever else its queue does:
 * VDM_BLK_MOD_KICK_NS until it is looked for without a kick, and once it has ended, for
 * what is left.  A timer sees to both (serve.c), so a guest that suddenly sends less, or
 * one request that somebody waits for alone among many, loses no more than this.
 *
 * How large a batch may be is learnt.  One more is tried after the guest has filled a
 * batch in time for some times, then two more, four more and so on, until it does not.
 * What was tried last is taken back then, and tried again after twice as many times; or, if
 * nothing was, a quarter is given up.  A guest that has one request at a time soon has
 * batches of one, and no moderation at all.
 */
#include "blk.h"

/* Most requests in a batch. */
#define VDM_BLK_BATCH_MAX	64U
/* At first: a guest that has fewer at a time loses VDM_BLK_MOD_NS eight times. */
#define VDM_BLK_BATCH_FIRST	8U
/* With so few at a time it may be the vCPU's turn. */
#define VDM_BLK_BATCH_FEW	4U

/*
 * How often a batch is filled until more is tried, at first and at most: waiting for what is
 * not sent costs as much as serving many.
 */
#define VDM_BLK_FILLS		4U
#define VDM_BLK_FILLS_MAX	256U
/* Not in time once after so many fills is no lesson: the guest may just not have run. */
#define VDM_BLK_FILLS_FORGIVE	8U

/**
 * vdm_blk_mod_kick_after() - after how many more requests is the guest to kick?
 * @mod: of the queue; of the worker
 * @unsignalled: requests that have ended without a signal
 * @inflight: that have not ended
 *
 * The guest need not wait for what is in flight: it is signalled when half of it has ended.
 *
 * Return: not zero.
 */
unsigned int vdm_blk_mod_kick_after(const struct vdm_blk_mod *mod,
				    unsigned int unsignalled,
				    unsigned int inflight)
{
	unsigned int least = inflight ? DIV_ROUND_UP(mod->batch, 2) : 1;
	unsigned int sent = unsignalled + inflight;

	return sent < mod->batch ? max(mod->batch - sent, least) : least;
}

static void vdm_blk_mod_grow(struct vdm_blk_mod *mod)
{
	if (++mod->fills < mod->fills_max)
		return;
	mod->fills = 0;
	if (mod->before) {
		mod->step = min(2 * mod->step, VDM_BLK_BATCH_MAX);
		mod->fills_max = max(mod->fills_max / 2, VDM_BLK_FILLS);
	}
	mod->before = mod->batch;
	mod->batch = min(mod->batch + mod->step, VDM_BLK_BATCH_MAX);
}

/**
 * vdm_blk_mod_full() - is a batch full, so that the guest is to be signalled?
 * @mod: of the queue; of the worker
 * @sent: requests without a signal, ended or not
 *
 * Return: false: not yet, the guest goes on without.
 */
bool vdm_blk_mod_full(struct vdm_blk_mod *mod, unsigned int sent)
{
	if (sent < mod->batch)
		return false;
	vdm_blk_mod_grow(mod);
	return true;
}

/**
 * vdm_blk_mod_short() - the guest has not filled a batch in time, and waits
 * @mod: of the queue; of the worker
 *
 * Return: true if it has so few requests at a time that serving inline may be faster.
 */
bool vdm_blk_mod_short(struct vdm_blk_mod *mod)
{
	bool few = false;

	if (mod->before) {
		mod->batch = mod->before;
		mod->fills_max = min(2 * mod->fills_max, VDM_BLK_FILLS_MAX);
	} else if (mod->fills < VDM_BLK_FILLS_FORGIVE) {
		mod->batch = max(mod->batch - DIV_ROUND_UP(mod->batch, 4), 1U);
		mod->fills_max = VDM_BLK_FILLS;
		few = mod->batch <= VDM_BLK_BATCH_FEW;
	} else {
		/* Nor must it keep from trying more. */
		mod->fills_max = max(mod->fills_max / 2, VDM_BLK_FILLS);
	}
	mod->before = 0;
	mod->step = 1;
	mod->fills = 0;
	return few;
}

/**
 * vdm_blk_mod_init() - a queue starts
 * @mod: of the queue
 */
void vdm_blk_mod_init(struct vdm_blk_mod *mod)
{
	memset(mod, 0, sizeof(*mod));
	mod->batch = VDM_BLK_BATCH_FIRST;
	mod->step = 1;
	mod->fills_max = VDM_BLK_FILLS;
}
