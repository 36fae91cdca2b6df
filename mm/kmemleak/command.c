// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory leak detector: the language of the control file.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "internal.h"

/* Words without an argument. */
static const struct {
	const char *word;
	enum kml_command_id id;
} words[] = {
	{ "scan",	KML_CMD_SCAN },
	{ "scan=on",	KML_CMD_SCAN_ON },
	{ "scan=off",	KML_CMD_SCAN_OFF },
	{ "stack=on",	KML_CMD_STACK_ON },
	{ "stack=off",	KML_CMD_STACK_OFF },
	{ "clear",	KML_CMD_CLEAR },
	{ "off",	KML_CMD_OFF },
};

static int parse_argument(const char *text, struct kml_command *cmd)
{
	const char *arg = strchr(text, '=');

	if (!arg)
		return -EINVAL;
	arg++;
	/* The conversions below take a sign and a newline; users do not. */
	if (!isdigit(*arg) || strchr(arg, '\n'))
		return -EINVAL;

	if (str_has_prefix(text, "scan=") && !kstrtouint(arg, 0, &cmd->secs))
		cmd->id = KML_CMD_SCAN_PERIOD;
	else if (str_has_prefix(text, "dump=") && !kstrtoul(arg, 0, &cmd->addr))
		cmd->id = KML_CMD_DUMP;
	else if (str_has_prefix(text, "clear=") && !kstrtoul(arg, 0, &cmd->addr))
		cmd->id = KML_CMD_CLEAR_AT;
	else if (str_has_prefix(text, "refs=") && !kstrtoul(arg, 0, &cmd->addr))
		cmd->id = KML_CMD_REFS;
	else
		return -EINVAL;
	return 0;
}

/**
 * kml_parse_command() - understand one write to the control file
 * @text: what was written
 * @len: its length in bytes
 * @cmd: set to the command
 *
 * Context: Any.
 * Return: 0; -EINVAL if it is no command.
 */
int kml_parse_command(const char *text, size_t len, struct kml_command *cmd)
{
	char buf[KML_COMMAND_MAX + 1];
	unsigned int i;

	if (!len || len > KML_COMMAND_MAX)
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (strlen(buf) != len)
		return -EINVAL;
	if (buf[len - 1] == '\n')
		buf[len - 1] = '\0';

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(buf, words[i].word)) {
			cmd->id = words[i].id;
			return 0;
		}
	}
	return parse_argument(buf, cmd);
}
