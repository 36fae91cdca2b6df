// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the store of tracked objects.
 *
 * Each address space has a red-black tree of its objects in address order, and
 * no two of them overlap. Hooks change it under its lock. The scanner, which
 * looks up every word that may be a pointer, reads it without: nodes are freed
 * by RCU and their address range never changes, so whatever a look-up finds is
 * right, and one that found nothing while the shape changed is repeated.
 *
 * Nothing outside this file knows how an object is stored.
 */
#include <linux/kernel.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>

#include "slab.h"

/* Objects visited in one go with the tree locked and interrupts off. */
#define KML_WALK_BATCH	16

/* Lockless look-ups that are tried before the tree is locked. */
#define KML_LOOKUP_TRIES	4

struct kml_tree kml_trees[KML_NR_SPACES] = {
	[KML_VIRT]	= KML_TREE_INIT(kml_trees[KML_VIRT]),
	[KML_PERCPU]	= KML_TREE_INIT(kml_trees[KML_PERCPU]),
	[KML_PHYS]	= KML_TREE_INIT(kml_trees[KML_PHYS]),
};

/**
 * kml_record_init() - set all fields that do not tell who allocated it, and how
 * @rec: fresh metadata, whose only pin is the caller's
 * @space: address space of the object
 * @start: its first address
 * @size: its length in bytes, not 0
 *
 * Context: Any.
 */
void kml_record_init(struct kml_record *rec, enum kml_space space,
		     unsigned long start, size_t size)
{
	rec->start = start;
	rec->size = size;
	rec->space = space;
	rec->surplus = 0;
	rec->flags = 0;
	rec->alive = true;
	INIT_HLIST_HEAD(&rec->areas);
	raw_spin_lock_init(&rec->lock);
	refcount_set(&rec->ref, 1);
	RB_CLEAR_NODE(&rec->node);
	/* Never equal to the number of a scan or pass that runs. */
	rec->born = 0;
	rec->seen = 0;
	rec->pass = 0;
	rec->queued = 0;
	rec->count = 0;
	rec->crc = 0;
	rec->held_by = 0;
	rec->unref_scans = 0;
	rec->grace = 0;
}

/* Last address of an object. Its end may not be representable. */
static unsigned long last_of(const struct kml_record *rec)
{
	return rec->start + rec->size - 1;
}

static struct kml_record *record_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct kml_record, node);
}

/* Find the object at @addr, or else the first one above it. */
static struct kml_record *find_from(struct kml_tree *tree, unsigned long addr)
{
	struct rb_node *node = tree->root.rb_node;
	struct kml_record *best = NULL;

	lockdep_assert_held(&tree->lock);
	while (node) {
		struct kml_record *rec = record_of(node);

		if (addr > last_of(rec)) {
			node = node->rb_right;
			continue;
		}
		best = rec;
		if (addr >= rec->start)
			break;
		node = node->rb_left;
	}
	return best;
}

static struct kml_record *find_overlap(struct kml_tree *tree,
				       unsigned long start, size_t size)
{
	struct kml_record *rec = find_from(tree, start);

	return rec && rec->start <= start + size - 1 ? rec : NULL;
}

/*
 * Note where there is an object, before it can be found. Pages that only a part
 * of which it takes may have others of the tree too.
 */
static void note_link(struct kml_tree *tree, const struct kml_record *rec)
{
	/* Read without the lock by kml_lookup() and the scanner. */
	if (rec->start < tree->lo)
		WRITE_ONCE(tree->lo, rec->start);
	if (last_of(rec) > tree->hi)
		WRITE_ONCE(tree->hi, last_of(rec));

	if (tree == &kml_trees[KML_PERCPU])
		kml_note_percpu(rec->start, last_of(rec));
	else if (tree != &kml_trees[KML_VIRT])
		return;
	else if (kml_is_linear(rec->start))
		kml_note_pages(rec->start, last_of(rec), true);
	else if (!kml_is_in_image(rec->start))
		kml_note_outside(rec->start, last_of(rec));
}

static void note_unlink(struct kml_tree *tree, const struct kml_record *rec)
{
	unsigned long start = PAGE_ALIGN(rec->start);
	unsigned long end = PAGE_ALIGN_DOWN(rec->start + rec->size);

	if (tree == &kml_trees[KML_VIRT] && kml_is_linear(start) && start < end)
		kml_note_pages(start, end - 1, false);
}

