// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the functions the rest of the kernel calls.
 *
 * Each one is a test of whether the detector is on, and one call. They may be
 * called wherever memory may be allocated or freed, hard interrupts included,
 * but not from NMI. None of them sleeps unless the gfp flags it was given allow
 * an allocation to sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kfence.h>
#include <linux/kmemleak.h>
#include <linux/percpu.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <asm/sections.h>

#include "../store/names.h"
#include "../store/slot.h"
#include "origin.h"

static unsigned long addr_of(const void *ptr)
{
	return (unsigned long)kasan_reset_tag(ptr);
}

static __always_inline struct kml_origin
origin_of(unsigned long caller, const void *frame, gfp_t gfp)
{
	struct kml_origin origin;

	/* The depot is set up right before the detector leaves this state. */
	if (unlikely(READ_ONCE(kml_state) == KML_STATE_EARLY))
		return (struct kml_origin){ 0, 0 };
	origin = kml_origin_cached(frame);
	return likely(origin.handles) ? origin : kml_origin(caller, frame, gfp);
}

/* Who called the hook: its own frame, however it is inlined, is the first one. */
#define here(gfp)	origin_of(_RET_IP_, __builtin_frame_address(0), gfp)

/*
 * The value of a __percpu pointer as it is found in memory. By way of a number, as the
 * compiler may know it for a pointer of another address space.
 */
static unsigned long percpu_addr_of(const void __percpu *ptr)
{
	return addr_of((const void *)(__force unsigned long)ptr);
}

/* The trace is known. */
static noinline void alloc_traced(const void *ptr, size_t size, int min_count,
				  gfp_t gfp, struct kml_origin origin)
{
	unsigned long addr = addr_of(ptr);

	if (IS_ERR_OR_NULL(ptr))
		return;
	/* KFENCE objects are as small as asked for, not as their cache says. */
	if (is_kfence_address(ptr))
		size = kfence_ksize(ptr) ?: size;
	else if (min_count == 1 && kml_slot_alloc_new(addr, size, gfp, origin))
		return;
	kml_track(KML_VIRT, addr, size, min_count, 0, gfp, origin);
}

/* All that is not done at once. */
static noinline void alloc_slowly(const void *ptr, size_t size, int min_count,
				  gfp_t gfp, unsigned long caller,
				  const void *frame)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		alloc_traced(ptr, size, min_count, gfp,
			     origin_of(caller, frame, gfp));
}

/*
 * Add the name of the task to what kml_origin_cached() says. Until the handle is in
 * the slot it is one RCU read-side critical section: see names.c.
 */
static __always_inline bool add_name(struct kml_origin *origin)
{
	u32 comm;

	if (unlikely(!kml_name_cached(current->comm, &comm)))
		return false;
	origin->handles |= (u64)comm << 32;
	return true;
}

static __always_inline bool alloc_at_once(const void *ptr, size_t size,
					  struct kml_origin origin)
{
	return add_name(&origin) && kml_slot_alloc(addr_of(ptr), size, origin);
}

static noinline void alloc_percpu_slowly(unsigned long addr, size_t size,
					 gfp_t gfp, unsigned long caller,
					 const void *frame)
{
	struct kml_origin origin;

	if (!kml_tracking() || IS_ERR_OR_NULL((void *)addr))
		return;
	origin = origin_of(caller, frame, gfp);
	if (!kml_slot_alloc_percpu_new(addr, size, gfp, origin))
		kml_track(KML_PERCPU, addr, size, 1, 0, gfp, origin);
}

/**
 * kmemleak_alloc() - an object was allocated
 * @ptr: its first byte; NULL and error pointers are ignored
 * @size: its length in bytes
 * @min_count: references that must be found for it not to be a leak; 0: never a
 *	leak, always scanned; -1: neither reported nor scanned
 * @gfp: flags of the allocation, used for the metadata too
 *
 * Context: Any but NMI.
 */
void kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp)
{
	const void *frame = __builtin_frame_address(0);
	struct kml_origin origin;
	bool done;

	if (likely(READ_ONCE(kml_state) == KML_STATE_ON && min_count == 1)) {
		rcu_read_lock();
		origin = kml_origin_cached(frame);
		done = likely(origin.handles) &&
		       alloc_at_once(ptr, size, origin);
		rcu_read_unlock();
		if (likely(done))
			return;
		if (origin.handles) {
			alloc_traced(ptr, size, min_count, gfp, origin);
			return;
		}
	}
	alloc_slowly(ptr, size, min_count, gfp, _RET_IP_, frame);
}
EXPORT_SYMBOL_GPL(kmemleak_alloc);

