// SPDX-License-Identifier: GPL-2.0
/*
 * Measures allocations and frees. Under QEMU with -icount shift=0 a
 * nanosecond is an instruction, and the figures repeat.
 *
 * "insmod kmemleak_bench.ko group=GROUP" says "row NAME VALUE" in the log for
 * each measurement of the group: nanoseconds, where the name does not say what
 * else. This builds and runs with any leak detector, and without one.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sched/clock.h>
#include <linux/timekeeping.h>
#include "bench.h"

static char *group = "pairs";
module_param(group, charp, 0444);
MODULE_PARM_DESC(group, "What to measure");

static int pair = -1;
module_param(pair, int, 0444);
MODULE_PARM_DESC(pair, "Only this one of the pairs, by the number that group=list says");

bool bench_failed;

void bench_result(const char *name, u64 value)
{
	pr_info("row %s %llu\n", name, value);
}

/* The barrier leaves the compiler neither a tail call nor a loop. */
noinline void bench_deep(unsigned int levels, void (*fn)(void *arg), void *arg)
{
	if (levels)
		bench_deep(levels - 1, fn, arg);
	else
		fn(arg);
	barrier();
}

static void run_each_pair(u64 (*measure)(const struct bench_pair *pair))
{
	unsigned int i;

	for (i = 0; i < bench_nr_pairs; i++) {
		if (pair < 0 || pair == i)
			bench_result(bench_pairs[i].name, measure(&bench_pairs[i]));
	}
}

static u64 number_of(const struct bench_pair *pair)
{
	return pair - bench_pairs;
}

static void run_list(void)
{
	run_each_pair(number_of);
}

static void run_pairs(void)
{
	run_each_pair(bench_time_pair);
}

static void run_everywhere(void)
{
	run_each_pair(bench_run_everywhere);
}

static void run_batch(void)
{
	struct bench_batch batch;

	batch = bench_time_batch(false, -1);
	bench_result("batch alloc", batch.alloc);
	bench_result("batch free, in order", batch.free);
	batch = bench_time_batch(true, -1);
	bench_result("batch free, random order", batch.free);
}

static void run_remote(void)
{
	struct bench_batch batch;

	if (!cpu_online(1)) {
		bench_failed = true;
		return;
	}
	batch = bench_time_batch(true, 1);
	bench_result("free on another CPU", batch.free);
	bench_result("alloc of what another CPU freed", batch.alloc);
}

/*
 * How far the clock had come when the times of the log began, which is when the
 * kernel got to know the clock.
 */
static void run_boot(void)
{
	struct system_time_snapshot first, second;
	u64 log, now;

	ktime_get_snapshot_id(CLOCK_MONOTONIC, &first);
	mdelay(10);
	ktime_get_snapshot_id(CLOCK_MONOTONIC, &second);
	log = local_clock();
	now = div64_u64(second.cycles * ktime_to_ns(ktime_sub(second.monoraw, first.monoraw)),
			second.cycles - first.cycles);
	bench_result("boot before the log", now - log);
}

static const struct {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "boot",	run_boot },
	{ "list",	run_list },
	{ "pairs",	run_pairs },
	{ "everywhere",	run_everywhere },
	{ "batch",	run_batch },
	{ "remote",	run_remote },
	{ "live",	bench_run_live },
	{ "latency",	bench_run_latency },
	{ "objects",	bench_run_objects },
	{ "stream",	bench_run_stream },
};

static DECLARE_COMPLETION(done);

/* A thread has few frames below what it runs, and always the same ones. */
static int bench_thread(void *run)
{
	((void (*)(void))run)();
	complete(&done);
	return 0;
}

static int __init bench_init(void)
{
	struct task_struct *task;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!strcmp(group, groups[i].name))
			break;
	}
	if (i == ARRAY_SIZE(groups))
		return -EINVAL;
	ret = bench_pairs_init();
	if (ret)
		return ret;
	task = kthread_create(bench_thread, groups[i].run, "kmemleak_bench");
	if (IS_ERR(task)) {
		ret = PTR_ERR(task);
	} else {
		kthread_bind(task, 0);
		wake_up_process(task);
		wait_for_completion(&done);
		ret = bench_failed ? -ENOMEM : 0;
	}
	bench_pairs_exit();
	if (ret)
		bench_free_objects();
	return ret;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	bench_free_objects();
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Cost of allocating and freeing");
MODULE_LICENSE("GPL");
