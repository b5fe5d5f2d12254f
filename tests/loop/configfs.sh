#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The rules of /sys/kernel/config/vbus: every name and attribute with values it
# must refuse, the errno it answers, and that a refusal changes nothing.
. "${0%/*}/../lib/tap.sh"

cfs=/sys/kernel/config/vbus
dev=$cfs/devices
bus=$cfs/buses

open_ro()
{
	{ exec 8< "$1"; } 2>&1
}

open_wo()
{
	{ exec 8> "$1"; } 2>&1
}

# Owner, group and mode of the node.
node_is()
{
	[ "$(stat -c '%u %g %a' /dev/vbus/vm0)" = "$1" ]
}

stats_wellformed()
{
	[ -s "$1" ] && ! grep -qvE '^[a-z0-9_]+ [0-9]+$' "$1"
}

modprobe vbus || bail "vbus does not load"

# --- device names -------------------------------------------------------------
long=$(printf 'x%.0s' {1..60})
refuse EINVAL mkdir $dev/null "device name without a dot"
refuse EINVAL mkdir $dev/.a "device name without a class"
refuse EINVAL mkdir $dev/null. "device name without a name"
refuse EINVAL mkdir "$dev/null.a b" "device name with a blank"
refuse EINVAL mkdir $dev/null.a.b "device name with two dots"
refuse EINVAL mkdir $dev/null.$long "device name of 65 characters"
refuse EINVAL mkdir $dev/aaaaaaaaaaaaaaaa.x "class name of 16 characters"
refuse ENODEV mkdir $dev/nosuch.a "unknown class"
check "refusals left no device" test -z "$(ls $dev)"

check "mkdir of a device loads its model" mkdir $dev/null.a
check "the model's module is in use" module_used vbus_dm_null
refuse EEXIST mkdir $dev/null.a "device twice"
check "a new device is disabled" equals "$dev/null.a/enable" 0
check "its state says so" equals "$dev/null.a/state" disabled

# --- enable -------------------------------------------------------------------
for value in 2 -1 x "" "1 1" y; do
	refuse_write EINVAL "$value" $dev/null.a/enable
done
refuse_write EACCES 1 $dev/null.a/state
refuse_write EACCES 1 $dev/null.a/stats
check "enable" put 1 $dev/null.a/enable
check "state enabled" equals $dev/null.a/state enabled
check "enable again changes nothing" put 1 $dev/null.a/enable
check "stats have lines of a name and a number" stats_wellformed $dev/null.a/stats

# --- bus names ----------------------------------------------------------------
refuse EINVAL mkdir "$bus/a b" "bus name with a blank"
refuse EINVAL mkdir "$bus/-a" "bus name that begins with -"
refuse EINVAL mkdir "$bus/.a" "bus name that begins with a dot"
refuse EINVAL mkdir $bus/${long:0:32} "bus name of 32 characters"
check "refusals left no bus" test -z "$(ls $bus)"
check "bus name of 31 characters" mkdir $bus/${long:0:31}
check "and away with it" rmdir $bus/${long:0:31}
check "mkdir of a bus" mkdir $bus/vm0
refuse EEXIST mkdir $bus/vm0 "bus twice"
check "the node is there" test -c /dev/vbus/vm0
check "only root may open it" node_is "0 0 600"

# --- uid, gid, mode -----------------------------------------------------------
for attr in uid gid; do
	for value in -1 x "" 4294967295 4294967296 99999999999 0x10; do
		case $value in
		4294967296|99999999999)	errno=ERANGE ;;
		*)			errno=EINVAL ;;
		esac
		refuse_write $errno "$value" $bus/vm0/$attr
	done
done
for value in 8 x "" -1; do
	refuse_write EINVAL "$value" $bus/vm0/mode
done
refuse_write EINVAL 111 $bus/vm0/mode
refuse_write ERANGE 1666 $bus/vm0/mode
refuse_write ERANGE 777 $bus/vm0/mode
check "the node is as before" node_is "0 0 600"
check "uid" put 1000 $bus/vm0/uid
check "gid" put 100 $bus/vm0/gid
check "mode" put 0660 $bus/vm0/mode
check "the node follows" node_is "1000 100 660"
check "the attributes read back" equals $bus/vm0/mode 0660

