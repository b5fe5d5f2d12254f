# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the tests of disks: one disk "blk.d0", whose backing is a null_blk disk or a file, and which
# the guest has as /dev/vbda.
. "${0%/*}/lib.sh"

dev=$cfs/devices/blk.d0
nullb=/sys/kernel/config/nullb
vbd=/dev/vbda
sys=/sys/block/vbda

stat_of()
{
	sed -n "s/^$1 //p" "$dev/stats"
}

# null_make NAME ATTRIBUTE=VALUE...
null_make()
{
	local d=$nullb/$1 a
	mkdir "$d" || return
	shift
	for a in size=64 memory_backed=1 "$@"; do
		echo "${a#*=}" > "$d/${a%%=*}" || return
	done
	echo 1 > "$d/power"
}

# The node of it.
null_node()
{
	echo "/dev/$1"
}

null_gone()
{
	rmdir "$nullb/$1"
}

enable()
{
	echo 1 > $dev/enable
}

# The device with these attributes, plugged, and the guest has it.
disk()
{
	local a
	for a; do
		put "${a#*=}" "$dev/${a%%=*}" || return
	done
	enable && plug && wait_for 10 test -b $vbd
}

disk_gone()
{
	{ [ ! -L $slot/device ] || unplug; } && wait_for 20 fails test -e $sys &&
		wait_for 20 state_is empty && echo 0 > $dev/enable
}

random_block()
{
	dd if=/dev/urandom of=/tmp/block bs=4k count=1 status=none
}
