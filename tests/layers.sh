#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who may include whom. Each source belongs to a room by its path; the table says
# which of our headers a room may include besides those of its own folder. Arrows
# never point back: a guest driver can not see the host core, a host model can not
# see the guest bus, userspace sees no kernel interface but the ring.
#
#   U  include/uapi/linux      N  include/vbus, for both sides: the ring
#   H  include/vbus/host       P  include/vbus/guest
#   C D    private headers of the core, of a model
#   L      libvbus.h, for VMMs; B and V  private headers of the library, of vbus-vmm
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# The room of a header as it is written in an include line, from the file $1: into room.
header_room()
{
	local from=$1 name=$2
	case $name in
	'<linux/vbus'*'>'|'<uapi/linux/vbus'*'>') room=U ;;
	'<vbus/ring'*'>') room=N ;;
	'<vbus/guest/'*'>') room=P ;;
	'<vbus/host/'*'>') room=H ;;
	'"'*'..'*'vbus/core/'*) room=C ;;
	'"'*'..'*'vbus/dev/'*) room=D ;;
	'"'*'..'*'vbus-proxy/'*) room=X ;;
	'"'*'..'*'drivers/'*) room=G ;;
	'"'*'..'*) room=other ;;
	'"libvbus.h"'|'"libvbus/libvbus.h"') room=L ;;
	'"libvbus/'*) room=B ;;
	'"dsdt.hex"'|'"pci.hex"') room=own ;;	# made by the build
	'"'*)
		# A quoted name is a file of the same folder, or of one of the
		# folders above it in the same room.
		local dir=${from%/*} file=${name//\"/}
		if [ -e "$dir/$file" ] || [ -e "${dir%/*}/$file" ]; then
			room=own
		elif [ -e "userspace/vmm/$file" ]; then
			room=V
		else
			room=other
		fi ;;
	*) room=system ;;
	esac
}

# Which rooms the file $1 may include: into rooms.
allowed()
{
	case $1 in
	include/uapi/*) rooms="U" ;;
	include/vbus/ring*) rooms="U N own" ;;
	include/vbus/guest/*) rooms="U N P" ;;
	include/vbus/host/*) rooms="U N H" ;;
	vbus/core/*) rooms="U N H own" ;;
	vbus/dev/*) rooms="U N H own" ;;
	vbus-proxy/loop*) rooms="U N H P own" ;;
	vbus-proxy/*) rooms="U N P own" ;;
	drivers/*) rooms="U N P own" ;;
	userspace/*) rooms="U L own" ;;
	kunit/*) rooms="U N H P C D X G own" ;;
	tests/libvbus/*) rooms="U N L B own" ;;
	tests/vmm-unit/*) rooms="U L V own" ;;
	tests/*|bench/*) rooms="U N L own" ;;
	*) rooms="" ;;
	esac
}

bad=0
complain()
{
	echo "$*"
	bad=1
}

sources()
{
	git ls-files --cached --others --exclude-standard -- '*.c' '*.h' | while read -r f; do
		[ -f "$f" ] && echo "$f"
	done
}

while IFS=: read -r file line text; do
	[[ $text =~ [\<\"][^\>\"]*[\>\"] ]] || continue
	name=${BASH_REMATCH[0]}
	header_room "$file" "$name"
	[ "$room" = system ] && continue
	allowed "$file"
	case " $rooms " in
	*" $room "*) ;;
	*) complain "$file:$line: may not include $name" ;;
	esac
done < <(sources | xargs -d '\n' grep -HnE '^[ 	]*#[ 	]*include')

# Only the guest bus (and the library) knows of PCI, only the host core and its
# models know of eventfds; the host core names no class of device.
while IFS=: read -r file line text; do
	case $file in
	vbus-proxy/*|userspace/*|tests/*) ;;
	*) complain "$file:$line: only vbus-proxy and userspace know of PCI" ;;
	esac
done < <(sources | xargs -d '\n' grep -HnE '^#include <linux/(pci|msi)[./_a-z]*>')
while IFS=: read -r file line text; do
	case $file in
	drivers/*|vbus-proxy/*) complain "$file:$line: the guest side has no eventfds" ;;
	esac
done < <(sources | xargs -d '\n' grep -HnE '^#include <linux/eventfd.h>')
while IFS=: read -r file line text; do
	complain "$file:$line: the core names no device class"
done < <(sources | grep '^vbus/core/' | xargs -r -d '\n' grep -HnE '#include <linux/vbus_(net|blk|ptp|rng)')

exit $bad