/**
 * kmemleak_alloc_percpu() - a per-CPU object was allocated
 * @ptr: the __percpu pointer to it; NULL and error pointers are ignored
 * @size: length of each CPU's copy in bytes
 * @gfp: flags of the allocation, used for the metadata too
 *
 * Context: Any but NMI.
 */
void kmemleak_alloc_percpu(const void __percpu *ptr, size_t size, gfp_t gfp)
{
	const void *frame = __builtin_frame_address(0);
	unsigned long addr = percpu_addr_of(ptr);
	struct kml_origin origin;
	bool done;

	if (likely(READ_ONCE(kml_state) == KML_STATE_ON &&
		   kml_percpu_fits(addr, size))) {
		rcu_read_lock();
		origin = kml_origin_cached(frame);
		done = likely(origin.handles) && add_name(&origin) &&
		       kml_slot_alloc_percpu(addr, size, origin);
		rcu_read_unlock();
		if (likely(done))
			return;
	}
	alloc_percpu_slowly(addr, size, gfp, _RET_IP_, frame);
}
EXPORT_SYMBOL_GPL(kmemleak_alloc_percpu);

/*
 * A stack is to be scanned with its task, as far as it is in use, and not at
 * all while it waits in the cache of stacks: it holds what its last task left.
 * All of them are allocated in one place, so one that is in use tells which.
 */
static u8 vmalloc_flags(const struct vm_struct *area)
{
#ifdef CONFIG_VMAP_STACK
	const struct vm_struct *mine = task_stack_vm_area(current);

	if (mine && mine->caller == area->caller)
		return KML_STACK;
#endif
	return 0;
}

/**
 * kmemleak_vmalloc() - an object was allocated by vmalloc()
 * @area: describes it
 * @size: its length in bytes
 * @gfp: flags of the allocation, used for the metadata too
 *
 * The pointer in @area itself is always there, so a second one must be found.
 * Whoever keeps @area instead of the address keeps the object as well.
 *
 * Context: Any but NMI.
 */
void kmemleak_vmalloc(const struct vm_struct *area, size_t size, gfp_t gfp)
{
	if (!kml_tracking())
		return;
	kml_track(KML_VIRT, addr_of(area->addr), size, 2, vmalloc_flags(area),
		  gfp, here(gfp));
	kml_hand_surplus(addr_of(area), addr_of(area->addr));
}
EXPORT_SYMBOL_GPL(kmemleak_vmalloc);

/**
 * kmemleak_alloc_nolock() - an object was allocated where nothing may be waited for
 * @ptr: its first byte; NULL and error pointers are ignored
 * @size: its length in bytes
 *
 * It is never reported, and all that is in it counts as references, until it is freed.
 *
 * Context: Any, NMI included.
 */
void kmemleak_alloc_nolock(const void *ptr, size_t size)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_foreign_add(addr_of(ptr), size);
}

/**
 * kmemleak_free_nolock() - an object is about to be freed where nothing may be waited for
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * One that was allocated in the usual way stays tracked, until the allocator hands out
 * another one in its place.
 *
 * Context: Any, NMI included.
 */
void kmemleak_free_nolock(const void *ptr)
{
	if (kml_following_frees() && !IS_ERR_OR_NULL(ptr))
		kml_foreign_remove(addr_of(ptr));
}

static noinline void free_other(const void *ptr)
{
	unsigned long addr = addr_of(ptr);

	if (IS_ERR_OR_NULL(ptr) || kml_slot_free_shared(addr))
		return;
	kml_untrack(KML_VIRT, addr);
	kml_foreign_remove(addr);
}

/**
 * kmemleak_free() - an object is about to be freed
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * Context: Any but NMI. Waits until a scan that reads the object has read one
 * chunk of it.
 */
void kmemleak_free(const void *ptr)
{
	if (unlikely(!kml_following_frees()))
		return;
	if (unlikely(!kml_slot_free(addr_of(ptr))))
		free_other(ptr);
}
EXPORT_SYMBOL_GPL(kmemleak_free);

