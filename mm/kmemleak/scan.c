// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: confirm and decide.
 *
 * Objects that a mark pass does not reach are suspects. While memory was read
 * the pointer to one of them may have moved from a place not read yet to one
 * that was read already, or have been in a register. So marking is repeated,
 * after an RCU grace period, until a whole pass clears no suspect: a suspect is
 * cleared for good when any pass finds it referenced or its content changed, or
 * when another cleared one leads to it. As suspects only ever get fewer, this
 * ends.
 *
 * An object that was allocated after the scan began is no suspect, and it is
 * scanned like a root, because a pointer may have moved there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "block.h"

/* Mark passes after which suspects that still get fewer are left undecided. */
#define SCAN_MAX_PASSES	16

/* Scans that must agree before a leak is reported, see min_unref_scans. */
static unsigned int min_unref_scans = 1;

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
	/* There are suspects in slots. */
	bool watched;
	/* There are blocks to bury when a grace period has passed. */
	bool closed;
	/* Leaks of the last scan that came to an end. */
	unsigned long leaks;
} scan;

/* ---- Objects in slots ---- */

/* Whatever is there now was there before this scan. */
static void begin_block(struct kml_block *block, void *arg)
{
	bool empty = true;
	unsigned int i;

	bitmap_zero(block->seen, block->nr);
	bitmap_zero(kml_block_gray(block), block->nr);
	for (i = 0; i < block->nr; i++) {
		u32 meta = kml_slot_meta(&block->slots[i]);

		if (meta & KML_SLOT_YOUNG)
			kml_slot_change(&block->slots[i], KML_SLOT_YOUNG, 0);
		empty &= !(meta & KML_SLOT_LIVE);
	}
	/* It has to be empty twice. */
	if (empty && block->idle) {
		kml_block_close(block);
		scan.closed = true;
	}
	block->idle = empty;
}

static void bury_block(struct kml_block *block, void *arg)
{
	if (block->idle)
		kml_block_bury(block);
}

static bool is_suspect_slot(const struct kml_block *block, unsigned int index)
{
	u32 meta = kml_slot_meta(&block->slots[index]);

	return meta & KML_SLOT_LIVE && !test_bit(index, block->seen) &&
	       !(meta & (KML_SLOT_YOUNG | KML_SLOT_GRAY | KML_SLOT_BLACK));
}

static void watch_suspects(struct kml_block *block, void *arg)
{
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		if (is_suspect_slot(block, i) &&
		    kml_slot_change(&block->slots[i], 0, KML_SLOT_WATCHED))
			scan.watched = true;
	}
}

static void promote_suspects(struct kml_block *block, void *arg)
{
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		/* Without memory it cannot be decided: it is in use. */
		if (is_suspect_slot(block, i) &&
		    !kml_slot_promote(block, i, false, GFP_KERNEL))
			kml_shade_slot(block, i);
	}
}

/* Suspects leave their slots, which have no room for what is to come. */
static int promote_all_suspects(void)
{
	scan.watched = false;
	kml_walk_blocks(watch_suspects, NULL);
	if (!scan.watched)
		return 0;
	/* Who frees one from here on knows that it is watched. */
	synchronize_rcu();
	kml_walk_blocks(promote_suspects, NULL);
	return kml_scan_gray();
}

/* ---- Objects of their own ---- */

/**
 * kml_is_leak() - match leaks as of the last scan, for kml_collect()
 * @obj: an object
 * @arg: not used
 *
 * Context: Any.
 * Return: true if it is to be reported.
 */
bool kml_is_leak(const struct kml_object *obj, void *arg)
{
	return READ_ONCE(obj->flags) & KML_LEAK;
}

static bool match_suspect(const struct kml_object *obj, void *arg)
{
	return kml_is_suspect(obj);
}

/* Is there something to decide or to take back? */
static bool match_verdict(const struct kml_object *obj, void *arg)
{
	return kml_is_suspect(obj) || obj->unref_scans || kml_is_leak(obj, NULL);
}

/* ---- Confirm ---- */

static u32 crc_piece(struct kml_object *obj, unsigned int cpu, u32 crc)
{
	unsigned long *buf = kml_scan_buffer();
	size_t offset = 0;

	while (offset < obj->size) {
		size_t len = kml_chunk_len(obj->start + offset,
					   obj->size - offset);

		if (!kml_read(obj, cpu, offset, buf, len))
			crc = crc32(crc, buf, len);
		offset += len;
		cond_resched_tasks_rcu_qs();
	}
	return crc;
}

