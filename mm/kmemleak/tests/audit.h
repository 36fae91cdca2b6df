/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: is what it has written down true?
 */
#ifndef __MM_KMEMLEAK_TESTS_AUDIT_H
#define __MM_KMEMLEAK_TESTS_AUDIT_H

#include <kunit/test.h>

#include "../store/slab.h"

/**
 * enum kml_where - where an object is tracked
 * @KML_NOWHERE: it is not
 * @KML_IN_SLOT: in a slot of its slab
 * @KML_ON_ITS_OWN: in the tree
 * @KML_TWICE: in both, which must not be
 */
enum kml_where {
	KML_NOWHERE,
	KML_IN_SLOT,
	KML_ON_ITS_OWN,
	KML_TWICE,
};

/**
 * struct kml_sight - what the detector knows of an object
 * @where: where it is tracked; the rest is valid if it is anywhere
 * @start: its first address
 * @size: its length in bytes
 * @pid: who allocated it
 * @trace: where it was allocated
 * @comm: name of who allocated it
 * @meta: what its slot says, 0 if it has none
 */
struct kml_sight {
	enum kml_where where;
	unsigned long start;
	size_t size;
	pid_t pid;
	depot_stack_handle_t trace;
	u32 comm;
	u32 meta;
};

/**
 * struct kml_held - an object that a test holds
 * @space: address space
 * @start: its first address
 * @size: its length in bytes
 * @pid: who allocated it
 * @met: times that the audit met it
 */
struct kml_held {
	enum kml_space space;
	unsigned long start;
	size_t size;
	pid_t pid;
	unsigned int met;
};

/**
 * struct kml_marker - a function through which a test allocates all it holds
 * @fn: the function; NULL behind the last one
 * @spaces: address spaces in which nothing else comes by way of it, as bits
 * @length: of the function in bytes; filled in
 */
struct kml_marker {
	const void *fn;
	unsigned int spaces;
	unsigned long length;
};

/**
 * struct kml_audit - what to compare with
 * @held: all that the test holds; is sorted
 * @nr: number of them
 * @markers: how it was allocated
 * @innocent: a trace that leads through none of them; used by the audit
 */
struct kml_audit {
	struct kml_held *held;
	unsigned int nr;
	struct kml_marker *markers;
	depot_stack_handle_t innocent;
};

void kml_look(enum kml_space space, unsigned long addr,
	      struct kml_sight *sight);
bool kml_trace_has(depot_stack_handle_t trace, const void *fn);
bool kml_is_allocators_own(depot_stack_handle_t trace);
void kml_audit_slabs(struct kunit *test);
void kml_audit(struct kunit *test, struct kml_audit *audit);
struct kml_record *kml_record_by_others(enum kml_space space,
					unsigned long addr);

#endif /* __MM_KMEMLEAK_TESTS_AUDIT_H */
