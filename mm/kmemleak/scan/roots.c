// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what a scan starts from, besides gray objects.
 *
 * The kernel's data sections are gray objects, from kmemleak_init(). For stacks
 * see stacks.c.
 */
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/percpu.h>
#include <linux/stackdepot.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <asm/sections.h>

#include "../../internal.h"
#include "../track/track.h"
#include "refs.h"

/* How far into the record of a stack its entries are looked for. */
#define DEPOT_RECORD_WORDS	12

#ifndef KML_DEPOT_LIST
/* A list of the stack depot, and what it leads to if it is empty. */
#define KML_DEPOT_LIST		struct list_head
#define KML_DEPOT_EMPTY(list)	((const void *)(list))
#endif

/* Lists of the stack depot that are looked at between two offers to reschedule. */
#define DEPOT_BATCH		4096

/*
 * Page frames of which all are online, or none, and that are looked at between
 * two offers to reschedule.
 */
#define ROOT_PFN_GROUP	64

static int visit_percpu(kml_visit_t visit)
{
	unsigned int cpu;
	int ret = 0;

	/* Without SMP these variables stand in the data section. */
	if (!IS_ENABLED(CONFIG_SMP))
		return 0;

	for_each_possible_cpu(cpu) {
		struct kml_root root = { .kind = KML_ROOT_PERCPU, .cpu = cpu };
		const void *start;

		start = per_cpu_ptr((void __percpu *)__per_cpu_start, cpu);
		ret = visit(start, start + (__per_cpu_end - __per_cpu_start),
			    &root);
		if (ret)
			break;
	}
	return ret;
}

/* Where a part of the array of struct pages stands, or 0 if unknown. */
static phys_addr_t __init phys_of_memmap(const struct page *page)
{
	struct page *backing;

	if (virt_addr_valid(page))
		return __pa(page);
	/* It is mapped like vmalloc memory, but not among its addresses. */
	if (IS_ENABLED(CONFIG_DEBUG_VIRTUAL))
		return 0;
	backing = vmalloc_to_page(page);
	return backing ? page_to_phys(backing) + offset_in_page(page) : 0;
}

/**
 * kml_hide_memmap() - do not take the array of struct pages for boot memory
 *
 * It was allocated at boot like other roots. But only the struct pages that are
 * in use are roots, and they are visited one by one.
 *
 * Context: Boot, process context.
 */
void __init kml_hide_memmap(void)
{
	const unsigned long step = PAGE_SIZE / sizeof(struct page);
	phys_addr_t start = 0, end = 0;
	unsigned long pfn;

	for (pfn = 0; pfn < max_pfn; pfn += step) {
		struct page *page = pfn_to_online_page(pfn);
		phys_addr_t phys = page ? phys_of_memmap(page) : 0;

		if (!phys)
			continue;
		if (phys != end) {
			kml_untrack_range(KML_PHYS, start, end - start);
			start = phys;
		}
		end = phys + PAGE_SIZE;
	}
	kml_untrack_range(KML_PHYS, start, end - start);
}

/* Is that the record of a stack with these entries, or near it? */
static bool __init is_record_of(const void *record, const unsigned long *entries,
				unsigned int nr)
{
	unsigned long words[DEPOT_RECORD_WORDS];
	unsigned int i;

	if (kml_read_memory(words, record, sizeof(words)))
		return false;
	for (i = 0; i + nr <= ARRAY_SIZE(words); i++) {
		if (!memcmp(&words[i], entries, nr * sizeof(*entries)))
			return true;
	}
	return false;
}

/* Is that an array of lists, one of which begins with such a record? */
static bool __init is_depot_table(const void *table, size_t size,
				  const unsigned long *entries, unsigned int nr)
{
	const KML_DEPOT_LIST *first = table, *list;

	for (list = first; (void *)(list + 1) <= table + size; list++) {
		const void *empty = KML_DEPOT_EMPTY(list), *next;

		if (kml_read_memory(&next, list, sizeof(next)) ||
		    (empty && !next))
			return false;
		if (next != empty && is_record_of(next, entries, nr))
			return true;
		if (!((list - first) % DEPOT_BATCH))
			cond_resched();
	}
	return false;
}

