// SPDX-License-Identifier: GPL-2.0
/*
 * Slab caches, from /proc/slabinfo, and their growth.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmemleak.h"

/* name, objects in use, all, bytes of one, a slab's, its pages; all slabs */
#define CACHE_FORMAT \
	"%63s %llu %*u %llu %*u %llu : tunables %*u %*u %*u : slabdata %*u %llu"

static int by_name(const void *a, const void *b)
{
	const struct cache *one = a, *two = b;

	return strcmp(one->name, two->name);
}

static int by_growth(const void *a, const void *b)
{
	const struct growth *one = a, *two = b;

	if (one->used != two->used)
		return one->used > two->used ? -1 : 1;
	return strcmp(one->now->name, two->now->name);
}

static bool parse_cache(struct cache *cache, const char *line, unsigned long long page_size)
{
	unsigned long long pages, slabs;
	char *at;

	if (sscanf(line, CACHE_FORMAT, cache->name, &cache->objects, &cache->object_size,
		   &pages, &slabs) != 5)
		return false;
	for (at = cache->name; *at; at++)
		if (*at <= ' ' || *at >= 0x7f)
			*at = '?';
	cache->used = cache->objects * cache->object_size;
	cache->bytes = slabs * pages * page_size;
	return true;
}

/**
 * caches_read() - all slab caches as they are now, by name
 * @caches: filled in; caches_free() frees it
 * @options: where to look
 *
 * Return: 0, or why there are none, as an errno.
 */
int caches_read(struct caches *caches, const struct options *options)
{
	unsigned long long page_size = sysconf(_SC_PAGESIZE);
	FILE *from = open_in(options->proc, "slabinfo");
	char *line = NULL;
	size_t room = 0;
	int error = errno;

	memset(caches, 0, sizeof(*caches));
	if (!from)
		return error;
	/* Two lines of a header, which have no such numbers. */
	while (getline(&line, &room, from) >= 0) {
		struct cache cache;

		if (!parse_cache(&cache, line, page_size))
			continue;
		caches->caches = xgrow(caches->caches, &caches->room, caches->nr, sizeof(cache));
		caches->caches[caches->nr++] = cache;
	}
	free(line);
	error = ferror(from) ? errno : 0;
	fclose(from);
	if (caches->nr)
		qsort(caches->caches, caches->nr, sizeof(*caches->caches), by_name);
	return error;
}

/**
 * caches_need() - the same, or end the tool
 * @caches: filled in; caches_free() frees it
 * @options: where to look
 */
void caches_need(struct caches *caches, const struct options *options)
{
	int error = caches_read(caches, options);

	if (!error && caches->nr)
		return;
	if (error == ENOENT)
		die(EXIT_TROUBLE, "no %s/slabinfo: is /proc mounted, and CONFIG_SLUB_DEBUG set?",
		    options->proc);
	if (error == EACCES || error == EPERM)
		die(EXIT_TROUBLE, "%s/slabinfo: %s: only root may read it", options->proc,
		    strerror(error));
	die(EXIT_TROUBLE, "%s/slabinfo: %s", options->proc,
	    error ? strerror(error) : "there is no cache in it");
}

/**
 * caches_free() - forget caches
 * @caches: the caches, of which there are none then
 */
void caches_free(struct caches *caches)
{
	free(caches->caches);
	memset(caches, 0, sizeof(*caches));
}

/**
 * caches_find() - a cache by its name
 * @caches: among these
 * @name: the name
 *
 * Return: the cache, or NULL.
 */
const struct cache *caches_find(const struct caches *caches, const char *name)
{
	struct cache key;

	if (!caches->nr)
		return NULL;
	snprintf(key.name, sizeof(key.name), "%s", name);
	return bsearch(&key, caches->caches, caches->nr, sizeof(key), by_name);
}

/**
 * caches_growth() - what grew most, by bytes of objects in use
 * @before: the caches as they were; must stay
 * @now: the caches as they are; must stay
 * @growth: set to an array, to be freed, of all that are there now
 *
 * A cache that is new has grown from nothing.
 *
 * Return: how many there are.
 */
size_t caches_growth(const struct caches *before, const struct caches *now,
		     struct growth **growth)
{
	size_t i;

	*growth = xalloc(now->nr * sizeof(**growth));
	for (i = 0; i < now->nr; i++) {
		struct growth *one = &(*growth)[i];

		one->now = &now->caches[i];
		one->before = caches_find(before, one->now->name);
		one->used = one->now->used - (one->before ? one->before->used : 0);
	}
	if (now->nr)
		qsort(*growth, now->nr, sizeof(**growth), by_growth);
	return now->nr;
}
