/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what allocators, and users of memory that the
 * detector cannot see through, tell it. See Documentation/dev-tools/kmemleak.rst
 * for when to annotate, mm/kmemleak/hooks.c for each function.
 */
#ifndef _LINUX_KMEMLEAK_H
#define _LINUX_KMEMLEAK_H

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

/* For allocators. */
void kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp);
void kmemleak_alloc_percpu(const void __percpu *ptr, size_t size, gfp_t gfp);
void kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp);
void kmemleak_vmalloc(const struct vm_struct *area, size_t size, gfp_t gfp);
void kmemleak_alloc_nolock(const void *ptr, size_t size);
void kmemleak_free(const void *ptr);
void kmemleak_free_nolock(const void *ptr);
void kmemleak_free_part(const void *ptr, size_t size);
void kmemleak_free_part_phys(phys_addr_t phys, size_t size);
void kmemleak_free_percpu(const void __percpu *ptr);

/* Annotations. */
void kmemleak_update_trace(const void *ptr);
void kmemleak_not_leak(const void *ptr);
void kmemleak_transient_leak(const void *ptr);
void kmemleak_ignore(const void *ptr);
void kmemleak_ignore_percpu(const void __percpu *ptr);
void kmemleak_ignore_phys(phys_addr_t phys);
void kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp);
void kmemleak_no_scan(const void *ptr);

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
 * To be called by a function that is not returned to, before the call that it makes for
 * that: what it had in these registers is saved on the stack as long as that call lasts.
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
#endif
}

#else /* !CONFIG_DEBUG_KMEMLEAK */

static inline void kmemleak_init(void) { }

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
 * For the slab allocator: caches with SLAB_NOLEAKTRACE, among them those the
 * detector itself uses, are not tracked.
 */
static inline void kmemleak_alloc_recursive(const void *ptr, size_t size,
					    int min_count,
					    slab_flags_t slab_flags, gfp_t gfp)
{
	if (slab_flags & SLAB_NOLEAKTRACE)
		return;
	kmemleak_alloc(ptr, size, min_count, gfp);
}

static inline void kmemleak_free_recursive(const void *ptr,
					   slab_flags_t slab_flags)
{
	if (slab_flags & SLAB_NOLEAKTRACE)
		return;
	kmemleak_free(ptr);
}

/*
 * Wipe a pointer to a free object that the owner has no more use for, so that it
 * does not count as a reference once the object is allocated again.
 */
static inline void kmemleak_erase(void **ptr)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		*ptr = NULL;
}

#endif /* _LINUX_KMEMLEAK_H */
