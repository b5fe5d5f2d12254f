// SPDX-License-Identifier: GPL-2.0
/*
 * Traffic and ethtool for the network tests: only what they need.
 *
 * Streams carry a pseudo-random pattern that both ends compute, so the receiver
 * checks every byte. The exit status is 0 only if all was as it should be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define BLOCK		65536
#define IO_TIMEOUT	30	/* seconds without a byte */

static int usage(void)
{
	fprintf(stderr,
		"usage: nettool serve PORT                    streams, until killed\n"
		"       nettool stream ADDR PORT up|down MIB  0 MIB: until it breaks\n"
		"       nettool udp-send ADDR PORT LEN SEG N  N sends of LEN, cut to SEG by GSO\n"
		"       nettool udp-recv PORT LEN N           N datagrams of LEN\n"
		"       nettool flood ADDR PORT LEN BURST US  datagrams both ways, until killed\n"
		"       nettool stats IF [NAME]\n"
		"       nettool drvinfo|speed IF\n"
		"       nettool ring IF [RX TX]\n"
		"       nettool offload IF tso|gso|sg|txcsum|rxcsum [on|off]\n");
	return 2;
}

static int fail(const char *what)
{
	fprintf(stderr, "nettool: %s: %s\n", what, strerror(errno));
	return 1;
}

/* --- pattern --- */

static uint64_t next_word(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

static void fill(uint64_t *state, uint64_t *buf, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*buf); i++)
		buf[i] = next_word(state);
}

/* --- sockets --- */

static int open_socket(const char *addr, const char *port, int type, int passive)
{
	struct timeval limit = { .tv_sec = IO_TIMEOUT };
	struct addrinfo hints = { .ai_socktype = type,
				  .ai_family = addr ? AF_UNSPEC : AF_INET6,
				  .ai_flags = passive ? AI_PASSIVE : 0 };
	struct addrinfo *res;
	int fd, err, on = 1;

	if (getaddrinfo(addr, port, &hints, &res)) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(res->ai_family, type, 0);
	if (fd < 0)
		goto out;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (passive)
		err = bind(fd, res->ai_addr, res->ai_addrlen);
	else
		err = connect(fd, res->ai_addr, res->ai_addrlen);
	if (err) {
		err = errno;
		close(fd);
		errno = err;
		fd = -1;
	}
out:
	freeaddrinfo(res);
	return fd;
}

static int read_all(int fd, void *buf, size_t len)
{
	ssize_t n;

	for (; len; len -= n, buf = (char *)buf + n) {
		n = read(fd, buf, len);
		if (n <= 0) {
			if (!n)
				errno = ECONNRESET;
			return -1;
		}
	}
	return 0;
}

static int write_all(int fd, const void *buf, size_t len)
{
	ssize_t n;

	for (; len; len -= n, buf = (const char *)buf + n) {
		n = write(fd, buf, len);
		if (n < 0)
			return -1;
	}
	return 0;
}

/* --- streams --- */

struct request {
	uint64_t seed;
	uint64_t blocks;	/* 0: no end */
	uint64_t down;
};

static int send_pattern(int fd, const struct request *rq)
{
	static uint64_t buf[BLOCK / 8];
	uint64_t i, state = rq->seed;
	char done;

	for (i = 0; !rq->blocks || i < rq->blocks; i++) {
		fill(&state, buf, BLOCK);
		if (write_all(fd, buf, BLOCK))
			return -1;
		/* Background traffic leaves room for what it is background to. */
		if (!rq->blocks)
			usleep(20000);
	}
	/* The other end has seen and checked it all. */
	return read_all(fd, &done, 1) || done != 'k' ? -1 : 0;
}

static int recv_pattern(int fd, const struct request *rq)
{
	static uint64_t want[BLOCK / 8], got[BLOCK / 8];
	uint64_t i, state = rq->seed;

	for (i = 0; !rq->blocks || i < rq->blocks; i++) {
		if (read_all(fd, got, BLOCK))
			return -1;
		fill(&state, want, BLOCK);
		if (memcmp(want, got, BLOCK)) {
			fprintf(stderr, "nettool: wrong data in block %llu\n",
				(unsigned long long)i);
			errno = EBADMSG;
			return -1;
		}
	}
	return write_all(fd, "k", 1);
}

