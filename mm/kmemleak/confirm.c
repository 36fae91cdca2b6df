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
#define CONFIRM_QUIET		16

/* The same when they have taken a second so far. */
#define CONFIRM_QUIET_LATE	12

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
 * struct aims - what there is to be looked for
 * @suspects: how many objects
 * @new: how many of them are no leaks by an earlier scan
 */
struct aims {
	unsigned long suspects;
	unsigned long new;
};

/* ---- Suspects in slots ---- */

static bool is_suspect_slot(const struct kml_block *block, unsigned int index)
{
	return kml_is_suspect_slot(block, index,
				   kml_slot_meta(&block->slots[index]));
}

static void aim_at_slots(struct kml_block *block, void *arg)
{
	struct aims *aims = arg;
	unsigned int i;

	for_each_clear_bit(i, block->seen, block->nr) {
		if (!is_suspect_slot(block, i))
			continue;
		kml_aim_at(block->space, kml_slot_start(block, i),
			   kml_slot_size(block, i));
		aims->suspects++;
		aims->new++;
	}
}

static void watch_suspects(struct kml_block *block, void *arg)
{
	bool *watched = arg;
	unsigned int i;

	for_each_clear_bit(i, block->seen, block->nr) {
		if (is_suspect_slot(block, i) &&
		    kml_slot_change(&block->slots[i], 0, KML_SLOT_WATCHED))
			*watched = true;
	}
}

static void promote_suspects(struct kml_block *block, void *arg)
{
	unsigned int i;

	for_each_clear_bit(i, block->seen, block->nr) {
		/* Without memory it cannot be decided: it is in use. */
		if (is_suspect_slot(block, i) &&
		    !kml_slot_promote(block, i, false, GFP_KERNEL))
			kml_shade_slot(block, i);
	}
	/* Each takes memory and a lock, and there may be hundreds in a block. */
	cond_resched_tasks_rcu_qs();
}

/* Suspects leave their slots, which have no room for what is to come. */
static int promote_all_suspects(void)
{
	bool watched = false;

	kml_walk_blocks(watch_suspects, &watched);
	if (!watched)
		return 0;
	/* Who frees one from here on knows that it is watched. */
	synchronize_rcu();
	kml_walk_blocks(promote_suspects, NULL);
	return kml_scan_gray();
}

/* ---- Suspects of their own ---- */

static bool match_suspect(const struct kml_object *obj, void *arg)
{
	return kml_is_suspect(obj);
}

/* References to a vm_struct may count for its area. */
static void aim_at_vm_struct(unsigned long start)
{
	unsigned long vm = kml_vm_struct_of(start);

	if (vm)
		kml_aim_at(KML_VIRT, vm, sizeof(struct vm_struct));
}

static unsigned long aim_at_object(struct kml_object *obj, void *arg)
{
	struct aims *aims = arg;

	aims->suspects++;
	aims->new += !kml_is_leak(obj, NULL);
	kml_aim_at(obj->space, obj->start, obj->size);
	if (obj->space == KML_VIRT && READ_ONCE(obj->min_count) > 1)
		aim_at_vm_struct(obj->start);
	return 1;
}

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

/* Note the content of a suspect, if that was not done by an earlier scan. */
static unsigned long note_content(struct kml_object *obj, void *arg)
{
	if (obj->unref_scans)
		return 0;
	obj->crc = crc_of(obj);
	return 1;
}

/* Somebody writes to it, so somebody has a pointer to it. */
static unsigned long clear_if_changed(struct kml_object *obj, void *arg)
{
	u32 crc = crc_of(obj);

	if (crc == obj->crc)
		return 0;
	obj->crc = crc;
	obj->unref_scans = 0;
	kml_shade(obj);
	return 1;
}

/* ---- Confirm ---- */

static struct aims aim_at_suspects(void)
{
	struct aims aims = {};

	kml_aim_anew();
	kml_walk_blocks(aim_at_slots, &aims);
	kml_sum_matches(match_suspect, aim_at_object, &aims);
	return aims;
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
	unsigned int quiet = 0;
	int ret;

	while (quiet < (time_after(jiffies, late) ? CONFIRM_QUIET_LATE :
						    CONFIRM_QUIET)) {
		if (conf->passes == CONFIRM_MAX) {
			conf->undecided = aim_at_suspects().suspects;
			pr_info("%lu suspects could not be decided in %u passes; left for the next scan\n",
				conf->undecided, conf->passes);
			break;
		}
		ret = pass(conf);
		if (ret)
			return ret;
		quiet = kml_found_in_use() ? 0 : quiet + 1;
	}
	return 0;
}

/*
 * Most of those that are in use are found at once, before any of them needs a
 * record. Returns 0 with what is left on record, or an error.
 */
static int sift(struct kml_confirmation *conf)
{
	int ret = pass(conf);

	if (!ret)
		ret = promote_all_suspects();
	if (ret)
		return ret;
	kml_sum_matches(match_suspect, note_content, NULL);
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
	struct aims aims = aim_at_suspects();
	int ret = 0;

	conf->suspects = aims.suspects;
	if (!aims.suspects)
		return 0;
	if (aims.new)
		ret = sift(conf);
	if (!ret && aims.new && aim_at_suspects().new)
		ret = settle(conf);
	if (ret)
		return ret;
	kml_sum_matches(match_suspect, clear_if_changed, NULL);
	return kml_scan_gray();
}
