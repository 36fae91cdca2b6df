// SPDX-License-Identifier: GPL-2.0
/*
 * More live objects than the detector has metadata for, and objects that only
 * they refer to: the wards. A ward is made while there is metadata, so that
 * the detector knows it, and is then handed to one of the crowd, of which the
 * detector may know nothing.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hidden.h"
#include "selftest.h"

#define WARDS	100

struct member {
	struct llist_node link;
	void *ward;
};

/* Those of kmalloc() are larger on some machines, and there are millions of them. */
static struct kmem_cache *crowd_cache;
static LLIST_HEAD(crowd);
static void *wards[WARDS];

/* The first that was lost; hidden like the ones that follow it. */
static unsigned long lost;

int make_wards(const char *arg)
{
	size_t size = private_kind->sizes[0];
	struct record *rec;
	unsigned int i;
	int err;

	for (i = 0; i < WARDS; i++) {
		err = make_objects(private_kind, size, &wards[i], 1);
		if (err)
			return err;
		rec = add_record(private_kind, size, wards[i]);
		if (!rec)
			return -ENOMEM;
		rec->label = "ward";
		rec->fate = FATE_QUIET;
		rec->held = true;
	}
	return 0;
}

static noinline struct member *join_crowd(void)
{
	struct member *member = kmem_cache_zalloc(crowd_cache, GFP_KERNEL);

	if (member)
		llist_add(&member->link, &crowd);
	return member;
}

int make_crowd(const char *arg)
{
	unsigned int nr, i;

	if (kstrtouint(arg, 0, &nr))
		return -EINVAL;
	for (i = nr; i; i--) {
		struct member *member = join_crowd();

		if (!member)
			return -ENOMEM;
		/* The last to join, who are the least likely to be known. */
		if (i <= WARDS) {
			member->ward = wards[i - 1];
			wards[i - 1] = NULL;
		}
		cond_resched();
	}
	return 0;
}

/* Of so many of the crowd no one knows any more, each other included. */
int lose_crowd(const char *arg)
{
	struct llist_node *node;
	unsigned int nr;

	if (kstrtouint(arg, 0, &nr))
		return -EINVAL;
	for (; nr; nr--) {
		node = llist_del_first(&crowd);
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
		llist_add(node, &crowd);
	}
}

void free_crowd(void)
{
	struct llist_node *first;
	struct member *member, *tmp;

	find_lost();
	first = llist_del_all(&crowd);
	/* As in free_records(): no pointer may outlive them. */
	llist_for_each_entry_safe(member, tmp, first, link) {
		memzero_explicit(member, sizeof(*member));
		kmem_cache_free(crowd_cache, member);
		cond_resched();
	}
	memset(wards, 0, sizeof(wards));
}

/* Nobody refers to the wards any more. */
int disband_crowd(const char *arg)
{
	free_crowd();
	drop_records();
	return 0;
}

int init_crowd(void)
{
	crowd_cache = kmem_cache_create("kmemleak_selftest_crowd", sizeof(struct member), 0, 0,
					NULL);
	return crowd_cache ? 0 : -ENOMEM;
}

void exit_crowd(void)
{
	kmem_cache_destroy(crowd_cache);
}
