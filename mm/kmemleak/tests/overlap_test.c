// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of hooks that are called for memory of others.
 *
 * What the slab allocator and the per-CPU allocator have handed out is tracked as
 * such. A record beside that would be reported once the object is freed.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kmemleak.h>
#include <linux/kmsg_dump.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../store/slot.h"
#include "cache.h"
#include "slot.h"
#include "tree.h"

/* Length of the objects, and how many there are at most: two full slabs. */
#define SIZE		256
#define MAX_OBJECTS	256

/* What a test has, given back by overlap_exit() however the test ends. */
static struct {
	struct kmem_cache *cache;
	void *objects[MAX_OBJECTS];
	unsigned int nr;
	void __percpu *first;
	void __percpu *percpu;
	struct kml_slab *slab;
	unsigned long tracked;
} had;

static bool has_record(enum kml_space space, unsigned long start, size_t size)
{
	struct kml_record *rec = kml_find_range(&kml_trees[space], start, size);

	if (rec)
		kml_put(rec);
	return rec;
}

/* Fill a slab. Returns the address of its first object. */
static unsigned long fill_slab(struct kunit *test)
{
	struct kml_slab *slab;
	void *ptr;

	had.cache = create_own_cache("kmemleak_overlap", SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, had.cache);
	do {
		ptr = kmem_cache_alloc(had.cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, ptr);
		had.objects[had.nr++] = ptr;
		rcu_read_lock();
		slab = kml_slab_at(addr_of(ptr));
		if (slab && !had.slab && refcount_inc_not_zero(&slab->ref))
			had.slab = slab;
		rcu_read_unlock();
		KUNIT_ASSERT_NOT_NULL(test, slab);
	} while (slab == had.slab && had.nr < MAX_OBJECTS);
	KUNIT_ASSERT_GT(test, had.slab->nr, 4);
	return had.slab->first;
}

/* Which object is at that address? had.nr if none is. */
static unsigned int object_at(unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < had.nr; i++) {
		if (addr_of(had.objects[i]) == addr)
			break;
	}
	return i;
}

static void free_at(struct kunit *test, unsigned long addr)
{
	unsigned int i = object_at(addr);

	KUNIT_ASSERT_LT(test, i, had.nr);
	kmem_cache_free(had.cache, had.objects[i]);
	had.objects[i] = had.objects[--had.nr];
}

/* Until there is an object at that address. */
static void alloc_at(struct kunit *test, unsigned long addr)
{
	while (object_at(addr) == had.nr) {
		if (IS_ENABLED(CONFIG_KASAN_GENERIC) && had.nr == MAX_OBJECTS)
			kunit_skip(test, "KASAN keeps what is free");
		KUNIT_ASSERT_LT(test, had.nr, MAX_OBJECTS);
		had.objects[had.nr] = kmem_cache_alloc(had.cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, had.objects[had.nr]);
		had.nr++;
	}
}

/* A range: bytes, and so many objects more with what is between them. */
struct overlap {
	const char *name;
	int offset;
	size_t size;
	unsigned int more;
	int min_count;
};

static void overlap_desc(const struct overlap *overlap, char *desc)
{
	strscpy(desc, overlap->name, KUNIT_PARAM_DESC_SIZE);
}

/* ---- Slab objects ---- */

static const struct overlap overlaps[] = {
	{ "inside",		64,	64,	0,	1 },
	{ "at the start",	0,	64,	0,	1 },
	{ "up to the end",	192,	64,	0,	1 },
	{ "a root inside",	64,	64,	0,	KML_GRAY },
	{ "exactly",		0,	SIZE,	0,	KML_GRAY },
	{ "exactly, for two",	0,	SIZE,	0,	2 },
	{ "across two",		128,	0,	1,	1 },
	{ "over two",		0,	SIZE,	1,	1 },
	{ "over several",	0,	SIZE,	3,	1 },
};

KUNIT_ARRAY_PARAM(overlap, overlaps, overlap_desc);

