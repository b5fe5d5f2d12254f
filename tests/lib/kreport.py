# SPDX-License-Identifier: GPL-2.0
"""What a kernel says on its console when something is wrong with it."""
import re

# One expression per way the kernel has of telling that something is wrong.
REPORT = re.compile(
    r"KASAN:|^BUG\b|\bBUG: |^WARNING: |\bWARNING: CPU|Oops\b|"
    r"general protection fault|Kernel panic|kernel BUG at|"
    r"double fault|PANIC: |invalid opcode: |divide error: |stack guard page|"
    r"traps: PANIC|unexpected .* exception|Machine Check Exception|"
    r"INFO: task .* blocked|INFO: trying to register non-static|INFO: rcu.*stall|"
    r"rcu: .*(self-detected stall|detected stalls|kthread starved)|soft lockup|hard LOCKUP|"
    r"possible (recursive locking|circular locking|irq lock inversion)|"
    r"suspicious RCU usage|inconsistent lock state|bad unlock balance|"
    r"lock held when returning to user|held lock freed|Invalid wait context|"
    r"sleeping function called|scheduling while atomic|refcount_t: |"
    r"irq \d+: nobody cared|NETDEV WATCHDOG: |"
    r"ODEBUG: |DMA-API: .*(error|leak|not|overlap|without|different|wrong)|"
    r"unregister_netdevice: waiting|Slab .*objects remaining|list_(add|del) corruption|"
    r"Segfault with no mm|Bad page state|page dumped because|Memory failure|"
    r"kmemleak: [1-9]|leaked reference|turning off the locking correctness|"
    r"kobject_add_internal failed(?!.*error: -12 )|sysfs: cannot create duplicate|Freeing unused hole")
STAMP = re.compile(r"^\[ *\d+\.\d+\](\[ *[TC]\d+\])? ?")


def scan(path, marks=("vbus-",), known=lambda lines, i: False):
    """Lines about every report in a console: where it came, and what surrounds it.

    marks are the beginnings of lines that tell what was going on, known() passes
    over a report which is not ours."""
    with open(path, errors="replace") as f:
        lines = [STAMP.sub("", line.rstrip("\r\n")) for line in f]
    found = []
    marker = "before the script"
    last = -100
    for i, line in enumerate(lines):
        if line.startswith(marks):
            marker = line
        if not REPORT.search(line) or known(lines, i):
            continue
        if i - last < 40:    # the same report, further down
            last = i
            continue
        last = i
        found.append("kernel report (after '%s'):" % marker)
        found += ["    " + text for text in lines[max(i - 2, 0):i + 30]]
    return found
