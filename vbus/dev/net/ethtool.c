// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": counters, and what ethtool shows of the host's end.
 *
 * One list of names serves the device's "stats" attribute (sums over all pairs)
 * and ethtool -S (per pair).  Directions are the guest's in both.
 */
#include <linux/ethtool.h>
#include "net.h"

#define VDM_NET_KICKS_TX	VDM_NET_TX_STATS
#define VDM_NET_RX_FIRST	(VDM_NET_TX_STATS + 1)
#define VDM_NET_KICKS_RX	(VDM_NET_RX_FIRST + VDM_NET_RX_STATS)

const char *const vdm_net_stat_names[VDM_NET_NR_STATS] = {
	[VDM_NET_TX_PACKETS] = "tx_packets",
	[VDM_NET_TX_BYTES] = "tx_bytes",
	[VDM_NET_TX_POLLS] = "tx_polls",
	[VDM_NET_TX_SIGNALS] = "tx_signals",
	[VDM_NET_TX_DROP_LENGTH] = "tx_drop_length",
	[VDM_NET_TX_DROP_OFFLOAD] = "tx_drop_offload",
	[VDM_NET_TX_DROP_DOWN] = "tx_drop_down",
	[VDM_NET_TX_DROP_NOMEM] = "tx_drop_nomem",
	[VDM_NET_KICKS_TX] = "tx_kicks",
	[VDM_NET_RX_FIRST + VDM_NET_RX_PACKETS] = "rx_packets",
	[VDM_NET_RX_FIRST + VDM_NET_RX_BYTES] = "rx_bytes",
	[VDM_NET_RX_FIRST + VDM_NET_RX_CHAINS] = "rx_chains",
	[VDM_NET_RX_FIRST + VDM_NET_RX_STOPS] = "rx_stops",
	[VDM_NET_RX_FIRST + VDM_NET_RX_SIGNALS] = "rx_signals",
	[VDM_NET_RX_FIRST + VDM_NET_RX_DROP_NOGUEST] = "rx_drop_noguest",
	[VDM_NET_RX_FIRST + VDM_NET_RX_DROP_NOROOM] = "rx_drop_noroom",
	[VDM_NET_RX_FIRST + VDM_NET_RX_DROP_STALLED] = "rx_drop_stalled",
	[VDM_NET_RX_FIRST + VDM_NET_RX_DROP_OFFLOAD] = "rx_drop_offload",
	[VDM_NET_KICKS_RX] = "rx_kicks",
};

static void vdm_net_fetch(const struct u64_stats_sync *syncp,
			  const u64_stats_t *stats, unsigned int nr, u64 *v)
{
	unsigned int i, start;

	do {
		start = u64_stats_fetch_begin(syncp);
		for (i = 0; i < nr; i++)
			v[i] = u64_stats_read(&stats[i]);
	} while (u64_stats_fetch_retry(syncp, start));
}

static u64 vdm_net_sum(const unsigned long __percpu *counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return sum;
}

/**
 * vdm_net_pair_stats() - read all counters of a pair
 * @pair: the pair
 * @v: filled in, VDM_NET_NR_STATS of them, in the order of the names
 */
void vdm_net_pair_stats(struct vdm_net_pair *pair, u64 *v)
{
	vdm_net_fetch(&pair->tx.syncp, pair->tx.stats, VDM_NET_TX_STATS, v);
	v[VDM_NET_KICKS_TX] = vdm_net_sum(pair->tx.kicks);
	vdm_net_fetch(&pair->rx.syncp, pair->rx.stats, VDM_NET_RX_STATS,
		      v + VDM_NET_RX_FIRST);
	v[VDM_NET_KICKS_RX] = vdm_net_sum(pair->rx.kicks);
}

/* For the core, which asks only while the device is enabled. */
u64 vdm_net_stat(struct vbus_device *dev, unsigned int nr)
{
	struct vdm_net_port *port = netdev_priv(to_vdm_net(dev)->ndev);
	u64 v[VDM_NET_NR_STATS], sum = 0;
	u32 i;

	for (i = 0; i < port->nr_pairs; i++) {
		vdm_net_pair_stats(&port->pairs[i], v);
		sum += v[nr];
	}
	return sum;
}

static void vdm_net_get_drvinfo(struct net_device *ndev,
				struct ethtool_drvinfo *info)
{
	struct vdm_net_port *port = netdev_priv(ndev);

	strscpy(info->driver, "vbus-dm-net", sizeof(info->driver));
	/* Cut short if need be: the field is half as long as a device name. */
	strscpy(info->bus_info, port->net->dev.name, sizeof(info->bus_info));
}

/* Ring sizes are the guest's choice; 0 while none runs. */
static void vdm_net_get_ringparam(struct net_device *ndev,
				  struct ethtool_ringparam *ring,
				  struct kernel_ethtool_ringparam *kring,
				  struct netlink_ext_ack *extack)
{
	struct vdm_net_port *port = netdev_priv(ndev);

	ring->rx_max_pending = VDM_NET_RING_MAX;
	ring->tx_max_pending = VDM_NET_RING_MAX;
	ring->rx_pending = READ_ONCE(port->pairs[0].tx_size);
	ring->tx_pending = READ_ONCE(port->pairs[0].rx_size);
}

static void vdm_net_get_channels(struct net_device *ndev,
				 struct ethtool_channels *ch)
{
	struct vdm_net_port *port = netdev_priv(ndev);

	ch->max_combined = port->nr_pairs;
	ch->combined_count = READ_ONCE(port->active);
}

static int vdm_net_get_sset_count(struct net_device *ndev, int sset)
{
	struct vdm_net_port *port = netdev_priv(ndev);

	if (sset != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return port->nr_pairs * VDM_NET_NR_STATS;
}

/* "guest_tx_packets_0": the interface's own tx is the guest's rx. */
static void vdm_net_get_strings(struct net_device *ndev, u32 sset, u8 *data)
{
	struct vdm_net_port *port = netdev_priv(ndev);
	u32 i, s;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < port->nr_pairs; i++)
		for (s = 0; s < VDM_NET_NR_STATS; s++)
			ethtool_sprintf(&data, "guest_%s_%u",
					vdm_net_stat_names[s], i);
}

static void vdm_net_get_ethtool_stats(struct net_device *ndev,
				      struct ethtool_stats *stats, u64 *data)
{
	struct vdm_net_port *port = netdev_priv(ndev);
	u32 i;

	for (i = 0; i < port->nr_pairs; i++)
		vdm_net_pair_stats(&port->pairs[i],
				   data + i * VDM_NET_NR_STATS);
}

const struct ethtool_ops vdm_net_ethtool_ops = {
	.get_drvinfo = vdm_net_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ringparam = vdm_net_get_ringparam,
	.get_channels = vdm_net_get_channels,
	.get_sset_count = vdm_net_get_sset_count,
	.get_strings = vdm_net_get_strings,
	.get_ethtool_stats = vdm_net_get_ethtool_stats,
	.get_ts_info = ethtool_op_get_ts_info,
};
