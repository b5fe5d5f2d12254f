/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvbus: the devices of a vbus bus as PCI functions, for a VMM.
 *
 * An admin makes a bus and plugs devices into its slots; the VMM opens the bus
 * with libvbus_open().  For each device the library keeps what PCI wants and the
 * kernel does not know of: config space, BAR0, the MSI-X table.  The VMM
 *
 *   - says which guest memory devices may touch (libvbus_mem_add());
 *   - forwards config cycles and BAR0 accesses (libvbus_config_read() ...),
 *     from any thread, as they come from its vCPUs;
 *   - calls libvbus_process() when the file descriptor libvbus_fd() is readable
 *     and learns by callbacks of devices that come and that are asked back;
 *   - maps BAR0, assigns ioeventfds and routes MSIs in callbacks.
 *
 * A function is named by its slot number.  Where a slot lies in the guest's PCI
 * topology is the VMM's business; a root port for each slot is a good choice,
 * because then the guest's own hotplug driver brings devices in and out.
 *
 * Data never passes here: a doorbell is an eventfd that the kernel module reads,
 * an interrupt one that it writes.
 *
 * A guest needs no PCI to use a bus: the kernel has a native front as well, one
 * window of registers and a few interrupts for all devices of the bus together.
 * libvbus_native_open() sets that up; libvbus_set_pci() says whether there are PCI
 * functions, too.
 *
 * Threads.  libvbus_config_*(), libvbus_bar_*(), libvbus_reset_slot() and
 * libvbus_get_info() may be called by any thread at any time; they find the
 * function under RCU.  Changes of one function take turns, reads of config space
 * and of the MSI-X table wait for nobody, and device registers are forwarded side
 * by side.  libvbus_native_read() and libvbus_native_write() may be called by any
 * thread between libvbus_native_open() and libvbus_close().
 * libvbus_open(), libvbus_process(), libvbus_attach(), libvbus_eject(),
 * libvbus_set_pci(), libvbus_native_open(), libvbus_native_reset(),
 * libvbus_mem_*() and libvbus_close() must not run at the same time as each
 * other; let one thread do them or hold a lock.  No thread needs registering.
 *
 * Callbacks come from inside these calls.  A lock that a callback takes must not be
 * held by a caller of the library.
 *
 * System calls.  For a filter, once a bus is open: ioctl of type VBUS_IOC, read,
 * write, pread64, pwrite64, poll, eventfd2, close; futex, membarrier, mmap, munmap,
 * rt_sigprocmask for locks, memory and RCU; write to stderr without a log callback.
 * glibc's malloc opens files once more than eight threads allocate, which vCPUs may
 * do here: a VMM with a filter calls mallopt(M_ARENA_MAX, 1) before.
 * A function keeps an eventfd for each vector and doorbell that the guest uses, 513
 * at most, and the native front one for each event queue and call page and one
 * more: mind RLIMIT_NOFILE.
 *
 * Errors.  Functions return 0 or a positive count, or a negative errno.  What an
 * admin or user can do about it goes to the log callback in words.
 */
#ifndef LIBVBUS_H
#define LIBVBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIBVBUS_VERSION_MAJOR	0
#define LIBVBUS_VERSION_MINOR	2

/* Bytes of a function's config space, and of its only BAR. */
#define LIBVBUS_CONFIG_SIZE	4096
#define LIBVBUS_BAR_SIZE	0x20000

/* Bytes of the window of a native front. */
#define LIBVBUS_NATIVE_SIZE	0x4000

struct libvbus;

enum libvbus_log_level {
	LIBVBUS_LOG_ERROR,	/* something failed, the call returns an error */
	LIBVBUS_LOG_WARNING,	/* something is odd, work goes on */
	LIBVBUS_LOG_INFO	/* devices come and go */
};

/**
 * struct libvbus_irq - one interrupt vector that the guest has switched on
 * @slot: function
 * @vector: entry of its MSI-X table
 * @fd: eventfd that the device signals; the VMM must not close it
 * @addr: message address
 * @data: message data
 */
struct libvbus_irq {
	uint32_t slot;
	uint32_t vector;
	int fd;
	uint64_t addr;
	uint32_t data;
};

