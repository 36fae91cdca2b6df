// SPDX-License-Identifier: GPL-2.0
/*
 * Each annotation that a caller may make, and the reports that have to come of it.
 *
 * In each case there is a parent of several pages with pointers to two
 * children that nothing else refers to: one at its start, the inner, one in
 * its second page, the outer. The fate of the three shows whether the
 * annotation is honoured.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kmemleak.h>
#include <linux/string.h>

#include "hidden.h"
#include "selftest.h"

#define PARENT_SIZE	(4 * PAGE_SIZE)
#define AREA_SIZE	64
#define HELD_MAX	2

/* Kinds of parents, besides what kmalloc() gives */

static size_t size_as_asked(const struct kind *kind, size_t size)
{
	return size;
}

static void *register_pages(void *pages, size_t size, int min_count)
{
	if (pages)
		kmemleak_alloc(pages, size, min_count, GFP_KERNEL);
	return pages;
}

static void *register_physical(void *pages, size_t size)
{
	if (pages)
		kmemleak_alloc_phys(virt_to_phys(pages), size, GFP_KERNEL);
	return pages;
}

#define SOME_PAGES	alloc_pages_exact(size, GFP_KERNEL | __GFP_ZERO)

#define DEFINE_REGISTERED_PAGES(name, min_count)				\
	DEFINE_ONE_BY_ONE(name, register_pages(SOME_PAGES, size, min_count),	\
			  (kmemleak_free(obj), free_pages_exact(obj, size)))

#define PARENT_KIND(how)	KIND(#how, NULL, how, free_##how, size_as_asked)

DEFINE_REGISTERED_PAGES(by_registered_pages, 1);
DEFINE_REGISTERED_PAGES(by_pages_needed_twice, 2);
DEFINE_REGISTERED_PAGES(by_root_pages, 0);
DEFINE_REGISTERED_PAGES(by_ignored_pages, -1);
DEFINE_ONE_BY_ONE(by_pages, SOME_PAGES, free_pages_exact(obj, size))
DEFINE_ONE_BY_ONE(by_physical_pages, register_physical(SOME_PAGES, size),
		  (kmemleak_free_part_phys(virt_to_phys(obj), size), free_pages_exact(obj, size)))
DEFINE_ONE_BY_ONE(by_untracked_cache, kmem_cache_zalloc(kind->cache, GFP_KERNEL),
		  kmem_cache_free(kind->cache, obj))

enum { REGISTERED, NEEDED_TWICE, ROOT, IGNORED, UNREGISTERED, PHYSICAL, UNTRACKED };

static struct kind parents[] = {
	[REGISTERED] = PARENT_KIND(by_registered_pages),
	[NEEDED_TWICE] = PARENT_KIND(by_pages_needed_twice),
	[ROOT] = PARENT_KIND(by_root_pages),
	[IGNORED] = PARENT_KIND(by_ignored_pages),
	[UNREGISTERED] = PARENT_KIND(by_pages),
	[PHYSICAL] = PARENT_KIND(by_physical_pages),
	[UNTRACKED] = PARENT_KIND(by_untracked_cache),
};

/* The part behind a hole in registered pages; the pages are not its own. */
static void free_tail(const struct kind *kind, size_t size, void **objs, unsigned int nr)
{
	while (nr--)
		kmemleak_free(objs[nr]);
}

static const struct kind tail_kind =
	KIND("tail", NULL, NULL, free_tail, size_as_asked);

/* Annotations: HELD is the first of the pointers by which we hold the parent. */

static void not_leak(void **held, void *parent)
{
	kmemleak_not_leak(parent);
}

static void transient_leak(void **held, void *parent)
{
	kmemleak_transient_leak(parent);
}

static void ignore(void **held, void *parent)
{
	kmemleak_ignore(parent);
}

static void no_scan(void **held, void *parent)
{
	kmemleak_no_scan(parent);
}

static void scan_start(void **held, void *parent)
{
	kmemleak_scan_area(parent, AREA_SIZE, GFP_KERNEL);
}

static void scan_middle(void **held, void *parent)
{
	kmemleak_scan_area(parent + PAGE_SIZE, AREA_SIZE, GFP_KERNEL);
}