static u32 crc_of(struct kml_object *obj)
{
	unsigned int cpu;
	u32 crc = 0;

	if (obj->space != KML_PERCPU)
		return crc_piece(obj, 0, 0);
	for_each_possible_cpu(cpu)
		crc = crc_piece(obj, cpu, crc);
	return crc;
}

/* Note the content of a suspect. Returns 1 if it was another one before. */
static unsigned long note_content(struct kml_object *obj, void *arg)
{
	u32 crc = crc_of(obj);

	if (crc == obj->crc)
		return 0;
	obj->crc = crc;
	obj->unref_scans = 0;
	return 1;
}

/* Somebody writes to it, so somebody has a pointer to it. */
static unsigned long clear_if_changed(struct kml_object *obj, void *arg)
{
	if (!note_content(obj, arg))
		return 0;
	kml_shade(obj);
	return 1;
}

static unsigned long count_one(struct kml_object *obj, void *arg)
{
	return 1;
}

/*
 * Repeat the mark pass until it clears no suspect. Returns 1 if that came about,
 * 0 if the suspects have to be left undecided, or an error.
 */
static int confirm(void)
{
	unsigned long before, after;
	int ret, passes;

	ret = promote_all_suspects();
	if (ret)
		return ret;
	kml_sum_matches(match_suspect, note_content, NULL);
	after = kml_sum_matches(match_suspect, count_one, NULL);
	for (passes = 1; after; passes++) {
		before = after;
		if (passes == SCAN_MAX_PASSES) {
			pr_info("%lu suspects could not be decided in %d passes; left for the next scan\n",
				after, passes);
			return 0;
		}

		/* Objects on their way from one RCU list to another arrive. */
		synchronize_rcu();
		ret = kml_mark_pass();
		if (ret)
			return ret;
		kml_sum_matches(match_suspect, clear_if_changed, NULL);
		ret = kml_scan_gray();
		if (ret)
			return ret;
		after = kml_sum_matches(match_suspect, count_one, NULL);
		if (after == before)
			break;
	}
	return 1;
}

/* ---- Decide ---- */

struct verdict {
	unsigned int min_scans;
	unsigned long leaks;
	kml_print_t print;
};

/* Returns 1 for a leak that is reported for the first time. */
static unsigned long decide_one(struct kml_object *obj, void *arg)
{
	struct verdict *verdict = arg;
	bool new;

	if (!kml_is_suspect(obj)) {
		obj->unref_scans = 0;
		kml_set_flags(obj, 0, KML_LEAK);
		return 0;
	}

	/* The scan in which the content settled counts as the first one. */
	if (obj->unref_scans < U32_MAX)
		obj->unref_scans++;
	if (obj->unref_scans < verdict->min_scans) {
		kml_set_flags(obj, 0, KML_LEAK);
		return 0;
	}

	verdict->leaks++;
	new = !(READ_ONCE(obj->flags) & KML_REPORTED);
	kml_set_flags(obj, KML_LEAK | KML_REPORTED, 0);
	if (new && verdict->print)
		verdict->print(obj);
	return new;
}

static void decide(kml_print_t print)
{
	unsigned int min_scans = READ_ONCE(min_unref_scans);
	struct verdict verdict = {
		.min_scans = min_scans > 1 ? min_scans + 1 : 1,
		.print = print,
	};
	unsigned long new;

	new = kml_sum_matches(match_verdict, decide_one, &verdict);
	scan.leaks = verdict.leaks;
	if (new)
		pr_info("%lu new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n",
			new);
}

/**
 * kml_scan() - find out what is leaked now
 * @print: called for each leak that was not reported before, or NULL
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex.
 * Return: 0; -EINTR on a signal, or when the scan thread is to stop; -EPERM if
 * the detector is off. On error what is reported stays as it was.
 */
int kml_scan(kml_print_t print)
{
	int ret;

	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;

	ret = kml_scan_must_stop();
	if (ret)
		goto out;
	kml_mark_start(__builtin_frame_address(0));
	kml_walk_blocks(begin_block, NULL);
	WRITE_ONCE(kml_scan_seq, kml_scan_seq + 1);
	ret = kml_mark_pass();
	if (!ret)
		ret = confirm();
	if (ret > 0) {
		decide(print);
		ret = 0;
	}
	if (scan.closed) {
		synchronize_rcu();
		kml_walk_blocks(bury_block, NULL);
		scan.closed = false;
	}
out:
	mutex_unlock(&kml_scan_mutex);
	return ret;
}

static unsigned long clear_one(struct kml_object *obj, void *arg)
{
	WRITE_ONCE(obj->min_count, KML_GRAY);
	kml_set_flags(obj, 0, KML_LEAK);
	return 1;
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
	kml_sum_matches(kml_is_leak, clear_one, NULL);
	scan.leaks = 0;
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
