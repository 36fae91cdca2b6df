/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what tests do to a tree of their own.
 */
#ifndef __MM_KMEMLEAK_TESTS_TREE_H
#define __MM_KMEMLEAK_TESTS_TREE_H

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/limits.h>

#include "../report/report.h"

static inline struct kml_record *new_object(struct kunit *test,
					    unsigned long start, size_t size)
{
	struct kml_record *rec = kml_record_alloc(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rec);
	kml_record_init(rec, KML_VIRT, start, size);
	return rec;
}

static inline struct kml_record *insert(struct kunit *test,
					struct kml_tree *tree,
					unsigned long start, size_t size)
{
	struct kml_record *rec = new_object(test, start, size);

	KUNIT_ASSERT_EQ(test, kml_insert(tree, rec), 0);
	return rec;
}

/*
 * Let there be room for the names of made-up objects, which a sweep does not find,
 * and no sweep.
 */
static inline int hold_names(struct kunit *test)
{
	test->priv = kml_names_set_request(NULL);
	/* This also waits for one that has begun. */
	kml_names_sweep();
	return 0;
}

static inline void let_names_go(struct kunit *test)
{
	kml_names_set_request(test->priv);
	kml_names_sweep();
}

static inline bool match_all(const struct kml_record *rec, void *arg)
{
	return true;
}

/* Empty, and as it was before anything was put in. */
static inline void empty_tree(struct kunit *test, struct kml_tree *tree)
{
	struct kml_cursor cur = KML_CURSOR(tree);
	struct kml_record *rec;

	while (kml_collect(&cur, match_all, NULL, &rec, 1)) {
		if (kml_remove_record(tree, rec, NULL, NULL))
			kml_kill(rec);
		kml_put(rec);
	}
	KUNIT_EXPECT_EQ(test, tree->nr, 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&tree->root));

	/* They never shrink, and the next test shall not find them wide. */
	tree->lo = ULONG_MAX;
	tree->hi = 0;
}

/* When the detector is off, nothing can be put into any tree. */
static inline void skip_if_off(struct kunit *test)
{
	if (!kml_tracking())
		kunit_skip(test, "the detector is off");
}

#endif /* __MM_KMEMLEAK_TESTS_TREE_H */
