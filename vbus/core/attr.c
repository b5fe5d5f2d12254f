// SPDX-License-Identifier: GPL-2.0
/*
 * Attribute groups of a device fd: INFO, CONFIG, STATE, STATS.
 *
 * Callers hold conn->lock and have checked that the connection lives.  Values are
 * in kernel memory: ioctl.c copies them from and to the caller without the lock.
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "core.h"

/* Fills @buf; returns the value's size or errno. */
typedef int (*vbus_attr_get_t)(struct vbus_conn *conn, u32 attr, void *buf);

static int vbus_put_u32(void *buf, u32 value)
{
	memcpy(buf, &value, sizeof(value));
	return sizeof(value);
}

static int vbus_info_get(struct vbus_conn *conn, u32 attr, void *buf)
{
	size_t len;

	switch (attr) {
	case VBUS_INFO_NAME:
		len = strlen(conn->dev->name);
		memcpy(buf, conn->dev->name, len);
		return len;
	case VBUS_INFO_CLASS:
		return vbus_put_u32(buf, conn->dev->model->class_id);
	case VBUS_INFO_ALIAS:
		len = strnlen(conn->slot->alias, VBUS_ALIAS_SIZE);
		memcpy(buf, conn->slot->alias, len);
		return len;
	case VBUS_INFO_NR_QUEUES:
		return vbus_put_u32(buf, conn->info.nr_queues);
	case VBUS_INFO_NR_VECTORS:
		return vbus_put_u32(buf, conn->nr_vectors);
	}
	return -ENXIO;
}

static int vbus_config_get(struct vbus_conn *conn, u32 attr, void *buf)
{
	struct vbus_device *dev = conn->dev;

	if (attr)
		return -ENXIO;
	spin_lock_irq(&dev->config_lock);
	dev->model->config_read(dev, 0, buf, conn->info.config_size);
	spin_unlock_irq(&dev->config_lock);
	return conn->info.config_size;
}

static int vbus_stats_get(struct vbus_conn *conn, u32 attr, void *buf)
{
	const struct vbus_model *model = conn->dev->model;
	unsigned int i;
	int len = 0;
	u64 value;

	if (attr == VBUS_STATS_NAMES) {
		for (i = 0; i < model->nr_stats; i++)
			len += scnprintf(buf + len, VBUS_ATTR_MAX - len, "%s\n",
					 model->stat_names[i]);
		return len;
	}
	if (attr >= model->nr_stats)
		return -ENXIO;
	value = model->stat(conn->dev, array_index_nospec(attr,
							  model->nr_stats));
	memcpy(buf, &value, sizeof(value));
	return sizeof(value);
}

static struct vbus_conn_queue *vbus_state_queue(struct vbus_conn *conn,
						u32 attr)
{
	u32 q = attr - VBUS_STATE_QUEUE(0);

	if (attr < VBUS_STATE_QUEUE(0) || q >= conn->info.nr_queues)
		return NULL;
	return &conn->queues[array_index_nospec(q, conn->info.nr_queues)];
}

/*
 * State is that of a device at rest: reset, paused, or not yet running.  Else
 * positions would be stale before the caller sees them.
 */
static int vbus_state_get(struct vbus_conn *conn, u32 attr, void *buf)
{
	struct vbus_state_device device = {
		.accepted = conn->accepted,
		.status = conn->status,
		.config_vector = conn->config_vector,
	};
	struct vbus_state_queue queue = {};
	struct vbus_conn_queue *cq;
	struct ioq_pos pos;

	if (attr == VBUS_STATE_RUN)
		return vbus_put_u32(buf, !conn->paused);
	cq = vbus_state_queue(conn, attr);
	if (attr != VBUS_STATE_DEVICE && !cq)
		return -ENXIO;
	if (conn->started)
		return -EBUSY;
	if (attr == VBUS_STATE_DEVICE) {
		memcpy(buf, &device, sizeof(device));
		return sizeof(device);
	}

	pos = cq->pos;
	if (cq->q.attached)
		ioq_south_pos(&cq->q.ring, &pos);
	queue.ring = cq->ring;
	queue.size = cq->size;
	queue.vector = cq->vector;
	queue.enable = cq->q.attached;
	queue.pos_desc = pos.desc;
	queue.pos_comp = pos.comp;
	queue.pos_chain = pos.chain;
	memcpy(buf, &queue, sizeof(queue));
	return sizeof(queue);
}

