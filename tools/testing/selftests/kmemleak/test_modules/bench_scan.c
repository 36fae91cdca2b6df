// SPDX-License-Identifier: GPL-2.0
/*
 * Measures scans: beside objects that stay until the module is unloaded, with frees
 * that come while a scan runs, and with a task that wants the CPU; and the least that
 * could be done with as many words.
 */
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "bench.h"

#define WORDS		7
#define LARGE		SZ_4M
#define STREAM		SZ_1M
/* No part of a tick, so that in any scan some come when a tick does. */
#define FREE_EVERY	19997
#define RUN_EVERY	(50 * NSEC_PER_USEC)

static unsigned int objects = 250000;
module_param(objects, uint, 0444);
MODULE_PARM_DESC(objects, "How many objects group=objects leaves");

static bool rich;
module_param(rich, bool, 0444);
MODULE_PARM_DESC(rich, "All their words are pointers, not only the first one");

static bool large;
module_param(large, bool, 0444);
MODULE_PARM_DESC(large, "One more is large, and has nothing but pointers");

static bool frees;
module_param(frees, bool, 0444);
MODULE_PARM_DESC(frees, "Free other objects in the meantime");

static bool runs;
module_param(runs, bool, 0444);
MODULE_PARM_DESC(runs, "Let another task run in the meantime");

static unsigned long words;
module_param(words, ulong, 0444);
MODULE_PARM_DESC(words, "How many words group=stream looks at");

/* 64 bytes, in a chain. */
struct small_object {
	struct small_object *next;
	unsigned long words[WORDS];
};

#define CHAINS_MAX	64

static unsigned int chains = 1;
module_param(chains, uint, 0444);
MODULE_PARM_DESC(chains, "How many lists they are in, up to 64");

static struct small_object *first_objects[CHAINS_MAX];
static unsigned long *large_object;

static bool alloc_objects(struct small_object **all)
{
	unsigned int i;

	for (i = 0; i < objects; i++) {
		all[i] = kmalloc(sizeof(*all[i]), GFP_KERNEL);
		if (!all[i])
			break;
		if (i % 128 == 0)
			cond_resched();
	}
	if (i == objects)
		return true;
	while (i--)
		kfree(all[i]);
	return false;
}

/* The chains have them in random order, whatever else is in them. */
static void fill_objects(struct small_object **all)
{
	unsigned int i, word;
	u32 seed = 1;

	for (i = objects - 1; i > 0; i--) {
		u32 other = bench_random(&seed, i + 1);

		swap(all[i], all[other]);
	}
	for (i = 0; i < objects; i++) {
		struct small_object *obj = all[i];

		obj->next = i + chains < objects ? all[i + chains] : NULL;
		for (word = 0; word < WORDS; word++)
			obj->words[word] = rich ?
				(unsigned long)all[bench_random(&seed, objects)] : word;
		if (i % 128 == 0)
			cond_resched();
	}
	for (i = 0; i < min(chains, objects); i++)
		first_objects[i] = all[i];
	for (i = 0; large_object && i < LARGE / sizeof(long); i++)
		large_object[i] = (unsigned long)all[bench_random(&seed, objects)];
}

/* ---- Frees ---- */

static struct hrtimer free_timer;
static void *victim;
static u64 longest_wait;

/*
 * How long frees wait for a scan, on one CPU. A free may come in an interrupt: if
 * a detector lets frees wait for something, it has to hold that with interrupts
 * off, or a free would wait for what it has interrupted. So a timer's free comes
 * late, on the CPU that scans, by no less than one on another CPU would wait.
 */
static enum hrtimer_restart free_victim(struct hrtimer *timer)
{
	u64 wait;

	kfree(victim);
	wait = ktime_to_ns(ktime_sub(ktime_get(), hrtimer_get_expires(timer)));
	longest_wait = max(longest_wait, wait);
	victim = kmalloc(64, GFP_ATOMIC);
	bench_failed |= !victim;
	hrtimer_forward_now(timer, ns_to_ktime(FREE_EVERY));
	return HRTIMER_RESTART;
}

static void start_frees(void)
{
	hrtimer_setup(&free_timer, free_victim, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&free_timer, ns_to_ktime(FREE_EVERY), HRTIMER_MODE_REL_PINNED_HARD);
}

/* ---- Others who want to run ---- */

static struct task_struct *runner;

/*
 * How long a task of the highest priority waits for the CPU that scans, without
 * preemption in the kernel until the scan lets others run. Where there is
 * preemption, what delays others is interrupts-off alone: all locks that the
 * detector spins on are taken with interrupts off.
 */
