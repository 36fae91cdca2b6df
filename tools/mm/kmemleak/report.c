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
	record->comm = intern(&parser->report->texts, parser->comm, end - parser->comm);
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
		/* Older kernels name no kind of memory in the first line. */
		if (last_of(line, len, " on cpu "))
			record->space = intern(&spaces, SPACE_PERCPU, strlen(SPACE_PERCPU));
		parser->part = IN_DUMP;
	} else if (starts(line, len, COMM)) {
		parser->comm_len = 0;
		parse_comm(parser, line + strlen(COMM), len - strlen(COMM));
	} else if (parser->part == IN_TRACE && starts(line, len, MORE)) {
		if (sscanf(line, MORE "%llu more object", &record->more) != 1)
			return false;
		parser->part = BEHIND_TRACE;
	} else if (parser->part == IN_TRACE && starts(line, len, DEEPER)) {
		add_frame(parser, line + strlen(DEEPER), len - strlen(DEEPER));
	} else {
		return parser->part == IN_DUMP && starts(line, len, DEEPER);
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

static int by_object(const void *a, const void *b)
{
	const struct record *one = a, *two = b;

	if (one->address != two->address)
		return one->address < two->address ? -1 : 1;
	if (one->space != two->space)
		return (uintptr_t)one->space < (uintptr_t)two->space ? -1 : 1;
	if (one->jiffies != two->jiffies)
		return one->jiffies < two->jiffies ? -1 : 1;
	if (one->trace != two->trace)
		return (uintptr_t)one->trace < (uintptr_t)two->trace ? -1 : 1;
	/* Of two that are the same the one that stands for more stays. */
	return (one->more < two->more) - (one->more > two->more);
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

		if (last && last->address == record->address && last->space == record->space &&
		    last->jiffies == record->jiffies && last->trace == record->trace) {
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
		die(EXIT_TROUBLE, "%s has no record: was there a scan? --empty-is-clean trusts in that",
		    control->file);
	die(EXIT_TROUBLE, "%s is empty, as a copy by scp is: use ssh and cat, or --empty-is-clean",
	    control->file);
}

/**
 * report_load() - read the report as it is now, or end the tool
 * @report: filled in; report_free() frees it
 * @control: where it is
 */
void report_load(struct report *report, const struct control *control)
{
	FILE *from = fopen(control->file, "re");

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
