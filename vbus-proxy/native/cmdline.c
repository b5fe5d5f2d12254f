// SPDX-License-Identifier: GPL-2.0
/*
 * Windows that the command line tells of:
 *
 *	vbus_native.device=<size>@<address>:<irq>[-<irq>][:<id>]
 *
 * Parameters are parsed before the module's init runs, one at a time, so they are
 * only noted, in memory that goes with the module if it is not loaded after all; init
 * makes platform devices of them.  Nothing changes the table after that.
 */
#define pr_fmt(fmt) "vbus-native: " fmt

#include <kunit/visibility.h>
#include <linux/acpi.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/platform_device.h>
#include <linux/string.h>
#include "vnat.h"

#define VNAT_CMDLINE_MAX	16
/* The longest value that could make sense. */
#define VNAT_CMDLINE_LEN	96

static struct vnat_cmdline vnat_windows[VNAT_CMDLINE_MAX];
static struct platform_device *vnat_pdevs[VNAT_CMDLINE_MAX];
static unsigned int vnat_nr_windows;

/* memparse() takes suffixes, and an empty string for 0. */
static int vnat_parse_size(const char *str, u64 *size)
{
	char *end;

	*size = memparse(str, &end);
	return end == str || *end || *size < VBUS_NATIVE_WINDOW_SIZE ||
	       *size > INT_MAX ? -EINVAL : 0;
}

/* One interrupt for each event queue. */
static int vnat_parse_irqs(char *str, struct vnat_cmdline *win)
{
	char *first = strsep(&str, "-");

	if (kstrtouint(first, 0, &win->irq_first))
		return -EINVAL;
	win->irq_last = win->irq_first;
	if (str && kstrtouint(str, 0, &win->irq_last))
		return -EINVAL;
	if (win->irq_last < win->irq_first ||
	    win->irq_last - win->irq_first >= VBUS_NATIVE_MAX_QUEUES ||
	    win->irq_last > INT_MAX)
		return -EINVAL;
	return 0;
}

/**
 * vnat_cmdline_parse() - understand one value of the parameter
 * @val: <size>@<address>:<irq>[-<irq>][:<id>]
 * @win: filled in
 *
 * Return: 0 or -EINVAL.
 */
int vnat_cmdline_parse(const char *val, struct vnat_cmdline *win)
{
	char buf[VNAT_CMDLINE_LEN], *rest, *size, *address, *irqs;

	if (strscpy(buf, val, sizeof(buf)) < 0)
		return -EINVAL;
	rest = strim(buf);
	size = strsep(&rest, "@");
	address = strsep(&rest, ":");
	irqs = strsep(&rest, ":");
	if (!address || !irqs)
		return -EINVAL;
	if (vnat_parse_size(size, &win->size) ||
	    kstrtou64(address, 0, &win->address) ||
	    vnat_parse_irqs(irqs, win))
		return -EINVAL;
	if (win->address % VBUS_NATIVE_PAGE_SIZE ||
	    win->address > U64_MAX - win->size)
		return -EINVAL;
	win->id = PLATFORM_DEVID_AUTO;
	if (rest && (kstrtoint(rest, 0, &win->id) || win->id < 0))
		return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vnat_cmdline_parse);

static bool vnat_id_used(int id)
{
	unsigned int i;

	for (i = 0; i < vnat_nr_windows; i++)
		if (id >= 0 && vnat_windows[i].id == id)
			return true;
	return false;
}

static int vnat_device_set(const char *val, const struct kernel_param *kp)
{
	struct vnat_cmdline *win = &vnat_windows[vnat_nr_windows];

	if (vnat_nr_windows == VNAT_CMDLINE_MAX) {
		pr_err("no more than %d devices\n", VNAT_CMDLINE_MAX);
		return -ENOSPC;
	}
	if (!val || vnat_cmdline_parse(val, win)) {
		pr_err("device=%s is not <size>@<address>:<irq>[-<irq>][:<id>] with at least 0x%x bytes at a multiple of 0x%x\n",
		       val ?: "", VBUS_NATIVE_WINDOW_SIZE,
		       VBUS_NATIVE_PAGE_SIZE);
		return -EINVAL;
	}
	if (vnat_id_used(win->id)) {
		pr_err("device=%s: there is a device %d already\n", val,
		       win->id);
		return -EINVAL;
	}
	vnat_nr_windows++;
	return 0;
}

