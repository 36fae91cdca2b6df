/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what the owner of an object does to its slot.
 *
 * This is compiled into the hooks themselves: it is short, takes no lock, and
 * calls nothing, but where a hook is called for memory that others have.
 */
#ifndef __MM_KMEMLEAK_SLOT_H
#define __MM_KMEMLEAK_SLOT_H

#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/unaligned.h>

#include "../../slab.h"
#include "slab.h"

/* In 32 bits for over a year, to a 64th of a second at least. */
#define KML_STAMP_SHIFT	(HZ > 128 ? ilog2(HZ) - 6 : 0)

static __always_inline u32 kml_stamp(void)
{
	unsigned long now = jiffies;

	return now >> KML_STAMP_SHIFT;
}

static inline unsigned long kml_stamp_to_jiffies(u32 stamp)
{
	unsigned long now = jiffies;

	return now - ((unsigned long)((u32)(now >> KML_STAMP_SHIFT) - stamp) <<
		      KML_STAMP_SHIFT);
}

bool kml_slot_alloc_new(unsigned long addr, size_t size, gfp_t gfp,
			struct kml_origin origin);
bool kml_slot_alloc_percpu_new(unsigned long addr, size_t size, gfp_t gfp,
			       struct kml_origin origin);
bool kml_percpu_has_length_among(const u8 *sizes, int nr);
bool kml_percpu_is_taken(const struct kml_slab *slab, unsigned int index,
			 unsigned int nr);
void kml_percpu_drop(const struct kml_slab *slab, unsigned int index,
		     unsigned int nr);
bool kml_slot_free_shared(unsigned long addr);
void kml_slot_wait(const struct kml_slot *slot);

static __always_inline void kml_slot_publish(struct kml_slot *slot,
					     struct kml_origin origin)
{
	WRITE_ONCE(slot->handles, origin.handles);
	WRITE_ONCE(slot->stamp, kml_stamp());
	/* Pairs with smp_load_acquire() of those who look at the slot. */
	smp_store_release(&slot->meta,
			  (u32)origin.pid << KML_SLOT_PID_SHIFT |
			  READ_ONCE(kml_slot_new_meta));
}

/* The index of the object that starts at @addr. Returns false if none does. */
static __always_inline bool kml_index_at(const struct kml_slab *slab,
					 unsigned long addr, u32 *index)
{
	return likely(!kml_slab_divide(slab, addr, index) &&
		      *index < slab->nr);
}

/* Are objects of the cache as long, and as far from each other? */
static __always_inline bool kml_slab_has_lengths(const struct kml_slab *slab,
						 const struct kmem_cache *cache)
{
	BUILD_BUG_ON(offsetof(struct kmem_cache, object_size) !=
		     offsetof(struct kmem_cache, size) + sizeof(slab->stride));
	if (IS_ENABLED(CONFIG_64BIT))
		return READ_ONCE(slab->lengths) == *(const u64 *)&cache->size;
	return slab->stride == cache->size &&
	       READ_ONCE(slab->size) == cache->object_size;
}

/*
 * Does it describe the slab of the cache that one of its pages is in now? It does if that
 * one begins where it did, and has as many objects: one cache has slabs of several lengths,
 * depending on what is free.
 */
static __always_inline bool
kml_slab_is_current(const struct kml_slab *slab, const struct kmem_cache *cache)
{
	struct slab *backing = slab->backing;

	/* Of a page that is no slab the others may say what they said when it was one. */
	return likely(folio_test_slab(slab_folio(backing)) &&
		      cache == backing->slab_cache &&
		      cache == READ_ONCE(slab->cache) &&
		      kml_slab_has_lengths(slab, cache) &&
		      backing->objects == slab->nr);
}

/*
 * The cache whose slab @addr is in, if its objects are so long; NULL if that is not known.
 * To be called within an RCU read-side critical section.
 */
static __always_inline const struct kmem_cache *kml_cache_at(unsigned long addr,
							     size_t size)
{
	const struct kml_slab *slab = kml_slab_at(addr);
	const struct kmem_cache *cache;

	if (unlikely(!slab))
		return NULL;
	cache = READ_ONCE(slab->cache);
	/* Of a page that is no slab what is NULL may be taken for its cache. */
	if (unlikely(!cache || cache != slab->backing->slab_cache))
		return NULL;
	return likely(size == READ_ONCE(slab->size)) ? cache : NULL;
}

/**
 * kml_slot_alloc() - put a new slab object into its slot
 * @addr: its first address
 * @cache: its cache
 * @origin: who allocated it, and where
 *
 * Context: Any but NMI; the RCU read-side critical section in which the name was
 * looked up.
 * Return: true if it is tracked now; false if there is no slab for it.
 */
static __always_inline bool kml_slot_alloc(unsigned long addr,
					   const struct kmem_cache *cache,
					   struct kml_origin origin)
{
	struct kml_slab *slab;
	u32 index;

	slab = kml_slab_at(addr);
	if (unlikely(!slab) || !kml_slab_is_current(slab, cache) ||
	    !kml_index_at(slab, addr, &index))
		return false;
	kml_slot_publish(&slab->slots[index], origin);
	return true;
}

