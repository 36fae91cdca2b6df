// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that nobody writes to. All that ever changes is who points at them:
 * a thread has a pointer in hand, lays it down in some slot and takes up the
 * one that was there. So each object has one pointer to it at any time, in a
 * slot or in a thread's hand, and no slot keeps its pointer for long.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "churn.h"
#include "hidden.h"

#define SLOTS		128
#define PERCPU_SLOTS	16
/* Far enough from each other for several levels of nodes. */
#define XARRAY_STEP	500UL

/* ---- Objects ---- */

/* Has a child that only it points at. */
struct family {
	void *child;
	unsigned long rest[6];
};

static struct kmem_cache *swap_cache;

static noinline void *churn_swap_small(void)
{
	return churn_here(kzalloc(16, GFP_KERNEL));
}

static noinline void *churn_swap_middle(void)
{
	return churn_here(kzalloc(300, GFP_KERNEL));
}

static noinline void *churn_swap_large(void)
{
	return churn_here(kzalloc(10000, GFP_KERNEL));
}

static noinline void *churn_swap_cached(void)
{
	return churn_here(kmem_cache_zalloc(swap_cache, GFP_KERNEL));
}

static noinline void *churn_swap_vmalloc(void)
{
	return churn_here(vzalloc(5000));
}

static noinline void *churn_swap_percpu(void)
{
	return churn_here((void *)(__force unsigned long)__alloc_percpu(40, sizeof(long)));
}

static noinline void *churn_swap_child(void)
{
	return churn_here(kzalloc(100, GFP_KERNEL));
}

static noinline void *churn_swap_family(void)
{
	struct family *family = kzalloc(sizeof(*family), GFP_KERNEL);

	if (!family)
		return NULL;
	family->child = churn_swap_child();
	if (!family->child) {
		kfree(family);
		return NULL;
	}
	return family;
}

static void free_cached(void *obj)
{
	kmem_cache_free(swap_cache, obj);
}

static void free_slab(void *obj)
{
	kfree(obj);
}

static void free_area(void *obj)
{
	vfree(obj);
}

static void free_percpu_object(void *obj)
{
	free_percpu((void __percpu *)(unsigned long)obj);
}

static void free_family(void *obj)
{
	struct family *family = obj;

	kfree(family->child);
	kfree(family);
}

static const struct kind {
	void *(*alloc)(void);
	void (*free)(void *obj);
} kinds[] = {
	{ churn_swap_small, free_slab },
	{ churn_swap_middle, free_slab },
	{ churn_swap_large, free_slab },
	{ churn_swap_cached, free_cached },
	{ churn_swap_vmalloc, free_area },
	{ churn_swap_percpu, free_percpu_object },
	{ churn_swap_family, free_family },
};

/**
 * struct record - one object, and no pointer to it
 * @hidden: its address, see hidden.h
 * @kind: how to free it
 * @found: somebody had a pointer to it in the end
 */
struct record {
	unsigned long hidden;
	const struct kind *kind;
	bool found;
};

static struct record *records;
static unsigned int nr_records;

/* ---- Slots ---- */

static void *data_slots[SLOTS];
static void **slab_slots;
static void **vmalloc_slots;

static void *swap_data(struct churn_thread *thread, u32 rnd, void *obj)
{
	return xchg(&data_slots[rnd % SLOTS], obj);
}

static void *swap_slab(struct churn_thread *thread, u32 rnd, void *obj)
{
	return xchg(&slab_slots[rnd % SLOTS], obj);
}

static void *swap_vmalloc(struct churn_thread *thread, u32 rnd, void *obj)
{
	return xchg(&vmalloc_slots[rnd % SLOTS], obj);
}

/* Between two words only: wherever a scan has looked, it was the other one. */
static void *pair_slots[2];

static void *swap_pair(struct churn_thread *thread, u32 rnd, void *obj)
{
	return xchg(&pair_slots[rnd % 2], obj);
}

/* Those of other CPUs are none of a thread's business while it runs here. */
static DEFINE_PER_CPU(void *, percpu_slots[PERCPU_SLOTS]);

static void *swap_percpu(struct churn_thread *thread, u32 rnd, void *obj)
{
	return this_cpu_xchg(percpu_slots[rnd % PERCPU_SLOTS], obj);
}

struct percpu_slots {
	void *slots[PERCPU_SLOTS];
};

static struct percpu_slots __percpu *percpu_object;

static void *swap_percpu_object(struct churn_thread *thread, u32 rnd, void *obj)
{
	return this_cpu_xchg(percpu_object->slots[rnd % PERCPU_SLOTS], obj);
}

static void *swap_stack(struct churn_thread *thread, u32 rnd, void *obj)
{
	return xchg(&thread->held[rnd % CHURN_HELD], obj);
}

static DEFINE_XARRAY(xarray_slots);

static void *swap_xarray(struct churn_thread *thread, u32 rnd, void *obj)
{
	void *old = xa_store(&xarray_slots, rnd % SLOTS * XARRAY_STEP, obj, GFP_KERNEL);

	return xa_is_err(old) ? obj : old;
}

/* A slot has a new wrapper each time, and the old one waits for readers. */
struct wrapper {
	void *obj;
	struct rcu_head rcu;
};

static struct wrapper __rcu *rcu_slots[SLOTS];

static void free_wrapper(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct wrapper, rcu));
}

static void drop_wrapper(struct wrapper *wrapper, u32 rnd)
{
	if (rnd % 1024 == 0) {
		synchronize_rcu();
		kfree(wrapper);
	} else if (rnd % 2) {
		call_rcu(&wrapper->rcu, free_wrapper);
	} else {
		kfree_rcu(wrapper, rcu);
	}
}

