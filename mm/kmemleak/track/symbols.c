// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: names of frames.
 *
 * A leak often outlives the module that made it, and with CONFIG_MODULES even a
 * loaded module drops its __init code. So before code goes, the names of those of
 * its frames that occur in traces of objects are written down. They stay right, as
 * a frame stands for one place in one build of a module: see code.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/init.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "track.h"

/* Frames that one sweep over the objects can gather. */
#define GONE_BATCH	64

/* Traces that a sweep remembers, as a power of two. */
#define GONE_VISITED_BITS	9

#ifdef CONFIG_MODULES

#ifndef KML_MODULE_TEXT
/* Where the code of a module is, and its length in bytes. */
#define KML_MODULE_TEXT(mod)		((mod)->mem[MOD_TEXT].base)
#define KML_MODULE_TEXT_SIZE(mod)	((mod)->mem[MOD_TEXT].size)
#define KML_MODULE_INIT(mod)		((mod)->mem[MOD_INIT_TEXT].base)
#define KML_MODULE_INIT_SIZE(mod)	((mod)->mem[MOD_INIT_TEXT].size)
#endif

/**
 * struct gone_name - name of one frame in code that is gone
 * @node: in gone_names, by @frame; written under gone_mutex, read under RCU
 * @rcu: to free it once nobody can see it
 * @frame: the frame
 * @used: an object's trace still has it, found the last sweep; gone_mutex
 * @name: function, offset, size and module
 */
struct gone_name {
	struct hlist_node node;
	struct rcu_head rcu;
	unsigned long frame;
	bool used;
	char name[];
};

/*
 * Code goes one module at a time. Who reads names does not wait for that: among
 * millions of objects it takes long to find out which names are needed.
 */
static DEFINE_MUTEX(gone_mutex);
static DEFINE_HASHTABLE(gone_names, 6);

/**
 * struct gone_sweep - a sweep over all traces for frames of going code
 * @start: first address of the code
 * @size: its length in bytes
 * @more: there were more frames than fit
 * @nr: number of frames
 * @frames: the frames
 * @visited: traces that were looked at lately
 */
struct gone_sweep {
	unsigned long start;
	unsigned long size;
	bool more;
	unsigned int nr;
	unsigned long frames[GONE_BATCH];
	depot_stack_handle_t visited[1 << GONE_VISITED_BITS];
};

/* With gone_mutex held or within an RCU read-side critical section. */
static struct gone_name *find_gone(unsigned long frame)
{
	struct gone_name *gone;

	hash_for_each_possible_rcu(gone_names, gone, node, frame,
				   lockdep_is_held(&gone_mutex)) {
		if (gone->frame == frame)
			return gone;
	}
	return NULL;
}

static void gather(struct gone_sweep *sweep, unsigned long frame)
{
	unsigned int i;

	for (i = 0; i < sweep->nr; i++) {
		if (sweep->frames[i] == frame)
			return;
	}
	if (sweep->nr < GONE_BATCH)
		sweep->frames[sweep->nr++] = frame;
	else
		sweep->more = true;
}

/* Most objects share their trace with one that was just looked at. */
static bool was_visited(struct gone_sweep *sweep, depot_stack_handle_t trace)
{
	depot_stack_handle_t *visited;

	visited = &sweep->visited[hash_32(trace, GONE_VISITED_BITS)];
	if (*visited == trace)
		return true;
	*visited = trace;
	return false;
}

static void gather_trace(struct gone_sweep *sweep, depot_stack_handle_t trace)
{
	unsigned long *entries;
	unsigned int i, nr;

	if (was_visited(sweep, trace))
		return;
	nr = kml_trace_fetch(trace, &entries);
	for (i = 0; i < nr; i++) {
		struct gone_name *gone;

		if (!kml_code_is_packed(entries[i]))
			continue;
		gone = find_gone(entries[i]);
		if (gone)
			gone->used = true;
		else if (kml_code_unpack(entries[i]) - sweep->start < sweep->size)
			gather(sweep, entries[i]);
	}
}

static int gather_object(const struct kml_ref *ref, void *arg)
{
	gather_trace(arg, kml_trace_of(kml_ref_origin(ref).handles));
	return 0;
}

static bool remember(unsigned long frame)
{
	char name[KSYM_SYMBOL_LEN];
	struct gone_name *gone;
	int len;

	len = sprint_symbol(name, kml_code_unpack(frame));
	/* Zeroed, since what was there before would be taken for references. */
	gone = kzalloc(struct_size(gone, name, len + 1), GFP_KERNEL);
	/* Without memory for it the frame will be shown without a function. */
	if (!gone)
		return false;
	gone->frame = frame;
	gone->used = true;
	memcpy(gone->name, name, len + 1);
	hash_add_rcu(gone_names, &gone->node, frame);
	return true;
}

