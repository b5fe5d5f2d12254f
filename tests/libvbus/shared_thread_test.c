// SPDX-License-Identifier: GPL-2.0
/*
 * Two fronts fight for a device while it comes and goes: vCPUs switch the function on
 * and off and use it, others open it by the native front, the admin plugs.  Runs
 * under the address and under the thread sanitizer.
 */
#include <assert.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include "fake.h"

#ifdef __SANITIZE_THREAD__
#define ROUNDS	150
#else
#define ROUNDS	600
#endif

static atomic_bool stop;
static atomic_uint used[2];

static void config(struct vmm *v, uint32_t off, uint32_t value, size_t len)
{
	libvbus_config_write(v->bus, SLOT, off, &value, len);
}

/* Drivers that come and go, each with its own idea of an order. */
static void *driver_thread(void *arg)
{
	static const uint16_t command[] = { 2, 6, 2, 6, 4, 6, 0, 6 };
	struct vmm *v = arg;
	uint32_t i = 0, value;
	struct libvbus_info info;

	while (!atomic_load(&stop)) {
		config(v, PCI_BASE_ADDRESS_1, 0x18 + i % 16 / 15, 4);
		config(v, 0x4a, 0x8000, 2);
		config(v, PCI_COMMAND, command[i % ARRAY_SIZE(command)], 2);
		if (i % 32 == 0)
			libvbus_reset_slot(v->bus, SLOT);
		libvbus_bar_read(v->bus, SLOT, VBUS_REG_STATUS, &value, 4);
		if (value != UINT32_MAX)
			atomic_fetch_add(&used[0], 1);
		libvbus_get_info(v->bus, SLOT, &info);
		i++;
	}
	return NULL;
}

/* Accesses at any moment, the wrong ones included. */
static void *user_thread(void *arg)
{
	uint64_t entry = VBUS_PCI_MSIX_TABLE + PCI_MSIX_ENTRY_SIZE;
	struct vmm *v = arg;
	uint32_t i = 0, value;

	while (!atomic_load(&stop)) {
		libvbus_bar_read(v->bus, SLOT, VBUS_REG_STATUS, &value, 4);
		value = i % 4 ? 7 : 0;
		libvbus_bar_write(v->bus, SLOT, VBUS_REG_STATUS, &value, 4);
		value = i & 1;
		libvbus_bar_write(v->bus, SLOT, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, &value,
				  4);
		libvbus_bar_read(v->bus, SLOT, VBUS_PCI_MSIX_PBA, &value, 4);
		i++;
	}
	return NULL;
}

static void *native_thread(void *arg)
{
	struct vmm *v = arg;

	while (!atomic_load(&stop)) {
		if (!fake_take(&v->fake, SLOT)) {
			atomic_fetch_add(&used[1], 1);
			usleep(20);
			fake_give(&v->fake, SLOT);
		}
		sched_yield();
	}
	return NULL;
}

/* What the admin does, and the guest's hotplug driver after it; libvbus's own thread. */
static void round_of_hotplug(struct vmm *v, unsigned int i)
{
	bool gone;

	if (i % 8 == 0)
		fake_unplug(&v->fake, SLOT);
	fake_signal(&v->fake, SLOT, 1);
	assert_int_equal(libvbus_process(v->bus), 0);
	pthread_mutex_lock(&v->fake.lock);
	gone = !v->fake.devs[SLOT].plugged;
	pthread_mutex_unlock(&v->fake.lock);
	if (gone) {
		/* Another number of queues: config space is another one, too. */
		fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, 2 + i / 8 % 2 * 2);
		assert_int_equal(libvbus_process(v->bus), 0);
	}
	usleep(i % 16 * 10);
}

static void test_fronts_fight(void **state)
{
	void *(*const threads[])(void *) = { driver_thread, user_thread, native_thread };
	pthread_t thread[ARRAY_SIZE(threads)];
	struct vmm *v = vmm_new();
	unsigned int i;

	(void)state;
	v->eject_at_once = true;
	assert_int_equal(vmm_open(v), 0);
	assert_int_equal(libvbus_set_pci(v->bus, LIBVBUS_PCI_SHARED), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
	assert_int_equal(libvbus_process(v->bus), 0);
	atomic_store(&stop, false);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&thread[i], NULL, threads[i], v);
	for (i = 0; i < ROUNDS; i++)
		round_of_hotplug(v, i);
	atomic_store(&stop, true);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(thread[i], NULL);
	/* Both had their share. */
	assert_true(atomic_load(&used[0]) > 0);
	assert_true(atomic_load(&used[1]) > 0);
	vmm_free(v);
}

/* Reads without end must not keep a driver's neighbour from getting the device. */
static void test_readers_let_go(void **state)
{
	struct vmm *v = *state;
	pthread_t readers[3];
	unsigned int i;

	atomic_store(&stop, false);
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		pthread_create(&readers[i], NULL, user_thread, v);
	for (i = 0; i < ROUNDS; i++) {
		guest_enable(v, BAR_ADDR);
		assert_true(v->fake.devs[SLOT].open);
		cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
		assert_int_equal(fake_take(&v->fake, SLOT), 0);
		fake_give(&v->fake, SLOT);
	}
	atomic_store(&stop, true);
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		pthread_join(readers[i], NULL);
}

static int setup(void **state)
{
	struct vmm *v = vmm_new();

	*state = v;
	if (vmm_open(v) || libvbus_set_pci(v->bus, LIBVBUS_PCI_SHARED))
		return -1;
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
	return libvbus_process(v->bus);
}

static int teardown(void **state)
{
	vmm_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fronts_fight),
		cmocka_unit_test_setup_teardown(test_readers_let_go, setup, teardown),
	};

	return cmocka_run_group_tests_name("shared_thread", tests, NULL, NULL);
}
