// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects in slots.
 *
 * Most objects have a slot of their slab. Between allocation and free its address
 * belongs to one owner alone, so the owner fills the slot and clears it without a
 * lock. An object that needs more than a slot can hold, scan areas or the verdicts
 * of scans, is given a struct kml_record in the tree, and leaves the slot, in one
 * step for whoever looks for it.
 */
#include <linux/bitfield.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>

#include "slot.h"

/* Times a slab is looked for, and made, for one object. */
#define SLOT_TRIES	3

/* Not 0 in the bits KML_SLOT_GEN, which are those of older objects. */
u32 kml_slot_new_meta __read_mostly = KML_SLOT_LIVE | KML_SLOT_GEN_FIRST;

/* Slot of the per-CPU object that a scanner reads, one at a time. */
static const struct kml_slot *slot_being_read;
static DEFINE_RAW_SPINLOCK(slot_read_lock);

/**
 * kml_slot_new_generation() - let all that there is be older than what is to come
 *
 * Those of the generation before the last one must have been met by a scan.
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_slot_new_generation(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	WRITE_ONCE(kml_slot_new_meta, kml_slot_new_meta ^ KML_SLOT_GEN);
}

static void age_slab(struct kml_slab *slab, void *arg)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++)
		kml_slot_age(&slab->slots[i], kml_slot_meta(&slab->slots[i]));
}

/**
 * kml_slot_age_all() - let no object be of the generation before the last one
 *
 * Context: Holder of kml_scan_mutex, when a scan that has not met all is over; may
 * sleep.
 */
void kml_slot_age_all(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	kml_walk_slabs(age_slab, NULL);
}

/**
 * kml_slot_size() - tell how long an object in a slot is
 * @slab: its slab, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Any.
 * Return: its length in bytes.
 */
size_t kml_slot_size(const struct kml_slab *slab, unsigned int index)
{
	if (slab->space == KML_PERCPU)
		return READ_ONCE(kml_slab_sizes(slab)[index]) * KML_PERCPU_UNIT;
	return READ_ONCE(slab->size);
}

/* Of who runs, for the RCU read-side critical section that publishes it. */
static struct kml_origin with_name(struct kml_origin origin)
{
	origin.handles = kml_handles(kml_trace_of(origin.handles), kml_name_now());
	return origin;
}

/**
 * kml_slot_alloc_new() - put a slab object into its slot of a slab, made if needed
 * @addr: its first address
 * @size: its length in bytes
 * @gfp: flags of the allocation
 * @origin: where it was allocated, and by whom but for the name
 *
 * Context: Any but NMI that may allocate with @gfp.
 * Return: true if it is tracked now; false if it is no plain slab object, or for
 * want of memory.
 */
bool kml_slot_alloc_new(unsigned long addr, size_t size, gfp_t gfp,
			struct kml_origin origin)
{
	const struct kmem_cache *cache;
	int tries = SLOT_TRIES;
	bool done;

	/* A scan may close it at once. */
	do {
		rcu_read_lock();
		cache = kml_cache_at(addr, size);
		done = cache && kml_slot_alloc(addr, cache, with_name(origin));
		rcu_read_unlock();
	} while (!done && tries-- && kml_slab_for_object(addr, size, gfp));
	return done;
}

/**
 * kml_slot_wait() - wait until an object is no longer being read
 * @slot: the slot it was in
 *
 * Context: Any but NMI.
 */
void kml_slot_wait(const struct kml_slot *slot)
{
	/* Pairs with smp_store_release() in read_percpu(). */
	while (smp_load_acquire(&slot_being_read) == slot)
		cpu_relax();
}

/**
 * kml_slot_free_shared() - take a slab object out of its slot
 * @addr: its first address
 *
 * Context: Any but NMI.
 * Return: true if it was in a slot, false if it is not or nothing is there.
 */
bool kml_slot_free_shared(unsigned long addr)
{
	struct kml_slab *slab;
	u32 index;
	bool found = false;

	rcu_read_lock();
	slab = kml_slab_at(addr);
	if (slab && kml_index_at(slab, addr, &index))
		found = kml_slot_clear_shared(&slab->slots[index]);
	rcu_read_unlock();
	return found;
}

/**
 * kml_slot_alloc_percpu_new() - the same for a per-CPU object
 * @addr: value of the __percpu pointer
 * @size: length of each CPU's copy in bytes
 * @gfp: flags of the allocation
 * @origin: where it was allocated, and by whom but for the name
 *
 * Context: Any but NMI that may allocate with @gfp.
 * Return: true if it is tracked now; false if it does not fit a slot, or for
 * want of memory.
 */
