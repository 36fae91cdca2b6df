// SPDX-License-Identifier: GPL-2.0
/* Pairs of an allocation and its free, one after the other or in batches. */

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "bench.h"

#define WARM_UP		(50 * NSEC_PER_MSEC)
#define TIME		(400 * NSEC_PER_MSEC)
/* Between two looks at the clock. */
#define ROUNDS		128
#define ROUNDS_EACH_CPU	10000
#define OBJECT		192
#define BULK		16
#define BATCH		10000
#define STACKS		8
#define PERCPU_SIZE	64
#define PERCPU_FILL	SZ_8K
#define PERCPU_AREAS	65536

static struct kmem_cache *cache;

static noinline void pair_kmalloc(size_t size)
{
	void *ptr = kmalloc(size, GFP_KERNEL);

	bench_failed |= !ptr;
	kfree(ptr);
}

static void pair_64(void *unused)
{
	pair_kmalloc(64);
}

static noinline void pair_stacks(size_t size)
{
	static unsigned int turn;

	bench_deep(turn++ % STACKS, pair_64, NULL);
}

static noinline void pair_cache(size_t size)
{
	void *ptr = kmem_cache_alloc(cache, GFP_KERNEL);

	bench_failed |= !ptr;
	if (ptr)
		kmem_cache_free(cache, ptr);
}

static noinline void pair_bulk(size_t number)
{
	void *ptrs[BULK];

	if (kmem_cache_alloc_bulk(cache, GFP_KERNEL, number, ptrs))
		kmem_cache_free_bulk(cache, number, ptrs);
	else
		bench_failed = true;
}

static void __percpu **percpu_areas;
static unsigned int percpu_nr_areas;

/*
 * What the per-CPU allocator takes depends on where it finds room, and that on what others
 * have, which is not the same in any two kernels. So all of its room is taken until it
 * makes more, which starts with a page, and of that one area is left for the pair.
 */
static int begin_percpu(void)
{
	unsigned long addr, last = 0, first = 0;
	void __percpu *area;
	unsigned int hole;

	percpu_areas = vcalloc(PERCPU_AREAS, sizeof(*percpu_areas));
	if (!percpu_areas)
		return -ENOMEM;
	do {
		if (percpu_nr_areas == PERCPU_AREAS)
			return -ENOSPC;
		area = __alloc_percpu(PERCPU_SIZE, sizeof(int));
		if (!area)
			return -ENOMEM;
		percpu_areas[percpu_nr_areas++] = area;
		addr = (unsigned long __force)area;
		if (addr != last + PERCPU_SIZE)
			first = addr;
		last = addr;
	} while (first % SZ_4K || addr - first < PERCPU_FILL);

	hole = percpu_nr_areas - 1 - (addr - first - SZ_2K) / PERCPU_SIZE;
	free_percpu(percpu_areas[hole]);
	percpu_areas[hole] = NULL;
	return 0;
}

static void end_percpu(void)
{
	while (percpu_nr_areas)
		free_percpu(percpu_areas[--percpu_nr_areas]);
	vfree(percpu_areas);
}

static noinline void pair_percpu(size_t size)
{
	void __percpu *ptr = __alloc_percpu(size, sizeof(long));

	bench_failed |= !ptr;
	free_percpu(ptr);
}

static noinline void pair_vmalloc(size_t size)
{
	void *ptr = vmalloc(size);

	bench_failed |= !ptr;
	vfree(ptr);
}

const struct bench_pair bench_pairs[] = {
	{ "kmalloc(8) pair, shallow",		pair_kmalloc,	8 },
	{ "kmalloc(64) pair, shallow",		pair_kmalloc,	64 },
	{ "kmalloc(512) pair, shallow",		pair_kmalloc,	512 },
	{ "kmalloc(4096) pair, shallow",	pair_kmalloc,	4096 },
	{ "kmalloc(64) pair, 8 stacks",		pair_stacks,	64 },
	{ "kmalloc(8) pair, deep",		pair_kmalloc,	8,	BENCH_DEEP },
	{ "kmalloc(64) pair, deep",		pair_kmalloc,	64,	BENCH_DEEP },
	{ "kmalloc(512) pair, deep",		pair_kmalloc,	512,	BENCH_DEEP },
	{ "kmalloc(4096) pair, deep",		pair_kmalloc,	4096,	BENCH_DEEP },
	{ "kmem_cache pair",			pair_cache,	OBJECT,	BENCH_DEEP },
	{ "bulk of 16, alloc and free",		pair_bulk,	BULK,	BENCH_DEEP },
	{ "percpu pair",			pair_percpu,	PERCPU_SIZE, BENCH_DEEP,
	  begin_percpu, end_percpu },
	{ "vmalloc pair",			pair_vmalloc,	4096,	BENCH_DEEP },
};

