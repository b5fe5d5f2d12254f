#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# STEPS random steps with several devices under traffic: everything that admin and
# guest may do to them. After each the host's view, the guest's view and what should be
# are the same, or become so, and what should work does. STEPS is 600, or 10000 with LONG=1.
# A failure is repeated with the SEED that was printed.
#
# Should-be, of device k:
#	at[k]		slot it is plugged in, or empty
#	held[k]		the guest objects to an unplug
#	loose[k]	unbound by hand
#	ejected[k]	the guest has given it back, it is still plugged
# Where the guest is concerned only while "attached", and driven only if the driver
# of its class is there.
: "${STEPS:=$([ "${LONG:-}" = 1 ] && echo 10000 || echo 600)}"
: "${SEED:=$((${EPOCHREALTIME/./} % 1000000))}"
. "${0%/*}/lib.sh"
. "${0%/*}/lib_many.sh"

# How long until host and guest agree; reached only if they never do.
DEADLINE=20
WARM=$((STEPS / 5))
cards=3
rng=3
names=(net.web0 net.web1 net.web2 rng.r0)
slots=(1 2 3 4 5 6)
at=() held=() loose=() ejected=() up=() mac=()
attached=0
declare -A driver=([net]=1 [rng]=1) count
devices=$cfs/devices
guest=/sys/bus/vbus
attach_dir=$loop/vm0

setup()
{
	local k
	modprobe vbus-net && modprobe vbus-rng && orders_start || bail "no drivers"
	sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
	sysctl -q -w net.ipv6.conf.default.disable_ipv6=1
	ip netns add host && ip -n host link set lo up || return
	for ((k = 0; k < cards; k++)); do
		mkdir "$devices/${names[k]}" &&
		echo "02:00:00:00:07:0$k" > "$devices/${names[k]}/mac" &&
		echo 1 > "$devices/${names[k]}/enable" &&
		ip link set web$k netns host &&
		ip -n host -batch - <<-EOT || return
			addr add 10.7.$k.1/24 dev web$k
			link set web$k up
			neigh add 10.7.$k.2 lladdr 02:00:00:00:07:0$k dev web$k nud permanent
		EOT
		mac[k]=$(ip -n host -o link show web$k | sed 's/.*link.ether \([^ ]*\).*/\1/')
	done
	mkdir "$devices/${names[rng]}" && echo 1 > "$devices/${names[rng]}/enable" || return
	mkdir $bus && for k in "${slots[@]}"; do mkdir "$bus/slots/$k" || return; done
	mkdir "$attach_dir" && attached=1
}

# --- traffic ------------------------------------------------------------------
traffic=()
traffic_start()
{
	local k
	for ((k = 0; k < cards; k++)); do
		nice ip netns exec host $nettool flood 10.7.$k.2 700$k 500 2 10000 &
		traffic+=($!)
		nice $nettool flood 10.7.$k.1 700$k 500 2 10000 &
		traffic+=($!)
	done
	nice $orders rng &
	traffic+=($!)
}

traffic_stop()
{
	kill "${traffic[@]}"
	wait "${traffic[@]}" 2> /dev/null
	traffic=()
}

# --- what should be -----------------------------------------------------------
class_of()
{
	class=${names[$1]%%.*}
}

present()
{
	[ $attached = 1 ] && [ -n "${at[$1]}" ] && [ -z "${ejected[$1]}" ]
}

driven()
{
	local class
	class_of "$1"
	present "$1" && [ -z "${loose[$1]}" ] && [ "${driver[$class]}" = 1 ]
}

vdev_of()
{
	vdev=$guest/devices/vbus0-${at[$1]}
}

forget()
{
	held[$1]='' loose[$1]='' ejected[$1]='' up[$1]=''
}

# --- what is ------------------------------------------------------------------
slot_is()
{
	local s
	read -r s < "$bus/slots/$1/state" && [ "$s" = "$2" ]
}

card_works()
{
	local vdev index path
	vdev_of "$1"
	for path in "$vdev"/net/*/ifindex; do
		read -r index < "$path" || return
	done 2> /dev/null
	path=${path%/ifindex}
	if [ "${up[$1]}" != "$index" ]; then
		order up "${path##*/}" "10.7.$1.2" "10.7.$1.1" "${mac[$1]}" || return
		up[$1]=$index
	fi
	order ping "10.7.$1.1"
}

source_works()
{
	local all
	read -r all < /sys/class/misc/hw_random/rng_available && [[ " $all " == *" vbus0-${at[rng]} "* ]]
}

works()
{
	if [ "$1" = $rng ]; then source_works; else card_works "$1"; fi
}

