/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address dispatch: which handler answers an access of the guest.
 *
 * There are two of these in a machine, vm->mmio and vm->pio. Regions come and go
 * while vCPUs dispatch: the table is immutable, replaced as a whole under a
 * mutex, and read under RCU (liburcu-bp, no thread needs registering).
 *
 * A handler is called outside of the RCU read-side section, with no lock held: it
 * may add and remove regions, its own included. The price: a handler may still
 * be running, or be called once more, by another vCPU after iobus_del() has
 * returned. So what @opaque points to must live as long as the machine, and a
 * handler must answer sensibly when its device is gone (all ones).
 */
#ifndef VMM_IOBUS_H
#define VMM_IOBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iobus;

/**
 * struct iobus_ops - handlers of one region
 * @read: fill @data (little-endian, as the guest's registers). It holds all ones
 *	already: return without touching it if nothing answers. NULL: all ones.
 * @write: NULL: ignored
 *
 * @off is relative to the region; off + len never exceeds it. @len: 1, 2, 4 or 8
 * on MMIO (other lengths are split before), 1, 2 or 4 on PIO. @off need not be
 * a multiple of @len.
 */
struct iobus_ops {
	void (*read)(void *opaque, uint64_t off, void *data, size_t len);
	void (*write)(void *opaque, uint64_t off, const void *data, size_t len);
};

struct iobus *iobus_new(void);
/* No other thread may be in the bus. */
void iobus_free(struct iobus *bus);

/*
 * iobus_add() - let @ops answer for [addr, addr + size)
 *
 * Return: 0; -EEXIST it overlaps another region; -EINVAL size is 0 or the range
 * wraps; -ENOMEM.
 */
int iobus_add(struct iobus *bus, uint64_t addr, uint64_t size,
	      const struct iobus_ops *ops, void *opaque);

/*
 * iobus_del() - take back the region that begins at @addr
 *
 * Return: 0; -ENOENT; -ENOMEM, and the region stays.
 */
int iobus_del(struct iobus *bus, uint64_t addr);

/*
 * Return: whether a region answers for the whole access. If not, *data is all
 * ones after a read and a write is dropped.
 */
bool iobus_read(struct iobus *bus, uint64_t addr, void *data, size_t len);
bool iobus_write(struct iobus *bus, uint64_t addr, const void *data, size_t len);

#endif /* VMM_IOBUS_H */
