#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Disks in real guests: fio verifies what it wrote, on each kind of backing; ext4 and xfs
# with some of the kernel's source on them; partitions, discard, a disk that grows under
# a mounted file system, a root file system; and disks that go, or whose VMM is killed,
# with 256 requests in flight. What the backing answers when it fails is tests/loop/blk.sh's.
. "${0%/*}/lib.sh"

nullb=/sys/kernel/config/nullb
# Bytes that fio writes in each of its jobs.
size=${LONG:+96M}
size=${size:-24M}

backings()
{
	modprobe -a brd ext4 loop && modprobe null_blk nr_devices=0 || return
	mkdir -p /tmp/fs /tmp/mem && truncate -s 600M /tmp/fs.img &&
		mkfs.ext4 -q /tmp/fs.img && mount -o loop /tmp/fs.img /tmp/fs &&
		truncate -s 480M /tmp/fs/file && truncate -s 480M /tmp/mem/file || return
	mkdir $nullb/b0 && for a in size=480 memory_backed=1 discard=1 cache_size=4 power=1; do
		echo "${a#*=}" > "$nullb/b0/${a%%=*}" || return
	done
}

backings_gone()
{
	umount /tmp/fs && rmdir $nullb/b0 && modprobe -r null_blk && rm /tmp/mem/file
}

guest_disk()
{
	wait_for 60 guest g1 "test -b /dev/$1"
}

# plugged NAME: the disk is there in the guest; unplugged, it is gone
plugged()
{
	plug vm0 3 "blk.$1" && guest_disk vbda
}

unplugged()
{
	unplug vm0 3 && wait_slot vm0 3 empty 60
}

# verify OPTIONS: in the guest; what it read back is what it wrote
verify()
{
	guest g1 "fio --name=v --filename=/dev/vbda --direct=1 --ioengine=io_uring --randrepeat=0 \
		--verify=crc32c --verify_fatal=1 --verify_dump=0 --verify_state_save=0 --size=$size $*" > /tmp/fio ||
		{ grep -v '^ ' /tmp/fio | tail; return 1; }
}

# Mixed sizes and depths, each with fsyncs; writes of all CPUs at a time; trims between.
verify_all()
{
	verify "--rw=randwrite --bsrange=4k-256k --blockalign=4k --iodepth=32 --fsync=32" &&
		verify "--rw=randwrite --bs=4k --iodepth=1 --fsync=64 --io_size=4M" &&
		verify "--rw=write --bs=128k --iodepth=8" &&
		verify "--rw=randwrite --bsrange=512-16k --blockalign=512 --iodepth=64 --numjobs=2 --offset_increment=$size --fdatasync=32" &&
		verify "--rw=randrw --rwmixread=30 --bs=8k --iodepth=16 --do_verify=1" || return
	# Blocks that are trimmed and written again: what is read is what was written last.
	guest g1 "blkdiscard /dev/vbda" &&
		guest g1 "fio --name=t --filename=/dev/vbda --direct=1 --ioengine=psync --rw=randtrimwrite --bs=64k --size=$size" > /tmp/fio &&
		verify "--rw=randwrite --bs=16k --iodepth=16"
}

# Polled queues: no interrupt for any of it.
verify_polled()
{
	guest g1 "fio --name=p --filename=/dev/vbda --direct=1 --ioengine=io_uring --hipri=1 --rw=randwrite --bs=4k \
		--iodepth=8 --size=4M --verify=crc32c --verify_fatal=1 --verify_state_save=0 && test \$(cat /sys/block/vbda/vbus/polls) -gt 0"
}

# file_system TYPE MAKE CHECK: the kernel's source is unpacked from another disk and compared
# with that when nothing of it is in memory any more, and the file system is sound afterwards.
file_system()
{
	guest g1 "set -e; trap 'umount /tmp/m 2> /dev/null || :' EXIT; modprobe $1; mkdir -p /tmp/m
		$2 /dev/vbda > /tmp/mk 2>&1 || { cat /tmp/mk; exit 1; }
		mount -t $1 /dev/vbda /tmp/m; mkdir /tmp/m/s; /usr/bin/tar -xf /dev/vbdb -C /tmp/m/s
		sync; echo 3 > /proc/sys/vm/drop_caches; /usr/bin/tar -df /dev/vbdb -C /tmp/m/s
		umount /tmp/m; $3 /dev/vbda > /tmp/ck 2>&1 || { cat /tmp/ck; exit 1; }"
}

partitions()
{
	guest g1 "sgdisk -Z /dev/vbda > /dev/null 2>&1; sgdisk -n 1:2048:+16M -n 2:0:+16M /dev/vbda > /tmp/sg 2>&1 &&
		blockdev --rereadpt /dev/vbda && for i in \$(seq 100); do [ -b /dev/vbda2 ] && break; usleep 50000; done
		mkfs.ext4 -q /dev/vbda2 && mkdir -p /tmp/m && mount -t ext4 /dev/vbda2 /tmp/m && echo there > /tmp/m/f &&
		umount /tmp/m && blkdiscard -f /dev/vbda1 && mount -t ext4 /dev/vbda2 /tmp/m && grep -q there /tmp/m/f && umount /tmp/m" &&
		unplugged && plugged file && wait_for 20 guest g1 test -b /dev/vbda2
}

