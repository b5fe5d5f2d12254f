// SPDX-License-Identifier: GPL-2.0
/*
 * Guest network driver: probe and remove, up and down, link, netdev ops.
 *
 * The queues live from vbus_net_up() to vbus_net_down(), that is while the
 * interface is up: the host can write nowhere when it is down. In between the
 * device stays negotiated. Up, down and everything that uses both (ring sizes,
 * the restart after a timeout) run under the RTNL. config_changed takes only
 * link_lock, since the bus may wait for it while we hold the RTNL.
 */
#include <linux/cpumask.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "vnet.h"

#define TX_TIMEOUT	(10 * HZ)

static void vbus_net_rx_signal(struct vproxy_queue *vq)
{
	struct vbus_net_rx *rx = vq->priv;

	napi_schedule(&rx->napi);
}

static void vbus_net_tx_signal(struct vproxy_queue *vq)
{
	struct vbus_net_tx *tx = vq->priv;

	napi_schedule(&tx->napi);
}

/**
 * vbus_net_broken() - the host violated the protocol: stop using the queues
 * @vn: the card
 * @what: for the log
 *
 * Taking the interface down and up again resets the device and may cure it.
 * Context: any.
 */
void vbus_net_broken(struct vbus_net *vn, const char *what)
{
	if (test_and_set_bit(0, &vn->broken))
		return;
	netif_carrier_off(vn->dev);
	netdev_err(vn->dev, "protocol violation by the host (%s), stopped\n",
		   what);
}

static int vbus_net_read_config(struct vbus_net *vn, struct vbus_net_config *config)
{
	return vproxy_config_read(vn->vdev, 0, config, sizeof(*config));
}

/* Make the carrier what the host says. */
static void vbus_net_update_link(struct vbus_net *vn)
{
	struct vbus_net_config config;
	u32 speed;
	int err;

	mutex_lock(&vn->link_lock);
	if (!vn->up || test_bit(0, &vn->broken))
		goto unlock;
	err = vbus_net_read_config(vn, &config);
	if (err) {
		netif_carrier_off(vn->dev);
		goto unlock;
	}
	speed = le32_to_cpu(config.speed);
	WRITE_ONCE(vn->speed, speed && speed <= INT_MAX ? speed :
							  SPEED_UNKNOWN);
	if (config.link == cpu_to_le16(1))
		netif_carrier_on(vn->dev);
	else
		netif_carrier_off(vn->dev);
unlock:
	mutex_unlock(&vn->link_lock);
}

static void vbus_net_config_changed(struct vproxy_device *vdev)
{
	struct vbus_net *vn = vproxy_drvdata(vdev);

	if (vproxy_needs_reset(vdev))
		vbus_net_broken(vn, "device wants a reset");
	else
		vbus_net_update_link(vn);
}

static int vbus_net_create_queues(struct vbus_net *vn)
{
	struct vproxy_queue_params *params;
	char (*name)[16];
	unsigned int i;
	int err = -ENOMEM;

	params = kcalloc(2 * vn->nr_pairs, sizeof(*params), GFP_KERNEL);
	name = kcalloc(2 * vn->nr_pairs, sizeof(*name), GFP_KERNEL);
	if (!params || !name)
		goto out;
	for (i = 0; i < vn->nr_pairs; i++) {
		struct vproxy_queue_params *rx = &params[2 * i];
		struct vproxy_queue_params *tx = rx + 1;

		snprintf(name[2 * i], sizeof(*name), "rx%u", i);
		snprintf(name[2 * i + 1], sizeof(*name), "tx%u", i);
		rx->name = name[2 * i];
		rx->size = vn->rx_size;
		rx->signal = vbus_net_rx_signal;
		rx->priv = &vn->pair[i].rx;
		tx->name = name[2 * i + 1];
		tx->size = vn->tx_size;
		tx->signal = vbus_net_tx_signal;
		tx->priv = &vn->pair[i].tx;
	}
	err = vproxy_create_queues(vn->vdev, 2 * vn->nr_pairs, params);
out:
	kfree(name);
	kfree(params);
	return err;
}

