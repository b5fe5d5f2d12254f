// SPDX-License-Identifier: GPL-2.0
/*
 * The device side of fake_window.h, and the driver of its devices.
 *
 * Guest addresses are physical addresses, as the suites run where DMA is direct.
 * Calls are answered inside of kick().  One case at a time uses the window, so there
 * is nothing to lock; the guest side's work is waited for.
 */
#include <linux/bottom_half.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include "fake_window.h"

/* The driver has no other way to find what it counts in. */
static struct fake_window *fw_current;

static void set32(u8 *regs, u32 off, u32 val)
{
	*(__le32 *)(regs + off) = cpu_to_le32(val);
}

static u32 get32(const u8 *regs, u32 off)
{
	return le32_to_cpu(*(__le32 *)(regs + off));
}

void fw_set_reg(struct fake_window *win, u32 reg, u32 val)
{
	win->regs32[reg / 4] = val;
}
EXPORT_SYMBOL_GPL(fw_set_reg);

struct vbus_event_queue *fw_queue(struct fake_window *win, u32 queue)
{
	u64 addr = win->queues[queue];

	return addr & VBUS_NATIVE_ENABLE ?
	       phys_to_virt(addr & ~(u64)VBUS_NATIVE_ENABLE) : NULL;
}
EXPORT_SYMBOL_GPL(fw_queue);

static struct vbus_call_page *fw_page(struct fake_window *win, u32 page)
{
	u64 addr = win->pages[page];

	return addr & VBUS_NATIVE_ENABLE ?
	       phys_to_virt(addr & ~(u64)VBUS_NATIVE_ENABLE) : NULL;
}

/* --- events --- */

void fw_interrupt(struct fake_window *win, u32 queue)
{
	unsigned long flags;
	bool process = !irqs_disabled();

	if (process)
		local_bh_disable();
	local_irq_save(flags);
	vnat_interrupt(win->bus, queue);
	local_irq_restore(flags);
	if (process)
		local_bh_enable();
}
EXPORT_SYMBOL_GPL(fw_interrupt);

void fw_raise(struct fake_window *win, u32 queue, u32 event)
{
	struct vbus_event_queue *mem = fw_queue(win, queue);
	__le64 bit = cpu_to_le64(BIT_ULL(event % 64));
	u64 select;

	if (!mem || mem->pending[event / 64] & bit)
		return;
	mem->pending[event / 64] |= bit;
	select = le64_to_cpu(mem->select);
	mem->select = cpu_to_le64(select | BIT_ULL(event / 64));
	if (select)
		return;
	win->interrupts[queue]++;
	if (!win->hold)
		fw_interrupt(win, queue);
}
EXPORT_SYMBOL_GPL(fw_raise);

bool fw_signal(struct fake_window *win, u32 slot, u32 vector)
{
	u64 route = win->slots[slot].route[vector];

	if ((u32)route == VBUS_NO_VECTOR)
		return false;
	fw_raise(win, route >> 32, (u32)route);
	return true;
}
EXPORT_SYMBOL_GPL(fw_signal);

/* --- calls --- */

static int fw_slot_call(struct fw_slot *slot, void *data)
{
	struct vbus_slot_info *info = data;

	info->flags = cpu_to_le32(slot->flags);
	info->class_id = cpu_to_le32(FW_CLASS);
	info->plugs = cpu_to_le32(slot->plugs);
	info->reserved = 0;
	slot->flags &= ~VBUS_SLOT_ALIAS;
	return 0;
}

static void fw_forget(struct fw_slot *slot)
{
	memset(slot->route, 0xff, sizeof(slot->route));
	set32(slot->regs, VBUS_REG_STATUS, 0);
}

static int fw_open_call(struct fw_slot *slot, u64 plugs)
{
	if (!(slot->flags & VBUS_SLOT_PRESENT))
		return -ENOENT;
	if (slot->plugs != plugs)
		return -ESTALE;
	if (slot->busy)
		return -EBUSY;
	slot->opens++;
	slot->flags |= VBUS_SLOT_OPEN;
	return 0;
}

