// SPDX-License-Identifier: GPL-2.0
/* The bus fd: opening it, events, memory, slots. */
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "uapi.h"

static int try_open(void)
{
	int fd = open(bus_path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int mem(unsigned long cmd, uint32_t flags, uint64_t addr,
	       uint64_t length, const void *user)
{
	struct vbus_mem_region arg = {
		.size = sizeof(arg),
		.flags = flags,
		.guest_addr = addr,
		.length = length,
		.user_addr = (uintptr_t)user,
	};

	return call(bus_fd, cmd, &arg);
}

static int open_slot(uint32_t slot)
{
	struct vbus_open_slot arg = {
		.size = sizeof(arg),
		.slot = slot,
		.fd = -1,
	};
	int ret = call(bus_fd, VBUS_OPEN_SLOT, &arg);

	return ret ?: arg.fd;
}

static int read_events(void *buf, size_t len)
{
	ssize_t ret = read(bus_fd, buf, len);

	return ret < 0 ? -errno : ret;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents == POLLIN;
}

static void test_open(void)
{
	bus_fd = try_open();
	if (bus_fd < 0) {
		result(false, strerror(-bus_fd), "open");
		_exit(1);
	}
	REFUSE(EBUSY, try_open(), "second open");
	REFUSE(EINVAL, write(bus_fd, "x", 1) < 0 ? -errno : 0, "write");
	REFUSE(ESPIPE, lseek(bus_fd, 0, SEEK_SET) < 0 ? -errno : 0, "seek");
	REFUSE(ESPIPE, pread(bus_fd, hole - PAGE, 16, 0) < 0 ? -errno : 0, "pread");
	REFUSE(ENODEV, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, bus_fd, 0) ==
	       MAP_FAILED ? -errno : 0, "mmap");
}

static void test_events(void)
{
	struct vbus_event ev[3] = {};

	result(readable(bus_fd), "not readable", "an event is pending after open");
	REFUSE(EINVAL, read_events(ev, 0), "read of nothing");
	REFUSE(EINVAL, read_events(ev, sizeof(ev[0]) - 1), "read of less than an event");
	REFUSE(EFAULT, read_events(hole, sizeof(ev[0])), "read to nowhere");
	result(readable(bus_fd), "it is gone", "the event is still there");
	memset(ev, 0xff, sizeof(ev));
	result(read_events(ev, sizeof(ev) - 1) == sizeof(ev[0]), "wrong length",
	       "read returns whole events");
	result(ev[0].type == VBUS_EVENT_ADDED && ev[0].slot == SLOT_NULL &&
	       ev[0].class_id == VBUS_CLASS_NULL && !ev[0].reserved,
	       "other contents", "the event is that of the device");
	REFUSE(EAGAIN, read_events(ev, sizeof(ev)), "read without an event");
	result(!readable(bus_fd), "readable", "no event is pending");
}

static void test_info(void)
{
	struct vbus_info info = { .size = sizeof(info), .caps = UINT64_MAX };
	struct vbus_info *ro = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	WORKS(call(bus_fd, VBUS_GET_INFO, &info), "GET_INFO");
	result(info.size == sizeof(info) && !info.flags &&
	       info.abi == VBUS_VERSION && info.max_regions == 512 &&
	       info.max_slots == 256 && info.window_size == VBUS_WINDOW_SIZE &&
	       info.caps == (VBUS_CAP_MEM_RDONLY | VBUS_CAP_NATIVE), "other values",
	       "GET_INFO: what it says");
	*ro = info;
	mprotect(ro, PAGE, PROT_READ);
	REFUSE(EFAULT, call(bus_fd, VBUS_GET_INFO, ro), "GET_INFO: read-only argument");
	munmap(ro, PAGE);
}

#define NOWHERE	((void *)PAGE)

static void test_mem_add(void)
{
	const struct {
		const char *what;
		uint64_t addr;
		uint64_t length;
		const void *user;
		int err;
	} bad[] = {
		{ "no length", 0, 0, guest, EINVAL },
		{ "length not of pages", 0, PAGE + 1, guest, EINVAL },
		{ "odd guest address", 1, PAGE, guest, EINVAL },
		{ "odd user address", 0, PAGE, guest + 1, EINVAL },
		{ "guest wraps", -PAGE, 2 * PAGE, guest, EINVAL },
		{ "user wraps", 0, 2 * PAGE, (void *)-PAGE, EINVAL },
		{ "all of everything", 0, -PAGE, guest, EINVAL },
		{ "too much", 1ULL << 50, 1ULL << 46, guest, ENOMEM },
		{ "nothing mapped", 0, PAGE, NOWHERE, EFAULT },
		{ "kernel address", 0, PAGE, (void *)-(2 * PAGE), EFAULT },
		{ "end not mapped", 0, (GUEST_PAGES + 1) * PAGE, guest, EFAULT },
		{ "the same again", GUEST_BASE, GUEST_PAGES * PAGE, guest, EEXIST },
		{ "into its head", GUEST_BASE - PAGE, 2 * PAGE, guest, EEXIST },
		{ "into its tail", GUEST_BASE + (GUEST_PAGES - 1) * PAGE,
		  2 * PAGE, guest, EEXIST },
	};
	uint8_t *ro;
	size_t i;

	WORKS(mem(VBUS_MEM_ADD, 0, GUEST_BASE, GUEST_PAGES * PAGE, guest), "MEM_ADD");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(bad[i].err, mem(VBUS_MEM_ADD, 0, bad[i].addr,
				       bad[i].length, bad[i].user),
		       "MEM_ADD: %s", bad[i].what);

	ro = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REFUSE(EFAULT, mem(VBUS_MEM_ADD, 0, 0, PAGE, ro), "MEM_ADD: read-only memory");
	WORKS(mem(VBUS_MEM_ADD, VBUS_MEM_RDONLY, 0, PAGE, ro),
	      "MEM_ADD: read-only memory as such");
	WORKS(mem(VBUS_MEM_DEL, 0, 0, PAGE, NULL), "MEM_DEL: read-only memory");
	munmap(ro, PAGE);
}

static void test_mem_del(void)
{
	const struct {
		const char *what;
		uint32_t flags;
		uint64_t addr;
		uint64_t length;
		const void *user;
		int err;
	} bad[] = {
		{ "with a user address", 0, GUEST_BASE, GUEST_PAGES * PAGE, guest, EINVAL },
		{ "with MEM_RDONLY", VBUS_MEM_RDONLY, GUEST_BASE,
		  GUEST_PAGES * PAGE, NULL, EINVAL },
		{ "nothing there", 0, 0, PAGE, NULL, ENOENT },
		{ "no length", 0, GUEST_BASE, 0, NULL, ENOENT },
		{ "part", 0, GUEST_BASE, PAGE, NULL, ENOENT },
		{ "more", 0, GUEST_BASE, (GUEST_PAGES + 1) * PAGE, NULL, ENOENT },
		{ "later", 0, GUEST_BASE + PAGE, (GUEST_PAGES - 1) * PAGE, NULL, ENOENT },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		REFUSE(bad[i].err, mem(VBUS_MEM_DEL, bad[i].flags, bad[i].addr,
				       bad[i].length, bad[i].user),
		       "MEM_DEL: %s", bad[i].what);
}

/* Memory of another process is none of ours, though it looks the same. */
static void test_mem_fork(void)
{
	int status = 0;
	pid_t pid;

	state_mark();
	pid = fork();
	if (!pid)
		_exit(-mem(VBUS_MEM_ADD, 0, 0, PAGE, guest));
	waitpid(pid, &status, 0);
	refused(-EPERM, WIFEXITED(status) ? -WEXITSTATUS(status) : 0,
		"MEM_ADD: from another process");
}

static void test_mem_max(void)
{
	uint64_t base = 1ULL << 40;
	unsigned int i;
	int ret = 0;

	for (i = 1; i < 512 && !ret; i++)
		ret = mem(VBUS_MEM_ADD, 0, base + i * PAGE, PAGE, guest);
	WORKS(ret, "MEM_ADD: 512 regions");
	REFUSE(ENOSPC, mem(VBUS_MEM_ADD, 0, base, PAGE, guest), "MEM_ADD: one more");
	for (i = 1; i < 512 && !ret; i++)
		ret = mem(VBUS_MEM_DEL, 0, base + i * PAGE, PAGE, NULL);
	WORKS(ret, "MEM_DEL: all of them");
}

/* CAP_IPC_LOCK on or off in the effective set. */
static void ipc_lock(bool on)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &head, data);
	if (on)
		data[0].effective |= 1U << CAP_IPC_LOCK;
	else
		data[0].effective &= ~(1U << CAP_IPC_LOCK);
	syscall(SYS_capset, &head, data);
}

