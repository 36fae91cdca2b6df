// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what points at what.
 *
 * A mark pass counts, for each object, the words in root memory and in
 * reachable objects that point anywhere into it. An object with enough of them
 * is reachable itself.
 *
 * Objects of their own carry their counts; those in slots, which need but one
 * reference each, have bits in their block.
 */
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "block.h"

/* Objects handled between two walks of a tree. */
#define MARK_BATCH	16

/* Struct pages looked at between two offers to reschedule. */
#define MARK_PAGE_BATCH	64

/* Are task stacks roots? */
bool kml_scan_stacks = true;

/* The state of a mark pass; kml_scan_mutex. */
static struct {
	/* Its number; never 0, which objects start with. */
	u32 pass;
	/* Objects to be scanned, pinned and linked by gray_next. */
	struct kml_object *gray;
	/* Blocks with objects to be scanned, pinned and linked by gray_next. */
	struct kml_block *gray_blocks;
	/* Deepest frame of the scanning task that is not the scan's own. */
	const void *frame;
} marking;

/* ---- Walks ---- */

/**
 * kml_sum_matches() - do something with each object of its own that matches
 * @match: tells whether it matches; called with the tree locked and interrupts
 *	off
 * @action: what to do with it
 * @arg: passed on to @action
 *
 * Context: Process context; may sleep.
 * Return: the sum of what @action returned.
 */
unsigned long kml_sum_matches(kml_match_t match, kml_action_t action,
			      void *arg)
{
	struct kml_object *objs[MARK_BATCH];
	unsigned long sum = 0;
	enum kml_space space;
	unsigned int i, nr;

	for (space = 0; space < KML_NR_SPACES; space++) {
		struct kml_cursor cur = KML_CURSOR(&kml_trees[space]);

		while ((nr = kml_collect(&cur, match, NULL, objs, MARK_BATCH))) {
			for (i = 0; i < nr; i++) {
				sum += action(objs[i], arg);
				kml_put(objs[i]);
			}
		}
	}
	return sum;
}

/* ---- Colours ---- */

static bool has_grace(const struct kml_object *obj)
{
	return (s32)(READ_ONCE(obj->grace) - kml_scan_seq) >= 0;
}

/* Reachable without, or whatever, references this pass finds? */
static bool is_root(const struct kml_object *obj)
{
	if (kml_is_black(obj))
		return false;
	return kml_is_gray(obj) || obj->born == kml_scan_seq ||
	       obj->seen == kml_scan_seq || has_grace(obj);
}

/**
 * kml_is_suspect() - ask whether an object was found unreferenced so far
 * @obj: an object
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if this scan has found no reason to take it for reachable.
 */
bool kml_is_suspect(const struct kml_object *obj)
{
	return kml_is_counted(obj) && !is_root(obj) && READ_ONCE(obj->alive);
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
	obj->seen = kml_scan_seq;
	if (obj->queued == marking.pass || !kml_get(obj))
		return;
	obj->queued = marking.pass;
	obj->gray_next = marking.gray;
	marking.gray = obj;
}

/**
 * kml_shade_slot() - make sure that this pass scans an object: it is in use
 * @block: its block, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade_slot(struct kml_block *block, unsigned int index)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (!block->queued) {
		if (!refcount_inc_not_zero(&block->ref))
			return;
		block->queued = true;
		block->gray_next = marking.gray_blocks;
		marking.gray_blocks = block;
	}
	__set_bit(index, block->seen);
	__set_bit(index, kml_block_gray(block));
}

/* ---- Mark ---- */

static bool count_reference(struct kml_object *obj)
{
	int needed = READ_ONCE(obj->min_count);

	/* Counts of earlier passes are void; none of them need be reset. */
	if (obj->pass != marking.pass) {
		obj->pass = marking.pass;
		obj->count = 0;
	}
	if (needed <= 0 || obj->count >= needed)
		return false;
	if (++obj->count == needed)
		kml_shade(obj);
	return true;
}

