// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of the search for direct leaks.
 *
 * Leaks are made by hand, of memory that the detector does not know: the order of
 * their addresses is for a test to choose. No scan runs meanwhile, and no test
 * stops before its end, as it would keep the mutex.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/kmemleak.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../scan/refs.h"
#include "slot.h"
#include "tree.h"

/* A node is a leak that may point at so many others. */
#define REACH_WORDS	8
#define REACH_SIZE	(REACH_WORDS * sizeof(long))

#define REACH_NODES	1000
#define REACH_ORDER	get_order(REACH_NODES * REACH_SIZE)

/* Nodes of random graphs, and how many of these. */
#define REACH_RANDOM	16
#define REACH_TURNS	400

static struct {
	unsigned long (*nodes)[REACH_WORDS];
	struct kml_record *recs[REACH_NODES];
	unsigned int nr;
	void *area;
	unsigned long __percpu *percpu;
	struct kml_record *area_obj;
	struct kml_record *percpu_obj;
} had;

/* ---- Leaks ---- */

static struct kml_record *new_leak(struct kunit *test, enum kml_space space,
				   unsigned long addr)
{
	struct kml_record *rec = kml_record_of(space, addr);

	KUNIT_EXPECT_NOT_NULL(test, rec);
	if (rec)
		kml_set_flags(rec, KML_LEAK, 0);
	return rec;
}

static void drop_leak(struct kml_record *rec)
{
	if (!rec)
		return;
	kml_set_flags(rec, 0, KML_LEAK);
	kml_put(rec);
}

static void make_nodes(struct kunit *test, unsigned int nr)
{
	memset(had.nodes, 0, nr * REACH_SIZE);
	for (had.nr = 0; had.nr < nr; had.nr++) {
		unsigned long *node = had.nodes[had.nr];

		kmemleak_alloc(node, REACH_SIZE, 1, GFP_KERNEL);
		had.recs[had.nr] = new_leak(test, KML_VIRT, addr_of(node));
	}
}

static void drop_nodes(void)
{
	while (had.nr) {
		drop_leak(had.recs[--had.nr]);
		kmemleak_free(had.nodes[had.nr]);
	}
}

/* The address of node @i, or one within it. */
static unsigned long node(unsigned int i)
{
	return addr_of(had.nodes[i]) + i % REACH_SIZE;
}

static void point(unsigned int from, unsigned int to)
{
	unsigned long *word = had.nodes[from];

	while (*word)
		word++;
	*word = node(to);
}

static void search(struct kunit *test)
{
	/* No scan may take the leaks for what they are not. */
	lockdep_assert_held(&kml_scan_mutex);
	KUNIT_EXPECT_EQ(test, kml_find_indirect(), 0);
}

static void expect_direct(struct kunit *test, const struct kml_record *rec)
{
	if (rec)
		KUNIT_EXPECT_EQ(test, rec->held_by, 0);
}

static void expect_held(struct kunit *test, const struct kml_record *rec,
			const struct kml_record *by)
{
	if (rec && by)
		KUNIT_EXPECT_EQ(test, rec->held_by, by->start);
}

static unsigned int count_direct(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < had.nr; i++)
		nr += had.recs[i] && !had.recs[i]->held_by;
	return nr;
}

/* ---- Shapes ---- */

static void indirect_alone(struct kunit *test)
{
	make_nodes(test, 3);
	/* The ends of neighbours are none of theirs. */
	had.nodes[1][0] = addr_of(had.nodes[1]) - 1 - REACH_SIZE;
	had.nodes[1][1] = addr_of(had.nodes[3]);
	search(test);
	KUNIT_EXPECT_EQ(test, count_direct(), 3);
}

static void indirect_self(struct kunit *test)
{
	make_nodes(test, 2);
	point(0, 0);
	point(1, 1);
	point(1, 1);
	search(test);
	KUNIT_EXPECT_EQ(test, count_direct(), 2);
}

/* All are lost with the head, wherever that is. */
static void indirect_list(struct kunit *test)
{
	unsigned int i;

	make_nodes(test, REACH_NODES);
	for (i = 0; i + 1 < REACH_NODES; i++)
		point(i, i + 1);
	search(test);
	KUNIT_EXPECT_EQ(test, count_direct(), 1);
	for (i = 1; i < REACH_NODES; i++)
		expect_held(test, had.recs[i], had.recs[i - 1]);
}

