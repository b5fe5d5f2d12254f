#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The native front as a VMM and a guest without manners see it.
modprobe vbus && modprobe vbus-dm-null && exec "$VBUS_BUILD/vmm/native"
