// SPDX-License-Identifier: GPL-2.0
/* The native fd: opening it, the window, eventfds, and a front that runs. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "uapi.h"

/* Where the guest's pages lie; the device tests have the first five. */
#define QUEUE_AT(i)	((8 + (i)) * PAGE)
#define PAGE_AT(i)	((10 + (i)) * PAGE)

int native_fd = -1;

static int try_native(uint32_t queues, uint32_t pages)
{
	struct vbus_open_native arg = {
		.size = sizeof(arg),
		.nr_queues = queues,
		.nr_pages = pages,
		.bus = NATIVE_BUS,
		.fd = -1,
	};
	int ret = call(bus_fd, VBUS_OPEN_NATIVE, &arg);

	return ret ?: arg.fd;
}

static int bind(unsigned long cmd, uint32_t index, int fd)
{
	struct vbus_native_fd arg = { .size = sizeof(arg), .index = index, .fd = fd };

	return call(native_fd, cmd, &arg);
}

static int reset(void)
{
	struct vbus_native_reset arg = { .size = sizeof(arg) };

	return call(native_fd, VBUS_NATIVE_RESET, &arg);
}

int native_read(uint64_t off, void *buf, size_t len)
{
	ssize_t ret = pread(native_fd, buf, len, off);

	return ret < 0 ? -errno : ret;
}

int native_write(uint64_t off, uint64_t value, size_t len)
{
	uint8_t buf[64] = {};
	ssize_t ret;

	memcpy(buf, &value, sizeof(value));
	ret = pwrite(native_fd, buf, len, off);
	return ret < 0 ? -errno : ret;
}

uint32_t native32(uint64_t off)
{
	uint32_t value = 0xdeadbeef;

	native_read(off, &value, sizeof(value));
	return value;
}

static void test_open(void)
{
	static const struct {
		const char *what;
		uint32_t queues;
		uint32_t pages;
	} bad[] = {
		{ "no queues", 0, 1 },
		{ "a queue too many", VBUS_NATIVE_MAX_QUEUES + 1, 1 },
		{ "most queues", UINT32_MAX, 1 },
		{ "no pages", 1, 0 },
		{ "a page too many", 1, VBUS_NATIVE_MAX_PAGES + 1 },
		{ "most pages", 1, UINT32_MAX },
		{ "neither", 0, 0 },
	};
	struct vbus_open_native *ro = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit old, none;
	size_t i;
	int fds;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(EINVAL, try_native(bad[i].queues, bad[i].pages),
		       "OPEN_NATIVE: %s", bad[i].what);
	ro->size = sizeof(*ro);
	ro->nr_queues = 1;
	ro->nr_pages = 1;
	mprotect(ro, PAGE, PROT_READ);
	/* It must not stay open when nobody learns of the fd. */
	REFUSE(EFAULT, call(bus_fd, VBUS_OPEN_NATIVE, ro),
	       "OPEN_NATIVE: read-only argument");
	munmap(ro, PAGE);

	fds = dup(bus_fd);
	close(fds);
	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_cur = fds;
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	fds = try_native(1, 1);
	setrlimit(RLIMIT_NOFILE, &old);
	result(fds == -EMFILE, "something else", "OPEN_NATIVE: no fd left: EMFILE");

	native_fd = try_native(VBUS_NATIVE_MAX_QUEUES, VBUS_NATIVE_MAX_PAGES);
	WORKS(native_fd, "OPEN_NATIVE: as much as there may be");
	close(native_fd);
	native_fd = try_native(NATIVE_QUEUES, NATIVE_PAGES);
	WORKS(native_fd, "OPEN_NATIVE: again after close");
	result(fcntl(native_fd, F_GETFD) == FD_CLOEXEC, "inherited",
	       "OPEN_NATIVE: the fd is closed on exec");
	REFUSE(EBUSY, try_native(1, 1), "OPEN_NATIVE: open already");
}

