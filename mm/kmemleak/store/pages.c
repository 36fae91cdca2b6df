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
#include <linux/minmax.h>

#include "slab.h"

struct kml_linear kml_linear __read_mostly;
unsigned long *kml_tree_pages __ro_after_init;
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
