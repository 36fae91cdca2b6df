// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of slabs and of the slots in them.
 *
 * With the real allocators, in the slabs of the running detector. What a test
 * allocates is known by address alone: to ask for it would give it a record.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../../page_alloc.h"
#include "../../slab.h"
#include "../store/slot.h"
#include "../track/origin.h"
#include "cache.h"
#include "slot.h"
#include "tree.h"

/* The most objects that a test holds. */
#define SLOT_OBJECTS	1024

/* A piece of memory that nobody needs. */
struct hoard {
	struct hoard *next;
	unsigned int order;
};

/* What a test has, given back by slot_exit() however the test ends. */
static struct {
	struct kmem_cache *cache;
	struct kml_slab *slab;
	struct hoard *hoard;
	void *objects[SLOT_OBJECTS];
	unsigned int nr;
} had;

static void free_objects(void)
{
	while (had.nr)
		kmem_cache_free(had.cache, had.objects[--had.nr]);
}

static void destroy_cache(void)
{
	free_objects();
	kmem_cache_destroy(had.cache);
	had.cache = NULL;
}

static void create_cache(struct kunit *test, unsigned int size,
			 unsigned int align, slab_flags_t flags,
			 void (*ctor)(void *ptr))
{
	had.cache = create_own_cache("kmemleak_slot", size, align, flags, ctor);
	KUNIT_ASSERT_NOT_NULL(test, had.cache);
}

/* A frame of its own, which all objects of had.cache come by. */
static noinline __noclone void *slot_alloc(struct kunit *test)
{
	void *ptr = kmem_cache_alloc(had.cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ptr);
	KUNIT_ASSERT_LT(test, had.nr, SLOT_OBJECTS);
	had.objects[had.nr++] = ptr;
	return ptr;
}

/* Enough for several slabs, so that some of them are full. */
static void fill_cache(struct kunit *test, unsigned int slabs)
{
	struct slab *slab = virt_to_slab(slot_alloc(test));
	unsigned int nr = slabs * slab->objects;

	while (had.nr < min(nr, SLOT_OBJECTS))
		slot_alloc(test);
}

/* Each at its place, and some of them looked at closely. */
static void expect_all_tracked(struct kunit *test)
{
	size_t size = had.cache->object_size;
	unsigned int i;

	for (i = 0; i < had.nr; i++) {
		unsigned long start = addr_of(had.objects[i]);

		if (i % 16)
			expect_at(test, KML_VIRT, start, start, size,
				  KML_IN_SLOT);
		else
			expect_tracked(test, KML_VIRT, start, size, slot_alloc);
	}
}

/* The slab of an address, pinned until the end of the test. */
static struct kml_slab *pin_slab(struct kunit *test, unsigned long addr)
{
	struct kml_slab *slab;

	rcu_read_lock();
	slab = kml_slab_at(addr);
	if (slab && !refcount_inc_not_zero(&slab->ref))
		slab = NULL;
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, slab);
	if (had.slab)
		kml_slab_put(had.slab);
	had.slab = slab;
	return slab;
}

/* ---- Caches of all shapes ---- */

struct shape {
	const char *name;
	unsigned int size;
	unsigned int align;
	slab_flags_t flags;
	void (*ctor)(void *ptr);
};

static void fill_in(void *ptr)
{
	*(u8 *)ptr = 0x5a;
}

