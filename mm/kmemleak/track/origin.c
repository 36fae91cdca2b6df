// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: where an allocation came from, as handles.
 *
 * Unwinding a stack and looking it up in the depot costs more than anything else
 * that the detector does for an allocation, and it gives the same answer again
 * and again. Where the compiler leaves frame records on the stack, a hash of
 * the return addresses in them is had for a few instructions a frame. A cache on
 * each CPU leads from there to what the depot said, and the unwinder only sees what
 * the cache has not.
 *
 * A trace is cached only if the unwinder and the frame records agree on it. So
 * the cache stays right where the unwinder knows better, as with return
 * addresses that a tracer has replaced.
 */
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched/task_stack.h>
#include <linux/stackdepot.h>
#include <linux/stacktrace.h>

#if (defined(CONFIG_X86_64) && !defined(CONFIG_UML)) || defined(CONFIG_S390)
#include <asm/unwind.h>
#endif

#include "origin.h"

/* The function that changes to the stack of an interrupt, where it has to be known. */
#if defined(CONFIG_ARM)
#define STACK_SWITCH	"call_with_stack"
#elif defined(CONFIG_RISCV)
#define STACK_SWITCH	"call_on_irq_stack"
#else
#define STACK_SWITCH	NULL
#endif

/* Frames of the detector itself that may stand above the allocator's. */
#define TRACE_INTERNAL	8

/* For CPUs that have none of their own. */
static struct kml_trace_entry common_cache[1 << KML_TRACE_CACHE_BITS];

/*
 * Not within the per-CPU memory: addresses of what is allocated behind it there
 * look like those of the kernel's data, and the fewer do the better.
 */
DEFINE_PER_CPU(struct kml_trace_entry *, kml_trace_cache) = common_cache;

/* Frames that are kept. */
static unsigned int trace_depth = KML_TRACE_DEPTH;

/* Where its code is; nowhere, if it was not found. */
static unsigned long switch_start __read_mostly;
static unsigned long switch_size __read_mostly;

unsigned long kml_trace_seed __read_mostly;
static DEFINE_MUTEX(seed_mutex);

static unsigned long epoch_of(unsigned long seed)
{
	return seed >> KML_TRACE_DEPTH_BITS;
}

static void set_seed(unsigned long epoch, unsigned int depth)
{
	/* Pairs with smp_load_acquire() in kml_origin(). */
	smp_store_release(&kml_trace_seed, epoch << KML_TRACE_DEPTH_BITS | depth);
}

/**
 * kml_trace_memory() - tell how much memory is taken, besides the stack depot
 *
 * Context: Any.
 * Return: the size of all caches in bytes.
 */
size_t kml_trace_memory(void)
{
	size_t size = sizeof(common_cache);
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (per_cpu(kml_trace_cache, cpu) != common_cache)
			size += KML_TRACE_CACHE_SIZE;
	}
	return size;
}

/**
 * kml_trace_set_depth() - keep that many frames of the traces to come
 * @depth: the number
 *
 * Context: Process context; may sleep.
 * Return: 0, or -EINVAL if it is none from 1 to KML_TRACE_DEPTH.
 */
int kml_trace_set_depth(unsigned int depth)
{
	if (!depth || depth > KML_TRACE_DEPTH)
		return -EINVAL;
	mutex_lock(&seed_mutex);
	trace_depth = depth;
	if (kml_trace_depth_of(kml_trace_seed))
		set_seed(epoch_of(kml_trace_seed), depth);
	mutex_unlock(&seed_mutex);
	return 0;
}

/**
 * kml_trace_keep() - have traces, or none
 * @keep: false as long as nothing is tracked; then all hooks go the long way, which
 *	looks at the state of the detector
 *
 * Context: Process context; may sleep.
 */
void kml_trace_keep(bool keep)
{
	mutex_lock(&seed_mutex);
	set_seed(epoch_of(kml_trace_seed), keep ? trace_depth : 0);
	mutex_unlock(&seed_mutex);
}

static int set_trace_depth(const char *val, const struct kernel_param *kp)
{
	unsigned int depth;
	int ret = kstrtouint(val, 0, &depth);

	return ret ? -EINVAL : kml_trace_set_depth(depth);
}

static const struct kernel_param_ops trace_depth_ops = {
	.set = set_trace_depth,
	.get = param_get_uint,
};
module_param_cb(trace_depth, &trace_depth_ops, &trace_depth, 0600);

/**
 * kml_trace_new_epoch() - forget which traces the return addresses on a stack make
 *
 * To be called when other code is at the same addresses: see kml_code_add().
 *
 * Context: Process context; may sleep.
 */
void kml_trace_new_epoch(void)
{
	mutex_lock(&seed_mutex);
	set_seed(epoch_of(kml_trace_seed) + 1,
		 kml_trace_depth_of(kml_trace_seed));
	kml_orc_forget();
	mutex_unlock(&seed_mutex);
}

