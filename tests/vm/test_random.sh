#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# STEPS random steps with the cards of real guests, under traffic: plug, unplug, force,
# bind, unbind, another slot, reboot. After each, the card answers if it is plugged and has
# its driver, and has no link if not; now and then the guest is asked which devices it has.
# tests/loop/random.sh is the same with a debug kernel, and more of it.
#
# GUESTS with CARDS each, on buses of their own, and all cards at once: each takes its steps
# in slots of its own, by itself, as most of a step is waiting, by PCI for the five seconds
# before the guest's kernel lets go. They come together for a reboot of their guest only.
# Two guests are what two emulated processors can carry; by PCI three, as they wait more.
. "${0%/*}/cards.sh"
. "${0%/*}/counts.sh"

: "${STEPS:=$([ -n "${LONG:-}" ] && echo 10000 || echo 24)}"
: "${GUESTS:=$([ -z "${LONG:-}" ] && echo 1 || { [ "$ATTACH" = pci ] && echo 3 || echo 2; })}"
: "${CARDS:=$([ -n "${LONG:-}" ] && echo 5 || echo 3)}"
: "${SEED:=$((${EPOCHREALTIME/./} % 1000000))}"
# Steps of a guest between two reboots, on average: a boot costs as much as fifty steps.
: "${BETWEEN:=$([ -n "${LONG:-}" ] && echo 100 || echo 12)}"
dir=/tmp/random
mkdir $dir

# What belongs to guest N: its bus, its cards, and addresses. Card K has the slots 3K + 1 to
# 3K + 3; it is 10.N.K.254 at the host's end, and 10.N.K.SLOT at the guest's.
whose()
{
	nr=$1
	name=g$nr
	bus=vm$nr
	net=10.$nr
}

slots=($(seq $((3 * CARDS))))

# Card K of it, as it is now: its slot or empty, and 1 if it was unbound by hand. In files,
# as each round of each card is a process of its own.
card()
{
	k=$1
	card=web$nr-$k
	read -r at loose < "$dir/$nr.$k"
	[ "$at" != - ] || at=
}

card_save()
{
	echo "${at:--} $loose" > "$dir/$nr.$k"
}

# In the guest: whatever card is there gets its address. Ends with the boot. A card that
# has gone meanwhile may have left its name to another one, which has to be done again then.
settle()
{
	guest "$name" "while :; do
		for d in /sys/bus/vbus/devices/vbus*; do
			for n in \$d/net/*; do
				[ -e \$n ] && read flags < \$n/flags && [ \$flags = 0x1002 ] || continue
				s=\${d##*-}
				i=\${n##*/}
				ip addr replace $net.\$(((s - 1) / 3)).\$s/24 dev \$i && ip link set \$i up
				[ -e \$n ] || { ip addr flush dev \$i; ip link set \$i down; }
			done
		done
		usleep ${GUESTS}00000
	done > /tmp/settle 2>&1 &"
}

# --- the steps of a card -----------------------------------------------------------------

slot_state()
{
	wait_slot "$bus" "$at" "$@"
}

do_plug()
{
	at=$((3 * k + 1 + RANDOM % 3))
	loose=
	plug "$bus" $at "$card"
}

do_unplug()
{
	unplug "$bus" "$at" && slot_state empty 60 || return
	at=
}

# The guest is asked, and not given the time to answer.
do_force()
{
	unplug "$bus" "$at" && echo 1 > "$cfs/buses/$bus/slots/$at/force" && slot_state empty ||
		return
	at=
}

do_held_force()
{
	local sys=/sys/bus/vbus/devices/vbus0-$at
	wait_for 30 guest "$name" "echo 1 > $sys/hold" && unplug "$bus" "$at" &&
		slot_state refused 30 && echo 1 > "$cfs/buses/$bus/slots/$at/force" &&
		slot_state empty || return
	at=
}

do_move()
{
	do_unplug && do_plug
}

do_unbind()
{
	guest "$name" "echo vbus0-$at > /sys/bus/vbus/drivers/vbus-net/unbind" &&
		slot_state plugged || return
	loose=1
}

do_bind()
{
	guest "$name" "echo vbus0-$at > /sys/bus/vbus/drivers/vbus-net/bind" || return
	loose=
}

# One step that makes sense now.
step()
{
	local what
	if [ -z "$at" ]; then
		what=plug
	elif [ -n "$loose" ]; then
		pick bind bind unplug force
	else
		pick unplug force held_force move unbind unbind
	fi
	echo $what >> $dir/count
	last="$what of card $k (in slot ${at:-none})"
	do_$what
}

