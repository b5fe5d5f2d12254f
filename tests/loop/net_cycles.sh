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
# cycle loses adds up, so the bounds are a fraction of the cycles between: an object
# of any size, or a page, lost in every fourth cycle is found. kmemleak, which runs
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
	plug && wait_for 20 interface_there || return
	ip -batch - <<-EOT || return
		addr add 10.7.0.2/24 dev $name
		link set $name up
		neigh add 10.7.0.1 lladdr $hostmac dev $name nud permanent
	EOT
	wait_for 20 moved && unplug && wait_for 20 device_gone
}

# --- what is left -------------------------------------------------------------
give_back()
{
	local s
	sync
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

slab_objects()
{
	awk 'NR > 2 { print $1, $2 }' /proc/slabinfo | sort
}

# Things freed late (RCU, page pools, sockets) get time to go: take the least of
# several looks.
measure()
{
	local i pages best
	for i in 1 2 3 4 5 6; do
		give_back
		pages=$(kernel_pages)
		if [ -z "$best" ] || [ "$pages" -lt "$best" ]; then
			best=$pages
			slab_objects > "$1.slab"
		fi
		pause 0.5
	done
	echo "$best" > "$1.pages"
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
ip netns del host
check "everything goes" tear_down
check "every module can be unloaded" wait_for 10 net_unload
finish
