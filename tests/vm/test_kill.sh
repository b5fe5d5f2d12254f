#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The VMM is killed under load, again and again. The kernel must take back all that
# was given to it: pinned pages, memory, threads, files, eventfds; the host's end of
# the card stays, and the bus can be opened again at once.
. "${0%/*}/cards.sh"

kills=${LONG:+50}
kills=${kills:-4}

pinned()
{
	awk '/nr_foll_pin_acquired/ { n += $2 } /nr_foll_pin_released/ { n -= $2 } END { print n }' /proc/vmstat
}

# How many there are in the whole machine: a new one gets the smallest number that is
# free, so those beside 200 new ones are what is missing below the highest of these.
eventfds()
{
	python3 -c '
import os
fds = [os.eventfd(0) for i in range(200)]
ids = [open("/proc/self/fdinfo/%d" % fd).read().split("eventfd-id:")[1].split()[0] for fd in fds]
print(max(int(i) for i in ids) - 199)'
}

# By name, the kernel's and everybody's; but not kworker, of which there are as many as
# there happens to be work, nor shells of this script.
threads()
{
	python3 -c '
import collections, glob, os, sys
names = collections.Counter()
for path in glob.glob("/proc/[0-9]*/task/[0-9]*/comm"):
    try:
        name = open(path).read().strip()
    except OSError:
        continue
    if not name.startswith(("kworker/", sys.argv[1])) and "/%d/task/" % os.getpid() not in path:
        names[name] += 1
for name in sorted(names):
    print("threads", name, names[name])' "${0##*/}"
}

counts()
{
	threads
	printf 'eventfds %s\n' "$(eventfds)"
	printf 'pinned %s\n' "$(pinned)"
	printf 'links %s\n' "$(ip -o link | wc -l)"
	printf 'users %s\n' "$(cat /sys/module/vbus/refcnt)"
}

files()
{
	cut -f1 /proc/sys/fs/file-nr
}

free_kib()
{
	sync
	echo 3 > /proc/sys/vm/drop_caches
	awk '/MemAvailable/ { print $2 }' /proc/meminfo
}

check "a bus with a slot" bus_make vm0 3
check "a card" net_make web0 mtu=9000
check "plug it" plug vm0 3 web0
check "the host's end" card_host web0 3

# One life: boot, traffic both ways, kill.
one_life()
{
	guest_start g1 --cpus 2 --bus vm0 && card_guest g1 3 || return
	wait_for 60 alive 10.7.3.2 || return
	guest g1 "iperf3 -s -D && sleep 1" || return
	iperf3 -c 10.7.3.2 -t 3600 --bidir > /dev/null 2>&1 &
	local load=$! sent
	sent=$(cat /sys/class/net/web0/statistics/rx_packets)
	flows()
	{
		[ "$(cat /sys/class/net/web0/statistics/rx_packets)" -gt $((sent + 2000)) ]
	}
	wait_for 60 flows || { echo "no load"; return 1; }
	guest_kill g1
	kill $load
	wait $load
	wait_slot vm0 3 plugged 60
}

# Warm: caches, module memory, the first of everything.
check "a first life, to compare with" one_life
settled()
{
	[ "$(pinned)" -le "$base_pinned" ]
}
base_pinned=0
wait_for 10 settled > /dev/null
counts > /tmp/before
check "there is something to count" eval \
	'[ $(grep -c "^threads " /tmp/before) -gt 5 ] && grep -q "^eventfds [0-9]" /tmp/before && grep -q "^pinned [0-9]" /tmp/before'
base_pinned=$(pinned)
base_free=$(free_kib)
base_files=$(files)

for ((i = 1; i <= kills; i++)); do
	check "life $i, killed under load" one_life || break
	check "nothing stays pinned after $i" wait_for 60 settled
done

same_counts()
{
	counts > /tmp/after
	diff /tmp/before /tmp/after
}
check "threads, eventfds, pinned pages, links, users as before" wait_for 60 same_counts
diff /tmp/before /tmp/after | sed 's/^/# /'
note "files $base_files before, $(files) after; available KiB $base_free before, $(free_kib) after"
# The kernel frees files and memory in the background and counts files roughly, by
# CPU. Single ones that leak show above: eventfds, pins, and the files that hold the
# module; this is for what leaks in heaps.
check "files as before" wait_for 60 eval '[ $(files) -le $((base_files + kills / 2 + 32)) ]'
check "memory as before" wait_for 60 eval '[ $(free_kib) -ge $((base_free - 1024 * kills - 16384)) ]'

check "the bus opens again and all works" guest_start g1 --bus vm0
check "its card" card_guest g1 3
check "1000 pings" ping_host 1000 1400 10.7.3.2
check "it powers off" guest_stop g1
check "unplug" unplug vm0 3
check "remove the card" net_remove web0
check "remove the bus" bus_remove vm0
check "the modules unload" modprobe -r vbus-dm-net vbus
finish
