// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: when to scan, and when to stop for good.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sched.h>

#include "report.h"

/* Seconds between two scans of the thread. */
#define SCAN_PERIOD_SECS	600

/* The thread that scans now and then; kml_control_mutex. */
static struct task_struct *scan_thread;

/* Seconds between two of its scans; written under kml_control_mutex. */
static unsigned int scan_period = SCAN_PERIOD_SECS;

static bool verbose;
module_param(verbose, bool, 0600);

/**
 * kml_scan_now() - scan, and print what is new if the user wants that
 *
 * Context: Process context; may sleep.
 * Return: 0 or a negative error code, as of kml_scan().
 */
int kml_scan_now(void)
{
	return kml_scan(READ_ONCE(verbose) ? kml_log_leak : NULL);
}

/* Returns false when the thread is to stop. */
static bool sleep_secs(unsigned int secs)
{
	/* Longer than a timer can count is as good as for ever. */
	signed long left = min_t(u64, (u64)secs * HZ, MAX_JIFFY_OFFSET);

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop() || left <= 0)
			break;
		left = schedule_timeout(left);
	}
	__set_current_state(TASK_RUNNING);
	return !kthread_should_stop();
}

static int scan_thread_fn(void *data)
{
	unsigned int delay = (unsigned long)data;

	set_user_nice(current, 10);
	while (sleep_secs(delay)) {
		kml_scan_now();
		delay = READ_ONCE(scan_period);
	}
	return 0;
}

/**
 * kml_thread_start() - start the scan thread, if it does not run
 * @delay_secs: seconds until its first scan
 *
 * Context: Holder of kml_control_mutex; may sleep.
 * Return: 0 or a negative error code.
 */
int kml_thread_start(unsigned int delay_secs)
{
	struct task_struct *task;

	lockdep_assert_held(&kml_control_mutex);
	if (scan_thread)
		return 0;
	task = kthread_run(scan_thread_fn, (void *)(unsigned long)delay_secs,
			   "kmemleak");
	if (IS_ERR(task))
		return PTR_ERR(task);
	scan_thread = task;
	return 0;
}

/**
 * kml_thread_stop() - stop the scan thread, if it runs
 *
 * A scan that it is in is given up.
 *
 * Context: Holder of kml_control_mutex, not of kml_scan_mutex; may sleep.
 */
void kml_thread_stop(void)
{
	lockdep_assert_held(&kml_control_mutex);
	if (!scan_thread)
		return;
	kthread_stop(scan_thread);
	scan_thread = NULL;
}

/**
 * kml_thread_set_period() - set how often the thread scans
 * @secs: seconds between two scans
 *
 * Context: Holder of kml_control_mutex.
 */
void kml_thread_set_period(unsigned int secs)
{
	lockdep_assert_held(&kml_control_mutex);
	WRITE_ONCE(scan_period, secs);
}

/**
 * kml_switch_off() - stop tracking and scanning, for good
 *
 * What was reported stays readable until kml_forget_all().
 *
 * Context: Holder of kml_control_mutex; may sleep.
 */
void kml_switch_off(void)
{
	lockdep_assert_held(&kml_control_mutex);
	kml_state_advance(KML_STATE_OFF);
	kml_thread_stop();

	/* A scan that still runs elsewhere sees the state and ends. */
	mutex_lock(&kml_scan_mutex);
	if (kml_have_leaks())
		pr_info("off; what was found is kept until \"clear\" is written to /sys/kernel/debug/kmemleak\n");
	else
		kml_forget_all();
	mutex_unlock(&kml_scan_mutex);
}