# Sets what: a subshell would have random numbers of its own.
pick()
{
	shift $((RANDOM % $#))
	what=$1
}

# What should be, is: by the host's own view, and by an answer of the guest.
agree()
{
	if [ -z "$at" ] || [ -n "$loose" ]; then
		wait_link 0 || { echo "card $k has a link"; return 1; }
	else
		slot_state bound 60 && wait_link 1 && wait_for 60 answers ||
			{ echo "card $k in slot $at does not answer"; return 1; }
	fi
}

# Until the host's end has a link, or has none.
wait_link()
{
	local up end=$((SECONDS + 60)) ms=10
	until read -r up < "/sys/class/net/$card/carrier" && [ "$up" = "$1" ]; do
		[ $SECONDS -le $end ] || return
		back_off
	done
	return 0
}

answers()
{
	ping -q -c 1 -W 0.3 "$net.$k.$at"
}

# card_steps K STEPS ROUND
card_steps()
{
	local i last
	card "$1"
	RANDOM=$((SEED + 10007 * nr + 101 * k + $3))
	for ((i = 1; i <= $2; i++)); do
		# What is left is to be what it was when the first one failed.
		[ ! -e $dir/failed ] || return
		step && agree && continue
		touch $dir/failed
		echo "guest $nr, round $3: $last"
		return 1
	done
	card_save
}

# --- a guest -----------------------------------------------------------------------------

# After a reboot there is no card without its driver, and each that is there answers.
reboot()
{
	local n
	echo reboot >> $dir/count
	guest_reboot "$name" && settle || return
	for ((n = 0; n < CARDS; n++)); do
		card $n
		loose=
		card_save
		agree || return
	done
}

# The guest has the devices that are plugged, bound or not, and no others.
guest_agrees()
{
	local n want
	want=$(for ((n = 0; n < CARDS; n++)); do
		card $n
		[ -z "$at" ] || echo "vbus0-$at"
	done | sort)
	wait_for 10 has_devices "$want" || { echo "guest $nr has other devices"; return 1; }
}

has_devices()
{
	local has
	has=$(guest "$name" "ls /sys/bus/vbus/devices") && has=$(sort <<< "$has") &&
		{ [ "$has" = "$1" ] || { echo "it has" $has "and not" $1; return 1; }; }
}

guest_state()
{
	guest "$name" "ls /sys/bus/vbus/devices; ip -o addr; ps -o pid,stat,args | grep -v ']\$';
		free; tail -n 20 /tmp/settle; dmesg | tail -n 20"
}

# The steps of one guest, reboots among them.
steps()
{
	local i n left=$((STEPS / GUESTS)) round=0 pids status=0
	whose "$1"
	RANDOM=$((SEED + nr))
	while [ $left -gt 0 ]; do
		if [ $((round++)) -gt 0 ]; then
			left=$((left - 1))
			reboot || { touch $dir/failed; echo "guest $nr: reboot $round"; return 1; }
		fi
		# As many for each card, so none has to wait for another for long.
		n=$(((BETWEEN / 2 + RANDOM % BETWEEN + CARDS - 1) / CARDS))
		[ $((n * CARDS)) -le $left ] || n=$(((left + CARDS - 1) / CARDS))
		left=$((left - n * CARDS))
		pids=()
		for ((i = 0; i < CARDS; i++)); do
			card_steps $i $n $round &
			pids+=($!)
		done
		for i in "${pids[@]}"; do
			wait "$i" || status=1
		done
		[ $status = 0 ] && guest_agrees || { touch $dir/failed; guest_state; return 1; }
	done
	for ((i = 0; i < CARDS; i++)); do
		card $i
		[ -z "$at" ] || do_unplug || { echo "card $i stays"; return 1; }
	done
}

all_steps()
{
	local n pids=() status=0
	for ((n = 1; n <= GUESTS; n++)); do
		steps $n > "$dir/steps.$n" 2>&1 &
		pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n" || status=1
	done
	cat $dir/steps.*
	[ $status = 0 ] && [ "$(wc -l < $dir/count)" -ge "$STEPS" ]
}

make_guest()
{
	local n
	whose "$1"
	for ((n = 0; n < CARDS; n++)); do
		echo - > "$dir/$nr.$n"
		card $n
		net_make "$card" && ip link set "$card" up &&
			ip addr replace "$net.$k.254/24" dev "$card" || return
	done
	bus_make "$bus" "${slots[@]}" && guest_start "$name" --cpus 2 --bus "$bus" && settle
}

remove_guest()
{
	local n
	whose "$1"
	guest "$name" true && guest_stop "$name" || return
	for ((n = 0; n < CARDS; n++)); do
		card $n
		net_remove "$card" || return
	done
	bus_remove "$bus"
}

# Every address that there may be is asked twenty times a second, by one process that minds
# no error; how many answered is in a file at the end.
traffic()
{
	python3 -c '
import signal, socket, struct, sys, time
guests, slots, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.setblocking(False)
count = {"sent": 0, "answered": 0}
def end(*args):
    print("# %(sent)d asked, %(answered)d answered" % count, file=open(path, "w"))
    sys.exit()
signal.signal(signal.SIGTERM, end)
echo = struct.pack("!BBHHH", 8, 0, 0, 0, 0) + bytes(1000)
while True:
    for n in range(guests * slots):
        try:
            s.sendto(echo, ("10.%d.%d.%d" % (n // slots + 1, n % slots // 3, n % slots + 1), 0))
            count["sent"] += 1
        except OSError:
            pass
        try:
            while s.recv(2000):
                count["answered"] += 1
        except OSError:
            pass
    time.sleep(0.05)
' "$GUESTS" ${#slots[@]} $dir/answered &
	pid=$!
}

warm_up()
{
	make_guest 1 && card 0 && do_plug && agree && do_unplug && remove_guest 1
}

note "SEED=$SEED STEPS=$STEPS GUESTS=$GUESTS CARDS=$CARDS"
check "a first guest and a first card, to compare with" warm_up
wait_for 10 eval '[ "$(pinned)" -le 0 ]' && counts_before || bail "nothing can be counted"
for ((n = 1; n <= GUESTS; n++)); do
	check "guest $n boots, with a bus and $CARDS cards" make_guest $n || bail "no guest"
done
own_answers
traffic
begun=$SECONDS
check "$STEPS random steps" all_steps
note "$(sort $dir/count | uniq -c | awk '{ sum += $1; printf "%s %d ", $2, $1 }
	END { printf "sum %d", sum }')" "in $((SECONDS - begun)) s"
check "there was traffic all the time" eval 'kill $pid && tail --pid=$pid -f /dev/null &&
	grep " answered" $dir/answered && ! grep -q " 0 answered" $dir/answered'
cat $dir/answered
for ((n = 1; n <= GUESTS; n++)); do
	check "guest $n is well, it powers off, its cards and its bus go" remove_guest $n
done
check_counts 64 32768
finish
