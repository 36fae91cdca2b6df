// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what of a stack is in use.
 *
 * Below the stack pointer is what calls that have returned left behind: pointers
 * to things long gone, which would hide leaks. A task that waits was switched
 * out with a stack pointer. One that runs is asked for it by an interrupt, which
 * at the same moment takes its registers and the end of its stack down, as both
 * soon change. Stacks of interrupts are empty but at that moment, so that they
 * are no roots besides: where they are objects of their own they are not scanned,
 * and where they are static variables of a CPU they are left out of these.
 */
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>

#include <asm/irq_regs.h>
#include <asm/sections.h>

#ifdef CONFIG_ARM64
#include <asm/stacktrace.h>
#endif
#ifdef CONFIG_IRQ_STACKS
#include <asm/irq_stack.h>
#endif
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#include <asm/cpu_entry_area.h>
#include <asm/pgtable_types.h>
#include <asm/stacktrace.h>
#include <asm/unwind.h>
#endif

#include "../track/track.h"
#include "refs.h"

/* Each stack of interrupts is an object of its own, allocated like those of tasks. */
#if defined(CONFIG_VMAP_STACK) &&					\
	(defined(CONFIG_ARM64) || defined(CONFIG_ARM) || defined(CONFIG_IRQ_STACKS))
#define IRQ_STACKS_ALONE
#endif

/* Frames on the stack of an interrupt that are followed to find the task's. */
#define IRQ_FRAMES_MAX	64

/**
 * struct live_stack - what runs on a CPU at the moment that was taken down
 * @task: the task
 * @sp: where the part of its stack that is in use starts
 * @nr: number of @words
 * @words: registers, and the deep end of the stack
 */
struct live_stack {
	const struct task_struct *task;
	unsigned long sp;
	size_t nr;
	unsigned long words[];
};

#define LIVE_WORDS_MAX							\
	((PAGE_SIZE - sizeof(struct live_stack)) / sizeof(long))

/* A page for each CPU, NULL where there was no memory for it; kml_scan_mutex. */
static DEFINE_PER_CPU(struct live_stack *, live_stack);

/* How often a CPU was asked by an interrupt: these are the scan's own, see quiet.c. */
DEFINE_PER_CPU(unsigned long, kml_times_asked);

/* What user space had in its registers, at the end of the stack, is nothing. */
static const void *end_of_stack_in_use(struct task_struct *task,
				       const void *stack)
{
	return task->flags & PF_KTHREAD || is_idle_task(task) ?
	       stack + THREAD_SIZE : (const void *)task_pt_regs(task);
}

#ifdef CONFIG_SMP

static bool is_within(const void *stack, unsigned long addr)
{
	return addr - (unsigned long)stack < THREAD_SIZE;
}

static void take_words(struct live_stack *live, const void *from,
		       unsigned long end)
{
	size_t left = LIVE_WORDS_MAX - live->nr;
	size_t nr = (end - (unsigned long)from) / sizeof(long);

	nr = min(nr, left);
	if (!kml_read_memory(&live->words[live->nr], from, nr * sizeof(long)))
		live->nr += nr;
}

#ifdef IRQ_STACKS_ALONE
/* All stacks of interrupts are as long as those of tasks, and aligned. */
static void take_irq_stack(struct live_stack *live, unsigned long sp)
{
	take_words(live, (void *)sp, ALIGN(sp + 1, THREAD_SIZE));
}
#elif KML_X86_64
static bool find_stack(unsigned long sp, struct stack_info *info)
{
	unsigned long mask = 0;

	return !get_stack_info((unsigned long *)sp, current, info, &mask);
}

static void take_irq_stack(struct live_stack *live, unsigned long sp)
{
	struct stack_info info;

	if (find_stack(sp, &info))
		take_words(live, (void *)sp, (unsigned long)info.end);
}
#else
/* Where they are no slabs of their own, they are searched like other memory. */
static void take_irq_stack(struct live_stack *live, unsigned long sp)
{
}
#endif

#if defined(CONFIG_ARM64) && defined(CONFIG_VMAP_STACK)
#ifdef FRAME_META_TYPE_PT_REGS
/*
 * The frame that was interrupted where the record at @fp stands, or 0. Such a record
 * says of itself what it is, and the registers, which it is a part of, where to go on.
 */
