/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VMM_SECCOMP_H
#define VMM_SECCOMP_H

/*
 * Make the C library do without system calls that the filter can't allow. Before
 * any thread exists.
 */
void seccomp_prepare(void);

/*
 * From now on all threads of the process may only make the system calls that
 * running a guest, resetting it and ending need. Any other ends the process with
 * a message. Call it last, when all threads and files are there.
 *
 * Return: 0 or, after a message, a negative errno.
 */
int seccomp_start(void);

#endif /* VMM_SECCOMP_H */
