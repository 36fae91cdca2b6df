// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: figures about itself.
 */
#include <linux/seq_file.h>

#include "block.h"

/**
 * struct totals - what is tracked
 * @objects: how many objects
 * @bytes: how long they are together
 * @metadata: bytes that their metadata takes
 * @blocks: how many blocks with slots
 * @leaks: how many of the objects are reported
 */
struct totals {
	unsigned long objects;
	unsigned long bytes;
	unsigned long metadata;
	unsigned long blocks;
	unsigned long leaks;
};

static void add_block(struct kml_block *block, void *arg)
{
	struct totals *totals = arg;
	unsigned int i;

	for (i = 0; i < block->nr; i++) {
		if (!(READ_ONCE(block->slots[i].meta) & KML_SLOT_LIVE))
			continue;
		totals->objects++;
		totals->bytes += kml_slot_size(block, i);
	}
	totals->blocks++;
	totals->metadata += kml_block_memory(block);
}

static bool match_any(const struct kml_object *obj, void *arg)
{
	return true;
}

static unsigned long add_object(struct kml_object *obj, void *arg)
{
	struct totals *totals = arg;

	totals->objects++;
	totals->bytes += obj->size;
	totals->metadata += kml_object_memory(obj);
	totals->leaks += kml_is_leak(obj, NULL);
	return 0;
}

static void add_up(struct totals *totals)
{
	kml_walk_blocks(add_block, totals);
	kml_sum_matches(match_any, add_object, totals);
	totals->metadata += kml_pool_memory() + kml_block_tables_memory() +
			    kml_trace_memory();
}

static const char *state_name(void)
{
	if (kml_tracking())
		return "on";
	return kml_following_frees() ? "off" : "cleared";
}

/**
 * kml_show_stats() - print figures, one a line
 * @seq: where to
 *
 * They are counted when they are asked for, which keeps allocations cheap, and
 * without a stop to what goes on.
 *
 * Context: Process context; may sleep.
 */
void kml_show_stats(struct seq_file *seq)
{
	const struct kml_scan_stats *scans = kml_scan_stats();
	struct totals totals = {};

	add_up(&totals);
	seq_printf(seq, "state: %s\n", state_name());
	seq_printf(seq, "objects: %lu\n", totals.objects);
	seq_printf(seq, "bytes: %lu\n", totals.bytes);
	seq_printf(seq, "metadata bytes: %lu\n", totals.metadata);
	seq_printf(seq, "blocks: %lu\n", totals.blocks);
	seq_printf(seq, "unknown blocks: %lu\n", kml_unknown_blocks());
	seq_printf(seq, "pool left: %u\n", kml_pool_left());
	seq_printf(seq, "scans: %lu\n", READ_ONCE(scans->scans));
	seq_printf(seq, "last scan ms: %lu\n", READ_ONCE(scans->ms));
	seq_printf(seq, "last scan words: %lu\n", READ_ONCE(scans->words));
	seq_printf(seq, "last scan suspects: %lu\n", READ_ONCE(scans->suspects));
	seq_printf(seq, "last scan undecided: %lu\n",
		   READ_ONCE(scans->undecided));
	seq_printf(seq, "last scan passes: %u\n", READ_ONCE(scans->passes));
	seq_printf(seq, "leaks now: %lu\n", totals.leaks);
	seq_printf(seq, "leaks ever: %lu\n", READ_ONCE(scans->leaks_ever));
	seq_printf(seq, "running scan words: %lu\n", kml_words_read());
}
