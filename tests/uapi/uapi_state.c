// SPDX-License-Identifier: GPL-2.0
/* Results, register access, and the state a refused call must leave alone. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "uapi.h"

#define STATE_WORDS	(0x60 / 4)
#define QUEUE_WORDS	(VBUS_REG_QUEUE_STRIDE / 4)
#define NATIVE_WORDS	(0x20 / 4)

struct state {
	long pinned;
	int files;
	uint32_t regs[STATE_WORDS];
	uint32_t queues[NR_QUEUES][QUEUE_WORDS];
	struct vbus_state_device device;
	int device_ret;
	uint32_t run;
	uint32_t native[NATIVE_WORDS];
	uint64_t native_queues[NATIVE_QUEUES];
	uint64_t native_pages[NATIVE_PAGES];
};

static struct state marked;
int failures;

void result(bool ok, const char *why, const char *fmt, ...)
{
	va_list ap;

	printf("%s ", ok ? "pass" : "fail");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(ok ? "\n" : ": %s\n", why);
	if (!ok)
		failures++;
}

int call(int fd, unsigned long cmd, const void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

int reg_read(uint64_t off, void *buf, size_t len)
{
	ssize_t ret = pread(dev_fd, buf, len, off);

	return ret < 0 ? -errno : ret;
}

int reg_write(uint64_t off, uint64_t value, size_t len)
{
	uint8_t buf[64] = {};
	ssize_t ret;

	memcpy(buf, &value, sizeof(value));
	ret = pwrite(dev_fd, buf, len, off);
	return ret < 0 ? -errno : ret;
}

uint32_t reg32(uint64_t off)
{
	uint32_t value = 0xdeadbeef;

	reg_read(off, &value, sizeof(value));
	return value;
}

int attr(unsigned long cmd, uint32_t group, uint32_t nr, const void *value,
	 uint64_t *length)
{
	struct vbus_dev_attr arg = {
		.size = sizeof(arg),
		.group = group,
		.attr = nr,
		.addr = (uintptr_t)value,
		.length = *length,
	};
	int ret = call(dev_fd, cmd, &arg);

	*length = arg.length;
	return ret;
}

/* Pages pinned for this process, in KiB. */
static long pinned(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmPin: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static void state_take_native(struct state *s)
{
	unsigned int i;

	for (i = 0; i < NATIVE_WORDS; i++)
		s->native[i] = native32(4 * i);
	for (i = 0; i < NATIVE_QUEUES; i++)
		native_read(VBUS_NREG_QUEUE(i), &s->native_queues[i], 8);
	for (i = 0; i < NATIVE_PAGES; i++)
		native_read(VBUS_NREG_PAGE(i), &s->native_pages[i], 8);
}

static void state_take(struct state *s)
{
	uint64_t len = sizeof(s->device);
	unsigned int i, q;

	memset(s, 0, sizeof(*s));
	s->pinned = pinned();
	s->files = open_files();
	if (native_fd >= 0)
		state_take_native(s);
	if (dev_fd < 0)
		return;
	for (i = 0; i < STATE_WORDS; i++)
		s->regs[i] = reg32(4 * i);
	for (q = 0; q < NR_QUEUES; q++)
		for (i = 0; i < QUEUE_WORDS; i++)
			s->queues[q][i] = reg32(VBUS_REG_QUEUE(q) + 4 * i);
	s->device_ret = attr(VBUS_DEV_GET_ATTR, VBUS_GROUP_STATE,
			     VBUS_STATE_DEVICE, &s->device, &len);
	len = sizeof(s->run);
	attr(VBUS_DEV_GET_ATTR, VBUS_GROUP_STATE, VBUS_STATE_RUN, &s->run, &len);
}

void state_mark(void)
{
	state_take(&marked);
}

void refused(int want, int got, const char *fmt, ...)
{
	struct state now;
	char name[200], why[100] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	state_take(&now);
	if (got != want)
		snprintf(why, sizeof(why), "answered %d (%s)", got,
			 got < 0 ? strerrorname_np(-got) : "success");
	else if (now.pinned != marked.pinned)
		snprintf(why, sizeof(why), "pinned %ld KiB, now %ld",
			 marked.pinned, now.pinned);
	else if (now.files != marked.files)
		snprintf(why, sizeof(why), "%d files, now %d", marked.files,
			 now.files);
	else if (memcmp(&now, &marked, sizeof(now)))
		snprintf(why, sizeof(why), "registers or saved state changed");
	result(!why[0], why, "%s: %s", name,
	       want < 0 ? strerrorname_np(-want) : "no change");
}

int other_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd;
}

int closed_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	close(fd);
	return fd;
}
