#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The life of a slot as a VMM sees it, through /dev/vbus.
# The job's folder is the one writable place that is neither tmpfs nor the like.
modprobe vbus && exec "$VBUS_BUILD/vmm/vmm" /run/vbus/job/guest-memory
