// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of what it says of stacks.
 *
 * It has to be what the unwinder says, whether it was asked or not: of many
 * stacks in all kml_contexts, with all depths, and with caches full of what does not
 * belong to the stack, but almost.
 */
#include <kunit/test.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#include "stacks.h"
#include "tree.h"

static void context_desc(const struct context *context, char *desc)
{
	strscpy(desc, context->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(context, kml_contexts, context_desc);

/* Whoever takes a trace meanwhile only loses it again. */
static void empty_caches(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu(kml_trace_cache, cpu), 0, KML_TRACE_CACHE_SIZE);
}

/* Nobody has taken traces yet. */
static void start_over(struct job *job, void (*take)(struct walk *walk))
{
	memset(&job->walk, 0, sizeof(job->walk));
	job->walk.take = take;
	empty_caches();
}

static void expect_exact(struct kunit *test, const struct walk *walk)
{
	KUNIT_EXPECT_GT(test, walk->taken, 0);
	KUNIT_EXPECT_EQ_MSG(test, walk->wrong, 0, "of %u: %s", walk->taken,
			    walk->complaint);
}

/* Every other time they were taken from the cache. */
static void expect_cached(struct kunit *test, const struct walk *walk)
{
	if (ALL_CACHED || (TASKS_CACHED && walk->pid))
		KUNIT_EXPECT_EQ(test, walk->cached, walk->taken / 2);
}

static void trace_paths(struct kunit *test)
{
	struct job *job = test->priv;
	const struct walk *walk = &job->walk;

	start_over(job, kml_take_twice);
	kml_run_in(test->param_value, job, kml_walk_all);
	KUNIT_EXPECT_EQ(test, walk->taken, 512);
	KUNIT_EXPECT_EQ(test, walk->known, 0);
	expect_exact(test, walk);
	expect_cached(test, walk);
}

static void trace_depths(struct kunit *test)
{
	struct job *job = test->priv;
	unsigned int depth;

	start_over(job, kml_take_twice);
	for (depth = 1; depth <= KML_TRACE_DEPTH; depth++) {
		KUNIT_ASSERT_EQ(test, kml_trace_set_depth(depth), 0);
		kml_run_in(test->param_value, job, kml_walk_lengths);
		kml_run_in(test->param_value, job, kml_walk_turns);
		KUNIT_ASSERT_EQ(test, job->walk.taken, depth * 6 * LONG);
		KUNIT_EXPECT_EQ(test, job->walk.wrong, 0);
	}
	expect_exact(test, &job->walk);
	expect_cached(test, &job->walk);
}

static void trace_objects(struct kunit *test)
{
	struct job *job = test->priv;

	start_over(job, kml_take_object);
	kml_run_in(test->param_value, job, kml_walk_all);
	kml_run_in(test->param_value, job, kml_walk_all);
	kml_run_in(test->param_value, job, kml_walk_lengths);
	expect_exact(test, &job->walk);
}

/* Two stacks have one trace if, and only if, they differ beyond what is kept. */
static void trace_distinct(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk *walk = &job->walk;
	unsigned int bit, depth;
	u32 turns = 0x93b2d;

	start_over(job, kml_take_once);
	kml_expect_task(walk);
	for (depth = 1; depth <= KML_TRACE_DEPTH; depth++) {
		u64 handles;

		KUNIT_ASSERT_EQ(test, kml_trace_set_depth(depth), 0);
		kml_step_left(walk, turns, LONG - 1);
		handles = walk->handles;
		for (bit = 0; bit < LONG; bit++) {
			kml_step_left(walk, turns ^ BIT(bit), LONG - 1);
			/* Counted from the innermost frame, which is 0. */
			if ((int)(LONG - 1 - bit) - 1 >= (int)depth)
				KUNIT_EXPECT_EQ(test, walk->handles, handles);
			else
				KUNIT_EXPECT_NE(test, walk->handles, handles);
		}
	}
	expect_exact(test, walk);
}

static void trace_bad_depth(struct kunit *test)
{
	const unsigned int bad[] = { 0, KML_TRACE_DEPTH + 1, 257, UINT_MAX };
	u64 seed;
	int i;

	KUNIT_ASSERT_EQ(test, kml_trace_set_depth(5), 0);
	seed = READ_ONCE(kml_trace_seed);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, kml_trace_set_depth(bad[i]), -EINVAL);
	KUNIT_EXPECT_EQ(test, READ_ONCE(kml_trace_seed), seed);
}

