// SPDX-License-Identifier: GPL-2.0
/*
 * A PCI Express root port with native hot-plug: attention button, power controller,
 * both indicators, presence detection, link state. Commands complete at once, so
 * "command completed" is not supported and a guest waits for none.
 *
 * port->lock protects all but the bus number, which the dispatch of config cycles
 * reads without it. Events are raised as the guest enables them: a message
 * goes out when the first enabled event appears, and the next one after the
 * guest has cleared all of them.
 *
 * What a slot does, and why:
 *
 * Insertion. The slot reports presence and a change of the link, although the link
 * comes up only when the guest switches power on. With an attention button Linux
 * (pciehp) listens to link changes and not to presence; pressing the button would do
 * as well, but a press that arrives while the guest handles an earlier removal is
 * taken as the wish to power the new card off.
 *
 * Removal on request presses the button. Linux waits 5 s in case someone presses
 * again, unbinds the driver and switches power off: only then is the card
 * released. There is no quicker way that lets drivers shut down in order: without a
 * button a card that goes away is always a surprise. (A guest that does not
 * want to wait writes 0 to the slot's "power" in sysfs.)
 *
 * A guest that is not ready yet (it boots) loses a press: the button is pressed
 * again when it enables the event. While the power indicator blinks it has been
 * heard, and another press would be an objection.
 *
 * After a removal Linux ignores what the slot reports until it has waited a second
 * and switched the power indicator off. A card that is put in meanwhile is held back
 * until then, see pci_port_insert().
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "pci.h"

/* Where the capabilities lie. */
#define CAP_EXP			0x40
#define CAP_MSI			0x80

#define LNKCTL			(CAP_EXP + PCI_EXP_LNKCTL)
#define LNKSTA			(CAP_EXP + PCI_EXP_LNKSTA)
#define SLTCTL			(CAP_EXP + PCI_EXP_SLTCTL)
#define SLTSTA			(CAP_EXP + PCI_EXP_SLTSTA)
#define MSI_FLAGS		(CAP_MSI + PCI_MSI_FLAGS)
#define MSI_PENDING		(CAP_MSI + PCI_MSI_PENDING_64)

#define LINK_SPEED_WIDTH	(PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1)

struct pci_port {
	pthread_mutex_t lock;
	const struct pci_root_config *config;
	const struct pci_port_ops *ops;
	void *opaque;
	unsigned int index;
	unsigned int slot;

	struct pci_config cfg;
	unsigned int bus;	/* secondary bus number, atomic */

	bool card;		/* there is one */
	bool shown;		/* and the guest may see it */
	bool asked;		/* and it is wanted back */
	bool event;		/* an enabled event is set */
	bool msi_pending;
};

