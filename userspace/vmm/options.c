// SPDX-License-Identifier: GPL-2.0
/*
 * The command line. Whatever is wrong with it is reported in one line with what would
 * be right; nothing is opened here.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "log.h"
#include "native.h"

#ifndef VMM_VERSION
#define VMM_VERSION "0.1"
#endif

#define MIB		(1024ULL * 1024)
#define MEM_ALIGN	(2 * MIB)
#define MEM_MIN		(64 * MIB)
#define MEM_MAX		(1024 * 1024 * MIB)

static const char usage[] =
"usage: vbus-vmm --kernel BZIMAGE [OPTION]...\n"
"Run a Linux guest under KVM, with the devices of vbus buses.\n"
"\n"
"  --kernel BZIMAGE   x86-64 Linux kernel, as distributions install it\n"
"  --initrd FILE      initial ramdisk\n"
"  --append STRING    kernel command line; \"console=ttyS0\" shows its messages\n"
"  --cpus N           virtual CPUs, 1 to 64 [1]\n"
"  --mem SIZE         memory, suffix K, M or G [256M]\n"
"  --bus NAME         attach /dev/vbus/NAME; may be given up to 8 times\n"
"  --attach HOW       pci: devices are PCI functions; native: the guest drives the\n"
"                     buses themselves, and has no PCI; both [pci]\n"
"  --slots N          pci: slots of each bus that the guest has, 1 to 31 [16]\n"
"  --event-queues N   native: event queues of each bus, 1 to 8 [2]\n"
"  --discover HOW     native: the guest finds buses by acpi or cmdline [acpi]\n"
"  --console WHERE    first serial port (ttyS0): stdio, file:PATH, pty[:LINK],\n"
"                     unix:PATH or none [stdio]\n"
"  --serial WHERE     second serial port (ttyS1) [none]\n"
"  --no-reboot        exit with status 0 when the guest resets the machine\n"
"  --no-seccomp       don't restrict the system calls of this process\n"
"  --verbose          say more\n"
"  --help, --version\n"
"\n"
"SIGTERM and SIGINT end the guest at once, SIGUSR1 prints counters of its exits.\n"
"On a terminal, Ctrl-A x ends the guest.\n"
"Status: 0 the guest powered off or was ended by a signal, 1 an error.\n";

enum {
	OPT_KERNEL = 256, OPT_INITRD, OPT_APPEND, OPT_CPUS, OPT_MEM, OPT_BUS,
	OPT_ATTACH, OPT_SLOTS, OPT_EVENT_QUEUES, OPT_DISCOVER,
	OPT_CONSOLE, OPT_SERIAL, OPT_NO_REBOOT, OPT_NO_SECCOMP, OPT_VERBOSE,
	OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "mem", required_argument, NULL, OPT_MEM },
	{ "bus", required_argument, NULL, OPT_BUS },
	{ "attach", required_argument, NULL, OPT_ATTACH },
	{ "slots", required_argument, NULL, OPT_SLOTS },
	{ "event-queues", required_argument, NULL, OPT_EVENT_QUEUES },
	{ "discover", required_argument, NULL, OPT_DISCOVER },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "serial", required_argument, NULL, OPT_SERIAL },
	{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
	{ "no-seccomp", no_argument, NULL, OPT_NO_SECCOMP },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* A decimal number and what follows it; no sign, no spaces. */
static bool parse_number(const char *text, uint64_t *value, const char **end)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &stop, 10);
	*end = stop;
	return !errno;
}

/* From 1 to @max. */
static bool parse_count(const char *name, const char *text, unsigned int max,
			unsigned int *count)
{
	const char *end;
	uint64_t value;

	if (!parse_number(text, &value, &end) || *end || !value || value > max) {
		log_error("%s %s: not a number from 1 to %u", name, text, max);
		return false;
	}
	*count = value;
	return true;
}

static bool parse_attach(const char *text, unsigned int *attach)
{
	if (!strcmp(text, "pci")) {
		*attach = ATTACH_PCI;
	} else if (!strcmp(text, "native")) {
		*attach = ATTACH_NATIVE;
	} else if (!strcmp(text, "both")) {
		*attach = ATTACH_PCI | ATTACH_NATIVE;
	} else {
		log_error("--attach %s: not one of pci, native, both", text);
		return false;
	}
	return true;
}

static bool parse_discover(const char *text, enum discover *discover)
{
	if (!strcmp(text, "acpi")) {
		*discover = DISCOVER_ACPI;
	} else if (!strcmp(text, "cmdline")) {
		*discover = DISCOVER_CMDLINE;
	} else {
		log_error("--discover %s: not one of acpi, cmdline", text);
		return false;
	}
	return true;
}

static bool parse_mem(const char *text, uint64_t *mem)
{
	unsigned int shift = 0;
	const char *end;
	uint64_t value;

	if (!parse_number(text, &value, &end))
		goto bad;
	switch (*end) {
	case 'G': case 'g':
		shift = 30;
		end++;
		break;
	case 'M': case 'm':
		shift = 20;
		end++;
		break;
	case 'K': case 'k':
		shift = 10;
		end++;
		break;
	case 0:
		break;
	}
	if (*end || value > MEM_MAX >> shift)
		goto bad;
	value <<= shift;
	if (value < MEM_MIN || value % MEM_ALIGN)
		goto bad;
	*mem = value;
	return true;
bad:
	log_error("--mem %s: not a size from 64M to 1024G that is a multiple of 2M, such as 512M or 2G",
		  text);
	return false;
}

