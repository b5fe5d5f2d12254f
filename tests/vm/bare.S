/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel images of a few instructions, for test_machine.sh: a header that a boot
 * loader takes, and code that does one thing. Assemble with -DHELLO, -DTRIPLE ...,
 * make a flat binary of it.
 */
#define COM1		0x3f8
#define LSR		5
#define LSR_DATA	1
#define SLEEP_CONTROL	0x600
#define POWER_OFF	0x34	/* type 5, enable */
#define RESET		0x602
#define RESET_VALUE	0x5a
/* Memory that no loader writes to: it survives a reset. */
#define COUNTER		0x5000
#define NOWHERE		0xd0000000
#define LOAD		0x1000000

	.code64
	.text
image:
	.org 0x1f1
	.byte 1				/* sectors of set-up code */
	.org 0x1f4
	.long (end - payload + 15) / 16
	.org 0x1fe
	.word 0xaa55
	.org 0x202
	.ascii "HdrS"
	.word 0x20f
	.org 0x211
	.byte 1				/* loaded high */
	.org 0x22c
	.long 0x7fffffff
	.org 0x236
	.word 1				/* 64-bit entry point */
	.long 2047			/* longest command line */
	.org 0x258
	.quad LOAD
	.long 0x100000

	.org 0x400
payload:
	.org 0x600
	mov $0x80000, %rsp

#if defined(HELLO)
	lea text(%rip), %rsi
1:	lodsb
	test %al, %al
	jz power_off
	mov $COM1, %dx
	out %al, %dx
	jmp 1b
text:
	.asciz "hello\n"

#elif defined(ECHO)		/* what comes in goes out; "q" powers off */
1:	mov $COM1 + LSR, %dx
	in %dx, %al
	test $LSR_DATA, %al
	jz 1b
	mov $COM1, %dx
	in %dx, %al
	out %al, %dx
	cmp $'q', %al
	jne 1b
	jmp power_off

#elif defined(LOOP)
	mov $'.', %al
	mov $COM1, %dx
	out %al, %dx
1:	pause
	jmp 1b

#elif defined(RESETS)		/* so many times */
	mov $COUNTER, %rbx
	incl (%rbx)
	cmpl $RESETS, (%rbx)
	ja power_off
	mov $RESET, %dx
	mov $RESET_VALUE, %al
	out %al, %dx
	hlt

#elif defined(TRIPLE)		/* no interrupt table, then an interrupt */
	mov $COUNTER, %rbx
	incl (%rbx)
	cmpl $3, (%rbx)
	ja power_off
	pushq $0
	pushq $0
	lidt (%rsp)
	ud2

#elif defined(LOST)		/* run where there is no memory: KVM can't */
	mov $NOWHERE, %rax
	jmp *%rax

#elif defined(ACCESSES)		/* of every width, crossing pages, where nobody answers */
	mov $NOWHERE - 3, %rbx
	mov $64, %ecx
1:	mov (%rbx), %al
	mov (%rbx), %ax
	mov (%rbx), %eax
	mov (%rbx), %rdx
	cmp $-1, %rdx
	jne lost
	mov %rdx, (%rbx)
	mov %eax, (%rbx)
	mov %ax, (%rbx)
	mov %al, (%rbx)
	add $0x3ff, %rbx
	loop 1b
	/* The root complex at its strangest: all of a bus, unaligned too. */
	mov $0xb0000000, %rbx
	mov $0x1000, %ecx
2:	mov (%rbx), %eax
	mov %eax, (%rbx)
	mov (%rbx), %al
	add $0x101, %rbx
	loop 2b
	jmp power_off
lost:
	mov $NOWHERE, %rax
	jmp *%rax
#endif

power_off:
	mov $SLEEP_CONTROL, %dx
	mov $POWER_OFF, %al
	out %al, %dx
	hlt
	.org 0x800
end:
