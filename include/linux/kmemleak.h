/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what allocators, and users of memory that the
 * detector cannot see through, tell it. See Documentation/dev-tools/kmemleak.rst
 * for when to annotate.
 */
#ifndef _LINUX_KMEMLEAK_H
#define _LINUX_KMEMLEAK_H

#include <linux/jump_label.h>
/* Callers rely on these two to come along. */
#include <linux/slab.h>
#include <linux/vmalloc.h>

/**
 * struct kmemleak_test - since when a test looks at what is lost
 * @since: kmemleak_test_begin(), in jiffies
 * @before: number of the last scan that does not count
 * @now: number of the last scan that does
 *
 * Its members are the detector's own.
 */
struct kmemleak_test {
	unsigned long since;
	u32 before;
	u32 now;
};

/* Is called for each line of a report, without its newline. */
typedef void (*kmemleak_line_t)(void *arg, const char *line);

#ifdef CONFIG_DEBUG_KMEMLEAK

void __init kmemleak_init(void);

DECLARE_STATIC_KEY_TRUE(kmemleak_key);

/* Is the detector to be told? If not, that takes a jump that is patched out. */
static __always_inline bool kmemleak_is_called(void)
{
	return static_branch_unlikely(&kmemleak_key);
}

/* What an allocator knows of an object, its gfp_t too, in two whole registers. */
struct kmemleak_slab_object {
	void *ptr;
	unsigned long gfp;
};

/* mm/kmemleak/track/hooks.c. The functions without underscores are those to call. */
void __kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp);
struct kmemleak_slab_object __kmemleak_slab_alloc(void *ptr, gfp_t gfp,
						  const struct kmem_cache *cache);
void __kmemleak_alloc_percpu(const void __percpu *ptr, size_t size, gfp_t gfp);
void __kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp);
void __kmemleak_vmalloc(const struct vm_struct *area, size_t size, gfp_t gfp);
void __kmemleak_alloc_nolock(const void *ptr, size_t size);
void __kmemleak_free(const void *ptr);
void __kmemleak_slab_free(const void *ptr, const struct kmem_cache *cache);
void __kmemleak_free_nolock(const void *ptr);
void __kmemleak_free_part(const void *ptr, size_t size);
void __kmemleak_free_part_phys(phys_addr_t phys, size_t size);
void __kmemleak_free_percpu(const void __percpu *ptr);
void __kmemleak_update_trace(const void *ptr);
void __kmemleak_not_leak(const void *ptr);
void __kmemleak_transient_leak(const void *ptr);
void __kmemleak_ignore(const void *ptr);
void __kmemleak_ignore_percpu(const void __percpu *ptr);
void __kmemleak_ignore_phys(phys_addr_t phys);
void __kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp);
void __kmemleak_no_scan(const void *ptr);

/**
 * kmemleak_alloc() - an object was allocated
 * @ptr: its first byte; NULL and error pointers are ignored
 * @size: its length in bytes
 * @min_count: references that must be found for it not to be a leak; 0: never a
 *	leak, always scanned; -1: neither reported nor scanned
 * @gfp: flags of the allocation, used for the metadata too
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_alloc(const void *ptr, size_t size, int min_count,
				  gfp_t gfp)
{
	if (kmemleak_is_called())
		__kmemleak_alloc(ptr, size, min_count, gfp);
}

/**
 * kmemleak_alloc_percpu() - a per-CPU object was allocated
 * @ptr: the __percpu pointer to it; NULL and error pointers are ignored
 * @size: length of each CPU's copy in bytes
 * @gfp: flags of the allocation, used for the metadata too
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_alloc_percpu(const void __percpu *ptr, size_t size,
					 gfp_t gfp)
{
	if (kmemleak_is_called())
		__kmemleak_alloc_percpu(ptr, size, gfp);
}

/**
 * kmemleak_alloc_phys() - a range of physical memory was allocated at boot
 * @phys: its first address
 * @size: its length in bytes
 * @gfp: flags to allocate metadata with
 *
 * It is scanned, but never reported.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp)
{
	if (kmemleak_is_called())
		__kmemleak_alloc_phys(phys, size, gfp);
}

/**
 * kmemleak_vmalloc() - an object was allocated by vmalloc()
 * @area: describes it
 * @size: its length in bytes
 * @gfp: flags of the allocation, used for the metadata too
 *
 * The pointer in @area itself is always there, so a second one must be found.
 * Whoever keeps @area instead of the address keeps the object as well.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_vmalloc(const struct vm_struct *area, size_t size,
				    gfp_t gfp)
{
	if (kmemleak_is_called())
		__kmemleak_vmalloc(area, size, gfp);
}

/**
 * kmemleak_alloc_nolock() - an object was allocated where nothing may be waited for
 * @ptr: its first byte; NULL and error pointers are ignored
 * @size: its length in bytes
 *
 * It is never reported, and all that is in it counts as references, until it is freed.
 *
 * Context: Any, NMI included.
 */
