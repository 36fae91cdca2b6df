// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects that tests know in a form that is no address.
 *
 * The address itself is in the frames and registers of these functions alone, which
 * have returned when a scan begins.
 */
#include <linux/compiler.h>
#include <linux/kasan.h>
#include <linux/slab.h>

#include "../store/store.h"
#include "hidden.h"

/**
 * kml_hidden_alloc() - allocate an object that nothing refers to
 * @size: its length in bytes
 *
 * Context: Process context; may sleep.
 * Return: its address, inverted; ~0 if there is no memory.
 */
unsigned long kml_hidden_alloc(size_t size)
{
	return ~(unsigned long)kzalloc(size, GFP_KERNEL);
}

/**
 * kml_hidden_reveal() - let a word refer to an object
 * @place: the word
 * @hidden: the object's address, inverted
 *
 * Context: Any.
 */
void kml_hidden_reveal(unsigned long *place, unsigned long hidden)
{
	WRITE_ONCE(*place, ~hidden);
}

/**
 * kml_hidden_is_leak() - ask whether an object is reported
 * @hidden: its address, inverted
 *
 * Context: Process context.
 * Return: true if the last scan found it leaked.
 */
bool kml_hidden_is_leak(unsigned long hidden)
{
	unsigned long addr = (unsigned long)kasan_reset_tag((void *)~hidden);
	struct kml_ref ref;
	bool leak;

	if (!kml_ref_find(KML_VIRT, addr, &ref))
		return false;
	leak = kml_ref_is_leak(&ref);
	kml_ref_put(&ref);
	return leak;
}

/**
 * kml_hidden_free() - free an object
 * @hidden: its address, inverted
 *
 * Context: Process context.
 */
void kml_hidden_free(unsigned long hidden)
{
	kfree((void *)~hidden);
}
