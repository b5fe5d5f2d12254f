#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The steps of Documentation/loopback.rst work as they are written.
. "${0%/*}/../lib/tap.sh"

check "the quick start" "$VBUS_TOP/Documentation/examples/loopback.sh"
check "it takes everything back" rmmod vbus-net vbus-loop vbus-dm-net vbus-proxy vbus
finish
