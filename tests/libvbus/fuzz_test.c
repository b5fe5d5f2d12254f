// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that does anything at all, against a model of what should come of it.
 * Deterministic: a failure prints seed and step, and happens again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "fake.h"

#define STEPS		60000
#define NR_VECTORS	(CLASS_QUEUES + 1)

static uint64_t rng;

static uint64_t random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static uint32_t below(uint32_t n)
{
	return random64() % n;
}

/* What a register takes; and how it stands now. */
struct model_vector {
	uint64_t addr;
	uint32_t data;
	uint32_t ctrl;
	bool bound;		/* was unmasked once: has an eventfd */
	bool signalled;		/* and not delivered since */
};

struct model {
	uint8_t cfg[256];
	uint8_t first[256];
	uint8_t mask[256];
	uint32_t pm, msix, exp;
	struct model_vector vectors[NR_VECTORS];
};

static void model_mask(struct model *m, uint32_t off, uint32_t mask)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		m->mask[off + i] |= mask >> 8 * i;
}

static void model_reset(struct model *m, bool flr)
{
	uint8_t link[2];
	unsigned int i;

	memcpy(link, m->cfg + m->exp + PCI_EXP_LNKCTL, 2);
	memcpy(m->cfg, m->first, sizeof(m->cfg));
	if (flr)
		memcpy(m->cfg + m->exp + PCI_EXP_LNKCTL, link, 2);
	for (i = 0; i < NR_VECTORS; i++) {
		struct model_vector *vec = &m->vectors[i];

		vec->addr = 0;
		vec->data = 0;
		vec->ctrl = 1;
		/* Without an eventfd it waits in the kernel, reset or not. */
		if (vec->bound)
			vec->signalled = false;
	}
}

static void model_init(struct model *m, struct vmm *v)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < 256; i++)
		m->first[i] = cfg_get(v, i, 1);
	m->pm = cfg_find_cap(v, PCI_CAP_ID_PM);
	m->msix = cfg_find_cap(v, PCI_CAP_ID_MSIX);
	m->exp = cfg_find_cap(v, PCI_CAP_ID_EXP);
	model_mask(m, PCI_COMMAND, 0x0546);
	model_mask(m, PCI_CACHE_LINE_SIZE, 0xff);
	model_mask(m, PCI_BASE_ADDRESS_0, 0xfffe0000);
	model_mask(m, PCI_BASE_ADDRESS_1, 0xffffffff);
	model_mask(m, PCI_INTERRUPT_LINE, 0xff);
	model_mask(m, m->pm + PCI_PM_CTRL, 0x3);
	model_mask(m, m->msix, 0xc0000000);
	model_mask(m, m->exp + PCI_EXP_DEVCTL, 0x791f);
	model_mask(m, m->exp + PCI_EXP_LNKCTL, 0x00cb);
	model_mask(m, m->exp + PCI_EXP_DEVCTL2, 0x0010);
	model_reset(m, false);
}

static bool model_command(const struct model *m, uint8_t bit)
{
	return m->cfg[PCI_COMMAND] & bit && !(m->cfg[m->pm + PCI_PM_CTRL] & 3);
}

static uint64_t model_addr(const struct model *m)
{
	uint64_t addr;

	memcpy(&addr, m->cfg + PCI_BASE_ADDRESS_0, 8);
	return addr & ~0x1ffffULL;
}

static bool model_mapped(const struct model *m)
{
	return model_command(m, PCI_COMMAND_MEMORY) && model_addr(m) &&
	       model_addr(m) != ~0x1ffffULL;
}

static bool model_on(const struct model *m, uint32_t vector)
{
	return model_command(m, PCI_COMMAND_MASTER) &&
	       (m->cfg[m->msix + 3] & 0xc0) == 0x80 &&
	       !(m->vectors[vector].ctrl & 1);
}

static void model_cfg_write(struct model *m, uint32_t off, const uint8_t *buf,
			    size_t len)
{
	uint8_t *power = &m->cfg[m->pm + PCI_PM_CTRL], old = *power & 3;
	bool flr = false;
	size_t i;

	if (off >= 256)
		return;
	for (i = 0; i < len; i++) {
		uint8_t mask = m->mask[off + i];

		m->cfg[off + i] = (m->cfg[off + i] & ~mask) | (buf[i] & mask);
		flr |= off + i == m->exp + PCI_EXP_DEVCTL + 1 && buf[i] & 0x80;
	}
	if ((*power & 3) == 1 || (*power & 3) == 2)
		*power = (*power & ~3) | old;
	if (flr)
		model_reset(m, true);
}

