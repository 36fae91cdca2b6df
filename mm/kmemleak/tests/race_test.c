// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: allocations, frees, scans, all at once.
 *
 * Threads on all CPUs allocate objects of many kinds and leave them in places
 * that all threads count, where another one takes them, annotates them, frees
 * them. Caches come and go, so that pages and addresses of caches come back for
 * other objects. Meanwhile one thread scans all the time, and one looks up what
 * may or may not be there. From time to time all of them stand still, and what
 * is tracked is compared with what is held.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kfence.h>
#include <linux/kmemleak.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "audit.h"
#include "cache.h"
#include "tree.h"

/* Places for objects, for each CPU. */
#define RACE_PLACES	128

/* Objects of a cache that comes and goes. */
#define RACE_PRIVATE	24

/* Rounds, with a look at everything after each; and how long one is. */
#define RACE_ROUNDS	3
#define RACE_MSECS	700

/* Scans there must have been, however slow the machine. */
#define RACE_SCANS	3

#define RACE_BULK	8

/* ---- What is allocated ---- */

struct race_shape {
	unsigned int size;
	unsigned int align;
	slab_flags_t flags;
};

/* Those of the shared caches, and of the private ones. */
static const struct race_shape race_shapes[] = {
	{ 8,	0,	0 },
	{ 24,	0,	0 },
	{ 60,	0,	0 },
	{ 64,	0,	0 },
	{ 100,	64,	0 },
	{ 200,	0,	SLAB_TYPESAFE_BY_RCU },
	{ 200,	0,	SLAB_RED_ZONE },
	{ 256,	0,	SLAB_POISON | SLAB_RED_ZONE },
	{ 700,	0,	0 },
	{ 2000,	0,	0 },
	{ 4096,	0,	0 },
};

/* More often than the others: sizes of kmalloc(), and of per-CPU memory. */
static const unsigned int race_sizes[] = {
	8, 16, 32, 60, 96, 128, 192, 256, 512, 1000, 2048, 4096, 8192, 16384,
};

static const unsigned int race_percpu_sizes[] = {
	4, 4, 4, 8, 12, 16, 20, 64, 100, 256, 508, 512, 516, 1024,
};

enum race_kind {
	RACE_CACHE,
	RACE_KMALLOC,
	RACE_PERCPU,
};

/**
 * struct race_place - room for one object
 * @taken: a thread works on it
 * @kind: of the object
 * @ptr: the object, or NULL; a __percpu pointer with RACE_PERCPU
 * @cache: its cache with RACE_CACHE
 * @size: its length in bytes, as it must be tracked
 * @pid: of who allocated it
 */
struct race_place {
	atomic_t taken;
	enum race_kind kind;
	void *ptr;
	struct kmem_cache *cache;
	size_t size;
	pid_t pid;
};

/**
 * struct race_worker - one thread
 * @task: the thread
 * @rnd: its random numbers
 * @own: objects of its private cache
 * @ops: what it did
 * @failed: allocations that failed
 */
struct race_worker {
	struct task_struct *task;
	struct rnd_state rnd;
	struct race_place own[RACE_PRIVATE];
	unsigned long ops;
	unsigned long failed;
};

/**
 * struct race - all of it
 * @places: for objects that threads hand over to each other
 * @nr_places: number of @places
 * @caches: the shared ones
 * @workers: threads that allocate
 * @nr_workers: number of @workers
 * @scanner: the thread that scans
 * @looker: the thread that looks up
 * @scans: scans that came to an end
 * @looks: what was looked up
 * @strays: what was found, but is not there
 * @pause: workers and the looker are to stand still
 * @standing: workers that stand still, and the looker
 * @all_stand: woken up when one stands still
 * @go: woken up when they may go on
 */
