// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects, wherever the store keeps them.
 *
 * An object is in a slot of its slab, or it has a record. Nobody outside of the
 * store asks which: a struct kml_ref stands for either, and this file has the one
 * look-up, the one read and the one walk over all objects.
 *
 * An object goes from its slot to a record, and never back. So whoever looks
 * finds it, as long as slots are looked at first, and records then.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/vmalloc.h>

#include "slot.h"

/* Records handled between two walks of a tree. */
#define WALK_BATCH	16

/* ---- Look-up ---- */

/**
 * kml_ref_lookup() - find the object that contains an address
 * @space: address space
 * @addr: any address
 * @ref: set to the object
 *
 * Context: RCU read-side critical section, in which the result is valid; it may
 * be freed at any time.
 * Return: true if there is one.
 */
bool kml_ref_lookup(enum kml_space space, unsigned long addr,
		    struct kml_ref *ref)
{
	if (kml_slot_find(space, addr, ref)) {
		ref->rec = NULL;
		return true;
	}
	ref->slab = NULL;
	ref->rec = NULL;
	if (space == KML_VIRT && !kml_may_be_in_tree(addr))
		return false;
	ref->rec = kml_lookup(&kml_trees[space], addr);
	return ref->rec;
}

/* Pin an object that may be on its way out. */
static bool ref_get(const struct kml_ref *ref)
{
	return ref->rec ? kml_get(ref->rec) :
			  refcount_inc_not_zero(&ref->slab->ref);
}

/**
 * kml_ref_put() - give back a pin
 * @ref: the object
 *
 * Context: Any but NMI.
 */
void kml_ref_put(const struct kml_ref *ref)
{
	if (ref->rec)
		kml_put(ref->rec);
	else
		kml_slab_put(ref->slab);
}

/**
 * kml_ref_find() - find and pin the object that contains an address
 * @space: address space
 * @addr: any address
 * @ref: set to the object, to be given back with kml_ref_put()
 *
 * Context: Any but NMI.
 * Return: true if there is one.
 */
bool kml_ref_find(enum kml_space space, unsigned long addr, struct kml_ref *ref)
{
	bool found;

	rcu_read_lock();
	found = kml_ref_lookup(space, addr, ref) && ref_get(ref);
	rcu_read_unlock();
	return found;
}

/* ---- What it is ---- */

static const struct kml_slot *slot_of(const struct kml_ref *ref)
{
	return &ref->slab->slots[ref->index];
}

/**
 * kml_ref_space() - tell which address space an object is in
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: the address space.
 */
enum kml_space kml_ref_space(const struct kml_ref *ref)
{
	return ref->rec ? ref->rec->space : ref->slab->space;
}

/**
 * kml_ref_start() - tell where an object starts
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: its first address, untagged.
 */
unsigned long kml_ref_start(const struct kml_ref *ref)
{
	return ref->rec ? ref->rec->start :
			  kml_slot_start(ref->slab, ref->index);
}

/**
 * kml_ref_size() - tell how long an object is
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: its length in bytes.
 */
size_t kml_ref_size(const struct kml_ref *ref)
{
	return ref->rec ? ref->rec->size : kml_slot_size(ref->slab, ref->index);
}

/**
 * kml_ref_needed() - tell how many references an object needs
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: their number, or KML_GRAY or KML_BLACK.
 */
int kml_ref_needed(const struct kml_ref *ref)
{
	if (ref->rec)
		return READ_ONCE(ref->rec->min_count);
	if (ref->meta & KML_SLOT_BLACK)
		return KML_BLACK;
	return ref->meta & KML_SLOT_GRAY ? KML_GRAY : 1;
}

/**
 * kml_ref_origin() - tell who allocated an object, and where
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: handles and number; those of another object if it was freed meanwhile.
 */
struct kml_origin kml_ref_origin(const struct kml_ref *ref)
{
	if (ref->rec)
		return (struct kml_origin){
			.handles = kml_handles(READ_ONCE(ref->rec->trace),
					       ref->rec->comm),
			.pid = ref->rec->pid,
		};
	return (struct kml_origin){
		.handles = READ_ONCE(slot_of(ref)->handles),
		.pid = ref->meta >> KML_SLOT_PID_SHIFT,
	};
}

/**
 * kml_ref_jiffies() - tell when an object was allocated
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: that time in jiffies, a few of them at most too early.
 */
unsigned long kml_ref_jiffies(const struct kml_ref *ref)
{
	return ref->rec ? ref->rec->jiffies :
			  kml_stamp_to_jiffies(READ_ONCE(slot_of(ref)->stamp));
}

