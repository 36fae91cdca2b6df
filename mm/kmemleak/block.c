// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: blocks whose objects have slots.
 *
 * A slab, or a page of the per-CPU address space, holds many objects. It is put
 * into a tree once, as one block, with a slot for each object that fits in.
 * From then on an address leads to its slot by a table, without a search: for
 * memory in the linear map one that goes by page, for per-CPU memory, of which
 * there is little, a hash of the page.
 *
 * A block outlives the memory it describes: it waits for the slab to come back.
 * If the pages come back as another kind of slab, a new block replaces it. A
 * scan closes blocks in which it finds no object, and buries them an RCU grace
 * period later if they are empty still. So whoever found a block open under RCU
 * may use a slot of it, for as long as the RCU read-side critical section lasts.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "../slab.h"
#include "block.h"

/* Slots in the smallest array there is, and in the largest. */
#define SLOTS_MIN	8
#define SLOTS_MAX	(PAGE_SIZE / 8)

/* Sizes of slot arrays: four from one power of two to the next. */
#define NR_SLOT_CACHES	(4 * ilog2(SLOTS_MAX / SLOTS_MIN) + 1)

/* Sizes of blocks: the bitmaps take one, two, four ... words. */
#define NR_BLOCK_CACHES	(ilog2(SLOTS_MAX / BITS_PER_LONG) + 1)

#define CACHE_NAME_MAX	24

/* Blocks handled between two looks at the tree. */
#define WALK_BATCH	16

struct kml_linear kml_linear __read_mostly;
const void *kml_special_cache __ro_after_init;
struct kml_percpu_range kml_percpu_range = { .lo = ULONG_MAX };

/* For pages in whose part of the table no block has been yet. */
static struct kml_table no_table;

struct hlist_head kml_percpu_hash[KML_PERCPU_BUCKETS];

/* What blocks of per-CPU memory serve. */
static const char percpu_memory;

/* Trees of blocks by address, what the tables say, and kml_block.linked. */
static DEFINE_RAW_SPINLOCK(kml_block_lock);
static struct rb_root block_trees[KML_NR_SPACES];
static unsigned long nr_blocks;

static struct kmem_cache *slot_caches[NR_SLOT_CACHES] __ro_after_init;
static struct kmem_cache *block_caches[NR_BLOCK_CACHES] __ro_after_init;
static struct kmem_cache *percpu_block_cache __ro_after_init;

/* ---- Memory ---- */

/* The smallest array that has as many slots: 8, 10, 12, 14, 16, 20, ... */
static unsigned int slot_cache_index(unsigned int nr)
{
	unsigned int order;

	if (nr <= SLOTS_MIN)
		return 0;
	order = ilog2(nr - 1);
	return 4 * (order - ilog2(SLOTS_MIN)) + ((nr - 1) >> (order - 2)) - 3;
}

static unsigned int slots_of_cache(unsigned int index)
{
	return (SLOTS_MIN / 4 * (index % 4 + 4)) << (index / 4);
}

static struct kmem_cache *block_cache(enum kml_space space, unsigned int nr)
{
	return space == KML_PERCPU ? percpu_block_cache :
	       block_caches[order_base_2(BITS_TO_LONGS(nr))];
}

static void free_block(struct kml_block *block)
{
	kmem_cache_free(slot_caches[slot_cache_index(block->nr)], block->slots);
	kmem_cache_free(block_cache(block->space, block->nr), block);
}

static struct kml_block *alloc_block(enum kml_space space, unsigned int nr,
				     gfp_t gfp)
{
	struct kml_block *block;
	struct kml_slot *slots;

	gfp = kml_gfp(gfp) | __GFP_ZERO;
	block = kmem_cache_alloc(block_cache(space, nr), gfp);
	if (!block)
		return NULL;
	slots = kmem_cache_alloc(slot_caches[slot_cache_index(nr)], gfp);
	if (!slots) {
		kmem_cache_free(block_cache(space, nr), block);
		return NULL;
	}
	block->space = space;
	block->slots = slots;
	block->nr = nr;
	refcount_set(&block->ref, 1);
	return block;
}

static void block_free_rcu(struct rcu_head *rcu)
{
	free_block(container_of(rcu, struct kml_block, rcu));
}

/**
 * kml_block_put() - give back a pin
 * @block: the block
 *
 * Context: Any but NMI.
 */
