// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "null": measurements that are killed, hosts that lie, devices
 * that go while one runs, and allocations that fail.
 */
#include <linux/delay.h>
#include <linux/kmod.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include "fault.h"
#include "null_card.h"

#define RUN	"/sys/kernel/debug/vbus/vbus90-5/run"

/* --- a thread that measures --- */

struct runner {
	struct fake_dev *fake;
	const char *line;
	bool shell;
	struct task_struct *task;
	struct completion done;
	int ret;
};

/* What a program does, which removal has to wait for. */
static int shell_run(const char *line)
{
	char shell[] = "/bin/sh", option[] = "-c", text[128];
	char *argv[4] = { shell, option, text, NULL };
	char *envp[1] = { NULL };

	snprintf(text, sizeof(text), "echo %s > " RUN, line);
	return call_usermodehelper(shell, argv, envp, UMH_WAIT_PROC);
}

static int runner_fn(void *arg)
{
	struct runner *r = arg;

	allow_kernel_signal(SIGKILL);
	r->ret = r->shell ? shell_run(r->line) : command(r->fake, r->line);
	complete(&r->done);
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

/* It has added a chain when this returns, and waits. */
static struct runner *runner_start(struct kunit *test, struct fake_dev *fake,
				   const char *line, bool shell)
{
	struct runner *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	unsigned int kicks = fake->kicks[0];
	int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->fake = fake;
	r->line = line;
	r->shell = shell;
	init_completion(&r->done);
	r->task = kthread_run(runner_fn, r, "vbus-kunit-runner");
	KUNIT_ASSERT_FALSE(test, IS_ERR(r->task));
	for (i = 0; i < 250 && READ_ONCE(fake->kicks[0]) == kicks; i++)
		msleep(20);
	KUNIT_EXPECT_NE(test, fake->kicks[0], kicks);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, completion_done(&r->done));
	return r;
}

static int runner_end(struct kunit *test, struct runner *r)
{
	if (!wait_for_completion_timeout(&r->done, 5 * HZ)) {
		KUNIT_FAIL(test, "it still runs");
		send_sig(SIGKILL, r->task, 1);
	}
	kthread_stop(r->task);
	return r->ret;
}

/* The host keeps chains: a run can be killed, and the next one copes with that. */
static void test_killed(struct kunit *test)
{
	static const char *const lines[] = { "signal 5", "ring 100 10" };
	struct fake_dev *fake = start(test);
	struct runner *r;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		fake->kick = NULL;
		r = runner_start(test, fake, lines[i], false);
		KUNIT_EXPECT_EQ(test, -EBUSY, command(fake, "register 1"));
		/* For nothing. */
		fake_signal(fake, 1);
		msleep(50);
		KUNIT_EXPECT_FALSE(test, completion_done(&r->done));
		send_sig(SIGKILL, r->task, 1);
		KUNIT_EXPECT_EQ(test, -EINTR, runner_end(test, r));
		expect_no_result(test, fake);
		KUNIT_EXPECT_NE(test, 0U,
				ioq_north_outstanding(&nd_of(fake)->vq->ring));
		/* They come back only now. */
		fake->kick = serve;
		fake_serve(fake, 0, 0);
		KUNIT_EXPECT_EQ(test, 0, command(fake, lines[i]));
	}
	expect_samples(test, fake, "ring", 100);
	/* And if they do not come back at all, the driver leaves them. */
	fake->kick = NULL;
	r = runner_start(test, fake, lines[0], false);
	send_sig(SIGKILL, r->task, 1);
	KUNIT_EXPECT_EQ(test, -EINTR, runner_end(test, r));
	fake_unregister(fake, false);
}

/* --- hosts that lie --- */

static u32 lie_len, lie_id;

static void lie(struct fake_dev *fake, u32 q)
{
	struct ioq_south *south = &fake->south[q];
	struct ioq_chain chain;
	struct ioq_seg seg;

	if (ioq_south_get(south, &seg, 1, &chain, NULL, NULL) != 1)
		return;
	ioq_south_complete(south, chain.id ^ lie_id, lie_len);
	ioq_south_publish(south);
	fake_signal(fake, 1);
}

