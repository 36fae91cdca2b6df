/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what Linux 6.12 and older call by another name.
 *
 * It comes before all else, so there are macros only, which name what those who
 * use them have from elsewhere.
 */
#ifndef __MM_KMEMLEAK_COMPAT_6_12_H
#define __MM_KMEMLEAK_COMPAT_6_12_H

#define __folio_index			index

/* Nothing: what the memory is stood in the line of the dump alone. */
#define KML_PERCPU_MARK			""

/* Large objects of kmalloc() have a reference count as other pages in use. */
#define PageLargeKmalloc(page)		((void)(page), false)

/* Nothing is allocated without locks, nor are there arrays of free objects. */
#define kmalloc_nolock(...)		((void *)NULL)
#define kfree_nolock			kfree
#define kmem_cache_prefill_sheaf(...)	((struct slab_sheaf *)NULL)
#define kmem_cache_alloc_from_sheaf(...)	((void *)NULL)
#define kmem_cache_return_sheaf(...)	do { } while (0)

/* What makes parameters for a test of KUnit is not told for which one. */
#define KML_PARAMS			const void *last, char *desc

/* A timer got its function apart from the rest. */
#define hrtimer_setup(timer, fn, clock, mode)				\
do {									\
	struct hrtimer *__timer = (timer);				\
									\
	hrtimer_init(__timer, clock, mode);				\
	__timer->function = fn;						\
} while (0)

/* The raw clock that is told along with one that is asked for. */
#define ktime_get_snapshot_id(clock, snapshot)				\
do {									\
	(void)(clock);							\
	ktime_get_snapshot(snapshot);					\
} while (0)
#define monoraw				raw

#endif /* __MM_KMEMLEAK_COMPAT_6_12_H */
