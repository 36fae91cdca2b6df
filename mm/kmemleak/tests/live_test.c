// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of counting live objects by trace.
 *
 * What a test allocates has the test's own function in its trace, by which the
 * groups that it makes are found among all others.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../report/report.h"
#include "../store/slot.h"
#include "audit.h"
#include "cache.h"
#include "slot.h"
#include "tree.h"

#define OBJECTS		40
#define MARKS		12

/* Room for what is printed. */
#define TEXT		8192

static struct kml_counts counts;

static noinline void *allocate(size_t size)
{
	void *ptr = kmalloc(size, GFP_KERNEL);

	barrier();
	return ptr;
}

static void count_all(struct kunit *test)
{
	kml_counts_clear(&counts);
	counts.when = jiffies;
	KUNIT_ASSERT_EQ(test, kml_count_live(&counts), 0);
	kml_counts_finish(&counts);
}

/* Of all groups whose traces lead through @fn, in its own name; @last is one of them. */
static struct kml_total sum_of(const void *fn, const struct kml_count **last)
{
	struct kml_total sum = {};
	const struct kml_count *group;

	list_for_each_entry(group, &counts.groups, group) {
		unsigned int i;

		if (!kml_trace_has(group->trace, fn) ||
		    kml_is_allocators_own(group->trace))
			continue;
		sum.objects += group->all.objects;
		sum.bytes += group->all.bytes;
		sum.born_bytes += group->all.born_bytes;
		for (i = 0; i < KML_NR_PERIODS; i++)
			sum.born[i] += group->all.born[i];
		if (last)
			*last = group;
	}
	return sum;
}

/**
 * struct kinds - an object of each kind of memory, and several of a cache
 * @cache: the cache
 * @objects: of that
 * @large: of several pages
 * @area: of vmalloc()
 * @percpu: of each CPU
 */
struct kinds {
	struct kmem_cache *cache;
	void *objects[OBJECTS];
	void *large;
	void *area;
	void __percpu *percpu;
};

static noinline void allocate_kinds(struct kinds *kinds)
{
	unsigned int i;

	for (i = 0; i < OBJECTS; i++)
		kinds->objects[i] = kmem_cache_alloc(kinds->cache, GFP_KERNEL);
	kinds->large = kmalloc(4 * KMALLOC_MAX_CACHE_SIZE, GFP_KERNEL);
	kinds->area = vmalloc(3 * PAGE_SIZE);
	kinds->percpu = __alloc_percpu(48, 8);
	barrier();
}

/* Each kind of memory: its objects and bytes, and what they are a part of. */
static void live_kinds(struct kunit *test)
{
	static const char * const names[] = { "slab", "page", "vmalloc", "percpu" };
	struct kinds kinds = { .cache = create_own_cache("kml_live", 96, 0, 0, NULL) };
	const struct kml_count *group, *part;
	unsigned int i, seen = 0;
	struct kml_total sum;

	KUNIT_ASSERT_NOT_NULL(test, kinds.cache);
	allocate_kinds(&kinds);
	count_all(test);
	sum = sum_of(allocate_kinds, NULL);
	/* A vmalloc area brings objects of the allocator's own. */
	KUNIT_EXPECT_GE(test, sum.objects, OBJECTS + 3);
	list_for_each_entry(group, &counts.groups, group) {
		if (!kml_trace_has(group->trace, allocate_kinds))
			continue;
		list_for_each_entry(part, &group->members, link) {
			const struct kml_kind *kind = &part->memory->kind;

			KUNIT_EXPECT_STREQ(test, part->comm, current->comm);
			for (i = 0; i < ARRAY_SIZE(names); i++)
				seen |= !strcmp(kind->name, names[i]) << i;
			if (!strcmp(kind->cache, "kml_live")) {
				KUNIT_EXPECT_EQ(test, part->own.objects, OBJECTS);
				KUNIT_EXPECT_EQ(test, part->own.bytes, 96 * OBJECTS);
			} else if (!strcmp(kind->name, "page")) {
				KUNIT_EXPECT_EQ(test, part->own.bytes,
						4 * KMALLOC_MAX_CACHE_SIZE);
			} else if (!strcmp(kind->name, "percpu")) {
				KUNIT_EXPECT_EQ(test, part->own.bytes, 48);
			}
		}
	}
	KUNIT_EXPECT_EQ(test, seen, GENMASK(ARRAY_SIZE(names) - 1, 0));

	free_percpu(kinds.percpu);
	vfree(kinds.area);
	kfree(kinds.large);
	for (i = 0; i < OBJECTS; i++)
		kmem_cache_free(kinds.cache, kinds.objects[i]);
	kmem_cache_destroy(kinds.cache);
}

