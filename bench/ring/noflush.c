// SPDX-License-Identifier: GPL-2.0
/* The flush functions of layouts that publish every entry at once. */
#include "bench.h"

void flush_avail(void)
{
}

void flush_used(void)
{
}