/**
 * kmemleak_free_part() - a part of an object is about to be freed
 * @ptr: first byte of the part; NULL and error pointers are ignored
 * @size: length of the part in bytes
 *
 * What is left of the object on either side stays tracked.
 *
 * Context: Any but NMI.
 */
void kmemleak_free_part(const void *ptr, size_t size)
{
	if (kml_following_frees() && !IS_ERR_OR_NULL(ptr))
		kml_untrack_range(KML_VIRT, addr_of(ptr), size);
}
EXPORT_SYMBOL_GPL(kmemleak_free_part);

/**
 * kmemleak_free_percpu() - a per-CPU object is about to be freed
 * @ptr: the __percpu pointer to it; NULL and error pointers are ignored
 *
 * Context: Any but NMI. Waits until a scan that reads the object has read one
 * chunk of it.
 */
void kmemleak_free_percpu(const void __percpu *ptr)
{
	unsigned long addr = percpu_addr_of(ptr);

	if (!kml_following_frees() || IS_ERR_OR_NULL((void *)addr))
		return;
	if (unlikely(!kml_slot_free_percpu(addr)))
		kml_untrack(KML_PERCPU, addr);
}
EXPORT_SYMBOL_GPL(kmemleak_free_percpu);

/**
 * kmemleak_update_trace() - take this call for the place of the allocation
 * @ptr: points into an object; NULL and error pointers are ignored
 *
 * For objects that are handed out long after they were allocated, such as those
 * of memory pools.
 *
 * Context: Any but NMI.
 */
void kmemleak_update_trace(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_set_trace(addr_of(ptr), kml_trace_of(here(0).handles));
}
EXPORT_SYMBOL(kmemleak_update_trace);

/**
 * kmemleak_not_leak() - an object is in use although nothing points at it
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * It is never reported, and what it points at is in use as well.
 *
 * Context: Any but NMI.
 */
void kmemleak_not_leak(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_paint(KML_VIRT, addr_of(ptr), KML_GRAY);
}
EXPORT_SYMBOL(kmemleak_not_leak);

/**
 * kmemleak_transient_leak() - nothing will point at an object for a short while
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * Neither a scan that runs now nor the next one reports it.
 *
 * Context: Any but NMI.
 */
void kmemleak_transient_leak(const void *ptr)
{
	struct kml_record *rec;

	if (!kml_tracking() || IS_ERR_OR_NULL(ptr))
		return;
	rec = kml_record_exactly(KML_VIRT, addr_of(ptr), "spare");
	if (!rec)
		return;
	WRITE_ONCE(rec->grace, READ_ONCE(kml_scan_seq) + 1);
	kml_put(rec);
}
EXPORT_SYMBOL(kmemleak_transient_leak);

/**
 * kmemleak_ignore() - an object is no leak and holds no references
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * It is neither reported nor scanned.
 *
 * Context: Any but NMI.
 */
void kmemleak_ignore(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_paint(KML_VIRT, addr_of(ptr), KML_BLACK);
}
EXPORT_SYMBOL(kmemleak_ignore);

/**
 * kmemleak_ignore_percpu() - a per-CPU object is no leak and holds no references
 * @ptr: the __percpu pointer to it; NULL and error pointers are ignored
 *
 * It is neither reported nor scanned.
 *
 * Context: Any but NMI.
 */
void kmemleak_ignore_percpu(const void __percpu *ptr)
{
	unsigned long addr = percpu_addr_of(ptr);

	if (kml_tracking() && !IS_ERR_OR_NULL((void *)addr))
		kml_paint(KML_PERCPU, addr, KML_BLACK);
}
EXPORT_SYMBOL_GPL(kmemleak_ignore_percpu);

/**
 * kmemleak_scan_area() - only a part of an object holds references
 * @ptr: first byte of the part; NULL and error pointers are ignored
 * @size: its length in bytes; SIZE_MAX: to the end of the object
 * @gfp: flags to allocate metadata with
 *
 * May be called again for further parts of the same object.
 *
 * Context: Any but NMI.
 */
void kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp)
{
	if (kml_tracking() && size && !IS_ERR_OR_NULL(ptr))
		kml_add_area(addr_of(ptr), size, gfp);
}
EXPORT_SYMBOL(kmemleak_scan_area);

