// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: from the stack of an allocation to a handle.
 */
#include <linux/kernel.h>
#include <linux/stackdepot.h>
#include <linux/stacktrace.h>

#include "internal.h"

/* Frames of the detector itself that may stand above the allocator's. */
#define KML_TRACE_INTERNAL	6

/**
 * kml_trace_save() - record the stack of the current allocation
 * @caller: return address of the hook: the topmost frame that is kept, so that
 *	the detector's own frames are left out however the compiler inlined them
 * @gfp: flags of the allocation that is being tracked
 *
 * Memory for new traces is taken without reclaim. Waking the reclaim thread is
 * left to callers whose own flags allow it, as it takes scheduler locks.
 *
 * Context: Any but NMI.
 * Return: a handle, or 0 where there is no depot yet or no memory.
 */
depot_stack_handle_t kml_trace_save(unsigned long caller, gfp_t gfp)
{
	unsigned long entries[KML_TRACE_DEPTH + KML_TRACE_INTERNAL];
	unsigned int nr, skip;

	/* The depot is set up right before the detector leaves this state. */
	if (READ_ONCE(kml_state) == KML_STATE_EARLY)
		return 0;

	nr = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	for (skip = 0; skip < nr; skip++) {
		if (entries[skip] == caller)
			break;
	}
	/* An unwinder that cannot see the hook's caller: keep what there is. */
	if (skip == nr)
		skip = 0;

	nr = min_t(unsigned int, nr - skip, KML_TRACE_DEPTH);
	return stack_depot_save(entries + skip, nr,
				kml_gfp(gfp & __GFP_KSWAPD_RECLAIM));
}

/**
 * kml_trace_fetch() - get the frames of a trace
 * @trace: from kml_trace_save()
 * @entries: set to the return addresses, innermost first
 *
 * Context: Any.
 * Return: number of @entries, 0 if there is no trace.
 */
unsigned int kml_trace_fetch(depot_stack_handle_t trace,
			     unsigned long **entries)
{
	return trace ? stack_depot_fetch(trace, entries) : 0;
}