static int fw_close_call(struct fw_slot *slot)
{
	if (!(slot->flags & VBUS_SLOT_OPEN))
		return -ENODEV;
	slot->closes++;
	if (slot->flags & VBUS_SLOT_UNPLUG)
		slot->flags = 0;
	slot->flags &= ~VBUS_SLOT_OPEN;
	fw_forget(slot);
	return 0;
}

static int fw_write_call(struct fw_slot *slot, u64 off, const void *data,
			 u32 len)
{
	if (off == VBUS_REG_STATUS && !get32(data, 0) && slot->stuck)
		return 0;
	memcpy(slot->regs + off, data, len);
	return 0;
}

static int fw_slow_call(struct fake_window *win, struct vbus_call_page *page)
{
	u64 arg[2] = { le64_to_cpu(page->slow.arg[0]),
		       le64_to_cpu(page->slow.arg[1]) };
	u32 nr = le32_to_cpu(page->slow.slot);
	u32 len = le32_to_cpu(page->slow.length);
	u16 func = le16_to_cpu(page->slow.func);
	struct fw_slot *slot = &win->slots[nr];

	if (func == VBUS_FN_SLOW_NOP || func == win->fail_func)
		return 0;
	if (nr >= FW_SLOTS)
		return -EINVAL;
	switch (func) {
	case VBUS_FN_SLOT:
		return fw_slot_call(slot, page->data);
	case VBUS_FN_OPEN:
		return fw_open_call(slot, arg[0]);
	case VBUS_FN_CLOSE:
		return fw_close_call(slot);
	}
	if (!(slot->flags & VBUS_SLOT_OPEN))
		return -ENODEV;
	switch (func) {
	case VBUS_FN_READ:
		if (arg[1] > VBUS_CALL_DATA_SIZE ||
		    arg[0] + arg[1] > VBUS_WINDOW_SIZE)
			return -EINVAL;
		memcpy(page->data, slot->regs + arg[0], arg[1]);
		page->slow.value = cpu_to_le64(arg[1] - win->short_value);
		return 0;
	case VBUS_FN_WRITE:
		if (len > VBUS_CALL_DATA_SIZE ||
		    arg[0] + len > VBUS_WINDOW_SIZE)
			return -EINVAL;
		return fw_write_call(slot, arg[0], page->data, len);
	case VBUS_FN_VECTOR:
		if (arg[0] >= FW_VECTORS)
			return -EINVAL;
		slot->route[arg[0]] = arg[1];
		return 0;
	}
	return -EOPNOTSUPP;
}

static int fw_fast_call(struct fake_window *win, const struct vbus_call *call)
{
	struct fw_slot *slot = &win->slots[le32_to_cpu(call->slot) % FW_SLOTS];
	u16 func = le16_to_cpu(call->func);

	if (func == VBUS_FN_NOP)
		return 0;
	if (func != VBUS_FN_KICK)
		return -EOPNOTSUPP;
	if (!(slot->flags & VBUS_SLOT_OPEN))
		return -ENODEV;
	slot->kicks[le64_to_cpu(call->arg[0]) % FW_QUEUES]++;
	return 0;
}

/* As the ABI has it; the numbers are the same here. */
static __le32 fw_result(struct fake_window *win, __le16 func, int err)
{
	if (win->fail_func && le16_to_cpu(func) == win->fail_func)
		return cpu_to_le32(win->fail_result);
	return cpu_to_le32(-err);
}

static void fw_serve(struct fake_window *win, u32 nr)
{
	struct vbus_call_page *page = fw_page(win, nr);
	int err;

	if (!page || win->gone)
		return;
	if (page->fast.seq != page->fast.done && !win->mute_fast) {
		err = fw_fast_call(win, &page->fast);
		page->fast.result = fw_result(win, page->fast.func, err);
		/* Pairs with the acquire in vnat_answered(). */
		virt_store_release(&page->fast.done, page->fast.seq);
	}
	if (page->slow.seq != page->slow.done && !win->mute_slow &&
	    (!win->mute_func ||
	     le16_to_cpu(page->slow.func) != win->mute_func)) {
		err = fw_slow_call(win, page);
		page->slow.result = fw_result(win, page->slow.func, err);
		win->calls++;
		/* Pairs with the acquire in vnat_answered(). */
		virt_store_release(&page->slow.done, page->slow.seq);
		if (!win->lose_event)
			fw_raise(win, 0, VBUS_NEVENT_CALL(nr));
	}
}