static const struct shape shapes[] = {
	{ "8", 8 }, { "16", 16 }, { "24", 24 }, { "40", 40 }, { "56", 56 },
	{ "64", 64 }, { "72", 72 }, { "96", 96 }, { "128", 128 },
	{ "192", 192 }, { "256", 256 }, { "512", 512 }, { "1024", 1024 },
	{ "2048", 2048 }, { "4096", 4096 }, { "8192", 8192 }, { "odd 9", 9 },
	{ "odd 60", 60 }, { "odd 63", 63 }, { "odd 65", 65 },
	{ "odd 100", 100 }, { "odd 321", 321 }, { "odd 1000", 1000 },
	{ "odd 1365", 1365 }, { "odd 2049", 2049 }, { "odd 3000", 3000 },
	{ "odd 4097", 4097 }, { "odd 5000", 5000 }, { "odd 8191", 8191 },
	{ "8 in 64",		8,	64 },
	{ "40 in 128",		40,	128 },
	{ "100 in 256",		100,	256 },
	{ "1000 in 2048",	1000,	2048 },
	{ "12 in 4",		12,	4 },
	{ "hardware",		36,	0,	SLAB_HWCACHE_ALIGN },
	{ "red zones 8",	8,	0,	SLAB_RED_ZONE },
	{ "red zones 64",	64,	0,	SLAB_RED_ZONE },
	{ "red zones 100",	100,	0,	SLAB_RED_ZONE },
	{ "red zones 40 in 64",	40,	64,	SLAB_RED_ZONE },
	{ "red zones 4096",	4096,	0,	SLAB_RED_ZONE },
	{ "poison",		120,	0,	SLAB_POISON },
	{ "user",		120,	0,	SLAB_STORE_USER },
	{ "all checks",		120,	0,	SLAB_CONSISTENCY_CHECKS |
		SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER },
	{ "by RCU",		88,	0,	SLAB_TYPESAFE_BY_RCU },
	{ "by RCU, red zones",	88,	0,	SLAB_TYPESAFE_BY_RCU |
		SLAB_RED_ZONE },
	{ "constructor",	88,	0,	0,	fill_in },
	{ "constructor, all",	88,	0,	SLAB_RED_ZONE | SLAB_POISON,
		fill_in },
};

