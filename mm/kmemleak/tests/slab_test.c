// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of walks over slabs, and of their life.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../report/report.h"
#include "tree.h"

/* A physical address far above all memory. */
#define NO_MEMORY	(-(unsigned long)PAGE_SIZE)

/* Static, as lockdep wants locks to be. */
static struct kml_tree tree = KML_TREE_INIT(tree);

/* ---- Walks ---- */

/* More than are visited with the tree locked once, several times over. */
#define WALK_BLOCKS	100

static bool match_marked(const struct kml_record *rec, void *arg)
{
	return rec->count == *(unsigned int *)arg;
}

static void insert_many(struct kunit *test)
{
	unsigned int i;

	/* Each once, in another order than that of the addresses. */
	for (i = 0; i < WALK_BLOCKS; i++) {
		unsigned int at = i * 37 % WALK_BLOCKS;

		insert(test, &tree, 1000 + at * 10, 10)->count = at;
	}
}

static const unsigned int walk_limits[] = {
	1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, WALK_BLOCKS - 1, WALK_BLOCKS,
	WALK_BLOCKS + 1,
};

static void walk_limit_desc(const unsigned int *max, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u at a time", *max);
}

KUNIT_ARRAY_PARAM(walk_limit, walk_limits, walk_limit_desc);

static void slab_walk(struct kunit *test)
{
	unsigned int max = *(const unsigned int *)test->param_value;
	struct kml_record *recs[WALK_BLOCKS + 1];
	struct kml_cursor cur = KML_CURSOR(&tree);
	unsigned int i, got, at = 0;

	insert_many(test);
	do {
		got = kml_collect(&cur, match_all, NULL, recs, max);
		KUNIT_EXPECT_EQ(test, got, min(max, WALK_BLOCKS - at));
		for (i = 0; i < got; i++) {
			KUNIT_EXPECT_EQ(test, recs[i]->count, at++);
			KUNIT_EXPECT_EQ(test, refcount_read(&recs[i]->ref), 2);
			kml_put(recs[i]);
		}
	} while (got && at <= WALK_BLOCKS);
	KUNIT_EXPECT_EQ(test, at, WALK_BLOCKS);
}

/* The only match stands behind any number of others. */
static void slab_walk_match(struct kunit *test)
{
	struct kml_record *recs[2];
	unsigned int at;

	insert_many(test);
	for (at = 0; at < WALK_BLOCKS; at++) {
		struct kml_cursor cur = KML_CURSOR(&tree);

		KUNIT_ASSERT_EQ(test, kml_collect(&cur, match_marked, &at, recs,
						  2), 1);
		KUNIT_EXPECT_EQ(test, recs[0]->count, at);
		/* No pin was left by the walks that passed it by. */
		KUNIT_EXPECT_EQ(test, refcount_read(&recs[0]->ref), 2);
		kml_put(recs[0]);
		KUNIT_EXPECT_EQ(test, kml_collect(&cur, match_marked, &at, recs,
						  2), 0);
	}
}

/* Take out what was just visited and what comes next; put one in behind. */
static void slab_walk_changing(struct kunit *test)
{
	struct kml_cursor cur = KML_CURSOR(&tree);
	struct kml_record *rec, *next;
	unsigned int at;

	insert_many(test);
	for (at = 0; kml_collect(&cur, match_all, NULL, &rec, 1); at += 2) {
		unsigned long start = rec->start;

		KUNIT_EXPECT_EQ(test, rec->count, at);
		KUNIT_EXPECT_TRUE(test, kml_remove_record(&tree, rec, NULL,
							  NULL));
		kml_kill(rec);
		kml_put(rec);
		next = kml_remove(&tree, start + 10);
		KUNIT_ASSERT_NOT_NULL(test, next);
		kml_kill(next);
		insert(test, &tree, start, 1);
	}
	KUNIT_EXPECT_EQ(test, at, WALK_BLOCKS);
	KUNIT_EXPECT_EQ(test, tree.nr, WALK_BLOCKS / 2);
}

/* ---- Life and content of a slab ---- */

static void slab_lifetime(struct kunit *test)
{
	struct kml_record *rec = insert(test, &tree, 1000, 100);
	bool pinned;

	KUNIT_EXPECT_EQ(test, refcount_read(&rec->ref), 1);
	KUNIT_ASSERT_TRUE(test, kml_get(rec));
	KUNIT_EXPECT_PTR_EQ(test, kml_find(&tree, 1099), rec);
	KUNIT_EXPECT_EQ(test, refcount_read(&rec->ref), 3);
	kml_put(rec);

	KUNIT_EXPECT_PTR_EQ(test, kml_remove(&tree, 1000), rec);
	KUNIT_EXPECT_NULL(test, kml_find(&tree, 1000));
	KUNIT_EXPECT_TRUE(test, rec->alive);
	kml_kill(rec);
	KUNIT_EXPECT_FALSE(test, rec->alive);

	/* The last pin goes, but what a reader sees stays until it is done. */
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, refcount_read(&rec->ref), 1);
	kml_put(rec);
	pinned = kml_get(rec);
	rcu_read_unlock();
	KUNIT_EXPECT_FALSE(test, pinned);
}

