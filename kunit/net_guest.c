// SPDX-License-Identifier: GPL-2.0
/*
 * The guest of net_guest.h.  Cases run one at a time, so it has no locks.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/if_vlan.h>
#include <linux/io.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/umh.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <vbus/memory.h>
#include "net_guest.h"

#define NET_GUEST_ROOT	"/sys/kernel/config/vbus/"

int net_guest_shell(const char *command)
{
	char shell[] = "/bin/sh", option[] = "-c";
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *envp[2] = { path, NULL };
	char *argv[4] = { shell, option, NULL, NULL };
	int ret;

	argv[2] = kasprintf(GFP_KERNEL, "cd " NET_GUEST_ROOT " && %s", command);
	if (!argv[2])
		return -ENOMEM;
	ret = call_usermodehelper(shell, argv, envp, UMH_WAIT_PROC);
	kfree(argv[2]);
	return ret < 0 ? ret : ret >> 8;
}
EXPORT_SYMBOL_GPL(net_guest_shell);

static struct file *net_guest_open(const char *path, int flags)
{
	struct file *file;
	char *full;

	full = kasprintf(GFP_KERNEL, NET_GUEST_ROOT "%s", path);
	if (!full)
		return ERR_PTR(-ENOMEM);
	file = filp_open(full, flags, 0);
	kfree(full);
	return file;
}

int net_guest_write(const char *path, const char *value)
{
	struct file *file = net_guest_open(path, O_WRONLY);
	loff_t pos = 0;
	ssize_t ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = kernel_write(file, value, strlen(value), &pos);
	filp_close(file, NULL);
	return ret < 0 ? ret : 0;
}
EXPORT_SYMBOL_GPL(net_guest_write);

int net_guest_read(const char *path, char *text, size_t size)
{
	struct file *file = net_guest_open(path, O_RDONLY);
	loff_t pos = 0;
	ssize_t ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = kernel_read(file, text, size - 1, &pos);
	filp_close(file, NULL);
	if (ret < 0)
		return ret;
	text[ret] = '\0';
	return 0;
}
EXPORT_SYMBOL_GPL(net_guest_read);

u64 net_guest_stat(struct net_guest *g, const char *name)
{
	char *text = kunit_kzalloc(g->test, PAGE_SIZE, GFP_KERNEL);
	char *pos = text, *line;
	u64 val = U64_MAX;

	KUNIT_ASSERT_NOT_NULL(g->test, text);
	KUNIT_ASSERT_EQ(g->test, 0, net_guest_read("devices/net.kt0/stats",
						   text, PAGE_SIZE));
	while ((line = strsep(&pos, "\n"))) {
		char *num = strchr(line, ' ');

		if (!num)
			continue;
		*num++ = '\0';
		if (!strcmp(line, name) && kstrtou64(num, 10, &val))
			val = U64_MAX;
	}
	kunit_kfree(g->test, text);
	KUNIT_EXPECT_NE_MSG(g->test, val, U64_MAX, "no counter %s", name);
	return val;
}
EXPORT_SYMBOL_GPL(net_guest_stat);

/* Frames the host end sends come by here as well; they are not wanted. */
static int net_guest_tap(struct sk_buff *skb, struct net_device *ndev,
			 struct packet_type *tap, struct net_device *orig)
{
	struct net_guest *g = container_of(tap, struct net_guest, tap);

	/* The stack has it too. */
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return 0;
	if (skb->pkt_type == PACKET_OUTGOING)
		kfree_skb(skb);
	else
		skb_queue_tail(&g->seen, skb);
	return 0;
}

static void net_guest_event(void *priv)
{
}

static const struct vbus_session_ops net_guest_ops = {
	.event_pending = net_guest_event,
};

