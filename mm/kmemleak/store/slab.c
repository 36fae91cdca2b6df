// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: slabs whose objects have slots.
 *
 * A slab, or a page of the per-CPU address space, holds many objects. A struct
 * kml_slab is put into a tree for it once, with a slot for each object that fits in.
 * From then on an address leads to its slot by a table, without a search: for
 * memory in the linear map one that goes by page, for per-CPU memory, of which
 * there is little, a hash of the page.
 *
 * A struct kml_slab outlives the memory it describes, and waits for the slab to come
 * back. If the pages come back as another kind of slab, a new one replaces it. Those
 * without objects are closed and, if they are empty still after an RCU grace period,
 * released: see release.c for when. So whoever found one open under RCU may use a
 * slot of it, for as long as the RCU read-side critical section lasts.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../../slab.h"
#include "slab.h"

/* Slots in the smallest array there is, and in the largest. */
#define SLOTS_MIN	8
#define SLOTS_MAX	(PAGE_SIZE / 8)

/* Sizes of slot arrays: four from one power of two to the next. */
#define NR_SLOT_CACHES	(4 * ilog2(SLOTS_MAX / SLOTS_MIN) + 1)

/* Sizes of slabs: the bitmaps take one, two, four ... words. */
#define NR_SLAB_META_CACHES	(ilog2(SLOTS_MAX / BITS_PER_LONG) + 1)

#define CACHE_NAME_MAX	24

/* Slabs handled between two looks at the tree. */
#define WALK_BATCH	16

const void *kml_vmap_cache __read_mostly;
static const struct kmem_cache *task_cache __read_mostly;
struct kml_percpu_range kml_percpu_range = { .lo = ULONG_MAX };

/* For pages in whose part of the table no slab has been yet. */
static struct kml_table no_table;

const struct kml_slab_cursor kml_slab_end = { .space = KML_NR_SPACES };

struct hlist_head kml_percpu_hash[KML_PERCPU_BUCKETS];

/* What slabs of per-CPU memory serve. */
static const char percpu_memory;

/* Trees of slabs by address, what the tables say, and kml_slab.linked. */
static DEFINE_RAW_SPINLOCK(kml_slab_lock);
static struct rb_root slab_trees[KML_NR_SPACES];
static unsigned long nr_slabs;

static struct kmem_cache *slot_caches[NR_SLOT_CACHES] __read_mostly;
static struct kmem_cache *slab_meta_caches[NR_SLAB_META_CACHES] __read_mostly;
static struct kmem_cache *percpu_meta_cache __read_mostly;

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

static struct kmem_cache *slab_meta_cache(enum kml_space space, unsigned int nr)
{
	return space == KML_PERCPU ? percpu_meta_cache :
	       slab_meta_caches[order_base_2(BITS_TO_LONGS(nr))];
}

static void free_slab(struct kml_slab *slab)
{
	kmem_cache_free(slot_caches[slot_cache_index(slab->nr)], slab->slots);
	kmem_cache_free(slab_meta_cache(slab->space, slab->nr), slab);
}

static struct kml_slab *alloc_slab(enum kml_space space, unsigned int nr,
				   gfp_t gfp)
{
	struct kml_slab *slab;
	struct kml_slot *slots;

	gfp = kml_gfp(gfp) | __GFP_ZERO;
	slab = kmem_cache_alloc(slab_meta_cache(space, nr), gfp);
	if (!slab)
		return NULL;
	slots = kmem_cache_alloc(slot_caches[slot_cache_index(nr)], gfp);
	if (!slots) {
		kmem_cache_free(slab_meta_cache(space, nr), slab);
		return NULL;
	}
	slab->space = space;
	slab->slots = slots;
	slab->nr = nr;
	refcount_set(&slab->ref, 1);
	return slab;
}

static void slab_free_rcu(struct rcu_head *rcu)
{
	free_slab(container_of(rcu, struct kml_slab, rcu));
}

/**
 * kml_slab_put() - give back a pin
 * @slab: the slab
 *
 * Context: Any but NMI.
 */
void kml_slab_put(struct kml_slab *slab)
{
	if (refcount_dec_and_test(&slab->ref))
		call_rcu(&slab->rcu, slab_free_rcu);
}

/* ---- Birth and death ---- */

static unsigned long end_of(const struct kml_slab *slab)
{
	return slab->start + slab->length;
}

