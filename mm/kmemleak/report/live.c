// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: all live objects by trace, lost or not.
 *
 * Memory that grows is mostly still referred to. Where it was allocated, when, and by
 * whom is known of each object; to show that costs allocations nothing.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "report.h"

/*
 * Objects that were allocated at this time or later were born in the present interval.
 * At first these are all: none is as old as that. One of kml_stamp_after().
 */
static unsigned long interval_start = round_down(INITIAL_JIFFIES, 64) - 64;

static const unsigned int period_secs[] = { 60, 600, 3600 };

static_assert(ARRAY_SIZE(period_secs) == KML_PERIOD_MARK);

/**
 * struct census - a count of all live objects
 * @counts: the counts
 * @since: for each period, when it began, in jiffies
 */
struct census {
	struct kml_counts *counts;
	unsigned long since[KML_NR_PERIODS];
};

static struct kml_count *count_for(struct census *census, const struct kml_ref *ref,
				   const struct kml_brief *brief)
{
	struct kml_counts *counts = census->counts;
	const struct kml_memory *memory;
	const void *owner = brief->owner;
	struct kml_count *count = NULL;

	if (signal_pending(current))
		return ERR_PTR(-EINTR);
	memory = kml_counts_memory(counts, ref);
	if (IS_ERR(memory))
		return ERR_CAST(memory);
	/* Without an owner there is nothing else that stands for its kind. */
	if (!owner) {
		owner = memory;
		count = kml_counts_find(counts, brief->handles, owner);
	}
	if (!count)
		count = kml_counts_new(counts, brief->handles, owner, memory);
	return count ?: ERR_PTR(-ENOMEM);
}

static void add_brief(struct kml_total *sum, const struct kml_brief *brief,
		      const struct census *census)
{
	unsigned long bytes = brief->objects * brief->size;
	unsigned int i;

	if (!sum->objects || time_before(brief->oldest, sum->oldest))
		sum->oldest = brief->oldest;
	if (!sum->objects || time_after(brief->youngest, sum->youngest))
		sum->youngest = brief->youngest;
	sum->objects += brief->objects;
	sum->bytes += bytes;
	if (unlikely(brief->leak)) {
		sum->leaks += brief->objects;
		sum->leaked_bytes += bytes;
	}
	for (i = 0; i < KML_NR_PERIODS; i++)
		if (time_after_eq(brief->oldest, census->since[i]))
			sum->born[i] += brief->objects;
	if (time_after_eq(brief->oldest, census->since[KML_PERIOD_MARK]))
		sum->born_bytes += bytes;
}

static int count_object(const struct kml_ref *ref, const struct kml_brief *brief, void *arg)
{
	struct census *census = arg;
	struct kml_count *count = NULL;

	if (likely(brief->owner))
		count = kml_counts_find(census->counts, brief->handles, brief->owner);
	if (unlikely(!count)) {
		count = count_for(census, ref, brief);
		/* It was freed meanwhile. */
		if (count == ERR_PTR(-ENOENT))
			return 0;
		if (IS_ERR(count))
			return PTR_ERR(count);
	}
	add_brief(&count->own, brief, census);
	return 0;
}

/**
 * kml_count_live() - count all live objects by trace
 * @counts: the counts, empty
 *
 * What comes or goes meanwhile may be counted or not.
 *
 * Context: Process context; may sleep.
 * Return: 0; -EINTR on a signal; -ENOMEM; then not all was counted.
 */
int kml_count_live(struct kml_counts *counts)
{
	struct census census = { .counts = counts };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(period_secs); i++)
		census.since[i] = kml_stamp_after(counts->when - period_secs[i] * HZ);
	census.since[KML_PERIOD_MARK] = READ_ONCE(interval_start);
	return kml_visit_briefs(census.since, KML_NR_PERIODS, count_object, &census);
}

/**
 * kml_begin_interval() - begin a new interval: what is there now is older
 *
 * Waits until the times of objects tell which of the two they were born in, a 64th of a
 * second at most, or a jiffy.
 *
 * Context: Process context; sleeps.
 * Return: 0; -EINTR on a signal, and the interval goes on.
 */
int kml_begin_interval(void)
{
	unsigned long start = kml_stamp_after(jiffies);

	while (time_before(jiffies, start)) {
		schedule_timeout_interruptible(start - jiffies);
		if (signal_pending(current))
			return -EINTR;
	}
	WRITE_ONCE(interval_start, start);
	return 0;
}

/**
 * kml_interval() - tell how long ago the present interval began
 *
 * Context: Any.
 * Return: the time in jiffies.
 */
unsigned long kml_interval(void)
{
	return jiffies - READ_ONCE(interval_start);
}

/* ---- The files ---- */

/**
 * kml_show_live() - print what live objects with the same trace have in common
 * @seq: where to
 * @group: of kml_counts.groups
 * @when: value of jiffies that their age is counted to
 *
 * Context: Process context; may sleep.
 */
