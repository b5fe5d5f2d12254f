// SPDX-License-Identifier: GPL-2.0
/*
 * Serial ports. A port's mutex may be held when the channel's is taken, never the
 * other way round.
 */
#include "serial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chardev.h"
#include "iobus.h"
#include "irq.h"
#include "log.h"
#include "options.h"
#include "uart.h"
#include "vm.h"

struct serial {
	struct vm *vm;
	struct uart uart;
	struct chardev *chardev;
	unsigned int pin;
	struct vm_reset_hook reset;
};

static const struct {
	uint64_t port;
	unsigned int pin;
} places[2] = {
	{ 0x3f8, 4 },
	{ 0x2f8, 3 },
};

/* A wide access to byte registers is as many accesses to neighbours. */
static void port_read(void *opaque, uint64_t off, void *data, size_t len)
{
	struct serial *serial = opaque;
	size_t i;

	for (i = 0; i < len; i++)
		((uint8_t *)data)[i] = uart_read(&serial->uart, off + i);
}

static void port_write(void *opaque, uint64_t off, const void *data, size_t len)
{
	struct serial *serial = opaque;
	size_t i;

	for (i = 0; i < len; i++)
		uart_write(&serial->uart, off + i, ((const uint8_t *)data)[i]);
}

static const struct iobus_ops port_ops = {
	.read = port_read,
	.write = port_write,
};

static bool on_send(void *opaque, uint8_t byte)
{
	struct serial *serial = opaque;

	return chardev_send(serial->chardev, byte);
}

static void on_irq(void *opaque, int level)
{
	struct serial *serial = opaque;
	int ret;

	ret = irq_line(serial->vm, serial->pin, level);
	if (ret)
		log_guest("serial port: no interrupt: %s", strerror(-ret));
}

static void on_rx_room(void *opaque)
{
	struct serial *serial = opaque;

	chardev_resume_input(serial->chardev);
}

static const struct uart_ops uart_ops = {
	.send = on_send,
	.irq = on_irq,
	.rx_room = on_rx_room,
};

static size_t on_room(void *opaque)
{
	struct serial *serial = opaque;

	return uart_room(&serial->uart);
}

static void on_input(void *opaque, const uint8_t *data, size_t len)
{
	struct serial *serial = opaque;

	uart_receive(&serial->uart, data, len);
}

static void on_drained(void *opaque)
{
	struct serial *serial = opaque;

	uart_send_ready(&serial->uart);
}

static void on_quit(void *opaque)
{
	struct serial *serial = opaque;

	vm_request(serial->vm, VM_POWEROFF);
}

static const struct chardev_ops chardev_ops = {
	.room = on_room,
	.input = on_input,
	.drained = on_drained,
	.quit = on_quit,
};

static void on_reset(void *opaque)
{
	struct serial *serial = opaque;

	uart_reset(&serial->uart);
}

static int add_port(struct vm *vm, unsigned int index, const char *name,
		    const struct chardev_option *opt)
{
	struct serial *serial;
	int ret;

	serial = calloc(1, sizeof(*serial));
	if (!serial)
		return -ENOMEM;
	serial->vm = vm;
	serial->pin = places[index].pin;
	uart_init(&serial->uart, &uart_ops, serial);
	ret = chardev_new(vm->loop, name, opt, &chardev_ops, serial, &serial->chardev);
	if (ret) {
		free(serial);
		return ret;
	}
	vm->com[index] = serial;
	serial->reset.fn = on_reset;
	serial->reset.opaque = serial;
	vm_add_reset_hook(vm, &serial->reset);
	return iobus_add(vm->pio, places[index].port, UART_PORTS, &port_ops,
			 serial);
}

int serial_init(struct vm *vm)
{
	int ret;

	ret = add_port(vm, 0, "console", &vm->opt->console);
	if (!ret)
		ret = add_port(vm, 1, "serial", &vm->opt->serial);
	return ret;
}

void serial_exit(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (!vm->com[i])
			continue;
		chardev_free(vm->com[i]->chardev);
		pthread_mutex_destroy(&vm->com[i]->uart.lock);
		free(vm->com[i]);
		vm->com[i] = NULL;
	}
}
