// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: what tells of an object beside its trace.
 *
 * Often the first bytes of its content are the only clue. What has a count of
 * references was not lost where it was allocated, but where somebody did not put
 * a reference.
 */
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/pid.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <net/sock.h>

#include "report.h"

/* ---- Counts of references ---- */

/* Frames of a trace in which to look for who has made the object: not the first. */
#define FRAMES		3

/**
 * struct counted - a type that has a count of references
 * @function: who calls the allocator to make one
 * @frame: in which frame that is; the first one is the allocator
 * @own_cache: it has a cache of its own, and what the function makes elsewhere is
 *	something else
 * @cache: of several caches with such objects, the one in which they start with
 *	what has the count; NULL if all do
 * @type: the type
 * @offset: where the count is in the object
 * @known: whether that is known
 * @is_long: whether the count is a long; else it is an int
 */
struct counted {
	const char *function;
	u8 frame;
	bool own_cache;
	const char *cache;
	const char *type;
	u16 offset;
	bool known;
	bool is_long;
};

#define COUNT_IN(_type, _member)					\
	.type = #_type, .offset = offsetof(_type, _member), .known = true

#define IS_LONG(_type, _member)	(sizeof_field(_type, _member) == sizeof(long))

static const struct counted counted[] = {
	{ "alloc_pid", 1, true, NULL, COUNT_IN(struct pid, count) },
	{ "prepare_creds", 1, true, NULL, COUNT_IN(struct cred, usage),
	  .is_long = IS_LONG(struct cred, usage) },
	{ "prepare_kernel_cred", 1, true, NULL, COUNT_IN(struct cred, usage),
	  .is_long = IS_LONG(struct cred, usage) },
	{ "cred_alloc_blank", 1, true, NULL, COUNT_IN(struct cred, usage),
	  .is_long = IS_LONG(struct cred, usage) },
	{ "alloc_empty_file", 1, true, NULL, .type = "struct file" },
	{ "alloc_empty_file_noaccount", 1, true, NULL, .type = "struct file" },
	{ "alloc_empty_backing_file", 1, true, NULL, .type = "struct file" },
	{ "__d_alloc", 1, true, NULL, COUNT_IN(struct dentry, d_lockref.count) },
	{ "alloc_inode", 1, true, "inode_cache", COUNT_IN(struct inode, i_count) },
	{ "alloc_inode", 2, true, NULL, .type = "struct inode" },
	{ "sk_prot_alloc", 1, false, NULL, COUNT_IN(struct sock, sk_refcnt) },
	{ "sk_alloc", 1, false, NULL, COUNT_IN(struct sock, sk_refcnt) },
	{ "dup_task_struct", 1, true, NULL, COUNT_IN(struct task_struct, usage) },
	{ "__alloc_skb", 1, true, NULL, COUNT_IN(struct sk_buff, users) },
	{ "kobject_create", 1, false, NULL, COUNT_IN(struct kobject, kref) },
	{ "kobject_create_and_add", 1, false, NULL, COUNT_IN(struct kobject, kref) },
	{ "device_create_groups_vargs", 1, false, NULL,
	  COUNT_IN(struct device, kobj.kref) },
	{ "platform_device_alloc", 1, false, NULL,
	  COUNT_IN(struct platform_device, dev.kobj.kref) },
	{ "__kernfs_new_node", 1, true, NULL, .type = "struct kernfs_node" },
	{ "alloc_uid", 1, true, NULL, .type = "struct user_struct" },
	{ "key_alloc", 1, true, NULL, .type = "struct key" },
	{ "mm_alloc", 1, true, NULL, .type = "struct mm_struct" },
	{ "dup_fd", 1, true, NULL, .type = "struct files_struct" },
	{ "alloc_netdev_mqs", 1, false, NULL, .type = "struct net_device" },
	{ "usb_alloc_urb", 1, false, NULL, .type = "struct urb" },
	{ "usb_alloc_dev", 1, false, NULL, .type = "struct usb_device" },
	{ "scsi_alloc_sdev", 1, false, NULL, .type = "struct scsi_device" },
};

/* Whether a frame, "function+0x.../0x...", is that function, or a part of it. */
static bool is_in(const char *symbol, const char *function)
{
	size_t len = str_has_prefix(symbol, function);

	return len && (symbol[len] == '+' || symbol[len] == '.');
}

/*
 * By the name of the allocator: a cache that was merged with others may have any name,
 * also that of one of kmalloc().
 */
static bool is_from_cache(const char *symbol)
{
	return str_has_prefix(symbol, "kmem_cache_alloc");
}

