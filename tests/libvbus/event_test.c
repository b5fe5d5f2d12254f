// SPDX-License-Identifier: GPL-2.0
/* Opening a bus, devices that come and go, guest memory, and words for what fails. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include "fake.h"

static bool readable(struct vmm *v)
{
	struct pollfd p = { .fd = libvbus_fd(v->bus), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static bool present(struct vmm *v, uint32_t slot)
{
	uint32_t id;

	return !libvbus_config_read(v->bus, slot, PCI_VENDOR_ID, &id, 4);
}

static void test_added(void **state)
{
	struct vmm *v = *state;
	struct libvbus_info info;

	assert_int_equal(v->slots[SLOT].added, 1);
	assert_int_equal(v->slots[SLOT].class_id, VBUS_CLASS_NET);
	assert_int_equal(libvbus_get_info(v->bus, SLOT, &info), 0);
	assert_int_equal(info.class_id, VBUS_CLASS_NET);
	assert_int_equal(info.nr_queues, CLASS_QUEUES);
	assert_int_equal(info.nr_vectors, CLASS_QUEUES + 1);
	assert_string_equal(info.name, "net.web0");
	assert_string_equal(info.alias, "front");
	assert_int_equal(libvbus_get_info(v->bus, SLOT + 1, &info), -ENOENT);
	assert_false(readable(v));
	/* Once more is nothing new. */
	fake_event(&v->fake, VBUS_EVENT_ADDED, SLOT);
	assert_true(readable(v));
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(libvbus_attach(v->bus, SLOT), 0);
	assert_int_equal(v->slots[SLOT].added, 1);
	assert_int_equal(v->fake.devs[SLOT].opens, 1);
}

static void test_long_texts(void **state)
{
	struct vmm *v = *state;
	struct libvbus_info info;
	char text[200];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fake_plug(&v->fake, 5, VBUS_CLASS_NET, 2);
	v->fake.devs[5].name = text;
	v->fake.devs[5].alias = text;
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(libvbus_get_info(v->bus, 5, &info), 0);
	assert_true(strlen(info.name) < sizeof(info.name));
	assert_true(strlen(info.alias) < sizeof(info.alias));
}

static void test_unplug(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];

	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	guest_vector(v, 1, 0xfee00000, 1, false);
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->unplugs, 1);
	/* The guest goes on until it lets go. */
	assert_true(present(v, SLOT) && s->mapped);
	assert_int_equal(libvbus_eject(v->bus, SLOT), 0);
	assert_false(present(v, SLOT) || s->mapped);
	assert_int_equal(vmm_enabled(v, SLOT), 0);
	assert_false(v->fake.devs[SLOT].plugged);
	assert_int_equal(libvbus_eject(v->bus, SLOT), -ENOENT);
	assert_int_equal(libvbus_attach(v->bus, SLOT), -ENOENT);
	assert_int_equal(s->removed, 0);

	/* And the next one, which remembers nothing. */
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NULL, 2);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->added, 2);
	assert_int_equal(s->class_id, VBUS_CLASS_NULL);
	assert_int_equal(cfg_get(v, PCI_COMMAND, 2), 0);
}

static void test_eject_in_callback(void **state)
{
	struct vmm *v = *state;

	v->eject_at_once = true;
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->slots[SLOT].unplugs, 1);
	assert_false(present(v, SLOT) || v->fake.devs[SLOT].plugged);
}

static void test_no_callbacks(void **state)
{
	struct vmm *v = vmm_new();

	(void)state;
	v->ops.added = NULL;
	v->ops.unplug = NULL;
	v->ops.removed = NULL;
	assert_int_equal(vmm_open(v), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, 2);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_true(present(v, SLOT));
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_false(present(v, SLOT) || v->fake.devs[SLOT].plugged);
	vmm_free(v);
}

/* The guest switches the slot off and on, nobody asked. */
static void test_guest_ejects(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];

	assert_int_equal(libvbus_eject(v->bus, SLOT), 0);
	assert_true(v->fake.devs[SLOT].plugged);
	assert_int_equal(libvbus_attach(v->bus, SLOT), 0);
	assert_int_equal(s->added, 2);
	assert_true(present(v, SLOT));

	/* Off, and while it is off the admin takes it. */
	assert_int_equal(libvbus_eject(v->bus, SLOT), 0);
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->removed, 1);
	assert_int_equal(libvbus_attach(v->bus, SLOT), -ENOENT);
}

