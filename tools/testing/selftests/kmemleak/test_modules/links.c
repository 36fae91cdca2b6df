// SPDX-License-Identifier: GPL-2.0
/* Objects of which it is known who refers to whom: lists, and one with many fans. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "hidden.h"
#include "selftest.h"

/* All of them refer to the same object. */
static void **fans;

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

/* An object with so many references. */
int make_fans(const char *arg)
{
	unsigned int nr, i;
	void *obj;

	if (fans || kstrtouint(arg, 0, &nr))
		return -EINVAL;
	obj = make_fated("fans", FATE_QUIET);
	fans = kcalloc(nr, sizeof(*fans), GFP_KERNEL);
	if (!obj || !fans)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		fans[i] = obj;
	return 0;
}

void forget_fans(void)
{
	kfree_sensitive(fans);
	fans = NULL;
}