void fw_answer(struct fake_window *win)
{
	u32 i;

	for (i = 0; i < VBUS_NATIVE_MAX_PAGES; i++)
		fw_serve(win, i);
}
EXPORT_SYMBOL_GPL(fw_answer);

/* --- the window --- */

static u32 fw_read32(void *priv, u32 off)
{
	struct fake_window *win = priv;

	if (win->gone)
		return U32_MAX;
	return off < sizeof(win->regs32) ? win->regs32[off / 4] : 0;
}

static void fw_write32(void *priv, u32 off, u32 val)
{
	struct fake_window *win = priv;
	u32 s, *status = &win->regs32[VBUS_NREG_STATUS / 4];

	win->idle += off == VBUS_NREG_IDLE_DOORBELL;
	if (win->gone || off != VBUS_NREG_STATUS)
		return;
	if (val) {
		*status = win->refuse_start ? 0 : val;
		for (s = 0; s < FW_SLOTS; s++)
			if (win->slots[s].flags & VBUS_SLOT_PRESENT)
				fw_raise(win, 0, VBUS_NEVENT_SLOT(s));
		return;
	}
	if (win->refuse_reset)
		return;
	*status = 0;
	for (s = 0; s < FW_SLOTS; s++)
		if (win->slots[s].flags & VBUS_SLOT_OPEN)
			fw_close_call(&win->slots[s]);
	memset(win->queues, 0, sizeof(win->queues));
	memset(win->pages, 0, sizeof(win->pages));
}

static void fw_write64(void *priv, u32 off, u64 val)
{
	struct fake_window *win = priv;
	struct kunit *test = win->test;

	KUNIT_EXPECT_EQ(test, win->regs32[VBUS_NREG_STATUS / 4], 0);
	KUNIT_EXPECT_EQ(test, val % VBUS_NATIVE_PAGE_SIZE, VBUS_NATIVE_ENABLE);
	if (off >= VBUS_NREG_PAGE(0))
		win->pages[(off - VBUS_NREG_PAGE(0)) / 8] = val;
	else
		win->queues[(off - VBUS_NREG_QUEUE(0)) / 8] = val;
}

static void fw_kick(void *priv, u32 page)
{
	fw_serve(priv, page);
}

const struct vnat_window_ops fw_ops = {
	.read32 = fw_read32,
	.write32 = fw_write32,
	.write64 = fw_write64,
	.kick = fw_kick,
};
EXPORT_SYMBOL_GPL(fw_ops);

/* --- for cases --- */

void fw_start(struct fake_window *win, unsigned int queues)
{
	win->bus = vnat_bus_create(win->parent, &fw_ops, win, queues);
	if (IS_ERR(win->bus)) {
		KUNIT_FAIL(win->test, "no bus: %ld\n", PTR_ERR(win->bus));
		win->bus = NULL;
	}
	KUNIT_ASSERT_NOT_NULL(win->test, win->bus);
	KUNIT_ASSERT_EQ(win->test, 0, vnat_bus_start(win->bus));
	flush_workqueue(win->bus->wq);
}
EXPORT_SYMBOL_GPL(fw_start);

void fw_stop(struct fake_window *win, bool gone)
{
	struct vnat_bus *bus = win->bus;

	vnat_bus_stop(bus, gone);
	win->bus = NULL;
	vnat_bus_destroy(bus);
}
EXPORT_SYMBOL_GPL(fw_stop);

void fw_fill(struct fake_window *win, u32 nr)
{
	struct fw_slot *slot = &win->slots[nr];
	u32 q;

	slot->flags = VBUS_SLOT_PRESENT;
	slot->plugs++;
	memset(slot->regs, 0, VBUS_WINDOW_SIZE);
	fw_forget(slot);
	set32(slot->regs, VBUS_REG_MAGIC, VBUS_MAGIC);
	set32(slot->regs, VBUS_REG_VERSION, VBUS_VERSION);
	set32(slot->regs, VBUS_REG_CLASS, FW_CLASS);
	set32(slot->regs, VBUS_REG_NR_QUEUES, FW_QUEUES);
	set32(slot->regs, VBUS_REG_NR_VECTORS, FW_VECTORS);
	set32(slot->regs, VBUS_REG_SLOT, nr);
	for (q = 0; q < FW_QUEUES; q++) {
		set32(slot->regs, VBUS_REG_QUEUE(q) + VBUS_QREG_SIZE_MAX, 16);
		set32(slot->regs, VBUS_REG_QUEUE(q) + VBUS_QREG_SEG_MAX, 8);
	}
}
EXPORT_SYMBOL_GPL(fw_fill);

