// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of objects in slots, and as they leave them.
 *
 * An object shall be the same whether it is annotated in its slot and given a
 * record then, or given a record first.
 */
#include <kunit/test.h>
#include <linux/irq_work.h>
#include <linux/kfence.h>
#include <linux/kmemleak.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../store/slot.h"
#include "../track/origin.h"
#include "sides.h"
#include "slot.h"
#include "tree.h"

/* A size that kmalloc() has. */
#define SIZE		1024
#define WORD		sizeof(long)
#define VM_ATTEMPTS	100

/* What a test has, given back by record_exit() however the test ends. */
static struct {
	u8 *ptr;
	u8 *other;
	void *area;
	struct kml_record *rec;
	struct kml_slab *slab;
} had;

static noinline __noclone u8 *record_alloc(struct kunit *test)
{
	u8 *ptr = kmalloc(SIZE, KML_PLAIN_GFP | __GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, ptr);
	return ptr;
}

/* An object in a slot. Returns its address. */
static unsigned long new_slot(struct kunit *test)
{
	had.ptr = record_alloc(test);
	expect_tracked(test, KML_VIRT, addr_of(had.ptr), SIZE, record_alloc);
	return addr_of(had.ptr);
}

/* The slot at @addr, whose slab is pinned until the end of the test. */
static struct kml_slot *pin_slot(struct kunit *test, enum kml_space space,
				 unsigned long addr, struct kml_ref *ref)
{
	bool found;

	rcu_read_lock();
	found = kml_slot_find(space, addr, ref) &&
		refcount_inc_not_zero(&ref->slab->ref);
	rcu_read_unlock();
	KUNIT_ASSERT_TRUE(test, found);
	if (had.slab)
		kml_slab_put(had.slab);
	had.slab = ref->slab;
	return &ref->slab->slots[ref->index];
}

/* Promote the object, and pin it until the end of the test. */
static struct kml_record *give_record(struct kunit *test, enum kml_space space,
				      unsigned long addr)
{
	struct kml_record *rec = kml_record_of(space, addr);

	KUNIT_ASSERT_NOT_NULL(test, rec);
	if (had.rec)
		kml_put(had.rec);
	had.rec = rec;
	return rec;
}

/* ---- Annotations ---- */

enum op {
	DONE,
	NOT_LEAK,
	IGNORE,
	NO_SCAN,
	TRANSIENT,
	RETRACE,
	AREA,
};

struct step {
	enum op op;
	size_t from;
	size_t size;
};

struct annotations {
	const char *name;
	struct step steps[5];
	bool in_slot;
};

