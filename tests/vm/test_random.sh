#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# STEPS random steps with the cards of real guests, under traffic: plug, unplug, force,
# bind, unbind, another slot, reboot. After each, what is plugged and has its driver
# answers, what is not is gone. tests/loop/random.sh is the same with a debug kernel,
# and more of it. A failure is repeated with the SEED that was printed.
#
# GUESTS take their share of the steps each, at the same time, on buses of their own: most
# of a step by PCI is the five seconds that the guest's kernel waits before it lets go. Two
# are what two emulated processors can carry; eight were too many to boot again in time.
. "${0%/*}/cards.sh"

: "${STEPS:=$([ -n "${LONG:-}" ] && echo 10000 || echo 24)}"
: "${GUESTS:=$([ -n "${LONG:-}" ] && echo 2 || echo 1)}"
: "${SEED:=$((${EPOCHREALTIME/./} % 1000000))}"
cards=3
slots=(1 2 3 4 5)
at=()		# slot of card k, or empty
loose=()	# 1: card k was unbound by hand
declare -A count

# What belongs to guest N: its bus, its cards, and 10.N.SLOT.1 and .2 as addresses.
whose()
{
	nr=$1
	name=g$nr
	bus=vm$nr
	net=10.$nr
}

card()
{
	echo "web$nr-$1"
}

# In the guest: whatever card is there gets the address of its slot. Ends with the boot.
settle()
{
	guest "$name" "while :; do
		for d in /sys/bus/vbus/devices/vbus*; do
			for n in \$d/net/*; do
				[ -e \$n ] && read flags < \$n/flags && [ \$flags = 0x1002 ] || continue
				ip addr replace $net.\${d##*-}.2/24 dev \${n##*/} && ip link set \${n##*/} up
			done
		done
		usleep 100000
	done > /dev/null 2>&1 &"
}

