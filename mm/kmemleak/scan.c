// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: mark, confirm, decide.
 *
 * A mark pass counts, for each object, the words in root memory and in
 * reachable objects that point anywhere into it. An object with enough of them
 * is reachable itself. Those that are left are suspects. While memory was read
 * the pointer to one of them may have moved from a place not read yet to one
 * that was read already, or have been in a register. So marking is repeated,
 * after an RCU grace period, until a whole pass clears no suspect: a suspect is
 * cleared for good when any pass finds it referenced or its content changed, or
 * when another cleared one leads to it. As suspects only ever get fewer, this
 * ends.
 *
 * An object that was allocated after the scan began is no suspect, and it is
 * scanned like a root, because a pointer may have moved there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "block.h"

/* Objects handled between two walks of a tree. */
#define SCAN_BATCH	16

/* Struct pages looked at between two offers to reschedule. */
#define SCAN_PAGE_BATCH	64

/* Mark passes after which suspects that still get fewer are left undecided. */
#define SCAN_MAX_PASSES	16

/* Are task stacks roots? */
bool kml_scan_stacks = true;

/* Scans that must agree before a leak is reported, see min_unref_scans. */
static unsigned int min_unref_scans = 1;

static int set_min_unref_scans(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, UINT_MAX - 1);
}

static const struct kernel_param_ops min_unref_scans_ops = {
	.set = set_min_unref_scans,
	.get = param_get_uint,
};
module_param_cb(min_unref_scans, &min_unref_scans_ops, &min_unref_scans, 0600);

/* The rest of the state of a scan; kml_scan_mutex. */
static struct {
	/* Number of the mark pass; never 0, which objects start with. */
	u32 pass;
	/* Objects to be scanned, pinned and linked by gray_next. */
	struct kml_object *gray;
	/* Blocks with objects to be scanned, pinned and linked by gray_next. */
	struct kml_block *gray_blocks;
	/* Deepest frame of the scanning task that is not the scan's own. */
	const void *frame;
	/* There are suspects in slots. */
	bool watched;
	/* There are blocks to bury when a grace period has passed. */
	bool closed;
	/* Leaks of the last scan that came to an end. */
	unsigned long leaks;
} scan;

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

static bool is_suspect(const struct kml_object *obj)
{
	return kml_is_counted(obj) && !is_root(obj) && READ_ONCE(obj->alive);
}

/**
 * kml_is_leak() - match leaks as of the last scan, for kml_collect()
 * @obj: an object
 * @arg: not used
 *
 * Context: Any.
 * Return: true if it is to be reported.
 */
bool kml_is_leak(const struct kml_object *obj, void *arg)
{
	return READ_ONCE(obj->flags) & KML_LEAK;
}

/* Make sure that this pass scans the object. */
static void shade(struct kml_object *obj)
{
	lockdep_assert_held(&kml_scan_mutex);
	obj->seen = kml_scan_seq;
	if (obj->queued == scan.pass || !kml_get(obj))
		return;
	obj->queued = scan.pass;
	obj->gray_next = scan.gray;
	scan.gray = obj;
}

/* The same for an object in a slot. */
static void shade_slot(struct kml_block *block, unsigned int index)
{
	lockdep_assert_held(&kml_scan_mutex);
	if (!block->queued) {
		if (!refcount_inc_not_zero(&block->ref))
			return;
		block->queued = true;
		block->gray_next = scan.gray_blocks;
		scan.gray_blocks = block;
	}
	__set_bit(index, block->seen);
	__set_bit(index, block->gray);
}

/* ---- Mark ---- */

