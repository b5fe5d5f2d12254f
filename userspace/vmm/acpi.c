// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables: root pointer and XSDT, FADT of a hardware-reduced machine (no
 * PIC, no PIT, no fixed registers), MADT, and the DSDT that iasl made of dsdt.asl.
 * With PCI also MCFG, an SSDT made of pci.asl, and one with the numbers that this needs
 * and only this run knows; with native fronts, one with their devices.
 */
#include "acpi.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "dsdt.hex"
#include "options.h"
#include "pci.hex"
#include "vm.h"

#define ALIGN		16
#define MAX_TABLES	6	/* in the XSDT */
/* Content of the SSDT with native fronts. */
#define NATIVE_MAX	2048

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct gas {
	uint8_t space;
	uint8_t width;
	uint8_t offset;
	uint8_t access;
	uint64_t addr;
} __attribute__((packed));

#define GAS_IO		1
#define GAS_BYTE	1

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum2;
	uint8_t reserved[3];
} __attribute__((packed));

struct xsdt {
	struct header header;
	uint64_t table[MAX_TABLES];
} __attribute__((packed));

struct fadt {
	struct header header;
	uint8_t unused0[45 - 36];
	uint8_t profile;
	uint8_t unused1[109 - 46];
	uint16_t boot_flags;
	uint8_t unused2;
	uint32_t flags;
	struct gas reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs;
	uint64_t x_dsdt;
	uint8_t unused3[244 - 148];
	struct gas sleep_control;
	struct gas sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(sizeof(struct fadt) == 276, "FADT revision 6");

#define FADT_BOOT_NO_VGA	0x04
#define FADT_BOOT_NO_RTC	0x20
#define FADT_WBINVD		0x00000001
#define FADT_NO_POWER_BUTTON	0x00000010
#define FADT_NO_SLEEP_BUTTON	0x00000020
#define FADT_RESET_REGISTER	0x00000400
#define FADT_HW_REDUCED		0x00100000

struct madt {
	struct header header;
	uint32_t lapic;
	uint32_t flags;
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length;
	uint8_t uid, apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length;
	uint8_t id, reserved;
	uint32_t addr;
	uint32_t gsi_base;
} __attribute__((packed));

struct madt_lapic_nmi {
	uint8_t type, length;
	uint8_t uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_LAPIC_NMI = 4 };

struct mcfg {
	struct header header;
	uint64_t reserved;
	uint64_t base;
	uint16_t segment;
	uint8_t bus_first;
	uint8_t bus_last;
	uint32_t reserved2;
} __attribute__((packed));

/* Name (XXXX, QWord) in AML. */
struct aml_name {
	uint8_t name_op;
	char name[4];
	uint8_t qword_prefix;
	uint64_t value;
} __attribute__((packed));

struct ssdt {
	struct header header;
	struct aml_name pci_base;
	struct aml_name pci_last;
	struct aml_name pci_size;
} __attribute__((packed));

/* Hands out room for one table after the other. */
struct builder {
	char *mem;
	size_t size;
	size_t used;
	uint64_t addr;
};

static void *take(struct builder *b, size_t len, uint64_t *addr)
{
	void *table;

	b->used = (b->used + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (b->used > b->size || len > b->size - b->used)
		return NULL;
	table = b->mem + b->used;
	memset(table, 0, len);
	*addr = b->addr + b->used;
	b->used += len;
	return table;
}

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *byte = data;
	uint8_t sum = 0;

	while (len--)
		sum += *byte++;
	return -sum;
}

/* Fills in the header once all that follows it is there. */
static void finish(void *table, const char *signature, uint8_t revision,
		   size_t len)
{
	struct header *header = table;

	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = htole32(len);
	header->revision = revision;
	memcpy(header->oem_id, "VBUS  ", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "VBUSVMM ", sizeof(header->oem_table_id));
	header->oem_revision = htole32(1);
	memcpy(header->creator_id, "VBUS", sizeof(header->creator_id));
	header->creator_revision = htole32(1);
	header->checksum = checksum(table, len);
}

static uint64_t build_fadt(struct builder *b, uint64_t dsdt)
{
	struct fadt *fadt;
	uint64_t addr;

	fadt = take(b, sizeof(*fadt), &addr);
	if (!fadt)
		return 0;
	fadt->boot_flags = htole16(FADT_BOOT_NO_VGA | FADT_BOOT_NO_RTC);
	fadt->flags = htole32(FADT_WBINVD | FADT_NO_POWER_BUTTON |
			      FADT_NO_SLEEP_BUTTON | FADT_RESET_REGISTER |
			      FADT_HW_REDUCED);
	fadt->reset = (struct gas){ GAS_IO, 8, 0, GAS_BYTE,
				    htole64(ACPI_PORT + ACPI_PORT_RESET) };
	fadt->reset_value = ACPI_RESET_VALUE;
	fadt->minor = 3;
	fadt->x_dsdt = htole64(dsdt);
	fadt->sleep_control = (struct gas){ GAS_IO, 8, 0, GAS_BYTE,
				htole64(ACPI_PORT + ACPI_PORT_SLEEP_CONTROL) };
	fadt->sleep_status = (struct gas){ GAS_IO, 8, 0, GAS_BYTE,
				htole64(ACPI_PORT + ACPI_PORT_SLEEP_STATUS) };
	finish(fadt, "FACP", 6, sizeof(*fadt));
	return addr;
}

static uint64_t build_madt(struct builder *b, unsigned int nr_cpus)
{
	size_t len = sizeof(struct madt) +
		     nr_cpus * sizeof(struct madt_lapic) +
		     sizeof(struct madt_ioapic) + sizeof(struct madt_lapic_nmi);
	struct madt_lapic_nmi *nmi;
	struct madt_ioapic *ioapic;
	struct madt_lapic *lapic;
	struct madt *madt;
	unsigned int i;
	uint64_t addr;

	madt = take(b, len, &addr);
	if (!madt)
		return 0;
	madt->lapic = htole32(VM_LAPIC_BASE);
	lapic = (void *)(madt + 1);
	for (i = 0; i < nr_cpus; i++, lapic++)
		*lapic = (struct madt_lapic){ MADT_LAPIC, sizeof(*lapic), i, i,
					      htole32(1) };
	ioapic = (void *)lapic;
	*ioapic = (struct madt_ioapic){ MADT_IOAPIC, sizeof(*ioapic), 0, 0,
					htole32(VM_IOAPIC_BASE), 0 };
	nmi = (void *)(ioapic + 1);
	*nmi = (struct madt_lapic_nmi){ MADT_LAPIC_NMI, sizeof(*nmi), 0xff, 0, 1 };
	finish(madt, "APIC", 5, len);
	return addr;
}

static uint64_t build_mcfg(struct builder *b)
{
	struct mcfg *mcfg;
	uint64_t addr;

	mcfg = take(b, sizeof(*mcfg), &addr);
	if (!mcfg)
		return 0;
	mcfg->base = htole64(VM_ECAM_BASE);
	mcfg->bus_last = (VM_ECAM_SIZE >> 20) - 1;
	finish(mcfg, "MCFG", 1, sizeof(*mcfg));
	return addr;
}

static struct aml_name aml_name(const char *name, uint64_t value)
{
	struct aml_name aml = { .name_op = 0x08, .qword_prefix = 0x0e };

