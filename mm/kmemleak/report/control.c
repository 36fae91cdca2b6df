// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the language of the control file.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/uaccess.h>

#include "report.h"

/* Words without an argument. */
static const struct {
	const char *word;
	enum kml_command_id id;
} words[] = {
	{ "scan",	KML_CMD_SCAN },
	{ "scan=on",	KML_CMD_SCAN_ON },
	{ "scan=off",	KML_CMD_SCAN_OFF },
	{ "stack=on",	KML_CMD_STACK_ON },
	{ "stack=off",	KML_CMD_STACK_OFF },
	{ "clear",	KML_CMD_CLEAR },
	{ "mark",	KML_CMD_MARK },
	{ "on",		KML_CMD_ON },
	{ "off",	KML_CMD_OFF },
};

static int parse_argument(const char *text, struct kml_command *cmd)
{
	const char *arg = strchr(text, '=');

	if (!arg)
		return -EINVAL;
	arg++;
	/* The conversions below take a sign. */
	if (!isdigit(*arg))
		return -EINVAL;

	if (str_has_prefix(text, "scan=") && !kstrtouint(arg, 0, &cmd->secs))
		cmd->id = KML_CMD_SCAN_PERIOD;
	else if (str_has_prefix(text, "dump=") && !kstrtoul(arg, 0, &cmd->addr))
		cmd->id = KML_CMD_DUMP;
	else if (str_has_prefix(text, "clear=") && !kstrtoul(arg, 0, &cmd->addr))
		cmd->id = KML_CMD_CLEAR_AT;
	else if (str_has_prefix(text, "refs=") && !kstrtoul(arg, 0, &cmd->addr))
		cmd->id = KML_CMD_REFS;
	else
		return -EINVAL;
	return 0;
}

/* What programs and shells put behind a command. */
static bool is_padding(char c)
{
	/* Beyond ASCII, the kernel has a space that no user means. */
	return !c || (isascii(c) && isspace(c));
}

/**
 * kml_parse_command() - understand one write to the control file
 * @text: what was written
 * @len: its length in bytes
 * @cmd: set to the command
 *
 * White space and NUL bytes behind the command count as part of the length and
 * mean nothing else.
 *
 * Context: Any.
 * Return: 0; -EINVAL if it is no command.
 */
int kml_parse_command(const char *text, size_t len, struct kml_command *cmd)
{
	char buf[KML_COMMAND_MAX + 1];
	unsigned int i;

	if (len > KML_COMMAND_MAX)
		return -EINVAL;
	while (len && is_padding(text[len - 1]))
		len--;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (strlen(buf) != len)
		return -EINVAL;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(buf, words[i].word)) {
			cmd->id = words[i].id;
			return 0;
		}
	}
	return parse_argument(buf, cmd);
}

/* ---- Figures ---- */

/**
 * struct totals - what is tracked
 * @objects: how many objects
 * @bytes: how long they are together
 * @leaks: how many of the objects are reported
 */
struct totals {
	unsigned long objects;
	unsigned long bytes;
	unsigned long leaks;
};

static int add_object(const struct kml_ref *ref, void *arg)
{
	struct totals *totals = arg;

	totals->objects++;
	totals->bytes += kml_ref_size(ref);
	totals->leaks += kml_ref_is_leak(ref);
	return 0;
}

static const char * const deferred_names[] = {
	[KML_DEFERRED_TASKS] = "tasks",
	[KML_DEFERRED_FILES] = "files",
	[KML_DEFERRED_INIT_DATA] = "init sections",
	[KML_DEFERRED_RCU] = "call_rcu",
	[KML_DEFERRED_WORK] = "work items",
	[KML_DEFERRED_VMALLOC] = "vmalloc",
};

static_assert(ARRAY_SIZE(deferred_names) == KML_NR_DEFERRED);

static void show_wait(struct seq_file *seq, const struct kml_wait *wait)
{
	unsigned long given_up = READ_ONCE(wait->given_up);
	unsigned long us = READ_ONCE(wait->us);
	const char *comma = "";
	unsigned int what;

	seq_printf(seq, "last scan ms waited before: %lu.%03lu\n",
		   us / USEC_PER_MSEC, us % USEC_PER_MSEC);
	seq_puts(seq, "last scan waits given up: ");
	if (!given_up)
		seq_puts(seq, "none");
	for_each_set_bit(what, &given_up, KML_NR_DEFERRED) {
		seq_printf(seq, "%s%s", comma, deferred_names[what]);
		comma = ", ";
	}
	seq_putc(seq, '\n');
}

