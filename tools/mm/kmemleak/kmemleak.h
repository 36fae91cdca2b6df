/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmemleak: a command-line tool for the kernel's memory leak detector.
 *
 * main.c	command line
 * control.c	the control file: commands, scans, what stands in the way
 * report.c	the report, from text to records
 * details.c	what the detector's file for programs has beside it
 * jsonline.c	reads a line of that file
 * names.c	names of functions of a module that is gone
 * groups.c	records by allocation trace
 * counted.c	what has a count of references, by its trace
 * utf8.c	characters that are more than a byte
 * show.c	groups as text, JSON and CSV
 * answer.c	what scan, run and module say and end with
 * scan.c	scan
 * run.c	run
 * module.c	module
 * watch.c	watch; its files are in watchlog.c
 * top.c	top
 * census.c	live objects by allocation trace
 * live.c	live
 * growth.c	growth; which places grow steadily is told in series.c
 * places.c	places that grow, for watch
 * folded.c	stacks for programs that draw flame graphs
 * slab.c	slab; /proc/slabinfo is read in slabinfo.c
 * switch.c	on, off, status
 * meminfo.c	/proc/meminfo, and what it has no figure for
 * child.c	programs that are run
 * frames.c	source lines of frames; symbols are looked up in elf.c
 * monitor.c	looks at regular times, for watch and top
 * terminal.c	live views, signals
 * out.c	values for JSON, CSV and terminals
 * files.c	files that are written
 * util.c	memory, messages, paths
 */
#ifndef KMEMLEAK_H
#define KMEMLEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define __printf(a, b)	__attribute((format(printf, a, b)))
#define __noreturn	__attribute((noreturn))

/* Exit statuses of the tool. The manual page explains each. */
enum exit_status {
	EXIT_CLEAN = 0,
	EXIT_LEAKS = 1,
	EXIT_USAGE = 2,
	EXIT_TROUBLE = 3,
	EXIT_CHILD_FAILED = 125,
	EXIT_CHILD_NOT_RUNNABLE = 126,
	EXIT_CHILD_NOT_FOUND = 127,
};

/* What live objects are put together by. */
enum by {
	BY_TRACE,
	BY_CACHE,
	BY_MODULE,
	BY_COMM,
};

enum format {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_CSV,
};

/* The command line and the environment. */
struct options {
	enum format format;
	const char *debugfs;
	const char *proc;
	const char *output;
	const char *log;
	const char *vmlinux;
	const char **modules;
	size_t nr_modules;
	/* The largest so many groups or caches; 0: all. */
	unsigned int limit;
	/* Milliseconds between two looks; 0: what is usual for the command. */
	unsigned int interval;
	/* Looks; 0: until it is stopped. */
	unsigned int count;
	/* Seconds that a scan of a detector that needs two waits between them. */
	unsigned int wait;
	bool growth;
	bool no_scan;
	/* Scans may stop all CPUs. */
	bool exact;
	/* What live objects are put together by. */
	enum by by;
	/* Stacks for programs that draw flame graphs. */
	bool folded;
	/* Milliseconds that growth looks; 0: as long as a program runs. */
	unsigned int duration;
	/* Bytes from which on growth is a failure; NO_BOUND: never. */
	unsigned long long fail_above;
	/* A saved report without a record is an answer. */
	bool empty_is_clean;
	/* The detector is on until the tool ends. */
	bool on;
};

#define NO_BOUND	(~0ULL)

