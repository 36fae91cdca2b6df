// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: is a suspect really unreferenced?
 *
 * While memory was read, the pointer to an object may have moved from a place
 * not read yet to one that was read already, or have been in a register. So
 * passes are repeated that look for suspects alone, until many of them in a row
 * have found none in use. Even an object that moves from place to place all the
 * time, faster than it can be looked for, is missed by about one pass in three,
 * and by all of them less than once in ten million scans. While nothing but the
 * scan runs, nothing moves: then a pass is no sample, and two are enough.
 *
 * A suspect is cleared for good when any pass finds a reference to it, or its
 * content has changed, or when another cleared one leads to it. As suspects
 * only ever get fewer, this ends.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/vmalloc.h>

#include "refs.h"

/* Passes in a row that must find no suspect in use. */
#define CONFIRM_STABLE		16

/* Fewer are enough when passes have taken a second so far. */
#define CONFIRM_STABLE_LATE	12

/* A quiet pass is worth so many others; see quiet.c. */
#define CONFIRM_QUIET		8

/* With all CPUs stopped, this often, until such a pass finds nothing in use. */
#define EXACT_TRIES		4

/* No more passes than these, whatever is still found in use. */
#define CONFIRM_MAX		48

/*
 * So many passes after the first one wait for an RCU grace period: what somebody
 * took out of one list under RCU to put it into another one has arrived then. After
 * a quiet pass nobody is about to: readers that wait have their pointers on their
 * stacks.
 */
#define CONFIRM_GRACE		3

/**
 * struct wanted - what there is to be looked for
 * @suspects: how many objects
 * @new: how many of them are no leaks by an earlier scan
 */
struct wanted {
	unsigned long suspects;
	unsigned long new;
};

/* ---- Suspects ---- */

static bool select_suspect(const struct kml_ref *ref, void *arg)
{
	return kml_ref_is_suspect(ref);
}

/* References to a vm_struct may count for its area. */
static void target_vm_struct(unsigned long start)
{
	unsigned long vm = kml_vm_struct_of(start);

	if (vm)
		kml_target(KML_VIRT, vm, sizeof(struct vm_struct));
}

static int target_suspect(const struct kml_ref *ref, void *arg)
{
	enum kml_space space = kml_ref_space(ref);
	unsigned long start = kml_ref_start(ref);
	struct wanted *wanted = arg;

	wanted->suspects++;
	wanted->new += !kml_ref_is_leak(ref);
	kml_target(space, start, kml_ref_size(ref));
	if (space == KML_VIRT && kml_ref_needed(ref) > 1)
		target_vm_struct(start);
	return 0;
}

static int share_suspect(const struct kml_ref *ref, void *arg)
{
	bool *shared = arg;

	*shared |= kml_ref_share(ref);
	return 0;
}

/* Without memory it cannot be decided: it is in use. */
static int record_suspect(const struct kml_ref *ref, void *arg)
{
	if (!kml_ref_give_record(ref, GFP_KERNEL))
		kml_shade(ref);
	/* Each takes memory and a lock, and there may be hundreds in a slab. */
	cond_resched_tasks_rcu_qs();
	return 0;
}

/* Suspects get records, as slots have no room for what is to come. */
static int record_all_suspects(void)
{
	bool shared = false;

	kml_for_each(KML_UNSEEN, select_suspect, share_suspect, &shared);
	if (!shared)
		return 0;
	/*
	 * Later frees see that they are shared. Each pass interrupts all CPUs anyway, so
	 * that there is nobody left who minds being hurried.
	 */
	synchronize_rcu_expedited();
	kml_for_each(KML_UNSEEN, select_suspect, record_suspect, NULL);
	return kml_scan_gray();
}

/* ---- Their content ---- */

static u32 crc_piece(struct kml_record *rec, unsigned int cpu, u32 crc)
{
	unsigned long *buf = kml_scan_buffer();
	size_t offset = 0;

	while (offset < rec->size) {
		size_t len = kml_chunk_len(rec->start + offset,
					   rec->size - offset);

		if (!kml_read(rec, cpu, offset, buf, len))
			crc = crc32(crc, buf, len);
		offset += len;
		cond_resched_tasks_rcu_qs();
	}
	return crc;
}

static u32 crc_of(struct kml_record *rec)
{
	unsigned int cpu;
	u32 crc = 0;

	if (rec->space != KML_PERCPU)
		return crc_piece(rec, 0, 0);
	for_each_possible_cpu(cpu)
		crc = crc_piece(rec, cpu, crc);
	return crc;
}

/* Note the content of a suspect, if that was not done by an earlier scan. */
static int note_content(const struct kml_ref *ref, void *arg)
{
	if (!ref->rec->unref_scans)
		ref->rec->crc = crc_of(ref->rec);
	return 0;
}

/* Somebody writes to it, so somebody has a pointer to it. */
static int clear_if_changed(const struct kml_ref *ref, void *arg)
{
	u32 crc = crc_of(ref->rec);

	if (crc == ref->rec->crc)
		return 0;
	ref->rec->crc = crc;
	ref->rec->unref_scans = 0;
	kml_shade(ref);
	return 0;
}

/* ---- Confirm ---- */

static struct wanted target_suspects(void)
{
	struct wanted wanted = {};

