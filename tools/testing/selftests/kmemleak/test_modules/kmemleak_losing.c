// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_losing: suites of KUnit that lose memory, for a KUnit that looks for that, and
 * one that does not.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "hidden.h"

/* What makes parameters is told for which test, but by older kernels. */
#ifndef KML_PARAMS
#define KML_PARAMS	struct kunit *test, const void *last, char *desc
#endif

/* So many at a time: a dead word may hide one or the other. */
#define LOST	16

static void *kept[LOST];

static noinline void lose_some(void)
{
	unsigned int i;

	for (i = 0; i < LOST; i++)
		WRITE_ONCE(kept[0], kmalloc(40, GFP_KERNEL));
	WRITE_ONCE(kept[0], NULL);
	wipe_stack(WIPE_DEPTH);
}

static void losing_nothing(struct kunit *test)
{
	void *managed = kunit_kmalloc(test, 40, GFP_KERNEL);
	void *freed = kmalloc(40, GFP_KERNEL);

	KUNIT_EXPECT_NOT_NULL(test, managed);
	kfree(freed);
}

static void losing_all(struct kunit *test)
{
	lose_some();
}

/* Until the exit of the suite. */
static void losing_kept(struct kunit *test)
{
	unsigned int i;

	for (i = 1; i < LOST; i++)
		kept[i] = kmalloc(40, GFP_KERNEL);
}

static void losing_failed(struct kunit *test)
{
	lose_some();
	KUNIT_FAIL(test, "for another reason");
}

static const int params[] = { 1, 2, 3 };

static void param_name(const int *param, char *desc)
{
	sprintf(desc, "param %d", *param);
}

KUNIT_ARRAY_PARAM(losing, params, param_name);

/* The second one does. */
static void losing_param(struct kunit *test)
{
	const int *param = test->param_value;

	if (*param == 2)
		lose_some();
}

/* After the last one it is not this function that does. */
static const void *losing_late_gen_params(KML_PARAMS)
{
	if (last) {
		lose_some();
		return NULL;
	}
	param_name(params, desc);
	return params;
}

static void losing_late(struct kunit *test)
{
}

static void free_kept(struct kunit_suite *suite)
{
	unsigned int i;

	for (i = 1; i < LOST; i++) {
		kfree(kept[i]);
		kept[i] = NULL;
	}
}

static void lose_kept(struct kunit_suite *suite)
{
	memset(kept, 0, sizeof(kept));
	wipe_stack(WIPE_DEPTH);
}

static struct kunit_case all_cases[] = {
	KUNIT_CASE(losing_nothing),
	KUNIT_CASE(losing_all),
	KUNIT_CASE(losing_kept),
	KUNIT_CASE(losing_failed),
	KUNIT_CASE_PARAM(losing_param, losing_gen_params),
	KUNIT_CASE_PARAM(losing_late, losing_late_gen_params),
	KUNIT_CASE(losing_nothing),
	{}
};

static struct kunit_suite suite_all = {
	.name = "kmemleak_losing",
	.suite_exit = free_kept,
	.test_cases = all_cases,
};

static struct kunit_case exit_cases[] = {
	KUNIT_CASE(losing_kept),
	{}
};

static struct kunit_suite suite_exit = {
	.name = "kmemleak_losing_exit",
	.suite_exit = lose_kept,
	.test_cases = exit_cases,
};

static struct kunit_case never_cases[] = {
	KUNIT_CASE(losing_all),
	{}
};

static struct kunit_suite suite_never = {
	.name = "kmemleak_losing_never",
	.attr.kmemleak = KUNIT_KMEMLEAK_OFF,
	.test_cases = never_cases,
};

static struct kunit_case always_cases[] = {
	KUNIT_CASE(losing_nothing),
	KUNIT_CASE(losing_all),
	{}
};

static struct kunit_suite suite_always = {
	.name = "kmemleak_losing_always",
	.attr.kmemleak = KUNIT_KMEMLEAK_ON,
	.test_cases = always_cases,
};

kunit_test_suites(&suite_all, &suite_exit, &suite_never, &suite_always);

MODULE_DESCRIPTION("Suites of KUnit that lose memory");
MODULE_LICENSE("GPL");
