// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: which kinds of suspects turn out to be in use late.
 *
 * An object that nobody refers to is not found in any pass. One that others move
 * about is found sooner or later, and how soon depends on what moves it. So a
 * find that comes after many passes tells that more of the same kind may be in
 * use. Of the same kind is what was allocated in the same place.
 */
#include <linux/lockdep.h>

#include "refs.h"

/* Kinds that can be told apart. */
#define FINDS_MAX	128

/**
 * struct find - a kind of suspects of which one was found in use
 * @trace: where they were allocated
 * @pass: the last pass that has found one
 */
struct find {
	depot_stack_handle_t trace;
	u32 pass;
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

/* That of @trace, or else a new one, or the oldest. */
static struct find *find_of(depot_stack_handle_t trace)
{
	struct find *oldest = &finds.finds[0];
	unsigned int i;

	for (i = 0; i < finds.nr; i++) {
		struct find *find = &finds.finds[i];

		if (find->trace == trace)
			return find;
		if ((s32)(find->pass - oldest->pass) < 0)
			oldest = find;
	}
	if (finds.nr == FINDS_MAX)
		return oldest;
	oldest = &finds.finds[finds.nr++];
	*oldest = (struct find){ .trace = trace };
	return oldest;
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

	lockdep_assert_held(&kml_scan_mutex);
	/* The one that makes room for it is the oldest: none is lost that is later. */
	if (find->trace != trace)
		finds.lost = find->pass;
	find->trace = trace;
	find->pass = pass;
}

/**
 * kml_found_since() - ask whether a suspect of a kind was found in use lately
 * @trace: where the kind is allocated
 * @pass: the first pass that counts
 *
 * Context: Holder of kml_scan_mutex.
 * Return: true if one was, or may have been.
 */
bool kml_found_since(depot_stack_handle_t trace, u32 pass)
{
	unsigned int i;

	lockdep_assert_held(&kml_scan_mutex);
	if (finds.lost && (s32)(finds.lost - pass) >= 0)
		return true;
	for (i = 0; i < finds.nr; i++) {
		if (finds.finds[i].trace == trace)
			return (s32)(finds.finds[i].pass - pass) >= 0;
	}
	return false;
}