static void indirect_list_downwards(struct kunit *test)
{
	unsigned int i;

	make_nodes(test, REACH_NODES);
	for (i = 1; i < REACH_NODES; i++)
		point(i, i - 1);
	search(test);
	KUNIT_EXPECT_EQ(test, count_direct(), 1);
	for (i = 0; i + 1 < REACH_NODES; i++)
		expect_held(test, had.recs[i], had.recs[i + 1]);
}

/* As a list_head links them, in both directions. */
static void indirect_ring(struct kunit *test)
{
	unsigned int i, next;

	make_nodes(test, REACH_NODES);
	for (i = 0; i < REACH_NODES; i++) {
		/* Around in leaps: 7 and their number have no factor in common. */
		next = (i + 7) % REACH_NODES;
		point(i, next);
		point(next, i);
	}
	search(test);
	KUNIT_EXPECT_EQ(test, count_direct(), 1);
	expect_direct(test, had.recs[0]);
}

static void indirect_shared(struct kunit *test)
{
	make_nodes(test, 5);
	/* 1 and 3 share 2, which leads to 0, and that to 4. */
	point(1, 2);
	point(3, 2);
	point(2, 0);
	point(0, 4);
	search(test);
	KUNIT_EXPECT_EQ(test, count_direct(), 2);
	expect_direct(test, had.recs[1]);
	expect_direct(test, had.recs[3]);
	KUNIT_EXPECT_TRUE(test, had.recs[2]->held_by == had.recs[1]->start ||
			  had.recs[2]->held_by == had.recs[3]->start);
	expect_held(test, had.recs[0], had.recs[2]);
	expect_held(test, had.recs[4], had.recs[0]);
}

/* Two rings of two, one of which leads to the other, at these addresses. */
static void two_rings(struct kunit *test, const unsigned int *at)
{
	make_nodes(test, 4);
	point(at[0], at[1]);
	point(at[1], at[0]);
	point(at[2], at[3]);
	point(at[3], at[2]);
	point(at[1], at[2]);
	search(test);
	KUNIT_EXPECT_EQ_MSG(test, count_direct(), 1, "%u %u %u %u", at[0],
			    at[1], at[2], at[3]);
	expect_direct(test, had.recs[min(at[0], at[1])]);
	expect_held(test, had.recs[at[2]], had.recs[at[1]]);
	expect_held(test, had.recs[at[3]], had.recs[at[2]]);
	drop_nodes();
}

static void indirect_two_rings(struct kunit *test)
{
	unsigned int code, i, j;

	for (code = 0; code < 256; code++) {
		unsigned int at[4];
		bool differ = true;

		for (i = 0; i < 4; i++) {
			at[i] = code >> 2 * i & 3;
			for (j = 0; j < i; j++)
				differ = differ && at[i] != at[j];
		}
		if (differ)
			two_rings(test, at);
	}
}

/* ---- What is not looked into ---- */

static void indirect_no_scan(struct kunit *test)
{
	make_nodes(test, 4);
	point(0, 1);
	point(2, 3);
	kmemleak_no_scan(had.nodes[0]);
	search(test);
	expect_direct(test, had.recs[1]);
	expect_held(test, had.recs[3], had.recs[2]);
}

static void indirect_scan_area(struct kunit *test)
{
	make_nodes(test, 3);
	point(0, 1);
	point(0, 2);
	kmemleak_scan_area(&had.nodes[0][1], sizeof(long), GFP_KERNEL);
	search(test);
	expect_direct(test, had.recs[1]);
	expect_held(test, had.recs[2], had.recs[0]);
}

/* What is no leak leads to nothing, and is not led to. */
static void indirect_in_use(struct kunit *test)
{
	make_nodes(test, 3);
	point(0, 1);
	point(1, 2);
	kml_set_flags(had.recs[1], 0, KML_LEAK);
	had.recs[1]->held_by = 42;
	search(test);
	expect_direct(test, had.recs[0]);
	expect_direct(test, had.recs[2]);
	KUNIT_EXPECT_EQ(test, had.recs[1]->held_by, 42);
}