static void vbus_net_free_queues(struct vbus_net *vn)
{
	unsigned int i;

	for (i = 0; i < vn->nr_pairs; i++) {
		vbus_net_rx_free(&vn->pair[i].rx);
		vbus_net_tx_free(&vn->pair[i].tx);
	}
	vproxy_delete_queues(vn->vdev);
}

/* The pairs share the CPUs: what a CPU sends goes by its pair, and it hears of
 * that pair's completions and of what the pair received.
 */
static void vbus_net_pair_cpus(const struct vbus_net *vn, unsigned int pair,
			       struct cpumask *mask)
{
	unsigned int n = 0;
	int cpu;

	cpumask_clear(mask);
	for_each_online_cpu(cpu)
		if (n++ % vn->nr_pairs == pair)
			cpumask_set_cpu(cpu, mask);
}

static void vbus_net_set_xps(struct vbus_net *vn)
{
	cpumask_var_t mask;
	unsigned int i;

	if (vn->nr_pairs < 2 || !zalloc_cpumask_var(&mask, GFP_KERNEL))
		return;
	for (i = 0; i < vn->nr_pairs; i++) {
		vbus_net_pair_cpus(vn, i, mask);
		netif_set_xps_queue(vn->dev, mask, i);
	}
	free_cpumask_var(mask);
}

/* Vectors are new whenever the queues are. */
static void vbus_net_set_affinity(struct vbus_net *vn)
{
	cpumask_var_t mask;
	unsigned int i;

	if (vn->nr_pairs < 2 || !zalloc_cpumask_var(&mask, GFP_KERNEL))
		return;
	for (i = 0; i < 2 * vn->nr_pairs; i++) {
		vbus_net_pair_cpus(vn, i / 2, mask);
		/* More pairs than CPUs: any will do. */
		if (cpumask_empty(mask))
			continue;
		vproxy_queue_set_affinity(vproxy_queue(vn->vdev, i), mask);
	}
	free_cpumask_var(mask);
}

static void vbus_net_enable_napi(struct vbus_net *vn)
{
	unsigned int i;

	for (i = 0; i < vn->nr_pairs; i++) {
		napi_enable(&vn->pair[i].rx.napi);
		napi_enable(&vn->pair[i].tx.napi);
		/* A signal that came before is lost. */
		local_bh_disable();
		napi_schedule(&vn->pair[i].rx.napi);
		local_bh_enable();
	}
}

static void vbus_net_disable_napi(struct vbus_net *vn)
{
	unsigned int i;

	for (i = 0; i < vn->nr_pairs; i++) {
		napi_disable(&vn->pair[i].rx.napi);
		napi_disable(&vn->pair[i].tx.napi);
		/* Only NAPI queues it. */
		cancel_delayed_work_sync(&vn->pair[i].rx.refill);
	}
}

/* Reset, and leave the device as probe found it: negotiated, no queues. */
static void vbus_net_reset_device(struct vbus_net *vn)
{
	vproxy_reset(vn->vdev);
	vbus_net_free_queues(vn);
	vn->stale = vproxy_device_gone(vn->vdev) ||
		    vproxy_renegotiate(vn->vdev);
}

/**
 * vbus_net_up() - make the queues and start
 * @vn: the card, down
 *
 * Context: under the RTNL.
 */
int vbus_net_up(struct vbus_net *vn)
{
	unsigned int i;
	int err;

	ASSERT_RTNL();
	if (vn->stale) {
		err = vproxy_renegotiate(vn->vdev);
		if (err)
			return err;
		vn->stale = false;
	}
	err = vbus_net_create_queues(vn);
	if (err) {
		vn->stale = true;
		return err;
	}
	for (i = 0; i < vn->nr_pairs; i++) {
		struct vbus_net_pair *pair = &vn->pair[i];

		err = vbus_net_rx_setup(&pair->rx,
					vproxy_queue(vn->vdev, 2 * i));
		if (err)
			goto reset;
		err = vbus_net_tx_setup(&pair->tx,
					vproxy_queue(vn->vdev, 2 * i + 1));
		if (err)
			goto reset;
	}
	vbus_net_set_affinity(vn);
	clear_bit(0, &vn->broken);
	/* Cleared before the device can break again, which may be at once on
	 * another CPU; pairs with test_and_set_bit() in vbus_net_broken().
	 */
	smp_mb__after_atomic();
	err = vproxy_device_ready(vn->vdev);
	if (err)
		goto reset;
	/* From here on frames may arrive; what comes early waits for NAPI. */
	for (i = 0; i < vn->nr_pairs; i++)
		vproxy_queue_kick(vn->pair[i].rx.vq);
	vbus_net_enable_napi(vn);
	netif_tx_start_all_queues(vn->dev);

	mutex_lock(&vn->link_lock);
	vn->up = true;
	mutex_unlock(&vn->link_lock);
	vbus_net_update_link(vn);
	return 0;

reset:
	vbus_net_reset_device(vn);
	return err;
}

