#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A disk made of a file whose storage fails for a moment: what the guest is told, and what it finds
# when the disk is enabled again.
. "${0%/*}/lib_blk.sh"

backing=$(null_node b0)

# flaky TABLE: what a disk of device mapper is from now on; without TABLE: as its backing is
flaky()
{
	local sectors
	sectors=$(blockdev --getsz $backing) &&
		dmsetup suspend --noflush --nolockfs flaky &&
		dmsetup load flaky --table "0 $sectors ${1:-linear $backing 0}" &&
		dmsetup resume flaky
}

flaky_make()
{
	dmsetup create --noudevsync flaky --table "0 $(blockdev --getsz $backing) linear $backing 0" &&
		dmsetup mknodes && mkfs.ext4 -q -O ^has_journal /dev/mapper/flaky &&
		mkdir -p /tmp/flaky && mount -o errors=continue /dev/mapper/flaky /tmp/flaky &&
		dd if=/dev/zero of=/tmp/flaky/file bs=1M count=16 conv=fsync status=none
}

# Nothing but what the guest writes from now on: the file system is to survive it.
fails_to_write()
{
	sync && flaky "flakey $backing 0 0 1000 1 error_writes"
}

guest_writes()
{
	dd if=/tmp/block of=$vbd bs=4k seek="$1" oflag=direct conv=notrunc status=none
}

guest_writes_fua()
{
	dd if=/tmp/block of=$vbd bs=4k seek="$1" oflag=direct,dsync conv=notrunc status=none
}

guest_flushes()
{
	dd if=/dev/null of=$vbd conv=notrunc,fsync status=none
}

modprobe vbus && modprobe $connector || bail "the modules do not load"
check "a bus" eval "bus_make && attach && mkdir $dev"
check "a disk" null_make b0
check "a file on one that can fail" flaky_make
echo 0 > /proc/sys/vm/dirty_writeback_centisecs
random_block
put /tmp/flaky/file $dev/path
check "past the page cache" disk direct=1
check "the storage fails" fails_to_write
check "a write fails at once" fails guest_writes 5
check "the storage works" flaky
check "nothing else was lost" eval "guest_writes 5 && guest_flushes && equals $dev/failed 0"
check "the disk goes" disk_gone
check "through the page cache" disk direct=0
check "it is written and flushed" eval "guest_writes 0 && guest_flushes"
check "it has not failed" equals $dev/failed 0
check "the storage fails" fails_to_write
check "a write is taken" guest_writes 1
check "a flush fails" fails guest_flushes
check "the storage works" flaky
check "flushes still fail" eval "fails guest_flushes && fails guest_writes_fua 3 && fails guest_flushes"
check "the admin sees it" equals $dev/failed 1
check "one line says so" test "$(dmesg | grep -c 'file could not be written out')" = 1
check "the rest goes on" eval "guest_writes 2 &&
	dd if=$vbd bs=4k skip=2 count=1 iflag=direct status=none | cmp - /tmp/block"
check "the disk goes" disk_gone
check "another that promises with each write" disk cache=write-through
check "it has not failed" equals $dev/failed 0
check "what is there is what got there" eval "dd if=$vbd bs=4k count=1 status=none |
	cmp - /tmp/block && dd if=$vbd bs=4k skip=1 count=1 status=none | cmp -n 4096 - /dev/zero"
check "the storage fails" fails_to_write
check "a write fails" fails guest_writes 1
check "the storage works" flaky
check "writes still fail" fails guest_writes 1
check "the disk goes" disk_gone
check "its file system goes" eval "umount /tmp/flaky && dmsetup remove --noudevsync flaky"
check "nobody holds its disk" null_gone b0
check "the rest goes" tear_down
check "modules unload" modules_unload blk
finish
