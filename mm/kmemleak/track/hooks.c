// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the functions the rest of the kernel calls.
 *
 * They are what <linux/kmemleak.h> calls once its static key says so, and are
 * described there, by their names without underscores. Each one is a test of whether
 * the detector is on, and one call. They may be called wherever memory may be
 * allocated or freed, hard interrupts included, but not from NMI. None of them sleeps
 * unless the gfp flags it was given allow an allocation to sleep.
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

/* As it is compiled: the first hooks are called long before code can be patched. */
struct static_key_true kmemleak_key = STATIC_KEY_TRUE_INIT;
EXPORT_SYMBOL(kmemleak_key);

/**
 * kml_call_hooks() - have hooks called or not
 * @on: true until there is nothing left that a free could be of
 *
 * Context: Boot, one CPU, or process context; may sleep.
 */
void kml_call_hooks(bool on)
{
	if (on)
		static_branch_enable(&kmemleak_key);
	else
		static_branch_disable(&kmemleak_key);
}

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

/* To be called behind a call that was passed the frame: else, it might become a jump. */
static __always_inline void keep_frame(void)
{
	barrier();
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

/*
 * All that is not done at once.
 * @handles: of kml_origin_cached(); if they are 0, they are to be found out
 */
static noinline void alloc_slowly(const void *ptr, size_t size, int min_count,
				  gfp_t gfp, u64 handles, unsigned long caller,
				  const void *frame)
{
	struct kml_origin origin = { handles, current->pid };

	if (!kml_tracking() || IS_ERR_OR_NULL(ptr))
		return;
	if (!handles)
		origin = origin_of(caller, frame, gfp);
	alloc_traced(ptr, size, min_count, gfp, origin);
}

static __always_inline struct kmemleak_slab_object slab_object(void *ptr, gfp_t gfp)
{
	return (struct kmemleak_slab_object){ ptr, (__force unsigned long)gfp };
}

/*
 * With no more arguments than are passed in registers. It returns what the hook has to, so
 * that the hook need not keep it.
 */
static noinline struct kmemleak_slab_object
slab_alloc_slowly(void *ptr, gfp_t gfp, const struct kmem_cache *cache, u64 handles,
		  unsigned long caller, const void *frame)
{
	alloc_slowly(ptr, cache->object_size, 1, gfp, handles, caller, frame);
	return slab_object(ptr, gfp);
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
	/* From here on they are in one register. */
	OPTIMIZER_HIDE_VAR(origin->handles);
	return true;
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

/* Nothing is cached of any trace while the detector does not track. */
static __always_inline bool
alloc_at_once(unsigned long addr, const struct kmem_cache *cache,
	      struct kml_origin origin)
{
	return likely(origin.handles) && add_name(&origin) &&
	       kml_slot_alloc(addr, cache, origin);
}

void __kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp)
{
	const void *frame = __builtin_frame_address(0);
	const struct kmem_cache *cache;
	struct kml_origin where = {};
	bool done = false;

	if (likely(min_count == 1)) {
		rcu_read_lock();
		cache = kml_cache_at(addr_of(ptr), size);
		if (cache) {
			where = kml_origin_cached(frame);
			done = alloc_at_once(addr_of(ptr), cache, where);
		}
		rcu_read_unlock();
		if (likely(done))
			return;
	}
	alloc_slowly(ptr, size, min_count, gfp, where.handles, _RET_IP_, frame);
	keep_frame();
}
EXPORT_SYMBOL_GPL(__kmemleak_alloc);

static __always_inline struct kmemleak_slab_object
slab_alloc(void *ptr, gfp_t gfp, const struct kmem_cache *cache, unsigned long caller,
	   const void *frame)
{
	struct kmemleak_slab_object object;
	struct kml_origin where;
	bool done;

	rcu_read_lock();
	where = kml_origin_cached(frame);
	done = alloc_at_once(addr_of(ptr), cache, where);
	rcu_read_unlock();
	if (likely(done))
		return slab_object(ptr, gfp);
	object = slab_alloc_slowly(ptr, gfp, cache, where.handles, caller, frame);
	keep_frame();
	return object;
}

#if KML_X86_64

/* There are few registers, and a walk over frames takes some that have to be saved. */
static noinline struct kmemleak_slab_object
slab_alloc_walking(void *ptr, gfp_t gfp, const struct kmem_cache *cache,
		   unsigned long caller, const void *frame)
{
	return slab_alloc(ptr, gfp, cache, caller, frame);
}

struct kmemleak_slab_object __kmemleak_slab_alloc(void *ptr, gfp_t gfp,
						  const struct kmem_cache *cache)
{
	struct kmemleak_slab_object object;
	bool done;

	if (unlikely(cache->flags & SLAB_NOLEAKTRACE))
		return slab_object(ptr, gfp);
	rcu_read_lock();
	done = alloc_at_once(addr_of(ptr), cache, kml_origin_of_caller(_RET_IP_));
	rcu_read_unlock();
	if (done)
		return slab_object(ptr, gfp);
	object = slab_alloc_walking(ptr, gfp, cache, _RET_IP_, __builtin_frame_address(0));
	keep_frame();
	return object;
}

#else /* !KML_X86_64 */

struct kmemleak_slab_object __kmemleak_slab_alloc(void *ptr, gfp_t gfp,
						  const struct kmem_cache *cache)
{
	if (unlikely(cache->flags & SLAB_NOLEAKTRACE))
		return slab_object(ptr, gfp);
	return slab_alloc(ptr, gfp, cache, _RET_IP_, __builtin_frame_address(0));
}

#endif /* KML_X86_64 */

void __kmemleak_alloc_percpu(const void __percpu *ptr, size_t size, gfp_t gfp)
{
	const void *frame = __builtin_frame_address(0);
	unsigned long addr = percpu_addr_of(ptr);
	struct kml_origin origin;
	bool done;

	if (likely(kml_percpu_fits(addr, size))) {
		rcu_read_lock();
		origin = kml_origin_cached(frame);
		done = likely(origin.handles) && add_name(&origin) &&
		       kml_slot_alloc_percpu(addr, size, origin);
		rcu_read_unlock();
		if (likely(done))
			return;
	}
	alloc_percpu_slowly(addr, size, gfp, _RET_IP_, frame);
	keep_frame();
}
EXPORT_SYMBOL_GPL(__kmemleak_alloc_percpu);

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

void __kmemleak_vmalloc(const struct vm_struct *area, size_t size, gfp_t gfp)
{
	if (!kml_tracking())
		return;
	kml_track(KML_VIRT, addr_of(area->addr), size, 2, vmalloc_flags(area),
		  gfp, here(gfp));
	kml_note_area(addr_of(area->addr), size, true);
	kml_hand_surplus(addr_of(area), addr_of(area->addr));
}
EXPORT_SYMBOL_GPL(__kmemleak_vmalloc);

void __kmemleak_alloc_nolock(const void *ptr, size_t size)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_foreign_add(addr_of(ptr), size);
}

