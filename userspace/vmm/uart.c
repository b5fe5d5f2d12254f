// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of a 16550A. The line is as fast as the far end takes bytes: speed
 * and format are kept and ignored.
 */
#include "uart.h"

#include <linux/serial_reg.h>
#include <string.h>

#define IER_MASK	0x0f
#define MCR_MASK	0x1f
#define FIFOS_ON	0xc0	/* in the interrupt identification */

/* The most urgent interrupt cause; lock is held. */
static uint8_t cause(const struct uart *uart)
{
	if (uart->ier & UART_IER_RLSI && uart->overrun)
		return UART_IIR_RLSI;
	if (uart->ier & UART_IER_RDI && uart->rx_count)
		return UART_IIR_RDI;
	if (uart->ier & UART_IER_THRI && uart->tx_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

/* Lock is held. */
static void update_line(struct uart *uart)
{
	int line = cause(uart) != UART_IIR_NO_INT;

	/* On a PC this output of the chip is the gate to the interrupt line. */
	if (!(uart->mcr & UART_MCR_OUT2) || uart->mcr & UART_MCR_LOOP)
		line = 0;
	if (line == uart->line)
		return;
	uart->line = line;
	uart->ops->irq(uart->opaque, line);
}

static void clear_registers(struct uart *uart)
{
	uart->ier = 0;
	uart->lcr = 0;
	uart->mcr = 0;
	uart->scr = 0;
	uart->fcr = 0;
	uart->dll = 0;
	uart->dlm = 0;
	uart->tx_pending = false;
	uart->overrun = false;
	uart->rx_head = 0;
	uart->rx_count = 0;
}

void uart_init(struct uart *uart, const struct uart_ops *ops, void *opaque)
{
	memset(uart, 0, sizeof(*uart));
	pthread_mutex_init(&uart->lock, NULL);
	uart->ops = ops;
	uart->opaque = opaque;
	uart->tx_ready = true;
}

void uart_reset(struct uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	clear_registers(uart);
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
	uart->ops->rx_room(uart->opaque);
}

/* Lock is held. */
static void put_rx(struct uart *uart, uint8_t byte)
{
	if (uart->rx_count == UART_RX_SIZE) {
		uart->overrun = true;
		return;
	}
	uart->rx[(uart->rx_head + uart->rx_count++) % UART_RX_SIZE] = byte;
}

/* Lock is held. */
static uint8_t take_rx(struct uart *uart, bool *had_no_room)
{
	uint8_t byte;

	if (!uart->rx_count)
		return 0;
	*had_no_room = uart->rx_count == UART_RX_SIZE;
	byte = uart->rx[uart->rx_head];
	uart->rx_head = (uart->rx_head + 1) % UART_RX_SIZE;
	uart->rx_count--;
	return byte;
}

static uint8_t modem_status(const struct uart *uart)
{
	uint8_t status = 0;

	if (!(uart->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (uart->mcr & UART_MCR_RTS)
		status |= UART_MSR_CTS;
	if (uart->mcr & UART_MCR_DTR)
		status |= UART_MSR_DSR;
	if (uart->mcr & UART_MCR_OUT1)
		status |= UART_MSR_RI;
	if (uart->mcr & UART_MCR_OUT2)
		status |= UART_MSR_DCD;
	return status;
}

uint8_t uart_read(struct uart *uart, unsigned int reg)
{
	bool had_no_room = false;
	uint8_t value = 0xff;

	pthread_mutex_lock(&uart->lock);
	switch (reg) {
	case UART_RX:
		if (uart->lcr & UART_LCR_DLAB)
			value = uart->dll;
		else
			value = take_rx(uart, &had_no_room);
		break;
	case UART_IER:
		value = uart->lcr & UART_LCR_DLAB ? uart->dlm : uart->ier;
		break;
	case UART_IIR:
		value = cause(uart);
		if (value == UART_IIR_THRI)
			uart->tx_pending = false;
		if (uart->fcr & UART_FCR_ENABLE_FIFO)
			value |= FIFOS_ON;
		break;
	case UART_LCR:
		value = uart->lcr;
		break;
	case UART_MCR:
		value = uart->mcr;
		break;
	case UART_LSR:
		value = uart->tx_ready ? UART_LSR_THRE | UART_LSR_TEMT : 0;
		if (uart->rx_count)
			value |= UART_LSR_DR;
		if (uart->overrun)
			value |= UART_LSR_OE;
		uart->overrun = false;
		break;
	case UART_MSR:
		value = modem_status(uart);
		break;
	case UART_SCR:
		value = uart->scr;
		break;
	}
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
	if (had_no_room)
		uart->ops->rx_room(uart->opaque);
	return value;
}

/* Lock is held. */
static void transmit(struct uart *uart, uint8_t byte)
{
	if (uart->mcr & UART_MCR_LOOP) {
		put_rx(uart, byte);
		uart->tx_pending = true;
		return;
	}
	uart->tx_ready = uart->ops->send(uart->opaque, byte);
	/*
	 * While the line is up already this needs no pulse: the guest has yet to
	 * read the cause of the interrupt.
	 */
	uart->tx_pending = uart->tx_ready;
}

/* Lock is held. */
static void set_ier(struct uart *uart, uint8_t value)
{
	uint8_t was = uart->ier;

	uart->ier = value & IER_MASK;
	if (uart->ier & ~was & UART_IER_THRI && uart->tx_ready)
		uart->tx_pending = true;
}

/* Lock is held. Return: whether a full receive buffer was emptied. */
static bool set_fcr(struct uart *uart, uint8_t value)
{
	bool emptied = false;

	if (value & UART_FCR_CLEAR_RCVR) {
		emptied = uart->rx_count == UART_RX_SIZE;
		uart->rx_head = 0;
		uart->rx_count = 0;
	}
	uart->fcr = value;
	return emptied;
}

void uart_write(struct uart *uart, unsigned int reg, uint8_t value)
{
	bool emptied = false;

	pthread_mutex_lock(&uart->lock);
	switch (reg) {
	case UART_TX:
		if (uart->lcr & UART_LCR_DLAB)
			uart->dll = value;
		else
			transmit(uart, value);
		break;
	case UART_IER:
		if (uart->lcr & UART_LCR_DLAB)
			uart->dlm = value;
		else
			set_ier(uart, value);
		break;
	case UART_FCR:
		emptied = set_fcr(uart, value);
		break;
	case UART_LCR:
		uart->lcr = value;
		break;
	case UART_MCR:
		uart->mcr = value & MCR_MASK;
		break;
	case UART_SCR:
		uart->scr = value;
		break;
	}
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
	if (emptied)
		uart->ops->rx_room(uart->opaque);
}

size_t uart_room(struct uart *uart)
{
	size_t room;

	pthread_mutex_lock(&uart->lock);
	room = UART_RX_SIZE - uart->rx_count;
	pthread_mutex_unlock(&uart->lock);
	return room;
}

void uart_receive(struct uart *uart, const uint8_t *data, size_t len)
{
	pthread_mutex_lock(&uart->lock);
	while (len--)
		put_rx(uart, *data++);
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
}

void uart_send_ready(struct uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	if (!uart->tx_ready) {
		uart->tx_ready = true;
		uart->tx_pending = true;
	}
	update_line(uart);
	pthread_mutex_unlock(&uart->lock);
}
