// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: how many objects have the same trace.
 *
 * Objects are counted by the handles of their trace and their task's name, and by their
 * kind of memory, which is quick. When all have been, counts are put together whose
 * traces read the same: builds of a module that differ elsewhere have traces of their own.
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/list_sort.h>
#include <linux/seq_file.h>
#include <linux/siphash.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

#include "report.h"

#define BUCKETS_ORDER	get_order(sizeof(struct hlist_head) << KML_COUNTS_BUCKETS_SHIFT)

/**
 * struct kml_counts_page - memory for counts, neither tracked nor scanned
 * @next: the page that was filled before this one
 * @room: the counts, and the kinds of memory that they are of
 */
struct kml_counts_page {
	struct kml_counts_page *next;
	u8 room[PAGE_SIZE - sizeof(u64)] __aligned(sizeof(u64));
};

/* Returns memory that kml_counts_clear() gives back, or NULL. */
static void *counts_alloc(struct kml_counts *counts, size_t size)
{
	struct kml_counts_page *page = counts->pages;
	void *room;

	BUILD_BUG_ON(sizeof(*page) > PAGE_SIZE);
	size = ALIGN(size, sizeof(u64));
	if (!page || counts->used + size > sizeof(page->room)) {
		page = (void *)__get_free_page(kml_gfp(GFP_KERNEL));
		if (!page)
			return NULL;
		page->next = counts->pages;
		counts->pages = page;
		counts->used = 0;
	}
	room = &page->room[counts->used];
	counts->used += size;
	return room;
}

/**
 * kml_counts_memory() - find out what kind of memory an object is, to count it by that
 * @counts: what has been counted so far
 * @ref: the object, pinned
 *
 * Context: Process context; may sleep.
 * Return: the kind, the same for all of a kind; or an error: -ENOENT if the object was
 * freed, -ENOMEM.
 */
const struct kml_memory *kml_counts_memory(struct kml_counts *counts,
					   const struct kml_ref *ref)
{
	static const siphash_key_t key;
	struct kml_memory *memory, **link;
	struct kml_kind kind;
	u64 hash;
	int err;

	err = kml_kind_of(ref, &kind);
	if (err)
		return ERR_PTR(err);
	hash = siphash(kind.cache, strlen(kind.cache), &key) ^ (unsigned long)kind.name;
	for (link = &counts->memory; (memory = *link); link = &memory->next) {
		if (memory->hash == hash && memory->kind.name == kind.name &&
		    !strcmp(memory->kind.cache, kind.cache))
			break;
	}
	if (memory) {
		/* To the front: the next object is likely to be of this kind, too. */
		*link = memory->next;
	} else {
		memory = counts_alloc(counts, sizeof(*memory));
		if (!memory)
			return ERR_PTR(-ENOMEM);
		memory->hash = hash;
		memory->kind = kind;
	}
	memory->next = counts->memory;
	counts->memory = memory;
	return memory;
}

static void add_total(struct kml_total *to, const struct kml_total *from)
{
	unsigned int i;

	if (!to->objects) {
		*to = *from;
		return;
	}
	to->objects += from->objects;
	to->bytes += from->bytes;
	to->leaks += from->leaks;
	to->leaked_bytes += from->leaked_bytes;
	to->direct += from->direct;
	if (time_before(from->oldest, to->oldest))
		to->oldest = from->oldest;
	if (time_after(from->youngest, to->youngest))
		to->youngest = from->youngest;
	for (i = 0; i < KML_NR_PERIODS; i++)
		to->born[i] += from->born[i];
	to->born_bytes += from->born_bytes;
}

/**
 * kml_counts_new() - begin to count objects with a trace, a name and an owner
 * @counts: what has been counted so far
 * @handles: of the trace and the name
 * @owner: what stands for their kind of memory
 * @memory: the kind; NULL if nobody asks
 *
 * Context: Process context; may sleep. One of the objects is pinned, for the sake of
 * the name.
 * Return: the count, of nothing so far, or NULL if there is no memory.
 */
struct kml_count *kml_counts_new(struct kml_counts *counts, u64 handles, const void *owner,
				 const struct kml_memory *memory)
{
	struct kml_count *count;

	if (!counts->buckets) {
		counts->buckets = (void *)__get_free_pages(kml_gfp(GFP_KERNEL) | __GFP_ZERO,
							   BUCKETS_ORDER);
		if (!counts->buckets)
			return NULL;
	}
	count = counts_alloc(counts, sizeof(*count));
	if (!count)
		return NULL;
	*count = (struct kml_count){
		.handles = handles,
		.owner = owner,
		.trace = kml_trace_of(handles),
		.memory = memory,
	};
	kml_name_fetch(kml_comm_of(handles), count->comm);
	hlist_add_head(&count->hash, kml_counts_bucket(counts, handles, owner));
	return count;
}

