// SPDX-License-Identifier: GPL-2.0
/* Objects that come and go: none of them lives for long. */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "churn.h"

static struct kmem_cache *fresh_cache;

static noinline void *churn_fresh_small(u32 rnd)
{
	return churn_here(kmalloc(8 << rnd % 12, GFP_KERNEL));
}

static noinline void *churn_fresh_cached(void)
{
	return churn_here(kmem_cache_alloc(fresh_cache, GFP_KERNEL));
}

static noinline void *churn_fresh_vmalloc(u32 rnd)
{
	return churn_here(vmalloc((rnd % 8 + 1) * PAGE_SIZE));
}

static noinline void *churn_fresh_percpu(u32 rnd)
{
	return churn_here((void *)(__force unsigned long)__alloc_percpu(8 << rnd % 6,
									sizeof(long)));
}

static void renew_area(struct churn_thread *thread, u32 rnd)
{
	void *old = thread->area;

	thread->area = churn_fresh_vmalloc(rnd);
	vfree(old);
}

static void renew_percpu(struct churn_thread *thread, u32 rnd)
{
	void __percpu *old = thread->percpu;

	thread->percpu = (void __percpu *)(unsigned long)churn_fresh_percpu(rnd);
	free_percpu(old);
}

/**
 * churn_fresh() - put new objects in the place of old ones
 * @thread: whose
 */
void churn_fresh(struct churn_thread *thread)
{
	u32 rnd = prandom_u32_state(&thread->rnd);
	void **small = &thread->small[rnd % CHURN_FRESH];
	void **cached = &thread->cached[rnd % CHURN_FRESH];

	rnd >>= 8;
	kfree(*small);
	*small = churn_fresh_small(rnd);
	if (*cached)
		kmem_cache_free(fresh_cache, *cached);
	*cached = churn_fresh_cached();
	/* The allocators of these take far longer. */
	if (rnd % 64 == 0)
		renew_area(thread, rnd >> 8);
	if (rnd % 64 == 1)
		renew_percpu(thread, rnd >> 8);
}

/**
 * churn_fresh_end() - free the objects of a thread that has ended
 * @thread: the thread
 */
void churn_fresh_end(struct churn_thread *thread)
{
	unsigned int i;

	for (i = 0; i < CHURN_FRESH; i++) {
		kfree(thread->small[i]);
		if (thread->cached[i])
			kmem_cache_free(fresh_cache, thread->cached[i]);
	}
	vfree(thread->area);
	free_percpu(thread->percpu);
}

int churn_fresh_init(void)
{
	fresh_cache = churn_cache("kmemleak_churn_fresh", 136);
	return fresh_cache ? 0 : -ENOMEM;
}

/* There are no threads any more. */
void churn_fresh_exit(void)
{
	kmem_cache_destroy(fresh_cache);
}
