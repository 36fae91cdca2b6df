/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: slabs whose objects have slots.
 */
#ifndef __MM_KMEMLEAK_SLAB_H
#define __MM_KMEMLEAK_SLAB_H

#include <linux/math64.h>
#include <linux/rculist.h>

#include "store.h"

struct kmem_cache;
struct slab;

/* Per-CPU memory: bytes that share a slot. */
#define KML_PERCPU_GRAIN	8
#define KML_PERCPU_SLOTS	(KML_PERCPU_PAGE / KML_PERCPU_GRAIN)

/* What lengths of per-CPU objects are counted in; the allocator has no other. */
#define KML_PERCPU_UNIT		4

/* Larger per-CPU objects are few, and would be long to look for. */
#define KML_PERCPU_MAX		512

/* Buckets of the hash of per-CPU pages. */
#define KML_PERCPU_BUCKETS	256

/* Bits of kml_slot.meta; all clear: no object. */
#define KML_SLOT_LIVE		BIT(0)	/* there is an object */
#define KML_SLOT_GEN		GENMASK(2, 1)	/* see kml_slot_new_meta */
#define KML_SLOT_GEN_FIRST	BIT(1)	/* the first of the two values */
#define KML_SLOT_BLACK		BIT(3)	/* neither scanned nor reported */
#define KML_SLOT_GRAY		BIT(4)	/* a root: scanned, never reported */
#define KML_SLOT_SURPLUS	BIT(5)	/* a vm_struct, stands for its area */
#define KML_SLOT_PINNED		BIT(6)	/* is being read, see kml_slot_read() */
#define KML_SLOT_SHARED	BIT(7)	/* others than its owner may give it a record */
#define KML_SLOT_SKIP		GENMASK(9, 8)	/* words without references */
#define KML_SLOT_PID_SHIFT	10

/**
 * struct kml_slot - metadata of one object
 * @meta: KML_SLOT_* bits and pid. Set when the object is allocated and cleared
 *	when it is freed, by its owner; in between bits change by cmpxchg()
 * @stamp: when it was allocated; valid while @meta says live
 * @handles: where and by whom, as in struct kml_origin; valid while @meta says
 *	live
 */
struct kml_slot {
	u32 meta;
	u32 stamp;
	u64 handles;
};

/**
 * struct kml_slab - memory that is divided into objects
 * @node: in the tree of slabs; kml_slab_lock
 * @rcu: to free it once nobody can see it
 * @slots: one for each object that fits in
 * @start: first address, untagged; fixed
 * @cache: the cache whose slab it is, or the slab itself for per-CPU memory;
 *	NULL while it is closed; written under kml_slab_lock
 * @first: address of the first object; fixed
 * @backing: the slab itself, NULL for per-CPU memory; fixed
 * @inverse: 2^64 divided by @stride and rounded up, for slabs; fixed
 * @hash: in a bucket of per-CPU pages; written under kml_slab_lock
 * @stride: bytes from one object to the next, or in a grain; fixed
 * @size: length of an object in bytes, 0 where each has its own; written under
 *	kml_slab_lock, grows while there are objects
 * @lengths: @stride and @size, as they stand in a &struct kmem_cache
 * @length: length in bytes; fixed
 * @nr: number of @slots; fixed
 * @space: address space, an enum kml_space; fixed
 * @linked: is in the tree; kml_slab_lock
 * @idle: no object was in it when the last scan looked; see release.c
 * @queued: is in the list of slabs to be scanned; kml_gray_lock
 * @gray: has, or once had, objects that are roots
 * @adopted: may have unknown objects; see adopt.c
 * @counted: the end of the number of the pass that kml_slab_counted() is of; if
 *	others mark too, kml_gray_lock
 * @common: @nr; 0 if it has, or once had, objects of which not all words may be
 *	references, or for which further references count
 * @ref: pins; the tree holds one
 * @gray_next: next slab to be scanned; kml_gray_lock
 * @seen: bitmap of slots whose objects were found referenced by this scan; set by
 *	those who mark. Followed by kml_slab_gray(), kml_slab_counted(), and for
 *	per-CPU memory kml_slab_sizes()
 */
struct kml_slab {
	union {
		struct rb_node node;
		struct rcu_head rcu;
	};
	struct kml_slot *slots;
	unsigned long start;
	const void *cache;
	unsigned long first;
	union {
		struct {
			u64 inverse;
			struct slab *backing;
		};
		struct hlist_node hash;
	};
	union {
		struct {
			u32 stride;
			u32 size;
		};
		u64 lengths;
	};
	u32 length;
	u16 nr;
	u16 common;
	u8 space;
	bool linked;
	bool idle;
	bool queued;
	bool gray;
	bool adopted;
	u16 counted;
	refcount_t ref;
	struct kml_slab *gray_next;
	unsigned long seen[];
};

