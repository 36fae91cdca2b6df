// SPDX-License-Identifier: GPL-2.0
/*
 * The files of watch: a table of samples, a table of the caches that grow, and a
 * file for each finding. A disk that is full does not end the watch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

struct watchlog {
	const char *dir;
	/* From folder_open(): the directory that it was when the tool began. */
	int folder;
	FILE *samples;
	FILE *slab;
	FILE *places;
	/* It was said that something could not be written. */
	bool complained;
};

/* Only a table that is empty has no header yet. */
static bool is_empty(FILE *table)
{
	return !fseek(table, 0, SEEK_END) && !ftell(table);
}

/**
 * watchlog_open() - open the tables, or end the tool
 * @dir: the directory, which is made if it is not there; must be the user's own
 *
 * Return: the log.
 */
struct watchlog *watchlog_open(const char *dir)
{
	struct watchlog *log = xalloc(sizeof(*log));
	size_t i;

	log->dir = dir;
	log->folder = folder_open(dir);
	log->samples = folder_append(log->folder, dir, "samples.tsv");
	log->slab = folder_append(log->folder, dir, "slab.tsv");
	log->places = folder_append(log->folder, dir, "places.tsv");
	if (is_empty(log->samples)) {
		fputs("time", log->samples);
		for (i = 0; i < NR_MEM_FIELDS; i++)
			fprintf(log->samples, "\t%s", meminfo_names[i]);
		fputs("\tleaks\tleaked\tplaces\tnew\t" UNACCOUNTED "\n", log->samples);
	}
	if (is_empty(log->slab))
		fputs("time\tcache\tused\tbytes\n", log->slab);
	if (is_empty(log->places))
		fputs("time\tplace\tobjects\tbytes\n", log->places);
	return log;
}

/**
 * watchlog_sample() - a row of the table of samples
 * @log: the log
 * @look: what was found
 * @info: the figures of the system
 */
void watchlog_sample(struct watchlog *log, const struct look *look, const struct meminfo *info)
{
	const struct groups *groups = &look->groups;
	size_t i;

	fprintf(log->samples, "%lld", (long long)look->when);
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(log->samples, "\t%llu", info->kib[i]);
	fprintf(log->samples, "\t%zu\t%llu\t%zu\t%zu\t%llu\n", groups->report.nr,
		groups->report.bytes, groups->nr, look->nr_new, info->unaccounted);
}

/**
 * watchlog_cache() - a row of the table of caches
 * @log: the log
 * @look: what was found
 * @cache: one that grows
 */
void watchlog_cache(struct watchlog *log, const struct look *look, const struct cache *cache)
{
	fprintf(log->slab, "%lld\t%s\t%llu\t%llu\n", (long long)look->when,
		cache->name, cache->used, cache->bytes);
}

static void complain(struct watchlog *log, int error)
{
	if (!log->complained)
		warn("%s: %s", log->dir, strerror(error));
	log->complained = true;
}

static void close_finding(struct watchlog *log, FILE *file)
{
	bool failed = ferror(file);

	if (fclose(file) || failed)
		complain(log, errno);
}

/* A file that was not there, "KIND-DATE-TIME-NUMBER.txt", or NULL. */
static FILE *open_finding(struct watchlog *log, const char *kind, const struct look *look)
{
	char at[64], when[64], name[128];
	FILE *file = NULL;
	unsigned int nr;

	stamp(at, sizeof(at), "%Y%m%d-%H%M%S", look->when);
	for (nr = 1; !file; nr++) {
		snprintf(name, sizeof(name), "%s-%s-%u.txt", kind, at, nr);
		file = folder_create(log->folder, name);
		if (!file && errno != EEXIST) {
			complain(log, errno);
			return NULL;
		}
	}
	stamp(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", look->when);
	fprintf(file, "%s, look %u\n\n", when, look->nr);
	return file;
}

/**
 * watchlog_leak() - a file about a place that leaks
 * @log: the log
 * @look: what was found
 * @group: the place
 */
void watchlog_leak(struct watchlog *log, const struct look *look, const struct group *group)
{
	FILE *file = open_finding(log, "leak", look);

	if (!file)
		return;
	show_group(file, group);
	close_finding(log, file);
}

/**
 * watchlog_growing() - a file about a cache that grows
 * @log: the log
 * @look: what was found
 * @growth: the cache, now and when it began to grow
 * @looks: how often it was larger than before
 */
void watchlog_growing(struct watchlog *log, const struct look *look, const struct growth *growth,
		      unsigned int looks)
{
	FILE *file = open_finding(log, "slab", look);
	const struct cache *cache = growth->now;

	if (!file)
		return;
	fprintf(file, "cache %s grew in %u looks and shrank in none\n"
		"in use: %llu bytes in %llu objects of %llu bytes\n"
		"grown by: %lld bytes\n",
		cache->name, looks, cache->used, cache->objects, cache->object_size, growth->used);
	close_finding(log, file);
}

static void place_name(FILE *to, const struct census_group *group)
{
	struct frame site;

	trace_site(group->trace, &site);
	plain_text(to, site.text, site.len);
}

/**
 * watchlog_place() - a row of the table of places
 * @log: the log
 * @look: what was found
 * @place: one that grows
 */
void watchlog_place(struct watchlog *log, const struct look *look, const struct growing *place)
{
	fprintf(log->places, "%lld\t", (long long)look->when);
	place_name(log->places, place->group);
	fprintf(log->places, "\t%llu\t%llu\n", place->group->all.objects,
		place->group->all.bytes);
}

/**
 * watchlog_place_grows() - a file about a place that grows, though it need not leak
 * @log: the log
 * @look: what was found
 * @place: the place
 */
void watchlog_place_grows(struct watchlog *log, const struct look *look,
			  const struct growing *place)
{
	FILE *file = open_finding(log, "place", look);

	if (!file)
		return;
	fprintf(file, "grown by %llu bytes, %.0f in an hour, to %llu bytes in %llu objects\n"
		"%llu of them are lost\n\n",
		place->grown, place->slope * 3600, place->group->all.bytes,
		place->group->all.objects, place->group->all.leaks);
	census_show_place(file, place->group);
	close_finding(log, file);
}

/**
 * watchlog_pages() - a file about pages that nobody accounts for
 * @log: the log
 * @look: what was found
 * @grown: how many bytes more they are
 * @looks: how often they were more than before
 */
void watchlog_pages(struct watchlog *log, const struct look *look, unsigned long long grown,
		    unsigned int looks)
{
	FILE *file = open_finding(log, "pages", look);

	if (!file)
		return;
	fprintf(file, "memory that no figure tells of grew in %u looks and shrank in none\n"
		"grown by: %llu bytes\n\n%s", looks, grown, pages_advice);
	close_finding(log, file);
}

/**
 * watchlog_flush() - see to it that what was logged is in the files
 * @log: the log
 */
void watchlog_flush(struct watchlog *log)
{
	bool failed = fflush(log->samples) | fflush(log->slab) | fflush(log->places);

	if (failed)
		complain(log, errno);
	else
		log->complained = false;
}
