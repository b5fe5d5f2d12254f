#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A disk that does not answer: what waits for it, and that nobody else does. The backing is a
# device mapper's that is suspended with requests in flight; a VMM is killed, or closes or
# resets the disk; the admin takes it away, disables it, removes it. Meanwhile every command
# on other buses and every read of this bus's and this device's state returns, and who
# waits can be killed. When the disk answers all is as before.
. "${0%/*}/lib.sh"

stuck=$VBUS_BUILD/vmm/stuck
shells=$VBUS_BUILD/vmm/shells
dev=$cfs/devices/blk.slow
card=$cfs/devices/net.card
slot4=$bus/slots/4
other=$cfs/buses/vm1
node=/dev/dm-0

dm()
{
	dmsetup --noudevsync --noudevrules "$@"
}

suspend()
{
	dm suspend --noflush --nolockfs slow
}

resume()
{
	dm resume slow
}

# Dead, or waited for by nobody yet.
exited()
{
	local line
	read -r line 2> /dev/null < "/proc/$1/stat" || return 0
	[[ ${line##*) } == [ZX]* ]]
}

sleeps()
{
	local line
	read -r line 2> /dev/null < "/proc/$1/stat" && [[ ${line##*) } == [SD]* ]]
}

# A second is what it may take; this machine may be busy, and what hangs does for ever.
soon()
{
	local name=$1 status pid
	shift
	"$@" > /tmp/soon.out 2>&1 &
	pid=$!
	if ! wait_for 20 exited $pid; then
		tap_result 1 "$name" "$* has not returned: $(< /proc/$pid/stack)"
		return 1
	fi
	wait $pid
	status=$?
	tap_result $status "$name" "$* : status $status: $(< /tmp/soon.out)"
}

# The same for what is refused. NAME ERRNO COMMAND...
soon_refused()
{
	local name=$1 errno=$2
	shift 2
	soon "$name: $errno" refused "$(errno_text "$errno")" "$@"
}

refused()
{
	local text=$1 out
	shift
	out=$("$@" 2>&1) && { echo "it succeeded"; return 1; }
	[[ $out == *": $text" ]] || { echo "$out"; return 1; }
}

reads()
{
	local got
	got=$(< "$1") && [ "$got" = "$2" ] || { echo "$1 reads \"$got\""; return 1; }
}

# It does not return, and a kill ends it.
waits()
{
	local name=$1 pid
	shift
	"$@" > /tmp/waits.out 2>&1 &
	pid=$!
	# Long enough for what does not wait to be over.
	wait_for 20 sleeps $pid
	pause 1
	if exited $pid; then
		tap_result 1 "$name: waits" "it has returned: $(< /tmp/waits.out)"
		return
	fi
	tap_result 0 "$name: waits"
	kill -KILL $pid
	wait_for 20 exited $pid
	tap_result $? "$name: can be killed" "$(cat /proc/$pid/stack 2>&1)"
}

# --- the VMM, with fd 5 to write to and 6 to read from ---

vmm_says()
{
	local answer
	read -r -t 20 answer <&6 && [[ $answer == ok* ]] && vmm=${answer#ok } && return
	echo "it says \"$answer\""
	return 1
}

vmm_start()
{
	mkfifo /tmp/vmm.in /tmp/vmm.out
	"$stuck" "$@" < /tmp/vmm.in > /tmp/vmm.out &
	exec 5> /tmp/vmm.in 6< /tmp/vmm.out
	rm /tmp/vmm.in /tmp/vmm.out
	vmm_says
}

vmm()
{
	echo "$*" >&5 && vmm_says
}

# With reads on their way to a disk that does not answer. Arguments: those of stuck.
vmm_stuck()
{
	vmm_start "$@" && vmm post 8 && vmm take 8 || bail "there is no VMM"
	suspend || bail "the disk can't be suspended"
	vmm post 16 || bail "the VMM can't post"
	# They are where nobody can take them back from.
	wait_for 20 in_flight || bail "nothing is in flight"
}

in_flight()
{
	local reads
	reads=$(sed -n 's/^reads //p' $dev/stats)
	[ "$reads" -ge $((8 + before_reads)) ]
}

vmm_killed()
{
	kill -KILL $vmm
	exec 5>&- 6<&-
}

# --- what must go on ---

# Buses and devices that have nothing to do with it, in every way an admin and a VMM can.
others()
{
	local name=$1
	soon "$name: another disk is made" mkdir $cfs/devices/blk.other
	soon "$name: and gets a path" put /tmp/disk $cfs/devices/blk.other/path
	soon "$name: which is a file" put 0 $cfs/devices/blk.other/direct
	soon "$name: it is enabled" put 1 $cfs/devices/blk.other/enable
	soon "$name: another bus is made" mkdir $other
	soon "$name: a slot there" mkdir $other/slots/1
	soon "$name: it is plugged" ln -s $cfs/devices/blk.other $other/slots/1/device
	soon "$name: a VMM opens it" "$shells" vm1 1 1
	soon "$name: one opens the native front" "$shells" vm1 native 1
	soon "$name: it is unplugged" rm $other/slots/1/device
	soon "$name: the slot goes" rmdir $other/slots/1
	soon "$name: the bus goes" rmdir $other
	soon "$name: the disk is disabled" put 0 $cfs/devices/blk.other/enable
	soon "$name: and enabled" put 1 $cfs/devices/blk.other/enable
	soon "$name: and goes" rmdir $cfs/devices/blk.other
}

# What can be read of this bus and this device.
readable()
{
	local name=$1 f
	for f in $slot/state $slot/alias $slot/unplug_timeout $bus/mode $dev/state $dev/stats \
		 $dev/enable $dev/path $dev/size; do
		soon "$name: ${f#$cfs/} is read" cat $f
	done
	soon "$name: an alias is written" put x $slot/alias
	soon "$name: another slot of this bus is made" mkdir $bus/slots/9
	soon "$name: and goes" rmdir $bus/slots/9
	soon "$name: this bus is listed" ls $bus/slots
}

bus_free()
{
	"$shells" vm0 3 1 < /dev/null > /dev/null
}

# All is as it was: the disk has an owner and works.
as_before()
{
	local name=$1
	check "$name: the VMM is gone" wait_for 20 exited $vmm
	check "$name: the bus can be opened" wait_for 20 bus_free
	check "$name: the slot is plugged" wait_for 20 equals $slot/state plugged
	vmm_start vm0 3 && vmm post 8 && vmm take 8
	tap_result $? "$name: the disk works"
	vmm_killed
	wait $vmm 2> /dev/null
	check "$name: a VMM that is reaped has left the slot" equals $slot/state plugged
	before_reads=$(sed -n 's/^reads //p' $dev/stats)
}

modprobe vbus || bail "vbus does not load"
# Some wait for as long as this test likes.
echo 0 > /proc/sys/kernel/hung_task_timeout_secs
truncate -s 1M /tmp/disk
dm create slow --table "0 $(blockdev --getsz /dev/ram0) linear /dev/ram0 0" && [ -b $node ] ||
	bail "no device mapper"
mkdir $dev && echo $node > $dev/path && echo 1 > $dev/enable || bail "no disk"
mkdir $card && echo 1 > $card/enable || bail "no card"
bus_make && mkdir $slot4 && plug && ln -s $card $slot4/device || bail "no bus"
before_reads=0

# --- a VMM is killed; its other device is another matter ---

vmm_stuck vm0 3 4
vmm_killed
readable killed
others killed
[ $tap_failed = 0 ] || bail "who looks at this bus would wait for ever"
check "killed: the slot says what it is about" wait_for 20 equals $slot/state closing
check "killed: the other device is not held up" wait_for 20 equals $slot4/state plugged
soon_refused "killed: the bus is still in use" EBUSY tap_open /dev/vbus/vm0
soon_refused "killed: it can't go" EBUSY rmdir $bus
soon_refused "killed: it has its mode" EBUSY put 0600 $bus/mode
soon_refused "killed: the disk can't be disabled" EBUSY put 0 $dev/enable
soon_refused "killed: nor go" EBUSY rmdir $dev
soon "killed: the other device is unplugged" rm $slot4/device
check "killed: at once" equals $slot4/state empty
soon "killed: and disabled" put 0 $card/enable
soon "killed: and enabled" put 1 $card/enable
soon "killed: and plugged" ln -s $card $slot4/device
soon "killed: the link is removed" rm $slot/device
check "killed: the slot is still closing" equals $slot/state closing
soon_refused "killed: nothing can be plugged there" EBUSY ln -s $card $slot/device
soon_refused "killed: the slot can't go" EBUSY rmdir $slot
waits "killed: force" put 1 $slot/force
others "force"
readable "force"
put 1 $slot/force > /tmp/force.out 2>&1 &
force=$!
resume
check "answered: force returns" wait_for 20 exited $force
wait $force
tap_result $? "answered: and says that it is done"
check "answered: the slot is empty" equals $slot/state empty
check "answered: the disk is nowhere" equals $dev/state enabled
check "answered: it can be plugged" plug
as_before killed

# --- the same with a guest that has it through the native front ---

vmm_stuck -n vm0 3 4
vmm_killed
check "native: the slot says what it is about" wait_for 20 equals $slot/state closing
check "native: the other device is not held up" wait_for 20 equals $slot4/state plugged
others native
readable native
soon "native: the link is removed" rm $slot/device
waits "native: force" put 1 $slot/force
resume
check "native: the slot becomes empty" wait_for 20 equals $slot/state empty
check "native: the disk can be plugged" plug
as_before native

# --- who has the last reference, but is not who opened it, does not wait ---

vmm_stuck vm0 3
vmm fork || bail "no child"
vmm_killed
check "inherited: who has the files may end" wait_for 20 exited $vmm
check "inherited: the slot is closing" wait_for 20 equals $slot/state closing
others inherited
resume
as_before inherited

# --- a VMM lives, and waits for its own device ---

for how in close reset; do
	vmm_stuck vm0 3
	echo $how >&5
	case $how in
	close)	check "close: the slot is closing" wait_for 20 equals $slot/state closing ;;
	reset)	check "reset: the VMM waits" wait_for 20 sleeps $vmm ;;
	esac
	others $how
	readable $how
	soon "$how: the link is removed" rm $slot/device
	waits "$how: force" put 1 $slot/force
	check "$how: the slot is closing then" equals $slot/state closing
	vmm_killed
	readable "$how and killed"
	resume
	check "$how: the slot becomes empty" wait_for 20 equals $slot/state empty
	check "$how: the disk can be plugged" plug
	as_before $how
done

# --- taking the disk down writes out what others have written to its backing ---

dirty()
{
	dd if=/dev/zero of=$node bs=64k count=4 conv=notrunc status=none && suspend
}

check "unplug" unplug
check "dirty what is behind the disk" dirty
waits "disable" put 0 $dev/enable
check "disable: it says what it is about" equals $dev/state disabling
others disable
soon "disable: its state is read" cat $dev/stats $dev/path $dev/enable $dev/size
soon_refused "disable: it has its attributes" EBUSY put 4 $dev/queues
soon_refused "disable: it can't be plugged" ENODEV ln -s $dev $slot/device
soon_refused "disable: nor go" EBUSY rmdir $dev
waits "disable: who wants it enabled" put 1 $dev/enable
resume
check "disable: it comes to its end" wait_for 20 equals $dev/state disabled
check "disable: it can be enabled" put 1 $dev/enable

check "dirty it again" dirty
waits "rmdir" rmdir $dev
check "rmdir: the directory is gone" test ! -e $dev
others rmdir
soon "rmdir: another of that name can be made" mkdir $dev
soon "rmdir: and gets its path" put $node $dev/path
soon_refused "rmdir: which the old one still has" EBUSY put 1 $dev/enable
resume
check "rmdir: when that is gone it is enabled" wait_for 20 put 1 $dev/enable

# --- opening it does, too: nobody waits for who waits there ---

check "disable it again" put 0 $dev/enable
exec 7<> $node
check "dirty it while it stays open" dirty
put 1 $dev/enable > /tmp/enable.out 2>&1 &
enable=$!
check "enable: it says what it is about" wait_for 20 equals $dev/state enabling
others enable
soon "enable: its state is read" cat $dev/stats $dev/path $dev/enable $dev/size
soon_refused "enable: it has its attributes" EBUSY put 4 $dev/queues
soon_refused "enable: it can't be plugged" ENODEV ln -s $dev $slot/device
soon_refused "enable: nor go" EBUSY rmdir $dev
waits "enable: who wants it disabled" put 0 $dev/enable
resume
check "enable: it comes to its end" wait_for 20 exited $enable
wait $enable
tap_result $? "enable: and says that it is done"
check "enable: it is" equals $dev/state enabled
exec 7>&-

# --- as all of it was before, where nothing is slow ---

check "rmdir returns when all is done" rmdir $dev
check "so the disk can be made again at once" mkdir $dev
check "with its path" put $node $dev/path
check "and enabled" put 1 $dev/enable
check "the same for a card, whose interface is there" test -e /sys/class/net/card
check "which is unplugged" rm $slot4/device
check "and removed" rmdir $card
check "with its interface" test ! -e /sys/class/net/card
check "and made again" mkdir $card
check "and enabled" put 1 $card/enable
# A file is closed when the write returns: who disabled the disk may unmount what it is on.
files_closed()
{
	mkdir /tmp/alone && mount -t tmpfs alone /tmp/alone && truncate -s 1M /tmp/alone/disk &&
		put 0 $dev/enable && put /tmp/alone/disk $dev/path && put 0 $dev/direct || return
	put 1 $dev/enable || return
	umount /tmp/alone 2>/dev/null && { echo "enabled, and its file system is unmounted"; return 1; }
	# Whoever holds a file, holds its file system.
	put 0 $dev/enable && umount /tmp/alone
}
check "a backing that is a file is closed when it is disabled" files_closed
check "remove all" rmdir $slot $slot4 $bus $dev $card
check "the modules can be unloaded" rmmod vbus_dm_blk vbus_dm_net
check "the mapped device is free" dm remove slow
finish
