// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: names of code that is gone.
 *
 * A leak often outlives the module that made it, and with CONFIG_MODULES even a
 * loaded module drops its __init code. Their addresses then mean nothing, or
 * something else once another module stands there. So before code goes, the
 * names of those of its addresses that occur in traces are written down,
 * together with an epoch: a frame of a trace that was taken before that epoch is
 * looked up here first.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "track.h"

/* Addresses that one sweep over the objects can gather. */
#define GONE_BATCH	64

/* Traces that a sweep remembers, as a power of two. */
#define GONE_VISITED_BITS	9

#ifdef CONFIG_MODULES

/**
 * struct gone_name - name of one address in code that is gone
 * @node: in gone_names, by @addr; written under gone_mutex, read under RCU
 * @rcu: to free it once nobody can see it
 * @addr: the address
 * @epoch: value of kml_trace_epoch() from which on it no longer had this name
 * @used: an object's trace still has it, found the last sweep; gone_mutex
 * @name: function, offset, size and module
 */
struct gone_name {
	struct hlist_node node;
	struct rcu_head rcu;
	unsigned long addr;
	u32 epoch;
	bool used;
	char name[];
};

/* How often code came. */
static atomic_t code_changes = ATOMIC_INIT(0);

/*
 * Code goes one module at a time. Who reads names does not wait for that: among
 * millions of objects it takes long to find out which names are needed.
 */
static DEFINE_MUTEX(gone_mutex);
static DEFINE_HASHTABLE(gone_names, 6);

/**
 * struct gone_sweep - a sweep over all traces for addresses of going code
 * @mod: the module it belongs to
 * @init_only: only its __init code goes
 * @more: there were more addresses than fit
 * @nr: number of addresses
 * @addrs: the addresses
 * @visited: traces that were looked at lately
 */
struct gone_sweep {
	const struct module *mod;
	bool init_only;
	bool more;
	unsigned int nr;
	unsigned long addrs[GONE_BATCH];
	depot_stack_handle_t visited[1 << GONE_VISITED_BITS];
};

/*
 * The name that @addr had at @epoch is the first one it lost after that. To be
 * called with gone_mutex held or within an RCU read-side critical section.
 */
static struct gone_name *find_gone(unsigned long addr, u32 epoch)
{
	struct gone_name *gone, *first = NULL;

	hash_for_each_possible_rcu(gone_names, gone, node, addr,
				   lockdep_is_held(&gone_mutex)) {
		if (gone->addr != addr || (s32)(gone->epoch - epoch) <= 0)
			continue;
		if (!first || (s32)(gone->epoch - first->epoch) < 0)
			first = gone;
	}
	return first;
}

static bool is_going(const struct gone_sweep *sweep, unsigned long addr)
{
	return within_module_init(addr, sweep->mod) ||
	       (!sweep->init_only && within_module_core(addr, sweep->mod));
}

static void gather(struct gone_sweep *sweep, unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < sweep->nr; i++) {
		if (sweep->addrs[i] == addr)
			return;
	}
	if (sweep->nr < GONE_BATCH)
		sweep->addrs[sweep->nr++] = addr;
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
	u32 epoch;

	if (was_visited(sweep, trace))
		return;
	nr = kml_trace_fetch(trace, &entries, &epoch);
	for (i = 0; i < nr; i++) {
		struct gone_name *gone;

		if (core_kernel_text(entries[i]))
			continue;
		gone = find_gone(entries[i], epoch);
		if (gone)
			gone->used = true;
		else if (is_going(sweep, entries[i]))
			gather(sweep, entries[i]);
	}
}

static int gather_object(const struct kml_ref *ref, void *arg)
{
	gather_trace(arg, kml_trace_of(kml_ref_origin(ref).handles));
	return 0;
}