void __kmemleak_free_nolock(const void *ptr)
{
	if (kml_following_frees() && !IS_ERR_OR_NULL(ptr))
		kml_foreign_remove(addr_of(ptr));
}

static noinline void free_other(const void *ptr)
{
	unsigned long addr = addr_of(ptr);

	if (!kml_following_frees() || IS_ERR_OR_NULL(ptr) ||
	    kml_slot_free_shared(addr))
		return;
	kml_untrack(KML_VIRT, addr);
	kml_foreign_remove(addr);
}

static __always_inline void free_object(const void *ptr)
{
	if (unlikely(!kml_slot_free(addr_of(ptr))))
		free_other(ptr);
}

void __kmemleak_free(const void *ptr)
{
	free_object(ptr);
}
EXPORT_SYMBOL_GPL(__kmemleak_free);

void __kmemleak_slab_free(const void *ptr, const struct kmem_cache *cache)
{
	if (likely(!(cache->flags & SLAB_NOLEAKTRACE)))
		free_object(ptr);
}

void __kmemleak_free_part(const void *ptr, size_t size)
{
	if (kml_following_frees() && !IS_ERR_OR_NULL(ptr))
		kml_untrack_range(KML_VIRT, addr_of(ptr), size);
}
EXPORT_SYMBOL_GPL(__kmemleak_free_part);

