// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that were free before. The allocator has linked them while they were, each
 * to the next one that it handed out afterwards, or RCU before they were. One of two is
 * in use from then on, and never written to; the other one is lost.
 */
#include <linux/errno.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hidden.h"
#include "selftest.h"

#define PAIRS	10
#define SIZE	712

static const size_t recycled_sizes[] = { SIZE, 0 };
static struct kmem_cache *recycled_cache;
static void *in_use[PAIRS];

static size_t recycled_reported(const struct kind *kind, size_t size)
{
	return size;
}

DEFINE_ONE_BY_ONE(by_recycled, kmem_cache_alloc(recycled_cache, GFP_KERNEL),
		  kmem_cache_free(recycled_cache, obj))

static const struct kind recycled_kind =
	KIND("recycled", recycled_sizes, by_recycled, free_by_recycled, recycled_reported);

static void free_callback(struct rcu_head *rcu)
{
	kmem_cache_free(recycled_cache, rcu);
}

static void free_by_rcu(void **objs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		call_rcu((struct rcu_head *)objs[i], free_callback);
	rcu_barrier();
}

/* The first word is RCU's, the one in the middle the allocator's. */
static void wipe_the_rest(unsigned long *obj)
{
	unsigned int i, nr = SIZE / sizeof(*obj);

	for (i = 1; i < nr; i++) {
		if (i != nr / 2)
			obj[i] = 0;
	}
}

int make_recycled(const char *arg)
{
	const struct kind *kind = &recycled_kind;
	void *objs[2 * PAIRS];
	unsigned int i;

	if (!kind->alloc(kind, SIZE, objs, 2 * PAIRS))
		return -ENOMEM;
	/* The last one first. */
	if (strcmp(arg, "rcu"))
		kind->free(kind, SIZE, objs, 2 * PAIRS);
	else
		free_by_rcu(objs, 2 * PAIRS);
	forget_recycled();
	if (!kind->alloc(kind, SIZE, objs, 2 * PAIRS))
		return -ENOMEM;
	for (i = 0; i < PAIRS; i++) {
		in_use[i] = objs[2 * i];
		wipe_the_rest(in_use[i]);
		if (!add_record(kind, SIZE, objs[2 * i + 1]))
			return -ENOMEM;
	}
	/* It is about the lists, not about what this leaves on the stack. */
	memzero_explicit(objs, sizeof(objs));
	wipe_stack(WIPE_DEPTH);
	return 0;
}

void forget_recycled(void)
{
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		if (in_use[i])
			kmem_cache_free(recycled_cache, in_use[i]);
		in_use[i] = NULL;
	}
}

int init_recycled(void)
{
	recycled_cache = kmem_cache_create("kmemleak_selftest_recycled", SIZE, 0, 0, NULL);
	return recycled_cache ? 0 : -ENOMEM;
}

void exit_recycled(void)
{
	kmem_cache_destroy(recycled_cache);
}
