#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Streams in both directions, each byte checked, with every combination of
# offloads; that segmentation and checksums really are left to the other end is
# seen in the counters.
. "${0%/*}/lib.sh"

: "${STREAM_MIB:=8}"
net_load
device_make && bus_make && attach && plug && host_up && guest_up > /dev/null ||
	bail "no card"
in_guest $nettool serve 7000 &
server=$!
$nettool serve 7001 &
server="$server $!"
wait_for 10 in_guest sh -c 'ss -tlnH | grep -q :7000' > /dev/null || bail "no server in the guest"
wait_for 10 sh -c 'ss -tlnH | grep -q :7001' > /dev/null || bail "no server"

# stream NAME MIB FROM ADDRESS PORT up|down
stream()
{
	local run=
	[ "$3" = guest ] && run=in_guest
	check "$1: $2 MiB by $3 to $4 $6" $run $nettool stream "$4" "$5" "$6" "$2"
}

both_ways()
{
	stream "$1" "$2" host 10.7.0.2 7000 up
	stream "$1" "$2" host 10.7.0.2 7000 down
}

# frame_size END rx|tx COMMAND...: mean length of frames at that end meanwhile
frame_size()
{
	local end=$1 dir=$2 b p
	shift 2
	b=$(counter "$end" "${dir}_bytes")
	p=$(counter "$end" "${dir}_packets")
	"$@" > /dev/null || return
	b=$(($(counter "$end" "${dir}_bytes") - b))
	p=$(($(counter "$end" "${dir}_packets") - p))
	mean=$((b / p))
	echo "$b bytes in $p packets"
}

# Far more than the MTU: segments crossed uncut. At most the MTU: they were cut.
uncut()
{
	local mean
	frame_size "$@" && [ $mean -gt 6000 ]
}

cut()
{
	local mean
	frame_size "$@" && [ $mean -le 1514 ]
}

both_ways "offloads" "$STREAM_MIB"
stream "offloads" "$STREAM_MIB" guest 10.7.0.1 7001 up
stream "offloads" "$STREAM_MIB" host fd07::2 7000 up
stream "offloads" "$STREAM_MIB" host fd07::2 7000 down
down=("$nettool" stream 10.7.0.2 7000 down 4)
up=("$nettool" stream 10.7.0.2 7000 up 4)
check "TCP from the guest arrives uncut at mtu 1500" uncut host rx "${down[@]}"
check "TCP to the guest arrives uncut at mtu 1500" uncut guest rx "${up[@]}"
check "IPv6 from the guest arrives uncut" uncut host rx $nettool stream fd07::2 7000 down 4
check "IPv6 to the guest arrives uncut" uncut guest rx $nettool stream fd07::2 7000 up 4

# --- datagrams ----------------------------------------------------------------
# The sender also waits until the last of what it sent has been freed, though no
# more traffic follows.
# udp END ADDRESS LEN SEG N: sent from END; the other end gets N * LEN / SEG
udp()
{
	local from= to=in_guest got receiver
	if [ "$1" = guest ]; then
		from=in_guest
		to=
	fi
	: > /tmp/udp
	$to $nettool udp-recv 7002 "$4" $(($3 / $4 * $5)) > /tmp/udp &
	receiver=$!
	wait_for 10 grep -q ready /tmp/udp || return
	$from $nettool udp-send "$2" 7002 "$3" "$4" "$5" || return
	wait $receiver
}

for len in 1000 1472; do
	check "datagrams of $len from the host" udp host 10.7.0.2 $len $len 200
	check "datagrams of $len from the guest" udp guest 10.7.0.1 $len $len 200
done
check "UDP segmented by the other end, from the host" udp host 10.7.0.2 56000 1400 20
check "UDP segmented by the other end, from the guest" udp guest 10.7.0.1 56000 1400 20
check "UDP GSO from the guest arrives uncut" uncut host rx udp guest 10.7.0.1 56000 1400 20
check "UDP GSO to the guest arrives uncut" uncut guest rx udp host 10.7.0.2 56000 1400 20
check "UDP GSO by IPv6" udp host fd07::2 42000 1400 20
check "UDP GSO by IPv6 from the guest" udp guest fd07::1 42000 1400 20

