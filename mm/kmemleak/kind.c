// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what kind of memory an object is.
 */
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../slab.h"
#include "block.h"

/* Of an object that cannot be freed meanwhile, in the linear map as a rule. */
static void look_at_page(unsigned long addr, struct kml_kind *kind)
{
	const struct kmem_cache *cache;
	const struct folio *folio;

	if (kml_is_in_image(addr) || !virt_addr_valid((void *)addr)) {
		kind->name = "other";
		return;
	}
	folio = virt_to_folio((void *)addr);
	if (folio_test_slab(folio)) {
		kind->name = "slab";
		cache = READ_ONCE(folio_slab(folio)->slab_cache);
		if (cache)
			strncpy_from_kernel_nofault(kind->cache, cache->name,
						    sizeof(kind->cache));
	} else if (PageReserved(virt_to_page((void *)addr))) {
		kind->name = "boot";
	} else {
		kind->name = "page";
	}
}

/**
 * kml_kind_of() - find out what kind of memory an object is
 * @obj: a pinned object
 * @kind: set to the kind, with the name of the cache if it is a slab object
 *
 * Context: Any but NMI. Interrupts are off for a moment, and a free of the object
 * waits for that.
 * Return: 0, or -ENOENT if the object was freed.
 */
int kml_kind_of(struct kml_object *obj, struct kml_kind *kind)
{
	unsigned long flags;
	int ret = 0;

	kind->cache[0] = '\0';
	if (obj->space == KML_PERCPU) {
		kind->name = "percpu";
		return 0;
	}
	/* Which may be the address of the image, too. */
	if (is_vmalloc_or_module_addr((void *)obj->start) &&
	    !kml_is_in_image(obj->start)) {
		kind->name = "vmalloc";
		return 0;
	}
	/* As long as it is there, its slab and its cache are. */
	raw_spin_lock_irqsave(&obj->lock, flags);
	if (obj->alive)
		look_at_page(obj->start, kind);
	else
		ret = -ENOENT;
	raw_spin_unlock_irqrestore(&obj->lock, flags);
	return ret;
}
