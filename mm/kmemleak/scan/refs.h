/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what a word refers to.
 */
#ifndef __MM_KMEMLEAK_REFS_H
#define __MM_KMEMLEAK_REFS_H

#include <linux/jiffies.h>
#include <linux/percpu-defs.h>
#include <linux/sizes.h>

#include "scan.h"

struct zone;

/**
 * struct kml_holder - whose words are being looked at: nobody's, if all is 0
 * @space: address space of @addr
 * @addr: an address within the object; references to the object itself do not
 *	count
 */
struct kml_holder {
	enum kml_space space;
	unsigned long addr;
};

/**
 * struct kml_range - from the lowest of some addresses to the highest one
 * @start: the lowest one
 * @size: length in bytes; 0 if there are none
 */
struct kml_range {
	unsigned long start;
	unsigned long size;
};

/**
 * struct kml_targets - what words the mark pass is interested in
 * @range: all of them
 * @linear: those of the linear map that need no closer look
 * @virt: virtual addresses
 * @percpu: values of __percpu pointers
 * @filter: bitmap of pages, by hash, with something of interest; NULL: all
 */
struct kml_targets {
	struct kml_range range;
	struct kml_range linear;
	struct kml_range virt;
	struct kml_range percpu;
	unsigned long *filter;
};

/* Objects found in use that are kept at hand. */
#define KML_MARK_STACK	256

/*
 * The most words that a scan reads before it lets others run: 32 KiB, since whoever
 * waits for an RCU grace period waits for that too.
 */
#define KML_SECTION_WORDS	(SZ_32K / sizeof(long))

/**
 * struct kml_mark_entry - an object in a slot of a slab, to be scanned next
 * @start: its first word; objects of slabs start at one, whatever their length
 * @nr: how many words it has
 */
struct kml_mark_entry {
	const unsigned long *start;
	size_t nr;
};

/* Threads that may share the work of a scan, the one that holds kml_scan_mutex too. */
#define KML_THREADS_MAX	8

/**
 * struct kml_worker - a thread of a scan, and what it has at hand
 * @task: the thread; NULL for the one that holds kml_scan_mutex, and while there is none
 * @frame: the frame from which on its stack is a root, NULL while there is none
 * @top: behind the last one of @stack
 * @old: behind the last one that may be free by now: it was found in an earlier RCU
 *	read-side critical section
 * @room: up to there the fast path may fill @stack; where that begins, if others mark
 * @limit: up to there it may be filled if others mark; NULL if not
 * @stack: KML_MARK_STACK objects to be scanned next
 * @buffer: KML_CHUNK bytes; NULL for that of the store
 * @words: read by all passes so far; read by others
 * @section: words since others could run
 * @longest: the most that @section ever was
 *
 * The thread's own, but where it says otherwise.
 */
struct kml_worker {
	struct task_struct *task;
	const void *frame;
	struct kml_mark_entry *top;
	struct kml_mark_entry *old;
	struct kml_mark_entry *room;
	struct kml_mark_entry *limit;
	struct kml_mark_entry *stack;
	unsigned long *buffer;
	unsigned long words;
	size_t section;
	size_t longest;
} ____cacheline_aligned_in_smp;

/* Words that a pass with all CPUs stopped may find, before it has to be repeated. */
#define KML_HITS_MAX	256

/**
 * struct kml_hit - a word that may refer to a suspect
 * @addr: the word
 * @holder: whose it is
 */
struct kml_hit {
	unsigned long addr;
	struct kml_holder holder;
};

/**
 * struct kml_refs - the state of a mark pass; kml_scan_mutex
 * @pass: its number; never 0, which objects start with
 * @shared: other threads than the holder of kml_scan_mutex may mark
 * @targets: what it looks for
 * @found: suspects among objects of their own that it found in use; if @shared,
 *	gray_lock
 * @gray: objects to be scanned, pinned and linked by gray_next; the same
 * @gray_slabs: slabs with objects to be scanned; the same
 * @workers: the threads that mark, the holder of kml_scan_mutex first
 * @stack: of the first one
 * @nr_hits: how many words the pass with all CPUs stopped has found
 * @hits: the first of them
 *
 * In one piece, which scans leave out.
 */
struct kml_refs {
	u32 pass;
	bool shared;
	struct kml_targets targets;
	unsigned long found;
	struct kml_record *gray;
	struct kml_slab *gray_slabs;
	struct kml_worker workers[KML_THREADS_MAX];
	struct kml_mark_entry stack[KML_MARK_STACK];
	unsigned long nr_hits;
	struct kml_hit hits[KML_HITS_MAX];
};

extern struct kml_refs kml_refs;

/* ---- threads.c: those who share the work of a scan ---- */

