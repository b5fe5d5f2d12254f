#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# STEPS random steps with the cards of a real guest, under traffic: plug, unplug, force,
# bind, unbind, another slot, reboot. After each, what is plugged and has its driver
# answers, what is not is gone. tests/loop/random.sh is the same with a debug kernel,
# and more of it. A failure is repeated with the SEED that was printed.
. "${0%/*}/cards.sh"

: "${STEPS:=$([ -n "${LONG:-}" ] && echo 10000 || echo 24)}"
: "${SEED:=$((${EPOCHREALTIME/./} % 1000000))}"
RANDOM=$SEED
cards=3
slots=(1 2 3 4 5)
at=()		# slot of card k, or empty
loose=()	# 1: card k was unbound by hand
declare -A count

# In the guest: whatever card is there gets the address of its slot. Ends with the boot.
settle='while :; do
	for d in /sys/bus/vbus/devices/vbus*; do
		for n in $d/net/*; do
			[ -e $n ] && [ $(cat $n/flags) = 0x1002 ] || continue
			ip addr replace 10.7.${d##*-}.2/24 dev ${n##*/} && ip link set ${n##*/} up
		done
	done
	usleep 50000
done > /dev/null 2>&1 &'

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
		[ -n "${at[k]}" ] || ip addr flush dev "web$k" scope global || return
	done
	card_host "web$1" "$slot" && plug vm0 "$slot" "web$1" || return
	at[$1]=$slot
	loose[$1]=
}

do_unplug()
{
	unplug vm0 "${at[$1]}" && wait_slot vm0 "${at[$1]}" empty 60 || return
	at[$1]=
}

# The guest is asked, and not given the time to answer.
do_force()
{
	unplug vm0 "${at[$1]}" && echo 1 > "$(vm_slot vm0 "${at[$1]}")/force" &&
		wait_slot vm0 "${at[$1]}" empty || return
	at[$1]=
}

do_held_force()
{
	local sys=/sys/bus/vbus/devices/vbus0-${at[$1]}
	wait_for 30 guest g1 "echo 1 > $sys/hold" && unplug vm0 "${at[$1]}" &&
		wait_slot vm0 "${at[$1]}" refused &&
		echo 1 > "$(vm_slot vm0 "${at[$1]}")/force" || return
	at[$1]=
}

do_move()
{
	do_unplug "$1" && do_plug "$1"
}

do_unbind()
{
	guest g1 "echo vbus0-${at[$1]} > /sys/bus/vbus/drivers/vbus-net/unbind" &&
		wait_slot vm0 "${at[$1]}" plugged || return
	loose[$1]=1
}

do_bind()
{
	guest g1 "echo vbus0-${at[$1]} > /sys/bus/vbus/drivers/vbus-net/bind" || return
	loose[$1]=
}

do_reboot()
{
	guest_reboot g1 && guest g1 "$settle" || return
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
			! carrier "web$k" || { echo "card $k has a link"; return 1; }
		elif [ -z "${loose[k]}" ]; then
			wait_slot vm0 "${at[k]}" bound 60 && wait_for 60 alive "10.7.${at[k]}.2" ||
				{ echo "card $k in slot ${at[k]} does not answer"; return 1; }
		fi
	done
}

carrier()
{
	[ "$(cat "/sys/class/net/$1/carrier" 2> /dev/null)" = 1 ]
}

# Runs in one shell from the first step to the last: the state is in it.
steps()
{
	local i what
	for ((i = 1; i <= STEPS; i++)); do
		step && agree && continue
		echo "step $i: $last; SEED=$SEED"
		return 1
	done
	for what in "${!count[@]}"; do
		echo "$what ${count[$what]}"
	done | sort | tr '\n' ' ' > /tmp/counts
	for ((i = 0; i < cards; i++)); do
		[ -z "${at[i]}" ] || do_unplug $i || { echo "card $i stays"; return 1; }
	done
}

make_cards()
{
	local k
	for ((k = 0; k < cards; k++)); do
		net_make "web$k" && ip link set "web$k" up || return
	done
}

remove_cards()
{
	local k
	for ((k = 0; k < cards; k++)); do
		net_remove "web$k" || return
	done
}

# Everything that may be there is asked all the time, by somebody who does not give up.
traffic()
{
	local s
	for s in "${slots[@]}"; do
		while :; do
			ping -q -i 0.02 -s 1000 -w 5 "10.7.$s.2" || pause 0.2
		done > /dev/null 2>&1 &
		echo $! >> /tmp/traffic
	done
}

note "SEED=$SEED STEPS=$STEPS"
check "a bus with five slots" bus_make vm0 "${slots[@]}"
check "three cards" make_cards
check "a guest boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
check "it looks after its cards" guest g1 "$settle"
traffic
check "$STEPS random steps" steps
note "$(cat /tmp/counts)"
kill $(cat /tmp/traffic)
check "the guest is well" guest g1 true
check "it powers off" guest_stop g1
check "the cards go" remove_cards
check "and the bus" bus_remove vm0
finish
