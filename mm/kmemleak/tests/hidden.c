// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: objects that tests know in a form that is no address.
 *
 * The address itself is in the frames and registers of these functions alone, which
 * have returned when a scan begins.
 */
#include <linux/array_size.h>
#include <linux/compiler.h>
#include <linux/kasan.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "../store/store.h"
#include "hidden.h"
#include "slot.h"

/* Objects of a test that are done with, inverted. */
static unsigned long retired[16];
static unsigned int nr_retired;

/**
 * kml_hidden_alloc() - allocate an object that nothing refers to, none of KFENCE
 * @size: its length in bytes
 *
 * Context: Process context; may sleep.
 * Return: its address, inverted; ~0 if there is no memory.
 */
unsigned long kml_hidden_alloc(size_t size)
{
	return ~(unsigned long)kzalloc(size, KML_PLAIN_GFP);
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
 * kml_hidden_find() - find and pin an object
 * @hidden: its address, inverted
 * @ref: set to the object, to be given back with kml_ref_put()
 *
 * Context: Process context.
 * Return: true if it is tracked.
 */
bool kml_hidden_find(unsigned long hidden, struct kml_ref *ref)
{
	return kml_ref_find(KML_VIRT, (unsigned long)kasan_reset_tag((void *)~hidden),
			    ref);
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
	struct kml_ref ref;
	bool leak;

	if (!kml_hidden_find(hidden, &ref))
		return false;
	leak = kml_ref_is_leak(&ref);
	kml_ref_put(&ref);
	return leak;
}

/**
 * kml_hidden_any_leaks() - ask whether one of several objects is reported
 * @hidden: their addresses, inverted
 * @nr: how many
 *
 * Dead words hide one or the other, but not all of them.
 *
 * Context: Process context.
 * Return: true if the last scan found one of them leaked.
 */
bool kml_hidden_any_leaks(const unsigned long *hidden, unsigned int nr)
{
	while (nr--) {
		if (kml_hidden_is_leak(hidden[nr]))
			return true;
	}
	return false;
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

/**
 * kml_hidden_retire() - free an object when the test ends
 * @hidden: its address, inverted
 *
 * A dead word somewhere may hide a leak, and again the next one, if that got the
 * same address. Attempts that retire what they had get objects elsewhere.
 *
 * Context: Process context, in a suite whose tests end with kml_hidden_exit().
 */
void kml_hidden_retire(unsigned long hidden)
{
	unsigned int place = nr_retired++ % ARRAY_SIZE(retired);

	if (nr_retired > ARRAY_SIZE(retired))
		kml_hidden_free(retired[place]);
	retired[place] = hidden;
}

/**
 * kml_hidden_exit() - free what is retired; a suite's exit function
 * @test: the test that ends
 *
 * Context: Process context.
 */
void kml_hidden_exit(struct kunit *test)
{
	unsigned int nr = min_t(unsigned int, nr_retired, ARRAY_SIZE(retired));

	while (nr--)
		kml_hidden_free(retired[nr]);
	nr_retired = 0;
}
