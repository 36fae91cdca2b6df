// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: a pass while nothing can move.
 *
 * Where exact_us allows it, the last pass of a scan is made with all CPUs stopped.
 * Whatever ran was switched out, so that all pointers are in memory, and none of
 * them moves: suspects that this pass does not find are referenced from nowhere.
 *
 * All CPUs read their share. It is divided into jobs, of which each takes the next
 * one. Nobody holds a lock that spins while CPUs are stopped, so that trees are
 * walked without. Words that may refer to a suspect are rare. They are written down,
 * and looked at when CPUs run again: what has a reference at one moment is in use.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/kasan.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/stop_machine.h>
#include <linux/vmalloc.h>

#include "../store/slab.h"
#include "load.h"
#include "refs.h"

/* Watchdogs would bark if CPUs were stopped for longer. */
#define EXACT_US_MAX	USEC_PER_SEC

/* Jobs that records are divided into, and bytes of one that a job has at a time. */
#define RECORD_JOBS	16
#define RECORD_PIECE	SZ_64K

/* Longest time for which a scan may stop all CPUs, in microseconds; 0: never. */
unsigned int kml_exact_us;

static int set_exact_us(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, EXACT_US_MAX);
}

static const struct kernel_param_ops exact_us_ops = {
	.set = set_exact_us,
	.get = param_get_uint,
};
module_param_cb(exact_us, &exact_us_ops, &kml_exact_us, 0600);

/* The present pass; written by the holder of kml_scan_mutex while CPUs run. */
static struct {
	/* The next job, and how many there are of the first kind. */
	atomic_long_t next;
	unsigned long nr_blocks;
	/* When the first CPU had stopped, and the last one was about to go on. */
	atomic64_t begin;
	atomic64_t end;
	u64 limit_ns;
	bool late;
	atomic_long_t words;
	/* Protects kml_refs.hits. */
	raw_spinlock_t lock;
} exact = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(exact.lock),
};

/* ---- Words ---- */

/* From one chunk to the next. */
static bool is_late(void)
{
	if (!READ_ONCE(exact.late) &&
	    ktime_get_ns() - (u64)atomic64_read(&exact.begin) > exact.limit_ns)
		WRITE_ONCE(exact.late, true);
	return READ_ONCE(exact.late);
}

static void note_word(const unsigned long *word, const struct kml_holder *holder)
{
	unsigned long addr;

	if (!kml_load_word(word, &addr))
		return;
	raw_spin_lock(&exact.lock);
	if (kml_refs.nr_hits < KML_HITS_MAX)
		kml_refs.hits[kml_refs.nr_hits] = (struct kml_hit){
			.addr = kml_untagged(addr),
			.holder = *holder,
		};
	kml_refs.nr_hits++;
	raw_spin_unlock(&exact.lock);
}

/* What is done with a word that may refer to a suspect. */
typedef void (*hit_t)(const unsigned long *word, const void *arg);

static void search(const void *start, const void *end, hit_t hit, const void *arg)
{
	const unsigned long *word = PTR_ALIGN(start, sizeof(long));
	const unsigned long *last = (const unsigned long *)
		ALIGN_DOWN((unsigned long)end, sizeof(long));

	while (word < last && !is_late()) {
		size_t len = kml_chunk_len((unsigned long)word,
					   (unsigned long)last - (unsigned long)word);
		const unsigned long *stop = word + len / sizeof(long);

		atomic_long_add(stop - word, &exact.words);
		for (; (word = kml_next_hit(word, stop)) < stop; word++)
			hit(word, arg);
	}
}

static void hit_in_memory(const unsigned long *word, const void *arg)
{
	note_word(word, arg);
}

static void hit_in_slab(const unsigned long *word, const void *arg)
{
	struct kml_holder self;

	if (kml_holder_of(arg, word, &self))
		note_word(word, &self);
}

static void hit_in_pages(const unsigned long *word, const void *arg)
{
	static const struct kml_holder nobody;

	if (!kml_is_page_index(arg, word))
		note_word(word, &nobody);
}

/* ---- Objects ---- */

/**
 * struct share - a part of an object's memory that a job has
 * @holder: the object
 * @job: number of the job
 * @pieces: pieces that were looked at so far, of all objects; every RECORD_JOBS-th
 *	one is the job's
 */
