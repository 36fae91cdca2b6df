// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of how metadata of empty slabs is given back.
 *
 * That happens to all slabs of the running detector. A test looks at those of a
 * cache of its own.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "../store/slot.h"
#include "cache.h"
#include "slot.h"
#include "tree.h"

/* So that no slab has room for more than 32 objects. */
#define SIZE		(PAGE_SIZE / 4)
#define MAX_SLABS	40

/* What a test has, given back by release_exit() however the test ends. */
static struct {
	struct kmem_cache *cache;
	struct kml_slab *slabs[MAX_SLABS];
	unsigned int nr_slabs;
	void *objects[MAX_SLABS];
	unsigned int nr;
	struct task_struct *task;
	bool reading;
} had;

/* A slab's first object is kept, the others go. */
static void keep_object(struct kunit *test, void *ptr)
{
	struct kml_slab *slab;
	bool found = false;
	unsigned int i;

	rcu_read_lock();
	slab = kml_slab_at(addr_of(ptr));
	for (i = 0; i < had.nr_slabs; i++)
		found = found || had.slabs[i] == slab;
	if (slab && !found && refcount_inc_not_zero(&slab->ref)) {
		had.slabs[had.nr_slabs++] = slab;
		had.objects[had.nr++] = ptr;
		ptr = NULL;
	}
	rcu_read_unlock();
	KUNIT_EXPECT_NOT_NULL(test, slab);
	if (ptr)
		kmem_cache_free(had.cache, ptr);
}

static void fill_slabs(struct kunit *test)
{
	static void *ptrs[MAX_SLABS * 32];
	unsigned int nr = 0, i;

	had.cache = create_own_cache("kmemleak_release", SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, had.cache);
	while (nr < ARRAY_SIZE(ptrs)) {
		ptrs[nr] = kmem_cache_alloc(had.cache, GFP_KERNEL);
		if (!ptrs[nr])
			break;
		nr++;
	}
	for (i = 0; i < nr; i++) {
		if (had.nr_slabs < MAX_SLABS)
			keep_object(test, ptrs[i]);
		else
			kmem_cache_free(had.cache, ptrs[i]);
	}
	/* They would hide leaks from the scans of other tests. */
	memset(ptrs, 0, sizeof(ptrs));
	KUNIT_ASSERT_EQ(test, nr, ARRAY_SIZE(ptrs));
	KUNIT_ASSERT_EQ(test, had.nr_slabs, MAX_SLABS);
}

static void free_objects(unsigned int left)
{
	while (had.nr > left)
		kmem_cache_free(had.cache, had.objects[--had.nr]);
}

static unsigned int count_linked(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < had.nr_slabs; i++)
		nr += READ_ONCE(had.slabs[i]->linked);
	return nr;
}

/* Those with an object stay, and it is tracked as before. */
static void release_empty(struct kunit *test)
{
	unsigned int i, tries = 10;

	fill_slabs(test);
	free_objects(5);
	while (tries-- && count_linked() > 5) {
		kml_release_idle_slabs(ULONG_MAX, true);
		synchronize_rcu();
	}
	KUNIT_EXPECT_EQ(test, count_linked(), 5);
	for (i = 0; i < had.nr; i++)
		expect_at(test, KML_VIRT, addr_of(had.objects[i]) + 8,
			  addr_of(had.objects[i]), SIZE, KML_IN_SLOT);
}

/* A piece at a time, the same comes about. */
static void release_pieces(struct kunit *test)
{
	unsigned long max = kml_nr_slabs() / 16 + 1;
	struct kml_released done;
	unsigned int tries = 100;

	fill_slabs(test);
	free_objects(0);
	while (tries-- && count_linked()) {
		done = kml_release_idle_slabs(max, true);
		KUNIT_EXPECT_LE(test, done.visited, 2 * max);
		KUNIT_EXPECT_LE(test, done.released, max);
		synchronize_rcu();
	}
	KUNIT_EXPECT_EQ(test, count_linked(), 0);
}

/* Slabs that come back soon are not worth the trouble, if there is memory. */
static void release_idle_only(struct kunit *test)
{
	unsigned int i;

	fill_slabs(test);
	for (i = 0; i < 4; i++) {
		kml_release_idle_slabs(ULONG_MAX, false);
		synchronize_rcu();
	}
	free_objects(0);
	kml_release_idle_slabs(ULONG_MAX, false);
	synchronize_rcu();
	for (i = 0; i < had.nr_slabs; i++)
		KUNIT_EXPECT_NOT_NULL(test, READ_ONCE(had.slabs[i]->cache));
	for (i = 0; i < 3; i++) {
		kml_release_idle_slabs(ULONG_MAX, false);
		synchronize_rcu();
	}
	KUNIT_EXPECT_EQ(test, count_linked(), 0);
}

/* It may put an object into any slab that was open when it began. */
static int read_long(void *data)
{
	rcu_read_lock();
	/* Pairs with smp_load_acquire() in release_early(). */
	smp_store_release(&had.reading, true);
	while (READ_ONCE(had.reading))
		cpu_relax();
	rcu_read_unlock();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void release_early(struct kunit *test)
{
	unsigned int i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "it takes two CPUs");
	fill_slabs(test);
	/* What was closed before is out of the way. */
	for (i = 0; i < 2; i++) {
		kml_release_idle_slabs(ULONG_MAX, false);
		synchronize_rcu();
	}
	had.task = kthread_run(read_long, NULL, "kmemleak_read");
	if (IS_ERR(had.task))
		had.task = NULL;
	KUNIT_ASSERT_NOT_NULL(test, had.task);
	/* Pairs with smp_store_release() in read_long(). */
	while (!smp_load_acquire(&had.reading))
		cond_resched();
	free_objects(0);
	kml_release_idle_slabs(ULONG_MAX, true);
	mdelay(20);
	kml_release_idle_slabs(ULONG_MAX, true);
	i = count_linked();
	WRITE_ONCE(had.reading, false);
	KUNIT_EXPECT_EQ(test, i, had.nr_slabs);
	KUNIT_EXPECT_NULL(test, READ_ONCE(had.slabs[0]->cache));
}

static int release_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void release_exit(struct kunit *test)
{
	WRITE_ONCE(had.reading, false);
	if (had.task)
		kthread_stop(had.task);
	free_objects(0);
	kmem_cache_destroy(had.cache);
	while (had.nr_slabs)
		kml_slab_put(had.slabs[--had.nr_slabs]);
	/* No pointer that is left may hide a leak. */
	memset(&had, 0, sizeof(had));
}

static struct kunit_case release_cases[] = {
	KUNIT_CASE(release_empty),
	KUNIT_CASE(release_pieces),
	KUNIT_CASE(release_idle_only),
	KUNIT_CASE(release_early),
	{}
};

static struct kunit_suite release_suite = {
	.name = "kmemleak_release",
	.init = release_init,
	.exit = release_exit,
	.test_cases = release_cases,
};

kunit_test_suite(release_suite);
