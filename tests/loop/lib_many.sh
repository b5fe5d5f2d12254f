# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests that repeat much: orders to one process instead of a program for each
# step, and whether the kernel's memory is as it was. Sourced after lib.sh.
#
# What is compared: after some steps and after the last one, with all devices gone
# and everything that is only kept for later given back (page cache, dentries, free
# objects of slabs, which also empties the quarantine of KASAN),
#   - live objects of every slab cache,
#   - pages of the kernel: those neither free nor in the page cache nor of programs.
# The first steps fill per-CPU and lookup caches, hence "some". What each further
# one loses adds up, so the bound is a fraction of the steps between: an object
# of any size, or a page, lost in every fourth one is found. With few steps what
# comes and goes anyway is more: the kernel's reference trackers alone keep up to
# 128 dead records for each network namespace. kmemleak, which runs
# after the test, finds single lost objects, but sees neither pages nor what is
# still linked somewhere.

orders=$VBUS_BUILD/loop/orders

# Starting programs would take most of the time: none for uevents either, so drivers
# have to be there.
orders_start()
{
	echo > /sys/kernel/uevent_helper
	mkfifo /tmp/in /tmp/answers
	$orders "do" < /tmp/in > /tmp/answers &
	exec 7> /tmp/in 8< /tmp/answers
}

order()
{
	local answer
	echo "$*" >&7 && read -r -t 60 answer <&8 && [ "$answer" = 0 ]
}

give_back()
{
	local s
	echo 3 > /proc/sys/vm/drop_caches
	for s in /sys/kernel/slab/*/shrink; do
		echo 1 > "$s" 2> /dev/null
	done
}

# Pages: free ones are in the zones and on the CPUs' lists.
kernel_pages()
{
	awk '/^ +(present|managed) /	{ if ($1 == "managed") total += $2 }
	     /^ +nr_free_pages /	{ used += $2 }
	     /^ +nr_(in)?active_(anon|file) / { used += $2 }
	     /^ +nr_unevictable /	{ used += $2 }
	     /^ +nr_page_table_pages /	{ used += $2 }
	     /^ +count: /		{ used += $2 }
	     END			{ print total - used }' /proc/zoneinfo
}

# No program between the giving back and the look: it would leave traces.
slab_objects()
{
	local lines
	mapfile -t -s 2 lines < /proc/slabinfo
	printf '%s\n' "${lines[@]}"
}

# measure FILE. Things freed late (RCU, page pools, sockets) get time to go, and what
# the shell itself needs comes and goes: take the least of several looks.
measure()
{
	local i
	: > "$1.looks"
	for i in 1 2 3 4 5 6; do
		pause 0.5
		give_back
		slab_objects >> "$1.looks"
	done
	awk '!($1 in least) || $2 < least[$1] { least[$1] = $2 }
	     END { for (name in least) print name, least[name] }' "$1.looks" | sort > "$1.slab"
	for i in 1 2 3 4 5 6; do
		give_back
		kernel_pages
		pause 0.5
	done | sort -n | head -n 1 > "$1.pages"
}

# grown_objects BOUND
grown_objects()
{
	join /tmp/before.slab /tmp/after.slab |
		awk -v bound="$1" '$3 - $2 > bound { print $1, $2, "->", $3; bad = 1 }
				   END { exit !bad }'
}

# grown_pages BOUND
grown_pages()
{
	local before after
	read -r before < /tmp/before.pages
	read -r after < /tmp/after.pages
	echo "# pages of the kernel: $before -> $after, bound $1"
	[ $((after - before)) -gt "$1" ]
}

# memory_back STEPS [LEAST]: steps between "measure /tmp/before" and "measure
# /tmp/after", and the least bound
memory_back()
{
	local bound=$(($1 / 4)) least=${2:-160}
	[ $bound -ge "$least" ] || bound=$least
	join /tmp/before.slab /tmp/after.slab |
		awk '$3 > $2 + 8 { print "# slab", $1, $2, "->", $3 }'
	grown_pages $bound
	tap_result $((! $?)) "pages of the kernel as before"
	check "objects of every slab cache as before" fails grown_objects $bound
}