/* On the way to the leak that another one hangs from, at most so many. */
#define LEAD_STEPS	1000

/*
 * What the first leak of a count tells: more than that would be too much to read. A leak
 * on the way may have been freed meanwhile.
 */
static void look_at_first(struct kml_count *count, struct kml_record *rec)
{
	unsigned long holder = rec->held_by;
	unsigned int step;

	/* Without a clue it is shown as well. */
	kml_clues_of(rec, &count->clues);
	count->held_by = holder;
	for (step = 0; holder && step < LEAD_STEPS; step++) {
		struct kml_record *lead = kml_find(&kml_trees[KML_VIRT], holder);

		if (!lead)
			break;
		count->lead = READ_ONCE(lead->trace);
		holder = lead->held_by;
		kml_put(lead);
	}
}

/**
 * kml_counts_add() - count a leak
 * @counts: what has been counted so far
 * @rec: the leak, pinned
 *
 * Context: Holder of kml_scan_mutex, for the sake of @rec; may sleep.
 * Return: 0, or -ENOMEM if it was not counted.
 */
int kml_counts_add(struct kml_counts *counts, struct kml_record *rec)
{
	u64 handles = kml_handles(READ_ONCE(rec->trace), rec->comm);
	struct kml_total sum = {
		.objects = 1,
		.bytes = rec->size,
		.leaks = 1,
		.leaked_bytes = rec->size,
		.direct = !rec->held_by,
		.oldest = rec->jiffies,
		.youngest = rec->jiffies,
		.first = rec->start,
		.space = rec->space,
	};
	struct kml_count *count;

	count = kml_counts_find(counts, handles, NULL);
	if (!count) {
		count = kml_counts_new(counts, handles, NULL, NULL);
		if (!count)
			return -ENOMEM;
		look_at_first(count, rec);
	}
	add_total(&count->own, &sum);
	return 0;
}

/* ---- Groups ---- */

static int compare(const struct kml_count *one, const struct kml_count *two)
{
	int order;

	if (one->key != two->key)
		return one->key < two->key ? -1 : 1;
	order = memcmp(one->comm, two->comm, TASK_COMM_LEN);
	if (order || one->memory == two->memory)
		return order;
	return one->memory < two->memory ? -1 : 1;
}

/* Those with the same trace follow each other, which have its text hashed once. */
static int by_trace(void *priv, const struct list_head *a, const struct list_head *b)
{
	return list_entry(a, struct kml_count, link)->trace >
	       list_entry(b, struct kml_count, link)->trace;
}

static int by_text(void *priv, const struct list_head *a, const struct list_head *b)
{
	return compare(list_entry(a, struct kml_count, link),
		       list_entry(b, struct kml_count, link)) > 0;
}

/*
 * The same number for traces that read the same. A frame of the kernel itself stands
 * for what it reads.
 */
static u64 hash_text(depot_stack_handle_t trace)
{
	static const siphash_key_t key;
	char symbol[KSYM_SYMBOL_LEN];
	unsigned long *entries;
	unsigned int i, nr;
	u64 hash = 0;

	nr = kml_trace_fetch(trace, &entries);
	for (i = 0; i < nr; i++) {
		u64 frame = entries[i];

		if (kml_code_is_packed(entries[i])) {
			kml_symbol(entries[i], symbol);
			frame = siphash(symbol, strlen(symbol), &key);
		}
		hash = siphash_2u64(hash, frame, &key);
	}
	return hash;
}

/* Take all counts out of the hash, in the order of what their traces read. */
static void sort_counts(struct kml_counts *counts, struct list_head *sorted)
{
	depot_stack_handle_t trace = 0;
	struct kml_count *count;
	struct hlist_node *tmp;
	unsigned int i;
	u64 hash = 0;

	for (i = 0; counts->buckets && i < BIT(KML_COUNTS_BUCKETS_SHIFT); i++) {
		hlist_for_each_entry_safe(count, tmp, &counts->buckets[i], hash) {
			hlist_del(&count->hash);
			list_add_tail(&count->link, sorted);
		}
	}
	list_sort(NULL, sorted, by_trace);
	list_for_each_entry(count, sorted, link) {
		if (count->trace != trace) {
			trace = count->trace;
			hash = hash_text(trace);
			cond_resched();
		}
		count->key = hash;
	}
	list_sort(NULL, sorted, by_text);
}