/**
 * struct holder - whose words are being looked at: none, if all is 0
 * @space: address space of @addr
 * @addr: an address within the object; references to the object itself do not
 *	count
 */
struct holder {
	enum kml_space space;
	unsigned long addr;
};

static bool is_holder(const struct holder *holder, enum kml_space space,
		      unsigned long start, size_t size)
{
	return holder->addr - start < size && holder->space == space;
}

static void hand_surplus(unsigned long target, const struct holder *holder)
{
	struct kml_object *obj = kml_lookup(&kml_trees[KML_VIRT], target);

	if (obj && obj->start == target &&
	    !is_holder(holder, KML_VIRT, obj->start, obj->size))
		count_reference(obj);
}

static void mark_slot(const struct kml_slot_ref *ref,
		      const struct holder *holder)
{
	struct kml_block *block = ref->block;
	unsigned long start = kml_slot_start(block, ref->index);
	unsigned long area;

	if (is_holder(holder, block->space, start,
		      kml_slot_size(block, ref->index)) ||
	    ref->meta & KML_SLOT_BLACK)
		return;
	if (!__test_and_set_bit(ref->index, kml_block_counted(block))) {
		if (!test_bit(ref->index, block->seen))
			kml_shade_slot(block, ref->index);
		return;
	}
	if (ref->meta & KML_SLOT_SURPLUS &&
	    !kml_read_memory(&area, (void *)start +
			     offsetof(struct vm_struct, addr), sizeof(area)))
		hand_surplus(area, holder);
}

/* A word has the value @addr. */
static void mark(enum kml_space space, unsigned long addr,
		 const struct holder *holder)
{
	struct kml_slot_ref ref;
	struct kml_object *obj;
	unsigned long surplus;

	/* In this order: what is promoted goes from the one to the other. */
	if (kml_slot_find(space, addr, &ref)) {
		mark_slot(&ref, holder);
		return;
	}
	obj = kml_lookup(&kml_trees[space], addr);
	if (!obj || is_holder(holder, space, obj->start, obj->size) ||
	    count_reference(obj))
		return;
	surplus = READ_ONCE(obj->surplus);
	if (surplus)
		hand_surplus(surplus, holder);
}

static bool may_be_in(enum kml_space space, unsigned long addr)
{
	const struct kml_tree *tree = &kml_trees[space];

	return kml_may_have_block(space, addr) ||
	       (addr >= READ_ONCE(tree->lo) && addr <= READ_ONCE(tree->hi));
}

