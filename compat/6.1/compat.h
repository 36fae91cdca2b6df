/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: what Linux 6.1 calls by another name, or lacks.
 *
 * It comes before all else, so there are macros only, which name what those who
 * use them have from elsewhere.
 */
#ifndef __MM_KMEMLEAK_COMPAT_6_1_H
#define __MM_KMEMLEAK_COMPAT_6_1_H

/* One more than the highest order, at that time. */
#define MAX_PAGE_ORDER			(MAX_ORDER - 1)

/* There is none: see who uses it. */
#define SLAB_NO_MERGE			0

/* On riscv exceptions leave nothing in the task_struct. */
#define KML_NO_TASK_REGISTERS

/* KFENCE's table is scanned, as other variables are. */
#define KML_KFENCE_VARIABLE		1

/* What is bound to no CPU had a flag, and all else had none. */
#define WQ_PERCPU			0

/* Shrinkers were static, and had a name when they were registered. */
#define shrinker_alloc(flags, name)					\
({									\
	static struct shrinker __shrinker;				\
	(void)(flags);							\
	(void)(name);							\
	&__shrinker;							\
})
#define shrinker_register(shrinker)	register_shrinker(shrinker, "kmemleak")

/* The part of a caller's flags that is for allocations within its own. */
#define gfp_nested_mask(flags)						\
	(((flags) & (GFP_KERNEL | GFP_ATOMIC | __GFP_NOLOCKDEP)) |	\
	 __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN)

#define abs_diff(a, b)							\
({									\
	typeof(a) __a = (a);						\
	typeof(b) __b = (b);						\
	__a > __b ? __a - __b : __b - __a;				\
})

/* Where the code of a module is, and its length in bytes. */
#define KML_MODULE_TEXT(mod)		((mod)->core_layout.base)
#define KML_MODULE_TEXT_SIZE(mod)	((mod)->core_layout.text_size)
#define KML_MODULE_INIT(mod)		((mod)->init_layout.base)
#define KML_MODULE_INIT_SIZE(mod)	((mod)->init_layout.text_size)

#define ptrauth_strip_kernel_insn_pac	ptrauth_strip_insn_pac
#define stack_depot_request_early_init	stack_depot_want_early_init
#define mem_alloc_profiling_enabled()	false
#define KUNIT_CASE_SLOW			KUNIT_CASE

#endif /* __MM_KMEMLEAK_COMPAT_6_1_H */