static void net_guest_attach(struct net_guest *g)
{
	struct kunit *test = g->test;
	struct vbus_session *session;
	struct vbus_conn *conn;
	struct vbus_mem *mem;

	mem = vbus_mem_create_direct();
	KUNIT_ASSERT_FALSE(test, IS_ERR(mem));
	session = vbus_session_open("kt", mem, &net_guest_ops, g);
	if (IS_ERR(session))
		vbus_mem_destroy(mem);
	KUNIT_ASSERT_FALSE(test, IS_ERR(session));
	g->session = session;
	conn = vbus_conn_open(session, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(conn));
	g->conn = conn;
}

/* No merging of frames, and none but ours. */
static void net_guest_quiet(struct net_guest *g)
{
	net_guest_shell("echo 1 > /proc/sys/net/ipv6/conf/vkt0/disable_ipv6");
	rtnl_lock();
	g->ndev->wanted_features &= ~NETIF_F_GRO;
	netdev_update_features(g->ndev);
	rtnl_unlock();
	g->tap.type = htons(ETH_P_ALL);
	g->tap.dev = g->ndev;
	g->tap.func = net_guest_tap;
	dev_add_pack(&g->tap);
}

struct net_guest *net_guest_create(struct kunit *test, const char *queues)
{
	struct net_guest *g = kzalloc(sizeof(*g), GFP_KERNEL);
	int ret;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->test = test;
	skb_queue_head_init(&g->seen);
	test->priv = g;
	g->buf = alloc_pages_exact(NET_GUEST_BUF, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, g->buf);
	for (i = 0; i < NET_GUEST_QUEUES; i++) {
		g->q[i].area = alloc_pages_exact(ioq_bytes(NET_GUEST_RING_MAX),
						 GFP_KERNEL);
		g->q[i].state =
			kzalloc(ioq_north_state_bytes(NET_GUEST_RING_MAX),
				GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, g->q[i].area);
		KUNIT_ASSERT_NOT_NULL(test, g->q[i].state);
	}

	ret = net_guest_shell("mkdir devices/net.kt0 buses/kt buses/kt/slots/1");
	KUNIT_ASSERT_EQ(test, 0, ret);
	KUNIT_ASSERT_EQ(test, 0, net_guest_write("devices/net.kt0/ifname",
						 "vkt0"));
	KUNIT_ASSERT_EQ(test, 0, net_guest_write("devices/net.kt0/queues",
						 queues));
	KUNIT_ASSERT_EQ(test, 0, net_guest_write("devices/net.kt0/enable",
						 "1"));
	ret = net_guest_shell("ln -s $PWD/devices/net.kt0 buses/kt/slots/1/device");
	KUNIT_ASSERT_EQ(test, 0, ret);
	g->ndev = dev_get_by_name(&init_net, "vkt0");
	KUNIT_ASSERT_NOT_NULL(test, g->ndev);
	net_guest_quiet(g);
	net_guest_attach(g);
	return g;
}
EXPORT_SYMBOL_GPL(net_guest_create);

void net_guest_destroy(struct net_guest *g)
{
	u32 i;

	if (!g)
		return;
	if (g->conn)
		vbus_conn_close(g->conn);
	if (g->session)
		vbus_session_close(g->session);
	if (g->tap.func)
		dev_remove_pack(&g->tap);
	if (g->ndev)
		dev_put(g->ndev);
	skb_queue_purge(&g->seen);
	net_guest_shell("rm -f buses/kt/slots/1/device");
	net_guest_shell("rmdir buses/kt/slots/1 buses/kt devices/net.kt0");
	for (i = 0; i < NET_GUEST_QUEUES; i++) {
		if (g->q[i].area)
			free_pages_exact(g->q[i].area,
					 ioq_bytes(NET_GUEST_RING_MAX));
		kfree(g->q[i].state);
	}
	if (g->buf)
		free_pages_exact(g->buf, NET_GUEST_BUF);
	kfree(g);
}
EXPORT_SYMBOL_GPL(net_guest_destroy);

