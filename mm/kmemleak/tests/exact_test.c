// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of passes with all CPUs stopped.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/kasan.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../scan/refs.h"
#include "hidden.h"
#include "tree.h"

#define EXACT_OBJECT	96

/* Passes and scans beside what moves as fast as it can; fewer where all is slow. */
#define EXACT_SLOW	(IS_ENABLED(CONFIG_LOCKDEP) || IS_ENABLED(CONFIG_KCSAN) || \
			 !IS_ENABLED(CONFIG_64BIT))
/* A guest's CPUs stop one after the other where its host has fewer. */
#define EXACT_PASSES	(EXACT_SLOW ? 10 : num_online_cpus() > 2 ? 50 : 250)
#define EXACT_SCANS	(EXACT_SLOW ? 2 : 4)

/* Longer than any pass in a guest takes, and shorter. */
#define EXACT_LONG	((EXACT_SLOW ? 5 : 1) * USEC_PER_SEC)
#define EXACT_BRIEF	2000U
#define EXACT_SHORT	1

/* Passes that are too long for that, while the host has other things to do. */
#define EXACT_TRIES	100

/* Dead words may hide a leak at an address. */
#define EXACT_ATTEMPTS	5

/* A pass comes to this place at another time than to one in a slab. */
static unsigned long exact_place;

struct exact_mover {
	unsigned long *places[2];
	unsigned long moves;
};

static void skip_if_not_exact(struct kunit *test)
{
	skip_if_off(test);
	if (!kml_exact_has_clock())
		kunit_skip(test, "the clock is too coarse");
}

static int exact_move(void *data)
{
	struct exact_mover *mover = data;
	unsigned int from = 0;

	while (!kthread_should_stop()) {
		WRITE_ONCE(*mover->places[!from], *mover->places[from]);
		WRITE_ONCE(*mover->places[from], 0);
		from = !from;
		mover->moves++;
		cond_resched();
	}
	return 0;
}

/* Scans once beside a leak that it leaves, so that there is something to confirm. */
static bool scan_with_leak(struct kunit *test, unsigned long *hidden)
{
	*hidden = kml_hidden_alloc(EXACT_OBJECT);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	return kml_hidden_is_leak(*hidden);
}

/* One that is found. */
static bool scan_finds_leak(struct kunit *test)
{
	bool found = false;
	unsigned int i;

	for (i = 0; !found && i < EXACT_ATTEMPTS; i++) {
		unsigned long hidden;

		found = scan_with_leak(test, &hidden);
		kml_hidden_retire(hidden);
	}
	return found;
}

static int exact_init(struct kunit *test)
{
	test->priv = (void *)(unsigned long)kml_exact_us;
	return 0;
}

static void exact_exit(struct kunit *test)
{
	kml_exact_us = (unsigned long)test->priv;
	kml_hidden_exit(test);
}

/* Without leave there is no such pass, and what it may not take is not taken. */
static void exact_limit(struct kunit *test)
{
	skip_if_not_exact(test);
	kml_exact_us = 0;
	KUNIT_EXPECT_TRUE(test, scan_finds_leak(test));
	KUNIT_EXPECT_FALSE(test, kml_scan_stats()->exact);
	KUNIT_EXPECT_EQ(test, kml_scan_stats()->stopped_us, 0);

	/* A pass takes longer than that on any machine. */
	kml_exact_us = EXACT_SHORT;
	KUNIT_EXPECT_TRUE(test, scan_finds_leak(test));
	KUNIT_EXPECT_FALSE(test, kml_scan_stats()->exact);
}

/* Whether one that may take so long is done in time; how long it takes if not. */
static bool exact_pass_within(unsigned int us, u64 *took, unsigned long *words)
{
	bool in_time;

	mutex_lock(&kml_scan_mutex);
	kml_exact_us = us;
	kml_target_none();
	*words = kml_words_read();
	in_time = kml_exact_pass(took);
	*words = kml_words_read() - *words;
	mutex_unlock(&kml_scan_mutex);
	return in_time;
}

/* One that has begun ends when its time is over, by a look at the clock for each chunk. */
static void exact_late(struct kunit *test)
{
	u64 us, least = U64_MAX;
	unsigned long words;
	unsigned int i;

	skip_if_not_exact(test);
	KUNIT_EXPECT_FALSE(test, exact_pass_within(0, &us, &words));
	KUNIT_EXPECT_LE(test, words, num_online_cpus() * KML_CHUNK / sizeof(long));
	for (i = 0; i < EXACT_TRIES && least > EXACT_BRIEF * 3 / 2; i++) {
		KUNIT_EXPECT_FALSE(test, exact_pass_within(EXACT_BRIEF, &us, &words));
		KUNIT_EXPECT_GE(test, us, EXACT_BRIEF);
		least = min(least, us);
	}
	/*
	 * The host of a guest with more of them may not let all run at a time. KCSAN delays
	 * accesses, so that it is long from one look at the clock to the next.
	 */
	if (num_online_cpus() <= 2 && !IS_ENABLED(CONFIG_KCSAN))
		KUNIT_EXPECT_LE(test, least, EXACT_BRIEF * 3 / 2);
}

