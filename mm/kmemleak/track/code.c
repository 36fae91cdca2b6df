// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: code that comes and goes.
 *
 * The stack depot keeps each trace for ever. So a trace must be the same one
 * wherever a module is loaded, and however often: in place of a return address in
 * a module it has the number of the code and an offset. Two modules have the same
 * number if they have the same name, and their symbol tables say the same of the
 * code, so that a number and an offset have one name for all time. There are as
 * many numbers as builds of modules that were ever loaded.
 *
 * All other code that is not the kernel's own, such as programs that the kernel
 * makes at run time, is one frame.
 */
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "track.h"

/*
 * What is packed looks like no address. On 64 bits, the highest bits are 01: there
 * are 2^30 numbers of code of up to 2 GiB. On 32 bits it is below the kernel's part
 * of the address space: there are 127 numbers, or fewer, of code of up to 8 MiB;
 * without an MMU there are none. What does not fit is unknown code.
 */
#ifdef CONFIG_64BIT
#define PACKED		BIT(62)
#define PACKED_END	BIT(63)
#define ID_SHIFT	32
#define ID_MAX		(U32_MAX >> 2)
#else
#define PACKED		0UL
#define PACKED_END	min(PAGE_OFFSET, 1UL << 31)
#define ID_SHIFT	24
#define ID_MAX		((PACKED_END >> ID_SHIFT) - 1)
#endif

#define INIT		BIT(ID_SHIFT - 1)
#define OFFSET		(INIT - 1)

/* With the number 0, which no code has. */
#define UNKNOWN_CODE	(PACKED | 1)
#define GENERATED_CODE	(PACKED | 2)

static u32 id_of(unsigned long frame)
{
	return (frame - PACKED) >> ID_SHIFT;
}

/**
 * kml_code_is_packed() - ask whether a frame stands for an address
 * @frame: a frame of a trace
 *
 * Context: Any.
 * Return: true if it does, false if it is one.
 */
bool kml_code_is_packed(unsigned long frame)
{
	if (frame == UNKNOWN_CODE || frame == GENERATED_CODE)
		return true;
	return frame >= PACKED && frame < PACKED_END;
}

/* How often code has come or gone; code_mutex. */
static unsigned int changes;

/**
 * kml_code_changes() - ask whether code has come or gone
 *
 * Context: Any.
 * Return: a number, which is another one after code has come or gone.
 */
unsigned int kml_code_changes(void)
{
	return READ_ONCE(changes);
}

#ifdef CONFIG_MODULES

/**
 * struct build - code that was loaded once; stays for ever
 * @node: in builds; added under code_mutex, read under RCU
 * @symbols: as of struct kml_code
 * @id: the number
 * @name: the module
 */
struct build {
	struct list_head node;
	u64 symbols;
	u32 id;
	char name[MODULE_NAME_LEN];
};

/**
 * struct code_range - where code is now
 * @start: first address
 * @size: length in bytes, 0 once it has gone
 * @frame: what @start is packed to
 */
struct code_range {
	unsigned long start;
	unsigned long size;
	unsigned long frame;
};

/**
 * struct code_ranges - where all code is that may go
 * @rcu: to free it once nobody can see it
 * @nr: number of ranges
 * @range: the ranges, by address
 */
struct code_ranges {
	struct rcu_head rcu;
	unsigned int nr;
	struct code_range range[];
};

/* Held to change what follows. */
static DEFINE_MUTEX(code_mutex);
static LIST_HEAD(builds);
static u32 last_id;
static struct code_ranges __rcu *ranges;

/* The range that contains @addr, or NULL; within RCU. */
static const struct code_range *find_range(unsigned long addr)
{
	const struct code_ranges *all = rcu_dereference(ranges);
	unsigned int low = 0, high = all ? all->nr : 0;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct code_range *range = &all->range[middle];

		if (addr < range->start)
			high = middle;
		else if (addr - range->start >= READ_ONCE(range->size))
			low = middle + 1;
		else
			return range;
	}
	return NULL;
}

/* The build of some number; within RCU. */
static const struct build *find_build(u32 id)
{
	const struct build *build;

	list_for_each_entry_rcu(build, &builds, node) {
		if (build->id == id)
			return build;
	}
	return NULL;
}

static u32 id_for(const struct kml_code *code)
{
	struct build *build;

	lockdep_assert_held(&code_mutex);
	list_for_each_entry(build, &builds, node) {
		if (build->symbols == code->symbols &&
		    !strcmp(build->name, code->name))
			return build->id;
	}
	if (last_id >= ID_MAX)
		return 0;
	/* Zeroed, since what was there before would be taken for references. */
	build = kzalloc(sizeof(*build), GFP_KERNEL);
	if (!build)
		return 0;
	build->symbols = code->symbols;
	build->id = ++last_id;
	strscpy(build->name, code->name, sizeof(build->name));
	list_add_tail_rcu(&build->node, &builds);
	return build->id;
}

static int by_start(const void *a, const void *b)
{
	const struct code_range *one = a, *two = b;

	return one->start < two->start ? -1 : one->start > two->start;
}

