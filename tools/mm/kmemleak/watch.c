// SPDX-License-Identifier: GPL-2.0
/*
 * watch: memory of the system, slab caches that grow, and leaks, all the time.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* Milliseconds between two looks. */
#define INTERVAL	60000

/* A cache grows if it was larger so often, and smaller never. */
#define TREND		5

/* Names that are short enough for a screen. */
static const char * const labels[NR_MEM_FIELDS] = {
	[MEM_FREE]		= "free",
	[MEM_AVAILABLE]		= "available",
	[MEM_SLAB]		= "slab",
	[MEM_SRECLAIMABLE]	= "reclaimable",
	[MEM_SUNRECLAIM]	= "other slab",
	[MEM_KERNEL_STACK]	= "stacks",
};

/* A cache in all looks so far, found by its name. */
struct trend {
	unsigned int larger;
	unsigned long long used;
	unsigned long long begin;
	bool told;
};

struct watch {
	const struct options *options;
	struct watchlog *log;
	FILE *to;
	bool live;
	struct meminfo info, first_info;
	struct caches caches, first_caches;
	struct growth *growth;
	size_t nr_growth;
	struct intern_table trends;
};

static struct trend *trend_of(struct watch *watch, const struct cache *cache)
{
	struct intern *name = intern(&watch->trends, cache->name, sizeof(cache->name));

	if (!name->data)
		name->data = xalloc(sizeof(struct trend));
	return name->data;
}

static bool is_growing(struct watch *watch, const struct cache *cache)
{
	return trend_of(watch, cache)->larger >= TREND;
}

/* Where it was not larger, it may have been the same. */
static void follow_cache(struct watch *watch, const struct cache *cache, bool first)
{
	struct trend *trend = trend_of(watch, cache);

	if (first || cache->used < trend->used) {
		trend->larger = 0;
		trend->begin = cache->used;
		trend->told = false;
	} else if (cache->used > trend->used) {
		trend->larger++;
	}
	trend->used = cache->used;
}

static void read_system(struct watch *watch, const struct look *look)
{
	bool first = look->nr == 1;
	size_t i;

	meminfo_read(&watch->info, watch->options);
	free(watch->growth);
	caches_free(&watch->caches);
	/* Other detectors may be there without it. */
	caches_read(&watch->caches, watch->options);
	if (first) {
		watch->first_info = watch->info;
		caches_read(&watch->first_caches, watch->options);
	}
	watch->nr_growth = caches_growth(&watch->first_caches, &watch->caches, &watch->growth);
	for (i = 0; i < watch->caches.nr; i++)
		follow_cache(watch, &watch->caches.caches[i], first);
	while (watch->nr_growth && watch->growth[watch->nr_growth - 1].used <= 0)
		watch->nr_growth--;
}

static void say_growing(struct watch *watch, const struct look *look, const struct cache *cache)
{
	struct trend *trend = trend_of(watch, cache);
	struct growth growth = { .now = cache, .used = cache->used - trend->begin };
	char bytes[16];

	if (watch->log)
		watchlog_cache(watch->log, look, cache);
	if (trend->told)
		return;
	trend->told = true;
	if (watch->log)
		watchlog_growing(watch->log, look, &growth, trend->larger);
	if (watch->options->format == FORMAT_TEXT && !watch->live)
		fprintf(watch->to, "  growing: %s, %s more in %u looks\n", cache->name,
			human(growth.used, bytes), trend->larger);
}

static void say_leak(struct watch *watch, const struct look *look, const struct group *group)
{
	const struct options *options = watch->options;
	struct frame site;

	if (watch->log)
		watchlog_leak(watch->log, look, group);
	if (options->format != FORMAT_TEXT || watch->live)
		return;
	fprintf(watch->to, "  new leak: %llu bytes in %zu object%s, from ", group->bytes,
		group->nr, plural(group->nr));
	trace_site(group->trace, &site);
	plain_text(watch->to, site.text, site.len);
	fputs(group->indirect && !group->direct ? " (indirect)\n" : "\n", watch->to);
}

static void say_text(struct watch *watch, const struct look *look)
{
	char when[64];
	size_t i;

	stamp(when, sizeof(when), "%Y-%m-%d %H:%M:%S", look->when);
	fputs(when, watch->to);
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(watch->to, "  %s %lluK", meminfo_names[i], watch->info.kib[i]);
	fprintf(watch->to, "  leaks %zu, %llu bytes\n", look->groups.report.nr,
		look->groups.report.bytes);
}

