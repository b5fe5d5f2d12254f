#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The diagnostic: vbus-diag measures a device of class null, of which the numbers have to
# make sense but need not be good; what is refused; devices that go while it measures.
. "${0%/*}/lib.sh"

dev=$cfs/devices/null.d0
debugfs=/sys/kernel/debug/vbus
dir=$debugfs/vbus0-3
diag=$VBUS_BUILD/userspace/diag/vbus-diag
everywhere="register kick signal ring"
native="idle call slowcall"

is_bound()
{
	[ -e $dir/run ]
}

is_gone()
{
	[ ! -e $dir ]
}

stat_of()
{
	sed -n "s/^$1[: ]*//p" $dev/stats
}

# value JSON WHAT KEY: of the one device that was measured
value()
{
	python3 -c 'import json, sys
for r in json.load(open(sys.argv[1])):
	if r["what"] == sys.argv[2]:
		print(json.dumps(r[sys.argv[3]]))' "$1" "$2" "$3"
}

# sound JSON WHAT COUNT: plausible, and that many
sound()
{
	python3 -c 'import json, sys
r, = [r for r in json.load(open(sys.argv[1])) if r["what"] == sys.argv[2]]
print(r)
assert r["device"] == "vbus0-3" and r["supported"] is True
assert r["count"] == int(sys.argv[3])
assert 0 <= r["min"] <= r["median"] <= r["p99"] <= r["max"]
assert r["max"] > 0 and r["mean"] > 0
assert ("per_second" in r) == (sys.argv[2] == "ring")
assert r.get("per_second", 1) > 0' "$@"
}

# says TEXT COMMAND...: it fails, and says that
says()
{
	local text=$1 out
	shift
	out=$("$@" 2>&1) && echo "no failure: $out" && return 1
	[[ $out == *"$text"* ]] || { echo "$out"; return 1; }
}

# order LINE: for the driver, without the program
order()
{
	put "$1" $dir/run
}

# A measurement that takes longer than this test has patience. A check has a shell of its
# own, so how it ends is left in a file.
endless_start()
{
	local before
	before=$(stat_of chains)
	rm -f /tmp/endless.status
	{
		$diag --time 600000 flood > /tmp/endless.out 2> /tmp/endless.err
		echo $? > /tmp/endless.status
	} > /dev/null 2>&1 &
	wait_for 10 more_than "$before"
}

more_than()
{
	[ "$(stat_of chains)" -gt $(($1 + 10)) ]
}

# It ended by itself, with a failure.
endless_failed()
{
	wait_for 20 test -s /tmp/endless.status && equals /tmp/endless.status 1
}

# way NAME TAKE BACK
way()
{
	check "measure before: $1" endless_start
	check "$1" eval "$2"
	check "the measurement ends: $1" endless_failed
	check "it says why: $1" grep -q "gone" /tmp/endless.err
	check "nothing is left in debugfs: $1" wait_for 10 is_gone
	check "and back: $1" eval "$3"
	check "to be measured again: $1" eval "wait_for 10 is_bound && $diag --count 10 signal"
}

check "--help" eval "$diag --help | grep -q slowcall"
check "--version" $diag --version
modprobe vbus && modprobe $connector || bail "the modules do not load"
check "no driver, no device" says "is vbus-null loaded" $diag --list
check "nor one to measure" says "is vbus-null loaded" $diag --device vbus0-3
check "mkdir loads the model" mkdir $dev
check "enable" eval "echo 1 > $dev/enable"
check "a bus" eval 'bus_make && attach'
check "plug" plug
check "the driver comes by alias" wait_for 10 is_bound
check "the device is listed" eval "[ \"\$($diag --list)\" = vbus0-3 ]"
check "root only" eval "[ \"\$(stat -c '%a %a' $dir/run $dir/result | tr '\n' ' ')\" = '200 200 400 400 ' ]"

