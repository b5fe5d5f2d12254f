// SPDX-License-Identifier: GPL-2.0
/*
 * The vbus ring behind the benchmark's interface: the real headers, one
 * direct segment for each chain, one completion with its own length for each
 * chain, both published a batch at a time.
 */
#include <stdio.h>
#include <stdlib.h>

#include <vbus/ring.h>

#include "bench.h"

#ifndef VBUS_FLAGS
#define VBUS_FLAGS 0
#endif

/* Each side's handle on lines of its own, as two kernels would have it. */
static struct ioq_north north __attribute__((aligned(128)));
static struct ioq_south south __attribute__((aligned(128)));

void alloc_ring(void)
{
	static const struct ioq_pos zero;
	void *area, *state;

	area = aligned_alloc(4096, (ioq_bytes(ring_size) + 4095) & ~4095UL);
	state = aligned_alloc(4096, (ioq_north_state_bytes(ring_size) + 4095) &
				    ~4095UL);
	if (!area || !state ||
	    ioq_north_init(&north, area, ring_size, VBUS_FLAGS, state) ||
	    ioq_south_init(&south, area, ring_size, VBUS_FLAGS, zero)) {
		fprintf(stderr, "no ring of %u entries\n", ring_size);
		exit(1);
	}
}

int add_inbuf(unsigned int len, void *buf, void *cookie)
{
	struct ioq_seg seg = {
		.addr = (unsigned long)buf, .len = len, .write = 1,
	};

	return ioq_north_add(&north, &seg, 1, cookie);
}

void flush_avail(void)
{
	ioq_north_publish(&north);
}

void *get_buf(unsigned int *len, void **buf)
{
	void *cookie = ioq_north_get(&north, len);

	/* The peers keep the buffer beside the cookie; ours is in it. */
	*buf = cookie;
	return cookie;
}

bool used_empty(void)
{
	return !ioq_north_pending(&north);
}

bool enable_call(void)
{
	return ioq_north_enable_signals(&north, 1);
}

void disable_call(void)
{
}

void kick_available(void)
{
	if (ioq_north_kick_needed(&north))
		kick();
}

bool use_buf(unsigned int *len, void **buf)
{
	struct ioq_chain c;
	struct ioq_seg seg;

	if (ioq_south_get(&south, &seg, 1, &c, NULL, NULL) != 1)
		return false;
	*len = seg.len;
	*buf = (void *)(unsigned long)seg.addr;
	ioq_south_complete(&south, c.id, seg.len - 1);
	return true;
}

void flush_used(void)
{
	ioq_south_publish(&south);
}

bool avail_empty(void)
{
	return !ioq_south_pending(&south);
}

bool enable_kick(void)
{
	return ioq_south_enable_kicks(&south);
}

void disable_kick(void)
{
}

void call_used(void)
{
	if (ioq_south_signal_needed(&south))
		call();
}
