/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two worlds between which libvbus stands, for its tests: a kernel with devices
 * in slots (struct fake) and a VMM with an interrupt layer (struct vmm).  Both check
 * what the library does to them: a callback without its partner, a call on a
 * device that is closed or a vector bound twice end the test.
 */
#ifndef _VBUS_TESTS_FAKE_H
#define _VBUS_TESTS_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/vbus_native.h>
#include "libvbus/private.h"

#define FAKE_SLOTS	8
#define FAKE_VECTORS	VBUS_MAX_VECTORS
#define FAKE_QUEUES	VBUS_MAX_QUEUES

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct fake_dev - a slot of the fake kernel and the device in it
 * @plugged: a device is there
 * @open: its fd is
 * @taken: the native front has it open
 * @unplugging: gone when closed
 * @class_id: class
 * @nr_queues: queues; vectors are one more
 * @name: name
 * @alias: alias
 * @regs: words that a guest wrote, by offset / 4, up to the first queue
 * @status: VBUS_REG_STATUS
 * @started: the model runs
 * @paused: VBUS_STATE_RUN 0
 * @irq: eventfds bound, -1 none
 * @pending: signalled while none was bound
 * @bell: eventfds bound
 * @kicks: doorbells written by register
 * @resets: VBUS_DEV_RESET
 * @opens: VBUS_OPEN_SLOT
 * @last_off: of the last register access
 * @last_len: likewise
 */
struct fake_dev {
	bool plugged;
	bool open;
	bool taken;
	bool unplugging;
	uint32_t class_id;
	uint32_t nr_queues;
	const char *name;
	const char *alias;
	uint32_t regs[VBUS_REG_QUEUE_BASE / 4];
	uint32_t status;
	bool started;
	bool paused;
	int irq[FAKE_VECTORS];
	bool pending[FAKE_VECTORS];
	int bell[FAKE_QUEUES];
	unsigned int kicks[FAKE_QUEUES];
	unsigned int resets;
	unsigned int opens;
	uint32_t last_off;
	size_t last_len;
};

/**
 * struct fake_native - the native front
 * @open: its fd is
 * @nr_queues: as it was opened
 * @nr_pages: likewise
 * @bus: likewise
 * @irq: eventfds bound, -1 none
 * @bell: likewise
 * @window: what was written, or a test put there
 * @rings: doorbells written in the window
 * @resets: VBUS_NATIVE_RESET
 * @fail: errno of the next calls of ..., 0 none
 */
struct fake_native {
	bool open;
	uint32_t nr_queues;
	uint32_t nr_pages;
	uint32_t bus;
	int irq[VBUS_NATIVE_MAX_QUEUES];
	int bell[VBUS_NATIVE_MAX_PAGES];
	uint8_t window[VBUS_NATIVE_WINDOW_SIZE];
	unsigned int rings;
	unsigned int resets;
	struct {
		int open;
		int irq;
		int bell;
		int reset;
	} fail;
};

/**
 * struct fake - a back end
 * @io: what the library sees
 * @lock: all below
 * @fd: eventfd that is readable while events wait
 * @events: those
 * @nr_events: how many
 * @devs: by slot; a handle is the slot plus 1000
 * @native: the native front
 * @info: what VBUS_GET_INFO answers
 * @fail: errno of the next calls of ..., 0 none
 * @slow: a reset waits here until it is posted
 * @mem_added: bytes
 * @closed: the library has let go
 */
struct fake {
	struct lvb_io io;
	pthread_mutex_t lock;
	int fd;
	struct vbus_event events[64];
	size_t nr_events;
	struct fake_dev devs[FAKE_SLOTS];
	struct fake_native native;
	struct vbus_info info;
	struct {
		int get_info;
		int read_events;
		int open_slot;
		int get_attr;
		int set_irq;
		int set_doorbell;
		int reset;
		int run;
		int mem;
	} fail;
	atomic_bool slow;
	atomic_uint resetting;
	uint64_t mem_added;
	bool closed;
};

/* fake_native.c: its part of the back end */
void fake_native_ops(struct lvb_io_ops *ops);
void fake_init(struct fake *f);
void fake_fini(struct fake *f);
void fake_plug(struct fake *f, uint32_t slot, uint32_t class_id,
	       uint32_t nr_queues);
