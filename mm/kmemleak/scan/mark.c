// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: mark passes.
 *
 * The first pass of a scan goes from the roots to the objects that they refer
 * to, and on from these. It leaves suspects: objects that it did not come to.
 * Each further pass, of those that confirm, looks for words that refer to
 * suspects: in the roots, and in all objects but the suspects, in the order in
 * which they stand in memory. Suspects that are found in use are scanned as well.
 *
 * Memory of the linear map and of the kernel image is read where it is, without
 * a lock: what happens to it meanwhile costs no more than a fault, which is
 * caught. Other addresses may come to be something else after a free, device
 * registers even. Of these a chunk at a time is copied, for which a free waits.
 */
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#include "refs.h"

/* Objects handled between two walks of a tree. */
#define MARK_BATCH	16

/* Struct pages looked at between two offers to reschedule. */
#define MARK_PAGE_BATCH	64

/* Objects that others lead to which are read between two offers to reschedule. */
#define MARK_STACK_BATCH	1024

/* Are task stacks roots? */
bool kml_scan_stacks = true;

/* The state of a scan; kml_scan_mutex. */
static struct {
	/* Deepest frame of the scanning task that is not the scan's own. */
	const void *frame;
	/* Words read by all passes so far; read without the mutex. */
	unsigned long words;
} marking;

/* ---- Walks ---- */

/**
 * kml_for_records() - do something with each object of its own that matches
 * @match: tells whether it matches; called with the tree locked and interrupts
 *	off
 * @action: what to do with it
 * @arg: passed on to @action
 *
 * Context: Process context; may sleep.
 * Return: the sum of what @action returned.
 */
unsigned long kml_for_records(kml_match_t match, kml_action_t action,
			      void *arg)
{
	struct kml_record *recs[MARK_BATCH];
	unsigned long sum = 0;
	enum kml_space space;
	unsigned int i, nr;

	for (space = 0; space < KML_NR_SPACES; space++) {
		struct kml_cursor cur = KML_CURSOR(&kml_trees[space]);

		while ((nr = kml_collect(&cur, match, NULL, recs, MARK_BATCH))) {
			for (i = 0; i < nr; i++) {
				sum += action(recs[i], arg);
				kml_put(recs[i]);
			}
		}
	}
	return sum;
}

/**
 * kml_scan_must_stop() - ask whether to go on with a scan
 *
 * Context: Process context.
 * Return: 0; -EINTR on a signal, or when the scan thread is to stop; -EPERM if
 * the detector is off.
 */
int kml_scan_must_stop(void)
{
	if (!kml_tracking())
		return -EPERM;
	if (current->flags & PF_KTHREAD)
		return kthread_should_stop() ? -EINTR : 0;
	return signal_pending(current) ? -EINTR : 0;
}

/* Between two chunks: let others run, and see whether to go on. */
static int scan_breathe(void)
{
	cond_resched_tasks_rcu_qs();
	return kml_scan_must_stop();
}

/* ---- Memory ---- */

static void begin_reading(void)
	__acquires(RCU)
{
	rcu_read_lock();
	pagefault_disable();
	kasan_disable_current();
}

/* Not before what was found is scanned, or put in the queue. */
static void end_reading(void)
	__releases(RCU)
{
	size_t words = kml_drain_mark_stack(MARK_STACK_BATCH);

	WRITE_ONCE(marking.words, marking.words + words);
	kasan_enable_current();
	pagefault_enable();
	rcu_read_unlock();
}

static void mark_range(unsigned long start, unsigned long end,
		       const struct kml_holder *holder)
{
	size_t nr = (end - start) / sizeof(long);

	WRITE_ONCE(marking.words, marking.words + nr);
	kml_mark_in_place((const unsigned long *)start, nr, holder);
}

/* A copy of words of the holder @arg. */
static int scan_copy(const struct kml_words *words, void *arg)
{
	WRITE_ONCE(marking.words, marking.words + words->nr);
	begin_reading();
	kml_mark_words(words->words, words->nr, arg);
	end_reading();
	return scan_breathe();
}

/* Memory that stays what it is, if it is there. */
static int scan_in_place(unsigned long start, unsigned long end,
			 const struct kml_holder *holder)
{
	unsigned long addr = ALIGN(start, sizeof(long));
	unsigned long last = ALIGN_DOWN(end, sizeof(long));
	int ret = 0;

	while (addr < last && !ret) {
		size_t len = kml_chunk_len(addr, last - addr);

		begin_reading();
		mark_range(addr, addr + len, holder);
		end_reading();
		addr += len;
		ret = scan_breathe();
	}
	return ret;
}

static int scan_memory(const void *start, const void *end,
		       const struct kml_root *root)
{
	static const struct kml_holder nobody;

	return scan_in_place((unsigned long)start, (unsigned long)end, &nobody);
}

