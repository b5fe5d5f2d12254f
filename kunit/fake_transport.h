/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device that exists only in memory, for suites of the guest bus.
 *
 * fake_create() makes one with sane registers; a case bends what it wants to
 * see, then registers it.  The driver of FAKE_CLASS, which the module brings
 * along, calls the hooks of the device it is bound to.
 */
#ifndef _VBUS_KUNIT_FAKE_TRANSPORT_H
#define _VBUS_KUNIT_FAKE_TRANSPORT_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/prandom.h>
#include <vbus/guest/bus.h>

#define FAKE_CLASS		0x7e57
#define FAKE_BUS		90
#define FAKE_SLOT		5
#define FAKE_QUEUES		5
#define FAKE_RING		16
#define FAKE_CONFIG_SIZE	24
/* What the driver knows; the last bit is none that a class may have. */
#define FAKE_DRV_FEATURES	(0xfULL | 1ULL << 50)
#define FAKE_FEATURES		(0x35ULL | 1ULL << 50)

/**
 * struct fake_dev - the device, and what it saw
 * @vdev: guest side
 * @test: current case
 * @regs: register window, as it would be read
 * @south: host end of each enabled queue
 * @dma_mask: for @vdev.dev, which does its own DMA
 * @refuse_features: FEATURES_OK does not stick
 * @refuse_enable: nor does ENABLE
 * @refuse_start: nor RUNNING
 * @stuck: STATUS never gets 0
 * @dead: registers read as ones, without an error
 * @gen_moves: how often CONFIG_GEN still changes when it is read; < 0: always
 * @noise: every so many reads answer something else; 0: none
 * @rnd: what else
 * @fail_access: number of the register access that fails, counted down to 0
 * @fail_errno: how it fails
 * @grant: most vectors; < 0: setup_vectors fails so
 * @overgrant: setup_vectors claims more than was asked for
 * @nr_vectors: handed out at the moment
 * @accesses: register accesses so far
 * @resets: writes of 0 to STATUS
 * @kicks: doorbells of each queue
 * @signals: signal callbacks of each queue, if the driver counts
 * @affinity: vector of the last affinity hint
 * @names: of the vectors that were handed out last
 * @quiesces: how often it was cut off
 * @quiesce_vectors: vectors there were then
 * @probe: driver hook; NULL: 0
 * @remove: driver hook
 * @config_changed: driver hook, after counting
 * @kick: device hook, after counting
 * @measure: device hook; NULL: -EOPNOTSUPP
 * @probes: probe calls
 * @removes: remove calls
 * @changes: config_changed calls
 * @registered: on the bus; taken off after a case that died
 * @released: last reference is gone
 */
struct fake_dev {
	struct vproxy_device vdev;
	struct kunit *test;
	u8 *regs;
	struct ioq_south south[FAKE_QUEUES];
	u64 dma_mask;

	bool refuse_features;
	bool refuse_enable;
	bool refuse_start;
	bool stuck;
	bool dead;
	int gen_moves;
	unsigned int noise;
	struct rnd_state rnd;
	int fail_access;
	int fail_errno;
	int grant;
	bool overgrant;

	int nr_vectors;
	char names[FAKE_QUEUES + 1][32];
	unsigned int quiesces;
	unsigned int quiesce_vectors;
	unsigned int accesses;
	unsigned int resets;
	unsigned int kicks[FAKE_QUEUES];
	unsigned int signals[FAKE_QUEUES];
	int affinity;

	int (*probe)(struct fake_dev *fake);
	void (*remove)(struct fake_dev *fake);
	void (*config_changed)(struct fake_dev *fake);
	void (*kick)(struct fake_dev *fake, u32 q);
	int (*measure)(struct fake_dev *fake, enum vproxy_measure what);
	unsigned int probes;
	unsigned int removes;
	atomic_t changes;
	bool registered;
	struct completion released;
};

static inline struct fake_dev *to_fake_dev(struct vproxy_device *vdev)
{
	return container_of(vdev, struct fake_dev, vdev);
}

struct fake_dev *fake_create(struct kunit *test);
int fake_register(struct fake_dev *fake);
void fake_unregister(struct fake_dev *fake, bool gone);
u32 fake_any32(struct rnd_state *rnd);
void fake_set32(struct fake_dev *fake, u32 off, u32 val);
void fake_set64(struct fake_dev *fake, u32 off, u64 val);
u32 fake_get32(const struct fake_dev *fake, u32 off);
u64 fake_get64(const struct fake_dev *fake, u32 off);
void fake_signal(struct fake_dev *fake, unsigned int vector);
unsigned int fake_serve(struct fake_dev *fake, u32 q, u32 len);
bool fake_changes_are(struct fake_dev *fake, int want);

/* Queues with a callback that counts, and RUNNING; for probe hooks. */
int fake_start_queues(struct fake_dev *fake, unsigned int nr, u32 size);
/* The other way round; returns how many chains were outstanding. */
unsigned int fake_stop_queues(struct fake_dev *fake);

#endif /* _VBUS_KUNIT_FAKE_TRANSPORT_H */
