// SPDX-License-Identifier: GPL-2.0
/*
 * Every way in which the kernel refers to an object that is in use.
 *
 * "hold" lets each holder have one object of every kind, "drop" makes it
 * forget them: they are quiet before, and leaks after it.
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "hidden.h"
#include "selftest.h"

/* At least as many as there are kinds of objects. */
#define SLOTS	16

/**
 * struct holder - one way to refer to objects.
 * @name: what the shell calls it.
 * @links: it needs a struct node within the object.
 * @prepare: before the first object.
 * @hold: refer to an object, the slot is its number.
 * @settle: after the last object.
 * @drop: forget all of them. Harmless when it holds none.
 */
struct holder {
	const char *name;
	bool links;
	int (*prepare)(void);
	int (*hold)(unsigned int slot, void *obj, size_t size);
	int (*settle)(void);
	void (*drop)(void);
};

/* Pointers in the module's own data */

static void *start_refs[SLOTS];

static int hold_start(unsigned int slot, void *obj, size_t size)
{
	start_refs[slot] = obj;
	return 0;
}

static void drop_start(void)
{
	memset(start_refs, 0, sizeof(start_refs));
}

static void *interior_refs[SLOTS];

static int hold_interior(unsigned int slot, void *obj, size_t size)
{
	interior_refs[slot] = obj + size / 2;
	return 0;
}

static void drop_interior(void)
{
	memset(interior_refs, 0, sizeof(interior_refs));
}

static void __rcu *rcu_refs[SLOTS];

static int hold_rcu(unsigned int slot, void *obj, size_t size)
{
	rcu_assign_pointer(rcu_refs[slot], obj);
	return 0;
}

static void drop_rcu(void)
{
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		RCU_INIT_POINTER(rcu_refs[slot], NULL);
	synchronize_rcu();
}

static DEFINE_PER_CPU(void *, percpu_refs[SLOTS]);

/* Spread over the CPUs, the last of which must be as good as the first. */
static void **percpu_ref(unsigned int slot)
{
	unsigned int nth = slot % num_possible_cpus();
	int cpu;

	for_each_possible_cpu(cpu)
		if (!nth--)
			break;
	return &per_cpu(percpu_refs[slot], cpu);
}

static int hold_percpu_variable(unsigned int slot, void *obj, size_t size)
{
	*percpu_ref(slot) = obj;
	return 0;
}

static void drop_percpu_variable(void)
{
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		*percpu_ref(slot) = NULL;
}

/* Pointers in other objects */

static void **object_refs;
static void **vmalloc_refs;
static void *__percpu *percpu_object_refs;

static int prepare_object(void)
{
	object_refs = kcalloc(SLOTS, sizeof(*object_refs), GFP_KERNEL);
	return object_refs ? 0 : -ENOMEM;
}

static int hold_object(unsigned int slot, void *obj, size_t size)
{
	object_refs[slot] = obj;
	return 0;
}

/* Who gets that memory next must not inherit the pointers. */
static void free_refs(const void *refs)
{
	if (bare)
		kvfree(refs);
	else
		kvfree_sensitive(refs, SLOTS * sizeof(void *));
}

static void drop_object(void)
{
	free_refs(object_refs);
	object_refs = NULL;
}

static int prepare_vmalloc(void)
{
	vmalloc_refs = vcalloc(SLOTS, sizeof(*vmalloc_refs));
	return vmalloc_refs ? 0 : -ENOMEM;
}

static int hold_vmalloc(unsigned int slot, void *obj, size_t size)
{
	vmalloc_refs[slot] = obj;
	return 0;
}

static void drop_vmalloc(void)
{
	free_refs(vmalloc_refs);
	vmalloc_refs = NULL;
}

static int prepare_percpu_object(void)
{
	percpu_object_refs = __alloc_percpu(SLOTS * sizeof(void *), sizeof(void *));
	return percpu_object_refs ? 0 : -ENOMEM;
}

static int hold_percpu_object(unsigned int slot, void *obj, size_t size)
{
	*per_cpu_ptr(percpu_object_refs + slot, cpumask_last(cpu_possible_mask)) = obj;
	return 0;
}

static void drop_percpu_object(void)
{
	free_percpu(percpu_object_refs);
	percpu_object_refs = NULL;
}

/* Containers */

static LIST_HEAD(list_refs);

static int hold_list(unsigned int slot, void *obj, size_t size)
{
	struct node *node = obj;

	list_add_tail(&node->list, &list_refs);
	return 0;
}

/* They stay a ring, which nothing refers to. */
static void drop_list(void)
{
	list_del_init(&list_refs);
}

static struct hlist_head hlist_refs[4];

static int hold_hlist(unsigned int slot, void *obj, size_t size)
{
	struct node *node = obj;

	hlist_add_head_rcu(&node->hlist, &hlist_refs[slot % ARRAY_SIZE(hlist_refs)]);
	return 0;
}

static void drop_hlist(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hlist_refs); i++)
		INIT_HLIST_HEAD(&hlist_refs[i]);
}

static struct rb_root rbtree_refs = RB_ROOT;

static bool lower_address(struct rb_node *a, const struct rb_node *b)
{
	return a < b;
}

