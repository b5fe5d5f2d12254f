// SPDX-License-Identifier: GPL-2.0
/*
 * usage: rawfuzz INTERFACE MAC ROUNDS SEED
 *        rawfuzz tap:INTERFACE MAC ROUNDS SEED
 *
 * What a user may make the kernel send: frames to MAC, each with an offload header
 * of its own, out of a packet socket with PACKET_VNET_HDR (all it takes is
 * CAP_NET_RAW), or by way of a tap, as the network card of a nested guest does; the tap
 * is there and a port of a bridge. First
 * every header that is known to have broken a card somewhere, then ROUNDS random
 * ones: most nearly right, since the kernel refuses what is all wrong.
 *
 * Prints how many the kernel took and how many it refused. Exit status 0 if it took
 * any; what became of them is for others to find out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define GSO_UDP_L4	5	/* not in every header file */
#define LEN_MAX		66000
#define TAGS_MAX	3

/* Segments of a frame: more take the kernel long if it has to make them itself. */
#define MANY		600

struct shape {
	int len;
	int tags;
	int v6;
	int udp;
	int doff;
	int fragment;
	int extension;
};

static struct {
	struct virtio_net_hdr h;
	unsigned char f[LEN_MAX];
} __attribute__((packed)) out;

static unsigned char mac[6];
static unsigned long taken, refused;
static uint64_t state;
static int fd;

static unsigned int below(unsigned int n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state >> 33) % n;
}

static void put16(int at, unsigned int val)
{
	out.f[at] = val >> 8;
	out.f[at + 1] = val;
}

/* Headers as they should be, whether the frame is long enough for them or not.
 * Returns where the transport header is.
 */
static int put_frame(const struct shape *s)
{
	int i, l3, l4, l2 = 12;

	memset(out.f, 0, sizeof(out.f));
	memcpy(out.f, mac, 6);
	memcpy(out.f + 6, "\x02\x11\x22\x33\x44\x55", 6);
	for (i = 0; i < s->tags && i < TAGS_MAX; i++, l2 += 4) {
		put16(l2, i + 1 < s->tags ? ETH_P_8021AD : ETH_P_8021Q);
		put16(l2 + 2, 5 + i);
	}
	put16(l2, s->v6 ? ETH_P_IPV6 : ETH_P_IP);
	l3 = l2 + 2;
	if (s->v6) {
		l4 = l3 + 40;
		out.f[l3] = 0x60;
		put16(l3 + 4, s->len - l4);
		out.f[l3 + 6] = s->udp ? 17 : 6;
		out.f[l3 + 7] = 64;
		memcpy(out.f + l3 + 8, "\xfd\7", 2);
		out.f[l3 + 23] = 2;
		memcpy(out.f + l3 + 24, "\xfd\7", 2);
		out.f[l3 + 39] = 1;
		if (s->extension || s->fragment) {
			out.f[l4] = out.f[l3 + 6];
			out.f[l3 + 6] = s->fragment ? 44 : 60;
			put16(l4 + 2, s->fragment == 2 ? 8 : 1);
			l4 += 8;
		}
	} else {
		l4 = l3 + 20;
		out.f[l3] = 0x45;
		put16(l3 + 2, s->len - l3);
		put16(l3 + 6, s->fragment == 2 ? 1 : s->fragment ? 0x2000 :
								   0x4000);
		out.f[l3 + 8] = 64;
		out.f[l3 + 9] = s->udp ? 17 : 6;
		memcpy(out.f + l3 + 12, "\12\7\0\2\12\7\0\1", 8);
	}
	put16(l4, 40000);
	put16(l4 + 2, 9999);
	if (s->udp)
		put16(l4 + 4, s->len - l4);
	else
		out.f[l4 + 12] = s->doff << 4;
	return l4;
}

/* A header for that frame as it should be, with or without segments. */
static void put_header(const struct shape *s, int l4, int size)
{
	memset(&out.h, 0, sizeof(out.h));
	out.h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	out.h.csum_start = l4;
	out.h.csum_offset = s->udp ? 6 : 16;
	if (!size)
		return;
	out.h.gso_type = s->udp ? GSO_UDP_L4 :
			 s->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
				 VIRTIO_NET_HDR_GSO_TCPV4;
	out.h.gso_size = size;
	out.h.hdr_len = l4 + (s->udp ? 8 : 4 * s->doff);
}

static void emit(int len)
{
	ssize_t n = write(fd, &out, sizeof(out.h) + len);

	if (n >= 0) {
		taken++;
		return;
	}
	refused++;
	if (errno == ENETDOWN || errno == ENXIO || errno == EBADFD) {
		perror("rawfuzz");
		exit(1);
	}
}

