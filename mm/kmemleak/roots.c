// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what a scan starts from, besides gray objects.
 *
 * The kernel's data sections are gray objects, from kmemleak_init(). Stacks of
 * interrupts and other exceptions are per-CPU variables, or blocks that per-CPU
 * variables point at.
 */
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/vmalloc.h>

#include <asm/sections.h>

#include "internal.h"

/* Page frames that are looked at between two offers to reschedule. */
#define ROOT_PFN_BATCH	1024

static int visit_percpu(kml_visit_t visit)
{
	unsigned int cpu;
	int ret = 0;

	/* Without SMP these variables stand in the data section. */
	if (!IS_ENABLED(CONFIG_SMP))
		return 0;

	for_each_possible_cpu(cpu) {
		const void *start;

		start = per_cpu_ptr((void __percpu *)__per_cpu_start, cpu);
		ret = visit(start, start + (__per_cpu_end - __per_cpu_start));
		if (ret)
			break;
	}
	return ret;
}

/* Where a part of the array of struct pages stands, or 0 if unknown. */
static phys_addr_t __init phys_of_memmap(const struct page *page)
{
	struct page *backing;

	if (virt_addr_valid(page))
		return __pa(page);
	/* It is mapped like vmalloc memory, but not among its addresses. */
	if (IS_ENABLED(CONFIG_DEBUG_VIRTUAL))
		return 0;
	backing = vmalloc_to_page(page);
	return backing ? page_to_phys(backing) + offset_in_page(page) : 0;
}

/**
 * kml_hide_memmap() - do not take the array of struct pages for boot memory
 *
 * It was allocated at boot like other roots. But only the struct pages that are
 * in use are roots, and they are visited one by one.
 *
 * Context: Boot, process context.
 */
void __init kml_hide_memmap(void)
{
	const unsigned long step = PAGE_SIZE / sizeof(struct page);
	phys_addr_t start = 0, end = 0;
	unsigned long pfn;

	for (pfn = 0; pfn < max_pfn; pfn += step) {
		struct page *page = pfn_to_online_page(pfn);
		phys_addr_t phys = page ? phys_of_memmap(page) : 0;

		if (!phys)
			continue;
		if (phys != end) {
			kml_untrack_range(KML_PHYS, start, end - start);
			start = phys;
		}
		end = phys + PAGE_SIZE;
	}
	kml_untrack_range(KML_PHYS, start, end - start);
}

/* The struct page of a frame of @zone that is in use, or NULL. */
static struct page *page_in_use(const struct zone *zone, unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || page_zone(page) != zone || !page_count(page))
		return NULL;
	return page;
}

static int visit_zone(const struct zone *zone, kml_visit_pages_t visit)
{
	unsigned long end = zone_end_pfn(zone);
	unsigned long pfn = zone->zone_start_pfn;
	struct page *first = NULL, *last = NULL;
	int ret = 0;

	for (; pfn < end && !ret; pfn++) {
		struct page *page = page_in_use(zone, pfn);

		/* Neighbours are handed over in one go. */
		if (first && page != last + 1) {
			ret = visit(first, last + 1);
			first = NULL;
		}
		if (page && !first)
			first = page;
		last = page;
		if (!(pfn % ROOT_PFN_BATCH))
			cond_resched_tasks_rcu_qs();
	}
	if (first && !ret)
		ret = visit(first, last + 1);
	return ret;
}

static int visit_struct_pages(kml_visit_pages_t visit)
{
	struct zone *zone;
	int ret = 0;

	for_each_populated_zone(zone) {
		ret = visit_zone(zone, visit);
		if (ret)
			break;
	}
	return ret;
}

/*
 * The stack pointer that a task was switched out with, where the architecture
 * tells. Below it is what calls that have returned left behind: pointers to
 * things long gone, which would hide leaks.
 */
static const void *saved_stack_pointer(struct task_struct *task)
{
#if defined(CONFIG_ARM64)
	return (const void *)thread_saved_sp(task);
#elif defined(CONFIG_X86) && !defined(CONFIG_UML)
	return (const void *)READ_ONCE(task->thread.sp);
#else
	return NULL;
#endif
}

static int visit_stack(struct task_struct *task, kml_visit_stack_t visit)
{
	const void *stack = try_get_task_stack(task);
	const void *live;
	int ret;

	if (!stack)
		return 0;
	live = saved_stack_pointer(task);
	/* Of a task that runs it is not known how deep it is. */
	if (task_curr(task) || live < stack || live > stack + THREAD_SIZE)
		live = stack;
	ret = visit(stack, live, stack + THREAD_SIZE);
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

static int visit_stacks(kml_visit_stack_t visit)
{
	struct task_struct *task;
	unsigned int cpu;
	int ret = 0;
	int nr = 1;

	while (!ret && (task = next_task_from(&nr))) {
		ret = visit_stack(task, visit);
		put_task_struct(task);
		cond_resched_tasks_rcu_qs();
	}

	/* Idle tasks have no number. */
	for_each_possible_cpu(cpu) {
		task = idle_task(cpu);
		if (!ret && task)
			ret = visit_stack(task, visit);
	}
	return ret;
}

/**
 * kml_visit_roots() - visit all memory in which pointers count by themselves
 * @visitor: what to do with it
 * @stacks: visit the stacks of tasks too
 *
 * Context: Process context; may sleep.
 * Return: 0, or what the visitor returned to stop.
 */
int kml_visit_roots(const struct kml_root_visitor *visitor, bool stacks)
{
	int ret;

	ret = visit_percpu(visitor->memory);
	if (ret)
		return ret;

	get_online_mems();
	ret = visit_struct_pages(visitor->pages);
	if (!ret)
		ret = kml_visit_unknown(visitor->memory);
	put_online_mems();
	if (ret || !stacks)
		return ret;

	return visit_stacks(visitor->task_stack);
}
