#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A random number generator in a real guest: there when it boots, unplugged and
# plugged while the guest reads from it.
. "${0%/*}/lib.sh"

vbus_load || bail "the modules do not load"
rng=$cfs/devices/rng.r0

is_source()
{
	guest g1 'grep -qx vbus0-3 /sys/class/misc/hw_random/rng_current'
}

no_source()
{
	guest g1 '! grep -q vbus /sys/class/misc/hw_random/rng_available'
}

# What the host counted is at least what the guest read.
counted()
{
	local bytes
	bytes=$(sed -n 's/^bytes[: ]*//p' $rng/stats)
	[ "$bytes" -ge "$1" ] || { echo "the host gave $bytes bytes"; return 1; }
}

check "a device" eval "mkdir $rng && echo 1 > $rng/enable"
check "a bus with a slot" bus_make vm0 3
check "plug" plug vm0 3 rng.r0
check "a guest boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "its driver comes by modalias and is the source" wait_for 60 is_source
check "256 KiB" guest g1 'head -c 262144 /dev/hwrng > /tmp/a && [ $(wc -c < /tmp/a) = 262144 ]'
check "the host counted them" counted 262144
check "random by the look of them" guest g1 '[ $(gzip -9 < /tmp/a | wc -c) -gt 262144 ]'
check "a reader" guest g1 'cat /dev/hwrng > /tmp/b 2> /tmp/end &
	for i in $(seq 300); do [ -s /tmp/b ] && exit 0; usleep 20000; done; exit 1'
check "unplug under it" unplug vm0 3
check "the guest lets go" wait_for 60 no_source
check "the reader ends" wait_for 60 guest g1 '! pgrep -x cat'
check "the slot is free" wait_slot vm0 3 empty 60
check "plug again" plug vm0 3 rng.r0
check "it is the source again" wait_for 60 is_source
check "and gives" guest g1 'head -c 4096 /dev/hwrng > /tmp/a && [ $(wc -c < /tmp/a) = 4096 ]'
check "the driver can be unloaded" guest g1 'rmmod vbus_rng'
check "and loaded" guest g1 'modprobe vbus-rng'
check "it serves" wait_for 60 is_source
check "it powers off" guest_stop g1
check "the rest goes" eval "unplug vm0 3 && echo 0 > $rng/enable && rmdir $rng && bus_remove vm0"
finish
