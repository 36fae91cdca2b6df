// SPDX-License-Identifier: GPL-2.0
/*
 * Characters that are more than a byte, in UTF-8.
 */
#include "kmemleak.h"

/**
 * utf8_read() - the character that begins here
 * @text: where
 * @len: bytes that there are, at least one
 * @code: set to its number
 *
 * Return: its bytes; 0 if it is none, or could have been shorter.
 */
size_t utf8_read(const char *text, size_t len, unsigned int *code)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *at = (const unsigned char *)text;
	size_t need, i;

	*code = at[0];
	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		need = 2;
	else if (at[0] >= 0xe0 && at[0] <= 0xef)
		need = 3;
	else if (at[0] >= 0xf0 && at[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (need > len)
		return 0;
	*code = at[0] & (0x7f >> need);
	for (i = 1; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (at[i] & 0x3f);
	}
	/* Longer than it need be, half of a pair, or beyond the last one. */
	if (*code < least[need] || (*code >= 0xd800 && *code <= 0xdfff) || *code > 0x10ffff)
		return 0;
	return need;
}

/**
 * utf8_write() - the bytes of a character
 * @code: its number
 * @to: where to; has room for 4
 *
 * Return: how many there are.
 */
size_t utf8_write(unsigned int code, char *to)
{
	if (code < 0x80) {
		to[0] = code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = 0xc0 | code >> 6;
		to[1] = 0x80 | (code & 0x3f);
		return 2;
	}
	if (code < 0x10000) {
		to[0] = 0xe0 | code >> 12;
		to[1] = 0x80 | (code >> 6 & 0x3f);
		to[2] = 0x80 | (code & 0x3f);
		return 3;
	}
	to[0] = 0xf0 | code >> 18;
	to[1] = 0x80 | (code >> 12 & 0x3f);
	to[2] = 0x80 | (code >> 6 & 0x3f);
	to[3] = 0x80 | (code & 0x3f);
	return 4;
}

/**
 * utf8_is_readable() - whether a terminal shows a character, and does nothing else
 * @code: its number
 *
 * Others move the cursor, turn around what stands beside them, or cannot be seen.
 *
 * Return: true if so.
 */
bool utf8_is_readable(unsigned int code)
{
	static const struct {
		unsigned int first, last;
	} hidden[] = {
		{ 0, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad }, { 0x61c, 0x61c },
		{ 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
		{ 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
		{ 0x3000, 0x3000 }, { 0x3164, 0x3164 }, { 0xe000, 0xf8ff },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
		{ 0xfff0, 0xffff }, { 0xe0000, 0x10ffff },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return true;
}