/* Events that are late, doubled, or of slots that are not there. */
static void test_stale_events(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];

	/* Gone before anybody looked. */
	fake_event(&v->fake, VBUS_EVENT_ADDED, 6);
	fake_event(&v->fake, VBUS_EVENT_REMOVED, 6);
	fake_event(&v->fake, VBUS_EVENT_UNPLUG, 6);
	fake_event(&v->fake, VBUS_EVENT_CHANGED, 6);
	fake_event(&v->fake, VBUS_EVENT_CHANGED, SLOT);
	fake_event(&v->fake, 99, SLOT);
	fake_event(&v->fake, VBUS_EVENT_ADDED, FAKE_SLOTS);
	fake_event(&v->fake, VBUS_EVENT_REMOVED, 0xffffffff);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->slots[6].added + v->slots[6].removed +
			 v->slots[6].unplugs, 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], 0);
	assert_int_equal(s->added, 1);

	/* Let go of before the question was read. */
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_eject(v->bus, SLOT), 0);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->unplugs, 0);

	/* Removed and added, in one go. */
	fake_event(&v->fake, VBUS_EVENT_REMOVED, SLOT);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NULL, 1);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->removed, 1);
	assert_int_equal(s->added, 2);
}

/* A kernel that takes a device away without asking. */
static void test_surprise(void **state)
{
	struct vmm *v = *state;

	guest_enable(v, BAR_ADDR);
	fake_event(&v->fake, VBUS_EVENT_REMOVED, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->slots[SLOT].removed, 1);
	assert_false(present(v, SLOT) || v->slots[SLOT].mapped);
}

static void test_alias_changes(void **state)
{
	struct vmm *v = *state;
	struct libvbus_info info;

	v->fake.devs[SLOT].alias = "back";
	fake_event(&v->fake, VBUS_EVENT_CHANGED, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(libvbus_get_info(v->bus, SLOT, &info), 0);
	assert_string_equal(info.alias, "back");
}

static void test_many_events(void **state)
{
	struct vmm *v = *state;
	int i;

	for (i = 0; i < 60; i++)
		fake_event(&v->fake, VBUS_EVENT_CHANGED, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_false(readable(v));
}

static void test_attach_fails(void **state)
{
	struct vmm *v = *state;
	unsigned int before = count_fds();

	v->fake.fail.open_slot = EMFILE;
	fake_plug(&v->fake, 5, VBUS_CLASS_NET, 2);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], 1);
	assert_int_equal(v->slots[5].added, 0);
	assert_int_equal(libvbus_attach(v->bus, 5), -EMFILE);

	v->fake.fail.open_slot = 0;
	v->fake.fail.get_attr = EIO;
	assert_int_equal(libvbus_attach(v->bus, 5), -EIO);
	assert_false(v->fake.devs[5].open);
	v->fake.fail.get_attr = 0;
	assert_int_equal(libvbus_attach(v->bus, 5), 0);
	assert_int_equal(v->slots[5].added, 1);
	assert_int_equal(count_fds(), before);
	assert_int_equal(libvbus_attach(v->bus, FAKE_SLOTS), -ENOENT);
	assert_int_equal(libvbus_eject(v->bus, FAKE_SLOTS), -ENOENT);
}

static void test_read_fails(void **state)
{
	struct vmm *v = *state;

	v->fake.fail.read_events = EIO;
	assert_int_equal(libvbus_process(v->bus), -EIO);
	assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], 1);
}

/* Kernels the library can't work with. */
static void test_open_refused(void **state)
{
	static const struct {
		int err, ret;
		uint32_t abi, window, slots;
	} kernels[] = {
		{ ENOTTY, -ENOTTY, VBUS_VERSION, VBUS_WINDOW_SIZE, 8 },
		{ 0, -ENOTSUP, VBUS_VERSION + 1, VBUS_WINDOW_SIZE, 8 },
		{ 0, -ENOTSUP, 0, VBUS_WINDOW_SIZE, 8 },
		{ 0, -ENOTSUP, VBUS_VERSION, 4096, 8 },
		{ 0, -ENOTSUP, VBUS_VERSION, VBUS_WINDOW_SIZE, 0 },
		{ 0, -ENOTSUP, VBUS_VERSION, VBUS_WINDOW_SIZE, 0xffffffff },
	};
	struct vmm *v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(kernels); i++) {
		v = vmm_new();
		v->fake.fail.get_info = kernels[i].err;
		v->fake.info.abi = kernels[i].abi;
		v->fake.info.window_size = kernels[i].window;
		v->fake.info.max_slots = kernels[i].slots;
		assert_int_equal(vmm_open(v), kernels[i].ret);
		assert_null(v->bus);
		assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], 1);
		vmm_free(v);
	}
}

/* A VMM that is older or newer than the library. */
static void test_ops_sizes(void **state)
{
	struct {
		struct libvbus_ops ops;
		void (*more)(void);
	} newer = { .ops.size = sizeof(newer) };
	struct libvbus *bus;
	struct vmm *v;

	(void)state;
	v = vmm_new();
	v->ops.size = offsetof(struct libvbus_ops, bar_map);
	assert_int_equal(vmm_open(v), 0);
	assert_null(v->bus->ops.bar_map);
	assert_non_null(v->bus->ops.removed);
	vmm_free(v);

	v = vmm_new();
	assert_int_equal(lvb_open_io(&v->fake.io, "t", 0, &newer.ops, NULL,
				     &v->bus), 0);
	vmm_free(v);

	newer.more = (void (*)(void))test_ops_sizes;
	assert_int_equal(libvbus_open("none", 0, &newer.ops, NULL, &bus),
			 -ENOTSUP);
	newer.ops.size = 1;
	assert_int_equal(libvbus_open("none", 0, &newer.ops, NULL, &bus),
			 -EINVAL);
}

