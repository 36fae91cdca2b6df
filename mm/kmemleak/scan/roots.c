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
#include "../../percpu-internal.h"
#include "../track/track.h"
#include "refs.h"

/*
 * Page frames of which all are online, or none, and that are looked at between
 * two offers to reschedule.
 */
#define ROOT_PFN_GROUP	64

/* From the start of a CPU's static variables to the end of the chunk that they are in. */
static size_t first_chunk_size(void)
{
	const struct pcpu_chunk *chunk = pcpu_first_chunk;

	return chunk->base_addr + (size_t)chunk->nr_pages * PAGE_SIZE - pcpu_base_addr;
}

/**
 * kml_visit_cpu() - visit the static variables of a CPU, without the stacks among them
 * @cpu: a possible CPU
 * @visit: called for each range
 *
 * Context: Any, if @visit does not sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_cpu(unsigned int cpu, kml_visit_t visit)
{
	struct kml_root root = { .kind = KML_ROOT_PERCPU, .cpu = cpu };
	const void *start = kml_cpu_variables(cpu);
	const void *from = start;
	size_t size = __per_cpu_end - __per_cpu_start;
	unsigned int i;
	int ret = 0;

	/* Without SMP these variables stand in the data section. */
	if (!IS_ENABLED(CONFIG_SMP)) {
		start = pcpu_base_addr;
		return kml_began_late() ? visit(start, start + first_chunk_size(), &root) : 0;
	}
	for (i = 0; i < KML_CPU_STACKS && kml_cpu_stacks[i].size && !ret; i++) {
		const void *stack = start + kml_cpu_stacks[i].start;

		if (from < stack)
			ret = visit(from, stack, &root);
		from = stack + kml_cpu_stacks[i].size;
	}
	/* Objects among those that follow are not all tracked. */
	if (kml_began_late())
		size = max(size, first_chunk_size());
	return ret ?: visit(from, start + size, &root);
}

static int visit_percpu(kml_visit_t visit)
{
	unsigned int cpu;
	int ret = 0;

	for_each_possible_cpu(cpu) {
		ret = kml_visit_cpu(cpu, visit);
		if (ret)
			break;
	}
	return ret;
}

/* Where a part of the array of struct pages stands, or 0 if unknown. */
static phys_addr_t phys_of_memmap(const struct page *page)
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
 * Context: Process context.
 */
void kml_hide_memmap(void)
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
		       unsigned long end, const struct kml_root_visitor *visitor,
		       unsigned long *next)
{
	struct page *page, *first = NULL;
	bool memory;
	int ret = 0;

	while (pfn < end && !ret) {
		unsigned long nr;

		page = pfn_to_page(pfn);
		nr = free_pages_from(page);
		if (zone && page_zone(page) != zone)
			nr = nr ?: 1;
		memory = !nr && READ_ONCE(kml_pages) && kml_is_root_memory(page);
		if (memory)
			ret = kml_visit_memory(page, visitor->memory);
		if (!nr && !ret && (memory || is_root_page(page))) {
			first = first ?: page;
			pfn++;
			continue;
		}
		if (first && !ret)
			ret = visitor->pages(first, page);
		first = NULL;
		pfn += nr ?: 1;
	}
	if (first && !ret)
		ret = visitor->pages(first, pfn_to_page(pfn - 1) + 1);
	*next = pfn;
	return ret;
}

/* The group that @pfn is in, as far as it is below @end; moves @pfn behind it. */
static int visit_next_group(const struct zone *zone, unsigned long *pfn,
			    unsigned long end, const struct kml_root_visitor *visitor)
{
	unsigned long stop = min(ALIGN(*pfn + 1, ROOT_PFN_GROUP), end);

	if (pfn_to_online_page(*pfn))
		return visit_group(zone, *pfn, stop, visitor, pfn);
	*pfn = stop;
	return 0;
}

static int visit_zone(const struct zone *zone, const struct kml_root_visitor *visitor)
{
	unsigned long end = zone_end_pfn(zone);
	unsigned long pfn = zone->zone_start_pfn;
	int ret = 0;

	while (pfn < end && !ret) {
		ret = visit_next_group(zone, &pfn, end, visitor);
		cond_resched_tasks_rcu_qs();
	}
	return ret;
}

/**
 * kml_visit_block() - visit struct pages that are in use, and pages that are roots
 * @zone: only those of that zone; NULL: of all
 * @pfn: the first page frame
 * @end: behind the last one
 * @visitor: what to do with those that are neighbours, and with the memory of pages
 *
 * Context: Memory hotplug held off; any, if the visitor does not sleep.
 * Return: 0, or what the visitor returned to stop.
 */
int kml_visit_block(const struct zone *zone, unsigned long pfn, unsigned long end,
		    const struct kml_root_visitor *visitor)
{
	int ret = 0;

	while (pfn < end && !ret)
		ret = visit_next_group(zone, &pfn, end, visitor);
	return ret;
}

static int visit_struct_pages(const struct kml_root_visitor *visitor)
{
	struct zone *zone;
	int ret = 0;

	for_each_populated_zone(zone) {
		ret = visit_zone(zone, visitor);
		if (ret)
			break;
	}
	return ret;
}

/**
 * kml_visit_pages_in_use() - do something with each page that is not free
 * @visit: what to do
 * @arg: for @visit
 *
 * Pages that come or go meanwhile may be missed or not.
 *
 * Context: Process context; may sleep.
 */
void kml_visit_pages_in_use(kml_visit_page_t visit, void *arg)
{
	struct zone *zone;

	get_online_mems();
	for_each_populated_zone(zone) {
		unsigned long end = zone_end_pfn(zone);
		unsigned long pfn = zone->zone_start_pfn;

		while (pfn < end) {
			struct page *page = pfn_to_online_page(pfn);
			unsigned long nr = page ? free_pages_from(page) : 1;

			if (!nr && page_zone(page) == zone)
				visit(page, arg);
			pfn += nr ?: 1;
			if (pfn % ROOT_PFN_GROUP == 0)
				cond_resched_tasks_rcu_qs();
		}
	}
	put_online_mems();
}

static void count_page(struct page *page, void *arg)
{
	struct kml_page_counts *counts = arg;

	if (!kml_is_root_memory(page))
		return;
	counts->all++;
	counts->of[kml_page_kind(page)]++;
}

/**
 * kml_count_pages() - tell how many pages are roots that nobody has registered
 * @counts: set to their numbers, 0 if such pages are no roots
 *
 * Context: Process context; may sleep.
 */
void kml_count_pages(struct kml_page_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	if (READ_ONCE(kml_pages) && kml_tracking())
		kml_visit_pages_in_use(count_page, counts);
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
	ret = visit_struct_pages(visitor);
	if (!ret)
		ret = kml_visit_unknown(visitor->memory);
	put_online_mems();
	if (ret || !stacks)
		return ret;

	return kml_visit_stacks(visitor);
}
