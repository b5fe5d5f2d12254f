/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a ring layout gives to the driver loop in bench/ring/loop.c.
 *
 * The first group has the names and types that the kernel's own ring
 * benchmark expects, so that its layouts can be linked in as they are; the
 * flush functions are ours, for layouts that publish in batches. All guest
 * functions run on one thread, all host functions on another.
 */
#ifndef BENCH_RING_BENCH_H
#define BENCH_RING_BENCH_H

#include <stdbool.h>

void alloc_ring(void);

/* guest */
int add_inbuf(unsigned int len, void *buf, void *cookie);
void *get_buf(unsigned int *len, void **buf);
bool used_empty(void);
bool enable_call(void);
void disable_call(void);
void kick_available(void);

/* host */
bool use_buf(unsigned int *len, void **buf);
bool avail_empty(void);
bool enable_kick(void);
void disable_kick(void);
void call_used(void);

/* A batch ends here; nothing to do for layouts that publish at once. */
void flush_avail(void);
void flush_used(void);

/* from the driver loop */
extern unsigned int ring_size;
void kick(void);
void call(void);

#endif /* BENCH_RING_BENCH_H */
