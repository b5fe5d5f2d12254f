#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a disk has promised is there when the VMM is killed in the middle: a guest writes
# numbered records and says which of them are safe; at some moment its VMM is killed;
# then each record that was told of is in the backing, and nobody holds it. Three times,
# or 50 with LONG=1. What survives a power cut of the host: tests/vm/power-cut.
. "${0%/*}/lib.sh"

kills=${LONG:+50}
kills=${kills:-3}
: "${SEED:=$((${EPOCHREALTIME/./} % 1000000))}"
RANDOM=$SEED
acks=/tmp/acks
writer=$VBUS_BUILD/vm/writer

# Backings in turn: a block device, a file past the page cache, a file through it.
backings()
{
	modprobe brd rd_nr=2 rd_size=65536 && modprobe ext4 && mkfs.ext4 -q /dev/ram1 &&
		mkdir -p /tmp/fs && mount /dev/ram1 /tmp/fs && truncate -s 40M /tmp/fs/file
}

told()
{
	[ "$(wc -l < $acks)" -ge "$1" ]
}

# one PATH HOW KILL ATTRIBUTE...: boots, writes, kills
one()
{
	local path=$1 how=$2 enough=$3
	shift 3
	: > $acks
	blk_make d0 "$path" "$@" && plug vm0 3 blk.d0 && guest_start g1 --bus vm0 &&
		wait_for 30 guest g1 test -b /dev/vbda || return
	guest g1 "writer write /dev/vbda $how" > $acks 2> /dev/null &
	wait_for 60 told "$enough" || return
	guest_kill g1 && wait_slot vm0 3 plugged && unplug vm0 3 && wait_slot vm0 3 empty &&
		blk_remove d0
}

all_there()
{
	# The last line may be half of one.
	"$writer" check "$1" "$(sed '$d' $acks | tail -n 1)"
}

note()
{
	echo "# $*"
}

note "SEED=$SEED"
guest_disk_image writer || bail "no image"
check "backings" backings || bail "nothing to write to"
check "a bus" bus_make vm0 3
for ((n = 1; n <= kills; n++)); do
	case $((n % 3)) in
	1) path=/dev/ram0; attr= ;;
	2) path=/tmp/fs/file; attr=direct=1 ;;
	0) path=/tmp/fs/file; attr=direct=0 ;;
	esac
	how=$([ $((RANDOM % 2)) = 0 ] && echo fsync || echo fua)
	check "kill $n: $path ${attr:-as a block device}, $how" one $path $how \
		$((RANDOM % 400 + 50)) $attr
	check "what was told of is there" all_there $path
	note "$(tail -n 1 $acks) records"
done
umount /tmp/fs
check "nobody holds the backings" modprobe -r brd
check "the bus goes" bus_remove vm0
finish