static bool __init match_gray(const struct kml_record *rec, void *arg)
{
	return rec->space == KML_PHYS && kml_is_gray(rec);
}

/**
 * kml_hide_depot() - do not take the table of the stack depot for boot memory
 *
 * It grows with memory to be millions of words, none of which refers to anything
 * that is tracked. It is known by a stack that nobody else has saved.
 *
 * Context: Boot, process context.
 */
void __init kml_hide_depot(void)
{
	unsigned long entries[] = {
		(unsigned long)kml_hide_depot, (unsigned long)is_depot_table,
		(unsigned long)is_record_of,
	};
	struct kml_cursor cur = KML_CURSOR(&kml_trees[KML_PHYS]);
	struct kml_record *rec;

	if (!stack_depot_save(entries, ARRAY_SIZE(entries), GFP_KERNEL))
		return;
	while (kml_collect(&cur, match_gray, NULL, &rec, 1)) {
		const void *content = kml_content(rec, 0);

		if (content && is_depot_table(content, rec->size, entries,
					      ARRAY_SIZE(entries)))
			kml_set_flags(rec, KML_NO_SCAN, 0);
		kml_put(rec);
	}
}

/*
 * Is a struct page a root? Of a slab it is not: all that it refers to is the
 * cache, and objects that are free.
 */
static bool is_root_page(const struct zone *zone, struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_ref_count(folio) && !folio_test_slab(folio) &&
	       page_zone(page) == zone;
}

/* How many pages from this one on are free in one slab, or 0. */
static unsigned long free_pages_from(struct page *page)
{
	unsigned int order;

	/* It may be allocated at this moment: then it is young. */
	if (!PageBuddy(page))
		return 0;
	order = buddy_order_unsafe(page);
	return order <= MAX_PAGE_ORDER ? 1UL << order : 0;
}

/* Neighbours that are roots are handed over in one go. */
static int visit_group(const struct zone *zone, unsigned long pfn,
		       unsigned long end, kml_visit_pages_t visit,
		       unsigned long *next)
{
	struct page *page, *first = NULL;
	int ret = 0;

	while (pfn < end && !ret) {
		unsigned long nr;

		page = pfn_to_page(pfn);
		nr = free_pages_from(page);
		if (!nr && is_root_page(zone, page)) {
			first = first ?: page;
			pfn++;
			continue;
		}
		if (first)
			ret = visit(first, page);
		first = NULL;
		pfn += nr ?: 1;
	}
	if (first && !ret)
		ret = visit(first, pfn_to_page(pfn - 1) + 1);
	*next = pfn;
	return ret;
}

static int visit_zone(const struct zone *zone, kml_visit_pages_t visit)
{
	unsigned long end = zone_end_pfn(zone);
	unsigned long pfn = zone->zone_start_pfn;
	int ret = 0;

	while (pfn < end && !ret) {
		unsigned long stop = min(ALIGN(pfn + 1, ROOT_PFN_GROUP), end);

		if (pfn_to_online_page(pfn))
			ret = visit_group(zone, pfn, stop, visit, &pfn);
		else
			pfn = stop;
		cond_resched_tasks_rcu_qs();
	}
	return ret;
}

static int visit_struct_pages(kml_visit_pages_t visit)
{
	struct zone *zone;
	int ret = 0;

	for_each_populated_zone(zone) {
		ret = visit_zone(zone, visit);
		if (ret)
			break;
	}
	return ret;
}

/**
 * kml_visit_roots() - visit all memory in which pointers count by themselves
 * @visitor: what to do with it
 * @stacks: visit the stacks of tasks too
 *
 * Context: Process context; may sleep.
 * Return: 0, or what the visitor returned to stop.
 */
int kml_visit_roots(const struct kml_root_visitor *visitor, bool stacks)
{
	int ret;

	ret = visit_percpu(visitor->memory);
	if (ret)
		return ret;

	get_online_mems();
	ret = visit_struct_pages(visitor->pages);
	if (!ret)
		ret = kml_visit_unknown(visitor->memory);
	put_online_mems();
	if (ret || !stacks)
		return ret;

	return kml_visit_stacks(visitor);
}
