/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI Express as the guest sees it: a host bridge at 00:00.0 and hot-plug capable
 * root ports from 00:01.0 on, each with at most one card behind it, which is
 * function 0 of device 0 on a bus of its own.
 *
 * There is no firmware in the guest, so this does what firmware would have done:
 * from reset on every port has a bus number, a 32-bit memory window and a
 * prefetchable 64-bit one, large enough for any card that may be plugged later.
 * The guest may set them as it likes; only the bus number matters here, memory
 * windows are the guest's bookkeeping.
 *
 * Threads. Config cycles come from any vCPU. Each port has a mutex, under which
 * its registers change and the card's handlers are called (pci_port_ops); so a
 * card that is powered off or gone is not accessed any more once that is visible
 * to the guest. Order: port, then what the card's handlers take (libvbus), then
 * iobus or irq. A callback that runs with a lock of libvbus held must not enter
 * a port.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_CONFIG_SIZE		256	/* of bridges: no extended capabilities */
#define PCI_EXPRESS_CONFIG_SIZE	4096

#define PCI_VENDOR		0x11da
#define PCI_DEVICE_HOST		0x2010
#define PCI_DEVICE_PORT		0x2011

/* Devices 1 to 31 of bus 0 with eight functions each. */
#define PCI_MAX_PORTS		248
/* Of each of a port's two memory windows: bridges can't do with less than 1 MiB. */
#define PCI_WINDOW_SIZE		0x200000ULL

/**
 * struct pci_config - config registers of a bridge
 * @data: as read
 * @writable: bits the guest may set and clear
 * @w1c: bits the guest clears by writing a one
 */
struct pci_config {
	uint8_t data[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];
	uint8_t w1c[PCI_CONFIG_SIZE];
};

/* @off and @len may be anything; bytes beyond the registers read as zero. */
void pci_config_read(const struct pci_config *cfg, uint32_t off, void *buf,
		     size_t len);
void pci_config_write(struct pci_config *cfg, uint32_t off, const void *buf,
		      size_t len);
uint16_t pci_get16(const struct pci_config *cfg, uint32_t off);
uint32_t pci_get32(const struct pci_config *cfg, uint32_t off);
/* Value and writable bits of a register. */
void pci_def8(struct pci_config *cfg, uint32_t off, uint8_t value, uint8_t mask);
void pci_def16(struct pci_config *cfg, uint32_t off, uint16_t value, uint16_t mask);
void pci_def32(struct pci_config *cfg, uint32_t off, uint32_t value, uint32_t mask);
/* Value only. */
void pci_set16(struct pci_config *cfg, uint32_t off, uint16_t value);

/**
 * struct pci_root_config - where the root complex lies and how it speaks
 * @window32: below 4 GiB, room for PCI_WINDOW_SIZE a port
 * @window64: anywhere, likewise
 * @msi: send a message; called with a port's lock held
 * @reset: the guest wrote the reset control register (I/O port 0xcf9)
 * @opaque: for @msi and @reset
 */
struct pci_root_config {
	uint64_t window32;
	uint64_t window64;
	void (*msi)(void *opaque, uint64_t addr, uint32_t data);
	void (*reset)(void *opaque);
	void *opaque;
};

struct pci_root;
struct pci_port;

/* Return: NULL without memory. */
struct pci_root *pci_root_new(const struct pci_root_config *config);
void pci_root_free(struct pci_root *root);

/* As at power-on, with all ports; no vCPU may run. */
void pci_root_reset(struct pci_root *root);

/* A config cycle: @bus, @devfn, @off below 4096. All ones if nothing is there. */
void pci_root_config_read(struct pci_root *root, unsigned int bus,
			  unsigned int devfn, uint32_t off, void *buf, size_t len);
void pci_root_config_write(struct pci_root *root, unsigned int bus,
			   unsigned int devfn, uint32_t off, const void *buf,
			   size_t len);

/*
 * Handlers for the address dispatch. The enhanced configuration window has
 * PCI_ECAM_SIZE bytes, the old mechanism PCI_LEGACY_SIZE I/O ports. They have the
 * form of struct iobus_ops; @opaque is the root.
 */
#define PCI_ECAM_SIZE		0x10000000ULL
#define PCI_LEGACY_PORT		0xcf8
#define PCI_LEGACY_SIZE		8
void pci_ecam_read(void *opaque, uint64_t off, void *data, size_t len);
void pci_ecam_write(void *opaque, uint64_t off, const void *data, size_t len);
void pci_legacy_read(void *opaque, uint64_t off, void *data, size_t len);
void pci_legacy_write(void *opaque, uint64_t off, const void *data, size_t len);

/**
 * struct pci_port_ops - the card in a port's slot
 * @read: config cycle, with its link up; @off below 4096
 * @write: likewise
 * @reset: its link goes down: a conventional reset
 * @release: the guest has let go of the card that pci_port_ask() wanted. The
 *	slot is empty already; another card may be put in.
 *
 * All are called with the port's lock held and must not enter the port.
 */
struct pci_port_ops {
	void (*read)(void *opaque, uint32_t off, void *buf, size_t len);
	void (*write)(void *opaque, uint32_t off, const void *buf, size_t len);
	void (*reset)(void *opaque);
	void (*release)(void *opaque);
};

/*
 * Before the guest runs. @slot is the number that the guest shows for the slot.
 * Ports are numbered in the order they are made.
 *
 * Return: NULL without memory, or if there are PCI_MAX_PORTS.
 */
struct pci_port *pci_port_new(struct pci_root *root, unsigned int slot,
			      const struct pci_port_ops *ops, void *opaque);

/* As at power-on: a card that is there is powered and its link is up. */
void pci_port_reset(struct pci_port *port);

/*
 * Put a card in.
 *
 * Return: true; false: the guest is still busy with the last one. The card is shown
 * when it is done, or by pci_port_insert_now() if it takes too long.
 */
bool pci_port_insert(struct pci_port *port);
void pci_port_insert_now(struct pci_port *port);

/* The card is gone, whatever the guest is doing with it. */
void pci_port_remove(struct pci_port *port);

/*
 * Ask the guest to let go of the card; release() is called when it has, which may be
 * at once. Asking again while it is asked does nothing.
 */
void pci_port_ask(struct pci_port *port);

/* For pci_root.c. */
struct pci_port *pci_port_create(const struct pci_root_config *config,
				 unsigned int index, unsigned int slot,
				 const struct pci_port_ops *ops, void *opaque);
void pci_port_free(struct pci_port *port);
void pci_port_config_read(struct pci_port *port, uint32_t off, void *buf, size_t len);
void pci_port_config_write(struct pci_port *port, uint32_t off, const void *buf,
			   size_t len);
/* The bus behind the port; 0: none. */
unsigned int pci_port_bus(const struct pci_port *port);
void pci_port_card_read(struct pci_port *port, uint32_t off, void *buf, size_t len);
void pci_port_card_write(struct pci_port *port, uint32_t off, const void *buf,
			 size_t len);

#endif /* VMM_PCI_H */
