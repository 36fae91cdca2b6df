// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what a word refers to.
 *
 * A mark pass looks at each word of memory that is in use. One that points into
 * an object, anywhere, is a reference to it, and with enough of them the object
 * is in use too: it is shaded, which means that the pass has to scan it.
 *
 * Most words point at nothing that is tracked, so that what matters is how soon
 * that is known of a word: first by its value alone, then by the table of the
 * pages of the linear map, and by a look into a tree only if that is not enough.
 *
 * Records of objects carry their counts; objects in slots, which need but one
 * reference each, have bits in their slab.
 */
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "load.h"
#include "refs.h"

struct kml_refs kml_refs = { .stack_top = kml_refs.stack };

/* ---- Colours ---- */

static bool has_grace(const struct kml_record *rec)
{
	return (s32)(READ_ONCE(rec->grace) - kml_scan_seq) >= 0;
}

/**
 * kml_is_root() - ask whether an object is in use, whoever refers to it or not
 * @rec: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if this scan has a reason, or has found one.
 */
bool kml_is_root(const struct kml_record *rec)
{
	if (kml_is_black(rec))
		return false;
	return kml_is_gray(rec) || rec->born == kml_scan_seq ||
	       rec->seen == kml_scan_seq || has_grace(rec);
}

/**
 * kml_is_suspect() - ask whether an object was found unreferenced so far
 * @rec: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if this scan has found no reason to take it for reachable.
 */
bool kml_is_suspect(const struct kml_record *rec)
{
	return kml_is_counted(rec) && !kml_is_root(rec) && READ_ONCE(rec->alive);
}

/**
 * kml_shade() - make sure that this pass scans an object: it is in use
 * @rec: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade(struct kml_record *rec)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (kml_is_suspect(rec))
		kml_refs.found++;
	rec->seen = kml_scan_seq;
	if (rec->queued == kml_refs.pass || !kml_get(rec))
		return;
	rec->queued = kml_refs.pass;
	rec->gray_next = kml_refs.gray;
	kml_refs.gray = rec;
}

static void queue_slot(struct kml_slab *slab, unsigned int index)
{
	if (!slab->queued) {
		/* It has been given up: what is in it is freed. */
		if (!refcount_inc_not_zero(&slab->ref))
			return;
		slab->queued = true;
		slab->gray_next = kml_refs.gray_slabs;
		kml_refs.gray_slabs = slab;
	}
	__set_bit(index, kml_slab_gray(slab));
}

/**
 * kml_shade_slot() - make sure that this scan scans an object: it is in use
 * @slab: its slab, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade_slot(struct kml_slab *slab, unsigned int index)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (!__test_and_set_bit(index, slab->seen))
		queue_slot(slab, index);
}

/**
 * kml_next_gray_slab() - take a slab with objects that are to be scanned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the slab, to be given back with kml_slab_put() after its mark
 * &kml_slab.queued was taken off, or NULL.
 */
struct kml_slab *kml_next_gray_slab(void)
{
	struct kml_slab *slab = kml_refs.gray_slabs;

	if (slab)
		kml_refs.gray_slabs = slab->gray_next;
	return slab;
}

/**
 * kml_next_gray() - take an object that is to be scanned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the object, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_next_gray(void)
{
	struct kml_record *rec = kml_refs.gray;

	if (rec)
		kml_refs.gray = rec->gray_next;
	return rec;
}

/* What is at hand has to wait for its turn after all. */
static void spill_mark_stack(void)
{
	struct kml_slot_ref ref;

	while (kml_refs.stack_top != kml_refs.stack) {
		const struct kml_mark_entry *stack = --kml_refs.stack_top;

		if (kml_slot_find(KML_VIRT, (unsigned long)stack->start, &ref))
			queue_slot(ref.slab, ref.index);
	}
}

/* ---- References ---- */