/* As they could be given again, one on each line. */
static int vnat_device_get(char *page, const struct kernel_param *kp)
{
	const struct vnat_cmdline *win;
	unsigned int i;
	int len = 0;

	for (i = 0; i < vnat_nr_windows; i++) {
		win = &vnat_windows[i];
		len += sysfs_emit_at(page, len, "0x%llx@0x%llx:%u-%u",
				     win->size, win->address, win->irq_first,
				     win->irq_last);
		if (win->id >= 0)
			len += sysfs_emit_at(page, len, ":%d", win->id);
		len += sysfs_emit_at(page, len, "\n");
	}
	return len;
}

static const struct kernel_param_ops vnat_device_ops = {
	.set = vnat_device_set,
	.get = vnat_device_get,
};
module_param_cb(device, &vnat_device_ops, NULL, 0444);
MODULE_PARM_DESC(device, "a bus: <size>@<address>:<irq>[-<irq>][:<id>], may be given more than once");

/*
 * With ACPI an interrupt's number is that of a pin of the interrupt controllers,
 * and the kernel has to make an interrupt of it; the device side pulses it.
 */
static int vnat_map_irq(unsigned int irq)
{
#ifdef CONFIG_ACPI
	if (!acpi_disabled)
		return acpi_register_gsi(NULL, irq, ACPI_EDGE_SENSITIVE,
					 ACPI_ACTIVE_HIGH);
#endif
	return irq;
}

static void vnat_unmap_irq(unsigned int irq)
{
#ifdef CONFIG_ACPI
	if (!acpi_disabled)
		acpi_unregister_gsi(irq);
#endif
}

static void vnat_unmap_irqs(const struct vnat_cmdline *win, unsigned int nr)
{
	while (nr--)
		vnat_unmap_irq(win->irq_first + nr);
}

static int vnat_add_window(unsigned int i)
{
	const struct vnat_cmdline *win = &vnat_windows[i];
	struct resource res[1 + VBUS_NATIVE_MAX_QUEUES] = {
		DEFINE_RES_MEM(win->address, win->size),
	};
	unsigned int nr = win->irq_last - win->irq_first + 1;
	unsigned int n;
	int irq;

	for (n = 0; n < nr; n++) {
		irq = vnat_map_irq(win->irq_first + n);
		if (irq < 0) {
			pr_err("interrupt %u can't be used: %d\n",
			       win->irq_first + n, irq);
			vnat_unmap_irqs(win, n);
			return irq;
		}
		res[1 + n] = (struct resource)DEFINE_RES_IRQ(irq);
	}
	vnat_pdevs[i] = platform_device_register_resndata(NULL, "vbus-native",
							  win->id, res, 1 + nr,
							  NULL, 0);
	if (IS_ERR(vnat_pdevs[i])) {
		pr_err("no device for the window at 0x%llx: %ld\n",
		       win->address, PTR_ERR(vnat_pdevs[i]));
		vnat_unmap_irqs(win, nr);
		return PTR_ERR(vnat_pdevs[i]);
	}
	return 0;
}

static void vnat_del_windows(unsigned int nr)
{
	const struct vnat_cmdline *win;

	while (nr--) {
		win = &vnat_windows[nr];
		platform_device_unregister(vnat_pdevs[nr]);
		vnat_unmap_irqs(win, win->irq_last - win->irq_first + 1);
	}
}

int __init vnat_cmdline_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < vnat_nr_windows; i++) {
		err = vnat_add_window(i);
		if (err) {
			vnat_del_windows(i);
			return err;
		}
	}
	return 0;
}

void vnat_cmdline_exit(void)
{
	vnat_del_windows(vnat_nr_windows);
}
