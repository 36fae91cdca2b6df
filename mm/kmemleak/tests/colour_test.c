// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of what annotations do to an object.
 *
 * All goes through the functions the rest of the kernel calls, and through the
 * allocators themselves, in the trees of the running detector. Objects that are
 * looked at are pinned, so that it does not matter who gets their memory next.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/kallsyms.h>
#include <linux/kmemleak.h>
#include <linux/limits.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../report/report.h"

/* A length that objects have on all machines, as given to kmalloc(). */
#define SIZE	128

/* What a test allocates, given back by colour_exit() however the test ends. */
static struct {
	u8 *slab;
	u8 *page;
	void *area;
	u64 __percpu *percpu;
	struct kml_record *rec;
} had;

static unsigned long addr_of(const void *ptr)
{
	return (unsigned long)kasan_reset_tag(ptr);
}

/* Pin the object at @addr until the next call, or the end of the test. */
static struct kml_record *find(enum kml_space space, unsigned long addr)
{
	if (had.rec)
		kml_put(had.rec);
	had.rec = kml_record_of(space, addr);
	return had.rec;
}

static struct kml_record *new_object(struct kunit *test)
{
	struct kml_record *rec;

	had.slab = kmalloc(SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, had.slab);
	rec = find(KML_VIRT, addr_of(had.slab));
	KUNIT_ASSERT_NOT_NULL(test, rec);
	return rec;
}

/* Pages are not tracked, unless somebody does it by hand. */
static unsigned long new_page(struct kunit *test)
{
	had.page = (u8 *)__get_free_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, had.page);
	return addr_of(had.page);
}

static void expect_min_count(struct kunit *test, const struct kml_record *rec,
			     int min_count)
{
	KUNIT_EXPECT_EQ(test, rec->min_count, min_count);
	KUNIT_EXPECT_EQ(test, kml_is_black(rec), min_count == -1);
	KUNIT_EXPECT_EQ(test, kml_is_gray(rec), min_count == 0);
	KUNIT_EXPECT_EQ(test, kml_is_counted(rec), min_count > 0);
}

/* ---- Colours from the start ---- */

struct min_count {
	int given;
	int kept;
};

static const struct min_count min_counts[] = {
	{ 0, 0 },
	{ 1, 1 },
	{ 2, 2 },
	{ S16_MAX, S16_MAX },
	{ S16_MAX + 1, S16_MAX },
	{ U16_MAX, S16_MAX },
	{ INT_MAX, S16_MAX },
	{ -1, -1 },
	{ -2, -1 },
	{ S16_MIN, -1 },
	{ INT_MIN, -1 },
};

static void min_count_desc(const struct min_count *count, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d", count->given);
}

KUNIT_ARRAY_PARAM(min_count, min_counts, min_count_desc);

static void colour_alloc(struct kunit *test)
{
	const struct min_count *count = test->param_value;
	unsigned long addr = new_page(test);
	struct kml_record *rec;

	KUNIT_EXPECT_NULL(test, find(KML_VIRT, addr));
	kmemleak_alloc(had.page, SIZE, count->given, GFP_KERNEL);
	rec = find(KML_VIRT, addr);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->start, addr);
	KUNIT_EXPECT_EQ(test, rec->size, SIZE);
	expect_min_count(test, rec, count->kept);
	/* What is ignored is not scanned either. */
	KUNIT_EXPECT_EQ(test, rec->flags, count->kept < 0 ? KML_NO_SCAN : 0);

	kmemleak_free(had.page);
	KUNIT_EXPECT_FALSE(test, rec->alive);
	KUNIT_EXPECT_NULL(test, find(KML_VIRT, addr));
}

/* Pointers that are none must not be taken for addresses. */
static void colour_no_pointer(struct kunit *test)
{
	void *error = ERR_PTR(-ENOMEM);

	kmemleak_alloc(NULL, SIZE, 1, GFP_KERNEL);
	KUNIT_EXPECT_NULL(test, find(KML_VIRT, 0));
	kmemleak_alloc(error, 1, 1, GFP_KERNEL);
	KUNIT_EXPECT_NULL(test, find(KML_VIRT, addr_of(error)));
	kmemleak_alloc_percpu((void __percpu *)NULL, SIZE, GFP_KERNEL);
	KUNIT_EXPECT_NULL(test, find(KML_PERCPU, 0));
	kmemleak_alloc_percpu((void __percpu *)addr_of(error), 1, GFP_KERNEL);
	KUNIT_EXPECT_NULL(test, find(KML_PERCPU, addr_of(error)));
}

