#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A user in a guest with a packet socket, or the guest of a guest with its tap, sends what
# he likes, offload headers included. It may cost the frame and nothing else: never
# NEEDS_RESET, and the next ping is answered. The same from the host's end.
. "${0%/*}/cards.sh"

rounds=${LONG:+50000}
rounds=${rounds:-3000}

check "a bus with a slot" bus_make vm0 3
check "a card" net_make web0 mtu=65535
check "plug it" plug vm0 3 web0
check "a guest boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "the host's end" card_host web0 3
check "the guest's end" card_guest g1 3 || bail "no card"
card=$(guest_if g1 3)
host_mac=$(cat /sys/class/net/web0/address)
guest_mac=$(guest g1 "cat /sys/class/net/$card/address")
fuzz=$VBUS_BUILD/loop/rawfuzz

sound()
{
	wait_for 60 alive 10.7.3.2 && wait_for 60 guest g1 "ping -q -c 1 -W 2 10.7.3.1" || return
	[ "$(cat "$cfs/devices/net.web0/state")" = running ] ||
		{ cat "$cfs/devices/net.web0/state"; return 1; }
	! guest g1 "dmesg | grep violation"
}

# from_guest INTERFACE SEED
from_guest()
{
	guest g1 "rawfuzz $1 $host_mac $rounds $2" && sound
}

from_host()
{
	"$fuzz" web0 "$guest_mac" $rounds "$1" && sound
}

check "both ends answer" sound
for seed in 1 2; do
	check "guest to host, seed $seed" from_guest "$card" $seed
	check "host to guest, seed $((seed + 10))" from_host $((seed + 10))
done

nested()
{
	guest g1 "modprobe -a bridge tun; /usr/bin/ip link add br0 mtu 65535 address $guest_mac type bridge forward_delay 0 &&
		/usr/bin/ip tuntap add dev t0 mode tap vnet_hdr && ip link set t0 mtu 65521 master br0 up &&
		ip addr flush dev $card && ip link set $card master br0 &&
		ip addr add 10.7.3.2/24 dev br0 && ip link set br0 up" && sound
}

check "a bridge in the guest, with a tap" nested
check "nested guest to host" from_guest tap:t0 21
check "1000 pings after all that" ping_host 1000 1400 10.7.3.2
check "the guest powers off" guest_stop g1
finish
