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

/* A fault sets operand 0, and no other register. */
#define KML_LOAD_FAULT							\
	"((.L__gpr_num_%w0 << " __stringify(EX_DATA_REG_ERR_SHIFT) ") | "	\
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

/**
 * kml_load_words() - read words where they are
 * @from: the first one
 * @words: set to them
 *
 * What all architectures have tells of each word whether it could be read. As
 * most of the work of a scan is to read, one that can tell of all at once does.
 *
 * Context: Any, page faults off.
 * Return: false if one of them cannot be read.
 */
static __always_inline bool kml_load_words(const unsigned long *from,
					   unsigned long *words)
{
#ifdef CONFIG_ARM64
	int err = 0;

	asm volatile(__DEFINE_ASM_GPR_NUMS
		     "1:	ldp	%1, %2, [%5]\n"
		     "2:	ldp	%3, %4, [%5, #16]\n"
		     "3:\n"
		     __ASM_EXTABLE_RAW("1b", "3b",
				       __stringify(EX_TYPE_KACCESS_ERR_ZERO),
				       KML_LOAD_FAULT)
		     __ASM_EXTABLE_RAW("2b", "3b",
				       __stringify(EX_TYPE_KACCESS_ERR_ZERO),
				       KML_LOAD_FAULT)
		     : "+r" (err), "=&r" (words[0]), "=&r" (words[1]),
		       "=&r" (words[2]), "=&r" (words[3])
		     : "r" (from),
		       "m" (*(const unsigned long (*)[KML_LOAD_WORDS])from));
	return likely(!err);
#else
	return kml_load_word(&from[0], &words[0]) &&
	       kml_load_word(&from[1], &words[1]) &&
	       kml_load_word(&from[2], &words[2]) &&
	       kml_load_word(&from[3], &words[3]);
#endif
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
}

static inline void kml_count_words(size_t nr)
{
	kml_reading.section += nr;
	WRITE_ONCE(kml_reading.words, kml_reading.words + nr);
}

static inline size_t kml_section_left(void)
{
	return KML_SECTION_WORDS - min(kml_reading.section, KML_SECTION_WORDS);
}

#endif /* __MM_KMEMLEAK_LOAD_H */