extern void *(*kml_threads_memory)(void);
extern bool kml_threads_insist;

struct kml_worker *kml_find_self(void);

/* What the thread that asks has at hand. */
static __always_inline struct kml_worker *kml_self(void)
{
	return likely(!READ_ONCE(kml_refs.shared)) ? &kml_refs.workers[0] :
						     kml_find_self();
}

/* Who marks holds kml_scan_mutex, or does it for the holder. */
#define kml_assert_marks()						\
	lockdep_assert(lockdep_is_held(&kml_scan_mutex) ||		\
		       kml_self() != &kml_refs.workers[0])

/**
 * struct kml_wait_for - how long a thread has waited for another one
 * @since: when that began, in jiffies
 * @turns: how often it has looked
 */
struct kml_wait_for {
	unsigned long since;
	unsigned int turns;
};

#define KML_WAIT_INIT	{ .since = jiffies }

unsigned int kml_threads_wanted(void);
void kml_threads_start(unsigned int wanted);
unsigned int kml_threads_end(void);
void kml_threads_gather(void (*job)(void), bool watched);
void kml_threads_run(void);
void kml_threads_dismiss(void);
const void *kml_live_from(const void *stack, const void *live, const void *end);
void kml_wipe_registers(void);
void kml_threads_wait(struct kml_wait_for *wait);
bool kml_runs_helper(int cpu);
void kml_threads_init(void);

/* ---- stacks.c, roots.c: what a scan starts from ---- */

/* Stacks that stand among the static variables of each CPU, at most. */
#define KML_CPU_STACKS	3

extern struct kml_range kml_cpu_stacks[KML_CPU_STACKS];

DECLARE_PER_CPU(unsigned long, kml_times_asked);

void kml_stacks_init(void);
void kml_hide_stack(const void *stack);
void kml_hide_stacks(void);
int kml_visit_stacks(const struct kml_root_visitor *visitor);
void kml_visit_stopped_stacks(const struct kml_root_visitor *visitor);
int kml_visit_cpu(unsigned int cpu, kml_visit_t visit);
int kml_visit_block(const struct zone *zone, unsigned long pfn, unsigned long end,
		    const struct kml_root_visitor *visitor);
void kml_hide_memmap(void);

/* ---- pages.c: pages of memory that nobody has registered ---- */

extern bool kml_pages;

bool kml_is_root_memory(struct page *page);
enum kml_page_kind kml_page_kind(struct page *page);
int kml_visit_memory(struct page *page, kml_visit_t visit);
void kml_pages_settle(void);

/* ---- content.c: words of objects that may be references ---- */

struct vmap_area;

int kml_read_vmap_area(unsigned long addr, struct vmap_area *area);
int kml_copy_piece(const struct kml_ref *ref, unsigned int cpu, size_t offset,
		   size_t size, kml_visit_words_t visit, void *arg);

/* ---- finds.c: suspects that turn out to be in use ---- */

void kml_finds_start(void);
void kml_note_find(depot_stack_handle_t trace, u32 pass);
void kml_count_suspect(depot_stack_handle_t trace);
bool kml_may_be_in_use(depot_stack_handle_t trace, u32 since);

/* ---- shade.c: which objects a pass has to scan ---- */

extern raw_spinlock_t kml_gray_lock;

static inline bool kml_mark_stack_is_empty(const struct kml_worker *self)
{
	return self->top == self->stack;
}

/* Records that are claimed at once, at most. */
#define KML_CLAIM_MAX	16

/* Bytes of a record that a thread scans at a time where there are several threads. */
#define KML_RECORD_PART	SZ_64K

/**
 * struct kml_gray - what a thread has taken that is to be scanned
 * @slab: a slab, pinned; NULL if it is a record
 * @rec: a record, pinned
 * @from: where the part begins that is to be scanned, in bytes
 * @to: where it ends
 */
struct kml_gray {
	struct kml_slab *slab;
	struct kml_record *rec;
	size_t from;
	size_t to;
};

void kml_shade_alone(struct kml_record *rec);
void kml_shade_record(struct kml_record *rec);
void kml_shade_slot(struct kml_slab *slab, unsigned int index);
void kml_shade(const struct kml_ref *ref);
struct kml_slab *kml_next_gray_slab(void);
struct kml_record *kml_next_gray(void);
void kml_queue_entry(const struct kml_mark_entry *entry);
bool kml_renew_entry(struct kml_mark_entry *entry);
void kml_drop_mark_stack(struct kml_worker *self);
void kml_begin_pass(void);
void kml_mark_start(void);
void kml_mark_new(void);
unsigned long kml_found_in_use(void);
bool kml_others_wait(void);
void kml_give_away(struct kml_worker *self);
unsigned int kml_claim_records(struct kml_record **recs, unsigned int nr);
void kml_gray_open(void);
bool kml_gray_begin(void);
bool kml_gray_take(struct kml_gray *gray);
bool kml_gray_wait(void);
void kml_gray_leave(void);
bool kml_gray_close(void);

