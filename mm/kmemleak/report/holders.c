// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: who points at an object.
 *
 * Everything is looked through that a scan reads, and leaks as well, for words
 * that point at one object. Not the stack of the task that asks: the address is
 * all over it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../store/slab.h"
#include "report.h"

/* The most holders that are printed. */
#define HOLDERS_MAX	64

/**
 * struct search - a search for references to an object
 * @rec: the object, pinned
 * @vm_struct: address of what describes it, if it is a vmalloc area, or 0
 * @vm_size: length of that in bytes, or 0
 * @found: how many references there are
 * @found_vm: how many of them are references to @vm_struct
 * @slab: of the object in a slot that is being looked at
 * @index: its index there
 * @holder: the object of its own that is being looked at
 * @ret: 0, or what has stopped the search
 */
struct search {
	const struct kml_record *rec;
	unsigned long vm_struct;
	size_t vm_size;
	unsigned long found;
	unsigned long found_vm;
	const struct kml_slab *slab;
	unsigned int index;
	struct kml_record *holder;
	int ret;
};

/* The one that is made; kml_scan_mutex. Visitors of roots have no argument. */
static struct search *current_search;

/* Count it, if it is one. Returns true if it is to be printed. */
static bool found_reference(struct search *search, unsigned long word)
{
	bool to_vm;

	word = (unsigned long)kasan_reset_tag((void *)word);
	to_vm = word - search->vm_struct < search->vm_size;
	if (!to_vm && word - search->rec->start >= search->rec->size)
		return false;
	search->found_vm += to_vm;
	return search->found++ < HOLDERS_MAX;
}

static const char *how(const struct search *search, unsigned long word)
{
	word = (unsigned long)kasan_reset_tag((void *)word);
	return word - search->vm_struct < search->vm_size ?
	       ", by way of its vm_struct" : "";
}

/* ---- Roots ---- */

static void print_stack(const struct kml_root *root, const void *at,
			const char *how)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, root->task);
	pr_warn("    stack of %*pE (pid %d) at offset 0x%lx%s\n",
		(int)strlen(comm), comm, task_pid_nr(root->task),
		(unsigned long)(at - task_stack_page(root->task)), how);
}

static void print_percpu(const struct kml_root *root, const void *at,
			 const char *how)
{
	const void *first = per_cpu_ptr((void __percpu *)__per_cpu_start,
					root->cpu);

	/* Of these variables kallsyms knows the first copy, which nobody uses. */
	pr_warn("    per-CPU variable %pS of cpu %u%s\n",
		__per_cpu_start + (at - first), root->cpu, how);
}

static void print_root(const struct kml_root *root, const void *at,
		       const char *how)
{
	switch (root->kind) {
	case KML_ROOT_PERCPU:
		print_percpu(root, at, how);
		break;
	case KML_ROOT_STACK:
		print_stack(root, at, how);
		break;
	case KML_ROOT_RUNNING:
		pr_warn("    registers or stack of what runs on cpu %u%s\n",
			root->cpu, how);
		break;
	case KML_ROOT_UNKNOWN:
		pr_warn("    memory at 0x%08lx, near a slab without a record%s\n",
			(unsigned long)at, how);
		break;
	}
}

/* Between two chunks: let others run, and see whether to go on. */
static int breathe(void)
{
	cond_resched_tasks_rcu_qs();
	return kml_scan_must_stop();
}

static int search_memory(const void *start, const void *end,
			 const struct kml_root *root)
{
	unsigned long addr = ALIGN((unsigned long)start, sizeof(long));
	unsigned long last = ALIGN_DOWN((unsigned long)end, sizeof(long));
	const void *at = root->at ?: start;
	unsigned long *buf = kml_scan_buffer();
	size_t i, len;
	int ret = 0;

	for (; addr < last && !ret; addr += len) {
		len = kml_chunk_len(addr, last - addr);
		ret = breathe();
		if (kml_read_memory(buf, (void *)addr, len))
			continue;
		for (i = 0; i < len / sizeof(long); i++) {
			if (found_reference(current_search, buf[i]))
				print_root(root, at + (addr - (unsigned long)start) +
					   i * sizeof(long),
					   how(current_search, buf[i]));
		}
	}
	return ret;
}

static int search_task_stack(const void *stack, const void *live,
			     const void *end, const struct kml_root *root)
{
	return root->task == current ? 0 : search_memory(live, end, root);
}

static int search_pages(struct page *first, struct page *end)
{
	unsigned long words[sizeof(*first) / sizeof(long)];
	struct page *page;
	size_t i;

	for (page = first; page < end; page++) {
		if (kml_read_memory(words, page, sizeof(words)))
			continue;
		/* Scans leave it out as well, see mark.c. */
		words[offsetof(struct page, index) / sizeof(long)] = 0;
		for (i = 0; i < ARRAY_SIZE(words); i++) {
			if (found_reference(current_search, words[i]))
				pr_warn("    struct page of page frame 0x%lx at offset 0x%zx%s\n",
					page_to_pfn(page), i * sizeof(long),
					how(current_search, words[i]));
		}
	}
	return breathe();
}