void fw_news(struct fake_window *win, u32 slot)
{
	fw_raise(win, 0, VBUS_NEVENT_SLOT(slot));
	flush_workqueue(win->bus->wq);
}
EXPORT_SYMBOL_GPL(fw_news);

void fw_plug(struct fake_window *win, u32 slot)
{
	fw_fill(win, slot);
	fw_news(win, slot);
}
EXPORT_SYMBOL_GPL(fw_plug);

/* A case that dies at an assertion leaves its bus. */
static void fw_cleanup(struct kunit_resource *res)
{
	struct fake_window *win = res->data;

	win->mute_slow = false;
	win->mute_fast = false;
	if (win->bus)
		fw_stop(win, false);
	root_device_unregister(win->parent);
	fw_current = NULL;
}

struct fake_window *fw_create(struct kunit *test)
{
	struct fake_window *win;
	u32 s;

	win = kunit_kzalloc(test, sizeof(*win), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, win);
	win->test = test;
	for (s = 0; s < FW_SLOTS; s++) {
		win->slots[s].regs = kunit_kzalloc(test, VBUS_WINDOW_SIZE,
						   GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, win->slots[s].regs);
	}
	fw_set_reg(win, VBUS_NREG_MAGIC, VBUS_NATIVE_MAGIC);
	fw_set_reg(win, VBUS_NREG_VERSION, VBUS_NATIVE_VERSION);
	fw_set_reg(win, VBUS_NREG_NR_QUEUES, 2);
	fw_set_reg(win, VBUS_NREG_NR_PAGES, 4);
	fw_set_reg(win, VBUS_NREG_NR_SLOTS, FW_SLOTS);

	win->parent = root_device_register("vbus-fake-window");
	KUNIT_ASSERT_FALSE(test, IS_ERR(win->parent));
	win->parent->dma_parms = &win->dma_parms;
	win->parent->dma_mask = &win->dma_mask;
	KUNIT_ASSERT_NOT_NULL(test, kunit_alloc_resource(test, NULL, fw_cleanup,
							 GFP_KERNEL, win));
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(win->parent,
							   DMA_BIT_MASK(64)));
	fw_current = win;
	return win;
}
EXPORT_SYMBOL_GPL(fw_create);

/* --- the driver --- */

static void fw_queue_signal(struct vproxy_queue *q)
{
	struct fw_slot *slot = q->priv;

	WARN_ON_ONCE(!irqs_disabled());
	slot->signals[q->index]++;
	slot->stamp = ++fw_current->stamps;
}

static int fw_probe(struct vproxy_device *vdev)
{
	struct vproxy_queue_params params[FW_QUEUES] = {};
	struct fw_slot *slot = &fw_current->slots[vdev->slot];
	unsigned int i;
	int err;

	slot->probes++;
	for (i = 0; i < FW_QUEUES; i++) {
		params[i].signal = fw_queue_signal;
		params[i].priv = slot;
	}
	err = vproxy_create_queues(vdev, FW_QUEUES, params);
	if (!err)
		err = vproxy_device_ready(vdev);
	if (!err)
		slot->vdev = vdev;
	return err;
}

static void fw_remove(struct vproxy_device *vdev)
{
	struct fw_slot *slot = &fw_current->slots[vdev->slot];

	slot->gone = vproxy_device_gone(vdev);
	slot->removes++;
	slot->vdev = NULL;
}

static struct vproxy_driver fw_driver = {
	.driver.name = "vbus-fake-window",
	.class_id = FW_CLASS,
	.probe = fw_probe,
	.remove = fw_remove,
};
module_vproxy_driver(fw_driver);

MODULE_DESCRIPTION("Fake window for suites of vbus-native");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_IMPORT_NS(VPROXY_WINDOW);
