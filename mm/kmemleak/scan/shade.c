// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: which objects a pass has to scan.
 *
 * What was found in use is scanned in its turn, or soon: see mark.c, the other
 * half of the fast path.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/string.h>

#include "../store/slab.h"
#include "refs.h"

/*
 * Protects, as long as kml_refs.shared, what threads share that mark: the lists of what
 * is to be scanned, what is counted of records, and who has something to do.
 */
DEFINE_RAW_SPINLOCK(kml_gray_lock);

/* What threads do with the lists; kml_gray_lock. */
static struct {
	/* A record that is taken in parts, pinned, and where the next part begins. */
	struct kml_record *rec;
	size_t from;
	/* Threads that have something to do, and those that wait for it. */
	unsigned int busy;
	unsigned int waiting;
	/* Nobody has, and nothing is left. */
	bool done;
} sharing;

/**
 * kml_shade_alone() - the same as kml_shade_record() when nobody else does so
 * @rec: the record, pinned or seen under RCU
 *
 * Context: Whoever marks, with kml_gray_lock if others mark too.
 */
void kml_shade_alone(struct kml_record *rec)
{
	struct kml_ref ref = { .rec = rec };

	if (kml_ref_is_suspect(&ref)) {
		kml_refs.found++;
		kml_note_find(READ_ONCE(rec->trace), kml_refs.pass);
	}
	WRITE_ONCE(rec->seen, kml_scan_seq);
	if (rec->queued == kml_refs.pass || !kml_get(rec))
		return;
	WRITE_ONCE(rec->queued, kml_refs.pass);
	rec->gray_next = kml_refs.gray;
	WRITE_ONCE(kml_refs.gray, rec);
}

/**
 * kml_shade_record() - make sure that this pass scans an object with a record
 * @rec: the record, pinned or seen under RCU
 *
 * Context: Whoever marks.
 */
void kml_shade_record(struct kml_record *rec)
{
	if (likely(!kml_refs.shared)) {
		kml_shade_alone(rec);
		return;
	}
	raw_spin_lock(&kml_gray_lock);
	kml_shade_alone(rec);
	raw_spin_unlock(&kml_gray_lock);
}

/* Let a slab be scanned in its turn. */
static void queue_alone(struct kml_slab *slab)
{
	if (!slab->queued) {
		/* It has been given up: what is in it is freed. */
		if (!refcount_inc_not_zero(&slab->ref))
			return;
		slab->queued = true;
		slab->gray_next = kml_refs.gray_slabs;
		WRITE_ONCE(kml_refs.gray_slabs, slab);
	}
}

/* Let an object in a slot be scanned in its turn. */
static void queue_slot(struct kml_slab *slab, unsigned int index)
{
	if (likely(!kml_refs.shared)) {
		queue_alone(slab);
		__set_bit(index, kml_slab_gray(slab));
		return;
	}
	/* Whoever takes the slab from here on finds the bit. */
	set_bit(index, kml_slab_gray(slab));
	raw_spin_lock(&kml_gray_lock);
	queue_alone(slab);
	raw_spin_unlock(&kml_gray_lock);
}

/**
 * kml_shade_slot() - make sure that this pass scans an object in a slot
 * @slab: its slab, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Whoever marks.
 */
void kml_shade_slot(struct kml_slab *slab, unsigned int index)
{
	bool seen;

	if (likely(!kml_refs.shared))
		seen = __test_and_set_bit(index, slab->seen);
	else
		seen = test_bit(index, slab->seen) ||
		       test_and_set_bit(index, slab->seen);
	if (!seen)
		queue_slot(slab, index);
}

/**
 * kml_shade() - make sure that this pass scans an object: it is in use
 * @ref: the object, pinned or seen under RCU
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_shade(const struct kml_ref *ref)
{
	kml_assert_marks();
	if (ref->rec)
		kml_shade_record(ref->rec);
	else
		kml_shade_slot(ref->slab, ref->index);
}

/**
 * kml_next_gray_slab() - take a slab with objects that are to be scanned
 *
 * Context: Whoever marks, with kml_gray_lock if others mark too.
 * Return: the slab, to be given back with kml_slab_put(), or NULL.
 */
struct kml_slab *kml_next_gray_slab(void)
{
	struct kml_slab *slab = kml_refs.gray_slabs;

