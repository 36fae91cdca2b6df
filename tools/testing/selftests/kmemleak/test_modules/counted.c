// SPDX-License-Identifier: GPL-2.0
/* Credentials that two references to were taken and lost: what has a count of them. */
#include <linux/cred.h>
#include <linux/errno.h>

#include "hidden.h"
#include "selftest.h"

static unsigned long counted;

static noinline struct cred *two_references(void)
{
	struct cred *cred = prepare_creds();

	return cred ? (struct cred *)get_cred(cred) : NULL;
}

int make_counted(const char *arg)
{
	struct cred *cred;

	if (counted)
		return -EBUSY;
	cred = two_references();
	if (!cred)
		return -ENOMEM;
	counted = hide_address(cred);
	return 0;
}

void forget_counted(void)
{
	struct cred *cred = reveal_address(counted);

	if (!counted)
		return;
	counted = 0;
	put_cred(cred);
	put_cred(cred);
}
