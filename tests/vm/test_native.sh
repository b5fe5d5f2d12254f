#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest that has no PCI: how it finds its bus, how few interrupts it needs, 64
# devices on one bus, and devices that come and go.
ATTACH=native
. "${0%/*}/cards.sh"

# Interrupts of the bus, and whether there is anything of PCI.
queues_are()
{
	local n
	n=$(guest g1 "grep -c 'vbus0-ev' /proc/interrupts")
	echo "$n interrupts"
	[ "$n" = "$1" ]
}

no_pci()
{
	guest g1 "test ! -e /sys/bus/pci || test -z \"\$(ls /sys/bus/pci/devices)\""
}

rng_plug()
{
	device_make rng.r0 && plug vm0 "$1" rng.r0
}

rng_works()
{
	guest g1 "grep -q vbus0-$1 /sys/class/misc/hw_random/rng_available" &&
		[ "$(guest g1 "head -c 65536 /dev/hwrng | wc -c")" = 65536 ]
}

# --- pci=off, a card and a source of randomness ------------------------------------
check "a bus with 64 slots" bus_make vm0 $(seq 0 63)
check "a card" eval 'net_make c0 && plug vm0 0 c0'
check "and an rng" rng_plug 63
check "a guest boots with pci=off" guest_start g1 --bus vm0 --mem 512M --append pci=off ||
	bail "no guest"
check "it sees no PCI" no_pci
check "two event queues are two interrupts" queues_are 2
check "the card is up" eval 'card_host c0 0 && card_guest g1 0'
check "and answers" ping_host 200 1400 10.7.0.2
check "the rng gives" wait_for 10 rng_works 63

# --- 64 devices -----------------------------------------------------------------------
cards=$(seq 1 62)

make_cards()
{
	local n
	for n in $cards; do
		net_make "c$n" && card_host "c$n" "$n" && plug vm0 "$n" "c$n" || return
	done
}

own_answers

all_answer()
{
	local n bad=0
	local -a pids
	for n in 0 $cards; do
		setpriv --clear-groups --reuid 65534 --regid 65534 --inh-caps=-all \
			ping -q -c "$1" -s 1000 -W 30 "10.7.$n.2" > "/tmp/ping.$n" 2>&1 &
		pids[n]=$!
	done
	for n in 0 $cards; do
		wait "${pids[n]}" || { echo "slot $n:"; cat "/tmp/ping.$n"; bad=1; }
	done
	return $bad
}

remove_cards()
{
	local n
	for n in 0 $cards; do
		unplug vm0 "$n" || return
	done
	for n in 0 $cards; do
		wait_slot vm0 "$n" empty 60 && net_remove "c$n" || return
	done
}

# Seconds of the guest's clock from one plug to the next being seen.
seen_after()
{
	local from to
	from=${EPOCHREALTIME/./}
	plug vm0 5 c5 && wait_for 30 guest_has_card g1 5 || return
	to=${EPOCHREALTIME/./}
	note "a plugged card was seen after $(((to - from) / 1000)) ms, asking included"
}

check "62 more cards, plugged live" make_cards
check "the guest has them all" cards_guest g1 $cards
check "two interrupts still" queues_are 2
check "all answer at once" all_answer 10
check "the rng still gives" rng_works 63

# --- they come and go -------------------------------------------------------------------
check "unplug one" eval 'unplug vm0 5 && wait_slot vm0 5 empty 30 && guest_lost_card g1 5'
check "plug it again" seen_after
check "it works" eval 'card_guest g1 5 && ping_host 50 1000 10.7.5.2'
check "the guest holds on to it" guest g1 "echo 1 > /sys/bus/vbus/devices/vbus0-5/hold"
check "the admin reads that" eval 'unplug vm0 5 && wait_slot vm0 5 refused'
check "it works on" ping_host 50 1000 10.7.5.2
check "force" eval "echo 1 > $(vm_slot vm0 5)/force && wait_slot vm0 5 empty"
check "it is gone" wait_for 10 guest_lost_card g1 5
check "and comes back" eval 'plug vm0 5 c5 && card_guest g1 5 && ping_host 50 1000 10.7.5.2'
check "the guest ejects one" guest g1 "echo 1 > /sys/bus/vbus/devices/vbus0-6/eject"
check "the host has it back" wait_slot vm0 6 plugged
check "it is gone from the guest" wait_for 10 guest_lost_card g1 6
check "all cards go" remove_cards
check "the rng is still there" rng_works 63
check "the guest powers off" guest_stop g1

# --- found by the command line; as many event queues as there can be ---------------------
DISCOVER=cmdline
vm_append+=" vbus.load=vbus-native"
check "a card again" eval 'net_make c0 && plug vm0 0 c0'
check "a guest boots that is told by its command line" \
	guest_start g1 --bus vm0 --cpus 2 --event-queues 8 || bail "no guest"
check "eight event queues are eight interrupts" queues_are 8
check "the card is up there too" eval 'card_host c0 0 && card_guest g1 0'
check "it answers" ping_host 200 1400 10.7.0.2
check "its config signal gets a priority of its own" eval '
	guest g1 "echo 0 3 > /sys/bus/vbus/devices/vbus0-0/priority" &&
	[ "$(guest g1 "cat /sys/bus/vbus/devices/vbus0-0/priority")" = "3 0 0" ]'
check "its signals get the highest priority" \
	guest g1 "echo 7 > /sys/bus/vbus/devices/vbus0-0/priority"
check "it answers there" ping_host 200 1400 10.7.0.2
check "the interrupts come in that queue" \
	guest g1 "awk '/vbus0-ev/ { print } /vbus0-ev7/ && \$2 + \$3 > 0 { ok = 1 } END { exit !ok }' /proc/interrupts"
check "it reboots" guest_reboot g1
check "and finds the card again" eval 'card_guest g1 0 && ping_host 200 1400 10.7.0.2'
check "it powers off" guest_stop g1

check "what is left goes" eval 'bus_remove vm0 && net_remove c0 && device_remove rng.r0'
finish