/* Nothing stays of what was found before. */
static void indirect_again(struct kunit *test)
{
	make_nodes(test, 3);
	point(0, 1);
	point(1, 2);
	search(test);
	expect_held(test, had.recs[1], had.recs[0]);
	had.nodes[0][0] = 0;
	point(2, 1);
	search(test);
	expect_direct(test, had.recs[0]);
	expect_direct(test, had.recs[1]);
	expect_held(test, had.recs[2], had.recs[1]);
	had.nodes[1][0] = 0;
	search(test);
	expect_held(test, had.recs[1], had.recs[2]);
	expect_direct(test, had.recs[2]);
}

/* ---- Other kinds of leaks ---- */

static void indirect_vmalloc(struct kunit *test)
{
	had.area = vzalloc(3 * PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, had.area);
	if (!had.area)
		return;
	had.area_obj = new_leak(test, KML_VIRT, addr_of(had.area));
	make_nodes(test, 3);
	/* From its last word, in another chunk than its first one. */
	((unsigned long *)(had.area + 3 * PAGE_SIZE))[-1] = node(2);
	had.nodes[1][3] = addr_of(had.area) + PAGE_SIZE;
	search(test);
	expect_direct(test, had.recs[0]);
	expect_direct(test, had.recs[1]);
	expect_held(test, had.area_obj, had.recs[1]);
	expect_held(test, had.recs[2], had.area_obj);

	/* By way of what describes the area, which is in use. */
	had.nodes[1][3] = addr_of(find_vm_area(had.area));
	search(test);
	expect_held(test, had.area_obj, had.recs[1]);
	had.nodes[1][3] = 0;
	search(test);
	expect_direct(test, had.area_obj);
	expect_held(test, had.recs[2], had.area_obj);
}

static void indirect_percpu(struct kunit *test)
{
	unsigned int last = cpumask_last(cpu_possible_mask);

	had.percpu = __alloc_percpu(64, 8);
	KUNIT_EXPECT_TRUE(test, had.percpu);
	if (!had.percpu)
		return;
	had.percpu_obj = new_leak(test, KML_PERCPU, percpu_addr(had.percpu));
	make_nodes(test, 3);
	*per_cpu_ptr(had.percpu + 5, last) = node(2);
	had.nodes[1][7] = percpu_addr(had.percpu) + 8;
	/* Its memory is not what it is known by. */
	had.nodes[0][0] = addr_of(per_cpu_ptr(had.percpu, last));
	search(test);
	expect_direct(test, had.recs[0]);
	expect_direct(test, had.recs[1]);
	expect_held(test, had.percpu_obj, had.recs[1]);
	expect_held(test, had.recs[2], had.percpu_obj);

	/* A ring of both kinds: what has the lowest address is direct. */
	*per_cpu_ptr(had.percpu, last) = node(1);
	search(test);
	if (percpu_addr(had.percpu) < addr_of(had.nodes[1])) {
		expect_direct(test, had.percpu_obj);
		expect_held(test, had.recs[1], had.percpu_obj);
	} else {
		expect_direct(test, had.recs[1]);
		expect_held(test, had.percpu_obj, had.recs[1]);
	}
	expect_held(test, had.recs[2], had.percpu_obj);
}

/* ---- Random graphs ---- */

/**
 * struct graph - who points at whom, and what follows from it
 * @edges: bitmap of the nodes that a node points at
 * @reach: the same for those that it leads to in any number of steps
 */
struct graph {
	u32 edges[REACH_RANDOM];
	u32 reach[REACH_RANDOM];
};

static void make_graph(struct graph *graph, unsigned int nr,
		       struct rnd_state *random)
{
	unsigned int left = prandom_u32_state(random) % (2 * nr + 1);
	unsigned int i, j, k;

