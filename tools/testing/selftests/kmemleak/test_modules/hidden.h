/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the test modules remember the address of an object they leak without
 * holding a reference to it.
 */
#ifndef KMEMLEAK_TEST_HIDDEN_H
#define KMEMLEAK_TEST_HIDDEN_H

#include <linux/compiler.h>
#include <linux/kasan.h>
#include <linux/string.h>

/* The complement of an address is no address of anything. */
static inline unsigned long hide_address(const void *obj)
{
	return ~(unsigned long)obj;
}

static inline void *reveal_address(unsigned long hidden)
{
	return (void *)~hidden;
}

/* The address as the report has it: KASAN's tag is not part of it. */
static inline unsigned long reported_address(const void *obj)
{
	return (unsigned long)kasan_reset_tag(obj);
}

/* Deep enough for what an allocation leaves below its caller's frame. */
#define WIPE_DEPTH	12

/**
 * wipe_stack() - Overwrite what finished calls left on the stack.
 * @depth: how many frames of half a kilobyte to clear below the caller.
 *
 * A dead frame may still hold the address of an object, and the stack of a
 * process that exits is kept for the next one: either would hide a leak.
 */
static noinline __maybe_unused void wipe_stack(unsigned int depth)
{
	unsigned long frame[512 / sizeof(unsigned long)];

	memset(frame, 0, sizeof(frame));
	barrier_data(frame);
	if (depth)
		wipe_stack(depth - 1);
	/* Used after the call, so that the frames lie below one another. */
	barrier_data(frame);
}

#endif /* KMEMLEAK_TEST_HIDDEN_H */