static void scan_both(void **held, void *parent)
{
	scan_start(held, parent);
	scan_middle(held, parent);
}

static void erase(void **held, void *parent)
{
	kmemleak_erase(held);
}

static noinline void claim_object(void **held, void *parent)
{
	kmemleak_update_trace(parent);
	barrier();
}

static void register_for_a_while(void **held, void *parent)
{
	register_pages(parent, PARENT_SIZE, 1);
	kmemleak_free(parent);
}

static void free_all_but_first(void **held, void *parent)
{
	kmemleak_free_part(parent + PAGE_SIZE, PARENT_SIZE - PAGE_SIZE);
}

static void free_second(void **held, void *parent)
{
	kmemleak_free_part(parent + PAGE_SIZE, PAGE_SIZE);
}

static void free_second_hold_tail(void **held, void *parent)
{
	free_second(held, parent);
	*held = parent + 2 * PAGE_SIZE;
}

static void ignore_physical(void **held, void *parent)
{
	kmemleak_ignore_phys(virt_to_phys(parent));
}

static void free_physical_but_first(void **held, void *parent)
{
	kmemleak_free_part_phys(virt_to_phys(parent) + PAGE_SIZE, PARENT_SIZE - PAGE_SIZE);
}

/**
 * struct annotation - one case.
 * @name: for the shell.
 * @kind: of the parent; NULL stands for kmalloc().
 * @held: how many references to the parent there are.
 * @annotate: what is said of it; may be NULL.
 * @parent: its fate.
 * @inner: fate of the child that its first word points at.
 * @outer: fate of the child that its second page points at.
 * @tail: fate of its third and fourth page, where @has_tail.
 * @has_tail: these two are an object of their own.
 * @reported: size of the parent in the report, if not all of it.
 * @func: in the trace, if not the function that allocated.
 */
struct annotation {
	const char *name;
	const struct kind *kind;
	unsigned int held;
	void (*annotate)(void **held, void *parent);
	enum fate parent, inner, outer, tail;
	bool has_tail;
	size_t reported;
	const char *func;
};

#define FATES(of_parent, of_inner, of_outer)			\
	.parent = FATE_##of_parent, .inner = FATE_##of_inner, .outer = FATE_##of_outer

#define TAIL(fate)	.has_tail = true, .tail = FATE_##fate, .reported = PAGE_SIZE

static const struct annotation annotations[] = {
	/* Without one, so that the others are seen to differ. */
	{ "lost", FATES(LEAK, LEAK, LEAK) },
	{ "held", .held = 1, FATES(QUIET, QUIET, QUIET) },

	{ "not_leak", .annotate = not_leak, FATES(QUIET, QUIET, QUIET) },
	{ "transient_leak", .annotate = transient_leak, FATES(LATER, LATER, LATER) },
	{ "ignore", .annotate = ignore, FATES(QUIET, LEAK, LEAK) },
	{ "no_scan", .held = 1, .annotate = no_scan, FATES(QUIET, LEAK, LEAK) },
	{ "scan_area_start", .held = 1, .annotate = scan_start, FATES(QUIET, QUIET, LEAK) },
	{ "scan_area_middle", .held = 1, .annotate = scan_middle, FATES(QUIET, LEAK, QUIET) },
	{ "scan_area_both", .held = 1, .annotate = scan_both, FATES(QUIET, QUIET, QUIET) },
	{ "erase", .held = 1, .annotate = erase, FATES(LEAK, LEAK, LEAK) },
	{ "update_trace", .annotate = claim_object, .func = "claim_object",
	  FATES(LEAK, LEAK, LEAK) },

	{ "alloc_lost", &parents[REGISTERED], FATES(LEAK, LEAK, LEAK) },
	{ "alloc_held", &parents[REGISTERED], .held = 1, FATES(QUIET, QUIET, QUIET) },
	{ "min_count_0", &parents[ROOT], FATES(QUIET, QUIET, QUIET) },
	{ "min_count_ignored", &parents[IGNORED], FATES(QUIET, LEAK, LEAK) },
	{ "min_count_2_held_once", &parents[NEEDED_TWICE], .held = 1,
	  FATES(LEAK, LEAK, LEAK) },
	{ "min_count_2_held_twice", &parents[NEEDED_TWICE], .held = 2,
	  FATES(QUIET, QUIET, QUIET) },

	{ "never_registered", &parents[UNREGISTERED], .held = 1, FATES(QUIET, LEAK, LEAK) },
	{ "free", &parents[UNREGISTERED], .held = 1, .annotate = register_for_a_while,
	  FATES(QUIET, LEAK, LEAK) },
	{ "untracked_cache", &parents[UNTRACKED], .held = 1, FATES(QUIET, LEAK, LEAK) },

	{ "free_part_end_lost", &parents[REGISTERED], .annotate = free_all_but_first,
	  .reported = PAGE_SIZE, FATES(LEAK, LEAK, LEAK) },
	{ "free_part_end_held", &parents[REGISTERED], .held = 1,
	  .annotate = free_all_but_first, FATES(QUIET, QUIET, LEAK) },
	{ "free_part_middle_lost", &parents[REGISTERED], .annotate = free_second,
	  FATES(LEAK, LEAK, LEAK), TAIL(LEAK) },
	{ "free_part_middle_tail_held", &parents[REGISTERED],
	  .annotate = free_second_hold_tail, FATES(LEAK, LEAK, LEAK), TAIL(QUIET) },

	{ "alloc_phys", &parents[PHYSICAL], FATES(QUIET, QUIET, QUIET) },
	{ "ignore_phys", &parents[PHYSICAL], .annotate = ignore_physical,
	  FATES(QUIET, LEAK, LEAK) },
	{ "free_part_phys", &parents[PHYSICAL], .annotate = free_physical_but_first,
	  FATES(QUIET, QUIET, LEAK) },
};