static void model_table_write(struct model *m, uint32_t off,
			      const uint8_t *buf, size_t len)
{
	struct model_vector *vec;
	uint8_t raw[16];

	off -= VBUS_PCI_MSIX_TABLE;
	if (off >= NR_VECTORS * 16)
		return;
	vec = &m->vectors[off / 16];
	memcpy(raw, &vec->addr, 8);
	memcpy(raw + 8, &vec->data, 4);
	memcpy(raw + 12, &vec->ctrl, 4);
	memcpy(raw + off % 16, buf, len);
	memcpy(&vec->addr, raw, 8);
	memcpy(&vec->data, raw + 8, 4);
	memcpy(&vec->ctrl, raw + 12, 4);
	vec->addr &= ~3ULL;
	vec->ctrl &= 1;
}

/* A value that means something now and then. */
static uint32_t some_value(void)
{
	static const uint32_t values[] = {
		0, 0xffffffff, 1, 2, 3, 6, 7, 0x8000, 0xc000, 0x80000000,
		0xc0000000, 0x80008000, 0xfee00000, 0x10000000,
	};

	return below(4) ? values[below(ARRAY_SIZE(values))] : random64();
}

static uint32_t some_cfg_offset(const struct model *m)
{
	const uint32_t offsets[] = {
		PCI_COMMAND, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_1,
		m->pm + PCI_PM_CTRL, m->msix + PCI_MSIX_FLAGS, m->msix,
		m->exp + PCI_EXP_DEVCTL, m->exp + PCI_EXP_LNKCTL,
	};

	switch (below(8)) {
	case 0:
		return below(LIBVBUS_CONFIG_SIZE + 16);
	case 1:
		return below(256);
	default:
		return offsets[below(ARRAY_SIZE(offsets))];
	}
}

static uint64_t some_bar_offset(void)
{
	switch (below(8)) {
	case 0:
		return below(LIBVBUS_BAR_SIZE + 64);
	case 1:
		return random64();
	case 2:
		return VBUS_REG_STATUS;
	case 3:
		return VBUS_PCI_MSIX_PBA + below(16);
	default:
		return VBUS_PCI_MSIX_TABLE + below(NR_VECTORS * 4 + 4) * 4;
	}
}

static void step_cfg(struct vmm *v, struct model *m)
{
	static const size_t lens[] = { 1, 2, 4, 4, 2, 3, 8, 0 };
	size_t len = lens[below(ARRAY_SIZE(lens))];
	uint32_t off = some_cfg_offset(m);
	uint32_t words[2] = { some_value(), some_value() };
	bool ok = (len == 1 || len == 2 || len == 4) &&
		  off < LIBVBUS_CONFIG_SIZE && off % 4 + len <= 4;

	assert_int_equal(libvbus_config_write(v->bus, SLOT, off, words, len),
			 ok ? 0 : -EINVAL);
	if (ok)
		model_cfg_write(m, off, (uint8_t *)words, len);
}

static void step_bar(struct vmm *v, struct model *m)
{
	static const size_t lens[] = { 1, 2, 4, 8, 4, 8, 4, 3, 0 };
	size_t len = lens[below(ARRAY_SIZE(lens))];
	uint64_t off = some_bar_offset(), value;
	uint32_t words[2] = { some_value(), some_value() };
	int ret;

	if (below(3)) {
		ret = libvbus_bar_write(v->bus, SLOT, off, words, len);
		if (!ret && off >= VBUS_PCI_MSIX_TABLE)
			model_table_write(m, off, (uint8_t *)words, len);
	} else {
		value = 0;
		ret = libvbus_bar_read(v->bus, SLOT, off, &value, len);
		if (ret && len)
			assert_int_equal(value, ~0ULL >> (64 - 8 * len));
	}
	if (!ret)
		assert_true(model_mapped(m));
	else if (off < LIBVBUS_BAR_SIZE && (len == 4 || len == 8) &&
		 off % len == 0 && off >= VBUS_WINDOW_SIZE)
		assert_false(model_mapped(m));
}