static void take_in_softirq(struct walk *walk)
{
	kml_raise_softirq(walk->beneath);
	wait_for_completion(&walk->beneath->done);
	tasklet_kill(&walk->beneath->tasklet);
}

/* Entries of all caches that lead to these. */
static unsigned int nr_entries(u64 handles)
{
	unsigned int i, nr = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < 1 << KML_TRACE_CACHE_BITS; i++)
			nr += per_cpu(kml_trace_cache, cpu)[i].data ==
			      kml_trace_of(handles);
	}
	return nr;
}

/*
 * What was interrupted does not belong to the trace, wherever that was. So it is
 * found out once, on each CPU that this may have run on.
 */
static void trace_beneath(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk outer = { .take = take_in_softirq, .beneath = job };
	u64 handles = 0;
	u32 turns;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "softirqs run in tasks");
	start_over(job, kml_take_twice);
	job->run = kml_take_twice;
	init_completion(&job->done);
	tasklet_setup(&job->tasklet, kml_job_tasklet);
	for (turns = 0; turns < 1 << 5; turns++) {
		kml_step_left(&outer, turns, 4);
		handles = handles ?: job->walk.handles;
		KUNIT_EXPECT_EQ(test, job->walk.handles, handles);
	}
	if (ALL_CACHED)
		KUNIT_EXPECT_LE(test, nr_entries(handles), num_online_cpus());
	expect_exact(test, &job->walk);
	expect_cached(test, &job->walk);
}

/* Half of one entry and half of another one are nothing. */
static void trace_torn(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk *walk = &job->walk;
	struct kml_trace_entry *entry;
	u64 data = 0;
	int i, cpu;

	start_over(job, kml_take_once);
	kml_expect_task(walk);
	for (i = 0; i < 4; i++) {
		kml_walk_all(walk);
		for_each_possible_cpu(cpu) {
			entry = per_cpu(kml_trace_cache, cpu);
			for (; entry < per_cpu(kml_trace_cache, cpu) +
				       (1 << KML_TRACE_CACHE_BITS); entry++) {
				if (entry->data)
					swap(entry->data, data);
			}
		}
	}
	expect_exact(test, walk);
}

/* One stack again and again, under names that are almost the same. */
static void trace_names(struct kunit *test)
{
	static const char * const names[] = {
		"kml", "kml_", "kml_trace_test0", "kml_trace_test1",
		"Kml_trace_test1", "kml_tracE_test1", "kml_trac", "softirq", "",
	};
	struct job *job = test->priv;
	struct walk *walk = &job->walk;
	depot_stack_handle_t trace = 0;
	unsigned int others = 0;
	char own[TASK_COMM_LEN];
	int i;

	start_over(job, kml_take_twice);
	kml_expect_task(walk);
	get_task_comm(own, current);
	for (i = 0; i < 2 * ARRAY_SIZE(names); i++) {
		walk->name = names[i % ARRAY_SIZE(names)];
		__set_task_comm(current, walk->name, false);
		kml_walk_once(walk);
		others += i && kml_trace_of(walk->handles) != trace;
		trace = kml_trace_of(walk->handles);
	}
	__set_task_comm(current, own, false);
	KUNIT_EXPECT_EQ(test, others, 0);
	/* The trace is known from the second time on, whatever the name. */
	if (TASKS_CACHED)
		KUNIT_EXPECT_EQ(test, walk->known, 2 * ARRAY_SIZE(names) - 1);
	expect_exact(test, walk);
	expect_cached(test, walk);
}

/* An interrupt is none of the task's that has its name. */
static void trace_namesakes(struct kunit *test)
{
	struct job *job = test->priv;
	char own[TASK_COMM_LEN];

	start_over(job, kml_take_twice);
	get_task_comm(own, current);
	__set_task_comm(current, "softirq", false);
	kml_run_in(test->param_value, job, kml_walk_lengths);
	__set_task_comm(current, "hardirq", false);
	kml_run_in(test->param_value, job, kml_walk_lengths);
	__set_task_comm(current, own, false);
	expect_exact(test, &job->walk);
	expect_cached(test, &job->walk);
}

