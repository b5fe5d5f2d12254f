#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The outer host's part of tests/vm/power-cut: a guest writes records to a disk that is
# on this host's own disk, /dev/vda, and when enough of them have been told of, FILE says
# that the power may go. HOW: fsync, fua, none. ON: bdev, direct, buffered. ENOUGH: records.
. "${0%/*}/lib.sh"

told()
{
	[ "$(wc -l < "$DIR/acks")" -ge "$ENOUGH" ]
}

modprobe virtio_blk && wait_for 10 test -b /dev/vda || bail "no disk"
if [ "$ON" = bdev ]; then
	path=/dev/vda
	attr=direct=1
else
	mkdir -p /tmp/fs
	modprobe ext4 && mkfs.ext4 -q /dev/vda && mount /dev/vda /tmp/fs &&
		dd if=/dev/zero of=/tmp/fs/file bs=1M count=24 conv=fsync status=none || bail "no file"
	path=/tmp/fs/file
	attr=direct=$([ "$ON" = direct ] && echo 1 || echo 0)
fi
guest_disk_image writer || bail "no image"
bus_make vm0 3 && blk_make d0 $path $attr && plug vm0 3 blk.d0 || bail "no device"
guest_start g1 --bus vm0 && wait_for 30 guest g1 test -b /dev/vbda || bail "no guest"
guest g1 "writer write /dev/vbda $HOW" >> "$DIR/acks" 2> /dev/null &
wait_for 120 told || bail "the guest does not write"
: > "$DIR/cut"
# The end comes from outside.
pause 60
bail "the power is still there"
