/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A module that leaks wherever modules may, in a function which is called from one
 * place for each context. There are two of it that differ in names only, so
 * that the one can take the other's place. NAMED() makes the names.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hidden.h"

#define OBJECT_SIZE	300

/* These take names as they stand. */
#define named_module_init(func)	module_init(func)
#define named_module_exit(func)	module_exit(func)

static bool leak_in_init = true;
module_param(leak_in_init, bool, 0);
MODULE_PARM_DESC(leak_in_init, "leak as soon as the module is loaded");

static DECLARE_COMPLETION(done);

/* The object that was allocated last, hidden; each begins with the one before. */
static unsigned long last_object = ~0UL;

/* Says where it is called from: the other module has to be called from there too. */
static noinline void NAMED(alloc)(const char *context)
{
	unsigned long *obj = kzalloc(OBJECT_SIZE, GFP_ATOMIC);

	if (!obj)
		return;
	*obj = last_object;
	last_object = hide_address(obj);
	pr_info("%s: object 0x%08lx %s 0x%lx\n", KBUILD_MODNAME,
		reported_address(obj), context, _RET_IP_);
}

static noinline void NAMED(in_task)(void)
{
	NAMED(alloc)("task");
	barrier();
}

static void NAMED(in_softirq)(struct tasklet_struct *unused)
{
	NAMED(alloc)("softirq");
	complete(&done);
}

static void NAMED(in_hardirq)(struct irq_work *unused)
{
	NAMED(alloc)("hardirq");
	complete(&done);
}

static DECLARE_TASKLET(tasklet, NAMED(in_softirq));
/* Not one that PREEMPT_RT leaves in hard interrupts: nobody may allocate there. */
static struct irq_work work = IRQ_WORK_INIT(NAMED(in_hardirq));

static noinline void NAMED(in_irqs)(void)
{
	/* Not in ksoftirqd: here its stack leads through an entry. */
	local_bh_disable();
	tasklet_schedule(&tasklet);
	local_bh_enable();
	wait_for_completion(&done);
	tasklet_kill(&tasklet);
	irq_work_queue(&work);
	wait_for_completion(&done);
	irq_work_sync(&work);
}

/* The detector caches a stack on the CPU that has seen it. */
static __always_inline void twice_on_each_cpu(void (*func)(void))
{
	int round, cpu;

	for (round = 0; round < 2; round++) {
		for_each_online_cpu(cpu) {
			set_cpus_allowed_ptr(current, cpumask_of(cpu));
			func();
		}
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static int NAMED(set)(const char *val, const struct kernel_param *kp)
{
	twice_on_each_cpu(NAMED(in_task));
	twice_on_each_cpu(NAMED(in_irqs));
	wipe_stack(WIPE_DEPTH);
	return 0;
}

static const struct kernel_param_ops leak_ops = {
	.set = NAMED(set),
};
module_param_cb(leak, &leak_ops, NULL, 0200);
MODULE_PARM_DESC(leak, "leak objects in all contexts, whatever is written");

static int NAMED(set_free)(const char *val, const struct kernel_param *kp)
{
	unsigned long *obj;

	while ((obj = reveal_address(last_object))) {
		last_object = *obj;
		kfree(obj);
	}
	return 0;
}

static const struct kernel_param_ops free_ops = {
	.set = NAMED(set_free),
};
module_param_cb(free, &free_ops, NULL, 0200);
MODULE_PARM_DESC(free, "free all that was leaked, whatever is written");

static noinline void __init NAMED(in_init)(void)
{
	NAMED(alloc)("init");
	barrier();
}

static int __init NAMED(init)(void)
{
	if (leak_in_init)
		twice_on_each_cpu(NAMED(in_init));
	wipe_stack(WIPE_DEPTH);
	return 0;
}

named_module_init(NAMED(init));

/* Without one it could not be unloaded. */
static void __exit NAMED(exit)(void)
{
}

named_module_exit(NAMED(exit));

MODULE_DESCRIPTION("Leaks of one of two modules for the kmemleak selftests");
MODULE_LICENSE("GPL");