static void link_record(struct kml_tree *tree, struct kml_record *rec)
{
	struct rb_node **link = &tree->root.rb_node;
	struct rb_node *parent = NULL;

	lockdep_assert_held(&tree->lock);
	/* Not earlier: a scan that began before it is here did not look at it. */
	rec->born = READ_ONCE(kml_scan_seq);
	note_link(tree, rec);

	while (*link) {
		parent = *link;
		link = rec->start < record_of(parent)->start ?
			&parent->rb_left : &parent->rb_right;
	}
	/* This is rb_link_node_rcu(), which sparse does not take. */
	rec->node.rb_left = NULL;
	rec->node.rb_right = NULL;
	/*
	 * A reader must not find the node before it is a leaf and its object has
	 * a range. Pairs with the address dependency in lookup_once().
	 */
	smp_wmb();
	rb_link_node(&rec->node, parent, link);
	rb_insert_color(&rec->node, &tree->root);
	WRITE_ONCE(tree->nr, tree->nr + 1);
}

static void unlink_record(struct kml_tree *tree, struct kml_record *rec)
{
	lockdep_assert_held(&tree->lock);
	rb_erase(&rec->node, &tree->root);
	RB_CLEAR_NODE(&rec->node);
	note_unlink(tree, rec);
	WRITE_ONCE(tree->nr, tree->nr - 1);
}

/*
 * May the object be put in? Asked with the lock held: once the detector is off,
 * taking the lock once is enough to know that nothing is added any more.
 */
static int may_link(struct kml_tree *tree, const struct kml_record *rec)
{
	lockdep_assert_held(&tree->lock);
	if (!kml_tracking())
		return -EPERM;
	return find_overlap(tree, rec->start, rec->size) ? -EEXIST : 0;
}

/**
 * kml_note_tree_pages() - begin to note in which pages there are objects
 *
 * Context: Boot, one CPU, or while no hook is called.
 */
void kml_note_tree_pages(void)
{
	struct kml_tree *tree = &kml_trees[KML_VIRT];
	struct rb_node *node;

	for (node = rb_first(&tree->root); node; node = rb_next(node))
		note_link(tree, record_of(node));
}

/**
 * kml_trees_reset() - forget all objects, whose records stand in the static pool
 *
 * Context: Boot, one CPU, when no hook is called any more.
 */
void __init kml_trees_reset(void)
{
	enum kml_space space;

	for (space = 0; space < KML_NR_SPACES; space++) {
		struct kml_tree *tree = &kml_trees[space];

		tree->root = RB_ROOT;
		tree->lo = ULONG_MAX;
		tree->hi = 0;
		tree->nr = 0;
	}
}

/**
 * kml_insert() - start to track an object
 * @tree: tree of its address space
 * @rec: the object, complete; its first pin goes to the tree
 *
 * Context: Any but NMI.
 * Return: 0; -EEXIST if it overlaps a tracked object; -EPERM if the detector was
 * switched off. The tree is unchanged on error.
 */
int kml_insert(struct kml_tree *tree, struct kml_record *rec)
{
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&tree->lock, flags);
	ret = may_link(tree, rec);
	if (!ret) {
		write_seqcount_begin(&tree->seq);
		link_record(tree, rec);
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return ret;
}

/**
 * kml_insert_from_slot() - move an object from its slot into the tree
 * @tree: tree of its address space
 * @rec: the object, complete but for its trace and name; its first pin goes to
 *	the tree
 * @slot: where it is now
 * @meta: what the slot says
 * @young: take it for an object that was just allocated
 *
 * For those who look into the slot first, and into the tree then, there is no
 * moment at which it is in neither.
 *
 * Context: Any but NMI.
 * Return: 0; -EAGAIN if the slot no longer says @meta, or the object is being
 * read; -EEXIST if it overlaps an object of the tree; -EPERM if the detector was
 * switched off. Nothing is changed on error.
 */
int kml_insert_from_slot(struct kml_tree *tree, struct kml_record *rec,
			 struct kml_slot *slot, u32 meta, bool young)
{
	unsigned long flags;
	u64 handles;
	int ret;

	if (meta & KML_SLOT_PINNED)
		return -EAGAIN;

	raw_spin_lock_irqsave(&tree->lock, flags);
	ret = may_link(tree, rec);
	if (!ret) {
		/*
		 * A reader that finds the slot empty must find the notes, and the
		 * shape about to change. cmpxchg() is fully ordered; pairs with
		 * smp_load_acquire() in kml_slot_meta().
		 */
		note_link(tree, rec);
		write_seqcount_begin(&tree->seq);
		if (cmpxchg(&slot->meta, meta, 0) != meta) {
			ret = -EAGAIN;
		} else {
			link_record(tree, rec);
			if (!young)
				rec->born = 0;
			/* Not before: pairs with smp_mb() in kml_set_trace(). */
			handles = READ_ONCE(slot->handles);
			rec->trace = kml_trace_of(handles);
			rec->comm = kml_comm_of(handles);
		}
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return ret;
}

/**
 * kml_remove() - stop to track the object that starts at an address
 * @tree: tree of its address space
 * @start: its first address
 *
 * Context: Any but NMI.
 * Return: the object, with the pin that the tree had, or NULL if none starts
 * there.
 */
struct kml_record *kml_remove(struct kml_tree *tree, unsigned long start)
{
	struct kml_record *rec;
	unsigned long flags;

