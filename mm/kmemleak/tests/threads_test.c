// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: scans whose work several threads share.
 *
 * Objects are known by their inverted address, so that nothing in the test is a
 * reference to them.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../scan/refs.h"
#include "../store/slab.h"
#include "../../slab.h"
#include "hidden.h"

/* Objects of a graph, the words of each, and those of them that a root refers to. */
#define THREADS_OBJECTS	3000
#define THREADS_WORDS	8
#define THREADS_ROOTS	4

#define THREADS_GRAPHS	3
#define THREADS_LONG	(4 * KML_RECORD_PART)
#define THREADS_STOPS	20

/*
 * Leaks that may be missed, in percent. KCSAN's calls have the compiler keep addresses in
 * more frames; one of them led to 36 of 1,529.
 */
#define THREADS_MISSED	(IS_ENABLED(CONFIG_KCSAN) ? 5 : 2)

static const unsigned int threads_numbers[] = { 4, 1, 2, 8 };

/* What the objects hang from; nothing else that is in use refers to them. */
static unsigned long *threads_roots[THREADS_ROOTS];

/**
 * struct threads_graph - objects that refer to one another
 * @hidden: their addresses, inverted
 * @links: for each word of each the object that it refers to, or none
 * @in_use: can it be reached from a root?
 * @todo: for the search that finds that out
 */
struct threads_graph {
	unsigned long hidden[THREADS_OBJECTS];
	u16 links[THREADS_OBJECTS][THREADS_WORDS];
	bool in_use[THREADS_OBJECTS];
	u16 todo[THREADS_OBJECTS];
};

/* No object: its number is none. */
#define THREADS_NONE	U16_MAX

static void skip_if_off(struct kunit *test)
{
	if (READ_ONCE(kml_state) != KML_STATE_ON)
		kunit_skip(test, "the detector is off");
}

static unsigned long *threads_object(struct threads_graph *graph, unsigned int i)
{
	return (unsigned long *)~graph->hidden[i];
}

static void threads_free(struct threads_graph *graph)
{
	unsigned int i;

	memset(threads_roots, 0, sizeof(threads_roots));
	for (i = 0; i < THREADS_OBJECTS; i++) {
		if (graph->hidden[i])
			kml_hidden_free(graph->hidden[i]);
	}
	vfree(graph);
}

static struct threads_graph *threads_alloc(struct kunit *test)
{
	struct threads_graph *graph = vzalloc(sizeof(*graph));
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, graph);
	memset(graph->links, 0xff, sizeof(graph->links));
	for (i = 0; i < THREADS_OBJECTS; i++)
		graph->hidden[i] = kml_hidden_alloc(THREADS_WORDS * sizeof(long));
	return graph;
}

static void threads_link(struct threads_graph *graph)
{
	unsigned int i, word;

	for (i = 0; i < THREADS_OBJECTS; i++) {
		for (word = 0; word < THREADS_WORDS; word++) {
			u16 to = graph->links[i][word];

			if (to != THREADS_NONE)
				kml_hidden_reveal(&threads_object(graph, i)[word],
						  graph->hidden[to]);
		}
	}
	for (i = 0; i < THREADS_ROOTS; i++)
		WRITE_ONCE(threads_roots[i], threads_object(graph, i));
}

/* What can be reached from the roots, which are the first objects. */
static void threads_search(struct threads_graph *graph)
{
	unsigned int nr = 0, next, word;

	for (; nr < THREADS_ROOTS; nr++) {
		graph->todo[nr] = nr;
		graph->in_use[nr] = true;
	}
	for (next = 0; next < nr; next++) {
		for (word = 0; word < THREADS_WORDS; word++) {
			u16 to = graph->links[graph->todo[next]][word];

			if (to == THREADS_NONE || graph->in_use[to])
				continue;
			graph->in_use[to] = true;
			graph->todo[nr++] = to;
		}
	}
}

/*
 * Further passes would find what the first one has missed. As these objects stay where
 * they are, it misses none. Those in use are in slots, and older than the last scan.
 */
