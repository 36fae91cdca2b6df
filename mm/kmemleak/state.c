// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: whether it is on, and how it complains.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>

#include "internal.h"

/* Held to start or stop the scan thread and to switch the detector off. */
DEFINE_MUTEX(kml_control_mutex);

/*
 * Held for a scan, for a piece of a report, to clear: protects the fields of
 * objects that name it, and the scan buffer.
 */
DEFINE_MUTEX(kml_scan_mutex);

/* Number of the scan that runs, or ran last. Written under kml_scan_mutex. */
u32 kml_scan_seq = 1;

time64_t kml_on_since __read_mostly;

/* Written when the state changes only; see enum kml_state. */
enum kml_state kml_state __read_mostly = KML_STATE_EARLY;

/* What the command line says; the configured default where it is silent. */
static bool kml_wanted __initdata = !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF);

/**
 * kml_state_want() - say whether this boot shall run the detector
 * @on: whether it shall
 *
 * Context: Boot, while parameters are parsed.
 */
void __init kml_state_want(bool on)
{
	kml_wanted = on;
	/* Traces are saved long before the depot would start by itself. */
	if (on)
		stack_depot_request_early_init();
}

static int __init kml_setup(char *str)
{
	if (!str)
		return -EINVAL;
	if (strcmp(str, "on") && strcmp(str, "off"))
		return -EINVAL;
	kml_state_want(!strcmp(str, "on"));
	return 0;
}
early_param("kmemleak", kml_setup);

/**
 * kml_state_wanted() - ask whether this boot shall run the detector
 *
 * Context: Boot, after the early parameters were parsed.
 * Return: true unless the command line or the configuration says off.
 */
bool __init kml_state_wanted(void)
{
	return kml_wanted;
}

/**
 * kml_state_advance() - enter the next state of life
 * @state: the new state; a state that was passed already is ignored
 *
 * The caller sees to it that nobody else advances the state at the same time:
 * boot code on its single CPU, later the holder of kml_control_mutex.
 *
 * Context: Any.
 */
void kml_state_advance(enum kml_state state)
{
	if (state > kml_state)
		WRITE_ONCE(kml_state, state);
}

/**
 * kml_state_begin_late() - track from now on, in a system that has been running
 *
 * Context: Holder of kml_control_mutex and kml_scan_mutex, when all metadata has been
 * given back.
 */
void kml_state_begin_late(void)
{
	lockdep_assert_held(&kml_control_mutex);
	lockdep_assert_held(&kml_scan_mutex);
	/* Before the first hook asks for it. */
	WRITE_ONCE(kml_on_since, ktime_get_boottime_seconds() ?: 1);
	/* Pairs with the acquire, or the dependency, of who finds it on. */
	smp_store_release(&kml_state, KML_STATE_ON);
}

/**
 * kml_warn() - tell of a wrong use of the hooks
 * @fmt: format of the message, with its newline
 *
 * The message is rate-limited and printed later, since hooks are called under
 * locks that printing may need.
 *
 * Context: Any but NMI.
 */
void kml_warn(const char *fmt, ...)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 10);
	struct va_format vaf;
	unsigned long flags;
	va_list args;

	if (!__ratelimit(&limit))
		return;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	local_irq_save(flags);
	printk_deferred_enter();
	pr_warn("%pV", &vaf);
	printk_deferred_exit();
	local_irq_restore(flags);
	va_end(args);
}
