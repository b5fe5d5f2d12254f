#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The steps of Documentation/loopback.rst: a network card whose host end and guest end are in
# one kernel. In User-Mode Linux:
#
#	tests/uml/run Documentation/examples/loopback.sh
#
# On a kernel of your own, as root, with the modules loaded: "loopback.sh loaded".
set -ex

[ "${1:-}" = loaded ] || modprobe -a vbus vbus-loop
cd /sys/kernel/config/vbus

# Host: a network card, a bus with a slot, the card in the slot.
mkdir devices/net.web0
echo 02:00:00:00:00:01 > devices/net.web0/mac
echo 1 > devices/net.web0/enable
mkdir buses/vm0
mkdir buses/vm0/slots/3
ln -s "$PWD/devices/net.web0" buses/vm0/slots/3/device

# The connector: this kernel is the guest of bus vm0.
mkdir /sys/kernel/config/vbus-loop/vm0
until guest=$(ls /sys/bus/vbus/devices/vbus*-3/net 2> /dev/null); do sleep 0.1; done

# Each end in a network namespace of its own, so that frames cross the rings.
ip netns add guest
ip link set "$guest" netns guest
ip addr add 10.7.0.1/24 dev web0
ip link set web0 up
ip -n guest addr add 10.7.0.2/24 dev "$guest"
ip -n guest link set "$guest" up
ping -c 3 10.7.0.2
cat buses/vm0/slots/3/state devices/net.web0/state
head -n 2 devices/net.web0/stats

# Unplug: a request to the guest. The slot is empty when its driver has let go.
rm buses/vm0/slots/3/device
until grep -q empty buses/vm0/slots/3/state; do sleep 0.1; done

# Everything back.
rmdir /sys/kernel/config/vbus-loop/vm0
rmdir buses/vm0/slots/3 buses/vm0
echo 0 > devices/net.web0/enable
rmdir devices/net.web0
ip netns del guest