	raw_spin_lock_irqsave(&tree->lock, flags);
	rec = find_from(tree, start);
	if (rec && rec->start != start)
		rec = NULL;
	if (rec) {
		write_seqcount_begin(&tree->seq);
		unlink_record(tree, rec);
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return rec;
}

/**
 * kml_remove_record() - take one object out, and put what is left of it back in
 * @tree: tree of its address space
 * @rec: the object
 * @left: an object to put in instead, within the range of @rec, or NULL
 * @right: another one, above @left, or NULL
 *
 * Context: Any but NMI.
 * Return: true if @rec was in the tree, whose pin then is the caller's; false
 * if it was not, and nothing is changed.
 */
bool kml_remove_record(struct kml_tree *tree, struct kml_record *rec,
		       struct kml_record *left, struct kml_record *right)
{
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&tree->lock, flags);
	found = !RB_EMPTY_NODE(&rec->node);
	if (found) {
		write_seqcount_begin(&tree->seq);
		unlink_record(tree, rec);
		if (left)
			link_record(tree, left);
		if (right)
			link_record(tree, right);
		write_seqcount_end(&tree->seq);
	}
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return found;
}

/* A descent that may miss objects while a writer turns the tree around. */
static struct kml_record *lookup_once(struct kml_tree *tree, unsigned long addr)
{
	struct rb_node *node = rcu_dereference_raw(tree->root.rb_node);

	while (node) {
		struct kml_record *rec = record_of(node);

		if (addr < rec->start)
			node = rcu_dereference_raw(node->rb_left);
		else if (addr > last_of(rec))
			node = rcu_dereference_raw(node->rb_right);
		else
			return rec;
	}
	return NULL;
}

/**
 * kml_lookup() - find the object that contains an address
 * @tree: tree of the address space
 * @addr: any address
 *
 * Context: RCU read-side critical section, in which the result is valid; it may
 * be removed at any time. Who looks for an object that may be in a slot asks
 * kml_slot_find() first.
 * Return: the object, or NULL.
 */
struct kml_record *kml_lookup(struct kml_tree *tree, unsigned long addr)
{
	struct kml_record *rec;
	unsigned long flags;
	unsigned int seq;
	int i;

	/* Pairs with cmpxchg() in kml_insert_from_slot(), which empties the slot. */
	if (addr < READ_ONCE(tree->lo) || addr > READ_ONCE(tree->hi))
		return NULL;

	for (i = 0; i < KML_LOOKUP_TRIES; i++) {
		/* Raw: lockdep would look at it for every word of memory. */
		seq = raw_read_seqcount_begin(&tree->seq);
		rec = lookup_once(tree, addr);
		/* Ranges are fixed: a hit is right whatever happened since. */
		if (rec || !read_seqcount_retry(&tree->seq, seq))
			return rec;
	}

	raw_spin_lock_irqsave(&tree->lock, flags);
	rec = lookup_once(tree, addr);
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return rec;
}

/**
 * kml_find() - find and pin the object that contains an address
 * @tree: tree of the address space
 * @addr: any address
 *
 * Context: Any but NMI.
 * Return: the object, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_find(struct kml_tree *tree, unsigned long addr)
{
	struct kml_record *rec;

	rcu_read_lock();
	rec = kml_lookup(tree, addr);
	if (rec && !kml_get(rec))
		rec = NULL;
	rcu_read_unlock();
	return rec;
}

/**
 * kml_find_range() - find and pin the first object that overlaps a range
 * @tree: tree of the address space
 * @start: first address of the range
 * @size: its length in bytes, not 0
 *
 * Context: Any but NMI.
 * Return: the object, to be given back with kml_put(), or NULL.
 */
struct kml_record *kml_find_range(struct kml_tree *tree, unsigned long start,
				  size_t size)
{
	struct kml_record *rec;
	unsigned long flags;

	raw_spin_lock_irqsave(&tree->lock, flags);
	rec = find_overlap(tree, start, size);
	/* In the tree, so the pin of the tree is there. */
	if (rec)
		refcount_inc(&rec->ref);
	raw_spin_unlock_irqrestore(&tree->lock, flags);
	return rec;
}

/**
 * kml_collect() - pin the next objects that match, in address order
 * @cur: where to go on, is moved
 * @match: tells whether to take an object; called with the tree locked and
 *	interrupts off
 * @arg: passed on to @match
 * @recs: filled with the objects, to be given back with kml_put()
 * @max: room in @recs, at least 1
 *
 * Objects that come or go meanwhile may be missed or not; all others are visited
 * once.
 *
 * Context: Process context; may sleep.
 * Return: number of objects in @recs; 0 at the end of the tree.
 */
unsigned int kml_collect(struct kml_cursor *cur, kml_match_t match, void *arg,
			 struct kml_record **recs, unsigned int max)
{
	struct kml_tree *tree = cur->tree;
	unsigned int found = 0;

