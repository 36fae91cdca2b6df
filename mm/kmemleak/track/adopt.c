// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: memory that is there for good, or was at boot.
 *
 * The kernel's data sections are roots, and so is what memblock handed out. Where the
 * latter is has to be noted at boot, in case tracking begins later: nobody else keeps
 * it. Pages that were freed since then are not reserved any more.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched/task_stack.h>

#include <asm/sections.h>

#include "track.h"

/* Ranges of boot memory for which there is room. */
#define BOOT_RANGES_MAX	64

/**
 * struct boot_range - memory that memblock handed out, and that may have references
 * @start: its first physical address
 * @end: behind the last one
 */
struct boot_range {
	unsigned long start;
	unsigned long end;
};

static struct boot_range boot_ranges[BOOT_RANGES_MAX] __ro_after_init;
static unsigned int nr_boot_ranges __ro_after_init;

/* By address. Without room the last range reaches from where it begins to the end. */
static void __init note_range(unsigned long start, unsigned long end)
{
	struct boot_range *last = nr_boot_ranges ? &boot_ranges[nr_boot_ranges - 1] : NULL;

	if (last && (start - last->end < PAGE_SIZE || nr_boot_ranges == BOOT_RANGES_MAX)) {
		last->end = end;
		return;
	}
	boot_ranges[nr_boot_ranges++] = (struct boot_range){ start, end };
}

/**
 * kml_note_boot_memory() - note where boot memory is
 *
 * Context: Boot, one CPU, when memblock hands out no more.
 */
void __init kml_note_boot_memory(void)
{
	struct rb_node *node = rb_first(&kml_trees[KML_PHYS].root);

	for (; node; node = rb_next(node)) {
		const struct kml_record *rec = rb_entry(node, struct kml_record, node);

		if (!kml_is_black(rec))
			note_range(rec->start, rec->start + rec->size);
	}
}

static void adopt_range(const struct boot_range *range)
{
	static const struct kml_origin nobody;
	unsigned long pfn = PHYS_PFN(range->start), end = PHYS_PFN(range->end - 1) + 1;
	unsigned long first = pfn;

	for (; pfn <= end; pfn++) {
		struct page *page = pfn < end ? pfn_to_online_page(pfn) : NULL;

		if (page && PageReserved(page))
			continue;
		if (first < pfn)
			kml_track(KML_PHYS, PFN_PHYS(first), PFN_PHYS(pfn - first),
				  KML_GRAY, 0, GFP_KERNEL, nobody);
		first = pfn + 1;
		cond_resched();
	}
}

/**
 * kml_adopt_boot_memory() - let what is left of boot memory be roots
 *
 * Context: Process context; may sleep.
 */
void kml_adopt_boot_memory(void)
{
	unsigned int i;

	for (i = 0; i < nr_boot_ranges; i++)
		adopt_range(&boot_ranges[i]);
}

/* What the detector writes down must not count as a reference to it. */
static void hide(const void *start, size_t size)
{
	kml_untrack_range(KML_VIRT, (unsigned long)start, size);
}

static void hide_metadata(void)
{
	unsigned long start;
	size_t size;

	kml_pool_range(&start, &size);
	hide((void *)start, size);
	hide(kml_trees, sizeof(kml_trees));
	hide(&kml_percpu_range, sizeof(kml_percpu_range));
}

/* What of it is in use is searched with the stacks of other tasks. */
static void hide_first_stack(void)
{
	hide(task_stack_page(&init_task), THREAD_SIZE);
}

static void track_section(const void *start, const void *end)
{
	struct kml_origin nobody = {};

	kml_track(KML_VIRT, (unsigned long)start, end - start, KML_GRAY, 0,
		  GFP_ATOMIC, nobody);
}

/**
 * kml_adopt_sections() - let the kernel's data be roots
 *
 * Context: Boot, one CPU, or process context.
 */
void kml_adopt_sections(void)
{
	track_section(_sdata, _edata);
	track_section(__bss_start, __bss_stop);
	/* Some architectures have it within .data. */
	if (&__start_ro_after_init[0] < &_sdata[0] ||
	    &__end_ro_after_init[0] > &_edata[0])
		track_section(__start_ro_after_init, __end_ro_after_init);

	hide_metadata();
	hide_first_stack();
}