static void define_bridge(struct pci_port *port)
{
	uint64_t window32 = port->config->window32 + port->index * PCI_WINDOW_SIZE;
	uint64_t window64 = port->config->window64 + port->index * PCI_WINDOW_SIZE;
	uint64_t limit32 = window32 + PCI_WINDOW_SIZE - 1;
	uint64_t limit64 = window64 + PCI_WINDOW_SIZE - 1;
	struct pci_config *cfg = &port->cfg;

	pci_def16(cfg, PCI_VENDOR_ID, PCI_VENDOR, 0);
	pci_def16(cfg, PCI_DEVICE_ID, PCI_DEVICE_PORT, 0);
	pci_def16(cfg, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
		  PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	pci_def16(cfg, PCI_STATUS, PCI_STATUS_CAP_LIST, 0);
	pci_def16(cfg, PCI_CLASS_DEVICE, 0x0604, 0);
	pci_def8(cfg, PCI_CACHE_LINE_SIZE, 0, 0xff);
	/* Eight ports are the functions of one device. */
	pci_def8(cfg, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE | 0x80, 0);

	pci_def8(cfg, PCI_PRIMARY_BUS, 0, 0xff);
	pci_def8(cfg, PCI_SECONDARY_BUS, port->index + 1, 0xff);
	pci_def8(cfg, PCI_SUBORDINATE_BUS, port->index + 1, 0xff);
	pci_def16(cfg, PCI_MEMORY_BASE, window32 >> 16, 0xfff0);
	pci_def16(cfg, PCI_MEMORY_LIMIT, limit32 >> 16 & 0xfff0, 0xfff0);
	pci_def16(cfg, PCI_PREF_MEMORY_BASE,
		  (window64 >> 16 & 0xfff0) | PCI_PREF_RANGE_TYPE_64, 0xfff0);
	pci_def16(cfg, PCI_PREF_MEMORY_LIMIT,
		  (limit64 >> 16 & 0xfff0) | PCI_PREF_RANGE_TYPE_64, 0xfff0);
	pci_def32(cfg, PCI_PREF_BASE_UPPER32, window64 >> 32, 0xffffffff);
	pci_def32(cfg, PCI_PREF_LIMIT_UPPER32, limit64 >> 32, 0xffffffff);
	pci_def8(cfg, PCI_CAPABILITY_LIST, CAP_EXP, 0);
	pci_def8(cfg, PCI_INTERRUPT_LINE, 0, 0xff);
	/* No legacy interrupt: the port speaks by MSI alone. */
	pci_def16(cfg, PCI_BRIDGE_CONTROL, 0,
		  PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR |
		  PCI_BRIDGE_CTL_MASTER_ABORT | PCI_BRIDGE_CTL_BUS_RESET);
}

static void define_capabilities(struct pci_port *port)
{
	struct pci_config *cfg = &port->cfg;

	pci_def8(cfg, CAP_EXP, PCI_CAP_ID_EXP, 0);
	pci_def8(cfg, CAP_EXP + PCI_CAP_LIST_NEXT, CAP_MSI, 0);
	pci_def16(cfg, CAP_EXP + PCI_EXP_FLAGS,
		  2 | PCI_EXP_TYPE_ROOT_PORT << 4 | PCI_EXP_FLAGS_SLOT, 0);
	pci_def32(cfg, CAP_EXP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER, 0);
	pci_def16(cfg, CAP_EXP + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_READRQ_512B,
		  PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
		  PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
		  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_READRQ);
	pci_def32(cfg, CAP_EXP + PCI_EXP_LNKCAP,
		  LINK_SPEED_WIDTH | PCI_EXP_LNKCAP_DLLLARC |
		  (port->index + 1) << 24, 0);
	pci_def16(cfg, LNKCTL, 0, PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_LD |
		  PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	pci_def16(cfg, LNKSTA, 0, 0);
	pci_def32(cfg, CAP_EXP + PCI_EXP_SLTCAP,
		  PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_AIP |
		  PCI_EXP_SLTCAP_PIP | PCI_EXP_SLTCAP_HPS | PCI_EXP_SLTCAP_HPC |
		  25 << 7 /* W, as good as any */ | PCI_EXP_SLTCAP_NCCS |
		  port->slot << 19, 0);
	pci_def16(cfg, SLTCTL,
		  PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF |
		  PCI_EXP_SLTCTL_PWR_OFF,
		  PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE |
		  PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE |
		  PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC |
		  PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_DLLSCE);
	pci_def16(cfg, SLTSTA, 0, 0);
	cfg->w1c[SLTSTA] = PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD |
			   PCI_EXP_SLTSTA_PDC;
	cfg->w1c[SLTSTA + 1] = PCI_EXP_SLTSTA_DLLSC >> 8;
	pci_def16(cfg, CAP_EXP + PCI_EXP_RTCTL, 0,
		  PCI_EXP_RTCTL_SECEE | PCI_EXP_RTCTL_SENFEE |
		  PCI_EXP_RTCTL_SEFEE | PCI_EXP_RTCTL_PMEIE);
	pci_def32(cfg, CAP_EXP + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB, 0);
	pci_def16(cfg, CAP_EXP + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT, 0);

	pci_def8(cfg, CAP_MSI, PCI_CAP_ID_MSI, 0);
	pci_def16(cfg, MSI_FLAGS, PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT,
		  PCI_MSI_FLAGS_ENABLE);
	pci_def32(cfg, CAP_MSI + PCI_MSI_ADDRESS_LO, 0, 0xfffffffc);
	pci_def32(cfg, CAP_MSI + PCI_MSI_ADDRESS_HI, 0, 0xffffffff);
	pci_def16(cfg, CAP_MSI + PCI_MSI_DATA_64, 0, 0xffff);
	pci_def32(cfg, CAP_MSI + PCI_MSI_MASK_64, 0, 1);
	pci_def32(cfg, MSI_PENDING, 0, 0);
}

static uint64_t msi_address(const struct pci_config *cfg)
{
	return pci_get32(cfg, CAP_MSI + PCI_MSI_ADDRESS_LO) |
	       (uint64_t)pci_get32(cfg, CAP_MSI + PCI_MSI_ADDRESS_HI) << 32;
}

/* Send, or note what waits for the mask. */
static void msi_update(struct pci_port *port)
{
	struct pci_config *cfg = &port->cfg;
	bool masked = pci_get32(cfg, CAP_MSI + PCI_MSI_MASK_64) & 1;

	if (!(pci_get16(cfg, MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE))
		port->msi_pending = false;
	if (port->msi_pending && !masked) {
		port->msi_pending = false;
		port->config->msi(port->config->opaque, msi_address(cfg),
				  pci_get16(cfg, CAP_MSI + PCI_MSI_DATA_64));
	}
	cfg->data[MSI_PENDING] = port->msi_pending;
}

static void update_event(struct pci_port *port)
{
	uint16_t status = pci_get16(&port->cfg, SLTSTA);
	uint16_t ctl = pci_get16(&port->cfg, SLTCTL);
	uint16_t enabled = 0;
	bool event;

	if (ctl & PCI_EXP_SLTCTL_HPIE) {
		/* These four have the same place in both registers. */
		enabled = ctl & (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD |
				 PCI_EXP_SLTSTA_PDC);
		if (ctl & PCI_EXP_SLTCTL_DLLSCE)
			enabled |= PCI_EXP_SLTSTA_DLLSC;
	}
	event = status & enabled;
	if (event && !port->event) {
		port->msi_pending = true;
		msi_update(port);
	}
	port->event = event;
}

static void raise_event(struct pci_port *port, uint16_t bits)
{
	pci_set16(&port->cfg, SLTSTA, pci_get16(&port->cfg, SLTSTA) | bits);
	update_event(port);
}

static bool powered(const struct pci_port *port)
{
	return !(pci_get16(&port->cfg, SLTCTL) & PCI_EXP_SLTCTL_PCC);
}

static bool link_up(const struct pci_port *port)
{
	return pci_get16(&port->cfg, LNKSTA) & PCI_EXP_LNKSTA_DLLLA;
}

/* Bring the link to where power, presence and the guest's wishes want it. */
static void update_link(struct pci_port *port, uint16_t events)
{
	bool up = port->shown && powered(port) &&
		  !(pci_get16(&port->cfg, LNKCTL) & PCI_EXP_LNKCTL_LD) &&
		  !(pci_get16(&port->cfg, PCI_BRIDGE_CONTROL) &
		    PCI_BRIDGE_CTL_BUS_RESET);
	bool was_up = link_up(port);

	if (up != was_up) {
		pci_set16(&port->cfg, LNKSTA,
			  up ? PCI_EXP_LNKSTA_DLLLA | LINK_SPEED_WIDTH : 0);
		events |= PCI_EXP_SLTSTA_DLLSC;
	}
	/* Before the guest hears of it, the card is at rest. */
	if (was_up && !up && port->card)
		port->ops->reset(port->opaque);
	if (events)
		raise_event(port, events);
}

static void set_presence(struct pci_port *port, bool shown)
{
	uint16_t status = pci_get16(&port->cfg, SLTSTA) & ~PCI_EXP_SLTSTA_PDS;

	port->shown = shown;
	pci_set16(&port->cfg, SLTSTA, status | (shown ? PCI_EXP_SLTSTA_PDS : 0));
}

static void release(struct pci_port *port)
{
	bool was_shown = port->shown;

	port->asked = false;
	set_presence(port, false);
	update_link(port, was_shown ? PCI_EXP_SLTSTA_PDC : 0);
	port->card = false;
	port->ops->release(port->opaque);
}

/* No hot-plug driver is at work on the slot, or it is waiting for a card. */
static bool quiet(const struct pci_port *port)
{
	uint16_t ctl = pci_get16(&port->cfg, SLTCTL);

	return !(ctl & PCI_EXP_SLTCTL_HPIE) ||
	       ((ctl & PCI_EXP_SLTCTL_PCC) &&
		(ctl & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_OFF);
}

static void show(struct pci_port *port)
{
	set_presence(port, true);
	update_link(port, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
}

static bool hears_button(uint16_t ctl)
{
	return (ctl & PCI_EXP_SLTCTL_HPIE) && (ctl & PCI_EXP_SLTCTL_ABPE);
}

static void slot_control_written(struct pci_port *port, uint16_t old)
{
	uint16_t ctl = pci_get16(&port->cfg, SLTCTL);

	update_link(port, 0);
	if (port->asked) {
		if (!powered(port))
			release(port);
		else if (hears_button(ctl) && !hears_button(old) &&
			 (ctl & PCI_EXP_SLTCTL_PIC) != PCI_EXP_SLTCTL_PWR_IND_BLINK)
			raise_event(port, PCI_EXP_SLTSTA_ABP);
	} else if (port->card && !port->shown && quiet(port)) {
		show(port);
	}
}

void pci_port_config_read(struct pci_port *port, uint32_t off, void *buf, size_t len)
{
	pthread_mutex_lock(&port->lock);
	pci_config_read(&port->cfg, off, buf, len);
	pthread_mutex_unlock(&port->lock);
}

void pci_port_config_write(struct pci_port *port, uint32_t off, const void *buf,
			   size_t len)
{
	struct pci_config *cfg = &port->cfg;
	uint16_t sltctl;
	bool msi_on;

	pthread_mutex_lock(&port->lock);
	sltctl = pci_get16(cfg, SLTCTL);
	msi_on = pci_get16(cfg, MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE;

	pci_config_write(cfg, off, buf, len);

	__atomic_store_n(&port->bus, cfg->data[PCI_SECONDARY_BUS], __ATOMIC_RELAXED);
	/* An event that is there already counts when messages are switched on. */
	if (!msi_on && (pci_get16(cfg, MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE) &&
	    port->event)
		port->msi_pending = true;
	msi_update(port);
	update_event(port);
	if (pci_get16(cfg, SLTCTL) != sltctl)
		slot_control_written(port, sltctl);
	else
		update_link(port, 0);
	pthread_mutex_unlock(&port->lock);
}

unsigned int pci_port_bus(const struct pci_port *port)
{
	return __atomic_load_n(&port->bus, __ATOMIC_RELAXED);
}

void pci_port_card_read(struct pci_port *port, uint32_t off, void *buf, size_t len)
{
	pthread_mutex_lock(&port->lock);
	if (link_up(port))
		port->ops->read(port->opaque, off, buf, len);
	pthread_mutex_unlock(&port->lock);
}

void pci_port_card_write(struct pci_port *port, uint32_t off, const void *buf,
			 size_t len)
{
	pthread_mutex_lock(&port->lock);
	if (link_up(port))
		port->ops->write(port->opaque, off, buf, len);
	pthread_mutex_unlock(&port->lock);
}

void pci_port_reset(struct pci_port *port)
{
	struct pci_config *cfg = &port->cfg;

	pthread_mutex_lock(&port->lock);
	/* Whatever the guest was about to do with the card, it does not use it now. */
	if (port->asked)
		release(port);
	else if (port->card)
		port->ops->reset(port->opaque);

	memset(cfg, 0, sizeof(*cfg));
	define_bridge(port);
	define_capabilities(port);
	__atomic_store_n(&port->bus, cfg->data[PCI_SECONDARY_BUS], __ATOMIC_RELAXED);
	port->event = false;
	port->msi_pending = false;

	if (port->card) {
		set_presence(port, true);
		pci_set16(cfg, SLTCTL, PCI_EXP_SLTCTL_ATTN_IND_OFF |
			  PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_PWR_ON);
		pci_set16(cfg, LNKSTA, PCI_EXP_LNKSTA_DLLLA | LINK_SPEED_WIDTH);
	}
	pthread_mutex_unlock(&port->lock);
}

bool pci_port_insert(struct pci_port *port)
{
	bool shown;

	pthread_mutex_lock(&port->lock);
	port->card = true;
	if (!port->shown && quiet(port))
		show(port);
	shown = port->shown;
	pthread_mutex_unlock(&port->lock);
	return shown;
}

void pci_port_insert_now(struct pci_port *port)
{
	pthread_mutex_lock(&port->lock);
	if (port->card && !port->shown)
		show(port);
	pthread_mutex_unlock(&port->lock);
}

void pci_port_remove(struct pci_port *port)
{
	bool was_shown;

	pthread_mutex_lock(&port->lock);
	was_shown = port->shown;
	port->card = false;
	port->asked = false;
	set_presence(port, false);
	update_link(port, was_shown ? PCI_EXP_SLTSTA_PDC : 0);
	pthread_mutex_unlock(&port->lock);
}

void pci_port_ask(struct pci_port *port)
{
	pthread_mutex_lock(&port->lock);
	if (port->card && !port->asked) {
		port->asked = true;
		if (!port->shown || !powered(port))
			release(port);
		else
			raise_event(port, PCI_EXP_SLTSTA_ABP);
	}
	pthread_mutex_unlock(&port->lock);
}

struct pci_port *pci_port_create(const struct pci_root_config *config,
				 unsigned int index, unsigned int slot,
				 const struct pci_port_ops *ops, void *opaque)
{
	struct pci_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	pthread_mutex_init(&port->lock, NULL);
	port->config = config;
	port->ops = ops;
	port->opaque = opaque;
	port->index = index;
	port->slot = slot;
	pci_port_reset(port);
	return port;
}

void pci_port_free(struct pci_port *port)
{
	pthread_mutex_destroy(&port->lock);
	free(port);
}
