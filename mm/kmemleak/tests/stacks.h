/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: stacks to take traces of, and who takes them.
 */
#ifndef __MM_KMEMLEAK_TESTS_STACKS_H
#define __MM_KMEMLEAK_TESTS_STACKS_H

#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#include "../store/slot.h"
#include "../track/origin.h"

/* Frames that the unwinder is asked for: more than are ever kept. */
#define WANT_MAX	(2 * KML_TRACE_DEPTH)

/* Longest stacks, in frames of ours; they are longer than what is kept. */
#define LONG		(KML_TRACE_DEPTH + 4)

/* Are all stacks cached, or those of tasks? Others are left to the unwinder. */
#if defined(KML_FRAME_RECORDS) && defined(KML_STACKS_ALIGNED)
#define ALL_CACHED	true
#else
#define ALL_CACHED	false
#endif
#if defined(KML_FRAME_RECORDS) || defined(KML_FRAME_SIZES)
#define TASKS_CACHED	true
#else
#define TASKS_CACHED	false
#endif

/**
 * struct walk - stacks that somebody makes, and what came of it
 * @take: what is done at the end of each
 * @beneath: for take_in_softirq()
 * @way: tells the ways apart for the compiler; of no interest
 * @name: name that is to be found out
 * @pid: the same
 * @handles: what was found out last
 * @taken: traces that were compared
 * @known: traces that the cache had before
 * @cached: traces that the cache had afterwards
 * @wrong: traces that are not what they should be
 * @complaint: the first of them
 */
struct walk {
	void (*take)(struct walk *walk);
	struct job *beneath;
	unsigned int way;
	const char *name;
	pid_t pid;
	u64 handles;
	unsigned int taken;
	unsigned int known;
	unsigned int cached;
	unsigned int wrong;
	char complaint[256];
};

/**
 * struct job - something to do in some context
 * @run: what
 * @walk: its argument
 * @done: it has been done
 * @tasklet: to get into a softirq
 * @work: to get into a hardirq
 * @timer: to get into either one at any place
 */
struct job {
	void (*run)(struct walk *walk);
	struct walk walk;
	struct completion done;
	struct tasklet_struct tasklet;
	struct irq_work work;
	struct hrtimer timer;
};

/**
 * struct context - where an job can be done
 * @name: what it is called
 * @enter: has it done there, and completes it
 */
struct context {
	const char *name;
	void (*enter)(struct job *job);
};

#define NR_CONTEXTS	7

extern const struct context kml_contexts[NR_CONTEXTS];

static inline unsigned int depth_now(void)
{
	return kml_trace_depth_of(READ_ONCE(kml_trace_seed));
}

/*
 * What the unwinder says of the callers of the function that calls this, which returns
 * to @caller. How many frames of its own it tells differs.
 */
static __always_inline unsigned int unwind_from(unsigned long caller,
						unsigned long *want)
{
	unsigned int skip = 0, nr = stack_trace_save(want, WANT_MAX, 0);

	while (skip < nr && want[skip] != caller)
		skip++;
	memmove(want, want + skip, (nr - skip) * sizeof(*want));
	return nr - skip;
}

/* Nothing is to get in between. With PREEMPT_RT nobody may allocate that way. */
static inline unsigned long keep_others_out(void)
{
	unsigned long flags = 0;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_disable();
	else
		local_irq_save(flags);
	return flags;
}

static inline void let_others_in(unsigned long flags)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_enable();
	else
		local_irq_restore(flags);
}

/* The way hooks take it. */
static __always_inline struct kml_origin ask(unsigned long caller,
					     const void *frame)
{
	struct kml_origin origin = kml_origin_cached(frame);

	if (!origin.handles)
		origin = kml_origin(caller, frame, GFP_ATOMIC);
	origin.handles = kml_handles(kml_trace_of(origin.handles), kml_name_now());
	return origin;
}

static inline bool this_cpu_caches(u64 handles)
{
	const struct kml_trace_entry *cache = raw_cpu_read(kml_trace_cache);
	unsigned int i;

	for (i = 0; i < 1 << KML_TRACE_CACHE_BITS; i++) {
		if (handles && READ_ONCE(cache[i].data) == kml_trace_of(handles))
			return true;
	}
	return false;
}

/* At once, on top of this task's stack. */
static __always_inline void kml_raise_softirq(struct job *job)
{
	local_bh_disable();
	tasklet_schedule(&job->tasklet);
	local_bh_enable();
}

void kml_compare(struct walk *walk, struct kml_origin origin,
		 unsigned int above, unsigned long *want, unsigned int want_nr);
void kml_take_twice(struct walk *walk);
void kml_take_once(struct walk *walk);
void kml_take_object(struct walk *walk);
void kml_step_left(struct walk *walk, u32 turns, unsigned int steps);
void kml_step_right(struct walk *walk, u32 turns, unsigned int steps);
void kml_walk_all(struct walk *walk);
void kml_walk_lengths(struct walk *walk);
void kml_walk_turns(struct walk *walk);
void kml_walk_once(struct walk *walk);
void kml_expect_task(struct walk *walk);
void kml_expect_interrupt(struct walk *walk, const char *name);
void kml_job_tasklet(struct tasklet_struct *tasklet);
void kml_run_in(const struct context *context, struct job *job,
		void (*run)(struct walk *walk));

#endif /* __MM_KMEMLEAK_TESTS_STACKS_H */