bool kml_slot_alloc_percpu_new(unsigned long addr, size_t size, gfp_t gfp,
			       struct kml_origin origin)
{
	int tries = SLOT_TRIES;
	bool done;

	if (!kml_percpu_fits(addr, size))
		return false;
	do {
		rcu_read_lock();
		done = kml_slot_alloc_percpu(addr, size, with_name(origin));
		rcu_read_unlock();
	} while (!done && tries-- && kml_slab_for_percpu(addr, gfp));
	return done;
}

/**
 * kml_percpu_has_length_among() - ask whether one of some slots has a length
 * @sizes: the length of the first one
 * @nr: how many there are; more than a word has bytes
 *
 * Context: Any; within RCU.
 * Return: true if so.
 */
bool kml_percpu_has_length_among(const u8 *sizes, int nr)
{
	for (; nr > 0; nr -= sizeof(u64), sizes += sizeof(u64)) {
		/* Those behind the last one are not the caller's, and may change. */
		u64 word = data_race(get_unaligned_le64(sizes));

		if (nr < (int)sizeof(u64))
			word &= BIT_ULL(nr * BITS_PER_BYTE) - 1;
		if (word)
			return true;
	}
	return false;
}

/**
 * kml_percpu_is_taken() - ask whether there is an object in any of some slots
 * @slab: slab of a page of per-CPU memory, seen under RCU
 * @index: index of the first slot
 * @nr: how many there are
 *
 * The caller owns the memory, or has been told so: what has left its slot for a
 * record, and is free now, has left its length.
 *
 * Context: Any but NMI.
 * Return: true if there is one.
 */
bool kml_percpu_is_taken(const struct kml_slab *slab, unsigned int index,
			 unsigned int nr)
{
	u8 *sizes = kml_slab_sizes(slab);

	for (; nr; nr--, index++) {
		if (kml_slot_meta(&slab->slots[index]) & KML_SLOT_LIVE)
			return true;
		WRITE_ONCE(sizes[index], 0);
	}
	return false;
}

/**
 * kml_percpu_drop() - empty some slots: what is there had no memory of its own
 * @slab: slab of a page of per-CPU memory, seen under RCU
 * @index: index of the first slot
 * @nr: how many there are
 *
 * Context: Any but NMI, called by the owner of the memory.
 */
void kml_percpu_drop(const struct kml_slab *slab, unsigned int index,
		     unsigned int nr)
{
	u8 *sizes = kml_slab_sizes(slab);

	for (; nr; nr--, index++) {
		unsigned long start = kml_slot_start(slab, index);
		size_t size = kml_slot_size(slab, index);

		WRITE_ONCE(sizes[index], 0);
		if (kml_slot_clear_shared(&slab->slots[index]))
			kml_warn("object at 0x%lx (size %zu) overlaps one that is in use, and is not tracked\n",
				 start, size);
	}
}

/* ---- For those who do not own the object ---- */

/* The slot of the per-CPU object that @addr points into. */
static bool find_percpu(const struct kml_slab *slab, unsigned long addr,
			struct kml_ref *ref)
{
	unsigned int index = kml_percpu_index(addr);
	unsigned int grains = KML_PERCPU_MAX / KML_PERCPU_GRAIN;

	do {
		ref->meta = kml_slot_meta(&slab->slots[index]);
		ref->index = index;
		if (ref->meta & KML_SLOT_LIVE)
			return addr - kml_slot_start(slab, index) <
			       kml_slot_size(slab, index);
	} while (index-- && --grains);
	return false;
}

static bool find_in_slab(const struct kml_slab *slab, unsigned long addr,
			 struct kml_ref *ref)
{
	unsigned long within = kml_slab_divide(slab, addr, &ref->index);

	if (ref->index >= slab->nr || within >= READ_ONCE(slab->size))
		return false;
	ref->meta = kml_slot_meta(&slab->slots[ref->index]);
	return ref->meta & KML_SLOT_LIVE;
}

/**
 * kml_slot_find() - find the object in a slot that contains an address
 * @space: address space
 * @addr: any address
 * @ref: set to the slot, and what it said
 *
 * Context: RCU read-side critical section, in which the result is valid.
 * Return: true if there is one.
 */
bool kml_slot_find(enum kml_space space, unsigned long addr,
		   struct kml_ref *ref)
{
	if (space == KML_VIRT) {
		ref->slab = kml_slab_at(addr);
		return ref->slab && find_in_slab(ref->slab, addr, ref);
	}
	if (space == KML_PERCPU) {
		ref->slab = kml_percpu_slab_at(addr);
		return ref->slab && find_percpu(ref->slab, addr, ref);
	}
	return false;
}

