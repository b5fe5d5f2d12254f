#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Is the outer host to be trusted? Two guests of plain QEMU, virtio-net over vhost-net
# and virtio-blk, on a bridge, under load for MINUTES (30): TCP between host and guests
# both ways and from guest to guest, small UDP, pings, and a disk all the while. None
# of vbus is loaded. Reports what was moved, the faults and the stalls; a stall is five
# seconds without progress of something that should progress.
. "${0%/*}/../lib.sh"

# What has to be seen at once, while check collects the rest.
exec 3>&1

minutes=${MINUTES:-30}
work=/tmp/lab
ip1=10.9.0.1
declare -A addr=([g1]=10.9.0.11 [g2]=10.9.0.12)
mkdir -p $work
: > $work/stalls
: > $work/done

# In the guest: 4 MiB at a time to the disk and back, past the page cache. The longest
# time that one took, and how many, are left in /tmp/disk.
disk='
longest=0 n=0
now() { read -r t rest < /proc/uptime; t=${t%.*}${t#*.}; }
now
while [ ! -e /tmp/stop ]; do
	from=$t at=$((n % 15 * 4))
	dd if=/tmp/pattern of=/dev/vda bs=1M seek=$at count=4 oflag=direct conv=notrunc 2>/dev/null &&
		dd if=/dev/vda of=/tmp/back bs=1M skip=$at count=4 iflag=direct 2>/dev/null &&
		cmp /tmp/pattern /tmp/back > /tmp/error 2>&1 || { echo "$n failed" > /tmp/disk.bad; exit; }
	now
	[ $((t - from)) -le $longest ] || longest=$((t - from))
	n=$((n + 1))
	echo "$n $longest" > /tmp/disk.new
	mv /tmp/disk.new /tmp/disk
done'

# Beside it, in the guest: the longest time, in 1/100 s, in which a request was out and
# none came back, by the block layer's own counters. How long a pass of the loop above
# takes says how busy the machine is, not whether a request was forgotten.
watch_disk='
longest=0 last=
while [ ! -e /tmp/stop ]; do
	read -r t rest < /proc/uptime; t=${t%.*}${t#*.}
	set -- $(cat /sys/block/vda/stat)
	if [ "$1.$5" != "$last" ] || [ "$9" = 0 ]; then
		last=$1.$5 since=$t
	elif [ $((t - since)) -gt $longest ]; then
		longest=$((t - since))
	fi
	echo $longest > /tmp/still.new
	mv /tmp/still.new /tmp/still
	usleep 200000
done'

boot()
{
	truncate -s 64M "$work/$1.img"
	guest_start_qemu "$1" -drive "file=$work/$1.img,if=none,id=d,format=raw" \
		-device virtio-blk-pci,drive=d || return
	ip link set dev "$1" master br0 && ip link set dev "$1" up &&
	guest "$1" "ip addr add ${addr[$1]}/24 dev eth0 && ip link set dev eth0 up &&
		dd if=/dev/urandom of=/tmp/pattern bs=1M count=4 2> /dev/null && iperf3 -s -D" &&
	guest_bg "$1" "$disk" > /dev/null && guest_bg "$1" "$watch_disk" > /dev/null
}

stalled()
{
	echo "# stall: $*" | tee -a $work/stalls >&3
}

# The longest silence between two answers, and what was lost.
pinger()
{
	ping -n -D -i 0.2 -W 5 "$1" > "$work/ping.$1" 2>&1 &
	echo $! >> $work/pingers
}

# The server answers one client at a time: a dead one must not block the next.
client()
{
	timeout -k 5 60 iperf3 -J -i 1 -t 10 "$@"
}

# One stream, checked second by second: stream NAME SECONDS COMMAND...
stream()
{
	local name=$1 seconds=$2 out=$work/stream status
	shift 2
	GUEST_TIMEOUT=$((seconds + 60)) "$@" > $out 2>&1
	status=$?
	python3 - "$name" "$status" "$out" "$work/done" <<-'EOT' >&3 2>&1 || stalled "$name"
	import json, sys
	name, status, path, done = sys.argv[1:]
	text = open(path).read()
	try:
	    report = json.loads(text[text.index("{"):])
	except ValueError:
	    report = {"error": "no report: " + text[-300:]}
	still = longest = total = 0
	for i in report.get("intervals", []):
	    moved = i["sum"]["bytes"]
	    still = still + i["sum"]["seconds"] if moved == 0 else 0
	    longest = max(longest, still)
	    total += moved
	with open(done, "a") as f:
	    print(name, total, sum(i["sum"].get("packets", 0) for i in report.get("intervals", [])), file=f)
	if status != "0" or "error" in report:
	    print("# %s: status %s, %s" % (name, status, report.get("error", "")))
	if status != "0" or "error" in report or longest >= 5 or total == 0:
	    sys.exit("# %s: %d bytes, nothing for %.0f s" % (name, total, longest))
	EOT
}

load()
{
	local end=$((SECONDS + minutes * 60)) g round=0 answer
	while [ $SECONDS -lt $end ]; do
		round=$((round + 1))
		for g in g1 g2; do
			stream "host to $g" 10 client -c "${addr[$g]}"
			stream "$g to host" 10 client -R -c "${addr[$g]}"
			stream "small UDP to $g" 10 client -u -l 64 -b 1M -c "${addr[$g]}"
			stream "small UDP from $g" 10 client -u -l 64 -b 1M -R -c "${addr[$g]}"
		done
		stream "g1 to g2" 10 guest g1 "iperf3 -J -i 1 -t 10 -c ${addr[g2]}"
		stream "g2 to g1" 10 guest g2 "iperf3 -J -i 1 -t 10 -c ${addr[g1]}"
		for g in g1 g2; do
			guest_runs $g || { echo "$g is gone"; return 1; }
			answer=$(guest $g true 2>&1) || { echo "$answer" >&3; return 1; }
		done
		echo "# round $round, $((SECONDS / 60)) min, $(wc -l < $work/stalls) stalls" \
			"and $(wc -l < "$vm_dir/faults") faults so far" >&3
	done
}

check_pings()
{
	python3 - "$1" "$work/ping.$1" "$ended" <<-'EOT'
	import re, sys
	times = [float(m[1]) for m in re.finditer(r"^\[(\d+\.\d+)\] \d+ bytes from", open(sys.argv[2]).read(), re.M)]
	times.append(float(sys.argv[3]))
	gap = max([b - a for a, b in zip(times, times[1:])], default=0)
	print("%s: %d answers, longest time between two %.1f s" % (sys.argv[1], len(times), gap))
	sys.exit(gap >= 5 or len(times) < 100)
	EOT
}

check_disk()
{
	local n longest still
	guest "$1" "touch /tmp/stop; cat /tmp/disk.bad 2>/dev/null && exit 1
		cat /tmp/disk /tmp/still" > "$work/disk.$1" || {
		cat "$work/disk.$1"
		return 1
	}
	{ read -r n longest && read -r still; } < "$work/disk.$1" || return
	echo "$1: $((n * 8)) MiB through its disk, at most $((still * 10)) ms without an answer" \
		"while a request was out; the slowest 8 MiB, with comparing, $((longest * 10)) ms"
	[ "$still" -lt 500 ] && [ "$n" -gt 0 ]
}

# A check whose words are of interest when all is well, too.
tell()
{
	check "$1" "${@:2}"
	"${@:2}" | sed 's/^/# /'
}

modprobe bridge
check "a bridge" ip link add br0 type bridge
ip addr add $ip1/24 dev br0
ip link set dev br0 up
check "the first guest boots" boot g1 || bail "no guest"
check "the second boots beside it" boot g2 || bail "no second guest"
for a in "${addr[@]}"; do
	pinger "$a"
done
begun=$SECONDS
check "$minutes minutes of load" load
ended=$EPOCHREALTIME
for a in "${addr[@]}"; do
	tell "pings of $a" check_pings "$a"
done
while read -r pid; do
	kill -INT "$pid"
done < $work/pingers
for g in g1 g2; do
	tell "the disk of $g" check_disk $g
done
check "nothing stalled" fails test -s $work/stalls
awk -v minutes=$(((SECONDS - begun) / 60)) '
	/UDP/ { udp += $NF; next }
	{ tcp += $(NF - 1) }
	END { printf "# in %d minutes: %.1f GiB by TCP, %d small datagrams\n", minutes, tcp / 2^30, udp }' $work/done
for g in g1 g2; do
	read -r rx < /sys/class/net/$g/statistics/rx_packets
	read -r tx < /sys/class/net/$g/statistics/tx_packets
	echo "# $g: $rx packets out, $tx in"
	check "$g powers off" guest_stop $g
done
no_faults()
{
	logs_check && ! grep . "$vm_dir/faults"
}
check "no fault of the machine or of a guest's kernel" no_faults
finish