static void mark_words(const unsigned long *words, size_t nr,
		       const struct holder *holder)
{
	size_t i;

	rcu_read_lock();
	for (i = 0; i < nr; i++) {
		unsigned long addr = READ_ONCE(words[i]);

		addr = (unsigned long)kasan_reset_tag((void *)addr);
		if (may_be_in(KML_VIRT, addr))
			mark(KML_VIRT, addr, holder);
		if (may_be_in(KML_PERCPU, addr))
			mark(KML_PERCPU, addr, holder);
	}
	rcu_read_unlock();
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

static int scan_memory(const void *start, const void *end)
{
	static const struct holder nobody;
	unsigned long *buf = kml_scan_buffer();
	unsigned long addr = ALIGN((unsigned long)start, sizeof(long));
	unsigned long last = ALIGN_DOWN((unsigned long)end, sizeof(long));
	int ret;

	while (addr < last) {
		size_t len = kml_chunk_len(addr, last - addr);

		if (!kml_read_memory(buf, (void *)addr, len))
			mark_words(buf, len / sizeof(long), &nobody);
		ret = scan_breathe();
		if (ret)
			return ret;
		addr += len;
	}
	return 0;
}

/*
 * The memory of a page that once was a slab's is described by a struct page in
 * which the slab's free list may have been left: a pointer into the page itself.
 */
static void mark_page(const struct page *page)
{
	struct holder self = {
		.space = KML_VIRT,
		.addr = (unsigned long)kasan_reset_tag(page_to_virt(page)),
	};

	mark_words((const unsigned long *)page, sizeof(*page) / sizeof(long),
		   &self);
}

static int scan_pages(struct page *first, struct page *end)
{
	struct page *page;
	int ret;

	for (page = first; page < end; page++) {
		mark_page(page);
		if (page_to_pfn(page) % MARK_PAGE_BATCH)
			continue;
		ret = scan_breathe();
		if (ret)
			return ret;
	}
	return 0;
}

static int scan_task_stack(const void *stack, const void *live,
			   const void *end)
{
	struct kml_object *obj;

	obj = kml_find(&kml_trees[KML_VIRT], (unsigned long)stack);
	if (obj) {
		/* The first task's stack is but a part of the data section. */
		if (obj->start == (unsigned long)stack && kml_is_counted(obj))
			kml_set_flags(obj, KML_STACK, 0);
		kml_put(obj);
	}

	/* The scan's own frames hold addresses of whatever it looks at. */
	if (marking.frame >= stack && marking.frame < end)
		live = marking.frame;
	return scan_memory(live, end);
}

/* Scan a piece of an object, or return what stops the scan of it. */
static int scan_piece(struct kml_object *obj, unsigned int cpu, size_t offset,
		      size_t size)
{
	unsigned long *buf = kml_scan_buffer();
	unsigned long begin = obj->start + offset;
	unsigned long addr = ALIGN(begin, sizeof(long));
	unsigned long last = ALIGN_DOWN(begin + size, sizeof(long));
	struct holder self = { .space = obj->space, .addr = obj->start };

	while (addr < last) {
		size_t len = kml_chunk_len(addr, last - addr);
		int ret = kml_read(obj, cpu, addr - obj->start, buf, len);

		if (ret == -ENOENT)
			return ret;
		if (!ret)
			mark_words(buf, len / sizeof(long), &self);
		ret = scan_breathe();
		if (ret)
			return ret;
		addr += len;
	}
	return 0;
}

static void scan_areas(struct kml_object *obj)
{
	struct kml_area *area;

	/* Areas are only ever added, and stay for as long as the object does. */
	hlist_for_each_entry_rcu(area, &obj->areas, node, true) {
		if (scan_piece(obj, 0, area->start - obj->start, area->size))
			break;
	}
}

static void scan_object(struct kml_object *obj)
{
	u8 flags = READ_ONCE(obj->flags);
	unsigned int cpu;

	if (flags & (KML_NO_SCAN | KML_STACK))
		return;
	if (obj->space == KML_PERCPU) {
		for_each_possible_cpu(cpu) {
			if (scan_piece(obj, cpu, 0, obj->size))
				break;
		}
	} else if (hlist_empty(&obj->areas) || flags & KML_FULL_SCAN) {
		scan_piece(obj, 0, 0, obj->size);
	} else {
		scan_areas(obj);
	}
}

/* One CPU's copy of an object in a slot, if it is a per-CPU object. */
static void scan_slot(struct kml_block *block, unsigned int index,
		      unsigned int cpu)
{
	unsigned long *buf = kml_scan_buffer();
	unsigned long start = kml_slot_start(block, index);
	size_t size = kml_slot_size(block, index);
	unsigned long last = ALIGN_DOWN(start + size, sizeof(long));
	u32 meta = READ_ONCE(block->slots[index].meta);
	struct holder self = { .space = block->space, .addr = start };
	unsigned long addr;
	size_t len;

	addr = ALIGN(start, sizeof(long)) +
	       FIELD_GET(KML_SLOT_SKIP, meta) * sizeof(long);
	for (; addr < last; addr += len) {
		len = kml_chunk_len(addr, last - addr);
		if (!kml_slot_read(block, index, cpu, addr - start, buf, len))
			mark_words(buf, len / sizeof(long), &self);
	}
}

static void scan_block(struct kml_block *block)
{
	unsigned int index, cpu;

	for_each_set_bit(index, kml_block_gray(block), block->nr) {
		__clear_bit(index, kml_block_gray(block));
		if (kml_scan_must_stop())
			continue;
		if (block->space != KML_PERCPU) {
			scan_slot(block, index, 0);
			continue;
		}
		for_each_possible_cpu(cpu)
			scan_slot(block, index, cpu);
	}
}

/**
 * kml_scan_gray() - scan what is shaded, and what that shades
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop(), and the rest is dropped.
 */
int kml_scan_gray(void)
{
	struct kml_block *block;
	struct kml_object *obj;

	do {
		while ((block = marking.gray_blocks)) {
			marking.gray_blocks = block->gray_next;
			/* What it marks in itself may queue it again. */
			block->queued = false;
			scan_block(block);
			kml_block_put(block);
			cond_resched_tasks_rcu_qs();
		}
		while ((obj = marking.gray) && !marking.gray_blocks) {
			marking.gray = obj->gray_next;
			if (!kml_scan_must_stop())
				scan_object(obj);
			kml_put(obj);
		}
	} while (marking.gray_blocks);
	return kml_scan_must_stop();
}

/* ---- Pass ---- */

static bool match_unscanned_root(const struct kml_object *obj, void *arg)
{
	return is_root(obj) && obj->queued != marking.pass;
}

/* Shade the roots among the objects of a block that were not in this pass. */
static void shade_young(struct kml_block *block, void *arg)
{
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		if (!(kml_slot_meta(&block->slots[i]) & KML_SLOT_YOUNG))
			continue;
		/* First, so that an object that takes its place is young. */
		if (kml_slot_change(&block->slots[i], KML_SLOT_YOUNG, 0))
			kml_shade_slot(block, i);
	}
}

