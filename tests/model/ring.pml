/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Suppression of kicks and of signals: include/vbus/ring_north.h, ring_south.h.
 *
 * Both sides of a ring of SIZE entries, which sleep whenever they may.  Positions are free
 * running modulo M, and N chains wrap them.  What is published is a position; what is in the
 * entries does not matter here.  North asks for the last of any number of completions that
 * are outstanding, south for the next chain.
 *
 * A side that sleeps although there is work, and nobody is going to wake it, is an
 * invalid end state.
 *
 * run: holds
 * run: fails NO_C_NORTH	a barrier of ring.h is missing, on that side
 * run: fails NO_C_SOUTH
 * run: fails NO_D_NORTH
 * run: fails NO_D_SOUTH
 * run: fails NO_LOOK_NORTH	no look at the ring after asking
 * run: fails NO_LOOK_SOUTH
 * run: fails NO_WRAP		positions compared as if they did not wrap
 */
#define W	4
#define T	2
#include "weak.inc"

#define AVAIL		0	/* position up to which chains are published */
#define KICK_EVENT	1
#define USED		2	/* number of the completions published */
#define SIGNAL_EVENT	3

#define NORTH	0
#define SOUTH	1

#define SIZE	2
#define M	5
#define N	6

#define WRAP(x)	((x) % M)
#ifdef NO_WRAP
#define NEED(event, new, old)	(WRAP(old) <= (event) && (event) < WRAP(new))
#else
#define NEED(event, new, old)	(WRAP((new) + 2 * M - (event) - 1) < WRAP((new) + M - (old)))
#endif

bool kick, signal;

active proctype north()
{
	byte added, done, kicked = M - SIZE, event, after;

	do
	:: done == N -> break
	:: done < N ->
		done = done + WRAP(load(NORTH, USED) + 2 * M - WRAP(done));
		if
		:: added < N && added - done < SIZE ->
			atomic {
				added = added + 1;
				do
				:: added < N && added - done < SIZE ->
					added = added + 1
				:: break
				od
			}
			store_release(NORTH, AVAIL, WRAP(added));
#ifndef NO_C_NORTH
			mb(NORTH);
#endif
			event = load(NORTH, KICK_EVENT);
			if
			:: NEED(event, added, kicked) -> kick = true
			:: else
			fi;
			kicked = WRAP(added)
		:: added - done > 0 ->
			atomic {
				after = 1;
				do
				:: after < added - done -> after = after + 1
				:: break
				od
			}
			store(NORTH, SIGNAL_EVENT, WRAP(done + after - 1));
#ifndef NO_D_NORTH
			mb(NORTH);
#endif
			if
#ifndef NO_LOOK_NORTH
			:: load(NORTH, USED) != WRAP(done)
#endif
			:: load(NORTH, USED) == WRAP(done) ->
				atomic { signal -> signal = false }
#ifdef NO_LOOK_NORTH
			:: else -> atomic { signal -> signal = false }
#endif
			fi
		:: else
		fi
	od
}

active proctype south()
{
	byte taken, done, signalled = M - SIZE, event;

	do
	:: done == N -> break
	:: done < N ->
		taken = taken + WRAP(load(SOUTH, AVAIL) + 2 * M - WRAP(taken));
		if
		:: done < taken ->
			atomic {
				done = done + 1;
				do
				:: done < taken -> done = done + 1
				:: break
				od
			}
			store_release(SOUTH, USED, WRAP(done));
#ifndef NO_D_SOUTH
			mb(SOUTH);
#endif
			event = load(SOUTH, SIGNAL_EVENT);
			if
			:: NEED(event, done, signalled) -> signal = true
			:: else
			fi;
			signalled = WRAP(done)
		:: else ->
			store(SOUTH, KICK_EVENT, WRAP(taken));
#ifndef NO_C_SOUTH
			mb(SOUTH);
#endif
			if
#ifndef NO_LOOK_SOUTH
			:: load(SOUTH, AVAIL) != WRAP(taken)
#endif
			:: load(SOUTH, AVAIL) == WRAP(taken) ->
				atomic { kick -> kick = false }
#ifdef NO_LOOK_SOUTH
			:: else -> atomic { kick -> kick = false }
#endif
			fi
		fi
	od
}

init
{
	atomic { run drain(NORTH); run drain(SOUTH) }
}