/* Returns true unless the object has enough of them. */
static bool count_reference(struct kml_record *rec)
{
	int needed = READ_ONCE(rec->min_count);

	/* Counts of earlier passes are void; none of them need be reset. */
	if (rec->pass != kml_refs.pass) {
		rec->pass = kml_refs.pass;
		rec->count = 0;
	}
	if (needed <= 0 || rec->count >= needed)
		return false;
	/* A pass that confirms scans what was in use before by itself. */
	if (++rec->count == needed &&
	    (!kml_refs.targets.filter || rec->seen != kml_scan_seq))
		kml_shade(rec);
	return true;
}

static bool is_holder(const struct kml_holder *holder, enum kml_space space,
		      unsigned long start, size_t size)
{
	return holder->addr - start < size && holder->space == space;
}

static void hand_surplus(unsigned long target, const struct kml_holder *holder)
{
	struct kml_record *rec = kml_lookup(&kml_trees[KML_VIRT], target);

	if (rec && rec->start == target &&
	    !is_holder(holder, KML_VIRT, rec->start, rec->size))
		count_reference(rec);
}

static void mark_object(enum kml_space space, unsigned long addr,
			const struct kml_holder *holder)
{
	struct kml_record *rec = kml_lookup(&kml_trees[space], addr);
	unsigned long surplus;

	if (!rec || is_holder(holder, space, rec->start, rec->size) ||
	    count_reference(rec))
		return;
	surplus = READ_ONCE(rec->surplus);
	if (surplus)
		hand_surplus(surplus, holder);
}

/* The first reference to a vm_struct is its own, all others are its area's. */
static bool is_first_reference(struct kml_slab *slab, unsigned int index,
			       const struct kml_holder *holder)
{
	unsigned long start = kml_slot_start(slab, index);
	unsigned long area;

	if (!__test_and_set_bit(index, kml_slab_counted(slab)))
		return true;
	if (!kml_read_memory(&area, (void *)start +
			     offsetof(struct vm_struct, addr), sizeof(area)))
		hand_surplus(area, holder);
	return false;
}

static void mark_slot(struct kml_slab *slab, unsigned int index, u32 meta,
		      const struct kml_holder *holder)
{
	if (meta & KML_SLOT_BLACK ||
	    (meta & KML_SLOT_SURPLUS &&
	     !is_first_reference(slab, index, holder)))
		return;
	kml_shade_slot(slab, index);
}

static void mark_percpu(unsigned long addr, const struct kml_holder *holder)
{
	struct kml_slot_ref ref;

	/* Some values of __percpu pointers look like those of others. */
	if (!kml_may_be_percpu(addr))
		return;
	/* In this order: what is promoted goes from the slot to the tree. */
	if (kml_slot_find(KML_PERCPU, addr, &ref))
		mark_slot(ref.slab, ref.index, ref.meta, holder);
	else
		mark_object(KML_PERCPU, addr, holder);
}

static void mark_virt(unsigned long addr, const struct kml_holder *holder)
{
	struct kml_slot_ref ref;

	/* Many words point into the image, and no counted object lies there. */
	if (!kml_is_linear(addr) && kml_is_in_image(addr))
		return;
	if (kml_slot_find(KML_VIRT, addr, &ref))
		mark_slot(ref.slab, ref.index, ref.meta, holder);
	else if (kml_may_be_in_tree(addr))
		mark_object(KML_VIRT, addr, holder);
}

static bool is_within(unsigned long addr, const struct kml_range *range)
{
	return addr - range->start < range->size;
}

static unsigned int filter_bit(unsigned long addr)
{
	return (addr >> PAGE_SHIFT) % KML_FILTER_BITS;
}

/* What a word refers to, in each case that there is. */
static noinline void mark(unsigned long addr, const struct kml_holder *holder)
{
	const struct kml_targets *targets = &kml_refs.targets;

	if (targets->filter && !test_bit(filter_bit(addr), targets->filter))
		return;
	/* Most of what is left is code and data of the kernel itself. */
	if (!kml_is_linear(addr) && !kml_may_be_outside(addr))
		return;
	if (is_within(addr, &targets->virt))
		mark_virt(addr, holder);
	if (is_within(addr, &targets->percpu))
		mark_percpu(addr, holder);
}