# All of it
check "measure all" eval "$diag --count 100 --batch 16 --json > /tmp/all"
for what in $everywhere; do
	check "$what" sound /tmp/all $what 100
done
for what in $native; do
	if [ $connector = vbus-loop-native ]; then
		check "$what" sound /tmp/all $what 100
	else
		check "$what is not there" eval "[ \"\$(value /tmp/all $what supported)\" = false ]"
		check "$what fails if it is asked for" says "not supported" $diag --count 1 $what
	fi
done
check "the batches are those asked for" eval '[ "$(value /tmp/all ring batch)" = 16 ]'
check "the host has seen them" test "$(stat_of chains)" = 200
check "all of their bytes" test "$(stat_of bytes)" = 12800
check "a table" eval "$diag --count 20 --cpu 0 > /tmp/table"
cat /tmp/table
check "has a line for each" eval "[ \$(grep -c '^vbus0-3 ' /tmp/table) = 7 ]"
check "one batch that fills the ring" eval "$diag --count 1000 --batch 256 --json ring > /tmp/ring"
check "ring of 1000" sound /tmp/ring ring 1000
check "one chain at a time" eval "$diag --count 100 --batch 1 --json ring > /tmp/ring"
check "ring of single chains" sound /tmp/ring ring 100
before=$(stat_of chains)
check "flood" eval "$diag --time 300 --json flood > /tmp/flood"
check "flood counts" eval '[ "$(value /tmp/flood flood count)" -gt 0 ]'
check "no more than there were" eval "[ \"\$(value /tmp/flood flood count)\" -le $(($(stat_of chains) - before)) ]"

# What is refused
check "a device that is none" says "no device vbus0-4" $diag --device vbus0-4
check "a name that is none" says "no name of a device" $diag --device ../..
check "a batch larger than the ring" says "fit into the ring" $diag --batch 257 ring
check "an unknown measurement" says "can't measure" $diag latency
check "a count of 0" says "from 1 to" $diag --count 0
check "a CPU that is none" says "can't run on CPU" $diag --cpu 900
exec 7> $dir/run
flock 7
check "one at a time" says "measured already" $diag --count 1
exec 7>&-
check "not without root" says "root only" setpriv --reuid 65534 --clear-groups $diag
for line in "" x "signal" "signal x" "signal 1 1" "signal 1 2 3"; do
	refuse EINVAL order "$line" "order \"$line\""
done
for line in "signal 0" "signal 1000001" "flood 600001" "ring 1 257" "ring 1 0"; do
	refuse ERANGE order "$line" "order \"$line\""
done
check "no result after that" test -z "$(< $dir/result)"

# Devices that go
way "unplug" unplug plug
way "unbind of the driver" \
	"echo vbus0-3 > /sys/bus/vbus/drivers/vbus-null/unbind" \
	"echo vbus0-3 > /sys/bus/vbus/drivers/vbus-null/bind"
way "detach" "rmdir $loop/vm0" attach
way "the bus by force" "echo 1 > $loop/vm0/surprise && rmdir $loop/vm0" attach

# A host that keeps chains
check "unplug for a device that holds" eval 'unplug && wait_for 10 is_gone'
check "keep" eval "echo 0 > $dev/enable && echo 1 > $dev/keep && echo 1 > $dev/enable"
check "plug it" eval 'plug && wait_for 10 is_bound'
$diag --count 1 signal > /tmp/held.out 2>&1 &
held=$!
check "it measures" wait_for 10 eval '[ "$(stat_of chains)" = 1 ]'
check "a second one is told" says "measured already" $diag --count 1 signal
check "it can be interrupted" eval 'kill $held; ! wait $held'
check "the next one waits for what is left" eval "! timeout 1 $diag --count 1 signal"
check "what needs no chain does not wait" $diag --count 1 register kick
check "unplug with a chain out" eval 'unplug && wait_for 10 is_gone'

check "the rest goes" tear_down
check "modules unload" modules_unload null
check "debugfs has no trace" test ! -e $debugfs
finish
