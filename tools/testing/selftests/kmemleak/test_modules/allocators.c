// SPDX-License-Identifier: GPL-2.0
/* Every way the kernel has to allocate what kmemleak tracks. */
#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/errno.h>
#include <linux/kernel_stat.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "hidden.h"
#include "selftest.h"

#define CONSTRUCTED_SIZE	328

static void construct(void *obj)
{
	memset(obj, 0, CONSTRUCTED_SIZE);
}

/* A large object may be had after some reclaim; if not, that is no splat. */
#define GFP_TEST	(GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

DEFINE_ONE_BY_ONE(by_kmalloc, kzalloc(size, GFP_TEST), kfree(obj))
DEFINE_ONE_BY_ONE(by_cache, kmem_cache_zalloc(kind->cache, GFP_KERNEL),
		  kmem_cache_free(kind->cache, obj))
/*
 * Zeroed by the constructor, since __GFP_ZERO is forbidden here. What is given
 * back has to be as constructed.
 */
DEFINE_ONE_BY_ONE(by_constructed_cache, kmem_cache_alloc(kind->cache, GFP_KERNEL),
		  (construct(obj), kmem_cache_free(kind->cache, obj)))
DEFINE_ONE_BY_ONE(by_vmalloc, vzalloc(size), vfree(obj))
/* By way of numbers, as to the compiler __percpu may be an address space of its own. */
DEFINE_ONE_BY_ONE(by_percpu,
		  (void *)(__force unsigned long)__alloc_percpu(size, sizeof(long)),
		  free_percpu((void __percpu *)(unsigned long)obj))

static noinline bool by_bulk(const struct kind *kind, size_t size, void **objs, unsigned int nr)
{
	bool done = kmem_cache_alloc_bulk(kind->cache, GFP_KERNEL | __GFP_ZERO, nr, objs);

	/* Not a jump, with which this function would be in no trace. */
	barrier();
	return done;
}

static void free_by_bulk(const struct kind *kind, size_t size, void **objs, unsigned int nr)
{
	kmem_cache_free_bulk(kind->cache, nr, objs);
}

static void free_by_kfree_bulk(const struct kind *kind, size_t size, void **objs, unsigned int nr)
{
	kfree_bulk(nr, objs);
}

static size_t kmalloc_reported(const struct kind *kind, size_t size)
{
	return size > KMALLOC_MAX_CACHE_SIZE ? size : kmalloc_size_roundup(size);
}

static size_t cache_reported(const struct kind *kind, size_t size)
{
	return kmem_cache_size(kind->cache);
}

static size_t vmalloc_reported(const struct kind *kind, size_t size)
{
	return PAGE_ALIGN(size);
}

static size_t percpu_reported(const struct kind *kind, size_t size)
{
	return ALIGN(size, PCPU_MIN_ALLOC_SIZE);
}

/* Each ends in a 0. The first is the one used where one size will do. */
static const size_t kmalloc_sizes[] = {
	192, 1, 7, 9, 24, 96, 100, 129, 1000, 3000, 5000, 12345, 70000, 1234567, 0
};

static const size_t bulk_sizes[] = { 200, 72, 2000, 0 };
static const size_t plain_cache_sizes[] = { 200, 0 };
static const size_t constructed_cache_sizes[] = { CONSTRUCTED_SIZE, 0 };
static const size_t rcu_cache_sizes[] = { 136, 0 };
static const size_t bulk_cache_sizes[] = { 88, 0 };
static const size_t vmalloc_sizes[] = { SZ_4K, 1, 10000, SZ_64K, SZ_1M, 0 };

/*
 * Where per-CPU pointers of the first chunk look like addresses in .data, as
 * on arm64, these hide many leaks in it. The large ones soon use it up.
 */
static const size_t percpu_sizes[] = { 64, SZ_8K, SZ_4K, 1, 4, 8, 100, 400, 0 };

enum {
	KMALLOC, KFREE_BULK, CACHE_PLAIN, CACHE_CONSTRUCTED, CACHE_RCU, CACHE_BULK,
	VMALLOC, PERCPU, NR_KINDS
};

static struct kind kinds[NR_KINDS] = {
	[KMALLOC] = KIND("kmalloc", kmalloc_sizes,
			 by_kmalloc, free_by_kmalloc, kmalloc_reported),
	[KFREE_BULK] = KIND("kfree_bulk", bulk_sizes,
			    by_kmalloc, free_by_kfree_bulk, kmalloc_reported),
	[CACHE_PLAIN] = KIND("cache", plain_cache_sizes,
			     by_cache, free_by_cache, cache_reported),
	[CACHE_CONSTRUCTED] = KIND("cache_constructed", constructed_cache_sizes,
				   by_constructed_cache, free_by_constructed_cache,
				   cache_reported),
	[CACHE_RCU] = KIND("cache_rcu", rcu_cache_sizes,
			   by_cache, free_by_cache, cache_reported),
	[CACHE_BULK] = KIND("cache_bulk", bulk_cache_sizes,
			    by_bulk, free_by_bulk, cache_reported),
	[VMALLOC] = KIND("vmalloc", vmalloc_sizes,
			 by_vmalloc, free_by_vmalloc, vmalloc_reported),
	[PERCPU] = KIND("percpu", percpu_sizes,
			by_percpu, free_by_percpu, percpu_reported),
};

