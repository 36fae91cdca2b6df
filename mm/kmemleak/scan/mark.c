// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the fast path of a scan.
 *
 * A pass looks at each word of memory that is in use. One that points into an
 * object, anywhere, is a reference to it, and with enough of them the object is in
 * use too: it is shaded, which means that the pass has to scan it.
 *
 * Most words point at nothing that is tracked, so that what matters is how soon
 * that is known of a word: first by its value alone, then by the table of the
 * pages of the linear map, and by a look into a tree only if that is not enough.
 * For the same reason this file, and no other one of a scan, looks at slots and
 * records as such: slots have bits in their slab, records have counts.
 *
 * Memory of the linear map and of the kernel image is read where it is, without
 * a lock: what happens to it meanwhile costs no more than a fault, which is
 * caught. Other addresses may come to be something else after a free, device
 * registers even. Of these a chunk at a time is copied, for which a free waits.
 */
#include <linux/atomic.h>
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "../store/slab.h"
#include "load.h"
#include "refs.h"

/* Struct pages looked at between two offers to reschedule. */
#define MARK_PAGE_BATCH		64

/* ---- References ---- */

/* Returns true unless the object has enough of them. Nobody else counts meanwhile. */
static bool count_alone(struct kml_record *rec)
{
	int needed = READ_ONCE(rec->min_count);

	/* Counts of earlier passes are void; none of them need be reset. */
	if (rec->pass != kml_refs.pass) {
		WRITE_ONCE(rec->count, 0);
		/* Pairs with smp_load_acquire() in has_enough(). */
		smp_store_release(&rec->pass, kml_refs.pass);
	}
	if (needed <= 0 || rec->count >= needed)
		return false;
	WRITE_ONCE(rec->count, rec->count + 1);
	/* A pass that confirms scans what was in use before by itself. */
	if (rec->count == needed &&
	    (!kml_refs.targets.filter || rec->seen != kml_scan_seq))
		kml_shade_alone(rec);
	return true;
}

/* Most objects that are referred to often need one reference. */
static bool has_enough(const struct kml_record *rec)
{
	int needed = READ_ONCE(rec->min_count);

	/* Pairs with smp_store_release() in count_alone(): that is the pass's count. */
	return needed <= 0 || (smp_load_acquire(&rec->pass) == kml_refs.pass &&
			       READ_ONCE(rec->count) >= needed);
}

