// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of the machine that no guest can find by itself: the PCI host
 * bridge, which of its features the guest may drive, what is taken, two serial ports.
 * Numbers that only vbus-vmm knows come from an SSDT: PM6B, PM6E and PM6L are
 * first and last address and length of PCI's 64-bit window.
 * The addresses are those of vm.h and acpi.h.
 */
DefinitionBlock ("", "DSDT", 2, "VBUS  ", "VBUSVMM ", 1)
{
	External (\PM6B, IntObj)
	External (\PM6E, IntObj)
	External (\PM6L, IntObj)

	/* Type 5 into the sleep control register: power off. */
	Name (\_S5, Package () { 5, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_CCA, 1)

			Name (RBUF, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed,
					MaxFixed, PosDecode,
					0, 0, 0xff, 0, 0x100)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				DWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, NonCacheable,
					ReadWrite,
					0, 0xc0000000, 0xfdffffff, 0,
					0x3e000000)
				QWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, Cacheable,
					ReadWrite,
					0, 0, 0, 0, 1, , , MEM6)
			})

			Method (_CRS, 0, Serialized)
			{
				CreateQWordField (RBUF, ^MEM6._MIN, BASE)
				CreateQWordField (RBUF, ^MEM6._MAX, LAST)
				CreateQWordField (RBUF, ^MEM6._LEN, SIZE)
				BASE = PM6B
				LAST = PM6E
				SIZE = PM6L
				Return (RBUF)
			}

			/*
			 * The guest drives what PCI Express has by itself:
			 * hot-plug, PME, AER and the capability structure.
			 */
			Method (_OSC, 4, Serialized)
			{
				CreateDWordField (Arg3, 0, STAT)
				If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766"))
				{
					STAT |= 0x04	/* unknown UUID */
					Return (Arg3)
				}
				If (Arg1 != 1)
				{
					STAT |= 0x08	/* unknown revision */
					Return (Arg3)
				}
				CreateDWordField (Arg3, 8, CTRL)
				Local0 = CTRL & 0x1d
				If (Local0 != CTRL)
				{
					STAT |= 0x10	/* not all granted */
				}
				CTRL = Local0
				Return (Arg3)
			}
		}

		/* Taken: ECAM, the ports of reset and power-off. */
		Device (MRES)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xb0000000, 0x10000000)
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
