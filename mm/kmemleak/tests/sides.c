// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: two sides that act on one object at a time.
 *
 * Who came first waits longer the next time. So each side comes first in some
 * turns, and in the others both act at once, whatever the machine: on a busy
 * host, CPUs of an emulator lag behind each other by milliseconds. There both
 * hardly ever act at once by chance: in every other turn they make sure before that
 * both are running, and wait a few instructions only.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/processor.h>

#include "sides.h"

/* Turns that a test takes at least, and those of each outcome among them. */
#define SIDES_TURNS	10000
#define SIDES_EACH	100

/* So often each has to be: a kernel with KCSAN came to 39 in the time there is. */
#define SIDES_LEAST	10

/* Seconds in which they should come, and in which they have to on a busy host. */
#define SIDES_SECS	30
#define SIDES_MOST_SECS	150

/* The least by which the wait changes, and the most that chance adds to it. */
#define SIDES_STEP	8
#define SIDES_JITTER	64

/* The most steps that one waits if both are running. */
#define SIDES_CLOSE	1024

static void wait_steps(int steps)
{
	while (steps-- > 0)
		cpu_relax();
}

static int act_on_theirs(void *data)
{
	struct kml_sides *sides = data;

	while (!kthread_should_stop()) {
		WRITE_ONCE(sides->answered, READ_ONCE(sides->called));
		/* Pairs with smp_store_release() in take_turn(). */
		if (smp_load_acquire(&sides->turns) == sides->done) {
			cond_resched();
			continue;
		}
		wait_steps(sides->wait);
		sides->late = READ_ONCE(sides->acted);
		sides->theirs(sides->ptr);
		/* Pairs with smp_load_acquire() in take_turn(). */
		smp_store_release(&sides->done, sides->done + 1);
	}
	return 0;
}

static void call_other(struct kml_sides *sides)
{
	unsigned int call = sides->called + 1;

	WRITE_ONCE(sides->called, call);
	while (READ_ONCE(sides->answered) != call)
		cond_resched();
}

/* Returns false if there is no object. */
static bool take_turn(struct kml_sides *sides, int wait, bool close)
{
	unsigned int turn = sides->turns + 1;
	bool late;

	sides->ptr = sides->alloc();
	if (!sides->ptr)
		return false;
	sides->wait = wait;
	sides->acted = false;
	if (close)
		call_other(sides);
	/* Pairs with smp_load_acquire() in act_on_theirs(). */
	smp_store_release(&sides->turns, turn);
	wait_steps(-wait);
	late = READ_ONCE(sides->done) == turn;
	sides->mine(sides->ptr);
	WRITE_ONCE(sides->acted, true);
	/* Pairs with smp_store_release() in act_on_theirs(). */
	while (smp_load_acquire(&sides->done) != turn)
		cond_resched();
	sides->theirs_first += late;
	sides->mine_first += sides->late;
	sides->met += !late && !sides->late;
	sides->wrong += !sides->check(sides->ptr);
	return true;
}

/* By a share of it, to get from a few instructions to a time slice and back. */
static int next_wait(int wait, int lead)
{
	int change = SIDES_STEP + abs(wait) / 16;

	if (lead < 0)
		return wait - change;
	return lead ? wait + change : wait;
}

static bool turns_are_missing(const struct kml_sides *sides, unsigned long begin)
{
	unsigned int least = min3(sides->mine_first, sides->theirs_first, sides->met);

	if (time_before(jiffies, begin + SIDES_SECS * HZ))
		return sides->turns < SIDES_TURNS || least < SIDES_EACH;
	return least < SIDES_LEAST && time_before(jiffies, begin + SIDES_MOST_SECS * HZ);
}

static void take_turns(struct kml_sides *sides)
{
	unsigned long begin = jiffies;
	int waits[2] = {}, lead;

	while (turns_are_missing(sides, begin)) {
		bool close = sides->turns % 2;
		int *wait = &waits[close];
		int jitter = (int)(sides->turns * 37 % SIDES_JITTER) -
			     SIDES_JITTER / 2;

		lead = sides->mine_first - sides->theirs_first;
		if (!take_turn(sides, *wait + jitter, close))
			break;
		lead -= sides->mine_first - sides->theirs_first;
		*wait = next_wait(*wait, lead);
		if (close)
			*wait = clamp(*wait, -SIDES_CLOSE, SIDES_CLOSE);
	}
}

/**
 * kml_sides_run() - let two sides act on objects until each has come first
 * @test: fails if one of them, or none at a time, has not, or if it was wrong
 * @sides: what they do; its other members are 0
 *
 * Context: Process context; may sleep.
 */
void kml_sides_run(struct kunit *test, struct kml_sides *sides)
{
	unsigned int cpu = cpumask_any_but(cpu_online_mask,
					   raw_smp_processor_id());
	struct task_struct *task;

	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs another CPU");
	task = kthread_run_on_cpu(act_on_theirs, sides, cpu, "kml_sides/%u");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	take_turns(sides);
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, sides->wrong, 0);
	KUNIT_EXPECT_GE(test, sides->mine_first, SIDES_LEAST);
	KUNIT_EXPECT_GE(test, sides->theirs_first, SIDES_LEAST);
	KUNIT_EXPECT_GE(test, sides->met, SIDES_LEAST);
	kunit_info(test, "%u turns: the test was first in %u, the thread in %u, none in %u\n",
		   sides->turns, sides->mine_first, sides->theirs_first,
		   sides->met);
}