/* The first slab that ends above @addr. */
static struct kml_slab *find_from(struct rb_root *root, unsigned long addr)
{
	struct rb_node *node = root->rb_node;
	struct kml_slab *best = NULL;

	lockdep_assert_held(&kml_slab_lock);
	while (node) {
		struct kml_slab *slab = rb_entry(node, struct kml_slab, node);

		if (addr >= end_of(slab)) {
			node = node->rb_right;
		} else {
			best = slab;
			node = node->rb_left;
		}
	}
	return best;
}

/* What the tables say of all of its pages. */
static void set_entries(const struct kml_slab *slab, struct kml_slab *to)
{
	unsigned long addr;

	for (addr = slab->start; addr < end_of(slab); addr += PAGE_SIZE) {
		/* Pairs with the dereference in kml_slab_at(). */
		smp_store_release(kml_table_entry(addr), to);
	}
}

static bool less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kml_slab, node)->start <
	       rb_entry(b, struct kml_slab, node)->start;
}

static void link_slab(struct kml_slab *slab)
{
	lockdep_assert_held(&kml_slab_lock);
	rb_add(&slab->node, &slab_trees[slab->space], less);
	slab->linked = true;
	WRITE_ONCE(nr_slabs, nr_slabs + 1);
	if (slab->space != KML_PERCPU) {
		set_entries(slab, slab);
		return;
	}
	kml_note_percpu(slab->start, end_of(slab) - 1);
	hlist_add_head_rcu(&slab->hash, kml_percpu_bucket(slab->start));
	if (slab->start < kml_percpu_range.lo)
		WRITE_ONCE(kml_percpu_range.lo, slab->start);
	if (end_of(slab) > kml_percpu_range.hi)
		WRITE_ONCE(kml_percpu_range.hi, end_of(slab));
}

/* The pin of the tree is the caller's from here on. */
static void unlink_slab(struct kml_slab *slab)
{
	lockdep_assert_held(&kml_slab_lock);
	if (slab->space == KML_PERCPU)
		hlist_del_rcu(&slab->hash);
	else
		set_entries(slab, NULL);
	WRITE_ONCE(nr_slabs, nr_slabs - 1);
	WRITE_ONCE(slab->cache, NULL);
	slab->linked = false;
	rb_erase(&slab->node, &slab_trees[slab->space]);
}

/* Would its slots be the same ones, whatever the length of what is in them? */
static bool same_shape(const struct kml_slab *a, const struct kml_slab *b)
{
	return a->start == b->start && a->length == b->length &&
	       a->stride == b->stride && a->first == b->first &&
	       a->nr == b->nr && (a->space == KML_PERCPU || a->backing == b->backing);
}

/*
 * Put a slab in, or open one that does as well. Returns what stands in the way
 * and was taken out, to be given back before the next try. If the caller does not
 * own an object there, what stands in the way may be right.
 */
static struct kml_slab *try_link(struct kml_slab *slab, bool owner, bool *linked)
{
	struct kml_slab *old;

	lockdep_assert_held(&kml_slab_lock);
	/* As in may_link(): nothing comes in once the detector is off. */
	if (!kml_tracking())
		return NULL;
	old = find_from(&slab_trees[slab->space], slab->start);
	if (!old || old->start >= end_of(slab)) {
		link_slab(slab);
		*linked = true;
		return NULL;
	}
	if (!owner)
		return NULL;
	if (same_shape(old, slab)) {
		/* Others may have been merged with its cache meanwhile. */
		WRITE_ONCE(old->size, slab->size);
		if (!slab->common)
			WRITE_ONCE(old->common, 0);
		/* Pairs with READ_ONCE() in kml_slot_alloc(). */
		WRITE_ONCE(old->cache, slab->cache);
		return NULL;
	}
	unlink_slab(old);
	return old;
}

/*
 * Put a slab in place of whatever stands there, unless that will do. All
 * objects of a slab are gone before its pages come back, so that nothing that
 * lives is lost with what is replaced. Takes over the only pin.
 */
static void link_or_reuse(struct kml_slab *slab, bool owner)
{
	bool linked = false;
	struct kml_slab *old;
	unsigned long flags;

	do {
		raw_spin_lock_irqsave(&kml_slab_lock, flags);
		old = try_link(slab, owner, &linked);
		raw_spin_unlock_irqrestore(&kml_slab_lock, flags);
		if (old)
			kml_slab_put(old);
	} while (old);
	if (!linked)
		free_slab(slab);
}

