#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main job: a card that an admin made carries a guest's traffic, nothing is lost,
# nothing is changed, and no packet makes the guest exit to userspace.
. "${0%/*}/cards.sh"

mib=${LONG:+1024}
mib=${mib:-256}

check "a bus with a slot" bus_make vm0 3
check "a card" net_make web0 mtu=65535
check "plug it" plug vm0 3 web0
check "a guest boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "the host's end" card_host web0 3
check "its driver is loaded by modalias, the link is up" card_guest g1 3 || bail "no card"
check "the slot is bound" wait_slot vm0 3 bound 60

for size in 56 1400 60000; do
	check "1000 pings of $size bytes from the host" ping_host 1000 $size 10.7.3.2
	check "1000 pings of $size bytes from the guest" ping_guest g1 1000 $size 10.7.3.1
done
# Fragments, as most networks have them.
guest g1 "ip link set $(guest_if g1 3) mtu 1500"
ip link set web0 mtu 1500
check "1000 pings of 60000 bytes at mtu 1500 from the host" ping_host 1000 60000 10.7.3.2
check "1000 pings of 60000 bytes at mtu 1500 from the guest" ping_guest g1 1000 60000 10.7.3.1

check "an iperf3 server in the guest" guest g1 "iperf3 -s -D && sleep 1"
check "TCP to the guest for 10 s" stream 10 10.7.3.2
check "TCP from the guest for 10 s" stream 10 10.7.3.2 -R
check "four streams at once, both ways" stream 10 10.7.3.2 -P 4 --bidir

# --- what arrives is what was sent ---------------------------------------------
# A block of 16 MiB again and again: the hash of all of it is known beforehand.
repeat()
{
	local i
	for ((i = 0; i < mib / 16; i++)); do cat "$1"; done
}

head -c 16M /dev/urandom > /tmp/block
want=$(repeat /tmp/block | sha256sum)

same()
{
	local got=$1
	[ "$got" = "$want" ] || { echo "got $got, sent $want"; return 1; }
}

to_guest()
{
	guest g1 "socat -u TCP-LISTEN:7001,reuseaddr STDOUT 2>/dev/null | sha256sum > /tmp/sum &
		for i in \$(seq 200); do
			grep -q ':1B59 ' /proc/net/tcp && exit 0
			usleep 20000
		done; exit 1" || return
	repeat /tmp/block | socat -u STDIN TCP:10.7.3.2:7001 || return
	wait_for 300 guest g1 "test -s /tmp/sum" || return
	same "$(guest g1 "cat /tmp/sum")"
}

from_guest()
{
	socat -u TCP-LISTEN:7002,reuseaddr STDOUT 2> /dev/null | sha256sum > /tmp/sum &
	local receiver=$!
	wait_for 60 grep -q ':1B5A ' /proc/net/tcp || return
	guest g1 "for i in \$(seq $((mib / 16))); do cat /tmp/block; done |
		socat -u STDIN TCP:10.7.3.1:7002" || return
	wait $receiver
	same "$(cat /tmp/sum)"
}

give_block()
{
	guest g1 "socat -u TCP-LISTEN:7000,reuseaddr CREATE:/tmp/block > /dev/null 2>&1 &
		for i in \$(seq 200); do
			grep -q ':1B58 ' /proc/net/tcp && exit 0
			usleep 20000
		done; exit 1" || return
	socat -u OPEN:/tmp/block TCP:10.7.3.2:7000 || return
	local sum
	sum=$(sha256sum < /tmp/block)
	wait_for 60 guest g1 "test \"\$(sha256sum < /tmp/block)\" = '$sum'"
}

check "$mib MiB to the guest arrive as they were" to_guest
check "the guest has the block too" give_block
check "$mib MiB from the guest arrive as they were" from_guest

# --- no packet exits to userspace ------------------------------------------------
trace=/sys/kernel/tracing

# Exits to userspace while COMMAND runs, by KVM's own tracepoint.
exits_of()
{
	echo 0 > $trace/tracing_on
	echo > $trace/trace
	echo 1 > $trace/events/kvm/kvm_userspace_exit/enable
	echo 1 > $trace/tracing_on
	"$@" > /tmp/exits_of 2>&1 || { cat /tmp/exits_of; return 1; }
	echo 0 > $trace/tracing_on
	echo 0 > $trace/events/kvm/kvm_userspace_exit/enable
	grep -c kvm_userspace_exit: $trace/trace || true
}

few_exits()
{
	local packets before after exits
	before=$(cat /sys/class/net/web0/statistics/{rx,tx}_packets | paste -sd+ | bc)
	exits=$(exits_of "$@") || { echo "$exits"; return 1; }
	after=$(cat /sys/class/net/web0/statistics/{rx,tx}_packets | paste -sd+ | bc)
	packets=$((after - before))
	echo "$packets packets, $exits exits to userspace" | tee /tmp/few_exits
	# What is left is not the card's: a guest's clock or console now and then.
	[ "$packets" -gt 2000 ] && [ $((exits * 100)) -lt "$packets" ]
}

check "pings make no exits to userspace" few_exits ping_host 2000 1400 10.7.3.2
note "$(cat /tmp/few_exits)"
check "a stream to the guest makes none" few_exits stream 3 10.7.3.2
note "$(cat /tmp/few_exits)"
check "a stream from the guest makes none" few_exits stream 3 10.7.3.2 -R
note "$(cat /tmp/few_exits)"

# The counter is not dead: a register that the VMM forwards does exit.
sees_exits()
{
	local n
	n=$(exits_of guest g1 "lspci -vvv > /dev/null") && echo "$n exits" && [ "$n" -gt 100 ]
}
check_pci "config cycles do exit" sees_exits

check "the guest powers off, the VMM ends well" guest_stop g1
check "unplug" unplug vm0 3
check "remove the card" net_remove web0
check "remove the bus" bus_remove vm0
finish
