// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of the PCI transport: what can be tested without a function, which is its
 * reading of a capability, from a config space made of memory, and the table of bus
 * numbers.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include "../vbus-proxy/pci/vpci.h"

static const struct vbus_pci_cap good = {
	.id = PCI_CAP_ID_VNDR,
	.length = sizeof(struct vbus_pci_cap),
	.bar = VBUS_PCI_BAR,
	.signature = cpu_to_le32(VBUS_PCI_CAP_SIGNATURE),
	.offset = cpu_to_le32(VBUS_PCI_WINDOW),
};

/* BAR 0 and 1 are one of 64 bits, 2 is I/O, 3 is small, 4 got no address. */
static const struct resource bars[PCI_STD_NUM_BARS] = {
	{ .start = SZ_1G, .end = SZ_1G + VBUS_PCI_BAR_SIZE - 1,
	  .flags = IORESOURCE_MEM | IORESOURCE_MEM_64 },
	{ },
	{ .start = 0x1000, .end = 0x1000 + SZ_1M, .flags = IORESOURCE_IO },
	{ .start = SZ_1M, .end = SZ_1M + SZ_4K - 1, .flags = IORESOURCE_MEM },
	{ .start = 0, .end = SZ_1M - 1,
	  .flags = IORESOURCE_MEM | IORESOURCE_UNSET },
	{ .start = SZ_2M, .end = SZ_2M + VBUS_WINDOW_SIZE - 1,
	  .flags = IORESOURCE_MEM },
};

static void test_cap(struct kunit *test)
{
	struct vbus_pci_cap cap = good;

	KUNIT_EXPECT_EQ(test, 0, vpci_cap_check(&cap, bars));
	cap.length = 255;
	KUNIT_EXPECT_EQ(test, 0, vpci_cap_check(&cap, bars));
	cap.bus = cpu_to_le32(U32_MAX);
	KUNIT_EXPECT_EQ(test, 0, vpci_cap_check(&cap, bars));
	cap.offset = cpu_to_le32(VBUS_PCI_BAR_SIZE - VBUS_WINDOW_SIZE);
	KUNIT_EXPECT_EQ(test, 0, vpci_cap_check(&cap, bars));
	cap = good;
	cap.bar = 5;
	KUNIT_EXPECT_EQ(test, 0, vpci_cap_check(&cap, bars));
}

static void test_cap_foreign(struct kunit *test)
{
	struct vbus_pci_cap cap = good;

	cap.id = PCI_CAP_ID_MSIX;
	KUNIT_EXPECT_EQ(test, -ENODEV, vpci_cap_check(&cap, bars));
	cap = good;
	cap.length = sizeof(cap) - 1;
	KUNIT_EXPECT_EQ(test, -ENODEV, vpci_cap_check(&cap, bars));
	cap = good;
	cap.signature ^= cpu_to_le32(1);
	KUNIT_EXPECT_EQ(test, -ENODEV, vpci_cap_check(&cap, bars));
	memset(&cap, 0xff, sizeof(cap));
	KUNIT_EXPECT_EQ(test, -ENODEV, vpci_cap_check(&cap, bars));
}

static void test_cap_nonsense(struct kunit *test)
{
	static const struct {
		u8 bar;
		u32 offset;
	} table[] = {
		{ 6, 0 },
		{ 255, 0 },
		{ 1, 0 },				/* upper half of 0 */
		{ 2, 0 },				/* I/O */
		{ 3, 0 },				/* too small */
		{ 4, 0 },				/* unassigned */
		{ 0, 4 },				/* within a page */
		{ 0, VBUS_PCI_BAR_SIZE - VBUS_WINDOW_SIZE + SZ_4K },
		{ 0, VBUS_PCI_BAR_SIZE },
		{ 0, 0xfffff000 },
		{ 5, SZ_4K },
	};
	struct vbus_pci_cap cap = good;
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		cap.bar = table[i].bar;
		cap.offset = cpu_to_le32(table[i].offset);
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, vpci_cap_check(&cap, bars),
				    "BAR %u offset 0x%x", table[i].bar,
				    table[i].offset);
	}
}

/* --- a function that is all config space --- */

static u8 config[2 * PCI_CFG_SPACE_SIZE];
static unsigned int config_reads;

