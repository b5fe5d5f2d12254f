/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: one memfd, mapped once, for as long as the process lives.
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

struct vm;

/* Both return 0 or, after a message, a negative errno. */
int memory_init(struct vm *vm);
/* Tell the KVM VM, a new one after each reset, of the memory. */
int memory_register(struct vm *vm);
void memory_exit(struct vm *vm);

#endif /* VMM_MEMORY_H */
