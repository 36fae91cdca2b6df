// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: slabs that were there when tracking began.
 *
 * Of these nobody knows which objects are in use. So each slot that is empty is filled
 * with an unknown object: a root, without a trace and a name, like one that its owner
 * has annotated. It is gone when its owner frees it, and another one takes its place
 * when the allocator hands the memory out. All that hooks do to it is what they do to
 * any other object.
 *
 * What was free when the slot was filled may stay so for good. Then it is the slab that
 * goes, and with it all that is unknown there.
 */
#include <linux/kernel.h>
#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "../../slab.h"
#include "slab.h"

/* What the slot of an unknown object says. No object of another kind has all of it. */
#define UNKNOWN_META	(KML_SLOT_LIVE | KML_SLOT_GRAY)

/**
 * kml_slot_is_unknown() - ask whether nothing is known of the object in a slot
 * @slot: the slot, whose slab is pinned or seen under RCU
 *
 * Context: Any.
 * Return: true if it was there before tracking began.
 */
bool kml_slot_is_unknown(const struct kml_slot *slot)
{
	return kml_slot_meta(slot) == UNKNOWN_META && !READ_ONCE(slot->handles);
}

/*
 * What was allocated since tracking began left its handles in the slot: the object that
 * it had is known to be free. So are those of others who fill it at the same time.
 */
static void fill_slots(struct kml_slab *slab)
{
	unsigned int i;

	/* Before, so that a scan that finds it finds the objects too. */
	WRITE_ONCE(slab->gray, true);
	WRITE_ONCE(slab->adopted, true);
	for (i = 0; i < slab->nr; i++) {
		struct kml_slot *slot = &slab->slots[i];

		/* Its owner may fill it at the same time, and does not look. */
		if (!READ_ONCE(slot->meta) && !READ_ONCE(slot->handles))
			cmpxchg(&slot->meta, 0, UNKNOWN_META);
	}
}

static void empty_slots(struct kml_slab *slab)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		struct kml_slot *slot = &slab->slots[i];

		/* It says something else if another object came to its place. */
		if (kml_slot_is_unknown(slot))
			cmpxchg(&slot->meta, UNKNOWN_META, 0);
	}
	WRITE_ONCE(slab->adopted, false);
}

static bool pin_slab_at(unsigned long addr, struct kml_slab **slab)
{
	bool pinned;

	rcu_read_lock();
	*slab = kml_slab_at(addr);
	pinned = *slab && refcount_inc_not_zero(&(*slab)->ref);
	rcu_read_unlock();
	return pinned;
}

/* Nobody holds the slab: it may go, and what has been its cache too. */
static bool read_shape(struct slab *backing, struct kml_slab_shape *shape)
{
	const struct kmem_cache *cache = READ_ONCE(backing->slab_cache);
	unsigned int order = slab_order(backing);
	slab_flags_t flags;

	if (order > MAX_PAGE_ORDER ||
	    get_kernel_nofault(flags, &cache->flags) ||
	    get_kernel_nofault(shape->stride, &cache->size) ||
	    get_kernel_nofault(shape->size, &cache->object_size) ||
	    get_kernel_nofault(shape->red_left_pad, &cache->red_left_pad))
		return false;
	shape->backing = backing;
	shape->cache = cache;
	shape->start = (unsigned long)kasan_reset_tag(slab_address(backing));
	shape->length = PAGE_SIZE << order;
	shape->nr = backing->objects;
	return !(flags & SLAB_NOLEAKTRACE);
}

static bool is_slab_of(struct slab *backing, const struct kmem_cache *cache)
{
	return virt_to_slab(slab_address(backing)) == backing &&
	       READ_ONCE(backing->slab_cache) == cache;
}

/* Could a slab be like that? */
static bool is_sound(const struct kml_slab_shape *shape)
{
	return shape->nr && shape->size && shape->size <= shape->stride &&
	       shape->red_left_pad < shape->stride &&
	       (size_t)shape->nr * shape->stride <= shape->length &&
	       is_slab_of(shape->backing, shape->cache);
}

/**
 * kml_adopt_slab() - let what is in a slab be unknown, but for what is tracked already
 * @page: any page, of memory that is online
 *
 * The slab may go meanwhile. Its metadata then is that of a slab that is gone, as of any
 * other one.
 *
 * Context: Holder of kml_scan_mutex, since tracking began; may sleep.
 * Return: true, also if it is the first page of no slab with objects that are tracked;
 * false for want of memory.
 */
bool kml_adopt_slab(struct page *page)
{
	struct kml_slab_shape shape;
	struct kml_slab *slab;

	lockdep_assert_held(&kml_scan_mutex);
	if (PageTail(page) || !PageSlab(page) || is_kfence_address(page_address(page)))
		return true;
	if (!read_shape(page_slab(page), &shape) || !is_sound(&shape))
		return true;
	if (!kml_is_linear(shape.start) || !kml_slab_make(&shape, false, GFP_KERNEL))
		return false;
	if (!pin_slab_at(shape.start, &slab))
		return !is_slab_of(shape.backing, shape.cache);
	if (slab->backing == shape.backing)
		fill_slots(slab);
	kml_slab_put(slab);
	return true;
}

/* Is there another slab by now, or none? */
static bool is_gone(const struct kml_slab *slab)
{
	const void *cache = READ_ONCE(slab->cache);

	return kml_slab_is_gone(slab) || (cache && slab->backing->slab_cache != cache);
}

static void drop_if_gone(struct kml_slab *slab, void *arg)
{
	if (slab->adopted && is_gone(slab))
		empty_slots(slab);
}

/**
 * kml_drop_gone_slabs() - forget unknown objects of slabs that have gone
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_drop_gone_slabs(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	kml_walk_slabs(drop_if_gone, NULL);
}

static void count_unknown(struct kml_slab *slab, void *arg)
{
	unsigned long *nr = arg;
	unsigned int i;

	for (i = 0; slab->adopted && i < slab->nr; i++)
		*nr += kml_slot_is_unknown(&slab->slots[i]);
}

/**
 * kml_unknown_slots() - tell of how many objects of slabs nothing is known
 *
 * Context: Process context; may sleep.
 * Return: their number, with those that may be free.
 */
unsigned long kml_unknown_slots(void)
{
	unsigned long nr = 0;

	kml_walk_slabs(count_unknown, &nr);
	return nr;
}
