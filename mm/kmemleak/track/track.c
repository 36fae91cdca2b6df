// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: recording what the hooks report.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/rculist.h>
#include <linux/string.h>

#include "../store/slab.h"
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

/* Pin the object of the slot in which the object at @addr is. */
static bool pin_slot(enum kml_space space, unsigned long addr,
		     struct kml_slot_ref *ref)
{
	bool found;

	rcu_read_lock();
	found = kml_slot_find(space, addr, ref) &&
		refcount_inc_not_zero(&ref->slab->ref);
	rcu_read_unlock();
	return found;
}

/* See to it that the object at @addr has no slot. */
static void record_at(enum kml_space space, unsigned long addr)
{
	struct kml_slot_ref ref;

	if (!pin_slot(space, addr, &ref))
		return;
	kml_slot_to_record(ref.slab, ref.index, true, 0);
	kml_slab_put(ref.slab);
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
	record_at(space, start);
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
 * @origin: who allocated it, and where
 *
 * The allocator has just given this range to its caller, so an object that is
 * still recorded there is one whose free was not reported. It makes room.
 *
 * Context: Any but NMI that may allocate with @gfp.
 */
void kml_track(enum kml_space space, unsigned long start, size_t size,
	       int min_count, u8 flags, gfp_t gfp, struct kml_origin origin)
{
	struct kml_tree *tree = &kml_trees[space];
	struct kml_record *rec;
	int i, err = -ENOMEM;

	if (!size)
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
	rec->comm = kml_comm_of(origin.handles);
	rec->pid = origin.pid;

	for (i = 0; i < KML_TRACK_TRIES; i++) {
		err = kml_insert(tree, rec);
		if (err != -EEXIST)
			break;
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

/**
 * kml_find_own() - find and pin an object, and see to it that it has no slot
 * @space: address space
 * @addr: any address
 *
 * Context: Any but NMI. The caller owns the object: it is not freed meanwhile.
 * Return: the object that contains @addr, to be given back with kml_put(), or
 * NULL.
 */
struct kml_record *kml_find_own(enum kml_space space, unsigned long addr)
{
	record_at(space, addr);
	return kml_find(&kml_trees[space], addr);
}

/**
 * kml_find_any() - find and pin an object that belongs to somebody else
 * @space: address space
 * @addr: any address
 *
 * Context: Process context; may sleep.
 * Return: the object that contains @addr, to be given back with kml_put(), or
 * NULL.
 */
struct kml_record *kml_find_any(enum kml_space space, unsigned long addr)
{
	struct kml_slot_ref ref;

	if (pin_slot(space, addr, &ref)) {
		kml_slot_change(&ref.slab->slots[ref.index], 0,
				KML_SLOT_SHARED);
		/* Who frees it from here on knows that it is watched. */
		synchronize_rcu();
		kml_slot_to_record(ref.slab, ref.index, true, GFP_KERNEL);
		kml_slab_put(ref.slab);
	}
	return kml_find(&kml_trees[space], addr);
}

/**
 * kml_find_judged() - the same, with what scans know of an object
 * @space: address space
 * @addr: any address
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: the object that contains @addr, to be given back with kml_put(), or
 * NULL.
 */
struct kml_record *kml_find_judged(enum kml_space space, unsigned long addr)
{
	struct kml_slot_ref ref;
	struct kml_record *rec;
	bool old, seen = false;

	lockdep_assert_held(&kml_scan_mutex);
	rcu_read_lock();
	old = kml_slot_find(space, addr, &ref) && !kml_slot_is_young(ref.meta);
	if (old)
		seen = test_bit(ref.index, ref.slab->seen);
	rcu_read_unlock();

	rec = kml_find_any(space, addr);
	if (rec && old) {
		rec->born = 0;
		rec->seen = seen ? kml_scan_seq : kml_scan_seq - 1;
	}
	return rec;
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
	struct kml_slot_ref ref;
	struct kml_record *rec;
	struct kml_slot *slot;
	bool in_slot;

	if (pin_slot(KML_VIRT, addr, &ref)) {
		slot = &ref.slab->slots[ref.index];
		WRITE_ONCE(slot->handles,
			   (u64)kml_comm_of(slot->handles) << 32 | trace);
		/* Pairs with cmpxchg() in kml_insert_from_slot(), by which it leaves. */
		smp_mb();
		in_slot = kml_slot_meta(slot) & KML_SLOT_LIVE;
		kml_slab_put(ref.slab);
		if (in_slot)
			return;
	}
	rec = kml_find(&kml_trees[KML_VIRT], addr);
	if (rec) {
		WRITE_ONCE(rec->trace, trace);
		kml_put(rec);
	}
}

/**
 * kml_find_exact() - find and pin the object that starts at an address
 * @space: address space
 * @start: its first address
 * @what: what the caller wants to do, for the message if there is none
 *
 * Context: Any but NMI.
 * Return: the object, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_find_exact(enum kml_space space, unsigned long start,
				  const char *what)
{
	struct kml_record *rec = kml_find_own(space, start);

	if (rec && rec->start != start) {
		kml_put(rec);
		rec = NULL;
	}
	/* Where objects were lost for want of memory, this may be one of them. */
	if (!rec && !kml_unknown_objects())
		kml_warn("cannot %s: no tracked object starts at 0x%lx\n",
			 what, start);
	return rec;
}

/* Change bits of the object that starts at @start, if it is in a slot. */
static bool change_slot(enum kml_space space, unsigned long start, u32 clear,
			u32 set)
{
	struct kml_slot_ref ref;
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
 * kml_paint() - make an object a root, or ignored
 * @space: address space
 * @start: first address of the object
 * @min_count: KML_GRAY or KML_BLACK
 *
 * Context: Any but NMI.
 */
void kml_paint(enum kml_space space, unsigned long start, int min_count)
{
	struct kml_record *rec;

	if (change_slot(space, start, KML_SLOT_GRAY | KML_SLOT_BLACK,
			min_count == KML_GRAY ? KML_SLOT_GRAY : KML_SLOT_BLACK))
		return;
	rec = kml_find_exact(space, start,
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
 * kml_hand_surplus() - let surplus references to a vm_struct count for its area
 * @start: first address of the vm_struct
 * @target: first address of the area
 *
 * Context: Any but NMI.
 */
void kml_hand_surplus(unsigned long start, unsigned long target)
{
	struct kml_record *rec;

	if (change_slot(KML_VIRT, start, 0, KML_SLOT_SURPLUS))
		return;
	rec = kml_find_exact(KML_VIRT, start, "link");
	if (!rec)
		return;
	WRITE_ONCE(rec->surplus, target);
	kml_put(rec);
}

static bool area_fits(const struct kml_record *rec, unsigned long start,
		      size_t size)
{
	return size <= rec->size && start - rec->start <= rec->size - size;
}

/* A first area that reaches from near the start to the end fits into a slot. */
static bool skip_in_slot(unsigned long start, size_t size)
{
	struct kml_slot_ref ref;
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

/**
 * kml_add_area() - scan no more than this of an object, and earlier such areas
 * @start: first address of the area
 * @size: its length in bytes; SIZE_MAX for all the rest of the object
 * @gfp: flags to allocate with
 *
 * Without memory for the area all of the object is scanned.
 *
 * Context: Any but NMI that may allocate with @gfp.
 */
void kml_add_area(unsigned long start, size_t size, gfp_t gfp)
{
	struct kml_record *rec;
	struct kml_area *area;
	unsigned long flags;

	if (skip_in_slot(start, size))
		return;
	rec = kml_find_own(KML_VIRT, start);
	if (!rec) {
		if (!kml_unknown_objects())
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
