// SPDX-License-Identifier: GPL-2.0
/*
 * Stacks in the form that programs take which draw flame graphs: a line for each, the
 * outermost frame first, with semicolons between, a space and a number.
 */
#include <string.h>

#include "kmemleak.h"

/* Frames of a trace; the detector keeps at most 16. */
#define MAX_FRAMES	64

static void folded_text(FILE *to, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char byte = text[i];

		/* What has a meaning in that form, or none anywhere. */
		if (byte == ';')
			fputc(':', to);
		else if (byte < 0x20 || byte >= 0x7f)
			fputc('?', to);
		else
			fputc(byte, to);
	}
}

/* The function and its module: places in one function belong together. */
static void folded_frame(FILE *to, const struct frame *frame)
{
	const char *offset = memchr(frame->text, '+', frame->len);
	const char *end = frame->text + frame->len;
	const char *module;

	if (!offset || offset == frame->text) {
		folded_text(to, frame->text, frame->len);
		return;
	}
	folded_text(to, frame->text, offset - frame->text);
	module = memchr(offset, ' ', end - offset);
	if (module)
		folded_text(to, module, end - module);
}

/**
 * folded_line() - write a stack and its weight
 * @to: where
 * @trace: the stack
 * @value: the weight, which is left out if it is 0
 */
void folded_line(FILE *to, const struct intern *trace, unsigned long long value)
{
	struct frame frames[MAX_FRAMES], frame = { 0 };
	size_t nr = 0;

	if (!value)
		return;
	while (nr < MAX_FRAMES && trace_next(trace, &frame))
		frames[nr++] = frame;
	if (!nr)
		fputs("(no trace)", to);
	while (nr) {
		folded_frame(to, &frames[--nr]);
		if (nr)
			fputc(';', to);
	}
	fprintf(to, " %llu\n", value);
}
