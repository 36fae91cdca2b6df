// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: is what it has written down true?
 *
 * Walks over all slabs, and over the trees, and compares them with themselves
 * and with what a test holds. The test has to stand still meanwhile; the rest of
 * the kernel does not. So what looks wrong is looked at again, and is a mistake
 * only if it stays wrong.
 */
#include <linux/bitmap.h>
#include <linux/bsearch.h>
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "../../slab.h"
#include "../store/slot.h"
#include "../track/origin.h"
#include "audit.h"

/* Times that something is looked at before it is called wrong. */
#define AUDIT_TRIES	5

/* Messages of one audit; where there are more, one mistake has made them all. */
#define AUDIT_MESSAGES	10

/*
 * Slabs by which a walk may differ from their number, beside the change of that
 * number meanwhile: some may come and others go. None did in 190 audits on 2 and
 * 4 CPUs.
 */
#define AUDIT_SLABS	4

/* Objects that are looked at in one go. */
#define AUDIT_BATCH	16

/* Pins of a slab that are there for a moment: hooks that work on it. */
#define AUDIT_PINS	(2 + NR_CPUS)

/* ---- One object ---- */

static bool sight_slot(enum kml_space space, unsigned long addr,
		       struct kml_sight *sight)
{
	const struct kml_slot *slot;
	struct kml_ref ref;
	u64 handles;

	do {
		if (!kml_slot_find(space, addr, &ref))
			return false;
		slot = &ref.slab->slots[ref.index];
		handles = READ_ONCE(slot->handles);
		sight->start = kml_slot_start(ref.slab, ref.index);
		sight->size = kml_slot_size(ref.slab, ref.index);
		/*
		 * All that is of one object if the slot says the same still. Pairs
		 * with smp_store_release() in kml_slot_free_percpu().
		 */
		smp_rmb();
	} while (READ_ONCE(slot->meta) != ref.meta);
	sight->pid = ref.meta >> KML_SLOT_PID_SHIFT;
	sight->trace = kml_trace_of(handles);
	sight->comm = kml_comm_of(handles);
	sight->meta = ref.meta;
	return true;
}

static void look_once(enum kml_space space, unsigned long addr,
		      struct kml_sight *sight)
{
	const struct kml_record *rec;
	bool in_slot;

	memset(sight, 0, sizeof(*sight));
	rcu_read_lock();
	in_slot = sight_slot(space, addr, sight);
	rec = kml_lookup(&kml_trees[space], addr);
	if (in_slot) {
		sight->where = rec ? KML_TWICE : KML_IN_SLOT;
	} else if (rec) {
		sight->where = KML_ON_ITS_OWN;
		sight->start = rec->start;
		sight->size = rec->size;
		sight->pid = rec->pid;
		sight->trace = READ_ONCE(rec->trace);
		sight->comm = rec->comm;
	}
	rcu_read_unlock();
}

/**
 * kml_look() - tell what the detector knows of an object
 * @space: address space
 * @addr: any address
 * @sight: set to what is known of the object that contains @addr
 *
 * Context: Any but NMI.
 */
void kml_look(enum kml_space space, unsigned long addr, struct kml_sight *sight)
{
	int tries = AUDIT_TRIES;

	/* An object that is just given a record may be seen in both places. */
	do {
		look_once(space, addr, sight);
	} while (sight->where == KML_TWICE && --tries);
}

static bool trace_hits(depot_stack_handle_t trace, unsigned long start,
		       unsigned long size)
{
	unsigned long *entries;
	unsigned int i, nr;

	nr = kml_trace_fetch(trace, &entries);
	for (i = 0; i < nr; i++) {
		/* A return address stands behind the call. */
		if (entries[i] - start - 1 < size)
			return true;
	}
	return false;
}

/**
 * kml_trace_has() - ask whether an object was allocated through a function
 * @trace: where it was allocated
 * @fn: the function
 *
 * Context: Any.
 * Return: true if one of the frames is of @fn.
 */
bool kml_trace_has(depot_stack_handle_t trace, const void *fn)
{
	unsigned long size, offset;

	return kallsyms_lookup_size_offset((unsigned long)fn, &size, &offset) &&
	       trace_hits(trace, (unsigned long)fn, size);
}

/* ---- One slab ---- */

/* One that was just given up describes nothing any more. */
static bool is_linked(const struct kml_slab *slab)
{
	/* Not under the lock: once it is false it stays so. */
	return data_race(slab->linked);
}

