/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what is tracked
 */
#ifndef __MM_KMEMLEAK_STORE_H
#define __MM_KMEMLEAK_STORE_H

#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/seqlock.h>

#include <asm/sections.h>

#include "../internal.h"

struct kml_slab;
struct kml_slot;

/* Bits of what a pass that looks for suspects knows of their pages. */
#define KML_FILTER_BITS	32768U

/* ---- Records ---- */

/* Special values of kml_record.min_count; above 0 it counts references. */
#define KML_GRAY	0	/* a root: always scanned, never reported */
#define KML_BLACK	(-1)	/* ignored: neither scanned nor reported */

/* Bits of kml_record.flags. */
#define KML_NO_SCAN	BIT(0)	/* holds no references */
#define KML_FULL_SCAN	BIT(1)	/* a scan area is missing: scan all of it */
#define KML_STACK	BIT(2)	/* a task stack: scanned with its task only */
#define KML_LEAK	BIT(3)	/* unreferenced, says the last full scan */
#define KML_REPORTED	BIT(4)	/* was counted as a new leak once */

/**
 * struct kml_area - part of an object that holds its references
 * @node: in kml_record.areas
 * @start: first address, untagged
 * @size: length in bytes
 */
struct kml_area {
	struct hlist_node node;
	unsigned long start;
	size_t size;
};

/**
 * struct kml_record - one tracked object of an address space
 * @node: place in the tree; kml_tree.lock
 * @rcu: to free it once no scanner can see it
 * @gray_next: next object to scan; kml_gray_lock
 * @reach: what the search for leads has found so far; kml_scan_mutex, pinned
 * @start: first address, untagged; fixed from insertion on
 * @size: length in bytes; fixed from insertion on
 * @surplus: address of the object that references beyond @min_count are
 *	handed to, or 0
 * @areas: scan areas; added under @lock, read under RCU, gone with the object
 * @lock: held while a chunk of the object is read, so that a free waits for it;
 *	protects @alive, @flags and additions to @areas
 * @ref: pins; the tree holds one
 * @trace: where it was allocated
 * @comm: handle of the name of the task that allocated it, or kind of interrupt
 * @born: value of kml_scan_seq when it was put into the tree
 * @seen: value of kml_scan_seq of the last scan that found it referenced;
 *	kml_gray_lock
 * @pass: mark pass that @count belongs to; kml_gray_lock
 * @queued: last mark pass that queued it for scanning; kml_gray_lock
 * @count: references found in @pass; kml_gray_lock
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
struct kml_record {
	struct rb_node node;
	union {
		struct rcu_head rcu;
		struct {
			struct kml_record *gray_next;
			unsigned long reach;
		};
	};
	unsigned long start;
	size_t size;
	unsigned long surplus;
	struct hlist_head areas;
	raw_spinlock_t lock;
	refcount_t ref;
	depot_stack_handle_t trace;
	u32 comm;
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

/* Names of tasks for which there is room, as a power of two. */
#define KML_NAMES_BITS	12
#define KML_NAMES_MAX	((unsigned int)BIT(KML_NAMES_BITS))

/* Handles that have a meaning of their own. */
#define KML_NAME_UNKNOWN	0U	/* "?": there was no room for it */
#define KML_NAME_FIRST_TASK	1U	/* all that runs in the early state */
#define KML_NAME_HARDIRQ	2U
#define KML_NAME_SOFTIRQ	3U
#define KML_NAMES_RESERVED	4U	/* the first handle of a task's name */

/**
 * struct kml_name - name of a task
 * @head: its first bytes
 * @tail: its last bytes; what the last one of them says, if it is not NUL, is told
 *	in names.c
 */
struct kml_name {
	u64 head;
	u64 tail;
};

/* Names of frames that are kept, in sets of so many, and room for one in bytes. */
#define KML_FRAME_NAMES		256
#define KML_FRAME_NAME_WAYS	4
#define KML_FRAME_NAME_LEN	88

/**
 * struct kml_frame_name - name of a frame that was asked for lately
 * @frame: the frame, as traces have it; 0 if there is none
 * @text: the name
 */
struct kml_frame_name {
	unsigned long frame;
	char text[KML_FRAME_NAME_LEN];
};

/**
 * struct kml_origin - who allocated something, and where
 * @handles: of the stack, and in the upper half of the name of the task or the
 *	kind of interrupt, which is filled in where it is published: see names.c
 * @pid: of the task, 0 in interrupts
 *
 * Two words, which functions return in registers.
 */
