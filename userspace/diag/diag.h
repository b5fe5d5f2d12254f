/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vbus-diag: devices and measurements, as vbus-null shows them in debugfs.
 */
#ifndef VBUS_DIAG_H
#define VBUS_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#define DIAG_DIR	"/sys/kernel/debug/vbus"

/* "vbus", two numbers, a dash and the end. */
#define DIAG_NAME	32

/* A device that can be measured. */
struct diag_device {
	char name[DIAG_NAME];
};

/**
 * struct diag_kind - something that can be measured
 * @name: on the command line, and to the driver
 * @help: a line about it
 * @batches: takes a size of batches
 * @timed: takes ms instead of a count, and is run only if it is asked for
 */
struct diag_kind {
	const char *name;
	const char *help;
	bool batches;
	bool timed;
};

/**
 * struct diag_result - what the driver says; times in ns
 * @supported: the transport has it; if not nothing else is said
 * @count: measurements, or chains
 * @batch: size of batches, or 0
 * @quantiles: there are @min to @max
 * @min: shortest
 * @median: half took no longer
 * @p99: 99 of 100 took no longer
 * @max: longest
 * @mean: of all, or for one chain
 * @rate: there is @per_second
 * @per_second: chains
 */
struct diag_result {
	bool supported;
	unsigned long long count;
	unsigned long long batch;
	bool quantiles;
	unsigned long long min;
	unsigned long long median;
	unsigned long long p99;
	unsigned long long max;
	unsigned long long mean;
	bool rate;
	unsigned long long per_second;
};

/* device.c */
int diag_list(struct diag_device **devices);
int diag_open(const char *device);
int diag_run(int run, const char *device, const struct diag_kind *kind,
	     unsigned long count, unsigned long batch, struct diag_result *res);

/* print.c */
void print_begin(bool json);
void print_result(bool json, const char *device, const struct diag_kind *kind,
		  const struct diag_result *res);
void print_end(bool json);

#endif /* VBUS_DIAG_H */