/* The upper half of a product. */
static __always_inline u64 kml_multiply_high(u64 a, u64 b)
{
#if KML_X86_64
	/* With a type of 128 bits, the function it is in would align its frame for that. */
	asm("mulq %2" : "+a" (a), "=d" (b) : "rm" (b) : "cc");
	return b;
#else
	return mul_u64_u64_shr(a, b, 64);
#endif
}

/* The index of the object that an offset into a slab falls in. */
static __always_inline unsigned long
kml_slab_index(const struct kml_slab *slab, unsigned long offset)
{
	/* Exact: the error is @offset * @stride / 2^64. */
	return kml_multiply_high(offset, slab->inverse);
}

/*
 * The index of the object that @addr falls in, if there is one in the slab, and
 * how far into its stride that is: as if for a huge one, if @addr is in front of
 * the first one.
 */
static __always_inline unsigned long
kml_slab_divide(const struct kml_slab *slab, unsigned long addr, u32 *index)
{
	unsigned long offset = addr - slab->first;

	*index = kml_slab_index(slab, offset);
	return offset - (unsigned long)*index * slab->stride;
}

/* Bitmap of slots whose objects are to be scanned; set and cleared by those who mark. */
static inline unsigned long *kml_slab_gray(struct kml_slab *slab)
{
	return slab->seen + BITS_TO_LONGS(slab->nr);
}

/* Bitmap of slots that a mark pass found referenced; if others mark too, kml_gray_lock. */
static inline unsigned long *kml_slab_counted(struct kml_slab *slab)
{
	return slab->seen + 2 * BITS_TO_LONGS(slab->nr);
}

/*
 * The lengths of the objects of a slab of per-CPU memory; by their owners. 0 where
 * none is, but for what has left its slot. Read by the word, up to behind the last.
 */
static inline u8 *kml_slab_sizes(const struct kml_slab *slab)
{
	return (u8 *)(slab->seen + 3 * BITS_TO_LONGS(KML_PERCPU_SLOTS));
}

/* The slabs of the pages in one part of the linear map. */
#define KML_TABLE_PAGES	(PAGE_SIZE / sizeof(struct kml_slab *))
#define KML_TABLE_SHIFT	(PAGE_SHIFT + ilog2(KML_TABLE_PAGES))

struct kml_table {
	struct kml_slab *slabs[KML_TABLE_PAGES];
};

/* The cache of the vmap_areas, if that is known; see scan/content.c. */
extern const void *kml_vmap_cache;

/* What the tables say of an offset into that part. */
static __always_inline struct kml_slab **kml_table_at(unsigned long offset)
{
	struct kml_table *table;

	table = READ_ONCE(kml_linear.tables[offset >> KML_TABLE_SHIFT]);
	return &table->slabs[(offset >> PAGE_SHIFT) % KML_TABLE_PAGES];
}

static __always_inline struct kml_slab **kml_table_entry(unsigned long addr)
{
	return kml_table_at(addr - kml_linear.base);
}

/*
 * The slab of an address of the linear map, or NULL. To be called within an RCU
 * read-side critical section, in which the result is valid.
 */
static __always_inline struct kml_slab *kml_slab_at(unsigned long addr)
{
	if (addr - kml_linear.base >= kml_linear.size)
		return NULL;
	return rcu_dereference_raw(*kml_table_entry(addr));
}

extern struct hlist_head kml_percpu_hash[KML_PERCPU_BUCKETS];

static __always_inline struct hlist_head *kml_percpu_bucket(unsigned long addr)
{
	return &kml_percpu_hash[addr / KML_PERCPU_PAGE % KML_PERCPU_BUCKETS];
}

/* The same for an address of per-CPU memory. */
static __always_inline struct kml_slab *kml_percpu_slab_at(unsigned long addr)
{
	unsigned long page = ALIGN_DOWN(addr, KML_PERCPU_PAGE);
	struct kml_slab *slab;

	hlist_for_each_entry_rcu(slab, kml_percpu_bucket(page), hash, true) {
		if (likely(slab->start == page))
			return slab;
	}
	return NULL;
}

/**
 * struct kml_slab_cursor - place in a walk over all slabs
 * @space: address space that the walk has come to; KML_NR_SPACES at its end
 * @next: the walk goes on with the first slab that ends above this address
 */
struct kml_slab_cursor {
	enum kml_space space;
	unsigned long next;
};

extern const struct kml_slab_cursor kml_slab_end;

/* What is done with a slab. */
typedef void (*kml_slab_action_t)(struct kml_slab *slab, void *arg);