/* What was found out before some code went is not asked for any more. */
static void trace_epoch(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk *walk = &job->walk;
	u64 handles;

	/* So few that the places of the calls below do not count. */
	KUNIT_ASSERT_EQ(test, kml_trace_set_depth(4), 0);
	start_over(job, kml_take_twice);
	kml_expect_task(walk);
	kml_walk_once(walk);
	handles = walk->handles;
	kml_walk_once(walk);
	if (TASKS_CACHED)
		KUNIT_EXPECT_EQ(test, walk->known, 1);

	walk->known = 0;
	kml_trace_new_epoch();
	kml_walk_once(walk);
	KUNIT_EXPECT_EQ(test, walk->known, 0);
	/* This code stays, and has the trace that it had. */
	KUNIT_EXPECT_EQ(test, walk->handles, handles);
	expect_exact(test, walk);
	expect_cached(test, walk);
}

/* ---- Records that lie ---- */

#ifdef KML_FRAME_RECORDS

enum lie {
	LIE_ADDRESS,	/* another return address */
	LIE_MISSING,	/* a frame is left out */
	LIE_END,	/* it is the last one */
	NR_LIES,
};

/* Where the frame pointer would point if that were a function's record. */
static __always_inline unsigned long frame_of(const struct kml_frame_record *record)
{
	return (unsigned long)record + KML_RECORD_BELOW;
}

/* Copy this function's frame records, and lie about number @at. */
static __always_inline void forge(struct kml_frame_record *forged, unsigned long frame,
				  enum lie lie, unsigned int at)
{
	unsigned int i;

	for (i = 0; i < LONG; i++) {
		forged[i] = *kml_record_at(frame);
		frame = forged[i].fp;
		if (i + 1 < LONG)
			forged[i].fp = frame_of(&forged[i + 1]);
	}
	if (lie == LIE_ADDRESS)
		forged[at].lr += 4;
	else if (lie == LIE_MISSING)
		forged[at] = forged[at + 1];
	else if (lie == LIE_END)
		forged[at].fp = 0;
}

/* What the unwinder does not agree with is not worth to be remembered. */
static noinline void take_forged(struct walk *walk)
{
	unsigned long frame = (unsigned long)__builtin_frame_address(0);
	unsigned long want[WANT_MAX];
	unsigned int nr = unwind_from(_RET_IP_, want);
	/* Here they stand above this frame and below the next one. */
	struct kml_frame_record forged[LONG];
	unsigned int at, kept = depth_now();
	struct kml_origin origin;
	unsigned long flags;
	enum lie lie;

	for (lie = 0; lie < NR_LIES; lie++) {
		for (at = 0; at < LONG - 1; at++) {
			forge(forged, frame, lie, at);
			barrier_data(forged);

			flags = keep_others_out();
			memset(raw_cpu_read(kml_trace_cache), 0,
			       KML_TRACE_CACHE_SIZE);
			origin = ask(_RET_IP_, (void *)frame_of(forged));
			/* That a frame is the last one is seen at the next. */
			if (lie == LIE_END ? at + 1 < kept : at < kept)
				walk->known += this_cpu_caches(origin.handles);
			else
				walk->cached += this_cpu_caches(origin.handles);
			let_others_in(flags);
			kml_compare(walk, origin, 0, want, nr);
		}
	}
}

/* Frames that follow each other are never the same. */
static void walk_to_forge(struct walk *walk)
{
	kml_step_left(walk, 0x55555, LONG - 1);
}

static void trace_forged(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk *walk = &job->walk;
	unsigned int depth, honest = 0;

	start_over(job, take_forged);
	for (depth = 1; depth <= KML_TRACE_DEPTH; depth += 5) {
		KUNIT_ASSERT_EQ(test, kml_trace_set_depth(depth), 0);
		kml_run_in(test->param_value, job, walk_to_forge);
		honest += NR_LIES * (LONG - 1 - depth) + 1;
	}
	expect_exact(test, walk);
	KUNIT_EXPECT_EQ(test, walk->known, 0);
	if (ALL_CACHED)
		KUNIT_EXPECT_EQ(test, walk->cached, honest);
}

