// SPDX-License-Identifier: GPL-2.0
/*
 * Size and offsets of everything user programs and guests share with the kernel,
 * written down a second time. To be compiled for 64 and for 32 bits; that it
 * compiles is the test.
 */
#include <stddef.h>
#include <linux/vbus.h>
#include <linux/vbus_abi.h>
#include <linux/vbus_native.h>
#include <linux/vbus_net.h>
#include <linux/vbus_ring.h>
#include <linux/vbus_rng.h>

/* Does not compile unless it is true. */
#define HOLDS(cond)		((void)sizeof(char[(cond) ? 1 : -1]))
#define IS(got, want)		HOLDS((got) == (want))
#define SIZE(type, bytes)	IS(sizeof(struct type), bytes)
#define AT(type, field, offset)	IS(offsetof(struct type, field), offset)

/* The native front: what lies in guest memory, registers, numbers. */
static void native(void)
{
	SIZE(vbus_event_queue, 568);
	AT(vbus_event_queue, select, 0);
	AT(vbus_event_queue, reserved, 8);
	AT(vbus_event_queue, pending, 64);

	SIZE(vbus_call, 64);
	AT(vbus_call, seq, 0);
	AT(vbus_call, func, 4);
	AT(vbus_call, flags, 6);
	AT(vbus_call, slot, 8);
	AT(vbus_call, length, 12);
	AT(vbus_call, arg, 16);
	AT(vbus_call, done, 32);
	AT(vbus_call, result, 36);
	AT(vbus_call, value, 40);
	AT(vbus_call, reserved, 48);

	SIZE(vbus_call_page, 4096);
	AT(vbus_call_page, fast, 0);
	AT(vbus_call_page, slow, 64);
	AT(vbus_call_page, data, 128);

	SIZE(vbus_slot_info, 16);
	AT(vbus_slot_info, flags, 0);
	AT(vbus_slot_info, class_id, 4);
	AT(vbus_slot_info, plugs, 8);
	AT(vbus_slot_info, reserved, 12);

	IS(VBUS_NATIVE_WINDOW_SIZE, 0x4000);
	IS(VBUS_NATIVE_MAGIC, 0x4e554256);
	IS(VBUS_NREG_MAGIC, 0);
	IS(VBUS_NREG_VERSION, 4);
	IS(VBUS_NREG_NR_QUEUES, 8);
	IS(VBUS_NREG_NR_PAGES, 0xc);
	IS(VBUS_NREG_NR_SLOTS, 0x10);
	IS(VBUS_NREG_BUS, 0x14);
	IS(VBUS_NREG_STATUS, 0x18);
	IS(VBUS_NREG_QUEUE(7), 0x138);
	IS(VBUS_NREG_PAGE(511), 0x1ff8);
	IS(VBUS_NREG_DOORBELL(511), 0x27fc);
	IS(VBUS_NREG_IDLE_DOORBELL, 0x3000);
	IS(VBUS_NATIVE_MAX_QUEUES, 8);
	IS(VBUS_NATIVE_MAX_PAGES, 512);
	IS(VBUS_NATIVE_MAX_SLOTS, 256);
	IS(VBUS_NR_NEVENTS, 4032);
	IS(VBUS_NEVENT_BUSY, 1ULL << 63);
	IS(VBUS_NEVENT_SLOT(255), 255);
	IS(VBUS_NEVENT_CALL(511), 767);
	IS(VBUS_NEVENT_FREE, 768);
	IS(VBUS_FN_NOP, 0);
	IS(VBUS_FN_KICK, 1);
	IS(VBUS_FN_SLOW_NOP, 0x100);
	IS(VBUS_FN_SLOT, 0x101);
	IS(VBUS_FN_OPEN, 0x102);
	IS(VBUS_FN_CLOSE, 0x103);
	IS(VBUS_FN_READ, 0x104);
	IS(VBUS_FN_WRITE, 0x105);
	IS(VBUS_FN_VECTOR, 0x106);
	IS(VBUS_SLOT_PRESENT, 1);
	IS(VBUS_SLOT_OPEN, 2);
	IS(VBUS_SLOT_UNPLUG, 4);
	IS(VBUS_SLOT_ALIAS, 8);
}