/**
 * struct libvbus_ops - what the library asks of the VMM
 * @size: sizeof(struct libvbus_ops); callbacks beyond it count as NULL
 * @log: a message for the user, without newline.  NULL: errors and warnings go
 *	to stderr.  Called from any thread.
 *
 * @added: a device is in @slot and its function answers.  Show it to the guest.
 *	@class_id is VBUS_CLASS_*.
 * @unplug: the admin wants the device in @slot back.  Ask the guest to let go
 *	and then call libvbus_eject(), in this callback or at any time later.
 *	NULL: the function is ejected at once.
 * @removed: the device in @slot is gone without having been asked for, or was taken
 *	away after libvbus_eject() that nobody had asked for; the function
 *	answers as absent already.
 *
 *	These three are called by libvbus_process() (and @added by
 *	libvbus_attach()) with no lock held, and may call any function of the
 *	library but libvbus_process() and libvbus_close().
 *
 * @bar_map: the guest has placed BAR0 of @slot at @addr (LIBVBUS_BAR_SIZE bytes)
 *	and switched memory decoding on: send accesses there to
 *	libvbus_bar_read() and libvbus_bar_write().  NULL when the VMM learns of
 *	it in another way.
 * @bar_unmap: no longer
 * @doorbell_add: a 32-bit write of any value to @addr shall signal eventfd @fd
 *	and need not come to libvbus_bar_write(); with KVM this is KVM_IOEVENTFD.
 *	Return 0 or a negative errno; then, or when NULL, doorbells go through
 *	libvbus_bar_write(), which works but is slower.
 * @doorbell_del: take back
 * @irq_enable: from now on a signal on @irq->fd, also one that is pending in it
 *	already, shall raise the message; with KVM this is a routing entry and
 *	KVM_IRQFD.  The eventfd is non-blocking, for VMMs that read it themselves.  Return
 *	0 or a negative errno; then, or when NULL, the guest gets no interrupts
 *	of this vector, and the log says so once.
 * @irq_disable: no longer; signals stay pending in the eventfd
 *
 *	The last six are called by whatever thread brings the change about: a
 *	vCPU that writes a register, libvbus_eject(), libvbus_reset_slot().  The
 *	function's lock is held: they must not call back into the library for
 *	the same slot, nor libvbus_process(), libvbus_attach(), libvbus_eject().
 *	For one slot they take turns, those of different slots do not.  Every
 *	bar_map, doorbell_add and irq_enable that returned 0 is undone exactly
 *	once, at the latest by libvbus_close().
 *	A message that moves while it is enabled is disabled and enabled anew.
 *
 * @native_doorbell_add: a 32-bit write of any value at @offset in the native
 *	front's window shall signal eventfd @fd and need not come to
 *	libvbus_native_write(); with KVM this is KVM_IOEVENTFD.  Return 0 or a
 *	negative errno; then, or when NULL, doorbells go through
 *	libvbus_native_write(), which works but is slower.
 * @native_doorbell_del: take back
 * @native_irq_enable: signals on eventfd @fd shall raise the interrupt of the
 *	native front's event queue @queue, as an edge.  Return 0 or a negative
 *	errno; then, or when NULL, libvbus_native_open() fails.
 * @native_irq_disable: no longer
 *
 *	These four are called by libvbus_native_open() and libvbus_close(), with no
 *	lock held, and must not call the library.  Every one that returned 0 is
 *	undone exactly once.  The VMM must not close @fd.  Since 0.2.
 */
struct libvbus_ops {
	size_t size;
	void (*log)(void *opaque, enum libvbus_log_level level, const char *text);

	void (*added)(void *opaque, uint32_t slot, uint32_t class_id);
	void (*unplug)(void *opaque, uint32_t slot);
	void (*removed)(void *opaque, uint32_t slot);

	void (*bar_map)(void *opaque, uint32_t slot, uint64_t addr);
	void (*bar_unmap)(void *opaque, uint32_t slot, uint64_t addr);
	int (*doorbell_add)(void *opaque, uint32_t slot, uint64_t addr, int fd);
	void (*doorbell_del)(void *opaque, uint32_t slot, uint64_t addr, int fd);
	int (*irq_enable)(void *opaque, const struct libvbus_irq *irq);
	void (*irq_disable)(void *opaque, const struct libvbus_irq *irq);

	int (*native_doorbell_add)(void *opaque, uint64_t offset, int fd);
	void (*native_doorbell_del)(void *opaque, uint64_t offset, int fd);
	int (*native_irq_enable)(void *opaque, uint32_t queue, int fd);
	void (*native_irq_disable)(void *opaque, uint32_t queue, int fd);
};

/**
 * libvbus_open() - open a bus
 * @name: of the bus ("vm0"), or a path if it holds a '/'
 * @bus_number: tells this bus from other buses of the same guest: 0 if there is
 *	but one
 * @ops: callbacks; copied
 * @opaque: for the callbacks
 * @bus: out
 *
 * Nothing is called but @log before libvbus_process().  @bus is NULL after an error.
 *
 * Return: 0; -ENOENT no such bus; -EACCES; -EBUSY somebody has it open; -ENODEV it
 * is being removed; -ENOTTY not a bus; -ENOTSUP kernel and library have no version in
 * common, or @ops has callbacks this library does not know; -EINVAL; -ENOMEM.
 */
