// SPDX-License-Identifier: GPL-2.0
/* An object that nothing refers to, and later another one that only it does. */
#include <linux/errno.h>

#include "hidden.h"
#include "selftest.h"

static unsigned long orphan;

int make_orphan(const char *arg)
{
	void *obj = make_fated("orphan", FATE_LEAK);

	orphan = hide_address(obj);
	return obj ? 0 : -ENOMEM;
}

int make_adopted(const char *arg)
{
	void **parent = reveal_address(orphan);
	void *obj;

	if (!parent)
		return -EINVAL;
	obj = make_fated("adopted", FATE_QUIET);
	if (!obj)
		return -ENOMEM;
	*parent = obj;
	return 0;
}