static void shape_desc(const struct shape *shape, char *desc)
{
	strscpy(desc, shape->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(shape, shapes, shape_desc);

static void create_shape(struct kunit *test)
{
	const struct shape *shape = test->param_value;

	create_cache(test, shape->size, shape->align, shape->flags, shape->ctor);
}

/* Each byte of some objects, and the bytes between them. */
static void expect_bytes(struct kunit *test, const void *ptr)
{
	unsigned long start = addr_of(ptr), addr;
	size_t size = had.cache->object_size;
	size_t step = size > 128 ? 31 : 1;

	for (addr = start; addr < start + size; addr += step)
		expect_at(test, KML_VIRT, addr, start, size, KML_IN_SLOT);
	expect_at(test, KML_VIRT, start + size - 1, start, size, KML_IN_SLOT);
	for (addr = start + size;
	     addr < start + had.cache->size - had.cache->red_left_pad;
	     addr += step)
		expect_where(test, KML_VIRT, addr, KML_NOWHERE);
	for (addr = start - had.cache->red_left_pad; addr < start; addr += step)
		expect_where(test, KML_VIRT, addr, KML_NOWHERE);
}

static void slot_shape(struct kunit *test)
{
	const struct shape *shape = test->param_value;
	unsigned int i, nr;

	create_shape(test);
	fill_cache(test, 3);
	expect_all_tracked(test);
	for (i = 0; i < had.nr; i += had.nr / 8 + 1)
		expect_bytes(test, had.objects[i]);
	kml_audit_slabs(test);

	/* Those that stay are not those that go. */
	nr = had.nr / 2;
	while (had.nr > nr) {
		void *ptr = had.objects[--had.nr];

		kmem_cache_free(had.cache, ptr);
		expect_where(test, KML_VIRT, addr_of(ptr), KML_NOWHERE);
		expect_where(test, KML_VIRT, addr_of(ptr) + shape->size - 1,
			     KML_NOWHERE);
	}
	expect_all_tracked(test);
}

static void slot_slab(struct kunit *test)
{
	unsigned long start, addr;
	struct kml_slab *slab;
	struct slab *backing;
	unsigned int i;

	create_shape(test);
	start = addr_of(slot_alloc(test));
	slab = pin_slab(test, start);
	backing = virt_to_slab((void *)start);
	KUNIT_EXPECT_PTR_EQ(test, slab->backing, backing);
	KUNIT_EXPECT_PTR_EQ(test, slab->cache, (const void *)had.cache);
	KUNIT_EXPECT_EQ(test, slab->start, addr_of(slab_address(backing)));
	KUNIT_EXPECT_EQ(test, slab->length, slab_size(backing));
	KUNIT_EXPECT_TRUE(test, slab->nr == backing->objects);
	KUNIT_EXPECT_EQ(test, slab->stride, had.cache->size);
	KUNIT_EXPECT_EQ(test, slab->size, had.cache->object_size);
	KUNIT_EXPECT_EQ(test, slab->first - slab->start,
			had.cache->red_left_pad);
	KUNIT_EXPECT_EQ(test, slab->space, KML_VIRT);
	for (i = 0; i < slab->nr; i++)
		KUNIT_EXPECT_EQ(test, kml_slot_start(slab, i), slab->start +
				had.cache->red_left_pad + i * had.cache->size);

	/* All of its pages lead to it, and no other ones. */
	rcu_read_lock();
	for (addr = slab->start; addr < slab->start + slab->length;
	     addr += PAGE_SIZE / 2)
		KUNIT_EXPECT_PTR_EQ(test, kml_slab_at(addr), slab);
	KUNIT_EXPECT_PTR_NE(test, kml_slab_at(addr), slab);
	KUNIT_EXPECT_PTR_NE(test, kml_slab_at(slab->start - 1), slab);
	rcu_read_unlock();
}

static void slot_bulk(struct kunit *test)
{
	const struct shape *shape = test->param_value;
	unsigned int i;

	create_shape(test);
	KUNIT_ASSERT_TRUE(test, kmem_cache_alloc_bulk(had.cache, GFP_KERNEL, 50,
						      had.objects));
	had.nr = 50;
	for (i = 0; i < had.nr; i++)
		expect_tracked(test, KML_VIRT, addr_of(had.objects[i]),
			       shape->size, slot_bulk);
	had.nr = 30;
	kmem_cache_free_bulk(had.cache, 20, had.objects + had.nr);
	for (i = 0; i < 50; i++)
		expect_where(test, KML_VIRT, addr_of(had.objects[i]),
			     i < had.nr ? KML_IN_SLOT : KML_NOWHERE);
}

/* Free and allocate again and again: a slot is as good as new each time. */
static void slot_reuse(struct kunit *test)
{
	const struct shape *shape = test->param_value;
	unsigned int i;

	create_shape(test);
	for (i = 0; i < 100; i++) {
		void *ptr = slot_alloc(test);

		expect_tracked(test, KML_VIRT, addr_of(ptr), shape->size,
			       slot_alloc);
		if (i % 2)
			kmemleak_ignore(ptr);
		else
			kmemleak_not_leak(ptr);
		free_objects();
		expect_where(test, KML_VIRT, addr_of(ptr), KML_NOWHERE);
	}
}

static void slot_noleaktrace(struct kunit *test)
{
	create_cache(test, 64, 0, SLAB_NOLEAKTRACE, NULL);
	slot_alloc(test);
	expect_where(test, KML_VIRT, addr_of(had.objects[0]), KML_NOWHERE);
	free_objects();
	expect_where(test, KML_VIRT, addr_of(had.objects[0]), KML_NOWHERE);
}

/* ---- Pages that come back ---- */

#define RETURN_OBJECTS	1024

/* More pages than there are without a larger piece to be split. */
#define RETURN_HOARD	2048

/* Times that a test tries to see pages again, each with more of the others taken. */
#define RETURN_ROUNDS	12

static unsigned long pages[SLOT_OBJECTS];

/* Take pages that nobody needs, until the end of the test. */
static void hoard_pages(struct kunit *test, unsigned int order)
{
	struct hoard *hoard = (void *)__get_free_pages(GFP_KERNEL, order);

	KUNIT_ASSERT_NOT_NULL(test, hoard);
	hoard->next = had.hoard;
	hoard->order = order;
	had.hoard = hoard;
}

static void drop_hoard(void)
{
	while (had.hoard) {
		struct hoard *hoard = had.hoard;

		had.hoard = hoard->next;
		free_pages((unsigned long)hoard, hoard->order);
	}
}

/*
 * Fill the cache, and note where its slabs are. The page allocator shall give
 * these pages out first when it gets them back, in pieces of @next_order. So it
 * has no others of that size or below. Where the next pieces are as long as the
 * slabs at most, no two slabs are neighbours, which it would join; where they
 * are longer, it has to do that.
 */
static unsigned int fill_and_note(struct kunit *test, unsigned int next_order)
{
	const struct slab *last = NULL;
	unsigned int i, order;

	for (order = 0; order <= next_order; order++)
		for (i = 0; i < RETURN_HOARD >> order; i++)
			hoard_pages(test, order);
	while (had.nr < RETURN_OBJECTS) {
		const struct slab *slab = virt_to_slab(slot_alloc(test));

		if (slab != last && next_order <= slab_order(slab))
			hoard_pages(test, slab_order(slab));
		last = slab;
	}
	for (i = 0; i < had.nr; i++)
		pages[i] = addr_of(had.objects[i]) & PAGE_MASK;
	return had.nr;
}

/* How many pages, as a power of two, such a cache takes for a slab. */
static unsigned int order_of_slabs(struct kunit *test, const struct shape *shape)
{
	unsigned int order;

	create_cache(test, shape->size, 0, shape->flags, NULL);
	order = slab_order(virt_to_slab(slot_alloc(test)));
	destroy_cache();
	return order;
}

static unsigned int count_returned(unsigned int nr)
{
	unsigned int i, j, returned = 0;

	for (i = 0; i < had.nr; i++) {
		for (j = 0; j < nr; j++) {
			if ((addr_of(had.objects[i]) & PAGE_MASK) == pages[j])
				break;
		}
		returned += j < nr;
	}
	return returned;
}

struct change {
	const char *name;
	struct shape from;
	struct shape to;
};

static const struct change changes[] = {
	{ "larger",		{ .size = 256 },	{ .size = 512 } },
	{ "smaller",		{ .size = 1024 },	{ .size = 320 } },
	{ "same stride",	{ .size = 508 },	{ .size = 512 } },
	{ "same stride, less",	{ .size = 512 },	{ .size = 508 } },
	{ "same",		{ .size = 512 },	{ .size = 512 } },
	{ "red zones",		{ .size = 512 },
		{ .size = 512,	.flags = SLAB_RED_ZONE } },
	{ "no red zones",	{ .size = 512, .flags = SLAB_RED_ZONE },
		{ .size = 512 } },
	{ "longer slabs",	{ .size = 512 },	{ .size = 4096 } },
	{ "shorter slabs",	{ .size = 4096 },	{ .size = 512 } },
};

static void change_desc(const struct change *change, char *desc)
{
	strscpy(desc, change->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(change, changes, change_desc);

/* The address of the cache comes back as well, as a rule. */
static unsigned int return_pages(struct kunit *test, const struct change *change)
{
	unsigned int order = order_of_slabs(test, &change->to);
	unsigned int i, nr;

	create_cache(test, change->from.size, 0, change->from.flags, NULL);
	nr = fill_and_note(test, order);
	expect_all_tracked(test);
	destroy_cache();
	drain_all_pages(NULL);
	for (i = 0; i < nr; i++)
		expect_where(test, KML_VIRT, pages[i], KML_NOWHERE);

	create_cache(test, change->to.size, 0, change->to.flags, NULL);
	while (had.nr < nr)
		slot_alloc(test);
	expect_all_tracked(test);
	kml_audit_slabs(test);
	nr = count_returned(nr);
	destroy_cache();
	return nr;
}

static void slot_pages_return(struct kunit *test)
{
	unsigned int round, returned = 0;

	for (round = 0; !returned && round < RETURN_ROUNDS; round++)
		returned = return_pages(test, test->param_value);
	KUNIT_EXPECT_GT(test, returned, 0);
	kunit_info(test, "%u of %u objects in pages that returned, in round %u\n",
		   returned, RETURN_OBJECTS, round);
}

/* Let the cache go on with slabs of that length, in pages of those it had. */
static unsigned int change_length(struct kunit *test,
				  struct kmem_cache_order_objects next)
{
	unsigned int nr = fill_and_note(test, next.x >> 16);

	free_objects();
	kmem_cache_shrink(had.cache);
	drain_all_pages(NULL);
	had.cache->oo = next;
	while (had.nr < nr)
		slot_alloc(test);
	expect_all_tracked(test);
	nr = count_returned(nr);
	free_objects();
	kmem_cache_shrink(had.cache);
	return nr;
}

/* A cache makes its slabs as long as it can: here, short ones after long ones. */
static void slot_slab_length(struct kunit *test)
{
	unsigned int round, shorter = 0, longer = 0;
	struct kmem_cache_order_objects oo;

	create_cache(test, 2048, 0, 0, NULL);
	oo = had.cache->oo;
	if (oo.x == had.cache->min.x)
		kunit_skip(test, "all slabs have the same length");
#ifdef CONFIG_SLAB_FREELIST_RANDOM
	/* What is in there is for slabs of one length. */
	kfree(had.cache->random_seq);
	had.cache->random_seq = NULL;
#endif

	for (round = 0; !(shorter && longer) && round < RETURN_ROUNDS; round++) {
		shorter += change_length(test, had.cache->min);
		longer += change_length(test, oo);
	}
	kml_audit_slabs(test);
	KUNIT_EXPECT_GT(test, shorter, 0);
	KUNIT_EXPECT_GT(test, longer, 0);
	kunit_info(test, "%u objects in pages of longer slabs, %u of shorter ones, in round %u\n",
		   shorter, longer, round);
}

/* What the allocator does when another cache becomes an alias of this one. */
static void slot_merge(struct kunit *test)
{
	struct kml_sight sight;
	unsigned int i, nr = 5;

	create_cache(test, 60, 0, 0, NULL);
	/* These have no aliases, and have something behind each object. */
	if (had.cache->flags & (SLAB_RED_ZONE | SLAB_POISON))
		kunit_skip(test, "caches with debugging are not merged");
	while (had.nr < nr)
		slot_alloc(test);
	had.cache->object_size = 64;
	while (had.nr < 2 * nr)
		slot_alloc(test);
	for (i = 0; i < had.nr; i++) {
		kml_look(KML_VIRT, addr_of(had.objects[i]), &sight);
		KUNIT_EXPECT_EQ(test, sight.where, KML_IN_SLOT);
		KUNIT_EXPECT_EQ(test, sight.start, addr_of(had.objects[i]));
		KUNIT_EXPECT_EQ(test, sight.size, 64);
		KUNIT_EXPECT_TRUE(test, kml_trace_has(sight.trace, slot_alloc));
	}
}

#define OTHER_ORDER	2
#define OTHER_SIZE	(PAGE_SIZE << OTHER_ORDER)

/* How many of @nr large objects are in pages of slabs that were noted. */
static unsigned int count_others(void **others, unsigned int nr)
{
	unsigned int i, j, returned = 0;

	for (i = 0; i < nr; i++) {
		for (j = 0; j < RETURN_OBJECTS; j++) {
			if (pages[j] - addr_of(others[i]) < OTHER_SIZE)
				break;
		}
		returned += j < RETURN_OBJECTS;
	}
	return returned;
}

static unsigned int give_pages_to_others(struct kunit *test)
{
	static void *others[RETURN_OBJECTS / 4];
	unsigned int i, nr, returned;

	create_cache(test, 4096, 0, 0, NULL);
	nr = fill_and_note(test, OTHER_ORDER);
	for (i = 0; i < nr; i++)
		kml_slab_close(pin_slab(test, pages[i]));
	destroy_cache();
	drain_all_pages(NULL);

	nr = ARRAY_SIZE(others);
	for (i = 0; i < nr; i++) {
		others[i] = kmalloc(OTHER_SIZE, GFP_KERNEL);
		if (!others[i])
			break;
		expect_at(test, KML_VIRT, addr_of(others[i]) + PAGE_SIZE,
			  addr_of(others[i]), OTHER_SIZE, KML_ON_ITS_OWN);
	}
	KUNIT_EXPECT_EQ(test, i, nr);
	returned = count_others(others, i);
	while (i--) {
		kfree(others[i]);
		expect_where(test, KML_VIRT, addr_of(others[i]), KML_NOWHERE);
	}
	/* They would hide leaks from the scans of other tests. */
	memset(others, 0, sizeof(others));
	return returned;
}

/* Pages of a slab that nobody told of their next use. */
static void slot_pages_for_others(struct kunit *test)
{
	unsigned int round, returned = 0;

	for (round = 0; !returned && round < RETURN_ROUNDS; round++)
		returned = give_pages_to_others(test);
	KUNIT_EXPECT_GT(test, returned, 0);
	kunit_info(test, "%u objects in pages of slabs, in round %u\n",
		   returned, round);
}

/* ---- Empty slabs ---- */

static bool is_linked(const struct kml_slab *slab)
{
	bool linked;

	rcu_read_lock();
	linked = kml_slab_at(slab->start) == slab;
	rcu_read_unlock();
	return linked;
}

/* The slab of one object, which is free again if @empty. */
static struct kml_slab *new_slab(struct kunit *test, bool empty)
{
	struct kml_slab *slab;

	create_cache(test, 72, 0, 0, NULL);
	slab = pin_slab(test, addr_of(slot_alloc(test)));
	KUNIT_ASSERT_PTR_EQ(test, slab->cache, (const void *)had.cache);
	if (empty)
		free_objects();
	return slab;
}

static void slot_close(struct kunit *test)
{
	struct kml_slab *slab = new_slab(test, true);
	void *ptr;

	kml_slab_close(slab);
	KUNIT_EXPECT_NULL(test, slab->cache);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));

	/* The slab is still its cache's. */
	ptr = slot_alloc(test);
	KUNIT_ASSERT_PTR_EQ(test, slab->backing, virt_to_slab(ptr));
	expect_tracked(test, KML_VIRT, addr_of(ptr), 72, slot_alloc);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));
	KUNIT_EXPECT_PTR_EQ(test, slab->cache, (const void *)had.cache);
	kml_slab_release(slab);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));
	expect_tracked(test, KML_VIRT, addr_of(ptr), 72, slot_alloc);
}

