# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the network tests: one card "net.web0" whose host end "web0" stays in the
# first network namespace, at 10.7.0.1 and fd07::1, and whose guest end goes to the
# namespace "guest", as .2, so that all traffic between them crosses the rings.
# Nothing here waits for a time to pass: wait_for polls for what has to happen.

. "${0%/*}/../lib/tap.sh"

cfs=/sys/kernel/config/vbus
# VBUS_LOOP=vbus-loop-native attaches through the native front instead.
connector=${VBUS_LOOP:-vbus-loop}
loop=/sys/kernel/config/$connector
dev=$cfs/devices/net.web0
bus=$cfs/buses/vm0
slot=$bus/slots/3
vdev=/sys/bus/vbus/devices/vbus0-3
nettool=$VBUS_BUILD/loop/nettool

# A pause that starts no process: a fifo that never has anything.
mkfifo /tmp/never && exec 9<>/tmp/never
pause()
{
	read -r -t "$1" -u 9
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" > /dev/null 2>&1; do
		if [ "${EPOCHREALTIME/./}" -gt $end ]; then
			echo "not within the time: $*"
			return 1
		fi
		pause 0.02
	done
	return 0
}

net_load()
{
	[ -x "$nettool" ] || bail "no $nettool: run make -C tests/loop"
	modprobe vbus && modprobe $connector || bail "the modules do not load"
	ip netns add guest
	ip -n guest link set lo up
	# A link that goes down and up keeps its addresses.
	sysctl -q -w net.ipv6.conf.all.keep_addr_on_down=1
	ip netns exec guest sysctl -q -w net.ipv6.conf.all.keep_addr_on_down=1
}

# device_make [ATTRIBUTE=VALUE]...
device_make()
{
	local a
	mkdir $dev || return
	for a; do
		echo "${a#*=}" > "$dev/${a%%=*}" || return
	done
	echo 1 > $dev/enable
}

bus_make()
{
	mkdir $bus && mkdir $slot
}

plug()
{
	ln -s $dev $slot/device
}

unplug()
{
	rm $slot/device
}

attach()
{
	mkdir $loop/vm0
}

# What is left of any of it goes, in whatever order it was made.
tear_down()
{
	[ ! -L $slot/device ] || unplug || return
	[ ! -d $loop/vm0 ] || rmdir $loop/vm0 || return
	[ ! -d $slot ] || rmdir $slot || return
	[ ! -d $bus ] || rmdir $bus || return
	if [ -d $dev ]; then
		echo 0 > $dev/enable && rmdir $dev
	fi
}

state_is()
{
	local s
	read -r s < $slot/state && [ "$s" = "$1" ]
}

# The guest's interface while it is in the first namespace.
guest_here()
{
	local path
	for path in $vdev/net/*; do
		[ -d "$path" ] && echo "${path##*/}" && return
	done
	return 1
}

guest_gone()
{
	[ ! -e $vdev ] && ! ip -n guest -o link | grep -qv ' lo: '
}

# Wait for the interface, take it to its namespace as "eth0" and up.
guest_up()
{
	local name
	wait_for 10 guest_here || return
	name=$(guest_here)
	ip link set "$name" netns guest name eth0 &&
	ip -n guest -batch - <<-EOT &&
		addr add 10.7.0.2/24 dev eth0
		addr add fd07::2/64 dev eth0 nodad
		link set eth0 up
	EOT
	wait_for 10 carrier_guest 1
}

host_up()
{
	ip -batch - <<-EOT
		addr add 10.7.0.1/24 dev web0
		addr add fd07::1/64 dev web0 nodad
		link set web0 up
	EOT
}

carrier_guest()
{
	ip -n guest -o link show eth0 | grep -q LOWER_UP
	[ $? = $((1 - $1)) ]
}

carrier_host()
{
	local c
	read -r c < /sys/class/net/web0/carrier && [ "$c" = "$1" ]
}

in_guest()
{
	ip netns exec guest "$@"
}

# counter host|guest NAME: a counter of that end's interface
counter()
{
	case $1 in
	host)	cat "/sys/class/net/web0/statistics/$2" ;;
	# ip netns exec shows the namespace's own sysfs.
	guest)	in_guest cat "/sys/class/net/eth0/statistics/$2" ;;
	esac
}

# modules_unload CLASS: nothing holds any of them any more.
modules_unload()
{
	local m
	for m in "vbus_$1" vbus_loop_native vbus_native vbus_loop vbus_proxy "vbus_dm_$1" vbus; do
		[ ! -d /sys/module/$m ] || wait_for 10 rmmod $m || return
	done
}

net_unload()
{
	ip netns del guest
	modules_unload net
}
