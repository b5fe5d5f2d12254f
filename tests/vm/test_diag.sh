#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the diagnostic measures in a real guest: every transport, what a call costs in
# exits by KVM's own count, and what a flood of low priority does to a signal of high
# priority. Times are printed for people to read; what is checked are counts.
. "${0%/*}/cards.sh"

count=${LONG:+20000}
count=${count:-4000}

# diag WHAT FIELD [OPTIONS]: one number of one measurement of device vbus0-1
diag()
{
	local what=$1 field=$2
	shift 2
	guest g1 "vbus-diag --device vbus0-1 --count $count --json $* $what" > /tmp/diag.json || return
	python3 - "$what" "$field" <<-'EOT'
	import json, sys
	rows = json.load(open("/tmp/diag.json"))
	rows = rows["results"] if isinstance(rows, dict) else rows
	for row in rows:
	    if row.get("what") == sys.argv[1] and "error" not in row:
	        print(row[sys.argv[2]])
	        sys.exit()
	sys.exit("not measured: %s" % rows)
	EOT
}

measures()
{
	local what
	for what; do
		[ "$(diag "$what" count)" -gt 0 ] || return
	done
}

# measures, and the table for people to read
show()
{
	guest g1 "vbus-diag --device vbus0-1 --count $count" | sed "s/^/# $ATTACH: /"
}

kvm_exits()
{
	cat /sys/kernel/debug/kvm/"$(cat $vm_dir/g1/pid)"-*/exits
}

# exits_of N: KVM's count over a run of N calls, and the command that starts it
exits_of()
{
	local before after
	before=$(kvm_exits)
	guest g1 "vbus-diag --device vbus0-1 --count $1 --json call" > /tmp/calls || return
	grep -q "\"count\": $1," /tmp/calls || { cat /tmp/calls; return 1; }
	after=$(kvm_exits)
	echo $((after - before))
}

# Each call is one exit: fewer would be none, many more would be something else. What
# the command itself costs, by which we have them made, is taken off; what remains is
# the guest's clock.
one_exit_a_call()
{
	local few many
	few=$(exits_of 1) && many=$(exits_of $((count + 1))) || { echo "$few $many"; return 1; }
	awk -v n="$count" -v e=$((many - few)) 'BEGIN {
		printf "%d exits for %d calls\n", e, n; exit !(e > 0.95 * n && e < 1.25 * n) }' |
		tee /tmp/exits_a_call
	return "${PIPESTATUS[0]}"
}

boot()
{
	ATTACH=$1
	shift
	check "$ATTACH: a guest boots" guest_start g1 --bus vm0 "$@" || bail "no guest"
	check "$ATTACH: both devices have their driver" wait_for 20 guest g1 \
		"test -e /sys/kernel/debug/vbus/vbus0-1/run -a -e /sys/kernel/debug/vbus/vbus0-2/run"
}

check "a bus with two slots" bus_make vm0 1 2
check "two devices" eval 'device_make null.a && device_make null.b && plug vm0 1 null.a && plug vm0 2 null.b'

boot pci
check "pci: everything a function can tell is measured" measures register kick signal ring
show
check "pci: it powers off" guest_stop g1

boot native
check "native: everything is measured" measures register idle call slowcall kick signal ring
show
check "a fast call is one exit" one_exit_a_call
note "$(cat /tmp/exits_a_call)"
floor=$(diag idle median)
call=$(diag call median)
note "a doorbell's exit alone: $floor ns, a fast call: $call ns," \
	"$(awk "BEGIN { printf \"%.2f\", $call / $floor }") times"

# --- a signal of high priority under a flood ---------------------------------------------
flood_then_signal()
{
	guest g1 "vbus-diag --device vbus0-2 --time $((count * 10)) flood > /tmp/flood 2>&1 &
		for i in \$(seq 100); do usleep 10000; done
		vbus-diag --device vbus0-1 --count $count --json signal > /tmp/signal.json
		kill %1; wait; cat /tmp/signal.json" > /tmp/diag.json
}
check "it powers off" guest_stop g1
boot native --cpus 2
check "one device gets the higher priority" guest g1 "echo 1 > /sys/bus/vbus/devices/vbus0-1/priority"
for what in median p99; do
	note "idle: signal $what $(diag signal $what) ns"
done
check "a signal under a flood" flood_then_signal
note "flood: $(tr -d '\n' < /tmp/diag.json)"
check "it powers off" guest_stop g1
check "what is left goes" eval 'bus_remove vm0 && device_remove null.a && device_remove null.b'
finish
