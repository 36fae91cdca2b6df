// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what was under way when somebody asked for a scan.
 *
 * Much of what is freed is freed later: by RCU, in a work item, with the last
 * reference to a file, with the stack of a task. As long as it is there it refers to
 * what is lost with it. So whoever asks for a scan waits for that first.
 *
 * A work item does the waiting, as most of it cannot be interrupted. Nobody waits for
 * the item without a bound: what a user holds who asks may be what something under way
 * needs, and what is under way may never end. Then the item stays where it is, and
 * what it has not come to counts as given up for all who ask meanwhile.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/moduleloader.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/isolation.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "scan.h"

/* The longest that a user waits, and the longest for tasks alone, in jiffies. */
#define WAIT_MAX	HZ
#define TASKS_WAIT_MAX	(HZ / 5)

/* Tasks that are waited for, of those that are exiting at the same time. */
#define TASKS_MAX	32

/* Callbacks and work items queue others: these are waited for as well. */
#define ROUNDS		2

/*
 * Not for reclaim: it waits for work items of queues that are not, either. Not bound
 * to a CPU, so that no task that keeps its CPU for itself can stop it.
 */
static struct workqueue_struct *deferred_wq;

/* Those who wait until the item has done what they asked for. */
static DECLARE_WAIT_QUEUE_HEAD(deferred_done);

/* Requests so far. */
static atomic_long_t asked;

/* What the item did; only the item writes these. */
static struct {
	/* It does what was asked for up to this request. */
	long running;
	/* What it has not waited for yet, or has given up. */
	unsigned long left;
	/* It has done what was asked for up to this request. */
	long done;
	/* What it has given up then. */
	unsigned long given_up;
} deferred;

static DEFINE_PER_CPU(struct work_struct, last_work);

/* ---- Tasks ---- */

/*
 * Has a task that exits come as far as having no memory, so that its parent may know
 * of its end, or who stopped it? Not further, so that its stack is there.
 */
static bool is_leaving(struct task_struct *task)
{
	if (!(READ_ONCE(task->flags) & PF_EXITING) || READ_ONCE(task->mm))
		return false;
	if (IS_ENABLED(CONFIG_THREAD_INFO_IN_TASK))
		return READ_ONCE(task->stack);
	return READ_ONCE(task->__state) != TASK_DEAD || task_curr(task);
}

static unsigned int get_leaving_tasks(struct task_struct *tasks[TASKS_MAX])
{
	struct task_struct *leader, *task;
	unsigned int nr = 0;

	rcu_read_lock();
	for_each_process_thread(leader, task) {
		if (!is_leaving(task))
			continue;
		tasks[nr++] = get_task_struct(task);
		if (nr == TASKS_MAX)
			goto out;
	}
out:
	rcu_read_unlock();
	return nr;
}

/* Their registers and stacks are roots up to the end. */
static bool wait_for_tasks(void)
{
	unsigned long end = jiffies + TASKS_WAIT_MAX;
	struct task_struct *tasks[TASKS_MAX];
	unsigned int i, nr = get_leaving_tasks(tasks);
	bool all = nr < TASKS_MAX;

	for (i = 0; i < nr; i++) {
		while (is_leaving(tasks[i]) && time_before(jiffies, end))
			schedule_timeout_idle(1);
		all &= !is_leaving(tasks[i]);
		put_task_struct(tasks[i]);
	}
	return all;
}

/* ---- Work items ---- */

static void do_nothing(struct work_struct *work)
{
}

/*
 * An item that is queued last on a CPU is begun when those before it have ended, or
 * sleep. That is as far as one can go without waiting for what never ends.
 */
static void wait_for_work(void)
{
	const struct cpumask *cpus = housekeeping_cpumask(HK_TYPE_DOMAIN);
	unsigned int cpu;

	cpus_read_lock();
	for_each_cpu_and(cpu, cpus, cpu_online_mask)
		schedule_work_on(cpu, per_cpu_ptr(&last_work, cpu));
	cpus_read_unlock();
	for_each_cpu(cpu, cpus)
		flush_work(per_cpu_ptr(&last_work, cpu));
}

/* ---- All of it ---- */

/* What the item is at, and what it is through with in its last round. */
static void pass(enum kml_deferred what, unsigned int round)
{
	if (round == ROUNDS)
		WRITE_ONCE(deferred.left, deferred.left & ~BIT(what));
}

static void wait_for_all(struct work_struct *work)
{
	unsigned int round;

	WRITE_ONCE(deferred.left, KML_DEFERRED_ALL);
	/*
	 * Pairs with the smp_rmb() of what_is_left(): a user who sees the number sees
	 * that nothing is done yet. Users who ask from here on queue the item again.
	 */
	smp_wmb();
	WRITE_ONCE(deferred.running, atomic_long_read(&asked));

	if (wait_for_tasks())
		pass(KML_DEFERRED_TASKS, ROUNDS);
	for (round = 1; round <= ROUNDS; round++) {
		flush_delayed_fput();
		pass(KML_DEFERRED_FILES, round);
		flush_module_init_free_work();
		pass(KML_DEFERRED_INIT_DATA, round);
		rcu_barrier();
		pass(KML_DEFERRED_RCU, round);
		wait_for_work();
		pass(KML_DEFERRED_WORK, round);
	}
	vm_unmap_aliases();
	pass(KML_DEFERRED_VMALLOC, ROUNDS);

	WRITE_ONCE(deferred.given_up, deferred.left);
	/* Pairs with is_done(): users who see the number see what was given up. */
	smp_store_release(&deferred.done, deferred.running);
	wake_up_all(&deferred_done);
}

static DECLARE_WORK(deferred_work, wait_for_all);

static bool is_done(long request)
{
	/* Pairs with the store-release of wait_for_all(). */
	return smp_load_acquire(&deferred.done) - request >= 0;
}

/* What a request did not get that is not waited for any longer. */
static unsigned long what_is_left(long request)
{
	if (READ_ONCE(deferred.running) - request < 0)
		return KML_DEFERRED_ALL;
	/* Pairs with the smp_wmb() of wait_for_all(). */
	smp_rmb();
	return READ_ONCE(deferred.left);
}

/**
 * kml_wait_for_deferred() - let finish what is under way, before a scan
 * @wait: set to what came of it
 *
 * What is begun after the call may be waited for as well, or not.
 *
 * Context: Process context; sleeps, up to about a second.
 * Return: 0, also if something was given up; -EINTR on a signal.
 */
int kml_wait_for_deferred(struct kml_wait *wait)
{
	ktime_t begin = ktime_get();
	long request, ret;

	wait->us = 0;
	wait->given_up = KML_DEFERRED_ALL;
	if (!deferred_wq)
		return 0;

	request = atomic_long_inc_return(&asked);
	/* If it runs for others it runs once more; if it is queued that will do. */
	queue_work(deferred_wq, &deferred_work);
	ret = wait_event_interruptible_timeout(deferred_done, is_done(request), WAIT_MAX);
	wait->us = ktime_us_delta(ktime_get(), begin);
	if (ret < 0)
		return -EINTR;
	wait->given_up = ret ? READ_ONCE(deferred.given_up) : what_is_left(request);
	return 0;
}

/**
 * kml_deferred_init() - get ready to wait
 *
 * Context: Boot, process context.
 */
void kml_deferred_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		INIT_WORK(per_cpu_ptr(&last_work, cpu), do_nothing);
	/* Without it nothing is waited for, and each scan says so. */
	deferred_wq = alloc_workqueue("kmemleak", WQ_UNBOUND, 1);
}