static inline void kmemleak_alloc_nolock(const void *ptr, size_t size)
{
	if (kmemleak_is_called())
		__kmemleak_alloc_nolock(ptr, size);
}

/**
 * kmemleak_free() - an object is about to be freed
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * Context: Any but NMI. Waits until a scan that reads the object has read one
 * chunk of it.
 */
static inline void kmemleak_free(const void *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_free(ptr);
}

/**
 * kmemleak_free_nolock() - an object is about to be freed where nothing may be waited for
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * One that was allocated in the usual way stays tracked, until the allocator hands out
 * another one in its place.
 *
 * Context: Any, NMI included.
 */
static inline void kmemleak_free_nolock(const void *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_free_nolock(ptr);
}

/**
 * kmemleak_free_part() - a part of an object is about to be freed
 * @ptr: first byte of the part; NULL and error pointers are ignored
 * @size: length of the part in bytes
 *
 * What is left of the object on either side stays tracked.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_free_part(const void *ptr, size_t size)
{
	if (kmemleak_is_called())
		__kmemleak_free_part(ptr, size);
}

/**
 * kmemleak_free_part_phys() - a range of physical memory is about to be freed
 * @phys: first address of the range
 * @size: its length in bytes
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_free_part_phys(phys_addr_t phys, size_t size)
{
	if (kmemleak_is_called())
		__kmemleak_free_part_phys(phys, size);
}

/**
 * kmemleak_free_percpu() - a per-CPU object is about to be freed
 * @ptr: the __percpu pointer to it; NULL and error pointers are ignored
 *
 * Context: Any but NMI. Waits until a scan that reads the object has read one
 * chunk of it.
 */
static inline void kmemleak_free_percpu(const void __percpu *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_free_percpu(ptr);
}

/**
 * kmemleak_update_trace() - take this call for the place of the allocation
 * @ptr: points into an object; NULL and error pointers are ignored
 *
 * For objects that are handed out long after they were allocated, such as those
 * of memory pools.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_update_trace(const void *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_update_trace(ptr);
}

/**
 * kmemleak_not_leak() - an object is in use although nothing points at it
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * It is never reported, and what it points at is in use as well.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_not_leak(const void *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_not_leak(ptr);
}

/**
 * kmemleak_transient_leak() - nothing will point at an object for a short while
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * Neither a scan that runs now nor the next one reports it.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_transient_leak(const void *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_transient_leak(ptr);
}

/**
 * kmemleak_ignore() - an object is no leak and holds no references
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * It is neither reported nor scanned.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_ignore(const void *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_ignore(ptr);
}

/**
 * kmemleak_ignore_percpu() - a per-CPU object is no leak and holds no references
 * @ptr: the __percpu pointer to it; NULL and error pointers are ignored
 *
 * It is neither reported nor scanned.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_ignore_percpu(const void __percpu *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_ignore_percpu(ptr);
}

/**
 * kmemleak_ignore_phys() - a range of physical memory holds no references
 * @phys: first address of an object from kmemleak_alloc_phys()
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_ignore_phys(phys_addr_t phys)
{
	if (kmemleak_is_called())
		__kmemleak_ignore_phys(phys);
}

/**
 * kmemleak_scan_area() - only a part of an object holds references
 * @ptr: first byte of the part; NULL and error pointers are ignored
 * @size: its length in bytes; SIZE_MAX: to the end of the object
 * @gfp: flags to allocate metadata with
 *
 * May be called again for further parts of the same object.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp)
{
	if (kmemleak_is_called())
		__kmemleak_scan_area(ptr, size, gfp);
}

/**
 * kmemleak_no_scan() - an object holds no references
 * @ptr: its first byte; NULL and error pointers are ignored
 *
 * It is not scanned, but reported like any other if nothing points at it.
 *
 * Context: Any but NMI.
 */
static inline void kmemleak_no_scan(const void *ptr)
{
	if (kmemleak_is_called())
		__kmemleak_no_scan(ptr);
}

/*
 * For the slab allocator: caches with SLAB_NOLEAKTRACE, among them those the
 * detector itself uses, are not tracked.
 */
