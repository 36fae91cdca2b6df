// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to allocate and free, in nanoseconds a pair. Under QEMU with
 * -icount shift=0 a nanosecond is an instruction, and the figures repeat.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define ROUNDS	2000
#define OBJECT	192

static struct kmem_cache *cache;

static noinline bool pair_kmalloc(size_t size)
{
	void *ptr = kmalloc(size, GFP_KERNEL);

	kfree(ptr);
	return ptr;
}

static noinline bool pair_cache(size_t size)
{
	void *ptr = kmem_cache_alloc(cache, GFP_KERNEL);

	if (!ptr)
		return false;
	kmem_cache_free(cache, ptr);
	return true;
}

static noinline bool pair_percpu(size_t size)
{
	void __percpu *ptr = __alloc_percpu(size, sizeof(long));

	free_percpu(ptr);
	return ptr;
}

static noinline bool pair_vmalloc(size_t size)
{
	void *ptr = vmalloc(size);

	vfree(ptr);
	return ptr;
}

static const struct {
	const char *name;
	bool (*pair)(size_t size);
	size_t size;
} benches[] = {
	{ "kmalloc", pair_kmalloc, 8 },
	{ "kmalloc", pair_kmalloc, 64 },
	{ "kmalloc", pair_kmalloc, 512 },
	{ "kmalloc", pair_kmalloc, 4096 },
	{ "kmem_cache", pair_cache, OBJECT },
	{ "percpu", pair_percpu, 64 },
	{ "vmalloc", pair_vmalloc, 4096 },
};

/* The first round, which pays for what later ones find in place, is not timed. */
static bool run(unsigned int bench)
{
	bool ok = true;
	u64 begin = 0;
	int i;

	for (i = -ROUNDS / 10; i < ROUNDS; i++) {
		if (!i)
			begin = ktime_get_ns();
		ok &= benches[bench].pair(benches[bench].size);
	}
	pr_info("pair %s(%zu) %llu\n", benches[bench].name, benches[bench].size,
		div_u64(ktime_get_ns() - begin, ROUNDS));
	return ok;
}

static int __init bench_init(void)
{
	unsigned int i;
	bool ok = true;

	cache = kmem_cache_create("kmemleak_bench", OBJECT, 0, 0, NULL);
	if (!cache)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(benches); i++)
		ok &= run(i);
	kmem_cache_destroy(cache);
	return ok ? 0 : -ENOMEM;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Cost of allocating and freeing");
MODULE_LICENSE("GPL");
