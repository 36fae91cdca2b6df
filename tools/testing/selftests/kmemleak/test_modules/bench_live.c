// SPDX-License-Identifier: GPL-2.0
/* Many objects that live at the same time. */

#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmstat.h>
#include "bench.h"

#define MILLION		1000000

/*
 * Small ones dominate, as in the slabinfo of any machine: of 64 objects, 47 have
 * at most 128 bytes. The average is 210 bytes.
 */
static const struct {
	u16 size;
	u16 number;
} mixture[] = {
	{ 8, 5 }, { 16, 7 }, { 32, 11 }, { 64, 12 }, { 96, 4 }, { 128, 8 },
	{ 192, 8 }, { 256, 4 }, { 512, 2 }, { 1024, 1 }, { 2048, 1 }, { 4096, 1 },
};

static size_t mixed_size(unsigned long nr)
{
	static size_t sizes[64];
	unsigned int kind, i, place = 0;

	/* 27 and 64 have no common divisor: each place has its turn, 0 the last. */
	for (kind = 0; !sizes[0] && kind < ARRAY_SIZE(mixture); kind++) {
		for (i = 0; i < mixture[kind].number; i++) {
			place = (place + 27) % 64;
			sizes[place] = mixture[kind].size;
		}
	}
	return sizes[nr % 64];
}

/* A chain: the first bytes of each object say where the next one is. */
static void *live;
static unsigned long nr_live;

static bool add_live(void **ptr)
{
	if (!ptr) {
		bench_failed = true;
		return false;
	}
	*ptr = live;
	live = ptr;
	nr_live++;
	return true;
}

static void grow_live(void *number)
{
	while (nr_live < *(unsigned int *)number &&
	       add_live(kmalloc(mixed_size(nr_live), GFP_KERNEL))) {
		if (nr_live % 128 == 0)
			cond_resched();
	}
}

static void free_live(void)
{
	while (live) {
		void *next = *(void **)live;

		kfree(live);
		live = next;
		if (--nr_live % 128 == 0)
			cond_resched();
	}
}

/* To the page: with those that CPUs keep for themselves. */
static unsigned long free_pages_now(void)
{
	unsigned long pages = 0;
	unsigned int cpu, i;
	struct zone *zone;
	int nid;

	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			if (!populated_zone(zone))
				continue;
			pages += zone_page_state_snapshot(zone, NR_FREE_PAGES);
			for_each_online_cpu(cpu)
				pages += per_cpu_ptr(zone->per_cpu_pageset, cpu)->count;
		}
	}
	return pages;
}

static const unsigned int numbers[] = { 10000, 100000, MILLION };

/*
 * Memory that the system has freed since it was booted is used first, and objects
 * there would seem to take none.
 */
static const unsigned int use_up = 20000;

static void measure_memory(void)
{
	unsigned long before = free_pages_now();
	unsigned int i, number;
	char name[64];

	bench_result("free pages", before);
	bench_deep(BENCH_DEEP, grow_live, (void *)&use_up);
	before = free_pages_now();
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		number = use_up + numbers[i];
		bench_deep(BENCH_DEEP, grow_live, &number);
		snprintf(name, sizeof(name), "pages of %u live objects", numbers[i]);
		bench_result(name, before - free_pages_now());
	}
	free_live();
}

static void measure_growth(void)
{
	struct bench_batch batch;
	char name[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		bench_deep(BENCH_DEEP, grow_live, (void *)&numbers[i]);
		snprintf(name, sizeof(name), "kmalloc(64) pair beside %u", numbers[i]);
		bench_result(name, bench_time_pair(&bench_pair_kmalloc));
		batch = bench_time_batch(true, -1);
		snprintf(name, sizeof(name), "batch alloc and free beside %u", numbers[i]);
		bench_result(name, batch.alloc + batch.free);
	}
	free_live();
}

/* The memory first: later, there would be some in reserve that no one counted. */
void bench_run_live(void)
{
	measure_memory();
	measure_growth();
}

struct latency {
	bool keep;
	u64 slowest;
};

static void measure_latency(void *data)
{
	struct latency *latency = data;
	unsigned int i;

	for (i = 0; i < MILLION; i++) {
		unsigned long flags;
		u64 begin, time;
		void *ptr;

		local_irq_save(flags);
		begin = ktime_get_ns();
		ptr = kmalloc(64, GFP_ATOMIC);
		time = ktime_get_ns() - begin;
		local_irq_restore(flags);
		latency->slowest = max(latency->slowest, time);
		if (!add_live(ptr))
			return;
		if (!latency->keep)
			free_live();
		if (i % 128 == 0)
			cond_resched();
	}
}

/*
 * The slowest allocation of a million. Either all stay until the end, so that
 * whatever grows with their number has to, or none does, so that the slab has
 * one at hand each time. Interrupts are off during each one: what they take is
 * not the allocator's.
 */
void bench_run_latency(void)
{
	struct latency keep = { .keep = true };
	struct latency drop = {};

	bench_deep(BENCH_DEEP, measure_latency, &keep);
	bench_result("slowest kmalloc(64), all kept", keep.slowest);
	free_live();
	bench_deep(BENCH_DEEP, measure_latency, &drop);
	bench_result("slowest kmalloc(64), none kept", drop.slowest);
}