/*
 * The hash has the groups now, by what their traces read. A group hangs from another one
 * if all that it has does, going by its first leak.
 */
static void find_leads(struct kml_counts *counts)
{
	struct kml_count *group, *lead;
	u64 key;

	list_for_each_entry(group, &counts->groups, group)
		hlist_add_head(&group->hash, kml_counts_bucket(counts, group->key, NULL));
	list_for_each_entry(group, &counts->groups, group) {
		if (group->all.direct || !group->lead)
			continue;
		key = hash_text(group->lead);
		hlist_for_each_entry(lead, kml_counts_bucket(counts, key, NULL), hash) {
			if (lead->key == key && lead->all.direct)
				group->under = lead;
		}
		cond_resched();
	}
}

static int by_bytes(const struct kml_count *one, const struct kml_count *two)
{
	if (one->all.bytes != two->all.bytes)
		return one->all.bytes < two->all.bytes ? 1 : -1;
	if (one->all.objects != two->all.objects)
		return one->all.objects < two->all.objects ? 1 : -1;
	/* So that what hangs from one of two that are alike stays with it. */
	return one->key < two->key ? -1 : one->key > two->key;
}

/*
 * Whoever mends direct leaks mends all. What hangs from one follows it; of a group
 * whose lead is not known any more nobody can tell, and it comes last.
 */
static int by_lead(void *priv, const struct list_head *a, const struct list_head *b)
{
	const struct kml_count *one = list_entry(a, struct kml_count, group);
	const struct kml_count *two = list_entry(b, struct kml_count, group);
	const struct kml_count *first = one->under ?: one;
	const struct kml_count *second = two->under ?: two;

	if (first == second)
		return one == first ? -1 : two == second ? 1 : by_bytes(one, two);
	if (!first->all.direct != !second->all.direct)
		return first->all.direct ? -1 : 1;
	return by_bytes(first, second);
}

static int most_objects_first(void *priv, const struct list_head *a,
			      const struct list_head *b)
{
	return list_entry(a, struct kml_count, link)->own.objects <
	       list_entry(b, struct kml_count, link)->own.objects;
}

/**
 * kml_counts_finish() - make groups of all that was counted
 * @counts: the counts, to which nothing is to be added any more
 *
 * Context: Process context; may sleep.
 */
void kml_counts_finish(struct kml_counts *counts)
{
	struct kml_count *count, *tmp, *last = NULL, *head = NULL;
	LIST_HEAD(sorted);

	INIT_LIST_HEAD(&counts->groups);
	sort_counts(counts, &sorted);
	/* The first one of each key stands for its group. */
	list_for_each_entry_safe(count, tmp, &sorted, link) {
		list_del(&count->link);
		if (!head || count->key != head->key) {
			head = count;
			INIT_LIST_HEAD(&head->members);
			list_add_tail(&head->group, &counts->groups);
			last = NULL;
		}
		add_total(&head->all, &count->own);
		if (last && !compare(last, count)) {
			add_total(&last->own, &count->own);
			continue;
		}
		head->comms += !last || memcmp(last->comm, count->comm, TASK_COMM_LEN);
		list_add_tail(&count->link, &head->members);
		last = count;
	}
	list_for_each_entry(head, &counts->groups, group) {
		list_sort(NULL, &head->members, most_objects_first);
		cond_resched();
	}
	find_leads(counts);
	list_sort(NULL, &counts->groups, by_lead);
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
	free_pages((unsigned long)counts->buckets, BUCKETS_ORDER);
	counts->buckets = NULL;
	counts->memory = NULL;
	INIT_LIST_HEAD(&counts->groups);
}

/* ---- Files ---- */

/* Names of tasks that are shown of a group. */
#define GROUP_COMMS	4

static bool was_shown(const struct kml_count *group, const struct kml_count *member)
{
	const struct kml_count *count;

	list_for_each_entry(count, &group->members, link) {
		if (count == member)
			break;
		if (!memcmp(count->comm, member->comm, TASK_COMM_LEN))
			return true;
	}
	return false;
}

