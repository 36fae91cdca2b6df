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

/**
 * plural() - what makes a word a plural
 * @nr: of how many
 *
 * Return: "s", or nothing for 1.
 */
const char *plural(unsigned long long nr)
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
	const struct report *report = &groups->report;

	if (!report->nr) {
		fprintf(to, "no %sleaks\n", what);
		return;
	}
	fprintf(to, "%zu %sleak%s, %llu bytes, from %zu place%s", report->nr, what,
		plural(report->nr), report->bytes, groups->nr, plural(groups->nr));
	if (report->more)
		fprintf(to, ", and %llu more in short", report->more);
	if (groups->indirect)
		fprintf(to, "; %zu direct, %zu indirect", groups->direct, groups->indirect);
	fputc('\n', to);
}

static void show_comms(FILE *to, const struct group *group)
{
	const struct intern *comms[MAX_COMMS + 1];
	size_t nr = group_comms(group, comms, ARRAY_SIZE(comms));
	size_t i;

	for (i = 0; i < nr && i < MAX_COMMS; i++) {
		fputs(i ? ", " : "", to);
		quoted_text(to, comms[i]->text);
	}
	if (nr > MAX_COMMS)
		fputs(", ...", to);
}

static char printable(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f ? byte : '.';
}

/* What the kernel calls its kinds of memory, in words. */
static void show_space(FILE *to, const struct intern *space)
{
	if (!*space->text)
		return;
	fputs(" (", to);
	if (!strcmp(space->text, SPACE_PERCPU))
		fputs("per CPU", to);
	else if (!strcmp(space->text, SPACE_PHYS))
		fputs("physical", to);
	else
		plain_text(to, space->text, strlen(space->text));
	fputc(')', to);
}

static void show_objects(FILE *to, const struct group *group)
{
	size_t i;

	fputs("  at", to);
	for (i = 0; i < group->nr && i < MAX_OBJECTS; i++)
		fprintf(to, " 0x%llx", group->records[i].address);
	if (group->nr > MAX_OBJECTS)
		fprintf(to, " and %zu more", group->nr - MAX_OBJECTS);
	/* All of a group are of one kind. */
	show_space(to, group->records[0].space);
	fputc('\n', to);
}

/* As the report has it: often it is the only clue. */
static void show_content(FILE *to, const struct record *record)
{
	unsigned int row, i;

	for (row = 0; row < record->content_len; row += 16) {
		unsigned int end = row + 16 < record->content_len ? row + 16 : record->content_len;

		fputs("  content", to);
		for (i = row; i < end; i++)
			fprintf(to, " %02x", record->content[i]);
		fprintf(to, "%*s", (int)(row + 16 - end) * 3 + 2, "");
		for (i = row; i < end; i++)
			fputc(printable(record->content[i]), to);
		fputc('\n', to);
	}
}

/* Who allocated it is not who lost it. */
static void show_counted(FILE *to, const struct group *group)
{
	const struct details *details = &group->records[0].details;

	if (!details->type)
		return;
	fputs("  reference counted (", to);
	plain_text(to, details->type->text, strlen(details->type->text));
	if (details->has_count)
		fprintf(to, ", count %llu", details->count);
	fputs("): look for the missing put\n", to);
}

/* The first leak that points at an object of a group, and whether there are others. */
static const struct details *holder_of(const struct group *group, bool *others)
{
	const struct details *first = NULL;
	size_t i;

	*others = false;
	for (i = 0; i < group->nr && !*others; i++) {
		const struct details *details = &group->records[i].details;

		if (!details->held_by)
			continue;
		if (!first)
			first = details;
		*others = details->held_by != first->held_by;
	}
	return first;
}

static void show_holder(FILE *to, const struct group *group)
{
	bool others;
	const struct details *details = holder_of(group, &others);
	struct frame site;

	if (!details)
		return;
	fprintf(to, "  held by 0x%llx", details->held_by);
	if (details->holder && trace_site(details->holder, &site)) {
		fputs(" of ", to);
		plain_text(to, site.text, site.len);
	}
	fputs(others ? ", ...\n" : "\n", to);
}

/**
 * show_frames() - the frames of a trace as text, one a line, with their source lines
 * @to: where
 * @trace: the trace
 */
void show_frames(FILE *to, const struct intern *trace)
{
	struct frame frame = { 0 };

	while (trace_next(trace, &frame)) {
		const char *source = frame_source(&frame);

		fputs("    ", to);
		plain_text(to, frame.text, frame.len);
		if (source) {
			fputs("  ", to);
			plain_text(to, source, strlen(source));
		}
		fputc('\n', to);
	}
	if (!frame.text)
		fputs("    (no trace)\n", to);
}

/**
 * show_group() - a group as text
 * @to: where
 * @group: the group
 */