/* Of a page that is no slab any more all is as it was, but for its type. */
static void slot_not_a_slab(struct kunit *test)
{
	struct kml_slab *slab = new_slab(test, true), *now;
	struct slab *backing = slab->backing;
	struct folio *folio;
	void *ptr;

	folio = kunit_kzalloc(test, sizeof(*folio), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, folio);
	folio->page = *slab_page(backing);
	__folio_clear_slab(folio);
	slab->backing = (struct slab *)folio;
	ptr = slot_alloc(test);
	slab->backing = backing;

	KUNIT_ASSERT_PTR_EQ(test, virt_to_slab(ptr), backing);
	KUNIT_EXPECT_FALSE(test, is_linked(slab));
	rcu_read_lock();
	now = kml_slab_at(addr_of(ptr));
	KUNIT_EXPECT_TRUE(test, now && now->backing == backing);
	rcu_read_unlock();
	expect_tracked(test, KML_VIRT, addr_of(ptr), 72, slot_alloc);
}

static void slot_bury(struct kunit *test)
{
	struct kml_slab *slab = new_slab(test, true);
	unsigned int pins = refcount_read(&slab->ref);
	void *ptr;

	/* Not before it is closed. */
	kml_slab_release(slab);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));
	kml_slab_close(slab);
	kml_slab_release(slab);
	KUNIT_EXPECT_FALSE(test, is_linked(slab));
	KUNIT_EXPECT_EQ(test, refcount_read(&slab->ref), pins - 1);
	/* And once only. */
	kml_slab_release(slab);
	kml_slab_forget(slab);
	kml_slab_close(slab);
	KUNIT_EXPECT_EQ(test, refcount_read(&slab->ref), pins - 1);

	ptr = slot_alloc(test);
	expect_tracked(test, KML_VIRT, addr_of(ptr), 72, slot_alloc);
	KUNIT_EXPECT_FALSE(test, is_linked(slab));
	KUNIT_EXPECT_NULL(test, slab->cache);
}

