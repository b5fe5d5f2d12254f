#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The random number generator, from mkdir to the bytes in /dev/hwrng, and how it
# goes away while programs read from it.
. "${0%/*}/lib.sh"

dev=$cfs/devices/rng.r0
current=/sys/class/misc/hw_random/rng_current
available=/sys/class/misc/hw_random/rng_available

stat_of()
{
	sed -n "s/^$1[: ]*//p" $dev/stats
}

is_current()
{
	[ "$(< $current)" = vbus0-3 ]
}

is_gone()
{
	! grep -q vbus $available
}

draw()
{
	head -c "$2" /dev/hwrng > "$1" && [ "$(stat -c %s "$1")" = "$2" ]
}

# Nothing that repeats, no zeroes, no text: it does not get smaller.
incompressible()
{
	[ "$(gzip -9 < "$1" | wc -c)" -gt "$(stat -c %s "$1")" ]
}

# A limit is the device's, not that of a driver's stay: each new one would find a
# full bucket otherwise.
rebinds()
{
	local i
	for i in 1 2 3 4 5 6; do
		echo vbus0-3 > /sys/bus/vbus/drivers/vbus-rng/unbind &&
			echo vbus0-3 > /sys/bus/vbus/drivers/vbus-rng/bind &&
			wait_for 10 is_current && draw /tmp/a 16384 || return
	done
}

# bounded SINCE: no more than the rate allows since then, and a full bucket.
bounded()
{
	local now
	read -r now _ < /proc/uptime
	test "$(stat_of bytes)" -le $((16384 * (${now%.*} - $1 + 2)))
}

# Two readers, beside the kernel's own, until the source is gone.  Checks run in
# subshells, so who has left says it in a file.
readers_start()
{
	local i
	rm -f /tmp/reader.*
	for i in 1 2; do
		{ dd if=/dev/hwrng of="/tmp/reader.$i" bs=64; : > "/tmp/reader.$i.left"; } > /dev/null 2>&1 &
	done
	wait_for 10 test -s /tmp/reader.1 && wait_for 10 test -s /tmp/reader.2
}

readers_left()
{
	[ -e /tmp/reader.1.left ] && [ -e /tmp/reader.2.left ]
}

# way NAME TAKE BACK
way()
{
	check "readers before: $1" readers_start
	check "$1" eval "$2"
	check "readers end: $1" wait_for 20 readers_left
	check "the source is gone: $1" wait_for 10 is_gone
	check "and back: $1" eval "$3"
	check "it is the source again: $1" wait_for 10 is_current
}

modprobe vbus && modprobe $connector || bail "the modules do not load"
check "mkdir loads the model" mkdir $dev
check "no limit by default" equals "$dev/rate" 0
for bad in -1 x ""; do
	refuse_write EINVAL "$bad" $dev/rate
done
for bad in 63 1073741825; do
	refuse_write ERANGE "$bad" $dev/rate
done
check "a limit" eval "echo 65536 > $dev/rate && equals $dev/rate 65536"
check "none again" eval "echo 0 > $dev/rate"
check "enable" eval "echo 1 > $dev/enable"
refuse_write EBUSY 128 $dev/rate
check "a bus" eval 'bus_make && attach'
check "plug" plug
check "the driver comes by alias and is the source" wait_for 10 is_current
check "1 MiB" draw /tmp/a 1048576
check "once more" draw /tmp/b 1048576
check "random by the look of it" incompressible /tmp/a
check "not the same" eval '! cmp -s /tmp/a /tmp/b'
check "the host counted at least that" test "$(stat_of bytes)" -ge 2097152
check "no wait without a limit" test "$(stat_of waits)" = 0

way "unplug" unplug plug
way "unbind of the driver" \
	"echo vbus0-3 > /sys/bus/vbus/drivers/vbus-rng/unbind" \
	"echo vbus0-3 > /sys/bus/vbus/drivers/vbus-rng/bind"
way "the bus by force" "rmdir $loop/vm0" attach

check "unplug for a limit" eval 'unplug && wait_for 10 is_gone'
read -r since _ < /proc/uptime
check "16 KiB a second" eval "echo 0 > $dev/enable && echo 16384 > $dev/rate && echo 1 > $dev/enable"
check "plug it" eval 'plug && wait_for 10 is_current'
check "more than a second's worth arrives" draw /tmp/a 32768
check "after waiting" test "$(stat_of waits)" -gt 0
check "a driver that resets it again and again" rebinds
check "gets no more for that" bounded "${since%.*}"
check "unplug while a reader waits" eval 'readers_start && unplug'
check "the readers end" wait_for 20 readers_left
check "the rest goes" tear_down
check "modules unload" modules_unload rng
finish
