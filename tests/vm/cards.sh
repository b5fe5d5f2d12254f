# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the tests of network cards in real guests. The card in slot N of a bus is
# 10.7.N.1 at the host's end, an interface named as the device, and 10.7.N.2 at the
# guest's. Nothing waits for a time to pass; wait_for polls for what has to happen.

. "${BASH_SOURCE[0]%/*}/lib.sh"

vbus_load || bail "the modules do not load"

# What a link that goes down and up keeps.
sysctl -q -w net.ipv6.conf.all.keep_addr_on_down=1

# card_host DEV SLOT: address and link of the host's end
card_host()
{
	ip addr replace "10.7.$2.1/24" dev "$1" && ip link set "$1" up
}

# The guest's interface of the card in a slot of its first (or given) bus.
guest_if()
{
	guest "$1" "basename /sys/bus/vbus/devices/vbus${3:-0}-$2/net/*"
}

guest_has_card()
{
	guest "$1" "test -d /sys/bus/vbus/devices/vbus${3:-0}-$2/net"
}

guest_lost_card()
{
	guest "$1" "! test -e /sys/bus/vbus/devices/vbus${3:-0}-$2"
}

# card_guest GUEST SLOT [BUS [ADDRESS]]: wait for the card, give it its address, wait
# for the link
card_guest()
{
	local name addr=${4:-10.7.$2.2}
	wait_for 60 guest_has_card "$1" "$2" "${3:-0}" || return
	name=$(guest_if "$1" "$2" "${3:-0}") || return
	guest "$1" "ip addr replace $addr/24 dev $name && ip link set $name up &&
		for i in \$(seq 300); do
			grep -q 1 /sys/class/net/$name/carrier && exit 0
			usleep 20000
		done; echo no carrier; exit 1"
}

# cards_guest GUEST SLOT...: as card_guest, but in one go, as each command in a guest
# costs the line's time, and without waiting for links
cards_guest()
{
	local name=$1
	shift
	guest "$name" "for n in $*; do
			for i in \$(seq 600); do
				[ -d /sys/bus/vbus/devices/vbus0-\$n/net ] && break
				usleep 100000
			done
			name=\$(ls /sys/bus/vbus/devices/vbus0-\$n/net) || exit 1
			ip addr replace 10.7.\$n.2/24 dev \$name && ip link set \$name up || exit 1
		done"
}

# For many pings at once: a raw socket gets everybody's answers, one of this kind its own.
own_answers()
{
	sysctl -q -w net.ipv4.ping_group_range="0 2147483647"
}

# The whole way: device, slot, both ends. card_make GUEST BUS SLOT DEV [ATTR=VALUE...]
card_make()
{
	local name=$1 bus=$2 slot=$3 dev=$4
	shift 4
	net_make "$dev" "$@" && plug "$bus" "$slot" "$dev" && card_host "$dev" "$slot" &&
		card_guest "$name" "$slot"
}

# Echo requests sent and answers received, ever, by /proc/net/snmp on standard input.
echoes()
{
	awk '$1 == "Icmp:" { if (!n) { n = split($0, name) } else for (i = 2; i <= n; i++) v[name[i]] = $i }
		END { print v["OutEchos"], v["InEchoReps"] }'
}

# no_loss HERE COMMAND...: a ping, on the machine whose shell is HERE, that must not
# lose anything. What came when ping had given up is late, not lost: the kernel's
# counters know.
no_loss()
{
	local here=$1 out before sent answered
	shift
	before=$($here "cat /proc/net/snmp" | echoes)
	out=$("$@" 2>&1)
	echo "$out" | tail -n 3
	grep -q ' 0% packet loss' <<< "$out" && return
	all_answered()
	{
		read -r sent answered <<< "$($here "cat /proc/net/snmp" | echoes)"
		echo "$((sent - ${before% *})) sent, $((answered - ${before#* })) answered"
		[ $((sent - ${before% *})) -gt 0 ] &&
			[ $((sent - ${before% *})) = $((answered - ${before#* })) ]
	}
	wait_for 60 all_answered
}

# ping_host COUNT SIZE ADDRESS: one request at a time, the next when the answer is there
# (or a second has passed). The ping of iputils sends on while answers are late, and
# whoever answers has memory for two answers of 60 kB on their way, not for more.
ping_host()
{
	no_loss "bash -c" busybox ping -q -A -W 10 -c "$1" -s "$2" "$3"
}

ping_guest()
{
	no_loss "guest $1" guest "$1" "busybox ping -q -A -W 10 -c $2 -s $3 $4"
}

alive()
{
	ping -q -c 1 -W 2 "$1"
}

# stream SECONDS ADDRESS [iperf3 options]: TCP through an iperf3 server; the rate is
# printed. It must not have stood still for a second: two halves in a row in which nothing
# moved, with --bidir in either direction (TCP may starve one).
stream()
{
	local out
	out=$(iperf3 -J -i 0.5 -t "$1" -c "$2" "${@:3}") || { echo "$out" | tail -n 20; return 1; }
	python3 -c '
import json, sys
r = json.load(sys.stdin)
end = r["end"]["sum_received"]
print("# %s: %.2f Gbit/s, %d segments sent again" % (" ".join(sys.argv[1:]),
      end["bits_per_second"] / 1e9, r["end"]["sum_sent"].get("retransmits", 0)), file=sys.stderr)
halves = [i for i in r["intervals"] if i["sum"]["seconds"] > 0.4]
moved = [i["sum"]["bytes"] + i.get("sum_bidir_reverse", {}).get("bytes", 0) for i in halves]
dead = [halves[n]["sum"]["start"] for n in range(1, len(moved)) if not moved[n - 1] + moved[n]]
if dead:
    sys.exit("nothing moved in the second before %s" % dead)
if end["bytes"] == 0:
    sys.exit("nothing received")
' "${@:2}" <<< "$out"
}

# Print the rate of a stream that a check made, for people who read the log.
note()
{
	echo "# $*"
}