/* @in_slot: all of it fits into a slot. */
static const struct annotations annotations[] = {
	{ "nothing", { { DONE } }, true },
	{ "not_leak", { { NOT_LEAK } }, true },
	{ "ignore", { { IGNORE } }, true },
	{ "no_scan", { { NO_SCAN } } },
	{ "transient", { { TRANSIENT } } },
	{ "update_trace", { { RETRACE } }, true },
	{ "not_leak, ignore", { { NOT_LEAK }, { IGNORE } }, true },
	{ "ignore, not_leak", { { IGNORE }, { NOT_LEAK } }, true },
	{ "ignore, no_scan", { { IGNORE }, { NO_SCAN } } },
	{ "not_leak, no_scan", { { NOT_LEAK }, { NO_SCAN } } },
	{ "no_scan, not_leak", { { NO_SCAN }, { NOT_LEAK } } },
	{ "transient, ignore", { { TRANSIENT }, { IGNORE } } },
	{ "not_leak, transient", { { NOT_LEAK }, { TRANSIENT } } },
	{ "area: all", { { AREA, 0, SIZE } } },
	{ "area: head", { { AREA, 0, 16 } } },
	{ "area: tail", { { AREA, WORD, SIZE - WORD } }, true },
	{ "area: tail of 3", { { AREA, 3 * WORD, SIZE_MAX } }, true },
	{ "area: tail of 4", { { AREA, 4 * WORD, SIZE_MAX } } },
	{ "area: tail of 1", { { AREA, WORD, SIZE_MAX } }, true },
	{ "area: odd tail", { { AREA, WORD + WORD / 2, SIZE_MAX } } },
	{ "area: nearly tail", { { AREA, 8, SIZE - 16 } } },
	{ "area: last bytes", { { AREA, SIZE - 8, 8 } } },
	{ "area: middle", { { AREA, 128, 64 } } },
	{ "area: does not fit", { { AREA, 128, SIZE } } },
	{ "area: nothing", { { AREA, 8, 0 } }, true },
	{ "areas: tail twice", { { AREA, 8, SIZE_MAX }, { AREA, 8, SIZE_MAX } } },
	{ "areas: tail and head", { { AREA, 16, SIZE_MAX }, { AREA, 0, 8 } } },
	{ "areas: two tails", { { AREA, 16, SIZE_MAX }, { AREA, 32, SIZE_MAX } } },
	{ "areas: three", {
		{ AREA, 0, 8 }, { AREA, 64, 8 }, { AREA, 512, 100 } } },
	{ "areas: one too many", { { AREA, 24, SIZE_MAX }, { AREA, 8, SIZE } } },
	{ "not_leak, area", { { NOT_LEAK }, { AREA, 8, SIZE_MAX } }, true },
	{ "area, not_leak", { { AREA, 8, SIZE_MAX }, { NOT_LEAK } }, true },
	{ "area, ignore", { { AREA, 8, SIZE_MAX }, { IGNORE } }, true },
	{ "area, no_scan", { { AREA, 8, SIZE_MAX }, { NO_SCAN } } },
	{ "all of it", {
		{ NOT_LEAK }, { AREA, 8, SIZE_MAX }, { RETRACE }, { TRANSIENT } } },
};

