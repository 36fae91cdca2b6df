/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what users see
 */
#ifndef __MM_KMEMLEAK_REPORT_H
#define __MM_KMEMLEAK_REPORT_H

#include <linux/fs.h>
#include <linux/seq_file.h>

#include "../scan/scan.h"
#include "../track/track.h"

/* ---- report.c: what kind of memory an object is ---- */

/* Room for the name of a cache, in bytes. */
#define KML_CACHE_NAME_LEN	64

/**
 * struct kml_kind - kind of an object
 * @name: slab, page, vmalloc, percpu, boot or other
 * @cache: the beginning of the cache's name, empty if it has none
 */
struct kml_kind {
	const char *name;
	char cache[KML_CACHE_NAME_LEN];
};

int kml_kind_of(const struct kml_ref *ref, struct kml_kind *kind);

/* ---- holders.c: who points at an object ---- */

int kml_print_holders(const struct kml_ref *ref);
int kml_refs_to_log(const struct kml_ref *ref);

/* ---- report.c: one printer for files and log ---- */

int kml_report(struct seq_file *seq, struct kml_record *rec);
void kml_print_frames(struct seq_file *seq, depot_stack_handle_t trace);
int kml_describe(const struct kml_ref *ref);

/* ---- leaks.c: files with one record for each leak ---- */

int kml_leaks_open(struct file *file, const struct seq_operations *ops);
int kml_leaks_release(struct inode *inode, struct file *file);
void *kml_leaks_start(struct seq_file *seq, loff_t *pos);
void *kml_leaks_next(struct seq_file *seq, void *v, loff_t *pos);
void kml_leaks_stop(struct seq_file *seq, void *v);

/* ---- groups.c: how many leaks have the same trace ---- */

/**
 * struct kml_total - what some leaks have together
 * @leaks: how many there are
 * @bytes: how long they are
 * @direct: how many no other leak leads to
 * @oldest: when the first one was allocated, in jiffies
 * @youngest: when the last one was
 * @first: where one of them starts
 * @space: address space of @first
 */
struct kml_total {
	unsigned long leaks;
	unsigned long bytes;
	unsigned long direct;
	unsigned long oldest;
	unsigned long youngest;
	unsigned long first;
	enum kml_space space;
};

/**
 * struct kml_count - leaks with the same trace, and the same name of a task
 * @node: in kml_counts.root, by @key and @comm
 * @key: the trace; later a hash of what it reads
 * @trace: the trace, or one of those that read the same
 * @comm: name of the task, which outlives the objects that it is taken from
 * @own: its leaks
 * @link: in @members of the first one of its group
 * @members: of the first one of a group, all of them, most leaks first
 * @group: of the first one of a group, in kml_counts.groups
 * @all: of the first one of a group, leaks of all of them
 * @comms: of the first one of a group, how many they are
 */
struct kml_count {
	struct rb_node node;
	u64 key;
	depot_stack_handle_t trace;
	char comm[TASK_COMM_LEN];
	struct kml_total own;
	struct list_head link;
	struct list_head members;
	struct list_head group;
	struct kml_total all;
	unsigned int comms;
};

struct kml_counts_page;

/**
 * struct kml_counts - leaks by trace; zeroes are an empty one
 * @root: counts, in kml_count.node
 * @pages: where they are
 * @used: how many of them the last page has
 * @groups: the first counts of all groups, most bytes first
 */
struct kml_counts {
	struct rb_root root;
	struct kml_counts_page *pages;
	unsigned int used;
	struct list_head groups;
};

int kml_counts_add(struct kml_counts *counts, const struct kml_record *rec);
void kml_counts_finish(struct kml_counts *counts);
void kml_counts_clear(struct kml_counts *counts);

/* ---- groups.c: leaks by trace, in the file and in the log ---- */

extern const struct file_operations kml_groups_fops;

void kml_show_group(struct seq_file *seq, const struct kml_count *group,
		    unsigned long when);
void kml_log_leak(struct kml_record *rec);

/* ---- leaks.c: leaks in JSON ---- */

extern const struct file_operations kml_json_fops;

void kml_json_string(struct seq_file *seq, const char *text, size_t len);
int kml_json_leak(struct seq_file *seq, struct kml_record *rec);

/* ---- thread.c: when to scan ---- */

int kml_scan_now(void);
int kml_thread_start(unsigned int delay_secs);
int kml_thread_stop(void);
int kml_thread_set_period(unsigned int secs);
int kml_switch_off(void);

/* ---- control.c: what users may ask for ---- */

/**
 * enum kml_command_id - commands of the control file
 * @KML_CMD_SCAN: scan now
 * @KML_CMD_SCAN_ON: start the scan thread
 * @KML_CMD_SCAN_OFF: stop it
 * @KML_CMD_SCAN_PERIOD: set its period in seconds; 0 stops it
 * @KML_CMD_STACK_ON: task stacks are roots
 * @KML_CMD_STACK_OFF: they are not
 * @KML_CMD_CLEAR: no longer report what is reported
 * @KML_CMD_OFF: switch the detector off
 * @KML_CMD_DUMP: describe the object at an address
 * @KML_CMD_REFS: tell who points at the object at an address
 * @KML_CMD_CLEAR_AT: no longer report the leak at an address
 */
enum kml_command_id {
	KML_CMD_SCAN,
	KML_CMD_SCAN_ON,
	KML_CMD_SCAN_OFF,
	KML_CMD_SCAN_PERIOD,
	KML_CMD_STACK_ON,
	KML_CMD_STACK_OFF,
	KML_CMD_CLEAR,
	KML_CMD_OFF,
	KML_CMD_DUMP,
	KML_CMD_REFS,
	KML_CMD_CLEAR_AT,
};

/* The longest command that is taken, with its newline, in bytes. */
#define KML_COMMAND_MAX	64

/**
 * struct kml_command - one parsed command
 * @id: what to do
 * @secs: with KML_CMD_SCAN_PERIOD, the period in seconds
 * @addr: with KML_CMD_DUMP, KML_CMD_REFS and KML_CMD_CLEAR_AT, the address
 */
struct kml_command {
	enum kml_command_id id;
	unsigned int secs;
	unsigned long addr;
};

int kml_parse_command(const char *text, size_t len, struct kml_command *cmd);

#endif /* __MM_KMEMLEAK_REPORT_H */
