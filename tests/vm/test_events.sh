#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What 16 busy cards cost in interrupts: the same guest and the same traffic, once as
# 16 PCI functions and once behind event queues. Counted, not timed.
. "${0%/*}/cards.sh"

# Requests for each card, one at a time, all cards at once.
requests=${LONG:+5000}
requests=${requests:-500}
cards=$(seq 0 15)

own_answers

make_cards()
{
	local n
	for n in $cards; do
		net_make "c$n" && plug vm0 "$n" "c$n" && card_host "c$n" "$n" || return
	done
}

# Interrupts of the bus and packets of its cards, both ways, ever.
counts()
{
	guest g1 "awk '/vbus0-/ { for (i = 2; i <= NF && \$i ~ /^[0-9]+\$/; i++) n += \$i }
			END { printf \"%d \", n }' /proc/interrupts
		awk '/:/ && !/lo:/ { sub(/.*:/, \"\"); p += \$2 + \$10 } END { print p }' /proc/net/dev"
}

# traffic MODE: writes "interrupts packets" to /tmp/events.MODE
traffic()
{
	local n before after status=0
	local -a pids
	before=$(counts) || return
	for n in $cards; do
		ping -q -A -c "$requests" -s 200 -W 30 "10.7.$n.2" > "/tmp/ping.$n" 2>&1 &
		pids[n]=$!
	done
	for n in $cards; do
		wait "${pids[n]}" || { cat "/tmp/ping.$n"; status=1; }
	done
	after=$(counts) || return
	echo $((${after% *} - ${before% *})) $((${after#* } - ${before#* })) > "/tmp/events.$1"
	return $status
}

# run MODE
run()
{
	ATTACH=$1
	check "$1: the guest boots" guest_start g1 --bus vm0 --mem 512M || bail "no guest"
	check "$1: 16 cards are up" cards_guest g1 $cards
	check "$1: all are busy, and lose nothing" traffic "$1"
	note "$1: $(awk '{ printf "%d interrupts, %d packets, %.4f each", $1, $2, $1 / $2 }' "/tmp/events.$1")"
	check "$1: it powers off" guest_stop g1
}

fewer()
{
	awk -v times="$1" '{ i[NR] = $1; p[NR] = $2 }
		END { r = (i[1] / p[1]) / (i[2] / p[2]); printf "%.1f times fewer\n", r; exit r < times }' \
		/tmp/events.pci /tmp/events.native
}

check "a bus with 16 slots" bus_make vm0 $cards
check "16 cards" make_cards
run pci
run native
check "4 times fewer interrupts a packet, at least" fewer 4
check "all goes" eval 'bus_remove vm0 && for n in $cards; do net_remove c$n || exit; done'
finish
