// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects whose metadata could not be had.
 *
 * Such an object cannot be reported, but what it points at must not be reported
 * either, so it has to be scanned as a root. As there is no memory to write it
 * down in, only a bit is set for the part of physical memory that it lies in,
 * in a map of fixed size; a scan then reads all pages in use there. That can
 * hide a leak that other memory nearby happens to point at; it never makes up a
 * leak. Going by physical pages keeps the scan off addresses of freed vmalloc
 * areas, where device registers may be mapped since.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/vmalloc.h>

#include "../../slab.h"
#include "store.h"

/* Parts that memory is divided into: a map of 8 KiB. */
#define UNKNOWN_PARTS	BIT(16)

/* Bits are set by hooks and cleared by the scanner, atomically. */
static DECLARE_BITMAP(unknown_map, UNKNOWN_PARTS);

/* Objects that were ever unknown. */
static atomic_long_t unknown_objects;

/* Page frames in one part, as a power of two; -1: not known yet. */
static int unknown_order = -1;

static void set_order(unsigned long end_pfn)
{
	unknown_order = order_base_2(DIV_ROUND_UP(end_pfn, UNKNOWN_PARTS));
}

/**
 * kml_unknown_init() - settle how memory is divided
 *
 * Context: Boot, one CPU, when all memory is known to memblock.
 */
void __init kml_unknown_init(void)
{
	if (unknown_order < 0)
		set_order(max_pfn);
}

static void __ref mark_page(unsigned long pfn)
{
	/* Still on one CPU, long before max_pfn is known. */
	if (unknown_order < 0)
		set_order(PHYS_PFN(memblock_end_of_DRAM()));

	/* Memory that was added later is counted to the last part. */
	set_bit(min(pfn >> unknown_order, UNKNOWN_PARTS - 1), unknown_map);
}

static void mark_virt(unsigned long addr)
{
	struct page *page;

	if (is_vmalloc_or_module_addr((void *)addr)) {
		page = vmalloc_to_page((void *)addr);
		if (page)
			mark_page(page_to_pfn(page));
	} else if (virt_addr_valid((void *)addr)) {
		mark_page(PHYS_PFN(__pa(addr)));
	}
}

static void mark_percpu(unsigned long addr)
{
	void __percpu *ptr = (void __percpu *)addr;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		mark_page(PHYS_PFN(per_cpu_ptr_to_phys(per_cpu_ptr(ptr, cpu))));
}

/**
 * kml_unknown_add() - remember where an object is that cannot be tracked
 * @space: address space of the object
 * @start: its first address
 * @size: its length in bytes, not 0
 *
 * Context: Any but NMI.
 */
void kml_unknown_add(enum kml_space space, unsigned long start, size_t size)
{
	unsigned long last = start + size - 1;
	unsigned long addr = start & PAGE_MASK;

	if (atomic_long_inc_return(&unknown_objects) == 1)
		kml_warn("out of memory for metadata, leaks will be missed (see CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE)\n");

	do {
		if (space == KML_PHYS)
			mark_page(PHYS_PFN(addr));
		else if (space == KML_PERCPU)
			mark_percpu(max(addr, start));
		else
			mark_virt(addr);
		addr += PAGE_SIZE;
	} while (addr && addr <= last);
}

/**
 * kml_unknown_objects() - tell how many objects could not be tracked
 *
 * Context: Any.
 * Return: the number of such objects since boot.
 */
unsigned long kml_unknown_objects(void)
{
	return atomic_long_read(&unknown_objects);
}

/*
 * Slabs that are neither tracked nor searched: those of the detector, above all, whose
 * records have the addresses of suspects.
 */
static bool holds_no_references(struct page *page)
{
	struct folio *folio = page_folio(page);
	const struct kmem_cache *cache;

	if (!folio_test_slab(folio))
		return false;
	cache = READ_ONCE(folio_slab(folio)->slab_cache);
	return cache && READ_ONCE(cache->flags) & SLAB_NOLEAKTRACE;
}

static int visit_page(struct page *page, kml_visit_t visit)
{
	static const struct kml_root root = { .kind = KML_ROOT_UNKNOWN };
	const void *start = kmap_local_page(page);
	int ret = visit(start, start + PAGE_SIZE, &root);

	kunmap_local(start);
	return ret;
}

static int visit_part(unsigned long part, kml_visit_t visit)
{
	unsigned long pfn = part << unknown_order;
	unsigned long end = (part + 1) << unknown_order;
	bool used = false;
	int ret = 0;

	if (part == UNKNOWN_PARTS - 1)
		end = max(end, max_pfn);

	/*
	 * Cleared first: an object that is added meanwhile sets the bit again and
	 * is younger than this scan.
	 */
	clear_bit(part, unknown_map);
	for (; pfn < end && !ret; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || (!page_count(page) && !PageSlab(page)))
			continue;
		used = true;
		if (!holds_no_references(page))
			ret = visit_page(page, visit);
	}
	if (used)
		set_bit(part, unknown_map);
	return ret;
}

/**
 * kml_visit_unknown() - visit the memory in which unknown objects may lie
 * @visit: called for each page
 *
 * Parts of memory that are no longer in use are forgotten.
 *
 * Context: Process context, memory hotplug held off; may sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_unknown(kml_visit_t visit)
{
	unsigned long part;
	int ret;

	for_each_set_bit(part, unknown_map, UNKNOWN_PARTS) {
		ret = visit_part(part, visit);
		if (ret)
			return ret;
	}
	return 0;
}
