// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps more and more of what it should let go, in one of several ways. Nothing of it is
 * lost: whatever it keeps is referred to, and freed when the module goes.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#define STEP_OBJECTS	4
#define OBJECT_SIZE	192
#define RING_SIZE	8192

static char *way = "list";
module_param(way, charp, 0444);
MODULE_PARM_DESC(way, "what keeps memory: list, xarray, rhashtable, cache, backlog, refcount, percpu, ring");

static unsigned int step_ms = 50;
module_param(step_ms, uint, 0444);
MODULE_PARM_DESC(step_ms, "milliseconds after which there is more");

static unsigned int steps;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "how often there is more; 0: always");

/**
 * struct item - an object that is kept
 * @entry: in one of the lists
 * @node: in the table
 * @key: its key there
 * @work: to be done, some day
 * @refs: references that were taken
 * @payload: what makes it as large as others
 */
struct item {
	struct list_head entry;
	struct rhash_head node;
	u32 key;
	struct work_struct work;
	refcount_t refs;
	char payload[OBJECT_SIZE - 128];
};

static LIST_HEAD(items);
static u32 next_key;

static struct item *new_item(void)
{
	return kzalloc(sizeof(struct item), GFP_KERNEL);
}

/* ---- A list that nobody trims ---- */

static noinline int grow_list(void)
{
	struct item *item = new_item();

	if (!item)
		return -ENOMEM;
	list_add(&item->entry, &items);
	return 0;
}

static void free_items(void)
{
	struct item *item, *tmp;

	list_for_each_entry_safe(item, tmp, &items, entry)
		kfree(item);
}

/* ---- An array whose entries are never erased ---- */

static DEFINE_XARRAY(array);

static noinline int grow_xarray(void)
{
	struct item *item = new_item();
	int err;

	if (!item)
		return -ENOMEM;
	err = xa_err(xa_store(&array, next_key++, item, GFP_KERNEL));
	if (err)
		kfree(item);
	return err;
}

static void free_xarray(void)
{
	struct item *item;
	unsigned long index;

	xa_for_each(&array, index, item)
		kfree(item);
	xa_destroy(&array);
}

/* ---- A table with a new key for each request ---- */

static struct rhashtable table;

static const struct rhashtable_params table_params = {
	.key_len = sizeof(u32),
	.key_offset = offsetof(struct item, key),
	.head_offset = offsetof(struct item, node),
};

static noinline int grow_rhashtable(void)
{
	struct item *item = new_item();
	int err;

	if (!item)
		return -ENOMEM;
	item->key = next_key++;
	err = rhashtable_insert_fast(&table, &item->node, table_params);
	if (err)
		kfree(item);
	return err;
}

static void free_table_item(void *ptr, void *arg)
{
	kfree(ptr);
}

static int init_table(void)
{
	return rhashtable_init(&table, &table_params);
}

static void free_table(void)
{
	rhashtable_free_and_destroy(&table, free_table_item, NULL);
}

/* ---- Objects of a cache of its own, kept for reuse without a bound ---- */

static struct kmem_cache *cache;

static noinline int grow_cache(void)
{
	struct item *item = kmem_cache_zalloc(cache, GFP_KERNEL);

	if (!item)
		return -ENOMEM;
	list_add(&item->entry, &items);
	return 0;
}

static int init_cache(void)
{
	cache = kmem_cache_create("kmemleak_growth", sizeof(struct item), 0, 0, NULL);
	return cache ? 0 : -ENOMEM;
}

static void free_cache(void)
{
	struct item *item, *tmp;

	list_for_each_entry_safe(item, tmp, &items, entry)
		kmem_cache_free(cache, item);
	kmem_cache_destroy(cache);
}

/* ---- Work that comes faster than it is done ---- */

static struct workqueue_struct *queue;
static DECLARE_WAIT_QUEUE_HEAD(idle);
static bool may_work;

/* It takes as long as the test does: not for those who look for tasks that hang. */
static void do_work(struct work_struct *work)
{
	wait_event_idle(idle, READ_ONCE(may_work));
	kfree(container_of(work, struct item, work));
}