/* An object that had seen it open came after it was closed. */
static void slot_bury_in_use(struct kunit *test)
{
	struct kml_slab *slab = new_slab(test, false);
	unsigned long addr = addr_of(had.objects[0]);

	kml_slab_close(slab);
	expect_tracked(test, KML_VIRT, addr, 72, slot_alloc);
	kml_slab_release(slab);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));
	KUNIT_EXPECT_PTR_EQ(test, slab->cache, (const void *)had.cache);
	expect_tracked(test, KML_VIRT, addr, 72, slot_alloc);
	free_objects();
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
}

static void slot_free_while_closed(struct kunit *test)
{
	struct kml_slab *slab = new_slab(test, false);
	unsigned long addr = addr_of(had.objects[0]);

	kml_slab_close(slab);
	free_objects();
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
	kml_slab_release(slab);
	KUNIT_EXPECT_FALSE(test, is_linked(slab));
}

/* What is pinned and given up still takes frees, but shows nothing. */
static void slot_forget(struct kunit *test)
{
	struct kml_slab *slab = new_slab(test, false);
	unsigned long addr = addr_of(had.objects[0]), nr = kml_nr_slabs();

	kml_slab_forget(slab);
	KUNIT_EXPECT_LT(test, kml_nr_slabs(), nr + 1);
	KUNIT_EXPECT_FALSE(test, is_linked(slab));
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
	free_objects();
	slot_alloc(test);
	expect_all_tracked(test);
}