/* The records go on where the unwinder sees the end of the stack. */
static noinline void take_endless(struct walk *walk)
{
	unsigned long frame = (unsigned long)__builtin_frame_address(0);
	unsigned long want[WANT_MAX];
	unsigned int nr = unwind_from(_RET_IP_, want);
	struct kml_frame_record forged[KML_TRACE_DEPTH];
	struct kml_origin origin;
	unsigned int i, end = 0;
	unsigned long flags;

	/* The last one has no return address, and is no frame. */
	for (i = 0; i < KML_TRACE_DEPTH && !end; i++) {
		forged[i] = *kml_record_at(frame);
		frame = forged[i].fp;
		if (frame)
			forged[i].fp = frame_of(&forged[i + 1]);
		else
			end = i;
	}
	if (!end)
		return;
	for (i = 0; i < 2; i++) {
		barrier_data(forged);
		flags = keep_others_out();
		memset(raw_cpu_read(kml_trace_cache), 0, KML_TRACE_CACHE_SIZE);
		origin = ask(_RET_IP_, (void *)frame_of(forged));
		if (i)
			walk->known += this_cpu_caches(origin.handles);
		else
			walk->cached += this_cpu_caches(origin.handles);
		let_others_in(flags);
		kml_compare(walk, origin, 0, want, nr);
		forged[end].lr = _RET_IP_;
	}
}

static void trace_endless(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk *walk = &job->walk;

	if (!ALL_CACHED || IS_ENABLED(CONFIG_RISCV))
		kunit_skip(test, "how a stack ends is not known");
	start_over(job, take_endless);
	kml_expect_task(walk);
	kml_step_left(walk, 0, 0);
	expect_exact(test, walk);
	expect_cached(test, walk);
	KUNIT_EXPECT_EQ(test, walk->known, 0);
}

#else /* !KML_FRAME_RECORDS */

static void trace_endless(struct kunit *test)
{
	kunit_skip(test, "stacks have no frame records");
}

static void trace_forged(struct kunit *test)
{
	kunit_skip(test, "stacks have no frame records");
}

#endif /* !KML_FRAME_RECORDS */

/* ---- Sizes that are wrong ---- */

#ifdef KML_FRAME_SIZES

enum wrong_size {
	SIZE_SMALLER,
	SIZE_LARGER,
	SIZE_LAST,	/* the stack ends there, which it does not */
	SIZE_UNKNOWN,
	NR_WRONG_SIZES,
};

static u64 *size_of(unsigned long ip)
{
	unsigned int place, index = kml_orc_index(ip);

	for (place = 0; place < 2; place++) {
		if (!(kml_orc_look(place, index, ip) >> KML_ORC_SHIFT))
			return &kml_orc_table[place][index];
	}
	return NULL;
}

static u64 spoil(u64 entry, enum wrong_size wrong)
{
	switch (wrong) {
	case SIZE_SMALLER:	return entry - sizeof(long);
	case SIZE_LARGER:	return entry + sizeof(long);
	case SIZE_LAST:		return entry | KML_ORC_LAST;
	default:		return 0;
	}
}

/* Whatever the table says, the unwinder has the last word. */
static noinline void take_with_wrong_sizes(struct walk *walk)
{
	const void *frame = __builtin_frame_address(0);
	unsigned long want[WANT_MAX];
	unsigned int nr = unwind_from(_RET_IP_, want);
	struct kml_origin origin;
	enum wrong_size wrong;
	unsigned long flags;
	u64 *size;
	unsigned int at;

	for (wrong = 0; wrong < NR_WRONG_SIZES; wrong++) {
		for (at = 0; at + 1 < depth_now(); at++) {
			flags = keep_others_out();
			memset(raw_cpu_read(kml_trace_cache), 0,
			       KML_TRACE_CACHE_SIZE);
			/* All sizes are learned, and the right one comes back. */
			ask(_RET_IP_, frame);
			size = size_of(want[at]);
			if (size)
				WRITE_ONCE(*size, spoil(*size, wrong));
			else
				walk->wrong++;
			memset(raw_cpu_read(kml_trace_cache), 0,
			       KML_TRACE_CACHE_SIZE);
			origin = ask(_RET_IP_, frame);
			kml_compare(walk, origin, 0, want, nr);
			origin = ask(_RET_IP_, frame);
			walk->cached += this_cpu_caches(origin.handles);
			let_others_in(flags);
			kml_compare(walk, origin, 0, want, nr);
		}
	}
}

static void trace_wrong_sizes(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk *walk = &job->walk;
	unsigned int depth, rounds = 0;

	start_over(job, take_with_wrong_sizes);
	kml_expect_task(walk);
	for (depth = 2; depth <= KML_TRACE_DEPTH; depth += 7) {
		KUNIT_ASSERT_EQ(test, kml_trace_set_depth(depth), 0);
		kml_step_left(walk, 0x55555, LONG - 1);
		rounds += NR_WRONG_SIZES * (depth - 1);
	}
	expect_exact(test, walk);
	KUNIT_EXPECT_EQ(test, walk->cached, rounds);
	KUNIT_EXPECT_EQ(test, walk->taken, 2 * rounds);
}