static int vbus_state_set_device(struct vbus_conn *conn,
				 const struct vbus_state_device *state)
{
	int ret;

	if (conn->status)
		return -EBUSY;
	if (state->config_vector != VBUS_NO_VECTOR &&
	    state->config_vector >= conn->nr_vectors)
		return -EINVAL;

	/* Features as the guest would set them, but start only on RUN. */
	conn->accepted = state->accepted;
	ret = vbus_conn_set_status(conn, state->status & ~VBUS_STATUS_RUNNING);
	if (!ret && (conn->status | VBUS_STATUS_RUNNING) !=
		    (state->status | VBUS_STATUS_RUNNING))
		ret = -EINVAL;
	if (!ret && state->status & VBUS_STATUS_RUNNING &&
	    !(state->status & VBUS_STATUS_FEATURES_OK))
		ret = -EINVAL;
	if (ret) {
		vbus_conn_reset(conn);
		return ret;
	}
	WRITE_ONCE(conn->status, state->status);
	WRITE_ONCE(conn->config_vector, state->config_vector);
	conn->paused = state->status & VBUS_STATUS_RUNNING;
	return 0;
}

static int vbus_state_set_queue(struct vbus_conn *conn,
				struct vbus_conn_queue *cq,
				const struct vbus_state_queue *state)
{
	int ret;

	if (conn->started || cq->q.attached)
		return -EBUSY;
	if (state->enable > 1 ||
	    (state->enable && !(conn->status & VBUS_STATUS_FEATURES_OK)) ||
	    (state->vector != VBUS_NO_VECTOR &&
	     state->vector >= conn->nr_vectors))
		return -EINVAL;

	cq->ring = state->ring;
	cq->size = state->size;
	cq->pos.desc = state->pos_desc;
	cq->pos.comp = state->pos_comp;
	cq->pos.chain = state->pos_chain;
	if (state->enable) {
		ret = vbus_queue_attach(cq);
		if (ret) {
			vbus_queue_detach(cq);
			return ret;
		}
	}
	WRITE_ONCE(cq->vector, state->vector);
	return 0;
}

/*
 * 0 stops a running device where it stands, 1 lets it go on.  A broken one stays where
 * it is until it was reset.
 */
static int vbus_state_set_run(struct vbus_conn *conn, u32 run)
{
	int ret;

	if (run > 1 || !(conn->status & VBUS_STATUS_RUNNING))
		return -EINVAL;
	if (!run) {
		vbus_conn_stop(conn);
		conn->paused = true;
		return 0;
	}
	if (!conn->paused)
		return test_bit(0, &conn->broken) ? -EIO : 0;
	ret = vbus_conn_start(conn);
	if (!ret)
		conn->paused = false;
	return ret;
}

/* Is the value the caller gave as long as it must be, and could it be read? */
static int vbus_attr_check(const struct vbus_dev_attr *attr, size_t size,
			   int fault)
{
	return attr->length != size ? -EINVAL : fault;
}

static int vbus_state_set(struct vbus_conn *conn,
			  const struct vbus_dev_attr *attr,
			  const union vbus_attr_value *value, int fault)
{
	struct vbus_conn_queue *cq;
	int ret;

	if (attr->attr == VBUS_STATE_RUN) {
		ret = vbus_attr_check(attr, sizeof(value->run), fault);
		return ret ?: vbus_state_set_run(conn, value->run);
	}
	if (attr->attr == VBUS_STATE_DEVICE) {
		ret = vbus_attr_check(attr, sizeof(value->device), fault);
		return ret ?: vbus_state_set_device(conn, &value->device);
	}
	cq = vbus_state_queue(conn, attr->attr);
	if (!cq)
		return -ENXIO;
	ret = vbus_attr_check(attr, sizeof(value->queue), fault);
	return ret ?: vbus_state_set_queue(conn, cq, &value->queue);
}

static vbus_attr_get_t vbus_attr_getter(u32 group)
{
	switch (group) {
	case VBUS_GROUP_INFO:
		return vbus_info_get;
	case VBUS_GROUP_CONFIG:
		return vbus_config_get;
	case VBUS_GROUP_STATE:
		return vbus_state_get;
	case VBUS_GROUP_STATS:
		return vbus_stats_get;
	}
	return NULL;
}

/* @buf has VBUS_ATTR_MAX bytes. Returns the value's size, or errno. */
int vbus_conn_get_attr(struct vbus_conn *conn, u32 group, u32 attr, void *buf)
{
	vbus_attr_get_t get = vbus_attr_getter(group);

	return get ? get(conn, attr, buf) : -ENXIO;
}

/* @value was read from the caller, as far as @fault is 0. */
int vbus_conn_set_attr(struct vbus_conn *conn, const struct vbus_dev_attr *attr,
		       const union vbus_attr_value *value, int fault)
{
	vbus_attr_get_t get = vbus_attr_getter(attr->group);
	struct mem_cgroup *old;
	void *buf;
	int ret;

	if (attr->group == VBUS_GROUP_STATE) {
		old = set_active_memcg(conn->memcg);
		ret = vbus_state_set(conn, attr, value, fault);
		set_active_memcg(old);
		return ret;
	}
	if (!get)
		return -ENXIO;

	/* Read-only, if it exists at all. */
	buf = kzalloc(VBUS_ATTR_MAX, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	ret = get(conn, attr->attr, buf);
	kfree(buf);
	return ret == -ENXIO ? ret : -EPERM;
}
