// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: how many leaks have the same trace.
 *
 * Leaks are counted by the handle of their trace and by their task's name, which is
 * quick. When all have been, counts are put together whose traces read the same:
 * builds of a module that differ elsewhere have traces of their own.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/list_sort.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/siphash.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

#include "report.h"

#define COUNTS_IN_PAGE	((PAGE_SIZE - sizeof(void *)) / sizeof(struct kml_count))

/**
 * struct kml_counts_page - memory for counts, neither tracked nor scanned
 * @next: the page that was filled before this one
 * @members: the counts
 */
struct kml_counts_page {
	struct kml_counts_page *next;
	struct kml_count members[COUNTS_IN_PAGE];
};

static struct kml_count *new_count(struct kml_counts *counts)
{
	struct kml_counts_page *page = counts->pages;

	BUILD_BUG_ON(sizeof(*page) > PAGE_SIZE);
	if (!page || counts->used == COUNTS_IN_PAGE) {
		page = (void *)__get_free_page(kml_gfp(GFP_KERNEL));
		if (!page)
			return NULL;
		page->next = counts->pages;
		counts->pages = page;
		counts->used = 0;
	}
	return &page->members[counts->used++];
}

static void add_total(struct kml_total *to, const struct kml_total *from)
{
	if (!to->leaks) {
		*to = *from;
		return;
	}
	to->leaks += from->leaks;
	to->bytes += from->bytes;
	to->direct += from->direct;
	if (time_before(from->oldest, to->oldest))
		to->oldest = from->oldest;
	if (time_after(from->youngest, to->youngest))
		to->youngest = from->youngest;
}

/* Find the count with this key and name, or else where it belongs. */
static struct rb_node **find_link(struct rb_root *root, u64 key,
				  const char *comm, struct rb_node **parent)
{
	struct rb_node **link = &root->rb_node;

	*parent = NULL;
	while (*link) {
		struct kml_count *count = rb_entry(*link, struct kml_count,
						   node);

		int order = key < count->key ? -1 : key > count->key;

		if (!order)
			order = memcmp(comm, count->comm, TASK_COMM_LEN);
		if (!order)
			break;
		*parent = *link;
		link = order < 0 ? &count->node.rb_left : &count->node.rb_right;
	}
	return link;
}

/**
 * kml_counts_add() - count a leak
 * @counts: what has been counted so far
 * @rec: the leak
 *
 * Context: Holder of kml_scan_mutex, for the sake of @rec; may sleep.
 * Return: 0, or -ENOMEM if it was not counted.
 */
int kml_counts_add(struct kml_counts *counts, const struct kml_record *rec)
{
	depot_stack_handle_t trace = READ_ONCE(rec->trace);
	struct kml_total sum = {
		.leaks = 1,
		.bytes = rec->size,
		.direct = !rec->held_by,
		.oldest = rec->jiffies,
		.youngest = rec->jiffies,
		.first = rec->start,
		.space = rec->space,
	};
	struct rb_node **link, *parent;
	char comm[TASK_COMM_LEN];
	struct kml_count *count;

	kml_name_fetch(rec->comm, comm);
	link = find_link(&counts->root, trace, comm, &parent);
	if (*link) {
		count = rb_entry(*link, struct kml_count, node);
		add_total(&count->own, &sum);
		return 0;
	}
	count = new_count(counts);
	if (!count)
		return -ENOMEM;
	*count = (struct kml_count){
		.key = trace,
		.trace = trace,
		.own = sum,
	};
	memcpy(count->comm, comm, sizeof(count->comm));
	rb_link_node(&count->node, parent, link);
	rb_insert_color(&count->node, &counts->root);
	return 0;
}

/* The same number for traces that read the same. */
static u64 hash_text(depot_stack_handle_t trace)
{
	static const siphash_key_t key;
	struct kml_frames frames = kml_frames_of(trace);
	char symbol[KSYM_SYMBOL_LEN];
	u64 hash = 0;

	while (kml_next_frame(&frames, symbol))
		hash = siphash_2u64(hash, siphash(symbol, strlen(symbol), &key),
				    &key);
	return hash;
}

/* Sort the counts by what their traces read, instead of their handles. */
static void merge_counts(struct kml_counts *counts)
{
	struct rb_root merged = RB_ROOT;
	struct rb_node *node, **link, *parent;
	depot_stack_handle_t trace = 0;
	u64 hash = 0;

	while ((node = rb_first(&counts->root))) {
		struct kml_count *count = rb_entry(node, struct kml_count,
						   node);

		rb_erase(node, &counts->root);
		/* Those with the same trace follow each other. */
		if (count->trace != trace) {
			trace = count->trace;
			hash = hash_text(trace);
			cond_resched();
		}
		count->key = hash;
		link = find_link(&merged, hash, count->comm, &parent);
		if (*link) {
			add_total(&rb_entry(*link, struct kml_count, node)->own,
				  &count->own);
			continue;
		}
		rb_link_node(node, parent, link);
		rb_insert_color(node, &merged);
	}
	counts->root = merged;
}

static int most_bytes_first(void *priv, const struct list_head *a,
			    const struct list_head *b)
{
	const struct kml_count *one = list_entry(a, struct kml_count, group);
	const struct kml_count *two = list_entry(b, struct kml_count, group);

	if (one->all.bytes != two->all.bytes)
		return one->all.bytes < two->all.bytes ? 1 : -1;
	return one->all.leaks < two->all.leaks;
}

