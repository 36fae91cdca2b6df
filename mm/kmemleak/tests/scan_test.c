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
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/vmalloc.h>

#ifdef CONFIG_ARM64
#include <asm/stacktrace.h>
#endif

#include "../scan/load.h"
#include "../scan/refs.h"
#include "../../slab.h"
#include "hidden.h"
#include "slot.h"
#include "tree.h"

#define SCAN_OBJECT	200
#define SCAN_ATTEMPTS	5
#define SCAN_LONG	(2 * HZ)
#define SCAN_LARGE	8192
#define SCAN_HUGE	(3 * KML_SECTION_WORDS * sizeof(long) + 8)
#define SCAN_MANY	200
#define SCAN_WIDE	(8 * KML_MARK_STACK)
#define SCAN_DEAD	1024	/* bytes from the deep end of a stack */

/* A thread of the test, and the object that it has. */
struct scan_holder {
	unsigned long hidden;
	struct completion ready;
	bool stop;
	bool keep;
};

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
	KUNIT_EXPECT_PTR_EQ(test, kml_special_cache,
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
	void *older = kmalloc(SCAN_OBJECT, GFP_KERNEL), *younger;

	KUNIT_ASSERT_NOT_NULL(test, older);
	KUNIT_EXPECT_NE(test, meta_of(test, older) & KML_SLOT_GEN, 0);

	/* What is referenced has grown old by the end, whoever scans besides. */
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_EQ(test, meta_of(test, older) & KML_SLOT_GEN, 0);
	KUNIT_EXPECT_FALSE(test, kml_slot_is_young(meta_of(test, older)));

	mutex_lock(&kml_scan_mutex);
	younger = kmalloc(SCAN_OBJECT, GFP_KERNEL);
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

/* ---- Stacks and registers ---- */

/* The object is in a register, and nowhere else, for as long as that lasts. */
static int scan_spin(void *data)
{
	struct scan_holder *holder = data;
	void *object = kmalloc(SCAN_OBJECT, GFP_KERNEL);

	WRITE_ONCE(holder->hidden, ~addr_of(object));
	complete(&holder->ready);
	/* Pairs with smp_store_release() in leaks_from_register(). */
	while (!smp_load_acquire(&holder->stop)) {
		OPTIMIZER_HIDE_VAR(object);
		cpu_relax();
		cond_resched();
	}
	if (!holder->keep)
		kfree(object);
	object = NULL;
	OPTIMIZER_HIDE_VAR(object);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* A function that has returned has left its address on the stack. */
static noinline unsigned long scan_leave_behind(void)
{
	unsigned long words[192], i;
	void *object = kmalloc(SCAN_OBJECT, GFP_KERNEL);

	/* Deep enough to be below the live part, which has words not written to. */
	for (i = 0; i < ARRAY_SIZE(words) / 3; i++)
		words[i] = addr_of(object);
	barrier_data(words);
	return ~addr_of(object);
}

static int scan_sleep(void *data)
{
	struct scan_holder *holder = data;

	WRITE_ONCE(holder->hidden, scan_leave_behind());
	complete(&holder->ready);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static struct task_struct *start(struct kunit *test, struct scan_holder *holder,
				 int (*fn)(void *data))
{
	struct task_struct *task;

	memset(holder, 0, sizeof(*holder));
	init_completion(&holder->ready);
	task = kthread_run(fn, holder, "kmemleak_scan");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_completion(&holder->ready);
	KUNIT_EXPECT_NE(test, holder->hidden, ~0UL);
	return task;
}

/* Is it reported once it is nowhere any more? */
static bool leaks_from_register(struct kunit *test)
{
	struct scan_holder holder;
	struct task_struct *task = start(test, &holder, scan_spin);
	bool leaks;

	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	KUNIT_EXPECT_FALSE(test, kml_hidden_is_leak(holder.hidden));
	holder.keep = true;
	/* Pairs with smp_load_acquire() in scan_spin(): it must not free it, too. */
	smp_store_release(&holder.stop, true);
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leaks = kml_hidden_is_leak(holder.hidden);
	kml_hidden_retire(holder.hidden);
	return leaks;
}

static void scan_register(struct kunit *test)
{
	unsigned int i;

	if (num_online_cpus() == 1)
		kunit_skip(test, "needs another CPU");
	/* A dead word somewhere may hide a leak, but not one after the other. */
	for (i = 0; i < SCAN_ATTEMPTS; i++) {
		if (leaks_from_register(test))
			return;
	}
	KUNIT_FAIL(test, "not reported without the register either");
}

static bool leaks_from_dead_stack(struct kunit *test)
{
	struct scan_holder holder;
	struct task_struct *task = start(test, &holder, scan_sleep);
	bool leaks;

	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leaks = kml_hidden_is_leak(holder.hidden);
	kthread_stop(task);
	kml_hidden_retire(holder.hidden);
	return leaks;
}

static void scan_dead_stack(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < SCAN_ATTEMPTS; i++) {
		if (leaks_from_dead_stack(test))
			return;
	}
	KUNIT_FAIL(test, "the dead part of a stack is read");
}

#if defined(CONFIG_ARM64) || KML_X86_64

/* A word in what is not in use of a stack. */
static bool leaks_from_dead_word(void *stack)
{
	unsigned long *word = stack + SCAN_DEAD;
	unsigned long hidden = kml_hidden_alloc(SCAN_OBJECT), had = READ_ONCE(*word);
	bool leaks;

	kml_hidden_reveal(word, hidden);
	leaks = !kml_scan(NULL) && kml_hidden_is_leak(hidden);
	WRITE_ONCE(*word, had);
	kml_hidden_retire(hidden);
	return leaks;
}

static void expect_dead(struct kunit *test, void *stack, const char *name)
{
	unsigned int i;

	for (i = 0; i < SCAN_ATTEMPTS; i++) {
		if (leaks_from_dead_word(stack))
			return;
	}
	KUNIT_FAIL(test, "the dead part of %s is read", name);
}

/* That of the boot CPU's idle task, in .data. */
static void scan_first_stack(struct kunit *test)
{
	expect_dead(test, task_stack_page(&init_task), "the first stack");
}

#else

static void scan_first_stack(struct kunit *test)
{
	kunit_skip(test, "what of a stack is in use is known on arm64 and x86 only");
}

#endif

/* ---- Stacks of interrupts ---- */

#if defined(CONFIG_SMP) && \
	((defined(CONFIG_ARM64) && defined(CONFIG_VMAP_STACK)) || KML_X86_64)

#ifdef CONFIG_ARM64

static void scan_irq_stacks(struct kunit *test)
{
	unsigned int cpu = cpumask_last(cpu_online_mask);

	expect_dead(test, per_cpu(irq_stack_ptr, cpu), "an interrupt's stack");
}

#else

/* Where they are mapped for use, in another place, nobody searches. */
static void scan_irq_stacks(struct kunit *test)
{
	static const char * const names[] = {
		"irq_stack_backing_store", "exception_stacks", "entry_stack_storage",
	};
	unsigned int i, cpu = cpumask_last(cpu_online_mask);

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		void __percpu *stacks = (void __percpu *)kallsyms_lookup_name(names[i]);

		if (!stacks)
			kunit_skip(test, "needs CONFIG_KALLSYMS_ALL");
		expect_dead(test, per_cpu_ptr(stacks, cpu), names[i]);
	}
}

#endif

/**
 * struct scan_softirq - what runs in a softirq on another CPU
 * @tasklet: brings it there
 * @ready: it is there
 * @stop: it is to end
 * @seen: a word of its frame is among what is taken down of a CPU
 * @seen_dead: so is one that a function has left there which has returned
 */
struct scan_softirq {
	struct tasklet_struct tasklet;
	bool ready;
	bool stop;
	bool seen;
	bool seen_dead;
};

/* Numbers that nothing else has. Those of other functions that know them are inverted. */
#define SCAN_LIVE_WORD		0x5ca1ab1e0ddba11dUL
#define SCAN_DEAD_WORD		0xdeadf00d5eed1e55UL
#define SCAN_DEAD_WORDS		192

static struct scan_softirq *scan_softirq;

/* The first and the last ones may be in registers afterwards. */
static noinline void scan_leave_numbers(void)
{
	unsigned long words[SCAN_DEAD_WORDS], number = ~SCAN_DEAD_WORD, i;

	OPTIMIZER_HIDE_VAR(number);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = ~number ^ i;
	barrier_data(words);
}

static bool is_left_number(unsigned long word)
{
	unsigned long i = word ^ SCAN_DEAD_WORD;

	return i > 0 && i < SCAN_DEAD_WORDS / 2;
}

static void scan_spin_in_softirq(struct tasklet_struct *tasklet)
{
	struct scan_softirq *softirq = from_tasklet(softirq, tasklet, tasklet);
	unsigned long end = jiffies + SCAN_LONG, number = ~SCAN_LIVE_WORD;
	unsigned long word;

	scan_leave_numbers();
	OPTIMIZER_HIDE_VAR(number);
	WRITE_ONCE(word, ~number);
	barrier_data(&word);
	WRITE_ONCE(softirq->ready, true);
	while (!READ_ONCE(softirq->stop) && time_before(jiffies, end))
		cpu_relax();
	barrier_data(&word);
	WRITE_ONCE(word, 0);
}

static void scan_raise_softirq(void *data)
{
	struct scan_softirq *softirq = data;

	tasklet_schedule(&softirq->tasklet);
}

static int scan_look_for_numbers(const void *start, const void *end,
				 const struct kml_root *root)
{
	const unsigned long *word;

	for (word = start; word < (const unsigned long *)end; word++) {
		scan_softirq->seen |= *word == SCAN_LIVE_WORD;
		scan_softirq->seen_dead |= is_left_number(*word);
	}
	return 0;
}

static int scan_ignore_stack(const void *stack, const void *live, const void *end,
			     const struct kml_root *root)
{
	return 0;
}

static const struct kml_root_visitor scan_running_visitor = {
	.memory = scan_look_for_numbers,
	.task_stack = scan_ignore_stack,
};

/* What a softirq uses of its stack is searched when its CPU is asked, and no more. */
static void scan_softirq_stack(struct kunit *test)
{
	unsigned int cpu, i;

	if (num_online_cpus() == 1)
		kunit_skip(test, "needs another CPU");
	scan_softirq = kunit_kzalloc(test, sizeof(*scan_softirq), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, scan_softirq);
	tasklet_setup(&scan_softirq->tasklet, scan_spin_in_softirq);

	/* It may come too late, where this CPU stands still for a while. */
	for (i = 0; i < SCAN_ATTEMPTS && !scan_softirq->seen; i++) {
		memset_after(scan_softirq, 0, tasklet);
		mutex_lock(&kml_scan_mutex);
		cpu = get_cpu();
		cpu = cpumask_any_but(cpu_online_mask, cpu);
		smp_call_function_single(cpu, scan_raise_softirq, scan_softirq, 1);
		put_cpu();
		while (!READ_ONCE(scan_softirq->ready))
			cpu_relax();
		kml_visit_stacks(&scan_running_visitor);
		WRITE_ONCE(scan_softirq->stop, true);
		mutex_unlock(&kml_scan_mutex);
		tasklet_kill(&scan_softirq->tasklet);
		KUNIT_EXPECT_FALSE(test, scan_softirq->seen_dead);
	}
	KUNIT_EXPECT_TRUE(test, scan_softirq->seen);
}

#else

static void scan_irq_stacks(struct kunit *test)
{
	kunit_skip(test, "stacks of interrupts are searched like other memory");
}

static void scan_softirq_stack(struct kunit *test)
{
	kunit_skip(test, "stacks of interrupts are searched like other memory");
}

#endif

/* ---- Frames of threads ---- */

/* The object is in the frame of this function, and nowhere else. */
static int scan_own_frame(void *data)
{
	struct scan_holder *holder = data;
	unsigned long words[2] = {};

	WRITE_ONCE(holder->hidden, kml_hidden_alloc(SCAN_OBJECT));
	WRITE_ONCE(words[0], ~holder->hidden);
	barrier_data(words);
	complete(&holder->ready);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	barrier_data(words);
	return 0;
}

/* Is an object reported that is known in the frame of a thread's function? */
static bool leaks_from_frame(struct kunit *test)
{
	struct scan_holder holder;
	struct task_struct *task = start(test, &holder, scan_own_frame);
	bool leaks;

	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leaks = kml_hidden_is_leak(holder.hidden);
	kthread_stop(task);
	kml_hidden_retire(holder.hidden);
	return leaks;
}

static void scan_thread_frame(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < SCAN_ATTEMPTS; i++)
		KUNIT_EXPECT_FALSE(test, leaks_from_frame(test));
}