static int hold_rbtree(unsigned int slot, void *obj, size_t size)
{
	struct node *node = obj;

	rb_add(&node->rb, &rbtree_refs, lower_address);
	return 0;
}

static void drop_rbtree(void)
{
	rbtree_refs = RB_ROOT;
}

/* Each is referred to by the one before, which is of another kind. */
static struct node *chain;

static int hold_chain(unsigned int slot, void *obj, size_t size)
{
	struct node **end = &chain;

	while (*end)
		end = &(*end)->next;
	*end = obj;
	return 0;
}

static void drop_chain(void)
{
	chain = NULL;
}

static DEFINE_XARRAY(xarray_refs);

/* Far apart, so that there are several levels of nodes. */
static int hold_xarray(unsigned int slot, void *obj, size_t size)
{
	return xa_err(xa_store(&xarray_refs, slot * 5000UL, obj, GFP_KERNEL));
}

static void drop_xarray(void)
{
	xa_destroy(&xarray_refs);
}

/* The stack of a thread that sleeps */

static unsigned long stack_hidden[SLOTS];
static unsigned int stack_used;
static struct task_struct *stack_thread;
static DECLARE_COMPLETION(stack_filled);

static int prepare_stack(void)
{
	stack_used = 0;
	return 0;
}

static int hold_stack(unsigned int slot, void *obj, size_t size)
{
	stack_hidden[stack_used++] = hide_address(obj);
	return 0;
}

static noinline void fill_stack(void **refs)
{
	unsigned int i;

	for (i = 0; i < stack_used; i++)
		refs[i] = reveal_address(stack_hidden[i]);
}

static noinline void sleep_on_stack(void)
{
	void *refs[SLOTS] = {};

	fill_stack(refs);
	complete(&stack_filled);
	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	/* The compiler has to keep them where they are up to here. */
	barrier_data(refs);
}

static int stack_main(void *unused)
{
	sleep_on_stack();
	if (!bare)
		wipe_stack(WIPE_DEPTH);
	return 0;
}

static int settle_stack(void)
{
	struct task_struct *task;

	reinit_completion(&stack_filled);
	task = kthread_run(stack_main, NULL, "kml_selftest");
	if (IS_ERR(task))
		return PTR_ERR(task);
	stack_thread = task;
	wait_for_completion(&stack_filled);
	return 0;
}

static void drop_stack(void)
{
	if (stack_thread)
		kthread_stop(stack_thread);
	stack_thread = NULL;
}

/* SELF: the name in the shell and in the functions' names. */
#define HOLDER(self)		.name = #self, .hold = hold_##self, .drop = drop_##self

static const struct holder holders[] = {
	{ HOLDER(start) },
	{ HOLDER(interior) },
	{ HOLDER(rcu) },
	{ HOLDER(percpu_variable) },
	{ HOLDER(object), .prepare = prepare_object },
	{ HOLDER(vmalloc), .prepare = prepare_vmalloc },
	{ HOLDER(percpu_object), .prepare = prepare_percpu_object },
	{ HOLDER(list), .links = true },
	{ HOLDER(hlist), .links = true },
	{ HOLDER(rbtree), .links = true },
	{ HOLDER(chain), .links = true },
	{ HOLDER(xarray) },
	{ HOLDER(stack), .prepare = prepare_stack, .settle = settle_stack },
};

static int hold_one(const struct holder *holder, const struct kind *kind, unsigned int slot)
{
	size_t size = kind->sizes[0];
	struct record *rec;
	void *obj;
	int err;

	if (holder->links && (is_percpu(kind) || WARN_ON_ONCE(size < sizeof(struct node))))
		return 0;
	err = make_objects(kind, size, &obj, 1);
	if (err)
		return err;
	rec = add_record(kind, size, obj);
	if (!rec)
		return -ENOMEM;
	rec->label = holder->name;
	rec->detail = kind->name;
	rec->fate = FATE_QUIET;
	rec->held = true;
	return holder->hold(slot, obj, size);
}

static int hold_each_kind(const struct holder *holder)
{
	const struct kind *kind;
	unsigned int slot = 0;
	int err = holder->prepare ? holder->prepare() : 0;

	for (kind = next_kind(NULL); kind && !err; kind = next_kind(kind)) {
		if (WARN_ON_ONCE(slot == SLOTS))
			return -E2BIG;
		err = hold_one(holder, kind, slot++);
	}
	if (!err && holder->settle)
		err = holder->settle();
	return err;
}

/* Let all holders forget what they held. */
int drop_holders(const char *arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(holders); i++)
		holders[i].drop();
	drop_records();
	return 0;
}

/*
 * Let the holder of that name hold objects, or all of them. What was held
 * before is dropped.
 */
int hold_objects(const char *arg)
{
	bool found = false;
	unsigned int i;
	int err;

	drop_holders(arg);
	for (i = 0; i < ARRAY_SIZE(holders); i++) {
		if (strcmp(arg, "all") && strcmp(arg, holders[i].name))
			continue;
		found = true;
		err = hold_each_kind(&holders[i]);
		if (err)
			return err;
	}
	return found ? 0 : -EINVAL;
}