struct race {
	struct race_place *places;
	unsigned int nr_places;
	struct kmem_cache *caches[ARRAY_SIZE(race_shapes)];
	struct race_worker *workers;
	unsigned int nr_workers;
	struct task_struct *scanner;
	struct task_struct *looker;
	unsigned long scans;
	unsigned long looks;
	unsigned long strays;
	bool pause;
	atomic_t standing;
	wait_queue_head_t all_stand;
	wait_queue_head_t go;
};

/* All that is held can be found from here. */
static struct race *race;

/* Leaks that were reported of what was held. */
static atomic_t race_leaks;

static bool race_take(struct race_place *place)
{
	return !atomic_cmpxchg_acquire(&place->taken, 0, 1);
}

static void race_give(struct race_place *place)
{
	atomic_set_release(&place->taken, 0);
}

static struct kmem_cache *race_create(unsigned int shape)
{
	const struct race_shape *s = &race_shapes[shape];

	return create_own_cache("kmemleak_race", s->size, s->align, s->flags,
				NULL);
}

/* KFENCE's are as small as asked for. */
static size_t race_tracked_size(const void *ptr, size_t size)
{
	return is_kfence_address(ptr) ? kfence_ksize(ptr) : size;
}

/* Nothing but objects in places is allocated through the next three. */
static noinline __noclone void
race_alloc_cache(struct race_place *place, struct kmem_cache *cache)
{
	place->kind = RACE_CACHE;
	place->cache = cache;
	place->ptr = kmem_cache_alloc(cache, GFP_KERNEL);
	if (place->ptr)
		place->size = race_tracked_size(place->ptr,
						kmem_cache_size(cache));
}

static noinline __noclone void
race_alloc_kmalloc(struct race_place *place, size_t size)
{
	place->kind = RACE_KMALLOC;
	place->ptr = kmalloc(size, GFP_KERNEL);
	if (place->ptr)
		place->size = race_tracked_size(place->ptr,
						kmalloc_size_roundup(size));
}

static noinline __noclone void
race_alloc_percpu(struct race_place *place, size_t size, size_t align)
{
	place->kind = RACE_PERCPU;
	place->ptr = (void *)(__force unsigned long)__alloc_percpu(size, align);
	place->size = ALIGN(size, KML_PERCPU_UNIT);
}

static u32 race_random(struct race_worker *worker, u32 end)
{
	return prandom_u32_state(&worker->rnd) % end;
}

static void race_alloc(struct race_worker *worker, struct race_place *place)
{
	unsigned int i;

	switch (race_random(worker, 8)) {
	case 0:
		i = race_random(worker, ARRAY_SIZE(race_percpu_sizes));
		race_alloc_percpu(place, race_percpu_sizes[i],
				  4 << race_random(worker, 4));
		break;
	case 1 ... 3:
		i = race_random(worker, ARRAY_SIZE(race_sizes));
		race_alloc_kmalloc(place, race_sizes[i]);
		break;
	default:
		i = race_random(worker, ARRAY_SIZE(race_shapes));
		race_alloc_cache(place, race->caches[i]);
		break;
	}
	place->pid = current->pid;
	if (!place->ptr)
		worker->failed++;
}

static void race_free(struct race_place *place)
{
	void *ptr = place->ptr;

	/* In this order: what nothing points at any more is not free yet. */
	place->ptr = NULL;
	switch (place->kind) {
	case RACE_CACHE:
		kmem_cache_free(place->cache, ptr);
		break;
	case RACE_KMALLOC:
		kfree(ptr);
		break;
	case RACE_PERCPU:
		free_percpu((void __percpu *)(unsigned long)ptr);
		break;
	}
}

/* A frame of its own, for traces that are taken here. */
static noinline __noclone void
race_annotate(struct race_worker *worker, struct race_place *place)
{
	if (place->kind == RACE_PERCPU)
		return;
	switch (race_random(worker, 8)) {
	case 0:
		kmemleak_not_leak(place->ptr);
		break;
	case 1:
		kmemleak_ignore(place->ptr);
		break;
	case 2:
		kmemleak_no_scan(place->ptr);
		break;
	case 3:
		kmemleak_transient_leak(place->ptr);
		break;
	case 4:
		kmemleak_scan_area(place->ptr, 8, GFP_KERNEL);
		break;
	case 5:
		if (place->size > 8)
			kmemleak_scan_area(place->ptr + 8, SIZE_MAX, GFP_KERNEL);
		break;
	default:
		kmemleak_update_trace(place->ptr);
		break;
	}
	barrier();
}

