// SPDX-License-Identifier: GPL-2.0
/*
 * One buffer is lost for each time that the module is loaded. What refers to it last
 * is freed later: by RCU, in a work item, with the last reference to a file, with a
 * task, or with the module's init sections.
 */
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "hidden.h"

#define BUFFER_SIZE	300

static char *way = "rcu";
module_param(way, charp, 0444);
MODULE_PARM_DESC(way, "what frees the owner of the buffer that is lost");

/**
 * struct owner - what refers to a buffer, and forgets it when it is freed.
 * @rcu: for the ways with call_rcu() and kfree_rcu().
 * @work: for the way with a work item.
 * @rcu_work: for the way with a work item that waits for RCU.
 * @buffer: what is lost.
 */
struct owner {
	struct rcu_head rcu;
	struct work_struct work;
	struct rcu_work rcu_work;
	void *buffer;
};

static void free_by_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct owner, rcu));
}

static void free_by_second_rcu(struct rcu_head *rcu)
{
	call_rcu(rcu, free_by_rcu);
}

static void free_by_work(struct work_struct *work)
{
	kfree(container_of(work, struct owner, work));
}

static void free_by_rcu_work(struct work_struct *work)
{
	kfree(container_of(to_rcu_work(work), struct owner, rcu_work));
}

static void tell(const void *obj, size_t size, const char *func)
{
	pr_info("kmemleak_deferred: expect 0x%08lx %zu %s leak %s\n",
		reported_address(obj), kmalloc_size_roundup(size), func, way);
}

static noinline void *deferred_buffer(void)
{
	void *buffer = kzalloc(BUFFER_SIZE, GFP_KERNEL);

	if (buffer)
		tell(buffer, BUFFER_SIZE, __func__);
	return buffer;
}

static struct owner *make_owner(void)
{
	struct owner *owner = kzalloc(sizeof(*owner), GFP_KERNEL);

	if (!owner)
		return NULL;
	owner->buffer = deferred_buffer();
	if (owner->buffer)
		return owner;
	kfree(owner);
	return NULL;
}

static noinline int lose_with_owner(void)
{
	struct owner *owner = make_owner();

	if (!owner)
		return -ENOMEM;
	if (!strcmp(way, "rcu")) {
		call_rcu(&owner->rcu, free_by_rcu);
	} else if (!strcmp(way, "rcu_twice")) {
		call_rcu(&owner->rcu, free_by_second_rcu);
	} else if (!strcmp(way, "kfree_rcu")) {
		kfree_rcu(owner, rcu);
	} else if (!strcmp(way, "work")) {
		INIT_WORK(&owner->work, free_by_work);
		schedule_work(&owner->work);
	} else if (!strcmp(way, "rcu_work")) {
		INIT_RCU_WORK(&owner->rcu_work, free_by_rcu_work);
		queue_rcu_work(system_wq, &owner->rcu_work);
	} else {
		kfree(owner->buffer);
		kfree(owner);
		return -EINVAL;
	}
	return 0;
}

/* Its directory, which refers to it, is freed by RCU. */
static noinline int lose_kobject(void)
{
	struct kobject *kobj = kobject_create_and_add("kmemleak_deferred_lost", kernel_kobj);

	if (!kobj)
		return -ENOMEM;
	tell(kobj, sizeof(*kobj), __func__);
	kobject_del(kobj);
	return 0;
}

static void *kept __initdata;

static noinline int __init lose_with_init_data(void)
{
	kept = deferred_buffer();
	return kept ? 0 : -ENOMEM;
}

static const struct file_operations no_ops = {
	.owner = THIS_MODULE,
};

/**
 * struct last_put - whose reference to a file is the last one.
 * @work: item that puts it: what is put by a task of the user's it does itself.
 * @file: the file.
 */
struct last_put {
	struct work_struct work;
	struct file *file;
};

static void put_file(struct work_struct *work)
{
	fput(container_of(work, struct last_put, work)->file);
}

static noinline int lose_with_file(void)
{
	void *buffer = deferred_buffer();
	struct last_put put;

	if (!buffer)
		return -ENOMEM;
	put.file = anon_inode_getfile("[kmemleak_deferred]", &no_ops, buffer, O_RDONLY);
	if (IS_ERR(put.file)) {
		kfree(buffer);
		return PTR_ERR(put.file);
	}
	INIT_WORK_ONSTACK(&put.work, put_file);
	schedule_work(&put.work);
	flush_work(&put.work);
	destroy_work_on_stack(&put.work);
	return 0;
}

static DECLARE_COMPLETION(lost_by_task);

/* A task_struct is freed by RCU; its stack is in use until another task runs. */
static int lose_and_exit(void *unused)
{
	void *buffer = deferred_buffer();

	/* A file system's, in tasks that have one. */
	current->journal_info = buffer;
	complete(&lost_by_task);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return buffer ? 0 : -ENOMEM;
}

static noinline int lose_with_task(void)
{
	struct task_struct *task;

	task = kthread_run(lose_and_exit, NULL, "kmemleak_lost");
	if (IS_ERR(task))
		return PTR_ERR(task);
	/* It has to run before it is stopped. */
	wait_for_completion(&lost_by_task);
	return kthread_stop(task);
}

static void do_nothing(struct work_struct *work)
{
}

static DECLARE_WORK(last_work, do_nothing);

/* Functions of the module may have to be called yet, one by another. */
static void __exit deferred_exit(void)
{
	unsigned int cpu;

	rcu_barrier();
	rcu_barrier();
	/* Of work items that do not sleep, the last one of a CPU ends last. */
	for_each_online_cpu(cpu) {
		schedule_work_on(cpu, &last_work);
		flush_work(&last_work);
	}
}
module_exit(deferred_exit);

static int __init deferred_init(void)
{
	int err;

	if (!strcmp(way, "kobject"))
		err = lose_kobject();
	else if (!strcmp(way, "init_data"))
		err = lose_with_init_data();
	else if (!strcmp(way, "file"))
		err = lose_with_file();
	else if (!strcmp(way, "task"))
		err = lose_with_task();
	else
		err = lose_with_owner();
	wipe_stack(WIPE_DEPTH);
	return err;
}
module_init(deferred_init);

MODULE_DESCRIPTION("Buffers lost with what is freed later, for the kmemleak selftests");
MODULE_LICENSE("GPL");
