/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmemleak_churn: objects in use that never stay where they are.
 *
 * churn_main.c (threads) calls churn_swap.c, churn_link.c and churn_fresh.c. The
 * function that has allocated an object says what the object was for: it is
 * among the frames of a false report.
 */
#ifndef KMEMLEAK_CHURN_H
#define KMEMLEAK_CHURN_H

#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/types.h>

/* Pointers that a thread keeps on its stack. */
#define CHURN_HELD	4

/* Allocations that a thread has, of each kind. */
#define CHURN_FRESH	8

/**
 * struct churn_thread - what one of the threads has
 * @rnd: what it does next
 * @held: objects of churn_swap.c on its stack, while it runs
 * @left: the same when it has ended, and those it had in hand
 * @small: allocations of churn_fresh.c
 * @cached: the same from a cache
 * @area: a vmalloc area
 * @percpu: a per-CPU object
 */
struct churn_thread {
	struct rnd_state rnd;
	void **held;
	void *left[CHURN_HELD + 2];
	void *small[CHURN_FRESH];
	void *cached[CHURN_FRESH];
	void *area;
	void __percpu *percpu;
};

/* No tail call of the allocator: the caller has to have a frame. */
#define churn_here(obj)			\
({					\
	void *__obj = (obj);		\
					\
	OPTIMIZER_HIDE_VAR(__obj);	\
	__obj;				\
})

/* Nothing else is ever allocated from it, by whatever name. */
static inline struct kmem_cache *churn_cache(const char *name, unsigned int size)
{
	/* Before there was that flag, what user space may see was not merged. */
	return kmem_cache_create_usercopy(name, size, 0, SLAB_NO_MERGE, 0, size, NULL);
}

/* Now and then: sleep, with whatever the caller has in hand. */
void churn_rest(struct churn_thread *thread);

/* Objects that nobody writes to: only pointers to them move. */
int churn_swap_init(unsigned int nr);
void *churn_swap(struct churn_thread *thread, void *obj);
void churn_swap_left(void *obj);
void churn_swap_exit(void);

/* Objects that are linked into lists and trees, which writes to them. */
int churn_link_init(unsigned int nr);
void churn_link(struct churn_thread *thread);
void churn_link_exit(void);

/* Objects that come and go. */
int churn_fresh_init(void);
void churn_fresh(struct churn_thread *thread);
void churn_fresh_end(struct churn_thread *thread);
void churn_fresh_exit(void);

#endif /* KMEMLEAK_CHURN_H */
