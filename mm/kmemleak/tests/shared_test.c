// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what happens to an object while it is promoted.
 *
 * It is watched, and a thread of its own frees it. That has begun, or is about
 * to, when the object is promoted: by a different time before or after in each
 * turn. Whoever wins, it must not be tracked in the end. Or a thread waits for it
 * to leave its slot, and has to find it in the tree. Last, what leads to the slots
 * is given back while somebody looks.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "audit.h"
#include "cache.h"
#include "tree.h"

#define WATCH_TURNS	20000

enum watch_turn {
	WATCH_MINE,
	WATCH_FREE,
};

static struct {
	struct kmem_cache *cache;
	struct task_struct *task;
	enum watch_turn turn;
	unsigned int delay;
	void *ptr;
} watch;

static void watch_relax(unsigned int turns)
{
	while (turns--)
		cpu_relax();
}

static int watch_free(void *data)
{
	while (!kthread_should_stop()) {
		/* Pairs with smp_store_release() in watch_once(). */
		if (smp_load_acquire(&watch.turn) != WATCH_FREE) {
			cond_resched();
			continue;
		}
		watch_relax(watch.delay / 64);
		kmem_cache_free(watch.cache, watch.ptr);
		/* Pairs with smp_load_acquire() in watch_once(). */
		smp_store_release(&watch.turn, WATCH_MINE);
	}
	return 0;
}

/* Returns false if the object is still tracked. */
static bool watch_once(unsigned int delay)
{
	struct kml_ref ref;
	struct kml_sight sight;
	unsigned long addr;
	bool found;

	watch.ptr = kmem_cache_alloc(watch.cache, GFP_KERNEL);
	if (!watch.ptr)
		return true;
	addr = (unsigned long)kasan_reset_tag(watch.ptr);
	rcu_read_lock();
	found = kml_slot_find(KML_VIRT, addr, &ref) &&
		refcount_inc_not_zero(&ref.slab->ref);
	rcu_read_unlock();
	if (found)
		kml_slot_change(&ref.slab->slots[ref.index], 0,
				KML_SLOT_SHARED);

	watch.delay = delay;
	/* Pairs with smp_load_acquire() in watch_free(). */
	smp_store_release(&watch.turn, WATCH_FREE);
	watch_relax(delay % 64);
	if (found) {
		kml_slot_to_record(ref.slab, ref.index, true, GFP_KERNEL);
		kml_slab_put(ref.slab);
	}
	/* Pairs with smp_store_release() in watch_free(). */
	while (smp_load_acquire(&watch.turn) != WATCH_MINE)
		cond_resched();
	kml_look(KML_VIRT, addr, &sight);
	return found && sight.where == KML_NOWHERE;
}

static void watch_free_promoted(struct kunit *test)
{
	unsigned long end = jiffies + HZ;
	unsigned int i, left = 0;

	if (num_online_cpus() < 2)
		kunit_skip(test, "it takes two CPUs");
	/* Nobody else gets the memory of an object that is free. */
	watch.cache = create_own_cache("kmemleak_watch", 64, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, watch.cache);
	watch.turn = WATCH_MINE;
	watch.task = kthread_run(watch_free, NULL, "kmemleak_watch");
	if (IS_ERR(watch.task))
		watch.task = NULL;
	KUNIT_ASSERT_NOT_NULL(test, watch.task);
	for (i = 0; i < WATCH_TURNS && time_before(jiffies, end); i++)
		left += !watch_once(i * 37 % 4096);
	KUNIT_EXPECT_EQ(test, left, 0);
	kunit_info(test, "%u turns\n", i);
}

/* ---- An object is looked for while it leaves its slot ---- */

#define MOVE_TURNS	2000
#define MOVE_ADDR	4096UL

enum move_turn {
	MOVE_MINE,
	MOVE_LOOK,
	MOVE_LOOKING,
};

/* Static, as lockdep wants locks to be. */
static struct kml_tree tree = KML_TREE_INIT(tree);

static struct {
	struct task_struct *task;
	enum move_turn turn;
	struct kml_slot slot;
	unsigned int missed;
} move;

/* First the slot, then the tree: it must be in one of them. */
static void look_once(void)
{
	/* Pairs with smp_load_acquire() in watch_moved(). */
	smp_store_release(&move.turn, MOVE_LOOKING);
	while (kml_slot_meta(&move.slot) & KML_SLOT_LIVE)
		cpu_relax();
	rcu_read_lock();
	move.missed += !kml_lookup(&tree, MOVE_ADDR);
	rcu_read_unlock();
	/* Pairs with smp_load_acquire() in watch_moved(). */
	smp_store_release(&move.turn, MOVE_MINE);
}

