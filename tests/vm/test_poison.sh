#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Guest memory that the machine has lost: tests/vmm/poison.c plays VMM and guest in this
# host, whose kernel can mark pages as broken.
. "${0%/*}/lib.sh"

echo "vbus-test: $vm_name: pages are marked as broken" > /dev/kmsg
before=$(cat /proc/sys/kernel/printk)

check "a bus" bus_make vm0 0 1 2 3 4
check "devices" device_make null.a
check "another" device_make null.b
check "random numbers" device_make rng.r
check "a card" net_make web0
check "up" ip link set web0 up
check "a file for a disk" truncate -s 4M /tmp/disk
check "a disk" blk_make d0 /tmp/disk direct=0
check "plug them" eval 'plug vm0 0 null.a && plug vm0 1 rng.r && plug vm0 2 web0 &&
	plug vm0 3 blk.d0 && plug vm0 4 null.b'

# What the kernel says of each page counts as a fault of the machine on the console.
dmesg -n 1
"$VBUS_BUILD/vmm/poison" vm0 > /tmp/poison.out
status=$?
grep '^#' /tmp/poison.out
while read -r result; do
	case $result in
	"ok "*) check "${result#* - }" true ;;
	"not ok "*) check "${result#* - }" false ;;
	esac
done < /tmp/poison.out
check "it came to its end" [ $status = 0 ]
check "unplug all" bus_remove vm0
check "remove the devices" eval 'net_remove web0 && blk_remove d0 && device_remove rng.r &&
	device_remove null.a && device_remove null.b'

said()
{
	vm_host_log | grep -v 'Memory failure: 0x\|Injecting memory failure' > /tmp/said
	"$VBUS_TOP/tests/vm/scan" /tmp/said
}
check "the kernel has said nothing else" said
dmesg -C
dmesg -n "${before%%[[:space:]]*}"
finish
