#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A disk, from mkdir to file systems on it: the attributes, each kind of backing, what
# only some of them can do, errors of the backing as the guest sees them, and how disks
# go while they are in use. The backings are null_blk disks with memory, and files.
. "${0%/*}/lib_blk.sh"

queue_is()
{
	equals "$sys/queue/$1" "$2"
}

# says TEXT COMMAND...: the command leaves a line with this text in the log
says()
{
	local before text=$1
	before=$(dmesg | wc -l)
	shift
	"$@" > /dev/null 2>&1
	dmesg | tail -n +$((before + 1)) | grep -qF "$text" || { dmesg | tail -n 3; return 1; }
}

size=8M
[ -z "${LONG:-}" ] || size=24M
# fio_verify OPTIONS...: what was written is read, whatever else happens at that time
fio_verify()
{
	fio --name=v --filename=$vbd --direct=1 --ioengine=io_uring --verify=crc32c \
		--verify_fatal=1 --verify_dump=0 --randrepeat=0 --group_reporting "$@"
}

verifies()
{
	fio_verify --rw=randwrite --bsrange=512-256k --bs_unaligned=0 --blockalign=512 \
		--iodepth=32 --size="$size" --fsync=16 &&
	fio_verify --rw=randwrite --bs=4k --iodepth=1 --size=2M &&
	[ "$(< $sys/queue/discard_max_bytes)" = 0 ] ||
		fio --name=t --filename=$vbd --direct=1 --ioengine=psync --rw=randtrimwrite \
			--bs=64k --size="$size"
}

has_file_system()
{
	mkfs.ext4 -q -F $vbd && mount $vbd /mnt && cp -r "$VBUS_TOP/vbus" /mnt/a && sync &&
		umount /mnt && e2fsck -fn $vbd && mount -o discard $vbd /mnt &&
		diff -r "$VBUS_TOP/vbus" /mnt/a && rm -r /mnt/a && umount /mnt && e2fsck -fn $vbd
}

# Discarded blocks may read as anything; here they were punched.
discards()
{
	random_block
	dd if=/tmp/block of=$vbd bs=4k seek=8 oflag=direct status=none &&
		blkdiscard -f -o 32768 -l 4096 $vbd && test "$(stat_of discards)" -gt 0 &&
		dd if=$vbd bs=4k skip=8 count=1 iflag=direct status=none | cmp -n 4096 - /dev/zero
}

zeroes()
{
	random_block
	dd if=/tmp/block of=$vbd bs=4k seek=8 oflag=direct status=none &&
		blkdiscard -f -z -o 32768 -l 4096 $vbd && test "$(stat_of write_zeroes)" -gt 0 &&
		dd if=$vbd bs=4k skip=8 count=1 iflag=direct status=none | cmp -n 4096 - /dev/zero
}

# flushes N COMMAND...: so many more at least
flushes()
{
	local before=$(stat_of flushes) n=$1
	shift
	"$@" && [ $(($(stat_of flushes) - before)) -ge "$n" ] ||
		{ echo "$before, then $(stat_of flushes)"; return 1; }
}

write_sync()
{
	dd if=/dev/zero of=$vbd bs=4k count=4 oflag=direct,dsync status=none
}

partitions()
{
	sgdisk -Z $vbd > /dev/null 2>&1
	sgdisk -n 1:2048:+8M -n 2:0:+8M $vbd && blockdev --rereadpt $vbd &&
		wait_for 10 test -b ${vbd}2 && mkfs.ext4 -q ${vbd}2 && mount ${vbd}2 /mnt &&
		echo there > /mnt/f && umount /mnt && unplug && wait_for 20 fails test -e $sys &&
		wait_for 20 state_is empty && plug && wait_for 10 test -b ${vbd}2 &&
		mount ${vbd}2 /mnt && equals /mnt/f there && umount /mnt
}

size_is()
{
	[ "$(blockdev --getsize64 $vbd)" = "$1" ]
}

# A file system that grows while it is mounted.
grows()
{
	mkfs.ext4 -q -F $vbd && mount $vbd /mnt && echo there > /mnt/f &&
		truncate -s 48M /tmp/grow && echo 1 > $dev/rescan &&
		wait_for 10 size_is 50331648 && equals $dev/size 50331648 &&
		resize2fs $vbd && [ "$(df --output=size -m /mnt | tail -n 1)" -gt 36 ] &&
		equals /mnt/f there && umount /mnt && e2fsck -fn $vbd
}

# What lies beyond the end now is answered, and the rest works.
shrinks()
{
	truncate -s 16M /tmp/grow && echo 1 > $dev/rescan && wait_for 10 size_is 16777216 &&
		dd if=$vbd of=/dev/null bs=1M iflag=direct status=none
}

# Reads as the guest's user sees them: an errno, and again when the backing works.
fails_and_recovers()
{
	local d=/sys/block/$(basename "$1") f=/sys/kernel/debug/fail_make_request
	echo 1 > "$d/make-it-fail" && echo 100 > $f/probability && echo -1 > $f/times &&
		echo 0 > $f/verbose
	refuse_io
	local status=$?
	echo 0 > "$d/make-it-fail"
	[ $status = 0 ] && dd if=$vbd of=/dev/null bs=4k count=1 iflag=direct status=none &&
		[ "$(stat_of errors)" -gt 0 ]
}

