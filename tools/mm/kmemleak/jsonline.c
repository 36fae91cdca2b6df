// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a line of the detector's file for programs: an object in JSON. Nothing but
 * JSON of printable ASCII is taken, which that file promises to be.
 */
#include <string.h>

#include "kmemleak.h"

/* Arrays and objects within others. */
#define MAX_DEPTH	16

struct reader {
	const char *at;
	const char *end;
	unsigned int depth;
	/* Who is told of values, what of, and in which array of the line. */
	json_visit_fn visit;
	void *data;
	const char *array;
	size_t index;
};

static bool read_value(struct reader *reader, struct json_member *member);

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
		reader->at++;
}

/* The byte that is next, or 0. */
static char peek(const struct reader *reader)
{
	return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char byte)
{
	if (peek(reader) != byte)
		return false;
	reader->at++;
	return true;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* The rest of "\uNNNN". A character that is no byte, or that of NUL, becomes "?". */
static bool read_hex(struct reader *reader, char *byte)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int code = 0, i;

	for (i = 0; i < 4; i++) {
		char next = peek(reader) >= 'A' && peek(reader) <= 'F' ? peek(reader) + 32 :
			    peek(reader);
		const char *digit = next ? strchr(digits, next) : NULL;

		if (!digit)
			return false;
		code = code * 16 + (digit - digits);
		reader->at++;
	}
	*byte = code && code <= 0xff ? code : '?';
	return true;
}

static bool read_escape(struct reader *reader, char *byte)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (take(reader, 'u'))
		return read_hex(reader, byte);
	name = peek(reader) ? strchr(names, peek(reader)) : NULL;
	if (!name)
		return false;
	*byte = bytes[name - names];
	reader->at++;
	return true;
}

/* Leave out the rest that does not fit. */
static bool read_string(struct reader *reader, char *to, size_t size)
{
	size_t len = 0;

	if (!take(reader, '"'))
		return false;
	while (!take(reader, '"')) {
		char byte = peek(reader);

		if (byte < ' ' || byte > '~')
			return false;
		reader->at++;
		if (byte == '\\' && !read_escape(reader, &byte))
			return false;
		if (len + 1 < size)
			to[len++] = byte;
	}
	to[len] = '\0';
	return true;
}

static bool skip_digits(struct reader *reader)
{
	if (!is_digit(peek(reader)))
		return false;
	while (is_digit(peek(reader)))
		reader->at++;
	return true;
}

/* Only one that is whole, not less than 0 and not too large is kept. */
static bool read_number(struct reader *reader, struct json_member *member)
{
	bool kept = true;

	if (take(reader, '-'))
		kept = false;
	if (peek(reader) == '0' && reader->at + 1 < reader->end && is_digit(reader->at[1]))
		return false;
	if (!is_digit(peek(reader)))
		return false;
	member->number = 0;
	for (; is_digit(peek(reader)); reader->at++)
		if (__builtin_mul_overflow(member->number, 10, &member->number) ||
		    __builtin_add_overflow(member->number, *reader->at - '0',
					   &member->number))
			kept = false;
	if (take(reader, '.')) {
		kept = false;
		if (!skip_digits(reader))
			return false;
	}
	if (take(reader, 'e') || take(reader, 'E')) {
		kept = false;
		if (!take(reader, '-'))
			take(reader, '+');
		if (!skip_digits(reader))
			return false;
	}
	member->type = kept ? JSON_NUMBER : JSON_OTHER;
	return true;
}

static bool read_word(struct reader *reader, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len))
		return false;
	reader->at += len;
	return true;
}

/* Does the reader stand in the line's object, or in an array or objects of one there? */
static bool is_visited(const struct reader *reader, bool named)
{
	if (!reader->visit)
		return false;
	return reader->depth == (!reader->array ? 1 : named ? 3 : 2);
}

