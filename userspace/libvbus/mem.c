// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Guest memory.  The kernel keeps the table; here is what a refusal means in words.
 * Callers serialise, as libvbus.h says.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include "private.h"

static uint64_t lvb_mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

static void lvb_mem_explain_limit(struct libvbus *bus, uint64_t length)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_cur == RLIM_INFINITY) {
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: no memory to pin %" PRIu64 " MiB of guest memory",
			bus->name, lvb_mib(length));
		return;
	}
	/* In KiB, as "ulimit -l" wants it. */
	lvb_log(bus, LIBVBUS_LOG_ERROR,
		"bus %s: can't pin %" PRIu64 " MiB of guest memory: RLIMIT_MEMLOCK is %" PRIu64
		" KiB, and at least %" PRIu64 " KiB are needed, %" PRIu64
		" KiB of it for what was pinned before; what other processes of this user have pinned counts, too. Raise it (\"ulimit -l\", \"memlock\" in /etc/security/limits.conf, LimitMEMLOCK= of a systemd unit), or run with CAP_IPC_LOCK",
		bus->name, lvb_mib(length), (uint64_t)limit.rlim_cur >> 10,
		(bus->mem_bytes + length) >> 10, bus->mem_bytes >> 10);
}

static const char *lvb_mem_why(int err)
{
	switch (err) {
	case EINVAL:
		return "address and length must be multiples of the page size and not wrap around";
	case EEXIST:
		return "it overlaps memory that was added before";
	case ENOSPC:
		return "too many regions";
	case EFAULT:
		return "not all of it is mapped in this process, or not writable";
	case EOPNOTSUPP:
		return "it is the page cache of a file; use a memfd, tmpfs or hugetlbfs";
	case EPERM:
		return "only the process that opened the bus can add memory";
	case ENOENT:
		return "no region with just that address and length";
	case EBUSY:
		return "a device uses it for its rings";
	}
	return strerror(err);
}

int libvbus_mem_add(struct libvbus *bus, uint64_t guest_addr, uint64_t length,
		    void *mem, bool read_only)
{
	int ret;

	ret = bus->io->ops->mem_add(bus->io, guest_addr, length, mem, read_only);
	if (!ret) {
		bus->mem_bytes += length;
		return 0;
	}
	if (ret == -ENOMEM)
		lvb_mem_explain_limit(bus, length);
	else
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: guest memory 0x%" PRIx64 "+0x%" PRIx64 " was refused: %s",
			bus->name, guest_addr, length, lvb_mem_why(-ret));
	return ret;
}

int libvbus_mem_del(struct libvbus *bus, uint64_t guest_addr, uint64_t length)
{
	int ret;

	ret = bus->io->ops->mem_del(bus->io, guest_addr, length);
	if (!ret)
		bus->mem_bytes -= length;
	else
		lvb_log(bus, LIBVBUS_LOG_ERROR,
			"bus %s: guest memory 0x%" PRIx64 "+0x%" PRIx64 " stays: %s",
			bus->name, guest_addr, length, lvb_mem_why(-ret));
	return ret;
}
