// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what a mark pass looks for.
 *
 * The first pass of a scan looks for all objects. Further ones look for suspects
 * alone, to which next to no word refers: of most words their value tells that,
 * of most of the others a bitmap of the pages in which there are suspects.
 */
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "load.h"
#include "refs.h"

static void widen(struct kml_range *range, unsigned long start, unsigned long last)
{
	if (range->size) {
		last = max(last, range->start + range->size - 1);
		start = min(start, range->start);
	}
	range->start = start;
	range->size = last - start + 1;
}

static void target_range(enum kml_space space, unsigned long start,
			 unsigned long last)
{
	struct kml_targets *targets = &kml_refs.targets;

	if (last < start)
		return;
	if (space == KML_PERCPU)
		widen(&targets->percpu, start, last);
	else
		widen(&targets->virt, start, last);
	widen(&targets->range, start, last);
}

/**
 * kml_target_all() - look for all objects
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_target_all(void)
{
	enum kml_space space;

	memset(&kml_refs.targets, 0, sizeof(kml_refs.targets));
	for (space = KML_VIRT; space <= KML_PERCPU; space++)
		target_range(space, READ_ONCE(kml_trees[space].lo),
			     READ_ONCE(kml_trees[space].hi));
	if (kml_linear.size)
		target_range(KML_VIRT, kml_linear.base,
			     kml_linear.base + kml_linear.size - 1);
	/* If there is nothing yet, it is empty: above comes below. */
	target_range(KML_PERCPU, READ_ONCE(kml_percpu_range.lo),
		     READ_ONCE(kml_percpu_range.hi));
	if (!READ_ONCE(kml_linear.has_percpu)) {
		kml_refs.targets.linear.start = kml_linear.base;
		kml_refs.targets.linear.size = kml_linear.size;
	}
}

/**
 * kml_target_none() - look for nothing, until kml_target() says otherwise
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_target_none(void)
{
	memset(&kml_refs.targets, 0, sizeof(kml_refs.targets));
	kml_refs.targets.filter = kml_scan_filter();
	bitmap_zero(kml_refs.targets.filter, KML_FILTER_BITS);
}

/**
 * kml_target() - look for an object
 * @space: address space
 * @start: its first address
 * @size: its length in bytes, not 0
 *
 * Context: Holder of kml_scan_mutex, since kml_target_none().
 */
void kml_target(enum kml_space space, unsigned long start, size_t size)
{
	unsigned long last = start + size - 1, addr = start;
	unsigned int pages;

	lockdep_assert_held(&kml_scan_mutex);
	target_range(space, start, last);
	for (pages = 0; pages < KML_FILTER_BITS && addr - start < size; pages++) {
		__set_bit(kml_filter_bit(addr), kml_refs.targets.filter);
		addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE;
	}
}

static __always_inline bool may_refer(unsigned long addr,
				      const struct kml_range *range,
				      const unsigned long *filter)
{
	addr = kml_untagged(addr);
	return unlikely(addr - range->start < range->size) &&
	       test_bit(kml_filter_bit(addr), filter);
}

/* Most words are small numbers: one test for several of them. */
static __always_inline bool are_small(unsigned long words,
				      const struct kml_range *range)
{
	return likely(kml_untagged(words) < range->start);
}

/**
 * kml_next_hit() - find a word that may refer to a target
 * @word: the first word to look at
 * @end: behind the last one
 *
 * Context: Holder of kml_scan_mutex since kml_target_none(), page faults off.
 * Return: the first such word, or @end; that too if a word cannot be read.
 */
const unsigned long *kml_next_hit(const unsigned long *word,
				  const unsigned long *end)
{
	const struct kml_range range = kml_refs.targets.range;
	const unsigned long *filter = kml_refs.targets.filter;
	unsigned long words[KML_LOAD_WORDS];

	for (; word + KML_LOAD_WORDS <= end; word += KML_LOAD_WORDS) {
		kml_load_words(word, words);
		if (are_small(words[0] | words[1] | words[2] | words[3], &range))
			continue;
		if (unlikely(!kml_pair_is_there(&word[0], &words[0]) ||
			     !kml_pair_is_there(&word[2], &words[2])))
			return end;
		if (may_refer(words[0], &range, filter))
			return word;
		if (may_refer(words[1], &range, filter))
			return word + 1;
		if (may_refer(words[2], &range, filter))
			return word + 2;
		if (may_refer(words[3], &range, filter))
			return word + 3;
	}
	for (; word < end; word++) {
		if (!kml_load_word(word, words))
			return end;
		if (may_refer(words[0], &range, filter))
			return word;
	}
	return end;
}
