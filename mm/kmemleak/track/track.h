/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: who allocates what, and where
 */
#ifndef __MM_KMEMLEAK_TRACK_H
#define __MM_KMEMLEAK_TRACK_H

#include "../store/store.h"

/* Frames kept of an allocation's stack. */
#define KML_TRACE_DEPTH	16

/* ---- origin.c: who allocates, and where ---- */

unsigned int kml_trace_fetch(depot_stack_handle_t trace,
			     unsigned long **entries, u32 *epoch);
void kml_comm_fetch(depot_stack_handle_t comm, char *buf);
int kml_trace_set_depth(unsigned int depth);
size_t kml_trace_memory(void);
u32 kml_trace_epoch(void);
void kml_trace_new_epoch(void);
void __init kml_trace_init(void);

/* ---- modtext.c: names of code that is gone ---- */

void kml_code_name(unsigned long addr, u32 epoch, char *buf);
unsigned int kml_code_changes(void);
int __init kml_modtext_init(void);

/* ---- symbols.c: names of frames ---- */

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

/* ---- track.c: recording what the hooks report ---- */

void kml_track(enum kml_space space, unsigned long start, size_t size,
	       int min_count, u8 flags, gfp_t gfp, struct kml_origin origin);
void kml_untrack(enum kml_space space, unsigned long start);
void kml_untrack_range(enum kml_space space, unsigned long start, size_t size);

#endif /* __MM_KMEMLEAK_TRACK_H */