/**
 * kml_show_comms() - print a line with the names of a group's tasks
 * @seq: where to
 * @group: of kml_counts.groups
 *
 * Context: Process context.
 */
void kml_show_comms(struct seq_file *seq, const struct kml_count *group)
{
	const struct kml_count *count;
	unsigned int shown = 0;

	list_for_each_entry(count, &group->members, link) {
		if (shown == GROUP_COMMS)
			break;
		if (was_shown(group, count))
			continue;
		seq_puts(seq, shown ? ", \"" : "  comm \"");
		seq_escape_mem(seq, count->comm,
			       strnlen(count->comm, sizeof(count->comm)),
			       ESCAPE_ANY | ESCAPE_NAP | ESCAPE_APPEND, "\"\\");
		seq_putc(seq, '"');
		shown++;
	}
	if (shown < group->comms)
		seq_printf(seq, " and %u more", group->comms - shown);
	seq_putc(seq, '\n');
}

/**
 * struct groups_reader - what one open file shows
 * @counts: objects by trace, as they were when it was read from its start
 * @count: counts them
 * @at: the group where the last read ended, or the list's head
 * @pos: its number
 */
struct groups_reader {
	struct kml_counts counts;
	kml_count_t count;
	struct list_head *at;
	loff_t pos;
};

static int count_again(struct groups_reader *reader)
{
	int err;

	kml_counts_clear(&reader->counts);
	reader->at = &reader->counts.groups;
	reader->counts.when = jiffies;
	err = reader->count(&reader->counts);
	if (err)
		kml_counts_clear(&reader->counts);
	else
		kml_counts_finish(&reader->counts);
	return err;
}

/**
 * kml_groups_start() - go to a group, for struct seq_operations
 * @seq: of a file opened by kml_groups_open()
 * @pos: number of the group; at the first one all is counted again
 *
 * Context: Process context; may sleep.
 * Return: the group; NULL if there are not so many; an error if not all was counted.
 */
void *kml_groups_start(struct seq_file *seq, loff_t *pos)
{
	struct groups_reader *reader = seq->private;
	struct list_head *groups = &reader->counts.groups;

	if (!*pos) {
		int err = count_again(reader);

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
	return reader->at == groups ? NULL : list_entry(reader->at, struct kml_count, group);
}

/**
 * kml_groups_next() - go from one group to the next, for struct seq_operations
 * @seq: of a file opened by kml_groups_open()
 * @v: the group
 * @pos: its number, is increased
 *
 * Context: Process context.
 * Return: the next group, or NULL at the end.
 */
void *kml_groups_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct groups_reader *reader = seq->private;

	reader->at = reader->at->next;
	*pos = ++reader->pos;
	return reader->at == &reader->counts.groups ?
	       NULL : list_entry(reader->at, struct kml_count, group);
}

/**
 * kml_groups_stop() - end what kml_groups_start() began, for struct seq_operations
 * @seq: of a file opened by kml_groups_open()
 * @v: what that one or kml_groups_next() has returned
 *
 * Context: Process context.
 */
void kml_groups_stop(struct seq_file *seq, void *v)
{
}

/**
 * kml_groups_counts() - tell of which counts an open file shows groups
 * @seq: of a file opened by kml_groups_open()
 *
 * Context: Any.
 * Return: the counts.
 */
const struct kml_counts *kml_groups_counts(const struct seq_file *seq)
{
	const struct groups_reader *reader = seq->private;

	return &reader->counts;
}

/**
 * kml_groups_open() - open a file that shows groups
 * @file: the file
 * @ops: with kml_groups_start(), kml_groups_next() and kml_groups_stop(), and with
 *	a function that shows a struct kml_count
 * @count: counts what there is; may sleep
 *
 * Context: Process context; may sleep.
 * Return: 0 or a negative error code.
 */
int kml_groups_open(struct file *file, const struct seq_operations *ops, kml_count_t count)
{
	struct groups_reader *reader;

	reader = __seq_open_private(file, ops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	kml_counts_clear(&reader->counts);
	reader->count = count;
	reader->at = &reader->counts.groups;
	return 0;
}

/**
 * kml_groups_release() - close a file that was opened by kml_groups_open()
 * @inode: its inode
 * @file: the file
 *
 * Context: Process context; may sleep.
 * Return: 0.
 */
int kml_groups_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;
	struct groups_reader *reader = seq->private;

	kml_counts_clear(&reader->counts);
	return seq_release_private(inode, file);
}