static void threads_expect_first(struct kunit *test, struct threads_graph *graph,
				 unsigned int threads)
{
	unsigned int i, suspects = 0;
	struct kml_ref ref;

	mutex_lock(&kml_scan_mutex);
	kml_passes_start(kml_own_frame());
	kml_threads_start(threads);
	KUNIT_EXPECT_EQ(test, kml_first_pass(), 0);
	for (i = 0; i < THREADS_OBJECTS; i++) {
		if (!graph->in_use[i] || !kml_hidden_find(graph->hidden[i], &ref))
			continue;
		suspects += kml_ref_is_suspect(&ref);
		kml_ref_put(&ref);
	}
	kml_threads_end();
	kml_passes_end();
	mutex_unlock(&kml_scan_mutex);
	KUNIT_EXPECT_EQ_MSG(test, suspects, 0, "%u threads", threads);
}

/*
 * Everything that is in use was found, by any number of threads. Of what is not, a word
 * that was left behind may hide one or the other, and what hangs from it. Returns how
 * many leaks were missed at most, in percent.
 */
static unsigned int threads_compare(struct kunit *test, struct threads_graph *graph)
{
	unsigned int i, n, lost = 0, missed, most = 0, wrong;
	bool undecided;

	for (i = 0; i < THREADS_OBJECTS; i++)
		lost += !graph->in_use[i];
	for (n = 0; n < ARRAY_SIZE(threads_numbers); n++) {
		KUNIT_ASSERT_EQ(test, kml_scan_by(threads_numbers[n], NULL), 0);
		/* KCSAN has threads wait, so that eight on two CPUs may see no pass agree. */
		undecided = IS_ENABLED(CONFIG_KCSAN) && kml_scan_stats()->undecided;
		missed = 0;
		wrong = 0;
		for (i = 0; i < THREADS_OBJECTS; i++) {
			bool leak = kml_hidden_is_leak(graph->hidden[i]);

			wrong += leak && graph->in_use[i];
			missed += !leak && !graph->in_use[i] && !undecided;
		}
		KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "%u threads", threads_numbers[n]);
		most = max(most, missed);
		threads_expect_first(test, graph, threads_numbers[n]);
		/* So that each scan has all to find. */
		mutex_lock(&kml_scan_mutex);
		for (i = 0; i < THREADS_OBJECTS; i++) {
			struct kml_ref ref;

			if (!kml_hidden_find(graph->hidden[i], &ref))
				continue;
			if (ref.rec)
				kml_set_flags(ref.rec, 0, KML_LEAK | KML_REPORTED);
			kml_ref_put(&ref);
		}
		mutex_unlock(&kml_scan_mutex);
	}
	return lost ? DIV_ROUND_UP(100 * most, lost) : 0;
}

/*
 * About half of them can be reached, by way of many others. In most graphs no word that
 * was left behind leads to much of the other half.
 */
static void threads_random(struct kunit *test)
{
	struct threads_graph *graph;
	struct rnd_state rnd;
	unsigned int n, i, hidden = 0;

	skip_if_off(test);
	for (n = 0; n < THREADS_GRAPHS; n++) {
		graph = threads_alloc(test);
		prandom_seed_state(&rnd, n + 1);
		for (i = 0; i < 3 * THREADS_OBJECTS / 2; i++) {
			u32 from = prandom_u32_state(&rnd) % THREADS_OBJECTS;
			u32 word = prandom_u32_state(&rnd) % THREADS_WORDS;

			graph->links[from][word] =
				prandom_u32_state(&rnd) % THREADS_OBJECTS;
		}
		threads_search(graph);
		threads_link(graph);
		hidden += threads_compare(test, graph) > THREADS_MISSED;
		threads_free(graph);
	}
	KUNIT_EXPECT_LE(test, hidden, THREADS_GRAPHS / 2);
}

/* Of a list one thread finds one object after the other, while all others wait. */
static void threads_list(struct kunit *test)
{
	struct threads_graph *graph;
	unsigned int i;

	skip_if_off(test);
	graph = threads_alloc(test);
	for (i = 0; i + 1 < THREADS_OBJECTS; i++)
		graph->links[i][0] = i + 1;
	threads_search(graph);
	threads_link(graph);
	threads_compare(test, graph);
	threads_free(graph);
}