static bool count_reference(struct kml_record *rec)
{
	bool ret;

	if (likely(!kml_refs.shared))
		return count_alone(rec);
	if (has_enough(rec))
		return false;
	raw_spin_lock(&kml_gray_lock);
	ret = count_alone(rec);
	raw_spin_unlock(&kml_gray_lock);
	return ret;
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

static void mark_record(enum kml_space space, unsigned long addr,
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

/* Counts of earlier passes are void. Nobody else counts meanwhile. */
static bool is_first_alone(struct kml_slab *slab, unsigned int index)
{
	if (slab->counted != (u16)kml_refs.pass) {
		bitmap_zero(kml_slab_counted(slab), slab->nr);
		slab->counted = kml_refs.pass;
	}
	return !__test_and_set_bit(index, kml_slab_counted(slab));
}

/* The first reference to a vm_struct is its own, all others are its area's. */
static bool is_first_reference(struct kml_slab *slab, unsigned int index,
			       const struct kml_holder *holder)
{
	unsigned long area;
	bool first;

	if (likely(!kml_refs.shared)) {
		first = is_first_alone(slab, index);
	} else {
		raw_spin_lock(&kml_gray_lock);
		first = is_first_alone(slab, index);
		raw_spin_unlock(&kml_gray_lock);
	}
	if (first)
		return true;
	area = kml_slot_surplus(slab, index);
	if (area)
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
	struct kml_ref ref;

	/* Some values of __percpu pointers look like those of others. */
	if (!kml_may_be_percpu(addr))
		return;
	/* In this order: an object goes from its slot to a record. */
	if (kml_slot_find(KML_PERCPU, addr, &ref))
		mark_slot(ref.slab, ref.index, ref.meta, holder);
	else
		mark_record(KML_PERCPU, addr, holder);
}

static void mark_virt(unsigned long addr, const struct kml_holder *holder)
{
	struct kml_ref ref;

	/* Many words point into the image, and no counted object lies there. */
	if (!kml_is_linear(addr) && kml_is_in_image(addr))
		return;
	if (kml_slot_find(KML_VIRT, addr, &ref))
		mark_slot(ref.slab, ref.index, ref.meta, holder);
	else if (kml_may_be_in_tree(addr))
		mark_record(KML_VIRT, addr, holder);
}

static bool is_within(unsigned long addr, const struct kml_range *range)
{
	return addr - range->start < range->size;
}

/**
 * kml_mark() - count what a word refers to, in each case that there is
 * @addr: the word, without a tag
 * @holder: whose word it is
 *
 * Context: Whoever marks, within RCU.
 */
noinline void kml_mark(unsigned long addr, const struct kml_holder *holder)
{
	const struct kml_targets *targets = &kml_refs.targets;

	if (targets->filter && !test_bit(kml_filter_bit(addr), targets->filter))
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
 * The end of mark_linear() where others mark at the same time. Whoever sets the bit is
 * the one who scans the object, and nobody else relies on when it does.
 */
static __always_inline bool push_shared(const struct kml_mark_entry *entry,
					unsigned long *seen, unsigned long bit,
					struct kml_mark_entry *top,
					struct kml_worker *self)
{
	if (atomic_long_fetch_or_relaxed(bit, (atomic_long_t *)seen) & bit)
		return true;
	*top = *entry;
	self->top = top + 1;
	return true;
}

/*
 * The same for the linear map in the first pass, where most references lead to.
 * @offset is that of @addr there. What is found is kept at hand. Returns false if
 * it is none of the common cases.
 */
static noinline bool mark_linear(unsigned long addr, unsigned long offset,
				 struct kml_worker *self)
{
	struct kml_slab *slab = rcu_dereference_raw(*kml_table_at(offset));
	struct kml_mark_entry *stack = self->top;
	unsigned long *seen, old, bit, within;
	u32 index, size;

	if (unlikely(!slab))
		return !kml_is_tree_page(offset);
	within = kml_slab_divide(slab, addr, &index);
	size = READ_ONCE(slab->size);
	if (unlikely(index >= READ_ONCE(slab->common) || within >= size))
		return false;
	seen = &slab->seen[BIT_WORD(index)];
	bit = BIT_MASK(index);
	old = READ_ONCE(*seen);
	/* That includes each reference of an object to itself. */
	if (old & bit)
		return true;
	if (unlikely((kml_slot_meta(&slab->slots[index]) &
		      (KML_SLOT_LIVE | KML_SLOT_GEN | KML_SLOT_BLACK)) !=
		     KML_SLOT_LIVE))
		return false;
	if (unlikely(stack >= self->room)) {
		if (stack < self->limit) {
			const struct kml_mark_entry entry = {
				.start = (const unsigned long *)(addr - within),
				.nr = size / sizeof(long),
			};

			return push_shared(&entry, seen, bit, stack, self);
		}
		/* Others may mark in it, too. */
		if (self->limit || !slab->queued)
			return false;
		kml_slab_gray(slab)[BIT_WORD(index)] |= bit;
		*seen = old | bit;
		return true;
	}
	*seen = old | bit;
	stack->start = (const unsigned long *)(addr - within);
	stack->nr = size / sizeof(long);
	self->top = stack + 1;
	return true;
}

/* The tests of a word need these, in registers. */
struct tests {
	struct kml_range range;
	struct kml_range linear;
	struct kml_worker *self;
};

#define TESTS_INIT(worker)						\
	{								\
		.range = kml_refs.targets.range,			\
		.linear = kml_refs.targets.linear,			\
		.self = (worker),					\
	}

static __always_inline void mark_word(unsigned long addr,
				      const struct tests *tests,
				      const struct kml_holder *holder)
{
	unsigned long offset;

	addr = kml_untagged(addr);
	if (addr < tests->range.start)
		return;
	offset = addr - tests->linear.start;
	if (offset < tests->linear.size) {
		if (unlikely(!mark_linear(addr, offset, tests->self)))
			kml_mark(addr, holder);
	} else if (addr - tests->range.start < tests->range.size) {
		kml_mark(addr, holder);
	}
}

/*
 * Most words are small numbers: for two of them one test is enough. Returns false if
 * they could not be read.
 */
static __always_inline bool mark_pair(const unsigned long *from,
				      const unsigned long *words,
				      const struct tests *tests,
				      const struct kml_holder *holder)
{
	if (likely(kml_untagged(words[0] | words[1]) < tests->range.start))
		return true;
	if (unlikely(!kml_pair_is_there(from, words)))
		return false;
	mark_word(words[0], tests, holder);
	mark_word(words[1], tests, holder);
	return true;
}

/* Words in memory of the caller's. */
static void mark_words(struct kml_worker *self, const unsigned long *words,
		       size_t nr, const struct kml_holder *holder)
{
	const struct tests tests = TESTS_INIT(self);
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
		kml_load_words(word, words);
		if (!mark_pair(&word[0], &words[0], tests, holder) ||
		    !mark_pair(&word[2], &words[2], tests, holder))
			return;
	}
	for (left = nr % KML_LOAD_WORDS; unlikely(left); left--, word++) {
		if (!kml_load_word(word, words))
			return;
		mark_word(words[0], tests, holder);
	}
}

/* The same if most words refer to nothing that the pass looks for. */
static noinline void mark_hits(const unsigned long *start, size_t nr,
			       const struct kml_holder *holder)
{
	const unsigned long *word = start, *end = start + nr;
	unsigned long addr;

	for (; (word = kml_next_hit(word, end)) < end; word++) {
		if (kml_load_word(word, &addr))
			kml_mark(kml_untagged(addr), holder);
	}
}

static __always_inline void mark_either(const unsigned long *start, size_t nr,
					const struct tests *tests,
					const struct kml_holder *holder)
{
	if (kml_refs.targets.filter)
		mark_hits(start, nr, holder);
	else
		mark_in_place(start, nr, tests, holder);
}

/**
 * kml_drain_mark_stack() - count what objects refer to that were found
 * @self: whose mark stack
 * @max: how many words to read at most, up to KML_SECTION_WORDS
 *
 * To be called at the end of each RCU read-side critical section in which
 * objects are found. What is left over waits for the next one.
 *
 * Context: Whoever marks, page faults and reports of KASAN off.
 * Return: how many words that were.
 */
size_t kml_drain_mark_stack(struct kml_worker *self, size_t max)
{
	struct kml_mark_entry *old = self->old;
	const struct tests tests = TESTS_INIT(self);
	struct kml_holder holder = { .space = KML_VIRT };
	size_t left = max;

	for (;;) {
		struct kml_mark_entry *entry = self->top - 1;
		const unsigned long *start;
		size_t nr;

		if (unlikely(self->top == old)) {
			if (old == self->stack)
				break;
			old = entry;
			if (!kml_renew_entry(entry)) {
				self->top = entry;
				continue;
			}
		}
		nr = entry->nr;
		if (unlikely(nr > left)) {
			if (nr <= KML_SECTION_WORDS)
				break;
			self->top = entry;
			kml_queue_entry(entry);
			continue;
		}
		self->top = entry;
		left -= nr;
		start = entry->start;
		holder.addr = (unsigned long)start;
		mark_in_place(start, nr, &tests, &holder);
	}
	self->old = self->top;
	return max - left;
}

/* The lowest of @bits, so many that the objects have no more than @max words. */
static unsigned long that_fit(unsigned long bits, size_t nr, size_t max)
{
	size_t span;

	if (likely(nr * BITS_PER_LONG <= max))
		return bits;
	span = max / nr;
	return span ? bits & (GENMASK(span - 1, 0) << __ffs(bits)) : 0;
}

/*
 * Count what objects in slots of a slab refer to: of those from @first on that have
 * a bit in @bits, which is not 0, and is left with those that were not looked at.
 * Reads no more words than the section has room for, and returns how many.
 */
static size_t mark_slots(struct kml_worker *self, struct kml_slab *slab,
			 unsigned int first, unsigned long *bits)
{
	size_t nr = READ_ONCE(slab->size) / sizeof(long), words = 0;
	unsigned long todo = that_fit(*bits, nr, kml_section_left(self));
	const struct tests tests = TESTS_INIT(self);
	struct kml_holder holder = { .space = KML_VIRT };

	*bits &= ~todo;
	for (; todo; todo &= todo - 1) {
		unsigned int index = first + __ffs(todo);
		u32 meta = READ_ONCE(slab->slots[index].meta);
		size_t skip = FIELD_GET(KML_SLOT_SKIP, meta);

		if (unlikely(!(meta & KML_SLOT_LIVE)))
			continue;
		kml_slot_age(&slab->slots[index], meta);
		holder.addr = kml_slot_start(slab, index);
		mark_either((const unsigned long *)holder.addr + skip, nr - skip,
			    &tests, &holder);
		words += nr;
	}
	return words;
}

/* Between two chunks: let others run, and see whether to go on. */
static int pause_scan(struct kml_worker *self)
{
	self->section = 0;
	kml_wipe_registers();
	cond_resched_tasks_rcu_qs();
	return kml_scan_must_stop();
}

/* ---- Memory ---- */

/**
 * kml_finish_section() - scan what was found, as far as there is time
 * @self: the thread
 *
 * Context: Whoever marks, before kml_end_reading() ends the section.
 */
void kml_finish_section(struct kml_worker *self)
{
	if (!kml_mark_stack_is_empty(self))
		kml_count_words(self, kml_drain_mark_stack(self, kml_section_left(self)));
	self->longest = max(self->longest, self->section);
}

/* Between two chunks, after which nothing is at hand that they led to. */
static int scan_breathe(struct kml_worker *self)
{
	int ret = pause_scan(self);

	while (!ret && !kml_mark_stack_is_empty(self)) {
		if (unlikely(kml_others_wait()))
			kml_give_away(self);
		kml_begin_reading();
		kml_end_reading(self);
		ret = pause_scan(self);
	}
	if (ret)
		kml_drop_mark_stack(self);
	return ret;
}

/**
 * kml_make_room() - let others run first if a section has no room for more
 * @self: the thread
 * @nr: how many words are going to be read
 *
 * Context: Whoever marks; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_make_room(struct kml_worker *self, size_t nr)
{
	return nr > kml_section_left(self) ? scan_breathe(self) : 0;
}

static void mark_range(struct kml_worker *self, unsigned long start,
		       unsigned long end, const struct kml_holder *holder)
{
	const struct tests tests = TESTS_INIT(self);
	size_t nr = (end - start) / sizeof(long);

	kml_count_words(self, nr);
	mark_either((const unsigned long *)start, nr, &tests, holder);
}

/* A copy of words of the holder @arg. */
static int scan_copy(const struct kml_words *words, void *arg)
{
	struct kml_worker *self = kml_self();
	int ret = kml_make_room(self, words->nr);

	if (ret)
		return ret;
	kml_count_words(self, words->nr);
	kml_begin_reading();
	mark_words(self, words->words, words->nr, arg);
	kml_end_reading(self);
	return scan_breathe(self);
}

/* Memory that stays what it is, if it is there. */
static int scan_in_place(unsigned long start, unsigned long end,
			 const struct kml_holder *holder)
{
	unsigned long addr = ALIGN(start, sizeof(long));
	unsigned long last = ALIGN_DOWN(end, sizeof(long));
	struct kml_worker *self = kml_self();
	int ret = 0;

	while (addr < last && !ret) {
		size_t len = kml_chunk_len(addr, last - addr);

		ret = kml_make_room(self, len / sizeof(long));
		if (ret)
			break;
		kml_begin_reading();
		mark_range(self, addr, addr + len, holder);
		kml_end_reading(self);
		addr += len;
		ret = scan_breathe(self);
	}
	return ret;
}

/**
 * kml_scan_range() - scan memory that stays what it is, if it is there
 * @start: its first address
 * @end: its end
 *
 * Context: Whoever marks; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_scan_range(const void *start, const void *end)
{
	static const struct kml_holder nobody;

	return scan_in_place((unsigned long)start, (unsigned long)end, &nobody);
}

/*
 * The index of a page keeps its value when the page is freed: the free list of
 * a slab, or the chunk of per-CPU memory that it belonged to. Who keeps a
 * pointer there has it elsewhere too.
 */
static void mark_page(struct kml_worker *self, const struct page *page)
{
	static const struct kml_holder nobody;
	unsigned long index = (unsigned long)&page->__folio_index;

	mark_range(self, (unsigned long)page, index, &nobody);
	mark_range(self, index + sizeof(page->__folio_index),
		   (unsigned long)(page + 1), &nobody);
}

/* The same if most words refer to nothing that the pass looks for. */
static void mark_page_hits(struct kml_worker *self, const struct page *first,
			   const struct page *stop)
{
	static const struct kml_holder nobody;
	const unsigned long *words = (const unsigned long *)first, *word = words;
	const unsigned long *end = (const unsigned long *)stop;
	unsigned long addr;

	kml_count_words(self, end - words);
	for (; (word = kml_next_hit(word, end)) < end; word++) {
		if (!kml_is_page_index(first, word) && kml_load_word(word, &addr))
			kml_mark(kml_untagged(addr), &nobody);
	}
}

static void mark_pages(struct kml_worker *self, const struct page *page,
		       const struct page *stop)
{
	if (kml_refs.targets.filter) {
		mark_page_hits(self, page, stop);
		return;
	}
	for (; page < stop; page++)
		mark_page(self, page);
}

/**
 * kml_scan_pages() - scan struct pages
 * @first: the first one
 * @end: behind the last one
 *
 * Context: Whoever marks; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_scan_pages(struct page *first, struct page *end)
{
	struct kml_worker *self = kml_self();
	struct page *page, *stop;
	int ret = 0;

	for (page = first; page < end && !ret; page = stop) {
		stop = min(page + MARK_PAGE_BATCH, end);
		ret = kml_make_room(self, (stop - page) * sizeof(*page) / sizeof(long));
		if (ret)
			break;
		kml_begin_reading();
		mark_pages(self, page, stop);
		kml_end_reading(self);
		ret = scan_breathe(self);
	}
	return ret;
}

/* ---- Objects ---- */

/**
 * struct part - a part of an object that has a record
 * @holder: the object
 * @from: where the part begins, in bytes
 * @to: where it ends
 */
struct part {
	struct kml_holder holder;
	size_t from;
	size_t to;
};

/* A piece of an object that has a record, as far as it is in the part. */
static int scan_piece(const struct kml_ref *ref, unsigned int cpu,
		      size_t offset, size_t size, void *arg)
{
	unsigned long content = (unsigned long)kml_ref_content(ref, cpu);
	size_t end = offset + size;
	struct part *part = arg;

	offset = max(offset, part->from);
	end = min(end, part->to);
	if (!content || offset >= end)
		return 0;
	if (!kml_stays(content))
		return kml_copy_piece(ref, cpu, offset, end - offset, scan_copy,
				      &part->holder);
	return scan_in_place(content + offset, content + end, &part->holder);
}

static int scan_part(struct kml_record *rec, size_t from, size_t to)
{
	struct part part = {
		.holder = { .space = rec->space, .addr = rec->start },
		.from = from,
		.to = to,
	};
	struct kml_ref ref = { .rec = rec };

	return kml_ref_visit_pieces(&ref, scan_piece, &part);
}

/**
 * kml_scan_record() - scan an object that has a record
 * @rec: the record, pinned
 *
 * Context: Whoever marks; may sleep.
 */
void kml_scan_record(struct kml_record *rec)
{
	scan_part(rec, 0, SIZE_MAX);
}

static int scan_special_slot(struct kml_slab *slab, unsigned int index)
{
	struct kml_holder self = {
		.space = slab->space,
		.addr = kml_slot_start(slab, index),
	};
	struct kml_ref ref = {
		.slab = slab,
		.index = index,
		.meta = kml_slot_meta(&slab->slots[index]),
	};

	kml_slot_age(&slab->slots[index], ref.meta);
	if (!(ref.meta & KML_SLOT_LIVE))
		return 0;
	return kml_visit_words(&ref, scan_copy, &self);
}

/* Are its objects so long that one may not fit into a section? */
static bool is_long(const struct kml_slab *slab)
{
	return slab->stride > KML_SECTION_WORDS * sizeof(long);
}

/**
 * kml_is_special() - ask whether the objects of a slab are scanned one by one
 * @slab: the slab
 *
 * Context: Any.
 * Return: true if they are no plain words side by side, or so long that others have
 * to run in between.
 */
bool kml_is_special(const struct kml_slab *slab)
{
	return slab->space == KML_PERCPU || kml_has_void_words(slab) ||
	       is_long(slab);
}

static int scan_long_slot(struct kml_slab *slab, unsigned int index)
{
	unsigned long start = kml_slot_start(slab, index);
	struct kml_holder self = { .space = KML_VIRT, .addr = start };
	u32 meta = READ_ONCE(slab->slots[index].meta);
	size_t skip = FIELD_GET(KML_SLOT_SKIP, meta) * sizeof(long);

	if (!(meta & KML_SLOT_LIVE))
		return 0;
	kml_slot_age(&slab->slots[index], meta);
	return scan_in_place(start + skip, start + kml_slot_size(slab, index),
			     &self);
}

/* One by one, with time for others in between. */
static int scan_single_slots(struct kml_slab *slab, unsigned int first,
			     unsigned long bits)
{
	int ret = 0;

	for (; bits && !ret; bits &= bits - 1) {
		unsigned int index = first + __ffs(bits);

		ret = is_long(slab) ? scan_long_slot(slab, index) :
				      scan_special_slot(slab, index);
	}
	return ret;
}

/**
 * kml_scan_slots() - scan objects in slots, as many as there are in one go
 * @slab: their slab, pinned
 * @first: index of one of them
 * @bits: a bit for each, counted from @first
 *
 * Context: Whoever marks; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_scan_slots(struct kml_slab *slab, unsigned int first, unsigned long bits)
{
	struct kml_worker *self = kml_self();
	int ret = 0;

	if (kml_is_special(slab))
		return scan_single_slots(slab, first, bits);
	while (bits && !ret) {
		kml_begin_reading();
		kml_count_words(self, mark_slots(self, slab, first, &bits));
		kml_end_reading(self);
		/* The section is full. In an empty one there is room for one. */
		if (bits)
			ret = scan_breathe(self);
	}
	return ret;
}