static bool make_table(unsigned long addr, gfp_t gfp)
{
	struct kml_table **entry;
	unsigned long page, flags;
	bool wanted;

	entry = &kml_linear.tables[(addr - kml_linear.base) >> KML_TABLE_SHIFT];
	if (READ_ONCE(*entry) != &no_table)
		return true;
	page = __get_free_page(kml_gfp(gfp) | __GFP_ZERO);
	if (!page)
		return false;
	/* Once the detector is off, there are none that kml_free_tables() misses. */
	raw_spin_lock_irqsave(&kml_slab_lock, flags);
	wanted = kml_tracking() && *entry == &no_table;
	if (wanted) {
		/* Pairs with the address dependency in kml_table_entry(). */
		smp_store_release(entry, (struct kml_table *)page);
	}
	raw_spin_unlock_irqrestore(&kml_slab_lock, flags);
	if (!wanted)
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
 * The caches of the vmap_areas and of the tasks: see content.c and object.c. That of the
 * vmap_areas is never merged with another one: mm/vmalloc.c sees to that. Their first slabs
 * come as soon as the caches do, when nobody else makes caches whose name could be the same.
 * Later an object of each tells.
 */
static void note_special_cache(const struct kmem_cache *cache)
{
	if (!strcmp(cache->name, "task_struct"))
		task_cache = cache;
	if (strcmp(cache->name, "vmap_area") || cache->refcount > 1 ||
	    (cache->flags & SLAB_NO_MERGE) != SLAB_NO_MERGE)
		return;
	kml_vmap_cache = cache;
}

static bool is_special_cache(const struct kmem_cache *cache)
{
	return cache && (cache == kml_vmap_cache || cache == task_cache);
}

/**
 * kml_is_task_slab() - ask whether a slab has tasks, and nothing else
 * @slab: the slab
 *
 * Context: Any.
 * Return: true if that is known.
 */
bool kml_is_task_slab(const struct kml_slab *slab)
{
	/* If others share the cache, their words at the same place may be references. */
	return task_cache && slab->cache == task_cache &&
	       READ_ONCE(task_cache->refcount) == 1;
}

/**
 * kml_slab_make() - make the metadata of a slab, unless there is some that will do
 * @shape: what the slab is
 * @owner: the caller owns an object in it, so that this is true
 * @gfp: flags to allocate with
 *
 * Context: Any that may allocate with @gfp, not within RCU.
 * Return: true if there is metadata now, until a scan closes it; false if the slab is
 * none that can have some, or for want of memory.
 */
bool kml_slab_make(const struct kml_slab_shape *shape, bool owner, gfp_t gfp)
{
	struct kml_slab *slab;

	if (shape->nr > SLOTS_MAX || shape->red_left_pad > U16_MAX ||
	    !make_tables(shape->start, shape->length, gfp))
		return false;

	slab = alloc_slab(KML_VIRT, shape->nr, gfp);
	if (!slab)
		return false;
	slab->start = shape->start;
	slab->first = shape->start + shape->red_left_pad;
	slab->length = shape->length;
	slab->backing = shape->backing;
	slab->cache = shape->cache;
	slab->common = is_special_cache(shape->cache) ? 0 : slab->nr;
	slab->inverse = div_u64(U64_MAX, shape->stride) + 1;
	slab->stride = shape->stride;
	slab->size = shape->size;
	link_or_reuse(slab, owner);
	return true;
}

/**
 * kml_slab_for_object() - see to it that a slab has a slab
 * @addr: address of an object in it
 * @size: length of the object in bytes
 * @gfp: flags of the allocation that is being tracked
 *
 * Context: Any that may allocate with @gfp, not within RCU.
 * Return: true if there is a slab now, until a scan closes it; false if the
 * object is no plain slab object, or for want of memory.
 */
bool kml_slab_for_object(unsigned long addr, size_t size, gfp_t gfp)
{
	struct kml_slab_shape shape = {};
	struct kmem_cache *cache;
	struct slab *backing;

	if (addr - kml_linear.base >= kml_linear.size)
		return false;
	backing = virt_to_slab((void *)addr);
	if (!backing)
		return false;
	cache = backing->slab_cache;
	if (cache->object_size != size)
		return false;
	/* As long as there is one CPU only, and nobody else that makes caches. */
	if (system_state == SYSTEM_BOOTING)
		note_special_cache(cache);

	shape.backing = backing;
	shape.cache = cache;
	shape.start = (unsigned long)kasan_reset_tag(slab_address(backing));
	shape.length = slab_size(backing);
	shape.nr = backing->objects;
	shape.stride = cache->size;
	shape.size = size;
	shape.red_left_pad = cache->red_left_pad;
	return kml_slab_make(&shape, true, gfp);
}

static void note_cache_of(const void *object)
{
	const struct slab *slab = virt_to_slab(object);

	if (slab && !is_special_cache(slab->slab_cache))
		note_special_cache(slab->slab_cache);
}

/**
 * kml_find_special_caches() - find out which caches have the vmap_areas and the tasks
 * @vmalloced: memory from vmalloc()
 *
 * Context: Process context, while no hook is called.
 */
void kml_find_special_caches(const void *vmalloced)
{
	const struct vmap_area *area = find_vmap_area((unsigned long)vmalloced);

	if (area)
		note_cache_of(area);
	/* The first task is a variable. */
	if (current != &init_task)
		note_cache_of(current);
}

/**
 * kml_slab_for_percpu() - see to it that a page of per-CPU memory has a slab
 * @addr: value of a __percpu pointer into it
 * @gfp: flags of the allocation that is being tracked
 *
 * Context: Any that may allocate with @gfp, not within RCU.
 * Return: true if there is a slab now, until a scan closes it; false for want
 * of memory.
 */
bool kml_slab_for_percpu(unsigned long addr, gfp_t gfp)
{
	struct kml_slab *slab;

	if (!kml_linear.size)
		return false;
	slab = alloc_slab(KML_PERCPU, KML_PERCPU_SLOTS, gfp);
	if (!slab)
		return false;
	slab->start = ALIGN_DOWN(addr, KML_PERCPU_PAGE);
	slab->first = slab->start;
	slab->length = KML_PERCPU_PAGE;
	slab->cache = &percpu_memory;
	slab->stride = KML_PERCPU_GRAIN;
	link_or_reuse(slab, true);
	return true;
}

/* ---- Walks ---- */

/* Pin the next slabs that start below @end, from a place on that moves behind them. */
static unsigned int pin_slabs(struct kml_slab_cursor *cur, unsigned long end,
			      struct kml_slab **slabs, unsigned long max)
{
	struct kml_slab *slab;
	struct rb_node *node;
	unsigned int nr = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_slab_lock, flags);
	slab = find_from(&slab_trees[cur->space], cur->next);
	while (slab && slab->start < end && nr < WALK_BATCH && nr < max) {
		refcount_inc(&slab->ref);
		slabs[nr++] = slab;
		cur->next = end_of(slab);
		node = rb_next(&slab->node);
		slab = rb_entry_safe(node, struct kml_slab, node);
	}
	raw_spin_unlock_irqrestore(&kml_slab_lock, flags);
	return nr;
}

