// SPDX-License-Identifier: GPL-2.0
/*
 * Leaks of the same shape as real ones, one each time that the module is loaded and
 * unloaded again. Nothing is done that makes them easier to find.
 *
 * shape= selects one. What is lost is logged with its address inverted.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/kernel_stat.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "hidden.h"

static char *shape = "objects";
module_param(shape, charp, 0444);
MODULE_PARM_DESC(shape, "objects, pid, file, percpu, attributes or option");

static unsigned int number = 5;
module_param(number, uint, 0444);
MODULE_PARM_DESC(number, "how many objects are lost by objects");

/* A log is text and no reference, nor is what this leaves on the way there. */
static void tell(unsigned long hidden)
{
	pr_info("kmemleak_shapes: lost 0x%016lx %s\n", hidden, shape);
}

/* ---- objects: some that nobody remembers ---- */

#define OBJECT_SIZE	64

static noinline int lose_objects(void)
{
	unsigned int i;

	for (i = 0; i < number; i++) {
		void *obj = kmalloc(OBJECT_SIZE, GFP_KERNEL);

		if (!obj)
			return -ENOMEM;
		tell(hide_address(obj));
	}
	return 0;
}

/* ---- pid: one reference too many, to what is put by RCU when its task is gone ---- */

static noinline int lose_pid(void)
{
	tell(hide_address(get_pid(task_pid(current))));
	return 0;
}

/* ---- file: an error path that forgets to close what is to be executed ---- */

#define EXEC_FILE	"/proc/version"

static noinline int check_file(struct file *file)
{
	tell(hide_address(file));
	return -ENOEXEC;
}

static noinline int lose_file(void)
{
	struct file *file = filp_open(EXEC_FILE, O_RDONLY, 0);
	int err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	err = check_file(file);
	if (err)
		return err == -ENOEXEC ? 0 : err;
	filp_close(file, NULL);
	return 0;
}

/* ---- percpu: the callback frees the owner of a block, and forgets the block ---- */

struct counter {
	unsigned long __percpu *counts;
	struct rcu_head rcu;
};

static void free_counter(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct counter, rcu));
}

#define COUNTS		64
#define FIRST_MAX	2048

/*
 * A pointer into the first piece of per-CPU memory is, as a number, the address of a
 * variable of the kernel, too, and hidden by whoever refers to that. So what is free
 * there is taken meanwhile.
 */
static unsigned long __percpu *alloc_counts(void)
{
	void __percpu **first = kcalloc(FIRST_MAX, sizeof(*first), GFP_KERNEL);
	unsigned long __percpu *counts = NULL;
	unsigned int nr = 0;
	long distance;

	while (first && nr < FIRST_MAX) {
		counts = __alloc_percpu(COUNTS * sizeof(*counts), sizeof(long));
		distance = (__force long)counts - (__force long)&kernel_cpustat;
		if (!counts || distance <= -SZ_1M || distance >= SZ_1M)
			break;
		first[nr++] = counts;
		counts = NULL;
	}
	while (nr)
		free_percpu(first[--nr]);
	kfree(first);
	return counts;
}

static noinline int lose_percpu(void)
{
	struct counter *counter = kzalloc(sizeof(*counter), GFP_KERNEL);

	if (!counter)
		return -ENOMEM;
	counter->counts = alloc_counts();
	if (!counter->counts) {
		kfree(counter);
		return -ENOMEM;
	}
	tell(hide_address((void *)(__force unsigned long)counter->counts));
	call_rcu(&counter->rcu, free_counter);
	return 0;
}

/* ---- attributes: those of a group in sysfs, of which only the group is freed ---- */

#define ATTRIBUTES	20

static struct attribute attribute = { .name = "version", .mode = 0444 };

static noinline int lose_attributes(void)
{
	struct attribute_group *group = kzalloc(sizeof(*group), GFP_KERNEL);
	struct kobject *kobj = kobject_create_and_add("kmemleak_shapes", kernel_kobj);
	int err = -ENOMEM;

	if (group && kobj) {
		group->name = "notes";
		group->attrs = kcalloc(ATTRIBUTES, sizeof(*group->attrs), GFP_KERNEL);
	}
	if (group && group->attrs) {
		tell(hide_address(group->attrs));
		group->attrs[0] = &attribute;
		err = sysfs_create_group(kobj, group);
		if (!err)
			sysfs_remove_group(kobj, group);
	}
	kobject_put(kobj);
	kfree(group);
	return err;
}

/* ---- option: a file system that is mounted with an option given twice ---- */

static int parse_option(struct fs_context *fc, struct fs_parameter *param)
{
	if (strcmp(param->key, "label"))
		return -ENOPARAM;
	if (fc->fs_private)
		tell(hide_address(fc->fs_private));
	/* The string before it is lost. */
	fc->fs_private = param->string;
	param->string = NULL;
	return 0;
}

/* There is nothing to be mounted, which is known at the end. */
static int get_no_tree(struct fs_context *fc)
{
	return -ENODEV;
}

static void free_context(struct fs_context *fc)
{
	kfree(fc->fs_private);
}

static const struct fs_context_operations context_ops = {
	.parse_param = parse_option,
	.get_tree = get_no_tree,
	.free = free_context,
};

static int init_context(struct fs_context *fc)
{
	fc->ops = &context_ops;
	return 0;
}

static struct file_system_type file_system = {
	.owner = THIS_MODULE,
	.name = "kmemleak_shapes",
	.init_fs_context = init_context,
	.kill_sb = kill_anon_super,
};

static int lose_option(void)
{
	return 0;
}

/* ---- Set-up ---- */

static const struct {
	const char *name;
	int (*lose)(void);
} shapes[] = {
	{ "objects", lose_objects },
	{ "pid", lose_pid },
	{ "file", lose_file },
	{ "percpu", lose_percpu },
	{ "attributes", lose_attributes },
	{ "option", lose_option },
};

static int __init shapes_init(void)
{
	unsigned int i;
	int err = -EINVAL;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		if (!strcmp(shape, shapes[i].name))
			err = shapes[i].lose();
	}
	return err ?: register_filesystem(&file_system);
}
module_init(shapes_init);

static void __exit shapes_exit(void)
{
	unregister_filesystem(&file_system);
	/* Callbacks of this module, and with them those from before. */
	rcu_barrier();
}
module_exit(shapes_exit);

MODULE_DESCRIPTION("Leaks of the shapes that real ones have, for the kmemleak selftests");
MODULE_LICENSE("GPL");