/**
 * struct kml_slab_shape - what a slab is
 * @backing: the slab
 * @cache: whose it is
 * @start: its first address, untagged
 * @length: its length in bytes
 * @nr: how many objects fit in
 * @stride: bytes from one object to the next
 * @size: length of an object in bytes
 * @red_left_pad: where the first one begins, in bytes
 */
struct kml_slab_shape {
	struct slab *backing;
	const struct kmem_cache *cache;
	unsigned long start;
	u32 length;
	u32 nr;
	u32 stride;
	u32 size;
	u32 red_left_pad;
};

bool kml_slab_make(const struct kml_slab_shape *shape, bool owner, gfp_t gfp);
bool kml_slab_for_object(unsigned long addr, size_t size, gfp_t gfp);
bool kml_slab_for_percpu(unsigned long addr, gfp_t gfp);
unsigned long kml_walk_some_slabs(struct kml_slab_cursor *cur,
				  const struct kml_slab_cursor *end,
				  unsigned long max, kml_slab_action_t action,
				  void *arg);
void kml_walk_slabs(kml_slab_action_t action, void *arg);
void kml_slab_put(struct kml_slab *slab);
bool kml_slab_is_empty(const struct kml_slab *slab);
void kml_slab_close(struct kml_slab *slab);
bool kml_slab_release(struct kml_slab *slab);
void kml_slab_forget(struct kml_slab *slab);
bool kml_slab_is_gone(const struct kml_slab *slab);
size_t kml_slab_memory(const struct kml_slab *slab);
size_t kml_slab_tables_memory(void);
void kml_free_tables(struct kml_table **tables, unsigned long nr);
void kml_slab_free_tables(void);

/* ---- adopt.c: slabs that were there before ---- */

bool kml_slot_is_unknown(const struct kml_slot *slot);

/* ---- pages.c: in which pages there may be objects ---- */

void kml_note_outside(unsigned long start, unsigned long last);
void kml_note_percpu(unsigned long start, unsigned long last);
void kml_note_pages(unsigned long start, unsigned long last, bool in_tree);

/* ---- slot.c: objects in slots ---- */

/*
 * The owner puts this into the slot of a new object. The bits KML_SLOT_GEN of it,
 * the generation, are another one of two values during each scan, and the scanner
 * clears them in a slot when it meets an older object there. So objects that are
 * young in a scan, allocated since it began, differ from the others without a visit
 * to any of them when it begins.
 */
extern u32 kml_slot_new_meta;

static inline bool kml_slot_is_young(u32 meta)
{
	return (meta & KML_SLOT_GEN) ==
	       (READ_ONCE(kml_slot_new_meta) & KML_SLOT_GEN);
}

/* What a slot says. What else it holds goes with it, as long as it says the same. */
static inline u32 kml_slot_meta(const struct kml_slot *slot)
{
	/* Pairs with smp_store_release() in kml_slot_publish(). */
	return smp_load_acquire(&slot->meta);
}

static inline unsigned long kml_slot_start(const struct kml_slab *slab,
					   unsigned int index)
{
	return slab->first + (unsigned long)index * slab->stride;
}

size_t kml_slot_size(const struct kml_slab *slab, unsigned int index);
bool kml_slot_find(enum kml_space space, unsigned long addr,
		   struct kml_ref *ref);
bool kml_slot_find_range(enum kml_space space, unsigned long start, size_t size,
			 struct kml_ref *ref);
bool kml_slot_change(struct kml_slot *slot, u32 clear, u32 set);

/*
 * A scan has met the object, for which the slot said @meta: it is older than those
 * that come from here on. One of these may be in the slot by now, and stays young.
 */
static __always_inline void kml_slot_age(struct kml_slot *slot, u32 meta)
{
	while (unlikely(meta & KML_SLOT_GEN) && !kml_slot_is_young(meta)) {
		if (try_cmpxchg(&slot->meta, &meta, meta & ~KML_SLOT_GEN))
			break;
	}
}

/* Is it one of those slabs that have vmap_areas, and nothing else? */
static inline bool kml_is_vmap_slab(const struct kml_slab *slab)
{
	return kml_vmap_cache && slab->cache == kml_vmap_cache;
}

bool kml_is_task_slab(const struct kml_slab *slab);

/* Are some words of its objects no references? */
static inline bool kml_has_void_words(const struct kml_slab *slab)
{
	return kml_is_vmap_slab(slab) || kml_is_task_slab(slab);
}

unsigned long kml_slot_surplus(const struct kml_slab *slab, unsigned int index);
int kml_slot_read(struct kml_slab *slab, unsigned int index, unsigned int cpu,
		  size_t offset, void *buf, size_t len);
bool kml_slot_to_record(struct kml_slab *slab, unsigned int index, bool owner,
			gfp_t gfp);

#endif /* __MM_KMEMLEAK_SLAB_H */
