// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: in which pages there may be objects.
 *
 * Most words that a scan meets are no references. These bitmaps tell so for most
 * of them without a look at a tree or a slab. Bits are set before an object can
 * be found. Only those of the tree in the linear map are ever cleared.
 */
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/memblock.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "slab.h"

phys_addr_t kml_dram_start __ro_after_init;
struct kml_linear kml_linear __read_mostly;
unsigned long *kml_tree_pages __read_mostly;
unsigned long *kml_area_pages __read_mostly;
unsigned long kml_outside_parts[BITS_TO_LONGS(KML_OUTSIDE_BITS)];
unsigned long kml_percpu_pages[BITS_TO_LONGS(KML_PERCPU_PAGE_BITS)];

/**
 * kml_note_pages() - note whether slabs of the tree may lie in some pages
 * @start: an address in the first one, of the linear map
 * @last: an address in the last one
 * @in_tree: may they?
 *
 * Context: Holder of the tree's lock.
 */
void kml_note_pages(unsigned long start, unsigned long last, bool in_tree)
{
	unsigned long bit, end, mask, old;

	if (!kml_tree_pages)
		return;
	last = min(last, kml_linear.base + kml_linear.size - 1);
	bit = (start - kml_linear.base) >> PAGE_SHIFT;
	end = ((last - kml_linear.base) >> PAGE_SHIFT) + 1;
	while (bit < end) {
		unsigned long next = min(ALIGN(bit + 1, BITS_PER_LONG), end);
		unsigned long *word = &kml_tree_pages[BIT_WORD(bit)];

		mask = GENMASK((next - 1) % BITS_PER_LONG, bit % BITS_PER_LONG);
		old = *word;
		WRITE_ONCE(*word, in_tree ? old | mask : old & ~mask);
		bit = next;
	}
}

/* Parts of the address space, of which several share a bit. */
static void note_parts(unsigned long *map, unsigned int nr_bits,
		       unsigned long part, unsigned long last)
{
	for (; part <= last; part++)
		set_bit(part % nr_bits, map);
}

/**
 * kml_note_outside() - note that there are objects somewhere outside the linear map
 * @start: the lowest address of theirs
 * @last: the highest one
 *
 * Context: Any.
 */
void kml_note_outside(unsigned long start, unsigned long last)
{
	note_parts(kml_outside_parts, KML_OUTSIDE_BITS, start >> KML_OUTSIDE_SHIFT,
		   last >> KML_OUTSIDE_SHIFT);
}

/**
 * kml_note_percpu() - note that there are objects in some pages of per-CPU memory
 * @start: an address in the first page
 * @last: an address in the last one
 *
 * Context: Any.
 */
void kml_note_percpu(unsigned long start, unsigned long last)
{
	if (kml_is_linear(start) || kml_is_linear(last))
		WRITE_ONCE(kml_linear.has_percpu, true);
	note_parts(kml_percpu_pages, KML_PERCPU_PAGE_BITS,
		   start / KML_PERCPU_PAGE, last / KML_PERCPU_PAGE);
	kml_note_outside(start, last);
}

/* ---- Pages of objects outside of the linear map ---- */

/**
 * kml_note_memory() - note where memory begins
 *
 * Context: Boot, one CPU, when all memory is known to memblock.
 */
void __init kml_note_memory(void)
{
	kml_dram_start = memblock_start_of_DRAM();
}

static unsigned long nr_area_bits(void)
{
	return max_pfn - PHYS_PFN(kml_dram_start);
}

/**
 * kml_is_area_page() - ask whether an object outside of the linear map has a page
 * @pfn: the page frame
 *
 * Context: Any.
 * Return: true if it has.
 */
bool kml_is_area_page(unsigned long pfn)
{
	unsigned long *map = READ_ONCE(kml_area_pages);
	unsigned long bit = pfn - PHYS_PFN(kml_dram_start);

	return map && bit < nr_area_bits() && test_bit(bit, map);
}

/**
 * kml_note_area() - note whether an object outside of the linear map has its pages
 * @start: its first address
 * @size: its length in bytes
 * @there: has it?
 *
 * The pages of other objects are roots, if users want that: those of this one are not.
 *
 * Context: Any but NMI, before the object is freed.
 */
void kml_note_area(unsigned long start, size_t size, bool there)
{
	unsigned long *map = READ_ONCE(kml_area_pages);
	unsigned long addr;

	if (!map || !is_vmalloc_or_module_addr((void *)start))
		return;
	for (addr = PAGE_ALIGN_DOWN(start); addr < start + size; addr += PAGE_SIZE) {
		struct page *page = vmalloc_to_page((void *)addr);
		unsigned long bit;

		if (!page)
			continue;
		bit = page_to_pfn(page) - PHYS_PFN(kml_dram_start);
		if (bit >= nr_area_bits())
			continue;
		if (there)
			set_bit(bit, map);
		else
			clear_bit(bit, map);
	}
}

/**
 * kml_note_areas() - begin to note them, of objects that come from now on
 *
 * Context: Process context; may sleep. One at a time.
 * Return: 0 or -ENOMEM.
 */
int kml_note_areas(void)
{
	unsigned long *map;
	size_t size = BITS_TO_LONGS(nr_area_bits()) * sizeof(long);

	if (kml_area_pages) {
		/* There are no such objects yet. */
		if (!kml_tracking())
			memset(kml_area_pages, 0, size);
		return 0;
	}
	map = vzalloc(size);
	if (!map)
		return -ENOMEM;
	kml_hide_area(map, size);
	/* Pairs with the address dependency of who reads it. */
	smp_store_release(&kml_area_pages, map);
	return 0;
}

/* ---- Memory of the detector that is no slab's ---- */

/*
 * What users of the page allocator have may be read for references. Pages that are
 * reserved are not.
 */
static void hide(const void *start, size_t size, bool hidden)
{
	const void *addr;

	for (addr = start; addr < start + size; addr += PAGE_SIZE) {
		struct page *page = is_vmalloc_addr(addr) ? vmalloc_to_page(addr) :
							    virt_to_page(addr);

		if (hidden)
			SetPageReserved(page);
		else
			ClearPageReserved(page);
	}
}

/**
 * kml_alloc_hidden() - allocate memory that may have addresses of objects
 * @size: length in bytes
 * @gfp: flags to allocate with
 *
 * Context: Any that may allocate with @gfp.
 * Return: whole pages, or NULL.
 */
void *kml_alloc_hidden(size_t size, gfp_t gfp)
{
	void *ptr = alloc_pages_exact(size, gfp);

	if (ptr)
		hide(ptr, size, true);
	return ptr;
}

/**
 * kml_free_hidden() - free what kml_alloc_hidden() has allocated
 * @ptr: the memory, or NULL
 * @size: its length in bytes
 *
 * Context: Any.
 */
void kml_free_hidden(void *ptr, size_t size)
{
	if (!ptr)
		return;
	hide(ptr, size, false);
	free_pages_exact(ptr, size);
}

/**
 * kml_hide_area() - take no words of a vmalloc area for references
 * @area: the area, which stays for ever
 * @size: its length in bytes
 *
 * Context: Process context.
 */
void kml_hide_area(const void *area, size_t size)
{
	hide(area, size, true);
}
