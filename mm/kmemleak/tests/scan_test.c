// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what a scan reads, and what it takes for a root.
 *
 * Objects are known by their inverted address, so that nothing in the test is a
 * reference to them.
 */
#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kfence.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../scan/load.h"
#include "../scan/refs.h"
#include "../../slab.h"
#include "hidden.h"
#include "slot.h"
#include "tree.h"

#define SCAN_OBJECT	200
#define SCAN_LONG	(2 * HZ)
#define SCAN_LARGE	8192
#define SCAN_HUGE	(3 * KML_SECTION_WORDS * sizeof(long) + 8)
#define SCAN_MANY	200
#define SCAN_ATTEMPTS	5
#define SCAN_KFENCE_ATTEMPTS	100
#define SCAN_KFENCE_MS	10
#define SCAN_WIDE	(8 * KML_MARK_STACK)

/* ---- Reading ---- */

static void scan_loads(struct kunit *test)
{
	unsigned long *area = vmalloc(PAGE_SIZE), *end, words[KML_LOAD_WORDS];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, area);
	end = area + PAGE_SIZE / sizeof(long);
	for (i = 0; i < KML_LOAD_WORDS; i++)
		end[-1 - (int)i] = i + 1;

	/* Behind it is nothing, not even for a part of what is read at once. */
	pagefault_disable();
	kml_load_words(end - KML_LOAD_WORDS, words);
	for (i = 0; i < KML_LOAD_WORDS; i++)
		KUNIT_EXPECT_EQ(test, words[i], KML_LOAD_WORDS - i);
	kml_load_words(end, words);
	KUNIT_EXPECT_FALSE(test, kml_pair_is_there(end, words));
	kml_load_words(end - 1, words);
	KUNIT_EXPECT_FALSE(test, kml_pair_is_there(end - 1, words));
	kml_load_words(end - 2, words);
	KUNIT_EXPECT_TRUE(test, kml_pair_is_there(end - 2, words));
	KUNIT_EXPECT_EQ(test, words[0], 2);
	KUNIT_EXPECT_EQ(test, words[1], 1);
	KUNIT_EXPECT_FALSE(test, kml_pair_is_there(end, words + 2));

	/* What stands for words that are not there may stand in memory, too. */
	end[-2] = KML_NO_WORD;
	kml_load_words(end - KML_LOAD_WORDS, words);
	KUNIT_EXPECT_TRUE(test, kml_pair_is_there(end - 2, words + 2));
	KUNIT_EXPECT_EQ(test, words[2], KML_NO_WORD);
	KUNIT_EXPECT_EQ(test, words[3], 1);

	KUNIT_EXPECT_TRUE(test, kml_load_word(end - 1, words));
	KUNIT_EXPECT_EQ(test, words[0], 1);
	KUNIT_EXPECT_FALSE(test, kml_load_word(end, words));
	pagefault_enable();
	vfree(area);
}

static void scan_vmap_areas(struct kunit *test)
{
	void *area = vmalloc(PAGE_SIZE), *object = kmalloc(64, GFP_KERNEL);
	struct vmap_area *va, copy, fake;

	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_NOT_NULL(test, object);
	va = find_vmap_area((unsigned long)area);
	KUNIT_ASSERT_NOT_NULL(test, va);

	/* The numbers are gone, what is in use is there. */
	KUNIT_EXPECT_EQ(test, kml_read_vmap_area((unsigned long)va, &copy), 0);
	KUNIT_EXPECT_EQ(test, copy.va_start, 0);
	KUNIT_EXPECT_EQ(test, copy.va_end, 0);
	KUNIT_EXPECT_PTR_EQ(test, copy.vm, va->vm);

	/* Of one that is free the vm_struct is another one's. */
	memset(&fake, 0, sizeof(fake));
	fake.va_start = va->va_end;
	fake.vm = va->vm;
	fake.list.next = area;
	fake.list.prev = object;
	KUNIT_EXPECT_EQ(test, kml_read_vmap_area((unsigned long)&fake, &copy), 0);
	KUNIT_EXPECT_NULL(test, copy.vm);
	KUNIT_EXPECT_NULL(test, copy.list.next);
	KUNIT_EXPECT_PTR_EQ(test, copy.list.prev, object);
	/* There the processor's own page stands at 0. */
	if (!IS_ENABLED(CONFIG_S390))
		KUNIT_EXPECT_NE(test, kml_read_vmap_area(0, &copy), 0);

	kfree(object);
	vfree(area);
}