struct kml_origin {
	u64 handles;
	u64 pid;
};

static inline depot_stack_handle_t kml_trace_of(u64 handles)
{
	return lower_32_bits(handles);
}

static inline u32 kml_comm_of(u64 handles)
{
	return upper_32_bits(handles);
}

static inline u64 kml_handles(depot_stack_handle_t trace, u32 comm)
{
	return (u64)comm << 32 | trace;
}

/* ---- pool.c: memory for metadata ---- */

struct kml_record *kml_record_alloc(gfp_t gfp);
void kml_record_free(struct kml_record *rec);
void kml_record_free_rcu(struct kml_record *rec);
struct kml_area *kml_area_alloc(gfp_t gfp);
void kml_area_free(struct kml_area *area);
unsigned int kml_pool_left(void);
size_t kml_pool_memory(void);
size_t kml_record_memory(const struct kml_record *rec);
struct kml_name *kml_pool_names(void);
unsigned long *kml_pool_used_names(void);
struct kml_frame_name *kml_pool_frame_names(void);
unsigned long *kml_scan_buffer(void);
unsigned long *kml_scan_filter(void);
void kml_pool_range(unsigned long *start, size_t *size);
void __init kml_pool_give_back(void);
int kml_pool_init(void);

/*
 * The part of the caller's flags that an allocation of metadata may use: it
 * must fail early and silently, and not touch the reserves. What the caller has
 * lockdep leave out stays left out, since its locks are held here as well.
 */
static inline gfp_t kml_gfp(gfp_t gfp)
{
	return gfp_nested_mask(gfp);
}

/* ---- pages.c: in which pages there may be objects ---- */

/* Bytes of per-CPU memory that have one struct kml_slab. */
#define KML_PERCPU_PAGE		4096

struct kml_table;

/**
 * struct kml_linear - the part of the linear map in which there can be slabs
 * @base: its first address
 * @size: its length in bytes; 0 keeps everything out
 * @tables: for each part of it, which slabs its pages belong to
 * @has_percpu: are there values of __percpu pointers among its addresses?
 */
struct kml_linear {
	unsigned long base;
	unsigned long size;
	struct kml_table **tables;
	bool has_percpu;
};

/**
 * struct kml_percpu_range - where there are slabs of per-CPU memory
 * @lo: no slab starts below; written under kml_slab_lock
 * @hi: no slab ends above; written under kml_slab_lock
 */
struct kml_percpu_range {
	unsigned long lo;
	unsigned long hi;
};

extern struct kml_linear kml_linear;

/* Of the pages of per-CPU memory where there were objects ever, by hash. */
#define KML_PERCPU_PAGE_BITS	4096
extern unsigned long kml_percpu_pages[BITS_TO_LONGS(KML_PERCPU_PAGE_BITS)];

/*
 * Parts of the address space outside of the linear map in which there were
 * objects ever, of either space, by hash.
 */
#define KML_OUTSIDE_SHIFT	21
#define KML_OUTSIDE_BITS	4096
extern unsigned long kml_outside_parts[BITS_TO_LONGS(KML_OUTSIDE_BITS)];

static __always_inline bool kml_may_be_outside(unsigned long addr)
{
	return test_bit((addr >> KML_OUTSIDE_SHIFT) % KML_OUTSIDE_BITS,
			kml_outside_parts);
}

static __always_inline bool kml_may_be_percpu(unsigned long addr)
{
	return test_bit(addr / KML_PERCPU_PAGE % KML_PERCPU_PAGE_BITS,
			kml_percpu_pages);
}

/*
 * For each page of the linear map, may a slab of the tree lie there? Written
 * with the tree locked. NULL: all may.
 */
extern unsigned long *kml_tree_pages;

extern struct kml_percpu_range kml_percpu_range;

/* Is it an address of that part of the linear map? */
static inline bool kml_is_linear(unsigned long addr)
{
	return addr - kml_linear.base < kml_linear.size;
}

/* Is it one of the kernel image, with its data? */
static inline bool kml_is_in_image(unsigned long addr)
{
	return addr - (unsigned long)_stext <
	       (unsigned long)_end - (unsigned long)_stext;
}

/* The same of the page at an offset into that part of the linear map. */
static __always_inline bool kml_is_tree_page(unsigned long offset)
{
	return !kml_tree_pages ||
	       test_bit(offset >> PAGE_SHIFT, kml_tree_pages);
}

