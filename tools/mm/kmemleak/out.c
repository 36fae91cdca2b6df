// SPDX-License-Identifier: GPL-2.0
/*
 * Values for JSON, CSV and terminals.
 *
 * Names of tasks and modules may have any bytes. In JSON what is UTF-8 stays as
 * it is. Elsewhere all but printable ASCII is shown as \xNN: a report must not
 * move the cursor of whoever reads it.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "kmemleak.h"

/* Bytes of the UTF-8 sequence that begins here; 0 if there is none. */
static size_t utf8_len(const unsigned char *text, size_t len)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int code;
	size_t need, i;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		need = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		need = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (need > len)
		return 0;
	code = text[0] & (0x7f >> need);
	for (i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	/* Longer than it need be, half of a pair, or beyond the last one. */
	if (code < least[need] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return 0;
	return need;
}

static void json_escape(FILE *to, const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t step;

	fputc('"', to);
	while (len) {
		step = utf8_len(at, len);
		if (*at == '"' || *at == '\\') {
			fprintf(to, "\\%c", *at);
		} else if (*at < 0x20 || *at == 0x7f || !step) {
			fprintf(to, "\\u%04x", *at);
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
