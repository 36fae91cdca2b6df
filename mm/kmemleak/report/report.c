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
#include "report.h"

/* Looks at who has a page of the linear map now. */
static void look_at_page(void *addr, struct kml_kind *kind)
{
	const struct slab *slab = virt_to_slab(addr);
	const struct kmem_cache *cache;
	slab_flags_t flags;
	const char *name;

	if (slab) {
		kind->name = "slab";
		cache = READ_ONCE(slab->slab_cache);
		if (cache && !kml_read_memory(&flags, &cache->flags, sizeof(flags)))
			kind->reclaimable = flags & SLAB_RECLAIM_ACCOUNT;
		if (cache && !kml_read_memory(&name, &cache->name, sizeof(name)))
			strncpy_from_kernel_nofault(kind->cache, name,
						    sizeof(kind->cache));
	} else if (PageReserved(virt_to_page(addr))) {
		kind->name = "boot";
	} else {
		kind->name = "page";
	}
}

/**
 * kml_kind_of() - find out what kind of memory an object is
 * @ref: the object, pinned
 * @kind: set to the kind, with the name of the cache if it is a slab object
 *
 * As long as the object is there, its slab and its cache are. So what was read is
 * right if the object is there still.
 *
 * Context: Any.
 * Return: 0, or -ENOENT if the object was freed.
 */
int kml_kind_of(const struct kml_ref *ref, struct kml_kind *kind)
{
	unsigned long start = kml_ref_start(ref);

	kind->cache[0] = '\0';
	kind->reclaimable = false;
	if (kml_ref_space(ref) == KML_PERCPU)
		kind->name = "percpu";
	else if (kml_is_in_image(start))
		kind->name = "other";
	else if (is_vmalloc_or_module_addr((void *)start))
		kind->name = "vmalloc";
	else if (virt_addr_valid((void *)start))
		look_at_page((void *)start, kind);
	else
		kind->name = "other";
	/*
	 * Pairs with the page allocator's lock, by which the owner's free is over
	 * before the page is something else.
	 */
	smp_rmb();
	return kml_ref_is_live(ref) ? 0 : -ENOENT;
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
static void print_origin(struct seq_file *seq, const struct kml_ref *ref,
			 const char *comm)
{
	struct kml_origin origin = kml_ref_origin(ref);

	seq_or_log(seq, "  comm \"%*pE\", pid %d, jiffies %lu\n",
		   (int)strnlen(comm, TASK_COMM_LEN), comm,
		   (pid_t)origin.pid, kml_ref_jiffies(ref));
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

/* What the first line of a record says of one of per-CPU memory, in this kernel. */
#ifndef KML_PERCPU_MARK
#define KML_PERCPU_MARK	" (percpu)"
#endif

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
	struct kml_ref ref = { .rec = rec };
	/* Always the same one: a record does not change by being read. */
	unsigned int cpu = cpumask_first(cpu_possible_mask);
	char comm[TASK_COMM_LEN];
	u8 bytes[REPORT_BYTES];
	int err;

	/* Before it is known that the object was there: then the name is its own. */
	kml_name_fetch(rec->comm, comm);
	err = kml_read(rec, cpu, 0, bytes, len);
	if (err == -ENOENT)
		return err;

	seq_or_log(seq, "unreferenced object%s 0x%08lx (size %zu):\n",
		   rec->space == KML_PERCPU ? KML_PERCPU_MARK : "", rec->start,
		   rec->size);
	print_origin(seq, &ref, comm);
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

static const char *colour_of(const struct kml_ref *ref)
{
	switch (kml_ref_needed(ref)) {
	case KML_BLACK:
		return "black (ignored)";
	case KML_GRAY:
		return "gray (never a leak)";
	default:
		return kml_ref_is_leak(ref) ? "white (unreferenced)" :
					      "counted";
	}
}

static void print_kind(const struct kml_ref *ref)
{
	struct kml_kind kind;

	/* All there is to say of physical memory is its address. */
	if (kml_ref_space(ref) == KML_PHYS || kml_kind_of(ref, &kind))
		return;
	pr_warn("  kind: %s%s%s\n", kind.name, *kind.cache ? ", cache " : "",
		kind.cache);
}

/* Scans leave out what is ignored. */
static void print_history(const struct kml_ref *ref)
{
	u32 last = kml_ref_last_scan(ref);

	if (kml_ref_needed(ref) == KML_BLACK)
		return;
	if (kml_ref_is_new(ref))
		pr_warn("  not judged yet: allocated after scan %u began\n",
			kml_scan_seq);
	else if (last)
		pr_warn("  last reachable in scan %u of %u\n", last,
			kml_scan_seq);
	else
		pr_warn("  reachable in none of %u scans\n", kml_scan_seq);
	pr_warn("  unreferenced in %u scans\n",
		kml_ref_verdict(ref)->unref_scans);
}

static void print_indirect(const struct kml_ref *ref)
{
	unsigned long holder = kml_ref_verdict(ref)->held_by;

	if (!kml_ref_is_leak(ref))
		return;
	if (holder)
		pr_warn("  indirect leak: 0x%08lx leads to it\n", holder);
	else
		pr_warn("  direct leak\n");
}

/**
 * kml_describe() - print all that is known of an object to the log
 * @ref: the object, pinned
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop(), and not all is printed.
 */
int kml_describe(const struct kml_ref *ref)
{
	static const char * const spaces[KML_NR_SPACES] = {
		[KML_VIRT]	= "virtual",
		[KML_PERCPU]	= "per-CPU",
		[KML_PHYS]	= "physical",
	};
	u8 flags = kml_ref_verdict(ref)->flags;
	char comm[TASK_COMM_LEN];

	lockdep_assert_held(&kml_scan_mutex);
	kml_name_fetch(kml_comm_of(kml_ref_origin(ref).handles), comm);
	pr_warn("object 0x%08lx (size %zu), %s address:\n", kml_ref_start(ref),
		kml_ref_size(ref), spaces[kml_ref_space(ref)]);
	print_origin(NULL, ref, comm);
	print_kind(ref);
	pr_warn("  colour: %s\n", colour_of(ref));
	print_history(ref);
	print_indirect(ref);
	pr_warn("  flags:%s%s%s%s%s\n",
		flags & KML_NO_SCAN || kml_ref_needed(ref) == KML_BLACK ?
			" no-scan" : "",
		flags & KML_FULL_SCAN ? " full-scan" : "",
		flags & KML_STACK ? " stack" : "",
		flags & KML_REPORTED ? " reported" : "",
		kml_ref_has_areas(ref) ? " scan-areas" : "");
	pr_warn("  backtrace (crc %x):\n", kml_ref_verdict(ref)->crc);
	kml_print_frames(NULL, kml_trace_of(kml_ref_origin(ref).handles));
	return kml_print_holders(ref);
}