/**
 * kml_ref_is_live() - ask whether an object was not freed so far
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: true if it is there, or in its slot another one that came after it.
 */
bool kml_ref_is_live(const struct kml_ref *ref)
{
	if (ref->rec)
		return READ_ONCE(ref->rec->alive);
	return READ_ONCE(slot_of(ref)->meta) & KML_SLOT_LIVE;
}

/**
 * kml_ref_is_leak() - ask whether an object is to be reported, by the last scan
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: true if it is.
 */
bool kml_ref_is_leak(const struct kml_ref *ref)
{
	return ref->rec && kml_is_leak(ref->rec, NULL);
}

/* Is it in use, whoever refers to it or not? The scan has a reason, or found one. */
static bool ref_is_root(const struct kml_ref *ref)
{
	if (ref->rec)
		return kml_is_root(ref->rec);
	if (ref->meta & KML_SLOT_BLACK)
		return false;
	return ref->meta & KML_SLOT_GRAY || kml_slot_is_young(ref->meta) ||
	       test_bit(ref->index, ref->slab->seen);
}

/**
 * kml_ref_is_suspect() - ask whether an object was found unreferenced so far
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if the present scan has found no reason to take it for reachable.
 */
bool kml_ref_is_suspect(const struct kml_ref *ref)
{
	return kml_ref_needed(ref) > KML_GRAY && !ref_is_root(ref) &&
	       kml_ref_is_live(ref);
}

/**
 * kml_ref_last_scan() - tell in which scan an object was last reachable
 * @ref: the object, pinned
 *
 * Context: Holder of kml_scan_mutex, between two scans.
 * Return: number of the scan; 0 if it was in none.
 */
u32 kml_ref_last_scan(const struct kml_ref *ref)
{
	/* An object that was allocated during a scan was in use for that scan. */
	if (ref->rec)
		return max(ref->rec->seen, ref->rec->born);
	if (kml_slot_is_young(ref->meta) ||
	    test_bit(ref->index, ref->slab->seen))
		return kml_scan_seq;
	return kml_scan_seq - 1;
}

/**
 * kml_ref_is_new() - ask whether an object was allocated since the last scan began
 * @ref: the object, pinned
 *
 * Context: Holder of kml_scan_mutex, between two scans.
 * Return: true if no scan has judged it.
 */
bool kml_ref_is_new(const struct kml_ref *ref)
{
	return ref->rec ? ref->rec->born == kml_scan_seq :
			  kml_slot_is_young(ref->meta);
}

/**
 * kml_ref_verdict() - tell what scans have written down of an object
 * @ref: the object, pinned
 *
 * Context: Holder of kml_scan_mutex.
 * Return: its record, or zeroes if it needs none.
 */
const struct kml_record *kml_ref_verdict(const struct kml_ref *ref)
{
	static const struct kml_record nothing;

	return ref->rec ?: &nothing;
}

/**
 * kml_ref_has_areas() - ask whether only parts of an object are scanned
 * @ref: the object, pinned
 *
 * Context: Any.
 * Return: true if its owner has said so.
 */
bool kml_ref_has_areas(const struct kml_ref *ref)
{
	return ref->rec ? !hlist_empty(&ref->rec->areas) :
			  ref->meta & KML_SLOT_SKIP;
}

/**
 * kml_ref_is_vmap_area() - ask whether an object is a struct vmap_area
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: true if that is known.
 */
bool kml_ref_is_vmap_area(const struct kml_ref *ref)
{
	return !ref->rec && kml_is_vmap_slab(ref->slab);
}

/**
 * kml_ref_is_task() - ask whether an object is a task some words of which are void
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: true if that is known.
 */
bool kml_ref_is_task(const struct kml_ref *ref)
{
	return !ref->rec && kml_is_task_slab(ref->slab);
}

/**
 * kml_ref_surplus() - tell what further references to an object count for
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Any.
 * Return: the first address of the vmalloc area that it describes, or 0.
 */
unsigned long kml_ref_surplus(const struct kml_ref *ref)
{
	if (ref->rec)
		return READ_ONCE(ref->rec->surplus);
	return ref->meta & KML_SLOT_SURPLUS ?
	       kml_slot_surplus(ref->slab, ref->index) : 0;
}

/* ---- Content ---- */

