// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: passes of several threads.
 *
 * What a pass reads is divided into pieces: the static variables of a CPU, some struct
 * pages, a few slabs or records. Each thread takes the next piece, until there are none,
 * and then whatever was shaded, by itself or by others: slabs, and records, long ones in
 * parts. A thread that has nothing to do waits until there is something shaded again, or
 * until all threads wait. Who has much at hand meanwhile gives a part of it away.
 *
 * In the first pass what leads on is found everywhere, and kept at hand. In further ones
 * next to nothing is found, and the pieces are most of it.
 */
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "../store/slab.h"
#include "refs.h"

/* Page frames whose struct pages are in one piece. */
#define PIECE_PFNS	16384

/* Slabs in one piece. */
#define PIECE_SLABS	64

/**
 * enum kind - what pieces there are, in the order in which they are taken
 * @UNKNOWN: memory near objects without metadata
 * @STATIC_PERCPU: static variables of a CPU
 * @STRUCT_PAGES: some struct pages
 * @SLABS: some slabs, if the pass is a further one
 * @RECORDS: some records, the same
 * @NR_KINDS: nothing is left
 */
enum kind {
	UNKNOWN,
	STATIC_PERCPU,
	STRUCT_PAGES,
	SLABS,
	RECORDS,
	NR_KINDS,
};

/**
 * struct piece - what a thread has to read
 * @kind: what it is
 * @cpu: whose static variables
 * @zone: of whose struct pages
 * @pfn: the first page frame
 * @end: behind the last one
 * @nr: how many slabs or records
 * @slabs: slabs, pinned
 * @recs: records, pinned
 */
struct piece {
	enum kind kind;
	unsigned int cpu;
	const struct zone *zone;
	unsigned long pfn;
	unsigned long end;
	unsigned int nr;
	union {
		struct kml_slab *slabs[PIECE_SLABS];
		struct kml_record *recs[KML_CLAIM_MAX];
	};
};

/* Held to take a piece. */
static DEFINE_MUTEX(piece_mutex);

/* Where the next piece begins; piece_mutex. */
static struct {
	const struct kml_root_visitor *visitor;
	bool stacks;
	bool objects;
	enum kind kind;
	unsigned int cpu;
	struct zone *zone;
	unsigned long pfn;
	struct kml_slab_cursor slab;
	struct kml_cursor rec;
	enum kml_space space;
} next;

/* Why the pass had to stop, or 0; written by the thread that found out first. */
static int pass_error;

/* ---- Take ---- */

static bool take_cpu(struct piece *piece)
{
	piece->cpu = cpumask_next((int)next.cpu - 1, cpu_possible_mask);
	next.cpu = piece->cpu + 1;
	return piece->cpu < nr_cpu_ids;
}

/* A zone may have grown since the last piece, or have lost what is behind it. */
static bool take_pfns(struct piece *piece)
{
	for (; next.zone; next.zone = next_zone(next.zone), next.pfn = 0) {
		unsigned long end = zone_end_pfn(next.zone);

		if (!populated_zone(next.zone))
			continue;
		piece->zone = next.zone;
		piece->pfn = max(next.pfn, next.zone->zone_start_pfn);
		piece->end = min(ALIGN(piece->pfn + 1, PIECE_PFNS), end);
		next.pfn = piece->end;
		if (piece->pfn < end)
			return true;
	}
	return false;
}

static void take_slab(struct kml_slab *slab, void *arg)
{
	struct piece *piece = arg;

	refcount_inc(&slab->ref);
	piece->slabs[piece->nr++] = slab;
}

static bool take_slabs(struct piece *piece)
{
	piece->nr = 0;
	kml_walk_some_slabs(&next.slab, &kml_slab_end, PIECE_SLABS, take_slab, piece);
	return piece->nr;
}

static bool take_records(struct piece *piece)
{
	for (;;) {
		piece->nr = kml_collect(&next.rec, kml_search_selects, NULL,
					piece->recs, KML_CLAIM_MAX);
		if (piece->nr || ++next.space == KML_NR_SPACES)
			return piece->nr;
		next.rec = (struct kml_cursor)KML_CURSOR(&kml_trees[next.space]);
	}
}

static bool take_kind(struct piece *piece)
{
	piece->kind = next.kind;
	switch (next.kind) {
	case UNKNOWN:
		next.kind++;
		return true;
	case STATIC_PERCPU:
		return take_cpu(piece);
	case STRUCT_PAGES:
		return take_pfns(piece);
	case SLABS:
		return next.objects && take_slabs(piece);
	case RECORDS:
		return next.objects && take_records(piece);
	default:
		return false;
	}
}

