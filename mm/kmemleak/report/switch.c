// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: switching it off, and on again.
 *
 * Whatever was allocated while it was off is unknown: it is a root, and never reported.
 * Objects of slabs have slots that say so. All other memory is read by pages: of those
 * that nobody has registered since.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/stackdepot.h>
#include <linux/sysfs.h>

#include "../track/track.h"
#include "report.h"

/* ---- Off ---- */

/**
 * kml_forget() - give back all metadata of a detector that is off, and call no hooks
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 */
void kml_forget(void)
{
	kml_forget_all();
	kml_call_hooks(false);
}

/**
 * kml_switch_off() - stop tracking and scanning
 *
 * What was reported stays readable until kml_forget().
 *
 * Context: Holder of kml_control_mutex; may sleep.
 * Return: 0; -EINTR on a signal, and the detector is on.
 */
int kml_switch_off(void)
{
	int ret;

	lockdep_assert_held(&kml_control_mutex);
	ret = kml_bar_scans(-EPERM);
	if (ret)
		return ret;
	/* From here on scans see the state, and a signal comes too late. */
	kml_state_advance(KML_STATE_OFF);
	kml_trace_keep(false);
	kml_allow_scans();
	kml_thread_end();

	mutex_lock(&kml_scan_mutex);
	if (kml_have_leaks())
		pr_info("off; what was found is kept until \"clear\" is written to /sys/kernel/debug/kmemleak\n");
	else
		kml_forget();
	mutex_unlock(&kml_scan_mutex);
	return 0;
}

/* ---- On ---- */

static int get_on(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%c\n", kml_tracking() ? 'Y' : 'N');
}

/* Also to be given at boot, as kmemleak=on and kmemleak=off. */
static int __ref set_on(const char *val, const struct kernel_param *kp)
{
	bool on;
	int ret = kstrtobool(val, &on);

	if (ret)
		return ret;
	if (system_state == SYSTEM_BOOTING) {
		kml_state_want(on);
		return 0;
	}
	if (mutex_lock_interruptible(&kml_control_mutex))
		return -EINTR;
	if (on)
		ret = kml_switch_on();
	else if (kml_tracking())
		ret = kml_switch_off();
	mutex_unlock(&kml_control_mutex);
	/* It is what was asked for. */
	return ret == -EALREADY ? 0 : ret;
}

static const struct kernel_param_ops on_ops = {
	.set = set_on,
	.get = get_on,
};
module_param_cb(on, &on_ops, NULL, 0600);

/* All that hooks need. What an earlier call has made is still there. */
static int get_ready(void)
{
	int ret = stack_depot_init() ?: kml_pool_init();

	if (ret)
		return ret;
	kml_names_init();
	kml_unknown_forget();
	ret = kml_slab_init();
	if (ret)
		return ret;
	kml_trace_init();
	ret = kml_note_areas();
	if (!ret)
		kml_find_special_caches(kml_area_pages);
	return ret;
}

/* Objects of KFENCE have a page each, which tells where its last one was. */
static void adopt_kfence(struct page *page)
{
	void *addr = page_address(page), *start;
	size_t size;

	if (!is_kfence_address(addr))
		return;
	start = kfence_object_start(addr);
	size = kfence_ksize(addr);
	if (start && size)
		kml_track_unknown((unsigned long)kasan_reset_tag(start), size, 0);
}

static void adopt_page(struct page *page, void *arg)
{
	adopt_kfence(page);
	if (!kml_adopt_slab(page))
		kml_unknown_add(KML_VIRT, (unsigned long)page_address(page),
				page_size(page));
}

/*
 * From here on all is tracked that comes. What is there becomes a root. Code is patched
 * one place after the other: an object that is tracked must not be freed where the hook
 * is not called yet.
 */
static int begin(void)
{
	int ret;

	kml_call_hooks(true);
	kml_trace_keep(true);
	kml_state_begin_late();
	kml_adopt_sections();
	kml_adopt_boot_memory();
	kml_scan_init();
	ret = kml_pages_start();
	if (ret)
		return ret;
	kml_visit_pages_in_use(adopt_page, NULL);
	kml_learn_free();
	return 0;
}

/**
 * kml_switch_on() - track from now on; what is there is unknown
 *
 * Context: Holder of kml_control_mutex; may sleep.
 * Return: 0; -EALREADY if it is on; -EINTR on a signal, or -ENOMEM, and it is off.
 */
int kml_switch_on(void)
{
	int ret;

	lockdep_assert_held(&kml_control_mutex);
	if (kml_tracking())
		return -EALREADY;
	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	if (kml_following_frees())
		kml_forget();
	ret = get_ready();
	if (!ret)
		ret = begin();
	if (ret && kml_tracking()) {
		kml_state_advance(KML_STATE_OFF);
		kml_trace_keep(false);
		kml_forget();
	}
	mutex_unlock(&kml_scan_mutex);
	if (ret)
		return ret;

	kml_release_init();
	kml_thread_begin();
	pr_info("on; what was there before is not known, and is never reported\n");
	return 0;
}
