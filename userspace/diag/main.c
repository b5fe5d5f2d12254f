// SPDX-License-Identifier: GPL-2.0
/*
 * vbus-diag: measures in a guest what a vbus device costs it.  The measuring is done by
 * the driver vbus-null; this is its command line.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"

#ifndef DIAG_VERSION
#define DIAG_VERSION "0.1"
#endif

#define COUNT_DEFAULT	10000
#define COUNT_MAX	1000000
#define BATCH_DEFAULT	32
#define BATCH_MAX	32768
#define TIME_DEFAULT	1000
#define TIME_MAX	600000
#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static const struct diag_kind kinds[] = {
	{ "register", "read a register of the device", false, false },
	{ "idle", "write to a doorbell that nobody listens to", false, false },
	{ "call", "a call that does nothing, answered at once", false, false },
	{ "slowcall", "the same, answered later by an event", false, false },
	{ "kick", "ring a queue's doorbell, with nothing in the queue", false, false },
	{ "signal", "send one chain, until the interrupt that it is done", false, false },
	{ "ring", "send chains in batches, time for one chain", true, false },
	{ "flood", "for --time: one chain after the other, with a signal for each", false, true },
};

/**
 * struct options - the command line
 * @device: to measure, or NULL: all
 * @count: of each measurement
 * @batch: of "ring"
 * @time: of "flood", in ms
 * @cpu: to run on, or -1
 * @list: show devices, and measure nothing
 * @json: print JSON
 * @wanted: measurements, by index of kinds
 * @named: some were named
 */
struct options {
	const char *device;
	unsigned long count;
	unsigned long batch;
	unsigned long time;
	long cpu;
	bool list;
	bool json;
	bool wanted[NR_KINDS];
	bool named;
};

enum {
	OPT_DEVICE = 256, OPT_COUNT, OPT_BATCH, OPT_TIME, OPT_CPU, OPT_LIST,
	OPT_JSON, OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "batch", required_argument, NULL, OPT_BATCH },
	{ "time", required_argument, NULL, OPT_TIME },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void print_help(void)
{
	unsigned int i;

	printf("usage: vbus-diag [OPTION]... [WHAT]...\n"
	       "Measure, inside of a guest, what a vbus device of class null costs it.\n"
	       "\n"
	       "  --device NAME   only this one, as vbus0-3 [all there are]\n"
	       "  --count N       measurements of each kind, 1 to %d [%d]\n"
	       "  --batch N       ring: chains made visible at once [%d]\n"
	       "  --time MS       flood: how long, 1 to %d [%d]\n"
	       "  --cpu N         measure on this CPU\n"
	       "  --list          show the devices and do nothing with them\n"
	       "  --json          print JSON\n"
	       "  --help, --version\n"
	       "\n"
	       "WHAT, all but flood if none is given:\n",
	       COUNT_MAX, COUNT_DEFAULT, BATCH_DEFAULT, TIME_MAX, TIME_DEFAULT);
	for (i = 0; i < NR_KINDS; i++)
		printf("  %-15s %s\n", kinds[i].name, kinds[i].help);
	printf("\nStatus: 0 all was measured, 1 something was not, 2 wrong usage.\n");
}

static int parse_number(const char *name, const char *text, unsigned long min,
			unsigned long max, unsigned long *val)
{
	char *end;

	errno = 0;
	*val = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || *val < min ||
	    *val > max) {
		fprintf(stderr, "vbus-diag: --%s %s: a number from %lu to %lu is wanted\n",
			name, text, min, max);
		return -1;
	}
	return 0;
}

/* Return: 0; -1 and the reason is printed. */
static int parse_kind(struct options *opt, const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_KINDS; i++) {
		if (!strcmp(kinds[i].name, name)) {
			opt->wanted[i] = true;
			opt->named = true;
			return 0;
		}
	}
	fprintf(stderr, "vbus-diag: can't measure \"%s\"; --help has a list\n",
		name);
	return -1;
}

/* Return: 0; 1 all is said and done; -1 and the reason is printed. */
static int parse(int argc, char **argv, struct options *opt)
{
	unsigned long cpu;
	unsigned int i;
	int c, err = 0;

	while (!err && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_DEVICE:
			opt->device = optarg;
			break;
		case OPT_COUNT:
			err = parse_number("count", optarg, 1, COUNT_MAX,
					   &opt->count);
			break;
		case OPT_BATCH:
			err = parse_number("batch", optarg, 1, BATCH_MAX,
					   &opt->batch);
			break;
		case OPT_TIME:
			err = parse_number("time", optarg, 1, TIME_MAX,
					   &opt->time);
			break;
		case OPT_CPU:
			err = parse_number("cpu", optarg, 0, CPU_SETSIZE - 1,
					   &cpu);
			opt->cpu = cpu;
			break;
		case OPT_LIST:
			opt->list = true;
			break;
		case OPT_JSON:
			opt->json = true;
			break;
		case OPT_HELP:
			print_help();
			return 1;
		case OPT_VERSION:
			printf("vbus-diag %s\n", DIAG_VERSION);
			return 1;
		default:
			fprintf(stderr, "Try vbus-diag --help.\n");
			return -1;
		}
	}
	while (!err && optind < argc)
		err = parse_kind(opt, argv[optind++]);
	for (i = 0; !opt->named && i < NR_KINDS; i++)
		opt->wanted[i] = !kinds[i].timed;
	return err;
}

static int set_cpu(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "vbus-diag: can't run on CPU %ld: %s\n", cpu,
			strerror(errno));
		return -1;
	}
	return 0;
}

/* Return: 0; -1 something was not measured. */
static int measure_device(const struct options *opt, const char *device)
{
	struct diag_result res;
	int fd, ret = 0;
	unsigned int i;

	fd = diag_open(device);
	if (fd < 0)
		return -1;
	for (i = 0; i < NR_KINDS; i++) {
		if (!opt->wanted[i])
			continue;
		if (diag_run(fd, device, &kinds[i],
			     kinds[i].timed ? opt->time : opt->count,
			     opt->batch, &res)) {
			ret = -1;
			continue;
		}
		print_result(opt->json, device, &kinds[i], &res);
		/* Among all it is no failure that there is one less. */
		if (!res.supported && opt->named)
			ret = -1;
	}
	close(fd);
	return ret;
}

static int measure_all(const struct options *opt)
{
	struct diag_device *devices;
	int i, n, ret = 0;

	n = diag_list(&devices);
	if (n < 0)
		return -1;
	if (!n && !opt->list) {
		fprintf(stderr, "vbus-diag: no device of class null that vbus-null is bound to\n");
		ret = -1;
	}
	if (!opt->list && n)
		print_begin(opt->json);
	for (i = 0; i < n; i++) {
		if (opt->list)
			printf("%s\n", devices[i].name);
		else if (measure_device(opt, devices[i].name))
			ret = -1;
	}
	if (!opt->list && n)
		print_end(opt->json);
	free(devices);
	return ret;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.count = COUNT_DEFAULT,
		.batch = BATCH_DEFAULT,
		.time = TIME_DEFAULT,
		.cpu = -1,
	};
	int ret;

	ret = parse(argc, argv, &opt);
	if (ret)
		return ret < 0 ? 2 : 0;
	if (opt.cpu >= 0 && set_cpu(opt.cpu))
		return 1;
	if (opt.list || !opt.device)
		return measure_all(&opt) ? 1 : 0;
	print_begin(opt.json);
	ret = measure_device(&opt, opt.device);
	print_end(opt.json);
	return ret ? 1 : 0;
}
