/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two serial ports of the machine: a 16550A (uart.h) each, with a channel
 * (chardev.h) at its far end.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

struct vm;

/* COM1 for --console, COM2 for --serial. 0 or, after a message, a negative errno. */
int serial_init(struct vm *vm);
void serial_exit(struct vm *vm);

#endif /* VMM_SERIAL_H */