/* Names are kept for as long as an object's trace has them. */
static void drop_unused(void)
{
	struct gone_name *gone;
	struct hlist_node *tmp;
	int bucket;

	hash_for_each_safe(gone_names, bucket, tmp, gone, node) {
		if (!gone->used) {
			hash_del_rcu(&gone->node);
			kfree_rcu(gone, rcu);
		} else {
			gone->used = false;
		}
	}
}

static void sweep_traces(struct gone_sweep *sweep)
{
	sweep->nr = 0;
	sweep->more = false;
	memset(sweep->visited, 0, sizeof(sweep->visited));
	kml_for_each(KML_ALL, kml_ref_any, gather_object, sweep);
}

static void write_names_down(unsigned long start, unsigned long size)
{
	struct gone_sweep *sweep;
	unsigned int i;
	bool progress;

	sweep = kmalloc(sizeof(*sweep), GFP_KERNEL);
	if (!sweep)
		return;
	sweep->start = start;
	sweep->size = size;

	mutex_lock(&gone_mutex);
	do {
		progress = false;
		sweep_traces(sweep);
		for (i = 0; i < sweep->nr; i++)
			progress |= remember(sweep->frames[i]);
	} while (sweep->more && progress);
	drop_unused();
	mutex_unlock(&gone_mutex);

	kfree(sweep);
}

/* Names first: who reads them afterwards does not find the code any more. */
static void code_goes(unsigned long start, unsigned long size)
{
	if (!size)
		return;
	write_names_down(start, size);
	kml_code_remove(start);
}

/* ---- Modules ---- */

#ifdef CONFIG_KALLSYMS

static u64 hash_symbols(const struct module *mod, const struct kml_code *code)
{
	static const siphash_key_t key;
	const struct mod_kallsyms *all;
	u64 hash = 0;
	unsigned int i;

	/* It is one's own as long as the module comes. */
	all = rcu_dereference_protected(mod->kallsyms, true);
	for (i = 0; all && i < all->num_symtab; i++) {
		const char *name = all->strtab + all->symtab[i].st_name;
		unsigned long value = all->symtab[i].st_value;
		unsigned long offset = value - code->start;
		bool init = offset >= code->size;

		if (init)
			offset = value - code->init;
		if (all->symtab[i].st_shndx == SHN_UNDEF ||
		    (init && offset >= code->init_size))
			continue;
		hash = siphash_4u64(hash, (u64)offset << 1 | init,
				    all->symtab[i].st_size,
				    siphash(name, strlen(name), &key), &key);
	}
	return hash;
}

#else /* !CONFIG_KALLSYMS */

/* Without symbols, frames are named by their offset. */
static u64 hash_symbols(const struct module *mod, const struct kml_code *code)
{
	return 0;
}

#endif /* CONFIG_KALLSYMS */

static void module_comes(const struct module *mod, struct kml_code *code)
{
	code->symbols = hash_symbols(mod, code);
	if (kml_code_add(code))
		pr_warn("no memory to know the code of %s\n", mod->name);
}

static int module_event(struct notifier_block *nb, unsigned long event,
			void *data)
{
	const struct module *mod = data;
	struct kml_code code = {
		.name = mod->name,
		.start = (unsigned long)KML_MODULE_TEXT(mod),
		.size = KML_MODULE_TEXT_SIZE(mod),
		.init = (unsigned long)KML_MODULE_INIT(mod),
		.init_size = KML_MODULE_INIT_SIZE(mod),
	};

	/* Also while it is off, to know all code when it is switched on. */
	if (event == MODULE_STATE_COMING)
		module_comes(mod, &code);
	if (event == MODULE_STATE_LIVE || event == MODULE_STATE_GOING)
		code_goes(code.init, code.init_size);
	if (event == MODULE_STATE_GOING)
		code_goes(code.start, code.size);
	kml_trace_new_epoch();
	return NOTIFY_DONE;
}

/* Before any other one, as those may already run code of the module. */
static struct notifier_block module_notifier = {
	.notifier_call = module_event,
	.priority = INT_MAX,
};

/* Before there are modules. */
static int __init follow_modules(void)
{
	return register_module_notifier(&module_notifier);
}
early_initcall(follow_modules);

static bool gone_symbol(unsigned long frame, char *buf)
{
	struct gone_name *gone;

	rcu_read_lock();
	gone = find_gone(frame);
	if (gone)
		strscpy(buf, gone->name, KSYM_SYMBOL_LEN);
	rcu_read_unlock();
	return gone;
}

#else /* !CONFIG_MODULES */

static bool gone_symbol(unsigned long frame, char *buf)
{
	return false;
}

#endif /* CONFIG_MODULES */

