// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the threads that share the work of a scan.
 *
 * The thread that holds kml_scan_mutex is one of them. The others, its helpers, are
 * work items, each for another CPU, none for an isolated one, and have workers whatever
 * happens to CPUs. If the scheduler were to choose it would often wake them up where the
 * one runs that has called them, and move them at the next tick: a pass is hardly longer.
 * A helper is called for a pass, and comes if it gets its CPU; once the pass ends, nobody
 * can come any more. So nobody waits for a helper that has not come: if there is no
 * memory for one more worker, or a CPU has no time, the scan has fewer threads, and goes
 * on.
 *
 * Those who came stay to the end of the pass, and keep their CPUs busy, so that it can
 * be told afterwards whether anything but the scan has run: see quiet.c.
 *
 * The CPUs of a guest may be more than its host gives it. Then each thread waits for one
 * that the host has stopped, and several take many times as long as one alone. So it is
 * noted what either took.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/sched/task.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "refs.h"

/* How long a pass waits at its begin for those it has called, in microseconds. */
#define GATHER_US	500

/*
 * So long a thread waits for others on its CPU before it sleeps: in jiffies, where the
 * pass may be quiet, else in turns.
 */
#define SPIN_MAX	2
#define SPIN_TURNS	1000

/* And so long it sleeps then, at least, before it looks again, in microseconds. */
#define NAP_US		100

#define STACK_SIZE	(KML_MARK_STACK * sizeof(struct kml_mark_entry))

/* Most threads of a scan that somebody asks for, the one that does so too; 0: no limit. */
static unsigned int scan_threads;

/* Somebody has another opinion of how many there should be. */
static bool begin_anew;

static int set_scan_threads(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_uint_minmax(val, kp, 0, KML_THREADS_MAX);

	if (!ret)
		WRITE_ONCE(begin_anew, true);
	return ret;
}

static const struct kernel_param_ops scan_threads_ops = {
	.set = set_scan_threads,
	.get = param_get_uint,
};
module_param_cb(scan_threads, &scan_threads_ops, &scan_threads, 0600);

struct kml_refs kml_refs = {
	.workers[0] = {
		.top = kml_refs.stack,
		.old = kml_refs.stack,
		.room = kml_refs.stack + KML_MARK_STACK,
		.stack = kml_refs.stack,
	},
};

static struct workqueue_struct *helpers_wq;

/* A work item for each worker, of which the first one has none. */
static struct work_struct helpers[KML_THREADS_MAX];

/* Who helps; kml_scan_mutex, but where it says otherwise. */
static struct {
	raw_spinlock_t lock;
	/* Threads for which there is memory, and a bit for each that has taken part. */
	unsigned int nr;
	unsigned long came;
	/* Helpers may come, and have to stay; written under @lock. */
	bool open;
	/* So many are there; @lock. */
	unsigned int inside;
	/* They have @job to do. */
	bool begun;
	/* The pass is watched, so that nobody may sleep in it. */
	bool watched;
	void (*job)(void);
	/* CPUs for those who have not been called yet. */
	struct cpumask cpus;
} threads = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(threads.lock),
	.nr = 1,
};

/* ---- Is it worth it? ---- */

/* Several threads may take that many times as long as one, since they prove more. */
#define PACE_FACTOR	2

/* Of so many passes that one thread makes for that reason, several make one. */
#define PACE_RETRY	256

/**
 * struct pace - what passes of a kind have taken; kml_scan_mutex
 * @alone: nanoseconds for 1024 words, the last time that one thread has read them; 0:
 *	not known
 * @shared: the same for several
 * @spared: how many passes one thread has made since several were too slow
 */
struct pace {
	u64 alone;
	u64 shared;
	unsigned int spared;
};

/* Of passes that are not watched, and of those that are. */
static struct pace paces[2];

/* The present pass; kml_scan_mutex. */
static struct {
	struct pace *pace;
	unsigned long words;
	ktime_t begin;
} present;

/* Tests want to have helpers in any case. */
bool kml_threads_insist;

static bool is_worth_sharing(struct pace *pace)
{
	if (kml_threads_insist)
		return true;
	/* It has to be known what to compare with. */
	if (!pace->alone)
		return false;
	return pace->shared <= PACE_FACTOR * pace->alone ||
	       ++pace->spared % PACE_RETRY == 0;
}

