// SPDX-License-Identifier: GPL-2.0
/*
 * A driver with the five leaks that drivers have, and with their fixes.
 *
 * pattern= selects one, fixed=1 its fix. Loading the module exercises the
 * driver. It logs what it is about to leak; a log is text and no reference.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "hidden.h"

static char *pattern = "error_path";
module_param(pattern, charp, 0444);
MODULE_PARM_DESC(pattern, "error_path, exit_buffer, refcount, condition or cache");

static bool fixed;
module_param(fixed, bool, 0444);
MODULE_PARM_DESC(fixed, "run the driver without its leak");

/* In the words of the shell's expectations: address, size, function. */
static void announce(const void *obj, size_t size, const char *func)
{
	pr_info("kmemleak_leaky: expect 0x%08lx %zu %s leak %s\n",
		reported_address(obj), size, func, pattern);
}

/* error_path: a probe that fails half-way */

struct leaky_port {
	void *ring;
	char name[100];
};

static int reset_port(struct leaky_port *port)
{
	/* No such hardware: probing always gets to the error path. */
	return -EIO;
}

static noinline int leaky_probe(void)
{
	struct leaky_port *port = kzalloc(sizeof(*port), GFP_KERNEL);
	int err;

	if (!port)
		return -ENOMEM;
	port->ring = kzalloc(2000, GFP_KERNEL);
	if (!port->ring) {
		err = -ENOMEM;
		goto free_port;
	}
	err = reset_port(port);
	if (err)
		goto free_ring;
	return 0;

free_ring:
	if (fixed)
		kfree(port->ring);
	else
		announce(port->ring, kmalloc_size_roundup(2000), __func__);
free_port:
	/* Its memory, free but unchanged, would go on pointing at the ring. */
	kfree_sensitive(port);
	return err;
}

static int run_error_path(void)
{
	/* The device that is missing must not keep the module from loading. */
	return leaky_probe() == -EIO ? 0 : -ENOMEM;
}

/* exit_buffer: a global buffer that the exit function forgets */

#define BUFFER_SIZE	3000

static u8 *firmware_buffer;

static noinline int leaky_load_firmware(void)
{
	firmware_buffer = kzalloc(BUFFER_SIZE, GFP_KERNEL);
	if (!firmware_buffer)
		return -ENOMEM;
	announce(firmware_buffer, kmalloc_size_roundup(BUFFER_SIZE), __func__);
	return 0;
}

static void leaky_unload_firmware(void)
{
	if (fixed)
		kfree(firmware_buffer);
}

/* refcount: a device that is looked up and never put back */

struct leaky_device {
	struct device dev;
	u8 registers[64];
};

static void leaky_device_release(struct device *dev)
{
	kfree(container_of(dev, struct leaky_device, dev));
}

static noinline struct leaky_device *leaky_device_create(void)
{
	struct leaky_device *leaky = kzalloc(sizeof(*leaky), GFP_KERNEL);

	if (!leaky)
		return NULL;
	device_initialize(&leaky->dev);
	leaky->dev.release = leaky_device_release;
	if (dev_set_name(&leaky->dev, "kmemleak_leaky") || device_add(&leaky->dev)) {
		put_device(&leaky->dev);
		return NULL;
	}
	return leaky;
}

/* The user of a device holds it for as long as it works with it. */
static void leaky_device_poll(struct leaky_device *leaky)
{
	get_device(&leaky->dev);
	leaky->registers[0]++;
	if (fixed)
		put_device(&leaky->dev);
}

static int run_refcount(void)
{
	struct leaky_device *leaky = leaky_device_create();

	if (!leaky)
		return -ENOMEM;
	leaky_device_poll(leaky);
	if (!fixed)
		announce(leaky, kmalloc_size_roundup(sizeof(*leaky)), "leaky_device_create");
	device_del(&leaky->dev);
	put_device(&leaky->dev);
	return 0;
}

/* condition: what is freed only if there was work to do */

static noinline int leaky_transfer(size_t len)
{
	u8 *bounce = kzalloc(1000, GFP_KERNEL);

	if (!bounce)
		return -ENOMEM;
	if (len || fixed)
		kfree(bounce);
	else
		announce(bounce, kmalloc_size_roundup(1000), __func__);
	return 0;
}

static int run_condition(void)
{
	return leaky_transfer(512) ?: leaky_transfer(0);
}

/* cache: an object that does not come back to its cache */

struct leaky_request {
	u8 command[72];
};

static struct kmem_cache *request_cache;
static unsigned long lost_request;

static noinline int leaky_submit(void)
{
	struct leaky_request *req = kmem_cache_zalloc(request_cache, GFP_KERNEL);

	if (!req)
		return -ENOMEM;
	if (fixed) {
		kmem_cache_free(request_cache, req);
		return 0;
	}
	/* A cache is destroyed empty, so this one has to be found again. */
	lost_request = hide_address(req);
	announce(req, kmem_cache_size(request_cache), __func__);
	return 0;
}

static int run_cache(void)
{
	request_cache = kmem_cache_create("kmemleak_leaky", sizeof(struct leaky_request), 0, 0,
					  NULL);
	return request_cache ? leaky_submit() : -ENOMEM;
}

static void exit_cache(void)
{
	if (lost_request)
		kmem_cache_free(request_cache, reveal_address(lost_request));
	kmem_cache_destroy(request_cache);
}

static const struct {
	const char *name;
	int (*run)(void);
	void (*exit)(void);
} patterns[] = {
	{ "error_path", run_error_path },
	{ "exit_buffer", leaky_load_firmware, leaky_unload_firmware },
	{ "refcount", run_refcount },
	{ "condition", run_condition },
	{ "cache", run_cache, exit_cache },
};

static unsigned int chosen;

/* Not inlined: its frame has to be a dead one by the time of wipe_stack(). */
static noinline int run_pattern(void)
{
	for (chosen = 0; chosen < ARRAY_SIZE(patterns); chosen++)
		if (!strcmp(pattern, patterns[chosen].name))
			return patterns[chosen].run();
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
	if (patterns[chosen].exit)
		patterns[chosen].exit();
}
module_exit(leaky_exit);

MODULE_DESCRIPTION("Five leaks and five fixes for the kmemleak selftests");
MODULE_LICENSE("GPL");
