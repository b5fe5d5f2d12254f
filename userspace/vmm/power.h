/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the guest switches itself off and resets itself: the ports of the FADT, and
 * the keyboard controller's reset pulse, which is what Linux tries next.
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

struct vm;

/* Return: 0 or a negative errno. */
int power_init(struct vm *vm);

#endif /* VMM_POWER_H */