static void test_reads(void)
{
	static const struct {
		const char *what;
		uint64_t off;
		size_t len;
	} reads[] = {
		{ "nothing", 0, 0 },
		{ "a byte", VBUS_NREG_MAGIC, 1 },
		{ "half a register", VBUS_NREG_MAGIC, 2 },
		{ "three words", VBUS_NREG_MAGIC, 12 },
		{ "a page", 0, PAGE },
		{ "across registers", VBUS_NREG_MAGIC + 2, 4 },
		{ "64 bits unaligned", VBUS_NREG_QUEUE(0) + 4, 8 },
		{ "over the end of the window", VBUS_NATIVE_WINDOW_SIZE - 2, 4 },
		{ "past the window", VBUS_NATIVE_WINDOW_SIZE, 4 },
		{ "far past the window", 1ULL << 32, 4 },
		{ "a negative offset", -4ULL, 4 },
	};
	uint8_t buf[PAGE];
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(reads); i++)
		REFUSE(EINVAL, native_read(reads[i].off, buf, reads[i].len),
		       "native window: read %s", reads[i].what);
	REFUSE(EFAULT, native_read(0, hole, 4), "native window: read to nowhere");
	state_mark();
	ret = lseek(native_fd, 4, SEEK_SET);
	refused(-ESPIPE, ret < 0 ? -errno : ret, "native window: seek");
	state_mark();
	ret = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, native_fd, 0) == MAP_FAILED ?
	      -errno : 0;
	refused(-ENODEV, ret, "native window: mmap");

	result(native32(VBUS_NREG_MAGIC) == VBUS_NATIVE_MAGIC &&
	       native32(VBUS_NREG_VERSION) == VBUS_NATIVE_VERSION &&
	       native32(VBUS_NREG_NR_QUEUES) == NATIVE_QUEUES &&
	       native32(VBUS_NREG_NR_PAGES) == NATIVE_PAGES &&
	       native32(VBUS_NREG_NR_SLOTS) == VBUS_NATIVE_MAX_SLOTS &&
	       native32(VBUS_NREG_BUS) == NATIVE_BUS &&
	       native32(VBUS_NREG_STATUS) == 0, "other values",
	       "native window: what it says");
	result(native32(0x80) == 0 && native32(VBUS_NREG_DOORBELL(0)) == 0 &&
	       native32(VBUS_NREG_QUEUE(NATIVE_QUEUES)) == 0 &&
	       native32(VBUS_NREG_PAGE(NATIVE_PAGES)) == 0 &&
	       native32(VBUS_NATIVE_WINDOW_SIZE - 4) == 0, "not zero",
	       "native window: holes read as zero");
}

