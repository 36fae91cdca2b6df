// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: stacks to take traces of, and who takes them.
 *
 * Two functions that call each other, and themselves, make as many stacks as
 * there are bit patterns. At the end of each a trace is taken as hooks take
 * theirs, and compared with what the unwinder says right there. So are the name
 * and the pid with what they have to be. That is done in interrupts as well,
 * where tests cannot fail, so it is written down for the test to judge.
 */
#include <linux/kallsyms.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#if (defined(CONFIG_X86_64) && !defined(CONFIG_UML)) || defined(CONFIG_S390)
#include <asm/stacktrace.h>
#endif

#include "stacks.h"

#define OBJECT_SIZE	64

/* ---- Comparing ---- */

/* Where the stack ends that @word is on, if it is one of interrupts; NULL: not known. */
static const unsigned long *end_of_stack_at(const unsigned long *word)
{
#if KML_X86_64 || defined(CONFIG_S390)
	struct stack_info info = {};
	unsigned long mask = 0;
	int err;

#if KML_X86_64
	err = get_stack_info((unsigned long *)word, current, &info, &mask);
#else
	err = get_stack_info((unsigned long)word, current, &info, &mask);
#endif
	return err ? NULL : (const unsigned long *)info.end;
#elif defined(CONFIG_ARM) || defined(CONFIG_RISCV)
	return PTR_ALIGN(word + 1, THREAD_SIZE);
#else
	return NULL;
#endif
}

/* How many of the frames have their return addresses on the stack that is in use. */
static unsigned int on_this_stack(const unsigned long *want, unsigned int nr)
{
	/* Itself it stands on the stack, beneath them. */
	const unsigned long *word = want + nr, *end = end_of_stack_at(word);
	unsigned int i;

	if (!end)
		return nr;
	for (i = 0; i < nr; i++) {
		while (word < end && READ_ONCE_NOCHECK(*word) != want[i])
			word++;
		if (word++ >= end)
			break;
	}
	return i;
}

/* What the unwinder says, without what was interrupted. */
static unsigned int cut_off(unsigned long *want, unsigned int nr)
{
	if (!in_task())
		nr = on_this_stack(want, nr);
	return filter_irq_stacks(want, nr);
}

/**
 * kml_compare() - compare a trace with what the unwinder says of the stack
 * @walk: told how it went
 * @origin: the trace
 * @above: frames on top of the others that only the trace has
 * @want: what the unwinder says
 * @want_nr: how many frames that is
 *
 * The depot cuts off what was interrupted; all else has to be the same.
 *
 * Context: Any but NMI.
 */
void kml_compare(struct walk *walk, struct kml_origin origin,
		 unsigned int above, unsigned long *want, unsigned int want_nr)
{
	unsigned int i, nr, depth = depth_now();
	unsigned long *got, wanted, found;
	char comm[TASK_COMM_LEN];

	walk->taken++;
	walk->handles = origin.handles;
	nr = kml_trace_fetch(kml_trace_of(origin.handles), &got);
	kml_name_fetch(kml_comm_of(origin.handles), comm);
	want_nr = cut_off(want, min(want_nr, depth - above));
	for (i = 0; above + i < nr && i < want_nr; i++) {
		if (got[above + i] != want[i])
			break;
	}
	if (i != want_nr || above + i != nr) {
		wanted = i < want_nr ? want[i] : 0;
		found = above + i < nr ? got[above + i] : 0;
		if (!walk->wrong++)
			snprintf(walk->complaint, sizeof(walk->complaint),
				 "frame %u of %u is %pS, not %pS of %u",
				 above + i, nr, (void *)found, (void *)wanted,
				 above + want_nr);
	} else if (strcmp(comm, walk->name) || origin.pid != walk->pid) {
		if (!walk->wrong++)
			snprintf(walk->complaint, sizeof(walk->complaint),
				 "by \"%s\", pid %llu, not by \"%s\", pid %d",
				 comm, origin.pid, walk->name, walk->pid);
	}
}

/* ---- Taking ---- */