/* All is as if it had not been called. */
static void overlap_live(struct kunit *test)
{
	const struct overlap *overlap = test->param_value;
	unsigned long first = fill_slab(test);
	unsigned long start = first + overlap->offset, at;
	size_t size = overlap->size + overlap->more * had.slab->stride;

	had.tracked = start;
	kmemleak_alloc((void *)start, size, overlap->min_count, GFP_KERNEL);
	KUNIT_EXPECT_FALSE(test, has_record(KML_VIRT, start, size));
	for (at = first; at < start + size; at += had.slab->stride) {
		expect_at(test, KML_VIRT, at + 64, at, SIZE, KML_IN_SLOT);
		free_at(test, at);
		expect_where(test, KML_VIRT, at + 64, KML_NOWHERE);
	}
	/* Who calls one calls the other. */
	kmemleak_free((void *)start);
	KUNIT_EXPECT_FALSE(test, has_record(KML_VIRT, start, size));
}

/* A second call for the same object changes who has allocated it. */
static void overlap_same(struct kunit *test)
{
	unsigned long addr = fill_slab(test);

	kmemleak_alloc((void *)addr, SIZE, 1, GFP_KERNEL);
	expect_tracked(test, KML_VIRT, addr, SIZE, overlap_same);
	KUNIT_EXPECT_FALSE(test, has_record(KML_VIRT, addr, SIZE));
	free_at(test, addr);
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
}

/* Beside objects in slots there may be records of others. */
static void overlap_beside(struct kunit *test)
{
	unsigned long first = fill_slab(test), stride = had.slab->stride;
	unsigned long addr = first + stride;

	free_at(test, addr);
	had.tracked = addr;
	kmemleak_alloc((void *)addr, SIZE, KML_GRAY, GFP_KERNEL);
	expect_at(test, KML_VIRT, addr + 64, addr, SIZE, KML_ON_ITS_OWN);
	expect_at(test, KML_VIRT, first + SIZE - 1, first, SIZE, KML_IN_SLOT);
	expect_at(test, KML_VIRT, addr + stride, addr + stride, SIZE,
		  KML_IN_SLOT);
	kmemleak_free((void *)addr);
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
}

/* The log has it. The address is that of no other message. */
static bool is_logged(const char *want)
{
	struct kmsg_dump_iter iter;
	static char line[256];
	bool found = false;
	size_t len;

	kmsg_dump_rewind(&iter);
	while (!found && kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		found = strstr(line, want);
	}
	return found;
}

/* Messages are not always printed, when there are many of them. */
static void overlap_message(struct kunit *test)
{
	unsigned long start = fill_slab(test) + 64;
	char want[80];
	int tries = 70;

	snprintf(want, sizeof(want),
		 "object at 0x%lx (size 32) overlaps one that is in use", start);
	while (tries-- && !is_logged(want)) {
		kmemleak_alloc((void *)start, 32, 1, GFP_KERNEL);
		msleep(100);
	}
	KUNIT_EXPECT_TRUE(test, is_logged(want));
}

/* What is at hand is that the slab is gone, and somebody else has its memory. */
static void overlap_gone(struct kunit *test)
{
	unsigned long addr = fill_slab(test);
	struct slab *backing = had.slab->backing;

	had.slab->backing = NULL;
	had.tracked = addr;
	kmemleak_alloc((void *)addr, SIZE, KML_GRAY, GFP_KERNEL);
	had.slab->backing = backing;
	expect_at(test, KML_VIRT, addr + 64, addr, SIZE, KML_ON_ITS_OWN);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, kml_slab_at(addr));
	rcu_read_unlock();
}

/* ---- Records that are there first ---- */

static const struct overlap stale[] = {
	{ "inside",		64,	64,	0,	1 },
	{ "at the start",	0,	64,	0,	KML_GRAY },
	{ "exactly",		0,	SIZE,	0,	KML_GRAY },
	{ "across two",		128,	0,	1,	KML_GRAY },
};

KUNIT_ARRAY_PARAM(stale, stale, overlap_desc);

/* Two objects are free when it is called for their memory; it then comes back. */
static void overlap_stale(struct kunit *test)
{
	const struct overlap *overlap = test->param_value;
	unsigned long first = fill_slab(test);
	unsigned long start = first + overlap->offset;
	unsigned long second = first + had.slab->stride;
	size_t size = overlap->size + overlap->more * had.slab->stride;

	free_at(test, first);
	free_at(test, second);
	had.tracked = start;
	kmemleak_alloc((void *)start, size, overlap->min_count, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, has_record(KML_VIRT, start, size));
	alloc_at(test, first);
	if (overlap->more)
		alloc_at(test, second);

	KUNIT_ASSERT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_FALSE(test, has_record(KML_VIRT, start, size));
	expect_at(test, KML_VIRT, start, first, SIZE, KML_IN_SLOT);
}

