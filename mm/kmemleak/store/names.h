/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: the way from a task to the handle of its name.
 *
 * What names.c does for the common case, to be compiled into the hooks
 * themselves: it is short, takes no lock, and calls nothing.
 */
#ifndef __MM_KMEMLEAK_NAMES_H
#define __MM_KMEMLEAK_NAMES_H

#include <linux/unaligned.h>

#include "store.h"

/* Places of a name: the one that its hash gives, and those that follow it. */
#define KML_NAMES_WINDOW	8

/**
 * struct kml_names - what the hooks need to find a name
 * @seed: an odd number that nobody knows, to spread hashes with
 * @table: KML_NAMES_MAX entries, of which the first KML_NAMES_RESERVED are never
 *	the entry of a task's name
 */
struct kml_names {
	u64 seed;
	struct kml_name *table;
};

extern struct kml_names kml_names;

static __always_inline u64 kml_name_word(const char *name, unsigned int i)
{
	/*
	 * The task may be renamed meanwhile, and the lock against that may be held
	 * by the caller of the hook: a torn name is the lesser evil.
	 */
	return data_race(get_unaligned((const u64 *)name + i));
}

/* The place of a name in the table. Who does not know the seed cannot aim at one. */
static __always_inline u32 kml_name_place(u64 head, u64 tail)
{
	return (head * kml_names.seed + tail) * kml_names.seed >>
	       (64 - KML_NAMES_BITS);
}

/**
 * kml_name_cached() - find the handle of a name, if that is easy
 * @name: the name, TASK_COMM_LEN bytes
 * @handle: set to the handle, if this returns true
 *
 * An entry gets another name one grace period after all lookups have lost sight of
 * its last one, and meanwhile holds what is part of no name. So a lookup that sees
 * one word before and one word after that does not match: no barrier is needed.
 *
 * Context: Any but NMI; the RCU read-side critical section in which the handle is
 * stored where kml_names_sweep() finds it.
 * Return: true; false if kml_name_find() has to be asked.
 */
static __always_inline bool kml_name_cached(const char *name, u32 *handle)
{
	u64 head = kml_name_word(name, 0), tail = kml_name_word(name, 1);
	u32 place = kml_name_place(head, tail);
	const struct kml_name *entry = &kml_names.table[place];
	u64 entry_head, entry_tail;

	/* From a plain pointer, one instruction loads both. */
	OPTIMIZER_HIDE_VAR(entry);
	/* Half of a name is none, see above. */
	entry_head = data_race(entry->head);
	/* The same. */
	entry_tail = data_race(entry->tail);
	*handle = place;
	return likely(entry_head == head && entry_tail == tail);
}

#endif /* __MM_KMEMLEAK_NAMES_H */