/* util.c */
void __noreturn __printf(2, 3) die(enum exit_status status, const char *fmt, ...);
void __printf(1, 2) warn(const char *fmt, ...);
void *xalloc(size_t size);
void *xgrow(void *array, size_t *room, size_t nr, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *path_join(const char *dir, const char *name);
FILE *open_in(const char *dir, const char *name);
void stamp(char *to, size_t size, const char *fmt, time_t when);
void time_later(struct timespec *when, unsigned int msecs);
void time_in(struct timespec *when, unsigned int msecs);
double time_now(void);

/* A text that is kept once. */
struct intern {
	/* In the same bucket, and of all. */
	struct intern *next;
	struct intern *older;
	unsigned int hash;
	/* For whoever knows what these texts are. */
	void *data;
	char text[];
};

struct intern_table {
	struct intern **buckets;
	size_t nr_buckets;
	struct intern *newest;
	size_t nr;
};

struct intern *intern(struct intern_table *table, const char *text, size_t len);
void intern_free(struct intern_table *table);

/* control.c */
struct control {
	char *file;
	/* The file for programs, which need not be there. */
	char *details;
	/* The file with figures, the same. */
	char *stats;
	/* The one with live objects, the same. */
	char *live;
	/* Not a live debugfs: a report that was saved. */
	bool saved;
	/* It has the files beside the control file: one scan decides. */
	bool decides_at_once;
	unsigned int wait;
	/* Scans may stop all CPUs. */
	bool exact;
	/* No record in a saved report is an answer. */
	bool empty_is_clean;
	/* Scans that a complete answer takes. */
	unsigned int scans;
};

void control_open(struct control *control, const struct options *options);
bool control_on(const struct control *control);
bool control_off(const struct control *control);
void control_use(const struct control *control, const struct options *options);
bool control_scan(struct control *control);
void control_scan_all(struct control *control);
void control_clear(struct control *control);
void control_mark(const struct control *control);
void control_need_live(const struct control *control);

/* jsonline.c */
enum json_type {
	/* It is not there. */
	JSON_NONE,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_OTHER,
};

/* The longest names and texts that are kept whole: those of frames. */
#define JSON_NAME	64
#define JSON_TEXT	600

struct json_member {
	const char *name;
	enum json_type type;
	/* Or whether it is true. */
	unsigned long long number;
	char text[JSON_TEXT];
};

/* Where a value stands: @array and @name are NULL where it is in none, or has none. */
typedef void (*json_visit_fn)(const char *array, size_t index, const char *name,
			      const struct json_member *value, void *data);

bool json_walk_line(const char *line, size_t len, json_visit_fn visit, void *data);
const struct intern *json_intern(const struct json_member *value, struct intern_table *table);
bool json_read_line(const char *line, size_t len, struct json_member *members, size_t nr);

/* report.c */

/* Bytes of an object that a report shows. */
#define CONTENT_MAX	32

/* Facts about a leak that not each detector tells. */
struct details {
	/* The kind of memory; NULL if it is not known. */
	const struct intern *kind;
	/* Of a slab object; else NULL. */
	const struct intern *cache;
	unsigned long long age_ms;
	/* No other leak points at it; else one does, whose trace may be known. */
	bool direct;
	unsigned long long held_by;
	const struct intern *holder;
	/* Of what has a count of references: its type, and the count if that is known. */
	const struct intern *type;
	bool has_count;
	unsigned long long count;
};

/* What the kernel calls a kind of memory that is not found by its address alone. */
#define SPACE_PERCPU	"percpu"
#define SPACE_PHYS	"phys"

struct record {
	unsigned long long address;
	unsigned long long size;
	unsigned long long jiffies;
	unsigned int crc;
	/* A log stands for so many others of the same trace by one record. */
	unsigned long long more;
	int pid;
	/* SPACE_PERCPU, SPACE_PHYS, one that a newer kernel has, or "". */
	struct intern *space;
	/* Any bytes. */
	const struct intern *comm;
	unsigned char content[CONTENT_MAX];
	/* How many of these there are to see, and were seen so far. */
	unsigned int content_len;
	unsigned int content_read;
	/* The frames, innermost first, with newlines between. */
	struct intern *trace;
	struct details details;
};

struct report {
	struct record *records;
	size_t nr;
	size_t room;
	unsigned long long bytes;
	/* Objects that records of a log stand for beside their own. */
	unsigned long long more;
	/* Names of tasks, kinds and caches. */
	struct intern_table texts;
	/* There was something to take details from. */
	bool detailed;
	/* It is a log, or has one in it. */
	bool log;
	/* Lines that are none of a record, that make no sense, and records without an end. */
	size_t others;
	size_t strange;
	size_t incomplete;
};

bool record_is_percpu(const struct record *record);
void report_read(struct report *report, FILE *from);
void report_load(struct report *report, const struct control *control);
void report_free(struct report *report);

/* details.c */
void details_load(struct report *report, const char *path);

/* names.c */
void names_keep(const char *module, const struct options *options);
bool names_find(unsigned long long address, char *to, size_t size);

/* groups.c */
struct group {
	struct intern *trace;
	/* In the order of their addresses. */
	const struct record *records;
	size_t nr;
	unsigned long long bytes;
	/* As of a record. */
	unsigned long long more;
	/* Those of which that is known. */
	size_t direct;
	size_t indirect;
};

struct groups {
	struct report report;
	struct group *groups;
	size_t nr;
	/* Of all groups. */
	size_t direct;
	size_t indirect;
};

/* A frame of a trace; all zeroes before the first one. */
struct frame {
	const char *text;
	size_t len;
};

void groups_load(struct groups *groups, const struct control *control);
void groups_free(struct groups *groups);
size_t groups_limit(const struct groups *groups, const struct options *options);
bool trace_next(const struct intern *trace, struct frame *frame);
bool trace_site(const struct intern *trace, struct frame *site);
bool trace_has_module(const struct intern *trace, const char *module);
size_t group_comms(const struct group *group, const struct intern **comms, size_t room);

/* out.c */
struct json {
	FILE *to;
	unsigned int depth;
	/* Whether something stands before what comes next at this depth. */
	bool filled[16];
};

void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_text(struct json *json, const char *key, const char *text, size_t len);
void json_string(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, long long value);
void json_bool(struct json *json, const char *key, bool value);
void json_address(struct json *json, const char *key, unsigned long long value);
void json_null(struct json *json, const char *key);
void csv_row(FILE *to, char separator, const char *types, ...);
void plain_text(FILE *to, const char *text, size_t len);
void readable_text(FILE *to, const char *text, size_t len);
void quoted_text(FILE *to, const char *text);
const char *human(unsigned long long bytes, char to[16]);
FILE *out_open(const struct options *options);
void out_close(FILE *to);

/* utf8.c */
size_t utf8_read(const char *text, size_t len, unsigned int *code);
size_t utf8_write(unsigned int code, char *to);
bool utf8_is_readable(unsigned int code);

/* counted.c */
const char *counted_type(const struct intern *trace);

/* files.c */
FILE *file_replace(const char *path);
int folder_open(const char *path);
FILE *folder_append(int folder, const char *path, const char *name);
FILE *folder_create(int folder, const char *name);

/* show.c */
const char *plural(unsigned long long nr);
void show_summary(FILE *to, const struct groups *groups, const char *what);
void show_groups(FILE *to, const struct groups *groups, const struct options *options);
void show_groups_csv(FILE *to, const struct groups *groups, const struct options *options);
void json_totals(struct json *json, const struct groups *groups);
void json_group(struct json *json, const struct groups *groups, const struct group *group);
void show_groups_json(struct json *json, const struct groups *groups,
		      const struct options *options);
void show_group(FILE *to, const struct group *group);
void show_frames(FILE *to, const struct intern *trace);
void json_frames(struct json *json, const struct intern *trace);

/* slabinfo.c */
struct cache {
	char name[64];
	unsigned long long objects;
	unsigned long long object_size;
	/* Of the objects in use, and of all slabs. */
	unsigned long long used;
	unsigned long long bytes;
};

struct caches {
	struct cache *caches;
	size_t nr;
	size_t room;
};

struct growth {
	const struct cache *before;
	const struct cache *now;
	long long used;
};

int caches_read(struct caches *caches, const struct options *options);
void caches_need(struct caches *caches, const struct options *options);
void caches_free(struct caches *caches);
const struct cache *caches_find(const struct caches *caches, const char *name);
size_t caches_growth(const struct caches *before, const struct caches *now,
		     struct growth **growth);

/* meminfo.c */
enum meminfo_field {
	MEM_FREE,
	MEM_AVAILABLE,
	MEM_SLAB,
	MEM_SRECLAIMABLE,
	MEM_SUNRECLAIM,
	MEM_KERNEL_STACK,
	NR_MEM_FIELDS,
};

/* In KiB, as the file has them. */
struct meminfo {
	unsigned long long kib[NR_MEM_FIELDS];
	/* Pages that somebody has allocated and no figure of the kernel tells of. */
	unsigned long long unaccounted;
};

/* Of the name of that figure; a memory of its own among what grows. */
#define UNACCOUNTED	"Unaccounted"

extern const char * const meminfo_names[NR_MEM_FIELDS];
void meminfo_read(struct meminfo *info, const struct options *options);

/* child.c */
struct child {
	/* Why it could not be started: an errno, or 0. */
	int error;
	/* The signal that ended it, or 0. */
	int signal;
	int status;
	/* While it runs. */
	pid_t pid;
};

void child_run(struct child *child, char **argv, bool keep_output);
void child_start(struct child *child, char **argv, bool keep_output);
bool child_wait(struct child *child, const struct timespec *until);
bool child_ok(const struct child *child);
void child_describe(const struct child *child, char *to, size_t size);
enum exit_status child_exit(const struct child *child);
FILE *child_read(char **argv, pid_t *pid);
void child_json(struct json *json, const char *key, const struct child *child);

/* elf.c */
struct elf;

struct elf *elf_open(const char *path);
const char *elf_path(const struct elf *elf);
unsigned int elf_machine(const struct elf *elf);
bool elf_find(const struct elf *elf, const char *name, size_t len, unsigned long long size,
	      unsigned long long *address, const char **section);

/* frames.c */
void frames_resolve(const struct groups *groups, size_t nr, const struct options *options);
const char *frame_source(const struct frame *frame);

/* terminal.c */
enum wait_end {
	WAIT_OVER,
	WAIT_REDRAW,
	WAIT_STOPPED,
};

void signals_catch(void);
bool signals_stopped(void);
void signals_let_through(bool through);
void signals_pass_on(void);
enum wait_end wait_until(const struct timespec *end);
bool terminal_live(const struct options *options);
void terminal_enter(void);
void terminal_leave(void);
FILE *terminal_begin(void);
void terminal_show(void);
unsigned int terminal_rows(void);

/* monitor.c */
struct look {
	time_t when;
	/* The one that this is, from 1. */
	unsigned int nr;
	struct groups groups;
	/* Groups that no look before this one had. */
	size_t nr_new;
};

typedef void (*look_fn)(const struct look *look, void *data);

void monitor(const struct options *options, unsigned int interval, look_fn take, look_fn draw,
	     void *data);
bool group_is_new(const struct group *group, const struct look *look);
long long group_grown(const struct group *group);
void show_places(FILE *to, const struct look *look, size_t limit);

/* watch.c */
extern const char pages_advice[];

/* watchlog.c */
struct watchlog;
struct growing;

struct watchlog *watchlog_open(const char *dir);
void watchlog_sample(struct watchlog *log, const struct look *look, const struct meminfo *info);
void watchlog_leak(struct watchlog *log, const struct look *look, const struct group *group);
void watchlog_growing(struct watchlog *log, const struct look *look, const struct growth *growth,
		      unsigned int looks);
void watchlog_place(struct watchlog *log, const struct look *look, const struct growing *place);
void watchlog_place_grows(struct watchlog *log, const struct look *look,
			  const struct growing *place);
void watchlog_pages(struct watchlog *log, const struct look *look, unsigned long long grown,
		    unsigned int looks);
void watchlog_cache(struct watchlog *log, const struct look *look, const struct cache *cache);
void watchlog_flush(struct watchlog *log);

/* census.c */

/* Live objects that have more in common than their trace. */
struct census_part {
	const struct intern *comm;
	const struct intern *kind;
	/* Of slab objects; else NULL. */
	const struct intern *cache;
	bool reclaimable;
	unsigned long long objects, bytes;
	unsigned long long leaks, leaked;
	/* Since the last mark. */
	unsigned long long born, born_bytes;
};

struct census_group {
	struct intern *trace;
	/* The first module that it leads through, or NULL. */
	const struct intern *module;
	unsigned long long age_min, age_max;
	/* What all parts have together. */
	struct census_part all;
	struct census_part *parts;
	size_t nr;
	size_t room;
};

struct census {
	/* Most bytes first. */
	struct census_group *groups;
	size_t nr;
	size_t room;
	/* Lines that were not understood. */
	size_t strange;
};

bool census_is_there(const struct control *control);
void census_load(struct census *census, const struct control *control);
void census_free(struct census *census);
void census_add(struct census_part *to, const struct census_part *from);

/* live.c */
void census_resolve(const struct census *census, size_t nr, const struct options *options);
void census_show_place(FILE *to, const struct census_group *group);
void census_json_place(struct json *json, const struct census_group *group);

/* folded.c */
void folded_line(FILE *to, const struct intern *trace, unsigned long long value);

/* series.c */
struct series_point {
	unsigned int look;
	unsigned long long objects, bytes;
};

/* What is known of a place in all looks; those that are missing have none. */
struct series {
	struct series_point *points;
	size_t nr;
	size_t room;
	/* For who tells of it once. */
	bool told;
};

struct series *series_of(struct intern *trace);
void series_add(struct series *series, unsigned int look, unsigned long long objects,
		unsigned long long bytes);
void series_forget(struct series *series, unsigned int first);
unsigned long long series_at(const struct series *series, unsigned int look);
bool series_is_steady(const struct series *series, unsigned int first, unsigned int looks);
double series_slope(const struct series *series, const double *times, unsigned int first,
		    unsigned int looks);

/* places.c */

/* A place that grows, as far as the last looks go. */
struct growing {
	const struct census_group *group;
	struct series *series;
	unsigned long long grown;
	double slope;
};

#define PLACES_LOOKS	30

struct places {
	struct census census;
	/* Looks so far, and when the last ones were. */
	unsigned int looks;
	double times[PLACES_LOOKS];
	/* The fastest ones first. */
	struct growing *growing;
	size_t nr;
};

void places_look(struct places *places, const struct control *control);

/* answer.c */
struct answer {
	const char *command;
	/* "", or "new " if what was lost before was set aside. */
	const char *what;
	/* Leaks are counted that it has to do with, unless it is NULL. */
	const char *module;
	/* More to say, in front and at the end, and more members: each may be NULL. */
	void (*head)(FILE *to, const void *data);
	void (*tail)(FILE *to, const void *data);
	void (*members)(struct json *json, const void *data);
	const void *data;
};

bool answer_leaks(const struct answer *answer, const struct control *control,
		  const struct options *options, FILE *to);

/* The commands: each returns the status that the tool ends with. */
int command_on(const struct options *options, char **args);
int command_off(const struct options *options, char **args);
int command_status(const struct options *options, char **args);
int command_scan(const struct options *options, char **args);
int command_run(const struct options *options, char **args);
int command_module(const struct options *options, char **args);
int command_watch(const struct options *options, char **args);
int command_top(const struct options *options, char **args);
int command_slab(const struct options *options, char **args);
int command_live(const struct options *options, char **args);
int command_growth(const struct options *options, char **args);

#endif /* KMEMLEAK_H */
