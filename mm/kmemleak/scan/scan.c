// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: a scan, from its begin to the verdict.
 *
 * An object that was allocated after the scan began is no suspect, and it is
 * scanned like a root, because a pointer may have moved there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#define CREATE_TRACE_POINTS
#include <trace/events/kmemleak.h>

#include "../track/track.h"
#include "refs.h"

/* Scans that must agree before a leak is reported, see min_unref_scans. */
static unsigned int min_unref_scans = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE) ? 2 : 1;

static int set_min_unref_scans(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, UINT_MAX - 1);
}

static const struct kernel_param_ops min_unref_scans_ops = {
	.set = set_min_unref_scans,
	.get = param_get_uint,
};
module_param_cb(min_unref_scans, &min_unref_scans_ops, &min_unref_scans, 0600);

/* The rest of the state of a scan; kml_scan_mutex. */
static struct {
	/* The last one was given up: some objects were not met by it. */
	bool broken;
	/* Leaks of the last scan that came to an end. */
	unsigned long leaks;
	/* So many leaks were there when it was last asked who leads to whom. */
	unsigned long asked;
	struct kml_scan_stats stats;
} scan;

/* ---- Decide ---- */

/* Is there something to decide or to take back? */
static bool select_verdict(const struct kml_ref *ref, void *arg)
{
	return kml_ref_is_suspect(ref) || ref->rec->unref_scans ||
	       kml_ref_is_leak(ref);
}

/**
 * struct verdict - what a scan decides by, and what it has decided
 * @min_scans: scans that have to agree
 * @leaks: how many there are
 * @new: how many of these were not reported before
 * @changed: others are leaks than before
 */
struct verdict {
	unsigned int min_scans;
	unsigned long leaks;
	unsigned long new;
	bool changed;
};

static void set_leak(struct kml_record *rec, bool leak, struct verdict *verdict)
{
	if (kml_is_leak(rec, NULL) == leak)
		return;
	verdict->changed = true;
	/* Not what led to it when it was one before. */
	rec->held_by = 0;
	if (leak)
		kml_set_flags(rec, KML_LEAK, 0);
	else
		kml_set_flags(rec, 0, KML_LEAK);
}

static int decide_one(const struct kml_ref *ref, void *arg)
{
	struct kml_record *rec = ref->rec;
	struct verdict *verdict = arg;

	if (!kml_ref_is_suspect(ref)) {
		rec->unref_scans = 0;
		set_leak(rec, false, verdict);
		return 0;
	}

	/* The scan in which the content settled counts as the first one. */
	if (rec->unref_scans < U32_MAX)
		rec->unref_scans++;
	if (rec->unref_scans < verdict->min_scans) {
		set_leak(rec, false, verdict);
		return 0;
	}

	set_leak(rec, true, verdict);
	verdict->leaks++;
	verdict->new += !(READ_ONCE(rec->flags) & KML_REPORTED);
	return 0;
}

/*
 * The content of a leak does not change as long as it is one. So who leads to
 * whom need not be asked again while all leaks are the same.
 */
static void find_indirect(const struct verdict *verdict)
{
	if (!verdict->changed && verdict->leaks == scan.asked)
		return;
	/* If it is stopped, what is not known is taken for direct. */
	scan.asked = verdict->leaks && kml_find_indirect() ? ULONG_MAX : verdict->leaks;
}

static bool select_new(const struct kml_ref *ref, void *arg)
{
	return kml_ref_is_leak(ref) &&
	       !(READ_ONCE(ref->rec->flags) & KML_REPORTED);
}

static void trace_new(const struct kml_record *rec)
{
	depot_stack_handle_t trace = READ_ONCE(rec->trace);
	unsigned long frames[KMEMLEAK_TRACE_FRAMES] = {};
	char comm[TASK_COMM_LEN];
	unsigned long *entries;
	unsigned int i, nr;

	nr = kml_trace_fetch(trace, &entries);
	nr = min_t(unsigned int, nr, ARRAY_SIZE(frames));
	/* Of code that has gone, the event has no address. */
	for (i = 0; i < nr; i++)
		frames[i] = kml_code_unpack(entries[i]);
	kml_name_fetch(rec->comm, comm);
	trace_leak(rec->start, rec->size, rec->pid, comm, rec->held_by, trace,
		   frames);
}

