// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the walk over leaks, for files with one record for
 * each of them.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "report.h"

/* Address spaces in which there can be leaks, in the order of the files. */
static const enum kml_space leak_spaces[] = { KML_VIRT, KML_PERCPU };

/**
 * struct leaks_iter - place in the leaks of one open file
 * @pos: number of the leak that comes next
 * @space: its index in leak_spaces
 * @cur: where in that space to look for it
 * @after: where to go on after it
 *
 * Places are kept as addresses, so that a leak that vanishes between two reads
 * does not shift the ones after it. No scan may take them for references, so
 * this is in a page of its own, which is not tracked and not scanned.
 */
struct leaks_iter {
	loff_t pos;
	unsigned int space;
	struct kml_cursor cur;
	struct kml_cursor after;
};

static void iter_rewind(struct leaks_iter *iter)
{
	iter->pos = 0;
	iter->space = 0;
	iter->cur = (struct kml_cursor)KML_CURSOR(&kml_trees[leak_spaces[0]]);
}

/* The next leak, pinned, or NULL at the end. */
static struct kml_record *iter_peek(struct leaks_iter *iter)
{
	struct kml_record *rec;

	for (;;) {
		iter->after = iter->cur;
		if (kml_collect(&iter->after, kml_is_leak, NULL, &rec, 1))
			return rec;
		if (++iter->space >= ARRAY_SIZE(leak_spaces))
			break;
		iter->cur = (struct kml_cursor)
			KML_CURSOR(&kml_trees[leak_spaces[iter->space]]);
	}
	/* Stays at the end of the last space. */
	iter->space--;
	iter->cur = iter->after;
	return NULL;
}

static void iter_step(struct leaks_iter *iter)
{
	iter->cur = iter->after;
	iter->pos++;
}

/**
 * kml_leaks_start() - go to a leak, for struct seq_operations
 * @seq: of a file opened by kml_leaks_open()
 * @pos: number of the leak
 *
 * Context: Process context; may sleep. Takes kml_scan_mutex, unless it fails.
 * Return: the leak, pinned; NULL if there are not so many; -EINTR on a signal.
 */
void *kml_leaks_start(struct seq_file *seq, loff_t *pos)
{
	struct leaks_iter *iter = seq->private;
	struct kml_record *rec;

	if (mutex_lock_interruptible(&kml_scan_mutex))
		return ERR_PTR(-EINTR);

	if (*pos < iter->pos || !*pos)
		iter_rewind(iter);
	while ((rec = iter_peek(iter)) && iter->pos < *pos) {
		kml_put(rec);
		iter_step(iter);
	}
	return rec;
}

/**
 * kml_leaks_next() - go from one leak to the next, for struct seq_operations
 * @seq: of a file opened by kml_leaks_open()
 * @v: the leak, which is no longer pinned by this
 * @pos: its number, is increased
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: the next leak, pinned, or NULL at the end.
 */
void *kml_leaks_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct leaks_iter *iter = seq->private;

	kml_put(v);
	iter_step(iter);
	*pos = iter->pos;
	return iter_peek(iter);
}

/**
 * kml_leaks_stop() - end what kml_leaks_start() began, for struct seq_operations
 * @seq: of a file opened by kml_leaks_open()
 * @v: what that one or kml_leaks_next() has returned
 *
 * Context: Process context. Gives kml_scan_mutex back.
 */
void kml_leaks_stop(struct seq_file *seq, void *v)
{
	/* Not locked if kml_leaks_start() was interrupted. */
	if (IS_ERR(v))
		return;
	if (v)
		kml_put(v);
	mutex_unlock(&kml_scan_mutex);
}

/**
 * kml_leaks_open() - open a file that has a record for each leak
 * @file: the file
 * @ops: with kml_leaks_start(), kml_leaks_next() and kml_leaks_stop(), and with
 *	a function that shows a struct kml_record
 *
 * Context: Process context; may sleep.
 * Return: 0 or a negative error code.
 */
int kml_leaks_open(struct file *file, const struct seq_operations *ops)
{
	struct leaks_iter *iter;
	int ret;

	BUILD_BUG_ON(sizeof(*iter) > PAGE_SIZE);
	iter = kml_alloc_hidden(PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!iter)
		return -ENOMEM;
	ret = seq_open(file, ops);
	if (ret)
		kml_free_hidden(iter, PAGE_SIZE);
	else
		((struct seq_file *)file->private_data)->private = iter;
	return ret;
}

