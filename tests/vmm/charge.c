// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays for the kernel memory that a guest and its VMM make the host keep: the memory
 * cgroup that opened the bus, whoever asks; and what happens at its limit.  Takes a
 * directory of cgroup2 that delegates memory as its argument.  Runs as root where vbus
 * and vbus-dm-null are loaded; prints TAP.
 *
 * The test itself is the VMM, in the cgroup "vmm"; the helper is a process in the cgroup
 * "other", with a bus of its own.  They talk by eventfds: a pipe would be charged.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "native_guest.h"
#include "tap.h"

#define CFS	"/sys/kernel/config/vbus/"
#define NR_SLOTS	8
#define NR_QUEUES	64
#define RING_SIZE	64

/* A queue of class null that runs has its segments, of 16 bytes each. */
#define QUEUE_MIN	4096L
#define GROWTH_MIN	(NR_SLOTS * NR_QUEUES * QUEUE_MIN)
/* What the kernel charges in advance, and what else moves meanwhile. */
#define SLACK		(768L << 10)

static struct guest g = { .bus = -1, .dev = -1 };
static struct native n;
static char top[128];
static int go_fd, answer_fd;
static long growth;

static void path_of(char *path, size_t size, const char *group, const char *file)
{
	snprintf(path, size, "%s/%s/%s", top, group, file);
}

static int group_put(const char *group, const char *file, const char *value)
{
	char path[256];

	path_of(path, sizeof(path), group, file);
	return file_put(path, value);
}

/* The number in @file, behind the word @key if there is one; -1 if it is not there. */
static long group_get(const char *group, const char *file, const char *key)
{
	char path[256], text[4096], *p = text;
	ssize_t len;
	int fd;

	path_of(path, sizeof(path), group, file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len < 0)
		return -1;
	text[len] = '\0';
	if (key) {
		p = strstr(text, key);
		if (!p)
			return -1;
		p += strlen(key);
	}
	return strtol(p, NULL, 10);
}

static long charged(const char *group)
{
	return group_get(group, "memory.current", NULL);
}

/* How much, growth tells. */
static bool grew(const char *group, long before)
{
	long now = charged(group);

	growth = now - before;
	printf("# %s: %ld KiB more\n", group, growth >> 10);
	return growth >= GROWTH_MIN;
}

/* Memory may be freed after grace periods. */
static bool comes_back(const char *group, long before)
{
	unsigned int patience;

	for (patience = 1000; patience; patience--) {
		if (charged(group) <= before + SLACK)
			return true;
		usleep(10000);
	}
	printf("# %s: still %ld KiB more\n", group,
	       (charged(group) - before) >> 10);
	return false;
}

/* All queues of all devices have the same ring, which is empty. */
static int native_queue_enable(u32 slot, u32 q)
{
	u32 base = VBUS_REG_QUEUE(q);

	return native_set_reg32(&n, slot, base + VBUS_QREG_SIZE, RING_SIZE) ?:
	       native_set_reg64(&n, slot, base + VBUS_QREG_RING,
				GUEST_ADDR + GUEST_RING(0)) ?:
	       native_set_reg32(&n, slot, base + VBUS_QREG_ENABLE, 1);
}

/* Return: 0 or an errno, as the calls do. */
static int native_slot_run(u32 slot)
{
	struct vbus_slot_info info;
	int ret;
	u32 q;

	ret = native_info(&n, slot, &info) ?:
	      native_slow(&n, VBUS_FN_OPEN, slot, info.plugs, 0, NULL, 0) ?:
	      native_set_reg32(&n, slot, VBUS_REG_STATUS, VBUS_STATUS_DRIVER) ?:
	      native_set_reg32(&n, slot, VBUS_REG_STATUS, VBUS_STATUS_DRIVER |
			       VBUS_STATUS_FEATURES_OK);
	for (q = 0; q < NR_QUEUES && !ret; q++)
		ret = native_queue_enable(slot, q);
	return ret ?: native_set_reg32(&n, slot, VBUS_REG_STATUS,
				       VBUS_STATUS_DRIVER |
				       VBUS_STATUS_FEATURES_OK |
				       VBUS_STATUS_RUNNING);
}

static int native_slot_close(u32 slot)
{
	return native_slow(&n, VBUS_FN_CLOSE, slot, 0, 0, NULL, 0);
}

/* The same through a device fd of @bus. */
static int fd_slot_run(struct guest *bus, u32 slot)
{
	u32 q, base;

	if (guest_open_slot(bus, slot) || guest_negotiate(bus, 0))
		return -1;
	for (q = 0; q < NR_QUEUES; q++) {
		base = VBUS_REG_QUEUE(q);
		if (guest_write32(bus, base + VBUS_QREG_SIZE, RING_SIZE) ||
		    guest_write64(bus, base + VBUS_QREG_RING,
				  GUEST_ADDR + GUEST_RING(0)) ||
		    guest_write32(bus, base + VBUS_QREG_ENABLE, 1))
			return -1;
	}
	return guest_run(bus);
}