/* Many words that lead to nothing. */
static void scan_depot_table(struct kunit *test)
{
	void **variable = (void **)kallsyms_lookup_name("stack_table");
	struct kml_record *rec;
	const void *table;

	if (!variable)
		kunit_skip(test, "needs CONFIG_KALLSYMS_ALL");
	table = *variable;
	KUNIT_ASSERT_NOT_NULL(test, table);
	/* From memblock, or by kvcalloc(). */
	rec = kml_find(&kml_trees[KML_VIRT], addr_of(table));
	if (!rec && kml_is_linear(addr_of(table)))
		rec = kml_find(&kml_trees[KML_PHYS], __pa(table));
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(rec->flags) & KML_NO_SCAN);
	kml_put(rec);
}

/* Whatever other caches there come to be, this one's objects are of one kind. */
static void scan_vmap_cache(struct kunit *test)
{
	void *area = vmalloc(PAGE_SIZE), *object;
	struct kmem_cache *other;
	struct slab *ours, *its;

	KUNIT_ASSERT_NOT_NULL(test, area);
	ours = virt_to_slab(find_vmap_area((unsigned long)area));
	KUNIT_ASSERT_NOT_NULL(test, ours);
	KUNIT_EXPECT_PTR_EQ(test, kml_vmap_cache,
			    (const void *)ours->slab_cache);

	other = kmem_cache_create("kmemleak_test_vmap",
				  sizeof(struct vmap_area), 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	object = kmem_cache_alloc(other, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, object);
	if (object) {
		its = virt_to_slab(object);
		KUNIT_EXPECT_PTR_NE(test, its->slab_cache, ours->slab_cache);
		kmem_cache_free(other, object);
	}
	kmem_cache_destroy(other);
	vfree(area);
}

static noinline unsigned long hidden_or_kfence(void)
{
	return ~(unsigned long)kzalloc(SCAN_OBJECT, GFP_KERNEL);
}

/* One that nothing refers to. Returns its address, inverted, or ~0. */
static unsigned long hidden_from_kfence(void)
{
	unsigned int i;

	for (i = 0; i < SCAN_KFENCE_ATTEMPTS; i++) {
		unsigned long hidden = hidden_or_kfence();

		if (is_kfence_address((void *)~hidden))
			return hidden;
		kml_hidden_free(hidden);
		msleep(SCAN_KFENCE_MS);
	}
	return ~0UL;
}

/* What KFENCE knows of its objects is no reference to them. */
static void scan_kfence(struct kunit *test)
{
	unsigned int i;
	bool found = false;

	if (!IS_ENABLED(CONFIG_KFENCE))
		kunit_skip(test, "needs CONFIG_KFENCE");
	for (i = 0; !found && i < SCAN_ATTEMPTS; i++) {
		unsigned long hidden = hidden_from_kfence();

		if (hidden == ~0UL)
			kunit_skip(test, "KFENCE has no object to spare");
		KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
		found = kml_hidden_is_leak(hidden);
		kml_hidden_retire(hidden);
	}
	/* In Linux 6.1 the table is a variable. */
	if (!found && __is_defined(KML_KFENCE_VARIABLE))
		kunit_skip(test, "none of its objects is ever a leak");
	KUNIT_EXPECT_TRUE(test, found);
}

/**
 * struct task_words - which words of a task_struct are visited
 * @test: the test
 * @next: what is left out next
 * @from: where the next ones begin, in bytes
 */
struct task_words {
	struct kunit *test;
	const struct kml_void *next;
	size_t from;
};

static int check_task_words(const struct kml_words *words, void *arg)
{
	struct task_words *seen = arg;

	if (words->offset != seen->from) {
		KUNIT_EXPECT_EQ(seen->test, seen->from, seen->next->from);
		KUNIT_EXPECT_EQ(seen->test, words->offset, seen->next->to);
		seen->next++;
	}
	seen->from = words->offset + words->nr * sizeof(long);
	return 0;
}

/* What is left there that is no reference is left out, and nothing else. */
static void scan_task_words(struct kunit *test)
{
	struct task_words seen = { .test = test, .next = kml_task_void };
	struct kml_ref ref;

	if (virt_to_slab(current)->slab_cache->refcount > 1)
		kunit_skip(test, "others share the cache of the tasks");
	KUNIT_ASSERT_TRUE(test, kml_ref_find(KML_VIRT, addr_of(current), &ref));
	KUNIT_EXPECT_TRUE(test, ref.rec || kml_ref_is_task(&ref));
	mutex_lock(&kml_scan_mutex);
	KUNIT_EXPECT_EQ(test, kml_visit_words(&ref, check_task_words, &seen), 0);
	mutex_unlock(&kml_scan_mutex);
	KUNIT_EXPECT_EQ(test, seen.from, ALIGN_DOWN(kml_ref_size(&ref), sizeof(long)));
	if (!ref.rec)
		KUNIT_EXPECT_EQ(test, seen.next->from, SIZE_MAX);
	kml_ref_put(&ref);
}

/* ---- Generations ---- */

static u32 meta_of(struct kunit *test, const void *ptr)
{
	struct kml_ref ref;
	u32 meta = 0;

	rcu_read_lock();
	if (kml_slot_find(KML_VIRT, addr_of(ptr), &ref))
		meta = ref.meta;
	else
		KUNIT_FAIL(test, "not in a slot");
	rcu_read_unlock();
	return meta;
}

static void scan_generations(struct kunit *test)
{
	void *older = kmalloc(SCAN_OBJECT, KML_PLAIN_GFP), *younger;

	KUNIT_ASSERT_NOT_NULL(test, older);
	KUNIT_EXPECT_NE(test, meta_of(test, older) & KML_SLOT_GEN, 0);

	/* What is referenced has grown old by the end, whoever scans besides. */
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_EQ(test, meta_of(test, older) & KML_SLOT_GEN, 0);
	KUNIT_EXPECT_FALSE(test, kml_slot_is_young(meta_of(test, older)));

	mutex_lock(&kml_scan_mutex);
	younger = kmalloc(SCAN_OBJECT, KML_PLAIN_GFP);
	if (younger)
		KUNIT_EXPECT_TRUE(test, kml_slot_is_young(meta_of(test, younger)));
	mutex_unlock(&kml_scan_mutex);
	kfree(younger);
	kfree(older);
}

/* ---- Who ends scans ---- */

/**
 * struct scan_long - a thread that has kml_scan_mutex, like a scan that is long
 * @ready: it has the mutex
 * @stubborn: it does not ask whether to go on
 * @err: what it was told when it asked
 */
struct scan_long {
	struct completion ready;
	bool stubborn;
	int err;
};

static int scan_for_long(void *data)
{
	unsigned long end = jiffies + SCAN_LONG;
	struct scan_long *scan = data;

	mutex_lock(&kml_scan_mutex);
	complete(&scan->ready);
	while (time_before(jiffies, end) && (scan->stubborn || !scan->err)) {
		schedule_timeout_interruptible(1);
		scan->err = kml_scan_must_stop();
	}
	mutex_unlock(&kml_scan_mutex);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static struct task_struct *begin_long(struct kunit *test, struct scan_long *scan)
{
	struct task_struct *task;

	init_completion(&scan->ready);
	task = kthread_run(scan_for_long, scan, "kml_scan_long");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_completion(&scan->ready);
	return task;
}

static void scan_barred(struct kunit *test)
{
	struct scan_long scan = {};
	struct task_struct *task = begin_long(test, &scan);

	mutex_lock(&kml_control_mutex);
	KUNIT_EXPECT_EQ(test, kml_bar_scans(-ECANCELED), 0);
	/* Nor does another one begin. */
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), -ECANCELED);
	kml_allow_scans();
	mutex_unlock(&kml_control_mutex);
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, scan.err, -ECANCELED);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
}

