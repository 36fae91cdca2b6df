// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of the store of tracked objects.
 *
 * What the store shall contain is kept byte by byte in an array, and compared.
 * Most tests work on a tree of their own. Those of track.c's functions need the
 * real ones, and use physical addresses where no memory is.
 */
#include <kunit/test.h>
#include <linux/debug_locks.h>
#include <linux/gfp.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../store/slot.h"
#include "../track/origin.h"
#include "tree.h"

/* Bytes of address space that the tests use, the last ones in the real tree. */
#define WINDOW		256
#define PHYS_BASE	(-(unsigned long)WINDOW)

/* Static, as lockdep wants locks to be. */
static struct kml_tree tree = KML_TREE_INIT(tree);

/**
 * struct model - what a tree shall contain
 * @tree: the tree
 * @base: address of the first byte of the window
 * @step: number of the change that was made last, for messages
 * @last_id: the greatest number that was given to an object
 * @id: for each byte the number of its object, or 0; the end counts as a byte
 */
struct model {
	struct kml_tree *tree;
	unsigned long base;
	unsigned int step;
	unsigned int last_id;
	unsigned int id[WINDOW + 1];
};

/* ---- The model ---- */

static unsigned int run_start(const struct model *m, unsigned int at)
{
	unsigned int id = m->id[at];

	while (at && m->id[at - 1] == id)
		at--;
	return at;
}

static unsigned int run_end(const struct model *m, unsigned int at)
{
	unsigned int id = m->id[at];

	while (at < WINDOW && m->id[at] == id)
		at++;
	return at;
}

/* The first byte of the range that belongs to an object, or WINDOW. */
static unsigned int first_taken(const struct model *m, unsigned int from,
				unsigned int len)
{
	unsigned int at;

	for (at = from; at < from + len; at++) {
		if (m->id[at])
			return at;
	}
	return WINDOW;
}

static void fill(struct model *m, unsigned int from, unsigned int end,
		 unsigned int id)
{
	while (from < end)
		m->id[from++] = id;
}

static void model_add(struct model *m, unsigned int from, unsigned int len)
{
	fill(m, from, from + len, ++m->last_id);
}

static void model_cut(struct model *m, unsigned int from, unsigned int len)
{
	unsigned int end = from + len;

	/* The two ends of an object that loses its middle are no longer one. */
	if (from && end < WINDOW && m->id[end] && m->id[from - 1] == m->id[end])
		fill(m, end, run_end(m, end), ++m->last_id);
	fill(m, from, end, 0);
}

/* ---- The model against the tree ---- */

static void check_lookup(struct kunit *test, const struct model *m,
			 unsigned long addr, unsigned long start, size_t size)
{
	unsigned long found_start = 0;
	size_t found_size = 0;
	struct kml_record *rec;

	/* A failing assertion must not leave within an RCU section. */
	rcu_read_lock();
	rec = kml_lookup(m->tree, addr);
	if (rec) {
		found_start = rec->start;
		found_size = rec->size;
	}
	rcu_read_unlock();

	KUNIT_ASSERT_EQ_MSG(test, found_size, size, "at 0x%lx, step %u", addr,
			    m->step);
	KUNIT_ASSERT_EQ_MSG(test, found_start, start, "at 0x%lx, step %u", addr,
			    m->step);
}

static void check_byte(struct kunit *test, const struct model *m,
		       unsigned int at)
{
	unsigned int start = run_start(m, at);

	if (m->id[at])
		check_lookup(test, m, m->base + at, m->base + start,
			     run_end(m, at) - start);
	else
		check_lookup(test, m, m->base + at, 0, 0);
}