static bool parse_chan(const char *name, const char *text,
		       struct chardev_option *chardev)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	const char *path = colon ? colon + 1 : NULL;
	struct sockaddr_un address;
	bool ok = false;

	if (len == 4 && !strncmp(text, "none", len)) {
		chardev->kind = CHAN_NONE;
		ok = !path;
	} else if (len == 5 && !strncmp(text, "stdio", len)) {
		chardev->kind = CHAN_STDIO;
		ok = !path;
	} else if (len == 4 && !strncmp(text, "file", len)) {
		chardev->kind = CHAN_FILE;
		ok = path && *path;
	} else if (len == 4 && !strncmp(text, "unix", len)) {
		chardev->kind = CHAN_UNIX;
		ok = path && *path;
		if (ok && strlen(path) >= sizeof(address.sun_path)) {
			log_error("%s %s: the path of a socket can have %zu bytes at most; choose a shorter one",
				  name, text, sizeof(address.sun_path) - 1);
			return false;
		}
	} else if (len == 3 && !strncmp(text, "pty", len)) {
		chardev->kind = CHAN_PTY;
		ok = !path || *path;
	}
	if (!ok) {
		log_error("%s %s: not one of stdio, file:PATH, unix:PATH, pty, pty:LINK, none",
			  name, text);
		return false;
	}
	chardev->path = path;
	return true;
}

static bool parse_bus(struct options *opt, const char *name)
{
	unsigned int i;

	if (!*name) {
		log_error("--bus: the name is empty");
		return false;
	}
	if (opt->nr_buses == VM_MAX_BUSES) {
		log_error("--bus %s: more than %d buses", name, VM_MAX_BUSES);
		return false;
	}
	for (i = 0; i < opt->nr_buses; i++) {
		if (!strcmp(opt->bus[i], name)) {
			log_error("--bus %s: given twice", name);
			return false;
		}
	}
	opt->bus[opt->nr_buses++] = name;
	return true;
}

static bool parse_one(struct options *opt, int code, const char *arg)
{
	switch (code) {
	case OPT_KERNEL:
		opt->kernel = arg;
		return true;
	case OPT_INITRD:
		opt->initrd = arg;
		return true;
	case OPT_APPEND:
		opt->append = arg;
		return true;
	case OPT_CPUS:
		return parse_count("--cpus", arg, VM_MAX_CPUS, &opt->cpus);
	case OPT_MEM:
		return parse_mem(arg, &opt->mem);
	case OPT_BUS:
		return parse_bus(opt, arg);
	case OPT_SLOTS:
		return parse_count("--slots", arg, VM_MAX_SLOTS, &opt->slots);
	case OPT_ATTACH:
		return parse_attach(arg, &opt->attach);
	case OPT_EVENT_QUEUES:
		return parse_count("--event-queues", arg, VBUS_NATIVE_MAX_QUEUES,
				   &opt->event_queues);
	case OPT_DISCOVER:
		return parse_discover(arg, &opt->discover);
	case OPT_CONSOLE:
		return parse_chan("--console", arg, &opt->console);
	case OPT_SERIAL:
		return parse_chan("--serial", arg, &opt->serial);
	case OPT_NO_REBOOT:
		opt->no_reboot = true;
		return true;
	case OPT_NO_SECCOMP:
		opt->no_seccomp = true;
		return true;
	case OPT_VERBOSE:
		opt->verbose = true;
		return true;
	}
	return false;
}

/* What is wrong only together. */
static bool check(const struct options *opt)
{
	unsigned int max = native_max_buses(opt->event_queues);

	if (!opt->kernel) {
		log_error("--kernel BZIMAGE is missing; see --help");
		return false;
	}
	if (opt->console.kind == CHAN_STDIO && opt->serial.kind == CHAN_STDIO) {
		log_error("only one of --console and --serial can be stdio; say --console none, for instance");
		return false;
	}
	if ((opt->attach & ATTACH_NATIVE) && opt->nr_buses > max) {
		log_error("%u buses with --event-queues %u: there are interrupts for %u; take fewer event queues or buses, or --attach pci",
			  opt->nr_buses, opt->event_queues, max);
		return false;
	}
	return true;
}

enum options_result options_parse(struct options *opt, int argc, char **argv)
{
	int code;

	*opt = (struct options){
		.append = "",
		.cpus = 1,
		.mem = 256 * MIB,
		.attach = ATTACH_PCI,
		.slots = 16,
		.event_queues = 2,
		.console.kind = CHAN_STDIO,
	};
	/* 0 rather than 1: start anew, also in a test that parses many lines. */
	optind = 0;
	opterr = 0;
	while ((code = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		switch (code) {
		case OPT_HELP:
			fputs(usage, stdout);
			return OPTIONS_DONE;
		case OPT_VERSION:
			puts("vbus-vmm " VMM_VERSION);
			return OPTIONS_DONE;
		case ':':
			log_error("%s needs a value; see --help",
				  argv[optind - 1]);
			return OPTIONS_BAD;
		case '?':
			log_error("unknown or ambiguous option %s; see --help",
				  argv[optind - 1]);
			return OPTIONS_BAD;
		default:
			if (!parse_one(opt, code, optarg))
				return OPTIONS_BAD;
		}
	}
	if (optind < argc) {
		log_error("unexpected argument \"%s\"; see --help", argv[optind]);
		return OPTIONS_BAD;
	}
	return check(opt) ? OPTIONS_OK : OPTIONS_BAD;
}
