// SPDX-License-Identifier: GPL-2.0
/*
 * libvbus on a real /dev/vbus, as a VMM uses it and without one: the guest's driver
 * and the interrupt layer are in here.  Runs as root where vbus and vbus-dm-null are
 * loaded; prints TAP.  Drives configfs itself, so that it knows what must come next.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/pci_regs.h>
#include <linux/vbus_abi.h>
#include <linux/vbus_pci.h>
#include <vbus/ring.h>
#include "libvbus/libvbus.h"
#include "vmm/tap.h"

#define CFS	"/sys/kernel/config/vbus/"
#define DEV	CFS "devices/null.lib"
#define BUS	CFS "buses/lib"
#define SLOT	6
#define SLOTDIR	BUS "/slots/6"
#define LINK	SLOTDIR "/device"

#define GUEST_ADDR	0x100000000ULL
#define GUEST_MEM	(1UL << 20)
#define BAR_ADDR	0x1800000000ULL
#define RING_SIZE	64
#define PATIENCE_MS	10000
#define NOBODY		65534

/* What the callbacks have seen. */
static struct {
	unsigned int added, unplugs, removed, maps, errors;
	uint32_t class_id;
	uint64_t bar;
	int bell[2];
	struct libvbus_irq irq[3];
	bool irq_on[3];
	char log[2048];
} seen;

static struct libvbus *bus;
static u8 *mem;

static void on_log(void *opaque, enum libvbus_log_level level, const char *text)
{
	(void)opaque;
	if (level != LIBVBUS_LOG_INFO)
		printf("# %s\n", text);
	if (level != LIBVBUS_LOG_ERROR)
		return;
	seen.errors++;
	snprintf(seen.log, sizeof(seen.log), "%s", text);
}

static void on_added(void *opaque, uint32_t slot, uint32_t class_id)
{
	(void)opaque;
	seen.added += slot == SLOT;
	seen.class_id = class_id;
}

static void on_unplug(void *opaque, uint32_t slot)
{
	(void)opaque;
	seen.unplugs += slot == SLOT;
}

static void on_removed(void *opaque, uint32_t slot)
{
	(void)opaque;
	seen.removed += slot == SLOT;
}

static void on_bar_map(void *opaque, uint32_t slot, uint64_t addr)
{
	(void)opaque;
	(void)slot;
	seen.maps++;
	seen.bar = addr;
}

static void on_bar_unmap(void *opaque, uint32_t slot, uint64_t addr)
{
	(void)opaque;
	(void)slot;
	(void)addr;
	seen.bar = 0;
}

static int on_doorbell_add(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	uint64_t q = (addr - seen.bar - VBUS_REG_DOORBELL_BASE) / 4;

	(void)opaque;
	(void)slot;
	if (q >= ARRAY_SIZE(seen.bell))
		return -EINVAL;
	seen.bell[q] = fd;
	return 0;
}

static void on_doorbell_del(void *opaque, uint32_t slot, uint64_t addr, int fd)
{
	uint64_t q = (addr - seen.bar - VBUS_REG_DOORBELL_BASE) / 4;

	(void)opaque;
	(void)slot;
	(void)fd;
	seen.bell[q] = -1;
}

static int on_irq_enable(void *opaque, const struct libvbus_irq *irq)
{
	(void)opaque;
	seen.irq[irq->vector] = *irq;
	seen.irq_on[irq->vector] = true;
	return 0;
}

static void on_irq_disable(void *opaque, const struct libvbus_irq *irq)
{
	(void)opaque;
	seen.irq_on[irq->vector] = false;
}

static const struct libvbus_ops ops = {
	.size = sizeof(ops),
	.log = on_log,
	.added = on_added,
	.unplug = on_unplug,
	.removed = on_removed,
	.bar_map = on_bar_map,
	.bar_unmap = on_bar_unmap,
	.doorbell_add = on_doorbell_add,
	.doorbell_del = on_doorbell_del,
	.irq_enable = on_irq_enable,
	.irq_disable = on_irq_disable,
};

static uint64_t bar_get(uint64_t off, size_t len)
{
	uint64_t value = 0;

	libvbus_bar_read(bus, SLOT, off, &value, len);
	return value;
}

static bool bar_put(uint64_t off, uint64_t value, size_t len)
{
	return !libvbus_bar_write(bus, SLOT, off, &value, len);
}

static uint32_t cfg_get(uint32_t off, size_t len)
{
	uint32_t value = 0;

	libvbus_config_read(bus, SLOT, off, &value, len);
	return value;
}

static void cfg_put(uint32_t off, uint32_t value, size_t len)
{
	libvbus_config_write(bus, SLOT, off, &value, len);
}

