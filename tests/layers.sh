#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who may include whom. Each source belongs to a room by its path; the table says
# which of our headers a room may include besides those of its own folder. Arrows
# never point back: a guest driver can not see the host core, a host model can not
# see the guest bus, userspace sees no kernel interface but the ring.
#
#   U  include/uapi/linux      N  include/vbus, for both sides: the ring
#   H  include/vbus, host      P  include/vbus, guest
#   C D    private headers of the core, of a model
#   L      libvbus.h, for VMMs; B and V  private headers of the library, of vbus-vmm
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# The room of a header as it is written in an include line, from the file $1.
header_room()
{
	local from=$1 name=$2
	case $name in
	'<linux/vbus'*'>'|'<uapi/linux/vbus'*'>') echo U ;;
	'<vbus/ring'*'>') echo N ;;
	'<vbus/proxy'*'>') echo P ;;
	'<vbus/'*'>') echo H ;;
	'"'*'..'*'vbus/core/'*) echo C ;;
	'"'*'..'*'vbus/dev/'*) echo D ;;
	'"'*'..'*'vbus-proxy/'*) echo X ;;
	'"'*'..'*'drivers/'*) echo G ;;
	'"'*'..'*) echo other ;;
	'"libvbus.h"'|'"libvbus/libvbus.h"') echo L ;;
	'"libvbus/'*) echo B ;;
	'"dsdt.hex"'|'"pci.hex"') echo own ;;	# made by the build
	'"'*)
		# A quoted name is a file of the same folder, or of one of the
		# folders above it in the same room.
		local dir=${from%/*} file=${name//\"/}
		if [ -e "$dir/$file" ] || [ -e "${dir%/*}/$file" ]; then
			echo own
		elif [ -e "userspace/vmm/$file" ]; then
			echo V
		else
			echo other
		fi ;;
	*) echo system ;;
	esac
}

# Which rooms the file $1 may include.
allowed()
{
	case $1 in
	include/uapi/*)            echo "U" ;;
	include/vbus/ring*)        echo "U N own" ;;
	include/vbus/proxy*)       echo "U N P" ;;
	include/vbus/*)            echo "U N H" ;;
	vbus/core/*)               echo "U N H own" ;;
	vbus/dev/*)                echo "U N H own" ;;
	vbus-proxy/loop*)          echo "U N H P own" ;;
	vbus-proxy/*)              echo "U N P own" ;;
	drivers/*)                 echo "U N P own" ;;
	userspace/*)               echo "U L own" ;;
	kunit/*)                   echo "U N H P C D X G own" ;;
	tests/libvbus/*)           echo "U N L B own" ;;
	tests/vmm-unit/*)          echo "U L V own" ;;
	tests/*|bench/*)           echo "U N L own" ;;
	*)                         echo "" ;;
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
	name=$(sed -E 's/^[ \t]*#[ \t]*include[ \t]*([<"][^>"]*[>"]).*/\1/' <<< "$text")
	room=$(header_room "$file" "$name")
	[ "$room" = system ] && continue
	case " $(allowed "$file") " in
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
