// SPDX-License-Identifier: GPL-2.0
/*
 * Which places grow: from how much they had allocated at each look.
 *
 * What grows is larger in most looks than in those before it. That is asked of all pairs
 * of looks (Kendall's tau), so that neither one burst nor what comes and goes counts:
 * one step gives no more than 0.53 of 1 in 20 looks, two give 0.7. How fast it grows is
 * the median of the slopes of all pairs (Theil and Sen), which no single look can shift.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* A place grows steadily from this share on. */
#define STEADY		0.75

/* Looks that are compared with each other, of those that there were, at regular times. */
#define MOST_LOOKS	240

/**
 * series_of() - what is known of a place
 * @trace: the place; what is known is kept with its one copy
 *
 * Return: that, which is nothing at first.
 */
struct series *series_of(struct intern *trace)
{
	if (!trace->data)
		trace->data = xalloc(sizeof(struct series));
	return trace->data;
}

/**
 * series_add() - note what a place has at a look
 * @series: the place
 * @look: number of the look, more than those before
 * @objects: how many objects it has
 * @bytes: how long they are
 */
void series_add(struct series *series, unsigned int look, unsigned long long objects,
		unsigned long long bytes)
{
	series->points = xgrow(series->points, &series->room, series->nr, sizeof(*series->points));
	series->points[series->nr++] = (struct series_point){ look, objects, bytes };
}

/**
 * series_forget() - forget what a place had at looks that are long over
 * @series: the place
 * @first: the look from which on it is kept
 */
void series_forget(struct series *series, unsigned int first)
{
	size_t gone = 0;

	while (gone < series->nr && series->points[gone].look < first)
		gone++;
	if (!gone)
		return;
	series->nr -= gone;
	memmove(series->points, series->points + gone, series->nr * sizeof(*series->points));
}

/**
 * series_at() - what a place had at a look
 * @series: the place
 * @look: number of the look
 *
 * Return: bytes.
 */
unsigned long long series_at(const struct series *series, unsigned int look)
{
	size_t i;

	for (i = 0; i < series->nr; i++)
		if (series->points[i].look == look)
			return series->points[i].bytes;
	return 0;
}

static unsigned int step_of(unsigned int looks)
{
	return (looks + MOST_LOOKS - 1) / MOST_LOOKS;
}

static unsigned long long *all_of(const struct series *series, unsigned int first,
				  unsigned int looks)
{
	unsigned long long *bytes = xalloc(looks * sizeof(*bytes));
	size_t i;

	for (i = 0; i < series->nr; i++)
		if (series->points[i].look - first < looks)
			bytes[series->points[i].look - first] = series->points[i].bytes;
	return bytes;
}

/**
 * series_is_steady() - whether a place grew from look to look
 * @series: the place
 * @first: number of the first look
 * @looks: how many there were from there on
 *
 * Return: true if so.
 */
bool series_is_steady(const struct series *series, unsigned int first, unsigned int looks)
{
	unsigned long long *bytes = all_of(series, first, looks);
	unsigned int i, k, step = step_of(looks);
	long long more = 0, pairs = 0;

	for (i = 0; i < looks; i += step)
		for (k = i + step; k < looks; k += step, pairs++)
			more += (bytes[k] > bytes[i]) - (bytes[k] < bytes[i]);
	free(bytes);
	return pairs && more >= STEADY * pairs;
}

static int by_value(const void *a, const void *b)
{
	const double *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

/**
 * series_slope() - how fast a place grew
 * @series: the place
 * @times: of each look from the first one on, in seconds
 * @first: number of the first look
 * @looks: how many there were from there on, two at least
 *
 * Return: bytes in a second.
 */
double series_slope(const struct series *series, const double *times, unsigned int first,
		    unsigned int looks)
{
	unsigned long long *bytes = all_of(series, first, looks);
	double *slopes = xalloc(MOST_LOOKS * MOST_LOOKS / 2 * sizeof(*slopes));
	unsigned int i, k, step = step_of(looks);
	size_t nr = 0;
	double median;

	for (i = 0; i < looks; i += step)
		for (k = i + step; k < looks; k += step)
			if (times[k] > times[i])
				slopes[nr++] = ((double)bytes[k] - (double)bytes[i]) /
					       (times[k] - times[i]);
	if (nr)
		qsort(slopes, nr, sizeof(*slopes), by_value);
	median = nr ? nr % 2 ? slopes[nr / 2] : (slopes[nr / 2 - 1] + slopes[nr / 2]) / 2 : 0;
	free(slopes);
	free(bytes);
	return median;
}