static void test_mem_limit(void)
{
	struct rlimit old, few;

	getrlimit(RLIMIT_MEMLOCK, &old);
	few.rlim_max = old.rlim_max;
	few.rlim_cur = 4 * PAGE;
	setrlimit(RLIMIT_MEMLOCK, &few);
	ipc_lock(false);
	REFUSE(ENOMEM, mem(VBUS_MEM_ADD, 0, 0, 5 * PAGE, guest),
	       "MEM_ADD: a page over RLIMIT_MEMLOCK");
	WORKS(mem(VBUS_MEM_ADD, 0, 0, 4 * PAGE, guest), "MEM_ADD: up to the limit");
	REFUSE(ENOMEM, mem(VBUS_MEM_ADD, 0, 4 * PAGE, PAGE, guest),
	       "MEM_ADD: with the limit used up");
	WORKS(mem(VBUS_MEM_DEL, 0, 0, 4 * PAGE, NULL), "MEM_DEL: gives it back");
	WORKS(mem(VBUS_MEM_ADD, 0, 0, 4 * PAGE, guest), "MEM_ADD: up to the limit again");
	WORKS(mem(VBUS_MEM_DEL, 0, 0, 4 * PAGE, NULL), "MEM_DEL: and again");
	ipc_lock(true);
	WORKS(mem(VBUS_MEM_ADD, 0, 0, 5 * PAGE, guest), "MEM_ADD: no limit with CAP_IPC_LOCK");
	WORKS(mem(VBUS_MEM_DEL, 0, 0, 5 * PAGE, NULL), "MEM_DEL: with CAP_IPC_LOCK");
	setrlimit(RLIMIT_MEMLOCK, &old);
}

