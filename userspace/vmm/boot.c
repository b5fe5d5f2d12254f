// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the kernel. The files stay open, so that a reset can load them again
 * when this process may open nothing any more. Runs in the main thread while no
 * vCPU does.
 */
#include "boot.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acpi.h"
#include "log.h"
#include "native.h"
#include "options.h"
#include "vm.h"

/* The kernel's own names for the segments it wants to be started with. */
#define GDT_ENTRIES	4
#define GDT_CODE64	0x00af9b000000ffffULL	/* selector 0x10 */
#define GDT_DATA	0x00cf93000000ffffULL	/* selector 0x18 */

#define PTE_PRESENT_RW	0x3ULL
#define PTE_LARGE	0x80ULL
#define LARGE_PAGE	0x200000ULL
#define PTES		512

#define LOADER_UNKNOWN	0xff

/*
 * All the firmware there is. On a hardware-reduced machine without EFI Linux goes
 * back to real mode and jumps here to reset, instead of using the reset register of
 * the ACPI tables; so this does that.
 */
static const uint8_t reset_code[] = {
	0xba, (ACPI_PORT + ACPI_PORT_RESET) & 0xff,
	(ACPI_PORT + ACPI_PORT_RESET) >> 8,	/* mov $port, %dx */
	0xb0, ACPI_RESET_VALUE,			/* mov $value, %al */
	0xee,					/* out %al, %dx */
	0xf4,					/* hlt */
	0xeb, 0xfd,				/* jmp to the hlt */
};

struct boot {
	int kernel_fd;
	int initrd_fd;
	uint64_t initrd_size;
	char *cmdline;
	struct bzimage image;
	struct boot_place place;
	struct setup_header header;
};

static int open_file(const char *path, const char *what, uint64_t *size)
{
	struct stat st;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		ret = -errno;
		log_error("can't open %s %s: %s", what, path, strerror(-ret));
		return ret;
	}
	if (fstat(fd, &st)) {
		ret = -errno;
		log_error("%s %s: %s", what, path, strerror(-ret));
	} else if (!S_ISREG(st.st_mode)) {
		ret = -EINVAL;
		log_error("%s %s is not a file", what, path);
	} else {
		*size = st.st_size;
		return fd;
	}
	close(fd);
	return ret;
}

/* Return: bytes read, less than @len only at the end of the file; or an errno. */
static ssize_t read_at(int fd, void *buf, size_t len, uint64_t off)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, (char *)buf + done, len - done, off + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

static int load_file(struct vm *vm, int fd, uint64_t off, uint64_t size,
		     uint64_t addr, const char *path)
{
	void *to = vm_ram_ptr(vm, addr, size);
	ssize_t n = to ? read_at(fd, to, size, off) : -EFAULT;

	if (n == (ssize_t)size)
		return 0;
	log_error("can't load %s: %s", path,
		  n < 0 ? strerror(-n) : "it became shorter in the meantime");
	return n < 0 ? n : -EIO;
}

/*
 * The guest's command line. What the machine adds comes first: behind a "--" in
 * --append it would be for init.
 */
static int make_cmdline(struct boot *boot, const struct options *opt)
{
	size_t added = native_cmdline(opt, NULL, 0);
	size_t len = added + strlen(opt->append);

	if (len > boot->image.cmdline_max || len >= BOOT_CMDLINE_MAX) {
		if (added)
			log_error("--append: longer than the %u bytes that this kernel takes, of which native buses need %zu",
				  boot->image.cmdline_max, added);
		else
			log_error("--append: longer than the %u bytes that this kernel takes",
				  boot->image.cmdline_max);
		return -E2BIG;
	}
	boot->cmdline = malloc(len + 1);
	if (!boot->cmdline)
		return -ENOMEM;
	native_cmdline(opt, boot->cmdline, len + 1);
	strcpy(boot->cmdline + added, opt->append);
	return 0;
}

