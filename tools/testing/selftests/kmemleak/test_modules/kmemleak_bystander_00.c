// SPDX-License-Identifier: GPL-2.0
/*
 * A module that has an object, and allocates whenever another one comes or goes.
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

/* As long as the module is there. */
static void *mine;

static int __init bystander_init(void)
{
	int err;

	mine = kmalloc(40, GFP_KERNEL);
	err = mine ? register_module_notifier(&bystander_notifier) : -ENOMEM;
	if (err)
		kfree(mine);
	return err;
}
module_init(bystander_init);

static void __exit bystander_exit(void)
{
	unregister_module_notifier(&bystander_notifier);
	kfree(mine);
}
module_exit(bystander_exit);

MODULE_DESCRIPTION("Allocations of one module while others come and go");
MODULE_LICENSE("GPL");
