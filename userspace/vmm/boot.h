/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading a Linux kernel by the 64-bit boot protocol.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stddef.h>
#include <stdint.h>

struct vm;

/* What lies where below 1 MiB when the kernel starts. */
#define BOOT_GDT		0x6000
#define BOOT_ZERO_PAGE		0x7000
#define BOOT_PAGE_TABLES	0x9000	/* six pages */
#define BOOT_CMDLINE		0x20000
#define BOOT_CMDLINE_MAX	0x10000
#define BOOT_ACPI		0xe0000
#define BOOT_ACPI_MAX		0x1fff0
#define BOOT_RESET_VECTOR	0xffff0
#define BOOT_EBDA		0x9fc00

/* Of the file that bzimage_parse() wants to see, if it has that much. */
#define BZIMAGE_HEAD		4096

/**
 * struct bzimage - where the parts of a kernel are and where they want to go
 * @payload: offset of the 64-bit kernel in the file
 * @payload_size: bytes from there to the end of the file
 * @load_addr: where it wants to be loaded
 * @init_size: memory it needs from there on until it is up
 * @alignment: of other load addresses; 0 if it can't be moved
 * @initrd_max: last address that the initrd may touch
 * @cmdline_max: longest command line, without its end
 * @entry: offset of the entry point from the load address
 */
struct bzimage {
	uint64_t payload;
	uint64_t payload_size;
	uint64_t load_addr;
	uint64_t init_size;
	uint64_t alignment;
	uint64_t initrd_max;
	uint32_t cmdline_max;
	uint32_t entry;
};

/**
 * bzimage_parse() - check a kernel image's header
 * @head: first bytes of the file
 * @len: of them
 * @file_size: of the whole file
 *
 * Return: NULL, or what is wrong with it, in words.
 */
const char *bzimage_parse(const void *head, size_t len, uint64_t file_size,
			  struct bzimage *image);

/**
 * struct boot_place - where kernel and initrd go
 */
struct boot_place {
	uint64_t kernel;
	uint64_t initrd;
};

/**
 * boot_place() - find room for kernel and initrd
 * @low_ram: end of the memory below 4 GiB
 *
 * Return: NULL, or what is wrong, in words.
 */
const char *boot_place(const struct bzimage *image, uint64_t initrd_size,
		       uint64_t low_ram, struct boot_place *place);

/* A memory map entry as the zero page has it. */
struct boot_e820 {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

#define BOOT_E820_RAM		1
#define BOOT_E820_RESERVED	2
#define BOOT_E820_MAX		8

/* Return: number of entries. */
unsigned int boot_e820(uint64_t mem, struct boot_e820 *map);

/* Open and check the files. Return: 0 or, after a message, a negative errno. */
int boot_init(struct vm *vm);

/*
 * Load everything that the first vCPU needs; at power-on and at each reset. The
 * entry point goes to vm->boot_entry.
 * Return: 0 or, after a message, a negative errno.
 */
int boot_load(struct vm *vm);
void boot_exit(struct vm *vm);

#endif /* VMM_BOOT_H */