/* Members of an object, if there is a list of those that are wanted, or elements. */
static bool read_element(struct reader *reader, bool named, struct json_member *members, size_t nr)
{
	struct json_member other = { 0 };
	struct json_member *member = &other;
	bool visited = is_visited(reader, named);
	char name[JSON_NAME];
	size_t i;

	skip_space(reader);
	if (named) {
		if (!read_string(reader, name, sizeof(name)))
			return false;
		for (i = 0; i < nr; i++)
			if (!strcmp(members[i].name, name))
				member = &members[i];
		if (member->type != JSON_NONE)
			return false;
		skip_space(reader);
		if (!take(reader, ':'))
			return false;
		skip_space(reader);
		if (visited && !reader->array && peek(reader) == '[') {
			reader->array = name;
			reader->index = 0;
		}
	}
	if (!read_value(reader, member))
		return false;
	if (reader->array == name)
		reader->array = NULL;
	else if (visited && member->type != JSON_OTHER)
		reader->visit(reader->array, reader->index, named ? name : NULL, member,
			      reader->data);
	/* Of an array that is visited, another element begins. */
	if (reader->array && reader->depth == 2 && !named)
		reader->index++;
	skip_space(reader);
	return true;
}

static bool read_all(struct reader *reader, char begin, struct json_member *members, size_t nr)
{
	char end = begin == '{' ? '}' : ']';

	if (!take(reader, begin) || ++reader->depth > MAX_DEPTH)
		return false;
	skip_space(reader);
	if (!take(reader, end)) {
		do {
			if (!read_element(reader, begin == '{', members, nr))
				return false;
		} while (take(reader, ','));
		if (!take(reader, end))
			return false;
	}
	reader->depth--;
	return true;
}

static bool read_value(struct reader *reader, struct json_member *member)
{
	char first = peek(reader);

	member->type = JSON_OTHER;
	switch (first) {
	case '"':
		member->type = JSON_STRING;
		return read_string(reader, member->text, sizeof(member->text));
	case '{':
	case '[':
		return read_all(reader, first, NULL, 0);
	case 't':
	case 'f':
		member->type = JSON_BOOL;
		member->number = first == 't';
		return read_word(reader, first == 't' ? "true" : "false");
	case 'n':
		member->type = JSON_NULL;
		return read_word(reader, "null");
	default:
		return read_number(reader, member);
	}
}

/**
 * json_read_line() - read an object in JSON
 * @line: the text, which has to be nothing but that
 * @len: its bytes
 * @members: those that are wanted, with their names; the rest is filled in.
 *	A value that is none of the types, such as an array, is JSON_OTHER.
 * @nr: how many they are
 *
 * Return: false if it is no such object, or if it has one of them twice.
 */
bool json_read_line(const char *line, size_t len, struct json_member *members, size_t nr)
{
	struct reader reader = { .at = line, .end = line + len };
	size_t i;

	for (i = 0; i < nr; i++)
		members[i].type = JSON_NONE;
	skip_space(&reader);
	if (!read_all(&reader, '{', members, nr))
		return false;
	skip_space(&reader);
	return reader.at == reader.end;
}

/**
 * json_walk_line() - read an object in JSON whose members may be arrays
 * @line: the text, which has to be nothing but that
 * @len: its bytes
 * @visit: told of each value: members of the object, elements of its arrays, and
 *	members of objects that are such elements; not of what is deeper
 * @data: for @visit
 *
 * Return: false if it is no such object; @visit may have been told of some of it.
 */
bool json_walk_line(const char *line, size_t len, json_visit_fn visit, void *data)
{
	struct reader reader = {
		.at = line,
		.end = line + len,
		.visit = visit,
		.data = data,
	};

	skip_space(&reader);
	if (!read_all(&reader, '{', NULL, 0))
		return false;
	skip_space(&reader);
	return reader.at == reader.end;
}

/**
 * json_intern() - the one copy of a value that is a text
 * @value: the value
 * @table: where it is kept
 *
 * Return: the copy; NULL if the value is no text.
 */
const struct intern *json_intern(const struct json_member *value, struct intern_table *table)
{
	if (value->type != JSON_STRING)
		return NULL;
	return intern(table, value->text, strlen(value->text));
}
