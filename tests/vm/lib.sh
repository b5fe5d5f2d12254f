# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For scripts that tests/vm/run starts in the outer host: buses, cards and guests.
# Documentation/vm-testing.rst describes every function. Commands may run in subshells
# (check does that), so all state is in files, in a folder for each guest:
#
#   kind      vmm or qemu            console.N  what start N printed on its console
#   starts    how often it was       line, ctl  sockets of the agent's line
#   pid       of the VMM             status     its exit status, once it has ended
#   log       what the VMM said      passed.N   bytes of console.N not to be judged
#                                    reboots.N  how often start N was told to reboot
#
# Nothing here waits for a time to pass; wait_for polls for what has to happen.

. "${BASH_SOURCE[0]%/*}/../lib/tap.sh"
eval "tap_$(declare -f finish)"
eval "tap_$(declare -f bail)"

vm_dir=/tmp/guests
vm_name=$(basename "$0" .sh)
vm_faults=${VBUS_VM_FAULTS:-$VBUS_BUILD/logs/vm-faults}
vm_agent=$VBUS_BUILD/vm/agent-host
vm_image=$VBUS_BUILD/vm/guest.cpio
# Errors and warnings on the console, and no more: each letter there costs exits.
vm_append="console=ttyS0,115200 loglevel=5 tsc=reliable no_timer_check mitigations=off"
vm_append+=" random.trust_cpu=on vbus.agent=ttyS1"
cfs=/sys/kernel/config/vbus

# ATTACH=pci|native|both: how guests of vbus-vmm reach their buses, unless a script says it
# itself; DISCOVER=acpi|cmdline: how they learn of native ones. The guest loads the drivers of
# what it finds by their modaliases, but a word on the command line has none.
: "${ATTACH:=pci}" "${DISCOVER:=acpi}"
case $ATTACH in
pci) vm_fronts="vbus-pci" ;;
native) vm_fronts="vbus-native" ;;
*) vm_fronts="vbus-pci vbus-native" ;;
esac
[ "$ATTACH" = pci ] || [ "$DISCOVER" = acpi ] || vm_append+=" vbus.load=vbus-native"

# Seconds: a boot whose console says nothing, a boot at all, a command in a guest.
: "${GUEST_SILENCE:=60}" "${GUEST_BOOT:=180}" "${GUEST_TIMEOUT:=600}"

mkdir -p "$vm_dir"
chmod 777 "$vm_dir"
: > "$vm_dir/faults"
# A pause that starts no process: a fifo that never has anything.
[ -p "$vm_dir/never" ] || mkfifo "$vm_dir/never"
exec 9<>"$vm_dir/never"
echo "vbus-test: start $vm_name" > /dev/kmsg

pause()
{
	read -r -t "$1" -u 9
}

# Longer each time, up to 60 ms: ms is the caller's, and begins at 10.
back_off()
{
	pause "0.0$ms"
	[ "$ms" -gt 50 ] || ms=$((ms + 10))
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) seconds=$1 out ms=10
	shift
	until out=$("$@" 2>&1); do
		if [ "${EPOCHREALTIME/./}" -gt $end ]; then
			echo "not within $seconds s: $*: $out"
			return 1
		fi
		back_off
	done
	return 0
}

# --- buses and cards ----------------------------------------------------------

vbus_load()
{
	[ -d $cfs ] || modprobe vbus
}

# bus_make BUS [SLOT...]
bus_make()
{
	local slot bus=$cfs/buses/$1
	shift
	vbus_load && mkdir "$bus" || return
	for slot; do
		mkdir "$bus/slots/$slot" || return
	done
}

vm_slot()
{
	echo "$cfs/buses/$1/slots/$2"
}

# bus_remove BUS: unplugs what is still there
bus_remove()
{
	local slot
	for slot in "$cfs/buses/$1"/slots/*; do
		[ -d "$slot" ] || continue
		if [ -L "$slot/device" ]; then
			rm "$slot/device" && wait_slot "$1" "${slot##*/}" empty 30 || return
		fi
		rmdir "$slot" || return
	done
	rmdir "$cfs/buses/$1"
}

# device_make CLASS.NAME [ATTRIBUTE=VALUE...]: enabled
device_make()
{
	local a dev=$cfs/devices/$1
	shift
	vbus_load && mkdir "$dev" || return
	for a; do
		echo "${a#*=}" > "$dev/${a%%=*}" || return
	done
	echo 1 > "$dev/enable"
}

device_remove()
{
	echo 0 > "$cfs/devices/$1/enable" && rmdir "$cfs/devices/$1"
}

