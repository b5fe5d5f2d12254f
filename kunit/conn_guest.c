// SPDX-License-Identifier: GPL-2.0
/*
 * The guest of conn_guest.h.  Cases run one at a time, so it has no locks.
 */
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/umh.h>
#include <vbus/host/memory.h>
#include "conn_guest.h"

#define CONN_GUEST_ROOT	"/sys/kernel/config/vbus/"

int conn_guest_shell(const char *command)
{
	char shell[] = "/bin/sh", option[] = "-c";
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *envp[2] = { path, NULL };
	char *argv[4] = { shell, option, NULL, NULL };
	int ret;

	argv[2] = kasprintf(GFP_KERNEL, "cd " CONN_GUEST_ROOT " && %s", command);
	if (!argv[2])
		return -ENOMEM;
	ret = call_usermodehelper(shell, argv, envp, UMH_WAIT_PROC);
	kfree(argv[2]);
	return ret < 0 ? ret : ret >> 8;
}
EXPORT_SYMBOL_GPL(conn_guest_shell);

static struct file *conn_guest_open(const char *path, int flags)
{
	struct file *file;
	char *full;

	full = kasprintf(GFP_KERNEL, CONN_GUEST_ROOT "%s", path);
	if (!full)
		return ERR_PTR(-ENOMEM);
	file = filp_open(full, flags, 0);
	kfree(full);
	return file;
}

int conn_guest_write(const char *path, const char *value)
{
	struct file *file = conn_guest_open(path, O_WRONLY);
	loff_t pos = 0;
	ssize_t ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = kernel_write(file, value, strlen(value), &pos);
	filp_close(file, NULL);
	return ret < 0 ? ret : 0;
}
EXPORT_SYMBOL_GPL(conn_guest_write);

int conn_guest_read(const char *path, char *text, size_t size)
{
	struct file *file = conn_guest_open(path, O_RDONLY);
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
EXPORT_SYMBOL_GPL(conn_guest_read);

u64 conn_guest_stat(struct conn_guest *g, const char *name)
{
	char *text = kunit_kzalloc(g->test, PAGE_SIZE, GFP_KERNEL);
	char path[96], *pos = text, *line;
	u64 val = U64_MAX;

	KUNIT_ASSERT_NOT_NULL(g->test, text);
	snprintf(path, sizeof(path), "devices/%s/stats", g->device);
	KUNIT_ASSERT_EQ(g->test, 0, conn_guest_read(path, text, PAGE_SIZE));
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
EXPORT_SYMBOL_GPL(conn_guest_stat);

static void conn_guest_event(void *priv)
{
}

static const struct vbus_session_ops conn_guest_ops = {
	.event_pending = conn_guest_event,
};

static void conn_guest_attach(struct conn_guest *g)
{
	struct kunit *test = g->test;
	struct vbus_session *session;
	struct vbus_conn *conn;
	struct vbus_mem *mem;

	mem = vbus_mem_create_direct();
	KUNIT_ASSERT_FALSE(test, IS_ERR(mem));
	session = vbus_session_open("kt", mem, &conn_guest_ops, g);
	if (IS_ERR(session))
		vbus_mem_destroy(mem);
	KUNIT_ASSERT_FALSE(test, IS_ERR(session));
	g->session = session;
	conn = vbus_conn_open(session, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(conn));
	g->conn = conn;
}

void conn_guest_init(struct conn_guest *g, struct kunit *test,
		     const char *device, size_t buf_size)
{
	char command[96];
	u32 i;

	g->test = test;
	g->device = device;
	g->buf_size = buf_size;
	g->buf = alloc_pages_exact(buf_size, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, g->buf);
	for (i = 0; i < CONN_GUEST_QUEUES; i++) {
		g->q[i].area =
			alloc_pages_exact(ioq_bytes(CONN_GUEST_RING_MAX),
					  GFP_KERNEL);
		g->q[i].state =
			kzalloc(ioq_north_state_bytes(CONN_GUEST_RING_MAX),
				GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, g->q[i].area);
		KUNIT_ASSERT_NOT_NULL(test, g->q[i].state);
	}
	snprintf(command, sizeof(command),
		 "mkdir devices/%s buses/kt buses/kt/slots/1", device);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_shell(command));
}
EXPORT_SYMBOL_GPL(conn_guest_init);

int conn_guest_attr(struct conn_guest *g, const char *attr, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "devices/%s/%s", g->device, attr);
	return conn_guest_write(path, value);
}
EXPORT_SYMBOL_GPL(conn_guest_attr);

void conn_guest_plug(struct conn_guest *g)
{
	char command[96];

	snprintf(command, sizeof(command),
		 "ln -s $PWD/devices/%s buses/kt/slots/1/device", g->device);
	KUNIT_ASSERT_EQ(g->test, 0, conn_guest_shell(command));
	conn_guest_attach(g);
}
EXPORT_SYMBOL_GPL(conn_guest_plug);

void conn_guest_unplug(struct conn_guest *g)
{
	if (g->conn)
		vbus_conn_close(g->conn);
	g->conn = NULL;
	if (g->session)
		vbus_session_close(g->session);
	g->session = NULL;
	conn_guest_shell("rm -f buses/kt/slots/1/device");
}
EXPORT_SYMBOL_GPL(conn_guest_unplug);