static const struct counted *counted_by(const char *symbol, unsigned int frame,
					bool from_cache)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counted); i++) {
		const struct counted *type = &counted[i];

		if (type->frame == frame && is_in(symbol, type->function) &&
		    (!type->own_cache || from_cache))
			return type;
	}
	return NULL;
}

static const struct counted *find_counted(depot_stack_handle_t trace)
{
	struct kml_frames frames = kml_frames_of(trace);
	const struct counted *type = NULL;
	char symbol[KSYM_SYMBOL_LEN];
	bool from_cache = false;
	unsigned int frame;

	for (frame = 0; frame < FRAMES && !type; frame++) {
		if (!kml_next_frame(&frames, symbol))
			break;
		if (frame)
			type = counted_by(symbol, frame, from_cache);
		else
			from_cache = is_from_cache(symbol);
	}
	return type;
}

/* Its count is a number and its state, which each kernel has in its own way. */
static bool read_file_count(struct kml_record *rec, unsigned long *count)
{
	struct file file;

	if (rec->size < sizeof(file) || kml_read(rec, 0, 0, &file, sizeof(file)))
		return false;
	*count = file_count(&file);
	return true;
}

static bool read_count(struct kml_record *rec, const struct counted *type,
		       const char *cache, unsigned long *count)
{
	size_t size = type->is_long ? sizeof(long) : sizeof(int);
	unsigned int value;

	if (type->cache && strcmp(type->cache, cache))
		return false;
	if (!strcmp(type->type, "struct file"))
		return read_file_count(rec, count);
	if (!type->known || type->offset + size > rec->size)
		return false;
	if (type->is_long)
		return !kml_read(rec, 0, type->offset, count, size);
	if (kml_read(rec, 0, type->offset, &value, size))
		return false;
	*count = value;
	return true;
}

/* ---- All of it ---- */

/**
 * kml_clues_of() - find out what tells of an object
 * @rec: a pinned object
 * @clues: set to what there is, which may be nothing
 *
 * Context: Process context; may sleep.
 * Return: 0, or -ENOENT if the object was freed.
 */
int kml_clues_of(struct kml_record *rec, struct kml_clues *clues)
{
	struct kml_ref ref = { .rec = rec };
	const struct counted *type = NULL;
	/* Always the same one: a record does not change by being read. */
	unsigned int cpu = cpumask_first(cpu_possible_mask);
	struct kml_kind kind;
	int err;

	memset(clues, 0, sizeof(*clues));
	clues->nr = min_t(size_t, rec->size, sizeof(clues->bytes));
	err = kml_read(rec, cpu, 0, clues->bytes, clues->nr);
	/* Memory that is not mapped has no bytes to show. */
	if (err)
		clues->nr = 0;
	if (err == -ENOENT || kml_kind_of(&ref, &kind))
		return -ENOENT;

	if (!strcmp(kind.name, "slab"))
		type = find_counted(READ_ONCE(rec->trace));
	if (type) {
		clues->type = type->type;
		clues->has_count = read_count(rec, type, kind.cache,
					      &clues->count);
	}
	return 0;
}

/* ---- As text ---- */

/* A line of the report's dump, with a word in front that tells it from a frame. */
static void print_row(struct seq_file *seq, const u8 *bytes, unsigned int nr)
{
	unsigned int i;

	seq_puts(seq, "  content");
	for (i = 0; i < nr; i++)
		seq_printf(seq, " %02x", bytes[i]);
	seq_printf(seq, "%*s", (int)(KML_CLUE_ROW - nr) * 3 + 2, "");
	for (i = 0; i < nr; i++)
		seq_putc(seq, kml_printable(bytes[i]));
	seq_putc(seq, '\n');
}

/**
 * kml_print_clues() - print what tells of an object, a line for each clue
 * @seq: where to
 * @clues: of kml_clues_of()
 *
 * Context: Any.
 */
void kml_print_clues(struct seq_file *seq, const struct kml_clues *clues)
{
	unsigned int at;

	if (clues->type && clues->has_count)
		seq_printf(seq, "  reference counted (%s, count %lu): look for the missing put\n",
			   clues->type, clues->count);
	else if (clues->type)
		seq_printf(seq, "  reference counted (%s): look for the missing put\n",
			   clues->type);
	for (at = 0; at < clues->nr; at += KML_CLUE_ROW)
		print_row(seq, clues->bytes + at,
			  min_t(unsigned int, clues->nr - at, KML_CLUE_ROW));
}