static void both_cfg(struct vmm *v, struct model *m, uint32_t off,
		     uint32_t value, size_t len)
{
	cfg_put(v, off, value, len);
	model_cfg_write(m, off, (uint8_t *)&value, len);
}

/* As a driver would have it, or nearly all would be refused. */
static void step_usable(struct vmm *v, struct model *m)
{
	both_cfg(v, m, m->pm + PCI_PM_CTRL, 0, 2);
	both_cfg(v, m, PCI_BASE_ADDRESS_0, (uint32_t)BAR_ADDR, 4);
	both_cfg(v, m, PCI_BASE_ADDRESS_1, BAR_ADDR >> 32, 4);
	both_cfg(v, m, PCI_COMMAND, 6, 2);
	both_cfg(v, m, m->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
}

static void step_signal(struct vmm *v, struct model *m)
{
	uint32_t vector = below(NR_VECTORS);

	fake_signal(&v->fake, SLOT, vector);
	m->vectors[vector].signalled = true;
}

/* What must be so after every step. */
static void check_vectors(struct vmm *v, struct model *m)
{
	uint32_t i, pending = 0;

	for (i = 0; i < NR_VECTORS; i++) {
		struct model_vector *vec = &m->vectors[i];
		struct vmm_vector *have = &v->slots[SLOT].vectors[i];
		unsigned int messages = vmm_messages(v, SLOT, i);

		assert_int_equal(have->on, model_on(m, i));
		if (have->on) {
			vec->bound = true;
			assert_int_equal(have->irq.addr, vec->addr);
			assert_int_equal(have->irq.data, vec->data);
			assert_true(!vec->signalled || messages > 0);
			vec->signalled = false;
		} else if (vec->signalled && vec->bound) {
			pending |= 1U << i;
		}
	}
	if (model_mapped(m))
		assert_int_equal(bar_get(v, VBUS_PCI_MSIX_PBA, 4), pending);
}

static void check_step(struct vmm *v, struct model *m)
{
	struct vmm_slot *s = &v->slots[SLOT];
	uint32_t off = below(64) * 4, want;

	memcpy(&want, m->cfg + off, 4);
	assert_int_equal(cfg_get(v, off, 4), want);
	assert_int_equal(s->mapped, model_mapped(m));
	if (s->mapped)
		assert_int_equal(s->addr, model_addr(m));
	assert_int_equal(vmm_bells(v, SLOT), s->mapped ? CLASS_QUEUES : 0);
	/* It never runs without leave to touch memory. */
	assert_true(!v->fake.devs[SLOT].started ||
		    model_command(m, PCI_COMMAND_MASTER));
	assert_false(v->fake.devs[SLOT].paused &&
		     model_command(m, PCI_COMMAND_MASTER));
	check_vectors(v, m);
}

static void run(struct vmm *v, uint64_t seed)
{
	struct model m;
	unsigned int i;

	model_init(&m, v);
	rng = seed;
	for (i = 0; i < STEPS; i++) {
		switch (below(16)) {
		case 0 ... 1:
			step_signal(v, &m);
			break;
		case 2 ... 5:
			step_cfg(v, &m);
			break;
		case 7:
			step_usable(v, &m);
			break;
		case 8:
			if (!below(16)) {
				libvbus_reset_slot(v->bus, SLOT);
				model_reset(&m, false);
			}
			break;
		default:
			step_bar(v, &m);
		}
		/* For who looks at a failure. */
		if (getenv("FUZZ_TRACE"))
			fprintf(stderr, "# seed %llx step %u\n",
				(unsigned long long)seed, i);
		check_step(v, &m);
	}
}

static void test_seed_1(void **state)
{
	run(*state, 0x9e3779b97f4a7c15ULL);
}

static void test_seed_2(void **state)
{
	run(*state, 0xd1b54a32d192ed03ULL);
}

static void test_seed_3(void **state)
{
	run(*state, 0x2545f4914f6cdd1dULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_seed_1, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_seed_2, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_seed_3, vmm_setup, vmm_teardown),
	};

	return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
