/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: caches that a test has for itself.
 */
#ifndef __MM_KMEMLEAK_TESTS_CACHE_H
#define __MM_KMEMLEAK_TESTS_CACHE_H

#include <linux/mm.h>
#include <linux/slab.h>

#include "../../slab.h"

/* Nothing else is ever allocated from it, by whatever name. */
static inline struct kmem_cache *
create_own_cache(const char *name, unsigned int size, unsigned int align,
		 slab_flags_t flags, void (*ctor)(void *ptr))
{
	struct kmem_cache *cache;

	/* Before there was that flag, what user space may see was not merged. */
	cache = kmem_cache_create_usercopy(name, size, align,
					   flags | SLAB_NO_MERGE, 0, size, ctor);
	/* Objects of KFENCE have records. One cannot ask for a cache without. */
	if (cache)
		cache->flags |= SLAB_SKIP_KFENCE;
	return cache;
}

#endif /* __MM_KMEMLEAK_TESTS_CACHE_H */
