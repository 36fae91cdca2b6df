// SPDX-License-Identifier: GPL-2.0
/*
 * refcount: a device that is looked up and never put back.
 */
#include <linux/device.h>
#include <linux/slab.h>

#include "leaky.h"

struct leaky_device {
	struct device dev;
	u8 registers[64];
};

static struct leaky_device *the_device;

/* As bus_find_device() does: whoever finds a device gets a reference to it. */
static struct leaky_device *find_device(void)
{
	get_device(&the_device->dev);
	return the_device;
}

static int read_status(struct leaky_device *leaky)
{
	return leaky->registers[0];
}

/* The leak: nobody ever puts the reference that find_device() took. */
static int leaky_poll(void)
{
	struct leaky_device *leaky = find_device();

	return read_status(leaky);
}

/* The fix: put it when the device is not needed any more. */
static int fixed_poll(void)
{
	struct leaky_device *leaky = find_device();
	int status = read_status(leaky);

	put_device(&leaky->dev);
	return status;
}

/* The test: a device that comes, is polled, and goes. */
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

static int run_refcount(void)
{
	struct leaky_device *leaky = leaky_device_create();
	int err;

	if (!leaky)
		return -ENOMEM;
	the_device = leaky;
	err = leaky_fixed ? fixed_poll() : leaky_poll();
	the_device = NULL;
	expect_leak(leaky, kmalloc_size_roundup(sizeof(*leaky)), "leaky_device_create");
	device_del(&leaky->dev);
	put_device(&leaky->dev);
	return err;
}

const struct leaky_pattern refcount_pattern = {
	.name = "refcount",
	.run = run_refcount,
};
