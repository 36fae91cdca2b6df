// SPDX-License-Identifier: GPL-2.0
/*
 * A module that allocates whenever another one comes or goes, and does not change
 * itself.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/slab.h>

static noinline void stand_by(void)
{
	kfree(kmalloc(40, GFP_KERNEL));
}

static int bystander_event(struct notifier_block *nb, unsigned long event,
			   void *data)
{
	stand_by();
	return NOTIFY_DONE;
}

static struct notifier_block bystander_notifier = {
	.notifier_call = bystander_event,
};

static int __init bystander_init(void)
{
	return register_module_notifier(&bystander_notifier);
}
module_init(bystander_init);

static void __exit bystander_exit(void)
{
	unregister_module_notifier(&bystander_notifier);
}
module_exit(bystander_exit);

MODULE_DESCRIPTION("Allocations of one module while others come and go");
MODULE_LICENSE("GPL");
