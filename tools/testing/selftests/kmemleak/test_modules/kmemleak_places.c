// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of every kind in which a pointer to an object may stand, also memory of which
 * nobody has told kmemleak, as commands in debugfs want it:
 *
 * make: have one place of each kind; take: let each refer to a new object; void: let
 * them refer to nothing; free: let the places go, with the pointers in them. "objects"
 * has a line for each object that was taken last: its address and the kind of place.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/platform_device.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "hidden.h"

#define OBJECT_SIZE	72

/* Of several pages the last one, near its end. */
#define LAST_WORD(start, size)	((start) + (size) - sizeof(void *))

static struct platform_device *device;

/* The first ones are objects that are tracked. Lines of "objects" have the names. */
enum kind {
	SMALL,
	LARGE,
	VMALLOC,
	PERCPU,
	STATIC,
	STATIC_PERCPU,
	PAGE_ALONE,
	PAGES,
	COMPOUND,
	EXACT,
	VMAP,
	PRIVATE,
	COHERENT,
	/* In these nobody looks. */
	RESERVED,
	CACHE,
	NR_KINDS,
};

static const char * const names[NR_KINDS] = {
	[SMALL] = "small", [LARGE] = "large", [VMALLOC] = "vmalloc", [PERCPU] = "percpu",
	[STATIC] = "static", [STATIC_PERCPU] = "static_percpu", [PAGE_ALONE] = "page",
	[PAGES] = "pages", [COMPOUND] = "compound", [EXACT] = "exact", [VMAP] = "vmap",
	[PRIVATE] = "private", [COHERENT] = "coherent", [RESERVED] = "reserved",
	[CACHE] = "cache",
};

static void *static_place;
static DEFINE_PER_CPU(void *, percpu_place);

/* Protects what follows. */
static DEFINE_MUTEX(places_mutex);
static unsigned long memory[NR_KINDS];
static unsigned long place[NR_KINDS];
static unsigned long objects[NR_KINDS];
static dma_addr_t coherent_handle;
static unsigned long vmap_page;
static unsigned long cache_page;
/* Of places that are objects themselves: for the detector to see. */
static void *kept[NR_KINDS];

static void *map_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	void *mapped = page ? vmap(&page, 1, VM_MAP, PAGE_KERNEL) : NULL;

	if (mapped)
		vmap_page = hide_address(page);
	else if (page)
		__free_page(page);
	return mapped;
}

static void *reserve_page(void)
{
	void *start = (void *)get_zeroed_page(GFP_KERNEL);

	if (start)
		SetPageReserved(virt_to_page(start));
	return start;
}

/* A file, and a page that it has in the page cache. */
static struct file *cache_file(void **at)
{
	struct file *file = filp_open("/kmemleak_places", O_RDWR | O_CREAT, 0600);
	struct page *page = NULL;
	loff_t pos = 0;

	if (IS_ERR(file))
		return NULL;
	if (kernel_write(file, page_address(ZERO_PAGE(0)), PAGE_SIZE, &pos) == PAGE_SIZE)
		page = find_get_page(file->f_mapping, 0);
	if (!page) {
		filp_close(file, NULL);
		return NULL;
	}
	cache_page = hide_address(page);
	*at = LAST_WORD(page_address(page), PAGE_SIZE);
	return file;
}

/* Memory, and where in it the pointer stands. */
static void *make_place(enum kind kind, void **at)
{
	void *__percpu *ptrs;
	void *start = NULL;

	switch (kind) {
	case SMALL:
		start = kzalloc(SZ_128, GFP_KERNEL);
		*at = LAST_WORD(start, SZ_128);
		break;
	case LARGE:
		start = kzalloc(SZ_64K, GFP_KERNEL);
		*at = LAST_WORD(start, SZ_64K);
		break;
	case VMALLOC:
		start = vzalloc(SZ_64K);
		*at = LAST_WORD(start, SZ_64K);
		break;
	case PERCPU:
		ptrs = alloc_percpu(void *);
		*at = ptrs ? per_cpu_ptr(ptrs, cpumask_last(cpu_possible_mask)) : NULL;
		/* To the compiler it may be one of another address space. */
		start = (void *)(__force unsigned long)ptrs;
		break;
	case STATIC:
		start = &static_place;
		*at = start;
		break;
	case STATIC_PERCPU:
		start = per_cpu_ptr(&percpu_place, cpumask_last(cpu_possible_mask));
		*at = start;
		break;
	case PAGE_ALONE:
		start = (void *)get_zeroed_page(GFP_KERNEL);
		*at = LAST_WORD(start, PAGE_SIZE);
		break;
	case PAGES:
		start = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 2);
		*at = LAST_WORD(start, PAGE_SIZE);
		break;
	case COMPOUND:
		start = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP, 3);
		*at = LAST_WORD(start, PAGE_SIZE << 3);
		break;
	case EXACT:
		start = alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
		*at = LAST_WORD(start, 3 * PAGE_SIZE);
		break;
	case VMAP:
		start = map_page();
		*at = LAST_WORD(start, PAGE_SIZE);
		break;
	case PRIVATE:
		start = alloc_pages(GFP_KERNEL | __GFP_COMP, 1);
		*at = start ? &((struct page *)start + 1)->private : NULL;
		break;
	case COHERENT:
		start = dma_alloc_coherent(&device->dev, PAGE_SIZE, &coherent_handle,
					   GFP_KERNEL);
		*at = LAST_WORD(start, PAGE_SIZE);
		break;
	case RESERVED:
		start = reserve_page();
		*at = LAST_WORD(start, PAGE_SIZE);
		break;
	case CACHE:
		start = cache_file(at);
		break;
	default:
		break;
	}
	return start;
}

