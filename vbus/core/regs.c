// SPDX-License-Identifier: GPL-2.0
/*
 * The register window of <linux/vbus_abi.h>.
 *
 * Registers are made of 32-bit words; a 64-bit register is two, so that both
 * kinds of access share one path.  All under conn->lock.  Nothing a guest
 * writes here is used before it was checked: addresses and sizes when ENABLE is
 * written, features when FEATURES_OK is.
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include "core.h"

static bool vbus_in(u32 off, size_t len, u32 start, u32 size)
{
	return off >= start && off - start < size && len <= size - (off - start);
}

/* Per-queue registers: which queue, and the offset within its stride. */
static struct vbus_conn_queue *vbus_reg_queue(struct vbus_conn *conn, u32 off,
					      u32 *qreg)
{
	u32 q = (off - VBUS_REG_QUEUE_BASE) / VBUS_REG_QUEUE_STRIDE;

	if (q >= conn->info.nr_queues)
		return NULL;
	*qreg = off % VBUS_REG_QUEUE_STRIDE;
	return &conn->queues[array_index_nospec(q, conn->info.nr_queues)];
}

static u32 vbus_qreg_read(const struct vbus_conn_queue *cq, u32 qreg)
{
	struct ioq_pos pos = cq->pos;

	if (cq->q.attached)
		ioq_south_pos(&cq->q.ring, &pos);

	switch (qreg) {
	case VBUS_QREG_SIZE_MAX:
		return cq->info.size_max;
	case VBUS_QREG_SIZE:
		return cq->size;
	case VBUS_QREG_RING:
		return lower_32_bits(cq->ring);
	case VBUS_QREG_RING + 4:
		return upper_32_bits(cq->ring);
	case VBUS_QREG_SEG_MAX:
		return cq->info.seg_max;
	case VBUS_QREG_FLAGS:
		return cq->info.in_order ? VBUS_QUEUE_IN_ORDER : 0;
	case VBUS_QREG_VECTOR:
		return cq->vector;
	case VBUS_QREG_ENABLE:
		return cq->q.attached;
	case VBUS_QREG_POS_DESC:
		return pos.desc;
	case VBUS_QREG_POS_COMP:
		return pos.comp;
	case VBUS_QREG_POS_CHAIN:
		return pos.chain;
	}
	return 0;
}

static u32 vbus_reg_read(struct vbus_conn *conn, u32 off)
{
	const struct vbus_model *model = conn->dev->model;
	struct vbus_conn_queue *cq;
	u32 qreg;

	if (vbus_in(off, 4, VBUS_REG_QUEUE_BASE,
		    VBUS_MAX_QUEUES * VBUS_REG_QUEUE_STRIDE)) {
		cq = vbus_reg_queue(conn, off, &qreg);
		return cq ? vbus_qreg_read(cq, qreg) : 0;
	}

	switch (off) {
	case VBUS_REG_MAGIC:
		return VBUS_MAGIC;
	case VBUS_REG_VERSION:
		return VBUS_VERSION;
	case VBUS_REG_CLASS:
		return model->class_id;
	case VBUS_REG_CLASS_VERSION:
		return model->version;
	case VBUS_REG_FEATURES:
		return lower_32_bits(conn->info.features);
	case VBUS_REG_FEATURES + 4:
		return upper_32_bits(conn->info.features);
	case VBUS_REG_ACCEPTED:
		return lower_32_bits(conn->accepted);
	case VBUS_REG_ACCEPTED + 4:
		return upper_32_bits(conn->accepted);
	case VBUS_REG_STATUS:
		return conn->status | (test_bit(0, &conn->broken) ?
				       VBUS_STATUS_NEEDS_RESET : 0);
	case VBUS_REG_NR_QUEUES:
		return conn->info.nr_queues;
	case VBUS_REG_NR_VECTORS:
		return conn->nr_vectors;
	case VBUS_REG_CONFIG_VECTOR:
		return conn->config_vector;
	case VBUS_REG_CONFIG_GEN:
		return READ_ONCE(conn->dev->config_gen);
	case VBUS_REG_CONFIG_SIZE:
		return conn->info.config_size;
	case VBUS_REG_SLOT:
		return conn->slot->nr;
	case VBUS_REG_HOLD:
		return conn->hold;
	}
	return 0;
}