static int do_serve(char **arg)
{
	int fd, s = open_socket(NULL, arg[0], SOCK_STREAM, 1);
	struct request rq;

	if (s < 0 || listen(s, 8))
		return fail("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		fd = accept(s, NULL, NULL);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR)
				continue;
			return fail("accept");
		}
		if (!fork()) {
			close(s);
			if (read_all(fd, &rq, sizeof(rq)))
				return fail("serve: request");
			if (rq.down ? send_pattern(fd, &rq) :
				      recv_pattern(fd, &rq))
				return fail("serve");
			return 0;
		}
		close(fd);
	}
}

static int do_stream(char **arg)
{
	struct request rq = { .seed = 88172645463325252ULL ^ getpid() };
	struct timespec t0, t1;
	double s;
	int fd;

	rq.down = !strcmp(arg[2], "down");
	rq.blocks = strtoull(arg[3], NULL, 0) * ((1 << 20) / BLOCK);
	signal(SIGPIPE, SIG_IGN);
	fd = open_socket(arg[0], arg[1], SOCK_STREAM, 0);
	if (fd < 0)
		return fail("connect");
	clock_gettime(CLOCK_MONOTONIC, &t0);
	if (write_all(fd, &rq, sizeof(rq)))
		return fail("request");
	if (rq.down ? recv_pattern(fd, &rq) : send_pattern(fd, &rq))
		return fail("stream");
	clock_gettime(CLOCK_MONOTONIC, &t1);
	s = t1.tv_sec - t0.tv_sec + (t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("%llu bytes in %.3f s\n",
	       (unsigned long long)rq.blocks * BLOCK, s);
	return 0;
}

/* --- datagrams --- */

/* Wait until nothing that was sent is held any more, by a driver for one. */
static int drained(int fd)
{
	int i, queued;

	for (i = 0; i < IO_TIMEOUT * 100; i++) {
		if (ioctl(fd, SIOCOUTQ, &queued))
			return fail("SIOCOUTQ");
		if (!queued)
			return 0;
		usleep(10000);
	}
	fprintf(stderr, "nettool: %d bytes are not freed\n", queued);
	return 1;
}

static int do_udp_send(char **arg)
{
	int len = atoi(arg[2]), seg = atoi(arg[3]), n = atoi(arg[4]), i;
	static uint64_t buf[BLOCK / 8];
	uint64_t state = 4711;
	int fd;

	if (len <= 0 || len > BLOCK)
		return usage();
	fd = open_socket(arg[0], arg[1], SOCK_DGRAM, 0);
	if (fd < 0)
		return fail("connect");
	if (seg && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &seg, sizeof(seg)))
		return fail("UDP_SEGMENT");
	/* Every segment is the start of the same pattern. */
	fill(&state, buf, BLOCK);
	for (i = seg; seg && i + seg <= len; i += seg)
		memcpy((char *)buf + i, buf, seg);
	for (i = 0; i < n; i++)
		if (send(fd, buf, len, 0) != len)
			return fail("send");
	return drained(fd);
}

static int do_udp_recv(char **arg)
{
	int len = atoi(arg[1]), n = atoi(arg[2]), i, size = 8 << 20;
	static uint64_t want[BLOCK / 8], got[BLOCK / 8];
	int fd = open_socket(NULL, arg[0], SOCK_DGRAM, 1);
	uint64_t state = 4711;
	ssize_t ret;

	if (fd < 0)
		return fail("bind");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	fill(&state, want, BLOCK);
	printf("ready\n");
	fflush(stdout);
	for (i = 0; i < n; i++) {
		ret = recv(fd, got, sizeof(got), 0);
		if (ret < 0)
			return fail("recv");
		if (ret != len || memcmp(want, got, len)) {
			fprintf(stderr, "nettool: datagram %d: %zd bytes, or wrong data\n",
				i, ret);
			return 1;
		}
	}
	return 0;
}

/* Sends and receives whatever works; what does not is what the test is about. */
static int do_flood(char **arg)
{
	int len = atoi(arg[2]), burst = atoi(arg[3]), us = atoi(arg[4]), i;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(atoi(arg[1])) };
	int fd = open_socket("0.0.0.0", arg[1], SOCK_DGRAM, 1);
	static char buf[BLOCK];

	if (fd < 0)
		return fail("bind");
	if (len < 0 || len > BLOCK || inet_pton(AF_INET, arg[0], &to.sin_addr) != 1)
		return usage();
	for (;;) {
		for (i = 0; i < burst; i++)
			sendto(fd, buf, len, MSG_DONTWAIT,
			       (struct sockaddr *)&to, sizeof(to));
		while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
			;
		usleep(us);
	}
}

/* --- ethtool --- */

static int ethtool(const char *ifname, void *cmd)
{
	static int fd = -1;
	struct ifreq ifr = { .ifr_data = cmd };

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", ifname);
	return ioctl(fd, SIOCETHTOOL, &ifr);
}

