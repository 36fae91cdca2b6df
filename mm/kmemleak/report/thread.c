// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: when to scan.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sched.h>

#include "report.h"

/* Seconds until the first scan of the thread. */
#define FIRST_SCAN_SECS		60

/* Seconds between two scans of the thread. */
#define SCAN_PERIOD_SECS	600

/* The thread that scans now and then; kml_control_mutex. */
static struct task_struct *scan_thread;

/* Seconds between two of its scans; written under kml_control_mutex. */
static unsigned int scan_period = SCAN_PERIOD_SECS;

/* The thread need not wait; set under kml_control_mutex. */
static bool scan_due;

static bool verbose = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE);
module_param(verbose, bool, 0600);

/* How new leaks are printed, if the user wants that. */
static kml_print_t printer(void)
{
	return READ_ONCE(verbose) ? kml_log_leak : NULL;
}

/**
 * kml_scan_now() - scan for a user, and print what is new if that is wanted
 *
 * What is under way is waited for before, for about a second at most.
 *
 * Context: Process context; may sleep.
 * Return: 0 or a negative error code, as of kml_scan().
 */
int kml_scan_now(void)
{
	return kml_scan_when_done(printer());
}

/* Until then, or until a scan is due. Returns false when the thread is to stop. */
static bool sleep_secs(unsigned int secs)
{
	/* Longer than a timer can count is as good as for ever. */
	signed long left = min_t(u64, (u64)secs * HZ, MAX_JIFFY_OFFSET);

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop() || READ_ONCE(scan_due) || left <= 0)
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
		WRITE_ONCE(scan_due, false);
		/* Nobody waits for it: what is under way now is found by the next one. */
		kml_scan(printer());
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
 * kml_thread_begin() - start the scan thread, if it is to run from the beginning
 *
 * The system gets some time to come up before it is scanned.
 *
 * Context: Holder of kml_control_mutex; may sleep.
 */
void kml_thread_begin(void)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_AUTO_SCAN) &&
	    kml_thread_start(FIRST_SCAN_SECS))
		pr_warn("cannot start the scan thread\n");
}

/**
 * kml_thread_end() - stop the scan thread, if it runs, while no scan may run
 *
 * It ends soon, as no scan of its own can take long, though no signal wakes it.
 *
 * Context: Holder of kml_control_mutex; may sleep.
 */
void kml_thread_end(void)
{
	lockdep_assert_held(&kml_control_mutex);
	if (!scan_thread)
		return;
	kthread_stop(scan_thread);
	scan_thread = NULL;
}

/**
 * kml_thread_stop() - stop the scan thread, if it runs, and the scan that runs
 *
 * All scans are given up that somebody has asked for and that have not come to
 * their end, those too that wait for another one.
 *
 * Context: Holder of kml_control_mutex, not of kml_scan_mutex; may sleep.
 * Return: 0; -EINTR on a signal, and the thread goes on.
 */
int kml_thread_stop(void)
{
	int ret;

	lockdep_assert_held(&kml_control_mutex);
	ret = kml_bar_scans(-ECANCELED);
	if (ret)
		return ret;
	kml_thread_end();
	kml_allow_scans();
	return 0;
}

/**
 * kml_thread_set_period() - set how often the thread scans, and let it scan now
 * @secs: seconds between two scans
 *
 * The thread is started if it does not run. If it is at work, the scan is its
 * next one.
 *
 * Context: Holder of kml_control_mutex; may sleep.
 * Return: 0 or a negative error code.
 */
int kml_thread_set_period(unsigned int secs)
{
	lockdep_assert_held(&kml_control_mutex);
	WRITE_ONCE(scan_period, secs);
	if (!scan_thread)
		return kml_thread_start(0);
	WRITE_ONCE(scan_due, true);
	wake_up_process(scan_thread);
	return 0;
}
