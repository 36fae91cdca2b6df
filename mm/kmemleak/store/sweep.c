// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: when names of tasks are swept.
 *
 * A sweep, whose steps names.c tells, begins soon after the table of names gets
 * full, unless there was one not long ago: whoever makes up names can have no more
 * than a small part of one CPU's time for it.
 */
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "store.h"

/* A sweep that frees less is hardly worth its time. */
#define FREED_LOW	(KML_NAMES_MAX / 16)

/* The pause from one sweep to the next, in jiffies. */
#define PAUSE_MIN	HZ
#define PAUSE_MAX	(60UL * HZ)

/* A sweep takes at most this part of a CPU's time. */
#define SWEEP_SHARE	20

/* When the next sweep may begin, and how long after the last one that is. */
static unsigned long sweep_next;
static unsigned long sweep_pause = PAUSE_MIN;

static int note_name(const struct kml_ref *ref, void *arg)
{
	kml_name_note(kml_comm_of(kml_ref_origin(ref).handles));
	return 0;
}

/**
 * kml_names_note() - step 3 of a sweep
 *
 * Objects that move meanwhile do so from a slot to a record, and the walk is over
 * slots first: it finds them.
 *
 * Context: Holder of kml_names_mutex; may sleep.
 */
void kml_names_note(void)
{
	kml_for_each(KML_ALL, kml_ref_any, note_name, NULL);
}

/* All steps. @walk is set to the time of the walk, in jiffies. */
static unsigned int sweep_names(unsigned long *walk)
{
	unsigned int freed;

	mutex_lock(&kml_names_mutex);
	kml_names_retire();
	*walk = jiffies;
	kml_names_note();
	*walk = jiffies - *walk;
	freed = kml_names_release();
	mutex_unlock(&kml_names_mutex);
	return freed;
}

/**
 * kml_names_sweep() - free the names that no object has any more
 *
 * Context: Process context; may sleep.
 * Return: how many these are.
 */
unsigned int kml_names_sweep(void)
{
	unsigned long walk;

	return sweep_names(&walk);
}

static void sweep(struct work_struct *work)
{
	unsigned long took;
	unsigned int freed;

	if (!kml_tracking() || !kml_names_may_sweep())
		return;
	/* To wait for grace periods takes nobody's time, only the walk does. */
	freed = sweep_names(&took);
	/* A table full of names that are in use is not looked at all the time. */
	if (freed < FREED_LOW)
		sweep_pause = min(2 * sweep_pause, PAUSE_MAX);
	else
		sweep_pause = PAUSE_MIN;
	WRITE_ONCE(sweep_next, jiffies + max(sweep_pause, SWEEP_SHARE * took));
}

static DECLARE_DELAYED_WORK(sweep_work, sweep);

static void ask_for_sweep(struct irq_work *work)
{
	unsigned long now = jiffies, next = READ_ONCE(sweep_next);

	queue_delayed_work(system_unbound_wq, &sweep_work,
			   time_before(now, next) ? next - now : 0);
}

static struct irq_work sweep_request = IRQ_WORK_INIT_HARD(ask_for_sweep);

/* As soon as there are workqueues. */
static int __init allow_sweeps(void)
{
	sweep_next = jiffies;
	kml_names_set_request(&sweep_request);
	return 0;
}
core_initcall(allow_sweeps);
