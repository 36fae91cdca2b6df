// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what is free in slabs that were there when tracking began.
 *
 * Only the allocator knows which objects of such a slab are free. Taken for unknown they
 * would be roots, full of pointers that are out of date, until somebody happens to get
 * their memory. So all of them are allocated, and freed again: that is seen like any other
 * allocation, and leaves an empty slot. Who allocates at the same time gets one of the
 * same objects, or a new slab.
 */
#include <linux/bits.h>
#include <linux/cpu.h>
#include <linux/kasan.h>
#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/isolation.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "../../slab.h"
#include "slab.h"

/* So many at most are held at a time. */
#define HELD_MAX	BIT(18)

#define GFP_HELD	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY)

#define HELD_IN_PAGE	(PAGE_SIZE / sizeof(void *) - 2)

/**
 * struct held_page - objects that are allocated, to be freed again
 * @next: the page that was filled before
 * @nr: how many of them are in this one
 * @object: the objects
 */
struct held_page {
	struct held_page *next;
	unsigned long nr;
	void *object[HELD_IN_PAGE];
};

/**
 * struct held - all objects of a cache that are free
 * @cache: the cache; NULL: there is none
 * @pages: where they are written down
 * @nr: how many there are, in all pages
 */
struct held {
	struct kmem_cache *cache;
	struct held_page *pages;
	unsigned int nr;
};

static bool make_room(struct held *held)
{
	struct held_page *page;

	if (held->pages && held->pages->nr < HELD_IN_PAGE)
		return true;
	page = (void *)__get_free_page(GFP_HELD);
	if (!page)
		return false;
	page->next = held->pages;
	page->nr = 0;
	held->pages = page;
	return true;
}

/* Was its slab there when tracking began, so that there may be more? */
static bool is_adopted(const void *object)
{
	const struct kml_slab *slab;
	bool adopted;

	/* It is in no slab, and says nothing of the next one. */
	if (is_kfence_address(object))
		return true;
	rcu_read_lock();
	slab = kml_slab_at((unsigned long)kasan_reset_tag(object));
	adopted = slab && READ_ONCE(slab->adopted);
	rcu_read_unlock();
	return adopted;
}

static void hold_those_of_node(struct held *held, int node)
{
	struct held_page *page;
	void *object;

	do {
		if (held->nr == HELD_MAX || !make_room(held))
			return;
		object = kmem_cache_alloc_node(held->cache, GFP_HELD | __GFP_THISNODE, node);
		if (!object)
			return;
		page = held->pages;
		page->object[page->nr++] = object;
		held->nr++;
		cond_resched();
	} while (is_adopted(object));
}

/* On one CPU, which has some for itself. */
static long hold_all(void *arg)
{
	int node;

	for_each_node_state(node, N_NORMAL_MEMORY)
		hold_those_of_node(arg, node);
	return 0;
}

static void free_all(struct held *held)
{
	struct held_page *page;

	while ((page = held->pages)) {
		held->pages = page->next;
		while (page->nr) {
			kmem_cache_free(held->cache, page->object[--page->nr]);
			cond_resched();
		}
		/* Nobody else may take them for references. */
		memset(page, 0, sizeof(*page));
		free_page((unsigned long)page);
	}
}

/* Caches come in at the front of the list: then one of them is handled twice. */
static struct kmem_cache *nth_cache(unsigned int nr)
{
	struct kmem_cache *cache;

	list_for_each_entry(cache, &slab_caches, list) {
		if (!nr--)
			return cache;
	}
	return NULL;
}

static bool learn_of_cache(unsigned int nr)
{
	const struct cpumask *cpus = housekeeping_cpumask(HK_TYPE_DOMAIN);
	struct held held = {};
	unsigned int cpu;

	/* In this order, as who destroys a cache takes them. */
	cpus_read_lock();
	mutex_lock(&slab_mutex);
	held.cache = nth_cache(nr);
	if (held.cache && !(held.cache->flags & SLAB_NOLEAKTRACE)) {
		for_each_online_cpu(cpu) {
			if (cpumask_test_cpu(cpu, cpus))
				work_on_cpu(cpu, hold_all, &held);
		}
		free_all(&held);
	}
	mutex_unlock(&slab_mutex);
	cpus_read_unlock();
	return held.cache;
}

/**
 * kml_learn_free() - find out what is free in slabs that were adopted
 *
 * A signal ends it: what it has not come to stays unknown.
 *
 * Context: Holder of kml_scan_mutex, since slabs have been adopted; sleeps.
 */
void kml_learn_free(void)
{
	unsigned int nr = 0;

	lockdep_assert_held(&kml_scan_mutex);
	while (!signal_pending(current) && learn_of_cache(nr))
		nr++;
}
