// SPDX-License-Identifier: GPL-2.0
/*
 * cache: a request that leaves its list, but does not come back to its cache.
 */
#include <linux/list.h>
#include <linux/slab.h>

#include "hidden.h"
#include "leaky.h"

struct leaky_request {
	struct list_head list;
	u8 command[72];
};

static struct kmem_cache *request_cache;
static LIST_HEAD(requests);

static noinline int leaky_submit(void)
{
	struct leaky_request *req = kmem_cache_zalloc(request_cache, GFP_KERNEL);

	if (!req)
		return -ENOMEM;
	list_add_tail(&req->list, &requests);
	return 0;
}

/* The leak: requests that are cancelled are taken off the list, and that is all. */
static void leaky_cancel_all(void)
{
	struct leaky_request *req, *next;

	list_for_each_entry_safe(req, next, &requests, list)
		list_del(&req->list);
}

/* The fix: what only the list pointed at is freed, too. */
static void fixed_cancel_all(void)
{
	struct leaky_request *req, *next;

	list_for_each_entry_safe(req, next, &requests, list) {
		list_del(&req->list);
		kmem_cache_free(request_cache, req);
	}
}

/* The test: a cache is destroyed empty, so what is lost has to be found again. */
static unsigned long lost_request;

static int run_cache(void)
{
	struct leaky_request *req;
	int err;

	request_cache = kmem_cache_create("kmemleak_leaky", sizeof(*req), 0, 0, NULL);
	if (!request_cache)
		return -ENOMEM;
	err = leaky_submit();
	if (err) {
		kmem_cache_destroy(request_cache);
		return err;
	}
	req = list_first_entry(&requests, struct leaky_request, list);
	expect_leak(req, kmem_cache_size(request_cache), "leaky_submit");
	if (leaky_fixed) {
		fixed_cancel_all();
	} else {
		lost_request = hide_address(req);
		leaky_cancel_all();
	}
	return 0;
}

static void exit_cache(void)
{
	if (lost_request)
		kmem_cache_free(request_cache, reveal_address(lost_request));
	kmem_cache_destroy(request_cache);
}

const struct leaky_pattern cache_pattern = {
	.name = "cache",
	.run = run_cache,
	.exit = exit_cache,
};
