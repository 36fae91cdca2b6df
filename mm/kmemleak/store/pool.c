// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: memory for metadata.
 *
 * Memory is allocated long before the slab allocator works, so a static pool
 * serves the first objects. Later the objects come from a cache of their own,
 * and the pool stays as the reserve for the moments when the cache has none.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "store.h"

/* Below this share of the pool, freed objects of the cache refill it. */
#define KML_POOL_LOW	(CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE / 4)

/**
 * struct pool - memory that needs no allocator, in one piece, which scans leave out
 * @objects: records
 * @buffer: room for a chunk of memory
 * @filter: bitmap of what a scan looks for
 * @names: names of tasks
 * @used_names: a bit for each of them
 * @frame_names: names of frames
 */
struct pool {
	struct kml_record objects[CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE];
	unsigned long buffer[KML_CHUNK / sizeof(long)];
	unsigned long filter[BITS_TO_LONGS(KML_FILTER_BITS)];
	struct kml_name names[KML_NAMES_MAX];
	unsigned long used_names[BITS_TO_LONGS(KML_NAMES_MAX)];
	struct kml_frame_name frame_names[KML_FRAME_NAMES];
};

/*
 * Of arm64's linear map the kernel's data is no part: its pages would be of no use to the
 * page allocator.
 */
#ifndef KML_DATA_IS_LINEAR
#define KML_DATA_IS_LINEAR	(!IS_ENABLED(CONFIG_ARM64))
#endif

/* Of whole pages: see kml_pool_give_back(). */
static struct pool static_pool __aligned(PAGE_SIZE);

/* NULL if there is none; written while no hook is called. */
static struct pool *kml_pool __read_mostly = &static_pool;

/* Protects what follows. */
static DEFINE_RAW_SPINLOCK(kml_pool_lock);
/* Free objects, linked by gray_next. */
static struct kml_record *kml_pool_free;
/* Objects of kml_pool that were never handed out: those from here on. */
static unsigned int kml_pool_used;
/* Objects that can be had without the cache. */
static unsigned int kml_pool_count = CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE;

static struct kmem_cache *kml_record_cache __read_mostly;
static struct kmem_cache *kml_area_cache __read_mostly;

static struct kml_record *pool_take(void)
{
	struct kml_record *rec;
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_pool_lock, flags);
	rec = kml_pool_free;
	if (rec)
		kml_pool_free = rec->gray_next;
	else if (kml_pool && kml_pool_used < ARRAY_SIZE(kml_pool->objects))
		rec = &kml_pool->objects[kml_pool_used++];
	if (rec)
		kml_pool_count--;
	raw_spin_unlock_irqrestore(&kml_pool_lock, flags);
	return rec;
}

static void pool_give(struct kml_record *rec)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kml_pool_lock, flags);
	rec->gray_next = kml_pool_free;
	kml_pool_free = rec;
	kml_pool_count++;
	raw_spin_unlock_irqrestore(&kml_pool_lock, flags);
}

static bool in_static_pool(const struct kml_record *rec)
{
	return kml_pool && rec >= kml_pool->objects &&
	       rec < kml_pool->objects + ARRAY_SIZE(kml_pool->objects);
}

/**
 * kml_record_alloc() - get memory for the metadata of one object
 * @gfp: flags of the allocation that is being tracked
 *
 * Context: Any that may allocate with @gfp.
 * Return: an object with undefined content, or NULL when the cache has none
 * and the reserve is used up.
 */
struct kml_record *kml_record_alloc(gfp_t gfp)
{
	struct kml_record *rec = NULL;

	if (kml_record_cache)
		rec = kmem_cache_alloc(kml_record_cache, kml_gfp(gfp));
	return rec ?: pool_take();
}

/**
 * kml_record_free() - give back the metadata of an object nobody can see
 * @rec: object from kml_record_alloc(), with its scan areas
 *
 * Context: Any that may call kmem_cache_free().
 */
void kml_record_free(struct kml_record *rec)
{
	struct hlist_node *tmp;
	struct kml_area *area;

	hlist_for_each_entry_safe(area, tmp, &rec->areas, node)
		kml_area_free(area);
	if (in_static_pool(rec) || READ_ONCE(kml_pool_count) < KML_POOL_LOW)
		pool_give(rec);
	else
		kmem_cache_free(kml_record_cache, rec);
}

static void record_free_rcu(struct rcu_head *rcu)
{
	kml_record_free(container_of(rcu, struct kml_record, rcu));
}

/**
 * kml_record_free_rcu() - give back an object that lockless readers may see
 * @rec: object without pins and out of its tree
 *
 * Context: Any. In early boot there are no readers and no grace periods yet,
 * so it is given back at once.
 */
void kml_record_free_rcu(struct kml_record *rec)
{
	if (kml_record_cache)
		call_rcu(&rec->rcu, record_free_rcu);
	else
		kml_record_free(rec);
}

/**
 * kml_area_alloc() - get memory for a scan area
 * @gfp: flags the caller of the hook gave
 *
 * Context: Any that may allocate with @gfp.
 * Return: an area with undefined content, or NULL.
 */