static int report_new(const struct kml_ref *ref, void *arg)
{
	struct kml_record *rec = ref->rec;
	kml_print_t *print = arg;

	kml_set_flags(rec, KML_REPORTED, 0);
	if (trace_leak_enabled())
		trace_new(rec);
	if (*print)
		(*print)(rec);
	return 0;
}

/**
 * kml_scans_to_decide() - tell how many scans a complete answer takes
 *
 * Context: Any.
 * Return: so many as have to agree before a leak is reported.
 */
unsigned int kml_scans_to_decide(void)
{
	unsigned int min_scans = READ_ONCE(min_unref_scans);

	return min_scans > 1 ? min_scans + 1 : 1;
}

static void decide(kml_print_t print)
{
	struct verdict verdict = {
		.min_scans = kml_scans_to_decide(),
	};

	kml_for_each(KML_JUDGED, select_verdict, decide_one, &verdict);
	scan.leaks = verdict.leaks;
	find_indirect(&verdict);
	if (!verdict.new)
		return;
	kml_for_each(KML_JUDGED, select_new, report_new, &print);
	if (print)
		print(NULL);
	WRITE_ONCE(scan.stats.leaks_ever, scan.stats.leaks_ever + verdict.new);
	pr_info("%lu new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n",
		verdict.new);
}

static int scan_all(kml_print_t print, struct kml_confirmation *conf)
{
	int ret;

	kml_drop_overlaid();
	if (kml_began_late())
		kml_drop_gone_slabs();
	kml_pages_settle();
	if (scan.broken)
		kml_slot_age_all();
	kml_slot_new_generation();
	WRITE_ONCE(kml_scan_seq, kml_scan_seq + 1);
	trace_scan_begin(kml_scan_seq);

	ret = kml_first_pass();
	if (!ret)
		ret = kml_confirm(conf);
	scan.broken = ret;
	if (ret)
		return ret;
	decide(print);
	kml_release_idle_slabs(ULONG_MAX, false);
	return 0;
}

static void note_stats(const struct kml_confirmation *conf, unsigned long ms,
		       unsigned int threads, const struct kml_wait *wait)
{
	struct kml_scan_stats *stats = &scan.stats;

	WRITE_ONCE(stats->scans, stats->scans + 1);
	WRITE_ONCE(stats->ms, ms);
	WRITE_ONCE(stats->words, kml_words_read());
	WRITE_ONCE(stats->suspects, conf->suspects);
	WRITE_ONCE(stats->undecided, conf->undecided);
	WRITE_ONCE(stats->passes, 1 + conf->passes);
	WRITE_ONCE(stats->threads, threads);
	WRITE_ONCE(stats->exact, conf->exact);
	WRITE_ONCE(stats->stopped_us, conf->stopped_us);
	WRITE_ONCE(stats->wait.us, wait->us);
	WRITE_ONCE(stats->wait.given_up, wait->given_up);
}

static noinline int scan_locked(const struct kml_wait *wait, unsigned int ticket,
				unsigned int threads, kml_print_t print)
{
	struct kml_confirmation conf = {};
	unsigned long ever, ms;
	ktime_t begin;
	int ret;

	ret = kml_scan_lock(ticket);
	if (ret)
		return ret;

	begin = ktime_get();
	ever = scan.stats.leaks_ever;
	kml_passes_start(kml_own_frame());
	kml_threads_start(threads);
	ret = scan_all(print, &conf);
	threads = kml_threads_end();
	ms = ktime_ms_delta(ktime_get(), begin);
	if (!ret)
		note_stats(&conf, ms, threads, wait);
	trace_scan_end(kml_scan_seq, ms, kml_words_read(), conf.suspects,
		       1 + conf.passes, scan.stats.leaks_ever - ever,
		       scan.leaks, ret);
	kml_passes_end();
	mutex_unlock(&kml_scan_mutex);
	return ret;
}

