// SPDX-License-Identifier: GPL-2.0
/*
 * The driver loop of the ring benchmark: one guest thread, one host thread,
 * each pinned to a CPU of its own, and the same loop for every layout.
 *
 * The guest adds up to a batch, flushes, and reaps what has come back; the
 * host takes up to a batch, completes it and flushes. A side that finds
 * nothing to do polls, or in sleep mode asks for an event the layout's own
 * way and blocks in an eventfd. Prints nanoseconds for each operation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* The peers' layouts want these to exist. */
bool do_sleep;
bool do_relax;
bool do_exit;
int param;
unsigned int ring_size = 256;

static unsigned long ops = 1000000;
static unsigned long batch = 1;
static unsigned long outstanding;
static int guest_cpu;
static int host_cpu = 1;
static int kick_fd;
static int call_fd;
static unsigned long kicks;
static unsigned long calls;
static pthread_barrier_t start_line;

/* Each operation passes a buffer and gets this back with length - 1. */
#define BUF_LEN 1500U
static char buffer[BUF_LEN];

static void die(const char *what)
{
	fprintf(stderr, "ring bench: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void notify(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("eventfd write");
}

static void wait_for(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		die("eventfd read");
}

void kick(void)
{
	kicks++;
	notify(kick_fd);
}

void call(void)
{
	calls++;
	notify(call_fd);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	errno = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	if (errno)
		die("pin to CPU");
}

/*
 * On a machine that does other work, polling threads that take turns with it
 * measure the scheduler. A run is short, and the limit ends one that is not.
 */
static bool real_time(void)
{
	const struct rlimit limit = { 10000000, 10000000 };	/* us */
	const struct sched_param prio = { .sched_priority = 1 };

	return !setrlimit(RLIMIT_RTTIME, &limit) &&
	       !sched_setscheduler(0, SCHED_FIFO, &prio);
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("pause" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static __attribute__((__flatten__, __noinline__)) void guest_loop(void)
{
	unsigned long added, done = 0, reaped, started = 0;
	unsigned int len;
	void *buf;

	while (done < ops) {
		added = 0;
		while (added < batch && started < ops &&
		       started - done < outstanding &&
		       !add_inbuf(BUF_LEN, buffer, buffer)) {
			started++;
			added++;
		}
		if (added) {
			flush_avail();
			if (do_sleep)
				kick_available();
		}
		reaped = 0;
		/* Some peers take an entry never added for a completed one. */
		while (done + reaped < started && get_buf(&len, &buf)) {
			if (__builtin_expect(len != BUF_LEN - 1, 0)) {
				errno = EPROTO;
				die("wrong length");
			}
			reaped++;
		}
		done += reaped;
		if (added || reaped)
			continue;
		if (!do_sleep)
			while (used_empty())
				relax();
		else if (used_empty() && enable_call())
			wait_for(call_fd);
	}
}

static __attribute__((__flatten__, __noinline__)) void host_loop(void)
{
	unsigned long done = 0, taken;
	unsigned int len;
	void *buf;

	while (done < ops) {
		taken = 0;
		/* Not every peer hands len and buf on to its caller. */
		while (taken < batch && use_buf(&len, &buf))
			taken++;
		if (taken) {
			done += taken;
			flush_used();
			if (do_sleep)
				call_used();
			continue;
		}
		if (!do_sleep)
			while (avail_empty())
				relax();
		else if (avail_empty() && enable_kick())
			wait_for(kick_fd);
	}
}

static void *host_main(void *arg)
{
	pin(host_cpu);
	pthread_barrier_wait(&start_line);
	host_loop();
	return arg;
}

static unsigned long number(const char *s, unsigned long min,
			    unsigned long max)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(s, &end, 0);
	if (errno || *end || end == s || v < min || v > max) {
		fprintf(stderr, "ring bench: %s: want %lu to %lu\n", s, min,
			max);
		exit(2);
	}
	return v;
}

static void options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "b:n:o:r:g:h:s")) != -1) {
		switch (o) {
		case 'b':
			batch = number(optarg, 1, 32768);
			break;
		case 'n':
			ops = number(optarg, 1, INT_MAX);
			break;
		case 'o':
			outstanding = number(optarg, 1, 32768);
			break;
		case 'r':
			ring_size = number(optarg, 2, 32768);
			break;
		case 'g':
			guest_cpu = number(optarg, 0, CPU_SETSIZE - 1);
			break;
		case 'h':
			host_cpu = number(optarg, 0, CPU_SETSIZE - 1);
			break;
		case 's':
			do_sleep = true;
			break;
		default:
			exit(2);
		}
	}
	if (!outstanding || outstanding > ring_size)
		outstanding = ring_size;
}

int main(int argc, char **argv)
{
	pthread_t host;
	uint64_t t;
	bool rt;

	options(argc, argv);
	/* A lost wake-up must end the run, not the patience of the user. */
	alarm(60);
	rt = real_time();
	kick_fd = eventfd(0, EFD_CLOEXEC);
	call_fd = eventfd(0, EFD_CLOEXEC);
	if (kick_fd < 0 || call_fd < 0)
		die("eventfd");
	pin(guest_cpu);
	alloc_ring();
	pthread_barrier_init(&start_line, NULL, 2);
	errno = pthread_create(&host, NULL, host_main, NULL);
	if (errno)
		die("thread");
	pthread_barrier_wait(&start_line);
	t = now_ns();
	guest_loop();
	t = now_ns() - t;
	pthread_join(host, NULL);
	printf("%.3f %lu %lu %d\n", (double)t / ops, kicks, calls, rt);
	return 0;
}
