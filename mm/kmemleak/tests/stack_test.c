// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what of stacks and registers a scan reads.
 *
 * Objects are known by their inverted address, so that nothing in the test is a
 * reference to them.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>

#ifdef CONFIG_ARM64
#include <asm/stacktrace.h>
#endif

#include "../scan/refs.h"
#include "hidden.h"
#include "slot.h"
#include "tree.h"

#define SCAN_OBJECT	200
#define SCAN_ATTEMPTS	5
#define SCAN_LONG	(2 * HZ)
#define SCAN_DEAD	1024	/* bytes from the deep end of a stack */

/* A thread of the test, and the object that it has. */
struct scan_holder {
	unsigned long hidden;
	struct completion ready;
	bool stop;
	bool keep;
};

/* ---- Stacks and registers of tasks ---- */

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

/* In line, so that the frame in which the thread waits is that of its own function. */
static __always_inline void scan_wait(struct scan_holder *holder)
{
	complete(&holder->ready);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
}

static int scan_sleep(void *data)
{
	struct scan_holder *holder = data;

	WRITE_ONCE(holder->hidden, scan_leave_behind());
	scan_wait(holder);
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

/* Is an object reported that is known in the stack of a thread? */
static bool leaks_from_thread(struct kunit *test, int (*fn)(void *data))
{
	struct scan_holder holder;
	struct task_struct *task = start(test, &holder, fn);
	bool leaks;

	KUNIT_EXPECT_EQ(test, kml_scan(NULL), 0);
	leaks = kml_hidden_is_leak(holder.hidden);
	kthread_stop(task);
	kml_hidden_retire(holder.hidden);
	return leaks;
}

static void expect_unread(struct kunit *test, int (*fn)(void *data), const char *name)
{
	unsigned int i;

	for (i = 0; i < SCAN_ATTEMPTS; i++) {
		if (leaks_from_thread(test, fn))
			return;
	}
	KUNIT_FAIL(test, "%s is read", name);
}

static void scan_dead_stack(struct kunit *test)
{
	expect_unread(test, scan_sleep, "the dead part of a stack");
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
	scan_wait(holder);
	barrier_data(words);
	return 0;
}

static void scan_thread_frame(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < SCAN_ATTEMPTS; i++)
		KUNIT_EXPECT_FALSE(test, leaks_from_thread(test, scan_own_frame));
}

#if defined(CONFIG_ARM64) || KML_X86_64

/*
 * In the frame of kthread(), which is never returned to: the lowest word of it that
 * stands above what its call of this function has left.
 */
static int scan_outer_frame(void *data)
{
	unsigned long *record = __builtin_frame_address(0);
	unsigned long *outer = KML_X86_64 ? record : (unsigned long *)record[0];
	struct scan_holder *holder = data;

	WRITE_ONCE(holder->hidden, kml_hidden_alloc(SCAN_OBJECT));
	kml_hidden_reveal(&outer[2], holder->hidden);
	scan_wait(holder);
	return 0;
}

static void scan_kthread_frame(struct kunit *test)
{
	expect_unread(test, scan_outer_frame, "the frame of kthread()");
}

#else

static void scan_kthread_frame(struct kunit *test)
{
	kunit_skip(test, "it is known on arm64 and x86 only");
}

#endif

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
	scan_wait(holder);
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

/* ---- Registers of the scan itself ---- */

#if defined(CONFIG_CC_HAS_ZERO_CALL_USED_REGS) &&			\
	(defined(CONFIG_ARM64) || (defined(CONFIG_X86_64) && !defined(CONFIG_UML)))

#define SCAN_NUMBER	0x5eed5eed5eed5eedUL

#ifdef CONFIG_ARM64
#define SCAN_SCRATCH	"x10"
#define SCAN_MOVE	"mov %0, x10"
#else
#define SCAN_SCRATCH	"r10"
#define SCAN_MOVE	"movq %%r10, %0"
#endif

/* What a register, which calls do not keep, holds after a call of @wipe. */
static noinline unsigned long scan_left_by(void (*wipe)(void))
{
	register unsigned long scratch asm(SCAN_SCRATCH) = SCAN_NUMBER;
	unsigned long left;

	asm volatile("" : : "r"(scratch));
	wipe();
	asm volatile(SCAN_MOVE : "=r"(left));
	return left;
}

static noinline void scan_wipe_nothing(void)
{
	barrier();
}

static void scan_scratch_registers(struct kunit *test)
{
	/* Else the test tells nothing. */
	if (!IS_ENABLED(CONFIG_ZERO_CALL_USED_REGS))
		KUNIT_EXPECT_EQ(test, scan_left_by(scan_wipe_nothing), SCAN_NUMBER);
	KUNIT_EXPECT_EQ(test, scan_left_by(kml_wipe_registers), 0);
}

#else

static void scan_scratch_registers(struct kunit *test)
{
	kunit_skip(test, "the compiler cannot wipe them, or the test knows none of them");
}

#endif

static struct kunit_case stack_cases[] = {
	KUNIT_CASE(scan_register),
	KUNIT_CASE(scan_dead_stack),
	KUNIT_CASE(scan_first_stack),
	KUNIT_CASE(scan_irq_stacks),
	KUNIT_CASE(scan_softirq_stack),
	KUNIT_CASE(scan_thread_frame),
	KUNIT_CASE(scan_kthread_frame),
	KUNIT_CASE(scan_thread_registers),
	KUNIT_CASE(scan_stopper),
	KUNIT_CASE(scan_scratch_registers),
	{}
};

static struct kunit_suite stack_suite = {
	.name = "kmemleak_scan_stack",
	.test_cases = stack_cases,
	.exit = kml_hidden_exit,
};

kunit_test_suite(stack_suite);
