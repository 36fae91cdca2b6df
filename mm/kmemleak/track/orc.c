// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: sizes of frames, as the ORC unwinder has them.
 *
 * There are no frame records on these stacks: a table made of the compiler's output
 * says how far it is from one return address to the next. The unwinder searches it for
 * each frame, which costs more than all else of an allocation. For most frames the
 * answer depends on the return address alone. It is kept in a table of our own, where
 * it is found at once.
 *
 * A frame whose stack pointer was aligned is found from the frame pointer, which one of
 * the frames inside it has saved; the slab allocator's are such frames. What was found
 * in other ways, such as where an exception has interrupted, is left to the unwinder.
 */
#include <linux/bitfield.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>

#include "origin.h"

#ifdef KML_FRAME_SIZES

#include <asm/unwind.h>

/*
 * Each entry is as in frames.h, or 0. Written by whoever has asked for a frame, read by
 * all, a word at a time.
 */
u64 kml_orc_table[2][1 << KML_ORC_BITS];

/**
 * struct orc_walk - a walk over frames that keeps track of the frame pointer
 * @frame: where the frame has its record, or would have it
 * @fp: value of the frame pointer there
 * @last: where the last record of the stack may stand
 */
struct orc_walk {
	unsigned long frame;
	unsigned long fp;
	unsigned long last;
};

static struct orc_walk start_walk(unsigned long frame)
{
	struct orc_walk walk = {
		.frame = frame,
		.fp = READ_ONCE(((struct kml_frame_record *)frame)->fp),
		.last = kml_last_record(frame),
	};

	return walk;
}

/* Go on to the next frame, if there is one that @known leads to. */
static bool go_on(struct orc_walk *walk, u64 known)
{
	unsigned long next, saved;

	if (known & KML_ORC_SPECIAL & ~KML_ORC_FP)
		return false;
	next = (known & KML_ORC_FP ? walk->fp : walk->frame) +
	       FIELD_GET(KML_ORC_SIZE, known);
	if (next <= walk->frame || next > walk->last)
		return false;
	saved = FIELD_GET(KML_ORC_SAVED, known) * sizeof(long);
	if (saved) {
		saved = next + sizeof(struct kml_frame_record) - saved;
		if (saved < walk->frame)
			return false;
		walk->fp = READ_ONCE_NOCHECK(*(unsigned long *)saved);
	}
	walk->frame = next;
	return true;
}

/**
 * kml_orc_frame_pointer() - find the value that the frame pointer had in a frame
 * @from: the hook's record
 * @to: where the frame would have its record; kml_hash_frames() has come there
 *
 * Context: Any but NMI.
 * Return: the value, or 0.
 */
unsigned long kml_orc_frame_pointer(unsigned long from, unsigned long to)
{
	struct orc_walk walk = start_walk(from);

	while (walk.frame < to) {
		if (!go_on(&walk, kml_orc_find(kml_orc_return_address(walk.frame))))
			return 0;
	}
	return walk.frame == to ? walk.fp : 0;
}

/**
 * kml_orc_keep() - keep what is known of a frame
 * @ip: its return address
 * @known: what is known, as in frames.h
 *
 * Of those that share two places, the last two that this was called for stay. So all frames
 * of a stack that is looked up are known then, whatever others have left there.
 *
 * Context: Any but NMI.
 * Return: true if it was news.
 */
bool kml_orc_keep(unsigned long ip, u64 known)
{
	u64 *last = &kml_orc_table[0][kml_orc_index(ip)];
	u64 *other = &kml_orc_table[1][kml_orc_index(ip)];
	u64 entry = (u64)ip << KML_ORC_SHIFT | known, old = READ_ONCE(*last);
	bool news = READ_ONCE(*other) != entry;

	if (old == entry)
		return false;
	/* Of one return address, there are not two. */
	if (old >> KML_ORC_SHIFT != (u32)ip)
		WRITE_ONCE(*other, old);
	WRITE_ONCE(*last, entry);
	return news;
}

/* From here the stack is as when the kernel was entered, or the thread began. */
static u64 last_frame(unsigned long frame)
{
	unsigned long end = (unsigned long)task_stack_page(current) + THREAD_SIZE;

	return KML_ORC_LAST | FIELD_PREP(KML_ORC_SIZE, end - frame);
}

static u64 describe(unsigned long ip, unsigned long frame)
{
	const struct orc_entry *found;
	struct orc_entry orc = {};
	u64 known = 0;
	long size;

	/* Modules take their entries with them. */
	preempt_disable();
	found = orc_find(ip - 1);
	if (found)
		orc = *found;
	preempt_enable();

	if (!found || orc.signal)
		return KML_ORC_OTHER;
	if (orc.type == ORC_TYPE_END_OF_STACK)
		return last_frame(frame);
	size = orc.sp_offset;
	if (orc.type == ORC_TYPE_REGS && orc.sp_reg == ORC_REG_SP &&
	    frame + sizeof(struct kml_frame_record) + size ==
	    (unsigned long)task_pt_regs(current))
		return last_frame(frame);
	if (orc.type != ORC_TYPE_CALL)
		return KML_ORC_OTHER;

	if (orc.sp_reg == ORC_REG_BP) {
		known = KML_ORC_FP;
		size -= sizeof(struct kml_frame_record);
	} else if (orc.sp_reg != ORC_REG_SP) {
		return KML_ORC_OTHER;
	}
	if (size < 0 || size > FIELD_MAX(KML_ORC_SIZE) ||
	    !IS_ALIGNED(size, sizeof(long)))
		return KML_ORC_OTHER;
	known |= FIELD_PREP(KML_ORC_SIZE, size);

	if (orc.bp_reg == ORC_REG_PREV_SP) {
		long saved = -orc.bp_offset / (long)sizeof(long);

		if (saved < 2 || saved > FIELD_MAX(KML_ORC_SAVED))
			return KML_ORC_OTHER;
		known |= FIELD_PREP(KML_ORC_SAVED, saved);
	} else if (orc.bp_reg != ORC_REG_UNDEFINED) {
		return KML_ORC_OTHER;
	}
	return known;
}

/**
 * kml_orc_learn() - ask the unwinder's tables about the frames of a stack
 * @frame: record of a hook that is running
 * @depth: frames that matter
 * @seed: kml_trace_seed while the stack was as it is
 *
 * Context: Any but NMI.
 * Return: true if it was news, so that it is worth another try.
 */
bool kml_orc_learn(unsigned long frame, unsigned int depth, u64 seed)
{
	struct orc_walk walk = start_walk(frame);
	bool news = false;
	unsigned long ip;
	u64 known;

	if (!walk.last)
		return false;
	for (; depth > 1; depth--) {
		ip = kml_orc_return_address(walk.frame);
		known = describe(ip, walk.frame);
		/* Other code may be there by now. */
		if (READ_ONCE(kml_trace_seed) != seed)
			return false;
		if (kml_orc_keep(ip, known))
			news = true;
		if (!go_on(&walk, known))
			break;
	}
	return news;
}

/**
 * kml_orc_forget() - forget all frames
 *
 * To be called when other code is at the same addresses, once kml_trace_seed says so.
 *
 * Context: Any.
 */
void kml_orc_forget(void)
{
	unsigned int i;

	for (i = 0; i < 1 << KML_ORC_BITS; i++) {
		WRITE_ONCE(kml_orc_table[0][i], 0);
		WRITE_ONCE(kml_orc_table[1][i], 0);
	}
}

#endif /* KML_FRAME_SIZES */