void kml_show_live(struct seq_file *seq, const struct kml_count *group, unsigned long when)
{
	const struct kml_total *sum = &group->all;
	unsigned int i;

	seq_printf(seq, "%lu objects, %lu bytes, %lu leaks, %lu held, age %lu..%lu s, born",
		   sum->objects, sum->bytes, sum->leaks, sum->objects - sum->leaks,
		   kml_age(sum->youngest, when) / HZ, kml_age(sum->oldest, when) / HZ);
	for (i = 0; i < ARRAY_SIZE(period_secs); i++)
		seq_printf(seq, " %lu in %u s,", sum->born[i], period_secs[i]);
	seq_printf(seq, " %lu since mark\n", sum->born[KML_PERIOD_MARK]);
	kml_show_comms(seq, group);
	kml_print_frames(seq, group->trace);
}

/* They are no objects, and nobody knows who has allocated them. */
static void show_pages(struct seq_file *seq)
{
	struct kml_page_counts pages;

	kml_count_pages(&pages);
	if (!pages.all)
		return;
	seq_printf(seq, "%lu pages that nobody has registered, %lu bytes: ", pages.all,
		   pages.all * PAGE_SIZE);
	seq_printf(seq, "%lu kmalloc, %lu accounted, %lu compound, %lu single\n",
		   pages.of[KML_PAGE_KMALLOC], pages.of[KML_PAGE_ACCOUNTED],
		   pages.of[KML_PAGE_COMPOUND], pages.of[KML_PAGE_SINGLE]);
}

static int live_show(struct seq_file *seq, void *v)
{
	const struct kml_counts *counts = kml_groups_counts(seq);
	const struct kml_count *group = v;

	kml_show_live(seq, group, counts->when);
	if (list_is_last(&group->group, &counts->groups))
		show_pages(seq);
	return 0;
}

static const struct seq_operations live_ops = {
	.start	= kml_groups_start,
	.next	= kml_groups_next,
	.stop	= kml_groups_stop,
	.show	= live_show,
};

static int live_open(struct inode *inode, struct file *file)
{
	return kml_groups_open(file, &live_ops, kml_count_live);
}

const struct file_operations kml_live_fops = {
	.open		= live_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= kml_groups_release,
};

static void json_total(struct seq_file *seq, const struct kml_total *sum)
{
	seq_printf(seq, "\"objects\":%lu,\"bytes\":%lu", sum->objects, sum->bytes);
	seq_printf(seq, ",\"leaks\":%lu,\"leaked_bytes\":%lu", sum->leaks,
		   sum->leaked_bytes);
	seq_printf(seq, ",\"born_since_mark\":%lu,\"bytes_since_mark\":%lu",
		   sum->born[KML_PERIOD_MARK], sum->born_bytes);
}

static void json_part(struct seq_file *seq, const struct kml_count *part)
{
	const struct kml_kind *kind = &part->memory->kind;

	seq_puts(seq, "{\"comm\":");
	kml_json_string(seq, part->comm, strnlen(part->comm, sizeof(part->comm)));
	seq_printf(seq, ",\"kind\":\"%s\",\"cache\":", kind->name);
	kml_json_string(seq, *kind->cache ? kind->cache : NULL, strlen(kind->cache));
	seq_printf(seq, ",\"reclaimable\":%s,", kind->reclaimable ? "true" : "false");
	json_total(seq, &part->own);
	seq_putc(seq, '}');
}

/**
 * kml_json_live() - print live objects with the same trace as one line of JSON
 * @seq: where to
 * @group: of kml_counts.groups
 * @when: value of jiffies that their age is counted to
 *
 * Context: Process context; may sleep.
 */
void kml_json_live(struct seq_file *seq, const struct kml_count *group, unsigned long when)
{
	const struct kml_total *sum = &group->all;
	const struct kml_count *part;
	const char *comma = "";
	unsigned int i;

	seq_putc(seq, '{');
	json_total(seq, sum);
	seq_printf(seq, ",\"age_min_ms\":%llu,\"age_max_ms\":%llu",
		   jiffies64_to_msecs(kml_age(sum->youngest, when)),
		   jiffies64_to_msecs(kml_age(sum->oldest, when)));
	for (i = 0; i < ARRAY_SIZE(period_secs); i++)
		seq_printf(seq, ",\"born_%us\":%lu", period_secs[i], sum->born[i]);
	kml_json_module(seq, group->trace);
	seq_puts(seq, ",\"parts\":[");
	list_for_each_entry(part, &group->members, link) {
		seq_puts(seq, comma);
		json_part(seq, part);
		comma = ",";
	}
	seq_putc(seq, ']');
	kml_json_trace(seq, group->trace);
	seq_puts(seq, "}\n");
}

static int live_json_show(struct seq_file *seq, void *v)
{
	kml_json_live(seq, v, kml_groups_counts(seq)->when);
	return 0;
}

static const struct seq_operations live_json_ops = {
	.start	= kml_groups_start,
	.next	= kml_groups_next,
	.stop	= kml_groups_stop,
	.show	= live_json_show,
};

static int live_json_open(struct inode *inode, struct file *file)
{
	return kml_groups_open(file, &live_json_ops, kml_count_live);
}

const struct file_operations kml_live_json_fops = {
	.open		= live_json_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= kml_groups_release,
};
