// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what happens to an object while it is given a record.
 *
 * It is shared, and a thread of its own frees it, before it gets a record, after
 * that, or meanwhile. Whoever comes first, it must not be tracked in the end. Or a
 * thread waits for it to leave its slot, and has to find it in the tree. Last, what
 * leads to the slots is given back while somebody looks.
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
#include "sides.h"
#include "tree.h"

static struct {
	struct kmem_cache *cache;
	struct kml_ref ref;
} shared;

/* The slab of the object stays pinned until shared_is_gone(). */
static void *shared_alloc(void)
{
	void *ptr = kmem_cache_alloc(shared.cache, GFP_KERNEL);
	bool found;

	if (!ptr)
		return NULL;
	rcu_read_lock();
	found = kml_slot_find(KML_VIRT, (unsigned long)kasan_reset_tag(ptr),
			      &shared.ref) &&
		refcount_inc_not_zero(&shared.ref.slab->ref);
	rcu_read_unlock();
	if (!found) {
		kmem_cache_free(shared.cache, ptr);
		return NULL;
	}
	kml_slot_change(&shared.ref.slab->slots[shared.ref.index], 0,
			KML_SLOT_SHARED);
	return ptr;
}

static void shared_promote(void *ptr)
{
	kml_slot_to_record(shared.ref.slab, shared.ref.index, true, GFP_KERNEL);
}

static void shared_free(void *ptr)
{
	kmem_cache_free(shared.cache, ptr);
}

static bool shared_is_gone(void *ptr)
{
	struct kml_sight sight;

	kml_slab_put(shared.ref.slab);
	kml_look(KML_VIRT, (unsigned long)kasan_reset_tag(ptr), &sight);
	return sight.where == KML_NOWHERE;
}

static void shared_free_record(struct kunit *test)
{
	struct kml_sides sides = {
		.alloc = shared_alloc,
		.mine = shared_promote,
		.theirs = shared_free,
		.check = shared_is_gone,
	};

	/* Nobody else gets the memory of an object that is free. */
	shared.cache = create_own_cache("kmemleak_shared", 64, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, shared.cache);
	kml_sides_run(test, &sides);
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

static void move_relax(unsigned int turns)
{
	while (turns--)
		cpu_relax();
}

/* First the slot, then the tree: it must be in one of them. */
static void look_once(void)
{
	/* Pairs with smp_load_acquire() in shared_moved(). */
	smp_store_release(&move.turn, MOVE_LOOKING);
	while (kml_slot_meta(&move.slot) & KML_SLOT_LIVE)
		cpu_relax();
	rcu_read_lock();
	move.missed += !kml_lookup(&tree, MOVE_ADDR);
	rcu_read_unlock();
	/* Pairs with smp_load_acquire() in shared_moved(). */
	smp_store_release(&move.turn, MOVE_MINE);
}

static int move_look(void *data)
{
	while (!kthread_should_stop()) {
		/* Pairs with smp_store_release() in shared_moved(). */
		if (smp_load_acquire(&move.turn) == MOVE_LOOK)
			look_once();
		else
			cond_resched();
	}
	return 0;
}

static void shared_moved(struct kunit *test)
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
		move_relax(i % 64);
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
	/* Pairs with smp_load_acquire() in shared_table(). */
	smp_store_release(&late.turn, TABLE_FOUND);
	mdelay(20);
	late.early = READ_ONCE(late.turn) == TABLE_FREED;
	late.changed = !late.early && table->slabs[7] != TABLE_MARK;
	rcu_read_unlock();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void shared_table(struct kunit *test)
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

static int shared_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void shared_exit(struct kunit *test)
{
	if (move.task)
		kthread_stop(move.task);
	memset(&move, 0, sizeof(move));
	memset(&late, 0, sizeof(late));
	kmem_cache_destroy(shared.cache);
	memset(&shared, 0, sizeof(shared));
}

static struct kunit_case shared_cases[] = {
	KUNIT_CASE(shared_free_record),
	KUNIT_CASE(shared_moved),
	KUNIT_CASE(shared_table),
	{}
};

static struct kunit_suite shared_suite = {
	.name = "kmemleak_shared",
	.init = shared_init,
	.exit = shared_exit,
	.test_cases = shared_cases,
};

kunit_test_suite(shared_suite);