void kml_block_put(struct kml_block *block)
{
	if (refcount_dec_and_test(&block->ref))
		call_rcu(&block->rcu, block_free_rcu);
}

/* ---- Birth and death ---- */

static unsigned long end_of(const struct kml_block *block)
{
	return block->start + block->length;
}

/* The first block that ends above @addr. */
static struct kml_block *find_from(struct rb_root *root, unsigned long addr)
{
	struct rb_node *node = root->rb_node;
	struct kml_block *best = NULL;

	lockdep_assert_held(&kml_block_lock);
	while (node) {
		struct kml_block *block = rb_entry(node, struct kml_block, node);

		if (addr >= end_of(block)) {
			node = node->rb_right;
		} else {
			best = block;
			node = node->rb_left;
		}
	}
	return best;
}

/* What the tables say of all of its pages. */
static void set_entries(const struct kml_block *block, struct kml_block *to)
{
	unsigned long addr;

	for (addr = block->start; addr < end_of(block); addr += PAGE_SIZE) {
		/* Pairs with the dereference in kml_block_at(). */
		smp_store_release(kml_table_entry(addr), to);
	}
}

static bool less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kml_block, node)->start <
	       rb_entry(b, struct kml_block, node)->start;
}

static void link_block(struct kml_block *block)
{
	lockdep_assert_held(&kml_block_lock);
	rb_add(&block->node, &block_trees[block->space], less);
	block->linked = true;
	WRITE_ONCE(nr_blocks, nr_blocks + 1);
	if (block->space != KML_PERCPU) {
		set_entries(block, block);
		return;
	}
	kml_note_percpu(block->start, end_of(block) - 1);
	hlist_add_head_rcu(&block->hash, kml_percpu_bucket(block->start));
	if (block->start < kml_percpu_range.lo)
		WRITE_ONCE(kml_percpu_range.lo, block->start);
	if (end_of(block) > kml_percpu_range.hi)
		WRITE_ONCE(kml_percpu_range.hi, end_of(block));
}

/* The pin of the tree is the caller's from here on. */
static void unlink_block(struct kml_block *block)
{
	lockdep_assert_held(&kml_block_lock);
	if (block->space == KML_PERCPU)
		hlist_del_rcu(&block->hash);
	else
		set_entries(block, NULL);
	WRITE_ONCE(nr_blocks, nr_blocks - 1);
	WRITE_ONCE(block->serves, NULL);
	block->linked = false;
	rb_erase(&block->node, &block_trees[block->space]);
}

/* Would its slots be the same ones, whatever the length of what is in them? */
static bool same_shape(const struct kml_block *a, const struct kml_block *b)
{
	return a->start == b->start && a->length == b->length &&
	       a->stride == b->stride && a->first == b->first &&
	       a->nr == b->nr;
}

/*
 * Put a block in, or open one that does as well. Returns what stands in the way
 * and was taken out, to be given back before the next try.
 */
static struct kml_block *try_settle(struct kml_block *block, bool *linked)
{
	struct kml_block *old;

	lockdep_assert_held(&kml_block_lock);
	/* As in may_link(): nothing comes in once the detector is off. */
	if (!kml_tracking())
		return NULL;
	old = find_from(&block_trees[block->space], block->start);
	if (!old || old->start >= end_of(block)) {
		link_block(block);
		*linked = true;
		return NULL;
	}
	if (same_shape(old, block)) {
		/* Others may have been merged with its cache meanwhile. */
		WRITE_ONCE(old->size, block->size);
		if (!block->common)
			WRITE_ONCE(old->common, 0);
		/* Pairs with READ_ONCE() in kml_slot_alloc(). */
		WRITE_ONCE(old->serves, block->serves);
		return NULL;
	}
	unlink_block(old);
	return old;
}

/*
 * Put a block in place of whatever stands there, unless that will do. All
 * objects of a slab are gone before its pages come back, so that nothing that
 * lives is lost with what is replaced. Takes over the only pin.
 */
static void settle_block(struct kml_block *block)
{
	bool linked = false;
	struct kml_block *old;
	unsigned long flags;

	do {
		raw_spin_lock_irqsave(&kml_block_lock, flags);
		old = try_settle(block, &linked);
		raw_spin_unlock_irqrestore(&kml_block_lock, flags);
		if (old)
			kml_block_put(old);
	} while (old);
	if (!linked)
		free_block(block);
}

