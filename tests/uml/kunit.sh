#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs inside UML: load each suite module, print what the kernel said meanwhile.
# Arguments are module names; without any, every built *_test.ko is one. On the
# console the lines between "vbus-kunit: begin" and "end" belong to one module;
# tests/lib/tap reads them there, where they survive the machine's death.

if [ $# -eq 0 ]; then
	for f in "$VBUS_MODDIR"/*_test.ko; do
		[ -e "$f" ] && set -- "$@" "$(basename "$f" .ko)"
	done
fi

status=0
for suite in "$@"; do
	dmesg --clear
	echo "vbus-kunit: begin $suite" > /dev/kmsg
	modprobe "$suite"
	rc=$?
	# Unloading is part of the test: what a suite leaves behind keeps it in.
	if [ $rc -eq 0 ] && ! rmmod "$suite"; then
		echo "vbus-kunit: $suite can not be unloaded" > /dev/kmsg
		rc=1
	fi
	echo "vbus-kunit: end $suite $rc" > /dev/kmsg
	dmesg --notime
	[ $rc -eq 0 ] || status=1
done
exit $status
