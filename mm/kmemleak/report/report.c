// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what kind of memory an object is.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../../slab.h"
#include "../store/slab.h"
#include "report.h"

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
 * @rec: a pinned object
 * @kind: set to the kind, with the name of the cache if it is a slab object
 *
 * Context: Any but NMI. Interrupts are off for a moment, and a free of the object
 * waits for that.
 * Return: 0, or -ENOENT if the object was freed.
 */
int kml_kind_of(struct kml_record *rec, struct kml_kind *kind)
{
	void *addr = (void *)rec->start;
	unsigned long flags;
	int ret = 0;

	kind->cache[0] = '\0';
	/* As long as the object is there, its slab and its cache are. */
	raw_spin_lock_irqsave(&rec->lock, flags);
	if (!rec->alive)
		ret = -ENOENT;
	else if (rec->space == KML_PERCPU)
		kind->name = "percpu";
	else if (kml_is_in_image(rec->start))
		kind->name = "other";
	else if (is_vmalloc_or_module_addr(addr))
		kind->name = "vmalloc";
	else if (virt_addr_valid(addr))
		look_at_page(addr, kind);
	else
		kind->name = "other";
	raw_spin_unlock_irqrestore(&rec->lock, flags);
	return ret;
}

/* ---- Records ---- */

/* Bytes of an object's content that a report shows, and in one line of it. */
#define REPORT_BYTES	32
#define REPORT_ROW	16

/* To @seq, or to the log without one. */
__printf(2, 3)
static void seq_or_log(struct seq_file *seq, const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	if (seq) {
		seq_vprintf(seq, fmt, args);
	} else {
		vaf.fmt = fmt;
		vaf.va = &args;
		pr_warn("%pV", &vaf);
	}
	va_end(args);
}

/* A task may put anything into its name; a line of the report stays a line. */
static void print_origin(struct seq_file *seq, const struct kml_record *rec)
{
	char comm[TASK_COMM_LEN];

	kml_comm_fetch(rec->comm, comm);
	seq_or_log(seq, "  comm \"%*pE\", pid %d, jiffies %lu\n",
		   (int)strnlen(comm, sizeof(comm)), comm,
		   rec->pid, rec->jiffies);
}

static void print_bytes(struct seq_file *seq, const void *bytes, size_t len)
{
	if (seq)
		seq_hex_dump(seq, "    ", DUMP_PREFIX_NONE, REPORT_ROW, 1,
			     bytes, len, true);
	else
		print_hex_dump(KERN_WARNING, pr_fmt("    "), DUMP_PREFIX_NONE,
			       REPORT_ROW, 1, bytes, len, true);
}

/**
 * kml_print_frames() - print the frames of a trace, one a line
 * @seq: where to, or NULL for the log
 * @trace: the trace
 *
 * Context: Process context; may sleep.
 */
void kml_print_frames(struct seq_file *seq, depot_stack_handle_t trace)
{
	struct kml_frames frames = kml_frames_of(trace);
	char symbol[KSYM_SYMBOL_LEN];

	while (kml_next_frame(&frames, symbol))
		seq_or_log(seq, "    %s\n", symbol);
}

/**
 * kml_report() - print the record of a leaked object
 * @seq: where to, or NULL for the log
 * @rec: a pinned object
 *
 * Context: Process context; may sleep.
 * Return: 0, or -ENOENT if the object was freed and nothing was printed.
 */
int kml_report(struct seq_file *seq, struct kml_record *rec)
{
	size_t len = min_t(size_t, rec->size, REPORT_BYTES);
	/* Always the same one: a record does not change by being read. */
	unsigned int cpu = cpumask_first(cpu_possible_mask);
	u8 bytes[REPORT_BYTES];
	int err = kml_read(rec, cpu, 0, bytes, len);

	if (err == -ENOENT)
		return err;

	seq_or_log(seq, "unreferenced object 0x%08lx (size %zu):\n",
		   rec->start, rec->size);
	print_origin(seq, rec);
	/* Memory that is not mapped has no bytes to show. */
	if (err)
		len = 0;
	if (rec->space == KML_PERCPU)
		seq_or_log(seq, "  hex dump (first %zu bytes on cpu %u):\n",
			   len, cpu);
	else
		seq_or_log(seq, "  hex dump (first %zu bytes):\n", len);
	print_bytes(seq, bytes, len);
	seq_or_log(seq, "  backtrace (crc %x):\n", rec->crc);
	kml_print_frames(seq, READ_ONCE(rec->trace));
	return 0;
}

static const char *colour_of(const struct kml_record *rec)
{
	if (kml_is_black(rec))
		return "black (ignored)";
	if (kml_is_gray(rec))
		return "gray (never a leak)";
	if (kml_is_leak(rec, NULL))
		return "white (unreferenced)";
	return "counted";
}

static void print_kind(struct kml_record *rec)
{
	struct kml_kind kind;

	/* Of physical memory there is nothing else to say. */
	if (rec->space == KML_PHYS || kml_kind_of(rec, &kind))
		return;
	pr_warn("  kind: %s%s%s\n", kind.name, *kind.cache ? ", cache " : "",
		kind.cache);
}

/* What scans have found out; they leave out what is ignored. */
static void print_history(const struct kml_record *rec)
{
	/* One that was born during a scan was in use for that scan. */
	u32 last = max(rec->seen, rec->born);

	if (kml_is_black(rec))
		return;
	if (rec->born == kml_scan_seq)
		pr_warn("  not judged yet: allocated after scan %u began\n",
			kml_scan_seq);
	else if (last)
		pr_warn("  last reachable in scan %u of %u\n", last,
			kml_scan_seq);
	else
		pr_warn("  reachable in none of %u scans\n", kml_scan_seq);
	pr_warn("  unreferenced in %u scans\n", rec->unref_scans);
}

static void print_indirect(const struct kml_record *rec)
{
	if (!kml_is_leak(rec, NULL))
		return;
	if (rec->held_by)
		pr_warn("  indirect leak: 0x%08lx leads to it\n", rec->held_by);
	else
		pr_warn("  direct leak\n");
}

/**
 * kml_describe() - print all that is known of an object to the log
 * @rec: a pinned object
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop(), and not all is printed.
 */
int kml_describe(struct kml_record *rec)
{
	static const char * const spaces[KML_NR_SPACES] = {
		[KML_VIRT]	= "virtual",
		[KML_PERCPU]	= "per-CPU",
		[KML_PHYS]	= "physical",
	};
	u8 flags = READ_ONCE(rec->flags);

	lockdep_assert_held(&kml_scan_mutex);
	pr_warn("object 0x%08lx (size %zu), %s address:\n", rec->start,
		rec->size, spaces[rec->space]);
	print_origin(NULL, rec);
	print_kind(rec);
	pr_warn("  colour: %s\n", colour_of(rec));
	print_history(rec);
	print_indirect(rec);
	pr_warn("  flags:%s%s%s%s%s\n",
		flags & KML_NO_SCAN ? " no-scan" : "",
		flags & KML_FULL_SCAN ? " full-scan" : "",
		flags & KML_STACK ? " stack" : "",
		flags & KML_REPORTED ? " reported" : "",
		hlist_empty(&rec->areas) ? "" : " scan-areas");
	pr_warn("  backtrace (crc %x):\n", rec->crc);
	kml_print_frames(NULL, READ_ONCE(rec->trace));
	return kml_print_holders(rec);
}