grows()
{
	guest g1 "mkfs.ext4 -q -F /dev/vbda 64m && mkdir -p /tmp/m && mount -t ext4 /dev/vbda /tmp/m && echo there > /tmp/m/f" &&
		truncate -s 560M /tmp/mem/file && echo 1 > $cfs/devices/blk.file/rescan &&
		wait_for 20 guest g1 "test \$(cat /sys/block/vbda/size) = $((560 * 2048))" &&
		guest g1 "resize2fs /dev/vbda > /tmp/rs 2>&1 && grep -q there /tmp/m/f && test \$(df -m /tmp/m | awk 'END { print \$2 }') -gt 450 &&
			umount /tmp/m && e2fsck -fn /dev/vbda > /tmp/ck 2>&1"
}

root_image()
{
	mkdir -p /tmp/root && (cd /tmp/root && cpio -idm --quiet < "$VBUS_BUILD/vm/guest.cpio") &&
		touch /tmp/root/etc/on-disk && truncate -s 256M /tmp/root.img &&
		mkfs.ext4 -q -d /tmp/root /tmp/root.img && rm -r /tmp/root
}

root_on_disk()
{
	guest g2 "grep -q '^/dev/vbda / ext4' /proc/mounts && echo kept > /kept && sync"
}

# 256 requests that take a second or two each, told of in /tmp/load in the guest.
slow_disk()
{
	mkdir $nullb/slow && for a in size=64 irqmode=2 completion_nsec=1500000000 hw_queue_depth=512 power=1; do
		echo "${a#*=}" > "$nullb/slow/${a%%=*}" || return
	done
}

load()
{
	guest_bg g1 "fio --name=l --filename=/dev/vbda --direct=1 --ioengine=io_uring --rw=randwrite --bs=4k \
		--iodepth=256 --time_based --runtime=600" > /dev/null &&
		wait_for 60 guest g1 "read r w < /sys/block/vbda/inflight && test \$((r + w)) -ge 256"
}

load_ended()
{
	guest g1 "! pgrep fio > /dev/null"
}

check "backings" backings || bail "nothing to keep disks in"
guest_disk_image || bail "no image"
check "a bus" bus_make vm0 3 4
check "disks: a block device" blk_make bdev /dev/b0 queues=3
check "a file past the page cache" blk_make direct /tmp/fs/file queues=2
check "a file through it" blk_make file /tmp/mem/file direct=0
check "and the kernel's source, read-only" blk_make source "$VBUS_BUILD/vm/source.tar" direct=0 readonly=1
check "a guest boots" guest_start g1 --bus vm0 --cpus 2 --mem 768M --append vbus_blk.poll_queues=1 || bail "no guest"
check "the first disk" plugged bdev
check "the source is the second" eval 'plug vm0 4 blk.source && guest_disk vbdb'
check "which is read-only" guest g1 "test \$(cat /sys/block/vbdb/ro) = 1 && ! dd if=/dev/zero of=/dev/vbdb count=1 2> /dev/null"
for d in bdev direct file; do
	[ $d = bdev ] || check "$d: the disk" plugged $d
	check "$d: fio verifies" verify_all
	[ $d = file ] || check "$d: fio verifies, polled" verify_polled
	check "$d: ext4" file_system ext4 "mkfs.ext4 -q -F" "e2fsck -fn"
	check "$d: xfs" file_system xfs "mkfs.xfs -q -f" "xfs_repair -n"
	[ $d != file ] || check "partitions" partitions
	[ $d != file ] || check "a mounted ext4 grows" grows
	check "$d: nothing failed" grep -qx "errors 0" "$cfs/devices/blk.$d/stats"
	check "$d: nothing was copied" grep -qx "bounced 0" "$cfs/devices/blk.$d/stats"
	check "$d: the disk goes" unplugged
	check "$d: nobody holds it" blk_remove $d
done

# --- it goes with requests in flight ---
check "a slow disk" slow_disk
check "it is plugged" eval 'blk_make slow /dev/slow && plugged slow'
check "256 requests in flight" load
check "it is unplugged" unplugged
check "its user is told" wait_for 60 load_ended
check "it comes back" plugged slow
check "256 requests in flight" load
check "it is taken by force" eval "unplug vm0 3 && echo 1 > $(vm_slot vm0 3)/force && wait_slot vm0 3 empty 60"
check "its user is told" wait_for 60 load_ended
check "it comes back" plugged slow
check "256 requests in flight" load
check "the VMM is killed" guest_kill g1
check "the host is done with it" eval 'wait_slot vm0 3 plugged && unplugged && blk_remove slow'
check "nobody holds the backing" rmdir $nullb/slow

# --- a root file system ---
check "a root file system" root_image
check "on a disk" eval 'blk_make root /tmp/root.img direct=0 && plug vm0 3 blk.root'
check "the source goes" eval 'unplug vm0 4 && wait_slot vm0 4 empty && blk_remove source'
vm_image=$VBUS_BUILD/vm/guest.cpio
check "a guest boots from it" guest_start g2 --bus vm0 --append vbus.root=/dev/vbda
check "and writes to it" root_on_disk
check "it boots again" guest_reboot g2
check "what was written is there" guest g2 grep -q kept /kept
check "it powers off" guest_stop g2
check "the disk goes" eval 'unplug vm0 3 && wait_slot vm0 3 empty && blk_remove root'
check "the bus goes" bus_remove vm0
check "nobody holds the backings" backings_gone
finish
