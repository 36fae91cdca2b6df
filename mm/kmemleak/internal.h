/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: private types and interfaces.
 *
 * Data flows one way, and a file calls only what stands before it in this
 * list: state.c, pool.c, trace.c, pages.c, object.c, block.c, slot.c,
 * modtext.c, names.c, unknown.c, track.c, hooks.c (the only door for the rest
 * of the kernel), stacks.c, roots.c, vmap.c, content.c, refs.c, mark.c,
 * confirm.c, lead.c, scan.c, kind.c, holders.c, report.c, leaks.c, tally.c,
 * groups.c, json.c, thread.c, command.c, stats.c, debugfs.c. Interfaces below
 * that are called from the right: a struct kml_root_visitor, visitors of an
 * object's content, and kml_scan()'s leak printer.
 *
 * Lock order, outermost first:
 *
 *   1. kml_control_mutex	starting and stopping the scan thread, "off"
 *   2. kml_scan_mutex		one scan, report or clear at a time
 *   3. names_mutex		names that were asked for lately (names.c)
 *   4. gone_mutex		writing down names of code that goes (modtext.c)
 *   5. kml_tree.lock		shape of one address space's tree
 *      kml_object.lock		life and scan settings of one object
 *      kml_block_lock		births and deaths of blocks with slots
 *      kml_pool_lock		free list of the metadata pool
 *
 * The locks of level 5 are raw spinlocks taken with interrupts off. They are
 * leaves: none is taken while another of them is held, no memory is allocated
 * and nothing is printed under them, because hooks run wherever memory is
 * allocated: in hard interrupts and under the scheduler's and the slab
 * allocator's own locks. For the same reason hooks print with
 * kml_warn() only, which defers the printing.
 */
#ifndef __MM_KMEMLEAK_INTERNAL_H
#define __MM_KMEMLEAK_INTERNAL_H

#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/stackdepot.h>
#include <linux/types.h>

struct kml_block;
struct kml_slot;
struct page;
struct seq_file;

/* The most memory that is read with interrupts off, in bytes. */
#define KML_CHUNK	4096

/* Bits of what a pass that looks for suspects knows of their pages. */
#define KML_FILTER_BITS	32768U

/* Frames kept of an allocation's stack. */
#define KML_TRACE_DEPTH	16

/* ---- state.c: is the detector on? ---- */

extern struct mutex kml_control_mutex;
extern struct mutex kml_scan_mutex;
extern u32 kml_scan_seq;

/**
 * enum kml_state - life of the detector, in the order it is passed through
 * @KML_STATE_EARLY: tracking from the static pool; no traces, no scans yet
 * @KML_STATE_ON: tracking and scanning
 * @KML_STATE_OFF: switched off; frees are still followed so that what was
 *	reported stays readable
 * @KML_STATE_CLEARED: switched off and all metadata given back
 */
enum kml_state {
	KML_STATE_EARLY,
	KML_STATE_ON,
	KML_STATE_OFF,
	KML_STATE_CLEARED,
};

extern enum kml_state kml_state;

/* Are allocations recorded? */
static inline bool kml_tracking(void)
{
	return READ_ONCE(kml_state) <= KML_STATE_ON;
}

/* Must frees be followed, because there may be records of what they free? */
static inline bool kml_following_frees(void)
{
	return READ_ONCE(kml_state) <= KML_STATE_OFF;
}

bool kml_state_wanted(void);
void kml_state_advance(enum kml_state state);

__printf(1, 2) void kml_warn(const char *fmt, ...);

/* ---- The tracked object ---- */

/**
 * enum kml_space - address spaces in which blocks are tracked
 * @KML_VIRT: kernel virtual addresses
 * @KML_PERCPU: values of __percpu pointers; one stands for a copy on each CPU
 * @KML_PHYS: physical addresses of boot-time ranges; never reported
 * @KML_NR_SPACES: how many there are
 */