void conn_guest_destroy(struct conn_guest *g)
{
	char command[96];
	u32 i;

	conn_guest_unplug(g);
	snprintf(command, sizeof(command),
		 "rmdir buses/kt/slots/1 buses/kt devices/%s", g->device);
	conn_guest_shell(command);
	for (i = 0; i < CONN_GUEST_QUEUES; i++) {
		if (g->q[i].area)
			free_pages_exact(g->q[i].area,
					 ioq_bytes(CONN_GUEST_RING_MAX));
		kfree(g->q[i].state);
	}
	if (g->buf)
		free_pages_exact(g->buf, g->buf_size);
}
EXPORT_SYMBOL_GPL(conn_guest_destroy);

u32 conn_guest_reg(struct conn_guest *g, u32 off)
{
	__le32 val = 0;

	KUNIT_EXPECT_EQ(g->test, 0, vbus_conn_read(g->conn, off, &val, 4));
	return le32_to_cpu(val);
}
EXPORT_SYMBOL_GPL(conn_guest_reg);

int conn_guest_set(struct conn_guest *g, u32 off, u32 val)
{
	__le32 word = cpu_to_le32(val);

	return vbus_conn_write(g->conn, off, &word, 4);
}
EXPORT_SYMBOL_GPL(conn_guest_set);

int conn_guest_set64(struct conn_guest *g, u32 off, u64 val)
{
	__le64 word = cpu_to_le64(val);

	return vbus_conn_write(g->conn, off, &word, 8);
}
EXPORT_SYMBOL_GPL(conn_guest_set64);

bool conn_guest_broken(struct conn_guest *g)
{
	return conn_guest_reg(g, VBUS_REG_STATUS) & VBUS_STATUS_NEEDS_RESET;
}
EXPORT_SYMBOL_GPL(conn_guest_broken);

static void conn_guest_signal(void *arg)
{
	atomic_inc(arg);
}

int conn_guest_negotiate(struct conn_guest *g, u64 features)
{
	u32 status = VBUS_STATUS_DRIVER;
	int ret;

	conn_guest_reset(g);
	ret = conn_guest_set(g, VBUS_REG_STATUS, status);
	if (!ret)
		ret = conn_guest_set64(g, VBUS_REG_ACCEPTED, features);
	status |= VBUS_STATUS_FEATURES_OK;
	if (!ret)
		ret = conn_guest_set(g, VBUS_REG_STATUS, status);
	if (!ret && conn_guest_reg(g, VBUS_REG_STATUS) != status)
		ret = -EOPNOTSUPP;
	return ret;
}
EXPORT_SYMBOL_GPL(conn_guest_negotiate);

int conn_guest_enable(struct conn_guest *g, u32 queue, u32 size)
{
	struct conn_guest_queue *q = &g->q[queue];
	u32 reg = VBUS_REG_QUEUE(queue);
	int ret;

	atomic_set(&q->signals, 0);
	ret = ioq_north_init(&q->north, q->area, size,
			     conn_guest_reg(g, reg + VBUS_QREG_FLAGS) &
			     VBUS_QUEUE_IN_ORDER ? IOQ_F_IN_ORDER : 0,
			     q->state);
	if (!ret)
		ret = vbus_conn_set_irq_fn(g->conn, queue, conn_guest_signal,
					   &q->signals);
	if (!ret)
		ret = conn_guest_set(g, reg + VBUS_QREG_VECTOR, queue);
	if (!ret)
		ret = conn_guest_set(g, reg + VBUS_QREG_SIZE, size);
	if (!ret)
		ret = conn_guest_set64(g, reg + VBUS_QREG_RING,
				       virt_to_phys(q->area));
	if (!ret)
		ret = conn_guest_set(g, reg + VBUS_QREG_ENABLE, 1);
	return ret;
}
EXPORT_SYMBOL_GPL(conn_guest_enable);

int conn_guest_start(struct conn_guest *g, u64 features, u32 nr, u32 size)
{
	u32 vector = conn_guest_reg(g, VBUS_REG_NR_QUEUES), i;
	int ret;

	ret = conn_guest_negotiate(g, features);
	if (ret)
		return ret;
	ret = vbus_conn_set_irq_fn(g->conn, vector, conn_guest_signal,
				   &g->changes);
	if (!ret)
		ret = conn_guest_set(g, VBUS_REG_CONFIG_VECTOR, vector);
	for (i = 0; !ret && i < nr; i++)
		ret = conn_guest_enable(g, i, size);
	if (!ret)
		ret = conn_guest_set(g, VBUS_REG_STATUS, VBUS_STATUS_DRIVER |
				     VBUS_STATUS_FEATURES_OK |
				     VBUS_STATUS_RUNNING);
	return ret;
}
EXPORT_SYMBOL_GPL(conn_guest_start);

void conn_guest_reset(struct conn_guest *g)
{
	KUNIT_EXPECT_EQ(g->test, 0, conn_guest_set(g, VBUS_REG_STATUS, 0));
}
EXPORT_SYMBOL_GPL(conn_guest_reset);

void conn_guest_kick(struct conn_guest *g, u32 q)
{
	ioq_north_publish(&g->q[q].north);
	vbus_conn_kick(g->conn, q);
}
EXPORT_SYMBOL_GPL(conn_guest_kick);

MODULE_DESCRIPTION("vbus test helper: guest of a host model");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
