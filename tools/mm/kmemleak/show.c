// SPDX-License-Identifier: GPL-2.0
/*
 * Groups as text, JSON and CSV.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* Of a group's tasks and objects, text names so many. */
#define MAX_COMMS	8
#define MAX_OBJECTS	4

static const char *plural(unsigned long long nr)
{
	return nr == 1 ? "" : "s";
}

/**
 * show_summary() - one line about all groups
 * @to: where
 * @groups: the groups
 * @what: what kind of leaks they are: "" or "new "
 */
void show_summary(FILE *to, const struct groups *groups, const char *what)
{
	if (!groups->leaks)
		fprintf(to, "no %sleaks\n", what);
	else
		fprintf(to, "%zu %sleak%s, %llu bytes, from %zu place%s\n",
			groups->leaks, what, plural(groups->leaks), groups->bytes,
			groups->nr, plural(groups->nr));
}

static void show_comms(FILE *to, const struct group *group)
{
	const struct intern *comms[MAX_COMMS + 1];
	size_t nr = group_comms(group, comms, ARRAY_SIZE(comms));
	size_t i;

	for (i = 0; i < nr && i < MAX_COMMS; i++) {
		fputs(i ? ", \"" : "\"", to);
		plain_text(to, comms[i]->text, strlen(comms[i]->text));
		fputc('"', to);
	}
	if (nr > MAX_COMMS)
		fputs(", ...", to);
}

static void show_objects(FILE *to, const struct group *group)
{
	size_t i;

	fputs("  at", to);
	for (i = 0; i < group->nr && i < MAX_OBJECTS; i++)
		fprintf(to, " 0x%llx%s", group->records[i].address,
			group->records[i].percpu ? " (per CPU)" : "");
	if (group->nr > MAX_OBJECTS)
		fprintf(to, " and %zu more", group->nr - MAX_OBJECTS);
	fputc('\n', to);
}

/**
 * show_group() - a group as text
 * @to: where
 * @group: the group
 */
void show_group(FILE *to, const struct group *group)
{
	const char *next = *group->trace->text ? group->trace->text : NULL;

	fprintf(to, "%llu bytes in %zu object%s, allocated by ", group->bytes,
		group->nr, plural(group->nr));
	show_comms(to, group);
	fputc('\n', to);
	show_objects(to, group);
	if (!next)
		fputs("    (no trace)\n", to);
	while (next) {
		const char *frame = next;
		const char *source;
		size_t len;

		next = trace_next(frame, &len);
		source = frame_source(frame, len);
		fputs("    ", to);
		plain_text(to, frame, len);
		if (source) {
			fputs("  ", to);
			plain_text(to, source, strlen(source));
		}
		fputc('\n', to);
	}
}

/**
 * show_groups() - groups as text
 * @to: where
 * @groups: the groups
 * @options: may have a limit
 */
void show_groups(FILE *to, const struct groups *groups, const struct options *options)
{
	size_t nr = groups_limit(groups, options);
	size_t i;

	for (i = 0; i < nr; i++) {
		fputc('\n', to);
		show_group(to, &groups->groups[i]);
	}
	if (nr < groups->nr)
		fprintf(to, "\n... and %zu more place%s\n", groups->nr - nr,
			plural(groups->nr - nr));
}

/* Texts that are put together for a field: all of them have to fit. */
static char *joined_frames(const struct group *group)
{
	const char *next = *group->trace->text ? group->trace->text : NULL;
	size_t size = 0;
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		die(EXIT_TROUBLE, "out of memory");
	while (next) {
		const char *frame = next;
		const char *source;
		size_t len;

		next = trace_next(frame, &len);
		source = frame_source(frame, len);
		fprintf(to, "%.*s%s%s%s", (int)len, frame, source ? " " : "",
			source ? source : "", next ? "; " : "");
	}
	fclose(to);
	return text;
}

static char *joined_comms(const struct group *group)
{
	const struct intern *comms[MAX_COMMS];
	size_t nr = group_comms(group, comms, MAX_COMMS);
	size_t size = 0;
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);
	size_t i;

	if (!to)
		die(EXIT_TROUBLE, "out of memory");
	for (i = 0; i < nr; i++)
		fprintf(to, "%s%s", i ? "; " : "", comms[i]->text);
	fclose(to);
	return text;
}

/**
 * show_groups_csv() - groups as a table, with its header
 * @to: where
 * @groups: the groups
 * @options: may have a limit
 */
void show_groups_csv(FILE *to, const struct groups *groups, const struct options *options)
{
	size_t nr = groups_limit(groups, options);
	size_t i;

	csv_row(to, ',', "sssss", "bytes", "objects", "site", "comms", "trace");
	for (i = 0; i < nr; i++) {
		const struct group *group = &groups->groups[i];
		const char *frame = "";
		size_t len = trace_site(group->trace, &frame);
		char *site = xstrndup(frame, len);
		char *comms = joined_comms(group);
		char *frames = joined_frames(group);

		csv_row(to, ',', "uusss", group->bytes, (unsigned long long)group->nr, site, comms,
			frames);
		free(site);
		free(comms);
		free(frames);
	}
}

static void json_frames(struct json *json, const struct group *group)
{
	const char *next = *group->trace->text ? group->trace->text : NULL;

	json_open(json, "trace", '[');
	while (next) {
		const char *frame = next;
		const char *source;
		size_t len;

		next = trace_next(frame, &len);
		source = frame_source(frame, len);
		json_open(json, NULL, '{');
		json_text(json, "frame", frame, len);
		if (source)
			json_string(json, "source", source);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_objects(struct json *json, const struct group *group)
{
	size_t i;

	json_open(json, "objects", '[');
	for (i = 0; i < group->nr; i++) {
		const struct record *record = &group->records[i];

		json_open(json, NULL, '{');
		json_address(json, "address", record->address);
		json_number(json, "size", record->size);
		json_bool(json, "percpu", record->percpu);
		json_string(json, "comm", record->comm->text);
		json_number(json, "pid", record->pid);
		json_number(json, "jiffies", record->jiffies);
		json_number(json, "crc", record->crc);
		json_close(json, '}');
	}
	json_close(json, ']');
}

/**
 * json_totals() - how much all groups are, as members of a JSON object
 * @json: in the object
 * @groups: the groups
 */
void json_totals(struct json *json, const struct groups *groups)
{
	json_number(json, "leaks", groups->leaks);
	json_number(json, "bytes", groups->bytes);
	json_number(json, "places", groups->nr);
}

/**
 * json_group() - what is known of a group, as an element of a JSON array
 * @json: in the array
 * @group: the group
 */
void json_group(struct json *json, const struct group *group)
{
	const char *site = "";
	size_t len = trace_site(group->trace, &site);

	json_open(json, NULL, '{');
	json_number(json, "bytes", group->bytes);
	json_number(json, "count", group->nr);
	json_text(json, "site", site, len);
	json_frames(json, group);
	json_objects(json, group);
	json_close(json, '}');
}

/**
 * show_groups_json() - all that is known of groups, as members of a JSON object
 * @json: in the object
 * @groups: the groups
 * @options: may have a limit
 */
void show_groups_json(struct json *json, const struct groups *groups,
		      const struct options *options)
{
	size_t nr = groups_limit(groups, options);
	size_t i;

	json_totals(json, groups);
	json_open(json, "groups", '[');
	for (i = 0; i < nr; i++)
		json_group(json, &groups->groups[i]);
	json_close(json, ']');
}