static bool make_table(unsigned long addr, gfp_t gfp)
{
	struct kml_table **entry;
	unsigned long page;

	entry = &kml_linear.tables[(addr - kml_linear.base) >> KML_TABLE_SHIFT];
	if (READ_ONCE(*entry) != &no_table)
		return true;
	page = __get_free_page(kml_gfp(gfp) | __GFP_ZERO);
	if (!page)
		return false;
	/* Pairs with the address dependency in kml_table_entry(). */
	if (cmpxchg_release(entry, &no_table, (struct kml_table *)page) !=
	    &no_table)
		free_page(page);
	return true;
}

static bool make_tables(unsigned long start, unsigned long length, gfp_t gfp)
{
	unsigned long addr;

	if (start - kml_linear.base >= kml_linear.size ||
	    length > kml_linear.size - (start - kml_linear.base))
		return false;
	for (addr = start; addr < start + length;
	     addr = ALIGN(addr + 1, 1UL << KML_TABLE_SHIFT)) {
		if (!make_table(addr, gfp))
			return false;
	}
	return make_table(start + length - 1, gfp);
}

/*
 * Objects of other caches could not be told from what vmap.c is about, once such a
 * cache was merged with that one. Its first slab comes as soon as the cache does,
 * before there is another one, and so early it can be kept from being merged in the
 * way in which the slab allocator does it with caches of its own.
 */
static void note_special_cache(struct kmem_cache *cache)
{
	if (strcmp(cache->name, "vmap_area") || cache->refcount > 1)
		return;
	cache->refcount = -1;
	kml_special_cache = cache;
}

/**
 * kml_block_for_slab() - see to it that a slab has a block
 * @addr: address of an object in it
 * @size: length of the object in bytes
 * @gfp: flags of the allocation that is being tracked
 *
 * Context: Any that may allocate with @gfp, not within RCU.
 * Return: true if there is a block now, until a scan closes it; false if the
 * object is no plain slab object, or for want of memory.
 */
bool kml_block_for_slab(unsigned long addr, size_t size, gfp_t gfp)
{
	struct kmem_cache *cache;
	struct kml_block *block;
	unsigned long start;
	struct slab *slab;

	if (addr - kml_linear.base >= kml_linear.size)
		return false;
	slab = virt_to_slab((void *)addr);
	if (!slab)
		return false;
	cache = slab->slab_cache;
	start = (unsigned long)kasan_reset_tag(slab_address(slab));
	if (cache->object_size != size || slab->objects > SLOTS_MAX ||
	    cache->red_left_pad > U16_MAX ||
	    !make_tables(start, slab_size(slab), gfp))
		return false;

	block = alloc_block(KML_VIRT, slab->objects, gfp);
	if (!block)
		return false;
	block->start = start;
	block->first = start + cache->red_left_pad;
	block->length = slab_size(slab);
	block->slab = slab;
	block->serves = cache;
	/* As long as there is one CPU only, and nobody else that makes caches. */
	if (system_state == SYSTEM_BOOTING)
		note_special_cache(cache);
	block->common = cache == kml_special_cache ? 0 : block->nr;
	block->inverse = div_u64(U64_MAX, cache->size) + 1;
	block->stride = cache->size;
	block->size = size;
	settle_block(block);
	return true;
}

/**
 * kml_block_for_percpu() - see to it that a page of per-CPU memory has a block
 * @addr: value of a __percpu pointer into it
 * @gfp: flags of the allocation that is being tracked
 *
 * Context: Any that may allocate with @gfp, not within RCU.
 * Return: true if there is a block now, until a scan closes it; false for want
 * of memory.
 */
bool kml_block_for_percpu(unsigned long addr, gfp_t gfp)
{
	struct kml_block *block;

	if (!kml_linear.size)
		return false;
	block = alloc_block(KML_PERCPU, KML_PERCPU_SLOTS, gfp);
	if (!block)
		return false;
	block->start = ALIGN_DOWN(addr, KML_PERCPU_PAGE);
	block->first = block->start;
	block->length = KML_PERCPU_PAGE;
	block->serves = &percpu_memory;
	block->stride = KML_PERCPU_GRAIN;
	settle_block(block);
	return true;
}

