// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects that are not tracked, but may be in use.
 *
 * For one there was no memory for metadata, or it was allocated where the detector
 * cannot be told. Such an object cannot be reported, but what it points at must not be
 * either, so it has to be scanned as a root. As there is no memory to write it
 * down in, only a bit is set for the part of physical memory that it lies in,
 * in a map of fixed size; a scan then reads all pages in use there. That can
 * hide a leak that other memory nearby happens to point at; it never makes up a
 * leak. Going by physical pages keeps the scan off addresses of freed vmalloc
 * areas, where device registers may be mapped since.
 *
 * What was allocated where no lock may be taken is foreign here. A table of fixed size
 * has the addresses of such objects. If there is no room it is a bit of a map as well;
 * then, as they are objects of slabs, of the slabs nearby a scan reads what is not
 * tracked.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/highmem.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../../slab.h"
#include "slot.h"

/* Parts that memory is divided into: a map of 8 KiB. */
#define UNKNOWN_PARTS	BIT(16)

/* Bits are set by hooks and cleared by the scanner, atomically. */
static DECLARE_BITMAP(unknown_map, UNKNOWN_PARTS);

/*
 * Addresses of foreign objects, inverted, as those are no references; 0: none. In sets
 * by hash of the address. Filled and cleared by anybody, atomically.
 */
#define FOREIGN_SET_BITS	9
#define FOREIGN_WAYS		8
static unsigned long foreign[BIT(FOREIGN_SET_BITS)][FOREIGN_WAYS];

/* The same as the other map, for parts with those that found no room. */
static DECLARE_BITMAP(foreign_map, UNKNOWN_PARTS);

/* Were there ever any? */
static bool foreign_seen;

/* Objects that were ever unknown, since tracking began. */
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

static unsigned long __ref part_of(unsigned long pfn)
{
	/* Still on one CPU, long before max_pfn is known. */
	if (unknown_order < 0)
		set_order(PHYS_PFN(memblock_end_of_DRAM()));

	/* Memory that was added later is counted to the last part. */
	return min(pfn >> unknown_order, UNKNOWN_PARTS - 1);
}

