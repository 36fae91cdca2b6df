// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: leaks by trace, in a file and in the log.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include "report.h"

/* ---- The file ---- */

static int count_leak(const struct kml_ref *ref, void *arg)
{
	return signal_pending(current) ? -EINTR : kml_counts_add(arg, ref->rec);
}

static int count_leaks(struct kml_counts *counts)
{
	int err;

	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	counts->when = jiffies;
	err = kml_for_each(KML_JUDGED, kml_ref_leak, count_leak, counts);
	mutex_unlock(&kml_scan_mutex);
	return err;
}

/**
 * kml_show_group() - print what leaks with the same trace have in common
 * @seq: where to
 * @group: of kml_counts.groups
 * @when: value of jiffies that their age is counted to
 *
 * Context: Process context; may sleep.
 */
void kml_show_group(struct seq_file *seq, const struct kml_count *group,
		    unsigned long when)
{
	const struct kml_total *sum = &group->all;

	seq_printf(seq, "%lu leaks, %lu bytes, %lu direct, %lu indirect, age %lu..%lu s\n",
		   sum->objects, sum->bytes, sum->direct,
		   sum->objects - sum->direct, (when - sum->youngest) / HZ,
		   (when - sum->oldest) / HZ);
	kml_show_comms(seq, group);
	if (!sum->direct && group->held_by)
		seq_printf(seq, "  held by 0x%08lx\n", group->held_by);
	kml_print_clues(seq, &group->clues);
	kml_print_frames(seq, group->trace);
}

static int groups_show(struct seq_file *seq, void *v)
{
	kml_show_group(seq, v, kml_groups_counts(seq)->when);
	return 0;
}

static const struct seq_operations groups_ops = {
	.start	= kml_groups_start,
	.next	= kml_groups_next,
	.stop	= kml_groups_stop,
	.show	= groups_show,
};

static int groups_open(struct inode *inode, struct file *file)
{
	return kml_groups_open(file, &groups_ops, count_leaks);
}

const struct file_operations kml_groups_fops = {
	.open		= groups_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= kml_groups_release,
};

/* ---- The log ---- */

/* New leaks of the scan that runs; kml_scan_mutex. */
static struct kml_counts new_leaks;

/* The first one, for all that have the same trace. */
static void log_group(const struct kml_count *group)
{
	const struct kml_total *sum = &group->all;
	struct kml_record *rec = kml_find(&kml_trees[sum->space], sum->first);

	if (!rec)
		return;
	if (kml_is_leak(rec, NULL) && !kml_report(NULL, rec) && sum->objects > 1)
		pr_warn("  ... and %lu more object(s) with the same backtrace\n",
			sum->objects - 1);
	kml_put(rec);
}

/**
 * kml_log_leak() - print new leaks to the log, one for each trace
 * @rec: a pinned object; NULL when there are no more
 *
 * They are printed when all of them are known. One for which there is no memory
 * until then is printed at once.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_log_leak(struct kml_record *rec)
{
	const struct kml_count *group;

	lockdep_assert_held(&kml_scan_mutex);
	if (rec) {
		if (kml_counts_add(&new_leaks, rec))
			kml_report(NULL, rec);
		return;
	}
	kml_counts_finish(&new_leaks);
	list_for_each_entry(group, &new_leaks.groups, group)
		log_group(group);
	kml_counts_clear(&new_leaks);
}