static noinline int grow_backlog(void)
{
	struct item *item = new_item();

	if (!item)
		return -ENOMEM;
	INIT_WORK(&item->work, do_work);
	queue_work(queue, &item->work);
	return 0;
}

static int init_backlog(void)
{
	queue = alloc_ordered_workqueue("kmemleak_growth", 0);
	return queue ? 0 : -ENOMEM;
}

static void free_backlog(void)
{
	WRITE_ONCE(may_work, true);
	wake_up_all(&idle);
	destroy_workqueue(queue);
}

/* ---- A reference that is never dropped: the object stays where it can be found ---- */

static noinline int grow_refcount(void)
{
	struct item *item = new_item();

	if (!item)
		return -ENOMEM;
	refcount_set(&item->refs, 1);
	list_add(&item->entry, &items);
	/* Somebody looks it up, and forgets to put it. */
	refcount_inc(&item->refs);
	if (refcount_dec_and_test(&item->refs)) {
		list_del(&item->entry);
		kfree(item);
	}
	return 0;
}

/* ---- A list on each CPU, of which nobody takes anything ---- */

static DEFINE_PER_CPU(struct list_head, cpu_items);

static noinline int grow_percpu(void)
{
	struct item *item = new_item();

	if (!item)
		return -ENOMEM;
	list_add(&item->entry, get_cpu_ptr(&cpu_items));
	put_cpu_ptr(&cpu_items);
	return 0;
}

static int init_percpu(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		INIT_LIST_HEAD(per_cpu_ptr(&cpu_items, cpu));
	return 0;
}

static void free_percpu_items(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		list_splice_init(per_cpu_ptr(&cpu_items, cpu), &items);
	free_items();
}

/* ---- A ring of buffers that is meant to be short ---- */

static void *ring[RING_SIZE];

static noinline int grow_ring(void)
{
	if (next_key == RING_SIZE)
		return -ENOSPC;
	ring[next_key] = vmalloc(PAGE_SIZE);
	return ring[next_key++] ? 0 : -ENOMEM;
}

static void free_ring(void)
{
	unsigned int i;

	for (i = 0; i < next_key; i++)
		vfree(ring[i]);
}

/* ---- One of them ---- */

static const struct way {
	const char *name;
	int (*init)(void);
	int (*grow)(void);
	void (*free)(void);
} ways[] = {
	{ "list", NULL, grow_list, free_items },
	{ "xarray", NULL, grow_xarray, free_xarray },
	{ "rhashtable", init_table, grow_rhashtable, free_table },
	{ "cache", init_cache, grow_cache, free_cache },
	{ "backlog", init_backlog, grow_backlog, free_backlog },
	{ "refcount", NULL, grow_refcount, free_items },
	{ "percpu", init_percpu, grow_percpu, free_percpu_items },
	{ "ring", NULL, grow_ring, free_ring },
};

static const struct way *chosen;

static void step(struct work_struct *work);
static DECLARE_DELAYED_WORK(stepping, step);

static void step(struct work_struct *work)
{
	static unsigned int done;
	unsigned int i;

	for (i = 0; i < STEP_OBJECTS; i++)
		if (chosen->grow())
			return;
	if (steps && ++done >= steps)
		return;
	schedule_delayed_work(&stepping, msecs_to_jiffies(step_ms));
}

static int __init growth_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(ways); i++)
		if (!strcmp(way, ways[i].name))
			chosen = &ways[i];
	if (!chosen)
		return -EINVAL;
	err = chosen->init ? chosen->init() : 0;
	if (!err)
		schedule_delayed_work(&stepping, 0);
	return err;
}
module_init(growth_init);

static void __exit growth_exit(void)
{
	cancel_delayed_work_sync(&stepping);
	chosen->free();
}
module_exit(growth_exit);

MODULE_DESCRIPTION("Keeps more and more memory, for the kmemleak selftests");
MODULE_LICENSE("GPL");