int libvbus_open(const char *name, uint32_t bus_number,
		 const struct libvbus_ops *ops, void *opaque,
		 struct libvbus **bus);

/**
 * libvbus_close() - undo everything: functions, memory, the bus
 * @bus: may be NULL
 *
 * No other thread may be in the library for this bus.
 */
void libvbus_close(struct libvbus *bus);

/**
 * libvbus_fd() - file descriptor to poll(2) for POLLIN
 */
int libvbus_fd(const struct libvbus *bus);

/**
 * libvbus_process() - handle what is pending; never blocks
 *
 * Return: 0, or a negative errno: the bus can't be used any more.
 */
int libvbus_process(struct libvbus *bus);

/**
 * libvbus_mem_add() - let devices use guest memory
 * @guest_addr: first guest address
 * @length: bytes
 * @mem: where it is mapped here
 * @read_only: devices may not write
 *
 * Addresses and length are multiples of the page size.  The pages are pinned and
 * count against RLIMIT_MEMLOCK.
 *
 * Return: 0; -ENOMEM over the limit (the log says how much is needed); -EINVAL,
 * -EEXIST, -ENOSPC, -EFAULT, -EOPNOTSUPP, -EPERM as VBUS_MEM_ADD.
 */
int libvbus_mem_add(struct libvbus *bus, uint64_t guest_addr, uint64_t length,
		    void *mem, bool read_only);

/**
 * libvbus_mem_del() - take back exactly what was added
 *
 * Return: 0; -ENOENT; -EBUSY a queue's ring lies in it.
 */
int libvbus_mem_del(struct libvbus *bus, uint64_t guest_addr, uint64_t length);

/**
 * libvbus_attach() - open the device in a slot again after libvbus_eject()
 *
 * For a guest that ejected a device nobody wanted back and now powers the slot on,
 * and for one that could not be shown when it came.  A device that the admin plugs
 * is attached by libvbus_process() without this.
 *
 * Return: 0 (also if it is attached); -ENOENT the slot is empty; -EBUSY it is
 * being unplugged; other errno.
 */
int libvbus_attach(struct libvbus *bus, uint32_t slot);

/**
 * libvbus_eject() - the guest has let go of the function
 *
 * Unmaps, masks and closes the device.  If the admin asked for it, the slot is
 * empty from now on.  Waits for calls of other threads on this function.
 *
 * Return: 0; -ENOENT no function in that slot.
 */
int libvbus_eject(struct libvbus *bus, uint32_t slot);

/**
 * libvbus_reset_slot() - a conventional reset of the function
 *
 * As at power-on: config space has its initial values, BAR0 is unmapped, MSI-X
 * off, the device reset.  For a reset of the guest and of the link above.  A
 * function level reset, which the guest asks for in config space, needs no help.
 *
 * Return: 0; -ENOENT.
 */
int libvbus_reset_slot(struct libvbus *bus, uint32_t slot);

/**
 * libvbus_config_read() - config cycle to a function
 * @off: below LIBVBUS_CONFIG_SIZE
 * @buf: little-endian result; all ones if there is no function in @slot
 * @len: 1, 2 or 4, not crossing a multiple of 4
 *
 * Return: 0; -ENOENT no function; -EINVAL bad @off or @len (@buf is all ones).
 */
int libvbus_config_read(struct libvbus *bus, uint32_t slot, uint32_t off,
			void *buf, size_t len);

/**
 * libvbus_config_write() - config cycle to a function
 *
 * Read-only bits keep their value. Return: as libvbus_config_read().
 */
int libvbus_config_write(struct libvbus *bus, uint32_t slot, uint32_t off,
			 const void *buf, size_t len);

/**
 * libvbus_bar_read() - access to BAR0
 * @off: below LIBVBUS_BAR_SIZE
 * @buf: all ones if nothing answers
 * @len: 1, 2, 4 or 8
 *
 * Return: 0; -ENOENT no function; -ENXIO memory decoding is off, or D3hot; -EINVAL
 * or another errno: the device does not take such an access, or not now.  A VMM has
 * no use for the result but for debugging: @buf is always set.
 */
int libvbus_bar_read(struct libvbus *bus, uint32_t slot, uint64_t off,
		     void *buf, size_t len);

/**
 * libvbus_bar_write() - access to BAR0
 *
 * Return: as libvbus_bar_read().
 */
