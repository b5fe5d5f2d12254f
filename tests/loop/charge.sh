#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which memory cgroup pays for what a guest and its VMM make the host keep.
group=/sys/fs/cgroup
modprobe vbus && modprobe vbus-dm-null || exit
[ -e $group/cgroup.procs ] || mount -t cgroup2 none $group || exit
echo +memory > $group/cgroup.subtree_control || exit
"$VBUS_BUILD/vmm/charge" $group || exit

# A cgroup that somebody refers to, or that still pays for something, stays as a dying one.
for ((i = 0; i < 100; i++)); do
	echo 3 > /proc/sys/vm/drop_caches
	dying=$(sed -n 's/^nr_dying_descendants //p' $group/cgroup.stat)
	[ "$dying" = 0 ] && exit 0
	sleep 0.1
done
echo "# $dying cgroups still referred to"
exit 1