	if (slab) {
		WRITE_ONCE(kml_refs.gray_slabs, slab->gray_next);
		slab->queued = false;
	}
	return slab;
}

/**
 * kml_next_gray() - take a record of an object that is to be scanned
 *
 * Context: Whoever marks, with kml_gray_lock if others mark too.
 * Return: the record, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_next_gray(void)
{
	struct kml_record *rec = kml_refs.gray;

	if (rec)
		WRITE_ONCE(kml_refs.gray, rec->gray_next);
	return rec;
}

/**
 * kml_queue_entry() - let an object that is too long for one go be scanned later
 * @entry: it, from the mark stack
 *
 * Context: Whoever marks, within RCU.
 */
void kml_queue_entry(const struct kml_mark_entry *entry)
{
	struct kml_ref ref;

	if (kml_slot_find(KML_VIRT, (unsigned long)entry->start, &ref))
		queue_slot(ref.slab, ref.index);
}

/**
 * kml_renew_entry() - look whether an object of the mark stack is there still
 * @entry: the object, or another one in its place; its length is set anew
 *
 * Context: Whoever marks, within RCU.
 * Return: true if it is to be scanned.
 */
bool kml_renew_entry(struct kml_mark_entry *entry)
{
	unsigned long start = (unsigned long)entry->start;
	struct kml_ref ref;

	if (!kml_slot_find(KML_VIRT, start, &ref) ||
	    kml_slot_start(ref.slab, ref.index) != start ||
	    ref.meta & KML_SLOT_BLACK || !test_bit(ref.index, ref.slab->seen))
		return false;
	entry->nr = kml_slot_size(ref.slab, ref.index) / sizeof(long);
	return true;
}

/**
 * kml_drop_mark_stack() - forget the objects of the mark stack
 * @self: whose
 *
 * Context: Whoever marks, when the scan is given up.
 */
void kml_drop_mark_stack(struct kml_worker *self)
{
	self->top = self->stack;
	self->old = self->stack;
}

/* ---- Walks ---- */

/**
 * kml_begin_pass() - make counts and finds of the pass before void
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_begin_pass(void)
{
	if (!++kml_refs.pass)
		kml_refs.pass = 1;
	kml_refs.found = 0;
}

static void shade_gray_slots(struct kml_slab *slab)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		if (kml_slot_meta(&slab->slots[i]) & KML_SLOT_GRAY)
			kml_shade_slot(slab, i);
	}
}

static void start_slab(struct kml_slab *slab, void *arg)
{
	bitmap_zero(slab->seen, slab->nr);
	bitmap_zero(kml_slab_counted(slab), slab->nr);
	slab->counted = kml_refs.pass;
	if (READ_ONCE(slab->gray))
		shade_gray_slots(slab);
}

static bool select_root(const struct kml_ref *ref, void *arg)
{
	return kml_is_root(ref->rec) && ref->rec->queued != kml_refs.pass;
}

static int shade_root(const struct kml_ref *ref, void *arg)
{
	kml_shade_record(ref->rec);
	return 0;
}

/**
 * kml_mark_start() - begin with the first pass of a scan, which looks for all
 *
 * Objects that are in use whoever refers to them are shaded.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_mark_start(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	kml_begin_pass();
	kml_walk_slabs(start_slab, NULL);
	kml_for_each(KML_JUDGED, select_root, shade_root, NULL);
}

/* Objects that came since the scan began, or became gray, are roots as well. */
static void shade_unseen(struct kml_slab *slab, unsigned int index)
{
	struct kml_slot *slot = &slab->slots[index];
	u32 meta = kml_slot_meta(slot);

	if (!(meta & KML_SLOT_LIVE))
		return;
	kml_slot_age(slot, meta);
	if (meta & KML_SLOT_GRAY || kml_slot_is_young(meta))
		kml_shade_slot(slab, index);
}

static void finish_slab(struct kml_slab *slab, void *arg)
{
	unsigned int i;

	for_each_clear_bit(i, slab->seen, slab->nr)
		shade_unseen(slab, i);
}

/**
 * kml_mark_new() - shade what has come to be in use since kml_mark_start()
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_mark_new(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	kml_walk_slabs(finish_slab, NULL);
	kml_for_each(KML_JUDGED, select_root, shade_root, NULL);
}

/**
 * kml_found_in_use() - tell what this pass has achieved
 *
 * Context: Holder of kml_scan_mutex.
 * Return: how many suspects that have a record it found in use.
 */