/**
 * kml_slot_free() - take a slab object out of its slot
 * @addr: its first address
 *
 * The allocator orders this before the slot's next use.
 *
 * Context: Any but NMI.
 * Return: true if it was in a slot that nobody else works on.
 */
static __always_inline bool kml_slot_free(unsigned long addr)
{
	struct kml_slab *slab;
	struct kml_slot *slot;
	u32 index;
	bool done = false;

	rcu_read_lock();
	slab = kml_slab_at(addr);
	if (likely(slab) && kml_index_at(slab, addr, &index)) {
		slot = &slab->slots[index];
		if (likely((READ_ONCE(slot->meta) &
			    (KML_SLOT_LIVE | KML_SLOT_SHARED)) ==
			   KML_SLOT_LIVE)) {
			WRITE_ONCE(slot->meta, 0);
			done = true;
		}
	}
	rcu_read_unlock();
	return done;
}

/*
 * An object that others than its owner look at closely leaves its slot by
 * exchange, as it may be given a record at the same time. If it is being read, wait:
 * its memory may be unmapped once it is free.
 */
static __always_inline bool kml_slot_clear_shared(struct kml_slot *slot)
{
	/* Acquire: who finds the pin must find what is being read. */
	u32 meta = xchg_acquire(&slot->meta, 0);

	if (unlikely(meta & KML_SLOT_PINNED))
		kml_slot_wait(slot);
	return likely(meta & KML_SLOT_LIVE);
}

/* ---- Slots of per-CPU memory ---- */

static __always_inline bool kml_percpu_fits(unsigned long addr, size_t size)
{
	return size <= KML_PERCPU_MAX && IS_ALIGNED(size, KML_PERCPU_UNIT) &&
	       IS_ALIGNED(addr, KML_PERCPU_GRAIN) &&
	       addr % KML_PERCPU_PAGE + size <= KML_PERCPU_PAGE;
}

static __always_inline unsigned int kml_percpu_index(unsigned long addr)
{
	return addr % KML_PERCPU_PAGE / KML_PERCPU_GRAIN;
}

/*
 * Does one of so many slots have a length? Objects do not overlap, and allocators
 * see to that. But they are not the only ones who may call the hooks.
 */
static __always_inline bool kml_percpu_has_length(const u8 *sizes,
						  unsigned int index,
						  unsigned int nr)
{
	u64 word;

	if (unlikely(nr > sizeof(word)))
		return kml_percpu_has_length_among(&sizes[index], nr);
	/* Those that are not the caller's, which may change, are shifted out. */
	word = data_race(get_unaligned_le64(&sizes[index]));
	return word << (BITS_PER_BYTE * (sizeof(word) - nr) % BITS_PER_TYPE(word));
}

/**
 * kml_slot_alloc_percpu() - put a new per-CPU object into its slot
 * @addr: value of the __percpu pointer
 * @size: length of each CPU's copy in bytes
 * @origin: who allocated it, and where
 *
 * Context: As for kml_slot_alloc(), for an object that kml_percpu_fits() a slot.
 * Return: true if it is tracked now; false if there is no slab for it, or it
 * overlaps an object in one.
 */
static __always_inline bool kml_slot_alloc_percpu(unsigned long addr,
						  size_t size,
						  struct kml_origin origin)
{
	unsigned int nr = DIV_ROUND_UP(size, KML_PERCPU_GRAIN);
	unsigned int index = kml_percpu_index(addr);
	struct kml_slab *slab = kml_percpu_slab_at(addr);
	u8 *sizes;

	if (unlikely(!slab || !READ_ONCE(slab->cache)))
		return false;
	sizes = kml_slab_sizes(slab);
	if (unlikely(kml_percpu_has_length(sizes, index, nr)) &&
	    kml_percpu_is_taken(slab, index, nr))
		return false;
	WRITE_ONCE(sizes[index], size / KML_PERCPU_UNIT);
	kml_slot_publish(&slab->slots[index], origin);
	return true;
}

/**
 * kml_slot_free_percpu() - take a per-CPU object out of its slot
 * @addr: value of the __percpu pointer
 *
 * What was put into a slot for a part of its memory goes with it.
 *
 * Context: Any but NMI. Waits until a scan that reads the object has read one
 * chunk of it.
 * Return: true if it was in a slot, false if it is not or nothing is there.
 */
static __always_inline bool kml_slot_free_percpu(unsigned long addr)
{
	unsigned int index = kml_percpu_index(addr), nr;
	struct kml_slab *slab;
	bool found = false;
	u8 *sizes;

	if (unlikely(!IS_ALIGNED(addr, KML_PERCPU_GRAIN)))
		return false;
	rcu_read_lock();
	slab = kml_percpu_slab_at(addr);
	if (likely(slab))
		found = kml_slot_clear_shared(&slab->slots[index]);
	if (likely(found)) {
		sizes = kml_slab_sizes(slab);
		nr = DIV_ROUND_UP(sizes[index] * KML_PERCPU_UNIT,
				  KML_PERCPU_GRAIN);
		/* Behind the slot: pairs with smp_rmb() of those who read it twice. */
		smp_store_release(&sizes[index], 0);
		if (unlikely(kml_percpu_has_length(sizes, index, nr)))
			kml_percpu_drop(slab, index, nr);
	}
	rcu_read_unlock();
	return found;
}

#endif /* __MM_KMEMLEAK_SLOT_H */
