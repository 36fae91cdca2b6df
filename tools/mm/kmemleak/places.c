// SPDX-License-Identifier: GPL-2.0
/*
 * Places that grow, lost or not, for watch: which have more in nearly all of the last
 * looks than in those before.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* With fewer looks nothing can be said about how steadily something grows. */
#define FEWEST_LOOKS	10

static int by_slope(const void *a, const void *b)
{
	const struct growing *one = a, *two = b;

	if (one->slope != two->slope)
		return one->slope > two->slope ? -1 : 1;
	return strcmp(one->group->trace->text, two->group->trace->text);
}

static void judge(struct places *places, const struct census_group *group, unsigned int first,
		  unsigned int looks)
{
	struct series *series = group->trace->data;
	unsigned long long begin = series_at(series, first);

	if (looks < FEWEST_LOOKS || group->all.bytes <= begin ||
	    !series_is_steady(series, first, looks)) {
		series->told = false;
		return;
	}
	places->growing[places->nr++] = (struct growing){
		.group = group,
		.series = series,
		.grown = group->all.bytes - begin,
		.slope = series_slope(series, places->times, first, looks),
	};
}

/**
 * places_look() - look at what is allocated, and find out what grows
 * @places: all zeroes at first
 * @control: where a detector tells
 *
 * What is found is valid until the next look.
 */
void places_look(struct places *places, const struct control *control)
{
	unsigned int last = places->looks++, first = 0, looks, i;

	if (places->looks > PLACES_LOOKS) {
		first = places->looks - PLACES_LOOKS;
		memmove(places->times, places->times + 1,
			(PLACES_LOOKS - 1) * sizeof(*places->times));
	}
	looks = places->looks - first;
	places->times[looks - 1] = time_now();
	census_free(&places->census);
	census_load(&places->census, control);
	free(places->growing);
	places->growing = xalloc(places->census.nr * sizeof(*places->growing));
	places->nr = 0;
	for (i = 0; i < places->census.nr; i++) {
		const struct census_group *group = &places->census.groups[i];
		struct series *series = series_of(group->trace);

		series_forget(series, first);
		series_add(series, last, group->all.objects, group->all.bytes);
		judge(places, group, first, looks);
	}
	if (places->nr)
		qsort(places->growing, places->nr, sizeof(*places->growing), by_slope);
}
