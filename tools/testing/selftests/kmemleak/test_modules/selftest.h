/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmemleak_selftest: objects with a known fate, made on command.
 *
 * main.c (debugfs) calls allocators.c, holders.c, many.c, orphan.c, links.c, recycled.c,
 * annotations.c and counted.c, and all of them call records.c, which knows what the
 * report has to say.
 */
#ifndef KMEMLEAK_SELFTEST_H
#define KMEMLEAK_SELFTEST_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/types.h>

struct seq_file;

/* As it is for drivers: nothing is done that makes leaks easier to find. */
extern bool bare;

/* What a scan has to say of an object. */
enum fate {
	FATE_LEAK,	/* reported */
	FATE_QUIET,	/* not reported */
	FATE_LATER,	/* not by the next scan, but by the one after it */
	FATE_ANY,	/* of no interest any more */
};

/* The most objects that one call of alloc() or free() is asked for. */
#define BATCH_MAX	16

/**
 * struct kind - one way to allocate.
 * @name: what the shell calls it.
 * @func: function that must be among the frames of the report.
 * @sizes: sizes to try, up to a 0; the first is the typical one.
 * @cache: for those who allocate from one.
 * @alloc: fill an array with zeroed objects; false if there was no memory.
 * @free: give objects back. The size is the one given to alloc().
 * @reported: the size that the report gives for an object of this size.
 */
struct kind {
	const char *name;
	const char *func;
	const size_t *sizes;
	struct kmem_cache *cache;
	bool (*alloc)(const struct kind *kind, size_t size, void **objs, unsigned int nr);
	void (*free)(const struct kind *kind, size_t size, void **objs, unsigned int nr);
	size_t (*reported)(const struct kind *kind, size_t size);
};

/*
 * For allocators that give out one object at a time: a function NAME, which
 * fills an array with what EXPR gives, and free_NAME, which does RELEASE to
 * each obj. When one allocation fails, none is kept.
 *
 * NAME has to be in the backtraces, so it is not inlined, and does not end in
 * the call that allocates.
 */
#define DEFINE_ONE_BY_ONE(name, expr, release)						\
static void free_##name(const struct kind *kind, size_t size, void **objs,		\
			unsigned int nr)						\
{											\
	while (nr--) {									\
		void *obj = objs[nr];							\
											\
		release;								\
	}										\
}											\
											\
static noinline bool name(const struct kind *kind, size_t size, void **objs,		\
			  unsigned int nr)						\
{											\
	unsigned int i;									\
											\
	for (i = 0; i < nr; i++) {							\
		objs[i] = expr;								\
		if (!objs[i]) {								\
			free_##name(kind, size, objs, i);				\
			return false;							\
		}									\
	}										\
	return true;									\
}

#define KIND(kind_name, size_list, how, give_back, measure)				\
	{ .name = (kind_name), .func = #how, .sizes = (size_list), .alloc = (how),	\
	  .free = (give_back), .reported = (measure) }

/* How an object that can be written to is linked to others. */
struct node {
	struct list_head list;
	struct hlist_node hlist;
	struct rb_node rb;
	struct node *next;
};

/* records.c */

/**
 * struct record - one object and its fate.
 * @link: in the list of records, youngest first.
 * @kind: how to free it.
 * @size: size asked for.
 * @reported: size in the report.
 * @hidden: its address, see hidden.h.
 * @func: function that must be in the trace.
 * @label: which test it belongs to.
 * @detail: which case of that test.
 * @fate: what a scan has to say.
 * @held: found its fate by a reference, which "drop" takes away.
 */
struct record {
	struct list_head link;
	const struct kind *kind;
	size_t size;
	size_t reported;
	unsigned long hidden;
	const char *func;
	const char *label;
	const char *detail;
	enum fate fate;
	bool held;
};

int make_objects(const struct kind *kind, size_t size, void **objs, unsigned int nr);
struct record *add_record(const struct kind *kind, size_t size, const void *obj);
void drop_records(void);
int retire_records(const char *arg);
void free_records(void);
void show_records(struct seq_file *seq);

/* allocators.c */
extern const struct kind * const kmalloc_kind;
extern const struct kind * const private_kind;

int init_allocators(void);
void exit_allocators(void);
int leak_objects(const char *arg);
void *make_fated(const char *label, enum fate fate);
const struct kind *next_kind(const struct kind *kind);
bool is_percpu(const struct kind *kind);

/* holders.c */
int hold_objects(const char *arg);
int drop_holders(const char *arg);

/* many.c */
int init_many(void);
void exit_many(void);
int make_children(const char *arg);
int make_many(const char *arg);
int lose_many(const char *arg);
int forget_many(const char *arg);
void free_many(void);

/* orphan.c */
int make_orphan(const char *arg);
int make_adopted(const char *arg);

/* links.c */
int make_list(const char *arg);
int make_shared(const char *arg);
void forget_shared(void);

/* recycled.c */
int init_recycled(void);
void exit_recycled(void);
int make_recycled(const char *arg);
void forget_recycled(void);

/* annotations.c */
int init_annotations(void);
void exit_annotations(void);
int annotate_objects(const char *arg);
void forget_annotated(void);

/* counted.c */
int make_counted(const char *arg);
void forget_counted(void);

#endif /* KMEMLEAK_SELFTEST_H */