static void colour_free_part(struct kunit *test)
{
	unsigned long addr = new_page(test);
	struct kml_record *rec;

	kmemleak_alloc(had.page, SIZE, 0, GFP_KERNEL);
	kmemleak_free_part(had.page + 16, SIZE - 32);
	KUNIT_EXPECT_NULL(test, find(KML_VIRT, addr + 16));
	KUNIT_EXPECT_NULL(test, find(KML_VIRT, addr + SIZE - 17));
	rec = find(KML_VIRT, addr);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->size, 16);
	expect_min_count(test, rec, 0);
	rec = find(KML_VIRT, addr + SIZE - 16);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->size, 16);
	expect_min_count(test, rec, 0);
}

/* ---- Annotations ---- */

struct annotation {
	const char *name;
	void (*annotate)(const void *ptr);
	int min_count;
	u8 flags;
};

static const struct annotation annotations[] = {
	{ "not_leak",	kmemleak_not_leak,	KML_GRAY,	0 },
	{ "ignore",	kmemleak_ignore,	KML_BLACK,	KML_NO_SCAN },
	{ "no_scan",	kmemleak_no_scan,	1,		KML_NO_SCAN },
};

static void annotation_desc(const struct annotation *annotation, char *desc)
{
	strscpy(desc, annotation->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(annotation, annotations, annotation_desc);

static void colour_annotate(struct kunit *test)
{
	const struct annotation *annotation = test->param_value;
	struct kml_record *rec = new_object(test);

	KUNIT_EXPECT_EQ(test, rec->start, addr_of(had.slab));
	KUNIT_EXPECT_EQ(test, rec->size, SIZE);
	expect_min_count(test, rec, 1);
	KUNIT_EXPECT_EQ(test, rec->flags, 0);

	/* A pointer into an object is none to the object. */
	annotation->annotate(had.slab + 8);
	annotation->annotate(NULL);
	annotation->annotate(ERR_PTR(-EINVAL));
	expect_min_count(test, rec, 1);
	KUNIT_EXPECT_EQ(test, rec->flags, 0);

	annotation->annotate(had.slab);
	expect_min_count(test, rec, annotation->min_count);
	KUNIT_EXPECT_EQ(test, rec->flags, annotation->flags);
	KUNIT_EXPECT_TRUE(test, rec->alive);
}

static void colour_transient(struct kunit *test)
{
	struct kml_record *rec = new_object(test);
	u32 scan, before, inside, after;

	/* No scan begins meanwhile; no assertion may fail while that is so. */
	mutex_lock(&kml_scan_mutex);
	scan = kml_scan_seq;
	before = rec->grace;
	kmemleak_transient_leak(had.slab + 8);
	inside = rec->grace;
	kmemleak_transient_leak(had.slab);
	after = rec->grace;
	mutex_unlock(&kml_scan_mutex);

	KUNIT_EXPECT_LT(test, (s32)(before - scan), 0);
	KUNIT_EXPECT_EQ(test, inside, before);
	KUNIT_EXPECT_EQ(test, after, scan + 1);
	expect_min_count(test, rec, 1);
	KUNIT_EXPECT_EQ(test, rec->flags, 0);
}

/* A frame of its own, which the trace must begin with. */
static noinline void colour_retrace(const void *ptr)
{
	kmemleak_update_trace(ptr);
	barrier();
}

static void colour_update_trace(struct kunit *test)
{
	struct kml_record *rec = new_object(test);
	depot_stack_handle_t old = rec->trace;
	char symbol[KSYM_SYMBOL_LEN];
	unsigned long *entries;
	unsigned int nr;

	KUNIT_EXPECT_NE(test, old, 0);
	colour_retrace(NULL);
	KUNIT_EXPECT_EQ(test, rec->trace, old);

	colour_retrace(had.slab);
	KUNIT_EXPECT_NE(test, rec->trace, old);
	nr = kml_trace_fetch(rec->trace, &entries);
	KUNIT_ASSERT_GE(test, nr, 2);
	KUNIT_EXPECT_LE(test, nr, KML_TRACE_DEPTH);
	sprint_symbol_no_offset(symbol, entries[0]);
	KUNIT_EXPECT_STREQ(test, symbol, "colour_retrace");
	sprint_symbol_no_offset(symbol, entries[1]);
	KUNIT_EXPECT_STREQ(test, symbol, "colour_update_trace");
}

static void colour_origin(struct kunit *test)
{
	unsigned long before = jiffies;
	struct kml_record *rec = new_object(test);
	char comm[TASK_COMM_LEN];

	kml_name_fetch(rec->comm, comm);
	KUNIT_EXPECT_EQ(test, rec->pid, current->pid);
	KUNIT_EXPECT_STREQ(test, comm, current->comm);
	KUNIT_EXPECT_TRUE(test, time_in_range(rec->jiffies, before, jiffies));
	KUNIT_EXPECT_EQ(test, rec->space, KML_VIRT);
}

/* ---- Scan areas ---- */

struct area {
	const char *name;
	size_t from;
	size_t size;
	size_t kept;
};

/* @kept is the size of the area that results, 0 if there shall be none. */
static const struct area areas[] = {
	{ "middle",			8,	16,		16 },
	{ "front",			0,	8,		8 },
	{ "back",			SIZE - 8, 8,		8 },
	{ "last byte",			SIZE - 1, 1,		1 },
	{ "all",			0,	SIZE,		SIZE },
	{ "all by SIZE_MAX",		0,	SIZE_MAX,	SIZE },
	{ "rest by SIZE_MAX",		24,	SIZE_MAX,	SIZE - 24 },
	{ "last byte by SIZE_MAX",	SIZE - 1, SIZE_MAX,	1 },
	{ "nothing",			8,	0,		0 },
	{ "too large",			0,	SIZE + 1,	0 },
	{ "over the end",		SIZE - 8, 9,		0 },
	{ "wraps around",		8,	SIZE_MAX - 1,	0 },
	{ "wraps to the front",		8,	-(size_t)8,	0 },
};

static void area_desc(const struct area *area, char *desc)
{
	strscpy(desc, area->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(area, areas, area_desc);

static unsigned int nr_areas(const struct kml_record *rec)
{
	const struct kml_area *area;
	unsigned int nr = 0;

	/* Areas are never taken away. */
	hlist_for_each_entry_rcu(area, &rec->areas, node, true)
		nr++;
	return nr;
}

static void expect_first_area(struct kunit *test, const struct kml_record *rec,
			      size_t from, size_t size)
{
	const struct kml_area *area;

	KUNIT_ASSERT_FALSE(test, hlist_empty(&rec->areas));
	area = hlist_entry(rec->areas.first, struct kml_area, node);
	KUNIT_EXPECT_EQ(test, area->start, rec->start + from);
	KUNIT_EXPECT_EQ(test, area->size, size);
}

static void colour_scan_area(struct kunit *test)
{
	const struct area *area = test->param_value;
	struct kml_record *rec = new_object(test);

	kmemleak_scan_area(had.slab + area->from, area->size, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, nr_areas(rec), area->kept ? 1 : 0);
	if (area->kept)
		expect_first_area(test, rec, area->from, area->kept);
	/* One that does not fit is no reason to scan less than all, or more. */
	KUNIT_EXPECT_EQ(test, rec->flags, 0);
	expect_min_count(test, rec, 1);
}

static void colour_scan_areas(struct kunit *test)
{
	struct kml_record *rec = new_object(test);

	kmemleak_scan_area(had.slab, 8, GFP_KERNEL);
	kmemleak_scan_area(had.slab + 32, 16, GFP_ATOMIC);
	KUNIT_EXPECT_EQ(test, nr_areas(rec), 2);
	expect_first_area(test, rec, 32, 16);
	kmemleak_scan_area(had.slab + 32, SIZE, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, nr_areas(rec), 2);
}

/* ---- Allocators ---- */

static void colour_kmalloc(struct kunit *test)
{
	struct kml_record *rec = new_object(test);

	KUNIT_EXPECT_TRUE(test, rec->alive);
	KUNIT_EXPECT_PTR_EQ(test, find(KML_VIRT, rec->start + SIZE - 1), rec);
	kfree(had.slab);
	had.slab = NULL;
	KUNIT_EXPECT_FALSE(test, rec->alive);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rec->node));
	/* The test's own pin is the last one. */
	KUNIT_EXPECT_EQ(test, refcount_read(&rec->ref), 1);
}

/* The vm_struct points at its area, so a second reference is wanted. */
static void colour_vmalloc(struct kunit *test)
{
	const struct vm_struct *vm;
	struct kml_record *rec;
	unsigned long addr;

	had.area = vmalloc(2 * PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, had.area);
	addr = addr_of(had.area);
	rec = find(KML_VIRT, addr + PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->start, addr);
	KUNIT_EXPECT_EQ(test, rec->size, 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, rec->surplus, 0);
	/* No stack of a task. */
	KUNIT_EXPECT_EQ(test, rec->flags, 0);
	expect_min_count(test, rec, 2);

	vm = find_vm_area(had.area);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	rec = find(KML_VIRT, addr_of(vm));
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->start, addr_of(vm));
	KUNIT_EXPECT_EQ(test, rec->surplus, addr);
	expect_min_count(test, rec, 1);

	rec = find(KML_VIRT, addr);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	vfree(had.area);
	had.area = NULL;
	KUNIT_EXPECT_FALSE(test, rec->alive);
}

static void colour_percpu(struct kunit *test)
{
	struct kml_record *rec;
	unsigned long addr;

	had.percpu = alloc_percpu(u64);
	KUNIT_ASSERT_TRUE(test, had.percpu);
	addr = addr_of((const void *)(__force unsigned long)had.percpu);
	rec = find(KML_PERCPU, addr + sizeof(u64) - 1);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->start, addr);
	KUNIT_EXPECT_EQ(test, rec->size, sizeof(u64));
	KUNIT_EXPECT_EQ(test, rec->space, KML_PERCPU);
	expect_min_count(test, rec, 1);

	free_percpu(had.percpu);
	had.percpu = NULL;
	KUNIT_EXPECT_FALSE(test, rec->alive);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rec->node));
}