/* An object that threads read in parts: where these meet as well. */
static void threads_long_object(struct kunit *test)
{
	size_t words = THREADS_LONG / sizeof(long), part = KML_RECORD_PART / sizeof(long);
	unsigned long *area = vzalloc(THREADS_LONG);
	unsigned long *hidden = vzalloc(2 * THREADS_LONG / KML_RECORD_PART * sizeof(long));
	unsigned int n, i, nr = 0;
	size_t place;

	skip_if_off(test);
	KUNIT_ASSERT_TRUE(test, area && hidden);
	/* Its parts end where addresses are multiples. */
	for (place = part - (unsigned long)area / sizeof(long) % part; place < words;
	     place += part) {
		hidden[nr] = kml_hidden_alloc(64);
		kml_hidden_reveal(&area[place - 1], hidden[nr++]);
		hidden[nr] = kml_hidden_alloc(64);
		kml_hidden_reveal(&area[place], hidden[nr++]);
	}
	KUNIT_EXPECT_GE(test, nr, 6);
	for (n = 0; n < ARRAY_SIZE(threads_numbers); n++) {
		KUNIT_EXPECT_EQ(test, kml_scan_by(threads_numbers[n], NULL), 0);
		for (i = 0; i < nr; i++)
			KUNIT_EXPECT_FALSE_MSG(test, kml_hidden_is_leak(hidden[i]),
					       "place %u, %u threads", i,
					       threads_numbers[n]);
	}
	while (nr)
		kml_hidden_free(hidden[--nr]);
	vfree(hidden);
	vfree(area);
}

/* ---- Who takes part ---- */

static void *no_memory(void)
{
	return NULL;
}

static unsigned int threads_of_scan(struct kunit *test, unsigned int wanted)
{
	unsigned int threads;

	mutex_lock(&kml_scan_mutex);
	kml_passes_start(kml_own_frame());
	kml_threads_start(wanted);
	KUNIT_EXPECT_EQ(test, kml_first_pass(), 0);
	threads = kml_threads_end();
	kml_passes_end();
	mutex_unlock(&kml_scan_mutex);
	return threads;
}

/* They come if there is a CPU for them, and no others than were asked for. */
static void threads_come(struct kunit *test)
{
	unsigned int i, most = 0;

	skip_if_off(test);
	for (i = 0; i < 5; i++) {
		unsigned int threads = threads_of_scan(test, 2);

		KUNIT_EXPECT_LE(test, threads, 2);
		most = max(most, threads);
		KUNIT_EXPECT_EQ(test, threads_of_scan(test, 1), 1);
	}
	if (num_online_cpus() > 1)
		KUNIT_EXPECT_EQ(test, most, 2);
}

/* Without memory for others a scan is made by one thread, and tells the same. */
static void threads_no_memory(struct kunit *test)
{
	void *(*memory)(void) = kml_threads_memory;
	unsigned long hidden[5], kept = kml_hidden_alloc(64);
	unsigned int i;

	skip_if_off(test);
	kml_hidden_reveal((unsigned long *)&threads_roots[0], kept);
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		hidden[i] = kml_hidden_alloc(64);
	kml_threads_memory = no_memory;
	KUNIT_EXPECT_EQ(test, threads_of_scan(test, KML_THREADS_MAX), 1);
	KUNIT_EXPECT_EQ(test, kml_scan_by(KML_THREADS_MAX, NULL), 0);
	kml_threads_memory = memory;
	KUNIT_EXPECT_EQ(test, kml_scan_stats()->threads, 1);
	KUNIT_EXPECT_TRUE(test, kml_hidden_any_leaks(hidden, ARRAY_SIZE(hidden)));
	KUNIT_EXPECT_FALSE(test, kml_hidden_is_leak(kept));
	threads_roots[0] = NULL;
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		kml_hidden_free(hidden[i]);
	kml_hidden_free(kept);
}

/* ---- Give away ---- */

/* Puts an object at hand, as if a pass had found it. */
static void threads_find(struct kunit *test, struct kml_worker *self, unsigned long hidden)
{
	struct kml_ref ref;

	KUNIT_ASSERT_TRUE(test, kml_hidden_find(hidden, &ref));
	set_bit(ref.index, ref.slab->seen);
	*self->top++ = (struct kml_mark_entry){
		.start = (const unsigned long *)kml_ref_start(&ref),
		.nr = kml_ref_size(&ref) / sizeof(long),
	};
	kml_ref_put(&ref);
}

static bool threads_is_gray(struct kunit *test, unsigned long hidden)
{
	struct kml_ref ref;
	bool gray;

	KUNIT_ASSERT_TRUE(test, kml_hidden_find(hidden, &ref));
	gray = test_bit(ref.index, kml_slab_gray(ref.slab));
	kml_ref_put(&ref);
	return gray;
}

