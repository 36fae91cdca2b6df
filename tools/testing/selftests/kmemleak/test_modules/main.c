// SPDX-License-Identifier: GPL-2.0
/*
 * Debugfs files of the module that makes objects for the kmemleak selftests.
 *
 * "command" takes one word, or NAME=ARGUMENT, a write; "expected" tells what
 * the report should now have to say of each object.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hidden.h"
#include "selftest.h"

bool bare;
module_param(bare, bool, 0444);
MODULE_PARM_DESC(bare, "do nothing that makes leaks easier to find");

/* Commands change the records, and reading "expected" walks them. */
static DEFINE_MUTEX(records_mutex);
static struct dentry *dir;

static int free_all(const char *arg)
{
	drop_holders(arg);
	forget_shared();
	forget_annotated();
	forget_recycled();
	forget_counted();
	free_records();
	free_many();
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const char *arg);
} commands[] = {
	{ "leak", leak_objects },
	{ "hold", hold_objects },
	{ "drop", drop_holders },
	{ "annotate", annotate_objects },
	{ "orphan", make_orphan },
	{ "adopt", make_adopted },
	{ "list", make_list },
	{ "shared", make_shared },
	{ "recycled", make_recycled },
	{ "counted", make_counted },
	{ "children", make_children },
	{ "many", make_many },
	{ "lose", lose_many },
	{ "forget", forget_many },
	{ "retire", retire_records },
	{ "free", free_all },
};

/* Not inlined: its frame has to be a dead one by the time of wipe_stack(). */
static noinline int run_command(char *line)
{
	char *name = strsep(&line, "=");
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(line ?: "");
	return -EINVAL;
}

static ssize_t command_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	char line[64];
	int err;

	if (count >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, from, count))
		return -EFAULT;
	line[count] = '\0';

	mutex_lock(&records_mutex);
	err = run_command(strim(line));
	mutex_unlock(&records_mutex);
	if (!bare)
		wipe_stack(WIPE_DEPTH);
	return err ? err : (ssize_t)count;
}

static const struct file_operations command_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = command_write,
};

static int expected_show(struct seq_file *seq, void *unused)
{
	mutex_lock(&records_mutex);
	show_records(seq);
	mutex_unlock(&records_mutex);
	wipe_stack(WIPE_DEPTH);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(expected);

static int __init selftest_init(void)
{
	int err = init_allocators();

	if (err)
		return err;
	err = init_annotations();
	if (err)
		goto allocators;
	err = init_many();
	if (err)
		goto annotations;
	err = init_recycled();
	if (err)
		goto many;
	dir = debugfs_create_dir("kmemleak_selftest", NULL);
	debugfs_create_file("command", 0200, dir, NULL, &command_fops);
	debugfs_create_file("expected", 0400, dir, NULL, &expected_fops);
	return 0;

many:
	exit_many();
annotations:
	exit_annotations();
allocators:
	exit_allocators();
	return err;
}
module_init(selftest_init);

static void __exit selftest_exit(void)
{
	debugfs_remove(dir);
	free_all("");
	exit_recycled();
	exit_many();
	exit_annotations();
	exit_allocators();
}
module_exit(selftest_exit);

MODULE_DESCRIPTION("Objects with a known fate for the kmemleak selftests");
MODULE_LICENSE("GPL");
