#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Plug and unplug under traffic, CYCLES times, and the kernel's memory as it was.
#
# Datagrams are sent from both ends all the time; in every cycle each end must
# receive some before the card goes again. Here the host end is in the namespace
# "host" and the guest's stays in the first, to start fewer programs a cycle.
#
# What is compared is in lib_many.sh.
: "${CYCLES:=$([ -n "${LONG:-}" ] && echo 1000 || echo 500)}"
: "${WARM:=$((CYCLES / 5))}"
. "${0%/*}/lib.sh"
. "${0%/*}/lib_many.sh"

net_load
device_make mac=02:00:00:00:07:02 mtu=1500 && bus_make && attach || bail "no card"
ip netns add host
ip link set web0 netns host
ip -n host -batch - <<-EOT
	link set lo up
	addr add 10.7.0.1/24 dev web0
	link set web0 up
	neigh add 10.7.0.2 lladdr 02:00:00:00:07:02 dev web0 nud permanent
EOT
hostmac=$(ip -n host -o link show web0 | sed 's/.*link.ether \([^ ]*\).*/\1/')
# Router and neighbour discovery would only add noise.
sysctl -q -w net.ipv6.conf.default.disable_ipv6=1

# One process makes and removes the link and brings the interface up.
modprobe vbus-net && orders_start || bail "the driver does not load"

# --- one cycle ----------------------------------------------------------------
name=
interface_there()
{
	local path
	for path in $vdev/net/*/ifindex; do
		[ -e "$path" ] || return
		path=${path%/ifindex}
		name=${path##*/}
	done
}

# Received and sent in this life of the interface; no program is started.
moved()
{
	local rx tx
	read -r rx < "/sys/class/net/$name/statistics/rx_packets" &&
	read -r tx < "/sys/class/net/$name/statistics/tx_packets" &&
	[ "$rx" -gt 10 ] && [ "$tx" -gt 10 ]
}

device_gone()
{
	local s
	read -r s < $slot/state && [ "$s" = empty ] && [ ! -e $vdev ]
}

cycle()
{
	order ln $dev $slot/device && wait_for 20 interface_there &&
	order up "$name" 10.7.0.2 10.7.0.1 "$hostmac" && wait_for 20 moved &&
	order rm $slot/device && wait_for 20 device_gone
}

floods=()
floods_start()
{
	nice ip netns exec host $nettool flood 10.7.0.2 7003 1000 4 4000 &
	floods+=($!)
	nice $nettool flood 10.7.0.1 7003 1000 4 4000 &
	floods+=($!)
}

floods_stop()
{
	kill "${floods[@]}"
	wait "${floods[@]}" 2> /dev/null
	floods=()
}

# run FROM TO: those cycles; says which one failed
run()
{
	local i
	for ((i = $1; i <= $2; i++)); do
		cycle || { echo "# cycle $i failed"; return 1; }
	done
}

start=$SECONDS
floods_start
run 1 "$WARM"
tap_result $? "cycles 1 to $WARM under traffic"
floods_stop
measure /tmp/before
floods_start
run $((WARM + 1)) "$CYCLES"
tap_result $? "cycles $((WARM + 1)) to $CYCLES under traffic"
floods_stop
measure /tmp/after
echo "# $CYCLES cycles in $((SECONDS - start)) s"

memory_back $((CYCLES - WARM))
unused()
{
	[ "$(< /sys/module/vbus_net/refcnt)" = 0 ] || { echo "vbus_net is used"; return 1; }
}
check "the driver has no user" unused
exec 7>&-
ip netns del host
check "everything goes" tear_down
check "every module can be unloaded" wait_for 10 net_unload
finish
