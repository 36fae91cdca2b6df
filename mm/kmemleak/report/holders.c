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

#include "report.h"

/* The most holders that are printed. */
#define HOLDERS_MAX	64

/**
 * struct search - a search for references to an object
 * @space: address space of the object
 * @start: where it starts
 * @size: its length in bytes
 * @vm_struct: address of what describes it, if it is a vmalloc area, or 0
 * @vm_size: length of that in bytes, or 0
 * @found: how many references there are
 * @found_vm: how many of them are references to @vm_struct
 * @holder: the object that is being looked at
 */
struct search {
	enum kml_space space;
	unsigned long start;
	size_t size;
	unsigned long vm_struct;
	size_t vm_size;
	unsigned long found;
	unsigned long found_vm;
	const struct kml_ref *holder;
};

/* The one that is made; kml_scan_mutex. Visitors of roots have no argument. */
static struct search *current_search;

/* Count it, if it is one. Returns true if it is to be printed. */
static bool found_reference(struct search *search, unsigned long word)
{
	bool to_vm;

	word = (unsigned long)kasan_reset_tag((void *)word);
	to_vm = word - search->vm_struct < search->vm_size;
	if (!to_vm && word - search->start >= search->size)
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
	const void *first = kml_cpu_variables(root->cpu);

	/* kallsyms knows the first copy of these variables, which nobody uses. */
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
	case KML_ROOT_PAGE:
		pr_warn("    page at 0x%08lx, at offset 0x%lx%s\n",
			(unsigned long)at & PAGE_MASK, offset_in_page(at), how);
		break;
	case KML_ROOT_UNKNOWN:
		pr_warn("    memory at 0x%08lx, near an object without a record%s\n",
			(unsigned long)at, how);
		break;
	}
}

/* Between two chunks: let others run, and see whether to go on. */
static int breathe(void)
{
	cond_resched_tasks_rcu_qs();
	kml_forget_saved_registers();
	return kml_scan_must_stop();
}

static int search_memory(const void *start, const void *end,
			 const struct kml_root *root)
{
	unsigned long addr = ALIGN((unsigned long)start, sizeof(long));
	unsigned long last = ALIGN_DOWN((unsigned long)end, sizeof(long));
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
				print_root(root, (void *)addr + i * sizeof(long),
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
		words[offsetof(struct page, __folio_index) / sizeof(long)] = 0;
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

static void print_object(const struct kml_ref *holder, size_t offset,
			 unsigned int cpu, const char *how)
{
	const char *kind = kml_ref_is_leak(holder) ? "leaked " : "";
	unsigned long start = kml_ref_start(holder);
	size_t size = kml_ref_size(holder);

	switch (kml_ref_space(holder)) {
	case KML_PERCPU:
		pr_warn("    %sper-CPU object 0x%08lx (size %zu) at offset 0x%zx of cpu %u%s\n",
			kind, start, size, offset, cpu, how);
		break;
	case KML_PHYS:
		pr_warn("    memory of boot 0x%08lx (size %zu) at offset 0x%zx%s\n",
			start, size, offset, how);
		break;
	default:
		pr_warn("    %sobject 0x%08lx (size %zu) at offset 0x%zx%s\n",
			kind, start, size, offset, how);
	}
}

/* Variables are better known by name. */
static bool is_data(const struct kml_ref *ref)
{
	unsigned long start = kml_ref_start(ref);

	return kml_ref_space(ref) == KML_VIRT &&
	       (kml_is_in_image(start) || is_module_address(start));
}

static void print_data(unsigned long addr, const char *how)
{
	if (IS_ENABLED(CONFIG_KALLSYMS_ALL))
		pr_warn("    data %pS%s\n", (void *)addr, how);
	else
		pr_warn("    data at 0x%08lx%s\n", addr, how);
}

static int search_words(const struct kml_words *words, void *arg)
{
	struct search *search = arg;
	size_t i;

	for (i = 0; i < words->nr; i++) {
		size_t offset = words->offset + i * sizeof(long);
		const char *by = how(search, words->words[i]);

		if (!found_reference(search, words->words[i]))
			continue;
		if (is_data(search->holder))
			print_data(kml_ref_start(search->holder) + offset, by);
		else
			print_object(search->holder, offset, words->cpu, by);
	}
	return kml_scan_must_stop();
}

static int search_object(const struct kml_ref *ref, void *arg)
{
	struct search *search = arg;

	if (kml_ref_space(ref) == search->space &&
	    kml_ref_start(ref) == search->start)
		return 0;
	search->holder = ref;
	return kml_visit_words(ref, search_words, search);
}

/* ---- Search ---- */

static int search_all(struct search *search)
{
	int ret;

	current_search = search;
	ret = kml_visit_roots(&root_visitor, READ_ONCE(kml_scan_stacks));
	current_search = NULL;
	return ret ?: kml_for_each(KML_ALL, kml_ref_any, search_object, search);
}

/**
 * kml_print_holders() - print to the log who points at an object
 * @ref: the object, pinned
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0 or an error as of kml_scan_must_stop(), and not all is printed.
 */
int kml_print_holders(const struct kml_ref *ref)
{
	struct search search = {
		.space = kml_ref_space(ref),
		.start = kml_ref_start(ref),
		.size = kml_ref_size(ref),
	};
	int needed = kml_ref_needed(ref);
	unsigned long found;
	int ret;

	lockdep_assert_held(&kml_scan_mutex);
	if (search.space == KML_VIRT && needed > 1)
		search.vm_struct = kml_vm_struct_of(search.start);
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
	pr_warn("  references: %lu found, %d needed\n", found, needed);
	return 0;
}

/**
 * kml_refs_to_log() - print to the log who points at an object, and at which
 * @ref: the object, pinned
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: as kml_print_holders().
 */
int kml_refs_to_log(const struct kml_ref *ref)
{
	pr_warn("object 0x%08lx (size %zu):\n", kml_ref_start(ref),
		kml_ref_size(ref));
	return kml_print_holders(ref);
}
