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
 * reference each, have bits in their block.
 */
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "load.h"
#include "refs.h"

struct kml_refs kml_refs = { .soon_end = kml_refs.soon };

/* ---- Colours ---- */

static bool has_grace(const struct kml_object *obj)
{
	return (s32)(READ_ONCE(obj->grace) - kml_scan_seq) >= 0;
}

/**
 * kml_is_root() - ask whether an object is in use, whoever refers to it or not
 * @obj: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if this scan has a reason, or has found one.
 */
bool kml_is_root(const struct kml_object *obj)
{
	if (kml_is_black(obj))
		return false;
	return kml_is_gray(obj) || obj->born == kml_scan_seq ||
	       obj->seen == kml_scan_seq || has_grace(obj);
}

/**
 * kml_is_suspect() - ask whether an object was found unreferenced so far
 * @obj: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if this scan has found no reason to take it for reachable.
 */
bool kml_is_suspect(const struct kml_object *obj)
{
	return kml_is_counted(obj) && !kml_is_root(obj) && READ_ONCE(obj->alive);
}

/**
 * kml_shade() - make sure that this pass scans an object: it is in use
 * @obj: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade(struct kml_object *obj)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (kml_is_suspect(obj))
		kml_refs.found++;
	obj->seen = kml_scan_seq;
	if (obj->queued == kml_refs.pass || !kml_get(obj))
		return;
	obj->queued = kml_refs.pass;
	obj->gray_next = kml_refs.gray;
	kml_refs.gray = obj;
}

static void queue_slot(struct kml_block *block, unsigned int index)
{
	if (!block->queued) {
		/* It has been given up: what is in it is freed. */
		if (!refcount_inc_not_zero(&block->ref))
			return;
		block->queued = true;
		block->gray_next = kml_refs.gray_blocks;
		kml_refs.gray_blocks = block;
	}
	__set_bit(index, kml_block_gray(block));
}

/**
 * kml_shade_slot() - make sure that this scan scans an object: it is in use
 * @block: its block, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade_slot(struct kml_block *block, unsigned int index)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (!__test_and_set_bit(index, block->seen))
		queue_slot(block, index);
}

/**
 * kml_next_gray_block() - take a block with objects that are to be scanned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the block, to be given back with kml_block_put() after its mark
 * &kml_block.queued was taken off, or NULL.
 */
struct kml_block *kml_next_gray_block(void)
{
	struct kml_block *block = kml_refs.gray_blocks;

	if (block)
		kml_refs.gray_blocks = block->gray_next;
	return block;
}

/**
 * kml_next_gray() - take an object that is to be scanned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the object, to be given back with kml_put(), or NULL.
 */
struct kml_object *kml_next_gray(void)
{
	struct kml_object *obj = kml_refs.gray;

	if (obj)
		kml_refs.gray = obj->gray_next;
	return obj;
}

/* What is at hand has to wait for its turn after all. */
static void queue_soon(void)
{
	struct kml_slot_ref ref;

	while (kml_refs.soon_end != kml_refs.soon) {
		const struct kml_soon *soon = --kml_refs.soon_end;

		if (kml_slot_find(KML_VIRT, (unsigned long)soon->start, &ref))
			queue_slot(ref.block, ref.index);
	}
}

/* ---- References ---- */

/* Returns true unless the object has enough of them. */
static bool count_reference(struct kml_object *obj)
{
	int needed = READ_ONCE(obj->min_count);

	/* Counts of earlier passes are void; none of them need be reset. */
	if (obj->pass != kml_refs.pass) {
		obj->pass = kml_refs.pass;
		obj->count = 0;
	}
	if (needed <= 0 || obj->count >= needed)
		return false;
	/* A pass that confirms scans what was in use before by itself. */
	if (++obj->count == needed &&
	    (!kml_refs.targets.filter || obj->seen != kml_scan_seq))
		kml_shade(obj);
	return true;
}

static bool is_holder(const struct kml_holder *holder, enum kml_space space,
		      unsigned long start, size_t size)
{
	return holder->addr - start < size && holder->space == space;
}

static void hand_surplus(unsigned long target, const struct kml_holder *holder)
{
	struct kml_object *obj = kml_lookup(&kml_trees[KML_VIRT], target);

	if (obj && obj->start == target &&
	    !is_holder(holder, KML_VIRT, obj->start, obj->size))
		count_reference(obj);
}

static void mark_object(enum kml_space space, unsigned long addr,
			const struct kml_holder *holder)
{
	struct kml_object *obj = kml_lookup(&kml_trees[space], addr);
	unsigned long surplus;

	if (!obj || is_holder(holder, space, obj->start, obj->size) ||
	    count_reference(obj))
		return;
	surplus = READ_ONCE(obj->surplus);
	if (surplus)
		hand_surplus(surplus, holder);
}