static void test_writes(void)
{
	static const struct {
		const char *what;
		uint64_t off;
		uint64_t value;
		size_t len;
	} writes[] = {
		{ "nothing", VBUS_NREG_STATUS, 0, 0 },
		{ "a byte", VBUS_NREG_STATUS, 1, 1 },
		{ "two bytes", VBUS_NREG_STATUS, 1, 2 },
		{ "64 bits to STATUS", VBUS_NREG_STATUS, 1, 8 },
		{ "sixteen bytes", VBUS_NREG_QUEUE(0), 1, 16 },
		{ "unaligned", VBUS_NREG_STATUS + 1, 1, 4 },
		{ "64 bits unaligned", VBUS_NREG_QUEUE(0) + 4, 1, 8 },
		{ "magic", VBUS_NREG_MAGIC, 1, 4 },
		{ "version", VBUS_NREG_VERSION, 2, 4 },
		{ "number of queues", VBUS_NREG_NR_QUEUES, 1, 4 },
		{ "number of pages", VBUS_NREG_NR_PAGES, 1, 4 },
		{ "number of slots", VBUS_NREG_NR_SLOTS, 1, 4 },
		{ "number of the bus", VBUS_NREG_BUS, 1, 4 },
		{ "unknown status", VBUS_NREG_STATUS, 2, 4 },
		{ "RUNNING and unknown", VBUS_NREG_STATUS, 3, 4 },
		{ "highest status", VBUS_NREG_STATUS, 1U << 31, 4 },
		{ "a hole", 0x80, 1, 4 },
		{ "a queue there is not", VBUS_NREG_QUEUE(NATIVE_QUEUES), GUEST_BASE + 1, 8 },
		{ "the last queue", VBUS_NREG_QUEUE(7), GUEST_BASE + 1, 8 },
		{ "a page there is not", VBUS_NREG_PAGE(NATIVE_PAGES), GUEST_BASE + 1, 8 },
		{ "the last page", VBUS_NREG_PAGE(511), GUEST_BASE + 1, 8 },
		{ "a queue with other bits", VBUS_NREG_QUEUE(0), GUEST_BASE + 3, 8 },
		{ "an odd address of a queue", VBUS_NREG_QUEUE(0), GUEST_BASE + 64, 8 },
		{ "an odd lower half", VBUS_NREG_QUEUE(0), 0x801, 4 },
		{ "a page with other bits", VBUS_NREG_PAGE(0), GUEST_BASE + 2, 8 },
		{ "an odd address of a page", VBUS_NREG_PAGE(0), GUEST_BASE + 2048, 8 },
		{ "a doorbell there is not", VBUS_NREG_DOORBELL(NATIVE_PAGES), 1, 4 },
		{ "the last doorbell", VBUS_NREG_DOORBELL(511), 1, 4 },
		{ "64 bits of doorbells", VBUS_NREG_DOORBELL(0), 1, 8 },
		{ "a doorbell, unaligned", VBUS_NREG_DOORBELL(0) + 2, 1, 4 },
		{ "past the window", VBUS_NATIVE_WINDOW_SIZE, 1, 4 },
		{ "a negative offset", -4ULL, 1, 4 },
	};
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(writes); i++)
		REFUSE(EINVAL, native_write(writes[i].off, writes[i].value,
					    writes[i].len),
		       "native window: write %s", writes[i].what);
	state_mark();
	ret = pwrite(native_fd, hole, 4, VBUS_NREG_STATUS);
	refused(-EFAULT, ret < 0 ? -errno : ret, "native window: write from nowhere");
	/* Doorbells at rest are no error. */
	REFUSE(0, native_write(VBUS_NREG_DOORBELL(0), 1, 4) - 4,
	       "native window: doorbell at rest");
	REFUSE(0, native_write(VBUS_NREG_IDLE_DOORBELL, 1, 4) - 4,
	       "native window: idle doorbell");

	WORKS(native_write(VBUS_NREG_PAGE(1) + 4, 0x12345678, 4),
	      "native window: high half");
	WORKS(native_write(VBUS_NREG_PAGE(1), 0x9abcd001, 4), "native window: low half");
	result(native32(VBUS_NREG_PAGE(1)) == 0x9abcd001 &&
	       native32(VBUS_NREG_PAGE(1) + 4) == 0x12345678, "other values",
	       "native window: both halves are there");
	WORKS(native_write(VBUS_NREG_STATUS, 0, 4), "native window: STATUS 0");
	result(native32(VBUS_NREG_PAGE(1)) == 0 && native32(VBUS_NREG_PAGE(1) + 4) == 0,
	       "they are not", "native window: registers are 0 after it");
}

static void test_fds(unsigned long cmd, const char *name, uint32_t limit)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	REFUSE(EINVAL, bind(cmd, limit, event), "%s: first index out of range", name);
	REFUSE(EINVAL, bind(cmd, UINT32_MAX, event), "%s: largest index", name);
	REFUSE(EINVAL, bind(cmd, limit, -1), "%s: unbind out of range", name);
	REFUSE(EBADF, bind(cmd, 0, closed_fd()), "%s: closed fd", name);
	REFUSE(EBADF, bind(cmd, 0, INT32_MAX), "%s: largest fd", name);
	other_fd();
	REFUSE(EINVAL, bind(cmd, 0, other_fd()), "%s: not an eventfd", name);
	REFUSE(EINVAL, bind(cmd, 0, native_fd), "%s: the front itself", name);
	REFUSE(EINVAL, bind(cmd, 0, -2), "%s: fd -2", name);
	REFUSE(EINVAL, bind(cmd, 0, INT32_MIN), "%s: least fd", name);
	WORKS(bind(cmd, 0, event), "%s", name);
	WORKS(bind(cmd, limit - 1, event), "%s: the same for another", name);
	WORKS(bind(cmd, 0, event), "%s: bound again", name);
	WORKS(bind(cmd, 0, -1), "%s: unbound", name);
	WORKS(bind(cmd, 0, -1), "%s: unbound twice", name);
	/* The other one stays bound to an eventfd that is closed. */
	close(event);
}