/* Put @nr_new ranges in. What has gone is left out. */
static int add_ranges(const struct code_range *new, unsigned int nr_new)
{
	struct code_ranges *old, *all;
	unsigned int i, nr;

	lockdep_assert_held(&code_mutex);
	old = rcu_dereference_protected(ranges, lockdep_is_held(&code_mutex));
	nr = old ? old->nr : 0;
	all = kzalloc(struct_size(all, range, nr + nr_new), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	/* Where code is says nothing of who refers to it. */
	if (kml_tracking())
		kml_no_scan((unsigned long)kasan_reset_tag(all));
	for (i = 0; i < nr; i++) {
		if (old->range[i].size)
			all->range[all->nr++] = old->range[i];
	}
	for (i = 0; i < nr_new; i++)
		all->range[all->nr++] = new[i];
	sort(all->range, all->nr, sizeof(*new), by_start, NULL);
	/* Pairs with rcu_dereference() in find_range() and unpack(). */
	rcu_assign_pointer(ranges, all);
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

/**
 * kml_code_add() - learn of code before it runs
 * @code: the code
 *
 * The caller sees to it that traces of what was at its addresses before are
 * forgotten, with kml_trace_new_epoch().
 *
 * Context: Process context; may sleep.
 * Return: 0; -ENOMEM if it is unknown code, for want of memory or of numbers.
 */
int kml_code_add(const struct kml_code *code)
{
	struct code_range new[2];
	unsigned int nr = 0;
	int err = -ENOMEM;
	u32 id;

	mutex_lock(&code_mutex);
	id = id_for(code);
	if (id) {
		unsigned long frame = PACKED | (unsigned long)id << ID_SHIFT;

		if (code->size)
			new[nr++] = (struct code_range){ code->start, code->size, frame };
		if (code->init_size)
			new[nr++] = (struct code_range){ code->init, code->init_size,
						    frame | INIT };
		err = add_ranges(new, nr);
	}
	/* Pairs with the first smp_rmb() in kml_frame_name(). */
	smp_wmb();
	WRITE_ONCE(changes, changes + 1);
	mutex_unlock(&code_mutex);
	return err;
}

/**
 * kml_code_remove() - learn that code does not run any more
 * @start: its first address, as in struct kml_code
 *
 * Context: Process context; may sleep.
 */
void kml_code_remove(unsigned long start)
{
	struct code_ranges *all;
	unsigned int i;

	mutex_lock(&code_mutex);
	all = rcu_dereference_protected(ranges, lockdep_is_held(&code_mutex));
	/* In place, as this must not fail: readers take an empty range for none. */
	for (i = 0; all && i < all->nr; i++) {
		if (all->range[i].start == start)
			/* Names come first; pairs with smp_rmb() in kml_frame_name(). */
			smp_store_release(&all->range[i].size, 0);
	}
	/* Pairs with the last smp_rmb() in kml_frame_name(). */
	smp_wmb();
	WRITE_ONCE(changes, changes + 1);
	mutex_unlock(&code_mutex);
}

static unsigned long pack(unsigned long addr)
{
	unsigned long frame = 0, offset = 0;
	const struct code_range *range;

	rcu_read_lock();
	range = find_range(addr);
	if (range) {
		frame = range->frame;
		offset = addr - range->start;
	}
	rcu_read_unlock();
	if (frame)
		return offset <= OFFSET ? frame | offset : UNKNOWN_CODE;
	return is_module_text_address(addr) ? UNKNOWN_CODE : GENERATED_CODE;
}

/* 0 if the code is not there. */
static unsigned long unpack(unsigned long frame)
{
	const struct code_ranges *all;
	unsigned long addr = 0;
	unsigned int i;

	rcu_read_lock();
	all = rcu_dereference(ranges);
	for (i = 0; all && i < all->nr && !addr; i++) {
		if (all->range[i].frame == (frame & ~OFFSET) &&
		    (frame & OFFSET) < READ_ONCE(all->range[i].size))
			addr = all->range[i].start + (frame & OFFSET);
	}
	rcu_read_unlock();
	return addr;
}

static bool describe(unsigned long frame, char *buf)
{
	const struct build *build;

	rcu_read_lock();
	build = find_build(id_of(frame));
	if (build)
		snprintf(buf, KSYM_SYMBOL_LEN, "0x%lx [%s]", frame & OFFSET,
			 build->name);
	rcu_read_unlock();
	return build;
}

#else /* !CONFIG_MODULES */

static unsigned long pack(unsigned long addr)
{
	return GENERATED_CODE;
}

static unsigned long unpack(unsigned long frame)
{
	return 0;
}

static bool describe(unsigned long frame, char *buf)
{
	return false;
}

#endif /* CONFIG_MODULES */

/**
 * kml_code_pack() - make the frame of a trace of a return address
 * @addr: the address
 *
 * Context: Any but NMI.
 * Return: what stands for the place in the code, wherever that is loaded; for the
 * kernel's own code the address itself.
 */
unsigned long kml_code_pack(unsigned long addr)
{
	return core_kernel_text(addr) ? addr : pack(addr);
}

/**
 * kml_code_unpack() - find the return address that a frame stands for
 * @frame: the frame, from kml_code_pack()
 *
 * Context: Any.
 * Return: the address; 0 if the code is not there, or is not known.
 */
unsigned long kml_code_unpack(unsigned long frame)
{
	return kml_code_is_packed(frame) ? unpack(frame) : frame;
}

/**
 * kml_code_describe() - say what is known of a frame without a symbol
 * @frame: a frame that kml_code_is_packed()
 * @buf: room for KSYM_SYMBOL_LEN bytes
 *
 * Context: Any.
 */
void kml_code_describe(unsigned long frame, char *buf)
{
	if (frame == GENERATED_CODE)
		strscpy(buf, "[generated code]", KSYM_SYMBOL_LEN);
	else if (frame == UNKNOWN_CODE || !describe(frame, buf))
		strscpy(buf, "[unknown code]", KSYM_SYMBOL_LEN);
}