/* ---- Walks ---- */

/* Pin the next blocks that end above *@from, which moves behind them. */
static unsigned int pin_blocks(enum kml_space space, unsigned long *from,
			       struct kml_block **blocks)
{
	struct kml_block *block;
	struct rb_node *node;
	unsigned int nr = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_block_lock, flags);
	block = find_from(&block_trees[space], *from);
	while (block && nr < WALK_BATCH) {
		refcount_inc(&block->ref);
		blocks[nr++] = block;
		*from = end_of(block);
		node = rb_next(&block->node);
		block = rb_entry_safe(node, struct kml_block, node);
	}
	raw_spin_unlock_irqrestore(&kml_block_lock, flags);
	return nr;
}

/**
 * kml_walk_blocks() - do something with each block, in address order
 * @action: what to do with the block, which is pinned; may sleep
 * @arg: passed on to @action
 *
 * Blocks that come or go meanwhile may be missed or not; all others are visited
 * once.
 *
 * Context: Process context; may sleep.
 */
void kml_walk_blocks(kml_block_action_t action, void *arg)
{
	struct kml_block *blocks[WALK_BATCH];
	enum kml_space space;
	unsigned int i, nr;

	for (space = 0; space < KML_NR_SPACES; space++) {
		unsigned long from = 0;

		while ((nr = pin_blocks(space, &from, blocks))) {
			for (i = 0; i < nr; i++) {
				action(blocks[i], arg);
				kml_block_put(blocks[i]);
			}
			cond_resched_tasks_rcu_qs();
		}
	}
}

/**
 * kml_block_is_empty() - ask whether there is no object in a block
 * @block: a pinned block
 *
 * Context: Any.
 * Return: true if none was found.
 */
bool kml_block_is_empty(const struct kml_block *block)
{
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		if (READ_ONCE(block->slots[i].meta) & KML_SLOT_LIVE)
			return false;
	}
	return true;
}

/**
 * kml_block_close() - let no object into an empty block
 * @block: a pinned block in which no object was found
 *
 * An object that comes all the same opens it again.
 *
 * Context: Any but NMI.
 */
void kml_block_close(struct kml_block *block)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_block_lock, flags);
	WRITE_ONCE(block->serves, NULL);
	raw_spin_unlock_irqrestore(&kml_block_lock, flags);
}

/**
 * kml_block_bury() - give up a block that was closed and stayed empty
 * @block: a pinned block
 *
 * At least one RCU grace period must have passed since it was closed.
 *
 * Context: Any but NMI.
 */
void kml_block_bury(struct kml_block *block)
{
	bool unlinked = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_block_lock, flags);
	/*
	 * Everybody who saw it open is through with it. An object that came
	 * meanwhile can only have opened it again.
	 */
	if (block->linked && !block->serves) {
		unlinked = kml_block_is_empty(block);
		if (unlinked)
			unlink_block(block);
		else if (block->space == KML_PERCPU)
			WRITE_ONCE(block->serves, &percpu_memory);
		else
			WRITE_ONCE(block->serves, block->slab->slab_cache);
	}
	raw_spin_unlock_irqrestore(&kml_block_lock, flags);
	if (unlinked)
		kml_block_put(block);
}

/**
 * kml_block_forget() - give up a block, whatever is in it
 * @block: a pinned block
 *
 * Context: Any but NMI.
 */
void kml_block_forget(struct kml_block *block)
{
	unsigned long flags;
	bool unlinked;

	raw_spin_lock_irqsave(&kml_block_lock, flags);
	unlinked = block->linked;
	if (unlinked)
		unlink_block(block);
	raw_spin_unlock_irqrestore(&kml_block_lock, flags);
	if (unlinked)
		kml_block_put(block);
}

/**
 * kml_block_memory() - tell how much memory the metadata of a block takes
 * @block: a pinned block
 *
 * Context: Any.
 * Return: the size in bytes, of the metadata of all objects that fit in too.
 */
size_t kml_block_memory(const struct kml_block *block)
{
	unsigned int cache = slot_cache_index(block->nr);

	return kmem_cache_size(block_cache(block->space, block->nr)) +
	       slots_of_cache(cache) * sizeof(struct kml_slot);
}

