#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Plug and unplug under traffic, CYCLES times, and the kernel's memory as it was.
#
# Datagrams are sent from both ends all the time; in every cycle each end must
# receive some before the card goes again. Here the host end is in the namespace
# "host" and the guest's stays in the first, to start fewer programs a cycle.
#
# What is compared: after WARM cycles and after the last one, with the card gone and
# everything that is only kept for later given back (page cache, dentries, free
# objects of slabs, which also empties the quarantine of KASAN),
#   - live objects of every slab cache,
#   - pages of the kernel: those neither free nor in the page cache nor of programs.
# The first cycles fill per-CPU and lookup caches, hence WARM. What each further
# cycle loses adds up, so the bound is a fraction of the cycles between: an object
# of any size, or a page, lost in every fourth cycle is found. With few cycles what
# comes and goes anyway is more: the kernel's reference trackers alone keep up to
# 128 dead records for each network namespace. kmemleak, which runs
# after the test, finds single lost objects, but sees neither pages nor what is
# still linked somewhere.
: "${CYCLES:=1000}"
: "${WARM:=$((CYCLES / 5))}"
. "${0%/*}/lib.sh"

net_load
device_make mac=02:00:00:00:07:02 mtu=1500 && bus_make && attach || bail "no card"
ip netns add host
ip link set web0 netns host
ip -n host -batch - <<-EOT
	link set lo up
	addr add 10.7.0.1/24 dev web0
	link set web0 up
	neigh add 10.7.0.2 lladdr 02:00:00:00:07:02 dev web0 nud permanent
EOT
hostmac=$(ip -n host -o link show web0 | sed 's/.*link.ether \([^ ]*\).*/\1/')
# Router and neighbour discovery would only add noise.
sysctl -q -w net.ipv6.conf.default.disable_ipv6=1

# Starting programs would take most of the time of a cycle: no helper for uevents,
# and one process that makes and removes the link and brings the interface up.
modprobe vbus-net || bail "the driver does not load"
echo > /sys/kernel/uevent_helper
mkfifo /tmp/orders /tmp/answers
$nettool "do" < /tmp/orders > /tmp/answers &
exec 7> /tmp/orders 8< /tmp/answers
order()
{
	local answer
	echo "$*" >&7 && read -r -t 60 answer <&8 && [ "$answer" = 0 ]
}

# --- one cycle ----------------------------------------------------------------
name=
interface_there()
{
	local path
	for path in $vdev/net/*/ifindex; do
		[ -e "$path" ] || return
		path=${path%/ifindex}
		name=${path##*/}
	done
}

# Received and sent in this life of the interface; no program is started.
moved()
{
	local rx tx
	read -r rx < "/sys/class/net/$name/statistics/rx_packets" &&
	read -r tx < "/sys/class/net/$name/statistics/tx_packets" &&
	[ "$rx" -gt 10 ] && [ "$tx" -gt 10 ]
}

device_gone()
{
	local s
	read -r s < $slot/state && [ "$s" = empty ] && [ ! -e $vdev ]
}

cycle()
{
	order ln $dev $slot/device && wait_for 20 interface_there &&
	order up "$name" 10.7.0.2 10.7.0.1 "$hostmac" && wait_for 20 moved &&
	order rm $slot/device && wait_for 20 device_gone
}

# --- what is left -------------------------------------------------------------
give_back()
{
	local s
	echo 3 > /proc/sys/vm/drop_caches
	for s in /sys/kernel/slab/*/shrink; do
		echo 1 > "$s" 2> /dev/null
	done
}

# Pages: free ones are in the zones and on the CPUs' lists.
kernel_pages()
{
	awk '/^ +(present|managed) /	{ if ($1 == "managed") total += $2 }
	     /^ +nr_free_pages /	{ used += $2 }
	     /^ +nr_(in)?active_(anon|file) / { used += $2 }
	     /^ +nr_unevictable /	{ used += $2 }
	     /^ +nr_page_table_pages /	{ used += $2 }
	     /^ +count: /		{ used += $2 }
	     END			{ print total - used }' /proc/zoneinfo
}

# No program between the giving back and the look: it would leave traces.
slab_objects()
{
	local lines
	mapfile -t -s 2 lines < /proc/slabinfo
	printf '%s\n' "${lines[@]}"
}

# Things freed late (RCU, page pools, sockets) get time to go, and what the shell
# itself needs comes and goes: take the least of several looks.
measure()
{
	local i
	: > "$1.looks"
	for i in 1 2 3 4 5 6; do
		pause 0.5
		give_back
		slab_objects >> "$1.looks"
	done
	awk '!($1 in least) || $2 < least[$1] { least[$1] = $2 }
	     END { for (name in least) print name, least[name] }' "$1.looks" | sort > "$1.slab"
	for i in 1 2 3 4 5 6; do
		give_back
		kernel_pages
		pause 0.5
	done | sort -n | head -n 1 > "$1.pages"
}

floods=()
floods_start()
{
	nice ip netns exec host $nettool flood 10.7.0.2 7003 1000 4 4000 &
	floods+=($!)
	nice $nettool flood 10.7.0.1 7003 1000 4 4000 &
	floods+=($!)
}

floods_stop()
{
	kill "${floods[@]}"
	wait "${floods[@]}" 2> /dev/null
	floods=()
}

# run FROM TO: those cycles; says which one failed
run()
{
	local i
	for ((i = $1; i <= $2; i++)); do
		cycle || { echo "# cycle $i failed"; return 1; }
	done
}

start=$SECONDS
floods_start
run 1 "$WARM"
tap_result $? "cycles 1 to $WARM under traffic"
floods_stop
measure /tmp/before
floods_start
run $((WARM + 1)) "$CYCLES"
tap_result $? "cycles $((WARM + 1)) to $CYCLES under traffic"
floods_stop
measure /tmp/after
echo "# $CYCLES cycles in $((SECONDS - start)) s"

# --- comparison ---------------------------------------------------------------
bound=$(((CYCLES - WARM) / 4))
[ $bound -ge 160 ] || bound=160

grown_objects()
{
	join /tmp/before.slab /tmp/after.slab |
		awk -v bound=$bound '$3 - $2 > bound { print $1, $2, "->", $3; bad = 1 }
				     END { exit !bad }'
}

grown_pages()
{
	local before after
	read -r before < /tmp/before.pages
	read -r after < /tmp/after.pages
	echo "# pages of the kernel: $before -> $after, bound $bound"
	[ $((after - before)) -gt $bound ]
}

join /tmp/before.slab /tmp/after.slab |
	awk '$3 > $2 + 8 { print "# slab", $1, $2, "->", $3 }'
grown_pages
tap_result $((! $?)) "pages of the kernel as before"
check "objects of every slab cache as before" fails grown_objects
unused()
{
	[ "$(cat /sys/module/vbus_net/refcnt)" = 0 ] || { echo "vbus_net is used"; return 1; }
}
check "the driver has no user" unused
exec 7>&-
ip netns del host
check "everything goes" tear_down
check "every module can be unloaded" wait_for 10 net_unload
finish
