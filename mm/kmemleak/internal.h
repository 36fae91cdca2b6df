/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: private types and interfaces.
 *
 * Each folder is a room with a header of what others may use:
 *
 *   store/	what is tracked: slots of slabs, and records
 *   track/	who allocates what, and where; hooks.c is the only door for the
 *		rest of the kernel
 *   scan/	what is not referred to
 *   report/	what users see
 *
 * A file calls only files that stand before it in the Makefile: state.c, then the
 * rooms in this order. Through function pointers calls go the other way: visitors
 * of objects, of their content and of root memory, and kml_scan()'s printer.
 *
 * Lock order, outermost first:
 *
 *   1. kml_control_mutex	starting and stopping the scan thread, "off"
 *   2. kml_scan_mutex		one scan, report or clear at a time
 *   3. frame_names_mutex	names of frames that were asked for lately
 *      piece_mutex		what of a pass the next thread takes
 *   4. gone_mutex		writing down names of code that goes
 *      code_mutex		code that comes and goes
 *      kml_names_mutex	one sweep over names of tasks at a time
 *   5. kml_tree.lock		shape of one address space's tree
 *      kml_record.lock		life and scan settings of one object
 *      kml_slab_lock		which slabs there are
 *      kml_pool_lock		free list of the metadata pool
 *      names_lock		names of tasks (names.c)
 *      slot_read_lock		one per-CPU object in a slot is read at a time
 *
 * The mutex of release.c is only ever tried, under kml_scan_mutex and whatever those
 * hold who are short of memory.
 *
 * Threads that share the work of a scan hold kml_scan_mutex together, by one of them.
 * kml_gray_lock (shade.c) and the lock of threads.c are raw spinlocks for these threads
 * alone, never taken in interrupts or hooks, and leaves.
 *
 * The locks of level 5 are raw spinlocks taken with interrupts off. They are
 * leaves: none is taken while another of them is held, no memory is allocated
 * and nothing is printed under them, because hooks run wherever memory is
 * allocated: in hard interrupts and under the scheduler's and the slab
 * allocator's own locks. For the same reason hooks print with
 * kml_warn() only, which defers the printing.
 */
#ifndef __MM_KMEMLEAK_INTERNAL_H
#define __MM_KMEMLEAK_INTERNAL_H

#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/stackdepot.h>
#include <linux/time64.h>
#include <linux/types.h>

/* The machine itself, and not its instructions in a process of another kernel. */
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#define KML_X86_64	1
#else
#define KML_X86_64	0
#endif

/* The most memory that is read with interrupts off, in bytes. */
#define KML_CHUNK	4096

/**
 * enum kml_space - address spaces in which objects are tracked
 * @KML_VIRT: kernel virtual addresses
 * @KML_PERCPU: values of __percpu pointers; one stands for a copy on each CPU
 * @KML_PHYS: physical addresses of boot-time ranges; never reported
 * @KML_NR_SPACES: how many there are
 */
enum kml_space {
	KML_VIRT,
	KML_PERCPU,
	KML_PHYS,
	KML_NR_SPACES,
};

/* ---- state.c: is the detector on? ---- */

extern struct mutex kml_control_mutex;
extern struct mutex kml_scan_mutex;
extern u32 kml_scan_seq;

/**
 * enum kml_state - life of the detector, in the order it is passed through; from its
 * end it goes back to @KML_STATE_ON
 * @KML_STATE_EARLY: tracking from the static pool; no traces, no scans yet
 * @KML_STATE_ON: tracking and scanning
 * @KML_STATE_OFF: switched off; frees are still followed so that what was
 *	reported stays readable
 * @KML_STATE_CLEARED: switched off and all metadata given back
 */
enum kml_state {
	KML_STATE_EARLY,
	KML_STATE_ON,
	KML_STATE_OFF,
	KML_STATE_CLEARED,
};

extern enum kml_state kml_state;

/* Are allocations recorded? */
static inline bool kml_tracking(void)
{
	return READ_ONCE(kml_state) <= KML_STATE_ON;
}

/* Must frees be followed, because there may be records of what they free? */
static inline bool kml_following_frees(void)
{
	return READ_ONCE(kml_state) <= KML_STATE_OFF;
}

/* When tracking began, in seconds since boot; 0: before there was anything. */
extern time64_t kml_on_since;

/* Was there something before tracking began, of which nothing is known? */
static inline bool kml_began_late(void)
{
	return READ_ONCE(kml_on_since);
}

void kml_state_want(bool on);
bool kml_state_wanted(void);
void kml_state_advance(enum kml_state state);
void kml_state_begin_late(void);

__printf(1, 2) void kml_warn(const char *fmt, ...);

#endif /* __MM_KMEMLEAK_INTERNAL_H */
