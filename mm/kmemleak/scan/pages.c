// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: pages of memory that nobody has registered.
 *
 * Whoever allocates from the page allocator may keep pointers there, without a word to
 * the detector. If users want that, and after it was switched on in a system that had
 * been running, such pages are roots: what is in use by the kernel, and neither a slab
 * nor an object that is tracked. Pages of users, the page cache, page tables and what
 * is reserved are never read.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/highmem.h>
#include <linux/kernel.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "../../page_alloc.h"
#include "../../slab.h"
#include "refs.h"

/* Are such pages roots? Written under kml_control_mutex. */
bool kml_pages __read_mostly;

static int note_areas_of(const struct kml_ref *ref, void *arg)
{
	struct kml_record *rec = ref->rec;
	unsigned long flags, addr, end = rec->start + rec->size;

	/* A page at a time, as long as its owner cannot free it. */
	for (addr = rec->start; addr < end; addr = PAGE_ALIGN_DOWN(addr) + PAGE_SIZE) {
		raw_spin_lock_irqsave(&rec->lock, flags);
		if (rec->alive)
			kml_note_area(addr, 1, true);
		raw_spin_unlock_irqrestore(&rec->lock, flags);
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static bool select_area(const struct kml_ref *ref, void *arg)
{
	return ref->rec->space == KML_VIRT &&
	       is_vmalloc_or_module_addr((void *)ref->rec->start);
}

/**
 * kml_pages_start() - let pages that nobody has registered be roots
 *
 * Context: Holder of kml_control_mutex; may sleep.
 * Return: 0 or -ENOMEM.
 */
int kml_pages_start(void)
{
	int ret;

	lockdep_assert_held(&kml_control_mutex);
	if (kml_pages)
		return 0;
	ret = kml_note_areas();
	if (ret)
		return ret;
	/* Those that come from here on are noted by their hooks. */
	kml_for_each(KML_JUDGED, select_area, note_areas_of, NULL);
	WRITE_ONCE(kml_pages, true);
	return 0;
}

/* What the command line says. */
static bool wanted_at_boot __initdata;

/**
 * kml_pages_init() - do what the command line says
 *
 * Context: Boot, holder of kml_control_mutex; may sleep.
 */
void __init kml_pages_init(void)
{
	if (wanted_at_boot && kml_pages_start())
		pr_warn("no memory to let pages be roots\n");
}

static int change_pages(bool roots)
{
	if (roots)
		return kml_pages_start();
	/* What was there before tracking began is among them. */
	if (kml_began_late() && kml_tracking())
		return -EBUSY;
	WRITE_ONCE(kml_pages, false);
	return 0;
}

static int __ref set_pages(const char *val, const struct kernel_param *kp)
{
	bool roots = sysfs_streq(val, "roots");
	int ret;

	if (!roots && !sysfs_streq(val, "off"))
		return -EINVAL;
	if (system_state == SYSTEM_BOOTING) {
		wanted_at_boot = roots;
		return 0;
	}
	mutex_lock(&kml_control_mutex);
	ret = change_pages(roots);
	mutex_unlock(&kml_control_mutex);
	return ret;
}

static int get_pages(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", READ_ONCE(kml_pages) ? "roots" : "off");
}

static const struct kernel_param_ops pages_ops = {
	.set = set_pages,
	.get = get_pages,
};
module_param_cb(pages, &pages_ops, NULL, 0600);

/* An object that is tracked, or a part of one, has the page. */
static bool is_tracked(struct page *page)
{
	unsigned long addr = (unsigned long)kasan_reset_tag(page_address(page));
	struct kml_record *rec;

	if (kml_is_area_page(page_to_pfn(page)))
		return true;
	if (!addr || !kml_may_be_in_tree(addr))
		return false;
	rec = kml_find_range(&kml_trees[KML_VIRT], addr, PAGE_SIZE);
	if (rec)
		kml_put(rec);
	return rec;
}

/* Free pages of the allocator's, but for the few that CPUs keep for themselves. */
static bool is_free(struct page *page, struct page *head)
{
	/* In a block without __GFP_COMP, all pages but the first one count 0 as well. */
	return !page_count(head) && is_free_buddy_page(page);
}

/* Users', or of the page cache, or of a kind that has no references. */
static bool is_of_no_use(struct page *page, struct page *head)
{
	struct folio *folio = page_folio(page);

	return PageReserved(page) || PageHWPoison(page) || PageHuge(page) ||
	       READ_ONCE(folio->mapping) || folio_test_lru(folio) ||
	       folio_test_swapcache(folio) || page_has_type(head);
}

/**
 * kml_is_root_memory() - ask whether a page is one that nobody has registered
 * @page: the page, of memory that is online
 *
 * Context: Any.
 * Return: true if the kernel uses it, and it is neither a slab's nor an object's.
 */
bool kml_is_root_memory(struct page *page)
{
	struct page *head = compound_head(page);

	if (PageLargeKmalloc(head))
		return !is_tracked(page);
	return !PageSlab(head) && !is_of_no_use(page, head) && !is_free(page, head) &&
	       !is_tracked(page);
}

static bool is_accounted(const struct page *head)
{
#ifdef CONFIG_MEMCG
	return READ_ONCE(head->memcg_data) & MEMCG_DATA_KMEM;
#else
	return false;
#endif
}

/**
 * kml_page_kind() - tell what is known of a page that nobody has registered
 * @page: the page
 *
 * Context: Any.
 * Return: its kind.
 */
enum kml_page_kind kml_page_kind(struct page *page)
{
	struct page *head = compound_head(page);

	if (PageLargeKmalloc(head))
		return KML_PAGE_KMALLOC;
	if (is_accounted(head))
		return KML_PAGE_ACCOUNTED;
	return PageCompound(page) ? KML_PAGE_COMPOUND : KML_PAGE_SINGLE;
}

/**
 * kml_pages_settle() - let free pages be known to be free
 *
 * Those that CPUs keep for themselves look like others that are in use.
 *
 * Context: Process context; may sleep.
 */
void kml_pages_settle(void)
{
	if (READ_ONCE(kml_pages))
		drain_all_pages(NULL);
}

/**
 * kml_visit_memory() - visit the words of a page
 * @page: the page
 * @visit: what to do with them
 *
 * Context: Any, if @visit does not sleep.
 * Return: what @visit has returned.
 */
int kml_visit_memory(struct page *page, kml_visit_t visit)
{
	static const struct kml_root root = { .kind = KML_ROOT_PAGE };
	const void *mapped = kmap_local_page(page);
	/* Whose tag it has does not matter. */
	const void *start = kasan_reset_tag(mapped);
	int ret = visit(start, start + PAGE_SIZE, &root);

	kunmap_local(mapped);
	return ret;
}
