/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what tests expect of an object in a slot.
 */
#ifndef __MM_KMEMLEAK_TESTS_SLOT_H
#define __MM_KMEMLEAK_TESTS_SLOT_H

#include <kunit/test.h>
#include <linux/kasan.h>
#include <linux/sched.h>

#include "../track/track.h"
#include "audit.h"

/*
 * KFENCE, whose objects have records, leaves alone what is asked for in a zone. The slab
 * allocator has no use for zones.
 */
#define KML_PLAIN_GFP		(GFP_KERNEL | __GFP_MOVABLE)
#define KML_PLAIN_GFP_ATOMIC	(GFP_ATOMIC | __GFP_MOVABLE)

static inline unsigned long addr_of(const void *ptr)
{
	return (unsigned long)kasan_reset_tag(ptr);
}

static inline unsigned long percpu_addr(const void __percpu *ptr)
{
	return addr_of((const void *)(__force unsigned long)ptr);
}

static inline void expect_where(struct kunit *test, enum kml_space space,
				unsigned long addr, enum kml_where where)
{
	struct kml_sight sight;

	kml_look(space, addr, &sight);
	KUNIT_EXPECT_EQ_MSG(test, sight.where, where, "0x%lx, 0x%lx (size %zu)",
			    addr, sight.start, sight.size);
}

static inline void expect_at(struct kunit *test, enum kml_space space,
			     unsigned long addr, unsigned long start,
			     size_t size, enum kml_where where)
{
	struct kml_sight sight;

	kml_look(space, addr, &sight);
	KUNIT_EXPECT_EQ_MSG(test, sight.where, where, "0x%lx at 0x%lx", start,
			    addr);
	KUNIT_EXPECT_EQ(test, sight.start, start);
	KUNIT_EXPECT_EQ(test, sight.size, size);
}

/* In a slot, as it was allocated by this task, by way of @fn. */
static inline void expect_tracked(struct kunit *test, enum kml_space space,
				  unsigned long start, size_t size,
				  const void *fn)
{
	struct kml_sight sight;
	char comm[TASK_COMM_LEN];

	kml_look(space, start, &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_IN_SLOT);
	KUNIT_EXPECT_EQ(test, sight.start, start);
	KUNIT_EXPECT_EQ(test, sight.size, size);
	KUNIT_EXPECT_EQ(test, sight.pid, current->pid);
	KUNIT_EXPECT_TRUE(test, kml_trace_has(sight.trace, fn));
	kml_name_fetch(sight.comm, comm);
	KUNIT_EXPECT_STREQ(test, comm, current->comm);
	KUNIT_EXPECT_EQ(test, sight.meta & (KML_SLOT_PINNED | KML_SLOT_SURPLUS |
					    KML_SLOT_GRAY | KML_SLOT_BLACK |
					    KML_SLOT_SKIP), 0);
}

#endif /* __MM_KMEMLEAK_TESTS_SLOT_H */