/* ---- targets.c: what a mark pass looks for ---- */

/* Bit of the page of @addr in kml_targets.filter. */
static inline unsigned int kml_filter_bit(unsigned long addr)
{
	return (addr >> PAGE_SHIFT) % KML_FILTER_BITS;
}

void kml_target_all(void);
void kml_target_none(void);
void kml_target(enum kml_space space, unsigned long start, size_t size);
const unsigned long *kml_next_hit(const unsigned long *word,
				  const unsigned long *end);

/* ---- mark.c: the fast path ---- */

/* Is that the index of a struct page, of some from @first on? See mark_page(). */
static inline bool kml_is_page_index(const struct page *first,
				     const unsigned long *word)
{
	return ((unsigned long)word - (unsigned long)first) % sizeof(*first) ==
	       offsetof(struct page, __folio_index);
}

void kml_mark(unsigned long addr, const struct kml_holder *holder);
size_t kml_drain_mark_stack(struct kml_worker *self, size_t max);
void kml_finish_section(struct kml_worker *self);
int kml_make_room(struct kml_worker *self, size_t nr);
int kml_scan_range(const void *start, const void *end);
int kml_scan_pages(struct page *first, struct page *end);
bool kml_is_special(const struct kml_slab *slab);
int kml_scan_slots(struct kml_slab *slab, unsigned int first,
		   unsigned long bits);
void kml_scan_record(struct kml_record *rec);
int kml_scan_taken(const struct kml_gray *gray);
int kml_scan_gray(void);

/* ---- search.c: further passes, which look for suspects ---- */

bool kml_slot_in_use(const struct kml_slab *slab, unsigned int index);
bool kml_holder_of(const struct kml_slab *slab, const unsigned long *word,
		   struct kml_holder *holder);
int kml_search_in_slab(struct kml_slab *slab);
bool kml_search_selects(const struct kml_record *rec, void *arg);
void kml_search_in_use(void);

/* ---- share.c: passes of several threads ---- */

int kml_share_pass(const struct kml_root_visitor *visitor, bool stacks, bool objects);
void kml_share_job(void);

/* ---- pass.c: mark passes ---- */

/*
 * Words beneath where the frame pointer points that hold what a function keeps for its
 * caller: on x86_64 registers alone, on others the record, too. On s390 they are in the
 * caller's frame, and it is the last one of them.
 */
#if KML_X86_64
#define KML_FRAME_BELOW	5
#elif defined(CONFIG_ARM) || defined(CONFIG_S390)
#define KML_FRAME_BELOW	10
#elif defined(CONFIG_RISCV)
#define KML_FRAME_BELOW	13
#else
#define KML_FRAME_BELOW	0
#endif

/*
 * What of the stack of a thread that scans is in use by its callers: the record of the
 * function, and the registers that it keeps for them.
 */
static __always_inline const void *kml_own_frame(void)
{
	const unsigned long *frame = __builtin_frame_address(0);

	return frame - KML_FRAME_BELOW;
}

void kml_passes_start(const void *frame);
void kml_passes_end(void);
int kml_first_pass(void);
int kml_further_pass(void);

/* ---- exact.c: a pass while nothing can move ---- */

extern unsigned int kml_exact_us;

bool kml_exact_has_clock(void);
bool kml_exact_is_worth(u64 pass_us);
bool kml_exact_pass(u64 *us);

/* ---- quiet.c: did anything move during a pass? ---- */

void kml_watch_start(void);
bool kml_watch_quiet(void);

/* ---- confirm.c: is a suspect really unreferenced? ---- */

/**
 * struct kml_confirmation - how it went to confirm suspects
 * @suspects: how many there were at first
 * @passes: how often they were looked for
 * @last_quiet: nothing but the scan ran in the last one of these passes
 * @pass_us: how long the last one of them took, in microseconds
 * @exact: the last pass was made with all CPUs stopped, and came to its end
 * @stopped_us: how long they were stopped at most, in microseconds
 * @undecided: how many were taken to be in use, as others of their kind were
 */
struct kml_confirmation {
	unsigned long suspects;
	unsigned int passes;
	bool last_quiet;
	u64 pass_us;
	bool exact;
	u64 stopped_us;
	unsigned long undecided;
};

int kml_confirm(struct kml_confirmation *conf);

/* ---- indirect.c: which leaks are direct ---- */

int kml_find_indirect(void);

#endif /* __MM_KMEMLEAK_REFS_H */