static void slab_flags(struct kunit *test)
{
	struct kml_record *rec = insert(test, &tree, 1000, 100);

	KUNIT_EXPECT_EQ(test, rec->flags, 0);
	kml_set_flags(rec, KML_NO_SCAN | KML_LEAK, 0);
	KUNIT_EXPECT_EQ(test, rec->flags, KML_NO_SCAN | KML_LEAK);
	kml_set_flags(rec, KML_STACK, KML_LEAK | KML_REPORTED);
	KUNIT_EXPECT_EQ(test, rec->flags, KML_NO_SCAN | KML_STACK);
}

#define CONTENT_SIZE	64

static void slab_read(struct kunit *test)
{
	u8 *content = kunit_kzalloc(test, CONTENT_SIZE, GFP_KERNEL);
	struct kml_record *rec;
	u8 buf[CONTENT_SIZE];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, content);
	for (i = 0; i < CONTENT_SIZE; i++)
		content[i] = i + 1;

	rec = insert(test, &tree, (unsigned long)content, CONTENT_SIZE);
	KUNIT_ASSERT_TRUE(test, kml_get(rec));
	memset(buf, 0, sizeof(buf));
	KUNIT_EXPECT_EQ(test, kml_read(rec, 0, 0, buf, CONTENT_SIZE), 0);
	KUNIT_EXPECT_EQ(test, memcmp(buf, content, CONTENT_SIZE), 0);

	memset(buf, 0, sizeof(buf));
	KUNIT_EXPECT_EQ(test, kml_read(rec, 0, 7, buf, 3), 0);
	KUNIT_EXPECT_EQ(test, memcmp(buf, content + 7, 3), 0);
	KUNIT_EXPECT_EQ(test, buf[3], 0);

	KUNIT_ASSERT_PTR_EQ(test, kml_remove(&tree, rec->start), rec);
	KUNIT_EXPECT_EQ(test, kml_read(rec, 0, 0, buf, 1), 0);
	kml_kill(rec);
	KUNIT_EXPECT_EQ(test, kml_read(rec, 0, 0, buf, 1), -ENOENT);
	kml_put(rec);
}

static void slab_read_percpu(struct kunit *test)
{
	unsigned int __percpu *ptr = alloc_percpu(unsigned int);
	struct kml_record *rec;
	unsigned int cpu, value;

	KUNIT_ASSERT_TRUE(test, ptr);
	for_each_possible_cpu(cpu) {
		unsigned int *copy = per_cpu_ptr(ptr, cpu);

		*copy = 1000 + cpu;
	}

	rec = insert(test, &tree, (__force unsigned long)ptr, sizeof(*ptr));
	rec->space = KML_PERCPU;
	for_each_possible_cpu(cpu) {
		value = 0;
		KUNIT_EXPECT_EQ(test, kml_read(rec, cpu, 0, &value,
					       sizeof(value)), 0);
		KUNIT_EXPECT_EQ(test, value, 1000 + cpu);
	}
	free_percpu(ptr);
}

static void slab_read_phys(struct kunit *test)
{
	unsigned int *content = kunit_kmalloc(test, sizeof(*content),
					      GFP_KERNEL);
	unsigned int value = 0;
	struct kml_record *rec;

	KUNIT_ASSERT_NOT_NULL(test, content);
	*content = 4711;
	rec = insert(test, &tree, __pa(content), sizeof(*content));
	rec->space = KML_PHYS;
	KUNIT_EXPECT_EQ(test, kml_read(rec, 0, 0, &value, sizeof(value)), 0);
	KUNIT_EXPECT_EQ(test, value, 4711);

	/* Where no memory is. */
	rec = insert(test, &tree, NO_MEMORY, sizeof(*content));
	rec->space = KML_PHYS;
	KUNIT_EXPECT_EQ(test, kml_read(rec, 0, 0, &value, sizeof(value)),
			-EFAULT);
}

