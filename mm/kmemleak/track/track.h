/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: who allocates what, and where
 */
#ifndef __MM_KMEMLEAK_TRACK_H
#define __MM_KMEMLEAK_TRACK_H

#include "../store/store.h"

/* Frames kept of an allocation's stack. */
#define KML_TRACE_DEPTH	16

/* ---- code.c: code that comes and goes ---- */

/**
 * struct kml_code - code of a module
 * @name: of the module
 * @symbols: hash of what its symbol tables say of the code
 * @start: first address of the code that stays until the module goes
 * @size: its length in bytes
 * @init: first address of the code that goes once the module is there
 * @init_size: its length in bytes, 0 if it has gone
 */
struct kml_code {
	const char *name;
	u64 symbols;
	unsigned long start;
	unsigned long size;
	unsigned long init;
	unsigned long init_size;
};

int kml_code_add(const struct kml_code *code);
void kml_code_remove(unsigned long start);
unsigned int kml_code_changes(void);
unsigned long kml_code_pack(unsigned long addr);
unsigned long kml_code_unpack(unsigned long frame);
bool kml_code_is_packed(unsigned long frame);
void kml_code_describe(unsigned long frame, char *buf);

/* ---- origin.c: who allocates, and where ---- */

unsigned int kml_trace_fetch(depot_stack_handle_t trace,
			     unsigned long **entries);
int kml_trace_set_depth(unsigned int depth);
void kml_trace_keep(bool keep);
size_t kml_trace_memory(void);
void kml_trace_new_epoch(void);
void kml_trace_init(void);

/* ---- symbols.c: names of frames ---- */

/**
 * struct kml_frames - a walk over the frames of a trace
 * @next: the frame that comes next
 * @left: how many there are from there on
 */
struct kml_frames {
	const unsigned long *next;
	unsigned int left;
};

void kml_frame_name(unsigned long frame, char *buf);
void kml_symbol(unsigned long frame, char *buf);
struct kml_frames kml_frames_of(depot_stack_handle_t trace);
bool kml_next_frame(struct kml_frames *frames, char *buf);

/* ---- track.c: recording what the hooks report ---- */

void kml_track(enum kml_space space, unsigned long start, size_t size,
	       int min_count, u8 flags, gfp_t gfp, struct kml_origin origin);
void kml_track_unknown(unsigned long start, size_t size, u8 flags);
void kml_untrack(enum kml_space space, unsigned long start);
void kml_untrack_range(enum kml_space space, unsigned long start, size_t size);
void kml_wipe_stack(void);

/* ---- adopt.c: memory that is there for good, or was at boot ---- */

void __init kml_note_boot_memory(void);
void kml_adopt_boot_memory(void);
void kml_adopt_sections(void);

/* ---- hooks.c: what the rest of the kernel calls ---- */

void kml_call_hooks(bool on);

#endif /* __MM_KMEMLEAK_TRACK_H */