enum kml_space {
	KML_VIRT,
	KML_PERCPU,
	KML_PHYS,
	KML_NR_SPACES,
};

/* Special values of kml_object.min_count; above 0 it counts references. */
#define KML_GRAY	0	/* a root: always scanned, never reported */
#define KML_BLACK	(-1)	/* ignored: neither scanned nor reported */

/* Bits of kml_object.flags. */
#define KML_NO_SCAN	BIT(0)	/* holds no references */
#define KML_FULL_SCAN	BIT(1)	/* a scan area is missing: scan all of it */
#define KML_STACK	BIT(2)	/* a task stack: scanned with its task only */
#define KML_LEAK	BIT(3)	/* unreferenced, says the last full scan */
#define KML_REPORTED	BIT(4)	/* was counted as a new leak once */

/**
 * struct kml_area - part of an object that holds its references
 * @node: in kml_object.areas
 * @start: first address, untagged
 * @size: length in bytes
 */
struct kml_area {
	struct hlist_node node;
	unsigned long start;
	size_t size;
};

/**
 * struct kml_object - one tracked block of an address space
 * @node: place in the tree; kml_tree.lock
 * @rcu: to free it once no scanner can see it
 * @gray_next: next object to scan; kml_scan_mutex
 * @lead: what the search for leads has found so far; kml_scan_mutex, pinned
 * @start: first address, untagged; fixed from insertion on
 * @size: length in bytes; fixed from insertion on
 * @surplus: address of the object that references beyond @min_count are
 *	handed to, or 0
 * @areas: scan areas; added under @lock, read under RCU, gone with the object
 * @lock: held while a chunk of the block is read, so that a free waits for it;
 *	protects @alive, @flags and additions to @areas
 * @ref: pins; the tree holds one
 * @trace: where it was allocated
 * @comm: name of the task that allocated it, or kind of interrupt
 * @born: value of kml_scan_seq when it was put into the tree
 * @seen: value of kml_scan_seq of the last scan that found it referenced;
 *	kml_scan_mutex
 * @pass: mark pass that @count belongs to; kml_scan_mutex
 * @queued: last mark pass that queued it for scanning; kml_scan_mutex
 * @count: references found in @pass; kml_scan_mutex
 * @crc: of its content when it was last a suspect; kml_scan_mutex
 * @held_by: start of the leak that leads to it, 0 if direct; kml_scan_mutex
 * @unref_scans: scans in a row that found it unreferenced and unchanged;
 *	kml_scan_mutex
 * @grace: up to this kml_scan_seq it counts as referenced
 * @pid: of the task that allocated it, 0 in interrupts
 * @min_count: references that make it reachable, or KML_GRAY or KML_BLACK
 * @space: address space, an enum kml_space
 * @flags: KML_* bits; @lock
 * @alive: not freed yet; @lock
 * @jiffies: when it was allocated
 */
struct kml_object {
	struct rb_node node;
	union {
		struct rcu_head rcu;
		struct {
			struct kml_object *gray_next;
			unsigned long lead;
		};
	};
	unsigned long start;
	size_t size;
	unsigned long surplus;
	struct hlist_head areas;
	raw_spinlock_t lock;
	refcount_t ref;
	depot_stack_handle_t trace;
	depot_stack_handle_t comm;
	u32 born;
	u32 seen;
	u32 pass;
	u32 queued;
	u32 count;
	u32 crc;
	unsigned long held_by;
	u32 unref_scans;
	u32 grace;
	pid_t pid;
	s16 min_count;
	u8 space;
	u8 flags;
	bool alive;
	unsigned long jiffies;
};

/* Names of frames that are kept, in sets of so many, and room for one in bytes. */
#define KML_NAMES	256
#define KML_NAME_WAYS	4
#define KML_NAME_LEN	84

/**
 * struct kml_name - name of a frame that was asked for lately
 * @addr: return address, 0 if there is none
 * @epoch: when the trace was taken
 * @text: the name
 */
