// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit and the kernel memory leak detector: each case is followed by a scan for what
 * was allocated and lost.
 *
 * What a case has allocated may be lost by another one, or by the exit of its suite:
 * what counts is after which of them it was lost. What a suite keeps until then is
 * referred to by something, and no leak.
 */
#include <kunit/kmemleak.h>
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/kmemleak.h>
#include <linux/moduleparam.h>

/* Of so many leaks there are records in the log of a case. */
#define RECORDS	5

static bool kmemleak;
module_param(kmemleak, bool, 0644);
MODULE_PARM_DESC(kmemleak, "Let cases fail that lose memory");

/* Since the suite began that runs; one does at a time. */
static struct kmemleak_test since;
static bool active;

static void print_line(void *arg, const char *line)
{
	kunit_log(KERN_INFO, (struct kunit *)arg,
		  KUNIT_SUBTEST_INDENT KUNIT_SUBTEST_INDENT "# %s", line);
}

static void print_line_of_suite(void *arg, const char *line)
{
	kunit_log(KERN_INFO, (struct kunit_suite *)arg,
		  KUNIT_SUBTEST_INDENT "# %s", line);
}

/**
 * kunit_kmemleak_begin() - from now on look at what a suite loses
 * @suite: the suite, before its init
 */
void kunit_kmemleak_begin(struct kunit_suite *suite)
{
	active = suite->attr.kmemleak == KUNIT_KMEMLEAK_ON ||
		 (suite->attr.kmemleak == KUNIT_KMEMLEAK_PARAM && kmemleak);
	if (active)
		kmemleak_test_begin(&since);
}

static bool has_lost(struct kunit *test)
{
	int leaks;

	if (!active)
		return false;
	leaks = kmemleak_test_end(&since);
	if (leaks < 0) {
		/* Nobody asks for it again in this suite. */
		active = false;
		kunit_info(test, "kmemleak: no scan, error %d", leaks);
		return false;
	}
	if (!leaks)
		return false;
	kunit_err(test, "kmemleak: %d objects were allocated and lost", leaks);
	kmemleak_test_report(&since, RECORDS, print_line, test);
	return true;
}

/**
 * kunit_kmemleak_case() - let a case fail if something was lost since the one before
 * @test: the case, or one of its parameters, after its clean-up
 */
void kunit_kmemleak_case(struct kunit *test)
{
	if (has_lost(test))
		kunit_set_failure(test);
}

/**
 * kunit_kmemleak_params() - let a case fail if what makes its parameters lost something
 * @test_case: the case, with parameters or without, after the last one and their exit
 * @test: what it runs as
 */
void kunit_kmemleak_params(struct kunit_case *test_case, struct kunit *test)
{
	if (test_case->generate_params && has_lost(test))
		test_case->status = KUNIT_FAILURE;
}

/**
 * kunit_kmemleak_end() - let a suite fail if something was lost after its last case
 * @suite: the suite, after its exit
 */
void kunit_kmemleak_end(struct kunit_suite *suite)
{
	int leaks;

	if (!active)
		return;
	active = false;
	leaks = kmemleak_test_end(&since);
	if (leaks <= 0)
		return;
	/* All that tells of a suite without regard to its cases. */
	if (!suite->suite_init_err)
		suite->suite_init_err = -EUCLEAN;
	kunit_err(suite, "kmemleak: %d objects were allocated and lost after its cases",
		  leaks);
	kmemleak_test_report(&since, RECORDS, print_line_of_suite, suite);
}
