// SPDX-License-Identifier: GPL-2.0
/* The device fd: registers, eventfds, attributes, and a device that runs. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vbus/ring.h>
#include "uapi.h"

#define Q(q, reg)	(VBUS_REG_QUEUE(q) + VBUS_QREG_##reg)

static int bind(unsigned long cmd, uint32_t nr, int fd)
{
	struct vbus_dev_irq arg = { .size = sizeof(arg), .vector = nr, .fd = fd };

	return call(dev_fd, cmd, &arg);
}

static int reset(void)
{
	struct vbus_dev_reset arg = { .size = sizeof(arg) };

	return call(dev_fd, VBUS_DEV_RESET, &arg);
}

static void test_regs(void)
{
	static const struct {
		const char *what;
		uint64_t off;
		size_t len;
		int err;
	} reads[] = {
		{ "nothing", 0, 0, EINVAL },
		{ "a byte of a register", VBUS_REG_MAGIC, 1, EINVAL },
		{ "half a register", VBUS_REG_MAGIC, 2, EINVAL },
		{ "three bytes", VBUS_REG_MAGIC, 3, EINVAL },
		{ "three words", VBUS_REG_MAGIC, 12, EINVAL },
		{ "across registers", VBUS_REG_MAGIC + 2, 4, EINVAL },
		{ "64 bits unaligned", VBUS_REG_MAGIC + 4, 8, EINVAL },
		{ "into the alias", VBUS_REG_ALIAS - 1, 2, EINVAL },
		{ "past the alias", VBUS_REG_ALIAS, VBUS_ALIAS_SIZE + 1, EINVAL },
		{ "bytes past the config space", VBUS_REG_CONFIG, 1, EINVAL },
		{ "the end of the window", VBUS_WINDOW_SIZE - 2, 4, EINVAL },
		{ "past the window", VBUS_WINDOW_SIZE, 4, EINVAL },
		{ "far past the window", 1ULL << 32, 4, EINVAL },
		{ "a negative offset", -4ULL, 4, EINVAL },
		{ "the whole window", 0, VBUS_WINDOW_SIZE, EINVAL },
	};
	static const struct {
		const char *what;
		uint64_t off;
		uint64_t value;
		size_t len;
		int err;
	} writes[] = {
		{ "nothing", VBUS_REG_STATUS, 0, 0, EINVAL },
		{ "a byte", VBUS_REG_STATUS, 1, 1, EINVAL },
		{ "two bytes", VBUS_REG_STATUS, 1, 2, EINVAL },
		{ "64 bits over two registers", VBUS_REG_STATUS, 1, 8, EINVAL },
		{ "sixteen bytes", VBUS_REG_ACCEPTED, 1, 16, EINVAL },
		{ "unaligned", VBUS_REG_STATUS + 1, 1, 4, EINVAL },
		{ "64 bits unaligned", VBUS_REG_ACCEPTED + 4, 1, 8, EINVAL },
		{ "magic", VBUS_REG_MAGIC, 1, 4, EINVAL },
		{ "version", VBUS_REG_VERSION, 2, 4, EINVAL },
		{ "class", VBUS_REG_CLASS, 1, 4, EINVAL },
		{ "offered features", VBUS_REG_FEATURES, 1, 4, EINVAL },
		{ "number of queues", VBUS_REG_NR_QUEUES, 1, 4, EINVAL },
		{ "slot", VBUS_REG_SLOT, 1, 4, EINVAL },
		{ "unknown hold", VBUS_REG_HOLD, 2, 4, EINVAL },
		{ "hold and unknown", VBUS_REG_HOLD, 1U << 31 | 1, 4, EINVAL },
		{ "64 bits of slot and hold", VBUS_REG_SLOT, 1, 8, EINVAL },
		{ "alias", VBUS_REG_ALIAS, 1, 4, EINVAL },
		{ "config space", VBUS_REG_CONFIG, 1, 4, EINVAL },
		{ "a hole", 0x100, 1, 4, EINVAL },
		{ "past the window", VBUS_WINDOW_SIZE, 1, 4, EINVAL },
		{ "a negative offset", -4ULL, 1, 4, EINVAL },
		{ "vector out of range", VBUS_REG_CONFIG_VECTOR, NR_VECTORS, 4, EINVAL },
		{ "unknown status", VBUS_REG_STATUS, 0x80, 4, EINVAL },
		{ "unknown high status", VBUS_REG_STATUS, 1U << 31, 4, EINVAL },
		{ "NEEDS_RESET and unknown", VBUS_REG_STATUS, 0x48, 4, EINVAL },
		{ "FEATURES_OK without DRIVER", VBUS_REG_STATUS, 2, 4, EINVAL },
		{ "RUNNING alone", VBUS_REG_STATUS, 4, 4, EINVAL },
		{ "RUNNING without FEATURES_OK", VBUS_REG_STATUS, 5, 4, EINVAL },
		{ "largest ring", Q(0, SIZE_MAX), 1, 4, EINVAL },
		{ "most segments", Q(0, SEG_MAX), 1, 4, EINVAL },
		{ "queue flags", Q(0, FLAGS), 1, 4, EINVAL },
		{ "queue vector out of range", Q(0, VECTOR), NR_VECTORS, 4, EINVAL },
		{ "enable before FEATURES_OK", Q(0, ENABLE), 1, 4, EINVAL },
		{ "enable with 2", Q(0, ENABLE), 2, 4, EINVAL },
		{ "a queue there is not", Q(NR_QUEUES, SIZE), 8, 4, EINVAL },
		{ "the last queue", Q(255, SIZE), 8, 4, EINVAL },
		{ "64 bits of size and more", Q(0, SIZE_MAX), 8, 8, EINVAL },
		{ "64 bits of a queue there is not", Q(NR_QUEUES, RING), 8, 8, EINVAL },
	};
	uint8_t buf[64] = {};
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(reads); i++) {
		state_mark();
		ret = pread(dev_fd, reads[i].len > sizeof(buf) ? hole - PAGE : buf,
			    reads[i].len, reads[i].off);
		refused(-reads[i].err, ret < 0 ? -errno : ret, "read %s", reads[i].what);
	}
	for (i = 0; i < ARRAY_SIZE(writes); i++)
		REFUSE(writes[i].err, reg_write(writes[i].off, writes[i].value,
						writes[i].len),
		       "write %s", writes[i].what);
	state_mark();
	ret = pread(dev_fd, hole, 4, 0);
	refused(-EFAULT, ret < 0 ? -errno : ret, "read to nowhere");
	state_mark();
	ret = pwrite(dev_fd, hole, 4, VBUS_REG_STATUS);
	refused(-EFAULT, ret < 0 ? -errno : ret, "write from nowhere");
	state_mark();
	ret = lseek(dev_fd, 4, SEEK_SET);
	refused(-ESPIPE, ret < 0 ? -errno : ret, "seek of a device");

	result(reg32(VBUS_REG_MAGIC) == VBUS_MAGIC &&
	       reg32(VBUS_REG_CLASS) == VBUS_CLASS_NULL &&
	       reg32(VBUS_REG_NR_QUEUES) == NR_QUEUES &&
	       reg32(VBUS_REG_NR_VECTORS) == NR_VECTORS &&
	       reg32(VBUS_REG_CONFIG_VECTOR) == VBUS_NO_VECTOR &&
	       reg32(VBUS_REG_SLOT) == SLOT_NULL &&
	       reg32(VBUS_REG_STATUS) == 0, "other values", "identity registers");
	memset(buf, 0xff, sizeof(buf));
	result(reg_read(VBUS_REG_ALIAS, buf, VBUS_ALIAS_SIZE) == VBUS_ALIAS_SIZE &&
	       !memcmp(buf, "front\0", 7), "reads otherwise", "alias register");
	result(reg32(0x100) == 0 && reg32(Q(NR_QUEUES, SIZE_MAX)) == 0 &&
	       reg32(VBUS_REG_DOORBELL(0)) == 0, "not zero", "holes read as zero");
	WORKS(reg_write(VBUS_REG_HOLD, VBUS_HOLD_IN_USE, 4), "hold");
	result(reg32(VBUS_REG_HOLD) == VBUS_HOLD_IN_USE, "it does not", "hold reads back");
	WORKS(reset(), "RESET of a device on hold");
	result(reg32(VBUS_REG_HOLD) == 0, "it is still set", "a reset clears hold");
	/* A doorbell of a queue that does not run, or is not there, is no error. */
	REFUSE(0, reg_write(VBUS_REG_DOORBELL(0), 1, 4) - 4, "doorbell at rest");
	REFUSE(0, reg_write(VBUS_REG_DOORBELL(255), 1, 4) - 4, "doorbell of no queue");
}