/**
 * vbus_net_down() - stop and free the queues; harmless if they are not there
 * @vn: the card
 *
 * Context: under the RTNL.
 */
void vbus_net_down(struct vbus_net *vn)
{
	bool was_up;

	ASSERT_RTNL();
	mutex_lock(&vn->link_lock);
	was_up = vn->up;
	vn->up = false;
	mutex_unlock(&vn->link_lock);
	if (!was_up)
		return;
	netif_carrier_off(vn->dev);
	/* NAPI first, or it would wake the queues again. */
	vbus_net_disable_napi(vn);
	netif_tx_disable(vn->dev);
	vbus_net_reset_device(vn);
}

static int vbus_net_open(struct net_device *dev)
{
	return vbus_net_up(netdev_priv(dev));
}

static int vbus_net_stop(struct net_device *dev)
{
	vbus_net_down(netdev_priv(dev));
	return 0;
}

static void vbus_net_reset_work(struct work_struct *work)
{
	struct vbus_net *vn = container_of(work, struct vbus_net, reset);
	unsigned int i;
	int err;

	rtnl_lock();
	if (netif_running(vn->dev) && !vproxy_device_gone(vn->vdev)) {
		vbus_net_down(vn);
		/* Counted here, where nobody else touches the counters. */
		for (i = 0; i < vn->nr_pairs; i++)
			if (xchg(&vn->pair[i].tx.stalled, 0))
				vbus_net_tx_count(&vn->pair[i].tx,
						  VNET_TX_TIMEOUTS, 1);
		err = vbus_net_up(vn);
		if (err)
			netdev_err(vn->dev, "does not restart: %d\n", err);
	}
	rtnl_unlock();
}

static void vbus_net_tx_timeout(struct net_device *dev, unsigned int txqueue)
{
	struct vbus_net *vn = netdev_priv(dev);
	struct vbus_net_tx *tx = &vn->pair[txqueue].tx;

	WRITE_ONCE(tx->stalled, 1);
	if (net_ratelimit())
		netdev_err(dev, "transmit queue %u stalled, %u segments are with the host: restarting\n",
			   txqueue, tx->head - tx->tail);
	schedule_work(&vn->reset);
}

static int vbus_net_change_mtu(struct net_device *dev, int mtu)
{
	/* Buffers hold any frame. */
	dev->mtu = mtu;
	return 0;
}

static void vbus_net_get_stats64(struct net_device *dev,
				 struct rtnl_link_stats64 *stats)
{
	struct vbus_net *vn = netdev_priv(dev);
	unsigned int i, start;

