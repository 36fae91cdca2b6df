// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of what the slab allocator does besides kmalloc()
 * and kfree(): objects that it hands out without locks, and arrays of free ones.
 *
 * Where the kernel lacks what a test is about, it is skipped.
 */
#include <kunit/test.h>
#include <linux/kmemleak.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../scan/scan.h"
#include "../store/store.h"
#include "audit.h"
#include "cache.h"
#include "hidden.h"
#include "slot.h"

struct slab_sheaf;

#define FOREIGN_WORDS	23
#define FOREIGN_SIZE	(FOREIGN_WORDS * sizeof(long))

/* A word in some live object may happen to refer to what should be a leak. */
#define FOREIGN_TRIES	5

/* Objects that are handed out together, fewer than in an array of free ones. */
#define FOREIGN_NR	8

static unsigned long *alloc_nolock(struct kunit *test)
{
	unsigned long *object = kmalloc_nolock(FOREIGN_SIZE, __GFP_ZERO, NUMA_NO_NODE);

	if (!object)
		kunit_skip(test, "nothing is allocated without locks");
	return object;
}

/* ---- Objects that are allocated without locks ---- */

/* What only such an object points at is in use, until it does not. */
static bool leaks_when_forgotten(struct kunit *test, unsigned long *object)
{
	unsigned long hidden = kml_hidden_alloc(FOREIGN_SIZE);
	bool leaks;

	kml_hidden_reveal(&object[FOREIGN_WORDS / 2], hidden);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_FALSE(test, kml_hidden_is_leak(hidden));

	WRITE_ONCE(object[FOREIGN_WORDS / 2], 0);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leaks = kml_hidden_is_leak(hidden);
	kml_hidden_retire(hidden);
	return leaks;
}

static void foreign_refers(struct kunit *test)
{
	unsigned long *object = alloc_nolock(test);
	struct kml_sight sight;
	unsigned int i;

	KUNIT_EXPECT_FALSE(test, kml_know_all());
	kml_look(KML_VIRT, addr_of(object), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_NOWHERE);
	for (i = 0; i < FOREIGN_TRIES; i++) {
		if (leaks_when_forgotten(test, object))
			break;
	}
	KUNIT_EXPECT_LT(test, i, FOREIGN_TRIES);

	/* As kfree_rcu() and others say of it. */
	kmemleak_ignore(object);
	kfree(object);
}

/* Nor is one that was freed, whatever is in it still. */
static bool leaks_when_freed(struct kunit *test, void (*free)(const void *object))
{
	unsigned long *object = alloc_nolock(test);
	unsigned long hidden = kml_hidden_alloc(FOREIGN_SIZE);
	bool leaks;

	kml_hidden_reveal(&object[FOREIGN_WORDS / 2], hidden);
	free(object);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leaks = kml_hidden_is_leak(hidden);
	kml_hidden_retire(hidden);
	return leaks;
}

static void free_nolock(const void *object)
{
	kfree_nolock(object);
}

static void foreign_freed(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < FOREIGN_TRIES; i++) {
		if (leaks_when_freed(test, free_nolock))
			break;
	}
	KUNIT_EXPECT_LT(test, i, FOREIGN_TRIES);
	for (i = 0; i < FOREIGN_TRIES; i++) {
		if (leaks_when_freed(test, kfree))
			break;
	}
	KUNIT_EXPECT_LT(test, i, FOREIGN_TRIES);
}

/* Those around it that are tracked are no roots. */
static bool neighbours_leak(struct kunit *test)
{
	unsigned long hidden = kml_hidden_alloc(FOREIGN_SIZE);
	unsigned long holder = kml_hidden_alloc(FOREIGN_SIZE);
	bool leak;

	kml_hidden_reveal((unsigned long *)~holder, hidden);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leak = kml_hidden_is_leak(holder) && kml_hidden_is_leak(hidden);
	kml_hidden_retire(holder);
	kml_hidden_retire(hidden);
	return leak;
}

static void foreign_neighbours(struct kunit *test)
{
	unsigned long *object = alloc_nolock(test);
	unsigned int i;

	for (i = 0; i < FOREIGN_TRIES; i++) {
		if (neighbours_leak(test))
			break;
	}
	KUNIT_EXPECT_LT(test, i, FOREIGN_TRIES);
	kfree_nolock(object);
}