const unsigned int bench_nr_pairs = ARRAY_SIZE(bench_pairs);

const struct bench_pair bench_pair_kmalloc = {
	.pair = pair_kmalloc, .size = 64, .levels = BENCH_DEEP,
};

struct pair_timing {
	const struct bench_pair *pair;
	u64 time;
};

/*
 * Long enough that what a detector puts off comes due as often as it is caused.
 * For that, others have to run: threads, and the callbacks of RCU.
 */
static void time_pair(void *data)
{
	struct pair_timing *timing = data;
	u64 begin = ktime_get_ns(), now = begin, rounds = 0;
	bool warm = false;
	int i;

	while (!warm || now - begin < TIME) {
		for (i = 0; i < ROUNDS; i++)
			timing->pair->pair(timing->pair->size);
		rounds += ROUNDS;
		cond_resched();
		now = ktime_get_ns();
		if (!warm && now - begin >= WARM_UP) {
			warm = true;
			rounds = 0;
			begin = now;
		}
	}
	timing->time = div64_u64(now - begin, rounds);
}

u64 bench_time_pair(const struct bench_pair *pair)
{
	struct pair_timing timing = { .pair = pair };

	if (pair->begin && pair->begin())
		bench_failed = true;
	bench_deep(pair->levels, time_pair, &timing);
	if (pair->end)
		pair->end();
	return timing.time;
}

static void repeat_pair(void *data)
{
	const struct bench_pair *pair = data;
	int i;

	for (i = 0; i < ROUNDS_EACH_CPU; i++) {
		pair->pair(pair->size);
		if (i % ROUNDS == 0)
			cond_resched();
	}
}

static DECLARE_COMPLETION(repeated);

static int repeat_thread(void *data)
{
	const struct bench_pair *pair = data;

	bench_deep(pair->levels, repeat_pair, data);
	complete(&repeated);
	return 0;
}

u64 bench_run_everywhere(const struct bench_pair *pair)
{
	unsigned int cpu, i, threads = 0;
	struct task_struct *task;

	for_each_online_cpu(cpu) {
		task = kthread_create(repeat_thread, (void *)pair, "kmemleak_bench/%u", cpu);
		if (IS_ERR(task)) {
			bench_failed = true;
			continue;
		}
		kthread_bind(task, cpu);
		wake_up_process(task);
		threads++;
	}
	for (i = 0; i < threads; i++)
		wait_for_completion(&repeated);
	return (u64)threads * ROUNDS_EACH_CPU;
}

/* Object i of a batch is the i-th to be allocated, and is freed in another turn. */
static u32 batch_turn[BATCH];
static void *batch[BATCH];

static void set_turns(bool random)
{
	u32 seed = 1;
	int i;

	for (i = 0; i < BATCH; i++)
		batch_turn[i] = i;
	for (i = BATCH - 1; random && i > 0; i--) {
		u32 other = bench_random(&seed, i + 1);

		swap(batch_turn[i], batch_turn[other]);
	}
}

static void alloc_batch(void *unused)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		void *ptr = kmalloc(64, GFP_KERNEL);

		bench_failed |= !ptr;
		batch[batch_turn[i]] = ptr;
		if (i % ROUNDS == 0)
			cond_resched();
	}
}

static long free_batch(void *unused)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		kfree(batch[i]);
		if (i % ROUNDS == 0)
			cond_resched();
	}
	return 0;
}

/*
 * Work that a free puts off may come due while others allocate. Either that counts,
 * with the frees, or the next batch waits for all of it, and only allocations count.
 */
static u64 time_batches(bool with_free, int cpu)
{
	u64 time = 0, objects = 0, begin, allocated;
	bool warm = false;

	while (!warm || time < TIME) {
		if (!with_free)
			rcu_barrier();
		begin = ktime_get_ns();
		bench_deep(BENCH_DEEP, alloc_batch, NULL);
		allocated = ktime_get_ns();
		if (cpu < 0)
			free_batch(NULL);
		else
			work_on_cpu(cpu, free_batch, NULL);
		time += (with_free ? ktime_get_ns() : allocated) - begin;
		objects += BATCH;
		if (!warm && time >= WARM_UP) {
			warm = true;
			objects = 0;
			time = 0;
		}
	}
	return div64_u64(time, objects);
}

struct bench_batch bench_time_batch(bool random, int cpu)
{
	u64 alloc;

	set_turns(random);
	alloc = time_batches(false, cpu);
	return (struct bench_batch) {
		.alloc = alloc,
		.free = time_batches(true, cpu) - alloc,
	};
}

int bench_pairs_init(void)
{
	cache = kmem_cache_create("kmemleak_bench", OBJECT, 0, 0, NULL);
	return cache ? 0 : -ENOMEM;
}

void bench_pairs_exit(void)
{
	kmem_cache_destroy(cache);
}
