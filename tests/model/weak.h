/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared words that are written through store buffers, for SPIN models.
 *
 * A store waits in its writer's buffer, which has a place for each word, and becomes
 * visible some time later, in any order with stores to other words.  The writer reads what
 * it has written.  This is PSO: missing full barriers and missing write barriers are found.
 * Loads are made in program order; what an acquire is for the litmus tests show.
 *
 * Set W, the number of words (up to 6), before this is included, and run drain(t) for each
 * thread t that stores.  A word that several threads store to plainly is not modelled.
 */
#define AT(t, w)	((t) * W + (w))

byte mem[W];
byte buf[T * W];
bool held[T * W];

#define HELD(t, w)	(W > w && held[AT(t, (w < W -> w : 0))])
#define EMPTY(t)	(!(HELD(t, 0) || HELD(t, 1) || HELD(t, 2) || \
			   HELD(t, 3) || HELD(t, 4) || HELD(t, 5)))

/* READ_ONCE(), test_bit() */
#define load(t, w)	(held[AT(t, w)] -> buf[AT(t, w)] : mem[w])

/* WRITE_ONCE(), set_bit(), clear_bit() */
inline store(t, w, v)
{
	d_step {
		buf[AT(t, w)] = v;
		held[AT(t, w)] = true
	}
}

/* All that the thread has stored is visible. */
inline mb(t)
{
	EMPTY(t)
}

/* smp_store_release(), clear_bit_unlock() */
inline store_release(t, w, v)
{
	EMPTY(t);
	store(t, w, v)
}

/* Atomic operations that return a value: test_and_set_bit(), xchg(). */
inline xchg(t, w, old, new)
{
	atomic {
		EMPTY(t);
		old = mem[w];
		mem[w] = new
	}
}

#define DRAIN(t, w)							\
	atomic {							\
		HELD(t, w) ->						\
		mem[(w < W -> w : 0)] = buf[AT(t, (w < W -> w : 0))];	\
		held[AT(t, (w < W -> w : 0))] = false;			\
		buf[AT(t, (w < W -> w : 0))] = 0			\
	}

proctype drain(byte t)
{
end:
	do
	:: DRAIN(t, 0)
	:: DRAIN(t, 1)
	:: DRAIN(t, 2)
	:: DRAIN(t, 3)
	:: DRAIN(t, 4)
	:: DRAIN(t, 5)
	od
}
