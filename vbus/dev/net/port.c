// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": the host's end, an ordinary network interface.
 *
 * Made and removed by enable and disable.  Its up and down is the guest's link,
 * its MTU the guest's MTU; both reach the guest through config space.  Features
 * are constant, because what a guest accepts is learnt where the RTNL must not
 * be taken: ndo_features_check strips, frame by frame, what this guest can't do,
 * and the stack does it instead.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include "net.h"

#define VDM_NET_HW_FEATURES						\
	(NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA |		\
	 NETIF_F_HW_CSUM | NETIF_F_RXCSUM | NETIF_F_TSO |		\
	 NETIF_F_TSO_ECN | NETIF_F_TSO6 | NETIF_F_GSO_UDP_L4)

static void vdm_net_update_link(struct vbus_device *dev, void *arg)
{
	to_vdm_net(dev)->config.link = cpu_to_le16(*(bool *)arg);
}

static void vdm_net_update_mtu(struct vbus_device *dev, void *arg)
{
	to_vdm_net(dev)->config.mtu = cpu_to_le32(*(u32 *)arg);
}

static void vdm_net_set_link(struct net_device *ndev, bool up)
{
	struct vdm_net_port *port = netdev_priv(ndev);

	vbus_device_config_changed(&port->net->dev, vdm_net_update_link, &up);
}

static int vdm_net_open(struct net_device *ndev)
{
	vdm_net_set_link(ndev, true);
	return 0;
}

/* Polls in flight have ended or seen it coming; see vdm_net_tx_deliver(). */
static int vdm_net_close(struct net_device *ndev)
{
	vdm_net_set_link(ndev, false);
	return 0;
}

static int vdm_net_change_mtu(struct net_device *ndev, int new_mtu)
{
	struct vdm_net_port *port = netdev_priv(ndev);
	u32 mtu = new_mtu;

	WRITE_ONCE(ndev->mtu, mtu);
	vbus_device_config_changed(&port->net->dev, vdm_net_update_mtu, &mtu);
	return 0;
}

/**
 * vdm_net_port_broken() - the guest has broken one of its queues
 * @ndev: the interface
 *
 * Nothing that is sent will arrive any more, so others must learn that the link is
 * down: bonds, bridges and routes would go on using it.  The carrier comes back when
 * the guest starts again after a reset, see vdm_net_start().
 *
 * Context: any.
 */
void vdm_net_port_broken(struct net_device *ndev)
{
	netif_carrier_off(ndev);
}

/* Stay within the pairs the guest uses. */
static u16 vdm_net_select_queue(struct net_device *ndev, struct sk_buff *skb,
				struct net_device *sb_dev)
{
	struct vdm_net_port *port = netdev_priv(ndev);
	u32 active = READ_ONCE(port->active);
	u16 txq = netdev_pick_tx(ndev, skb, sb_dev);

	return active && txq >= active ? txq % active : txq;
}

/* What the guest transmits this interface receives, and the other way round. */
static void vdm_net_get_stats64(struct net_device *ndev,
				struct rtnl_link_stats64 *s)
{
	struct vdm_net_port *port = netdev_priv(ndev);
	u64 v[VDM_NET_NR_STATS];
	const u64 *rx = v + VDM_NET_TX_STATS + 1;
	u32 i;

	for (i = 0; i < port->nr_pairs; i++) {
		vdm_net_pair_stats(&port->pairs[i], v);
		s->rx_packets += v[VDM_NET_TX_PACKETS];
		s->rx_bytes += v[VDM_NET_TX_BYTES];
		s->rx_length_errors += v[VDM_NET_TX_DROP_LENGTH];
		s->rx_frame_errors += v[VDM_NET_TX_DROP_OFFLOAD];
		s->rx_errors += v[VDM_NET_TX_DROP_LENGTH] +
				v[VDM_NET_TX_DROP_OFFLOAD];
		s->rx_dropped += v[VDM_NET_TX_DROP_DOWN] +
				 v[VDM_NET_TX_DROP_NOMEM];
		s->tx_packets += rx[VDM_NET_RX_PACKETS];
		s->tx_bytes += rx[VDM_NET_RX_BYTES];
		s->tx_dropped += rx[VDM_NET_RX_DROP_NOGUEST] +
				 rx[VDM_NET_RX_DROP_NOROOM] +
				 rx[VDM_NET_RX_DROP_STALLED] +
				 rx[VDM_NET_RX_DROP_OFFLOAD];
	}
}