static void mark_page(unsigned long pfn)
{
	set_bit(part_of(pfn), unknown_map);
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

/* Put @to where @from is among those that @start may be. Returns false if it is not. */
static bool exchange_foreign(unsigned long start, unsigned long from, unsigned long to)
{
	unsigned long *set = foreign[hash_long(start, FOREIGN_SET_BITS)];
	unsigned int i;

	for (i = 0; i < FOREIGN_WAYS; i++) {
		if (READ_ONCE(set[i]) == from && cmpxchg(&set[i], from, to) == from)
			return true;
	}
	return false;
}

/**
 * kml_foreign_add() - remember where an object of a slab is that nobody tracks
 * @start: its first address
 * @size: its length in bytes, not 0
 *
 * Context: Any, NMI included.
 */
void kml_foreign_add(unsigned long start, size_t size)
{
	unsigned long part, last;

	/* Mostly it is set, and CPUs share the cache line. */
	if (!READ_ONCE(foreign_seen))
		WRITE_ONCE(foreign_seen, true);
	if (exchange_foreign(start, 0, ~start))
		return;

	part = part_of(PHYS_PFN(__pa(start)));
	last = part_of(PHYS_PFN(__pa(start + size - 1)));
	for (; part <= last; part++)
		set_bit(part, foreign_map);
	/* Pairs with smp_mb__after_atomic() in visit_part(). */
	smp_mb();
}

/**
 * kml_foreign_remove() - forget a foreign object
 * @start: any address
 *
 * Context: Any, NMI included, before the allocator may hand it out again.
 */
void kml_foreign_remove(unsigned long start)
{
	if (READ_ONCE(foreign_seen))
		exchange_foreign(start, ~start, 0);
}

/**
 * kml_unknown_forget() - forget that anything was unknown
 *
 * Context: Process context, while no hook is called and no scan runs, before all that
 * there is becomes a root in another way.
 */
void kml_unknown_forget(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	bitmap_zero(unknown_map, UNKNOWN_PARTS);
	bitmap_zero(foreign_map, UNKNOWN_PARTS);
	memset(foreign, 0, sizeof(foreign));
	WRITE_ONCE(foreign_seen, false);
	atomic_long_set(&unknown_objects, 0);
}

/**
 * kml_know_all() - is every object tracked?
 *
 * Context: Any.
 * Return: false if some are not, so that one that is not found may be in use.
 */
bool kml_know_all(void)
{
	return !kml_unknown_objects() && !READ_ONCE(foreign_seen) && !kml_began_late();
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
	struct page *head = compound_head(page);
	const struct kmem_cache *cache;

	if (!PageSlab(head))
		return false;
	cache = READ_ONCE(page_slab(head)->slab_cache);
	return cache && READ_ONCE(cache->flags) & SLAB_NOLEAKTRACE;
}

static const struct kml_root unknown_root = { .kind = KML_ROOT_UNKNOWN };

/* Large objects of kmalloc() have no reference count, nor do slabs. */
static bool is_in_use(struct page *page)
{
	struct page *head = compound_head(page);

	return page_count(head) || PageSlab(head) || PageLargeKmalloc(head);
}

/* Visit all of a page. Returns 1 if nothing is there that is in use. */
static int visit_page(struct page *page, kml_visit_t visit)
{
	const void *start;
	int ret;

	if (!is_in_use(page))
		return 1;
	if (holds_no_references(page))
		return 0;
	start = kmap_local_page(page);
	ret = visit(start, start + PAGE_SIZE, &unknown_root);
	kunmap_local(start);
	return ret;
}

static bool is_tracked(unsigned long addr)
{
	struct kml_record *rec;
	struct kml_ref ref;
	bool in_slot;

	rcu_read_lock();
	in_slot = kml_slot_find(KML_VIRT, addr, &ref);
	rcu_read_unlock();
	if (in_slot)
		return true;
	rec = kml_find(&kml_trees[KML_VIRT], addr);
	if (rec)
		kml_put(rec);
	return rec;
}

/*
 * Visit what is not tracked of a slab, if the page is its first one. It may go at
 * any time: then what is there is nobody's.
 */
static int visit_untracked(struct page *page, kml_visit_t visit)
{
	const void *start, *end;
	struct kmem_cache *cache;
	unsigned int size;
	int ret = 0;

	if (!PageSlab(page))
		return 1;
	if (PageTail(page) || holds_no_references(page))
		return 0;
	cache = READ_ONCE(page_slab(page)->slab_cache);
	size = cache ? READ_ONCE(cache->size) : 0;
	if (size < sizeof(long))
		return 0;
	start = page_address(page);
	end = start + page_size(page);
	for (; end - start >= size && !ret; start += size) {
		if (!is_tracked((unsigned long)fixup_red_left(cache, (void *)start)))
			ret = visit(start, start + size, &unknown_root);
	}
	return ret;
}

static int visit_foreign(unsigned long start, kml_visit_t visit)
{
	const struct slab *slab = virt_to_slab((void *)start);
	const struct kmem_cache *cache = slab ? READ_ONCE(slab->slab_cache) : NULL;

	/* What was freed meanwhile may be in nobody's slab. */
	if (!cache)
		return 0;
	return visit((void *)start, (void *)start + READ_ONCE(cache->object_size),
		     &unknown_root);
}

static int visit_all_foreign(kml_visit_t visit)
{
	unsigned long *place = &foreign[0][0], *end = place + sizeof(foreign) / sizeof(*place);
	int ret = 0;

	for (; place < end && !ret; place++) {
		unsigned long start = READ_ONCE(*place);

		if (start)
			ret = visit_foreign(~start, visit);
	}
	return ret;
}

typedef int (*visit_page_t)(struct page *page, kml_visit_t visit);

static int visit_part(unsigned long *map, unsigned long part,
		      visit_page_t visit_page, kml_visit_t visit)
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
	clear_bit(part, map);
	/* Pairs with smp_mb() in kml_foreign_add(): who saw the bit has a slab. */
	smp_mb__after_atomic();
	for (; pfn < end && ret >= 0; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		ret = page ? visit_page(page, visit) : 1;
		used |= ret <= 0;
	}
	if (used)
		set_bit(part, map);
	return min(ret, 0);
}

static int visit_parts(unsigned long *map, visit_page_t visit_page,
		       kml_visit_t visit)
{
	unsigned long part;
	int ret;

	for_each_set_bit(part, map, UNKNOWN_PARTS) {
		ret = visit_part(map, part, visit_page, visit);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * kml_visit_unknown() - visit the memory in which unknown objects may lie
 * @visit: called for each range
 *
 * Parts of memory that are no longer in use are forgotten.
 *
 * Context: Process context, memory hotplug held off; may sleep.
 * Return: 0, or the negative number that @visit returned to stop.
 */
int kml_visit_unknown(kml_visit_t visit)
{
	return visit_parts(unknown_map, visit_page, visit) ?:
	       visit_all_foreign(visit) ?:
	       visit_parts(foreign_map, visit_untracked, visit);
}
