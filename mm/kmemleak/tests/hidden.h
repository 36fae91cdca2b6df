/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel memory leak detector: objects that tests know in a form that is no address.
 */
#ifndef __MM_KMEMLEAK_TESTS_HIDDEN_H
#define __MM_KMEMLEAK_TESTS_HIDDEN_H

#include <linux/types.h>

struct kml_ref;
struct kunit;

unsigned long kml_hidden_alloc(size_t size);
void kml_hidden_reveal(unsigned long *place, unsigned long hidden);
bool kml_hidden_find(unsigned long hidden, struct kml_ref *ref);
bool kml_hidden_is_leak(unsigned long hidden);
bool kml_hidden_any_leaks(const unsigned long *hidden, unsigned int nr);
void kml_hidden_free(unsigned long hidden);
void kml_hidden_retire(unsigned long hidden);
void kml_hidden_exit(struct kunit *test);

#endif /* __MM_KMEMLEAK_TESTS_HIDDEN_H */