/* The first reference to a vm_struct is its own, all others are its area's. */
static bool is_first_reference(struct kml_block *block, unsigned int index,
			       const struct kml_holder *holder)
{
	unsigned long start = kml_slot_start(block, index);
	unsigned long area;

	if (!__test_and_set_bit(index, kml_block_counted(block)))
		return true;
	if (!kml_read_memory(&area, (void *)start +
			     offsetof(struct vm_struct, addr), sizeof(area)))
		hand_surplus(area, holder);
	return false;
}

static void mark_slot(struct kml_block *block, unsigned int index, u32 meta,
		      const struct kml_holder *holder)
{
	if (meta & KML_SLOT_BLACK ||
	    (meta & KML_SLOT_SURPLUS &&
	     !is_first_reference(block, index, holder)))
		return;
	kml_shade_slot(block, index);
}

static void mark_percpu(unsigned long addr, const struct kml_holder *holder)
{
	struct kml_slot_ref ref;

	/* Some values of __percpu pointers look like those of others. */
	if (!kml_may_be_percpu(addr))
		return;
	/* In this order: what is promoted goes from the slot to the tree. */
	if (kml_slot_find(KML_PERCPU, addr, &ref))
		mark_slot(ref.block, ref.index, ref.meta, holder);
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
		mark_slot(ref.block, ref.index, ref.meta, holder);
	else if (kml_may_be_in_tree(addr))
		mark_object(KML_VIRT, addr, holder);
}

static bool is_within(unsigned long addr, const struct kml_hull *hull)
{
	return addr - hull->start < hull->size;
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
	if (!kml_is_linear(addr) && !kml_may_be_far(addr))
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
	struct kml_block *block = rcu_dereference_raw(*kml_table_at(offset));
	struct kml_soon *soon = kml_refs.soon_end;
	unsigned long *seen, bit, within;
	u32 index, size;

	if (unlikely(!block))
		return !kml_is_tree_page(offset);
	within = kml_block_divide(block, addr, &index);
	size = READ_ONCE(block->size);
	if (unlikely(index >= READ_ONCE(block->common) || within >= size))
		return false;
	seen = &block->seen[BIT_WORD(index)];
	bit = BIT_MASK(index);
	/* That includes each reference of an object to itself. */
	if (*seen & bit)
		return true;
	if (unlikely((kml_slot_meta(&block->slots[index]) &
		      (KML_SLOT_LIVE | KML_SLOT_BORN | KML_SLOT_BLACK)) !=
		     KML_SLOT_LIVE))
		return false;
	if (unlikely(soon == kml_refs.soon + KML_SOON_MAX)) {
		if (!block->queued)
			return false;
		kml_block_gray(block)[BIT_WORD(index)] |= bit;
		*seen |= bit;
		return true;
	}
	*seen |= bit;
	soon->start = (const unsigned long *)(addr - within);
	soon->nr = size / sizeof(long);
	kml_refs.soon_end = soon + 1;
	return true;
}

static __always_inline unsigned long untagged(unsigned long addr)
{
	return (unsigned long)kasan_reset_tag((void *)addr);
}

/* What the tests of a word need, in registers. */
struct tests {
	struct kml_hull hull;
	struct kml_hull linear;
};

#define TESTS_INIT							\
	{ .hull = kml_refs.targets.hull, .linear = kml_refs.targets.linear }

static __always_inline void mark_word(unsigned long addr,
				      const struct tests *tests,
				      const struct kml_holder *holder)
{
	unsigned long offset;

	addr = untagged(addr);
	if (addr < tests->hull.start)
		return;
	offset = addr - tests->linear.start;
	if (offset < tests->linear.size) {
		if (unlikely(!mark_linear(addr, offset)))
			mark(addr, holder);
	} else if (addr - tests->hull.start < tests->hull.size) {
		mark(addr, holder);
	}
}