# --- slot numbers and alias ---------------------------------------------------
for name in x -1 +1 01 0x1 1x; do
	refuse EINVAL mkdir "$bus/vm0/slots/$name" "slot \"$name\""
done
refuse ERANGE mkdir $bus/vm0/slots/256 "slot 256"
refuse ERANGE mkdir $bus/vm0/slots/4294967296 "slot 4294967296"
check "refusals left no slot" test -z "$(ls $bus/vm0/slots)"
check "mkdir of the last slot" mkdir $bus/vm0/slots/255
check "mkdir of a slot" mkdir $bus/vm0/slots/3
slot=$bus/vm0/slots/3
check "a new slot is empty" equals $slot/state empty
refuse_write EACCES 1 $slot/state
refuse_write ENAMETOOLONG "${long:0:33}" $slot/alias
refuse_write EINVAL "a b" $slot/alias
refuse_write EINVAL $'a\tb' $slot/alias
refuse_write EINVAL $'\xc3\xa9' $slot/alias
check "alias of 32 bytes" put "${long:0:32}" $slot/alias
check "alias reads back" equals $slot/alias "${long:0:32}"
check "alias" put front $slot/alias
for bad in x -1 ""; do
	refuse_write EINVAL "$bad" $slot/unplug_timeout
done
refuse_write ERANGE 86401 $slot/unplug_timeout
check "unplug_timeout is 30 by default" equals $slot/unplug_timeout 30
for bad in x 0 ""; do
	refuse_write EINVAL "$bad" $slot/force
done
check "force on an empty slot" put 1 $slot/force

# --- plugging -----------------------------------------------------------------
check "mkdir of a second device" mkdir $dev/null.b
refuse ENODEV "ln -s" $dev/null.b $slot/device "plug of a disabled device"
refuse EINVAL "ln -s" $bus/vm0 $slot/device "plug of a bus"
refuse EPERM "ln -s" /tmp $slot/device "plug of what is not configfs"
check "the slot is still empty" equals $slot/state empty
check "plug" ln -s $dev/null.a $slot/device
check "the slot says plugged" equals $slot/state plugged
check "the device says plugged" equals $dev/null.a/state plugged
check "enable the second" put 1 $dev/null.b/enable
refuse EBUSY "ln -s" $dev/null.b $slot/other "plug into a taken slot"
refuse EBUSY "ln -s" $dev/null.a $bus/vm0/slots/255/device "plug of a plugged device"
check "the other slot is still empty" equals $bus/vm0/slots/255/state empty

# --- what is in use can't vanish ----------------------------------------------
refuse_write EBUSY 0 $dev/null.a/enable
check "it is still enabled" equals $dev/null.a/enable 1
refuse EBUSY rmdir $dev/null.a "rmdir of a plugged device"
refuse ENOTEMPTY rmdir $slot "rmdir of a slot in use"
refuse ENOTEMPTY rmdir $bus/vm0 "rmdir of a bus with slots"
check "the model can't be unloaded" fails rmmod vbus_dm_null
check "the core can't be unloaded" fails rmmod vbus
check "everything is still there" test -d $slot/device

refuse EACCES open_ro /dev/vbus/vm0 "open for reading only"
refuse EACCES open_wo /dev/vbus/vm0 "open for writing only"
exec 9<>/dev/vbus/vm0 || bail "can not open the node"
refuse EBUSY "open" /dev/vbus/vm0 "open of an open bus"
for attr in uid gid mode; do
	refuse_write EBUSY 0 $bus/vm0/$attr
done
check "unplug of a device that is not open" rm $slot/device
check "the slot is empty at once" equals $slot/state empty
check "rmdir of a slot while the bus is open" rmdir $slot
check "rmdir of the other slot" rmdir $bus/vm0/slots/255
refuse EBUSY rmdir $bus/vm0 "rmdir of an open bus"
check "the bus is still there" test -c /dev/vbus/vm0
exec 9<&-
check "rmdir of the bus once it is closed" rmdir $bus/vm0
check "the node is gone" test ! -e /dev/vbus/vm0

# --- and out ------------------------------------------------------------------
check "rmdir of an enabled device" rmdir $dev/null.a
check "rmdir of the other" rmdir $dev/null.b
check "the model unloads" rmmod vbus_dm_null
check "mkdir loads it again" mkdir $dev/null.c
check "rmdir" rmdir $dev/null.c
check "unload everything" rmmod vbus_dm_null vbus
finish
