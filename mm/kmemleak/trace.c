// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: where an allocation came from, as handles.
 *
 * Unwinding a stack and looking it up in the depot costs more than anything else
 * that the detector does for an allocation, and it gives the same answer again
 * and again. Where the compiler leaves frame records on the stack, a hash of
 * the return addresses in them, and of the task's name, is had for a few
 * instructions a frame. A cache on each CPU leads from there to what the depot
 * said, and the unwinder only sees what the cache has not.
 *
 * A trace is cached only if the unwinder and the frame records agree on it. So
 * the cache stays right where the unwinder knows better, as with return
 * addresses that a tracer has replaced.
 */
#include <linux/hardirq.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/stackdepot.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#ifdef CONFIG_ARM64
#include <asm/pointer_auth.h>
#include <asm/stacktrace.h>
#endif

#include "internal.h"

/* Frames of the detector itself that may stand above the allocator's. */
#define TRACE_INTERNAL	6

/* Entries of a CPU's cache, as a power of two. */
#define TRACE_CACHE_BITS	9

/* Odd, without pattern: 2^64 divided by the golden ratio. */
#define TRACE_HASH_FACTOR	0x9e3779b97f4a7c15ULL

/*
 * No return address is below this: it ends traces that lead through code that
 * may go, and tells which code stood there.
 */
#define TRACE_EPOCH_END		0x100000UL

#define TRACE_COMM_WORDS	(TASK_COMM_LEN / sizeof(u64))

/**
 * struct trace_entry - what was once found out about a hash
 * @key: the hash, exclusive-or @data
 * @data: handles of the trace and of the name, see pack(); 0: empty
 *
 * An interrupt, or after a migration another CPU, may write an entry while it
 * is read. A mixture of two entries does not give back the hash of either, so
 * that no lock and no barrier is needed.
 */
struct trace_entry {
	u64 key;
	u64 data;
};

static DEFINE_PER_CPU_ALIGNED(struct trace_entry [1 << TRACE_CACHE_BITS],
			      trace_cache);

/* Frames that are kept. */
static unsigned int trace_depth = KML_TRACE_DEPTH;

static int set_trace_depth(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, KML_TRACE_DEPTH);
}

static const struct kernel_param_ops trace_depth_ops = {
	.set = set_trace_depth,
	.get = param_get_uint,
};
module_param_cb(trace_depth, &trace_depth_ops, &trace_depth, 0600);

/* ---- Frame records ---- */

#if defined(CONFIG_ARM64) || defined(CONFIG_FRAME_POINTER)

/* What the compiler leaves at the frame pointer. */
struct frame_record {
	unsigned long fp;
	unsigned long lr;
};

static __always_inline unsigned long return_address(unsigned long lr)
{
#ifdef CONFIG_ARM64
	return ptrauth_strip_kernel_insn_pac(lr);
#else
	return lr;
#endif
}

/* Where the last record of the stack may stand that has one at @frame. */
static __always_inline unsigned long last_record(unsigned long frame)
{
	unsigned long stack = (unsigned long)task_stack_page(current);

	if (likely(frame - stack < THREAD_SIZE))
		return stack + THREAD_SIZE - sizeof(struct frame_record);
#ifdef CONFIG_ARM64
	struct stack_info irq = stackinfo_get_irq();

	if (frame - irq.low < irq.high - irq.low)
		return irq.high - sizeof(struct frame_record);
#endif
	return 0;
}

typedef void (*frame_visit_t)(u64 *arg, unsigned long addr);

/*
 * Visit the return addresses from the record at @frame on. Returns false if
 * the records lead to where none can be expected.
 */
static __always_inline bool walk_frames(unsigned long frame,
					unsigned int depth,
					frame_visit_t visit, u64 *arg)
{
	unsigned long last = last_record(frame);

	if (unlikely(!last))
		return false;
	for (;;) {
		const struct frame_record *record = (void *)frame;
		unsigned long next = READ_ONCE(record->fp);

		visit(arg, return_address(READ_ONCE(record->lr)));
		if (!--depth)
			return true;
		if (unlikely(next <= frame || next > last)) {
			if (!next)
				return true;
			/* From an interrupt's stack to the task's, once. */
			if (next - frame <= last - frame)
				return false;
			if (frame - (unsigned long)task_stack_page(current) <
			    THREAD_SIZE)
				return false;
			last = last_record(next);
			if (!last)
				return false;
		}
		frame = next;
	}
}

