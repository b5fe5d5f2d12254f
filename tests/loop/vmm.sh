#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The life of a slot as a VMM sees it, through /dev/vbus.
modprobe vbus && exec "$VBUS_BUILD/vmm/vmm"