/* Freed objects are counted no more, and those with a record like those in a slot. */
static void live_records(struct kunit *test)
{
	const struct kml_count *group = NULL;
	void *objects[OBJECTS];
	struct kml_total sum;
	struct kml_ref ref;
	unsigned int i;

	for (i = 0; i < OBJECTS; i++)
		objects[i] = allocate(256);
	for (i = 0; i < OBJECTS; i += 4) {
		KUNIT_ASSERT_TRUE(test, kml_ref_find(KML_VIRT, addr_of(objects[i]), &ref));
		mutex_lock(&kml_scan_mutex);
		KUNIT_EXPECT_TRUE(test, kml_ref_give_record(&ref, GFP_KERNEL));
		mutex_unlock(&kml_scan_mutex);
		kml_ref_put(&ref);
	}
	for (i = 1; i < OBJECTS; i += 4)
		kfree(objects[i]);

	count_all(test);
	sum = sum_of(allocate, &group);
	KUNIT_EXPECT_EQ(test, sum.objects, OBJECTS / 4 * 3);
	KUNIT_EXPECT_EQ(test, sum.bytes, OBJECTS / 4 * 3 * 256);
	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_EXPECT_EQ(test, group->comms, 1);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&group->members));
	KUNIT_EXPECT_STREQ(test, group->memory->kind.name, "slab");

	for (i = 0; i < OBJECTS; i++)
		if (i % 4 != 1)
			kfree(objects[i]);
	count_all(test);
	KUNIT_EXPECT_EQ(test, sum_of(allocate, NULL).objects, 0);
}

/* What was allocated before a mark is never taken for what came after it. */
static void live_mark(struct kunit *test)
{
	void *before[MARKS], *after[MARKS];
	struct kml_total sum;
	unsigned int i;

	for (i = 0; i < MARKS; i++) {
		before[i] = allocate(128);
		KUNIT_ASSERT_EQ(test, kml_begin_interval(), 0);
		after[i] = allocate(256);
		count_all(test);
		sum = sum_of(allocate, NULL);
		KUNIT_EXPECT_EQ(test, sum.objects, 2 * i + 2);
		KUNIT_EXPECT_EQ(test, sum.born[KML_PERIOD_MARK], 1);
		KUNIT_EXPECT_EQ(test, sum.born_bytes, 256);
	}
	for (i = 0; i < MARKS; i++) {
		kfree(before[i]);
		kfree(after[i]);
	}
}

/* Objects that look as old as that, to both sides of the end of each period. */
static void live_periods(struct kunit *test)
{
	static const unsigned int ages[] = { 1, 55, 65, 595, 605, 3595, 3605, 86400 };
	void *objects[ARRAY_SIZE(ages)];
	const struct kml_count *group = NULL;
	struct kml_total sum;
	struct kml_ref ref;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ages); i++) {
		objects[i] = allocate(64);
		KUNIT_ASSERT_TRUE(test, kml_ref_find(KML_VIRT, addr_of(objects[i]), &ref));
		KUNIT_ASSERT_NULL(test, ref.rec);
		ref.slab->slots[ref.index].stamp -= ages[i] * HZ >> KML_STAMP_SHIFT;
		kml_ref_put(&ref);
	}
	count_all(test);
	sum = sum_of(allocate, &group);
	KUNIT_EXPECT_EQ(test, sum.objects, ARRAY_SIZE(ages));
	KUNIT_EXPECT_EQ(test, sum.born[KML_PERIOD_MINUTE], 2);
	KUNIT_EXPECT_EQ(test, sum.born[KML_PERIOD_TEN_MINUTES], 4);
	KUNIT_EXPECT_EQ(test, sum.born[KML_PERIOD_HOUR], 6);
	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_EXPECT_LE(test, kml_age(group->all.youngest, jiffies) / HZ, 5);
	KUNIT_EXPECT_GE(test, kml_age(group->all.oldest, jiffies) / HZ, 86399);
	for (i = 0; i < ARRAY_SIZE(ages); i++)
		kfree(objects[i]);
}

/* All that is there is counted once, the same as one by one. */
static int add_one(const struct kml_ref *ref, void *arg)
{
	struct kml_total *sum = arg;

	sum->objects++;
	sum->bytes += kml_ref_size(ref);
	return 0;
}