/* Walk the window, @max objects at a time. Returns the number of objects. */
static unsigned int check_walk(struct kunit *test, const struct model *m,
			       unsigned int max)
{
	struct kml_cursor cur = { .tree = m->tree, .next = m->base };
	unsigned int i, got, total = 0, at = 0;
	struct kml_record **recs;
	bool in_order = true;

	recs = kunit_kcalloc(test, max, sizeof(*recs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, recs);
	while ((got = kml_collect(&cur, match_all, NULL, recs, max))) {
		KUNIT_ASSERT_LE(test, got, max);
		for (i = 0; i < got; i++) {
			at = first_taken(m, at, WINDOW - at);
			in_order &= recs[i]->start == m->base + at;
			at = run_end(m, at);
			kml_put(recs[i]);
		}
		/* Not sooner: a failing assertion would leave the pins. */
		KUNIT_ASSERT_TRUE_MSG(test, in_order, "step %u", m->step);
		total += got;
	}
	KUNIT_ASSERT_EQ(test, first_taken(m, at, WINDOW - at), WINDOW);
	/* The end stays the end. */
	KUNIT_ASSERT_EQ(test, kml_collect(&cur, match_all, NULL, recs, max), 0);
	kunit_kfree(test, recs);
	return total;
}

static void check_all(struct kunit *test, const struct model *m,
		      unsigned int max)
{
	unsigned int at, end, slabs;

	/* Objects are kept as ranges: what is wrong is wrong at a border. */
	for (at = 0; at < WINDOW; at = end) {
		end = run_end(m, at);
		check_byte(test, m, at);
		check_byte(test, m, end - 1);
	}
	check_lookup(test, m, m->base - 1, 0, 0);
	check_lookup(test, m, m->base + WINDOW, 0, 0);

	slabs = check_walk(test, m, max);
	if (m->tree == &tree)
		KUNIT_ASSERT_EQ(test, tree.nr, slabs);
}

/* ---- Changes to the tree of the tests ---- */

/* Put in an object if there is room for it, which the model tells. */
static void try_insert(struct kunit *test, struct model *m, unsigned int from,
		       unsigned int len)
{
	struct kml_record *rec = new_object(test, m->base + from, len);
	int ret = kml_insert(m->tree, rec);

	if (first_taken(m, from, len) == WINDOW) {
		KUNIT_ASSERT_EQ(test, ret, 0);
		model_add(m, from, len);
	} else {
		KUNIT_ASSERT_EQ(test, ret, -EEXIST);
		kml_record_free(rec);
	}
}

/* Remove the object that starts there, if the model says that one does. */
static void try_remove(struct kunit *test, struct model *m, unsigned int at)
{
	struct kml_record *rec = kml_remove(m->tree, m->base + at);
	unsigned int end;

	if (!m->id[at] || run_start(m, at) != at) {
		KUNIT_ASSERT_NULL(test, rec);
		return;
	}
	end = run_end(m, at);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_ASSERT_EQ(test, rec->start, m->base + at);
	KUNIT_ASSERT_EQ(test, rec->size, end - at);
	kml_kill(rec);
	fill(m, at, end, 0);
}

static void check_find_range(struct kunit *test, const struct model *m,
			     const struct kml_record *rec, unsigned int from,
			     unsigned int len)
{
	unsigned int at = first_taken(m, from, len);

	if (at == WINDOW) {
		KUNIT_ASSERT_NULL(test, rec);
		return;
	}
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_ASSERT_EQ(test, rec->start, m->base + run_start(m, at));
}

/* Cut a range out of all objects that it touches. */
static void cut(struct kunit *test, struct model *m, unsigned int from,
		unsigned int len)
{
	struct kml_record *rec, *left, *right;
	unsigned int end = from + len;

	do {
		rec = kml_find_range(m->tree, m->base + from, len);
		check_find_range(test, m, rec, from, len);
		if (rec) {
			unsigned int rec_from = rec->start - m->base;
			unsigned int rec_end = rec_from + rec->size;

			left = rec_from < from ?
				new_object(test, rec->start, from - rec_from) :
				NULL;
			right = rec_end > end ?
				new_object(test, m->base + end, rec_end - end) :
				NULL;
			KUNIT_ASSERT_TRUE(test, kml_remove_record(m->tree, rec,
								  left, right));
			/* What is out already must not be taken out again. */
			KUNIT_ASSERT_FALSE(test, kml_remove_record(m->tree, rec,
								   NULL, NULL));
			kml_kill(rec);
			kml_put(rec);
			rec_from = max(rec_from, from);
			model_cut(m, rec_from, min(rec_end, end) - rec_from);
		}
	} while (rec);
}

/* ---- One change to objects in all kinds of places ---- */

struct store_range {
	const char *name;
	unsigned int from;
	unsigned int len;
};

/* Next to each other, apart, of one byte, and at either end of the window. */
static const struct store_range layout[] = {
	{ .from = 0,	.len = 16 },
	{ .from = 32,	.len = 64 },
	{ .from = 96,	.len = 32 },
	{ .from = 160,	.len = 1 },
	{ .from = 240,	.len = 16 },
};

static const struct store_range ranges[] = {
	{ "whole slab",		32, 64 },
	{ "front",			32, 8 },
	{ "middle",			40, 8 },
	{ "back",			88, 8 },
	{ "first byte",			32, 1 },
	{ "last byte",			95, 1 },
	{ "over the front",		24, 16 },
	{ "over the back",		120, 16 },
	{ "over a border",		88, 16 },
	{ "two slabs",			32, 96 },
	{ "around two slabs",		24, 112 },
	{ "over a gap",			112, 80 },
	{ "slab of one byte",		160, 1 },
	{ "around a slab of one byte",	159, 3 },
	{ "gap",			16, 16 },
	{ "within a gap",		130, 8 },
	{ "right before a slab",	24, 8 },
	{ "right after a slab",	128, 8 },
	{ "lowest slab",		0, 16 },
	{ "lowest byte",		0, 1 },
	{ "uppermost slab",		240, 16 },
	{ "uppermost byte",		255, 1 },
	{ "gap and uppermost slab",	200, 56 },
	{ "all",			0, WINDOW },
};

static void range_desc(const struct store_range *range, char *desc)
{
	strscpy(desc, range->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(range, ranges, range_desc);

/* The window at the bottom, at the top and in the middle of the addresses. */
static const unsigned long bases[] = { 0, -(unsigned long)WINDOW, 0x5a5a5000 };

static struct model *new_model(struct kunit *test, struct kml_tree *of,
			       unsigned long base)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->tree = of;
	m->base = base;
	return m;
}

static struct model *lay_out(struct kunit *test, unsigned long base)
{
	struct model *m = new_model(test, &tree, base);
	unsigned int i;

	empty_tree(test, &tree);
	/* From both ends, so that it is not their order that gives the order. */
	for (i = 0; i < ARRAY_SIZE(layout); i++) {
		unsigned int at = i % 2 ? ARRAY_SIZE(layout) - 1 - i / 2 : i / 2;

		try_insert(test, m, layout[at].from, layout[at].len);
	}
	check_all(test, m, 1);
	return m;
}

static void store_insert(struct kunit *test)
{
	const struct store_range *range = test->param_value;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		struct model *m = lay_out(test, bases[i]);

		try_insert(test, m, range->from, range->len);
		check_all(test, m, WINDOW);
	}
}

static void store_cut(struct kunit *test)
{
	const struct store_range *range = test->param_value;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		struct model *m = lay_out(test, bases[i]);

		cut(test, m, range->from, range->len);
		check_all(test, m, WINDOW);
	}
}