struct kml_name {
	unsigned long addr;
	u32 epoch;
	char text[KML_NAME_LEN];
};

/* ---- pool.c: memory for metadata ---- */

struct kml_object *kml_object_alloc(gfp_t gfp);
void kml_object_free(struct kml_object *obj);
void kml_object_free_rcu(struct kml_object *obj);
struct kml_area *kml_area_alloc(gfp_t gfp);
void kml_area_free(struct kml_area *area);
unsigned int kml_pool_left(void);
size_t kml_pool_memory(void);
size_t kml_object_memory(const struct kml_object *obj);
struct kml_name *kml_pool_names(void);
unsigned long *kml_scan_buffer(void);
unsigned long *kml_scan_filter(void);
void kml_pool_range(unsigned long *start, size_t *size);
void __init kml_pool_init(void);

/*
 * The part of the caller's flags that an allocation of metadata may use: it
 * must fail early and silently, and not touch the reserves.
 */
static inline gfp_t kml_gfp(gfp_t gfp)
{
	return (gfp & (GFP_KERNEL | GFP_ATOMIC)) |
	       __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN;
}

/* ---- trace.c: allocation stacks ---- */

/**
 * struct kml_origin - who allocated something, and where
 * @handles: of the stack, and in the upper half of the name of the task or the
 *	kind of interrupt
 * @pid: of the task, 0 in interrupts
 *
 * Two words, which functions return in registers.
 */
struct kml_origin {
	u64 handles;
	u64 pid;
};

unsigned int kml_trace_fetch(depot_stack_handle_t trace,
			     unsigned long **entries, u32 *epoch);
void kml_comm_fetch(depot_stack_handle_t comm, char *buf);
int kml_trace_set_depth(unsigned int depth);
size_t kml_trace_memory(void);
u32 kml_trace_epoch(void);
void kml_trace_new_epoch(void);
void __init kml_trace_init(void);

/* ---- object.c: the store ---- */

/**
 * struct kml_tree - the tracked blocks of one address space by address
 * @lock: protects @root, @lo and @hi against writers
 * @seq: tells lockless readers that the shape changed; written under @lock
 * @root: the tree; nodes are freed by RCU, so that it can be read without @lock
 * @lo: no block starts below
 * @hi: no block ends above
 * @nr: blocks in the tree
 */
struct kml_tree {
	raw_spinlock_t lock;
	seqcount_raw_spinlock_t seq;
	struct rb_root root;
	unsigned long lo;
	unsigned long hi;
	unsigned long nr;
};

#define KML_TREE_INIT(name) {						\
	.lock = __RAW_SPIN_LOCK_UNLOCKED(kml_tree.lock),		\
	.seq = SEQCNT_RAW_SPINLOCK_ZERO(kml_tree.seq, &(name).lock),	\
	.root = RB_ROOT,						\
	.lo = ULONG_MAX,						\
}

extern struct kml_tree kml_trees[KML_NR_SPACES];

/**
 * struct kml_cursor - place in a walk over a tree in address order
 * @tree: the tree
 * @next: the walk goes on with the first object that ends above this address
 * @done: the end was reached
 */
struct kml_cursor {
	struct kml_tree *tree;
	unsigned long next;
	bool done;
};

#define KML_CURSOR(_tree)	{ .tree = (_tree) }

typedef bool (*kml_match_t)(const struct kml_object *obj, void *arg);

void __init kml_note_tree_pages(void);
void kml_object_init(struct kml_object *obj, enum kml_space space,
		     unsigned long start, size_t size);
int kml_insert(struct kml_tree *tree, struct kml_object *obj);
int kml_insert_promoted(struct kml_tree *tree, struct kml_object *obj,
			struct kml_slot *slot, u32 meta, bool young);
