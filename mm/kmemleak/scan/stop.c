// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: when a scan has to stop.
 *
 * Whoever holds kml_scan_mutex for long asks after each chunk of memory. So nobody
 * waits for long who wants no scan to run.
 */
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>

#include "scan.h"

/* Why no scan may run now, or 0; written under kml_control_mutex. */
static int scans_barred;

/* How often that has been so; the same. */
static unsigned int nr_bars;

/* Why the scan that runs has to stop, if one of its threads has found out, or 0. */
static int scan_ends;

/**
 * kml_scan_must_stop() - ask whether to go on with a scan
 *
 * Context: Process context.
 * Return: 0; -EINTR on a signal, or when the scan thread is to stop; -EPERM if
 * the detector is off, or goes off; -ECANCELED if somebody else ends the scan.
 */
int kml_scan_must_stop(void)
{
	int barred = READ_ONCE(scans_barred), ends = READ_ONCE(scan_ends);

	if (!kml_tracking())
		return -EPERM;
	if (barred)
		return barred;
	if (unlikely(ends))
		return ends;
	if (current->flags & PF_KTHREAD)
		return kthread_should_stop() ? -EINTR : 0;
	return signal_pending(current) ? -EINTR : 0;
}

/**
 * kml_end_scan() - let all threads of the scan that runs see that it has to stop
 * @err: what kml_scan_must_stop() has told one of them; 0 when all have stopped
 *
 * Context: Whoever marks.
 */
void kml_end_scan(int err)
{
	WRITE_ONCE(scan_ends, err);
}

/**
 * kml_bar_scans() - end the scan that runs, whoever wants it, and start none
 * @err: what kml_scan_must_stop() tells until kml_allow_scans()
 *
 * That goes for whatever else asks kml_scan_must_stop() while it holds
 * kml_scan_mutex, so that the wait for that mutex is short, and for scans that
 * wait for it.
 *
 * Context: Holder of kml_control_mutex; may sleep.
 * Return: 0, and nothing is under way; -EINTR on a signal, and scans are allowed.
 */
int kml_bar_scans(int err)
{
	int ret;

	lockdep_assert_held(&kml_control_mutex);
	WRITE_ONCE(nr_bars, nr_bars + 1);
	WRITE_ONCE(scans_barred, err);
	ret = mutex_lock_interruptible(&kml_scan_mutex);
	if (ret)
		kml_allow_scans();
	else
		mutex_unlock(&kml_scan_mutex);
	return ret;
}

/**
 * kml_allow_scans() - let scans run again after kml_bar_scans()
 *
 * Context: Holder of kml_control_mutex.
 */
void kml_allow_scans(void)
{
	lockdep_assert_held(&kml_control_mutex);
	WRITE_ONCE(scans_barred, 0);
}

/**
 * kml_scan_ticket() - note when somebody asked for a scan
 *
 * Context: Any.
 * Return: what kml_scan_lock() takes.
 */
unsigned int kml_scan_ticket(void)
{
	return READ_ONCE(nr_bars);
}

/**
 * kml_scan_lock() - wait until there is no other scan, for a scan
 * @ticket: from kml_scan_ticket(), when the scan was asked for
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex, unless it fails.
 * Return: 0 or an error as of kml_scan_must_stop(), also if that was what it told
 * for a time since the ticket was taken.
 */
int kml_scan_lock(unsigned int ticket)
{
	int ret;

	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	ret = kml_scan_must_stop();
	/* Who barred scans meanwhile need not have waited for this one. */
	if (!ret && ticket != READ_ONCE(nr_bars))
		ret = -ECANCELED;
	if (ret)
		mutex_unlock(&kml_scan_mutex);
	return ret;
}