/* Once found out and once remembered. Nothing gets in between. */
noinline void kml_take_twice(struct walk *walk)
{
	const void *frame = __builtin_frame_address(0);
	struct kml_origin first, second;
	unsigned long want[WANT_MAX];
	unsigned int nr = unwind_from(_RET_IP_, want);
	unsigned long flags;

	flags = keep_others_out();
	walk->known += kml_origin_cached(frame).handles != 0;
	first = ask(_RET_IP_, frame);
	second = ask(_RET_IP_, frame);
	/* In interrupts the short cut is not taken. */
	walk->cached += this_cpu_caches(second.handles) &&
			(!in_task() || kml_origin_cached(frame).handles);
	let_others_in(flags);

	kml_compare(walk, first, 0, want, nr);
	kml_compare(walk, second, 0, want, nr);
}

/* Interrupted anywhere. */
noinline void kml_take_once(struct walk *walk)
{
	const void *frame = __builtin_frame_address(0);
	unsigned long want[WANT_MAX];
	unsigned int nr = unwind_from(_RET_IP_, want);

	kml_compare(walk, ask(_RET_IP_, frame), 0, want, nr);
}

/* What the detector has recorded of an object that is allocated as any other. */
noinline void kml_take_object(struct walk *walk)
{
	unsigned long want[WANT_MAX];
	unsigned int nr = unwind_from(_RET_IP_, want);
	void *ptr = kmalloc(OBJECT_SIZE, GFP_ATOMIC);
	struct kml_origin origin = { 0, 0 };
	char symbol[KSYM_SYMBOL_LEN] = "";
	unsigned int i, got_nr, above = 0;
	struct kml_record *rec;
	unsigned long *got;

	rec = kml_record_of(KML_VIRT, (unsigned long)kasan_reset_tag(ptr));
	if (rec) {
		origin.handles = kml_handles(rec->trace, rec->comm);
		origin.pid = rec->pid;
		kml_put(rec);
	}
	kfree(ptr);

	/* On top there is the allocator, and one frame of this function. */
	got_nr = kml_trace_fetch(kml_trace_of(origin.handles), &got);
	for (i = 0; i < got_nr && !above; i++) {
		sprint_symbol_no_offset(symbol, got[i]);
		if (!strcmp(symbol, "kml_take_object"))
			above = i + 1;
	}
	kml_compare(walk, origin, above, want, nr);
}

/* ---- Stacks ---- */

/*
 * What stands behind the calls keeps them from becoming jumps, and all that
 * look the same from becoming one.
 *
 * Turning at bit N changes the frames N + 1 and N from the outermost one on,
 * which is 0; and the last bit, which has no frame N + 1, just the innermost one.
 */
#define DEFINE_STEP(name, number)					\
noinline void name(struct walk *walk, u32 turns, unsigned int steps)	\
{									\
	const unsigned int ways = number;				\
									\
	if (steps && turns & 1) {					\
		kml_step_left(walk, turns >> 1, steps - 1);		\
		WRITE_ONCE(walk->way, ways + 1);			\
	} else if (steps) {						\
		kml_step_right(walk, turns >> 1, steps - 1);		\
		WRITE_ONCE(walk->way, ways + 2);			\
	} else if (turns & 1) {						\
		walk->take(walk);					\
		WRITE_ONCE(walk->way, ways + 3);			\
	} else {							\
		walk->take(walk);					\
		WRITE_ONCE(walk->way, ways + 4);			\
	}								\
}

DEFINE_STEP(kml_step_left, 0)
DEFINE_STEP(kml_step_right, 4)

/* All ways to go eight frames. */
void kml_walk_all(struct walk *walk)
{
	u32 turns;

	for (turns = 0; turns < 1 << 8; turns++)
		kml_step_left(walk, turns, 7);
}

/* All lengths, so that what stands beneath gets to any place of the trace. */
void kml_walk_lengths(struct walk *walk)
{
	unsigned int steps;

	for (steps = 0; steps < LONG; steps++) {
		kml_step_left(walk, 0x5a3c69, steps);
		kml_step_left(walk, ~0x5a3c69, steps);
	}
}

/* Long ones that differ at one place: within what is kept, or beyond. */
void kml_walk_turns(struct walk *walk)
{
	unsigned int bit;

	for (bit = 0; bit < LONG; bit++)
		kml_step_left(walk, 0x96e5a7 ^ BIT(bit), LONG - 1);
}

