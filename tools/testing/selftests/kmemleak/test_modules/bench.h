/* SPDX-License-Identifier: GPL-2.0 */
/* Names that the parts of kmemleak_bench share. */
#ifndef _KMEMLEAK_BENCH_H
#define _KMEMLEAK_BENCH_H

#include <linux/types.h>

/* More frames than any detector keeps. */
#define BENCH_DEEP	24

/* Something was not to be had: what is measured is worth nothing then. */
extern bool bench_failed;

/* Says how a row of the table came out. */
void bench_result(const char *name, u64 value);

/* The same numbers each time, from a seed of 1. */
static inline u32 bench_random(u32 *seed, u32 below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

/* Calls fn() from so many frames below its caller. */
void bench_deep(unsigned int levels, void (*fn)(void *arg), void *arg);

/* A pair: allocates something and frees it. */
struct bench_pair {
	const char *name;
	void (*pair)(size_t size);
	size_t size;
	unsigned int levels;
	/* What makes it the same in each kernel, and what undoes that, if either is. */
	int (*begin)(void);
	void (*end)(void);
};

extern const struct bench_pair bench_pairs[];
extern const unsigned int bench_nr_pairs;
extern const struct bench_pair bench_pair_kmalloc;

/* Nanoseconds a pair. */
u64 bench_time_pair(const struct bench_pair *pair);

/*
 * Nanoseconds an object of a batch that is allocated as a whole, here, and then
 * freed as a whole: here if cpu is negative.
 */
struct bench_batch {
	u64 alloc;
	u64 free;
};

struct bench_batch bench_time_batch(bool random, int cpu);

int bench_pairs_init(void);
void bench_pairs_exit(void);

/* Runs a pair on all CPUs at once, and returns how often it ran in all. */
u64 bench_run_everywhere(const struct bench_pair *pair);

void bench_run_live(void);
void bench_run_latency(void);

/* Objects for a scan. They stay until they are freed, at the end of the module. */
void bench_run_objects(void);
void bench_free_objects(void);
void bench_run_stream(void);

#endif
