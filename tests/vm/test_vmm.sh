#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vbus-vmm as its user meets it: as an ordinary user who was given two nodes, with
# errors that say what to do, confined once it runs.
. "${0%/*}/cards.sh"

user=65534
# Where an ordinary user can read them.
kernel=/tmp/kernel
image=/tmp/image
cp "$VBUS_KERNEL" $kernel && cp "$vm_image" $image && chmod 644 $kernel $image
VBUS_KERNEL=$kernel vm_image=$image

check "a bus with a slot" bus_make vm0 3
check "a card" net_make web0
check "plug it" plug vm0 3 web0

# vmm_fails TEXT COMMAND...: ends with status 1, and says TEXT
vmm_fails()
{
	local text=$1 out status
	shift
	out=$(timeout 60 "$@" < /dev/null 2>&1)
	status=$?
	echo "status $status: $out"
	[ $status = 1 ] && grep -qiE -- "$text" <<< "$out"
}

as_user=(setpriv --reuid=$user --regid=$user --clear-groups)

vmm=(vbus-vmm --kernel "$kernel" --initrd "$image" --console none --mem 256M)

check "--help" eval 'vbus-vmm --help | grep -q -- --bus'
check "--version" vbus-vmm --version
check "no kernel" vmm_fails "kernel" vbus-vmm --console none
check "an unknown option" vmm_fails "frobnicate|usage|help" vbus-vmm --frobnicate
check "an unknown way to attach" vmm_fails "pci, native, both" "${vmm[@]}" --attach isa
check "more event queues than there are" vmm_fails "from 1 to 8" "${vmm[@]}" --event-queues 9
check "more native buses than have interrupts" vmm_fails "there are interrupts for 1" \
	"${vmm[@]}" --attach native --event-queues 8 --bus vm0 --bus vm1
check "a kernel that is not there" vmm_fails "No such file" vbus-vmm --kernel /nonexistent --console none
check "a kernel that is none" vmm_fails "bzImage|kernel image" vbus-vmm --kernel /etc/passwd --console none
check "no memory" vmm_fails "mem" "${vmm[@]}" --mem 0
check "nonsense for memory" vmm_fails "mem" "${vmm[@]}" --mem lots
check "no CPU" vmm_fails "cpu" "${vmm[@]}" --cpus 0
check "too many CPUs" vmm_fails "cpu" "${vmm[@]}" --cpus 100000
check "a bus that is not there" vmm_fails "vm7|no such bus" "${vmm[@]}" --bus vm7
chmod 600 /dev/kvm
check "no permission for KVM" vmm_fails "/dev/kvm.*(permission|denied)|(permission|denied).*/dev/kvm" \
	"${as_user[@]}" "${vmm[@]}"
chmod 666 /dev/kvm
check "no permission for the bus" vmm_fails "permission|denied" "${as_user[@]}" "${vmm[@]}" --bus vm0
check "the bus is the user's" eval 'echo $user > /sys/kernel/config/vbus/buses/vm0/uid'
check "too little locked memory" vmm_fails "MEMLOCK" \
	prlimit --memlock=8388608:8388608 "${as_user[@]}" "${vmm[@]}" --bus vm0

# --- it runs, as nobody ----------------------------------------------------------------
export VMM_WRAP="prlimit --memlock=536870912:536870912 setpriv --reuid=$user --regid=$user --clear-groups"
check "a guest of an ordinary user boots" guest_start g1 --cpus 2 --bus vm0 || bail "no guest"
unset VMM_WRAP
pid=$(guest_pid g1)
check "it is that user's" eval '[ "$(stat -c %u /proc/$pid)" = $user ]'
check "it has no capability" eval 'grep -q "^CapEff:.0000000000000000" /proc/$pid/status'
filtered()
{
	local t n=0
	for t in /proc/"$pid"/task/*/status; do
		n=$((n + 1))
		grep -q '^Seccomp:.2' "$t" || { echo "$t is not filtered"; return 1; }
	done
	[ $n -ge 3 ]
}
check "every thread has its seccomp filter" filtered
check "the host's end" card_host web0 3
check "the card" card_guest g1 3
check "1000 pings" ping_host 1000 1400 10.7.3.2
check "the bus is in use" vmm_fails "in use|busy" "${vmm[@]}" --bus vm0
check "the first does not care" ping_host 100 1400 10.7.3.2
check "unplug" unplug vm0 3
check "the guest lets go" wait_slot vm0 3 empty 60
check "plug" plug vm0 3 web0
check "it comes back" eval 'card_guest g1 3 && ping_host 100 1400 10.7.3.2'
check "the filter let all of that pass" filtered
reboots()
{
	guest_reboot g1 && card_guest g1 3 && ping_host 100 1400 10.7.3.2
}
files()
{
	ls "/proc/$pid/fd" | wc -l
}
before=$(files)
check "another" reboots
check "and leaks no file" eval '[ "$(files)" = "$before" ]'
check "SIGTERM ends it" eval 'kill -TERM $pid && wait_for 60 eval "! test -d /proc/$pid"'
check "the card is free" wait_slot vm0 3 plugged 60
check "unplug" unplug vm0 3
check "remove the card" net_remove web0
check "remove the bus" bus_remove vm0
finish
