// SPDX-License-Identifier: GPL-2.0
/*
 * Symbols of vmlinux and of modules: where a function begins, and in which
 * section that is. Files of 64 bits, in the byte order of the machine that the
 * tool runs on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmemleak.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_DATA	ELFDATA2LSB
#else
#define OUR_DATA	ELFDATA2MSB
#endif

struct elf {
	char *path;
	const unsigned char *data;
	size_t size;
	const struct elf64_hdr *header;
	const struct elf64_shdr *sections;
	const struct elf64_sym *symbols;
	size_t nr_symbols;
	const char *names;
	size_t names_size;
	const char *section_names;
	size_t section_names_size;
};

/* Files may be damaged: nothing is believed that has not been checked. */
static const void *part(const struct elf *elf, unsigned long long offset, unsigned long long size)
{
	if (offset > elf->size || size > elf->size - offset || offset % 8)
		return NULL;
	return elf->data + offset;
}

/* A table of texts, which has to end with a NUL. */
static const char *texts(const struct elf *elf, unsigned int index, size_t *size)
{
	const struct elf64_shdr *section = &elf->sections[index];

	if (index >= elf->header->e_shnum || section->sh_offset > elf->size ||
	    section->sh_size > elf->size - section->sh_offset || !section->sh_size)
		return NULL;
	*size = section->sh_size;
	if (elf->data[section->sh_offset + section->sh_size - 1])
		return NULL;
	return (const char *)elf->data + section->sh_offset;
}

static bool read_header(struct elf *elf)
{
	const struct elf64_hdr *header = part(elf, 0, sizeof(*header));

	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != OUR_DATA ||
	    header->e_shentsize != sizeof(struct elf64_shdr))
		return false;
	elf->header = header;
	elf->sections = part(elf, header->e_shoff,
			     (unsigned long long)header->e_shnum * sizeof(struct elf64_shdr));
	if (!elf->sections)
		return false;
	elf->section_names = texts(elf, header->e_shstrndx, &elf->section_names_size);
	return elf->section_names;
}

static bool read_symbols(struct elf *elf)
{
	size_t i;

	for (i = 0; i < elf->header->e_shnum; i++) {
		const struct elf64_shdr *section = &elf->sections[i];

		if (section->sh_type != SHT_SYMTAB)
			continue;
		elf->nr_symbols = section->sh_size / sizeof(*elf->symbols);
		elf->symbols = part(elf, section->sh_offset, section->sh_size);
		elf->names = texts(elf, section->sh_link, &elf->names_size);
	}
	return elf->symbols && elf->names;
}

/**
 * elf_open() - read a file's symbols
 * @path: the file
 *
 * Return: the file, which is never closed, or NULL after a warning.
 */
struct elf *elf_open(const char *path)
{
	struct elf *elf = xalloc(sizeof(*elf));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st)) {
		warn("%s: %s", path, strerror(errno));
		goto fail;
	}
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		warn("%s: %s", path, strerror(errno));
		goto fail;
	}
	elf->data = data;
	elf->size = st.st_size;
	if (!read_header(elf) || !read_symbols(elf)) {
		warn("%s is no 64-bit ELF file with symbols, or of another byte order", path);
		munmap(data, st.st_size);
		goto fail;
	}
	close(fd);
	elf->path = xstrdup(path);
	return elf;
fail:
	if (fd >= 0)
		close(fd);
	free(elf);
	return NULL;
}

/**
 * elf_path() - the name that a file was opened by
 * @elf: the file
 *
 * Return: the name.
 */
const char *elf_path(const struct elf *elf)
{
	return elf->path;
}

/**
 * elf_machine() - what machine a file is for
 * @elf: the file
 *
 * Return: EM_...
 */
unsigned int elf_machine(const struct elf *elf)
{
	return elf->header->e_machine;
}

static bool is_code(const struct elf *elf, const struct elf64_sym *symbol)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info);

	/* Entry code in assembler has no type. */
	return (type == STT_FUNC || type == STT_NOTYPE) && symbol->st_shndx != SHN_UNDEF &&
	       symbol->st_shndx < elf->header->e_shnum &&
	       elf->sections[symbol->st_shndx].sh_flags & SHF_EXECINSTR;
}

/* Up to the next symbol, which is what the kernel takes for the size. */
static unsigned long long size_of(const struct elf *elf, const struct elf64_sym *symbol)
{
	const struct elf64_shdr *section = &elf->sections[symbol->st_shndx];
	unsigned long long begin = elf->header->e_type == ET_REL ? 0 : section->sh_addr;
	unsigned long long end = begin + section->sh_size;
	size_t i;

	for (i = 0; i < elf->nr_symbols; i++) {
		const struct elf64_sym *other = &elf->symbols[i];

		if (other->st_shndx == symbol->st_shndx && other->st_value > symbol->st_value &&
		    other->st_value < end && is_code(elf, other) &&
		    other->st_name < elf->names_size && elf->names[other->st_name] != '$')
			end = other->st_value;
	}
	return end - symbol->st_value;
}

/**
 * elf_find() - where a function begins
 * @elf: the file
 * @name: the function
 * @len: bytes of its name
 * @size: its size as the kernel has it; tells functions of the same name apart
 * @address: set: in its section in a module, else in memory
 * @section: set to the section in a module, else to NULL
 *
 * Return: false if there is none, or if it may be one of several.
 */
bool elf_find(const struct elf *elf, const char *name, size_t len, unsigned long long size,
	      unsigned long long *address, const char **section)
{
	const struct elf64_sym *found = NULL, *fits = NULL;
	size_t nr_found = 0, nr_fits = 0;
	size_t i;

	for (i = 0; i < elf->nr_symbols; i++) {
		const struct elf64_sym *symbol = &elf->symbols[i];
		const char *other;

		if (symbol->st_name >= elf->names_size || !is_code(elf, symbol))
			continue;
		other = elf->names + symbol->st_name;
		if (strncmp(other, name, len) || other[len])
			continue;
		found = symbol;
		nr_found++;
		if (symbol->st_size == size || size_of(elf, symbol) == size) {
			fits = symbol;
			nr_fits++;
		}
	}
	if (nr_found > 1 && nr_fits == 1)
		found = fits;
	else if (nr_found != 1)
		return false;
	*address = found->st_value;
	*section = NULL;
	if (elf->header->e_type == ET_REL) {
		unsigned int at = elf->sections[found->st_shndx].sh_name;

		if (at >= elf->section_names_size)
			return false;
		*section = elf->section_names + at;
	}
	return true;
}