static void slab_read_unmapped(struct kunit *test)
{
	struct kml_record *rec;
	unsigned long value;
	int ret;

	if (IS_ENABLED(CONFIG_S390))
		kunit_skip(test, "all memory is mapped, from 0 on");
	/* Nothing of the kernel's is mapped there. */
	rec = insert(test, &tree, PAGE_SIZE, PAGE_SIZE);
	ret = kml_read(rec, 0, 0, &value, sizeof(value));
	KUNIT_EXPECT_TRUE(test, ret == -EFAULT || ret == -ERANGE);
}

static void slab_chunk_len(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kml_chunk_len(0, 1), 1);
	KUNIT_EXPECT_EQ(test, kml_chunk_len(0, KML_CHUNK), KML_CHUNK);
	KUNIT_EXPECT_EQ(test, kml_chunk_len(0, SIZE_MAX), KML_CHUNK);
	KUNIT_EXPECT_EQ(test, kml_chunk_len(KML_CHUNK - 8, 8), 8);
	KUNIT_EXPECT_EQ(test, kml_chunk_len(KML_CHUNK - 8, 9), 8);
	KUNIT_EXPECT_EQ(test, kml_chunk_len(ULONG_MAX, 1), 1);
}

/* ---- Look-ups while the tree changes ---- */

/*
 * Slabs at even places stay, those at odd places come and go. With few of them
 * each turn of the tree concerns many.
 */
#define CHURN_PLACES	16
#define CHURN_MSECS	500

/**
 * struct churn_reader - what the reading thread found
 * @ready: it has begun
 * @lookups: slabs it looked for
 * @misses: slabs it did not find, or not the right one
 */
struct churn_reader {
	struct completion ready;
	unsigned long lookups;
	unsigned long misses;
};

static int churn_read(void *data)
{
	struct churn_reader *reader = data;
	unsigned long start;

	while (!kthread_should_stop()) {
		rcu_read_lock();
		for (start = 0; start < CHURN_PLACES * 16; start += 32) {
			struct kml_record *rec = kml_lookup(&tree, start + 15);

			reader->lookups++;
			if (!rec || rec->start != start)
				reader->misses++;
		}
		rcu_read_unlock();
		complete(&reader->ready);
		cond_resched();
	}
	return 0;
}

/*
 * Those that go come back themselves. That is right even while they are read,
 * because their place stays the same; and it is fast enough to be in the way of
 * the reader all the time.
 */
static bool churn(struct kml_record **recs)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < CHURN_PLACES / 2; i++)
		ok &= !kml_insert(&tree, recs[i]);
	for (i = 0; i < CHURN_PLACES / 2; i++)
		ok &= kml_remove(&tree, recs[i]->start) == recs[i];
	return ok;
}

static void slab_churn(struct kunit *test)
{
	struct kml_record *recs[CHURN_PLACES / 2];
	struct churn_reader reader = {};
	struct task_struct *task;
	unsigned long end;
	bool ok = true;
	unsigned int i;

	init_completion(&reader.ready);
	for (i = 0; i < CHURN_PLACES / 2; i++) {
		insert(test, &tree, i * 32, 16);
		recs[i] = new_object(test, i * 32 + 16, 16);
	}

	task = kthread_run(churn_read, &reader, "kmemleak_churn");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	wait_for_completion(&reader.ready);
	end = jiffies + msecs_to_jiffies(CHURN_MSECS);
	for (i = 0; ok && (i < 10 || time_before(jiffies, end)); i++) {
		ok = churn(recs);
		cond_resched();
	}
	kthread_stop(task);

	KUNIT_EXPECT_TRUE(test, ok);
	KUNIT_EXPECT_EQ(test, reader.misses, 0);
	kunit_info(test, "%lu look-ups during %u rounds\n", reader.lookups, i);
	/* Where a change failed they may still be in the tree. */
	for (i = 0; i < CHURN_PLACES / 2 && ok; i++)
		kml_kill(recs[i]);
}

static int slab_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void slab_exit(struct kunit *test)
{
	empty_tree(test, &tree);
}

static struct kunit_case slab_cases[] = {
	KUNIT_CASE_PARAM(slab_walk, walk_limit_gen_params),
	KUNIT_CASE(slab_walk_match),
	KUNIT_CASE(slab_walk_changing),
	KUNIT_CASE(slab_lifetime),
	KUNIT_CASE(slab_flags),
	KUNIT_CASE(slab_read),
	KUNIT_CASE(slab_read_percpu),
	KUNIT_CASE(slab_read_phys),
	KUNIT_CASE(slab_read_unmapped),
	KUNIT_CASE(slab_chunk_len),
	KUNIT_CASE(slab_churn),
	{}
};

static struct kunit_suite slab_suite = {
	.name = "kmemleak_slab",
	.init = slab_init,
	.exit = slab_exit,
	.test_cases = slab_cases,
};

kunit_test_suite(slab_suite);