refuse_io()
{
	dd if=$vbd of=/dev/null bs=4k count=1 iflag=direct 2>&1 | grep -qE "Input/output error|No such device"
}

full()
{
	local out
	out=$(dd if=/dev/urandom of=$vbd bs=1M count=12 oflag=direct 2>&1)
	grep -q "No space left" <<< "$out" || { echo "$out"; return 1; }
	dd if=$vbd of=/dev/null bs=4k count=1 iflag=direct status=none
}

inflight()
{
	local r w
	read -r r w < $sys/inflight && [ $((r + w)) -ge "$1" ]
}

# 256 requests that take a second each. They write: beyond the end of a disk that is not
# there any more fio reads nothing, for ever.
load_start()
{
	rm -f /tmp/load.ended
	{ fio --name=l --filename=$vbd --direct=1 --ioengine=io_uring --rw=randwrite --bs=4k \
		--iodepth=256 --time_based --runtime=600; : > /tmp/load.ended; } > /tmp/load 2>&1 &
	wait_for 20 inflight 256
}

load_ended()
{
	[ -e /tmp/load.ended ]
}

# way NAME TAKE BACK: the disk goes with all requests in flight, and comes back
way()
{
	check "256 requests in flight: $1" load_start
	check "$1" eval "$2"
	check "its user is told: $1" wait_for 60 load_ended
	check "the disk is gone: $1" wait_for 60 fails test -e $sys
	check "and back: $1" eval "$3"
	check "it works: $1" eval "wait_for 10 test -b $vbd &&
		dd if=$vbd of=/dev/null bs=4k count=1 iflag=direct status=none"
}

modprobe vbus && modprobe $connector || bail "the modules do not load"
check "mkdir loads the model" mkdir $dev

# --- attributes ---
for a in path= readonly=0 serial=d0 logical_block_size=0 physical_block_size=0 queues=1 \
	 direct=1 discard=1 cache=write-back size=0 failed=0; do
	check "${a%%=*} by default" equals "$dev/${a%%=*}" "${a#*=}"
done
refuse_write EINVAL relative $dev/path
refuse_write EINVAL "" $dev/path
for a in readonly direct discard; do
	for bad in 2 -1 x ""; do
		refuse_write EINVAL "$bad" $dev/$a
	done
	check "$a takes 0 and 1" eval "echo 0 > $dev/$a && echo 1 > $dev/$a && equals $dev/$a 1"
done
echo 0 > $dev/readonly
for a in logical_block_size physical_block_size; do
	for bad in -1 x "" 0x200; do
		refuse_write EINVAL "$bad" $dev/$a
	done
	for bad in 256 513 131072; do
		refuse_write ERANGE "$bad" $dev/$a
	done
done
refuse_write ERANGE 8192 $dev/logical_block_size
for bad in 0 65; do
	refuse_write ERANGE "$bad" $dev/queues
done
for bad in -1 x ""; do
	refuse_write EINVAL "$bad" $dev/queues
done
for bad in none writeback ""; do
	refuse_write EINVAL "$bad" $dev/cache
done
for bad in "a b" "a/b" "$(printf 'x%.0s' {1..64})"; do
	refuse_write EINVAL "$bad" $dev/serial
done
check "the longest serial" eval "put $(printf 'x%.0s' {1..63}) $dev/serial"
check "a serial" eval "put SN-1234 $dev/serial"
refuse EACCES open $dev/size "size is read-only"
refuse EACCES open $dev/failed "failed is read-only"
check "nothing to rescan while disabled" eval "! echo 1 > $dev/rescan"

# --- what can not be enabled ---
truncate -s 32M /tmp/file
refuse_write EINVAL 1 $dev/enable
put /nowhere $dev/path
refuse_write ENOENT 1 $dev/enable
put /tmp $dev/path
refuse_write EINVAL 1 $dev/enable
put /dev/null $dev/path
check "the log says what would be right" says "neither a block device nor a regular file" enable
put /tmp/file $dev/path
check "no O_DIRECT on tmpfs, and it says so" says "set direct to 0" enable
: > /tmp/empty
put /tmp/empty $dev/path
echo 0 > $dev/direct
refuse_write EINVAL 1 $dev/enable

# --- a block device ---
check "a bus" eval 'bus_make && attach'
check "a backing disk" null_make b0 discard=1 blocksize=512
node=$(null_node b0)
mkfs.ext4 -q $node && mount $node /mnt
put $node $dev/path
refuse_write EBUSY 1 $dev/enable
umount /mnt
put 1024 $dev/logical_block_size
put 512 $dev/physical_block_size
refuse_write EINVAL 1 $dev/enable
put 0 $dev/logical_block_size
put 0 $dev/physical_block_size
check "the disk appears" disk direct=1
check "the backing is claimed" eval "! mount $node /mnt"
check "its size" size_is 67108864
check "its serial" equals $sys/serial SN-1234
for a in logical_block_size=512 physical_block_size=512 rotational=0 write_cache="write through"; do
	check "queue/${a%%=*}" queue_is "${a%%=*}" "${a#*=}"