/* Byte-granular areas. @buf is kernel memory, so copying under a lock is fine. */
static bool vbus_bytes_read(struct vbus_conn *conn, u32 off, void *buf,
			    size_t len)
{
	struct vbus_device *dev = conn->dev;

	if (vbus_in(off, len, VBUS_REG_CONFIG, conn->info.config_size)) {
		off = array_index_nospec(off - VBUS_REG_CONFIG,
					 conn->info.config_size);
		spin_lock_irq(&dev->config_lock);
		dev->model->config_read(dev, off, buf, len);
		spin_unlock_irq(&dev->config_lock);
		return true;
	}
	if (vbus_in(off, len, VBUS_REG_ALIAS, VBUS_ALIAS_SIZE)) {
		off = array_index_nospec(off - VBUS_REG_ALIAS, VBUS_ALIAS_SIZE);
		/* Changes under bus->lock; a torn alias harms nobody. */
		memcpy(buf, conn->slot->alias + off, len);
		return true;
	}
	return false;
}

static int vbus_reg_check(struct vbus_conn *conn, u32 off, size_t len)
{
	if (!conn->connected)
		return -ENODEV;
	if (!len || !vbus_in(off, len, 0, VBUS_WINDOW_SIZE))
		return -EINVAL;
	return 0;
}