/**
 * kml_ref_content() - tell where the bytes of an object are
 * @ref: the object, pinned
 * @cpu: whose copy, if it is a per-CPU object
 *
 * Context: Any.
 * Return: the address, or NULL if they have none.
 */
const void *kml_ref_content(const struct kml_ref *ref, unsigned int cpu)
{
	unsigned long start = kml_ref_start(ref);

	if (ref->rec)
		return kml_content(ref->rec, cpu);
	if (ref->slab->space == KML_PERCPU)
		return per_cpu_ptr((void __percpu *)start, cpu);
	return (const void *)start;
}

/**
 * kml_ref_read() - copy a piece of the content of an object
 * @ref: the object, pinned
 * @cpu: whose copy, if it is a per-CPU object
 * @offset: where the piece starts in the object, in bytes
 * @buf: destination
 * @len: length in bytes, at most KML_CHUNK
 *
 * A free of the object waits for it.
 *
 * Context: Holder of kml_scan_mutex. Interrupts may be off while it copies.
 * Return: 0; -ENOENT if the object was freed; -EFAULT (or -ERANGE) if the piece
 * cannot be read.
 */
int kml_ref_read(const struct kml_ref *ref, unsigned int cpu, size_t offset,
		 void *buf, size_t len)
{
	if (ref->rec)
		return kml_read(ref->rec, cpu, offset, buf, len);
	return kml_slot_read(ref->slab, ref->index, cpu, offset, buf, len);
}

static int visit_areas(const struct kml_ref *ref, kml_visit_piece_t visit,
		       void *arg)
{
	const struct kml_record *rec = ref->rec;
	struct kml_area *area;
	int ret = 0;

	/* Areas are only ever added, and stay for as long as the record does. */
	hlist_for_each_entry_rcu(area, &rec->areas, node, true) {
		ret = visit(ref, 0, area->start - rec->start, area->size, arg);
		if (ret)
			break;
	}
	return ret;
}

static bool is_scanned(const struct kml_ref *ref)
{
	if (ref->rec)
		return !(READ_ONCE(ref->rec->flags) & (KML_NO_SCAN | KML_STACK));
	return !(ref->meta & KML_SLOT_BLACK);
}

/*
 * The scheduler knows whom a task has woken last, for comparison only: that one may be
 * gone, and its memory somebody else's. On riscv each exception leaves three registers
 * of what it interrupts, from where it takes them back at once.
 */
const struct kml_void kml_task_void[] = {
#if defined(CONFIG_RISCV) && defined(CONFIG_64BIT) && !defined(KML_NO_TASK_REGISTERS)
	{
		.from = offsetof(struct task_struct, thread_info.a0),
		.to = offsetofend(struct task_struct, thread_info.a2),
	},
#endif
#ifdef CONFIG_SMP
	{
		.from = offsetof(struct task_struct, last_wakee),
		.to = offsetofend(struct task_struct, last_wakee),
	},
#endif
	{ .from = SIZE_MAX, .to = SIZE_MAX },
};

static int visit_task(const struct kml_ref *ref, kml_visit_piece_t visit, void *arg)
{
	const struct kml_void *next = kml_task_void;
	size_t from = 0, size = kml_ref_size(ref);
	int ret = 0;

	for (; from < size && !ret; from = (next++)->to)
		ret = visit(ref, 0, from, min(next->from, size) - from, arg);
	return ret;
}

/**
 * kml_ref_visit_pieces() - visit what of an object may hold references
 * @ref: the object, pinned
 * @visit: called for each piece, of per-CPU objects for each possible CPU; may
 *	sleep
 * @arg: passed on to @visit
 *
 * Context: Process context; may sleep if @visit does.
 * Return: 0, or what @visit returned to stop.
 */
int kml_ref_visit_pieces(const struct kml_ref *ref, kml_visit_piece_t visit,
			 void *arg)
{
	size_t size = kml_ref_size(ref), skip = 0;
	unsigned int cpu;
	int ret = 0;

	if (!kml_ref_is_live(ref) || !is_scanned(ref))
		return 0;
	if (kml_ref_space(ref) == KML_PERCPU) {
		for_each_possible_cpu(cpu) {
			ret = visit(ref, cpu, 0, size, arg);
			if (ret)
				break;
		}
		return ret;
	}
	if (ref->rec && !hlist_empty(&ref->rec->areas) &&
	    !(READ_ONCE(ref->rec->flags) & KML_FULL_SCAN))
		return visit_areas(ref, visit, arg);
	if (kml_ref_is_task(ref))
		return visit_task(ref, visit, arg);
	if (!ref->rec)
		skip = FIELD_GET(KML_SLOT_SKIP, ref->meta) * sizeof(long);
	return visit(ref, 0, skip, size - skip, arg);
}