static void free_place(enum kind kind, void *start)
{
	switch (kind) {
	case SMALL:
	case LARGE:
		kfree(start);
		break;
	case VMALLOC:
		vfree(start);
		break;
	case PERCPU:
		/* Its page stays where it is, and may be read by scans. */
		WRITE_ONCE(*(void **)reveal_address(place[PERCPU]), NULL);
		free_percpu((void __percpu *)(unsigned long)start);
		break;
	case STATIC:
	case STATIC_PERCPU:
		*(void **)start = NULL;
		break;
	case PAGE_ALONE:
		free_page((unsigned long)start);
		break;
	case PAGES:
		free_pages((unsigned long)start, 2);
		break;
	case COMPOUND:
		free_pages((unsigned long)start, 3);
		break;
	case EXACT:
		free_pages_exact(start, 3 * PAGE_SIZE);
		break;
	case VMAP:
		vunmap(start);
		__free_page(reveal_address(vmap_page));
		break;
	case PRIVATE:
		((struct page *)start + 1)->private = 0;
		__free_pages(start, 1);
		break;
	case COHERENT:
		dma_free_coherent(&device->dev, PAGE_SIZE, start, coherent_handle);
		break;
	case RESERVED:
		ClearPageReserved(virt_to_page(start));
		free_page((unsigned long)start);
		break;
	case CACHE:
		put_page(reveal_address(cache_page));
		filp_close(start, NULL);
		break;
	default:
		break;
	}
}

static int make_places(void)
{
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		void *at = NULL, *start = memory[kind] ? NULL : make_place(kind, &at);

		if (!start && !memory[kind])
			return -ENOMEM;
		if (!start)
			continue;
		memory[kind] = hide_address(start);
		if (kind <= PERCPU || kind == CACHE)
			WRITE_ONCE(kept[kind], start);
		place[kind] = hide_address(at);
	}
	return 0;
}

static noinline void *places_object(void)
{
	void *obj = kzalloc(OBJECT_SIZE, GFP_KERNEL);

	/* Not a jump, with which this function would be in no trace. */
	barrier();
	return obj;
}

static int take_objects(void)
{
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		void *obj;

		if (!memory[kind])
			return -EINVAL;
		obj = places_object();
		if (!obj)
			return -ENOMEM;
		objects[kind] = hide_address(obj);
		WRITE_ONCE(*(void **)reveal_address(place[kind]), obj);
	}
	return 0;
}

static int void_places(void)
{
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		if (memory[kind])
			WRITE_ONCE(*(void **)reveal_address(place[kind]), NULL);
	}
	return 0;
}

static int free_places(void)
{
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		if (memory[kind])
			free_place(kind, reveal_address(memory[kind]));
		memory[kind] = 0;
		WRITE_ONCE(kept[kind], NULL);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} commands[] = {
	{ "make", make_places },
	{ "take", take_objects },
	{ "void", void_places },
	{ "free", free_places },
};

/* Not inlined: its frame has to be a dead one by the time of wipe_stack(). */
static noinline int run_command(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name))
			return commands[i].run();
	}
	return -EINVAL;
}

static ssize_t command_write(struct file *file, const char __user *from, size_t count,
			     loff_t *pos)
{
	char name[16] = {};
	int err;

	if (count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, from, count))
		return -EFAULT;
	mutex_lock(&places_mutex);
	err = run_command(strim(name));
	mutex_unlock(&places_mutex);
	wipe_stack(WIPE_DEPTH);
	return err ? err : (ssize_t)count;
}

static const struct file_operations command_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = command_write,
};

static int objects_show(struct seq_file *seq, void *unused)
{
	unsigned int kind;

	mutex_lock(&places_mutex);
	for (kind = 0; kind < NR_KINDS; kind++) {
		if (objects[kind])
			seq_printf(seq, "0x%lx %s\n",
				   reported_address(reveal_address(objects[kind])),
				   names[kind]);
	}
	mutex_unlock(&places_mutex);
	wipe_stack(WIPE_DEPTH);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(objects);

static struct dentry *dir;

static int __init places_init(void)
{
	device = platform_device_register_simple("kmemleak_places", -1, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	dir = debugfs_create_dir("kmemleak_places", NULL);
	debugfs_create_file("command", 0200, dir, NULL, &command_fops);
	debugfs_create_file("objects", 0400, dir, NULL, &objects_fops);
	return 0;
}
module_init(places_init);

static void __exit places_exit(void)
{
	debugfs_remove(dir);
	free_places();
	platform_device_unregister(device);
}
module_exit(places_exit);

MODULE_DESCRIPTION("Places for references, for the kmemleak selftests");
MODULE_LICENSE("GPL");