	for (i = 0; i < vn->nr_pairs; i++) {
		struct vbus_net_rx *rx = &vn->pair[i].rx;
		struct vbus_net_tx *tx = &vn->pair[i].tx;
		u64 packets, bytes, bad, drops;

		do {
			start = u64_stats_fetch_begin(&rx->sync);
			packets = u64_stats_read(&rx->stat[VNET_RX_PACKETS]);
			bytes = u64_stats_read(&rx->stat[VNET_RX_BYTES]);
			bad = u64_stats_read(&rx->stat[VNET_RX_BAD]);
			drops = u64_stats_read(&rx->stat[VNET_RX_NOMEM]);
		} while (u64_stats_fetch_retry(&rx->sync, start));
		stats->rx_packets += packets;
		stats->rx_bytes += bytes;
		stats->rx_errors += bad;
		stats->rx_frame_errors += bad;
		stats->rx_dropped += drops;

		do {
			start = u64_stats_fetch_begin(&tx->sync);
			packets = u64_stats_read(&tx->stat[VNET_TX_PACKETS]);
			bytes = u64_stats_read(&tx->stat[VNET_TX_BYTES]);
			drops = u64_stats_read(&tx->stat[VNET_TX_DROPS]) +
				u64_stats_read(&tx->stat[VNET_TX_BAD]);
			bad = u64_stats_read(&tx->stat[VNET_TX_TIMEOUTS]);
		} while (u64_stats_fetch_retry(&tx->sync, start));
		stats->tx_packets += packets;
		stats->tx_bytes += bytes;
		stats->tx_dropped += drops;
		stats->tx_errors += bad;
	}
}

static const struct net_device_ops vbus_net_ops = {
	.ndo_open = vbus_net_open,
	.ndo_stop = vbus_net_stop,
	.ndo_start_xmit = vbus_net_xmit,
	.ndo_tx_timeout = vbus_net_tx_timeout,
	.ndo_change_mtu = vbus_net_change_mtu,
	/* Of local meaning: the host end learns it as a switch port does. */
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_get_stats64 = vbus_net_get_stats64,
	.ndo_features_check = vbus_net_features_check,
};

/* What the stack may leave to us follows from what the host takes. */
static void vbus_net_set_features(struct net_device *dev, u64 features)
{
	dev->features = NETIF_F_HIGHDMA;
	dev->hw_features = NETIF_F_SG;
	if (features & VBUS_NET_F_CSUM) {
		dev->hw_features |= NETIF_F_HW_CSUM;
		if (features & VBUS_NET_F_TSO) {
			dev->hw_features |= NETIF_F_TSO | NETIF_F_TSO6;
			if (features & VBUS_NET_F_ECN)
				dev->hw_features |= NETIF_F_TSO_ECN;
		}
		if (features & VBUS_NET_F_USO)
			dev->hw_features |= NETIF_F_GSO_UDP_L4;
		/* We check what goes into a header, the host the frame. */
		dev->features |= NETIF_F_GSO_ROBUST;
	}
	/* The host does it as negotiated, we can't switch it off. */
	if (features & VBUS_NET_F_GUEST_CSUM)
		dev->features |= NETIF_F_RXCSUM;
	dev->features |= dev->hw_features;
	dev->vlan_features = dev->features;
}

/* How many pairs both can use. */
static unsigned int vbus_net_choose_pairs(struct vproxy_device *vdev, u32 offered)
{
	u32 pairs = min3(offered, vdev->nr_queues / 2, num_online_cpus());

	return min_t(u32, pairs, VBUS_NET_MAX_PAIRS);
}

static int vbus_net_check_config(struct vproxy_device *vdev,
				 const struct vbus_net_config *config)
{
	u32 mtu = le32_to_cpu(config->mtu);

	if (vdev->class_version != VBUS_NET_VERSION) {
		dev_err(&vdev->dev, "version %u of the net class, can only do %u\n",
			vdev->class_version, VBUS_NET_VERSION);
		return -ENODEV;
	}
	if (mtu < VBUS_NET_MTU_MIN || mtu > VBUS_NET_MTU_MAX) {
		dev_err(&vdev->dev, "host says MTU %u, must be %u to %u\n",
			mtu, VBUS_NET_MTU_MIN, VBUS_NET_MTU_MAX);
		return -EINVAL;
	}
	if (!vbus_net_choose_pairs(vdev, le32_to_cpu(config->nr_pairs))) {
		dev_err(&vdev->dev, "host offers %u pairs in %u queues, need one\n",
			le32_to_cpu(config->nr_pairs), vdev->nr_queues);
		return -EINVAL;
	}
	return 0;
}

