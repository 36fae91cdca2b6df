/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names that the parts of kmemleak_leaky share. There is one for each pattern, which the
 * user guide shows: a function with a mistake as drivers make it, and the same
 * function without it. All that the test needs is outside of these two.
 */
#ifndef KMEMLEAK_TEST_LEAKY_H
#define KMEMLEAK_TEST_LEAKY_H

#include <linux/types.h>

struct leaky_pattern {
	const char *name;
	int (*run)(void);
	void (*exit)(void);
};

extern const struct leaky_pattern error_path_pattern;
extern const struct leaky_pattern exit_buffer_pattern;
extern const struct leaky_pattern refcount_pattern;
extern const struct leaky_pattern condition_pattern;
extern const struct leaky_pattern cache_pattern;

/* Which of the two functions is to run. */
extern bool leaky_fixed;

void expect_leak(const void *obj, size_t size, const char *func);

#endif /* KMEMLEAK_TEST_LEAKY_H */