/* The first object of a slab that ends above @addr and starts up to @last. */
static bool find_between(const struct kml_slab *slab, unsigned long addr,
			 unsigned long last, struct kml_ref *ref)
{
	u32 index = 0;

	if (addr >= slab->first &&
	    kml_slab_divide(slab, addr, &index) >= READ_ONCE(slab->size))
		index++;
	for (; index < slab->nr && kml_slot_start(slab, index) <= last; index++) {
		ref->meta = kml_slot_meta(&slab->slots[index]);
		ref->index = index;
		if (ref->meta & KML_SLOT_LIVE)
			return true;
	}
	return false;
}

static bool find_range_linear(unsigned long start, unsigned long last,
			      struct kml_ref *ref)
{
	unsigned long addr = start;

	/* It ends with the range, or with that part of the linear map. */
	while (addr <= last && kml_is_linear(addr)) {
		ref->slab = kml_slab_at(addr);
		if (!ref->slab) {
			addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE;
			continue;
		}
		if (find_between(ref->slab, addr, last, ref))
			return true;
		addr = ref->slab->start + ref->slab->length;
	}
	return false;
}

static bool find_range_percpu(unsigned long start, unsigned long last,
			      struct kml_ref *ref)
{
	unsigned long addr = ALIGN_DOWN(start, KML_PERCPU_GRAIN);

	if (kml_slot_find(KML_PERCPU, start, ref))
		return true;
	while ((addr += KML_PERCPU_GRAIN) <= last) {
		ref->slab = kml_percpu_slab_at(addr);
		if (!ref->slab)
			continue;
		ref->index = kml_percpu_index(addr);
		ref->meta = kml_slot_meta(&ref->slab->slots[ref->index]);
		if (ref->meta & KML_SLOT_LIVE)
			return true;
	}
	return false;
}

/**
 * kml_slot_find_range() - find the first object in a slot that overlaps a range
 * @space: address space
 * @start: first address of the range
 * @size: its length in bytes, not 0
 * @ref: set to the slot, and what it said
 *
 * Context: RCU read-side critical section, in which the result is valid.
 * Return: true if there is one.
 */
bool kml_slot_find_range(enum kml_space space, unsigned long start, size_t size,
			 struct kml_ref *ref)
{
	unsigned long last = start + size - 1;

	if (space == KML_VIRT)
		return find_range_linear(start, last, ref);
	return space == KML_PERCPU && find_range_percpu(start, last, ref);
}

/**
 * kml_slot_change() - change bits of an object in a slot
 * @slot: the slot, whose slab is pinned or seen under RCU
 * @clear: bits to clear
 * @set: bits to set
 *
 * Context: Any.
 * Return: true; false if there is no object any more, and nothing is changed.
 */
bool kml_slot_change(struct kml_slot *slot, u32 clear, u32 set)
{
	u32 meta = READ_ONCE(slot->meta);

	do {
		if (!(meta & KML_SLOT_LIVE))
			return false;
	} while (!try_cmpxchg(&slot->meta, &meta, (meta & ~clear) | set));
	return true;
}

/* Per-CPU memory may be unmapped once it is free: the free has to wait. */
static int read_percpu(struct kml_slab *slab, unsigned int index,
		       const void *src, void *buf, size_t len)
{
	struct kml_slot *slot = &slab->slots[index];
	unsigned long flags;
	int ret = -ENOENT;

	raw_spin_lock_irqsave(&slot_read_lock, flags);
	WRITE_ONCE(slot_being_read, slot);
	/* Fully ordered; pairs with xchg_acquire() in kml_slot_clear_shared(). */
	if (kml_slot_change(slot, 0, KML_SLOT_PINNED)) {
		ret = kml_read_memory(buf, src, len);
		kml_slot_change(slot, KML_SLOT_PINNED, 0);
	}
	/* Pairs with smp_load_acquire() in kml_slot_wait(). */
	smp_store_release(&slot_being_read, NULL);
	raw_spin_unlock_irqrestore(&slot_read_lock, flags);
	return ret;
}

/**
 * kml_slot_read() - copy a piece of the content of an object in a slot
 * @slab: its slab, pinned
 * @index: its index there
 * @cpu: whose copy, if it is a per-CPU object
 * @offset: where the piece starts in the object
 * @buf: destination
 * @len: length in bytes, at most KML_CHUNK
 *
 * Context: Any but NMI.
 * Return: 0; -ENOENT if the object was freed; -EFAULT (or -ERANGE) if the piece
 * cannot be read.
 */