# net_make NAME [ATTRIBUTE=VALUE...]
net_make()
{
	device_make "net.$1" "${@:2}"
}

net_remove()
{
	device_remove "net.$1"
}

# blk_make NAME PATH [ATTRIBUTE=VALUE...]
blk_make()
{
	device_make "blk.$1" "path=$2" "${@:3}"
}

blk_remove()
{
	device_remove "blk.$1"
}

# plug BUS SLOT NAME: NAME is a card's, or CLASS.NAME
plug()
{
	local dev=$cfs/devices/$3
	[ -d "$dev" ] || dev=$cfs/devices/net.$3
	ln -s "$dev" "$(vm_slot "$1" "$2")/device"
}

# guest_disk_image [writer]: from here on guests have the programs for disks, or writer
guest_disk_image()
{
	local more=$VBUS_BUILD/vm/${1:-disk}.cpio
	[ -e "$more" ] || { echo "run tests/vm/disk-image"; return 1; }
	vm_image=/tmp/guest-disk.cpio
	[ -e $vm_image ] || cat "$VBUS_BUILD/vm/guest.cpio" "$more" > $vm_image
}

# unplug BUS SLOT: asks the guest, does not wait
unplug()
{
	rm "$(vm_slot "$1" "$2")/device"
}

# wait_slot BUS SLOT STATE [SECONDS]: starts no process, many may wait at once
wait_slot()
{
	local path=$cfs/buses/$1/slots/$2/state end state ms=10
	end=$((${EPOCHREALTIME/./} + ${4:-10} * 1000000))
	until { state=; read -r state < "$path"; } 2> /dev/null && [ "$state" = "$3" ]; do
		if [ "${EPOCHREALTIME/./}" -gt $end ]; then
			echo "not within ${4:-10} s: slot $2 of $1 is ${state:-not there}, not $3"
			return 1
		fi
		back_off
	done
	return 0
}

# --- guests ---------------------------------------------------------------------

# check_pci NAME COMMAND...: check, where the card is a PCI function for sure
check_pci()
{
	if [ "$ATTACH" = pci ]; then
		check "$@"
	else
		skip "$1" "--attach $ATTACH"
	fi
}

vm_fault()
{
	echo "$(date -u +%FT%TZ) $vm_name: $*" >> "$vm_faults"
	echo "$*" >> "$vm_dir/faults"
}

# guest_start NAME [vbus-vmm options]
guest_start()
{
	vm_boot vmm "$@"
}

# guest_start_qemu NAME [qemu options]: virtio-net over vhost-net, tap NAME
guest_start_qemu()
{
	vm_boot qemu "$@"
}

# Options of the VMM, our kernel command line joined with the caller's: sets args, append.
vm_arguments()
{
	append=$vm_append
	args=()
	while [ $# -gt 0 ]; do
		case $1 in
		--append|-append) append+=" $2"; shift ;;
		--append=*) append+=" ${1#*=}" ;;
		*) args+=("$1") ;;
		esac
		shift
	done
}

vm_launch_vmm()
{
	local append args
	vm_arguments "$@"
	# VMM_WRAP: a command in front, which has to exec (setpriv, prlimit, strace ...)
	# shellcheck disable=SC2086
	exec $VMM_WRAP vbus-vmm --kernel "$VBUS_KERNEL" --initrd "$vm_image" --append "$append" \
		--cpus 1 --mem 256M --console "file:$console" --serial "unix:$dir/line" \
		--attach "$ATTACH" --discover "$DISCOVER" "${args[@]}"
}

vm_launch_qemu()
{
	local append args mac
	vm_arguments "$@"
	mac=$(printf '52:54:00:%s' "$(echo "$name" | sha256sum | sed 's/\(..\)\(..\)\(..\).*/\1:\2:\3/')")
	exec "${QEMU:-qemu-system-x86_64}" ${QEMU_DATA:+-L "$QEMU_DATA"} -nodefaults \
		-no-user-config -display none -M q35 -accel kvm -cpu host -smp 1 -m 256M \
		-kernel "$VBUS_KERNEL" -initrd "$vm_image" -append "$append" \
		-serial "file:$console" -serial "unix:$dir/line,server=on,wait=off" \
		-monitor "unix:$dir/monitor,server=on,wait=off" \
		-netdev "tap,id=stock,ifname=$name,script=no,downscript=no,vhost=on" \
		-device "virtio-net-pci,netdev=stock,romfile=,mac=$mac" "${args[@]}"
}

