// SPDX-License-Identifier: GPL-2.0
/*
 * Values for JSON, CSV and terminals.
 *
 * Names of tasks and modules may have any bytes. In JSON what is UTF-8 stays as
 * it is, and in text where the locale has it. Elsewhere all but printable ASCII is
 * shown as \xNN: a report must not move the cursor of whoever reads it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kmemleak.h"

static void json_escape(FILE *to, const char *text, size_t len)
{
	const char *at = text;
	size_t step;

	fputc('"', to);
	while (len) {
		unsigned int code;

		step = utf8_read(at, len, &code);
		if (*at == '"' || *at == '\\') {
			fprintf(to, "\\%c", *at);
		} else if (!step || code < 0x20 || code == 0x7f) {
			fprintf(to, "\\u%04x", (unsigned char)*at);
			step = 1;
		} else {
			fwrite(at, 1, step, to);
		}
		at += step;
		len -= step;
	}
	fputc('"', to);
}

static void json_next(struct json *json, const char *key)
{
	if (json->filled[json->depth])
		fputc(',', json->to);
	json->filled[json->depth] = true;
	if (key) {
		json_escape(json->to, key, strlen(key));
		fputc(':', json->to);
	}
}

/**
 * json_open() - begin an object or an array
 * @json: where
 * @key: its name, or NULL in an array and outside of everything
 * @bracket: the one that begins it
 */
void json_open(struct json *json, const char *key, char bracket)
{
	json_next(json, key);
	fputc(bracket, json->to);
	json->depth++;
	json->filled[json->depth] = false;
}

/**
 * json_close() - end an object or an array
 * @json: where
 * @bracket: the one that ends it
 *
 * A newline follows the outermost one.
 */
void json_close(struct json *json, char bracket)
{
	json->depth--;
	fputc(bracket, json->to);
	if (!json->depth) {
		fputc('\n', json->to);
		json->filled[0] = false;
	}
}

/**
 * json_text() - write some bytes as a string
 * @json: where
 * @key: its name, or NULL in an array
 * @text: the bytes
 * @len: how many
 */
void json_text(struct json *json, const char *key, const char *text, size_t len)
{
	json_next(json, key);
	json_escape(json->to, text, len);
}

/**
 * json_string() - write a string
 * @json: where
 * @key: its name, or NULL in an array
 * @text: the string
 */
void json_string(struct json *json, const char *key, const char *text)
{
	json_text(json, key, text, strlen(text));
}

/**
 * json_number() - write a number
 * @json: where
 * @key: its name, or NULL in an array
 * @value: the number
 */
void json_number(struct json *json, const char *key, long long value)
{
	json_next(json, key);
	fprintf(json->to, "%lld", value);
}

/**
 * json_bool() - write true or false
 * @json: where
 * @key: its name, or NULL in an array
 * @value: which
 */
void json_bool(struct json *json, const char *key, bool value)
{
	json_next(json, key);
	fputs(value ? "true" : "false", json->to);
}

/**
 * json_address() - write an address, as a string: a number would lose bits
 * @json: where
 * @key: its name, or NULL in an array
 * @value: the address
 */
void json_address(struct json *json, const char *key, unsigned long long value)
{
	json_next(json, key);
	fprintf(json->to, "\"0x%llx\"", value);
}

/**
 * json_null() - write that something is not known
 * @json: where
 * @key: its name, or NULL in an array
 */
void json_null(struct json *json, const char *key)
{
	json_next(json, key);
	fputs("null", json->to);
}

/**
 * plain_text() - write some bytes so that they are printable
 * @to: where
 * @text: the bytes
 * @len: how many
 */
void plain_text(FILE *to, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char byte = text[i];

		if (byte >= 0x20 && byte < 0x7f)
			fputc(byte, to);
		else
			fprintf(to, "\\x%02x", byte);
	}
}