/* ---- Threads ---- */

static void race_rest(void)
{
	if (likely(!READ_ONCE(race->pause)))
		return;
	atomic_inc(&race->standing);
	wake_up(&race->all_stand);
	wait_event(race->go, !READ_ONCE(race->pause));
	atomic_dec(&race->standing);
}

/* Whoever comes to a place takes away what somebody else has left there. */
static void race_hand_over(struct race_worker *worker)
{
	struct race_place *place;

	place = &race->places[race_random(worker, race->nr_places)];
	if (!race_take(place))
		return;
	if (!place->ptr)
		race_alloc(worker, place);
	else if (race_random(worker, 4))
		race_free(place);
	else
		race_annotate(worker, place);
	race_give(place);
}

static void race_bulk(struct race_worker *worker)
{
	unsigned int shape = race_random(worker, ARRAY_SIZE(race_shapes));
	void *ptrs[RACE_BULK];

	if (kmem_cache_alloc_bulk(race->caches[shape], GFP_KERNEL, RACE_BULK, ptrs))
		kmem_cache_free_bulk(race->caches[shape], RACE_BULK, ptrs);
	else
		worker->failed++;
}

/* The next such cache has, most likely, the same address and the same pages. */
static void race_private_cache(struct race_worker *worker)
{
	struct kmem_cache *cache;
	unsigned int i;

	cache = race_create(race_random(worker, ARRAY_SIZE(race_shapes)));
	if (!cache) {
		worker->failed++;
		return;
	}
	for (i = 0; i < RACE_PRIVATE; i++) {
		race_alloc_cache(&worker->own[i], cache);
		worker->own[i].pid = current->pid;
		if (worker->own[i].ptr && !race_random(worker, 8))
			race_annotate(worker, &worker->own[i]);
	}
	race_rest();
	for (i = 0; i < RACE_PRIVATE; i++) {
		if (worker->own[i].ptr)
			race_free(&worker->own[i]);
	}
	kmem_cache_destroy(cache);
}

static int race_work(void *data)
{
	struct race_worker *worker = data;

	while (!kthread_should_stop()) {
		race_rest();
		switch (race_random(worker, 512)) {
		case 0:
			race_private_cache(worker);
			break;
		case 1 ... 20:
			race_bulk(worker);
			break;
		default:
			race_hand_over(worker);
			break;
		}
		worker->ops++;
		cond_resched();
	}
	return 0;
}

/* Something was reported that no test has lost: is it one of ours? */
static void race_reported(struct kml_record *rec)
{
	depot_stack_handle_t trace;

	if (!rec)
		return;
	trace = READ_ONCE(rec->trace);
	if (!kml_trace_has(trace, race_alloc_cache) &&
	    !kml_trace_has(trace, race_alloc_kmalloc) &&
	    !kml_trace_has(trace, race_annotate) &&
	    (rec->space != KML_PERCPU || !kml_trace_has(trace, race_alloc_percpu)))
		return;
	atomic_inc(&race_leaks);
	kml_report(NULL, rec);
}

static int race_scan(void *data)
{
	while (!kthread_should_stop()) {
		if (!kml_scan(race_reported))
			WRITE_ONCE(race->scans, race->scans + 1);
		cond_resched();
	}
	return 0;
}