static bool count_reference(struct kml_object *obj)
{
	int needed = READ_ONCE(obj->min_count);

	/* Counts of earlier passes are void; none of them need be reset. */
	if (obj->pass != scan.pass) {
		obj->pass = scan.pass;
		obj->count = 0;
	}
	if (needed <= 0 || obj->count >= needed)
		return false;
	if (++obj->count == needed)
		shade(obj);
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
	if (!__test_and_set_bit(ref->index, block->counted)) {
		if (!test_bit(ref->index, block->seen))
			shade_slot(block, ref->index);
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

static int scan_must_stop(void)
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
	return scan_must_stop();
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
		if (page_to_pfn(page) % SCAN_PAGE_BATCH)
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
	if (scan.frame >= stack && scan.frame < end)
		live = scan.frame;
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

	for_each_set_bit(index, block->gray, block->nr) {
		__clear_bit(index, block->gray);
		if (scan_must_stop())
			continue;
		if (block->space != KML_PERCPU) {
			scan_slot(block, index, 0);
			continue;
		}
		for_each_possible_cpu(cpu)
			scan_slot(block, index, cpu);
	}
}

/* Scan what is gray, and what that makes gray. Drops the rest on a stop. */
static int scan_gray(void)
{
	struct kml_block *block;
	struct kml_object *obj;

	do {
		while ((block = scan.gray_blocks)) {
			scan.gray_blocks = block->gray_next;
			/* What it marks in itself may queue it again. */
			block->queued = false;
			scan_block(block);
			kml_block_put(block);
			cond_resched_tasks_rcu_qs();
		}
		while ((obj = scan.gray) && !scan.gray_blocks) {
			scan.gray = obj->gray_next;
			if (!scan_must_stop())
				scan_object(obj);
			kml_put(obj);
		}
	} while (scan.gray_blocks);
	return scan_must_stop();
}

static bool match_unscanned_root(const struct kml_object *obj, void *arg)
{
	return is_root(obj) && obj->queued != scan.pass;
}

static bool match_suspect(const struct kml_object *obj, void *arg)
{
	return is_suspect(obj);
}

/* Is there something to decide or to take back? */
static bool match_verdict(const struct kml_object *obj, void *arg)
{
	return is_suspect(obj) || obj->unref_scans || kml_is_leak(obj, NULL);
}

/* ---- Objects in slots ---- */

static u32 slot_meta(const struct kml_block *block, unsigned int index)
{
	/* Pairs with smp_store_release() in publish(). */
	return smp_load_acquire(&block->slots[index].meta);
}

static void for_each_block(void (*action)(struct kml_block *block))
{
	struct kml_block *block;
	enum kml_space space;

	for (space = 0; space < KML_NR_SPACES; space++) {
		unsigned long from = 0;

		while ((block = kml_next_block(space, &from))) {
			action(block);
			kml_block_put(block);
			cond_resched_tasks_rcu_qs();
		}
	}
}

/* Whatever is there now was there before this scan. */
static void begin_block(struct kml_block *block)
{
	bool empty = true;
	unsigned int i;

	bitmap_zero(block->seen, block->nr);
	bitmap_zero(block->gray, block->nr);
	for (i = 0; i < block->nr; i++) {
		u32 meta = slot_meta(block, i);

		if (meta & KML_SLOT_YOUNG)
			kml_slot_change(&block->slots[i], KML_SLOT_YOUNG, 0);
		empty &= !(meta & KML_SLOT_LIVE);
	}
	/* It has to be empty twice. */
	if (empty && block->idle) {
		kml_block_close(block);
		scan.closed = true;
	}
	block->idle = empty;
}

static void bury_block(struct kml_block *block)
{
	if (block->idle)
		kml_block_bury(block);
}

/* Shade the roots among the objects of a block that were not in this pass. */
static void shade_young(struct kml_block *block)
{
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		if (!(slot_meta(block, i) & KML_SLOT_YOUNG))
			continue;
		/* First, so that an object that takes its place is young. */
		if (kml_slot_change(&block->slots[i], KML_SLOT_YOUNG, 0))
			shade_slot(block, i);
	}
}

static void shade_roots(struct kml_block *block)
{
	unsigned int i;

	bitmap_zero(block->counted, block->nr);
	for (i = 0; i < block->nr; i++) {
		u32 meta = slot_meta(block, i);

		if (meta & KML_SLOT_GRAY || test_bit(i, block->seen))
			shade_slot(block, i);
	}
	shade_young(block);
}

static bool is_suspect_slot(const struct kml_block *block, unsigned int index)
{
	u32 meta = slot_meta(block, index);

	return meta & KML_SLOT_LIVE && !test_bit(index, block->seen) &&
	       !(meta & (KML_SLOT_YOUNG | KML_SLOT_GRAY | KML_SLOT_BLACK));
}