const struct kind * const kmalloc_kind = &kinds[KMALLOC];

/*
 * The pages of other caches have had other objects, and the kernel is not free
 * of stale pointers to these. A cache with a constructor is never shared.
 */
const struct kind * const private_kind = &kinds[CACHE_CONSTRUCTED];

/* The kind after this one, the first one after NULL, NULL after the last. */
const struct kind *next_kind(const struct kind *kind)
{
	kind = kind ? kind + 1 : kinds;
	return kind < kinds + NR_KINDS ? kind : NULL;
}

/* Objects that cannot be written to by their address. */
bool is_percpu(const struct kind *kind)
{
	return kind == &kinds[PERCPU];
}

/* Large objects are scarce: one of each will do. */
#define LEAKS_OF_A_SIZE		3
#define SCARCE			SZ_8K

static int leak_size(const struct kind *kind, size_t size)
{
	unsigned int nr = size < SCARCE ? LEAKS_OF_A_SIZE : 1;
	void *objs[LEAKS_OF_A_SIZE];
	int err = make_objects(kind, size, objs, nr);

	while (!err && nr--)
		if (!add_record(kind, size, objs[nr]))
			err = -ENOMEM;
	return err;
}

static int leak_all(void)
{
	const struct kind *kind;
	const size_t *listed;
	size_t size;
	int err = 0;

	for (kind = next_kind(NULL); kind; kind = next_kind(kind))
		for (listed = kind->sizes; *listed && !err; listed++)
			err = leak_size(kind, *listed);
	for (size = 8; size <= min(SZ_4M, KMALLOC_MAX_SIZE) && !err; size *= 2)
		err = leak_size(kmalloc_kind, size);
	return err;
}

/* Leak some objects of the private cache, or of every kind and size. */
int leak_objects(const char *arg)
{
	if (!strcmp(arg, "all"))
		return leak_all();
	return *arg ? -EINVAL : leak_size(private_kind, CONSTRUCTED_SIZE);
}

/* An object of the private cache with that fate, or NULL. */
void *make_fated(const char *label, enum fate fate)
{
	struct record *rec;
	void *obj;

	if (make_objects(private_kind, CONSTRUCTED_SIZE, &obj, 1))
		return NULL;
	rec = add_record(private_kind, CONSTRUCTED_SIZE, obj);
	if (!rec)
		return NULL;
	rec->label = label;
	rec->fate = fate;
	return obj;
}

static int make_cache(int which, const char *name, slab_flags_t flags, void (*ctor)(void *))
{
	struct kind *kind = &kinds[which];

	kind->cache = kmem_cache_create(name, kind->sizes[0], 0, flags, ctor);
	return kind->cache ? 0 : -ENOMEM;
}

/* What is free in the first piece of per-CPU memory, and how large the pieces are. */
#define TAKEN_MAX	4096
#define TAKEN_LARGEST	SZ_4K
#define TAKEN_SMALLEST	4

static void __percpu **taken;
static unsigned int nr_taken;

/* The kernel's own variables are in the first piece. */
static bool is_in_first_piece(void __percpu *ptr)
{
	long distance = (__force long)ptr - (__force long)&kernel_cpustat;

	return distance > -SZ_1M && distance < SZ_1M;
}

/*
 * A __percpu pointer into the first piece of per-CPU memory is, as a number, the address
 * of some variable of the kernel too, or of the first task's stack. Who refers to that
 * hides a leak, which nobody can know. So that the tests know what to expect, what is
 * free there is taken for as long as they last.
 */
static int take_first_piece(void)
{
	size_t size;

	if (bare)
		return 0;
	taken = kvcalloc(TAKEN_MAX, sizeof(*taken), GFP_KERNEL);
	if (!taken)
		return -ENOMEM;
	for (size = TAKEN_LARGEST; size >= TAKEN_SMALLEST; size /= 2) {
		while (nr_taken < TAKEN_MAX) {
			void __percpu *ptr = __alloc_percpu(size, TAKEN_SMALLEST);

			if (!ptr)
				return -ENOMEM;
			if (!is_in_first_piece(ptr)) {
				free_percpu(ptr);
				break;
			}
			taken[nr_taken++] = ptr;
		}
	}
	return 0;
}

static void give_first_piece_back(void)
{
	while (nr_taken)
		free_percpu(taken[--nr_taken]);
	kvfree(taken);
}

int init_allocators(void)
{
	int err = make_cache(CACHE_PLAIN, "kmemleak_selftest", 0, NULL);

	err = err ?: make_cache(CACHE_CONSTRUCTED, "kmemleak_selftest_ctor", 0, construct);
	err = err ?: make_cache(CACHE_RCU, "kmemleak_selftest_rcu", SLAB_TYPESAFE_BY_RCU, NULL);
	err = err ?: make_cache(CACHE_BULK, "kmemleak_selftest_bulk", 0, NULL);
	err = err ?: take_first_piece();
	if (err)
		exit_allocators();
	return err;
}

void exit_allocators(void)
{
	int i;

	give_first_piece_back();
	for (i = 0; i < NR_KINDS; i++)
		kmem_cache_destroy(kinds[i].cache);
}