/*
 * The same for the linear map in the first pass, where most references lead to.
 * @offset is that of @addr there. What is found is kept at hand. Returns false if
 * it is none of the common cases.
 */
static noinline bool mark_linear(unsigned long addr, unsigned long offset)
{
	struct kml_slab *slab = rcu_dereference_raw(*kml_table_at(offset));
	struct kml_mark_entry *stack = kml_refs.stack_top;
	unsigned long *seen, bit, within;
	u32 index, size;

	if (unlikely(!slab))
		return !kml_is_tree_page(offset);
	within = kml_slab_divide(slab, addr, &index);
	size = READ_ONCE(slab->size);
	if (unlikely(index >= READ_ONCE(slab->common) || within >= size))
		return false;
	seen = &slab->seen[BIT_WORD(index)];
	bit = BIT_MASK(index);
	/* That includes each reference of an object to itself. */
	if (*seen & bit)
		return true;
	if (unlikely((kml_slot_meta(&slab->slots[index]) &
		      (KML_SLOT_LIVE | KML_SLOT_GEN | KML_SLOT_BLACK)) !=
		     KML_SLOT_LIVE))
		return false;
	if (unlikely(stack == kml_refs.stack + KML_MARK_STACK)) {
		if (!slab->queued)
			return false;
		kml_slab_gray(slab)[BIT_WORD(index)] |= bit;
		*seen |= bit;
		return true;
	}
	*seen |= bit;
	stack->start = (const unsigned long *)(addr - within);
	stack->nr = size / sizeof(long);
	kml_refs.stack_top = stack + 1;
	return true;
}

static __always_inline unsigned long untagged(unsigned long addr)
{
	return (unsigned long)kasan_reset_tag((void *)addr);
}

/* What the tests of a word need, in registers. */
struct tests {
	struct kml_range range;
	struct kml_range linear;
};

#define TESTS_INIT							\
	{ .range = kml_refs.targets.range, .linear = kml_refs.targets.linear }

static __always_inline void mark_word(unsigned long addr,
				      const struct tests *tests,
				      const struct kml_holder *holder)
{
	unsigned long offset;

	addr = untagged(addr);
	if (addr < tests->range.start)
		return;
	offset = addr - tests->linear.start;
	if (offset < tests->linear.size) {
		if (unlikely(!mark_linear(addr, offset)))
			mark(addr, holder);
	} else if (addr - tests->range.start < tests->range.size) {
		mark(addr, holder);
	}
}

/* Most words are small numbers: for two of them one test is enough. */
static __always_inline void mark_pair(unsigned long a, unsigned long b,
				      const struct tests *tests,
				      const struct kml_holder *holder)
{
	if (likely(untagged(a | b) < tests->range.start))
		return;
	mark_word(a, tests, holder);
	mark_word(b, tests, holder);
}

/**
 * kml_mark_words() - count what words refer to
 * @words: the words, in memory of the caller's
 * @nr: how many
 * @holder: whose they are
 *
 * Context: Holder of kml_scan_mutex, RCU read-side critical section.
 */
void kml_mark_words(const unsigned long *words, size_t nr,
		    const struct kml_holder *holder)
{
	const struct tests tests = TESTS_INIT;
	size_t i;

	for (i = 0; i < nr; i++)
		mark_word(words[i], &tests, holder);
}

static __always_inline void mark_in_place(const unsigned long *start,
					  size_t nr, const struct tests *tests,
					  const struct kml_holder *holder)
{
	unsigned long words[KML_LOAD_WORDS];
	size_t left = nr / KML_LOAD_WORDS;
	const unsigned long *word = start;

	for (; left; left--, word += KML_LOAD_WORDS) {
		if (!kml_load_words(word, words))
			return;
		mark_pair(words[0], words[1], tests, holder);
		mark_pair(words[2], words[3], tests, holder);
	}
	for (left = nr % KML_LOAD_WORDS; unlikely(left); left--, word++) {
		if (!kml_load_word(word, words))
			return;
		mark_word(words[0], tests, holder);
	}
}

