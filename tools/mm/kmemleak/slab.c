// SPDX-License-Identifier: GPL-2.0
/*
 * slab: caches by size, or by growth.
 */
#include <stdlib.h>

#include "kmemleak.h"

/* Milliseconds between the two looks that growth takes. */
#define INTERVAL	10000

static int by_size(const void *a, const void *b)
{
	const struct growth *one = a, *two = b;

	if (one->now->bytes != two->now->bytes)
		return one->now->bytes > two->now->bytes ? -1 : 1;
	return one->now < two->now ? -1 : one->now > two->now;
}

static void show_text(FILE *to, const struct growth *rows, size_t nr, bool growth)
{
	size_t i;

	fprintf(to, "%-24s %10s %10s %12s %12s%s\n", "cache", "object", "objects", "in use",
		"slabs", growth ? "        grown" : "");
	for (i = 0; i < nr; i++) {
		const struct cache *cache = rows[i].now;

		fprintf(to, "%-24s %10llu %10llu %12llu %12llu",
			cache->name, cache->object_size, cache->objects, cache->used,
			cache->bytes);
		if (growth)
			fprintf(to, " %+12lld", rows[i].used);
		fputc('\n', to);
	}
}

static void show_csv(FILE *to, const struct growth *rows, size_t nr, bool growth)
{
	size_t i;

	csv_row(to, ',', growth ? "ssssss" : "sssss", "cache", "object_size", "objects", "used",
		"bytes", "grown");
	for (i = 0; i < nr; i++) {
		const struct cache *cache = rows[i].now;

		csv_row(to, ',', growth ? "suuuud" : "suuuu", cache->name, cache->object_size,
			cache->objects, cache->used, cache->bytes, rows[i].used);
	}
}

static void show_json(FILE *to, const struct growth *rows, size_t nr, bool growth)
{
	struct json json = { .to = to };
	size_t i;

	json_open(&json, NULL, '{');
	json_string(&json, "command", "slab");
	json_open(&json, "caches", '[');
	for (i = 0; i < nr; i++) {
		const struct cache *cache = rows[i].now;

		json_open(&json, NULL, '{');
		json_string(&json, "name", cache->name);
		json_number(&json, "object_size", cache->object_size);
		json_number(&json, "objects", cache->objects);
		json_number(&json, "used", cache->used);
		json_number(&json, "bytes", cache->bytes);
		if (growth)
			json_number(&json, "grown", rows[i].used);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/**
 * command_slab() - show the slab caches, largest first, or what grows
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Return: EXIT_CLEAN.
 */
int command_slab(const struct options *options, char **args)
{
	struct caches before, now;
	struct growth *rows;
	struct timespec end;
	FILE *to;
	size_t nr;

	(void)args;
	caches_need(&before, options);
	if (options->growth) {
		time_in(&end, options->interval ? options->interval : INTERVAL);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
	}
	caches_need(&now, options);
	nr = caches_growth(&before, &now, &rows);
	if (!options->growth && nr)
		qsort(rows, nr, sizeof(*rows), by_size);
	while (options->growth && nr && rows[nr - 1].used <= 0)
		nr--;
	if (options->limit && nr > options->limit)
		nr = options->limit;

	to = out_open(options);
	switch (options->format) {
	case FORMAT_TEXT:
		show_text(to, rows, nr, options->growth);
		break;
	case FORMAT_CSV:
		show_csv(to, rows, nr, options->growth);
		break;
	case FORMAT_JSON:
		show_json(to, rows, nr, options->growth);
		break;
	}
	out_close(to);
	return EXIT_CLEAN;
}
