// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: which kinds of suspects turn out to be in use late.
 *
 * An object that nobody refers to is not found in any pass. One that others move
 * about is found sooner or later, and how soon depends on what moves it. So finds
 * that come after many passes tell that more of the same kind may be in use. Of the
 * same kind is what was allocated in the same place.
 *
 * How many there may be, the number of late finds tells. If all suspects of a kind
 * were in use, and each evaded a pass with probability q, then 16 passes would find
 * the part 1 - q^16 of them. Less than one in 256 would mean that q is above 0.9997:
 * an object that is moved about is in more than one of 4000 places that are looked
 * at. But where hundreds of thousands are lost, words that happen to look like the
 * address of one or the other come up all the time.
 */
#include <linux/lockdep.h>

#include "refs.h"

/* Kinds that can be told apart. */
#define FINDS_MAX	128

/* Suspects that one late find is evidence against. */
#define SUSPECTS_PER_FIND	256

/* Passes whose finds are counted together, as a power of two. */
#define WINDOW_SHIFT	4

/**
 * struct find - a kind of suspects of which some were found in use
 * @trace: where they were allocated
 * @pass: the last pass that has found one
 * @nr: how many were found in the window of that pass
 * @before: how many were found in the window before that one
 * @suspects: how many suspects there are
 */
struct find {
	depot_stack_handle_t trace;
	u32 pass;
	unsigned long nr;
	unsigned long before;
	unsigned long suspects;
};

/* What was found by the present scan; kml_scan_mutex. */
static struct {
	unsigned int nr;
	/* The last pass in which a find had no room, 0 if there is none. */
	u32 lost;
	struct find finds[FINDS_MAX];
} finds;

/**
 * kml_finds_start() - begin with the passes that confirm
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_finds_start(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	finds.nr = 0;
	finds.lost = 0;
}

static struct find *find_of(depot_stack_handle_t trace)
{
	unsigned int i;

	for (i = 0; i < finds.nr; i++) {
		if (finds.finds[i].trace == trace)
			return &finds.finds[i];
	}
	return NULL;
}

/* In the place of the one with the oldest find, if there is no other. */
static struct find *new_find(depot_stack_handle_t trace)
{
	struct find *find = &finds.finds[0];
	unsigned int i;

	if (finds.nr < FINDS_MAX) {
		find = &finds.finds[finds.nr++];
	} else {
		for (i = 1; i < finds.nr; i++) {
			if ((s32)(finds.finds[i].pass - find->pass) < 0)
				find = &finds.finds[i];
		}
		finds.lost = find->pass;
	}
	*find = (struct find){ .trace = trace };
	return find;
}

/**
 * kml_note_find() - note that a suspect was found in use
 * @trace: where it was allocated
 * @pass: number of the pass
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_note_find(depot_stack_handle_t trace, u32 pass)
{
	struct find *find = find_of(trace);
	u32 windows;

	kml_assert_marks();
	if (!find)
		find = new_find(trace);
	windows = (pass >> WINDOW_SHIFT) - (find->pass >> WINDOW_SHIFT);
	if (windows) {
		find->before = windows == 1 ? find->nr : 0;
		find->nr = 0;
	}
	find->nr++;
	find->pass = pass;
}

/**
 * kml_count_suspect() - count a suspect that is left, for kml_may_be_in_use()
 * @trace: where it was allocated
 *
 * Context: Holder of kml_scan_mutex.
 */
void kml_count_suspect(depot_stack_handle_t trace)
{
	struct find *find = find_of(trace);

	lockdep_assert_held(&kml_scan_mutex);
	if (find)
		find->suspects++;
}

/**
 * kml_may_be_in_use() - ask whether late finds tell against suspects of a kind
 * @trace: where the kind is allocated
 * @since: the first pass that is late
 *
 * Context: Holder of kml_scan_mutex, when all suspects are counted.
 * Return: true if there were enough, or may have been.
 */
bool kml_may_be_in_use(depot_stack_handle_t trace, u32 since)
{
	const struct find *find = find_of(trace);

	lockdep_assert_held(&kml_scan_mutex);
	if (!find)
		return finds.lost && (s32)(finds.lost - since) >= 0;
	return (s32)(find->pass - since) >= 0 &&
	       find->suspects <= (find->nr + find->before) * SUSPECTS_PER_FIND;
}