/**
 * kml_mark_in_place() - count what words refer to, wherever they are
 * @start: the first word
 * @nr: how many
 * @holder: whose they are
 *
 * If they cannot be read the rest is left out.
 *
 * Context: Holder of kml_scan_mutex, RCU read-side critical section, page faults
 * and reports of KASAN off.
 */
void kml_mark_in_place(const unsigned long *start, size_t nr,
		       const struct kml_holder *holder)
{
	const struct tests tests = TESTS_INIT;

	mark_in_place(start, nr, &tests, holder);
}

/**
 * kml_drain_mark_stack() - count what objects refer to that were just found
 * @max: how many to look at before the rest is left for later
 *
 * To be called before the end of the RCU read-side critical section in which
 * they were found.
 *
 * Context: As kml_mark_in_place().
 * Return: how many words that were.
 */
size_t kml_drain_mark_stack(unsigned int max)
{
	const struct tests tests = TESTS_INIT;
	struct kml_holder self = { .space = KML_VIRT };
	size_t words = 0;

	while (kml_refs.stack_top != kml_refs.stack) {
		const struct kml_mark_entry *stack = --kml_refs.stack_top;

		self.addr = (unsigned long)stack->start;
		words += stack->nr;
		mark_in_place(stack->start, stack->nr, &tests, &self);
		if (unlikely(!--max)) {
			spill_mark_stack();
			break;
		}
	}
	return words;
}

/**
 * kml_mark_slots() - count what objects in slots refer to
 * @slab: their slab, a slab
 * @first: index of the first of so many as a word has bits
 * @bits: which of them
 *
 * Context: As kml_mark_in_place().
 * Return: how many words that were.
 */
size_t kml_mark_slots(struct kml_slab *slab, unsigned int first,
		      unsigned long bits)
{
	size_t nr = READ_ONCE(slab->size) / sizeof(long), words = 0;
	const struct tests tests = TESTS_INIT;
	struct kml_holder self = { .space = KML_VIRT };

	for (; bits; bits &= bits - 1) {
		unsigned int index = first + __ffs(bits);
		u32 meta = READ_ONCE(slab->slots[index].meta);
		size_t skip = FIELD_GET(KML_SLOT_SKIP, meta);

		if (unlikely(!(meta & KML_SLOT_LIVE)))
			continue;
		kml_slot_age(&slab->slots[index], meta);
		self.addr = kml_slot_start(slab, index);
		mark_in_place((const unsigned long *)self.addr + skip,
			      nr - skip, &tests, &self);
		words += nr;
	}
	return words;
}

/* ---- Aims ---- */

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

static void new_pass(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (!++kml_refs.pass)
		kml_refs.pass = 1;
	kml_refs.found = 0;
}

/**
 * kml_target_all() - begin with a pass that looks for all objects
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_target_all(void)
{
	enum kml_space space;

	new_pass();
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
		__set_bit(filter_bit(addr), kml_refs.targets.filter);
		addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE;
	}
}

/**
 * kml_new_pass() - begin with a pass that looks for the same objects
 *
 * Context: Holder of kml_scan_mutex, since kml_target_none().
 */
void kml_new_pass(void)
{
	new_pass();
}

/**
 * kml_found_in_use() - tell what this pass has achieved
 *
 * Context: Holder of kml_scan_mutex.
 * Return: how many suspects among objects of their own it found in use.
 */
unsigned long kml_found_in_use(void)
{
	return kml_refs.found;
}

/**
 * kml_is_queued() - ask whether this pass scans an object, or has done so
 * @rec: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if it does.
 */
bool kml_is_queued(const struct kml_record *rec)
{
	return rec->queued == kml_refs.pass;
}
