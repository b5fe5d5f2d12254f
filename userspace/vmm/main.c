// SPDX-License-Identifier: GPL-2.0
/*
 * vbus-vmm: a small KVM VMM that shows the devices of vbus buses to its guest.
 */
#include <stdlib.h>

#include "log.h"
#include "options.h"
#include "vm.h"

int main(int argc, char **argv)
{
	static struct options opt;
	static struct vm vm;
	int status = EXIT_FAILURE;

	switch (options_parse(&opt, argc, argv)) {
	case OPTIONS_OK:
		break;
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		return EXIT_FAILURE;
	}
	log_verbose = opt.verbose;
	if (!vm_init(&vm, &opt))
		status = vm_run(&vm);
	vm_exit(&vm);
	return status;
}