unsigned long kml_found_in_use(void)
{
	return kml_refs.found;
}

/* ---- Where several threads mark ---- */

/**
 * kml_others_wait() - ask whether there are threads that have nothing to do
 *
 * Context: Any.
 * Return: true if there are.
 */
bool kml_others_wait(void)
{
	return READ_ONCE(sharing.waiting);
}

/**
 * kml_give_away() - let others scan what is at hand, but for the newer half
 * @self: the thread
 *
 * What has been at hand for longest leads to most, as a rule.
 *
 * Context: Whoever marks, between two sections.
 */
void kml_give_away(struct kml_worker *self)
{
	size_t nr = (self->top - self->stack) / 2, left = self->top - self->stack - nr;
	size_t i;

	rcu_read_lock();
	for (i = 0; i < nr; i++) {
		if (kml_renew_entry(&self->stack[i]))
			kml_queue_entry(&self->stack[i]);
	}
	rcu_read_unlock();
	memmove(self->stack, self->stack + nr, left * sizeof(*self->stack));
	self->top = self->stack + left;
	/* All of them were found in sections that have ended. */
	self->old = self->top;
}

/**
 * kml_claim_records() - take records for the thread that asks, to scan them
 * @recs: records, pinned; left with those that are its own now
 * @nr: how many there are
 *
 * Each is taken once in a pass. Long ones go to the list of what is to be scanned, for
 * all threads. What is not taken is given back.
 *
 * Context: Whoever marks.
 * Return: how many are left.
 */
unsigned int kml_claim_records(struct kml_record **recs, unsigned int nr)
{
	unsigned int i, left = 0, spare = 0;
	struct kml_record *others[KML_CLAIM_MAX];

	raw_spin_lock(&kml_gray_lock);
	for (i = 0; i < nr; i++) {
		struct kml_record *rec = recs[i];

		if (rec->queued == kml_refs.pass) {
			others[spare++] = rec;
			continue;
		}
		WRITE_ONCE(rec->queued, kml_refs.pass);
		if (rec->size <= KML_RECORD_PART) {
			recs[left++] = rec;
			continue;
		}
		rec->gray_next = kml_refs.gray;
		WRITE_ONCE(kml_refs.gray, rec);
	}
	raw_spin_unlock(&kml_gray_lock);
	while (spare)
		kml_put(others[--spare]);
	return left;
}

/**
 * kml_gray_open() - let threads share what is to be scanned
 *
 * The caller has something to do up to kml_gray_wait() or kml_gray_leave(), so that
 * others cannot end it before.
 *
 * Context: Holder of kml_scan_mutex, when nobody else marks.
 */
void kml_gray_open(void)
{
	raw_spin_lock(&kml_gray_lock);
	sharing.busy = 1;
	WRITE_ONCE(sharing.waiting, 0);
	WRITE_ONCE(sharing.done, false);
	raw_spin_unlock(&kml_gray_lock);
}

/**
 * kml_gray_begin() - begin to take part as a helper
 *
 * Context: Whoever marks, since kml_gray_open().
 * Return: true, and the thread has something to do up to kml_gray_wait() or
 * kml_gray_leave(); false if it comes too late.
 */
bool kml_gray_begin(void)
{
	bool begun;

	raw_spin_lock(&kml_gray_lock);
	begun = !sharing.done;
	sharing.busy += begun;
	raw_spin_unlock(&kml_gray_lock);
	return begun;
}

static bool is_open(void)
{
	return sharing.rec || kml_refs.gray || kml_refs.gray_slabs;
}

/* A part of the record that is taken in parts, which is at least one. */
static void take_part(struct kml_gray *gray)
{
	struct kml_record *rec = sharing.rec;
	/* Words are whole if it is the address that is a multiple. */
	unsigned long end = ALIGN(rec->start + sharing.from + 1, KML_RECORD_PART);

	gray->rec = rec;
	gray->from = sharing.from;
	gray->to = end - rec->start;
	sharing.from = gray->to;
	if (gray->to < rec->size) {
		/* The list's pin is still there. */
		refcount_inc(&rec->ref);
		return;
	}
	gray->to = SIZE_MAX;
	WRITE_ONCE(sharing.rec, NULL);
}

