// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of every machine that no guest can find by itself: power-off, what is
 * taken, two serial ports. PCI is in pci.asl, native fronts in acpi_native.c.
 * The addresses are those of acpi.h.
 */
DefinitionBlock ("", "DSDT", 2, "VBUS  ", "VBUSVMM ", 1)
{
	/* Type 5 into the sleep control register: power off. */
	Name (\_S5, Package () { 5, 0, 0, 0 })

	Scope (\_SB)
	{
		/* Taken: the ports of reset and power-off. */
		Device (MRES)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x600, 0x600, 1, 8)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3f8, 0x3f8, 1, 8)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 4 }
			})
		}

		Device (COM2)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 2)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x2f8, 0x2f8, 1, 8)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 3 }
			})
		}
	}
}