int libvbus_bar_write(struct libvbus *bus, uint32_t slot, uint64_t off,
		      const void *buf, size_t len);

/**
 * struct libvbus_info - what is in a slot
 * @class_id: VBUS_CLASS_*
 * @nr_queues: queues of the device
 * @nr_vectors: entries of the MSI-X table
 * @name: "net.web0"
 * @alias: what the admin wrote into the slot's "alias"
 */
struct libvbus_info {
	uint32_t class_id;
	uint32_t nr_queues;
	uint32_t nr_vectors;
	char name[64];
	char alias[64];
};

/**
 * libvbus_get_info() - describe the function in a slot
 *
 * Return: 0; -ENOENT.
 */
int libvbus_get_info(struct libvbus *bus, uint32_t slot,
		     struct libvbus_info *info);

/**
 * enum libvbus_pci - which devices are PCI functions
 * @LIBVBUS_PCI_FULL: all; a function has its device open as long as it exists
 * @LIBVBUS_PCI_NONE: none.  libvbus_process() opens nothing and calls none of @added,
 *	@unplug and @removed; it logs what comes and goes.  The guest opens devices
 *	by the native front, of which nothing is seen here.
 * @LIBVBUS_PCI_SHARED: all, but a device belongs to whichever front of the guest takes
 *	it first.  A function opens its device when the guest switches memory
 *	decoding or bus mastering on, and closes it when it switches either off, or
 *	resets the function; D3hot keeps it.  While the native front has the device,
 *	registers read as all ones.  A device that the native front has when it
 *	would be shown has no function until libvbus_native_reset().
 */
enum libvbus_pci {
	LIBVBUS_PCI_FULL,
	LIBVBUS_PCI_NONE,
	LIBVBUS_PCI_SHARED
};

/**
 * libvbus_set_pci() - choose; without this it is LIBVBUS_PCI_FULL
 *
 * Before the first libvbus_process() or libvbus_attach().  Since 0.2.
 *
 * Return: 0; -EINVAL unknown here; -EBUSY there are functions.
 */
int libvbus_set_pci(struct libvbus *bus, enum libvbus_pci pci);

/**
 * struct libvbus_native_params - the native front that a guest shall have
 * @size: sizeof(struct libvbus_native_params)
 * @nr_queues: event queues, 1 to 8, each with an interrupt
 * @nr_pages: call pages, 1 to 512; one for each vCPU is best
 */
struct libvbus_native_params {
	size_t size;
	uint32_t nr_queues;
	uint32_t nr_pages;
};

/**
 * libvbus_native_open() - give the guest a native front
 *
 * Opens it and binds an eventfd to each event queue and call page, by the callbacks
 * native_*.  Call it before any vCPU runs; it stays until libvbus_close(), which is
 * called when all have stopped.  The VMM shows the guest a window of
 * LIBVBUS_NATIVE_SIZE bytes and one interrupt for each event queue, see
 * <linux/vbus_native.h>.  Since 0.2.
 *
 * Return: 0; -EBUSY there is one already; -ENOTSUP the kernel knows none, or @params
 * has fields that this library does not know; -EINVAL; -ENOMEM; what a callback
 * returned.
 */
int libvbus_native_open(struct libvbus *bus,
			const struct libvbus_native_params *params);

/**
 * libvbus_native_read() - the guest reads in the window
 * @off: below LIBVBUS_NATIVE_SIZE
 * @buf: little-endian result; all ones if nothing answers
 * @len: 1, 2, 4 or 8
 *
 * Since 0.2.
 *
 * Return: 0; -ENOENT there is no native front; -EINVAL or another errno: there is no
 * such register.  @buf is always set.
 */
int libvbus_native_read(struct libvbus *bus, uint64_t off, void *buf,
			size_t len);

/**
 * libvbus_native_write() - the guest writes in the window
 *
 * A write to a doorbell kicks, so doorbells work without native_doorbell_add().
 * Since 0.2.
 *
 * Return: as libvbus_native_read().
 */
int libvbus_native_write(struct libvbus *bus, uint64_t off, const void *buf,
			 size_t len);

/**
 * libvbus_native_reset() - the native front as at power-on
 *
 * For a reset of the guest, with vCPUs stopped: devices that it opened are closed,
 * and after the call nothing touches memory on their behalf.  Eventfds stay bound.
 * With LIBVBUS_PCI_SHARED, @added may be called.  Since 0.2.
 *
 * Return: 0; -ENOENT there is no native front; another errno.
 */
int libvbus_native_reset(struct libvbus *bus);

#ifdef __cplusplus
}
#endif

#endif /* LIBVBUS_H */