static int do_stats(const char *ifname, const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_gstrings *str;
	struct ethtool_stats *val;
	int found = 0;
	__u32 i;

	if (ethtool(ifname, &info))
		return fail(ifname);
	str = calloc(1, sizeof(*str) + info.n_stats * ETH_GSTRING_LEN);
	val = calloc(1, sizeof(*val) + info.n_stats * sizeof(__u64));
	if (!str || !val)
		return fail("memory");
	str->cmd = ETHTOOL_GSTRINGS;
	str->string_set = ETH_SS_STATS;
	str->len = info.n_stats;
	val->cmd = ETHTOOL_GSTATS;
	val->n_stats = info.n_stats;
	if (ethtool(ifname, str) || ethtool(ifname, val))
		return fail(ifname);
	for (i = 0; i < info.n_stats; i++) {
		const char *s = (char *)str->data + i * ETH_GSTRING_LEN;

		if (!name)
			printf("%.*s %llu\n", ETH_GSTRING_LEN, s,
			       (unsigned long long)val->data[i]);
		else if (!strncmp(s, name, ETH_GSTRING_LEN))
			printf("%llu\n", (unsigned long long)val->data[i]);
		else
			continue;
		found = 1;
	}
	free(str);
	free(val);
	return !found;
}

static int do_drvinfo(const char *ifname)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	if (ethtool(ifname, &info))
		return fail(ifname);
	printf("%s %s\n", info.driver, info.bus_info);
	return 0;
}

static int do_speed(const char *ifname)
{
	struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };

	if (ethtool(ifname, &cmd))
		return fail(ifname);
	printf("%d %s\n", (int)ethtool_cmd_speed(&cmd),
	       cmd.duplex == DUPLEX_FULL ? "full" : "half");
	return 0;
}

static int do_ring(const char *ifname, char **size)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };

	if (ethtool(ifname, &ring))
		return fail(ifname);
	if (!size) {
		printf("%u %u of %u %u\n", ring.rx_pending, ring.tx_pending,
		       ring.rx_max_pending, ring.tx_max_pending);
		return 0;
	}
	ring.cmd = ETHTOOL_SRINGPARAM;
	ring.rx_pending = strtoul(size[0], NULL, 0);
	ring.tx_pending = strtoul(size[1], NULL, 0);
	return ethtool(ifname, &ring) ? fail(ifname) : 0;
}

static int do_offload(const char *ifname, const char *what, const char *value)
{
	static const struct {
		const char *name;
		__u32 get, set;
	} table[] = {
		{ "rxcsum", ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM },
		{ "txcsum", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM },
		{ "sg", ETHTOOL_GSG, ETHTOOL_SSG },
		{ "tso", ETHTOOL_GTSO, ETHTOOL_STSO },
		{ "gso", ETHTOOL_GGSO, ETHTOOL_SGSO },
	};
	struct ethtool_value v;
	unsigned int i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (strcmp(table[i].name, what))
			continue;
		v.cmd = value ? table[i].set : table[i].get;
		v.data = value && !strcmp(value, "on");
		if (ethtool(ifname, &v))
			return fail(ifname);
		if (!value)
			printf("%s\n", v.data ? "on" : "off");
		return 0;
	}
	return usage();
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	char **arg = argv + 2;
	int n = argc - 2;

	if (!strcmp(cmd, "serve") && n == 1)
		return do_serve(arg);
	if (!strcmp(cmd, "stream") && n == 4)
		return do_stream(arg);
	if (!strcmp(cmd, "udp-send") && n == 5)
		return do_udp_send(arg);
	if (!strcmp(cmd, "udp-recv") && n == 3)
		return do_udp_recv(arg);
	if (!strcmp(cmd, "flood") && n == 5)
		return do_flood(arg);
	if (!strcmp(cmd, "stats") && (n == 1 || n == 2))
		return do_stats(arg[0], n == 2 ? arg[1] : NULL);
	if (!strcmp(cmd, "drvinfo") && n == 1)
		return do_drvinfo(arg[0]);
	if (!strcmp(cmd, "speed") && n == 1)
		return do_speed(arg[0]);
	if (!strcmp(cmd, "ring") && (n == 1 || n == 3))
		return do_ring(arg[0], n == 3 ? arg + 1 : NULL);
	if (!strcmp(cmd, "offload") && (n == 2 || n == 3))
		return do_offload(arg[0], arg[1], n == 3 ? arg[2] : NULL);
	return usage();
}