void kml_walk_once(struct walk *walk)
{
	kml_step_left(walk, 0x2b, 5);
}

/* ---- Contexts ---- */

void kml_expect_task(struct walk *walk)
{
	walk->name = current->comm;
	walk->pid = current->pid;
}

void kml_expect_interrupt(struct walk *walk, const char *name)
{
	walk->name = name;
	walk->pid = 0;
}

static void run_job(struct job *job)
{
	job->run(&job->walk);
	complete(&job->done);
}

void kml_job_tasklet(struct tasklet_struct *tasklet)
{
	struct job *job = from_tasklet(job, tasklet, tasklet);

	kml_expect_interrupt(&job->walk, "softirq");
	run_job(job);
}

static void job_work(struct irq_work *work)
{
	struct job *job = container_of(work, struct job, work);

	/* With PREEMPT_RT it is a thread that does it. */
	if (in_hardirq())
		kml_expect_interrupt(&job->walk, "hardirq");
	else
		kml_expect_task(&job->walk);
	run_job(job);
}

static void job_work_tasklet(struct tasklet_struct *tasklet)
{
	struct job *job = from_tasklet(job, tasklet, tasklet);

	irq_work_queue(&job->work);
	while (!completion_done(&job->done))
		cpu_relax();
}

static enum hrtimer_restart job_timer(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);

	kml_expect_interrupt(&job->walk, timer->is_soft ? "softirq" : "hardirq");
	run_job(job);
	return HRTIMER_NORESTART;
}

static int job_thread(void *data)
{
	struct job *job = data;

	kml_expect_task(&job->walk);
	run_job(job);
	return 0;
}

static void in_task_itself(struct job *job)
{
	job_thread(job);
}

static void in_thread(struct job *job)
{
	struct task_struct *task;

	task = kthread_run(job_thread, job, "kml_trace_test");
	if (IS_ERR(task))
		complete(&job->done);
}

static void in_softirq_now(struct job *job)
{
	tasklet_setup(&job->tasklet, kml_job_tasklet);
	kml_raise_softirq(job);
}

/*
 * In interrupts that PREEMPT_RT would have in threads: in others nobody may allocate,
 * which lockdep knows.
 */
static void in_hardirq_now(struct job *job)
{
	job->work = IRQ_WORK_INIT(job_work);
	irq_work_queue(&job->work);
}

static void in_hardirq_in_softirq(struct job *job)
{
	job->work = IRQ_WORK_INIT(job_work);
	tasklet_setup(&job->tasklet, job_work_tasklet);
	kml_raise_softirq(job);
}

static void in_timer(struct job *job, enum hrtimer_mode mode)
{
	hrtimer_setup(&job->timer, job_timer, CLOCK_MONOTONIC, mode);
	hrtimer_start(&job->timer, ns_to_ktime(200 * NSEC_PER_USEC), mode);
}

static void in_soft_timer(struct job *job)
{
	in_timer(job, HRTIMER_MODE_REL_SOFT);
}

static void in_hard_timer(struct job *job)
{
	in_timer(job, HRTIMER_MODE_REL);
}

const struct context kml_contexts[NR_CONTEXTS] = {
	{ "task",		in_task_itself },
	{ "other task",		in_thread },
	{ "softirq",		in_softirq_now },
	{ "softirq of a timer",	in_soft_timer },
	{ "hardirq",		in_hardirq_now },
	{ "hardirq of a timer",	in_hard_timer },
	{ "hardirq in softirq",	in_hardirq_in_softirq },
};

/**
 * kml_run_in() - do something in some context
 * @context: where
 * @job: told how it went
 * @run: what
 *
 * Context: Process context; may sleep.
 */
void kml_run_in(const struct context *context, struct job *job,
		void (*run)(struct walk *walk))
{
	job->run = run;
	init_completion(&job->done);
	context->enter(job);
	wait_for_completion(&job->done);
	/* What has called is still to return. */
	tasklet_kill(&job->tasklet);
	irq_work_sync(&job->work);
	if (job->timer.function)
		hrtimer_cancel(&job->timer);
}
