// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "null": measures what lies between a guest and its devices.
 *
 * What to measure is written to debugfs: a line written to vbus/<device>/run starts a
 * run, the write returns when it is over, and vbus/<device>/result has the numbers.
 * Without debugfs it binds to the devices and does nothing with them.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "vnull.h"

#define VNULL_VERSION	1

/* Longest line that is taken; sensible ones are far shorter. */
#define VNULL_LINE	64

/* Directory "vbus" of debugfs; an error without debugfs. */
static struct dentry *vnull_root;

/* --- debugfs --- */

/**
 * vnull_command() - do what a line says: "<what> <count> [<batch>]"
 * @nd: the device
 * @text: the line, which is taken apart
 *
 * Return: 0; -EBUSY there is a run; or as vnull_measure().
 */
int vnull_command(struct vnull *nd, char *text)
{
	char *words[3] = { }, *rest = strim(text);
	struct vnull_result res = { };
	u32 count, batch = 0;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(words) && rest; i++)
		words[i] = strsep(&rest, " ");
	if (rest || !words[1])
		return -EINVAL;
	err = kstrtou32(words[1], 10, &count);
	if (!err && words[2]) {
		err = kstrtou32(words[2], 10, &batch);
		if (!err && !batch)
			err = -ERANGE;
	}
	if (err)
		return err;
	if (!mutex_trylock(&nd->lock))
		return -EBUSY;
	/* After a failure the result before must not be read again. */
	mutex_lock(&nd->result_lock);
	nd->result = res;
	mutex_unlock(&nd->result_lock);
	err = vnull_measure(nd, words[0], count, batch, &res);
	mutex_lock(&nd->result_lock);
	nd->result = res;
	mutex_unlock(&nd->result_lock);
	mutex_unlock(&nd->lock);
	return err;
}

static ssize_t vnull_run_write(struct file *file, const char __user *ubuf,
			       size_t len, loff_t *pos)
{
	struct vnull *nd = file->private_data;
	char *text;
	int err;

	if (len > VNULL_LINE)
		return -EINVAL;
	text = memdup_user_nul(ubuf, len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = vnull_command(nd, text);
	kfree(text);
	return err ?: len;
}

static const struct file_operations vnull_run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = vnull_run_write,
	.llseek = no_llseek,
};

static int vnull_result_show(struct seq_file *m, void *unused)
{
	struct vnull *nd = m->private;
	struct vnull_result res;

	mutex_lock(&nd->result_lock);
	res = nd->result;
	mutex_unlock(&nd->result_lock);
	if (!res.what)
		return 0;
	seq_printf(m, "what %s\n", res.what);
	seq_printf(m, "count %llu\n", res.count);
	if (res.batch)
		seq_printf(m, "batch %u\n", res.batch);
	if (res.quantiles)
		seq_printf(m, "min %llu\nmedian %llu\np99 %llu\nmax %llu\n",
			   res.min, res.median, res.p99, res.max);
	seq_printf(m, "mean %llu\n", res.mean);
	if (res.rate)
		seq_printf(m, "per_second %llu\n", res.per_second);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vnull_result);

/* Failures are none: the device is there, only nobody can measure it. */
static void vnull_debugfs_add(struct vnull *nd)
{
	nd->dir = debugfs_create_dir(dev_name(&nd->vdev->dev), vnull_root);
	debugfs_create_file("run", 0200, nd->dir, nd, &vnull_run_fops);
	debugfs_create_file("result", 0400, nd->dir, nd, &vnull_result_fops);
}

/* --- the device --- */

static void vnull_die(struct vnull *nd)
{
	WRITE_ONCE(nd->dead, true);
	wake_up_all(&nd->wait);
}

static void vnull_config_changed(struct vproxy_device *vdev)
{
	struct vnull *nd = vproxy_drvdata(vdev);

	if (READ_ONCE(nd->dead))
		return;
	if (!vproxy_device_gone(vdev)) {
		if (!vproxy_needs_reset(vdev))
			return;
		dev_err(&vdev->dev, "the device has stopped; bind the driver again to restart it\n");
	}
	vnull_die(nd);
}

