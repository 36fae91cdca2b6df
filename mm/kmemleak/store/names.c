// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: names of tasks.
 *
 * A task chooses its name, and another one as often as it likes. So names have a
 * table of their own, of a fixed size. The handle of a name is its place there,
 * which a hash with a secret seed gives: nobody can aim at a place. Where eight
 * places in a row are taken, a new name has none, and is "?".
 *
 * Nobody counts the objects that have a name, which would cost each allocation and
 * each free. When the table gets full, a sweep finds out which names are in use:
 *
 *   1. It marks all entries as retiring. Hooks that look for such a name miss it,
 *      and take the mark off before they use it.
 *   2. It waits for an RCU grace period. Hooks look up a name and publish the
 *      handle within one RCU read-side critical section, so that from here on all
 *      handles that were found before the mark stand where the sweep looks.
 *   3. It walks over all objects, and notes which handles they have: see sweep.c.
 *   4. Of those that are still retiring, it takes the mark off names that are in
 *      use, and clears the other entries.
 *   5. It waits for a grace period again before those may get new names: no hook
 *      is left that has read a word of the old name and not yet the other one.
 */
#include <linux/bitmap.h>
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "names.h"

/* The last byte of a name is NUL; in entries that are no names, something else. */
#define LAST_BYTE(byte)	((__force u64)cpu_to_le64((u64)(byte) << 56))
#define MARKS		LAST_BYTE(0xff)
#define RETIRING	LAST_BYTE(0xff)
#define CLEARED		LAST_BYTE(0xfe)
#define FREE		LAST_BYTE(0xfd)

/* Of an entry without a name: behind its end a name has nothing but NULs. */
#define NO_NAME		((__force u64)cpu_to_le64(~0ULL << 8))

/* A sweep is wanted above this number of entries that are taken. */
#define TAKEN_HIGH	(KML_NAMES_MAX / 4 * 3)

/* Entries that are handled with interrupts off. */
#define BATCH		128

struct kml_names kml_names __read_mostly;

/* Protects changes of the table, and names_taken; a leaf. */
static DEFINE_RAW_SPINLOCK(names_lock);
static unsigned int names_taken = KML_NAMES_RESERVED;

/* One sweep at a time. */
DEFINE_MUTEX(kml_names_mutex);

/* Entries that the last sweep freed; kml_names_mutex. */
static unsigned int names_freed;

/* A sweep is wanted, and has not begun. */
static bool sweep_wanted;
/* How to ask for it; NULL as long as there can be none. */
static struct irq_work *sweep_request __read_mostly;

/* ---- Finding ---- */

/* Its place number @i, or 0 if that is reserved. */
static u32 place_in_window(u64 head, u64 tail, unsigned int i)
{
	u32 place = (kml_name_place(head, tail) + i) % KML_NAMES_MAX;

	return place < KML_NAMES_RESERVED ? 0 : place;
}

/* Find the name among its places, or the first of them that is free, or 0. */
static u32 probe(u64 head, u64 tail, u64 *mark)
{
	u32 place, found = 0;
	unsigned int i;

	*mark = FREE;
	for (i = 0; i < KML_NAMES_WINDOW; i++) {
		const struct kml_name *entry;
		u64 last;

		place = place_in_window(head, tail, i);
		if (!place)
			continue;
		entry = &kml_names.table[place];
		last = READ_ONCE(entry->tail);
		if (READ_ONCE(entry->head) == head &&
		    (last == tail || last == (tail | RETIRING))) {
			*mark = last & MARKS;
			return place;
		}
		if (!found && last == FREE)
			found = place;
	}
	return found;
}

/* Take a mark off, or a free entry. */
static u32 take(u64 head, u64 tail)
{
	struct kml_name *entry;
	u64 mark;
	u32 place;

	lockdep_assert_held(&names_lock);
	place = probe(head, tail, &mark);
	if (!place || !mark)
		return place;
	entry = &kml_names.table[place];
	if (mark == FREE) {
		WRITE_ONCE(entry->head, head);
		WRITE_ONCE(names_taken, names_taken + 1);
	}
	WRITE_ONCE(entry->tail, tail);
	return place;
}

/* Hooks are called under any lock: nothing but an interrupt can be asked for. */
static void want_sweep(void)
{
	struct irq_work *request = READ_ONCE(sweep_request);

	if (!request || READ_ONCE(sweep_wanted))
		return;
	WRITE_ONCE(sweep_wanted, true);
	irq_work_queue(request);
}

/**
 * kml_name_find() - find the handle of a name, or make it
 * @name: the name, TASK_COMM_LEN bytes
 *
 * Context: As for kml_name_cached().
 * Return: the handle, KML_NAME_UNKNOWN if there is no room for the name.
 */
u32 kml_name_find(const char *name)
{
	u64 head = kml_name_word(name, 0);
	/* As it may be torn, see to it that it ends. */
	u64 tail = kml_name_word(name, 1) & ~MARKS;
	unsigned long flags;
	u64 mark;
	u32 place = probe(head, tail, &mark);

	if (place && mark) {
		raw_spin_lock_irqsave(&names_lock, flags);
		place = take(head, tail);
		raw_spin_unlock_irqrestore(&names_lock, flags);
	}
	if (!place || READ_ONCE(names_taken) > TAKEN_HIGH)
		want_sweep();
	return place ?: KML_NAME_UNKNOWN;
}

/**
 * kml_name_now() - find the handle of the name of who runs
 *
 * Context: As for kml_name_cached().
 * Return: the handle, one of those that are reserved for interrupts and for the
 * early state.
 */