static void annotations_desc(const struct annotations *a, char *desc)
{
	strscpy(desc, a->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(annotations, annotations, annotations_desc);

/* A frame of its own, which a new trace begins with. */
static noinline __noclone void record_retrace(const void *ptr)
{
	kmemleak_update_trace(ptr);
	barrier();
}

static void annotate(u8 *ptr, const struct step *step)
{
	for (; step->op != DONE; step++) {
		switch (step->op) {
		case NOT_LEAK:
			kmemleak_not_leak(ptr);
			break;
		case IGNORE:
			kmemleak_ignore(ptr);
			break;
		case NO_SCAN:
			kmemleak_no_scan(ptr);
			break;
		case TRANSIENT:
			kmemleak_transient_leak(ptr);
			break;
		case RETRACE:
			record_retrace(ptr + 1);
			break;
		case AREA:
			kmemleak_scan_area(ptr + step->from, step->size,
					   GFP_KERNEL);
			break;
		case DONE:
			break;
		}
	}
}

static bool has_area(const struct kml_record *rec, size_t from, size_t size)
{
	const struct kml_area *area;

	/* Areas are never taken away. */
	hlist_for_each_entry_rcu(area, &rec->areas, node, true) {
		if (area->start - rec->start == from && area->size == size)
			return true;
	}
	return false;
}

static bool areas_of_one_in_other(const struct kml_record *one,
				  const struct kml_record *other)
{
	const struct kml_area *area;

	/* As above. */
	hlist_for_each_entry_rcu(area, &one->areas, node, true) {
		if (!has_area(other, area->start - one->start, area->size))
			return false;
	}
	return true;
}

static void record_annotated(struct kunit *test)
{
	const struct annotations *a = test->param_value;
	struct kml_record *before, *after;
	unsigned long addr = new_slot(test);
	struct kml_sight sight;
	bool retraced = false;
	unsigned int i;

	had.other = record_alloc(test);
	before = give_record(test, KML_VIRT, addr_of(had.other));
	had.rec = NULL;

	/* No scan is between, for the sake of kmemleak_transient_leak(). */
	mutex_lock(&kml_scan_mutex);
	annotate(had.ptr, a->steps);
	annotate(had.other, a->steps);
	mutex_unlock(&kml_scan_mutex);

	kml_look(KML_VIRT, addr, &sight);
	KUNIT_EXPECT_EQ(test, sight.where,
			a->in_slot ? KML_IN_SLOT : KML_ON_ITS_OWN);
	after = kml_record_of(KML_VIRT, addr);
	KUNIT_EXPECT_NOT_NULL(test, after);
	if (after) {
		KUNIT_EXPECT_EQ(test, after->min_count, before->min_count);
		KUNIT_EXPECT_EQ(test, after->flags, before->flags);
		KUNIT_EXPECT_EQ(test, after->size, before->size);
		KUNIT_EXPECT_EQ(test, after->grace, before->grace);
		KUNIT_EXPECT_EQ(test, after->surplus, before->surplus);
		KUNIT_EXPECT_EQ(test, after->pid, before->pid);
		KUNIT_EXPECT_EQ(test, after->comm, before->comm);
		KUNIT_EXPECT_TRUE(test, areas_of_one_in_other(before, after));
		KUNIT_EXPECT_TRUE(test, areas_of_one_in_other(after, before));
		for (i = 0; i < ARRAY_SIZE(a->steps); i++)
			retraced |= a->steps[i].op == RETRACE;
		KUNIT_EXPECT_EQ(test, retraced,
				kml_trace_has(after->trace, record_retrace));
		KUNIT_EXPECT_EQ(test, retraced,
				kml_trace_has(before->trace, record_retrace));
		kml_put(after);
	}
	kml_put(before);

	kfree(had.ptr);
	had.ptr = NULL;
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
}

/* A pointer into an object is none to the object, but for the trace. */
static void record_interior(struct kunit *test)
{
	static const struct step steps[] = {
		{ NOT_LEAK }, { IGNORE }, { NO_SCAN }, { TRANSIENT }, {}
	};
	unsigned long addr = new_slot(test);
	struct kml_record *rec;

	annotate(had.ptr + 8, steps);
	kmemleak_free(had.ptr + 8);
	kmemleak_free(had.ptr + SIZE - 1);
	expect_at(test, KML_VIRT, addr, addr, SIZE, KML_ON_ITS_OWN);
	rec = give_record(test, KML_VIRT, addr);
	KUNIT_EXPECT_EQ(test, rec->min_count, 1);
	KUNIT_EXPECT_EQ(test, rec->flags, 0);
	KUNIT_EXPECT_EQ(test, rec->grace, 0);
}

static void record_free_interior(struct kunit *test)
{
	unsigned long addr = new_slot(test);
	unsigned int i;

	for (i = 1; i < SIZE; i += 3)
		kmemleak_free(had.ptr + i);
	expect_tracked(test, KML_VIRT, addr, SIZE, record_alloc);
}

/* ---- Promotion ---- */

static void record_keeps(struct kunit *test)
{
	unsigned long before = jiffies;
	unsigned long addr = new_slot(test);
	struct kml_record *rec;
	struct kml_sight sight;

	kml_look(KML_VIRT, addr, &sight);
	rec = give_record(test, KML_VIRT, addr + 100);
	expect_at(test, KML_VIRT, addr, addr, SIZE, KML_ON_ITS_OWN);
	expect_at(test, KML_VIRT, addr + SIZE - 1, addr, SIZE, KML_ON_ITS_OWN);
	KUNIT_EXPECT_EQ(test, rec->start, addr);
	KUNIT_EXPECT_EQ(test, rec->size, SIZE);
	KUNIT_EXPECT_EQ(test, rec->trace, sight.trace);
	KUNIT_EXPECT_EQ(test, rec->comm, sight.comm);
	KUNIT_EXPECT_EQ(test, rec->pid, sight.pid);
	KUNIT_EXPECT_TRUE(test, time_in_range(rec->jiffies, before -
					      BIT(KML_STAMP_SHIFT), jiffies));
	KUNIT_EXPECT_EQ(test, rec->space, KML_VIRT);
	KUNIT_EXPECT_EQ(test, rec->min_count, 1);
	KUNIT_EXPECT_EQ(test, rec->flags, 0);
	KUNIT_EXPECT_TRUE(test, rec->alive);
	/* Ours, and the tree's. */
	KUNIT_EXPECT_EQ(test, refcount_read(&rec->ref), 2);

	/* Once more changes nothing. */
	KUNIT_EXPECT_PTR_EQ(test, give_record(test, KML_VIRT, addr), rec);

	kfree(had.ptr);
	had.ptr = NULL;
	KUNIT_EXPECT_FALSE(test, rec->alive);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rec->node));
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
}