static void test_fds(unsigned long cmd, const char *name, uint32_t limit)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	REFUSE(EINVAL, bind(cmd, limit, event), "%s: first number out of range", name);
	REFUSE(EINVAL, bind(cmd, UINT32_MAX, event), "%s: largest number", name);
	REFUSE(EINVAL, bind(cmd, limit, -1), "%s: unbind out of range", name);
	REFUSE(EBADF, bind(cmd, 0, closed_fd()), "%s: closed fd", name);
	REFUSE(EBADF, bind(cmd, 0, INT32_MAX), "%s: largest fd", name);
	other_fd();
	REFUSE(EINVAL, bind(cmd, 0, other_fd()), "%s: not an eventfd", name);
	REFUSE(EINVAL, bind(cmd, 0, dev_fd), "%s: the device itself", name);
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

static void test_attrs(void)
{
	static const struct {
		const char *what;
		uint32_t group;
		uint32_t attr;
		uint32_t size;	/* of its value; 0: there is none such */
	} attrs[] = {
		{ "group 0", 0, 0, 0 },
		{ "group 5", 5, 0, 0 },
		{ "largest group", UINT32_MAX, 0, 0 },
		{ "INFO 5", VBUS_GROUP_INFO, 5, 0 },
		{ "INFO largest", VBUS_GROUP_INFO, UINT32_MAX, 0 },
		{ "CONFIG 1", VBUS_GROUP_CONFIG, 1, 0 },
		{ "STATS past the last", VBUS_GROUP_STATS, 1000, 0 },
		{ "STATE of no queue", VBUS_GROUP_STATE, VBUS_STATE_QUEUE(NR_QUEUES), 0 },
		{ "STATE largest but one", VBUS_GROUP_STATE, UINT32_MAX - 1, 0 },
		{ "name", VBUS_GROUP_INFO, VBUS_INFO_NAME, 6 },
		{ "class", VBUS_GROUP_INFO, VBUS_INFO_CLASS, 4 },
		{ "alias", VBUS_GROUP_INFO, VBUS_INFO_ALIAS, 5 },
		{ "number of queues", VBUS_GROUP_INFO, VBUS_INFO_NR_QUEUES, 4 },
		{ "number of vectors", VBUS_GROUP_INFO, VBUS_INFO_NR_VECTORS, 4 },
		{ "counter 0", VBUS_GROUP_STATS, 0, 8 },
		{ "device state", VBUS_GROUP_STATE, VBUS_STATE_DEVICE,
		  sizeof(struct vbus_state_device) },
		{ "queue state", VBUS_GROUP_STATE, VBUS_STATE_QUEUE(NR_QUEUES - 1),
		  sizeof(struct vbus_state_queue) },
	};
	uint8_t buf[256];
	uint64_t len;
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		const char *what = attrs[i].what;
		uint32_t group = attrs[i].group, nr = attrs[i].attr;
		uint32_t size = attrs[i].size;

		len = sizeof(buf);
		REFUSE(size ? 0 : ENXIO, attr(VBUS_DEV_HAS_ATTR, group, nr, NULL, &len),
		       "HAS_ATTR: %s", what);
		if (!size) {
			REFUSE(ENXIO, attr(VBUS_DEV_GET_ATTR, group, nr, buf, &len),
			       "GET_ATTR: %s", what);
			REFUSE(ENXIO, attr(VBUS_DEV_SET_ATTR, group, nr, buf, &len),
			       "SET_ATTR: %s", what);
			continue;
		}
		memset(buf, 0xee, sizeof(buf));
		len = size - 1;
		REFUSE(ENOSPC, attr(VBUS_DEV_GET_ATTR, group, nr, buf, &len),
		       "GET_ATTR: %s, a byte short", what);
		result(len == size && buf[0] == 0xee, "says otherwise",
		       "GET_ATTR: %s, size told and nothing written", what);
		len = sizeof(buf);
		REFUSE(EFAULT, attr(VBUS_DEV_GET_ATTR, group, nr, hole, &len),
		       "GET_ATTR: %s, to nowhere", what);
		len = UINT64_MAX;
		ret = attr(VBUS_DEV_GET_ATTR, group, nr, buf, &len);
		result(!ret && len == size && buf[size] == 0xee, "something else",
		       "GET_ATTR: %s", what);
		if (group == VBUS_GROUP_STATE) {
			len = size - 1;
			REFUSE(EINVAL, attr(VBUS_DEV_SET_ATTR, group, nr, buf, &len),
			       "SET_ATTR: %s, a byte short", what);
			len = size + 1;
			REFUSE(EINVAL, attr(VBUS_DEV_SET_ATTR, group, nr, buf, &len),
			       "SET_ATTR: %s, a byte long", what);
			len = size;
			REFUSE(EFAULT, attr(VBUS_DEV_SET_ATTR, group, nr, hole, &len),
			       "SET_ATTR: %s, from nowhere", what);
		} else {
			REFUSE(EPERM, attr(VBUS_DEV_SET_ATTR, group, nr, buf, &len),
			       "SET_ATTR: %s", what);
		}
	}
	len = 0;
	REFUSE(0, attr(VBUS_DEV_GET_ATTR, VBUS_GROUP_CONFIG, 0, NULL, &len),
	       "GET_ATTR: config space of no bytes");
	len = sizeof(buf);
	ret = attr(VBUS_DEV_GET_ATTR, VBUS_GROUP_STATS, VBUS_STATS_NAMES, buf, &len);
	result(!ret && len && buf[len - 1] == '\n', "something else",
	       "GET_ATTR: names of the counters");
}

