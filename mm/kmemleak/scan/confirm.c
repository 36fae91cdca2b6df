// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: is a suspect really unreferenced?
 *
 * While memory was read, the pointer to an object may have moved from a place
 * not read yet to one that was read already, or have been in a register. So
 * passes are repeated that look for suspects alone, until many of them in a row
 * have found none in use. Even an object that moves from place to place all the
 * time, faster than it can be looked for, is missed by about one pass in three,
 * and by all of them less than once in ten million scans.
 *
 * A suspect is cleared for good when any pass finds a reference to it, or its
 * content has changed, or when another cleared one leads to it. As suspects
 * only ever get fewer, this ends.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/vmalloc.h>

#include "refs.h"

/* Passes in a row that must find no suspect in use. */
#define CONFIRM_STABLE		16

/* The same when they have taken a second so far. */
#define CONFIRM_STABLE_LATE	12

/*
 * Passes after which suspects are left undecided, as one or the other of them
 * still turned out to be in use.
 */
#define CONFIRM_MAX		100

/*
 * The first so many wait for an RCU grace period: what somebody took out of one
 * list under RCU to put it into another one has arrived then.
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

/* ---- Suspects in slots ---- */

static bool is_suspect_slot(const struct kml_slab *slab, unsigned int index)
{
	return kml_is_suspect_slot(slab, index,
				   kml_slot_meta(&slab->slots[index]));
}

static void target_slots(struct kml_slab *slab, void *arg)
{
	struct wanted *wanted = arg;
	unsigned int i;

	for_each_clear_bit(i, slab->seen, slab->nr) {
		if (!is_suspect_slot(slab, i))
			continue;
		kml_target(slab->space, kml_slot_start(slab, i),
			   kml_slot_size(slab, i));
		wanted->suspects++;
		wanted->new++;
	}
}

static void share_suspects(struct kml_slab *slab, void *arg)
{
	bool *watched = arg;
	unsigned int i;

	for_each_clear_bit(i, slab->seen, slab->nr) {
		if (is_suspect_slot(slab, i) &&
		    kml_slot_change(&slab->slots[i], 0, KML_SLOT_SHARED))
			*watched = true;
	}
}

static void record_suspects(struct kml_slab *slab, void *arg)
{
	unsigned int i;

	for_each_clear_bit(i, slab->seen, slab->nr) {
		/* Without memory it cannot be decided: it is in use. */
		if (is_suspect_slot(slab, i) &&
		    !kml_slot_to_record(slab, i, false, GFP_KERNEL))
			kml_shade_slot(slab, i);
	}
	/* Each takes memory and a lock, and there may be hundreds in a slab. */
	cond_resched_tasks_rcu_qs();
}

/* Suspects leave their slots, which have no room for what is to come. */
static int record_all_suspects(void)
{
	bool watched = false;

	kml_walk_slabs(share_suspects, &watched);
	if (!watched)
		return 0;
	/* Who frees one from here on knows that it is watched. */
	synchronize_rcu();
	kml_walk_slabs(record_suspects, NULL);
	return kml_scan_gray();
}

/* ---- Suspects of their own ---- */

static bool match_suspect(const struct kml_record *rec, void *arg)
{
	return kml_is_suspect(rec);
}

/* References to a vm_struct may count for its area. */
static void target_vm_struct(unsigned long start)
{
	unsigned long vm = kml_vm_struct_of(start);

	if (vm)
		kml_target(KML_VIRT, vm, sizeof(struct vm_struct));
}

static unsigned long target_record(struct kml_record *rec, void *arg)
{
	struct wanted *wanted = arg;

	wanted->suspects++;
	wanted->new += !kml_is_leak(rec, NULL);
	kml_target(rec->space, rec->start, rec->size);
	if (rec->space == KML_VIRT && READ_ONCE(rec->min_count) > 1)
		target_vm_struct(rec->start);
	return 1;
}

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
static unsigned long note_content(struct kml_record *rec, void *arg)
{
	if (rec->unref_scans)
		return 0;
	rec->crc = crc_of(rec);
	return 1;
}

/* Somebody writes to it, so somebody has a pointer to it. */
static unsigned long clear_if_changed(struct kml_record *rec, void *arg)
{
	u32 crc = crc_of(rec);

	if (crc == rec->crc)
		return 0;
	rec->crc = crc;
	rec->unref_scans = 0;
	kml_shade(rec);
	return 1;
}

/* ---- Confirm ---- */

static struct wanted target_suspects(void)
{
	struct wanted wanted = {};

	kml_target_none();
	kml_walk_slabs(target_slots, &wanted);
	kml_for_records(match_suspect, target_record, &wanted);
	return wanted;
}

static int pass(struct kml_confirmation *conf)
{
	if (conf->passes++ < CONFIRM_GRACE)
		synchronize_rcu();
	return kml_mark_again();
}

/* Pass after pass, until it is quiet. */
static int settle(struct kml_confirmation *conf)
{
	unsigned long late = jiffies + HZ;
	unsigned int stable = 0;
	int ret;

	while (stable < (time_after(jiffies, late) ? CONFIRM_STABLE_LATE :
						    CONFIRM_STABLE)) {
		if (conf->passes == CONFIRM_MAX) {
			conf->undecided = target_suspects().suspects;
			pr_info("%lu suspects could not be decided in %u passes; left for the next scan\n",
				conf->undecided, conf->passes);
			break;
		}
		ret = pass(conf);
		if (ret)
			return ret;
		stable = kml_found_in_use() ? 0 : stable + 1;
	}
	return 0;
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
	kml_for_records(match_suspect, note_content, NULL);
	return 0;
}

/**
 * kml_confirm() - let no object be a suspect that is in use
 * @conf: set to how that went
 *
 * What was a leak before, and still is a suspect, has been looked for already.
 *
 * Context: Holder of kml_scan_mutex, after kml_mark_all(); may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_confirm(struct kml_confirmation *conf)
{
	struct wanted wanted = target_suspects();
	int ret = 0;

	conf->suspects = wanted.suspects;
	if (!wanted.suspects)
		return 0;
	if (wanted.new)
		ret = filter(conf);
	if (!ret && wanted.new && target_suspects().new)
		ret = settle(conf);
	if (ret)
		return ret;
	kml_for_records(match_suspect, clear_if_changed, NULL);
	return kml_scan_gray();
}
