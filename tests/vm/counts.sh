# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests that look for what a long run has left in the host: counts_before when all is
# warm and nobody is there, check_counts when nobody is there again.

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

# Fails if what is counted can't be.
counts_before()
{
	counts > /tmp/before
	base_pinned=$(pinned)
	base_free=$(free_kib)
	base_files=$(files)
	[ "$(grep -c "^threads " /tmp/before)" -gt 5 ] && grep -q "^eventfds [0-9]" /tmp/before &&
		grep -q "^pinned [0-9]" /tmp/before
}

same_counts()
{
	counts > /tmp/after
	diff /tmp/before /tmp/after
}

# check_counts FILES KIB: so many files may be there still, and so much memory be gone. The
# kernel frees both in the background and counts files roughly, by CPU. Single ones that leak
# show in the counts: eventfds, pins, and the files that hold the module; this is for what
# leaks in heaps.
check_counts()
{
	check "threads, eventfds, pinned pages, links, users as before" wait_for 60 same_counts
	diff /tmp/before /tmp/after | sed 's/^/# /'
	note "files $base_files before, $(files) after; available KiB $base_free before, $(free_kib) after"
	check "files as before" wait_for 60 eval "[ \$(files) -le $((base_files + $1)) ]"
	check "memory as before" wait_for 60 eval "[ \$(free_kib) -ge $((base_free - $2)) ]"
}