static const struct net_device_ops vdm_net_ops = {
	.ndo_open = vdm_net_open,
	.ndo_stop = vdm_net_close,
	.ndo_start_xmit = vdm_net_rx_xmit,
	.ndo_features_check = vdm_net_rx_features,
	.ndo_select_queue = vdm_net_select_queue,
	.ndo_change_mtu = vdm_net_change_mtu,
	.ndo_get_stats64 = vdm_net_get_stats64,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static const struct device_type vdm_net_type = {
	.name = "vbus",
};

static void vdm_net_setup(struct net_device *ndev, const struct vdm_net *net)
{
	ndev->netdev_ops = &vdm_net_ops;
	ndev->ethtool_ops = &vdm_net_ethtool_ops;
	SET_NETDEV_DEVTYPE(ndev, &vdm_net_type);
	eth_hw_addr_random(ndev);
	ndev->mtu = net->mtu;
	ndev->min_mtu = VBUS_NET_MTU_MIN;
	ndev->max_mtu = VBUS_NET_MTU_MAX;
	netif_set_tso_max_segs(ndev, VBUS_NET_TCP_SEGS_MAX);
	ndev->features = VDM_NET_HW_FEATURES;
	ndev->hw_features = VDM_NET_HW_FEATURES & ~NETIF_F_HIGHDMA;
	ndev->vlan_features = VDM_NET_HW_FEATURES;
	ndev->hw_enc_features = NETIF_F_SG | NETIF_F_FRAGLIST |
				NETIF_F_HIGHDMA | NETIF_F_HW_CSUM;
	ndev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	strscpy(ndev->name, net->ifname, IFNAMSIZ);
	netif_carrier_off(ndev);
}

static void vdm_net_pairs_free(struct vdm_net_port *port)
{
	u32 i;

	/* One grace period for all of them. */
	for (i = 0; i < port->nr_pairs; i++)
		__netif_napi_del(&port->pairs[i].tx.napi);
	synchronize_net();

	for (i = 0; i < port->nr_pairs; i++) {
		struct vdm_net_pair *pair = &port->pairs[i];

		free_percpu(pair->tx.kicks);
		free_percpu(pair->rx.kicks);
		if (pair->tx.frag.page)
			put_page(pair->tx.frag.page);
	}
	kvfree(port->pairs);
}

static int vdm_net_pairs_alloc(struct vdm_net_port *port,
			       struct net_device *ndev, u32 nr)
{
	u32 i;

	port->pairs = kvcalloc(nr, sizeof(*port->pairs), GFP_KERNEL);
	if (!port->pairs)
		return -ENOMEM;
	port->nr_pairs = nr;
	for (i = 0; i < nr; i++) {
		struct vdm_net_pair *pair = &port->pairs[i];

		pair->ndev = ndev;
		pair->index = i;
		vdm_net_tx_init(pair);
		vdm_net_rx_init(pair);
	}
	for (i = 0; i < nr; i++) {
		struct vdm_net_pair *pair = &port->pairs[i];

		pair->tx.kicks = alloc_percpu(unsigned long);
		pair->rx.kicks = alloc_percpu(unsigned long);
		if (!pair->tx.kicks || !pair->rx.kicks) {
			vdm_net_pairs_free(port);
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * vdm_net_port_create() - make the host's interface
 * @net: attributes are final; on success @net->ndev is set
 *
 * It appears in the network namespace of the caller.  Takes the RTNL.
 *
 * Return: 0; -EINVAL: no usable name; -EEXIST: the name is taken; -ENOMEM.
 */
int vdm_net_port_create(struct vdm_net *net)
{
	struct vdm_net_port *port;
	struct net_device *ndev;
	int ret;

	if (!net->ifname[0]) {
		vbus_dev_err(&net->dev, "its name is no interface name; write one of 1 to %d characters to ifname\n",
			     IFNAMSIZ - 1);
		return -EINVAL;
	}

	ndev = alloc_etherdev_mq(sizeof(*port), net->queues);
	if (!ndev)
		return -ENOMEM;
	dev_net_set(ndev, current->nsproxy->net_ns);
	vdm_net_setup(ndev, net);
	port = netdev_priv(ndev);
	port->net = net;
	ret = vdm_net_pairs_alloc(port, ndev, net->queues);
	if (ret)
		goto err_free;

	ret = register_netdev(ndev);
	if (ret) {
		if (ret == -EEXIST)
			vbus_dev_err(&net->dev, "an interface %s exists; write another name to ifname\n",
				     net->ifname);
		else
			vbus_dev_err(&net->dev, "can't register interface %s: %d\n",
				     net->ifname, ret);
		goto err_pairs;
	}
	net->ndev = ndev;
	return 0;

err_pairs:
	vdm_net_pairs_free(port);
err_free:
	free_netdev(ndev);
	return ret;
}

/**
 * vdm_net_port_destroy() - remove the host's interface
 * @net: enabled, no guest runs
 *
 * Waits until nobody uses the interface. Takes the RTNL.
 */
void vdm_net_port_destroy(struct vdm_net *net)
{
	struct vdm_net_port *port = netdev_priv(net->ndev);

	unregister_netdev(net->ndev);
	vdm_net_pairs_free(port);
	free_netdev(net->ndev);
	net->ndev = NULL;
}