/*
 * Nobody is told of a free without locks. What comes in the place of the object is
 * tracked all the same, and gone once it is freed in the usual way.
 */
static void foreign_free(struct kunit *test)
{
	unsigned long *objects[32], *object;
	struct kml_sight sight, first;
	unsigned int i;

	kfree_nolock(alloc_nolock(test));
	object = kmalloc(FOREIGN_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, object);
	kml_look(KML_VIRT, addr_of(object), &first);
	kfree_nolock(object);
	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kmalloc(FOREIGN_SIZE, GFP_KERNEL);
		if (!objects[i] || addr_of(objects[i]) == addr_of(object))
			break;
	}
	KUNIT_EXPECT_LT(test, i, ARRAY_SIZE(objects));
	kml_look(KML_VIRT, addr_of(object), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_IN_SLOT);
	KUNIT_EXPECT_EQ(test, sight.start, addr_of(object));
	KUNIT_EXPECT_NE(test, sight.trace, first.trace);
	for (i = min(i + 1, ARRAY_SIZE(objects)); i; i--)
		kfree(objects[i - 1]);
	kml_look(KML_VIRT, addr_of(object), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_NOWHERE);
}

/* ---- Objects that their owner keeps for another time ---- */

/* As the block layer does with bios: the slab allocator does not know. */
static void foreign_kept(struct kunit *test)
{
	unsigned long *object = kmalloc(FOREIGN_SIZE, GFP_KERNEL);
	struct kml_sight sight, first;

	KUNIT_ASSERT_NOT_NULL(test, object);
	kml_look(KML_VIRT, addr_of(object), &first);
	KUNIT_EXPECT_EQ(test, first.where, KML_IN_SLOT);
	kmemleak_free(object);
	kml_look(KML_VIRT, addr_of(object), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_NOWHERE);
	kmemleak_alloc(object, first.size, 1, GFP_KERNEL);
	kml_look(KML_VIRT, addr_of(object), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_IN_SLOT);
	KUNIT_EXPECT_EQ(test, sight.size, first.size);
	KUNIT_EXPECT_NE(test, sight.trace, first.trace);
	kfree(object);
	kml_look(KML_VIRT, addr_of(object), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_NOWHERE);
}

/* Ignored: neither reported, nor are there references in it. */
static bool leaks_from_ignored(struct kunit *test)
{
	unsigned long hidden = kml_hidden_alloc(FOREIGN_SIZE);
	unsigned long __percpu *counter = alloc_percpu(unsigned long);
	unsigned int cpu = cpumask_first(cpu_possible_mask);
	unsigned long addr = (__force unsigned long)counter;
	struct kml_ref ref;
	bool leaks = false;

	if (!counter)
		goto out;
	kml_hidden_reveal(per_cpu_ptr(counter, cpu), hidden);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_FALSE(test, kml_hidden_is_leak(hidden));
	kmemleak_ignore_percpu(counter);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leaks = kml_hidden_is_leak(hidden);
	KUNIT_EXPECT_TRUE(test, kml_ref_find(KML_PERCPU, addr, &ref));
	KUNIT_EXPECT_EQ(test, kml_ref_needed(&ref), KML_BLACK);
	kml_ref_put(&ref);
	free_percpu(counter);
out:
	kml_hidden_retire(hidden);
	return leaks;
}

static void foreign_ignored_percpu(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < FOREIGN_TRIES; i++) {
		if (leaks_from_ignored(test))
			break;
	}
	KUNIT_EXPECT_LT(test, i, FOREIGN_TRIES);
}

/* ---- Arrays of free objects ---- */

/* Addresses, inverted. */
static unsigned long foreign_hidden[FOREIGN_NR];

static void hide(unsigned int i, void **object)
{
	foreign_hidden[i] = ~(unsigned long)*object;
	WRITE_ONCE(*object, NULL);
}