static void record_by_others(struct kunit *test)
{
	unsigned long addr = new_slot(test);

	had.rec = kml_record_by_others(KML_VIRT, addr + 1);
	KUNIT_ASSERT_NOT_NULL(test, had.rec);
	KUNIT_EXPECT_EQ(test, had.rec->start, addr);
	KUNIT_EXPECT_EQ(test, had.rec->pid, current->pid);
	expect_at(test, KML_VIRT, addr, addr, SIZE, KML_ON_ITS_OWN);
	KUNIT_EXPECT_NULL(test, kml_record_by_others(KML_VIRT, 0));
	KUNIT_EXPECT_NULL(test, kml_record_by_others(KML_PERCPU, 1));
}

static void record_young(struct kunit *test)
{
	unsigned long addr = new_slot(test);
	struct kml_ref ref;
	struct kml_slot *slot = pin_slot(test, KML_VIRT, addr, &ref);

	/* No scan makes it old meanwhile; no assertion may fail here. */
	mutex_lock(&kml_scan_mutex);
	kml_slot_change(slot, KML_SLOT_GEN,
			KML_SLOT_SHARED | (kml_slot_new_meta & KML_SLOT_GEN));
	KUNIT_EXPECT_TRUE(test, kml_slot_to_record(ref.slab, ref.index, false,
						   GFP_KERNEL));
	expect_where(test, KML_VIRT, addr, KML_IN_SLOT);
	kml_slot_change(slot, KML_SLOT_GEN, 0);
	KUNIT_EXPECT_TRUE(test, kml_slot_to_record(ref.slab, ref.index, false,
						   GFP_KERNEL));
	expect_where(test, KML_VIRT, addr, KML_ON_ITS_OWN);
	mutex_unlock(&kml_scan_mutex);

	/* What was there before the scan began is a suspect of it. */
	KUNIT_EXPECT_EQ(test, give_record(test, KML_VIRT, addr)->born, 0);
}

static void record_freed(struct kunit *test)
{
	unsigned long addr = new_slot(test);
	struct kml_ref ref;
	struct kml_slot *slot = pin_slot(test, KML_VIRT, addr, &ref);

	KUNIT_EXPECT_TRUE(test, kml_slot_change(slot, 0, KML_SLOT_SHARED));
	kfree(had.ptr);
	had.ptr = NULL;
	KUNIT_EXPECT_EQ(test, READ_ONCE(slot->meta), 0);
	KUNIT_EXPECT_FALSE(test, kml_slot_change(slot, 0, KML_SLOT_GRAY));
	KUNIT_EXPECT_EQ(test, READ_ONCE(slot->meta), 0);
	/* There is nothing left to do. */
	KUNIT_EXPECT_TRUE(test, kml_slot_to_record(ref.slab, ref.index, true,
						   GFP_KERNEL));
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);
}

/* What came to the place of an object that was shared is not its heir. */
static void record_recycled(struct kunit *test)
{
	unsigned long addr = new_slot(test);
	struct kml_ref ref;
	struct kml_slot *slot = pin_slot(test, KML_VIRT, addr, &ref);

	/* No scan shares it meanwhile; no assertion may fail here. */
	mutex_lock(&kml_scan_mutex);
	KUNIT_EXPECT_TRUE(test, kml_ref_share(&ref));
	/* As if it were freed, and its memory allocated again. */
	WRITE_ONCE(slot->meta, 0);
	WRITE_ONCE(slot->meta, ref.meta & ~KML_SLOT_GEN);
	KUNIT_EXPECT_TRUE(test, kml_ref_give_record(&ref, GFP_KERNEL));
	expect_where(test, KML_VIRT, addr, KML_IN_SLOT);
	/* It is as soon as it is shared itself. */
	KUNIT_EXPECT_TRUE(test, kml_ref_share(&ref));
	KUNIT_EXPECT_TRUE(test, kml_ref_give_record(&ref, GFP_KERNEL));
	expect_where(test, KML_VIRT, addr, KML_ON_ITS_OWN);
	mutex_unlock(&kml_scan_mutex);
}