void test_native(void)
{
	test_open();
	test_reads();
	test_writes();
	test_fds(VBUS_NATIVE_SET_IRQ, "NATIVE_SET_IRQ", NATIVE_QUEUES);
	test_fds(VBUS_NATIVE_SET_DOORBELL, "NATIVE_SET_DOORBELL", NATIVE_PAGES);
}

/*
 * A front that runs: queue 0 and page 0, without priorities.
 */
static int irq, bell;
static uint32_t seq;

static struct vbus_event_queue *queue(void)
{
	return (void *)(guest + QUEUE_AT(0));
}

static struct vbus_call_page *page(void)
{
	return (void *)(guest + PAGE_AT(0));
}

static bool event_comes(void)
{
	struct pollfd p = { .fd = irq, .events = POLLIN };
	uint64_t count;

	return poll(&p, 1, 10000) == 1 && read(irq, &count, sizeof(count)) == 8;
}

/* Is the event there? It is taken, and the queue is idle afterwards. */
static bool take(uint32_t event)
{
	uint64_t bit = 1ULL << (event % 64);
	bool there = __atomic_fetch_and(&queue()->pending[event / 64], ~bit,
					__ATOMIC_SEQ_CST) & bit;

	__atomic_store_n(&queue()->select, 0, __ATOMIC_SEQ_CST);
	return there;
}

static void ring_bell(void)
{
	uint64_t one = 1;

	if (write(bell, &one, sizeof(one)) != sizeof(one))
		perror("doorbell");
}

/* The result of a call, a positive errno, or -1 without an answer. */
static int fast(uint32_t func, uint32_t slot)
{
	struct vbus_call *c = &page()->fast;

	c->func = func;
	c->slot = slot;
	__atomic_store_n(&c->seq, ++seq, __ATOMIC_RELEASE);
	ring_bell();
	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE) == seq ? (int)c->result : -1;
}

static int slow(uint32_t func, uint32_t slot, uint64_t arg)
{
	struct vbus_call *c = &page()->slow;
	unsigned int tries;

	c->func = func;
	c->slot = slot;
	c->arg[0] = arg;
	__atomic_store_n(&c->seq, ++seq, __ATOMIC_RELEASE);
	ring_bell();
	/* Other events interrupt, too. */
	for (tries = 0; tries < 10 && !take(VBUS_NEVENT_CALL(0)); tries++)
		if (!event_comes())
			break;
	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE) == seq ? (int)c->result : -1;
}

static uint32_t plugs(void)
{
	struct vbus_slot_info info;

	if (slow(VBUS_FN_SLOT, SLOT_NULL, 0))
		return 0;
	memcpy(&info, page()->data, sizeof(info));
	return info.plugs;
}

static void set_pages(uint64_t at_queue, uint64_t at_page)
{
	native_write(VBUS_NREG_STATUS, 0, 4);
	if (at_queue)
		native_write(VBUS_NREG_QUEUE(0), at_queue | VBUS_NATIVE_ENABLE, 8);
	if (at_page)
		native_write(VBUS_NREG_PAGE(0), at_page | VBUS_NATIVE_ENABLE, 8);
}

