// SPDX-License-Identifier: GPL-2.0
/*
 * Memory, messages, paths, times, and texts that are kept once.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/**
 * die() - say what is wrong and end the tool
 * @status: what it ends with
 * @fmt: the message, without a newline
 */
void die(enum exit_status status, const char *fmt, ...)
{
	va_list args;

	/* The message must not go to a screen that is about to vanish. */
	terminal_leave();
	fflush(stdout);
	fputs("kmemleak: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/**
 * warn() - say what is wrong and go on
 * @fmt: the message, without a newline
 */
void warn(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("kmemleak: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/**
 * xalloc() - allocate, or end the tool
 * @size: bytes
 *
 * Return: zeroed memory.
 */
void *xalloc(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	if (!memory)
		die(EXIT_TROUBLE, "out of memory");
	return memory;
}

/**
 * xgrow() - make room for one more element of an array, or end the tool
 * @array: the array, or NULL
 * @room: elements there is room for; updated
 * @nr: elements it has
 * @size: bytes of an element
 *
 * Return: the array, perhaps elsewhere.
 */
void *xgrow(void *array, size_t *room, size_t nr, size_t size)
{
	if (nr < *room)
		return array;
	*room = *room ? *room * 2 : 16;
	array = reallocarray(array, *room, size);
	if (!array)
		die(EXIT_TROUBLE, "out of memory");
	return array;
}

/**
 * xstrndup() - copy the start of a text, or end the tool
 * @text: the text
 * @len: bytes to copy
 *
 * Return: the copy, with a NUL behind it.
 */
char *xstrndup(const char *text, size_t len)
{
	char *copy = xalloc(len + 1);

	memcpy(copy, text, len);
	return copy;
}

/**
 * xstrdup() - copy a text, or end the tool
 * @text: the text
 *
 * Return: the copy.
 */
char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

/**
 * path_join() - the path of a file in a directory
 * @dir: the directory
 * @name: the file
 *
 * Return: the path, to be freed.
 */
char *path_join(const char *dir, const char *name)
{
	size_t size = strlen(dir) + strlen(name) + 2;
	char *path = xalloc(size);

	snprintf(path, size, "%s/%s", dir, name);
	return path;
}

/**
 * open_in() - open a file in a directory to read it
 * @dir: the directory
 * @name: the file
 *
 * Return: the file, or NULL with errno.
 */
FILE *open_in(const char *dir, const char *name)
{
	char *path = path_join(dir, name);
	FILE *from = fopen(path, "re");
	int error = errno;

	free(path);
	errno = error;
	return from;
}

/**
 * stamp() - a point in time as text, in local time
 * @to: where to
 * @size: bytes there
 * @fmt: as of strftime()
 * @when: the time
 */
void stamp(char *to, size_t size, const char *fmt, time_t when)
{
	struct tm tm;

	if (!localtime_r(&when, &tm) || !strftime(to, size, fmt, &tm))
		snprintf(to, size, "%lld", (long long)when);
}

/**
 * time_later() - a point in time after another one
 * @when: that one; set to the later one
 * @msecs: milliseconds in between
 */
void time_later(struct timespec *when, unsigned int msecs)
{
	when->tv_sec += msecs / 1000;
	when->tv_nsec += msecs % 1000 * 1000000L;
	if (when->tv_nsec >= 1000000000) {
		when->tv_nsec -= 1000000000;
		when->tv_sec++;
	}
}

/**
 * time_in() - a point in time that will come
 * @when: set to it, of CLOCK_MONOTONIC
 * @msecs: milliseconds from now
 */
void time_in(struct timespec *when, unsigned int msecs)
{
	clock_gettime(CLOCK_MONOTONIC, when);
	time_later(when, msecs);
}

/**
 * time_now() - now, to tell how long something takes
 *
 * Return: seconds, of CLOCK_MONOTONIC.
 */
double time_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* FNV-1a */
static unsigned int hash_of(const char *text, size_t len)
{
	unsigned int hash = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash;
}

static void grow_table(struct intern_table *table)
{
	size_t nr_buckets = table->nr_buckets ? table->nr_buckets * 2 : 256;
	struct intern **buckets = xalloc(nr_buckets * sizeof(*buckets));
	struct intern *entry;

	for (entry = table->newest; entry; entry = entry->older) {
		struct intern **bucket = &buckets[entry->hash % nr_buckets];

		entry->next = *bucket;
		*bucket = entry;
	}
	free(table->buckets);
	table->buckets = buckets;
	table->nr_buckets = nr_buckets;
}

/**
 * intern() - the one copy of a text
 * @table: all of zeroes at first
 * @text: the text; it ends early at a NUL
 * @len: its bytes
 *
 * Return: the copy; the same one for the same text.
 */
struct intern *intern(struct intern_table *table, const char *text, size_t len)
{
	struct intern *entry, **bucket;
	unsigned int hash;

	len = strnlen(text, len);
	hash = hash_of(text, len);
	if (table->nr >= table->nr_buckets)
		grow_table(table);
	bucket = &table->buckets[hash % table->nr_buckets];
	for (entry = *bucket; entry; entry = entry->next)
		if (entry->hash == hash && !strncmp(entry->text, text, len) &&
		    !entry->text[len])
			return entry;

	entry = xalloc(sizeof(*entry) + len + 1);
	entry->hash = hash;
	memcpy(entry->text, text, len);
	entry->next = *bucket;
	*bucket = entry;
	entry->older = table->newest;
	table->newest = entry;
	table->nr++;
	return entry;
}

/**
 * intern_free() - forget all texts of a table
 * @table: the table, which is empty then
 */
void intern_free(struct intern_table *table)
{
	struct intern *entry = table->newest;

	while (entry) {
		struct intern *older = entry->older;

		free(entry);
		entry = older;
	}
	free(table->buckets);
	memset(table, 0, sizeof(*table));
}