static unsigned long frame_of_interrupted(unsigned long fp)
{
	unsigned long regs = fp - offsetof(struct pt_regs, stackframe), next;
	u64 type;

	if (kml_read_memory(&type, (void *)regs + offsetof(struct pt_regs, stackframe.type),
			    sizeof(type)) || type != FRAME_META_TYPE_PT_REGS ||
	    kml_read_memory(&next, (void *)regs + offsetof(struct pt_regs, regs[29]),
			    sizeof(next)))
		return 0;
	return next;
}
#else
/* The records lead on by themselves. */
static unsigned long frame_of_interrupted(unsigned long fp)
{
	return 0;
}
#endif

/* Where the task was interrupted whose stack the frames of @regs lead to. */
static unsigned long find_task_frame(const void *stack, struct pt_regs *regs)
{
	unsigned long next, fp = frame_pointer(regs);
	unsigned int i;

	for (i = 0; i < IRQ_FRAMES_MAX && !is_within(stack, fp); i++) {
		if (kml_read_memory(&next, (void *)fp, sizeof(next)))
			break;
		fp = next ?: frame_of_interrupted(fp);
	}
	return is_within(stack, fp) ? fp : (unsigned long)stack;
}
#elif KML_X86_64
/* At the end of each such stack is the stack pointer of what it has interrupted. */
static unsigned long find_task_frame(const void *stack, struct pt_regs *regs)
{
	unsigned long sp = kernel_stack_pointer(regs);
	struct stack_info info;
	unsigned int i;

	for (i = 0; i < IRQ_FRAMES_MAX && !is_within(stack, sp); i++) {
		if (!find_stack(sp, &info))
			break;
		sp = (unsigned long)info.next_sp;
	}
	return is_within(stack, sp) ? sp : (unsigned long)stack;
}
#else
static unsigned long find_task_frame(const void *stack, struct pt_regs *regs)
{
	return (unsigned long)stack;
}
#endif

#if KML_X86_64
/*
 * The interrupt for a call on other CPUs does not tell what it has interrupted. If the
 * call is not made by an interrupt there is nothing, or what came before.
 */
static struct pt_regs *interrupted_registers(void)
{
	struct pt_regs *regs = NULL;
	struct unwind_state state;
	bool partial;

	for (unwind_start(&state, current, NULL, NULL);
	     !unwind_done(&state) && !regs; unwind_next_frame(&state)) {
		regs = unwind_get_entry_regs(&state, &partial);
		if (regs && partial)
			return NULL;
	}
	return regs;
}
#else
static struct pt_regs *interrupted_registers(void)
{
	return get_irq_regs();
}
#endif

static void take_live_stack(void *unused)
{
	struct live_stack *live = this_cpu_read(live_stack);
	struct pt_regs *regs = interrupted_registers();
	const void *stack = task_stack_page(current);
	unsigned long end = (unsigned long)end_of_stack_in_use(current, stack);
	/* An idle CPU may be woken up to do this without an interrupt. */
	unsigned long sp = (unsigned long)__builtin_frame_address(0);

	if (in_hardirq())
		__this_cpu_inc(kml_times_asked);
	kml_forget_saved_registers();
	if (!live)
		return;
	/* A thread of the scan that came after it was decided who is asked. */
	if (kml_live_from(stack, NULL, stack + THREAD_SIZE))
		return;
	live->nr = 0;
	if (regs && user_mode(regs)) {
		sp = end;
	} else if (regs) {
		take_words(live, regs, (unsigned long)(regs + 1));
		sp = kernel_stack_pointer(regs);
	}
	if (sp != end && !is_within(stack, sp)) {
		/* It is an interrupt that was interrupted. */
		take_irq_stack(live, sp);
		sp = regs ? find_task_frame(stack, regs) : (unsigned long)stack;
	}
	take_words(live, (void *)sp, end);
	live->sp = sp;
	live->task = current;
}

/*
 * What a thread of the scan has in its registers are addresses of what it looks at. Any
 * other task that runs there soon had been switched out when it was not asked.
 */
static bool is_asked(int cpu, void *unused)
{
	return !kml_runs_helper(cpu);
}

#endif /* CONFIG_SMP */

