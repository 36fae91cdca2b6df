// SPDX-License-Identifier: GPL-2.0
/*
 * exit_buffer: a global buffer that the exit function forgets.
 */
#include <linux/slab.h>

#include "leaky.h"

#define FIRMWARE_SIZE	3000

/* The leak: there were two buffers to be freed. */
static u8 *calibration;
static u8 *firmware;

static noinline int leaky_load_firmware(void)
{
	calibration = kzalloc(200, GFP_KERNEL);
	firmware = kzalloc(FIRMWARE_SIZE, GFP_KERNEL);
	return calibration && firmware ? 0 : -ENOMEM;
}

static void leaky_unload_firmware(void)
{
	kfree(calibration);
}

/* The fix: free all that was allocated. */
static void fixed_unload_firmware(void)
{
	kfree(firmware);
	kfree(calibration);
}

/* The test: until the module goes the buffer is in use. */
static int run_exit_buffer(void)
{
	int err = leaky_load_firmware();

	if (err)
		fixed_unload_firmware();
	else
		expect_leak(firmware, kmalloc_size_roundup(FIRMWARE_SIZE),
			    "leaky_load_firmware");
	return err;
}

static void exit_exit_buffer(void)
{
	if (leaky_fixed)
		fixed_unload_firmware();
	else
		leaky_unload_firmware();
}

const struct leaky_pattern exit_buffer_pattern = {
	.name = "exit_buffer",
	.run = run_exit_buffer,
	.exit = exit_exit_buffer,
};
