/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Event queues: vbus/core/event.c raises events, vbus-proxy/native/event.c takes them.
 *
 * Two posters have an event each, in one word, and raise it POSTS times.  What the event
 * stands for is a number that the poster raises before.  All accesses are atomic and full
 * barriers, so only their order matters.
 * A number that the guest has not seen, and will not be interrupted for, is an invalid end state.
 *
 * run: holds
 * run: fails SELECT_FIRST	the word that says where to look is set before the event
 * run: fails PLAIN_CLEAR	BUSY is taken back by a look and a store
 */
#define POSTS	3
#define BUSY	2

byte pending, select_word;
byte number[2], seen[2];
bool irq, tasklet;
byte posters;

inline or_pending(e)
{
	atomic { old = pending & (1 << e); pending = pending | (1 << e) }
}

inline or_select()
{
	atomic { old_select = select_word; select_word = select_word | 1 }
	if
	:: old_select == 0 -> irq = true
	:: else
	fi
}

proctype poster(byte e)
{
	byte i, old, old_select;

	do
	:: i < POSTS ->
		i = i + 1;
		number[e] = i;
#ifdef SELECT_FIRST
		or_select();
		or_pending(e)
#else
		or_pending(e);
		if
		:: old
		:: else -> or_select()
		fi
#endif
	:: else -> break
	od;
	posters = posters + 1
}

inline pass()
{
	atomic { s = select_word; select_word = BUSY }
	if
	:: s & 1 ->
		atomic { p = pending; pending = 0 }
		if
		:: p & 1 -> seen[0] = number[0]
		:: else
		fi;
		if
		:: p & 2 -> seen[1] = number[1]
		:: else
		fi
	:: else
	fi;
	tasklet = true
}

active proctype guest()
{
	byte s, p;

end:
	do
	:: atomic { irq -> irq = false }
		pass()
	:: atomic { tasklet -> tasklet = false }
#ifdef PLAIN_CLEAR
		if
		:: select_word == BUSY -> select_word = 0
#else
		atomic {
			s = select_word;
			if
			:: s == BUSY -> select_word = 0
			:: else
			fi
		}
		if
		:: s == BUSY
#endif
		:: else -> pass()
		fi
	od
}

active proctype all_seen()
{
	posters == 2 && seen[0] == POSTS && seen[1] == POSTS
}

init
{
	atomic { run poster(0); run poster(1) }
}