u32 net_guest_reg(struct net_guest *g, u32 off)
{
	__le32 val = 0;

	KUNIT_EXPECT_EQ(g->test, 0, vbus_conn_read(g->conn, off, &val, 4));
	return le32_to_cpu(val);
}
EXPORT_SYMBOL_GPL(net_guest_reg);

int net_guest_set(struct net_guest *g, u32 off, u32 val)
{
	__le32 word = cpu_to_le32(val);

	return vbus_conn_write(g->conn, off, &word, 4);
}
EXPORT_SYMBOL_GPL(net_guest_set);

static int net_guest_set64(struct net_guest *g, u32 off, u64 val)
{
	__le64 word = cpu_to_le64(val);

	return vbus_conn_write(g->conn, off, &word, 8);
}

void net_guest_config(struct net_guest *g, struct vbus_net_config *config)
{
	KUNIT_EXPECT_EQ(g->test, 0, vbus_conn_read(g->conn, VBUS_REG_CONFIG,
						   config, sizeof(*config)));
}
EXPORT_SYMBOL_GPL(net_guest_config);

bool net_guest_broken(struct net_guest *g)
{
	return net_guest_reg(g, VBUS_REG_STATUS) & VBUS_STATUS_NEEDS_RESET;
}
EXPORT_SYMBOL_GPL(net_guest_broken);

static void net_guest_signal(void *arg)
{
	atomic_inc(arg);
}

int net_guest_negotiate(struct net_guest *g, u64 features)
{
	u32 status = VBUS_STATUS_DRIVER;
	int ret;

	net_guest_reset(g);
	ret = net_guest_set(g, VBUS_REG_STATUS, status);
	if (!ret)
		ret = net_guest_set64(g, VBUS_REG_ACCEPTED, features);
	status |= VBUS_STATUS_FEATURES_OK;
	if (!ret)
		ret = net_guest_set(g, VBUS_REG_STATUS, status);
	if (!ret && net_guest_reg(g, VBUS_REG_STATUS) != status)
		ret = -EOPNOTSUPP;
	return ret;
}
EXPORT_SYMBOL_GPL(net_guest_negotiate);

int net_guest_enable(struct net_guest *g, u32 queue, u32 size)
{
	struct net_guest_queue *q = &g->q[queue];
	u32 reg = VBUS_REG_QUEUE(queue);
	int ret;

	atomic_set(&q->signals, 0);
	ret = ioq_north_init(&q->north, q->area, size, IOQ_F_IN_ORDER,
			     q->state);
	if (!ret)
		ret = vbus_conn_set_irq_fn(g->conn, queue, net_guest_signal,
					   &q->signals);
	if (!ret)
		ret = net_guest_set(g, reg + VBUS_QREG_VECTOR, queue);
	if (!ret)
		ret = net_guest_set(g, reg + VBUS_QREG_SIZE, size);
	if (!ret)
		ret = net_guest_set64(g, reg + VBUS_QREG_RING,
				      virt_to_phys(q->area));
	if (!ret)
		ret = net_guest_set(g, reg + VBUS_QREG_ENABLE, 1);
	return ret;
}
EXPORT_SYMBOL_GPL(net_guest_enable);

int net_guest_start(struct net_guest *g, u64 features, u32 pairs, u32 size)
{
	u32 nr = net_guest_reg(g, VBUS_REG_NR_QUEUES), i;
	int ret;

	ret = net_guest_negotiate(g, features);
	if (ret)
		return ret;
	ret = vbus_conn_set_irq_fn(g->conn, nr, net_guest_signal, &g->changes);
	if (!ret)
		ret = net_guest_set(g, VBUS_REG_CONFIG_VECTOR, nr);
	for (i = 0; !ret && i < 2 * pairs; i++)
		ret = net_guest_enable(g, i, size);
	if (!ret)
		ret = net_guest_set(g, VBUS_REG_STATUS, VBUS_STATUS_DRIVER |
				    VBUS_STATUS_FEATURES_OK |
				    VBUS_STATUS_RUNNING);
	if (!ret)
		net_guest_up(g, true);
	return ret;
}
EXPORT_SYMBOL_GPL(net_guest_start);

