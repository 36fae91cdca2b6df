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
#include <linux/vmalloc.h>

#include <asm/sections.h>

#include "../../internal.h"
#include "../../page_alloc.h"
#include "../track/track.h"
#include "refs.h"

/*
 * Page frames of which all are online, or none, and that are looked at between
 * two offers to reschedule.
 */
#define ROOT_PFN_GROUP	64

/**
 * kml_visit_cpu() - visit the static variables of a CPU, without the stacks among them
 * @cpu: a possible CPU
 * @visit: called for each range
 *
 * Context: With SMP, else these variables stand in the data section. Any, if @visit does
 * not sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_cpu(unsigned int cpu, kml_visit_t visit)
{
	struct kml_root root = { .kind = KML_ROOT_PERCPU, .cpu = cpu };
	const void *start = per_cpu_ptr((void __percpu *)__per_cpu_start, cpu);
	const void *from = start;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < KML_CPU_STACKS && kml_cpu_stacks[i].size && !ret; i++) {
		const void *stack = start + kml_cpu_stacks[i].start;

		if (from < stack)
			ret = visit(from, stack, &root);
		from = stack + kml_cpu_stacks[i].size;
	}
	return ret ?: visit(from, start + (__per_cpu_end - __per_cpu_start), &root);
}

static int visit_percpu(kml_visit_t visit)
{
	unsigned int cpu;
	int ret = 0;

	if (!IS_ENABLED(CONFIG_SMP))
		return 0;

	for_each_possible_cpu(cpu) {
		ret = kml_visit_cpu(cpu, visit);
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

/*
 * Is a struct page a root? Of a slab it is not: all that it refers to is the
 * cache, and objects that are free.
 */
static bool is_root_page(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_ref_count(folio) && !folio_test_slab(folio);
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

/* Neighbours that are roots are handed over in one go; of a zone, if it is given. */
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
		if (!nr && is_root_page(page) &&
		    (!zone || page_zone(page) == zone)) {
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

/* The group that @pfn is in, as far as it is below @end; moves @pfn behind it. */
static int visit_next_group(const struct zone *zone, unsigned long *pfn,
			    unsigned long end, kml_visit_pages_t visit)
{
	unsigned long stop = min(ALIGN(*pfn + 1, ROOT_PFN_GROUP), end);

	if (pfn_to_online_page(*pfn))
		return visit_group(zone, *pfn, stop, visit, pfn);
	*pfn = stop;
	return 0;
}

static int visit_zone(const struct zone *zone, kml_visit_pages_t visit)
{
	unsigned long end = zone_end_pfn(zone);
	unsigned long pfn = zone->zone_start_pfn;
	int ret = 0;

	while (pfn < end && !ret) {
		ret = visit_next_group(zone, &pfn, end, visit);
		cond_resched_tasks_rcu_qs();
	}
	return ret;
}

/**
 * kml_visit_block() - visit struct pages that are in use
 * @zone: only those of that zone; NULL: of all
 * @pfn: the first page frame
 * @end: behind the last one
 * @visit: called for those that are neighbours
 *
 * Context: Memory hotplug held off; any, if @visit does not sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_block(const struct zone *zone, unsigned long pfn, unsigned long end,
		    kml_visit_pages_t visit)
{
	int ret = 0;

	while (pfn < end && !ret)
		ret = visit_next_group(zone, &pfn, end, visit);
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