int vbus_conn_read(struct vbus_conn *conn, u32 off, void *buf, size_t len)
{
	__le32 words[2];
	int ret;

	mutex_lock(&conn->lock);
	ret = vbus_reg_check(conn, off, len);
	if (ret || vbus_bytes_read(conn, off, buf, len))
		goto unlock;
	if ((len != 4 && len != 8) || !IS_ALIGNED(off, len)) {
		ret = -EINVAL;
		goto unlock;
	}
	words[0] = cpu_to_le32(vbus_reg_read(conn, off));
	if (len == 8)
		words[1] = cpu_to_le32(vbus_reg_read(conn, off + 4));
	memcpy(buf, words, len);
unlock:
	mutex_unlock(&conn->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_read, VBUS_SESSION);

static void vbus_set_low(u64 *reg, u32 value)
{
	*reg = (*reg & GENMASK_ULL(63, 32)) | value;
}

static void vbus_set_high(u64 *reg, u32 value)
{
	*reg = (*reg & GENMASK_ULL(31, 0)) | (u64)value << 32;
}

static int vbus_check_vector(struct vbus_conn *conn, u32 vector)
{
	if (vector != VBUS_NO_VECTOR && vector >= conn->nr_vectors)
		return -EINVAL;
	return 0;
}

static bool vbus_qreg_writable(u32 qreg)
{
	switch (qreg) {
	case VBUS_QREG_SIZE:
	case VBUS_QREG_RING:
	case VBUS_QREG_RING + 4:
	case VBUS_QREG_VECTOR:
	case VBUS_QREG_ENABLE:
	case VBUS_QREG_POS_DESC:
	case VBUS_QREG_POS_COMP:
	case VBUS_QREG_POS_CHAIN:
		return true;
	}
	return false;
}

static int vbus_qreg_write(struct vbus_conn *conn, struct vbus_conn_queue *cq,
			   u32 qreg, u32 value)
{
	int ret;

	if (!vbus_qreg_writable(qreg))
		return -EINVAL;
	/* Where a queue signals may change at any time. */
	if (qreg == VBUS_QREG_VECTOR) {
		ret = vbus_check_vector(conn, value);
		if (!ret)
			WRITE_ONCE(cq->vector, value);
		return ret;
	}
	if (conn->status & VBUS_STATUS_RUNNING)
		return -EBUSY;
	if (qreg == VBUS_QREG_ENABLE) {
		if (value > 1 || !(conn->status & VBUS_STATUS_FEATURES_OK))
			return -EINVAL;
		if (value)
			return vbus_queue_attach(cq);
		vbus_queue_detach(cq);
		return 0;
	}
	if (cq->q.attached)
		return -EBUSY;

	switch (qreg) {
	case VBUS_QREG_SIZE:
		cq->size = value;
		return 0;
	case VBUS_QREG_RING:
		vbus_set_low(&cq->ring, value);
		return 0;
	case VBUS_QREG_RING + 4:
		vbus_set_high(&cq->ring, value);
		return 0;
	case VBUS_QREG_POS_DESC:
		cq->pos.desc = value;
		return 0;
	case VBUS_QREG_POS_COMP:
		cq->pos.comp = value;
		return 0;
	case VBUS_QREG_POS_CHAIN:
		cq->pos.chain = value;
		return 0;
	}
	return -EINVAL;
}

static int vbus_reg_write(struct vbus_conn *conn, u32 off, u32 value)
{
	struct vbus_conn_queue *cq;
	u32 qreg;
	int ret;

	if (vbus_in(off, 4, VBUS_REG_QUEUE_BASE,
		    VBUS_MAX_QUEUES * VBUS_REG_QUEUE_STRIDE)) {
		cq = vbus_reg_queue(conn, off, &qreg);
		return cq ? vbus_qreg_write(conn, cq, qreg, value) : -EINVAL;
	}

	switch (off) {
	case VBUS_REG_ACCEPTED:
	case VBUS_REG_ACCEPTED + 4:
		if (conn->status & VBUS_STATUS_FEATURES_OK)
			return -EBUSY;
		if (off == VBUS_REG_ACCEPTED)
			vbus_set_low(&conn->accepted, value);
		else
			vbus_set_high(&conn->accepted, value);
		return 0;
	case VBUS_REG_STATUS:
		return vbus_conn_set_status(conn, value);
	case VBUS_REG_HOLD:
		return vbus_conn_set_hold(conn, value);
	case VBUS_REG_CONFIG_VECTOR:
		ret = vbus_check_vector(conn, value);
		if (!ret)
			WRITE_ONCE(conn->config_vector, value);
		/* Pairs with those of its signal: see vbus_device_config_changed(). */
		smp_mb();
		return ret;
	}
	return -EINVAL;
}

/* A 64-bit write makes sense only where both words are one register. */
static bool vbus_is_reg64(u32 off)
{
	if (off == VBUS_REG_ACCEPTED)
		return true;
	return vbus_in(off, 8, VBUS_REG_QUEUE_BASE,
		       VBUS_MAX_QUEUES * VBUS_REG_QUEUE_STRIDE) &&
	       off % VBUS_REG_QUEUE_STRIDE == VBUS_QREG_RING;
}

int vbus_conn_write(struct vbus_conn *conn, u32 off, const void *buf,
		    size_t len)
{
	struct mem_cgroup *old;
	__le32 words[2];
	int ret;

	if (len == 4 && IS_ALIGNED(off, 4) &&
	    vbus_in(off, 4, VBUS_REG_DOORBELL_BASE,
		    VBUS_MAX_QUEUES * VBUS_REG_DOORBELL_STRIDE)) {
		/* The slow way to kick, where a VMM has no eventfd for it. */
		vbus_conn_kick(conn, (off - VBUS_REG_DOORBELL_BASE) /
			       VBUS_REG_DOORBELL_STRIDE);
		return READ_ONCE(conn->connected) ? 0 : -ENODEV;
	}

	mutex_lock(&conn->lock);
	ret = vbus_reg_check(conn, off, len);
	if (ret)
		goto unlock;
	if ((len != 4 && !(len == 8 && vbus_is_reg64(off))) ||
	    !IS_ALIGNED(off, len)) {
		ret = -EINVAL;
		goto unlock;
	}
	memcpy(words, buf, len);
	/* A start allocates, and for a guest without PCI a worker comes here. */
	old = set_active_memcg(conn->memcg);
	ret = vbus_reg_write(conn, off, le32_to_cpu(words[0]));
	/* Both halves are refused for the same reasons: all or nothing. */
	if (!ret && len == 8)
		ret = vbus_reg_write(conn, off + 4, le32_to_cpu(words[1]));
	set_active_memcg(old);
unlock:
	mutex_unlock(&conn->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_write, VBUS_SESSION);
