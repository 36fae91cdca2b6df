/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what shows leaks, besides the report.
 */
#ifndef __MM_KMEMLEAK_LEAKS_H
#define __MM_KMEMLEAK_LEAKS_H

#include <linux/fs.h>
#include <linux/seq_file.h>

#include "internal.h"

/* ---- leaks.c: files with one record for each leak ---- */

int kml_leaks_open(struct file *file, const struct seq_operations *ops);
int kml_leaks_release(struct inode *inode, struct file *file);
void *kml_leaks_start(struct seq_file *seq, loff_t *pos);
void *kml_leaks_next(struct seq_file *seq, void *v, loff_t *pos);
void kml_leaks_stop(struct seq_file *seq, void *v);

/* ---- tally.c: how many leaks have the same trace ---- */

/**
 * struct kml_sum - what some leaks have together
 * @leaks: how many there are
 * @bytes: how long they are
 * @direct: how many no other leak leads to
 * @oldest: when the first one was allocated, in jiffies
 * @youngest: when the last one was
 * @first: where one of them starts
 * @space: address space of @first
 */
struct kml_sum {
	unsigned long leaks;
	unsigned long bytes;
	unsigned long direct;
	unsigned long oldest;
	unsigned long youngest;
	unsigned long first;
	enum kml_space space;
};

/**
 * struct kml_share - leaks with the same trace, and the same name of a task
 * @node: in kml_tally.root, by @key and @comm
 * @key: the trace; later a hash of what it reads
 * @trace: the trace, or one of those that read the same
 * @comm: name of the task
 * @own: its leaks
 * @link: in @shares of the first one of its group
 * @shares: of the first one of a group, all of them, most leaks first
 * @group: of the first one of a group, in kml_tally.groups
 * @all: of the first one of a group, leaks of all of them
 * @comms: of the first one of a group, how many they are
 */
struct kml_share {
	struct rb_node node;
	u64 key;
	depot_stack_handle_t trace;
	depot_stack_handle_t comm;
	struct kml_sum own;
	struct list_head link;
	struct list_head shares;
	struct list_head group;
	struct kml_sum all;
	unsigned int comms;
};

struct kml_tally_page;

/**
 * struct kml_tally - leaks by trace; zeroes are an empty one
 * @root: counts, in kml_share.node
 * @pages: where they are
 * @used: how many of them the last page has
 * @groups: the first counts of all groups, most bytes first
 */
struct kml_tally {
	struct rb_root root;
	struct kml_tally_page *pages;
	unsigned int used;
	struct list_head groups;
};

int kml_tally_add(struct kml_tally *tally, const struct kml_object *obj);
void kml_tally_finish(struct kml_tally *tally);
void kml_tally_clear(struct kml_tally *tally);

/* ---- groups.c: leaks by trace, in the file and in the log ---- */

extern const struct file_operations kml_groups_fops;

void kml_show_group(struct seq_file *seq, const struct kml_share *group,
		    unsigned long when);
void kml_log_leak(struct kml_object *obj);

/* ---- json.c: leaks in JSON ---- */

extern const struct file_operations kml_json_fops;

void kml_json_string(struct seq_file *seq, const char *text, size_t len);
int kml_json_leak(struct seq_file *seq, struct kml_object *obj);

#endif /* __MM_KMEMLEAK_LEAKS_H */