	memset(graph, 0, sizeof(*graph));
	while (left--) {
		i = prandom_u32_state(random) % nr;
		j = prandom_u32_state(random) % nr;
		if (hweight32(graph->edges[i]) == REACH_WORDS - 1 ||
		    graph->edges[i] & BIT(j))
			continue;
		graph->edges[i] |= BIT(j);
		point(i, j);
	}
	memcpy(graph->reach, graph->edges, sizeof(graph->reach));
	for (k = 0; k < nr; k++) {
		for (i = 0; i < nr; i++) {
			if (graph->reach[i] & BIT(k))
				graph->reach[i] |= graph->reach[k];
		}
	}
}

/* Does anything lead to it but what it leads to itself, and is above it? */
static bool is_direct(const struct graph *graph, unsigned int nr, unsigned int i)
{
	unsigned int j;

	for (j = 0; j < nr; j++) {
		if (j != i && graph->reach[j] & BIT(i) &&
		    (j < i || !(graph->reach[i] & BIT(j))))
			return false;
	}
	return true;
}

/* From whoever holds a node, and who holds that, one comes to a direct leak. */
static bool is_led_to(const struct graph *graph, unsigned int i)
{
	unsigned int steps, by;

	for (steps = 0; steps < REACH_RANDOM; steps++) {
		if (!had.recs[i]->held_by)
			return true;
		by = (had.recs[i]->held_by - addr_of(had.nodes)) / REACH_SIZE;
		if (by >= had.nr || by == i || !(graph->edges[by] & BIT(i)))
			return false;
		i = by;
	}
	return false;
}

static bool random_turn(struct kunit *test, struct rnd_state *random)
{
	unsigned int i, nr = 1 + prandom_u32_state(random) % REACH_RANDOM;
	struct graph graph;
	bool good = true;

	make_nodes(test, nr);
	make_graph(&graph, nr, random);
	search(test);
	for (i = 0; i < nr; i++) {
		good = good && is_led_to(&graph, i) &&
		       is_direct(&graph, nr, i) == !had.recs[i]->held_by;
	}
	drop_nodes();
	return good;
}

static void indirect_random(struct kunit *test)
{
	struct rnd_state random;
	unsigned int i;

	prandom_seed_state(&random, 5);
	for (i = 0; i < REACH_TURNS; i++) {
		if (random_turn(test, &random))
			continue;
		KUNIT_FAIL(test, "graph %u", i);
		break;
	}
}

/* ---- The suite ---- */

struct indirect_case {
	const char *name;
	void (*run)(struct kunit *test);
};

#define REACH_CASE(self)		{ .name = #self, .run = indirect_##self }

static const struct indirect_case cases[] = {
	REACH_CASE(alone),
	REACH_CASE(self),
	REACH_CASE(list),
	REACH_CASE(list_downwards),
	REACH_CASE(ring),
	REACH_CASE(shared),
	REACH_CASE(two_rings),
	REACH_CASE(no_scan),
	REACH_CASE(scan_area),
	REACH_CASE(in_use),
	REACH_CASE(again),
	REACH_CASE(vmalloc),
	REACH_CASE(percpu),
	REACH_CASE(random),
};

static void case_desc(const struct indirect_case *indirect_case, char *desc)
{
	strscpy(desc, indirect_case->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(case, cases, case_desc);

static void indirect_search(struct kunit *test)
{
	const struct indirect_case *indirect_case = test->param_value;

	mutex_lock(&kml_scan_mutex);
	indirect_case->run(test);
	drop_nodes();
	drop_leak(had.area_obj);
	drop_leak(had.percpu_obj);
	mutex_unlock(&kml_scan_mutex);
}

static int indirect_init(struct kunit *test)
{
	skip_if_off(test);
	had.nodes = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO,
					     REACH_ORDER);
	return had.nodes ? 0 : -ENOMEM;
}

static void indirect_exit(struct kunit *test)
{
	vfree(had.area);
	free_percpu(had.percpu);
	free_pages((unsigned long)had.nodes, REACH_ORDER);
	memset(&had, 0, sizeof(had));
}

static struct kunit_case indirect_cases[] = {
	KUNIT_CASE_PARAM(indirect_search, case_gen_params),
	{}
};

static struct kunit_suite indirect_suite = {
	.name = "kmemleak_indirect",
	.init = indirect_init,
	.exit = indirect_exit,
	.test_cases = indirect_cases,
};

kunit_test_suite(indirect_suite);
