// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: tests of the command parser.
 */
#include <kunit/test.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "../report/report.h"

/* Stands in each field of a command that must not be written. */
#define UNTOUCHED	0x5a

struct command {
	const char *text;
	enum kml_command_id id;
	unsigned long value;
};

static const struct command good[] = {
	{ "scan",		KML_CMD_SCAN },
	{ "scan=on",		KML_CMD_SCAN_ON },
	{ "scan=off",		KML_CMD_SCAN_OFF },
	{ "stack=on",		KML_CMD_STACK_ON },
	{ "stack=off",		KML_CMD_STACK_OFF },
	{ "clear",		KML_CMD_CLEAR },
	{ "mark",		KML_CMD_MARK },
	{ "on",			KML_CMD_ON },
	{ "off",		KML_CMD_OFF },

	{ "scan=0",		KML_CMD_SCAN_PERIOD,	0 },
	{ "scan=1",		KML_CMD_SCAN_PERIOD,	1 },
	{ "scan=600",		KML_CMD_SCAN_PERIOD,	600 },
	{ "scan=010",		KML_CMD_SCAN_PERIOD,	8 },
	{ "scan=0x10",		KML_CMD_SCAN_PERIOD,	16 },
	{ "scan=4294967295",	KML_CMD_SCAN_PERIOD,	UINT_MAX },
	{ "scan=0xffffffff",	KML_CMD_SCAN_PERIOD,	UINT_MAX },
	{ "scan=037777777777",	KML_CMD_SCAN_PERIOD,	UINT_MAX },

	{ "dump=0",		KML_CMD_DUMP,	0 },
	{ "dump=4096",		KML_CMD_DUMP,	4096 },
	{ "dump=0777",		KML_CMD_DUMP,	0777 },
	{ "dump=0xdeadbeef",	KML_CMD_DUMP,	0xdeadbeef },
	{ "dump=0XDEADBEEF",	KML_CMD_DUMP,	0xdeadbeef },
	{ "refs=0",		KML_CMD_REFS,	0 },
	{ "refs=0x1000",	KML_CMD_REFS,	4096 },
	{ "dump=0x00000000000000000000000000000000000000000000000000001234",
				KML_CMD_DUMP,	0x1234 },
	{ "clear=0",		KML_CMD_CLEAR_AT,	0 },
	{ "clear=4096",		KML_CMD_CLEAR_AT,	4096 },
	{ "clear=0xdeadbeef",	KML_CMD_CLEAR_AT,	0xdeadbeef },
#ifdef CONFIG_64BIT
	{ "clear=0xffffffffffffffff",		KML_CMD_CLEAR_AT, ULONG_MAX },
	{ "dump=0xffff000000c13860",		KML_CMD_DUMP,
						0xffff000000c13860 },
	{ "dump=0xffffffffffffffff",		KML_CMD_DUMP, ULONG_MAX },
	{ "refs=0xffffffffffffffff",		KML_CMD_REFS, ULONG_MAX },
	{ "dump=18446744073709551615",		KML_CMD_DUMP, ULONG_MAX },
	{ "dump=01777777777777777777777",	KML_CMD_DUMP, ULONG_MAX },
#else
	{ "clear=0xffffffff",			KML_CMD_CLEAR_AT, ULONG_MAX },
	{ "dump=0xffffffff",			KML_CMD_DUMP, ULONG_MAX },
	{ "dump=4294967295",			KML_CMD_DUMP, ULONG_MAX },
#endif
};

/* Longest list of struct bad_commands, and a NULL. */
#define BAD_TEXTS	48

struct bad_commands {
	const char *name;
	const char *texts[BAD_TEXTS];
};

