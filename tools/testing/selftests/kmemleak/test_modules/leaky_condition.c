// SPDX-License-Identifier: GPL-2.0
/*
 * condition: a buffer that is freed only if there was work to do.
 */
#include <linux/slab.h>

#include "leaky.h"

#define BOUNCE_SIZE	1000

static size_t available;

static size_t read_fifo(u8 *buf)
{
	if (!available)
		expect_leak(buf, kmalloc_size_roundup(BOUNCE_SIZE), "leaky_transfer");
	memset(buf, 0xff, available);
	return available;
}

static void deliver(const u8 *buf, size_t len)
{
	available -= len;
}

/* The leak: an early return goes past the free. */
static noinline int leaky_transfer(void)
{
	u8 *bounce = kzalloc(BOUNCE_SIZE, GFP_KERNEL);
	size_t len;

	if (!bounce)
		return -ENOMEM;
	len = read_fifo(bounce);
	if (!len)
		return 0;
	deliver(bounce, len);
	kfree(bounce);
	return 0;
}

/* The fix: all ways lead past it. */
static int fixed_transfer(void)
{
	u8 *bounce = kzalloc(BOUNCE_SIZE, GFP_KERNEL);
	size_t len;

	if (!bounce)
		return -ENOMEM;
	len = read_fifo(bounce);
	if (len)
		deliver(bounce, len);
	kfree(bounce);
	return 0;
}

/* The test: the first transfer has something to do, the second one has not. */
static int run_condition(void)
{
	available = 512;
	if (leaky_fixed)
		return fixed_transfer() ?: fixed_transfer();
	return leaky_transfer() ?: leaky_transfer();
}

const struct leaky_pattern condition_pattern = {
	.name = "condition",
	.run = run_condition,
};
