// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: /sys/kernel/debug/kmemleak.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "leaks.h"

/* Seconds that the system gets to come up before it is scanned. */
#define FIRST_SCAN_SECS	60

static int report_show(struct seq_file *seq, void *v)
{
	return kml_report(seq, v) ? SEQ_SKIP : 0;
}

static const struct seq_operations report_ops = {
	.start	= kml_leaks_start,
	.next	= kml_leaks_next,
	.stop	= kml_leaks_stop,
	.show	= report_show,
};

static int control_open(struct inode *inode, struct file *file)
{
	return kml_leaks_open(file, &report_ops);
}

static unsigned int interest_in(const struct kml_object *obj)
{
	return kml_is_leak(obj, NULL) ? 2 : kml_is_counted(obj);
}

/*
 * The object at an address, or around it, pinned, or NULL. The values of __percpu
 * pointers may be addresses of something else as well, of variables as a rule.
 */
static struct kml_object *find_object(unsigned long addr)
{
	struct kml_object *best = NULL;
	enum kml_space space;

	for (space = 0; space < KML_NR_SPACES; space++) {
		struct kml_object *obj = kml_find_judged(space, addr);

		if (obj && (!best || interest_in(obj) > interest_in(best)))
			swap(obj, best);
		if (obj)
			kml_put(obj);
	}
	return best;
}

static int explain(enum kml_command_id id, unsigned long addr)
{
	struct kml_object *obj = find_object(addr);
	int ret;

	if (!obj)
		return -EINVAL;
	ret = id == KML_CMD_REFS ? kml_refs_to_log(obj) : kml_describe(obj);
	kml_put(obj);
	return ret;
}

/*
 * Who parsed a number has left it on the stack, from where it could get into a hole
 * of a frame of who waits.
 */
static noinline void wipe_stack(void)
{
	unsigned long dead[128];

	memzero_explicit(dead, sizeof(dead));
}

/* Commands about the object at an address. */
static int control_object(struct kml_command *cmd)
{
	int ret;

	/* A scan that is waited for would take it for a reference. */
	cmd->addr = ~cmd->addr;
	wipe_stack();
	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	if (cmd->id == KML_CMD_CLEAR_AT)
		ret = kml_clear_leak(~cmd->addr);
	else
		ret = explain(cmd->id, ~cmd->addr);
	mutex_unlock(&kml_scan_mutex);
	return ret;
}

/* Commands about the thread and the state. */
static int control_thread(const struct kml_command *cmd)
{
	int ret = 0;

	if (mutex_lock_interruptible(&kml_control_mutex))
		return -EINTR;
	/* It may have been switched off since the caller looked. */
	if (!kml_tracking()) {
		ret = -EPERM;
	} else if (cmd->id == KML_CMD_SCAN_ON) {
		ret = kml_thread_start(0);
	} else if (cmd->id == KML_CMD_OFF) {
		kml_switch_off();
	} else {
		kml_thread_stop();
		if (cmd->id == KML_CMD_SCAN_PERIOD && cmd->secs) {
			kml_thread_set_period(cmd->secs);
			ret = kml_thread_start(0);
		}
	}
	mutex_unlock(&kml_control_mutex);
	return ret;
}

static int clear(void)
{
	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	if (kml_tracking())
		kml_clear_leaks();
	else
		kml_forget_all();
	mutex_unlock(&kml_scan_mutex);
	return 0;
}

static int run_command(struct kml_command *cmd)
{
	if (cmd->id == KML_CMD_CLEAR)
		return clear();
	if (!kml_tracking())
		return -EPERM;

	switch (cmd->id) {
	case KML_CMD_SCAN:
		return kml_scan_now();
	case KML_CMD_STACK_ON:
	case KML_CMD_STACK_OFF:
		WRITE_ONCE(kml_scan_stacks, cmd->id == KML_CMD_STACK_ON);
		return 0;
	case KML_CMD_DUMP:
	case KML_CMD_REFS:
	case KML_CMD_CLEAR_AT:
		return control_object(cmd);
	default:
		return control_thread(cmd);
	}
}

static ssize_t control_write(struct file *file, const char __user *ubuf,
			     size_t size, loff_t *ppos)
{
	char text[KML_COMMAND_MAX];
	struct kml_command cmd;
	int ret;

	if (size > sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, ubuf, size))
		return -EFAULT;
	ret = kml_parse_command(text, size, &cmd);
	if (!ret)
		ret = run_command(&cmd);
	return ret ?: size;
}

static const struct file_operations control_fops = {
	.owner		= THIS_MODULE,
	.open		= control_open,
	.read		= seq_read,
	.write		= control_write,
	.llseek		= seq_lseek,
	.release	= kml_leaks_release,
};

static int stats_show(struct seq_file *seq, void *v)
{
	kml_show_stats(seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int __init kml_late_init(void)
{
	struct dentry *info = debugfs_create_dir("kmemleak_info", NULL);

	debugfs_create_file("kmemleak", 0600, NULL, NULL, &control_fops);
	debugfs_create_file("stats", 0400, info, NULL, &stats_fops);
	debugfs_create_file("groups", 0400, info, NULL, &kml_groups_fops);
	debugfs_create_file("leaks.json", 0400, info, NULL, &kml_json_fops);
	if (!kml_tracking()) {
		pr_info("Kernel memory leak detector disabled\n");
		return 0;
	}

	if (kml_modtext_init())
		pr_warn("cannot follow modules: frames of unloaded ones will have no names\n");

	kml_hide_memmap();
	kml_hide_depot();
	kml_stacks_init();
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_AUTO_SCAN)) {
		mutex_lock(&kml_control_mutex);
		if (kml_thread_start(FIRST_SCAN_SECS))
			pr_warn("cannot start the scan thread\n");
		mutex_unlock(&kml_control_mutex);
	}

	pr_info("Kernel memory leak detector initialized (mem pool available: %u)\n",
		kml_pool_left());
	return 0;
}
late_initcall(kml_late_init);
