// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: names of frames.
 *
 * To look a name up takes longer than all else there is to do for a record, and
 * the records of a report have the same few frames again and again. So names that
 * were asked for lately are kept, in small sets by a hash of their address.
 */
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "internal.h"

/* Protects the names that are kept, and what follows. */
static DEFINE_MUTEX(names_mutex);

/* Value of kml_code_changes() that the names are good for. */
static unsigned int names_changes;

/* The names among which that of @addr is, if it is kept. */
static struct kml_name *set_of(unsigned long addr)
{
	unsigned int sets = KML_NAMES / KML_NAME_WAYS;

	BUILD_BUG_ON(!is_power_of_2(KML_NAMES / KML_NAME_WAYS));
	return kml_pool_names() +
	       hash_long(addr, ilog2(sets)) * KML_NAME_WAYS;
}

static const struct kml_name *find_name(unsigned long addr, u32 epoch)
{
	const struct kml_name *set = set_of(addr);
	unsigned int i;

	lockdep_assert_held(&names_mutex);
	for (i = 0; i < KML_NAME_WAYS; i++) {
		if (set[i].addr == addr && set[i].epoch == epoch)
			return &set[i];
	}
	return NULL;
}

/* In the place of the one that has been in the set for the longest time. */
static void keep_name(unsigned long addr, u32 epoch, const char *text)
{
	struct kml_name *set = set_of(addr);

	lockdep_assert_held(&names_mutex);
	/* The few that do not fit are looked up each time. */
	if (strlen(text) >= sizeof(set->text))
		return;
	memmove(set + 1, set, (KML_NAME_WAYS - 1) * sizeof(*set));
	set->addr = addr;
	set->epoch = epoch;
	strscpy(set->text, text, sizeof(set->text));
}

/**
 * kml_symbol() - name a frame of a trace
 * @addr: return address in the trace
 * @epoch: when the trace was taken, as of kml_trace_fetch()
 * @buf: room for KSYM_SYMBOL_LEN bytes: function, offset, size and module,
 *	also where the module has gone since
 *
 * Context: Process context; may sleep.
 */
void kml_symbol(unsigned long addr, u32 epoch, char *buf)
{
	const struct kml_name *name;
	unsigned int changes;

	/* Code that stays has one name at all times. */
	if (core_kernel_text(addr))
		epoch = 0;

	mutex_lock(&names_mutex);
	/* Before the name is looked up: what changes later is seen next time. */
	changes = kml_code_changes();
	if (names_changes != changes) {
		memset(kml_pool_names(), 0, KML_NAMES * sizeof(*name));
		names_changes = changes;
	}
	name = find_name(addr, epoch);
	if (name) {
		strscpy(buf, name->text, KSYM_SYMBOL_LEN);
	} else {
		kml_code_name(addr, epoch, buf);
		keep_name(addr, epoch, buf);
	}
	mutex_unlock(&names_mutex);
}

/**
 * kml_frames_of() - begin a walk over the frames of a trace
 * @trace: the trace
 *
 * Context: Any.
 * Return: the walk, for kml_next_frame().
 */
struct kml_frames kml_frames_of(depot_stack_handle_t trace)
{
	struct kml_frames frames;
	unsigned long *entries = NULL;

	frames.left = kml_trace_fetch(trace, &entries, &frames.epoch);
	frames.next = entries;
	return frames;
}

/**
 * kml_next_frame() - name the next frame of a trace, innermost first
 * @frames: the walk, from kml_frames_of()
 * @buf: room for KSYM_SYMBOL_LEN bytes, set as kml_symbol() does
 *
 * Context: Process context; may sleep.
 * Return: false at the end, and nothing was named.
 */
bool kml_next_frame(struct kml_frames *frames, char *buf)
{
	if (!frames->left)
		return false;
	frames->left--;
	kml_symbol(*frames->next++, frames->epoch, buf);
	return true;
}
