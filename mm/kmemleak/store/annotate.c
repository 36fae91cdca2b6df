// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what the owner of an object says of it.
 *
 * As long as that fits into its slot an object stays there. Else its owner gives
 * it a record.
 */
#include <linux/bitfield.h>
#include <linux/kernel.h>
#include <linux/rculist.h>

#include "slot.h"

/* Change bits of the object that starts at @start, if it is in a slot. */
static bool change_slot(enum kml_space space, unsigned long start, u32 clear,
			u32 set)
{
	struct kml_ref ref;
	bool done;

	rcu_read_lock();
	done = kml_slot_find(space, start, &ref) &&
	       kml_slot_start(ref.slab, ref.index) == start;
	if (done) {
		/* Before, so that a scan that finds it finds the object too. */
		if (set & KML_SLOT_GRAY)
			WRITE_ONCE(ref.slab->gray, true);
		if (set & KML_SLOT_SURPLUS)
			WRITE_ONCE(ref.slab->common, 0);
		done = kml_slot_change(&ref.slab->slots[ref.index], clear, set);
	}
	rcu_read_unlock();
	return done;
}

/**
 * kml_record_exactly() - find the record of an object of the caller's
 * @space: address space
 * @start: its first address
 * @what: what the caller wants to do, for the message if there is none
 *
 * Context: Any but NMI, called by the owner of the object.
 * Return: the record, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_record_exactly(enum kml_space space,
				      unsigned long start, const char *what)
{
	struct kml_record *rec = kml_record_of(space, start);

	if (rec && rec->start != start) {
		kml_put(rec);
		rec = NULL;
	}
	/* Where there are objects that are not tracked, this may be one of them. */
	if (!rec && kml_know_all())
		kml_warn("cannot %s: no tracked object starts at 0x%lx\n",
			 what, start);
	return rec;
}

/**
 * kml_paint() - make an object a root, or ignored
 * @space: address space
 * @start: first address of the object
 * @min_count: KML_GRAY or KML_BLACK
 *
 * Context: Any but NMI, called by the owner of the object.
 */
void kml_paint(enum kml_space space, unsigned long start, int min_count)
{
	struct kml_record *rec;

	if (change_slot(space, start, KML_SLOT_GRAY | KML_SLOT_BLACK,
			min_count == KML_GRAY ? KML_SLOT_GRAY : KML_SLOT_BLACK))
		return;
	rec = kml_record_exactly(space, start,
				 min_count == KML_GRAY ? "keep" : "ignore");
	if (!rec)
		return;
	if (min_count == KML_BLACK)
		kml_set_flags(rec, KML_NO_SCAN, 0);
	else if (kml_is_black(rec))
		kml_set_flags(rec, 0, KML_NO_SCAN);
	WRITE_ONCE(rec->min_count, min_count);
	kml_put(rec);
}

/**
 * kml_no_scan() - an object holds no references
 * @start: its first address
 *
 * Context: Any but NMI, called by the owner of the object.
 */
void kml_no_scan(unsigned long start)
{
	struct kml_record *rec = kml_record_exactly(KML_VIRT, start,
						    "leave unscanned");

	if (!rec)
		return;
	kml_set_flags(rec, KML_NO_SCAN, 0);
	kml_put(rec);
}

/**
 * kml_hand_surplus() - let surplus references to a vm_struct count for its area
 * @start: first address of the vm_struct
 * @target: first address of the area
 *
 * Context: Any but NMI, called by the owner of both.
 */
void kml_hand_surplus(unsigned long start, unsigned long target)
{
	struct kml_record *rec;

	if (change_slot(KML_VIRT, start, 0, KML_SLOT_SURPLUS))
		return;
	rec = kml_record_exactly(KML_VIRT, start, "link");
	if (!rec)
		return;
	WRITE_ONCE(rec->surplus, target);
	kml_put(rec);
}

/**
 * kml_set_trace() - take another stack for the one of an object's allocation
 * @addr: points into the object
 * @trace: the stack
 *
 * Context: Any but NMI, called by the owner of the object.
 */
void kml_set_trace(unsigned long addr, depot_stack_handle_t trace)
{
	struct kml_record *rec;
	struct kml_slot *slot;
	struct kml_ref ref;
	bool in_slot;

	if (!kml_ref_find(KML_VIRT, addr, &ref))
		return;
	rec = ref.rec;
	if (!rec) {
		slot = &ref.slab->slots[ref.index];
		WRITE_ONCE(slot->handles,
			   kml_handles(trace, kml_comm_of(slot->handles)));
		/* Pairs with cmpxchg() in kml_insert_from_slot(), by which it leaves. */
		smp_mb();
		in_slot = kml_slot_meta(slot) & KML_SLOT_LIVE;
		kml_slab_put(ref.slab);
		if (in_slot)
			return;
		rec = kml_find(&kml_trees[KML_VIRT], addr);
	}
	if (rec) {
		WRITE_ONCE(rec->trace, trace);
		kml_put(rec);
	}
}

/* A first area that reaches from near the start to the end fits into a slot. */
static bool skip_in_slot(unsigned long start, size_t size)
{
	struct kml_ref ref;
	bool done = false;
	u32 skip;

	if (!IS_ALIGNED(start, sizeof(long)))
		return false;
	rcu_read_lock();
	if (kml_slot_find(KML_VIRT, start, &ref)) {
		unsigned long first = kml_slot_start(ref.slab, ref.index);
		unsigned long end = first + kml_slot_size(ref.slab, ref.index);

		skip = (start - first) / sizeof(long);
		if (skip && skip <= FIELD_MAX(KML_SLOT_SKIP) &&
		    (size == SIZE_MAX || size == end - start) &&
		    !(ref.meta & KML_SLOT_SKIP)) {
			WRITE_ONCE(ref.slab->common, 0);
			done = kml_slot_change(&ref.slab->slots[ref.index], 0,
					       FIELD_PREP(KML_SLOT_SKIP, skip));
		}
	}
	rcu_read_unlock();
	return done;
}

static bool area_fits(const struct kml_record *rec, unsigned long start,
		      size_t size)
{
	return size <= rec->size && start - rec->start <= rec->size - size;
}

/**
 * kml_add_area() - scan no more than this of an object, and earlier such areas
 * @start: first address of the area
 * @size: its length in bytes; SIZE_MAX for all the rest of the object
 * @gfp: flags to allocate with
 *
 * Without memory for the area all of the object is scanned.
 *
 * Context: Any but NMI that may allocate with @gfp, called by the owner of the
 * object.
 */
void kml_add_area(unsigned long start, size_t size, gfp_t gfp)
{
	struct kml_record *rec;
	struct kml_area *area;
	unsigned long flags;

	if (skip_in_slot(start, size))
		return;
	rec = kml_record_of(KML_VIRT, start);
	if (!rec) {
		if (kml_know_all())
			kml_warn("cannot limit scan: no tracked object at 0x%lx\n",
				 start);
		return;
	}

	if (size == SIZE_MAX)
		size = rec->start + rec->size - start;
	if (!area_fits(rec, start, size)) {
		kml_warn("scan area at 0x%lx (size %zu) does not fit its object\n",
			 start, size);
		goto out;
	}

	area = kml_area_alloc(gfp);
	if (!area) {
		kml_set_flags(rec, KML_FULL_SCAN, 0);
		goto out;
	}
	area->start = start;
	area->size = size;

	raw_spin_lock_irqsave(&rec->lock, flags);
	hlist_add_head_rcu(&area->node, &rec->areas);
	raw_spin_unlock_irqrestore(&rec->lock, flags);
out:
	kml_put(rec);
}