#ifdef CONFIG_ARM64

/* Registers that functions keep for others, and where this one does. */
#define SCAN_KEPT	10

/* What kthread() has left in them, all in one; it is never returned to. */
static int scan_kept_registers(void *data)
{
	const unsigned long *record = __builtin_frame_address(0);
	struct scan_holder *holder = data;
	unsigned long kept = 0;
	unsigned int i;

	asm volatile("" : : : "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
			      "x27", "x28");
	for (i = 0; i < SCAN_KEPT; i++)
		kept |= READ_ONCE_NOCHECK(record[2 + i]);
	WRITE_ONCE(holder->hidden, kept);
	complete(&holder->ready);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static void scan_thread_registers(struct kunit *test)
{
	struct scan_holder holder;
	struct task_struct *task = start(test, &holder, scan_kept_registers);

	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, holder.hidden, 0);
}

#else

static void scan_thread_registers(struct kunit *test)
{
	kunit_skip(test, "where a function keeps registers is known on arm64 only");
}

#endif /* CONFIG_ARM64 */

#ifdef CONFIG_SMP

static int scan_stopped(void *data)
{
	complete(data);
	return 0;
}

/* What a stop was about is not kept until the next one. */
static void scan_stopper(struct kunit *test)
{
	struct completion *done = kunit_kzalloc(test, sizeof(*done), GFP_KERNEL);
	struct cpu_stop_work work = {};

	KUNIT_ASSERT_NOT_NULL(test, done);
	init_completion(done);
	stop_one_cpu_nowait(0, scan_stopped, done, &work);
	wait_for_completion(done);
	KUNIT_EXPECT_PTR_EQ(test, work.arg, NULL);
}