static const struct bad_commands bad[] = {
	{ "no known word", {
		"\n", " ", "\t\r\n", "=", "=\n", "=on", "=1", "0", "1", "help", "SCAN",
		"Scan", "scanoff", "scann", "clearscan", "onoff", "stack",
		"dump", "refs",
	} },
	{ "something is missing", {
		"scan=", "scan=\n", "stack=", "stack=\n", "dump=", "dump=\n",
		"refs=", "refs=\n", "clear=", "clear=\n",
		"scan=o", "scan=of", "stack=o", "cle", "of",
	} },
	{ "something is too much", {
		" scan", "\nscan", "scan\nscan", "scan=5\nscan=6",
		"scan=on on", "scan=on=on", "scan= on", "scan =on", "scan= 5",
		"scan =5", "scan=5s", "scan=5=5", "scan==5", "scan=5 6",
		"scan=5\n6", "dump= 1", "dump=\n1", "dump=1,2", "dump==1",
		"dump=1\nclear", "refs= 1", "refs==1",
	} },
	{ "argument of another word", {
		"off=1", "off=on", "off=", "clear=off", "clear=on", "stack=1",
		"stack=0", "dump=on", "dump=off", "xscan=5", "scan_=5",
		"sca=5", "xdump=1", "dumps=1", "scan=dump=1", "5=scan",
		"clear1", "xclear=1", "clears=1", "clea=1", "clear=clear=1",
		"clear =1",
		"refs=on", "ref=1", "xrefs=1", "dump=refs=1",
	} },
	{ "no number", {
		"scan=-1", "scan=+1", "scan=-", "scan=+", "scan=1.5",
		"scan=1e3", "scan=0x", "scan=0xg", "scan=08", "scan=0b1",
		"scan=x1", "scan=ff", "scan=--1", "scan=-0", "scan=0x-1",
		"scan=0x+1", "dump=-1", "dump=+1", "dump=+0x1000", "dump=0x",
		"dump=0xg", "dump=08", "dump=0x12 34", "dump=0x0x1",
		"dump=ffff000000c13860", "dump=deadbeef", "dump=x",
		"refs=-1", "refs=+1", "refs=x", "refs=0x",
		"dump=(null)", "clear=-1", "clear=+1", "clear=0x", "clear=08",
		"clear=x", "clear=1,2", "clear= 1",
	} },
	{ "too large", {
		"scan=4294967296", "scan=0x100000000",
		"scan=18446744073709551615", "scan=18446744073709551616",
		"scan=040000000000",
		"scan=99999999999999999999999999999999999999999999999999",
		"dump=18446744073709551616", "dump=0x10000000000000000",
		"dump=02000000000000000000000", "dump=0xffffffffffffffffff",
		"refs=18446744073709551616",
		"dump=99999999999999999999999999999999999999999999999999",
		"clear=18446744073709551616", "clear=0x10000000000000000",
	} },
	{ "binary", {
		"\x01", "\x7f", "\x80", "\xff", "\xff\xfe", "scan\xff",
		"\xffscan", "scan\xa0", "scan\x85", "scan=\xff", "scan=\xb2", "scan=1\xff",
		"dump=\xff\xff", "dump=\xef\xbc\x91", "\xef\xbb\xbfscan",
	} },
};

static void good_desc(const struct command *cmd, char *desc)
{
	strscpy(desc, cmd->text, KUNIT_PARAM_DESC_SIZE);
}

static void bad_desc(const struct bad_commands *commands, char *desc)
{
	strscpy(desc, commands->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(good, good, good_desc);
KUNIT_ARRAY_PARAM(bad, bad, bad_desc);

static const struct command *find_good(const char *text, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		if (strlen(good[i].text) == len &&
		    !memcmp(good[i].text, text, len))
			return &good[i];
	}
	return NULL;
}

static void expect_good(struct kunit *test, const char *text, size_t len,
			const struct command *want)
{
	struct kml_command got;

	memset(&got, UNTOUCHED, sizeof(got));
	KUNIT_EXPECT_EQ_MSG(test, kml_parse_command(text, len, &got), 0,
			    "%*pE", (int)len, text);
	KUNIT_EXPECT_EQ(test, got.id, want->id);
	if (want->id == KML_CMD_SCAN_PERIOD)
		KUNIT_EXPECT_EQ(test, got.secs, want->value);
	if (want->id == KML_CMD_DUMP || want->id == KML_CMD_REFS ||
	    want->id == KML_CMD_CLEAR_AT)
		KUNIT_EXPECT_EQ(test, got.addr, want->value);
}

static void expect_bad(struct kunit *test, const char *text, size_t len)
{
	struct kml_command got, untouched;

	memset(&got, UNTOUCHED, sizeof(got));
	memset(&untouched, UNTOUCHED, sizeof(untouched));
	KUNIT_EXPECT_EQ_MSG(test, kml_parse_command(text, len, &got), -EINVAL,
			    "%*pE", (int)len, text);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(&got, &untouched, sizeof(got)), 0,
			    "%*pE", (int)len, text);
}

struct padding {
	size_t len;
	const char *text;
};

#define PADDING(_text)	{ sizeof(_text) - 1, _text }

static const struct padding paddings[] = {
	PADDING(""), PADDING("\n"), PADDING(" "), PADDING("\t"), PADDING("\v"),
	PADDING("\f"), PADDING("\r\n"), PADDING("\n\n"), PADDING("\x20\n"),
	PADDING("\0"), PADDING("\0\0"), PADDING("\n\0"), PADDING("\0\n"),
	PADDING(" \0\t\0"),
};

/* Whatever is put behind it, and whatever stands behind that in memory. */
static void command_good(struct kunit *test)
{
	const struct command *cmd = test->param_value;
	size_t len = strlen(cmd->text);
	char text[KML_COMMAND_MAX + 1];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paddings); i++) {
		size_t padded = len + paddings[i].len;

		if (padded > KML_COMMAND_MAX)
			continue;
		memset(text, '5', sizeof(text));
		memcpy(text, cmd->text, len);
		memcpy(text + len, paddings[i].text, paddings[i].len);
		expect_good(test, text, padded, cmd);
	}
}