static void store_remove(struct kunit *test)
{
	unsigned int i, at;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		struct model *m = lay_out(test, bases[i]);

		/* Downwards: the first byte of an object is the last one tried. */
		for (at = WINDOW; at-- > 0; )
			try_remove(test, m, at);
		check_all(test, m, 1);
		KUNIT_EXPECT_EQ(test, tree.nr, 0);
	}
}

static void take_out(struct kunit *test, unsigned long start)
{
	struct kml_record *rec = kml_remove(&tree, start);

	KUNIT_ASSERT_NOT_NULL(test, rec);
	kml_kill(rec);
}

static void store_limits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, tree.lo, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, tree.hi, 0);

	insert(test, &tree, 1000, 100);
	KUNIT_EXPECT_EQ(test, tree.lo, 1000);
	KUNIT_EXPECT_EQ(test, tree.hi, 1099);
	insert(test, &tree, 500, 1);
	insert(test, &tree, 1100, 1);
	KUNIT_EXPECT_EQ(test, tree.lo, 500);
	KUNIT_EXPECT_EQ(test, tree.hi, 1100);

	/* They stay where they are when an object goes, so one may lie across. */
	take_out(test, 1100);
	take_out(test, 500);
	KUNIT_EXPECT_EQ(test, tree.lo, 500);
	KUNIT_EXPECT_EQ(test, tree.hi, 1100);
	insert(test, &tree, 1100, 2);
	insert(test, &tree, 499, 2);
	KUNIT_EXPECT_EQ(test, tree.lo, 499);
	KUNIT_EXPECT_EQ(test, tree.hi, 1101);

	insert(test, &tree, ULONG_MAX, 1);
	insert(test, &tree, 0, 1);
	KUNIT_EXPECT_EQ(test, tree.lo, 0);
	KUNIT_EXPECT_EQ(test, tree.hi, ULONG_MAX);
}

