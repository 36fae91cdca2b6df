// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: leaks by trace, for the file and for the log.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

#include "leaks.h"

/* Names of tasks that are shown of a group. */
#define GROUP_COMMS	4

/**
 * struct groups_reader - what one open file shows
 * @tally: leaks by trace, as they were when it was read from its start
 * @when: value of jiffies then
 * @at: the group where the last read ended, or the list's head
 * @pos: its number
 * @err: why leaks could not be counted
 */
struct groups_reader {
	struct kml_tally tally;
	unsigned long when;
	struct list_head *at;
	loff_t pos;
	int err;
};

/* ---- The file ---- */

static unsigned long count_leak(struct kml_object *obj, void *arg)
{
	struct groups_reader *reader = arg;

	if (!reader->err && signal_pending(current))
		reader->err = -EINTR;
	if (!reader->err)
		reader->err = kml_tally_add(&reader->tally, obj);
	return 0;
}

static int count_leaks(struct groups_reader *reader)
{
	kml_tally_clear(&reader->tally);
	reader->at = &reader->tally.groups;
	reader->err = 0;
	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	reader->when = jiffies;
	kml_sum_matches(kml_is_leak, count_leak, reader);
	mutex_unlock(&kml_scan_mutex);

	if (reader->err)
		kml_tally_clear(&reader->tally);
	else
		kml_tally_finish(&reader->tally);
	return reader->err;
}

static void print_comms(struct seq_file *seq, const struct kml_share *group)
{
	const struct kml_share *share;
	unsigned int shown = 0;
	char comm[TASK_COMM_LEN];

	list_for_each_entry(share, &group->shares, link) {
		if (shown == GROUP_COMMS) {
			seq_printf(seq, " and %u more", group->comms - shown);
			break;
		}
		kml_comm_fetch(share->comm, comm);
		seq_puts(seq, shown ? ", \"" : "  comm \"");
		seq_escape_mem(seq, comm, strnlen(comm, sizeof(comm)),
			       ESCAPE_ANY | ESCAPE_NAP | ESCAPE_APPEND, "\"\\");
		seq_putc(seq, '"');
		shown++;
	}
	seq_putc(seq, '\n');
}

/**
 * kml_show_group() - print what leaks with the same trace have in common
 * @seq: where to
 * @group: of kml_tally.groups
 * @when: value of jiffies that their age is counted to
 *
 * Context: Process context; may sleep.
 */
void kml_show_group(struct seq_file *seq, const struct kml_share *group,
		    unsigned long when)
{
	const struct kml_sum *sum = &group->all;

	seq_printf(seq, "%lu leaks, %lu bytes, %lu direct, %lu indirect, age %lu..%lu s\n",
		   sum->leaks, sum->bytes, sum->direct,
		   sum->leaks - sum->direct, (when - sum->youngest) / HZ,
		   (when - sum->oldest) / HZ);
	print_comms(seq, group);
	kml_print_frames(seq, group->trace);
}

static void *groups_start(struct seq_file *seq, loff_t *pos)
{
	struct groups_reader *reader = seq->private;
	struct list_head *groups = &reader->tally.groups;

	if (!*pos) {
		int err = count_leaks(reader);

		if (err)
			return ERR_PTR(err);
	}
	if (!*pos || *pos < reader->pos) {
		reader->at = groups->next;
		reader->pos = 0;
	}
	while (reader->pos < *pos && reader->at != groups) {
		reader->at = reader->at->next;
		reader->pos++;
	}
	return reader->at == groups ? NULL : reader->at;
}

static void *groups_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct groups_reader *reader = seq->private;

	reader->at = reader->at->next;
	*pos = ++reader->pos;
	return reader->at == &reader->tally.groups ? NULL : reader->at;
}

static void groups_stop(struct seq_file *seq, void *v)
{
}

static int groups_show(struct seq_file *seq, void *v)
{
	struct groups_reader *reader = seq->private;

	kml_show_group(seq, list_entry(v, struct kml_share, group),
		       reader->when);
	return 0;
}

static const struct seq_operations groups_ops = {
	.start	= groups_start,
	.next	= groups_next,
	.stop	= groups_stop,
	.show	= groups_show,
};

static int groups_open(struct inode *inode, struct file *file)
{
	struct groups_reader *reader;

	reader = __seq_open_private(file, &groups_ops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	kml_tally_clear(&reader->tally);
	reader->at = &reader->tally.groups;
	return 0;
}

static int groups_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;
	struct groups_reader *reader = seq->private;

	kml_tally_clear(&reader->tally);
	return seq_release_private(inode, file);
}

const struct file_operations kml_groups_fops = {
	.open		= groups_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= groups_release,
};

/* ---- The log ---- */

/* New leaks of the scan that runs; kml_scan_mutex. */
static struct kml_tally new_leaks;

/* The first one, for all that have the same trace. */
static void log_group(const struct kml_share *group)
{
	const struct kml_sum *sum = &group->all;
	struct kml_object *obj = kml_find(&kml_trees[sum->space], sum->first);

	if (!obj)
		return;
	if (kml_is_leak(obj, NULL) && !kml_report(NULL, obj) && sum->leaks > 1)
		pr_warn("  (and %lu more with the same backtrace)\n",
			sum->leaks - 1);
	kml_put(obj);
}

/**
 * kml_log_leak() - print new leaks to the log, one for each trace
 * @obj: a pinned object; NULL when there are no more
 *
 * They are printed when all of them are known. One for which there is no memory
 * until then is printed at once.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_log_leak(struct kml_object *obj)
{
	const struct kml_share *group;

	lockdep_assert_held(&kml_scan_mutex);
	if (obj) {
		if (kml_tally_add(&new_leaks, obj))
			kml_report(NULL, obj);
		return;
	}
	kml_tally_finish(&new_leaks);
	list_for_each_entry(group, &new_leaks.groups, group)
		log_group(group);
	kml_tally_clear(&new_leaks);
}