/**
 * kml_walk_some_slabs() - go on with a walk over all slabs, in address order
 * @cur: where to go on, is moved
 * @end: where the walk ends; &kml_slab_cursor.space is KML_NR_SPACES behind all
 * @max: how many slabs to visit at most
 * @action: what to do with the slab, which is pinned; may sleep
 * @arg: passed on to @action
 *
 * Slabs that come or go meanwhile may be missed or not; all others are visited
 * once.
 *
 * Context: Process context; may sleep.
 * Return: how many slabs were visited; less than @max at the end only.
 */
unsigned long kml_walk_some_slabs(struct kml_slab_cursor *cur,
				  const struct kml_slab_cursor *end,
				  unsigned long max, kml_slab_action_t action,
				  void *arg)
{
	struct kml_slab *slabs[WALK_BATCH];
	unsigned long visited = 0;
	unsigned int i, nr;

	while (visited < max) {
		bool last = cur->space == end->space;

		if (last && cur->next >= end->next)
			break;
		nr = pin_slabs(cur, last ? end->next : ULONG_MAX, slabs,
			       max - visited);
		if (!nr && last) {
			cur->next = end->next;
			break;
		}
		if (!nr) {
			cur->space++;
			cur->next = 0;
		}
		for (i = 0; i < nr; i++) {
			action(slabs[i], arg);
			kml_slab_put(slabs[i]);
		}
		visited += nr;
		cond_resched_tasks_rcu_qs();
	}
	return visited;
}