static void colour_phys(struct kunit *test)
{
	/* The detector does not look at what is there. Nothing is. */
	const phys_addr_t phys = -(unsigned long)PAGE_SIZE;
	struct kml_record *rec;

	kmemleak_alloc_phys(phys, SIZE, GFP_KERNEL);
	rec = find(KML_PHYS, phys + SIZE - 1);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->start, phys);
	KUNIT_EXPECT_EQ(test, rec->space, KML_PHYS);
	expect_min_count(test, rec, 0);
	kmemleak_ignore_phys(phys);
	expect_min_count(test, rec, -1);
	KUNIT_EXPECT_EQ(test, rec->flags, KML_NO_SCAN);

	kmemleak_free_part_phys(phys, SIZE);
	KUNIT_EXPECT_FALSE(test, rec->alive);
	KUNIT_EXPECT_NULL(test, find(KML_PHYS, phys));
}

/* What 32 bits cannot address is not taken for what they can. */
static void colour_phys_beyond(struct kunit *test)
{
	const unsigned long low = -2 * PAGE_SIZE;
	const phys_addr_t high = ((phys_addr_t)ULONG_MAX + 1) | low;
	struct kml_record *rec;

	if (high == low)
		kunit_skip(test, "nothing is beyond that");
	kmemleak_alloc_phys(high, SIZE, GFP_KERNEL);
	KUNIT_EXPECT_NULL(test, find(KML_PHYS, low));

	kmemleak_alloc_phys(low, SIZE, GFP_KERNEL);
	rec = find(KML_PHYS, low);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	kmemleak_ignore_phys(high);
	expect_min_count(test, rec, 0);
	kmemleak_free_part_phys(high, SIZE);
	KUNIT_EXPECT_TRUE(test, rec->alive);
	kmemleak_free_part_phys(low, SIZE);
	KUNIT_EXPECT_FALSE(test, rec->alive);

	/* Of a range across the end it is the part before it. */
	kmemleak_alloc_phys(low + PAGE_SIZE, 2 * PAGE_SIZE, GFP_KERNEL);
	rec = find(KML_PHYS, ULONG_MAX);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->size, PAGE_SIZE);
	kmemleak_free_part_phys(low + PAGE_SIZE, 2 * PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, rec->alive);
}

