#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The names that udev gives a guest's network interface: by slot, and the alias as a
# label. udevadm plays udev for one interface at a time.
. "${0%/*}/lib.sh"

rules=$VBUS_TOP/userspace/udev/75-vbus-net-names.rules
said=/tmp/said

# names: what udev makes of the interface that is there
names()
{
	udevadm test --action=add "/sys/class/net/$(guest_here)" > $said 2>&1
	# What it says of the rules themselves is about ours only.
	! grep 'vbus-net-names.rules:[0-9]' $said
}

# property NAME VALUE
property()
{
	grep -qxF "$1=$2" $said || { grep "^ID_NET" $said; false; }
}

no_property()
{
	! grep "^$1=" $said
}

# The alias arrives some time after it was written.
alias_is()
{
	[ "$(< $vdev/alias)" = "$1" ]
}

# alias TEXT
alias_set()
{
	echo "$1" > $slot/alias && wait_for 10 alias_is "$1" && names
}

command -v udevadm > /dev/null || { echo "1..0 # SKIP udev is not installed"; exit 0; }
mkdir -p /run/udev/rules.d /run/systemd/network
cp "$rules" /run/udev/rules.d/
# As the default of systemd has it, so that it does not matter what is installed.
cat > /run/udev/rules.d/80-net-setup-link.rules <<-EOT
	SUBSYSTEM=="net", IMPORT{builtin}="net_setup_link"
EOT
cat > /run/systemd/network/00-names.link <<-EOT
	[Match]
	OriginalName=*
	[Link]
	NamePolicy=kernel database onboard slot path
EOT

modprobe vbus && modprobe $connector || bail "the modules do not load"
check "a device" device_make
check "a bus" eval 'bus_make && echo front > $slot/alias'
check "plug and attach" eval 'plug && attach'
check "an interface comes" wait_for 10 guest_here
check "udev takes the rules" names
check "a name by slot" property ID_NET_NAME_SLOT envbus0-3
check "the alias is a label" property ID_NET_LABEL_ONBOARD front
check "the name is that by slot" property ID_NET_NAME envbus0-3
check "the longest alias that will do" alias_set abcdefghijklm.0
check "is a label" property ID_NET_LABEL_ONBOARD abcdefghijklm.0
for bad in abcdefghijklm.00 0815 .. a/b a%d a:b 'x$(id)' 'a"b'; do
	check "alias $bad" alias_set "$bad"
	check "is no label" no_property ID_NET_LABEL_ONBOARD
	check "and the name stays" property ID_NET_NAME_SLOT envbus0-3
done
check "no alias" alias_set ""
check "is no label" no_property ID_NET_LABEL_ONBOARD
check "unplug" eval 'unplug && wait_for 10 test ! -e $vdev'
vdev=/sys/bus/vbus/devices/vbus0-255
check "another slot" eval 'mkdir $bus/slots/255 && ln -s $dev $bus/slots/255/device'
check "its interface comes" wait_for 10 guest_here
check "udev looks at it" names
check "another name" property ID_NET_NAME_SLOT envbus0-255
# The host's end of the card sits on no bus.
udevadm test --action=add /sys/class/net/web0 > $said 2>&1
check "the host's interface keeps its name" no_property ID_NET_NAME_SLOT
check "unplug there" eval 'rm $bus/slots/255/device && wait_for 10 test ! -e $vdev'
check "the rest goes" eval 'rmdir $loop/vm0 $bus/slots/255 && tear_down'
check "modules unload" modules_unload net
finish