/* Who waits for a scan, to end it, can be interrupted himself. */
static void scan_bar_interrupted(struct kunit *test)
{
	struct scan_long scan = { .stubborn = true };
	struct task_struct *task = begin_long(test, &scan);

	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	mutex_lock(&kml_control_mutex);
	KUNIT_EXPECT_EQ(test, kml_bar_scans(-ECANCELED), -EINTR);
	mutex_unlock(&kml_control_mutex);
	flush_signals(current);
	disallow_signal(SIGUSR1);

	/* As if nothing had been said. */
	KUNIT_EXPECT_EQ(test, kml_scan_must_stop(), 0);
	kthread_stop(task);
}

/* ---- Many at a time ---- */

static void **alloc_pair(void)
{
	void **first = kmalloc(SCAN_OBJECT, GFP_KERNEL);

	if (first)
		*first = kmalloc(SCAN_OBJECT, GFP_KERNEL);
	return first;
}

/* One object leads to more of them than a pass can keep at hand. */
static void scan_wide(struct kunit *test)
{
	void ***pairs = kcalloc(SCAN_WIDE, sizeof(*pairs), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pairs);
	for (i = 0; i < SCAN_WIDE; i++)
		pairs[i] = alloc_pair();

	/* In the second scan none of them is young. */
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_LT(test, kml_scan_stats()->suspects, SCAN_WIDE / 4);

	for (i = 0; i < SCAN_WIDE; i++) {
		if (pairs[i])
			kfree(*pairs[i]);
		kfree(pairs[i]);
	}
	kfree(pairs);
}

