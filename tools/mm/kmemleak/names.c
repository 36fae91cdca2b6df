// SPDX-License-Identifier: GPL-2.0
/*
 * Names of a module's functions, kept from when it was loaded: the kernel's older
 * detector shows nothing but addresses of a module that is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "kmemleak.h"

/* The last function of a module is taken to be no longer than this. */
#define LAST_SIZE	4096

struct name {
	unsigned long long address;
	char *text;
};

static struct name *names;
static size_t nr_names, names_room;
static const char *module_of_names;

static int by_address(const void *a, const void *b)
{
	const struct name *one = a, *two = b;

	return (one->address > two->address) - (one->address < two->address);
}

/**
 * names_keep() - keep the names of a module's functions
 * @module: the module, which is loaded; the name must stay
 * @options: of the command line
 */
void names_keep(const char *module, const struct options *options)
{
	FILE *from = open_in(options->proc, "kallsyms");
	char *line = NULL;
	size_t room = 0;

	if (!from)
		return;
	while (getline(&line, &room, from) >= 0) {
		char text[256], in[64], type;
		unsigned long long address;

		if (sscanf(line, "%llx %c %255s [%63[^]]", &address, &type, text, in) != 4 ||
		    (type != 't' && type != 'T') || *text == '$' || strcmp(in, module))
			continue;
		names = xgrow(names, &names_room, nr_names, sizeof(*names));
		names[nr_names++] = (struct name){ address, xstrdup(text) };
	}
	free(line);
	fclose(from);
	if (nr_names)
		qsort(names, nr_names, sizeof(*names), by_address);
	module_of_names = module;
}

/**
 * names_find() - the name of what is at an address
 * @address: the address
 * @to: set to a frame as the kernel shows it
 * @size: bytes there
 *
 * Return: false if it is in no function whose name was kept.
 */
bool names_find(unsigned long long address, char *to, size_t size)
{
	const struct name *name = NULL;
	unsigned long long end;
	size_t i;

	for (i = 0; i < nr_names && names[i].address <= address; i++)
		name = &names[i];
	if (!name)
		return false;
	end = i < nr_names ? names[i].address : name->address + LAST_SIZE;
	if (address >= end)
		return false;
	snprintf(to, size, "%s+0x%llx/0x%llx [%s]", name->text, address - name->address,
		 end - name->address, module_of_names);
	return true;
}
