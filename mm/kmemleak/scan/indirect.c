// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: which leaks are direct.
 *
 * When a list is lost, nothing points at its head, and all others hang from it. A
 * leak that no other one points at is direct. A leak that can be reached from
 * another one only is indirect. Of a ring that nothing else points at, the leak
 * with the lowest address is taken for direct.
 *
 * Two sweeps over the content of the leaks tell them apart, without a memory of
 * who points at whom. The first one takes the leaks in the order of addresses. A
 * leak that was not reached before may be a head: the sweep reaches it, and all
 * that can be reached from it. The second one takes these heads in the opposite
 * order, and forgets what was reached. A head that has not been reached again is
 * direct, and all that can be reached from it is indirect.
 *
 * That is right because an earlier head may be reached from a later one, but not
 * the other way round. So when the second sweep comes to a head that was not
 * reached by then, the only leaks it can be reached from are those that can be
 * reached from it, and it is the lowest of these, as the first sweep came to it
 * first.
 */
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "refs.h"

/*
 * Values of kml_record.reach of a leak in the first sweep: not reached, reached,
 * reached by nobody. The second sweep replaces the latter two by the start of the
 * leak that points at it, or REACH_DIRECT. There are no leaks at these addresses.
 */
#define REACH_DIRECT	0UL
#define REACH_UNSEEN	1UL
#define REACH_SEEN	2UL
#define REACH_HEAD	3UL

/**
 * struct sweep - a search for what can be reached from leaks
 * @second: which of the two it is
 * @from: whose content is looked at
 * @queue: what was reached and was not looked into yet, linked by gray_next
 * @heads: what the first sweep was not led to, the last one first, linked by
 *	gray_next; never in @queue
 *
 * Objects in both lists are pinned.
 */
struct sweep {
	bool second;
	const struct kml_record *from;
	struct kml_record *queue;
	struct kml_record *heads;
};

/* Address spaces with leaks. */
static const enum kml_space leak_spaces[] = { KML_VIRT, KML_PERCPU };

/* ---- From words to leaks ---- */

static void reach(struct sweep *sweep, struct kml_record *rec)
{
	unsigned long to_do = sweep->second ? REACH_SEEN : REACH_UNSEEN;
	unsigned long done = sweep->second ? sweep->from->start : REACH_SEEN;

	if (!rec || !kml_is_leak(rec, NULL) || !kml_get(rec))
		return;
	if (rec->reach == to_do) {
		rec->reach = done;
		rec->gray_next = sweep->queue;
		sweep->queue = rec;
		return;
	}
	/* Its turn to be looked into comes by itself. */
	if (sweep->second && rec->reach == REACH_HEAD)
		rec->reach = done;
	kml_put(rec);
}

static void reach_area(struct sweep *sweep, unsigned long start)
{
	struct kml_record *rec = kml_lookup(&kml_trees[KML_VIRT], start);

	if (rec && rec->start == start)
		reach(sweep, rec);
}

static void follow_to(struct sweep *sweep, enum kml_space space,
		      unsigned long addr)
{
	unsigned long area;
	struct kml_ref ref;

	if (!kml_ref_lookup(space, addr, &ref))
		return;
	reach(sweep, ref.rec);
	/* A pointer to a vm_struct keeps its area, too. */
	area = kml_ref_surplus(&ref);
	if (area)
		reach_area(sweep, area);
}

static void follow(struct sweep *sweep, unsigned long addr)
{
	if (!kml_is_linear(addr) && !kml_may_be_outside(addr))
		return;
	if (kml_is_linear(addr) || !kml_is_in_image(addr))
		follow_to(sweep, KML_VIRT, addr);
	if (kml_may_be_percpu(addr))
		follow_to(sweep, KML_PERCPU, addr);
}

static int follow_words(const struct kml_words *words, void *arg)
{
	size_t i;

	rcu_read_lock();
	for (i = 0; i < words->nr; i++)
		follow(arg, (unsigned long)
		       kasan_reset_tag((void *)words->words[i]));
	rcu_read_unlock();
	return kml_scan_must_stop();
}

