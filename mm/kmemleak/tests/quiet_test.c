// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of what shows that nothing moved.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "../scan/refs.h"
#include "hidden.h"
#include "tree.h"

/* How often, and how long, nothing else may run. */
#define QUIET_TRIES	2000
#define QUIET_USECS	200

#define QUIET_TIMER	(50 * NSEC_PER_USEC)
#define QUIET_SCANS	40

#define QUIET_OBJECT	96

/* One for all tests, as those on a stack need a set-up of their own. */
static struct quiet_timer {
	struct hrtimer timer;
	unsigned int fired;
	void (*fn)(void);
} quiet_timer;

static enum hrtimer_restart quiet_fire(struct hrtimer *timer)
{
	WRITE_ONCE(quiet_timer.fired, quiet_timer.fired + 1);
	if (quiet_timer.fn)
		quiet_timer.fn();
	hrtimer_forward_now(timer, ns_to_ktime(QUIET_TIMER));
	return HRTIMER_RESTART;
}

static void quiet_start(void (*fn)(void))
{
	hrtimer_setup(&quiet_timer.timer, quiet_fire, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_PINNED_HARD);
	quiet_timer.fired = 0;
	quiet_timer.fn = fn;
	hrtimer_start(&quiet_timer.timer, ns_to_ktime(QUIET_TIMER),
		      HRTIMER_MODE_REL_PINNED_HARD);
}

/* Nothing but what @fn does, as far as this CPU goes. */
static bool is_quiet_during(void (*fn)(void))
{
	bool quiet;

	mutex_lock(&kml_scan_mutex);
	kml_watch_start();
	fn();
	quiet = kml_watch_quiet();
	mutex_unlock(&kml_scan_mutex);
	return quiet;
}

/* If nothing else runs, which one try may be too few for. */
static bool is_quiet_in_time(void (*fn)(void))
{
	unsigned int i;

	for (i = 0; i < QUIET_TRIES; i++) {
		if (is_quiet_during(fn))
			return true;
		cond_resched();
	}
	return false;
}

static void do_nothing(void)
{
	udelay(QUIET_USECS);
}

/* It must be seen at all, or each scan would be made the long way. */
static void quiet_happens(struct kunit *test)
{
	if (!is_quiet_in_time(do_nothing))
		KUNIT_FAIL(test, "something ran in each of %u times of %u us", QUIET_TRIES,
			   QUIET_USECS);
}

static int quiet_ignore_memory(const void *start, const void *end,
			       const struct kml_root *root)
{
	return 0;
}

static int quiet_ignore_stack(const void *stack, const void *live, const void *end,
			      const struct kml_root *root)
{
	return 0;
}

static void ask_others(void)
{
	static const struct kml_root_visitor visitor = {
		.memory = quiet_ignore_memory,
		.task_stack = quiet_ignore_stack,
	};

	kml_visit_stacks(&visitor);
}

/* Or no pass would ever be quiet where there are other CPUs: each of them does this. */
static void quiet_while_asking(struct kunit *test)
{
	if (!is_quiet_in_time(ask_others))
		KUNIT_FAIL(test, "in none of %u times that others were asked", QUIET_TRIES);
}

static void let_others_run(void)
{
	schedule_timeout_uninterruptible(1);
}

static void quiet_not_with_tasks(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, is_quiet_during(let_others_run));
}

/* With preemption off, so that no task is what shows. */
static void be_interrupted(void)
{
	preempt_disable();
	quiet_start(NULL);
	while (READ_ONCE(quiet_timer.fired) < 3)
		cpu_relax();
	hrtimer_cancel(&quiet_timer.timer);
	preempt_enable();
}

static void quiet_not_with_interrupts(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, is_quiet_during(be_interrupted));
}

static void run_tasklet(struct tasklet_struct *unused)
{
}

static DECLARE_TASKLET(quiet_tasklet, run_tasklet);

static void run_softirq(void)
{
	local_bh_disable();
	tasklet_schedule(&quiet_tasklet);
	local_bh_enable();
	tasklet_unlock_wait(&quiet_tasklet);
}

static void quiet_not_with_softirqs(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, is_quiet_during(run_softirq));
}

static void do_on_others(void *unused)
{
}

static void interrupt_others(void)
{
	smp_call_function(do_on_others, NULL, 1);
}

static int run_on_other(void *unused)
{
	while (!kthread_should_stop())
		cond_resched();
	return 0;
}

static void quiet_not_with_others(struct kunit *test)
{
	struct task_struct *task;
	unsigned int i;

	if (num_online_cpus() == 1)
		kunit_skip(test, "needs another CPU");
	KUNIT_EXPECT_FALSE(test, is_quiet_during(interrupt_others));

	/* No switch need happen where one task runs all the time. */
	migrate_disable();
	task = kthread_run_on_cpu(run_on_other, NULL,
				  cpumask_any_but(cpu_online_mask, raw_smp_processor_id()),
				  "kmemleak_other/%u");
	migrate_enable();
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	msleep(20);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_FALSE(test, is_quiet_during(do_nothing));
	kthread_stop(task);
}

/* ---- What an interrupt moves all the time ---- */

/* A pass comes to this place long before, or behind, one in a slab. */
static unsigned long quiet_place;

/* Where a pointer to the object is, and where it is going to be. */
static unsigned long *quiet_places[2];

static void move_object(void)
{
	unsigned long *from = quiet_places[0], *to = quiet_places[1];

	WRITE_ONCE(*to, *from);
	WRITE_ONCE(*from, 0);
	swap(quiet_places[0], quiet_places[1]);
}

/* While nothing else runs: passes are quiet but for the interrupt. */
static void quiet_moving(struct kunit *test)
{
	unsigned long *place = kzalloc(QUIET_OBJECT, GFP_KERNEL);
	/* The first one is what moves, the others were never in use. */
	unsigned long hidden[5];
	unsigned int i;

	skip_if_off(test);
	KUNIT_ASSERT_NOT_NULL(test, place);
	quiet_places[0] = place;
	quiet_places[1] = &quiet_place;
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		hidden[i] = kml_hidden_alloc(QUIET_OBJECT);
	KUNIT_ASSERT_NE(test, hidden[0], ~0UL);
	kml_hidden_reveal(place, hidden[0]);

	quiet_start(move_object);
	for (i = 0; i < QUIET_SCANS; i++) {
		KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
		KUNIT_EXPECT_FALSE(test, kml_hidden_is_leak(hidden[0]));
	}
	hrtimer_cancel(&quiet_timer.timer);
	KUNIT_EXPECT_GT(test, quiet_timer.fired, QUIET_SCANS);

	/* In no place it is one. */
	WRITE_ONCE(*quiet_places[0], 0);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_TRUE(test, kml_hidden_any_leaks(hidden, ARRAY_SIZE(hidden)));
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		kml_hidden_free(hidden[i]);
	/* What is left here would hide what comes to be there. */
	memset(quiet_places, 0, sizeof(quiet_places));
	kfree(place);
}

static struct kunit_case quiet_cases[] = {
	KUNIT_CASE(quiet_happens),
	KUNIT_CASE(quiet_while_asking),
	KUNIT_CASE(quiet_not_with_tasks),
	KUNIT_CASE(quiet_not_with_interrupts),
	KUNIT_CASE(quiet_not_with_softirqs),
	KUNIT_CASE(quiet_not_with_others),
	KUNIT_CASE_SLOW(quiet_moving),
	{}
};

static struct kunit_suite quiet_suite = {
	.name = "kmemleak_quiet",
	.test_cases = quiet_cases,
};

kunit_test_suite(quiet_suite);
