// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel image says of itself, where it can go, and the memory map: the
 * parts of booting that touch neither files nor guest memory.
 */
#include <asm/bootparam.h>
#include <string.h>

#include "boot.h"
#include "vm.h"

#define SECTOR		512
#define HEADER		0x1f1	/* of struct setup_header in the file */
#define MIB		(1024ULL * 1024)
#define PAGE		4096ULL

/* 2.12: the first version that knows of 64-bit entry points. */
#define PROTOCOL_MIN	0x020c
#define BOOT_FLAG	0xaa55
#define ENTRY_64	0x200

const char *bzimage_parse(const void *head, size_t len, uint64_t file_size,
			  struct bzimage *image)
{
	static const char elf[] = { 0x7f, 'E', 'L', 'F' };
	struct setup_header header;
	unsigned int sectors;

	if (len >= sizeof(elf) && !memcmp(head, elf, sizeof(elf)))
		return "an ELF file; what boots is arch/x86/boot/bzImage or /boot/vmlinuz-VERSION";
	if (len < HEADER + sizeof(header))
		return "too short for a Linux kernel";
	memcpy(&header, (const char *)head + HEADER, sizeof(header));
	if (header.boot_flag != BOOT_FLAG ||
	    memcmp(&header.header, "HdrS", sizeof(header.header)))
		return "this is no Linux kernel for x86 (a bzImage, such as /boot/vmlinuz-VERSION)";
	if (header.version < PROTOCOL_MIN)
		return "this kernel is older than Linux 3.8";
	if (!(header.loadflags & LOADED_HIGH) ||
	    !(header.xloadflags & XLF_KERNEL_64))
		return "this is no 64-bit kernel";
	sectors = header.setup_sects ? header.setup_sects : 4;
	image->payload = (sectors + 1) * SECTOR;
	if (file_size <= image->payload + ENTRY_64)
		return "the file ends before the kernel begins";
	image->payload_size = file_size - image->payload;
	/* A signature may follow, so a file can be longer but not shorter. */
	if (image->payload_size < header.syssize * 16ULL - 15)
		return "the file is truncated";
	image->load_addr = header.pref_address;
	image->init_size = header.init_size;
	if (image->init_size < image->payload_size)
		image->init_size = image->payload_size;
	image->alignment = header.relocatable_kernel ? header.kernel_alignment : 0;
	if (image->alignment & (image->alignment - 1) ||
	    image->alignment > 1024 * MIB)
		return "the header asks for an impossible alignment";
	image->initrd_max = header.initrd_addr_max;
	image->cmdline_max = header.cmdline_size;
	image->entry = ENTRY_64;
	return NULL;
}

static bool kernel_fits(const struct bzimage *image, uint64_t addr,
			uint64_t low_ram)
{
	return addr >= MIB && addr < low_ram &&
	       image->init_size <= low_ram - addr;
}

const char *boot_place(const struct bzimage *image, uint64_t initrd_size,
		       uint64_t low_ram, struct boot_place *place)
{
	uint64_t end = low_ram, addr = image->load_addr;

	if (!kernel_fits(image, addr, low_ram) && image->alignment)
		addr = image->alignment > MIB ? image->alignment : MIB;
	if (!kernel_fits(image, addr, low_ram))
		return "the kernel does not fit into the guest's memory; give it more with --mem";
	place->kernel = addr;
	place->initrd = 0;
	if (!initrd_size)
		return NULL;
	if (image->initrd_max < end)
		end = image->initrd_max + 1;
	if (initrd_size > end)
		return "the initrd does not fit into the guest's memory; give it more with --mem";
	addr = (end - initrd_size) & ~(PAGE - 1);
	if (addr < place->kernel + image->init_size)
		return "it and the initrd do not fit into the guest's memory; see --mem";
	place->initrd = addr;
	return NULL;
}

unsigned int boot_e820(uint64_t mem, struct boot_e820 *map)
{
	uint64_t low = mem < VM_LOW_RAM_MAX ? mem : VM_LOW_RAM_MAX;
	unsigned int nr = 0;

	map[nr++] = (struct boot_e820){ 0, BOOT_EBDA, BOOT_E820_RAM };
	/* Where the ACPI tables are, too. */
	map[nr++] = (struct boot_e820){ BOOT_EBDA, MIB - BOOT_EBDA,
					BOOT_E820_RESERVED };
	map[nr++] = (struct boot_e820){ MIB, low - MIB, BOOT_E820_RAM };
	/* Linux trusts ECAM only where the memory map reserves it. */
	map[nr++] = (struct boot_e820){ VM_ECAM_BASE, VM_ECAM_SIZE,
					BOOT_E820_RESERVED };
	if (mem > low)
		map[nr++] = (struct boot_e820){ VM_HIGH_RAM_BASE, mem - low,
						BOOT_E820_RAM };
	return nr;
}