# Its own shell stays to learn how it ends. No descriptor of the caller's goes along:
# one that reads our output would wait for the guest.
vm_run()
{
	local kind=$1 name=$2 dir=$vm_dir/$2 console=$3 status
	shift 3
	exec 9>&-
	( "vm_launch_$kind" "$@" ) &
	echo $! > "$dir/pid"
	wait $!
	status=$?
	echo $status > "$dir/status.new"
	mv "$dir/status.new" "$dir/status"
}

vm_boot()
{
	local kind=$1 name=$2 dir=$vm_dir/$2 round
	shift 2
	if guest_runs "$name"; then
		echo "guest $name runs already"
		return 1
	fi
	if [ ! -e "$vm_image" ] || [ ! -x "$vm_agent" ]; then
		echo "there is no $vm_image: run tests/vm/guest-image"
		return 1
	fi
	mkdir -p "$dir"
	# The VMM may run as somebody else.
	chmod 777 "$dir"
	if [ "$kind" = qemu ] && [ ! -e "/sys/class/net/$name" ]; then
		modprobe -a tun vhost_net
		ip tuntap add dev "$name" mode tap vnet_hdr || return
		touch "$dir/tap"
	fi
	for round in 1 2; do
		vm_boot_once "$kind" "$name" "$@"
		case $? in
		0) return 0 ;;
		2) ;;
		*) return 1 ;;
		esac
		[ $round = 1 ] || return 1
		# What is ours must not hide behind the emulator: once in a script, no more.
		if [ "$kind" = vmm ] && [ -e "$vm_dir/retried" ]; then
			echo "a guest of vbus-vmm fell silent before: no other try"
			return 1
		fi
		[ "$kind" != vmm ] || touch "$vm_dir/retried"
		echo "guest $name is started once more, the fault is counted"
	done
}

# 0 when the agent answers; 2 when the boot fell silent and was killed
vm_boot_once()
{
	local kind=$1 name=$2 dir=$vm_dir/$2 n begun=$SECONDS quiet=$SECONDS last=0 size asker
	shift 2
	n=$(($(cat "$dir/starts" 2> /dev/null || echo 0) + 1))
	rm -f "$dir"/{line,ctl,monitor,dissected,pid,status}
	echo $n > "$dir/starts"
	echo "$kind" > "$dir/kind"
	: > "$dir/dissected"
	: > "$dir/console.$n"
	chmod 666 "$dir/console.$n"
	vm_run "$kind" "$name" "$dir/console.$n" "$@" < /dev/null >> "$dir/log" 2>&1 &
	"$vm_agent" serve "$dir/line" "$dir/ctl" < /dev/null >> "$dir/log" 2>&1 9>&- &
	wait_for 20 test -S "$dir/ctl" || return 1
	"$vm_agent" boot-id "$dir/ctl" -t 3600 -s 3600 > "$dir/boot-id" 2>&1 9>&- &
	asker=$!
	while kill -0 $asker 2> /dev/null; do
		if [ -e "$dir/status" ]; then
			echo "the VMM of $name ended with status $(cat "$dir/status"):"
			vm_tail "$name"
			kill $asker
			return 1
		fi
		size=$(stat -c %s "$dir/console.$n")
		[ "$size" = "$last" ] || quiet=$SECONDS
		last=$size
		if [ $((SECONDS - quiet)) -ge "$GUEST_SILENCE" ]; then
			vm_fault "guest $name ($kind) fell silent in its boot"
			echo "guest $name fell silent in its boot:"
			vm_dissect "$name"
			vm_tail "$name"
			kill $asker
			guest_kill "$name" keep-tap
			return 2
		fi
		if [ $((SECONDS - begun)) -ge "$GUEST_BOOT" ]; then
			echo "guest $name did not come up within $GUEST_BOOT s:"
			vm_dissect "$name"
			vm_tail "$name"
			kill $asker
			guest_kill "$name"
			return 1
		fi
		pause 0.1
	done
	wait $asker || { cat "$dir/boot-id"; vm_tail "$name"; return 1; }
}

# What a guest that does not answer is doing, seen from outside. A few times tell enough.
vm_dissect()
{
	local dir=$vm_dir/$1 pid task stats
	guest_runs "$1" && [ "$(wc -l < "$dir/dissected")" -lt 3 ] || return 0
	echo >> "$dir/dissected"
	pid=$(guest_pid "$1")
	for task in /proc/"$pid"/task/*; do
		echo "thread $(cat "$task/comm"): $(awk '/^State|ctxt/ { printf "%s ", $0 }' "$task/status" | tr '\t' ' ')"
		sed 's/^/    /' "$task/stack"
	done
	stats=(/sys/kernel/debug/kvm/"$pid"-*/{exits,halt_exits,io_exits,mmio_exits,irq_injections,irq_window_exits})
	echo "KVM's counters, a second apart:"
	paste "${stats[@]}"
	pause 1
	paste "${stats[@]}"
	echo "${stats[*]##*/}"
	if [ -S "$dir/monitor" ]; then
		printf 'info registers -a\ninfo pic\n' | timeout 5 socat -t 2 STDIO "UNIX:$dir/monitor"
	else
		kill -USR1 "$pid"
		pause 0.5
	fi
} 2> /dev/null