/*
 * What is in the index of a page stays there when it is freed: the free list of
 * a slab, or the chunk of per-CPU memory that it belonged to. Who keeps a
 * pointer there has it elsewhere too.
 */
static void mark_page(const struct page *page)
{
	static const struct kml_holder nobody;
	unsigned long index = (unsigned long)&page->index;

	mark_range((unsigned long)page, index, &nobody);
	mark_range(index + sizeof(page->index), (unsigned long)(page + 1),
		   &nobody);
}

static int scan_pages(struct page *first, struct page *end)
{
	struct page *page, *stop;
	int ret = 0;

	for (page = first; page < end && !ret; page = stop) {
		stop = min(page + MARK_PAGE_BATCH, end);
		begin_reading();
		for (; page < stop; page++)
			mark_page(page);
		end_reading();
		ret = scan_breathe();
	}
	return ret;
}

static int scan_task_stack(const void *stack, const void *live,
			   const void *end, const struct kml_root *root)
{
	struct kml_record *rec;

	rec = kml_find(&kml_trees[KML_VIRT], (unsigned long)stack);
	if (rec) {
		/* The first task's stack is but a part of the data section. */
		if (rec->start == (unsigned long)stack && kml_is_counted(rec))
			kml_set_flags(rec, KML_STACK, 0);
		kml_put(rec);
	}

	/* The scan's own frames hold addresses of whatever it looks at. */
	if (marking.frame >= stack && marking.frame < end)
		live = marking.frame;
	return scan_memory(live, end, root);
}

/* ---- Objects of their own ---- */

static int scan_piece(struct kml_record *rec, unsigned int cpu, size_t offset,
		      size_t size, void *arg)
{
	struct kml_holder self = { .space = rec->space, .addr = rec->start };
	unsigned long content = (unsigned long)kml_content(rec, cpu);

	if (!content)
		return 0;
	if (!kml_stays(content))
		return kml_copy_piece(rec, cpu, offset, size, scan_copy, &self);
	return scan_in_place(content + offset, content + offset + size, &self);
}

static void scan_object(struct kml_record *rec)
{
	kml_visit_pieces(rec, scan_piece, NULL);
}

/* ---- Objects in slots ---- */

static void scan_special_slot(struct kml_slab *slab, unsigned int index)
{
	struct kml_holder self = {
		.space = slab->space,
		.addr = kml_slot_start(slab, index),
	};
	struct kml_slot *slot = &slab->slots[index];

	kml_slot_age(slot, READ_ONCE(slot->meta));
	kml_visit_slot_words(slab, index, scan_copy, &self);
}

/* Objects of a slab that is not a slab like others. */
static void scan_special_slots(struct kml_slab *slab, unsigned int first,
			       unsigned long bits)
{
	for (; bits; bits &= bits - 1)
		scan_special_slot(slab, first + __ffs(bits));
}

/* Up to a word of objects of a slab is scanned in one go. */
static void scan_slots(struct kml_slab *slab, unsigned int first,
		       unsigned long bits)
{
	size_t words;

	if (slab->space == KML_PERCPU || kml_is_vmap_slab(slab)) {
		scan_special_slots(slab, first, bits);
		return;
	}
	begin_reading();
	words = kml_mark_slots(slab, first, bits);
	end_reading();
	WRITE_ONCE(marking.words, marking.words + words);
}

static void scan_gray_slots(struct kml_slab *slab)
{
	unsigned long *gray = kml_slab_gray(slab);
	unsigned int word;

	/* What it marks in itself may come up behind. */
	do {
		for (word = 0; word < BITS_TO_LONGS(slab->nr); word++) {
			unsigned long bits = gray[word];

			gray[word] = 0;
			if (bits)
				scan_slots(slab, word * BITS_PER_LONG, bits);
		}
	} while (!bitmap_empty(gray, slab->nr));
}

static void drop_gray_slots(struct kml_slab *slab)
{
	bitmap_zero(kml_slab_gray(slab), slab->nr);
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
			if (ret)
				drop_gray_slots(slab);
			else
				scan_gray_slots(slab);
			slab->queued = false;
			kml_slab_put(slab);
			ret = ret ?: scan_breathe();
		}
		rec = kml_next_gray();
		if (rec) {
			if (!ret)
				scan_object(rec);
			kml_put(rec);
			ret = ret ?: kml_scan_must_stop();
		}
	} while (rec);
	return ret ?: kml_scan_must_stop();
}

/* ---- Passes ---- */

static const struct kml_root_visitor root_visitor = {
	.memory = scan_memory,
	.pages = scan_pages,
	.task_stack = scan_task_stack,
};