static const char *state_name(void)
{
	if (kml_tracking())
		return "on";
	return kml_following_frees() ? "off" : "cleared";
}

/* What is known of objects begins when tracking has begun. */
static void show_unknown(struct seq_file *seq)
{
	time64_t since = READ_ONCE(kml_on_since);
	struct kml_page_counts pages;

	seq_printf(seq, "on since: %llu\n", kml_tracking() ? (u64)since : 0);
	seq_printf(seq, "unknown slots: %lu\n", kml_unknown_slots());
	kml_count_pages(&pages);
	seq_printf(seq, "root pages: %lu\n", pages.all);
	seq_printf(seq, "root pages kmalloc: %lu\n", pages.of[KML_PAGE_KMALLOC]);
	seq_printf(seq, "root pages accounted: %lu\n", pages.of[KML_PAGE_ACCOUNTED]);
	seq_printf(seq, "root pages compound: %lu\n", pages.of[KML_PAGE_COMPOUND]);
	seq_printf(seq, "root pages single: %lu\n", pages.of[KML_PAGE_SINGLE]);
}

/*
 * Figures are counted when they are asked for, which keeps allocations cheap, and
 * without a stop to what goes on.
 */
static void show_stats(struct seq_file *seq)
{
	const struct kml_scan_stats *scans = kml_scan_stats();
	struct totals totals = {};
	unsigned long metadata = kml_store_memory() + kml_trace_memory();

	kml_for_each(KML_ALL, kml_ref_any, add_object, &totals);
	seq_printf(seq, "state: %s\n", state_name());
	seq_printf(seq, "objects: %lu\n", totals.objects);
	seq_printf(seq, "bytes: %lu\n", totals.bytes);
	seq_printf(seq, "metadata bytes: %lu\n", metadata);
	seq_printf(seq, "slabs: %lu\n", kml_nr_slabs());
	seq_printf(seq, "unknown objects: %lu\n", kml_unknown_objects());
	seq_printf(seq, "pool left: %u\n", kml_pool_left());
	seq_printf(seq, "names: %u of %u\n", kml_names_taken(), KML_NAMES_MAX);
	seq_printf(seq, "scans: %lu\n", READ_ONCE(scans->scans));
	seq_printf(seq, "last scan ms: %lu\n", READ_ONCE(scans->ms));
	seq_printf(seq, "last scan words: %lu\n", READ_ONCE(scans->words));
	seq_printf(seq, "last scan suspects: %lu\n", READ_ONCE(scans->suspects));
	seq_printf(seq, "last scan undecided: %lu\n",
		   READ_ONCE(scans->undecided));
	seq_printf(seq, "last scan verdict: %s\n",
		   READ_ONCE(scans->exact) ? "exact" : "repeated");
	seq_printf(seq, "last scan us stopped: %llu\n",
		   READ_ONCE(scans->stopped_us));
	seq_printf(seq, "last scan passes: %u\n", READ_ONCE(scans->passes));
	seq_printf(seq, "leaks now: %lu\n", totals.leaks);
	seq_printf(seq, "leaks ever: %lu\n", READ_ONCE(scans->leaks_ever));
	seq_printf(seq, "running scan words: %lu\n", kml_words_read());
	show_wait(seq, &scans->wait);
	seq_printf(seq, "last scan threads: %u\n", READ_ONCE(scans->threads));
	seq_printf(seq, "seconds since mark: %lu\n", kml_interval() / HZ);
	show_unknown(seq);
}

/* ---- Files ---- */

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

static unsigned int interest_in(const struct kml_ref *ref)
{
	return kml_ref_is_leak(ref) ? 2 : kml_ref_needed(ref) > KML_GRAY;
}

/*
 * The object at an address, or around it, pinned. The values of __percpu pointers
 * may be addresses of something else as well, of variables as a rule.
 */
static bool find_object(unsigned long addr, struct kml_ref *best)
{
	enum kml_space space;
	bool found = false;

	for (space = 0; space < KML_NR_SPACES; space++) {
		struct kml_ref ref;

		if (!kml_ref_find(space, addr, &ref))
			continue;
		if (found && interest_in(&ref) > interest_in(best))
			swap(ref, *best);
		if (found)
			kml_ref_put(&ref);
		else
			*best = ref;
		found = true;
	}
	return found;
}

