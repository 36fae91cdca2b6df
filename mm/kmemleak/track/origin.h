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
#include <linux/percpu.h>
#include <linux/sched.h>

#include "../store/names.h"
#include "frames.h"
#include "track.h"

/* ---- orc.c: sizes of frames, where they have no records ---- */

#ifdef KML_FRAME_SIZES
bool kml_orc_keep(unsigned long ip, u64 known);
bool kml_orc_learn(unsigned long frame, unsigned int depth, u64 seed);
void kml_orc_forget(void);
#else
static inline void kml_orc_forget(void) { }
#endif

/* ---- Where it came from ---- */

/* Entries of a CPU's cache, as a power of two. */
#define KML_TRACE_CACHE_BITS	10

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
 * What hashes start with: the epoch, and in the lowest bits the depth that traces are
 * kept to, 0 while there are none. In one word, so that nobody sees a mixture.
 */
extern unsigned long kml_trace_seed;

#define KML_TRACE_DEPTH_BITS	8

struct kml_origin kml_origin(unsigned long caller, const void *frame, gfp_t gfp);

static __always_inline unsigned int kml_trace_depth_of(u64 seed)
{
	return seed & GENMASK(KML_TRACE_DEPTH_BITS - 1, 0);
}

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

/* Does it run for nobody? With PREEMPT_RT, softirqs do so in tasks that are others' too. */
static __always_inline bool kml_in_interrupt(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return in_hardirq() || in_serving_softirq();
	return preempt_count() & (HARDIRQ_MASK | SOFTIRQ_OFFSET);
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
#if defined(KML_FRAME_RECORDS) || defined(KML_FRAME_SIZES)
	unsigned long record = (unsigned long)frame;
	u64 seed = READ_ONCE(kml_trace_seed);
	unsigned int depth = kml_trace_depth_of(seed);
	u64 hash = seed;

	if (unlikely(kml_in_interrupt()) ||
	    unlikely(!kml_hash_frames(&hash, &record, &depth)))
		return origin;
	origin.handles = kml_cached(kml_cache_entry(hash), hash);
#endif
	return origin;
}

/**
 * kml_origin_of_caller() - the same, if the trace is the caller of the hook and no more
 * @caller: return address of the hook
 *
 * Context: Any but NMI.
 * Return: as above; the handle is 0 if more is kept of traces.
 */
static __always_inline struct kml_origin kml_origin_of_caller(unsigned long caller)
{
	struct kml_origin origin = { 0, current->pid };
	u64 hash = READ_ONCE(kml_trace_seed);

	if (kml_trace_depth_of(hash) != 1 || unlikely(kml_in_interrupt()))
		return origin;
	/* As kml_hash_frames() does. */
	hash = hash * KML_TRACE_FACTOR + caller;
	origin.handles = kml_cached(kml_cache_entry(hash), hash);
	return origin;
}

#endif /* __MM_KMEMLEAK_ORIGIN_H */
