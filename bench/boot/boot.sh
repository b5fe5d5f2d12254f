#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: tests/vm/run --env RUNS=5 bench/boot/boot.sh
#
# How long from power-on until a guest's network card answers: vbus by PCI, vbus by the
# native front, both in vbus-vmm, and virtio-net over vhost-net in QEMU. Same kernel,
# same initramfs, same memory; interleaved. The guest brings its card up as soon as it
# is there, the host asks for it every 10 ms. Times are the host's, in milliseconds,
# from the start of the VMM's process.
. "${0%/*}/../../tests/vm/cards.sh"

: "${RUNS:=5}"
results=/tmp/boot.results
: > $results

now_ms()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

# answers ADDRESS SINCE INTERFACE: milliseconds until the first answer.  The kernel asks
# for the address as often as we do, not once a second.
answers()
{
	echo 10 > "/proc/sys/net/ipv4/neigh/$3/retrans_time_ms" &&
		echo 100000 > "/proc/sys/net/ipv4/neigh/$3/mcast_solicit" || return
	ping -n -i 0.01 -w 120 "$1" 2> /dev/null | grep -q -m 1 "bytes from" || return
	echo $(($(now_ms) - $2))
}

# one MODE
one()
{
	local mode=$1 start ms ifc
	start=$(now_ms)
	if [ "$mode" = virtio ]; then
		ifc=g1
		ip tuntap add g1 mode tap && ip addr add 10.7.1.1/24 dev g1 && ip link set g1 up || return
		start=$(now_ms)
		guest_start_qemu g1 --append "vbus.net=10.7.1.2/24" &
	else
		ifc=c1
		ATTACH=$mode guest_start g1 --bus vm0 --append "vbus.net=10.7.1.2/24" &
	fi
	ms=$(answers 10.7.1.2 "$start" $ifc)
	wait $!
	[ -n "$ms" ] || { echo "$mode: no answer"; return 1; }
	echo "$mode $ms" | tee -a $results
	guest_stop g1 || return
	[ "$mode" != virtio ] || ip link del g1
}

check "a bus, a card" eval 'bus_make vm0 1 && net_make c1 && plug vm0 1 c1 && card_host c1 1'
for ((run = 1; run <= RUNS; run++)); do
	for mode in pci native virtio; do
		[ $mode = virtio ] && ip link set c1 down
		check "run $run: $mode" one $mode
		[ $mode = virtio ] && ip link set c1 up
	done
done
sort -k1,1 -k2,2n $results | awk '{ if ($1 != last && n) out(); last = $1; v[n++] = $2 }
	function out() { printf "# %-7s median %d ms (%d to %d), %d boots\n", last, v[int(n / 2)], v[0], v[n - 1], n; n = 0 }
	END { out() }'
finish
