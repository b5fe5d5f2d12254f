#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main job of vbus, with every command that it takes: an admin makes a network
# card with mkdir, a VMM boots a guest, and the two talk. "make demo" runs it in a
# virtual machine that plays the host:
#
#	tests/vm/run Documentation/examples/demo.sh [shell]
#
# With "shell" ("make demo-shell", which adds --tty) it stops where the two talk and
# gives you a shell on that host. Lines that begin with "host#" and "guest#" are what
# you would type yourself.
#
# DEMO_SECONDS is how long each stream runs.
set -o pipefail
# shellcheck source=/dev/null
. "$VBUS_TOP/tests/vm/lib.sh"

seconds=${DEMO_SECONDS:-3}
slot=3
configfs=/sys/kernel/config/vbus
summary=()

title()
{
	printf '\n=== %s\n' "$*"
}

failed()
{
	echo
	echo "*** The demo failed at: $*"
	echo "    What the host's kernel said last:"
	dmesg | tail -n 15
	exit 1
}

# Print a command, then run it, here or in the guest; its output is indented. What
# the last one printed stays in $out.
say_and_run()
{
	local prompt=$1 status
	shift
	printf '%s# %s\n' "$prompt" "$*"
	if [ "$prompt" = host ]; then
		out=$(cd "$configfs" && eval "$*" 2>&1)
	else
		out=$(guest web "$*" 2>&1)
	fi
	status=$?
	[ -z "$out" ] || sed 's/^/    /' <<< "$out"
	return $status
}

host()
{
	say_and_run host "$@" || failed "$@"
}

guest_does()
{
	say_and_run guest "$@" || failed "$@"
}

state()
{
	cat "$configfs/buses/vm0/slots/$slot/state"
}

slot_is()
{
	[ "$(state)" = "$1" ]
}

# The card's name in the guest, once its driver is there.
card_name()
{
	guest web "ls /sys/bus/vbus/devices/vbus0-$slot/net | grep ."
}

find_card()
{
	wait_for 30 card_name || failed "no card in the guest"
	card=$(card_name)
}

carrier()
{
	guest web "grep -q 1 /sys/class/net/$card/carrier"
}

address_guest()
{
	guest_does "ip addr add 10.7.0.2/24 dev $card && ip link set $card up"
	wait_for 20 carrier || failed "no link in the guest"
}

# ping_from host|guest ADDRESS: nothing may be lost
ping_from()
{
	local who=$1
	[ "$who" = host ] || who=guest_does
	"$who" "ping -c 3 -i 0.2 $2 | tail -n 3"
	grep -q ' 0% packet loss' <<< "$out" || failed "packets are lost"
}

rate()
{
	awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i ~ /bits\/sec/) r = $(i - 1) " " $i } END { print r }' <<< "$out"
}

begun=$SECONDS
modprobe vbus || failed "modprobe vbus"
cd /tmp || exit

title "The host: make a network card and a bus, put the card into a slot"
host "mkdir devices/net.web0"
host "echo 02:00:00:00:00:01 > devices/net.web0/mac"
host "echo 2 > devices/net.web0/queues"
host "echo 1 > devices/net.web0/enable"
echo "  The card's host end is an ordinary interface:"
host "ip -br link show web0"
host "mkdir buses/vm0"
echo "  That made a node, which a VMM may open:"
host "ls -l /dev/vbus/vm0"
host "mkdir buses/vm0/slots/$slot"
host "ln -s $configfs/devices/net.web0 buses/vm0/slots/$slot/device"
host "cat buses/vm0/slots/$slot/state"

title "The host: boot a guest with that bus"
echo "host# vbus-vmm --kernel vmlinuz --initrd guest.cpio --cpus 2 --mem 256M --bus vm0 &"
booted=$SECONDS
guest_start web --cpus 2 --mem 256M --bus vm0 || failed "the guest does not boot"
booted=$((SECONDS - booted))
echo "    up after $booted s"
guest_does "uname -r"

title "The guest: it found a PCI function, and loaded the drivers by itself"
find_card
guest_does "lspci -d 11da:2001"
guest_does "cat /sys/bus/vbus/devices/vbus0-$slot/modalias"
guest_does "lsmod | grep vbus | cut -d ' ' -f 1"
host "cat buses/vm0/slots/$slot/state"

title "Addresses on both ends, and a ping each way"
host "ip addr add 10.7.0.1/24 dev web0 && ip link set web0 up"
address_guest
echo "  Two pairs of queues have an interrupt for each direction:"
guest_does "grep vbus /proc/interrupts"
ping_from host 10.7.0.2
ping_from guest 10.7.0.1
summary+=("ping both ways:             no loss")

title "iperf3, $seconds s each way"
guest web "iperf3 -s -D" > /dev/null || failed "no iperf3 server in the guest"
listening() { iperf3 -c 10.7.0.2 -n 1K > /dev/null 2>&1; }
wait_for 20 listening || failed "nobody listens in the guest"
host "iperf3 -c 10.7.0.2 -t $seconds -f g | grep receiver"
to_guest=$(rate)
host "iperf3 -c 10.7.0.2 -t $seconds -f g -R | grep receiver"
summary+=("iperf3, host to guest:      $to_guest")
summary+=("iperf3, guest to host:      $(rate)")

if [ "${1:-}" = shell ]; then
	title "Your turn: a shell on the host; \"exit\" ends it all"
	cat <<-EOT
	  The guest "web" runs, its card is in slot $slot of bus vm0. Things to try:
	    cat buses/vm0/slots/$slot/state devices/net.web0/stats
	    rm buses/vm0/slots/$slot/device                               # unplug
	    ln -s \$PWD/devices/net.web0 buses/vm0/slots/$slot/device      # plug again
	    ping 10.7.0.2
	    guest web 'ip addr; grep vbus /proc/interrupts'           # a command in the guest
	EOT
	cat > /tmp/bashrc <<-EOT
	. "$VBUS_TOP/tests/vm/lib.sh"
	trap - EXIT
	cd $configfs
	PS1='host# '
	EOT
	bash --rcfile /tmp/bashrc -i
	exit 0
fi

title "Unplug the card while the guest runs"
host "rm buses/vm0/slots/$slot/device"
wait_for 30 slot_is empty || failed "the guest does not let go: state is $(state)"
host "cat buses/vm0/slots/$slot/state"
guest_does "ls /sys/bus/vbus/devices"
[ -z "$out" ] || failed "the guest still has a card"

title "Plug it again, and ping"
host "ln -s $configfs/devices/net.web0 buses/vm0/slots/$slot/device"
find_card
address_guest
ping_from host 10.7.0.2
host "cat buses/vm0/slots/$slot/state"
summary+=("unplugged and plugged live: it came back and answers")

title "Switch the guest off and take everything back"
guest_stop web || failed "the guest does not end orderly"
host "rm buses/vm0/slots/$slot/device"
host "rmdir buses/vm0/slots/$slot buses/vm0"
host "rmdir devices/net.web0"
logs_check || failed "a kernel has complained"
summary+=("kernel logs, host, guest:   no complaint")

title "Summary"
cat <<EOT
A network card that lives in the host's kernel was made with mkdir, plugged into a
virtual machine with ln -s, and found there by an ordinary driver:

EOT
printf '  %s\n' "${summary[@]}"
cat <<EOT

The host here is itself an emulated machine, so the rates are far below what real
hardware does. It took $((SECONDS - begun)) s; the guest booted in $booted of them.
The same on a host of your own: README.md. To try more: make demo-shell
EOT
