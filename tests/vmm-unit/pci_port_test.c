// SPDX-License-Identifier: GPL-2.0
/*
 * Hot-plug of root ports, driven by register accesses in the order in which Linux's
 * pciehp makes them.
 */
#include "pci_fake.h"

#define SLTCTL	(EXP + PCI_EXP_SLTCTL)
#define SLTSTA	(EXP + PCI_EXP_SLTSTA)
#define LNKCTL	(EXP + PCI_EXP_LNKCTL)
#define LNKSTA	(EXP + PCI_EXP_LNKSTA)

#define EVENTS	(PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_PDC | \
		 PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC)

static void command(struct fake *f, unsigned int i, uint16_t value, uint16_t mask)
{
	uint16_t ctl = port_r16(f, i, SLTCTL);

	port_w16(f, i, SLTCTL, (ctl & ~mask) | (value & mask));
}

/* What an interrupt handler takes: all events until there are none. */
static uint16_t take_events(struct fake *f, unsigned int i)
{
	uint16_t events = 0, status;

	while ((status = port_r16(f, i, SLTSTA) & EVENTS)) {
		events |= status;
		port_w16(f, i, SLTSTA, status);
	}
	return events;
}

/* A driver takes over: messages on, events cleared, notifications on. */
static void probe(struct fake *f, unsigned int i)
{
	cfg_write(f, 0, DEVFN(i), MSI + PCI_MSI_ADDRESS_LO, 0xfee01000, 4);
	cfg_write(f, 0, DEVFN(i), MSI + PCI_MSI_DATA_64, 0x21 + i, 2);
	port_w16(f, i, MSI + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
	port_w16(f, i, SLTSTA, EVENTS);
	command(f, i, PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_ABPE |
		PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_CCIE,
		PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE |
		PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_CCIE);
}

static void power_on(struct fake *f, unsigned int i)
{
	command(f, i, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PCC);
	port_w16(f, i, LNKCTL, port_r16(f, i, LNKCTL) & ~PCI_EXP_LNKCTL_LD);
	command(f, i, PCI_EXP_SLTCTL_PWR_IND_BLINK, PCI_EXP_SLTCTL_PIC);
}

static void on_done(struct fake *f, unsigned int i)
{
	command(f, i, PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_ATTN_IND_OFF,
		PCI_EXP_SLTCTL_PIC | PCI_EXP_SLTCTL_AIC);
}

static void power_off(struct fake *f, unsigned int i)
{
	command(f, i, PCI_EXP_SLTCTL_PWR_OFF, PCI_EXP_SLTCTL_PCC);
}

static void off_done(struct fake *f, unsigned int i)
{
	command(f, i, PCI_EXP_SLTCTL_PWR_IND_OFF, PCI_EXP_SLTCTL_PIC);
}

static bool present(struct fake *f, unsigned int i)
{
	return port_r16(f, i, SLTSTA) & PCI_EXP_SLTSTA_PDS;
}

static bool link_active(struct fake *f, unsigned int i)
{
	return port_r16(f, i, LNKSTA) & PCI_EXP_LNKSTA_DLLLA;
}

/* A card in port i that is on, and a driver that has heard of it. */
static void running(struct fake *f, unsigned int i)
{
	pci_port_insert(f->port[i]);
	pci_root_reset(f->root);
	probe(f, i);
	take_events(f, i);
	f->msis = 0;
	f->card[i].resets = 0;
}

static void test_capabilities(void **state)
{
	struct fake *f = *state;
	uint32_t cap = cfg_read(f, 0, DEVFN(0), EXP + PCI_EXP_SLTCAP, 4);
	uint32_t link = cfg_read(f, 0, DEVFN(0), EXP + PCI_EXP_LNKCAP, 4);

	assert_int_equal(cap & 0x7f, 0x7b);	/* all but the latch */
	assert_true(cap & PCI_EXP_SLTCAP_NCCS);
	assert_false(cap & PCI_EXP_SLTCAP_EIP);
	assert_true(link & PCI_EXP_LNKCAP_DLLLARC);
}

static void test_empty(void **state)
{
	struct fake *f = *state;

	assert_false(present(f, 0));
	assert_false(link_active(f, 0));
	/* Off, so that a driver need not switch it off. */
	assert_true(port_r16(f, 0, SLTCTL) & PCI_EXP_SLTCTL_PCC);
	probe(f, 0);
	assert_int_equal(f->msis, 0);
	power_on(f, 0);
	assert_false(link_active(f, 0));
	assert_int_equal(card_id(f, 0), 0xffffffff);
}

static void test_present_at_boot(void **state)
{
	struct fake *f = *state;

	assert_true(pci_port_insert(f->port[0]));
	pci_root_reset(f->root);
	assert_true(present(f, 0));
	assert_true(link_active(f, 0));
	assert_false(port_r16(f, 0, SLTCTL) & PCI_EXP_SLTCTL_PCC);
	assert_int_equal(port_r16(f, 0, SLTSTA) & EVENTS, 0);
	assert_int_equal(card_id(f, 0), f->card[0].id);
	assert_int_equal(f->msis, 0);
}

static void test_insert(void **state)
{
	struct fake *f = *state;
	uint16_t events;

	probe(f, 0);
	assert_true(pci_port_insert(f->port[0]));
	assert_int_equal(f->msis, 1);
	assert_true(f->msi_addr == 0xfee01000 && f->msi_data == 0x21);
	events = take_events(f, 0);
	/* No press of the button: that could be a wish to switch off. */
	assert_int_equal(events, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
	assert_true(present(f, 0));
	assert_int_equal(card_id(f, 0), 0xffffffff);

	power_on(f, 0);
	assert_true(link_active(f, 0));
	assert_true(port_r16(f, 0, LNKSTA) & PCI_EXP_LNKSTA_NLW);
	assert_int_equal(card_id(f, 0), f->card[0].id);
	assert_int_equal(take_events(f, 0), PCI_EXP_SLTSTA_DLLSC);
	on_done(f, 0);
	assert_int_equal(f->msis, 2);
	assert_int_equal(f->card[0].resets, 0);
}

/* After boot looked for cards and before the driver of the port is there. */
static void test_insert_before_probe(void **state)
{
	struct fake *f = *state;

	assert_true(pci_port_insert(f->port[0]));
	/* Power stays off, or the driver would think that the card is in use. */
	assert_int_equal(card_id(f, 0), 0xffffffff);
	probe(f, 0);
	assert_true(present(f, 0));
	power_on(f, 0);
	assert_int_equal(card_id(f, 0), f->card[0].id);
}

static void test_orderly_removal(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	pci_port_ask(f->port[0]);
	assert_int_equal(f->msis, 1);
	assert_int_equal(take_events(f, 0), PCI_EXP_SLTSTA_ABP);
	command(f, 0, PCI_EXP_SLTCTL_PWR_IND_BLINK, PCI_EXP_SLTCTL_PIC);
	/* Asking again would be an objection. */
	pci_port_ask(f->port[0]);
	assert_int_equal(take_events(f, 0), 0);
	/* Meanwhile the card works, drivers take their leave. */
	assert_int_equal(card_id(f, 0), f->card[0].id);
	assert_int_equal(f->card[0].releases, 0);

	power_off(f, 0);
	assert_int_equal(f->card[0].resets, 1);
	assert_int_equal(f->card[0].releases, 1);
	assert_int_equal(card_id(f, 0), 0xffffffff);
	assert_false(present(f, 0));
	assert_false(link_active(f, 0));
	take_events(f, 0);
	off_done(f, 0);
	assert_false(present(f, 0));

	/* And it can come back. */
	assert_true(pci_port_insert(f->port[0]));
	assert_int_equal(take_events(f, 0), PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
	power_on(f, 0);
	assert_int_equal(card_id(f, 0), f->card[0].id);
}

/* Nobody asked: the card stays in the slot. */
static void test_guest_switches_off(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	cfg_write(f, 1, 0, 4, 77, 4);
	power_off(f, 0);
	assert_int_equal(f->card[0].resets, 1);
	assert_int_equal(f->card[0].reg, 0);
	assert_int_equal(f->card[0].releases, 0);
	assert_true(present(f, 0));
	assert_int_equal(card_id(f, 0), 0xffffffff);
	take_events(f, 0);
	off_done(f, 0);
	power_on(f, 0);
	assert_true(link_active(f, 0));
	assert_int_equal(card_id(f, 0), f->card[0].id);
	on_done(f, 0);
	assert_int_equal(f->card[0].resets, 1);

	/* In a slot without power there is nothing to wait for. */
	power_off(f, 0);
	off_done(f, 0);
	pci_port_ask(f->port[0]);
	assert_int_equal(f->card[0].releases, 1);
	assert_false(present(f, 0));
}

static void test_surprise_removal(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	pci_port_remove(f->port[0]);
	assert_int_equal(f->msis, 1);
	assert_int_equal(take_events(f, 0), PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
	assert_false(present(f, 0));
	assert_false(link_active(f, 0));
	assert_int_equal(card_id(f, 0), 0xffffffff);
	assert_int_equal(f->card[0].releases, 0);
	power_off(f, 0);
	off_done(f, 0);
	assert_int_equal(f->card[0].releases, 0);
	/* Twice does no harm. */
	pci_port_remove(f->port[0]);
	assert_int_equal(take_events(f, 0), 0);
}

/* The next card waits until the guest has finished with the last one. */
static void test_insert_waits(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	pci_port_remove(f->port[0]);
	take_events(f, 0);
	assert_false(pci_port_insert(f->port[0]));
	assert_false(present(f, 0));
	power_off(f, 0);
	take_events(f, 0);	/* what a driver forgets after switching off */
	assert_false(present(f, 0));
	f->msis = 0;
	off_done(f, 0);
	assert_true(present(f, 0));
	assert_int_equal(f->msis, 1);
	assert_int_equal(take_events(f, 0), PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
	power_on(f, 0);
	assert_int_equal(card_id(f, 0), f->card[0].id);

	/* Patience has an end. */
	on_done(f, 0);
	take_events(f, 0);
	pci_port_remove(f->port[0]);
	assert_false(pci_port_insert(f->port[0]));
	pci_port_insert_now(f->port[0]);
	assert_true(present(f, 0));
	/* And a card that waits may be taken back. */
	pci_port_remove(f->port[0]);
	assert_false(pci_port_insert(f->port[0]));
	pci_port_ask(f->port[0]);
	assert_int_equal(f->card[0].releases, 1);
	power_off(f, 0);
	off_done(f, 0);
	assert_false(present(f, 0));
}

static void test_ask_while_booting(void **state)
{
	struct fake *f = *state;

	pci_port_insert(f->port[0]);
	pci_root_reset(f->root);
	pci_port_ask(f->port[0]);
	assert_int_equal(f->card[0].releases, 0);
	assert_int_equal(f->msis, 0);
	/* The driver clears the press, and hears of it all the same. */
	probe(f, 0);
	assert_int_equal(f->msis, 1);
	assert_int_equal(take_events(f, 0), PCI_EXP_SLTSTA_ABP);
	command(f, 0, PCI_EXP_SLTCTL_PWR_IND_BLINK, PCI_EXP_SLTCTL_PIC);
	/* It has heard: notifications off and on are no reason for another press. */
	command(f, 0, 0, PCI_EXP_SLTCTL_HPIE);
	command(f, 0, PCI_EXP_SLTCTL_HPIE, PCI_EXP_SLTCTL_HPIE);
	assert_int_equal(take_events(f, 0), 0);
	power_off(f, 0);
	assert_int_equal(f->card[0].releases, 1);
}

static void test_ask_while_resetting(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	pci_port_ask(f->port[0]);
	pci_root_reset(f->root);
	assert_int_equal(f->card[0].releases, 1);
	assert_false(present(f, 0));
	assert_int_equal(port_r16(f, 0, SLTSTA) & EVENTS, 0);
}

static void test_reset(void **state)
{
	struct fake *f = *state;
	uint32_t before = cfg_read(f, 0, DEVFN(4), PCI_MEMORY_BASE, 4);

	running(f, 4);
	cfg_write(f, 0, DEVFN(4), PCI_PRIMARY_BUS, 0x00888800, 4);
	cfg_write(f, 0, DEVFN(4), PCI_MEMORY_BASE, 0, 4);
	pci_root_reset(f->root);
	assert_int_equal(f->card[4].resets, 1);
	assert_int_equal(cfg_read(f, 0, DEVFN(4), PCI_MEMORY_BASE, 4), before);
	assert_int_equal(card_id(f, 4), f->card[4].id);
	assert_int_equal(port_r16(f, 4, MSI + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE, 0);
	assert_int_equal(port_r16(f, 4, SLTCTL) & PCI_EXP_SLTCTL_HPIE, 0);
}

/* A message goes out for the first event only, until all are cleared. */
static void test_one_message(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	pci_port_ask(f->port[0]);
	pci_port_remove(f->port[0]);
	assert_int_equal(f->msis, 1);
	port_w16(f, 0, SLTSTA, PCI_EXP_SLTSTA_ABP);
	assert_int_equal(f->msis, 1);
	assert_true(port_r16(f, 0, SLTSTA) & PCI_EXP_SLTSTA_DLLSC);
	take_events(f, 0);
	assert_int_equal(f->msis, 1);
}

static void test_msi_mask(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	cfg_write(f, 0, DEVFN(0), MSI + PCI_MSI_MASK_64, 1, 4);
	pci_port_ask(f->port[0]);
	assert_int_equal(f->msis, 0);
	assert_int_equal(cfg_read(f, 0, DEVFN(0), MSI + PCI_MSI_PENDING_64, 4), 1);
	/* The message moves while it is masked. */
	cfg_write(f, 0, DEVFN(0), MSI + PCI_MSI_DATA_64, 0x55, 2);
	cfg_write(f, 0, DEVFN(0), MSI + PCI_MSI_MASK_64, 0, 4);
	assert_int_equal(f->msis, 1);
	assert_int_equal(f->msi_data, 0x55);
	assert_int_equal(cfg_read(f, 0, DEVFN(0), MSI + PCI_MSI_PENDING_64, 4), 0);
}

static void test_msi_late(void **state)
{
	struct fake *f = *state;

	command(f, 0, PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_HPIE,
		PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_HPIE);
	pci_port_insert(f->port[0]);
	assert_int_equal(f->msis, 0);
	port_w16(f, 0, MSI + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(f->msis, 1);
}

static void test_bus_reset(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	/* As around a reset of the slot: link changes are not to be reported. */
	command(f, 0, 0, PCI_EXP_SLTCTL_DLLSCE);
	port_w16(f, 0, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET);
	assert_int_equal(f->card[0].resets, 1);
	assert_int_equal(card_id(f, 0), 0xffffffff);
	port_w16(f, 0, PCI_BRIDGE_CONTROL, 0);
	assert_int_equal(card_id(f, 0), f->card[0].id);
	assert_int_equal(f->card[0].resets, 1);
	port_w16(f, 0, SLTSTA, PCI_EXP_SLTSTA_DLLSC);
	command(f, 0, PCI_EXP_SLTCTL_DLLSCE, PCI_EXP_SLTCTL_DLLSCE);
	assert_int_equal(f->msis, 0);
	assert_true(present(f, 0));
}

static void test_link_disable(void **state)
{
	struct fake *f = *state;

	running(f, 0);
	port_w16(f, 0, LNKCTL, PCI_EXP_LNKCTL_LD);
	assert_false(link_active(f, 0));
	assert_int_equal(f->card[0].resets, 1);
	assert_int_equal(take_events(f, 0), PCI_EXP_SLTSTA_DLLSC);
	port_w16(f, 0, LNKCTL, 0);
	assert_true(link_active(f, 0));
	assert_int_equal(card_id(f, 0), f->card[0].id);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(capabilities),
		T(empty),
		T(present_at_boot),
		T(insert),
		T(insert_before_probe),
		T(orderly_removal),
		T(guest_switches_off),
		T(surprise_removal),
		T(insert_waits),
		T(ask_while_booting),
		T(ask_while_resetting),
		T(reset),
		T(one_message),
		T(msi_mask),
		T(msi_late),
		T(bus_reset),
		T(link_disable),
	};
	return cmocka_run_group_tests_name("pci_port", tests, NULL, NULL);
}
