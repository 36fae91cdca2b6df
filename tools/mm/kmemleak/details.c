// SPDX-License-Identifier: GPL-2.0
/*
 * Facts that the report does not have: which leaks are indirect, and the kind of
 * memory of each. Upstream's detector does not tell.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

enum {
	ADDRESS,
	SIZE,
	KIND,
	CACHE,
	AGE,
	DIRECT,
	HELD_BY,
	COMM,
	TYPE,
	REFCOUNT,
	NR_MEMBERS,
};

static const char * const member_names[NR_MEMBERS] = {
	[ADDRESS]	= "address",
	[SIZE]		= "size",
	[KIND]		= "kind",
	[CACHE]		= "cache",
	[AGE]		= "age_ms",
	[DIRECT]	= "direct",
	[HELD_BY]	= "held_by",
	[COMM]		= "comm",
	[TYPE]		= "type",
	[REFCOUNT]	= "refcount",
};

/* Facts about a leak, which the report may have lost meanwhile. */
struct known {
	unsigned long long address;
	unsigned long long size;
	struct details details;
	/* The report has what is none of printable ASCII in another form. */
	const struct intern *comm;
	/* The one of the report, or NULL. */
	struct record *record;
};

struct known_leaks {
	struct known *leaks;
	size_t nr;
	size_t room;
};

static int by_address(const void *a, const void *b)
{
	const struct known *one = a, *two = b;

	return (one->address > two->address) - (one->address < two->address);
}

static bool parse_address(const struct json_member *member, unsigned long long *address)
{
	char *end;

	if (member->type != JSON_STRING || strncmp(member->text, "0x", 2))
		return false;
	errno = 0;
	*address = strtoull(member->text, &end, 16);
	return end > member->text + 2 && !*end && !errno;
}

static bool parse_leak(struct known *leak, const char *line, size_t len, struct report *report)
{
	struct json_member members[NR_MEMBERS];
	struct details *details = &leak->details;
	size_t i;

	for (i = 0; i < NR_MEMBERS; i++)
		members[i].name = member_names[i];
	if (!json_read_line(line, len, members, NR_MEMBERS) ||
	    !parse_address(&members[ADDRESS], &leak->address) ||
	    members[SIZE].type != JSON_NUMBER || members[KIND].type != JSON_STRING ||
	    members[AGE].type != JSON_NUMBER || members[DIRECT].type != JSON_BOOL)
		return false;
	leak->size = members[SIZE].number;
	details->age_ms = members[AGE].number;
	details->direct = members[DIRECT].number;
	details->held_by = 0;
	details->holder = NULL;
	leak->record = NULL;
	if (!details->direct && !parse_address(&members[HELD_BY], &details->held_by))
		return false;
	details->kind = json_intern(&members[KIND], &report->texts);
	details->cache = json_intern(&members[CACHE], &report->texts);
	details->type = json_intern(&members[TYPE], &report->texts);
	details->has_count = members[REFCOUNT].type == JSON_NUMBER;
	details->count = members[REFCOUNT].number;
	leak->comm = json_intern(&members[COMM], &report->texts);
	return true;
}

static void read_leaks(struct known_leaks *known, struct report *report, FILE *from,
		       const char *path)
{
	size_t strange = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, from)) >= 0) {
		known->leaks = xgrow(known->leaks, &known->room, known->nr, sizeof(*known->leaks));
		if (parse_leak(&known->leaks[known->nr], line, len, report))
			known->nr++;
		else
			strange++;
	}
	if (ferror(from))
		warn("%s: %s", path, strerror(errno));
	if (strange)
		warn("%s: %zu lines are not understood", path, strange);
	free(line);
	if (known->nr)
		qsort(known->leaks, known->nr, sizeof(*known->leaks), by_address);
}

static struct known *find(const struct known_leaks *known, unsigned long long address)
{
	struct known key = { .address = address };

	if (!known->nr)
		return NULL;
	return bsearch(&key, known->leaks, known->nr, sizeof(key), by_address);
}

/* Addresses of per-CPU memory are those of no other memory. */
static bool is_same(const struct known *leak, const struct record *record)
{
	return leak->size == record->size &&
	       !strcmp(leak->details.kind->text, SPACE_PERCPU) == record_is_percpu(record);
}

/**
 * details_load() - find out more about what is in a report
 * @report: its records are filled in as far as something is known about them
 * @path: the detector's file for programs, which need not be there
 */
void details_load(struct report *report, const char *path)
{
	struct known_leaks known = { 0 };
	FILE *from = fopen(path, "re");
	size_t i;

	if (!from) {
		if (errno != ENOENT && errno != ENOTDIR)
			warn("%s: %s", path, strerror(errno));
		return;
	}
	report->detailed = true;
	read_leaks(&known, report, from, path);
	fclose(from);
	for (i = 0; i < report->nr; i++) {
		struct known *leak = find(&known, report->records[i].address);

		if (leak && is_same(leak, &report->records[i]))
			leak->record = &report->records[i];
	}
	for (i = 0; i < known.nr; i++) {
		struct known *leak = &known.leaks[i];
		const struct known *holder = find(&known, leak->details.held_by);

		if (!leak->record)
			continue;
		leak->record->details = leak->details;
		if (leak->comm)
			leak->record->comm = leak->comm;
		if (holder && holder->record)
			leak->record->details.holder = holder->record->trace;
	}
	free(known.leaks);
}