done
refuse_write EBUSY /dev/null $dev/path
check "fio verifies" verifies
check "ext4" has_file_system
check "discard" discards
check "zeroes are written" zeroes
check "partitions, also after it was away" partitions
check "nothing was copied" test "$(stat_of bounced)" = 0
check "nothing failed" test "$(stat_of errors)" = 0
if [ -e "/sys/block/${node##*/}/make-it-fail" ]; then
	check "what fails is told, and ends with its cause" fails_and_recovers $node
else
	skip "what fails is told, and ends with its cause" "a kernel without fault injection"
fi
check "the disk goes" disk_gone
check "without discard" disk discard=0
check "there is none" queue_is discard_max_bytes 0
check "the disk goes" disk_gone
check "with blocks of 4096" disk logical_block_size=4096 discard=1
check "they are 4096" queue_is logical_block_size 4096
check "ext4" has_file_system
check "the disk goes" disk_gone
put 0 $dev/logical_block_size
check "four queues" disk queues=4
check "fio verifies" verifies
check "the disk goes" disk_gone
check "read-only" disk queues=1 readonly=1
check "the guest knows" equals $sys/ro 1
check "it can be read" dd if=$vbd of=/dev/null bs=64k iflag=direct status=none
check "the disk goes" disk_gone
put 0 $dev/readonly
check "a backing with a cache" null_make b1 cache_size=4
put "$(null_node b1)" $dev/path
check "the disk appears" disk
check "the guest knows of the cache" queue_is write_cache "write back"
check "fio verifies" verifies
check "flushes get through" flushes 1 write_sync
check "the disk goes" disk_gone
check "write-through" disk cache=write-through
check "no cache for the guest" queue_is write_cache "write through"
check "fio verifies" verifies
check "no flush of its own" test "$(stat_of flushes)" = 0
check "the disk goes" disk_gone
put write-back $dev/cache

# --- files ---
put /tmp/file $dev/path
check "a file through the page cache" disk direct=0
check "in use once" eval "mkdir $cfs/devices/blk.d1 && put /tmp/file $cfs/devices/blk.d1/path &&
	put 0 $cfs/devices/blk.d1/direct && ! put 1 $cfs/devices/blk.d1/enable"
rmdir $cfs/devices/blk.d1
check "fio verifies" verifies
check "ext4" has_file_system
check "discard" discards
check "zeroes are written" zeroes
check "flushes get through" flushes 1 write_sync
check "the disk goes" disk_gone
check "write-through" disk cache=write-through
check "fio verifies" verifies
check "the disk goes" disk_gone
put write-back $dev/cache
check "a file system for files" eval "mkfs.ext4 -q -F $node && mount $node /mnt && truncate -s 40M /mnt/file"
put /mnt/file $dev/path
# In the test of ext4 another one is mounted at /mnt.
mkdir /tmp/under && mount --move /mnt /tmp/under || mount --bind /mnt /tmp/under
put /tmp/under/file $dev/path
check "a file past the page cache" disk direct=1
check "fio verifies" verifies
check "ext4" has_file_system
check "discard" discards
check "zeroes are written" zeroes
check "flushes get through" flushes 1 write_sync
check "nothing was copied" test "$(stat_of bounced)" = 0
check "the disk goes" disk_gone
umount /mnt 2> /dev/null
check "and its file system" umount /tmp/under
truncate -s 32M /tmp/grow
put /tmp/grow $dev/path
check "a file that will grow" disk direct=0
check "a mounted ext4 grows" grows
check "it shrinks" shrinks
check "the disk goes" disk_gone
mkdir /tmp/small && mount -t tmpfs -o size=8M none /tmp/small && truncate -s 32M /tmp/small/file
put /tmp/small/file $dev/path
check "a file larger than its file system" disk
check "the guest is told that it is full" full
check "the disk goes" disk_gone
umount /tmp/small

# --- it goes with requests in flight ---
check "a slow disk" null_make b2 memory_backed=0 irqmode=2 completion_nsec=1000000000 hw_queue_depth=512
slow=$(null_node b2)
put "$slow" $dev/path
check "the disk appears" disk
way "unplug" unplug 'wait_for 20 state_is empty && plug'
way "unplug by force" "unplug && echo 1 > $slot/force" 'wait_for 20 state_is empty && plug'
way "unbind of the driver" \
	"echo vbus0-3 > /sys/bus/vbus/drivers/vbus-blk/unbind" \
	"echo vbus0-3 > /sys/bus/vbus/drivers/vbus-blk/bind"
way "the bus by force" "rmdir $loop/vm0" attach
check "256 requests in flight: the backing vanishes" load_start
check "the backing goes" eval "echo 0 > $nullb/b2/power"
check "its user is told" wait_for 60 load_ended
check "the guest still has a disk that fails" refuse_io
check "the disk goes" disk_gone
for d in b0 b1 b2; do
	check "nobody holds $d" null_gone $d
done
check "the rest goes" tear_down
check "modules unload" modules_unload blk
finish
