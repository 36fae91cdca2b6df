// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that move objects at full speed from the time that the module is
 * loaded until it is unloaded. None of the objects is ever unreferenced.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "churn.h"

static unsigned int unwritten = 120;
module_param(unwritten, uint, 0444);
MODULE_PARM_DESC(unwritten, "number of objects that nobody writes to");

static unsigned int linked = 200;
module_param(linked, uint, 0444);
MODULE_PARM_DESC(linked, "number of objects in lists and trees");

/* Moves between two offers to let others run. */
#define SWAPS	32
#define LINKS	8

#define KEEP_SECS	5

static struct task_struct **tasks;
static struct churn_thread *threads;
static unsigned int nr_threads;

void churn_rest(struct churn_thread *thread)
{
	u32 rnd = prandom_u32_state(&thread->rnd);

	if (rnd % 512 == 0)
		usleep_range(100, 2000);
	else if (rnd % 64 == 0)
		cond_resched();
}

static int churn_main(void *arg)
{
	void *held[CHURN_HELD] = {};
	struct churn_thread *thread = arg;
	void *obj = NULL, *kept = NULL;
	unsigned long until = jiffies;
	unsigned int i;

	thread->held = held;
	while (!kthread_should_stop()) {
		for (i = 0; i < SWAPS; i++)
			obj = churn_swap(thread, obj);
		churn_rest(thread);
		for (i = 0; i < LINKS; i++)
			churn_link(thread);
		churn_fresh(thread);
		/* One is in nobody else's reach for longer than a scan. */
		if (obj && time_after(jiffies, until)) {
			swap(obj, kept);
			until = jiffies + KEEP_SECS * HZ;
		}
		cond_resched();
	}
	for (i = 0; i < CHURN_HELD; i++)
		thread->left[i] = held[i];
	thread->left[i++] = obj;
	thread->left[i] = kept;
	return 0;
}

/* One on each CPU, and one that goes from CPU to CPU. */
static int run_thread(unsigned int nr, int cpu)
{
	struct task_struct *task;

	prandom_seed_state(&threads[nr].rnd, nr + 2);
	task = kthread_create(churn_main, &threads[nr], "kml_churn/%u", nr);
	if (IS_ERR(task))
		return PTR_ERR(task);
	if (cpu >= 0)
		kthread_bind(task, cpu);
	tasks[nr] = get_task_struct(task);
	wake_up_process(task);
	return 0;
}

static int start_threads(void)
{
	unsigned int nr = 0;
	int cpu, err;

	nr_threads = num_possible_cpus() + 1;
	threads = kcalloc(nr_threads, sizeof(*threads), GFP_KERNEL);
	tasks = kcalloc(nr_threads, sizeof(*tasks), GFP_KERNEL);
	if (!threads || !tasks)
		return -ENOMEM;
	err = run_thread(nr++, -1);
	for_each_online_cpu(cpu)
		if (!err)
			err = run_thread(nr++, cpu);
	return err;
}

static void stop_threads(void)
{
	unsigned int nr, i;

	if (!threads || !tasks)
		return;
	for (nr = 0; nr < nr_threads; nr++) {
		if (!tasks[nr])
			continue;
		kthread_stop(tasks[nr]);
		put_task_struct(tasks[nr]);
	}
	for (nr = 0; nr < nr_threads; nr++) {
		for (i = 0; i < ARRAY_SIZE(threads[nr].left); i++)
			churn_swap_left(threads[nr].left[i]);
		churn_fresh_end(&threads[nr]);
	}
}

static void churn_exit(void)
{
	stop_threads();
	churn_fresh_exit();
	churn_link_exit();
	churn_swap_exit();
	kfree(threads);
	kfree(tasks);
}
module_exit(churn_exit);

static int __init churn_init(void)
{
	int err = churn_fresh_init();

	if (!err)
		err = churn_link_init(linked);
	if (!err)
		err = churn_swap_init(unwritten);
	if (!err)
		err = start_threads();
	if (err)
		churn_exit();
	return err;
}
module_init(churn_init);

MODULE_DESCRIPTION("Objects that never stay where they are for the kmemleak selftests");
MODULE_LICENSE("GPL");