int kml_slot_read(struct kml_slab *slab, unsigned int index, unsigned int cpu,
		  size_t offset, void *buf, size_t len)
{
	unsigned long start = kml_slot_start(slab, index);
	int ret;

	if (slab->space == KML_PERCPU)
		return read_percpu(slab, index,
				   per_cpu_ptr((void __percpu *)start, cpu) +
				   offset, buf, len);
	/* The linear map stays: it is enough to look at the slot afterwards. */
	ret = kml_read_memory(buf, (void *)start + offset, len);
	/*
	 * The content first, then the slot. Pairs with the barriers by which the
	 * allocator gives the memory to its next user, after the owner has emptied
	 * the slot: a reader of that user's bytes finds it empty, or used again.
	 */
	smp_rmb();
	if (!(READ_ONCE(slab->slots[index].meta) & KML_SLOT_LIVE))
		return -ENOENT;
	return ret;
}

/* ---- From a slot to a record ---- */

/**
 * kml_slot_surplus() - tell which area the vm_struct in a slot describes
 * @slab: its slab, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Any.
 * Return: first address of the vmalloc area; 0 if it cannot be read.
 */
unsigned long kml_slot_surplus(const struct kml_slab *slab, unsigned int index)
{
	const void *vm = (void *)kml_slot_start(slab, index), *area;

	return kml_read_memory(&area, vm + offsetof(struct vm_struct, addr),
			       sizeof(area)) ?
		       0 : (unsigned long)kasan_reset_tag(area);
}

/* But for the handles: the trace may be set until it has left the slot. */
static void fill_record(struct kml_record *rec, const struct kml_slab *slab,
			unsigned int index, u32 meta)
{
	const struct kml_slot *slot = &slab->slots[index];

	kml_record_init(rec, slab->space, kml_slot_start(slab, index),
			kml_slot_size(slab, index));
	rec->min_count = 1;
	if (meta & KML_SLOT_GRAY)
		rec->min_count = KML_GRAY;
	if (meta & KML_SLOT_BLACK) {
		rec->min_count = KML_BLACK;
		rec->flags = KML_NO_SCAN;
	}
	rec->jiffies = kml_stamp_to_jiffies(READ_ONCE(slot->stamp));
	rec->pid = meta >> KML_SLOT_PID_SHIFT;
	if (meta & KML_SLOT_SURPLUS)
		rec->surplus = kml_slot_surplus(slab, index);
}

/* What is skipped becomes a scan area of the rest. */
static void add_tail_area(struct kml_record *rec, unsigned int skip, gfp_t gfp)
{
	struct kml_area *area = kml_area_alloc(gfp);

	if (!area) {
		rec->flags |= KML_FULL_SCAN;
		return;
	}
	area->start = rec->start + skip;
	area->size = rec->size - skip;
	hlist_add_head(&area->node, &rec->areas);
}

/**
 * kml_slot_to_record() - give an object in a slot a record
 * @slab: its slab, pinned or seen under RCU
 * @index: its index there
 * @owner: the caller owns the object; if not, it must be shared, and one that was
 *	just allocated is left where it is
 * @gfp: flags to allocate with
 *
 * Whoever frees the object has to know that it may have a record: the caller does,
 * or the object has been shared for an RCU grace period. An object that came to the
 * slot since then is not shared.
 *
 * Context: Any but NMI that may allocate with @gfp.
 * Return: true if it has, or was freed meanwhile; false for want of memory.
 */
bool kml_slot_to_record(struct kml_slab *slab, unsigned int index, bool owner,
			gfp_t gfp)
{
	struct kml_slot *slot = &slab->slots[index];
	struct kml_record *rec;
	u32 meta;

	meta = kml_slot_meta(slot);
	while (meta & KML_SLOT_LIVE &&
	       (owner || (meta & KML_SLOT_SHARED && !kml_slot_is_young(meta)))) {
		unsigned int skip = FIELD_GET(KML_SLOT_SKIP, meta) * sizeof(long);
		int err;

		rec = kml_record_alloc(gfp);
		if (!rec)
			return false;
		fill_record(rec, slab, index, meta);
		/* The scan before found it in use, or it was not there yet. */
		if (!owner)
			rec->seen = READ_ONCE(kml_scan_seq) - 1;
		if (skip)
			add_tail_area(rec, skip, gfp);
		err = kml_insert_from_slot(&kml_trees[slab->space], rec, slot,
					   meta, owner);
		if (!err)
			return true;
		kml_record_free(rec);
		if (err != -EAGAIN)
			return false;
		/* It is read, or was changed, or freed and allocated again. */
		cpu_relax();
		meta = kml_slot_meta(slot);
	}
	return true;
}
