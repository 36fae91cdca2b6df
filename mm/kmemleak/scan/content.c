// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: which words of an object may be references.
 *
 * Marking reads most memory where it is. Whoever has the time, or reads memory
 * that may vanish, goes through a copy, a chunk at a time.
 */
#include <linux/bitfield.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "refs.h"

static int visit_areas(struct kml_record *rec, kml_visit_piece_t visit,
		       void *arg)
{
	struct kml_area *area;
	int ret = 0;

	/* Areas are only ever added, and stay for as long as the object does. */
	hlist_for_each_entry_rcu(area, &rec->areas, node, true) {
		ret = visit(rec, 0, area->start - rec->start, area->size, arg);
		if (ret)
			break;
	}
	return ret;
}

/**
 * kml_visit_pieces() - visit what of an object may hold references
 * @rec: a pinned object of its own
 * @visit: called for each piece, of per-CPU objects for each possible CPU; may
 *	sleep
 * @arg: passed on to @visit
 *
 * Context: Process context; may sleep if @visit does.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_pieces(struct kml_record *rec, kml_visit_piece_t visit, void *arg)
{
	u8 flags = READ_ONCE(rec->flags);
	unsigned int cpu;
	int ret = 0;

	if (flags & (KML_NO_SCAN | KML_STACK) || !READ_ONCE(rec->alive))
		return 0;
	if (rec->space == KML_PERCPU) {
		for_each_possible_cpu(cpu) {
			ret = visit(rec, cpu, 0, rec->size, arg);
			if (ret)
				break;
		}
		return ret;
	}
	if (hlist_empty(&rec->areas) || flags & KML_FULL_SCAN)
		return visit(rec, 0, 0, rec->size, arg);
	return visit_areas(rec, visit, arg);
}

/**
 * kml_copy_piece() - visit copies of the words of a piece of an object
 * @rec: a pinned object of its own
 * @cpu: whose copy, if it is a per-CPU object
 * @offset: where the piece starts in the object
 * @size: its length in bytes
 * @visit: called for each chunk that can be read; may sleep
 * @arg: passed on to @visit
 *
 * A free of the object waits for one chunk to be copied, and ends the visit.
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_copy_piece(struct kml_record *rec, unsigned int cpu, size_t offset,
		   size_t size, kml_visit_words_t visit, void *arg)
{
	unsigned long begin = rec->start + offset;
	unsigned long addr = ALIGN(begin, sizeof(long));
	unsigned long last = ALIGN_DOWN(begin + size, sizeof(long));
	struct kml_words words = { .words = kml_scan_buffer(), .cpu = cpu };
	int ret = 0;

	while (addr < last && !ret) {
		size_t len = kml_chunk_len(addr, last - addr);

		words.offset = addr - rec->start;
		words.nr = len / sizeof(long);
		ret = kml_read(rec, cpu, words.offset, kml_scan_buffer(), len);
		if (ret == -ENOENT)
			return 0;
		/* What is not mapped is left out. */
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

static int copy_piece(struct kml_record *rec, unsigned int cpu, size_t offset,
		      size_t size, void *arg)
{
	const struct copying *copying = arg;

	return kml_copy_piece(rec, cpu, offset, size, copying->visit,
			      copying->arg);
}

/**
 * kml_visit_words() - visit copies of what may be references in an object
 * @rec: a pinned object of its own
 * @visit: called for each chunk that can be read; may sleep
 * @arg: passed on to @visit
 *
 * Context: Holder of kml_scan_mutex; may sleep.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_words(struct kml_record *rec, kml_visit_words_t visit, void *arg)
{
	struct copying copying = { .visit = visit, .arg = arg };

	return kml_visit_pieces(rec, copy_piece, &copying);
}

/* ---- Objects in slots ---- */

/* What there is of one CPU, from an offset in bytes on. */
static int visit_slot_from(struct kml_slab *slab, unsigned int index,
			   unsigned int cpu, size_t offset,
			   kml_visit_words_t visit, void *arg)
{
	unsigned long start = kml_slot_start(slab, index);
	size_t size = ALIGN_DOWN(kml_slot_size(slab, index), sizeof(long));
	struct kml_words words = { .words = kml_scan_buffer(), .cpu = cpu };
	int ret = 0;

	while (offset < size && !ret) {
		size_t len = kml_chunk_len(start + offset, size - offset);

		words.offset = offset;
		words.nr = len / sizeof(long);
		ret = kml_slot_read(slab, index, cpu, offset,
				    kml_scan_buffer(), len);
		if (ret == -ENOENT)
			return 0;
		ret = ret ? 0 : visit(&words, arg);
		offset += len;
	}
	return ret;
}

static int visit_percpu_slot(struct kml_slab *slab, unsigned int index,
			     kml_visit_words_t visit, void *arg)
{
	unsigned int cpu;
	int ret = 0;

	for_each_possible_cpu(cpu) {
		ret = visit_slot_from(slab, index, cpu, 0, visit, arg);
		if (ret)
			break;
	}
	return ret;
}

/* Some of what a vmap_area holds are no references. */
static int visit_vmap_slot(struct kml_slab *slab, unsigned int index,
			   kml_visit_words_t visit, void *arg)
{
	struct vmap_area area;
	struct kml_words words = {
		.words = (const unsigned long *)&area,
		.nr = sizeof(area) / sizeof(long),
	};

	if (kml_read_vmap_area(kml_slot_start(slab, index), &area))
		return 0;
	return visit(&words, arg);
}

/**
 * kml_visit_slot_words() - visit copies of what may be references in an object
 * @slab: its slab, pinned
 * @index: its index there
 * @visit: called for each chunk that can be read; may sleep
 * @arg: passed on to @visit
 *
 * Context: Holder of kml_scan_mutex; may sleep if @visit does.
 * Return: 0, or what @visit returned to stop.
 */
int kml_visit_slot_words(struct kml_slab *slab, unsigned int index,
			 kml_visit_words_t visit, void *arg)
{
	u32 meta = kml_slot_meta(&slab->slots[index]);

	if (!(meta & KML_SLOT_LIVE) || meta & KML_SLOT_BLACK)
		return 0;
	if (slab->space == KML_PERCPU)
		return visit_percpu_slot(slab, index, visit, arg);
	if (kml_is_vmap_slab(slab))
		return visit_vmap_slot(slab, index, visit, arg);
	return visit_slot_from(slab, index, 0,
			       FIELD_GET(KML_SLOT_SKIP, meta) * sizeof(long),
			       visit, arg);
}

/* ---- What the vmalloc allocator keeps for itself ---- */

/**
 * kml_is_vmap_slab() - ask whether a slab has vmap_areas, and nothing else
 * @slab: the slab
 *
 * Context: Any.
 * Return: true if that is known.
 */
bool kml_is_vmap_slab(const struct kml_slab *slab)
{
	return kml_special_cache && slab->cache == kml_special_cache;
}

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