static void *swap_rcu(struct churn_thread *thread, u32 rnd, void *obj)
{
	struct wrapper *new = NULL, *old;
	void *taken;

	if (obj) {
		new = kmalloc(sizeof(*new), GFP_KERNEL);
		if (!new)
			return obj;
		new->obj = obj;
	}
	old = unrcu_pointer(xchg(&rcu_slots[rnd % SLOTS], RCU_INITIALIZER(new)));
	if (!old)
		return NULL;
	taken = old->obj;
	/* It takes a while until it is freed, and would be a second pointer. */
	old->obj = NULL;
	drop_wrapper(old, rnd >> 8);
	return taken;
}

/* Those that take long, or leave something behind, have fewer turns. */
static void *(* const swaps[])(struct churn_thread *thread, u32 rnd, void *obj) = {
	swap_data, swap_slab, swap_vmalloc, swap_pair,
	swap_percpu, swap_percpu_object, swap_stack, swap_stack,
	swap_data, swap_slab, swap_vmalloc, swap_pair,
	swap_percpu, swap_percpu_object, swap_xarray, swap_rcu,
};

/**
 * churn_swap() - lay down one object and take up another
 * @thread: who does so
 * @obj: the object in hand, or NULL
 *
 * Return: the object that is now in hand, or NULL.
 */
void *churn_swap(struct churn_thread *thread, void *obj)
{
	u32 rnd = prandom_u32_state(&thread->rnd);

	return swaps[rnd % ARRAY_SIZE(swaps)](thread, rnd >> 8, obj);
}

/* ---- Beginning and end ---- */

static int alloc_slots(void)
{
	swap_cache = churn_cache("kmemleak_churn_swap", 200);
	slab_slots = kcalloc(SLOTS, sizeof(*slab_slots), GFP_KERNEL);
	vmalloc_slots = vcalloc(SLOTS, sizeof(*vmalloc_slots));
	percpu_object = alloc_percpu(struct percpu_slots);
	return swap_cache && slab_slots && vmalloc_slots && percpu_object ? 0 : -ENOMEM;
}

/* There are no threads yet, which have slots of their own. */
static void *swap_early(struct rnd_state *rnd, void *obj)
{
	u32 slot = prandom_u32_state(rnd);

	return slot % 2 ? swap_data(NULL, slot >> 8, obj) : swap_vmalloc(NULL, slot >> 8, obj);
}

static int add_object(struct rnd_state *rnd, const struct kind *kind)
{
	struct record *rec = &records[nr_records];
	void *obj = kind->alloc();

	if (!obj)
		return -ENOMEM;
	rec->hidden = hide_address(obj);
	rec->kind = kind;
	nr_records++;
	while (obj)
		obj = swap_early(rnd, obj);
	return 0;
}

/**
 * churn_swap_init() - make objects and slots for them
 * @nr: number of objects, less than there are slots to begin with
 *
 * Return: 0 or -ENOMEM; churn_swap_exit() has to be called anyway.
 */
int churn_swap_init(unsigned int nr)
{
	struct rnd_state rnd;
	unsigned int i;
	int err = alloc_slots();

	if (err)
		return err;
	if (nr > SLOTS)
		return -EINVAL;
	records = kcalloc(nr, sizeof(*records), GFP_KERNEL);
	if (!records)
		return -ENOMEM;
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < nr && !err; i++)
		err = add_object(&rnd, &kinds[i % ARRAY_SIZE(kinds)]);
	return err;
}

/**
 * churn_swap_left() - note an object that somebody had a pointer to in the end
 * @obj: the object, or NULL
 */
void churn_swap_left(void *obj)
{
	unsigned int i;

	if (!obj)
		return;
	for (i = 0; i < nr_records; i++) {
		if (records[i].hidden != hide_address(obj))
			continue;
		WARN(records[i].found, "%s: two pointers to an object\n", KBUILD_MODNAME);
		records[i].found = true;
		return;
	}
	WARN(1, "%s: a pointer to none of its objects\n", KBUILD_MODNAME);
}

static void empty_memory(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		churn_swap_left(data_slots[i]);
		churn_swap_left(slab_slots[i]);
		churn_swap_left(vmalloc_slots[i]);
		churn_swap_left(swap_xarray(NULL, i, NULL));
		churn_swap_left(swap_rcu(NULL, i, NULL));
	}
	churn_swap_left(pair_slots[0]);
	churn_swap_left(pair_slots[1]);
}

static void empty_percpu(void)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < PERCPU_SLOTS; i++) {
			churn_swap_left(per_cpu(percpu_slots[i], cpu));
			churn_swap_left(per_cpu_ptr(percpu_object, cpu)->slots[i]);
		}
	}
}

static void free_objects(void)
{
	unsigned int i, found = 0;

	for (i = 0; i < nr_records; i++) {
		found += records[i].found;
		records[i].kind->free(reveal_address(records[i].hidden));
	}
	WARN(found != nr_records, "%s: %u of %u objects are lost\n", KBUILD_MODNAME,
	     nr_records - found, nr_records);
	nr_records = 0;
	kfree(records);
}

/**
 * churn_swap_exit() - free everything
 *
 * There are no threads any more, and what they had in the end has been noted.
 */
void churn_swap_exit(void)
{
	if (records) {
		empty_memory();
		empty_percpu();
		free_objects();
	}
	xa_destroy(&xarray_slots);
	free_percpu(percpu_object);
	vfree(vmalloc_slots);
	kfree(slab_slots);
	rcu_barrier();
	kmem_cache_destroy(swap_cache);
}