static bool take_gray(struct kml_gray *gray)
{
	gray->slab = NULL;
	if (!sharing.rec) {
		gray->slab = kml_next_gray_slab();
		if (gray->slab)
			return true;
		WRITE_ONCE(sharing.rec, kml_next_gray());
		sharing.from = 0;
		if (!sharing.rec)
			return false;
	}
	/* Of per-CPU memory a part is one of each copy, so that it is left whole. */
	if (sharing.rec->space == KML_PERCPU || sharing.rec->size <= KML_RECORD_PART) {
		*gray = (struct kml_gray){ .rec = sharing.rec, .to = SIZE_MAX };
		WRITE_ONCE(sharing.rec, NULL);
	} else {
		take_part(gray);
	}
	return true;
}

/**
 * kml_gray_take() - take something that is to be scanned
 * @gray: set to it, for kml_scan_taken()
 *
 * Context: Whoever marks, with something to do.
 * Return: false if there is nothing at the moment.
 */
bool kml_gray_take(struct kml_gray *gray)
{
	bool taken;

	raw_spin_lock(&kml_gray_lock);
	taken = take_gray(gray);
	raw_spin_unlock(&kml_gray_lock);
	return taken;
}

/* Has the thread, which waits, something to do again? If not, are all done? */
static bool try_again(bool *done)
{
	bool again;

	raw_spin_lock(&kml_gray_lock);
	again = !sharing.done && is_open();
	if (again) {
		sharing.busy++;
		WRITE_ONCE(sharing.waiting, sharing.waiting - 1);
	}
	*done = sharing.done;
	raw_spin_unlock(&kml_gray_lock);
	return again;
}

/*
 * Only threads that are busy add to the lists. The last one to have nothing to do,
 * under the same lock under which it has found the lists empty, ends it for all.
 */
static void begin_to_wait(void)
{
	raw_spin_lock(&kml_gray_lock);
	sharing.busy--;
	WRITE_ONCE(sharing.waiting, sharing.waiting + 1);
	if (!sharing.busy && !is_open())
		WRITE_ONCE(sharing.done, true);
	raw_spin_unlock(&kml_gray_lock);
}

static bool may_be_open(void)
{
	return READ_ONCE(sharing.done) || READ_ONCE(kml_refs.gray) ||
	       READ_ONCE(kml_refs.gray_slabs) || READ_ONCE(sharing.rec);
}

/**
 * kml_gray_wait() - wait until there is something to be scanned, or nothing any more
 *
 * Context: Whoever marks, with nothing to do; may sleep.
 * Return: true, and the thread has something to do again; false at the end, or if the
 * scan has to stop.
 */
bool kml_gray_wait(void)
{
	struct kml_wait_for wait = KML_WAIT_INIT;
	bool done = false;

	begin_to_wait();
	while (!done && !kml_scan_must_stop()) {
		if (may_be_open() && try_again(&done))
			return true;
		kml_threads_wait(&wait);
	}
	return false;
}

/**
 * kml_gray_leave() - end with the work before its end: the scan has to stop
 *
 * Context: Whoever marks, with something to do.
 */
void kml_gray_leave(void)
{
	raw_spin_lock(&kml_gray_lock);
	sharing.busy--;
	raw_spin_unlock(&kml_gray_lock);
}

/**
 * kml_gray_close() - end the work of all threads, once nobody has something to do
 *
 * That is at its end, or soon after the scan had to stop. What is left then is left to
 * kml_scan_gray().
 *
 * Context: Holder of kml_scan_mutex, itself with nothing to do.
 * Return: true, and from here on nobody else marks; false if somebody is at work.
 */
bool kml_gray_close(void)
{
	struct kml_record *rec;
	bool closed;

	raw_spin_lock(&kml_gray_lock);
	closed = !sharing.busy;
	if (closed) {
		WRITE_ONCE(sharing.done, true);
		WRITE_ONCE(sharing.waiting, 0);
	}
	rec = sharing.rec;
	if (closed && rec) {
		rec->gray_next = kml_refs.gray;
		WRITE_ONCE(kml_refs.gray, rec);
		WRITE_ONCE(sharing.rec, NULL);
	}
	raw_spin_unlock(&kml_gray_lock);
	return closed;
}
