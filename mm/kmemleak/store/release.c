// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: giving back the metadata of slabs without objects.
 *
 * The metadata of a slab stays when the slab goes, since most slabs come back. So
 * what a peak of allocations took has to be given back some time later: by scans,
 * or when the system is short of memory, by a shrinker.
 *
 * Both walk over all slabs together, a piece at a time. They close the empty ones,
 * so that no object comes into them unnoticed, and follow with a second walk over
 * the same ones, which releases them. Between the two lies an RCU grace period, for
 * which nobody waits: until it is over the first walk goes on alone.
 */
#include <linux/bitmap.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>

#include "slab.h"

/* Slabs that the shrinker looks at in one go. */
#define SHRINK_SLABS	512

/* The state of both walks. Never waited for by who is short of memory. */
static DEFINE_MUTEX(release_mutex);
static struct {
	/* Up to here empty slabs are closed. */
	struct kml_slab_cursor closed;
	/* Those up to here were closed before @when. */
	struct kml_slab_cursor ready;
	struct rcu_gp_seq when;
	/* Those up to here are released. */
	struct kml_slab_cursor released;
} walks;

/* Has the second walk come to where it has to wait? */
static bool has_caught_up(void)
{
	return walks.released.space == walks.ready.space &&
	       walks.released.next == walks.ready.next;
}

/**
 * struct closing - how to close slabs
 * @at_once: those that are empty; else those that were empty at the last time, too
 */
struct closing {
	bool at_once;
};

static void close_idle(struct kml_slab *slab, void *arg)
{
	const struct closing *closing = arg;
	bool empty = kml_slab_is_empty(slab);

	/* A scan has found something there that is gone by now. */
	if (!closing->at_once)
		empty = empty && bitmap_empty(slab->seen, slab->nr);
	if (empty && (closing->at_once || slab->idle) && READ_ONCE(slab->cache))
		kml_slab_close(slab);
	slab->idle = empty;
}

static void release_closed(struct kml_slab *slab, void *arg)
{
	unsigned long *released = arg;

	/* A slab that came since is open. */
	*released += kml_slab_release(slab);
}

static struct kml_released go_on(unsigned long max, bool at_once)
{
	struct closing closing = { .at_once = at_once };
	struct kml_released done = {};

	lockdep_assert_held(&release_mutex);
	if (!has_caught_up() && poll_state_synchronize_rcu_full(&walks.when))
		done.visited = kml_walk_some_slabs(&walks.released, &walks.ready,
						   max, release_closed,
						   &done.released);
	if (walks.released.space == KML_NR_SPACES)
		memset(&walks, 0, sizeof(walks));
	done.visited += kml_walk_some_slabs(&walks.closed, &kml_slab_end, max,
					    close_idle, &closing);
	if (has_caught_up()) {
		walks.ready = walks.closed;
		start_poll_synchronize_rcu_full(&walks.when);
	}
	return done;
}

/**
 * kml_release_idle_slabs() - give back the metadata of slabs without objects
 * @max: how many slabs to close at most, and to release
 * @at_once: close what is empty now, even if it was in use a moment ago; else only
 *	what was empty before, when this was called without @at_once, too
 *
 * A slab is released by a later call than that which has closed it.
 *
 * Context: Process context; may sleep, but neither for long nor for memory.
 * Return: what was done: nothing if somebody else is at it.
 */
struct kml_released kml_release_idle_slabs(unsigned long max, bool at_once)
{
	struct kml_released done = {};

	if (mutex_trylock(&release_mutex)) {
		done = go_on(max, at_once);
		mutex_unlock(&release_mutex);
	}
	return done;
}

/* ---- The shrinker ---- */

/* Which of them are empty is not known before somebody looks. */
static unsigned long count_slabs(struct shrinker *shrinker, struct shrink_control *sc)
{
	return kml_nr_slabs();
}

static unsigned long release_slabs(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct kml_released done = kml_release_idle_slabs(sc->nr_to_scan, true);

	return done.visited ? done.released : SHRINK_STOP;
}

/**
 * kml_release_init() - give back metadata when memory is short, from now on
 *
 * Without memory for that only scans do so. Once it has worked, later calls do nothing.
 *
 * Context: Holder of kml_control_mutex; may sleep.
 */
void kml_release_init(void)
{
	static bool done;
	struct shrinker *shrinker;

	lockdep_assert_held(&kml_control_mutex);
	if (done)
		return;
	shrinker = shrinker_alloc(0, "kmemleak");
	if (!shrinker)
		return;
	done = true;
	shrinker->count_objects = count_slabs;
	shrinker->scan_objects = release_slabs;
	shrinker->seeks = DEFAULT_SEEKS;
	shrinker->batch = SHRINK_SLABS;
	shrinker_register(shrinker);
}