void net_guest_reset(struct net_guest *g)
{
	KUNIT_EXPECT_EQ(g->test, 0, net_guest_set(g, VBUS_REG_STATUS, 0));
}
EXPORT_SYMBOL_GPL(net_guest_reset);

void net_guest_up(struct net_guest *g, bool up)
{
	rtnl_lock();
	if (up)
		KUNIT_EXPECT_EQ(g->test, 0, dev_open(g->ndev, NULL));
	else
		dev_close(g->ndev);
	rtnl_unlock();
}
EXPORT_SYMBOL_GPL(net_guest_up);

void net_guest_kick(struct net_guest *g, u32 q)
{
	ioq_north_publish(&g->q[q].north);
	vbus_conn_kick(g->conn, q);
}
EXPORT_SYMBOL_GPL(net_guest_kick);

int net_guest_send(struct net_guest *g, const struct ioq_seg *segs, u32 n)
{
	struct ioq_north *north = &g->q[NET_GUEST_TX].north;
	int ret = ioq_north_add(north, segs, n, g);
	u32 len;
	int i;

	if (ret)
		return ret;
	net_guest_kick(g, NET_GUEST_TX);
	/* Served within the kick, unless ksoftirqd has been woken before. */
	for (i = 0; i < 100; i++) {
		if (ioq_north_get(north, &len))
			return 0;
		if (net_guest_broken(g))
			return -EIO;
		msleep(20);
	}
	return -ETIMEDOUT;
}
EXPORT_SYMBOL_GPL(net_guest_send);

int net_guest_post(struct net_guest *g, u32 off, const u32 *lens, u32 n)
{
	struct ioq_seg segs[32];
	u32 i;

	if (n > ARRAY_SIZE(segs))
		return -EINVAL;
	for (i = 0; i < n; i++) {
		segs[i] = (struct ioq_seg){
			.addr = net_guest_addr(g, off),
			.len = lens[i],
			.write = 1,
		};
		off += lens[i];
	}
	return ioq_north_add(&g->q[NET_GUEST_RX].north, segs, n, g);
}
EXPORT_SYMBOL_GPL(net_guest_post);

int net_guest_host_xmit(struct net_guest *g, struct sk_buff *skb, bool more)
{
	struct netdev_queue *txq = netdev_get_tx_queue(g->ndev, 0);
	int ret;

	skb_set_queue_mapping(skb, 0);
	local_bh_disable();
	HARD_TX_LOCK(g->ndev, txq, smp_processor_id());
	ret = netdev_start_xmit(skb, g->ndev, txq, more);
	HARD_TX_UNLOCK(g->ndev, txq);
	local_bh_enable();
	/* It would be tried again; not here. */
	if (ret == NETDEV_TX_BUSY)
		kfree_skb(skb);
	return ret;
}
EXPORT_SYMBOL_GPL(net_guest_host_xmit);

struct sk_buff *net_guest_frame(struct net_guest *g, u32 len)
{
	struct sk_buff *skb;
	u8 *data;
	u32 i;