device_right()
{
	local vdev h want=plugged
	[ -n "${at[$1]}" ] || return 0
	! driven "$1" || want=bound
	slot_is "${at[$1]}" $want || return
	vdev_of "$1"
	if ! present "$1"; then
		[ ! -e "$vdev" ]
		return
	fi
	read -r h 2> /dev/null < "$vdev/hold" && [ "$h" = "${held[$1]:-0}" ] || return
	if driven "$1"; then works "$1"; else [ ! -e "$vdev/driver" ]; fi
}

empty_right()
{
	local s
	for s in "${slots[@]}"; do
		if [[ " ${at[*]} " != *" $s "* ]]; then
			slot_is "$s" empty && [ ! -e "$guest/devices/vbus0-$s" ] || return
		fi
	done
}

# One after the other: what was right stays so.
all_right()
{
	local k
	for k in "${!names[@]}"; do
		wait_for $DEADLINE device_right "$k" || return
	done
	wait_for $DEADLINE empty_right
}

# --- steps: false if that makes no sense now ----------------------------------
take()
{
	order rm "$bus/slots/${at[$1]}/device"
}

put_in()
{
	order ln "$devices/${names[$1]}" "$bus/slots/$2/device" || return
	at[$1]=$2
	forget "$1"
}

random_free()
{
	local s
	while s=${slots[RANDOM % ${#slots[@]}]}; [[ " ${at[*]} " == *" $s "* ]]; do :; done
	free=$s
}

step_plug()
{
	[ -z "${at[$1]}" ] || return 2
	random_free
	put_in "$1" "$free"
}

step_unplug()
{
	[ -n "${at[$1]}" ] && [ -z "${held[$1]}" ] || return 2
	take "$1" && at[$1]='' && forget "$1"
}

# Objected to, seen to go on working, and then ...
refused()
{
	local vdev
	present "$1" || return 2
	vdev_of "$1"
	echo 1 > "$vdev/hold" && take "$1" && slot_is "${at[$1]}" refused || return
	! driven "$1" || wait_for $DEADLINE works "$1"
}

# ... taken all the same,
step_force()
{
	refused "$1" || return
	echo 1 > "$bus/slots/${at[$1]}/force" && slot_is "${at[$1]}" empty || return
	at[$1]=''
	forget "$1"
}

# ... or given.
step_give_in()
{
	local vdev
	refused "$1" || return
	vdev_of "$1"
	echo 0 > "$vdev/hold" || return
	at[$1]=''
	forget "$1"
}

step_hold()
{
	local vdev
	present "$1" && [ -z "${held[$1]}" ] || return 2
	vdev_of "$1"
	echo 1 > "$vdev/hold" && held[$1]=1
}

step_unhold()
{
	local vdev
	present "$1" && [ -n "${held[$1]}" ] || return 2
	vdev_of "$1"
	echo 0 > "$vdev/hold" && held[$1]=''
}

step_unbind()
{
	local class
	class_of "$1"
	driven "$1" || return 2
	echo "vbus0-${at[$1]}" > "$guest/drivers/vbus-$class/unbind" && loose[$1]=1 up[$1]=''
}

step_bind()
{
	local class
	class_of "$1"
	present "$1" && [ -n "${loose[$1]}" ] && [ "${driver[$class]}" = 1 ] || return 2
	echo "vbus0-${at[$1]}" > "$guest/drivers/vbus-$class/bind" && loose[$1]=''
}

step_eject()
{
	local vdev
	present "$1" || return 2
	vdev_of "$1"
	[ -e "$vdev/eject" ] || return 2
	echo 1 > "$vdev/eject" || return
	forget "$1"
	ejected[$1]=1
}

# Into a slot that may be the same; nobody waits for the guest in between.
step_replug()
{
	[ -n "${at[$1]}" ] && [ -z "${held[$1]}" ] || return 2
	take "$1" && wait_for $DEADLINE slot_is "${at[$1]}" empty || return
	[ $((RANDOM % 2)) = 0 ] || at[$1]=''
	free=${at[$1]}
	[ -n "$free" ] || random_free
	put_in "$1" "$free"
}

# The device goes and comes while the user is rid of it.
step_eject_replug()
{
	step_eject "$1" || return
	step_replug "$1"
}

# All that can be moved at once.
step_shuffle()
{
	local k s moved=()
	for k in "${!names[@]}"; do
		[ -z "${at[k]}" ] || [ -n "${held[k]}" ] || moved+=("$k")
	done
	[ ${#moved[@]} -gt 1 ] || return 2
	for k in "${moved[@]}"; do
		take "$k" || return
	done
	for k in "${moved[@]}"; do
		wait_for $DEADLINE slot_is "${at[k]}" empty || return
		at[k]=''
	done
	for k in "${moved[@]}"; do
		random_free
		put_in "$k" "$free" || return
	done
}

step_detach()
{
	local k
	[ $attached = 1 ] || return 2
	echo $((RANDOM % 2)) > "$attach_dir/surprise" && order rmdir "$attach_dir" || return
	attached=0
	for k in "${!names[@]}"; do
		forget "$k"
	done
}

step_attach()
{
	[ $attached = 0 ] || return 2
	order mkdir "$attach_dir" && attached=1
}

# In the middle of something, and back at once.
step_reboot()
{
	[ $attached = 1 ] || return 2
	case $((RANDOM % 3)) in
	0) step_plug "$1" ;;
	1) step_unplug "$1" ;;
	esac
	[ $? != 1 ] && step_detach && step_attach
}

step_driver()
{
	local class k
	class_of "$1"
	if [ "${driver[$class]}" = 1 ]; then
		rmmod "vbus_$class" && driver[$class]=0
	else
		modprobe "vbus-$class" && driver[$class]=1
	fi || return
	for k in "${!names[@]}"; do
		[ "${names[k]%%.*}" != "$class" ] || loose[k]='' up[k]=''
	done
}

# Weighted so that states which much else ends are left on purpose now and then.
kinds=(plug plug plug unplug force give_in hold hold unhold unhold unhold unbind bind bind bind
       bind eject eject_replug replug replug shuffle detach attach attach reboot driver)

tell()
{
	echo "# SEED=$SEED, step $1: $2 of ${names[$3]}"
	for k in "${!names[@]}"; do
		echo "# ${names[k]}: slot ${at[k]:--} held ${held[k]:-0} loose ${loose[k]:-0} ejected ${ejected[k]:-0}"
	done
	echo "# attached $attached, drivers ${driver[*]}"
	grep . $bus/slots/*/state | sed 's/^/# /'
	echo "#" $guest/devices/*
}

# One step, of a kind that makes sense for some device.
random_step()
{
	local status n first
	while :; do
		kind=${kinds[RANDOM % ${#kinds[@]}]} first=$RANDOM
		for ((n = 0; n < ${#names[@]}; n++)); do
			k=$(((first + n) % ${#names[@]}))
			"step_$kind" $k
			status=$?
			[ $status = 2 ] || return $status
		done
	done
}

# run FROM TO: those steps; says which one failed
run()
{
	local i k kind
	for ((i = $1; i <= $2; i++)); do
		if ! random_step || ! all_right; then
			tell $i "$kind" $k
			return 1
		fi
		: $((count[$kind]++))
	done
}

# Everything out, and all drivers there.
quiet()
{
	local k
	for k in "${!names[@]}"; do
		step_unhold "$k"
		step_unplug "$k"
		class_of "$k"
		[ "${driver[$class]}" = 1 ] || step_driver "$k" || return
	done
	[ $attached = 1 ] || step_attach
	all_right
}

echo "# SEED=$SEED STEPS=$STEPS"
net_load
RANDOM=$SEED
setup || bail "no devices"
start=$SECONDS
traffic_start
run 1 $WARM
tap_result $? "steps 1 to $WARM under traffic"
quiet
tap_result $? "all out"
traffic_stop
measure /tmp/before
traffic_start
run $((WARM + 1)) "$STEPS"
tap_result $? "steps $((WARM + 1)) to $STEPS under traffic"
quiet
tap_result $? "all out"
traffic_stop
measure /tmp/after
echo "# $STEPS steps in $((SECONDS - start)) s, with SEED=$SEED"
for kind in "${!count[@]}"; do
	echo "# $kind ${count[$kind]}"
done | sort
# The kernel's reference trackers keep 128 dead records for each network namespace,
# each card's host end and each lo; a short run ends before they have all of them.
memory_back $((STEPS - WARM)) $((128 * (cards + 4)))

everything_goes()
{
	local k
	rmdir "$attach_dir" || return
	for k in "${slots[@]}"; do
		rmdir "$bus/slots/$k" || return
	done
	rmdir $bus || return
	for k in "${names[@]}"; do
		echo 0 > "$devices/$k/enable" && rmdir "$devices/$k" || return
	done
}

exec 7>&-
check "everything goes" everything_goes
ip netns del host
check "the driver of the other class goes" rmmod vbus_rng
check "its model goes" rmmod vbus_dm_rng
check "every module can be unloaded" wait_for 10 net_unload
finish
