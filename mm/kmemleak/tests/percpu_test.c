// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of slots of per-CPU memory.
 */
#include <kunit/test.h>
#include <linux/kmemleak.h>
#include <linux/percpu.h>

#include "../store/slot.h"
#include "../track/origin.h"
#include "slot.h"
#include "tree.h"

#define NR_OBJECTS	256

/* What a test has, given back by percpu_exit() however the test ends. */
static struct {
	void __percpu *ptrs[NR_OBJECTS];
	unsigned int nr;
	struct kml_slab *slab;
} had;

/* A frame of its own, which all objects come by. */
static noinline __noclone unsigned long
percpu_alloc(struct kunit *test, size_t size, size_t align)
{
	void __percpu *ptr = __alloc_percpu(size, align);

	KUNIT_ASSERT_TRUE(test, ptr);
	KUNIT_ASSERT_LT(test, had.nr, NR_OBJECTS);
	had.ptrs[had.nr++] = ptr;
	return percpu_addr(ptr);
}

static void free_last(void)
{
	free_percpu(had.ptrs[--had.nr]);
}

static void free_at(unsigned int i)
{
	swap(had.ptrs[i], had.ptrs[had.nr - 1]);
	free_last();
}

static struct kml_slab *pin_slab(struct kunit *test, unsigned long addr)
{
	struct kml_slab *slab;

	rcu_read_lock();
	slab = kml_percpu_slab_at(addr);
	if (slab && !refcount_inc_not_zero(&slab->ref))
		slab = NULL;
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, slab);
	if (had.slab)
		kml_slab_put(had.slab);
	had.slab = slab;
	return slab;
}

/* ---- All lengths ---- */

struct extent {
	size_t size;
	size_t align;
};

static const struct extent extents[] = {
	{ 1, 1 }, { 4, 4 }, { 4, 8 }, { 8, 8 }, { 12, 4 }, { 12, 8 }, { 16, 16 },
	{ 20, 4 }, { 24, 8 }, { 32, 64 }, { 36, 4 }, { 60, 8 }, { 63, 1 },
	{ 64, 64 }, { 100, 8 }, { 128, 128 }, { 252, 4 }, { 256, 256 },
	{ 500, 8 }, { 508, 8 }, { 512, 8 }, { 512, 512 }, { 513, 8 }, { 516, 8 },
	{ 520, 8 }, { 1000, 8 }, { 1024, 8 }, { 1024, 1024 }, { 4096, 4096 },
};

static void extent_desc(const struct extent *extent, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%zu at %zu", extent->size,
		 extent->align);
}

KUNIT_ARRAY_PARAM(extent, extents, extent_desc);

/* Does this object have a slot? */
static enum kml_where wanted(unsigned long addr, size_t size)
{
	return IS_ALIGNED(addr, 8) && size <= 512 && addr % 4096 + size <= 4096 ?
	       KML_IN_SLOT : KML_ON_ITS_OWN;
}

static void percpu_extent(struct kunit *test)
{
	const struct extent *extent = test->param_value;
	size_t size = ALIGN(extent->size, 4);
	unsigned long addr, at;
	struct kml_sight sight;
	unsigned int i;

	for (i = 0; i < 24; i++) {
		addr = percpu_alloc(test, extent->size, extent->align);
		kml_look(KML_PERCPU, addr, &sight);
		KUNIT_EXPECT_EQ(test, sight.where, wanted(addr, size));
		KUNIT_EXPECT_EQ(test, sight.pid, current->pid);
		KUNIT_EXPECT_TRUE(test, kml_trace_has(sight.trace,
						      percpu_alloc));
		for (at = addr; at < addr + size; at++)
			expect_at(test, KML_PERCPU, at, addr, size,
				  wanted(addr, size));
		/* What stands beside it is not of it. */
		kml_look(KML_PERCPU, addr + size, &sight);
		KUNIT_EXPECT_NE(test, sight.start, addr);
		kml_look(KML_PERCPU, addr - 1, &sight);
		KUNIT_EXPECT_NE(test, sight.start, addr);
		/* In the other address space there is nothing. */
		expect_where(test, KML_PHYS, addr, KML_NOWHERE);
	}
	kml_audit_slabs(test);

	while (had.nr) {
		addr = percpu_addr(had.ptrs[had.nr / 2]);
		free_at(had.nr / 2);
		kml_look(KML_PERCPU, addr, &sight);
		/* Another CPU may have got it meanwhile. */
		KUNIT_EXPECT_TRUE(test, sight.where == KML_NOWHERE ||
				  !kml_trace_has(sight.trace, percpu_alloc));
		for (i = 0; i < had.nr; i++) {
			addr = percpu_addr(had.ptrs[i]);
			expect_at(test, KML_PERCPU, addr + size - 1, addr, size,
				  wanted(addr, size));
		}
	}
}