	skb = alloc_skb(NET_SKB_PAD + len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(g->test, skb);
	skb_reserve(skb, NET_SKB_PAD);
	data = skb_put(skb, len);
	for (i = 0; i < len; i++)
		data[i] = net_guest_pattern(i);
	eth_broadcast_addr(data);
	if (len >= ETH_HLEN)
		put_unaligned_be16(ETH_P_802_EX1, data + 2 * ETH_ALEN);
	skb->dev = g->ndev;
	skb->protocol = htons(ETH_P_802_EX1);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	return skb;
}
EXPORT_SYMBOL_GPL(net_guest_frame);

u32 net_guest_put_eth(struct net_guest *g, u8 *frame, u16 proto, u32 tags)
{
	u32 off = 2 * ETH_ALEN;

	ether_addr_copy(frame, g->ndev->dev_addr);
	eth_random_addr(frame + ETH_ALEN);
	for (; tags; tags--) {
		put_unaligned_be16(tags == 2 ? ETH_P_8021AD : ETH_P_8021Q,
				   frame + off);
		put_unaligned_be16(5, frame + off + 2);
		off += VLAN_HLEN;
	}
	put_unaligned_be16(proto, frame + off);
	return off + 2;
}
EXPORT_SYMBOL_GPL(net_guest_put_eth);

static u32 put_ip(u8 *frame, u32 off, u32 len, bool v6, u8 proto, bool ext)
{
	struct ipv6hdr *ip6 = (void *)(frame + off);
	struct iphdr *ip4 = (void *)(frame + off);

	if (!v6) {
		*ip4 = (struct iphdr){
			.version = 4, .ihl = 5, .ttl = 64, .protocol = proto,
			.tot_len = htons(len - off),
			.saddr = htonl(0x0a090901), .daddr = htonl(0x0a090902),
		};
		return off + sizeof(*ip4);
	}
	*ip6 = (struct ipv6hdr){
		.version = 6, .hop_limit = 64,
		.nexthdr = ext ? NEXTHDR_DEST : proto,
		.payload_len = htons(len - off - sizeof(*ip6)),
	};
	off += sizeof(*ip6);
	if (ext) {
		memset(frame + off, 0, 8);
		frame[off] = proto;
		off += 8;
	}
	return off;
}

u8 *net_guest_put_frame(struct net_guest *g, enum net_guest_kind kind, u32 len)
{
	bool udp = kind == NG_UDP4 || kind == NG_UDP6;
	bool v6 = kind == NG_TCP6 || kind == NG_UDP6 || kind == NG_XTCP6;
	u8 *frame = g->buf + VBUS_NET_HDR_SIZE;
	u32 i, off, tags;

	for (i = 0; i < len; i++)
		frame[i] = net_guest_pattern(i);
	if (kind == NG_RAW) {
		if (len >= ETH_HLEN)
			net_guest_put_eth(g, frame, ETH_P_802_EX1, 0);
		return frame;
	}
	tags = kind == NG_VTCP4 ? 1 : kind == NG_VVTCP4 ? 2 : 0;
	off = net_guest_put_eth(g, frame, v6 ? ETH_P_IPV6 : ETH_P_IP, tags);
	off = put_ip(frame, off, len, v6, udp ? IPPROTO_UDP : IPPROTO_TCP,
		     kind == NG_XTCP6);
	if (!udp)
		frame[off + 12] = 5 << 4;
	return frame;
}
EXPORT_SYMBOL_GPL(net_guest_put_frame);

void net_guest_put_hdr(struct net_guest *g, const struct vbus_net_hdr *hdr)
{
	memcpy(g->buf, hdr, sizeof(*hdr));
}
EXPORT_SYMBOL_GPL(net_guest_put_hdr);

struct vbus_net_hdr net_guest_offload(u8 gso, u16 start, u16 offset, u16 size)
{
	u16 len = start + (offset == 6 ? 8 : 20);

	return (struct vbus_net_hdr){
		.flags = VBUS_NET_HDR_PARTIAL,
		.gso_type = gso,
		.hdr_len = cpu_to_le16(gso ? len : 0),
		.gso_size = cpu_to_le16(size),
		.csum_start = cpu_to_le16(start),
		.csum_offset = cpu_to_le16(offset),
	};
}
EXPORT_SYMBOL_GPL(net_guest_offload);

int net_guest_send_all(struct net_guest *g, u32 len)
{
	struct ioq_seg seg = {
		.addr = net_guest_addr(g, 0),
		.len = VBUS_NET_HDR_SIZE + len,
	};

	return net_guest_send(g, &seg, 1);
}
EXPORT_SYMBOL_GPL(net_guest_send_all);

MODULE_DESCRIPTION("vbus test helper: guest of a net device");
MODULE_LICENSE("GPL");
