#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The VMM is killed under load, again and again. The kernel must take back all that
# was given to it: pinned pages, memory, threads, files, eventfds; the host's end of
# the card stays, and the bus can be opened again at once.
. "${0%/*}/cards.sh"
. "${0%/*}/counts.sh"

kills=${LONG:+50}
kills=${kills:-4}

check "a bus with a slot" bus_make vm0 3
check "a card" net_make web0 mtu=9000
check "plug it" plug vm0 3 web0
check "the host's end" card_host web0 3

# One life: boot, traffic both ways, kill.
one_life()
{
	guest_start g1 --cpus 2 --bus vm0 && card_guest g1 3 || return
	wait_for 60 alive 10.7.3.2 || return
	guest g1 "iperf3 -s -D && sleep 1" || return
	iperf3 -c 10.7.3.2 -t 3600 --bidir > /dev/null 2>&1 &
	local load=$! sent
	sent=$(cat /sys/class/net/web0/statistics/rx_packets)
	flows()
	{
		[ "$(cat /sys/class/net/web0/statistics/rx_packets)" -gt $((sent + 2000)) ]
	}
	wait_for 60 flows || { echo "no load"; return 1; }
	guest_kill g1
	kill $load
	wait $load
	wait_slot vm0 3 plugged 60
}

# Warm: caches, module memory, the first of everything.
check "a first life, to compare with" one_life
settled()
{
	[ "$(pinned)" -le "$base_pinned" ]
}
base_pinned=0
wait_for 10 settled > /dev/null
counts_before || bail "nothing can be counted"

for ((i = 1; i <= kills; i++)); do
	check "life $i, killed under load" one_life || break
	check "nothing stays pinned after $i" wait_for 60 settled
done

check_counts $((kills / 2 + 32)) $((1024 * kills + 16384))

check "the bus opens again and all works" guest_start g1 --bus vm0
check "its card" card_guest g1 3
check "1000 pings" ping_host 1000 1400 10.7.3.2
check "it powers off" guest_stop g1
check "unplug" unplug vm0 3
check "remove the card" net_remove web0
check "remove the bus" bus_remove vm0
check "the modules unload" modprobe -r vbus-dm-net vbus
finish
