// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs in the library while devices come and go, interrupts move and resets take
 * their time.  Runs under the address and under the thread sanitizer.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include "fake.h"

#ifdef __SANITIZE_THREAD__
#define ROUNDS	150
#else
#define ROUNDS	600
#endif

/* What takes longer has stalled. */
#define PATIENCE_S	20

static atomic_bool stop;

static bool within_patience(time_t start)
{
	return time(NULL) - start < PATIENCE_S;
}

static void write32(struct vmm *v, uint64_t off, uint32_t value)
{
	libvbus_bar_write(v->bus, SLOT, off, &value, 4);
}

static void config32(struct vmm *v, uint32_t off, uint32_t value, size_t len)
{
	libvbus_config_write(v->bus, SLOT, off, &value, len);
}

/* Everything a vCPU may do to a function that may not be there. */
static void *vcpu_thread(void *arg)
{
	struct vmm *v = arg;
	uint32_t entry = VBUS_PCI_MSIX_TABLE + PCI_MSIX_ENTRY_SIZE;
	struct libvbus_info info;
	uint32_t value, i = 0;

	while (!atomic_load(&stop)) {
		libvbus_config_read(v->bus, SLOT, PCI_VENDOR_ID, &value, 4);
		assert(value == 0x200111da || value == 0xffffffff);
		config32(v, PCI_BASE_ADDRESS_1, 0x18 + i % 3, 4);
		config32(v, PCI_COMMAND, i % 7 ? 6 : 2, 2);
		config32(v, 0x4a, i % 5 ? 0x8000 : 0xc000, 2);
		libvbus_bar_read(v->bus, SLOT, VBUS_REG_STATUS, &value, 4);
		write32(v, VBUS_REG_STATUS, i % 4 ? 7 : 0);
		write32(v, entry, 0xfee00000 + (i << 12));
		write32(v, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, i & 1);
		libvbus_bar_read(v->bus, SLOT, VBUS_PCI_MSIX_PBA, &value, 4);
		libvbus_get_info(v->bus, SLOT, &info);
		if (i % 64 == 0)
			libvbus_reset_slot(v->bus, SLOT);
		i++;
	}
	return NULL;
}

static void test_eject_under_fire(void **state)
{
	struct vmm *v = *state;
	pthread_t vcpus[3];
	unsigned int i;

	atomic_store(&stop, false);
	v->eject_at_once = true;
	for (i = 0; i < ARRAY_SIZE(vcpus); i++)
		pthread_create(&vcpus[i], NULL, vcpu_thread, v);
	for (i = 0; i < ROUNDS; i++) {
		if (i % 3) {
			fake_unplug(&v->fake, SLOT);
			assert_int_equal(libvbus_process(v->bus), 0);
			fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
			assert_int_equal(libvbus_process(v->bus), 0);
		} else {
			assert_int_equal(libvbus_eject(v->bus, SLOT), 0);
			assert_int_equal(libvbus_attach(v->bus, SLOT), 0);
		}
		fake_signal(&v->fake, SLOT, 1);
		usleep(i % 16 * 10);
	}
	atomic_store(&stop, true);
	for (i = 0; i < ARRAY_SIZE(vcpus); i++)
		pthread_join(vcpus[i], NULL);
	assert_int_equal(v->slots[SLOT].added, ROUNDS + 1);
	assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], 0);
}

static void *slow_reset_thread(void *arg)
{
	write32(arg, VBUS_REG_STATUS, 0);
	return NULL;
}

static void *slow_flr_thread(void *arg)
{
	config32(arg, 0x70 + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR, 2);
	return NULL;
}

static atomic_bool ejected;

static void *eject_thread(void *arg)
{
	struct vmm *v = arg;

	assert(!libvbus_eject(v->bus, SLOT));
	atomic_store(&ejected, true);
	return NULL;
}

static void wait_resetting(struct vmm *v)
{
	time_t start = time(NULL);

	while (!atomic_load(&v->fake.resetting))
		assert_true(within_patience(start));
}

/* A device that takes its time holds up who waits for it, and nobody else. */
static void test_slow_reset(void **state)
{
	struct vmm *v = *state;
	pthread_t writer, ejector;

	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	guest_vector(v, 1, 0xfee00000, 1, false);
	atomic_store(&v->fake.slow, true);
	atomic_store(&ejected, false);
	pthread_create(&writer, NULL, slow_reset_thread, v);
	wait_resetting(v);
	/* These would hang if they waited for the reset. */
	assert_int_equal(cfg_get(v, PCI_COMMAND, 2), 6);
	cfg_put(v, PCI_INTERRUPT_LINE, 5, 1);
	guest_vector(v, 1, 0xfee01000, 1, true);
	guest_vector(v, 1, 0xfee02000, 1, false);
	assert_int_equal(v->slots[SLOT].vectors[1].irq.addr, 0xfee02000);

	/* The device is not closed under the writer. */
	pthread_create(&ejector, NULL, eject_thread, v);
	usleep(50000);
	assert_false(atomic_load(&ejected));
	assert_true(v->fake.devs[SLOT].open);
	atomic_store(&v->fake.slow, false);
	pthread_join(writer, NULL);
	pthread_join(ejector, NULL);
	assert_false(v->fake.devs[SLOT].open);
}

