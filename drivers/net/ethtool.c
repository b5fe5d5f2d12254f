// SPDX-License-Identifier: GPL-2.0
/*
 * Guest network driver: what ethtool shows and sets.
 *
 * All of it runs under the RTNL.
 */
#include <linux/ethtool.h>
#include <linux/log2.h>

#include "vnet.h"

static const char *const rx_names[VNET_RX_NR_STATS] = {
	[VNET_RX_PACKETS] = "packets",
	[VNET_RX_BYTES] = "bytes",
	[VNET_RX_KICKS] = "kicks",
	[VNET_RX_COPIED] = "copied",
	[VNET_RX_BAD] = "bad",
	[VNET_RX_NOMEM] = "nomem",
	[VNET_RX_REFILL_LATE] = "refill_late",
};

static const char *const tx_names[VNET_TX_NR_STATS] = {
	[VNET_TX_PACKETS] = "packets",
	[VNET_TX_BYTES] = "bytes",
	[VNET_TX_KICKS] = "kicks",
	[VNET_TX_POLLS] = "polls",
	[VNET_TX_STOPS] = "stops",
	[VNET_TX_LINEARIZED] = "linearized",
	[VNET_TX_DROPS] = "drops",
	[VNET_TX_BAD] = "bad",
	[VNET_TX_TIMEOUTS] = "timeouts",
};

static void vbus_net_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	struct vbus_net *vn = netdev_priv(dev);

	strscpy(info->driver, "vbus-net", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&vn->vdev->dev),
		sizeof(info->bus_info));
}

static int vbus_net_get_sset_count(struct net_device *dev, int set)
{
	struct vbus_net *vn = netdev_priv(dev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return vn->nr_pairs * (VNET_RX_NR_STATS + VNET_TX_NR_STATS);
}

static void vbus_net_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	struct vbus_net *vn = netdev_priv(dev);
	unsigned int i, j;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < vn->nr_pairs; i++) {
		for (j = 0; j < VNET_RX_NR_STATS; j++)
			ethtool_sprintf(&data, "rx%u_%s", i, rx_names[j]);
		for (j = 0; j < VNET_TX_NR_STATS; j++)
			ethtool_sprintf(&data, "tx%u_%s", i, tx_names[j]);
	}
}

static void vbus_net_get_ethtool_stats(struct net_device *dev,
				       struct ethtool_stats *stats, u64 *data)
{
	struct vbus_net *vn = netdev_priv(dev);
	unsigned int i, j, start;

	for (i = 0; i < vn->nr_pairs; i++) {
		struct vbus_net_rx *rx = &vn->pair[i].rx;
		struct vbus_net_tx *tx = &vn->pair[i].tx;

		do {
			start = u64_stats_fetch_begin(&rx->sync);
			for (j = 0; j < VNET_RX_NR_STATS; j++)
				data[j] = u64_stats_read(&rx->stat[j]);
		} while (u64_stats_fetch_retry(&rx->sync, start));
		data += VNET_RX_NR_STATS;
		do {
			start = u64_stats_fetch_begin(&tx->sync);
			for (j = 0; j < VNET_TX_NR_STATS; j++)
				data[j] = u64_stats_read(&tx->stat[j]);
		} while (u64_stats_fetch_retry(&tx->sync, start));
		data += VNET_TX_NR_STATS;
	}
}

/* While up, what the queues have; the host may have allowed less than wanted. */
static void vbus_net_get_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
				   struct kernel_ethtool_ringparam *kernel_ring,
				   struct netlink_ext_ack *extack)
{
	struct vbus_net *vn = netdev_priv(dev);
	struct vproxy_queue *rx = vn->pair[0].rx.vq;
	struct vproxy_queue *tx = vn->pair[0].tx.vq;

	ring->rx_max_pending = VNET_RING_MAX;
	ring->tx_max_pending = VNET_RING_MAX;
	ring->rx_pending = rx ? rx->size : vn->rx_size;
	ring->tx_pending = tx ? tx->size : vn->tx_size;
}

static bool vbus_net_ring_size_ok(u32 size)
{
	return is_power_of_2(size) && size >= VNET_RING_MIN &&
	       size <= VNET_RING_MAX;
}

static int vbus_net_set_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
				  struct kernel_ethtool_ringparam *kernel_ring,
				  struct netlink_ext_ack *extack)
{
	struct vbus_net *vn = netdev_priv(dev);
	u32 rx_old = vn->rx_size, tx_old = vn->tx_size;
	int err;

	if (!vbus_net_ring_size_ok(ring->rx_pending) || !vbus_net_ring_size_ok(ring->tx_pending)) {
		NL_SET_ERR_MSG(extack, "ring sizes are powers of two from 64 to 4096");
		return -EINVAL;
	}
	if (ring->rx_pending == rx_old && ring->tx_pending == tx_old)
		return 0;
	if (!netif_running(dev)) {
		vn->rx_size = ring->rx_pending;
		vn->tx_size = ring->tx_pending;
		return 0;
	}
	vbus_net_down(vn);
	vn->rx_size = ring->rx_pending;
	vn->tx_size = ring->tx_pending;
	err = vbus_net_up(vn);
	if (!err)
		return 0;
	vn->rx_size = rx_old;
	vn->tx_size = tx_old;
	if (vbus_net_up(vn))
		netdev_err(dev, "stopped: no memory for the old rings either\n");
	return err;
}

static void vbus_net_get_channels(struct net_device *dev, struct ethtool_channels *ch)
{
	struct vbus_net *vn = netdev_priv(dev);

	ch->max_combined = vn->nr_pairs;
	ch->combined_count = vn->nr_pairs;
}

static int vbus_net_get_link_ksettings(struct net_device *dev,
				       struct ethtool_link_ksettings *cmd)
{
	struct vbus_net *vn = netdev_priv(dev);

	cmd->base.speed = READ_ONCE(vn->speed);
	cmd->base.duplex = DUPLEX_FULL;
	cmd->base.port = PORT_OTHER;
	cmd->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

const struct ethtool_ops vbus_net_ethtool_ops = {
	.get_drvinfo = vbus_net_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_sset_count = vbus_net_get_sset_count,
	.get_strings = vbus_net_get_strings,
	.get_ethtool_stats = vbus_net_get_ethtool_stats,
	.get_ringparam = vbus_net_get_ringparam,
	.set_ringparam = vbus_net_set_ringparam,
	.get_channels = vbus_net_get_channels,
	.get_link_ksettings = vbus_net_get_link_ksettings,
	.get_ts_info = ethtool_op_get_ts_info,
};