/* An address that somebody may free, or allocate, at this moment. */
static void race_look_up(struct rnd_state *rnd)
{
	u32 random = prandom_u32_state(rnd);
	struct race_place *place = &race->places[random % race->nr_places];
	enum kml_space space = KML_VIRT;
	struct kml_record *rec;
	struct kml_sight sight;
	unsigned long addr;

	/* Whatever is there, or was, or something between. */
	addr = (unsigned long)kasan_reset_tag(data_race(place->ptr));
	/* As above. */
	if (data_race(place->kind) == RACE_PERCPU)
		space = KML_PERCPU;
	if (!(random & 0x1000))
		addr += random >> 20;
	kml_look(space, addr, &sight);
	if (sight.where != KML_NOWHERE && addr - sight.start >= sight.size)
		WRITE_ONCE(race->strays, race->strays + 1);
	/* It takes a grace period. */
	rec = random & 0x3ff0000 ? kml_find(&kml_trees[space], addr)
				 : kml_record_by_others(space, addr);
	if (rec)
		kml_put(rec);
}

static int race_look(void *data)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 4711);
	while (!kthread_should_stop()) {
		race_rest();
		race_look_up(&rnd);
		WRITE_ONCE(race->looks, race->looks + 1);
		cond_resched();
	}
	return 0;
}

/* ---- Standing still ---- */

static void race_pause(void)
{
	WRITE_ONCE(race->pause, true);
	/* The looker too, as it gives records to what it finds. */
	wait_event(race->all_stand,
		   atomic_read(&race->standing) == race->nr_workers + 1);
}

static void race_resume(void)
{
	WRITE_ONCE(race->pause, false);
	wake_up_all(&race->go);
	while (atomic_read(&race->standing))
		usleep_range(100, 200);
}

static void race_hold(struct kml_audit *audit, const struct race_place *place)
{
	if (!place->ptr)
		return;
	audit->held[audit->nr++] = (struct kml_held) {
		.space = place->kind == RACE_PERCPU ? KML_PERCPU : KML_VIRT,
		.start = (unsigned long)kasan_reset_tag(place->ptr),
		.size = place->size,
		.pid = place->pid,
	};
}

static unsigned int race_audit(struct kunit *test)
{
	struct kml_marker markers[] = {
		{ race_alloc_cache, UINT_MAX },
		{ race_alloc_kmalloc, UINT_MAX },
		{ race_annotate, UINT_MAX },
		/* The allocator may get itself another chunk. */
		{ race_alloc_percpu, BIT(KML_PERCPU) },
		{}
	};
	struct kml_audit audit = { .markers = markers };
	unsigned int i, j;

	audit.held = kcalloc(race->nr_places + race->nr_workers * RACE_PRIVATE,
			     sizeof(*audit.held), GFP_KERNEL);
	if (!audit.held) {
		KUNIT_FAIL(test, "no memory for the audit");
		return 0;
	}
	for (i = 0; i < race->nr_places; i++)
		race_hold(&audit, &race->places[i]);
	for (i = 0; i < race->nr_workers; i++) {
		for (j = 0; j < RACE_PRIVATE; j++)
			race_hold(&audit, &race->workers[i].own[j]);
	}
	kml_audit(test, &audit);
	kfree_sensitive(audit.held);
	return audit.nr;
}

/* ---- The test ---- */

static struct task_struct *race_start(int (*fn)(void *data), void *data,
				      int cpu, const char *name)
{
	struct task_struct *task = kthread_create(fn, data, "kmemleak_%s", name);

	if (IS_ERR(task))
		return NULL;
	if (cpu >= 0)
		kthread_bind(task, cpu);
	wake_up_process(task);
	return task;
}

static void race_start_all(struct kunit *test)
{
	unsigned int cpu, i = 0;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		struct race_worker *worker = &race->workers[i];

		if (i == race->nr_workers)
			break;
		prandom_seed_state(&worker->rnd, ++i);
		worker->task = race_start(race_work, worker, cpu, "worker");
	}
	cpus_read_unlock();
	race->nr_workers = i;
	for (i = 0; i < race->nr_workers; i++)
		KUNIT_ASSERT_NOT_NULL(test, race->workers[i].task);
	race->scanner = race_start(race_scan, NULL, -1, "scanner");
	KUNIT_ASSERT_NOT_NULL(test, race->scanner);
	race->looker = race_start(race_look, NULL, -1, "looker");
	KUNIT_ASSERT_NOT_NULL(test, race->looker);
}