/* A static program has no other way to ask for the locale. */
static bool locale_has_utf8(void)
{
	static const char * const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value = NULL, *set;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names) && (!value || !*value); i++)
		value = getenv(names[i]);
	set = value ? strrchr(value, '.') : NULL;
	return set && (!strncasecmp(set, ".UTF-8", 6) || !strncasecmp(set, ".utf8", 5));
}

/**
 * readable_text() - write some bytes for a person to read
 * @to: where
 * @text: the bytes
 * @len: how many
 *
 * What is UTF-8 stays as it is where the locale has it and it does nothing to a terminal.
 */
void readable_text(FILE *to, const char *text, size_t len)
{
	static int utf8 = -1;
	unsigned int code;
	size_t step;

	if (utf8 < 0)
		utf8 = locale_has_utf8();
	for (; len; text += step, len -= step) {
		step = utf8 ? utf8_read(text, len, &code) : 0;
		if (step && utf8_is_readable(code)) {
			fwrite(text, 1, step, to);
		} else {
			step = 1;
			plain_text(to, text, 1);
		}
	}
}

/**
 * quoted_text() - write a text for a person to read, in quotes
 * @to: where
 * @text: the text
 *
 * Nothing in it can be taken for the end of it.
 */
void quoted_text(FILE *to, const char *text)
{
	const char *at;

	fputc('"', to);
	for (at = text; *at; text = at) {
		at += strcspn(at, "\"\\");
		readable_text(to, text, at - text);
		/* What the kernel has escaped stays as it is. */
		if (*at == '"' || (*at == '\\' && (!at[1] || at[1] == '"' || at[1] == '\\')))
			fputc('\\', to);
		if (*at)
			fputc(*at++, to);
	}
	fputc('"', to);
}

static void csv_text(FILE *to, const char *text)
{
	const char *at;

	if (!strpbrk(text, ",\"\t")) {
		plain_text(to, text, strlen(text));
		return;
	}
	fputc('"', to);
	for (at = text; *at; at++) {
		if (*at == '"')
			fputc('"', to);
		plain_text(to, at, 1);
	}
	fputc('"', to);
}

/**
 * csv_row() - write a row of a table
 * @to: where
 * @separator: between fields
 * @types: one for each field: s: const char *, u: unsigned long long, d: long long
 *
 * Texts with what has a meaning in CSV are quoted as RFC 4180 has it.
 */
void csv_row(FILE *to, char separator, const char *types, ...)
{
	const char *type;
	va_list args;

	va_start(args, types);
	for (type = types; *type; type++) {
		if (type != types)
			fputc(separator, to);
		switch (*type) {
		case 's':
			csv_text(to, va_arg(args, const char *));
			break;
		case 'u':
			fprintf(to, "%llu", va_arg(args, unsigned long long));
			break;
		case 'd':
			fprintf(to, "%lld", va_arg(args, long long));
			break;
		}
	}
	va_end(args);
	fputc('\n', to);
}

/**
 * human() - a number of bytes, in the unit that makes it short
 * @bytes: the number
 * @to: where to
 *
 * Return: @to.
 */
const char *human(unsigned long long bytes, char to[16])
{
	static const char units[] = "BKMGTPE";
	double value = bytes;
	size_t unit = 0;

	while (value >= 9999.5 && unit < sizeof(units) - 2) {
		value /= 1024;
		unit++;
	}
	snprintf(to, 16, "%.*f%c", unit && value < 99.95 ? 1 : 0, value, units[unit]);
	return to;
}

/**
 * out_open() - where the answer of a command goes to
 * @options: may name a file
 *
 * Return: the file, or standard output.
 */
FILE *out_open(const struct options *options)
{
	return options->output ? file_replace(options->output) : stdout;
}

/**
 * out_close() - see to it that the answer has been written, or end the tool
 * @to: from out_open()
 */
void out_close(FILE *to)
{
	bool failed = ferror(to);

	if ((to == stdout ? fflush(to) : fclose(to)) || failed)
		die(EXIT_TROUBLE, "cannot write the result: %s", strerror(errno));
}