/* Nodes that can't be opened, or are no bus. */
static void test_open_nodes(void **state)
{
	struct vmm *v = vmm_new();
	char dir[] = "/tmp/libvbus.XXXXXX", path[64];
	unsigned int before = count_fds();
	struct libvbus *bus;
	char longer[300];
	FILE *file;

	(void)state;
	assert_int_equal(libvbus_open("no-such-bus", 0, &v->ops, v, &bus),
			 -ENOENT);
	assert_non_null(strstr(v->log, "/dev/vbus/no-such-bus does not exist"));
	assert_int_equal(libvbus_open("", 0, &v->ops, v, &bus), -EINVAL);
	memset(longer, 'b', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(libvbus_open(longer, 0, &v->ops, v, &bus), -EINVAL);
	assert_int_equal(libvbus_open("/dev/null", 0, &v->ops, v, &bus),
			 -ENOTTY);
	assert_non_null(strstr(v->log, "/dev/null is no vbus bus"));

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/node", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	chmod(path, 0440);
	/* Root may open anything: there it is no bus. */
	assert_int_equal(libvbus_open(path, 0, &v->ops, v, &bus),
			 geteuid() ? -EACCES : -ENOTTY);
	if (geteuid())
		assert_non_null(strstr(v->log, "mode 0440"));
	unlink(path);
	rmdir(dir);
	assert_null(bus);
	assert_int_equal(count_fds(), before);

	/* Close what was never opened. */
	libvbus_close(NULL);
	v->fake.closed = true;
	vmm_free(v);
}

static void test_memory(void **state)
{
	static const int errors[] = {
		EINVAL, EEXIST, ENOSPC, EFAULT, EOPNOTSUPP, EPERM, EIO
	};
	struct rlimit limit = { 8 << 20, 8 << 20 };
	struct vmm *v = *state;
	size_t i;

	assert_int_equal(libvbus_mem_add(v->bus, 0, 2 << 20, v, false), 0);
	assert_int_equal(v->fake.mem_added, 2 << 20);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		v->fake.fail.mem = errors[i];
		assert_int_equal(libvbus_mem_add(v->bus, 0, 4096, v, false),
				 -errors[i]);
		assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], i + 1);
	}
	v->log[0] = '\0';
	v->fake.fail.mem = ENOMEM;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	assert_int_equal(libvbus_mem_add(v->bus, 1ULL << 32, 256 << 20, v,
					 false), -ENOMEM);
	/* The limit, the need, the remedy. */
	assert_non_null(strstr(v->log, "RLIMIT_MEMLOCK is 8192 KiB"));
	assert_non_null(strstr(v->log, "at least 264192 KiB"));
	assert_non_null(strstr(v->log, "ulimit -l"));
	v->fake.fail.mem = ENOENT;
	assert_int_equal(libvbus_mem_del(v->bus, 0, 4096), -ENOENT);
	v->fake.fail.mem = 0;
	assert_int_equal(libvbus_mem_del(v->bus, 0, 2 << 20), 0);
	assert_int_equal(v->fake.mem_added, 0);
}

/* Closed with everything on. */
static void test_close_busy(void **state)
{
	unsigned int before = count_fds();
	struct vmm *v = vmm_new();
	uint32_t i;

	(void)state;
	assert_int_equal(vmm_open(v), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, VBUS_MAX_QUEUES);
	assert_int_equal(libvbus_process(v->bus), 0);
	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	for (i = 0; i < VBUS_MAX_VECTORS; i++)
		guest_vector(v, i, 0xfee00000, i, false);
	assert_int_equal(vmm_enabled(v, SLOT), VBUS_MAX_VECTORS);
	assert_int_equal(vmm_bells(v, SLOT), VBUS_MAX_QUEUES);
	/* vmm_free() wants everything back. */
	vmm_free(v);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_added, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_long_texts, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_unplug, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_eject_in_callback, vmm_setup, vmm_teardown),
		cmocka_unit_test(test_no_callbacks),
		cmocka_unit_test_setup_teardown(test_guest_ejects, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_stale_events, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_surprise, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_alias_changes, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_many_events, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_attach_fails, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_read_fails, vmm_setup, vmm_teardown),
		cmocka_unit_test(test_open_refused),
		cmocka_unit_test(test_ops_sizes),
		cmocka_unit_test(test_open_nodes),
		cmocka_unit_test_setup_teardown(test_memory, vmm_setup, vmm_teardown),
		cmocka_unit_test(test_close_busy),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
