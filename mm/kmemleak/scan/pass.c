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
#include <linux/minmax.h>

#include "refs.h"

/* Are task stacks roots? */
bool kml_scan_stacks = true;

/* ---- Roots ---- */

static int scan_memory(const void *start, const void *end,
		       const struct kml_root *root)
{
	return kml_scan_range(start, end);
}

static int scan_task_stack(const void *stack, const void *live,
			   const void *end, const struct kml_root *root)
{
	kml_hide_stack(stack);
	return kml_scan_range(kml_live_from(stack, live, end), end);
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

/* The same, and from there on, by all threads. */
static int share_pass(bool objects)
{
	return kml_share_pass(&root_visitor, READ_ONCE(kml_scan_stacks), objects);
}

/* ---- Passes ---- */

static void forget_reading(void)
{
	unsigned int i;

	for (i = 0; i < KML_THREADS_MAX; i++) {
		WRITE_ONCE(kml_refs.workers[i].words, 0);
		kml_refs.workers[i].section = 0;
	}
}

/**
 * kml_longest_section() - tell how long others have to wait for a scan
 *
 * Context: Holder of kml_scan_mutex.
 * Return: the most words that the last scan has read before it let others run.
 */
size_t kml_longest_section(void)
{
	size_t longest = 0;
	unsigned int i;

	for (i = 0; i < KML_THREADS_MAX; i++)
		longest = max(longest, kml_refs.workers[i].longest);
	return longest;
}

/**
 * kml_passes_start() - begin with the passes of a scan
 * @frame: the frame of the scanning task from which on its stack is a root
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_passes_start(const void *frame)
{
	unsigned int i;

	lockdep_assert_held(&kml_scan_mutex);
	kml_refs.workers[0].frame = frame;
	forget_reading();
	for (i = 0; i < KML_THREADS_MAX; i++)
		kml_refs.workers[i].longest = 0;
}

/**
 * kml_passes_end() - no more passes
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_passes_end(void)
{
	kml_refs.workers[0].frame = NULL;
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

	kml_target_all();
	kml_mark_start();
	kml_threads_gather(kml_share_job, false);
	ret = kml_refs.shared ? share_pass(false) : scan_roots();
	kml_threads_dismiss();
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

	kml_begin_pass();
	if (kml_refs.shared)
		return share_pass(true);
	ret = scan_roots();
	if (!ret)
		kml_search_in_use();
	return kml_scan_gray() ?: ret;
}
