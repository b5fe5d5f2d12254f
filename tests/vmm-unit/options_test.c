// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: what is taken, and that the rest is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

#define MAX_ARGS	32

static struct options opt;

/* @line: arguments between blanks, without the program's name. */
static enum options_result parse(const char *line)
{
	static char text[1024];
	char *argv[MAX_ARGS] = { (char *)"vbus-vmm" };
	int argc = 1;
	char *word;

	assert_true(strlen(line) < sizeof(text));
	strcpy(text, line);
	for (word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return options_parse(&opt, argc, argv);
}

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("--kernel k"), OPTIONS_OK);
	assert_string_equal(opt.kernel, "k");
	assert_null(opt.initrd);
	assert_string_equal(opt.append, "");
	assert_int_equal(opt.cpus, 1);
	assert_int_equal(opt.mem, 256 << 20);
	assert_int_equal(opt.nr_buses, 0);
	assert_int_equal(opt.slots, 16);
	assert_int_equal(opt.attach, ATTACH_PCI);
	assert_int_equal(opt.event_queues, 2);
	assert_int_equal(opt.discover, DISCOVER_ACPI);
	assert_int_equal(opt.console.kind, CHAN_STDIO);
	assert_int_equal(opt.serial.kind, CHAN_NONE);
	assert_false(opt.no_seccomp || opt.no_reboot || opt.verbose);
}

static void everything(void **state)
{
	(void)state;
	assert_int_equal(parse("--kernel k --initrd=i --append console=ttyS0 --cpus 64 --mem 3G"),
			 OPTIONS_OK);
	assert_string_equal(opt.initrd, "i");
	assert_string_equal(opt.append, "console=ttyS0");
	assert_int_equal(opt.cpus, 64);
	assert_true(opt.mem == 3ULL << 30);

	assert_int_equal(parse("--kernel k --bus vm0 --bus /dev/vbus/vm1 --slots 31"),
			 OPTIONS_OK);
	assert_int_equal(opt.nr_buses, 2);
	assert_int_equal(opt.slots, 31);
	assert_string_equal(opt.bus[0], "vm0");
	assert_string_equal(opt.bus[1], "/dev/vbus/vm1");

	assert_int_equal(parse("--kernel k --console file:/c --serial unix:/s"),
			 OPTIONS_OK);
	assert_int_equal(opt.console.kind, CHAN_FILE);
	assert_string_equal(opt.console.path, "/c");
	assert_int_equal(opt.serial.kind, CHAN_UNIX);
	assert_string_equal(opt.serial.path, "/s");

	assert_int_equal(parse("--kernel k --no-seccomp --no-reboot --verbose"),
			 OPTIONS_OK);
	assert_true(opt.no_seccomp && opt.no_reboot && opt.verbose);
}

static void fronts(void **state)
{
	(void)state;
	assert_int_equal(parse("--kernel k --attach native --event-queues 8 --discover cmdline"),
			 OPTIONS_OK);
	assert_int_equal(opt.attach, ATTACH_NATIVE);
	assert_int_equal(opt.event_queues, 8);
	assert_int_equal(opt.discover, DISCOVER_CMDLINE);
	assert_int_equal(parse("--kernel k --attach both --discover acpi"), OPTIONS_OK);
	assert_int_equal(opt.attach, ATTACH_PCI | ATTACH_NATIVE);
	assert_int_equal(parse("--kernel k --attach native --attach pci"), OPTIONS_OK);
	assert_int_equal(opt.attach, ATTACH_PCI);
	/* As many as have interrupts, and no limit by PCI. */
	assert_int_equal(parse("--kernel k --attach native --event-queues 4 --bus 1 --bus 2"),
			 OPTIONS_OK);
	assert_int_equal(parse("--kernel k --event-queues 8 --bus 1 --bus 2"), OPTIONS_OK);
}

static void pseudo_terminals(void **state)
{
	(void)state;
	assert_int_equal(parse("--kernel k --console pty --serial pty:/l"),
			 OPTIONS_OK);
	assert_int_equal(opt.console.kind, CHAN_PTY);
	assert_null(opt.console.path);
	assert_int_equal(opt.serial.kind, CHAN_PTY);
	assert_string_equal(opt.serial.path, "/l");
}

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(parse("--kernel k --mem 65536K"), OPTIONS_OK);
	assert_int_equal(opt.mem, 64 << 20);
	assert_int_equal(parse("--kernel k --mem 134217728"), OPTIONS_OK);
	assert_int_equal(opt.mem, 128 << 20);
	assert_int_equal(parse("--kernel k --mem 1024G"), OPTIONS_OK);
	assert_true(opt.mem == 1ULL << 40);
}

static void refused(void **state)
{
	static const char * const lines[] = {
		"",
		"--kernel",
		"--kernel k extra",
		"--kernel k --frobnicate",
		"--kernel k --cpus 0",
		"--kernel k --cpus 65",
		"--kernel k --cpus -1",
		"--kernel k --cpus 2x",
		"--kernel k --cpus 18446744073709551617",
		"--kernel k --mem 0",
		"--kernel k --mem 63M",
		"--kernel k --mem 65M",
		"--kernel k --mem 1025G",
		"--kernel k --mem 17179869184G",
		"--kernel k --mem 99999999999999999999",
		"--kernel k --mem 1GB",
		"--kernel k --mem lots",
		"--kernel k --mem -256M",
		"--kernel k --bus=",
		"--kernel k --bus vm0 --bus vm0",
		"--kernel k --slots 0",
		"--kernel k --slots 32",
		"--kernel k --slots many",
		"--kernel k --bus 1 --bus 2 --bus 3 --bus 4 --bus 5 --bus 6 --bus 7 --bus 8 --bus 9",
		"--kernel k --attach",
		"--kernel k --attach isa",
		"--kernel k --attach pci,native",
		"--kernel k --event-queues 0",
		"--kernel k --event-queues 9",
		"--kernel k --event-queues two",
		"--kernel k --discover dt",
		"--kernel k --discover=",
		"--kernel k --attach native --bus 1 --bus 2 --bus 3 --bus 4 --bus 5 --bus 6 --bus 7",
		"--kernel k --attach both --event-queues 8 --bus 1 --bus 2",
		"--kernel k --console tty",
		"--kernel k --console file",
		"--kernel k --console file:",
		"--kernel k --console stdio:",
		"--kernel k --console none:x",
		"--kernel k --serial unix:",
		"--kernel k --serial pty:",
		"--kernel k --serial stdio",
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse(lines[i]) != OPTIONS_BAD)
			fail_msg("taken: %s", lines[i]);
	}
}

static void long_socket_path(void **state)
{
	char line[256] = "--kernel k --serial unix:/";

	(void)state;
	memset(line + strlen(line), 'x', 110);
	assert_int_equal(parse(line), OPTIONS_BAD);
}

static void only_asked(void **state)
{
	(void)state;
	assert_int_equal(parse("--version"), OPTIONS_DONE);
	assert_int_equal(parse("--help"), OPTIONS_DONE);
}

int main(void)
{
	const struct CMUnitTest options[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(everything),
		cmocka_unit_test(fronts),
		cmocka_unit_test(pseudo_terminals),
		cmocka_unit_test(sizes),
		cmocka_unit_test(refused),
		cmocka_unit_test(long_socket_path),
		cmocka_unit_test(only_asked),
	};

	return cmocka_run_group_tests(options, NULL, NULL);
}
