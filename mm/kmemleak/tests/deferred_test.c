// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what a scan waits for, and when it gives up.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/time64.h>
#include <linux/workqueue.h>

#include "../scan/scan.h"

/* In microseconds: that much and a little more is a wait up to its bound. */
#define DEFERRED_BOUND	USEC_PER_SEC
#define DEFERRED_MARGIN	(USEC_PER_SEC / 2)

/* ---- What is waited for ---- */

/**
 * struct deferred_chain - a callback that queues another one, which queues a work item
 * @rcu: of both callbacks
 * @work: the item
 * @steps: how many of them have run
 */
struct deferred_chain {
	struct rcu_head rcu;
	struct work_struct work;
	int steps;
};

static void deferred_third(struct work_struct *work)
{
	WRITE_ONCE(container_of(work, struct deferred_chain, work)->steps, 3);
}

static void deferred_second(struct rcu_head *rcu)
{
	struct deferred_chain *chain = container_of(rcu, struct deferred_chain, rcu);

	WRITE_ONCE(chain->steps, 2);
	schedule_work(&chain->work);
}

static void deferred_first(struct rcu_head *rcu)
{
	struct deferred_chain *chain = container_of(rcu, struct deferred_chain, rcu);

	WRITE_ONCE(chain->steps, 1);
	call_rcu(rcu, deferred_second);
}

static void deferred_finishes(struct kunit *test)
{
	struct deferred_chain *chain = kunit_kzalloc(test, sizeof(*chain), GFP_KERNEL);
	struct kml_wait wait;

	KUNIT_ASSERT_NOT_NULL(test, chain);
	INIT_WORK(&chain->work, deferred_third);
	call_rcu(&chain->rcu, deferred_first);
	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), 0);
	KUNIT_EXPECT_EQ(test, wait.given_up, 0);
	KUNIT_EXPECT_EQ(test, READ_ONCE(chain->steps), 3);

	rcu_barrier();
	rcu_barrier();
	flush_work(&chain->work);
}

/* ---- A task that does not come to its end ---- */

/**
 * struct deferred_task - a thread that stays in its exit
 * @work: what it does there
 * @there: it has come there
 * @go: it may go on
 */
struct deferred_task {
	struct callback_head work;
	struct completion there;
	struct completion go;
};

static void deferred_stay(struct callback_head *work)
{
	struct deferred_task *stay = container_of(work, struct deferred_task, work);

	complete(&stay->there);
	wait_for_completion(&stay->go);
}

static int deferred_exit(void *data)
{
	struct deferred_task *stay = data;

	init_task_work(&stay->work, deferred_stay);
	return task_work_add(current, &stay->work, TWA_NONE);
}

static void deferred_task(struct kunit *test)
{
	struct deferred_task stay;
	struct task_struct *task;
	struct kml_wait wait;

	init_completion(&stay.there);
	init_completion(&stay.go);
	task = kthread_create(deferred_exit, &stay, "kml_stay");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&stay.there);

	/* Nothing else is kept from being waited for. */
	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), 0);
	KUNIT_EXPECT_EQ(test, wait.given_up, BIT(KML_DEFERRED_TASKS));
	KUNIT_EXPECT_LT(test, wait.us, DEFERRED_BOUND);

	complete(&stay.go);
	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), 0);
	KUNIT_EXPECT_EQ(test, wait.given_up, 0);
	if (IS_ENABLED(CONFIG_THREAD_INFO_IN_TASK))
		KUNIT_EXPECT_NULL(test, READ_ONCE(task->stack));
	put_task_struct(task);
}

/* ---- Whoever waits holds what is needed ---- */

static void deferred_bound(struct kunit *test)
{
	struct kml_wait wait;

	if (!IS_ENABLED(CONFIG_HOTPLUG_CPU))
		kunit_skip(test, "no lock that could be held");

	/* As while a CPU comes or goes. */
	cpus_write_lock();
	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), 0);
	KUNIT_EXPECT_TRUE(test, wait.given_up & BIT(KML_DEFERRED_WORK));
	KUNIT_EXPECT_FALSE(test, wait.given_up & BIT(KML_DEFERRED_TASKS));
	KUNIT_EXPECT_GE(test, wait.us, DEFERRED_BOUND);
	KUNIT_EXPECT_LT(test, wait.us, DEFERRED_BOUND + DEFERRED_MARGIN);

	/* It is still under way, and does not do anything for who comes later. */
	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), 0);
	KUNIT_EXPECT_EQ(test, wait.given_up, KML_DEFERRED_ALL);
	KUNIT_EXPECT_LT(test, wait.us, DEFERRED_BOUND + DEFERRED_MARGIN);
	cpus_write_unlock();

	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), 0);
	KUNIT_EXPECT_EQ(test, wait.given_up, 0);
}

static void deferred_interrupted(struct kunit *test)
{
	struct kml_wait wait;

	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	cpus_write_lock();
	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), -EINTR);
	cpus_write_unlock();
	KUNIT_EXPECT_LT(test, wait.us, DEFERRED_MARGIN);
	flush_signals(current);
	disallow_signal(SIGUSR1);

	/* What was begun for it does not hinder others. */
	KUNIT_EXPECT_EQ(test, kml_wait_for_deferred(&wait), 0);
	KUNIT_EXPECT_EQ(test, wait.given_up, 0);
}

/* ---- Whoever waits is told to stop ---- */

static void deferred_barred(struct kunit *test)
{
	unsigned int ticket = kml_scan_ticket();

	/* While it waits: it notices afterwards. */
	mutex_lock(&kml_control_mutex);
	KUNIT_EXPECT_EQ(test, kml_bar_scans(-ECANCELED), 0);
	kml_allow_scans();
	mutex_unlock(&kml_control_mutex);
	KUNIT_EXPECT_EQ(test, kml_scan_lock(ticket), -ECANCELED);

	KUNIT_ASSERT_EQ(test, kml_scan_lock(kml_scan_ticket()), 0);
	mutex_unlock(&kml_scan_mutex);
}

/* Only the scan that was waited for has something to tell. */
static void deferred_stats(struct kunit *test)
{
	const struct kml_scan_stats *stats = kml_scan_stats();

	KUNIT_EXPECT_EQ(test, kml_scan_when_done(NULL), 0);
	KUNIT_EXPECT_GT(test, stats->wait.us, 0);
	KUNIT_EXPECT_LE(test, stats->wait.us, DEFERRED_BOUND + DEFERRED_MARGIN);

	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_EQ(test, stats->wait.us, 0);
	KUNIT_EXPECT_EQ(test, stats->wait.given_up, 0);
}

static struct kunit_case deferred_cases[] = {
	KUNIT_CASE(deferred_finishes),
	KUNIT_CASE(deferred_task),
	KUNIT_CASE_SLOW(deferred_bound),
	KUNIT_CASE(deferred_interrupted),
	KUNIT_CASE(deferred_barred),
	KUNIT_CASE(deferred_stats),
	{}
};

static struct kunit_suite deferred_suite = {
	.name = "kmemleak_deferred",
	.test_cases = deferred_cases,
};

kunit_test_suite(deferred_suite);