static bool remember(unsigned long addr, u32 epoch)
{
	char name[KSYM_SYMBOL_LEN];
	struct gone_name *gone;
	int len;

	len = sprint_symbol(name, addr);
	/* Zeroed, since what was there before would be taken for references. */
	gone = kzalloc(struct_size(gone, name, len + 1), GFP_KERNEL);
	/* Without memory for it the frame will be shown as an address. */
	if (!gone)
		return false;
	gone->addr = addr;
	gone->epoch = epoch;
	gone->used = true;
	memcpy(gone->name, name, len + 1);
	hash_add_rcu(gone_names, &gone->node, addr);
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

static void code_goes(const struct module *mod, bool init_only)
{
	struct gone_sweep *sweep;
	bool progress, found = false;
	unsigned int i;
	u32 epoch;

	sweep = kmalloc(sizeof(*sweep), GFP_KERNEL);
	if (!sweep)
		return;
	sweep->mod = mod;
	sweep->init_only = init_only;

	mutex_lock(&gone_mutex);
	epoch = kml_trace_epoch() + 1;
	do {
		progress = false;
		sweep_traces(sweep);
		for (i = 0; i < sweep->nr; i++)
			progress |= remember(sweep->addrs[i], epoch);
		found |= progress;
	} while (sweep->more && progress);
	drop_unused();
	/* An epoch makes all traces through modules new ones. */
	if (found)
		kml_trace_new_epoch();
	mutex_unlock(&gone_mutex);

	kfree(sweep);
}

static int module_event(struct notifier_block *nb, unsigned long event,
			void *data)
{
	if (!kml_following_frees())
		return NOTIFY_DONE;
	if (event == MODULE_STATE_COMING)
		atomic_inc(&code_changes);
	else if (event == MODULE_STATE_LIVE)
		code_goes(data, true);
	else if (event == MODULE_STATE_GOING)
		code_goes(data, false);
	return NOTIFY_DONE;
}

static struct notifier_block module_notifier = {
	.notifier_call = module_event,
};

/**
 * kml_modtext_init() - start to follow the loading and unloading of modules
 *
 * Context: Boot, process context.
 * Return: 0 or a negative error code.
 */
int __init kml_modtext_init(void)
{
	return register_module_notifier(&module_notifier);
}

/**
 * kml_code_changes() - ask whether names of code are still what they were
 *
 * Context: Any.
 * Return: a number, which is another one before code comes to where other code
 * may have been.
 */
unsigned int kml_code_changes(void)
{
	return atomic_read(&code_changes);
}

static bool gone_symbol(unsigned long addr, u32 epoch, char *buf)
{
	struct gone_name *gone;

	rcu_read_lock();
	gone = find_gone(addr, epoch);
	if (gone)
		strscpy(buf, gone->name, KSYM_SYMBOL_LEN);
	rcu_read_unlock();
	return gone;
}

#else /* !CONFIG_MODULES */

int __init kml_modtext_init(void)
{
	return 0;
}

unsigned int kml_code_changes(void)
{
	return 0;
}

static bool gone_symbol(unsigned long addr, u32 epoch, char *buf)
{
	return false;
}

#endif /* CONFIG_MODULES */

/**
 * kml_code_name() - find the name of a frame of a trace
 * @addr: return address in the trace
 * @epoch: when the trace was taken, as of kml_trace_fetch()
 * @buf: room for KSYM_SYMBOL_LEN bytes: function, offset, size and module,
 *	also where the module has gone since
 *
 * Context: Process context; may sleep.
 */
void kml_code_name(unsigned long addr, u32 epoch, char *buf)
{
	if (!gone_symbol(addr, epoch, buf))
		sprint_symbol(buf, addr);
}

/* ---- Names of frames ---- */

/* Protects the names that are kept, and what follows. */
static DEFINE_MUTEX(names_mutex);

/* Value of kml_code_changes() that the names are good for. */
static unsigned int names_changes;

/* The names among which that of @addr is, if it is kept. */
static struct kml_name *set_of(unsigned long addr)
{
	unsigned int sets = KML_NAMES / KML_NAME_WAYS;

	BUILD_BUG_ON(!is_power_of_2(KML_NAMES / KML_NAME_WAYS));
	return kml_pool_names() +
	       hash_long(addr, ilog2(sets)) * KML_NAME_WAYS;
}

static const struct kml_name *find_name(unsigned long addr, u32 epoch)
{
	const struct kml_name *set = set_of(addr);
	unsigned int i;

	lockdep_assert_held(&names_mutex);
	for (i = 0; i < KML_NAME_WAYS; i++) {
		if (set[i].addr == addr && set[i].epoch == epoch)
			return &set[i];
	}
	return NULL;
}

/* In the place of the one that has been in the set for the longest time. */
static void keep_name(unsigned long addr, u32 epoch, const char *text)
{
	struct kml_name *set = set_of(addr);

	lockdep_assert_held(&names_mutex);
	/* The few that do not fit are looked up each time. */
	if (strlen(text) >= sizeof(set->text))
		return;
	memmove(set + 1, set, (KML_NAME_WAYS - 1) * sizeof(*set));
	set->addr = addr;
	set->epoch = epoch;
	strscpy(set->text, text, sizeof(set->text));
}

/**
 * kml_symbol() - name a frame of a trace
 * @addr: return address in the trace
 * @epoch: when the trace was taken, as of kml_trace_fetch()
 * @buf: room for KSYM_SYMBOL_LEN bytes: function, offset, size and module,
 *	also where the module has gone since
 *
 * Context: Process context; may sleep.
 */
void kml_symbol(unsigned long addr, u32 epoch, char *buf)
{
	const struct kml_name *name;
	unsigned int changes;

	/* Code that stays has one name at all times. */
	if (core_kernel_text(addr))
		epoch = 0;

	mutex_lock(&names_mutex);
	/* Before the name is looked up: what changes later is seen next time. */
	changes = kml_code_changes();
	if (names_changes != changes) {
		memset(kml_pool_names(), 0, KML_NAMES * sizeof(*name));
		names_changes = changes;
	}
	name = find_name(addr, epoch);
	if (name) {
		strscpy(buf, name->text, KSYM_SYMBOL_LEN);
	} else {
		kml_code_name(addr, epoch, buf);
		keep_name(addr, epoch, buf);
	}
	mutex_unlock(&names_mutex);
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

	frames.left = kml_trace_fetch(trace, &entries, &frames.epoch);
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
	kml_symbol(*frames->next++, frames->epoch, buf);
	return true;
}
