// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: how many leaks have the same trace.
 *
 * Leaks are counted by the handles of their trace and of their task's name, which
 * is quick. When all have been, counts are put together whose traces read the
 * same: a trace through a module gets another handle each time that code has
 * gone, and another place each time that the module is loaded.
 */
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/list_sort.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/string.h>

#include "leaks.h"

#define TALLY_SHARES	((PAGE_SIZE - sizeof(void *)) / sizeof(struct kml_share))

/**
 * struct kml_tally_page - memory for counts, neither tracked nor scanned
 * @next: the page that was filled before this one
 * @shares: the counts
 */
struct kml_tally_page {
	struct kml_tally_page *next;
	struct kml_share shares[TALLY_SHARES];
};

static struct kml_share *new_share(struct kml_tally *tally)
{
	struct kml_tally_page *page = tally->pages;

	BUILD_BUG_ON(sizeof(*page) > PAGE_SIZE);
	if (!page || tally->used == TALLY_SHARES) {
		page = (void *)__get_free_page(kml_gfp(GFP_KERNEL));
		if (!page)
			return NULL;
		page->next = tally->pages;
		tally->pages = page;
		tally->used = 0;
	}
	return &page->shares[tally->used++];
}

static void add_sum(struct kml_sum *to, const struct kml_sum *from)
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
				  depot_stack_handle_t comm,
				  struct rb_node **parent)
{
	struct rb_node **link = &root->rb_node;

	*parent = NULL;
	while (*link) {
		struct kml_share *share = rb_entry(*link, struct kml_share,
						   node);

		if (share->key == key && share->comm == comm)
			break;
		*parent = *link;
		link = key < share->key ||
		       (key == share->key && comm < share->comm) ?
			&share->node.rb_left : &share->node.rb_right;
	}
	return link;
}

/**
 * kml_tally_add() - count a leak
 * @tally: what has been counted so far
 * @obj: the leak
 *
 * Context: Holder of kml_scan_mutex, for the sake of @obj; may sleep.
 * Return: 0, or -ENOMEM if it was not counted.
 */
int kml_tally_add(struct kml_tally *tally, const struct kml_object *obj)
{
	depot_stack_handle_t trace = READ_ONCE(obj->trace);
	struct kml_sum sum = {
		.leaks = 1,
		.bytes = obj->size,
		.direct = !obj->held_by,
		.oldest = obj->jiffies,
		.youngest = obj->jiffies,
		.first = obj->start,
		.space = obj->space,
	};
	struct rb_node **link, *parent;
	struct kml_share *share;

	link = find_link(&tally->root, trace, obj->comm, &parent);
	if (*link) {
		share = rb_entry(*link, struct kml_share, node);
		add_sum(&share->own, &sum);
		return 0;
	}
	share = new_share(tally);
	if (!share)
		return -ENOMEM;
	*share = (struct kml_share){
		.key = trace,
		.trace = trace,
		.comm = obj->comm,
		.own = sum,
	};
	rb_link_node(&share->node, parent, link);
	rb_insert_color(&share->node, &tally->root);
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
static void merge_shares(struct kml_tally *tally)
{
	struct rb_root merged = RB_ROOT;
	struct rb_node *node, **link, *parent;
	depot_stack_handle_t trace = 0;
	u64 hash = 0;

	while ((node = rb_first(&tally->root))) {
		struct kml_share *share = rb_entry(node, struct kml_share,
						   node);

		rb_erase(node, &tally->root);
		/* Those with the same trace follow each other. */
		if (share->trace != trace) {
			trace = share->trace;
			hash = hash_text(trace);
			cond_resched();
		}
		share->key = hash;
		link = find_link(&merged, hash, share->comm, &parent);
		if (*link) {
			add_sum(&rb_entry(*link, struct kml_share, node)->own,
				&share->own);
			continue;
		}
		rb_link_node(node, parent, link);
		rb_insert_color(node, &merged);
	}
	tally->root = merged;
}

static int most_bytes_first(void *priv, const struct list_head *a,
			    const struct list_head *b)
{
	const struct kml_share *one = list_entry(a, struct kml_share, group);
	const struct kml_share *two = list_entry(b, struct kml_share, group);

	if (one->all.bytes != two->all.bytes)
		return one->all.bytes < two->all.bytes ? 1 : -1;
	return one->all.leaks < two->all.leaks;
}

static int most_leaks_first(void *priv, const struct list_head *a,
			    const struct list_head *b)
{
	return list_entry(a, struct kml_share, link)->own.leaks <
	       list_entry(b, struct kml_share, link)->own.leaks;
}

/**
 * kml_tally_finish() - make groups of all that was counted
 * @tally: the counts, to which nothing is to be added any more
 *
 * Context: Process context; may sleep.
 */
void kml_tally_finish(struct kml_tally *tally)
{
	struct kml_share *share, *head = NULL;
	struct rb_node *node;

	INIT_LIST_HEAD(&tally->groups);
	merge_shares(tally);
	/* The first one of each key stands for its group. */
	for (node = rb_first(&tally->root); node; node = rb_next(node)) {
		share = rb_entry(node, struct kml_share, node);
		if (!head || share->key != head->key) {
			head = share;
			INIT_LIST_HEAD(&head->shares);
			list_add_tail(&head->group, &tally->groups);
		}
		list_add_tail(&share->link, &head->shares);
		add_sum(&head->all, &share->own);
		head->comms++;
	}
	list_for_each_entry(head, &tally->groups, group) {
		list_sort(NULL, &head->shares, most_leaks_first);
		cond_resched();
	}
	list_sort(NULL, &tally->groups, most_bytes_first);
}

/**
 * kml_tally_clear() - forget all that was counted, and give its memory back
 * @tally: the counts, or zeroes
 *
 * Context: Process context; may sleep.
 */
void kml_tally_clear(struct kml_tally *tally)
{
	struct kml_tally_page *page;

	while ((page = tally->pages)) {
		tally->pages = page->next;
		free_page((unsigned long)page);
	}
	tally->root = RB_ROOT;
	INIT_LIST_HEAD(&tally->groups);
}
