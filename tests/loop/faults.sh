#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Failing allocations in everything an admin or a VMM can ask of the core.
modprobe -a vbus vbus-dm-null || exit

# By default only atomic allocations fail, and each is printed.
for dir in failslab fail_page_alloc fail_usercopy; do
	dir=/sys/kernel/debug/$dir
	[ -e $dir/verbose ] && echo 0 > $dir/verbose
	[ -e $dir/ignore-gfp-wait ] && echo N > $dir/ignore-gfp-wait
	[ -e $dir/min-order ] && echo 0 > $dir/min-order
done
exec "$VBUS_BUILD/vmm/faults"