static void live_sums(struct kunit *test)
{
	struct kml_total sum, first, last;
	const struct kml_count *group;

	memset(&first, 0, sizeof(first));
	memset(&last, 0, sizeof(last));
	memset(&sum, 0, sizeof(sum));
	kml_for_each(KML_ALL, kml_ref_any, add_one, &first);
	count_all(test);
	kml_for_each(KML_ALL, kml_ref_any, add_one, &last);
	list_for_each_entry(group, &counts.groups, group) {
		const struct kml_count *part;
		unsigned long objects = 0, bytes = 0;

		list_for_each_entry(part, &group->members, link) {
			objects += part->own.objects;
			bytes += part->own.bytes;
		}
		KUNIT_EXPECT_EQ(test, objects, group->all.objects);
		KUNIT_EXPECT_EQ(test, bytes, group->all.bytes);
		sum.objects += objects;
		sum.bytes += bytes;
	}
	/* Others go on meanwhile. */
	KUNIT_EXPECT_GE(test, sum.objects + 200, min(first.objects, last.objects));
	KUNIT_EXPECT_LE(test, sum.objects, max(first.objects, last.objects) + 200);
	KUNIT_EXPECT_GE(test, sum.bytes + SZ_1M, min(first.bytes, last.bytes));
	KUNIT_EXPECT_LE(test, sum.bytes, max(first.bytes, last.bytes) + SZ_1M);
}

/* ---- What is printed ---- */

static const struct kml_memory memory = {
	.kind = { .name = "slab", .reclaimable = true, .cache = "a\"b" },
};

static struct kml_count *count_made_up(struct kunit *test)
{
	struct kml_count *count = kml_counts_new(&counts, 0, &memory, &memory);

	KUNIT_ASSERT_NOT_NULL(test, count);
	count->own = (struct kml_total){
		.objects = 12,
		.bytes = 3456,
		.leaks = 2,
		.leaked_bytes = 99,
		.oldest = counts.when - 700 * HZ,
		.youngest = counts.when - 5 * HZ,
		.born = { 1, 7, 12, 4 },
		.born_bytes = 1111,
	};
	kml_counts_finish(&counts);
	return list_first_entry(&counts.groups, struct kml_count, group);
}

static const char *show_made_up(struct kunit *test,
				void (*show)(struct seq_file *seq, const struct kml_count *group,
					     unsigned long when))
{
	char *text = kunit_kzalloc(test, TEXT, GFP_KERNEL);
	struct seq_file seq = { .buf = text, .size = TEXT - 1 };

	KUNIT_ASSERT_NOT_NULL(test, text);
	counts.when = jiffies;
	show(&seq, count_made_up(test), counts.when);
	return text;
}

static void live_text(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, show_made_up(test, kml_show_live),
			   "12 objects, 3456 bytes, 2 leaks, 10 held, age 5..700 s, born 1 in 60 s, 7 in 600 s, 12 in 3600 s, 4 since mark\n"
			   "  comm \"?\"\n");
}

static void live_json(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, show_made_up(test, kml_json_live),
			   "{\"objects\":12,\"bytes\":3456,\"leaks\":2,\"leaked_bytes\":99,\"born_since_mark\":4,\"bytes_since_mark\":1111,\"age_min_ms\":5000,\"age_max_ms\":700000,\"born_60s\":1,\"born_600s\":7,\"born_3600s\":12,\"module\":null,\"parts\":[{\"comm\":\"?\",\"kind\":\"slab\",\"cache\":\"a\\\"b\",\"reclaimable\":true,\"objects\":12,\"bytes\":3456,\"leaks\":2,\"leaked_bytes\":99,\"born_since_mark\":4,\"bytes_since_mark\":1111}],\"trace\":[]}\n");
}

static int live_test_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void live_test_exit(struct kunit *test)
{
	kml_counts_clear(&counts);
}

static struct kunit_case live_cases[] = {
	KUNIT_CASE(live_kinds),
	KUNIT_CASE(live_records),
	KUNIT_CASE(live_mark),
	KUNIT_CASE(live_periods),
	KUNIT_CASE(live_sums),
	KUNIT_CASE(live_text),
	KUNIT_CASE(live_json),
	{}
};

static struct kunit_suite live_suite = {
	.name = "kmemleak_live",
	.init = live_test_init,
	.exit = live_test_exit,
	.test_cases = live_cases,
};

kunit_test_suite(live_suite);
