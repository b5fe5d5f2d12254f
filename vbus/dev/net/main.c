// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": what the core calls.
 *
 * enable makes the host's interface and disable removes it, both under the
 * RTNL.  start and stop, which must not take the RTNL, join the interface's
 * queues to a guest's and part them: a guest that runs, and has broken no queue, is
 * the carrier.  NAPI belongs to the guest, enabled from start to stop whether the
 * interface is up or not; when it is down, poll drops what the guest sends, as a
 * cable would that hangs in the air.  So ndo_open and ndo_stop touch no queue and
 * need not be serialised against start and stop.
 */
#include <linux/etherdevice.h>
#include <linux/hardirq.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vbus_abi.h>
#include "net.h"

static struct vbus_device *vdm_net_alloc(const char *name)
{
	struct vdm_net *net;

	net = kzalloc(sizeof(*net), GFP_KERNEL);
	if (!net)
		return ERR_PTR(-ENOMEM);
	vdm_net_set_defaults(net, name);
	return &net->dev;
}

static void vdm_net_free(struct vbus_device *dev)
{
	kfree(to_vdm_net(dev));
}

static int vdm_net_enable(struct vbus_device *dev)
{
	struct vdm_net *net = to_vdm_net(dev);

	memset(&net->config, 0, sizeof(net->config));
	ether_addr_copy(net->config.mac, net->mac);
	net->config.mtu = cpu_to_le32(net->mtu);
	net->config.nr_pairs = cpu_to_le32(net->queues);
	return vdm_net_port_create(net);
}

static void vdm_net_disable(struct vbus_device *dev)
{
	vdm_net_port_destroy(to_vdm_net(dev));
}

static void vdm_net_device_info(struct vbus_device *dev,
				struct vbus_device_info *info)
{
	info->features = VDM_NET_FEATURES;
	info->nr_queues = 2 * to_vdm_net(dev)->queues;
	info->config_size = sizeof(struct vbus_net_config);
}

static void vdm_net_queue_info(struct vbus_device *dev, u32 q,
			       struct vbus_queue_info *info)
{
	info->size_max = VDM_NET_RING_MAX;
	info->seg_max = q & 1 ? VDM_NET_TX_SEG_MAX : VDM_NET_RX_SEG_MAX;
	info->in_order = true;
}

/* Which feature makes no sense without which. */
static const struct {
	u64 feature;
	u64 needs;
} vdm_net_needs[] = {
	{ VBUS_NET_F_TSO, VBUS_NET_F_CSUM },
	{ VBUS_NET_F_ECN, VBUS_NET_F_TSO },
	{ VBUS_NET_F_USO, VBUS_NET_F_CSUM },
	{ VBUS_NET_F_GUEST_TSO, VBUS_NET_F_GUEST_CSUM },
	{ VBUS_NET_F_GUEST_ECN, VBUS_NET_F_GUEST_TSO },
	{ VBUS_NET_F_GUEST_USO, VBUS_NET_F_GUEST_CSUM },
};

int vdm_net_accept(struct vbus_device *dev, u64 features)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vdm_net_needs); i++)
		if (features & vdm_net_needs[i].feature &&
		    !(features & vdm_net_needs[i].needs))
			return -EINVAL;
	return 0;
}

/* Pairs in use: the first n, both queues of each, none beyond. */
static int vdm_net_active_pairs(struct vbus_conn *conn, u32 nr_pairs)
{
	u32 i, active = 0;

	while (active < nr_pairs &&
	       vbus_conn_queue(conn, 2 * active)->attached &&
	       vbus_conn_queue(conn, 2 * active + 1)->attached)
		active++;
	for (i = 2 * active; i < 2 * nr_pairs; i++)
		if (vbus_conn_queue(conn, i)->attached)
			return -EINVAL;
	return active ?: -EINVAL;
}