static void race_stop(struct task_struct **task)
{
	if (*task)
		kthread_stop(*task);
	*task = NULL;
}

static void race_run(struct kunit *test)
{
	unsigned long scans, looks, ops = 0, failed = 0;
	unsigned int i, held = 0;

	race_start_all(test);
	for (i = 0; i < RACE_ROUNDS; i++) {
		msleep(RACE_MSECS);
		race_pause();
		held += race_audit(test);
		race_resume();
	}
	for (i = 0; i < 100 && READ_ONCE(race->scans) < RACE_SCANS; i++)
		msleep(RACE_MSECS / 4);

	/* Now nothing moves, and no scan may take what is held for lost. */
	race_pause();
	race_stop(&race->scanner);
	scans = race->scans;
	looks = race->looks;
	KUNIT_EXPECT_EQ(test, kml_scan(race_reported), 0);
	held += race_audit(test);
	for (i = 0; i < race->nr_workers; i++) {
		ops += race->workers[i].ops;
		failed += race->workers[i].failed;
	}
	race_resume();

	kunit_info(test, "%u workers, %lu steps, %lu without memory, %lu scans, %lu look-ups, %u objects held\n",
		   race->nr_workers, ops, failed, scans, looks, held);
	KUNIT_EXPECT_GE(test, scans, RACE_SCANS);
	KUNIT_EXPECT_GT(test, held, race->nr_places);
	KUNIT_EXPECT_LT(test, failed, ops / 8);
	KUNIT_EXPECT_EQ(test, race->strays, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&race_leaks), 0);
}

static int race_init(struct kunit *test)
{
	unsigned int i;

	skip_if_off(test);
	atomic_set(&race_leaks, 0);
	race = kzalloc(sizeof(*race), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race);
	init_waitqueue_head(&race->all_stand);
	init_waitqueue_head(&race->go);
	race->nr_workers = num_online_cpus();
	race->workers = kcalloc(race->nr_workers, sizeof(*race->workers),
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->workers);
	race->nr_places = race->nr_workers * RACE_PLACES;
	race->places = kcalloc(race->nr_places, sizeof(*race->places),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->places);
	for (i = 0; i < ARRAY_SIZE(race_shapes); i++) {
		race->caches[i] = race_create(i);
		KUNIT_ASSERT_NOT_NULL(test, race->caches[i]);
	}
	return 0;
}

/* Whatever came of the test; when all is freed nothing may be left. */
static void race_exit(struct kunit *test)
{
	unsigned int i;

	if (!race)
		return;
	if (READ_ONCE(race->pause))
		race_resume();
	race_stop(&race->scanner);
	race_stop(&race->looker);
	for (i = 0; race->workers && i < race->nr_workers; i++)
		race_stop(&race->workers[i].task);
	for (i = 0; race->places && i < race->nr_places; i++) {
		if (race->places[i].ptr)
			race_free(&race->places[i]);
	}
	if (race->workers && race->places)
		KUNIT_EXPECT_EQ(test, race_audit(test), 0);
	for (i = 0; i < ARRAY_SIZE(race_shapes); i++)
		kmem_cache_destroy(race->caches[i]);
	/* No pointer that is left may hide a leak. */
	kfree_sensitive(race->places);
	kfree_sensitive(race->workers);
	kfree_sensitive(race);
	race = NULL;
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE_SLOW(race_run),
	{}
};

static struct kunit_suite race_suite = {
	.name = "kmemleak_race",
	.init = race_init,
	.exit = race_exit,
	.test_cases = race_cases,
};

kunit_test_suite(race_suite);
