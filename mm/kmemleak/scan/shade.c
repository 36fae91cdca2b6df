// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: which objects a pass has to scan.
 *
 * What was found in use is scanned in its turn, or soon: see mark.c, the other
 * half of the fast path.
 */
#include <linux/bitops.h>
#include <linux/lockdep.h>

#include "../store/slab.h"
#include "refs.h"

struct kml_refs kml_refs = {
	.stack_top = kml_refs.stack,
	.stack_old = kml_refs.stack,
};

struct kml_reading kml_reading;

/**
 * kml_shade_record() - make sure that this pass scans an object with a record
 * @rec: the record, pinned or seen under RCU
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade_record(struct kml_record *rec)
{
	struct kml_ref ref = { .rec = rec };

	if (kml_ref_is_suspect(&ref)) {
		kml_refs.found++;
		kml_note_find(READ_ONCE(rec->trace), kml_refs.pass);
	}
	rec->seen = kml_scan_seq;
	if (rec->queued == kml_refs.pass || !kml_get(rec))
		return;
	rec->queued = kml_refs.pass;
	rec->gray_next = kml_refs.gray;
	kml_refs.gray = rec;
}

/* Let an object in a slot be scanned in its turn. */
static void queue_slot(struct kml_slab *slab, unsigned int index)
{
	if (!slab->queued) {
		/* It has been given up: what is in it is freed. */
		if (!refcount_inc_not_zero(&slab->ref))
			return;
		slab->queued = true;
		slab->gray_next = kml_refs.gray_slabs;
		kml_refs.gray_slabs = slab;
	}
	__set_bit(index, kml_slab_gray(slab));
}

/**
 * kml_shade_slot() - make sure that this pass scans an object in a slot
 * @slab: its slab, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade_slot(struct kml_slab *slab, unsigned int index)
{
	if (!__test_and_set_bit(index, slab->seen))
		queue_slot(slab, index);
}

/**
 * kml_shade() - make sure that this pass scans an object: it is in use
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade(const struct kml_ref *ref)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (ref->rec)
		kml_shade_record(ref->rec);
	else
		kml_shade_slot(ref->slab, ref->index);
}

/**
 * kml_next_gray_slab() - take a slab with objects that are to be scanned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the slab, to be given back with kml_slab_put() after its mark
 * &kml_slab.queued was taken off, or NULL.
 */
struct kml_slab *kml_next_gray_slab(void)
{
	struct kml_slab *slab = kml_refs.gray_slabs;

	if (slab)
		kml_refs.gray_slabs = slab->gray_next;
	return slab;
}

/**
 * kml_next_gray() - take a record of an object that is to be scanned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the record, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_next_gray(void)
{
	struct kml_record *rec = kml_refs.gray;

	if (rec)
		kml_refs.gray = rec->gray_next;
	return rec;
}

/**
 * kml_queue_entry() - let an object that is too long for one go be scanned later
 * @entry: it, from the mark stack
 *
 * Context: Holder of kml_scan_mutex, within RCU.
 */
void kml_queue_entry(const struct kml_mark_entry *entry)
{
	struct kml_ref ref;

	if (kml_slot_find(KML_VIRT, (unsigned long)entry->start, &ref))
		queue_slot(ref.slab, ref.index);
}

/**
 * kml_renew_entry() - look whether an object of the mark stack is there still
 * @entry: the object, or another one in its place; its length is set anew
 *
 * Context: Holder of kml_scan_mutex, within RCU.
 * Return: true if it is to be scanned.
 */
bool kml_renew_entry(struct kml_mark_entry *entry)
{
	unsigned long start = (unsigned long)entry->start;
	struct kml_ref ref;

	if (!kml_slot_find(KML_VIRT, start, &ref) ||
	    kml_slot_start(ref.slab, ref.index) != start ||
	    ref.meta & KML_SLOT_BLACK || !test_bit(ref.index, ref.slab->seen))
		return false;
	entry->nr = kml_slot_size(ref.slab, ref.index) / sizeof(long);
	return true;
}

/**
 * kml_drop_mark_stack() - forget the objects of the mark stack
 *
 * Context: Holder of kml_scan_mutex, when the scan is given up.
 */
void kml_drop_mark_stack(void)
{
	kml_refs.stack_top = kml_refs.stack;
	kml_refs.stack_old = kml_refs.stack;
}
