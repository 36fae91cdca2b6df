// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects in slots.
 *
 * An object that is just an object has a slot of its block. Between allocation
 * and free its address belongs to one owner alone, so the owner fills the slot
 * and clears it without a lock. What needs more than a slot can hold, scan areas
 * or the verdicts of scans, is promoted: it gets a struct kml_object of its own
 * in the tree, and leaves the slot, in one step for whoever looks for it.
 */
#include <linux/bitfield.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>

#include "../slab.h"
#include "block.h"

/* Times a block is looked for, and made, for one object. */
#define SLOT_TRIES	3

/* In 32 bits for over a year, to a 64th of a second at least. */
#define STAMP_SHIFT	(HZ > 128 ? ilog2(HZ) - 6 : 0)

/* Larger per-CPU objects are few, and would be long to look for. */
#define PERCPU_SIZE_MAX	512

/* What lengths of per-CPU objects are counted in; the allocator has no other. */
#define PERCPU_UNIT	4

static u32 stamp_now(void)
{
	return jiffies >> STAMP_SHIFT;
}

static unsigned long stamp_to_jiffies(u32 stamp)
{
	unsigned long now = jiffies;

	return now - ((unsigned long)((u32)(now >> STAMP_SHIFT) - stamp) <<
		      STAMP_SHIFT);
}

/**
 * kml_slot_start() - tell where an object in a slot starts
 * @block: its block, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Any.
 * Return: its first address.
 */
unsigned long kml_slot_start(const struct kml_block *block, unsigned int index)
{
	return block->start + block->offset + (unsigned long)index * block->stride;
}

/**
 * kml_slot_size() - tell how long an object in a slot is
 * @block: its block, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Any.
 * Return: its length in bytes.
 */
size_t kml_slot_size(const struct kml_block *block, unsigned int index)
{
	if (block->space == KML_PERCPU)
		return READ_ONCE(kml_block_sizes(block)[index]) * PERCPU_UNIT;
	return block->size;
}

static __always_inline void publish(struct kml_slot *slot,
				    struct kml_origin origin)
{
	WRITE_ONCE(slot->trace, origin.trace);
	WRITE_ONCE(slot->comm, origin.comm);
	WRITE_ONCE(slot->stamp, stamp_now());
	/* Pairs with smp_load_acquire() of those who look at the slot. */
	smp_store_release(&slot->meta,
			  origin.pid << KML_SLOT_PID_SHIFT |
			  KML_SLOT_LIVE | KML_SLOT_YOUNG);
}

/* The index of the object that starts at @addr, or a number beyond all slots. */
static __always_inline unsigned int index_at(const struct kml_block *block,
					     unsigned long addr)
{
	u32 offset = addr - block->start;
	u32 index = reciprocal_divide(offset, block->reciprocal);

	return index * block->stride + block->offset == offset ? index : U32_MAX;
}

/* Does the block describe the slab that @addr is in now? */
static __always_inline bool is_current(const struct kml_block *block,
				       unsigned long addr, size_t size)
{
	const struct slab *slab = virt_to_slab((void *)addr);
	const struct kmem_cache *cache;

	if (unlikely(slab != block->slab))
		return false;
	cache = slab->slab_cache;
	return cache == READ_ONCE(block->serves) &&
	       cache->size == block->stride && size == block->size;
}

/**
 * kml_slot_alloc() - put a new slab object into its slot
 * @addr: its first address
 * @size: its length in bytes
 * @gfp: flags of the allocation
 * @origin: who allocated it, and where
 *
 * Context: Any but NMI that may allocate with @gfp.
 * Return: true if it is tracked now; false if it is no plain slab object, or for
 * want of memory.
 */
bool kml_slot_alloc(unsigned long addr, size_t size, gfp_t gfp,
		    struct kml_origin origin)
{
	struct kml_block *block;
	unsigned int index;
	int tries = SLOT_TRIES;

	do {
		rcu_read_lock();
		block = kml_block_at(addr);
		if (likely(block && is_current(block, addr, size))) {
			index = index_at(block, addr);
			if (likely(index < block->nr)) {
				publish(&block->slots[index], origin);
				rcu_read_unlock();
				return true;
			}
			tries = 0;
		}
		rcu_read_unlock();
	} while (tries-- && kml_block_for_slab(addr, size, gfp));
	return false;
}

/* Take an object out of its slot. Returns false if it was not there. */
static __always_inline bool retire(struct kml_block *block, unsigned int index)
{
	struct kml_slot *slot = &block->slots[index];
	u32 meta;

	if (!(READ_ONCE(slot->meta) & KML_SLOT_LIVE))
		return false;
	/*
	 * The allocator orders this before the next owner's publish(). It has
	 * to be an exchange as the object may be promoted at the same time.
	 */
	meta = xchg_relaxed(&slot->meta, 0);
	if (unlikely(meta & KML_SLOT_PINNED)) {
		/* Pairs with smp_store_release() in kml_slot_read(). */
		while (smp_load_acquire(&block->reading) == index + 1)
			cpu_relax();
	}
	return meta & KML_SLOT_LIVE;
}

