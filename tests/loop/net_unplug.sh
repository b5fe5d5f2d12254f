#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The card goes while streams run, in every way it can go, and comes back.
. "${0%/*}/lib.sh"

net_load
device_make && bus_make && attach && plug && host_up || bail "no card"

# Not run by check, which would wait for what stays in the background.
servers=()
streams_start()
{
	in_guest nice $nettool serve 7000 &
	servers+=($!)
	nice $nettool serve 7001 &
	servers+=($!)
	wait_for 10 in_guest sh -c 'ss -tlnH | grep -q :7000' || return
	wait_for 10 sh -c 'ss -tlnH | grep -q :7001' || return
	for dir in up down; do
		nice $nettool stream 10.7.0.2 7000 $dir 0 2> /dev/null &
		servers+=($!)
		in_guest nice $nettool stream 10.7.0.1 7001 $dir 0 2> /dev/null &
		servers+=($!)
	done
}

# Both directions carry data right now.
moves()
{
	local rx tx
	rx=$(counter host rx_bytes)
	tx=$(counter host tx_bytes)
	wait_for 10 more_than rx_bytes $((rx + 1000000)) &&
	wait_for 10 more_than tx_bytes $((tx + 1000000))
}

more_than()
{
	[ "$(counter host "$1")" -gt "$2" ]
}

streams_stop()
{
	kill "${servers[@]}" 2> /dev/null
	wait "${servers[@]}" 2> /dev/null
	servers=()
	# Connections of killed servers belong to children.
	for pid in $(pgrep -x nettool); do
		kill "$pid"
	done
	wait_for 10 fails pgrep -x nettool
}

guest_gone_host_down()
{
	wait_for 15 guest_gone && wait_for 10 carrier_host 0
}

# way NAME TAKE BACK: TAKE the card away under traffic, then BACK with it
way()
{
	check "$1: the interface is there" guest_up
	streams_start
	tap_result $? "$1: streams start"
	check "$1: data moves both ways" moves
	check "$1: take it away" "$2"
	check "$1: the guest's interface is gone" guest_gone_host_down
	streams_stop
	tap_result $? "$1: the streams end when told"
	check "$1: put it back" "$3"
}

detach()
{
	rmdir $loop/vm0
}

detach_surprise()
{
	echo 1 > $loop/vm0/surprise && rmdir $loop/vm0
}

driver_away()
{
	rmmod vbus_net
}

driver_back()
{
	modprobe vbus-net
}

unbind()
{
	echo vbus0-3 > /sys/bus/vbus/drivers/vbus-net/unbind
}

bind()
{
	echo vbus0-3 > /sys/bus/vbus/drivers/vbus-net/bind
}

# The guest objects, the admin sees that, and the guest gives in.
refused_first()
{
	echo 1 > $vdev/hold && unplug && state_is refused && moves && echo 0 > $vdev/hold
}

force()
{
	echo 1 > $vdev/hold && unplug && state_is refused && moves && echo 1 > $slot/force &&
		state_is empty
}

# Without being asked, where the transport has no other way to.
eject()
{
	echo 1 > $vdev/eject
}

replug()
{
	unplug && state_is empty && plug
}

way "rm of the link" unplug plug
way "a guest that refuses first" refused_first plug
way "force" force plug
[ ! -e $vdev/eject ] || way "eject by the guest" eject replug
way "rmdir of the connector" detach attach
way "rmdir of the connector by surprise" detach_surprise attach

# These take the driver, not the device.
guest_gone()
{
	! ip -n guest -o link | grep -qv ' lo: '
}
way "rmmod of the driver" driver_away driver_back
way "unbind" unbind bind
check "unplugged once more" unplug
check "and plugged" plug
check "it works" guest_up
# A neighbour that was asked for while it was away counts as not there for some time.
check "ping" wait_for 20 ping -q -c 3 -i 0.05 -W 5 10.7.0.2

# --- down and up, rings changed, while data moves -----------------------------
streams_start
tap_result $? "streams again"
check "data moves" moves
restart()
{
	local i
	for i in 1 2 3 4 5; do
		ip -n guest link set eth0 down && ip -n guest link set eth0 up || return
		in_guest $nettool ring eth0 $((64 << i)) $((2048 >> i)) || return
		ip link set web0 down && ip link set web0 up || return
	done
	wait_for 10 carrier_guest 1
}
check "down, up and other rings under traffic" restart
check "the streams survive that" moves
streams_stop
tap_result $? "the streams end when told"

# --- refusals -----------------------------------------------------------------
refuse EBUSY rmdir $bus "rmdir of a bus that is open"
refuse_write EBUSY 0 $dev/enable
check "ping still" ping -q -c 3 -i 0.05 -W 5 10.7.0.2

check "everything goes" tear_down
check "every module can be unloaded" wait_for 10 net_unload
finish