static void test_open_slot(void)
{
	struct vbus_open_slot *ro = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit old, none;
	int fds;

	REFUSE(ENOENT, open_slot(SLOT_EMPTY), "OPEN_SLOT: empty slot");
	REFUSE(ENOENT, open_slot(SLOT_NONE), "OPEN_SLOT: no such slot");
	REFUSE(ENOENT, open_slot(256), "OPEN_SLOT: slot 256");
	REFUSE(ENOENT, open_slot(UINT32_MAX), "OPEN_SLOT: largest number");
	ro->size = sizeof(*ro);
	ro->slot = SLOT_NULL;
	mprotect(ro, PAGE, PROT_READ);
	/* The device must not stay open when nobody learns of the fd. */
	REFUSE(EFAULT, call(bus_fd, VBUS_OPEN_SLOT, ro), "OPEN_SLOT: read-only argument");
	munmap(ro, PAGE);

	fds = dup(bus_fd);
	close(fds);
	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_cur = fds;
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	fds = open_slot(SLOT_NULL);
	setrlimit(RLIMIT_NOFILE, &old);
	result(fds == -EMFILE, "something else", "OPEN_SLOT: no fd left: EMFILE");

	dev_fd = open_slot(SLOT_NULL);
	WORKS(dev_fd, "OPEN_SLOT");
	result(fcntl(dev_fd, F_GETFD) == FD_CLOEXEC, "inherited",
	       "OPEN_SLOT: the fd is closed on exec");
	REFUSE(EBUSY, open_slot(SLOT_NULL), "OPEN_SLOT: open already");
}

void test_bus(void)
{
	test_open();
	test_events();
	test_info();
	test_mem_add();
	test_mem_del();
	test_mem_fork();
	test_mem_max();
	test_mem_limit();
	test_open_slot();
}

/* With the device back in reset: let go of it, take it again. */
void test_bus_late(void)
{
	struct vbus_event ev;
	int fd = dup(dev_fd);

	close(dev_fd);
	result(open_slot(SLOT_NULL) == -EBUSY, "answered otherwise",
	       "a duplicate keeps the device open");
	close(fd);
	dev_fd = open_slot(SLOT_NULL);
	WORKS(dev_fd, "OPEN_SLOT: again after close");
	REFUSE(EAGAIN, read_events(&ev, sizeof(ev)), "closing makes no event");
}