struct kml_object *kml_remove(struct kml_tree *tree, unsigned long start);
bool kml_remove_object(struct kml_tree *tree, struct kml_object *obj,
		       struct kml_object *left, struct kml_object *right);
struct kml_object *kml_lookup(struct kml_tree *tree, unsigned long addr);
struct kml_object *kml_find(struct kml_tree *tree, unsigned long addr);
struct kml_object *kml_find_range(struct kml_tree *tree, unsigned long start,
				  size_t size);
unsigned int kml_collect(struct kml_cursor *cur, kml_match_t match, void *arg,
			 struct kml_object **objs, unsigned int max);
bool kml_get(struct kml_object *obj);
void kml_put(struct kml_object *obj);
void kml_kill(struct kml_object *obj);
void kml_set_flags(struct kml_object *obj, u8 set, u8 clear);
const void *kml_content(const struct kml_object *obj, unsigned int cpu);
bool kml_stays(unsigned long addr);
int kml_read(struct kml_object *obj, unsigned int cpu, size_t offset,
	     void *buf, size_t len);
int kml_read_memory(void *buf, const void *src, size_t len);
size_t kml_chunk_len(unsigned long addr, size_t left);

static inline struct kml_tree *kml_tree_of(const struct kml_object *obj)
{
	return &kml_trees[obj->space];
}

static inline bool kml_is_gray(const struct kml_object *obj)
{
	return READ_ONCE(obj->min_count) == KML_GRAY;
}

static inline bool kml_is_black(const struct kml_object *obj)
{
	return READ_ONCE(obj->min_count) == KML_BLACK;
}

/* Is it to be reported, by the last scan? Matches for kml_collect() too. */
static inline bool kml_is_leak(const struct kml_object *obj, void *arg)
{
	return READ_ONCE(obj->flags) & KML_LEAK;
}

/* Would it be reported if too few references were found? */
static inline bool kml_is_counted(const struct kml_object *obj)
{
	return READ_ONCE(obj->min_count) > KML_GRAY;
}

/* ---- modtext.c: names of code that is gone ---- */

void kml_code_name(unsigned long addr, u32 epoch, char *buf);
unsigned int kml_code_changes(void);
int __init kml_modtext_init(void);

/* ---- names.c: names of frames ---- */

/**
 * struct kml_frames - a walk over the frames of a trace
 * @next: the return address that comes next
 * @left: how many there are from there on
 * @epoch: when the trace was taken, as of kml_trace_fetch()
 */
struct kml_frames {
	const unsigned long *next;
	unsigned int left;
	u32 epoch;
};

void kml_symbol(unsigned long addr, u32 epoch, char *buf);
struct kml_frames kml_frames_of(depot_stack_handle_t trace);
bool kml_next_frame(struct kml_frames *frames, char *buf);

/* ---- unknown.c: blocks whose metadata could not be had ---- */

/**
 * enum kml_root_kind - what root memory is
 * @KML_ROOT_PERCPU: static per-CPU variables of one CPU
 * @KML_ROOT_UNKNOWN: a page near a block whose metadata could not be had
 * @KML_ROOT_RUNNING: taken down of what runs on a CPU: registers, end of a stack
 * @KML_ROOT_STACK: a task's stack
 */
enum kml_root_kind {
	KML_ROOT_PERCPU,
	KML_ROOT_UNKNOWN,
	KML_ROOT_RUNNING,
	KML_ROOT_STACK,
};

/**
 * struct kml_root - what a range of root memory is
 * @kind: that
 * @cpu: whose, for KML_ROOT_PERCPU and KML_ROOT_RUNNING
 * @task: whose, pinned, for KML_ROOT_STACK
 * @at: where it stands, if what is visited is a copy, else NULL
 */
struct kml_root {
	enum kml_root_kind kind;
	unsigned int cpu;
	struct task_struct *task;
	const void *at;
};

/* What to do with a range of root memory; non-zero stops. */
typedef int (*kml_visit_t)(const void *start, const void *end,
			   const struct kml_root *root);

