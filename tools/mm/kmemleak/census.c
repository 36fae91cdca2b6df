// SPDX-License-Identifier: GPL-2.0
/*
 * Live objects by allocation trace, from the detector's file for programs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmemleak.h"

/* Traces and names; they come back in each look. */
static struct intern_table traces, texts;

struct line {
	struct census_group *group;
	FILE *trace;
	size_t frames;
	bool complete;
};

static void take_number(const char *name, const struct json_member *value,
			struct census_part *part)
{
	const struct {
		const char *name;
		unsigned long long *to;
	} numbers[] = {
		{ "objects", &part->objects },
		{ "bytes", &part->bytes },
		{ "leaks", &part->leaks },
		{ "leaked_bytes", &part->leaked },
		{ "born_since_mark", &part->born },
		{ "bytes_since_mark", &part->born_bytes },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(name, numbers[i].name) && value->type == JSON_NUMBER)
			*numbers[i].to = value->number;
}

static void take_part(struct census_group *group, size_t index, const char *name,
		      const struct json_member *value)
{
	struct census_part *part;

	while (group->nr <= index) {
		group->parts = xgrow(group->parts, &group->room, group->nr,
				     sizeof(*group->parts));
		memset(&group->parts[group->nr++], 0, sizeof(*group->parts));
	}
	part = &group->parts[index];
	if (!strcmp(name, "comm"))
		part->comm = json_intern(value, &texts);
	else if (!strcmp(name, "kind"))
		part->kind = json_intern(value, &texts);
	else if (!strcmp(name, "cache"))
		part->cache = json_intern(value, &texts);
	else if (!strcmp(name, "reclaimable"))
		part->reclaimable = value->number;
	else
		take_number(name, value, part);
}

static void take_value(const char *array, size_t index, const char *name,
		       const struct json_member *value, void *data)
{
	struct line *line = data;
	struct census_group *group = line->group;

	if (array && name && !strcmp(array, "parts")) {
		take_part(group, index, name, value);
	} else if (array && !name && !strcmp(array, "trace")) {
		/* With newlines between, as of a report. */
		if (line->frames++)
			fputc('\n', line->trace);
		fputs(value->text, line->trace);
	} else if (!array && !strcmp(name, "module")) {
		group->module = json_intern(value, &texts);
	} else if (!array && !strcmp(name, "age_min_ms")) {
		group->age_min = value->number;
	} else if (!array && !strcmp(name, "age_max_ms")) {
		group->age_max = value->number;
	} else if (!array) {
		take_number(name, value, &group->all);
		line->complete |= !strcmp(name, "bytes") && value->type == JSON_NUMBER;
	}
}

static bool is_whole(const struct census_group *group)
{
	size_t i;

	for (i = 0; i < group->nr; i++)
		if (!group->parts[i].comm || !group->parts[i].kind)
			return false;
	return true;
}

static bool parse_group(struct census_group *group, const char *text, size_t len)
{
	struct line line = { .group = group };
	size_t size = 0;
	char *trace = NULL;
	bool good;

	memset(group, 0, sizeof(*group));
	line.trace = open_memstream(&trace, &size);
	if (!line.trace)
		die(EXIT_TROUBLE, "out of memory");
	good = json_walk_line(text, len, take_value, &line);
	if (fclose(line.trace))
		die(EXIT_TROUBLE, "out of memory");
	good = good && line.complete && is_whole(group);
	if (good)
		group->trace = intern(&traces, trace, size);
	else
		free(group->parts);
	free(trace);
	return good;
}

/**
 * census_is_there() - whether the detector tells what is allocated
 * @control: where the file is
 *
 * Return: true if so.
 */
bool census_is_there(const struct control *control)
{
	return !access(control->live, R_OK);
}

/**
 * census_load() - find out what is allocated now, or end the tool
 * @census: filled in; census_free() frees it
 * @control: where the file is
 */
void census_load(struct census *census, const struct control *control)
{
	FILE *from = fopen(control->live, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	memset(census, 0, sizeof(*census));
	if (!from && errno == ENOENT)
		die(EXIT_TROUBLE,
		    "no %s: this detector does not tell what is live; slab caches are in \"kmemleak slab\", places in /proc/allocinfo with CONFIG_MEM_ALLOC_PROFILING",
		    control->live);
	if (!from)
		die(EXIT_TROUBLE, "%s: %s", control->live, strerror(errno));
	while ((len = getline(&line, &room, from)) >= 0) {
		census->groups = xgrow(census->groups, &census->room, census->nr,
				       sizeof(*census->groups));
		if (parse_group(&census->groups[census->nr], line, len))
			census->nr++;
		else
			census->strange++;
	}
	if (ferror(from))
		die(EXIT_TROUBLE, "%s: %s", control->live, strerror(errno));
	fclose(from);
	free(line);
	if (census->strange)
		warn("%s: %zu lines are not understood", control->live, census->strange);
}

/**
 * census_free() - forget what was allocated
 * @census: the census, of nothing then
 */
void census_free(struct census *census)
{
	size_t i;

	for (i = 0; i < census->nr; i++)
		free(census->groups[i].parts);
	free(census->groups);
	memset(census, 0, sizeof(*census));
}

/**
 * census_add() - add the figures of some objects to those of others
 * @to: those; its texts stay
 * @from: of these
 */
void census_add(struct census_part *to, const struct census_part *from)
{
	to->objects += from->objects;
	to->bytes += from->bytes;
	to->leaks += from->leaks;
	to->leaked += from->leaked;
	to->born += from->born;
	to->born_bytes += from->born_bytes;
}
