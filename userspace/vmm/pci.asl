// SPDX-License-Identifier: GPL-2.0
/*
 * PCI, for machines that have it: the host bridge, which of its features the guest
 * may drive, and the address range of config space.
 * Numbers that only vbus-vmm knows come from another SSDT: PM6B, PM6E and PM6L are
 * first and last address and length of PCI's 64-bit window.
 * The addresses are those of vm.h.
 */
DefinitionBlock ("", "SSDT", 2, "VBUS  ", "VBUSPCI ", 1)
{
	External (\PM6B, IntObj)
	External (\PM6E, IntObj)
	External (\PM6L, IntObj)

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

		/* Taken: ECAM. */
		Device (MECM)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xb0000000, 0x10000000)
			})
		}
	}
}
