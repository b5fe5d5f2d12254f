// SPDX-License-Identifier: GPL-2.0
/*
 * The 16550A as a driver finds and uses it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/serial_reg.h>

#include "uart.h"

static struct {
	uint8_t sent[64];
	unsigned int nr_sent;
	bool room;
	int level;
	unsigned int edges;
	unsigned int rx_rooms;
} wire;

static struct uart uart;

static bool on_send(void *opaque, uint8_t byte)
{
	(void)opaque;
	wire.sent[wire.nr_sent++ % sizeof(wire.sent)] = byte;
	return wire.room;
}

static void on_irq(void *opaque, int level)
{
	(void)opaque;
	assert_int_not_equal(level, wire.level);
	wire.level = level;
	wire.edges += level;
}

static void on_rx_room(void *opaque)
{
	(void)opaque;
	wire.rx_rooms++;
}

static const struct uart_ops ops = { on_send, on_irq, on_rx_room };

static int setup(void **state)
{
	(void)state;
	memset(&wire, 0, sizeof(wire));
	wire.room = true;
	uart_init(&uart, &ops, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pthread_mutex_destroy(&uart.lock);
	return 0;
}

/* The steps by which Linux tells what kind of port this is. */
static void probe(void **state)
{
	(void)state;
	uart_write(&uart, UART_IER, 0);
	assert_int_equal(uart_read(&uart, UART_IER), 0);
	uart_write(&uart, UART_IER, 0x0f);
	assert_int_equal(uart_read(&uart, UART_IER), 0x0f);
	uart_write(&uart, UART_IER, 0xff);
	assert_int_equal(uart_read(&uart, UART_IER), 0x0f);
	uart_write(&uart, UART_IER, 0);
	uart_write(&uart, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(uart_read(&uart, UART_MSR) & 0xf0,
			 UART_MSR_DCD | UART_MSR_CTS);
	uart_write(&uart, UART_MCR, 0);
	assert_int_equal(uart_read(&uart, UART_MSR) & 0xf0,
			 UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS);
	assert_int_equal(uart_read(&uart, UART_IIR), UART_IIR_NO_INT);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO);
	assert_int_equal(uart_read(&uart, UART_IIR), 0xc0 | UART_IIR_NO_INT);
	uart_write(&uart, UART_SCR, 0xa5);
	assert_int_equal(uart_read(&uart, UART_SCR), 0xa5);
}