static bool take_piece(struct piece *piece)
{
	struct kml_wait_for wait = KML_WAIT_INIT;
	bool taken = false;

	/*
	 * Who holds it runs, but its CPU may be a guest's that stands still for long: who
	 * waits must not look hung.
	 */
	while (!mutex_trylock(&piece_mutex))
		kml_threads_wait(&wait);
	while (next.kind < NR_KINDS && !taken) {
		taken = take_kind(piece);
		if (!taken)
			next.kind++;
	}
	mutex_unlock(&piece_mutex);
	return taken;
}

/* ---- Read ---- */

static int read_slabs(const struct piece *piece)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < piece->nr; i++) {
		ret = ret ?: kml_search_in_slab(piece->slabs[i]);
		kml_slab_put(piece->slabs[i]);
	}
	return ret;
}

static int read_records(struct piece *piece)
{
	unsigned int i, nr = kml_claim_records(piece->recs, piece->nr);
	int ret = 0;

	for (i = 0; i < nr; i++) {
		ret = ret ?: kml_scan_must_stop();
		if (!ret)
			kml_scan_record(piece->recs[i]);
		kml_put(piece->recs[i]);
	}
	return ret;
}

static int read_piece(struct piece *piece)
{
	int ret = 0;

	switch (piece->kind) {
	case UNKNOWN:
		get_online_mems();
		ret = kml_visit_unknown(next.visitor->memory);
		put_online_mems();
		break;
	case STATIC_PERCPU:
		ret = kml_visit_cpu(piece->cpu, next.visitor->memory);
		break;
	case STRUCT_PAGES:
		get_online_mems();
		ret = kml_visit_block(piece->zone, piece->pfn, piece->end,
				      next.visitor);
		put_online_mems();
		break;
	case SLABS:
		ret = read_slabs(piece);
		break;
	case RECORDS:
		ret = read_records(piece);
		break;
	default:
		break;
	}
	return ret ?: kml_scan_must_stop();
}

/* Returns 0 when nothing is left to take, or an error. */
static int read_all(void)
{
	struct kml_gray gray;
	struct piece piece;
	int ret = kml_scan_must_stop();

	while (!ret) {
		if (take_piece(&piece))
			ret = read_piece(&piece);
		else if (kml_gray_take(&gray))
			ret = kml_scan_taken(&gray);
		else
			break;
	}
	return ret;
}

/* Until nothing is left, and nobody can find more. */
static void work(int ret)
{
	do {
		ret = ret ?: read_all();
		if (ret) {
			cmpxchg(&pass_error, 0, ret);
			kml_end_scan(ret);
			kml_gray_leave();
			return;
		}
	} while (kml_gray_wait());
}

/**
 * kml_share_job() - take part in a pass
 *
 * Context: Whoever marks; may sleep.
 */
void kml_share_job(void)
{
	if (kml_find_self()->task) {
		if (kml_gray_begin())
			work(0);
		return;
	}
	/* Stacks are for the thread that holds kml_scan_mutex. */
	work(next.stacks ? kml_visit_stacks(next.visitor) : 0);
}

static void share(const struct kml_root_visitor *visitor, bool stacks, bool objects)
{
	pass_error = 0;
	memset(&next, 0, sizeof(next));
	next.visitor = visitor;
	next.stacks = stacks;
	next.objects = objects;
	next.zone = first_online_pgdat()->node_zones;
	next.rec = (struct kml_cursor)KML_CURSOR(&kml_trees[0]);
}

/**
 * kml_share_pass() - let all threads read what a pass reads
 * @visitor: what to do with roots
 * @stacks: are the stacks of tasks among them?
 * @objects: look for suspects in all objects that are in use, too
 *
 * All that is shaded is scanned.
 *
 * Context: Holder of kml_scan_mutex, since kml_threads_gather(); may sleep.
 * Return: 0 or an error as of kml_scan_must_stop(), and the rest is dropped.
 */
int kml_share_pass(const struct kml_root_visitor *visitor, bool stacks, bool objects)
{
	struct kml_wait_for wait;
	int ret;

	lockdep_assert_held(&kml_scan_mutex);
	share(visitor, stacks, objects);
	kml_gray_open();
	kml_threads_run();
	wait = (struct kml_wait_for)KML_WAIT_INIT;
	/* They stop soon, if they have to. */
	while (!kml_gray_close()) {
		ret = kml_scan_must_stop();
		if (ret) {
			cmpxchg(&pass_error, 0, ret);
			kml_end_scan(ret);
		}
		kml_threads_wait(&wait);
	}
	ret = READ_ONCE(pass_error);
	if (ret)
		kml_end_scan(ret);
	/* If something is left the scan has to stop, and drops it. */
	ret = kml_scan_gray() ?: ret;
	kml_end_scan(0);
	return ret;
}