void __init kml_unknown_init(void);
void kml_unknown_add(enum kml_space space, unsigned long start, size_t size);
unsigned long kml_unknown_blocks(void);
int kml_visit_unknown(kml_visit_t visit);

/* ---- track.c: recording what the hooks report ---- */

void kml_track(enum kml_space space, unsigned long start, size_t size,
	       int min_count, u8 flags, gfp_t gfp, struct kml_origin origin);
void kml_untrack(enum kml_space space, unsigned long start);
void kml_untrack_range(enum kml_space space, unsigned long start, size_t size);
void kml_paint(enum kml_space space, unsigned long start, int min_count);
void kml_hand_surplus(unsigned long start, unsigned long target);
void kml_add_area(unsigned long start, size_t size, gfp_t gfp);
struct kml_object *kml_find_own(enum kml_space space, unsigned long addr);
struct kml_object *kml_find_any(enum kml_space space, unsigned long addr);
struct kml_object *kml_find_judged(enum kml_space space, unsigned long addr);
struct kml_object *kml_find_exact(enum kml_space space, unsigned long start,
				  const char *what);
void kml_set_trace(unsigned long addr, depot_stack_handle_t trace);

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

void __init kml_stacks_init(void);
int kml_visit_stacks(const struct kml_root_visitor *visitor);
void __init kml_hide_memmap(void);
void __init kml_hide_depot(void);
int kml_visit_roots(const struct kml_root_visitor *visitor, bool stacks);

/* ---- vmap.c: what the vmalloc allocator keeps for itself ---- */

struct vmap_area;

bool kml_is_vmap_block(const struct kml_block *block);
int kml_read_vmap_area(unsigned long addr, struct vmap_area *area);
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

/* The same with a piece of an object, wherever its content is. */
typedef int (*kml_visit_piece_t)(struct kml_object *obj, unsigned int cpu,
				 size_t offset, size_t size, void *arg);

int kml_visit_pieces(struct kml_object *obj, kml_visit_piece_t visit,
		     void *arg);
int kml_copy_piece(struct kml_object *obj, unsigned int cpu, size_t offset,
		   size_t size, kml_visit_words_t visit, void *arg);
int kml_visit_words(struct kml_object *obj, kml_visit_words_t visit, void *arg);
int kml_visit_slot_words(struct kml_block *block, unsigned int index,
			 kml_visit_words_t visit, void *arg);

/* ---- mark.c: mark passes; refs.h has what words refer to ---- */

extern bool kml_scan_stacks;

/* What is done with a pinned object; returns something that can be summed up. */
typedef unsigned long (*kml_action_t)(struct kml_object *obj, void *arg);

unsigned long kml_sum_matches(kml_match_t match, kml_action_t action,
			      void *arg);
int kml_scan_must_stop(void);
int kml_scan_gray(void);
void kml_mark_start(const void *frame);
void kml_mark_end(void);
int kml_mark_all(void);
int kml_mark_again(void);
unsigned long kml_words_read(void);

/* ---- confirm.c: is a suspect really unreferenced? ---- */

/**
 * struct kml_confirmation - how it went to confirm suspects
 * @suspects: how many there were at first
 * @passes: how often they were looked for
 * @undecided: how many were left for the next scan
 */
struct kml_confirmation {
	unsigned long suspects;
	unsigned int passes;
	unsigned long undecided;
};

int kml_confirm(struct kml_confirmation *conf);

/* ---- lead.c: which leaks lead to which ---- */

int kml_lead(void);

/* ---- scan.c: from the begin to the verdict ---- */

/* What is done with a new leak, which is pinned; NULL when there are no more. */
typedef void (*kml_print_t)(struct kml_object *obj);