void __kmemleak_free_percpu(const void __percpu *ptr)
{
	unsigned long addr = percpu_addr_of(ptr);

	if (!kml_following_frees() || IS_ERR_OR_NULL((void *)addr))
		return;
	if (unlikely(!kml_slot_free_percpu(addr)))
		kml_untrack(KML_PERCPU, addr);
}
EXPORT_SYMBOL_GPL(__kmemleak_free_percpu);

void __kmemleak_update_trace(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_set_trace(addr_of(ptr), kml_trace_of(here(0).handles));
}
EXPORT_SYMBOL(__kmemleak_update_trace);

void __kmemleak_not_leak(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_paint(KML_VIRT, addr_of(ptr), KML_GRAY);
}
EXPORT_SYMBOL(__kmemleak_not_leak);

void __kmemleak_transient_leak(const void *ptr)
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
EXPORT_SYMBOL(__kmemleak_transient_leak);

void __kmemleak_ignore(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_paint(KML_VIRT, addr_of(ptr), KML_BLACK);
}
EXPORT_SYMBOL(__kmemleak_ignore);

void __kmemleak_ignore_percpu(const void __percpu *ptr)
{
	unsigned long addr = percpu_addr_of(ptr);

	if (kml_tracking() && !IS_ERR_OR_NULL((void *)addr))
		kml_paint(KML_PERCPU, addr, KML_BLACK);
}
EXPORT_SYMBOL_GPL(__kmemleak_ignore_percpu);

void __kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp)
{
	if (kml_tracking() && size && !IS_ERR_OR_NULL(ptr))
		kml_add_area(addr_of(ptr), size, gfp);
}
EXPORT_SYMBOL(__kmemleak_scan_area);

void __kmemleak_no_scan(const void *ptr)
{
	if (kml_tracking() && !IS_ERR_OR_NULL(ptr))
		kml_no_scan(addr_of(ptr));
}
EXPORT_SYMBOL(__kmemleak_no_scan);

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

void __kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp)
{
	if (kml_tracking())
		kml_track(KML_PHYS, (unsigned long)phys, addressable(phys, size),
			  KML_GRAY, 0, gfp, here(gfp));
}
EXPORT_SYMBOL(__kmemleak_alloc_phys);

void __kmemleak_free_part_phys(phys_addr_t phys, size_t size)
{
	if (kml_following_frees())
		kml_untrack_range(KML_PHYS, (unsigned long)phys,
				  addressable(phys, size));
}
EXPORT_SYMBOL(__kmemleak_free_part_phys);

void __kmemleak_ignore_phys(phys_addr_t phys)
{
	if (kml_tracking() && addressable(phys, 1))
		kml_paint(KML_PHYS, (unsigned long)phys, KML_BLACK);
}
EXPORT_SYMBOL(__kmemleak_ignore_phys);

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
	kml_note_memory();
	kml_unknown_init();
	kml_note_boot_memory();
	if (!kml_state_wanted() || kml_pool_init()) {
		/* All there is so far stands in the static pool. */
		kml_state_advance(KML_STATE_CLEARED);
		kml_call_hooks(false);
		kml_trees_reset();
		kml_pool_give_back();
		return;
	}

	kml_names_init();
	/* Without slabs, all objects have records. */
	kml_slab_init();
	kml_trace_init();
	kml_trace_keep(true);
	kml_state_advance(KML_STATE_ON);

	kml_adopt_sections();
}