static inline void kmemleak_alloc_recursive(const void *ptr, size_t size,
					    int min_count,
					    slab_flags_t slab_flags, gfp_t gfp)
{
	if (kmemleak_is_called() && !(slab_flags & SLAB_NOLEAKTRACE))
		__kmemleak_alloc(ptr, size, min_count, gfp);
}

static inline void kmemleak_free_recursive(const void *ptr,
					   slab_flags_t slab_flags)
{
	if (kmemleak_is_called() && !(slab_flags & SLAB_NOLEAKTRACE))
		__kmemleak_free(ptr);
}

/**
 * kmemleak_slab_alloc() - an object of a slab was allocated
 * @ptr: its first byte; NULL is ignored
 * @gfp: flags of the allocation, used for the metadata too
 * @cache: its cache, which may be one with SLAB_NOLEAKTRACE
 *
 * @ptr and @gfp are the same behind this, but come from the hook: the compiler saves no
 * register for them, which it would do ahead of a call that is mostly not made.
 *
 * Context: Any but NMI.
 */
static __always_inline void kmemleak_slab_alloc(void **ptr, gfp_t *gfp,
						const struct kmem_cache *cache)
{
	struct kmemleak_slab_object object;

	if (kmemleak_is_called()) {
		object = __kmemleak_slab_alloc(*ptr, *gfp, cache);
		*ptr = object.ptr;
		*gfp = (__force gfp_t)object.gfp;
	}
}

/**
 * kmemleak_slab_alloc_bulk() - several objects of a slab cache were allocated
 * @nr: number of the objects
 * @ptrs: their first bytes
 * @cache: their cache, which may be one with SLAB_NOLEAKTRACE
 * @gfp: flags of the allocation, used for the metadata too
 *
 * Context: Any but NMI.
 */
static __always_inline void
kmemleak_slab_alloc_bulk(size_t nr, void **ptrs, const struct kmem_cache *cache, gfp_t gfp)
{
	size_t i;

	if (kmemleak_is_called()) {
		for (i = 0; i < nr; i++)
			__kmemleak_slab_alloc(ptrs[i], gfp, cache);
	}
}

/**
 * kmemleak_slab_free() - an object of a slab is about to be freed
 * @ptr: its first byte
 * @cache: its cache, which may be one with SLAB_NOLEAKTRACE
 *
 * Context: Any but NMI. Waits until a scan that reads the object has read one
 * chunk of it.
 */
static __always_inline void kmemleak_slab_free(const void *ptr,
					       const struct kmem_cache *cache)
{
	if (kmemleak_is_called())
		__kmemleak_slab_free(ptr, cache);
}

/* For tests. */
void kmemleak_test_begin(struct kmemleak_test *test);
int kmemleak_test_end(struct kmemleak_test *test);
void kmemleak_test_report(const struct kmemleak_test *test, unsigned int limit,
			  kmemleak_line_t print, void *arg);

/* For threads. */
void kmemleak_wipe_stack(void);

/**
 * kmemleak_wipe_registers() - forget what registers hold that functions keep
 *
 * To be called before a call that lasts, such as one that sleeps or does not return, by a
 * function that has no more use for what it had in these registers: it is saved, on the
 * stack or in the task, as long as that call lasts.
 *
 * Context: Any.
 */
static __always_inline void kmemleak_wipe_registers(void)
{
#if defined(CONFIG_ARM64)
	asm volatile("mov x19, xzr\n\t"
		     "mov x20, xzr\n\t"
		     "mov x21, xzr\n\t"
		     "mov x22, xzr\n\t"
		     "mov x23, xzr\n\t"
		     "mov x24, xzr\n\t"
		     "mov x25, xzr\n\t"
		     "mov x26, xzr\n\t"
		     "mov x27, xzr\n\t"
		     "mov x28, xzr"
		     : : : "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
			   "x27", "x28");
#elif defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	asm volatile("xorl %%ebx, %%ebx\n\t"
		     "xorl %%r12d, %%r12d\n\t"
		     "xorl %%r13d, %%r13d\n\t"
		     "xorl %%r14d, %%r14d\n\t"
		     "xorl %%r15d, %%r15d"
		     : : : "rbx", "r12", "r13", "r14", "r15", "cc");
#ifndef CONFIG_FRAME_POINTER
	asm volatile("xorl %%ebp, %%ebp" : : : "rbp", "cc");
