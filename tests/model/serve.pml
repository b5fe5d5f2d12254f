/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who serves a queue: vbus/core/serve.c, and how that is stopped: conn.c.
 *
 * Two vCPUs put an item into the queue and kick, KICKS times each; a kick may give the vCPU a
 * task work, which runs when it returns to its guest.  A work item serves what is left.
 * An item that nobody is going to take is an invalid end state, and so is a stop that nobody
 * wakes.  With STOP the queue is stopped meanwhile, when nobody may be in the model, and
 * started again.
 *
 * clear_bit(), set_bit() and clear_bit_unlock() order nothing after them: they are stores.
 * test_and_set_bit() and the work's own PENDING are full barriers.
 *
 * run: holds KICKS=2
 * run: fails KICKS=2 NO_BARRIER_SERVE	in vbus_serve(), after RUNNING is cleared
 * run: holds KICKS=1 STOP
 * run: fails KICKS=1 STOP NO_BARRIER_SERVE
 * run: fails KICKS=1 STOP NO_GRACE	no synchronize_rcu() in vbus_conn_stop()
 * run: fails KICKS=1 STOP NO_C_NORTH	barrier C of the ring, in the guest
 */
#define W	6
#define T	4
#include "weak.inc"

#define WANTED	0
#define RUNNING	1
#define TASKED	2
#define ITEMS0	3	/* put by vCPU 0 */
#define ITEMS1	4
#define RUNS	5	/* vbus_conn_queue.running */

#define WORKER	2
#define STOPPER	3

bool work_pending, work_runs;
bool in_rcu[T];
bool waits, woken;	/* wait_on_bit(RUNNING) */
bool stopped;
byte taken0, taken1, vcpus;

inline queue_work(t)
{
	atomic { EMPTY(t); work_pending = true }
}

inline serve(t, nowait)
{
	xchg(t, RUNNING, old, 1);
	if
	:: old
	:: else ->
		more = false;
		if
		:: load(t, RUNS) ->
			xchg(t, WANTED, old, 0);
			if
			:: old ->
				/* The model may leave it to others. */
				if
				:: nowait -> more = true
				:: taken0 = load(t, ITEMS0);
					taken1 = load(t, ITEMS1)
				fi;
				assert(!stopped)
			:: else
			fi
		:: else
		fi;
		if
		:: more -> store(t, WANTED, 1)
		:: else
		fi;
		store_release(t, RUNNING, 0);
#ifndef NO_BARRIER_SERVE
		mb(t);
#endif
		in_rcu[t] = true;
		if
		:: !load(t, RUNS) ->
			if
			:: waits -> woken = true
			:: else
			fi
		:: else ->
			if
			:: load(t, WANTED) -> queue_work(t)
			:: else
			fi
		fi;
		in_rcu[t] = false
	fi
}

inline kick(t)
{
	in_rcu[t] = true;
	if
	:: load(t, RUNS) ->
		xchg(t, WANTED, old, 1);
		if
		:: old
		:: else ->
			if
			:: load(t, RUNNING)
			:: else ->
				if
				:: t < WORKER ->
					xchg(t, TASKED, old, 1);
					tasked = !old
				:: true
				fi;
				if
				:: tasked
				:: else -> queue_work(t)
				fi
			fi
		fi
	:: else
	fi;
	in_rcu[t] = false
}

proctype vcpu(byte t)
{
	byte i;
	bool old, more, tasked;

	do
	:: i < KICKS ->
		i = i + 1;
		store(t, ITEMS0 + t, i);
#ifndef NO_C_NORTH
		mb(t);
#endif
		kick(t);
		if
		:: tasked ->
			tasked = false;
			store(t, TASKED, 0);
			mb(t);
			serve(t, true)
		:: else
		fi
	:: else -> break
	od;
	vcpus = vcpus + 1
}

active proctype worker()
{
	bool old, more;

end:
	do
	:: atomic {
		work_pending ->
		work_pending = false;
		work_runs = true
	   }
		serve(WORKER, false);
		atomic { EMPTY(WORKER); work_runs = false }
	od
}

#ifdef STOP
#define LEFT(t)	(!in_rcu[t] && EMPTY(t))

active proctype stopper()
{
	bool old, tasked;

	/* vbus_conn_stop() */
	store(STOPPER, RUNS, 0);
#ifndef NO_GRACE
	/* synchronize_rcu() */
	mb(STOPPER);
	LEFT(0);
	LEFT(1);
	LEFT(WORKER);
#endif
	/* cancel_work_sync() */
	atomic { EMPTY(STOPPER); work_pending = false }
	!work_runs;
	/* wait_on_bit(): on the queue, then a look. */
	do
	:: atomic { EMPTY(STOPPER); waits = true }
		if
		:: !load(STOPPER, RUNNING) -> break
		:: else -> atomic { woken -> woken = false }
		fi
	od;
	waits = false;
	store(STOPPER, WANTED, 0);
	mb(STOPPER);
	stopped = true;
	/* vbus_conn_start() */
	stopped = false;
	store_release(STOPPER, RUNS, 1);
	mb(STOPPER);
	kick(STOPPER)
}
#endif

active proctype all_taken()
{
	vcpus == 2 && taken0 == KICKS && taken1 == KICKS
}

init
{
	atomic {
		mem[RUNS] = 1;
		run drain(0);
		run drain(1);
		run drain(WORKER);
#ifdef STOP
		run drain(STOPPER);
#endif
		run vcpu(0);
		run vcpu(1)
	}
}
