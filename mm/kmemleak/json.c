// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: leaks in JSON, an object a line.
 *
 * What is in a name, of a task, of a cache or of a function, is up to others. It
 * gets into a string byte by byte: what is not printable ASCII is written as the
 * character with the number of the byte.
 */
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "leaks.h"

/**
 * kml_json_string() - print a string, or null without one
 * @seq: where to
 * @text: its bytes, or NULL
 * @len: how many
 *
 * Context: Any.
 */
void kml_json_string(struct seq_file *seq, const char *text, size_t len)
{
	size_t i;

	if (!text) {
		seq_puts(seq, "null");
		return;
	}
	seq_putc(seq, '"');
	for (i = 0; i < len; i++) {
		u8 byte = text[i];

		if (byte < ' ' || byte > '~')
			seq_printf(seq, "\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			seq_printf(seq, "\\%c", byte);
		else
			seq_putc(seq, byte);
	}
	seq_putc(seq, '"');
}

static void print_string(struct seq_file *seq, const char *text)
{
	kml_json_string(seq, text, strlen(text));
}

/* The module that a frame names behind its function, or NULL. */
static char *module_in(char *symbol)
{
	char *start = strrchr(symbol, '[');
	char *end = start ? strchr(start, ']') : NULL;

	if (!end)
		return NULL;
	*end = '\0';
	return start + 1;
}

/* The first module that a trace leads through. */
static void print_module(struct seq_file *seq, depot_stack_handle_t trace)
{
	struct kml_frames frames = kml_frames_of(trace);
	char symbol[KSYM_SYMBOL_LEN];
	char *module = NULL;

	while (!module && kml_next_frame(&frames, symbol))
		module = module_in(symbol);
	kml_json_string(seq, module, module ? strlen(module) : 0);
}

static void print_trace(struct seq_file *seq, depot_stack_handle_t trace)
{
	struct kml_frames frames = kml_frames_of(trace);
	char symbol[KSYM_SYMBOL_LEN];
	const char *comma = "";

	while (kml_next_frame(&frames, symbol)) {
		seq_puts(seq, comma);
		print_string(seq, symbol);
		comma = ",";
	}
}

/**
 * kml_json_leak() - print a leaked object as one line of JSON
 * @seq: where to
 * @obj: a pinned object
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0, or -ENOENT if the object was freed and nothing was printed.
 */
int kml_json_leak(struct seq_file *seq, struct kml_object *obj)
{
	depot_stack_handle_t trace = READ_ONCE(obj->trace);
	unsigned long age = jiffies - obj->jiffies;
	char comm[TASK_COMM_LEN];
	struct kml_kind kind;
	int err = kml_kind_of(obj, &kind);

	if (err)
		return err;

	kml_comm_fetch(obj->comm, comm);
	/* A number in JSON need not have more than 53 bits. */
	seq_printf(seq, "{\"address\":\"0x%08lx\",\"size\":%zu", obj->start,
		   obj->size);
	seq_printf(seq, ",\"kind\":\"%s\",\"cache\":", kind.name);
	kml_json_string(seq, *kind.cache ? kind.cache : NULL,
			strlen(kind.cache));
	seq_puts(seq, ",\"comm\":");
	print_string(seq, comm);
	seq_printf(seq, ",\"pid\":%d,\"age_ms\":%llu", obj->pid,
		   jiffies64_to_msecs(age));
	if (obj->held_by)
		seq_printf(seq, ",\"direct\":false,\"held_by\":\"0x%08lx\"",
			   obj->held_by);
	else
		seq_puts(seq, ",\"direct\":true,\"held_by\":null");
	seq_puts(seq, ",\"module\":");
	print_module(seq, trace);
	seq_printf(seq, ",\"crc\":\"%x\",\"trace\":[", obj->crc);
	print_trace(seq, trace);
	seq_puts(seq, "]}\n");
	return 0;
}

static int json_show(struct seq_file *seq, void *v)
{
	return kml_json_leak(seq, v) ? SEQ_SKIP : 0;
}

static const struct seq_operations json_ops = {
	.start	= kml_leaks_start,
	.next	= kml_leaks_next,
	.stop	= kml_leaks_stop,
	.show	= json_show,
};

static int json_open(struct inode *inode, struct file *file)
{
	return kml_leaks_open(file, &json_ops);
}

const struct file_operations kml_json_fops = {
	.open		= json_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= kml_leaks_release,
};