struct share {
	struct kml_holder holder;
	unsigned int job;
	unsigned int pieces;
};

static int search_share(const struct kml_ref *ref, unsigned int cpu, size_t offset,
			size_t size, void *arg)
{
	const void *content = kml_ref_content(ref, cpu);
	struct share *share = arg;
	size_t len;

	for (; content && size; offset += len, size -= len) {
		len = min_t(size_t, size, RECORD_PIECE);
		if (share->pieces++ % RECORD_JOBS == share->job)
			search(content + offset, content + offset + len,
			       hit_in_memory, &share->holder);
	}
	return 0;
}

static void search_records(unsigned int job)
{
	struct share share = { .job = job };
	enum kml_space space;

	for (space = 0; space < KML_NR_SPACES; space++) {
		struct rb_node *node = rb_first(&kml_trees[space].root);

		for (; node; node = rb_next(node)) {
			struct kml_ref ref = {
				.rec = rb_entry(node, struct kml_record, node),
			};

			share.holder.space = space;
			share.holder.addr = ref.rec->start;
			if (!kml_is_black(ref.rec) && !kml_ref_is_suspect(&ref))
				kml_ref_visit_pieces(&ref, search_share, &share);
		}
	}
}

static int search_piece(const struct kml_ref *ref, unsigned int cpu, size_t offset,
			size_t size, void *arg)
{
	const void *content = kml_ref_content(ref, cpu);

	if (content)
		search(content + offset, content + offset + size, hit_in_memory,
		       arg);
	return 0;
}

/* Of vmap_areas, which are few, not all words are references. */
static int search_copy(const struct kml_words *words, void *arg)
{
	search(words->words, words->words + words->nr, hit_in_memory, arg);
	return 0;
}

static void search_single_slots(struct kml_slab *slab)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		struct kml_holder self = {
			.space = slab->space,
			.addr = kml_slot_start(slab, i),
		};
		struct kml_ref ref = {
			.slab = slab,
			.index = i,
			.meta = kml_slot_meta(&slab->slots[i]),
		};

		if (!kml_slot_in_use(slab, i))
			continue;
		if (kml_is_vmap_slab(slab))
			kml_visit_words(&ref, search_copy, &self);
		else
			kml_ref_visit_pieces(&ref, search_piece, &self);
	}
}

/* ---- Jobs ---- */

static int search_root(const void *start, const void *end,
		       const struct kml_root *root)
{
	static const struct kml_holder nobody;

	search(start, end, hit_in_memory, &nobody);
	return 0;
}

static int search_pages(struct page *first, struct page *end)
{
	search(first, end, hit_in_pages, first);
	return 0;
}

static const struct kml_root_visitor page_visitor = {
	.memory = search_root,
	.pages = search_pages,
};

/* The slab that begins there, if one does. */
static void search_slab_at(unsigned long addr)
{
	struct kml_slab *slab = kml_slab_at(addr);

	if (!slab || slab->start != addr)
		return;
	if (kml_has_void_words(slab))
		search_single_slots(slab);
	else
		search((void *)slab->first,
		       (void *)slab->first + (size_t)slab->nr * slab->stride,
		       hit_in_slab, slab);
}

static void search_block(unsigned long block)
{
	unsigned long pfn = block * KML_TABLE_PAGES;
	unsigned long end = min(pfn + KML_TABLE_PAGES, max_pfn);

	kml_visit_block(NULL, pfn, end, &page_visitor);
	for (; pfn < end && !READ_ONCE(exact.late); pfn++) {
		if (pfn_valid(pfn))
			search_slab_at((unsigned long)
				       kasan_reset_tag(page_address(pfn_to_page(pfn))));
	}
}

static int search_stack(const void *stack, const void *live, const void *end,
			const struct kml_root *root)
{
	return search_root(kml_live_from(stack, live, end), end, root);
}

static const struct kml_root_visitor stack_visitor = {
	.memory = search_root,
	.task_stack = search_stack,
};

static void search_static_percpu(unsigned int cpu)
{
	if (cpu_possible(cpu))
		kml_visit_cpu(cpu, search_root);
}

static void search_percpu_slabs(void)
{
	struct kml_slab *slab;
	unsigned int i;

	for (i = 0; i < KML_PERCPU_BUCKETS; i++) {
		hlist_for_each_entry_rcu(slab, &kml_percpu_hash[i], hash)
			search_single_slots(slab);
	}
}