/* ---- Where the only pointer may stand ---- */

struct exact_kind {
	const char *name;
	unsigned long *(*make)(void);
	void (*lose)(unsigned long *place);
};

static unsigned long *make_slab(void)
{
	return kzalloc(EXACT_OBJECT, GFP_KERNEL);
}

static unsigned long *make_large(void)
{
	unsigned long *block = kzalloc(SZ_64K, GFP_KERNEL);

	return block ? block + SZ_64K / sizeof(long) - 1 : NULL;
}

static void lose_large(unsigned long *place)
{
	kfree(place + 1 - SZ_64K / sizeof(long));
}

static unsigned long *make_vmalloc(void)
{
	return vzalloc(PAGE_SIZE);
}

/* Mapped by a single entry, where the architecture has them of this size. */
static unsigned long *make_huge_vmalloc(void)
{
	unsigned long *area = vmalloc_huge(SZ_2M, GFP_KERNEL | __GFP_ZERO);

	return area ? area + SZ_2M / sizeof(long) - 1 : NULL;
}

static void lose_huge_vmalloc(unsigned long *place)
{
	vfree(place + 1 - SZ_2M / sizeof(long));
}

static unsigned long *make_data(void)
{
	return &exact_place;
}

static void lose_data(unsigned long *place)
{
	*place = 0;
}

static unsigned long __percpu *exact_percpu;

static unsigned long *make_percpu(void)
{
	exact_percpu = __alloc_percpu(EXACT_OBJECT, sizeof(long));
	return exact_percpu ? per_cpu_ptr(exact_percpu, 0) : NULL;
}

static void lose_percpu(unsigned long *place)
{
	free_percpu(exact_percpu);
}

static DEFINE_PER_CPU(unsigned long, exact_static_percpu);

static unsigned long *make_static_percpu(void)
{
	return per_cpu_ptr(&exact_static_percpu, 0);
}

static unsigned long *make_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	return page ? &page->private : NULL;
}

static void lose_page(unsigned long *place)
{
	*place = 0;
	__free_page(container_of(place, struct page, private));
}

static void lose_slab(unsigned long *place)
{
	kfree(place);
}

static void lose_vmalloc(unsigned long *place)
{
	vfree(place);
}

static const struct exact_kind exact_kinds[] = {
	{ "slab", make_slab, lose_slab },
	{ "large kmalloc", make_large, lose_large },
	{ "vmalloc", make_vmalloc, lose_vmalloc },
	{ "huge vmalloc", make_huge_vmalloc, lose_huge_vmalloc },
	{ "data", make_data, lose_data },
	{ "per-CPU", make_percpu, lose_percpu },
	{ "static per-CPU", make_static_percpu, lose_data },
	{ "struct page", make_page, lose_page },
};

