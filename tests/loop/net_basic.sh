#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A card is plugged in every order its parts can be made in, carries frames of all
# sizes, follows the link of its host end, and goes.
. "${0%/*}/lib.sh"

net_load

# --- every order --------------------------------------------------------------
steps_done()
{
	local step
	for step; do
		$step || return
	done
}

order=0
for steps in "device_make bus_make plug attach" \
	     "bus_make device_make attach plug" \
	     "bus_make attach device_make plug"; do
	order=$((order + 1))
	# shellcheck disable=SC2086
	check "order $order: $steps" steps_done $steps
	check "order $order: the guest's interface appears" wait_for 10 guest_here
	check "order $order: its driver was loaded by alias" test -d /sys/module/vbus_net
	check "order $order: the slot is bound" wait_for 10 state_is bound
	check "order $order: everything goes again" tear_down
	check "order $order: and the guest's interface with it" guest_gone
done

# --- identity -----------------------------------------------------------------
mac=02:00:00:00:07:02
check "a device with mac and mtu" device_make mac=$mac mtu=9000
check "its bus" bus_make
check "attach" attach
check "plug" plug
wait_for 10 guest_here > /dev/null || bail "no interface"
name=$(guest_here)
check "the mac is the guest's" equals "/sys/class/net/$name/address" $mac
check "the mtu is the guest's" equals "/sys/class/net/$name/mtu" 9000
check "the guest's interface belongs to the device" \
	test "$(readlink -f "/sys/class/net/$name/device")" = "$(readlink -f $vdev)"
check "no link while both ends are down" equals /sys/class/net/web0/operstate down

# --- link ---------------------------------------------------------------------
check "host end up" host_up
check "guest end up" guest_up
check "the host end has a carrier too" wait_for 10 carrier_host 1
ip link set web0 down
check "host end down: the guest's carrier drops" wait_for 10 carrier_guest 0
ip link set web0 up
check "host end up: it is back" wait_for 10 carrier_guest 1
ip -n guest link set eth0 down
check "guest end down: the host's carrier drops" wait_for 10 carrier_host 0
ip -n guest link set eth0 up
check "guest end up: it is back" wait_for 10 carrier_host 1
check "and the guest's as well" wait_for 10 carrier_guest 1

# --- frames -------------------------------------------------------------------
for size in 0 1 56 1400 8000; do
	check "ping with $size bytes" ping -q -c 3 -i 0.05 -W 5 -s $size 10.7.0.2
done
check "ping from the guest" in_guest ping -q -c 3 -i 0.05 -W 5 10.7.0.1
check "ping by IPv6" ping -q -c 3 -i 0.05 -W 5 -s 1400 fd07::2
check "mtu 65535 at the host end" ip link set web0 mtu 65535
check "mtu 65535 at the guest end" ip -n guest link set eth0 mtu 65535
for size in 1400 60000 65507; do
	check "ping with $size bytes and mtu 65535" ping -q -M do -c 3 -i 0.05 -W 5 -s $size 10.7.0.2
done
check "ping from the guest with 65507 bytes" \
	in_guest ping -q -M do -c 3 -i 0.05 -W 5 -s 65507 10.7.0.1
check "flood of small and large frames" ping -q -f -c 300 -W 5 -s 20000 10.7.0.2
fails_mtu()
{
	! ip -n guest link set eth0 mtu "$1" 2> /dev/null
}
check "mtu 67 is refused" fails_mtu 67
check "mtu 65536 is refused" fails_mtu 65536

# --- another address ----------------------------------------------------------
check "the guest takes another address while up" \
	ip -n guest link set eth0 address 02:00:00:00:07:99
ip neigh flush dev web0
check "and is reached by it" ping -q -c 3 -i 0.05 -W 5 10.7.0.2

# --- ethtool ------------------------------------------------------------------
guest_tool()
{
	in_guest $nettool "$@"
}

guest_says()
{
	local want=$1 got
	shift
	got=$(guest_tool "$@") && [ "$got" = "$want" ] || { echo "says $got"; return 1; }
}

stats_count()
{
	[ "$(guest_tool stats eth0 rx0_packets)" -gt 300 ] &&
	[ "$(guest_tool stats eth0 tx0_packets)" -gt 300 ] &&
	[ "$(guest_tool stats eth0 rx0_bad)" = 0 ] &&
	[ "$(guest_tool stats eth0 tx0_drops)" = 0 ] &&
	[ "$(guest_tool stats eth0 tx0_timeouts)" = 0 ]
}

check "driver information" guest_says "vbus-net vbus0-3" drvinfo eth0
check "statistics count" stats_count
check "link settings" guest_says "-1 full" speed eth0
check "ring sizes" guest_says "512 1024 of 4096 4096" ring eth0
for sizes in "64 64" "4096 4096" "128 256"; do
	# shellcheck disable=SC2086
	check "set ring sizes to $sizes" guest_tool ring eth0 $sizes
	check "ring sizes are $sizes" guest_says "$sizes of 4096 4096" ring eth0
	check "the link is back with rings of $sizes" wait_for 10 carrier_guest 1
	check "ping with rings of $sizes" ping -q -c 3 -i 0.05 -W 5 -s 60000 10.7.0.2
done
for sizes in "63 64" "0 64" "96 64" "8192 64" "64 32"; do
	# shellcheck disable=SC2086
	check "ring sizes $sizes are refused" fails guest_tool ring eth0 $sizes
	check "and stay" guest_says "128 256 of 4096 4096" ring eth0
done
ip -n guest link set eth0 down
check "set ring sizes while down" guest_tool ring eth0 1024 512
ip -n guest link set eth0 up
check "they are used" guest_says "1024 512 of 4096 4096" ring eth0
check "the link comes up with them" wait_for 10 carrier_guest 1
check "ping with them" ping -q -c 3 -i 0.05 -W 5 10.7.0.2

# --- end ----------------------------------------------------------------------
check "unplug" unplug
check "the guest's interface is gone" wait_for 10 guest_gone
check "the slot is empty" wait_for 10 state_is empty
check "the host end lost its carrier" wait_for 10 carrier_host 0
check "everything goes" tear_down
check "every module can be unloaded" net_unload
finish
