/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Class "rng": random bytes from the host.
 *
 * One queue.  The guest posts chains of writable
 * segments only; the device fills each from its start and completes it with the
 * number of bytes written: at least 1, at most VBUS_RNG_MAX_BYTES, and perhaps
 * fewer than there was room for, when the admin limits the rate.  The limit may
 * also delay a completion.  A chain with anything to read, or without room,
 * breaks the device (NEEDS_RESET).
 *
 * There is no config space, and no feature bit.
 */
#ifndef _UAPI_LINUX_VBUS_RNG_H
#define _UAPI_LINUX_VBUS_RNG_H

#define VBUS_RNG_VERSION	1

/* Most bytes one chain is answered with. */
#define VBUS_RNG_MAX_BYTES	4096

#endif /* _UAPI_LINUX_VBUS_RNG_H */
