// SPDX-License-Identifier: GPL-2.0
/*
 * Results on standard output: a line each, or one JSON array.  Names are checked before
 * they come here, so there is nothing to escape.
 */
#include <stdio.h>

#include "diag.h"

static bool first;

void print_begin(bool json)
{
	first = true;
	if (json)
		printf("[");
}

/* Not before there is something to go below it. */
static void print_header(void)
{
	if (first)
		printf("%-10s %-9s %8s %10s %10s %10s %10s %10s %12s\n",
		       "DEVICE", "WHAT", "COUNT", "MIN ns", "MEDIAN ns",
		       "P99 ns", "MAX ns", "MEAN ns", "PER SECOND");
}

static void print_json(const char *device, const struct diag_kind *kind,
		       const struct diag_result *res)
{
	printf("%s\n  { \"device\": \"%s\", \"what\": \"%s\", \"supported\": %s",
	       first ? "" : ",", device, kind->name,
	       res->supported ? "true" : "false");
	if (res->supported) {
		printf(", \"count\": %llu", res->count);
		if (res->batch)
			printf(", \"batch\": %llu", res->batch);
		if (res->quantiles)
			printf(", \"min\": %llu, \"median\": %llu, \"p99\": %llu, \"max\": %llu",
			       res->min, res->median, res->p99, res->max);
		printf(", \"mean\": %llu", res->mean);
		if (res->rate)
			printf(", \"per_second\": %llu", res->per_second);
	}
	printf(" }");
}

static void print_line(const char *device, const struct diag_kind *kind,
		       const struct diag_result *res)
{
	char rate[32] = "";

	print_header();
	printf("%-10s %-9s ", device, kind->name);
	if (!res->supported) {
		printf("not supported by this transport\n");
		return;
	}
	if (res->rate)
		snprintf(rate, sizeof(rate), " %12llu", res->per_second);
	if (res->quantiles)
		printf("%8llu %10llu %10llu %10llu %10llu %10llu%s\n",
		       res->count, res->min, res->median, res->p99, res->max,
		       res->mean, rate);
	else
		printf("%8llu %10s %10s %10s %10s %10llu%s\n", res->count, "-",
		       "-", "-", "-", res->mean, rate);
}

/* At once: the next one may take its time. */
void print_result(bool json, const char *device, const struct diag_kind *kind,
		  const struct diag_result *res)
{
	if (json)
		print_json(device, kind, res);
	else
		print_line(device, kind, res);
	first = false;
	fflush(stdout);
}

void print_end(bool json)
{
	if (json)
		printf("\n]\n");
}
