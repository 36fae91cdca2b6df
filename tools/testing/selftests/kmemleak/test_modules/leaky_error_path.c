// SPDX-License-Identifier: GPL-2.0
/*
 * error_path: a probe that fails half-way, and frees half of what it has.
 */
#include <linux/slab.h>

#include "leaky.h"

#define RING_SIZE	2000

struct leaky_port {
	void *ring;
	char name[100];
};

/* No such hardware: probing always gets to the error path. */
static int reset_port(struct leaky_port *port)
{
	expect_leak(port->ring, kmalloc_size_roundup(RING_SIZE), "leaky_probe");
	return -EIO;
}

/* A pointer that stays in the memory of a port could hide the ring. */
static void free_port(struct leaky_port *port)
{
	kfree_sensitive(port);
}

/* The leak: the last error jumps to the label of the first one. */
static noinline int leaky_probe(void)
{
	struct leaky_port *port = kzalloc(sizeof(*port), GFP_KERNEL);
	int err = -ENOMEM;

	if (!port)
		return err;
	port->ring = kzalloc(RING_SIZE, GFP_KERNEL);
	if (!port->ring)
		goto free_port;
	err = reset_port(port);
	if (err)
		goto free_port;
	return 0;

free_port:
	free_port(port);
	return err;
}

/* The fix: each error jumps to the label that frees all there is by then. */
static int fixed_probe(void)
{
	struct leaky_port *port = kzalloc(sizeof(*port), GFP_KERNEL);
	int err = -ENOMEM;

	if (!port)
		return err;
	port->ring = kzalloc(RING_SIZE, GFP_KERNEL);
	if (!port->ring)
		goto free_port;
	err = reset_port(port);
	if (err)
		goto free_ring;
	return 0;

free_ring:
	kfree(port->ring);
free_port:
	free_port(port);
	return err;
}

/* The test: a device that is missing must not keep the module from loading. */
static int run_error_path(void)
{
	int err = leaky_fixed ? fixed_probe() : leaky_probe();

	return err == -EIO ? 0 : err;
}

const struct leaky_pattern error_path_pattern = {
	.name = "error_path",
	.run = run_error_path,
};