static bool tables_agree(struct kml_slab *slab)
{
	unsigned long addr;
	bool agree = true;

	rcu_read_lock();
	if (slab->space == KML_PERCPU) {
		agree = kml_percpu_slab_at(slab->start) == slab;
	} else {
		for (addr = slab->start; addr < slab->start + slab->length;
		     addr += PAGE_SIZE)
			agree &= kml_slab_at(addr) == slab;
	}
	rcu_read_unlock();
	return agree;
}

static bool indices_agree(const struct kml_slab *slab)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		unsigned long offset = (unsigned long)i * slab->stride;

		if (kml_slab_index(slab, offset) != i ||
		    kml_slab_index(slab, offset + slab->stride - 1) != i)
			return false;
	}
	return true;
}

static const char *percpu_fault(const struct kml_slab *slab)
{
	if (!IS_ALIGNED(slab->start, KML_PERCPU_PAGE) ||
	    slab->length != KML_PERCPU_PAGE)
		return "is no page of per-CPU memory";
	if (slab->stride != KML_PERCPU_GRAIN || slab->size || (slab->first - slab->start) ||
	    slab->nr != KML_PERCPU_SLOTS)
		return "has the wrong slots";
	return NULL;
}

static const char *slab_fault(const struct kml_slab *slab)
{
	if (!PAGE_ALIGNED(slab->start) || !slab->length ||
	    !PAGE_ALIGNED(slab->length) ||
	    (unsigned long)kasan_reset_tag(slab_address(slab->backing)) !=
	    slab->start)
		return "does not lie where its slab does";
	if (!slab->nr || !slab->size || slab->size > slab->stride ||
	    (slab->first - slab->start) >= slab->stride ||
	    (slab->first - slab->start) + (slab->nr - 1UL) * slab->stride + slab->size >
	    slab->length)
		return "has slots that do not fit";
	if (!indices_agree(slab))
		return "counts its slots wrongly";
	return NULL;
}

/* An object is there, so that the slab is one, as long as the object stays. */
static const char *live_fault(const struct kml_slab *slab)
{
	const struct kmem_cache *cache;

	if (slab->space == KML_PERCPU)
		return READ_ONCE(slab->cache) ? NULL : "is closed, but in use";
	cache = READ_ONCE(slab->backing->slab_cache);
	if (READ_ONCE(slab->cache) != cache)
		return "has an object, but cache another cache";
	if (virt_to_slab((void *)slab->start) != slab->backing ||
	    slab_size(slab->backing) != slab->length ||
	    slab->backing->objects != slab->nr)
		return "has an object, but is not its slab";
	if (cache->size != slab->stride || cache->red_left_pad != (slab->first - slab->start))
		return "has an object, but not the shape of its cache";
	return NULL;
}

static const char *slot_fault(const struct kml_slab *slab, unsigned int index)
{
	unsigned long start = kml_slot_start(slab, index);
	u32 meta = kml_slot_meta(&slab->slots[index]);
	size_t size;

	if (!meta)
		return NULL;
	if (!(meta & KML_SLOT_LIVE))
		return "has a slot with remains of an object";
	if (meta & KML_SLOT_PINNED)
		return "has an object that is read outside scans";
	if (meta & KML_SLOT_GRAY && meta & KML_SLOT_BLACK)
		return "has an object of two colours";
	size = kml_slot_size(slab, index);
	if (!size || start - slab->start + size > slab->length)
		return "has an object that does not fit";
	return live_fault(slab);
}

static const char *metadata_fault(struct kml_slab *slab)
{
	unsigned int i, pins = refcount_read(&slab->ref);
	const char *fault;

	/* Ours is one. */
	if (pins < 2 || pins > AUDIT_PINS)
		return "has a wrong number of pins";
	if (slab->queued || !bitmap_empty(kml_slab_gray(slab), slab->nr))
		return "is scanned outside scans";
	if (!tables_agree(slab))
		return "is not what the tables say";
	fault = slab->space == KML_PERCPU ? percpu_fault(slab)
					   : slab_fault(slab);
	for (i = 0; i < slab->nr && !fault; i++)
		fault = slot_fault(slab, i);
	return fault;
}

static const char *lasting_fault(struct kml_slab *slab)
{
	int tries = AUDIT_TRIES;
	const char *fault;

	do {
		fault = metadata_fault(slab);
		if (!fault || !is_linked(slab))
			return NULL;
		usleep_range(100, 200);
	} while (--tries);
	return fault;
}

static bool may_say(unsigned int *messages)
{
	return ++*messages <= AUDIT_MESSAGES;
}

/**
 * struct slab_audit - what is seen on the way from slab to slab
 * @test: fails where they are wrong
 * @space: address space of the last slab
 * @end: where it ended
 * @nr: slabs so far
 * @messages: failures so far
 */