/* ---- Per-CPU objects ---- */

static const struct overlap percpu_overlaps[] = {
	{ "inside",		16,	16 },
	{ "at the start",	0,	16 },
	{ "up to the end",	56,	8 },
	{ "not in a grain",	20,	8 },
	{ "exactly",		0,	64 },
	{ "longer",		0,	72 },
	{ "across the end",	32,	64 },
	{ "across the start",	-32,	64 },
	{ "over it",		-8,	80 },
	{ "far over it",	-8,	1024 },
};

KUNIT_ARRAY_PARAM(percpu_overlap, percpu_overlaps, overlap_desc);

/* Not at the start of a page. Returns its address. */
static unsigned long alloc_percpu_object(struct kunit *test)
{
	had.first = __alloc_percpu(64, 64);
	KUNIT_ASSERT_TRUE(test, had.first);
	had.percpu = __alloc_percpu(64, 64);
	KUNIT_ASSERT_TRUE(test, had.percpu);
	if (!(percpu_addr(had.percpu) % KML_PERCPU_PAGE))
		swap(had.first, had.percpu);
	return percpu_addr(had.percpu);
}

/* What is in the way is not overwritten. What is inside goes with it at last. */
static void overlap_percpu(struct kunit *test)
{
	const struct overlap *overlap = test->param_value;
	unsigned long addr, at;

	addr = alloc_percpu_object(test);
	kmemleak_alloc_percpu((void __percpu *)(addr + overlap->offset),
			      overlap->size, GFP_KERNEL);
	/* In front of what is inside, and everywhere if there was no room for it. */
	for (at = addr; at < addr + 64 && at < addr + max(overlap->offset, 1); at++)
		expect_at(test, KML_PERCPU, at, addr, 64, KML_IN_SLOT);
	KUNIT_EXPECT_FALSE(test, has_record(KML_PERCPU, addr, 64));
	free_percpu(had.percpu);
	had.percpu = NULL;
	for (at = addr; at < addr + 64; at++)
		expect_where(test, KML_PERCPU, at, KML_NOWHERE);
}

/* However it came to be there. */
static void overlap_percpu_stale(struct kunit *test)
{
	struct kml_record *rec = kml_record_alloc(GFP_KERNEL);
	unsigned long addr;

	KUNIT_ASSERT_NOT_NULL(test, rec);
	addr = alloc_percpu_object(test);
	kml_record_init(rec, KML_PERCPU, addr + 32, 16);
	rec->min_count = KML_GRAY;
	rec->trace = 0;
	rec->comm = 0;
	rec->pid = 0;
	rec->jiffies = jiffies;
	KUNIT_ASSERT_EQ(test, kml_insert(&kml_trees[KML_PERCPU], rec), 0);
	KUNIT_ASSERT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_FALSE(test, has_record(KML_PERCPU, addr, 64));
	expect_at(test, KML_PERCPU, addr + 32, addr, 64, KML_IN_SLOT);
}

static int overlap_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void overlap_exit(struct kunit *test)
{
	if (had.tracked)
		kml_untrack(KML_VIRT, had.tracked);
	if (had.slab)
		kml_slab_put(had.slab);
	while (had.nr)
		kmem_cache_free(had.cache, had.objects[--had.nr]);
	kmem_cache_destroy(had.cache);
	free_percpu(had.percpu);
	free_percpu(had.first);
	/* No pointer that is left may hide a leak. */
	memset(&had, 0, sizeof(had));
}

static struct kunit_case overlap_cases[] = {
	KUNIT_CASE_PARAM(overlap_live, overlap_gen_params),
	KUNIT_CASE(overlap_same),
	KUNIT_CASE(overlap_beside),
	KUNIT_CASE_SLOW(overlap_message),
	KUNIT_CASE(overlap_gone),
	KUNIT_CASE_PARAM(overlap_stale, stale_gen_params),
	KUNIT_CASE_PARAM(overlap_percpu, percpu_overlap_gen_params),
	KUNIT_CASE(overlap_percpu_stale),
	{}
};

static struct kunit_suite overlap_suite = {
	.name = "kmemleak_overlap",
	.init = overlap_init,
	.exit = overlap_exit,
	.test_cases = overlap_cases,
};

kunit_test_suite(overlap_suite);