static int visit_live_stacks(kml_visit_t visit)
{
	unsigned int cpu;
	int ret = 0;

	/* Of a CPU that is offline nothing is left. */
	for_each_possible_cpu(cpu) {
		struct live_stack *live = per_cpu(live_stack, cpu);

		if (live) {
			live->nr = 0;
			live->task = NULL;
		}
	}
#ifdef CONFIG_SMP
	on_each_cpu_cond(is_asked, take_live_stack, NULL, 1);
#endif
	for_each_possible_cpu(cpu) {
		struct kml_root root = { .kind = KML_ROOT_RUNNING, .cpu = cpu };
		struct live_stack *live = per_cpu(live_stack, cpu);

		/* The scan's own stack is no root as far as that. */
		if (live && live->task != current && !ret)
			ret = visit(live->words, live->words + live->nr, &root);
	}
	return ret;
}

#ifdef CONFIG_ARM64
/*
 * The frame that a task was switched out with is __schedule()'s, in which there
 * is the task that came after it. Nothing but callers' registers is needed of it,
 * and these are where its record is, and above.
 */
static unsigned long saved_stack_pointer(struct task_struct *task)
{
	unsigned long sp = thread_saved_sp(task), fp = thread_saved_fp(task);
	unsigned long record;

	if (fp - sp < THREAD_SIZE &&
	    !kml_read_memory(&record, (void *)fp, sizeof(record)) &&
	    record - sp < THREAD_SIZE)
		return record;
	return sp;
}
#else
static unsigned long saved_stack_pointer(struct task_struct *task)
{
#if KML_X86_64 || defined(CONFIG_RISCV)
	return READ_ONCE(task->thread.sp);
#elif defined(CONFIG_ARM)
	return thread_saved_sp(task);
#elif defined(CONFIG_S390)
	return READ_ONCE(task->thread.ksp);
#else
	return 0;
#endif
}
#endif

/*
 * Where the part of a task's stack starts that is in use. Of one that began to
 * run since all that run were asked, it is what was in use before.
 */
static const void *live_part(struct task_struct *task, const void *stack)
{
	const struct live_stack *live = per_cpu(live_stack, task_cpu(task));
	unsigned long sp = saved_stack_pointer(task);

	if (task_curr(task) && live && live->task == task)
		sp = live->sp;
	/* The end itself is in: a task in user mode uses nothing. */
	return sp - (unsigned long)stack <= THREAD_SIZE ? (void *)sp : stack;
}

static int visit_live_part(struct task_struct *task, const void *stack,
			   const struct kml_root_visitor *visitor)
{
	struct kml_root root = { .kind = KML_ROOT_STACK, .task = task };
	const void *live = live_part(task, stack);
	const void *end = end_of_stack_in_use(task, stack);

	return visitor->task_stack(stack, min(live, end), end, &root);
}

#ifdef CONFIG_ARM64

/* Words below the end of a stack among which a frame record is looked for. */
#define RECORD_DISTANCE	64

/* The frame record that leads to another one, or NULL if it is not near. */
static const unsigned long *record_below(const unsigned long *record)
{
	const unsigned long *word;

	for (word = record - 1; word > record - RECORD_DISTANCE; word--) {
		if (READ_ONCE_NOCHECK(*word) == (unsigned long)record)
			return word;
	}
	return NULL;
}

/*
 * A thread of the kernel never returns to kthread(), whose frame holds for ever what the
 * thread was created with, which was freed when it began: there its stack ends. For the
 * registers that its function keeps for kthread() see kmemleak_wipe_registers().
 *
 * The thread that makes others waits in its own function, two calls deep, and all that
 * the frames hold then is what the last one was made of, which was freed.
 */
static int visit_thread(struct task_struct *task, const void *stack,
			const struct kml_root_visitor *visitor)
{
	const unsigned long *last = (void *)&task_pt_regs(task)->stackframe;
	const unsigned long *outer = record_below(last);
	const unsigned long *inner = outer ? record_below(outer) : NULL;
	struct kml_root root = { .kind = KML_ROOT_STACK, .task = task };
	const void *live = live_part(task, stack);

	if (task == kthreadd_task && inner && live == record_below(inner))
		return visitor->task_stack(stack, last, last, &root);
	if (!inner || live >= (const void *)inner)
		return visit_live_part(task, stack, visitor);
	return visitor->task_stack(stack, live, outer, &root);
}

