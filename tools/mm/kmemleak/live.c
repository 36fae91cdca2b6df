// SPDX-License-Identifier: GPL-2.0
/*
 * live: all that is allocated now, lost or not, by where it was allocated, or by what
 * else is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* Of a place's tasks and kinds of memory, text names so many. */
#define MAX_NAMES	4

/* Live objects that have something else in common than their trace. */
struct row {
	const char *name;
	struct census_part all;
};

struct rows {
	struct row *rows;
	size_t nr;
	size_t room;
};

static bool more_bytes(const struct census_part *one, const struct census_part *two)
{
	return one->bytes != two->bytes ? one->bytes > two->bytes : one->objects > two->objects;
}

static int by_bytes(const void *a, const void *b)
{
	const struct row *one = a, *two = b;

	if (more_bytes(&one->all, &two->all))
		return -1;
	return more_bytes(&two->all, &one->all) ? 1 : strcmp(one->name, two->name);
}

static void add_row(struct rows *rows, const struct intern *name, const char *otherwise,
		    const struct census_part *part)
{
	const char *text = name ? name->text : otherwise;
	size_t i;

	for (i = 0; i < rows->nr; i++)
		if (!strcmp(rows->rows[i].name, text))
			break;
	if (i == rows->nr) {
		rows->rows = xgrow(rows->rows, &rows->room, rows->nr, sizeof(*rows->rows));
		rows->rows[rows->nr++] = (struct row){ .name = text };
	}
	census_add(&rows->rows[i].all, part);
	rows->rows[i].all.reclaimable = part->reclaimable;
}

static void add_group(struct rows *rows, const struct census_group *group, enum by by)
{
	size_t i;

	if (by == BY_MODULE) {
		add_row(rows, group->module, "(no module)", &group->all);
		return;
	}
	for (i = 0; i < group->nr; i++) {
		const struct census_part *part = &group->parts[i];

		if (by == BY_CACHE)
			add_row(rows, part->cache ? part->cache : part->kind, "", part);
		else
			add_row(rows, part->comm, "", part);
	}
}

/**
 * census_resolve() - find the source lines of the first groups
 * @census: the groups
 * @nr: of so many
 * @options: say where to look
 */
void census_resolve(const struct census *census, size_t nr, const struct options *options)
{
	struct groups groups = { .nr = nr };
	size_t i;

	groups.groups = xalloc(nr * sizeof(*groups.groups));
	for (i = 0; i < nr; i++)
		groups.groups[i].trace = census->groups[i].trace;
	frames_resolve(&groups, nr, options);
	free(groups.groups);
}

/* Each once, of the parts in their order. */
static void show_names(FILE *to, const struct census_group *group, bool comms)
{
	size_t i, k, shown = 0, nr = 0;

	for (i = 0; i < group->nr; i++) {
		const struct census_part *part = &group->parts[i], *other;
		const struct intern *name = comms ? part->comm :
					    part->cache ? part->cache : part->kind;

		for (k = 0; k < i; k++) {
			other = &group->parts[k];
			if (name == (comms ? other->comm :
				     other->cache ? other->cache : other->kind))
				break;
		}
		if (k < i || nr++ >= MAX_NAMES)
			continue;
		fputs(shown++ ? ", " : "", to);
		fputs(comms ? "\"" : "", to);
		plain_text(to, name->text, strlen(name->text));
		fputs(comms ? "\"" : part->reclaimable ? " (reclaimable)" : "", to);
	}
	if (nr > shown)
		fprintf(to, " and %zu more", nr - shown);
}

/**
 * census_show_place() - where live objects were allocated, and by whom
 * @to: where
 * @group: the objects
 */
void census_show_place(FILE *to, const struct census_group *group)
{
	fputs("  ", to);
	show_names(to, group, false);
	fputs(", by ", to);
	show_names(to, group, true);
	fputc('\n', to);
	show_frames(to, group->trace);
}

static void json_figures(struct json *json, const struct census_part *part)
{
	json_number(json, "bytes", part->bytes);
	json_number(json, "objects", part->objects);
	json_number(json, "leaks", part->leaks);
	json_number(json, "leaked", part->leaked);
	json_number(json, "born_since_mark", part->born);
	json_number(json, "bytes_since_mark", part->born_bytes);
}

/**
 * census_json_place() - the same, as members of a JSON object
 * @json: in the object
 * @group: the objects
 */
