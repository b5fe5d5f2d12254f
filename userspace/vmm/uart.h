/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registers of a 16550A. It reaches what it is wired to by callbacks, so that it
 * can be tested alone.
 *
 * Any thread may call; the mutex of the port is held while callbacks run, which
 * must not call back.
 */
#ifndef VMM_UART_H
#define VMM_UART_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_PORTS	8
/* Deeper than a real one's: nobody counts on an overrun. */
#define UART_RX_SIZE	256

/**
 * struct uart_ops - what a port is wired to
 * @send: a byte goes out. Return: whether there is room for another one; if not,
 *	uart_send_ready() says when there is.
 * @irq: level of the interrupt line; called when it changes
 * @rx_room: the guest has taken bytes out of a full receive buffer
 */
struct uart_ops {
	bool (*send)(void *opaque, uint8_t byte);
	void (*irq)(void *opaque, int level);
	void (*rx_room)(void *opaque);
};

struct uart {
	const struct uart_ops *ops;
	void *opaque;

	pthread_mutex_t lock;
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t dll, dlm;
	bool tx_ready;		/* the far end takes bytes */
	bool tx_pending;	/* "transmitter empty" not yet seen by the guest */
	bool overrun;
	int line;
	uint8_t rx[UART_RX_SIZE];
	unsigned int rx_head, rx_count;
};

void uart_init(struct uart *uart, const struct uart_ops *ops, void *opaque);
/* As at power-on. Bytes on their way out are not touched. */
void uart_reset(struct uart *uart);

uint8_t uart_read(struct uart *uart, unsigned int reg);
void uart_write(struct uart *uart, unsigned int reg, uint8_t value);

/* Bytes that uart_receive() takes now. */
size_t uart_room(struct uart *uart);
void uart_receive(struct uart *uart, const uint8_t *data, size_t len);
void uart_send_ready(struct uart *uart);

#endif /* VMM_UART_H */
