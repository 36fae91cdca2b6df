// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: recording what the hooks report.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/rculist.h>
#include <linux/string.h>

#include "track.h"

/* Times a new object is tried to be put in before it is called unknown. */
#define KML_TRACK_TRIES	8

/* A piece of an object that is cut: the same allocation. */
static struct kml_record *make_piece(const struct kml_record *whole,
				     unsigned long start, size_t size)
{
	struct kml_record *rec = kml_record_alloc(0);

	if (!rec)
		return NULL;
	kml_record_init(rec, whole->space, start, size);
	rec->min_count = READ_ONCE(whole->min_count);
	rec->flags = READ_ONCE(whole->flags) & (KML_NO_SCAN | KML_STACK);
	rec->trace = whole->trace;
	rec->comm = whole->comm;
	rec->jiffies = whole->jiffies;
	rec->grace = READ_ONCE(whole->grace);
	rec->pid = whole->pid;
	return rec;
}

/* Cut what lies in the range off one object. The rest stays tracked. */
static void cut_record(struct kml_record *rec, unsigned long start, size_t size)
{
	size_t before = start > rec->start ? start - rec->start : 0;
	unsigned long last = start + size - 1;
	unsigned long rec_last = rec->start + rec->size - 1;
	size_t after = rec_last > last ? rec_last - last : 0;
	struct kml_record *left = NULL, *right = NULL;

	if (before)
		left = make_piece(rec, rec->start, before);
	if (after)
		right = make_piece(rec, last + 1, after);

	if (kml_remove_record(kml_tree_of(rec), rec, left, right)) {
		kml_kill(rec);
		if (before && !left)
			kml_unknown_add(rec->space, rec->start, before);
		if (after && !right)
			kml_unknown_add(rec->space, last + 1, after);
		return;
	}

	/* Somebody else removed it in the meantime. */
	if (left)
		kml_record_free(left);
	if (right)
		kml_record_free(right);
}

/**
 * kml_untrack_range() - stop to track a range, whatever objects it touches
 * @space: address space
 * @start: first address of the range
 * @size: its length in bytes
 *
 * What stands out of the range on either side stays tracked.
 *
 * Context: Any but NMI.
 */
void kml_untrack_range(enum kml_space space, unsigned long start, size_t size)
{
	struct kml_record *rec;

	if (!size)
		return;
	/* Of objects in slots a range is a part of one, if at all. */
	rec = kml_record_of(space, start);
	if (rec)
		kml_put(rec);
	while ((rec = kml_find_range(&kml_trees[space], start, size))) {
		cut_record(rec, start, size);
		kml_put(rec);
	}
}

/**
 * kml_track() - start to track an object
 * @space: address space
 * @start: first address
 * @size: length in bytes
 * @min_count: references that make it reachable, or KML_GRAY or KML_BLACK
 * @flags: KML_* flags
 * @gfp: flags of the allocation
 * @origin: where it was allocated, and by whom but for the name
 *
 * The allocator has just given this range to its caller, so an object that is
 * still recorded there is one whose free was not reported. It makes room. But for
 * objects in slots that is known: nothing is tracked in their place.
 *
 * Context: Any but NMI that may allocate with @gfp.
 */
void kml_track(enum kml_space space, unsigned long start, size_t size,
	       int min_count, u8 flags, gfp_t gfp, struct kml_origin origin)
{
	struct kml_tree *tree = &kml_trees[space];
	struct kml_record *rec;
	int i, err = -ENOMEM;

	if (!size || kml_is_within_others(space, start, size))
		return;
	rec = kml_record_alloc(gfp);
	if (!rec) {
		kml_unknown_add(space, start, size);
		return;
	}

	kml_record_init(rec, space, start, size);
	rec->min_count = clamp(min_count, KML_BLACK, S16_MAX);
	rec->flags = flags;
	if (kml_is_black(rec))
		rec->flags |= KML_NO_SCAN;
	rec->jiffies = jiffies;
	rec->trace = kml_trace_of(origin.handles);
	rec->pid = origin.pid;

	for (i = 0; i < KML_TRACK_TRIES; i++) {
		/* A sweep of the names waits for whoever has not published one. */
		rcu_read_lock();
		rec->comm = kml_name_now();
		err = kml_insert(tree, rec);
		rcu_read_unlock();
		if (err != -EEXIST)
			break;
		/* Or is what was there before tracking began. */
		if (kml_know_all())
			kml_warn("object at 0x%lx (size %zu) overlaps one whose free was not reported\n",
				 start, size);
		kml_untrack_range(space, start, size);
	}
	if (!err)
		return;
	kml_record_free(rec);
	if (err == -EEXIST)
		kml_unknown_add(space, start, size);
}

/**
 * kml_track_unknown() - let something be a root that was there before tracking began
 * @start: first virtual address
 * @size: length in bytes
 * @flags: KML_* flags
 *
 * It stays as long as this runs. If it is tracked, that is all.
 *
 * Context: Process context; may sleep.
 */
void kml_track_unknown(unsigned long start, size_t size, u8 flags)
{
	struct kml_record *rec = kml_record_alloc(GFP_KERNEL);

	if (!rec) {
		kml_unknown_add(KML_VIRT, start, size);
		return;
	}
	kml_record_init(rec, KML_VIRT, start, size);
	rec->min_count = KML_GRAY;
	rec->flags = flags;
	rec->jiffies = jiffies;
	rec->trace = 0;
	rec->comm = 0;
	rec->pid = 0;
	if (kml_insert(&kml_trees[KML_VIRT], rec)) {
		kml_record_free(rec);
		return;
	}
	kml_note_area(start, size, true);
}

/**
 * kml_untrack() - stop to track the object that starts at an address
 * @space: address space
 * @start: its first address
 *
 * When this returns, the object is no longer read. An address at which no object
 * starts is none of ours: not all memory is tracked.
 *
 * Context: Any but NMI.
 */
void kml_untrack(enum kml_space space, unsigned long start)
{
	struct kml_record *rec = kml_remove(&kml_trees[space], start);

	if (rec)
		kml_kill(rec);
}

/* Longer than what calls leave behind that are made before the one that lasts. */
#define WIPED_WORDS	(1024 / sizeof(long))

/**
 * kml_wipe_stack() - overwrite what calls that have returned left on the stack
 *
 * To be called before a function whose frame will count: in a part of it that is not
 * written to, what they left would be references.
 *
 * Context: Any.
 */
noinline void kml_wipe_stack(void)
{
	unsigned long words[WIPED_WORDS];

	memset(words, 0, sizeof(words));
	barrier_data(words);
}
