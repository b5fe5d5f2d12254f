#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The loopback connector, driven as an admin drives it: attach and detach of
# buses with and without devices, what is refused and how, what modules hold each
# other. Devices are of class null, and no driver binds to them. TAP.

. "${0%/*}/../lib/tap.sh"

host=/sys/kernel/config/vbus
loop=/sys/kernel/config/vbus-loop
guest=/sys/bus/vbus/devices

ok()
{
	tap_result "$1" "$2"
}

is()
{
	[ "$1" = "$2" ]
	tap_result $? "$3" "'$1' is not '$2'"
}

# Devices come and go in a worker: wait for a condition, five seconds at most.
soon()
{
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" && return 0
		sleep 0.05
	done
	echo "# not so after 5 s: $*"
	return 1
}

gone()
{
	[ ! -e "$1" ]
}

slots_are()
{
	local lines
	mapfile -t lines < "$loop/$1/slots"
	[ "${lines[*]}${lines:+ }" = "$2" ]
}

state_is()
{
	[ "$(< "$host/buses/$1/slots/$2/state")" = "$3" ]
}

# What a number that is none, or too large or small, is answered with.
range_or_invalid()
{
	case $1 in
	""|-*) echo EINVAL ;;
	*) echo ERANGE ;;
	esac
}

attr()
{
	cat "$guest/$1/$2"
}

plug()
{
	[ -d "$host/buses/$1/slots/$2" ] || mkdir "$host/buses/$1/slots/$2"
	ln -s "$host/devices/$3" "$host/buses/$1/slots/$2/device"
}

unplug()
{
	rm "$host/buses/$1/slots/$2/device"
}

# What is asked of the guest bus here is what it does without a driver.
no_autoload vbus-null
modprobe vbus || exit 1
modprobe vbus-loop || exit 1
[ -d $loop ]; ok $? "the subsystem is there"

# What is refused
refuse ENOENT mkdir $loop/none "unknown bus"
mkdir $host/buses/b0 $host/buses/b1
mkdir $loop/b0
ok $? "attach a bus without devices"
refuse EEXIST mkdir $loop/b0 "the same name again"
slots_are b0 ""
ok $? "no devices are listed"
refuse EBUSY rmdir $host/buses/b0 "an attached bus can't be removed"
! rmmod vbus-loop 2>/dev/null
ok $? "vbus-loop can't be unloaded while attached"
! rmmod vbus-proxy 2>/dev/null
ok $? "nor vbus-proxy"
refuse EBUSY open /dev/vbus/b0 "an attached bus can't be opened"
exec 5<> /dev/vbus/b1
refuse EBUSY mkdir $loop/b1 "an opened bus can't be attached"
exec 5>&-
refuse_write EINVAL maybe $loop/b0/surprise
refuse_write EINVAL "" $loop/b0/surprise
refuse EACCES put 1 $loop/b0/slots "slots can't be written"
rmdir $loop/b0
ok $? "detach"
is "$(ls $loop)" "" "nothing is left"
is "$(ls $guest)" "" "nor on the guest bus"

# A device comes and goes
mkdir $loop/b0
mkdir $host/devices/null.a $host/devices/null.b
for v in "" 0 257 -1 4294967296; do
	refuse_write "$(range_or_invalid "$v")" "$v" $host/devices/null.a/queues
done
for v in "" 0 1 3 65536 -2; do
	refuse_write "$(range_or_invalid "$v")" "$v" $host/devices/null.a/ring_size
done
for a in in_order keep; do
	refuse_write EINVAL maybe $host/devices/null.a/$a
	refuse_write EINVAL "" $host/devices/null.a/$a
done
echo 3 > $host/devices/null.a/queues
echo 1 > $host/devices/null.a/enable
echo 1 > $host/devices/null.b/enable
plug b0 7 null.a
ok $? "plug while attached"
soon test -e $guest/vbus0-7
ok $? "the guest has a device"
soon slots_are b0 "7 vbus0-7 "
ok $? "the list names it"
is "$(attr vbus0-7 class)" null "its class"
is "$(attr vbus0-7 modalias)" vbus:null "its modalias"
is "$(attr vbus0-7 slot)" 7 "its slot"
is "$(attr vbus0-7 queues)" 3 "its queues"
is "$(attr vbus0-7 status)" 0x0 "its status without a driver"
is "$(attr vbus0-7 features)" 0x0000000000000000 "its features without a driver"
grep -q '^MODALIAS=vbus:null$' $guest/vbus0-7/uevent
ok $? "its uevent has the modalias"
is "$(attr vbus0-7 alias)" "" "its alias is empty"
echo data-disk > $host/buses/b0/slots/7/alias
alias_is()
{
	[ "$(attr vbus0-7 alias)" = "$1" ]
}
soon alias_is data-disk
ok $? "a new alias arrives"
plug b0 1 null.b
soon slots_are b0 "7 vbus0-7 1 vbus0-1 "
ok $? "a second device"
unplug b0 7
soon gone $guest/vbus0-7
ok $? "unplug removes the device"
soon state_is b0 7 empty
ok $? "and the slot is empty"
plug b0 7 null.a
soon test -e $guest/vbus0-7
ok $? "plug again"

