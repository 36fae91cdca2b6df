// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that only the sections of a module refer to, one for each section in which
 * a module may have pointers, and one that is lost in its init function.
 */
#include <linux/cache.h>
#include <linux/delay.h>
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

static bool stay;
module_param(stay, bool, 0444);
MODULE_PARM_DESC(stay, "stay in the init function until go is set");

static bool go;
module_param(go, bool, 0644);

static int somebody;

/* What is initialised lies in .data, or where it says. */
static void *in_data = &somebody;
static void *in_bss;
static DEFINE_PER_CPU(void *, in_percpu);
static void *in_read_mostly __read_mostly = &somebody;
static void *in_aligned __cacheline_aligned = &somebody;
static void *in_once __section(".data.once") = &somebody;
static void *in_own __section("kmemleak_own") = &somebody;
static void *in_ref __refdata = &somebody;
static void *in_ro_after_init __ro_after_init = &somebody;
static void *in_init_data __initdata = &somebody;

static const struct place {
	const char *section;
	void **var;
} places[] = {
	{ "data", &in_data },
	{ "bss", &in_bss },
	{ "read_mostly", &in_read_mostly },
	{ "cacheline_aligned", &in_aligned },
	{ "once", &in_once },
	{ "own", &in_own },
	{ "ref", &in_ref },
	{ "ro_after_init", &in_ro_after_init },
};

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

static void **last_percpu(void)
{
	return per_cpu_ptr(&in_percpu, cpumask_last(cpu_possible_mask));
}

static noinline int __init lifecycle_fill(void)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		*places[i].var = NULL;
	for (i = 0; i < ARRAY_SIZE(places) && all; i++) {
		*places[i].var = lifecycle_alloc(places[i].section);
		all = *places[i].var;
	}
	*last_percpu() = lifecycle_alloc("percpu");
	in_init_data = lifecycle_alloc("init_data");
	if (leak_init)
		lifecycle_alloc("init");
	return all && *last_percpu() && in_init_data ? 0 : -ENOMEM;
}

static void lifecycle_exit(void)
{
	unsigned int i;

	if (forget)
		return;
	for (i = 0; i < ARRAY_SIZE(places); i++)
		kfree(*places[i].var);
	kfree(*last_percpu());
}
module_exit(lifecycle_exit);

static int __init lifecycle_init(void)
{
	int err = lifecycle_fill();

	wipe_stack(WIPE_DEPTH);
	while (stay && !READ_ONCE(go) && !err)
		msleep(20);
	if (!forget)
		kfree(in_init_data);
	if (err)
		lifecycle_exit();
	return err;
}
module_init(lifecycle_init);

MODULE_DESCRIPTION("Objects in the sections of a module for the kmemleak selftests");
MODULE_LICENSE("GPL");