static void watch_suspects(struct kml_block *block)
{
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		if (is_suspect_slot(block, i) &&
		    kml_slot_change(&block->slots[i], 0, KML_SLOT_WATCHED))
			scan.watched = true;
	}
}

static void promote_suspects(struct kml_block *block)
{
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		/* Without memory it cannot be decided: it is in use. */
		if (is_suspect_slot(block, i) &&
		    !kml_slot_promote(block, i, false, GFP_KERNEL))
			shade_slot(block, i);
	}
}

/* Suspects leave their slots, which have no room for what is to come. */
static int promote_all_suspects(void)
{
	scan.watched = false;
	for_each_block(watch_suspects);
	if (!scan.watched)
		return 0;
	/* Who frees one from here on knows that it is watched. */
	synchronize_rcu();
	for_each_block(promote_suspects);
	return scan_gray();
}

/* ---- Objects of their own ---- */

/* What is done with a pinned object; returns something that can be summed up. */
typedef unsigned long (*kml_action_t)(struct kml_object *obj, void *arg);

/* Do it with each object that matches. */
static unsigned long sum_matches(kml_match_t match, kml_action_t action,
				 void *arg)
{
	struct kml_object *objs[SCAN_BATCH];
	unsigned long sum = 0;
	enum kml_space space;
	unsigned int i, nr;

	for (space = 0; space < KML_NR_SPACES; space++) {
		struct kml_cursor cur = KML_CURSOR(&kml_trees[space]);

		while ((nr = kml_collect(&cur, match, NULL, objs, SCAN_BATCH))) {
			for (i = 0; i < nr; i++) {
				sum += action(objs[i], arg);
				kml_put(objs[i]);
			}
		}
	}
	return sum;
}