/* ---- The same in the real tree, where metadata comes along ---- */

static noinline struct kml_origin origin(void)
{
	return kml_origin(_RET_IP_, __builtin_frame_address(0), GFP_KERNEL);
}

static void track(struct model *m, const struct store_range *range)
{
	model_cut(m, range->from, range->len);
	model_add(m, range->from, range->len);
	kml_track(KML_PHYS, m->base + range->from, range->len, KML_GRAY,
		  KML_NO_SCAN, GFP_KERNEL, origin());
}

static struct model *lay_out_phys(struct kunit *test)
{
	struct model *m;
	unsigned int i;

	m = new_model(test, &kml_trees[KML_PHYS], PHYS_BASE);
	for (i = 0; i < ARRAY_SIZE(layout); i++)
		track(m, &layout[i]);
	check_all(test, m, WINDOW);
	return m;
}

static void store_untrack_range(struct kunit *test)
{
	const struct store_range *range = test->param_value;
	struct model *m = lay_out_phys(test);

	kml_untrack_range(KML_PHYS, m->base + range->from, range->len);
	model_cut(m, range->from, range->len);
	check_all(test, m, WINDOW);
}

/* A new object takes the place of what is still recorded there. */
static void store_track_over(struct kunit *test)
{
	const struct store_range *range = test->param_value;
	struct model *m = lay_out_phys(test);

	track(m, range);
	check_all(test, m, WINDOW);
}

static void store_untrack_nothing(struct kunit *test)
{
	struct model *m = lay_out_phys(test);

	kml_untrack_range(KML_PHYS, m->base + 40, 0);
	/* No object starts there. */
	kml_untrack(KML_PHYS, m->base + 40);
	kml_untrack(KML_PHYS, m->base + 20);
	kml_track(KML_PHYS, m->base + 20, 0, KML_GRAY, 0, GFP_KERNEL,
		  origin());
	check_all(test, m, WINDOW);
}

/* What stays of an object is the same allocation. */
static void store_piece(struct kunit *test)
{
	static const unsigned int kept[] = { 0, 63 };
	struct kml_tree *phys = &kml_trees[KML_PHYS];
	struct kml_record *whole, *piece;
	unsigned int i;

	kml_track(KML_PHYS, PHYS_BASE, 64, 3, KML_NO_SCAN, GFP_KERNEL,
		  origin());
	whole = kml_find(phys, PHYS_BASE);
	KUNIT_ASSERT_NOT_NULL(test, whole);
	KUNIT_EXPECT_EQ(test, whole->min_count, 3);
	KUNIT_EXPECT_NE(test, whole->trace, 0);
	KUNIT_EXPECT_EQ(test, whole->pid, current->pid);

	kml_untrack_range(KML_PHYS, PHYS_BASE + 16, 32);
	KUNIT_EXPECT_FALSE(test, whole->alive);
	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		piece = kml_find(phys, PHYS_BASE + kept[i]);
		if (!piece) {
			KUNIT_FAIL(test, "byte %u was lost", kept[i]);
			continue;
		}
		KUNIT_EXPECT_PTR_NE(test, piece, whole);
		KUNIT_EXPECT_TRUE(test, piece->alive);
		KUNIT_EXPECT_EQ(test, piece->min_count, 3);
		KUNIT_EXPECT_EQ(test, piece->flags, KML_NO_SCAN);
		KUNIT_EXPECT_EQ(test, piece->space, KML_PHYS);
		KUNIT_EXPECT_EQ(test, piece->trace, whole->trace);
		KUNIT_EXPECT_EQ(test, piece->jiffies, whole->jiffies);
		KUNIT_EXPECT_EQ(test, piece->pid, whole->pid);
		KUNIT_EXPECT_EQ(test, piece->comm, whole->comm);
		kml_put(piece);
	}
	kml_put(whole);
}

/* ---- Any changes in any order ---- */

/* From each base. */
#define RANDOM_STEPS	7000
#define RANDOM_CHECK	64

static void base_desc(const unsigned long *base, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "from 0x%lx on", *base);
}

KUNIT_ARRAY_PARAM(base, bases, base_desc);

