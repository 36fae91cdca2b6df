// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: mark passes.
 *
 * The first pass of a scan goes from the roots to the objects that they refer
 * to, and on from these. It leaves suspects: objects that it did not come to.
 * Each further pass, of those that confirm, looks for words that refer to
 * suspects: in the roots, and in all objects but the suspects, in the order in
 * which they stand in memory. Suspects that are found in use are scanned as well.
 */
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "refs.h"

/* Are task stacks roots? */
bool kml_scan_stacks = true;

/* Deepest frame of the scanning task that is not the scan's own; kml_scan_mutex. */
static const void *scanning_from;

/* ---- Targets ---- */

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

/* Look for all objects. */
static void target_all(void)
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

/* ---- Roots ---- */

static int scan_memory(const void *start, const void *end,
		       const struct kml_root *root)
{
	return kml_scan_range(start, end);
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
	if (scanning_from >= stack && scanning_from < end)
		live = scanning_from;
	return kml_scan_range(live, end);
}

static const struct kml_root_visitor root_visitor = {
	.memory = scan_memory,
	.pages = kml_scan_pages,
	.task_stack = scan_task_stack,
};

static int scan_roots(void)
{
	return kml_visit_roots(&root_visitor, READ_ONCE(kml_scan_stacks));
}

/* ---- Passes ---- */

static void forget_reading(void)
{
	WRITE_ONCE(kml_reading.words, 0);
	kml_reading.section = 0;
}

/**
 * kml_words_read() - tell how far a scan is
 *
 * Context: Any.
 * Return: the number of words read since kml_passes_start(); 0 if none runs.
 */
unsigned long kml_words_read(void)
{
	return READ_ONCE(kml_reading.words);
}

/**
 * kml_longest_section() - tell how long others have to wait for a scan
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the most words that the last scan has read before it let others run.
 */
size_t kml_longest_section(void)
{
	return kml_reading.longest;
}

/**
 * kml_passes_start() - begin with the passes of a scan
 * @frame: the frame of the scanning task from which on its stack is a root
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_passes_start(const void *frame)
{
	lockdep_assert_held(&kml_scan_mutex);
	scanning_from = frame;
	forget_reading();
	kml_reading.longest = 0;
}

/**
 * kml_passes_end() - no more passes
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_passes_end(void)
{
	scanning_from = NULL;
	forget_reading();
}

/**
 * kml_first_pass() - go from the roots to all objects in use
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_first_pass(void)
{
	int ret;

	target_all();
	kml_mark_start();
	ret = scan_roots();
	if (!ret)
		ret = kml_scan_gray();
	if (!ret)
		kml_mark_new();
	/* On an error too: it gives back the pins. */
	return kml_scan_gray() ?: ret;
}

/**
 * kml_further_pass() - look for what is targeted in all that is in use
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_further_pass(void)
{
	int ret;

	kml_mark_restart();
	ret = scan_roots();
	if (!ret)
		kml_mark_in_use();
	return kml_scan_gray() ?: ret;
}