static inline bool kml_may_be_in_tree(unsigned long addr)
{
	return !kml_is_linear(addr) ||
	       kml_is_tree_page(addr - kml_linear.base);
}

/* Where memory begins. */
extern phys_addr_t kml_dram_start;

/*
 * A bit for each page that an object outside of the linear map has, counted from the
 * first one of memory. NULL as long as nobody asks for it; never freed.
 */
extern unsigned long *kml_area_pages;

bool kml_is_area_page(unsigned long pfn);
void kml_note_area(unsigned long start, size_t size, bool there);
int kml_note_areas(void);
void kml_find_special_caches(const void *vmalloced);
void *kml_alloc_hidden(size_t size, gfp_t gfp);
void kml_free_hidden(void *ptr, size_t size);
void kml_hide_area(const void *area, size_t size);
void __init kml_note_memory(void);

/* ---- tree.c: objects with a record ---- */

/**
 * struct kml_tree - the tracked objects of one address space by address
 * @lock: protects @root, @lo and @hi against writers
 * @seq: tells lockless readers that the shape changed; written under @lock
 * @root: the tree; nodes are freed by RCU, so that it can be read without @lock
 * @lo: no object starts below
 * @hi: no object ends above
 * @nr: objects in the tree
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

typedef bool (*kml_match_t)(const struct kml_record *rec, void *arg);

void kml_note_tree_pages(void);
void __init kml_trees_reset(void);
void kml_record_init(struct kml_record *rec, enum kml_space space,
		     unsigned long start, size_t size);
int kml_insert(struct kml_tree *tree, struct kml_record *rec);
int kml_insert_from_slot(struct kml_tree *tree, struct kml_record *rec,
			 struct kml_slot *slot, u32 meta, bool young);
struct kml_record *kml_remove(struct kml_tree *tree, unsigned long start);
bool kml_remove_record(struct kml_tree *tree, struct kml_record *rec,
		       struct kml_record *left, struct kml_record *right);
struct kml_record *kml_lookup(struct kml_tree *tree, unsigned long addr);
struct kml_record *kml_find(struct kml_tree *tree, unsigned long addr);
struct kml_record *kml_find_range(struct kml_tree *tree, unsigned long start,
				  size_t size);
unsigned int kml_collect(struct kml_cursor *cur, kml_match_t match, void *arg,
			 struct kml_record **recs, unsigned int max);
bool kml_get(struct kml_record *rec);
void kml_put(struct kml_record *rec);
void kml_kill(struct kml_record *rec);
void kml_set_flags(struct kml_record *rec, u8 set, u8 clear);
const void *kml_content(const struct kml_record *rec, unsigned int cpu);
bool kml_stays(unsigned long addr);
int kml_read(struct kml_record *rec, unsigned int cpu, size_t offset,
	     void *buf, size_t len);
int kml_read_memory(void *buf, const void *src, size_t len);
size_t kml_chunk_len(unsigned long addr, size_t left);

static inline struct kml_tree *kml_tree_of(const struct kml_record *rec)
{
	return &kml_trees[rec->space];
}

static inline bool kml_is_gray(const struct kml_record *rec)
{
	return READ_ONCE(rec->min_count) == KML_GRAY;
}

static inline bool kml_is_black(const struct kml_record *rec)
{
	return READ_ONCE(rec->min_count) == KML_BLACK;
}

/* Is it to be reported, by the last scan? Matches for kml_collect() too. */
static inline bool kml_is_leak(const struct kml_record *rec, void *arg)
{
	return READ_ONCE(rec->flags) & KML_LEAK;
}

/* Would it be reported if too few references were found? */
static inline bool kml_is_counted(const struct kml_record *rec)
{
	return READ_ONCE(rec->min_count) > KML_GRAY;
}

static inline bool kml_has_grace(const struct kml_record *rec)
{
	return (s32)(READ_ONCE(rec->grace) - kml_scan_seq) >= 0;
}

/* Is it in use, whoever refers to it or not? To be asked with kml_scan_mutex held. */
static inline bool kml_is_root(const struct kml_record *rec)
{
	if (kml_is_black(rec))
		return false;
	return kml_is_gray(rec) || rec->born == kml_scan_seq ||
	       READ_ONCE(rec->seen) == kml_scan_seq || kml_has_grace(rec);
}

