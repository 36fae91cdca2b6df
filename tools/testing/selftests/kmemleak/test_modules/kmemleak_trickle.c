// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that nobody refers to, but for one of them at a time: a thread remembers
 * them all in a form that is no address, and shows one after the other. So each
 * pass of a scan may find one more of them in use. Beside them one is lost.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "hidden.h"

#define TRICKLE_OBJECTS	1000
#define TRICKLE_SIZE	96
#define LOST_SIZE	256

static unsigned int shown_ms = 20;
module_param(shown_ms, uint, 0444);
MODULE_PARM_DESC(shown_ms, "milliseconds for which an object is referred to");

static unsigned long hidden[TRICKLE_OBJECTS];
static void *shown;
static struct task_struct *shower;

static noinline int trickle_alloc(void)
{
	unsigned int i;

	for (i = 0; i < TRICKLE_OBJECTS; i++) {
		void *obj = kzalloc(TRICKLE_SIZE, GFP_KERNEL);

		if (!obj)
			return -ENOMEM;
		hidden[i] = hide_address(obj);
	}
	return 0;
}

static noinline int trickle_lose(void)
{
	void *obj = kzalloc(LOST_SIZE, GFP_KERNEL);

	if (!obj)
		return -ENOMEM;
	pr_info("kmemleak_trickle: expect 0x%08lx %u %s leak lost\n",
		reported_address(obj), LOST_SIZE, __func__);
	return 0;
}

/* Its frame is gone when the thread sleeps. */
static noinline void show(unsigned int i)
{
	WRITE_ONCE(shown, reveal_address(hidden[i]));
}

static int trickle_show(void *unused)
{
	unsigned int i = 0;

	while (!kthread_should_stop()) {
		show(i);
		i = (i + 1) % TRICKLE_OBJECTS;
		wipe_stack(WIPE_DEPTH);
		msleep(shown_ms);
	}
	return 0;
}

static void trickle_exit(void)
{
	unsigned int i;

	if (shower)
		kthread_stop(shower);
	for (i = 0; i < TRICKLE_OBJECTS && hidden[i]; i++)
		kfree(reveal_address(hidden[i]));
}
module_exit(trickle_exit);

static int __init trickle_init(void)
{
	int err = trickle_alloc();

	if (!err)
		err = trickle_lose();
	if (!err) {
		shower = kthread_run(trickle_show, NULL, "kmemleak_trickle");
		err = PTR_ERR_OR_ZERO(shower);
	}
	wipe_stack(WIPE_DEPTH);
	if (err) {
		shower = NULL;
		trickle_exit();
	}
	return err;
}
module_init(trickle_init);

MODULE_DESCRIPTION("Objects that are shown one by one, for the kmemleak selftests");
MODULE_LICENSE("GPL");
