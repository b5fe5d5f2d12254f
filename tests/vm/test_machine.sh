#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The machine that vbus-vmm makes, without Linux in it: kernel images of a few
# instructions (bare.S) power off, reset, fail and talk on the serial port.
. "${0%/*}/lib.sh"

dir=$(mktemp -d)
src=${0%/*}/bare.S

# image NAME [VALUE]: $dir/NAME does what bare.S has under NAME
image()
{
	gcc -c "-D$1${2:+=$2}" "$src" -o "$dir/$1.o" &&
		ld -Ttext=0 -e 0 --oformat binary "$dir/$1.o" -o "$dir/$1"
}

# vmm STATUS IMAGE [options]: its output in $dir/out, messages in $dir/err
vmm()
{
	local want=$1 image=$2 status
	shift 2
	timeout 60 vbus-vmm --kernel "$dir/$image" --mem 64M "$@" \
		< /dev/null > "$dir/out" 2> "$dir/err"
	status=$?
	head -c 2000 "$dir/err"
	echo "status $status"
	[ $status = "$want" ]
}

# vmm_start IMAGE [options]: in the background, $pid; its status will be in $dir/status
vmm_start()
{
	local image=$1
	shift
	rm -f "$dir/status" "$dir/pid"
	(
		exec 9>&-
		vbus-vmm --kernel "$dir/$image" --mem 64M "$@" < /dev/null > "$dir/out" 2> "$dir/err" &
		echo $! > "$dir/pid"
		wait $!
		echo $? > "$dir/status.new"
		mv "$dir/status.new" "$dir/status"
	) &
	wait_for 60 test -s "$dir/pid" > /dev/null
	pid=$(cat "$dir/pid")
}

vmm_ends()
{
	wait_for 60 test -e "$dir/status" && cat "$dir/status" && [ "$(cat "$dir/status")" = "$1" ]
}

says()
{
	grep -qE -- "$1" "$dir/${2:-err}"
}

nr_files()
{
	find "/proc/$pid/fd" | wc -l
}

for i in HELLO ECHO LOOP TRIPLE LOST ACCESSES "RESETS 200" "RESETS 2"; do
	# shellcheck disable=SC2086
	check "image $i" image $i
	[ "${i#RESETS 200}" = "$i" ] || mv "$dir/RESETS" "$dir/RESETS200"
done

# --- power --------------------------------------------------------------------------
check "power-off is status 0" vmm 0 HELLO
check "what it said is on stdout" says '^hello$' out
check "nothing on stderr" test ! -s "$dir/err"
check "four CPUs" vmm 0 HELLO --cpus 4
check "64 CPUs" vmm 0 HELLO --cpus 64
check "memory on both sides of the hole" vmm 0 HELLO --mem 4G
check "resets" vmm 0 RESETS --verbose
check "are told with --verbose" says 'reset$'
check "200 resets" vmm 0 RESETS200 --cpus 2
check "--no-reboot ends at the first" vmm 0 RESETS200 --no-reboot --verbose
check "a triple fault resets" vmm 0 TRIPLE
check "and is told" says 'triple fault'
check "a guest that KVM can't run is status 1" vmm 1 LOST
check "with the registers" says 'rip 00000000d0000000'
check "accesses where nobody is" vmm 0 ACCESSES
check "the filter let all of that pass" vmm 0 ACCESSES --no-seccomp

# --- signals ------------------------------------------------------------------------
vmm_start LOOP --cpus 2
check "a guest that loops" wait_for 60 says '^\.' out
check "SIGUSR1" kill -USR1 "$pid"
check "prints counters" wait_for 60 says '^exits mmio [0-9]+ io [1-9][0-9]* '
check "SIGTERM" kill "$pid"
check "ends it, status 0" vmm_ends 0
vmm_start LOOP
check "another" wait_for 60 says '^\.' out
check "SIGINT" kill -INT "$pid"
check "ends it, status 0" vmm_ends 0

# --- what the ports are wired to ----------------------------------------------------
check "console into a file" vmm 0 HELLO --console "file:$dir/console"
check "has it" grep -q '^hello$' "$dir/console"
check "console nowhere" vmm 0 HELLO --console none
check "stdout that nobody reads any more" eval \
	'timeout 60 vbus-vmm --kernel $dir/HELLO --mem 64M < /dev/null | true; [ ${PIPESTATUS[0]} = 0 ]'
check "stdin that is a pipe" eval \
	'[ "$(echo q | timeout 60 vbus-vmm --kernel $dir/ECHO --mem 64M)" = q ]'

vmm_start ECHO --console "unix:$dir/socket"
check "a socket" wait_for 60 test -S "$dir/socket"
talk()
{
	timeout 60 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
want = sys.argv[2].encode() * int(sys.argv[3])
s.sendall(want)
got = b""
while len(got) < len(want):
    data = s.recv(65536)
    if not data:
        break
    got += data
sys.exit(got != want)' "$dir/socket" "$@"
}
check "echoes" talk abc 1
files=$(nr_files)
check "3,000 bytes, more than fit into the port" talk 0123456789 300
again()
{
	local i
	for i in {1..20}; do
		talk "$i" 10 || return
	done
}
check "20 connections one after the other" again
check "leave no file open" eval 'wait_for 5 test "$(nr_files)" -le "$files"'
check "the socket is in use" vmm 1 HELLO --console "unix:$dir/socket"
check "and says so" says 'in use'
check "the last word" talk q 1
check "powers off" vmm_ends 0
vmm_start ECHO --console "unix:$dir/socket"
check "a socket that was left is replaced" wait_for 60 talk x 1
check "SIGTERM" kill "$pid"
check "ends it" vmm_ends 0

vmm_start ECHO --console "pty:$dir/pty"
check "a pseudo terminal" wait_for 60 test -c "$dir/pty"
pty_talk()
{
	timeout 60 python3 -c '
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
want = sys.argv[2].encode()
os.write(fd, want)
got = b""
while len(got) < len(want):
    got += os.read(fd, 100)
sys.exit(got != want)' "$dir/pty" "$1"
}
check "echoes" pty_talk hello
check "and again" pty_talk world
check "the last word" eval 'printf q > "$dir/pty"'
check "powers off" vmm_ends 0

rm -rf "$dir"
finish
