// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what was lost since some moment, for tests in the
 * kernel.
 *
 * A leak counts if it was allocated since then, and if no scan before had found it.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kmemleak.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "report.h"

/**
 * struct interval - what is done with the leaks of an interval
 * @test: the interval
 * @print: called for each line of a record, or NULL to count only
 * @arg: for @print
 * @page: room for a record
 * @count: leaks so far
 * @limit: how many of them are printed
 */
struct interval {
	const struct kmemleak_test *test;
	kmemleak_line_t print;
	void *arg;
	char *page;
	unsigned int count;
	unsigned int limit;
};

static bool is_of(const struct kml_ref *ref, void *arg)
{
	const struct interval *interval = arg;
	const struct kmemleak_test *test = interval->test;

	return kml_ref_leak(ref, NULL) &&
	       time_after_eq(kml_ref_jiffies(ref), test->since) &&
	       ref->rec->unref_scans <= kml_scan_seq - test->before;
}

static void print_lines(const struct interval *interval)
{
	char *rest = interval->page, *line;

	while ((line = strsep(&rest, "\n")) && rest)
		interval->print(interval->arg, line);
}

static int take(const struct kml_ref *ref, void *arg)
{
	struct interval *interval = arg;
	struct seq_file seq = {
		.buf = interval->page,
		/* The last byte ends the text, however long it would be. */
		.size = PAGE_SIZE - 1,
	};

	if (interval->count++ >= interval->limit || !interval->print)
		return 0;
	memset(interval->page, 0, PAGE_SIZE);
	if (!kml_report(&seq, ref->rec))
		print_lines(interval);
	return 0;
}

static int visit_leaks(struct interval *interval)
{
	int ret;

	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	ret = kml_for_each(KML_JUDGED, is_of, take, interval);
	mutex_unlock(&kml_scan_mutex);
	return ret;
}

/**
 * kmemleak_test_begin() - from now on look at what is lost
 * @test: set to this moment
 *
 * Waits for a jiffy, or a 64th of a second at most, so that nothing that was allocated
 * before can count.
 *
 * Context: Process context; sleeps.
 */
void kmemleak_test_begin(struct kmemleak_test *test)
{
	test->since = kml_stamp_after(jiffies);
	while (time_before(jiffies, test->since))
		schedule_timeout_uninterruptible(test->since - jiffies);
	test->before = READ_ONCE(kml_scan_seq);
	test->now = test->before;
}
EXPORT_SYMBOL_GPL(kmemleak_test_begin);

/**
 * kmemleak_test_end() - scan, and count what was allocated and lost
 * @test: since kmemleak_test_begin()
 *
 * It may be called again. Then it counts what was lost since the last time, of all
 * that was allocated since the begin. Whoever allocates in that time counts,
 * also if it is not the caller. The caller's variables are searched for
 * references, as all memory is.
 *
 * Context: Process context; may sleep, for as long as a scan takes.
 * Return: how many leaks there are; -EPERM if the detector is off, -EINTR on
 * a signal, -ECANCELED if the user wanted no scan.
 */
int kmemleak_test_end(struct kmemleak_test *test)
{
	struct interval interval = { .test = test };
	unsigned int i, scans = kml_scans_to_decide();
	int err;

	test->before = test->now;
	for (i = 0; i < scans; i++) {
		err = kml_scan_now();
		if (err)
			return err;
	}
	err = visit_leaks(&interval);
	if (err)
		return err;
	test->now = READ_ONCE(kml_scan_seq);
	return interval.count;
}
EXPORT_SYMBOL_GPL(kmemleak_test_end);

/**
 * kmemleak_test_report() - tell what kmemleak_test_end() has counted
 * @test: since kmemleak_test_begin()
 * @limit: of how many leaks, at most
 * @print: called for each line of their records, without a newline; may sleep, and
 *	must not call the detector
 * @arg: for @print
 *
 * Context: Process context; may sleep.
 */
void kmemleak_test_report(const struct kmemleak_test *test, unsigned int limit,
			  kmemleak_line_t print, void *arg)
{
	struct interval interval = {
		.test = test,
		.print = print,
		.arg = arg,
		.limit = limit,
	};

	/* Of pages no scan thinks that they refer to the leaks. */
	interval.page = (char *)__get_free_page(GFP_KERNEL);
	if (!interval.page)
		return;
	visit_leaks(&interval);
	free_page((unsigned long)interval.page);
}
EXPORT_SYMBOL_GPL(kmemleak_test_report);
