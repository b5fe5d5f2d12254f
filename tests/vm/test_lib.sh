#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The library keeps its promises, above all where something goes wrong: a guest that
# hangs, dies or complains must never look like one that is well.
VBUS_VM_FAULTS=/tmp/faults
. "${0%/*}/lib.sh"

# status WANTED COMMAND...
status()
{
	local want=$1 got
	shift
	"$@"
	got=$?
	[ $got = "$want" ] || { echo "status $got, wanted $want"; return 1; }
}

prints()
{
	local want=$1 got
	shift
	got=$("$@")
	[ "$got" = "$want" ] || { echo "printed: $got"; return 1; }
}

# --- a stock guest -----------------------------------------------------------------
check "a stock guest boots" guest_start_qemu peer || bail "no guest"
check "a second of that name does not" status 1 guest_start_qemu peer
check "output and status" eval 'prints "out
err" guest peer "echo out; echo err >&2" && status 7 guest peer "exit 7"'
check "a signal" status 137 guest peer 'kill -KILL $$'
head -c 3000 /dev/urandom > /tmp/blob
check "a file goes there" guest_put peer /tmp/blob /tmp/blob
check "and comes back as it was" eval 'guest peer "cat /tmp/blob" | cmp - /tmp/blob'
at_once()
{
	local i pids=()
	for i in 1 2 3 4 5; do
		prints "$i" guest peer "sleep 1; echo $i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || return
	done
}
check "five commands at once" at_once
in_background()
{
	local pid
	pid=$(guest_bg peer "echo '\$HOME'; exec sleep 100") && [ "$pid" -gt 1 ] &&
		wait_for 10 prints '$HOME' guest peer "cat /tmp/bg.$pid" &&
		guest peer "kill $pid"
}
check "a command in the background" in_background
killed_here()
{
	local pid
	guest peer "trap 'touch /tmp/hup; exit' HUP; touch /tmp/waits; while :; do sleep 0.1; done" &
	pid=$!
	wait_for 10 guest peer "test -e /tmp/waits" || return
	kill $pid
	wait_for 10 guest peer "test -e /tmp/hup"
}
check "killed here, hung up there" killed_here
check "out of time" eval 'GUEST_TIMEOUT=1 status 255 guest peer "sleep 20" 2> /dev/null'
check "virtio-net over vhost-net" eval 'guest peer "test -d /sys/class/net/eth0" &&
	ps -e -o comm | grep -q vhost'

# A complaint of its kernel is counted, and is nobody's failure.
guest peer "echo 'BUG: made up by a stock guest' > /dev/kmsg"
check "a stock guest's report does not fail" wait_for 10 eval 'logs_check && grep -q "made up" /tmp/faults'
check "and is counted once" eval 'logs_check; [ "$(wc -l < /tmp/faults)" = 1 ]'

# A reboot that was asked for is nothing; a reset behind its back is a fault.
check "it reboots" guest_reboot peer
check "that is no fault" eval 'logs_check && ! grep -q afresh /tmp/faults'
reset_peer()
{
	local id
	id=$(guest_boot_id peer) || return
	echo system_reset | socat -t 1 STDIO "UNIX:$vm_dir/peer/monitor" > /tmp/monitor
	wait_for 120 vm_other_boot peer "$id"
}
check "reset it" reset_peer
check "a stock guest that starts afresh is counted, and does not fail" eval \
	'logs_check && grep -q "peer: it started afresh 1 times" /tmp/faults'

# It hangs: vCPUs stopped behind its back.
stop_cpus()
{
	echo stop | socat -t 1 STDIO "UNIX:$vm_dir/peer/monitor" > /tmp/monitor
}
check "stop its processor" stop_cpus
silent()
{
	GUEST_ANSWER=3 status 255 guest peer true > /tmp/silent 2>&1 || return
	grep -q "silent for 3 s" /tmp/silent && grep -q "^RIP\|RIP=" /tmp/silent &&
		grep -q "last lines of its console" /tmp/silent || { cat /tmp/silent; return 1; }
}
check "it is called silent, and looked at" silent
check "kill it" guest_kill peer
check "then it is gone" status 255 guest peer true
check "so is its interface" fails test -e /sys/class/net/peer

# --- boots that fail ---------------------------------------------------------------
no_boot()
{
	GUEST_SILENCE=5 status 1 guest_start_qemu dead -S > /tmp/dead 2>&1 &&
		[ "$(grep -c "fell silent" /tmp/dead)" = 2 ] && grep -q "once more" /tmp/dead &&
		[ "$(grep -c "guest dead (qemu) fell silent" /tmp/faults)" = 2 ] ||
		{ cat /tmp/dead /tmp/faults; return 1; }
}
check "a boot without a word: killed, tried once more, counted" no_boot
check "nothing of it runs" fails guest_runs dead
check "a VMM that ends at once" eval 'status 1 guest_start bad --no-such-option > /tmp/bad 2>&1; grep -q "ended with status" /tmp/bad'

# --- a guest of ours -----------------------------------------------------------------
check "a guest of vbus-vmm boots" guest_start own || bail "no guest"
check "a complaint of its kernel fails the test" eval \
	'guest own "echo \"WARNING: made up\" > /dev/kmsg"; wait_for 10 fails logs_check'
logs_expected own
check "unless it was expected" logs_check
check "it is no fault of the emulator" fails grep -q "own" /tmp/faults
check "it reboots" guest_reboot own
lost()
{
	GUEST_ANSWER=180 guest own "sleep 100" 2> /dev/null &
	local pid=$!
	wait_for 10 guest own "grep -q 'sleep.100' /proc/[0-9]*/cmdline" || return
	guest_reboot own || return
	wait $pid
	[ $? = 254 ]
}
check "a command that was lost in a reboot" lost
check "all that was asked for" logs_check
reset_own()
{
	local id
	id=$(guest_boot_id own) || return
	guest own "(sleep 1; echo b > /proc/sysrq-trigger) > /dev/null 2>&1 &"
	wait_for 120 vm_other_boot own "$id"
}
check "one of ours starts afresh" reset_own
check "that fails the test" eval 'logs_check && exit 1; logs_check | grep -q "started afresh 1 times"'
logs_expected own
check "unless it was expected" logs_check
check "a reboot after that" eval 'guest_reboot own && logs_check'
check "it powers off" guest_stop own

# What was provoked is not to be told as found.
: > "$vm_dir/faults"
finish