/* ---- Walk ---- */

/**
 * struct walk - a walk over all objects
 * @which: which of them
 * @select: tells which of these to visit
 * @visit: what to do with them
 * @arg: passed on to both
 * @ret: what @visit has returned to stop, or 0
 */
struct walk {
	enum kml_which which;
	kml_select_t select;
	kml_visit_ref_t visit;
	void *arg;
	int ret;
};

static void visit_slot(struct kml_slab *slab, unsigned int index,
		       struct walk *walk)
{
	struct kml_ref ref = {
		.slab = slab,
		.index = index,
		.meta = kml_slot_meta(&slab->slots[index]),
	};

	if (ref.meta & KML_SLOT_LIVE && walk->select(&ref, walk->arg))
		walk->ret = walk->visit(&ref, walk->arg);
}

static void visit_slots(struct kml_slab *slab, void *arg)
{
	struct walk *walk = arg;
	unsigned int i = 0;

	while (!walk->ret) {
		if (walk->which == KML_UNSEEN)
			i = find_next_zero_bit(slab->seen, slab->nr, i);
		if (i >= slab->nr)
			break;
		visit_slot(slab, i++, walk);
	}
}

static bool select_record(const struct kml_record *rec, void *arg)
{
	struct walk *walk = arg;
	/* To be selected it need not be pinned yet. */
	struct kml_ref ref = { .rec = (struct kml_record *)rec };

	return walk->select(&ref, walk->arg);
}

static void visit_records(struct kml_tree *tree, struct walk *walk)
{
	struct kml_cursor cur = KML_CURSOR(tree);
	struct kml_record *recs[WALK_BATCH];
	unsigned int i, nr;

	while (!walk->ret &&
	       (nr = kml_collect(&cur, select_record, walk, recs, WALK_BATCH))) {
		for (i = 0; i < nr; i++) {
			struct kml_ref ref = { .rec = recs[i] };

			if (!walk->ret)
				walk->ret = walk->visit(&ref, walk->arg);
			kml_put(recs[i]);
		}
	}
}

/**
 * kml_for_each() - do something with each object
 * @which: which objects
 * @select: tells which of these to visit; called with a tree locked and
 *	interrupts off
 * @visit: what to do with the object, which is pinned; may sleep; non-zero stops
 * @arg: passed on to both
 *
 * Objects that come or go meanwhile may be missed or not; all others are visited
 * once. One that @visit gives a record may be visited twice.
 *
 * Context: Process context; may sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_for_each(enum kml_which which, kml_select_t select,
		 kml_visit_ref_t visit, void *arg)
{
	struct walk walk = {
		.which = which,
		.select = select,
		.visit = visit,
		.arg = arg,
	};
	enum kml_space space;

	if (which != KML_JUDGED)
		kml_walk_slabs(visit_slots, &walk);
	for (space = 0; space < KML_NR_SPACES && !walk.ret; space++)
		visit_records(&kml_trees[space], &walk);
	return walk.ret;
}

/**
 * kml_ref_any() - select each object, for kml_for_each()
 * @ref: the object
 * @arg: not used
 *
 * Context: Any.
 * Return: true.
 */
bool kml_ref_any(const struct kml_ref *ref, void *arg)
{
	return true;
}

/**
 * kml_ref_leak() - select leaks, for kml_for_each()
 * @ref: the object
 * @arg: not used
 *
 * Context: Any.
 * Return: true if it is to be reported, by the last scan.
 */
bool kml_ref_leak(const struct kml_ref *ref, void *arg)
{
	return kml_ref_is_leak(ref);
}

/* Objects may be so much younger than the walk that counts them, in stamps. */
#define FUTURE		0x10000U

/* Most times that a walk tells objects apart by. */
#define BRIEF_TIMES	8

/**
 * struct brief_walk - a walk over all objects, to count them
 * @visit: what to do with those that are alike
 * @arg: passed on to @visit
 * @ret: what @visit has returned to stop, or 0
 * @now: value of jiffies when it began
 * @stamp: the stamp of that
 * @nr: of how many times it is told on which side of them objects are
 * @ages: how old objects are that were allocated at these times, in stamps
 */
struct brief_walk {
	kml_visit_brief_t visit;
	void *arg;
	int ret;
	unsigned long now;
	u32 stamp;
	unsigned int nr;
	u32 ages[BRIEF_TIMES];
};