/* A start that fails is a reset: the guest begins anew. */
static void test_no_start(void)
{
	static const struct {
		const char *what;
		uint64_t queue;
		uint64_t page;
		int err;
	} bad[] = {
		{ "nothing enabled", 0, 0, EINVAL },
		{ "no call page", GUEST_BASE + QUEUE_AT(0), 0, EINVAL },
		{ "no event queue", 0, GUEST_BASE + PAGE_AT(0), EINVAL },
		{ "queue nowhere", PAGE, GUEST_BASE + PAGE_AT(0), EFAULT },
		{ "page nowhere", GUEST_BASE + QUEUE_AT(0), PAGE, EFAULT },
		{ "queue past the end", GUEST_BASE + GUEST_PAGES * PAGE,
		  GUEST_BASE + PAGE_AT(0), EFAULT },
		{ "page at the very end", GUEST_BASE + QUEUE_AT(0), -PAGE, EFAULT },
	};
	struct vbus_mem_region ro = {
		.size = sizeof(ro),
		.flags = VBUS_MEM_RDONLY,
		.guest_addr = 0,
		.length = PAGE,
		.user_addr = (uintptr_t)guest,
	};
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		set_pages(bad[i].queue, bad[i].page);
		ret = native_write(VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING, 4);
		result(ret == -bad[i].err && !native32(VBUS_NREG_STATUS) &&
		       !native32(VBUS_NREG_QUEUE(0)) && !native32(VBUS_NREG_PAGE(0)),
		       "answered otherwise, or not reset", "native start: %s: %s",
		       bad[i].what, strerrorname_np(bad[i].err));
	}
	WORKS(call(bus_fd, VBUS_MEM_ADD, &ro), "memory that devices may only read");
	native_write(VBUS_NREG_QUEUE(0), 0 | VBUS_NATIVE_ENABLE, 8);
	native_write(VBUS_NREG_PAGE(0), (GUEST_BASE + PAGE_AT(0)) | VBUS_NATIVE_ENABLE, 8);
	ret = native_write(VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING, 4);
	result(ret == -EFAULT, "answered otherwise", "native start: queue there: EFAULT");
	ro.flags = 0;
	ro.user_addr = 0;
	WORKS(call(bus_fd, VBUS_MEM_DEL, &ro), "take it away");
}

static void test_start(void)
{
	memset(guest + QUEUE_AT(0), 0, PAGE);
	memset(guest + PAGE_AT(0), 0, PAGE);
	seq = 0;
	set_pages(GUEST_BASE + QUEUE_AT(0), GUEST_BASE + PAGE_AT(0));
	WORKS(native_write(VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING, 4), "native start");
	result(native32(VBUS_NREG_STATUS) == VBUS_NATIVE_RUNNING, "it does not",
	       "STATUS says so");
	result(event_comes() && take(VBUS_NEVENT_SLOT(SLOT_NULL)), "nothing comes",
	       "the event of the slot with a device comes");
}

static void test_running(void)
{
	struct vbus_mem_region del = {
		.size = sizeof(del),
		.guest_addr = GUEST_BASE,
		.length = GUEST_PAGES * PAGE,
	};

	result(fast(VBUS_FN_NOP, 0) == 0, "no answer", "a fast call");
	result(slow(VBUS_FN_SLOW_NOP, 0, 0) == 0, "no answer", "a slow call");
	REFUSE(EBUSY, native_write(VBUS_NREG_QUEUE(0), 0, 8), "queue while running");
	REFUSE(EBUSY, native_write(VBUS_NREG_QUEUE(1), GUEST_BASE + 1, 8),
	       "another queue while running");
	REFUSE(EBUSY, native_write(VBUS_NREG_PAGE(0) + 4, 1, 4), "page while running");
	REFUSE(EINVAL, native_write(VBUS_NREG_STATUS, 3, 4), "unknown status while running");
	REFUSE(0, native_write(VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING, 4) - 4,
	       "RUNNING while running");
	REFUSE(EBUSY, call(bus_fd, VBUS_MEM_DEL, &del), "MEM_DEL: under a queue and a page");
	/* A refused binding leaves the one there is. */
	REFUSE(EINVAL, bind(VBUS_NATIVE_SET_IRQ, 0, other_fd()),
	       "NATIVE_SET_IRQ: over a bound one");
	REFUSE(EBADF, bind(VBUS_NATIVE_SET_DOORBELL, 0, closed_fd()),
	       "NATIVE_SET_DOORBELL: over a bound one");
	result(slow(VBUS_FN_SLOW_NOP, 0, 0) == 0, "no answer", "both still work");

	WORKS(bind(VBUS_NATIVE_SET_DOORBELL, 0, -1), "page without an eventfd");
	result(fast(VBUS_FN_NOP, 0) == -1, "answered", "no call while unbound");
	WORKS(native_write(VBUS_NREG_DOORBELL(0), 0, 4), "the window's doorbell");
	result(page()->fast.done == seq, "no answer", "the call is answered then");
	WORKS(bind(VBUS_NATIVE_SET_DOORBELL, 0, bell), "eventfd bound again");

	WORKS(bind(VBUS_NATIVE_SET_IRQ, 0, -1), "queue without an eventfd");
	__atomic_store_n(&page()->slow.seq, ++seq, __ATOMIC_RELEASE);
	ring_bell();
	while (__atomic_load_n(&page()->slow.done, __ATOMIC_ACQUIRE) != seq ||
	       !__atomic_load_n(&queue()->select, __ATOMIC_SEQ_CST))
		usleep(1000);
	usleep(10000);
	WORKS(bind(VBUS_NATIVE_SET_IRQ, 0, irq), "eventfd of the queue bound again");
	result(event_comes() && take(VBUS_NEVENT_CALL(0)), "lost",
	       "the interrupt comes with the binding");
}

