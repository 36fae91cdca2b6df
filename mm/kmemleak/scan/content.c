// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: which words of an object may be references.
 *
 * Marking reads most memory where it is. Whoever has the time, or reads memory
 * that may vanish, goes through a copy, a chunk at a time.
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "refs.h"

/* ---- What the vmalloc allocator keeps for itself ---- */

/*
 * A struct vmap_area describes a range of addresses, in use or free, and holds
 * numbers that look like references: its end is where another area starts, and
 * when it is no longer in use it still points at the vm_struct that it had. The
 * allocator says of those that it makes for a new area that the numbers are none,
 * not of those that it splits off others.
 */

/**
 * kml_read_vmap_area() - read a vmap_area, and leave out what is void
 * @addr: its address
 * @area: set to what it holds; without a vm_struct if that is another one's
 *
 * A list that it was in may have begun on a stack, where now something else is.
 *
 * Context: Any.
 * Return: 0, or -EFAULT (or -ERANGE) if it cannot be read.
 */
int kml_read_vmap_area(unsigned long addr, struct vmap_area *area)
{
	int ret = kml_read_memory(area, (void *)addr, sizeof(*area));
	unsigned long *words = (unsigned long *)area;
	void *start;
	size_t i;

	if (ret)
		return ret;
	if (kml_read_memory(&start, &area->vm->addr, sizeof(start)) ||
	    (unsigned long)kasan_reset_tag(start) != area->va_start)
		area->vm = NULL;
	/* Those that are in lists and trees with it come from slabs too. */
	for (i = 0; i < sizeof(*area) / sizeof(long); i++) {
		unsigned long value = (unsigned long)
			kasan_reset_tag((void *)words[i]);

		if (!kml_is_linear(value))
			words[i] = 0;
	}
	return 0;
}

/**
 * kml_vm_struct_of() - find what describes a vmalloc area
 * @start: its first address
 *
 * Context: Process context. It may be freed at any time.
 * Return: the address of the vm_struct, untagged, or 0.
 */
unsigned long kml_vm_struct_of(unsigned long start)
{
	struct vmap_area *va = find_vmap_area(start);
	const struct vm_struct *vm;

	/* By now it may hold anything. */
	if (!va || kml_read_memory(&vm, &va->vm, sizeof(vm)))
		return 0;
	return (unsigned long)kasan_reset_tag(vm);
}

/* ---- Words ---- */

/**
 * kml_copy_piece() - visit copies of the words of a piece of an object
 * @ref: the object, pinned
 * @cpu: whose copy, if it is a per-CPU object
 * @offset: where the piece starts in the object, in bytes
 * @size: its length in bytes
 * @visit: called for each chunk that can be read; may sleep
 * @arg: passed on to @visit
 *
 * A free of the object waits for one chunk to be copied, and ends the visit.
 *
 * Context: Holder of kml_scan_mutex, or whoever marks for it; may sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_copy_piece(const struct kml_ref *ref, unsigned int cpu, size_t offset,
		   size_t size, kml_visit_words_t visit, void *arg)
{
	unsigned long start = kml_ref_start(ref);
	unsigned long addr = ALIGN(start + offset, sizeof(long));
	unsigned long last = ALIGN_DOWN(start + offset + size, sizeof(long));
	unsigned long *buffer = kml_self()->buffer ?: kml_scan_buffer();
	struct kml_words words = { .words = buffer, .cpu = cpu };
	int ret = 0;

	while (addr < last && !ret) {
		size_t len = kml_chunk_len(addr, last - addr);

		words.offset = addr - start;
		words.nr = len / sizeof(long);
		ret = kml_ref_read(ref, cpu, words.offset, buffer, len);
		if (ret == -ENOENT)
			return 0;
		/* Memory that is not mapped has no words. */
		ret = ret ? 0 : visit(&words, arg);
		addr += len;
		cond_resched_tasks_rcu_qs();
	}
	return ret;
}

/**
 * struct copying - what is done with the copies of all pieces of an object
 * @visit: called for each chunk
 * @arg: passed on to @visit
 */
struct copying {
	kml_visit_words_t visit;
	void *arg;
};

static int copy_piece(const struct kml_ref *ref, unsigned int cpu,
		      size_t offset, size_t size, void *arg)
{
	const struct copying *copying = arg;

	return kml_copy_piece(ref, cpu, offset, size, copying->visit,
			      copying->arg);
}

/* Some of what a vmap_area holds are no references. */
static int visit_vmap_area(const struct kml_ref *ref, kml_visit_words_t visit,
			   void *arg)
{
	struct vmap_area area;
	struct kml_words words = {
		.words = (const unsigned long *)&area,
		.nr = sizeof(area) / sizeof(long),
	};

	if (!kml_ref_is_live(ref) || kml_ref_needed(ref) == KML_BLACK ||
	    kml_read_vmap_area(kml_ref_start(ref), &area))
		return 0;
	return visit(&words, arg);
}

/**
 * kml_visit_words() - visit copies of what may be references in an object
 * @ref: the object, pinned
 * @visit: called for each chunk that can be read; may sleep
 * @arg: passed on to @visit
 *
 * Context: Holder of kml_scan_mutex, or whoever marks for it; may sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_words(const struct kml_ref *ref, kml_visit_words_t visit,
		    void *arg)
{
	struct copying copying = { .visit = visit, .arg = arg };

	if (kml_ref_is_vmap_area(ref))
		return visit_vmap_area(ref, visit, arg);
	return kml_ref_visit_pieces(ref, copy_piece, &copying);
}