static int scan_roots(void)
{
	return kml_visit_roots(&root_visitor, READ_ONCE(kml_scan_stacks));
}

/**
 * kml_mark_start() - begin with the first of some mark passes
 * @frame: the frame of the scanning task from which on its stack is a root
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_mark_start(const void *frame)
{
	lockdep_assert_held(&kml_scan_mutex);
	marking.frame = frame;
	WRITE_ONCE(marking.words, 0);
}

/**
 * kml_mark_end() - no more passes
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_mark_end(void)
{
	marking.frame = NULL;
	WRITE_ONCE(marking.words, 0);
}

/**
 * kml_words_read() - tell how far a scan is
 *
 * Context: Any.
 * Return: the number of words read since kml_mark_start(); 0 if none runs.
 */
unsigned long kml_words_read(void)
{
	return READ_ONCE(marking.words);
}

static void shade_gray_slots(struct kml_slab *slab)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		if (kml_slot_meta(&slab->slots[i]) & KML_SLOT_GRAY)
			kml_shade_slot(slab, i);
	}
}

static void start_slab(struct kml_slab *slab, void *arg)
{
	bitmap_zero(slab->seen, slab->nr);
	bitmap_zero(kml_slab_counted(slab), slab->nr);
	if (READ_ONCE(slab->gray))
		shade_gray_slots(slab);
}

static bool match_unscanned_root(const struct kml_record *rec, void *arg)
{
	return kml_is_root(rec) && !kml_is_queued(rec);
}

static unsigned long shade_one(struct kml_record *rec, void *arg)
{
	kml_shade(rec);
	return 1;
}

/* What else is a root: what is young, and what was made one meanwhile. */
static void shade_unseen(struct kml_slab *slab, unsigned int index)
{
	struct kml_slot *slot = &slab->slots[index];
	u32 meta = kml_slot_meta(slot);

	if (!(meta & KML_SLOT_LIVE))
		return;
	kml_slot_age(slot, meta);
	if (meta & KML_SLOT_GRAY || kml_slot_is_young(meta))
		kml_shade_slot(slab, index);
}

static void finish_slab(struct kml_slab *slab, void *arg)
{
	unsigned int i;

	for_each_clear_bit(i, slab->seen, slab->nr)
		shade_unseen(slab, i);
}

/**
 * kml_mark_all() - go from the roots to all objects in use
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_mark_all(void)
{
	int ret;

	kml_target_all();
	kml_walk_slabs(start_slab, NULL);
	kml_for_records(match_unscanned_root, shade_one, NULL);
	ret = scan_roots();
	if (!ret)
		ret = kml_scan_gray();
	if (!ret) {
		/* Objects that were born in the meantime. */
		kml_walk_slabs(finish_slab, NULL);
		kml_for_records(match_unscanned_root, shade_one, NULL);
	}
	/* On an error too: it gives back the pins. */
	return kml_scan_gray() ?: ret;
}

static bool is_in_use(const struct kml_slab *slab, unsigned int index)
{
	u32 meta = READ_ONCE(slab->slots[index].meta);

	return meta & KML_SLOT_LIVE && !(meta & KML_SLOT_BLACK) &&
	       !kml_is_suspect_slot(slab, index, meta);
}

static void scan_slots_in_use(struct kml_slab *slab, void *arg)
{
	unsigned long bits = 0;
	unsigned int i, first;

	if (kml_scan_must_stop())
		return;
	for (i = 0, first = 0; i < slab->nr; i++) {
		if (is_in_use(slab, i))
			bits |= BIT_MASK(i);
		if (i % BITS_PER_LONG == BITS_PER_LONG - 1 || i == slab->nr - 1) {
			scan_slots(slab, first, bits);
			first = i + 1;
			bits = 0;
		}
	}
}

static void forget_counts(struct kml_slab *slab, void *arg)
{
	bitmap_zero(kml_slab_counted(slab), slab->nr);
}

/* Objects of their own that are in use, and not going to be scanned anyway. */
static bool match_in_use(const struct kml_record *rec, void *arg)
{
	return !kml_is_black(rec) && !kml_is_suspect(rec) &&
	       !kml_is_queued(rec);
}

static unsigned long scan_in_use(struct kml_record *rec, void *arg)
{
	if (!kml_scan_must_stop())
		scan_object(rec);
	return 1;
}

/**
 * kml_mark_again() - look for what was aimed at in all that is in use
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_mark_again(void)
{
	int ret;

	kml_new_pass();
	kml_walk_slabs(forget_counts, NULL);
	ret = scan_roots();
	if (!ret) {
		kml_walk_slabs(scan_slots_in_use, NULL);
		kml_for_records(match_in_use, scan_in_use, NULL);
	}
	return kml_scan_gray() ?: ret;
}