/* A device is the VMM's or the guest's, never both. */
static void test_owner(void)
{
	struct vbus_open_slot arg = {
		.size = sizeof(arg),
		.slot = SLOT_NULL,
		.fd = -1,
	};
	uint32_t nr = plugs();

	result(nr != 0, "it has none", "the device has a plug count");
	result(slow(VBUS_FN_OPEN, SLOT_NULL, nr) == EBUSY, "answered otherwise",
	       "OPEN: the VMM has it: EBUSY");
	close(dev_fd);
	dev_fd = -1;
	result(event_comes() && take(VBUS_NEVENT_SLOT(SLOT_NULL)), "nothing comes",
	       "the guest hears that it is free");
	result(slow(VBUS_FN_OPEN, SLOT_NULL, nr + 1) == ESTALE, "answered otherwise",
	       "OPEN: another plug count: ESTALE");
	result(slow(VBUS_FN_OPEN, SLOT_NULL, nr) == 0, "refused", "OPEN");
	REFUSE(EBUSY, call(bus_fd, VBUS_OPEN_SLOT, &arg), "OPEN_SLOT: the guest has it");
	WORKS(reset(), "NATIVE_RESET");
	result(native32(VBUS_NREG_STATUS) == 0 && native32(VBUS_NREG_QUEUE(0)) == 0,
	       "registers keep values", "it stops the front");
	result(fast(VBUS_FN_NOP, 0) == -1, "answered", "no call is answered then");
	WORKS(call(bus_fd, VBUS_OPEN_SLOT, &arg), "OPEN_SLOT: the device is free");
	dev_fd = arg.fd;
}

void test_native_run(void)
{
	test_no_start();
	irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	WORKS(bind(VBUS_NATIVE_SET_IRQ, 0, irq), "eventfd of the queue");
	WORKS(bind(VBUS_NATIVE_SET_DOORBELL, 0, bell), "eventfd of the page");
	test_start();
	test_running();
	test_owner();
	/* The bindings are the VMM's, not the guest's: they outlive a reset. */
	test_start();
	result(fast(VBUS_FN_NOP, 0) == 0, "no answer", "a call after all that");
}

/* The bus fd has been closed with the front running. */
void test_native_gone(void)
{
	uint32_t word;

	result(native_read(0, &word, 4) == -ENODEV, "answered otherwise",
	       "front without its bus, read: ENODEV");
	result(native_write(VBUS_NREG_STATUS, 0, 4) == -ENODEV, "answered otherwise",
	       "front without its bus, write: ENODEV");
	result(native_write(VBUS_NREG_DOORBELL(0), 0, 4) == -ENODEV, "answered otherwise",
	       "front without its bus, doorbell: ENODEV");
	result(reset() == -ENODEV, "answered otherwise",
	       "front without its bus, NATIVE_RESET: ENODEV");
	result(bind(VBUS_NATIVE_SET_IRQ, 0, irq) == -ENODEV, "answered otherwise",
	       "front without its bus, NATIVE_SET_IRQ: ENODEV");
	result(bind(VBUS_NATIVE_SET_DOORBELL, 0, bell) == -ENODEV, "answered otherwise",
	       "front without its bus, NATIVE_SET_DOORBELL: ENODEV");
	result(fast(VBUS_FN_NOP, 0) == -1, "answered", "front without its bus, no call");
	close(native_fd);
	native_fd = -1;
}
