// SPDX-License-Identifier: GPL-2.0
/*
 * What each object of the module is, where it is, and what a scan has to say
 * of it. The addresses are hidden: a record is no reference.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hidden.h"
#include "selftest.h"

static LIST_HEAD(records);

static const char * const fate_names[] = {
	[FATE_LEAK] = "leak",
	[FATE_QUIET] = "quiet",
	[FATE_LATER] = "later",
	[FATE_ANY] = "any",
};

/**
 * make_objects() - Allocate objects to which no free list has left a pointer.
 * @kind: how to allocate.
 * @size: of each.
 * @objs: where to put them.
 * @nr: how many, less than BATCH_MAX.
 *
 * A free slab object points at the next free one. The owner of the object
 * that was handed out before ours may never overwrite that pointer, and would
 * hide our leak. So the one before ours is ours as well, zeroed, and freed.
 *
 * Return: 0 or -ENOMEM.
 */
int make_objects(const struct kind *kind, size_t size, void **objs, unsigned int nr)
{
	void *batch[BATCH_MAX];

	if (WARN_ON_ONCE(nr >= BATCH_MAX))
		return -EINVAL;
	if (bare)
		return kind->alloc(kind, size, objs, nr) ? 0 : -ENOMEM;
	if (!kind->alloc(kind, size, batch, nr + 1))
		return -ENOMEM;
	memcpy(objs, batch + 1, nr * sizeof(*objs));
	kind->free(kind, size, batch, 1);
	return 0;
}

/**
 * add_record() - Remember an object, as a leak until the caller says otherwise.
 * @kind: how to free it.
 * @size: the size that was asked for.
 * @obj: the object.
 *
 * Return: the record, or NULL; the object has then been freed.
 */
struct record *add_record(const struct kind *kind, size_t size, const void *obj)
{
	struct record *rec = kzalloc(sizeof(*rec), GFP_KERNEL);

	if (!rec) {
		void *batch[] = { (void *)obj };

		kind->free(kind, size, batch, 1);
		return NULL;
	}
	rec->kind = kind;
	rec->size = size;
	rec->reported = kind->reported(kind, size);
	rec->hidden = hide_address(obj);
	rec->func = kind->func;
	rec->label = kind->name;
	rec->detail = "";
	rec->fate = FATE_LEAK;
	list_add(&rec->link, &records);
	return rec;
}

/* The references are gone: what they held is now leaked. */
void drop_records(void)
{
	struct record *rec;

	list_for_each_entry(rec, &records, link)
		if (rec->held)
			rec->fate = FATE_LEAK;
}

/*
 * Make room for another attempt: these objects stay where they are, so that
 * the next ones are elsewhere, but nothing is expected of them.
 */
int retire_records(const char *arg)
{
	struct record *rec;

	list_for_each_entry(rec, &records, link) {
		rec->fate = FATE_ANY;
		rec->held = false;
	}
	return 0;
}

/*
 * Free every object, neighbours of one kind in one call. Whoever gets their
 * memory next must not inherit pointers to where others of them were.
 */
void free_records(void)
{
	struct record *rec, *tmp;
	const struct kind *kind = NULL;
	void *batch[BATCH_MAX];
	unsigned int nr = 0;
	size_t size = 0;

	list_for_each_entry_safe(rec, tmp, &records, link) {
		if (nr && (nr == BATCH_MAX || rec->kind != kind || rec->size != size)) {
			kind->free(kind, size, batch, nr);
			nr = 0;
		}
		kind = rec->kind;
		size = rec->size;
		batch[nr] = reveal_address(rec->hidden);
		if (!bare && !is_percpu(kind))
			memset(batch[nr], 0, size);
		nr++;
		list_del(&rec->link);
		kfree(rec);
	}
	if (nr)
		kind->free(kind, size, batch, nr);
}

/* One line a record: address, size, function, fate, label. */
void show_records(struct seq_file *seq)
{
	struct record *rec;

	list_for_each_entry(rec, &records, link)
		seq_printf(seq, "0x%08lx %zu %s %s %s/%s\n",
			   reported_address(reveal_address(rec->hidden)),
			   rec->reported, rec->func, fate_names[rec->fate],
			   rec->label, rec->detail);
}