static void start_clock(bool watched)
{
	if (READ_ONCE(begin_anew)) {
		WRITE_ONCE(begin_anew, false);
		memset(paces, 0, sizeof(paces));
	}
	present.pace = &paces[watched];
	present.words = kml_words_read();
	present.begin = ktime_get();
}

static void stop_clock(void)
{
	u64 ns = ktime_to_ns(ktime_sub(ktime_get(), present.begin));
	u64 took = div64_u64(ns << 10, kml_words_read() - present.words + 1) ?: 1;

	if (kml_refs.shared)
		present.pace->shared = took;
	else
		present.pace->alone = took;
}

/* ---- Memory ---- */

static void *alloc_memory(void)
{
	return kml_alloc_hidden(STACK_SIZE + KML_CHUNK,
				GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
}

/* Where the memory of a helper comes from, so that tests can do without. */
void *(*kml_threads_memory)(void) = alloc_memory;

static bool equip(struct kml_worker *worker)
{
	void *memory = kml_threads_memory();

	if (!memory)
		return false;
	worker->stack = memory;
	worker->top = memory;
	worker->old = memory;
	/* Who helps is never alone. */
	worker->room = memory;
	worker->limit = worker->stack + KML_MARK_STACK;
	worker->buffer = memory + STACK_SIZE;
	return true;
}

/* Addresses of what was found must not come to be references of its next owner. */
static void unequip(struct kml_worker *worker)
{
	memset(worker->stack, 0, STACK_SIZE + KML_CHUNK);
	kml_free_hidden(worker->stack, STACK_SIZE + KML_CHUNK);
	worker->stack = NULL;
	worker->room = NULL;
	worker->limit = NULL;
	worker->buffer = NULL;
}

/**
 * kml_threads_wanted() - tell how many threads a scan is to have that somebody asks for
 *
 * No more than there are CPUs that serve all: isolated ones are left alone.
 *
 * Context: Process context.
 * Return: their number, the one that scans included.
 */
unsigned int kml_threads_wanted(void)
{
	unsigned int cpu, nr = 0;

	for_each_online_cpu(cpu)
		nr += !cpu_is_isolated(cpu);
	return clamp(nr, 1U, READ_ONCE(scan_threads) ?: KML_THREADS_MAX);
}

/**
 * kml_threads_start() - get ready for the passes of a scan
 * @wanted: how many threads it is to have
 *
 * Without memory for them it has fewer.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_threads_start(unsigned int wanted)
{
	lockdep_assert_held(&kml_scan_mutex);
	threads.came = 0;
	threads.nr = 1;
	while (helpers_wq && threads.nr < min(wanted, KML_THREADS_MAX) &&
	       equip(&kml_refs.workers[threads.nr]))
		threads.nr++;
}

/**
 * kml_threads_end() - no more passes
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: how many threads have taken part, the one that scans included.
 */
unsigned int kml_threads_end(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	while (threads.nr > 1)
		unequip(&kml_refs.workers[--threads.nr]);
	return 1 + hweight_long(threads.came);
}

/* ---- Who is there ---- */

/**
 * kml_words_read() - tell how far a scan is
 *
 * Context: Any.
 * Return: the number of words read since kml_passes_start(); 0 if none runs.
 */
unsigned long kml_words_read(void)
{
	unsigned long words = 0;
	unsigned int i;

	for (i = 0; i < KML_THREADS_MAX; i++)
		words += READ_ONCE(kml_refs.workers[i].words);
	return words;
}

/**
 * kml_find_self() - find the worker of the thread that asks
 *
 * Context: Whoever marks.
 * Return: what the thread has at hand.
 */
struct kml_worker *kml_find_self(void)
{
	unsigned int i;

	for (i = 1; i < KML_THREADS_MAX; i++) {
		if (READ_ONCE(kml_refs.workers[i].task) == current)
			return &kml_refs.workers[i];
	}
	return &kml_refs.workers[0];
}

/**
 * kml_runs_helper() - ask whether a CPU runs a helper
 * @cpu: the CPU
 *
 * Context: Holder of kml_scan_mutex; any, for it.
 * Return: true if so, at this moment.
 */
bool kml_runs_helper(int cpu)
{
	unsigned int i;

	if (!kml_refs.shared)
		return false;
	for (i = 1; i < KML_THREADS_MAX; i++) {
		const struct task_struct *task = READ_ONCE(kml_refs.workers[i].task);

		if (task && task_cpu(task) == cpu && task_curr(task))
			return true;
	}
	return false;
}

/**
 * kml_live_from() - tell from where on a stack is a root
 * @stack: the stack
 * @live: what of it is in use
 * @end: its end
 *
 * The frames of the scan's own threads hold addresses of whatever they look at.
 *
 * Context: Holder of kml_scan_mutex, or for it.
 * Return: @live, or where the stack of the scan begins to be none of the scan.
 */
const void *kml_live_from(const void *stack, const void *live, const void *end)
{
	unsigned int i;

	for (i = 0; i < KML_THREADS_MAX; i++) {
		const void *frame = READ_ONCE(kml_refs.workers[i].frame);

		if (frame >= stack && frame < end)
			return frame;
	}
	return live;
}

#ifdef CONFIG_CC_HAS_ZERO_CALL_USED_REGS
#define __zero_scratch	__attribute__((__zero_call_used_regs__("all-gpr")))
#else
#define __zero_scratch
#endif

/**
 * kml_wipe_registers() - overwrite registers that calls do not keep
 *
 * To be called before others may run, or the thread sleeps. What it has had there stays
 * for whoever runs next on its CPU, who may be asked before anything else was written to
 * them.
 *
 * Context: Any.
 */
noinline __zero_scratch void kml_wipe_registers(void)
{
	barrier();
}

/**
 * kml_threads_wait() - let some time go by until another thread has done something
 * @wait: how long the caller has waited for it, at first KML_WAIT_INIT
 *
 * Context: Process context; may sleep.
 */
void kml_threads_wait(struct kml_wait_for *wait)
{
	if (threads.watched ? time_before(jiffies, wait->since + SPIN_MAX) :
			      wait->turns++ < SPIN_TURNS) {
		cpu_relax();
		cond_resched_tasks_rcu_qs();
	} else {
		/* The other one may need this CPU. */
		kml_wipe_registers();
		usleep_range_state(NAP_US, 2 * NAP_US, TASK_IDLE);
	}
}

/* ---- Helpers ---- */

static bool come(struct kml_worker *self, const void *frame)
{
	bool open;

	raw_spin_lock(&threads.lock);
	open = threads.open;
	if (open) {
		WRITE_ONCE(self->frame, frame);
		WRITE_ONCE(self->task, current);
		WRITE_ONCE(threads.inside, threads.inside + 1);
		threads.came |= BIT(self - kml_refs.workers);
	}
	raw_spin_unlock(&threads.lock);
	return open;
}

static void go(struct kml_worker *self)
{
	raw_spin_lock(&threads.lock);
	WRITE_ONCE(self->task, NULL);
	WRITE_ONCE(self->frame, NULL);
	WRITE_ONCE(threads.inside, threads.inside - 1);
	raw_spin_unlock(&threads.lock);
}

static void help(struct work_struct *work)
{
	struct kml_worker *self = &kml_refs.workers[work - helpers];
	struct kml_wait_for wait = KML_WAIT_INIT;

	if (!come(self, kml_own_frame()))
		return;
	while (!READ_ONCE(threads.begun) && READ_ONCE(threads.open))
		kml_threads_wait(&wait);
	/* Pairs with smp_store_release() in kml_threads_run(). */
	if (smp_load_acquire(&threads.begun))
		threads.job();
	kml_wipe_registers();
	wait = (struct kml_wait_for)KML_WAIT_INIT;
	while (READ_ONCE(threads.open))
		kml_threads_wait(&wait);
	go(self);
}

/* All but the one that calls. */
static void offer_cpus(void)
{
	unsigned int cpu;

	cpumask_clear(&threads.cpus);
	for_each_online_cpu(cpu) {
		if (!cpu_is_isolated(cpu))
			cpumask_set_cpu(cpu, &threads.cpus);
	}
	cpumask_clear_cpu(raw_smp_processor_id(), &threads.cpus);
}

/* An idle one, if there is any; where there is no other CPU at all, the one that calls. */
static int choose_cpu(void)
{
	unsigned int cpu;

	if (cpumask_empty(&threads.cpus))
		offer_cpus();
	for_each_cpu(cpu, &threads.cpus) {
		if (idle_cpu(cpu))
			break;
	}
	if (cpu >= nr_cpu_ids)
		cpu = cpumask_first(&threads.cpus);
	if (cpu >= nr_cpu_ids)
		return WORK_CPU_UNBOUND;
	cpumask_clear_cpu(cpu, &threads.cpus);
	return cpu;
}

/* Waking up takes them some time. */
static void wait_for_helpers(void)
{
	ktime_t begin = ktime_get();

	while (READ_ONCE(threads.inside) < threads.nr - 1 &&
	       ktime_us_delta(ktime_get(), begin) < GATHER_US) {
		cpu_relax();
		cond_resched_tasks_rcu_qs();
	}
}

/**
 * kml_threads_gather() - call helpers for a pass
 * @job: what all threads do in kml_threads_run(), those too that come later
 * @watched: it is of interest whether anything else runs during the pass
 *
 * If it is, the pass waits for them a little. None are called if they have made such
 * passes much slower.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_threads_gather(void (*job)(void), bool watched)
{
	struct kml_worker *self = &kml_refs.workers[0];
	unsigned int i;

	lockdep_assert_held(&kml_scan_mutex);
	start_clock(watched);
	if (threads.nr == 1 || !is_worth_sharing(present.pace))
		return;
	threads.job = job;
	threads.begun = false;
	threads.watched = watched;
	WRITE_ONCE(kml_refs.shared, true);
	/* The fast path is for those who are alone. */
	self->room = self->stack;
	self->limit = self->stack + KML_MARK_STACK;
	raw_spin_lock(&threads.lock);
	WRITE_ONCE(threads.open, true);
	raw_spin_unlock(&threads.lock);
	offer_cpus();
	for (i = 1; i < threads.nr; i++)
		queue_work_on(choose_cpu(), helpers_wq, &helpers[i]);
	if (watched)
		wait_for_helpers();
}

