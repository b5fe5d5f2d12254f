#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# VMM, guest and admin do at random what they should not, at the same time, to the
# native front. ROUNDS is 10000 with LONG=1; a failure is repeated with the SEED
# that was printed, as far as the threads take the same turns.
[ "${LONG:-}" != 1 ] || export ROUNDS=${ROUNDS:-10000}
modprobe vbus && modprobe vbus-dm-null && exec "$VBUS_BUILD/vmm/native_storm"