/* The next scan. The test makes no sense if somebody else made one, too. */
static void scan(struct kunit *test, u32 seq)
{
	/* A scan releases what an earlier one has closed. */
	synchronize_rcu();
	KUNIT_ASSERT_EQ(test, kml_scan(NULL), 0);
	if (READ_ONCE(kml_scan_seq) != seq)
		kunit_skip(test, "somebody else did so in between");
}

static void slot_scan_buries(struct kunit *test)
{
	struct kml_slab *slab = new_slab(test, false);
	u32 seq;

	/* It was empty when the scan before this one began. */
	mutex_lock(&kml_scan_mutex);
	slab->idle = true;
	seq = kml_scan_seq;
	mutex_unlock(&kml_scan_mutex);
	scan(test, seq + 1);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));
	expect_all_tracked(test);

	/* It has to be empty twice, one time after the other. */
	free_objects();
	scan(test, seq + 2);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));
	KUNIT_EXPECT_PTR_EQ(test, slab->cache, (const void *)had.cache);
	scan(test, seq + 3);
	KUNIT_EXPECT_TRUE(test, is_linked(slab));
	KUNIT_EXPECT_NULL(test, slab->cache);
	scan(test, seq + 4);
	KUNIT_EXPECT_FALSE(test, is_linked(slab));
	KUNIT_EXPECT_NULL(test, slab->cache);

	slot_alloc(test);
	expect_all_tracked(test);
}