/* A function level reset: reads go on, and see the new values. */
static void test_slow_flr(void **state)
{
	struct vmm *v = *state;
	pthread_t writer;

	guest_enable(v, BAR_ADDR);
	atomic_store(&v->fake.slow, true);
	pthread_create(&writer, NULL, slow_flr_thread, v);
	wait_resetting(v);
	assert_int_equal(cfg_get(v, PCI_VENDOR_ID, 2), 0x11da);
	assert_int_equal(cfg_get(v, PCI_COMMAND, 2), 0);
	atomic_store(&v->fake.slow, false);
	pthread_join(writer, NULL);
	assert_int_equal(v->fake.devs[SLOT].resets, 1);
}

/* The interrupt layer: takes what is signalled, at all times. */
static void *kvm_thread(void *arg)
{
	while (!atomic_load(&stop)) {
		vmm_deliver(arg, SLOT);
		sched_yield();
	}
	return NULL;
}

/* Moves the interrupt about, as irqbalance would; each round ends unmasked. */
static void *mover_thread(void *arg)
{
	uint64_t entry = VBUS_PCI_MSIX_TABLE + PCI_MSIX_ENTRY_SIZE;
	struct vmm *v = arg;
	uint32_t i = 0;

	while (!atomic_load(&stop)) {
		switch (i++ % 4) {
		case 0:
			write32(v, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 1);
			write32(v, entry, 0xfee00000 + (i << 12));
			write32(v, entry + PCI_MSIX_ENTRY_DATA, i);
			write32(v, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
			break;
		case 1:
			write32(v, entry, 0xfee00000 + (i << 12));
			break;
		case 2:
			config32(v, 0x4a, 0xc000, 2);
			config32(v, 0x4a, 0x8000, 2);
			break;
		case 3:
			config32(v, PCI_COMMAND, 2, 2);
			config32(v, PCI_COMMAND, 6, 2);
			break;
		}
	}
	return NULL;
}

static unsigned int messages(struct vmm *v)
{
	unsigned int nr;

	pthread_mutex_lock(&v->lock);
	nr = v->slots[SLOT].vectors[1].messages;
	pthread_mutex_unlock(&v->lock);
	return nr;
}

/* After each signal a message must come, whatever the masks did meanwhile. */
static void test_no_signal_lost(void **state)
{
	struct vmm *v = *state;
	pthread_t kvm, mover;
	unsigned int i, before;
	time_t start;

	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	guest_vector(v, 1, 0xfee00000, 1, false);
	atomic_store(&stop, false);
	pthread_create(&kvm, NULL, kvm_thread, v);
	pthread_create(&mover, NULL, mover_thread, v);
	for (i = 0; i < ROUNDS * 5; i++) {
		before = messages(v);
		fake_signal(&v->fake, SLOT, 1);
		start = time(NULL);
		while (messages(v) == before) {
			assert_true(within_patience(start));
			sched_yield();
		}
	}
	atomic_store(&stop, true);
	pthread_join(mover, NULL);
	pthread_join(kvm, NULL);
}

static pthread_barrier_t barrier;

static void *starter_thread(void *arg)
{
	struct vmm *v = arg;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		write32(v, VBUS_REG_STATUS, 7);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/* Bus mastering goes off just as the driver starts the device: it does not run. */
static void test_start_without_leave(void **state)
{
	struct vmm *v = *state;
	pthread_t starter;
	unsigned int i;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&starter, NULL, starter_thread, v);
	guest_enable(v, BAR_ADDR);
	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
		pthread_barrier_wait(&barrier);
		assert_int_equal(v->fake.devs[SLOT].status, 7);
		assert_false(v->fake.devs[SLOT].started);
		cfg_put(v, PCI_COMMAND, 6, 2);
		assert_true(v->fake.devs[SLOT].started);
		write32(v, VBUS_REG_STATUS, 0);
		pthread_barrier_wait(&barrier);
	}
	pthread_join(starter, NULL);
	pthread_barrier_destroy(&barrier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_eject_under_fire, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_slow_reset, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_slow_flr, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_no_signal_lost, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_start_without_leave, vmm_setup, vmm_teardown),
	};

	return cmocka_run_group_tests_name("eject_thread", tests, NULL, NULL);
}