static __always_inline void hash_frame(u64 *hash, unsigned long addr)
{
	*hash = *hash * TRACE_HASH_FACTOR + addr;
}

static __always_inline bool hash_frames(u64 *hash, const void *frame,
					unsigned int depth)
{
	return walk_frames((unsigned long)frame, depth, hash_frame, hash);
}

/* Compare the frame records with what the unwinder says. */
struct frame_check {
	u64 differ;
	const unsigned long *entries;
	unsigned int left;
};

static void check_frame(u64 *arg, unsigned long addr)
{
	struct frame_check *check = container_of(arg, struct frame_check, differ);

	/* The record that ends a stack has no return address. */
	if (!check->left) {
		check->differ |= addr;
		return;
	}
	check->differ |= addr ^ *check->entries++;
	check->left--;
}

static bool frames_agree(const void *frame, unsigned int depth,
			 const unsigned long *entries, unsigned int nr)
{
	struct frame_check check = { .entries = entries, .left = nr };

	return walk_frames((unsigned long)frame, depth, check_frame,
			   &check.differ) &&
	       !check.differ && !check.left;
}

#else /* no frame records */

static __always_inline bool hash_frames(u64 *hash, const void *frame,
					unsigned int depth)
{
	return false;
}

static bool frames_agree(const void *frame, unsigned int depth,
			 const unsigned long *entries, unsigned int nr)
{
	return false;
}

#endif

/* ---- The depot ---- */

/*
 * Memory for new traces is taken without reclaim. Waking the reclaim thread is
 * left to callers whose own flags allow it, as it takes scheduler locks.
 */
static depot_stack_handle_t depot_save(unsigned long *entries, unsigned int nr,
				       gfp_t gfp)
{
	return stack_depot_save(entries, nr,
				kml_gfp(gfp & __GFP_KSWAPD_RECLAIM));
}

/*
 * The return address of the hook, @caller, is the topmost frame that is kept,
 * so that the detector's own are left out however the compiler inlined them.
 */
static noinline depot_stack_handle_t save_trace(unsigned long caller,
						const void *frame,
						unsigned int depth, gfp_t gfp,
						bool *exact)
{
	unsigned long entries[KML_TRACE_DEPTH + TRACE_INTERNAL + 1];
	unsigned int i, nr, skip;

	nr = stack_trace_save(entries, depth + TRACE_INTERNAL, 0);
	for (skip = 0; skip < nr; skip++) {
		if (entries[skip] == caller)
			break;
	}
	/* An unwinder that cannot see the hook's caller: keep what there is. */
	if (skip == nr)
		skip = 0;

	nr = min(nr - skip, depth);
	*exact = frames_agree(frame, depth, entries + skip, nr);
	for (i = 0; i < nr; i++) {
		if (core_kernel_text(entries[skip + i]))
			continue;
		entries[skip + nr++] = READ_ONCE(kml_text_epoch) %
				       TRACE_EPOCH_END;
		break;
	}
	return depot_save(entries + skip, nr, gfp);
}

/**
 * kml_trace_fetch() - get the frames of a trace
 * @trace: from kml_origin()
 * @entries: set to the return addresses, innermost first
 * @epoch: set to the value that kml_text_epoch had when it was taken, if it
 *	leads through code that may go; may be NULL
 *
 * Context: Any.
 * Return: number of @entries, 0 if there is no trace.
 */
unsigned int kml_trace_fetch(depot_stack_handle_t trace,
			     unsigned long **entries, u32 *epoch)
{
	unsigned int nr = trace ? stack_depot_fetch(trace, entries) : 0;
	bool marked = nr && (*entries)[nr - 1] < TRACE_EPOCH_END;

	if (epoch)
		*epoch = marked ? (*entries)[nr - 1] : 0;
	return nr - marked;
}

