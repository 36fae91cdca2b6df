/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: two sides that act on one object at a time.
 */
#ifndef __MM_KMEMLEAK_TESTS_SIDES_H
#define __MM_KMEMLEAK_TESTS_SIDES_H

#include <kunit/test.h>
#include <linux/types.h>

/**
 * struct kml_sides - two sides that act on one object after the other
 * @alloc: make an object, or return NULL
 * @mine: what the test does to it
 * @theirs: what a thread on another CPU does to it
 * @check: after both: tell if it is as it should be, and free what is left
 * @turns: objects that it may act on by now
 * @done: those that it has acted on
 * @called: calls to the thread, to know that it is running
 * @answered: the last one that it has seen
 * @wait: steps that it waits before the next one; if negative, the test does
 * @ptr: the object
 * @acted: the test has acted on it
 * @late: it had, when the thread began to
 * @theirs_first: turns in which the thread was ready when the test began
 * @mine_first: turns in which the test was ready when the thread began
 * @met: all others, in which both have acted at a time
 * @wrong: turns after which the object was not as it should be
 */
struct kml_sides {
	void *(*alloc)(void);
	void (*mine)(void *ptr);
	void (*theirs)(void *ptr);
	bool (*check)(void *ptr);
	unsigned int turns;
	unsigned int done;
	unsigned int called;
	unsigned int answered;
	int wait;
	void *ptr;
	bool acted;
	bool late;
	unsigned int theirs_first;
	unsigned int mine_first;
	unsigned int met;
	unsigned int wrong;
};

void kml_sides_run(struct kunit *test, struct kml_sides *sides);

#endif /* __MM_KMEMLEAK_TESTS_SIDES_H */
