// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what kind of memory an object is.
 */
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../slab.h"
#include "block.h"

/* Of a page of the linear map, with what has it now. */
static void look_at_page(void *addr, struct kml_kind *kind)
{
	struct folio *folio = virt_to_folio(addr);
	const struct kmem_cache *cache;

	if (folio_test_slab(folio)) {
		kind->name = "slab";
		cache = READ_ONCE(folio_slab(folio)->slab_cache);
		if (cache)
			strncpy_from_kernel_nofault(kind->cache, cache->name,
						    sizeof(kind->cache));
	} else if (PageReserved(virt_to_page(addr))) {
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
	void *addr = (void *)obj->start;
	unsigned long flags;
	int ret = 0;

	kind->cache[0] = '\0';
	/* As long as the object is there, its slab and its cache are. */
	raw_spin_lock_irqsave(&obj->lock, flags);
	if (!obj->alive)
		ret = -ENOENT;
	else if (obj->space == KML_PERCPU)
		kind->name = "percpu";
	else if (kml_is_in_image(obj->start))
		kind->name = "other";
	else if (is_vmalloc_or_module_addr(addr))
		kind->name = "vmalloc";
	else if (virt_addr_valid(addr))
		look_at_page(addr, kind);
	else
		kind->name = "other";
	raw_spin_unlock_irqrestore(&obj->lock, flags);
	return ret;
}
