// SPDX-License-Identifier: GPL-2.0
/*
 * Loads drivers by modalias in the guest: first for all devices that are there, then,
 * as a daemon, for each that comes. Distribution kernels have no uevent helper, and a
 * shell started for every event would keep a slow guest busy. One modprobe at a time:
 * busybox's does not wait for a module that another one is just loading.
 */
#include <fcntl.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALIASES	256
#define EVENT_SIZE 8192

static char *argv_probe[ALIASES + 4] = { "modprobe", "-q", "-a" };
static int aliases;

static void probe(void)
{
	pid_t pid = fork();

	if (!pid) {
		execv("/sbin/modprobe", argv_probe);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void alias_add(const char *alias)
{
	for (int i = 0; i < aliases; i++)
		if (!strcmp(argv_probe[3 + i], alias))
			return;
	if (aliases < ALIASES)
		argv_probe[3 + aliases++] = strdup(alias);
	argv_probe[3 + aliases] = NULL;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char alias[1024];
	FILE *f;

	(void)st;
	if (type != FTW_F || strcmp(path + ftw->base, "modalias"))
		return 0;
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fgets(alias, sizeof(alias), f)) {
		alias[strcspn(alias, "\n")] = '\0';
		alias_add(alias);
	}
	fclose(f);
	return 0;
}

static void event(const char *text, size_t len)
{
	const char *alias = NULL;
	int add = 0;

	for (const char *p = text; p < text + len; p += strlen(p) + 1) {
		add |= !strcmp(p, "ACTION=add");
		if (!strncmp(p, "MODALIAS=", 9))
			alias = p + 9;
	}
	if (!add || !alias)
		return;
	argv_probe[3] = (char *)alias;
	argv_probe[4] = NULL;
	probe();
}

int main(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	int room = 4 << 20;
	char text[EVENT_SIZE + 1];
	ssize_t n;

	/* Listen first, so that what comes while others are looked at is not missed. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&nl, sizeof(nl))) {
		perror("hotplug");
		return 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	nftw("/sys/devices", visit, 32, FTW_PHYS);
	if (aliases)
		probe();
	if (daemon(0, 1)) {
		perror("hotplug");
		return 1;
	}
	for (;;) {
		n = recv(fd, text, EVENT_SIZE, 0);
		if (n > 0) {
			text[n] = '\0';
			event(text, n);
		}
	}
}