/*
 * The slab is queued again for what it marks in itself, and for what others mark there
 * since it was taken. After an error what is left is dropped.
 */
static int scan_gray_slots(struct kml_slab *slab, int ret)
{
	unsigned long *gray = kml_slab_gray(slab), bits;
	unsigned int word;

	for (word = 0; word < BITS_TO_LONGS(slab->nr); word++) {
		bits = READ_ONCE(gray[word]) ? xchg(&gray[word], 0) : 0;
		if (bits && !ret)
			ret = kml_scan_slots(slab, word * BITS_PER_LONG, bits);
	}
	return ret;
}

/**
 * kml_scan_taken() - scan what a thread has taken for that
 * @gray: it; its pin is given back
 *
 * Context: Whoever marks; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_scan_taken(const struct kml_gray *gray)
{
	int ret;

	if (gray->slab) {
		ret = scan_gray_slots(gray->slab, 0);
		kml_slab_put(gray->slab);
		return ret ?: scan_breathe(kml_self());
	}
	ret = scan_part(gray->rec, gray->from, gray->to);
	kml_put(gray->rec);
	return ret;
}

/**
 * kml_scan_gray() - scan what is shaded, and what that shades
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop(), and the rest is dropped.
 */
int kml_scan_gray(void)
{
	struct kml_slab *slab;
	struct kml_record *rec;
	int ret = 0;

	do {
		while ((slab = kml_next_gray_slab())) {
			ret = scan_gray_slots(slab, ret);
			kml_slab_put(slab);
			ret = ret ?: scan_breathe(&kml_refs.workers[0]);
		}
		rec = kml_next_gray();
		if (rec) {
			if (!ret)
				kml_scan_record(rec);
			kml_put(rec);
			ret = ret ?: kml_scan_must_stop();
		}
	} while (rec);
	return ret ?: kml_scan_must_stop();
}
