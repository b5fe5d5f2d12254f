/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A window that exists only in memory, and the device side behind it, for suites of
 * vbus-native.
 *
 * fw_create() makes one with sane registers and empty slots; a case bends what it
 * wants to see.  The driver of FW_CLASS comes along; it makes its queues in
 * probe and counts.  One window at a time.
 */
#ifndef _VBUS_KUNIT_FAKE_WINDOW_H
#define _VBUS_KUNIT_FAKE_WINDOW_H

#include <kunit/test.h>
#include "../vbus-proxy/native/vnat.h"

#define FW_CLASS	0x7e58
#define FW_SLOTS	4
#define FW_QUEUES	3
#define FW_VECTORS	(FW_QUEUES + 1)
#define FW_NOWHERE	U64_MAX

/**
 * struct fw_slot - a slot, and what happened to its device
 * @regs: register window
 * @flags: VBUS_SLOT_*; ALIAS is cleared by reading
 * @plugs: plug count
 * @busy: another front has it open
 * @stuck: STATUS never gets 0
 * @route: argument of VBUS_FN_VECTOR, or FW_NOWHERE
 * @opens: times it was opened
 * @closes: times it was closed
 * @kicks: doorbells of each queue
 * @vdev: that the driver is bound to
 * @probes: of the driver
 * @removes: of the driver
 * @gone: vproxy_device_gone() in the last remove
 * @signals: callbacks of each queue
 * @stamp: of the last callback: its place among all
 */
struct fw_slot {
	u8 *regs;
	u32 flags;
	u32 plugs;
	bool busy;
	bool stuck;
	u64 route[FW_VECTORS];
	unsigned int opens;
	unsigned int closes;
	unsigned int kicks[FW_QUEUES];
	struct vproxy_device *vdev;
	unsigned int probes;
	unsigned int removes;
	bool gone;
	unsigned int signals[FW_QUEUES];
	unsigned int stamp;
};

/**
 * struct fake_window - the device side
 * @test: current case
 * @parent: does the DMA
 * @dma_mask: of @parent
 * @dma_parms: of @parent
 * @regs32: values of the registers below 0x20
 * @queues: as written to VBUS_NREG_QUEUE
 * @pages: as written to VBUS_NREG_PAGE
 * @slots: the slots
 * @bus: guest side; stopped and freed after a case that did not
 * @refuse_start: RUNNING does not stick
 * @refuse_reset: nor does 0
 * @gone: registers read as ones, and nothing is answered
 * @mute_fast: fast calls are not answered
 * @mute_slow: nor are slow calls
 * @mute_func: nor is this function
 * @lose_event: the answer's event is not raised
 * @fail_func: function that fails
 * @fail_result: with this
 * @short_value: what READ says is one too small
 * @hold: interrupts are counted but not delivered
 * @interrupts: of each queue
 * @calls: slow calls answered
 * @idle: writes to the doorbell that nobody listens to
 * @stamps: callbacks of all slots
 */
struct fake_window {
	struct kunit *test;
	struct device *parent;
	u64 dma_mask;
	struct device_dma_parameters dma_parms;
	u32 regs32[8];
	u64 queues[VBUS_NATIVE_MAX_QUEUES];
	u64 pages[VBUS_NATIVE_MAX_PAGES];
	struct fw_slot slots[FW_SLOTS];
	struct vnat_bus *bus;
	bool refuse_start;
	bool refuse_reset;
	bool gone;
	bool mute_fast;
	bool mute_slow;
	u16 mute_func;
	bool lose_event;
	u16 fail_func;
	u32 fail_result;
	bool short_value;
	bool hold;
	unsigned int interrupts[VBUS_NATIVE_MAX_QUEUES];
	unsigned int calls;
	unsigned int idle;
	unsigned int stamps;
};

extern const struct vnat_window_ops fw_ops;

struct fake_window *fw_create(struct kunit *test);
/* Make and start a bus with that many event queues. */
void fw_start(struct fake_window *win, unsigned int queues);
void fw_stop(struct fake_window *win, bool gone);
void fw_set_reg(struct fake_window *win, u32 reg, u32 val);

/* Put a device into a slot, say so, and wait until the guest has looked. */
void fw_plug(struct fake_window *win, u32 slot);
/* The same without saying so. */
void fw_fill(struct fake_window *win, u32 slot);
/* Raise the slot's event, and wait until the guest has looked. */
void fw_news(struct fake_window *win, u32 slot);

void fw_raise(struct fake_window *win, u32 queue, u32 event);
void fw_interrupt(struct fake_window *win, u32 queue);
/* As the device would; false if the vector goes nowhere. */
bool fw_signal(struct fake_window *win, u32 slot, u32 vector);
/* Answer what was asked and not answered. */
void fw_answer(struct fake_window *win);
struct vbus_event_queue *fw_queue(struct fake_window *win, u32 queue);

#endif /* _VBUS_KUNIT_FAKE_WINDOW_H */