static void say_csv(struct watch *watch, const struct look *look)
{
	const struct groups *groups = &look->groups;
	size_t i;

	if (look->nr == 1) {
		fputs("time", watch->to);
		for (i = 0; i < NR_MEM_FIELDS; i++)
			fprintf(watch->to, ",%s", meminfo_names[i]);
		fputs(",leaks,leaked,places,new\n", watch->to);
	}
	fprintf(watch->to, "%lld", (long long)look->when);
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(watch->to, ",%llu", watch->info.kib[i]);
	fprintf(watch->to, ",%zu,%llu,%zu,%zu\n", groups->report.nr, groups->report.bytes,
		groups->nr, look->nr_new);
}

static void say_json(struct watch *watch, const struct look *look)
{
	struct json json = { .to = watch->to };
	size_t i;

	json_open(&json, NULL, '{');
	json_string(&json, "command", "watch");
	json_number(&json, "time", look->when);
	for (i = 0; i < NR_MEM_FIELDS; i++)
		json_number(&json, meminfo_names[i], watch->info.kib[i]);
	json_open(&json, "growing", '[');
	for (i = 0; i < watch->caches.nr; i++) {
		const struct cache *cache = &watch->caches.caches[i];

		if (!is_growing(watch, cache))
			continue;
		json_open(&json, NULL, '{');
		json_string(&json, "name", cache->name);
		json_number(&json, "used", cache->used);
		json_number(&json, "grown", cache->used - trend_of(watch, cache)->begin);
		json_close(&json, '}');
	}
	json_close(&json, ']');

	json_totals(&json, &look->groups);
	json_open(&json, "new", '[');
	for (i = 0; i < look->groups.nr; i++)
		if (group_is_new(&look->groups.groups[i], look))
			json_group(&json, &look->groups, &look->groups.groups[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}

static void take(const struct look *look, void *data)
{
	struct watch *watch = data;
	size_t i;

	read_system(watch, look);
	if (look->nr_new)
		frames_resolve(&look->groups, look->groups.nr, watch->options);
	if (watch->options->format == FORMAT_CSV)
		say_csv(watch, look);
	else if (watch->options->format == FORMAT_JSON)
		say_json(watch, look);
	else if (!watch->live)
		say_text(watch, look);

	for (i = 0; i < look->groups.nr; i++)
		if (group_is_new(&look->groups.groups[i], look))
			say_leak(watch, look, &look->groups.groups[i]);
	for (i = 0; i < watch->caches.nr; i++)
		if (is_growing(watch, &watch->caches.caches[i]))
			say_growing(watch, look, &watch->caches.caches[i]);
	if (watch->log) {
		watchlog_sample(watch->log, look, &watch->info);
		watchlog_flush(watch->log);
	}
	if (!watch->live && fflush(watch->to))
		out_close(watch->to);
}

/* Not more lines than so many. Returns how many there are. */
static size_t draw_caches(FILE *to, struct watch *watch, size_t limit)
{
	size_t i;

	if (!watch->nr_growth || limit < 3)
		return 0;
	fprintf(to, "\001%-28s %10s %10s\n", "cache", "in use", "grown");
	for (i = 0; i < watch->nr_growth && i + 2 < limit; i++) {
		const struct growth *growth = &watch->growth[i];
		char used[16], grown[16];

		fprintf(to, "%-28s %10s %10s%s\n", growth->now->name,
			human(growth->now->used, used), human(growth->used, grown),
			is_growing(watch, growth->now) ? "  growing" : "");
	}
	fputc('\n', to);
	return i + 2;
}

static void draw(const struct look *look, void *data)
{
	struct watch *watch = data;
	FILE *to = terminal_begin();
	size_t room = terminal_rows() > 9 ? terminal_rows() - 7 : 2;
	char when[64];
	size_t i;

	stamp(when, sizeof(when), "%H:%M:%S", look->when);
	fprintf(to, "kmemleak watch, %s, look %u%s%s (s: look now, q: quit)\n\n", when, look->nr,
		watch->log ? ", log in " : "", watch->log ? watch->options->log : "");
	fprintf(to, "\001%-7s", "KiB");
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(to, " %11s", labels[i]);
	fprintf(to, "\n%-7s", "now");
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(to, " %11llu", watch->info.kib[i]);
	fprintf(to, "\n%-7s", "change");
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(to, " %+11lld",
			(long long)(watch->info.kib[i] - watch->first_info.kib[i]));
	fputs("\n\n", to);
	room -= draw_caches(to, watch, room / 2);
	show_summary(to, &look->groups, "");
	show_places(to, look, room);
	terminal_show();
}

/**
 * command_watch() - watch the memory of the system until stopped
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Return: EXIT_CLEAN.
 */
int command_watch(const struct options *options, char **args)
{
	struct watch watch = { .options = options, .live = terminal_live(options) };

	(void)args;
	watch.to = out_open(options);
	if (options->log)
		watch.log = watchlog_open(options->log);
	monitor(options, INTERVAL, take, draw, &watch);
	out_close(watch.to);
	return EXIT_CLEAN;
}