static unsigned long shade_one(struct kml_object *obj, void *arg)
{
	shade(obj);
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

static int mark_pass(void)
{
	int ret;

	if (!++scan.pass)
		scan.pass = 1;

	for_each_block(shade_roots);
	sum_matches(match_unscanned_root, shade_one, NULL);
	on_each_cpu(spill_registers, NULL, 1);
	ret = kml_visit_roots(&root_visitor, READ_ONCE(kml_scan_stacks));
	if (!ret)
		ret = scan_gray();
	if (!ret) {
		/* Objects that were born in the meantime. */
		for_each_block(shade_young);
		sum_matches(match_unscanned_root, shade_one, NULL);
	}
	/* On an error too: it gives back the pins. */
	return scan_gray() ?: ret;
}

/* ---- Confirm ---- */

static u32 crc_piece(struct kml_object *obj, unsigned int cpu, u32 crc)
{
	unsigned long *buf = kml_scan_buffer();
	size_t offset = 0;

	while (offset < obj->size) {
		size_t len = kml_chunk_len(obj->start + offset,
					   obj->size - offset);

		if (!kml_read(obj, cpu, offset, buf, len))
			crc = crc32(crc, buf, len);
		offset += len;
		cond_resched_tasks_rcu_qs();
	}
	return crc;
}

static u32 crc_of(struct kml_object *obj)
{
	unsigned int cpu;
	u32 crc = 0;

	if (obj->space != KML_PERCPU)
		return crc_piece(obj, 0, 0);
	for_each_possible_cpu(cpu)
		crc = crc_piece(obj, cpu, crc);
	return crc;
}

/* Note the content of a suspect. Returns 1 if it was another one before. */
static unsigned long note_content(struct kml_object *obj, void *arg)
{
	u32 crc = crc_of(obj);

	if (crc == obj->crc)
		return 0;
	obj->crc = crc;
	obj->unref_scans = 0;
	return 1;
}

/* Somebody writes to it, so somebody has a pointer to it. */
static unsigned long clear_if_changed(struct kml_object *obj, void *arg)
{
	if (!note_content(obj, arg))
		return 0;
	shade(obj);
	return 1;
}

static unsigned long count_one(struct kml_object *obj, void *arg)
{
	return 1;
}

/*
 * Repeat the mark pass until it clears no suspect. Returns 1 if that came about,
 * 0 if the suspects have to be left undecided, or an error.
 */
static int confirm(void)
{
	unsigned long before, after;
	int ret, passes;

	ret = promote_all_suspects();
	if (ret)
		return ret;
	sum_matches(match_suspect, note_content, NULL);
	after = sum_matches(match_suspect, count_one, NULL);
	for (passes = 1; after; passes++) {
		before = after;
		if (passes == SCAN_MAX_PASSES) {
			pr_info("%lu suspects could not be decided in %d passes; left for the next scan\n",
				after, passes);
			return 0;
		}

		/* Objects on their way from one RCU list to another arrive. */
		synchronize_rcu();
		ret = mark_pass();
		if (ret)
			return ret;
		sum_matches(match_suspect, clear_if_changed, NULL);
		ret = scan_gray();
		if (ret)
			return ret;
		after = sum_matches(match_suspect, count_one, NULL);
		if (after == before)
			break;
	}
	return 1;
}

/* ---- Decide ---- */

struct verdict {
	unsigned int min_scans;
	unsigned long leaks;
	kml_print_t print;
};

/* Returns 1 for a leak that is reported for the first time. */
static unsigned long decide_one(struct kml_object *obj, void *arg)
{
	struct verdict *verdict = arg;
	bool new;

	if (!is_suspect(obj)) {
		obj->unref_scans = 0;
		kml_set_flags(obj, 0, KML_LEAK);
		return 0;
	}

	/* The scan in which the content settled counts as the first one. */
	if (obj->unref_scans < U32_MAX)
		obj->unref_scans++;
	if (obj->unref_scans < verdict->min_scans) {
		kml_set_flags(obj, 0, KML_LEAK);
		return 0;
	}

	verdict->leaks++;
	new = !(READ_ONCE(obj->flags) & KML_REPORTED);
	kml_set_flags(obj, KML_LEAK | KML_REPORTED, 0);
	if (new && verdict->print)
		verdict->print(obj);
	return new;
}

static void decide(kml_print_t print)
{
	unsigned int min_scans = READ_ONCE(min_unref_scans);
	struct verdict verdict = {
		.min_scans = min_scans > 1 ? min_scans + 1 : 1,
		.print = print,
	};
	unsigned long new;

	new = sum_matches(match_verdict, decide_one, &verdict);
	scan.leaks = verdict.leaks;
	if (new)
		pr_info("%lu new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n",
			new);
}

/**
 * kml_scan() - find out what is leaked now
 * @print: called for each leak that was not reported before, or NULL
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex.
 * Return: 0; -EINTR on a signal, or when the scan thread is to stop; -EPERM if
 * the detector is off. On error what is reported stays as it was.
 */
int kml_scan(kml_print_t print)
{
	int ret;

	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;

	ret = scan_must_stop();
	if (ret)
		goto out;
	scan.frame = __builtin_frame_address(0);
	for_each_block(begin_block);
	WRITE_ONCE(kml_scan_seq, kml_scan_seq + 1);
	ret = mark_pass();
	if (!ret)
		ret = confirm();
	if (ret > 0) {
		decide(print);
		ret = 0;
	}
	if (scan.closed) {
		synchronize_rcu();
		for_each_block(bury_block);
		scan.closed = false;
	}
out:
	mutex_unlock(&kml_scan_mutex);
	return ret;
}

static unsigned long clear_one(struct kml_object *obj, void *arg)
{
	WRITE_ONCE(obj->min_count, KML_GRAY);
	kml_set_flags(obj, 0, KML_LEAK);
	return 1;
}

/**
 * kml_clear_leaks() - no longer report what is reported now
 *
 * The objects are scanned from now on: what they point at may be in use.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_clear_leaks(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	sum_matches(kml_is_leak, clear_one, NULL);
	scan.leaks = 0;
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
	return obj->pass == scan.pass ? obj->count : 0;
}

/**
 * kml_have_leaks() - ask whether there is something to report
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if the last scan found leaks that were not cleared.
 */
bool kml_have_leaks(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	return scan.leaks;
}