/**
 * struct brief_run - objects of a slab that are alike
 * @brief: what is told of them
 * @ref: the first one
 * @begin: least age that is on the same side of all times, in stamps
 * @length: how many ages are
 * @least: how much older than @begin the youngest is
 * @most: how much older the oldest is
 */
struct brief_run {
	struct kml_brief brief;
	struct kml_ref ref;
	s64 begin;
	u32 length;
	u32 least;
	u32 most;
};

static unsigned long age_to_jiffies(const struct brief_walk *walk, s64 age)
{
	return walk->now - (unsigned long)(age << KML_STAMP_SHIFT);
}

static void end_run(struct brief_run *run, struct brief_walk *walk)
{
	struct kml_brief *brief = &run->brief;

	if (!brief->objects)
		return;
	brief->youngest = age_to_jiffies(walk, run->begin + run->least);
	brief->oldest = age_to_jiffies(walk, run->begin + run->most);
	walk->ret = walk->visit(&run->ref, brief, walk->arg);
	brief->objects = 0;
}

static void begin_run(struct brief_run *run, const struct brief_walk *walk, u32 stamp)
{
	u32 age = walk->stamp - stamp;
	s64 begin = -(s64)FUTURE, end = U32_MAX - FUTURE - 1;
	unsigned int i;

	for (i = 0; i < walk->nr; i++) {
		if (age + FUTURE > walk->ages[i] + FUTURE)
			begin = max(begin, (s64)walk->ages[i] + 1);
		else
			end = min(end, (s64)walk->ages[i]);
	}
	run->begin = begin;
	run->length = end - begin + 1;
	run->least = age - (u32)begin;
	run->most = run->least;
	run->brief.objects = 1;
}

static void brief_slots(struct kml_slab *slab, void *arg)
{
	struct brief_walk *walk = arg;
	size_t fixed = READ_ONCE(slab->size);
	struct brief_run run = {
		.brief.owner = slab->space == KML_PERCPU ? NULL : READ_ONCE(slab->cache),
		.ref.slab = slab,
	};
	unsigned int i;

	for (i = 0; i < slab->nr && !walk->ret; i++) {
		const struct kml_slot *slot = &slab->slots[i];
		u32 meta = kml_slot_meta(slot), stamp, older;
		size_t size;
		u64 handles;

		if (!(meta & KML_SLOT_LIVE))
			continue;
		handles = READ_ONCE(slot->handles);
		stamp = READ_ONCE(slot->stamp);
		size = fixed ?: kml_slot_size(slab, i);
		older = walk->stamp - stamp - (u32)run.begin;
		if (likely(run.brief.objects && handles == run.brief.handles &&
			   size == run.brief.size && older < run.length)) {
			run.brief.objects++;
			run.least = min(run.least, older);
			run.most = max(run.most, older);
			continue;
		}
		end_run(&run, walk);
		run.brief.handles = handles;
		run.brief.size = size;
		run.ref.index = i;
		run.ref.meta = meta;
		begin_run(&run, walk, stamp);
	}
	if (!walk->ret)
		end_run(&run, walk);
}

static int brief_record(const struct kml_ref *ref, void *arg)
{
	struct brief_walk *walk = arg;
	struct kml_brief brief = {
		.handles = kml_ref_origin(ref).handles,
		.objects = 1,
		.size = kml_ref_size(ref),
		.oldest = kml_ref_jiffies(ref),
		.youngest = kml_ref_jiffies(ref),
		.leak = kml_ref_is_leak(ref),
	};

	return walk->visit(ref, &brief, walk->arg);
}

/**
 * kml_visit_briefs() - do something with what is to be counted of all objects
 * @since: times, each one of kml_stamp_after()
 * @nr: how many
 * @visit: what to do with objects that are alike, and were all allocated before each of
 *	these times or since; may sleep; non-zero stops
 * @arg: passed on to @visit
 *
 * The same as kml_for_each() with KML_ALL, at a small part of the cost.
 *
 * Context: Process context; may sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_briefs(const unsigned long *since, unsigned int nr,
		     kml_visit_brief_t visit, void *arg)
{
	unsigned long now = jiffies;
	struct brief_walk walk = {
		.visit = visit,
		.arg = arg,
		.now = now,
		.stamp = now >> KML_STAMP_SHIFT,
		.nr = min(nr, (unsigned int)BRIEF_TIMES),
	};
	unsigned int i;

	WARN_ON_ONCE(nr > BRIEF_TIMES);
	for (i = 0; i < walk.nr; i++)
		walk.ages[i] = walk.stamp - (u32)(since[i] >> KML_STAMP_SHIFT);
	kml_walk_slabs(brief_slots, &walk);
	if (walk.ret)
		return walk.ret;
	return kml_for_each(KML_JUDGED, kml_ref_any, brief_record, &walk);
}

/**
 * kml_stamp_after() - tell a time for which it is known of objects when they were born
 * @when: some time, in jiffies
 *
 * Context: Any.
 * Return: a time after it, soon, in jiffies: objects that are allocated before it and
 * from then on can be told apart by comparing with it.
 */