/*
 * The frame of what it calls is a root, as there are the registers of callers. So that
 * is not to have in it what calls before this one left there.
 */
static int scan_after(const struct kml_wait *wait, unsigned int ticket,
		      unsigned int threads, kml_print_t print)
{
	kml_wipe_stack();
	return scan_locked(wait, ticket, threads, print);
}

/**
 * kml_scan_by() - find out what is leaked now
 * @threads: how many threads are to share the work
 * @print: called for each leak that was not reported before, and then once with
 *	NULL; or NULL
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex.
 * Return: 0 or an error as of kml_scan_must_stop(). On error what is reported
 * stays as it was.
 */
int kml_scan_by(unsigned int threads, kml_print_t print)
{
	static const struct kml_wait none;

	return scan_after(&none, kml_scan_ticket(), threads, print);
}

/**
 * kml_scan() - find out what is leaked now, by the thread that calls it alone
 * @print: as with kml_scan_by()
 *
 * Context: As kml_scan_by().
 * Return: As kml_scan_by().
 */
int kml_scan(kml_print_t print)
{
	return kml_scan_by(1, print);
}

/**
 * kml_scan_when_done() - let finish what is under way, and find out what is leaked
 * @print: as with kml_scan()
 *
 * Context: As kml_scan(). Sleeps up to about a second before, and holds nothing then.
 * Return: As kml_scan().
 */
int kml_scan_when_done(kml_print_t print)
{
	unsigned int ticket = kml_scan_ticket();
	struct kml_wait wait;
	int ret;

	ret = kml_wait_for_deferred(&wait);
	return ret ?: scan_after(&wait, ticket, kml_threads_wanted(), print);
}

/**
 * kml_scan_stats() - tell about scans so far
 *
 * Context: Any.
 * Return: the figures, each of which may change at any time.
 */
const struct kml_scan_stats *kml_scan_stats(void)
{
	return &scan.stats;
}

static int clear_one(const struct kml_ref *ref, void *arg)
{
	WRITE_ONCE(ref->rec->min_count, KML_GRAY);
	kml_set_flags(ref->rec, 0, KML_LEAK);
	return 0;
}

/**
 * kml_clear_leaks() - no longer report what is reported now
 *
 * The objects are scanned from now on: what they point at may be in use.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_clear_leaks(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	kml_for_each(KML_JUDGED, kml_ref_leak, clear_one, NULL);
	scan.leaks = 0;
}

/**
 * kml_clear_leak() - no longer report one object that is reported now
 * @addr: an address in it
 *
 * The object is scanned from now on, as with kml_clear_leaks().
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0, or -EINVAL if nothing is reported there.
 */
int kml_clear_leak(unsigned long addr)
{
	enum kml_space space;
	struct kml_ref ref;
	int ret = -EINVAL;

	lockdep_assert_held(&kml_scan_mutex);
	/* The same number can be an address in one space and in the other one. */
	for (space = 0; space < KML_NR_SPACES && ret; space++) {
		if (!kml_ref_find(space, addr, &ref))
			continue;
		if (kml_ref_is_leak(&ref)) {
			clear_one(&ref, NULL);
			scan.leaks--;
			ret = 0;
		}
		kml_ref_put(&ref);
	}
	return ret;
}

/**
 * kml_have_leaks() - ask whether there is something to report
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if the last scan found leaks that were not cleared.
 */
bool kml_have_leaks(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	return scan.leaks;
}

/**
 * kml_scan_init() - get ready to scan, now that objects are tracked
 *
 * What a scan writes down of objects must not count as a reference to them.
 *
 * Context: Holder of kml_control_mutex and kml_scan_mutex; may sleep.
 */
void kml_scan_init(void)
{
	static bool done;

	lockdep_assert_held(&kml_control_mutex);
	kml_untrack_range(KML_VIRT, (unsigned long)&kml_refs, sizeof(kml_refs));
	kml_hide_memmap();
	scan.leaks = 0;
	if (!done) {
		kml_stacks_init();
		kml_deferred_init();
		kml_threads_init();
		done = true;
	}
	kml_hide_stacks();
}