/* One thing wrong with each. */
static void emit_known(void)
{
	struct shape s = { .len = 2000, .doff = 5 };
	int i, l4, udp, v6;

	for (i = 0; i < 80; i++) {	/* the sum begins anywhere */
		l4 = put_frame(&s);
		put_header(&s, l4, 0);
		out.h.csum_start = i;
		emit(100);
		put_header(&s, l4, 500);
		out.h.csum_start = i;
		emit(s.len);
	}
	for (i = 0; i < 16; i++) {	/* TCP headers of every length */
		s.doff = i;
		for (s.len = 54; s.len < 130; s.len += 5) {
			l4 = put_frame(&s);
			put_header(&s, l4, 1);
			out.h.hdr_len = 54;
			emit(s.len);
		}
	}
	s.doff = 5;
	for (i = 0; i < 4; i++) {	/* segments of every size */
		static const int sizes[] = { 1, 2, 7, 8, 36, 48, 500, 1460,
					     65534, 65535 };
		static const int lens[] = { 300, 2000, 30000, 65000, 65535,
					    65549 };
		unsigned int n, m;

		udp = i & 1;
		v6 = i >> 1;
		s.udp = udp;
		s.v6 = v6;
		for (n = 0; n < sizeof(sizes) / sizeof(*sizes); n++)
			for (m = 0; m < sizeof(lens) / sizeof(*lens); m++) {
				s.len = lens[m];
				/* Thousands of frames each: a few will do. */
				if (sizes[n] > 1 && s.len / sizes[n] > MANY)
					continue;
				l4 = put_frame(&s);
				put_header(&s, l4, sizes[n]);
				emit(s.len);
				if (s.len / sizes[n] > MANY)
					break;
				/* The sum is done, or nobody says so. */
				out.h.flags = 0;
				emit(s.len);
				out.h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
				emit(s.len);
				out.h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
				out.h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
				emit(s.len);
			}
		for (s.fragment = 1; s.fragment < 3; s.fragment++) {
			s.len = 3000;
			l4 = put_frame(&s);
			put_header(&s, l4, 1000);
			emit(s.len);
		}
		s.fragment = 0;
		/* The other protocol, the other address family. */
		s.len = 3000;
		l4 = put_frame(&s);
		s.udp = !udp;
		put_header(&s, l4, 1000);
		emit(s.len);
		s.udp = udp;
		s.v6 = !v6;
		put_header(&s, l4, 1000);
		emit(s.len);
	}
}

static void emit_random(void)
{
	static const int lens[] = { 14, 15, 33, 34, 42, 54, 60, 74, 128, 256,
				    1514, 1518, 4096, 9014, 65000, 65549 };
	struct shape s = {
		.tags = below(4) ? 0 : below(TAGS_MAX + 1),
		.v6 = below(2),
		.udp = below(2),
		.doff = below(6) ? 5 + below(6) : below(16),
		.fragment = below(12) ? 0 : 1 + below(2),
		.extension = !below(6),
	};
	int l4, size = 0;

	s.len = below(3) ? 14 + (int)below(3000) :
			   lens[below(sizeof(lens) / sizeof(*lens))];
	if (below(3))
		size = below(3) ? 200 + below(1300) :
		       s.len / MANY + 1 + below(60);
	l4 = put_frame(&s);
	put_header(&s, l4, size);
	while (!below(2)) {
		switch (below(8)) {
		case 0:
			out.h.flags = below(4);
			break;
		case 1:
			out.h.gso_type = below(8) | (below(3) ? 0 : 0x80);
			break;
		case 2:
			out.h.gso_size = s.len / MANY + below(65536);
			break;
		case 3:
			out.h.hdr_len = below(s.len + 20);
			break;
		case 4:
			out.h.csum_start = below(4) ? below(80) :
						      below(s.len + 20);
			break;
		case 5:
			out.h.csum_offset = below(4) ? below(40) :
						       below(s.len + 20);
			break;
		default:
			out.f[12 + below(80)] = below(256);
		}
	}
	emit(s.len);
}

/* A bridge takes nothing from a port that it has not looked at. */
static void wait_forwarding(const char *name)
{
	char path[64], state = 0;
	int i, f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/brport/state", name);
	for (i = 0; i < 1000 && state != '3'; i++) {
		f = open(path, O_RDONLY);
		if (f < 0 || read(f, &state, 1) != 1) {
			perror(path);
			exit(1);
		}
		close(f);
		usleep(20000);
	}
	if (state != '3') {
		fprintf(stderr, "%s does not forward\n", name);
		exit(1);
	}
}

/* An interface that is a port of a bridge. */
static int open_tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int tap = open("/dev/net/tun", O_RDWR);

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &r)) {
		perror(name);
		exit(1);
	}
	wait_forwarding(name);
	return tap;
}

static int open_packet(const char *name, int seed)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_ifindex = if_nametoindex(name),
	};
	int s = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (s < 0 || bind(s, (void *)&a, sizeof(a)) ||
	    setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    /* Past the queueing discipline, or not. */
	    (seed & 1 && setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &on,
				    sizeof(on)))) {
		perror(name);
		exit(1);
	}
	return s;
}

int main(int argc, char **argv)
{
	unsigned int m[6];
	int i, rounds;

	if (argc != 5 || sscanf(argv[2], "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2,
				m + 3, m + 4, m + 5) != 6) {
		fprintf(stderr, "usage: rawfuzz [tap:]INTERFACE MAC ROUNDS SEED\n");
		return 2;
	}
	for (i = 0; i < 6; i++)
		mac[i] = m[i];
	rounds = atoi(argv[3]);
	state = atoi(argv[4]);
	if (!strncmp(argv[1], "tap:", 4))
		fd = open_tap(argv[1] + 4);
	else
		fd = open_packet(argv[1], atoi(argv[4]));
	emit_known();
	for (i = 0; i < rounds; i++)
		emit_random();
	printf("%lu taken, %lu refused\n", taken, refused);
	return !taken;
}