static int run_often(void *unused)
{
	sched_set_fifo(current);
	while (!kthread_should_stop()) {
		ktime_t due = ktime_add_ns(ktime_get(), RUN_EVERY);
		u64 wait;

		set_current_state(TASK_INTERRUPTIBLE);
		schedule_hrtimeout(&due, HRTIMER_MODE_ABS);
		wait = ktime_to_ns(ktime_sub(ktime_get(), due));
		/* It may have been woken to stop. */
		if ((s64)wait > 0)
			longest_wait = max(longest_wait, wait);
	}
	return 0;
}

static void start_runs(void)
{
	runner = kthread_run(run_often, NULL, "bench_runner");
	if (!IS_ERR(runner))
		return;
	runner = NULL;
	bench_failed = true;
}

void bench_run_objects(void)
{
	struct small_object **all = vmalloc_array(objects, sizeof(*all));

	if (large)
		large_object = kmalloc(LARGE, GFP_KERNEL);
	if (objects && all && chains && chains <= CHAINS_MAX &&
	    (!large || large_object) && alloc_objects(all))
		fill_objects(all);
	else
		bench_failed = true;
	vfree(all);
	if (frees)
		start_frees();
	if (runs)
		start_runs();
}

void bench_free_objects(void)
{
	unsigned int i;

	if (runner)
		kthread_stop(runner);
	if (free_timer.function)
		hrtimer_cancel(&free_timer);
	kfree(victim);
	kfree(large_object);
	for (i = 0; i < CHAINS_MAX; i++) {
		struct small_object *obj = first_objects[i], *next;

		for (; obj; obj = next) {
			next = obj->next;
			kfree(obj);
			cond_resched();
		}
	}
}

/* ---- Leaks ---- */

#define LOST_SLAB	10
#define LOST_VMALLOC	2
#define LOST_PERCPU	2

static bool lose_one(const void *obj)
{
	/* Once that is noted nothing refers to it any more. */
	return obj;
}

/* As many as the sample module of the kernel loses, of each kind some. */
static int lose(const char *val, const struct kernel_param *kp)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < LOST_SLAB; i++)
		all &= lose_one(kmalloc(32 << i % 5, GFP_KERNEL));
	for (i = 0; i < LOST_VMALLOC; i++)
		all &= lose_one(vmalloc(PAGE_SIZE));
	for (i = 0; i < LOST_PERCPU; i++)
		all &= lose_one((const void *)(__force unsigned long)__alloc_percpu(64, 8));
	return all ? 0 : -ENOMEM;
}

static const struct kernel_param_ops lose_ops = { .set = lose };
module_param_cb(lose, &lose_ops, NULL, 0200);
MODULE_PARM_DESC(lose, "Loses 14 objects when it is written");

/* ---- What the shell reads before and after a scan ---- */

/* Of the one who reads it, up to the last tick. */
static int get_runtime(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%llu\n", current->se.sum_exec_runtime);
}

static const struct kernel_param_ops runtime_ops = { .get = get_runtime };
module_param_cb(runtime, &runtime_ops, NULL, 0444);
MODULE_PARM_DESC(runtime, "Nanoseconds that the CPU has spent on who reads it");

static int get_now(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%llu\n", ktime_get_ns());
}

static const struct kernel_param_ops now_ops = { .get = get_now };
module_param_cb(now, &now_ops, NULL, 0444);
MODULE_PARM_DESC(now, "Nanoseconds");

/* Since it was read before. */
static int get_wait(char *buffer, const struct kernel_param *kp)
{
	u64 wait = longest_wait;

	if (bench_failed)
		return -ENOMEM;
	longest_wait = 0;
	return sysfs_emit(buffer, "%llu\n", wait);
}

static const struct kernel_param_ops wait_ops = { .get = get_wait };
module_param_cb(wait, &wait_ops, NULL, 0444);
MODULE_PARM_DESC(wait, "Nanoseconds from when a free, or a task, was due, at most");

/* ---- The limit ---- */

static noinline unsigned long stream(const unsigned long *area, unsigned long nr,
				     unsigned long lo, unsigned long hi)
{
	unsigned long i, hits = 0;

	for (i = 0; i < nr; i++) {
		unsigned long word = READ_ONCE(area[i]);

		hits += word >= lo && word < hi;
	}
	return hits;
}

/*
 * Reads as many words as a scan does, and compares each of them with both ends of a
 * range.
 */
void bench_run_stream(void)
{
	unsigned long *area = vmalloc(STREAM);
	unsigned long i, nr, left, hits = 0;
	u64 begin;

	if (!area) {
		bench_failed = true;
		return;
	}
	for (i = 0; i < STREAM / sizeof(long); i++)
		area[i] = (unsigned long)&area[i];
	begin = ktime_get_ns();
	for (left = words; left; left -= nr) {
		nr = min(left, STREAM / sizeof(long));
		hits += stream(area, nr, (unsigned long)area, (unsigned long)area + STREAM);
	}
	bench_result("stream", ktime_get_ns() - begin);
	bench_failed |= hits != words;
	vfree(area);
}
