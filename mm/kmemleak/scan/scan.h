/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what is leaked
 */
#ifndef __MM_KMEMLEAK_SCAN_H
#define __MM_KMEMLEAK_SCAN_H

#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <asm/sections.h>

#include "../store/store.h"

struct page;
struct task_struct;

/* ---- roots.c, stacks.c: what a scan starts from ---- */

/* The same for a task's stack, of which the part from @live on is in use. */
typedef int (*kml_visit_stack_t)(const void *stack, const void *live,
				 const void *end, const struct kml_root *root);

/* The same for struct pages, of neighbouring page frames. */
typedef int (*kml_visit_pages_t)(struct page *first, struct page *end);

/* What to do with a page that is not free; may sleep. */
typedef void (*kml_visit_page_t)(struct page *page, void *arg);

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

/*
 * The static variables of a CPU, __per_cpu_end - __per_cpu_start bytes. By way of a
 * number, as to the compiler __percpu may be an address space of its own.
 */
static inline void *kml_cpu_variables(unsigned int cpu)
{
	return per_cpu_ptr((void __percpu *)(unsigned long)__per_cpu_start, cpu);
}

int kml_visit_roots(const struct kml_root_visitor *visitor, bool stacks);
void kml_visit_pages_in_use(kml_visit_page_t visit, void *arg);

/* ---- pages.c, roots.c: pages that nobody has registered ---- */

/**
 * enum kml_page_kind - what is known of a page that nobody has registered
 * @KML_PAGE_KMALLOC: of a large kmalloc(), from before tracking began
 * @KML_PAGE_ACCOUNTED: charged to a memory cgroup
 * @KML_PAGE_COMPOUND: one of several that are one
 * @KML_PAGE_SINGLE: nothing of this
 * @KML_NR_PAGE_KINDS: how many kinds there are
 */
enum kml_page_kind {
	KML_PAGE_KMALLOC,
	KML_PAGE_ACCOUNTED,
	KML_PAGE_COMPOUND,
	KML_PAGE_SINGLE,
	KML_NR_PAGE_KINDS,
};

/**
 * struct kml_page_counts - how many pages are roots that nobody has registered
 * @all: all of them
 * @of: those of each kind
 */
struct kml_page_counts {
	unsigned long all;
	unsigned long of[KML_NR_PAGE_KINDS];
};

void kml_count_pages(struct kml_page_counts *counts);
int kml_pages_start(void);
void __init kml_pages_init(void);

/*
 * What a task had in its registers when it was last switched out is void as long as
 * it runs. A scan's own were the addresses of what it looked at: in its task_struct
 * they would be references. Where its stack is stays, for those who print it.
 */
static inline void kml_forget_saved_registers(void)
{
#ifdef CONFIG_ARM64
	memset(&current->thread.cpu_context, 0, offsetof(struct cpu_context, fp));
#elif defined(CONFIG_RISCV)
	/* Behind the frame pointer, which is the first one. */
	memset(&current->thread.s[1], 0,
	       sizeof(current->thread.s) - sizeof(current->thread.s[0]));
#endif
}

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

/* ---- deferred.c: what was under way when somebody asked for a scan ---- */

/**
 * enum kml_deferred - what is waited for, for users who ask for a scan
 * @KML_DEFERRED_TASKS: tasks that exit, up to the end of their stacks
 * @KML_DEFERRED_FILES: files whose last reference was put where it cannot be done
 * @KML_DEFERRED_INIT_DATA: init sections of modules
 * @KML_DEFERRED_RCU: call_rcu()
 * @KML_DEFERRED_WORK: work items of the queue that all share, but those that sleep
 * @KML_DEFERRED_VMALLOC: address ranges that are to be unmapped
 * @KML_NR_DEFERRED: how many there are
 */
enum kml_deferred {
	KML_DEFERRED_TASKS,
	KML_DEFERRED_FILES,
	KML_DEFERRED_INIT_DATA,
	KML_DEFERRED_RCU,
	KML_DEFERRED_WORK,
	KML_DEFERRED_VMALLOC,
	KML_NR_DEFERRED,
};

#define KML_DEFERRED_ALL	(BIT(KML_NR_DEFERRED) - 1)

/**
 * struct kml_wait - what came of the wait before a scan
 * @us: how long it took, in microseconds
 * @given_up: what was not waited for to its end, a bit for each enum kml_deferred
 */
struct kml_wait {
	unsigned long us;
	unsigned long given_up;
};

int kml_wait_for_deferred(struct kml_wait *wait);
void kml_deferred_init(void);

/* ---- stop.c: when a scan has to stop ---- */

int kml_scan_must_stop(void);
void kml_end_scan(int err);
int kml_bar_scans(int err);
void kml_allow_scans(void);
unsigned int kml_scan_ticket(void);
int kml_scan_lock(unsigned int ticket);

/* ---- mark.c, pass.c: mark passes ---- */

extern bool kml_scan_stacks;

unsigned long kml_words_read(void);
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
 * @threads: that shared the work of the last one, its own included
 * @exact: the last one was decided by a pass with all CPUs stopped
 * @stopped_us: how long the last one stopped them at most, in microseconds
 * @wait: before the last one; nothing if nobody waited
 */
struct kml_scan_stats {
	unsigned long scans;
	unsigned long leaks_ever;
	unsigned long ms;
	unsigned long words;
	unsigned long suspects;
	unsigned long undecided;
	unsigned int passes;
	unsigned int threads;
	bool exact;
	u64 stopped_us;
	struct kml_wait wait;
};

unsigned int kml_scans_to_decide(void);
int kml_scan(kml_print_t print);
int kml_scan_by(unsigned int threads, kml_print_t print);
int kml_scan_when_done(kml_print_t print);
const struct kml_scan_stats *kml_scan_stats(void);
void kml_clear_leaks(void);
int kml_clear_leak(unsigned long addr);
bool kml_have_leaks(void);
void kml_scan_init(void);

#endif /* __MM_KMEMLEAK_SCAN_H */
