// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the store of tracked blocks.
 *
 * Each address space has a red-black tree of its blocks in address order, and
 * no two of them overlap. Hooks change it under its lock. The scanner, which
 * looks up every word that may be a pointer, reads it without: nodes are freed
 * by RCU and their address range never changes, so whatever a look-up finds is
 * right, and one that found nothing while the shape changed is repeated.
 *
 * Nothing outside this file knows how a block is stored.
 */
#include <linux/kernel.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>

#include "block.h"

/* Blocks visited in one go with the tree locked and interrupts off. */
#define KML_WALK_BATCH	16

/* Lockless look-ups that are tried before the tree is locked. */
#define KML_LOOKUP_TRIES	4

struct kml_tree kml_trees[KML_NR_SPACES] = {
	[KML_VIRT]	= KML_TREE_INIT(kml_trees[KML_VIRT]),
	[KML_PERCPU]	= KML_TREE_INIT(kml_trees[KML_PERCPU]),
	[KML_PHYS]	= KML_TREE_INIT(kml_trees[KML_PHYS]),
};

/**
 * kml_object_init() - set all fields that do not tell who allocated it, and how
 * @obj: fresh metadata, whose only pin is the caller's
 * @space: address space of the block
 * @start: its first address
 * @size: its length in bytes, not 0
 *
 * Context: Any.
 */
void kml_object_init(struct kml_object *obj, enum kml_space space,
		     unsigned long start, size_t size)
{
	obj->start = start;
	obj->size = size;
	obj->space = space;
	obj->surplus = 0;
	obj->flags = 0;
	obj->alive = true;
	INIT_HLIST_HEAD(&obj->areas);
	raw_spin_lock_init(&obj->lock);
	refcount_set(&obj->ref, 1);
	RB_CLEAR_NODE(&obj->node);
	/* Never equal to the number of a scan or pass that runs. */
	obj->born = 0;
	obj->seen = 0;
	obj->pass = 0;
	obj->queued = 0;
	obj->count = 0;
	obj->crc = 0;
	obj->held_by = 0;
	obj->unref_scans = 0;
	obj->grace = 0;
}

/* Last address of a block. Its end may not be representable. */
static unsigned long last_of(const struct kml_object *obj)
{
	return obj->start + obj->size - 1;
}

static struct kml_object *object_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct kml_object, node);
}

/* Find the block at @addr, or else the first one above it. */
static struct kml_object *find_from(struct kml_tree *tree, unsigned long addr)
{
	struct rb_node *node = tree->root.rb_node;
	struct kml_object *best = NULL;

	lockdep_assert_held(&tree->lock);
	while (node) {
		struct kml_object *obj = object_of(node);

		if (addr > last_of(obj)) {
			node = node->rb_right;
			continue;
		}
		best = obj;
		if (addr >= obj->start)
			break;
		node = node->rb_left;
	}
	return best;
}

static struct kml_object *find_overlap(struct kml_tree *tree,
				       unsigned long start, size_t size)
{
	struct kml_object *obj = find_from(tree, start);

	return obj && obj->start <= start + size - 1 ? obj : NULL;
}

/* Pages that only a part of which it takes may have others of the tree too. */
static void note_link(struct kml_tree *tree, const struct kml_object *obj)
{
	if (tree == &kml_trees[KML_PERCPU])
		kml_note_percpu(obj->start, last_of(obj));
	else if (tree != &kml_trees[KML_VIRT])
		return;
	else if (kml_is_linear(obj->start))
		kml_note_pages(obj->start, last_of(obj), true);
	else if (!kml_is_in_image(obj->start))
		kml_note_far(obj->start, last_of(obj));
}

static void note_unlink(struct kml_tree *tree, const struct kml_object *obj)
{
	unsigned long start = PAGE_ALIGN(obj->start);
	unsigned long end = PAGE_ALIGN_DOWN(obj->start + obj->size);

	if (tree == &kml_trees[KML_VIRT] && kml_is_linear(start) && start < end)
		kml_note_pages(start, end - 1, false);
}

static void link_object(struct kml_tree *tree, struct kml_object *obj)
{
	struct rb_node **link = &tree->root.rb_node;
	struct rb_node *parent = NULL;

	lockdep_assert_held(&tree->lock);
	/* Not earlier: a scan that began before it is here did not look at it. */
	obj->born = READ_ONCE(kml_scan_seq);
	note_link(tree, obj);

	while (*link) {
		parent = *link;
		link = obj->start < object_of(parent)->start ?
			&parent->rb_left : &parent->rb_right;
	}
	/* This is rb_link_node_rcu(), which sparse does not take. */
	obj->node.rb_left = NULL;
	obj->node.rb_right = NULL;
	/*
	 * A reader must not find the node before it is a leaf and its block has
	 * a range. Pairs with the address dependency in lookup_once().
	 */
	smp_wmb();
	rb_link_node(&obj->node, parent, link);
	rb_insert_color(&obj->node, &tree->root);

	/* Pairs with the lockless reads in kml_lookup() and in the scanner. */
	if (obj->start < tree->lo)
		WRITE_ONCE(tree->lo, obj->start);
	if (last_of(obj) > tree->hi)
		WRITE_ONCE(tree->hi, last_of(obj));
	WRITE_ONCE(tree->nr, tree->nr + 1);
}