	memcpy(aml.name, name, sizeof(aml.name));
	aml.value = htole64(value);
	return aml;
}

static uint64_t build_ssdt(struct builder *b, const struct vm *vm)
{
	struct ssdt *ssdt;
	uint64_t addr;

	ssdt = take(b, sizeof(*ssdt), &addr);
	if (!ssdt)
		return 0;
	ssdt->pci_base = aml_name("PM6B", vm->pci64_base);
	ssdt->pci_last = aml_name("PM6E", vm->pci64_base + vm->pci64_size - 1);
	ssdt->pci_size = aml_name("PM6L", vm->pci64_size);
	finish(ssdt, "SSDT", 2, sizeof(*ssdt));
	return addr;
}

/* What has been compiled already. */
static uint64_t copy_table(struct builder *b, const void *table, size_t len)
{
	uint64_t addr;
	void *to;

	to = take(b, len, &addr);
	if (!to)
		return 0;
	memcpy(to, table, len);
	return addr;
}

static uint64_t build_native(struct builder *b, const uint8_t *aml, size_t len)
{
	struct header *header;
	uint64_t addr;

	header = take(b, sizeof(*header) + len, &addr);
	if (!header)
		return 0;
	memcpy(header + 1, aml, len);
	finish(header, "SSDT", 2, sizeof(*header) + len);
	return addr;
}

int acpi_build(struct vm *vm, void *mem, size_t size, uint64_t addr,
	       uint64_t *rsdp_addr)
{
	struct builder b = { .mem = mem, .size = size, .addr = addr };
	uint64_t tables[MAX_TABLES], dsdt_addr, xsdt_addr;
	uint8_t native[NATIVE_MAX];
	unsigned int i, nr = 0;
	struct rsdp *rsdp;
	struct xsdt *xsdt;
	size_t native_len;

	native_len = acpi_native_aml(vm->opt, native, sizeof(native));
	rsdp = take(&b, sizeof(*rsdp), rsdp_addr);
	xsdt = take(&b, sizeof(*xsdt), &xsdt_addr);
	dsdt_addr = copy_table(&b, dsdt_aml_code, sizeof(dsdt_aml_code));
	if (!rsdp || !xsdt || !dsdt_addr || native_len > sizeof(native))
		return -ENOSPC;
	tables[nr++] = build_fadt(&b, dsdt_addr);
	tables[nr++] = build_madt(&b, vm->nr_vcpus);
	if (vm->opt->attach & ATTACH_PCI) {
		tables[nr++] = build_mcfg(&b);
		tables[nr++] = copy_table(&b, pci_aml_code, sizeof(pci_aml_code));
		tables[nr++] = build_ssdt(&b, vm);
	}
	if (native_len)
		tables[nr++] = build_native(&b, native, native_len);
	for (i = 0; i < nr; i++) {
		if (!tables[i])
			return -ENOSPC;
		xsdt->table[i] = htole64(tables[i]);
	}
	finish(xsdt, "XSDT", 1, sizeof(xsdt->header) + nr * sizeof(xsdt->table[0]));

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "VBUS  ", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = htole32(sizeof(*rsdp));
	rsdp->xsdt = htole64(xsdt_addr);
	rsdp->checksum = checksum(rsdp, 20);
	rsdp->checksum2 = checksum(rsdp, sizeof(*rsdp));
	return 0;
}
