// SPDX-License-Identifier: GPL-2.0
/*
 * The report, from text to records.
 *
 * A record begins with a line "unreferenced object 0x... (size N):", which may have
 * a kind of memory before the address; its lines are indented by two columns, and what
 * belongs to those by four. No other line can look like the first one: what comes from
 * outside of the kernel is the name of a task, of at most 15 bytes.
 *
 * A log has the same records. There each line has "kmemleak: " in front, behind
 * whatever the log tells of all lines, and lines of others may stand in between.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

#define RECORD		"unreferenced object "
#define LOGGED		"kmemleak: "
#define MORE		"  ... and "
#define COMM		"  comm \""
#define AFTER_COMM	"\", pid "
#define DUMP		"  hex dump (first "
#define BACKTRACE	"  backtrace"
#define DEEPER		"    "

/* Names of tasks that the kernel did not make printable are no longer. */
#define COMM_MAX	128

/*
 * Kinds of memory, as the first line of a record has them. Each has the frames of its
 * records, of all reports, in a table of its own: what differs in kind is in no group
 * together. Traces that went away come back.
 */
static struct intern_table spaces;

enum part {
	OUTSIDE,
	HEAD,
	IN_COMM,
	IN_DUMP,
	IN_TRACE,
	BEHIND_TRACE,
};

struct parser {
	struct report *report;
	struct record record;
	enum part part;
	/* The lines of the record have what those of a log have in front. */
	bool logged;
	char *trace;
	size_t trace_len;
	size_t trace_room;
	char comm[COMM_MAX];
	size_t comm_len;
};

static bool starts(const char *line, size_t len, const char *with)
{
	size_t need = strlen(with);

	return len >= need && !memcmp(line, with, need);
}

static void add_byte(struct parser *parser, char byte)
{
	parser->trace = xgrow(parser->trace, &parser->trace_room, parser->trace_len, 1);
	parser->trace[parser->trace_len++] = byte;
}

static void add_frame(struct parser *parser, const char *frame, size_t len)
{
	char name[400];
	size_t i;

	/* Older kernels print "[<address>] function". */
	if (starts(frame, len, "[<")) {
		const char *end = memchr(frame, ']', len);

		if (end && end + 2 < frame + len) {
			len -= end + 2 - frame;
			frame = end + 2;
		}
	}
	if (starts(frame, len, "0x") &&
	    names_find(strtoull(frame, NULL, 16), name, sizeof(name))) {
		frame = name;
		len = strlen(name);
	}
	if (parser->trace_len)
		add_byte(parser, '\n');
	for (i = 0; i < len; i++)
		add_byte(parser, frame[i]);
}

static struct intern_table *traces_of(struct intern *space)
{
	if (!space->data)
		space->data = xalloc(sizeof(struct intern_table));
	return space->data;
}

static void end_record(struct parser *parser)
{
	struct report *report = parser->report;
	struct record *record = &parser->record;

	if (parser->part == OUTSIDE)
		return;
	if (parser->part < IN_TRACE)
		report->incomplete++;
	/* Of a dump that is cut off there is no more. */
	record->content_len = record->content_read;
	if (!record->comm)
		record->comm = intern(&report->texts, "", 0);
	record->trace = intern(traces_of(record->space),
			       parser->trace ? parser->trace : "", parser->trace_len);
	report->records = xgrow(report->records, &report->room, report->nr,
				sizeof(*report->records));
	report->records[report->nr++] = *record;
	report->bytes += record->size;
	report->more += record->more;
	parser->part = OUTSIDE;
}

/*
 * Where the address stands in the first line of a record, or NULL if it is none. From
 * Linux 7.2 on the line has "(percpu)" or "(phys)" before it where memory is of such a
 * kind.
 */
static const char *address_of(const char *line, size_t len)
{
	const char *at = line + strlen(RECORD);

	if (!starts(line, len, RECORD))
		return NULL;
	if (*at == '(') {
		at += strcspn(at, ")");
		if (strncmp(at, ") ", 2))
			return NULL;
		at += 2;
	}
	return strncmp(at, "0x", 2) ? NULL : at;
}

