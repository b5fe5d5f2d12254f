#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A VMM that opens a bus 2000 times and keeps each time an fd of it that leads nowhere any
# more: that costs a struct and a file each, which its memory cgroup is charged for, no
# thread, no eventfd, and its limit of open files ends it. For a device of each class, and
# for the native front.
. "${0%/*}/lib.sh"
. "${0%/*}/lib_many.sh"

rounds=2000
shells=$VBUS_BUILD/vmm/shells
cgroup=/sys/fs/cgroup/vmm
# What one may leave: a file with its dentry, and the struct behind it, all of them as
# large as KASAN makes them.
shell_bytes=4096
# What may differ for other reasons.
slack_bytes=$((256 * 1024))

modprobe vbus || bail "vbus does not load"
[ -x "$shells" ] || bail "$shells is not built"
mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&
	echo +memory > /sys/fs/cgroup/cgroup.subtree_control && mkdir $cgroup ||
	bail "no memory cgroup"

threads()
{
	grep -l '^PPid:[[:space:]]*2$' /proc/[0-9]*/status 2> /dev/null | wc -l
}

# Bytes of all live objects of slab caches but those that look for faults, and of those that
# the VMM's cgroup pays for.
slab_bytes()
{
	awk 'NR > 2 && $1 != "kmemleak_object" && $1 != "debug_objects_cache" { sum += $2 * $4 }
	     END { printf "%d\n", sum }' /proc/slabinfo
}

cgroup_bytes()
{
	awk '$1 == "slab" { print $2 }' $cgroup/memory.stat
}

# look: sets $threads, $slab, $charged and $files. What is freed late gets time to go.
look()
{
	local i new
	slab=
	for i in 1 2 3; do
		pause 0.5
		give_back
		new=$(slab_bytes)
		if [ -z "$slab" ] || [ "$new" -lt "$slab" ]; then
			slab=$new
		fi
	done
	threads=$(threads)
	charged=$(cgroup_bytes)
	read -r files _ < /proc/sys/fs/file-nr
}

# In the cgroup: shells ARGUMENTS, with fd 5 to write to and 6 to read from.
shells_start()
{
	mkfifo /tmp/shells.in /tmp/shells.out
	(
		echo $BASHPID > $cgroup/cgroup.procs
		ulimit -n $((rounds * 2 + 200))
		exec "$shells" "$@" < /tmp/shells.in > /tmp/shells.out
	) &
	vmm=$!
	exec 5> /tmp/shells.in 6< /tmp/shells.out
	rm /tmp/shells.in /tmp/shells.out
}

# shells_reach N: it keeps as many by now
shells_reach()
{
	local line
	read -r -t 240 line <&6 && [ "$line" = "$1" ] && return
	echo "it says \"$line\", not $1"
	return 1
}

shells_end()
{
	exec 5>&- 6<&-
	wait $vmm
}

# one NAME WHAT: WHAT as shells has it
one()
{
	local name=$1 before_threads before_slab before_charged before_files grown paid

	shells_start vm0 "$2" 20 $rounds
	check "$name: it opens and closes" shells_reach 20
	look
	before_threads=$threads before_slab=$slab before_charged=$charged
	before_files=$files
	echo >&5
	check "$name: $rounds times" shells_reach $((rounds + 20))
	look
	grown=$((slab - before_slab)) paid=$((charged - before_charged))
	echo "# $name: threads $before_threads -> $threads, slab + $grown, of it charged $paid," \
		"files $before_files -> $files"
	check "$name: no thread is left" test $threads -le $((before_threads + 8))
	check "$name: little memory is left" \
		test $grown -le $((rounds * shell_bytes + slack_bytes))
	check "$name: which its cgroup is charged for" test $((grown - paid)) -le $slack_bytes
	check "$name: no other file" test $files -le $((before_files + rounds + 16))
	shells_end
	tap_result $? "$name: it ends"
	look
	check "$name: and takes all with it" test $slab -le $((before_slab + slack_bytes))
	check "$name: its files, too" test $files -le $((before_files + 16))
}

# limited NAME WHAT: no more than it may have open, and nothing stays behind
limited()
{
	local out before after
	read -r before _ < /proc/sys/fs/file-nr
	out=$(ulimit -n 40; "$shells" vm0 "$2" 100 < /dev/null)
	read -r after _ < /proc/sys/fs/file-nr
	case $out in
	*"Too many open files")	tap_result 0 "$1: its limit of files is the limit" ;;
	*)			tap_result 1 "$1: its limit of files is the limit" "$out" ;;
	esac
	check "$1: what was refused is closed" test $after -le $((before + 16))
	check "$1: it can be opened after that" "$shells" vm0 "$2" 1 < /dev/null
}

# kept NAME WHAT: a bus can be removed while a VMM has a shell of it, and nothing of it is kept
kept()
{
	local minor
	minor=$(stat -c %T /dev/vbus/vm0)
	shells_start vm0 "$2" 1
	check "$1: a VMM keeps one" shells_reach 1
	[ ! -L $bus/slots/1/device ] || rm $bus/slots/1/device
	check "$1: the bus goes all the same" rmdir $bus/slots/1 $bus
	bus_make
	check "$1: and with it its minor number" test "$(stat -c %T /dev/vbus/vm0)" = "$minor"
	shells_end
	rmdir $slot
	mkdir $bus/slots/1
}

truncate -s 1M /tmp/disk
mkdir $bus
slot_nr=1
for class in null net blk rng; do
	mkdir $cfs/devices/$class.s $bus/slots/$slot_nr || bail "no device of class $class"
	if [ $class = blk ]; then
		echo /tmp/disk > $cfs/devices/blk.s/path
		echo 0 > $cfs/devices/blk.s/direct
	fi
	echo 1 > $cfs/devices/$class.s/enable &&
		ln -s $cfs/devices/$class.s $bus/slots/$slot_nr/device ||
		bail "a device of class $class can't be plugged"
	one $class $slot_nr
	limited $class $slot_nr
	check "$class: unplug" rm $bus/slots/$slot_nr/device
	check "$class: slot and device go" rmdir $bus/slots/$slot_nr $cfs/devices/$class.s
	slot_nr=$((slot_nr + 1))
done
one native native
limited native native

mkdir $cfs/devices/null.s $bus/slots/1 && echo 1 > $cfs/devices/null.s/enable &&
	ln -s $cfs/devices/null.s $bus/slots/1/device || bail "no device"
kept "device fd" 1
kept "native fd" native
check "slot and device go" rmdir $bus/slots/1 $cfs/devices/null.s
check "the bus goes" rmdir $bus
check "so does the cgroup" rmdir $cgroup
finish