unsigned long kml_stamp_after(unsigned long when)
{
	return round_up(when + 1, BIT(KML_STAMP_SHIFT));
}

static void add_slab_memory(struct kml_slab *slab, void *arg)
{
	size_t *size = arg;

	*size += kml_slab_memory(slab);
}

static int add_record_memory(const struct kml_ref *ref, void *arg)
{
	size_t *size = arg;

	*size += kml_record_memory(ref->rec);
	return 0;
}

/**
 * kml_store_memory() - tell how much memory the metadata of all objects takes
 *
 * Context: Process context; may sleep.
 * Return: the size in bytes.
 */
size_t kml_store_memory(void)
{
	size_t size = kml_pool_memory() + kml_slab_tables_memory();

	kml_walk_slabs(add_slab_memory, &size);
	kml_for_each(KML_JUDGED, kml_ref_any, add_record_memory, &size);
	return size;
}

static void forget_slab(struct kml_slab *slab, void *arg)
{
	kml_slab_forget(slab);
}

static int forget_record(const struct kml_ref *ref, void *arg)
{
	if (kml_remove_record(kml_tree_of(ref->rec), ref->rec, NULL, NULL))
		kml_kill(ref->rec);
	return 0;
}

/**
 * kml_forget_all() - give back all metadata of a detector that is off
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_forget_all(void)
{
	enum kml_space space;

	lockdep_assert_held(&kml_scan_mutex);
	kml_walk_slabs(forget_slab, NULL);
	for (space = 0; space < KML_NR_SPACES; space++) {
		/* From the start again for what is cut behind the walk. */
		while (READ_ONCE(kml_trees[space].nr))
			kml_for_each(KML_JUDGED, kml_ref_any, forget_record,
				     NULL);
	}
	kml_state_advance(KML_STATE_CLEARED);
	kml_slab_free_tables();
}

/* ---- Records ---- */

/**
 * kml_ref_share() - let others than its owner give an object a record
 * @ref: the object, pinned
 *
 * An RCU grace period later whoever frees it has seen that.
 *
 * Context: Holder of kml_scan_mutex, until kml_ref_give_record(): two who share
 * could take the mark of the other one, whose grace period is not over, for theirs.
 * Return: false if there is nothing to wait for.
 */
bool kml_ref_share(const struct kml_ref *ref)
{
	lockdep_assert_held(&kml_scan_mutex);
	return !ref->rec &&
	       kml_slot_change(&ref->slab->slots[ref->index], 0, KML_SLOT_SHARED);
}

/**
 * kml_ref_give_record() - see to it that an object that is shared has a record
 * @ref: the object, pinned; kml_ref_share() was called a grace period ago
 * @gfp: flags to allocate with
 *
 * An object that came to its place since, which nobody has shared, stays where
 * it is.
 *
 * Context: Holder of kml_scan_mutex that may allocate with @gfp.
 * Return: true if it has, or was freed meanwhile; false for want of memory.
 */
bool kml_ref_give_record(const struct kml_ref *ref, gfp_t gfp)
{
	lockdep_assert_held(&kml_scan_mutex);
	return ref->rec ||
	       kml_slot_to_record(ref->slab, ref->index, false, gfp);
}

/**
 * kml_record_of() - find the record of an object of the caller's
 * @space: address space
 * @addr: any address in the object
 *
 * If it has none yet, it is given one.
 *
 * Context: Any but NMI. The caller owns the object: it is not freed meanwhile.
 * Return: the record, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_record_of(enum kml_space space, unsigned long addr)
{
	struct kml_ref ref;

	if (!kml_ref_find(space, addr, &ref))
		return NULL;
	if (ref.rec)
		return ref.rec;
	kml_slot_to_record(ref.slab, ref.index, true, 0);
	kml_slab_put(ref.slab);
	return kml_find(&kml_trees[space], addr);
}