static int vnull_start(struct vnull *nd)
{
	const struct vproxy_queue_params params = {
		.name = "chains",
		.signal = vnull_signal,
		.priv = nd,
	};
	int err;

	err = vproxy_create_queues(nd->vdev, 1, &params);
	if (err)
		return err;
	nd->vq = vproxy_queue(nd->vdev, 0);
	err = vproxy_device_ready(nd->vdev);
	if (err) {
		vproxy_reset(nd->vdev);
		vproxy_delete_queues(nd->vdev);
	}
	return err;
}

static void vnull_stop(struct vnull *nd)
{
	vproxy_reset(nd->vdev);
	/* One that a late signal has scheduled. */
	tasklet_kill(&nd->flood);
	while (ioq_north_detach(&nd->vq->ring))
		;
	vproxy_delete_queues(nd->vdev);
}

static int vnull_probe(struct vproxy_device *vdev)
{
	struct vnull *nd;
	int err;

	if (vdev->class_version != VNULL_VERSION) {
		dev_err(&vdev->dev, "version %u of the null class, can only do %u\n",
			vdev->class_version, VNULL_VERSION);
		return -ENODEV;
	}
	nd = kzalloc(sizeof(*nd), GFP_KERNEL);
	if (!nd)
		return -ENOMEM;
	nd->vdev = vdev;
	mutex_init(&nd->lock);
	mutex_init(&nd->result_lock);
	spin_lock_init(&nd->signal_lock);
	init_waitqueue_head(&nd->wait);
	tasklet_setup(&nd->flood, vnull_flood_serve);
	vproxy_set_drvdata(vdev, nd);

	/* All of it: the host can read what lies beside a chain on its page. */
	nd->page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!nd->page) {
		err = -ENOMEM;
		goto free;
	}
	nd->dma = dma_map_single(vdev->dma_dev, nd->page, PAGE_SIZE,
				 DMA_TO_DEVICE);
	if (dma_mapping_error(vdev->dma_dev, nd->dma)) {
		err = -ENOMEM;
		goto free_page;
	}
	err = vnull_start(nd);
	if (err)
		goto unmap;
	vnull_debugfs_add(nd);
	return 0;

unmap:
	dma_unmap_single(vdev->dma_dev, nd->dma, PAGE_SIZE, DMA_TO_DEVICE);
free_page:
	free_page((unsigned long)nd->page);
free:
	kfree(nd);
	return err;
}

static void vnull_remove(struct vproxy_device *vdev)
{
	struct vnull *nd = vproxy_drvdata(vdev);

	/* A run ends, and removing its file waits for that. */
	vnull_die(nd);
	debugfs_remove_recursive(nd->dir);
	vnull_stop(nd);
	dma_unmap_single(vdev->dma_dev, nd->dma, PAGE_SIZE, DMA_TO_DEVICE);
	free_page((unsigned long)nd->page);
	kfree(nd);
}

static struct vproxy_driver vnull_driver = {
	.driver = {
		.name = "vbus-null",
	},
	.class_id = VBUS_CLASS_NULL,
	.probe = vnull_probe,
	.remove = vnull_remove,
	.config_changed = vnull_config_changed,
};

static int __init vnull_init(void)
{
	int err;

	vnull_root = debugfs_create_dir("vbus", NULL);
	err = vproxy_register_driver(&vnull_driver);
	if (err)
		debugfs_remove_recursive(vnull_root);
	return err;
}

static void __exit vnull_exit(void)
{
	vproxy_unregister_driver(&vnull_driver);
	debugfs_remove_recursive(vnull_root);
}

module_init(vnull_init);
module_exit(vnull_exit);

MODULE_DESCRIPTION("vbus guest driver that measures what devices cost");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_ALIAS("vbus:null");
