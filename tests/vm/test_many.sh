#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# More than one of everything: a guest with eight cards, two guests on two buses, and
# a bridge of the host between them.
. "${0%/*}/cards.sh"

# --- one guest, eight cards ------------------------------------------------------
slots="0 1 2 3 4 5 6 7"
cards_up()
{
	local n
	for n in $slots; do
		card_host "c$n" "$n" && card_guest g1 "$n" || return
	done
}

all_answer()
{
	local n
	local -a pids=()
	for n in $slots; do
		ping_host "$1" 1400 "10.7.$n.2" > "/tmp/ping.$n" 2>&1 &
		pids+=($!)
	done
	for n in $slots; do
		wait "${pids[$n]}" || { cat "/tmp/ping.$n"; return 1; }
	done
}

make_cards()
{
	local n
	for n in $slots; do
		net_make "c$n" && plug vm0 "$n" "c$n" || return
	done
}

remove_cards()
{
	local n
	for n in $slots; do
		unplug vm0 "$n" && net_remove "c$n" || return
	done
}

# shellcheck disable=SC2086
check "a bus with eight slots" bus_make vm0 $slots
check "eight cards" make_cards
check "a guest boots with them" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "all are up" cards_up
check "all answer at once" all_answer 200
check "it powers off" guest_stop g1
check "the cards go" remove_cards
check "and the bus" bus_remove vm0

# --- two guests, two buses, a bridge -----------------------------------------------
check "two buses" eval 'bus_make vm1 1 && bus_make vm2 2'
check "two cards" eval 'net_make w1 && net_make w2'
check "plug both" eval 'plug vm1 1 w1 && plug vm2 2 w2'
check "a bridge" ip link add br0 type bridge
check "its ports" eval 'for i in w1 w2 br0; do
	[ $i = br0 ] || ip link set $i master br0; ip link set $i up; done'
ip addr add 10.7.9.1/24 dev br0
check "the first guest boots" guest_start g1 --bus vm1 || bail "no guest"
check "the second boots beside it" guest_start g2 --bus vm2 || bail "no second guest"
check "card of the first" card_guest g1 1 0 10.7.9.11
check "card of the second" card_guest g2 2 0 10.7.9.12
check "they ping each other" ping_guest g1 500 1400 10.7.9.12
check "the other way, large" ping_guest g2 200 20000 10.7.9.11
check "the host reaches the first" ping_host 200 1400 10.7.9.11
check "the host reaches the second" ping_host 200 1400 10.7.9.12
check "an iperf3 server in the second" guest g2 "iperf3 -s -D && sleep 1"
guest_stream()
{
	guest "$@" | tee /tmp/guest_stream | grep -E 'sender|receiver' && ! grep -q 'error' /tmp/guest_stream
}
check "TCP from the first to the second" guest_stream g1 "iperf3 -c 10.7.9.12 -t 5"
check "and back" guest_stream g1 "iperf3 -c 10.7.9.12 -t 5 -R"
check "the first powers off" guest_stop g1
check "the second does not care" ping_host 100 1400 10.7.9.12
check "the second powers off" guest_stop g2
finish