static int vbus_net_init_pairs(struct vbus_net *vn)
{
	unsigned int i;

	vn->pair = kcalloc(vn->nr_pairs, sizeof(*vn->pair), GFP_KERNEL);
	if (!vn->pair)
		return -ENOMEM;
	for (i = 0; i < vn->nr_pairs; i++) {
		struct vbus_net_rx *rx = &vn->pair[i].rx;
		struct vbus_net_tx *tx = &vn->pair[i].tx;

		rx->vn = vn;
		tx->vn = vn;
		tx->txq = netdev_get_tx_queue(vn->dev, i);
		u64_stats_init(&rx->sync);
		u64_stats_init(&tx->sync);
		INIT_DELAYED_WORK(&rx->refill, vbus_net_rx_refill_work);
		netif_napi_add(vn->dev, &rx->napi, vbus_net_rx_poll);
		netif_napi_add_tx(vn->dev, &tx->napi, vbus_net_tx_poll);
	}
	return 0;
}

static void vbus_net_free_card(struct vbus_net *vn)
{
	struct vbus_net_pair *pair = vn->pair;

	mutex_destroy(&vn->link_lock);
	/* Looks at the NAPI contexts in @pair. */
	free_netdev(vn->dev);
	kfree(pair);
}

static int vbus_net_probe(struct vproxy_device *vdev)
{
	struct vbus_net_config config;
	struct net_device *dev;
	struct vbus_net *vn;
	unsigned int pairs;
	int err;

	err = vproxy_config_read(vdev, 0, &config, sizeof(config));
	if (err)
		return err;
	err = vbus_net_check_config(vdev, &config);
	if (err)
		return err;
	pairs = vbus_net_choose_pairs(vdev, le32_to_cpu(config.nr_pairs));
	dev = alloc_etherdev_mqs(sizeof(*vn), pairs, pairs);
	if (!dev)
		return -ENOMEM;
	SET_NETDEV_DEV(dev, &vdev->dev);
	vn = netdev_priv(dev);
	vn->dev = dev;
	vn->vdev = vdev;
	vn->nr_pairs = pairs;
	vn->rx_size = VNET_RX_RING;
	vn->tx_size = VNET_TX_RING;
	vn->speed = SPEED_UNKNOWN;
	mutex_init(&vn->link_lock);
	INIT_WORK(&vn->reset, vbus_net_reset_work);
	vproxy_set_drvdata(vdev, vn);

	dev->netdev_ops = &vbus_net_ops;
	dev->ethtool_ops = &vbus_net_ethtool_ops;
	dev->watchdog_timeo = TX_TIMEOUT;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->needed_headroom = VBUS_NET_HDR_SIZE;
	dev->min_mtu = VBUS_NET_MTU_MIN;
	dev->max_mtu = VBUS_NET_MTU_MAX;
	dev->mtu = le32_to_cpu(config.mtu);
	netif_set_tso_max_segs(dev, VBUS_NET_TCP_SEGS_MAX);
	vbus_net_set_features(dev, vdev->features);
	if (is_valid_ether_addr(config.mac)) {
		eth_hw_addr_set(dev, config.mac);
	} else {
		eth_hw_addr_random(dev);
		dev_warn(&vdev->dev, "host gave no usable address, took %pM\n",
			 dev->dev_addr);
	}
	netif_carrier_off(dev);

	err = vbus_net_init_pairs(vn);
	if (err)
		goto free;
	vbus_net_set_xps(vn);
	err = register_netdev(dev);
	if (err)
		goto free;
	return 0;

free:
	vbus_net_free_card(vn);
	return err;
}

static void vbus_net_remove(struct vproxy_device *vdev)
{
	struct vbus_net *vn = vproxy_drvdata(vdev);

	/* Takes it down if it is up; after that the work finds it so. */
	unregister_netdev(vn->dev);
	cancel_work_sync(&vn->reset);
	vbus_net_free_card(vn);
}

static struct vproxy_driver vbus_net_driver = {
	.driver = {
		.name = "vbus-net",
	},
	.class_id = VBUS_CLASS_NET,
	.features = VNET_FEATURES,
	.probe = vbus_net_probe,
	.remove = vbus_net_remove,
	.config_changed = vbus_net_config_changed,
};
module_vproxy_driver(vbus_net_driver);

MODULE_DESCRIPTION("vbus guest network driver");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_ALIAS("vbus:net");
