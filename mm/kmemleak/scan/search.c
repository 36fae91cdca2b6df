// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: further passes, which look for suspects.
 *
 * They read all that is in use. Slabs are read from end to end like other memory,
 * and only of a word that may refer to a suspect the pass asks which object it
 * stands in, and whether that one is in use.
 */
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/minmax.h>

#include "../store/slab.h"
#include "load.h"
#include "refs.h"

static bool is_in_use(const struct kml_slab *slab, unsigned int index, u32 meta)
{
	return meta & KML_SLOT_LIVE && !(meta & KML_SLOT_BLACK) &&
	       (test_bit(index, slab->seen) || meta & KML_SLOT_GRAY ||
		kml_slot_is_young(meta));
}

/**
 * kml_slot_in_use() - ask whether a further pass has to read an object in a slot
 * @slab: its slab, pinned or seen under RCU
 * @index: its index there
 *
 * Context: Holder of kml_scan_mutex, or for it.
 * Return: true if there is one that is in use, as far as the scan knows.
 */
bool kml_slot_in_use(const struct kml_slab *slab, unsigned int index)
{
	return is_in_use(slab, index, READ_ONCE(slab->slots[index].meta));
}

/**
 * kml_holder_of() - find whose a word of a slab is, if it counts
 * @slab: a slab with plain objects, pinned or seen under RCU
 * @word: the word
 * @holder: set to the object
 *
 * Context: Holder of kml_scan_mutex, or for it.
 * Return: false if it is nobody's who is in use, or none that may be a reference.
 */
bool kml_holder_of(const struct kml_slab *slab, const unsigned long *word,
		   struct kml_holder *holder)
{
	unsigned long offset;
	u32 index, meta;

	offset = kml_slab_divide(slab, (unsigned long)word, &index);
	if (index >= slab->nr || offset >= READ_ONCE(slab->size))
		return false;
	meta = READ_ONCE(slab->slots[index].meta);
	holder->space = KML_VIRT;
	holder->addr = kml_slot_start(slab, index);
	return is_in_use(slab, index, meta) &&
	       offset / sizeof(long) >= FIELD_GET(KML_SLOT_SKIP, meta);
}

/* A word of a slab that may refer to a suspect. */
static void mark_hit(const struct kml_slab *slab, const unsigned long *word)
{
	struct kml_holder self;
	unsigned long addr;

	if (kml_holder_of(slab, word, &self) && kml_load_word(word, &addr))
		kml_mark(kml_untagged(addr), &self);
}

static int search_words(const struct kml_slab *slab, const unsigned long *word,
			const unsigned long *end)
{
	struct kml_worker *self = kml_self();
	int ret = kml_make_room(self, end - word);

	if (ret)
		return ret;
	kml_count_words(self, end - word);
	kml_begin_reading();
	for (; (word = kml_next_hit(word, end)) < end; word++)
		mark_hit(slab, word);
	kml_end_reading(self);
	return 0;
}

static int search_slab(const struct kml_slab *slab)
{
	const unsigned long *word = (const unsigned long *)slab->first, *end;
	size_t left = (size_t)slab->nr * slab->stride / sizeof(long), nr;
	int ret = 0;

	for (; left && !ret; left -= nr, word = end) {
		nr = min(left, KML_SECTION_WORDS);
		end = word + nr;
		ret = search_words(slab, word, end);
	}
	return ret;
}

static int search_special_slab(struct kml_slab *slab)
{
	unsigned long bits = 0;
	unsigned int i, first;
	int ret = 0;

	for (i = 0, first = 0; i < slab->nr && !ret; i++) {
		if (kml_slot_in_use(slab, i))
			bits |= BIT_MASK(i);
		if (i % BITS_PER_LONG == BITS_PER_LONG - 1 || i == slab->nr - 1) {
			ret = kml_scan_slots(slab, first, bits);
			first = i + 1;
			bits = 0;
		}
	}
	return ret;
}

/**
 * kml_search_in_slab() - look for suspects in the objects of a slab that are in use
 * @slab: the slab, pinned
 *
 * Context: Whoever marks, since kml_begin_pass(); may sleep.
 * Return: 0 or an error as of kml_scan_must_stop().
 */
int kml_search_in_slab(struct kml_slab *slab)
{
	int ret = kml_scan_must_stop();

	if (ret)
		return ret;
	return kml_is_special(slab) ? search_special_slab(slab) : search_slab(slab);
}

static void search_in(struct kml_slab *slab, void *arg)
{
	int *ret = arg;

	if (!*ret)
		*ret = kml_search_in_slab(slab);
}

/* Records of what is in use, and not going to be scanned anyway. */
static bool select_in_use(const struct kml_ref *ref, void *arg)
{
	return !kml_is_black(ref->rec) && !kml_ref_is_suspect(ref) &&
	       READ_ONCE(ref->rec->queued) != kml_refs.pass;
}

/**
 * kml_search_selects() - ask whether to look for suspects in an object with a record
 * @rec: the record
 * @arg: not used
 *
 * Context: Any, for kml_collect().
 * Return: true if it is in use, and not going to be scanned anyway.
 */
bool kml_search_selects(const struct kml_record *rec, void *arg)
{
	struct kml_ref ref = { .rec = (struct kml_record *)rec };

	return select_in_use(&ref, arg);
}

static int scan_in_use(const struct kml_ref *ref, void *arg)
{
	int ret = kml_scan_must_stop();

	if (!ret)
		kml_scan_record(ref->rec);
	return ret;
}

/**
 * kml_search_in_use() - look for suspects in all objects that are in use
 *
 * In the order of addresses, slabs first.
 *
 * Context: Holder of kml_scan_mutex, since kml_begin_pass(); may sleep.
 */
void kml_search_in_use(void)
{
	int ret = 0;

	lockdep_assert_held(&kml_scan_mutex);
	kml_walk_slabs(search_in, &ret);
	if (!ret)
		kml_for_each(KML_JUDGED, select_in_use, scan_in_use, NULL);
}
