#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A user of either end sends frames with offload headers of his own, by a packet socket
# or as a nested guest does by its tap. They may cost themselves and nothing else: the
# device stays as it is, and the next ping is answered. Random, but the same each time.
. "${0%/*}/lib.sh"

rounds=500
[ -z "${LONG:-}" ] || rounds=20000
fuzz=$VBUS_BUILD/loop/rawfuzz

net_load
device_make mtu=65535 && bus_make && attach && plug && host_up && guest_up || bail "no card"
wait_for 10 carrier_host 1 || bail "no link"

# What was sent before may have to be cut up, and waits in front of the answers.
sound()
{
	wait_for 60 ping -q -c 1 -W 1 10.7.0.2 && wait_for 60 in_guest ping -q -c 1 -W 1 10.7.0.1 &&
	equals $dev/state running && carrier_guest 1 && carrier_host 1
}

# from_guest INTERFACE SEED
from_guest()
{
	in_guest $fuzz "$1" "$host_mac" $rounds "$2" && sound
}

from_host()
{
	$fuzz web0 "$guest_mac" $rounds "$1" && sound
}

counted()
{
	local n
	n=$("$@") && echo "$* is $n" && [ "$n" -gt 0 ]
}

host_mac=$(< /sys/class/net/web0/address)
guest_mac=$(in_guest cat /sys/class/net/eth0/address)
check "both ends answer" sound

# --- the guest's user ---------------------------------------------------------
for seed in 1 2 3; do
	check "guest to host, seed $seed" from_guest eth0 $seed
done
check "the guest's driver counts what no header describes" counted in_guest $nettool stats eth0 tx0_bad
check "the host's end counts frames that are not what they say" counted counter host rx_frame_errors
check "small mtu" eval 'ip link set web0 mtu 1500 && ip -n guest link set eth0 mtu 1500'
check "guest to host, small mtu" from_guest eth0 5
check "without offloads" in_guest ethtool -K eth0 tx off
check "guest to host, without offloads" from_guest eth0 6
check "with offloads" in_guest ethtool -K eth0 tx on tso on tx-udp-segmentation on
check "large mtu" eval 'ip link set web0 mtu 65535 && ip -n guest link set eth0 mtu 65535'

# --- the host's user ----------------------------------------------------------
for seed in 11 12 13; do
	check "host to guest, seed $seed" from_host $seed
done

# --- a guest of the guest -----------------------------------------------------
bridge()
{
	ip -n guest -batch - <<-EOT
		link add br0 mtu 65535 address $guest_mac type bridge forward_delay 0
		tuntap add dev t0 mode tap vnet_hdr
		link set t0 mtu 65521 master br0 up
		addr flush dev eth0
		link set eth0 master br0
		addr add 10.7.0.2/24 dev br0
		link set br0 up
	EOT
}

check "a bridge in the guest, with a tap" bridge
check "it answers" sound
packets=$(counter host rx_packets)
for seed in 21 22; do
	check "nested guest to host, seed $seed" from_guest tap:t0 $seed
done
check "and that came to the host" eval '[ "$(counter host rx_packets)" -gt $((packets + rounds)) ]'

# --- end ----------------------------------------------------------------------
ip -n guest link del br0
ip -n guest link del t0
check "unplug" unplug
check "the guest's interface is gone" wait_for 10 guest_gone
check "everything goes" tear_down
check "every module can be unloaded" net_unload
finish