static int slot_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void slot_exit(struct kunit *test)
{
	if (had.slab)
		kml_slab_put(had.slab);
	destroy_cache();
	drop_hoard();
	/* No pointer that is left may hide a leak. */
	memset(&had, 0, sizeof(had));
	memset(pages, 0, sizeof(pages));
}

static struct kunit_case slot_cases[] = {
	KUNIT_CASE_PARAM(slot_shape, shape_gen_params),
	KUNIT_CASE_PARAM(slot_slab, shape_gen_params),
	KUNIT_CASE_PARAM(slot_bulk, shape_gen_params),
	KUNIT_CASE_PARAM(slot_reuse, shape_gen_params),
	KUNIT_CASE(slot_noleaktrace),
	KUNIT_CASE_PARAM(slot_pages_return, change_gen_params),
	KUNIT_CASE(slot_slab_length),
	KUNIT_CASE(slot_merge),
	KUNIT_CASE(slot_pages_for_others),
	KUNIT_CASE(slot_close),
	KUNIT_CASE(slot_not_a_slab),
	KUNIT_CASE(slot_bury),
	KUNIT_CASE(slot_bury_in_use),
	KUNIT_CASE(slot_free_while_closed),
	KUNIT_CASE(slot_forget),
	KUNIT_CASE_SLOW(slot_scan_buries),
	{}
};

static struct kunit_suite slot_suite = {
	.name = "kmemleak_slot",
	.init = slot_init,
	.exit = slot_exit,
	.test_cases = slot_cases,
};

kunit_test_suite(slot_suite);
