// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects where there are others already.
 *
 * Allocators hand out memory once. But they are not the only ones who may call the
 * hooks: a driver can report a part of its own buffer, or forget to report that its
 * memory was freed. Whatever is recorded beside an object in a slot would outlive
 * it, and be taken for whoever has the memory next.
 */
#include <linux/kernel.h>
#include <linux/sizes.h>

#include "slab.h"

/* So many bytes of an object are looked at with the tree locked. */
#define LOCKED_MAX	SZ_8K

/**
 * kml_is_within_others() - ask whether a range has an object in a slot, and warn
 * @space: address space
 * @start: first address of the range
 * @size: its length in bytes, not 0
 *
 * The slab allocator and the per-CPU allocator report each free, so that such an
 * object is alive, and whoever reports a part of it does not own the memory. But if
 * the slab is gone, its objects went with it.
 *
 * Context: Any but NMI.
 * Return: true if there is one.
 */
bool kml_is_within_others(enum kml_space space, unsigned long start, size_t size)
{
	struct kml_ref ref;
	bool found, gone;

	do {
		rcu_read_lock();
		found = kml_slot_find_range(space, start, size, &ref);
		gone = found && kml_slab_is_gone(ref.slab) &&
		       refcount_inc_not_zero(&ref.slab->ref);
		rcu_read_unlock();
		if (gone) {
			kml_slab_forget(ref.slab);
			kml_slab_put(ref.slab);
		}
	} while (gone);
	/* The owner of an unknown object may report a part of it. */
	if (found && kml_know_all())
		kml_warn("object at 0x%lx (size %zu) overlaps one that is in use, and is not tracked\n",
			 start, size);
	return found;
}

/* Find the object in a slot that overlaps a record. */
static bool find_over(const struct kml_record *rec, unsigned long *start,
		      size_t *size)
{
	struct kml_ref ref;
	bool found;

	rcu_read_lock();
	found = kml_slot_find_range(rec->space, rec->start, rec->size, &ref);
	if (found) {
		*start = kml_slot_start(ref.slab, ref.index);
		*size = kml_slot_size(ref.slab, ref.index);
	}
	rcu_read_unlock();
	return found;
}

static bool select_overlaid(const struct kml_ref *ref, void *arg)
{
	const struct kml_record *rec = ref->rec;
	unsigned long start;
	size_t size;

	/* In per-CPU memory each eight bytes are a look-up. */
	return rec->space == KML_PERCPU || rec->size > LOCKED_MAX ||
	       find_over(rec, &start, &size);
}

/* The slot was in use while the record was in the tree: it is for what was before. */
static int drop_overlaid(const struct kml_ref *ref, void *arg)
{
	struct kml_record *rec = ref->rec;
	unsigned long start;
	size_t size;

	if (!find_over(rec, &start, &size) ||
	    !kml_remove_record(kml_tree_of(rec), rec, NULL, NULL))
		return 0;
	kml_kill(rec);
	if (kml_know_all())
		kml_warn("object at 0x%lx (size %zu) overlaps one whose free was not reported\n",
			 start, size);
	return 0;
}

/**
 * kml_drop_overlaid() - drop records whose memory others have
 *
 * Who puts an object into its slot does not look for a record there. So it is when
 * a scan begins that those go whose memory was freed without a word, and allocated
 * again.
 *
 * Context: Process context; may sleep.
 */
void kml_drop_overlaid(void)
{
	kml_for_each(KML_JUDGED, select_overlaid, drop_overlaid, NULL);
}
