// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of what tells tests in the kernel of leaks.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kmemleak.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hidden.h"

/* Lost at a time: a dead word may hide one or the other. */
#define LOST	8

/**
 * struct told - what was reported
 * @records: first lines of records
 * @frames: lines that name this file's function
 * @bad: lines with a newline, or that are none of a report
 */
struct told {
	unsigned int records;
	unsigned int frames;
	unsigned int bad;
};

static void hear(void *arg, const char *line)
{
	struct told *told = arg;

	if (str_has_prefix(line, "unreferenced object "))
		told->records++;
	else if (!str_has_prefix(line, "  "))
		told->bad++;
	if (strstr(line, "kml_hidden_alloc+"))
		told->frames++;
	if (strchr(line, '\n'))
		told->bad++;
}

static noinline void lose(unsigned long *hidden)
{
	unsigned int i;

	for (i = 0; i < LOST; i++)
		hidden[i] = kml_hidden_alloc(40);
}

static void find_again(const unsigned long *hidden)
{
	unsigned int i;

	for (i = 0; i < LOST; i++)
		kml_hidden_free(hidden[i]);
}

/* What was lost counts once, and what is older does not. */
static void interval_counts(struct kunit *test)
{
	struct kmemleak_test interval, inner;
	unsigned long old[LOST], lost[LOST];
	struct told told = {};
	int nr, later;

	lose(old);
	msleep(100);
	kmemleak_test_begin(&interval);
	nr = kmemleak_test_end(&interval);
	KUNIT_EXPECT_EQ_MSG(test, nr, 0, "lost before it began");

	kmemleak_test_begin(&inner);
	lose(lost);
	nr = kmemleak_test_end(&inner);
	KUNIT_EXPECT_GE(test, nr, 1);
	KUNIT_EXPECT_LE(test, nr, LOST);
	kmemleak_test_report(&inner, LOST, hear, &told);
	KUNIT_EXPECT_EQ(test, told.records, nr);
	KUNIT_EXPECT_EQ(test, told.frames, nr);
	KUNIT_EXPECT_EQ(test, told.bad, 0);

	memset(&told, 0, sizeof(told));
	kmemleak_test_report(&inner, 1, hear, &told);
	KUNIT_EXPECT_EQ(test, told.records, 1);

	/* Nothing else was lost since then, but for what was hidden until now. */
	later = kmemleak_test_end(&inner);
	KUNIT_EXPECT_GE(test, later, 0);
	KUNIT_EXPECT_LE(test, later, LOST - nr);
	memset(&told, 0, sizeof(told));
	kmemleak_test_report(&inner, LOST, hear, &told);
	KUNIT_EXPECT_EQ(test, told.records, later);
	find_again(lost);
	find_again(old);
}

/* What somebody keeps is no leak, until it is lost. */
static void interval_kept(struct kunit *test)
{
	static void *kept;
	struct kmemleak_test interval;
	unsigned long hidden;

	kmemleak_test_begin(&interval);
	kept = kzalloc(40, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kept);
	KUNIT_EXPECT_EQ(test, kmemleak_test_end(&interval), 0);
	hidden = ~(unsigned long)kept;
	WRITE_ONCE(kept, NULL);
	OPTIMIZER_HIDE_VAR(hidden);
	/* A word that has gone may hide it. */
	KUNIT_EXPECT_LE(test, kmemleak_test_end(&interval), 1);
	kml_hidden_free(hidden);
	KUNIT_EXPECT_EQ(test, kmemleak_test_end(&interval), 0);
}

static struct kunit_case interval_cases[] = {
	KUNIT_CASE(interval_counts),
	KUNIT_CASE(interval_kept),
	{}
};

static struct kunit_suite interval_suite = {
	.name = "kmemleak_interval",
	.test_cases = interval_cases,
};

kunit_test_suite(interval_suite);
