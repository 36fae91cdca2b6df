/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what a word refers to.
 */
#ifndef __MM_KMEMLEAK_REFS_H
#define __MM_KMEMLEAK_REFS_H

#include "block.h"

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
 * struct kml_hull - from the lowest of some addresses to the highest one
 * @start: the lowest one
 * @size: length in bytes; 0 if there are none
 */
struct kml_hull {
	unsigned long start;
	unsigned long size;
};

/**
 * struct kml_targets - what words the mark pass is interested in
 * @hull: all of them
 * @linear: those of the linear map that need no closer look
 * @virt: virtual addresses
 * @percpu: values of __percpu pointers
 * @filter: bitmap of pages, by hash, with something of interest; NULL: all
 */
struct kml_targets {
	struct kml_hull hull;
	struct kml_hull linear;
	struct kml_hull virt;
	struct kml_hull percpu;
	unsigned long *filter;
};

/* Objects found in use that are kept at hand. */
#define KML_SOON_MAX	256

/**
 * struct kml_soon - an object in a slot of a slab, to be scanned soon
 * @start: its first word; objects of slabs start at one, whatever their length
 * @nr: how many words it has
 */
struct kml_soon {
	const unsigned long *start;
	size_t nr;
};

/**
 * struct kml_refs - the state of a mark pass; kml_scan_mutex
 * @pass: its number; never 0, which objects start with
 * @targets: what it looks for
 * @found: suspects among objects of their own that it found in use
 * @gray: objects to be scanned, pinned and linked by gray_next
 * @gray_blocks: blocks with objects to be scanned, the same
 * @soon_end: behind the last one of @soon
 * @soon: objects to be scanned within the RCU read-side critical section
 *
 * In one piece, which scans leave out.
 */
struct kml_refs {
	u32 pass;
	struct kml_targets targets;
	unsigned long found;
	struct kml_object *gray;
	struct kml_block *gray_blocks;
	struct kml_soon *soon_end;
	struct kml_soon soon[KML_SOON_MAX];
};

extern struct kml_refs kml_refs;

/* The same as kml_is_suspect() of an object in a slot, which says @meta. */
static inline bool kml_is_suspect_slot(const struct kml_block *block,
				       unsigned int index, u32 meta)
{
	return meta & KML_SLOT_LIVE && !test_bit(index, block->seen) &&
	       !(meta & (KML_SLOT_GRAY | KML_SLOT_BLACK)) &&
	       !kml_slot_is_young(meta);
}

bool kml_is_root(const struct kml_object *obj);
bool kml_is_suspect(const struct kml_object *obj);
void kml_shade(struct kml_object *obj);
void kml_shade_slot(struct kml_block *block, unsigned int index);
bool kml_is_queued(const struct kml_object *obj);
struct kml_block *kml_next_gray_block(void);
struct kml_object *kml_next_gray(void);

void kml_mark_words(const unsigned long *words, size_t nr,
		    const struct kml_holder *holder);
void kml_mark_in_place(const unsigned long *start, size_t nr,
		       const struct kml_holder *holder);

size_t kml_mark_soon(unsigned int max);
size_t kml_mark_slots(struct kml_block *block, unsigned int first,
		      unsigned long bits);

void kml_aim_at_all(void);
void kml_aim_anew(void);
void kml_aim_at(enum kml_space space, unsigned long start, size_t size);
void kml_aim_again(void);
unsigned long kml_found_in_use(void);

#endif /* __MM_KMEMLEAK_REFS_H */