int main(void)
{
	native();
	SIZE(vbus_info, 32);
	AT(vbus_info, size, 0);
	AT(vbus_info, flags, 4);
	AT(vbus_info, abi, 8);
	AT(vbus_info, max_regions, 12);
	AT(vbus_info, max_slots, 16);
	AT(vbus_info, window_size, 20);
	AT(vbus_info, caps, 24);

	SIZE(vbus_mem_region, 32);
	AT(vbus_mem_region, size, 0);
	AT(vbus_mem_region, flags, 4);
	AT(vbus_mem_region, guest_addr, 8);
	AT(vbus_mem_region, length, 16);
	AT(vbus_mem_region, user_addr, 24);

	SIZE(vbus_open_slot, 16);
	AT(vbus_open_slot, size, 0);
	AT(vbus_open_slot, flags, 4);
	AT(vbus_open_slot, slot, 8);
	AT(vbus_open_slot, fd, 12);

	SIZE(vbus_event, 16);
	AT(vbus_event, type, 0);
	AT(vbus_event, slot, 4);
	AT(vbus_event, class_id, 8);
	AT(vbus_event, reserved, 12);

	SIZE(vbus_dev_irq, 16);
	AT(vbus_dev_irq, size, 0);
	AT(vbus_dev_irq, flags, 4);
	AT(vbus_dev_irq, vector, 8);
	AT(vbus_dev_irq, fd, 12);

	SIZE(vbus_dev_doorbell, 16);
	AT(vbus_dev_doorbell, size, 0);
	AT(vbus_dev_doorbell, flags, 4);
	AT(vbus_dev_doorbell, queue, 8);
	AT(vbus_dev_doorbell, fd, 12);

	SIZE(vbus_dev_reset, 8);
	AT(vbus_dev_reset, size, 0);
	AT(vbus_dev_reset, flags, 4);

	SIZE(vbus_dev_attr, 32);
	AT(vbus_dev_attr, size, 0);
	AT(vbus_dev_attr, flags, 4);
	AT(vbus_dev_attr, group, 8);
	AT(vbus_dev_attr, attr, 12);
	AT(vbus_dev_attr, addr, 16);
	AT(vbus_dev_attr, length, 24);

	SIZE(vbus_state_device, 16);
	AT(vbus_state_device, accepted, 0);
	AT(vbus_state_device, status, 8);
	AT(vbus_state_device, config_vector, 12);

	SIZE(vbus_state_queue, 32);
	AT(vbus_state_queue, ring, 0);
	AT(vbus_state_queue, size, 8);
	AT(vbus_state_queue, vector, 12);
	AT(vbus_state_queue, enable, 16);
	AT(vbus_state_queue, pos_desc, 20);
	AT(vbus_state_queue, pos_comp, 24);
	AT(vbus_state_queue, pos_chain, 28);

	SIZE(vbus_open_native, 24);
	AT(vbus_open_native, size, 0);
	AT(vbus_open_native, flags, 4);
	AT(vbus_open_native, nr_queues, 8);
	AT(vbus_open_native, nr_pages, 12);
	AT(vbus_open_native, bus, 16);
	AT(vbus_open_native, fd, 20);

	SIZE(vbus_native_fd, 16);
	AT(vbus_native_fd, size, 0);
	AT(vbus_native_fd, flags, 4);
	AT(vbus_native_fd, index, 8);
	AT(vbus_native_fd, fd, 12);

	SIZE(vbus_native_reset, 8);
	AT(vbus_native_reset, size, 0);
	AT(vbus_native_reset, flags, 4);

	/* Guest and host */
	SIZE(vbus_ring_desc, 16);
	AT(vbus_ring_desc, addr, 0);
	AT(vbus_ring_desc, ctl, 8);

	SIZE(vbus_ring_events, 128);
	AT(vbus_ring_events, signal_event, 0);
	AT(vbus_ring_events, kick_event, 64);

	SIZE(vbus_net_config, 32);
	AT(vbus_net_config, mac, 0);
	AT(vbus_net_config, link, 6);
	AT(vbus_net_config, mtu, 8);
	AT(vbus_net_config, nr_pairs, 12);
	AT(vbus_net_config, speed, 16);
	AT(vbus_net_config, reserved, 20);

	SIZE(vbus_net_hdr, 16);
	AT(vbus_net_hdr, flags, 0);
	AT(vbus_net_hdr, gso_type, 1);
	AT(vbus_net_hdr, hdr_len, 2);
	AT(vbus_net_hdr, gso_size, 4);
	AT(vbus_net_hdr, csum_start, 6);
	AT(vbus_net_hdr, csum_offset, 8);
	AT(vbus_net_hdr, nr_chains, 10);
	AT(vbus_net_hdr, reserved, 12);

	/* Numbers are for ever, too. */
	IS(VBUS_GET_INFO, 0x7640);
	IS(VBUS_MEM_ADD, 0x7641);
	IS(VBUS_MEM_DEL, 0x7642);
	IS(VBUS_OPEN_SLOT, 0x7643);
	IS(VBUS_OPEN_NATIVE, 0x7644);
	IS(VBUS_DEV_SET_IRQ, 0x7650);
	IS(VBUS_DEV_SET_DOORBELL, 0x7651);
	IS(VBUS_DEV_RESET, 0x7652);
	IS(VBUS_DEV_GET_ATTR, 0x7653);
	IS(VBUS_DEV_SET_ATTR, 0x7654);
	IS(VBUS_DEV_HAS_ATTR, 0x7655);
	IS(VBUS_NATIVE_SET_IRQ, 0x7658);
	IS(VBUS_NATIVE_SET_DOORBELL, 0x7659);
	IS(VBUS_NATIVE_RESET, 0x765a);
	IS(VBUS_CAP_MEM_RDONLY, 1);
	IS(VBUS_CAP_NATIVE, 2);
	IS(VBUS_REG_ACCEPTED, 0x18);
	IS(VBUS_REG_STATUS, 0x20);
	IS(VBUS_REG_SLOT, 0x38);
	IS(VBUS_REG_HOLD, 0x3c);
	IS(VBUS_HOLD_IN_USE, 1);
	IS(VBUS_REG_ALIAS, 0x40);
	IS(VBUS_REG_CONFIG, 0x200);
	IS(VBUS_REG_QUEUE(255) + VBUS_REG_QUEUE_STRIDE, 0x5000);
	IS(VBUS_REG_DOORBELL(255), 0x83fc);
	IS(VBUS_RING_BYTES(32768), 786560);
	IS(VBUS_CLASS_RNG, 5);
	IS(VBUS_RNG_VERSION, 1);
	IS(VBUS_RNG_MAX_BYTES, 4096);
	return 0;
}