	kml_target_none();
	kml_for_each(KML_UNSEEN, select_suspect, target_suspect, &wanted);
	return wanted;
}

static int pass(struct kml_confirmation *conf)
{
	ktime_t begin = ktime_get();
	int ret;

	kml_wipe_registers();
	kml_threads_gather(kml_share_job, true);
	kml_watch_start();
	ret = kml_further_pass();
	conf->last_quiet = kml_watch_quiet();
	kml_threads_dismiss();
	conf->pass_us = ktime_us_delta(ktime_get(), begin);
	conf->passes++;
	return ret;
}

/*
 * Where that is allowed, and does not take too long, look once more with all CPUs
 * stopped. What is found in use may lead to others, so that it takes another time.
 */
static int prove(struct kml_confirmation *conf)
{
	unsigned int tries = EXACT_TRIES;
	bool in_time = true;
	int ret = 0;
	u64 us;

	while (tries-- && in_time && !ret && !conf->exact &&
	       kml_exact_is_worth(conf->pass_us)) {
		in_time = kml_exact_pass(&us);
		conf->passes++;
		conf->stopped_us = max(conf->stopped_us, us);
		conf->exact = in_time && !kml_found_in_use();
		ret = kml_scan_gray();
	}
	return ret;
}

/* What a pass is worth that follows others which were worth @evidence. */
static unsigned int weigh(const struct kml_confirmation *conf,
			  unsigned int evidence)
{
	bool found = kml_found_in_use();

	/* A quiet one that has found some has found all that are in use. */
	return (found ? 0 : evidence) + (conf->last_quiet ? CONFIRM_QUIET : !found);
}

/**
 * struct unsettled - suspects of which others of their kind were found late
 * @since: the first pass that is late
 * @nr: how many suspects there are
 */
struct unsettled {
	u32 since;
	unsigned long nr;
};

static int count_suspect(const struct kml_ref *ref, void *arg)
{
	kml_count_suspect(READ_ONCE(ref->rec->trace));
	return 0;
}

static int withhold_suspect(const struct kml_ref *ref, void *arg)
{
	struct unsettled *unsettled = arg;

	/* An earlier scan has looked for leaks of its own. */
	if (!kml_ref_is_leak(ref) &&
	    kml_may_be_in_use(READ_ONCE(ref->rec->trace),
			      unsettled->since)) {
		unsettled->nr++;
		kml_shade(ref);
	}
	return 0;
}

/*
 * Suspects still turn out to be in use. That is evidence against those that were
 * allocated in the same place, and so against what only these lead to, but not
 * against others, which none of many passes has found.
 */
static int withhold(struct kml_confirmation *conf, unsigned int late)
{
	struct unsettled unsettled = { .since = kml_refs.pass + 1 - late };

	kml_for_each(KML_JUDGED, select_suspect, count_suspect, NULL);
	kml_for_each(KML_JUDGED, select_suspect, withhold_suspect, &unsettled);
	conf->undecided = unsettled.nr;
	if (unsettled.nr)
		pr_info("%lu suspects could not be decided in %u passes; left for the next scan\n",
			unsettled.nr, conf->passes);
	return kml_scan_gray();
}

/* Pass after pass, until there is enough evidence against those that are left. */
static int repeat(struct kml_confirmation *conf)
{
	unsigned int evidence = conf->last_quiet ? CONFIRM_QUIET : 0, enough;
	unsigned long late = jiffies + HZ;
	int ret;

	do {
		enough = time_after(jiffies, late) ? CONFIRM_STABLE_LATE :
						     CONFIRM_STABLE;
		if (evidence >= enough)
			return 0;
		if (conf->passes <= CONFIRM_GRACE && !conf->last_quiet) {
			kml_wipe_registers();
			synchronize_rcu_expedited();
		}
		ret = pass(conf);
		if (ret)
			return ret;
		evidence = weigh(conf, evidence);
	} while (conf->passes < CONFIRM_MAX);
	return evidence >= enough ? 0 : withhold(conf, enough);
}

/*
 * Most of those that are in use are found at once, before any of them needs a
 * record. Returns 0 with what is left on record, or an error.
 */
static int filter(struct kml_confirmation *conf)
{
	int ret = pass(conf);

	if (!ret)
		ret = record_all_suspects();
	if (ret)
		return ret;
	kml_for_each(KML_JUDGED, select_suspect, note_content, NULL);
	return 0;
}

/**
 * kml_confirm() - let no object be a suspect that is in use
 * @conf: set to how that went
 *
 * Leaks of earlier scans that still are suspects have been looked for already.
 *
 * Context: Holder of kml_scan_mutex, after kml_first_pass(); may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_confirm(struct kml_confirmation *conf)
{
	struct wanted wanted = target_suspects();
	int ret = 0;

	kml_finds_start();
	conf->suspects = wanted.suspects;
	if (!wanted.suspects)
		return 0;
	if (wanted.new)
		ret = filter(conf);
	if (!ret && wanted.new && target_suspects().new) {
		ret = prove(conf);
		if (!ret && !conf->exact)
			ret = repeat(conf);
	}
	if (ret)
		return ret;
	kml_for_each(KML_JUDGED, select_suspect, clear_if_changed, NULL);
	return kml_scan_gray();
}
