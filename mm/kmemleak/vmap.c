// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what the vmalloc allocator keeps for itself.
 *
 * A struct vmap_area describes a range of addresses, in use or free, and holds
 * numbers that look like references: its end is where another area starts, and
 * when it is no longer in use it still points at the vm_struct that it had. The
 * allocator says of those that it makes for a new area that the numbers are none,
 * not of those that it splits off others.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "refs.h"

/**
 * kml_is_vmap_block() - ask whether a block has vmap_areas, and nothing else
 * @block: the block
 *
 * Context: Any.
 * Return: true if that is known.
 */
bool kml_is_vmap_block(const struct kml_block *block)
{
	return kml_special_cache && block->serves == kml_special_cache;
}

/**
 * kml_read_vmap_area() - read a vmap_area, and leave out what is void
 * @addr: its address
 * @area: set to what it holds; without a vm_struct if that is another one's
 *
 * A list that it was in may have begun on a stack, where now something else is.
 *
 * Context: Any.
 * Return: 0, or -EFAULT (or -ERANGE) if it cannot be read.
 */
int kml_read_vmap_area(unsigned long addr, struct vmap_area *area)
{
	int ret = kml_read_memory(area, (void *)addr, sizeof(*area));
	unsigned long *words = (unsigned long *)area;
	void *start;
	size_t i;

	if (ret)
		return ret;
	if (kml_read_memory(&start, &area->vm->addr, sizeof(start)) ||
	    (unsigned long)kasan_reset_tag(start) != area->va_start)
		area->vm = NULL;
	/* Those that are in lists and trees with it come from slabs too. */
	for (i = 0; i < sizeof(*area) / sizeof(long); i++) {
		unsigned long value = (unsigned long)
			kasan_reset_tag((void *)words[i]);

		if (!kml_is_linear(value))
			words[i] = 0;
	}
	return 0;
}

/**
 * kml_vm_struct_of() - find what describes a vmalloc area
 * @start: its first address
 *
 * Context: Process context. It may be freed at any time.
 * Return: the address of the vm_struct, untagged, or 0.
 */
unsigned long kml_vm_struct_of(unsigned long start)
{
	struct vmap_area *va = find_vmap_area(start);
	const struct vm_struct *vm;

	/* By now it may hold anything. */
	if (!va || kml_read_memory(&vm, &va->vm, sizeof(vm)))
		return 0;
	return (unsigned long)kasan_reset_tag(vm);
}