static int most_leaks_first(void *priv, const struct list_head *a,
			    const struct list_head *b)
{
	return list_entry(a, struct kml_count, link)->own.leaks <
	       list_entry(b, struct kml_count, link)->own.leaks;
}

/**
 * kml_counts_finish() - make groups of all that was counted
 * @counts: the counts, to which nothing is to be added any more
 *
 * Context: Process context; may sleep.
 */
void kml_counts_finish(struct kml_counts *counts)
{
	struct kml_count *count, *head = NULL;
	struct rb_node *node;

	INIT_LIST_HEAD(&counts->groups);
	merge_counts(counts);
	/* The first one of each key stands for its group. */
	for (node = rb_first(&counts->root); node; node = rb_next(node)) {
		count = rb_entry(node, struct kml_count, node);
		if (!head || count->key != head->key) {
			head = count;
			INIT_LIST_HEAD(&head->members);
			list_add_tail(&head->group, &counts->groups);
		}
		list_add_tail(&count->link, &head->members);
		add_total(&head->all, &count->own);
		head->comms++;
	}
	list_for_each_entry(head, &counts->groups, group) {
		list_sort(NULL, &head->members, most_leaks_first);
		cond_resched();
	}
	list_sort(NULL, &counts->groups, most_bytes_first);
}

/**
 * kml_counts_clear() - forget all that was counted, and give its memory back
 * @counts: the counts, or zeroes
 *
 * Context: Process context; may sleep.
 */
void kml_counts_clear(struct kml_counts *counts)
{
	struct kml_counts_page *page;

	while ((page = counts->pages)) {
		counts->pages = page->next;
		free_page((unsigned long)page);
	}
	counts->root = RB_ROOT;
	INIT_LIST_HEAD(&counts->groups);
}

/* ---- Groups ---- */

/* Names of tasks that are shown of a group. */
#define GROUP_COMMS	4

/**
 * struct groups_reader - what one open file shows
 * @counts: leaks by trace, as they were when it was read from its start
 * @when: value of jiffies then
 * @at: the group where the last read ended, or the list's head
 * @pos: its number
 */
struct groups_reader {
	struct kml_counts counts;
	unsigned long when;
	struct list_head *at;
	loff_t pos;
};

/* ---- The file ---- */

static int count_leak(const struct kml_ref *ref, void *arg)
{
	struct groups_reader *reader = arg;

	return signal_pending(current) ? -EINTR :
	       kml_counts_add(&reader->counts, ref->rec);
}

static int count_leaks(struct groups_reader *reader)
{
	int err;

	kml_counts_clear(&reader->counts);
	reader->at = &reader->counts.groups;
	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	reader->when = jiffies;
	err = kml_for_each(KML_JUDGED, kml_ref_leak, count_leak, reader);
	mutex_unlock(&kml_scan_mutex);

	if (err)
		kml_counts_clear(&reader->counts);
	else
		kml_counts_finish(&reader->counts);
	return err;
}

static void print_comms(struct seq_file *seq, const struct kml_count *group)
{
	const struct kml_count *count;
	unsigned int shown = 0;

	list_for_each_entry(count, &group->members, link) {
		if (shown == GROUP_COMMS) {
			seq_printf(seq, " and %u more", group->comms - shown);
			break;
		}
		seq_puts(seq, shown ? ", \"" : "  comm \"");
		seq_escape_mem(seq, count->comm,
			       strnlen(count->comm, sizeof(count->comm)),
			       ESCAPE_ANY | ESCAPE_NAP | ESCAPE_APPEND, "\"\\");
		seq_putc(seq, '"');
		shown++;
	}
	seq_putc(seq, '\n');
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
		   sum->leaks, sum->bytes, sum->direct,
		   sum->leaks - sum->direct, (when - sum->youngest) / HZ,
		   (when - sum->oldest) / HZ);
	print_comms(seq, group);
	kml_print_frames(seq, group->trace);
}

static void *groups_start(struct seq_file *seq, loff_t *pos)
{
	struct groups_reader *reader = seq->private;
	struct list_head *groups = &reader->counts.groups;

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
	return reader->at == &reader->counts.groups ? NULL : reader->at;
}

static void groups_stop(struct seq_file *seq, void *v)
{
}

static int groups_show(struct seq_file *seq, void *v)
{
	struct groups_reader *reader = seq->private;

	kml_show_group(seq, list_entry(v, struct kml_count, group),
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
	kml_counts_clear(&reader->counts);
	reader->at = &reader->counts.groups;
	return 0;
}

static int groups_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;
	struct groups_reader *reader = seq->private;

	kml_counts_clear(&reader->counts);
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
static struct kml_counts new_leaks;

/* The first one, for all that have the same trace. */
static void log_group(const struct kml_count *group)
{
	const struct kml_total *sum = &group->all;
	struct kml_record *rec = kml_find(&kml_trees[sum->space], sum->first);

	if (!rec)
		return;
	if (kml_is_leak(rec, NULL) && !kml_report(NULL, rec) && sum->leaks > 1)
		pr_warn("  ... and %lu more object(s) with the same backtrace\n",
			sum->leaks - 1);
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