/**
 * kml_threads_run() - do what all threads do in a pass
 *
 * Context: Holder of kml_scan_mutex, since kml_threads_gather(); may sleep.
 */
void kml_threads_run(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	/* Pairs with smp_load_acquire() in help(). */
	smp_store_release(&threads.begun, true);
	threads.job();
}

/* When the last one has gone nobody but the holder of kml_scan_mutex marks. */
static bool all_have_gone(void)
{
	bool gone;

	raw_spin_lock(&threads.lock);
	gone = !threads.inside;
	raw_spin_unlock(&threads.lock);
	return gone;
}

/**
 * kml_threads_dismiss() - let helpers go at the end of a pass
 *
 * Those who have not come by now are not waited for.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_threads_dismiss(void)
{
	struct kml_worker *self = &kml_refs.workers[0];
	struct kml_wait_for wait = KML_WAIT_INIT;
	unsigned int i;

	lockdep_assert_held(&kml_scan_mutex);
	stop_clock();
	if (!kml_refs.shared)
		return;
	raw_spin_lock(&threads.lock);
	WRITE_ONCE(threads.open, false);
	raw_spin_unlock(&threads.lock);
	for (i = 1; i < threads.nr; i++)
		cancel_work(&helpers[i]);
	while (!all_have_gone())
		kml_threads_wait(&wait);
	self->room = self->stack + KML_MARK_STACK;
	self->limit = NULL;
	WRITE_ONCE(kml_refs.shared, false);
}

/**
 * kml_threads_init() - get ready to share work
 *
 * Context: Boot, process context.
 */
void kml_threads_init(void)
{
	unsigned int i;

	for (i = 1; i < KML_THREADS_MAX; i++)
		INIT_WORK(&helpers[i], help);
	/* Without it there are no helpers. */
	helpers_wq = alloc_workqueue("kmemleak_scan", WQ_PERCPU | WQ_CPU_INTENSIVE,
				     KML_THREADS_MAX);
}
