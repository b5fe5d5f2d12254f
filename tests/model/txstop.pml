/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host stops the stack's queue as the guest has no buffers: vbus/dev/net/rx.c.
 *
 * The stack sends FRAMES frames, a buffer each; the guest posts as many, in batches.  Out of
 * buffers: stop, ask for a kick, look again.  A kick wakes the queue if it is stopped.
 * A queue that stays stopped for ever is an invalid end state.
 *
 * There is no barrier between netif_tx_stop_queue() and the write of kick_event here: barrier C
 * comes after both, so a kick that does not find the queue stopped came after chains that the
 * look finds.
 *
 * run: holds
 * run: fails NO_LOOK		after asking
 * run: fails NO_C_SOUTH	barriers of ring.h
 * run: fails NO_C_NORTH
 * run: fails STOP_LATE		the queue is stopped after the look
 */
#define W	3
#define T	2
#include "weak.inc"

#define XOFF		0
#define KICK_EVENT	1
#define AVAIL		2

#define STACK	0
#define GUEST	1

#define FRAMES	4
#define M	8
#define WRAP(x)	((x) & (M - 1))

bool woken;

active proctype stack()
{
	byte taken;

	do
	:: taken == FRAMES -> break
	:: taken < FRAMES ->
		if
		:: load(STACK, AVAIL) > taken -> taken = taken + 1
		:: else ->
#ifndef STOP_LATE
			store(STACK, XOFF, 1);
#endif
			store(STACK, KICK_EVENT, taken);
#ifndef NO_C_SOUTH
			mb(STACK);
#endif
			if
#ifndef NO_LOOK
			:: load(STACK, AVAIL) > taken ->
				store(STACK, XOFF, 0)
			:: else ->
#else
			:: true ->
#endif
#ifdef STOP_LATE
				store(STACK, XOFF, 1);
#endif
				/* netif_tx_wake_queue() has cleared it. */
				atomic { woken -> woken = false }
			fi
		fi
	od
}

active proctype guest()
{
	byte posted, old, event;
	bool stopped;

	do
	:: posted == FRAMES -> break
	:: posted < FRAMES ->
		old = posted;
		do
		:: posted < FRAMES && posted - old < 2 -> posted = posted + 1
		:: posted > old -> break
		od;
		store_release(GUEST, AVAIL, posted);
#ifndef NO_C_NORTH
		mb(GUEST);
#endif
		event = load(GUEST, KICK_EVENT);
		if
		:: WRAP(posted + M - event - 1) < posted - old ->
			/* The kick, in the host: test_and_clear_bit(). */
			xchg(GUEST, XOFF, stopped, 0);
			if
			:: stopped -> woken = true
			:: else
			fi
		:: else
		fi
	od
}

init
{
	atomic { run drain(STACK); run drain(GUEST) }
}