static void unlink_object(struct kml_tree *tree, struct kml_object *obj)
{
	lockdep_assert_held(&tree->lock);
	rb_erase(&obj->node, &tree->root);
	RB_CLEAR_NODE(&obj->node);
	note_unlink(tree, obj);
	WRITE_ONCE(tree->nr, tree->nr - 1);
}

/*
 * May the block be put in? Asked with the lock held: once the detector is off,
 * taking the lock once is enough to know that nothing is added any more.
 */
static int may_link(struct kml_tree *tree, const struct kml_object *obj)
{
	lockdep_assert_held(&tree->lock);
	if (!kml_tracking())
		return -EPERM;
	return find_overlap(tree, obj->start, obj->size) ? -EEXIST : 0;
}

/**
 * kml_note_tree_pages() - begin to note in which pages there are blocks
 *
 * Context: Boot, one CPU.
 */
void __init kml_note_tree_pages(void)
{
	struct kml_tree *tree = &kml_trees[KML_VIRT];
	struct rb_node *node;

	for (node = rb_first(&tree->root); node; node = rb_next(node))
		note_link(tree, object_of(node));
}

/**
 * kml_insert() - start to track a block
 * @tree: tree of its address space
 * @obj: the block, complete; its first pin goes to the tree
 *
 * Context: Any but NMI.
 * Return: 0; -EEXIST if it overlaps a tracked block; -EPERM if the detector was
 * switched off. The tree is unchanged on error.
 */
int kml_insert(struct kml_tree *tree, struct kml_object *obj)
{
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&tree->lock, flags);
	ret = may_link(tree, obj);
	if (!ret) {
		write_seqcount_begin(&tree->seq);
		link_object(tree, obj);
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return ret;
}

/**
 * kml_insert_promoted() - move an object from its slot into the tree
 * @tree: tree of its address space
 * @obj: the object, complete but for its trace; its first pin goes to the tree
 * @slot: where it is now
 * @meta: what the slot says
 * @young: take it for an object that was just allocated
 *
 * For those who look into the slot first, and into the tree then, there is no
 * moment at which it is in neither.
 *
 * Context: Any but NMI.
 * Return: 0; -EAGAIN if the slot no longer says @meta, or the object is being
 * read; -EEXIST if it overlaps a block of the tree; -EPERM if the detector was
 * switched off. Nothing is changed on error.
 */
int kml_insert_promoted(struct kml_tree *tree, struct kml_object *obj,
			struct kml_slot *slot, u32 meta, bool young)
{
	unsigned long flags;
	int ret;

	if (meta & KML_SLOT_PINNED)
		return -EAGAIN;

	raw_spin_lock_irqsave(&tree->lock, flags);
	ret = may_link(tree, obj);
	if (!ret) {
		/* Before, for who finds the slot empty and then asks. */
		note_link(tree, obj);
		write_seqcount_begin(&tree->seq);
		if (cmpxchg(&slot->meta, meta, 0) != meta) {
			ret = -EAGAIN;
		} else {
			link_object(tree, obj);
			if (!young)
				obj->born = 0;
			/* Not before: pairs with smp_mb() in kml_set_trace(). */
			obj->trace = kml_trace_of(READ_ONCE(slot->handles));
		}
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return ret;
}

/**
 * kml_remove() - stop to track the block that starts at an address
 * @tree: tree of its address space
 * @start: its first address
 *
 * Context: Any but NMI.
 * Return: the block, with the pin that the tree had, or NULL if none starts
 * there.
 */
struct kml_object *kml_remove(struct kml_tree *tree, unsigned long start)
{
	struct kml_object *obj;
	unsigned long flags;