/* The same is no good in front, nor if there is something behind it. */
static void command_padded_badly(struct kunit *test)
{
	const struct command *cmd = test->param_value;
	size_t len = strlen(cmd->text);
	char text[KML_COMMAND_MAX + 1];
	unsigned int i;

	/* But for the first one, which is none. */
	for (i = 1; i < ARRAY_SIZE(paddings); i++) {
		size_t padded = len + paddings[i].len;

		if (padded > KML_COMMAND_MAX)
			continue;
		memcpy(text, paddings[i].text, paddings[i].len);
		memcpy(text + paddings[i].len, cmd->text, len);
		expect_bad(test, text, padded);
		expect_bad(test, text, paddings[i].len);

		memcpy(text, cmd->text, len);
		memcpy(text + len, paddings[i].text, paddings[i].len);
		text[padded] = '1';
		expect_bad(test, text, padded + 1);
	}
}

static void command_bad(struct kunit *test)
{
	const struct bad_commands *commands = test->param_value;
	const char * const *text;

	for (text = commands->texts; *text; text++)
		expect_bad(test, *text, strlen(*text));
}

static bool has_number(const struct command *cmd)
{
	return cmd->id == KML_CMD_SCAN_PERIOD || cmd->id == KML_CMD_DUMP ||
	       cmd->id == KML_CMD_REFS || cmd->id == KML_CMD_CLEAR_AT;
}

/* A NUL put in at any place but the end, or in the place of any byte. */
static void command_nul(struct kunit *test)
{
	const struct command *cmd = test->param_value;
	size_t len = strlen(cmd->text);
	char text[KML_COMMAND_MAX + 1];
	size_t at;

	for (at = 0; at < len; at++) {
		memcpy(text, cmd->text, at);
		text[at] = '\0';
		memcpy(text + at + 1, cmd->text + at, len - at);
		expect_bad(test, text, len + 1);
		text[len + 1] = '\n';
		expect_bad(test, text, len + 2);
	}
	/* With the last digit gone, a number may be one still. */
	for (at = 0; at < len - has_number(cmd); at++) {
		memcpy(text, cmd->text, len);
		text[at] = '\0';
		expect_bad(test, text, len);
	}
}

static bool is_padding(u8 byte)
{
	return !byte || (byte < 0x80 && isspace(byte));
}

/* Any beginning of the word, and any byte in any place of it. */
static void mutate(struct kunit *test, const struct command *cmd)
{
	size_t len = strlen(cmd->text);
	char text[KML_COMMAND_MAX];
	unsigned int byte;
	size_t at;

	for (at = 0; at < len; at++) {
		if (!find_good(cmd->text, at))
			expect_bad(test, cmd->text, at);
	}
	/* At the end the byte is one more, in all other places another one. */
	for (at = 0; at <= len; at++) {
		for (byte = 0; byte <= U8_MAX; byte++) {
			memcpy(text, cmd->text, len);
			text[at] = byte;
			if (at < len && byte == (u8)cmd->text[at])
				continue;
			if (is_padding(byte) && at == len)
				continue;
			if (is_padding(byte) && at == len - 1 &&
			    find_good(text, at))
				continue;
			expect_bad(test, text, max(len, at + 1));
		}
	}
}

static void command_word_mutated(struct kunit *test)
{
	unsigned int i;

	/* In a number, other bytes may be good as well. */
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		if (!has_number(&good[i]))
			mutate(test, &good[i]);
	}
}

static void command_length(struct kunit *test)
{
	static const struct command dump = { "", KML_CMD_DUMP, 1 };
	static const struct command scan = { "", KML_CMD_SCAN };
	char text[KML_COMMAND_MAX + 2];

	expect_bad(test, "scan", 0);

	/* As long as may be, without and with a newline. */
	memset(text, '0', sizeof(text));
	memcpy(text, "dump=0x", strlen("dump=0x"));
	text[KML_COMMAND_MAX - 1] = '1';
	expect_good(test, text, KML_COMMAND_MAX, &dump);
	text[KML_COMMAND_MAX - 2] = '1';
	text[KML_COMMAND_MAX - 1] = '\n';
	expect_good(test, text, KML_COMMAND_MAX, &dump);

	/* One byte longer, and much longer than there is memory behind. */
	text[KML_COMMAND_MAX - 1] = '1';
	text[KML_COMMAND_MAX] = '1';
	expect_bad(test, text, KML_COMMAND_MAX + 1);
	text[KML_COMMAND_MAX] = '\n';
	expect_bad(test, text, KML_COMMAND_MAX + 1);
	memset(text, ' ', sizeof(text));
	memcpy(text, "scan", strlen("scan"));
	expect_good(test, text, KML_COMMAND_MAX, &scan);
	expect_bad(test, text, KML_COMMAND_MAX + 1);
	expect_bad(test, "scan", SIZE_MAX);
	expect_bad(test, "scan", (size_t)INT_MAX + 1);
}

static struct kunit_case command_cases[] = {
	KUNIT_CASE_PARAM(command_good, good_gen_params),
	KUNIT_CASE_PARAM(command_bad, bad_gen_params),
	KUNIT_CASE_PARAM(command_padded_badly, good_gen_params),
	KUNIT_CASE_PARAM(command_nul, good_gen_params),
	KUNIT_CASE(command_word_mutated),
	KUNIT_CASE(command_length),
	{}
};

static struct kunit_suite command_suite = {
	.name = "kmemleak_command",
	.test_cases = command_cases,
};

kunit_test_suite(command_suite);