static int colour_init(struct kunit *test)
{
	memset(&had, 0, sizeof(had));
	if (!kml_tracking())
		kunit_skip(test, "the detector is off");
	return 0;
}

static void colour_exit(struct kunit *test)
{
	if (had.rec)
		kml_put(had.rec);
	kfree(had.slab);
	vfree(had.area);
	free_percpu(had.percpu);
	if (had.page) {
		kmemleak_free_part(had.page, PAGE_SIZE);
		free_page((unsigned long)had.page);
	}
	/* No pointer that is left may hide a leak. */
	memset(&had, 0, sizeof(had));
}

static struct kunit_case colour_cases[] = {
	KUNIT_CASE_PARAM(colour_alloc, min_count_gen_params),
	KUNIT_CASE(colour_no_pointer),
	KUNIT_CASE(colour_free_part),
	KUNIT_CASE_PARAM(colour_annotate, annotation_gen_params),
	KUNIT_CASE(colour_transient),
	KUNIT_CASE(colour_update_trace),
	KUNIT_CASE(colour_origin),
	KUNIT_CASE_PARAM(colour_scan_area, area_gen_params),
	KUNIT_CASE(colour_scan_areas),
	KUNIT_CASE(colour_kmalloc),
	KUNIT_CASE(colour_vmalloc),
	KUNIT_CASE(colour_percpu),
	KUNIT_CASE(colour_phys),
	KUNIT_CASE(colour_phys_beyond),
	{}
};

static struct kunit_suite colour_suite = {
	.name = "kmemleak_colour",
	.init = colour_init,
	.exit = colour_exit,
	.test_cases = colour_cases,
};

kunit_test_suite(colour_suite);