static const struct kml_root_visitor root_visitor = {
	.memory = search_memory,
	.pages = search_pages,
	.task_stack = search_task_stack,
};

/* ---- Objects ---- */

static void print_object(enum kml_space space, unsigned long start, size_t size,
			 size_t offset, unsigned int cpu, bool leak,
			 const char *how)
{
	const char *kind = leak ? "leaked " : "";

	if (space == KML_PERCPU)
		pr_warn("    %sper-CPU object 0x%08lx (size %zu) at offset 0x%zx of cpu %u%s\n",
			kind, start, size, offset, cpu, how);
	else if (space == KML_PHYS)
		pr_warn("    memory of boot 0x%08lx (size %zu) at offset 0x%zx%s\n",
			start, size, offset, how);
	else
		pr_warn("    %sobject 0x%08lx (size %zu) at offset 0x%zx%s\n",
			kind, start, size, offset, how);
}

/* Variables are better known by name. */
static bool is_data(const struct kml_record *rec)
{
	return rec->space == KML_VIRT &&
	       (kml_is_in_image(rec->start) || is_module_address(rec->start));
}

static void print_data(unsigned long addr, const char *how)
{
	if (IS_ENABLED(CONFIG_KALLSYMS_ALL))
		pr_warn("    data %pS%s\n", (void *)addr, how);
	else
		pr_warn("    data at 0x%08lx%s\n", addr, how);
}

static int search_object_words(const struct kml_words *words, void *arg)
{
	struct search *search = arg;
	const struct kml_record *holder = search->holder;
	size_t i;

	for (i = 0; i < words->nr; i++) {
		size_t offset = words->offset + i * sizeof(long);

		if (!found_reference(search, words->words[i]))
			continue;
		if (is_data(holder))
			print_data(holder->start + offset,
				   how(search, words->words[i]));
		else
			print_object(holder->space, holder->start, holder->size,
				     offset, words->cpu,
				     kml_is_leak(holder, NULL),
				     how(search, words->words[i]));
	}
	return kml_scan_must_stop();
}

static bool match_scanned(const struct kml_record *rec, void *arg)
{
	return !kml_is_black(rec);
}

static unsigned long search_object(struct kml_record *rec, void *arg)
{
	struct search *search = arg;

	search->holder = rec;
	if (rec != search->rec && !search->ret)
		search->ret = kml_visit_words(rec, search_object_words, search);
	return 1;
}

static int search_slot_words(const struct kml_words *words, void *arg)
{
	struct search *search = arg;
	const struct kml_slab *slab = search->slab;
	size_t i;

	for (i = 0; i < words->nr; i++) {
		if (found_reference(search, words->words[i]))
			print_object(slab->space,
				     kml_slot_start(slab, search->index),
				     kml_slot_size(slab, search->index),
				     words->offset + i * sizeof(long),
				     words->cpu, false,
				     how(search, words->words[i]));
	}
	return 0;
}

static void search_slab(struct kml_slab *slab, void *arg)
{
	struct search *search = arg;

	if (search->ret)
		return;
	search->slab = slab;
	for (search->index = 0; search->index < slab->nr; search->index++)
		kml_visit_slot_words(slab, search->index, search_slot_words,
				     search);
	search->ret = kml_scan_must_stop();
}

/* ---- Search ---- */

static int search_all(struct search *search)
{
	current_search = search;
	search->ret = kml_visit_roots(&root_visitor,
				      READ_ONCE(kml_scan_stacks));
	current_search = NULL;
	if (!search->ret)
		kml_walk_slabs(search_slab, search);
	if (!search->ret)
		kml_for_records(match_scanned, search_object, search);
	return search->ret;
}

/**
 * kml_print_holders() - print to the log who points at an object
 * @rec: a pinned object of its own
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop(), and not all is printed.
 */
int kml_print_holders(const struct kml_record *rec)
{
	struct search search = { .rec = rec };
	unsigned long found;
	int ret;

	lockdep_assert_held(&kml_scan_mutex);
	if (rec->space == KML_VIRT && READ_ONCE(rec->min_count) > 1)
		search.vm_struct = kml_vm_struct_of(rec->start);
	if (search.vm_struct)
		search.vm_size = sizeof(struct vm_struct);

	pr_warn("  referred to by:\n");
	ret = search_all(&search);
	if (ret)
		return ret;
	if (search.found > HOLDERS_MAX)
		pr_warn("    and %lu more\n", search.found - HOLDERS_MAX);
	/* The first reference to a vm_struct is its own. */
	found = search.found - !!search.found_vm;
	pr_warn("  references: %lu found, %d needed\n", found,
		READ_ONCE(rec->min_count));
	return 0;
}

/**
 * kml_refs_to_log() - print to the log who points at an object, and at which
 * @rec: a pinned object of its own
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: as kml_print_holders().
 */
int kml_refs_to_log(const struct kml_record *rec)
{
	pr_warn("object 0x%08lx (size %zu):\n", rec->start, rec->size);
	return kml_print_holders(rec);
}
