/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: reading words that may not be there.
 */
#ifndef __MM_KMEMLEAK_LOAD_H
#define __MM_KMEMLEAK_LOAD_H

#include <linux/kasan.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

#include "refs.h"

#ifdef CONFIG_ARM64
#include <asm/asm-extable.h>

/* A fault sets an operand to -EFAULT, and no other register. */
#define KML_LOAD_FAULT(operand)						\
	"((.L__gpr_num_%w" #operand " << " __stringify(EX_DATA_REG_ERR_SHIFT) ") | "	\
	"(.L__gpr_num_wzr << " __stringify(EX_DATA_REG_ZERO_SHIFT) "))"
#endif

/* Words read at once. */
#define KML_LOAD_WORDS	4

/**
 * kml_load_word() - read a word where it is
 * @from: the word
 * @word: set to it
 *
 * Context: Any, page faults off.
 * Return: false if it cannot be read.
 */
static __always_inline bool kml_load_word(const unsigned long *from,
					  unsigned long *word)
{
	unsigned long value;

	/* GCC 12 may crash if that is to be an element of an array. */
	__get_kernel_nofault(&value, from, unsigned long, fault);
	*word = value;
	return true;
fault:
	return false;
}

/* Stands for the first word of a pair of which not both can be read. */
#define KML_NO_WORD	((unsigned long)-EFAULT)

/**
 * kml_load_words() - read two pairs of words where they are
 * @from: the first one
 * @words: set to them; those behind a KML_NO_WORD are void if it is none that was
 *	read, see kml_pair_is_there()
 *
 * What all architectures have tells of each word whether it could be read. As most
 * of the work of a scan is to read, where a fault can say so in place of what it
 * could not read, no word need be asked for that is small.
 *
 * Context: Any, page faults off.
 */
static __always_inline void kml_load_words(const unsigned long *from,
					   unsigned long *words)
{
#ifdef CONFIG_ARM64
	asm volatile(__DEFINE_ASM_GPR_NUMS
		     "1:	ldp	%0, %1, [%4]\n"
		     "2:	ldp	%2, %3, [%4, #16]\n"
		     "3:\n"
		     __ASM_EXTABLE_RAW("1b", "3b",
				       __stringify(EX_TYPE_KACCESS_ERR_ZERO),
				       KML_LOAD_FAULT(0))
		     __ASM_EXTABLE_RAW("2b", "3b",
				       __stringify(EX_TYPE_KACCESS_ERR_ZERO),
				       KML_LOAD_FAULT(2))
		     : "=&r" (words[0]), "=&r" (words[1]),
		       "=&r" (words[2]), "=&r" (words[3])
		     : "r" (from),
		       "m" (*(const unsigned long (*)[KML_LOAD_WORDS])from));
#else
	if (!kml_load_word(&from[0], &words[0]) ||
	    !kml_load_word(&from[1], &words[1]))
		words[0] = KML_NO_WORD;
	if (!kml_load_word(&from[2], &words[2]) ||
	    !kml_load_word(&from[3], &words[3]))
		words[2] = KML_NO_WORD;
#endif
}

/**
 * kml_pair_is_there() - ask whether kml_load_words() could read two words
 * @from: the first one of a pair
 * @words: what it made of them
 *
 * Context: As for kml_load_words(), which has read those in front of it.
 * Return: false if it could not.
 */
static __always_inline bool kml_pair_is_there(const unsigned long *from,
					      const unsigned long *words)
{
	unsigned long word;

	if (likely(words[0] != KML_NO_WORD))
		return true;
	/* It may be a small negative number. */
	return kml_load_word(&from[0], &word) && kml_load_word(&from[1], &word);
}

static __always_inline unsigned long kml_untagged(unsigned long addr)
{
	return (unsigned long)kasan_reset_tag((void *)addr);
}

/* ---- Sections: what is read before others can run ---- */

static inline void kml_begin_reading(void)
	__acquires(RCU)
{
	rcu_read_lock();
	pagefault_disable();
	kasan_disable_current();
	kml_forget_saved_registers();
}

static inline void kml_end_reading(struct kml_worker *self)
	__releases(RCU)
{
	kml_finish_section(self);
	kasan_enable_current();
	pagefault_enable();
	rcu_read_unlock();
}

static inline void kml_count_words(struct kml_worker *self, size_t nr)
{
	self->section += nr;
	WRITE_ONCE(self->words, self->words + nr);
}

static inline size_t kml_section_left(const struct kml_worker *self)
{
	return KML_SECTION_WORDS - min(self->section, KML_SECTION_WORDS);
}

#endif /* __MM_KMEMLEAK_LOAD_H */