/* A walker that has seen an older object does not age one that came after it. */
static void record_newborn(struct kunit *test)
{
	unsigned long addr = new_slot(test);
	struct kml_ref ref;
	struct kml_slot *slot = pin_slot(test, KML_VIRT, addr, &ref);
	u32 older;

	mutex_lock(&kml_scan_mutex);
	kml_slot_change(slot, KML_SLOT_GEN, kml_slot_new_meta & KML_SLOT_GEN);
	older = (ref.meta & ~KML_SLOT_GEN) |
		(~kml_slot_new_meta & KML_SLOT_GEN);
	kml_slot_age(slot, older);
	KUNIT_EXPECT_TRUE(test, kml_slot_is_young(READ_ONCE(slot->meta)));

	WRITE_ONCE(slot->meta, older);
	kml_slot_age(slot, older);
	KUNIT_EXPECT_EQ(test, READ_ONCE(slot->meta) & KML_SLOT_GEN, 0);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(slot->meta) & KML_SLOT_LIVE);
	mutex_unlock(&kml_scan_mutex);
}

/* Each reason for which an object stays in its slot. */
static void record_refused(struct kunit *test)
{
	unsigned long addr = new_slot(test);
	struct kml_tree *tree = &kml_trees[KML_VIRT];
	struct kml_record *rec;
	struct kml_ref ref;
	struct kml_slot *slot;
	u32 meta;

	slot = pin_slot(test, KML_VIRT, addr, &ref);
	rec = kml_record_alloc(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	kml_record_init(rec, KML_VIRT, addr, SIZE);
	rec->min_count = 1;

	/* No assertion may fail meanwhile. */
	mutex_lock(&kml_scan_mutex);
	meta = READ_ONCE(slot->meta);
	KUNIT_EXPECT_EQ(test, kml_insert_from_slot(tree, rec, slot,
						   meta ^ KML_SLOT_GRAY, true),
			-EAGAIN);
	kml_slot_change(slot, 0, KML_SLOT_PINNED);
	KUNIT_EXPECT_EQ(test, kml_insert_from_slot(tree, rec, slot,
						   meta | KML_SLOT_PINNED, true),
			-EAGAIN);
	kml_slot_change(slot, KML_SLOT_PINNED, 0);
	KUNIT_EXPECT_EQ(test, READ_ONCE(slot->meta), meta);
	expect_where(test, KML_VIRT, addr, KML_IN_SLOT);
	KUNIT_EXPECT_EQ(test, kml_insert_from_slot(tree, rec, slot, meta, true),
			0);
	KUNIT_EXPECT_EQ(test, READ_ONCE(slot->meta), 0);
	expect_where(test, KML_VIRT, addr, KML_ON_ITS_OWN);

	/* Where one is already there is no room for another. */
	rec = kml_record_alloc(GFP_KERNEL);
	if (rec) {
		kml_record_init(rec, KML_VIRT, addr, SIZE);
		KUNIT_EXPECT_EQ(test, kml_insert_from_slot(tree, rec, slot, 0,
							   true), -EEXIST);
		kml_record_free(rec);
	}
	mutex_unlock(&kml_scan_mutex);
}

static void record_free_part(struct kunit *test)
{
	unsigned long addr = new_slot(test);

	kmemleak_free_part(had.ptr + 256, 512);
	expect_at(test, KML_VIRT, addr, addr, 256, KML_ON_ITS_OWN);
	expect_where(test, KML_VIRT, addr + 256, KML_NOWHERE);
	expect_where(test, KML_VIRT, addr + 767, KML_NOWHERE);
	expect_at(test, KML_VIRT, addr + SIZE - 1, addr + 768, 256,
		  KML_ON_ITS_OWN);
	/* The allocator only knows of the whole. */
	kmemleak_free_part(had.ptr + 768, 256);
	expect_where(test, KML_VIRT, addr + 768, KML_NOWHERE);
}

static void record_read(struct kunit *test)
{
	unsigned long addr = new_slot(test), value = 0;
	struct kml_ref ref;
	struct kml_slot *slot = pin_slot(test, KML_VIRT, addr, &ref);
	int ret, gone;

	*(unsigned long *)(had.ptr + 16) = 4711;
	mutex_lock(&kml_scan_mutex);
	ret = kml_slot_read(ref.slab, ref.index, 0, 16, &value, sizeof(value));
	kfree(had.ptr);
	had.ptr = NULL;
	gone = kml_slot_read(ref.slab, ref.index, 0, 16, &value,
			     sizeof(value));
	mutex_unlock(&kml_scan_mutex);
	KUNIT_EXPECT_EQ(test, ret, 0);
	/* Somebody else may have it by now. */
	if (!READ_ONCE(slot->meta))
		KUNIT_EXPECT_EQ(test, gone, -ENOENT);
}

/* ---- Traces that are set at the same time ---- */

/* What objects get for the stack of their allocation while they are given records. */
static depot_stack_handle_t other_trace;

static void *retraced_alloc(void)
{
	return kzalloc(64, GFP_KERNEL);
}

/* Where the object says it was allocated, once it has a record. */
static depot_stack_handle_t trace_at(unsigned long addr)
{
	struct kml_record *rec = kml_record_of(KML_VIRT, addr);
	depot_stack_handle_t trace = rec ? READ_ONCE(rec->trace) : 0;

	if (rec)
		kml_put(rec);
	return trace;
}

static void retraced_promote(void *ptr)
{
	trace_at(addr_of(ptr));
}

static void retraced_set(void *ptr)
{
	kml_set_trace(addr_of(ptr), other_trace);
}

static bool retraced_has_other(void *ptr)
{
	bool ret = trace_at(addr_of(ptr)) == other_trace;

	kfree(ptr);
	return ret;
}

static void record_retraced(struct kunit *test)
{
	struct kml_sides sides = {
		.alloc = retraced_alloc,
		.mine = retraced_promote,
		.theirs = retraced_set,
		.check = retraced_has_other,
	};

	other_trace = trace_at(new_slot(test));
	KUNIT_ASSERT_NE(test, other_trace, 0);
	kml_sides_run(test, &sides);
}

/* ---- Allocators ---- */

static void alloc_in_interrupt(struct irq_work *work)
{
	had.ptr = kmalloc(SIZE, KML_PLAIN_GFP_ATOMIC);
}

static void record_interrupt(struct kunit *test)
{
	struct irq_work work = IRQ_WORK_INIT(alloc_in_interrupt);
	struct kml_sight sight;
	char comm[TASK_COMM_LEN];

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "a thread does what an interrupt asks for");
	irq_work_queue(&work);
	irq_work_sync(&work);
	KUNIT_ASSERT_NOT_NULL(test, had.ptr);
	kml_look(KML_VIRT, addr_of(had.ptr), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_IN_SLOT);
	KUNIT_EXPECT_EQ(test, sight.pid, 0);
	kml_name_fetch(sight.comm, comm);
	KUNIT_EXPECT_STREQ(test, comm, "hardirq");
	KUNIT_EXPECT_TRUE(test, kml_trace_has(sight.trace, alloc_in_interrupt));
}

