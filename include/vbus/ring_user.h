/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the ring takes from the kernel, for builds outside of it.
 *
 * Owns the mapping of the kernel's once-accessors, barriers and byte-order
 * helpers to compiler builtins. Included by vbus/ring.h only.
 */
#ifndef _VBUS_RING_USER_H
#define _VBUS_RING_USER_H

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif
#ifndef U32_MAX
#define U32_MAX		((u32)~0U)
#endif

#define cpu_to_le64(x)	((__le64)htole64(x))
#define le64_to_cpu(x)	le64toh((u64)(x))
#define cpu_to_le32(x)	((__le32)htole32(x))
#define le32_to_cpu(x)	le32toh((u32)(x))

#define READ_ONCE(x)			__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)		__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define virt_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define virt_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define check_add_overflow(a, b, d)	__builtin_add_overflow((a), (b), (d))

#define prefetch(p)	__builtin_prefetch((p), 0)
#define prefetchw(p)	__builtin_prefetch((p), 1)

/*
 * The thread sanitizer does not understand fences; a sequentially consistent
 * read-modify-write on a word of our own gives it the same order to see.
 */
#if defined(__SANITIZE_THREAD__)
static inline void virt_mb(void)
{
	static u32 order;

	__atomic_fetch_add(&order, 1, __ATOMIC_SEQ_CST);
}
#elif defined(__x86_64__)
/*
 * A locked operation on a line this thread owns is a full barrier for
 * ordinary memory and costs half of what mfence does.
 */
static __always_inline void virt_mb(void)
{
	asm volatile("lock; orl $0,-64(%%rsp)" ::: "memory", "cc");
}
#else
static __always_inline void virt_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif

#endif /* _VBUS_RING_USER_H */
