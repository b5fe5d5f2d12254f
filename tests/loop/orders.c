// SPDX-License-Identifier: GPL-2.0
/*
 * For tests of many steps, which would take most of their time to start programs:
 * one process that does what a shell can't do by itself, as it is told on standard
 * input, and one that reads random numbers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PING_TIMEOUT	300	/* ms; who asks tries again */

static int usage(void)
{
	fprintf(stderr,
		"usage: orders do    orders on standard input, see do_orders()\n"
		"       orders rng   read /dev/hwrng, until killed\n");
	return 2;
}

static int fail(const char *what)
{
	fprintf(stderr, "orders: %s: %s\n", what, strerror(errno));
	return 1;
}

static int interface_up(const char *ifname, const char *addr, const char *peer,
			const char *mac)
{
	struct sockaddr_in *sin;
	struct ifreq ifr = { 0 };
	struct arpreq arp = { 0 };
	unsigned char *hw = (unsigned char *)arp.arp_ha.sa_data;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err = 1;

	if (fd < 0)
		return fail("socket");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", ifname);
	sin = (struct sockaddr_in *)&ifr.ifr_addr;
	sin->sin_family = AF_INET;
	if (inet_pton(AF_INET, addr, &sin->sin_addr) != 1 ||
	    ioctl(fd, SIOCSIFADDR, &ifr))
		goto out;
	inet_pton(AF_INET, "255.255.255.0", &sin->sin_addr);
	if (ioctl(fd, SIOCSIFNETMASK, &ifr))
		goto out;
	memset(&ifr.ifr_ifru, 0, sizeof(ifr.ifr_ifru));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		goto out;
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		goto out;
	sin = (struct sockaddr_in *)&arp.arp_pa;
	sin->sin_family = AF_INET;
	arp.arp_ha.sa_family = ARPHRD_ETHER;
	arp.arp_flags = ATF_PERM | ATF_COM;
	snprintf(arp.arp_dev, sizeof(arp.arp_dev), "%.15s", ifname);
	if (inet_pton(AF_INET, peer, &sin->sin_addr) != 1 ||
	    sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &hw[0], &hw[1], &hw[2],
		   &hw[3], &hw[4], &hw[5]) != 6 || ioctl(fd, SIOCSARP, &arp))
		goto out;
	err = 0;
out:
	if (err)
		fail(ifname);
	close(fd);
	return err;
}

static unsigned short checksum(const void *data, size_t len)
{
	const unsigned short *p = data;
	unsigned int sum = 0;

	for (; len; len -= 2)
		sum += *p++;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

/* One echo and its answer; quiet, as the first ones may well be lost. */
static int ping(const char *addr)
{
	static int fd = -1;
	static unsigned short seq;
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct icmphdr req = { .type = ICMP_ECHO };
	struct pollfd pfd;
	unsigned char buf[2048];
	const struct icmphdr *ans;
	ssize_t n;

	if (fd < 0)
		fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (fd < 0 || inet_pton(AF_INET, addr, &to.sin_addr) != 1)
		return fail(addr);
	req.un.echo.id = htons(getpid() & 0xffff);
	req.un.echo.sequence = htons(++seq);
	req.checksum = checksum(&req, sizeof(req));
	if (sendto(fd, &req, sizeof(req), 0, (struct sockaddr *)&to,
		   sizeof(to)) != sizeof(req))
		return 1;
	pfd.fd = fd;
	pfd.events = POLLIN;
	while (poll(&pfd, 1, PING_TIMEOUT) == 1) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		ans = (const struct icmphdr *)(buf + (buf[0] & 15) * 4);
		if (n >= (ssize_t)((buf[0] & 15) * 4 + sizeof(*ans)) &&
		    ans->type == ICMP_ECHOREPLY &&
		    ans->un.echo.id == req.un.echo.id &&
		    ans->un.echo.sequence == req.un.echo.sequence)
			return 0;
	}
	return 1;
}

/*
 * Orders, one a line, each answered by its status:
 *	ln TARGET LINK | rm LINK | mkdir DIR | rmdir DIR | ping ADDR |
 *	up IF ADDR PEER PEERMAC
 */
static int do_orders(void)
{
	char line[512], cmd[8], a[200], b[200], c[32], d[32];
	int n, ret;

	while (fgets(line, sizeof(line), stdin)) {
		n = sscanf(line, "%7s %199s %199s %31s %31s", cmd, a, b, c, d);
		if (n == 3 && !strcmp(cmd, "ln"))
			ret = symlink(a, b) ? fail(b) : 0;
		else if (n == 2 && !strcmp(cmd, "rm"))
			ret = unlink(a) ? fail(a) : 0;
		else if (n == 2 && !strcmp(cmd, "mkdir"))
			ret = mkdir(a, 0755) ? fail(a) : 0;
		else if (n == 2 && !strcmp(cmd, "rmdir"))
			ret = rmdir(a) ? fail(a) : 0;
		else if (n == 2 && !strcmp(cmd, "ping"))
			ret = ping(a);
		else if (n == 5 && !strcmp(cmd, "up"))
			ret = interface_up(a, b, c, d);
		else
			ret = usage();
		printf("%d\n", ret);
		fflush(stdout);
	}
	return 0;
}

/* Reads from whatever source there is; often there is none. */
static int do_rng(void)
{
	int fd = open("/dev/hwrng", O_RDONLY);
	char buf[64];

	if (fd < 0)
		return fail("/dev/hwrng");
	for (;;) {
		if (read(fd, buf, sizeof(buf)) < 0 && errno != ENODEV)
			fail("/dev/hwrng");
		usleep(5000);
	}
}

int main(int argc, char **argv)
{
	const char *cmd = argc == 2 ? argv[1] : "";

	if (!strcmp(cmd, "do"))
		return do_orders();
	if (!strcmp(cmd, "rng"))
		return do_rng();
	return usage();
}
