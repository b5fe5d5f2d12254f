// SPDX-License-Identifier: GPL-2.0
/*
 * The system call filter against the C library: what threads do with memory must
 * pass, and what is forbidden must not. Each case is a process of its own, since a
 * filter stays. Built without sanitizers, which replace the very malloc.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "chardev.h"
#include "seccomp.h"

#define THREADS		64	/* as many as vCPUs at most */
#define BLOCKS		200
#define BLOCK_SIZE	8000	/* as a table of addresses with many cards */

static pthread_barrier_t barrier;

void chardev_restore_terminal(void)
{
}

/* A heap grows, and shrinks when all of it is given back. */
static void *use_memory(void *opaque)
{
	char *block[BLOCKS];
	unsigned int i;

	pthread_barrier_wait(&barrier);
	for (i = 0; i < BLOCKS; i++) {
		block[i] = malloc(BLOCK_SIZE);
		if (!block[i])
			_exit(3);
		block[i][0] = 1;
	}
	pthread_barrier_wait(&barrier);
	while (i)
		free(block[--i]);
	return opaque;
}

static void memory_in_threads(void)
{
	pthread_t thread[THREADS];
	unsigned int i;

	seccomp_prepare();
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 1; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, use_memory, NULL))
			_exit(4);
	if (seccomp_start())
		_exit(5);
	use_memory(NULL);
	for (i = 1; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void open_file(void)
{
	seccomp_prepare();
	if (seccomp_start())
		_exit(5);
	open("/dev/null", O_RDONLY);
}

static int status_of(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_memory(void **state)
{
	(void)state;
	assert_int_equal(status_of(memory_in_threads), 0);
}

static void test_forbidden(void **state)
{
	(void)state;
	assert_int_equal(status_of(open_file), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