/**
 * kml_slot_free() - take a slab object out of its slot
 * @addr: its first address
 *
 * Context: Any but NMI.
 * Return: true if it was in a slot, false if it is not or nothing is there.
 */
bool kml_slot_free(unsigned long addr)
{
	struct kml_block *block;
	bool found = false;
	unsigned int index;

	rcu_read_lock();
	block = kml_block_at(addr);
	if (likely(block)) {
		index = index_at(block, addr);
		if (likely(index < block->nr))
			found = retire(block, index);
	}
	rcu_read_unlock();
	return found;
}

static bool percpu_fits(unsigned long addr, size_t size)
{
	return size <= PERCPU_SIZE_MAX && IS_ALIGNED(size, PERCPU_UNIT) &&
	       IS_ALIGNED(addr, KML_PERCPU_GRAIN) &&
	       addr % KML_PERCPU_PAGE + size <= KML_PERCPU_PAGE;
}

static unsigned int percpu_index(const struct kml_block *block,
				 unsigned long addr)
{
	return (addr - block->start) / KML_PERCPU_GRAIN;
}

/**
 * kml_slot_alloc_percpu() - put a new per-CPU object into its slot
 * @addr: value of the __percpu pointer
 * @size: length of each CPU's copy in bytes
 * @gfp: flags of the allocation
 * @origin: who allocated it, and where
 *
 * Context: Any but NMI that may allocate with @gfp.
 * Return: true if it is tracked now; false if it does not fit a slot, or for
 * want of memory.
 */
bool kml_slot_alloc_percpu(unsigned long addr, size_t size, gfp_t gfp,
			   struct kml_origin origin)
{
	struct kml_block *block;
	unsigned int index;
	int tries = SLOT_TRIES;

	if (!percpu_fits(addr, size))
		return false;
	do {
		rcu_read_lock();
		block = kml_percpu_block_at(addr);
		if (likely(block && READ_ONCE(block->serves))) {
			index = percpu_index(block, addr);
			WRITE_ONCE(kml_block_sizes(block)[index],
				   size / PERCPU_UNIT);
			publish(&block->slots[index], origin);
			rcu_read_unlock();
			return true;
		}
		rcu_read_unlock();
	} while (tries-- && kml_block_for_percpu(addr, gfp));
	return false;
}

/**
 * kml_slot_free_percpu() - take a per-CPU object out of its slot
 * @addr: value of the __percpu pointer
 *
 * Context: Any but NMI. Waits until a scan that reads the object has read one
 * chunk of it.
 * Return: true if it was in a slot, false if it is not or nothing is there.
 */
bool kml_slot_free_percpu(unsigned long addr)
{
	struct kml_block *block;
	bool found = false;

	if (!IS_ALIGNED(addr, KML_PERCPU_GRAIN))
		return false;
	rcu_read_lock();
	block = kml_percpu_block_at(addr);
	if (likely(block))
		found = retire(block, percpu_index(block, addr));
	rcu_read_unlock();
	return found;
}

/* ---- For those who do not own the object ---- */

/* The slot of the per-CPU object that @addr points into. */
static bool find_percpu(const struct kml_block *block, unsigned long addr,
			struct kml_slot_ref *ref)
{
	unsigned int index = percpu_index(block, addr);
	unsigned int grains = PERCPU_SIZE_MAX / KML_PERCPU_GRAIN;

	do {
		/* Pairs with smp_store_release() in publish(). */
		ref->meta = smp_load_acquire(&block->slots[index].meta);
		ref->index = index;
		if (ref->meta & KML_SLOT_LIVE)
			return addr - kml_slot_start(block, index) <
			       kml_slot_size(block, index);
	} while (index-- && --grains);
	return false;
}

static bool find_in_slab(const struct kml_block *block, unsigned long addr,
			 struct kml_slot_ref *ref)
{
	u32 offset = addr - block->start;
	u32 index = reciprocal_divide(offset, block->reciprocal);

	if (index >= block->nr ||
	    offset - index * block->stride - block->offset >= block->size)
		return false;
	ref->index = index;
	/* Pairs with smp_store_release() in publish(). */
	ref->meta = smp_load_acquire(&block->slots[index].meta);
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
		   struct kml_slot_ref *ref)
{
	if (space == KML_VIRT) {
		ref->block = kml_block_at(addr);
		return ref->block && find_in_slab(ref->block, addr, ref);
	}
	if (space == KML_PERCPU) {
		ref->block = kml_percpu_block_at(addr);
		return ref->block && find_percpu(ref->block, addr, ref);
	}
	return false;
}