static void test_lies(struct kunit *test)
{
	static const char *const lines[] = { "signal 5", "ring 5 1", "flood 5000" };
	struct fake_dev *fake = null_device(test);
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(lines); i++) {
		lie_len = i % 2;
		lie_id = !lie_len;
		start_device(test, fake);
		fake->kick = lie;
		KUNIT_EXPECT_EQ(test, -EIO, command(fake, lines[i / 2]));
		expect_no_result(test, fake);
		/* For good, until it is bound again. */
		KUNIT_EXPECT_EQ(test, -EIO, command(fake, "signal 1"));
		fake_unregister(fake, false);
		fake->kick = serve;
		start_device(test, fake);
		KUNIT_EXPECT_EQ(test, 0, command(fake, "signal 1"));
		fake_unregister(fake, false);
	}
}

/* --- devices that go --- */

static unsigned int last_breath;
static bool stops;

/* Serves a few times, then the device is gone, or has stopped, and says so. */
static void leave(struct fake_dev *fake, u32 q)
{
	if (last_breath && --last_breath) {
		serve(fake, q);
		return;
	}
	if (stops)
		fake_set32(fake, VBUS_REG_STATUS,
			   fake_get32(fake, VBUS_REG_STATUS) |
			   VBUS_STATUS_NEEDS_RESET);
	else
		fake->dead = true;
	fake_signal(fake, 0);
}

static void test_gone(struct kunit *test)
{
	static const char *const lines[] = {
		"kick 1000000", "signal 1000", "ring 1000 16", "flood 60000",
	};
	struct fake_dev *fake = null_device(test);
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(lines); i++) {
		stops = i % 2;
		last_breath = 10;
		start_device(test, fake);
		fake->kick = leave;
		KUNIT_EXPECT_EQ_MSG(test, -ENODEV, command(fake, lines[i / 2]),
				    "%s", lines[i / 2]);
		expect_no_result(test, fake);
		KUNIT_EXPECT_EQ(test, -ENODEV, command(fake, "register 1"));
		KUNIT_EXPECT_EQ(test, -ENODEV, command(fake, "flood 10"));
		fake_unregister(fake, !stops);
		fake->dead = false;
	}
}

static int leave_measure(struct fake_dev *fake, enum vproxy_measure what)
{
	leave(fake, 0);
	return 0;
}

static void test_gone_calls(struct kunit *test)
{
	struct fake_dev *fake = start(test);

	stops = false;
	last_breath = 10;
	fake->measure = leave_measure;
	KUNIT_EXPECT_EQ(test, -ENODEV, command(fake, "call 1000000"));
	fake_unregister(fake, true);
	fake->dead = false;
	start_device(test, fake);
	fake->fail_access = 5;
	fake->fail_errno = -ENODEV;
	KUNIT_EXPECT_EQ(test, -ENODEV, command(fake, "register 1000"));
	KUNIT_EXPECT_EQ(test, -ENODEV, command(fake, "idle 1"));
}

/* The driver goes while a program measures, and waits for it. */
static void test_remove(struct kunit *test)
{
	static const char *const lines[] = { "signal 5", "ring 5", "flood 60000" };
	struct fake_dev *fake = null_device(test);
	struct runner *r;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(lines); i++) {
		start_device(test, fake);
		fake->kick = NULL;
		r = runner_start(test, fake, lines[i / 2], true);
		fake->dead = i % 2;
		fake_unregister(fake, i % 2);
		fake->dead = false;
		KUNIT_EXPECT_NE(test, 0, runner_end(test, r));
	}
}

/* --- failing allocations --- */

/* Each allocation of a probe fails in turn, those of debugfs too. */
static void test_faults(struct kunit *test)
{
	struct fake_dev *fake = null_device(test);
	unsigned int n, failed = 0;
	int err;

	fault_setup(test);
	for (n = 1; n < FAULT_MAX; n++) {
		bool hit;

		fault_arm(n);
		err = fake_register(fake);
		hit = fault_disarm();
		failed += hit && !fake->vdev.dev.driver;
		if (err)
			continue;
		fake_unregister(fake, false);
		if (!hit)
			break;
	}
	KUNIT_EXPECT_LT(test, n, (unsigned int)FAULT_MAX);
	KUNIT_EXPECT_GT(test, failed, 3U);
}

static struct kunit_case null_cases[] = {
	KUNIT_CASE(test_killed),
	KUNIT_CASE(test_lies),
	KUNIT_CASE(test_gone),
	KUNIT_CASE(test_gone_calls),
	KUNIT_CASE(test_remove),
	KUNIT_CASE(test_faults),
	{}
};

static struct kunit_suite null_suite = {
	.name = "vbus_null_end",
	.init = null_init,
	.exit = null_exit,
	.test_cases = null_cases,
};

kunit_test_suite(null_suite);