/* ---- names.c: names of tasks ---- */

extern struct mutex kml_names_mutex;

struct irq_work;

u32 kml_name_find(const char *name);
u32 kml_name_now(void);
void kml_name_fetch(u32 handle, char *buf);
unsigned int kml_names_taken(void);
void kml_names_retire(void);
void kml_name_note(u32 handle);
unsigned int kml_names_release(void);
struct irq_work *kml_names_set_request(struct irq_work *request);
bool kml_names_may_sweep(void);
void kml_names_init(void);

/* ---- unknown.c: objects whose metadata could not be had ---- */

/**
 * enum kml_root_kind - what root memory is
 * @KML_ROOT_PERCPU: static per-CPU variables of one CPU
 * @KML_ROOT_UNKNOWN: memory near an object whose metadata could not be had
 * @KML_ROOT_PAGE: a page that nobody has registered
 * @KML_ROOT_RUNNING: taken down of what runs on a CPU: registers, end of a stack
 * @KML_ROOT_STACK: a task's stack
 */
enum kml_root_kind {
	KML_ROOT_PERCPU,
	KML_ROOT_UNKNOWN,
	KML_ROOT_PAGE,
	KML_ROOT_RUNNING,
	KML_ROOT_STACK,
};

/**
 * struct kml_root - what a range of root memory is
 * @kind: that
 * @cpu: whose, for KML_ROOT_PERCPU and KML_ROOT_RUNNING
 * @task: whose, pinned, for KML_ROOT_STACK
 */
struct kml_root {
	enum kml_root_kind kind;
	unsigned int cpu;
	struct task_struct *task;
};

/* What to do with a range of root memory; non-zero stops. */
typedef int (*kml_visit_t)(const void *start, const void *end,
			   const struct kml_root *root);

void __init kml_unknown_init(void);
void kml_unknown_add(enum kml_space space, unsigned long start, size_t size);
void kml_foreign_add(unsigned long start, size_t size);
void kml_foreign_remove(unsigned long start);
unsigned long kml_unknown_objects(void);
void kml_unknown_forget(void);
bool kml_know_all(void);
int kml_visit_unknown(kml_visit_t visit);

/* ---- adopt.c: slabs that were there before ---- */

struct page;

bool kml_adopt_slab(struct page *page);
void kml_drop_gone_slabs(void);
unsigned long kml_unknown_slots(void);

/* ---- free.c: what of them is free ---- */

void kml_learn_free(void);

/* ---- release.c: metadata of slabs without objects ---- */

/**
 * struct kml_released - what was done about slabs without objects
 * @visited: how many slabs were looked at; 0: it is too early
 * @released: the metadata of so many was given back
 */
struct kml_released {
	unsigned long visited;
	unsigned long released;
};

struct kml_released kml_release_idle_slabs(unsigned long max, bool at_once);
void kml_release_init(void);

/* ---- slot.c: generations ---- */

void kml_slot_new_generation(void);
void kml_slot_age_all(void);

/* ---- object.c: objects, wherever the store keeps them ---- */

/**
 * struct kml_ref - an object
 * @rec: its record; NULL if it is in a slot
 * @slab: the slab of its slot
 * @index: its index there
 * @meta: what the slot said when it was found
 *
 * Only the store looks into it, the fast path of a scan, and who judges objects,
 * all of which then have records.
 */
struct kml_ref {
	struct kml_record *rec;
	struct kml_slab *slab;
	unsigned int index;
	u32 meta;
};

/**
 * enum kml_which - which objects a walk visits
 * @KML_ALL: all
 * @KML_UNSEEN: all but those that the present scan has found referenced while they
 *	were in a slot
 * @KML_JUDGED: those that a scan may have found unreferenced, and others
 */
enum kml_which {
	KML_ALL,
	KML_UNSEEN,
	KML_JUDGED,
};

typedef bool (*kml_select_t)(const struct kml_ref *ref, void *arg);

/* What to do with an object, which is pinned; non-zero stops. */
typedef int (*kml_visit_ref_t)(const struct kml_ref *ref, void *arg);

/* The same with a piece of its content, in bytes. */
typedef int (*kml_visit_piece_t)(const struct kml_ref *ref, unsigned int cpu,
				 size_t offset, size_t size, void *arg);

/**
 * struct kml_void - words of an object that are no references
 * @from: where they begin in the object, in bytes
 * @to: where they end
 */
struct kml_void {
	size_t from;
	size_t to;
};