/**
 * kml_walk_slabs() - do something with each slab, in address order
 * @action: what to do with the slab, which is pinned; may sleep
 * @arg: passed on to @action
 *
 * As kml_walk_some_slabs(), for all of them.
 *
 * Context: Process context; may sleep.
 */
void kml_walk_slabs(kml_slab_action_t action, void *arg)
{
	struct kml_slab_cursor cur = {};

	kml_walk_some_slabs(&cur, &kml_slab_end, ULONG_MAX, action, arg);
}

/**
 * kml_slab_is_empty() - ask whether there is no object in a slab
 * @slab: a pinned slab
 *
 * Context: Any.
 * Return: true if none was found.
 */
bool kml_slab_is_empty(const struct kml_slab *slab)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		if (READ_ONCE(slab->slots[i].meta) & KML_SLOT_LIVE)
			return false;
	}
	return true;
}

/**
 * kml_slab_close() - let no object into an empty slab
 * @slab: a pinned slab in which no object was found
 *
 * An object that comes all the same opens it again.
 *
 * Context: Any but NMI.
 */
void kml_slab_close(struct kml_slab *slab)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_slab_lock, flags);
	WRITE_ONCE(slab->cache, NULL);
	raw_spin_unlock_irqrestore(&kml_slab_lock, flags);
}

/**
 * kml_slab_release() - give up a slab that was closed and stayed empty
 * @slab: a pinned slab
 *
 * At least one RCU grace period must have passed since it was closed.
 *
 * Context: Any but NMI.
 * Return: true if it was given up.
 */
bool kml_slab_release(struct kml_slab *slab)
{
	bool unlinked = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_slab_lock, flags);
	/*
	 * Everybody who saw it open is through with it. An object that came
	 * meanwhile can only have opened it again.
	 */
	if (slab->linked && !slab->cache) {
		unlinked = kml_slab_is_empty(slab);
		if (unlinked)
			unlink_slab(slab);
		else if (slab->space == KML_PERCPU)
			WRITE_ONCE(slab->cache, &percpu_memory);
		else
			WRITE_ONCE(slab->cache, slab->backing->slab_cache);
	}
	raw_spin_unlock_irqrestore(&kml_slab_lock, flags);
	if (unlinked)
		kml_slab_put(slab);
	return unlinked;
}

/**
 * kml_slab_forget() - give up a slab, whatever is in it
 * @slab: a pinned slab
 *
 * Context: Any but NMI.
 */
void kml_slab_forget(struct kml_slab *slab)
{
	unsigned long flags;
	bool unlinked;

	raw_spin_lock_irqsave(&kml_slab_lock, flags);
	unlinked = slab->linked;
	if (unlinked)
		unlink_slab(slab);
	raw_spin_unlock_irqrestore(&kml_slab_lock, flags);
	if (unlinked)
		kml_slab_put(slab);
}

/**
 * kml_slab_is_gone() - ask whether its memory has become something else
 * @slab: the slab, pinned or seen under RCU
 *
 * Context: Any.
 * Return: true if no object that it has is there any more.
 */
bool kml_slab_is_gone(const struct kml_slab *slab)
{
	return slab->space != KML_PERCPU &&
	       virt_to_slab((void *)slab->start) != slab->backing;
}

/**
 * kml_slab_memory() - tell how much memory the metadata of a slab takes
 * @slab: a pinned slab
 *
 * Context: Any.
 * Return: the size in bytes, of the metadata of all objects that fit in too.
 */
size_t kml_slab_memory(const struct kml_slab *slab)
{
	unsigned int cache = slot_cache_index(slab->nr);

	return kmem_cache_size(slab_meta_cache(slab->space, slab->nr)) +
	       slots_of_cache(cache) * sizeof(struct kml_slot);
}

static size_t tree_pages_size(void)
{
	unsigned long nr = DIV_ROUND_UP(kml_linear.size, PAGE_SIZE);

	return PAGE_ALIGN(BITS_TO_LONGS(nr) * sizeof(long));
}

/**
 * kml_slab_tables_memory() - tell how much memory the tables take
 *
 * Context: Any.
 * Return: the size in bytes.
 */
size_t kml_slab_tables_memory(void)
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
 * kml_free_tables() - give back tables, which readers may look at meanwhile
 * @tables: array of pointers to them, of which each is reset
 * @nr: how many there are
 *
 * Hooks look for an object before they look at the state of the detector. So no
 * table is freed before all who could find it are gone.
 *
 * Context: Process context; may sleep.
 */