static void begin_record(struct parser *parser, const char *line, const char *address,
			 bool logged)
{
	struct record *record = &parser->record;
	const char *kind = line + strlen(RECORD);

	end_record(parser);
	memset(record, 0, sizeof(*record));
	parser->trace_len = 0;
	parser->comm_len = 0;
	parser->logged = logged;
	record->space = intern(&spaces, "", 0);
	if (*kind == '(')
		record->space = intern(&spaces, kind + 1, address - kind - 3);
	if (sscanf(address, "0x%llx (size %llu)", &record->address, &record->size) == 2)
		parser->part = HEAD;
	else
		parser->report->strange++;
}

static const char *last_of(const char *text, size_t len, const char *what)
{
	size_t need = strlen(what);
	size_t at;

	for (at = len; at >= need; at--)
		if (!memcmp(text + at - need, what, need))
			return text + at - need;
	return NULL;
}

/* The byte of "\NNN" that is none of ASCII, or 0. */
static unsigned char octal_byte(const char *text, size_t len)
{
	if (len < 4 || text[0] != '\\' || text[1] < '2' || text[1] > '3' ||
	    text[2] < '0' || text[2] > '7' || text[3] < '0' || text[3] > '7')
		return 0;
	return (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
}

/*
 * The kernel prints all but ASCII as octal numbers: have the characters that they make.
 * What makes none stays as it is, as the name of the task may have it so. Returns how
 * long it is then.
 */
static size_t unescape(char *text, size_t len)
{
	size_t from = 0, to = 0;

	while (from < len) {
		char bytes[4];
		unsigned int code;
		size_t nr = 0, step;

		while (nr < sizeof(bytes)) {
			size_t at = from + 4 * nr;

			bytes[nr] = octal_byte(text + at, len - at);
			if (!bytes[nr])
				break;
			nr++;
		}
		step = nr ? utf8_read(bytes, nr, &code) : 0;
		if (step) {
			memcpy(text + to, bytes, step);
			to += step;
			from += 4 * step;
		} else {
			text[to++] = text[from++];
		}
	}
	return to;
}

/* A row of a dump: bytes, and the same as text. */
static void parse_bytes(struct record *record, const char *row, size_t len)
{
	unsigned int byte;
	size_t at;

	for (at = 0; at + 2 <= len && at < 16 * 3 && record->content_read < record->content_len;
	     at += 3) {
		if (!isxdigit(row[at]) || !isxdigit(row[at + 1]) ||
		    sscanf(row + at, "%2x", &byte) != 1)
			break;
		record->content[record->content_read++] = byte;
	}
}

static void begin_dump(struct parser *parser, const char *line, size_t len)
{
	struct record *record = &parser->record;
	unsigned int bytes;

	/* Older kernels name no kind of memory in the first line. */
	if (last_of(line, len, " on cpu "))
		record->space = intern(&spaces, SPACE_PERCPU, strlen(SPACE_PERCPU));
	if (sscanf(line, DUMP "%u bytes", &bytes) == 1)
		record->content_len = bytes < CONTENT_MAX ? bytes : CONTENT_MAX;
	parser->part = IN_DUMP;
}

/*
 * A name can hold what ends it, so its last end counts; and a newline, unless
 * the kernel made it printable: then the line goes on in the next one.
 */
static void parse_comm(struct parser *parser, const char *text, size_t len)
{
	struct record *record = &parser->record;
	size_t room = sizeof(parser->comm) - 1 - parser->comm_len;
	const char *end;

	if (len > room)
		len = room;
	memcpy(parser->comm + parser->comm_len, text, len);
	parser->comm_len += len;
	parser->comm[parser->comm_len] = '\0';

	end = last_of(parser->comm, parser->comm_len, AFTER_COMM);
	if (!end || sscanf(end, AFTER_COMM "%d, jiffies %llu", &record->pid,
			   &record->jiffies) != 2) {
		parser->part = IN_COMM;
		if (parser->comm_len < sizeof(parser->comm) - 1)
			parser->comm[parser->comm_len++] = '\n';
		else
			parser->part = HEAD;
		return;
	}
	len = unescape(parser->comm, end - parser->comm);
	record->comm = intern(&parser->report->texts, parser->comm, len);
	parser->part = HEAD;
}

/* Of a record, behind its first line. Returns whether it is one. */
static bool parse_part(struct parser *parser, const char *line, size_t len)
{
	struct record *record = &parser->record;

	if (parser->part == IN_COMM && !starts(line, len, DUMP)) {
		parse_comm(parser, line, len);
	} else if (starts(line, len, BACKTRACE)) {
		/* Older kernels have no checksum. */
		if (sscanf(line, BACKTRACE " (crc %x)", &record->crc) != 1)
			record->crc = 0;
		parser->part = IN_TRACE;
	} else if (starts(line, len, DUMP)) {
		begin_dump(parser, line, len);
	} else if (starts(line, len, COMM)) {
		parser->comm_len = 0;
		parse_comm(parser, line + strlen(COMM), len - strlen(COMM));
	} else if (parser->part == IN_TRACE && starts(line, len, MORE)) {
		if (sscanf(line, MORE "%llu more object", &record->more) != 1)
			return false;
		parser->part = BEHIND_TRACE;
	} else if (parser->part == IN_TRACE && starts(line, len, DEEPER)) {
		add_frame(parser, line + strlen(DEEPER), len - strlen(DEEPER));
	} else if (parser->part == IN_DUMP && starts(line, len, DEEPER)) {
		parse_bytes(record, line + strlen(DEEPER), len - strlen(DEEPER));
	} else {
		return false;
	}
	return true;
}

/*
 * What the detector has to say in a line of a log, or NULL. In front of it may be a level,
 * times and names of hosts: whatever logs have, and no letter of it matters.
 */
static const char *logged_text(const char *line)
{
	const char *at = strstr(line, LOGGED);

	if (!at || (at > line && !strchr(" ]>:", at[-1])))
		return NULL;
	return at + strlen(LOGGED);
}

static void parse_logged(struct parser *parser, const char *text, size_t len)
{
	const char *address = address_of(text, len);

	parser->report->log = true;
	if (address) {
		begin_record(parser, text, address, true);
	} else if (parser->part != OUTSIDE && parser->logged &&
		   !parse_part(parser, text, len)) {
		/* Another message, such as how many new leaks there are. */
		if (parser->part < IN_TRACE)
			parser->report->strange++;
		else
			end_record(parser);
	}
}

static void parse_line(struct parser *parser, const char *line, size_t len)
{
	const char *address = address_of(line, len);
	const char *text;

	if (address) {
		begin_record(parser, line, address, false);
		return;
	}
	if (parser->part != OUTSIDE && !parser->logged && parse_part(parser, line, len))
		return;
	text = logged_text(line);
	if (text)
		parse_logged(parser, text, len - (text - line));
	else if (parser->part != OUTSIDE && parser->part < IN_TRACE && !parser->logged)
		parser->report->strange++;
	else
		parser->report->others += len > 0 || parser->part != OUTSIDE;
}

static int order(unsigned long long one, unsigned long long two)
{
	return (one > two) - (one < two);
}

/* 0 if they are the same object. */
static int compare_objects(const struct record *one, const struct record *two)
{
	int result = order(one->address, two->address);

	if (!result)
		result = order(one->jiffies, two->jiffies);
	if (!result)
		result = order((uintptr_t)one->space, (uintptr_t)two->space);
	if (!result)
		result = order((uintptr_t)one->trace, (uintptr_t)two->trace);
	return result;
}

/* Of two that are the same the one that stands for more comes first. */
static int by_object(const void *a, const void *b)
{
	const struct record *one = a, *two = b;
	int result = compare_objects(one, two);

	return result ? result : order(two->more, one->more);
}

/*
 * A log that a console has kept may have each message twice, and the report as well that
 * somebody looked at.
 */
static void drop_doubles(struct report *report)
{
	size_t i, nr = 0;

	if (!report->nr)
		return;
	qsort(report->records, report->nr, sizeof(*report->records), by_object);
	for (i = 0; i < report->nr; i++) {
		struct record *record = &report->records[i];
		struct record *last = nr ? &report->records[nr - 1] : NULL;

		if (last && !compare_objects(last, record)) {
			report->bytes -= record->size;
			report->more -= record->more;
		} else {
			report->records[nr++] = *record;
		}
	}
	report->nr = nr;
}

/**
 * record_is_percpu() - whether the address of a record is one of per-CPU memory
 * @record: the record
 *
 * Return: true if so.
 */
bool record_is_percpu(const struct record *record)
{
	return !strcmp(record->space->text, SPACE_PERCPU);
}

/**
 * report_read() - the records of a report, or of a log
 * @report: filled in; report_free() frees it
 * @from: the text
 *
 * Lines that do not belong into a report are counted and passed over.
 */
void report_read(struct report *report, FILE *from)
{
	struct parser parser = { .report = report };
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	memset(report, 0, sizeof(*report));
	while ((len = getline(&line, &room, from)) >= 0) {
		bool whole = len && line[len - 1] == '\n';

		/* A serial console has two bytes for the end of a line. */
		while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			line[--len] = '\0';
		if (whole) {
			parse_line(&parser, line, len);
		} else if (parser.part == OUTSIDE) {
			report->others++;
		} else if (!parser.logged) {
			/* The rest of the line is cut off and may read as anything. */
			parser.part = HEAD;
		}
	}
	end_record(&parser);
	free(line);
	free(parser.trace);
	/* A log has lines of others as well. */
	if (!report->log)
		report->strange += report->others;
	else
		drop_doubles(report);
}

/*
 * No record is no answer unless it is known that there is none: a file that was
 * copied from debugfs by its size is empty, and a log may be of a kernel that never
 * scanned.
 */
static void check_empty(const struct report *report, const struct control *control)
{
	if (report->nr)
		return;
	if (report->strange)
		die(EXIT_TROUBLE, "%s is neither a report nor a log with messages of the detector",
		    control->file);
	if (!control->saved || control->empty_is_clean)
		return;
	if (report->log)
		die(EXIT_TROUBLE,
		    "%s has no record: was there a scan? --empty-is-clean trusts in that",
		    control->file);
	die(EXIT_TROUBLE, "%s is empty, as a copy by scp is: use ssh and cat, or --empty-is-clean",
	    control->file);
}

/* What the detector says of it counts for more. */
static void find_type(struct report *report, struct record *record)
{
	const char *type;

	if (record->details.kind)
		return;
	type = counted_type(record->trace);
	if (type)
		record->details.type = intern(&report->texts, type, strlen(type));
}

/**
 * report_load() - read the report as it is now, or end the tool
 * @report: filled in; report_free() frees it
 * @control: where it is
 */
void report_load(struct report *report, const struct control *control)
{
	FILE *from = fopen(control->file, "re");
	size_t i;

	if (!from)
		die(EXIT_TROUBLE, "%s: %s", control->file, strerror(errno));
	setvbuf(from, NULL, _IOFBF, 1 << 16);
	report_read(report, from);
	if (ferror(from))
		die(EXIT_TROUBLE, "%s: %s", control->file, strerror(errno));
	fclose(from);
	check_empty(report, control);
	if (report->strange)
		warn("%s: %zu lines are not understood", control->file, report->strange);
	if (report->incomplete)
		warn("%s: %zu records are not complete", control->file, report->incomplete);
	details_load(report, control->details);
	for (i = 0; i < report->nr; i++)
		find_type(report, &report->records[i]);
}

/**
 * report_free() - forget a report
 * @report: the report, which is empty then
 */
void report_free(struct report *report)
{
	free(report->records);
	intern_free(&report->texts);
	memset(report, 0, sizeof(*report));
}
