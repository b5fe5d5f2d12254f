#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The ABI of /dev/vbus from a VMM's side: layouts, every ioctl with what it must
# refuse, and that a refusal changes nothing. TAP; the cases are in tests/uapi.
. "${0%/*}/../lib/tap.sh"

cfs=/sys/kernel/config/vbus
bin=${VBUS_BUILD:-}/uapi
log=/tmp/uapi.log

# The programs say "pass NAME" or "fail NAME: why", a line each.
relay()
{
	local verdict name
	while read -r verdict name; do
		case $verdict in
		pass)	tap_result 0 "$name" ;;
		fail)	tap_result 1 "${name%: *}" "$name" ;;
		*)	echo "# $verdict $name" ;;
		esac
	done < "$1"
}

# Not built beforehand: build it here, which is slow.
if [ ! -x "$bin/uapi_neg" ]; then
	make -s -C "${0%/*}/../uapi" BUILD=/tmp all || bail "the programs do not build"
	bin=/tmp/uapi
fi
# That it was compiled is the test.
check "layouts for 64 bits are as written down" "$bin/uapi_layout"
check "layouts for 32 bits are as written down" test -e "$bin/layout32.ok"

modprobe vbus || bail "vbus does not load"
check "set up a device" mkdir $cfs/devices/null.a
check "with two queues" put 2 $cfs/devices/null.a/queues
check "enable it" put 1 $cfs/devices/null.a/enable
check "set up a bus" mkdir $cfs/buses/u0
check "a slot" mkdir $cfs/buses/u0/slots/3
check "with an alias" put front $cfs/buses/u0/slots/3/alias
check "an empty slot" mkdir $cfs/buses/u0/slots/4
check "plug" ln -s $cfs/devices/null.a $cfs/buses/u0/slots/3/device

"$bin/uapi_neg" /dev/vbus/u0 > $log 2>&1
status=$?
relay $log
# 1 says that a case failed, which has been told.
check "the program came to its end" test $status -le 1

check "unplug" rm $cfs/buses/u0/slots/3/device
check "remove the slots" rmdir $cfs/buses/u0/slots/3 $cfs/buses/u0/slots/4
check "remove the bus" rmdir $cfs/buses/u0
check "disable" put 0 $cfs/devices/null.a/enable
check "remove the device" rmdir $cfs/devices/null.a
finish