static void exact_kind_desc(const struct exact_kind *kind, char *desc)
{
	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(exact_kinds, exact_kinds, exact_kind_desc);

/*
 * Does a pass with all CPUs stopped come to a word that refers to the object? It takes
 * longer than it may where the host of a guest has other things to do: once more then.
 */
static bool is_hit(struct kunit *test, unsigned long hidden)
{
	unsigned int i, tries = EXACT_TRIES;
	bool hit = false;
	u64 us;

	mutex_lock(&kml_scan_mutex);
	kml_passes_start(kml_own_frame());
	kml_target_none();
	kml_target(KML_VIRT, (unsigned long)kasan_reset_tag((void *)~hidden),
		   EXACT_OBJECT);
	while (!kml_exact_pass(&us) && --tries)
		;
	KUNIT_EXPECT_GT(test, tries, 0);
	for (i = 0; i < min(kml_refs.nr_hits, KML_HITS_MAX); i++)
		hit |= kml_refs.hits[i].addr ==
			(unsigned long)kasan_reset_tag((void *)~hidden);
	kml_scan_gray();
	kml_passes_end();
	mutex_unlock(&kml_scan_mutex);
	return hit;
}

static void exact_finds(struct kunit *test)
{
	const struct exact_kind *kind = test->param_value;
	unsigned long *place, hidden;
	unsigned int i;

	skip_if_not_exact(test);
	kml_exact_us = EXACT_LONG;
	place = kind->make();
	KUNIT_ASSERT_NOT_NULL(test, place);
	for (i = 0; i < EXACT_ATTEMPTS; i++) {
		bool without;

		hidden = kml_hidden_alloc(EXACT_OBJECT);
		KUNIT_ASSERT_NE(test, hidden, ~0UL);
		/* What was allocated before a scan is known to be in use behind it. */
		kml_hidden_reveal(place, hidden);
		KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
		KUNIT_EXPECT_TRUE(test, is_hit(test, hidden));
		WRITE_ONCE(*place, 0);
		without = is_hit(test, hidden);
		kml_hidden_retire(hidden);
		if (!without)
			break;
	}
	KUNIT_EXPECT_LT(test, i, EXACT_ATTEMPTS);
	kind->lose(place);
}

/* The stack of a thread that waits, and that of one that ran when it was stopped. */
struct exact_holder {
	struct completion ready;
	unsigned long hidden;
	bool spins;
};

static int exact_hold(void *data)
{
	struct exact_holder *holder = data;
	void *object = kzalloc(EXACT_OBJECT, GFP_KERNEL);

	WRITE_ONCE(holder->hidden, ~(unsigned long)object);
	complete(&holder->ready);
	while (!kthread_should_stop()) {
		OPTIMIZER_HIDE_VAR(object);
		if (holder->spins)
			cond_resched();
		else
			schedule_timeout_interruptible(HZ);
	}
	kfree(object);
	return 0;
}

static void exact_finds_on_stack(struct kunit *test)
{
	struct exact_holder holder;
	struct task_struct *task;
	unsigned int i;

	skip_if_not_exact(test);
	kml_exact_us = EXACT_LONG;
	for (i = 0; i < 2; i++) {
		holder.spins = i;
		init_completion(&holder.ready);
		task = kthread_run(exact_hold, &holder, "kmemleak_holder");
		KUNIT_ASSERT_FALSE(test, IS_ERR(task));
		wait_for_completion(&holder.ready);
		KUNIT_EXPECT_TRUE(test, is_hit(test, holder.hidden));
		kthread_stop(task);
	}
}

/* ---- What moves all the time ---- */

/* So often, each in a time that no watchdog minds. */
static const char * const exact_rounds[] = { "first", "second", "third", "fourth" };

static void exact_round_desc(const char * const *round, char *desc)
{
	strscpy(desc, *round, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(exact_rounds, exact_rounds, exact_round_desc);

/* Each pass finds it, and no scan takes it for a leak, but what is lost. */
static void exact_moving(struct kunit *test)
{
	unsigned long *place = kzalloc(EXACT_OBJECT, GFP_KERNEL), hidden;
	struct exact_mover mover = { .places = { place, &exact_place } };
	unsigned int i, passes = EXACT_PASSES, exact = 0, found = 0, hits = 0;
	unsigned long lost[EXACT_SCANS];
	struct task_struct *task;

	skip_if_not_exact(test);
	KUNIT_ASSERT_NOT_NULL(test, place);
	hidden = kml_hidden_alloc(EXACT_OBJECT);
	KUNIT_ASSERT_NE(test, hidden, ~0UL);
	kml_hidden_reveal(place, hidden);
	kml_exact_us = EXACT_LONG;
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	task = kthread_run(exact_move, &mover, "kmemleak_mover");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));

	for (i = 0; i < passes; i++)
		hits += is_hit(test, hidden);
	KUNIT_EXPECT_EQ(test, hits, passes);
	for (i = 0; i < EXACT_SCANS; i++) {
		found += scan_with_leak(test, &lost[i]);
		exact += kml_scan_stats()->exact;
		KUNIT_EXPECT_FALSE(test, kml_hidden_is_leak(hidden));
	}
	kthread_stop(task);
	kunit_info(test, "%lu moves, %u scans, %u leaks found, %u exact", mover.moves, i,
		   found, exact);
	KUNIT_EXPECT_GT(test, mover.moves, 0);
	KUNIT_EXPECT_GE(test, found, EXACT_SCANS / 2);
	KUNIT_EXPECT_GT(test, exact, 0);

	for (i = 0; i < EXACT_SCANS; i++)
		kml_hidden_free(lost[i]);
	kml_hidden_free(hidden);
	exact_place = 0;
	kfree(place);
}

static struct kunit_case exact_cases[] = {
	KUNIT_CASE_PARAM(exact_finds, exact_kinds_gen_params),
	KUNIT_CASE(exact_finds_on_stack),
	KUNIT_CASE(exact_late),
	KUNIT_CASE_SLOW(exact_limit),
	KUNIT_CASE_PARAM(exact_moving, exact_rounds_gen_params),
	{}
};

static struct kunit_suite exact_suite = {
	.name = "kmemleak_exact",
	.test_cases = exact_cases,
	.init = exact_init,
	.exit = exact_exit,
};

kunit_test_suite(exact_suite);
