#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest moves the interrupts of its card from CPU to CPU while traffic flows. Each
# move masks a vector, changes its message and unmasks it: a signal that falls into
# the gap must not be lost, or the stream stands still.
. "${0%/*}/cards.sh"

# The first time as often as it takes to believe it.
moves=1000
fewer=${LONG:+1000}
fewer=${fewer:-100}

check "a bus with a slot" bus_make vm0 3
check "a guest with two CPUs boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "a card is plugged while it runs" card_make g1 vm0 3 web0 || bail "no card"
check "an iperf3 server in the guest" guest g1 "iperf3 -s -D && sleep 1"

# One write for each vector and move; says how many, and on which CPUs they ran.
mover='
irqs=$(grep -E "vbus0-3" /proc/interrupts | cut -d: -f1)
[ -n "$irqs" ] || { echo "no vectors"; exit 1; }
echo "vectors:" $irqs
n=0
while [ $n -lt $moves ]; do
	for i in $irqs; do
		echo $((n % 2)) > /proc/irq/$i/smp_affinity_list || exit 1
	done
	n=$((n + 1))
done
grep vbus0-3 /proc/interrupts'

# Streams one after the other, until the mover is done.
streams()
{
	until [ -e /tmp/moved ]; do
		stream 10 10.7.3.2 "$@" || return
	done
}

moved_under()
{
	local log=/tmp/stream status moves=$1
	shift
	rm -f /tmp/moved
	streams "$@" > $log 2>&1 &
	local client=$!
	guest g1 "moves=$moves; $mover" > /tmp/mover
	status=$?
	: > /tmp/moved
	cat /tmp/mover
	wait $client || { cat $log; return 1; }
	return $status
}

# Both CPUs took interrupts of the queue that makes many.
on_both()
{
	awk '/vbus0-3-rx/ { n++; if ($2 == 0 || $3 == 0) { print; bad = 1 } } END { exit bad || !n }' /tmp/mover
}

check "$moves moves of every vector, stream to the guest" moved_under $moves
check "both CPUs were interrupted" on_both
check "$fewer moves of every vector, stream from the guest" moved_under "$fewer" -R
check "$fewer moves of every vector, both ways" moved_under "$fewer" --bidir
check "1000 pings after all that" ping_host 1000 1400 10.7.3.2

check "the guest powers off" guest_stop g1
finish