void kml_free_tables(struct kml_table **tables, unsigned long nr)
{
	struct page *page, *next;
	LIST_HEAD(unused);
	unsigned long i;

	for (i = 0; i < nr; i++) {
		struct kml_table *table;

		raw_spin_lock_irq(&kml_slab_lock);
		table = tables[i];
		WRITE_ONCE(tables[i], &no_table);
		raw_spin_unlock_irq(&kml_slab_lock);
		if (table != &no_table)
			list_add(&virt_to_page(table)->lru, &unused);
	}
	/* Any other grace period waits for what is queued to be freed when it ends, too. */
	synchronize_rcu_expedited();
	list_for_each_entry_safe(page, next, &unused, lru)
		__free_page(page);
}

/**
 * kml_slab_free_tables() - give back what the tables need
 *
 * Context: Process context, when there are no slabs, and the detector is off;
 * may sleep.
 */
void kml_slab_free_tables(void)
{
	kml_free_tables(kml_linear.tables,
			DIV_ROUND_UP(kml_linear.size, 1UL << KML_TABLE_SHIFT));
}

/**
 * kml_nr_slabs() - tell how many slabs there are
 *
 * Context: Any.
 * Return: the number of slabs and per-CPU pages that have slots.
 */
unsigned long kml_nr_slabs(void)
{
	return READ_ONCE(nr_slabs);
}

/* Without memory for that there is more to look for in the tree. */
static void make_tree_pages(void)
{
	kml_tree_pages = kml_alloc_hidden(tree_pages_size(),
					  GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (kml_tree_pages)
		kml_note_tree_pages();
}

/* ---- Set-up ---- */

/* Unless an earlier call has made it. */
static bool make_cache(struct kmem_cache **cache, const char *kind, unsigned int nr,
		       size_t size)
{
	char name[CACHE_NAME_MAX];

	if (*cache)
		return true;
	snprintf(name, sizeof(name), "kmemleak_%s_%u", kind, nr);
	*cache = kmem_cache_create(name, size, 0, SLAB_NOLEAKTRACE, NULL);
	return *cache;
}

static bool make_caches(void)
{
	struct kml_slab *slab;
	bool made = true;
	unsigned int i;

	for (i = 0; i < NR_SLOT_CACHES && made; i++) {
		unsigned int nr = slots_of_cache(i);

		made = make_cache(&slot_caches[i], "slots", nr,
				  nr * sizeof(struct kml_slot));
	}
	for (i = 0; i < NR_SLAB_META_CACHES && made; i++)
		made = make_cache(&slab_meta_caches[i], "slab", BITS_PER_LONG << i,
				  struct_size(slab, seen, 3 << i));
	return made &&
	       make_cache(&percpu_meta_cache, "percpu", KML_PERCPU_SLOTS,
			  struct_size(slab, seen,
				      3 * BITS_TO_LONGS(KML_PERCPU_SLOTS)) +
			  KML_PERCPU_SLOTS + sizeof(u64));
}

/**
 * kml_slab_init() - set up the tables; from here on there can be slabs
 *
 * Memory beyond what the table can describe in the largest piece that the page
 * allocator has, and memory that is added later, gets no slabs.
 *
 * Context: Boot, one CPU, or process context; page allocator and slab allocator usable,
 * and no hook called but of the early state.
 * Return: 0 or -ENOMEM, and there will be no slabs.
 */
int kml_slab_init(void)
{
	phys_addr_t start = kml_dram_start;
	unsigned long size = PFN_PHYS(max_low_pfn) - start;
	unsigned long nr = DIV_ROUND_UP(size, 1UL << KML_TABLE_SHIFT);
	struct kml_table **tables;
	unsigned long i;

	if (kml_linear.size)
		return 0;
	nr = min_t(unsigned long, nr,
		   (PAGE_SIZE << MAX_PAGE_ORDER) / sizeof(*tables));
	tables = alloc_pages_exact(nr * sizeof(*tables),
				   GFP_KERNEL | __GFP_NOWARN);
	if (!tables)
		return -ENOMEM;
	if (!make_caches()) {
		free_pages_exact(tables, nr * sizeof(*tables));
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++)
		tables[i] = &no_table;
	kml_linear.tables = tables;
	kml_linear.base = (unsigned long)__va(start);
	kml_linear.size = min(size, nr << KML_TABLE_SHIFT);
	make_tree_pages();
	return 0;
}