static void divisor(void **state)
{
	(void)state;
	uart_write(&uart, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	uart_write(&uart, UART_DLL, 1);
	uart_write(&uart, UART_DLM, 2);
	assert_int_equal(uart_read(&uart, UART_DLL), 1);
	assert_int_equal(uart_read(&uart, UART_DLM), 2);
	uart_write(&uart, UART_LCR, UART_LCR_WLEN8);
	assert_int_equal(uart_read(&uart, UART_LCR), UART_LCR_WLEN8);
	assert_int_equal(uart_read(&uart, UART_IER), 0);
	assert_int_equal(wire.nr_sent, 0);
}

static void send_polled(void **state)
{
	(void)state;
	assert_int_equal(uart_read(&uart, UART_LSR),
			 UART_LSR_THRE | UART_LSR_TEMT);
	uart_write(&uart, UART_TX, 'a');
	uart_write(&uart, UART_TX, 'b');
	assert_int_equal(wire.nr_sent, 2);
	assert_memory_equal(wire.sent, "ab", 2);
	assert_int_equal(wire.edges, 0);
}

static void send_by_interrupt(void **state)
{
	(void)state;
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	uart_write(&uart, UART_IER, UART_IER_THRI);
	assert_int_equal(wire.level, 1);
	assert_int_equal(uart_read(&uart, UART_IIR), UART_IIR_THRI);
	assert_int_equal(wire.level, 0);
	assert_int_equal(uart_read(&uart, UART_IIR), UART_IIR_NO_INT);
	/* Each batch that is sent raises the line once more. */
	uart_write(&uart, UART_TX, 'a');
	uart_write(&uart, UART_TX, 'b');
	assert_int_equal(wire.level, 1);
	assert_int_equal(wire.edges, 2);
	uart_write(&uart, UART_IER, 0);
	assert_int_equal(wire.level, 0);
}

static void slow_far_end(void **state)
{
	(void)state;
	wire.room = false;
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	uart_write(&uart, UART_IER, UART_IER_THRI);
	uart_read(&uart, UART_IIR);
	uart_write(&uart, UART_TX, 'a');
	assert_int_equal(uart_read(&uart, UART_LSR), 0);
	assert_int_equal(wire.level, 0);
	wire.room = true;
	uart_send_ready(&uart);
	assert_int_equal(wire.level, 1);
	assert_int_equal(uart_read(&uart, UART_LSR),
			 UART_LSR_THRE | UART_LSR_TEMT);
}

static void receive(void **state)
{
	(void)state;
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	uart_write(&uart, UART_IER, UART_IER_RDI);
	uart_receive(&uart, (const uint8_t *)"xy", 2);
	assert_int_equal(wire.level, 1);
	assert_int_equal(uart_read(&uart, UART_IIR), UART_IIR_RDI);
	assert_true(uart_read(&uart, UART_LSR) & UART_LSR_DR);
	assert_int_equal(uart_read(&uart, UART_RX), 'x');
	assert_int_equal(wire.level, 1);
	assert_int_equal(uart_read(&uart, UART_RX), 'y');
	assert_int_equal(wire.level, 0);
	assert_false(uart_read(&uart, UART_LSR) & UART_LSR_DR);
	assert_int_equal(uart_read(&uart, UART_RX), 0);
}

static void receive_too_much(void **state)
{
	uint8_t data[UART_RX_SIZE + 1];
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	assert_int_equal(uart_room(&uart), UART_RX_SIZE);
	uart_receive(&uart, data, sizeof(data));
	assert_int_equal(uart_room(&uart), 0);
	assert_true(uart_read(&uart, UART_LSR) & UART_LSR_OE);
	assert_false(uart_read(&uart, UART_LSR) & UART_LSR_OE);
	for (i = 0; i < UART_RX_SIZE; i++)
		assert_int_equal(uart_read(&uart, UART_RX), (uint8_t)i);
	assert_int_equal(wire.rx_rooms, 1);
	uart_receive(&uart, data, UART_RX_SIZE);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	assert_int_equal(wire.rx_rooms, 2);
	assert_int_equal(uart_room(&uart), UART_RX_SIZE);
}

static void loopback(void **state)
{
	(void)state;
	uart_write(&uart, UART_MCR, UART_MCR_LOOP);
	uart_write(&uart, UART_TX, 'l');
	assert_int_equal(wire.nr_sent, 0);
	assert_int_equal(uart_read(&uart, UART_RX), 'l');
}

static void reset(void **state)
{
	(void)state;
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	uart_write(&uart, UART_IER, 0x0f);
	uart_receive(&uart, (const uint8_t *)"z", 1);
	assert_int_equal(wire.level, 1);
	uart_reset(&uart);
	assert_int_equal(wire.level, 0);
	assert_int_equal(uart_read(&uart, UART_IER), 0);
	assert_int_equal(uart_room(&uart), UART_RX_SIZE);
}

static void nonsense(void **state)
{
	unsigned int reg, value;

	(void)state;
	for (value = 0; value < 256; value++) {
		for (reg = 0; reg < UART_PORTS + 8; reg++) {
			uart_write(&uart, reg, value);
			uart_read(&uart, reg);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest uart[] = {
		TEST(probe), TEST(divisor), TEST(send_polled),
		TEST(send_by_interrupt), TEST(slow_far_end), TEST(receive),
		TEST(receive_too_much), TEST(loopback), TEST(reset),
		TEST(nonsense),
	};

	return cmocka_run_group_tests(uart, NULL, NULL);
}