	while (!cur->done && found < max) {
		unsigned int visits = KML_WALK_BATCH;
		struct kml_record *rec;

		raw_spin_lock_irq(&tree->lock);
		rec = find_from(tree, cur->next);
		while (rec && visits-- && found < max) {
			if (match(rec, arg)) {
				refcount_inc(&rec->ref);
				recs[found++] = rec;
			}
			/* Wraps to 0 for an object at the very top, the last one. */
			cur->next = last_of(rec) + 1;
			rec = record_of(rb_next(&rec->node));
		}
		cur->done = !rec;
		raw_spin_unlock_irq(&tree->lock);
		cond_resched_tasks_rcu_qs();
	}
	return found;
}

/**
 * kml_get() - pin an object that may be on its way out
 * @rec: an object seen under RCU
 *
 * Context: Any.
 * Return: true if it was pinned: its metadata stays until kml_put().
 */
bool kml_get(struct kml_record *rec)
{
	return refcount_inc_not_zero(&rec->ref);
}

/**
 * kml_put() - give back a pin
 * @rec: the object
 *
 * Context: Any but NMI.
 */
void kml_put(struct kml_record *rec)
{
	if (refcount_dec_and_test(&rec->ref))
		kml_record_free_rcu(rec);
}

/**
 * kml_kill() - tell readers that the memory of an object is about to vanish
 * @rec: an object that was just removed; the tree's pin is given back
 *
 * When this returns nobody reads the object any more. It waits for one chunk at
 * most.
 *
 * Context: Any but NMI.
 */
void kml_kill(struct kml_record *rec)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&rec->lock, flags);
	WRITE_ONCE(rec->alive, false);
	raw_spin_unlock_irqrestore(&rec->lock, flags);
	/* While all of it is being given up, the memory may be gone. */
	if (rec->space == KML_VIRT && kml_tracking())
		kml_note_area(rec->start, rec->size, false);
	kml_put(rec);
}

/**
 * kml_set_flags() - change flags of an object
 * @rec: a pinned object
 * @set: flags to set
 * @clear: flags to clear
 *
 * Context: Any but NMI.
 */
void kml_set_flags(struct kml_record *rec, u8 set, u8 clear)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&rec->lock, flags);
	WRITE_ONCE(rec->flags, (rec->flags & ~clear) | set);
	raw_spin_unlock_irqrestore(&rec->lock, flags);
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
 * kml_content() - tell where the bytes of an object are
 * @rec: a pinned object
 * @cpu: whose copy, if it is a per-CPU object
 *
 * Context: Any.
 * Return: the address, or NULL if they have none.
 */
const void *kml_content(const struct kml_record *rec, unsigned int cpu)
{
	switch (rec->space) {
	case KML_PERCPU:
		return per_cpu_ptr((void __percpu *)rec->start, cpu);
	case KML_PHYS:
		if (PHYS_PFN(rec->start) < min_low_pfn ||
		    PHYS_PFN(last_of(rec)) >= max_low_pfn)
			return NULL;
		return __va(rec->start);
	default:
		return (const void *)rec->start;
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
 * kml_read() - copy a piece of an object's content
 * @rec: a pinned object
 * @cpu: whose copy, if it is a per-CPU object
 * @offset: where the piece starts in the object
 * @buf: destination
 * @len: length in bytes, at most KML_CHUNK
 *
 * Context: Any but NMI. Interrupts are off while it copies, and a free of the
 * object waits for it.
 * Return: 0; -ENOENT if the object was freed; -EFAULT (or -ERANGE) if the piece
 * cannot be read.
 */
int kml_read(struct kml_record *rec, unsigned int cpu, size_t offset,
	     void *buf, size_t len)
{
	const void *content = kml_content(rec, cpu);
	unsigned long flags;
	int ret = -ENOENT;

	if (!content)
		return -EFAULT;

	raw_spin_lock_irqsave(&rec->lock, flags);
	if (rec->alive)
		ret = kml_read_memory(buf, content + offset, len);
	raw_spin_unlock_irqrestore(&rec->lock, flags);
	return ret;
}