static void random_step(struct kunit *test, struct model *m,
			struct rnd_state *rnd)
{
	unsigned int from = prandom_u32_state(rnd) % WINDOW;
	unsigned int most = min(WINDOW - from, 24U);
	unsigned int len = 1 + prandom_u32_state(rnd) % most;
	unsigned int i;

	switch (prandom_u32_state(rnd) % 8) {
	case 0 ... 3:
		try_insert(test, m, from, len);
		break;
	case 4:
		try_remove(test, m, from);
		break;
	case 5:
		/* Where an object starts, most of the time. */
		try_remove(test, m, run_start(m, from));
		break;
	default:
		cut(test, m, from, len);
	}
	for (i = 0; i < 2; i++)
		check_byte(test, m, prandom_u32_state(rnd) % WINDOW);
}

static void store_random(struct kunit *test)
{
	unsigned long at = *(const unsigned long *)test->param_value;
	struct model *m = new_model(test, &tree, at);
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 20240229);
	while (m->step++ < RANDOM_STEPS) {
		random_step(test, m, &rnd);
		if (m->step % RANDOM_CHECK == 0) {
			check_all(test, m, 1 + prandom_u32_state(&rnd) % 40);
			cond_resched();
		}
	}
}

/* ---- Memory for metadata ---- */

/* What an allocation of metadata has to take over from its caller. */
#define NESTED_KEPT	(GFP_KERNEL | GFP_ATOMIC | __GFP_NOLOCKDEP)

static const gfp_t callers[] = {
	0, GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_NOFS, GFP_NOIO, GFP_KERNEL_ACCOUNT,
	GFP_KERNEL | __GFP_NOFAIL, GFP_KERNEL | __GFP_NOLOCKDEP, GFP_HIGHUSER_MOVABLE,
};

/* Each of these, with any other flag as well. */
static void store_gfp(struct kunit *test)
{
	gfp_t added = __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN;
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		for (bit = 0; bit < __GFP_BITS_SHIFT; bit++) {
			gfp_t gfp = callers[i] | (__force gfp_t)BIT(bit);
			gfp_t want = (gfp & NESTED_KEPT) | added;
			gfp_t got = kml_gfp(gfp);

			KUNIT_EXPECT_EQ_MSG(test, (__force u32)got,
					    (__force u32)want, "%pGg", &gfp);
		}
	}
}

/* A lock that reclaim takes, and a holder who knows that reclaim can do without. */
static void store_nolockdep(struct kunit *test)
{
	static DEFINE_MUTEX(lock);
	void *ptr;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING) || !debug_locks)
		kunit_skip(test, "lockdep does not look");
	fs_reclaim_acquire(GFP_KERNEL);
	mutex_lock(&lock);
	mutex_unlock(&lock);
	fs_reclaim_release(GFP_KERNEL);

	/* Too large for a slot: it needs a record. */
	mutex_lock(&lock);
	ptr = kmalloc(4 * PAGE_SIZE, GFP_KERNEL | __GFP_NOLOCKDEP);
	mutex_unlock(&lock);
	KUNIT_EXPECT_NOT_NULL(test, ptr);
	kfree(ptr);
	KUNIT_EXPECT_TRUE_MSG(test, debug_locks, "lockdep has found something");
}

static int store_init(struct kunit *test)
{
	skip_if_off(test);
	return 0;
}

static void store_exit(struct kunit *test)
{
	empty_tree(test, &tree);
	kml_untrack_range(KML_PHYS, PHYS_BASE, WINDOW);
}

static struct kunit_case store_cases[] = {
	KUNIT_CASE_PARAM(store_insert, range_gen_params),
	KUNIT_CASE_PARAM(store_cut, range_gen_params),
	KUNIT_CASE(store_remove),
	KUNIT_CASE(store_limits),
	KUNIT_CASE_PARAM(store_untrack_range, range_gen_params),
	KUNIT_CASE_PARAM(store_track_over, range_gen_params),
	KUNIT_CASE(store_untrack_nothing),
	KUNIT_CASE(store_piece),
	KUNIT_CASE_PARAM(store_random, base_gen_params),
	KUNIT_CASE(store_gfp),
	KUNIT_CASE(store_nolockdep),
	{}
};

static struct kunit_suite store_suite = {
	.name = "kmemleak_store",
	.init = store_init,
	.exit = store_exit,
	.test_cases = store_cases,
};

kunit_test_suite(store_suite);