#else

/* Words below the end of a stack among which is the address that kthread() waits at. */
#define RETURN_DISTANCE	128

/* The code of kthread(), behind its first byte; empty if it was not found. */
static struct kml_range kthread_code;

/*
 * As on arm64. The address of kthread() itself, with which a thread begins, may stand
 * there as well.
 */
static int visit_thread(struct task_struct *task, const void *stack,
			const struct kml_root_visitor *visitor)
{
	struct kml_root root = { .kind = KML_ROOT_STACK, .task = task };
	const unsigned long *end = stack + THREAD_SIZE;
	const unsigned long *word, *last = end - RETURN_DISTANCE;
	const void *live = live_part(task, stack);

	for (word = end - 1; word >= last && live <= (const void *)word; word--) {
		if (READ_ONCE_NOCHECK(*word) - kthread_code.start < kthread_code.size)
			return visitor->task_stack(stack, live, word, &root);
	}
	return visit_live_part(task, stack, visitor);
}

#endif

static int visit_stack(struct task_struct *task,
		       const struct kml_root_visitor *visitor)
{
	const void *stack = try_get_task_stack(task);
	int ret;

	if (!stack)
		return 0;
	if (task->flags & PF_KTHREAD && !is_idle_task(task))
		ret = visit_thread(task, stack, visitor);
	else
		ret = visit_live_part(task, stack, visitor);
	put_task_stack(task);
	return ret;
}

/* The task with the lowest number from *@nr on, pinned. */
static struct task_struct *next_task_from(int *nr)
{
	struct task_struct *task = NULL;
	struct pid *pid;