void census_json_place(struct json *json, const struct census_group *group)
{
	struct frame site;
	bool known = trace_site(group->trace, &site);
	size_t i;

	json_text(json, "site", site.text, known ? site.len : 0);
	if (group->module)
		json_string(json, "module", group->module->text);
	else
		json_null(json, "module");
	json_figures(json, &group->all);
	json_number(json, "age_min_ms", group->age_min);
	json_number(json, "age_max_ms", group->age_max);
	json_open(json, "parts", '[');
	for (i = 0; i < group->nr; i++) {
		const struct census_part *part = &group->parts[i];

		json_open(json, NULL, '{');
		json_string(json, "comm", part->comm->text);
		json_string(json, "kind", part->kind->text);
		if (part->cache)
			json_string(json, "cache", part->cache->text);
		else
			json_null(json, "cache");
		json_bool(json, "reclaimable", part->reclaimable);
		json_figures(json, part);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_frames(json, group->trace);
}

static void show_totals(FILE *to, const struct census_part *all, size_t places)
{
	char bytes[16];

	fprintf(to, "%s in %llu object%s, from %zu place%s", human(all->bytes, bytes),
		all->objects, plural(all->objects), places, plural(places));
	if (all->leaks)
		fprintf(to, "; %llu of them lost", all->leaks);
	fputc('\n', to);
}

static void show_traces(FILE *to, const struct census *census, size_t nr,
			const struct census_part *all)
{
	size_t i;

	show_totals(to, all, census->nr);
	for (i = 0; i < nr; i++) {
		const struct census_group *group = &census->groups[i];
		char bytes[16];

		fprintf(to, "\n%s in %llu object%s, age %llu..%llu s, %llu since mark",
			human(group->all.bytes, bytes), group->all.objects,
			plural(group->all.objects), group->age_min / 1000,
			group->age_max / 1000, group->all.born);
		if (group->all.leaks)
			fprintf(to, ", %llu lost", group->all.leaks);
		fputc('\n', to);
		census_show_place(to, group);
	}
	if (nr < census->nr)
		fprintf(to, "\n... and %zu more place%s\n", census->nr - nr,
			plural(census->nr - nr));
}

static void show_rows(FILE *to, const struct rows *rows, size_t nr, enum by by)
{
	static const char * const what[] = {
		[BY_CACHE]	= "cache, or kind of memory",
		[BY_MODULE]	= "module",
		[BY_COMM]	= "task",
	};
	size_t i;

	fprintf(to, "%9s %9s %7s %11s  %s\n", "bytes", "objects", "lost", "since mark",
		what[by]);
	for (i = 0; i < nr; i++) {
		const struct row *row = &rows->rows[i];
		char bytes[16];

		fprintf(to, "%9s %9llu %7llu %11llu  ", human(row->all.bytes, bytes),
			row->all.objects, row->all.leaks, row->all.born);
		plain_text(to, row->name, strlen(row->name));
		fputc('\n', to);
	}
}

static void csv_figures(FILE *to, const char *name, const struct census_part *all)
{
	csv_row(to, ',', "suuuuuu", name, all->bytes, all->objects, all->leaks, all->leaked,
		all->born, all->born_bytes);
}

static void show_csv(FILE *to, const struct census *census, const struct rows *rows, size_t nr)
{
	size_t i;

	csv_row(to, ',', "sssssss", "name", "bytes", "objects", "leaks", "leaked",
		"born_since_mark", "bytes_since_mark");
	for (i = 0; i < nr; i++) {
		struct frame site;
		char *name;

		if (rows->nr) {
			csv_figures(to, rows->rows[i].name, &rows->rows[i].all);
			continue;
		}
		trace_site(census->groups[i].trace, &site);
		name = xstrndup(site.text, site.len);
		csv_figures(to, name, &census->groups[i].all);
		free(name);
	}
}

static void show_json(FILE *to, const struct census *census, const struct rows *rows, size_t nr,
		      const struct census_part *all)
{
	struct json json = { .to = to };
	size_t i;

	json_open(&json, NULL, '{');
	json_string(&json, "command", "live");
	json_figures(&json, all);
	json_number(&json, "places", census->nr);
	json_open(&json, rows->nr ? "rows" : "groups", '[');
	for (i = 0; i < nr; i++) {
		json_open(&json, NULL, '{');
		if (rows->nr) {
			json_string(&json, "name", rows->rows[i].name);
			json_figures(&json, &rows->rows[i].all);
		} else {
			census_json_place(&json, &census->groups[i]);
		}
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

static void show(FILE *to, const struct census *census, const struct rows *rows,
		 const struct options *options)
{
	size_t i, nr = options->by == BY_TRACE ? census->nr : rows->nr;
	struct census_part all = { 0 };

	for (i = 0; i < census->nr; i++)
		census_add(&all, &census->groups[i].all);
	if (options->limit && options->limit < nr)
		nr = options->limit;
	if (options->by == BY_TRACE)
		census_resolve(census, nr, options);
	if (options->folded) {
		for (i = 0; i < census->nr; i++)
			folded_line(to, census->groups[i].trace, census->groups[i].all.bytes);
	} else if (options->format == FORMAT_JSON) {
		show_json(to, census, rows, nr, &all);
	} else if (options->format == FORMAT_CSV) {
		show_csv(to, census, rows, nr);
	} else if (options->by == BY_TRACE) {
		show_traces(to, census, nr, &all);
	} else {
		show_totals(to, &all, census->nr);
		show_rows(to, rows, nr, options->by);
	}
}

/**
 * command_live() - show what is allocated
 * @options: of the command line
 * @args: nothing is left in there
 *
 * Return: EXIT_CLEAN.
 */
int command_live(const struct options *options, char **args)
{
	struct control control;
	struct census census;
	struct rows rows = { 0 };
	size_t i;
	FILE *to;

	(void)args;
	if (options->folded && (options->by != BY_TRACE || options->format != FORMAT_TEXT))
		die(EXIT_USAGE, "--folded has a form of its own: neither --by, --json nor --csv");
	control_open(&control, options);
	census_load(&census, &control);
	for (i = 0; i < census.nr && options->by != BY_TRACE; i++)
		add_group(&rows, &census.groups[i], options->by);
	if (rows.nr)
		qsort(rows.rows, rows.nr, sizeof(*rows.rows), by_bytes);
	to = out_open(options);
	show(to, &census, &rows, options);
	out_close(to);
	free(rows.rows);
	census_free(&census);
	return EXIT_CLEAN;
}
