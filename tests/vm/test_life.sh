#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a guest does to itself: it reboots, unbinds and binds drivers, unloads and
# loads modules, all under traffic; and what an admin does to it: the card is taken
# and given back while the guest runs.
. "${0%/*}/cards.sh"

times=${LONG:+100}
times=${times:-10}

check "a bus with a slot" bus_make vm0 3
check "a card" net_make web0
check "plug it" plug vm0 3 web0
check "a guest boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "the host's end" card_host web0 3
check "the card" card_guest g1 3 || bail "no card"

# Traffic that goes on whatever happens to the other end.
load_start()
{
	ping -q -f 10.7.3.2 -s 1400 > /dev/null 2>&1 &
	load=$!
}

load_stop()
{
	# It must have lived until now.
	check "the load went on" kill "$load"
	# What is killed before it has become ping still has the shell's handler, which
	# only makes a note of the signal.
	while kill "$load" 2> /dev/null; do
		pause 0.1
	done
	wait "$load" 2> /dev/null
}

comes_back()
{
	card_guest g1 3 && wait_for 60 alive 10.7.3.2 && ping_host 100 1400 10.7.3.2
}

# --- the driver of the bus -------------------------------------------------------
rebind()
{
	local i
	for ((i = 0; i < $1; i++)); do
		guest g1 "echo vbus0-3 > /sys/bus/vbus/drivers/vbus-net/unbind &&
			echo vbus0-3 > /sys/bus/vbus/drivers/vbus-net/bind" || return
		card_guest g1 3 || return
	done
}
load_start
check "unbind and bind the network driver $times times" rebind "$times"
load_stop
check "it carries traffic" comes_back

# --- the PCI function --------------------------------------------------------------
rebind_pci()
{
	local i fn
	fn=$(guest g1 'basename $(dirname $(readlink -f /sys/bus/vbus/devices/vbus0-3))') || return
	for ((i = 0; i < $1; i++)); do
		guest g1 "echo $fn > /sys/bus/pci/drivers/vbus-pci/unbind &&
			echo $fn > /sys/bus/pci/drivers/vbus-pci/bind" || return
		card_guest g1 3 || return
	done
}
load_start
check_pci "unbind and bind the PCI function 5 times" rebind_pci 5
load_stop
check "it carries traffic" comes_back

rescan()
{
	local fn
	fn=$(guest g1 'basename $(dirname $(readlink -f /sys/bus/vbus/devices/vbus0-3))') || return
	guest g1 "echo 1 > /sys/bus/pci/devices/$fn/remove && echo 1 > /sys/bus/pci/rescan"
}
load_start
check_pci "remove the function and scan for it again" rescan
load_stop
check "it carries traffic" comes_back

# As a guest's admin does it, by way of the device's own reset.
reset_fn()
{
	guest g1 'p=$(basename $(dirname $(readlink -f /sys/bus/vbus/devices/vbus0-3))) &&
		echo $p > /sys/bus/pci/drivers/vbus-pci/unbind &&
		echo 1 > /sys/bus/pci/devices/$p/reset &&
		echo $p > /sys/bus/pci/drivers/vbus-pci/bind'
}
check_pci "reset the function" reset_fn
check "it carries traffic" comes_back

# --- modules -----------------------------------------------------------------------
reload()
{
	local i
	for ((i = 0; i < $1; i++)); do
		guest g1 "rmmod vbus_net && modprobe vbus-net" || return
		card_guest g1 3 || return
		# All of them now and then.
		[ $((i % 10)) != 0 ] || guest g1 "rmmod vbus_net ${vm_fronts//-/_} vbus_proxy &&
			modprobe -a $vm_fronts && modprobe vbus-net" || return
		card_guest g1 3 || return
	done
}
load_start
check "rmmod under traffic $times times" reload "$times"
load_stop
check "it carries traffic" comes_back

# --- reboot --------------------------------------------------------------------------
load_start
check "the guest reboots" guest_reboot g1
load_stop
check "it carries traffic" comes_back
load_start
check "the guest panics and reboots" guest_reboot g1 \
	"echo 1 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger"
logs_expected g1
load_stop
check "it carries traffic" comes_back

# --- the admin -----------------------------------------------------------------------
replug()
{
	local i
	for ((i = 0; i < $1; i++)); do
		unplug vm0 3 && wait_slot vm0 3 empty 60 && wait_for 60 guest_lost_card g1 3 &&
			plug vm0 3 web0 && card_guest g1 3 &&
			wait_for 60 alive 10.7.3.2 || return
	done
}
load_start
check "unplug and plug under traffic 3 times" replug 3
load_stop
check "1000 pings" ping_host 1000 1400 10.7.3.2

power()
{
	guest g1 "echo $1 > /sys/bus/pci/slots/$2/power"
}
[ "$ATTACH" != pci ] || port=$(guest g1 'for s in /sys/bus/pci/slots/*; do
	grep -q 1 $s/adapter && basename $s; done')
check_pci "the guest switches the slot off" power 0 "$port"
check_pci "the card is gone there" wait_for 60 guest_lost_card g1 3
check_pci "and on again" power 1 "$port"
check "it carries traffic" comes_back

check "the guest powers off" guest_stop g1
finish