free_slot()
{
	local s k
	s=${slots[RANDOM % ${#slots[@]}]}
	for ((k = 0; k < cards; k++)); do
		[ "${at[k]}" != "$s" ] || { free_slot; return; }
	done
	slot=$s
}

# The host's end has the address of the slot its card is in, and no other end has it.
do_plug()
{
	local k
	free_slot
	for ((k = 0; k < cards; k++)); do
		[ -n "${at[k]}" ] || ip addr flush dev "$(card $k)" scope global || return
	done
	ip addr replace "$net.$slot.1/24" dev "$(card "$1")" &&
		plug "$bus" "$slot" "$(card "$1")" || return
	at[$1]=$slot
	loose[$1]=
}

do_unplug()
{
	unplug "$bus" "${at[$1]}" && wait_slot "$bus" "${at[$1]}" empty 60 || return
	at[$1]=
}

# The guest is asked, and not given the time to answer.
do_force()
{
	unplug "$bus" "${at[$1]}" && echo 1 > "$(vm_slot "$bus" "${at[$1]}")/force" &&
		wait_slot "$bus" "${at[$1]}" empty || return
	at[$1]=
}

do_held_force()
{
	local sys=/sys/bus/vbus/devices/vbus0-${at[$1]}
	wait_for 30 guest "$name" "echo 1 > $sys/hold" && unplug "$bus" "${at[$1]}" &&
		wait_slot "$bus" "${at[$1]}" refused &&
		echo 1 > "$(vm_slot "$bus" "${at[$1]}")/force" || return
	at[$1]=
}

do_move()
{
	do_unplug "$1" && do_plug "$1"
}

do_unbind()
{
	guest "$name" "echo vbus0-${at[$1]} > /sys/bus/vbus/drivers/vbus-net/unbind" &&
		wait_slot "$bus" "${at[$1]}" plugged || return
	loose[$1]=1
}

do_bind()
{
	guest "$name" "echo vbus0-${at[$1]} > /sys/bus/vbus/drivers/vbus-net/bind" || return
	loose[$1]=
}

do_reboot()
{
	guest_reboot "$name" && settle || return
	loose=()
}

# One step that makes sense now, of card k.
step()
{
	local k=$((RANDOM % cards)) what
	if [ $((RANDOM % 40)) = 0 ]; then
		what=reboot
	elif [ -z "${at[k]}" ]; then
		what=plug
	elif [ -n "${loose[k]}" ]; then
		pick bind bind unplug force
	else
		pick unplug force held_force move unbind unbind
	fi
	count[$what]=$((${count[$what]:-0} + 1))
	last="$what of card $k (in slot ${at[k]:-none})"
	do_$what "$k"
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
	local k
	for ((k = 0; k < cards; k++)); do
		if [ -z "${at[k]}" ]; then
			! carrier "$(card $k)" || { echo "card $k has a link"; return 1; }
		elif [ -z "${loose[k]}" ]; then
			wait_slot "$bus" "${at[k]}" bound 60 && wait_for 60 alive "$net.${at[k]}.2" ||
				{ echo "card $k in slot ${at[k]} does not answer"; return 1; }
		fi
	done
}

carrier()
{
	[ "$(cat "/sys/class/net/$1/carrier" 2> /dev/null)" = 1 ]
}

# One guest's share. Runs in one shell from the first step to the last: the state is in it.
steps()
{
	local i what
	whose "$1"
	RANDOM=$((SEED + nr))
	for ((i = 1; i <= STEPS / GUESTS; i++)); do
		step && agree && continue
		echo "guest $nr, step $i: $last; SEED=$SEED GUESTS=$GUESTS STEPS=$STEPS"
		return 1
	done
	for what in "${!count[@]}"; do
		echo "$what ${count[$what]}"
	done > "/tmp/counts.$nr"
	for ((i = 0; i < cards; i++)); do
		[ -z "${at[i]}" ] || do_unplug $i || { echo "card $i stays"; return 1; }
	done
}

all_steps()
{
	local n pids=() status=0
	for ((n = 1; n <= GUESTS; n++)); do
		steps $n > "/tmp/steps.$n" 2>&1 &
		pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n" || status=1
	done
	cat /tmp/steps.*
	return $status
}

make_guest()
{
	local k
	whose "$1"
	for ((k = 0; k < cards; k++)); do
		net_make "$(card $k)" && ip link set "$(card $k)" up || return
	done
	bus_make "$bus" "${slots[@]}" && guest_start "$name" --cpus 2 --bus "$bus" && settle
}

remove_guest()
{
	local k
	whose "$1"
	guest "$name" true && guest_stop "$name" || return
	for ((k = 0; k < cards; k++)); do
		net_remove "$(card $k)" || return
	done
	bus_remove "$bus"
}

# Everything that may be there is asked all the time, by somebody who does not give up.
traffic()
{
	local n s
	for ((n = 1; n <= GUESTS; n++)); do
		for s in "${slots[@]}"; do
			while :; do
				ping -q -i "$(awk "BEGIN { print 0.02 * $GUESTS }")" -s 1000 \
					-w 5 "10.$n.$s.2" || pause 0.2
			done > /dev/null 2>&1 &
			echo $! >> /tmp/traffic
		done
	done
}

note "SEED=$SEED STEPS=$STEPS GUESTS=$GUESTS"
for ((n = 1; n <= GUESTS; n++)); do
	check "guest $n boots, with a bus and $cards cards" make_guest $n || bail "no guest"
done
own_answers
traffic
begun=$SECONDS
check "$STEPS random steps" all_steps
note "$(cat /tmp/counts.* | awk '{ n[$1] += $2 } END { for (w in n) printf "%s %d ", w, n[w] }')" \
	"in $((SECONDS - begun)) s"
kill $(cat /tmp/traffic)
for ((n = 1; n <= GUESTS; n++)); do
	check "guest $n is well, it powers off, its cards and its bus go" remove_guest $n
done
finish