/* They come from an array that they were put into before. */
static noinline bool alloc_bulk_again(struct kmem_cache *cache)
{
	void *objects[FOREIGN_NR];
	unsigned int i;

	if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, FOREIGN_NR, objects))
		return false;
	kmem_cache_free_bulk(cache, FOREIGN_NR, objects);
	if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, FOREIGN_NR, objects))
		return false;
	for (i = 0; i < FOREIGN_NR; i++)
		hide(i, &objects[i]);
	/* What the last calls have left in registers and on the stack is none of them. */
	if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, FOREIGN_NR, objects))
		return false;
	kmem_cache_free_bulk(cache, FOREIGN_NR, objects);
	memset(objects, 0, sizeof(objects));
	barrier_data(objects);
	return true;
}

static noinline bool alloc_from(struct kmem_cache *cache, struct slab_sheaf *sheaf)
{
	unsigned int i;
	void *object;

	for (i = 0; i < FOREIGN_NR; i++) {
		object = kmem_cache_alloc_from_sheaf(cache, GFP_KERNEL, sheaf);
		if (!object)
			return false;
		hide(i, &object);
	}
	/* What the last call has left in registers is none of them. */
	kmem_cache_free(cache, kmem_cache_alloc_from_sheaf(cache, GFP_KERNEL, sheaf));
	return true;
}

/* An array hides all of them, what is dead elsewhere one or the other. */
static unsigned int count_leaks(struct kunit *test)
{
	unsigned int i, leaks = 0;

	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	for (i = 0; i < FOREIGN_NR; i++)
		leaks += kml_hidden_is_leak(foreign_hidden[i]);
	return leaks;
}

static void free_hidden(struct kmem_cache *cache)
{
	unsigned int i;

	for (i = 0; i < FOREIGN_NR; i++)
		kmem_cache_free(cache, (void *)~foreign_hidden[i]);
}

static struct kmem_cache *create_cache(struct kunit *test)
{
	struct kmem_cache *cache;

	cache = create_own_cache("kmemleak_foreign", FOREIGN_SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	return cache;
}

static void foreign_bulk(struct kunit *test)
{
	struct kmem_cache *cache = create_cache(test);
	unsigned int i, most = 0;

	for (i = 0; i < FOREIGN_TRIES && most < FOREIGN_NR / 2; i++) {
		KUNIT_ASSERT_TRUE(test, alloc_bulk_again(cache));
		most = max(most, count_leaks(test));
		free_hidden(cache);
	}
	KUNIT_EXPECT_GE(test, most, FOREIGN_NR / 2);
	kmem_cache_destroy(cache);
}

/* Its owner has the array still when the objects are lost. */
static void foreign_prefilled(struct kunit *test)
{
	struct kmem_cache *cache = create_cache(test);
	unsigned int i, most = 0;
	struct slab_sheaf *sheaf;

	for (i = 0; i < FOREIGN_TRIES && most < FOREIGN_NR / 2; i++) {
		sheaf = kmem_cache_prefill_sheaf(cache, GFP_KERNEL, FOREIGN_NR + 1);
		if (!sheaf) {
			kmem_cache_destroy(cache);
			kunit_skip(test, "there are no arrays of free objects");
		}
		KUNIT_ASSERT_TRUE(test, alloc_from(cache, sheaf));
		most = max(most, count_leaks(test));
		kmem_cache_return_sheaf(cache, GFP_KERNEL, sheaf);
		free_hidden(cache);
	}
	KUNIT_EXPECT_GE(test, most, FOREIGN_NR / 2);
	kmem_cache_destroy(cache);
}

static struct kunit_case foreign_cases[] = {
	KUNIT_CASE(foreign_refers),
	KUNIT_CASE(foreign_freed),
	KUNIT_CASE(foreign_neighbours),
	KUNIT_CASE(foreign_free),
	KUNIT_CASE(foreign_kept),
	KUNIT_CASE(foreign_ignored_percpu),
	KUNIT_CASE(foreign_bulk),
	KUNIT_CASE(foreign_prefilled),
	{}
};

static struct kunit_suite foreign_suite = {
	.name = "kmemleak_foreign",
	.test_cases = foreign_cases,
	.exit = kml_hidden_exit,
};

kunit_test_suite(foreign_suite);