/**
 * kml_slot_change() - change bits of an object in a slot
 * @slot: the slot, whose block is pinned or seen under RCU
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
static int read_percpu(struct kml_block *block, unsigned int index,
		       const void *src, void *buf, size_t len)
{
	struct kml_slot *slot = &block->slots[index];
	unsigned long flags;
	int ret = -ENOENT;

	local_irq_save(flags);
	WRITE_ONCE(block->reading, index + 1);
	/* Fully ordered: who finds the pin finds what is being read. */
	if (kml_slot_change(slot, 0, KML_SLOT_PINNED)) {
		ret = kml_read_memory(buf, src, len);
		kml_slot_change(slot, KML_SLOT_PINNED, 0);
	}
	/* Pairs with smp_load_acquire() in retire(). */
	smp_store_release(&block->reading, 0);
	local_irq_restore(flags);
	return ret;
}

/**
 * kml_slot_read() - copy a piece of the content of an object in a slot
 * @block: its block, pinned
 * @index: its index there
 * @cpu: whose copy, if it is a per-CPU object
 * @offset: where the piece starts in the object
 * @buf: destination
 * @len: length in bytes, at most KML_CHUNK
 *
 * Context: Holder of kml_scan_mutex, as only one object is read at a time.
 * Return: 0; -ENOENT if the object was freed; -EFAULT (or -ERANGE) if the piece
 * cannot be read.
 */
int kml_slot_read(struct kml_block *block, unsigned int index, unsigned int cpu,
		  size_t offset, void *buf, size_t len)
{
	unsigned long start = kml_slot_start(block, index);
	int ret;

	lockdep_assert_held(&kml_scan_mutex);
	if (block->space == KML_PERCPU)
		return read_percpu(block, index,
				   per_cpu_ptr((void __percpu *)start, cpu) +
				   offset, buf, len);
	/* The linear map stays: it is enough to look at the slot afterwards. */
	ret = kml_read_memory(buf, (void *)start + offset, len);
	if (!(READ_ONCE(block->slots[index].meta) & KML_SLOT_LIVE))
		return -ENOENT;
	return ret;
}

/* ---- Promotion ---- */

static void fill_object(struct kml_object *obj, const struct kml_block *block,
			unsigned int index, u32 meta)
{
	const struct kml_slot *slot = &block->slots[index];
	unsigned long surplus;

	kml_object_init(obj, block->space, kml_slot_start(block, index),
			kml_slot_size(block, index));
	obj->min_count = 1;
	if (meta & KML_SLOT_GRAY)
		obj->min_count = KML_GRAY;
	if (meta & KML_SLOT_BLACK) {
		obj->min_count = KML_BLACK;
		obj->flags = KML_NO_SCAN;
	}
	obj->trace = READ_ONCE(slot->trace);
	obj->comm = READ_ONCE(slot->comm);
	obj->jiffies = stamp_to_jiffies(READ_ONCE(slot->stamp));
	obj->pid = meta >> KML_SLOT_PID_SHIFT;
	if (meta & KML_SLOT_SURPLUS &&
	    !kml_read_memory(&surplus, (void *)obj->start +
			     offsetof(struct vm_struct, addr), sizeof(surplus)))
		obj->surplus = surplus;
}

/* What is skipped becomes a scan area of the rest. */
static void add_tail_area(struct kml_object *obj, unsigned int skip, gfp_t gfp)
{
	struct kml_area *area = kml_area_alloc(gfp);

	if (!area) {
		obj->flags |= KML_FULL_SCAN;
		return;
	}
	area->start = obj->start + skip;
	area->size = obj->size - skip;
	hlist_add_head(&area->node, &obj->areas);
}

/**
 * kml_slot_promote() - give an object in a slot metadata of its own
 * @block: its block, pinned or seen under RCU
 * @index: its index there
 * @young: take it for an object that was just allocated; if not, one that was
 *	is left where it is
 * @gfp: flags to allocate with
 *
 * Context: Any but NMI that may allocate with @gfp.
 * Return: true if it has, or was freed meanwhile; false for want of memory.
 */
bool kml_slot_promote(struct kml_block *block, unsigned int index, bool young,
		      gfp_t gfp)
{
	struct kml_slot *slot = &block->slots[index];
	struct kml_object *obj;
	u32 meta;

	/* Pairs with smp_store_release() in publish(). */
	meta = smp_load_acquire(&slot->meta);
	while (meta & KML_SLOT_LIVE && (young || !(meta & KML_SLOT_YOUNG))) {
		unsigned int skip = FIELD_GET(KML_SLOT_SKIP, meta) * sizeof(long);
		int err;

		obj = kml_object_alloc(gfp);
		if (!obj)
			return false;
		fill_object(obj, block, index, meta);
		if (skip)
			add_tail_area(obj, skip, gfp);
		err = kml_insert_promoted(&kml_trees[block->space], obj, slot,
					  meta, young);
		if (!err)
			return true;
		kml_object_free(obj);
		if (err != -EAGAIN)
			return false;
		/* It is read, or was changed, or freed and allocated again. */
		cpu_relax();
		meta = smp_load_acquire(&slot->meta);
	}
	return true;
}
