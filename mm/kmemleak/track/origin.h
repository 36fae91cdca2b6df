/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: the way that each allocation and free takes.
 *
 * What origin.c does for the common case, to be compiled into the hooks
 * themselves: it is short, takes no lock, and calls nothing.
 */
#ifndef __MM_KMEMLEAK_ORIGIN_H
#define __MM_KMEMLEAK_ORIGIN_H

#include <linux/hardirq.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/task_stack.h>

#ifdef CONFIG_ARM64
#include <asm/pointer_auth.h>
#include <asm/stacktrace.h>
#endif

#include "../store/names.h"
#include "track.h"

/* ---- Where it came from ---- */

/* Entries of a CPU's cache, as a power of two. */
#define KML_TRACE_CACHE_BITS	10

/*
 * Odd, and larger than the distance of any two return addresses. Not larger than
 * the machine can load in two instructions.
 */
#define KML_TRACE_FACTOR	0x9e3779b1ULL

/* Frames that are hashed between two looks at how many are left. */
#define KML_TRACE_UNROLL	4

/**
 * struct kml_trace_entry - what was once found out about a hash
 * @key: the hash, exclusive-or @data
 * @data: handle of the trace; 0: empty
 *
 * An interrupt, or after a migration another CPU, may write an entry while it
 * is read. A mixture of two entries does not give back the hash of either, so
 * that no lock and no barrier is needed.
 */
struct kml_trace_entry {
	u64 key;
	u64 data;
};

#define KML_TRACE_CACHE_SIZE						\
	(sizeof(struct kml_trace_entry) << KML_TRACE_CACHE_BITS)

DECLARE_PER_CPU(struct kml_trace_entry *, kml_trace_cache);

/*
 * What hashes start with: the epoch, in the upper half, and the depth that traces
 * are kept to. In one word, so that nobody sees a mixture.
 */
extern u64 kml_trace_seed;

struct kml_origin kml_origin(unsigned long caller, const void *frame, gfp_t gfp);

static __always_inline unsigned int kml_trace_depth_of(u64 seed)
{
	return seed & GENMASK(7, 0);
}

#if defined(CONFIG_ARM64) || defined(CONFIG_FRAME_POINTER)
#define KML_FRAME_RECORDS

/* What the compiler leaves at the frame pointer. */
struct kml_frame_record {
	unsigned long fp;
	unsigned long lr;
};

static __always_inline unsigned long kml_return_address(unsigned long lr)
{
#ifdef CONFIG_ARM64
	return ptrauth_strip_kernel_insn_pac(lr);
#else
	return lr;
#endif
}

/* Where the last record may stand of the stack that has one at @frame, or 0. */
static __always_inline unsigned long kml_last_record(unsigned long frame)
{
#if defined(CONFIG_ARM64) && defined(CONFIG_VMAP_STACK)
	/* All stacks have this size, and start at a multiple of it. */
	return (frame | (THREAD_SIZE - 1)) + 1 - sizeof(struct kml_frame_record);
#else
	unsigned long stack = (unsigned long)task_stack_page(current);

	if (unlikely(frame - stack >= THREAD_SIZE))
		return 0;
	return stack + THREAD_SIZE - sizeof(struct kml_frame_record);
#endif
}

/**
 * kml_hash_frames() - add return addresses to a hash
 * @hash: the hash
 * @frame: the record to begin with; set to the last one that was added
 * @depth: how many; set to how many are left
 *
 * Context: Any but NMI.
 * Return: true if that is all; false if the records lead off the stack.
 */
static __always_inline bool kml_hash_frames(u64 *hash, unsigned long *frame,
					    unsigned int *depth)
{
	unsigned long last = kml_last_record(*frame);
	struct kml_frame_record record;
	unsigned int i, left;

	for (left = *depth; left >= KML_TRACE_UNROLL; left -= KML_TRACE_UNROLL) {
#pragma GCC unroll 4 /* KML_TRACE_UNROLL */
		for (i = 1; i <= KML_TRACE_UNROLL; i++) {
			record = *(struct kml_frame_record *)*frame;
			*hash = *hash * KML_TRACE_FACTOR +
				kml_return_address(record.lr);
			if (unlikely(record.fp <= *frame || record.fp > last)) {
				left -= i;
				goto edge;
			}
			*frame = record.fp;
		}
	}
	while (left) {
		left--;
		record = *(struct kml_frame_record *)*frame;
		*hash = *hash * KML_TRACE_FACTOR + kml_return_address(record.lr);
		if (unlikely(record.fp <= *frame || record.fp > last))
			goto edge;
		*frame = record.fp;
	}
	return true;
edge:
	*depth = left;
	return !left || !record.fp;
}

#endif /* CONFIG_ARM64 || CONFIG_FRAME_POINTER */

/*
 * Where the cache has, or would have, what is known of a hash. Only the high bits
 * of the product depend on all that went in.
 */
static __always_inline struct kml_trace_entry *kml_cache_entry(u64 hash)
{
	hash *= kml_names.seed;
	return raw_cpu_read(kml_trace_cache) +
	       (hash >> (64 - KML_TRACE_CACHE_BITS));
}

/* Ask the cache. Returns 0 if it does not know. */
static __always_inline u64 kml_cached(const struct kml_trace_entry *entry,
				      u64 hash)
{
	u64 key, data;

	/* From a plain pointer, one instruction loads both. */
	OPTIMIZER_HIDE_VAR(entry);
	/* Half of an entry is none, see struct kml_trace_entry. */
	key = data_race(entry->key);
	/* The same. */
	data = data_race(entry->data);
	/* What is compared is what is used. */
	OPTIMIZER_HIDE_VAR(data);
	return likely((key ^ data) == hash) ? data : 0;
}

/**
 * kml_origin_cached() - tell who is allocating, and where, if that is easy
 * @frame: the hook's frame, as of __builtin_frame_address(0)
 *
 * The name has no part in it, so that a new one costs the trace nothing.
 *
 * Context: Any but NMI.
 * Return: handle of the trace, without one of the name, and number; the handle is
 * 0 if kml_origin() has to be asked.
 */
static __always_inline struct kml_origin kml_origin_cached(const void *frame)
{
	struct kml_origin origin = { 0, current->pid };
#ifdef KML_FRAME_RECORDS
	unsigned long record = (unsigned long)frame;
	u64 seed = READ_ONCE(kml_trace_seed);
	unsigned int depth = kml_trace_depth_of(seed);
	u64 hash = seed;

	if (unlikely(preempt_count() & (HARDIRQ_MASK | SOFTIRQ_OFFSET)) ||
	    unlikely(!kml_hash_frames(&hash, &record, &depth)))
		return origin;
	origin.handles = kml_cached(kml_cache_entry(hash), hash);
#endif
	return origin;
}

#endif /* __MM_KMEMLEAK_ORIGIN_H */
