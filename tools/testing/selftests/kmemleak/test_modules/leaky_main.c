// SPDX-License-Identifier: GPL-2.0
/*
 * A driver with the five leaks that drivers have, and with their fixes.
 *
 * pattern= selects one, fixed=1 its fix. Loading the module exercises the
 * driver. It logs what it is about to leak; a log is text and no reference.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "hidden.h"
#include "leaky.h"

static char *pattern = "error_path";
module_param(pattern, charp, 0444);
MODULE_PARM_DESC(pattern, "error_path, exit_buffer, refcount, condition or cache");

bool leaky_fixed;
module_param_named(fixed, leaky_fixed, bool, 0444);
MODULE_PARM_DESC(fixed, "run the driver without its leak");

static const struct leaky_pattern *const patterns[] = {
	&error_path_pattern,
	&exit_buffer_pattern,
	&refcount_pattern,
	&condition_pattern,
	&cache_pattern,
};

static const struct leaky_pattern *chosen;

/**
 * expect_leak() - Tell the test what is going to be lost, if the driver is not fixed.
 * @obj: the object
 * @size: its length in bytes, as a report has it
 * @func: the function that allocated it
 *
 * In the words of the shell's expectations: address, size, function.
 */
void expect_leak(const void *obj, size_t size, const char *func)
{
	if (!leaky_fixed)
		pr_info("kmemleak_leaky: expect 0x%08lx %zu %s leak %s\n",
			reported_address(obj), size, func, pattern);
}

/* Not inlined: its frame has to be a dead one by the time of wipe_stack(). */
static noinline int run_pattern(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		chosen = patterns[i];
		if (!strcmp(pattern, chosen->name))
			return chosen->run();
	}
	return -EINVAL;
}

static int __init leaky_init(void)
{
	int err = run_pattern();

	wipe_stack(WIPE_DEPTH);
	return err;
}
module_init(leaky_init);

static void __exit leaky_exit(void)
{
	if (chosen->exit)
		chosen->exit();
}
module_exit(leaky_exit);

MODULE_DESCRIPTION("Five leaks and five fixes for the kmemleak selftests");
MODULE_LICENSE("GPL");