/**
 * kml_comm_fetch() - get the name of the task that allocated an object
 * @comm: from kml_origin()
 * @buf: room for TASK_COMM_LEN bytes; set to the name
 *
 * Context: Any.
 */
void kml_comm_fetch(depot_stack_handle_t comm, char *buf)
{
	unsigned long *words;

	/* Before there was a depot, there was the first task only. */
	if (!comm || !stack_depot_fetch(comm, &words))
		strscpy(buf, init_task.comm, TASK_COMM_LEN);
	else
		strscpy(buf, (char *)words, TASK_COMM_LEN);
}

/* ---- Both together ---- */

static u64 pack(depot_stack_handle_t trace, depot_stack_handle_t comm)
{
	return (u64)comm << 32 | trace;
}

static noinline u64 find_out(unsigned long caller, const void *frame,
			     unsigned int depth, const u64 *comm, gfp_t gfp,
			     bool *exact)
{
	unsigned long words[TASK_COMM_LEN / sizeof(long)];
	depot_stack_handle_t trace;

	trace = save_trace(caller, frame, depth, gfp, exact);
	memcpy(words, comm, TASK_COMM_LEN);
	return pack(trace, depot_save(words, ARRAY_SIZE(words), gfp));
}

/**
 * kml_origin() - tell who is allocating, and where
 * @caller: return address of the hook
 * @frame: the hook's frame, as of __builtin_frame_address(0)
 * @gfp: flags of the allocation that is being tracked
 *
 * Context: Any but NMI.
 * Return: handles and number, 0 where there is no depot yet or no memory.
 */
struct kml_origin kml_origin(unsigned long caller, const void *frame, gfp_t gfp)
{
	static const char hardirq[TASK_COMM_LEN] __aligned(8) = "hardirq";
	static const char softirq[TASK_COMM_LEN] __aligned(8) = "softirq";
	unsigned int depth = READ_ONCE(trace_depth);
	struct kml_origin origin = {};
	const char *name = current->comm;
	u64 comm[TRACE_COMM_WORDS];
	struct trace_entry *entry;
	bool exact;
	u64 hash;
	u64 data;

	if (unlikely(preempt_count() & (HARDIRQ_MASK | SOFTIRQ_OFFSET)))
		name = in_hardirq() ? hardirq : softirq;
	else
		origin.pid = current->pid;

	/* The depot is set up right before the detector leaves this state. */
	if (unlikely(READ_ONCE(kml_state) == KML_STATE_EARLY))
		return origin;

	/*
	 * The lock against a concurrent change of the name may be held by the
	 * caller of the hook; a torn name is the lesser evil.
	 */
	comm[0] = get_unaligned((const u64 *)name);
	comm[1] = get_unaligned((const u64 *)(name + sizeof(u64)));
	hash = READ_ONCE(kml_text_epoch) * TRACE_HASH_FACTOR + depth;
	hash = hash * TRACE_HASH_FACTOR + comm[0];
	hash = hash * TRACE_HASH_FACTOR + comm[1];
	if (unlikely(!hash_frames(&hash, frame, depth))) {
		data = find_out(caller, frame, depth, comm, gfp, &exact);
		goto out;
	}

	/* Only the high bits of the sum depend on all of its parts. */
	hash *= TRACE_HASH_FACTOR;
	entry = raw_cpu_ptr(&trace_cache[hash >> (64 - TRACE_CACHE_BITS)]);
	data = READ_ONCE(entry->data);
	if (likely((READ_ONCE(entry->key) ^ data) == hash && data))
		goto out;

	data = find_out(caller, frame, depth, comm, gfp, &exact);
	/* What could not be had for want of memory may be had next time. */
	if (exact && (u32)data && data >> 32) {
		WRITE_ONCE(entry->key, hash ^ data);
		WRITE_ONCE(entry->data, data);
	}
out:
	origin.trace = data;
	origin.comm = data >> 32;
	return origin;
}
