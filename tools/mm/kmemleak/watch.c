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

/* Bytes that pages have to grow by: less comes and goes. */
#define PAGES_LEAST	(1024 * 1024ULL)

/* Where so many times as much memory went in the same looks, a cache is a side effect. */
#define SIDE_EFFECT	20

/*
 * This detector does not follow pages: a page that is lost, or a driver's buffer for DMA, is
 * in none of its reports.
 */
const char pages_advice[] =
	"This is no memory of kmalloc() and its like, but pages: use page_owner. Boot with\n"
	"page_owner=on (CONFIG_PAGE_OWNER), and compare, some time apart:\n"
	"    cat /sys/kernel/debug/page_owner > pages.txt\n"
	"    page_owner_sort -m pages.txt sorted.txt\n"
	"or boot with CONFIG_MEM_ALLOC_PROFILING_ENABLED_BY_DEFAULT, and look at what grows in\n"
	"    sort -g /proc/allocinfo | tail\n";

/* Names that are short enough for a screen. */
static const char * const labels[NR_MEM_FIELDS] = {
	[MEM_FREE]		= "free",
	[MEM_AVAILABLE]		= "available",
	[MEM_SLAB]		= "slab",
	[MEM_SRECLAIMABLE]	= "reclaimable",
	[MEM_SUNRECLAIM]	= "other slab",
	[MEM_KERNEL_STACK]	= "stacks",
};

/* A cache, or pages that nobody accounts for, in all looks so far. */
struct trend {
	unsigned int larger;
	unsigned long long used;
	unsigned long long begin;
	/* KiB of free memory then. */
	unsigned long long begin_free;
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
	/* By the names of caches. */
	struct intern_table trends;
	struct trend pages;
	/* Of a detector that tells what is allocated. */
	struct control control;
	bool has_places;
	struct places places;
};

static struct trend *trend_of(struct watch *watch, const struct cache *cache)
{
	struct intern *name = intern(&watch->trends, cache->name, sizeof(cache->name));

	if (!name->data)
		name->data = xalloc(sizeof(struct trend));
	return name->data;
}

/* Whether it grew in enough looks, and not by little where much went elsewhere. */
static bool has_grown(const struct watch *watch, const struct trend *trend)
{
	unsigned long long now_free = watch->info.kib[MEM_FREE];
	unsigned long long fallen = trend->begin_free > now_free ? trend->begin_free - now_free : 0;

	return trend->larger >= TREND &&
	       (fallen < PAGES_LEAST / 1024 ||
		trend->used - trend->begin >= fallen * 1024 / SIDE_EFFECT);
}

static bool is_growing(struct watch *watch, const struct cache *cache)
{
	return has_grown(watch, trend_of(watch, cache));
}

static bool pages_grow(const struct watch *watch)
{
	return has_grown(watch, &watch->pages) &&
	       watch->pages.used - watch->pages.begin >= PAGES_LEAST;
}

/* Where it was not larger, it may have been the same. */
static void follow(const struct watch *watch, struct trend *trend, unsigned long long used,
		   bool first)
{
	if (first || used < trend->used) {
		trend->larger = 0;
		trend->begin = used;
		trend->begin_free = watch->info.kib[MEM_FREE];
		trend->told = false;
	} else if (used > trend->used) {
		trend->larger++;
	}
	trend->used = used;
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
	for (i = 0; i < watch->caches.nr; i++) {
		const struct cache *cache = &watch->caches.caches[i];

		follow(watch, trend_of(watch, cache), cache->used, first);
	}
	follow(watch, &watch->pages, watch->info.unaccounted * 1024, first);
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

static void say_pages(struct watch *watch, const struct look *look)
{
	struct trend *trend = &watch->pages;
	char bytes[16];

	if (trend->told)
		return;
	trend->told = true;
	if (watch->log)
		watchlog_pages(watch->log, look, trend->used - trend->begin, trend->larger);
	if (watch->options->format == FORMAT_TEXT && !watch->live)
		fprintf(watch->to,
			"  growing: pages, %s more in %u looks that no figure tells of\n%s",
			human(trend->used - trend->begin, bytes), trend->larger, pages_advice);
}

/* Held or lost: what leaks is told of once more by itself. */
static void say_place(struct watch *watch, const struct look *look, const struct growing *place)
{
	char grown[16], hourly[16];
	struct frame site;

	if (watch->log)
		watchlog_place(watch->log, look, place);
	if (place->series->told)
		return;
	place->series->told = true;
	if (watch->log)
		watchlog_place_grows(watch->log, look, place);
	if (watch->options->format != FORMAT_TEXT || watch->live)
		return;
	trace_site(place->group->trace, &site);
	fputs("  growing: ", watch->to);
	plain_text(watch->to, site.text, site.len);
	fprintf(watch->to, ", %s more, %s in an hour\n", human(place->grown, grown),
		human(place->slope > 0 ? place->slope * 3600 : 0, hourly));
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
	fprintf(watch->to, "  " UNACCOUNTED " %lluK", watch->info.unaccounted);
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
		fputs(",leaks,leaked,places,new," UNACCOUNTED "\n", watch->to);
	}
	fprintf(watch->to, "%lld", (long long)look->when);
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(watch->to, ",%llu", watch->info.kib[i]);
	fprintf(watch->to, ",%zu,%llu,%zu,%zu,%llu\n", groups->report.nr, groups->report.bytes,
		groups->nr, look->nr_new, watch->info.unaccounted);
}

static void json_growing(struct json *json, const char *name, const struct trend *trend)
{
	json_open(json, NULL, '{');
	json_string(json, "name", name);
	json_number(json, "used", trend->used);
	json_number(json, "grown", trend->used - trend->begin);
	json_close(json, '}');
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
	json_number(&json, UNACCOUNTED, watch->info.unaccounted);
	json_open(&json, "growing", '[');
	for (i = 0; i < watch->caches.nr; i++) {
		const struct cache *cache = &watch->caches.caches[i];

		if (is_growing(watch, cache))
			json_growing(&json, cache->name, trend_of(watch, cache));
	}
	if (pages_grow(watch))
		json_growing(&json, UNACCOUNTED, &watch->pages);
	json_close(&json, ']');
	json_open(&json, "growing_places", '[');
	for (i = 0; i < watch->places.nr; i++) {
		const struct growing *place = &watch->places.growing[i];

		json_open(&json, NULL, '{');
		json_number(&json, "grown", place->grown);
		json_number(&json, "bytes_per_hour", place->slope * 3600);
		census_json_place(&json, place->group);
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
	if (watch->has_places)
		places_look(&watch->places, &watch->control);
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
	if (pages_grow(watch))
		say_pages(watch, look);
	for (i = 0; i < watch->places.nr; i++)
		say_place(watch, look, &watch->places.growing[i]);
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
	fprintf(to, " %11s\n%-7s", "unaccounted", "now");
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(to, " %11llu", watch->info.kib[i]);
	fprintf(to, " %11llu\n%-7s", watch->info.unaccounted, "change");
	for (i = 0; i < NR_MEM_FIELDS; i++)
		fprintf(to, " %+11lld",
			(long long)(watch->info.kib[i] - watch->first_info.kib[i]));
	fprintf(to, " %+11lld%s\n\n",
		(long long)(watch->info.unaccounted - watch->first_info.unaccounted),
		pages_grow(watch) ? "  growing: use page_owner" : "");
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
	control_open(&watch.control, options);
	watch.has_places = census_is_there(&watch.control);
	monitor(options, INTERVAL, take, draw, &watch);
	out_close(watch.to);
	return EXIT_CLEAN;
}
