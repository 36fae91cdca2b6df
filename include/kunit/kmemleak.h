/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit and the kernel memory leak detector: each case is followed by a scan for what
 * was allocated and lost.
 */
#ifndef _KUNIT_KMEMLEAK_H
#define _KUNIT_KMEMLEAK_H

struct kunit;
struct kunit_case;
struct kunit_suite;

/**
 * enum kunit_kmemleak - whether the cases of a suite are followed by scans
 * @KUNIT_KMEMLEAK_PARAM: if the parameter kunit.kmemleak says so
 * @KUNIT_KMEMLEAK_ON: in any case, if the detector is on
 * @KUNIT_KMEMLEAK_OFF: never, as for suites that test what a scan looks at
 */
enum kunit_kmemleak {
	KUNIT_KMEMLEAK_PARAM,
	KUNIT_KMEMLEAK_ON,
	KUNIT_KMEMLEAK_OFF,
};

#ifdef CONFIG_DEBUG_KMEMLEAK

void kunit_kmemleak_begin(struct kunit_suite *suite);
void kunit_kmemleak_case(struct kunit *test);
void kunit_kmemleak_params(struct kunit_case *test_case, struct kunit *test);
void kunit_kmemleak_end(struct kunit_suite *suite);

#else /* !CONFIG_DEBUG_KMEMLEAK */

static inline void kunit_kmemleak_begin(struct kunit_suite *suite) { }
static inline void kunit_kmemleak_case(struct kunit *test) { }
static inline void kunit_kmemleak_params(struct kunit_case *test_case,
					 struct kunit *test) { }
static inline void kunit_kmemleak_end(struct kunit_suite *suite) { }

#endif /* CONFIG_DEBUG_KMEMLEAK */

#endif /* _KUNIT_KMEMLEAK_H */