/**
 * kml_leaks_release() - close a file that was opened by kml_leaks_open()
 * @inode: its inode
 * @file: the file
 *
 * Context: Process context; may sleep.
 * Return: 0.
 */
int kml_leaks_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	kml_free_hidden(seq->private, PAGE_SIZE);
	return seq_release(inode, file);
}

/* ---- JSON ---- */

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
	/* A frame of code without a name has nothing but the brackets. */
	char *start = strrchr(symbol + 1, '[');
	char *end = start ? strchr(start, ']') : NULL;

	/* There are frames that are nothing but an explanation. */
	if (!end || start == symbol)
		return NULL;
	*end = '\0';
	return start + 1;
}

/**
 * kml_json_module() - print the first module that a trace leads through, as a member
 * @seq: where to
 * @trace: the trace
 *
 * Context: Process context; may sleep.
 */
void kml_json_module(struct seq_file *seq, depot_stack_handle_t trace)
{
	struct kml_frames frames = kml_frames_of(trace);
	char symbol[KSYM_SYMBOL_LEN];
	char *module = NULL;

	while (!module && kml_next_frame(&frames, symbol))
		module = module_in(symbol);
	seq_puts(seq, ",\"module\":");
	kml_json_string(seq, module, module ? strlen(module) : 0);
}

/**
 * kml_json_trace() - print the frames of a trace, as a member
 * @seq: where to
 * @trace: the trace
 *
 * Context: Process context; may sleep.
 */
void kml_json_trace(struct seq_file *seq, depot_stack_handle_t trace)
{
	struct kml_frames frames = kml_frames_of(trace);
	char symbol[KSYM_SYMBOL_LEN];
	const char *comma = "";

	seq_puts(seq, ",\"trace\":[");
	while (kml_next_frame(&frames, symbol)) {
		seq_puts(seq, comma);
		print_string(seq, symbol);
		comma = ",";
	}
	seq_putc(seq, ']');
}

static void print_clues(struct seq_file *seq, const struct kml_clues *clues)
{
	char text[KML_CLUE_BYTES];
	unsigned int i;

	seq_puts(seq, ",\"content\":\"");
	for (i = 0; i < clues->nr; i++) {
		seq_printf(seq, "%02x", clues->bytes[i]);
		text[i] = kml_printable(clues->bytes[i]);
	}
	seq_puts(seq, "\",\"content_text\":");
	kml_json_string(seq, text, clues->nr);
	seq_puts(seq, ",\"type\":");
	kml_json_string(seq, clues->type, clues->type ? strlen(clues->type) : 0);
	if (clues->has_count)
		seq_printf(seq, ",\"refcount\":%lu", clues->count);
	else
		seq_puts(seq, ",\"refcount\":null");
}

/**
 * kml_json_leak() - print a leaked object as one line of JSON
 * @seq: where to
 * @rec: a pinned object
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0, or -ENOENT if the object was freed and nothing was printed.
 */
int kml_json_leak(struct seq_file *seq, struct kml_record *rec)
{
	depot_stack_handle_t trace = READ_ONCE(rec->trace);
	unsigned long age = jiffies - rec->jiffies;
	char comm[TASK_COMM_LEN];
	struct kml_clues clues;
	struct kml_kind kind;
	struct kml_ref ref = { .rec = rec };
	int err;

	/* As in kml_report(). */
	kml_name_fetch(rec->comm, comm);
	err = kml_clues_of(rec, &clues);
	if (!err)
		err = kml_kind_of(&ref, &kind);
	if (err)
		return err;

	/* A number in JSON need not have more than 53 bits. */
	seq_printf(seq, "{\"address\":\"0x%08lx\",\"size\":%zu", rec->start,
		   rec->size);
	seq_printf(seq, ",\"kind\":\"%s\",\"cache\":", kind.name);
	kml_json_string(seq, *kind.cache ? kind.cache : NULL,
			strlen(kind.cache));
	seq_puts(seq, ",\"comm\":");
	print_string(seq, comm);
	seq_printf(seq, ",\"pid\":%d,\"age_ms\":%llu", rec->pid,
		   jiffies64_to_msecs(age));
	if (rec->held_by)
		seq_printf(seq, ",\"direct\":false,\"held_by\":\"0x%08lx\"",
			   rec->held_by);
	else
		seq_puts(seq, ",\"direct\":true,\"held_by\":null");
	kml_json_module(seq, trace);
	seq_printf(seq, ",\"crc\":\"%x\"", rec->crc);
	kml_json_trace(seq, trace);
	print_clues(seq, &clues);
	seq_puts(seq, "}\n");
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