/* Of what is at hand, the older half is for all threads, and none of it is lost. */
static void threads_give(struct kunit *test)
{
	struct kml_worker *self = &kml_refs.workers[0];
	unsigned long hidden[8];
	unsigned int i;

	skip_if_off(test);
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		hidden[i] = kml_hidden_alloc(64);
	mutex_lock(&kml_scan_mutex);
	kml_passes_start(kml_own_frame());
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		threads_find(test, self, hidden[i]);
	kml_give_away(self);
	KUNIT_EXPECT_EQ(test, self->top - self->stack, ARRAY_SIZE(hidden) / 2);
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		KUNIT_EXPECT_EQ(test, threads_is_gray(test, hidden[i]),
				i < ARRAY_SIZE(hidden) / 2);
	kml_drop_mark_stack(self);
	KUNIT_EXPECT_EQ(test, kml_scan_gray(), 0);
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		KUNIT_EXPECT_FALSE(test, threads_is_gray(test, hidden[i]));
	kml_passes_end();
	mutex_unlock(&kml_scan_mutex);
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		kml_hidden_free(hidden[i]);
}

/* ---- Stop ---- */

static int threads_scan(void *data)
{
	unsigned long *stopped = data;

	while (!kthread_should_stop()) {
		int ret = kml_scan_by(4, NULL);

		if (ret == -ECANCELED)
			WRITE_ONCE(*stopped, *stopped + 1);
		cond_resched();
	}
	return 0;
}

/* Nothing is left of a scan that was ended, whoever was at what. */
static void threads_expect_nothing(struct kunit *test)
{
	unsigned int i;

	mutex_lock(&kml_scan_mutex);
	KUNIT_EXPECT_FALSE(test, kml_refs.shared);
	KUNIT_EXPECT_PTR_EQ(test, kml_refs.gray, NULL);
	KUNIT_EXPECT_PTR_EQ(test, kml_refs.gray_slabs, NULL);
	KUNIT_EXPECT_TRUE(test, kml_mark_stack_is_empty(&kml_refs.workers[0]));
	for (i = 1; i < KML_THREADS_MAX; i++) {
		KUNIT_EXPECT_PTR_EQ(test, kml_refs.workers[i].task, NULL);
		KUNIT_EXPECT_PTR_EQ(test, kml_refs.workers[i].stack, NULL);
	}
	KUNIT_EXPECT_EQ(test, kml_scan_must_stop(), 0);
	mutex_unlock(&kml_scan_mutex);
}

static void threads_stop(struct kunit *test)
{
	unsigned long stopped = 0;
	struct task_struct *task;
	unsigned int i;

	skip_if_off(test);
	task = kthread_run(threads_scan, &stopped, "kmemleak_threads");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < THREADS_STOPS; i++) {
		usleep_range(500 * i, 500 * i + 500);
		mutex_lock(&kml_control_mutex);
		KUNIT_EXPECT_EQ(test, kml_bar_scans(-ECANCELED), 0);
		kml_allow_scans();
		mutex_unlock(&kml_control_mutex);
	}
	kthread_stop(task);
	KUNIT_EXPECT_GE(test, READ_ONCE(stopped), THREADS_STOPS / 4);
	threads_expect_nothing(test);
	KUNIT_EXPECT_EQ(test, kml_scan_by(4, NULL), 0);
}

static struct kunit_case threads_cases[] = {
	KUNIT_CASE_SLOW(threads_random),
	KUNIT_CASE_SLOW(threads_list),
	KUNIT_CASE(threads_long_object),
	KUNIT_CASE_SLOW(threads_come),
	KUNIT_CASE(threads_no_memory),
	KUNIT_CASE(threads_give),
	KUNIT_CASE_SLOW(threads_stop),
	{}
};

static int threads_init(struct kunit *test)
{
	kml_threads_insist = true;
	return 0;
}

static void threads_exit(struct kunit *test)
{
	kml_threads_insist = false;
}

static struct kunit_suite threads_suite = {
	.name = "kmemleak_scan_threads",
	.init = threads_init,
	.exit = threads_exit,
	.test_cases = threads_cases,
};

kunit_test_suite(threads_suite);