static void *holds[ARRAY_SIZE(annotations)][HELD_MAX];

/* The record of a part of the case, or NULL. */
static struct record *add_part(const struct annotation *at, const char *part,
			       const struct kind *kind, size_t size, void *obj, enum fate fate)
{
	struct record *rec = add_record(kind, size, obj);

	if (rec) {
		rec->label = at->name;
		rec->detail = part;
		rec->fate = fate;
	}
	return rec;
}

static int add_child(const struct annotation *at, const char *part, void **link, enum fate fate)
{
	void *obj;
	size_t size = private_kind->sizes[0];
	int err = make_objects(private_kind, size, &obj, 1);

	if (err)
		return err;
	if (!add_part(at, part, private_kind, size, obj, fate))
		return -ENOMEM;
	*link = obj;
	return 0;
}

static int make_case(const struct annotation *at, void **held)
{
	const struct kind *kind = at->kind ?: kmalloc_kind;
	struct record *rec;
	unsigned int i;
	void *parent;
	int err;

	err = make_objects(kind, PARENT_SIZE, &parent, 1);
	if (err)
		return err;
	rec = add_part(at, "parent", kind, PARENT_SIZE, parent, at->parent);
	if (!rec)
		return -ENOMEM;
	if (at->reported)
		rec->reported = at->reported;
	if (at->func)
		rec->func = at->func;

	for (i = 0; i < at->held; i++)
		held[i] = parent;
	err = add_child(at, "inner", parent, at->inner);
	err = err ?: add_child(at, "outer", parent + PAGE_SIZE, at->outer);
	if (err)
		return err;
	if (at->annotate)
		at->annotate(held, parent);
	if (at->has_tail) {
		/* Freed before the parent, as the younger of the two. */
		rec = add_part(at, "tail", &tail_kind, 2 * PAGE_SIZE, parent + 2 * PAGE_SIZE,
			       at->tail);
		if (!rec)
			return -ENOMEM;
		rec->func = kind->func;
	}
	return 0;
}

/* Go through all cases. */
int annotate_objects(const char *arg)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(annotations) && !err; i++)
		err = make_case(&annotations[i], holds[i]);
	return err;
}

void forget_annotated(void)
{
	memset(holds, 0, sizeof(holds));
}

int init_annotations(void)
{
	struct kmem_cache *cache = kmem_cache_create("kmemleak_selftest_untracked", PARENT_SIZE,
						     0, SLAB_NOLEAKTRACE, NULL);

	parents[UNTRACKED].cache = cache;
	return cache ? 0 : -ENOMEM;
}

void exit_annotations(void)
{
	kmem_cache_destroy(parents[UNTRACKED].cache);
}