# Several buses
mkdir $loop/b1
soon test -d /sys/devices/vbus-loop1
ok $? "a second bus"
plug b1 1 null.a 2>/dev/null
is "$?" 1 "a device that is plugged can't be plugged elsewhere"
rmdir $loop/b1
soon gone /sys/devices/vbus-loop1
ok $? "the second bus leaves"

# Detach with devices, quietly and by surprise
rmdir $loop/b0
ok $? "detach with two devices"
is "$(ls $guest)" "" "none is left in the guest"
is "$(< $host/buses/b0/slots/7/state)" plugged "they are still plugged in the host"
mkdir $loop/b0
soon slots_are b0 "1 vbus0-1 7 vbus0-7 "
ok $? "attach finds both"
echo 1 > $loop/b0/surprise
rmdir $loop/b0
ok $? "detach by surprise"
is "$(ls $guest)" "" "none is left in the guest"

# Over and over, also without waiting for anything
for ((i = 0; i < 10; i++)); do
	mkdir $loop/b0 && rmdir $loop/b0 || break
done
is "$i" 10 "attach and detach in a row"
mkdir $loop/b0
for ((i = 0; i < 10; i++)); do
	unplug b0 7 || break
	soon state_is b0 7 empty || break
	plug b0 7 null.a || break
done
is "$i" 10 "plug and unplug in a row"
for ((i = 0; i < 10; i++)); do
	unplug b0 7 || break
	rmdir $loop/b0 || break
	state_is b0 7 empty || break
	plug b0 7 null.a || break
	mkdir $loop/b0 || break
	rmdir $loop/b0 || break
	mkdir $loop/b0 || break
done
is "$i" 10 "detach while unplugging"
rmdir $loop/b0

# Plug while the workers run out of memory: a device may stay away, nothing more
if [ -d /sys/kernel/debug/failslab ]; then
	fail=/sys/kernel/debug/failslab
	for p in /proc/[0-9]*; do
		# Kernel threads have no command line.
		[ -n "$(tr -d '\0' < "$p/cmdline")" ] || echo 1 > "$p/make-it-fail"
	done 2>/dev/null
	echo Y > $fail/task-filter
	echo N > $fail/ignore-gfp-wait
	echo 0 > $fail/verbose
	hit=0
	for ((i = 3; i < 43; i++)); do
		echo $i > $fail/interval
		echo 1 > $fail/times
		echo 100 > $fail/probability
		mkdir $loop/b0 || continue
		for ((j = 0; j < 10; j++)); do
			slots_are b0 "1 vbus0-1 7 vbus0-7 " && break
			sleep 0.02
		done
		echo 0 > $fail/probability
		[ "$(< $fail/times)" = 0 ] && hit=$((hit + 1))
		rmdir $loop/b0 || break
		[ -z "$(ls $guest)" ] || break
	done
	is "$i" 43 "attach with failing allocations"
	[ $hit -gt 0 ]
	ok $? "allocations did fail"
	mkdir $loop/b0
	soon slots_are b0 "1 vbus0-1 7 vbus0-7 "
	ok $? "with memory all is well again"
	rmdir $loop/b0
else
	skip "attach with failing allocations" "no fault injection"
fi

# Take everything away
unplug b0 7
unplug b0 1
echo 0 > $host/devices/null.a/enable
echo 0 > $host/devices/null.b/enable
rmdir $host/devices/* $host/buses/*/slots/* 2>/dev/null
rmdir $host/buses/*
is "$(ls $host/devices $host/buses | grep -v : | tr -d '\n')" "" "the host side is empty"
rmmod vbus-loop
ok $? "vbus-loop unloads"
gone $loop
ok $? "and leaves no subsystem"
rmmod vbus-proxy
ok $? "vbus-proxy unloads"
rmmod vbus-dm-null && rmmod vbus
ok $? "and the host side"
finish