static void record_krealloc(struct kunit *test)
{
	unsigned long addr = new_slot(test);
	struct kml_sight sight;
	u8 *ptr;

	/* In place. */
	ptr = krealloc(had.ptr, SIZE / 2 + 1, KML_PLAIN_GFP);
	KUNIT_ASSERT_PTR_EQ(test, ptr, had.ptr);
	expect_tracked(test, KML_VIRT, addr, SIZE, record_alloc);

	ptr = krealloc(had.ptr, 2 * SIZE, KML_PLAIN_GFP);
	KUNIT_ASSERT_NOT_NULL(test, ptr);
	had.ptr = ptr;
	expect_tracked(test, KML_VIRT, addr_of(ptr), 2 * SIZE,
		       record_krealloc);
	kml_look(KML_VIRT, addr, &sight);
	KUNIT_EXPECT_TRUE(test, sight.where == KML_NOWHERE ||
			  !kml_trace_has(sight.trace, record_alloc));
}

static void record_pages(struct kunit *test)
{
	unsigned long addr;

	had.ptr = kmalloc(2 * KMALLOC_MAX_CACHE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, had.ptr);
	addr = addr_of(had.ptr);
	expect_at(test, KML_VIRT, addr + PAGE_SIZE + 1, addr,
		  2 * KMALLOC_MAX_CACHE_SIZE, KML_ON_ITS_OWN);
	kfree(had.ptr);
	had.ptr = NULL;
	expect_where(test, KML_VIRT, addr, KML_NOWHERE);

	had.area = vmalloc(2 * PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, had.area);
	addr = addr_of(had.area);
	expect_at(test, KML_VIRT, addr + PAGE_SIZE + 1, addr, 2 * PAGE_SIZE,
		  KML_ON_ITS_OWN);
}