/* Those of a task_struct, in order. No object has the last ones. */
extern const struct kml_void kml_task_void[];

/**
 * struct kml_brief - what is told where all objects are counted: of some that are alike
 * @owner: the same for all objects of one slab cache; NULL if they are none of a slab,
 *	or if that is not known
 * @handles: where and by whom they were allocated, as in struct kml_origin
 * @objects: how many they are
 * @size: length of each in bytes
 * @oldest: when the first one was allocated, in jiffies; a few of them too late at
 *	most, but not beyond a kml_stamp_after()
 * @youngest: the same of the last one
 * @leak: are they to be reported, by the last scan?
 */
struct kml_brief {
	const void *owner;
	u64 handles;
	unsigned long objects;
	size_t size;
	unsigned long oldest;
	unsigned long youngest;
	bool leak;
};

/* What to do with such objects, of which @ref, pinned, is one; non-zero stops. */
typedef int (*kml_visit_brief_t)(const struct kml_ref *ref,
				 const struct kml_brief *brief, void *arg);

bool kml_ref_lookup(enum kml_space space, unsigned long addr,
		    struct kml_ref *ref);
void kml_ref_put(const struct kml_ref *ref);
bool kml_ref_find(enum kml_space space, unsigned long addr,
		  struct kml_ref *ref);
enum kml_space kml_ref_space(const struct kml_ref *ref);
unsigned long kml_ref_start(const struct kml_ref *ref);
size_t kml_ref_size(const struct kml_ref *ref);
int kml_ref_needed(const struct kml_ref *ref);
struct kml_origin kml_ref_origin(const struct kml_ref *ref);
unsigned long kml_ref_jiffies(const struct kml_ref *ref);
bool kml_ref_is_live(const struct kml_ref *ref);
bool kml_ref_is_leak(const struct kml_ref *ref);
bool kml_ref_is_suspect(const struct kml_ref *ref);
u32 kml_ref_last_scan(const struct kml_ref *ref);
bool kml_ref_is_new(const struct kml_ref *ref);
const struct kml_record *kml_ref_verdict(const struct kml_ref *ref);
bool kml_ref_has_areas(const struct kml_ref *ref);
bool kml_ref_is_vmap_area(const struct kml_ref *ref);
bool kml_ref_is_task(const struct kml_ref *ref);
unsigned long kml_ref_surplus(const struct kml_ref *ref);
const void *kml_ref_content(const struct kml_ref *ref, unsigned int cpu);
int kml_ref_read(const struct kml_ref *ref, unsigned int cpu, size_t offset,
		 void *buf, size_t len);
int kml_ref_visit_pieces(const struct kml_ref *ref, kml_visit_piece_t visit,
			 void *arg);
unsigned long kml_nr_slabs(void);
int kml_slab_init(void);
size_t kml_store_memory(void);
void kml_forget_all(void);
int kml_for_each(enum kml_which which, kml_select_t select,
		 kml_visit_ref_t visit, void *arg);
int kml_visit_briefs(const unsigned long *since, unsigned int nr,
		     kml_visit_brief_t visit, void *arg);
unsigned long kml_stamp_after(unsigned long when);
bool kml_ref_any(const struct kml_ref *ref, void *arg);
bool kml_ref_leak(const struct kml_ref *ref, void *arg);
bool kml_ref_share(const struct kml_ref *ref);
bool kml_ref_give_record(const struct kml_ref *ref, gfp_t gfp);
struct kml_record *kml_record_of(enum kml_space space, unsigned long addr);

/* ---- sweep.c: which names are in use ---- */

void kml_names_note(void);
unsigned int kml_names_sweep(void);

/* ---- annotate.c: what the owner of an object says of it ---- */

struct kml_record *kml_record_exactly(enum kml_space space,
				      unsigned long start, const char *what);
void kml_paint(enum kml_space space, unsigned long start, int min_count);
void kml_no_scan(unsigned long start);
void kml_hand_surplus(unsigned long start, unsigned long target);
void kml_set_trace(unsigned long addr, depot_stack_handle_t trace);
void kml_add_area(unsigned long start, size_t size, gfp_t gfp);

/* ---- overlap.c: objects where there are others already ---- */

bool kml_is_within_others(enum kml_space space, unsigned long start,
			  size_t size);
void kml_drop_overlaid(void);

#endif /* __MM_KMEMLEAK_STORE_H */