static void test_state(void)
{
	static const struct {
		const char *what;
		struct vbus_state_device state;
	} devices[] = {
		{ "features not offered", { 1ULL << 60, 3, VBUS_NO_VECTOR } },
		{ "unknown status", { 0, 0x83, VBUS_NO_VECTOR } },
		{ "FEATURES_OK without DRIVER", { 0, 2, VBUS_NO_VECTOR } },
		{ "RUNNING without FEATURES_OK", { 0, 5, VBUS_NO_VECTOR } },
		{ "RUNNING alone", { 0, 4, VBUS_NO_VECTOR } },
		{ "vector out of range", { 0, 3, NR_VECTORS } },
	};
	static const struct {
		const char *what;
		struct vbus_state_queue state;
		int err;
	} queues[] = {
		{ "vector out of range", { .vector = NR_VECTORS }, EINVAL },
		{ "enable 2", { .vector = VBUS_NO_VECTOR, .enable = 2 }, EINVAL },
		{ "enabled before FEATURES_OK",
		  { .ring = GUEST_BASE, .size = 8, .enable = 1 }, EINVAL },
	};
	uint32_t run;
	uint64_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		len = sizeof(devices[i].state);
		REFUSE(EINVAL, attr(VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
				    VBUS_STATE_DEVICE, &devices[i].state, &len),
		       "set device state: %s", devices[i].what);
	}
	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		len = sizeof(queues[i].state);
		REFUSE(queues[i].err, attr(VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
					   VBUS_STATE_QUEUE(0), &queues[i].state, &len),
		       "set queue state: %s", queues[i].what);
	}
	for (run = 0; run < 3; run++) {
		len = sizeof(run);
		REFUSE(EINVAL, attr(VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
				    VBUS_STATE_RUN, &run, &len),
		       "set run %u: a device at rest", run);
	}
}