static void shade_roots(struct kml_block *block, void *arg)
{
	unsigned int i;

	bitmap_zero(kml_block_counted(block), block->nr);
	for (i = 0; i < block->nr; i++) {
		u32 meta = kml_slot_meta(&block->slots[i]);

		if (meta & KML_SLOT_GRAY || test_bit(i, block->seen))
			kml_shade_slot(block, i);
	}
	shade_young(block, NULL);
}

static unsigned long shade_one(struct kml_object *obj, void *arg)
{
	kml_shade(obj);
	return 1;
}

/* An interrupt leaves the registers of what it interrupts on the stack. */
static void spill_registers(void *arg)
{
}

static const struct kml_root_visitor root_visitor = {
	.memory = scan_memory,
	.pages = scan_pages,
	.task_stack = scan_task_stack,
};

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
}

/**
 * kml_mark_pass() - find out what is reachable now
 *
 * What was found reachable before, in this scan, is a root.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_mark_pass(void)
{
	int ret;

	if (!++marking.pass)
		marking.pass = 1;

	kml_walk_blocks(shade_roots, NULL);
	kml_sum_matches(match_unscanned_root, shade_one, NULL);
	on_each_cpu(spill_registers, NULL, 1);
	ret = kml_visit_roots(&root_visitor, READ_ONCE(kml_scan_stacks));
	if (!ret)
		ret = kml_scan_gray();
	if (!ret) {
		/* Objects that were born in the meantime. */
		kml_walk_blocks(shade_young, NULL);
		kml_sum_matches(match_unscanned_root, shade_one, NULL);
	}
	/* On an error too: it gives back the pins. */
	return kml_scan_gray() ?: ret;
}

/**
 * kml_references() - tell how many references the last mark pass found
 * @obj: a pinned object
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the number; counting ends when there are enough.
 */
unsigned int kml_references(const struct kml_object *obj)
{
	lockdep_assert_held(&kml_scan_mutex);
	return obj->pass == marking.pass ? obj->count : 0;
}
