/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what users see
 */
#ifndef __MM_KMEMLEAK_REPORT_H
#define __MM_KMEMLEAK_REPORT_H

#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/seq_file.h>

#include "../scan/scan.h"
#include "../track/track.h"

/* ---- report.c: what kind of memory an object is ---- */

/* Room for the name of a cache, in bytes. */
#define KML_CACHE_NAME_LEN	64

/**
 * struct kml_kind - kind of an object
 * @name: slab, page, vmalloc, percpu, boot or other
 * @reclaimable: the cache is one of those that shrinkers make smaller
 * @cache: the beginning of the cache's name, empty if it has none
 */
struct kml_kind {
	const char *name;
	bool reclaimable;
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

/* ---- clues.c: what tells of an object beside its trace ---- */

/* Bytes of its content that are shown, and in one line. */
#define KML_CLUE_BYTES	32
#define KML_CLUE_ROW	16

/**
 * struct kml_clues - what tells of an object; zeroes are nothing
 * @bytes: the beginning of its content
 * @nr: how many bytes of that there are
 * @type: what it is if it has a count of references, else NULL
 * @has_count: whether @count is known
 * @count: the count
 */
struct kml_clues {
	u8 bytes[KML_CLUE_BYTES];
	unsigned int nr;
	const char *type;
	bool has_count;
	unsigned long count;
};

static inline char kml_printable(u8 byte)
{
	return byte >= ' ' && byte <= '~' ? byte : '.';
}

int kml_clues_of(struct kml_record *rec, struct kml_clues *clues);
void kml_print_clues(struct seq_file *seq, const struct kml_clues *clues);

/* ---- leaks.c: files with one record for each leak ---- */

int kml_leaks_open(struct file *file, const struct seq_operations *ops);
int kml_leaks_release(struct inode *inode, struct file *file);
void *kml_leaks_start(struct seq_file *seq, loff_t *pos);
void *kml_leaks_next(struct seq_file *seq, void *v, loff_t *pos);
void kml_leaks_stop(struct seq_file *seq, void *v);

/* ---- counts.c: how many objects have the same trace ---- */

/**
 * enum kml_period - a time that ends now
 * @KML_PERIOD_MINUTE: one minute
 * @KML_PERIOD_TEN_MINUTES: ten minutes
 * @KML_PERIOD_HOUR: one hour
 * @KML_PERIOD_MARK: since the last mark, see live.c
 * @KML_NR_PERIODS: how many there are
 */
enum kml_period {
	KML_PERIOD_MINUTE,
	KML_PERIOD_TEN_MINUTES,
	KML_PERIOD_HOUR,
	KML_PERIOD_MARK,
	KML_NR_PERIODS,
};

/**
 * struct kml_total - what some objects have together
 * @objects: how many there are
 * @bytes: how long they are
 * @leaks: how many are to be reported
 * @leaked_bytes: how long those are
 * @direct: of leaks, how many no other leak leads to
 * @oldest: when the first one was allocated, in jiffies
 * @youngest: when the last one was
 * @born: of live objects, how many were allocated in each period
 * @born_bytes: how long those are that were since the mark
 * @first: where one of them starts, of leaks
 * @space: address space of @first
 */
struct kml_total {
	unsigned long objects;
	unsigned long bytes;
	unsigned long leaks;
	unsigned long leaked_bytes;
	unsigned long direct;
	unsigned long oldest;
	unsigned long youngest;
	unsigned long born[KML_NR_PERIODS];
	unsigned long born_bytes;
	unsigned long first;
	enum kml_space space;
};

/**
 * struct kml_memory - a kind of memory that objects are counted by
 * @next: in kml_counts.memory
 * @hash: of @kind
 * @kind: the kind, with the name of the cache
 */
struct kml_memory {
	struct kml_memory *next;
	u64 hash;
	struct kml_kind kind;
};

/**
 * struct kml_count - objects with the same trace, name of a task and kind of memory
 * @hash: in kml_counts.buckets, by @handles and @owner
 * @handles: of the trace and the name
 * @owner: stands for the kind of memory where it is counted
 * @key: a hash of what the trace reads
 * @trace: the trace, or one of those that read the same
 * @comm: name of the task, which outlives the objects that it is taken from
 * @memory: the kind of memory; NULL if objects are not counted by it
 * @own: its objects
 * @link: in @members of the first one of its group
 * @members: of the first one of a group, all of them, most objects first
 * @group: of the first one of a group, in kml_counts.groups
 * @all: of the first one of a group, objects of all of them
 * @comms: of the first one of a group, how many names they have
 * @clues: of the leak @own.first
 * @held_by: the leak that leads to that one, or 0
 * @lead: trace of the leak that all the way to it begins at
 * @under: of the first one of a group that has no direct leak, that of the group
 *	of @lead; else NULL
 */
struct kml_count {
	struct hlist_node hash;
	u64 handles;
	const void *owner;
	u64 key;
	depot_stack_handle_t trace;
	char comm[TASK_COMM_LEN];
	const struct kml_memory *memory;
	struct kml_total own;
	struct list_head link;
	struct list_head members;
	struct list_head group;
	struct kml_total all;
	unsigned int comms;
	struct kml_clues clues;
	unsigned long held_by;
	depot_stack_handle_t lead;
	struct kml_count *under;
};

struct kml_counts_page;

/**
 * struct kml_counts - objects by trace; zeroes are an empty one
 * @buckets: counts, in kml_count.hash; NULL if there are none
 * @pages: where they are, with @memory
 * @used: how many bytes of the last page are
 * @memory: kinds of memory
 * @when: value of jiffies when counting began
 * @groups: the first counts of all groups: those with direct leaks first, by bytes,
 *	each followed by those that hang from it
 */
struct kml_counts {
	struct hlist_head *buckets;
	struct kml_counts_page *pages;
	unsigned int used;
	struct kml_memory *memory;
	unsigned long when;
	struct list_head groups;
};

/* Buckets of the hash of counts, in 32 KiB with 64 bits. */
#define KML_COUNTS_BUCKETS_SHIFT	12

static inline struct hlist_head *kml_counts_bucket(const struct kml_counts *counts,
						   u64 handles, const void *owner)
{
	return &counts->buckets[hash_64(handles ^ (unsigned long)owner,
					KML_COUNTS_BUCKETS_SHIFT)];
}

/* The count of objects with a trace, a name and an owner; NULL if there is none yet. */
static inline struct kml_count *kml_counts_find(const struct kml_counts *counts,
						u64 handles, const void *owner)
{
	struct kml_count *count;

	if (unlikely(!counts->buckets))
		return NULL;
	hlist_for_each_entry(count, kml_counts_bucket(counts, handles, owner), hash) {
		if (likely(count->handles == handles && count->owner == owner))
			return count;
	}
	return NULL;
}

/* Counts what a file shows. Returns 0 or a negative error code. */
typedef int (*kml_count_t)(struct kml_counts *counts);

const struct kml_memory *kml_counts_memory(struct kml_counts *counts,
					   const struct kml_ref *ref);
struct kml_count *kml_counts_new(struct kml_counts *counts, u64 handles, const void *owner,
				 const struct kml_memory *memory);
int kml_counts_add(struct kml_counts *counts, struct kml_record *rec);
void kml_counts_finish(struct kml_counts *counts);
void kml_counts_clear(struct kml_counts *counts);

void kml_show_comms(struct seq_file *seq, const struct kml_count *group);
int kml_groups_open(struct file *file, const struct seq_operations *ops, kml_count_t count);
int kml_groups_release(struct inode *inode, struct file *file);
void *kml_groups_start(struct seq_file *seq, loff_t *pos);
void *kml_groups_next(struct seq_file *seq, void *v, loff_t *pos);
void kml_groups_stop(struct seq_file *seq, void *v);
const struct kml_counts *kml_groups_counts(const struct seq_file *seq);

/* ---- groups.c: leaks by trace, in the file and in the log ---- */

extern const struct file_operations kml_groups_fops;

void kml_show_group(struct seq_file *seq, const struct kml_count *group,
		    unsigned long when);
void kml_log_leak(struct kml_record *rec);

/* ---- leaks.c: leaks in JSON ---- */

extern const struct file_operations kml_json_fops;

void kml_json_string(struct seq_file *seq, const char *text, size_t len);
void kml_json_module(struct seq_file *seq, depot_stack_handle_t trace);
void kml_json_trace(struct seq_file *seq, depot_stack_handle_t trace);
int kml_json_leak(struct seq_file *seq, struct kml_record *rec);

/* ---- live.c: live objects by trace ---- */

extern const struct file_operations kml_live_fops;
extern const struct file_operations kml_live_json_fops;

/* How long before @now something was, in jiffies. It may have been a little later. */
static inline unsigned long kml_age(unsigned long then, unsigned long now)
{
	return time_after(then, now) ? 0 : now - then;
}

int kml_count_live(struct kml_counts *counts);
int kml_begin_interval(void);
unsigned long kml_interval(void);
void kml_show_live(struct seq_file *seq, const struct kml_count *group, unsigned long when);
void kml_json_live(struct seq_file *seq, const struct kml_count *group, unsigned long when);

/* ---- thread.c: when to scan ---- */

int kml_scan_now(void);
int kml_thread_start(unsigned int delay_secs);
int kml_thread_stop(void);
int kml_thread_set_period(unsigned int secs);
void kml_thread_end(void);
void kml_thread_begin(void);

/* ---- switch.c: off, and on again ---- */

void kml_forget(void);
int kml_switch_off(void);
int kml_switch_on(void);

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
 * @KML_CMD_MARK: begin a new interval for live objects
 * @KML_CMD_ON: switch the detector on
 * @KML_CMD_OFF: switch it off
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
	KML_CMD_MARK,
	KML_CMD_ON,
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