static void find_stack_switch(void)
{
	unsigned long start = STACK_SWITCH ? kallsyms_lookup_name(STACK_SWITCH) : 0;
	unsigned long size, offset;

	if (start && kallsyms_lookup_size_offset(start, &size, &offset)) {
		switch_start = start;
		switch_size = size;
	}
}

/**
 * kml_trace_init() - give each CPU a cache of its own, if it has none
 *
 * Context: Boot, one CPU, page allocator usable, or process context; may sleep.
 */
void kml_trace_init(void)
{
	struct kml_trace_entry *cache;
	unsigned int cpu;

	find_stack_switch();
	for_each_possible_cpu(cpu) {
		if (per_cpu(kml_trace_cache, cpu) != common_cache)
			continue;
		cache = alloc_pages_exact(KML_TRACE_CACHE_SIZE,
					  GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
		if (cache)
			WRITE_ONCE(per_cpu(kml_trace_cache, cpu), cache);
	}
}

/* ---- Frames ---- */

#if defined(KML_FRAME_RECORDS)

/*
 * Add what is kept of the stack to a hash. Of what an interrupt that has a stack
 * of its own found on the task's, nothing is kept.
 */
static bool hash_stack(u64 *hash, unsigned long frame, u64 seed)
{
	unsigned int depth = kml_trace_depth_of(seed);

	return kml_hash_frames(hash, &frame, &depth) ||
	       frame - (unsigned long)task_stack_page(current) >= THREAD_SIZE;
}

/*
 * Do the frame records say the same as the unwinder, as far as they were hashed?
 * @cut: there is more on the stack, which is not kept.
 */
static bool frames_agree(unsigned long frame, unsigned int depth,
			 const unsigned long *entries, unsigned int nr, bool cut)
{
	unsigned long last = kml_last_record(frame);
	struct kml_frame_record record = {};
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!frame)
			return false;
		record = *kml_record_at(frame);
		if (kml_return_address(record.lr) != entries[i])
			return false;
		frame = kml_is_last_record(record.fp, frame, last) ? 0 : record.fp;
	}
	if (cut || nr == depth)
		return nr;
	if (!frame)
		return nr && kml_is_end_of_stack(record.fp);
	/* One record may be left, which ends the stack and is no frame. */
	record = *kml_record_at(frame);
	return !record.fp && !record.lr;
}

#elif defined(KML_FRAME_SIZES)

static bool hash_stack(u64 *hash, unsigned long frame, u64 seed)
{
	unsigned int left, depth = kml_trace_depth_of(seed);
	unsigned long at = frame;
	u64 begun = *hash;

	left = depth;
	if (kml_hash_frames(hash, &at, &left))
		return true;
	if (!kml_orc_learn(frame, depth, seed))
		return false;
	*hash = begun;
	return kml_hash_frames(hash, &frame, &depth);
}

/*
 * As above. The cut is on stacks of interrupts, which are not hashed. If sizes were kept
 * of code that is not there any more, the right ones take their place.
 */
static bool frames_agree(unsigned long frame, unsigned int depth,
			 const unsigned long *entries, unsigned int nr, bool cut)
{
	u64 seed = READ_ONCE(kml_trace_seed), hash = 0, want = 0;
	unsigned int i, left = depth;
	unsigned long at = frame;

	for (i = 0; i < nr; i++)
		want = want * KML_TRACE_FACTOR + entries[i];
	if (!nr || cut || !kml_hash_frames(&hash, &at, &left))
		return false;
	if (hash == want && depth - left == nr)
		return true;
	kml_orc_learn(frame, depth, seed);
	return false;
}

#else /* !KML_FRAME_RECORDS && !KML_FRAME_SIZES */

static bool hash_stack(u64 *hash, unsigned long frame, u64 seed)
{
	return false;
}

static bool frames_agree(unsigned long frame, unsigned int depth,
			 const unsigned long *entries, unsigned int nr, bool cut)
{
	return false;
}

#endif /* KML_FRAME_RECORDS, KML_FRAME_SIZES */

/* ---- The depot ---- */

/*
 * Memory for new traces is taken without reclaim, so lockdep has no question
 * about the caller's locks. Waking the reclaim thread is left to callers whose own
 * flags allow it, as it takes scheduler locks.
 */
static depot_stack_handle_t depot_save(unsigned long *entries, unsigned int nr,
				       gfp_t gfp)
{
	return stack_depot_save(entries, nr,
				kml_gfp(gfp & __GFP_KSWAPD_RECLAIM));
}

#if KML_X86_64

/*
 * What an interrupt found on the task's stack is no part of the trace. It has no name
 * that filter_irq_stacks() would know it by where the compiler has made a jump of the
 * last call.
 */