/**
 * struct kml_scan_stats - what is known of scans, for users
 * @scans: how many came to an end
 * @leaks_ever: leaks that were reported by any
 * @ms: time that the last one took, in milliseconds
 * @words: that the last one read
 * @suspects: that the last one had after the first of its passes
 * @undecided: suspects that it left for the next one
 * @passes: of the last one
 */
struct kml_scan_stats {
	unsigned long scans;
	unsigned long leaks_ever;
	unsigned long ms;
	unsigned long words;
	unsigned long suspects;
	unsigned long undecided;
	unsigned int passes;
};

int kml_scan(kml_print_t print);
const struct kml_scan_stats *kml_scan_stats(void);
void kml_clear_leaks(void);
int kml_clear_leak(unsigned long addr);
bool kml_have_leaks(void);

/* ---- kind.c: what kind of memory an object is ---- */

/* Room for the name of a cache, in bytes. */
#define KML_CACHE_NAME_LEN	64

/**
 * struct kml_kind - kind of an object
 * @name: slab, page, vmalloc, percpu, boot or other
 * @cache: the beginning of the cache's name, empty if it has none
 */
struct kml_kind {
	const char *name;
	char cache[KML_CACHE_NAME_LEN];
};

int kml_kind_of(struct kml_object *obj, struct kml_kind *kind);

/* ---- holders.c: who points at an object ---- */

int kml_print_holders(const struct kml_object *obj);
int kml_refs_to_log(const struct kml_object *obj);

/* ---- report.c: one printer for files and log ---- */

int kml_report(struct seq_file *seq, struct kml_object *obj);
void kml_print_frames(struct seq_file *seq, depot_stack_handle_t trace);
int kml_describe(struct kml_object *obj);

/* ---- thread.c: when to scan ---- */

int kml_scan_now(void);
int kml_thread_start(unsigned int delay_secs);
void kml_thread_stop(void);
void kml_thread_set_period(unsigned int secs);
void kml_switch_off(void);
void kml_forget_all(void);

/* ---- command.c: what users may ask for ---- */

/**
 * enum kml_command_id - commands of the control file
 * @KML_CMD_SCAN: scan now
 * @KML_CMD_SCAN_ON: start the scan thread
 * @KML_CMD_SCAN_OFF: stop it
 * @KML_CMD_SCAN_PERIOD: set its period in seconds; 0 stops it
 * @KML_CMD_STACK_ON: task stacks are roots
 * @KML_CMD_STACK_OFF: they are not
 * @KML_CMD_CLEAR: no longer report what is reported
 * @KML_CMD_OFF: switch the detector off
 * @KML_CMD_DUMP: describe the object at an address
 * @KML_CMD_REFS: tell who points at the object at an address
 * @KML_CMD_CLEAR_AT: no longer report the leak at an address
 */
enum kml_command_id {
	KML_CMD_SCAN,
	KML_CMD_SCAN_ON,
	KML_CMD_SCAN_OFF,
	KML_CMD_SCAN_PERIOD,
	KML_CMD_STACK_ON,
	KML_CMD_STACK_OFF,
	KML_CMD_CLEAR,
	KML_CMD_OFF,
	KML_CMD_DUMP,
	KML_CMD_REFS,
	KML_CMD_CLEAR_AT,
};

/* The longest command that is taken, with its newline, in bytes. */
#define KML_COMMAND_MAX	64

/**
 * struct kml_command - one parsed command
 * @id: what to do
 * @secs: with KML_CMD_SCAN_PERIOD, the period in seconds
 * @addr: with KML_CMD_DUMP, KML_CMD_REFS and KML_CMD_CLEAR_AT, the address
 */
struct kml_command {
	enum kml_command_id id;
	unsigned int secs;
	unsigned long addr;
};

int kml_parse_command(const char *text, size_t len, struct kml_command *cmd);

/* ---- stats.c: figures about the detector ---- */

void kml_show_stats(struct seq_file *seq);

#endif /* __MM_KMEMLEAK_INTERNAL_H */