static uint32_t find_cap(uint8_t id)
{
	uint32_t off = cfg_get(PCI_CAPABILITY_LIST, 1);

	while (off && cfg_get(off, 1) != id)
		off = cfg_get(off + 1, 1);
	return off;
}

/* The library's fd says so, then the library handles it. */
static bool process(void)
{
	struct pollfd p = { .fd = libvbus_fd(bus), .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) == 1 && !libvbus_process(bus);
}

static bool quiet(void)
{
	struct pollfd p = { .fd = libvbus_fd(bus), .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static bool fires(int fd, int patience_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t count;

	return poll(&p, 1, patience_ms) == 1 &&
	       read(fd, &count, sizeof(count)) == sizeof(count);
}

static void test_open(void)
{
	struct libvbus *second;

	check(libvbus_open("no-lib", 0, &ops, NULL, &second) == -ENOENT &&
	      strstr(seen.log, "there are: "), "no such bus: told which there are");
	need(!libvbus_open("lib", 0, &ops, NULL, &bus), "open");
	check(libvbus_open("/dev/vbus/lib", 0, &ops, NULL, &second) == -EBUSY &&
	      strstr(seen.log, "in use"), "by its path, twice: in use");
	check(seen.added == 0, "nothing comes before it is asked for");
	check(process() && seen.added == 1 && seen.class_id == VBUS_CLASS_NULL,
	      "the device that was there is added");
	check(quiet(), "once");
}

static void test_memory(void)
{
	check(libvbus_mem_add(bus, GUEST_ADDR + 1, GUEST_MEM, mem, false) ==
	      -EINVAL, "misaligned memory");
	need(!libvbus_mem_add(bus, GUEST_ADDR, GUEST_MEM, mem, false), "memory");
	check(libvbus_mem_add(bus, GUEST_ADDR, GUEST_MEM, mem, false) == -EEXIST,
	      "the same again");
	check(libvbus_mem_del(bus, 0, 4096) == -ENOENT, "what was never added");
}

static void test_info(void)
{
	struct libvbus_info info;

	check(!libvbus_get_info(bus, SLOT, &info) &&
	      info.class_id == VBUS_CLASS_NULL && info.nr_queues == 2 &&
	      info.nr_vectors == 3 && !strcmp(info.name, "null.lib") &&
	      !strcmp(info.alias, "first"), "what is in the slot");
	check(!file_put(SLOTDIR "/alias", "other") && process() &&
	      !libvbus_get_info(bus, SLOT, &info) &&
	      !strcmp(info.alias, "other"), "the alias changes");
}

static void test_config(void)
{
	check(cfg_get(PCI_VENDOR_ID, 4) == 0x200111da, "vendor and device");
	check(cfg_get(PCI_CLASS_REVISION, 4) >> 8 == 0xff0000, "class code");
	check((cfg_get(find_cap(PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2) & 0x7ff) ==
	      2, "three vectors");
	check(bar_get(0, 4) == 0xffffffff, "the BAR is silent before it is placed");
	cfg_put(PCI_BASE_ADDRESS_1, BAR_ADDR >> 32, 4);
	cfg_put(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	check(seen.maps == 1 && seen.bar == BAR_ADDR, "it is mapped");
	check(seen.bell[0] > 0 && seen.bell[1] > 0, "with two doorbells");
	cfg_put(find_cap(PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS,
		PCI_MSIX_FLAGS_ENABLE, 2);
}

static void test_registers(void)
{
	check(bar_get(VBUS_REG_MAGIC, 4) == VBUS_MAGIC, "magic");
	check(bar_get(VBUS_REG_VERSION, 4) == VBUS_VERSION, "version");
	check(bar_get(VBUS_REG_SLOT, 4) == SLOT, "slot");
	check(bar_get(VBUS_REG_NR_QUEUES, 4) == 2, "queues");
	check(bar_get(VBUS_REG_FEATURES, 8) == 0xf, "a 64-bit register");
	check(bar_get(VBUS_REG_ALIAS, 1) == 'o', "one byte of the alias");
	check(bar_get(VBUS_REG_MAGIC + 2, 2) == 0xffff, "half a register: all ones");
	check(!bar_put(VBUS_REG_MAGIC, 0, 4), "a write to MAGIC is refused");
}

static void unmask(uint32_t vector, bool masked)
{
	uint64_t entry = VBUS_PCI_MSIX_TABLE + vector * PCI_MSIX_ENTRY_SIZE;

	bar_put(entry, 0xfee00000, 8);
	bar_put(entry + 8, (uint64_t)masked << 32 | (0x40 + vector), 8);
}

static bool queue_setup(struct ioq_north *q, void *state)
{
	uint64_t base = VBUS_REG_QUEUE(0);

	memset(mem, 0, GUEST_MEM);
	if (ioq_north_init(q, mem, RING_SIZE, 0, state))
		return false;
	return bar_put(VBUS_REG_STATUS, 0, 4) &&
	       bar_put(VBUS_REG_STATUS, 1, 4) && bar_put(VBUS_REG_STATUS, 3, 4) &&
	       bar_put(base + VBUS_QREG_SIZE, RING_SIZE, 4) &&
	       bar_put(base + VBUS_QREG_RING, GUEST_ADDR, 8) &&
	       bar_put(base + VBUS_QREG_VECTOR, 1, 4) &&
	       bar_put(base + VBUS_QREG_ENABLE, 1, 4) &&
	       bar_put(VBUS_REG_STATUS, 7, 4);
}

static void post(struct ioq_north *q)
{
	struct ioq_seg seg = { .addr = GUEST_ADDR + 0x80000, .len = 64 };

	ioq_north_enable_signals(q, 1);
	ioq_north_add(q, &seg, 1, q);
	ioq_north_publish(q);
}

static bool reap(struct ioq_north *q)
{
	u32 len;

	return ioq_north_get(q, &len) == q && !ioq_north_get(q, &len);
}

static void test_data(struct ioq_north *q)
{
	int fd;

	unmask(1, false);
	check(seen.irq_on[1] && seen.irq[1].addr == 0xfee00000 &&
	      seen.irq[1].data == 0x41, "vector 1 is enabled");
	fd = seen.irq[1].fd;
	post(q);
	check(eventfd_write(seen.bell[0], 1) == 0 && fires(fd, PATIENCE_MS) &&
	      reap(q), "a doorbell rings, the chain is done, the interrupt fires");
	post(q);
	check(bar_put(VBUS_REG_DOORBELL(0), 0, 4) && fires(fd, PATIENCE_MS) &&
	      reap(q), "the same by the doorbell's register");

	unmask(1, true);
	check(!seen.irq_on[1] && bar_get(VBUS_PCI_MSIX_PBA, 8) == 0, "masked");
	post(q);
	check(eventfd_write(seen.bell[0], 1) == 0 &&
	      poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1,
		   PATIENCE_MS) == 1, "a signal waits");
	check(bar_get(VBUS_PCI_MSIX_PBA, 8) == 2, "as a pending bit");
	unmask(1, false);
	check(seen.irq_on[1] && fires(fd, PATIENCE_MS) && reap(q),
	      "and comes when the mask goes");
}

/* Bus mastering off: the device stands still; on: it goes on by itself. */
static void test_master(struct ioq_north *q)
{
	int fd = seen.irq[1].fd;

	cfg_put(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	check(!seen.irq_on[1], "no bus master, no messages");
	check(bar_get(VBUS_REG_STATUS, 4) == 7, "the device says that it runs");
	post(q);
	bar_put(VBUS_REG_DOORBELL(0), 0, 4);
	check(!fires(fd, 200) && !reap(q), "but it touches nothing");
	cfg_put(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	check(fires(fd, PATIENCE_MS) && reap(q), "with bus master, what waited is done");

	cfg_put(find_cap(PCI_CAP_ID_PM) + PCI_PM_CTRL, 3, 2);
	check(!seen.bar && bar_get(0, 4) == 0xffffffff, "D3hot: no BAR");
	cfg_put(find_cap(PCI_CAP_ID_PM) + PCI_PM_CTRL, 0, 2);
	post(q);
	check(seen.bar == BAR_ADDR && eventfd_write(seen.bell[0], 1) == 0 &&
	      fires(fd, PATIENCE_MS) && reap(q), "D0: as before");
}

static void test_reset(void)
{
	cfg_put(find_cap(PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL,
		PCI_EXP_DEVCTL_BCR_FLR, 2);
	check(!seen.bar && !seen.irq_on[1], "a function level reset takes all away");
	cfg_put(PCI_BASE_ADDRESS_1, BAR_ADDR >> 32, 4);
	cfg_put(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	check(bar_get(VBUS_REG_STATUS, 4) == 0, "and resets the device");
	check(!libvbus_reset_slot(bus, SLOT) && !seen.bar, "so does the slot's");
}

static void test_unplug(void)
{
	check(!unlink(LINK) && process() && seen.unplugs == 1,
	      "the admin wants it back");
	check(cfg_get(PCI_VENDOR_ID, 2) == 0x11da, "the guest still has it");
	check(file_reads(SLOTDIR "/state", "unplugging"), "the slot is unplugging");
	check(!libvbus_eject(bus, SLOT) && file_reads(SLOTDIR "/state", "empty"),
	      "it lets go: empty");
	check(cfg_get(PCI_VENDOR_ID, 4) == 0xffffffff, "nothing answers");
	check(quiet() && seen.removed == 0, "no more events");
	check(libvbus_attach(bus, SLOT) == -ENOENT, "nothing to attach");
	check(!symlink(DEV, LINK) && process() && seen.added == 2, "plugged again");

	/* The guest switches it off, and then the admin takes it. */
	check(!libvbus_eject(bus, SLOT) && file_reads(SLOTDIR "/state", "plugged"),
	      "ejected without being asked it stays plugged");
	check(!libvbus_attach(bus, SLOT) && seen.added == 3, "attached again");
	check(!libvbus_eject(bus, SLOT) && !unlink(LINK) && process() &&
	      seen.removed == 1, "ejected and removed");
	check(!symlink(DEV, LINK) && !unlink(LINK) && !symlink(DEV, LINK) &&
	      process() && seen.added == 4, "in, out and in unread: added");
}

static atomic_bool stop;

static void *vcpu_thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		cfg_put(PCI_BASE_ADDRESS_1, BAR_ADDR >> 32, 4);
		cfg_put(PCI_COMMAND, 6, 2);
		cfg_put(find_cap(PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 0x8000, 2);
		bar_get(VBUS_REG_MAGIC, 4);
		bar_put(VBUS_REG_STATUS, 0, 4);
		unmask(1, false);
	}
	return NULL;
}

static void test_races(void)
{
	bool good = true;
	pthread_t vcpu;
	int i;

	check(!pthread_create(&vcpu, NULL, vcpu_thread, NULL), "a busy vCPU");
	for (i = 0; good && i < 50; i++)
		good = !unlink(LINK) && process() && !libvbus_eject(bus, SLOT) &&
		       !symlink(DEV, LINK) && process();
	atomic_store(&stop, true);
	pthread_join(vcpu, NULL);
	check(good && seen.added == 54, "50 times out and in under its hands");
}

/* As nobody: what a user is told. Its status counts what was told wrongly. */
static int unprivileged(bool owner)
{
	struct rlimit low = { 64 << 10, 64 << 10 };
	int ret;

	if (setrlimit(RLIMIT_MEMLOCK, &low) || setgid(NOBODY) || setuid(NOBODY))
		return 100;
	ret = libvbus_open("lib", 0, &ops, NULL, &bus);
	if (!owner)
		return !(ret == -EACCES && strstr(seen.log, "this process uid 65534") &&
			 strstr(seen.log, "mode 0600"));
	if (ret)
		return 101;
	ret = libvbus_mem_add(bus, GUEST_ADDR, GUEST_MEM, mem, false);
	return !(ret == -ENOMEM && strstr(seen.log, "RLIMIT_MEMLOCK is 64 KiB") &&
		 strstr(seen.log, "at least 1024 KiB"));
}

static void test_unprivileged(bool owner, const char *name)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(unprivileged(owner));
	check(waitpid(pid, &status, 0) == pid && status == 0, name);
}

int main(void)
{
	void *state = calloc(1, ioq_north_state_bytes(RING_SIZE));
	struct ioq_north q;

	mem = mmap(NULL, GUEST_MEM, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(state && mem != MAP_FAILED, "memory of the process");
	need(!mkdir(DEV, 0755) && !file_put(DEV "/queues", "2") &&
	     !file_put(DEV "/enable", "1"), "make a device");
	need(!mkdir(BUS, 0755) && !mkdir(SLOTDIR, 0755) &&
	     !file_put(SLOTDIR "/alias", "first") && !symlink(DEV, LINK),
	     "plug it into a new bus");

	test_open();
	test_memory();
	test_info();
	test_config();
	test_registers();
	need(queue_setup(&q, state), "a queue, through the BAR");
	test_data(&q);
	test_master(&q);
	test_reset();
	test_unplug();
	test_races();

	libvbus_close(bus);
	check(!seen.bar && !seen.irq_on[1], "closing takes everything back");
	check(file_reads(DEV "/state", "plugged"), "the device is free of the bus");
	check(!libvbus_open("lib", 0, &ops, NULL, &bus), "and can be opened again");
	libvbus_close(bus);
	test_unprivileged(false, "nobody may not: told whose it is");
	check(!file_put(BUS "/uid", "65534"), "give it to nobody");
	test_unprivileged(true, "nobody may: told that RLIMIT_MEMLOCK is too low");
	check(!unlink(LINK) && !rmdir(SLOTDIR) && !rmdir(BUS) && !rmdir(DEV),
	      "take everything away");
	munmap(mem, GUEST_MEM);
	free(state);
	return tap_finish();
}