u32 kml_name_now(void)
{
	u32 handle;

	if (unlikely(READ_ONCE(kml_state) == KML_STATE_EARLY))
		return KML_NAME_FIRST_TASK;
	if (in_hardirq())
		return KML_NAME_HARDIRQ;
	if (in_serving_softirq())
		return KML_NAME_SOFTIRQ;
	return kml_name_cached(current->comm, &handle) ? handle :
	       kml_name_find(current->comm);
}

/**
 * kml_name_fetch() - get the name of a handle
 * @handle: the handle, of an object that is tracked
 * @buf: room for TASK_COMM_LEN bytes; set to the name
 *
 * Context: Any.
 */
void kml_name_fetch(u32 handle, char *buf)
{
	const struct kml_name *entry;
	u64 words[2];

	switch (handle) {
	case KML_NAME_FIRST_TASK:
		strscpy_pad(buf, init_task.comm, TASK_COMM_LEN);
		return;
	case KML_NAME_HARDIRQ:
		strscpy_pad(buf, "hardirq", TASK_COMM_LEN);
		return;
	case KML_NAME_SOFTIRQ:
		strscpy_pad(buf, "softirq", TASK_COMM_LEN);
		return;
	}
	strscpy_pad(buf, "?", TASK_COMM_LEN);
	if (handle < KML_NAMES_RESERVED || handle >= KML_NAMES_MAX)
		return;
	/* Nothing but the mark changes as long as an object has the handle. */
	entry = &kml_names.table[handle];
	words[0] = READ_ONCE(entry->head);
	words[1] = READ_ONCE(entry->tail);
	if (words[1] == FREE || words[1] == CLEARED)
		return;
	words[1] &= ~MARKS;
	memcpy(buf, words, TASK_COMM_LEN);
}

/**
 * kml_names_taken() - tell how much of the table is in use
 *
 * Context: Any.
 * Return: number of entries that have a name, or cannot have one, of KML_NAMES_MAX.
 */
unsigned int kml_names_taken(void)
{
	return READ_ONCE(names_taken);
}

/* ---- Sweeping ---- */

/* Do something to all entries for names, some at a time. */
static void change_all(void (*change)(struct kml_name *entry, u32 handle))
{
	u32 handle = KML_NAMES_RESERVED, end;
	unsigned long flags;

	while (handle < KML_NAMES_MAX) {
		end = min(handle + BATCH, KML_NAMES_MAX);
		raw_spin_lock_irqsave(&names_lock, flags);
		for (; handle < end; handle++)
			change(&kml_names.table[handle], handle);
		raw_spin_unlock_irqrestore(&names_lock, flags);
		cond_resched();
	}
}

static void retire(struct kml_name *entry, u32 handle)
{
	if (!(entry->tail & MARKS))
		WRITE_ONCE(entry->tail, entry->tail | RETIRING);
}

static void restore_or_clear(struct kml_name *entry, u32 handle)
{
	if ((entry->tail & MARKS) != RETIRING)
		return;
	if (test_bit(handle, kml_pool_used_names())) {
		WRITE_ONCE(entry->tail, entry->tail & ~MARKS);
	} else {
		WRITE_ONCE(entry->head, NO_NAME);
		WRITE_ONCE(entry->tail, CLEARED);
	}
}

static void free_cleared(struct kml_name *entry, u32 handle)
{
	if (entry->tail != CLEARED)
		return;
	WRITE_ONCE(entry->tail, FREE);
	WRITE_ONCE(names_taken, names_taken - 1);
	names_freed++;
}

/**
 * kml_name_note() - note that a name is in use, in step 3 of a sweep
 * @handle: its handle
 *
 * Context: Holder of kml_names_mutex, after kml_names_retire().
 */
void kml_name_note(u32 handle)
{
	lockdep_assert_held(&kml_names_mutex);
	if (handle < KML_NAMES_MAX)
		__set_bit(handle, kml_pool_used_names());
}

/**
 * kml_names_retire() - steps 1 and 2 of a sweep
 *
 * Context: Holder of kml_names_mutex; may sleep.
 */
void kml_names_retire(void)
{
	lockdep_assert_held(&kml_names_mutex);
	/* Before, so that who finds no room meanwhile asks for another sweep. */
	WRITE_ONCE(sweep_wanted, false);
	bitmap_zero(kml_pool_used_names(), KML_NAMES_MAX);
	change_all(retire);
	synchronize_rcu();
}

/**
 * kml_names_release() - steps 4 and 5 of a sweep
 *
 * Context: Holder of kml_names_mutex; may sleep.
 * Return: how many names went.
 */
unsigned int kml_names_release(void)
{
	lockdep_assert_held(&kml_names_mutex);
	change_all(restore_or_clear);
	synchronize_rcu();
	names_freed = 0;
	change_all(free_cleared);
	return names_freed;
}

/**
 * kml_names_set_request() - tell what to do when the table gets full
 * @request: queued once for each sweep that is wanted; NULL: nothing
 *
 * Context: Any.
 * Return: what was to be done before.
 */
struct irq_work *kml_names_set_request(struct irq_work *request)
{
	return xchg(&sweep_request, request);
}

/**
 * kml_names_may_sweep() - ask whether a sweep may begin
 *
 * Context: Any.
 * Return: true if there is something to be done when the table gets full.
 */
bool kml_names_may_sweep(void)
{
	return READ_ONCE(sweep_request);
}

/**
 * kml_names_init() - set up the table, with no name in it
 *
 * Context: Boot, one CPU, or while no hook is called. Later calls do nothing.
 */
void kml_names_init(void)
{
	unsigned int i;

	if (kml_names.table)
		return;

	kml_names.table = kml_pool_names();
	for (i = 0; i < KML_NAMES_MAX; i++)
		kml_names.table[i] = (struct kml_name){ NO_NAME, FREE };
	kml_names.seed = get_random_u64() | 1;
}
