// SPDX-License-Identifier: GPL-2.0
/*
 * Address dispatch. The table is sorted by address and never changes once it can
 * be seen: a change copies it under iobus->lock, publishes the copy, and leaves the
 * old one to call_rcu(), because synchronize_rcu() could deadlock with a caller
 * that is itself in a read-side section (a library's callback, say).
 */
#include "iobus.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-bp.h>

struct region {
	uint64_t addr;
	uint64_t last;	/* last byte: a region may end at 2^64 */
	const struct iobus_ops *ops;
	void *opaque;
};

struct table {
	struct rcu_head rcu;
	size_t nr;
	struct region region[];
};

struct iobus {
	pthread_mutex_t lock;
	struct table *table;	/* RCU, written under lock */
};

struct iobus *iobus_new(void)
{
	struct iobus *bus = malloc(sizeof(*bus));

	if (!bus)
		return NULL;
	bus->table = calloc(1, sizeof(*bus->table));
	if (!bus->table) {
		free(bus);
		return NULL;
	}
	pthread_mutex_init(&bus->lock, NULL);
	return bus;
}

void iobus_free(struct iobus *bus)
{
	if (!bus)
		return;
	free(bus->table);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}

static void table_free(struct rcu_head *rcu)
{
	free(caa_container_of(rcu, struct table, rcu));
}

/* The first region that ends at @addr or behind it; table->nr if there is none. */
static size_t table_find(const struct table *table, uint64_t addr)
{
	size_t low = 0, high = table->nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (table->region[mid].last < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* bus->lock is held. */
static void table_publish(struct iobus *bus, struct table *table)
{
	struct table *old = bus->table;

	rcu_assign_pointer(bus->table, table);
	call_rcu(&old->rcu, table_free);
}

static struct table *table_new(size_t nr)
{
	struct table *table;

	table = malloc(sizeof(*table) + nr * sizeof(table->region[0]));
	if (table)
		table->nr = nr;
	return table;
}

int iobus_add(struct iobus *bus, uint64_t addr, uint64_t size,
	      const struct iobus_ops *ops, void *opaque)
{
	uint64_t last = addr + size - 1;
	struct table *old, *table;
	int ret = -EEXIST;
	size_t at;

	if (!size || last < addr)
		return -EINVAL;
	pthread_mutex_lock(&bus->lock);
	old = bus->table;
	at = table_find(old, addr);
	if (at < old->nr && old->region[at].addr <= last)
		goto out;
	ret = -ENOMEM;
	table = table_new(old->nr + 1);
	if (!table)
		goto out;
	memcpy(table->region, old->region, at * sizeof(old->region[0]));
	table->region[at] = (struct region){ addr, last, ops, opaque };
	memcpy(&table->region[at + 1], &old->region[at],
	       (old->nr - at) * sizeof(old->region[0]));
	table_publish(bus, table);
	ret = 0;
out:
	pthread_mutex_unlock(&bus->lock);
	return ret;
}

int iobus_del(struct iobus *bus, uint64_t addr)
{
	struct table *old, *table;
	int ret = -ENOENT;
	size_t at;

	pthread_mutex_lock(&bus->lock);
	old = bus->table;
	at = table_find(old, addr);
	if (at == old->nr || old->region[at].addr != addr)
		goto out;
	ret = -ENOMEM;
	table = table_new(old->nr - 1);
	if (!table)
		goto out;
	memcpy(table->region, old->region, at * sizeof(old->region[0]));
	memcpy(&table->region[at], &old->region[at + 1],
	       (table->nr - at) * sizeof(old->region[0]));
	table_publish(bus, table);
	ret = 0;
out:
	pthread_mutex_unlock(&bus->lock);
	return ret;
}

/* Copies the region out, so that the handler runs outside of the section. */
static bool iobus_find(struct iobus *bus, uint64_t addr, size_t len,
		       struct region *region)
{
	const struct table *table;
	bool found = false;
	size_t at;

	rcu_read_lock();
	table = rcu_dereference(bus->table);
	at = table_find(table, addr);
	if (at < table->nr) {
		*region = table->region[at];
		found = region->addr <= addr && region->last - addr >= len - 1;
	}
	rcu_read_unlock();
	return found;
}

bool iobus_read(struct iobus *bus, uint64_t addr, void *data, size_t len)
{
	struct region region;

	memset(data, 0xff, len);
	if (!iobus_find(bus, addr, len, &region))
		return false;
	if (region.ops->read)
		region.ops->read(region.opaque, addr - region.addr, data, len);
	return true;
}

bool iobus_write(struct iobus *bus, uint64_t addr, const void *data, size_t len)
{
	struct region region;

	if (!iobus_find(bus, addr, len, &region))
		return false;
	if (region.ops->write)
		region.ops->write(region.opaque, addr - region.addr, data, len);
	return true;
}