/* Most words are small numbers: for two of them one test is enough. */
static __always_inline void mark_pair(unsigned long a, unsigned long b,
				      const struct tests *tests,
				      const struct kml_holder *holder)
{
	if (likely(untagged(a | b) < tests->hull.start))
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
 * kml_mark_soon() - count what objects refer to that were just found
 * @max: how many to look at before the rest is left for later
 *
 * To be called before the end of the RCU read-side critical section in which
 * they were found.
 *
 * Context: As kml_mark_in_place().
 * Return: how many words that were.
 */
size_t kml_mark_soon(unsigned int max)
{
	const struct tests tests = TESTS_INIT;
	struct kml_holder self = { .space = KML_VIRT };
	size_t words = 0;

	while (kml_refs.soon_end != kml_refs.soon) {
		const struct kml_soon *soon = --kml_refs.soon_end;

		self.addr = (unsigned long)soon->start;
		words += soon->nr;
		mark_in_place(soon->start, soon->nr, &tests, &self);
		if (unlikely(!--max)) {
			queue_soon();
			break;
		}
	}
	return words;
}

/**
 * kml_mark_slots() - count what objects in slots refer to
 * @block: their block, a slab
 * @first: index of the first of so many as a word has bits
 * @bits: which of them
 *
 * Context: As kml_mark_in_place().
 * Return: how many words that were.
 */
size_t kml_mark_slots(struct kml_block *block, unsigned int first,
		      unsigned long bits)
{
	size_t nr = READ_ONCE(block->size) / sizeof(long), words = 0;
	const struct tests tests = TESTS_INIT;
	struct kml_holder self = { .space = KML_VIRT };

	for (; bits; bits &= bits - 1) {
		unsigned int index = first + __ffs(bits);
		u32 meta = READ_ONCE(block->slots[index].meta);
		size_t skip = FIELD_GET(KML_SLOT_SKIP, meta);

		if (unlikely(!(meta & KML_SLOT_LIVE)))
			continue;
		kml_slot_grow_old(&block->slots[index], meta);
		self.addr = kml_slot_start(block, index);
		mark_in_place((const unsigned long *)self.addr + skip,
			      nr - skip, &tests, &self);
		words += nr;
	}
	return words;
}

/* ---- Aims ---- */

static void aim(struct kml_hull *hull, unsigned long start, unsigned long last)
{
	if (hull->size) {
		last = max(last, hull->start + hull->size - 1);
		start = min(start, hull->start);
	}
	hull->start = start;
	hull->size = last - start + 1;
}

static void aim_at_range(enum kml_space space, unsigned long start,
			 unsigned long last)
{
	struct kml_targets *targets = &kml_refs.targets;

	if (last < start)
		return;
	if (space == KML_PERCPU)
		aim(&targets->percpu, start, last);
	else
		aim(&targets->virt, start, last);
	aim(&targets->hull, start, last);
}

static void new_pass(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (!++kml_refs.pass)
		kml_refs.pass = 1;
	kml_refs.found = 0;
}

/**
 * kml_aim_at_all() - begin with a pass that looks for all objects
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_aim_at_all(void)
{
	enum kml_space space;

	new_pass();
	memset(&kml_refs.targets, 0, sizeof(kml_refs.targets));
	for (space = KML_VIRT; space <= KML_PERCPU; space++)
		aim_at_range(space, READ_ONCE(kml_trees[space].lo),
			     READ_ONCE(kml_trees[space].hi));
	if (kml_linear.size)
		aim_at_range(KML_VIRT, kml_linear.base,
			     kml_linear.base + kml_linear.size - 1);
	/* If there is nothing yet, it is empty: above comes below. */
	aim_at_range(KML_PERCPU, READ_ONCE(kml_percpu_range.lo),
		     READ_ONCE(kml_percpu_range.hi));
	if (!READ_ONCE(kml_linear.has_percpu)) {
		kml_refs.targets.linear.start = kml_linear.base;
		kml_refs.targets.linear.size = kml_linear.size;
	}
}

/**
 * kml_aim_anew() - look for nothing, until kml_aim_at() says otherwise
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_aim_anew(void)
{
	memset(&kml_refs.targets, 0, sizeof(kml_refs.targets));
	kml_refs.targets.filter = kml_scan_filter();
	bitmap_zero(kml_refs.targets.filter, KML_FILTER_BITS);
}

/**
 * kml_aim_at() - look for an object
 * @space: address space
 * @start: its first address
 * @size: its length in bytes, not 0
 *
 * Context: Holder of kml_scan_mutex, since kml_aim_anew().
 */
void kml_aim_at(enum kml_space space, unsigned long start, size_t size)
{
	unsigned long last = start + size - 1, addr = start;
	unsigned int pages;

	lockdep_assert_held(&kml_scan_mutex);
	aim_at_range(space, start, last);
	for (pages = 0; pages < KML_FILTER_BITS && addr - start < size; pages++) {
		__set_bit(filter_bit(addr), kml_refs.targets.filter);
		addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE;
	}
}

/**
 * kml_aim_again() - begin with a pass that looks for the same objects
 *
 * Context: Holder of kml_scan_mutex, since kml_aim_anew().
 */
void kml_aim_again(void)
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
 * @obj: an object of its own
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if it does.
 */
bool kml_is_queued(const struct kml_object *obj)
{
	return obj->queued == kml_refs.pass;
}
