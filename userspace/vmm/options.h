/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line of vbus-vmm, parsed and checked. Strings belong to argv or live
 * for ever.
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vm.h"

enum chardev_kind {
	CHAN_NONE,
	CHAN_STDIO,
	CHAN_FILE,
	CHAN_UNIX,
	CHAN_PTY,
};

/* What the far end of a serial port is. path: file, socket or link, or NULL. */
struct chardev_option {
	enum chardev_kind kind;
	const char *path;
};

/* Which fronts a guest reaches its buses by: bits. */
enum attach {
	ATTACH_PCI = 1,
	ATTACH_NATIVE = 2,
};

/* How a guest learns of native fronts. */
enum discover {
	DISCOVER_ACPI,
	DISCOVER_CMDLINE,
};

struct options {
	const char *kernel;
	const char *initrd;
	const char *append;
	unsigned int cpus;
	uint64_t mem;
	const char *bus[VM_MAX_BUSES];
	unsigned int nr_buses;
	unsigned int attach;	/* ATTACH_* */
	unsigned int slots;	/* of each bus; PCI */
	unsigned int event_queues;	/* of each bus; native */
	enum discover discover;
	struct chardev_option console;
	struct chardev_option serial;
	bool no_seccomp;
	bool no_reboot;
	bool verbose;
};

enum options_result {
	OPTIONS_OK,
	OPTIONS_DONE,	/* --help, --version: printed, exit with 0 */
	OPTIONS_BAD,	/* reported on stderr, exit with 1 */
};

enum options_result options_parse(struct options *opt, int argc, char **argv);

#endif /* VMM_OPTIONS_H */
