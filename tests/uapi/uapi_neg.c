// SPDX-License-Identifier: GPL-2.0
/*
 * usage: uapi_neg /dev/vbus/BUS
 *
 * What every ioctl of the bus fd, the device fd and the native fd has in common:
 * the sizes and flags it takes, where its argument lies, and commands that are
 * none. The rest is in uapi_bus.c, uapi_dev.c and uapi_native.c. uapi.h says what
 * has to be set up.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "uapi.h"

const char *bus_path;
int bus_fd = -1;
int dev_fd = -1;
uint8_t *guest;
uint8_t *hole;

enum kind {
	BUS,
	DEV,
	NATIVE,
	NR_KINDS
};

static const char *const kinds[] = { "bus fd", "device fd", "native fd" };

static int kind_fd(unsigned int kind)
{
	const int fds[] = { bus_fd, dev_fd, native_fd };

	return fds[kind];
}

/*
 * A well-formed argument that gets as far as the handler and either does nothing
 * or is refused there, with another errno than those for form.
 */
static const struct form {
	const char *name;
	unsigned long cmd;
	enum kind kind;
	uint32_t flags;		/* known */
	uint32_t size;
	int err;		/* what the handler answers */
	uint64_t body[3];	/* what follows size and flags */
} forms[] = {
	{ "GET_INFO", VBUS_GET_INFO, BUS, 0, sizeof(struct vbus_info), 0, {} },
	{ "MEM_ADD", VBUS_MEM_ADD, BUS, VBUS_MEM_RDONLY,
	  sizeof(struct vbus_mem_region), EEXIST, { GUEST_BASE, PAGE, PAGE } },
	{ "MEM_DEL", VBUS_MEM_DEL, BUS, 0, sizeof(struct vbus_mem_region),
	  ENOENT, { GUEST_BASE, PAGE, 0 } },
	{ "OPEN_SLOT", VBUS_OPEN_SLOT, BUS, 0, sizeof(struct vbus_open_slot),
	  ENOENT, { SLOT_EMPTY } },
	{ "SET_IRQ", VBUS_DEV_SET_IRQ, DEV, 0, sizeof(struct vbus_dev_irq),
	  0, { (uint64_t)UINT32_MAX << 32 } },
	{ "SET_DOORBELL", VBUS_DEV_SET_DOORBELL, DEV, 0,
	  sizeof(struct vbus_dev_doorbell), 0, { (uint64_t)UINT32_MAX << 32 } },
	{ "RESET", VBUS_DEV_RESET, DEV, 0, sizeof(struct vbus_dev_reset), 0, {} },
	{ "GET_ATTR", VBUS_DEV_GET_ATTR, DEV, 0, sizeof(struct vbus_dev_attr),
	  ENXIO, { VBUS_GROUP_STATS + 1, 0, 0 } },
	{ "SET_ATTR", VBUS_DEV_SET_ATTR, DEV, 0, sizeof(struct vbus_dev_attr),
	  EPERM, { VBUS_GROUP_INFO, 0, 0 } },
	{ "HAS_ATTR", VBUS_DEV_HAS_ATTR, DEV, 0, sizeof(struct vbus_dev_attr),
	  0, { VBUS_GROUP_INFO, 0, 0 } },
	{ "OPEN_NATIVE", VBUS_OPEN_NATIVE, BUS, 0, sizeof(struct vbus_open_native),
	  EBUSY, { 1 | 1ULL << 32, (uint64_t)UINT32_MAX << 32 } },
	{ "NATIVE_SET_IRQ", VBUS_NATIVE_SET_IRQ, NATIVE, 0,
	  sizeof(struct vbus_native_fd), 0, { (uint64_t)UINT32_MAX << 32 } },
	{ "NATIVE_SET_DOORBELL", VBUS_NATIVE_SET_DOORBELL, NATIVE, 0,
	  sizeof(struct vbus_native_fd), 0, { (uint64_t)UINT32_MAX << 32 } },
	{ "NATIVE_RESET", VBUS_NATIVE_RESET, NATIVE, 0,
	  sizeof(struct vbus_native_reset), 0, {} },
};

/* @end is where the last byte of the argument lies. */
static void *form_arg(const struct form *f, uint32_t size, uint32_t flags,
		      uint8_t *end, size_t room)
{
	uint8_t *arg = end - room;
	uint8_t full[sizeof(uint64_t) * 4];

	memcpy(full, &size, 4);
	memcpy(full + 4, &flags, 4);
	memcpy(full + 8, f->body, sizeof(f->body));
	memset(arg, 0, room);
	memcpy(arg, full, room < f->size ? room : f->size);
	return arg;
}

