/* SPDX-License-Identifier: GPL-2.0 */
/* What the two loopback connectors share; vbus-loop has it. */
#ifndef _VBUS_LOOP_H
#define _VBUS_LOOP_H

#include <linux/device.h>
#include <linux/types.h>

/**
 * struct loop_parent - parent of a bus's devices, which does DMA for them
 * @dev: the device
 * @dma_mask: of @dev: all of memory
 * @dma_parms: of @dev: no limit to a segment
 * @id: number in its name
 */
struct loop_parent {
	struct device *dev;
	u64 dma_mask;
	struct device_dma_parameters dma_parms;
	int id;
};

int loop_parent_make(struct loop_parent *parent);
void loop_parent_remove(struct loop_parent *parent);
void loop_interrupt(void (*fn)(void *arg), void *arg);

#endif /* _VBUS_LOOP_H */