#else

static void scan_stopper(struct kunit *test)
{
	kunit_skip(test, "one CPU is stopped by nobody");
}

#endif /* CONFIG_SMP */

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
	unsigned long *object = kzalloc(SCAN_OBJECT, GFP_KERNEL);
	struct kml_worker *self = &kml_refs.workers[0];
	struct kml_mark_entry *entry = self->stack;
	struct kml_ref ref;
	size_t words[2];

	KUNIT_ASSERT_NOT_NULL(test, object);
	mutex_lock(&kml_scan_mutex);
	rcu_read_lock();
	if (kml_slot_find(KML_VIRT, addr_of(object), &ref)) {
		__set_bit(ref.index, ref.slab->seen);
		entry->start = object;
		entry->nr = SCAN_OBJECT / sizeof(long);
		self->top = entry + 1;
		/* No room: it stays, for the next section. */
		words[0] = kml_drain_mark_stack(self, SCAN_OBJECT / sizeof(long) - 1);
		KUNIT_EXPECT_EQ(test, words[0], 0);
		KUNIT_EXPECT_FALSE(test, kml_mark_stack_is_empty(self));
		words[0] = kml_drain_mark_stack(self, KML_SECTION_WORDS);

		entry->start = object;
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
	KUNIT_CASE(scan_depot_table),
	KUNIT_CASE(scan_generations),
	KUNIT_CASE(scan_barred),
	KUNIT_CASE_SLOW(scan_bar_interrupted),
	KUNIT_CASE(scan_register),
	KUNIT_CASE(scan_dead_stack),
	KUNIT_CASE(scan_first_stack),
	KUNIT_CASE(scan_irq_stacks),
	KUNIT_CASE(scan_softirq_stack),
	KUNIT_CASE(scan_thread_frame),
	KUNIT_CASE(scan_thread_registers),
	KUNIT_CASE(scan_stopper),
	KUNIT_CASE(scan_wide),
	KUNIT_CASE(scan_sections),
	KUNIT_CASE(scan_stale_entries),
	{}
};

static struct kunit_suite scan_suite = {
	.name = "kmemleak_scan",
	.test_cases = scan_cases,
	.exit = kml_hidden_exit,
};

kunit_test_suite(scan_suite);
