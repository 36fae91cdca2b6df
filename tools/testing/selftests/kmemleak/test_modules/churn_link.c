// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are linked into lists and trees. A thread takes one out, keeps
 * it for a while, and puts it in elsewhere. That writes to the object and to
 * its neighbours; in between only the thread knows of it.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/printk.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "churn.h"

#define BOXES	4

/* Linked in one of these ways at a time. */
struct node {
	struct list_head list;
	struct hlist_node hlist;
	struct rb_node rb;
};

/* One of each container, in static, slab or vmalloc memory. */
struct box {
	/* For all that follows. */
	spinlock_t lock;
	/* Nodes are put into one and taken from the other. */
	struct list_head lists[2];
	struct hlist_head hlist;
	struct rb_root tree;
};

static struct box static_boxes[BOXES - 2];
static struct box *boxes[BOXES];
static unsigned int nr_nodes;

static noinline void *churn_link_small(void)
{
	return churn_here(kzalloc(sizeof(struct node), GFP_KERNEL));
}

static noinline void *churn_link_large(void)
{
	return churn_here(kzalloc(3000, GFP_KERNEL));
}

static noinline void *churn_link_vmalloc(void)
{
	return churn_here(vzalloc(5000));
}

static void *(* const allocs[])(void) = {
	churn_link_small, churn_link_large, churn_link_small, churn_link_vmalloc,
};

static struct node *take_list(struct box *box)
{
	struct node *node = list_first_entry_or_null(&box->lists[0], struct node, list);

	if (node)
		list_del(&node->list);
	return node;
}

static void give_list(struct box *box, struct node *node)
{
	list_add_tail(&node->list, &box->lists[1]);
}

static struct node *take_hlist(struct box *box)
{
	struct node *node = hlist_entry_safe(box->hlist.first, struct node, hlist);

	if (node)
		hlist_del(&node->hlist);
	return node;
}

static void give_hlist(struct box *box, struct node *node)
{
	hlist_add_head(&node->hlist, &box->hlist);
}

static struct node *take_tree(struct box *box)
{
	struct node *node = rb_entry_safe(rb_first(&box->tree), struct node, rb);

	if (node)
		rb_erase(&node->rb, &box->tree);
	return node;
}

static bool lower_address(struct rb_node *a, const struct rb_node *b)
{
	return a < b;
}

static void give_tree(struct box *box, struct node *node)
{
	rb_add(&node->rb, &box->tree, lower_address);
}

static const struct way {
	struct node *(*take)(struct box *box);
	void (*give)(struct box *box, struct node *node);
} ways[] = {
	{ take_list, give_list },
	{ take_hlist, give_hlist },
	{ take_tree, give_tree },
};

static void move_between_lists(struct box *box)
{
	unsigned int i;

	for (i = 0; i < 2 && !list_empty(&box->lists[1]); i++)
		list_move(box->lists[1].next, &box->lists[0]);
}

static struct node *take(struct box *box, const struct way *way)
{
	struct node *node;

	spin_lock(&box->lock);
	move_between_lists(box);
	node = way->take(box);
	spin_unlock(&box->lock);
	return node;
}

static void give(struct box *box, const struct way *way, struct node *node)
{
	spin_lock(&box->lock);
	way->give(box, node);
	spin_unlock(&box->lock);
}

static struct box *any_box(struct churn_thread *thread)
{
	return boxes[prandom_u32_state(&thread->rnd) % BOXES];
}

static const struct way *any_way(struct churn_thread *thread)
{
	return &ways[prandom_u32_state(&thread->rnd) % ARRAY_SIZE(ways)];
}

/**
 * churn_link() - move an object from one container to another
 * @thread: who does so
 */
void churn_link(struct churn_thread *thread)
{
	struct node *node = take(any_box(thread), any_way(thread));

	if (!node)
		return;
	churn_rest(thread);
	give(any_box(thread), any_way(thread), node);
}

static int alloc_boxes(void)
{
	unsigned int i;

	boxes[0] = &static_boxes[0];
	boxes[1] = &static_boxes[1];
	boxes[2] = kzalloc(sizeof(*boxes[2]), GFP_KERNEL);
	boxes[3] = vzalloc(sizeof(*boxes[3]));
	if (!boxes[2] || !boxes[3])
		return -ENOMEM;
	for (i = 0; i < BOXES; i++) {
		spin_lock_init(&boxes[i]->lock);
		INIT_LIST_HEAD(&boxes[i]->lists[0]);
		INIT_LIST_HEAD(&boxes[i]->lists[1]);
	}
	return 0;
}

/**
 * churn_link_init() - make objects and containers for them
 * @nr: number of objects
 *
 * Return: 0 or -ENOMEM; churn_link_exit() has to be called anyway.
 */
int churn_link_init(unsigned int nr)
{
	int err = alloc_boxes();

	for (; nr_nodes < nr && !err; nr_nodes++) {
		struct node *node = allocs[nr_nodes % ARRAY_SIZE(allocs)]();

		if (!node)
			return -ENOMEM;
		give(boxes[nr_nodes % BOXES], &ways[nr_nodes % ARRAY_SIZE(ways)], node);
	}
	return err;
}

static unsigned int free_box(struct box *box)
{
	unsigned int i, freed = 0;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		struct node *node;

		list_splice_init(&box->lists[1], &box->lists[0]);
		while ((node = ways[i].take(box))) {
			kvfree(node);
			freed++;
		}
	}
	return freed;
}

/* There are no threads any more. */
void churn_link_exit(void)
{
	unsigned int i, freed = 0;

	if (boxes[2] && boxes[3]) {
		for (i = 0; i < BOXES; i++)
			freed += free_box(boxes[i]);
	}
	WARN(freed != nr_nodes, "%s: %u nodes, but %u in the end\n", KBUILD_MODNAME, nr_nodes,
	     freed);
	kfree(boxes[2]);
	vfree(boxes[3]);
}