static int move_look(void *data)
{
	while (!kthread_should_stop()) {
		/* Pairs with smp_store_release() in watch_moved(). */
		if (smp_load_acquire(&move.turn) == MOVE_LOOK)
			look_once();
		else
			cond_resched();
	}
	return 0;
}

static void watch_moved(struct kunit *test)
{
	unsigned long end = jiffies + HZ;
	struct kml_record *rec;
	unsigned int i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "it takes two CPUs");
	move.task = kthread_run(move_look, NULL, "kmemleak_move");
	if (IS_ERR(move.task))
		move.task = NULL;
	KUNIT_ASSERT_NOT_NULL(test, move.task);
	for (i = 0; i < MOVE_TURNS && time_before(jiffies, end); i++) {
		/* A tree in which there was nothing before is most narrow. */
		rec = new_object(test, MOVE_ADDR, 64);
		move.slot.meta = KML_SLOT_LIVE;
		/* Pairs with smp_load_acquire() in move_look(). */
		smp_store_release(&move.turn, MOVE_LOOK);
		/* Pairs with smp_store_release() in look_once(). */
		while (smp_load_acquire(&move.turn) != MOVE_LOOKING)
			cond_resched();
		watch_relax(i % 64);
		KUNIT_EXPECT_EQ(test, 0,
				kml_insert_from_slot(&tree, rec, &move.slot,
						     KML_SLOT_LIVE, true));
		/* Pairs with smp_store_release() in look_once(). */
		while (smp_load_acquire(&move.turn) != MOVE_MINE)
			cond_resched();
		empty_tree(test, &tree);
	}
	KUNIT_EXPECT_EQ(test, move.missed, 0);
	kunit_info(test, "%u turns\n", i);
}

/* ---- A hook looks into a table while it is given back ---- */

#define TABLE_MARK	((struct kml_slab *)0x5a5a)

enum table_turn {
	TABLE_START,
	TABLE_FOUND,
	TABLE_FREED,
};

static struct {
	struct task_struct *task;
	enum table_turn turn;
	struct kml_table *tables[2];
	bool early;
	bool changed;
} late;

/* It was preempted after it had seen that the detector is on, say. */
static int table_look(void *data)
{
	struct kml_table *table;

	rcu_read_lock();
	table = READ_ONCE(late.tables[1]);
	/* Pairs with smp_load_acquire() in watch_table(). */
	smp_store_release(&late.turn, TABLE_FOUND);
	mdelay(20);
	late.early = READ_ONCE(late.turn) == TABLE_FREED;
	late.changed = !late.early && table->slabs[7] != TABLE_MARK;
	rcu_read_unlock();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void watch_table(struct kunit *test)
{
	struct kml_table *tables[2];
	unsigned int i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "it takes two CPUs");
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		tables[i] = (void *)__get_free_page(GFP_KERNEL | __GFP_NOFAIL);
		tables[i]->slabs[7] = TABLE_MARK;
		late.tables[i] = tables[i];
	}
	late.task = kthread_run(table_look, NULL, "kmemleak_table");
	if (IS_ERR(late.task))
		late.task = NULL;
	/* Pairs with smp_store_release() in table_look(). */
	while (late.task && smp_load_acquire(&late.turn) != TABLE_FOUND)
		cond_resched();

	kml_free_tables(late.tables, ARRAY_SIZE(tables));
	WRITE_ONCE(late.turn, TABLE_FREED);
	KUNIT_ASSERT_NOT_NULL(test, late.task);
	kthread_stop(late.task);
	late.task = NULL;
	KUNIT_EXPECT_FALSE(test, late.early);
	KUNIT_EXPECT_FALSE(test, late.changed);
	/* Who comes now finds none of them. */
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		KUNIT_EXPECT_PTR_NE(test, late.tables[i], tables[i]);
		KUNIT_EXPECT_NULL(test, late.tables[i]->slabs[7]);
	}
}

static int watch_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void watch_exit(struct kunit *test)
{
	if (move.task)
		kthread_stop(move.task);
	memset(&move, 0, sizeof(move));
	memset(&late, 0, sizeof(late));
	if (watch.task)
		kthread_stop(watch.task);
	kmem_cache_destroy(watch.cache);
	memset(&watch, 0, sizeof(watch));
}

static struct kunit_case watch_cases[] = {
	KUNIT_CASE(watch_free_promoted),
	KUNIT_CASE(watch_moved),
	KUNIT_CASE(watch_table),
	{}
};

static struct kunit_suite watch_suite = {
	.name = "kmemleak_watch",
	.init = watch_init,
	.exit = watch_exit,
	.test_cases = watch_cases,
};

kunit_test_suite(watch_suite);