/* ---- Sweeps ---- */

static int look_into(struct sweep *sweep, struct kml_record *rec)
{
	struct kml_ref ref = { .rec = rec };

	sweep->from = rec;
	return kml_visit_words(&ref, follow_words, sweep);
}

/* Reach all that can be reached from @rec. After an error only pins are given back. */
static int go_from(struct sweep *sweep, struct kml_record *rec)
{
	int ret = look_into(sweep, rec);

	while ((rec = sweep->queue)) {
		sweep->queue = rec->gray_next;
		ret = ret ?: look_into(sweep, rec);
		kml_put(rec);
		cond_resched_tasks_rcu_qs();
	}
	return ret;
}

/**
 * struct lane - place in a walk over the leaks of one address space
 * @cur: where to go on
 * @next: the next one, pinned, or NULL at the end
 */
struct lane {
	struct kml_cursor cur;
	struct kml_record *next;
};

static void advance(struct lane *lane)
{
	if (!kml_collect(&lane->cur, kml_is_leak, NULL, &lane->next, 1))
		lane->next = NULL;
}

/* The next leak in the order of addresses, pinned, or NULL. */
static struct kml_record *next_leak(struct lane *lanes)
{
	struct lane *lane = &lanes[0];
	struct kml_record *rec;

	if (!lane->next ||
	    (lanes[1].next && lanes[1].next->start < lane->next->start))
		lane = &lanes[1];
	rec = lane->next;
	if (rec)
		advance(lane);
	return rec;
}

static int find_heads(struct sweep *sweep)
{
	struct lane lanes[ARRAY_SIZE(leak_spaces)];
	struct kml_record *rec;
	unsigned int i;
	int ret = 0;

	BUILD_BUG_ON(ARRAY_SIZE(lanes) != 2);
	for (i = 0; i < ARRAY_SIZE(lanes); i++) {
		lanes[i].cur = (struct kml_cursor)
			KML_CURSOR(&kml_trees[leak_spaces[i]]);
		advance(&lanes[i]);
	}
	while (!ret && (rec = next_leak(lanes))) {
		if (rec->reach != REACH_UNSEEN) {
			kml_put(rec);
			continue;
		}
		rec->reach = REACH_HEAD;
		rec->gray_next = sweep->heads;
		sweep->heads = rec;
		ret = go_from(sweep, rec);
	}
	for (i = 0; i < ARRAY_SIZE(lanes); i++) {
		if (lanes[i].next)
			kml_put(lanes[i].next);
	}
	return ret;
}

/* Also gives back the heads, after an error nothing else. */
static int go_from_heads(struct sweep *sweep, int ret)
{
	struct kml_record *rec;

	sweep->second = true;
	while ((rec = sweep->heads)) {
		sweep->heads = rec->gray_next;
		if (!ret && rec->reach == REACH_HEAD)
			rec->reach = REACH_DIRECT;
		ret = ret ?: go_from(sweep, rec);
		kml_put(rec);
		cond_resched_tasks_rcu_qs();
	}
	return ret;
}

static int forget(const struct kml_ref *ref, void *arg)
{
	ref->rec->reach = REACH_UNSEEN;
	return 0;
}

static int note_holder(const struct kml_ref *ref, void *arg)
{
	struct kml_record *rec = ref->rec;

	/* The leak that reached it in the first sweep may be gone. */
	rec->held_by = rec->reach > REACH_HEAD ? rec->reach : REACH_DIRECT;
	return 0;
}

/**
 * kml_find_indirect() - find out which leaks are direct, and who holds the others
 *
 * Sets &kml_record.held_by of all leaks. On error none is changed.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_find_indirect(void)
{
	struct sweep sweep = {};
	int ret;

	lockdep_assert_held(&kml_scan_mutex);
	kml_for_each(KML_JUDGED, kml_ref_leak, forget, NULL);
	ret = find_heads(&sweep);
	ret = go_from_heads(&sweep, ret);
	if (!ret)
		kml_for_each(KML_JUDGED, kml_ref_leak, note_holder, NULL);
	return ret;
}