static int vdm_net_start(struct vbus_conn *conn)
{
	struct vbus_device *dev = vbus_conn_device(conn);
	struct net_device *ndev = to_vdm_net(dev)->ndev;
	struct vdm_net_port *port = netdev_priv(ndev);
	int i, active;

	active = vdm_net_active_pairs(conn, port->nr_pairs);
	if (active < 0) {
		vbus_dev_err(dev, "guest must enable both queues of pairs 0 to n - 1, n at least 1\n");
		return active;
	}
	WRITE_ONCE(port->features, vbus_conn_features(conn));
	WRITE_ONCE(port->active, active);
	/* Before the queues: one that turns out to be broken takes it down. */
	netif_carrier_on(ndev);
	for (i = 0; i < active; i++) {
		vdm_net_rx_start(&port->pairs[i],
				 vbus_conn_queue(conn, 2 * i));
		vdm_net_tx_start(&port->pairs[i],
				 vbus_conn_queue(conn, 2 * i + 1));
	}
	return 0;
}

static void vdm_net_stop(struct vbus_conn *conn)
{
	struct net_device *ndev = to_vdm_net(vbus_conn_device(conn))->ndev;
	struct vdm_net_port *port = netdev_priv(ndev);
	u32 i;

	netif_carrier_off(ndev);
	for (i = 0; i < port->active; i++) {
		vdm_net_tx_stop(&port->pairs[i]);
		vdm_net_rx_stop(&port->pairs[i]);
	}
	WRITE_ONCE(port->active, 0);
	WRITE_ONCE(port->features, 0);
}

static void vdm_net_kick_now(struct vdm_net_pair *pair, bool tx)
{
	if (tx)
		napi_schedule(&pair->tx.napi);
	else
		netif_tx_wake_queue(netdev_get_tx_queue(pair->ndev,
							pair->index));
}

/*
 * Both kinds of work end in a softirq.  It should run at once, on this CPU:
 *	- inside an interrupt or with bottom halves off, it will: do it;
 *	- in process context, the end of a BH-off section runs it;
 *	- with interrupts off in process context (the wake-up callback of a
 *	  doorbell eventfd) it would be left to ksoftirqd, which costs a thread
 *	  switch: an irq_work makes the interrupt that it can follow.
 */
void vdm_net_kick(struct vbus_queue *q)
{
	struct vdm_net_pair *pair = q->priv;
	bool tx = q->index & 1;

	if (tx)
		this_cpu_inc(*pair->tx.kicks);
	else
		this_cpu_inc(*pair->rx.kicks);
	if (in_interrupt()) {
		vdm_net_kick_now(pair, tx);
	} else if (irqs_disabled()) {
		irq_work_queue(tx ? &pair->tx.work : &pair->rx.work);
	} else {
		local_bh_disable();
		vdm_net_kick_now(pair, tx);
		local_bh_enable();
	}
}

static void vdm_net_config_read(struct vbus_device *dev, u32 off, void *buf,
				u32 len)
{
	memcpy(buf, (u8 *)&to_vdm_net(dev)->config + off, len);
}

static struct vbus_model vdm_net_model = {
	.name = "net",
	.class_id = VBUS_CLASS_NET,
	.version = VBUS_NET_VERSION,
	.owner = THIS_MODULE,
	.attrs = vdm_net_attrs,
	.nr_stats = VDM_NET_NR_STATS,
	.stat_names = vdm_net_stat_names,
	.alloc = vdm_net_alloc,
	.free = vdm_net_free,
	.enable = vdm_net_enable,
	.disable = vdm_net_disable,
	.device_info = vdm_net_device_info,
	.queue_info = vdm_net_queue_info,
	.accept = vdm_net_accept,
	.start = vdm_net_start,
	.stop = vdm_net_stop,
	.kick = vdm_net_kick,
	.config_read = vdm_net_config_read,
	.stat = vdm_net_stat,
};

static int __init vdm_net_init(void)
{
	BUILD_BUG_ON(sizeof(struct vbus_net_hdr) != VBUS_NET_HDR_SIZE);
	BUILD_BUG_ON(sizeof(struct vbus_net_config) != 32);
	BUILD_BUG_ON(2 * VBUS_NET_MAX_PAIRS > VBUS_MAX_QUEUES);

	return vbus_register_model(&vdm_net_model);
}
module_init(vdm_net_init);

static void __exit vdm_net_exit(void)
{
	vbus_unregister_model(&vdm_net_model);
}
module_exit(vdm_net_exit);

MODULE_DESCRIPTION("vbus host model: network card");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_ALIAS_VBUS_MODEL("net");