/* Objects that one leads to, and that one cannot read in one go. */
static noinline void fill_table(void **table)
{
	unsigned int i;

	for (i = 0; i < SCAN_MANY; i++)
		table[i] = kzalloc(SCAN_LARGE, GFP_KERNEL);
}

static void scan_sections(struct kunit *test)
{
	void **table = kcalloc(SCAN_MANY, sizeof(*table), GFP_KERNEL);
	struct kmem_cache *cache = kmem_cache_create("kmemleak_test_huge",
						     SCAN_HUGE, 0, 0, NULL);
	unsigned long *huge, hidden;
	unsigned int i;
	size_t longest;

	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	fill_table(table);
	huge = kmem_cache_zalloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, huge);
	/* The object is known to the last word of another one only. */
	hidden = kml_hidden_alloc(SCAN_OBJECT);
	kml_hidden_reveal(&huge[SCAN_HUGE / sizeof(long) - 1], hidden);

	/* In the second scan they are found, as none is young. */
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	mutex_lock(&kml_scan_mutex);
	longest = kml_longest_section();
	mutex_unlock(&kml_scan_mutex);
	KUNIT_EXPECT_GT(test, longest, KML_CHUNK / sizeof(long));
	KUNIT_EXPECT_LE(test, longest, KML_SECTION_WORDS);
	KUNIT_EXPECT_FALSE(test, kml_hidden_is_leak(hidden));

	kml_hidden_free(hidden);
	kmem_cache_free(cache, huge);
	kmem_cache_destroy(cache);
	for (i = 0; i < SCAN_MANY; i++)
		kfree(table[i]);
	kfree(table);
}

/*
 * What is at hand when a section ends may be gone when the next one begins: it is
 * read no more then, and what it leads to is not found.
 */
static void scan_stale_entries(struct kunit *test)
{
	unsigned long *object = kzalloc(SCAN_OBJECT, KML_PLAIN_GFP);
	struct kml_worker *self = &kml_refs.workers[0];
	struct kml_mark_entry *entry = self->stack;
	struct kml_ref ref;
	size_t words[2];

	KUNIT_ASSERT_NOT_NULL(test, object);
	mutex_lock(&kml_scan_mutex);
	rcu_read_lock();
	if (kml_slot_find(KML_VIRT, addr_of(object), &ref)) {
		__set_bit(ref.index, ref.slab->seen);
		entry->start = kasan_reset_tag(object);
		entry->nr = SCAN_OBJECT / sizeof(long);
		self->top = entry + 1;
		/* No room: it stays, for the next section. */
		words[0] = kml_drain_mark_stack(self, SCAN_OBJECT / sizeof(long) - 1);
		KUNIT_EXPECT_EQ(test, words[0], 0);
		KUNIT_EXPECT_FALSE(test, kml_mark_stack_is_empty(self));
		words[0] = kml_drain_mark_stack(self, KML_SECTION_WORDS);

		entry->start = kasan_reset_tag(object);
		entry->nr = SCAN_OBJECT / sizeof(long);
		self->top = entry + 1;
		kml_drain_mark_stack(self, 0);
		kfree(object);
		object = NULL;
		words[1] = kml_drain_mark_stack(self, KML_SECTION_WORDS);
		KUNIT_EXPECT_GE(test, words[0], SCAN_OBJECT / sizeof(long));
		KUNIT_EXPECT_EQ(test, words[1], 0);
		KUNIT_EXPECT_TRUE(test, kml_mark_stack_is_empty(self));
	} else {
		KUNIT_FAIL(test, "not in a slot");
	}
	kml_drop_mark_stack(self);
	rcu_read_unlock();
	mutex_unlock(&kml_scan_mutex);
	kfree(object);
}

static struct kunit_case scan_cases[] = {
	KUNIT_CASE(scan_loads),
	KUNIT_CASE(scan_vmap_areas),
	KUNIT_CASE(scan_vmap_cache),
	KUNIT_CASE_SLOW(scan_kfence),
	KUNIT_CASE(scan_task_words),
	KUNIT_CASE(scan_depot_table),
	KUNIT_CASE(scan_generations),
	KUNIT_CASE(scan_barred),
	KUNIT_CASE_SLOW(scan_bar_interrupted),
	KUNIT_CASE(scan_wide),
	KUNIT_CASE(scan_sections),
	KUNIT_CASE(scan_stale_entries),
	{}
};

static struct kunit_suite scan_suite = {
	.name = "kmemleak_scan",
	.exit = kml_hidden_exit,
	.test_cases = scan_cases,
};

kunit_test_suite(scan_suite);