# --- without offloads ---------------------------------------------------------
in_guest $nettool offload eth0 tso off
both_ways "guest without TSO" 4
check "TCP from the guest is cut without TSO" cut guest tx "${down[@]}"
in_guest $nettool offload eth0 gso off
in_guest $nettool offload eth0 txcsum off
in_guest $nettool offload eth0 sg off
both_ways "guest without any offload" 4
in_guest $nettool offload eth0 sg on
in_guest $nettool offload eth0 txcsum on
in_guest $nettool offload eth0 gso on
in_guest $nettool offload eth0 tso on
$nettool offload web0 tso off
both_ways "host without TSO" 4
$nettool offload web0 txcsum off
$nettool offload web0 sg off
both_ways "host without any offload" 4
$nettool offload web0 sg on
$nettool offload web0 txcsum on
$nettool offload web0 tso on
check "TCP from the guest is uncut again" uncut host rx "${down[@]}"

# --- large and small frames, small rings --------------------------------------
ip link set web0 mtu 65535
ip -n guest link set eth0 mtu 65535
both_ways "mtu 65535" "$STREAM_MIB"
in_guest $nettool offload eth0 tso off
$nettool offload web0 tso off
both_ways "mtu 65535 without TSO" 4
check "frames are as large as the mtu" uncut host rx "${down[@]}"
in_guest $nettool offload eth0 tso on
$nettool offload web0 tso on
in_guest $nettool ring eth0 64 64
wait_for 10 carrier_guest 1 > /dev/null
both_ways "mtu 65535, rings of 64" "$STREAM_MIB"
ip link set web0 mtu 576
ip -n guest link set eth0 mtu 576
both_ways "mtu 576, rings of 64" 2
ip link set web0 mtu 1500
ip -n guest link set eth0 mtu 1500

# --- VLAN ---------------------------------------------------------------------
ip link add link web0 name web0.5 type vlan id 5
ip addr add 10.8.0.1/24 dev web0.5
ip link set web0.5 up
ip -n guest link add link eth0 name eth0.5 type vlan id 5
ip -n guest addr add 10.8.0.2/24 dev eth0.5
ip -n guest link set eth0.5 up
check "ping through a VLAN" ping -q -c 3 -i 0.05 -W 5 -s 1400 10.8.0.2
stream "VLAN" 4 host 10.8.0.2 7000 up
stream "VLAN" 4 host 10.8.0.2 7000 down
ip link del web0.5

# --- several at once ----------------------------------------------------------
parallel()
{
	local pids=() p ret=0
	for p in up down up down; do
		$nettool stream 10.7.0.2 7000 $p 4 &
		pids+=($!)
		in_guest $nettool stream 10.7.0.1 7001 $p 4 &
		pids+=($!)
	done
	for p in "${pids[@]}"; do
		wait "$p" || ret=1
	done
	return $ret
}
check "eight streams at once" parallel
if command -v iperf3 > /dev/null; then
	in_guest iperf3 -s -1 > /dev/null &
	wait_for 10 in_guest sh -c 'ss -tlnH | grep -q :5201' > /dev/null
	check "iperf3 in both directions" iperf3 -c 10.7.0.2 -t 2 --bidir
fi

# --- nothing went wrong on the way --------------------------------------------
clean()
{
	local name
	for name in rx0_bad rx0_nomem tx0_drops tx0_timeouts; do
		[ "$(in_guest $nettool stats eth0 $name)" = 0 ] || { echo "$name"; return 1; }
	done
	! grep -E '^tx_drop_(length|offload|nomem) [^0]|^rx_drop_(noroom|stalled|offload) [^0]' $dev/stats
}
check "no frame was refused or lost by either end" clean
# shellcheck disable=SC2086
kill $server
check "everything goes" tear_down
check "every module can be unloaded" wait_for 10 net_unload
finish