static void test_form(const struct form *f)
{
	int fd = kind_fd(f->kind);
	uint8_t *arg, *end = hole;
	uint32_t bit;
	unsigned int i;
	int got;

	REFUSE(f->err, call(fd, f->cmd, form_arg(f, f->size, 0, end, f->size)),
	       "%s: well-formed", f->name);
	REFUSE(EFAULT, call(fd, f->cmd, NULL), "%s: no argument", f->name);
	REFUSE(EFAULT, call(fd, f->cmd, hole), "%s: unmapped argument", f->name);
	memcpy(end - 4, &f->size, 4);
	REFUSE(EFAULT, call(fd, f->cmd, end - 4), "%s: all but the size unmapped",
	       f->name);
	REFUSE(EFAULT, call(fd, f->cmd, form_arg(f, f->size + 8, 0, end, f->size)),
	       "%s: unmapped tail", f->name);

	REFUSE(EINVAL, call(fd, f->cmd, form_arg(f, 0, 0, end, f->size)),
	       "%s: size 0", f->name);
	REFUSE(EINVAL, call(fd, f->cmd, form_arg(f, 4, 0, end, f->size)),
	       "%s: size 4", f->name);
	REFUSE(EINVAL, call(fd, f->cmd, form_arg(f, f->size - 1, 0, end, f->size)),
	       "%s: a byte short", f->name);
	REFUSE(f->err, call(fd, f->cmd, form_arg(f, f->size + 1, 0, end, f->size + 1)),
	       "%s: a zero byte more", f->name);
	REFUSE(f->err, call(fd, f->cmd, form_arg(f, PAGE, 0, end, PAGE)),
	       "%s: a page, the rest zero", f->name);
	arg = form_arg(f, f->size + 8, 0, end, f->size + 8);
	arg[f->size] = 1;
	REFUSE(E2BIG, call(fd, f->cmd, arg), "%s: first byte of the tail set", f->name);
	arg = form_arg(f, PAGE, 0, end, PAGE);
	arg[PAGE - 1] = 1;
	REFUSE(E2BIG, call(fd, f->cmd, arg), "%s: last byte of a page set", f->name);
	REFUSE(E2BIG, call(fd, f->cmd, form_arg(f, PAGE + 1, 0, end, PAGE)),
	       "%s: more than a page", f->name);
	REFUSE(E2BIG, call(fd, f->cmd, form_arg(f, UINT32_MAX, 0, end, f->size)),
	       "%s: largest size", f->name);

	state_mark();
	for (got = -EINVAL, bit = 1; bit && got == -EINVAL; bit <<= 1) {
		if (f->flags & bit)
			continue;
		got = call(fd, f->cmd, form_arg(f, f->size, bit, end, f->size));
	}
	refused(-EINVAL, got, "%s: each unknown flag", f->name);
	REFUSE(EINVAL, call(fd, f->cmd, form_arg(f, f->size, f->flags | 1U << 31,
						 end, f->size)),
	       "%s: known and unknown flags", f->name);

	arg = form_arg(f, f->size, 0, end, f->size);
	for (i = 0; i < NR_KINDS; i++)
		if (i != f->kind)
			REFUSE(ENOTTY, call(kind_fd(i), f->cmd, arg),
			       "%s: on a %s", f->name, kinds[i]);
	REFUSE(ENOTTY, call(fd, f->cmd | IOC_IN, arg), "%s: with a direction",
	       f->name);
	REFUSE(ENOTTY, call(fd, f->cmd | f->size << _IOC_SIZESHIFT, arg),
	       "%s: with a size", f->name);
}

/* All numbers of our range that are not taken, and neighbours of the range. */
static void test_unknown(void)
{
	int got[NR_KINDS] = { -ENOTTY, -ENOTTY, -ENOTTY };
	unsigned int nr, i;

	state_mark();
	for (nr = 0; nr < 256; nr++) {
		for (i = 0; i < ARRAY_SIZE(forms); i++)
			if (forms[i].cmd == _IO(VBUS_IOC, nr))
				break;
		if (i < ARRAY_SIZE(forms))
			continue;
		for (i = 0; i < NR_KINDS; i++)
			if (got[i] == -ENOTTY)
				got[i] = call(kind_fd(i), _IO(VBUS_IOC, nr), hole - PAGE);
	}
	for (i = 0; i < NR_KINDS; i++)
		refused(-ENOTTY, got[i], "%s: each unknown number", kinds[i]);
	REFUSE(ENOTTY, call(bus_fd, _IO('w', 0x40), hole - PAGE), "bus fd: another type");
	REFUSE(ENOTTY, call(dev_fd, _IO('w', 0x50), hole - PAGE), "device fd: another type");
	REFUSE(ENOTTY, call(native_fd, _IO('w', 0x58), hole - PAGE),
	       "native fd: another type");
}

/* @pages that can be used, and then one that can not. */
static uint8_t *map(size_t pages)
{
	uint8_t *p = mmap(NULL, (pages + 1) * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + pages * PAGE, PAGE, PROT_NONE)) {
		perror("mmap");
		exit(2);
	}
	return p;
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc != 2) {
		fprintf(stderr, "usage: %s /dev/vbus/BUS\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	bus_path = argv[1];
	hole = map(2) + 2 * PAGE;
	guest = map(GUEST_PAGES);

	test_bus();
	test_dev();
	test_native();
	for (i = 0; i < ARRAY_SIZE(forms); i++)
		test_form(&forms[i]);
	test_unknown();
	test_dev_run();
	test_native_run();
	test_bus_late();
	test_dev_gone();
	test_native_gone();
	return failures ? 1 : 0;
}
