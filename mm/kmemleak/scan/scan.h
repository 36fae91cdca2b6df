/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what is leaked
 */
#ifndef __MM_KMEMLEAK_SCAN_H
#define __MM_KMEMLEAK_SCAN_H

#include "../store/store.h"

struct page;
struct task_struct;

/* ---- roots.c, stacks.c: what a scan starts from ---- */

/* The same for a task's stack, of which the part from @live on is in use. */
typedef int (*kml_visit_stack_t)(const void *stack, const void *live,
				 const void *end, const struct kml_root *root);

/* The same for struct pages, of neighbouring page frames. */
typedef int (*kml_visit_pages_t)(struct page *first, struct page *end);

/**
 * struct kml_root_visitor - what a scan does with its roots
 * @memory: called for each range of root memory; may sleep
 * @pages: called for struct pages that are in use; may sleep
 * @task_stack: called for each stack of a task; may sleep
 */
struct kml_root_visitor {
	kml_visit_t memory;
	kml_visit_pages_t pages;
	kml_visit_stack_t task_stack;
};

int kml_visit_roots(const struct kml_root_visitor *visitor, bool stacks);

/* ---- content.c: what the vmalloc allocator keeps for itself ---- */

unsigned long kml_vm_struct_of(unsigned long start);

/* ---- content.c: words of objects that may be references ---- */

/**
 * struct kml_words - a copy of some words of an object
 * @words: the copy
 * @nr: how many
 * @offset: where they stand in the object, in bytes
 * @cpu: whose copy of a per-CPU object that is, else 0
 */
struct kml_words {
	const unsigned long *words;
	size_t nr;
	size_t offset;
	unsigned int cpu;
};

/* What to do with words; non-zero stops. */
typedef int (*kml_visit_words_t)(const struct kml_words *words, void *arg);

int kml_visit_words(const struct kml_ref *ref, kml_visit_words_t visit,
		    void *arg);

/* ---- stop.c: when a scan has to stop ---- */

int kml_scan_must_stop(void);
int kml_bar_scans(int err);
void kml_allow_scans(void);
int kml_scan_lock(void);

/* ---- mark.c, pass.c: mark passes ---- */

extern bool kml_scan_stacks;

unsigned long kml_words_read(void);
size_t kml_longest_section(void);
size_t kml_longest_section(void);

/* ---- scan.c: from the begin to the verdict ---- */

/* What is done with a new leak, which is pinned; NULL when there are no more. */
typedef void (*kml_print_t)(struct kml_record *rec);

/**
 * struct kml_scan_stats - what is known of scans, for users
 * @scans: how many came to an end
 * @leaks_ever: leaks that were reported by any
 * @ms: time that the last one took, in milliseconds
 * @words: that the last one read
 * @suspects: that the last one had after the first of its passes
 * @undecided: suspects that it left for the next one
 * @passes: of the last one
 * @exact: the last one was decided by a pass with all CPUs stopped
 * @stopped_us: how long the last one stopped them at most, in microseconds
 */
struct kml_scan_stats {
	unsigned long scans;
	unsigned long leaks_ever;
	unsigned long ms;
	unsigned long words;
	unsigned long suspects;
	unsigned long undecided;
	unsigned int passes;
	bool exact;
	u64 stopped_us;
};

int kml_scan(kml_print_t print);
const struct kml_scan_stats *kml_scan_stats(void);
void kml_clear_leaks(void);
int kml_clear_leak(unsigned long addr);
bool kml_have_leaks(void);
void __init kml_scan_init(void);

#endif /* __MM_KMEMLEAK_SCAN_H */
