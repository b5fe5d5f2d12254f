#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who has opened the bus is charged for what a disk keeps for its guest: lists of pages, which stay
# with the slots of a queue, and copies of data. Here threads of the host allocate all of it, as
# with this connector no vCPU serves.
. "${0%/*}/lib_blk.sh"

cg=/tmp/cg

# Kernel memory of the cgroup, in KiB. Up to some pages of it are charged in advance.
kernel_kib()
{
	echo $(($(sed -n 's/^kernel //p' $cg/vmm/memory.stat) / 1024))
}

# at_least KIB, at_most KIB: more than there was before the guest sent anything
at_least()
{
	[ $(($(kernel_kib) - before)) -ge "$1" ] || { echo "$before, now $(kernel_kib) KiB"; return 1; }
}

at_most()
{
	[ $(($(kernel_kib) - before)) -le "$1" ] || { echo "$before, now $(kernel_kib) KiB"; return 1; }
}

attach_as_vmm()
{
	(echo $BASHPID > $cg/vmm/cgroup.procs && attach)
}

writes()
{
	fio --name=w --filename=$vbd --direct=1 --ioengine=io_uring --rw=write "$@"
}

writes_start()
{
	{ writes "$@" && : > /tmp/written; } > /tmp/writes 2>&1 &
}

modprobe vbus && modprobe $connector || bail "the modules do not load"
mkdir -p $cg && mount -t cgroup2 none $cg && echo +memory > $cg/cgroup.subtree_control ||
	bail "there are no memory cgroups"
check "a cgroup for who opens the bus" mkdir $cg/vmm
check "a slow disk that needs data not to change" eval "null_make b0 irqmode=2 \
	completion_nsec=2000000000 hw_queue_depth=512 && echo 1 > /sys/block/b0/queue/stable_writes"
check "a bus" eval "bus_make && attach_as_vmm"
check "a disk of it" eval "mkdir $dev && disk path=$(null_node b0)"
before=$(kernel_kib)
# Each of 128 slots gets a list of 4 KiB for its copies, and keeps it.
check "128 writes at a time" writes --bs=4k --iodepth=128 --size=2M
check "they were copied" test "$(stat_of bounced)" -ge 512
check "the lists of their slots are charged" at_least 384
before=$(kernel_kib)
check "16 long ones at a time" writes_start --bs=256k --iodepth=16 --size=32M
check "4 MiB of copies are charged" wait_for 60 at_least 3072
check "all is written" wait_for 120 test -e /tmp/written
check "copies are charged no longer" wait_for 30 at_most 1024
# With less than is asked for, the guest sends the rest again; another process of the cgroup lives.
(echo $BASHPID > $cg/vmm/cgroup.procs && exec sleep 1000) &
other=$!
check "1 MiB more for the cgroup" eval "echo \$((\$(< $cg/vmm/memory.current) + 1048576)) > $cg/vmm/memory.max"
check "writes that need 4 MiB of copies end" writes --bs=256k --iodepth=16 --size=8M
check "the limit was met" eval '[ "$(sed -n "s/^max //p" $cg/vmm/memory.events)" -gt 0 ]'
check "nothing was killed for it" grep -qx "oom_kill 0" $cg/vmm/memory.events
check "the other process goes" kill $other
check "the limit goes" eval "echo max > $cg/vmm/memory.max"
check "the guest goes, and its lists" eval "tear_down && before=0 && wait_for 30 at_most 256"
check "the rest goes" eval "null_gone b0 && wait_for 30 rmdir $cg/vmm && umount $cg"
check "modules unload" modules_unload blk
finish