struct slab_audit {
	struct kunit *test;
	enum kml_space space;
	unsigned long end;
	unsigned long nr;
	unsigned int messages;
};

static void audit_slab(struct kml_slab *slab, void *arg)
{
	struct slab_audit *audit = arg;
	const char *fault = lasting_fault(slab);

	if (!fault && slab->space == audit->space &&
	    slab->start < audit->end && is_linked(slab))
		fault = "overlaps the one before";
	if (fault && may_say(&audit->messages))
		KUNIT_FAIL(audit->test, "slab at 0x%lx (%u of %u bytes, pins %u) %s",
			   slab->start, slab->nr, slab->stride,
			   refcount_read(&slab->ref), fault);
	audit->space = slab->space;
	audit->end = slab->start + slab->length;
	audit->nr++;
}

static void audit_all_slabs(struct kunit *test)
{
	struct slab_audit audit = { .test = test };
	unsigned long before = kml_nr_slabs(), after, changed;

	lockdep_assert_held(&kml_scan_mutex);
	kml_walk_slabs(audit_slab, &audit);
	after = kml_nr_slabs();
	changed = abs_diff(before, after);
	if (abs_diff(audit.nr, after) > changed + AUDIT_SLABS)
		KUNIT_FAIL(test, "%lu slabs, but %lu are counted, %lu before",
			   audit.nr, after, before);
}

/**
 * kml_audit_slabs() - see to it that slabs agree with themselves
 * @test: fails where they do not
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex.
 */
void kml_audit_slabs(struct kunit *test)
{
	mutex_lock(&kml_scan_mutex);
	audit_all_slabs(test);
	mutex_unlock(&kml_scan_mutex);
}

/* ---- All that a test holds, and nothing else ---- */

static int compare_held(const void *a, const void *b)
{
	const struct kml_held *one = a, *other = b;

	if (one->space != other->space)
		return one->space < other->space ? -1 : 1;
	if (one->start != other->start)
		return one->start < other->start ? -1 : 1;
	return 0;
}

static struct kml_held *find_held(struct kml_audit *audit, enum kml_space space,
				  unsigned long start)
{
	struct kml_held key = { .space = space, .start = start };

	return bsearch(&key, audit->held, audit->nr, sizeof(key), compare_held);
}

/* Is it one of those objects of which all in the address spaces must be held? */
static bool is_marked(const struct kml_audit *audit, depot_stack_handle_t trace,
		      unsigned int spaces)
{
	const struct kml_marker *marker;

	for (marker = audit->markers; marker->fn; marker++) {
		if (marker->spaces & spaces &&
		    trace_hits(trace, (unsigned long)marker->fn, marker->length))
			return true;
	}
	return false;
}

/*
 * Is it something that the slab allocator had to make while somebody allocated or freed
 * something: an array of free objects, a sheaf, or of what is known of the objects of a
 * slab, for memory allocation profiling?
 */
bool kml_is_allocators_own(depot_stack_handle_t trace)
{
	struct kml_frames frames = kml_frames_of(trace);
	char name[KSYM_SYMBOL_LEN];

	while (kml_next_frame(&frames, name)) {
		if (strstarts(name, "__pcs_") || strstr(name, "_sheaf") ||
		    strstr(name, "slab_obj_exts"))
			return true;
	}
	return false;
}

/* Once, as it takes a search. */
static void measure_markers(struct kunit *test, struct kml_audit *audit)
{
	struct kml_marker *marker;
	unsigned long offset;

	for (marker = audit->markers; marker->fn; marker++) {
		if (!kallsyms_lookup_size_offset((unsigned long)marker->fn,
						 &marker->length, &offset))
			KUNIT_FAIL(test, "%ps is no function", marker->fn);
	}
}

/* The detector tracks this. Returns false if it should not. */
static bool meet(struct kml_audit *audit, enum kml_space space,
		 unsigned long start, depot_stack_handle_t trace)
{
	struct kml_held *held = find_held(audit, space, start);

	if (held) {
		held->met++;
		return true;
	}
	/* Many neighbours come from the same place. */
	if (trace == audit->innocent)
		return true;
	if (is_marked(audit, trace, BIT(space)) && !kml_is_allocators_own(trace))
		return false;
	audit->innocent = trace;
	return true;
}

/* A walk that meets all that is tracked. */
struct meeting {
	struct kunit *test;
	struct kml_audit *audit;
	unsigned int messages;
};