vm_tail()
{
	tail -n 20 "$vm_dir/$1/log"
	echo "the last lines of its console:"
	tail -n 20 "$(guest_console "$1")"
}

guest_runs()
{
	local pid
	[ ! -e "$vm_dir/$1/status" ] && read -r pid < "$vm_dir/$1/pid" && [ -d "/proc/$pid" ]
} 2> /dev/null

# guest NAME COMMAND...: in the guest, by "sh -c". 255: silent, gone or out of time;
# 254: the guest restarted under the command.
guest()
{
	local name=$1 status
	shift
	"$vm_agent" run "$vm_dir/$name/ctl" -t "$GUEST_TIMEOUT" -s "${GUEST_ANSWER:-30}" "$*"
	status=$?
	if [ $status = 255 ]; then
		{ echo "guest $name: $*"; vm_dissect "$name"; vm_tail "$name"; } >&2
	fi
	return $status
}

# guest_bg NAME COMMAND...: starts it and leaves it running; prints its pid there,
# /tmp/bg.PID has its output
guest_bg()
{
	local name=$1 text quote="'\\''"
	shift
	text="exec > /tmp/bg.\$\$ 2>&1; $*"
	guest "$name" "setsid sh -c '${text//"'"/$quote}' < /dev/null & echo \$!"
}