/* Its size differs from call to call, so that it is found from the frame pointer. */
static noinline void step_varying(struct walk *walk, size_t size, unsigned int steps)
{
	char *room = __builtin_alloca(size);

	memset(room, 0, size);
	barrier_data(room);
	kml_step_left(walk, 0x33333, steps);
	barrier_data(room);
}

static void trace_varying(struct kunit *test)
{
	struct job *job = test->priv;
	struct walk *walk = &job->walk;
	unsigned int steps;
	size_t size;

	start_over(job, kml_take_twice);
	kml_expect_task(walk);
	for (steps = 0; steps < 3; steps++) {
		for (size = 16; size < 512; size += 16)
			step_varying(walk, size, steps);
	}
	expect_exact(test, walk);
	expect_cached(test, walk);
}

static void expect_known(struct kunit *test, unsigned long ip, u64 known)
{
	KUNIT_EXPECT_EQ(test, kml_orc_find(ip), known);
}

/*
 * Whatever others have left where two frames of one stack have their places, both are
 * known once both have been looked up. There is no code at these addresses.
 */
static void trace_neighbours(struct kunit *test)
{
	unsigned long ips[4] = {}, ip;
	unsigned int nr = 0, i, j, k;
	bool news;

	for (ip = 1; nr < ARRAY_SIZE(ips); ip++) {
		if (!nr || kml_orc_index(ip) == kml_orc_index(ips[0]))
			ips[nr++] = ip;
	}
	for (i = 0; i < nr; i++) {
		for (j = 0; j < nr; j++) {
			for (k = 0; k < nr; k++) {
				kml_orc_keep(ips[k], 8 * k);
				kml_orc_keep(ips[i], 8 * i);
				kml_orc_keep(ips[j], 8 * j);
				expect_known(test, ips[i], 8 * i);
				expect_known(test, ips[j], 8 * j);
				news = kml_orc_keep(ips[i], 8 * i) ||
				       kml_orc_keep(ips[j], 8 * j);
				KUNIT_EXPECT_FALSE(test, news);
			}
		}
	}
	/* Of one frame nothing but the last word is kept. */
	kml_orc_keep(ips[0], 8);
	kml_orc_keep(ips[1], 8);
	kml_orc_keep(ips[0], 16);
	kml_orc_keep(ips[2], 8);
	expect_known(test, ips[0], 16);
	kml_orc_forget();
	KUNIT_EXPECT_NE(test, kml_orc_find(ips[0]), 16);
}

#else /* !KML_FRAME_SIZES */

static void trace_neighbours(struct kunit *test)
{
	kunit_skip(test, "frames have records");
}

static void trace_wrong_sizes(struct kunit *test)
{
	kunit_skip(test, "frames have records");
}

static void trace_varying(struct kunit *test)
{
	kunit_skip(test, "frames have records");
}

#endif /* !KML_FRAME_SIZES */

/* ---- All at once ---- */

/**
 * struct takers - those who take traces on one CPU
 * @task: the thread
 * @walk: its stacks
 * @soft: what interrupts it
 * @hard: what interrupts both
 * @rnd: where the thread goes
 * @soft_rnd: where @soft goes
 * @hard_rnd: where @hard goes
 */
struct takers {
	struct task_struct *task;
	struct walk walk;
	struct job soft;
	struct job hard;
	struct rnd_state rnd;
	struct rnd_state soft_rnd;
	struct rnd_state hard_rnd;
};

#define CROWD_MSECS	600
#define CROWD_PERIOD	ms_to_ktime(2)

static DEFINE_PER_CPU(struct takers, all_takers);

/* More stacks than the cache has entries. */
static void walk_random(struct walk *walk, struct rnd_state *rnd)
{
	kml_step_left(walk, prandom_u32_state(rnd), 10);
}

static enum hrtimer_restart many_timer(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);
	struct takers *takers = this_cpu_ptr(&all_takers);

	walk_random(&job->walk, job == &takers->hard ? &takers->hard_rnd :
							    &takers->soft_rnd);
	kml_walk_once(&job->walk);
	hrtimer_forward_now(timer, CROWD_PERIOD);
	return HRTIMER_RESTART;
}

