#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# libvbus on the real /dev/vbus: devices that come and go, registers through the BAR,
# data and interrupts.
modprobe vbus && exec "$VBUS_BUILD/tests/libvbus/real"
