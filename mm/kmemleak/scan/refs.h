/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what a word refers to.
 */
#ifndef __MM_KMEMLEAK_REFS_H
#define __MM_KMEMLEAK_REFS_H

#include "../store/slab.h"
#include "scan.h"

/**
 * struct kml_holder - whose words are being looked at: nobody's, if all is 0
 * @space: address space of @addr
 * @addr: an address within the object; references to the object itself do not
 *	count
 */
struct kml_holder {
	enum kml_space space;
	unsigned long addr;
};

/**
 * struct kml_range - from the lowest of some addresses to the highest one
 * @start: the lowest one
 * @size: length in bytes; 0 if there are none
 */
struct kml_range {
	unsigned long start;
	unsigned long size;
};

/**
 * struct kml_targets - what words the mark pass is interested in
 * @range: all of them
 * @linear: those of the linear map that need no closer look
 * @virt: virtual addresses
 * @percpu: values of __percpu pointers
 * @filter: bitmap of pages, by hash, with something of interest; NULL: all
 */
struct kml_targets {
	struct kml_range range;
	struct kml_range linear;
	struct kml_range virt;
	struct kml_range percpu;
	unsigned long *filter;
};

/* Objects found in use that are kept at hand. */
#define KML_MARK_STACK	256

/**
 * struct kml_mark_entry - an object in a slot of a slab, to be scanned soon
 * @start: its first word; objects of slabs start at one, whatever their length
 * @nr: how many words it has
 */
struct kml_mark_entry {
	const unsigned long *start;
	size_t nr;
};

/**
 * struct kml_refs - the state of a mark pass; kml_scan_mutex
 * @pass: its number; never 0, which objects start with
 * @targets: what it looks for
 * @found: suspects among objects of their own that it found in use
 * @gray: objects to be scanned, pinned and linked by gray_next
 * @gray_slabs: slabs with objects to be scanned, the same
 * @stack_top: behind the last one of @stack
 * @stack: objects to be scanned within the RCU read-side critical section
 *
 * In one piece, which scans leave out.
 */
struct kml_refs {
	u32 pass;
	struct kml_targets targets;
	unsigned long found;
	struct kml_record *gray;
	struct kml_slab *gray_slabs;
	struct kml_mark_entry *stack_top;
	struct kml_mark_entry stack[KML_MARK_STACK];
};

extern struct kml_refs kml_refs;

/* The same as kml_is_suspect() of an object in a slot, which says @meta. */
static inline bool kml_is_suspect_slot(const struct kml_slab *slab,
				       unsigned int index, u32 meta)
{
	return meta & KML_SLOT_LIVE && !test_bit(index, slab->seen) &&
	       !(meta & (KML_SLOT_GRAY | KML_SLOT_BLACK)) &&
	       !kml_slot_is_young(meta);
}

bool kml_is_root(const struct kml_record *rec);
bool kml_is_suspect(const struct kml_record *rec);
void kml_shade(struct kml_record *rec);
void kml_shade_slot(struct kml_slab *slab, unsigned int index);
bool kml_is_queued(const struct kml_record *rec);
struct kml_slab *kml_next_gray_slab(void);
struct kml_record *kml_next_gray(void);

void kml_mark_words(const unsigned long *words, size_t nr,
		    const struct kml_holder *holder);
void kml_mark_in_place(const unsigned long *start, size_t nr,
		       const struct kml_holder *holder);

size_t kml_drain_mark_stack(unsigned int max);
size_t kml_mark_slots(struct kml_slab *slab, unsigned int first,
		      unsigned long bits);

void kml_target_all(void);
void kml_target_none(void);
void kml_target(enum kml_space space, unsigned long start, size_t size);
void kml_new_pass(void);
unsigned long kml_found_in_use(void);

#endif /* __MM_KMEMLEAK_REFS_H */