int boot_init(struct vm *vm)
{
	const struct options *opt = vm->opt;
	uint64_t kernel_size, low_ram = vm->ram[0].size;
	unsigned char head[BZIMAGE_HEAD];
	struct boot *boot;
	const char *why;
	ssize_t n;

	boot = calloc(1, sizeof(*boot));
	if (!boot)
		return -ENOMEM;
	vm->boot = boot;
	boot->initrd_fd = -1;
	boot->kernel_fd = open_file(opt->kernel, "kernel", &kernel_size);
	if (boot->kernel_fd < 0)
		return boot->kernel_fd;
	if (opt->initrd) {
		boot->initrd_fd = open_file(opt->initrd, "initrd",
					    &boot->initrd_size);
		if (boot->initrd_fd < 0)
			return boot->initrd_fd;
	}
	n = read_at(boot->kernel_fd, head, sizeof(head), 0);
	if (n < 0) {
		log_error("can't read kernel %s: %s", opt->kernel, strerror(-n));
		return n;
	}
	why = bzimage_parse(head, n, kernel_size, &boot->image);
	if (why) {
		log_error("kernel %s: %s", opt->kernel, why);
		return -ENOEXEC;
	}
	why = boot_place(&boot->image, boot->initrd_size, low_ram, &boot->place);
	if (why) {
		log_error("kernel %s: %s", opt->kernel, why);
		return -ENOMEM;
	}
	memcpy(&boot->header, head + offsetof(struct boot_params, hdr),
	       sizeof(boot->header));
	return make_cmdline(boot, opt);
}

/* The first 4 GiB one to one, and a GDT: what the 64-bit entry point expects. */
static void load_tables(void *low)
{
	uint64_t *pml4 = (void *)((char *)low + BOOT_PAGE_TABLES);
	uint64_t *gdt = (void *)((char *)low + BOOT_GDT);
	uint64_t *pdpt = pml4 + PTES, *pd = pdpt + PTES;
	unsigned int i;

	memset(gdt, 0, GDT_ENTRIES * sizeof(*gdt));
	gdt[2] = GDT_CODE64;
	gdt[3] = GDT_DATA;
	memset(pml4, 0, 2 * PTES * sizeof(*pml4));
	pml4[0] = (BOOT_PAGE_TABLES + 0x1000) | PTE_PRESENT_RW;
	for (i = 0; i < 4; i++)
		pdpt[i] = (BOOT_PAGE_TABLES + 0x2000 + i * 0x1000) | PTE_PRESENT_RW;
	for (i = 0; i < 4 * PTES; i++)
		pd[i] = i * LARGE_PAGE | PTE_PRESENT_RW | PTE_LARGE;
}

static void load_zero_page(struct vm *vm, void *low, uint64_t rsdp)
{
	struct boot_params *zero = (void *)((char *)low + BOOT_ZERO_PAGE);
	struct boot_e820 map[BOOT_E820_MAX];
	const struct boot *boot = vm->boot;
	unsigned int i;

	_Static_assert(sizeof(map[0]) == sizeof(zero->e820_table[0]),
		       "entry of the memory map");
	memset(zero, 0, sizeof(*zero));
	zero->hdr = boot->header;
	zero->hdr.type_of_loader = LOADER_UNKNOWN;
	zero->hdr.cmd_line_ptr = BOOT_CMDLINE;
	zero->hdr.ramdisk_image = boot->place.initrd;
	zero->hdr.ramdisk_size = boot->initrd_size;
	zero->acpi_rsdp_addr = rsdp;
	zero->e820_entries = boot_e820(vm->opt->mem, map);
	for (i = 0; i < zero->e820_entries; i++)
		memcpy(&zero->e820_table[i], &map[i], sizeof(map[i]));
}

int boot_load(struct vm *vm)
{
	const struct options *opt = vm->opt;
	struct boot *boot = vm->boot;
	uint64_t rsdp;
	char *low;
	int ret;

	low = vm_ram_ptr(vm, 0, BOOT_RESET_VECTOR + sizeof(reset_code));
	ret = low ? acpi_build(vm, low + BOOT_ACPI, BOOT_ACPI_MAX, BOOT_ACPI,
			       &rsdp) : -EFAULT;
	if (ret) {
		log_error("can't make the ACPI tables: %s", strerror(-ret));
		return ret;
	}
	ret = load_file(vm, boot->kernel_fd, boot->image.payload,
			boot->image.payload_size, boot->place.kernel,
			opt->kernel);
	if (!ret && boot->initrd_size)
		ret = load_file(vm, boot->initrd_fd, 0, boot->initrd_size,
				boot->place.initrd, opt->initrd);
	if (ret)
		return ret;
	strcpy(low + BOOT_CMDLINE, boot->cmdline);
	memcpy(low + BOOT_RESET_VECTOR, reset_code, sizeof(reset_code));
	load_tables(low);
	load_zero_page(vm, low, rsdp);
	vm->boot_entry = boot->place.kernel + boot->image.entry;
	return 0;
}

void boot_exit(struct vm *vm)
{
	struct boot *boot = vm->boot;

	if (!boot)
		return;
	if (boot->kernel_fd >= 0)
		close(boot->kernel_fd);
	if (boot->initrd_fd >= 0)
		close(boot->initrd_fd);
	free(boot->cmdline);
	free(boot);
	vm->boot = NULL;
}