static void meet_slab(struct kml_slab *slab, void *arg)
{
	struct meeting *meeting = arg;
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		unsigned long start = kml_slot_start(slab, i);
		u64 handles;

		if (!(kml_slot_meta(&slab->slots[i]) & KML_SLOT_LIVE))
			continue;
		handles = READ_ONCE(slab->slots[i].handles);
		if (!meet(meeting->audit, slab->space, start,
			  kml_trace_of(handles)) &&
		    may_say(&meeting->messages))
			KUNIT_FAIL(meeting->test,
				   "in a slot, but not held: 0x%lx (size %zu, meta 0x%x)",
				   start, kml_slot_size(slab, i),
				   kml_slot_meta(&slab->slots[i]));
	}
}

static bool match_all(const struct kml_record *rec, void *arg)
{
	return true;
}

static void meet_tree(struct kunit *test, struct kml_audit *audit,
		      enum kml_space space, unsigned int *messages)
{
	struct kml_cursor cur = KML_CURSOR(&kml_trees[space]);
	struct kml_record *recs[AUDIT_BATCH], *rec;
	unsigned int i, nr;

	while ((nr = kml_collect(&cur, match_all, NULL, recs, AUDIT_BATCH))) {
		for (i = 0; i < nr; i++) {
			rec = recs[i];
			if (!meet(audit, space, rec->start,
				  READ_ONCE(rec->trace)) &&
			    READ_ONCE(rec->alive) && may_say(messages))
				KUNIT_FAIL(test, "on its own, but not held: 0x%lx (size %zu)",
					   rec->start, rec->size);
			kml_put(rec);
		}
	}
}

static void check_held(struct kunit *test, struct kml_audit *audit,
		       const struct kml_held *held, unsigned int *messages)
{
	struct kml_sight sight;
	const char *fault = NULL;

	kml_look(held->space, held->start, &sight);
	if (sight.where == KML_NOWHERE)
		fault = "is not tracked";
	else if (sight.where == KML_TWICE || held->met > 1)
		fault = "is tracked more than once";
	else if (!held->met)
		fault = "is found, but not met on the way";
	else if (sight.start != held->start || sight.size != held->size)
		fault = "is in another place";
	else if (sight.pid != held->pid)
		fault = "is another task's";
	else if (sight.trace && !is_marked(audit, sight.trace, UINT_MAX))
		fault = "comes from elsewhere";
	if (fault && may_say(messages))
		KUNIT_FAIL(test, "0x%lx (size %zu, pid %d) %s: 0x%lx (size %zu, pid %d, meta 0x%x)",
			   held->start, held->size, held->pid, fault,
			   sight.start, sight.size, sight.pid, sight.meta);
}

/**
 * kml_audit() - compare what is tracked with what a test holds
 * @test: fails where they differ
 * @audit: what it holds
 *
 * Each object must be tracked once, with its size and origin; nothing else must
 * be that was allocated in the same place.
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex. The test allocates
 * and frees nothing meanwhile.
 */
void kml_audit(struct kunit *test, struct kml_audit *audit)
{
	struct meeting meeting = { .test = test, .audit = audit };
	unsigned int *messages = &meeting.messages;
	enum kml_space space;
	unsigned int i;

	measure_markers(test, audit);
	sort(audit->held, audit->nr, sizeof(*audit->held), compare_held, NULL);
	for (i = 0; i < audit->nr; i++)
		audit->held[i].met = 0;

	/* No scan gives records in between. */
	mutex_lock(&kml_scan_mutex);
	audit_all_slabs(test);
	audit->innocent = 0;
	kml_walk_slabs(meet_slab, &meeting);
	for (space = 0; space < KML_NR_SPACES; space++) {
		audit->innocent = 0;
		meet_tree(test, audit, space, messages);
	}
	for (i = 0; i < audit->nr; i++)
		check_held(test, audit, &audit->held[i], messages);
	mutex_unlock(&kml_scan_mutex);
	if (*messages > AUDIT_MESSAGES)
		KUNIT_FAIL(test, "%u more", *messages - AUDIT_MESSAGES);
}

/**
 * kml_record_by_others() - give an object a record as a scan does
 * @space: address space
 * @addr: any address in it
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex.
 * Return: the record that contains @addr, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_record_by_others(enum kml_space space,
					unsigned long addr)
{
	struct kml_ref ref;

	mutex_lock(&kml_scan_mutex);
	if (kml_ref_find(space, addr, &ref)) {
		/* No scan has to come first. */
		if (!ref.rec)
			kml_slot_change(&ref.slab->slots[ref.index],
					KML_SLOT_GEN, 0);
		if (kml_ref_share(&ref))
			synchronize_rcu();
		kml_ref_give_record(&ref, GFP_KERNEL);
		kml_ref_put(&ref);
	}
	mutex_unlock(&kml_scan_mutex);
	return kml_find(&kml_trees[space], addr);
}
