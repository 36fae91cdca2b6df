// SPDX-License-Identifier: GPL-2.0
/*
 * The report, from text to records.
 *
 * A record begins with a line "unreferenced object 0x... (size N):", which may have
 * a kind of memory before the address; its lines are indented by two columns, and what
 * belongs to those by four. No other line can look like the first one: what comes from
 * outside of the kernel is the name of a task, of at most 15 bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

#define RECORD		"unreferenced object"
#define PERCPU		" (percpu)"
#define COMM		"  comm \""
#define AFTER_COMM	"\", pid "
#define DUMP		"  hex dump (first "
#define BACKTRACE	"  backtrace"
#define DEEPER		"    "

/* Names of tasks that the kernel did not make printable are no longer. */
#define COMM_MAX	128

/* Frames of all reports; traces that went away come back. */
static struct intern_table traces;

enum part {
	OUTSIDE,
	HEAD,
	IN_COMM,
	IN_DUMP,
	IN_TRACE,
};

struct parser {
	struct report *report;
	struct record record;
	enum part part;
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

static void end_record(struct parser *parser)
{
	struct report *report = parser->report;
	struct record *record = &parser->record;

	if (parser->part == OUTSIDE)
		return;
	if (parser->part != IN_TRACE)
		report->incomplete++;
	if (!record->comm)
		record->comm = intern(&report->texts, "", 0);
	record->trace = intern(&traces, parser->trace ? parser->trace : "", parser->trace_len);
	report->records = xgrow(report->records, &report->room, report->nr,
				sizeof(*report->records));
	report->records[report->nr++] = *record;
	report->bytes += record->size;
	parser->part = OUTSIDE;
}

/*
 * Where the address stands in the first line of a record, or NULL if it is none. From
 * Linux 7.2 on the line says if the memory is of another kind than most.
 */
static const char *address_of(const char *line, size_t len)
{
	static const char * const marks[] = {
		RECORD " 0x", RECORD PERCPU " 0x", RECORD " (phys) 0x",
	};
	size_t i;

	for (i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		if (starts(line, len, marks[i]))
			return line + strlen(marks[i]);
	}
	return NULL;
}

static void begin_record(struct parser *parser, const char *line, const char *address)
{
	struct record *record = &parser->record;

	end_record(parser);
	memset(record, 0, sizeof(*record));
	parser->trace_len = 0;
	parser->comm_len = 0;
	record->percpu = !strncmp(line, RECORD PERCPU, strlen(RECORD PERCPU));
	if (sscanf(address, "%llx (size %llu)", &record->address, &record->size) == 2)
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

static void parse_line(struct parser *parser, const char *line, size_t len)
{
	const char *address = address_of(line, len);

	if (address) {
		begin_record(parser, line, address);
	} else if (parser->part == OUTSIDE) {
		parser->report->strange += len > 0;
	} else if (parser->part == IN_COMM) {
		parse_comm(parser, line, len);
	} else if (starts(line, len, BACKTRACE)) {
		/* Older kernels have no checksum. */
		if (sscanf(line, BACKTRACE " (crc %x)", &parser->record.crc) != 1)
			parser->record.crc = 0;
		parser->part = IN_TRACE;
	} else if (starts(line, len, DUMP)) {
		parser->record.percpu |= !!last_of(line, len, " on cpu ");
		parser->part = IN_DUMP;
	} else if (starts(line, len, COMM)) {
		parser->comm_len = 0;
		parse_comm(parser, line + strlen(COMM), len - strlen(COMM));
	} else if (parser->part == IN_TRACE && starts(line, len, DEEPER)) {
		add_frame(parser, line + strlen(DEEPER), len - strlen(DEEPER));
	} else if (parser->part != IN_DUMP || !starts(line, len, DEEPER)) {
		parser->report->strange++;
	}
}

/**
 * report_read() - the records of a report
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

		if (whole) {
			line[--len] = '\0';
			parse_line(&parser, line, len);
		} else if (parser.part == OUTSIDE) {
			report->strange++;
		} else {
			/* The rest of the line is cut off and may read as anything. */
			parser.part = HEAD;
		}
	}
	end_record(&parser);
	free(line);
	free(parser.trace);
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