/* Neighbours of four bytes: the first has the slot, and both are found. */
static void percpu_grain(struct kunit *test)
{
	unsigned int i, pairs = 0;
	unsigned long addr;

	while (had.nr < NR_OBJECTS - 1)
		percpu_alloc(test, 4, 4);
	for (i = 0; i + 1 < had.nr; i++) {
		addr = percpu_addr(had.ptrs[i]);
		if (!IS_ALIGNED(addr, 8) ||
		    percpu_addr(had.ptrs[i + 1]) != addr + 4)
			continue;
		pairs++;
		expect_at(test, KML_PERCPU, addr + 3, addr, 4, KML_IN_SLOT);
		expect_at(test, KML_PERCPU, addr + 4, addr + 4, 4,
			  KML_ON_ITS_OWN);
		expect_at(test, KML_PERCPU, addr + 7, addr + 4, 4,
			  KML_ON_ITS_OWN);
	}
	KUNIT_EXPECT_GT(test, pairs, 0);

	/* The one goes, the other stays. */
	for (i = 0; i < had.nr; i++) {
		addr = percpu_addr(had.ptrs[i]);
		if (IS_ALIGNED(addr, 8) == (had.nr & 1))
			free_at(i);
	}
	for (i = 0; i < had.nr; i++) {
		addr = percpu_addr(had.ptrs[i]);
		expect_at(test, KML_PERCPU, addr + 3, addr, 4, wanted(addr, 4));
	}
}

/* The same address again, for objects of another length. */
static void percpu_reuse(struct kunit *test)
{
	static const size_t sizes[] = { 512, 8, 256, 4, 64, 516, 16, 128 };
	struct kml_sight sight;
	unsigned long addr;
	unsigned int i;

	for (i = 0; i < 10 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];

		addr = percpu_alloc(test, size, 8);
		expect_at(test, KML_PERCPU, addr, addr, size,
			  wanted(addr, size));
		expect_at(test, KML_PERCPU, addr + size - 1, addr, size,
			  wanted(addr, size));
		kml_look(KML_PERCPU, addr + size, &sight);
		KUNIT_EXPECT_NE(test, sight.start, addr);
		free_last();
	}
}

/* A free that is none: of what starts elsewhere. */
static void percpu_free_interior(struct kunit *test)
{
	unsigned long addr = percpu_alloc(test, 64, 64);
	unsigned int i;

	for (i = 1; i < 64; i++)
		kmemleak_free_percpu((void __percpu *)(addr + i));
	expect_tracked(test, KML_PERCPU, addr, 64, percpu_alloc);
}

/* ---- Promotion, and life of a slab ---- */