static unsigned int save_stack(unsigned long *entries, unsigned int max)
{
	struct unwind_state state;
	struct stack_info stack;
	unsigned int nr = 0;

	unwind_start(&state, current, NULL, NULL);
	stack = state.stack_info;
	for (; nr < max && !unwind_done(&state); unwind_next_frame(&state)) {
		unsigned long ip = unwind_get_return_address(&state);

		if (!ip)
			break;
		if (stack.type == STACK_TYPE_IRQ &&
		    !on_stack(&stack, unwind_get_return_address_ptr(&state),
			      sizeof(long)))
			break;
		entries[nr++] = ip;
	}
	return nr;
}

#elif defined(CONFIG_S390)

/* As above. */
static unsigned int save_stack(unsigned long *entries, unsigned int max)
{
	struct unwind_state state;
	enum stack_type type;
	unsigned int nr = 0;

	unwind_start(&state, current, NULL, 0);
	type = state.stack_info.type;
	for (; nr < max && !unwind_done(&state); unwind_next_frame(&state)) {
		unsigned long ip = unwind_get_return_address(&state);

		if (!ip || state.stack_info.type != type)
			break;
		entries[nr++] = ip;
	}
	return nr;
}

#else /* !KML_X86_64 && !CONFIG_S390 */

static unsigned int save_stack(unsigned long *entries, unsigned int max)
{
	return stack_trace_save(entries, max, 0);
}

#endif /* KML_X86_64, CONFIG_S390 */

/*
 * How much of a trace was called by the function that has changed to the stack of an
 * interrupt, itself included, for the same reason.
 */
static unsigned int cut_interrupted(const unsigned long *entries, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (entries[i] - switch_start < switch_size)
			return i + 1;
	}
	return nr;
}

/*
 * The return address of the hook, @caller, is the topmost frame that is kept,
 * so that the detector's own are left out however the compiler inlined them.
 */
static depot_stack_handle_t save_trace(unsigned long caller,
				       unsigned long frame, unsigned int depth,
				       gfp_t gfp, bool *exact)
{
	unsigned long room[KML_TRACE_DEPTH + TRACE_INTERNAL];
	unsigned long *entries = room;
	unsigned int i, nr, kept, skip;

	nr = save_stack(entries, depth + TRACE_INTERNAL);
	for (skip = 0; skip < nr; skip++) {
		if (entries[skip] == caller)
			break;
	}
	/* An unwinder that cannot see the hook's caller: keep what there is. */
	if (skip == nr)
		skip = 0;

	entries += skip;
	nr = min(nr - skip, depth);
	/* What was interrupted is no part of it. */
	kept = cut_interrupted(entries, filter_irq_stacks(entries, nr));
	*exact = frames_agree(frame, depth, entries, kept, kept < nr);
	for (i = 0; i < kept; i++)
		entries[i] = kml_code_pack(entries[i]);
	return depot_save(entries, kept, gfp);
}

/**
 * kml_trace_fetch() - get the frames of a trace
 * @trace: from kml_origin()
 * @entries: set to the frames, innermost first: return addresses, or what
 *	kml_code_pack() makes of them
 *
 * Context: Any.
 * Return: number of @entries, 0 if there is no trace.
 */
unsigned int kml_trace_fetch(depot_stack_handle_t trace,
			     unsigned long **entries)
{
	return trace ? stack_depot_fetch(trace, entries) : 0;
}

/* ---- Both together ---- */

/**
 * kml_origin() - tell who is allocating, and where
 * @caller: return address of the hook
 * @frame: the hook's frame, as of __builtin_frame_address(0)
 * @gfp: flags of the allocation that is being tracked
 *
 * Context: Any but NMI, once the detector has left the early state.
 * Return: handle of the trace, without one of the name, and number; the handle is 0
 * for want of memory.
 */
struct kml_origin kml_origin(unsigned long caller, const void *frame, gfp_t gfp)
{
	unsigned long record = (unsigned long)frame;
	struct kml_origin origin = { 0, 0 };
	struct kml_trace_entry *entry;
	bool hashed, exact;
	u64 hash, seed;

	/*
	 * Pairs with smp_store_release() in set_seed(): who hashes with a seed knows
	 * the code that it has come with. What was found out about older code while
	 * the seed changed is cached with the older one.
	 */
	seed = smp_load_acquire(&kml_trace_seed);
	if (!in_hardirq() && !in_serving_softirq())
		origin.pid = current->pid;

	hash = seed;
	hashed = hash_stack(&hash, record, seed);
	entry = kml_cache_entry(hash);
	if (hashed)
		origin.handles = kml_cached(entry, hash);
	if (origin.handles)
		return origin;

	origin.handles = save_trace(caller, record, kml_trace_depth_of(seed),
				    gfp, &exact);
	/* What could not be had for want of memory may be had next time. */
	if (hashed && exact && origin.handles) {
		WRITE_ONCE(entry->key, hash ^ origin.handles);
		WRITE_ONCE(entry->data, origin.handles);
	}
	return origin;
}