static void start_timer(struct job *job, enum hrtimer_mode mode,
			const char *name)
{
	memset(job, 0, sizeof(*job));
	job->walk.take = kml_take_once;
	kml_expect_interrupt(&job->walk, name);
	hrtimer_setup(&job->timer, many_timer, CLOCK_MONOTONIC, mode);
	hrtimer_start(&job->timer, CROWD_PERIOD, mode);
}

static int many_thread(void *data)
{
	struct takers *takers = data;

	memset(&takers->walk, 0, sizeof(takers->walk));
	takers->walk.take = kml_take_once;
	kml_expect_task(&takers->walk);
	start_timer(&takers->soft, HRTIMER_MODE_REL_PINNED_SOFT, "softirq");
	start_timer(&takers->hard, HRTIMER_MODE_REL_PINNED,
		    IS_ENABLED(CONFIG_PREEMPT_RT) ? "softirq" : "hardirq");
	while (!kthread_should_stop()) {
		walk_random(&takers->walk, &takers->rnd);
		kml_walk_once(&takers->walk);
		cond_resched();
	}
	hrtimer_cancel(&takers->hard.timer);
	hrtimer_cancel(&takers->soft.timer);
	return 0;
}

static void trace_many(struct kunit *test)
{
	unsigned int cpu, taken = 0, interrupts = 0;
	struct takers *takers;
	int i;

	empty_caches();
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		takers = per_cpu_ptr(&all_takers, cpu);
		prandom_seed_state(&takers->rnd, 3 * cpu);
		prandom_seed_state(&takers->soft_rnd, 3 * cpu + 1);
		prandom_seed_state(&takers->hard_rnd, 3 * cpu + 2);
		takers->task = kthread_run_on_cpu(many_thread, takers, cpu,
						  "kml_trace/%u");
	}
	for (i = 0; i < CROWD_MSECS / 20; i++) {
		msleep(20);
		kml_trace_new_epoch();
	}
	for_each_online_cpu(cpu) {
		takers = per_cpu_ptr(&all_takers, cpu);
		if (!IS_ERR(takers->task))
			kthread_stop(takers->task);
	}
	cpus_read_unlock();

	for_each_online_cpu(cpu) {
		takers = per_cpu_ptr(&all_takers, cpu);
		expect_exact(test, &takers->walk);
		expect_exact(test, &takers->soft.walk);
		expect_exact(test, &takers->hard.walk);
		taken += takers->walk.taken;
		interrupts += takers->soft.walk.taken + takers->hard.walk.taken;
		/* Nothing may seem to refer to what takes the place of the threads. */
		memset(takers, 0, sizeof(*takers));
	}
	kunit_info(test, "%u traces, and %u in interrupts\n", taken, interrupts);
}

/* ---- The suite ---- */

static unsigned int depth_before;

static int trace_test_init(struct kunit *test)
{
	depth_before = depth_now();
	test->priv = kunit_kzalloc(test, sizeof(struct job), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, test->priv);
	skip_if_off(test);
	return kml_trace_set_depth(KML_TRACE_DEPTH);
}

static void trace_test_exit(struct kunit *test)
{
	kml_trace_set_depth(depth_before);
}

static struct kunit_case trace_cases[] = {
	KUNIT_CASE_PARAM(trace_paths, context_gen_params),
	KUNIT_CASE_PARAM(trace_depths, context_gen_params),
	KUNIT_CASE_PARAM(trace_objects, context_gen_params),
	KUNIT_CASE(trace_distinct),
	KUNIT_CASE(trace_bad_depth),
	KUNIT_CASE(trace_beneath),
	KUNIT_CASE(trace_torn),
	KUNIT_CASE(trace_names),
	KUNIT_CASE_PARAM(trace_namesakes, context_gen_params),
	KUNIT_CASE(trace_epoch),
	KUNIT_CASE_PARAM(trace_forged, context_gen_params),
	KUNIT_CASE(trace_endless),
	KUNIT_CASE(trace_wrong_sizes),
	KUNIT_CASE(trace_varying),
	KUNIT_CASE(trace_neighbours),
	KUNIT_CASE(trace_many),
	{}
};

static struct kunit_suite trace_suite = {
	.name = "kmemleak_trace",
	.init = trace_test_init,
	.exit = trace_test_exit,
	.test_cases = trace_cases,
};

kunit_test_suite(trace_suite);