static void record_vm_struct(struct kunit *test)
{
	unsigned int attempts = VM_ATTEMPTS;
	const struct vm_struct *vm;
	struct kml_sight sight;
	struct kml_record *rec;

	do {
		vfree(had.area);
		had.area = vmalloc(PAGE_SIZE);
		KUNIT_ASSERT_NOT_NULL(test, had.area);
		vm = find_vm_area(had.area);
		KUNIT_ASSERT_NOT_NULL(test, vm);
	} while (is_kfence_address(vm) && --attempts);
	kml_look(KML_VIRT, addr_of(vm), &sight);
	KUNIT_EXPECT_EQ(test, sight.where, KML_IN_SLOT);
	KUNIT_EXPECT_TRUE(test, sight.meta & KML_SLOT_SURPLUS);
	rec = give_record(test, KML_VIRT, addr_of(vm));
	KUNIT_EXPECT_EQ(test, rec->surplus, addr_of(had.area));
}

/* Nothing is in a slot where there can be none. */
static void record_no_memory(struct kunit *test)
{
	const unsigned long addrs[] = {
		0, 8, PAGE_SIZE, LONG_MAX, (unsigned long)LONG_MIN, VMALLOC_START,
		-PAGE_SIZE, ULONG_MAX,
	};
	struct kml_ref ref;
	enum kml_space space;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		KUNIT_EXPECT_NULL(test, kml_slab_at(addrs[i]));
		for (space = 0; space < KML_NR_SPACES; space++) {
			if (space == KML_PERCPU && addrs[i] < VMALLOC_START)
				continue;
			KUNIT_EXPECT_FALSE(test, kml_slot_find(space, addrs[i],
							       &ref));
		}
	}
	KUNIT_EXPECT_FALSE(test, kml_is_linear(kml_linear.base - 1));
	KUNIT_EXPECT_FALSE(test, kml_is_linear(kml_linear.base +
						kml_linear.size));
	KUNIT_EXPECT_NULL(test, kml_slab_at(kml_linear.base - 1));
	KUNIT_EXPECT_NULL(test, kml_slab_at(kml_linear.base + kml_linear.size));
	rcu_read_unlock();
}

static int record_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void record_exit(struct kunit *test)
{
	if (had.rec)
		kml_put(had.rec);
	if (had.slab)
		kml_slab_put(had.slab);
	kfree(had.ptr);
	kfree(had.other);
	vfree(had.area);
	memset(&had, 0, sizeof(had));
}

static struct kunit_case record_cases[] = {
	KUNIT_CASE_PARAM(record_annotated, annotations_gen_params),
	KUNIT_CASE(record_interior),
	KUNIT_CASE(record_free_interior),
	KUNIT_CASE(record_keeps),
	KUNIT_CASE(record_by_others),
	KUNIT_CASE(record_young),
	KUNIT_CASE(record_freed),
	KUNIT_CASE(record_recycled),
	KUNIT_CASE(record_newborn),
	KUNIT_CASE(record_refused),
	KUNIT_CASE(record_free_part),
	KUNIT_CASE(record_read),
	KUNIT_CASE(record_retraced),
	KUNIT_CASE(record_interrupt),
	KUNIT_CASE(record_krealloc),
	KUNIT_CASE(record_pages),
	KUNIT_CASE(record_vm_struct),
	KUNIT_CASE(record_no_memory),
	{}
};

static struct kunit_suite record_suite = {
	.name = "kmemleak_record",
	.init = record_init,
	.exit = record_exit,
	.test_cases = record_cases,
};

kunit_test_suite(record_suite);