static void percpu_promote(struct kunit *test)
{
	unsigned long addr = percpu_alloc(test, 40, 8);
	struct kml_sight sight;
	struct kml_record *rec;

	kml_look(KML_PERCPU, addr, &sight);
	rec = kml_record_by_others(KML_PERCPU, addr + 39);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->start, addr);
	KUNIT_EXPECT_EQ(test, rec->size, 40);
	KUNIT_EXPECT_EQ(test, rec->trace, sight.trace);
	KUNIT_EXPECT_EQ(test, rec->comm, sight.comm);
	KUNIT_EXPECT_EQ(test, rec->pid, current->pid);
	KUNIT_EXPECT_EQ(test, rec->space, KML_PERCPU);
	KUNIT_EXPECT_EQ(test, rec->min_count, 1);
	KUNIT_EXPECT_EQ(test, rec->flags, 0);
	expect_at(test, KML_PERCPU, addr, addr, 40, KML_ON_ITS_OWN);
	free_last();
	KUNIT_EXPECT_FALSE(test, rec->alive);
	kml_put(rec);
}

static void percpu_read(struct kunit *test)
{
	unsigned long addr = percpu_alloc(test, 2 * sizeof(long), 8), value;
	struct kml_slab *slab = pin_slab(test, addr);
	unsigned int index = kml_percpu_index(addr), cpu;
	unsigned long __percpu *ptr = had.ptrs[0];
	int ret;

	for_each_possible_cpu(cpu)
		per_cpu_ptr(ptr, cpu)[1] = 1000 + cpu;
	for_each_possible_cpu(cpu) {
		value = 0;
		mutex_lock(&kml_scan_mutex);
		ret = kml_slot_read(slab, index, cpu, sizeof(long), &value,
				    sizeof(value));
		mutex_unlock(&kml_scan_mutex);
		KUNIT_EXPECT_EQ(test, ret, 0);
		KUNIT_EXPECT_EQ(test, value, 1000 + cpu);
		/* It does not stay pinned: the free need not wait. */
		expect_tracked(test, KML_PERCPU, addr, 2 * sizeof(long),
			       percpu_alloc);
	}
	free_last();
	mutex_lock(&kml_scan_mutex);
	ret = kml_slot_read(slab, index, 0, 0, &value, sizeof(value));
	mutex_unlock(&kml_scan_mutex);
	KUNIT_EXPECT_TRUE(test, ret == -ENOENT ||
			  READ_ONCE(slab->slots[index].meta));
}

static void percpu_close(struct kunit *test)
{
	unsigned long addr = percpu_alloc(test, 16, 8), next;
	struct kml_slab *slab = pin_slab(test, addr);

	KUNIT_EXPECT_NOT_NULL(test, slab->cache);
	kml_slab_close(slab);
	expect_tracked(test, KML_PERCPU, addr, 16, percpu_alloc);
	/* The next one opens it again, if it is in the same page. */
	do {
		next = percpu_alloc(test, 16, 8);
		expect_at(test, KML_PERCPU, next, next, 16, wanted(next, 16));
	} while (next / 4096 != addr / 4096 && had.nr < NR_OBJECTS - 1);
	if (next / 4096 == addr / 4096)
		KUNIT_EXPECT_NOT_NULL(test, slab->cache);

	/* An object that is in it keeps it. */
	kml_slab_close(slab);
	kml_slab_release(slab);
	KUNIT_EXPECT_NOT_NULL(test, slab->cache);
	expect_tracked(test, KML_PERCPU, addr, 16, percpu_alloc);
	kml_audit_slabs(test);
}

static int percpu_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void percpu_exit(struct kunit *test)
{
	while (had.nr)
		free_last();
	if (had.slab)
		kml_slab_put(had.slab);
	/* No pointer that is left may hide a leak. */
	memset(&had, 0, sizeof(had));
}

static struct kunit_case percpu_cases[] = {
	KUNIT_CASE_PARAM(percpu_extent, extent_gen_params),
	KUNIT_CASE(percpu_grain),
	KUNIT_CASE(percpu_reuse),
	KUNIT_CASE(percpu_free_interior),
	KUNIT_CASE(percpu_promote),
	KUNIT_CASE(percpu_read),
	KUNIT_CASE(percpu_close),
	{}
};

static struct kunit_suite percpu_suite = {
	.name = "kmemleak_percpu",
	.init = percpu_init,
	.exit = percpu_exit,
	.test_cases = percpu_cases,
};

kunit_test_suite(percpu_suite);