/* ---- Names of frames ---- */

/**
 * kml_frame_name() - find the name of a frame of a trace
 * @frame: the frame, as of kml_trace_fetch()
 * @buf: room for KSYM_SYMBOL_LEN bytes: function, offset, size and module,
 *	also where the module has gone since; else what is known
 *
 * Context: Process context; may sleep.
 */
void kml_frame_name(unsigned long frame, char *buf)
{
	unsigned int changes;
	unsigned long addr;

	do {
		changes = kml_code_changes();
		/* Pairs with smp_wmb() in kml_code_add(). */
		smp_rmb();
		addr = kml_code_unpack(frame);
		/* Pairs with smp_store_release() in kml_code_remove(). */
		smp_rmb();
		if (addr)
			sprint_symbol(buf, addr);
		else if (!gone_symbol(frame, buf))
			kml_code_describe(frame, buf);
		/*
		 * The code may have gone, and its symbols, while they were read. Pairs
		 * with smp_wmb() in kml_code_remove().
		 */
		smp_rmb();
	} while (kml_code_changes() != changes);
}

/* Protects the names that are kept, and what follows. */
static DEFINE_MUTEX(frame_names_mutex);

/* Value of kml_code_changes() that the names are good for. */
static unsigned int frame_names_changes;

/* The names among which that of @frame is, if it is kept. */
static struct kml_frame_name *set_of(unsigned long frame)
{
	unsigned int sets = KML_FRAME_NAMES / KML_FRAME_NAME_WAYS;

	BUILD_BUG_ON(!is_power_of_2(KML_FRAME_NAMES / KML_FRAME_NAME_WAYS));
	return kml_pool_frame_names() +
	       hash_long(frame, ilog2(sets)) * KML_FRAME_NAME_WAYS;
}

static const struct kml_frame_name *find_name(unsigned long frame)
{
	const struct kml_frame_name *set = set_of(frame);
	unsigned int i;

	lockdep_assert_held(&frame_names_mutex);
	for (i = 0; i < KML_FRAME_NAME_WAYS; i++) {
		if (set[i].frame == frame)
			return &set[i];
	}
	return NULL;
}

/* In the place of the one that has been in the set for the longest time. */
static void keep_name(unsigned long frame, const char *text)
{
	struct kml_frame_name *set = set_of(frame);

	lockdep_assert_held(&frame_names_mutex);
	/* The few that do not fit are looked up each time. */
	if (strlen(text) >= sizeof(set->text))
		return;
	memmove(set + 1, set, (KML_FRAME_NAME_WAYS - 1) * sizeof(*set));
	set->frame = frame;
	strscpy(set->text, text, sizeof(set->text));
}

/**
 * kml_symbol() - find the name of a frame among those that are kept, or keep it
 * @frame: the frame, as of kml_trace_fetch()
 * @buf: room for KSYM_SYMBOL_LEN bytes, set as kml_frame_name() does
 *
 * Context: Process context; may sleep.
 */
void kml_symbol(unsigned long frame, char *buf)
{
	const struct kml_frame_name *name;
	unsigned int changes;

	if (!kml_pool_frame_names()) {
		kml_frame_name(frame, buf);
		return;
	}
	mutex_lock(&frame_names_mutex);
	/* Before the name is looked up: what changes later is seen next time. */
	changes = kml_code_changes();
	if (frame_names_changes != changes) {
		memset(kml_pool_frame_names(), 0, KML_FRAME_NAMES * sizeof(*name));
		frame_names_changes = changes;
	}
	name = find_name(frame);
	if (name) {
		strscpy(buf, name->text, KSYM_SYMBOL_LEN);
	} else {
		kml_frame_name(frame, buf);
		keep_name(frame, buf);
	}
	mutex_unlock(&frame_names_mutex);
}

/**
 * kml_frames_of() - begin a walk over the frames of a trace
 * @trace: the trace
 *
 * Context: Any.
 * Return: the walk, for kml_next_frame().
 */
struct kml_frames kml_frames_of(depot_stack_handle_t trace)
{
	struct kml_frames frames;
	unsigned long *entries = NULL;

	frames.left = kml_trace_fetch(trace, &entries);
	frames.next = entries;
	return frames;
}

/**
 * kml_next_frame() - name the next frame of a trace, innermost first
 * @frames: the walk, from kml_frames_of()
 * @buf: room for KSYM_SYMBOL_LEN bytes, set as kml_symbol() does
 *
 * Context: Process context; may sleep.
 * Return: false at the end, and nothing was named.
 */
bool kml_next_frame(struct kml_frames *frames, char *buf)
{
	if (!frames->left)
		return false;
	frames->left--;
	kml_symbol(*frames->next++, buf);
	return true;
}