static int explain(enum kml_command_id id, unsigned long addr)
{
	struct kml_ref ref;
	int ret;

	if (!find_object(addr, &ref))
		return -EINVAL;
	ret = id == KML_CMD_REFS ? kml_refs_to_log(&ref) : kml_describe(&ref);
	kml_ref_put(&ref);
	return ret;
}

static bool is_about_object(const char *text)
{
	return str_has_prefix(text, "dump=") || str_has_prefix(text, "refs=") ||
	       str_has_prefix(text, "clear=");
}

/*
 * Commands about the object at an address. The address is text as long as a scan
 * is waited for: that would take a number on the stack of the task that waits for
 * a reference, and the leak that a user wants to know of would be none.
 */
static int control_object(const char *text, size_t size)
{
	struct kml_command cmd;
	struct kml_wait wait;
	int ret;

	/* What goes away in a moment is no answer to who refers to an object. */
	if (kml_tracking() && !str_has_prefix(text, "clear=")) {
		ret = kml_wait_for_deferred(&wait);
		if (ret)
			return ret;
	}
	if (mutex_lock_interruptible(&kml_scan_mutex))
		return -EINTR;
	ret = kml_parse_command(text, size, &cmd);
	if (!ret && !kml_tracking())
		ret = -EPERM;
	if (!ret && cmd.id == KML_CMD_CLEAR_AT)
		ret = kml_clear_leak(cmd.addr);
	else if (!ret)
		ret = explain(cmd.id, cmd.addr);
	mutex_unlock(&kml_scan_mutex);
	return ret;
}

/* Commands about the thread and the state. */
static int control_thread(const struct kml_command *cmd)
{
	int ret;

	if (mutex_lock_interruptible(&kml_control_mutex))
		return -EINTR;
	/* It may have been switched off since the caller looked. */
	if (!kml_tracking())
		ret = -EPERM;
	else if (cmd->id == KML_CMD_SCAN_ON)
		ret = kml_thread_start(0);
	else if (cmd->id == KML_CMD_OFF)
		ret = kml_switch_off();
	else if (cmd->id == KML_CMD_SCAN_PERIOD && cmd->secs)
		ret = kml_thread_set_period(cmd->secs);
	else
		ret = kml_thread_stop();
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
		kml_forget();
	mutex_unlock(&kml_scan_mutex);
	return 0;
}

static int switch_on(void)
{
	int ret;

	if (mutex_lock_interruptible(&kml_control_mutex))
		return -EINTR;
	ret = kml_switch_on();
	mutex_unlock(&kml_control_mutex);
	return ret;
}

static int run_command(const struct kml_command *cmd)
{
	if (cmd->id == KML_CMD_CLEAR)
		return clear();
	if (cmd->id == KML_CMD_ON)
		return switch_on();
	if (!kml_tracking())
		return -EPERM;

	switch (cmd->id) {
	case KML_CMD_SCAN:
		return kml_scan_now();
	case KML_CMD_STACK_ON:
	case KML_CMD_STACK_OFF:
		WRITE_ONCE(kml_scan_stacks, cmd->id == KML_CMD_STACK_ON);
		return 0;
	case KML_CMD_MARK:
		return kml_begin_interval();
	default:
		return control_thread(cmd);
	}
}

static ssize_t control_write(struct file *file, const char __user *ubuf,
			     size_t size, loff_t *ppos)
{
	char text[KML_COMMAND_MAX + 1] = {};
	struct kml_command cmd;
	int ret;

	if (size > KML_COMMAND_MAX)
		return -EINVAL;
	if (copy_from_user(text, ubuf, size))
		return -EFAULT;
	if (is_about_object(text)) {
		ret = control_object(text, size);
	} else {
		ret = kml_parse_command(text, size, &cmd);
		if (!ret)
			ret = run_command(&cmd);
	}
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
	show_stats(seq);
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
	debugfs_create_file("live", 0400, info, NULL, &kml_live_fops);
	debugfs_create_file("live.json", 0400, info, NULL, &kml_live_json_fops);
	if (!kml_tracking()) {
		pr_info("Kernel memory leak detector disabled\n");
		return 0;
	}

	mutex_lock(&kml_control_mutex);
	mutex_lock(&kml_scan_mutex);
	kml_scan_init();
	mutex_unlock(&kml_scan_mutex);
	kml_release_init();
	kml_pages_init();
	kml_thread_begin();
	mutex_unlock(&kml_control_mutex);

	pr_info("Kernel memory leak detector initialized (mem pool available: %u)\n",
		kml_pool_left());
	return 0;
}
late_initcall(kml_late_init);