/*
 * What the helper does when asked: 1: opens a slot of its own bus and runs it; 2: opens
 * every slot of the VMM's bus, whose fd it has inherited, and runs them; 3: closes all.
 */
static int helper_do(u64 what, struct guest *own, struct guest *vmm, int *dev)
{
	u32 i;

	switch (what) {
	case 1:
		if (fd_slot_run(own, 0))
			return -1;
		guest_close_device(own);
		return 0;
	case 2:
		for (i = 0; i < NR_SLOTS; i++) {
			if (fd_slot_run(vmm, i))
				return -1;
			dev[i] = vmm->dev;
			vmm->dev = -1;
		}
		return 0;
	default:
		for (i = 0; i < NR_SLOTS; i++)
			close(dev[i]);
		return 0;
	}
}

static int helper(struct guest *vmm)
{
	struct guest own = { .bus = -1, .dev = -1 };
	int dev[NR_SLOTS];
	u64 what, answer;

	if (group_put("other", "cgroup.procs", "0") ||
	    guest_open(&own, "cg1") || guest_add_memory(&own))
		return 1;
	while (read(go_fd, &what, sizeof(what)) == sizeof(what)) {
		answer = helper_do(what, &own, vmm, dev) ? 2 : 1;
		if (write(answer_fd, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	return 1;
}

static bool ask(u64 what)
{
	u64 answer;

	return write(go_fd, &what, sizeof(what)) == sizeof(what) &&
	       read(answer_fd, &answer, sizeof(answer)) == sizeof(answer) &&
	       answer == 1;
}

static void test_native(void)
{
	long before = charged("vmm"), other = charged("other");
	bool ok = true;
	u32 i;

	for (i = 0; i < NR_SLOTS; i++)
		ok = !native_slot_run(i) && ok;
	need(ok, "a guest opens and starts devices by calls");
	check(grew("vmm", before), "its VMM pays for them");
	check(charged("other") < other + SLACK, "nobody else does");
	for (i = 0; i < NR_SLOTS; i++)
		ok = !native_slot_close(i) && ok;
	check(ok && comes_back("vmm", before), "closed, they cost nothing");

	for (i = 0; i < NR_SLOTS; i++)
		ok = !native_slot_run(i) && ok;
	check(ok && grew("vmm", before), "it opens them again");
	check(!native_write32(&n, VBUS_NREG_STATUS, 0) &&
	      comes_back("vmm", before), "a reset of the window gives all back");
	need(!native_start(&n), "start again");
}

static void test_other(void)
{
	long before = charged("vmm"), other = charged("other");

	need(ask(2), "a process of another cgroup opens devices for the VMM");
	check(grew("vmm", before), "the VMM pays for them");
	check(charged("other") < other + SLACK, "who asks does not");
	check(ask(3) && comes_back("vmm", before), "closed, they cost nothing");
}

/*
 * Between the two writes nothing is done that needs memory of this cgroup, but by the
 * guest: at its limit the kernel has nothing but this process to kill.
 */
static void test_limit(void)
{
	int slot_errno[NR_SLOTS] = { 0 }, nop, ret;
	long before = charged("vmm");
	u32 i, refused = 0, honest = 0;
	bool other, closed = true;
	char limit[32];

	snprintf(limit, sizeof(limit), "%ld", before + growth / 2);
	need(!group_put("vmm", "memory.max", limit), "the cgroup has a limit");
	for (i = 0; i < NR_SLOTS; i++)
		slot_errno[i] = native_slot_run(i);
	nop = native_slow(&n, VBUS_FN_SLOW_NOP, 0, 0, 0, NULL, 0);
	other = ask(1);
	for (i = 0; i < NR_SLOTS; i++) {
		ret = native_slot_close(i);
		closed = closed && (!ret || ret == ENODEV);
	}
	need(!group_put("vmm", "memory.max", "max"), "the limit is lifted");

	for (i = 0; i < NR_SLOTS; i++) {
		refused += slot_errno[i] != 0;
		honest += slot_errno[i] == ENOMEM;
	}
	printf("# %u of %d devices refused\n", refused, NR_SLOTS);
	check(refused && refused == honest, "a guest beyond it is told ENOMEM");
	check(slot_errno[0] == 0, "up to it devices start");
	check(!nop && closed, "calls that need no memory go on");
	check(other, "a VMM of another cgroup opens and starts a device");
	check(group_get("vmm", "memory.events", "oom_kill ") == 0,
	      "nothing was killed for it");
	check(comes_back("vmm", before), "what was refused left nothing");
	check(!native_slot_run(0) && !native_slot_close(0),
	      "without the limit it starts");
}

static void test_vmm(void)
{
	bool ok = true;
	u32 i;

	/* All of it is here before anything is measured. */
	memset(g.mem, 0, GUEST_MEM);
	need(!native_open(&n, &g) && !native_start(&n), "the native front");
	for (i = 0; i < NR_SLOTS; i++)
		ok = !native_slot_run(i) && !native_slot_close(i) && ok;
	need(ok, "every device runs once");
	test_native();
	test_other();
	test_limit();
	native_close(&n);
}

static void set_up(void)
{
	char path[256], dev[64], queues[8];
	bool ok = true;
	u32 i;

	snprintf(queues, sizeof(queues), "%d", NR_QUEUES);
	ok = !mkdir(CFS "buses/cg0", 0755) && !mkdir(CFS "buses/cg1", 0755) &&
	     !mkdir(CFS "buses/cg1/slots/0", 0755);
	for (i = 0; i <= NR_SLOTS && ok; i++) {
		snprintf(dev, sizeof(dev), CFS "devices/null.cg%u", i);
		ok = !mkdir(dev, 0755);
		snprintf(path, sizeof(path), "%s/queues", dev);
		ok = ok && !file_put(path, queues);
		snprintf(path, sizeof(path), "%s/enable", dev);
		ok = ok && !file_put(path, "1");
		if (i == NR_SLOTS) {
			ok = ok && !symlink(dev, CFS "buses/cg1/slots/0/device");
			break;
		}
		snprintf(path, sizeof(path), CFS "buses/cg0/slots/%u", i);
		ok = ok && !mkdir(path, 0755);
		strcat(path, "/device");
		ok = ok && !symlink(dev, path);
	}
	need(ok, "devices on two buses");
	path_of(path, sizeof(path), "vmm", "");
	ok = !mkdir(path, 0755);
	path_of(path, sizeof(path), "other", "");
	need(ok && !mkdir(path, 0755), "two cgroups");
}

static bool rmdir_group(const char *group)
{
	char path[256];

	path_of(path, sizeof(path), group, "");
	return !rmdir(path);
}

static void tear_down(void)
{
	char path[128];
	bool ok = true;
	u32 i;

	ok = !unlink(CFS "buses/cg1/slots/0/device") &&
	     !rmdir(CFS "buses/cg1/slots/0") && !rmdir(CFS "buses/cg1");
	for (i = 0; i <= NR_SLOTS; i++) {
		if (i < NR_SLOTS) {
			snprintf(path, sizeof(path), CFS "buses/cg0/slots/%u/device", i);
			ok = !unlink(path) && ok;
			snprintf(path, sizeof(path), CFS "buses/cg0/slots/%u", i);
			ok = !rmdir(path) && ok;
		}
		snprintf(path, sizeof(path), CFS "devices/null.cg%u", i);
		ok = !rmdir(path) && ok;
	}
	check(!rmdir(CFS "buses/cg0") && ok, "all of it can be removed");
	check(rmdir_group("vmm") && rmdir_group("other"), "and both cgroups");
}

/* Ends with the VMM's cgroup empty but for this process, which goes. */
static int vmm(void)
{
	pid_t pid;

	need(!group_put("vmm", "cgroup.procs", "0"), "the VMM joins its cgroup");
	need(!guest_open(&g, "cg0") && !guest_add_memory(&g), "it opens its bus");
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(helper(&g));
	need(pid > 0 && !mlockall(MCL_CURRENT), "a helper");
	test_vmm();
	guest_close(&g);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return tap_failures > 255 ? 255 : tap_failures;
}

int main(int argc, char **argv)
{
	int status, *shared;
	pid_t pid;

	if (argc != 2)
		return 2;
	snprintf(top, sizeof(top), "%s", argv[1]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	go_fd = eventfd(0, EFD_CLOEXEC);
	answer_fd = eventfd(0, EFD_CLOEXEC);
	need(shared != MAP_FAILED && go_fd >= 0 && answer_fd >= 0, "set up");
	set_up();
	fflush(stdout);
	pid = fork();
	if (!pid) {
		status = vmm();
		*shared = tap_cases;
		fflush(stdout);
		_exit(status);
	}
	pid = waitpid(pid, &status, 0);
	if (*shared)
		tap_cases = *shared;
	need(pid > 0 && WIFEXITED(status), "the VMM lives");
	tap_failures += WEXITSTATUS(status);
	tear_down();
	return tap_finish();
}
