/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: the return addresses on a stack.
 *
 * Where the compiler leaves frame records, each says where the next one is; what they
 * look like on which architecture stands here alone. With the ORC unwinder, orc.c has
 * learned how large the frame is that belongs to a return address. Both are to be
 * compiled into the hooks, and call nothing in the common case.
 */
#ifndef __MM_KMEMLEAK_FRAMES_H
#define __MM_KMEMLEAK_FRAMES_H

#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/sched/task_stack.h>

#ifdef CONFIG_ARM64
#include <asm/pointer_auth.h>
#include <asm/stacktrace.h>
#endif
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#include <asm/orc_types.h>
#endif

#include "../internal.h"

/*
 * Odd, and larger than the distance of any two return addresses. Not larger than
 * the machine can load in two instructions.
 */
#define KML_TRACE_FACTOR	0x9e3779b1ULL

#if defined(CONFIG_ARM64) || (defined(CONFIG_FRAME_POINTER) &&		\
	(KML_X86_64 || defined(CONFIG_RISCV) || defined(CONFIG_ARM)))
#define KML_FRAME_RECORDS
#elif defined(CONFIG_UNWINDER_ORC) && defined(ORC_TYPE_END_OF_STACK)
#define KML_FRAME_SIZES
#endif

#if defined(KML_FRAME_RECORDS) || defined(KML_FRAME_SIZES)

/* What the compiler leaves of a frame; with ORC, where it is asked for its frame. */
struct kml_frame_record {
	unsigned long fp;
#ifdef CONFIG_ARM
	unsigned long sp;
#endif
	unsigned long lr;
};

/* Where the frame pointer points: at its start, or behind its end. */
#if defined(CONFIG_RISCV) || defined(CONFIG_ARM)
#define KML_RECORD_BELOW	sizeof(struct kml_frame_record)
#else
#define KML_RECORD_BELOW	0
#endif

static __always_inline const struct kml_frame_record *kml_record_at(unsigned long frame)
{
	return (const struct kml_frame_record *)(frame - KML_RECORD_BELOW);
}

static __always_inline unsigned long kml_return_address(unsigned long lr)
{
#ifdef CONFIG_ARM64
	return ptrauth_strip_kernel_insn_pac(lr);
#else
	return lr;
#endif
}

/* All stacks, those of interrupts too, have the same size, and start at a multiple of it. */
#if defined(CONFIG_VMAP_STACK) &&					\
	(defined(CONFIG_ARM64) || defined(CONFIG_ARM) || defined(CONFIG_RISCV))
#define KML_STACKS_ALIGNED
#endif

/* What @frame may be of the last record of the stack that has one at @frame, or 0. */
static __always_inline unsigned long kml_last_record(unsigned long frame)
{
#ifdef KML_STACKS_ALIGNED
	unsigned long record = frame - KML_RECORD_BELOW;

	return (record | (THREAD_SIZE - 1)) + 1 - sizeof(struct kml_frame_record) +
	       KML_RECORD_BELOW;
#else
	unsigned long stack = (unsigned long)task_stack_page(current);

	if (unlikely(frame - stack >= THREAD_SIZE))
		return 0;
	return stack + THREAD_SIZE - sizeof(struct kml_frame_record) + KML_RECORD_BELOW;
#endif
}

#endif /* KML_FRAME_RECORDS || KML_FRAME_SIZES */

#ifdef KML_FRAME_RECORDS

/* Frames that are hashed between two looks at how many are left. */
#define KML_TRACE_UNROLL	4

/* Is @fp, in the record at @frame, no address of the next one? */
static __always_inline bool kml_is_last_record(unsigned long fp,
					       unsigned long frame,
					       unsigned long last)
{
	/* There are registers of an exception or of user space. */
	if (KML_X86_64 && fp & 1)
		return true;
	/* That of user space is as it likes. */
	if (IS_ENABLED(CONFIG_RISCV) && fp & (sizeof(fp) - 1))
		return true;
	return fp <= frame || fp > last;
}

/* Does the stack end behind such a record? */
static __always_inline bool kml_is_end_of_stack(unsigned long fp)
{
#if KML_X86_64
	return !fp || fp == (unsigned long)task_pt_regs(current) + 1;
#elif defined(CONFIG_RISCV)
	/* Nobody clears what user space or a thread's creator had in the register. */
	return true;
#else
	return !fp;
#endif
}

/**
 * kml_hash_frames() - add return addresses to a hash
 * @hash: the hash
 * @frame: the record to begin with; set to the last one that was added
 * @depth: how many; set to how many are left
 *
 * Context: Any but NMI.
 * Return: true if that is all; false if the records lead off the stack.
 */