	raw_spin_lock_irqsave(&tree->lock, flags);
	obj = find_from(tree, start);
	if (obj && obj->start != start)
		obj = NULL;
	if (obj) {
		write_seqcount_begin(&tree->seq);
		unlink_object(tree, obj);
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return obj;
}

/**
 * kml_remove_object() - take one block out, and put what is left of it back in
 * @tree: tree of its address space
 * @obj: the block
 * @left: a block to put in instead, within the range of @obj, or NULL
 * @right: another one, above @left, or NULL
 *
 * Context: Any but NMI.
 * Return: true if @obj was in the tree, whose pin then is the caller's; false
 * if it was not, and nothing is changed.
 */
bool kml_remove_object(struct kml_tree *tree, struct kml_object *obj,
		       struct kml_object *left, struct kml_object *right)
{
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&tree->lock, flags);
	found = !RB_EMPTY_NODE(&obj->node);
	if (found) {
		write_seqcount_begin(&tree->seq);
		unlink_object(tree, obj);
		if (left)
			link_object(tree, left);
		if (right)
			link_object(tree, right);
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return found;
}

/* A descent that may miss blocks while a writer turns the tree around. */
static struct kml_object *lookup_once(struct kml_tree *tree, unsigned long addr)
{
	struct rb_node *node = rcu_dereference_raw(tree->root.rb_node);

	while (node) {
		struct kml_object *obj = object_of(node);

		if (addr < obj->start)
			node = rcu_dereference_raw(node->rb_left);
		else if (addr > last_of(obj))
			node = rcu_dereference_raw(node->rb_right);
		else
			return obj;
	}
	return NULL;
}

/**
 * kml_lookup() - find the block that contains an address
 * @tree: tree of the address space
 * @addr: any address
 *
 * Context: RCU read-side critical section, in which the result is valid; it may
 * be removed at any time.
 * Return: the block, or NULL.
 */
struct kml_object *kml_lookup(struct kml_tree *tree, unsigned long addr)
{
	struct kml_object *obj;
	unsigned long flags;
	unsigned int seq;
	int i;

	if (addr < READ_ONCE(tree->lo) || addr > READ_ONCE(tree->hi))
		return NULL;

	for (i = 0; i < KML_LOOKUP_TRIES; i++) {
		/* Raw: lockdep would look at it for every word of memory. */
		seq = raw_read_seqcount_begin(&tree->seq);
		obj = lookup_once(tree, addr);
		/* Ranges are fixed: a hit is right whatever happened since. */
		if (obj || !read_seqcount_retry(&tree->seq, seq))
			return obj;
	}

	raw_spin_lock_irqsave(&tree->lock, flags);
	obj = lookup_once(tree, addr);
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return obj;
}

/**
 * kml_find() - find and pin the block that contains an address
 * @tree: tree of the address space
 * @addr: any address
 *
 * Context: Any but NMI.
 * Return: the block, to be given back with kml_put(), or NULL.
 */
struct kml_object *kml_find(struct kml_tree *tree, unsigned long addr)
{
	struct kml_object *obj;

	rcu_read_lock();
	obj = kml_lookup(tree, addr);
	if (obj && !kml_get(obj))
		obj = NULL;
	rcu_read_unlock();
	return obj;
}

/**
 * kml_find_range() - find and pin the first block that overlaps a range
 * @tree: tree of the address space
 * @start: first address of the range
 * @size: its length in bytes, not 0
 *
 * Context: Any but NMI.
 * Return: the block, to be given back with kml_put(), or NULL.
 */
struct kml_object *kml_find_range(struct kml_tree *tree, unsigned long start,
				  size_t size)
{
	struct kml_object *obj;
	unsigned long flags;

	raw_spin_lock_irqsave(&tree->lock, flags);
	obj = find_overlap(tree, start, size);
	/* In the tree, so the pin of the tree is there. */
	if (obj)
		refcount_inc(&obj->ref);
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return obj;
}

/**
 * kml_collect() - pin the next blocks that match, in address order
 * @cur: where to go on, is moved
 * @match: tells whether to take a block; called with the tree locked and
 *	interrupts off
 * @arg: passed on to @match
 * @objs: filled with the blocks, to be given back with kml_put()
 * @max: room in @objs, at least 1
 *
 * Blocks that come or go meanwhile may be missed or not; all others are visited
 * once.
 *
 * Context: Process context; may sleep.
 * Return: number of blocks in @objs; 0 at the end of the tree.
 */
unsigned int kml_collect(struct kml_cursor *cur, kml_match_t match, void *arg,
			 struct kml_object **objs, unsigned int max)
{
	struct kml_tree *tree = cur->tree;
	unsigned int found = 0;