void fake_unplug(struct fake *f, uint32_t slot);
/* As the guest opening or closing the device by the native front. */
int fake_take(struct fake *f, uint32_t slot);
void fake_give(struct fake *f, uint32_t slot);
void fake_event(struct fake *f, uint32_t type, uint32_t slot);
/* As the device signalling a vector; any thread. */
void fake_signal(struct fake *f, uint32_t slot, uint32_t vector);

struct vmm_vector {
	bool on;
	struct libvbus_irq irq;
	unsigned int messages;
	unsigned int enables;
};

struct vmm_bell {
	bool on;
	uint64_t addr;
	int fd;
};

/**
 * struct vmm_slot - what a VMM has set up for a slot
 * @shown: the guest sees it
 * @asked: the admin wants it back
 * @mapped: BAR
 * @addr: where
 * @maps: how often
 * @vectors: routes
 * @bells: ioeventfds
 */
struct vmm_slot {
	bool shown;
	bool asked;
	unsigned int added, unplugs, removed;
	uint32_t class_id;
	bool mapped;
	uint64_t addr;
	unsigned int maps;
	struct vmm_vector vectors[FAKE_VECTORS];
	struct vmm_bell bells[FAKE_QUEUES];
};

/**
 * struct vmm_native - what a VMM has set up for the native front
 * @bell: eventfds by call page, 0 none
 * @nr_bells: how many
 * @idle: eventfd of the idle doorbell
 * @irq: eventfds by event queue, 0 none
 * @nr_irqs: how many
 * @fail_bell: errno of native_doorbell_add()
 * @fail_irq: errno of native_irq_enable()
 * @fail_irq_queue: for this queue
 */
struct vmm_native {
	int bell[VBUS_NATIVE_MAX_PAGES];
	unsigned int nr_bells;
	int idle;
	int irq[VBUS_NATIVE_MAX_QUEUES];
	unsigned int nr_irqs;
	int fail_bell;
	int fail_irq;
	uint32_t fail_irq_queue;
};

/**
 * struct vmm - a VMM
 * @fake: its kernel
 * @bus: the library
 * @ops: callbacks, for a test to change before vmm_open()
 * @lock: slots, as KVM has locks of its own
 * @native: the native front
 * @fail_irq: errno of irq_enable()
 * @fail_bell: errno of doorbell_add()
 * @eject_at_once: unplug() ejects
 * @logs: messages, by level
 * @log: all text of warnings and errors
 */
struct vmm {
	struct fake fake;
	struct libvbus *bus;
	struct libvbus_ops ops;
	pthread_mutex_t lock;
	struct vmm_slot slots[FAKE_SLOTS];
	struct vmm_native native;
	int fail_irq;
	int fail_bell;
	bool eject_at_once;
	unsigned int logs[LIBVBUS_LOG_INFO + 1];
	char log[8192];
};

/* fake_native.c: its callbacks */
void vmm_native_ops(struct libvbus_ops *ops);
/* cmocka: an open bus with a card of class net in slot 3, two pairs of queues. */
int vmm_setup(void **state);
/* Closes it; everything must have been given back. */
int vmm_teardown(void **state);
struct vmm *vmm_new(void);
int vmm_open(struct vmm *v);
void vmm_free(struct vmm *v);
/* The interrupt layer consumes what is signalled, as KVM does at once. */
void vmm_deliver(struct vmm *v, uint32_t slot);
unsigned int vmm_messages(struct vmm *v, uint32_t slot, uint32_t vector);
unsigned int vmm_enabled(struct vmm *v, uint32_t slot);
unsigned int vmm_bells(struct vmm *v, uint32_t slot);

/* A guest's accesses; they must succeed. */
uint32_t cfg_get(struct vmm *v, uint32_t off, size_t len);
void cfg_put(struct vmm *v, uint32_t off, uint32_t value, size_t len);
uint64_t bar_get(struct vmm *v, uint64_t off, size_t len);
void bar_put(struct vmm *v, uint64_t off, uint64_t value, size_t len);
/* Offset of a capability, or 0. */
uint32_t cfg_find_cap(struct vmm *v, uint8_t id);
/* Places the BAR and switches decoding and bus mastering on. */
void guest_enable(struct vmm *v, uint64_t addr);
/* MSI-X on, entry @vector set and unmasked. */
void guest_msix_enable(struct vmm *v);
void guest_vector(struct vmm *v, uint32_t vector, uint64_t addr, uint32_t data,
		  bool masked);

#define SLOT		3
#define BAR_ADDR	0x1800000000ULL
#define CLASS_QUEUES	4

unsigned int count_fds(void);

#endif /* _VBUS_TESTS_FAKE_H */