static __always_inline bool kml_hash_frames(u64 *hash, unsigned long *frame,
					    unsigned int *depth)
{
	unsigned long last = kml_last_record(*frame);
	struct kml_frame_record record;
	unsigned int i, left;

	for (left = *depth; left >= KML_TRACE_UNROLL; left -= KML_TRACE_UNROLL) {
#pragma GCC unroll 4 /* KML_TRACE_UNROLL */
		for (i = 1; i <= KML_TRACE_UNROLL; i++) {
			record = *kml_record_at(*frame);
			*hash = *hash * KML_TRACE_FACTOR +
				kml_return_address(record.lr);
			if (unlikely(kml_is_last_record(record.fp, *frame, last))) {
				left -= i;
				goto edge;
			}
			*frame = record.fp;
		}
	}
	while (left) {
		left--;
		record = *kml_record_at(*frame);
		*hash = *hash * KML_TRACE_FACTOR + kml_return_address(record.lr);
		if (unlikely(kml_is_last_record(record.fp, *frame, last)))
			goto edge;
		*frame = record.fp;
	}
	return true;
edge:
	*depth = left;
	return !left || kml_is_end_of_stack(record.fp);
}

#endif /* KML_FRAME_RECORDS */

#ifdef KML_FRAME_SIZES

/* Half of the return addresses whose frames may be known, as a power of two. */
#define KML_ORC_BITS	12

/*
 * What is known of a frame: in the upper half the lower one of the return address, then
 * where the frame ends, in bytes from its record, or from what the frame pointer was:
 */
#define KML_ORC_SHIFT	32
#define KML_ORC_SIZE	GENMASK(15, 0)
/* where the frame pointer of the caller stands, in words below that end; 0: nowhere. */
#define KML_ORC_SAVED	GENMASK(21, 16)
/* The size is counted from the frame pointer. */
#define KML_ORC_FP	BIT(29)
/* Its end is that of the stack. */
#define KML_ORC_LAST	BIT(30)
/* It is found in other ways, which are left to the unwinder. */
#define KML_ORC_OTHER	BIT(31)

/* Of an entry for another return address, these bits are not all 0. */
#define KML_ORC_SPECIAL	GENMASK(63, 29)

/* Each return address has two places, which it shares: see kml_orc_keep(). */
extern u64 kml_orc_table[2][1 << KML_ORC_BITS];

unsigned long kml_orc_frame_pointer(unsigned long from, unsigned long to);

static __always_inline unsigned int kml_orc_index(unsigned long ip)
{
	return ((u32)ip * (u32)KML_TRACE_FACTOR) >> (32 - KML_ORC_BITS);
}

/* What is known of a frame; of another one, if the upper half of the result is not 0. */
static __always_inline u64 kml_orc_look(unsigned int place, unsigned int index,
					unsigned long ip)
{
	return READ_ONCE(kml_orc_table[place][index]) ^ (u64)ip << KML_ORC_SHIFT;
}

/* The same, in either of the two places. */
static __always_inline u64 kml_orc_find(unsigned long ip)
{
	unsigned int index = kml_orc_index(ip);
	u64 known = kml_orc_look(0, index, ip);

	if (unlikely(known >> KML_ORC_SHIFT))
		known = kml_orc_look(1, index, ip);
	return known;
}

static __always_inline unsigned long kml_orc_return_address(unsigned long frame)
{
	/* If code has changed it is no frame, and KASAN may have poisoned it. */
	return READ_ONCE_NOCHECK(((struct kml_frame_record *)frame)->lr);
}

/**
 * kml_hash_frames() - add return addresses to a hash
 * @hash: the hash
 * @frame: the hook's record; set to where the one would be of the last frame that was
 *	added
 * @depth: how many; set to how many are left
 *
 * Context: Any but NMI.
 * Return: true if that is all; false if not enough is known of the last frame.
 */
static __always_inline bool kml_hash_frames(u64 *hash, unsigned long *frame,
					    unsigned int *depth)
{
	unsigned long ip, next, last, first = *frame;
	unsigned int left = *depth;
	bool all = false;
	u64 known;

	ip = kml_orc_return_address(first);
	*hash = *hash * KML_TRACE_FACTOR + ip;
	if (!--left) {
		*depth = 0;
		return true;
	}
	last = kml_last_record(first);
	if (unlikely(!last))
		return false;
	do {
		known = kml_orc_find(ip);
		next = *frame;
		if (unlikely(known & KML_ORC_SPECIAL)) {
			if (known >> KML_ORC_SHIFT || known & KML_ORC_OTHER)
				break;
			if (known & KML_ORC_LAST) {
				all = next + (known & KML_ORC_SIZE) ==
				      last + sizeof(struct kml_frame_record);
				break;
			}
			/* That of the hook's caller is what most of them ask for. */
			next = next == first ?
			       READ_ONCE(((struct kml_frame_record *)first)->fp) :
			       kml_orc_frame_pointer(first, next);
		}
		next += known & KML_ORC_SIZE;
		if (unlikely(next <= *frame || next > last))
			break;
		*frame = next;
		ip = kml_orc_return_address(next);
		*hash = *hash * KML_TRACE_FACTOR + ip;
	} while (--left);
	*depth = left;
	return all || !left;
}

#endif /* KML_FRAME_SIZES */

#endif /* __MM_KMEMLEAK_FRAMES_H */