/**
 * kmemleak_no_scan() - an object holds no references
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * It is not scanned, but reported like any other if nothing points at it.
 *
 * Context: Any but NMI.
 */
void kmemleak_no_scan(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_no_scan(addr_of(ptr));
}
EXPORT_SYMBOL(kmemleak_no_scan);

/*
 * How much of a range can be addressed. What is beyond that, on 32 bits, is not mapped
 * either.
 */
static size_t addressable(phys_addr_t phys, size_t size)
{
	if (phys > ULONG_MAX)
		return 0;
	return size <= ULONG_MAX - phys ? size : ULONG_MAX - phys + 1;
}

/**
 * kmemleak_alloc_phys() - a range of physical memory was allocated at boot
 * @phys: its first address
 * @size: its length in bytes
 * @gfp: flags to allocate metadata with
 *
 * It is scanned, but never reported.
 *
 * Context: Any but NMI.
 */
void kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp)
{
	if (kml_tracking())
		kml_track(KML_PHYS, (unsigned long)phys, addressable(phys, size),
			  KML_GRAY, 0, gfp, here(gfp));
}
EXPORT_SYMBOL(kmemleak_alloc_phys);

/**
 * kmemleak_free_part_phys() - a range of physical memory is about to be freed
 * @phys: first address of the range
 * @size: its length in bytes
 *
 * Context: Any but NMI.
 */
void kmemleak_free_part_phys(phys_addr_t phys, size_t size)
{
	if (kml_following_frees())
		kml_untrack_range(KML_PHYS, (unsigned long)phys,
				  addressable(phys, size));
}
EXPORT_SYMBOL(kmemleak_free_part_phys);

/**
 * kmemleak_ignore_phys() - a range of physical memory holds no references
 * @phys: first address of an object from kmemleak_alloc_phys()
 *
 * Context: Any but NMI.
 */
void kmemleak_ignore_phys(phys_addr_t phys)
{
	if (kml_tracking() && addressable(phys, 1))
		kml_paint(KML_PHYS, (unsigned long)phys, KML_BLACK);
}
EXPORT_SYMBOL(kmemleak_ignore_phys);

/**
 * kmemleak_wipe_stack() - overwrite what calls that have returned left on the stack
 *
 * To be called by a thread before the function whose frame will be there for long.
 *
 * Context: Any.
 */
void kmemleak_wipe_stack(void)
{
	kml_wipe_stack();
}

/* What the detector writes down must not count as a reference to it. */
static void __init hide(const void *start, size_t size)
{
	kml_untrack_range(KML_VIRT, (unsigned long)start, size);
}

static void __init hide_metadata(void)
{
	unsigned long start;
	size_t size;

	kml_pool_range(&start, &size);
	hide((void *)start, size);
	hide(kml_trees, sizeof(kml_trees));
	hide(&kml_percpu_range, sizeof(kml_percpu_range));
}

/* What of it is in use is searched with the stacks of other tasks. */
static void __init hide_first_stack(void)
{
	hide(task_stack_page(&init_task), THREAD_SIZE);
}

static void __init track_section(const void *start, const void *end)
{
	struct kml_origin nobody = {};

	kml_track(KML_VIRT, (unsigned long)start, end - start, KML_GRAY, 0,
		  GFP_ATOMIC, nobody);
}

/**
 * kmemleak_init() - leave the early state
 *
 * From here on metadata comes from the slab allocator, stacks are recorded and
 * the kernel's own data is a root.
 *
 * Context: Boot, one CPU, slab allocator and stack depot usable.
 */
void __init kmemleak_init(void)
{
	kml_names_init();
	if (!kml_state_wanted()) {
		/* All there is so far stands in the static pool. */
		kml_state_advance(KML_STATE_CLEARED);
		return;
	}

	kml_pool_init();
	kml_slab_init();
	kml_trace_init();
	kml_unknown_init();
	kml_state_advance(KML_STATE_ON);

	track_section(_sdata, _edata);
	track_section(__bss_start, __bss_stop);
	/* Some architectures have it within .data. */
	if (&__start_ro_after_init[0] < &_sdata[0] ||
	    &__end_ro_after_init[0] > &_edata[0])
		track_section(__start_ro_after_init, __end_ro_after_init);

	hide_metadata();
	hide_first_stack();
}
