// SPDX-License-Identifier: GPL-2.0
/*
 * More live objects than the detector has metadata for, and objects that only
 * they refer to: the children. A child is made while there is metadata, so that
 * the detector knows it, and is then handed to one of these objects, of which the
 * detector may know nothing.
 */
#include <linux/array_size.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hidden.h"
#include "selftest.h"

#define CHILDREN	100

/* One in so many has a large object for a holder, whose pages the allocator keeps apart. */
#define PER_LARGE	4
#define LARGE_WORDS	(4 * PAGE_SIZE / sizeof(void *))

struct member {
	struct llist_node link;
	void *child;
};

/* Those of kmalloc() are larger on some machines, and there are millions of them. */
static struct kmem_cache *member_cache;
static LLIST_HEAD(members);
static void *children[CHILDREN];
static void **large[CHILDREN / PER_LARGE];

/* The first that was lost; hidden like the ones that follow it. */
static unsigned long lost;

int make_children(const char *arg)
{
	size_t size = private_kind->sizes[0];
	struct record *rec;
	unsigned int i;
	int err;

	for (i = 0; i < CHILDREN; i++) {
		err = make_objects(private_kind, size, &children[i], 1);
		if (err)
			return err;
		rec = add_record(private_kind, size, children[i]);
		if (!rec)
			return -ENOMEM;
		rec->label = "child";
		rec->fate = FATE_QUIET;
		rec->held = true;
	}
	wipe_stack(WIPE_DEPTH);
	return 0;
}

static noinline struct member *make_member(void)
{
	struct member *member = kmem_cache_zalloc(member_cache, GFP_KERNEL);

	if (member)
		llist_add(&member->link, &members);
	return member;
}

/* In the last of its pages. */
static noinline bool hold_in_large(unsigned int i)
{
	void **holder = kcalloc(LARGE_WORDS, sizeof(void *), GFP_KERNEL);

	if (!holder)
		return false;
	holder[LARGE_WORDS - 1] = children[i];
	large[i / PER_LARGE] = holder;
	return true;
}

/*
 * The last ones, which are the least likely to be known, get a child each. Not in line,
 * which would make several places of the one that calls make_member().
 */
static noinline bool give_child(struct member *member, unsigned int nr)
{
	unsigned int i = nr - 1;

	if (nr > CHILDREN)
		return true;
	if (i % PER_LARGE)
		member->child = children[i];
	else if (children[i] && !hold_in_large(i))
		return false;
	children[i] = NULL;
	return true;
}

int make_many(const char *arg)
{
	unsigned int nr, i;

	if (kstrtouint(arg, 0, &nr))
		return -EINVAL;
	for (i = nr; i; i--) {
		struct member *member = make_member();

		if (!member || !give_child(member, i))
			return -ENOMEM;
		cond_resched();
	}
	wipe_stack(WIPE_DEPTH);
	return 0;
}

/* Of so many of them no one knows any more, each other included. */
int lose_many(const char *arg)
{
	struct llist_node *node;
	unsigned int nr;

	if (kstrtouint(arg, 0, &nr))
		return -EINVAL;
	for (; nr; nr--) {
		node = llist_del_first(&members);
		if (!node)
			return -EINVAL;
		node->next = (void *)lost;
		lost = hide_address(node);
	}
	return 0;
}

static void find_lost(void)
{
	struct llist_node *node;

	while (lost) {
		node = reveal_address(lost);
		lost = (unsigned long)node->next;
		llist_add(node, &members);
	}
}

void free_many(void)
{
	struct llist_node *first;
	struct member *member, *tmp;
	unsigned int i;

	find_lost();
	first = llist_del_all(&members);
	/* As in free_records(): no pointer may outlive them. */
	llist_for_each_entry_safe(member, tmp, first, link) {
		memzero_explicit(member, sizeof(*member));
		kmem_cache_free(member_cache, member);
		cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(large); i++)
		kfree_sensitive(large[i]);
	memset(large, 0, sizeof(large));
	memset(children, 0, sizeof(children));
}

/* Nobody refers to the children any more. */
int forget_many(const char *arg)
{
	free_many();
	drop_records();
	return 0;
}

int init_many(void)
{
	member_cache = kmem_cache_create("kmemleak_selftest_many", sizeof(struct member), 0, 0,
					 NULL);
	return member_cache ? 0 : -ENOMEM;
}

void exit_many(void)
{
	kmem_cache_destroy(member_cache);
}
