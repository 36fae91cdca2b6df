// SPDX-License-Identifier: GPL-2.0
/* An object that nothing refers to, and later another one that only it does. */
#include <linux/errno.h>

#include "hidden.h"
#include "selftest.h"

static unsigned long orphan;

/* A new object of that fate, or NULL. */
static void *make_one(const char *label, enum fate fate)
{
	size_t size = private_kind->sizes[0];
	struct record *rec;
	void *obj;

	if (make_objects(private_kind, size, &obj, 1))
		return NULL;
	rec = add_record(private_kind, size, obj);
	if (!rec)
		return NULL;
	rec->label = label;
	rec->fate = fate;
	return obj;
}

int make_orphan(const char *arg)
{
	void *obj = make_one("orphan", FATE_LEAK);

	orphan = hide_address(obj);
	return obj ? 0 : -ENOMEM;
}

int make_adopted(const char *arg)
{
	void **parent = reveal_address(orphan);
	void *obj;

	if (!parent)
		return -EINVAL;
	obj = make_one("adopted", FATE_QUIET);
	if (!obj)
		return -ENOMEM;
	*parent = obj;
	return 0;
}