void test_dev(void)
{
	test_regs();
	test_fds(VBUS_DEV_SET_IRQ, "SET_IRQ", NR_VECTORS);
	test_fds(VBUS_DEV_SET_DOORBELL, "SET_DOORBELL", NR_QUEUES);
	test_attrs();
	test_state();
}

/*
 * A device that runs. Ring and buffers lie in the guest memory from test_bus().
 */
#define RING_SIZE	8
#define BUFFER		(4 * PAGE)

static struct ioq_north ring;
static int irq, bell, config_irq;

static bool event_comes(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t count;

	return poll(&p, 1, 5000) == 1 && read(fd, &count, sizeof(count)) == 8;
}

static bool event_pending(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void ring_bell(void)
{
	uint64_t one = 1;

	if (write(bell, &one, sizeof(one)) != sizeof(one))
		perror("doorbell");
}

static void post(void)
{
	struct ioq_seg segs[2] = {
		{ .addr = GUEST_BASE + BUFFER, .len = 100 },
		{ .addr = GUEST_BASE + BUFFER + 200, .len = 50, .write = true },
	};

	ioq_north_enable_signals(&ring, 1);
	ioq_north_add(&ring, segs, 2, &ring);
	ioq_north_publish(&ring);
}

/* A signal comes, and with it the chain, into which nothing was written. */
static bool chain_comes(void)
{
	u32 len = 1;

	return event_comes(irq) && ioq_north_get(&ring, &len) == &ring && !len;
}

/* One chain out and back, by eventfds. */
static bool round_trip(void)
{
	post();
	ring_bell();
	return chain_comes();
}

static void test_attach(void)
{
	static const struct {
		const char *what;
		uint64_t ring;
		uint32_t size;
		int err;
	} bad[] = {
		{ "size 0", GUEST_BASE, 0, EINVAL },
		{ "size 1", GUEST_BASE, 1, EINVAL },
		{ "size 7", GUEST_BASE, 7, EINVAL },
		{ "size over the device's", GUEST_BASE, 512, EINVAL },
		{ "largest size", GUEST_BASE, UINT32_MAX, EINVAL },
		{ "not aligned", GUEST_BASE + 32, 8, EINVAL },
		{ "no memory there", 0, 8, EFAULT },
		{ "over the end", GUEST_BASE + GUEST_PAGES * PAGE - 64, 8, EFAULT },
		{ "wraps", -64ULL, 8, EFAULT },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		reg_write(Q(0, RING), bad[i].ring, 8);
		reg_write(Q(0, SIZE), bad[i].size, 4);
		REFUSE(bad[i].err, reg_write(Q(0, ENABLE), 1, 4),
		       "enable: %s", bad[i].what);
	}
}

static void test_start(void)
{
	static uint8_t state[4096];

	WORKS(reg_write(VBUS_REG_STATUS, VBUS_STATUS_DRIVER, 4), "DRIVER");
	WORKS(reg_write(VBUS_REG_ACCEPTED, 1ULL << 40, 8), "accept what is not offered");
	WORKS(reg_write(VBUS_REG_STATUS, 3, 4), "FEATURES_OK with it");
	result(reg32(VBUS_REG_STATUS) == 1, "accepted", "FEATURES_OK reads as unset");
	WORKS(reg_write(VBUS_REG_ACCEPTED, 1, 8), "accept what is offered");
	WORKS(reg_write(VBUS_REG_STATUS, 3, 4), "FEATURES_OK");
	result(reg32(VBUS_REG_STATUS) == 3, "refused", "FEATURES_OK reads as set");
	REFUSE(EBUSY, reg_write(VBUS_REG_ACCEPTED, 0, 8), "features after FEATURES_OK");
	REFUSE(EBUSY, reg_write(VBUS_REG_ACCEPTED + 4, 0, 4), "half of them");
	REFUSE(EINVAL, reg_write(VBUS_REG_STATUS, 2, 4), "a status bit taken back");
	test_attach();

	ioq_north_init(&ring, guest, RING_SIZE, 0, state);
	reg_write(Q(0, RING), GUEST_BASE, 8);
	reg_write(Q(0, SIZE), RING_SIZE, 4);
	WORKS(reg_write(Q(0, VECTOR), 1, 4), "queue vector");
	WORKS(reg_write(Q(0, ENABLE), 1, 4), "enable");
	REFUSE(EBUSY, reg_write(Q(0, SIZE), 16, 4), "size of an enabled queue");
	REFUSE(EBUSY, reg_write(Q(0, RING), GUEST_BASE, 8), "ring of an enabled queue");
	REFUSE(EBUSY, reg_write(Q(0, POS_DESC), 1, 4), "position of an enabled queue");
	irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	config_irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	WORKS(bind(VBUS_DEV_SET_IRQ, 1, irq), "irq");
	WORKS(bind(VBUS_DEV_SET_IRQ, 2, config_irq), "irq of config changes");
	WORKS(bind(VBUS_DEV_SET_DOORBELL, 0, bell), "doorbell");
	WORKS(reg_write(VBUS_REG_CONFIG_VECTOR, 2, 4), "config vector");
	WORKS(reg_write(VBUS_REG_STATUS, 7, 4), "RUNNING");
}

static void test_running(void)
{
	struct vbus_mem_region del = {
		.size = sizeof(del),
		.guest_addr = GUEST_BASE,
		.length = GUEST_PAGES * PAGE,
	};
	struct vbus_state_queue queue;
	struct vbus_state_device device = {};
	uint64_t len = sizeof(queue);

	result(round_trip(), "nothing came back", "a chain goes round");
	REFUSE(EBUSY, reg_write(Q(0, ENABLE), 0, 4), "disable while running");
	REFUSE(EBUSY, reg_write(Q(1, ENABLE), 1, 4), "enable while running");
	REFUSE(EBUSY, reg_write(Q(1, SIZE), 8, 4), "size while running");
	REFUSE(EBUSY, call(bus_fd, VBUS_MEM_DEL, &del), "MEM_DEL: under a ring");
	REFUSE(EBUSY, attr(VBUS_DEV_GET_ATTR, VBUS_GROUP_STATE,
			   VBUS_STATE_QUEUE(0), &queue, &len), "get queue state while running");
	REFUSE(EBUSY, attr(VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			   VBUS_STATE_QUEUE(0), &queue, &len), "set queue state while running");
	len = sizeof(device);
	REFUSE(EBUSY, attr(VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE,
			   VBUS_STATE_DEVICE, &device, &len), "set device state while running");
	/* A refused binding leaves the one there is. */
	REFUSE(EINVAL, bind(VBUS_DEV_SET_IRQ, 1, other_fd()), "SET_IRQ: over a bound one");
	REFUSE(EBADF, bind(VBUS_DEV_SET_DOORBELL, 0, closed_fd()),
	       "SET_DOORBELL: over a bound one");
	result(round_trip(), "nothing came back", "both still work");

	WORKS(bind(VBUS_DEV_SET_IRQ, 1, -1), "irq unbound");
	post();
	ring_bell();
	usleep(100000);
	result(!event_pending(irq), "signalled", "no signal while unbound");
	WORKS(bind(VBUS_DEV_SET_IRQ, 1, irq), "irq bound again");
	result(chain_comes(),
	       "lost", "the signal comes with the binding");
	WORKS(bind(VBUS_DEV_SET_DOORBELL, 0, -1), "doorbell unbound");
	post();
	ring_bell();
	usleep(100000);
	result(!event_pending(irq), "served", "no kick while unbound");
	WORKS(bind(VBUS_DEV_SET_DOORBELL, 0, bell), "doorbell bound again");
	result(chain_comes(),
	       "lost", "a ring from before comes with the binding");
	post();
	WORKS(reg_write(VBUS_REG_DOORBELL(0), 0, 4), "doorbell register");
	result(chain_comes(),
	       "nothing came back", "the register rings as well");
}

static int set_run(uint32_t run)
{
	uint64_t len = sizeof(run);

	return attr(VBUS_DEV_SET_ATTR, VBUS_GROUP_STATE, VBUS_STATE_RUN, &run, &len);
}

/* A pause is no way to have it work again. */
static void test_broken_run(void)
{
	REFUSE(EIO, set_run(1), "RUN 1 while it is broken");
	WORKS(set_run(0), "RUN 0 while it is broken");
	REFUSE(EIO, set_run(1), "RUN 1 after that");
	REFUSE(EIO, set_run(1), "RUN 1 once more");
	WORKS(reg_write(VBUS_REG_STATUS, 7, 4), "RUNNING, which it was");
	result(reg32(VBUS_REG_STATUS) == (7 | VBUS_STATUS_NEEDS_RESET), "it does not",
	       "the status says NEEDS_RESET still");
}

/* What the guest puts into its ring can only stop its own device. */
static void test_broken(void)
{
	ioq_north_add_indirect(&ring, 0, 1, 0, &ring);
	ioq_north_publish(&ring);
	ring_bell();
	result(event_comes(config_irq), "no signal", "a bad chain raises the config signal");
	result(reg32(VBUS_REG_STATUS) == (7 | VBUS_STATUS_NEEDS_RESET), "it does not",
	       "the status says NEEDS_RESET");
	test_broken_run();
	WORKS(reset(), "RESET");
	result(reg32(VBUS_REG_STATUS) == 0 && reg32(VBUS_REG_ACCEPTED) == 0 &&
	       reg32(VBUS_REG_CONFIG_VECTOR) == VBUS_NO_VECTOR &&
	       reg32(Q(0, ENABLE)) == 0 && reg32(Q(0, SIZE)) == 0 &&
	       reg32(Q(0, RING)) == 0 && reg32(Q(0, VECTOR)) == VBUS_NO_VECTOR,
	       "registers keep values", "all is as after reset");
}

void test_dev_run(void)
{
	test_start();
	test_running();
	test_broken();
	/* The bindings are the VMM's, not the guest's: they outlive a reset. */
	test_start();
	result(round_trip(), "nothing came back", "and works again");
	WORKS(reg_write(VBUS_REG_STATUS, 0, 4), "STATUS 0");
	result(reg32(VBUS_REG_STATUS) == 0, "not 0", "resets as well");
}

/* The bus fd is closed first, with the device running. */
void test_dev_gone(void)
{
	uint32_t word;
	uint64_t len = sizeof(word);

	test_start();
	close(bus_fd);
	bus_fd = -1;
	result(reg_read(0, &word, 4) == -ENODEV, "answered otherwise",
	       "without its bus, read: ENODEV");
	result(reg_write(VBUS_REG_STATUS, 0, 4) == -ENODEV, "answered otherwise",
	       "without its bus, write: ENODEV");
	result(reg_write(VBUS_REG_DOORBELL(0), 0, 4) == -ENODEV, "answered otherwise",
	       "without its bus, doorbell: ENODEV");
	result(reset() == -ENODEV, "answered otherwise", "without its bus, RESET: ENODEV");
	result(bind(VBUS_DEV_SET_IRQ, 0, irq) == -ENODEV, "answered otherwise",
	       "without its bus, SET_IRQ: ENODEV");
	result(bind(VBUS_DEV_SET_DOORBELL, 0, bell) == -ENODEV, "answered otherwise",
	       "without its bus, SET_DOORBELL: ENODEV");
	result(attr(VBUS_DEV_GET_ATTR, VBUS_GROUP_INFO, VBUS_INFO_CLASS, &word, &len) ==
	       -ENODEV, "answered otherwise", "without its bus, GET_ATTR: ENODEV");
	result(attr(VBUS_DEV_HAS_ATTR, VBUS_GROUP_INFO, VBUS_INFO_CLASS, &word, &len) ==
	       -ENODEV, "answered otherwise", "without its bus, HAS_ATTR: ENODEV");
	ring_bell();
	bus_fd = open(bus_path, O_RDWR | O_CLOEXEC);
	result(bus_fd >= 0, "it can not", "the bus can be opened beside the old device");
	close(dev_fd);
	close(bus_fd);
}