static int config_read(struct pci_bus *bus, unsigned int devfn, int where,
		       int size, u32 *val)
{
	config_reads++;
	*val = 0;
	memcpy(val, config + where, size);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = {
	.read = config_read,
};

static int find(struct kunit *test, struct vbus_pci_cap *cap)
{
	struct pci_bus *bus = kunit_kzalloc(test, sizeof(*bus), GFP_KERNEL);
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bus);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	bus->ops = &config_ops;
	pdev->bus = bus;
	pdev->dev.init_name = "vbus-fake-function";
	memcpy(pdev->resource, bars, sizeof(bars));
	config_reads = 0;
	return vpci_cap_find(pdev, cap);
}

/* A list with one capability of ours; of the others there is only the head. */
static void config_list(u8 pos)
{
	memset(config, 0, sizeof(config));
	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = pos;
	memcpy(config + pos, &good, sizeof(good));
}

static void test_cap_list(struct kunit *test)
{
	struct vbus_pci_cap cap;

	config_list(0x40);
	KUNIT_EXPECT_EQ(test, 0, find(test, &cap));
	KUNIT_EXPECT_FALSE(test, memcmp(&cap, &good, sizeof(cap)));
	config_list(PCI_CFG_SPACE_SIZE - sizeof(good));
	KUNIT_EXPECT_EQ(test, 0, find(test, &cap));

	/* Its end is beyond the space that such a list lies in. */
	config_list(PCI_CFG_SPACE_SIZE - sizeof(good) + 4);
	KUNIT_EXPECT_EQ(test, -ENODEV, find(test, &cap));
	config_list(0xfc);
	KUNIT_EXPECT_EQ(test, -ENODEV, find(test, &cap));

	/* Of another vendor, over and over. */
	config_list(0x40);
	config[0x40 + offsetof(struct vbus_pci_cap, signature)] ^= 1;
	config[0x40 + offsetof(struct vbus_pci_cap, next)] = 0x40;
	KUNIT_EXPECT_EQ(test, -ENODEV, find(test, &cap));
	KUNIT_EXPECT_LT(test, config_reads, 10000U);
	/* Of another kind, over and over. */
	config[0x40] = PCI_CAP_ID_MSIX;
	KUNIT_EXPECT_EQ(test, -ENODEV, find(test, &cap));
	KUNIT_EXPECT_LT(test, config_reads, 10000U);

	/* Pulled out. */
	memset(config, 0xff, sizeof(config));
	KUNIT_EXPECT_EQ(test, -ENODEV, find(test, &cap));
}

static void test_buses(struct kunit *test)
{
	int a, b, other;

	a = vpci_bus_get(7);
	KUNIT_ASSERT_GE(test, a, 0);
	KUNIT_EXPECT_EQ(test, a, vpci_bus_get(7));
	b = vpci_bus_get(U32_MAX);
	KUNIT_ASSERT_GE(test, b, 0);
	KUNIT_EXPECT_NE(test, a, b);
	/* Another transport's numbers are of the same set. */
	other = vproxy_bus_id_alloc();
	KUNIT_EXPECT_NE(test, other, a);
	KUNIT_EXPECT_NE(test, other, b);
	vproxy_bus_id_free(other);

	vpci_bus_put(7);
	KUNIT_EXPECT_EQ(test, a, vpci_bus_get(7));
	vpci_bus_put(7);
	vpci_bus_put(7);
	/* Nobody is left: the number is free. */
	other = vproxy_bus_id_alloc();
	KUNIT_EXPECT_EQ(test, other, a);
	vproxy_bus_id_free(other);
	vpci_bus_put(U32_MAX);
}

static struct kunit_case pci_cases[] = {
	KUNIT_CASE(test_cap),
	KUNIT_CASE(test_cap_foreign),
	KUNIT_CASE(test_cap_nonsense),
	KUNIT_CASE(test_cap_list),
	KUNIT_CASE(test_buses),
	{ }
};

static struct kunit_suite pci_suite = {
	.name = "vbus_pci",
	.test_cases = pci_cases,
};

kunit_test_suite(pci_suite);

MODULE_DESCRIPTION("vbus test: PCI transport");
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_TRANSPORT);
