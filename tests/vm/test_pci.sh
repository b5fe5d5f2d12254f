#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The function as the guest's PCI tools see it, and what remains of it after a guest
# has written ones and zeroes into every register.
. "${0%/*}/cards.sh"

# Whatever the other tests are run with: this is about PCI.
ATTACH=pci
check "a bus with two slots" bus_make vm0 3 4
check "a card" net_make web0
check "a card with more queues" net_make web1 queues=2
check "plug them" eval 'plug vm0 3 web0 && plug vm0 4 web1'
check "a guest boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "the first card" eval 'card_host web0 3 && card_guest g1 3' || bail "no card"
check "the second card" eval 'card_host web1 4 && card_guest g1 4'

fn=$(guest g1 'basename $(dirname $(readlink -f /sys/bus/vbus/devices/vbus0-3))')
fn2=$(guest g1 'basename $(dirname $(readlink -f /sys/bus/vbus/devices/vbus0-4))')
note "functions $fn $fn2"
guest g1 "lspci -vvv -s $fn" > /tmp/lspci
sed 's/^/# /' /tmp/lspci

shows()
{
	grep -qE -- "$1" "${2:-/tmp/lspci}"
}
check "vendor, device, class" eval 'guest g1 "lspci -n -s '"$fn"'" | grep -E "0200: 11da:2001"'
check "one 64-bit BAR of 128 KiB" shows 'Region 0: Memory at [0-9a-f]+ \(64-bit, prefetchable\) \[size=128K\]'
check "no other BAR" fails shows 'Region [1-5]:'
check "an Express endpoint" shows 'Express \(v[0-9]\) Endpoint'
check "power management" shows 'Capabilities: \[[0-9a-f]+\] Power Management'
check "MSI-X is on, a vector for each queue and one for changes" \
	shows 'MSI-X: Enable\+ Count=3 Masked-'
check "table and pending bits lie in BAR 0" \
	eval 'shows "Vector table: BAR=0 offset=00010000" && shows "PBA: BAR=0 offset=00018000"'
check "the vendor capability" shows 'Vendor Specific Information: Len=10'
check "nothing lspci can't read" fails grep -qiE 'unknown|access denied|<chain looped>|\?\?' /tmp/lspci
check "the kernel's driver" shows 'Kernel driver in use: vbus-pci'
guest g1 "lspci -vvv -s $fn2" > /tmp/lspci2
check "five vectors with two queue pairs" shows 'MSI-X: Enable\+ Count=5 Masked-' /tmp/lspci2
check "both in one tree" eval 'guest g1 "lspci -tv" | tee /tmp/tree | grep -q .'
sed 's/^/# /' /tmp/tree
check "the host bridge and ports are well formed" fails eval \
	'guest g1 "lspci -vvv" | grep -iE "unknown header|chain looped|access denied"'

# --- all ones, all zeroes, to every register of a function without a driver ----------
check "unbind" guest g1 "echo $fn > /sys/bus/pci/drivers/vbus-pci/unbind"
dump()
{
	guest g1 "hexdump -v -e '4/1 \"%02x\" \"\\n\"' /sys/bus/pci/devices/$fn/config"
}

# Each double word: read, ones, read, zeroes, read, old value, read.
walk='
fn='$fn'
off=0
while [ $off -lt 256 ]; do
	at=$(printf %x $off)
	old=$(setpci -s $fn $at.l)
	setpci -s $fn $at.l=ffffffff
	ones=$(setpci -s $fn $at.l)
	setpci -s $fn $at.l=0
	zero=$(setpci -s $fn $at.l)
	setpci -s $fn $at.l=$old
	echo "$at $old $ones $zero $(setpci -s $fn $at.l)"
	first="$first $at.l=$old"
	off=$((off + 4))
done
# The ones in the Express capability have asked for a function level reset, which
# has put everything before it back to zero: once more, in order.
setpci -s $fn $first'
check "ones and zeroes to every register" eval 'guest g1 "$walk" > /tmp/walk && [ $(wc -l < /tmp/walk) = 64 ]'
sed 's/^/# /' /tmp/walk

at()
{
	awk -v at="$1" '$1 == at { print $'"$2"' }' /tmp/walk
}
reads()
{
	[ "$(at "$1" "$2")" = "$3" ] || { echo "$1: $(grep "^$1 " /tmp/walk), wants $3"; return 1; }
}
for column in 3 4 5; do
	check "the ids stay ($column)" reads 0 $column 200111da
	check "the class stays ($column)" reads 8 $column 02000001
	check "the capability pointer stays ($column)" reads 34 $column "$(at 34 2)"
	check "the subsystem stays ($column)" reads 2c $column "$(at 2c 2)"
done
check "BAR 0 tells its size" reads 10 3 fffe000c
check "its upper half" reads 14 3 ffffffff
check "BAR 0 of zeroes" reads 10 4 0000000c
for bar in 18 1c 20 24 30; do
	check "no BAR at $bar" reads $bar 3 00000000
done
all_restored()
{
	# The status register's upper half is write-one-to-clear everywhere.
	awk '$2 != $5 { print; bad = 1 } END { exit bad }' /tmp/walk
}
check "every register takes its old value back" all_restored
check "all 4096 bytes can be read" eval '[ "$(dump | wc -l)" = 1024 ]'

check "bind" guest g1 "echo $fn > /sys/bus/pci/drivers/vbus-pci/bind"
check "it works as before" eval 'card_guest g1 3 && ping_host 100 1400 10.7.3.2'
check "so does its neighbour" ping_host 100 1400 10.7.4.2
check "the guest powers off" guest_stop g1
finish
