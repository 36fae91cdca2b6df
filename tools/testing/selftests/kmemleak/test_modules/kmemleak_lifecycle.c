// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that only the sections of a module refer to, and one that is lost
 * in a section which is gone as soon as the module has been loaded.
 */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "hidden.h"

static bool forget;
module_param(forget, bool, 0444);
MODULE_PARM_DESC(forget, "free nothing on exit");

static bool leak_init;
module_param(leak_init, bool, 0444);
MODULE_PARM_DESC(leak_init, "leak an object in the init function");

static int somebody;

/* Initialised, so that it lies in .data. */
static void *in_data = &somebody;
static void *in_bss;
static DEFINE_PER_CPU(void *, in_percpu);

#define OBJECT_SIZE	300

/* Runs once per section, and is gone with the init sections. */
static noinline void *__init lifecycle_alloc(const char *section)
{
	void *obj = kzalloc(OBJECT_SIZE, GFP_KERNEL);

	if (obj)
		pr_info("kmemleak_lifecycle: expect 0x%08lx %zu %s leak %s\n",
			reported_address(obj), kmalloc_size_roundup(OBJECT_SIZE), __func__,
			section);
	return obj;
}

static noinline int __init lifecycle_fill(void)
{
	void **last = per_cpu_ptr(&in_percpu, cpumask_last(cpu_possible_mask));

	in_data = lifecycle_alloc("data");
	in_bss = lifecycle_alloc("bss");
	*last = lifecycle_alloc("percpu");
	if (leak_init)
		lifecycle_alloc("init");
	return in_data && in_bss && *last ? 0 : -ENOMEM;
}

static void lifecycle_exit(void)
{
	if (forget)
		return;
	kfree(in_data);
	kfree(in_bss);
	kfree(per_cpu(in_percpu, cpumask_last(cpu_possible_mask)));
}
module_exit(lifecycle_exit);

static int __init lifecycle_init(void)
{
	int err = lifecycle_fill();

	wipe_stack(WIPE_DEPTH);
	if (err)
		lifecycle_exit();
	return err;
}
module_init(lifecycle_init);

MODULE_DESCRIPTION("Objects in the sections of a module for the kmemleak selftests");
MODULE_LICENSE("GPL");