/* The long ones first. Returns false if there is no such job. */
static bool do_job(unsigned long job)
{
	if (job == 0) {
		if (kml_scan_stacks)
			kml_visit_stopped_stacks(&stack_visitor);
		return true;
	}
	if (job == 1) {
		search_percpu_slabs();
		return true;
	}
	if (job == 2) {
		kml_visit_unknown(search_root);
		return true;
	}
	job -= 3;
	if (job < RECORD_JOBS) {
		search_records(job);
		return true;
	}
	job -= RECORD_JOBS;
	if (job < nr_cpu_ids) {
		search_static_percpu(job);
		return true;
	}
	job -= nr_cpu_ids;
	if (job < exact.nr_blocks)
		search_block(job);
	return job < exact.nr_blocks;
}

/* On each CPU, with interrupts off on all of them. */
static int search_stopped(void *unused)
{
	u64 now = ktime_get_ns();

	atomic64_cmpxchg(&exact.begin, 0, now);
	rcu_read_lock();
	pagefault_disable();
	kasan_disable_current();
	while (!READ_ONCE(exact.late) && do_job(atomic_long_inc_return(&exact.next) - 1))
		;
	kasan_enable_current();
	pagefault_enable();
	rcu_read_unlock();

	now = ktime_get_ns();
	raw_spin_lock(&exact.lock);
	if (now > (u64)atomic64_read(&exact.end))
		atomic64_set(&exact.end, now);
	raw_spin_unlock(&exact.lock);
	return 0;
}

/* Returns false if there was no room for some. */
static bool mark_hits(void)
{
	unsigned int i, nr = min_t(unsigned int, kml_refs.nr_hits, KML_HITS_MAX);

	for (i = 0; i < nr; i++) {
		rcu_read_lock();
		kml_mark(kml_refs.hits[i].addr, &kml_refs.hits[i].holder);
		rcu_read_unlock();
	}
	return kml_refs.nr_hits <= KML_HITS_MAX;
}

/**
 * kml_exact_has_clock() - ask whether the time of a pass can be told
 *
 * Jiffies, all that some machines have, stand still with the CPUs.
 *
 * Context: Any.
 * Return: true if the clock goes on by a microsecond, or less.
 */
bool kml_exact_has_clock(void)
{
	return ktime_get_resolution_ns() <= NSEC_PER_USEC;
}

/**
 * kml_exact_is_worth() - ask whether all CPUs may be stopped for a pass
 * @pass_us: how long another one took on one CPU, in microseconds
 *
 * Context: Process context.
 * Return: true if it can be expected to come to its end in time.
 */
bool kml_exact_is_worth(u64 pass_us)
{
	unsigned int most = READ_ONCE(kml_exact_us);

	return most && kml_exact_has_clock() &&
	       div_u64(pass_us, num_online_cpus()) <= most;
}

/**
 * kml_exact_pass() - look for what is targeted with all CPUs stopped
 * @us: set to how long they were, in microseconds
 *
 * What is found is left to kml_scan_gray().
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: true if it came to its end in time, and has forgotten nothing.
 */
bool kml_exact_pass(u64 *us)
{
	struct kml_worker *self = &kml_refs.workers[0];

	lockdep_assert_held(&kml_scan_mutex);
	kml_begin_pass();
	atomic_long_set(&exact.next, 0);
	atomic64_set(&exact.begin, 0);
	atomic64_set(&exact.end, 0);
	exact.nr_blocks = DIV_ROUND_UP(max_pfn, KML_TABLE_PAGES);
	exact.limit_ns = (u64)READ_ONCE(kml_exact_us) * NSEC_PER_USEC;
	exact.late = false;
	atomic_long_set(&exact.words, 0);
	kml_refs.nr_hits = 0;

	cpus_read_lock();
	get_online_mems();
	stop_machine_cpuslocked(search_stopped, NULL, cpu_online_mask);
	put_online_mems();
	cpus_read_unlock();

	*us = div_u64(atomic64_read(&exact.end) - atomic64_read(&exact.begin),
		      NSEC_PER_USEC);
	WRITE_ONCE(self->words, self->words + atomic_long_read(&exact.words));
	return mark_hits() && !exact.late;
}