void show_group(FILE *to, const struct group *group)
{
	fprintf(to, "%llu bytes in %zu object%s, ", group->bytes, group->nr, plural(group->nr));
	if (group->more)
		fprintf(to, "%llu more that the log has in short, ", group->more);
	if (group->indirect)
		fprintf(to, "%zu direct, %zu indirect, ", group->direct, group->indirect);
	fputs("allocated by ", to);
	show_comms(to, group);
	fputc('\n', to);
	show_objects(to, group);
	show_holder(to, group);
	show_counted(to, group);
	show_content(to, &group->records[0]);
	show_frames(to, group->trace);
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
static FILE *text_open(char **text, size_t *size)
{
	FILE *to = open_memstream(text, size);

	if (!to)
		die(EXIT_TROUBLE, "out of memory");
	return to;
}

/* Empty if there is no frame. */
static char *site_text(const struct intern *trace)
{
	struct frame site;

	return trace && trace_site(trace, &site) ? xstrndup(site.text, site.len) : xstrdup("");
}

static char *joined_frames(const struct group *group)
{
	struct frame frame = { 0 };
	size_t size = 0;
	char *text = NULL;
	FILE *to = text_open(&text, &size);

	while (trace_next(group->trace, &frame)) {
		const char *source = frame_source(&frame);

		fprintf(to, "%s%.*s%s%s", frame.text == group->trace->text ? "" : "; ",
			(int)frame.len, frame.text, source ? " " : "", source ? source : "");
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
	FILE *to = text_open(&text, &size);
	size_t i;

	for (i = 0; i < nr; i++)
		fprintf(to, "%s%s", i ? "; " : "", comms[i]->text);
	fclose(to);
	return text;
}

static void content_hex(const struct record *record, char *to)
{
	unsigned int i;

	*to = '\0';
	for (i = 0; i < record->content_len; i++)
		to += sprintf(to, "%02x", record->content[i]);
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

	csv_row(to, ',', "ssssssssss", "bytes", "objects", "site", "comms", "trace", "direct",
		"indirect", "held_by", "type", "content");
	for (i = 0; i < nr; i++) {
		const struct group *group = &groups->groups[i];
		bool others;
		const struct details *details = holder_of(group, &others);
		char *site = site_text(group->trace);
		char *comms = joined_comms(group);
		char *frames = joined_frames(group);
		char *holder = site_text(details ? details->holder : NULL);
		const struct record *first = &group->records[0];
		const char *type = first->details.type ? first->details.type->text : "";
		char hex[2 * CONTENT_MAX + 1];

		content_hex(first, hex);
		if (groups->report.detailed)
			csv_row(to, ',', "uusssuusss", group->bytes, (unsigned long long)group->nr,
				site, comms, frames, (unsigned long long)group->direct,
				(unsigned long long)group->indirect, holder, type, hex);
		else
			csv_row(to, ',', "uussssssss", group->bytes, (unsigned long long)group->nr,
				site, comms, frames, "", "", "", type, hex);
		free(site);
		free(comms);
		free(frames);
		free(holder);
	}
}

/**
 * json_frames() - the same, as a member of a JSON object
 * @json: in the object
 * @trace: the trace
 */
void json_frames(struct json *json, const struct intern *trace)
{
	struct frame frame = { 0 };

	json_open(json, "trace", '[');
	while (trace_next(trace, &frame)) {
		const char *source = frame_source(&frame);

		json_open(json, NULL, '{');
		json_text(json, "frame", frame.text, frame.len);
		if (source)
			json_string(json, "source", source);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_content(struct json *json, const struct record *record)
{
	char hex[2 * CONTENT_MAX + 1], text[CONTENT_MAX];
	unsigned int i;

	content_hex(record, hex);
	for (i = 0; i < record->content_len; i++)
		text[i] = printable(record->content[i]);
	json_string(json, "content", hex);
	json_text(json, "content_text", text, record->content_len);
}

static void json_counted(struct json *json, const struct details *details)
{
	if (details->type)
		json_string(json, "type", details->type->text);
	else
		json_null(json, "type");
	if (details->has_count)
		json_number(json, "refcount", details->count);
	else
		json_null(json, "refcount");
}

/* null for a member that is not known, or not there. */
static void json_details(struct json *json, const struct details *details)
{
	if (!details->kind) {
		json_null(json, "kind");
		json_null(json, "cache");
		json_null(json, "age_ms");
		json_null(json, "direct");
		json_null(json, "held_by");
		return;
	}
	json_string(json, "kind", details->kind->text);
	if (details->cache)
		json_string(json, "cache", details->cache->text);
	else
		json_null(json, "cache");
	json_number(json, "age_ms", details->age_ms);
	json_bool(json, "direct", details->direct);
	if (details->held_by)
		json_address(json, "held_by", details->held_by);
	else
		json_null(json, "held_by");
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
		json_bool(json, "percpu", record_is_percpu(record));
		json_string(json, "space", *record->space->text ? record->space->text :
								  "virtual");
		json_string(json, "comm", record->comm->text);
		json_number(json, "pid", record->pid);
		json_number(json, "jiffies", record->jiffies);
		json_number(json, "crc", record->crc);
		json_details(json, &record->details);
		json_counted(json, &record->details);
		json_content(json, record);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_direct(struct json *json, bool known, size_t direct, size_t indirect)
{
	if (known) {
		json_number(json, "direct", direct);
		json_number(json, "indirect", indirect);
	} else {
		json_null(json, "direct");
		json_null(json, "indirect");
	}
}

/**
 * json_totals() - how much all groups are, as members of a JSON object
 * @json: in the object
 * @groups: the groups
 */
void json_totals(struct json *json, const struct groups *groups)
{
	json_number(json, "leaks", groups->report.nr);
	json_number(json, "bytes", groups->report.bytes);
	json_number(json, "places", groups->nr);
	json_number(json, "more", groups->report.more);
	json_direct(json, groups->report.detailed, groups->direct, groups->indirect);
}

/**
 * json_group() - what is known of a group, as an element of a JSON array
 * @json: in the array
 * @groups: all of them
 * @group: the group
 */
void json_group(struct json *json, const struct groups *groups, const struct group *group)
{
	char *site = site_text(group->trace);

	json_open(json, NULL, '{');
	json_number(json, "bytes", group->bytes);
	json_number(json, "count", group->nr);
	json_number(json, "more", group->more);
	json_string(json, "site", site);
	free(site);
	json_frames(json, group->trace);
	json_objects(json, group);
	json_direct(json, groups->report.detailed, group->direct, group->indirect);
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
		json_group(json, groups, &groups->groups[i]);
	json_close(json, ']');
}