#endif
#elif defined(CONFIG_RISCV)
	asm volatile("li s1, 0\n\t"
		     "li s2, 0\n\t"
		     "li s3, 0\n\t"
		     "li s4, 0\n\t"
		     "li s5, 0\n\t"
		     "li s6, 0\n\t"
		     "li s7, 0\n\t"
		     "li s8, 0\n\t"
		     "li s9, 0\n\t"
		     "li s10, 0\n\t"
		     "li s11, 0"
		     : : : "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10",
			   "s11");
#elif defined(CONFIG_ARM) && !defined(CONFIG_THUMB2_KERNEL)
	asm volatile("mov r4, #0\n\t"
		     "mov r5, #0\n\t"
		     "mov r6, #0\n\t"
		     "mov r7, #0\n\t"
		     "mov r8, #0\n\t"
		     "mov r9, #0\n\t"
		     "mov r10, #0"
		     : : : "r4", "r5", "r6", "r7", "r8", "r9", "r10");
#elif defined(CONFIG_S390)
	asm volatile("lghi %%r6, 0\n\t"
		     "lghi %%r7, 0\n\t"
		     "lghi %%r8, 0\n\t"
		     "lghi %%r9, 0\n\t"
		     "lghi %%r10, 0\n\t"
		     "lghi %%r11, 0\n\t"
		     "lghi %%r13, 0"
		     : : : "6", "7", "8", "9", "10", "11", "13");
#endif
}

#else /* !CONFIG_DEBUG_KMEMLEAK */

static inline void kmemleak_init(void) { }

static inline bool kmemleak_is_called(void)
{
	return false;
}

static inline void kmemleak_alloc(const void *ptr, size_t size, int min_count,
				  gfp_t gfp) { }
static inline void kmemleak_alloc_percpu(const void __percpu *ptr, size_t size,
					 gfp_t gfp) { }
static inline void kmemleak_alloc_phys(phys_addr_t phys, size_t size,
				       gfp_t gfp) { }
static inline void kmemleak_vmalloc(const struct vm_struct *area, size_t size,
				    gfp_t gfp) { }
static inline void kmemleak_alloc_nolock(const void *ptr, size_t size) { }
static inline void kmemleak_free(const void *ptr) { }
static inline void kmemleak_free_nolock(const void *ptr) { }
static inline void kmemleak_free_part(const void *ptr, size_t size) { }
static inline void kmemleak_free_part_phys(phys_addr_t phys, size_t size) { }
static inline void kmemleak_free_percpu(const void __percpu *ptr) { }
static inline void kmemleak_alloc_recursive(const void *ptr, size_t size,
					    int min_count,
					    slab_flags_t slab_flags,
					    gfp_t gfp) { }
static inline void kmemleak_free_recursive(const void *ptr,
					   slab_flags_t slab_flags) { }
static inline void kmemleak_slab_alloc(void **ptr, gfp_t *gfp,
				       const struct kmem_cache *cache) { }
static inline void kmemleak_slab_alloc_bulk(size_t nr, void **ptrs,
					    const struct kmem_cache *cache,
					    gfp_t gfp) { }
static inline void kmemleak_slab_free(const void *ptr,
				      const struct kmem_cache *cache) { }

static inline void kmemleak_update_trace(const void *ptr) { }
static inline void kmemleak_not_leak(const void *ptr) { }
static inline void kmemleak_transient_leak(const void *ptr) { }
static inline void kmemleak_ignore(const void *ptr) { }
static inline void kmemleak_ignore_percpu(const void __percpu *ptr) { }
static inline void kmemleak_ignore_phys(phys_addr_t phys) { }
static inline void kmemleak_scan_area(const void *ptr, size_t size,
				      gfp_t gfp) { }
static inline void kmemleak_no_scan(const void *ptr) { }
static inline void kmemleak_test_begin(struct kmemleak_test *test) { }
static inline int kmemleak_test_end(struct kmemleak_test *test) { return 0; }
static inline void kmemleak_test_report(const struct kmemleak_test *test,
					unsigned int limit,
					kmemleak_line_t print, void *arg) { }
static inline void kmemleak_wipe_stack(void) { }
static inline void kmemleak_wipe_registers(void) { }

#endif /* CONFIG_DEBUG_KMEMLEAK */

/*
 * Wipe a pointer to a free object that the owner has no more use for, so that it
 * does not count as a reference once the object is allocated again. While the
 * detector is off too: who knows when it is switched on.
 */
static inline void kmemleak_erase(void **ptr)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		*ptr = NULL;
}

#endif /* _LINUX_KMEMLEAK_H */