# guest_put NAME FILE PATH
guest_put()
{
	local piece
	guest "$1" ": > $3" || return
	# A command's text has a limit. base64's lines end a piece where a byte ends.
	base64 -w 1024 "$2" | while mapfile -n 64 -t piece && [ ${#piece[@]} -gt 0 ]; do
		guest "$1" "base64 -d >> $3 <<-END
			$(printf '%s\n' "${piece[@]}")
			END" || return
	done
}

# The identity of its boot: another one after a reboot.
guest_boot_id()
{
	"$vm_agent" boot-id "$vm_dir/$1/ctl" -t "${2:-60}" -s "${2:-60}"
}

# guest_reboot NAME [COMMAND]: and wait until it answers again
guest_reboot()
{
	local id console
	id=$(guest_boot_id "$1") || return
	console=$(guest_console "$1")
	echo >> "$vm_dir/$1/reboots.${console##*.}"
	"$vm_agent" run "$vm_dir/$1/ctl" -t 10 "${2:-reboot -f}" > /dev/null 2>&1
	wait_for "$GUEST_BOOT" vm_other_boot "$1" "$id"
}

vm_other_boot()
{
	local id
	id=$(guest_boot_id "$1" 30) && [ "$id" != "$2" ]
}

guest_console()
{
	echo "$vm_dir/$1/console.$(cat "$vm_dir/$1/starts")"
}

guest_pid()
{
	cat "$vm_dir/$1/pid"
}

# guest_stop NAME: power it off; the status is the VMM's
guest_stop()
{
	local dir=$vm_dir/$1 status
	"$vm_agent" run "$dir/ctl" -t 30 "poweroff -f" > /dev/null 2>&1
	if ! wait_for 60 test -e "$dir/status"; then
		vm_tail "$1"
		guest_kill "$1"
		return 1
	fi
	vm_gone "$1"
	status=$(cat "$dir/status")
	[ "$status" = 0 ] || { echo "the VMM's status: $status"; vm_tail "$1"; }
	return "$status"
}

# guest_kill NAME: SIGKILL for the VMM
guest_kill()
{
	local dir=$vm_dir/$1
	kill -KILL "$(guest_pid "$1")" && wait_for 30 test -e "$dir/status" || return
	[ "${2:-}" = keep-tap ] || vm_gone "$1"
}

vm_gone()
{
	[ ! -e "$vm_dir/$1/tap" ] || ip tuntap del dev "$1" mode tap vnet_hdr
	rm -f "$vm_dir/$1/tap"
}

# --- the kernels' reports -------------------------------------------------------

# logs_expected NAME: what the guest reported until now was provoked, do not judge it,
# nor that it started afresh
logs_expected()
{
	local console
	console=$(guest_console "$1")
	stat -c %s "$console" > "$vm_dir/$1/passed.${console##*.}"
	cat "$vm_dir/$1/reboots.${console##*.}" 2> /dev/null | wc -l > "$vm_dir/$1/told.${console##*.}"
}

# vm_resets CONSOLE: boots that nobody asked for. A processor that faults three times
# over, or is emulated badly, starts afresh without a word.
vm_resets()
{
	local told boots from
	told=$(cat "${1%/*}/reboots.${1##*.}" 2> /dev/null | wc -l)
	from=$(cat "${1%/*}/passed.${1##*.}" 2> /dev/null)
	# logs_expected took the boots until then, and all that was told, out of the count.
	[ -z "$from" ] || told=$((told - $(cat "${1%/*}/told.${1##*.}") - 1))
	boots=$(tail -c +$((${from:-0} + 1)) "$1" | grep -ac '^vbus-guest: .* up after ')
	[ $((boots - 1 - told)) -le 0 ] && return
	echo "it started afresh $((boots - 1 - told)) times without being told to"
	return 1
}

# What the kernel here has said since the script began, or all that is left of it.
vm_host_log()
{
	local log
	log=$(dmesg)
	if grep -q "vbus-test: start $vm_name" <<< "$log"; then
		sed "1,/vbus-test: start $vm_name/d" <<< "$log"
	else
		echo "$log"
	fi
}

# What a VMM says of itself or of the kernel, and works on: a guest may not notice.
vm_complaints="\\bbug\\b|gets no interrupts|is slow|can't (pause|be reset)|does not go on"

# logs_check: fails if the host's kernel or one of ours in a guest has reported
# anything, or a VMM has; what guests of stock QEMU report is counted as a fault.
logs_check()
{
	local bad=0 dir name console report log=$vm_dir/judged passed seen
	vm_host_log > "$log"
	if ! report=$("$VBUS_TOP/tests/vm/scan" "$log"); then
		echo "the host's kernel:"
		echo "$report"
		bad=1
	fi
	for dir in "$vm_dir"/*/; do
		[ -e "${dir}starts" ] || continue
		name=$(basename "$dir")
		if grep -E "^vbus-vmm: .*($vm_complaints)" "${dir}log"; then
			echo "the VMM of guest $name has said so"
			bad=1
		fi
		for console in "$dir"console.*; do
			passed=$(cat "${dir}passed.${console##*.}" 2> /dev/null)
			tail -c +$((${passed:-0} + 1)) "$console" | tr -d '\r' > "$log"
			report=$("$VBUS_TOP/tests/vm/scan" "$log"; vm_resets "$console")
			[ -n "$report" ] || continue
			echo "guest $name ($(cat "${dir}kind")), ${console##*/}:"
			echo "$report"
			if [ "$(cat "${dir}kind")" = vmm ]; then
				bad=1
			else
				# What is new since it was last looked at.
				seen="$console $(cksum <<< "$report")"
				grep -qsxF "$seen" "$vm_dir/counted" && continue
				vm_fault "stock guest $name: $(grep -E \
					'afresh|BUG|WARNING|INFO|Oops|[Pp]anic|fault|stall|lockup' \
					<<< "$report" | tail -n 1 | sed 's/^ *//')"
				echo "$seen" >> "$vm_dir/counted"
			fi
		done
	done
	return $bad
}

# Consoles and what the VMMs said, for whoever has to find out. Each guest has a file.
vm_keep_logs()
{
	local dir file log
	for dir in "$vm_dir"/*/; do
		[ -e "${dir}starts" ] || continue
		file=$VBUS_BUILD/logs/$vm_name.$(basename "$dir").guest
		for log in "${dir}"console.* "${dir}log"; do
			echo "--- ${log##*/}"
			cat "$log"
		done > "$file"
		echo "# its console and its VMM's words: $file"
	done
}

# Also for scripts that neither finish nor bail: see the trap.
vm_end()
{
	local dir
	trap - EXIT
	[ ! -s "$vm_dir/faults" ] || sed 's/^/# fault: /' "$vm_dir/faults"
	[ "$1" = 0 ] || vm_keep_logs
	for dir in "$vm_dir"/*/; do
		guest_runs "$(basename "$dir")" && guest_kill "$(basename "$dir")" > /dev/null
	done
	return 0
}

finish()
{
	check "no kernel has reported anything" logs_check
	vm_end "$tap_failed"
	tap_finish
}

bail()
{
	logs_check | sed 's/^/# /'
	vm_end 1
	tap_bail "$@"
}

vm_exit()
{
	local status=$? report
	if ! report=$(logs_check); then
		echo "$report"
		[ $status != 0 ] || status=125
	fi
	vm_end $status
	exit $status
}
trap vm_exit EXIT