	rcu_read_lock();
	while (!task && (pid = find_ge_pid(*nr, &init_pid_ns))) {
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
	}
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

/* Of all tasks but, when all CPUs are stopped, those who stop them. */
static int visit_all_stacks(const struct kml_root_visitor *visitor, bool stopped)
{
	struct task_struct *task;
	unsigned int cpu;
	int nr = 1, ret = 0;

	while (!ret && (task = next_task_from(&nr))) {
		if (!stopped || !task_curr(task))
			ret = visit_stack(task, visitor);
		put_task_struct(task);
		if (!stopped)
			cond_resched_tasks_rcu_qs();
	}

	/* Idle tasks have no number. */
	for_each_possible_cpu(cpu) {
		task = idle_task(cpu);
		if (!ret && task && (!stopped || !task_curr(task)))
			ret = visit_stack(task, visitor);
	}
	return ret;
}

/**
 * kml_visit_stopped_stacks() - the same as kml_visit_stacks() when all CPUs are stopped
 * @visitor: what to do with it; may not sleep
 *
 * What was running has been switched out, with its registers on its stack. What
 * runs now are those who stop the CPUs.
 *
 * Context: On one of the CPUs of stop_machine(), for the holder of kml_scan_mutex.
 */
void kml_visit_stopped_stacks(const struct kml_root_visitor *visitor)
{
	visit_all_stacks(visitor, true);
}

/**
 * kml_visit_stacks() - visit what of the stacks of tasks is in use
 * @visitor: what to do with it
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0, or what the visitor returned to stop.
 */
int kml_visit_stacks(const struct kml_root_visitor *visitor)
{
	lockdep_assert_held(&kml_scan_mutex);
	return visit_live_stacks(visitor->memory) ?:
	       visit_all_stacks(visitor, false);
}

/*
 * Stacks that stand among the static variables of a CPU, in the order in which they
 * stand there: offsets from the start of these, the same for all CPUs, and lengths. The
 * last ones may be of length 0.
 */
struct kml_range kml_cpu_stacks[KML_CPU_STACKS] __read_mostly;

#if KML_X86_64 && defined(CONFIG_SMP)

DECLARE_PER_CPU_PAGE_ALIGNED(struct irq_stack, irq_stack_backing_store);

static void note_cpu_stack(unsigned long offset, size_t size)
{
	unsigned int i;

	for (i = KML_CPU_STACKS - 1; i; i--) {
		const struct kml_range *before = &kml_cpu_stacks[i - 1];

		if (before->size && before->start < offset)
			break;
		kml_cpu_stacks[i] = *before;
	}
	kml_cpu_stacks[i] = (struct kml_range){ offset, size };
}

/* Stacks that are known by where they are mapped for the CPU's own use. */
static void note_mapped_stack(unsigned int cpu, void *stack, size_t size)
{
	void *start = kml_cpu_variables(cpu);
	unsigned long offset, length = __per_cpu_end - __per_cpu_start;
	phys_addr_t phys = slow_virt_to_phys(stack);

	for (offset = 0; offset < length; offset += PAGE_SIZE) {
		if (per_cpu_ptr_to_phys(start + offset) == phys)
			note_cpu_stack(offset, size);
	}
}

/*
 * No CPU is asked while it is on the stack of an exception, or on its way in from user
 * space: interrupts are off there.
 */
static void note_cpu_stacks(void)
{
	unsigned int cpu = cpumask_first(cpu_possible_mask);
	struct cpu_entry_area *area = get_cpu_entry_area(cpu);
	void *start = kml_cpu_variables(cpu);

	note_cpu_stack((void *)per_cpu_ptr(&irq_stack_backing_store, cpu) - start,
		       sizeof(struct irq_stack));
	note_mapped_stack(cpu, area->estacks.DF_stack, sizeof(struct exception_stacks));
	note_mapped_stack(cpu, &area->entry_stack_page, sizeof(area->entry_stack_page));
}

#else

static void note_cpu_stacks(void)
{
}

#endif

static void find_kthread(void)
{
#ifndef CONFIG_ARM64
	unsigned long start = kallsyms_lookup_name("kthread"), size, offset;

	if (start && kallsyms_lookup_size_offset(start, &size, &offset))
		kthread_code = (struct kml_range){ start + 1, size - 1 };
#endif
}

/**
 * kml_hide_stack() - see to it that a stack is not searched as an object
 * @stack: its first address; the stack stays meanwhile
 *
 * Context: Any but NMI.
 */
void kml_hide_stack(const void *stack)
{
	struct kml_record *rec;

	rec = kml_find(&kml_trees[KML_VIRT], (unsigned long)stack);
	if (rec) {
		if (rec->start == (unsigned long)stack && kml_is_counted(rec))
			kml_set_flags(rec, KML_STACK, 0);
		kml_put(rec);
	} else if (kml_began_late() && is_vmalloc_addr(stack)) {
		/* It would be read as memory that nobody has registered. */
		kml_track_unknown((unsigned long)stack, THREAD_SIZE, KML_STACK);
	}
}

#ifdef CONFIG_ARM
DECLARE_PER_CPU(u8 *, irq_stack_ptr);
#endif

/* Where they are objects of their own, they are never scanned as such. */
static void hide_irq_stack(unsigned int cpu)
{
#ifdef IRQ_STACKS_ALONE
	const void *stack = per_cpu(irq_stack_ptr, cpu);

	/* There, what points at it points behind its end, which is no reference. */
	if (IS_ENABLED(CONFIG_ARM) && stack)
		stack -= THREAD_SIZE;
	kml_hide_stack(stack);
	if (IS_ENABLED(CONFIG_ARM) && stack)
		kml_paint(KML_VIRT, (unsigned long)stack, KML_GRAY);
#endif
}

/* A task's stack is there as long as the visitor looks at it. */
static int hide_task_stack(const void *stack, const void *live, const void *end,
			   const struct kml_root *root)
{
	kml_hide_stack(stack);
	return 0;
}

static int visit_nothing(const void *start, const void *end, const struct kml_root *root)
{
	return 0;
}

/**
 * kml_hide_stacks() - see to it that no stack that is there is searched as an object
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_hide_stacks(void)
{
	static const struct kml_root_visitor visitor = {
		.memory = visit_nothing,
		.task_stack = hide_task_stack,
	};
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		hide_irq_stack(cpu);
	kml_visit_stacks(&visitor);
}

/**
 * kml_stacks_init() - get ready to look at stacks
 *
 * Context: Boot, process context.
 */
void kml_stacks_init(void)
{
	unsigned int cpu;

	find_kthread();
	note_cpu_stacks();
	for_each_possible_cpu(cpu) {
		if (IS_ENABLED(CONFIG_SMP))
			per_cpu(live_stack, cpu) =
				kml_alloc_hidden(PAGE_SIZE,
						 GFP_KERNEL | __GFP_ZERO);
	}
}