struct kml_area *kml_area_alloc(gfp_t gfp)
{
	return kml_area_cache ? kmem_cache_alloc(kml_area_cache, kml_gfp(gfp))
			      : NULL;
}

/**
 * kml_area_free() - give back a scan area
 * @area: from kml_area_alloc()
 *
 * Context: Any that may call kmem_cache_free().
 */
void kml_area_free(struct kml_area *area)
{
	kmem_cache_free(kml_area_cache, area);
}

/**
 * kml_pool_left() - tell how much reserve there is
 *
 * Context: Any.
 * Return: objects that can be had without the slab allocator.
 */
unsigned int kml_pool_left(void)
{
	return READ_ONCE(kml_pool_count);
}

/**
 * kml_pool_memory() - tell how much memory the pool takes
 *
 * Context: Any.
 * Return: its size in bytes.
 */
size_t kml_pool_memory(void)
{
	return kml_pool ? sizeof(*kml_pool) : 0;
}

/**
 * kml_record_memory() - tell how much memory an object's metadata takes
 * @rec: an object
 *
 * Context: Any.
 * Return: the size in bytes; 0 if it is part of the pool.
 */
size_t kml_record_memory(const struct kml_record *rec)
{
	return in_static_pool(rec) ? 0 : sizeof(*rec);
}

/**
 * kml_scan_buffer() - get room for one chunk of memory that is scanned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: KML_CHUNK bytes that are themselves never scanned.
 */
unsigned long *kml_scan_buffer(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	return kml_pool->buffer;
}

/**
 * kml_scan_filter() - get room for a bitmap of what a scan looks for
 *
 * Context: Holder of kml_scan_mutex.
 * Return: KML_FILTER_BITS bits that are themselves never scanned.
 */
unsigned long *kml_scan_filter(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	return kml_pool->filter;
}

/**
 * kml_pool_names() - get room for names of tasks
 *
 * Context: Any. Who uses it has a lock for it.
 * Return: KML_NAMES_MAX names, which no scan takes for references.
 */
struct kml_name *kml_pool_names(void)
{
	return kml_pool->names;
}

/**
 * kml_pool_used_names() - get room for a bitmap of names of tasks
 *
 * Context: Any. Who uses it has a lock for it.
 * Return: KML_NAMES_MAX bits, which no scan takes for references.
 */
unsigned long *kml_pool_used_names(void)
{
	return kml_pool->used_names;
}

/**
 * kml_pool_frame_names() - get room for names of frames
 *
 * Context: Any. Who uses it has a lock for it.
 * Return: KML_FRAME_NAMES names, empty at first, whose addresses no scan takes for
 * references; NULL if there is no room.
 */
struct kml_frame_name *kml_pool_frame_names(void)
{
	return kml_pool ? kml_pool->frame_names : NULL;
}

/**
 * kml_pool_range() - tell where the static pool stands, or has stood
 * @start: set to its first address
 * @size: set to its length in bytes
 *
 * Context: Any.
 */
void kml_pool_range(unsigned long *start, size_t *size)
{
	*start = (unsigned long)&static_pool;
	*size = sizeof(static_pool);
}

/**
 * kml_pool_give_back() - let the page allocator have the pool: it is not used any more
 *
 * Where its pages are only the kernel's they stay, and are used again later.
 *
 * Context: Boot, one CPU, page allocator usable, when no hook is called any more.
 */
void __init kml_pool_give_back(void)
{
	void *start = lm_alias(kml_pool);
	size_t size = PAGE_ALIGN_DOWN(sizeof(*kml_pool));

	kml_pool = NULL;
	kml_pool_free = NULL;
	WRITE_ONCE(kml_pool_count, 0);
	if (!KML_DATA_IS_LINEAR) {
		pr_info("the pool stays: its pages are no others'\n");
		return;
	}
	/* Not by memblock_free(), which newer kernels have do the same by itself. */
	free_reserved_area(start, start + size, -1, "kmemleak pool");
}

static struct kmem_cache *make_cache(const char *name, size_t size)
{
	return kmem_cache_create(name, size, 0, SLAB_NOLEAKTRACE, NULL);
}

/* Instead of the static one, if that is none of ours any more. */
static int pool_make(void)
{
	struct pool *pool = &static_pool;

	if (KML_DATA_IS_LINEAR) {
		pool = vzalloc(sizeof(*pool));
		if (!pool)
			return -ENOMEM;
		kml_hide_area(pool, sizeof(*pool));
	}
	kml_pool = pool;
	kml_pool_used = 0;
	WRITE_ONCE(kml_pool_count, ARRAY_SIZE(pool->objects));
	return 0;
}

/**
 * kml_pool_init() - go on with the slab allocator, which works now
 *
 * Context: Boot, one CPU, or process context; may sleep, while no hook is called.
 * Return: 0 or -ENOMEM.
 */
int kml_pool_init(void)
{
	if (!kml_pool && pool_make())
		return -ENOMEM;
	if (!kml_area_cache)
		kml_area_cache = make_cache("kmemleak_area", sizeof(struct kml_area));
	if (!kml_record_cache)
		kml_record_cache = make_cache("kmemleak_record",
					      sizeof(struct kml_record));
	return kml_area_cache && kml_record_cache ? 0 : -ENOMEM;
}
