// SPDX-License-Identifier: GPL-2.0
/* Objects of which it is known who refers to whom: lists, and one that many share. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "hidden.h"
#include "selftest.h"

/* All of them refer to the same object. */
static void **shared_by;

/* So many objects, each of which refers to the next one, and nobody to the first. */
int make_list(const char *arg)
{
	void **last = NULL, *obj;
	unsigned int nr;

	if (kstrtouint(arg, 0, &nr))
		return -EINVAL;
	for (; nr; nr--) {
		obj = make_fated("list", FATE_LEAK);
		if (!obj)
			return -ENOMEM;
		if (last)
			*last = obj;
		last = obj;
		cond_resched();
	}
	return 0;
}

/* An object to which so many words refer. */
int make_shared(const char *arg)
{
	unsigned int nr, i;
	void *obj;

	if (shared_by || kstrtouint(arg, 0, &nr))
		return -EINVAL;
	obj = make_fated("shared", FATE_QUIET);
	shared_by = kcalloc(nr, sizeof(*shared_by), GFP_KERNEL);
	if (!obj || !shared_by)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		shared_by[i] = obj;
	return 0;
}

void forget_shared(void)
{
	kfree_sensitive(shared_by);
	shared_by = NULL;
}