static size_t tree_pages_size(void)
{
	unsigned long nr = DIV_ROUND_UP(kml_linear.size, PAGE_SIZE);

	return PAGE_ALIGN(BITS_TO_LONGS(nr) * sizeof(long));
}

/**
 * kml_block_tables_memory() - tell how much memory the tables take
 *
 * Context: Any.
 * Return: the size in bytes.
 */
size_t kml_block_tables_memory(void)
{
	unsigned long i, nr = DIV_ROUND_UP(kml_linear.size,
					   1UL << KML_TABLE_SHIFT);
	size_t size = nr * sizeof(*kml_linear.tables);

	if (kml_tree_pages)
		size += tree_pages_size();
	for (i = 0; i < nr; i++) {
		if (READ_ONCE(kml_linear.tables[i]) != &no_table)
			size += sizeof(struct kml_table);
	}
	return size;
}

/**
 * kml_block_free_tables() - give back what the tables need
 *
 * Context: Process context, when there are no blocks, there will be none, and
 * nobody looks for any.
 */
void kml_block_free_tables(void)
{
	unsigned long i, nr = DIV_ROUND_UP(kml_linear.size,
					   1UL << KML_TABLE_SHIFT);

	for (i = 0; i < nr; i++) {
		struct kml_table *table = kml_linear.tables[i];

		if (table == &no_table)
			continue;
		WRITE_ONCE(kml_linear.tables[i], &no_table);
		free_page((unsigned long)table);
	}
}

/**
 * kml_nr_blocks() - tell how many blocks there are
 *
 * Context: Any.
 * Return: the number of slabs and per-CPU pages that have slots.
 */
unsigned long kml_nr_blocks(void)
{
	return READ_ONCE(nr_blocks);
}

/* Without memory for that there is more to look for in the tree. */
static void __init make_tree_pages(void)
{
	kml_tree_pages = alloc_pages_exact(tree_pages_size(),
					   GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (kml_tree_pages)
		kml_note_tree_pages();
}

/* ---- Set-up ---- */

static struct kmem_cache * __init make_cache(const char *kind, unsigned int nr,
					     size_t size)
{
	char name[CACHE_NAME_MAX];

	snprintf(name, sizeof(name), "kmemleak_%s_%u", kind, nr);
	return kmem_cache_create(name, size, 0, SLAB_NOLEAKTRACE | SLAB_PANIC,
				 NULL);
}

static void __init make_caches(void)
{
	struct kml_block *block;
	unsigned int i;

	for (i = 0; i < NR_SLOT_CACHES; i++) {
		unsigned int nr = slots_of_cache(i);

		slot_caches[i] = make_cache("slots", nr,
					    nr * sizeof(struct kml_slot));
	}
	for (i = 0; i < NR_BLOCK_CACHES; i++)
		block_caches[i] = make_cache("block", BITS_PER_LONG << i,
					     struct_size(block, seen, 3 << i));
	percpu_block_cache =
		make_cache("percpu", KML_PERCPU_SLOTS,
			   struct_size(block, seen,
				       3 * BITS_TO_LONGS(KML_PERCPU_SLOTS)) +
			   KML_PERCPU_SLOTS);
}

/**
 * kml_block_init() - set up the tables; from here on there can be blocks
 *
 * Memory beyond what the table can describe in the largest piece that the page
 * allocator has, and memory that is added later, gets no blocks.
 *
 * Context: Boot, one CPU, page allocator and slab allocator usable.
 */
void __init kml_block_init(void)
{
	phys_addr_t start = memblock_start_of_DRAM();
	unsigned long size = PFN_PHYS(max_low_pfn) - start;
	unsigned long nr = DIV_ROUND_UP(size, 1UL << KML_TABLE_SHIFT);
	struct kml_table **tables;
	unsigned long i;

	nr = min_t(unsigned long, nr,
		   (PAGE_SIZE << MAX_PAGE_ORDER) / sizeof(*tables));
	tables = alloc_pages_exact(nr * sizeof(*tables),
				   GFP_KERNEL | __GFP_NOWARN);
	if (!tables)
		return;
	for (i = 0; i < nr; i++)
		tables[i] = &no_table;
	make_caches();
	kml_linear.tables = tables;
	kml_linear.base = (unsigned long)__va(start);
	kml_linear.size = min(size, nr << KML_TABLE_SHIFT);
	make_tree_pages();
}