	while (!cur->done && found < max) {
		unsigned int visits = KML_WALK_BATCH;
		struct kml_object *obj;

		raw_spin_lock_irq(&tree->lock);
		obj = find_from(tree, cur->next);
		while (obj && visits-- && found < max) {
			if (match(obj, arg)) {
				refcount_inc(&obj->ref);
				objs[found++] = obj;
			}
			/* Wraps to 0 for a block at the very top, the last one. */
			cur->next = last_of(obj) + 1;
			obj = object_of(rb_next(&obj->node));
		}
		cur->done = !obj;
		raw_spin_unlock_irq(&tree->lock);
		cond_resched_tasks_rcu_qs();
	}
	return found;
}

/**
 * kml_get() - pin a block that may be on its way out
 * @obj: a block seen under RCU
 *
 * Context: Any.
 * Return: true if it was pinned: its metadata stays until kml_put().
 */
bool kml_get(struct kml_object *obj)
{
	return refcount_inc_not_zero(&obj->ref);
}

/**
 * kml_put() - give back a pin
 * @obj: the block
 *
 * Context: Any but NMI.
 */
void kml_put(struct kml_object *obj)
{
	if (refcount_dec_and_test(&obj->ref))
		kml_object_free_rcu(obj);
}

/**
 * kml_kill() - tell readers that the memory of a block is about to vanish
 * @obj: a block that was just removed; the tree's pin is given back
 *
 * When this returns nobody reads the block any more. It waits for one chunk at
 * most.
 *
 * Context: Any but NMI.
 */
void kml_kill(struct kml_object *obj)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&obj->lock, flags);
	WRITE_ONCE(obj->alive, false);
	raw_spin_unlock_irqrestore(&obj->lock, flags);
	kml_put(obj);
}

/**
 * kml_set_flags() - change flags of a block
 * @obj: a pinned block
 * @set: flags to set
 * @clear: flags to clear
 *
 * Context: Any but NMI.
 */
void kml_set_flags(struct kml_object *obj, u8 set, u8 clear)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&obj->lock, flags);
	WRITE_ONCE(obj->flags, (obj->flags & ~clear) | set);
	raw_spin_unlock_irqrestore(&obj->lock, flags);
}

/**
 * kml_read_memory() - copy kernel memory that may not be mapped
 * @buf: destination
 * @src: source
 * @len: length in bytes
 *
 * The memory is read as it is, redzones included, while its owner writes to it.
 *
 * Context: Any.
 * Return: 0, or -EFAULT (or -ERANGE) where it cannot be read.
 */
int kml_read_memory(void *buf, const void *src, size_t len)
{
	int ret;

	kasan_disable_current();
	ret = copy_from_kernel_nofault(buf, src, len);
	kasan_enable_current();
	return ret;
}

/**
 * kml_chunk_len() - tell how much of a range to read in one go
 * @addr: where the range starts
 * @left: how long it is, in bytes
 *
 * Chunks end at page borders, as memory is mapped or not page by page.
 *
 * Context: Any.
 * Return: length of the first chunk in bytes, at most KML_CHUNK.
 */
size_t kml_chunk_len(unsigned long addr, size_t left)
{
	return min_t(size_t, left, KML_CHUNK - (addr & (KML_CHUNK - 1)));
}

/**
 * kml_content() - tell where the bytes of a block are
 * @obj: a pinned block
 * @cpu: whose copy, if it is a per-CPU block
 *
 * Context: Any.
 * Return: the address, or NULL if they have none.
 */
const void *kml_content(const struct kml_object *obj, unsigned int cpu)
{
	switch (obj->space) {
	case KML_PERCPU:
		return per_cpu_ptr((void __percpu *)obj->start, cpu);
	case KML_PHYS:
		if (PHYS_PFN(obj->start) < min_low_pfn ||
		    PHYS_PFN(last_of(obj)) >= max_low_pfn)
			return NULL;
		return __va(obj->start);
	default:
		return (const void *)obj->start;
	}
}

/**
 * kml_stays() - ask whether an address is that of the same memory for ever
 * @addr: the address
 *
 * Such memory can be read at any time, with care for faults.
 *
 * Context: Any.
 * Return: true if it belongs to the linear map or to the kernel image.
 */
bool kml_stays(unsigned long addr)
{
	return kml_is_linear(addr) || kml_is_in_image(addr);
}

/**
 * kml_read() - copy a piece of a block's content
 * @obj: a pinned block
 * @cpu: whose copy, if it is a per-CPU block
 * @offset: where the piece starts in the block
 * @buf: destination
 * @len: length in bytes, at most KML_CHUNK
 *
 * Context: Any but NMI. Interrupts are off while it copies, and a free of the
 * block waits for it.
 * Return: 0; -ENOENT if the block was freed; -EFAULT (or -ERANGE) if the piece
 * cannot be read.
 */
int kml_read(struct kml_object *obj, unsigned int cpu, size_t offset,
	     void *buf, size_t len)
{
	const void *content = kml_content(obj, cpu);
	unsigned long flags;
	int ret = -ENOENT;

	if (!content)
		return -EFAULT;

	raw_spin_lock_irqsave(&obj->lock, flags);
	if (obj->alive)
		ret = kml_read_memory(buf, content + offset, len);
	raw_spin_unlock_irqrestore(&obj->lock, flags);
	return ret;
}
